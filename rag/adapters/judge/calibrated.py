"""A judge with the threshold in force: shipped with it, or made from the installation's answers."""

import json
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Protocol

from rag.domain.calibration import Calibration, Point
from rag.domain.claim import Judgement, JudgePair, Unchecked
from rag.domain.errors import ConfigError
from rag.domain.ids import Digest

_LOG: Final = logging.getLogger(__name__)
_REMEDY: Final = "make one with `sworn calibrate`, or choose another judge.model"


class Scorer(Protocol):
    """A judge before a threshold is chosen; `shipped` is the calibration it came with, if any."""

    @property
    def name(self) -> str: ...

    @property
    def digest(self) -> Digest: ...

    @property
    def shipped(self) -> Calibration | None: ...

    async def judge(self, pairs: Sequence[JudgePair]) -> Sequence[Judgement | Unchecked]: ...

    async def ping(self) -> None: ...

    async def aclose(self) -> None: ...


@dataclass(frozen=True, slots=True)
class CalibratedJudge:
    """The port `Judge`: a scorer, and the threshold in force with where it comes from."""

    scorer: Scorer
    threshold: float
    calibration: Mapping[str, str | float]

    @property
    def name(self) -> str:
        return self.scorer.name

    @property
    def digest(self) -> Digest:
        return self.scorer.digest

    async def judge(self, pairs: Sequence[JudgePair]) -> Sequence[Judgement | Unchecked]:
        return await self.scorer.judge(pairs)

    async def ping(self) -> None:
        await self.scorer.ping()

    async def aclose(self) -> None:
        await self.scorer.aclose()


def calibrate(scorer: Scorer, point: Point, own: Path | None) -> CalibratedJudge:
    """The judge at an operating point; the installation's own calibration goes before the shipped.

    One that was made for another judge does not count: its scores mean something else.

    Raises:
        ConfigError: there is no calibration for this judge, or it lacks that point.
    """
    found = read_calibration(own, scorer.digest) if own is not None else None
    chosen = found or scorer.shipped
    if chosen is None:
        raise ConfigError(f"the judge {scorer.name} has no calibration", remedy=_REMEDY)
    if point not in chosen.points:
        raise ConfigError(
            f"the calibration on {chosen.set} has no threshold for `{point.value}`",
            remedy="label more claims, or set judge.operating_point to another",
        )
    return CalibratedJudge(scorer, chosen.points[point], chosen.named(point))


def read_calibration(path: Path, judge: Digest) -> Calibration | None:
    """The calibration in a file that `write_calibration` wrote; None when there is none for `judge`.

    Raises:
        ConfigError: the file is no calibration.
    """
    try:
        row = json.loads(path.read_text("utf-8"))
        calibration, made_for = calibration_from(row), row["judge"]
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError) as exc:
        raise ConfigError(
            f"{path} is no calibration: {exc}", remedy="make it again with `sworn calibrate`"
        ) from exc
    if made_for != judge:
        _LOG.warning("the calibration in %s was made for another judge and is not used", path)
        return None
    return calibration


def write_calibration(path: Path, judge: Digest, calibration: Calibration) -> None:
    """Replace the file in one rename."""
    part = path.with_suffix(".part")
    part.write_text(json.dumps({"judge": judge} | calibration_row(calibration), indent=1), "utf-8")
    part.replace(path)


def calibration_row(calibration: Calibration) -> dict[str, Any]:
    """As JSON holds it."""
    return {
        "method": calibration.method, "set": calibration.set, "risk": calibration.risk,
        "n_sources": calibration.n_sources, "n_claims": calibration.n_claims,
        "points": {point.value: value for point, value in calibration.points.items()},
    }  # fmt: skip


def calibration_from(row: Mapping[str, Any]) -> Calibration:
    """What `calibration_row` gave.

    Raises:
        ValueError: a threshold is no probability above 0.
    """
    if bad := [v for v in row["points"].values() if not 0 < float(v) <= 1]:
        raise ValueError(f"thresholds out of (0, 1]: {bad}")
    return Calibration(
        method=row["method"], set=row["set"], risk=float(row["risk"]),
        n_sources=int(row["n_sources"]), n_claims=int(row["n_claims"]),
        points={Point(name): float(value) for name, value in row["points"].items()},
    )  # fmt: skip
