"""Figures of others, and of earlier experiments, to stand beside ours. Copied, not measured here."""

from dataclasses import dataclass
from typing import Final

_COOKBOOK: Final = (
    "Anthropic, contextual embeddings guide of anthropics/anthropic-cookbook at 4b36a1e (2024)"
)
_EXPERIMENT: Final = (
    "Sworn's first experiment, before the chunker: FTS5 and MiniLM (fp32), min-max sum at 0.4"
)
_EXPERIMENT_PARTS: Final = "Sworn's first experiment, before the chunker"
_POOL: Final = f"{_EXPERIMENT}; over 1,204 paragraphs, 1,500 questions"


@dataclass(frozen=True, slots=True, kw_only=True)
class Anchor:
    """A figure in [0, 1] for a measure of a set. `source` says whose, and how it differs."""

    set: str
    measure: str
    system: str
    value: float
    source: str


def _code(system: str, *values: float) -> tuple[Anchor, ...]:
    """Pass@5, 10 and 20 in per cent, as published."""
    return tuple(
        Anchor(
            set="anthropic_code", measure=measure, system=system, value=round(value / 100, 4),
            source=_COOKBOOK,
        )
        for measure, value in zip(("recall@5", "recall@10", "recall@20"), values, strict=True)
    )  # fmt: skip


def _earlier(set_: str, source: str, system: str, **values: float) -> tuple[Anchor, ...]:
    """Figures by measure, its `@` written as `_at_`."""
    return tuple(
        Anchor(
            set=set_, measure=name.replace("_at_", "@"), system=system, value=value, source=source
        )
        for name, value in values.items()
    )


ANCHORS: Final = (
    *_code("embeddings (voyage)", 80.9, 87.2, 90.1),
    *_code("contextual embeddings, by an LLM", 86.4, 92.8, 93.8),
    *_code("contextual embeddings and BM25", 86.4, 93.2, 95.0),
    *_code("the same, re-ranked by Cohere", 91.2, 94.8, 96.3),
    *_earlier("anthropic_code", _EXPERIMENT, "FTS5 + MiniLM",
              recall_at_5=0.789, recall_at_10=0.843, recall_at_20=0.903, nDCG_at_10=0.714),
    *_earlier("squad", _POOL, "FTS5 + MiniLM",
              nDCG_at_10=0.912, hit_at_1=0.83, hit_at_5=0.959, hit_at_20=0.993),
    *_earlier("cranfield", _EXPERIMENT, "FTS5 + MiniLM", nDCG_at_10=0.434, recall_at_100=0.783),
    *_earlier("cranfield", _EXPERIMENT_PARTS, "BM25 (bm25s)", nDCG_at_10=0.385),
    *_earlier("cranfield", _EXPERIMENT_PARTS, "MiniLM", nDCG_at_10=0.400),
    *_earlier("cisi", _EXPERIMENT, "FTS5 + MiniLM", nDCG_at_10=0.410),
    *_earlier("cisi", _EXPERIMENT_PARTS, "BM25 (bm25s)", nDCG_at_10=0.396),
    *_earlier("cisi", _EXPERIMENT_PARTS, "MiniLM", nDCG_at_10=0.421),
    *_earlier("multihop_rag_500", _EXPERIMENT, "header in no field",
              nDCG_at_10=0.787, all_at_10=0.632),
    *_earlier("multihop_rag_500", _EXPERIMENT, "header in BM25 only",
              nDCG_at_10=0.839, all_at_10=0.725),
    *_earlier("chunking_eval", f"{_EXPERIMENT}; five chunks of 1,600 characters", "small to big",
              chars_at_8000=0.937),
)  # fmt: skip


def anchors(set_: str, measures: tuple[str, ...]) -> tuple[Anchor, ...]:
    """Those of a set for the measures that are reported."""
    return tuple(a for a in ANCHORS if a.set == set_ and a.measure in measures)
