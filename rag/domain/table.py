"""Rows of tables as they stand in canonical text, and figures that are worked out from them.

A row is a line `Header: value | Header: value`; the line above the rows has the headers alone.
"""

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from typing import Final, Protocol

from rag.domain.document import Element, ElementKind
from rag.domain.words import Span

_NUMBERS: Final = re.compile(r"-?\d[\d.,'’]*(?<=\d)")
# `1.234` may be one or a thousand, and `1.234,50` is not written as this language writes.
_PLAIN: Final = re.compile(r"-?(?:\d{1,3}(?:,\d{3})+(?:\.\d+)?|\d+(?:\.(?!\d{3}$)\d+)?)")
_ITEMS: Final = re.compile(r"[,;/](?!\d)")
_MONEY: Final = r"[€$£]|EUR|USD|GBP|CHF|euros?|dollars?"
_BEFORE: Final = re.compile(rf"(?:{_MONEY})?", re.IGNORECASE)
_AFTER: Final = re.compile(
    rf"(?:{_MONEY}|h|hours?|days?|weeks?|months?|kg|g|km|m|GB|MB|TB|pieces?|pcs|Stück|Tage)?",
    re.IGNORECASE,
)
_TOTAL: Final = re.compile(r"\b(?:sub|grand )?totals?\b|\bsum\b|\bsumme\b|\bgesamt", re.IGNORECASE)
_BETWEEN_CELLS: Final = " | "
_AFTER_HEADER: Final = ": "


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """One cell; `value` is its place in the row. Without a header it has an empty one."""

    header: str
    text: str
    value: Span


def cells_of(row: str) -> list[Cell]:
    """The cells of a row, in order; what has no header is all value."""
    found: list[Cell] = []
    start = 0
    for piece in row.split(_BETWEEN_CELLS):
        head, colon, rest = piece.partition(_AFTER_HEADER)
        text = rest if colon else piece
        begin = start + len(piece) - len(text)
        if text.strip():
            left = len(text) - len(text.lstrip())
            span = Span(begin + left, begin + left + len(text.strip()))
            found.append(Cell(header=head if colon else "", text=text.strip(), value=span))
        start += len(piece) + len(_BETWEEN_CELLS)
    return found


def row_spans(text: str, table: Span, *, headed: bool) -> list[Span]:
    """The rows of a table at `table` of a text, without the line of headers where it has one."""
    rows = line_spans(text, table)
    return rows[1:] if headed and len(rows) > 1 else rows


def line_spans(text: str, span: Span) -> list[Span]:
    """The lines at `span` of a text, without white space around them; empty ones left out."""
    lines: list[Span] = []
    start = span.start
    for line in span.of(text).split("\n"):
        stripped = line.strip()
        if stripped:
            first = start + len(line) - len(line.lstrip())
            lines.append(Span(first, first + len(stripped)))
        start += len(line) + 1
    return lines


class Shown(Protocol):
    """A passage: its text, where that stands in the document, and the elements of the document."""

    @property
    def text(self) -> str: ...
    @property
    def span(self) -> Span: ...
    @property
    def elements(self) -> Sequence[Element]: ...
    @property
    def hidden(self) -> Sequence[Span]: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A row: which passage shows it, and where it stands in the document."""

    passage: int
    span: Span


def whole_tables(passages: Sequence[Shown]) -> list[list[Row]]:
    """The rows of each table that passages of one document hold whole between them, in order.

    Nothing is made of a table whose rows do not all carry the headers of its first line, of one
    in which something is hidden, and of several tables under one heading: of these nobody could
    say which one is meant.
    """
    order = sorted(range(len(passages)), key=lambda n: passages[n].span.start)
    tables = {
        e.span: e.section for p in passages for e in p.elements if e.kind is ElementKind.TABLE
    }
    sections = Counter(tables.values())
    found: list[list[Row]] = []
    for table in sorted((t for t, s in tables.items() if sections[s] == 1), key=lambda t: t.start):
        parts = [n for n in order if passages[n].span.overlaps(table)]
        shown = [passages[n] for n in parts]
        if _is_covered(table, shown) and not any(_hides(p, table) for p in shown):
            lines = [line for n in parts for line in _lines_in(n, passages[n], table)]
            # Where passages overlap a line is shown twice, and counts once.
            once = list({line.span: line for line in reversed(lines)}.values())[::-1]
            if _is_headed([_text_of(passages[line.passage], line.span) for line in once]):
                found.append(once[1:])
    return found


def _is_headed(lines: Sequence[str]) -> bool:
    """Whether the first line has the headers that all others carry."""
    if len(lines) < 2:
        return False
    headers = {piece.strip() for piece in lines[0].split(_BETWEEN_CELLS)}
    rows = [cells_of(line) for line in lines[1:]]
    return all(cells and all(c.header in headers for c in cells) for cells in rows) and not all(
        c.header for c in cells_of(lines[0])
    )


def _hides(passage: Shown, table: Span) -> bool:
    return any(h.shifted(passage.span.start).overlaps(table) for h in passage.hidden)


def _text_of(passage: Shown, span: Span) -> str:
    return span.shifted(-passage.span.start).of(passage.text)


def _is_covered(table: Span, parts: Sequence[Shown]) -> bool:
    """Whether the parts, in order, leave nothing out but a line's end, and cut no line."""
    reached, last = table.start, None
    for part in parts:
        start = part.span.start
        if start > reached + 1:
            return False
        if last is not None and start <= reached:
            # The line's end stands just before this part, or is its first character.
            before = last.text[start - 1 - last.span.start :][:1]
            if before != "\n" and not part.text.startswith("\n"):
                return False
        if part.span.end > reached:
            reached, last = part.span.end, part
    return reached >= table.end


def _lines_in(n: int, passage: Shown, table: Span) -> list[Row]:
    start, end = max(table.start, passage.span.start), min(table.end, passage.span.end)
    here = Span(start, end).shifted(-passage.span.start)
    lines = line_spans(passage.text, here)
    return [Row(passage=n, span=line.shifted(passage.span.start)) for line in lines]


class Operation(StrEnum):
    """What can be worked out from rows."""

    COUNT = "count"
    SUM = "sum"


@dataclass(frozen=True, slots=True, kw_only=True)
class Condition:
    """A cell that a row must have: this value alone, or as one of several between commas."""

    header: str
    value: str

    def holds(self, row: str) -> bool:
        """Whether the row has the cell."""
        return any(
            c.header == self.header
            and self.value in (c.text, *(item.strip() for item in _ITEMS.split(c.text)))
            for c in cells_of(row)
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Derivation:
    """A figure over all rows of a table that meet the conditions; `column` is what is added up.

    Its sentence follows from the rows alone, so that anyone can work it out again.
    """

    operation: Operation
    table: str
    conditions: tuple[Condition, ...] = ()
    column: str = ""

    def chosen(self, rows: Sequence[str]) -> list[int]:
        """Which of the table's rows count."""
        return [n for n, row in enumerate(rows) if all(c.holds(row) for c in self.conditions)]

    def sentence(self, rows: Sequence[str]) -> tuple[str, Span] | None:
        """What the chosen rows come to, and where the figure stands in it.

        None where it cannot be said: a cell is missing or is not one plain number, cells differ in
        their unit, a row is a total of others, or rows are not each of another thing.
        """
        firsts = [cells_of(row)[0].text.casefold() if cells_of(row) else "" for row in rows]
        if any(_TOTAL.search(first) for first in firsts) or len(set(firsts)) < len(firsts):
            return None
        where = " and ".join(f"{c.header} {c.value}" for c in self.conditions)
        of = f"{len(rows)} {'row' if len(rows) == 1 else 'rows'} of {self.table}"
        of += f" with {where}" if where else ""
        if self.operation is Operation.COUNT:
            return f"Counted: {of}.", Span(len("Counted: "), len(f"Counted: {len(rows)}"))
        total = _total([_value(row, self.column) for row in rows])
        if total is None:
            return None
        before = f"Sum of {self.column} over {of}: "
        return f"{before}{total}.", Span(len(before), len(before) + len(total))


def _value(row: str, column: str) -> tuple[Decimal, tuple[str, str]] | None:
    """The number of a cell, and what stands around it: a currency or unit."""
    cell = next((c for c in cells_of(row) if c.header == column), None)
    found = _NUMBERS.findall(cell.text) if cell else []
    if cell is None or len(found) != 1 or not _PLAIN.fullmatch(found[0]):
        return None
    before, _, after = cell.text.partition(found[0])
    if not (_BEFORE.fullmatch(before.strip()) and _AFTER.fullmatch(after.strip())):
        return None
    return Decimal(found[0].replace(",", "")), (before, after)


def _total(values: Sequence[tuple[Decimal, tuple[str, str]] | None]) -> str | None:
    known = [v for v in values if v is not None]
    if not known or len(known) != len(values) or len({around for _, around in known}) != 1:
        return None
    before, after = known[0][1]
    return f"{before}{sum(v for v, _ in known):,}{after}"
