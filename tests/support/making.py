"""Values of belt two, made short."""

from datetime import UTC, datetime
from typing import Any, get_args

from rag.answer.verification import Known
from rag.domain.claim import Claim, ClaimKind, Evidence, Judgement, Pointer, Source
from rag.domain.document import Element, ElementKind
from rag.domain.facts import DisagreementKind
from rag.domain.ids import ChunkId, DocumentId, SiloId, digest_text
from rag.domain.words import Span
from rag.ports import Standing

NOW = datetime(2026, 1, 1, tzinfo=UTC)
TEXT = "Meals are refunded up to 40 euros a day. Hotels are refunded up to 150 euros a night."
MEALS = Span(0, 40)


def evidence(
    text: str = TEXT, *, chunk: int = 1, document: str = "doc_a", start: int = 100
) -> Evidence:
    """A passage that stands at `start` of its document."""
    span = Span(start, start + len(text))
    return Evidence(
        chunk_ids=(ChunkId(chunk),), text=text, span=span, section=("Travel",), page=3, score=0.9,
        dense=0.8, elements=(Element(kind=ElementKind.PARAGRAPH, span=span, section=("Travel",), page=4),),
        source=Source(
            document_id=DocumentId(document), silo=SiloId("handbook"), key=f"{document}.md",
            title="Travel", uri="", version=digest_text(document + text),
            raw_digest=digest_text("raw"), modified_at=NOW, observed_at=NOW, confirmed_at=NOW,
        ),
    )  # fmt: skip


def claim(
    text: str = "Meals are refunded up to 40 euros a day.",
    *pointers: Pointer,
    asserts: bool = True,
) -> Claim:
    """A claim that cites the first passage unless it is told otherwise."""
    cites = pointers or (Pointer(evidence=0, span=None),)
    return Claim(
        text=text,
        span=Span(0, len(text)),
        kind=ClaimKind.ASSERTION if asserts else ClaimKind.QUESTION,
        pointers=cites,
    )


def judgement(p_supported: float = 0.9, p_refuted: float = 0.05, span: Span = MEALS) -> Judgement:
    return Judgement(
        p_supported=p_supported, p_refuted=p_refuted, flagged=(Span(0, 5),), evidence_span=span
    )


EVERY_KIND = frozenset(get_args(DisagreementKind))


def known(
    *shown: Evidence, current: bool = True, permitted: bool = True, vetoes: Any = EVERY_KIND
) -> Known:
    """Passages and where they stand; threshold 0.5, and step 6 refuses whatever disagrees."""
    passages = shown or (evidence(),)
    chunks = frozenset(i for e in passages for i in e.chunk_ids)
    standing = Standing(
        current=chunks if current else frozenset(), permitted=chunks if permitted else frozenset()
    )
    return Known(
        evidence=passages, standing=standing, generation=7, threshold=0.5, vetoes=frozenset(vetoes)
    )
