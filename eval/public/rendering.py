"""A report as plain text: pure functions."""

from collections.abc import Iterator, Sequence

from eval.public.report import COVERAGES, Figure, Miss, Report, SetReport

_HEAD = ("figure", "value", "95 % interval", "n", "aim")


def text(report: Report, *, verbose: bool = False) -> str:
    """A table with aligned columns for each set; `verbose` shows what went wrong."""
    parts = [*report.head]
    for found in report.sets:
        parts += ["", found.title, *([f"({found.note})"] if found.note else [])]
        parts += _aligned([_HEAD, *map(_row, found.figures)]) if found.figures else []
        parts += [f"  elsewhere: {a.figure} {a.value}, {a.system} [{a.source}]"
                  for a in found.anchors]  # fmt: skip
        parts += _outcomes(found)
        parts += _risk(found)
        parts += [line for miss in found.misses for line in _miss(miss)] if verbose else []
    return "\n".join(parts)


def _row(figure: Figure) -> tuple[str, ...]:
    value, interval = figure.estimate.value, figure.estimate.interval
    shown = "" if interval is None else f"[{100 * interval[0]:.1f}, {100 * interval[1]:.1f}]"
    return (figure.name, f"{100 * value:.1f}", shown, str(figure.n), figure.aim)


def _outcomes(found: SetReport) -> Iterator[str]:
    if not found.outcomes:
        return
    total = sum(found.outcomes.values())
    yield f"  what became of {total} questions"
    for name, n in found.outcomes.items():
        yield f"    {n:5}  {100 * n / total:5.1f} %  {name}"


def _risk(found: SetReport) -> Iterator[str]:
    if not any(value is not None for value in found.risk):
        return
    yield "  wrong, in per cent of all asked, when so many are answered, surest first"
    yield "    answered " + " ".join(f"{100 * c:4.0f}%" for c in COVERAGES)
    cells = ("    -" if value is None else f"{100 * value:5.1f}" for value in found.risk)
    yield "    wrong    " + " ".join(cells)


def _miss(miss: Miss) -> Iterator[str]:
    yield ""
    yield f"{miss.id}: {miss.question}"
    yield f"    {miss.outcome}; confidence {miss.confidence:.2f}"
    yield f"    wanted: {' | '.join(miss.gold) or 'abstention'}"
    if miss.claims:
        yield f"    short:  {_line(miss.short)}"
        yield f"    given:  {_line(' / '.join(miss.claims))}"


def _line(text_: str) -> str:
    return " ".join(text_.split())[:300]


def _aligned(rows: Sequence[tuple[str, ...]]) -> Iterator[str]:
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    for row in rows:
        first, *rest = row
        cells = [first.ljust(widths[0])]
        cells += [cell.rjust(width) for cell, width in zip(rest, widths[1:], strict=True)]
        yield "  ".join(cells).rstrip()
