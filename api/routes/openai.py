"""The door that speaks OpenAI's chat completions: `/v1/chat/completions` and `/v1/models`."""

import json
import time
from collections.abc import AsyncIterator
from typing import Any, Final

from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse, StreamingResponse
from pydantic import Field

from api.conversing import MESSAGES_MAX, Loose, Message, asked_in, spoken_of
from api.doors.openai_chat import chunks, completion, completion_id, models, opening
from api.problems import problem_row
from api.room import Asker, InRoom, Room, named_in
from api.routes.answers import log_answered, new_answer_id, sealed_answer, sworn_headers
from api.streaming import MEDIA_TYPE, Put, streamed
from rag.domain.answer import Question
from rag.domain.errors import RagError

MODEL: Final = "sworn"
_DONE: Final = b"data: [DONE]\n\n"

router: Final = APIRouter(tags=["openai"])


class StreamOptions(Loose):
    include_usage: bool = False


class ChatRequest(Loose):
    """A conversation. Any name of a model is taken, and given back."""

    model: str = MODEL
    messages: list[Message] = Field(min_length=1, max_length=MESSAGES_MAX)
    stream: bool = False
    stream_options: StreamOptions | None = None
    n: int = Field(1, ge=1, le=1)
    user: str | None = Field(
        None, description="Who is spoken for, if the key has the scope `delegate`."
    )


@router.get("/v1/models")
async def list_models(key: Asker) -> JSONResponse:
    """The one model there is: whatever writes behind it, what leaves is verified."""
    return JSONResponse(models([MODEL], 0))


@router.post("/v1/chat/completions")
async def create_completion(
    body: ChatRequest, request: Request, key: Asker, room: InRoom
) -> Response:
    """Answer the last question of a conversation, every claim verified or withheld."""
    key = named_in(body.user, request, key, room)
    question = asked_in(body.messages, key, room)
    if body.stream:
        room.opened()
        room.refuse_when_full()
        events = _events(question, body, str(request.base_url), room)
        return StreamingResponse(events, media_type=MEDIA_TYPE)
    async with room.turn():
        sealed = await sealed_answer(question, room)
    log_answered(sealed)
    spoken = spoken_of(sealed, question, body.model, int(time.time()), str(request.base_url))
    return JSONResponse(completion(spoken), headers=sworn_headers(sealed))


def _events(
    question: Question, body: ChatRequest, base_url: str, room: Room
) -> AsyncIterator[bytes]:
    """Chunks; nothing of the answer before it is sealed. Half a stream never ends with [DONE]."""
    answer_id, created = new_answer_id(), int(time.time())
    wants_usage = body.stream_options is not None and body.stream_options.include_usage

    async def produce(put: Put) -> None:
        await put(_data(opening(completion_id(answer_id), body.model, created)))
        async with room.turn():
            sealed = await sealed_answer(question, room, answer_id)
        log_answered(sealed)
        spoken = spoken_of(sealed, question, body.model, created, base_url)
        for chunk in chunks(spoken, include_usage=wants_usage):
            await put(_data(chunk))
        await put(_DONE)

    return streamed(produce, _failed, "/v1/chat/completions")


def _failed(exc: RagError) -> bytes:
    return _data({"error": error_row(exc)})


def error_row(exc: RagError) -> dict[str, Any]:
    """An error as OpenAI's clients read it."""
    row = problem_row(exc)
    return {"message": row["detail"], "type": row["code"], "code": row["code"], "param": None}


def _data(row: dict[str, Any]) -> bytes:
    return f"data: {json.dumps(row, ensure_ascii=False, separators=(',', ':'))}\n\n".encode()
