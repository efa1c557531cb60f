"""The receipt: an answer's provenance and verdicts as plain JSON values.

Canonical form is RFC 8785; the digest and the signature are over its bytes. The layout is
`sworn-receipt/1`; docs/receipts.md explains each field.
"""

import base64
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

import rfc8785

from rag.domain.answer import Answer, AnsweredClaim, Citation, Question
from rag.domain.claim import Check
from rag.domain.ids import Digest, digest_bytes, digest_text
from rag.ports import Signer

RECEIPT_TYPE: Final = "sworn-receipt/1"
# What a receipt does not say, said in the receipt.
NOT_CHECKED: Final = (
    "that the documents are true",
    "that the evidence is complete",
    "that the answer is all that could be said",
)


def receipt_body(question: Question, answer: Answer, settings_digest: str) -> dict[str, Any]:
    """Everything that the receipt swears to. Texts that did not leave appear nowhere."""
    return {
        "type": RECEIPT_TYPE,
        "answer_id": answer.id,
        "asked_at": time_text(answer.asked_at),
        "asker_digest": digest_text(question.principal.id),
        "question_digest": answer.question_digest,
        "status": answer.status.value,
        "text_digest": digest_text(answer.text),
        "policy": answer.policy.value,
        "threshold": round(answer.threshold, 6),
        "calibration": dict(answer.calibration),
        "catalog": {
            "generation": answer.generation,
            "checked_generation": answer.checked_generation,
        },
        "claims": [_claim(claim) for claim in answer.claims],
        "withheld": [
            {"label": w.label.value, "reason": check_row(w.reason)} for w in answer.withheld
        ],
        "citations": [_citation(citation) for citation in answer.citations],
        "conflicts": [{"claims": list(c.claims), "reason": c.reason} for c in answer.conflicts],
        "models": {
            role: {"name": name, "digest": digest}
            for role, (name, digest) in sorted(answer.models.by_role.items())
        },
        "settings_digest": settings_digest,
        "degraded": list(answer.degraded),
        "not_checked": list(NOT_CHECKED),
    }


def check_row(check: Check) -> dict[str, Any]:
    """One step of the checklist as receipts and responses show it."""
    return {
        "step": int(check.step),
        "name": check.name,
        "outcome": check.outcome.value,
        "detail": check.detail,
    }


def _claim(claim: AnsweredClaim) -> dict[str, Any]:
    verdict = claim.verdict
    return {
        "text": verdict.claim.text,
        "label": verdict.label.value,
        "score": round(verdict.score, 6),
        "checks": [check_row(check) for check in verdict.checks],
        "citations": list(claim.citations),
    }


def _citation(citation: Citation) -> dict[str, Any]:
    source = citation.source
    return {
        "silo": source.silo,
        "document_id": source.document_id,
        "key": source.key,
        "uri": source.uri,
        "title": source.title,
        "version": source.version,
        "raw_digest": source.raw_digest,
        "start_char": citation.span.start,
        "end_char": citation.span.end,
        "quote": citation.text,
        "quote_digest": digest_text(citation.text),
        "modified_at": time_text(source.modified_at),
        "observed_at": time_text(source.observed_at),
        "confirmed_at": time_text(source.confirmed_at),
    }


def time_text(value: datetime) -> str:
    """ISO 8601, UTC, microseconds."""
    return value.isoformat(timespec="microseconds").replace("+00:00", "Z")


def canonical_json(value: Mapping[str, Any]) -> str:
    """The one way to write `value` (RFC 8785): equal values give equal bytes."""
    return rfc8785.dumps(dict(value)).decode()


def seal(body: Mapping[str, Any], signer: Signer) -> tuple[str, Digest]:
    """The receipt, named by the digest of its body and signed over the body's bytes."""
    message = canonical_json(body).encode()
    digest = digest_bytes(message)
    signature = {
        "algorithm": "Ed25519",
        "key_id": signer.key_id,
        "value": base64.b64encode(signer.sign(message)).decode(),
    }
    return canonical_json({"body": body, "digest": digest, "signature": signature}), digest
