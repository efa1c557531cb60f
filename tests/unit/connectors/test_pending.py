"""Hints that wait: merged, bounded, never lost."""

import asyncio
import threading
import time

from hypothesis import given
from hypothesis import strategies as st

from connectors.kit.connector import EVERYTHING, Hint, lies_under
from connectors.kit.pending import PendingHints

HINTS = st.builds(
    Hint,
    key=st.lists(st.sampled_from(["a", "b", "a-b"]), max_size=3).map("/".join),
    subtree=st.booleans(),
)


@given(st.lists(HINTS, max_size=40), st.integers(1, 10))
def test_every_hint_is_covered_once_and_the_set_stays_small(hints: list[Hint], limit: int) -> None:
    pending = PendingHints(limit)
    for hint in hints:
        pending.add(hint)
        assert len(pending) <= limit
    taken = pending.take()
    assert all(any(covers(kept, hint) for kept in taken) for hint in hints)
    for kept in taken:
        assert not any(covers(other, kept) for other in taken if other is not kept)
    assert pending.take() == ()


def covers(kept: Hint, hint: Hint) -> bool:
    if kept.subtree:
        return lies_under(hint.key, kept.key)
    return kept.key == hint.key and not hint.subtree


def test_equal_keys_count_once_and_subtrees_swallow() -> None:
    pending = PendingHints()
    for key in ("a/b", "a/b", "ab", "a/c/d"):
        pending.add(Hint(key=key))
    pending.add(Hint(key="a", subtree=True))
    pending.add(Hint(key="a/late"))
    assert pending.take() == (Hint(key="ab"), Hint(key="a", subtree=True))


def test_too_many_collapse_into_everything() -> None:
    pending = PendingHints(10)
    for i in range(10):
        pending.add(Hint(key=f"{i}"))
    assert len(pending) == 10
    pending.add(Hint(key="one more"))
    assert pending.take() == (EVERYTHING,)


def test_too_many_below_one_subtree_do_not_collapse() -> None:
    pending = PendingHints(10)
    for i in range(10):
        pending.add(Hint(key=f"a/{i}"))
    pending.add(Hint(key="a", subtree=True))
    assert pending.take() == (Hint(key="a", subtree=True),)


def test_a_large_burst_is_taken_in_quickly() -> None:
    pending = PendingHints()
    before_s = time.process_time()
    for i in range(80_000):
        pending.add(Hint(key=f"folder/{i % 5_000}/deep/er", subtree=i % 2 == 0))
    assert len(pending.take()) == 5_000
    assert time.process_time() - before_s < 2


async def test_single_hint_is_given_out_soon() -> None:
    pending = PendingHints()
    before_s = time.monotonic()
    waiting = asyncio.create_task(pending.settled())
    await asyncio.to_thread(pending.add, Hint(key="a"))
    assert await waiting == (Hint(key="a"),)
    assert 0.05 <= time.monotonic() - before_s < 5


async def test_burst_settles_into_one_batch() -> None:
    pending = PendingHints(settle_s=0.2, settle_max_s=60)
    waiting = asyncio.create_task(pending.settled())
    for i in range(100):
        await asyncio.to_thread(pending.add, Hint(key=f"{i}"))
    assert len(await waiting) == 100


async def test_steady_stream_is_cut() -> None:
    pending = PendingHints(settle_s=60, settle_max_s=0.05)
    stop = threading.Event()

    def stream() -> None:
        i = 0
        while not stop.is_set():
            pending.add(Hint(key=f"{i % 1000}"))
            i += 1

    streaming = asyncio.create_task(asyncio.to_thread(stream))
    try:
        async with asyncio.timeout(10):
            assert await pending.settled()
            assert await pending.settled()
    finally:
        stop.set()
        await streaming


async def test_cancelled_wait_loses_nothing() -> None:
    pending = PendingHints(settle_s=0.01)
    waiting = asyncio.create_task(pending.settled())
    await asyncio.sleep(0)
    pending.add(Hint(key="a"))
    waiting.cancel()
    await asyncio.gather(waiting, return_exceptions=True)
    assert await pending.settled() == (Hint(key="a"),)


def test_hint_after_the_loop_has_closed_is_kept() -> None:
    pending = PendingHints()

    async def give_up() -> None:
        waiting = asyncio.create_task(pending.settled())
        await asyncio.sleep(0)
        waiting.cancel()

    asyncio.run(give_up())
    pending.add(Hint(key="a"))
    assert pending.take() == (Hint(key="a"),)
