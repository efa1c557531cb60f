"""Judges as they are measured: one function from pairs to scores, each set scored once.

A scorer gives several scores for each pair, one for each of its parts, so that an ablation does
not run the encoder again: the judge as shipped, its two halves, and the judge after step 6.
"""

import asyncio
import hashlib
import json
import tempfile
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import as_file, files
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any, Final, cast

from rag.adapters.judge.calibrated import Scorer as RagScorer
from rag.adapters.judge.features import read
from rag.adapters.judge.logistic import LogisticJudge
from rag.adapters.judge.marks import ClaimTooLong, Encoded
from rag.adapters.judge.neural import (
    FUSION,
    PACKAGE,
    PINNED,
    Encoder,
    Heads,
    NeuralJudge,
    sigmoid,
)
from rag.adapters.shipped import GRAPH, TOKENIZER, Tokenise, pin
from rag.domain.claim import Judgement, JudgePair, Unchecked
from rag.domain.errors import ConfigError
from rag.domain.facts import agreement
from rag.domain.ids import Digest
from rag.domain.words import Span
from rag.settings import JudgeSettings
from rag.wiring import load_scorer

JUDGE: Final = "judge"
STEP_6: Final = "with step 6"
RULES: Final = "rules only"
MODEL: Final = "model only"
FP32: Final = "fp32"
FP32_MODEL: Final = "fp32 model"
COLUMNS: Final = (JUDGE, STEP_6, RULES, MODEL, FP32, FP32_MODEL)

_LOGISTIC: Final = "rag.models.judge_logistic"
_CODE: Final = ("rag.adapters.judge", "rag.domain")


@dataclass(frozen=True, slots=True)
class Score:
    """A probability of support, 0 where the judge could not judge; the claim's words it doubts."""

    p_supported: float
    flagged: tuple[Span, ...] = ()
    unchecked: bool = False


Parts = Mapping[str, Score]


@dataclass(frozen=True, slots=True, kw_only=True)
class Scorer:
    """`score` gives the parts of each pair, in order. `digest` changes when any score may."""

    name: str
    digest: str
    parts: tuple[str, ...]
    score: Callable[[Sequence[JudgePair]], Sequence[Parts]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Opened:
    """A judge, how it is scored, and the F1 thresholds that the models of its parts state."""

    judge: RagScorer
    scorer: Scorer
    stated_f1: Mapping[str, float]


class Remembering(Encoder):
    """An encoder that reads nothing twice between `begin` and `end`."""

    def __init__(self, encoder: Encoder) -> None:
        self._encoder = encoder
        self._said: dict[bytes, Heads] | None = None

    @property
    def tokenise(self) -> Tokenise:
        return self._encoder.tokenise

    def begin(self) -> None:
        """Remember from now on."""
        self._said = {}

    def end(self) -> None:
        """Forget everything: what is timed must be read."""
        self._said = None

    def heads(self, some: Sequence[Encoded], stop: threading.Event | None = None) -> list[Heads]:
        said = self._said
        if said is None:
            return self._encoder.heads(some, stop)
        keys = [e.ids.tobytes() + b"|" + e.marks.tobytes() for e in some]
        new = {k: e for k, e in zip(keys, some, strict=True) if k not in said}
        said |= dict(zip(new, self._encoder.heads(list(new.values()), stop), strict=True))
        return [said[k] for k in keys]


class TwoHalves(NeuralJudge):
    """Sworn's judge, which can also say what its encoder thinks alone, at no second reading."""

    def __init__(
        self, encoder: Encoder, fusion: Mapping[str, Any], digest: Digest, *, windows_max: int
    ) -> None:
        self._memory = Remembering(encoder)
        super().__init__(self._memory, fusion, digest, windows_max=windows_max)

    def parts(self, pairs: Sequence[JudgePair]) -> list[Parts]:
        """Scores of the judge, after step 6, of the features alone and of the encoder alone."""
        self._memory.begin()
        try:
            alone = self._encoder_alone(pairs)
            both = [_score(j) for j in self.judged(pairs)]
        finally:
            self._memory.end()
        rules = [_score(self._features.judged(p)) for p in pairs]
        return [
            {JUDGE: b, STEP_6: agreeing(p, b), RULES: r, MODEL: m}
            for p, b, r, m in zip(pairs, both, rules, alone, strict=True)
        ]

    def _encoder_alone(self, pairs: Sequence[JudgePair]) -> list[Score]:
        """The sigmoid of the support logit, the largest over the windows; no rule about copies."""
        inputs: list[list[Encoded] | None] = []
        for pair in pairs:
            reading = read(pair.claim, pair.context, pair.evidence, self._features.idf)
            try:
                inputs.append(self._encoded(pair, reading) if pair.claim.strip() else [])
            except ClaimTooLong:
                inputs.append(None)
        # In large batches, before they are looked up one by one.
        self._memory.heads([e for some in inputs for e in some or ()])
        scores: list[Score] = []
        for some in inputs:
            if some is None:
                scores.append(Score(0.0, unchecked=True))
            else:
                logits = [h.support for h in self._memory.heads(some)]
                scores.append(Score(sigmoid(max(logits)) if logits else 0.0))
        return scores


def open_judge(settings: JudgeSettings, runner: asyncio.Runner) -> Opened:
    """The judge that the settings name, or Sworn's own from a folder that training wrote.

    Raises:
        ConfigError: no such judge.
        ModelUnavailable: it is not there, or not what it should be.
    """
    folder = Path(settings.model)
    if settings.model == "sworn" or (folder / FUSION).is_file():
        place = None if settings.model == "sworn" else folder
        return _two_halves(place, settings)
    if settings.model != "features" and not folder.is_dir():
        raise ConfigError(
            f"no judge {settings.model}", remedy="name `sworn`, `features` or a folder"
        )
    judge = load_scorer(settings)

    def score(pairs: Sequence[JudgePair]) -> list[Parts]:
        found = [_score(j) for j in runner.run(judge.judge(pairs))]
        return [{JUDGE: f, STEP_6: agreeing(p, f)} for p, f in zip(pairs, found, strict=True)]

    parts = (JUDGE, STEP_6)
    scorer = Scorer(
        name=judge.name, digest=_digest(judge.digest, settings.windows), parts=parts, score=score
    )
    stated = _stated_f1(_logistic(), parts) if isinstance(judge, LogisticJudge) else {}
    return Opened(judge=judge, scorer=scorer, stated_f1=stated)


def open_fp32(graph: Path, settings: JudgeSettings) -> Scorer:
    """Sworn's judge with another graph, the same tokenizer and the fusion fitted to int8.

    Raises:
        ConfigError: the judge measured is not Sworn's own, or there is no such file.
        ModelUnavailable: the graph cannot be loaded.
    """
    folder = Path(settings.model)
    if settings.model != "sworn" and not (folder / FUSION).is_file():
        raise ConfigError("only Sworn's own judge has an fp32 graph", remedy="leave --fp32 out")
    if not graph.is_file():
        raise ConfigError(f"no graph at {graph}")
    with as_file(files(PACKAGE)) as shipped, tempfile.TemporaryDirectory() as name:
        made, place = Path(name), shipped if settings.model == "sworn" else folder
        (made / GRAPH).write_bytes(graph.read_bytes())
        for kept in (TOKENIZER, FUSION):
            (made / kept).write_bytes((place / kept).read_bytes())
        pin(made, PINNED)
        judge = cast("TwoHalves", TwoHalves.load(
            made, threads=settings.threads, windows_max=settings.windows
        ))  # fmt: skip

    def score(pairs: Sequence[JudgePair]) -> list[Parts]:
        return [{FP32: p[JUDGE], FP32_MODEL: p[MODEL]} for p in judge.parts(pairs)]

    digest = _digest(judge.digest, settings.windows)
    return Scorer(name="fp32", digest=digest, parts=(FP32, FP32_MODEL), score=score)


def agreeing(pair: JudgePair, score: Score) -> Score:
    """The score that counts after step 6: 0 where a number, date, name or negation disagrees."""
    return score if agreement(pair.claim, pair.evidence).holds else Score(0.0, score.flagged)


def _two_halves(place: Path | None, settings: JudgeSettings) -> Opened:
    judge = cast("TwoHalves", TwoHalves.load(
        place, threads=settings.threads, windows_max=settings.windows
    ))  # fmt: skip
    fusion = (place or files(PACKAGE)).joinpath(FUSION)
    stated = _stated_f1(fusion, (JUDGE, STEP_6, FP32)) | _stated_f1(_logistic(), (RULES,))
    scorer = Scorer(
        name=judge.name, digest=_digest(judge.digest, settings.windows),
        parts=(JUDGE, STEP_6, RULES, MODEL), score=judge.parts,
    )  # fmt: skip
    return Opened(judge=judge, scorer=scorer, stated_f1=stated)


def _score(judgement: Judgement | Unchecked) -> Score:
    if isinstance(judgement, Unchecked):
        return Score(0.0, unchecked=True)
    return Score(judgement.p_supported, judgement.flagged)


def _stated_f1(model: Traversable, parts: Sequence[str]) -> dict[str, float]:
    """The F1 threshold in a model's JSON as that of `parts`; nothing where it states none."""
    stated = json.loads(model.read_text("utf-8")).get("threshold_f1")
    return {} if stated is None else dict.fromkeys(parts, float(stated))


def _logistic() -> Traversable:
    return files(_LOGISTIC).joinpath("model.json")


def _digest(judge: str, *options: object) -> str:
    """Of the weights, the code around them and the options: all that a score depends on."""
    found = hashlib.sha256(json.dumps([judge, *map(str, options)]).encode())
    for package in _CODE:
        for file in sorted(files(package).iterdir(), key=lambda f: f.name):
            if file.name.endswith(".py"):
                found.update(file.read_bytes())
    return found.hexdigest()
