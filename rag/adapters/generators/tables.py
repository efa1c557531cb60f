"""Answers from a whole table: the rows that a question means, their number, and their sum."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from rag.adapters.generators.question import Ask, Form
from rag.adapters.generators.units import Unit
from rag.domain.claim import DraftPart, Evidence, Pointer
from rag.domain.document import ElementKind
from rag.domain.table import Condition, Derivation, Operation, cells_of, whole_tables
from rag.domain.words import Span, content_stems

ROWS_MAX: Final = 40
EVERY: Final = re.compile(
    r"\b(?:list|all|every|each|enumerate|alle|sämtliche|jede[rs]?)\b", re.IGNORECASE
)
_ADDS: Final = re.compile(
    r"\b(?:total|altogether|in all|sum|combined|together|overall|insgesamt|zusammen|summe)\b",
    re.IGNORECASE,
)
# Words that say what to do with rows, and nothing about them.
_TOLD: Final = re.compile(
    rf"{EVERY.pattern}|{_ADDS.pattern}"
    r"|\b(?:how many|number|rows?|entries|which|what|name|have|has|count|how much|wie viele)\b",
    re.IGNORECASE,
)
_ITEMS: Final = re.compile(r"[,;/](?!\d)")
_YES: Final = frozenset({"yes", "ja", "x", "true", "✓"})
# Words that turn a question round or bound it: no cell says what they ask for.
_LIMITS: Final = re.compile(
    r"\b(?:not|no|nor|neither|never|none|\w+n't|without|except|excluding|other|besides|before|after|since"
    r"|until|till|between|from|more|less|fewer|over|under|above|below|least|most|than|or|only|last|first"
    r"|next|nicht|kein\w*|ohne|außer|vor|nach|seit|bis|zwischen|mehr|weniger|über|unter|oder|nur)\b",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rows:
    """The rows of one table that a question means, each at its place in the evidence."""

    pointers: tuple[Pointer, ...]
    texts: tuple[str, ...]
    conditions: tuple[Condition, ...]
    title: str

    def __len__(self) -> int:
        return len(self.texts)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Table:
    """A table that is shown whole: of a part, nothing could be said about all."""

    pointers: tuple[Pointer, ...]
    texts: tuple[str, ...]
    title: str
    about: frozenset[str]

    @property
    def headers(self) -> list[str]:
        """In order; those of all rows."""
        return list(dict.fromkeys(c.header for text in self.texts for c in cells_of(text)))

    def meant(self, conditions: tuple[Condition, ...]) -> Rows:
        """The rows that meet the conditions."""
        derivation = Derivation(operation=Operation.COUNT, table=self.title, conditions=conditions)
        chosen = derivation.chosen(self.texts)
        return Rows(
            pointers=tuple(self.pointers[n] for n in chosen),
            texts=tuple(self.texts[n] for n in chosen), conditions=conditions, title=self.title,
        )  # fmt: skip


def _tables(evidence: Sequence[Evidence]) -> Iterator[_Table]:
    """All whole tables, those of the best passage's document first."""
    documents: dict[tuple[str, str], list[int]] = {}
    for n, shown in enumerate(evidence):
        documents.setdefault((shown.source.document_id, shown.source.version), []).append(n)
    for places in documents.values():
        passages = [evidence[n] for n in places]
        for rows in whole_tables(passages):
            if not rows:
                continue
            first = passages[rows[0].passage]
            source = first.source
            about = " ".join((source.title, _named(source.key), *first.section))
            pointers = [
                Pointer(
                    evidence=places[row.passage], span=row.span,
                    quote=_text(passages[row.passage], row.span),
                )
                for row in rows
            ]  # fmt: skip
            yield _Table(
                pointers=tuple(pointers), texts=tuple(str(p.quote) for p in pointers),
                title=first.section[-1] if first.section else source.title,
                about=frozenset(content_stems(about)),
            )  # fmt: skip


def _text(shown: Evidence, span: Span) -> str:
    return span.shifted(-shown.span.start).of(shown.readable)


def _named(key: str) -> str:
    return re.sub(r"[/_.-]", " ", key)


def rows_meant(ask: Ask, best: Unit, evidence: Sequence[Evidence]) -> Rows | None:
    """The rows with the cells that the question names, of the table in which the best row stands."""
    if best.kind is not ElementKind.TABLE or _LIMITS.search(ask.text):
        return None
    for table in _tables(evidence):
        if any(p.evidence == best.evidence and p.span == best.span for p in table.pointers):
            return table.meant(_conditions(ask, [best.text]))
    return None


def table_meant(ask: Ask, evidence: Sequence[Evidence]) -> Rows | None:
    """The rows of a whole table that a question asks for: to list, to count or to add up.

    Every word of the question must be accounted for by the table: its title, its headers, or a
    cell that picks the rows.
    """
    adds = _ADDS.search(ask.text) is not None
    if not (adds or ask.form in (Form.LIST, Form.COUNT) or EVERY.search(ask.text)):
        return None
    if _LIMITS.search(ask.text):
        return None
    asked = frozenset(content_stems(_named(_TOLD.sub(" ", ask.text))))
    for table in _tables(evidence):
        conditions = _conditions(ask, table.texts)
        headers = {s for h in table.headers for s in content_stems(_named(h))}
        picked = {s for c in conditions for s in content_stems(c.value)}
        one_each = len({c.header for c in conditions}) == len(conditions)
        if not one_each or not asked or not asked <= headers | picked | table.about:
            continue
        meant = table.meant(conditions)
        if len(meant) and asked - picked:
            return meant
    return None


def _conditions(ask: Ask, rows: Sequence[str]) -> tuple[Condition, ...]:
    """The cells of the rows whose words the question says, all of them."""
    found: dict[Condition, None] = {}
    for cell in (c for row in rows for c in cells_of(row)):
        for item in (cell.text, *_ITEMS.split(cell.text)):
            stems = set(content_stems(item))
            header = set(content_stems(_named(cell.header)))
            says_yes = cell.text.casefold() in _YES and header <= ask.stems
            if header and stems and (stems <= ask.stems or says_yes):
                found.setdefault(Condition(header=cell.header, value=item.strip()))
    return tuple(found)


def listed(ask: Ask, meant: Rows) -> bool:
    """Whether the rows together are the answer: they share what was asked, or all were asked for.

    Not where they are too many to give: a part of a list would pass for all of it.
    """
    return 1 < len(meant) <= ROWS_MAX and bool(meant.conditions or EVERY.search(ask.text))


def derived(ask: Ask, meant: Rows) -> DraftPart | None:
    """The number of the rows, or the sum of a column, where the question asks for it."""
    if not 1 < len(meant) <= ROWS_MAX:
        return None
    if _ADDS.search(ask.text):
        column = _column(ask, meant)
        return _part(meant, Operation.SUM, column) if column is not None else None
    if ask.form is Form.COUNT and ask.counted and ask.counted & _of_rows(meant):
        return _part(meant, Operation.COUNT, "")
    return None


def _of_rows(meant: Rows) -> set[str]:
    """The stems of what a row is one of: the first column's header, and the table's title."""
    first = cells_of(meant.texts[0])[0].header if cells_of(meant.texts[0]) else ""
    return {*content_stems(_named(first)), *content_stems(_named(meant.title))}


def _column(ask: Ask, meant: Rows) -> str | None:
    """The header that the question names most of, without those that only pick the rows."""
    headers = list(dict.fromkeys(c.header for text in meant.texts for c in cells_of(text)))
    # What a row is one of is never added up, even where it is a number.
    taken = {*headers[:1], *(c.header for c in meant.conditions)}
    shares: list[tuple[float, str]] = []
    for header in headers:
        stems = content_stems(_named(header))
        if header not in taken and stems:
            shares.append((sum(s in ask.stems for s in stems) / len(stems), header))
    best = max(shares, default=(0.0, ""))
    return best[1] if best[0] > 0.0 else None


def _part(meant: Rows, operation: Operation, column: str) -> DraftPart | None:
    derivation = Derivation(
        operation=operation, table=meant.title, conditions=meant.conditions, column=column
    )
    said = derivation.sentence(meant.texts)
    if said is None:
        return None
    return DraftPart(
        text=said[0], short=said[1], derived=derivation,
        pointers=meant.pointers,
    )  # fmt: skip
