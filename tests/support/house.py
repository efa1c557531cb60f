"""Belt one over real stores, without its programs: for tests in one process."""

import os
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from connectors.kit.connector import EVERYTHING
from connectors.kit.pending import PendingHints
from connectors.lanes import Batch, Lanes
from connectors.runner import (
    Indexer,
    Silo,
    _finish_scan,
    _follow_ports,
    _reconcile,
    _workers,
    sync_once,
)
from rag.adapters.chroma import ChromaIndex
from rag.adapters.clock import SystemClock
from rag.adapters.parsers import child
from rag.adapters.parsers.process import ParserPool
from rag.adapters.status import SiloStatus
from rag.adapters.store.catalog_reader import SqlCatalogReader
from rag.adapters.store.catalog_writer import SqlCatalogWriter
from rag.domain.claim import Evidence
from rag.domain.document import Principal, RawDocument
from rag.domain.ids import SiloId
from rag.ingest.chunking import ChunkSizes
from rag.ingest.pipeline import IngestOptions, IngestPorts, follow
from rag.settings import Settings, SiloSettings
from rag.testing.fakes import HashEmbedder, MemoryVectorIndex
from rag.testing.simulator import SiloSimulator
from rag.wiring import IngestHouse
from support.chroma import collection_of

SILO = SiloId("wiki")
EVERYBODY = Principal(id="anyone")
# Durable writes cost nothing here, and no test pulls the plug of the machine.
MEMORY = Path("/dev/shm") if os.access("/dev/shm", os.W_OK) else None
SIZES = ChunkSizes(parent=400, child=200)


class HereParser(ParserPool):
    """The child's own code in this process: as exact, and cheap to start."""

    async def _answer(self, slot: object, raw: RawDocument) -> dict[str, Any]:
        header = {
            "uri": raw.uri or raw.key,
            "media_type": raw.media_type,
            "limits": asdict(self._limits),
        }
        return child.parse(raw.data, header)


class CountingEmbedder(HashEmbedder):
    """Remembers every text that it was given."""

    def __init__(self) -> None:
        super().__init__()
        self.texts: list[str] = []

    async def embed(self, texts: Sequence[str]) -> Sequence[bytes]:
        self.texts.extend(texts)
        return await super().embed(texts)

    async def aclose(self) -> None:
        """Nothing to close."""


@dataclass(frozen=True, slots=True, kw_only=True)
class House:
    """An indexer over one silo, and a reader of its catalog."""

    path: Path
    indexer: Indexer
    silo: SiloSimulator
    embedder: CountingEmbedder
    catalog: SqlCatalogWriter
    reader: SqlCatalogReader
    index: Any

    @property
    def ports(self) -> IngestPorts:
        """Belt one's ports for the silo."""
        return self.indexer.ports(SILO)

    async def sync(self, *, release_brake: bool = False) -> Batch:
        """Reconcile once, and let the vectors catch up."""
        done = await sync_once(self.indexer, [SILO], release_brake=release_brake)
        return done[SILO]

    async def sync_texts(self) -> None:
        """Reconcile once; the vectors do not follow."""
        silo = self.indexer.silos[SILO]
        async with _workers(self.indexer):
            batch = await _reconcile(self.indexer, silo, EVERYTHING)
            await _finish_scan(self.indexer, silo, batch)

    async def follow(self) -> None:
        """Let the vectors catch up."""
        while await follow(_follow_ports(self.indexer), 8):
            pass

    async def found(
        self, *terms: str, who: Principal = EVERYBODY, vector: bytes | None = None
    ) -> list[Evidence]:
        """All that a snapshot gives for words or, with `vector`, by every vector path."""
        async with self.reader.snapshot(who, None) as snapshot:
            parents = set(await snapshot.lexical(list(terms), 200)) if terms else set()
            if vector is not None:
                near = await self.index.nearest(vector, 200)
                parents |= set((await snapshot.parents_of(list(near))).values())
                scanned = await snapshot.scan(vector, 200)
                parents |= set((await snapshot.parents_of(list(scanned))).values())
            return list(await snapshot.evidence(dict.fromkeys(parents, (0.0, 0.0))))

    async def keys(self) -> Mapping[str, str]:
        """State by key of what is recorded."""
        rows = await self.reader.query(
            lambda c: c.exec_driver_sql("SELECT key, state FROM document").all()
        )
        return dict(rows)


def settings_of(data: Path, **ingest: int) -> Settings:
    """Settings with one silo whose connector a test supplies."""
    silo = {"id": SILO, "root": str(data), "open_to_all": True}
    return Settings(data_dir=data, silos=(silo,), ingest=ingest)  # type: ignore[arg-type]


def indexer_of(settings: Settings, house: IngestHouse, connector: Any) -> Indexer:
    """An indexer over one silo that is read by `connector`."""
    silo = Silo(
        SiloSettings(id=SILO, root=settings.data_dir), connector, PendingHints(), SiloStatus()
    )
    silo = replace(silo, settings=settings.silos[0])
    sizes = ChunkSizes(parent=settings.ingest.parent_chars, child=settings.ingest.child_chars)
    return Indexer(settings, house, {SILO: silo}, Lanes(), IngestOptions(sizes=sizes), set())


@asynccontextmanager
async def open_house(
    data: Path, silo: SiloSimulator, *, chroma: Any = None, embedder: Any = None
) -> AsyncIterator[House]:
    """Real catalog and parsing; Chroma where it is given, else vectors in memory."""
    embedder = embedder or CountingEmbedder()
    path = data / "catalog.sqlite"
    catalog = SqlCatalogWriter(path, SystemClock(), embedder.digest)
    index: Any = MemoryVectorIndex()
    if chroma is not None:
        index = chroma.index(collection_of(catalog, embedder.digest))
    house = IngestHouse(catalog=catalog, parser=HereParser(), embedder=embedder, index=index)
    settings = settings_of(data, parent_chars=SIZES.parent, child_chars=SIZES.child)
    reader = SqlCatalogReader(path, embedder.digest)
    try:
        yield House(
            path=path, indexer=indexer_of(settings, house, silo), silo=silo, embedder=embedder,
            catalog=catalog, reader=reader, index=index,
        )  # fmt: skip
    finally:
        await reader.aclose()
        if isinstance(index, ChromaIndex):
            await index.aclose()
        await house.parser.aclose()
        await catalog.aclose()
