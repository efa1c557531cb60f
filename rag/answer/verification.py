"""The numbered checklist. ARCHITECTURE.md lists the same steps; the first failure is the reason.

Pure: whoever calls has read the world already and hands it in.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from rag.domain.claim import (
    Check,
    Claim,
    Evidence,
    Judgement,
    Label,
    Outcome,
    Quote,
    Step,
    Unchecked,
    Verdict,
)
from rag.domain.facts import DisagreementKind, agreement
from rag.domain.ids import ChunkId
from rag.domain.words import Span, content_stems, sentence_spans
from rag.ports import Standing


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """Everything the checklist looks at: what was shown, and where it stands now.

    `vetoes` are the kinds of disagreement that refuse a claim at step 6. The others are noted
    there and weigh in the judge's probability.
    """

    evidence: tuple[Evidence, ...]
    standing: Standing
    generation: int
    threshold: float
    vetoes: frozenset[DisagreementKind] = frozenset()


Step_ = Callable[[Claim, "Judgement | Unchecked", Known], Check]


def verify_claims(
    claims: Sequence[Claim], judgements: Sequence[Judgement | Unchecked], known: Known
) -> tuple[Verdict, ...]:
    """Decide, for each claim, whether the evidence it cites supports it.

    Runs steps 0 to 7; step 8, the policy, is the decision's. Not checked here: that the evidence
    is complete, or true.

    Args:
        claims: in draft order; may be empty, and then so is the result (the policy abstains).
        judgements: one per claim, same order, over all evidence the claim cites.

    Raises:
        ValueError: lengths do not match: a bug in the caller, never a verdict.
    """
    pairs = zip(claims, judgements, strict=True)
    return tuple(_verdict(claim, judgement, known) for claim, judgement in pairs)


def cited_text(claim: Claim, evidence: Sequence[Evidence]) -> str:
    """The text that the claim is held against: all evidence it cites, in citation order."""
    indices = dict.fromkeys(p.evidence for p in claim.pointers if p.evidence < len(evidence))
    return "\n\n".join(evidence[i].readable for i in indices if i >= 0)


def _verdict(claim: Claim, judgement: Judgement | Unchecked, known: Known) -> Verdict:
    checks: list[Check] = []
    for step, check in _STEPS:
        if any(c.outcome is Outcome.FAILED for c in checks):
            # Later steps rest on earlier ones: a claim without evidence cannot be judged.
            checks.append(
                Check(step=step, outcome=Outcome.NOT_CHECKED, detail="an earlier step failed")
            )
        else:
            checks.append(check(claim, judgement, known))
    failed = next((c for c in checks if c.outcome is not Outcome.PASSED), None)
    judged = judgement if isinstance(judgement, Judgement) else None
    return Verdict(
        claim=claim,
        label=_label(claim, failed, judgement),
        score=judged.p_supported if judged else 0.0,
        checks=tuple(checks),
        quotes=() if failed else quotes_of(claim, judgement, known),
        flagged=judged.flagged if judged else (),
    )


def _label(claim: Claim, failed: Check | None, judgement: Judgement | Unchecked) -> Label:
    if failed is None:
        return Label.SUPPORTED
    if failed.step is Step.ENTAILED and isinstance(judgement, Unchecked):
        return Label.UNCHECKED
    if failed.step in (Step.AGREES, Step.ENTAILED) and isinstance(judgement, Judgement):
        refuted = judgement.p_refuted > max(judgement.p_supported, 0.5)
        return Label.REFUTED if refuted else Label.NOT_ENOUGH_INFO
    return Label.NOT_ENOUGH_INFO


def _snapshot(claim: Claim, judgement: Judgement | Unchecked, known: Known) -> Check:
    return Check(
        step=Step.SNAPSHOT, outcome=Outcome.PASSED, detail=f"generation {known.generation}"
    )


def _shown(claim: Claim, judgement: Judgement | Unchecked, known: Known) -> Check:
    unknown = [p.evidence for p in claim.pointers if not 0 <= p.evidence < len(known.evidence)]
    return _check(Step.SHOWN, not unknown, f"cites evidence that was not shown: {unknown}")


def _current(claim: Claim, judgement: Judgement | Unchecked, known: Known) -> Check:
    gone = _cited_chunks(claim, known) - known.standing.current
    return _check(Step.CURRENT, not gone, "the cited text changed or was removed meanwhile")


def _permitted(claim: Claim, judgement: Judgement | Unchecked, known: Known) -> Check:
    denied = _cited_chunks(claim, known) - known.standing.permitted
    return _check(Step.PERMITTED, not denied, "the asker may not read the cited document")


def _verbatim(claim: Claim, judgement: Judgement | Unchecked, known: Known) -> Check:
    for pointer in claim.pointers:
        if pointer.span is None:
            continue
        shown = known.evidence[pointer.evidence]
        inside = shown.span.start <= pointer.span.start and pointer.span.end <= shown.span.end
        if not inside or not len(pointer.span):
            return _check(Step.VERBATIM, False, "the quoted span is not in the evidence")
        local = pointer.span.shifted(-shown.span.start)
        if any(local.overlaps(h) for h in shown.hidden):
            return _check(Step.VERBATIM, False, "quotes what commands whoever reads it")
        stands = local.of(shown.text)
        if pointer.quote is not None and pointer.quote != stands:
            return _check(Step.VERBATIM, False, "other words stand at the quoted span")
    return _check(Step.VERBATIM, True)


def _cited(claim: Claim, judgement: Judgement | Unchecked, known: Known) -> Check:
    if not claim.asserts:
        return _check(Step.CITED, False, "asserts nothing that could be checked")
    return _check(Step.CITED, bool(claim.pointers), "asserts something without citing evidence")


def _agrees(claim: Claim, judgement: Judgement | Unchecked, known: Known) -> Check:
    """Refuses for a kind that may; a rule that is often wrong would withhold what is true."""
    if claim.derived is not None:
        detail = f"worked out: {claim.derived.operation} over {len(claim.pointers)} rows"
        return Check(step=Step.AGREES, outcome=Outcome.PASSED, detail=detail)
    found = agreement(claim.text, _with_context(claim, known)).disagreements
    detail = "; ".join(f"{d.kind}: {d.detail}" for d in found)
    if known.vetoes.intersection(d.kind for d in found):
        return Check(step=Step.AGREES, outcome=Outcome.FAILED, detail=detail)
    return Check(step=Step.AGREES, outcome=Outcome.PASSED, detail=detail and f"noted: {detail}")


def _entailed(claim: Claim, judgement: Judgement | Unchecked, known: Known) -> Check:
    if isinstance(judgement, Unchecked):
        return Check(step=Step.ENTAILED, outcome=Outcome.NOT_CHECKED, detail=judgement.reason)
    detail = f"support {judgement.p_supported:.3f} < threshold {known.threshold:.3f}"
    return _check(Step.ENTAILED, judgement.p_supported >= known.threshold, detail)


_STEPS: Final[tuple[tuple[Step, Step_], ...]] = (
    (Step.SNAPSHOT, _snapshot),
    (Step.SHOWN, _shown),
    (Step.CURRENT, _current),
    (Step.PERMITTED, _permitted),
    (Step.VERBATIM, _verbatim),
    (Step.CITED, _cited),
    (Step.AGREES, _agrees),
    (Step.ENTAILED, _entailed),
)


def _check(step: Step, passed: bool, detail: str = "") -> Check:
    outcome = Outcome.PASSED if passed else Outcome.FAILED
    return Check(step=step, outcome=outcome, detail="" if passed else detail)


def _cited_chunks(claim: Claim, known: Known) -> frozenset[ChunkId]:
    return frozenset(i for p in claim.pointers for i in known.evidence[p.evidence].chunk_ids)


def _with_context(claim: Claim, known: Known) -> str:
    """Cited text under its title and section: a name may stand only in the heading above."""
    indices = dict.fromkeys(p.evidence for p in claim.pointers)
    shown = [known.evidence[i] for i in indices]
    return "\n\n".join("\n".join((e.source.title, *e.section, e.text)) for e in shown)


def quotes_of(claim: Claim, judgement: Judgement | Unchecked, known: Known) -> tuple[Quote, ...]:
    """The exact spans that carry the claim: as quoted, else where the judge found it.

    Of an unsupported claim they are what it came closest to. Every cited passage must be shown.
    """
    quotes: list[Quote] = []
    for pointer in claim.pointers:
        shown = known.evidence[pointer.evidence]
        span = pointer.span or _judged_span(claim, judgement, shown)
        text = span.shifted(-shown.span.start).of(shown.text)
        quotes.append(Quote(evidence=pointer.evidence, span=span, text=text))
    return tuple(quotes)


def _judged_span(claim: Claim, judgement: Judgement | Unchecked, shown: Evidence) -> Span:
    alone = len({p.evidence for p in claim.pointers}) == 1
    if alone and isinstance(judgement, Judgement) and len(judgement.evidence_span) > 0:
        return judgement.evidence_span.shifted(shown.span.start)
    sentences = sentence_spans(shown.text) or (Span(0, len(shown.text)),)
    words = set(content_stems(claim.text))
    # The first of equals; the judge names one span only, so of several passages this is ours.
    nearest = max(sentences, key=lambda s: len(words & set(content_stems(s.of(shown.text)))))
    return nearest.shifted(shown.span.start)
