"""`sworn sync` and `sworn rebuild`."""

import argparse
import asyncio
import json
import subprocess
import sys
import time
from collections.abc import Sequence
from typing import Any, Final

from rich.console import Console

from api.cli.common import add_command, add_json, print_json, settings_of
from api.cli.local import client, operator_key, sent, server_url
from api.supervisor import chroma_alone
from rag.adapters.folder_lock import folder_lock
from rag.domain.errors import StoreUnavailable
from rag.settings import Settings, settings_path

SYNC_EXAMPLES = """
  sworn sync                          reconcile every silo once
  sworn sync --silo handbook --dry-run
  sworn sync --allow-removals         when much vanished at once, and rightly so
"""
REBUILD_EXAMPLES = """
  sworn rebuild                       both indexes anew, from the catalog; embeds nothing again
"""
TIMEOUT_S: Final = 24 * 3600.0
POLL_S: Final = 0.1

Report = dict[str, dict[str, Any]]


def add_to(commands: Any) -> None:
    parser = add_command(
        commands, "sync", run_sync, "reconcile the silos once and print what changed", SYNC_EXAMPLES
    )
    parser.add_argument("--silo", action="append", help="only this silo (may be repeated)")
    parser.add_argument("--dry-run", action="store_true", help="only say what would be looked at")
    parser.add_argument("--allow-removals", action="store_true", help="release the delete brake")
    add_json(parser)
    rebuild = add_command(
        commands, "rebuild", run_rebuild, "build vectors and lexical index anew from the catalog",
        REBUILD_EXAMPLES,
    )  # fmt: skip
    add_json(rebuild)


def run_sync(arguments: argparse.Namespace) -> int:
    """Exit status 1 when something was quarantined, or a silo could not be listed in full."""
    settings = settings_of(arguments)
    silos = [settings.silo(s).id for s in arguments.silo or [s.id for s in settings.silos]]
    url = server_url(settings)
    if arguments.dry_run:
        report: Report = _indexer(settings, arguments, ["preview", *_named(silos)])
    elif url is None:
        extra = ["--allow-removals"] if arguments.allow_removals else []
        report = _indexer(settings, arguments, ["sync", *_named(silos), *extra])
    else:
        options = {"allow_removals": arguments.allow_removals}
        report = {s: _at_server(url, settings, f"/v1/silos/{s}/sync", options) for s in silos}
    if arguments.json:
        print_json(report)
    else:
        for silo, row in report.items():
            print(f"{silo}: Diff: {_diff(row)}")
            for trouble in (row.get("error"), row.get("detail")):
                if trouble:
                    print(f"  {trouble}")
    failed = any(r.get("quarantined") or r.get("error") or r.get("detail") for r in report.values())
    return 1 if failed else 0


def run_rebuild(arguments: argparse.Namespace) -> int:
    settings = settings_of(arguments)
    url = server_url(settings)
    with Console(stderr=True).status("rebuilding both indexes"):
        if url is None:
            report = _indexer(settings, arguments, ["rebuild"])
        else:
            report = _at_server(url, settings, "/v1/indexes/rebuild", {})
    if arguments.json:
        print_json(report)
    else:
        print(f"rebuilt: {report['n_postings']} postings, {report['n_vectors']} vectors")
    return 0


def _named(silos: Sequence[str]) -> list[str]:
    return [part for silo in silos for part in ("--silo", silo)]


def _diff(row: dict[str, Any]) -> str:
    text = f"+{row['added']} ~{row['modified']} -{row['removed']} ={row['unchanged']}"
    return f"{text} !{row['quarantined']}" if row.get("quarantined") else text


def _indexer(settings: Settings, arguments: argparse.Namespace, words: Sequence[str]) -> Any:
    """Run the indexer's program once, with Chroma beside it, and read its report."""
    with folder_lock(settings.data_dir, "sworn " + words[0]):
        return asyncio.run(_indexer_with_chroma(settings, arguments, words))


async def _indexer_with_chroma(
    settings: Settings, arguments: argparse.Namespace, words: Sequence[str]
) -> Any:
    async with chroma_alone(settings) as port:
        command = [
            sys.executable, "-m", "connectors", *words,
            "--config", str(settings_path(arguments.config)), "--chroma-port", str(port),
            "--log-level", arguments.log_level,
        ]  # fmt: skip
        process = await asyncio.create_subprocess_exec(*command, stdout=subprocess.PIPE)
        output, _ = await process.communicate()
    if process.returncode not in (0, 1):
        raise StoreUnavailable("the indexer failed; its message is above")
    return json.loads(output)


def _at_server(url: str, settings: Settings, path: str, options: dict[str, Any]) -> Any:
    with client(url, operator_key(settings)) as http:
        asked = sent(http.post(path, json=options))
        deadline_s = time.monotonic() + TIMEOUT_S
        while not asked["done"]:
            if time.monotonic() > deadline_s:
                raise StoreUnavailable("the indexer has not finished in time")
            time.sleep(POLL_S)
            asked = sent(http.get(asked["url"]))
    return asked["outcome"]
