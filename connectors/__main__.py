"""The indexer as a program: `python -m connectors watch|sync|preview|rebuild`.

`sworn serve` and `sworn sync` start it; it expects Chroma on the given port and the data
folder's lock to be held by the one who starts it.
"""

import argparse
import asyncio
import json
import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from connectors.runner import build_indexer, preview, rebuild, sync_once, watch
from rag.adapters.lifeline import die_with_parent
from rag.domain.errors import ConfigError, RagError
from rag.domain.ids import SiloId
from rag.settings import Settings, load_settings
from rag.telemetry import configure_logging
from rag.wiring import open_ingest

# Questions go first: the API's process keeps the usual priority.
NICENESS: Final = 10


def main() -> int:
    """Exit status 0 fine, 1 something was quarantined or a silo failed, 2 configuration, 3 retry."""
    arguments = _arguments()
    configure_logging(arguments.log_level)
    # Whoever started us holds the lock for us; without it we must not go on writing.
    die_with_parent(signal.SIGKILL)
    os.nice(NICENESS)
    try:
        settings = load_settings(Path(arguments.config))
        if arguments.command == "watch":
            return asyncio.run(_watch(settings, arguments.chroma_port))
        return asyncio.run(_once(settings, arguments))
    except ConfigError as exc:
        print(f"sworn: {exc}", file=sys.stderr)
        return 2
    except RagError as exc:
        return _report(exc)
    except ExceptionGroup as group:
        ours = group.subgroup(RagError)
        if ours is None:
            raise
        return _report(next(_flat(ours)))


def _report(error: RagError) -> int:
    print(f"sworn: {error}", file=sys.stderr)
    return 3 if error.retryable else 2


def _flat(group: ExceptionGroup[RagError]) -> Iterator[RagError]:
    for inner in group.exceptions:
        if isinstance(inner, ExceptionGroup):
            yield from _flat(inner)
        else:
            yield inner


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m connectors", description=__doc__)
    parser.add_argument("command", choices=("watch", "sync", "preview", "rebuild"))
    parser.add_argument("--config", default="sworn.toml", help="the settings file")
    parser.add_argument("--chroma-port", type=int, required=True, help="Chroma's port on loopback")
    parser.add_argument("--silo", action="append", default=[], help="only this silo")
    parser.add_argument("--allow-removals", action="store_true", help="release the delete brake")
    parser.add_argument("--log-level", default="warning")
    return parser.parse_args()


async def _watch(settings: Settings, chroma_port: int) -> int:
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    async with open_ingest(settings, chroma_port) as house:
        indexer = build_indexer(settings, house)
        work = asyncio.create_task(watch(indexer))
        ended = asyncio.create_task(stop.wait())
        await asyncio.wait({work, ended}, return_when=asyncio.FIRST_COMPLETED)
        if work.done():
            work.result()
        work.cancel()
        await asyncio.gather(work, return_exceptions=True)
        for silo in indexer.silos.values():
            await silo.connector.unwatch()
    return 0


async def _once(settings: Settings, arguments: argparse.Namespace) -> int:
    silos = [SiloId(settings.silo(s).id) for s in arguments.silo]
    silos = silos or [SiloId(s.id) for s in settings.silos]
    async with open_ingest(settings, arguments.chroma_port) as house:
        indexer = build_indexer(settings, house)
        if arguments.command == "preview":
            print(json.dumps({silo: await preview(indexer, silo) for silo in silos}))
            return 0
        if arguments.command == "rebuild":
            print(json.dumps(await rebuild(indexer)))
            return 0
        done = await sync_once(indexer, silos, release_brake=arguments.allow_removals)
        report = {
            silo: {**batch.counts, **indexer.silos[silo].status.troubles}
            for silo, batch in done.items()
        }
        print(json.dumps(report))
        failed = any(r["quarantined"] or r["error"] or r["detail"] for r in report.values())
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
