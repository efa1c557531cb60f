"""Metrics of a judge's scores, against values computed by hand."""

import math

import numpy as np
import pytest

from eval.metrics import (
    Bin,
    auroc,
    balanced_accuracy,
    bins,
    calibration_error,
    interval,
    overlap,
    precision_recall_f1,
    ratio,
    risk_coverage,
)
from rag.domain.words import Span


def test_auroc_counts_pairs_in_order_and_ties_as_half() -> None:
    # Pairs of a positive and a negative: 0.9>0.8, 0.9>0.3, 0.3<0.8, 0.3=0.3: 2.5 of 4.
    assert auroc([0.9, 0.8, 0.3, 0.3], [True, False, True, False]) == 2.5 / 4


def test_auroc_without_both_classes_is_not_a_number() -> None:
    assert math.isnan(auroc([0.1, 0.2], [True, True]))


def test_weights_are_as_good_as_repetition() -> None:
    scores, fine, weights = [0.9, 0.4, 0.4, 0.2], [True, False, True, False], [2, 0, 1, 3]
    again = np.repeat(np.arange(4), weights)
    often = np.array(weights, np.float64)
    assert auroc(scores, fine, often) == auroc(np.array(scores)[again], np.array(fine)[again])
    said = np.array(scores) >= 0.4
    assert precision_recall_f1(said, fine, often) == precision_recall_f1(
        said[again], np.array(fine)[again]
    )
    assert balanced_accuracy(said, fine, often) == balanced_accuracy(
        said[again], np.array(fine)[again]
    )


def test_balanced_accuracy_is_the_mean_of_both_recalls() -> None:
    # Of 4 positives 3 are found, of 2 negatives 1: (3/4 + 1/2) / 2.
    said, actual = [1, 1, 1, 0, 1, 0], [1, 1, 1, 1, 0, 0]
    assert balanced_accuracy(said, actual) == pytest.approx(0.625)
    assert math.isnan(balanced_accuracy([1, 0], [1, 1]))


def test_precision_recall_and_f1() -> None:
    # 2 of 3 flagged are right, 2 of 4 are found: F1 = 2 * 2 / (3 + 4).
    found = precision_recall_f1([1, 1, 1, 0, 0], [1, 1, 0, 1, 1])
    assert found == pytest.approx((2 / 3, 1 / 2, 4 / 7))
    assert precision_recall_f1([0, 0], [0, 0]) == (0.0, 0.0, 0.0)


def test_overlap_counts_characters_once() -> None:
    assert overlap([Span(0, 4), Span(2, 6)], [Span(5, 10)]) == (1, 6, 5)
    assert overlap([], [Span(0, 3)]) == (0, 0, 3)


def test_ratio_of_sums_and_of_nothing() -> None:
    assert ratio([1, 0, 2], [2, 1, 3]) == 0.5
    assert ratio([1, 0, 2], [2, 1, 3], np.array([1.0, 0.0, 0.0])) == 0.5
    assert math.isnan(ratio([0], [0]))


def test_interval_draws_whole_groups() -> None:
    values = np.array([1.0, 0.0, 1.0, 0.0])
    # Each group has one of each, so whatever is drawn, the mean is a half.
    assert interval(["a", "a", "b", "b"], lambda w: ratio(values, np.ones(4), w)) == (0.5, 0.5)
    found = interval(["a", "b", "a", "b"], lambda w: ratio(values, np.ones(4), w))
    assert found == (0.0, 1.0)


def test_interval_of_one_group_or_of_nothing_defined_is_none() -> None:
    assert interval(["a", "a"], lambda w: 1.0) is None
    assert interval(["a", "b"], lambda w: math.nan) is None


def test_interval_leaves_out_what_is_not_defined() -> None:
    values = np.array([1.0, 1.0])
    # Where only b is drawn there is nothing to divide by.
    wholes = np.array([1.0, 0.0])
    assert interval(["a", "b"], lambda w: ratio(values * wholes, wholes, w)) == (1.0, 1.0)


def test_bins_and_the_calibration_error() -> None:
    found = bins([0.12, 0.18, 0.95, 1.0], [False, True, True, True])
    assert found == (
        Bin(score=pytest.approx(0.15), supported=0.5, n=2),
        Bin(score=pytest.approx(0.975), supported=1.0, n=2),
    )
    # (2 * |0.15 - 0.5| + 2 * |0.975 - 1|) / 4
    assert calibration_error(found) == pytest.approx(0.1875)
    assert math.isnan(calibration_error(()))


def test_risk_coverage_returns_equal_scores_together() -> None:
    found = risk_coverage([0.9, 0.5, 0.5, 0.1], [True, False, True, False])
    assert found == ((0.25, 0.0), (0.75, pytest.approx(1 / 3)), (1.0, 0.5))
