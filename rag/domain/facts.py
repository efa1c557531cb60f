"""Step 6 of the checklist: do a claim's numbers, units, dates, names and negations agree?

Deterministic and conservative: what cannot be compared with certainty is not a disagreement.
Silence is therefore no proof of support; that is the judge's question (step 7).
"""

from dataclasses import dataclass
from typing import Final, Literal

from rag.domain.extraction import Facts, facts
from rag.domain.match_dates import backs_clock, backs_date
from rag.domain.match_names import backs_name, opening_clash
from rag.domain.match_quantities import (
    backs_frequency,
    backs_quantity,
    displaced_quantity,
    wrong_unit,
)
from rag.domain.opposition import contradictions
from rag.domain.words import Span

# Comparing grows with the product of both texts' facts; a sentence has far fewer than this.
_CLAIM_FACTS_MAX: Final = 64

DisagreementKind = Literal["number", "unit", "date", "name", "negation"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Disagreement:
    """One fact of a claim that its evidence does not back, or denies."""

    kind: DisagreementKind
    detail: str
    claim_span: Span


@dataclass(frozen=True, slots=True, kw_only=True)
class Agreement:
    """What a claim and its evidence disagree on, in the order of the claim."""

    disagreements: tuple[Disagreement, ...] = ()

    @property
    def holds(self) -> bool:
        """Whether nothing was found to disagree; no proof of support by itself."""
        return not self.disagreements


def agreement(claim: str, evidence: str) -> Agreement:
    """Whether every number, unit, date, name and negation of `claim` agrees with `evidence`.

    A value is backed by an equal one, by one that rounds to it at the precision stated, by a
    unit conversion within its dimension, or by a range around it; a date by one that agrees at
    the coarser grain; a name by its last name, acronym or possessive. A negation disagrees only
    where a sentence of the evidence says the same of the same things with the other polarity.

    A claim with more than 64 facts of a kind is not compared; it disagrees as a whole.
    Not checked: whether a fact belongs to the right subject when several are listed alike,
    relative dates ("yesterday"), and arithmetic beyond a stated total or difference.

    Source: the deterministic tier follows the error study of RAGTruth detectors by Nyasa (2025):
    such rules pay only when they are precise.
    """
    ours, theirs = facts(claim), facts(evidence)
    if max(map(len, (ours.quantities, ours.dates, ours.clocks, ours.names))) > _CLAIM_FACTS_MAX:
        detail = "more facts than are compared"
        whole = Span(0, len(claim))
        return Agreement(
            disagreements=(Disagreement(kind="number", detail=detail, claim_span=whole),)
        )
    found = [
        *_quantity_disagreements(ours, theirs),
        *_date_disagreements(ours, theirs),
        *_name_disagreements(ours, theirs),
    ]
    if not found:
        found = [
            Disagreement(kind="negation", detail=detail, claim_span=span)
            for detail, span in contradictions(
                ours.judged, ours.segments, theirs.judged, theirs.segments
            )
        ]
    return Agreement(disagreements=tuple(sorted(found, key=lambda d: d.claim_span.start)))


def _quantity_disagreements(ours: Facts, theirs: Facts) -> list[Disagreement]:
    found: list[Disagreement] = []
    for quantity in ours.quantities:
        if quantity.is_implied:
            continue
        said = quantity.span.of(ours.text)
        if not backs_quantity(quantity, ours, theirs):
            kind: DisagreementKind = "unit" if wrong_unit(quantity, theirs) else "number"
            detail = f"“{said}” is not in the evidence"
            found.append(Disagreement(kind=kind, detail=detail, claim_span=quantity.span))
        elif other := displaced_quantity(quantity, ours, theirs):
            detail = f"the evidence says “{other.of(theirs.text)}”, not “{said}”"
            found.append(Disagreement(kind="number", detail=detail, claim_span=quantity.span))
    for frequency in ours.frequencies:
        if not backs_frequency(frequency, theirs):
            detail = f"“{frequency.span.of(ours.text)}” is not in the evidence"
            found.append(Disagreement(kind="unit", detail=detail, claim_span=frequency.span))
    return found


def _date_disagreements(ours: Facts, theirs: Facts) -> list[Disagreement]:
    unbacked = [d.span for d in ours.dates if not backs_date(d, theirs)]
    unbacked += [c.span for c in ours.clocks if not backs_clock(c, theirs)]
    return [
        Disagreement(
            kind="date",
            detail=f"“{span.of(ours.text)}” is not in the evidence",
            claim_span=span,
        )
        for span in unbacked
    ]


def _name_disagreements(ours: Facts, theirs: Facts) -> list[Disagreement]:
    found: list[Disagreement] = []
    for name in ours.names:
        said = name.span.of(ours.text)
        if name.kind == "opening":
            if other := opening_clash(name, ours, theirs):
                detail = f"the evidence says “{other}”, not “{said}”"
                found.append(Disagreement(kind="name", detail=detail, claim_span=name.span))
        elif not backs_name(name, ours, theirs):
            detail = f"“{said}” is not in the evidence"
            found.append(Disagreement(kind="name", detail=detail, claim_span=name.span))
    return found
