"""One owner per data folder."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from rag.domain.errors import StoreUnavailable


@contextmanager
def folder_lock(folder: Path, who: str) -> Iterator[None]:
    """Hold the folder for this process; the kernel lets go when it dies, however it dies.

    Raises:
        StoreUnavailable: someone else holds it; the message says who.
    """
    # Everything that any silo holds lies in here: for its owner alone.
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    descriptor = os.open(folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.pread(descriptor, 200, 0).decode("utf-8", "replace").strip()
            raise StoreUnavailable(
                f"{folder} is in use by {holder or 'another process'}",
                remedy="stop it first, or choose another data_dir",
            ) from None
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"{who} (pid {os.getpid()})".encode(), 0)
        yield
    finally:
        os.close(descriptor)
