"""The reader's network: an encoder, a head for the answer's ends, one for whether there is any."""

from pathlib import Path
from typing import Any, Final

import torch
from torch import nn

from rag.adapters.reader.marks import Mark
from rag.models.training.encoder import WIDTH, marked_encoder

_NEVER: Final = -1e4
_ENDS_WEIGHT: Final = 1.0


class Network(nn.Module):  # type: ignore[misc] # torch has no types for us
    """`forward(ids, marks)` gives `[rows]` logits of being answered and `[rows, tokens, 2]` ends.

    Tokens outside the window can be neither end. Whether there is an answer is read off the first
    token, the strongest of the window, and how sure the ends are.
    """

    def __init__(self, encoder: Any) -> None:
        super().__init__()
        self.encoder = encoder
        self.ends = nn.Linear(WIDTH, 2)
        self.answered = nn.Linear(2 * WIDTH + 2, 1)

    @classmethod
    def fresh(cls, start: Path | None = None) -> "Network":
        """The installed sentence embedder's weights, or a judge's encoder; marks and heads are new."""
        if start is None:
            return cls(marked_encoder(len(Mark)))
        found = torch.load(start, weights_only=True)["network"]
        prefix = "encoder."
        state = {k.removeprefix(prefix): v for k, v in found.items() if k.startswith(prefix)}
        return cls(marked_encoder(len(Mark), state))

    def forward(self, ids: Any, marks: Any) -> tuple[Any, Any]:
        """Logits; ids and marks are `[rows, tokens]`."""
        hidden = self.encoder(
            input_ids=ids, attention_mask=(ids != 0).long(), token_type_ids=marks
        ).last_hidden_state
        outside = (marks < int(Mark.TEXT)).float() * _NEVER
        ends = self.ends(hidden) + outside.unsqueeze(-1)
        largest = (hidden + outside.unsqueeze(-1)).max(1).values
        surest = ends.max(1).values
        pooled = torch.cat([hidden[:, 0], largest, surest], 1)
        return self.answered(pooled).squeeze(-1), ends


def loss_of(answered: Any, ends: Any, targets: Any, flags: Any) -> Any:
    """Cross-entropy of being answered, and of both ends where there is an answer."""
    loss = nn.functional.binary_cross_entropy_with_logits(answered, targets.float())
    some = targets == 1
    if not bool(some.any()):
        return loss
    for bit in (0, 1):
        wanted = ((flags[some] >> bit) & 1).clamp(min=0) * (flags[some] >= 0)
        logs = torch.log_softmax(ends[some][..., bit], 1)
        # Of several places of the answer any will do.
        hit = torch.logsumexp(logs + (1 - wanted.float()) * _NEVER, 1)
        loss = loss - _ENDS_WEIGHT * 0.5 * hit.mean()
    return loss


def load(path: Path) -> Network:
    """The network of a checkpoint."""
    network = Network.fresh()
    network.load_state_dict(torch.load(path, weights_only=True)["network"])
    network.eval()
    return network
