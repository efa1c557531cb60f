"""`sworn serve`."""

import argparse
import asyncio
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, Final

import httpx
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn

from api.cli.common import add_command, settings_of
from api.cli.local import operator_key
from api.cli.printing import print_answer
from api.supervisor import Running, running
from rag.adapters.embedding.onnx_embedder import exported_folder, is_exported, locate_model
from rag.adapters.folder_lock import folder_lock
from rag.domain.errors import ModelUnavailable, StoreUnavailable
from rag.settings import Paths, Settings, model_cache, settings_path

EXAMPLES = """
  sworn serve                          index, watch and answer until Ctrl-C
  sworn serve --ask "Who is the data protection officer?"    and show one answer first
  curl -H "Authorization: Bearer $(cat state/keys/operator.key)" \\
       -d '{"question": "..."}' -H 'Content-Type: application/json' \\
       http://127.0.0.1:8321/v1/answers
"""
READY_TIMEOUT_S: Final = 120.0
INDEX_TIMEOUT_S: Final = 24 * 3600.0


def add_to(commands: Any) -> None:
    parser = add_command(
        commands, "serve", run, "index the silos, keep them fresh and answer over HTTP", EXAMPLES
    )
    parser.add_argument("--ask", metavar="QUESTION", help="when all is citable, ask and print this")


def run(arguments: argparse.Namespace) -> int:
    """Runs until SIGTERM or Ctrl-C; a second one on the same data folder is refused."""
    settings = settings_of(arguments)
    with folder_lock(settings.data_dir, "sworn serve"):
        _export_model(settings)
        return asyncio.run(_serve(settings, arguments))


def _export_model(settings: Settings) -> None:
    """In a process of its own: torch must never be imported in one that stays."""
    model = locate_model(settings.embedder.model)
    if is_exported(exported_folder(model, model_cache(settings))):
        return
    with Console(stderr=True).status("Preparing the embedding model, once (about a minute)"):
        code = "import sys; from rag.wiring import prepare_model; from rag.settings import *; "
        code += "prepare_model(load_settings(Path(sys.argv[1])))"
        command = [sys.executable, "-c", code, str(settings.source)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise ModelUnavailable((done.stderr.strip().splitlines() or ["export failed"])[-1])


async def _serve(settings: Settings, arguments: argparse.Namespace) -> int:
    config = settings_path(arguments.config)
    level = "info" if arguments.log_level == "warning" else arguments.log_level
    async with running(settings, config.resolve(), level) as state:
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, state.stop.set)
        greeting = asyncio.create_task(_greet(settings, state, arguments.ask))
        await state.stop.wait()
        greeting.cancel()
        await asyncio.gather(greeting, return_exceptions=True)
    if state.failed is not None:
        raise state.failed
    return 0


async def _greet(settings: Settings, state: Running, question: str | None) -> None:
    """Say when it is ready, show the first indexing, and ask the question."""
    try:
        async with httpx.AsyncClient(base_url=state.url, timeout=60.0) as http:
            await _wait_ready(http)
            print(f"Sworn answers at {state.url} (API: {state.url}/openapi.json)", flush=True)
            print(f"operator's key: {_shown(Paths(settings.data_dir).operator_key)}", flush=True)
            http.headers["Authorization"] = f"Bearer {operator_key(settings)}"
            await _show_indexing(http)
            if question:
                response = await http.post("/v1/answers", json={"question": question})
                print(f"\n> {question}\n", flush=True)
                print_answer(response.json())
                print("\nWatching for changes; Ctrl-C stops.", flush=True)
    except (StoreUnavailable, httpx.HTTPError) as exc:
        print(f"sworn: {exc}", file=sys.stderr, flush=True)


def _shown(path: Path) -> str:
    try:
        return str(path.relative_to(Path.cwd()))
    except ValueError:
        return str(path)


async def _wait_ready(http: httpx.AsyncClient) -> None:
    deadline_s = time.monotonic() + READY_TIMEOUT_S
    while time.monotonic() < deadline_s:
        try:
            if (await http.get("/readyz")).status_code == 200:
                return
        except httpx.TransportError:
            pass
        await asyncio.sleep(0.05)
    raise StoreUnavailable(
        "the server did not get ready", remedy="see run/*.log in the data folder"
    )


async def _show_indexing(http: httpx.AsyncClient) -> None:
    """A bar until every document is citable."""
    columns = (SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    with Progress(*columns, console=Console(stderr=True)) as progress:
        task = progress.add_task("reading documents", total=None)
        while True:
            silos = (await http.get("/v1/silos")).json()
            n_done = sum(s["n_documents"] for s in silos["silos"]) + len(silos["quarantined"])
            progress.update(task, completed=n_done, total=n_done + silos["n_waiting"])
            if silos["n_waiting"] == 0 and all(s["last_scan_at"] for s in silos["silos"]):
                break
            await asyncio.sleep(0.1)
    n_quarantined, n_pending = len(silos["quarantined"]), silos["n_vectors_pending"]
    note = f", {n_quarantined} quarantined (`sworn status`)" if n_quarantined else ""
    later = f"; {n_pending} vectors follow in the background" if n_pending else ""
    print(f"{n_done - n_quarantined} documents are citable{note}{later}", flush=True)
