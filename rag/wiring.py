"""The one place that builds adapters from settings."""

import os
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from rag.adapters.chroma import ChromaIndex, collection_name
from rag.adapters.clock import SystemClock
from rag.adapters.embedding.onnx_embedder import (
    EmbeddingModel,
    OnnxEmbedder,
    ensure_exported,
    locate_model,
)
from rag.adapters.generators.extractive import ExtractiveGenerator
from rag.adapters.generators.llm import LlmGenerator
from rag.adapters.generators.llm_options import LlmOptions
from rag.adapters.judge.calibrated import CalibratedJudge, Scorer, calibrate
from rag.adapters.judge.cross_encoder import CrossEncoderJudge
from rag.adapters.judge.logistic import LogisticJudge
from rag.adapters.judge.neural import NeuralJudge
from rag.adapters.parsers.process import ParserPool
from rag.adapters.reader.neural import NeuralReader
from rag.adapters.signer import load_or_create_signer
from rag.adapters.store.catalog_reader import SqlCatalogReader
from rag.adapters.store.catalog_writer import SqlCatalogWriter
from rag.adapters.store.journal import SqlJournal
from rag.adapters.store.library import Library
from rag.answer.gathering import ReadingOptions
from rag.answer.pipeline import AnswerOptions, AnswerPorts
from rag.answer.retrieval import RetrievalOptions
from rag.domain.budget import Allowance
from rag.domain.calibration import Point
from rag.domain.document import Principal
from rag.domain.errors import ConfigError, StoreError, StoreUnavailable
from rag.domain.ids import AnswerId, Digest, SiloId
from rag.ports import AnswerStore
from rag.settings import (
    CHROMA_HOST,
    GeneratorSettings,
    JudgeSettings,
    Paths,
    ReaderSettings,
    Settings,
    model_cache,
)


def prepare_model(settings: Settings) -> EmbeddingModel:
    """Find the embedding model and export it if that was never done (half a minute, once)."""
    model = locate_model(settings.embedder.model)
    ensure_exported(model, model_cache(settings))
    return model


def load_scorer(settings: JudgeSettings) -> Scorer:
    """The judge that the settings name, before a threshold is chosen; its weights are checked.

    Raises:
        ModelUnavailable: it is not there, or not what it should be.
    """
    if settings.model == "features":
        return LogisticJudge.load()
    if settings.model == "sworn":
        return NeuralJudge.load(threads=settings.threads, windows_max=settings.windows)
    return CrossEncoderJudge.load(Path(settings.model), settings)


def load_judge(settings: JudgeSettings, own: Path | None = None) -> CalibratedJudge:
    """The judge at its operating point; `own` is the installation's calibration, if it made one.

    Raises:
        ConfigError: there is no threshold for it.
        ModelUnavailable: it is not there, or not what it should be.
    """
    return calibrate(load_scorer(settings), Point(settings.operating_point), own)


def build_llm(settings: GeneratorSettings) -> LlmGenerator | None:
    """The generator with a language model; None where the settings want the extractive one.

    Raises:
        ConfigError: a setting is missing, or the key is not where they say.
    """
    if settings.kind == "extractive":
        return None
    names = LlmOptions.__dataclass_fields__.keys() - {"api_key", "ca_file"}
    given = {name: getattr(settings, name) for name in names if hasattr(settings, name)}
    ca_file = None if settings.ca_file is None else str(settings.ca_file)
    return LlmGenerator(LlmOptions(**given, api_key=_api_key(settings), ca_file=ca_file))


def _api_key(settings: GeneratorSettings) -> str | None:
    if settings.api_key_env:
        found = os.environ.get(settings.api_key_env)
        if not found:
            raise ConfigError(
                f"the generator's key is not in {settings.api_key_env}",
                remedy="set that variable of the environment, or name another",
            )
        return found
    if settings.api_key_file is None:
        return None
    try:
        return settings.api_key_file.read_text("utf-8").strip()
    except (OSError, UnicodeDecodeError) as exc:
        raise ConfigError(f"cannot read the generator's key: {exc}") from exc


def load_reader(settings: ReaderSettings) -> NeuralReader | None:
    """The reader, its weights checked; None where the settings turn it off.

    Raises:
        ModelUnavailable: it is not there, or not what it should be.
    """
    return None if settings.model == "off" else NeuralReader.load(threads=settings.threads)


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
        idle_s=limits.parser_idle_s,
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


@asynccontextmanager
async def open_library(settings: Settings) -> AsyncIterator[Library]:
    """The catalog for browsing alone: no model is loaded, nothing is written."""
    digest = locate_model(settings.embedder.model).digest
    catalog = SqlCatalogReader(Paths(settings.data_dir).catalog, digest)
    try:
        yield Library(catalog)
    finally:
        await catalog.aclose()


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
    settings: Settings,
    store: AnswerStore,
    chroma_port: int | None,
    *,
    judge: CalibratedJudge | None = None,
) -> AsyncIterator[AnswerHouse]:
    """Belt two's adapters; reads the catalog only. Without a port, vectors are scanned exactly.

    `judge` takes the place of the one that the settings name; it is closed with the rest.

    Raises:
        StoreUnavailable: nothing was ever indexed here.
    """
    paths = Paths(settings.data_dir)
    if not paths.catalog.exists():
        raise StoreUnavailable(
            "nothing is indexed here yet", remedy="`sworn serve` or `sworn sync` does it"
        )
    async with AsyncExitStack() as stack:
        embedder = build_embedder(settings)
        stack.push_async_callback(embedder.aclose)
        catalog = SqlCatalogReader(paths.catalog, embedder.digest)
        stack.push_async_callback(catalog.aclose)
        await catalog.ping()

        async def name() -> str:
            catalog_id, build = await catalog.meta("catalog_id"), await catalog.meta("index_build")
            return collection_name(str(catalog_id), embedder.digest, str(build))

        index = None
        if chroma_port is not None:
            index = ChromaIndex(CHROMA_HOST, chroma_port, name, create=False)
            stack.push_async_callback(index.aclose)
        judge = judge or load_judge(settings.judge, paths.calibration)
        stack.push_async_callback(judge.aclose)
        extractive = ExtractiveGenerator(embedder)
        written = build_llm(settings.generator)
        if written is not None:
            stack.push_async_callback(written.aclose)
            await written.start()
        reader = load_reader(settings.reader)
        if reader is not None:
            stack.push_async_callback(reader.aclose)
        ports = AnswerPorts(
            catalog=catalog,
            embedder=embedder,
            index=index,
            generator=written or extractive,
            reviser=written,
            fallback=extractive if written else None,
            judge=judge,
            signer=load_or_create_signer(paths.keys),
            store=store,
            clock=SystemClock(),
            lexicon=embedder,
            reader=reader,
        )
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
            timeout_s=r.timeout_s,
        ),
        reading=ReadingOptions(
            depth=settings.reader.depth,
            weight=settings.reader.weight,
            timeout_s=settings.reader.timeout_s,
        ),
        parts_max=r.parts_max,
        allowance=Allowance(**settings.budget.model_dump()),
        judge_timeout_s=settings.verification.judge_timeout_s,
        vetoes=frozenset(settings.verification.vetoes),
        trust={SiloId(silo.id): silo.trust for silo in settings.silos},
    )


def open_journal(settings: Settings) -> SqlJournal:
    """The journal; the caller is the one process that writes it."""
    return SqlJournal(Paths(settings.data_dir).journal, SystemClock())
