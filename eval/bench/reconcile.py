"""Reconciling many unchanged files, against `find` that only looks at them."""

import subprocess
import time
from typing import Final

from eval.bench.common import Load, Options, Row, median, say, spread
from eval.bench.filled import FILLER, filled, n_files
from eval.bench.installation import Installation, Probe, Serving, at_rest, serving, wait

TIMEOUT_S: Final = 300.0


def run(options: Options) -> list[Row]:
    """Interleaved: `find`, then a reconciliation that the API asks of the running indexer."""
    made = filled(options)
    n = n_files(options)
    ours: list[float] = []
    theirs: list[float] = []
    probe = Probe(made)
    with serving(made) as serve, Load() as load:
        at_rest(serve)
        say("reconciling")
        for _ in range(options.choose(3, 7)):
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


def _find(made: Installation) -> float:
    command = ["find", str(made.silo(FILLER)), "-type", "f", "-printf", "%s %T@ %p\n"]
    started_s = time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - started_s


def _reconcile(serve: Serving, probe: Probe) -> float:
    """From the request over HTTP until its outcome is recorded; the indexer polls every 0.2 s."""
    started_s = time.perf_counter()
    answer = serve.http.post(f"/v1/silos/{FILLER}/sync")
    number = answer.raise_for_status().json()["id"]
    outcome = "SELECT value FROM meta WHERE key = ?"
    wait(lambda: probe.one(outcome, f"request:{number}") is not None, TIMEOUT_S, "it", pause_s=0.01)
    return time.perf_counter() - started_s
