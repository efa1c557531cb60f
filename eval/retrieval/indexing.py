"""A catalog of its own for a set, made by belt one's own steps, in a folder that goes afterwards.

What differs from an installation: documents are parsed already, nothing is in Chroma (vectors are
scanned exactly), and vectors come from a file of earlier runs.
"""

import tempfile
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import select

from eval.retrieval.sets import Document
from rag.adapters.clock import SystemClock
from rag.adapters.store import tables as t
from rag.adapters.store.catalog_reader import SqlCatalogReader
from rag.adapters.store.catalog_writer import SqlCatalogWriter
from rag.domain.chunk import Child, Parent
from rag.domain.claim import Evidence
from rag.domain.document import Access, Principal, RawDocument
from rag.domain.errors import StoreUnavailable
from rag.domain.ids import ChunkId, Digest, SiloId, digest_text
from rag.domain.words import Span, sentence_spans
from rag.ingest.chunking import ChunkSizes, chunk
from rag.ingest.pipeline import FollowPorts, follow
from rag.ingest.plan import plan_index
from rag.ports import Embedder

_STEP: Final = 64
_PARENTS_AT_ONCE: Final = 1_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """How documents are cut and indexed. Sizes in code points; the defaults are the product's.

    `has_header`: title, key and section path stand in the lexical field. `has_titles`: the title
    is embedded with each child. `overlaps`: between two children of a parent stands another one,
    from the middle of the first to the middle of the second.
    """

    parent_chars: int = ChunkSizes().parent
    child_chars: int = ChunkSizes().child
    has_header: bool = True
    has_titles: bool = False
    overlaps: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Index:
    """An open catalog, and what of it every question needs.

    `passages` holds every parent, whoever may read it; `beside` the parents before and after it
    in its document. `vectors` has a row for each of `children`: scanning them here, once read,
    gives what the catalog's own scan gives and takes a tenth of its time.
    """

    reader: SqlCatalogReader
    passages: Mapping[ChunkId, Evidence]
    beside: Mapping[ChunkId, tuple[ChunkId, ...]]
    children: tuple[ChunkId, ...]
    vectors: NDArray[np.float32]


def _silent(_step: str, _done: int, _total: int) -> None:
    """Nobody watches."""


@asynccontextmanager
async def indexed(
    documents: Sequence[Document],
    layout: Layout,
    embedder: Embedder,
    watch: Callable[[str, int, int], None] = _silent,
) -> AsyncIterator[Index]:
    """Index the documents; nothing is left when it is closed.

    `watch` is told what is being done, how much of it is done, and of how much.
    """
    async with AsyncExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="sworn-retrieval-"))
        path = Path(folder) / "catalog.sqlite"
        writer = SqlCatalogWriter(path, SystemClock(), embedder.digest)
        try:
            await _fill(writer, documents, layout, embedder, watch)
        finally:
            await writer.aclose()
        reader = SqlCatalogReader(path, embedder.digest)
        stack.push_async_callback(reader.aclose)
        passages = await _passages(reader, documents)
        children, vectors = await _vectors(reader, embedder.digest)
        yield Index(
            reader=reader, passages=passages, beside=beside(passages), children=children,
            vectors=vectors,
        )  # fmt: skip


async def _fill(
    writer: SqlCatalogWriter,
    documents: Sequence[Document],
    layout: Layout,
    embedder: Embedder,
    watch: Callable[[str, int, int], None],
) -> None:
    titles: dict[str, str] = {}
    for n, document in enumerate(documents, 1):
        await _commit(writer, document, layout, titles)
        watch("indexing", n, len(documents))
    used = Titled(embedder, titles) if layout.has_titles else embedder
    ports = FollowPorts(ledger=writer, embedder=used, index=Nowhere())
    total, done = await writer.n_pending(), 0
    while step := await follow(ports, _STEP):
        done += step
        watch("vectors", done, total)


async def _commit(
    writer: SqlCatalogWriter, document: Document, layout: Layout, titles: dict[str, str]
) -> None:
    parsed = document.parsed
    sizes = ChunkSizes(parent=layout.parent_chars, child=layout.child_chars)
    parents = laid_out(chunk(parsed, document.key, sizes), parsed.text, layout)
    titles |= {c.span.of(parsed.text): parsed.title for p in parents for c in p.children}
    await writer.commit(_raw(document), parsed, plan_index((), parents))


def laid_out(parents: Sequence[Parent], text: str, layout: Layout) -> tuple[Parent, ...]:
    """The chunker's parents as the layout wants them."""
    return tuple(
        replace(
            parent,
            header=parent.header if layout.has_header else "",
            children=tuple(_bridged(parent, text)) if layout.overlaps else parent.children,
        )
        for parent in parents
    )


def _bridged(parent: Parent, text: str) -> Iterator[Child]:
    yield from parent.children
    for first, second in pairwise(parent.children):
        middles = [c.span.start + len(c.span) // 2 for c in (first, second)]
        within = sentence_spans(text, first.span.start, second.span.end)
        held = [s for s in within if s.start >= middles[0] and s.end <= middles[1]]
        if held:
            span = Span(held[0].start, held[-1].end)
            yield Child(span=span, text_digest=digest_text(span.of(text)))


def _raw(document: Document) -> RawDocument:
    now = datetime.now(UTC)
    return RawDocument(
        silo=SiloId(document.silo), key=document.key, uri=document.key, data=b"",
        digest=digest_text(document.parsed.text), media_type="", modified_at=now, signature="",
        access=Access(groups=document.groups),
    )  # fmt: skip


async def _passages(
    reader: SqlCatalogReader, documents: Sequence[Document]
) -> dict[ChunkId, Evidence]:
    """Every parent; elements are let go, they would be most of the memory."""
    groups = frozenset(g for d in documents for g in d.groups)
    ids = await reader.query(
        lambda c: [
            ChunkId(row[0])
            for row in c.exec_driver_sql("SELECT id FROM chunk WHERE parent_id IS NULL ORDER BY id")
        ]
    )
    found: dict[ChunkId, Evidence] = {}
    async with reader.snapshot(Principal(id="eval", groups=groups), None) as snapshot:
        for start in range(0, len(ids), _PARENTS_AT_ONCE):
            some = await snapshot.evidence(
                dict.fromkeys(ids[start : start + _PARENTS_AT_ONCE], (0.0, 0.0))
            )
            found |= {e.chunk_ids[0]: replace(e, elements=()) for e in some}
    return found


async def _vectors(
    reader: SqlCatalogReader, model: Digest
) -> tuple[tuple[ChunkId, ...], NDArray[np.float32]]:
    """Every child that has a vector, and the vectors as rows."""
    statement = (
        select(t.chunk.c.id, t.vector.c.body)
        .join(t.vector, t.vector.c.text_digest == t.chunk.c.text_digest)
        .join(t.model, t.model.c.id == t.vector.c.model_id)
        .where(t.chunk.c.parent_id.is_not(None), t.model.c.digest == model)
        .order_by(t.chunk.c.id)
    )
    rows = await reader.query(lambda c: c.execute(statement).all())
    flat = np.frombuffer(b"".join(body for _, body in rows), dtype="<f4")
    return tuple(ChunkId(i) for i, _ in rows), flat.reshape(len(rows), -1)


def beside(passages: Mapping[ChunkId, Evidence]) -> dict[ChunkId, tuple[ChunkId, ...]]:
    """For each parent the one before and the one after it in its document, where there is one."""
    ordered = sorted(
        passages, key=lambda i: (passages[i].source.document_id, passages[i].span.start)
    )
    found: dict[ChunkId, tuple[ChunkId, ...]] = dict.fromkeys(ordered, ())
    for first, second in pairwise(ordered):
        if passages[first].source.document_id == passages[second].source.document_id:
            found[first] += (second,)
            found[second] += (first,)
    return found


class Titled:
    """The port `Embedder` that puts its document's title before each known text."""

    def __init__(self, inner: Embedder, titles: Mapping[str, str]) -> None:
        self._inner = inner
        self._titles = titles
        self.name = inner.name
        self.digest = inner.digest

    async def embed(self, texts: Sequence[str]) -> Sequence[bytes]:
        return await self._inner.embed(
            [f"{self._titles[t]}\n{t}" if t in self._titles else t for t in texts]
        )


class Nowhere:
    """The port `VectorIndex` that keeps nothing: the catalog is scanned exactly."""

    async def add(self, vectors: Mapping[ChunkId, bytes]) -> None:
        """Forgotten."""

    async def delete(self, chunks: Sequence[ChunkId]) -> None:
        """Never there."""

    async def nearest(self, vector: bytes, limit: int) -> Mapping[ChunkId, float]:
        raise StoreUnavailable("nothing is kept here")

    async def ping(self) -> None:
        """Always there."""
