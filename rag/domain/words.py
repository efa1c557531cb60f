"""Words and sentences as spans: where they are in a text, never copies of it.

Every span counts Unicode code points, 0-based and half-open, like all spans in Sworn.
"""

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

# A word keeps inner apostrophes, hyphens, dots and slashes only between word characters, so
# that `ABC-123`, `v2.1` and `don't` stay whole while a full stop at the end stays outside.
_WORD: Final = re.compile(r"\w+(?:[.'’/:@_-]\w+)*")

# Where a compound word falls into parts: hyphens, slashes, underscores, and camel case.
_PARTS: Final = re.compile(r"[-/_]|(?<=[a-z0-9])(?=[A-Z])")

STOP_WORDS: Final = frozenset(
    """a about above after again all also am an and any are as at be because been before being
    below between both but by can cannot could did do does doing down during each either else
    ever every few for from further get had has have having he her here hers him his how i if
    in into is it its itself just let may me might more most much must my no nor not now of off
    on once one only or other our ours out over own per please same shall she should so some
    such than that the their theirs them then there these they this those through to too under
    until up us very was we were what when where which while who whom whose why will with would
    you your yours tell give show know
    aber als am auch auf aus bei bin bis da das dass dein dem den der des die doch du durch ein
    eine einem einen einer eines er es für hat ich ihr im ist kann man mein mit muss nach nicht
    noch oder sein sich sie sind so und uns unser vom von vor wann war warum welche welchem
    welcher welches wenn wer werden wie wieviel wird wo wohin zu zum zur""".split()
)

_ABBREVIATIONS: Final = frozenset(
    """mr mrs ms dr prof st no nos vs etc e.g i.e cf fig figs approx dept est inc ltd co corp gmbh
    jan feb mar apr jun jul aug sep sept oct nov dec mon tue wed thu fri sat sun p pp ch sec art
    vol ed eds al z.b d.h bzw ca nr usw inkl ggf str tel min max a.m p.m u.s u.k""".split()
)

# The end of a sentence: closing punctuation, optional quotes or brackets, then white space.
# Tried once for each run of dots: "....." would otherwise take the square of its length.
_SENTENCE_END: Final = re.compile(r"(?<![.!?…])[.!?…]++[\"'”’»)\]]*+(?=\s)|\n[ \t]*+\n")
_LAST_WORD: Final = re.compile(r"([\w.]+)$")


@dataclass(frozen=True, slots=True)
class Span:
    """A half-open range of code points, `0 <= start <= end`."""

    start: int
    end: int

    def __post_init__(self) -> None:
        if not 0 <= self.start <= self.end:
            raise ValueError(f"not a span: [{self.start}, {self.end})")

    def __len__(self) -> int:
        return self.end - self.start

    def of(self, text: str) -> str:
        """The text at this span."""
        return text[self.start : self.end]

    def shifted(self, by: int) -> "Span":
        """The same length, `by` code points further on."""
        return Span(self.start + by, self.end + by)

    def overlaps(self, other: "Span") -> bool:
        """Whether the two share at least one code point."""
        return self.start < other.end and other.start < self.end


def word_spans(text: str) -> tuple[Span, ...]:
    """Spans of the words of `text`, in order."""
    return tuple(Span(match.start(), match.end()) for match in _WORD.finditer(text))


def words(text: str) -> tuple[str, ...]:
    """The words of `text`, case-folded, in order; hyphenated and dotted ones stay whole."""
    return tuple(match.group().casefold().replace("’", "'") for match in _WORD.finditer(text))


@lru_cache(maxsize=65_536)
def stem(word: str) -> str:
    """A rough English stem: enough to make `policies`, `policy` and `booked`, `book` meet.

    Deliberately small: words with digits are left alone, and no stem is under three letters.
    """
    if len(word) <= 3 or any(c.isdigit() for c in word):
        return word
    word = word.removesuffix("'s")
    for suffix, replacement in (
        ("ations", "at"), ("ation", "at"), ("ements", ""), ("ement", ""), ("ments", ""),
        ("ment", ""), ("ingly", ""), ("edly", ""), ("sses", "ss"), ("ees", "ee"), ("ies", "y"), ("ied", "y"),
        ("ing", ""), ("ers", ""), ("ed", ""), ("es", ""), ("er", ""), ("ly", ""), ("s", ""),
    ):  # fmt: skip
        if word.endswith(suffix) and len(word) - len(suffix) + len(replacement) >= 3:
            if suffix == "s" and word.endswith(("ss", "us", "is")):
                break
            word = word[: len(word) - len(suffix)] + replacement
            break
    if len(word) > 3 and word[-1] == word[-2] and word[-1] not in "aeious":
        word = word[:-1]
    if len(word) > 3 and word.endswith("e"):
        word = word[:-1]
    if len(word) > 3 and word.endswith("i"):
        word = word[:-1] + "y"
    return word


def content_words(text: str) -> tuple[str, ...]:
    """Case-folded words without stop words, in order, unstemmed."""
    return tuple(w for w in words(text) if w not in STOP_WORDS)


@lru_cache(maxsize=1024)
def content_stems(text: str) -> tuple[str, ...]:
    """Stems of the content words, compound words also by their parts, in order.

    `high-cost` also gives its halves, and so do `MAX_ATTEMPTS` and `maxAttempts`.
    """
    stems: list[str] = []
    for match in _WORD.finditer(text):
        word = match.group()
        whole = word.casefold().replace("’", "'")
        if whole in STOP_WORDS:
            continue
        stems.append(stem(whole))
        parts = _PARTS.split(word)
        if len(parts) > 1:
            folded = (part.casefold() for part in parts)
            stems.extend(stem(part) for part in folded if part and part not in STOP_WORDS)
    return tuple(stems)


def sentence_spans(text: str, start: int = 0, end: int | None = None) -> tuple[Span, ...]:
    """Spans of the sentences of `text[start:end]`, trimmed of white space, in order.

    A sentence ends at closing punctuation followed by white space, or at an empty line. Known
    abbreviations, single initials and numbered-list marks do not end one, nor does a full stop
    before a lower-case word. Every non-blank code point lies in exactly one span.
    """
    end = len(text) if end is None else end
    spans: list[Span] = []
    begin = start
    for match in _SENTENCE_END.finditer(text, start, end):
        if not _ends_sentence(text, begin, match):
            continue
        _append_trimmed(spans, text, begin, match.end())
        begin = match.end()
    _append_trimmed(spans, text, begin, end)
    return tuple(spans)


def _ends_sentence(text: str, begin: int, match: re.Match[str]) -> bool:
    if "\n" in match.group():
        return True
    following = text[match.end() : match.end() + 3].lstrip()
    if following[:1].islower():
        return False
    if not match.group().startswith(".") or match.group().startswith(".."):
        return True
    last = _LAST_WORD.search(text, begin, match.start())
    if last is None:
        return True
    word = last.group(1)
    is_initial = len(word) == 1 and word.isalpha() and word.isupper()
    is_list_mark = word.isdigit() and not text[begin : last.start()].strip()
    return not (is_initial or is_list_mark or word.casefold() in _ABBREVIATIONS)


def _append_trimmed(spans: list[Span], text: str, begin: int, end: int) -> None:
    piece = text[begin:end]
    stripped = piece.strip()
    if stripped:
        first = begin + len(piece) - len(piece.lstrip())
        spans.append(Span(first, first + len(stripped)))
