"""Drafts of all parts of a question, and the one chance to mend what was not supported."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from rag.answer.claims import split_claims
from rag.answer.gathering import Gathered
from rag.answer.judging import Bench, Judged, JudgedParts
from rag.answer.planning import Plan
from rag.answer.verification import Known, verify_claims
from rag.domain.budget import Allowance, Usage
from rag.domain.claim import Draft, Evidence, Label, Pointer, Refused, Verdict
from rag.domain.errors import ModelError
from rag.ports import Generator, Reviser

GENERATOR: Final = "generator"


@dataclass(frozen=True, slots=True, kw_only=True)
class Drafted:
    """The drafts of all parts, in order; their pointers index the evidence of all parts."""

    drafts: tuple[Draft, ...]
    degraded: tuple[str, ...] = ()

    def __len__(self) -> int:
        return sum(map(len, self.drafts))

    @property
    def usage(self) -> Usage:
        return sum((d.usage for d in self.drafts), Usage())


async def draft_parts(
    plan: Plan,
    found: Gathered,
    generator: Generator,
    fallback: Generator | None,
    allowance: Allowance,
) -> Drafted:
    """A draft of each part, all at once, each with its share of the allowance."""
    share = allowance.shared(len(plan))
    done = await asyncio.gather(
        *(
            _draft(query.text, found.of(n), generator, fallback, share)
            for n, query in enumerate(plan.parts)
        )
    )
    return Drafted(
        drafts=tuple(
            repointed(draft, shown) for (draft, _), shown in zip(done, found.shown, strict=True)
        ),
        degraded=tuple(dict.fromkeys(name for _, degraded in done for name in degraded)),
    )


async def _draft(
    question: str,
    evidence: Sequence[Evidence],
    generator: Generator,
    fallback: Generator | None,
    allowance: Allowance,
) -> tuple[Draft, tuple[str, ...]]:
    """The generator's draft, or the fallback's where it fails or is late."""
    if not evidence:
        return Draft(parts=()), ()
    written, used = await _written(question, evidence, generator, allowance)
    if written is not None:
        return written, ()
    if fallback is not None:
        written, more = await _written(question, evidence, fallback, allowance)
        used += more
    return replace(written or Draft(parts=()), usage=used), (GENERATOR,)


async def _written(
    question: str, evidence: Sequence[Evidence], generator: Generator, allowance: Allowance
) -> tuple[Draft | None, Usage]:
    """A draft, or None when the generator fails or is late; and what was spent on it."""
    try:
        async with asyncio.timeout(allowance.seconds):
            draft = await generator.generate(question, evidence, allowance)
    except ModelError as exc:
        return None, exc.usage
    except TimeoutError:
        return None, Usage()
    return draft, draft.usage


def repointed(draft: Draft, shown: Sequence[int]) -> Draft:
    """The draft with pointers into the evidence of all parts; one to nothing points to nothing."""

    def moved(pointer: Pointer) -> Pointer:
        inside = 0 <= pointer.evidence < len(shown)
        return replace(pointer, evidence=shown[pointer.evidence] if inside else -1)

    return replace(
        draft,
        parts=tuple(replace(p, pointers=tuple(map(moved, p.pointers))) for p in draft.parts),
    )


async def revise_parts(
    plan: Plan,
    found: Gathered,
    parts: JudgedParts,
    known: Known,
    bench: Bench,
    reviser: Reviser,
    fallback: Generator | None,
    allowance: Allowance,
) -> tuple[JudgedParts, Usage]:
    """What was not supported goes back once, with the reasons; what comes back is judged anew.

    A claim that then stands takes the refused one's place. A part of which nothing stands gets the
    fallback's claims that do. What the judge could not judge is no fault of the draft.
    """
    share = allowance.shared(len(plan))
    usage = Usage()
    done: list[Judged] = []
    for n, (query, given) in enumerate(zip(plan.parts, parts.parts, strict=True)):
        verdicts = verify_claims(given.claims, given.judgements, known)
        refused = [i for i, v in enumerate(verdicts) if _is_refused(v)]
        if not refused:
            done.append(given)
            continue
        told = [_told(verdicts[i]) for i in refused]
        mended = await _mended(query.text, found, n, told, reviser, share)
        usage += mended.usage
        part = await _replaced(query.text, given, refused, mended, known, bench)
        if fallback is not None and not _stands(part, known):
            written, more = await _written(query.text, found.of(n), fallback, share)
            usage += more
            claims = split_claims(repointed(written, found.shown[n])) if written else ()
            part = _with(part, await bench.claims(query.text, claims), known)
        done.append(part)
    return JudgedParts(parts=tuple(done)), usage


def _stands(part: Judged, known: Known) -> bool:
    return any(v.supported for v in verify_claims(part.claims, part.judgements, known))


def _is_refused(verdict: Verdict) -> bool:
    return verdict.claim.asserts and not verdict.supported and verdict.label is not Label.UNCHECKED


def _told(verdict: Verdict) -> Refused:
    reason = verdict.reason
    return Refused(text=verdict.claim.text, reason=reason.detail if reason else "not supported")


async def _mended(
    question: str,
    found: Gathered,
    part: int,
    refused: Sequence[Refused],
    reviser: Reviser,
    allowance: Allowance,
) -> Draft:
    """The reviser's draft, one part for each refused claim; empty when nothing came of it."""
    try:
        async with asyncio.timeout(allowance.seconds):
            draft = await reviser.revise(question, found.of(part), refused, allowance)
    except ModelError as exc:
        return Draft(parts=(), usage=exc.usage)
    except TimeoutError:
        return Draft(parts=())
    return repointed(draft, found.shown[part])


async def _replaced(
    question: str, part: Judged, refused: Sequence[int], mended: Draft, known: Known, bench: Bench
) -> Judged:
    """The claims with each refused one replaced by what stands of its mended form."""
    if len(mended.parts) != len(refused):
        return part
    claims, judgements = list(part.claims), list(part.judgements)
    for at, new in zip(reversed(refused), reversed(mended.parts), strict=True):
        if not new.text.strip():
            continue
        again = await bench.claims(question, split_claims(Draft(parts=(new,))))
        verdicts = verify_claims(again.claims, again.judgements, known)
        stand = [i for i, v in enumerate(verdicts) if v.supported]
        if stand:
            claims[at : at + 1] = [again.claims[i] for i in stand]
            judgements[at : at + 1] = [again.judgements[i] for i in stand]
    return Judged(claims=tuple(claims), judgements=tuple(judgements))


def _with(part: Judged, more: Judged, known: Known) -> Judged:
    """The claims, and of the further ones those that stand."""
    verdicts = verify_claims(more.claims, more.judgements, known)
    stand = [i for i, v in enumerate(verdicts) if v.supported]
    return Judged(
        claims=(*part.claims, *(more.claims[i] for i in stand)),
        judgements=(*part.judgements, *(more.judgements[i] for i in stand)),
    )
