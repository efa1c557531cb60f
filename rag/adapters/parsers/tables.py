"""Tables as text: one row a line, each row readable alone."""

from collections.abc import Iterable, Sequence
from typing import Final

CELL_MAX: Final = 32_000

Row = Sequence[str]


def render(rows: Iterable[Row], *, header: bool) -> str:
    """Rows as lines. With a header, each further row reads `header: cell | header: cell`.

    Empty cells and empty rows are left out; cells past the header's end have no name. Line
    breaks inside a cell become spaces, so that a line is always a whole row.
    """
    lines: list[str] = []
    names: list[str] | None = None
    for row in rows:
        cells = [_flat(cell) for cell in row]
        if not any(cells):
            continue
        if header and names is None:
            names = cells
            lines.append(" | ".join(cell for cell in cells if cell))
        else:
            lines.append(_line(cells, names or []))
    return "\n".join(lines)


def has_header(rows: Sequence[Row]) -> bool:
    """Whether the first row of bare data names the columns.

    It does when there are further rows, it has no empty, numeric or repeated cell, and no cell
    reads like a sentence.
    """
    if len(rows) < 2:
        return False
    first = [_flat(cell) for cell in rows[0]]
    while first and not first[-1]:
        first.pop()
    if not first or not all(first) or len(set(first)) < len(first):
        return False
    return not any(_is_number(cell) or len(cell) > 80 or cell.endswith(".") for cell in first)


def _line(cells: Row, names: Sequence[str]) -> str:
    named = [
        f"{names[i]}: {cell}" if i < len(names) and names[i] else cell
        for i, cell in enumerate(cells)
        if cell
    ]
    return " | ".join(named)


def _flat(cell: str) -> str:
    return " ".join(cell[:CELL_MAX].split())


def _is_number(cell: str) -> bool:
    digits = sum(c.isdigit() for c in cell)
    return digits > 0 and not any(c.isalpha() for c in cell)
