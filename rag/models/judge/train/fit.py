"""Trains the judge's network, one stage at a time, with checkpoints:

    python -m rag.models.judge.train.fit --tables build/judge --stage general --out build/judge/run
    python -m rag.models.judge.train.fit --tables build/judge --stage answers --out build/judge/run

The first stage teaches to read two texts together, the second what answers are like; `both` mixes
them, so that the second does not cost what the first has taught.

A run that was stopped goes on from its last checkpoint when the same command is given again.
"""

import argparse
import json
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from random import Random
from typing import Any, Final

import numpy as np
import torch

from rag.models.judge.train.network import Network, load, loss_of
from rag.models.judge.train.pairs import Target
from rag.models.judge_logistic.calibrate import auroc
from rag.models.training.loop import Run, train
from rag.models.training.table import Table, batches, tensors

_RATES: Final = {"general": 1e-4, "answers": 6e-5, "both": 5e-5}
# Where the learning rate of a stage ends, as a share of its height.
_ENDS: Final = {"general": 0.4, "answers": 0.02, "both": 0.02}
_FRESH: Final = ("flag.", "label.", "encoder.embeddings.token_type_embeddings.")
_WATCHED_MAX: Final = 600


def main() -> None:
    """Fit one stage."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tables", type=Path, required=True, help="folder that `build` wrote")
    parser.add_argument("--out", type=Path, required=True, help="folder for checkpoints")
    parser.add_argument("--stage", choices=sorted(_RATES), required=True)
    parser.add_argument("--start", type=Path, help="checkpoint to start from")
    parser.add_argument("--pairs", type=int, help="at most so many, a share of each set")
    parser.add_argument("--cap", action="append", default=[], help="SET=N or SET/LABEL=N: no more")
    parser.add_argument("--tokens", type=int, default=2_304, help="tokens a step")
    parser.add_argument("--epochs", type=int, default=1)
    parser.add_argument("--rate", type=float, help="height of the learning rate")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--threads", type=int, default=2)
    fit(parser.parse_args())


def fit(options: argparse.Namespace) -> None:
    """Train and write `STAGE.pt`, and a line of figures now and then to `STAGE.jsonl`."""
    torch.set_num_threads(options.threads)
    torch.manual_seed(options.seed)
    options.out.mkdir(parents=True, exist_ok=True)
    stages = ("general", "answers") if options.stage == "both" else (options.stage,)
    table = Table.joined([Table.load(options.tables / f"{stage}.npz") for stage in stages])
    rows, watched = chosen(table, options)
    steps = [
        batch
        for epoch in range(options.epochs)
        for batch in batches(table, rows, options.tokens, Random(options.seed + epoch))
    ]
    network = load(options.start) if options.start else Network.fresh()
    print(f"{len(rows)} pairs", flush=True)
    described = described_run(table, rows, options) | {"steps": len(steps)}
    (options.out / f"{options.stage}.run.json").write_text(json.dumps(described), "utf-8")

    def loss(network: Network, batch: Sequence[int]) -> Any:
        ids, marks, flags, targets = tensors(table, batch)
        logits, words = network(ids, marks)
        return loss_of(logits, words, targets, flags)

    run = Run(
        name=options.stage, out=options.out, rate=options.rate or _RATES[options.stage],
        end=_ENDS[options.stage], fresh=_FRESH, loss=loss,
        figures=lambda network: figures(network, table, watched),
    )  # fmt: skip
    train(network, steps, run)


def chosen(table: Table, options: argparse.Namespace) -> tuple[list[int], list[int]]:
    """Rows to train on and rows to watch."""
    rng = Random(options.seed)
    caps = {name: int(n) for name, n in (c.rsplit("=", 1) for c in options.cap)}
    rows: list[int] = []
    for at, name in enumerate(table.names):
        for target in Target:
            of = (table.sets == at) & (table.targets == target) & ~table.watched
            some = np.flatnonzero(of).tolist()
            share = len(some) / max(1, int(((table.sets == at) & ~table.watched).sum()))
            cap = caps.get(f"{name}/{target.name}", round(caps.get(name, 10**9) * share))
            rows += rng.sample(some, min(cap, len(some)))
    if options.pairs is not None and options.pairs < len(rows):
        rows = rng.sample(rows, options.pairs)
    watched = np.flatnonzero(table.watched).tolist()
    return rows, rng.sample(watched, min(_WATCHED_MAX, len(watched)))


def described_run(table: Table, rows: Sequence[int], options: argparse.Namespace) -> dict[str, Any]:
    """What a run is fitted on, as the model card tells it."""
    sets: dict[str, Counter[str]] = {}
    for row in rows:
        name = table.names[int(table.sets[row])]
        sets.setdefault(name, Counter())[Target(int(table.targets[row])).name] += 1
    return {
        "stage": options.stage, "pairs": len(rows), "seed": options.seed,
        "epochs": options.epochs, "rate": options.rate or _RATES[options.stage],
        "sets": {name: dict(counts) for name, counts in sorted(sets.items())},
    }  # fmt: skip


def figures(network: Network, table: Table, rows: Sequence[int]) -> dict[str, Any]:
    """AUROC of support on the watched rows, per set."""
    scores: dict[int, float] = {}
    with torch.no_grad():
        for batch in batches(table, rows, 4_096, Random(0)):
            ids, marks, _, _ = tensors(table, batch)
            logits, _ = network(ids, marks)
            found = torch.softmax(logits, 1)[:, 0].tolist()
            scores |= dict(zip(batch, found, strict=True))
    result: dict[str, Any] = {}
    for at, name in enumerate((*table.names, "all")):
        some = [r for r in scores if name == "all" or table.sets[r] == at]
        fine = [bool(table.targets[r] == 0) for r in some]
        if 0 < sum(fine) < len(fine):
            result[name] = round(auroc([scores[r] for r in some], fine), 3)
    return {"auroc": result}


if __name__ == "__main__":
    main()
