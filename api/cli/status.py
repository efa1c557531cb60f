"""`sworn status`."""

import argparse
import asyncio
from typing import Any

from api.cli.common import (
    BOLD,
    RED,
    YELLOW,
    add_command,
    add_json,
    coloured,
    print_json,
    settings_of,
)
from api.cli.local import client, operator_key, sent, server_url
from api.keys import operator_principal
from api.routes.silos import silos_for_operator
from rag.domain.errors import StoreUnavailable
from rag.settings import Paths, Settings
from rag.wiring import open_library

EXAMPLES = """
  sworn status                        silos, counts, last sync, lag, quarantined documents
  sworn status --json
"""


def add_to(commands: Any) -> None:
    parser = add_command(
        commands, "status", run, "show silos, counts, freshness and quarantined documents", EXAMPLES
    )
    add_json(parser)


def run(arguments: argparse.Namespace) -> int:
    """Exit status 1 when a silo is in trouble or a document is quarantined."""
    settings = settings_of(arguments)
    url = server_url(settings)
    if url is None:
        body = asyncio.run(_here(settings))
    else:
        with client(url, operator_key(settings)) as http:
            body = sent(http.get("/v1/silos"))
    body["server"] = url
    if arguments.json:
        print_json(body)
    else:
        _print(body)
    trouble = body["quarantined"] or any(s["error"] or s["detail"] for s in body["silos"])
    return 1 if trouble else 0


def _print(body: dict[str, Any]) -> None:
    print(f"server: {body['server'] or 'not running'}")
    for silo in body["silos"]:
        counts = f"{silo['n_documents']} documents, {silo['n_chunks']} chunks"
        print(
            f"{coloured(silo['id'], BOLD)}  {counts}  last sync {silo['last_complete_at'] or 'never'}"
        )
        for trouble in (silo["error"], silo["detail"]):
            if trouble:
                print(coloured(f"    {trouble}", RED))
    print(
        f"waiting: {body['n_waiting']} changes (lag {body['lag_s']:.1f} s), "
        f"{body['n_vectors_pending']} vectors"
    )
    for row in body["quarantined"]:
        print(coloured(f"quarantined: {row['silo']}/{row['key']}: {row['detail']}", YELLOW))


async def _here(settings: Settings) -> dict[str, Any]:
    if not Paths(settings.data_dir).catalog.exists():
        raise StoreUnavailable(
            "nothing is indexed here yet", remedy="`sworn serve` or `sworn sync` does it"
        )
    async with open_library(settings) as library:
        shown = await silos_for_operator(settings, operator_principal(settings), library)
    # Nothing is at work while no server runs.
    return {**shown.model_dump(), "n_waiting": 0, "lag_s": 0.0}
