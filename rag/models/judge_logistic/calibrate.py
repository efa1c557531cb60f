"""Figures of a judge from its scores: pure functions."""

import random
from collections import defaultdict
from collections.abc import Sequence
from typing import Final

from rag.answer.calibrating import Scored

_RESAMPLES: Final = 1_000


def by_answer(claims: Sequence[Scored]) -> list[tuple[float, bool, str]]:
    """For each answer its highest probability of a fault, whether it has one, and its source."""
    faults: dict[str, tuple[float, bool, str]] = {}
    for claim in claims:
        worst, bad, _ = faults.get(claim.answer, (0.0, False, ""))
        faults[claim.answer] = (
            max(worst, 1.0 - claim.score),
            bad or not claim.supported,
            claim.group,
        )
    return [faults[key] for key in sorted(faults)]


def best_f1(claims: Sequence[Scored]) -> float:
    """The threshold of support below which flagging gives the best example-level F1."""
    answers = by_answer(claims)
    candidates = sorted({fault for fault, _, _ in answers})
    best = max(candidates, key=lambda t: precision_recall(answers, t)[2])
    # Halfway to the next fault below: no answer of the set lies on the threshold itself.
    below = max((c for c in candidates if c < best), default=best)
    return 1.0 - (best + below) / 2


def precision_recall(
    answers: Sequence[tuple[float, bool, str]], fault_min: float
) -> tuple[float, float, float]:
    """Precision, recall and F1 of flagging the answers whose fault reaches `fault_min`."""
    hits = sum(bad and fault >= fault_min for fault, bad, _ in answers)
    flagged = sum(fault >= fault_min for fault, _, _ in answers)
    positives = sum(bad for _, bad, _ in answers)
    precision, recall = hits / max(1, flagged), hits / max(1, positives)
    return precision, recall, 2 * precision * recall / max(1e-9, precision + recall)


def auroc(scores: Sequence[float], positives: Sequence[bool]) -> float:
    """The chance that a positive scores above a negative, ties counting half."""
    ranked = sorted(range(len(scores)), key=scores.__getitem__)
    rank_sum, i = 0.0, 0
    while i < len(ranked):
        j = i
        while j + 1 < len(ranked) and scores[ranked[j + 1]] == scores[ranked[i]]:
            j += 1
        rank_sum += sum(positives[k] for k in ranked[i : j + 1]) * ((i + j) / 2 + 1)
        i = j + 1
    n_pos = sum(positives)
    n_neg = len(positives) - n_pos
    return (rank_sum - n_pos * (n_pos + 1) / 2) / max(1, n_pos * n_neg)


def interval(
    answers: Sequence[tuple[float, bool, str]], fault_min: float, seed: int
) -> dict[str, tuple[float, float]]:
    """95 % bootstrap intervals of F1 and AUROC, whole sources being drawn."""
    sources: dict[str, list[tuple[float, bool, str]]] = defaultdict(list)
    for answer in answers:
        sources[answer[2]].append(answer)
    keys = sorted(sources)
    rng = random.Random(seed)  # a fixed draw, no secret
    found: dict[str, list[float]] = {"f1": [], "auroc": []}
    for _ in range(_RESAMPLES):
        drawn = [a for key in rng.choices(keys, k=len(keys)) for a in sources[key]]
        found["f1"].append(precision_recall(drawn, fault_min)[2])
        found["auroc"].append(auroc([a[0] for a in drawn], [a[1] for a in drawn]))
    low, high = int(0.025 * _RESAMPLES), int(0.975 * _RESAMPLES)
    return {k: (sorted(v)[low], sorted(v)[high]) for k, v in found.items()}
