"""What the reader reads of a question and a window: ids, and a mark on every token.

Shared by training and use. The marks tell what lower-cased pieces of words do not: which words
the two texts share (Chen et al., "Reading Wikipedia to Answer Open-Domain Questions", 2017),
what is a figure, and what is written like a name.
"""

from dataclasses import dataclass
from enum import IntEnum
from typing import Final

import numpy as np
from numpy.typing import NDArray

from rag.adapters.shipped import CLS, SEP, Tokenise, spread
from rag.adapters.windows import content_stems, parts, stems
from rag.domain.words import STOP_WORDS, Span, sentence_spans, word_spans

TOKENS_MAX: Final = 224
QUESTION_TOKENS_MAX: Final = 48
HEADER_TOKENS_MAX: Final = 24


class Mark(IntEnum):
    """What is known of a token before the encoder reads it; the encoder's token types."""

    OTHER = 0
    QUESTION = 1
    QUESTION_SHARED = 2
    TEXT = 3
    TEXT_SHARED = 4
    TEXT_FIGURE = 5
    TEXT_NAME = 6


@dataclass(frozen=True, slots=True, kw_only=True)
class Encoded:
    """One input: ids and marks of `[CLS] question [SEP] header [SEP] window [SEP]`.

    The window's tokens are `ids[first : first + len(spans)]`; `spans` lie in the window.
    """

    ids: NDArray[np.int64]
    marks: NDArray[np.int64]
    first: int
    spans: tuple[Span, ...]


def encode(question: str, header: str, window: str, tokenise: Tokenise) -> Encoded:
    """Ids and marks of one input; what is too long is cut at the end."""
    asked, asked_at = tokenise(question)
    asked, asked_at = asked[:QUESTION_TOKENS_MAX], asked_at[:QUESTION_TOKENS_MAX]
    above = tokenise(header)[0][:HEADER_TOKENS_MAX]
    room = TOKENS_MAX - len(asked) - len(above) - 4
    read, places = tokenise(window)
    read, places = read[:room], places[:room]
    known = stems(window)
    of_question = [
        (span, _question_mark(span.of(question), known)) for span in word_spans(question)
    ]
    marks = [
        Mark.OTHER, *spread(asked_at, of_question, Mark.QUESTION), Mark.OTHER,
        *([Mark.OTHER] * len(above)), Mark.OTHER,
        *spread(places, _window_marks(window, content_stems(question)), Mark.TEXT), Mark.OTHER,
    ]  # fmt: skip
    return Encoded(
        ids=np.array([CLS, *asked, SEP, *above, SEP, *read, SEP], np.int64),
        marks=np.array(marks, np.int64),
        first=len(asked) + len(above) + 3,
        spans=tuple(Span(a, b) for a, b in places),
    )


def _question_mark(word: str, known: frozenset[str]) -> Mark:
    shared = word.casefold() not in STOP_WORDS and parts(word) <= known
    return Mark.QUESTION_SHARED if shared else Mark.QUESTION


def _window_marks(window: str, asked: frozenset[str]) -> list[tuple[Span, Mark]]:
    openings = {s.start for s in sentence_spans(window)}
    found: list[tuple[Span, Mark]] = []
    for span in word_spans(window):
        word = span.of(window)
        if parts(word) & asked:
            mark = Mark.TEXT_SHARED
        elif any(c.isdigit() for c in word):
            mark = Mark.TEXT_FIGURE
        elif word[:1].isupper() and span.start not in openings:
            mark = Mark.TEXT_NAME
        else:
            mark = Mark.TEXT
        found.append((span, mark))
    return found
