"""The native answer, as `POST /v1/answers` gives it. DESIGN of the shape: docs/api.md."""

from typing import Any

from rag.answer.linking import page_url, place_in_source
from rag.answer.sealing import check_row, time_text
from rag.domain.answer import Answer, AnsweredClaim, AnsweredPart, Citation, Conflict, Nearby
from rag.domain.claim import Source
from rag.domain.ids import Digest
from rag.domain.words import Span


def answer_row(answer: Answer, receipt_digest: Digest) -> dict[str, Any]:
    """Plain JSON values; spans count code points, half-open."""
    return {
        "id": answer.id,
        "status": answer.status.value,
        "text": answer.text,
        "reason": answer.reason,
        "claims": [claim_row(claim) for claim in answer.claims],
        "withheld": [
            {
                "label": w.label.value,
                "step": int(w.reason.step),
                "reason": w.reason.name,
                "detail": w.reason.detail,
            }
            for w in answer.withheld
        ],
        "citations": [citation_row(n + 1, c) for n, c in enumerate(answer.citations)],
        "parts": [part_row(part) for part in answer.parts],
        "conflicts": [conflict_row(conflict) for conflict in answer.conflicts],
        "nearest": [nearby_row(place) for place in answer.nearest],
        "activity": [
            {
                "step": a.step,
                "elapsed_ms": a.elapsed_ms,
                "count": a.count,
                "error": a.error,
                "tokens": a.tokens,
                "cost": a.cost,
            }
            for a in answer.activity
        ],
        "degraded": list(answer.degraded),
        "models": {
            role: {"name": name, "digest": digest}
            for role, (name, digest) in answer.models.by_role.items()
        },
        "policy": {
            "name": answer.policy.value,
            "threshold": round(answer.threshold, 6),
            "calibration": dict(answer.calibration),
        },
        "asked_at": time_text(answer.asked_at),
        "receipt": {"digest": receipt_digest, "url": f"/v1/receipts/{receipt_digest}"},
    }


def part_row(part: AnsweredPart) -> dict[str, Any]:
    """One question of the plan; `claims` are indices."""
    return {
        "question": part.question,
        "status": part.status.value,
        "reason": part.reason,
        "claims": list(part.claims),
    }


def conflict_row(conflict: Conflict) -> dict[str, Any]:
    """Claims that cannot all be true, by index, who is believed first at the front."""
    return {"claims": list(conflict.claims), "reason": conflict.reason}


def nearby_row(place: Nearby) -> dict[str, Any]:
    """Where to look when nothing was answered; no text of the document."""
    return {
        "start_char_index": place.span.start,
        "end_char_index": place.span.end,
        "page": place.page,
        "section": list(place.section),
        "source": source_row(place.source, place.span),
    }


def source_row(source: Source, span: Span | None) -> dict[str, Any]:
    """A document, and where to read it, at `span` if there is one."""
    return {
        "silo": source.silo,
        "document_id": source.document_id,
        "title": source.title,
        "uri": source.uri,
        "url": page_url(source, span),
    }


def claim_row(claim: AnsweredClaim) -> dict[str, Any]:
    """One claim with its verdict; `start_char` and `end_char` count in the answer's text."""
    verdict = claim.verdict
    return {
        "text": verdict.claim.text,
        "start_char": claim.span.start,
        "end_char": claim.span.end,
        "short_answer": short_answer_row(claim),
        "label": verdict.label.value,
        "score": round(verdict.score, 6),
        "checks": [check_row(check) for check in verdict.checks],
        "citations": list(claim.citations),
    }


def short_answer_row(claim: AnsweredClaim) -> dict[str, Any] | None:
    """The words of the claim that answer by themselves, with their place in the answer's text."""
    said, short = claim.verdict.claim.text, claim.verdict.claim.short
    if short is None:
        return None
    place = short.shifted(claim.span.start)
    return {"text": short.of(said), "start_char": place.start, "end_char": place.end}


def citation_row(marker: int, citation: Citation) -> dict[str, Any]:
    """One citation; the indices count in the canonical text of the version."""
    source = citation.source
    return {
        "marker": marker,
        "cited_text": citation.text,
        "prefix": citation.prefix,
        "suffix": citation.suffix,
        "start_char_index": citation.span.start,
        "end_char_index": citation.span.end,
        "page": citation.page,
        "section": list(citation.section),
        "source": source_row(source, citation.span),
        "source_url": place_in_source(source.uri, citation.page, citation.text),
        "also_in": [source_row(other, None) for other in citation.also_in],
        "version": source.version,
        "raw_digest": source.raw_digest,
        "modified_at": time_text(source.modified_at),
        "observed_at": time_text(source.observed_at),
        "confirmed_at": time_text(source.confirmed_at),
    }
