"""Where a judge's threshold comes from, as receipts name it."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum


class Point(StrEnum):
    """Which threshold is in force.

    `risk`: of the claims that are returned for one source (a question, a text), at most
    `Calibration.risk` are unsupported in expectation; a source without any counts as none.
    `warn`: withholds 85 % of the unsupported claims. `block`: of the claims it withholds, 85 %
    are unsupported.
    """

    RISK = "risk"
    WARN = "warn"
    BLOCK = "block"


@dataclass(frozen=True, slots=True, kw_only=True)
class Calibration:
    """The thresholds that a labelled set gave; they hold for claims drawn like these only.

    A point that the set cannot give (no threshold reaches the risk, say) is missing from `points`.
    """

    method: str
    set: str
    risk: float
    n_sources: int
    n_claims: int
    points: Mapping[Point, float]

    def named(self, point: Point) -> Mapping[str, str | float]:
        """What a receipt says of the threshold at `point`."""
        return {
            "method": self.method, "set": self.set, "risk": self.risk, "point": point.value,
            "n_sources": self.n_sources, "n_claims": self.n_claims,
        }  # fmt: skip
