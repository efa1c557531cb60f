"""Builds the reader's training rows: `python -m rag.models.reader.train.build --out build/reader`.

Reads the folder named by SWORN_DATASETS and writes `reader.npz`, every example as the reader reads
it, `altered.npz` of questions that were changed, and `records.npz` of made-up pages. Takes some
minutes; the files are the same for the same data.
"""

import argparse
import json
import os
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Final

import numpy as np

from rag.adapters.reader.marks import encode
from rag.adapters.windows import Window, windows
from rag.domain.words import Span
from rag.models.judge.train.build import tools
from rag.models.judge_logistic import data
from rag.models.reader.train.examples import Example, altered, examples
from rag.models.reader.train.records import records
from rag.models.training.table import Row, save

TABLE: Final = "reader"
N_RECORDS: Final = 30_000
N_ALTERED: Final = 9_000
START, END = 1, 2
"""Flags of the first and the last token of an answer; both may be one token."""
_CHUNK: Final = 500


def main() -> None:
    """Build the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True, help="folder for the table")
    parser.add_argument("--processes", type=int, default=os.cpu_count() or 1)
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    datasets = data.folder().parent
    for name, made in {
        "records": records(N_RECORDS),
        "altered": altered(datasets, N_ALTERED),
        TABLE: examples(datasets),
    }.items():
        write(list(made), options.out / f"{name}.npz", options.processes)


def write(every: Sequence[Example], path: Path, n_processes: int) -> None:
    """Encode the examples and write their table, with a summary beside it."""
    chunks = [every[i : i + _CHUNK] for i in range(0, len(every), _CHUNK)]
    rows: list[Row] = []
    with ProcessPoolExecutor(n_processes) as pool:
        for n, done in enumerate(pool.map(encoded_all, chunks), 1):
            rows += [r for r in done if r is not None]
            if n % 40 == 0:
                print(f"{n * _CHUNK} of {len(every)} examples", flush=True)
    save(rows, path)
    counts = Counter(f"{r.set}, {'answered' if r.target else 'not'}" for r in rows)
    summary = {"rows": len(rows), "tokens": sum(len(r.ids) for r in rows), "sets": counts}
    path.with_suffix(".json").write_text(json.dumps(summary, indent=1) + "\n", "utf-8")
    print(json.dumps(summary), flush=True)


def encoded_all(some: Sequence[Example]) -> list[Row | None]:
    """The row of each example."""
    return [encoded(e) for e in some]


def encoded(example: Example) -> Row | None:
    """The example with its best window; None where nothing of the passage can be read.

    An answer that the window does not hold whole is none.
    """
    tokenise, idf = tools()
    found = windows(example.question, example.passage, idf, 1)
    if not found:
        return None
    one = encode(example.question, example.header, found[0].text, tokenise)
    flags = np.zeros(len(one.ids), np.int8)
    for answer in example.answers:
        at = _tokens(found[0], one.spans, answer)
        if at is not None:
            flags[one.first + at[0]] |= START
            flags[one.first + at[1]] |= END
    return Row(
        set=example.set, ids=one.ids, marks=one.marks, flags=flags, target=int(flags.any()),
        watched=example.watched,
    )  # fmt: skip


def _tokens(window: Window, spans: Sequence[Span], answer: Span) -> tuple[int, int] | None:
    """The first and the last token of an answer, whose place is in the passage."""
    places = [window.place(s) for s in spans]
    inside = [i for i, p in enumerate(places) if p.overlaps(answer)]
    whole = any(s.start <= answer.start and answer.end <= s.end for s in window.spans)
    return (inside[0], inside[-1]) if inside and whole else None


if __name__ == "__main__":
    main()
