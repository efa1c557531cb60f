"""The judge's network: MiniLM-L6 that reads two texts together, and two heads. Torch lives here."""

from pathlib import Path
from typing import Any, Final

import torch
from torch import nn

from rag.adapters.judge.marks import Mark
from rag.models.training.encoder import WIDTH, marked_encoder

_SMOOTHING: Final = 0.05
_FLAG_WEIGHT: Final = 0.5
_NEVER: Final = -1e4


class Network(nn.Module):  # type: ignore[misc] # torch has no types for us
    """From token ids and marks to three logits a pair and one logit a token.

    The marks are the encoder's token types. The label head sees the first token, the mean and
    the maximum of the claim's tokens, and how many of them the token head would flag, and how
    surely: a claim is as good as its worst word.
    """

    def __init__(self, encoder: Any) -> None:
        super().__init__()
        self.encoder = encoder
        self.flag = nn.Linear(WIDTH, 1)
        self.label = nn.Linear(3 * WIDTH + 2, 3)

    @classmethod
    def fresh(cls) -> "Network":
        """The installed sentence embedder's weights, with new marks and new heads."""
        return cls(marked_encoder(len(Mark)))

    def forward(self, ids: Any, marks: Any) -> tuple[Any, Any]:
        """Logits `[pairs, 3]` and `[pairs, tokens]`; ids and marks are `[pairs, tokens]`."""
        hidden = self.encoder(
            input_ids=ids, attention_mask=(ids != 0).long(), token_type_ids=marks
        ).last_hidden_state
        flags = self.flag(hidden).squeeze(-1)
        inside = (marks >= int(Mark.CLAIM)).float()
        n = inside.sum(1, keepdim=True).clamp(min=1.0)
        mean = (hidden * inside.unsqueeze(-1)).sum(1) / n
        outside = (1.0 - inside) * _NEVER
        largest = (hidden + outside.unsqueeze(-1)).max(1).values
        worst = (flags + outside).max(1, keepdim=True).values
        share = (torch.sigmoid(flags) * inside).sum(1, keepdim=True) / n
        pooled = torch.cat([hidden[:, 0], mean, largest, worst, share], 1)
        return self.label(pooled), flags


def loss_of(logits: Any, flags: Any, targets: Any, known: Any) -> Any:
    """Cross-entropy of the label and of the flagged words.

    Target 3 is "not supported": the two probabilities that are not support count together.
    `known` is 1, 0 or -1 (unknown) a token.
    """
    logs = torch.log_softmax(logits, 1)
    fine = 1.0 - _SMOOTHING
    three = torch.cat([logs, torch.logsumexp(logs[:, 1:], 1, keepdim=True)], 1)
    hit = three.gather(1, targets.unsqueeze(1)).squeeze(1)
    label = -(fine * hit + _SMOOTHING * logs.mean(1)).mean()
    told = known >= 0
    if not bool(told.any()):
        return label
    words = nn.functional.binary_cross_entropy_with_logits(flags[told], known[told].float())
    return label + _FLAG_WEIGHT * words


def load(path: Path) -> Network:
    """The network of a checkpoint."""
    network = Network.fresh()
    network.load_state_dict(torch.load(path, weights_only=True)["network"])
    network.eval()
    return network
