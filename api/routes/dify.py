"""The door that speaks Dify's External Knowledge: `/retrieval`."""

from typing import Annotated, Final

from fastapi import APIRouter, Depends, Request
from fastapi.responses import JSONResponse
from pydantic import Field

from api.conversing import Loose
from api.doors.dify import BAD_HEADER, NO_KNOWLEDGE, NOT_AUTHORISED, error, records
from api.room import InRoom, Room, asker, authenticated
from rag.adapters.store.journal import Key
from rag.answer.gathering import gather, read
from rag.answer.planning import plan_question
from rag.domain.errors import NotAllowed, Unauthenticated
from rag.domain.ids import SiloId

EVERYTHING: Final = "all"
_TOP_K_MAX: Final = 50

router: Final = APIRouter(tags=["dify"])


class RetrievalSetting(Loose):
    top_k: Annotated[int, Field(ge=1, le=_TOP_K_MAX)] = 5
    score_threshold: Annotated[float, Field(ge=0.0, le=1.0)] = 0.0


class RetrievalRequest(Loose):
    """`knowledge_id` is a silo, or `all` of what the key may read."""

    knowledge_id: str = EVERYTHING
    query: Annotated[str, Field(max_length=4_000)]
    retrieval_setting: RetrievalSetting = RetrievalSetting()


class Refused(Exception):
    """Told as Dify reads errors."""

    def __init__(self, status: int, code: int, message: str) -> None:
        super().__init__(message)
        self.status, self.code, self.message = status, code, message


async def on_refused(request: Request, exc: Exception) -> JSONResponse:
    """Answer with an error of Dify's shape."""
    refused = exc if isinstance(exc, Refused) else Refused(500, NO_KNOWLEDGE, "")
    return JSONResponse(error(refused.code, refused.message), status_code=refused.status)


async def _caller(request: Request, room: InRoom) -> Key:
    try:
        return await asker(request, await authenticated(request, room), room)
    except Unauthenticated as exc:
        code = NOT_AUTHORISED if request.headers.get("authorization") else BAD_HEADER
        raise Refused(401, code, exc.message) from exc
    except NotAllowed as exc:
        raise Refused(403, NOT_AUTHORISED, exc.message) from exc


@router.post("/retrieval")
async def retrieve_passages(
    body: RetrievalRequest, request: Request, key: Annotated[Key, Depends(_caller)], room: InRoom
) -> JSONResponse:
    """Passages that the key may read, current as of now. They are evidence, not answers."""
    visible = {row.id for row in await room.opened().library.silos(key.principal)}
    if body.knowledge_id not in (EVERYTHING, *visible):
        raise Refused(404, NO_KNOWLEDGE, f"no silo {body.knowledge_id}; `all` means every one")
    async with room.turn():
        return await _retrieved(body, key, room, str(request.base_url))


async def _retrieved(body: RetrievalRequest, key: Key, room: Room, base_url: str) -> JSONResponse:
    house = room.opened()
    ports, options = house.ports, house.options
    silos = None if body.knowledge_id == EVERYTHING else (SiloId(body.knowledge_id),)
    plan = plan_question(body.query, 1)
    async with ports.catalog.snapshot(key.principal, silos) as snapshot:
        found = await gather(plan, snapshot, ports.embedder, ports.index, options.retrieval)
    if ports.reader is not None:
        found = await read(plan, found, ports.reader, options.reading)
    wanted = body.retrieval_setting
    shown = records(found.evidence[: wanted.top_k], wanted.score_threshold, base_url)
    return JSONResponse(shown, headers={"X-Sworn-Degraded": ",".join(found.degraded)})
