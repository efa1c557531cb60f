"""The one thread that a model runs in, and how work in it is given up."""

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Final, TypeVar

from rag.domain.errors import ModelError

T = TypeVar("T")


class Worker:
    """One thread: fast tokenizers are not thread-safe, and two batches at once only queue."""

    def __init__(self, name: str) -> None:
        self._threads: Final = ThreadPoolExecutor(1, thread_name_prefix=name)

    async def run(self, work: Callable[[threading.Event], T]) -> T:
        """What `work` gives. Cancelled, the event that it was handed is set."""
        stop = threading.Event()
        try:
            return await asyncio.get_running_loop().run_in_executor(self._threads, work, stop)
        finally:
            stop.set()

    def close(self) -> None:
        """Let the thread end after the work at hand."""
        self._threads.shutdown(wait=False, cancel_futures=True)


def go_on(stop: threading.Event | None) -> None:
    """Raises ModelError once `stop` is set."""
    if stop is not None and stop.is_set():
        raise ModelError("the work of the model was given up")
