"""What the neural judge reads: windows of the evidence, and a mark on every token.

Both are shared by training and judging, so that the model meets in use what it was taught on.
The marks say what the deterministic checks already know: which words the two texts share, and
which facts disagree. Source of the idea: the exact-match feature of DrQA (Chen et al., 2017),
here as token types of the encoder.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from rag.adapters.judge.features import Idf
from rag.domain.extraction import Facts, facts
from rag.domain.facts import Agreement
from rag.domain.words import STOP_WORDS, Span, stem, word_spans

TOKENS_MAX: Final = 192
CLAIM_TOKENS_MAX: Final = 112
CONTEXT_TOKENS_MAX: Final = 40
SENTENCES_MAX: Final = 6
WINDOW_WORDS: Final = 90
# A passage without full stops is cut here, at a word.
_SENTENCE_WORDS_MAX: Final = 45
_GAIN_MIN: Final = 0.04
_FEW_SENTENCES: Final = 3
_SECOND_MIN: Final = 0.35

Tokenise = Callable[[str], tuple[Sequence[int], Sequence[tuple[int, int]]]]
"""Token ids of a text without special tokens, and where each stands in it."""

CLS: Final = 101
SEP: Final = 102


class Mark(IntEnum):
    """What is known of a token before the encoder reads it; the encoder's token types."""

    CONTEXT = 0
    EVIDENCE = 1
    EVIDENCE_SHARED = 2
    CLAIM = 3
    CLAIM_SHARED = 4
    CLAIM_ASKED = 5
    CLAIM_ALONE = 6
    CLAIM_DISAGREES = 7


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """Sentences of the evidence in source order; `spans` lie in the evidence."""

    spans: tuple[Span, ...]
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Encoded:
    """One input of the encoder: ids and marks of `[CLS] claim [SEP] context [SEP] window [SEP]`.

    The claim's tokens are `ids[1 : 1 + len(claim_spans)]`; `claim_spans` lie in the claim.
    """

    ids: NDArray[np.int64]
    marks: NDArray[np.int64]
    claim_spans: tuple[Span, ...]


class ClaimTooLong(ValueError):
    """The claim has more tokens than are read; judging its beginning would pass over the rest."""


def windows(claim: str, evidence: str, idf: Idf, limit: int) -> tuple[Window, ...]:
    """At most `limit` windows of `evidence`, best first; one when all of it fits.

    The first grows around the sentence that covers most of the claim, by those that cover what
    is still missing, then by neighbours. Another one follows only where the sentences left
    over cover a good part of the claim by themselves.
    """
    theirs = facts(evidence)
    pieces = _pieces(theirs)
    if not pieces:
        return ()
    sizes = [len(word_spans(p.of(theirs.judged))) for p in pieces]
    if sum(sizes) <= WINDOW_WORDS and len(pieces) <= SENTENCES_MAX:
        return (_window(theirs, pieces, range(len(pieces))),)
    wanted = {s: idf(s) for s in _content_stems(claim)}
    known = [_stems(p.of(theirs.judged)) & wanted.keys() for p in pieces]
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


def encode(claim: str, context: str, window: str, agreed: Agreement, tokenise: Tokenise) -> Encoded:
    """Ids and marks of one pair. `agreed` is the claim's agreement with the whole evidence.

    Raises:
        ClaimTooLong: the claim has more than `CLAIM_TOKENS_MAX` tokens.
    """
    ours = facts(claim)
    ids, offsets = tokenise(ours.judged)
    if len(ids) > CLAIM_TOKENS_MAX:
        raise ClaimTooLong(f"{len(ids)} tokens")
    asked, _ = tokenise(context)
    asked = asked[:CONTEXT_TOKENS_MAX]
    room = TOKENS_MAX - len(ids) - len(asked) - 4
    read, places = tokenise(window)
    read, places = read[:room], places[:room]
    shared = _stems(window)
    of_claim = _claim_marks(ours, shared, _stems(context), agreed)
    mine = _content_stems(claim)
    of_window = [
        (span, Mark.EVIDENCE_SHARED if _parts(span.of(window)) & mine else Mark.EVIDENCE)
        for span in word_spans(window)
    ]
    marks = [
        Mark.CONTEXT, *_spread(offsets, of_claim, Mark.CLAIM), Mark.CONTEXT,
        *([Mark.CONTEXT] * len(asked)), Mark.CONTEXT,
        *_spread(places, of_window, Mark.EVIDENCE), Mark.CONTEXT,
    ]  # fmt: skip
    return Encoded(
        ids=np.array([CLS, *ids, SEP, *asked, SEP, *read, SEP], np.int64),
        marks=np.array(marks, np.int64),
        claim_spans=tuple(Span(a, b) for a, b in offsets),
    )


def tokeniser(tokenizer: Any) -> Tokenise:
    """`Tokenise` of a `tokenizers.Tokenizer`, whose own padding and truncation stay unused."""

    def tokenise(text: str) -> tuple[Sequence[int], Sequence[tuple[int, int]]]:
        encoding = tokenizer.encode(text, add_special_tokens=False)
        return encoding.ids, encoding.offsets

    return tokenise


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
    spans = tuple(pieces[i] for i in at)
    return Window(spans=spans, text=" ".join(s.of(theirs.judged).strip() for s in spans))


def _claim_marks(
    ours: Facts, shared: frozenset[str], asked: frozenset[str], agreed: Agreement
) -> list[tuple[Span, Mark]]:
    wrong = [d.claim_span for d in agreed.disagreements]
    told = [q.span for q in ours.quantities]
    told += [d.span for d in ours.dates] + [c.span for c in ours.clocks]
    marks: list[tuple[Span, Mark]] = []
    for span in word_spans(ours.judged):
        word = span.of(ours.judged)
        if any(span.overlaps(w) for w in wrong):
            mark = Mark.CLAIM_DISAGREES
        elif word.casefold() in STOP_WORDS:
            mark = Mark.CLAIM
        elif _parts(word) <= shared or any(span.overlaps(t) for t in told):
            # A fact that agrees is shared also where it is written otherwise.
            mark = Mark.CLAIM_SHARED
        else:
            mark = Mark.CLAIM_ASKED if _parts(word) <= asked else Mark.CLAIM_ALONE
        marks.append((span, mark))
    return marks


def _spread(
    offsets: Sequence[tuple[int, int]], words: Sequence[tuple[Span, Mark]], other: Mark
) -> list[Mark]:
    """The mark of the word that each token begins in; both in order of their places."""
    marks: list[Mark] = []
    at = 0
    for start, _ in offsets:
        while at < len(words) and words[at][0].end <= start:
            at += 1
        inside = at < len(words) and words[at][0].start <= start
        marks.append(words[at][1] if inside else other)
    return marks


def _content_stems(text: str) -> frozenset[str]:
    found = (s.of(text).casefold() for s in word_spans(facts(text).judged))
    return frozenset(part for w in found if w not in STOP_WORDS for part in _parts(w))


def _stems(text: str) -> frozenset[str]:
    return frozenset(part for s in word_spans(text) for part in _parts(s.of(text)))


def _parts(word: str) -> frozenset[str]:
    """Stems of a word's parts: `college-bound` meets `college bound`."""
    pieces = word.casefold().replace("’", "'").removesuffix("'s")
    for mark in "-/_@:":
        pieces = pieces.replace(mark, " ")
    return frozenset(stem(p) for p in pieces.split())
