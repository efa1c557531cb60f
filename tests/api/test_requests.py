"""What operators ask of the indexer, with a real one at work in a process of its own."""

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import psutil
import pytest
from support.organisation import QUOKKA, WOMBAT, Installation
from support.serving import Serving, serving, until

from api.supervisor import chroma_alone


async def done(http: httpx.AsyncClient, asked: httpx.Response) -> dict[str, Any]:
    """The outcome of a request, once the indexer is done with it."""
    assert asked.status_code == 202, asked.text
    body = asked.json()
    async with asyncio.timeout(60):
        while not body["done"]:
            assert body["outcome"] is None
            await asyncio.sleep(0.05)
            body = (await http.get(body["url"])).json()
    return dict(body["outcome"])


@asynccontextmanager
async def indexing(installation: Installation) -> AsyncIterator[tuple[Serving, psutil.Process]]:
    """The API in this process; Chroma and the indexer in theirs."""
    async with chroma_alone(installation.settings) as port:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "connectors", "watch", "--config",
            str(installation.root / "sworn.toml"), "--chroma-port", str(port),
            env=dict(os.environ),
        )  # fmt: skip
        try:
            async with serving(installation, chroma_port=port) as server:
                yield server, psutil.Process(process.pid)
        finally:
            if process.returncode is None:
                process.terminate()
            assert await asyncio.wait_for(process.wait(), 10) in {0, -9}


async def test_a_request_waits_for_its_indexer(server: Serving) -> None:
    operator = await server.operator()
    first = (await operator.post("/v1/silos/vault/sync", json={})).json()
    second = (await operator.post("/v1/indexes/rebuild")).json()
    assert second["id"] > first["id"]
    for asked in (first, second):
        assert (asked["done"], asked["outcome"]) == (False, None)
        assert (await operator.get(asked["url"])).json() == asked


@pytest.mark.slow
async def test_a_reconciliation_and_a_rebuild_give_their_outcome(
    installation: Installation,
) -> None:
    async with indexing(installation) as (server, _):
        operator = await server.operator()
        outcome = await done(operator, await operator.post("/v1/silos/handbook/sync"))
        assert (outcome["unchanged"], outcome["added"], outcome["removed"]) == (7, 0, 0)
        finance = installation.file(f"vault/finance/{QUOKKA}-budget.md")
        finance.write_text(finance.read_text() + "\nOne more line.\n")
        installation.file(f"vault/people/{WOMBAT}-cases.txt").unlink()
        installation.file("vault/finance/new.md").write_text("# New\n\nNew text.\n")
        # The watcher may have been quicker than the request; in the end all is as it should be.
        await done(operator, await operator.post("/v1/silos/vault/sync", json={}))
        silos = (await operator.get("/v1/silos")).json()
        counts = {s["id"]: s["n_documents"] for s in silos["silos"]}
        assert counts == {"handbook": 7, "vault": 4}
        outcome = await done(operator, await operator.post("/v1/indexes/rebuild"))
        assert outcome["n_postings"] >= 12
        assert outcome["n_vectors"] >= 12
        again = await done(operator, await operator.post("/v1/silos/vault/sync"))
        assert (again["added"], again["modified"], again["removed"]) == (0, 0, 0)
        response = await operator.post("/v1/answers", json={"question": "travel budget"})
        assert response.status_code == 200


@pytest.mark.slow
async def test_the_delete_brake_is_released_on_request(installation: Installation) -> None:
    for n in range(30):
        installation.file(f"handbook/many/{n}.txt").parent.mkdir(exist_ok=True)
        installation.file(f"handbook/many/{n}.txt").write_text(f"Text number {n}.")
    await installation.sync()
    for path in installation.file("handbook/many").iterdir():
        path.unlink()
    async with indexing(installation) as (server, _):
        operator = await server.operator()
        held = await done(operator, await operator.post("/v1/silos/handbook/sync"))
        assert held["removed"] == 0
        assert "delete brake: 30 of 37" in held["detail"]

        def shown() -> bool:
            path = installation.paths.run / "indexer.json"
            return path.exists() and "delete brake" in path.read_text()

        await until(shown)
        silos = (await operator.get("/v1/silos")).json()["silos"]
        assert "delete brake" in json.dumps(silos)
        body = {"allow_removals": True}
        released = await done(operator, await operator.post("/v1/silos/handbook/sync", json=body))
        assert (released["removed"], released["detail"]) == (30, "")
