"""What tells whether a unit answers a question. Every feature is in [-1, 1] or near it."""

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

from rag.adapters.generators.matching import matched_stems
from rag.adapters.generators.question import Ask, Form, form_match
from rag.adapters.generators.units import Unit
from rag.domain.claim import Evidence
from rag.domain.clash import is_outdated
from rag.domain.document import ElementKind
from rag.domain.words import content_stems, words

_FIGURES: Final = frozenset(
    {Form.COUNT, Form.MONEY, Form.DURATION, Form.FREQUENCY, Form.NUMBER, Form.TIME}
)
_OUTDATED_TEXT: Final = re.compile(
    r"\b(?:previously|formerly|used to be|superseded|no longer|under (?:the old|version)|until then"
    r"|in the past|was withdrawn|early draft)\b",
    re.IGNORECASE,
)
_ASKS_FOR_PAST: Final = re.compile(
    r"\b(?:was|were|did|before|formerly|previously|old|archive\w*|20[012]\d|version|last year|change\w*)\b",
    re.IGNORECASE,
)
_MAIL_LINE: Final = re.compile(r"^(?:from|to|cc|bcc|date|subject|sent|reply-to): ", re.IGNORECASE)


# What each stem of a question weighs: rare among the units found means telling.
Rarity = Mapping[str, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """A unit with how much of the question's weight it holds, itself and with its context."""

    unit: Unit
    direct: float
    context: float
    read: float = 0.0

    @property
    def promise(self) -> float:
        """Worth comparing more closely?"""
        return self.direct + self.context + 2.0 * self.read


@dataclass(frozen=True, slots=True, kw_only=True)
class Best:
    """The highest value of each kind among the units compared."""

    direct: float = 0.0
    context: float = 0.0
    similar: float = 0.0
    read: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Scored:
    """A unit with the probability that it answers, and what that was computed from."""

    unit: Unit
    features: Mapping[str, float]
    score: float


def rarity(ask: Ask, units: Sequence[Unit]) -> Rarity:
    """Weight of each stem of the question: rare among the units found means telling."""
    return {
        stem: math.log(1 + len(units) / (1 + sum(stem in u.stems for u in units)))
        for stem in ask.stems
    }


def candidate(unit: Unit, shown: Evidence, weights: Rarity) -> Candidate:
    """Match the unit with the question by words, and with what the reader found in its passage."""
    total = sum(weights.values()) or 1.0
    direct = sum(w for stem, w in weights.items() if stem in unit.stems)
    either = sum(w for stem, w in weights.items() if stem in unit.stems or stem in unit.context)
    return Candidate(
        unit=unit,
        direct=direct / total,
        context=either / total,
        read=_p_answers(shown) * read_here(unit, shown),
    )


def _p_answers(shown: Evidence) -> float:
    return shown.reading.p_answers if shown.reading else 0.0


def read_here(unit: Unit, shown: Evidence) -> float:
    """The probability that the answer of the passage, if it has one, stands in this unit."""
    if shown.reading is None:
        return 0.0
    place = unit.span.shifted(-shown.span.start)
    return min(1.0, sum(s.p for s in shown.reading.spans if s.span.overlaps(place)))


def features(
    ask: Ask,
    one: Candidate,
    similar: float,
    best: Best,
    shown: Evidence,
    weights: Rarity,
) -> dict[str, float]:
    """All features of one unit.

    Args:
        similar: cosine of the unit, under its heading, with the question.
        best: the highest values among all units compared.
        weights: of the question's stems, by `rarity`.
    """
    unit = one.unit
    form = form_match(ask, unit.text)
    missed = [w for stem, w in weights.items() if stem not in unit.stems | unit.context]
    passage = matched_stems(shown.text) | unit.context
    absent = [w for stem, w in weights.items() if stem not in passage]
    total = sum(weights.values()) or 1.0
    return {
        "direct": one.direct,
        "context": one.context,
        "similar": similar,
        "direct_gap": one.direct - best.direct,
        "context_gap": one.context - best.context,
        "similar_gap": similar - best.similar,
        "passage_similar": shown.dense,
        "passage_rank": shown.score,
        "read_passage": _p_answers(shown),
        "read_here": read_here(unit, shown),
        "read": one.read,
        "read_gap": one.read - best.read,
        "unread": float(shown.reading is None),
        "missed_most": max(missed, default=0.0) / total,
        "both": one.context * max(0.0, similar),
        "absent": sum(absent) / total,
        "head": _head_share(ask, unit),
        "pairs": _pairs_share(ask, unit),
        "form": 0.0 if form is None else form,
        "formless": float(form == 0.0),
        "formless_figure": float(form == 0.0 and ask.form in _FIGURES),
        "uncounted": float(ask.form is Form.COUNT and form != 1.0),
        "reasonless": float(ask.form is Form.REASON and form == 0.0),
        "any_form": float(form is None),
        "demands_missing": min(1.0, len(missing_demands(ask, unit, shown)) / 2),
        "is_table": float(unit.kind is ElementKind.TABLE),
        "is_list": float(unit.kind is ElementKind.LIST_ITEM),
        "is_code": float(unit.kind is ElementKind.CODE),
        "short": float(len(unit.stems) < 4),
        "length": min(1.0, len(unit.text) / 400),
        "ends_open": float(unit.text.rstrip().endswith((":", "?"))),
    }


def discount(ask: Ask, unit: Unit, shown: Evidence) -> float:
    """How much to take off the logit for reasons that no question-answering set teaches.

    Old versions that still lie around, quoted mail and mail headers are right answers only to
    questions about them.
    """
    taken = 0.0
    if not _ASKS_FOR_PAST.search(ask.text):
        taken += 2.0 * is_outdated(shown.source.title, shown.source.key)
        taken += 1.5 * bool(_OUTDATED_TEXT.search(unit.text))
    taken += 1.5 * unit.text.lstrip().startswith(">")
    if ask.form not in (Form.PERSON, Form.TIME):
        taken += 2.0 * bool(_MAIL_LINE.match(unit.text))
    return taken


def missing_demands(ask: Ask, unit: Unit, shown: Evidence) -> tuple[str, ...]:
    """Names, numbers and dates of the question that stand neither in the passage nor above it."""
    if not ask.demands:
        return ()
    source = shown.source
    above = " ".join((source.title, source.key, *unit.section))
    # The passage by itself: its stems are remembered, and all of its units ask for them.
    present = matched_stems(above) | matched_stems(shown.text)
    present |= frozenset((*words(above), *words(shown.text)))
    return tuple(demand for demand in ask.demands if not matched_stems(demand) <= present)


def _head_share(ask: Ask, unit: Unit) -> float:
    """Share of the first cell's or first words' stems that the question names."""
    head = unit.text.split(" | ", 1)[0]
    head = head.split(": ", 1)[-1] if unit.kind is ElementKind.TABLE else head[:40]
    stems = content_stems(head)
    return sum(stem in ask.stems for stem in stems) / len(stems) if stems else 0.0


def _pairs_share(ask: Ask, unit: Unit) -> float:
    """Share of the question's neighbouring word pairs that the unit has, in either order."""
    asked = content_stems(ask.text)
    said = content_stems(unit.text)
    pairs = {frozenset(pair) for pair in pairwise(asked)}
    found = {frozenset(pair) for pair in pairwise(said)}
    return len(pairs & found) / len(pairs) if pairs else 0.0
