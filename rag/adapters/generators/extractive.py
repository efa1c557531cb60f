"""A generator without a language model: the sources' own sentences, the best first.

Each unit of the evidence is scored for how well it answers the question, by its words, its
context, its meaning and whether it holds the kind of thing asked for. The weights are those of
a logistic regression, so that a score is the probability that the unit answers; below the
threshold there is no draft, and the belt abstains.
"""

import math
import re
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from rag.adapters.generators.question import Ask, Form, has_form, read_question
from rag.adapters.generators.units import Unit, units_of
from rag.domain.claim import Draft, DraftPart, Evidence, Pointer
from rag.domain.document import ElementKind
from rag.domain.errors import ModelError
from rag.domain.ids import Digest, digest_text
from rag.domain.words import content_stems, words
from rag.ports import Embedder

# Units whose meaning is compared; embedding is the dearest part of a question.
COMPARED_MAX: Final = 12
PARTS_MAX: Final = 3
# A further unit must be nearly as good as the best one, as a share of its odds.
FURTHER_SHARE: Final = 0.5
_CACHED: Final = 4096
_OUTDATED: Final = re.compile(
    r"\b(?:archiv\w*|superseded|obsolete|outdated|deprecated|replaced by|no longer valid|old"
    r"|former|withdrawn|draft|veraltet)\b",
    re.IGNORECASE,
)

WEIGHTS: Final[Mapping[str, float]] = {
    "bias": -7.0,
    "direct": 3.0,
    "context": 3.5,
    "similar": 5.0,
    "form": 1.2,
    "formless": -1.5,
    "missing": -2.5,
    "outdated": -1.2,
    "rank": 1.0,
    "question": -2.0,
}
THRESHOLD: Final = 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class Scored:
    """A unit with the probability that it answers, and what that was computed from."""

    unit: Unit
    features: Mapping[str, float]
    score: float


class ExtractiveGenerator:
    """Implements the port `Generator`."""

    name = "extractive"

    def __init__(self, embedder: Embedder) -> None:
        self._embedder = embedder
        self._cache: OrderedDict[str, bytes] = OrderedDict()
        self.digest: Digest = digest_text(f"extractive 1 {sorted(WEIGHTS.items())} {THRESHOLD}")

    async def generate(self, question: str, evidence: Sequence[Evidence]) -> Draft:
        ask = read_question(question)
        ranked = await self.score(ask, evidence)
        if not ranked or ranked[0].score < THRESHOLD:
            return Draft(parts=(), reason="the documents found do not answer this question")
        chosen = choose(ask, ranked, evidence)
        return Draft(
            parts=tuple(
                DraftPart(text=u.text, pointers=(Pointer(evidence=u.evidence, span=u.span),))
                for u in chosen
            )
        )

    async def score(self, ask: Ask, evidence: Sequence[Evidence]) -> list[Scored]:
        """The most promising units, best first."""
        units = [u for i, e in enumerate(evidence) for u in units_of(i, e)]
        weights = _rarity(ask, units)
        matches = [(u, _match(ask, u, weights)) for u in units]
        promise = {id(u): d + c + 0.5 * evidence[u.evidence].dense for u, (d, c) in matches}
        matches.sort(key=lambda m: -promise[id(m[0])])
        compared = matches[:COMPARED_MAX]
        similar = await self._similarities(ask.text, [u for u, _ in compared])
        scored = [
            _score(ask, unit, evidence, direct, context, similarity)
            for (unit, (direct, context)), similarity in zip(compared, similar, strict=True)
        ]
        return sorted(scored, key=lambda s: -s.score)

    async def _similarities(self, question: str, units: Sequence[Unit]) -> list[float]:
        """Cosine of each unit, under its heading, with the question; 0 without an embedder."""
        texts = [": ".join((*u.section[-1:], u.text))[:400] for u in units]
        new = [t for t in dict.fromkeys((question, *texts)) if t not in self._cache]
        try:
            vectors = await self._embedder.embed(new)
        except ModelError:
            return [0.0] * len(units)
        self._cache.update(zip(new, vectors, strict=True))
        query = np.frombuffer(self._cache[question], dtype="<f4")
        result = [float(np.frombuffer(self._cache[t], dtype="<f4") @ query) for t in texts]
        while len(self._cache) > _CACHED:
            self._cache.popitem(last=False)
        return result


def _rarity(ask: Ask, units: Sequence[Unit]) -> dict[str, float]:
    """Weight of each stem of the question: rare among the units found means telling."""
    return {
        stem: math.log(1 + len(units) / (1 + sum(stem in u.stems for u in units)))
        for stem in ask.stems
    }


def _match(ask: Ask, unit: Unit, weights: Mapping[str, float]) -> tuple[float, float]:
    """Share of the question's weight found in the unit itself, and with its context."""
    total = sum(weights.values()) or 1.0
    direct = sum(w for stem, w in weights.items() if stem in unit.stems)
    either = sum(w for stem, w in weights.items() if stem in unit.stems or stem in unit.context)
    return direct / total, either / total


def _score(
    ask: Ask,
    unit: Unit,
    evidence: Sequence[Evidence],
    direct: float,
    context: float,
    similar: float,
) -> Scored:
    shown = evidence[unit.evidence]
    form = has_form(unit.text, ask.form)
    features = {
        "bias": 1.0,
        "direct": direct,
        "context": context,
        "similar": similar,
        "form": float(form is True),
        "formless": float(form is False),
        "missing": float(len(missing_demands(ask, unit, shown))),
        "outdated": float(_is_outdated(shown)),
        "rank": shown.score,
        "question": float(unit.text.endswith("?")),
    }
    logit = sum(WEIGHTS[name] * value for name, value in features.items())
    return Scored(unit=unit, features=features, score=1 / (1 + math.exp(-logit)))


def missing_demands(ask: Ask, unit: Unit, shown: Evidence) -> tuple[str, ...]:
    """Names, numbers and dates of the question that stand neither in the passage nor above it."""
    source = shown.source
    place = " ".join((source.title, source.key, *unit.section, shown.text))
    present = frozenset(content_stems(place)) | frozenset(words(place))
    return tuple(
        demand
        for demand in ask.demands
        if not all(part in present for part in content_stems(demand))
    )


def _is_outdated(shown: Evidence) -> bool:
    source = shown.source
    return _OUTDATED.search(" ".join((source.title, source.key.replace("/", " ")))) is not None


def choose(ask: Ask, ranked: Sequence[Scored], evidence: Sequence[Evidence]) -> list[Unit]:
    """The best unit, the whole list where one is asked for, and what is nearly as good."""
    best = ranked[0]
    if ask.form in (Form.STEPS, Form.LIST):
        items = _list_around(best.unit, evidence)
        if len(items) > 1:
            return items
    chosen = [best.unit]
    for other in ranked[1:]:
        odds = other.score / (1 - other.score + 1e-9) / (best.score / (1 - best.score + 1e-9))
        new = all(_differs(other.unit, unit) for unit in chosen)
        if odds >= FURTHER_SHARE and other.score >= THRESHOLD and new:
            chosen.append(other.unit)
        if len(chosen) == PARTS_MAX:
            break
    return chosen


def _differs(unit: Unit, other: Unit) -> bool:
    union = unit.stems | other.stems
    return len(unit.stems & other.stems) < 0.8 * max(1, len(union))


def _list_around(unit: Unit, evidence: Sequence[Evidence]) -> list[Unit]:
    """The list that the unit is an item of, or introduces, in order and within the passage."""
    units = units_of(unit.evidence, evidence[unit.evidence])
    at = next((i for i, u in enumerate(units) if u.span == unit.span), None)
    if at is None:
        return []
    if unit.kind is not ElementKind.LIST_ITEM:
        if at + 1 >= len(units) or units[at + 1].kind is not ElementKind.LIST_ITEM:
            return []
        items = [unit]
        at += 1
    else:
        while at > 0 and _same_list(units[at - 1], unit):
            at -= 1
        items = []
    while at < len(units) and units[at].kind is ElementKind.LIST_ITEM and len(items) < 12:
        items.append(units[at])
        at += 1
    return items


def _same_list(unit: Unit, other: Unit) -> bool:
    return unit.kind is ElementKind.LIST_ITEM and unit.section == other.section
