"""The judge without a neural network: two small logistic regressions over aligned words and agreeing facts.

It needs no model runtime, reads a claim in milliseconds, and is a floor that a neural judge
must beat. Its weights, their training and their figures are in `rag/models/judge_logistic`.
"""

import asyncio
import hashlib
import json
import math
from collections.abc import Mapping, Sequence
from importlib.resources import files
from importlib.resources.abc import Traversable
from typing import Any, Final

from rag.adapters.judge.features import COLUMNS, Reading, hinged, idf_from, read
from rag.adapters.windows import Idf
from rag.domain.calibration import Calibration, Point
from rag.domain.claim import Judgement, JudgePair
from rag.domain.errors import ModelUnavailable
from rag.domain.ids import Digest

_PACKAGE: Final = "rag.models.judge_logistic"
_REMEDY: Final = "restore model.json and model.sha256, or train the judge again"


class LogisticJudge:
    """Judges by features alone; a scorer (rag/adapters/judge/calibrated.py).

    A claim that is a verbatim run of one sentence, with the same facts and denials, is given at
    least `copy_floor`, whatever the regression says.
    """

    def __init__(self, model: Mapping[str, Any], digest: Digest) -> None:
        """Use `load`; this takes a model that was already read and checked."""
        self.name: Final[str] = model["name"]
        self.digest: Final[Digest] = digest
        stated = model["calibration"]
        self.shipped: Final[Calibration | None] = Calibration(
            method=stated["method"], set=stated["set"], risk=stated["risk"],
            n_sources=stated["n_sources"], n_claims=stated["n_claims"],
            points={Point.RISK: model["threshold_support"]},
        )  # fmt: skip
        self._model = model
        self.idf: Final[Idf] = idf_from(model["idf"], model["idf_unknown"])

    @classmethod
    def load(cls, folder: Traversable | None = None) -> "LogisticJudge":
        """The shipped judge, or the one in `folder`, its digest checked.

        Raises:
            ModelUnavailable: the model is missing, is not the one that its digest names, or was
                trained for other features.
        """
        place = folder if folder is not None else files(_PACKAGE)
        try:
            raw = place.joinpath("model.json").read_bytes()
            pinned = place.joinpath("model.sha256").read_text("utf-8").split()[0]
        except (OSError, IndexError) as exc:
            raise ModelUnavailable("the judge's model cannot be read", remedy=_REMEDY) from exc
        if hashlib.sha256(raw).hexdigest() != pinned:
            raise ModelUnavailable("the judge's model is not the pinned one", remedy=_REMEDY)
        model = json.loads(raw)
        if tuple(model["columns"]) != COLUMNS:
            raise ModelUnavailable("the judge's model has other features", remedy=_REMEDY)
        return cls(model, Digest(f"sha256:{pinned}"))

    async def judge(self, pairs: Sequence[JudgePair]) -> Sequence[Judgement]:
        """One judgement per pair, same order; nothing for nothing."""
        return await asyncio.to_thread(lambda: tuple(map(self.judged, pairs)))

    async def ping(self) -> None:
        """Ready: the weights were read and checked when it was made."""

    async def aclose(self) -> None:
        """Nothing is held."""

    def support(self, reading: Reading) -> float:
        """The probability of support, no floor under copies."""
        return _probability(self._model["support"], reading)

    def judged(self, pair: JudgePair) -> Judgement:
        """The judgement of one pair. Blocks for some milliseconds."""
        reading = read(pair.claim, pair.context, pair.evidence, self.idf)
        if not pair.claim.strip() or not pair.evidence.strip():
            return _judgement(0.0, 0.0, reading)
        supported = support(self._model, reading)
        refuted = _probability(self._model["refute"], reading)
        # The two are trained apart; support leaves refutation what it does not take itself.
        return _judgement(supported, min(refuted, 1.0 - supported), reading)


def support(model: Mapping[str, Any], reading: Reading) -> float:
    """The probability that the evidence supports the claim, as judged and as calibrated."""
    probability = _probability(model["support"], reading)
    return max(probability, float(model["copy_floor"])) if reading.is_copy else probability


def _probability(weights: Mapping[str, Any], reading: Reading) -> float:
    columns = hinged(reading.values)
    total = weights["bias"] + math.fsum(
        w * x for w, x in zip(weights["weights"], columns, strict=True)
    )
    return 1.0 / (1.0 + math.exp(-max(-30.0, min(30.0, total))))


def logit(probability: float) -> float:
    """Log-odds."""
    return math.log(probability / (1.0 - probability))


def _judgement(supported: float, refuted: float, reading: Reading) -> Judgement:
    return Judgement(
        p_supported=supported,
        p_refuted=refuted,
        flagged=reading.flagged,
        evidence_span=reading.evidence_span,
    )
