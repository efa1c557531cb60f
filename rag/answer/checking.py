"""Verifying a text that someone else wrote: against the silos, or against facts that come along.

The same checklist as for Sworn's own drafts; each claim is held against the passage that
supports it best.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Final

from rag.answer.claims import split_claims
from rag.answer.pipeline import AnswerOptions, AnswerPorts, judged
from rag.answer.planning import plan_query
from rag.answer.retrieval import retrieve
from rag.answer.verification import Known, verify_claims
from rag.domain.claim import (
    Claim,
    Draft,
    DraftPart,
    Evidence,
    Judgement,
    JudgePair,
    Pointer,
    Source,
    Unchecked,
    Verdict,
)
from rag.domain.document import Element, ElementKind, Principal
from rag.domain.facts import agreement
from rag.domain.ids import ChunkId, DocumentId, SiloId, digest_text
from rag.domain.words import Span
from rag.ports import Judge, Standing

GIVEN: Final = SiloId("given")
# Passages that each claim is held against.
PASSAGES_MAX: Final = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Checked:
    """A verdict with the passage that it rests on; None when there was none."""

    verdict: Verdict
    evidence: Evidence | None


async def check_against_facts(
    text: str, facts: Sequence[str], judge: Judge, timeout_s: float
) -> tuple[Checked, ...]:
    """Hold every claim of `text` against the given facts."""
    evidence = tuple(_given(n, fact) for n, fact in enumerate(facts))
    chunks = frozenset(i for e in evidence for i in e.chunk_ids)
    standing = Standing(current=chunks, permitted=chunks)
    return tuple(
        [await _check(claim, evidence, standing, 0, judge, timeout_s) for claim in _claims(text)]
    )


async def check_against_silos(
    text: str, principal: Principal, ports: AnswerPorts, options: AnswerOptions
) -> tuple[Checked, ...]:
    """Hold every claim of `text` against what `principal` may read."""
    checked: list[Checked] = []
    for claim in _claims(text):
        async with ports.catalog.snapshot(principal, None) as snapshot:
            generation = snapshot.generation
            found = await retrieve(
                plan_query(claim.text), snapshot, ports.embedder, ports.index, options.retrieval
            )
        evidence = found.evidence[:PASSAGES_MAX]
        shown = {chunk: e.source.version for e in evidence for chunk in e.chunk_ids}
        _, standing = await ports.catalog.standing(principal, shown)
        checked.append(
            await _check(
                claim, evidence, standing, generation, ports.judge, options.judge_timeout_s
            )
        )
    return tuple(checked)


def _claims(text: str) -> tuple[Claim, ...]:
    return split_claims(Draft(parts=(DraftPart(text=text, pointers=()),)))


async def _check(
    claim: Claim,
    evidence: tuple[Evidence, ...],
    standing: Standing,
    generation: int,
    judge: Judge,
    timeout_s: float,
) -> Checked:
    pairs = [JudgePair(claim=claim.text, context="", evidence=e.text) for e in evidence]
    judgements = await judged(pairs, judge, timeout_s)
    best = max(
        range(len(evidence)), key=lambda i: _merit(claim, evidence[i], judgements[i]), default=None
    )
    known = Known(
        evidence=evidence, standing=standing, generation=generation, threshold=judge.threshold
    )
    if best is None:
        none: Judgement | Unchecked = Unchecked(reason="no passage to hold it against")
        return Checked(verdict=verify_claims([claim], [none], known)[0], evidence=None)
    cited = replace(claim, pointers=(Pointer(evidence=best, span=None),))
    verdict = verify_claims([cited], [judgements[best]], known)[0]
    return Checked(verdict=verdict, evidence=evidence[best])


def _merit(
    claim: Claim, evidence: Evidence, judgement: Judgement | Unchecked
) -> tuple[bool, float]:
    """Passages without disagreement first, then by support."""
    agrees = agreement(claim.text, evidence.text).holds
    return agrees, judgement.p_supported if isinstance(judgement, Judgement) else 0.0


def _given(number: int, fact: str) -> Evidence:
    span = Span(0, len(fact))
    never = datetime(1970, 1, 1, tzinfo=UTC)
    return Evidence(
        chunk_ids=(ChunkId(-1 - number),), text=fact, span=span, section=(), page=None, score=1.0,
        dense=0.0, elements=(Element(kind=ElementKind.PARAGRAPH, span=span),),
        source=Source(
            document_id=DocumentId(f"fact_{number}"), silo=GIVEN, key=f"fact {number + 1}",
            title=f"Fact {number + 1}", uri="", version=digest_text(fact),
            raw_digest=digest_text(fact), modified_at=never, observed_at=never, confirmed_at=never,
        ),
    )  # fmt: skip
