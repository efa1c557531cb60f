"""Export a sentence-transformers model to int8 ONNX. A program of its own: torch lives here only.

    python -m rag.adapters.embedding.export MODEL_FOLDER OUT_FOLDER

The graph takes `input_ids` and `attention_mask` and gives the model's own sentence embedding,
pooling and normalisation included. Weights become int8 (dynamic quantisation, per tensor);
`reduce_range` keeps 7 bits, because AVX2 without VNNI saturates sums of 8-bit products.
Source: ONNX Runtime, "Quantize ONNX models", section on U8S8 saturation.
"""

import json
import os
import shutil
import sys
import tempfile
import warnings
from pathlib import Path
from typing import Any, Final

USAGE: Final = "usage: python -m rag.adapters.embedding.export MODEL_FOLDER OUT_FOLDER"
GRAPH: Final = "model.onnx"
TOKENIZER: Final = "tokenizer.json"
CONFIG: Final = "config.json"


def main(arguments: list[str]) -> int:
    """Write the three files into OUT_FOLDER, all or nothing."""
    if len(arguments) != 2:
        print(USAGE, file=sys.stderr)
        return 2
    source, target = Path(arguments[0]), Path(arguments[1])
    target.parent.mkdir(parents=True, exist_ok=True)
    os.environ["HF_HUB_OFFLINE"] = "1"
    work = Path(tempfile.mkdtemp(prefix=".export-", dir=target.parent))
    try:
        _export(source, work)
        shutil.rmtree(target, ignore_errors=True)
        work.rename(target)
    finally:
        shutil.rmtree(work, ignore_errors=True)
    return 0


def _export(source: Path, target: Path) -> None:
    import torch
    from onnxruntime.quantization import QuantType, quantize_dynamic
    from sentence_transformers import SentenceTransformer

    model = SentenceTransformer(str(source), device="cpu", local_files_only=True).eval()

    class Graph(torch.nn.Module):  # type: ignore[misc] # torch has no types for us
        def __init__(self) -> None:
            super().__init__()
            self.model = model

        def forward(self, input_ids: Any, attention_mask: Any) -> Any:
            features = {"input_ids": input_ids, "attention_mask": attention_mask}
            if "token_type_ids" in model.tokenizer.model_input_names:
                features["token_type_ids"] = torch.zeros_like(input_ids)
            embedding = self.model(features)["sentence_embedding"]
            return torch.nn.functional.normalize(embedding, p=2, dim=1)

    sample = model.tokenizer(
        ["one text", "and another, longer one"], padding=True, return_tensors="pt"
    )
    full = target / "full.onnx"
    axes = {0: "batch", 1: "tokens"}
    with warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore")
        torch.onnx.export(
            Graph(),
            (sample["input_ids"], sample["attention_mask"]),
            str(full),
            input_names=["input_ids", "attention_mask"],
            output_names=["embedding"],
            dynamic_axes={"input_ids": axes, "attention_mask": axes, "embedding": {0: "batch"}},
            opset_version=17,
            dynamo=False,
        )
    quantize_dynamic(str(full), str(target / GRAPH), weight_type=QuantType.QInt8, reduce_range=True)
    full.unlink()
    for leftover in target.glob("full.onnx*"):
        leftover.unlink()
    model.tokenizer.backend_tokenizer.save(str(target / TOKENIZER))
    (target / CONFIG).write_text(
        json.dumps(
            {
                "max_tokens": int(model.max_seq_length or 512),
                "dimension": int(model.get_sentence_embedding_dimension() or 0),
                "pad_id": int(model.tokenizer.pad_token_id or 0),
            }
        )
    )


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
