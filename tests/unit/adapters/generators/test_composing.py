"""Answers in the form of their question, each part a quotation or a figure that shows its rows."""

from datetime import UTC, datetime

import pytest

from rag.adapters.generators.composing import compose, of_rows, with_conditions
from rag.adapters.generators.features import Scored
from rag.adapters.generators.question import read_question
from rag.adapters.generators.tables import table_meant
from rag.adapters.generators.units import units_of
from rag.domain.claim import DraftPart, Evidence, Source
from rag.domain.document import Element, ElementKind
from rag.domain.ids import ChunkId, DocumentId, SiloId, digest_text
from rag.domain.reading import AnswerSpan, PassageReading
from rag.domain.words import Span

NOW = datetime(2026, 1, 1, tzinfo=UTC)
PARAGRAPH, TABLE, ITEM = ElementKind.PARAGRAPH, ElementKind.TABLE, ElementKind.LIST_ITEM
PIPELINE = (
    "opportunity | value_eur | owner\n"
    "opportunity: OP-1 | value_eur: 400 | owner: Ada Dorn\n"
    "opportunity: OP-2 | value_eur: 1,100 | owner: Ivo Haug\n"
    "opportunity: OP-3 | value_eur: 50 | owner: Ada Dorn"
)


def passage(*parts: tuple[ElementKind, str], title: str = "Pipeline", answer: str = "") -> Evidence:
    """Evidence 1,000 code points into its version, read if there is an `answer`."""
    elements, text = [], ""
    for kind, part in parts:
        start = 1000 + len(text)
        elements.append(Element(kind=kind, span=Span(start, start + len(part)), section=()))
        text += part + "\n"
    text = text.rstrip("\n")
    at = text.find(answer) if answer else 0
    read = PassageReading(
        p_answers=0.9, spans=(AnswerSpan(span=Span(at, at + len(answer)), p=0.8),)
    )
    return Evidence(
        chunk_ids=(ChunkId(1),), text=text, span=Span(1000, 1000 + len(text)), section=(),
        page=None, score=1.0, dense=0.5, elements=tuple(elements), reading=read if answer else None,
        source=Source(
            document_id=DocumentId(f"doc_{title}"), silo=SiloId("s"), key="a.csv", title=title,
            uri="", version=digest_text(text), raw_digest=digest_text(text), modified_at=NOW,
            observed_at=NOW, confirmed_at=NOW,
        ),
    )  # fmt: skip


def composed(question: str, shown: Evidence, best: str) -> list[DraftPart]:
    """What is said when `best` is the unit most likely to answer."""
    ranked = [
        Scored(unit=u, features={}, score=0.9 if best in u.text else 0.01)
        for u in units_of(0, shown)
    ]
    ranked.sort(key=lambda s: -s.score)
    ask = read_question(question)
    meant = table_meant(ask, [shown])
    parts = (of_rows(ask, meant) if meant else []) or compose(ask, ranked, [shown])
    for part in parts:
        for pointer in part.pointers:
            assert pointer.span is not None
            assert pointer.span.shifted(-1000).of(shown.text) == pointer.quote
    return parts


def said(parts: list[DraftPart]) -> list[str]:
    return [p.text for p in parts]


def short(part: DraftPart) -> str | None:
    return part.short.of(part.text) if part.short else None


def test_the_short_answer_of_a_sentence_is_what_was_read_in_it() -> None:
    shown = passage(
        (PARAGRAPH, "The store is shut. It opens on Monday, 4 May."), answer="Monday, 4 May."
    )
    (before, direct) = composed("When does the store open?", shown, "It opens")
    assert short(direct) == "Monday, 4 May"
    assert before.text == "The store is shut."


def test_the_short_answer_of_a_row_is_the_cell_under_the_header_that_is_asked_for() -> None:
    (row,) = composed("What is the value of OP-2?", passage((TABLE, PIPELINE)), "OP-2")
    assert short(row) == "1,100"
    (row,) = composed("Who is the owner of OP-2?", passage((TABLE, PIPELINE)), "OP-2")
    assert short(row) == "Ivo Haug"


def test_conditions_and_exceptions_follow_in_source_order_and_nothing_else() -> None:
    text = (
        "Meals are refunded up to 40 euros. However, alcohol is not. Unless a guest was present, tips"
        " are not refunded. Receipts are kept."
    )
    shown = passage((PARAGRAPH, text))
    assert said(composed("How much is refunded for meals?", shown, "Meals")) == [
        "Meals are refunded up to 40 euros.",
        "However, alcohol is not.",
        "Unless a guest was present, tips are not refunded.",
    ]


def test_a_sentence_that_points_back_comes_with_the_one_it_points_to() -> None:
    units = units_of(0, passage((PARAGRAPH, "Visitors get a badge. It is red. Cars stay outside.")))
    assert [u.text for u in with_conditions(units[1], units)] == [
        "Visitors get a badge.",
        "It is red.",
    ]
    assert [u.text for u in with_conditions(units[2], units)] == ["Cars stay outside."]


def test_steps_come_whole() -> None:
    steps = [(ITEM, f"{n}. Turn valve {n}.") for n in range(1, 21)]
    shown = passage((PARAGRAPH, "To drain the tank:"), *steps)
    assert len(composed("How do I drain the tank?", shown, "Turn valve 7")) == 20


def test_rows_that_share_the_cell_that_is_asked_for_are_listed() -> None:
    shown = passage((TABLE, PIPELINE))
    parts = composed("Which opportunities does Ada Dorn have?", shown, "OP-1")
    assert [p.text.split(" | ")[0] for p in parts] == ["opportunity: OP-1", "opportunity: OP-3"]


@pytest.mark.parametrize(
    ("question", "sentence", "figure"),
    [
        ("How many opportunities are in the pipeline?", "Counted: 3 rows of Pipeline.", "3"),
        ("How many opportunities does Ada Dorn have?",
         "Counted: 2 rows of Pipeline with owner Ada Dorn.", "2"),
        ("What is the total value of all opportunities?",
         "Sum of value_eur over 3 rows of Pipeline: 1,550.", "1,550"),
    ],
)  # fmt: skip
def test_a_figure_comes_first_and_shows_its_rows(question: str, sentence: str, figure: str) -> None:
    first, *rows = composed(question, passage((TABLE, PIPELINE)), "OP-1")
    assert (first.text, short(first)) == (sentence, figure)
    assert first.derived is not None
    assert [p.quote for p in first.pointers] == said(rows)


def test_a_total_that_the_table_gives_is_quoted_not_added_up() -> None:
    table = PIPELINE + "\nopportunity: Total | value_eur: 1,550 | owner:"
    shown = passage((TABLE, table))
    parts = composed("What is the total value of all opportunities?", shown, "Total")
    assert all(p.derived is None for p in parts)


@pytest.mark.parametrize(
    "question",
    [
        "How many customers does Ada Dorn have?",
        "How many opportunities did Ada Dorn lose in Spain?",
        "Who is Ada Dorn?",
        "How many opportunities does Ada Dorn not have?",
        "How many opportunities with a value of more than 400 are in the pipeline?",
        "List all opportunities that are not of Ada Dorn",
        "How many opportunities are in the pipeline of Ada Dorn or Ivo Haug?",
        "What is the value of OP-2?",
    ],
)
def test_a_table_answers_as_a_whole_only_what_it_accounts_for(question: str) -> None:
    assert table_meant(read_question(question), [passage((TABLE, PIPELINE))]) is None


def test_a_column_of_yes_and_no_picks_rows() -> None:
    table = (
        "room | video\nroom: Avocet | video: yes\nroom: Dunlin | video: no\nroom: Tern | video: yes"
    )
    shown = passage((TABLE, table), title="Rooms")
    meant = table_meant(read_question("Which rooms have video?"), [shown])
    assert meant is not None
    assert [t.split(" | ")[0] for t in meant.texts] == ["room: Avocet", "room: Tern"]
