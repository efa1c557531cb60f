"""Figures of others on the QA part of RAGTruth's test split, to stand beside ours.

Definitions are those of LettuceDetect: an answer is positive when it has any gold span; spans are
compared by characters, micro. Copied, not measured by us.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from eval.verify.sections import PUBLISHED, Figure, Row

_LETTUCE: Final = "LettuceDetect: Kovács & Recski 2025, arXiv 2502.17125, table of its README"


@dataclass(frozen=True, slots=True, kw_only=True)
class Published:
    """Per cent; `span_f1` None where none was published. `source` names who measured."""

    system: str
    size: str
    precision: float
    recall: float
    f1: float
    source: str
    span_f1: float | None = None


RAGTRUTH_QA: Final = (
    Published(
        system="GPT-4-turbo, prompted", size="not stated", precision=33.2, recall=90.6, f1=45.6,
        span_f1=32.6, source="RAGTruth: Niu et al. 2024, arXiv 2401.00396",
    ),
    Published(
        system="Luna", size="440M", precision=37.8, recall=80.0, f1=51.3,
        source="Belyi et al. 2024, arXiv 2406.00975",
    ),
    Published(
        system="LettuceDetect-base", size="149M", precision=60.6, recall=71.3, f1=65.5,
        span_f1=61.5, source=_LETTUCE,
    ),
    Published(
        system="Llama-2-13B, fine-tuned", size="13B", precision=61.6, recall=76.3, f1=68.2,
        span_f1=58.2, source="RAGTruth: Niu et al. 2024, arXiv 2401.00396",
    ),
    Published(
        system="LettuceDetect-large", size="395M", precision=65.9, recall=75.0, f1=70.2,
        span_f1=64.4, source=_LETTUCE,
    ),
    Published(
        system="RAG-HAT, Llama-3-8B", size="8B", precision=76.5, recall=73.1, f1=74.8,
        source="Song et al. 2024, EMNLP industry track",
    ),
)  # fmt: skip
"""Lowest F1 first. All are reprinted in LettuceDetect's README at 102f7f2, where we read them.

GPT-4-turbo's F1 is as printed there and in the first paper; its precision and recall give 48.6.
"""


def example_rows() -> Iterator[Row]:
    """A row for each system's example-level F1."""
    for p in RAGTRUTH_QA:
        yield Row(
            name=f"  {p.system}, {p.size}: P {p.precision}, R {p.recall}",
            cells={PUBLISHED: Figure(value=p.f1 / 100)},
        )


def span_rows() -> Iterator[Row]:
    """A row for each system's span-level F1, where there is one."""
    for p in RAGTRUTH_QA:
        if p.span_f1 is not None:
            yield Row(
                name=f"  {p.system}, {p.size}", cells={PUBLISHED: Figure(value=p.span_f1 / 100)}
            )


def sources() -> tuple[str, ...]:
    """Where the figures come from, for the foot of the table."""
    named = dict.fromkeys((p.system.partition(",")[0], p.source) for p in RAGTRUTH_QA)
    return (
        *(f"{system}: {source}" for system, source in named),
        "GPT-4-turbo: F1 as printed; its printed precision and recall give 48.6",
    )
