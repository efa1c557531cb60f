"""Thresholds from labelled claims."""

import random

import pytest

from rag.answer.calibrating import (
    Scored,
    calibrated,
    controlled_threshold,
    precision_threshold,
    recall_threshold,
    share_unsupported,
)
from rag.domain.calibration import Point


def claims(*rows: tuple[float, bool], group: str = "") -> list[Scored]:
    return [
        Scored(score=s, supported=ok, group=group or f"source {i}", answer="")
        for i, (s, ok) in enumerate(rows)
    ]


def test_the_bound_needs_more_sources_than_one_over_the_risk() -> None:
    perfect = [(0.9, True)] * 18
    assert controlled_threshold(claims(*perfect), 0.05) is None
    assert controlled_threshold(claims(*perfect, (0.8, True)), 0.05) == 0.8


def test_the_threshold_lies_above_what_would_break_the_risk() -> None:
    rows = [(0.9, True)] * 99 + [(0.5, False)] * 50 + [(0.4, True)]
    assert controlled_threshold(claims(*rows), 0.05) == 0.9


def test_claims_of_equal_score_are_returned_together() -> None:
    rows = [(0.9, True)] * 40 + [(0.6, True)] * 20 + [(0.6, False)] * 20
    assert controlled_threshold(claims(*rows), 0.1) == 0.9


def test_on_fresh_claims_like_these_the_risk_holds() -> None:
    """Simulated: scores that tell little; the mean risk of many draws stays under the bound."""
    rng = random.Random(7)

    def draw(n: int) -> list[Scored]:
        found = []
        for i in range(n):
            for _ in range(4):
                score = rng.random()
                found.append(
                    Scored(
                        score=score,
                        supported=rng.random() < 0.5 + score / 2,
                        group=str(i),
                        answer="",
                    )
                )
        return found

    risks = []
    for _ in range(60):
        threshold = controlled_threshold(draw(120), 0.1)
        if threshold is not None:
            kept: dict[str, list[bool]] = {}
            for claim in draw(120):
                if claim.score >= threshold:
                    kept.setdefault(claim.group, []).append(not claim.supported)
            risks.append(sum(sum(v) / len(v) for v in kept.values()) / 120)
    assert len(risks) > 30
    assert sum(risks) / len(risks) <= 0.1


def test_warn_withholds_the_share_of_unsupported_claims_it_names() -> None:
    rows = [(i / 20, False) for i in range(20)] + [(0.97, True)]
    threshold = recall_threshold(claims(*rows), 0.85)
    assert threshold == pytest.approx(17 / 20)
    withheld = sum(s < threshold for s, ok in rows if not ok)
    assert withheld == 17


def test_warn_without_an_unsupported_claim_is_unknown() -> None:
    assert recall_threshold(claims((0.9, True)), 0.85) is None


def test_block_is_right_in_the_share_it_names() -> None:
    rows = [(0.1, False)] * 17 + [(0.2, True)] * 3 + [(0.3, False), (0.4, True), (0.5, True)]
    assert precision_threshold(claims(*rows), 0.85) == 0.4
    assert precision_threshold(claims((0.1, True), (0.2, True)), 0.85) is None


def test_a_calibration_names_what_it_rests_on() -> None:
    found = calibrated(claims(*[(0.9, True)] * 40, (0.1, False), (0.1, False)), "my answers", 0.05)
    assert (found.set, found.risk, found.n_sources, found.n_claims) == ("my answers", 0.05, 42, 42)
    assert found.points[Point.RISK] == 0.9
    assert found.named(Point.WARN)["point"] == "warn"


def test_share_unsupported_counts_what_is_returned() -> None:
    rows = claims((0.9, True), (0.8, False), (0.2, False))
    assert share_unsupported(rows, 0.5) == (0.5, pytest.approx(2 / 3))
    assert share_unsupported(rows, 1.0) == (0.0, 0.0)
