"""A model of another family and language, as `embedder.model` may name one.

No multilingual model is installed, so a small one of the family that they are of (XLM-RoBERTa,
sentence pieces) is made here, with random weights: what is tested is that Sworn runs it.
"""

import json
from pathlib import Path

import numpy as np
import pytest

from rag.adapters.embedding.onnx_embedder import OnnxEmbedder, ensure_exported, locate_model

TEXTS = [
    "Die Probezeit dauert fünf Monate.",
    "Vollzeitkräfte haben 28 Tage Urlaub im Jahr.",
    "The store opens on Monday.",
    "Le congé annuel est de 28 jours.",
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    import torch
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.sentence_transformer.modules import Pooling, Transformer
    from tokenizers import Tokenizer
    from tokenizers.models import Unigram
    from tokenizers.pre_tokenizers import Metaspace
    from tokenizers.processors import TemplateProcessing
    from tokenizers.trainers import UnigramTrainer
    from transformers import PreTrainedTokenizerFast, XLMRobertaConfig, XLMRobertaModel

    at = tmp_path_factory.mktemp("multilingual")
    special = ["<s>", "<pad>", "</s>", "<unk>", "<mask>"]
    pieces = Tokenizer(Unigram())
    pieces.pre_tokenizer = Metaspace()
    trainer = UnigramTrainer(vocab_size=200, special_tokens=special, unk_token="<unk>")
    pieces.train_from_iterator(TEXTS * 20, trainer)
    pieces.post_processor = TemplateProcessing(
        single="<s> $A </s>", special_tokens=[("<s>", 0), ("</s>", 2)]
    )
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=pieces, bos_token="<s>", cls_token="<s>", eos_token="</s>",
        sep_token="</s>", pad_token="<pad>", unk_token="<unk>", mask_token="<mask>",
        model_max_length=64, model_input_names=["input_ids", "attention_mask"],
    )  # fmt: skip
    torch.manual_seed(1)
    config = XLMRobertaConfig(
        vocab_size=len(tokenizer), hidden_size=48, num_hidden_layers=2, num_attention_heads=4,
        intermediate_size=96, max_position_embeddings=70, pad_token_id=1,
    )  # fmt: skip
    XLMRobertaModel(config).save_pretrained(at / "encoder")
    tokenizer.save_pretrained(at / "encoder")
    encoder = Transformer(str(at / "encoder"), max_seq_length=64)
    pooling = Pooling(encoder.get_embedding_dimension(), "mean")
    SentenceTransformer(modules=[encoder, pooling], device="cpu").save(str(at / "model"))
    return at / "model"


@pytest.mark.slow
async def test_a_model_of_another_family_gives_its_own_vectors(
    folder: Path, tmp_path: Path
) -> None:
    from sentence_transformers import SentenceTransformer

    model = locate_model(str(folder))
    embedder = OnnxEmbedder(model, ensure_exported(model, tmp_path), threads=1)
    try:
        ours = [np.frombuffer(v, dtype="<f4") for v in await embedder.embed(TEXTS)]
        vocabulary = json.loads((folder / "tokenizer.json").read_text())["model"]["vocab"]
        whole = next(piece for piece, _ in vocabulary if piece[:1] == "\u2581" and len(piece) > 2)
        assert embedder.knows(whole[1:])
        assert not embedder.knows("Mondya")
    finally:
        await embedder.aclose()
    theirs = SentenceTransformer(str(folder), device="cpu").encode(TEXTS, normalize_embeddings=True)
    for one, other in zip(ours, theirs, strict=True):
        assert float(one @ other) > 0.95
        assert len(one) == 48
