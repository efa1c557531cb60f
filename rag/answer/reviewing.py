"""Drafted claims with the evidence they cite, for a person to label."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from rag.answer.claims import split_claims
from rag.answer.drafting import draft_parts
from rag.answer.gathering import gather, read
from rag.answer.judging import contexts, judged
from rag.answer.pipeline import AnswerOptions, AnswerPorts
from rag.answer.planning import plan_query, plan_question
from rag.answer.retrieval import retrieve
from rag.answer.verification import cited_text
from rag.domain.claim import Draft, DraftPart, Judgement, JudgePair, Pointer, Unchecked
from rag.domain.document import Principal
from rag.domain.words import Span

_PASSAGES_MAX = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Reviewable:
    """A claim as a judge reads it, and what the judge says; `span` is the evidence it points at."""

    source: str
    pair: JudgePair
    judgement: Judgement | Unchecked

    @property
    def span(self) -> Span | None:
        return self.judgement.evidence_span if isinstance(self.judgement, Judgement) else None


async def drafted(
    question: str, principal: Principal, ports: AnswerPorts, options: AnswerOptions
) -> tuple[Reviewable, ...]:
    """The claims that the generator drafts for a question, verified or not."""
    plan = plan_question(question, options.parts_max)
    async with ports.catalog.snapshot(principal, None) as snapshot:
        found = await gather(plan, snapshot, ports.embedder, ports.index, options.retrieval)
    if ports.reader is not None:
        found = await read(plan, found, ports.reader, options.reading)
    made = await draft_parts(plan, found, ports.generator, ports.fallback, options.allowance)
    pairs: list[JudgePair] = []
    for query, draft in zip(plan.parts, made.drafts, strict=True):
        claims = [c for c in split_claims(draft) if c.asserts and c.pointers]
        pairs += [
            JudgePair(claim=c.text, context=context, evidence=cited_text(c, found.evidence))
            for c, context in zip(claims, contexts(query.text, claims), strict=True)
        ]
    return await _reviewables(question, pairs, ports, options)


async def written(
    text: str, principal: Principal, ports: AnswerPorts, options: AnswerOptions
) -> tuple[Reviewable, ...]:
    """The claims of a text from elsewhere, each with the passages that are most like it."""
    claims = [
        c for c in split_claims(Draft(parts=(DraftPart(text=text, pointers=()),))) if c.asserts
    ]
    pairs: list[JudgePair] = []
    for claim, context in zip(claims, contexts("", claims), strict=True):
        async with ports.catalog.snapshot(principal, None) as snapshot:
            found = await retrieve(
                plan_query(claim.text), snapshot, ports.embedder, ports.index, options.retrieval
            )
        shown = found.evidence[:_PASSAGES_MAX]
        if shown:
            everything = tuple(Pointer(evidence=i, span=None) for i in range(len(shown)))
            citing = replace(claim, pointers=everything)
            pairs.append(
                JudgePair(claim=claim.text, context=context, evidence=cited_text(citing, shown))
            )
    return await _reviewables(text[:200], pairs, ports, options)


async def _reviewables(
    source: str, pairs: Sequence[JudgePair], ports: AnswerPorts, options: AnswerOptions
) -> tuple[Reviewable, ...]:
    judgements = await judged(pairs, ports.judge, options.judge_timeout_s)
    return tuple(
        Reviewable(source=source, pair=pair, judgement=judgement)
        for pair, judgement in zip(pairs, judgements, strict=True)
    )
