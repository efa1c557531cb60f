"""Reading the catalog: moments of it, seen with one principal's eyes.

Implements the ports `CatalogReader` and `Snapshot`. Any number of processes may do so.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, TypeVar

import numpy as np
from sqlalchemy import Connection, Select, bindparam, func, select, text

from rag.adapters.store import rows
from rag.adapters.store import tables as t
from rag.adapters.store.database import open_reader, translated
from rag.adapters.store.matching import any_of, telling_of
from rag.adapters.store.spelling import (
    RESPELLINGS_MAX,
    can_be_misspelt,
    nearest,
    stems_of,
    words_of,
)
from rag.domain.claim import Evidence, Source
from rag.domain.document import EVERYONE, Element, Principal
from rag.domain.ids import ChunkId, Digest, DocumentId, SiloId
from rag.domain.words import Span
from rag.ports import Standing

_SCAN_BATCH: Final = 4096
_CACHED_VERSIONS: Final = 256
_CACHED_COUNTS: Final = 4096
# Changes after which a term is counted again.
_COUNT_LASTS: Final = 1000
# The header (title, key, section path) counts three times the text. Measured: eval/bench.
_BM25: Final = "bm25(posting, 3.0, 1.0)"
_BM25_RANK: Final = "bm25(3.0, 1.0)"

T = TypeVar("T")


@dataclass(slots=True)
class Memory:
    """What snapshots of one reader remember for each other; nothing here depends on the asker.

    Elements by version never change. Counts by term are as of a generation, and age.
    """

    elements: dict[int, tuple[Element, ...]] = field(default_factory=dict)
    counts: dict[str, tuple[int, int]] = field(default_factory=dict)


class SqlCatalogReader:
    """Opens `path` read-only; its writer may be another process."""

    def __init__(self, path: Path, model_digest: Digest) -> None:
        self._path = path
        self._engine = open_reader(path)
        self._model_digest = model_digest
        self._memory = Memory()

    @asynccontextmanager
    async def snapshot(
        self, principal: Principal, silos: Sequence[SiloId] | None
    ) -> AsyncIterator["SqlSnapshot"]:
        connection = await self._thread(self._engine.connect)
        try:
            view = await self._thread(lambda: open_view(connection, principal, silos))
            yield SqlSnapshot(connection, view, self._model_digest, self._path, self._memory)
        finally:
            await asyncio.to_thread(connection.close)

    async def standing(
        self, principal: Principal, chunks: Mapping[ChunkId, Digest]
    ) -> tuple[int, Standing]:
        return await self._thread(lambda: self._standing(principal, chunks))

    def _standing(
        self, principal: Principal, chunks: Mapping[ChunkId, Digest]
    ) -> tuple[int, Standing]:
        with self._engine.connect() as connection:
            view = open_view(connection, principal, None)
            statement = (
                select(t.chunk.c.id, t.version.c.digest, t.document.c.access_id)
                .join(t.version, t.version.c.id == t.chunk.c.version_id)
                .join(t.document, t.document.c.id == t.chunk.c.document_id)
                .where(t.chunk.c.id.in_(list(chunks)))
            )
            found = connection.execute(statement).all()
        current = frozenset(ChunkId(i) for i, digest, _ in found if chunks[i] == digest)
        permitted = frozenset(ChunkId(i) for i, _, access in found if access in view.access_ids)
        return view.generation, Standing(current=current, permitted=permitted)

    async def meta(self, key: str) -> str | None:
        """A value of the catalog's own bookkeeping."""
        return await self.query(
            lambda c: c.scalar(select(t.meta.c.value).where(t.meta.c.key == key))
        )

    async def query(self, work: Callable[[Connection], T]) -> T:
        """Run `work` on a fresh snapshot, in a thread."""

        def run() -> T:
            with self._engine.connect() as connection:
                return work(connection)

        return await self._thread(run)

    async def ping(self) -> None:
        await self.meta("generation")

    async def aclose(self) -> None:
        """Close all connections."""
        await asyncio.to_thread(self._engine.dispose)

    async def _thread(self, work: Callable[[], T]) -> T:
        def run() -> T:
            with translated(self._path):
                return work()

        return await asyncio.to_thread(run)


class View:
    """What a principal may read at one moment: interned access lists, and silos."""

    __slots__ = ("access_ids", "generation", "silos")

    def __init__(
        self, generation: int, access_ids: frozenset[int], silos: tuple[str, ...] | None
    ) -> None:
        self.generation = generation
        self.access_ids = access_ids
        self.silos = silos

    def restrict(self, statement: Select[Any]) -> Select[Any]:
        """Add the access and silo conditions to a statement that joins `document`."""
        statement = statement.where(t.document.c.access_id.in_(self.access_ids))
        if self.silos is not None:
            statement = statement.where(t.document.c.silo.in_(self.silos))
        return statement

    def restrict_ids(self, statement: Select[Any]) -> Select[Any]:
        """The same for a statement that names chunk ids, which it has to start from.

        Adding nothing keeps SQLite from starting at the access index instead, that is from every
        permitted document: 150 ms in place of half of one, over 10,000 documents.
        """
        statement = statement.where((t.document.c.access_id + 0).in_(self.access_ids))
        if self.silos is not None:
            statement = statement.where(t.document.c.silo.concat("").in_(self.silos))
        return statement


def open_view(connection: Connection, principal: Principal, silos: Sequence[SiloId] | None) -> View:
    """Begin a snapshot and find what `principal` may read in it."""
    # The first read opens the snapshot; everything later sees the same moment.
    generation = connection.scalar(select(t.meta.c.value).where(t.meta.c.key == "generation"))
    members = [EVERYONE, *principal.groups]
    access_ids = connection.scalars(
        select(t.access_group.c.access_id).where(t.access_group.c.member.in_(members)).distinct()
    )
    return View(
        int(generation or 0), frozenset(access_ids), None if silos is None else tuple(silos)
    )


class SqlSnapshot:
    """Implements the port `Snapshot` on one connection, used by one task at a time."""

    def __init__(
        self,
        connection: Connection,
        view: View,
        model_digest: Digest,
        path: Path,
        memory: Memory,
    ) -> None:
        self._memory = memory
        self._connection = connection
        self._view = view
        self._model_digest = model_digest
        self._path = path

    @property
    def generation(self) -> int:
        return self._view.generation

    async def lexical(self, terms: Sequence[str], limit: int) -> Mapping[ChunkId, float]:
        return await self._thread(lambda: self._lexical(terms, limit))

    async def respelt(self, terms: Sequence[str]) -> Mapping[str, str]:
        return await self._thread(lambda: self._respelt(terms))

    async def parents_of(self, children: Sequence[ChunkId]) -> Mapping[ChunkId, ChunkId]:
        return await self._thread(lambda: self._parents_of(children))

    async def has_fewer_children(self, than: int) -> bool:
        # Counts no further than it must: a full count would read every row of a large catalog.
        some = self._view.restrict(
            select(t.chunk.c.id)
            .join(t.document, t.document.c.id == t.chunk.c.document_id)
            .where(t.chunk.c.parent_id.is_not(None))
            .limit(than)
        ).subquery()
        statement = select(func.count()).select_from(some)
        return await self._thread(lambda: int(self._connection.scalar(statement) or 0) < than)

    async def scan(self, vector: bytes, limit: int) -> Mapping[ChunkId, float]:
        return await self._thread(lambda: self._scan(vector, limit))

    async def evidence(self, parents: Mapping[ChunkId, tuple[float, float]]) -> Sequence[Evidence]:
        return await self._thread(lambda: self._evidence(parents))

    def _lexical(self, terms: Sequence[str], limit: int) -> dict[ChunkId, float]:
        if not terms or not self._view.access_ids:
            return {}
        everything = any_of(terms)
        match = telling_of(terms, {term: self._count(term) for term in terms})
        # Over-fetch by rank alone; only when too few of those are permitted, join while ranking.
        found = self._connection.execute(
            text(
                "SELECT rowid, -rank FROM posting "
                "WHERE posting MATCH :match AND rank MATCH :rank ORDER BY rank LIMIT :limit"
            ).bindparams(match=match, rank=_BM25_RANK, limit=limit)
        ).all()
        kept = self._permitted([int(i) for i, _ in found])
        scores = {ChunkId(i): float(score) for i, score in found if i in kept}
        is_all = len(found) < limit and match == everything
        if is_all or len(scores) * 2 >= len(found) > 0:
            return scores
        statement = self._view.restrict(
            select(t.chunk.c.id, text(f"-{_BM25} AS score"))
            .select_from(text("posting"))
            .join(t.chunk, text("chunk.id = posting.rowid"))
            .join(t.document, t.document.c.id == t.chunk.c.document_id)
            .where(text("posting MATCH :match"))
            .order_by(text("score DESC"))
            .limit(limit)
        )
        return {
            ChunkId(i): float(score)
            for i, score in self._connection.execute(statement, {"match": everything})
        }

    def _respelt(self, terms: Sequence[str]) -> dict[str, str]:
        """Looks at permitted texts alone: what others hold must not show in how a word is read."""
        unknown = [t for t in terms if can_be_misspelt(t) and not self._holds(t)]
        found: dict[str, str] = {}
        for term, stemmed in zip(unknown, stems_of(unknown), strict=True):
            for near in words_of(self._near(stemmed)[:RESPELLINGS_MAX]):
                if self._holds(near):
                    found[term] = near
                    break
        return found

    def _near(self, stemmed: str) -> list[str]:
        """Terms of the index like this one, the most alike and then the most frequent first."""
        first = stemmed[:1]
        rows = self._connection.execute(
            text("SELECT term, doc FROM posting_term WHERE term >= :a AND term < :b"),
            {"a": first, "b": chr(ord(first) + 1)},
        ).all()
        return nearest(stemmed, [(str(term), int(n)) for term, n in rows])

    def _holds(self, term: str) -> bool:
        """Whether a permitted text holds the term."""
        statement = self._view.restrict(
            select(t.chunk.c.id)
            .select_from(text("posting"))
            .join(t.chunk, text("chunk.id = posting.rowid"))
            .join(t.document, t.document.c.id == t.chunk.c.document_id)
            .where(text("posting MATCH :match"))
            .limit(1)
        )
        return self._connection.execute(statement, {"match": any_of([term])}).first() is not None

    def _count(self, term: str) -> int:
        """How many texts hold the term, as of some time ago: it only decides what is fast."""
        counts = self._memory.counts
        known = counts.get(term)
        if known is None or self.generation - known[0] > _COUNT_LASTS:
            statement = text("SELECT count(*) FROM posting WHERE posting MATCH :match")
            found = self._connection.scalar(statement, {"match": any_of([term])})
            known = counts[term] = (self.generation, int(found or 0))
            if len(counts) > _CACHED_COUNTS:
                counts.pop(next(iter(counts)), None)
        return known[1]

    def _permitted(self, chunks: Sequence[int]) -> frozenset[int]:
        statement = self._view.restrict_ids(
            select(t.chunk.c.id)
            .join(t.document, t.document.c.id == t.chunk.c.document_id)
            .where(t.chunk.c.id.in_(chunks))
        )
        return frozenset(self._connection.scalars(statement))

    def _parents_of(self, children: Sequence[ChunkId]) -> dict[ChunkId, ChunkId]:
        statement = self._view.restrict_ids(
            select(t.chunk.c.id, t.chunk.c.parent_id)
            .join(t.document, t.document.c.id == t.chunk.c.document_id)
            .where(t.chunk.c.id.in_(children), t.chunk.c.parent_id.is_not(None))
        )
        return {ChunkId(i): ChunkId(p) for i, p in self._connection.execute(statement)}

    def _scan(self, vector: bytes, limit: int) -> dict[ChunkId, float]:
        query = np.frombuffer(vector, dtype="<f4")
        statement = self._view.restrict(
            select(t.chunk.c.id, t.vector.c.body)
            .join(t.document, t.document.c.id == t.chunk.c.document_id)
            .join(t.vector, t.vector.c.text_digest == t.chunk.c.text_digest)
            .join(t.model, t.model.c.id == t.vector.c.model_id)
            .where(t.chunk.c.parent_id.is_not(None), t.model.c.digest == self._model_digest)
        )
        best: list[tuple[float, int]] = []
        for some in self._connection.execute(statement).partitions(_SCAN_BATCH):
            ids = [row[0] for row in some]
            scores = np.frombuffer(b"".join(row[1] for row in some), dtype="<f4")
            scores = scores.reshape(len(ids), -1) @ query
            best.extend(zip(scores.tolist(), ids, strict=True))
            best = sorted(best, reverse=True)[:limit]
        return {ChunkId(i): score for score, i in best}

    def _evidence(self, parents: Mapping[ChunkId, tuple[float, float]]) -> list[Evidence]:
        c = t.chunk.c
        body = func.substr(t.canonical.c.body, c.start_char + 1, c.end_char - c.start_char)
        statement = self._view.restrict_ids(
            select(
                c.id, c.start_char, c.end_char, body.label("body"),
                t.version.c.id.label("version_id"), t.version.c.digest, t.version.c.raw_digest,
                t.document.c.id.label("document_id"), t.document.c.silo, t.document.c.key,
                t.document.c.title, t.document.c.uri, t.document.c.modified_at,
                t.document.c.observed_at, t.silo.c.last_complete_at,
            )
            .join(t.version, t.version.c.id == c.version_id)
            .join(t.canonical, t.canonical.c.digest == t.version.c.digest)
            .join(t.document, t.document.c.id == c.document_id)
            .outerjoin(t.silo, t.silo.c.id == t.document.c.silo)
            .where(c.id.in_(bindparam("ids", expanding=True)), c.parent_id.is_(None))
        )  # fmt: skip
        found = {row.id: row for row in self._connection.execute(statement, {"ids": list(parents)})}
        return [
            self._one_evidence(found[i], score, dense)
            for i, (score, dense) in parents.items()
            if i in found
        ]

    def _one_evidence(self, row: Any, score: float, dense: float) -> Evidence:
        span = Span(row.start_char, row.end_char)
        elements = tuple(e for e in self._elements(row.version_id) if e.span.overlaps(span))
        first = elements[0] if elements else None
        confirmed = max(row.observed_at, row.last_complete_at or "")
        return Evidence(
            chunk_ids=(ChunkId(row.id),),
            text=row.body,
            span=span,
            section=first.section if first else (),
            page=first.page if first else None,
            score=score,
            dense=dense,
            source=Source(
                document_id=DocumentId(row.document_id),
                silo=SiloId(row.silo),
                key=row.key,
                title=row.title,
                uri=row.uri,
                version=Digest(row.digest),
                raw_digest=Digest(row.raw_digest),
                modified_at=rows.time_from_row(row.modified_at),
                observed_at=rows.time_from_row(row.observed_at),
                confirmed_at=rows.time_from_row(confirmed),
            ),
            elements=elements,
        )

    def _elements(self, version_id: int) -> tuple[Element, ...]:
        elements = self._memory.elements
        known = elements.get(version_id)
        if known is None:
            body = self._connection.scalar(
                select(t.version.c.elements).where(t.version.c.id == version_id)
            )
            known = elements[version_id] = rows.elements_from_row(body or b"")
            if len(elements) > _CACHED_VERSIONS:
                elements.pop(next(iter(elements)), None)
        return known

    async def _thread(self, work: Callable[[], T]) -> T:
        def run() -> T:
            with translated(self._path):
                return work()

        return await asyncio.to_thread(run)
