"""The catalog's single writer: every public method is one durable transaction.

Implements the ports `CatalogWriter` and `VectorLedger`. Work happens on one thread of its own,
in the order of the calls, so no method ever sees another's half-done state.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final, TypeVar

from sqlalchemy import Connection, delete, func, select, update
from sqlalchemy.dialects.sqlite import insert as upsert

from rag.adapters.store import changes, rows
from rag.adapters.store import tables as t
from rag.adapters.store.database import open_writer, translated
from rag.domain.change import Removed, ScanCompleted
from rag.domain.chunk import IndexPlan
from rag.domain.document import DocumentRef, ParsedDocument, RawDocument
from rag.domain.ids import ChunkId, Digest, DocumentId, SiloId
from rag.ports import Clock, PendingVector, Recorded

SCHEMA: Final = "catalog"
HEAD: Final = "0001"

T = TypeVar("T")


class SqlCatalogWriter:
    """Owns `path`; nobody else may write to it."""

    def __init__(self, path: Path, clock: Clock, model_digest: Digest) -> None:
        self._path = path
        self._clock = clock
        self._engine = open_writer(path, SCHEMA, HEAD)
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="catalog-writer")
        with translated(path), self._engine.begin() as connection:
            self._model = changes.intern_model(connection, model_digest)

    async def aclose(self) -> None:
        """Wait for the transaction at work, then close."""
        await asyncio.get_running_loop().run_in_executor(None, self._thread.shutdown)
        self._engine.dispose()

    async def _transaction(self, work: Callable[[Connection], T]) -> T:
        def run() -> T:
            with translated(self._path), self._engine.begin() as connection:
                return work(connection)

        return await asyncio.get_running_loop().run_in_executor(self._thread, run)

    # --- CatalogWriter -------------------------------------------------------------------------

    async def recorded(self, document: DocumentId) -> Recorded | None:
        return await self._transaction(lambda c: changes.recorded_of(c, document))

    async def commit(self, raw: RawDocument, parsed: ParsedDocument, plan: IndexPlan) -> None:
        now = rows.time_to_row(self._clock.now())
        await self._transaction(lambda c: changes.commit_version(c, raw, parsed, plan, now))

    async def touch(self, raw: RawDocument) -> None:
        now = rows.time_to_row(self._clock.now())
        await self._transaction(lambda c: changes.touch_document(c, raw, now))

    async def remove(self, change: Removed) -> bool:
        now = rows.time_to_row(self._clock.now())
        return await self._transaction(lambda c: changes.remove_document(c, change, now))

    async def quarantine(self, ref: DocumentRef, parser: str, code: str, detail: str) -> None:
        now = rows.time_to_row(self._clock.now())
        await self._transaction(
            lambda c: changes.quarantine_document(c, ref, parser, code, detail, now)
        )

    async def complete_scan(self, change: ScanCompleted) -> None:
        now = rows.time_to_row(self._clock.now())
        await self._transaction(lambda c: changes.record_scan(c, change, now))

    # --- VectorLedger --------------------------------------------------------------------------

    async def pending(self, limit: int) -> Sequence[PendingVector]:
        return await self._transaction(lambda c: changes.pending_vectors(c, limit, self._model))

    async def store_vectors(self, vectors: Mapping[Digest, bytes]) -> None:
        values = [
            {"text_digest": digest, "model_id": self._model, "body": body}
            for digest, body in vectors.items()
        ]
        statement = upsert(t.vector).on_conflict_do_nothing()
        await self._transaction(lambda c: c.execute(statement, values) if values else None)

    async def mark_indexed(self, chunks: Sequence[ChunkId]) -> None:
        await self._transaction(lambda c: changes.set_indexed(c, chunks, 1))

    async def sweepable(self, limit: int) -> Sequence[ChunkId]:
        statement = select(t.sweep.c.chunk_id).order_by(t.sweep.c.chunk_id).limit(limit)
        return await self._transaction(lambda c: [ChunkId(x) for x in c.scalars(statement)])

    async def mark_swept(self, chunks: Sequence[ChunkId]) -> None:
        def work(connection: Connection) -> None:
            for some in changes.batches(chunks):
                connection.execute(delete(t.sweep).where(t.sweep.c.chunk_id.in_(some)))

        await self._transaction(work)

    # --- for the runner: reconciliation and rebuild --------------------------------------------

    async def signatures(
        self, silo: SiloId, prefix: str, parser: str, *, retry_quarantined: bool = False
    ) -> dict[str, str]:
        """Key to signature of the documents recorded at or below `prefix`, quarantined included.

        What is to be read again has an empty signature: what another parser has read, and, if
        asked for, what is quarantined.
        """
        c = t.document.c
        statement = select(c.key, c.signature, c.parser, c.state).where(c.silo == silo)
        if prefix:
            below = c.key.between(prefix + "/", prefix + "/\U0010ffff")
            statement = statement.where((c.key == prefix) | below)
        again = "quarantined" if retry_quarantined else ""

        def work(connection: Connection) -> dict[str, str]:
            return {
                key: signature if by == parser and state != again else ""
                for key, signature, by, state in connection.execute(statement)
            }

        return await self._transaction(work)

    async def n_documents(self, silo: SiloId) -> int:
        """How many documents are recorded for `silo`, quarantined ones included."""
        statement = select(func.count()).where(t.document.c.silo == silo)
        return await self._transaction(lambda c: int(c.scalar(statement) or 0))

    async def deny_all(self, silo: SiloId) -> None:
        """Let nobody read the silo's documents until each is looked at again (fail closed)."""

        def work(connection: Connection) -> None:
            nobody = changes.intern_access(connection, "[]")
            connection.execute(
                update(t.document)
                .where(t.document.c.silo == silo)
                .values(access_id=nobody, signature="")
            )
            changes.advance(connection)

        await self._transaction(work)

    async def silos(self) -> set[SiloId]:
        """The silos that documents are recorded of."""
        statement = select(t.document.c.silo).distinct()
        return await self._transaction(lambda c: {SiloId(x) for x in c.scalars(statement)})

    async def meta(self, key: str) -> str | None:
        """A value of the catalog's own bookkeeping."""
        statement = select(t.meta.c.value).where(t.meta.c.key == key)
        return await self._transaction(lambda c: c.scalar(statement))

    async def set_meta(self, key: str, value: str) -> None:
        statement = upsert(t.meta).values(key=key, value=value)
        statement = statement.on_conflict_do_update(index_elements=["key"], set_={"value": value})
        await self._transaction(lambda c: c.execute(statement))

    async def n_pending(self) -> int:
        """Live children that the vector index does not have yet."""
        return await self._transaction(changes.n_pending)

    async def indexed_ids(self) -> set[ChunkId]:
        """The children that the vector index has acknowledged."""
        statement = select(t.chunk.c.id).where(
            t.chunk.c.parent_id.is_not(None), t.chunk.c.indexed == 1
        )
        return await self._transaction(lambda c: {ChunkId(x) for x in c.scalars(statement)})

    async def child_ids(self) -> set[ChunkId]:
        """All live children, indexed or not."""
        statement = select(t.chunk.c.id).where(t.chunk.c.parent_id.is_not(None))
        return await self._transaction(lambda c: {ChunkId(x) for x in c.scalars(statement)})

    async def mark_not_indexed(self, chunks: Sequence[ChunkId]) -> None:
        """The vector index has lost these; they become pending again."""
        await self._transaction(lambda c: changes.set_indexed(c, chunks, 0))

    async def vectors_of(self, chunks: Sequence[ChunkId]) -> dict[ChunkId, bytes]:
        """The kept vectors of live children, for checks against the vector index."""

        def work(connection: Connection) -> dict[ChunkId, bytes]:
            found: dict[ChunkId, bytes] = {}
            for some in changes.batches(chunks):
                statement = (
                    select(t.chunk.c.id, t.vector.c.body)
                    .join(t.vector, t.vector.c.text_digest == t.chunk.c.text_digest)
                    .where(t.chunk.c.id.in_(some), t.vector.c.model_id == self._model)
                )
                found.update({ChunkId(i): body for i, body in connection.execute(statement)})
            return found

        return await self._transaction(work)

    async def forget_indexed(self) -> None:
        """Mark every live child as not indexed, before the vector index is built anew."""
        await self._transaction(
            lambda c: (c.execute(update(t.chunk).values(indexed=0)), c.execute(delete(t.sweep)))
        )

    async def rebuild_postings(self) -> int:
        """Build the lexical index anew from the canonical text; returns the number of postings."""
        return await self._transaction(changes.rebuild_postings)

    async def postings_intact(self) -> bool:
        """Whether the lexical index is sound and holds exactly the live parents."""
        return await self._transaction(changes.postings_intact)
