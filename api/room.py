"""What the routes share: settings, journal, and belt two once it is open."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import Annotated, cast

from fastapi import Depends, Request

from rag.adapters.store.journal import Key, SqlJournal
from rag.domain.document import Principal
from rag.domain.errors import NotAllowed, Overloaded, StoreUnavailable, Unauthenticated
from rag.settings import Settings
from rag.wiring import AnswerHouse

ASK = "ask"
OPERATE = "operate"
DELEGATE = "delegate"
USER_HEADER = "x-sworn-user"


@dataclass(slots=True)
class Room:
    """One per process. `house` is None until the catalog could be opened."""

    settings: Settings
    journal: SqlJournal
    house: AnswerHouse | None = None
    n_open: int = 0
    index_reached: bool = False
    trouble: str = "starting"
    background: set[asyncio.Task[None]] = field(default_factory=set)

    def opened(self) -> AnswerHouse:
        """Belt two's adapters.

        Raises:
            StoreUnavailable: not open yet; the message says why.
        """
        if self.house is None:
            raise StoreUnavailable(f"not ready: {self.trouble}", remedy="try again in a second")
        return self.house

    def refuse_when_full(self) -> None:
        """Raises Overloaded when no turn is free: a stream must know before it says 200."""
        limit = self.settings.server.concurrency_max
        if self.n_open >= limit:
            raise Overloaded(f"{limit} questions are being answered already")

    @asynccontextmanager
    async def turn(self) -> AsyncIterator[None]:
        """One of the limited turns to ask something.

        Raises:
            Overloaded: all are taken. Waiting would only move the queue in here.
        """
        self.refuse_when_full()
        self.n_open += 1
        try:
            yield
        finally:
            self.n_open -= 1


def room_of(request: Request) -> Room:
    """The room of the application that the request came to."""
    return cast("Room", request.app.state.room)


async def authenticated(request: Request, room: Annotated[Room, Depends(room_of)]) -> Key:
    """The caller's key, from `Authorization: Bearer` or `X-API-Key`."""
    scheme, _, secret = request.headers.get("authorization", "").partition(" ")
    if scheme.casefold() != "bearer":
        secret = request.headers.get("x-api-key", "")
    if not secret.strip():
        raise Unauthenticated("no API key was given", remedy="send `Authorization: Bearer <key>`")
    return await room.journal.authenticate(secret.strip())


async def asker(
    request: Request,
    key: Annotated[Key, Depends(authenticated)],
    room: Annotated[Room, Depends(room_of)],
) -> Key:
    """A key that may ask; with `X-Sworn-User`, as the user that it speaks for."""
    if ASK not in key.scopes:
        raise NotAllowed("this key may not ask")
    user = request.headers.get(USER_HEADER)
    return key if user is None else speaking_for(user, key, room.settings)


def speaking_for(user: str, key: Key, settings: Settings) -> Key:
    """The key with the user's access, and none of its own.

    Raises:
        NotAllowed: the key has not the scope `delegate`.
    """
    if DELEGATE not in key.scopes:
        raise NotAllowed(
            "this key may not speak for others", remedy="use a key with the scope `delegate`"
        )
    user = user.strip()
    if not user:
        # Nobody in particular must not become the key itself, which may read for many.
        raise NotAllowed("no user is named", remedy="send who asks in `X-Sworn-User`")
    groups = frozenset(settings.directory.users.get(user, ()))
    # A name of its own kind: no user is ever taken for a key that is called like them.
    principal = Principal(id=f"user:{user}", groups=groups)
    return replace(key, principal=principal, scopes=frozenset({ASK}))


async def operator(key: Annotated[Key, Depends(authenticated)]) -> Key:
    """A key that may operate the installation."""
    if OPERATE not in key.scopes:
        raise NotAllowed("this key may not operate", remedy="use a key with the scope `operate`")
    return key


def named_in(user: str | None, request: Request, key: Key, room: Room) -> Key:
    """The key as the user whom the body names, where the header names none.

    Without the scope a name in the body is what those APIs take it for: a mark of the client's own.
    """
    if user is None or DELEGATE not in key.scopes or USER_HEADER in request.headers:
        return key
    return speaking_for(user, key, room.settings)


InRoom = Annotated[Room, Depends(room_of)]
Asker = Annotated[Key, Depends(asker)]
Operator = Annotated[Key, Depends(operator)]
