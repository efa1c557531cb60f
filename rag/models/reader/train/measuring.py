"""What a reader, as a network or as an exported graph, makes of rows with known answers."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from random import Random
from typing import Any, Final

import torch

from rag.models.training.table import Table, batches, tensors

Run = Callable[[Any, Any], tuple[Any, Any]]
_TOKENS: Final = 4_096


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadRows:
    """Logits of being answered beside the truth; `exact` is how often both ends are right.

    `exact` is over the rows that have an answer.
    """

    logits: list[float]
    answered: list[bool]
    exact: float


def read_rows(run: Run, table: Table, rows: Sequence[int]) -> ReadRows:
    """Read the rows. `run` takes ids and marks and gives arrays of logits and of ends."""
    logits: list[float] = []
    answered: list[bool] = []
    exact: list[bool] = []
    for batch in batches(table, rows, _TOKENS, Random(0)):
        ids, marks, flags, targets = tensors(table, batch)
        found, ends = run(ids, marks)
        logits += found.tolist()
        answered += (targets == 1).tolist()
        picked = ends.argmax(1)
        for i in torch.nonzero(targets == 1).flatten().tolist():
            start, stop = (int(flags[i, int(picked[i, side])]) for side in (0, 1))
            exact.append(bool(start & 1) and bool(stop & 2))
    share = sum(exact) / max(1, len(exact))
    return ReadRows(logits=logits, answered=answered, exact=share)
