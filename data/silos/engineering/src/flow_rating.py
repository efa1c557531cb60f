"""Discharge from water level by a rating curve.

A rating curve is Q = a * (h - h0) ** b, where h is the level in metres and Q the
discharge in cubic metres per second.
"""

from dataclasses import dataclass

#: Levels above this factor times the highest measured level are not extrapolated.
EXTRAPOLATION_LIMIT = 1.15

#: Smallest discharge that is reported, in cubic metres per second.
MIN_DISCHARGE = 0.002


@dataclass(frozen=True)
class RatingCurve:
    """A rating curve of one site with the range in which it was measured."""

    a: float
    b: float
    h0: float
    highest_measured: float

    def discharge(self, level: float) -> float | None:
        """Return the discharge, or None if the level is too far outside the range."""
        if level > self.highest_measured * EXTRAPOLATION_LIMIT:
            return None
        if level <= self.h0:
            return 0.0
        value = self.a * (level - self.h0) ** self.b
        return value if value >= MIN_DISCHARGE else 0.0
