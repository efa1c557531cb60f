"""`sworn serve`: one parent, three kinds of children, each restarted when it dies.

    Chroma (vectors, on loopback) · indexer (writes the catalog) · API (writes the journal)

The parent holds the data folder's lock and does nothing else that could fail.
"""

import asyncio
import json
import os
import signal
import socket
import sys
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Final

import httpx
import structlog

from rag.adapters.lifeline import die_with_parent
from rag.domain.errors import ConfigError, ModelUnavailable, StoreUnavailable
from rag.settings import CHROMA_HOST, Paths, Settings

log: Final = structlog.get_logger()

BACKOFF_S: Final = 0.5
BACKOFF_MAX_S: Final = 30.0
# A child that lived this long was well; its next death starts the pauses anew.
SETTLED_S: Final = 30.0
STOP_S: Final = 4.5
# The indexer waits this long at most for an API that can answer from what is there already.
HEAD_START_S: Final = 5.0


@dataclass(slots=True)
class Child:
    """A process to keep alive."""

    name: str
    command: Sequence[str]
    log_path: Path
    process: asyncio.subprocess.Process | None = None
    n_restarts: int = 0


@dataclass(slots=True)
class Running:
    """What `serve` has started; `failed` is set when a child refuses its configuration."""

    url: str
    chroma_port: int
    children: list[Child]
    stop: asyncio.Event = field(default_factory=asyncio.Event)
    failed: ConfigError | None = None


@asynccontextmanager
async def running(settings: Settings, config: Path, log_level: str) -> AsyncIterator[Running]:
    """All children, started and kept alive until the block ends; the caller holds the lock."""
    paths = Paths(settings.data_dir)
    paths.run.mkdir(parents=True, exist_ok=True)
    check_port(settings.server.host, settings.server.port)
    own_port = settings.server.port or free_port()
    # The API's process reads the settings again: it must find the port that was chosen here.
    os.environ["SWORN__SERVER__PORT"] = str(own_port)
    port = free_port()
    url = settings.server.public_url or f"http://{settings.server.host}:{own_port}"
    state = Running(url, port, _children(config, paths, port, log_level))
    # Of an indexer that is gone; what it says would be taken for today's.
    (paths.run / "indexer.json").unlink(missing_ok=True)
    head_start_s = HEAD_START_S if paths.catalog.exists() else 0.0
    tasks = [
        asyncio.create_task(
            _keep_alive(child, state, head_start_s if child.name == "indexer" else 0.0)
        )
        for child in state.children
    ]
    _write_state(paths, state)
    try:
        yield state
    finally:
        state.stop.set()
        await _stop(state.children)
        await asyncio.gather(*tasks, return_exceptions=True)
        (paths.run / "serve.json").unlink(missing_ok=True)


def _children(config: Path, paths: Paths, port: int, log_level: str) -> list[Child]:
    python = [sys.executable, "-m"]
    common = ["--config", str(config), "--chroma-port", str(port), "--log-level", log_level]
    return [
        Child("chroma", chroma_command(paths.chroma, port), paths.run / "chroma.log"),
        Child("indexer", [*python, "connectors", "watch", *common], paths.run / "indexer.log"),
        Child("api", [*python, "api.server", *common], paths.run / "api.log"),
    ]


def chroma_command(folder: Path, port: int) -> list[str]:
    """Chroma's own server. Loopback only: it has no authentication."""
    program = Path(sys.executable).with_name("chroma")
    if not program.exists():
        raise ModelUnavailable("the program `chroma` is missing", remedy="pip install chromadb")
    return [str(program), "run", "--host", CHROMA_HOST, "--port", str(port), "--path", str(folder)]


@asynccontextmanager
async def chroma_alone(settings: Settings) -> AsyncIterator[int]:
    """Chroma for the length of the block, on a free port; the caller holds the lock."""
    paths = Paths(settings.data_dir)
    paths.run.mkdir(parents=True, exist_ok=True)
    port = free_port()
    child = Child("chroma", chroma_command(paths.chroma, port), paths.run / "chroma.log")
    await _start(child)
    try:
        await wait_for_port(port)
        yield port
    finally:
        await _stop([child])


async def _keep_alive(child: Child, state: Running, head_start_s: float) -> None:
    await _api_ready(state, head_start_s)
    pause_s = BACKOFF_S
    while not state.stop.is_set():
        started_s = time.monotonic()
        await _start(child)
        assert child.process is not None
        status = await child.process.wait()
        if state.stop.is_set():
            return
        if status == 2 and child.name != "chroma":
            state.failed = ConfigError(f"the {child.name} refused to start: {_last_line(child)}")
            state.stop.set()
            return
        pause_s = BACKOFF_S if time.monotonic() - started_s > SETTLED_S else pause_s
        log.warning("child.died", child=child.name, status=status, restart_in_s=pause_s)
        child.n_restarts += 1
        await asyncio.sleep(pause_s)
        pause_s = min(pause_s * 2, BACKOFF_MAX_S)


async def _api_ready(state: Running, at_most_s: float) -> None:
    """Let the API have the cores to itself while it starts: a catalog can be read at once."""
    if not at_most_s:
        return
    deadline_s = time.monotonic() + at_most_s
    # Without certificates to load: the address is our own, and loading them takes a while.
    async with httpx.AsyncClient(base_url=state.url, timeout=1.0, verify=False) as http:  # noqa: S501
        while time.monotonic() < deadline_s and not state.stop.is_set():
            try:
                if (await http.get("/readyz")).is_success:
                    return
            except httpx.HTTPError:
                pass
            await asyncio.sleep(0.1)


async def _start(child: Child) -> None:
    with child.log_path.open("ab") as output:
        child.process = await asyncio.create_subprocess_exec(
            *child.command,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            # A session of its own: Ctrl-C reaches the parent alone, which stops all in order.
            start_new_session=True,
            preexec_fn=partial(die_with_parent, signal.SIGTERM),
        )


async def _stop(children: Sequence[Child]) -> None:
    """Terminate all, then kill what is still there."""
    alive = [c.process for c in children if c.process and c.process.returncode is None]
    for process in alive:
        process.terminate()
    waits = [asyncio.create_task(process.wait()) for process in alive]
    if waits:
        await asyncio.wait(waits, timeout=STOP_S)
    for process in alive:
        if process.returncode is None:
            process.kill()
            await process.wait()


def _last_line(child: Child) -> str:
    try:
        lines = child.log_path.read_text(errors="replace").strip().splitlines()
    except OSError:
        return "no log"
    return lines[-1] if lines else "no output"


def _write_state(paths: Paths, state: Running) -> None:
    values = {"pid": os.getpid(), "url": state.url, "chroma_port": state.chroma_port}
    (paths.run / "serve.json").write_text(json.dumps(values))


def check_port(host: str, port: int) -> None:
    """Refuse early when the port is taken: a child would only die over and over.

    Raises:
        StoreUnavailable: someone listens there already.
    """
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as exc:
            raise StoreUnavailable(
                f"cannot listen on {host}:{port}: {exc.strerror}",
                remedy="stop who listens there, or set server.port",
            ) from exc


def free_port() -> int:
    """A port on loopback that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind((CHROMA_HOST, 0))
        return int(probe.getsockname()[1])


async def wait_for_port(port: int, timeout_s: float = 30.0) -> None:
    """Return once someone listens on loopback.

    Raises:
        StoreUnavailable: nobody did in time.
    """
    deadline_s = time.monotonic() + timeout_s
    while time.monotonic() < deadline_s:
        try:
            _, writer = await asyncio.open_connection(CHROMA_HOST, port)
        except OSError:
            await asyncio.sleep(0.05)
            continue
        writer.close()
        return
    raise StoreUnavailable(f"nothing listens on port {port} after {timeout_s:g} s")
