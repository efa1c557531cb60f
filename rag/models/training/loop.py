"""The training loop: one pass over given batches, with checkpoints that a stopped run resumes."""

import json
import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import torch

_WARM_UP: Final = 0.04
_NEW_PARTS: Final = 5.0
_EVERY: Final = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One stage of a training: the height of the learning rate, and where it ends as a share.

    `fresh` are prefixes of the names of weights that learn faster, having no past. `loss` gives
    the loss of one batch of rows, `figures` what is told of the network now and then.
    """

    name: str
    out: Path
    rate: float
    end: float
    fresh: tuple[str, ...]
    loss: Callable[[Any, Sequence[int]], Any]
    figures: Callable[[Any], Mapping[str, Any]]


def train(network: Any, steps: Sequence[Sequence[int]], run: Run) -> None:
    """Go through `steps`, from the last checkpoint on where there is one.

    Writes `NAME.pt`, and a line of figures now and then to `NAME.jsonl`.
    """
    optimiser = _optimiser(network, run)
    checkpoint, log = (run.out / f"{run.name}.{end}" for end in ("pt", "jsonl"))
    done = _resumed(checkpoint, network, optimiser)
    print(f"{len(steps)} steps, {done} of them done", flush=True)
    began_s, losses = time.monotonic(), []
    network.train()
    for step in range(done, len(steps)):
        share = _schedule(step / len(steps), run.end)
        for group in optimiser.param_groups:
            group["lr"] = group["height"] * share
        loss = run.loss(network, steps[step])
        optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimiser.step()
        losses.append(float(loss.detach()))
        if (step + 1) % _EVERY and step + 1 < len(steps):
            continue
        row = {
            "step": step + 1,
            "of": len(steps),
            "loss": round(sum(losses) / len(losses), 4),
            "minutes": round((time.monotonic() - began_s) / 60, 1),
        }
        if (step + 1) % (2 * _EVERY) == 0 or step + 1 == len(steps):
            network.eval()
            row |= run.figures(network)
            network.train()
        losses.clear()
        _save(checkpoint, network, optimiser, step + 1)
        with log.open("a", encoding="utf-8") as file:
            file.write(json.dumps(row) + "\n")
        print(json.dumps(row), flush=True)


def _optimiser(network: Any, run: Run) -> Any:
    """AdamW; the vocabulary stays as it is, the new parts learn faster."""
    network.encoder.embeddings.word_embeddings.weight.requires_grad = False
    old: list[Any] = []
    new: list[Any] = []
    for name, weights in network.named_parameters():
        if weights.requires_grad:
            (new if name.startswith(run.fresh) else old).append(weights)
    groups = [
        {"params": old, "height": run.rate, "weight_decay": 0.01},
        {"params": new, "height": run.rate * _NEW_PARTS, "weight_decay": 0.0},
    ]
    return torch.optim.AdamW(groups, lr=run.rate, betas=(0.9, 0.98), fused=True)


def _schedule(share: float, end: float) -> float:
    """Up in a line, then down in a half cosine."""
    if share < _WARM_UP:
        return (share + 1e-4) / _WARM_UP
    return end + (1 - end) * 0.5 * (1 + math.cos(math.pi * (share - _WARM_UP) / (1 - _WARM_UP)))


def _resumed(checkpoint: Path, network: Any, optimiser: Any) -> int:
    if not checkpoint.exists():
        return 0
    found = torch.load(checkpoint, weights_only=True)
    network.load_state_dict(found["network"])
    optimiser.load_state_dict(found["optimiser"])
    return int(found["step"])


def _save(checkpoint: Path, network: Any, optimiser: Any, step: int) -> None:
    part = checkpoint.with_suffix(".part")
    state = {"network": network.state_dict(), "optimiser": optimiser.state_dict(), "step": step}
    torch.save(state, part)
    part.replace(checkpoint)
