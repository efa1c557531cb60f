"""Quotable units of evidence: sentences, list items, table rows, blocks; each an exact span."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from rag.adapters.generators.matching import matched_stems
from rag.domain.claim import Evidence
from rag.domain.document import Element, ElementKind
from rag.domain.table import line_spans, row_spans
from rag.domain.words import Span, content_stems, sentence_spans

# A block of configuration or code is quoted whole up to this; longer ones by their lines.
BLOCK_MAX_CHARS: Final = 400
_COMMENT: Final = re.compile(r'\s*(?:#|//|--|/?\*|""")')


@dataclass(frozen=True, slots=True, kw_only=True)
class Unit:
    """Something that can be quoted on its own. `span` lies in the version's canonical text.

    `lead` is what introduces it: the sentence before it, or the line above its list.
    """

    evidence: int
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
    source = evidence.source
    about = " ".join((source.title, source.key.rsplit(".", 1)[0].replace("/", " ")))
    lead = ""
    for position, element in enumerate(evidence.elements):
        if element.kind is ElementKind.HEADING:
            lead = ""
            continue
        for span in _unit_spans(evidence, position):
            if any(span.overlaps(h) for h in evidence.hidden):
                continue
            text = span.of(evidence.text)
            context = " ".join((about, *element.section, lead))
            units.append(
                Unit(
                    evidence=index, kind=element.kind, text=text,
                    span=span.shifted(evidence.span.start), section=element.section, lead=lead,
                    stems=matched_stems(text), context=frozenset(content_stems(context)),
                )
            )  # fmt: skip
            # A list's items all stand under the line that introduces the list.
            if element.kind not in (ElementKind.LIST_ITEM, ElementKind.TABLE):
                lead = text
    return units


def _unit_spans(evidence: Evidence, position: int) -> Sequence[Span]:
    """Spans within the passage's own text."""
    element = evidence.elements[position]
    local = _local(evidence, element)
    match element.kind:
        case ElementKind.TABLE:
            # The header line says nothing that its rows do not repeat.
            headed = element.span.start >= evidence.span.start
            return row_spans(evidence.text, local, headed=headed)
        case ElementKind.CODE:
            return _blocks(evidence.text, local)
        case ElementKind.LIST_ITEM:
            return [local]
        case _ if _COMMENT.match(local.of(evidence.text)):
            return [_with_what_follows(evidence, position, local)]
        case _:
            sentences = sentence_spans(evidence.text, local.start, local.end)
            return [line for s in sentences for line in _sentence_lines(evidence.text, s)]


def _local(evidence: Evidence, element: Element) -> Span:
    start = max(element.span.start, evidence.span.start)
    end = min(element.span.end, evidence.span.end)
    return Span(start, end).shifted(-evidence.span.start)


def _sentence_lines(text: str, sentence: Span) -> list[Span]:
    """A sentence that runs over lines is one unit; lines of `name: value` are one each."""
    lines = line_spans(text, sentence)
    if all(re.match(r"[\w .-]{1,40}: \S", line.of(text)) for line in lines):
        return lines
    return [sentence]


def _with_what_follows(evidence: Evidence, position: int, comment: Span) -> Span:
    """A comment speaks of the code below it, so the two are quoted together."""
    following = evidence.elements[position + 1 : position + 2]
    if not following or following[0].kind is not ElementKind.CODE:
        return comment
    blocks = _blocks(evidence.text, _local(evidence, following[0]))
    joined = Span(comment.start, blocks[0].end) if blocks else comment
    return joined if len(joined) <= BLOCK_MAX_CHARS else comment


def _blocks(text: str, span: Span) -> list[Span]:
    """Lines with what is indented below them; a comment goes with what it stands above."""
    blocks: list[Span] = []
    indent = 0
    for line in line_spans(text, span):
        margin = line.start - (text.rfind("\n", 0, line.start) + 1)
        joined = Span(blocks[-1].start, line.end) if blocks else line
        below = margin > indent or _is_comment(text, blocks[-1]) if blocks else False
        if blocks and below and len(joined) <= BLOCK_MAX_CHARS:
            blocks[-1] = joined
        else:
            blocks.append(line)
            indent = margin
    return blocks


def _is_comment(text: str, block: Span) -> bool:
    return all(_COMMENT.match(line) for line in block.of(text).splitlines() if line.strip())
