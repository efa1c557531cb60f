"""An index that changes while it is asked: belt one itself, with its parser, in a folder of ours."""

import tempfile
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from eval.retrieval.indexing import Nowhere
from rag.adapters.clock import SystemClock
from rag.adapters.parsers.process import ParserPool
from rag.adapters.store.catalog_reader import SqlCatalogReader
from rag.adapters.store.catalog_writer import SqlCatalogWriter
from rag.domain.change import Removed, Upserted
from rag.domain.document import EVERYONE, Access, DocumentRef, RawDocument
from rag.domain.errors import DocumentGone, ParseFailed
from rag.domain.ids import SiloId, digest_bytes, digest_text
from rag.ingest.pipeline import FollowPorts, IngestOptions, IngestPorts, Result, follow, ingest
from rag.ports import Embedder, Parser

_SILO: Final = SiloId("handbook")
_STEP: Final = 64


class Pages:
    """The port `Fetcher` over pages in memory: the silo."""

    def __init__(self) -> None:
        self.texts: dict[str, str] = {}

    def ref(self, path: str) -> DocumentRef:
        """How a connector would name the page as it is now."""
        return DocumentRef(silo=_SILO, key=path, signature=digest_text(self.texts[path]))

    async def fetch(self, ref: DocumentRef) -> RawDocument:
        if ref.key not in self.texts:
            raise DocumentGone(f"{ref.key} is gone")
        data = self.texts[ref.key].encode("utf-8", "surrogatepass")
        return RawDocument(
            silo=_SILO, key=ref.key, uri=ref.key, data=data, digest=digest_bytes(data),
            media_type="text/markdown", modified_at=datetime.now(UTC), signature=ref.signature,
            access=Access(groups=frozenset({EVERYONE})),
        )  # fmt: skip


class LivingIndex:
    """A catalog that pages are put into and taken from; `reader` sees each change at once."""

    def __init__(
        self, writer: SqlCatalogWriter, reader: SqlCatalogReader, parser: Parser, embedder: Embedder
    ) -> None:
        self.reader = reader
        self._pages = Pages()
        self._ingest = IngestPorts(fetcher=self._pages, parser=parser, catalog=writer)
        self._follow = FollowPorts(ledger=writer, embedder=embedder, index=Nowhere())

    async def put(self, path: str, text: str) -> None:
        """Index the page as new or changed, and wait for its vectors.

        Raises:
            ParseFailed: the page cannot be read, so nothing can be measured with it.
        """
        self._pages.texts[path] = text
        done = await ingest(Upserted(ref=self._pages.ref(path)), self._ingest, IngestOptions())
        if done is Result.QUARANTINED:
            raise ParseFailed(f"{path} cannot be read")
        while await follow(self._follow, _STEP):
            pass

    async def remove(self, path: str) -> None:
        """Take the page out."""
        del self._pages.texts[path]
        gone = Removed(silo=_SILO, key=path, reason="gone")
        await ingest(gone, self._ingest, IngestOptions())


@asynccontextmanager
async def living_index(
    embedder: Embedder, parser: Parser | None = None
) -> AsyncIterator[LivingIndex]:
    """An empty index; nothing is left when it is closed. The parser is the product's own."""
    async with AsyncExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="sworn-public-"))
        path = Path(folder) / "catalog.sqlite"
        writer = SqlCatalogWriter(path, SystemClock(), embedder.digest)
        stack.push_async_callback(writer.aclose)
        reader = SqlCatalogReader(path, embedder.digest)
        stack.push_async_callback(reader.aclose)
        if parser is None:
            parser = pool = ParserPool()
            stack.push_async_callback(pool.aclose)
        yield LivingIndex(writer, reader, parser, embedder)
