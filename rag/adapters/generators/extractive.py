"""A generator without a language model: the sources' own sentences, the best first.

Each unit of the evidence gets a probability that it answers the question, by a logistic
regression over its words, its context, its meaning and its form (`rag/models/extractive`).
Below the threshold there is no draft, and the belt abstains.
"""

import json
import math
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files
from typing import Any, Final

import numpy as np

from rag.adapters.generators.composing import compose, of_rows
from rag.adapters.generators.features import (
    Best,
    Candidate,
    Rarity,
    Scored,
    candidate,
    discount,
    features,
    rarity,
)
from rag.adapters.generators.question import Ask, read_question
from rag.adapters.generators.tables import table_meant
from rag.adapters.generators.units import Unit, units_of
from rag.domain.budget import Allowance
from rag.domain.claim import NO_ANSWER, Draft, Evidence
from rag.domain.errors import ModelError, ModelUnavailable
from rag.domain.ids import Digest, digest_bytes
from rag.ports import Embedder

# Units whose meaning is compared; embedding is the dearest part of a question.
COMPARED_MAX: Final = 14
_CACHED: Final = 4096
_PACKAGE: Final = "rag.models.extractive"


@dataclass(frozen=True, slots=True, kw_only=True)
class Weights:
    """The regression: `threshold` is the probability below which nothing is drafted."""

    bias: float
    by_feature: Mapping[str, float]
    threshold: float
    digest: Digest


def load_weights() -> Weights:
    """The shipped weights.

    Raises:
        ModelUnavailable: missing or not readable.
    """
    try:
        raw = files(_PACKAGE).joinpath("model.json").read_bytes()
        model: dict[str, Any] = json.loads(raw)
        return Weights(
            bias=float(model["bias"]),
            by_feature=dict(model["weights"]),
            threshold=float(model["threshold"]),
            digest=digest_bytes(raw),
        )
    except (OSError, ValueError, KeyError, TypeError) as exc:
        raise ModelUnavailable(
            f"the extractive generator's weights cannot be read: {exc}",
            remedy="reinstall sworn, or train them again",
        ) from exc


class ExtractiveGenerator:
    """Implements the port `Generator`."""

    name = "extractive"

    def __init__(self, embedder: Embedder, weights: Weights | None = None) -> None:
        self._embedder = embedder
        self._weights = weights or load_weights()
        self._cache: OrderedDict[str, bytes] = OrderedDict()

    @property
    def digest(self) -> Digest:
        return self._weights.digest

    async def generate(
        self, question: str, evidence: Sequence[Evidence], allowance: Allowance
    ) -> Draft:
        ask = read_question(question)
        meant = table_meant(ask, evidence)
        if meant is not None and (parts := of_rows(ask, meant)):
            return Draft(parts=tuple(parts))
        ranked = await self.score(ask, evidence)
        if not ranked or ranked[0].score < self._weights.threshold:
            return Draft(parts=(), reason=NO_ANSWER)
        return Draft(parts=tuple(compose(ask, ranked, evidence)))

    async def score(self, ask: Ask, evidence: Sequence[Evidence]) -> list[Scored]:
        """The most promising units, best first."""
        units = [u for i, e in enumerate(evidence) for u in units_of(i, e)]
        weights = rarity(ask, units)
        found = [candidate(u, evidence[u.evidence], weights) for u in units]
        found.sort(key=lambda c: -(c.promise + 0.5 * evidence[c.unit.evidence].dense))
        compared = found[:COMPARED_MAX]
        similar = await self._similarities(ask.text, [c.unit for c in compared])
        best = Best(
            direct=max((c.direct for c in compared), default=0.0),
            context=max((c.context for c in compared), default=0.0),
            similar=max(similar, default=0.0),
            read=max((c.read for c in compared), default=0.0),
        )
        scored = [
            self._scored(ask, c, s, best, evidence[c.unit.evidence], weights)
            for c, s in zip(compared, similar, strict=True)
        ]
        return sorted(scored, key=lambda s: -s.score)

    def _scored(
        self,
        ask: Ask,
        one: Candidate,
        similar: float,
        best: Best,
        shown: Evidence,
        weights: Rarity,
    ) -> Scored:
        values = features(ask, one, similar, best, shown, weights)
        logit = self._weights.bias - discount(ask, one.unit, shown)
        logit += sum(self._weights.by_feature[name] * value for name, value in values.items())
        return Scored(unit=one.unit, features=values, score=1 / (1 + math.exp(-logit)))

    async def _similarities(self, question: str, units: Sequence[Unit]) -> list[float]:
        """Cosine of each unit, under its heading, with the question; 0 without an embedder."""
        texts = [": ".join((*u.section[-1:], u.text))[:400] for u in units]
        new = [t for t in dict.fromkeys((question, *texts)) if t not in self._cache]
        try:
            vectors = await self._embedder.embed(new)
        except ModelError:
            return [0.0] * len(units)
        known = dict(self._cache)
        known.update(zip(new, vectors, strict=True))
        query = np.frombuffer(known[question], dtype="<f4")
        result = [float(np.frombuffer(known[t], dtype="<f4") @ query) for t in texts]
        self._cache.update(zip(new, vectors, strict=True))
        while len(self._cache) > _CACHED:
            self._cache.popitem(last=False)
        return result
