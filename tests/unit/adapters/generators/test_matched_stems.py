"""Questions and rows meet although they write figures and dates differently."""

import pytest

from rag.adapters.generators.matching import matched_stems


@pytest.mark.parametrize(
    ("asked", "row"),
    [
        ("October 2026", "month: 2026-10 | total: 316"),
        ("May 2025", "filed: 2025-05-03"),
        ("540000", "value: EUR 540,000"),
        ("13,480,000", "forecast: 13480000"),
        ("1'200", "price: 1,200"),
    ],
)
def test_the_same_written_differently(asked: str, row: str) -> None:
    assert matched_stems(asked) <= matched_stems(row)


@pytest.mark.parametrize(
    ("asked", "row"), [("October 2025", "2026-10"), ("12", "1,2"), ("5400", "EUR 540,000")]
)
def test_what_differs_does_not_meet(asked: str, row: str) -> None:
    assert not matched_stems(asked) <= matched_stems(row)
