"""The files that make a saved model what it is, and their digest."""

import hashlib
from collections.abc import Iterable
from pathlib import Path


def weights_files(folder: Path) -> list[Path]:
    """The weights of a model saved by transformers, in order of their paths; none if there are none."""
    return sorted(folder.rglob("*.safetensors")) or sorted(folder.rglob("pytorch_model*.bin"))


def sha256_of(paths: Iterable[Path]) -> str:
    """SHA-256 of the contents of some files one after another, in hexadecimal.

    Raises:
        OSError: one cannot be read.
    """
    state = hashlib.sha256()
    for path in paths:
        with path.open("rb") as file:
            while block := file.read(1 << 20):
                state.update(block)
    return state.hexdigest()
