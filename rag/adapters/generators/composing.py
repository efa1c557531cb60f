"""From scored units to an answer: the direct answer, what belongs to it, and what contradicts it.

The form of the question decides: lists and steps come whole, rows of a table with their number or
sum, anything else as the best sentence with its conditions and exceptions, in source order.
"""

import re
from collections.abc import Sequence
from typing import Final

from rag.adapters.generators.features import Scored, discount, rarity
from rag.adapters.generators.question import Ask, Form
from rag.adapters.generators.short import short_answer
from rag.adapters.generators.tables import EVERY, Rows, derived, listed, rows_meant
from rag.adapters.generators.units import Unit, units_of
from rag.domain.claim import DraftPart, Evidence, Pointer
from rag.domain.clash import disagree, is_earlier
from rag.domain.document import ElementKind
from rag.domain.words import Span

PARTS_MAX: Final = 3
LIST_MAX: Final = 40
CONDITIONS_MAX: Final = 2
# A further unit must be nearly as good as the best one, as a share of its odds.
FURTHER_SHARE: Final = 0.3
# What contradicts it is given with less, so that the asker can judge for themselves.
CONTRADICTION_SHARE: Final = 0.1

# How a sentence begins that says when the one before it does not hold, or not all of it.
_QUALIFIES: Final = re.compile(
    r"^\W*(?:however|but|except(?:ions?|ed)?|unless|otherwise|only|provided|apart from|exceptionally"
    r"|in exceptional|conversely|(?:this|it|that|they|these) (?:does|do|is|are|may|can|must) (?:not|only)"
    r"|(?:this|it) (?:applies|holds|counts)|(?:higher|longer|more|larger|further|anything)\b.{0,40}"
    r"\b(?:needs?|requires?|must|is|are)|if (?:this|it|that|you|the|a|an)\b"
    r"|ausnahmen?|jedoch|allerdings|nur|außer|dies gilt|das gilt|falls)\b",
    re.IGNORECASE,
)
# A sentence that begins so says nothing without the one before it.
_POINTS_BACK: Final = re.compile(
    r"^\W*(?:it|they|this|these|those|he|she|such|both|er|sie|es|diese[rsmn]?)\b", re.IGNORECASE
)


def compose(ask: Ask, ranked: Sequence[Scored], evidence: Sequence[Evidence]) -> list[DraftPart]:
    """The draft's parts, each a quotation of one unit or a figure over rows of a table."""
    best = ranked[0]
    meant = rows_meant(ask, best.unit, evidence)
    if meant is not None and (parts := rows_listed(ask, meant)):
        return parts
    chosen = choose(ask, ranked, evidence)
    weights = rarity(ask, [s.unit for s in ranked])
    return [_quoted(u, short_answer(ask, u, evidence[u.evidence], weights)) for u in chosen]


def of_rows(ask: Ask, meant: Rows) -> list[DraftPart]:
    """The rows, after their number or sum where that is asked; empty where they are no answer."""
    figure = derived(ask, meant)
    return [figure, *_rows(meant)] if figure is not None else rows_listed(ask, meant)


def rows_listed(ask: Ask, meant: Rows) -> list[DraftPart]:
    """The rows alone, where they are what was asked for."""
    wanted = ask.form is Form.LIST or EVERY.search(ask.text) is not None
    return _rows(meant) if wanted and listed(ask, meant) else []


def _rows(meant: Rows) -> list[DraftPart]:
    return [
        DraftPart(text=text, pointers=(pointer,))
        for text, pointer in zip(meant.texts, meant.pointers, strict=True)
    ]


def _quoted(unit: Unit, short: Span | None) -> DraftPart:
    pointer = Pointer(evidence=unit.evidence, span=unit.span, quote=unit.text)
    return DraftPart(text=unit.text, pointers=(pointer,), short=short)


def choose(ask: Ask, ranked: Sequence[Scored], evidence: Sequence[Evidence]) -> list[Unit]:
    """The best unit, the whole list where one is asked for, and what is nearly as good."""
    best = ranked[0]
    units = units_of(best.unit.evidence, evidence[best.unit.evidence])
    if ask.form in (Form.STEPS, Form.LIST) or best.unit.text.endswith(":"):
        items = list_around(best.unit, units)
        if len(items) > 1:
            return items
    chosen = with_conditions(best.unit, units)
    n_best = len(chosen)
    for other in ranked[1:]:
        share = odds(other.score) / odds(best.score)
        if share < FURTHER_SHARE or len(chosen) - n_best == PARTS_MAX - 1:
            break
        if all(_differs(other.unit, unit) for unit in chosen):
            chosen.append(other.unit)
    return [*chosen, *_contradicting(ask, best, ranked[1:], chosen, evidence)]


def with_conditions(unit: Unit, units: Sequence[Unit]) -> list[Unit]:
    """The unit, the sentences after it that limit it, and the one before if it points back."""
    if unit.kind is not ElementKind.PARAGRAPH:
        return [unit]
    at = next((i for i, u in enumerate(units) if u.span == unit.span), None)
    if at is None:
        return [unit]
    before: list[Unit] = []
    if at > 0 and _POINTS_BACK.match(unit.text) and _beside(units[at - 1], unit):
        before = [units[at - 1]]
    after: list[Unit] = []
    for last, following in zip(units[at:], units[at + 1 : at + 1 + CONDITIONS_MAX], strict=False):
        if not (_beside(last, following) and _QUALIFIES.match(following.text)):
            break
        after.append(following)
    return [*before, unit, *after]


def _beside(unit: Unit, other: Unit) -> bool:
    return unit.kind is other.kind is ElementKind.PARAGRAPH and unit.section == other.section


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
        if odds(other.score) / odds(best.score) < CONTRADICTION_SHARE:
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


def odds(probability: float) -> float:
    """Of a probability; finite for all."""
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
