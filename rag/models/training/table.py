"""Encoded training rows of any of Sworn's readers of two texts, and batches of them."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray

_SORTED_TOGETHER: Final = 1_000


@dataclass(frozen=True, slots=True)
class Table:
    """Row `i` has tokens `ids[starts[i] : starts[i + 1]]`, and as many marks and flags.

    What a flag says of a token and a target of a row is the model's own affair; -1 is unknown.
    `sets` index `names`. Rows that are `watched` are kept from training.
    """

    ids: NDArray[np.uint16]
    marks: NDArray[np.uint8]
    flags: NDArray[np.int8]
    starts: NDArray[np.int64]
    targets: NDArray[np.int8]
    sets: NDArray[np.int16]
    watched: NDArray[np.bool_]
    names: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.targets)

    @classmethod
    def load(cls, path: Path) -> "Table":
        """Read what `save` wrote."""
        with np.load(path, allow_pickle=False) as file:
            found = {name: file[name] for name in file.files}
        names = tuple(map(str, found.pop("names")))
        return cls(**found, names=names)

    @classmethod
    def joined(cls, tables: Sequence["Table"]) -> "Table":
        """The rows of several tables, in order; their sets keep their names."""
        names = tuple(sorted({name for t in tables for name in t.names}))
        at = {name: i for i, name in enumerate(names)}
        lengths = [np.diff(t.starts) for t in tables]
        sets = [np.array([at[n] for n in t.names], np.int16)[t.sets] for t in tables]
        return cls(
            ids=np.concatenate([t.ids for t in tables]),
            marks=np.concatenate([t.marks for t in tables]),
            flags=np.concatenate([t.flags for t in tables]),
            starts=np.concatenate([[0], np.cumsum(np.concatenate(lengths))]).astype(np.int64),
            targets=np.concatenate([t.targets for t in tables]),
            sets=np.concatenate(sets),
            watched=np.concatenate([t.watched for t in tables]),
            names=names,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One encoded example; `flags` has one entry a token."""

    set: str
    ids: NDArray[np.int64]
    marks: NDArray[np.int64]
    flags: NDArray[np.int8]
    target: int
    watched: bool


def save(rows: Sequence[Row], path: Path) -> None:
    """Write a table that `Table.load` reads."""
    names = sorted({r.set for r in rows})
    at = {name: i for i, name in enumerate(names)}
    np.savez_compressed(
        path,
        ids=np.concatenate([r.ids for r in rows]).astype(np.uint16),
        marks=np.concatenate([r.marks for r in rows]).astype(np.uint8),
        flags=np.concatenate([r.flags for r in rows]),
        starts=np.cumsum([0, *(len(r.ids) for r in rows)]).astype(np.int64),
        targets=np.array([r.target for r in rows], np.int8),
        sets=np.array([at[r.set] for r in rows], np.int16),
        watched=np.array([r.watched for r in rows], np.bool_),
        names=np.array(names),
    )


def batches(table: Table, rows: Sequence[int], n_tokens: int, rng: Random) -> Iterator[list[int]]:
    """Batches of rows of like length, about `n_tokens` each with padding, in random order."""
    lengths = np.diff(table.starts)
    shuffled = rng.sample(list(rows), len(rows))
    for start in range(0, len(shuffled), _SORTED_TOGETHER):
        some = sorted(shuffled[start : start + _SORTED_TOGETHER], key=lambda r: int(lengths[r]))
        made: list[list[int]] = [[]]
        for row in some:
            if made[-1] and (len(made[-1]) + 1) * int(lengths[row]) > n_tokens:
                made.append([])
            made[-1].append(row)
        yield from rng.sample(made, len(made))


def tensors(table: Table, rows: Sequence[int]) -> tuple[Any, Any, Any, Any]:
    """Ids, marks, flags and targets of some rows, padded."""
    width = max(int(table.starts[r + 1] - table.starts[r]) for r in rows)
    ids, marks = (np.zeros((len(rows), width), np.int64) for _ in range(2))
    flags = np.full((len(rows), width), -1, np.int64)
    for at, row in enumerate(rows):
        part = slice(int(table.starts[row]), int(table.starts[row + 1]))
        n = part.stop - part.start
        ids[at, :n], marks[at, :n] = table.ids[part], table.marks[part]
        flags[at, :n] = table.flags[part]
    targets = torch.from_numpy(table.targets[list(rows)].astype(np.int64))
    return torch.from_numpy(ids), torch.from_numpy(marks), torch.from_numpy(flags), targets
