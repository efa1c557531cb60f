"""`/v1/silos`: what is watched, how fresh it is, and asking for a reconciliation."""

import asyncio
import json
from dataclasses import asdict
from typing import Final

from fastapi import APIRouter

from api.room import OPERATE, Asker, InRoom, Operator, Room
from api.schemas import Problem, QuarantinedOut, RequestOut, SiloOut, SilosOut, SyncRequest
from rag.adapters.status import IndexerStatus, read_status
from rag.adapters.store.library import Library, SiloCounts
from rag.domain.document import Principal
from rag.domain.errors import NotFound
from rag.domain.ids import SiloId
from rag.settings import Paths, Settings

router: Final = APIRouter(tags=["silos"])


@router.get("/v1/silos", responses={401: {"model": Problem}})
async def list_silos(key: Asker, room: InRoom) -> SilosOut:
    """The silos with documents that the caller may read; for operators all, and what waits."""
    library = room.opened().library
    if OPERATE in key.scopes:
        return await silos_for_operator(room.settings, key.principal, library)
    return SilosOut(silos=[_visible(row) for row in await library.silos(key.principal)])


async def silos_for_operator(
    settings: Settings, principal: Principal, library: Library
) -> SilosOut:
    """Every silo of the settings, what waits, and what is quarantined."""
    counts = {row.id: row for row in await library.silos(principal)}
    status = await asyncio.to_thread(read_status, Paths(settings.data_dir).run / "indexer.json")
    return SilosOut(
        silos=[_operated(s.id, counts.get(s.id), status) for s in settings.silos],
        n_waiting=status.n_waiting if status else 0,
        lag_s=status.lag_s if status else 0.0,
        n_vectors_pending=await library.n_pending(),
        quarantined=[QuarantinedOut(**asdict(row)) for row in await library.quarantined()],
    )


@router.post("/v1/silos/{silo_id}/sync", status_code=202, responses={403: {"model": Problem}})
async def sync_silo(
    silo_id: str, key: Operator, room: InRoom, body: SyncRequest | None = None
) -> RequestOut:
    """Ask for a reconciliation of the silo now; `url` tells when it is done and what it found."""
    if silo_id not in {s.id for s in room.settings.silos}:
        raise NotFound(f"no silo {silo_id}")
    options = (body or SyncRequest()).model_dump()
    number = await room.journal.request("sync", silo_id, key.principal, options)
    return await _request(room, number)


@router.post("/v1/indexes/rebuild", status_code=202, responses={403: {"model": Problem}})
async def rebuild(key: Operator, room: InRoom) -> RequestOut:
    """Ask for both indexes to be built anew from the catalog. Answers go on meanwhile."""
    return await _request(room, await room.journal.request("rebuild", "", key.principal, {}))


@router.get("/v1/requests/{number}", responses={404: {"model": Problem}})
async def get_request(number: int, key: Operator, room: InRoom) -> RequestOut:
    """How something that was asked of the indexer stands."""
    if not await room.journal.has_request(number):
        raise NotFound(f"no request {number}")
    return await _request(room, number)


async def _request(room: Room, number: int) -> RequestOut:
    done = await room.opened().catalog.meta(f"request:{number}")
    outcome = json.loads(done) if done else None
    return RequestOut(
        id=number, url=f"/v1/requests/{number}", done=done is not None, outcome=outcome
    )


def _visible(row: SiloCounts) -> SiloOut:
    return SiloOut(
        id=row.id, n_documents=row.n_documents, n_chunks=row.n_chunks,
        last_scan_at=row.last_scan_at, last_complete_at=row.last_complete_at,
    )  # fmt: skip


def _operated(silo_id: str, row: SiloCounts | None, status: IndexerStatus | None) -> SiloOut:
    known = status.silos.get(SiloId(silo_id)) if status else None
    return SiloOut(
        id=silo_id,
        n_documents=row.n_documents if row else 0,
        n_chunks=row.n_chunks if row else 0,
        last_scan_at=row.last_scan_at if row else None,
        last_complete_at=row.last_complete_at if row else None,
        error=known.error if known else "",
        detail=known.detail if known else "",
        last_diff=known.last_diff if known else "",
    )
