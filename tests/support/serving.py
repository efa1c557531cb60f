"""The API over an installation, in this process or on a real loopback port."""

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any
from unittest import mock

import httpx
import uvicorn
from fastapi import FastAPI

from api.app import create_app
from api.room import Room
from rag.domain.claim import Draft, DraftPart, Evidence, Pointer
from rag.domain.document import Principal
from rag.domain.words import Span
from rag.testing.fakes import ScriptedGenerator
from support.organisation import ANA, BEN, OPERATOR, Installation, shared_embedder


@dataclass
class Serving:
    """A running API, a client for each of three callers, and what is behind it."""

    installation: Installation
    app: FastAPI
    room: Room
    base_url: str
    transport: httpx.AsyncBaseTransport | None
    clients: contextlib.AsyncExitStack
    secrets: dict[str, str]

    async def key(
        self,
        principal: Principal,
        scopes: Sequence[str] = ("ask",),
        lifetime: timedelta | None = None,
    ) -> str:
        """The secret of a new key."""
        _, secret = await self.room.journal.create_key(principal.id, principal, scopes, lifetime)
        self.secrets[principal.id] = secret
        return secret

    async def key_of(self, name: str) -> str:
        """The secret of finance's key, or of people's."""
        return await self.key({"ana": ANA, "ben": BEN}[name])

    async def client(self, secret: str | None) -> httpx.AsyncClient:
        """A client that sends `secret`, closed with the server."""
        headers = {"Authorization": f"Bearer {secret}"} if secret else {}
        http = httpx.AsyncClient(
            transport=self.transport, base_url=self.base_url, headers=headers, timeout=30.0
        )
        return await self.clients.enter_async_context(http)

    async def ana(self) -> httpx.AsyncClient:
        """A client of finance."""
        return await self.client(await self.key(ANA))

    async def ben(self) -> httpx.AsyncClient:
        """A client of people."""
        return await self.client(await self.key(BEN))

    async def operator(self) -> httpx.AsyncClient:
        """A client that may operate."""
        return await self.client(await self.key(OPERATOR, ("ask", "operate")))

    def use(self, **ports: Any) -> None:
        """Put other adapters into belt two."""
        house = self.room.opened()
        self.room.house = replace(house, ports=replace(house.ports, **ports))

    def options(self, **values: Any) -> None:
        """Change belt two's limits."""
        house = self.room.opened()
        self.room.house = replace(house, options=replace(house.options, **values))


@asynccontextmanager
async def serving(
    installation: Installation,
    *,
    chroma_port: int | None = None,
    on_a_port: bool = False,
    raise_bugs: bool = True,
) -> AsyncIterator[Serving]:
    """The API over `installation`, ready; with `on_a_port`, behind uvicorn on loopback."""
    embedder = shared_embedder(installation.models)
    async with contextlib.AsyncExitStack() as stack:
        stack.enter_context(mock.patch("rag.wiring.build_embedder", lambda settings: embedder))
        app = create_app(installation.settings, chroma_port)
        if on_a_port:
            base_url = await stack.enter_async_context(_listening(app))
            transport = None
        else:
            await stack.enter_async_context(app.router.lifespan_context(app))
            base_url = "http://sworn.test"
            transport = httpx.ASGITransport(app, raise_app_exceptions=raise_bugs)
        room: Room = app.state.room
        await until(lambda: room.house is not None)
        clients = await stack.enter_async_context(contextlib.AsyncExitStack())
        yield Serving(installation, app, room, base_url, transport, clients, {})


class _Server(uvicorn.Server):
    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


@asynccontextmanager
async def _listening(app: FastAPI) -> AsyncIterator[str]:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        config = uvicorn.Config(app, log_config=None, access_log=False, timeout_graceful_shutdown=1)
        server = _Server(config)
        task = asyncio.create_task(server.serve(sockets=[listener]))
        await until(lambda: server.started)
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            server.should_exit = True
            await task


async def until(true: Callable[[], object], deadline_s: float = 20.0) -> None:
    """Wait for something that another task brings about."""
    async with asyncio.timeout(deadline_s):
        while not true():
            await asyncio.sleep(0.005)


def pointer_to(text: str, evidence: Sequence[Evidence]) -> Pointer | None:
    """The place of `text` in what was shown, None when it is not there."""
    for number, shown in enumerate(evidence):
        at = shown.text.find(text)
        if at >= 0:
            start = shown.span.start + at
            return Pointer(evidence=number, span=Span(start, start + len(text)))
    return None


def quoting(*texts: str) -> ScriptedGenerator:
    """Quotes each of `texts` that was shown, with its place; says nothing of the others."""

    def write(question: str, evidence: Sequence[Evidence]) -> Draft:
        found = [(text, pointer_to(text, evidence)) for text in texts]
        return Draft(
            parts=tuple(DraftPart(text=t, pointers=(p,)) for t, p in found if p is not None)
        )

    return ScriptedGenerator(write)


def parse_sse(text: str) -> list[tuple[str, str]]:
    """Server-sent events as (event, data); comments as (":", text)."""
    events = []
    for block in text.split("\n\n"):
        if not block.strip():
            continue
        if block.startswith(":"):
            events.append((":", block[1:].strip()))
            continue
        lines = dict(line.split(": ", 1) for line in block.split("\n"))
        events.append((lines["event"], lines["data"]))
    return events
