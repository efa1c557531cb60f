"""Exports a checkpoint: `python -m rag.models.reader.train.export --checkpoint FILE --out FOLDER`.

Writes both graphs, the tokeniser, `reader.json` and the file of digests, and says how far int8 lies
from fp32. The probability of being answered is put on its scale on articles that were kept from
training (Platt, "Probabilistic Outputs for Support Vector Machines", 1999).
"""

import argparse
import json
from functools import partial
from pathlib import Path
from random import Random
from typing import Any, Final

import numpy as np
from onnxruntime import InferenceSession
from sklearn.linear_model import LogisticRegression

from rag.adapters.judge.logistic import LogisticJudge
from rag.adapters.reader.marks import Mark
from rag.adapters.reader.neural import CONFIG, PINNED
from rag.adapters.shipped import GRAPH, pin
from rag.models.judge_logistic.calibrate import auroc
from rag.models.reader.train.build import TABLE
from rag.models.reader.train.measuring import read_rows
from rag.models.reader.train.network import load
from rag.models.training.exporting import FULL, export
from rag.models.training.table import Table

NAME: Final = "sworn-reader-1"
_COMPARED: Final = 3_000


def main() -> None:
    """Export, calibrate, compare."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--checkpoint", type=Path, required=True)
    parser.add_argument("--tables", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()
    outputs = {"answered": {0: "pairs"}, "ends": {0: "pairs", 1: "tokens"}}
    heads = ("ends", "answered")
    export(load(options.checkpoint), options.out, outputs, mark=int(Mark.TEXT), heads=heads)
    table = Table.load(options.tables / f"{TABLE}.npz")
    held = np.flatnonzero(table.watched).tolist()
    rows = Random(3).sample(held, min(_COMPARED, len(held)))
    figures = compared(options.out, table, rows)
    config = {"name": NAME, "word_weights": LogisticJudge.load().digest, **figures.pop("platt")}
    (options.out / CONFIG).write_text(json.dumps(config, indent=1) + "\n", "utf-8")
    pin(options.out, PINNED)
    (options.out / "export.json").write_text(json.dumps(figures, indent=1) + "\n", "utf-8")
    print(json.dumps(figures | config))


def compared(out: Path, table: Table, rows: list[int]) -> dict[str, Any]:
    """AUROC of being answered and exact ends of both graphs, and the scale of the int8 one."""
    found: dict[str, Any] = {"rows": len(rows)}
    graphs = {"fp32": FULL, "int8": GRAPH}
    reads = {
        name: read_rows(partial(_run, InferenceSession(str(out / graph))), table, rows)
        for name, graph in graphs.items()
    }
    for name, read in reads.items():
        found[f"auroc_{name}"] = auroc(read.logits, read.answered)
        found[f"exact_{name}"] = read.exact
        found[f"bytes_{name}"] = (out / graphs[name]).stat().st_size
    shipped = reads["int8"]
    fit = LogisticRegression(C=1e6).fit(np.array(shipped.logits)[:, None], shipped.answered)
    found["platt"] = {
        "scale": round(float(fit.coef_[0][0]), 6), "shift": round(float(fit.intercept_[0]), 6)
    }  # fmt: skip
    return found


def _run(session: Any, ids: Any, marks: Any) -> tuple[Any, Any]:
    answered, ends = session.run(None, {"ids": ids.numpy(), "marks": marks.numpy()})
    return answered, ends


if __name__ == "__main__":
    main()
