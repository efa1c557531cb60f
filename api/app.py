"""The HTTP door: FastAPI over belt two."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from importlib.metadata import version
from typing import Final

import structlog
from fastapi import FastAPI
from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api import problems
from api.keys import ensure_operator_key
from api.room import Room
from api.routes import (
    answers,
    anthropic,
    check,
    dify,
    documents,
    health,
    keys,
    openai,
    pages,
    silos,
)
from rag.domain.errors import RagError
from rag.settings import Settings
from rag.wiring import open_answers, open_journal

RETRY_S: Final = 0.1
WARM_RETRY_S: Final = 0.5
DESCRIPTION: Final = """
Answers questions from an organisation's own silos. Every claim is checked against the exact text
it cites before the answer leaves; each answer carries a receipt that anyone can check again.
Offsets count Unicode code points, half-open; `startPos` and `endPos` of a checked text count UTF-8
bytes. Errors are RFC 9457 problems.
"""

log: Final = structlog.get_logger()


def create_app(settings: Settings, chroma_port: int | None) -> FastAPI:
    """The application; its lifespan owns the journal and opens belt two when the catalog is there."""

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        journal = open_journal(settings)
        await ensure_operator_key(journal, settings)
        room = app.state.room = Room(settings, journal)
        stop = asyncio.Event()
        opening = asyncio.create_task(_keep_open(room, chroma_port, stop))
        try:
            yield
        finally:
            stop.set()
            await opening
            await journal.aclose()

    app = FastAPI(
        title="Sworn",
        version=version("sworn"),
        description=DESCRIPTION,
        lifespan=lifespan,
        # Their pages load scripts from elsewhere; /openapi.json is for the tools people have.
        docs_url=None,
        redoc_url=None,
    )
    problems.install(app)
    app.add_exception_handler(dify.Refused, dify.on_refused)
    for route in (answers, openai, anthropic, dify, check, documents, pages, silos, keys, health):
        app.include_router(route.router)
    app.add_middleware(BodyLimit, limit_bytes=settings.server.body_max_bytes)
    app.add_middleware(SecurityHeaders)
    return app


async def _keep_open(room: Room, chroma_port: int | None, stop: asyncio.Event) -> None:
    """Open belt two as soon as the indexer has made the catalog, and hold it until the end."""
    while not stop.is_set():
        async with AsyncExitStack() as stack:
            try:
                opened = open_answers(room.settings, room.journal, chroma_port)
                room.house = await stack.enter_async_context(opened)
            except RagError as exc:
                room.trouble = str(exc)
                await asyncio.sleep(RETRY_S)
                continue
            if room.house.index is not None:
                # The client costs a second to import; the first question should not pay for it.
                task = asyncio.create_task(_warm(room, stop))
                room.background.add(task)
            await stop.wait()
            room.house = None


async def _warm(room: Room, stop: asyncio.Event) -> None:
    """Reach the vector index once, so that neither questions nor readiness wait for its client."""
    while not stop.is_set() and room.house is not None and room.house.index is not None:
        try:
            await room.house.index.ping()
        except RagError as exc:
            log.info("vector_index.not_yet", code=exc.code)
            await asyncio.sleep(WARM_RETRY_S)
            continue
        room.index_reached = True
        return


class BodyLimit:
    """Reads no body over the limit. Starlette's own would refuse it in plain text, not a problem."""

    def __init__(self, app: ASGIApp, limit_bytes: int) -> None:
        self._app = app
        self._limit_bytes = limit_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        announced = Headers(scope=scope).get("content-length", "")
        n_announced = int(announced) if announced.isdecimal() else 0
        n_read = 0

        async def limited() -> Message:
            nonlocal n_read
            message = await receive()
            n_read += len(message.get("body", b""))
            if max(n_announced, n_read) > self._limit_bytes:
                raise HTTPException(413, f"the body is over {self._limit_bytes} bytes")
            return message

        await self._app(scope, limited, send)


class SecurityHeaders:
    """Adds headers to every response. Plain ASGI, so that streams stream and cancel."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers["X-Content-Type-Options"] = "nosniff"
                headers["Cache-Control"] = "no-store"
            await send(message)

        await self._app(scope, receive, send_with_headers)
