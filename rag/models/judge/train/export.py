"""Exports a checkpoint: `python -m rag.models.judge.train.export --checkpoint FILE --out FOLDER`.

Writes `full.onnx` (fp32), `model.onnx` (int8, the vocabulary too) and `tokenizer.json`, and says
how far the two graphs lie apart. `reduce_range` keeps 7 bits of each weight, because AVX2
without VNNI saturates sums of 8-bit products (ONNX Runtime, "Quantize ONNX models", U8S8).
"""

import argparse
import json
import shutil
import warnings
from pathlib import Path
from random import Random
from typing import Any, Final

import numpy as np
import torch
from onnxruntime import InferenceSession
from onnxruntime.quantization import QuantType, quantize_dynamic

from rag.adapters.embedding.onnx_embedder import DEFAULT_MODEL, locate_model
from rag.adapters.shipped import GRAPH, TOKENIZER
from rag.models.judge.train.network import load
from rag.models.judge_logistic.calibrate import auroc
from rag.models.training.table import Table, batches, tensors

FULL: Final = "full.onnx"
_OPSET: Final = 17
_COMPARED: Final = 2_000


def main() -> None:
    """Export and compare."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--checkpoint", type=Path, required=True)
    parser.add_argument("--tables", type=Path, required=True, help="to compare the graphs on")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--compared", type=int, default=_COMPARED, help="pairs to compare on")
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    export(options.checkpoint, options.out)
    rows = compared(options.out, Table.load(options.tables / "answers.npz"), options.compared)
    (options.out / "export.json").write_text(json.dumps(rows, indent=1) + "\n", "utf-8")
    print(json.dumps(rows))


def export(checkpoint: Path, out: Path) -> None:
    """Write both graphs and the tokeniser."""
    network = load(checkpoint)
    ids = torch.randint(1_000, 2_000, (2, 12))
    ids[1, 8:] = 0
    marks = torch.ones_like(ids)
    marks[:, 1:4] = 4
    axes = {0: "pairs", 1: "tokens"}
    with warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore")
        torch.onnx.export(
            network, (ids, marks), str(out / FULL), input_names=["ids", "marks"],
            output_names=["labels", "flags"], opset_version=_OPSET, dynamo=False,
            dynamic_axes={"ids": axes, "marks": axes, "labels": {0: "pairs"}, "flags": axes},
        )  # fmt: skip
    # The label head reads five pooled vectors a pair: its weights cost nothing as they are.
    heads = [n for n in _products(out / FULL) if "/label/" in n or "/flag/" in n]
    quantize_dynamic(
        str(out / FULL), str(out / GRAPH), weight_type=QuantType.QInt8, reduce_range=True,
        per_channel=True, nodes_to_exclude=heads,
    )  # fmt: skip
    shutil.copyfile(locate_model(DEFAULT_MODEL).folder / TOKENIZER, out / TOKENIZER)


def _products(graph: Path) -> list[str]:
    import onnx

    return [n.name for n in onnx.load(str(graph)).graph.node if n.op_type in ("MatMul", "Gemm")]


def compared(out: Path, table: Table, n: int) -> dict[str, Any]:
    """The largest and mean difference of p(supported), and the AUROC of both graphs."""
    watched = np.flatnonzero(table.watched).tolist()
    rows = Random(2).sample(watched, min(n, len(watched)))
    sessions = [InferenceSession(str(out / name)) for name in (FULL, GRAPH)]
    scores: tuple[list[float], list[float]] = ([], [])
    fine: list[bool] = []
    for batch in batches(table, rows, 2_048, Random(0)):
        ids, marks, _, targets = tensors(table, batch)
        inputs = {"ids": ids.numpy(), "marks": marks.numpy()}
        for found, session in zip(scores, sessions, strict=True):
            labels = session.run(None, inputs)[0]
            found.extend(torch.softmax(torch.from_numpy(labels), 1)[:, 0].tolist())
        fine += (targets == 0).tolist()
    gaps = np.abs(np.array(scores[0]) - np.array(scores[1]))
    return {
        "compared": len(rows),
        "largest_difference": float(gaps.max()),
        "mean_difference": float(gaps.mean()),
        "differences_over_0_05": float((gaps > 0.05).mean()),
        "auroc_fp32": auroc(scores[0], fine),
        "auroc_int8": auroc(scores[1], fine),
        "bytes_int8": (out / GRAPH).stat().st_size,
        "bytes_fp32": (out / FULL).stat().st_size,
    }


if __name__ == "__main__":
    main()
