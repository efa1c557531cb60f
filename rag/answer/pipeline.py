"""Belt two: one question, from the asker to the sealed answer.

Question ─plan→ Queries ─embed,search→ Hits ─select→ Evidence ─read→ order ─generate→ Drafts
         ─split→ Claims ─judge→ Judgements ─revise once→ Judgements ─STANDING, checklist→ Verdicts
         ─reconcile,decide→ Answer | Abstention ─seal→ Receipt ─store

A stage that is down or late is named in `degraded`, and the next best takes its place: an
extractive answer for the generator's, the order of the search for the reader's, BM25 for vectors.
Nothing takes the judge's place.
"""

import time
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field

from rag.answer.decision import Part, decide
from rag.answer.drafting import draft_parts, revise_parts
from rag.answer.gathering import Gathered, ReadingOptions, gather, read, respelt
from rag.answer.judging import Bench
from rag.answer.planning import PARTS_MAX, plan_question
from rag.answer.reconciling import clashes
from rag.answer.rendering import answer_row
from rag.answer.retrieval import RetrievalOptions
from rag.answer.sealing import canonical_json, receipt_body, seal
from rag.answer.verification import Known, verify_claims
from rag.domain.answer import Activity, Answer, Models, Question
from rag.domain.budget import Allowance, Usage
from rag.domain.claim import Evidence
from rag.domain.facts import DisagreementKind
from rag.domain.ids import AnswerId, Digest, SiloId, digest_text
from rag.ports import (
    AnswerStore,
    CatalogReader,
    Clock,
    Embedder,
    Generator,
    Judge,
    Lexicon,
    Reader,
    Reviser,
    Signer,
    Standing,
    VectorIndex,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class AnswerPorts:
    """What belt two needs of the world.

    Without an index, vectors are scanned exactly; without a reader, the search alone orders;
    without a lexicon, no word is taken for a typing error.
    `reviser` is the generator, where it can be told what was not supported; `fallback` writes
    when the generator cannot.
    """

    catalog: CatalogReader
    embedder: Embedder
    index: VectorIndex | None
    generator: Generator
    judge: Judge
    signer: Signer
    store: AnswerStore
    clock: Clock
    lexicon: Lexicon | None = None
    reader: Reader | None = None
    reviser: Reviser | None = None
    fallback: Generator | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AnswerOptions:
    """Limits and weights of belt two; `settings_digest` goes into every receipt."""

    settings_digest: str
    retrieval: RetrievalOptions = field(default_factory=RetrievalOptions)
    reading: ReadingOptions = field(default_factory=ReadingOptions)
    parts_max: int = PARTS_MAX
    judge_timeout_s: float = 10.0
    allowance: Allowance = field(default_factory=lambda: Allowance(seconds=60.0))
    vetoes: frozenset[DisagreementKind] = frozenset()
    trust: Mapping[SiloId, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """The evidence is chosen; nothing has been said yet."""

    evidence: tuple[Evidence, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Sealed:
    """The answer, recorded and signed; `body` and `receipt` are canonical JSON."""

    answer: Answer
    body: str
    receipt: str
    receipt_digest: Digest


async def answer(
    question: Question, answer_id: AnswerId, ports: AnswerPorts, options: AnswerOptions
) -> AsyncIterator[Found | Sealed]:
    """Answer one question: first what was found, at the end the sealed answer.

    Every claim in it passed the checklist, and its cited chunks were current and permitted at a
    reading of the catalog later than every other step. No record, no answer.
    """
    asked_at, trail = ports.clock.now(), _Trail()
    plan = plan_question(question.text, options.parts_max)
    trail.note("plan", len(plan))
    async with ports.catalog.snapshot(question.principal, question.silos) as snapshot:
        generation = snapshot.generation
        asked = plan
        if ports.lexicon is not None:
            plan = await respelt(plan, snapshot, ports.lexicon)
        found = await gather(plan, snapshot, ports.embedder, ports.index, options.retrieval)
    trail.note("retrieve", len(found))
    if ports.reader is not None:
        found = await read(plan, found, ports.reader, options.reading)
        trail.note("read", len(found.evidence))
    yield Found(evidence=found.evidence)
    drafted = await draft_parts(plan, found, ports.generator, ports.fallback, options.allowance)
    trail.note("generate", len(drafted), drafted.usage)
    bench = Bench(ports.judge, found.evidence, options.judge_timeout_s)
    parts = await bench.drafts(plan, drafted.drafts)
    trail.note("judge", len(parts))
    if ports.reviser is not None:
        left = options.allowance.less(drafted.usage, trail.elapsed_s)
        _, standing = await _standing(question, found, ports)
        known = _known(found, generation, standing, ports, options)
        parts, usage = await revise_parts(
            plan, found, parts, known, bench, ports.reviser, ports.fallback, left
        )
        trail.note("revise", len(parts), usage)
    checked_generation, standing = await _standing(question, found, ports)
    known = _known(found, generation, standing, ports, options)
    verdicts = [verify_claims(p.claims, p.judgements, known) for p in parts.parts]
    decision = decide(
        [
            Part(question=q.text, verdicts=v, clashes=clashes(v, found.evidence, options.trust))
            for q, v in zip(asked.parts, verdicts, strict=True)
        ],
        known, question.policy,
    )  # fmt: skip
    result = Answer(
        id=answer_id, status=decision.status, text=decision.text, reason=decision.reason,
        claims=decision.claims, withheld=decision.withheld, citations=decision.citations,
        parts=decision.parts, conflicts=decision.conflicts, nearest=decision.nearest,
        activity=tuple(trail.activity), models=_models(ports),
        degraded=tuple(dict.fromkeys((*found.degraded, *drafted.degraded))),
        policy=question.policy, threshold=ports.judge.threshold,
        calibration=ports.judge.calibration, question_digest=digest_text(question.text),
        generation=generation, checked_generation=checked_generation, asked_at=asked_at,
    )  # fmt: skip
    receipt, digest = seal(receipt_body(question, result, options.settings_digest), ports.signer)
    body = canonical_json(answer_row(result, digest))
    await ports.store.store(answer_id, question.principal, body, receipt, digest)
    yield Sealed(answer=result, body=body, receipt=receipt, receipt_digest=digest)


async def _standing(
    question: Question, found: Gathered, ports: AnswerPorts
) -> tuple[int, Standing]:
    shown = {chunk: one.source.version for chunk, one in found.chunks.items()}
    return await ports.catalog.standing(question.principal, shown)


def _known(
    found: Gathered, generation: int, standing: Standing, ports: AnswerPorts, options: AnswerOptions
) -> Known:
    return Known(
        evidence=found.evidence, standing=standing, generation=generation,
        threshold=ports.judge.threshold, vetoes=options.vetoes,
    )  # fmt: skip


def _models(ports: AnswerPorts) -> Models:
    by_role = {
        "embedder": (ports.embedder.name, ports.embedder.digest),
        "generator": (ports.generator.name, ports.generator.digest),
        "judge": (ports.judge.name, ports.judge.digest),
    }
    if ports.reader is not None:
        by_role["reader"] = (ports.reader.name, ports.reader.digest)
    if ports.fallback is not None:
        by_role["fallback"] = (ports.fallback.name, ports.fallback.digest)
    return Models(by_role=by_role)


class _Trail:
    """What happened on the way, with times."""

    def __init__(self) -> None:
        self.activity: list[Activity] = []
        self._began_s = self._last_s = time.perf_counter()

    @property
    def elapsed_s(self) -> float:
        return time.perf_counter() - self._began_s

    def note(self, name: str, count: int, usage: Usage | None = None) -> None:
        """A step ends here: it began where the one before it ended."""
        now_s = time.perf_counter()
        elapsed_ms, self._last_s = round((now_s - self._last_s) * 1000, 2), now_s
        used = usage or Usage()
        self.activity.append(
            Activity(
                step=name, elapsed_ms=elapsed_ms, count=count, tokens=used.tokens,
                cost=round(used.cost, 6),
            )
        )  # fmt: skip
