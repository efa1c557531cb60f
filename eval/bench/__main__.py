"""`python -m eval.bench`: one table of measurements, as ratios to peers run beside."""

import argparse
import json
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict
from importlib import import_module
from pathlib import Path
from typing import Final

from eval.bench.common import Options, Row, say

BENCHES: Final = (
    "lexical", "neighbours", "indexing", "reconcile", "start", "question", "answering", "edit",
)  # fmt: skip
_COLUMNS: Final = ("bench", "what", "figure", "peer", "ratio", "aim", "met?", "others")


def main() -> int:
    """Exit status 0 when every aim is met, 1 when one is not."""
    arguments = _arguments()
    work = Path(arguments.work or tempfile.mkdtemp(prefix="sworn-bench-")).resolve()
    work.mkdir(parents=True, exist_ok=True)
    options = Options(quick=arguments.quick, work=work, rounds=arguments.rounds)
    rows: list[Row] = []
    try:
        for name in arguments.only or BENCHES:
            rows.extend(_one(name, options))
    finally:
        if not arguments.work:
            shutil.rmtree(work, ignore_errors=True)
    print(_machine(), table(rows), sep="\n\n")
    if arguments.json:
        Path(arguments.json).write_text(json.dumps([asdict(r) for r in rows], indent=1))
    return 1 if any(row.met is False for row in rows) else 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m eval.bench", description=__doc__)
    parser.add_argument(
        "--only", nargs="+", choices=BENCHES, metavar="NAME", help=f"of {', '.join(BENCHES)}"
    )
    parser.add_argument("--quick", action="store_true", help="small sizes: does it work at all?")
    parser.add_argument(
        "--rounds", type=int, default=0, metavar="N", help="rounds of `indexing` (3, quick 1)"
    )
    parser.add_argument("--json", metavar="FILE", help="also write the rows, with raw samples")
    parser.add_argument(
        "--work", metavar="FOLDER", help="keep what is built there, and use what is there already"
    )
    return parser.parse_args()


def _one(name: str, options: Options) -> list[Row]:
    """The rows of one bench; one that fails leaves a row that says so."""
    say(f"bench {name}")
    started_s = time.monotonic()
    run: Callable[[Options], list[Row]] = import_module(f"eval.bench.{name}").run
    try:
        rows = run(options)
    except Exception as exc:
        say(f"{name} failed: {exc!r}")
        if os.environ.get("SWORN_BENCH_RAISE"):
            raise
        rows = [Row(bench=name, what="failed", figure=f"{exc!r}"[:100], met=False)]
    for row in rows:
        say(f"  {row.what}: {row.figure} {row.peer} {row.ratio}")
    say(f"bench {name} took {time.monotonic() - started_s:.0f} s")
    return rows


def table(rows: Sequence[Row]) -> str:
    """Plain text, columns aligned."""
    verdict = {True: "yes", False: "NO", None: ""}
    cells = [
        (r.bench, r.what, r.figure, r.peer, r.ratio, r.aim, verdict[r.met], r.others) for r in rows
    ]
    widths = [max(len(row[i]) for row in (_COLUMNS, *cells)) for i in range(len(_COLUMNS))]
    lines = [_line(_COLUMNS, widths), _line(["-" * w for w in widths], widths)]
    return "\n".join(lines + [_line(row, widths) for row in cells])


def _line(cells: Sequence[str], widths: Sequence[int]) -> str:
    return " | ".join(cell.ljust(width) for cell, width in zip(cells, widths, strict=True)).rstrip()


def _machine() -> str:
    load = "/".join(f"{x:.1f}" for x in os.getloadavg())
    return (
        f"{os.cpu_count()} cores, load average now {load}, Python {sys.version.split()[0]}. "
        "`others`: cores used by other programs during the figure."
    )


if __name__ == "__main__":
    sys.exit(main())
