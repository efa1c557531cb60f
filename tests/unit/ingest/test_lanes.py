"""The queue of changes: one pair of hands per document, the newest change stands, live ones first."""

import asyncio
import time

import pytest

from connectors.lanes import Batch, Item, Lanes
from rag.domain.change import Removed, Upserted
from rag.domain.document import DocumentRef
from rag.domain.ids import SiloId, document_id
from rag.ingest.pipeline import Result

SILO = SiloId("wiki")


def item(
    key: str, batch: Batch | None = None, *, live: bool = True, signature: str = "1", **more
) -> Item:
    change = Upserted(ref=DocumentRef(silo=SILO, key=key, signature=signature))
    return Item(
        change=change, batch=batch or Batch(), live=live, noticed_s=time.monotonic(), **more
    )


def removal(key: str, batch: Batch) -> Item:
    change = Removed(silo=SILO, key=key, reason="gone")
    return Item(change=change, batch=batch, live=True, noticed_s=time.monotonic())


async def keys(lanes: Lanes, n: int) -> list[str]:
    return [(await lanes.get()).key for _ in range(n)]


async def test_live_changes_overtake_the_backlog_and_each_lane_keeps_its_order() -> None:
    lanes = Lanes()
    for key in "ab":
        await lanes.put(item(key, live=False))
    for key in "xy":
        await lanes.put(item(key))
    assert await keys(lanes, 4) == ["x", "y", "a", "b"]


async def test_a_later_change_replaces_the_one_that_waits_in_either_lane() -> None:
    lanes, old, new = Lanes(), Batch(), Batch()
    await lanes.put(item("a", old, live=False))
    await lanes.put(item("a", new, signature="2"))
    assert lanes.n_waiting == 1
    assert old.done.is_set()
    assert not new.done.is_set()
    assert (await lanes.get()).signature == "2"


async def test_a_document_is_in_one_pair_of_hands_at_a_time() -> None:
    lanes = Lanes()
    await lanes.put(item("a"))
    first = await lanes.get()
    await lanes.put(item("a", signature="2"))
    await lanes.put(item("b"))
    assert await keys(lanes, 1) == ["b"]
    waiting = asyncio.create_task(lanes.get())
    await asyncio.sleep(0.01)
    assert not waiting.done()
    await lanes.finish(first, Result.COMMITTED)
    assert (await waiting).signature == "2"


async def test_who_waits_is_woken_by_a_new_change() -> None:
    lanes = Lanes()
    waiting = [asyncio.create_task(lanes.get()) for _ in range(2)]
    await asyncio.sleep(0)
    await lanes.put(item("a"))
    await lanes.put(item("b"))
    async with asyncio.timeout(1):
        assert {(await w).key for w in waiting} == {"a", "b"}


async def test_a_cancelled_wait_loses_no_change() -> None:
    lanes = Lanes()
    waiting = asyncio.create_task(lanes.get())
    await asyncio.sleep(0)
    waiting.cancel()
    await asyncio.gather(waiting, return_exceptions=True)
    await lanes.put(item("a"))
    async with asyncio.timeout(1):
        assert await keys(lanes, 1) == ["a"]


async def test_what_is_in_hand_waits_or_is_at_work() -> None:
    lanes = Lanes()
    for key in ("a", "b"):
        await lanes.put(item(key))
    await lanes.put(item("c", live=False))
    at_work = await lanes.get()
    assert lanes.keys(SILO) == {"a", "b", "c"}
    assert lanes.keys(SiloId("other")) == set()
    assert lanes.n_waiting == 3
    await lanes.finish(at_work, None)
    assert not lanes.holds(document_id(SILO, "a"))
    assert lanes.holds(document_id(SILO, "b"))


async def test_lag_is_the_age_of_the_oldest_change() -> None:
    lanes = Lanes()
    assert lanes.lag_s == 0
    old = item("a")
    await lanes.put(
        Item(change=old.change, batch=Batch(), live=True, noticed_s=time.monotonic() - 60)
    )
    await lanes.put(item("b"))
    assert 60 <= lanes.lag_s < 61
    first = await lanes.get()
    assert lanes.lag_s >= 60, "until it is committed"
    await lanes.finish(first, Result.COMMITTED)
    assert lanes.lag_s < 1


@pytest.mark.parametrize(
    ("result", "known", "counted"),
    [
        (Result.COMMITTED, False, "added"),
        (Result.COMMITTED, True, "modified"),
        (Result.REMOVED, True, "removed"),
        (Result.QUARANTINED, True, "quarantined"),
        (Result.UNCHANGED, True, "unchanged"),
        (None, True, "unchanged"),
    ],
)
def test_a_batch_counts_what_became_of_its_changes(
    result: Result | None, known: bool, counted: str
) -> None:
    batch = Batch(n_open=2)
    batch.close(result, known=known)
    assert batch.counts == {**dict.fromkeys(batch.counts, 0), counted: 1}
    assert not batch.done.is_set()
    batch.close(Result.REMOVED, known=True)
    assert batch.done.is_set()


def test_diff_is_short() -> None:
    batch = Batch(added=1, modified=2, removed=3, unchanged=4)
    assert batch.diff == "+1 ~2 -3 =4"
    batch.quarantined = 5
    assert batch.diff == "+1 ~2 -3 =4 !5"


async def test_items_name_their_document_whatever_the_change() -> None:
    batch = Batch()
    assert (item("a").silo, item("a").key, item("a").signature) == (SILO, "a", "1")
    gone = removal("a", batch)
    assert (gone.silo, gone.key, gone.signature) == (SILO, "a", "")
    assert gone.id == item("a").id == document_id(SILO, "a")
