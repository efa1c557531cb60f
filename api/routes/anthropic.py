"""The door that speaks Anthropic's messages: `/v1/messages`."""

import json
import time
from collections.abc import AsyncIterator
from typing import Any, Final

from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse, StreamingResponse
from pydantic import Field

from api.conversing import MESSAGES_MAX, Loose, Message, asked_in, spoken_of
from api.doors.anthropic_messages import events, message, message_id, opening
from api.problems import problem_row
from api.room import Asker, InRoom, Room, named_in
from api.routes.answers import log_answered, new_answer_id, sealed_answer, sworn_headers
from api.streaming import MEDIA_TYPE, Put, streamed
from rag.domain.answer import Question
from rag.domain.errors import RagError

MODEL: Final = "sworn"

router: Final = APIRouter(tags=["anthropic"])


class Metadata(Loose):
    user_id: str | None = Field(None, description="As `user` in OpenAI's API.")


class MessagesRequest(Loose):
    """A conversation. Any name of a model is taken, and given back."""

    model: str = MODEL
    messages: list[Message] = Field(min_length=1, max_length=MESSAGES_MAX)
    stream: bool = False
    metadata: Metadata | None = None


@router.post("/v1/messages")
async def create_message(
    body: MessagesRequest, request: Request, key: Asker, room: InRoom
) -> Response:
    """Answer the last question of a conversation, every claim verified or withheld."""
    key = named_in(body.metadata.user_id if body.metadata else None, request, key, room)
    question = asked_in(body.messages, key, room)
    base_url = str(request.base_url)
    if body.stream:
        room.opened()
        room.refuse_when_full()
        return StreamingResponse(
            _events(question, body.model, base_url, room), media_type=MEDIA_TYPE
        )
    async with room.turn():
        sealed = await sealed_answer(question, room)
    log_answered(sealed)
    spoken = spoken_of(sealed, question, body.model, int(time.time()), base_url)
    return JSONResponse(message(spoken), headers=sworn_headers(sealed))


def _events(question: Question, model: str, base_url: str, room: Room) -> AsyncIterator[bytes]:
    """Events; nothing of the answer before it is sealed."""
    answer_id = new_answer_id()

    async def produce(put: Put) -> None:
        await put(_event(opening(message_id(answer_id), model)))
        async with room.turn():
            sealed = await sealed_answer(question, room, answer_id)
        log_answered(sealed)
        for event in events(spoken_of(sealed, question, model, int(time.time()), base_url)):
            await put(_event(event))

    return streamed(produce, _failed, "/v1/messages")


def _failed(exc: RagError) -> bytes:
    row = problem_row(exc)
    return _event({"type": "error", "error": {"type": row["code"], "message": row["detail"]}})


def _event(row: dict[str, Any]) -> bytes:
    text = json.dumps(row, ensure_ascii=False, separators=(",", ":"))
    return f"event: {row['type']}\ndata: {text}\n\n".encode()
