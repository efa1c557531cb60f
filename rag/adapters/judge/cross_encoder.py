"""Any sentence-transformers cross-encoder as the judge: NLI models, and single groundedness scores.

The model reads (window of the evidence, claim), premise first, as NLI models are trained. Support
is the largest over the windows, refutation that of the first, which is most on topic. What its
outputs mean is never taken on trust: two pairs whose answer is known are read before any other.
torch lives here only when such a model was chosen; it is imported in `load`.
"""

import json
import os
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from rag.adapters.judge.features import Reading, read
from rag.adapters.judge.logistic import LogisticJudge
from rag.adapters.weights import sha256_of, weights_files
from rag.adapters.windows import windows
from rag.adapters.worker import Worker, go_on
from rag.domain.calibration import Calibration
from rag.domain.claim import Judgement, JudgePair, Unchecked
from rag.domain.errors import ModelError, ModelOutputInvalid, ModelUnavailable
from rag.domain.extraction import facts
from rag.domain.ids import Digest, digest_text
from rag.settings import JudgeSettings

BATCH: Final = 16
# Attention grows with the square of the length; a window has 90 words.
TOKENS_MAX: Final = 512
EVIDENCE_TOKENS_MIN: Final = 16
# Changes whenever the same weights would give other probabilities.
RECIPE: Final = "cross-encoder 1"

ENTAILED: Final = (
    "Three children are playing football in the park.",
    "Children are playing in the park.",
)
CONTRADICTED: Final = (
    "The park is empty. All the children are asleep at home.",
    "Children are playing in the park.",
)
"""The two probes, evidence first. They share their claim: reading it alone tells nothing."""

# How far the probability of an output must move from one probe to the other.
_DECISIVE_MIN: Final = 0.4
_FLAGGED_MIN: Final = 0.5
# What the source says word for word goes before all that a model says, or a
# threshold near 1, as sure models get it, would withhold it.
_VERBATIM: Final = 1.0

_SUPPORT_NAMES: Final = frozenset({
    "entailment", "entailed", "entails", "entail", "supported", "supports", "support",
    "grounded", "consistent", "faithful", "factual",
})  # fmt: skip
_REFUTED_NAMES: Final = frozenset({
    "contradiction", "contradictory", "contradicted", "contradicts", "contradict",
    "refuted", "refutes", "refute",
})  # fmt: skip
_CONFIG_SUFFIXES: Final = frozenset({".json", ".txt", ".model"})
_ANOTHER: Final = "set judge.model to the folder of a saved cross-encoder for entailment or groundedness, or to `sworn`"


@dataclass(frozen=True, slots=True)
class Meaning:
    """Which output means support, and which refutation; None where no output does."""

    support: int
    refuted: int | None


@dataclass(frozen=True, slots=True)
class Encoder:
    """The loaded model; not thread-safe, because fast tokenizers are not."""

    model: Any
    identity: Any
    tokens_max: int

    @property
    def labels(self) -> tuple[str, ...]:
        """What the model's configuration calls its outputs, in their order."""
        named = dict(self.model.config.id2label or {})
        return tuple(str(named.get(i, f"LABEL_{i}")) for i in range(self.model.num_labels))

    def fits(self, claim: str) -> bool:
        """Whether the whole claim can be read, with some evidence beside it."""
        ids = self.model.tokenizer("", claim, truncation=False, verbose=False)["input_ids"]
        return len(ids) + EVIDENCE_TOKENS_MIN <= self.tokens_max

    def probabilities(self, texts: Sequence[tuple[str, str]]) -> NDArray[np.float64]:
        """One row a text pair, one column an output; evidence is cut where it is too long.

        Raises:
            ModelError: the model runtime failed, or gave no numbers.
        """
        try:
            found = self.model.predict(
                list(texts), batch_size=BATCH, show_progress_bar=False,
                # Or the library puts a sigmoid on a single score, or whatever its author saved.
                activation_fn=self.identity,
                # The library would cut the longer of the two, which may be the claim.
                processing_kwargs={
                    "text": {"truncation": "only_first", "max_length": self.tokens_max}
                },
            )  # fmt: skip
            logits = np.asarray(found, np.float64).reshape(len(texts), self.model.num_labels)
        except Exception as exc:  # the runtime's own errors share no base class
            raise ModelError(f"the judge's runtime failed: {type(exc).__name__}") from exc
        if not np.isfinite(logits).all():
            raise ModelOutputInvalid("the judge gave no number")
        return _sigmoid(logits) if logits.shape[1] == 1 else _softmax(logits)


@dataclass(frozen=True, slots=True)
class _Work:
    """One window of one pair, as texts."""

    pair: int
    window: str
    claim: str


class CrossEncoderJudge:
    """A scorer (rag/adapters/judge/calibrated.py) that `load` makes; it ships no calibration."""

    shipped: Final[Calibration | None] = None

    def __init__(
        self, encoder: Encoder, meaning: Meaning, features: LogisticJudge, *,
        name: str, digest: Digest, windows_max: int,
    ) -> None:  # fmt: skip
        """Use `load`; this takes what was already read and checked."""
        self.name: Final[str] = name
        self.digest: Final[Digest] = digest
        self.meaning: Final[Meaning] = meaning
        self._encoder, self._features, self._windows_max = encoder, features, windows_max
        self._worker = Worker("judge")

    @classmethod
    def load(cls, folder: Path, settings: JudgeSettings) -> "CrossEncoderJudge":
        """The cross-encoder saved in `folder`, its outputs checked on two known pairs.

        The digest covers its weights and configuration, and how they are read here. Takes
        seconds, most of them for importing torch. Sets the threads of torch for the process.

        Raises:
            ModelUnavailable: no cross-encoder is there, it cannot be loaded, it has more than
                three outputs, or what they mean is unclear or other than it states.
        """
        features = LogisticJudge.load()
        weights = _checked(folder)
        encoder = _opened(folder, settings.threads)
        name = folder.resolve().name
        return cls(
            encoder, _probed(encoder, name), features,
            name=name, windows_max=settings.windows,
            digest=digest_text(
                f"{weights} {RECIPE} windows {settings.windows} features {features.digest}"
            ),
        )  # fmt: skip

    async def judge(self, pairs: Sequence[JudgePair]) -> Sequence[Judgement | Unchecked]:
        """One judgement per pair, same order. Cancelled, it stops after the batch at hand.

        Raises:
            ModelError: the model runtime failed.
        """
        return await self._worker.run(partial(self.judged, pairs))

    async def ping(self) -> None:
        """Ready: the model was loaded and has read two pairs when it was made."""

    async def aclose(self) -> None:
        """Let the worker end."""
        self._worker.close()

    def judged(
        self, pairs: Sequence[JudgePair], stop: threading.Event | None = None
    ) -> list[Judgement | Unchecked]:
        """The judgements of some pairs. Blocks for as long as the model takes."""
        stop = stop or threading.Event()
        readings: list[Reading] = []
        found: dict[int, Judgement | Unchecked] = {}
        work: list[_Work] = []
        for i, pair in enumerate(pairs):
            go_on(stop)
            readings.append(read(pair.claim, pair.context, pair.evidence, self._features.idf))
            todo = self._prepared(pair, readings[i])
            if isinstance(todo, Judgement | Unchecked):
                found[i] = todo
            else:
                work += [_Work(i, window, claim) for window, claim in todo]
        rows = self._read(work, stop)
        for i in [i for i in range(len(pairs)) if i not in found]:
            mine = [row for w, row in zip(work, rows, strict=True) if w.pair == i]
            found[i] = self._joined(mine, readings[i])
        return [found[i] for i in range(len(pairs))]

    def _prepared(
        self, pair: JudgePair, reading: Reading
    ) -> Judgement | Unchecked | list[tuple[str, str]]:
        """What the model must read, windows best first; or the outcome, where it need not."""
        claim = _plain(pair.claim)
        if not claim or not pair.evidence.strip():
            return _judgement(0.0, 0.0, reading)
        if reading.is_verbatim:
            return _judgement(_VERBATIM, 0.0, reading)
        if not self._encoder.fits(claim):
            return Unchecked(reason="the claim is longer than the judge can read")
        found = windows(pair.claim, pair.evidence, self._features.idf, self._windows_max)
        return [(_plain(w.text), claim) for w in found] or _judgement(0.0, 0.0, reading)

    def _read(self, work: Sequence[_Work], stop: threading.Event) -> list[NDArray[np.float64]]:
        """Probabilities of each, same order; batches of like length."""
        order = sorted(range(len(work)), key=lambda i: len(work[i].window) + len(work[i].claim))
        found: dict[int, NDArray[np.float64]] = {}
        for start in range(0, len(order), BATCH):
            go_on(stop)
            at = order[start : start + BATCH]
            rows = self._encoder.probabilities([(work[i].window, work[i].claim) for i in at])
            found |= dict(zip(at, rows, strict=True))
        return [found[i] for i in range(len(work))]

    def _joined(self, rows: Sequence[NDArray[np.float64]], reading: Reading) -> Judgement:
        supported = max(float(row[self.meaning.support]) for row in rows)
        if self.meaning.refuted is None:
            return _judgement(supported, 0.0, reading)
        refuted = float(rows[0][self.meaning.refuted])
        return _judgement(supported, min(refuted, 1.0 - supported), reading)


def meaning_of(
    labels: Sequence[str], entailed: Sequence[float], contradicted: Sequence[float], *, name: str
) -> Meaning:
    """Which output means what: as the labels state and the probes show, or as the probes show.

    Args:
        labels: what the model calls its outputs; one, two or three.
        entailed: probabilities that it gives its outputs for a claim that the text entails.
        contradicted: the same for a claim that the text contradicts.
        name: of the model, for errors.

    Raises:
        ModelUnavailable: the probes leave it open, or show other than the labels state.
    """
    moved = [e - c for e, c in zip(entailed, contradicted, strict=True)]
    if len(labels) == 1:
        return _meaning_of_score(entailed[0], moved[0], name)
    support = max(range(len(labels)), key=lambda i: entailed[i])
    refuted = max(range(len(labels)), key=lambda i: contradicted[i])
    if support == refuted or min(moved[support], -moved[refuted]) < _DECISIVE_MIN:
        raise ModelUnavailable(
            f"cannot tell which output of {name} means support: of two pairs whose answer is "
            f"known, it does not tell the entailed from the contradicted ({', '.join(labels)})",
            remedy=_ANOTHER,
        )
    states = _stated(labels, _SUPPORT_NAMES), _stated(labels, _REFUTED_NAMES)
    for what, stated, shown in (
        ("entails", states[0], support), ("contradicts", states[1], refuted),
    ):  # fmt: skip
        if stated is not None and stated != shown:
            raise ModelUnavailable(
                f"the labels of {name} are not in the order that it states: a text that {what} "
                f"the claim gets output {shown}, {labels[shown]!r}, and not {labels[stated]!r}",
                remedy="correct id2label in the model's config.json, or choose another model",
            )
    # Of two outputs, the other one may mean no more than "not supported".
    is_known = states[1] is not None or len(labels) > 2
    return Meaning(support, refuted if is_known else None)


def _meaning_of_score(entailed: float, moved: float, name: str) -> Meaning:
    if moved >= _DECISIVE_MIN and entailed >= 0.5 > entailed - moved:
        return Meaning(0, None)
    said = (
        "falls where support rises"
        if moved <= -_DECISIVE_MIN
        else "does not tell an entailed claim from a contradicted one"
    )
    raise ModelUnavailable(f"the score of {name} {said}", remedy=_ANOTHER)


def _stated(labels: Sequence[str], names: frozenset[str]) -> int | None:
    """The one label of these names; `not_entailment` is none of them."""
    found = [i for i, label in enumerate(labels) if label.strip().casefold() in names]
    return found[0] if len(found) == 1 else None


def _probed(encoder: Encoder, name: str) -> Meaning:
    if not 1 <= len(encoder.labels) <= 3:
        raise ModelUnavailable(
            f"{name} has {len(encoder.labels)} outputs; a judge has one, two or three",
            remedy=_ANOTHER,
        )
    try:
        entailed, contradicted = encoder.probabilities([ENTAILED, CONTRADICTED])
    except ModelError as exc:
        raise ModelUnavailable(f"{name} cannot judge: {exc}", remedy=_ANOTHER) from exc
    return meaning_of(encoder.labels, entailed.tolist(), contradicted.tolist(), name=name)


def _checked(folder: Path) -> str:
    """SHA-256 of weights, configuration and vocabulary of the cross-encoder in `folder`."""
    if not folder.is_dir():
        raise ModelUnavailable(f"there is no folder {folder} to take a judge from", remedy=_ANOTHER)
    weights = weights_files(folder)
    try:
        stated = _json(folder / "config_sentence_transformers.json").get("model_type")
        built = _json(folder / "config.json").get("architectures") or []
        # The library would put an untrained head on any other kind of model.
        if not weights or not (
            stated == "CrossEncoder"
            or (stated is None and any(a.endswith("ForSequenceClassification") for a in built))
        ):
            raise ModelUnavailable(f"the model in {folder} is not a cross-encoder", remedy=_ANOTHER)
        rest = [p for p in folder.rglob("*") if p.suffix in _CONFIG_SUFFIXES and p.is_file()]
        return sha256_of([*weights, *sorted(rest)])
    except (OSError, ValueError, AttributeError, TypeError) as exc:
        raise ModelUnavailable(f"the model in {folder} cannot be read", remedy=_ANOTHER) from exc


def _json(path: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(path.read_text("utf-8")) if path.exists() else {}
    return found


def _opened(folder: Path, threads: int) -> Encoder:
    # Read when the libraries are first imported. They have no need to look anywhere, and draw
    # bars into the log while they load.
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")
    try:
        import torch
        from sentence_transformers import CrossEncoder

        torch.set_num_threads(threads)
        # One device and one precision everywhere: a threshold holds for the scores it was made of.
        model = CrossEncoder(
            str(folder), device="cpu", local_files_only=True, trust_remote_code=False,
            model_kwargs={"dtype": "float32"},
        )  # fmt: skip
        # What goes through a chat template can be cut anywhere, also within the claim.
        is_plain = model.modalities == ["text"] and model.tokenizer is not None
        length = int(model.max_seq_length or TOKENS_MAX)
    except Exception as exc:  # the libraries' own errors share no base class
        raise ModelUnavailable(
            f"the model in {folder} cannot be loaded: {exc}", remedy=_ANOTHER
        ) from exc
    if not is_plain:
        raise ModelUnavailable(f"the model in {folder} does not read text pairs", remedy=_ANOTHER)
    return Encoder(model, torch.nn.Identity(), min(length, TOKENS_MAX))


def _plain(text: str) -> str:
    """The text without markup and citation marks, in one line."""
    return " ".join(facts(text).judged.split())


def _judgement(supported: float, refuted: float, reading: Reading) -> Judgement:
    return Judgement(
        p_supported=supported,
        p_refuted=refuted,
        flagged=reading.flagged if supported < _FLAGGED_MIN else (),
        evidence_span=reading.evidence_span,
    )


def _sigmoid(logits: NDArray[np.float64]) -> NDArray[np.float64]:
    found: NDArray[np.float64] = 1.0 / (1.0 + np.exp(-np.clip(logits, -30.0, 30.0)))
    return found


def _softmax(logits: NDArray[np.float64]) -> NDArray[np.float64]:
    raised = np.exp(logits - logits.max(axis=1, keepdims=True))
    found: NDArray[np.float64] = raised / raised.sum(axis=1, keepdims=True)
    return found
