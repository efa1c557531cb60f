"""Step 8: from verdicts to what leaves. Empty never passes."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Final

from rag.answer.reconciling import Clash, ordered
from rag.answer.verification import Known
from rag.domain.answer import (
    AnsweredClaim,
    AnsweredPart,
    Citation,
    Conflict,
    Nearby,
    Policy,
    Status,
    Withheld,
)
from rag.domain.claim import NO_ANSWER, Check, Evidence, Outcome, Quote, Source, Step, Verdict
from rag.domain.ids import DocumentId
from rag.domain.words import Span, content_stems, sentence_spans, words

CONTEXT_CHARS: Final = 32
MARK: Final = "[not verified] "
NEAREST_MAX: Final = 3

NO_EVIDENCE: Final = "nothing that you may read bears on this question"
NOT_SUPPORTED: Final = "no claim of the draft was supported by the evidence"
TOO_NEW: Final = "the documents found are newer than the date that it is asked for"
NOT_GRANTED: Final = "the documents found do not answer this question, and say otherwise or less"
SOME_UNSUPPORTED: Final = "some claims were not supported"
SOME_UNANSWERED: Final = "some of what was asked was not found"
UNANSWERED: Final = "Not found in the documents: "
DISAGREE: Final = "The sources disagree"

# Of a disagreement only its kind: the rest quotes the claim and the evidence.
_KINDS: Final = re.compile(r"(?:^|; )(number|unit|date|name|negation): ")


# A quotation is the same when document and span are, whichever passage showed it.
Place = tuple[DocumentId, Span]


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One question of the plan, the verdicts on its claims, and which of them clash.

    `instead` are verdicts on what the sources say where the question takes too much for granted.
    `too_new`: all that was found is newer than the date that the question is asked for.
    """

    question: str
    verdicts: tuple[Verdict, ...]
    clashes: tuple[Clash, ...] = ()
    instead: tuple[Verdict, ...] = ()
    too_new: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """What leaves and what does not."""

    status: Status
    text: str
    reason: str
    claims: tuple[AnsweredClaim, ...]
    withheld: tuple[Withheld, ...]
    citations: tuple[Citation, ...]
    parts: tuple[AnsweredPart, ...]
    conflicts: tuple[Conflict, ...]
    nearest: tuple[Nearby, ...]


def decide(parts: Sequence[Part], known: Known, policy: Policy) -> Decision:
    """Strict: supported claims only. Mark: also the others, each marked. None supported: abstain.

    A part of which nothing is supported is named as unanswered, and the rest is still given.
    """
    every = _each_once(v for part in parts for v in part.verdicts)
    if not any(v.supported for v in every):
        return _abstention(parts, known, tuple(_withheld(v) for v in every))
    withheld = tuple(_withheld(v) for v in every if v.claim.asserts and not _leaves(v, policy))
    leaving = [_leaving(part, policy) for part in parts]
    quoting = [p.verdicts[i] for p, some in zip(parts, leaving, strict=True) for i in some]
    citations, numbers = _citations(quoting, known)
    text, claims, answered, conflicts = _composed(parts, leaving, known.evidence, numbers)
    complete = all(v.supported for v in every if v.claim.asserts)
    found = all(part.status is not Status.ABSTAINED for part in answered)
    reason = "" if complete else SOME_UNSUPPORTED
    return Decision(
        status=Status.ANSWERED if complete and found else Status.PARTIAL,
        text=text,
        reason=reason if found else SOME_UNANSWERED,
        claims=claims,
        withheld=withheld,
        citations=citations,
        parts=_told(answered),
        conflicts=conflicts,
        nearest=(),
    )


def _each_once(verdicts: Iterable[Verdict]) -> list[Verdict]:
    """A claim that was drafted for two parts counts once, and as supported if it is for one."""
    best: dict[str, Verdict] = {}
    for verdict in verdicts:
        said = verdict.claim.text
        if said not in best or (verdict.supported and not best[said].supported):
            best[said] = verdict
    return list(best.values())


def _told(parts: Sequence[AnsweredPart]) -> tuple[AnsweredPart, ...]:
    """A plain question needs no parts: it is not kept, only its digest is."""
    return tuple(parts) if len(parts) > 1 else ()


def _leaves(verdict: Verdict, policy: Policy) -> bool:
    return verdict.supported or policy is Policy.MARK


def _leaving(part: Part, policy: Policy) -> list[int]:
    """Which verdicts' claims leave, who is believed first before who contradicts them."""
    if not any(v.supported for v in part.verdicts):
        return []
    order = ordered(part.clashes, len(part.verdicts))
    return [i for i in order if _leaves(part.verdicts[i], policy)]


def _status(part: Part) -> tuple[Status, str]:
    asserting = [v for v in part.verdicts if v.claim.asserts]
    if not any(v.supported for v in asserting):
        return Status.ABSTAINED, NOT_SUPPORTED if asserting else NO_ANSWER
    complete = all(v.supported for v in asserting)
    return (Status.ANSWERED, "") if complete else (Status.PARTIAL, SOME_UNSUPPORTED)


def _abstention(parts: Sequence[Part], known: Known, withheld: tuple[Withheld, ...]) -> Decision:
    if parts and all(part.too_new for part in parts):
        reason = TOO_NEW
    elif not known.evidence:
        reason = NO_EVIDENCE
    elif not any(part.verdicts for part in parts):
        # Never the generator's own words: nothing has checked them.
        reason = NO_ANSWER
    else:
        reason = NOT_SUPPORTED
    instead = [v for part in parts for v in part.instead if v.supported]
    reason = NOT_GRANTED if instead else reason
    citations, numbers = _citations(instead, known)
    said = [Part(question="", verdicts=tuple(instead))] if instead else []
    text, claims, _, _ = _composed(
        said,
        [range(len(instead))][: len(said)],
        known.evidence,
        numbers,
        f"I cannot answer that: {reason}.",
    )
    return Decision(
        status=Status.ABSTAINED,
        text=text,
        reason=reason,
        claims=claims,
        withheld=withheld,
        citations=citations,
        parts=_told(
            [
                AnsweredPart(question=p.question, status=Status.ABSTAINED, reason=reason, claims=())
                for p in parts
            ]
        ),
        conflicts=(),
        nearest=_nearest(parts, known),
    )


def _nearest(parts: Sequence[Part], known: Known) -> tuple[Nearby, ...]:
    """The best passages that still stand, each by its sentence that is most like the question."""
    standing = [e for e in known.evidence if _stands(e, known)]
    asked = {s for part in parts for s in content_stems(part.question)}
    return tuple(_nearby(e, asked) for e in standing[:NEAREST_MAX])


def _nearby(shown: Evidence, asked: set[str]) -> Nearby:
    sentences = sentence_spans(shown.text) or (Span(0, len(shown.text)),)
    best = max(sentences, key=lambda s: len(asked & set(content_stems(s.of(shown.text)))))
    span = best.shifted(shown.span.start)
    element = next((e for e in shown.elements if e.span.overlaps(span)), None)
    return Nearby(
        span=span,
        page=element.page if element else shown.page,
        section=element.section if element else shown.section,
        source=shown.source,
    )


def _stands(shown: Evidence, known: Known) -> bool:
    chunks = frozenset(shown.chunk_ids)
    return chunks <= known.standing.current and chunks <= known.standing.permitted


def _withheld(verdict: Verdict) -> Withheld:
    """Why, in words that stay when the claim and its evidence may not be seen any more."""
    fallback = Check(step=Step.POLICY, outcome=Outcome.FAILED, detail="withheld by policy")
    reason = verdict.reason or fallback
    if reason.step is Step.AGREES:
        kinds = ", ".join(dict.fromkeys(_KINDS.findall(reason.detail)))
        reason = replace(reason, detail=f"disagrees with the evidence: {kinds}")
    return Withheld(label=verdict.label, reason=reason)


def _citations(
    verdicts: Sequence[Verdict], known: Known
) -> tuple[tuple[Citation, ...], dict[Place, int]]:
    """Each quoted span once, in order of appearance, and the number of each."""
    citations: list[Citation] = []
    numbers: dict[Place, int] = {}
    for quote in (q for v in verdicts for q in v.quotes):
        place = _place(quote, known.evidence)
        if place not in numbers:
            numbers[place] = len(citations)
            citations.append(_citation(quote, known.evidence[quote.evidence], known))
    return tuple(citations), numbers


def _place(quote: Quote, evidence: Sequence[Evidence]) -> Place:
    return evidence[quote.evidence].source.document_id, quote.span


def _citation(quote: Quote, shown: Evidence, known: Known) -> Citation:
    local = quote.span.shifted(-shown.span.start)
    element = next((e for e in shown.elements if e.span.overlaps(quote.span)), None)
    return Citation(
        text=quote.text,
        span=quote.span,
        prefix=shown.text[max(0, local.start - CONTEXT_CHARS) : local.start],
        suffix=shown.text[local.end : local.end + CONTEXT_CHARS],
        page=element.page if element else shown.page,
        section=element.section if element else shown.section,
        source=shown.source,
        also_in=_also_in(quote, shown, known),
    )


def _also_in(quote: Quote, shown: Evidence, known: Known) -> tuple[Source, ...]:
    """The other documents that hold the quoted words, as far as they still stand."""
    said = " ".join(words(quote.text))
    found: dict[DocumentId, Source] = {}
    for copy in shown.copies:
        other = copy.source.document_id != shown.source.document_id
        if other and said in " ".join(words(copy.text)) and _stands(copy, known):
            found.setdefault(copy.source.document_id, copy.source)
    return tuple(found.values())


def _composed(
    parts: Sequence[Part],
    leaving: Sequence[Sequence[int]],
    evidence: Sequence[Evidence],
    numbers: dict[Place, int],
    text: str = "",
) -> tuple[str, tuple[AnsweredClaim, ...], tuple[AnsweredPart, ...], tuple[Conflict, ...]]:
    """The text, its claims with their places in it, and what became of each part.

    The only sentences that are no claims are the house's own: what was not found, who disagrees.
    """
    claims: list[AnsweredClaim] = []
    answered: list[AnsweredPart] = []
    conflicts: list[Conflict] = []
    given: dict[str, int] = {}
    for part, order in zip(parts, leaving, strict=True):
        status, reason = _status(part)
        at: dict[int, int] = {}
        before: Verdict | None = None
        for i in order:
            verdict = part.verdicts[i]
            said = verdict.claim.text
            if said in given:
                at[i] = given[said]
                continue
            cited = tuple(dict.fromkeys(numbers[_place(q, evidence)] for q in verdict.quotes))
            joined = before is not None and _same_sentence(before, verdict)
            text += "" if not text else " " if joined else "\n"
            before = verdict
            text += "" if verdict.supported else MARK
            span = Span(len(text), len(text) + len(verdict.claim.text))
            text += verdict.claim.text + "".join(f" [{n + 1}]" for n in cited)
            at[i] = given[said] = len(claims)
            claims.append(AnsweredClaim(span=span, verdict=verdict, citations=cited))
        if len(parts) > 1 and not order:
            text += f"{chr(10) if text else ''}{UNANSWERED}{part.question}"
        for clash in part.clashes:
            pair = (at[clash.first], at[clash.second])
            if any(c.claims == pair for c in conflicts):
                continue
            conflicts.append(Conflict(claims=pair, reason=clash.reason))
            text += "\n" + _disagreement([claims[i] for i in pair], clash, part, evidence)
        answered.append(
            AnsweredPart(
                question=part.question, status=status, reason=reason, claims=tuple(at.values())
            )
        )
    return text, tuple(claims), tuple(answered), tuple(conflicts)


def _disagreement(
    claims: Sequence[AnsweredClaim], clash: Clash, part: Part, evidence: Sequence[Evidence]
) -> str:
    """The house's own line: which citations disagree, in what, of which silo and date."""
    named: list[str] = []
    for claim, at in zip(claims, (clash.first, clash.second), strict=True):
        source = evidence[part.verdicts[at].quotes[0].evidence].source
        marks = "".join(f"[{n + 1}]" for n in claim.citations)
        named.append(f"{marks} {source.silo}, {source.modified_at:%Y-%m-%d}")
    return f"{DISAGREE} ({clash.reason}): {'; '.join(named)}."


def _same_sentence(before: Verdict, after: Verdict) -> bool:
    """Whether two claims are clauses of one sentence, next to each other in the draft."""
    gap = after.claim.span.start - before.claim.span.end
    return 0 <= gap <= 1 and before.claim.text.endswith((",", ";"))
