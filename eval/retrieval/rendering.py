"""A report as plain text and as Markdown: pure functions."""

from collections.abc import Iterator
from itertools import groupby

from eval.retrieval.report import Cell, Line, Report, SetReport

_TITLE = "How well Sworn finds"
_FIRST = "way"


def text(report: Report) -> str:
    """A table with aligned columns for each set."""
    parts = [*report.head]
    for found in report.sets:
        parts += ["", found.title, *([f"({found.note})"] if found.note else [])]
        rows = [(_FIRST, *found.measures), *_rows(found, indent="  ")] if found.lines else []
        widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))] if rows else []
        parts += [_aligned(row, widths) for row in rows]
        parts += [f"  {line}" for line in _sources(found)]
    return "\n".join(parts)


def markdown(report: Report) -> str:
    """The same with intervals, as a document."""
    parts = [f"# {_TITLE}", "", *(f"- {line}" for line in report.head)]
    for found in report.sets:
        parts += ["", f"## {found.title}", "", *([found.note, ""] if found.note else [])]
        if found.lines:
            parts += [_piped((_FIRST, *found.measures))]
            parts += [_piped(("---", *["---:"] * len(found.measures)))]
            parts += [_piped(row) for row in _rows(found, full=True)]
        parts += ["", *(f"- {line}" for line in _sources(found))] if found.anchors else []
    return "\n".join(parts) + "\n"


def shown(cell: Cell, *, full: bool = False) -> str:
    """The mean, then its change from the default, with a star when that is certain."""
    mean = f"{cell.mean.value:.3f}"
    if cell.change is not None:
        star = "*" if cell.is_certain else " " * (not full)
        change = f" {cell.change.value:+.3f}{star}"
        if full and cell.change.interval is not None:
            change += f" [{cell.change.interval[0]:+.3f}, {cell.change.interval[1]:+.3f}]"
        return mean + change
    if cell.mean.interval is None:
        return mean
    return f"{mean} [{cell.mean.interval[0]:.3f}, {cell.mean.interval[1]:.3f}]"


def _rows(found: SetReport, *, indent: str = "", full: bool = False) -> Iterator[tuple[str, ...]]:
    for group, some in groupby(found.lines, key=lambda line: line.group):
        if group and indent:
            yield (group, *[""] * len(found.measures))
        for line in some:
            name = line.name if not group else indent + line.name if indent else _long(line)
            yield (name, *(shown(line.cells[m], full=full) for m in found.measures))
    numbers = {source: n for n, source in enumerate(_named_sources(found), 1)}
    for system, source in dict.fromkeys((a.system, a.source) for a in found.anchors):
        theirs = [a for a in found.anchors if (a.system, a.source) == (system, source)]
        values = {a.measure: f"{a.value:.3f}" for a in theirs}
        cells = (values.get(m, "") for m in found.measures)
        yield (f"elsewhere: {system} [{numbers[source]}]", *cells)


def _long(line: Line) -> str:
    return f"{line.group}: {line.name}" + (f" (n {line.n})" if "part" in line.group else "")


def _named_sources(found: SetReport) -> tuple[str, ...]:
    return tuple(dict.fromkeys(a.source for a in found.anchors))


def _sources(found: SetReport) -> Iterator[str]:
    for n, source in enumerate(_named_sources(found), 1):
        yield f"[{n}] {source}"


def _aligned(cells: tuple[str, ...], widths: list[int]) -> str:
    first, *rest = (cell.ljust(width) for cell, width in zip(cells, widths, strict=True))
    return "  ".join([first, *rest]).rstrip()


def _piped(cells: tuple[str, ...]) -> str:
    return f"| {' | '.join(cell.strip().replace('|', '/') for cell in cells)} |"
