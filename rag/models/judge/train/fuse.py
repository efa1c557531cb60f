"""Joins the encoder with the features, and chooses the thresholds:

    python -m rag.models.judge.train.fuse --model build/judge/export --out build/judge/fused

Reads only sources that the encoder was not trained on: one fold fits the regression, the
development fold chooses the thresholds. Writes the files of `rag/models/judge`.
"""

import argparse
import hashlib
import json
import os
import shutil
from collections.abc import Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from random import Random
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler

from rag.adapters.judge.calibrated import calibration_row
from rag.adapters.judge.features import Reading, read
from rag.adapters.judge.logistic import LogisticJudge
from rag.adapters.judge.marks import ClaimTooLong, encode
from rag.adapters.judge.neural import (
    COLUMNS,
    FUSION,
    PINNED,
    WHAT,
    Encoder,
    columns,
    fused,
    sigmoid,
)
from rag.adapters.shipped import GRAPH, TOKENIZER, Graph, pin
from rag.adapters.windows import windows
from rag.answer.calibrating import RISK, Scored, calibrated
from rag.domain.claim import JudgePair
from rag.models.judge.train import pairs
from rag.models.judge.train.edits import broken, kept
from rag.models.judge.train.pairs import Pair, Target
from rag.models.judge_logistic import data
from rag.models.judge_logistic.calibrate import auroc, best_f1, by_answer, precision_recall

NAME: Final = "sworn-judge-1"
SET: Final = "RAGTruth QA, 120 held-out training sources"
WINDOWS: Final = 2
# What a verbatim claim is given: above any threshold that the calibration may choose.
COPY: Final = 0.99
_EDITED, _MISPLACED, _OTHERS = 450, 200, 1_000
# How much a row of each kind weighs against a sentence of a real answer.
WEIGHTS: Final = {"answers": 1.0, "edited": 0.35, "kept": 0.5, "misplaced": 0.3, "others": 0.15}
_STRENGTH: Final = 0.5
_CHUNK: Final = 500
# The first columns speak for support, the others against it.
_N_FOR: Final = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Labelled:
    """A pair of one fold with its label. `kind` is a key of `WEIGHTS`, `edit` what was changed."""

    kind: str
    fold: str
    group: str
    answer: str
    pair: JudgePair
    supported: bool
    is_implicit: bool = False
    edit: str = ""


@dataclass(frozen=True, slots=True)
class Measured:
    """A labelled pair and the fusion's columns; `fixed` is its score where no model is asked."""

    row: Labelled
    values: tuple[float, ...]
    fixed: float | None


def main() -> None:
    """Measure, fit, choose, write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", type=Path, required=True, help="folder that `export` wrote")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--graph", default=GRAPH, help="graph in that folder")
    parser.add_argument("--processes", type=int, default=os.cpu_count() or 1)
    options = parser.parse_args()
    rows = labelled(data.folder())
    values = _cached(rows, options.model, options.graph, options.processes)
    found = [Measured(r, *v) for r, v in zip(rows, values, strict=True) if v is not None]
    fusion = fit([m for m in found if m.row.fold == "fusion"])
    dev = [m for m in found if m.row.fold == "dev"]
    choose(fusion, dev)
    fusion["development"] = figures(fusion, dev)
    write(options.model, options.out, fusion)
    print(json.dumps(fusion, indent=1))


def labelled(root: Path) -> list[Labelled]:
    """The rows of both folds, in a fixed order."""
    rows = [r for r in data.ragtruth_train(root) if not r.is_masked]
    held = pairs.held_sources([pairs.from_row(r) for r in rows])
    found: list[Labelled] = []
    for fold in ("dev", "fusion"):
        mine = [r for r in rows if held.get(r.group) == fold]
        found += [
            Labelled(
                kind="answers", fold=fold, group=r.group, answer=r.answer, pair=r.pair,
                supported=r.supported, is_implicit=r.is_implicit,
            )
            for r in mine
        ]  # fmt: skip
        sound = [r for r in mine if r.supported and len(r.pair.claim) > 30]
        rng = Random(f"{pairs.SEED} {fold}")
        found += _edited(rng.sample(sound, min(_EDITED, len(sound))), fold, rng)
        found += [
            _labelled(p, "misplaced", fold)
            for p in pairs.misplaced([pairs.from_row(r) for r in sound], rng, _MISPLACED)
        ]
    return [*found, *_others(root)]


def _edited(rows: Sequence[data.Row], fold: str, rng: Random) -> Iterable[Labelled]:
    for row in rows:
        whole = Labelled(
            kind="kept", fold=fold, group=row.group, answer="", pair=row.pair, supported=True,
            edit="untouched",
        )  # fmt: skip
        made = list(broken(row.pair.claim, row.pair.evidence, rng))
        if not made:
            continue
        yield whole
        for edit in [*made, *kept(row.pair.claim, row.pair.evidence, rng)]:
            pair = replace(row.pair, claim=edit.claim)
            yield replace(
                whole, kind="kept" if edit.supported else "edited", pair=pair,
                supported=edit.supported, edit=edit.kind,
            )  # fmt: skip


def _others(root: Path) -> list[Labelled]:
    """Pairs of the other sets that the encoder did not train on, half to each fold."""
    rng = Random(pairs.SEED + 9)
    every = [p for p in pairs.natural(root.parent) if pairs.is_watched(p.group)]
    some = rng.sample(every, min(_OTHERS, len(every)))
    return [
        _labelled(p, "others", "dev" if int(_hash(p.group), 16) % 2 else "fusion") for p in some
    ]


def _labelled(pair: Pair, kind: str, fold: str) -> Labelled:
    return Labelled(
        kind=kind, fold=fold, group=pair.group, answer="", edit=pair.set,
        pair=JudgePair(claim=pair.claim, context=pair.context, evidence=pair.evidence),
        supported=pair.target is Target.SUPPORTED,
    )  # fmt: skip


Values = tuple[tuple[float, ...], float | None]


def measured(rows: Sequence[Labelled], graph: Path) -> list[Values | None]:
    """The columns of each row and its score if no model is asked; None where the judge would not read it."""
    opened = Graph.open(graph, graph.parent / TOKENIZER, WHAT, threads=1)
    floor, encoder = LogisticJudge.load(), Encoder(opened)
    return [_measured(row.pair, floor, encoder) for row in rows]


def _measured(pair: JudgePair, floor: LogisticJudge, encoder: Encoder) -> Values | None:
    reading = read(pair.claim, pair.context, pair.evidence, floor.idf)
    try:
        some = [
            encode(pair.claim, pair.context, w.text, reading.agreement, encoder.tokenise)
            for w in windows(pair.claim, pair.evidence, floor.idf, WINDOWS)
        ]
    except ClaimTooLong:
        return None
    if not some:
        return None
    return columns(floor.support(reading), reading, encoder.heads(some)), _fixed(reading)


def _fixed(reading: Reading) -> float | None:
    if reading.is_empty:
        return 0.0
    return COPY if reading.is_verbatim else None


def fit(rows: Sequence[Measured]) -> dict[str, Any]:
    """The regression, the standardisation folded into its weights."""
    matrix = np.array([m.values for m in rows])
    labels = np.array([m.row.supported for m in rows])
    weights = np.array([WEIGHTS[m.row.kind] for m in rows])
    used = list(range(len(COLUMNS)))
    while True:
        scaler = StandardScaler().fit(matrix[:, used])
        model = LogisticRegression(C=_STRENGTH, max_iter=5_000, random_state=data.SEED)
        model.fit(scaler.transform(matrix[:, used]), labels, sample_weight=weights)
        part: NDArray[np.float64] = model.coef_[0] / scaler.scale_
        # A doubt that would raise support is an accident of the sample: it is left out.
        wrong = {at for at, w in zip(used, part, strict=True) if (w < 0) == (at < _N_FOR)}
        if not wrong:
            break
        used = [at for at in used if at not in wrong]
    folded = np.zeros(len(COLUMNS))
    folded[used] = part
    bias = float(model.intercept_[0] - np.dot(part, scaler.mean_))
    return {
        "name": NAME,
        "floor": LogisticJudge.load().digest,
        "columns": list(COLUMNS),
        "weights": [round(float(w), 8) for w in folded],
        "bias": round(bias, 8),
        "copy": COPY,
        "fitted_on": {kind: sum(m.row.kind == kind for m in rows) for kind in WEIGHTS},
    }


def choose(fusion: dict[str, Any], dev: Sequence[Measured]) -> None:
    """Both thresholds, on real answers of the development sources."""
    found = scored(fusion, [m for m in dev if m.row.kind == "answers"])
    calibration = calibrated(found, SET, RISK)
    if any(t > COPY for t in calibration.points.values()):
        raise SystemExit("a threshold lies above what a copy is given")
    fusion["calibration"] = calibration_row(calibration)
    lenient = [m for m in dev if m.row.kind == "answers"]
    fusion["threshold_f1"] = best_f1(scored(fusion, lenient, lenient=True))


def scored(
    fusion: dict[str, Any], rows: Sequence[Measured], *, lenient: bool = False
) -> list[Scored]:
    """Rows with the fused probability; `lenient` counts implicitly true ones as supported."""
    return [
        Scored(
            score=fused(fusion, m.values) if m.fixed is None else m.fixed,
            supported=m.row.supported or (lenient and m.row.is_implicit),
            group=m.row.group,
            answer=m.row.answer,
        )
        for m in rows
    ]


def figures(fusion: dict[str, Any], dev: Sequence[Measured]) -> dict[str, Any]:
    """Development figures: of the fusion, of each score alone, and of the minimal pairs."""
    real = [m for m in dev if m.row.kind == "answers"]
    threshold = fusion["calibration"]["points"]["risk"]
    result: dict[str, Any] = {"fused": _quality(scored(fusion, real), fusion["threshold_f1"])}
    for at, name in enumerate(COLUMNS[:4]):
        sign = -1.0 if name in ("refuted", "worst_word") else 1.0
        alone = [
            Scored(
                score=sigmoid(sign * m.values[at]), supported=m.row.supported,
                group=m.row.group, answer=m.row.answer,
            )
            for m in real
        ]  # fmt: skip
        result[name] = _quality(alone, best_f1(alone))
    rest = [m for m in dev if m.row.kind != "answers"]
    result["passing"] = _passing(fusion, rest, threshold)
    return result


def _quality(claims: Sequence[Scored], threshold: float) -> dict[str, float]:
    answers = by_answer(claims)
    precision, recall, f1 = precision_recall(answers, 1.0 - threshold)
    return {
        "precision": precision, "recall": recall, "f1": f1,
        "auroc": auroc([a[0] for a in answers], [a[1] for a in answers]),
        "sentence_auroc": auroc([c.score for c in claims], [c.supported for c in claims]),
    }  # fmt: skip


def _passing(
    fusion: dict[str, Any], rows: Sequence[Measured], threshold: float
) -> dict[str, dict[str, float]]:
    """For each kind of edit or set, the share that reaches the threshold."""
    found: dict[str, dict[str, float]] = {}
    for name in sorted({f"{m.row.kind}: {m.row.edit}" for m in rows}):
        mine = [m for m in rows if f"{m.row.kind}: {m.row.edit}" == name]
        claims = scored(fusion, mine)
        row = {"n": len(mine), "passed": sum(c.score >= threshold for c in claims) / len(mine)}
        fine = [c.supported for c in claims]
        if 0 < sum(fine) < len(fine):
            row["auroc"] = auroc([c.score for c in claims], fine)
            row["supported"] = sum(fine) / len(fine)
        found[name] = row
    return found


def write(model: Path, out: Path, fusion: dict[str, Any]) -> None:
    """The files of the judge, with the file that pins them."""
    out.mkdir(parents=True, exist_ok=True)
    for name in (GRAPH, TOKENIZER):
        if model.resolve() != out.resolve():
            shutil.copyfile(model / name, out / name)
    text = json.dumps(fusion, ensure_ascii=False, indent=1) + "\n"
    (out / FUSION).write_bytes(text.encode())
    pin(out, PINNED)


def _cached(
    rows: Sequence[Labelled], model: Path, graph: str, processes: int
) -> list[Values | None]:
    """Measuring takes minutes, fitting seconds; the cache knows its rows and its graph."""
    cache = model / f"{graph}.columns.json"
    texts = "\n".join(f"{r.pair.claim}\t{r.pair.context}\t{r.pair.evidence}" for r in rows)
    key = _hash(texts + hashlib.sha256((model / graph).read_bytes()).hexdigest())
    if cache.exists():
        stored = json.loads(cache.read_text("utf-8"))
        if stored["key"] == key and stored["columns"] == list(COLUMNS):
            return [None if v is None else (tuple(v[0]), v[1]) for v in stored["values"]]
    chunks = [rows[i : i + _CHUNK] for i in range(0, len(rows), _CHUNK)]
    values: list[Values | None] = []
    with ProcessPoolExecutor(processes) as pool:
        for done in pool.map(measured, chunks, [model / graph] * len(chunks)):
            values += done
            print(f"{len(values)} of {len(rows)} rows measured", flush=True)
    cache.write_text(json.dumps({"key": key, "columns": list(COLUMNS), "values": values}), "utf-8")
    return values


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


if __name__ == "__main__":
    main()
