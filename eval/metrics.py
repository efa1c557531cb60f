"""How one answer compares with the gold, what many come to, and how good a judge's scores are.

The second half, from `auroc` on, takes one score in [0, 1] for each claim or answer, and weights
where something is drawn again: the bootstrap gives each item the times that its source was drawn.
"""

import math
import random
import re
import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from eval.gold import GoldQuestion
from rag.domain.words import Span

Weights = NDArray[np.float64]

_RESAMPLES: Final = 1_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Given:
    """What a system answered: its text, and each citation as (`silo/key`, quoted text)."""

    abstained: bool
    text: str
    cited: tuple[tuple[str, str], ...]
    raw: str
    elapsed_ms: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """One question marked. `right` is None where an abstention was expected, and so on."""

    question: GoldQuestion
    given: Given
    right: bool | None
    n_citations: int
    n_citations_right: int
    abstained_rightly: bool | None
    leaked: bool


def mark(question: GoldQuestion, given: Given) -> Mark:
    """Compare one answer with the gold.

    Right: the text contains one of the accepted strings. A citation is right when it lies in a
    document that the gold names as evidence. Leaked: the hidden string is anywhere in the body.
    """
    expects_answer = question.abstain is None
    documents = {e.document for e in question.evidence}
    text = normal(given.text)
    right = not given.abstained and any(normal(a) in text for a in question.accept)
    n_right = sum(document in documents for document, _ in given.cited)
    return Mark(
        question=question,
        given=given,
        right=right if expects_answer else None,
        n_citations=len(given.cited) if expects_answer else 0,
        n_citations_right=n_right if expects_answer else 0,
        abstained_rightly=None if expects_answer else given.abstained,
        leaked=bool(question.hidden) and normal(question.hidden) in normal(given.raw),
    )


def normal(text: str) -> str:
    """Text as it is compared: compatibility form, case-folded, white space as one blank."""
    folded = unicodedata.normalize("NFKC", text).casefold()
    return re.sub(r"\s+", " ", folded.replace("\\n", " ")).strip()


@dataclass(frozen=True, slots=True, kw_only=True)
class Share:
    """`n_right` of `n`, with a 95 % bootstrap interval over the questions."""

    n_right: int
    n: int
    low: float
    high: float

    @property
    def value(self) -> float:
        """The share; 0 of 0 is 0."""
        return self.n_right / self.n if self.n else 0.0


def share(outcomes: Sequence[bool], seed: int = 1) -> Share:
    """The share of true outcomes. Percentile bootstrap, 1,000 resamples (Efron, 1979)."""
    if not outcomes:
        return Share(n_right=0, n=0, low=0.0, high=0.0)
    rng = random.Random(seed)  # noqa: S311 - statistics, not secrets
    n = len(outcomes)
    means = sorted(sum(rng.choices(outcomes, k=n)) / n for _ in range(1000))
    return Share(n_right=sum(outcomes), n=n, low=means[25], high=means[974])


def summary(marks: Sequence[Mark]) -> dict[str, Share]:
    """The figures of a run."""
    asked = [m for m in marks if m.right is not None]
    silent = [m for m in marks if m.abstained_rightly is not None]
    citations = [n < m.n_citations_right for m in asked for n in range(m.n_citations)]
    given = [m for m in marks if not m.given.abstained]
    return {
        "answered right": share([bool(m.right) for m in asked]),
        "right when answered": share([bool(m.right) for m in given]),
        "citations right": share(citations),
        "abstained when due": share([bool(m.abstained_rightly) for m in silent]),
        "abstained needlessly": share([m.given.abstained for m in asked]),
        "leaked": share([m.leaked for m in marks]),
    }


def auroc(scores: ArrayLike, positives: ArrayLike, weights: Weights | None = None) -> float:
    """The chance that a positive scores above a negative, ties counting half; nan without both.

    Source: the Mann-Whitney U statistic as the area under the ROC curve (Hanley & McNeil, 1982).
    """
    wanted, each = _weighted(positives, weights)
    _, at = np.unique(np.asarray(scores, np.float64), return_inverse=True)
    good, bad = np.bincount(at, each * wanted), np.bincount(at, each * (1.0 - wanted))
    pairs = good.sum() * bad.sum()
    below = np.cumsum(bad) - bad
    return float((good * (below + bad / 2)).sum() / pairs) if pairs else math.nan


def balanced_accuracy(
    predicted: ArrayLike, actual: ArrayLike, weights: Weights | None = None
) -> float:
    """The mean of the recalls of both classes; nan when a class is missing.

    Source: Brodersen et al., "The balanced accuracy and its posterior distribution" (2010).
    """
    said, _ = _weighted(predicted, None)
    wanted, each = _weighted(actual, weights)
    yes, no = each @ wanted, each @ (1.0 - wanted)
    if not yes or not no:
        return math.nan
    return float((each @ (said * wanted) / yes + each @ ((1 - said) * (1 - wanted)) / no) / 2)


def precision_recall_f1(
    predicted: ArrayLike, actual: ArrayLike, weights: Weights | None = None
) -> tuple[float, float, float]:
    """Precision, recall and their harmonic mean; 0 where nothing is predicted or to be found.

    Source: van Rijsbergen, "Information Retrieval" (1979).
    """
    said, _ = _weighted(predicted, None)
    wanted, each = _weighted(actual, weights)
    hits, n_said, n_wanted = each @ (said * wanted), each @ said, each @ wanted
    return (
        float(hits / n_said) if n_said else 0.0,
        float(hits / n_wanted) if n_wanted else 0.0,
        float(2 * hits / (n_said + n_wanted)) if n_said + n_wanted else 0.0,
    )


def overlap(predicted: Sequence[Span], gold: Sequence[Span]) -> tuple[int, int, int]:
    """Characters in both, in `predicted` and in `gold`; what spans share counts once.

    Their sums over all texts give the span-level F1 that RAGTruth's authors report: micro, by
    characters (Niu et al., 2024).
    """
    said, wanted = ({i for s in some for i in range(s.start, s.end)} for some in (predicted, gold))
    return len(said & wanted), len(said), len(wanted)


def ratio(parts: ArrayLike, wholes: ArrayLike, weights: Weights | None = None) -> float:
    """The sum of `parts` over the sum of `wholes`; nan of nothing."""
    part, each = _weighted(parts, weights)
    whole = each @ np.asarray(wholes, np.float64)
    return float(each @ part / whole) if whole else math.nan


def interval(
    groups: Sequence[str], statistic: Callable[[Weights], float]
) -> tuple[float, float] | None:
    """The 95 % interval of `statistic`, whole groups being drawn; None of fewer than two groups.

    `statistic` takes how often each item was drawn. Resamples where it is nan are left out.

    Source: percentile bootstrap (Efron, 1979), clusters as its unit (Davison & Hinkley, 1997, 3.8).
    """
    places = {group: i for i, group in enumerate(dict.fromkeys(groups))}
    n = len(places)
    if n < 2:
        return None
    at = np.array([places[group] for group in groups])
    rng = np.random.default_rng(1)
    found = [
        statistic(np.bincount(rng.integers(0, n, n), minlength=n)[at].astype(np.float64))
        for _ in range(_RESAMPLES)
    ]
    defined = [value for value in found if not math.isnan(value)]
    if not defined:
        return None
    low, high = np.quantile(defined, (0.025, 0.975))
    return float(low), float(high)


@dataclass(frozen=True, slots=True, kw_only=True)
class Bin:
    """Claims of like score: their mean score, the share of them that is supported, their number."""

    score: float
    supported: float
    n: int


def bins(scores: Sequence[float], supported: Sequence[bool], n_bins: int = 10) -> tuple[Bin, ...]:
    """The claims in bins of equal width; empty ones left out.

    Source: the reliability diagram, as in Guo et al., "On Calibration of Modern Neural
    Networks" (2017), of the probability of support rather than of the likelier class.
    """
    held: list[list[int]] = [[] for _ in range(n_bins)]
    for i, score in enumerate(scores):
        held[min(n_bins - 1, int(score * n_bins))].append(i)
    return tuple(
        Bin(
            score=sum(scores[i] for i in some) / len(some),
            supported=sum(supported[i] for i in some) / len(some),
            n=len(some),
        )
        for some in held
        if some
    )


def calibration_error(found: Sequence[Bin]) -> float:
    """ECE: the mean distance of score and share in the bins, weighted by their numbers.

    Source: expected calibration error (Naeini et al., 2015).
    """
    total = sum(b.n for b in found)
    return sum(b.n * abs(b.score - b.supported) for b in found) / total if total else math.nan


def risk_coverage(
    scores: Sequence[float], supported: Sequence[bool]
) -> tuple[tuple[float, float], ...]:
    """For each threshold, highest first, the share of claims returned and of these unsupported.

    Source: the risk-coverage curve (El-Yaniv & Wiener, 2010).
    """
    ranked = sorted(zip(scores, supported, strict=True), key=lambda pair: -pair[0])
    points: list[tuple[float, float]] = []
    n_wrong = 0
    for i, (score, fine) in enumerate(ranked, 1):
        n_wrong += not fine
        # Claims of equal score are returned together.
        if i == len(ranked) or ranked[i][0] < score:
            points.append((i / len(ranked), n_wrong / i))
    return tuple(points)


def _weighted(values: ArrayLike, weights: Weights | None) -> tuple[Weights, Weights]:
    found = np.asarray(values, np.float64)
    return found, np.ones(len(found)) if weights is None else weights
