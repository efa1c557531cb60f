"""Questions with a window that answers them, or that looks as if it did.

From SQuAD 1.1 train (Rajpurkar et al., 2016; CC BY-SA 4.0), whose questions all have an answer.
Unanswerable ones are made in four ways: another paragraph of the article that shares the
question's words, the right paragraph without the sentence that answers, windows that the reader's
own choice of sentences cut the answer out of, and questions in which one thing is changed (a name,
figure, date or comparison), so that the right paragraph answers another question.
"""

import hashlib
import json
import lzma
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from random import Random
from typing import Any, Final

from rag.adapters.windows import content_stems
from rag.domain.words import Span, sentence_spans
from rag.models.judge.train.edits import broken

SEED: Final = 20_241_101
ANSWERED: Final = "answered"
NEAR_MISS: Final = "near miss"
REMOVED: Final = "removed"
ALTERED: Final = "altered question"
_NEGATION: Final = "negation"
# Shares of the questions that also get an unanswerable twin of each kind.
_NEAR_MISSES, _REMOVALS = 0.45, 0.25
# A title that is always there would be read as part of every question.
_HEADER_SHARE: Final = 0.7
# One article of so many is kept from training, to watch by and to choose on.
_WATCHED: Final = 24


@dataclass(frozen=True, slots=True, kw_only=True)
class Example:
    """A question and a passage. `answers` are places of the answer in it; none: it has none."""

    set: str
    article: str
    question: str
    header: str
    passage: str
    answers: tuple[Span, ...]

    @property
    def watched(self) -> bool:
        """Whether its article is kept from training."""
        return is_watched(self.article)


def is_watched(article: str) -> bool:
    """Whether an article, by its title, is kept from training."""
    return hashlib.sha256(article.encode()).digest()[1] % _WATCHED == 0


def examples(datasets: Path) -> Iterator[Example]:
    """All examples, article by article, in a fixed order."""
    rng = Random(SEED)
    for article in _articles(datasets):
        yield from _of_article(article, rng)


def altered(datasets: Path, n: int) -> Iterator[Example]:
    """`n` questions that their paragraph no longer answers, one thing in them being changed."""
    rng = Random(SEED + 1)
    every = [(article, p, asked) for article in _articles(datasets)
             for p in article["paragraphs"] for asked in p["qas"]]  # fmt: skip
    made = 0
    for article, paragraph, asked in rng.sample(every, len(every)):
        question, text = asked["question"].strip(), paragraph["context"]
        # Not by negation: whoever asks what is not paid for has a question that can be answered.
        edits = [
            e for e in broken(question, text, rng)
            if e.kind != _NEGATION and e.claim.endswith("?")
        ]  # fmt: skip
        if not edits:
            continue
        title = article["title"].replace("_", " ")
        yield Example(
            set=ALTERED, article=title, question=rng.choice(edits).claim, passage=text,
            header=title if rng.random() < _HEADER_SHARE else "", answers=(),
        )  # fmt: skip
        made += 1
        if made == n:
            return


def _articles(datasets: Path) -> list[dict[str, Any]]:
    with lzma.open(datasets / "retrieval" / "squad" / "train-1.1.json.xz") as file:
        found: list[dict[str, Any]] = json.load(file)["data"]
    return found


def _of_article(article: dict[str, Any], rng: Random) -> Iterator[Example]:
    title = article["title"].replace("_", " ")
    texts = [p["context"] for p in article["paragraphs"]]
    stems = [content_stems(t) for t in texts]
    for at, paragraph in enumerate(article["paragraphs"]):
        for asked in paragraph["qas"]:
            question, text = asked["question"].strip(), asked["answers"][0]["text"]
            header = title if rng.random() < _HEADER_SHARE else ""
            start = asked["answers"][0]["answer_start"]
            whole = Example(
                set=ANSWERED, article=title, question=question, header=header,
                passage=texts[at], answers=(Span(start, start + len(text)),),
            )  # fmt: skip
            yield whole
            if rng.random() < _NEAR_MISSES:
                yield from _near_miss(whole, text, texts, stems)
            if rng.random() < _REMOVALS:
                yield from _removed(whole, text)


def _near_miss(
    whole: Example, text: str, texts: Sequence[str], stems: Sequence[frozenset[str]]
) -> Iterator[Example]:
    asked = content_stems(whole.question)
    others = [i for i, t in enumerate(texts) if text.casefold() not in t.casefold()]
    best = max(others, key=lambda i: len(asked & stems[i]), default=None)
    if best is not None and asked & stems[best]:
        yield replace(whole, set=NEAR_MISS, passage=texts[best], answers=())


def _removed(whole: Example, text: str) -> Iterator[Example]:
    sentences = [s.of(whole.passage) for s in sentence_spans(whole.passage)]
    left = [s for s in sentences if text.casefold() not in s.casefold()]
    if len(left) > 1:
        yield replace(whole, set=REMOVED, passage=" ".join(left), answers=())
