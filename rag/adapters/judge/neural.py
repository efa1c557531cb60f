"""Sworn's own judge: an encoder that reads claim and evidence together, fused with the features.

The encoder (`rag/models/judge`, int8 ONNX) reads each claim against its best windows; support is
the largest over the windows, refutation that of the first, which is most on topic. A logistic
regression joins both with what the deterministic features measure. No torch.
"""

import json
import math
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from importlib.resources import as_file, files
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from rag.adapters.judge.calibrated import calibration_from
from rag.adapters.judge.features import Reading, read
from rag.adapters.judge.logistic import LogisticJudge, logit
from rag.adapters.judge.marks import ClaimTooLong, Encoded, encode
from rag.adapters.shipped import GRAPH, TOKENIZER, Graph, Tokenise, checked, remedy_of
from rag.adapters.windows import windows
from rag.adapters.worker import Worker, go_on
from rag.domain.calibration import Calibration
from rag.domain.claim import Judgement, JudgePair, Unchecked
from rag.domain.errors import ModelUnavailable
from rag.domain.ids import Digest
from rag.domain.words import Span

PACKAGE: Final = "rag.models.judge"
WHAT: Final = "judge"
FUSION: Final = "fusion.json"
PINNED: Final = (GRAPH, TOKENIZER, FUSION)
# Below this, words without a counterpart are shown where the encoder flags none.
_SURE: Final = 0.9

SUPPORTED: Final = 0
REFUTED: Final = 1

COLUMNS: Final = (
    "floor", "support", "refuted", "worst_word", "flagged_share",
    "number", "unit", "date", "name", "negation", "denial_gap", "modal_gap",
)  # fmt: skip
"""What the fusion joins: five scores, then features of that name."""
_N_SCORES: Final = 5


@dataclass(frozen=True, slots=True)
class Heads:
    """What the encoder says of one window: three label logits, and one logit a claim token."""

    labels: NDArray[np.float32]
    flags: NDArray[np.float32]

    @property
    def support(self) -> float:
        """Log-odds of support."""
        return float(self.labels[SUPPORTED] - np.logaddexp.reduce(self.labels[1:]))

    @property
    def refuted(self) -> float:
        """Log-odds of refutation."""
        others = np.delete(self.labels, REFUTED)
        return float(self.labels[REFUTED] - np.logaddexp.reduce(others))


class Encoder:
    """The encoder: ids and marks in, `Heads` out. Not for two threads at once."""

    def __init__(self, graph: Graph) -> None:
        self._graph = graph

    @property
    def tokenise(self) -> Tokenise:
        return self._graph.tokenise

    def heads(self, some: Sequence[Encoded], stop: threading.Event | None = None) -> list[Heads]:
        """What the encoder says of each, same order; a verdict never depends on other claims.

        Raises:
            ModelError: the runtime failed, or `stop` was set.
        """
        found: list[Heads] = []
        for one in some:
            go_on(stop)
            labels, flags = self._graph.run(one.ids, one.marks)
            found.append(Heads(labels, flags[1 : 1 + len(one.claim_spans)]))
        return found


def columns(floor: float, reading: Reading, heads: Sequence[Heads]) -> tuple[float, ...]:
    """What the fusion reads, in the order of `COLUMNS`.

    `floor` is the probability that the features alone give; `heads` are those of the windows,
    best window first, at least one.
    """
    best = max(heads, key=lambda h: h.support)
    named = reading.named
    return (
        logit(floor), best.support, heads[0].refuted,
        float(best.flags.max()) if len(best.flags) else 0.0,
        float((best.flags > 0).mean()) if len(best.flags) else 0.0,
        *(named[name] for name in COLUMNS[_N_SCORES:]),
    )  # fmt: skip


@dataclass(frozen=True, slots=True)
class _Work:
    """One window of one pair."""

    pair: int
    encoded: Encoded


class NeuralJudge:
    """A scorer (rag/adapters/judge/calibrated.py) that `load` makes."""

    def __init__(
        self, encoder: Encoder, fusion: Mapping[str, Any], digest: Digest, *, windows_max: int
    ) -> None:
        """Use `load`; this takes what was already read and checked."""
        self.name: Final[str] = fusion["name"]
        self.digest: Final[Digest] = digest
        self.shipped: Final[Calibration | None] = calibration_from(fusion["calibration"])
        self._features = LogisticJudge.load()
        self._encoder, self._fusion, self._windows_max = encoder, fusion, windows_max
        self._worker = Worker(WHAT)

    @classmethod
    def load(
        cls, folder: Path | None = None, *, threads: int = 2, windows_max: int = 2
    ) -> "NeuralJudge":
        """The shipped judge, or the one in `folder`, every file's digest checked.

        Raises:
            ModelUnavailable: a file is missing or is not the pinned one, or the judge was
                trained for other features.
        """
        with as_file(files(PACKAGE)) as shipped:
            place = folder if folder is not None else shipped
            digest = checked(place, WHAT, PINNED)
            fusion = json.loads(place.joinpath(FUSION).read_text("utf-8"))
            graph = Graph.open(place / GRAPH, place / TOKENIZER, WHAT, threads=threads)
        judge = cls(Encoder(graph), fusion, digest, windows_max=windows_max)
        if tuple(fusion["columns"]) != COLUMNS or fusion["floor"] != judge._features.digest:
            raise ModelUnavailable("the judge was fitted to other features", remedy=remedy_of(WHAT))
        return judge

    async def judge(self, pairs: Sequence[JudgePair]) -> Sequence[Judgement | Unchecked]:
        """One judgement per pair, same order. Cancelled, it stops after the window at hand.

        Raises:
            ModelError: the model runtime failed.
        """
        return await self._worker.run(partial(self.judged, pairs))

    async def ping(self) -> None:
        """Ready: the weights were read and checked when it was made."""

    async def aclose(self) -> None:
        """Let the worker end."""
        self._worker.close()

    def judged(
        self, pairs: Sequence[JudgePair], stop: threading.Event | None = None
    ) -> list[Judgement | Unchecked]:
        """The judgements of some pairs. Blocks for some tens of milliseconds a pair."""
        found: dict[int, Judgement | Unchecked] = {}
        readings: list[Reading] = []
        work: list[_Work] = []
        for i, pair in enumerate(pairs):
            go_on(stop)
            reading = read(pair.claim, pair.context, pair.evidence, self._features.idf)
            readings.append(reading)
            if reading.is_empty:
                found[i] = _judgement(0.0, 0.0, (), reading)
            elif reading.is_verbatim:
                # What the source says word for word needs no model.
                found[i] = _judgement(float(self._fusion["copy"]), 0.0, (), reading)
            else:
                try:
                    work += [_Work(i, e) for e in self._encoded(pair, reading)]
                except ClaimTooLong:
                    found[i] = Unchecked(reason="the claim is longer than the judge can read")
        heads = self._encoder.heads([w.encoded for w in work], stop)
        for i, reading in enumerate(readings):
            if i not in found:
                mine = [(w.encoded, h) for w, h in zip(work, heads, strict=True) if w.pair == i]
                found[i] = self._fused(reading, mine)
        return [found[i] for i in range(len(pairs))]

    def _encoded(self, pair: JudgePair, reading: Reading) -> list[Encoded]:
        found = windows(pair.claim, pair.evidence, self._features.idf, self._windows_max)
        return [
            encode(pair.claim, pair.context, w.text, reading.agreement, self._encoder.tokenise)
            for w in found
        ]

    def _fused(self, reading: Reading, mine: Sequence[tuple[Encoded, Heads]]) -> Judgement:
        if not mine:
            return _judgement(0.0, 0.0, (), reading)
        heads = [h for _, h in mine]
        supported = fused(self._fusion, columns(self._features.support(reading), reading, heads))
        refuted = min(sigmoid(heads[0].refuted), 1.0 - supported)
        encoded, best = max(mine, key=lambda m: m[1].support)
        return _judgement(supported, refuted, _flagged(encoded, best), reading)


def fused(fusion: Mapping[str, Any], values: Sequence[float]) -> float:
    """The probability of support from the values of `COLUMNS`."""
    pairs = zip(fusion["weights"], values, strict=True)
    return sigmoid(fusion["bias"] + math.fsum(w * x for w, x in pairs))


def _judgement(
    supported: float, refuted: float, flagged: tuple[Span, ...], reading: Reading
) -> Judgement:
    return Judgement(
        p_supported=supported,
        p_refuted=refuted,
        flagged=flagged or (reading.flagged if supported < _SURE else ()),
        evidence_span=reading.evidence_span,
    )


def _flagged(encoded: Encoded, heads: Heads) -> tuple[Span, ...]:
    """Runs of the claim's tokens that are likelier unsupported than not; pieces of a word join."""
    merged: list[Span] = []
    for span, flag in zip(encoded.claim_spans, heads.flags, strict=True):
        if flag < 0:
            continue
        if merged and span.start - merged[-1].end <= 1:
            merged[-1] = Span(merged[-1].start, span.end)
        else:
            merged.append(span)
    return tuple(merged)


def sigmoid(x: float) -> float:
    """The probability of some log-odds."""
    return 1.0 / (1.0 + math.exp(-max(-30.0, min(30.0, x))))
