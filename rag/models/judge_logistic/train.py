"""Trains the first judge: `python -m rag.models.judge_logistic.train --out FOLDER`.

Reads only the folder named by SWORN_DATASETS. Writes model.json, model.sha256, metrics.json and
MODEL_CARD.md into FOLDER. Everything is chosen on the development sources; the test split is
read once, at the end.
"""

import argparse
import hashlib
import json
import math
import random
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler

from rag.adapters.judge.features import COLUMNS, Reading, hinged, idf_from, read
from rag.adapters.judge.logistic import LogisticJudge, support
from rag.adapters.windows import Idf
from rag.answer.calibrating import RISK, Scored, controlled_threshold, share_unsupported
from rag.domain.extraction import facts
from rag.models.judge_logistic import data
from rag.models.judge_logistic.calibrate import (
    auroc,
    best_f1,
    by_answer,
    interval,
    precision_recall,
)
from rag.models.judge_logistic.card import model_card

NAME: Final = "sworn-judge-logistic-1"
_IDF_TEXTS_MIN: Final = 15
_IDF_UNKNOWN: Final = 1.0
_COPY_FLOOR: Final = 0.97
_EDITED, _MISPLACED, _COPIED, _REFUTATION = 1_500, 1_000, 1_000, 9_000
# Supported sentences per unsupported one.
_RATIO: Final = 4
_WEIGHTS: Final = {"answers": 1.0, "edited": 0.4, "misplaced": 0.3, "copied": 0.5}
_STRENGTH: Final = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """A row and what the features say of it."""

    row: data.Row
    reading: Reading


def main() -> None:
    """Train, evaluate once, and write the four files."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True, help="folder for the four files")
    out = parser.parse_args().out
    root = data.folder()
    rows = data.ragtruth_train(root)
    dev = data.dev_groups(rows)
    fit = [r for r in rows if r.group not in dev]
    table = inverse_frequencies(fit)
    idf = idf_from(table, _IDF_UNKNOWN)
    parts = {name: measured(part, idf) for name, part in training_parts(fit).items()}
    refutation = measured(data.refutation(root, _REFUTATION), idf)
    model: dict[str, Any] = {
        "name": NAME,
        "columns": COLUMNS,
        "support": fitted([(m, _WEIGHTS[k]) for k, part in parts.items() for m in part]),
        "refute": fitted_refutation(parts["answers"], refutation),
        "copy_floor": _COPY_FLOOR,
        "idf_unknown": _IDF_UNKNOWN,
        "idf": table,
    }
    development = measured([r for r in rows if r.group in dev], idf)
    calibrate(model, development)
    digest = write_model(out, model)
    figures = {
        "model": {"name": NAME, "digest": f"sha256:{digest}", "columns": len(COLUMNS)},
        "training": {name: len(part) for name, part in parts.items()}
        | {"refutation": len(refutation), "seed": data.SEED},
        "development": development_figures(model, development),
        "refutation": refutation_figures(model, refutation),
        "step_6": agreement_figures(development),
        "edits": edit_figures(model, dev, rows, idf),
        "test": test_figures(model, measured(data.ragtruth_test(root), idf)),
    }
    (out / "metrics.json").write_text(json.dumps(figures, indent=2) + "\n", "utf-8")
    (out / "MODEL_CARD.md").write_text(model_card(figures), "utf-8")
    LogisticJudge.load(out)


def inverse_frequencies(rows: Sequence[data.Row]) -> dict[str, float]:
    """Weight of each stem that enough passages or answers have: 0 in all of them, 1 in none."""
    texts: dict[str, list[str]] = {}
    for row in rows:
        texts[row.group] = [row.pair.evidence]
        texts.setdefault(f"answer {row.answer}", []).append(row.pair.claim)
    counts = Counter[str]()
    for pieces in texts.values():
        counts.update(frozenset[str]().union(*facts(" ".join(pieces)).segment_stems))
    scale = math.log((len(texts) + 1) / 0.5)
    return {
        stemmed: round(math.log((len(texts) + 1) / (n + 0.5)) / scale, 4)
        for stemmed, n in sorted(counts.items())
        if n >= _IDF_TEXTS_MIN
    }


def training_parts(fit: Sequence[data.Row]) -> dict[str, list[data.Row]]:
    """The rows of each kind: answers, one fault to `_RATIO` sound ones, and their variations."""
    usable = [r for r in fit if not r.is_masked]
    bad = [r for r in usable if not r.supported]
    good = [r for r in usable if r.supported]
    kept = random.Random(data.SEED).sample(
        good, min(len(good), _RATIO * len(bad))
    )  # a fixed draw, no secret
    return {
        "answers": bad + kept,
        "edited": data.edited(list(fit), _EDITED),
        "misplaced": data.misplaced(list(fit), _MISPLACED),
        "copied": data.copied(list(fit), _COPIED),
    }


def measured(rows: Sequence[data.Row], idf: Idf) -> list[Measured]:
    """Rows with their features, sorted by source so that evidence is read once."""
    ordered = sorted(rows, key=lambda r: (r.group, r.answer))
    return [
        Measured(row=r, reading=read(r.pair.claim, r.pair.context, r.pair.evidence, idf))
        for r in ordered
    ]


def fitted(rows: Sequence[tuple[Measured, float]]) -> dict[str, Any]:
    """A logistic regression for support, the standardisation folded into its weights."""
    labels = np.array([m.row.supported for m, _ in rows])
    return _regression([m for m, _ in rows], labels, np.array([w for _, w in rows]))


def fitted_refutation(
    answers: Sequence[Measured], refutation: Sequence[Measured]
) -> dict[str, Any]:
    """A logistic regression for refutation; a fifth of the claims is held out."""
    rows = [m for m in refutation if not _is_held_out(m.row)]
    rows += [m for m in answers if m.row.supported][: len(rows) // 2]
    labels = np.array([m.row.refuted for m in rows])
    return _regression(rows, labels, np.ones(len(rows)))


def _is_held_out(row: data.Row) -> bool:
    return hashlib.sha256(row.group.encode()).digest()[0] % 5 == 0


def _regression(
    rows: Sequence[Measured], labels: NDArray[np.bool_], weights: NDArray[np.float64]
) -> dict[str, Any]:
    columns = np.array([hinged(m.reading.values) for m in rows])
    scaler = StandardScaler().fit(columns)
    model = LogisticRegression(C=_STRENGTH, max_iter=5_000, random_state=data.SEED)
    model.fit(scaler.transform(columns), labels, sample_weight=weights)
    folded = model.coef_[0] / scaler.scale_
    bias = float(model.intercept_[0] - np.dot(folded, scaler.mean_))
    return {"weights": [round(float(w), 8) for w in folded], "bias": round(bias, 8)}


def scored(
    model: Mapping[str, Any], rows: Sequence[Measured], *, lenient: bool = False
) -> list[Scored]:
    """Rows with the judge's probability; `lenient` counts implicitly true ones as supported."""
    return [
        Scored(
            score=support(model, m.reading),
            supported=m.row.supported or (lenient and m.row.is_implicit),
            group=m.row.group,
            answer=m.row.answer,
        )
        for m in rows
    ]


def calibrate(model: dict[str, Any], development: Sequence[Measured]) -> None:
    """Choose both thresholds on the development sources and write them into `model`."""
    claims = scored(model, development)
    threshold = controlled_threshold(claims)
    if threshold is None or threshold > _COPY_FLOOR:
        raise SystemExit("no threshold keeps the stated risk")
    model["threshold_support"] = threshold
    model["threshold_f1"] = best_f1(scored(model, development, lenient=True))
    model["calibration"] = {
        "method": "conformal risk control, monotone envelope, by source",
        "risk": RISK,
        "set": "RAGTruth QA, 120 held-out training sources",
        "n_sources": len({c.group for c in claims}),
        "n_claims": len(claims),
    }


def write_model(out: Path, model: Mapping[str, Any]) -> str:
    """Write the model and the file that pins it; the digest."""
    out.mkdir(parents=True, exist_ok=True)
    text = json.dumps(model, ensure_ascii=False, sort_keys=True, indent=1) + "\n"
    (out / "model.json").write_bytes(text.encode())
    digest = hashlib.sha256(text.encode()).hexdigest()
    (out / "model.sha256").write_text(f"{digest}  model.json\n", "utf-8")
    return digest


def _figures(model: Mapping[str, Any], claims: Sequence[Scored]) -> dict[str, Any]:
    answers = by_answer(claims)
    fault_min = 1.0 - model["threshold_f1"]
    precision, recall, f1 = precision_recall(answers, fault_min)
    unsupported, returned = share_unsupported(claims, model["threshold_support"])
    return {
        "n_answers": len(answers),
        "n_faulty_answers": sum(bad for _, bad, _ in answers),
        "n_claims": len(claims),
        "n_sources": len({c.group for c in claims}),
        "precision": precision,
        "recall": recall,
        "f1": f1,
        "auroc": auroc([a[0] for a in answers], [a[1] for a in answers]),
        "sentence_auroc": auroc([c.score for c in claims], [c.supported for c in claims]),
        "share_unsupported_of_returned": unsupported,
        "share_returned": returned,
    }


def development_figures(
    model: Mapping[str, Any], development: Sequence[Measured]
) -> dict[str, Any]:
    """Figures on the development sources, in-sample for both thresholds."""
    return {
        "all_labels": _figures(model, scored(model, development)),
        "implicit_dropped": _figures(model, scored(model, development, lenient=True)),
        "threshold_support": model["threshold_support"],
        "threshold_f1": model["threshold_f1"],
        "calibration": model["calibration"],
    }


def test_figures(model: Mapping[str, Any], test: Sequence[Measured]) -> dict[str, Any]:
    """Figures on the official test split, with 95 % intervals over sources."""
    claims = scored(model, test)
    intervals = interval(by_answer(claims), 1.0 - model["threshold_f1"], data.SEED)
    return _figures(model, claims) | {"interval_95": intervals}


def refutation_figures(
    model: Mapping[str, Any], refutation: Sequence[Measured]
) -> dict[str, float]:
    """AUROC of refutation on the held-out fifth, per set."""
    held = [m for m in refutation if _is_held_out(m.row)]
    found: dict[str, float] = {"n_held_out": len(held)}
    for name in ("fever", "cad", "stance"):
        part = [m for m in held if m.row.group.startswith(name)]
        # `support` reads whichever weights it is given under that name.
        as_support = {"support": model["refute"], "copy_floor": 0.0}
        scores = [support(as_support, m.reading) for m in part]
        found[f"auroc_{name}"] = auroc(scores, [m.row.refuted for m in part])
    return found


def agreement_figures(development: Sequence[Measured]) -> dict[str, dict[str, float]]:
    """For each kind of disagreement, how many sentences have it and how many of them are faulty."""
    found: dict[str, dict[str, float]] = {}
    for kind in ("number", "unit", "date", "name", "negation"):
        faulty = [
            not m.row.supported
            for m in development
            if any(d.kind == kind for d in m.reading.agreement.disagreements)
        ]
        found[kind] = {"n": len(faulty), "precision": sum(faulty) / max(1, len(faulty))}
    sound = [m.reading.agreement.holds for m in development if m.row.supported]
    return found | {"sound": {"n": len(sound), "share_flagged": 1 - sum(sound) / len(sound)}}


def edit_figures(
    model: Mapping[str, Any], dev: frozenset[str], rows: Sequence[data.Row], idf: Idf
) -> dict[str, float]:
    """What becomes of changed facts, foreign passages and copied sentences of the dev sources."""
    of_dev = [r for r in rows if r.group in dev]
    threshold = float(model["threshold_support"])

    def passed(part: Sequence[data.Row]) -> float:
        scores = [support(model, m.reading) for m in measured(part, idf)]
        return sum(s >= threshold for s in scores) / max(1, len(scores))

    edited = data.edited(of_dev, 400)
    changed = measured(edited, idf)
    return {
        "edited_passed": passed(edited),
        "edited_passed_and_agreeing": sum(
            support(model, m.reading) >= threshold and m.reading.agreement.holds for m in changed
        )
        / max(1, len(changed)),
        "misplaced_passed": passed(data.misplaced(of_dev, 300)),
        "copied_passed": passed(
            [replace(r, answer=f"{r.answer} {i}") for i, r in enumerate(data.copied(of_dev, 240))]
        ),
    }


if __name__ == "__main__":
    main()
