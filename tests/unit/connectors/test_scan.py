"""The difference between the record and a listing."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.kit.connector import Entry, Listing, lies_under, listed
from connectors.kit.scan import RELEASED, Brake, braked, changes
from rag.domain.change import Removed, ScanCompleted, Upserted
from rag.domain.ids import SiloId

SILO = SiloId("wiki")
KEYS = st.sampled_from(["a", "a/b", "a/b/c", "ab", "a-b", "b", "b/a", "c"])
SIGNATURES = st.dictionaries(KEYS, st.sampled_from(["1", "2", "3"]))


def listing(entries: dict[str, str], *, complete: bool = True, prefix: str = "") -> Listing:
    return Listing(entries=entries, complete=complete, detail="why", prefix=prefix)


@given(SIGNATURES, SIGNATURES)
def test_complete_scan_makes_the_record_equal_to_the_listing(
    recorded: dict[str, str], found: dict[str, str]
) -> None:
    assert applied(recorded, listing(found)) == found


@given(SIGNATURES, SIGNATURES)
def test_partial_scan_removes_nothing(recorded: dict[str, str], found: dict[str, str]) -> None:
    result = changes(SILO, recorded, listing(found, complete=False), Brake())
    assert not any(isinstance(change, Removed) for change in result)
    ended = result[-1]
    assert isinstance(ended, ScanCompleted)
    assert (ended.complete, ended.detail, ended.n_documents) == (False, "why", len(found))


@given(SIGNATURES, SIGNATURES, KEYS)
def test_scan_of_a_part_touches_only_that_part(
    recorded: dict[str, str], found: dict[str, str], prefix: str
) -> None:
    part = {k: s for k, s in found.items() if lies_under(k, prefix)}
    rest = {k: s for k, s in recorded.items() if not lies_under(k, prefix)}
    result = changes(SILO, recorded, listing(part, prefix=prefix), Brake())
    assert not any(isinstance(change, ScanCompleted) for change in result)
    assert applied(recorded, listing(part, prefix=prefix)) == rest | part


def test_equal_signature_is_left_alone() -> None:
    result = changes(SILO, {"a": "1", "b": "1"}, listing({"a": "1", "b": "2"}), Brake())
    assert [change.ref.key for change in result if isinstance(change, Upserted)] == ["b"]
    assert result[-1] == ScanCompleted(silo=SILO, complete=True, n_documents=2, detail="why")


@pytest.mark.parametrize(
    ("n_recorded", "n_left", "held"),
    [
        (40, 0, True),
        (41, 20, True),
        (42, 21, False),
        (21, 0, True),
        (20, 0, False),
        (100, 50, False),
    ],
)
def test_delete_brake_needs_share_and_floor(n_recorded: int, n_left: int, held: bool) -> None:
    recorded = {str(i): "1" for i in range(n_recorded)}
    left = {str(i): "2" for i in range(n_left)}
    result = changes(SILO, recorded, listing(left), Brake(share=0.5, floor=20))
    assert braked(result) == held
    assert any(isinstance(change, Removed) for change in result) != held
    assert sum(isinstance(change, Upserted) for change in result) == n_left
    ended = result[-1]
    assert isinstance(ended, ScanCompleted)
    assert ended.complete != held
    assert ended.detail.startswith("delete brake: ") == held


def test_operator_releases_the_brake() -> None:
    result = changes(SILO, {str(i): "1" for i in range(100)}, listing({}), RELEASED)
    assert not braked(result)
    assert sum(isinstance(change, Removed) for change in result) == 100


def test_brake_measures_a_part_against_the_whole_silo() -> None:
    recorded = {f"a/{i}": "1" for i in range(30)}
    assert braked(changes(SILO, recorded, listing({}, prefix="a"), Brake()))
    whole = changes(SILO, recorded, listing({}, prefix="a"), Brake(), n_recorded=100)
    assert not braked(whole)
    assert len(whole) == 30


def test_nothing_is_not_braked() -> None:
    assert not braked(())
    assert not braked(changes(SILO, {}, listing({}), Brake()))


def test_removals_are_in_order_and_say_gone() -> None:
    result = changes(SILO, {"b": "1", "a": "1"}, listing({}), Brake())
    assert result[:2] == tuple(Removed(silo=SILO, key=key, reason="gone") for key in "ab")


def test_listing_is_made_of_entries() -> None:
    entries = [Entry(key="a", signature="1"), Entry(key="a", signature="2")]
    assert listed(entries, complete=True).entries == {"a": "2"}


@pytest.mark.parametrize("n_different", [0, 1])
def test_50000_unchanged_entries_are_quick(n_different: int) -> None:
    recorded = {f"folder/{i}": f"{i}:signature" for i in range(50_000)}
    found = {f"folder/{i}": f"{i}:signature" for i in range(50_000)}
    found["folder/0"] += "x" * n_different
    spent_s = []
    for _ in range(5):
        before_s = time.process_time()
        result = changes(SILO, recorded, listing(found), Brake())
        spent_s.append(time.process_time() - before_s)
        assert len(result) == n_different + 1
    assert min(spent_s) < 0.1


def applied(recorded: dict[str, str], found: Listing) -> dict[str, str]:
    record = dict(recorded)
    for change in changes(SILO, recorded, found, Brake()):
        match change:
            case Upserted(ref=ref):
                record[ref.key] = ref.signature
            case Removed(key=key):
                del record[key]
    return record
