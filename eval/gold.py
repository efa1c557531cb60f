"""Gold questions: what is asked, by whom, and what a right answer contains and cites."""

import json
from dataclasses import dataclass
from pathlib import Path

from rag.domain.errors import ConfigError


@dataclass(frozen=True, slots=True, kw_only=True)
class GoldEvidence:
    """A quotation that carries the answer, and the document as `silo/key`."""

    document: str
    quote: str


@dataclass(frozen=True, slots=True, kw_only=True)
class GoldQuestion:
    """`accept` holds every string that counts as the answer; empty for an abstention.

    `hidden` must appear nowhere in what the asker gets; empty when there is nothing to hide.
    """

    id: str
    question: str
    accept: tuple[str, ...]
    evidence: tuple[GoldEvidence, ...]
    groups: frozenset[str]
    kind: str
    abstain: str | None
    hidden: str


def read_questions(path: Path) -> tuple[GoldQuestion, ...]:
    """The questions of a JSONL file, in order.

    Raises:
        ConfigError: not there, or a line is not a question; the message names the line.
    """
    questions: list[GoldQuestion] = []
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except OSError as exc:
        raise ConfigError(f"cannot read {path}: {exc.strerror}") from exc
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            questions.append(_question(json.loads(line)))
        except (ValueError, KeyError, TypeError) as exc:
            raise ConfigError(f"{path}, line {number}: {exc!r}") from exc
    return tuple(questions)


def _question(row: dict[str, object]) -> GoldQuestion:
    answer = row["answer"]
    accept = row.get("accept") or ()
    evidence = row["evidence"]
    groups = row["groups"]
    if not isinstance(accept, list | tuple) or not isinstance(evidence, list):
        raise TypeError("accept and evidence must be lists")
    if not isinstance(groups, list):
        raise TypeError("groups must be a list")
    return GoldQuestion(
        id=str(row["id"]),
        question=str(row["question"]),
        accept=tuple(str(a) for a in ([answer] if answer else []) + list(accept)),
        evidence=tuple(GoldEvidence(document=e["document"], quote=e["quote"]) for e in evidence),
        groups=frozenset(str(g) for g in groups),
        kind=str(row.get("kind", "")),
        abstain=str(row["abstain"]) if row.get("abstain") else None,
        hidden=str(row.get("hidden") or ""),
    )
