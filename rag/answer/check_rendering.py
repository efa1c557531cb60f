"""A checked text, as `POST /v1/check` and `sworn check --json` give it. The shape: docs/api.md.

Names and shape are those of Google's check grounding API (discoveryengine v1); what it has no
word for stands beside them. As there, `startPos` and `endPos` count UTF-8 bytes.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from rag.answer.checking import GIVEN, Checked, CheckedText
from rag.answer.linking import page_url
from rag.answer.sealing import check_row, time_text
from rag.domain.claim import Evidence, Label, Quote, Verdict
from rag.ports import Judge


def checked_row(
    text: str,
    checked: CheckedText,
    judge: Judge,
    *,
    scores: bool,
    attributes: Sequence[Mapping[str, str]] = (),
) -> dict[str, Any]:
    """Plain JSON values.

    Args:
        text: what was checked; claims are places in it.
        scores: whether each claim tells its own.
        attributes: of the given facts, in their order; empty when the silos were the facts.
    """
    cited = tuple(dict.fromkeys(at for c in checked.claims for at in c.supporting))
    return {
        "supportScore": round(checked.support, 6),
        "citedChunks": [_chunk_row(at, checked.passages[at], attributes) for at in cited],
        "claims": [_claim_row(text, c, checked.passages, cited, scores) for c in checked.claims],
        "policy": {
            "threshold": round(checked.threshold, 6),
            "calibratedThreshold": round(judge.threshold, 6),
            "calibration": dict(judge.calibration),
        },
        "models": {"judge": {"name": judge.name, "digest": judge.digest}},
        "degraded": list(checked.degraded),
    }


def _chunk_row(
    at: int, passage: Evidence, attributes: Sequence[Mapping[str, str]]
) -> dict[str, Any]:
    given = passage.source.silo == GIVEN
    return {
        "chunkText": passage.text,
        "source": _source(at, passage),
        "sourceMetadata": dict(attributes[at]) if given and attributes else {},
        "document": None if given else _document_row(passage),
    }


def _source(at: int, passage: Evidence) -> str:
    """As Google has it, the index of a given fact; of a silo, the document's id."""
    return str(at) if passage.source.silo == GIVEN else passage.source.document_id


def _document_row(passage: Evidence) -> dict[str, Any]:
    source = passage.source
    return {
        "id": source.document_id,
        "silo": source.silo,
        "key": source.key,
        "title": source.title,
        "uri": source.uri,
        "url": page_url(passage.source, passage.span),
        "version": source.version,
        "rawDigest": source.raw_digest,
        "startChar": passage.span.start,
        "endChar": passage.span.end,
        "page": passage.page,
        "section": list(passage.section),
        "modifiedAt": time_text(source.modified_at),
        "observedAt": time_text(source.observed_at),
        "confirmedAt": time_text(source.confirmed_at),
    }


def _claim_row(
    text: str, checked: Checked, passages: Sequence[Evidence], cited: Sequence[int], scores: bool
) -> dict[str, Any]:
    verdict = checked.verdict
    claim, reason = verdict.claim, verdict.reason
    score = {"score": round(verdict.score, 6)} if scores and claim.asserts else {}
    return {
        "startPos": _bytes_before(text, claim.span.start),
        "endPos": _bytes_before(text, claim.span.end),
        "claimText": claim.text,
        "citationIndices": [cited.index(at) for at in checked.supporting],
        "groundingCheckRequired": claim.asserts,
        **score,
        "startChar": claim.span.start,
        "endChar": claim.span.end,
        "kind": claim.kind.value,
        # What asserts nothing was not checked, whatever step of the checklist says so.
        "label": verdict.label.value if claim.asserts else Label.UNCHECKED.value,
        "reason": None
        if reason is None
        else {"step": int(reason.step), "name": reason.name, "detail": reason.detail},
        "flagged": _flagged_rows(verdict),
        "checks": [check_row(check) for check in verdict.checks],
        "quotes": [_quote_row(quote, passages) for quote in verdict.quotes],
        "closest": [_quote_row(quote, passages) for quote in checked.closest],
    }


def _bytes_before(text: str, at: int) -> int:
    """How many UTF-8 bytes stand before the code point `at`."""
    return len(text[:at].encode())


def _flagged_rows(verdict: Verdict) -> list[dict[str, Any]]:
    """The words that nothing accounts for, placed in the whole text; none of a supported claim."""
    claim = verdict.claim
    spans = () if verdict.supported else verdict.flagged
    return [
        {
            "text": span.of(claim.text),
            "startChar": claim.span.start + span.start,
            "endChar": claim.span.start + span.end,
        }
        for span in sorted(spans, key=lambda s: s.start)
    ]


def _quote_row(quote: Quote, passages: Sequence[Evidence]) -> dict[str, Any]:
    """The exact words; the span counts in the given fact, or in the document's version."""
    passage = passages[quote.evidence]
    given = passage.source.silo == GIVEN
    return {
        "source": _source(quote.evidence, passage),
        "version": None if given else passage.source.version,
        "url": None if given else page_url(passage.source, quote.span),
        "text": quote.text,
        "startChar": quote.span.start,
        "endChar": quote.span.end,
    }
