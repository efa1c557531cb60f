"""The journal: keys, answers, receipts, and what callers ask of the indexer.

Written by the API process alone; the indexer reads it (`RequestReader`).
"""

import asyncio
import hashlib
import json
import secrets
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final, TypeVar

from sqlalchemy import Connection, Row, insert, select, update

from rag.adapters.store import tables as t
from rag.adapters.store.database import open_writer, translated
from rag.adapters.store.rows import time_from_row, time_to_row
from rag.domain.document import Principal
from rag.domain.errors import NotFound, Unauthenticated
from rag.domain.ids import AnswerId, Digest
from rag.ports import Clock

SCHEMA: Final = "journal"
HEAD: Final = "0001"
_PREFIX: Final = "sworn"

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Key:
    """An API key without its secret. `scopes` are `ask`, `operate` and `delegate`."""

    id: str
    name: str
    principal: Principal
    scopes: frozenset[str]
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Stored:
    """An answer as it left: canonical JSON, and whose it is."""

    principal: str
    groups: frozenset[str]
    body: str
    receipt_digest: Digest


class SqlJournal:
    """Owns `path`; nobody else may write to it. Every public method is one transaction."""

    def __init__(self, path: Path, clock: Clock) -> None:
        self._path = path
        self._clock = clock
        self._engine = open_writer(path, SCHEMA, HEAD)
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="journal-writer")

    async def aclose(self) -> None:
        """Wait for the transaction at work, then close."""
        await asyncio.get_running_loop().run_in_executor(None, self._thread.shutdown)
        self._engine.dispose()

    async def ping(self) -> None:
        await self._transaction(lambda c: c.exec_driver_sql("SELECT 1").scalar())

    async def _transaction(self, work: Callable[[Connection], T]) -> T:
        def run() -> T:
            with translated(self._path), self._engine.begin() as connection:
                return work(connection)

        return await asyncio.get_running_loop().run_in_executor(self._thread, run)

    # --- answers and receipts (port `AnswerStore`) ----------------------------------------------

    async def store(
        self, answer_id: AnswerId, principal: Principal, body: str, receipt: str, digest: Digest
    ) -> None:
        now = time_to_row(self._clock.now())

        def work(connection: Connection) -> None:
            connection.execute(
                insert(t.answer).values(
                    id=answer_id,
                    principal=principal.id,
                    groups=json.dumps(sorted(principal.groups)),
                    created_at=now,
                    receipt_digest=digest,
                    body=body,
                )
            )
            connection.execute(
                insert(t.receipt).values(digest=digest, answer_id=answer_id, body=receipt)
            )

        await self._transaction(work)

    async def answer(self, answer_id: str) -> Stored:
        """A stored answer.

        Raises:
            NotFound: there is none of that id.
        """
        statement = select(t.answer).where(t.answer.c.id == answer_id)
        row = await self._transaction(lambda c: c.execute(statement).first())
        if row is None:
            raise NotFound(f"no answer {answer_id}")
        return _stored(row)

    async def receipt(self, digest: str) -> tuple[Stored, str]:
        """The answer that a receipt belongs to, and the receipt.

        Raises:
            NotFound: there is none of that digest.
        """
        statement = (
            select(t.answer, t.receipt.c.body.label("receipt"))
            .join(t.receipt, t.receipt.c.answer_id == t.answer.c.id)
            .where(t.receipt.c.digest == digest)
        )
        row = await self._transaction(lambda c: c.execute(statement).first())
        if row is None:
            raise NotFound(f"no receipt {digest}")
        return _stored(row), str(row.receipt)

    # --- keys -----------------------------------------------------------------------------------

    async def create_key(
        self,
        name: str,
        principal: Principal,
        scopes: Sequence[str],
        lifetime: timedelta | None = None,
    ) -> tuple[Key, str]:
        """A new key and its secret; the secret is nowhere stored and cannot be shown again."""
        now = self._clock.now()
        key_id = secrets.token_hex(6)
        # 256 random bits: a slow hash would protect nothing.
        secret = f"{_PREFIX}_{key_id}_{secrets.token_urlsafe(32)}"
        key = Key(
            id=key_id, name=name, principal=principal, scopes=frozenset(scopes), created_at=now,
            expires_at=now + lifetime if lifetime else None, revoked_at=None,
        )  # fmt: skip
        statement = insert(t.api_key).values(
            id=key_id,
            hash=_hash(secret),
            name=name,
            principal=principal.id,
            groups=json.dumps(sorted(principal.groups)),
            scopes=json.dumps(sorted(scopes)),
            created_at=time_to_row(now),
            expires_at=time_to_row(key.expires_at) if key.expires_at else None,
        )
        await self._transaction(lambda c: c.execute(statement))
        return key, secret

    async def keys(self) -> Sequence[Key]:
        """All keys, oldest first, revoked ones included."""
        statement = select(t.api_key).order_by(t.api_key.c.created_at)
        found = await self._transaction(lambda c: c.execute(statement).all())
        return [_key(row) for row in found]

    async def revoke_key(self, key_id: str) -> None:
        """From now on the key opens nothing.

        Raises:
            NotFound: there is no such key, or it was revoked before.
        """
        k = t.api_key.c
        now = time_to_row(self._clock.now())
        statement = (
            update(t.api_key).where(k.id == key_id, k.revoked_at.is_(None)).values(revoked_at=now)
        )
        changed = await self._transaction(lambda c: c.execute(statement).rowcount)
        if not changed:
            raise NotFound(f"no key {key_id} to revoke", remedy="`sworn keys list` shows them")

    async def set_groups(self, key_id: str, groups: frozenset[str]) -> None:
        """Give the key's principal these groups from now on."""
        statement = (
            update(t.api_key)
            .where(t.api_key.c.id == key_id)
            .values(groups=json.dumps(sorted(groups)))
        )
        await self._transaction(lambda c: c.execute(statement))

    async def authenticate(self, secret: str) -> Key:
        """The key of that secret.

        Raises:
            Unauthenticated: unknown, revoked or expired; which of them is not said.
        """
        statement = select(t.api_key).where(t.api_key.c.hash == _hash(secret))
        row = await self._transaction(lambda c: c.execute(statement).first())
        key = None if row is None else _key(row)
        now = self._clock.now()
        if key is None or key.revoked_at or (key.expires_at and key.expires_at <= now):
            raise Unauthenticated("this API key opens nothing", remedy="`sworn keys create`")
        return key

    # --- requests to the indexer ----------------------------------------------------------------

    async def has_request(self, number: int) -> bool:
        """Whether a request of that number was ever made."""
        statement = select(t.request.c.id).where(t.request.c.id == number)
        return await self._transaction(lambda c: c.scalar(statement) is not None)

    async def request(
        self, kind: str, silo: str, principal: Principal, options: Mapping[str, Any]
    ) -> int:
        """Ask something of the indexer; returns the request's number."""
        statement = insert(t.request).values(
            kind=kind,
            silo=silo,
            options=json.dumps(dict(options)),
            principal=principal.id,
            created_at=time_to_row(self._clock.now()),
        )
        returning = statement.returning(t.request.c.id)
        return await self._transaction(lambda c: int(c.execute(returning).scalar_one()))


def _hash(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()


def _stored(row: Row[Any]) -> Stored:
    return Stored(
        principal=row.principal,
        groups=frozenset(json.loads(row.groups)),
        body=row.body,
        receipt_digest=row.receipt_digest,
    )


def _key(row: Row[Any]) -> Key:
    return Key(
        id=row.id,
        name=row.name,
        principal=Principal(id=row.principal, groups=frozenset(json.loads(row.groups))),
        scopes=frozenset(json.loads(row.scopes)),
        created_at=time_from_row(row.created_at),
        expires_at=time_from_row(row.expires_at) if row.expires_at else None,
        revoked_at=time_from_row(row.revoked_at) if row.revoked_at else None,
    )
