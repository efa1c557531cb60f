"""What a question asks for, read off its form."""

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from rag.domain.dates import clocks, dates
from rag.domain.names import identifiers, proper_names
from rag.domain.numbers import quantities
from rag.domain.words import content_stems


class Form(StrEnum):
    NUMBER = "number"
    TIME = "time"
    PERSON = "person"
    PLACE = "place"
    YES_NO = "yes_no"
    STEPS = "steps"
    LIST = "list"
    OTHER = "other"


_FORMS: Final[tuple[tuple[Form, re.Pattern[str]], ...]] = tuple(
    (form, re.compile(pattern, re.IGNORECASE))
    for form, pattern in (
        (Form.NUMBER, r"\bhow (?:many|much|long|often|far|big|large|high|old|fast|late|early)\b"
                      r"|\bwie (?:viele?|lange|oft|hoch|teuer|weit)\b"),
        (Form.TIME, r"\bwhen\b|\b(?:what|which|by what) (?:date|day|time|year|month|deadline)\b"
                    r"|\bdeadline\b|\bwann\b|\bbis wann\b"),
        (Form.PERSON, r"\bwho(?:m|se)?\b|\bwhich person\b|\bwer\b|\bwem\b|\bwen\b"),
        (Form.PLACE, r"\bwhere\b|\bwo\b|\bwohin\b"),
        (Form.STEPS, r"\bhow (?:do|can|should|would) (?:i|we|you|one)\b|\bhow to\b|\bsteps?\b"
                     r"|\bprocedure\b|\bwie (?:kann|muss|soll) ich\b"),
        (Form.LIST, r"\b(?:list|name|enumerate) (?:all|the|every)\b|\bwhat are the\b"
                    r"|\bwhich (?:\w+ ){1,3}(?:are|were|have|do|count|must|can)\b"),
        (Form.YES_NO, r"^\W*(?:is|are|was|were|do|does|did|can|could|may|must|should|will|would"
                      r"|has|have|am)\b|^\W*(?:darf|kann|muss|ist|sind|gibt)\b"),
    )
)  # fmt: skip
_AMOUNT: Final = re.compile(
    r"\b(?:what|which)\b.*\b(?:rate|limit|amount|price|cost|fee|number|percentage|share|maximum"
    r"|minimum|budget|salary|allowance|cap|threshold|size|total|count|port|version|temperature"
    r"|interval|timeout|period|phone|extension|revenue|margin|score|weight|duration|length)\b",
    re.IGNORECASE,
)
_PLACE_WORDS: Final = re.compile(r"\b(?:in|at|on|near|floor|room|building|street|office|under)\b")


@dataclass(frozen=True, slots=True, kw_only=True)
class Ask:
    """A question taken apart. `demands` are names, numbers and dates that an answer must be about."""

    text: str
    form: Form
    stems: frozenset[str]
    demands: tuple[str, ...]


def read_question(text: str) -> Ask:
    """The form of the question and what it insists on."""
    form = next((form for form, pattern in _FORMS if pattern.search(text)), Form.OTHER)
    if form in (Form.OTHER, Form.LIST) and _AMOUNT.search(text):
        form = Form.NUMBER
    return Ask(text=text, form=form, stems=frozenset(content_stems(text)), demands=_demands(text))


def _demands(text: str) -> tuple[str, ...]:
    named = [
        n.span.of(text) for n in (*proper_names(text), *identifiers(text)) if n.kind != "opening"
    ]
    figured = [
        q.span.of(text) for q in quantities(text) if any(c.isdigit() for c in q.span.of(text))
    ]
    dated = [d.span.of(text) for d in dates(text)]
    return tuple(dict.fromkeys((*named, *figured, *dated)))


def has_form(text: str, form: Form) -> bool | None:
    """Whether `text` holds the kind of thing the form asks for; None where any text may."""
    match form:
        case Form.NUMBER:
            return bool(quantities(text)) or any(c.isdigit() for c in text)
        case Form.TIME:
            return bool(dates(text) or clocks(text) or quantities(text))
        case Form.PERSON:
            return bool(proper_names(text)) or "@" in text or " team" in text.casefold()
        case Form.PLACE:
            return bool(_PLACE_WORDS.search(text.casefold()) or proper_names(text))
        case _:
            return None
