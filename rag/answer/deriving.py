"""Figures over table rows, worked out again from the evidence: for these no judge is needed."""

from collections.abc import Sequence
from typing import Final

from rag.domain.claim import Claim, Evidence, Judgement, Source
from rag.domain.table import Derivation, whole_tables
from rag.domain.words import Span

_NOWHERE: Final = Span(0, 0)
HOLDS: Final = Judgement(p_supported=1.0, p_refuted=0.0, flagged=(), evidence_span=_NOWHERE)
FAILS: Final = Judgement(p_supported=0.0, p_refuted=1.0, flagged=(), evidence_span=_NOWHERE)


def worked_out(claim: Claim, derived: Derivation, evidence: Sequence[Evidence]) -> Judgement:
    """Whether the claim's sentence is what its rows come to, and its rows are all that count.

    The whole table must have been shown: a count of part of it would be wrong.
    """
    cited = {p.evidence for p in claim.pointers}
    if not cited or not all(0 <= n < len(evidence) for n in cited):
        return FAILS
    source = evidence[min(cited)].source
    shown = [e for e in evidence if _is_same(e.source, source)]
    quoted = {p.span for p in claim.pointers}
    for rows in whole_tables(shown):
        texts = [_text(shown[row.passage], row.span) for row in rows]
        chosen = derived.chosen(texts)
        named = {t for r in rows for t in (source.title, *shown[r.passage].section)}
        if quoted == {rows[n].span for n in chosen} and derived.table in named:
            said = derived.sentence([texts[n] for n in chosen])
            return HOLDS if said is not None and said[0] == claim.text else FAILS
    return FAILS


def _is_same(one: Source, other: Source) -> bool:
    return (one.document_id, one.version) == (other.document_id, other.version)


def _text(shown: Evidence, span: Span) -> str:
    return span.shifted(-shown.span.start).of(shown.readable)
