"""Sworn's own reader: an encoder that reads a question and a window of a passage together.

It says whether the window answers, and where (`rag/models/reader`, int8 ONNX, no torch). One
window of each passage is read: reading is the dearest part of a question after judging.
"""

import json
import math
import threading
from collections.abc import Sequence
from functools import partial
from importlib.resources import as_file, files
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from rag.adapters.judge.logistic import LogisticJudge
from rag.adapters.reader.marks import Encoded, encode
from rag.adapters.shipped import GRAPH, TOKENIZER, Graph, checked, remedy_of
from rag.adapters.windows import Window, windows
from rag.adapters.worker import Worker, go_on
from rag.domain.errors import ModelUnavailable
from rag.domain.ids import Digest
from rag.domain.reading import AnswerSpan, Passage, PassageReading
from rag.domain.words import Span

PACKAGE: Final = "rag.models.reader"
WHAT: Final = "reader"
CONFIG: Final = "reader.json"
PINNED: Final = (GRAPH, TOKENIZER, CONFIG)

SPANS_MAX: Final = 5
SPAN_TOKENS_MAX: Final = 30
# Ends that are looked at for each side; a better pair is hardly ever farther down.
_BEST: Final = 12
_NOTHING: Final = PassageReading(p_answers=0.0, spans=())


class NeuralReader:
    """The port `Reader`; `load` makes it."""

    def __init__(self, graph: Graph, config: dict[str, Any], digest: Digest) -> None:
        """Use `load`; this takes what was already read and checked."""
        self.name: Final[str] = config["name"]
        self.digest: Final[Digest] = digest
        self._scale: Final[float] = config["scale"]
        self._shift: Final[float] = config["shift"]
        self._weights = LogisticJudge.load()
        self._graph, self._worker = graph, Worker(WHAT)

    @classmethod
    def load(cls, folder: Path | None = None, *, threads: int = 2) -> "NeuralReader":
        """The shipped reader, or the one in `folder`, every file's digest checked.

        Raises:
            ModelUnavailable: a file is missing or is not the pinned one, or the reader was
                trained on windows that were chosen otherwise.
        """
        with as_file(files(PACKAGE)) as shipped:
            place = folder if folder is not None else shipped
            digest = checked(place, WHAT, PINNED)
            config = json.loads(place.joinpath(CONFIG).read_text("utf-8"))
            graph = Graph.open(place / GRAPH, place / TOKENIZER, WHAT, threads=threads)
        reader = cls(graph, config, digest)
        if config["word_weights"] != reader._weights.digest:
            raise ModelUnavailable(
                "the reader goes with other word weights", remedy=remedy_of(WHAT)
            )
        return reader

    async def read(self, question: str, passages: Sequence[Passage]) -> Sequence[PassageReading]:
        """One reading per passage, same order. Cancelled, it stops after the passage at hand.

        Raises:
            ModelError: the model runtime failed.
        """
        return await self._worker.run(partial(self.readings, question, passages))

    async def aclose(self) -> None:
        """Let the worker end."""
        self._worker.close()

    def readings(
        self, question: str, passages: Sequence[Passage], stop: threading.Event | None = None
    ) -> list[PassageReading]:
        """The readings. Blocks for some tens of milliseconds a passage."""
        found: list[PassageReading] = []
        for passage in passages:
            go_on(stop)
            found.append(self._reading(question, passage))
        return found

    def _reading(self, question: str, passage: Passage) -> PassageReading:
        chosen = windows(question, passage.text, self._weights.idf, 1)
        if not chosen:
            return _NOTHING
        one = encode(question, passage.header, chosen[0].text, self._graph.tokenise)
        if not one.spans:
            return _NOTHING
        answered, ends = self._graph.run(one.ids, one.marks)
        logit = self._scale * float(answered) + self._shift
        return PassageReading(
            p_answers=1.0 / (1.0 + math.exp(-max(-30.0, min(30.0, logit)))),
            spans=answer_spans(ends, one, chosen[0]),
        )


def answer_spans(ends: NDArray[np.float32], one: Encoded, window: Window) -> tuple[AnswerSpan, ...]:
    """The likeliest answers, best first, each at its place in the passage.

    `ends` are `[tokens, 2]` logits of the first and the last token of an answer. A span's
    probability is the product of both ends', over all spans of at most 30 tokens.
    """
    first, last = (_softmax(ends[one.first : one.first + len(one.spans), i]) for i in (0, 1))
    starts, stops = (np.argsort(-p)[:_BEST].tolist() for p in (first, last))
    pairs = [
        (float(first[a] * last[b]), a, b)
        for a in starts for b in stops if a <= b < a + SPAN_TOKENS_MAX
    ]  # fmt: skip
    found: list[AnswerSpan] = []
    for p, a, b in sorted(pairs, reverse=True):
        span = window.place(Span(one.spans[a].start, one.spans[b].end))
        if not any(span.overlaps(other.span) for other in found):
            found.append(AnswerSpan(span=span, p=p))
        if len(found) == SPANS_MAX:
            break
    return tuple(found)


def _softmax(logits: NDArray[np.float32]) -> NDArray[np.float64]:
    shifted = np.exp(logits.astype(np.float64) - float(logits.max()))
    result: NDArray[np.float64] = shifted / shifted.sum()
    return result
