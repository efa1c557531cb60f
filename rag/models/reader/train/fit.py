"""Trains the reader's network, with checkpoints:

    python -m rag.models.reader.train.fit --tables build/reader --out build/reader/run --start JUDGE.pt \\
        --take reader 0 50000 --take records 0 14000

A run that was stopped goes on from its last checkpoint when the same command is given again.
"""

import argparse
import json
from collections.abc import Sequence
from pathlib import Path
from random import Random
from typing import Any, Final

import numpy as np
import torch

from rag.models.judge_logistic.calibrate import auroc
from rag.models.reader.train.measuring import read_rows
from rag.models.reader.train.network import Network, load, loss_of
from rag.models.training.loop import Run, train
from rag.models.training.table import Table, batches, tensors

_FRESH: Final = ("ends.", "answered.", "encoder.embeddings.token_type_embeddings.")
_WATCHED_MAX: Final = 800


def main() -> None:
    """Fit one stage."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tables", type=Path, required=True, help="folder that `build` wrote")
    parser.add_argument("--out", type=Path, required=True, help="folder for checkpoints")
    parser.add_argument("--name", default="first", help="name of the stage")
    parser.add_argument("--start", type=Path, help="checkpoint of a judge: its encoder")
    parser.add_argument("--go-on", type=Path, help="checkpoint of a reader: all of it")
    parser.add_argument(
        "--take",
        nargs=3,
        action="append",
        metavar=("TABLE", "SKIP", "ROWS"),
        required=True,
        help="rows of a table, without those that an earlier stage has seen",
    )
    parser.add_argument("--tokens", type=int, default=2_304, help="tokens a step")
    parser.add_argument("--rate", type=float, default=1e-4, help="height of the learning rate")
    parser.add_argument("--end", type=float, default=0.02, help="its end, as a share")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--threads", type=int, default=2)
    fit(parser.parse_args())


def fit(options: argparse.Namespace) -> None:
    """Train and write `NAME.pt`, and a line of figures now and then to `NAME.jsonl`."""
    torch.set_num_threads(options.threads)
    torch.manual_seed(options.seed)
    options.out.mkdir(parents=True, exist_ok=True)
    tables = [Table.load(options.tables / f"{name}.npz") for name, _, _ in options.take]
    table, rows, before = Table.joined(tables), [], 0
    for one, (_, skip, n) in zip(tables, options.take, strict=True):
        rows += [before + row for row in _drawn(one, options.seed, int(skip), int(n))]
        before += len(one)
    held = np.flatnonzero(table.watched).tolist()
    watched = Random(0).sample(held, min(_WATCHED_MAX, len(held)))
    steps = list(batches(table, rows, options.tokens, Random(options.seed)))
    network = load(options.go_on) if options.go_on else Network.fresh(options.start)
    described = {k: str(v) if isinstance(v, Path) else v for k, v in vars(options).items()}
    described |= {"rows": len(rows), "steps": len(steps)}
    (options.out / f"{options.name}.run.json").write_text(json.dumps(described), "utf-8")
    print(f"{len(rows)} rows", flush=True)

    def loss(network: Network, batch: Sequence[int]) -> Any:
        ids, marks, flags, targets = tensors(table, batch)
        answered, ends = network(ids, marks)
        return loss_of(answered, ends, targets, flags)

    run = Run(
        name=options.name, out=options.out, rate=options.rate, end=options.end, fresh=_FRESH,
        loss=loss, figures=lambda network: figures(network, table, watched),
    )  # fmt: skip
    train(network, steps, run)


def _drawn(table: Table, seed: int, skip: int, n: int) -> list[int]:
    """Rows for training, in an order of their own; each stage goes on where one before ended."""
    every = np.flatnonzero(~table.watched).tolist()
    return Random(seed).sample(every, len(every))[skip : skip + n]


def figures(network: Network, table: Table, rows: Sequence[int]) -> dict[str, float]:
    """How it does on rows that are kept from training."""

    def run(ids: Any, marks: Any) -> tuple[Any, Any]:
        with torch.no_grad():
            answered, ends = network(ids, marks)
        return answered.numpy(), ends.numpy()

    found = read_rows(run, table, rows)
    return {"auroc": round(auroc(found.logits, found.answered), 3), "exact": round(found.exact, 3)}


if __name__ == "__main__":
    main()
