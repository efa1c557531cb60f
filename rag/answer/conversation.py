"""From a conversation to the one question that is asked at its end, so that it stands alone.

Rules, no model: what the last message only points at is taken from the question before it.
"""

import re
from collections.abc import Sequence
from typing import Final

from rag.answer.planning import about
from rag.domain.words import content_words, words

_CONTINUES: Final = re.compile(
    r"^\W*(?:and|but|or|what about|how about|then|und|aber|wie (?:ist|sieht) es mit|was ist mit)\b\s*",
    re.IGNORECASE,
)
_POINTS: Final = re.compile(
    r"\b(?:it|its|they|them|their|those|he|she|him|her|his|ones?|(?:does|is|do|about) (?:this|that|these)"
    r"|ihn|ihm|dessen|deren|dort|davon|dazu)\b",
    re.IGNORECASE,
)
_ASKS: Final = re.compile(
    r"\b(?:who|whom|whose|what|which|when|where|why|how|is|are|was|were|do|does|did|can|may|must"
    r"|should|will|wer|wem|wen|was|welche[rsmn]?|wann|wo|warum|wie|ist|sind|darf|kann|muss)\b",
    re.IGNORECASE,
)
_FRAGMENT: Final = re.compile(r" \([^()]*\)$")
_FRAGMENT_WORDS_MAX: Final = 6


_THANKS: Final = re.compile(
    r"^\W*(?:ok(?:ay)?|thanks?|thank you|great|cheers|danke|super|gut)\b[\w ,!.]{0,30}$",
    re.IGNORECASE,
)


def self_contained(asked: Sequence[str]) -> str:
    """The last of the user's messages as a question that needs none of the others.

    `And for part-time employees?` after `How many days of leave do I get?` is that question with
    the words in brackets; `How long is it valid?` gets the topic of the question before.

    Args:
        asked: what the user said, in order; at least one.
    """
    *before, last = [" ".join(text.split()) for text in asked]
    earlier = next((text for text in reversed(before) if content_words(text)), "")
    if not earlier or _THANKS.match(last):
        return last
    resolved = self_contained(before) if len(before) > 1 else earlier
    bare = _CONTINUES.sub("", last)
    is_short = len(words(bare)) <= _FRAGMENT_WORDS_MAX
    if is_short and (_CONTINUES.match(last) or not _ASKS.search(last)) and not _asks_anew(bare):
        # Another fragment takes the place of the one before: hotels, then taxis, never both.
        whole = _FRAGMENT.sub("", resolved.rstrip(" ?"))
        return f"{whole} ({bare.rstrip(' ?.')})?" if bare else resolved
    if _POINTS.search(bare) or not content_words(bare):
        return about(resolved, bare if bare.endswith("?") else f"{bare}?")
    return last


def _asks_anew(text: str) -> bool:
    first = words(text)[:1]
    return bool(first) and _ASKS.fullmatch(first[0]) is not None
