"""`/v1/keys`: for operators. Secrets are stored hashed and shown once."""

from datetime import timedelta
from typing import Any, Final

from fastapi import APIRouter

from api.room import InRoom, Operator
from api.schemas import KeyCreated, KeyOut, KeyRequest, Problem
from rag.adapters.store.journal import Key
from rag.domain.document import Principal

router: Final = APIRouter(tags=["keys"], responses={403: {"model": Problem}})


@router.get("/v1/keys")
async def list_keys(key: Operator, room: InRoom) -> list[KeyOut]:
    """All keys, without their secrets."""
    return [KeyOut(**key_row(k)) for k in await room.journal.keys()]


@router.post("/v1/keys", status_code=201)
async def create_key(body: KeyRequest, key: Operator, room: InRoom) -> KeyCreated:
    """A new key. The secret in this response cannot be shown again."""
    principal = Principal(id=body.principal, groups=frozenset(body.groups))
    lifetime = timedelta(days=body.lifetime_days) if body.lifetime_days else None
    created, secret = await room.journal.create_key(body.name, principal, body.scopes, lifetime)
    return KeyCreated(**key_row(created), secret=secret)


@router.delete("/v1/keys/{key_id}", status_code=204)
async def revoke_key(key_id: str, key: Operator, room: InRoom) -> None:
    """Revoke a key; it opens nothing from now on."""
    await room.journal.revoke_key(key_id)


def key_row(key: Key) -> dict[str, Any]:
    """A key as responses and the command line show it."""
    return {
        "id": key.id,
        "name": key.name,
        "principal": key.principal.id,
        "groups": sorted(key.principal.groups),
        "scopes": sorted(key.scopes),
        "created_at": key.created_at.isoformat(),
        "expires_at": key.expires_at.isoformat() if key.expires_at else None,
        "revoked_at": key.revoked_at.isoformat() if key.revoked_at else None,
    }
