"""Builds the training pairs: `python -m rag.models.judge.train.build --out build/judge`.

Reads the folder named by SWORN_DATASETS and writes `general.npz` and `answers.npz`: every pair
as the encoder reads it. Takes some minutes; both files are the same for the same data.
"""

import argparse
import json
import os
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import lru_cache
from pathlib import Path
from typing import Final

import numpy as np

from rag.adapters.embedding.onnx_embedder import DEFAULT_MODEL, locate_model
from rag.adapters.judge.logistic import LogisticJudge
from rag.adapters.judge.marks import ClaimTooLong, Encoded, encode
from rag.adapters.shipped import Tokenise, tokeniser
from rag.adapters.windows import Idf, windows
from rag.domain.facts import agreement
from rag.models.judge.train import pairs
from rag.models.judge.train.pairs import Pair
from rag.models.judge_logistic import data
from rag.models.training.table import Row, save

STAGES: Final[dict[str, Callable[[Path], dict[str, list[Pair]]]]] = {
    "general": pairs.general,
    "answers": pairs.answers,
}
_CHUNK: Final = 200


def main() -> None:
    """Build both tables, or the one that is named."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True, help="folder for the tables")
    parser.add_argument("--stage", choices=sorted(STAGES), help="only this one")
    parser.add_argument("--processes", type=int, default=os.cpu_count() or 1)
    arguments = parser.parse_args()
    arguments.out.mkdir(parents=True, exist_ok=True)
    for stage in [arguments.stage] if arguments.stage else sorted(STAGES, reverse=True):
        sets = STAGES[stage](data.folder().parent)
        _write(sets, arguments.out / f"{stage}.npz", arguments.processes)


@lru_cache(maxsize=1)
def tools() -> tuple[Tokenise, Idf]:
    """The encoder's tokeniser and the word weights of the first judge."""
    from tokenizers import Tokenizer

    folder = locate_model(DEFAULT_MODEL).folder
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    tokenizer.no_padding()
    tokenizer.no_truncation()
    return tokeniser(tokenizer), LogisticJudge.load().idf


def encoded(pair: Pair) -> tuple[Encoded, list[int]] | None:
    """The pair with its best window, and the flags of the claim's tokens.

    None where there is nothing to read: of a claim without words no label could be learnt.
    """
    tokenise, idf = tools()
    found = windows(pair.claim, pair.evidence, idf, 1)
    if not found:
        return None
    agreed = agreement(pair.claim, pair.evidence)
    try:
        one = encode(pair.claim, pair.context, found[0].text, agreed, tokenise)
    except ClaimTooLong:
        return None
    if not one.claim_spans:
        return None
    if pair.flagged is None:
        return one, [-1] * len(one.claim_spans)
    return one, [int(any(s.overlaps(f) for f in pair.flagged)) for s in one.claim_spans]


def _encoded_all(some: Sequence[Pair]) -> list[tuple[Encoded, list[int]] | None]:
    return [encoded(p) for p in some]


def _write(sets: dict[str, list[Pair]], path: Path, processes: int) -> None:
    names = sorted({p.set for found in sets.values() for p in found})
    every = [p for found in sets.values() for p in found]
    # Pairs of one source together: what is read of its text is read once.
    every.sort(key=lambda p: (p.group, p.set))
    chunks = [every[i : i + _CHUNK] for i in range(0, len(every), _CHUNK)]
    rows: list[tuple[Pair, Encoded, list[int]]] = []
    with ProcessPoolExecutor(processes) as pool:
        for n, (chunk, done) in enumerate(
            zip(chunks, pool.map(_encoded_all, chunks), strict=True), 1
        ):
            rows += [(p, *e) for p, e in zip(chunk, done, strict=True) if e is not None]
            if n % 40 == 0:
                print(f"{path.stem}: {n * _CHUNK} of {len(every)} pairs", flush=True)
    save([_row(p, one, known) for p, one, known in rows], path)
    summary = {
        "read": len(every),
        "kept": len(rows),
        "tokens": sum(len(e.ids) for _, e, _ in rows),
        "sets": {
            name: dict(sorted(Counter(p.target.name for p, _, _ in rows if p.set == name).items()))
            for name in names
        },
    }
    path.with_suffix(".json").write_text(json.dumps(summary, indent=1) + "\n", "utf-8")
    print(json.dumps(summary), flush=True)


def _row(pair: Pair, one: Encoded, known: Sequence[int]) -> Row:
    """A flag is 1 for an unsupported token of the claim, 0 for a supported one, else -1."""
    flags = np.full(len(one.ids), -1, np.int8)
    flags[1 : 1 + len(known)] = known
    return Row(
        set=pair.set, ids=one.ids, marks=one.marks, flags=flags, target=int(pair.target),
        watched=pairs.is_watched(pair.group),
    )  # fmt: skip


if __name__ == "__main__":
    main()
