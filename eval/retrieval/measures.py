"""How good a ranking of passages is: a number in [0, 1] for each question, higher is better.

A measure is named by its kind and where it stops: `nDCG@10` counts passages, `chars@8000` counts
characters. Where the gold is whole documents, a ranking is of documents, each at the place of its
first passage.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from eval.metrics import Weights, interval, normal
from eval.retrieval.sets import Asked, Gold
from rag.domain.ids import ChunkId
from rag.domain.words import Span


@dataclass(frozen=True, slots=True, kw_only=True)
class Passage:
    """A retrieved parent: `span` lies in the canonical text of `document` (`silo/key`)."""

    chunk_id: ChunkId
    document: str
    span: Span
    text: str


Measure = Callable[[Sequence[Passage], Asked], float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """A mean with its 95 % bootstrap interval, None where there are too few sources."""

    value: float
    interval: tuple[float, float] | None


def measure(name: str) -> Measure:
    """The measure of that name.

    Raises:
        ValueError: there is none.
    """
    kind, _, at = name.partition("@")
    if kind not in _KINDS or not at.isdigit() or not int(at):
        raise ValueError(f"no measure {name}")
    return lambda passages, asked: _KINDS[kind](passages, asked, int(at))


def hit(passages: Sequence[Passage], asked: Asked, k: int) -> float:
    """1 when any of the gold is among the first `k`."""
    return float(any(_found(passages, asked, k)))


def recall(passages: Sequence[Passage], asked: Asked, k: int) -> float:
    """The share of the gold among the first `k`.

    Anthropic's pass@k is its mean over queries ("Introducing Contextual Retrieval", 2024).
    """
    return sum(_found(passages, asked, k)) / len(asked.gold)


def every(passages: Sequence[Passage], asked: Asked, k: int) -> float:
    """1 when all of the gold is among the first `k`: what a question over two sources needs."""
    return float(all(_found(passages, asked, k)))


def documents(passages: Sequence[Passage], asked: Asked, k: int) -> float:
    """The share of the documents of the gold that have a passage among the first `k`."""
    wanted = {g.document for g in asked.gold}
    return len(wanted & {p.document for p in passages[:k]}) / len(wanted)


def reciprocal_rank(passages: Sequence[Passage], asked: Asked, k: int) -> float:
    """One over the place of the first gold, 0 where it comes after `k`.

    Source: Voorhees, "The TREC-8 Question Answering Track Report" (1999).
    """
    for place, passage in enumerate(_ranked(passages, asked)[:k], 1):
        if any(is_at(g, passage) for g in asked.gold):
            return 1 / place
    return 0.0


def ndcg(passages: Sequence[Passage], asked: Asked, k: int) -> float:
    """Discounted gain of the first `k` over the best possible; the gold counts 1 each, and once.

    Source: Järvelin & Kekäläinen (2002), with the discount log2(1 + place) of trec_eval.
    """
    left = list(asked.gold)
    gain = 0.0
    for place, passage in enumerate(_ranked(passages, asked)[:k], 1):
        found = next((g for g in left if is_at(g, passage)), None)
        if found is not None:
            left.remove(found)
            gain += 1 / math.log2(1 + place)
    return gain / sum(1 / math.log2(1 + n) for n in range(1, min(k, len(asked.gold)) + 1))


def chars(passages: Sequence[Passage], asked: Asked, limit: int) -> float:
    """The share of the gold's characters in the first `limit` characters of passages.

    The last passage counts as far as it fits, so that sizes of passages can be compared. For
    gold with spans. Like the recall of Smith & Troynikov (2024), at equal cost.
    """
    shown: dict[str, set[int]] = {}
    for passage in passages:
        taken = min(len(passage.span), limit)
        start = passage.span.start
        shown.setdefault(passage.document, set()).update(range(start, start + taken))
        limit -= taken
        if not limit:
            break
    wanted: dict[str, set[int]] = {}
    for g in asked.gold:
        if g.span is not None:
            wanted.setdefault(g.document, set()).update(range(g.span.start, g.span.end))
    total = sum(map(len, wanted.values()))
    found = sum(len(at & shown.get(name, set())) for name, at in wanted.items())
    return found / total if total else 0.0


_KINDS: Final[Mapping[str, Callable[[Sequence[Passage], Asked, int], float]]] = {
    "hit": hit, "recall": recall, "all": every, "documents": documents, "MRR": reciprocal_rank,
    "nDCG": ndcg, "chars": chars,
}  # fmt: skip


def is_at(gold: Gold, passage: Passage) -> bool:
    """Whether the passage shows some of the gold; a quotation has to stand in it whole."""
    if passage.document != gold.document:
        return False
    if gold.quote:
        return normal(gold.quote) in normal(passage.text)
    return gold.span is None or gold.span.overlaps(passage.span)


def estimate(values: Sequence[float], sources: Sequence[str]) -> Estimate:
    """The mean; whole sources are drawn for its interval.

    Raises:
        ValueError: there are no values, or not one source for each.
    """
    if not values or len(values) != len(sources):
        raise ValueError("one source for each of at least one value")
    given = np.asarray(values, np.float64)

    def mean(weights: Weights) -> float:
        return float(weights @ given / weights.sum())

    return Estimate(value=float(given.mean()), interval=interval(sources, mean))


def difference(ours: Sequence[float], theirs: Sequence[float], sources: Sequence[str]) -> Estimate:
    """The mean of `ours` less `theirs`, question by question: much tighter than two intervals.

    Raises:
        ValueError: they are not as many.
    """
    return estimate([a - b for a, b in zip(ours, theirs, strict=True)], sources)


def _found(passages: Sequence[Passage], asked: Asked, k: int) -> list[bool]:
    first = _ranked(passages, asked)[:k]
    return [any(is_at(g, p) for p in first) for g in asked.gold]


def _ranked(passages: Sequence[Passage], asked: Asked) -> list[Passage]:
    if any(g.span is not None or g.quote for g in asked.gold):
        return list(passages)
    first: dict[str, Passage] = {}
    for passage in passages:
        first.setdefault(passage.document, passage)
    return list(first.values())
