"""Verifying a text that someone else wrote: against the silos, or against facts that come along.

The same checklist as for Sworn's own drafts. Each claim is held against the passages that are
most like it, one by one; where none supports it alone, against the best few read together.
"""

import asyncio
import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Final

from rag.answer.claims import split_claims
from rag.answer.judging import contexts, judged
from rag.answer.pipeline import AnswerOptions, AnswerPorts
from rag.answer.planning import plan_query
from rag.answer.retrieval import retrieve
from rag.answer.verification import Known, cited_text, quotes_of, verify_claims
from rag.domain.claim import (
    Claim,
    Draft,
    DraftPart,
    Evidence,
    Judgement,
    JudgePair,
    Label,
    Outcome,
    Pointer,
    Quote,
    Source,
    Step,
    Unchecked,
    Verdict,
)
from rag.domain.document import Element, ElementKind, Principal
from rag.domain.facts import DisagreementKind
from rag.domain.ids import ChunkId, DocumentId, SiloId, digest_text
from rag.domain.words import Span, content_stems
from rag.ports import Judge, Standing

GIVEN: Final = SiloId("given")
# Passages that each claim is held against one by one, and how many of them together.
PASSAGES_MAX: Final = 4
# A given fact with less than this share of the nearest one's words is not read for it.
_SHARE_MIN: Final = 0.25
TOGETHER_MAX: Final = 3
# Pairs that the judge is given at once: when time is up, what was judged by then stays judged.
BATCH: Final = 32

NO_PASSAGE: Final = Unchecked(reason="there is nothing to hold it against")
TOO_LATE: Final = Unchecked(reason="there was no time left for it")


@dataclass(frozen=True, slots=True, kw_only=True)
class Checked:
    """A claim's verdict, with the passages that support it as places in `CheckedText.passages`.

    The verdict's quotes are of all of them. `closest` is what an unsupported claim came closest
    to, or what denies it; empty when there is nothing that shares a word with it, or nothing that
    may still be read.
    """

    verdict: Verdict
    supporting: tuple[int, ...] = ()
    closest: tuple[Quote, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckedText:
    """Every claim of a text in order, and the passages that any was held against.

    `threshold` is the one that was in force, `degraded` names what could not be searched with.
    """

    claims: tuple[Checked, ...]
    passages: tuple[Evidence, ...]
    threshold: float
    degraded: tuple[str, ...] = ()

    @property
    def asserting(self) -> tuple[Verdict, ...]:
        """The verdicts of the claims that had to be checked."""
        return tuple(c.verdict for c in self.claims if c.verdict.claim.asserts)

    @property
    def support(self) -> float:
        """The mean over the claims that had to be checked: a supported one's score, else 0.

        0 for a text that asserts nothing: empty is not success.
        """
        scores = [v.score if v.supported else 0.0 for v in self.asserting]
        return sum(scores) / len(scores) if scores else 0.0

    @property
    def holds(self) -> bool:
        """Whether it asserts something, and all of that is supported."""
        return bool(self.asserting) and all(v.supported for v in self.asserting)


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckLimits:
    """`threshold` None: the judge's own.

    `timeout_s` bounds all judging of one text, and once more the comparing of facts after it.
    """

    timeout_s: float
    threshold: float | None = None
    vetoes: frozenset[DisagreementKind] = frozenset()


async def check_against_facts(
    text: str, facts: Sequence[str], judge: Judge, limits: CheckLimits, question: str = ""
) -> CheckedText:
    """Hold every claim of `text` against the given facts, which `passages` are in their order."""
    passages = tuple(_given(n, fact) for n, fact in enumerate(facts))
    claims = await asyncio.to_thread(_claims, text)
    # Pure, but seconds for long facts: in a thread, so that other requests go on meanwhile.
    nearest = await asyncio.to_thread(_nearest, claims, passages)
    chunks = frozenset(i for e in passages for i in e.chunk_ids)
    standing = Standing(current=chunks, permitted=chunks)
    bar = _threshold(judge, limits)
    known = Known(
        evidence=passages, standing=standing, generation=0, threshold=bar, vetoes=limits.vetoes
    )
    found = await _judgements(claims, nearest, known, judge, limits, question=question)
    return await _checked(claims, found, known, limits)


async def check_against_silos(
    text: str,
    principal: Principal,
    ports: AnswerPorts,
    options: AnswerOptions,
    *,
    threshold: float | None = None,
    question: str = "",
) -> CheckedText:
    """Hold every claim of `text` against what `principal` may read, all in one snapshot.

    As with answers, currency and permission are read once more after all judging.
    """
    claims = await asyncio.to_thread(_claims, text)
    passages: list[Evidence] = []
    nearest: list[tuple[int, ...]] = []
    degraded: dict[str, None] = {}
    async with ports.catalog.snapshot(principal, None) as snapshot:
        generation = snapshot.generation
        for claim in claims:
            if not claim.asserts:
                nearest.append(())
                continue
            query = plan_query(claim.text)
            found = await retrieve(query, snapshot, ports.embedder, ports.index, options.retrieval)
            nearest.append(tuple(_placed(e, passages) for e in found.evidence[:PASSAGES_MAX]))
            degraded |= dict.fromkeys(found.degraded)
    limits = CheckLimits(
        timeout_s=options.judge_timeout_s, threshold=threshold, vetoes=options.vetoes
    )
    shown, bar = tuple(passages), _threshold(ports.judge, limits)
    versions = {chunk: e.source.version for e in shown for chunk in e.chunk_ids}
    everything = Standing(current=frozenset(versions), permitted=frozenset(versions))
    known = Known(
        evidence=shown, standing=everything, generation=generation, threshold=bar,
        vetoes=limits.vetoes,
    )  # fmt: skip
    findings = await _judgements(claims, nearest, known, ports.judge, limits, question=question)
    _, standing = await ports.catalog.standing(principal, versions)
    known = replace(known, standing=standing)
    checked = await _checked(claims, findings, known, limits)
    return replace(checked, degraded=tuple(degraded))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Finding:
    """One claim held against some passages, alone or together."""

    passages: tuple[int, ...]
    judgement: Judgement | Unchecked

    @property
    def score(self) -> float:
        return self.judgement.p_supported if isinstance(self.judgement, Judgement) else -1.0

    @property
    def denial(self) -> float:
        """How surely the passages deny the claim, 0 where they do not (as verdicts are labelled)."""
        if not isinstance(self.judgement, Judgement):
            return 0.0
        p_refuted = self.judgement.p_refuted
        return p_refuted if p_refuted > max(self.judgement.p_supported, 0.5) else 0.0


async def _judgements(
    claims: Sequence[Claim],
    nearest: Sequence[tuple[int, ...]],
    known: Known,
    judge: Judge,
    limits: CheckLimits,
    *,
    question: str,
) -> list[list[_Finding]]:
    """What the judge says of each claim, best first, as far as it comes within its time."""
    explained = contexts(question, claims)
    loop = asyncio.get_running_loop()
    deadline = loop.time() + limits.timeout_s
    found: list[list[_Finding]] = [[] for _ in claims]

    async def hold(work: Sequence[tuple[int, tuple[int, ...]]]) -> None:
        for start in range(0, len(work), BATCH):
            some = work[start : start + BATCH]
            pairs = [
                JudgePair(
                    claim=claims[n].text,
                    context=explained[n],
                    evidence=cited_text(_citing(claims[n], at), known.evidence),
                )
                for n, at in some
            ]
            left_s = deadline - loop.time()
            late = [TOO_LATE] * len(pairs)
            judgements = await judged(pairs, judge, left_s) if left_s > 0 else late
            for (n, at), judgement in zip(some, judgements, strict=True):
                found[n].append(_Finding(passages=at, judgement=judgement))

    # Every claim against its nearest passage first, so that all have been held against something.
    await hold(
        [
            (n, (near[i],))
            for i in range(PASSAGES_MAX)
            for n, near in enumerate(nearest)
            if i < len(near)
        ]
    )
    together: list[tuple[int, tuple[int, ...]]] = []
    for n, claim in enumerate(claims):
        joint = _joint(claim, nearest[n], known.evidence)
        if joint and loop.time() < deadline:
            passed = await asyncio.to_thread(_any_passes, claim, found[n], known)
            together += [] if passed else [(n, joint)]
    await hold(together)
    return [sorted(f, key=lambda one: -one.score) for f in found]


def _joint(claim: Claim, near: Sequence[int], passages: Sequence[Evidence]) -> tuple[int, ...]:
    """The passages that each add words of the claim, else the best few; none for less than two.

    What adds nothing is left out: all that is read together is cited together.
    """
    left = set(content_stems(claim.text))
    adding: list[int] = []
    for at in near:
        added = left & set(content_stems(passages[at].text))
        if added:
            adding.append(at)
            left -= added
    chosen = (adding if len(adding) > 1 else near)[:TOGETHER_MAX]
    return tuple(sorted(chosen)) if len(chosen) > 1 else ()


def _verdict(claim: Claim, finding: _Finding, known: Known) -> Verdict:
    return verify_claims([_citing(claim, finding.passages)], [finding.judgement], known)[0]


def _any_passes(claim: Claim, found: Sequence[_Finding], known: Known) -> bool:
    # The score first: it costs nothing.
    return any(f.score >= known.threshold and _verdict(claim, f, known).supported for f in found)


async def _checked(
    claims: Sequence[Claim],
    findings: Sequence[Sequence[_Finding]],
    known: Known,
    limits: CheckLimits,
) -> CheckedText:
    loop = asyncio.get_running_loop()
    deadline = loop.time() + limits.timeout_s
    checked: list[Checked] = []
    for claim, found in zip(claims, findings, strict=True):
        if not found:
            checked.append(Checked(verdict=_unheld(claim, known)))
        elif loop.time() >= deadline:
            checked.append(Checked(verdict=_unheld(claim, known, late=True)))
        else:
            checked.append(await asyncio.to_thread(_checked_claim, claim, found, known))
    return CheckedText(claims=tuple(checked), passages=known.evidence, threshold=known.threshold)


def _checked_claim(claim: Claim, found: Sequence[_Finding], known: Known) -> Checked:
    likely = [(f, _verdict(claim, f, known)) for f in found if f.score >= known.threshold]
    passing = [(f, v) for f, v in likely if v.supported]
    if passing:
        supporting = dict.fromkeys(at for f, _ in passing for at in f.passages)
        quotes = dict.fromkeys(q for _, v in passing for q in v.quotes)
        verdict = replace(passing[0][1], quotes=tuple(quotes))
        return Checked(verdict=verdict, supporting=tuple(supporting))
    related = [f for f in found if _near(claim, f, known)] or found
    # What denies a claim says more than what supports it a little; best said by one passage.
    denying = sorted((f for f in related if f.denial), key=lambda f: (-f.denial, len(f.passages)))
    finding = (denying or related)[0]
    verdict = _verdict(claim, finding, known)
    unchecked = next((f for f in found if isinstance(f.judgement, Unchecked)), None)
    if verdict.label is Label.NOT_ENOUGH_INFO and unchecked is not None:
        # Not all that might support it was read: that must not look like a verdict.
        other = _verdict(claim, unchecked, known)
        if other.label is Label.UNCHECKED:
            finding, verdict = unchecked, other
    if not _is_readable(finding, known):
        # What may not be read any more tells nothing, not even how near it came.
        return Checked(verdict=replace(verdict, score=0.0, flagged=()))
    closest = _near(claim, finding, known)
    if verdict.label is Label.REFUTED and not closest:
        # What shares no word with a claim does not deny it.
        verdict = replace(verdict, label=Label.NOT_ENOUGH_INFO)
    return Checked(verdict=verdict, closest=closest)


def _is_readable(finding: _Finding, known: Known) -> bool:
    chunks = {i for at in finding.passages for i in known.evidence[at].chunk_ids}
    return chunks <= known.standing.current & known.standing.permitted


def _unheld(claim: Claim, known: Known, *, late: bool = False) -> Verdict:
    """The verdict of a claim that was held against nothing: there is nothing, or no time."""
    why = TOO_LATE if late else NO_PASSAGE
    verdict = verify_claims([claim], [why], known)[0]
    if not claim.asserts:
        return verdict
    outcome = Outcome.NOT_CHECKED if late else Outcome.FAILED
    checks = tuple(
        replace(c, outcome=outcome, detail=why.reason) if c.step is Step.CITED else c
        for c in verdict.checks
    )
    return replace(verdict, label=Label.UNCHECKED if late else verdict.label, checks=checks)


def _near(claim: Claim, finding: _Finding, known: Known) -> tuple[Quote, ...]:
    """What the claim came closest to in each passage, where that shares a word with it."""
    words = set(content_stems(claim.text))
    quotes = quotes_of(_citing(claim, finding.passages), finding.judgement, known)
    return tuple(q for q in quotes if words & set(content_stems(q.text)))


def _claims(text: str) -> tuple[Claim, ...]:
    return split_claims(Draft(parts=(DraftPart(text=text, pointers=()),)))


def _citing(claim: Claim, at: Sequence[int]) -> Claim:
    return replace(claim, pointers=tuple(Pointer(evidence=i, span=None) for i in at))


def _threshold(judge: Judge, limits: CheckLimits) -> float:
    return judge.threshold if limits.threshold is None else limits.threshold


def _nearest(claims: Sequence[Claim], passages: Sequence[Evidence]) -> list[tuple[int, ...]]:
    """For each claim the passages that share most words with it, rare ones counting more."""
    stems = [frozenset(content_stems(p.text)) for p in passages]
    n_having = Counter(word for having in stems for word in having)
    return [_ranked(claim, stems, n_having) if claim.asserts else () for claim in claims]


def _ranked(
    claim: Claim, stems: Sequence[frozenset[str]], n_having: Mapping[str, int]
) -> tuple[int, ...]:
    words = set(content_stems(claim.text))
    n = len(stems)
    shared = [sum(math.log1p(n / n_having[w]) for w in words & having) for having in stems]
    least = _SHARE_MIN * max(shared, default=0.0)
    ranked = sorted(range(len(stems)), key=lambda i: -shared[i])[:PASSAGES_MAX]
    return tuple(i for i in ranked if shared[i] >= least)


def _placed(evidence: Evidence, passages: list[Evidence]) -> int:
    """The place of a passage among those shown so far; it is put there if it is new."""
    for at, known in enumerate(passages):
        if known.chunk_ids == evidence.chunk_ids and known.source == evidence.source:
            return at
    passages.append(evidence)
    return len(passages) - 1


def _given(number: int, fact: str) -> Evidence:
    span = Span(0, len(fact))
    never = datetime(1970, 1, 1, tzinfo=UTC)
    return Evidence(
        chunk_ids=(ChunkId(-1 - number),), text=fact, span=span, section=(), page=None, score=1.0,
        dense=0.0, elements=(Element(kind=ElementKind.PARAGRAPH, span=span),),
        source=Source(
            document_id=DocumentId(f"fact_{number}"), silo=GIVEN, key=f"fact {number + 1}",
            # No title: it would be read as evidence, and back a number of the claim.
            title="", uri="", version=digest_text(fact),
            raw_digest=digest_text(fact), modified_at=never, observed_at=never, confirmed_at=never,
        ),
    )  # fmt: skip
