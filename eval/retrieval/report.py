"""What a run found: a table for each set, a row for each way of searching."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from statistics import fmean
from typing import Any, Final

from eval.retrieval.measures import Estimate, Passage, difference, estimate, measure
from eval.retrieval.published import Anchor
from eval.retrieval.searching import Way
from eval.retrieval.sets import Asked, RetrievalSet

_PARTS: Final = "default, by part"

Found = Sequence[Sequence[Passage]]
"""For each question its passages, best first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """A mean, and how far it is from the default's, question by question; None for the default."""

    mean: Estimate
    change: Estimate | None = None

    @property
    def is_certain(self) -> bool:
        """Whether the 95 % interval of the change leaves out zero."""
        if self.change is None or self.change.interval is None:
            return False
        low, high = self.change.interval
        return low > 0 or high < 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One way of searching, or one part of the set; a cell for each measure."""

    group: str
    name: str
    n: int
    cells: Mapping[str, Cell]


@dataclass(frozen=True, slots=True, kw_only=True)
class SetReport:
    """`lines` begin with the default, its parts follow, then the alternatives."""

    key: str
    title: str
    measures: tuple[str, ...] = ()
    lines: tuple[Line, ...] = ()
    anchors: tuple[Anchor, ...] = ()
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """`head` says what was measured, line by line; `facts` the same for programs."""

    head: tuple[str, ...]
    sets: tuple[SetReport, ...]
    facts: Mapping[str, Any]

    def json(self) -> dict[str, Any]:
        """Every figure, unrounded."""
        return {**self.facts, "sets": [asdict(s) for s in self.sets]}


def lines(measured: RetrievalSet, found: Mapping[Way, Found]) -> tuple[Line, ...]:
    """A line for each way; the first of them is the default, whose parts stand after it."""
    asked = measured.asked
    scores = {way: _scores(measured, passages) for way, passages in found.items()}
    default, *others = scores
    base = scores[default]
    made = [_line(default, base, asked), *_parts(base, asked)]
    made += [_line(way, scores[way], asked, base) for way in others]
    return tuple(made)


def _scores(measured: RetrievalSet, found: Found) -> dict[str, list[float]]:
    return {
        name: [measure(name)(p, a) for p, a in zip(found, measured.asked, strict=True)]
        for name in measured.measures
    }


def _line(
    way: Way,
    scores: Mapping[str, list[float]],
    asked: Sequence[Asked],
    base: Mapping[str, list[float]] | None = None,
) -> Line:
    sources = [a.source for a in asked]
    cells = {
        name: Cell(
            # Beside a change nobody reads the interval of the mean, and it takes as long.
            mean=Estimate(value=fmean(values), interval=None)
            if base
            else estimate(values, sources),
            change=difference(values, base[name], sources) if base else None,
        )
        for name, values in scores.items()
    }
    return Line(group=way.group, name=way.name, n=len(asked), cells=cells)


def _parts(scores: Mapping[str, list[float]], asked: Sequence[Asked]) -> list[Line]:
    """The default on each part of the set alone, and the mean in which each part counts the same."""
    made: list[Line] = []
    for part in sorted({a.part for a in asked} - {""}):
        kept = [n for n, a in enumerate(asked) if a.part == part]
        sources = [asked[n].source for n in kept]
        cells = {
            name: Cell(mean=estimate([values[n] for n in kept], sources))
            for name, values in scores.items()
        }
        made.append(Line(group=_PARTS, name=part, n=len(kept), cells=cells))
    if made:
        means = {
            name: Cell(
                mean=Estimate(value=fmean(p.cells[name].mean.value for p in made), interval=None)
            )
            for name in scores
        }
        made.append(Line(group=_PARTS, name="mean of the parts", n=len(asked), cells=means))
    return made
