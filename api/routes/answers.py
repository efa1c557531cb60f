"""`/v1/answers` and `/v1/receipts`."""

import json
import secrets
from collections.abc import AsyncIterator, Sequence
from typing import Any, Final

import structlog
from fastapi import APIRouter, Response
from fastapi.responses import StreamingResponse

from api.problems import problem_row
from api.room import Asker, InRoom, Room
from api.schemas import AnswerOut, AnswerRequest, Problem
from api.streaming import MEDIA_TYPE, Put, streamed
from rag.adapters.store.journal import Key, Stored
from rag.answer.pipeline import Found, Sealed, answer
from rag.domain.answer import Policy, Question
from rag.domain.errors import NotFound, QuestionTooLong
from rag.domain.ids import AnswerId, SiloId

JSON: Final = "application/json"
PARTIAL_CONTENT: Final = 206

router: Final = APIRouter(tags=["answers"])
log: Final = structlog.get_logger()


@router.post(
    "/v1/answers",
    response_model=AnswerOut,
    responses={
        206: {"model": AnswerOut, "description": "A silo or stage was down; see `degraded`."},
        401: {"model": Problem},
        422: {"model": Problem},
        503: {"model": Problem},
    },
)
async def create_answer(body: AnswerRequest, key: Asker, room: InRoom) -> Response:
    """Answer a question: every claim verified against the text it cites, or withheld.

    With `stream`, server-sent events: `search_results`, then a `claim` for each, then `answer`.
    Nothing of the draft is sent before its verdict.
    """
    question = _question(body, key, room)
    await _refuse_unknown_silos(body.silos or (), key, room)
    if body.stream:
        room.opened()
        room.refuse_when_full()
        return StreamingResponse(_events(question, room), media_type=MEDIA_TYPE)
    async with room.turn():
        sealed = await sealed_answer(question, room)
    log_answered(sealed)
    return _answer_response(sealed)


@router.get(
    "/v1/answers/{answer_id}", response_model=AnswerOut, responses={404: {"model": Problem}}
)
async def get_answer(answer_id: str, key: Asker, room: InRoom) -> Response:
    """An earlier answer, as it left. Only for who asked, and while they may read what it cites."""
    stored = await room.journal.answer(answer_id)
    await _may_see(stored, key, room, f"answer {answer_id}")
    return Response(stored.body, media_type=JSON)


@router.get("/v1/receipts/{digest}", responses={404: {"model": Problem}})
async def get_receipt(digest: str, key: Asker, room: InRoom) -> Response:
    """The receipt in canonical form; `sworn verify` checks it offline."""
    stored, receipt = await room.journal.receipt(digest)
    await _may_see(stored, key, room, f"receipt {digest}")
    return Response(receipt, media_type=JSON)


def _question(body: AnswerRequest, key: Key, room: Room) -> Question:
    limit = room.settings.server.question_max_chars
    if len(body.question) > limit:
        raise QuestionTooLong(f"the question has {len(body.question)} characters, over {limit}")
    return Question(
        text=body.question,
        principal=key.principal,
        silos=None if body.silos is None else tuple(SiloId(s) for s in body.silos),
        policy=Policy(body.policy or room.settings.verification.policy),
    )


async def _refuse_unknown_silos(silos: Sequence[str], key: Key, room: Room) -> None:
    """A misspelt name must not look like an abstention; a hidden silo is as unknown as that."""
    if not silos:
        return
    visible = {row.id for row in await room.opened().library.silos(key.principal)}
    for silo in silos:
        if silo not in visible:
            raise NotFound(f"no silo {silo}")


def new_answer_id() -> AnswerId:
    """128 random bits: an id must not be guessed."""
    return AnswerId("ans_" + secrets.token_hex(16))


async def sealed_answer(
    question: Question, room: Room, answer_id: AnswerId | None = None
) -> Sealed:
    """The answer to one question, without what comes before it."""
    house = room.opened()
    async for event in answer(question, answer_id or new_answer_id(), house.ports, house.options):
        if isinstance(event, Sealed):
            return event
    raise AssertionError("the belt ended without an answer")


def log_answered(sealed: Sealed) -> None:
    """The one line of a question: what became of it, never what it said."""
    result = sealed.answer
    log.info(
        "question.answered",
        answer=result.id,
        status=result.status.value,
        n_claims=len(result.claims),
        n_withheld=len(result.withheld),
        degraded=list(result.degraded),
        elapsed_ms=round(sum(a.elapsed_ms for a in result.activity)),
    )


def _answer_response(sealed: Sealed) -> Response:
    result = sealed.answer
    return Response(
        sealed.body,
        media_type=JSON,
        status_code=PARTIAL_CONTENT if result.degraded else 200,
        headers=sworn_headers(sealed),
    )


def sworn_headers(sealed: Sealed) -> dict[str, str]:
    """What a proxy can act on without reading the body."""
    return {
        "X-Sworn-Status": sealed.answer.status.value,
        "X-Sworn-Receipt": sealed.receipt_digest,
        "X-Sworn-Degraded": ",".join(sealed.answer.degraded),
    }


async def _may_see(stored: Stored, key: Key, room: Room, name: str) -> None:
    """Not found for everyone but the asker, and for the asker once they may not read a source."""
    body = json.loads(stored.body)
    sources = [place["source"] for place in (*body["citations"], *body["nearest"])]
    sources += [other for citation in body["citations"] for other in citation["also_in"]]
    cited = {source["document_id"] for source in sources}
    permitted = await room.opened().library.permitted(key.principal, sorted(cited))
    if stored.principal != key.principal.id or not cited <= permitted:
        # In the journal's words for what is not there: they must not differ.
        raise NotFound(f"no {name}")


# --- server-sent events -----------------------------------------------------------------------


def _events(question: Question, room: Room) -> AsyncIterator[bytes]:
    """The events of one answer."""

    async def produce(put: Put) -> None:
        async with room.turn():
            house = room.opened()
            async for event in answer(question, new_answer_id(), house.ports, house.options):
                for name, data in _rows(event):
                    await put(_sse(name, data))

    return streamed(produce, lambda exc: _sse("error", problem_row(exc)), "/v1/answers")


def _rows(event: Found | Sealed) -> list[tuple[str, Any]]:
    if isinstance(event, Found):
        sources = [
            {"silo": e.source.silo, "document_id": e.source.document_id, "title": e.source.title}
            for e in event.evidence
        ]
        return [("search_results", {"results": sources})]
    log_answered(event)
    body = json.loads(event.body)
    return [*(("claim", claim) for claim in body["claims"]), ("answer", body)]


def _sse(name: str, data: Any) -> bytes:
    text = json.dumps(data, ensure_ascii=False, separators=(",", ":"))
    return f"event: {name}\ndata: {text}\n\n".encode()
