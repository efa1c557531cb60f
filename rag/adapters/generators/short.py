"""The words of a quoted unit that are the answer by themselves."""

import re
from typing import Final

from rag.adapters.generators.features import Rarity
from rag.adapters.generators.question import Ask, Form, form_match
from rag.adapters.generators.units import Unit
from rag.domain.claim import Evidence
from rag.domain.document import ElementKind
from rag.domain.table import Cell, cells_of
from rag.domain.words import Span, content_stems

# What the reader is surer of than this is taken in a sentence.
_P_MIN: Final = 0.15
# What a cell's header, the reader and the form of its value say, against what the question itself
# already names: the key of the row.
_HEADER, _READ, _FORM, _NAMED = 1.0, 1.0, 0.5, -1.5
_EDGES: Final = " \t\n.,;:!?\"'“”‘’()[]"
_FORMLESS: Final = frozenset({Form.YES_NO, Form.STEPS, Form.LIST, Form.REASON})


def short_answer(ask: Ask, unit: Unit, shown: Evidence, weights: Rarity) -> Span | None:
    """Where in the unit's text the answer stands by itself; None where that cannot be told.

    In a sentence it is what the reader found, in a table's row the cell under the header that
    the question names. Questions that take a whole sentence have none.
    """
    if ask.form in _FORMLESS:
        return None
    if unit.kind is ElementKind.TABLE:
        return _cell(ask, unit, shown, weights)
    return _read(unit, shown)


def _read(unit: Unit, shown: Evidence) -> Span | None:
    place = unit.span.shifted(-shown.span.start)
    for found in shown.reading.spans if shown.reading else ():
        if found.p < _P_MIN:
            return None
        if place.start <= found.span.start and found.span.end <= place.end:
            return _trimmed(unit.text, found.span.shifted(-place.start))
    return None


def _trimmed(text: str, span: Span) -> Span | None:
    start, end = span.start, span.end
    while start < end and text[start] in _EDGES:
        start += 1
    while end > start and text[end - 1] in _EDGES:
        end -= 1
    return Span(start, end) if start < end else None


def _cell(ask: Ask, unit: Unit, shown: Evidence, weights: Rarity) -> Span | None:
    cells = cells_of(unit.text)
    scored = sorted(
        ((_promise(ask, cell, unit, shown, weights), n) for n, cell in enumerate(cells)),
        key=lambda pair: (-pair[0], pair[1]),
    )
    if not scored or scored[0][0] <= 0.0:
        return None
    if len(scored) > 1 and scored[0][0] == scored[1][0]:
        return None
    return cells[scored[0][1]].value


def _promise(ask: Ask, cell: Cell, unit: Unit, shown: Evidence, weights: Rarity) -> float:
    header = _weight_of(cell.header, weights)
    named = _weight_of(cell.text, weights)
    form = form_match(ask, f"{cell.header}: {cell.text}" if cell.header else cell.text)
    return (
        _HEADER * header + _NAMED * named + _READ * _read_share(cell, unit, shown)
        + _FORM * (form or 0.0)
    )  # fmt: skip


def _weight_of(text: str, weights: Rarity) -> float:
    """Share of the question's weight that the text names."""
    total = sum(weights.values()) or 1.0
    parts = re.sub(r"[_/]|(?<=[a-z])(?=[A-Z])", " ", text)
    return sum(weights.get(stem, 0.0) for stem in set(content_stems(parts))) / total


def _read_share(cell: Cell, unit: Unit, shown: Evidence) -> float:
    if shown.reading is None:
        return 0.0
    place = cell.value.shifted(unit.span.start - shown.span.start)
    return min(1.0, sum(s.p for s in shown.reading.spans if s.span.overlaps(place)))
