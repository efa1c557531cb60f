"""The one form that all figures take: sections of rows, a cell for each column."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final

PUBLISHED: Final = "published"
"""The column of other people's figures; all others are parts of judges (eval/verify/scorers.py)."""


class Unit(StrEnum):
    """How a value is shown: shares as per cent, areas and probabilities as they are."""

    SHARE = "%"
    PLAIN = ""
    MILLISECONDS = "ms"
    MEBIBYTES = "MiB"


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """A value with its 95 % interval, where it has one; `value` None: there is none to give."""

    value: float | None
    interval: tuple[float, float] | None = None
    unit: Unit = Unit.SHARE

    def __str__(self) -> str:
        if self.value is None:
            return "none"
        shown = self._shown(self.value)
        if self.interval is None:
            return shown
        return f"{shown} [{self._shown(self.interval[0])}, {self._shown(self.interval[1])}]"

    def _shown(self, value: float) -> str:
        if self.unit is Unit.SHARE:
            return f"{value * 100:.1f}"
        return f"{value:.3f}" if self.unit is Unit.PLAIN else f"{value:.1f} {self.unit.value}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A figure of some columns; `n` is of what, None where that says nothing."""

    name: str
    cells: Mapping[str, Figure]
    n: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """Rows under a title; `key` names it in JSON."""

    key: str
    title: str
    rows: tuple[Row, ...]
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """Everything that a run found. `head` says what was measured, line by line, for reading.

    `facts` says the same for programs; `curves` hold what is drawn of each set.
    """

    head: tuple[str, ...]
    columns: tuple[str, ...]
    sections: tuple[Section, ...]
    foot: tuple[str, ...] = ()
    facts: Mapping[str, Any] = field(default_factory=dict)
    curves: Mapping[str, Any] = field(default_factory=dict)

    def shown_columns(self) -> tuple[str, ...]:
        """The columns in order, those left out in which no row has anything."""
        used = {column for s in self.sections for row in s.rows for column in row.cells}
        return tuple(c for c in (*self.columns, PUBLISHED) if c in used)


def merged(parts: Mapping[str, Mapping[str, Figure]], n: int | None) -> tuple[Row, ...]:
    """Rows from the figures of each column, in the order in which they first appear."""
    names = list(dict.fromkeys(name for figures in parts.values() for name in figures))
    return tuple(
        Row(name=name, n=n, cells={c: f[name] for c, f in parts.items() if name in f})
        for name in names
    )


def rows_json(sections: Sequence[Section]) -> dict[str, Any]:
    """Every figure, unrounded, by section, row and column."""
    return {
        s.key: {
            "title": s.title,
            "note": s.note,
            "figures": {
                row.name: {
                    "n": row.n,
                    **{
                        column: {"value": f.value, "interval_95": f.interval, "unit": f.unit.value}
                        for column, f in row.cells.items()
                    },
                }
                for row in s.rows
            },
        }
        for s in sections
    }
