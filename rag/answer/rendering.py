"""The native answer, as `POST /v1/answers` gives it. DESIGN of the shape: docs/api.md."""

from typing import Any

from rag.answer.sealing import check_row, time_text
from rag.domain.answer import Answer, AnsweredClaim, Citation
from rag.domain.ids import Digest


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
        "conflicts": [],
        "activity": [
            {"step": a.step, "elapsed_ms": a.elapsed_ms, "count": a.count, "error": a.error}
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


def claim_row(claim: AnsweredClaim) -> dict[str, Any]:
    """One claim with its verdict; `start_char` and `end_char` count in the answer's text."""
    verdict = claim.verdict
    return {
        "text": verdict.claim.text,
        "start_char": claim.span.start,
        "end_char": claim.span.end,
        "label": verdict.label.value,
        "score": round(verdict.score, 6),
        "checks": [check_row(check) for check in verdict.checks],
        "citations": list(claim.citations),
    }


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
        "source": {
            "silo": source.silo,
            "document_id": source.document_id,
            "title": source.title,
            "uri": source.uri,
            "url": f"/v1/documents/{source.document_id}?version={source.version}"
            f"#char={citation.span.start},{citation.span.end}",
        },
        "version": source.version,
        "raw_digest": source.raw_digest,
        "modified_at": time_text(source.modified_at),
        "observed_at": time_text(source.observed_at),
        "confirmed_at": time_text(source.confirmed_at),
    }
