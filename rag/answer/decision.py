"""Step 8: from verdicts to what leaves. Empty never passes."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from rag.domain.answer import AnsweredClaim, Citation, Policy, Status, Withheld
from rag.domain.claim import Check, Evidence, Outcome, Quote, Step, Verdict
from rag.domain.ids import DocumentId
from rag.domain.words import Span

CONTEXT_CHARS: Final = 32
MARK: Final = "[not verified] "

NO_EVIDENCE: Final = "nothing that you may read bears on this question"
NO_ANSWER: Final = "the documents found do not answer this question"
NOT_SUPPORTED: Final = "no claim of the draft was supported by the evidence"

# Of a disagreement only its kind: the rest quotes the claim and the evidence.
_KINDS: Final = re.compile(r"(?:^|; )(number|unit|date|name|negation): ")


# A quotation is the same when document and span are, whichever passage showed it.
Place = tuple[DocumentId, Span]


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """What leaves and what does not."""

    status: Status
    text: str
    reason: str
    claims: tuple[AnsweredClaim, ...]
    withheld: tuple[Withheld, ...]
    citations: tuple[Citation, ...]


def decide(verdicts: Sequence[Verdict], evidence: Sequence[Evidence], policy: Policy) -> Decision:
    """Strict: supported claims only. Mark: also the others, each marked. None supported: abstain."""
    if not any(v.supported for v in verdicts):
        return _abstention(verdicts, evidence)
    leaving = [v for v in verdicts if v.supported or policy is Policy.MARK]
    citations, numbers = _citations(leaving, evidence)
    text, claims = _compose(leaving, evidence, numbers)
    asserting = [v for v in verdicts if v.claim.asserts]
    complete = all(v.supported for v in asserting)
    return Decision(
        status=Status.ANSWERED if complete else Status.PARTIAL,
        text=text,
        reason="" if complete else "some claims were not supported",
        claims=claims,
        withheld=tuple(_withheld(v) for v in verdicts if v not in leaving and v.claim.asserts),
        citations=citations,
    )


def _abstention(verdicts: Sequence[Verdict], evidence: Sequence[Evidence]) -> Decision:
    if not evidence:
        reason = NO_EVIDENCE
    elif not verdicts:
        # Never the generator's own words: nothing has checked them.
        reason = NO_ANSWER
    else:
        reason = NOT_SUPPORTED
    return Decision(
        status=Status.ABSTAINED,
        text=f"I cannot answer that: {reason}.",
        reason=reason,
        claims=(),
        withheld=tuple(_withheld(v) for v in verdicts),
        citations=(),
    )


def _withheld(verdict: Verdict) -> Withheld:
    """Why, in words that stay when the claim and its evidence may not be seen any more."""
    fallback = Check(step=Step.POLICY, outcome=Outcome.FAILED, detail="withheld by policy")
    reason = verdict.reason or fallback
    if reason.step is Step.AGREES:
        kinds = ", ".join(dict.fromkeys(_KINDS.findall(reason.detail)))
        reason = replace(reason, detail=f"disagrees with the evidence: {kinds}")
    return Withheld(label=verdict.label, reason=reason)


def _citations(
    verdicts: Sequence[Verdict], evidence: Sequence[Evidence]
) -> tuple[tuple[Citation, ...], dict[Place, int]]:
    """Each quoted span once, in order of appearance, and the number of each."""
    citations: list[Citation] = []
    numbers: dict[Place, int] = {}
    for quote in (q for v in verdicts for q in v.quotes):
        place = _place(quote, evidence)
        if place not in numbers:
            numbers[place] = len(citations)
            citations.append(_citation(quote, evidence[quote.evidence]))
    return tuple(citations), numbers


def _place(quote: Quote, evidence: Sequence[Evidence]) -> Place:
    return evidence[quote.evidence].source.document_id, quote.span


def _citation(quote: Quote, shown: Evidence) -> Citation:
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
    )


def _compose(
    verdicts: Sequence[Verdict], evidence: Sequence[Evidence], numbers: dict[Place, int]
) -> tuple[str, tuple[AnsweredClaim, ...]]:
    """The text, a line per sentence with its markers, and each claim's place in it."""
    text = ""
    claims: list[AnsweredClaim] = []
    before: Verdict | None = None
    for verdict in verdicts:
        cited = tuple(dict.fromkeys(numbers[_place(q, evidence)] for q in verdict.quotes))
        if before is not None:
            text += " " if _same_sentence(before, verdict) else "\n"
        before = verdict
        text += "" if verdict.supported else MARK
        span = Span(len(text), len(text) + len(verdict.claim.text))
        text += verdict.claim.text + "".join(f" [{n + 1}]" for n in cited)
        claims.append(AnsweredClaim(span=span, verdict=verdict, citations=cited))
    return text, tuple(claims)


def _same_sentence(before: Verdict, after: Verdict) -> bool:
    """Whether two claims are clauses of one sentence, next to each other in the draft."""
    gap = after.claim.span.start - before.claim.span.end
    return gap <= 1 and before.claim.text.endswith((",", ";"))
