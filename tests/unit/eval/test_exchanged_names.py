"""Minimal pairs by exchange: two names of a claim change places, unless that changes nothing."""

from random import Random

import pytest

from rag.models.judge.train.edits import broken


def exchanged(claim: str) -> list[str]:
    return [e.claim for e in broken(claim, "Some evidence.", Random(1)) if e.kind == "exchange"]


def test_two_names_change_places() -> None:
    assert exchanged("The Alder plant sends its Heron probes back to Kiel Works.") != []
    assert exchanged(
        "In the last year of the lease the firm Alder sued its landlord Kiel Works."
    ) == ["In the last year of the lease the firm Kiel Works sued its landlord Alder."]


@pytest.mark.parametrize(
    "claim",
    [
        "Last year Petra Vogel and Amir Haddad led the plant.",
        "Last year Petra Vogel met Amir Haddad.",
        "Petra Vogel leads the plant.",
        "The plant is open.",
    ],
)
def test_nothing_is_exchanged_where_both_do_the_same(claim: str) -> None:
    assert exchanged(claim) == []
