"""Ways to change a query, or the order of what it found, that need no model. Pure functions.

Typing errors are repaired in the product too (rag/adapters/store/spelling.py), over the index's own
terms; `--sweep` shows what each idea would bring.
"""

import random
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Final

from rag.adapters.store.spelling import distance
from rag.answer.planning import Query
from rag.domain.ids import ChunkId
from rag.domain.words import STOP_WORDS, stem

_LETTERS: Final = "abcdefghijklmnopqrstuvwxyz"
_PLAIN: Final = re.compile(r"[^\W_]+")
# A word of four letters has too many neighbours to guess two letters of.
_ONE_EDIT_LETTERS: Final = 4
_TWO_EDITS_LETTERS: Final = 8
_TYPO_LETTERS: Final = 5
_SHORT_FORM: Final = re.compile(r"\(([^()]{2,12})\)")
_SHORT_FORM_WORDS_MAX: Final = 2
_FEEDBACK_TERMS: Final = 8
_FEEDBACK_TEXTS_MIN: Final = 2


# --- typing errors --------------------------------------------------------------------------------


class Vocabulary:
    """The words of some texts, each with the number of texts that hold it."""

    def __init__(self, texts: Iterable[str]) -> None:
        self.counts: Counter[str] = Counter()
        self.n_texts = 0
        for text in texts:
            self.counts.update(set(plain_words(text)))
            self.n_texts += 1
        self._stems = {stem(word) for word in self.counts}
        self._by_first: dict[str, list[str]] = {}
        for word in self.counts:
            self._by_first.setdefault(word[0], []).append(word)
        self._found: dict[str, str | None] = {}

    def knows(self, word: str) -> bool:
        """Whether some text holds the word in one of its forms."""
        return word in self.counts or stem(word) in self._stems

    def nearest(self, word: str) -> str | None:
        """The commonest word one edit away, or of those two away; None where there is none.

        Two edits only for long words, and with the same first letter, which people rarely miss.

        Source: edits and the choice by frequency as in Norvig, "How to Write a Spelling
        Corrector" (2007); transpositions are one edit (Damerau, 1964).
        """
        if word not in self._found:
            self._found[word] = self._nearest(word)
        return self._found[word]

    def _nearest(self, word: str) -> str | None:
        if len(word) < _ONE_EDIT_LETTERS:
            return None
        near = [w for w in _edits(word) if w in self.counts]
        if not near and len(word) >= _TWO_EDITS_LETTERS:
            near = [
                w for w in self._by_first.get(word[0], ())
                if abs(len(w) - len(word)) <= 2 and distance(w, word) <= 2
            ]  # fmt: skip
        return max(near, key=lambda w: (self.counts[w], w), default=None)


def plain_words(text: str) -> list[str]:
    """Case-folded runs of letters and digits, as the lexical index cuts words."""
    return _PLAIN.findall(text.casefold())


def repaired(query: Query, vocabulary: Vocabulary, *, also_text: bool) -> Query:
    """Each term that no text holds in place of its nearest word; if asked for, also in the text."""
    exchanged: dict[str, str] = {}
    for term in query.terms:
        if term.isalpha() and not vocabulary.knows(term) and (near := vocabulary.nearest(term)):
            exchanged[term] = near
    terms = tuple(dict.fromkeys(exchanged.get(t, t) for t in query.terms))
    text = query.text
    if also_text:
        for wrong, right in exchanged.items():
            text = re.sub(rf"\b{re.escape(wrong)}\b", right, text, flags=re.IGNORECASE)
    return Query(text=text, terms=terms)


def misspelt(question: str, seed: str) -> str:
    """The question with one letter of one of its longer words wrong, the same for the same seed.

    Two letters exchanged, one left out, doubled or replaced; never the first letter of the word.
    """
    rng = random.Random(seed)  # noqa: S311 - a fixed draw, no secret
    places = [
        m.span() for m in re.finditer(r"[^\W\d_]+", question)
        if m.end() - m.start() >= _TYPO_LETTERS and m.group().casefold() not in STOP_WORDS
    ]  # fmt: skip
    if not places:
        return question
    start, end = rng.choice(places)
    word = question[start:end]
    at = rng.randrange(1, len(word) - 1)
    made = rng.choice(
        (
            word[:at] + word[at + 1] + word[at] + word[at + 2 :],
            word[:at] + word[at + 1 :],
            word[:at] + word[at] + word[at:],
            word[:at] + rng.choice(_LETTERS) + word[at + 1 :],
        )
    )
    return question[:start] + made + question[end:]


def _edits(word: str) -> Iterator[str]:
    for i in range(len(word) + 1):
        head, tail = word[:i], word[i:]
        if tail:
            yield head + tail[1:]
        if len(tail) > 1:
            yield head + tail[1] + tail[0] + tail[2:]
        for letter in _LETTERS:
            yield head + letter + tail
            if tail:
                yield head + letter + tail[1:]


# --- short forms ----------------------------------------------------------------------------------


def short_forms(texts: Iterable[str]) -> dict[str, str]:
    """Short form to long form, as texts define them: "Service Level Objective (SLO)".

    Where texts differ, the commonest definition counts.

    Source: Schwartz & Hearst, "A Simple Algorithm for Identifying Abbreviation Definitions in
    Biomedical Text" (2003), for definitions with the short form in brackets.
    """
    seen: dict[str, Counter[str]] = {}
    for text in texts:
        for match in _SHORT_FORM.finditer(text):
            short = match.group(1).strip()
            if not _is_short_form(short):
                continue
            if long := _long_form(short, text[max(0, match.start() - 120) : match.start()]):
                seen.setdefault(short, Counter())[long] += 1
    return {short: found.most_common(1)[0][0] for short, found in seen.items()}


def _is_short_form(short: str) -> bool:
    return (
        short[0].isalnum()
        and sum(c.isupper() for c in short) >= 2
        and len(short.split()) <= _SHORT_FORM_WORDS_MAX
    )


def _long_form(short: str, before: str) -> str | None:
    """The shortest end of `before` that holds the letters of `short` in order, or None.

    The first letter has to begin a word, and here no stop word: "Organization of ... (OAPEC)" begins
    earlier. At most as many words as letters and five, or twice as many.
    """
    words_max = min(len(short) + 5, len(short) * 2)
    text = " ".join(before.split()[-words_max:])
    at = len(text)
    for n, letter in enumerate(reversed(short.casefold())):
        if not letter.isalnum():
            continue
        is_first = n == len(short) - 1
        at -= 1
        while at >= 0 and not (
            text[at].casefold() == letter and (not is_first or _begins(text, at))
        ):
            at -= 1
        if at < 0:
            return None
    found = text[at:]
    return found if len(found) > len(short) and short not in found.split() else None


def _begins(text: str, at: int) -> bool:
    if at and text[at - 1].isalnum():
        return False
    return plain_words(text[at:])[0] not in STOP_WORDS


def expanded(query: Query, forms: Mapping[str, str]) -> Query:
    """The query with the words of a short form that it holds, or with the short form of its words.

    The embedded text stays as it is.
    """
    asked = query.text.split()
    bare = {word.strip(".,;:?!()\"'") for word in asked}
    folded = " ".join(plain_words(query.text))
    more: list[str] = []
    for short, long in forms.items():
        words = [w for w in plain_words(long) if w not in STOP_WORDS]
        if short in bare:
            more += words
        elif f" {' '.join(plain_words(long))} " in f" {folded} ":
            more.append(short.casefold())
    return Query(text=query.text, terms=tuple(dict.fromkeys((*query.terms, *more))))


# --- feedback and neighbours ----------------------------------------------------------------------


def feedback_terms(
    texts: Sequence[str], known: Sequence[str], vocabulary: Vocabulary, n: int = _FEEDBACK_TERMS
) -> tuple[str, ...]:
    """The rarest words of the texts that are not asked for already, rarest first.

    A word of one text alone would only find that text again, so two must hold it.

    Source: pseudo-relevance feedback (Rocchio, 1971; Lavrenko & Croft's RM, 2001), cut down.
    """
    asked = {stem(part) for term in known for part in plain_words(term)}
    held = dict.fromkeys(w for text in texts for w in plain_words(text))
    fitting = [
        w for w in held
        if len(w) > 2 and not w.isdigit() and w not in STOP_WORDS and stem(w) not in asked
        and vocabulary.counts[w] >= _FEEDBACK_TEXTS_MIN
    ]  # fmt: skip
    return tuple(sorted(fitting, key=lambda w: vocabulary.counts[w])[:n])


def added(
    scores: Mapping[ChunkId, float], more: Mapping[ChunkId, float], weight: float
) -> dict[ChunkId, float]:
    """The scores with a share of others: BM25 is a sum over terms, so this weighs terms."""
    return {i: scores.get(i, 0.0) + weight * more.get(i, 0.0) for i in {**scores, **more}}


def with_neighbours(
    scores: Mapping[ChunkId, float],
    beside: Callable[[ChunkId], Sequence[ChunkId]],
    share: float,
) -> dict[ChunkId, float]:
    """Each score and a share of the better one of its neighbours in the document."""
    return {
        i: score + share * max((scores.get(n, 0.0) for n in beside(i)), default=0.0)
        for i, score in scores.items()
    }
