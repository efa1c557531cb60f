"""Dify's External Knowledge: `POST /retrieval` gives passages, not answers.

Source: the page "External Knowledge API" of Dify's documentation. `metadata` is never null.
"""

from collections.abc import Iterable
from typing import Any, Final

from rag.answer.linking import page_url
from rag.domain.claim import Evidence

BAD_HEADER: Final = 1001
NOT_AUTHORISED: Final = 1002
NO_KNOWLEDGE: Final = 2001


def records(evidence: Iterable[Evidence], score_min: float, base_url: str) -> dict[str, Any]:
    """The passages at or above `score_min`, best first; what commands a reader is blanked."""
    return {"records": [_record(e, base_url) for e in evidence if score_of(e) >= score_min]}


def score_of(evidence: Evidence) -> float:
    """Between 0 and 1: how well the passage was found, or, where it was read, that it answers."""
    answers = evidence.reading.p_answers if evidence.reading else 0.0
    return round(min(1.0, max(0.0, evidence.score, answers)), 6)


def error(code: int, message: str) -> dict[str, Any]:
    """An error as Dify reads it."""
    return {"error_code": code, "error_msg": message}


def _record(evidence: Evidence, base_url: str) -> dict[str, Any]:
    source = evidence.source
    return {
        "content": evidence.readable,
        "score": score_of(evidence),
        "title": source.title,
        "metadata": {
            "path": f"{source.silo}/{source.key}",
            "description": " > ".join(evidence.section),
            "document_id": source.document_id,
            "version": source.version,
            "url": base_url.rstrip("/") + page_url(source, evidence.span),
        },
    }
