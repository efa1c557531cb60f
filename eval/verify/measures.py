"""What the scores of a labelled set come to: pure functions from claims to figures."""

import math
import random
from collections.abc import Callable, Mapping, Sequence
from typing import Final

import numpy as np

from eval.labelled_sets import LabelledSet
from eval.metrics import (
    Weights,
    auroc,
    balanced_accuracy,
    bins,
    calibration_error,
    interval,
    overlap,
    precision_recall_f1,
    ratio,
)
from eval.verify.scorers import Parts, Score
from eval.verify.sections import Figure, Row, Section, Unit, merged
from eval.verify.thresholds import Thresholds, claims_of
from rag.answer.calibrating import Scored, by_group, calibrated
from rag.domain.calibration import Point
from rag.domain.words import Span
from rag.models.judge_logistic.calibrate import by_answer

F1: Final = "answers: F1"
SPAN_F1: Final = "spans: F1, flagged words"
_SEED: Final = 1


def section(
    labelled: LabelledSet, scores: Sequence[Parts], thresholds: Mapping[str, Thresholds]
) -> Section:
    """Every figure of a set, a column for each part that `thresholds` names."""
    rows: list[Row] = []
    claims = {part: claims_of(labelled, scores, part) for part in thresholds}
    if labelled.is_answers:
        n = len({c.answer for c in next(iter(claims.values()))})
        rows += merged({p: answer_figures(c, thresholds[p].f1) for p, c in claims.items()}, n)
        spans = {
            p: span_figures(labelled, [s[p] for s in scores], t.f1) for p, t in thresholds.items()
        }
        rows += merged(spans, n)
    n_claims = len(labelled.rows)
    rows += merged(
        {p: claim_figures(c, thresholds[p].support) for p, c in claims.items()}, n_claims
    )
    first = next(iter(thresholds))
    halves = {p: held_out_figures(*in_halves(c), labelled.title) for p, c in claims.items()}
    rows += merged(halves, len(in_halves(claims[first])[1]))
    rows += merged({first: baseline_figures(labelled, [s[first] for s in scores])}, n_claims)
    n_wrong = sum(not r.supported for r in labelled.rows)
    counts = (
        f"{n_claims} claims, {n_wrong} unsupported, {len({r.group for r in labelled.rows})} sources"
    )
    note = "; ".join(filter(None, (counts, labelled.note)))
    return Section(key=labelled.name, title=labelled.title, rows=tuple(rows), note=note)


def answer_figures(claims: Sequence[Scored], threshold: float) -> dict[str, Figure]:
    """By answer: one is faulty that has any unsupported claim, and flagged by its worst claim."""
    answers = by_answer(claims)
    fault, bad = np.array([a[0] for a in answers]), np.array([a[1] for a in answers])
    flagged = fault > 1.0 - threshold
    groups = [a[2] for a in answers]

    def one(i: int) -> Callable[[Weights], float]:
        return lambda w: precision_recall_f1(flagged, bad, w)[i]

    return {
        F1: _figure(groups, one(2)),
        "answers: precision": _figure(groups, one(0)),
        "answers: recall": _figure(groups, one(1)),
        "answers: AUROC": _figure(groups, lambda w: auroc(fault, bad, w), Unit.PLAIN),
    }


def span_figures(
    labelled: LabelledSet, scores: Sequence[Score], threshold: float
) -> dict[str, Figure]:
    """By characters: the doubted words of claims under the threshold, or those claims whole."""
    groups = [r.group for r in labelled.rows]
    figures: dict[str, Figure] = {}
    for name in (SPAN_F1, "spans: F1, whole claims"):
        counts: list[tuple[int, int, int]] = []
        for row, score in zip(labelled.rows, scores, strict=True):
            said: Sequence[Span] = ()
            if score.p_supported < threshold:
                whole = (Span(0, len(row.pair.claim)),)
                said = score.flagged if name == SPAN_F1 else whole
            counts.append(overlap(said, row.flagged or ()))
        both, n_said, n_gold = np.array(counts, np.float64).T
        figures[name] = _figure(groups, _span_f1(both, n_said, n_gold))
    return figures


def claim_figures(claims: Sequence[Scored], threshold: float) -> dict[str, Figure]:
    """By claim: how well support is told apart, at the default threshold and without one."""
    scores = np.array([c.score for c in claims])
    fine = np.array([c.supported for c in claims])
    groups = [c.group for c in claims]
    passing = scores >= threshold
    return {
        "balanced accuracy, default threshold": _figure(
            groups, lambda w: balanced_accuracy(passing, fine, w)
        ),
        "balanced accuracy, 0.5": _figure(
            groups, lambda w: balanced_accuracy(scores >= 0.5, fine, w)
        ),
        "AUROC": _figure(groups, lambda w: auroc(scores, fine, w), Unit.PLAIN),
        "unsupported among returned": _figure(groups, lambda w: ratio(passing & ~fine, passing, w)),
        "returned": _figure(groups, lambda w: ratio(passing, np.ones(len(fine)), w)),
    }


def in_halves(claims: Sequence[Scored]) -> tuple[list[Scored], list[Scored]]:
    """The claims of one half of the sources, and those of the other; always the same halves."""
    groups = sorted({c.group for c in claims})
    random.Random(_SEED).shuffle(groups)  # noqa: S311 - a fixed draw, no secret
    first = frozenset(groups[: len(groups) // 2])
    return [c for c in claims if c.group in first], [c for c in claims if c.group not in first]


def held_out_figures(
    first: Sequence[Scored], held: Sequence[Scored], title: str
) -> dict[str, Figure]:
    """What is unsupported of the returned in `held`, at the threshold that `first` gives.

    By source is what conformal risk control bounds: the mean over the sources of each one's
    share, 0 where nothing of it is returned.
    """
    threshold = calibrated(first, title).points.get(Point.RISK)
    names = (
        "calibrated on half: threshold", "calibrated on half: unsupported among returned",
        "calibrated on half: the same, mean by source", "calibrated on half: returned",
    )  # fmt: skip
    if threshold is None or not held:
        return {names[0]: Figure(value=None)}
    passing = np.array([c.score >= threshold for c in held])
    wrong = passing & np.array([not c.supported for c in held])
    each = [c.group for c in held]
    shares = [
        sum(c.score >= threshold and not c.supported for c in some)
        / max(1, sum(c.score >= threshold for c in some))
        for some in by_group(held).values()
    ]
    ones = np.ones(len(shares))
    figures = (
        Figure(value=threshold, unit=Unit.PLAIN),
        _figure(each, lambda w: ratio(wrong, passing, w)),
        _figure([str(i) for i in range(len(shares))], lambda w: ratio(shares, ones, w)),
        _figure(each, lambda w: ratio(passing, np.ones(len(passing)), w)),
    )
    return dict(zip(names, figures, strict=True))


def baseline_figures(labelled: LabelledSet, scores: Sequence[Score]) -> dict[str, Figure]:
    """The judge's ECE, what it could not judge, and how far the claim's length alone leads."""
    fine = [r.supported for r in labelled.rows]
    lengths = [-float(len(r.pair.claim)) for r in labelled.rows]
    groups = [r.group for r in labelled.rows]
    error = calibration_error(bins([s.p_supported for s in scores], fine))
    unchecked = sum(s.unchecked for s in scores) / max(1, len(scores))
    return {
        "calibration error (ECE, 10 bins)": Figure(value=error, unit=Unit.PLAIN),
        "could not be judged": Figure(value=unchecked),
        "AUROC of length alone, shorter as supported": _figure(
            groups, lambda w: auroc(lengths, fine, w), Unit.PLAIN
        ),
    }


def share_figure(groups: Sequence[str], outcomes: Sequence[bool]) -> Figure:
    """The share of true outcomes."""
    return _figure(groups, lambda w: ratio(outcomes, np.ones(len(outcomes)), w))


def _figure(
    groups: Sequence[str], statistic: Callable[[Weights], float], unit: Unit = Unit.SHARE
) -> Figure:
    value = statistic(np.ones(len(groups)))
    if math.isnan(value):
        return Figure(value=None, unit=unit)
    return Figure(value=value, interval=interval(groups, statistic), unit=unit)


def _span_f1(both: Weights, n_said: Weights, n_gold: Weights) -> Callable[[Weights], float]:
    return lambda w: ratio(2 * both, n_said + n_gold, w)
