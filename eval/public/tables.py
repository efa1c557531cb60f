"""AIT-QA: tables of airlines' annual reports, as our parsers write tables and as plain text."""

import json
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final

from eval.public.sets import Asked, QuestionSet
from eval.retrieval.sets import PARSER, Document
from rag.adapters.parsers import tables
from rag.adapters.parsers.canonical import Block, Reading, compose, paragraph
from rag.domain.document import ElementKind

QUESTIONS: Final = "aitqa/aitqa_questions.jsonl"
TABLES: Final = "aitqa/aitqa_tables.jsonl"
AIRLINES: Final = ("United", "Southwest", "Delta", "American", "Alaska", "Virgin America")
_JOINED: Final = " - "


def read_tables(root: Path) -> QuestionSet:
    """Each table as the parsers of CSV and HTML write it: rows that name their columns.

    The tables do not say whose they are, and nearly every question names an airline. So each is
    titled as its report would be, with the airline that most of its questions name; without that
    nobody could tell two airlines' tables apart, and to abstain would be right.

    Source: Katsis et al., "AIT-QA: Question Answering Dataset over Complex Tables in the Airline
    Industry" (2022).
    """
    return _read(root, "as rows", _as_rows)


def read_plain(root: Path) -> QuestionSet:
    """The same tables as a paragraph each: the cells in order, with blanks between them."""
    return _read(root, "as plain text", _as_plain)


def own_table(asked: Sequence[Asked]) -> tuple[Asked, ...]:
    """The same questions, each of its own table alone."""
    return tuple(
        Asked(id=a.id, question=a.question, gold=a.gold, source=a.source, silo=a.source)
        for a in asked
    )


def _read(root: Path, form: str, write: Callable[[list[list[str]]], Block]) -> QuestionSet:
    questions = _lines(root / QUESTIONS)
    documents = []
    for table in _lines(root / TABLES):
        asked_of = [row["question"] for row in questions if row["table_id"] == table["id"]]
        reading = Reading(blocks=(write(_rows(table)),), title=_title(asked_of))
        parsed = compose(reading, uri=table["id"], parser=PARSER)
        documents.append(Document(key=f"{table['id']}.csv", parsed=parsed, silo=table["id"]))
    asked = tuple(
        Asked(
            id=row["id"], question=" ".join(row["question"].split()), gold=tuple(row["answers"]),
            source=row["table_id"], part=row["type"],
        )
        for row in questions
    )  # fmt: skip
    return QuestionSet(
        name="tables", title=f"AIT-QA, {form}", documents=tuple(documents), asked=asked
    )


def _title(questions: Sequence[str]) -> str:
    named = Counter(name for q in questions for name in AIRLINES if name.lower() in q.lower())
    return " ".join([*(f"{name} Airlines" for name, _ in named.most_common(1)), "annual report"])


def _rows(table: dict[str, Any]) -> list[list[str]]:
    """A header row, then rows with their own headers in the first column."""
    has_names = bool(table["row_header"])
    header = [_name(path) for path in table["column_header"]]
    names = [[_name(path)] for path in table["row_header"]] or [[]] * len(table["data"])
    body = [[*name, *cells] for name, cells in zip(names, table["data"], strict=False)]
    return [["", *header] if has_names else header, *body]


def _name(path: Sequence[str]) -> str:
    """A hierarchical header in one line; its colons would end the header's name."""
    return _JOINED.join(" ".join(part.split()).rstrip(" :") for part in path if part.strip())


def _as_rows(rows: Sequence[Sequence[str]]) -> Block:
    return Block(kind=ElementKind.TABLE, text=tables.render(rows, header=True))


def _as_plain(rows: Sequence[Sequence[str]]) -> Block:
    return paragraph("\n".join(" ".join(c.strip() for c in row if c.strip()) for row in rows))


def _lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text("utf-8").splitlines() if line.strip()]
