"""The answering belt with its real models and without a language model, over a catalog of ours."""

import time
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from eval.public.scoring import Reply
from eval.public.sets import Asked
from eval.retrieval.vectors import KeptVectors
from rag.adapters.clock import SystemClock
from rag.adapters.embedding.onnx_embedder import OnnxEmbedder
from rag.adapters.generators.extractive import ExtractiveGenerator, load_weights
from rag.adapters.generators.question import read_question
from rag.adapters.judge.calibrated import CalibratedJudge
from rag.adapters.reader.neural import NeuralReader
from rag.adapters.signer import Ed25519Signer, load_or_create_signer
from rag.answer.pipeline import AnswerOptions, AnswerPorts, Found, Sealed, answer
from rag.domain.answer import Answer, Question, Status
from rag.domain.budget import Allowance
from rag.domain.claim import Draft, Evidence
from rag.domain.document import Principal
from rag.domain.ids import AnswerId, Digest, SiloId
from rag.ports import CatalogReader
from rag.settings import Settings
from rag.wiring import MemoryStore, answer_options, build_embedder, load_judge, load_reader

VECTORS: Final = "vectors.sqlite"


class Confiding:
    """The port `Generator` over the extractive one; tells how sure it was of what it wrote last.

    Questions are asked one after another, so that `confidence` is that of the last one; of
    several parts it is that of the surest. What it reads off a table by rule has none of its own.
    """

    name = "extractive"

    def __init__(self, inner: ExtractiveGenerator) -> None:
        self._inner = inner
        self.confidence = 0.0

    @property
    def digest(self) -> Digest:
        return self._inner.digest

    async def generate(
        self, question: str, evidence: Sequence[Evidence], allowance: Allowance
    ) -> Draft:
        ranked = await self._inner.score(read_question(question), evidence)
        self.confidence = max([self.confidence, *(scored.score for scored in ranked[:1])])
        return await self._inner.generate(question, evidence, allowance)


@dataclass(frozen=True, slots=True, kw_only=True)
class Belt:
    """The models, loaded once for all sets; `embedder` keeps what it embeds in a file."""

    embedder: KeptVectors
    lexicon: OnnxEmbedder
    generator: Confiding
    judge: CalibratedJudge
    reader: NeuralReader | None
    signer: Ed25519Signer
    options: AnswerOptions

    async def reply(self, asked: Asked, catalog: CatalogReader) -> Reply:
        """Ask one question of the catalog, or of one silo in it."""
        self.generator.confidence = 0.0
        silos = None if asked.silo is None else (SiloId(asked.silo),)
        question = Question(text=asked.question, principal=Principal(id="eval"), silos=silos)
        shown: tuple[Evidence, ...] = ()
        started_s = time.perf_counter()
        async for event in answer(question, AnswerId("ans_eval"), self._on(catalog), self.options):
            match event:
                case Found():
                    shown = event.evidence
                case Sealed():
                    elapsed_ms = (time.perf_counter() - started_s) * 1000
                    return _reply(event.answer, shown, self.generator.confidence, elapsed_ms)
        raise AssertionError("the belt ended without an answer")

    def _on(self, catalog: CatalogReader) -> AnswerPorts:
        # A store for each answer: nobody reads them, and thousands would be kept.
        return AnswerPorts(
            catalog=catalog, embedder=self.embedder, index=None, generator=self.generator,
            judge=self.judge, signer=self.signer, store=MemoryStore(), clock=SystemClock(),
            lexicon=self.lexicon, reader=self.reader,
        )  # fmt: skip


@asynccontextmanager
async def open_belt(settings: Settings, state: Path, *, always: bool) -> AsyncIterator[Belt]:
    """The models that the settings name, and the judge's shipped calibration.

    With `always` the generator has no threshold: it drafts its best unit whatever it thinks of it.

    Raises:
        ModelUnavailable: one of them is not there.
        StoreUnavailable: vectors cannot be kept.
    """
    async with AsyncExitStack() as stack:
        inner = build_embedder(settings)
        stack.push_async_callback(inner.aclose)
        kept = KeptVectors(inner, state / VECTORS)
        stack.callback(kept.close)
        judge = load_judge(settings.judge)
        stack.push_async_callback(judge.aclose)
        reader = load_reader(settings.reader)
        if reader is not None:
            stack.push_async_callback(reader.aclose)
        weights = load_weights()
        used = replace(weights, threshold=0.0) if always else weights
        yield Belt(
            embedder=kept, lexicon=inner, generator=Confiding(ExtractiveGenerator(kept, used)),
            judge=judge, reader=reader, signer=load_or_create_signer(state / "keys"),
            options=answer_options(settings),
        )  # fmt: skip


def _reply(given: Answer, shown: Sequence[Evidence], confidence: float, elapsed_ms: float) -> Reply:
    claims = () if given.status is Status.ABSTAINED else given.claims
    short = ""
    if claims:
        first = claims[0].verdict.claim
        short = first.text if first.short is None else first.short.of(first.text)
    return Reply(
        claims=tuple(c.verdict.claim.text for c in claims), short=short, confidence=confidence,
        shown=tuple(e.text for e in shown), elapsed_ms=elapsed_ms,
    )  # fmt: skip
