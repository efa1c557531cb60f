"""`/healthz` and `/readyz`."""

import time
from collections.abc import Awaitable
from typing import Any, Final

from fastapi import APIRouter
from fastapi.responses import JSONResponse

from api.room import InRoom
from rag.domain.errors import RagError

router: Final = APIRouter(tags=["health"])


@router.get("/healthz")
async def healthz() -> dict[str, str]:
    """The process is alive."""
    return {"status": "alive"}


@router.get("/readyz", responses={503: {"description": "Cannot answer now."}})
async def readyz(room: InRoom) -> JSONResponse:
    """Whether questions can be answered: every port is asked. Chroma may be away (degraded)."""
    ports = {"journal": await _ping(room.journal.ping())}
    house = room.house
    if house is None:
        ports["catalog"] = {"ok": False, "detail": room.trouble}
    else:
        ports["catalog"] = await _ping(house.catalog.ping())
        ports["embedder"] = await _ping(house.embedder.ping())
        ports["judge"] = await _ping(house.ports.judge.ping())
        if house.index is not None and not room.index_reached:
            # Its client takes a second or two to start; readiness need not wait for it.
            ports["vector_index"] = {"ok": False, "detail": "not reached yet"}
        elif house.index is not None:
            ports["vector_index"] = await _ping(house.index.ping())
    ready = all(port["ok"] for name, port in ports.items() if name != "vector_index")
    degraded = [name for name, port in ports.items() if not port["ok"]] if ready else []
    body = {"ready": ready, "degraded": degraded, "ports": ports}
    return JSONResponse(body, status_code=200 if ready else 503)


async def _ping(ping: Awaitable[None]) -> dict[str, Any]:
    started_s = time.perf_counter()
    try:
        await ping
    except RagError as exc:
        return {"ok": False, "detail": f"{exc.code}: {exc.message}"}
    return {"ok": True, "elapsed_ms": round((time.perf_counter() - started_s) * 1000, 2)}
