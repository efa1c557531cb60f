"""The checkable facts of a text: numbers, dates, times and names, with their spans."""

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from rag.domain.dates import Clock, Date, clocks, dates
from rag.domain.markup import judged_text
from rag.domain.names import Name, identifiers, proper_names
from rag.domain.numbers import Frequency, Quantity, frequencies, quantities
from rag.domain.words import Span, sentence_spans, stem, word_spans


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """The checkable facts of a text, with spans in it, and its lines and sentences.

    `words` are its words case-folded, hyphenated and possessive ones also by their parts
    and joined up;
    `segment_stems` are the stems of the words of each segment, stop words included.
    """

    text: str
    judged: str
    quantities: tuple[Quantity, ...]
    dates: tuple[Date, ...]
    clocks: tuple[Clock, ...]
    frequencies: tuple[Frequency, ...]
    names: tuple[Name, ...]
    segments: tuple[Span, ...]
    words: frozenset[str]
    segment_stems: tuple[frozenset[str], ...]


@lru_cache(maxsize=512)
def facts(text: str) -> Facts:
    """The numbers, dates, times and names of `text`, with spans in `text` as it was given."""
    judged = judged_text(text)
    ids = identifiers(judged)
    rest = _without(judged, [n.span for n in ids])
    times = clocks(rest)
    rest = _without(rest, [c.span for c in times])
    days = dates(rest)
    counted = _without(rest, [d.span for d in days])
    numbers = quantities(counted)
    # "Tbsp" and "US" of "US dollars" are no names.
    taken = [d.span for d in days] + [q.span for q in numbers]
    names = [n for n in proper_names(rest) if not any(n.span.overlaps(s) for s in taken)]
    parts = segments(judged)
    return Facts(
        text=text,
        judged=judged,
        quantities=numbers,
        dates=days,
        clocks=times,
        names=tuple(sorted((*ids, *names), key=lambda n: n.span.start)),
        frequencies=frequencies(judged),
        segments=parts,
        words=_words(judged),
        segment_stems=tuple(_stems(part.of(judged)) for part in parts),
    )


def segments(text: str) -> tuple[Span, ...]:
    """Spans of the sentences of `text`, cut at line ends too: a table row stands alone."""
    found: list[Span] = []
    for line in re.finditer(r"[^\n]+", text):
        found.extend(sentence_spans(text, line.start(), line.end()))
    return tuple(found)


def _words(text: str) -> frozenset[str]:
    whole = {s.of(text).casefold() for s in word_spans(text)}
    parts = {p for w in whole for p in re.split(r"[-/.':_@]", w) if p}
    return frozenset(whole | parts | {_JOINTS.sub("", w) for w in whole if "-" in w or "." in w})


def _stems(text: str) -> frozenset[str]:
    return frozenset(stem(w) for w in _words(text))


# "Wi-Fi" is also WiFi, "D.A." also DA; a decimal point joins nothing.
_JOINTS: Final = re.compile(r"(?<=[^\W\d])[-.](?=[^\W\d])")
_BLANKED: Final = re.compile(r"\S")


def _without(text: str, spans: list[Span]) -> str:
    """`text` with `spans` blanked out, the same length; `¦` keeps words apart."""
    pieces: list[str] = []
    position = 0
    for span in sorted(spans, key=lambda s: s.start):
        if span.start < position:
            continue
        pieces += [text[position : span.start], _BLANKED.sub("¦", span.of(text))]
        position = span.end
    return "".join([*pieces, text[position:]])
