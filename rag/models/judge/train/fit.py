"""Trains the judge's network, one stage at a time, with checkpoints:

    python -m rag.models.judge.train.fit --tables build/judge --stage general --out build/judge/run
    python -m rag.models.judge.train.fit --tables build/judge --stage answers --out build/judge/run

The first stage teaches to read two texts together, the second what answers are like; `both` mixes
them, so that the second does not cost what the first has taught.

A run that was stopped goes on from its last checkpoint when the same command is given again.
"""

import argparse
import json
import math
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from random import Random
from typing import Any, Final

import numpy as np
import torch

from rag.models.judge.train.build import Table
from rag.models.judge.train.network import Network, load, loss_of
from rag.models.judge.train.pairs import Target
from rag.models.judge_logistic.calibrate import auroc

_RATES: Final = {"general": 1e-4, "answers": 6e-5, "both": 5e-5}
# Where the learning rate of a stage ends, as a share of its height.
_ENDS: Final = {"general": 0.4, "answers": 0.02, "both": 0.02}
_WARM_UP: Final = 0.04
_NEW_PARTS: Final = 5.0
_SORTED_TOGETHER: Final = 1_000
_EVERY: Final = 200
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
    optimiser = _optimiser(network, options.rate or _RATES[options.stage])
    checkpoint, log = (options.out / f"{options.stage}.{end}" for end in ("pt", "jsonl"))
    done = _resumed(checkpoint, network, optimiser)
    print(f"{len(rows)} pairs, {len(steps)} steps, {done} of them done", flush=True)
    described = described_run(table, rows, options) | {"steps": len(steps)}
    (options.out / f"{options.stage}.run.json").write_text(json.dumps(described), "utf-8")
    began_s, losses = time.monotonic(), []
    network.train()
    for step in range(done, len(steps)):
        share = _schedule(step / len(steps), _ENDS[options.stage])
        for group in optimiser.param_groups:
            group["lr"] = group["height"] * share
        ids, marks, flags, targets = tensors(table, steps[step])
        logits, words = network(ids, marks)
        loss = loss_of(logits, words, targets, flags)
        optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimiser.step()
        losses.append(float(loss.detach()))
        if (step + 1) % _EVERY == 0 or step + 1 == len(steps):
            row = {
                "step": step + 1,
                "of": len(steps),
                "loss": round(sum(losses) / len(losses), 4),
                "minutes": round((time.monotonic() - began_s) / 60, 1),
            }
            if (step + 1) % (2 * _EVERY) == 0 or step + 1 == len(steps):
                row |= figures(network, table, watched)
                network.train()
            losses.clear()
            _save(checkpoint, network, optimiser, step + 1)
            with log.open("a", encoding="utf-8") as file:
                file.write(json.dumps(row) + "\n")
            print(json.dumps(row), flush=True)


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


def batches(table: Table, rows: Sequence[int], n_tokens: int, rng: Random) -> Iterator[list[int]]:
    """Batches of rows of like length, about `n_tokens` each with padding, in random order."""
    lengths = np.diff(table.starts)
    shuffled = rng.sample(list(rows), len(rows))
    for start in range(0, len(shuffled), _SORTED_TOGETHER):
        some = sorted(shuffled[start : start + _SORTED_TOGETHER], key=lambda r: int(lengths[r]))
        made: list[list[int]] = [[]]
        for row in some:
            if made[-1] and (len(made[-1]) + 1) * int(lengths[row]) > n_tokens:
                made.append([])
            made[-1].append(row)
        yield from rng.sample(made, len(made))


def tensors(table: Table, rows: Sequence[int]) -> tuple[Any, Any, Any, Any]:
    """Ids, marks, flags and targets of some rows, padded."""
    width = max(int(table.starts[r + 1] - table.starts[r]) for r in rows)
    ids, marks = (np.zeros((len(rows), width), np.int64) for _ in range(2))
    flags = np.full((len(rows), width), -1, np.int64)
    for at, row in enumerate(rows):
        part = slice(int(table.starts[row]), int(table.starts[row + 1]))
        n = part.stop - part.start
        ids[at, :n], marks[at, :n] = table.ids[part], table.marks[part]
        flags[at, :n] = table.flags[part]
    targets = torch.from_numpy(table.targets[list(rows)].astype(np.int64))
    return torch.from_numpy(ids), torch.from_numpy(marks), torch.from_numpy(flags), targets


def figures(network: Network, table: Table, rows: Sequence[int]) -> dict[str, Any]:
    """AUROC of support on the watched rows, per set."""
    network.eval()
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


def _optimiser(network: Network, rate: float) -> Any:
    """AdamW; the vocabulary stays as it is, the new parts learn faster."""
    network.encoder.embeddings.word_embeddings.weight.requires_grad = False
    fresh = ("flag.", "label.", "encoder.embeddings.token_type_embeddings.")
    old: list[Any] = []
    new: list[Any] = []
    for name, weights in network.named_parameters():
        if weights.requires_grad:
            (new if name.startswith(fresh) else old).append(weights)
    groups = [
        {"params": old, "height": rate, "weight_decay": 0.01},
        {"params": new, "height": rate * _NEW_PARTS, "weight_decay": 0.0},
    ]
    return torch.optim.AdamW(groups, lr=rate, betas=(0.9, 0.98), fused=True)


def _schedule(share: float, end: float) -> float:
    """Up in a line, then down in a half cosine."""
    if share < _WARM_UP:
        return (share + 1e-4) / _WARM_UP
    return end + (1 - end) * 0.5 * (1 + math.cos(math.pi * (share - _WARM_UP) / (1 - _WARM_UP)))


def _resumed(checkpoint: Path, network: Network, optimiser: Any) -> int:
    if not checkpoint.exists():
        return 0
    found = torch.load(checkpoint, weights_only=True)
    network.load_state_dict(found["network"])
    optimiser.load_state_dict(found["optimiser"])
    return int(found["step"])


def _save(checkpoint: Path, network: Network, optimiser: Any, step: int) -> None:
    part = checkpoint.with_suffix(".part")
    state = {"network": network.state_dict(), "optimiser": optimiser.state_dict(), "step": step}
    torch.save(state, part)
    part.replace(checkpoint)


if __name__ == "__main__":
    main()
