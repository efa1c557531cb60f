"""From a trained network to the files that are shipped: an fp32 graph, an int8 one, a tokeniser.

`reduce_range` keeps 7 bits of each weight, because AVX2 without VNNI saturates sums of 8-bit
products (ONNX Runtime, "Quantize ONNX models", U8S8).
"""

import shutil
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import torch
from onnxruntime.quantization import QuantType, quantize_dynamic

from rag.adapters.embedding.onnx_embedder import DEFAULT_MODEL, locate_model
from rag.adapters.shipped import GRAPH, TOKENIZER

FULL: Final = "full.onnx"
_OPSET: Final = 17
Axes = Mapping[int, str]


def export(
    network: Any, out: Path, outputs: Mapping[str, Axes], *, mark: int, heads: Sequence[str]
) -> None:
    """Write both graphs and the tokeniser.

    Args:
        outputs: names of the graph's outputs, each with its open dimensions.
        mark: a mark that the example input needs.
        heads: the network's small heads, which stay as they are: they cost nothing.
    """
    out.mkdir(parents=True, exist_ok=True)
    ids = torch.randint(1_000, 2_000, (2, 12))
    ids[1, 8:] = 0
    marks = torch.ones_like(ids)
    marks[:, 1:4] = mark
    axes = {0: "pairs", 1: "tokens"}
    with warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore")
        torch.onnx.export(
            network, (ids, marks), str(out / FULL), input_names=["ids", "marks"],
            output_names=list(outputs), opset_version=_OPSET, dynamo=False,
            dynamic_axes={"ids": axes, "marks": axes, **outputs},
        )  # fmt: skip
    kept = [n for n in _products(out / FULL) if any(f"/{head}/" in n for head in heads)]
    quantize_dynamic(
        str(out / FULL), str(out / GRAPH), weight_type=QuantType.QInt8, reduce_range=True,
        per_channel=True, nodes_to_exclude=kept,
    )  # fmt: skip
    shutil.copyfile(locate_model(DEFAULT_MODEL).folder / TOKENIZER, out / TOKENIZER)


def _products(graph: Path) -> list[str]:
    import onnx

    return [n.name for n in onnx.load(str(graph)).graph.node if n.op_type in ("MatMul", "Gemm")]
