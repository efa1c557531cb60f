"""`/s/...`: where citations lead, for people with a browser."""

import base64
from html import escape
from typing import Final

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse

from api.doors.page import POLICY, page
from api.room import InRoom, Room, asker, authenticated
from rag.adapters.store.journal import Key
from rag.adapters.store.library import VersionText
from rag.domain.errors import NotAllowed, NotFound, Unauthenticated

router: Final = APIRouter(tags=["pages"])
_HEADERS: Final = {"Content-Security-Policy": POLICY, "Referrer-Policy": "no-referrer"}
_ASKS_FOR_KEY: Final = {
    "WWW-Authenticate": 'Basic realm="Sworn: any name, your API key", charset="UTF-8"'
}


@router.get("/s/{document_id}/{version}", response_class=HTMLResponse)
async def show_version(
    document_id: str, version: str, request: Request, room: InRoom
) -> HTMLResponse:
    """A version of a document as a page; `#char=start,end` in its address marks these words.

    A browser sends the API key as a password, with any name; programs send it as everywhere.
    """
    try:
        key = await _visitor(request, room)
        shown = await room.opened().library.text(key.principal, document_id, version)
    except Unauthenticated:
        return _told("Not authenticated", "Your API key opens this page.", 401, _ASKS_FOR_KEY)
    except NotFound:
        # Also for what the visitor may not see: the two must not differ.
        return _told("Not found", "There is no such document, or you may not read it.", 404)
    except NotAllowed as exc:
        return _told("Not allowed", exc.message, 403)
    html = page(shown.version.title, _lines(shown), shown.document.uri, shown.text, shown.elements)
    return HTMLResponse(html, headers=_HEADERS)


async def _visitor(request: Request, room: Room) -> Key:
    scheme, _, sent = request.headers.get("authorization", "").partition(" ")
    if scheme.casefold() == "basic":
        key = await room.journal.authenticate(_password(sent))
    else:
        key = await authenticated(request, room)
    return await asker(request, key, room)


def _password(sent: str) -> str:
    try:
        return base64.b64decode(sent, validate=True).decode().partition(":")[2].strip()
    except ValueError as exc:
        raise Unauthenticated("the password cannot be read") from exc


def _lines(shown: VersionText) -> list[str]:
    document, version = shown.document, shown.version
    lines = [f"{document.silo}: {document.key}", f"As of {version.modified_at[:10]}"]
    if version.retired_at is not None:
        lines.append(
            f"!Replaced on {version.retired_at[:10]}: the document says something else now."
        )
    return lines


def _told(
    title: str, text: str, status: int, headers: dict[str, str] | None = None
) -> HTMLResponse:
    body = f"<!doctype html><title>{escape(title)}</title><h1>{escape(title)}</h1><p>{escape(text)}"
    return HTMLResponse(body, status_code=status, headers={**_HEADERS, **(headers or {})})
