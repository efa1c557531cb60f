"""Hints that wait to be acted on: merged, bounded, and given out once a burst has settled."""

import asyncio
import threading
import time
from typing import Final

from connectors.kit.connector import EVERYTHING, Hint

_LIMIT: Final = 10_000
_SETTLE_S: Final = 0.05
_SETTLE_MAX_S: Final = 0.5


class PendingHints:
    """A set of hints. `add` may be called from any thread; the rest belongs to one event loop.

    A hint below a pending subtree is dropped, equal ones count once, and more than `limit`
    collapse into the one that means everything: memory stays bounded, nothing is lost.
    """

    def __init__(
        self,
        limit: int = _LIMIT,
        *,
        settle_s: float = _SETTLE_S,
        settle_max_s: float = _SETTLE_MAX_S,
    ) -> None:
        self._limit = limit
        self._settle_s = settle_s
        self._settle_max_s = settle_max_s
        self._lock = threading.Lock()
        self._hints: dict[str, bool] = {}
        self._first_s = 0.0
        self._last_s = 0.0
        self._waiter: tuple[asyncio.AbstractEventLoop, asyncio.Event] | None = None

    def __len__(self) -> int:
        """How many hints are kept now; some may merge when they are taken."""
        return len(self._hints)

    def add(self, hint: Hint) -> None:
        """Remember the hint and wake who waits. Never blocks for long, never raises."""
        with self._lock:
            self._last_s = time.monotonic()
            if not self._hints:
                self._first_s = self._last_s
            self._merge(hint)
            waiter, self._waiter = self._waiter, None
        if waiter is not None:
            loop, event = waiter
            if not loop.is_closed():
                loop.call_soon_threadsafe(event.set)

    def take(self) -> tuple[Hint, ...]:
        """All pending hints at once, merged, oldest first; they are no longer pending."""
        with self._lock:
            hints, self._hints = self._hints, {}
        return tuple(Hint(key=key, subtree=hints[key]) for key in _merged(hints))

    async def settled(self) -> tuple[Hint, ...]:
        """Wait for a hint, then until none has come for the settle time, and take them.

        A steady stream is cut after the longest settle time. Cancelling loses no hint.
        """
        await self._some()
        while True:
            with self._lock:
                quiet_at = min(self._last_s + self._settle_s, self._first_s + self._settle_max_s)
            wait_s = quiet_at - time.monotonic()
            if wait_s <= 0:
                return self.take()
            await asyncio.sleep(wait_s)

    async def _some(self) -> None:
        while True:
            event = asyncio.Event()
            with self._lock:
                if self._hints:
                    return
                self._waiter = (asyncio.get_running_loop(), event)
            await event.wait()

    def _merge(self, hint: Hint) -> None:
        if self._covered(hint.key):
            return
        if hint == EVERYTHING:
            self._hints = {"": True}
            return
        self._hints[hint.key] = hint.subtree or self._hints.get(hint.key, False)
        if len(self._hints) > self._limit:
            self._hints = _merged(self._hints)
            # Half, not all: else a set just under the limit would be merged at every further hint.
            if len(self._hints) > self._limit // 2:
                self._hints = {"": True}

    def _covered(self, key: str) -> bool:
        return self._hints.get(key, False) or _has_subtree_above(self._hints, key)


def _merged(hints: dict[str, bool]) -> dict[str, bool]:
    return {k: subtree for k, subtree in hints.items() if not _has_subtree_above(hints, k)}


def _has_subtree_above(hints: dict[str, bool], key: str) -> bool:
    if not key:
        return False
    if hints.get("", False):
        return True
    at = key.find("/")
    while at >= 0:
        if hints.get(key[:at], False):
            return True
        at = key.find("/", at + 1)
    return False
