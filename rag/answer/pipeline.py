"""Belt two: one question, from the asker to the sealed answer.

Question ─plan→ Query ─embed,search→ Hits ─select→ Evidence ─generate→ Draft ─split→ Claims
         ─judge→ Verdicts ─decide→ Answer | Abstention ─seal→ Receipt ─store
"""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Sequence, Sized
from dataclasses import dataclass, field
from typing import TypeVar

from rag.answer.claims import split_claims
from rag.answer.decision import decide
from rag.answer.planning import plan_query
from rag.answer.rendering import answer_row
from rag.answer.retrieval import RetrievalOptions, Retrieved, retrieve
from rag.answer.sealing import canonical_json, receipt_body, seal
from rag.answer.verification import Known, cited_text, verify_claims
from rag.domain.answer import Activity, Answer, Models, Question
from rag.domain.budget import Allowance
from rag.domain.claim import Claim, Draft, Evidence, Judgement, JudgePair, Unchecked
from rag.domain.errors import ModelError
from rag.domain.facts import DisagreementKind
from rag.domain.ids import AnswerId, Digest, digest_text
from rag.ports import (
    AnswerStore,
    CatalogReader,
    Clock,
    Embedder,
    Generator,
    Judge,
    Signer,
    VectorIndex,
)

T = TypeVar("T", bound=Sized)


@dataclass(frozen=True, slots=True, kw_only=True)
class AnswerPorts:
    """What belt two needs of the world. Without an index, vectors are scanned exactly."""

    catalog: CatalogReader
    embedder: Embedder
    index: VectorIndex | None
    generator: Generator
    judge: Judge
    signer: Signer
    store: AnswerStore
    clock: Clock


@dataclass(frozen=True, slots=True, kw_only=True)
class AnswerOptions:
    """Limits and weights of belt two; `settings_digest` goes into every receipt."""

    settings_digest: str
    retrieval: RetrievalOptions = field(default_factory=RetrievalOptions)
    judge_timeout_s: float = 10.0
    allowance: Allowance = field(default_factory=lambda: Allowance(seconds=60.0))
    vetoes: frozenset[DisagreementKind] = frozenset()


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
    async with ports.catalog.snapshot(question.principal, question.silos) as snapshot:
        generation = snapshot.generation
        search = retrieve(
            plan_query(question.text), snapshot, ports.embedder, ports.index, options.retrieval
        )
        found: Retrieved = await trail.step("retrieve", search)
    evidence = found.evidence
    yield Found(evidence=evidence)
    draft: Draft = await trail.step(
        "generate", _draft(question, evidence, ports.generator, options.allowance)
    )
    claims = split_claims(draft)
    judgements = await trail.step("judge", _judge(question, claims, evidence, ports.judge, options))
    shown = {chunk: e.source.version for e in evidence for chunk in e.chunk_ids}
    checked_generation, standing = await ports.catalog.standing(question.principal, shown)
    threshold = ports.judge.threshold
    known = Known(
        evidence=evidence, standing=standing, generation=generation, threshold=threshold,
        vetoes=options.vetoes,
    )  # fmt: skip
    verdicts = verify_claims(claims, judgements, known)
    decision = decide(verdicts, evidence, question.policy)
    result = Answer(
        id=answer_id, status=decision.status, text=decision.text, reason=decision.reason,
        claims=decision.claims, withheld=decision.withheld, citations=decision.citations,
        activity=tuple(trail.activity), degraded=found.degraded, models=_models(ports),
        policy=question.policy, threshold=threshold, calibration=ports.judge.calibration,
        question_digest=digest_text(question.text), generation=generation,
        checked_generation=checked_generation, asked_at=asked_at,
    )  # fmt: skip
    receipt, digest = seal(receipt_body(question, result, options.settings_digest), ports.signer)
    body = canonical_json(answer_row(result, digest))
    await ports.store.store(answer_id, question.principal, body, receipt, digest)
    yield Sealed(answer=result, body=body, receipt=receipt, receipt_digest=digest)


async def _draft(
    question: Question, evidence: Sequence[Evidence], generator: Generator, allowance: Allowance
) -> Draft:
    if not evidence:
        return Draft(parts=())
    return await generator.generate(question.text, evidence, allowance)


async def _judge(
    question: Question,
    claims: Sequence[Claim],
    evidence: Sequence[Evidence],
    judge: Judge,
    options: AnswerOptions,
) -> Sequence[Judgement | Unchecked]:
    """One judgement per claim; a judge that fails or is late gives none (invariant I8)."""
    pairs = [
        JudgePair(claim=c.text, context=context, evidence=cited_text(c, evidence))
        for c, context in zip(claims, contexts(question.text, claims), strict=True)
    ]
    return await judged(pairs, judge, options.judge_timeout_s)


def contexts(question: str, claims: Sequence[Claim]) -> list[str]:
    """What explains each claim: the question, and the claim before it."""
    before = ["", *(c.text for c in claims)][: len(claims)]
    return [f"{question}\n{text}".strip() for text in before]


async def judged(
    pairs: Sequence[JudgePair], judge: Judge, timeout_s: float
) -> Sequence[Judgement | Unchecked]:
    """One judgement per pair; none for any when the judge fails, is late or loses count.

    A judgement that makes no sense (not a probability, a span outside its text) is none.
    """
    try:
        async with asyncio.timeout(timeout_s):
            judgements = await judge.judge(pairs)
    except TimeoutError:
        return [Unchecked(reason="the judge was too slow")] * len(pairs)
    except ModelError as exc:
        return [Unchecked(reason=f"the judge failed: {exc.code}")] * len(pairs)
    if len(judgements) != len(pairs):
        return [Unchecked(reason="the judge lost count")] * len(pairs)
    nonsense = Unchecked(reason="the judge gave nonsense")
    return [j if _is_sound(j, p) else nonsense for j, p in zip(judgements, pairs, strict=True)]


def _is_sound(judgement: Judgement | Unchecked, pair: JudgePair) -> bool:
    if isinstance(judgement, Unchecked):
        return True
    return (
        0.0 <= judgement.p_supported <= 1.0
        and 0.0 <= judgement.p_refuted <= 1.0
        and judgement.evidence_span.end <= len(pair.evidence)
        and all(span.end <= len(pair.claim) for span in judgement.flagged)
    )


def _models(ports: AnswerPorts) -> Models:
    return Models(
        by_role={
            "embedder": (ports.embedder.name, ports.embedder.digest),
            "generator": (ports.generator.name, ports.generator.digest),
            "judge": (ports.judge.name, ports.judge.digest),
        }
    )


class _Trail:
    """What happened on the way, with times."""

    def __init__(self) -> None:
        self.activity: list[Activity] = []

    async def step(self, name: str, work: Awaitable[T]) -> T:
        started_s = time.perf_counter()
        result = await work
        elapsed_ms = round((time.perf_counter() - started_s) * 1000, 2)
        self.activity.append(Activity(step=name, elapsed_ms=elapsed_ms, count=len(result)))
        return result
