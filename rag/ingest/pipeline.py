"""Belt one: one change, from the silo into the catalog; then, at leisure, into the vectors.

Change ─fetch→ RawDocument ─parse→ ParsedDocument ─chunk→ Parents ─plan(recorded)→ IndexPlan
       ─CATALOG.COMMIT (citable now)         follow: ─embed(new text)→ index.add ─ sweep
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from rag.domain.change import Change, Removed, ScanCompleted, Upserted
from rag.domain.document import RawDocument
from rag.domain.errors import DocumentError, DocumentGone, SiloDenied
from rag.domain.ids import ChunkId
from rag.ingest.chunking import ChunkSizes, chunk
from rag.ingest.plan import plan_index
from rag.ports import (
    CatalogWriter,
    Embedder,
    Fetcher,
    Parser,
    PendingVector,
    Recorded,
    VectorIndex,
    VectorLedger,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class IngestPorts:
    """What belt one needs of the world for the changes of one silo."""

    fetcher: Fetcher
    parser: Parser
    catalog: CatalogWriter


@dataclass(frozen=True, slots=True, kw_only=True)
class FollowPorts:
    """What the vectors need to catch up with the catalog."""

    ledger: VectorLedger
    embedder: Embedder
    index: VectorIndex


@dataclass(frozen=True, slots=True, kw_only=True)
class IngestOptions:
    """Limits of belt one."""

    sizes: ChunkSizes = field(default_factory=ChunkSizes)


class Result(StrEnum):
    """What became of one change."""

    COMMITTED = "committed"
    UNCHANGED = "unchanged"
    REMOVED = "removed"
    QUARANTINED = "quarantined"
    RECORDED = "recorded"


async def ingest(change: Change, ports: IngestPorts, options: IngestOptions) -> Result:
    """Carry one change through; when it returns, its effect is durable and visible.

    Raises:
        SiloUnavailable, StoreError: nothing was decided; the same change may come again.
    """
    match change:
        case Removed():
            removed = await ports.catalog.remove(change)
            return Result.REMOVED if removed else Result.UNCHANGED
        case ScanCompleted():
            await ports.catalog.complete_scan(change)
            return Result.RECORDED
        case Upserted():
            return await _upsert(change, ports, options)


async def _upsert(change: Upserted, ports: IngestPorts, options: IngestOptions) -> Result:
    ref = change.ref
    recorded = await ports.catalog.recorded(ref.id)
    try:
        raw = await ports.fetcher.fetch(ref)
        if recorded is not None and _same_content(recorded, raw, ports.parser.name):
            await ports.catalog.touch(raw)
            return Result.UNCHANGED
        parsed = await ports.parser.parse(raw)
    except DocumentGone:
        return await ingest(Removed(silo=ref.silo, key=ref.key, reason="gone"), ports, options)
    except (DocumentError, SiloDenied) as exc:
        # Its old text must not be cited either: what we cannot read now, we cannot confirm.
        await ports.catalog.quarantine(ref, ports.parser.name, exc.code, str(exc))
        return Result.QUARANTINED
    parents = chunk(parsed, raw.key, options.sizes)
    plan = plan_index(recorded.chunks if recorded else (), parents)
    await ports.catalog.commit(raw, parsed, plan)
    return Result.COMMITTED


def _same_content(recorded: Recorded, raw: RawDocument, parser: str) -> bool:
    return (
        not recorded.quarantined and recorded.raw_digest == raw.digest and recorded.parser == parser
    )


async def follow(ports: FollowPorts, limit: int) -> int:
    """One small step of the vector index towards the catalog; returns how much was done.

    Adds before it sweeps, and both only after the catalog has decided: a crash at any point
    leaves work to be done again, never a wrong answer. New text first, newest change first.
    """
    pending = await ports.ledger.pending(limit)
    if pending:
        vectors = await _vectors(pending, ports)
        await ports.index.add(vectors)
        await ports.ledger.mark_indexed(list(vectors))
    swept = await ports.ledger.sweepable(limit * 8)
    if swept:
        await ports.index.delete(swept)
        await ports.ledger.mark_swept(swept)
    return len(pending) + len(swept)


async def _vectors(pending: Sequence[PendingVector], ports: FollowPorts) -> dict[ChunkId, bytes]:
    """Vectors of all, embedding only text that was never embedded before (invariant I11)."""
    new = {p.text_digest: p.text for p in pending if p.vector is None}
    embedded = dict(zip(new, await ports.embedder.embed(list(new.values())), strict=True))
    if embedded:
        await ports.ledger.store_vectors(embedded)
    return {p.chunk_id: embedded[p.text_digest] if p.vector is None else p.vector for p in pending}
