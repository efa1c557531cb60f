"""Both searches, fused, within one snapshot of the catalog."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from rag.answer.planning import Query
from rag.answer.selection import best_children, fuse, select
from rag.domain.claim import Evidence
from rag.domain.commands import commands
from rag.domain.errors import ModelError, StoreUnavailable
from rag.domain.ids import ChunkId
from rag.ports import Embedder, Snapshot, VectorIndex


@dataclass(frozen=True, slots=True, kw_only=True)
class RetrievalOptions:
    """Weights and limits; the defaults are those of the settings."""

    dense_weight: float = 0.4
    candidates: int = 200
    candidates_max: int = 1600
    evidence_max: int = 8
    per_document_max: int = 6
    exact_scan_below: int = 2000
    timeout_s: float = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Retrieved:
    """The evidence, best first, and what could not be used on the way."""

    evidence: tuple[Evidence, ...]
    n_hits: int
    degraded: tuple[str, ...] = field(default=())

    def __len__(self) -> int:
        return self.n_hits


async def retrieve(
    query: Query,
    snapshot: Snapshot,
    embedder: Embedder,
    index: VectorIndex | None,
    options: RetrievalOptions,
) -> Retrieved:
    """Evidence for a query. A search that is down is left out and named in `degraded`."""
    lexical, vector = await asyncio.gather(
        snapshot.lexical(query.terms, options.candidates), _embedded(query, embedder, options)
    )
    degraded: tuple[str, ...] = ()
    dense: Mapping[ChunkId, float] = {}
    if vector is None:
        degraded = ("embedder",)
    else:
        dense, degraded = await _dense(vector, snapshot, index, options)
    hits = fuse(lexical, dense, dense_weight=options.dense_weight)
    # Some are dropped as copies or as too many of one document.
    wanted = {h.chunk_id: (h.score, h.dense) for h in hits[: options.evidence_max * 4]}
    evidence = await snapshot.evidence(wanted)
    chosen = select(evidence, limit=options.evidence_max, per_document=options.per_document_max)
    chosen = tuple(map(_without_commands, chosen))
    return Retrieved(evidence=chosen, n_hits=len(hits), degraded=degraded)


def _without_commands(passage: Evidence) -> Evidence:
    """Documents are evidence, never instructions: what commands a reader is hidden from all."""
    found = commands(passage.text, passage.elements, passage.span.start)
    return replace(passage, hidden=found) if found else passage


async def _embedded(query: Query, embedder: Embedder, options: RetrievalOptions) -> bytes | None:
    """The question's vector; None when the embedder fails, is late or loses count."""
    try:
        async with asyncio.timeout(options.timeout_s):
            vectors = await embedder.embed([query.text])
    except (ModelError, TimeoutError):
        return None
    return vectors[0] if len(vectors) == 1 else None


async def _dense(
    vector: bytes, snapshot: Snapshot, index: VectorIndex | None, options: RetrievalOptions
) -> tuple[dict[ChunkId, float], tuple[str, ...]]:
    """Parents by their best child: from the index, or by an exact scan of what is permitted."""
    if index is None or await snapshot.has_fewer_children(options.exact_scan_below):
        return await _scanned(vector, snapshot, options), ()
    limit = options.candidates
    try:
        while limit <= options.candidates_max:
            async with asyncio.timeout(options.timeout_s):
                similar = await index.nearest(vector, limit)
            found = best_children(similar, await snapshot.parents_of(list(similar)))
            if len(found) >= options.evidence_max * 4 or len(similar) < limit:
                return found, ()
            limit *= 2
    except (StoreUnavailable, TimeoutError):
        return await _scanned(vector, snapshot, options), ("vector_index",)
    return await _scanned(vector, snapshot, options), ()


async def _scanned(
    vector: bytes, snapshot: Snapshot, options: RetrievalOptions
) -> dict[ChunkId, float]:
    similar = await snapshot.scan(vector, options.candidates)
    return best_children(similar, await snapshot.parents_of(list(similar)))
