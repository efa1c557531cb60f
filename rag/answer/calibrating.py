"""From labelled claims to thresholds: pure functions."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from rag.domain.calibration import Calibration, Point

RISK: Final = 0.05
METHOD: Final = "conformal risk control, monotone envelope, by source"
# What the points `warn` and `block` are named by.
SHARE: Final = 0.85


@dataclass(frozen=True, slots=True, kw_only=True)
class Scored:
    """A claim's probability of support, with its label and the source and answer it is of."""

    score: float
    supported: bool
    group: str
    answer: str


def calibrated(claims: Sequence[Scored], name: str, risk: float = RISK) -> Calibration:
    """All operating points that `claims` give; `name` is what receipts call the set."""
    found = {
        Point.RISK: controlled_threshold(claims, risk),
        Point.WARN: recall_threshold(claims, SHARE),
        Point.BLOCK: precision_threshold(claims, SHARE),
    }
    return Calibration(
        method=METHOD, set=name, risk=risk, n_sources=len({c.group for c in claims}),
        n_claims=len(claims), points={p: t for p, t in found.items() if t is not None},
    )  # fmt: skip


def controlled_threshold(claims: Sequence[Scored], risk: float = RISK) -> float | None:
    """The lowest threshold at which the expected share of unsupported claims returned is low.

    The unit of exchangeability is the source. For source i and threshold t,
    `L_i(t) = unsupported claims with score >= t / claims with score >= t`, 0 if none is returned;
    `R(t)` is its mean over n sources. As a share is not monotone in t, the envelope
    `R+(t) = max over u >= t of R(u)` takes its place, and the threshold is
    `min { t : n/(n+1) * R+(t) + 1/(n+1) <= risk }`. None when no threshold reaches that.

    Source: conformal risk control, Angelopoulos et al. 2022 (arXiv 2208.02814), whose section on
    non-monotone losses makes the guarantee asymptotic; claims filtered by a calibrated score as
    in Mohri & Hashimoto 2024 (arXiv 2402.10978). It holds for claims drawn like these only.
    """
    sources = {c.group for c in claims}
    n = len(sources)
    chosen: float | None = None
    returned: dict[str, int] = dict.fromkeys(sources, 0)
    wrong: dict[str, int] = dict.fromkeys(sources, 0)
    total = 0.0
    ranked = sorted(claims, key=lambda c: -c.score)
    for i, claim in enumerate(ranked):
        key = claim.group
        total -= wrong[key] / returned[key] if returned[key] else 0.0
        returned[key] += 1
        wrong[key] += not claim.supported
        total += wrong[key] / returned[key]
        # Claims of equal score are returned together.
        if i + 1 < len(ranked) and ranked[i + 1].score == claim.score:
            continue
        if (total + 1.0) / (n + 1) > risk:
            break
        chosen = claim.score
    return chosen


def recall_threshold(claims: Sequence[Scored], recall: float) -> float | None:
    """The lowest threshold that withholds at least `recall` of the unsupported claims."""
    scores = sorted(c.score for c in claims if not c.supported)
    if not scores:
        return None
    last = scores[min(len(scores) - 1, max(0, -int(-recall * len(scores) // 1) - 1))]
    # None where nothing lies above: a threshold of 1 would withhold nothing that scores 1.
    return min((c.score for c in claims if c.score > last), default=None)


def precision_threshold(claims: Sequence[Scored], precision: float) -> float | None:
    """The highest threshold such that at least `precision` of the withheld are unsupported."""
    chosen: float | None = None
    ranked = sorted(claims, key=lambda c: c.score)
    wrong = 0
    for i, claim in enumerate(ranked):
        wrong += not claim.supported
        following = ranked[i + 1].score if i + 1 < len(ranked) else 1.0
        if following > claim.score and wrong / (i + 1) >= precision:
            chosen = following
    return chosen


def share_unsupported(claims: Sequence[Scored], threshold: float) -> tuple[float, float]:
    """Of the claims at or above the threshold, the share unsupported; and the share returned."""
    kept = [c for c in claims if c.score >= threshold]
    return (
        sum(not c.supported for c in kept) / max(1, len(kept)),
        len(kept) / max(1, len(claims)),
    )


def by_group(claims: Sequence[Scored]) -> dict[str, list[Scored]]:
    """The claims of each source."""
    found: dict[str, list[Scored]] = defaultdict(list)
    for claim in claims:
        found[claim.group].append(claim)
    return found
