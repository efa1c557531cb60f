"""Retry with growing pauses for calls between services."""

import random
import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")

MAX_ATTEMPTS = 5
FIRST_PAUSE_SECONDS = 0.4
LONGEST_PAUSE_SECONDS = 12.0


class GaveUp(Exception):
    """Raised when all attempts have failed."""


def with_retry(call: Callable[[], T], sleep: Callable[[float], None] = time.sleep) -> T:
    """Call up to MAX_ATTEMPTS times; double the pause each time and add up to 25 percent of jitter."""
    pause = FIRST_PAUSE_SECONDS
    for attempt in range(1, MAX_ATTEMPTS + 1):
        try:
            return call()
        except ConnectionError as error:
            if attempt == MAX_ATTEMPTS:
                raise GaveUp(f"no success after {attempt} attempts") from error
            sleep(min(pause, LONGEST_PAUSE_SECONDS) * (1 + random.random() * 0.25))
            pause *= 2
    raise AssertionError("unreachable")
