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

from rag.adapters.generators.features import Best, Candidate, candidate, discount, features, rarity
from rag.adapters.generators.question import Ask, Form, read_question
from rag.adapters.generators.units import Unit, units_of
from rag.domain.budget import Allowance
from rag.domain.claim import Draft, DraftPart, Evidence, Pointer
from rag.domain.clash import disagree, is_earlier
from rag.domain.document import ElementKind
from rag.domain.errors import ModelError, ModelUnavailable
from rag.domain.ids import Digest, digest_bytes
from rag.ports import Embedder

# Units whose meaning is compared; embedding is the dearest part of a question.
COMPARED_MAX: Final = 14
PARTS_MAX: Final = 3
LIST_MAX: Final = 14
# A further unit must be nearly as good as the best one, as a share of its odds.
FURTHER_SHARE: Final = 0.3
# What contradicts it is given with less, so that the asker can judge for themselves.
CONTRADICTION_SHARE: Final = 0.1
_CACHED: Final = 4096
_PACKAGE: Final = "rag.models.extractive"
NO_ANSWER: Final = "the documents found do not answer this question"


@dataclass(frozen=True, slots=True, kw_only=True)
class Weights:
    """The regression: `threshold` is the probability below which nothing is drafted."""

    bias: float
    by_feature: Mapping[str, float]
    threshold: float
    digest: Digest


@dataclass(frozen=True, slots=True, kw_only=True)
class Scored:
    """A unit with the probability that it answers, and what that was computed from."""

    unit: Unit
    features: Mapping[str, float]
    score: float


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
        ranked = await self.score(ask, evidence)
        if not ranked or ranked[0].score < self._weights.threshold:
            return Draft(parts=(), reason=NO_ANSWER)
        chosen = choose(ask, ranked, evidence)
        return Draft(
            parts=tuple(
                DraftPart(
                    text=u.text,
                    pointers=(Pointer(evidence=u.evidence, span=u.span, quote=u.text),),
                )
                for u in chosen
            )
        )

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
        weights: Mapping[str, float],
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


def choose(ask: Ask, ranked: Sequence[Scored], evidence: Sequence[Evidence]) -> list[Unit]:
    """The best unit, the whole list where one is asked for, and what is nearly as good."""
    best = ranked[0]
    units = units_of(best.unit.evidence, evidence[best.unit.evidence])
    if ask.form in (Form.STEPS, Form.LIST) or best.unit.text.endswith(":"):
        items = list_around(best.unit, units)
        if len(items) > 1:
            return items
    chosen = [best.unit]
    for other in ranked[1:]:
        share = _odds(other.score) / _odds(best.score)
        if share < FURTHER_SHARE or len(chosen) == PARTS_MAX:
            break
        if all(_differs(other.unit, unit) for unit in chosen):
            chosen.append(other.unit)
    return [*chosen, *_contradicting(ask, best, ranked[1:], chosen, evidence)]


def _contradicting(
    ask: Ask,
    best: Scored,
    others: Sequence[Scored],
    chosen: Sequence[Unit],
    evidence: Sequence[Evidence],
) -> list[Unit]:
    """What another document says instead: it is not for the generator to choose between them."""
    document = evidence[best.unit.evidence].source.document_id
    for other in others:
        if _odds(other.score) / _odds(best.score) < CONTRADICTION_SHARE:
            break
        shown = evidence[other.unit.evidence]
        if shown.source.document_id == document or other.unit in chosen:
            continue
        # An old version that still lies around contradicts nothing: it says what was.
        current = evidence[best.unit.evidence].source
        in_force = discount(ask, other.unit, shown) == 0.0 and not is_earlier(shown.source, current)
        if in_force and disagree(best.unit.text, other.unit.text):
            return [other.unit]
    return []


def _odds(probability: float) -> float:
    return probability / (1 - probability + 1e-9)


def _differs(unit: Unit, other: Unit) -> bool:
    union = unit.stems | other.stems
    return len(unit.stems & other.stems) < 0.8 * max(1, len(union))


def list_around(unit: Unit, units: Sequence[Unit]) -> list[Unit]:
    """The list that the unit is an item of, or introduces, in order and within the passage."""
    at = next((i for i, u in enumerate(units) if u.span == unit.span), len(units))
    first = at
    while first > 0 and _is_item(units[first]) and _is_item(units[first - 1]):
        first -= 1
    if not _is_item(unit):
        first = at + 1
    last = first
    while last < len(units) and _is_item(units[last]):
        last += 1
    items = list(units[first:last][:LIST_MAX])
    return [unit, *items] if items and not _is_item(unit) else items


def _is_item(unit: Unit) -> bool:
    return unit.kind is ElementKind.LIST_ITEM
