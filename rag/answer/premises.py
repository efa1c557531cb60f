"""What the sources say where a question takes for granted what they do not bear out."""

from collections.abc import Iterator, Sequence
from typing import Final

from rag.domain.claim import Draft, DraftPart, Evidence, Pointer
from rag.domain.document import ElementKind
from rag.domain.premise import denies, premise_of
from rag.domain.words import Span, sentence_spans

_SHARE_MIN: Final = 0.4


def correction(question: str, evidence: Sequence[Evidence]) -> Draft:
    """The sentence that speaks of what the question takes for granted and denies it, quoted.

    Empty where the question grants nothing, or no sentence says enough of it. Whether the two
    truly exclude each other is left to who reads: the answer says only that this is what stands.
    """
    premise = premise_of(question)
    if premise is None:
        return Draft(parts=())
    found = [
        (denies(span.of(shown.text), premise), -n, span)
        for n, shown in enumerate(evidence)
        for span in _sentences(shown)
    ]
    best = max(found, key=lambda one: one[:2], default=None)
    if best is None or best[0] < _SHARE_MIN:
        return Draft(parts=())
    _, at, span = best
    shown = evidence[-at]
    quote = Pointer(evidence=-at, span=span.shifted(shown.span.start), quote=span.of(shown.text))
    return Draft(parts=(DraftPart(text=span.of(shown.text), pointers=(quote,)),))


def _sentences(shown: Evidence) -> Iterator[Span]:
    """Of running text and lists, without what is hidden; spans in the passage."""
    for element in shown.elements:
        if element.kind not in (ElementKind.PARAGRAPH, ElementKind.LIST_ITEM):
            continue
        start = max(element.span.start, shown.span.start) - shown.span.start
        end = min(element.span.end, shown.span.end) - shown.span.start
        for span in sentence_spans(shown.text, start, end):
            if not any(span.overlaps(h) for h in shown.hidden):
                yield span
