"""The encoder that Sworn's readers of two texts start from: MiniLM with marks for token types."""

from collections.abc import Mapping
from typing import Any, Final

import torch

from rag.adapters.embedding.onnx_embedder import DEFAULT_MODEL, locate_model

WIDTH: Final = 384
_TYPES: Final = "embeddings.token_type_embeddings.weight"
_NOISE: Final = 0.02


def marked_encoder(n_marks: int, state: Mapping[str, Any] | None = None) -> Any:
    """A BERT with `n_marks` token types, all near the one that the weights knew for plain text.

    Args:
        state: weights of an encoder trained before; None takes the installed sentence embedder's.
    """
    from transformers import BertConfig, BertModel

    folder = str(locate_model(DEFAULT_MODEL).folder)
    config = BertConfig.from_pretrained(
        folder, type_vocab_size=n_marks, hidden_dropout_prob=0.0,
        attention_probs_dropout_prob=0.0, attn_implementation="sdpa",
    )  # fmt: skip
    encoder = BertModel(config, add_pooling_layer=False)
    if state is None:
        state = BertModel.from_pretrained(folder, add_pooling_layer=False).state_dict()
        plain = state[_TYPES][0]
    else:
        plain = state[_TYPES].mean(0)
    encoder.load_state_dict({**state, _TYPES: plain + _NOISE * torch.randn(n_marks, WIDTH)})
    return encoder
