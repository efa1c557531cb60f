"""Reconciling many unchanged files, against `find` that only looks at them."""

import json
import shutil
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from eval.bench.common import Load, Options, Row, median, say, spread
from eval.bench.installation import (
    Installation,
    Probe,
    Serving,
    at_rest,
    chroma,
    indexer,
    install,
    serving,
    wait,
)
from rag.domain.ids import SiloId, document_id

SILO: Final = "share"
TIMEOUT_S: Final = 300.0
_PER_FOLDER: Final = 200


def run(options: Options) -> list[Row]:
    """Interleaved: `find`, then a reconciliation that the API asks of the running indexer."""
    n = options.choose(2_000, 50_000)
    made = _prepared(options, n)
    ours: list[float] = []
    theirs: list[float] = []
    probe = Probe(made)
    with serving(made) as serve, Load() as load:
        at_rest(serve)
        say("reconciling")
        for _ in range(options.choose(3, 9)):
            theirs.append(_find(made))
            ours.append(_reconcile(serve, probe))
    probe.close()
    limit = 2 * median(theirs) + 1.0
    return [
        Row(
            bench="reconcile", what=f"{n} unchanged files, peer: find with size and time",
            figure=f"{spread(ours)} s", peer=f"{spread(theirs)} s",
            ratio=spread([a / b for a, b in zip(ours, theirs, strict=True)]),
            aim=f"<= 2 x find + 1 s = {limit:.2f} s", met=median(ours) <= limit,
            others=load.note, samples=ours + theirs,
        )
    ]  # fmt: skip


# --- a large catalog of unchanged files -----------------------------------------------------------


def _prepared(options: Options, n: int) -> Installation:
    """One file goes through the real belt; the others' rows are copies of its row.

    Indexing 50,000 files takes ten minutes and would measure nothing that is asked here. That
    the real indexer takes them all for unchanged is checked before anything is measured.
    """
    shutil.rmtree(options.work / "reconcile", ignore_errors=True)
    made = install(options, "reconcile", [SILO])
    for i in range(n):
        path = made.silo(SILO) / _key(i)
        path.parent.mkdir(exist_ok=True)
        path.write_text(f"Note {i}.")
    whole = made.silo(SILO)
    aside = made.folder / "aside"
    whole.rename(aside)
    first = whole / _key(0)
    first.parent.mkdir(parents=True)
    (aside / _key(0)).rename(first)
    with chroma(made) as port:
        with indexer(made, port, "sync") as child:
            child.wait(TIMEOUT_S)
        first.rename(aside / _key(0))
        shutil.rmtree(whole)
        aside.rename(whole)
        _copy_rows(made, n)
        _check(made, port, n)
    return made


def _key(i: int) -> str:
    return f"{i // _PER_FOLDER:04d}/{i:06d}.txt"


def _copy_rows(made: Installation, n: int) -> None:
    with closing(sqlite3.connect(made.paths.catalog, isolation_level=None)) as connection:
        connection.row_factory = sqlite3.Row
        row = dict(connection.execute("SELECT * FROM document").fetchone())
        # What follows size, times and inode is the silo's business: it is kept as it is.
        rest = row["signature"].split(":")[4:]
        connection.execute("BEGIN")
        names = ", ".join(row)
        marks = ", ".join(f":{name}" for name in row)
        statement = f"INSERT OR REPLACE INTO document ({names}) VALUES ({marks})"  # noqa: S608
        for i in range(n):
            key = _key(i)
            new = {"id": document_id(SiloId(SILO), key), "key": key, "version_id": None}
            new["signature"] = _signature(made.silo(SILO) / key, rest)
            new["observed_at"] = datetime.now(UTC).isoformat()
            connection.execute(statement, row | new)
        connection.execute("COMMIT")


def _signature(path: Path, rest: list[str]) -> str:
    status = path.stat()
    parts = (status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino)
    return ":".join([*map(str, parts), *rest])


def _check(made: Installation, port: int, n: int) -> None:
    place = ["--config", str(made.config), "--chroma-port", str(port)]
    command = [sys.executable, "-m", "connectors", "preview", *place]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    found = json.loads(done.stdout)[SILO]
    if found["unchanged"] != n:
        raise RuntimeError(f"the copied rows are not taken for unchanged files: {found}")


# --- measuring ------------------------------------------------------------------------------------


def _find(made: Installation) -> float:
    command = ["find", str(made.silo(SILO)), "-type", "f", "-printf", "%s %T@ %p\n"]
    started_s = time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - started_s


def _reconcile(serve: Serving, probe: Probe) -> float:
    """From the request over HTTP until its outcome is recorded; the indexer polls every 0.2 s."""
    started_s = time.perf_counter()
    answer = serve.http.post(f"/v1/silos/{SILO}/sync")
    number = answer.raise_for_status().json()["id"]
    outcome = "SELECT value FROM meta WHERE key = ?"
    wait(lambda: probe.one(outcome, f"request:{number}") is not None, TIMEOUT_S, "it", pause_s=0.01)
    return time.perf_counter() - started_s
