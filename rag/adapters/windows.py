"""Windows of a passage: the few sentences, in source order, that bear most on a text.

A small encoder reads two hundred tokens. Shared by training and use, so that a model meets in use
what it was taught on.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from rag.domain.extraction import Facts, facts
from rag.domain.words import STOP_WORDS, Span, stem, word_spans

Idf = Callable[[str], float]
"""Weight of a stem: high for one that few texts have."""

SENTENCES_MAX: Final = 6
WINDOW_WORDS: Final = 90
# A passage without full stops is cut here, at a word.
_SENTENCE_WORDS_MAX: Final = 45
_GAIN_MIN: Final = 0.04
_FEW_SENTENCES: Final = 3
_SECOND_MIN: Final = 0.35


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """Sentences of the evidence in source order, joined by spaces; `spans` lie in the evidence."""

    spans: tuple[Span, ...]
    text: str

    def place(self, span: Span) -> Span:
        """Where in the evidence a span of `text` stands, from its first to its last character."""
        return Span(self._place(span.start), self._place(span.end - 1) + 1)

    def _place(self, at: int) -> int:
        start = 0
        for span in self.spans:
            if at < start + len(span):
                return span.start + max(0, at - start)
            start += len(span) + 1
        return self.spans[-1].end - 1


def windows(text: str, evidence: str, idf: Idf, limit: int) -> tuple[Window, ...]:
    """At most `limit` windows of `evidence`, best first; one when all of it fits.

    The first grows around the sentence that covers most of `text`, by those that cover what
    is still missing, then by neighbours. Another one follows only where the sentences left
    over cover a good part of `text` by themselves.
    """
    theirs = facts(evidence)
    pieces = _pieces(theirs)
    if not pieces:
        return ()
    sizes = [len(word_spans(p.of(theirs.judged))) for p in pieces]
    if sum(sizes) <= WINDOW_WORDS and len(pieces) <= SENTENCES_MAX:
        return (_window(theirs, pieces, range(len(pieces))),)
    wanted = {s: idf(s) for s in content_stems(text)}
    known = [stems(p.of(theirs.judged)) & wanted.keys() for p in pieces]
    total = sum(wanted.values()) or 1.0
    left = set(range(len(pieces)))
    found: list[Window] = []
    while left and len(found) < limit:
        best = max(sorted(left), key=lambda i: sum(wanted[s] for s in known[i]))
        if found and sum(wanted[s] for s in known[best]) / total < _SECOND_MIN:
            break
        chosen = _grown(best, left, known, sizes, wanted=wanted)
        found.append(_window(theirs, pieces, sorted(chosen)))
        left -= chosen
    return tuple(found)


def content_stems(text: str) -> frozenset[str]:
    """The stems of the parts of all words but stop words, markup aside."""
    found = (s.of(text).casefold() for s in word_spans(facts(text).judged))
    return frozenset(part for w in found if w not in STOP_WORDS for part in parts(w))


def stems(text: str) -> frozenset[str]:
    """The stems of the parts of all words."""
    return frozenset(part for s in word_spans(text) for part in parts(s.of(text)))


def parts(word: str) -> frozenset[str]:
    """Stems of a word's parts: `college-bound` meets `college bound`."""
    pieces = word.casefold().replace("’", "'").removesuffix("'s")
    for mark in "-/_@:":
        pieces = pieces.replace(mark, " ")
    return frozenset(stem(p) for p in pieces.split())


def _pieces(theirs: Facts) -> list[Span]:
    """The sentences, overlong ones cut at words."""
    pieces: list[Span] = []
    for segment in theirs.segments:
        found = [s.shifted(segment.start) for s in word_spans(segment.of(theirs.judged))]
        if len(found) <= _SENTENCE_WORDS_MAX:
            pieces.append(segment)
            continue
        starts = [found[i].start for i in range(0, len(found), _SENTENCE_WORDS_MAX)]
        starts[0] = segment.start
        pieces += [
            Span(a, b) for a, b in zip(starts, [*starts[1:], segment.end], strict=True) if a < b
        ]
    return pieces


def _grown(
    best: int,
    left: set[int],
    known: Sequence[frozenset[str]],
    sizes: Sequence[int],
    *,
    wanted: dict[str, float],
) -> set[int]:
    chosen, room = {best}, WINDOW_WORDS - sizes[best]
    total = sum(wanted.values()) or 1.0
    covered = set(known[best])
    while len(chosen) < SENTENCES_MAX:
        fitting = [i for i in sorted(left - chosen) if sizes[i] <= room]
        gains = [(sum(wanted[s] for s in known[i] - covered), -abs(i - best), i) for i in fitting]
        gain, _, one = max(gains, default=(0.0, 0, -1))
        if gain / total < _GAIN_MIN:
            break
        chosen.add(one)
        covered |= known[one]
        room -= sizes[one]
    for beside in (best - 1, best + 1):
        if len(chosen) < _FEW_SENTENCES and beside in left - chosen and sizes[beside] <= room:
            chosen.add(beside)
            room -= sizes[beside]
    return chosen


def _window(theirs: Facts, pieces: Sequence[Span], at: Sequence[int]) -> Window:
    spans = tuple(_stripped(theirs.judged, pieces[i]) for i in at)
    return Window(spans=spans, text=" ".join(s.of(theirs.judged) for s in spans))


def _stripped(text: str, span: Span) -> Span:
    inside = span.of(text)
    start = span.start + len(inside) - len(inside.lstrip())
    return Span(start, start + len(inside.strip()))
