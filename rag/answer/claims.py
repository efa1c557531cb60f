"""From a draft to claims: one sentence, list item or table row is one claim."""

import re
from typing import Final

from rag.domain.claim import Claim, Draft, DraftPart
from rag.domain.words import Span, sentence_spans, word_spans

# What the generator says about itself or its sources asserts nothing about the world.
_SAYS_NOTHING: Final = re.compile(
    r"^\W*(?:the (?:sources?|documents?|evidence|passages?|context)\b.{0,60}\b(?:do|does|did)"
    r"(?: not|n't) (?:say|mention|state|contain|specify|provide)"
    r"|i (?:do not|don't|cannot|can't|could not|couldn't) (?:know|find|say|answer)"
    r"|(?:here|below) (?:is|are) )",
    re.IGNORECASE,
)


def split_claims(draft: Draft) -> tuple[Claim, ...]:
    """Claims in draft order; spans count code points of the parts joined by line breaks.

    A part with one quoting pointer is a quotation and stays whole; others split at sentences.
    Every sentence becomes a claim, also those that assert nothing: no text is passed over.
    """
    claims: list[Claim] = []
    offset = 0
    for part in draft.parts:
        claims.extend(_claims_of(part, offset))
        offset += len(part.text) + 1
    return tuple(claims)


def _claims_of(part: DraftPart, offset: int) -> list[Claim]:
    quotes = len(part.pointers) == 1 and part.pointers[0].span is not None
    spans = (Span(0, len(part.text)),) if quotes else sentence_spans(part.text)
    return [
        Claim(
            text=span.of(part.text),
            span=span.shifted(offset),
            asserts=asserts_something(span.of(part.text)),
            pointers=part.pointers,
        )
        for span in spans
        if len(span)
    ]


def asserts_something(sentence: str) -> bool:
    """Whether a sentence can be true or false of the world.

    Questions, bare headings without a verb or figure, and remarks about the sources cannot.
    """
    text = sentence.strip()
    if not word_spans(text) or text.endswith("?"):
        return False
    return _SAYS_NOTHING.search(text) is None
