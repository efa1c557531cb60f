"""Where a claim says of the same things the opposite of a sentence of its evidence."""

from functools import lru_cache
from typing import Final

from rag.domain.polarity import Polarity, polarity
from rag.domain.words import Span

_ALIGNED_MIN: Final = 0.7
_ALIGNED_LEAD: Final = 0.15
_SHARED_MIN: Final = 2
_RETURN_MIN: Final = 0.6


def contradictions(
    claim: str, claim_parts: tuple[Span, ...], evidence: str, evidence_parts: tuple[Span, ...]
) -> list[tuple[str, Span]]:
    """What in `claim` is denied or turned round, with its span there; both as `judged_text`.

    A claim sentence is compared with the sentences that share most of its content words; it is
    contradicted only if every one of those contradicts it, and none leaves a doubt.
    """
    theirs = _polarities(evidence, evidence_parts)
    found: list[tuple[str, Span]] = []
    for ours in _polarities(claim, claim_parts):
        if len(ours.content) < _SHARED_MIN:
            continue
        shares = [_share(ours, t) for t in theirs]
        best = max(shares, default=0.0)
        if best < _ALIGNED_MIN:
            continue
        aligned = [
            t for t, s in zip(theirs, shares, strict=True)
            if s >= max(best - _ALIGNED_LEAD, _ALIGNED_MIN - 0.1)
        ]  # fmt: skip
        clashes = [_clash(ours, t) for t in aligned]
        if clashes and all(clashes) and clashes[0] is not None:
            found.append(clashes[0])
    return found


@lru_cache(maxsize=256)
def _polarities(text: str, parts: tuple[Span, ...]) -> tuple[Polarity, ...]:
    return tuple(polarity(text, part) for part in parts)


def _share(ours: Polarity, theirs: Polarity) -> float:
    """The share of the claim's content that the sentence has, words of opposition aside."""
    turned = {s for row, side, _, s in ours.sides if (row, 1 - side) in theirs.taken}
    needed = ours.content - turned
    shared = needed & theirs.content
    return len(shared) / len(needed) if len(shared) >= _SHARED_MIN else 0.0


def _clash(ours: Polarity, theirs: Polarity) -> tuple[str, Span] | None:
    if not ours.negated and not theirs.negated:
        return _turned(ours, theirs)
    if ours.negated and theirs.negated:
        return None
    if ours.doubtful or theirs.doubtful or max(ours.n_negators, theirs.n_negators) > 1:
        return None
    shared = ours.content & theirs.content
    # A denial in a longer sentence mostly concerns what the claim leaves out; one in the claim
    # may be shorter than its evidence if that has every word of it.
    restates = len(shared) >= _RETURN_MIN * len(theirs.content)
    if not restates and (theirs.negated or shared != ours.content):
        return None
    if not _of_the_same(ours, theirs):
        return None
    if ours.negated:
        denied, span = ours.negated[0]
        return (
            ("the evidence says so without the negation", span)
            if denied in theirs.content
            else None
        )
    denied, negator = theirs.negated[0]
    # The claim restates what stands before the denial: "Break it up so that it does not stick."
    if ours.content <= {s for s, span in theirs.words if span.start < negator.start}:
        return None
    spans = dict(ours.words)
    return ("the evidence denies it", spans[denied]) if denied in spans else None


def _of_the_same(ours: Polarity, theirs: Polarity) -> bool:
    """Whether both may speak of the same: of what "Do not contain lead" does, stands elsewhere."""
    if ours.negated:
        return not ours.lacks_subject or theirs.opens_with in ours.content
    opens_alike = ours.opens_with in theirs.content and theirs.opens_with in ours.content
    return opens_alike or ours.opens_with == theirs.opens_with


def _turned(ours: Polarity, theirs: Polarity) -> tuple[str, Span] | None:
    for row, side, span, _ in ours.sides:
        own_both = (row, 1 - side) in ours.taken
        if (row, 1 - side) not in theirs.taken or (row, side) in theirs.taken or own_both:
            continue
        # "The old rule applies before June" and "the new one after June" are both true.
        if row.endswith(" ") or ours.content <= theirs.content:
            return "the evidence says the opposite", span
    return None
