"""Exports a checkpoint: `python -m rag.models.judge.train.export --checkpoint FILE --out FOLDER`.

Writes `full.onnx` (fp32), `model.onnx` (int8, the vocabulary too) and `tokenizer.json`, and says
how far the two graphs lie apart.
"""

import argparse
import json
from pathlib import Path
from random import Random
from typing import Any, Final

import numpy as np
import torch
from onnxruntime import InferenceSession

from rag.adapters.judge.marks import Mark
from rag.adapters.shipped import GRAPH
from rag.models.judge.train.network import load
from rag.models.judge_logistic.calibrate import auroc
from rag.models.training.exporting import FULL, export
from rag.models.training.table import Table, batches, tensors

_COMPARED: Final = 2_000


def main() -> None:
    """Export and compare."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--checkpoint", type=Path, required=True)
    parser.add_argument("--tables", type=Path, required=True, help="to compare the graphs on")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--compared", type=int, default=_COMPARED, help="pairs to compare on")
    options = parser.parse_args()
    outputs = {"labels": {0: "pairs"}, "flags": {0: "pairs", 1: "tokens"}}
    network = load(options.checkpoint)
    export(network, options.out, outputs, mark=int(Mark.CLAIM_SHARED), heads=("label", "flag"))
    rows = compared(options.out, Table.load(options.tables / "answers.npz"), options.compared)
    (options.out / "export.json").write_text(json.dumps(rows, indent=1) + "\n", "utf-8")
    print(json.dumps(rows))


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
