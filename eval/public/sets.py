"""What the belt is asked: documents as they would be indexed, and questions with gold answers."""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, TypeVar

from eval.retrieval.sets import Document

_SEED: Final = 1
One = TypeVar("One")


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A question; `gold` are the answers that count, none where only an abstention is right.

    `source` is what questions share that are not independent: intervals draw whole sources.
    `part` is the part of the set that it belongs to. `silo` is the one that is asked, None for all.
    """

    id: str
    question: str
    gold: tuple[str, ...]
    source: str
    part: str = ""
    silo: str | None = None

    @property
    def is_answerable(self) -> bool:
        """Whether anything but an abstention can be right."""
        return bool(self.gold)


@dataclass(frozen=True, slots=True, kw_only=True)
class QuestionSet:
    """Documents and what is asked of them."""

    name: str
    title: str
    documents: tuple[Document, ...]
    asked: tuple[Asked, ...]
    note: str = ""


def drawn(every: Sequence[One], limit: int) -> tuple[One, ...]:
    """At most `limit` of them, the same ones each time, in their order; 0 means all."""
    if not limit or len(every) <= limit:
        return tuple(every)
    kept = set(random.Random(_SEED).sample(range(len(every)), limit))  # noqa: S311 - no secret
    return tuple(one for n, one in enumerate(every) if n in kept)
