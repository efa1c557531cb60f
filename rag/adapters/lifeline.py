"""Dying with the process that started us."""

import ctypes
from signal import Signals
from typing import Final

_PR_SET_PDEATHSIG: Final = 1


def die_with_parent(signal: Signals) -> None:
    """Have the kernel send `signal` when the parent dies, however it dies (Linux, prctl)."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal)
