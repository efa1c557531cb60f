"""Quotable units of evidence: sentences, list items, table rows, lines; each an exact span."""

from collections.abc import Sequence
from dataclasses import dataclass

from rag.domain.claim import Evidence
from rag.domain.document import Element, ElementKind
from rag.domain.words import Span, content_stems, sentence_spans


@dataclass(frozen=True, slots=True, kw_only=True)
class Unit:
    """Something that can be quoted on its own. `span` lies in the version's canonical text.

    `lead` is what introduces it: the sentence before it, or the line above its list.
    """

    evidence: int
    element: int
    kind: ElementKind
    text: str
    span: Span
    section: tuple[str, ...]
    lead: str
    stems: frozenset[str]
    context: frozenset[str]


def units_of(index: int, evidence: Evidence) -> list[Unit]:
    """All units of one passage, in text order; headings are context, never units."""
    units: list[Unit] = []
    about = " ".join((evidence.source.title, evidence.source.key.replace("/", " ")))
    lead = ""
    for position, element in enumerate(evidence.elements):
        if element.kind is ElementKind.HEADING:
            continue
        spans = _unit_spans(evidence, element)
        for span in spans:
            text = span.shifted(-evidence.span.start).of(evidence.text)
            section = " ".join(element.section)
            units.append(
                Unit(
                    evidence=index,
                    element=position,
                    kind=element.kind,
                    text=text,
                    span=span,
                    section=element.section,
                    lead=lead,
                    stems=frozenset(content_stems(text)),
                    context=frozenset(content_stems(f"{about} {section} {lead}")),
                )  # fmt: skip
            )
            # A list's items all stand under the line that introduces the list.
            if element.kind is not ElementKind.LIST_ITEM:
                lead = text
    return units


def _unit_spans(evidence: Evidence, element: Element) -> Sequence[Span]:
    start = max(element.span.start, evidence.span.start)
    end = min(element.span.end, evidence.span.end)
    local = Span(start - evidence.span.start, end - evidence.span.start)
    if element.kind in (ElementKind.TABLE, ElementKind.CODE):
        spans = _lines(evidence.text, local)
        # The header line says nothing that its rows do not repeat.
        has_header = element.kind is ElementKind.TABLE and start == element.span.start
        spans = spans[1:] if has_header and len(spans) > 1 else spans
    elif element.kind is ElementKind.LIST_ITEM:
        spans = [local]
    else:
        spans = [
            line
            for sentence in sentence_spans(evidence.text, local.start, local.end)
            for line in _lines(evidence.text, sentence)
        ]
    return [span.shifted(evidence.span.start) for span in spans]


def _lines(text: str, span: Span) -> list[Span]:
    lines: list[Span] = []
    start = span.start
    for line in span.of(text).split("\n"):
        stripped = line.strip()
        if stripped:
            first = start + len(line) - len(line.lstrip())
            lines.append(Span(first, first + len(stripped)))
        start += len(line) + 1
    return lines
