"""What the neural judge reads of a claim and a window: ids, and a mark on every token.

Shared by training and judging, so that the model meets in use what it was taught on.
The marks say what the deterministic checks already know: which words the two texts share, and
which facts disagree, and which shared words stand apart. Source of the idea: the exact-match feature of DrQA (Chen et al., 2017),
here as token types of the encoder.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import Final

import numpy as np
from numpy.typing import NDArray

from rag.adapters.shipped import CLS, SEP, Tokenise, spread
from rag.adapters.windows import content_stems, parts, stems
from rag.domain.extraction import Facts, facts
from rag.domain.facts import Agreement
from rag.domain.words import STOP_WORDS, Span, word_spans

TOKENS_MAX: Final = 192
CLAIM_TOKENS_MAX: Final = 112
CONTEXT_TOKENS_MAX: Final = 40
# A shared word is apart where, of the shared words beside it in the claim (so many on either
# side), fewer than this share stand within so many words of it in the window.
_BESIDE: Final = 2
_NEAR: Final = 8
_TOGETHER_MIN: Final = 0.5


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
    CLAIM_APART = 8


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
    of_claim = _claim_marks(ours, _places(window), stems(context), agreed)
    mine = content_stems(claim)
    of_window = [
        (span, Mark.EVIDENCE_SHARED if parts(span.of(window)) & mine else Mark.EVIDENCE)
        for span in word_spans(window)
    ]
    marks = [
        Mark.CONTEXT, *spread(offsets, of_claim, Mark.CLAIM), Mark.CONTEXT,
        *([Mark.CONTEXT] * len(asked)), Mark.CONTEXT,
        *spread(places, of_window, Mark.EVIDENCE), Mark.CONTEXT,
    ]  # fmt: skip
    return Encoded(
        ids=np.array([CLS, *ids, SEP, *asked, SEP, *read, SEP], np.int64),
        marks=np.array(marks, np.int64),
        claim_spans=tuple(Span(a, b) for a, b in offsets),
    )


def _claim_marks(
    ours: Facts, shared: Mapping[str, Sequence[int]], asked: frozenset[str], agreed: Agreement
) -> list[tuple[Span, Mark]]:
    wrong = [d.claim_span for d in agreed.disagreements]
    told = [q.span for q in ours.quantities]
    told += [d.span for d in ours.dates] + [c.span for c in ours.clocks]
    marks: list[tuple[Span, Mark]] = []
    there: dict[int, list[int]] = {}
    for n, span in enumerate(word_spans(ours.judged)):
        word = span.of(ours.judged)
        stemmed = parts(word)
        if any(span.overlaps(w) for w in wrong):
            mark = Mark.CLAIM_DISAGREES
        elif word.casefold() in STOP_WORDS:
            mark = Mark.CLAIM
        elif stemmed <= shared.keys():
            mark = Mark.CLAIM_SHARED
            there[n] = sorted({place for part in stemmed for place in shared[part]})
        elif any(span.overlaps(t) for t in told):
            # A fact that agrees is shared also where it is written otherwise.
            mark = Mark.CLAIM_SHARED
        else:
            mark = Mark.CLAIM_ASKED if stemmed <= asked else Mark.CLAIM_ALONE
        marks.append((span, mark))
    for n in _apart(there):
        marks[n] = (marks[n][0], Mark.CLAIM_APART)
    return marks


def _apart(there: Mapping[int, Sequence[int]]) -> list[int]:
    """Words of the claim that the window has, but not near those that the claim puts beside them.

    `there` maps each shared word of the claim, in order, to its places in the window. Two people
    of one passage, exchanged in the claim, are shared words: where they stand gives them away.
    """
    order = list(there)
    found: list[int] = []
    for k, n in enumerate(order):
        beside = order[max(0, k - _BESIDE) : k] + order[k + 1 : k + 1 + _BESIDE]
        beside = [m for m in beside if there[m] != there[n]]
        together = max(
            (sum(_is_near(place, there[m]) for m in beside) for place in there[n]), default=0
        )
        if together < _TOGETHER_MIN * len(beside):
            found.append(n)
    return found


def _is_near(place: int, others: Sequence[int]) -> bool:
    return any(abs(place - other) <= _NEAR for other in others)


def _places(text: str) -> dict[str, list[int]]:
    """For each stem, which words of the text have it."""
    found: dict[str, list[int]] = {}
    for n, span in enumerate(word_spans(text)):
        for part in parts(span.of(text)):
            found.setdefault(part, []).append(n)
    return found
