"""The one thread that a judge's model runs in, and how work in it is given up."""

import asyncio
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Final

from rag.domain.claim import Judgement, JudgePair, Unchecked
from rag.domain.errors import ModelError

Judging = Callable[[Sequence[JudgePair], threading.Event], Sequence[Judgement | Unchecked]]


class Worker:
    """One thread: fast tokenizers are not thread-safe, and two batches at once only queue."""

    def __init__(self) -> None:
        self._threads: Final = ThreadPoolExecutor(1, thread_name_prefix="judge")

    async def run(
        self, judging: Judging, pairs: Sequence[JudgePair]
    ) -> Sequence[Judgement | Unchecked]:
        """What `judging` gives. Cancelled, the event it was handed is set."""
        stop = threading.Event()
        try:
            loop = asyncio.get_running_loop()
            return await loop.run_in_executor(self._threads, judging, pairs, stop)
        finally:
            stop.set()

    def close(self) -> None:
        """Let the thread end after the work at hand."""
        self._threads.shutdown(wait=False, cancel_futures=True)


def go_on(stop: threading.Event | None) -> None:
    """Raises ModelError once `stop` is set."""
    if stop is not None and stop.is_set():
        raise ModelError("judging was given up")
