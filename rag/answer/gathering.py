"""The evidence of all parts of a question: searched, read, put in order."""

import asyncio
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from rag.answer.planning import Plan
from rag.answer.retrieval import RetrievalOptions, retrieve
from rag.domain.claim import Evidence
from rag.domain.errors import ModelError
from rag.domain.ids import ChunkId
from rag.domain.premise import as_of
from rag.domain.reading import Passage
from rag.ports import Embedder, Lexicon, Reader, Snapshot, VectorIndex

# Little words of other languages: the lexicon would take the rest for errors.
_FOREIGN: Final = re.compile(
    r"\b(?:ich|wir|ist|sind|der|das|den|dem|ein|eine[nmrs]?|wie|wo|wann|welche[rmns]?|und|für"
    r"|le|les|des|est|une|dans|el|los|las|que|una|il|che|per|het|een)\b",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadingOptions:
    """How many passages of a part the reader reads, and what its opinion weighs in the order."""

    depth: int = 6
    weight: float = 0.5
    timeout_s: float = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Gathered:
    """The evidence of all parts, each passage once; `shown` has, for each part, what was found.

    `too_new` are parts for which only documents were found that are newer than the date asked for.
    """

    evidence: tuple[Evidence, ...]
    shown: tuple[tuple[int, ...], ...]
    n_hits: int
    degraded: tuple[str, ...] = ()
    too_new: tuple[int, ...] = ()

    def __len__(self) -> int:
        return self.n_hits

    def of(self, part: int) -> list[Evidence]:
        """What was found for a part, best first."""
        return [self.evidence[i] for i in self.shown[part]]

    @property
    def chunks(self) -> dict[ChunkId, Evidence]:
        """Every chunk that is shown, also through a copy of it."""
        every = [one for e in self.evidence for one in (e, *e.copies)]
        return {chunk: one for one in every for chunk in one.chunk_ids}


async def respelt(plan: Plan, snapshot: Snapshot, lexicon: Lexicon) -> Plan:
    """The plan with words that nothing the asker may read holds in their likeliest spelling.

    Only what looks like a typing error: words of the lexicon, names, and questions in
    other languages are left alone.
    """
    texts = " ".join(part.text for part in plan.parts)
    if _FOREIGN.search(texts):
        return plan
    terms = dict.fromkeys(term for part in plan.parts for term in part.terms)
    doubtful = [t for t in terms if not lexicon.knows(t) and not _is_name(t, texts)]
    found = await snapshot.respelt(doubtful) if doubtful else {}
    return Plan(parts=tuple(part.respelt(found) for part in plan.parts)) if found else plan


def _is_name(term: str, text: str) -> bool:
    """Whether a word is written with a capital where no sentence begins."""
    return re.search(rf"(?<=[\w,;] ){re.escape(term.capitalize())}\b", text) is not None


async def gather(
    plan: Plan,
    snapshot: Snapshot,
    embedder: Embedder,
    index: VectorIndex | None,
    options: RetrievalOptions,
) -> Gathered:
    """What is found for each part, all parts at once."""
    found = await asyncio.gather(
        *(retrieve(query, snapshot, embedder, index, options) for query in plan.parts)
    )
    degraded = dict.fromkeys(d for one in found for d in one.degraded)
    parts = [_by_then(q.text, one.evidence) for q, one in zip(plan.parts, found, strict=True)]
    too_new = [
        n for n, (kept, one) in enumerate(zip(parts, found, strict=True))
        if one.evidence and not kept
    ]  # fmt: skip
    pooled = _pooled(parts, sum(map(len, found)), tuple(degraded))
    return replace(pooled, too_new=tuple(too_new))


def _by_then(question: str, evidence: Sequence[Evidence]) -> Sequence[Evidence]:
    """What was written by the day that the question is asked `as of`, or speaks of that year."""
    day = as_of(question)
    if day is None:
        return evidence
    year = str(day.year)
    return [e for e in evidence if e.source.modified_at.date() <= day or year in e.text]


async def read(plan: Plan, found: Gathered, reader: Reader, options: ReadingOptions) -> Gathered:
    """The same evidence with what the reader found in it, in the order that both give it.

    A reader that fails or is late changes nothing, and is named in `degraded`.
    """
    try:
        async with asyncio.timeout(options.timeout_s):
            parts = [
                await ordered(query.text, found.of(n), reader, options)
                for n, query in enumerate(plan.parts)
            ]
    except (ModelError, TimeoutError):
        return replace(found, degraded=(*found.degraded, "reader"))
    return replace(_pooled(parts, found.n_hits, found.degraded), too_new=found.too_new)


async def ordered(
    question: str, evidence: Sequence[Evidence], reader: Reader, options: ReadingOptions
) -> list[Evidence]:
    """The passages, the first few read and in the order that search and reader give together.

    Raises:
        ModelError: the reader failed.
    """
    first, rest = evidence[: options.depth], evidence[options.depth :]
    passages = [Passage(header=header_of(e), text=e.readable) for e in first]
    readings = await reader.read(question, passages)
    if len(readings) != len(passages):
        raise ModelError("the reader lost count")
    if not all(0.0 <= r.p_answers <= 1.0 for r in readings):
        raise ModelError("the reader gave nonsense")
    again = [replace(e, reading=r) for e, r in zip(first, readings, strict=True)]

    def score(e: Evidence) -> float:
        answers = e.reading.p_answers if e.reading else 0.0
        return blended(e.score, answers, options.weight)

    return [*sorted(again, key=lambda e: -score(e)), *rest]


def blended(score: float, p_answers: float, weight: float) -> float:
    """What search and reader think of a passage together; all of them lie in [0, 1]."""
    return (1 - weight) * score + weight * p_answers


def header_of(evidence: Evidence) -> str:
    """What stands above a passage: the document's title and the headings."""
    return " > ".join(dict.fromkeys((evidence.source.title, *evidence.section)))


def _pooled(
    parts: Sequence[Sequence[Evidence]], n_hits: int, degraded: tuple[str, ...]
) -> Gathered:
    """A passage that was found for two parts stands once, and as it was read for the first."""
    pool: list[Evidence] = []
    at: dict[tuple[ChunkId, ...], int] = {}
    shown: list[tuple[int, ...]] = []
    for part in parts:
        for passage in part:
            if passage.chunk_ids not in at:
                at[passage.chunk_ids] = len(pool)
                pool.append(passage)
        shown.append(tuple(at[p.chunk_ids] for p in part))
    return Gathered(evidence=tuple(pool), shown=tuple(shown), n_hits=n_hits, degraded=degraded)
