"""What one question costs on its way: the steps, their times, and what models used."""

import time

from rag.domain.answer import Activity
from rag.domain.budget import Usage


class Trail:
    """What happened on the way, with times."""

    def __init__(self) -> None:
        self.activity: list[Activity] = []
        self.used = Usage()
        self._began_s = self._last_s = time.perf_counter()

    @property
    def elapsed_s(self) -> float:
        return time.perf_counter() - self._began_s

    def note(self, name: str, count: int, usage: Usage | None = None) -> None:
        """A step ends here: it began where the one before it ended."""
        now_s = time.perf_counter()
        elapsed_ms, self._last_s = round((now_s - self._last_s) * 1000, 2), now_s
        used = usage or Usage()
        self.used += used
        self.activity.append(
            Activity(
                step=name, elapsed_ms=elapsed_ms, count=count, tokens=used.tokens,
                cost=round(used.cost, 6),
            )
        )  # fmt: skip
