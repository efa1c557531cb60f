"""Belt two: one question, from the asker to the sealed answer.

Question ─plan→ Queries ─embed,search→ Hits ─select→ Evidence ─read→ order ─generate→ Drafts
         ─split→ Claims ─judge→ Judgements ─revise once→ Judgements ─STANDING, checklist→ Verdicts
         (─bridge→ Queries, once, where nothing stands) ─reconcile,decide→ Answer | Abstention ─seal→ Receipt ─store

A stage that is down or late is named in `degraded`, and the next best takes its place: an
extractive answer for the generator's, the order of the search for the reader's, BM25 for vectors.
Nothing takes the judge's place.
"""

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field

from rag.answer.decision import Part, decide
from rag.answer.drafting import draft_parts, repointed, revise_parts
from rag.answer.gathering import Gathered, ReadingOptions, gather, read, respelt
from rag.answer.judging import Bench, JudgedParts
from rag.answer.planning import PARTS_MAX, Plan, plan_query, plan_question
from rag.answer.premises import correction
from rag.answer.reconciling import clashes
from rag.answer.rendering import answer_row
from rag.answer.retrieval import RetrievalOptions
from rag.answer.sealing import canonical_json, receipt_body, seal
from rag.answer.trail import Trail
from rag.answer.verification import Known, verify_claims
from rag.domain.answer import Answer, Models, Question
from rag.domain.bridge import bridge_of
from rag.domain.budget import Allowance
from rag.domain.claim import Draft, Evidence
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
    asked_at, trail = ports.clock.now(), Trail()
    plan = plan_question(question.text, options.parts_max)
    trail.note("plan", len(plan))
    searched = await _search(plan, question, ports, options, trail)
    yield Found(evidence=searched.found.evidence)
    verified = await _verify(searched, question, ports, options, trail)
    if not verified.supports:
        verified = await _bridge(question, verified, ports, options, trail) or verified
    decision = decide(verified.parts, verified.known, question.policy)
    found, known = verified.searched.found, verified.known
    result = Answer(
        id=answer_id, status=decision.status, text=decision.text, reason=decision.reason,
        claims=decision.claims, withheld=decision.withheld, citations=decision.citations,
        parts=decision.parts, conflicts=decision.conflicts, nearest=decision.nearest,
        activity=tuple(trail.activity), models=_models(ports),
        degraded=tuple(dict.fromkeys((*found.degraded, *verified.degraded))),
        policy=question.policy, threshold=ports.judge.threshold,
        calibration=ports.judge.calibration, question_digest=digest_text(question.text),
        generation=known.generation, checked_generation=verified.checked_generation,
        asked_at=asked_at,
    )  # fmt: skip
    receipt, digest = seal(receipt_body(question, result, options.settings_digest), ports.signer)
    body = canonical_json(answer_row(result, digest))
    await ports.store.store(answer_id, question.principal, body, receipt, digest)
    yield Sealed(answer=result, body=body, receipt=receipt, receipt_digest=digest)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Searched:
    """What was found for the parts of `asked`; `plan` is that with words respelt."""

    asked: Plan
    plan: Plan
    found: Gathered
    generation: int


@dataclass(frozen=True, slots=True, kw_only=True)
class _Verified:
    """What stands of what was drafted, at a reading of the catalog later than all before."""

    searched: _Searched
    parts: tuple[Part, ...]
    known: Known
    checked_generation: int
    degraded: tuple[str, ...]

    @property
    def supports(self) -> bool:
        """Whether any claim stands."""
        return any(v.supported for part in self.parts for v in part.verdicts)


async def _search(
    asked: Plan, question: Question, ports: AnswerPorts, options: AnswerOptions, trail: Trail
) -> _Searched:
    plan = asked
    async with ports.catalog.snapshot(question.principal, question.silos) as snapshot:
        generation = snapshot.generation
        if ports.lexicon is not None:
            plan = await respelt(plan, snapshot, ports.lexicon)
        found = await gather(plan, snapshot, ports.embedder, ports.index, options.retrieval)
    trail.note("retrieve", len(found))
    if ports.reader is not None:
        found = await read(plan, found, ports.reader, options.reading)
        trail.note("read", len(found.evidence))
    return _Searched(asked=asked, plan=plan, found=found, generation=generation)


async def _verify(
    searched: _Searched,
    question: Question,
    ports: AnswerPorts,
    options: AnswerOptions,
    trail: Trail,
) -> _Verified:
    plan, found = searched.plan, searched.found
    left = options.allowance.less(trail.used, trail.elapsed_s)
    drafted = await draft_parts(plan, found, ports.generator, ports.fallback, left)
    trail.note("generate", len(drafted), drafted.usage)
    bench = Bench(ports.judge, found.evidence, options.judge_timeout_s)
    parts = await bench.drafts(plan, drafted.drafts)
    trail.note("judge", len(parts))
    if ports.reviser is not None:
        left = options.allowance.less(trail.used, trail.elapsed_s)
        _, standing = await _standing(question, found, ports)
        known = _known(searched, standing, ports, options)
        parts, usage = await revise_parts(
            plan, found, parts, known, bench, ports.reviser, ports.fallback, left
        )
        trail.note("revise", len(parts), usage)
    instead = await _corrections(searched, parts, bench)
    checked_generation, standing = await _standing(question, found, ports)
    known = _known(searched, standing, ports, options)
    verdicts = [verify_claims(p.claims, p.judgements, known) for p in parts.parts]
    return _Verified(
        searched=searched, known=known, checked_generation=checked_generation,
        degraded=drafted.degraded,
        parts=tuple(
            Part(
                question=q.text, verdicts=v, clashes=clashes(v, found.evidence, options.trust),
                instead=verify_claims(i.claims, i.judgements, known),
                too_new=n in found.too_new,
            )
            for n, (q, v, i) in enumerate(
                zip(searched.asked.parts, verdicts, instead.parts, strict=True)
            )
        ),
    )  # fmt: skip


async def _corrections(searched: _Searched, parts: JudgedParts, bench: Bench) -> JudgedParts:
    """For each part of which nothing was said, what the sources say against what it grants."""
    drafts = [
        Draft(parts=()) if len(part) else repointed(correction(query.text, some), shown)
        for part, query, some, shown in zip(
            parts.parts,
            searched.plan.parts,
            (searched.found.of(n) for n in range(len(searched.plan))),
            searched.found.shown,
            strict=True,
        )
    ]
    return await bench.drafts(searched.plan, drafts)


async def _bridge(
    question: Question,
    before: _Verified,
    ports: AnswerPorts,
    options: AnswerOptions,
    trail: Trail,
) -> _Verified | None:
    """The question asked again with what it only describes put in by name.

    None where it describes nothing, or what it describes is not found.
    """
    bridge = bridge_of(question.text) if len(before.parts) == 1 else None
    if bridge is None:
        return None
    first = plan_query(bridge.first)
    searched = await _search(Plan(parts=(first,)), question, ports, options, trail)
    found = await _verify(searched, question, ports, options, trail)
    name = next((v.short for p in found.parts for v in p.verdicts if v.supported and v.short), None)
    if name is None:
        return None
    plan = Plan(parts=(first, plan_query(bridge.second(name))))
    trail.note("bridge", len(plan))
    searched = await _search(plan, question, ports, options, trail)
    again = await _verify(searched, question, ports, options, trail)
    # The name stands in the second question: what no longer stands may not be named.
    return again if name in {v.short for v in again.parts[0].verdicts if v.supported} else None


async def _standing(
    question: Question, found: Gathered, ports: AnswerPorts
) -> tuple[int, Standing]:
    shown = {chunk: one.source.version for chunk, one in found.chunks.items()}
    return await ports.catalog.standing(question.principal, shown)


def _known(
    searched: _Searched, standing: Standing, ports: AnswerPorts, options: AnswerOptions
) -> Known:
    return Known(
        evidence=searched.found.evidence, standing=standing, generation=searched.generation,
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
