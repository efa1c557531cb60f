"""The indexer's view of the journal: what callers ask of it, by a cursor."""

import asyncio
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import Engine, select

from rag.adapters.store import tables as t
from rag.adapters.store.database import open_reader, translated


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One row: `kind` is `sync`, of one silo, or `rebuild`."""

    id: int
    kind: str
    silo: str
    options: Mapping[str, Any]


class RequestReader:
    """Reads `path` once it exists; the API process writes it."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._engine: Engine | None = None

    async def after(self, cursor: int) -> Sequence[Request]:
        """Requests with an id above `cursor`, in order."""
        return await asyncio.to_thread(self._after, cursor)

    def _after(self, cursor: int) -> list[Request]:
        if self._engine is None:
            if not self._path.exists():
                return []
            self._engine = open_reader(self._path)
        r = t.request.c
        statement = select(r.id, r.kind, r.silo, r.options).where(r.id > cursor).order_by(r.id)
        with translated(self._path), self._engine.connect() as connection:
            return [
                Request(id=i, kind=kind, silo=silo, options=json.loads(options))
                for i, kind, silo, options in connection.execute(statement)
            ]
