"""Plots of a judge's scores, by matplotlib, which only evaluations need."""

import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from typing import TYPE_CHECKING, Final

from eval.metrics import Bin, calibration_error
from rag.domain.errors import ConfigError

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_DPI: Final = 130
_ACROSS: Final = 3
# Okabe & Ito's colours, which colour-blind readers tell apart.
_COLOURS: Final = (
    "#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#8c6bb1", "#7f7f7f",
    "#b8a800",
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """Colours of a plot; the same figures are drawn for light and for dark pages."""

    paper: str
    ink: str
    faint: str


LIGHT: Final = Look(paper="#ffffff", ink="#1b1f24", faint="#d5d9de")
DARK: Final = Look(paper="#15191e", ink="#dde3ea", faint="#39414b")


@dataclass(frozen=True, slots=True, kw_only=True)
class Curve:
    """What is drawn of one set; `points` are (coverage, risk), highest threshold first.

    `at` is the point of the default threshold, None where nothing is returned at it.
    """

    title: str
    bins: Sequence[Bin]
    points: Sequence[tuple[float, float]]
    at: tuple[float, float] | None


def require() -> None:
    """Say now, and not after an hour of scoring, that plots cannot be drawn.

    Raises:
        ConfigError: matplotlib is not installed.
    """
    if find_spec("matplotlib") is None:
        raise ConfigError(
            "plots need matplotlib, which is not installed",
            remedy='`pip install -c constraints.txt -e ".[dev]"`, or leave --out out',
        )


def calibration_png(curves: Sequence[Curve], look: Look) -> bytes:
    """Reliability diagrams with their ECE: a panel for each set, dots as large as their bins."""

    def draw(figure: "Figure") -> None:
        n_down = -(-len(curves) // _ACROSS)
        panels = figure.subplots(n_down, min(_ACROSS, len(curves)), squeeze=False)
        for axes in panels.flat[len(curves) :]:
            axes.set_axis_off()
        for axes, curve in zip(panels.flat, curves, strict=False):
            _reliability(axes, curve, look)
        # Under the last panel of each column, which may stand in the row above the last.
        for axes in panels.flat[max(0, len(curves) - panels.shape[1]) : len(curves)]:
            axes.set_xlabel("probability of support")
        for axes in panels[:, 0]:
            axes.set_ylabel("share supported")

    across = min(_ACROSS, len(curves))
    return _png(draw, (3.1 * across + 0.4, 2.9 * -(-len(curves) // across) + 0.3), look)


def risk_coverage_png(curves: Sequence[Curve], risk: float, look: Look) -> bytes:
    """For each set, what is unsupported of the returned against how much is returned."""

    def draw(figure: "Figure") -> None:
        axes = figure.subplots()
        for n, curve in enumerate(curves):
            colour = _COLOURS[n % len(_COLOURS)]
            coverage, risks = zip(*curve.points, strict=True)
            axes.plot(coverage, risks, color=colour, lw=1.6, label=curve.title)
            if curve.at is not None:
                axes.plot(*curve.at, "o", color=colour, ms=6, mec=look.paper, clip_on=False)
        axes.axhline(risk, color=look.ink, lw=1, ls=":")
        axes.text(1.0, risk, f" {risk:.0%}", color=look.ink, va="center", fontsize=8)
        axes.set(xlim=(0, 1), ylim=(0, None), xlabel="share of claims returned")
        axes.set_ylabel("unsupported among returned")
        # Beside the axes, where no curve runs beneath it.
        legend = axes.legend(
            frameon=False, fontsize=8, loc="upper left", bbox_to_anchor=(1.06, 1.0),
            title="dot: the default threshold", title_fontsize=8, alignment="left",
        )  # fmt: skip
        legend.get_title().set_color(look.ink)
        _plain(axes, look)
        for text in legend.get_texts():
            text.set_color(look.ink)

    return _png(draw, (9.2, 4.4), look)


def _reliability(axes: "Axes", curve: Curve, look: Look) -> None:
    total = sum(b.n for b in curve.bins) or 1
    axes.plot((0, 1), (0, 1), color=look.faint, lw=1)
    x, y = [b.score for b in curve.bins], [b.supported for b in curve.bins]
    axes.plot(x, y, color=_COLOURS[0], lw=1.2)
    axes.scatter(x, y, s=[12 + 160 * b.n / total for b in curve.bins], color=_COLOURS[0], zorder=3)
    error = calibration_error(curve.bins)
    axes.set_title(f"{curve.title}\nECE {error:.3f}", fontsize=8, color=look.ink)
    axes.set(xlim=(-0.02, 1.02), ylim=(-0.02, 1.02))
    _plain(axes, look)


def _plain(axes: "Axes", look: Look) -> None:
    axes.set_facecolor(look.paper)
    axes.grid(color=look.faint, lw=0.5)
    axes.set_axisbelow(True)
    axes.tick_params(colors=look.ink, labelsize=8)
    for text in (axes.xaxis.label, axes.yaxis.label):
        text.set_color(look.ink)
        text.set_fontsize(8)
    for side, line in axes.spines.items():
        line.set_visible(side in ("left", "bottom"))
        line.set_color(look.faint)


def _png(draw: Callable[["Figure"], None], size: tuple[float, float], look: Look) -> bytes:
    require()
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=size, dpi=_DPI, facecolor=look.paper, layout="constrained")
    FigureCanvasAgg(figure)
    draw(figure)
    held = io.BytesIO()
    # No date and no version inside: the same figures give the same bytes.
    figure.savefig(held, format="png", metadata={"Software": None})
    return held.getvalue()
