"""One question, searched as belt two searches and ranked in some other way.

The searches are the catalog's own, the fusion is belt two's. What a way changes stands in `Way`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np

from eval.retrieval import ideas
from eval.retrieval.indexing import Index, Layout
from eval.retrieval.measures import Passage
from eval.retrieval.sets import Asked
from rag.answer.gathering import blended, header_of
from rag.answer.planning import TERMS_MAX, Query, plan_query
from rag.answer.retrieval import RetrievalOptions
from rag.answer.selection import best_children, fuse, select
from rag.domain.claim import Evidence
from rag.domain.document import Principal
from rag.domain.ids import ChunkId
from rag.domain.reading import Passage as Readable
from rag.domain.words import content_words
from rag.ports import Embedder, Reader, Snapshot

DEPTH: Final = 100
"""As many passages are ranked. No measure looks further."""

CANDIDATES_MAX: Final = 5_000
"""As `retrieval.candidates` may be at most."""

_FEEDBACK_PASSAGES: Final = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """How to index and search; the defaults are the product's. `group` says what it varies.

    With `per_document` a ranking is what belt two would show: so many passages of one document
    at most, no copies, and no more than `retrieval.evidence_max`. Without, it is all that was found.
    `repairs`: words that no text holds are replaced by their nearest, in the terms or also in the
    embedded text. `expands` short forms. `feedback` is the weight of words of the best passages,
    `neighbour` the share of a neighbour's score. `joins` shows the neighbours with each passage.
    The reader reads the first `read` passages and puts them in order, with `read_weight` against
    the search; belt two reads what it has selected, here the ranking is read before it is.
    """

    name: str
    group: str = ""
    layout: Layout = field(default_factory=Layout)
    dense_weight: float = RetrievalOptions().dense_weight
    candidates: int = RetrievalOptions().candidates
    per_document: int | None = None
    terms_max: int = TERMS_MAX
    repairs: bool = False
    repairs_text: bool = False
    expands: bool = False
    feedback: float = 0.0
    neighbour: float = 0.0
    joins: bool = False
    read: int = 0
    read_weight: float = 0.0


class Searcher:
    """Asks one open index, and asks it nothing twice."""

    def __init__(
        self,
        index: Index,
        embedder: Embedder,
        options: RetrievalOptions,
        reader: Reader | None = None,
    ) -> None:
        """Ask nothing yet. Without a reader no way may read."""
        self._index = index
        self._reader = reader
        self._answers: dict[tuple[str, ChunkId], float] = {}
        self._embedder = embedder
        self._options = options
        self._lexical: dict[tuple[object, ...], Mapping[ChunkId, float]] = {}
        self._similar: dict[tuple[object, ...], list[tuple[float, ChunkId]]] = {}
        self._parents: dict[frozenset[str], Mapping[ChunkId, ChunkId]] = {}
        self._passages = {i: _passage(e) for i, e in index.passages.items()}
        self._vocabulary: ideas.Vocabulary | None = None
        self._forms: dict[str, str] | None = None

    async def ranked(self, asked: Asked, way: Way) -> tuple[Passage, ...]:
        """Passages that the asker may read, best first, at most `DEPTH`.

        Raises:
            ModelError: the reader failed.
        """
        scored = await self._scored(asked, way)
        if way.read:
            scored = await self._read(asked.question, scored, way)
        order = [i for i, _ in scored]
        if way.per_document is not None:
            order = self._selected(order, way.per_document)
        if way.joins:
            near = self._index.beside
            order = list(dict.fromkeys(j for i in order for j in (i, *near[i])))
        return tuple(self._passages[i] for i in order[:DEPTH])

    def _selected(self, order: Sequence[ChunkId], per_document: int) -> list[ChunkId]:
        """What belt two would show."""
        limit = self._options.evidence_max
        first = [self._index.passages[i] for i in order[: limit * 4]]
        return [e.chunk_ids[0] for e in select(first, limit=limit, per_document=per_document)]

    async def _read(
        self, question: str, scored: Sequence[tuple[ChunkId, float]], way: Way
    ) -> list[tuple[ChunkId, float]]:
        """The first few in the order that search and reader give together, then the rest."""
        first, rest = scored[: way.read], scored[way.read :]
        answers = await self._answering(question, [i for i, _ in first])
        again = [(i, blended(score, answers[i], way.read_weight)) for i, score in first]
        return [*sorted(again, key=lambda one: -one[1]), *rest]

    async def _answering(self, question: str, some: Sequence[ChunkId]) -> Mapping[ChunkId, float]:
        """How probably each passage answers. Reading is dear: nothing is read twice."""
        if self._reader is None:
            raise ValueError("a way that reads needs a reader")
        new = [i for i in some if (question, i) not in self._answers]
        shown = [self._index.passages[i] for i in new]
        readings = await self._reader.read(
            question, [Readable(header=header_of(e), text=e.readable) for e in shown]
        )
        for i, reading in zip(new, readings, strict=True):
            self._answers[question, i] = reading.p_answers
        return {i: self._answers[question, i] for i in some}

    async def _scored(self, asked: Asked, way: Way) -> list[tuple[ChunkId, float]]:
        query = self._planned(asked.question, way)
        principal = Principal(id="eval", groups=asked.groups)
        async with self._index.reader.snapshot(principal, None) as snapshot:
            lexical = await self._words(query.terms, asked, way, snapshot)
            dense = await self._vectors(query.text, asked, way, snapshot)
            hits = fuse(lexical, dense, dense_weight=way.dense_weight)
            if way.feedback:
                best = [self._index.passages[h.chunk_id].text for h in hits[:_FEEDBACK_PASSAGES]]
                more = ideas.feedback_terms(best, query.terms, self.vocabulary)
                found = await self._words(more, asked, way, snapshot)
                lexical = ideas.added(lexical, found, way.feedback)
                hits = fuse(lexical, dense, dense_weight=way.dense_weight)
        if not way.neighbour:
            return [(h.chunk_id, h.score) for h in hits]
        scores = ideas.with_neighbours(
            {h.chunk_id: h.score for h in hits}, lambda i: self._index.beside[i], way.neighbour
        )
        return sorted(scores.items(), key=lambda one: (-one[1], one[0]))

    def _planned(self, question: str, way: Way) -> Query:
        query = replanned(plan_query(question), way.terms_max)
        if way.repairs or way.repairs_text:
            query = ideas.repaired(query, self.vocabulary, also_text=way.repairs_text)
        if way.expands:
            if self._forms is None:
                self._forms = ideas.short_forms(e.text for e in self._index.passages.values())
            query = ideas.expanded(query, self._forms)
        return query

    @property
    def vocabulary(self) -> ideas.Vocabulary:
        """The words of all passages and their titles; made when it is first needed."""
        if self._vocabulary is None:
            self._vocabulary = ideas.Vocabulary(
                f"{e.source.title}\n{' '.join(e.section)}\n{e.text}"
                for e in self._index.passages.values()
            )
        return self._vocabulary

    async def _words(
        self, terms: Sequence[str], asked: Asked, way: Way, snapshot: Snapshot
    ) -> Mapping[ChunkId, float]:
        key = (tuple(terms), asked.groups, way.candidates)
        if key not in self._lexical:
            self._lexical[key] = await snapshot.lexical(terms, way.candidates)
        return self._lexical[key]

    async def _vectors(
        self, text: str, asked: Asked, way: Way, snapshot: Snapshot
    ) -> Mapping[ChunkId, float]:
        """As belt two does it where it scans; the catalog says what the asker may read."""
        if asked.groups not in self._parents:
            self._parents[asked.groups] = await snapshot.parents_of(self._index.children)
        parents = self._parents[asked.groups]
        key = (text, asked.groups)
        if key not in self._similar:
            vector = np.frombuffer((await self._embedder.embed([text]))[0], dtype="<f4")
            scores = (self._index.vectors @ vector).tolist()
            found = zip(scores, self._index.children, strict=True)
            readable = sorted(((s, i) for s, i in found if i in parents), reverse=True)
            self._similar[key] = readable[:CANDIDATES_MAX]
        similar = {i: s for s, i in self._similar[key][: way.candidates]}
        return best_children(similar, parents)


def replanned(query: Query, terms_max: int) -> Query:
    """The query with another limit on its terms: belt two keeps the first `TERMS_MAX`."""
    if terms_max == TERMS_MAX or len(query.terms) < min(terms_max, TERMS_MAX):
        return query
    terms = tuple(dict.fromkeys(content_words(query.text))) or query.terms
    return Query(text=query.text, terms=terms[:terms_max])


def _passage(evidence: Evidence) -> Passage:
    return Passage(
        chunk_id=evidence.chunk_ids[0], document=f"{evidence.source.silo}/{evidence.source.key}",
        span=evidence.span, text=evidence.text,
    )  # fmt: skip
