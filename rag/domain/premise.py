"""What a question takes for granted: that the launch was cancelled, or a date it is asked for."""

import re
from calendar import monthrange
from datetime import date
from typing import Final

from rag.domain.dates import dates
from rag.domain.polarity import NEGATORS
from rag.domain.words import content_stems, words

_AUXILIARY: Final = (
    r"(?:is|are|was|were|do|does|did|has|have|had|will|would|can|could|may|must|should"
    r"|ist|sind|wurde|wurden|war|hat|haben|wird|muss|darf|kann)"
)
# Questions whose form takes the rest for granted; whether something is so takes nothing.
_GRANTED: Final = tuple(
    re.compile(pattern, re.IGNORECASE)
    for pattern in (
        r"\b(?:since|given that|now that|da|weil) (?P<said>[^,?]{8,}),",
        r"\b(?:given that|now that|considering that) (?P<said>[^?]{8,})\?",
        r"\b(?:rule|decision|policy|agreement|fact) that (?P<said>[^?]{8,})\?",
        rf"^\W*(?:why|when|since when|how|where|warum|wieso|weshalb|wann|seit wann)\s+{_AUXILIARY}"
        r"(?:n't)?\s(?P<said>[^?]{8,})\?",
        rf"^\W*(?:(?:on|in|at|for) )?(?:how (?:long|often) |(?:which|what|how many|how much|welche[mnrs]?)"
        rf" (?:\w+ ){{1,4}}?){_AUXILIARY}?\s?(?P<said>[^?]{{8,}})\?",
        r"^\W*(?:who|which \w+|what) (?P<said>(?!is |are |was |were )\w+[^?]{8,})\?",
    )
)
_STEMS_MIN: Final = 2
# Fewer words in common, and a sentence may deny something else.
_SHARED_MIN: Final = 3
_AS_OF: Final = re.compile(
    r"\b(?:as of|as at|stand vom|stand:|zum stand|(?<=, )stand)\s*$", re.IGNORECASE
)


def premise_of(question: str) -> str | None:
    """The words of the question that state something, in their order; None where none do."""
    text = " ".join(question.split())
    for pattern in _GRANTED:
        found = pattern.search(text)
        if found and len(content_stems(found["said"])) >= _STEMS_MIN:
            return found["said"].strip()
    return None


def denies(sentence: str, premise: str) -> float:
    """How much of a premise a sentence speaks of while one of the two is denied and not the other.

    A share of the premise's words; 0 where both are affirmed, or both denied.
    """
    if _is_denied(sentence) == _is_denied(premise):
        return 0.0
    granted = set(content_stems(premise))
    shared = granted & set(content_stems(sentence))
    return len(shared) / len(granted) if len(shared) >= _SHARED_MIN else 0.0


def _is_denied(text: str) -> bool:
    return any(w in NEGATORS for w in words(text))


def as_of(question: str) -> date | None:
    """The last day of `as of March 2024`; None where no such date is named."""
    for found in dates(question):
        if found.year is None or not _AS_OF.search(question[: found.span.start]):
            continue
        if found.month is None:
            month = 3 * found.quarter if found.quarter else 12
            return date(found.year, month, monthrange(found.year, month)[1])
        # Of two readings (5 January, 1 May) the later one loses no document.
        month, day = max([(found.month, found.day or 31), *found.alternatives])
        return date(found.year, month, min(day, monthrange(found.year, month)[1]))
    return None
