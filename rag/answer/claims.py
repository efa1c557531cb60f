"""From a draft to claims: one sentence, list item, table row or clause is one claim."""

import re
from typing import Final

from rag.domain.claim import Claim, ClaimKind, Draft, DraftPart, Pointer
from rag.domain.extraction import segments
from rag.domain.markup import judged_text
from rag.domain.words import Span, word_spans

# What the writer says about itself or its sources asserts nothing about the world.
_ABSTAINS: Final = re.compile(
    r"^\W*(?:(?:unfortunately|sorry|however|but)\W+)?(?:"
    r"(?:the |these |those |your |my |our )?(?:(?:given|provided|available|cited|retrieved) )?"
    r"(?:sources?|documents?|evidence|passages?|context|texts?|excerpts?|information)\b.{0,60}?"
    r"\b(?:do|does|did)(?: not|n't) (?:\w+ )?"
    r"(?:say|mention|state|contain|specify|provide|include|tell|cover|address|give|indicate)"
    r"|(?:there is|there's) no (?:mention|information|indication)\b"
    r"|(?:it|this) is not (?:mentioned|stated|specified|said|covered)\b"
    r"|i(?:'m| am)? (?:do not|don't|cannot|can't|could not|couldn't|not able to|unable to)"
    r" (?:know|find|say|answer|determine|tell)"
    r"|die (?:quellen|dokumente|unterlagen)\b.{0,60}?\b(?:sagen|nennen|enthalten|erwähnen)\b"
    r".{0,40}\b(?:nicht|kein\w*))",
    re.IGNORECASE,
)
# The whole sentence, or nothing: "Sure, the limit is 500 euros" says something.
_REMARKS: Final = re.compile(
    r"^\W*(?:(?:here|below) (?:is|are)\b[\w ’'-]{0,60}:|(?:sure|certainly|of course|great question)"
    r"|(?:i )?hope (?:this|that) helps|(?:in )?(?:summary|short|conclusion)"
    r"|(?:please )?let me know if you (?:have|need)\b[a-z ]{0,60}|feel free to ask\b[a-z ]{0,60}"
    r"|based on (?:the|these) [a-z ]{0,30}:)\W*$",
    re.IGNORECASE,
)
_GOES_ON: Final = re.compile(
    r"[,;:]\s|\b(?:but|so|however|although|yet|except|only)\b", re.IGNORECASE
)
_HEDGES: Final = re.compile(
    r"\b(?:probably|possibly|perhaps|maybe|presumably|apparently|seemingly|likely"
    r"|i (?:think|believe|guess|assume|suppose)|it (?:seems|appears)|as far as i know"
    r"|it is possible that|may well|wahrscheinlich|vermutlich|vielleicht)\b",
    re.IGNORECASE,
)
_RULE: Final = re.compile(r"^[\s|:+=-]+$")
_HEADING: Final = re.compile(r"^\s{0,3}#{1,6}\s")
_LEAD_IN_WORDS_MAX: Final = 12

# A finite verb, as far as a list of them goes: a clause without one is not split off.
_VERB: Final = re.compile(
    r"\b(?:is|are|was|were|has|have|had|does|do|did|can|could|may|might|must|shall|should|will"
    r"|would|needs?|costs?|takes?|gets?|gives?|applies|apply|includes?|covers?|requires?|allows?"
    r"|remains?|ends?|starts?|begins?|became|becomes?|made|makes?|won|held|holds|expires?|pays?"
    r"|paid|receives?|received|contains?|lasts?|runs?|uses?|\w{3,}ed)\b",
    re.IGNORECASE,
)
# Where one sentence plainly says two things: a semicolon, or a comma and a conjunction before
# a subject of its own.
_JOINT: Final = re.compile(
    r";(?=\s)|,(?=\s+(?:and|but|while|whereas)\s+"
    r"(?:the|a|an|it|they|he|she|we|you|this|that|these|those|its|their|his|her|there|each"
    r"|every|all|both|no|[A-Z]\w+)\s)"
)
_CLAUSE_WORDS_MIN: Final = 4
# Each joint looks at all before and after it; no readable sentence is longer.
_CUT_CHARS_MAX: Final = 1_000


def split_claims(draft: Draft) -> tuple[Claim, ...]:
    """Claims in draft order; spans count code points of the parts joined by line breaks.

    A part with one quoting pointer is a quotation and stays whole, as does a figure that is worked
    out; others split at sentences,
    lines, and where one sentence plainly says two things. Every sentence becomes a claim, also
    those that assert nothing: no text is passed over.
    """
    claims: list[Claim] = []
    offset = 0
    for part in draft.parts:
        claims.extend(_claims_of(part, offset))
        offset += len(part.text) + 1
    return tuple(claims)


def _quotes_all(part: DraftPart, pointer: Pointer) -> bool:
    """Whether the part is the quotation itself, not words of one's own beside one."""
    return pointer.span is not None and pointer.quote in (None, part.text)


def _claims_of(part: DraftPart, offset: int) -> list[Claim]:
    quotes = len(part.pointers) == 1 and _quotes_all(part, part.pointers[0])
    is_whole = quotes or part.derived is not None
    spans = [Span(0, len(part.text))] if is_whole else _clauses(part.text)
    texts = [span.of(part.text) for span in spans]
    return [
        Claim(
            text=text,
            span=span.shifted(offset),
            # A quotation is held against its source whatever its form.
            kind=ClaimKind.HEADING if _is_header(text, below) else kind_of(text, quoted=quotes),
            pointers=part.pointers,
            short=_inside(part.short, span),
            derived=part.derived,
        )
        for span, text, below in zip(spans, texts, [*texts, ""][1:], strict=True)
        if text.strip()
    ]


def _inside(short: Span | None, clause: Span) -> Span | None:
    """The short answer's place in the clause that holds it whole."""
    if short is None or short.start < clause.start or clause.end < short.end:
        return None
    return short.shifted(-clause.start)


def _is_header(row: str, below: str) -> bool:
    """Whether a table row is the header: the row below is the rule of a markdown table."""
    return "|" in row and "|" in below and "-" in below and _RULE.match(below) is not None


def _clauses(text: str) -> list[Span]:
    """Sentences, list items and table rows, cut once more at each clear coordination."""
    return [clause for segment in segments(text) for clause in _cut(text, segment)]


def _cut(text: str, segment: Span) -> list[Span]:
    if "|" in segment.of(text) or len(segment) > _CUT_CHARS_MAX:
        return [segment]  # The cells of a row are one claim.
    clauses: list[Span] = []
    start = segment.start
    for joint in _JOINT.finditer(text, segment.start, segment.end):
        before, after = Span(start, joint.end()), Span(joint.end(), segment.end)
        if _stands_alone(before.of(text)) and _stands_alone(after.of(text)):
            clauses.append(before)
            start = joint.end() + len(after.of(text)) - len(after.of(text).lstrip())
    return [*clauses, Span(start, segment.end)]


def _stands_alone(clause: str) -> bool:
    return len(word_spans(clause)) >= _CLAUSE_WORDS_MIN and _VERB.search(clause) is not None


def kind_of(sentence: str, *, quoted: bool = False) -> ClaimKind:
    """What a sentence is; `quoted` text from a source is never a heading or a lead-in."""
    text = judged_text(sentence).strip()
    if not word_spans(text) or _RULE.match(text):
        return ClaimKind.REMARK
    if text.rstrip("\"'”’)").endswith("?"):
        return ClaimKind.QUESTION
    abstains = _ABSTAINS.search(text)
    if abstains and not _GOES_ON.search(text, abstains.end()):
        return ClaimKind.ABSTENTION
    if _REMARKS.search(text):
        return ClaimKind.REMARK
    if not quoted and (_is_heading(sentence) or _is_lead_in(text)):
        return ClaimKind.HEADING
    return ClaimKind.HEDGED if _HEDGES.search(text) else ClaimKind.ASSERTION


def _is_heading(sentence: str) -> bool:
    """A heading by its mark, unless it says something: a verb or a figure in it is checked."""
    if not _HEADING.match(sentence) or any(c.isdigit() for c in sentence):
        return False
    return _VERB.search(sentence) is None


def _is_lead_in(text: str) -> bool:
    """Whether it only announces what follows ("The limits are:"); a figure asserts something."""
    if not text.endswith(":") or any(c.isdigit() for c in text):
        return False
    found = word_spans(text)
    if len(found) > _LEAD_IN_WORDS_MAX:
        return False
    # A verb is fine at the end, where what it says is still to come.
    return _VERB.search(text, 0, found[-1].start) is None
