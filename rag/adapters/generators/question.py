"""What a question asks for, read off its form."""

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from rag.adapters.generators.matching import matched_stems
from rag.domain.dates import clocks, dates
from rag.domain.names import identifiers, proper_names
from rag.domain.numbers import frequencies, quantities
from rag.domain.words import stem


class Form(StrEnum):
    """The kind of thing that an answer has to hold; OTHER may hold anything."""

    COUNT = "count"
    MONEY = "money"
    DURATION = "duration"
    FREQUENCY = "frequency"
    NUMBER = "number"
    TIME = "time"
    PERSON = "person"
    PLACE = "place"
    REASON = "reason"
    YES_NO = "yes_no"
    STEPS = "steps"
    LIST = "list"
    OTHER = "other"


_TIME_UNIT: Final = r"(?:seconds?|minutes?|hours?|days?|nights?|weeks?|months?|years?)"
_PATTERNS: Final[tuple[tuple[Form, str], ...]] = (
    (Form.FREQUENCY, r"\bhow (?:often|frequently)\b|\bwie oft\b"),
    (Form.DURATION, rf"\bhow (?:long|many {_TIME_UNIT})\b|\bwie lange\b"),
    (Form.COUNT, r"\bhow many\b|\bwie ?viele\b"),
    (Form.MONEY, r"\bhow much\b|\bwie ?viel\b|\bwie teuer\b"),
    (Form.NUMBER, r"\bhow (?:far|big|large|high|old|fast|late|early|heavy|small)\b|\bwie hoch\b"),
    (Form.TIME, r"\bwhen\b|\b(?:what|which) (?:date|day|time|year|month|deadline|weekday)\b"
                r"|\bdeadline\b|\bwann\b"),
    (Form.REASON, r"\bwhy\b|\b(?:what|which) (?:was |is )?the (?:root )?(?:cause|reason)\b"
                  r"|\bwarum\b|\bweshalb\b"),
    (Form.PERSON, r"\bwho(?:m|se)?\b|\bwhich person\b|\bwer\b|\bwem\b|\bwen\b"),
    (Form.PLACE, r"\bwhere\b|\bwo\b|\bwohin\b"),
    (Form.STEPS, r"\bhow (?:do|can|should|would) (?:i|we|you|one)\b|\bhow to\b|\bsteps\b"
                 r"|\bprocedure\b|\bwie (?:kann|muss|soll) ich\b"),
    (Form.LIST, r"\b(?:list|name|enumerate) (?:all|the|every)\b|\bwhat are the\b"
                r"|\bwhich (?:\w+ ){1,3}(?:are|were|have|do|count|must|can)\b"
                r"|\bwhich (?:\w+ )?\w{3,}s (?:does|did|belong|need|apply)\b"),
    (Form.YES_NO, r"^\W*(?:is|are|was|were|do|does|did|can|could|may|must|should|will|would"
                  r"|has|have|am)\b|^\W*(?:darf|kann|muss|ist|sind|gibt)\b"),
)  # fmt: skip
_FORMS: Final = tuple((form, re.compile(p, re.IGNORECASE)) for form, p in _PATTERNS)
_MONEY_WORDS: Final = re.compile(
    r"\b(?:price|costs?|fee|budget|salary|allowance|pay|paid|refund|revenue|rent|dearer|cheaper)\b",
    re.IGNORECASE,
)
_AMOUNT: Final = re.compile(
    r"\b(?:what|which)\b.*\b(?:rate|limit|amount|number|percentage|share|maximum|minimum|cap"
    r"|threshold|size|total|count|port|voltage|temperature|interval|timeout|period|phone|extension"
    r"|margin|score|weight|duration|length|slo|value)\b",
    re.IGNORECASE,
)
_COUNTED: Final = re.compile(r"\b(?:how many|wie ?viele) ([\w-]+)(?: ([\w-]+))?", re.IGNORECASE)
_CURRENCY: Final = re.compile(
    r"[€$£]|\b(?:eur|usd|gbp|chf|euros?|dollars?)(?:\b|_)|_eur\b", re.IGNORECASE
)
_PLACE_WORDS: Final = re.compile(
    r"\b(?:in|at|on|near|floor|room|building|street|office|under|behind|auf|im|am|vor)\b"
)
_REASONS: Final = re.compile(
    r"\b(?:because|so that|in order to|since|due to|reasons?|caused?|therefore|to (?:avoid|prevent"
    r"|keep|make)|as a result|after|weil|damit|wegen)\b",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Ask:
    """A question taken apart.

    `demands` are names, numbers and dates that an answer must be about; `counted` are the stems
    of what "how many" counts.
    """

    text: str
    form: Form
    stems: frozenset[str]
    demands: tuple[str, ...]
    counted: frozenset[str]


def read_question(text: str) -> Ask:
    """The form of the question and what it insists on."""
    form = next((form for form, pattern in _FORMS if pattern.search(text)), Form.OTHER)
    if form in (Form.OTHER, Form.LIST):
        if _MONEY_WORDS.search(text):
            form = Form.MONEY
        elif _AMOUNT.search(text):
            form = Form.NUMBER
    counted = _COUNTED.search(text) if form is Form.COUNT else None
    return Ask(
        text=text,
        form=form,
        stems=matched_stems(text),
        demands=_demands(text),
        counted=frozenset(stem(w.casefold()) for w in counted.groups() if w)
        if counted
        else frozenset(),
    )


def _demands(text: str) -> tuple[str, ...]:
    named = [
        n.span.of(text) for n in (*proper_names(text), *identifiers(text)) if n.kind != "opening"
    ]
    figured = [q.span.of(text) for q in quantities(text) if q.span.of(text)[:1].isdigit()]
    dated = [d.span.of(text) for d in dates(text)]
    return tuple(dict.fromkeys((*named, *figured, *dated)))


def form_match(ask: Ask, text: str) -> float | None:
    """How well `text` holds what the form asks for: 1 clearly, 0.5 perhaps, 0 not.

    None where any text may answer.
    """
    number = 0.5 if any(c.isdigit() for c in text) or quantities(text) else 0.0
    match ask.form:
        case Form.COUNT:
            heads = {part for q in quantities(text) for part in (q.head, q.label)}
            return 1.0 if heads & ask.counted else number
        case Form.MONEY:
            return 1.0 if number and _CURRENCY.search(text) else number
        case Form.DURATION:
            timed = any(q.unit and q.unit.dimension == "time" for q in quantities(text))
            return 1.0 if timed else number
        case Form.FREQUENCY:
            return 1.0 if frequencies(text) or "every" in text.casefold() else number
        case Form.NUMBER:
            return 2 * number
        case Form.TIME:
            return 1.0 if dates(text) or clocks(text) else number
        case Form.PERSON:
            named = proper_names(text)
            return 1.0 if named else 0.5 * (" team" in text.casefold() or "@" in text)
        case Form.PLACE:
            return 1.0 if _PLACE_WORDS.search(text.casefold()) else 0.5 * bool(proper_names(text))
        case Form.REASON:
            return 1.0 if _REASONS.search(text) else 0.0
        case _:
            return None
