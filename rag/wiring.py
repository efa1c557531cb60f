"""The one place that builds adapters from settings."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from rag.adapters.chroma import ChromaIndex, collection_name
from rag.adapters.clock import SystemClock
from rag.adapters.embedding.onnx_embedder import (
    EmbeddingModel,
    OnnxEmbedder,
    ensure_exported,
    exported_folder,
    is_exported,
    locate_model,
)
from rag.adapters.generators.extractive import ExtractiveGenerator
from rag.adapters.judge_logistic import LogisticJudge
from rag.adapters.parsers.process import ParserPool
from rag.adapters.signer import load_or_create_signer
from rag.adapters.store.catalog_reader import SqlCatalogReader
from rag.adapters.store.catalog_writer import SqlCatalogWriter
from rag.adapters.store.journal import SqlJournal
from rag.adapters.store.library import Library
from rag.answer.pipeline import AnswerOptions, AnswerPorts
from rag.answer.retrieval import RetrievalOptions
from rag.domain.document import Principal
from rag.domain.errors import StoreError
from rag.domain.ids import AnswerId, Digest
from rag.ports import AnswerStore
from rag.settings import Settings

CHROMA_HOST: Final = "127.0.0.1"


@dataclass(frozen=True, slots=True)
class Paths:
    """Where things lie in the data folder."""

    data: Path

    @property
    def catalog(self) -> Path:
        return self.data / "catalog.sqlite"

    @property
    def journal(self) -> Path:
        return self.data / "journal.sqlite"

    @property
    def chroma(self) -> Path:
        return self.data / "chroma"

    @property
    def keys(self) -> Path:
        return self.data / "keys"

    @property
    def run(self) -> Path:
        return self.data / "run"


def model_cache(settings: Settings) -> Path:
    """Folder of exported models."""
    return settings.embedder.cache_dir or settings.data_dir / "models"


def prepare_model(settings: Settings) -> EmbeddingModel:
    """Find the embedding model and export it if that was never done (half a minute, once)."""
    model = locate_model(settings.embedder.model)
    ensure_exported(model, model_cache(settings))
    return model


def model_needs_export(settings: Settings) -> bool:
    """Whether the next start would have to export the embedding model first."""
    model = locate_model(settings.embedder.model)
    return not is_exported(exported_folder(model, model_cache(settings)))


def load_judge() -> LogisticJudge:
    """The judge, its weights checked."""
    return LogisticJudge.load()


def build_embedder(settings: Settings) -> OnnxEmbedder:
    """The embedder, loaded."""
    model = locate_model(settings.embedder.model)
    exported = ensure_exported(model, model_cache(settings))
    return OnnxEmbedder(model, exported, threads=settings.embedder.threads)


@dataclass(frozen=True, slots=True, kw_only=True)
class IngestHouse:
    """Belt one's adapters, open."""

    catalog: SqlCatalogWriter
    parser: ParserPool
    embedder: OnnxEmbedder
    index: ChromaIndex


@asynccontextmanager
async def open_ingest(settings: Settings, chroma_port: int) -> AsyncIterator[IngestHouse]:
    """Belt one's adapters; the caller holds the data folder's lock for the indexer."""
    embedder = build_embedder(settings)
    catalog = SqlCatalogWriter(Paths(settings.data_dir).catalog, SystemClock(), embedder.digest)

    async def name() -> str:
        catalog_id, build = await catalog.meta("catalog_id"), await catalog.meta("index_build")
        return collection_name(str(catalog_id), embedder.digest, str(build))

    index = ChromaIndex(CHROMA_HOST, chroma_port, name, create=True)
    limits = settings.ingest
    parser = ParserPool(
        n_children=limits.parsers,
        timeout_s=limits.parse_timeout_s,
        memory_bytes=limits.parse_memory_bytes,
    )
    async with AsyncExitStack() as stack:
        stack.push_async_callback(catalog.aclose)
        stack.push_async_callback(embedder.aclose)
        stack.push_async_callback(index.aclose)
        stack.push_async_callback(parser.aclose)
        yield IngestHouse(catalog=catalog, parser=parser, embedder=embedder, index=index)


@dataclass(frozen=True, slots=True, kw_only=True)
class AnswerHouse:
    """Belt two's adapters, open, and what browses the catalog beside it."""

    ports: AnswerPorts
    options: AnswerOptions
    catalog: SqlCatalogReader
    library: Library
    embedder: OnnxEmbedder
    index: ChromaIndex | None


class NoStore:
    """The port `AnswerStore` for callers that only read: nothing can be answered with it."""

    async def store(
        self, answer_id: AnswerId, principal: Principal, body: str, receipt: str, digest: Digest
    ) -> None:
        raise StoreError("nothing can be recorded here, so nothing can be answered")


class MemoryStore:
    """The port `AnswerStore` for evaluations: answers are kept as long as the process lives."""

    def __init__(self) -> None:
        self.answers: dict[AnswerId, tuple[str, str]] = {}

    async def store(
        self, answer_id: AnswerId, principal: Principal, body: str, receipt: str, digest: Digest
    ) -> None:
        self.answers[answer_id] = (body, receipt)


@asynccontextmanager
async def open_answers(
    settings: Settings, store: AnswerStore, chroma_port: int | None
) -> AsyncIterator[AnswerHouse]:
    """Belt two's adapters; reads the catalog only. Without a port, vectors are scanned exactly.

    Raises:
        StoreUnavailable: nothing was ever indexed here.
    """
    embedder = build_embedder(settings)
    paths = Paths(settings.data_dir)
    catalog = SqlCatalogReader(paths.catalog, embedder.digest)
    await catalog.ping()

    async def name() -> str:
        catalog_id, build = await catalog.meta("catalog_id"), await catalog.meta("index_build")
        return collection_name(str(catalog_id), embedder.digest, str(build))

    index = None
    if chroma_port is not None:
        index = ChromaIndex(CHROMA_HOST, chroma_port, name, create=False)
    ports = AnswerPorts(
        catalog=catalog,
        embedder=embedder,
        index=index,
        generator=ExtractiveGenerator(embedder),
        judge=load_judge(),
        signer=load_or_create_signer(paths.keys),
        store=store,
        clock=SystemClock(),
    )
    async with AsyncExitStack() as stack:
        stack.push_async_callback(catalog.aclose)
        stack.push_async_callback(embedder.aclose)
        if index is not None:
            stack.push_async_callback(index.aclose)
        yield AnswerHouse(
            ports=ports, options=answer_options(settings), catalog=catalog,
            library=Library(catalog), embedder=embedder, index=index,
        )  # fmt: skip


def answer_options(settings: Settings) -> AnswerOptions:
    """Belt two's limits from the settings."""
    r = settings.retrieval
    return AnswerOptions(
        settings_digest=settings.digest,
        retrieval=RetrievalOptions(
            dense_weight=r.dense_weight,
            candidates=r.candidates,
            evidence_max=r.evidence_max,
            per_document_max=r.per_document_max,
            exact_scan_below=r.exact_scan_below,
        ),
        judge_timeout_s=settings.verification.judge_timeout_s,
    )


def open_journal(settings: Settings) -> SqlJournal:
    """The journal; the caller is the one process that writes it."""
    return SqlJournal(Paths(settings.data_dir).journal, SystemClock())
