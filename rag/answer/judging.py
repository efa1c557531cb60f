"""Asking the judge, so that whatever it does, every claim has a judgement or a reason for none."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from rag.answer.claims import split_claims
from rag.answer.deriving import worked_out
from rag.answer.planning import Plan
from rag.answer.verification import cited_text
from rag.domain.claim import Claim, Draft, Evidence, Judgement, JudgePair, Unchecked
from rag.domain.errors import ModelError
from rag.ports import Judge


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """Claims with their judgements, one a claim."""

    claims: tuple[Claim, ...]
    judgements: tuple[Judgement | Unchecked, ...]

    def __len__(self) -> int:
        return len(self.claims)


@dataclass(frozen=True, slots=True, kw_only=True)
class JudgedParts:
    """The claims of each part of a question."""

    parts: tuple[Judged, ...]

    def __len__(self) -> int:
        return sum(map(len, self.parts))


@dataclass(frozen=True, slots=True)
class Bench:
    """The judge, and the evidence of the question that it sits over."""

    judge: Judge
    evidence: tuple[Evidence, ...]
    timeout_s: float

    async def drafts(self, plan: Plan, drafts: Sequence[Draft]) -> JudgedParts:
        """The claims of each part's draft; one after another, for the judge reads one at a time."""
        parts = [
            await self.claims(query.text, split_claims(draft))
            for query, draft in zip(plan.parts, drafts, strict=True)
        ]
        return JudgedParts(parts=tuple(parts))

    async def claims(self, question: str, claims: Sequence[Claim]) -> Judged:
        """One judgement per claim of a draft, over all evidence that the claim cites.

        A figure over table rows is not judged but worked out again.
        """
        pairs = [
            JudgePair(claim=c.text, context=context, evidence=cited_text(c, self.evidence))
            for c, context in zip(claims, contexts(question, claims), strict=True)
            if c.derived is None
        ]
        judgements = iter(await judged(pairs, self.judge, self.timeout_s))
        return Judged(
            claims=tuple(claims),
            judgements=tuple(
                next(judgements) if c.derived is None else worked_out(c, c.derived, self.evidence)
                for c in claims
            ),
        )


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
