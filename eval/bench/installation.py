"""A real installation in a scratch folder: its settings, its processes, and looks at its catalog."""

import os
import socket
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

import httpx

from eval.bench.common import DEMO, Options, tree_cpu_s
from rag.settings import CHROMA_HOST, Paths, Settings, load_settings
from rag.wiring import prepare_model

READY_S: Final = 120.0
DEMO_SILOS: Final = ("handbook", "drive", "engineering", "mail")


@dataclass(frozen=True, slots=True)
class Installation:
    """A folder with `sworn.toml` and a folder per silo."""

    folder: Path

    @property
    def config(self) -> Path:
        return self.folder / "sworn.toml"

    @property
    def settings(self) -> Settings:
        return load_settings(self.config)

    @property
    def paths(self) -> Paths:
        return Paths(self.folder / "state")

    def silo(self, name: str) -> Path:
        """The folder of a silo."""
        return self.folder / "silos" / name


def install(options: Options, name: str, silos: Sequence[str]) -> Installation:
    """Write the settings; the silos' folders are made where they are missing."""
    made = Installation(options.work / name)
    made.folder.mkdir(parents=True, exist_ok=True)
    lines = [
        'data_dir = "state"',
        f"[server]\nport = {free_port()}",
        f'[embedder]\ncache_dir = "{options.work / "models"}"',
    ]
    for silo in silos:
        made.silo(silo).mkdir(parents=True, exist_ok=True)
        lines.append(f'[[silos]]\nid = "{silo}"\nroot = "silos/{silo}"\nopen_to_all = true')
    made.config.write_text("\n".join(lines) + "\n")
    prepare_model(made.settings)
    return made


def copy_demo(installation: Installation) -> None:
    """The demo organisation's silos, so that nothing here touches the originals."""
    for silo in DEMO_SILOS:
        command = ["cp", "-rT", str(DEMO / silo), str(installation.silo(silo))]
        subprocess.run(command, check=True)


# --- processes ------------------------------------------------------------------------------------


def free_port() -> int:
    """A port on loopback that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind((CHROMA_HOST, 0))
        return int(probe.getsockname()[1])


@contextmanager
def process(
    command: Sequence[str], log: Path, *, niceness: int = 0
) -> Iterator["subprocess.Popen[bytes]"]:
    """A child for the length of the block; its output goes to `log`."""
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("ab") as output:
        child = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            cwd=log.parent,
            preexec_fn=(lambda: os.nice(niceness)) if niceness else None,  # noqa: PLW1509
        )
        try:
            yield child
        finally:
            child.terminate()
            try:
                child.wait(15)
            except subprocess.TimeoutExpired:
                child.kill()
                child.wait()


@contextmanager
def chroma(installation: Installation) -> Iterator[int]:
    """Chroma's own server, as `sworn serve` runs it; gives the port."""
    port = free_port()
    program = str(Path(sys.executable).with_name("chroma"))
    place = ["--host", CHROMA_HOST, "--port", str(port), "--path", str(installation.paths.chroma)]
    with process([program, "run", *place], installation.folder / "run" / "chroma.log"):
        wait(lambda: _listens(port), READY_S, "Chroma")
        yield port


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex((CHROMA_HOST, port)) == 0


@contextmanager
def indexer(
    installation: Installation, chroma_port: int, command: str, *more: str
) -> Iterator["subprocess.Popen[bytes]"]:
    """The indexer's process: `watch`, or `sync`."""
    place = ["--config", str(installation.config), "--chroma-port", str(chroma_port)]
    program = [sys.executable, "-m", "connectors", command, *place, *more]
    with process(program, installation.folder / "run" / "indexer.log") as child:
        yield child


@dataclass(frozen=True, slots=True)
class Serving:
    """A running `sworn serve`: who asks it, its process, and what it took to be ready."""

    http: httpx.Client
    pid: int
    ready_s: float
    ready_cpu_s: float


@contextmanager
def serving(installation: Installation) -> Iterator[Serving]:
    """`sworn serve`, ready; the client holds the operator's key, who may read everything."""
    program = str(Path(sys.executable).with_name("sworn"))
    command = [program, "--config", str(installation.config), "serve"]
    url = f"http://127.0.0.1:{installation.settings.server.port}"
    started_s = time.monotonic()
    with process(command, installation.folder / "run" / "serve.log") as child:
        with httpx.Client(base_url=url, timeout=60.0) as http:
            wait(lambda: _ready(http), READY_S, "sworn serve", pause_s=0.02)
            ready_s = time.monotonic() - started_s
            ready_cpu_s = tree_cpu_s(child.pid)
            secret = (installation.paths.keys / "operator.key").read_text().strip()
            http.headers["Authorization"] = f"Bearer {secret}"
            yield Serving(http, child.pid, ready_s, ready_cpu_s)


def _ready(http: httpx.Client) -> bool:
    try:
        return http.get("/readyz").status_code == 200
    except httpx.TransportError:
        return False


def at_rest(serve: Serving, timeout_s: float = 900.0) -> None:
    """Wait until every silo was listed, nothing waits and all vectors have followed."""

    def rests() -> bool:
        state = serve.http.get("/v1/silos").json()
        listed = all(s["last_scan_at"] for s in state["silos"])
        return listed and not state["n_waiting"] and not state["n_vectors_pending"]

    wait(rests, timeout_s, "the indexer to come to rest", pause_s=0.5)
    # The status file is written twice a second: what it says must be of after the start.
    time.sleep(1.0)
    wait(rests, timeout_s, "the indexer to come to rest", pause_s=0.5)


def wait(done: Callable[[], bool], timeout_s: float, what: str, *, pause_s: float = 0.05) -> float:
    """Seconds until `done`.

    Raises:
        TimeoutError: it never was; a bench that cannot run must not look like a result.
    """
    started_s = time.monotonic()
    while not done():
        if time.monotonic() - started_s > timeout_s:
            raise TimeoutError(f"waited {timeout_s:g} s for {what}")
        time.sleep(pause_s)
    return time.monotonic() - started_s


# --- looks at the catalog -------------------------------------------------------------------------


class Probe:
    """Reads the catalog from outside, read-only, as any other process may."""

    def __init__(self, installation: Installation) -> None:
        self._uri = f"file:{quote(str(installation.paths.catalog))}?mode=ro"
        self._connection: sqlite3.Connection | None = None

    def one(self, statement: str, *values: object) -> Any:
        """The first column of the first row; None when there is none, or no catalog yet."""
        try:
            if self._connection is None:
                self._connection = sqlite3.connect(self._uri, uri=True, isolation_level=None)
            row = self._connection.execute(statement, values).fetchone()
        except sqlite3.OperationalError:
            return None
        return None if row is None else row[0]

    def rows(self, statement: str, *values: object) -> list[Any]:
        """All rows."""
        self.one("SELECT 1")
        assert self._connection is not None
        return self._connection.execute(statement, values).fetchall()

    def n_documents(self, silo: str) -> int:
        """Live documents of a silo: those that can be cited."""
        found = self.one("SELECT count(*) FROM document WHERE silo = ? AND state = 'live'", silo)
        return int(found or 0)

    def n_pending(self) -> int:
        """Children whose vectors are still to come."""
        statement = "SELECT count(*) FROM chunk WHERE parent_id IS NOT NULL AND indexed = 0"
        return int(self.one(statement) or 0)

    def n_children(self) -> int:
        """Live children."""
        return int(self.one("SELECT count(*) FROM chunk WHERE parent_id IS NOT NULL") or 0)

    def close(self) -> None:
        """Let go of the file."""
        if self._connection is not None:
            self._connection.close()
