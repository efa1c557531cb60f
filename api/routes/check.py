"""`/v1/check`: a text of someone else, every claim held against facts or against the silos."""

import time
from typing import Final

import structlog
from fastapi import APIRouter
from fastapi.responses import JSONResponse

from api.check_schemas import CheckedOut, CheckRequest
from api.room import Asker, InRoom
from api.schemas import Problem
from rag.answer.check_rendering import checked_row
from rag.answer.checking import (
    CheckedText,
    CheckLimits,
    check_against_facts,
    check_against_silos,
)
from rag.domain.claim import Label
from rag.domain.document import Principal
from rag.domain.errors import QuestionTooLong
from rag.wiring import AnswerHouse

router: Final = APIRouter(tags=["check"])
log: Final = structlog.get_logger()


@router.post(
    "/v1/check",
    response_model=CheckedOut,
    responses={
        206: {"model": CheckedOut, "description": "A part was down; see `degraded`."},
        401: {"model": Problem},
        413: {"model": Problem},
        422: {"model": Problem},
        503: {"model": Problem},
    },
)
async def check_text(body: CheckRequest, key: Asker, room: InRoom) -> JSONResponse:
    """Verify a text that someone else wrote, claim by claim, and cite what supports it.

    Against `facts`, or without them against what the caller may read in the silos. Nothing is
    stored, and there is no receipt.
    """
    limit = room.settings.server.question_max_chars
    if len(body.question) > limit:
        raise QuestionTooLong(f"the question has {len(body.question)} characters, over {limit}")
    house, started_s = room.opened(), time.perf_counter()
    async with room.turn():
        checked = await _checked(body, key.principal, house)
    _log(checked, time.perf_counter() - started_s)
    row = checked_row(
        body.answer_candidate,
        checked,
        house.ports.judge,
        scores=body.grounding_spec.enable_claim_level_score,
        attributes=[fact.attributes for fact in body.facts or ()],
    )
    return JSONResponse(row, status_code=206 if checked.degraded else 200)


async def _checked(body: CheckRequest, principal: Principal, house: AnswerHouse) -> CheckedText:
    text, threshold = body.answer_candidate, body.grounding_spec.citation_threshold
    if body.facts is None:
        return await check_against_silos(
            text, principal, house.ports, house.options,
            threshold=threshold, question=body.question,
        )  # fmt: skip
    limits = CheckLimits(
        timeout_s=house.options.judge_timeout_s, threshold=threshold, vetoes=house.options.vetoes
    )
    facts = [fact.fact_text for fact in body.facts]
    return await check_against_facts(text, facts, house.ports.judge, limits, body.question)


def _log(checked: CheckedText, elapsed_s: float) -> None:
    """The one line of a check: what became of it, never what it said."""
    labels = [verdict.label for verdict in checked.asserting]
    log.info(
        "text.checked",
        n_claims=len(labels),
        n_supported=labels.count(Label.SUPPORTED),
        n_unchecked=labels.count(Label.UNCHECKED),
        degraded=list(checked.degraded),
        elapsed_ms=round(elapsed_s * 1000),
    )
