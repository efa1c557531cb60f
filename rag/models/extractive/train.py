"""Fit the extractive generator's weights.

    SWORN_DATASETS=... python -m rag.models.extractive.train --out rag/models/extractive

Questions of SQuAD 1.1 train, of the articles that the reader was not trained on, are asked over the
paragraphs of their articles, half of them with the right paragraph taken away; questions of TAT-QA over tables and paragraphs alike; and the
demo organisation's gold questions with odd numbers over its silos, weighted five times, so that
lists, code and records are seen too. Each of the compared units is an example: does it hold the
answer? The threshold keeps silent on 85 % of the odd-numbered questions that nothing answers.
The even-numbered ones are never looked at here: `make eval` reports them apart.
"""

import argparse
import asyncio
import json
import lzma
import os
import random
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import numpy as np

from rag.adapters.generators.extractive import ExtractiveGenerator, Weights
from rag.adapters.generators.features import Scored, discount
from rag.adapters.generators.question import read_question
from rag.adapters.reader.neural import NeuralReader
from rag.answer.gathering import ReadingOptions, ordered
from rag.answer.planning import plan_query
from rag.answer.retrieval import retrieve
from rag.answer.selection import fuse
from rag.domain.claim import Evidence, Source
from rag.domain.document import Element, ElementKind, Principal
from rag.domain.ids import ChunkId, DocumentId, SiloId, digest_text
from rag.domain.words import Span, content_stems
from rag.models.reader.train.examples import is_watched
from rag.settings import Settings, load_settings
from rag.wiring import NoStore, build_embedder, open_answers

SEED: Final = 7
QUESTIONS_PER_ARTICLE: Final = 60
N_TABLES: Final = 120
SHOWN: Final = 8
DEMO_WEIGHT: Final = 5.0
SILENT_SHARE: Final = 0.85
NEVER: Final = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class Passage:
    """A paragraph or table with what it belongs to."""

    title: str
    text: str
    kind: ElementKind


@dataclass(frozen=True, slots=True, kw_only=True)
class Ask:
    """A question, its answers, and the passage that holds them (None: taken away)."""

    question: str
    answers: tuple[str, ...]
    gold: int
    removed: bool
    group: str


def main() -> int:
    """Train, choose the threshold, write model.json and metrics.json."""
    parser = argparse.ArgumentParser(prog="python -m rag.models.extractive.train")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--config", type=Path, default=Path("sworn.toml"), help="the demo's")
    parser.add_argument("--questions", type=Path, default=Path("data/questions.jsonl"))
    arguments = parser.parse_args()
    settings = load_settings(arguments.config)
    folder = os.environ.get("SWORN_DATASETS")
    if not folder:
        print("set SWORN_DATASETS to the folder of the data sets", file=sys.stderr)
        return 2
    passages, asks = _load(Path(folder) / "retrieval")
    examples = asyncio.run(_examples(passages, asks, settings))
    demo = asyncio.run(_demo_examples(arguments.questions, settings))
    model, metrics = _fit(examples, demo)
    (arguments.out / "model.json").write_text(json.dumps(model, indent=1) + "\n")
    (arguments.out / "metrics.json").write_text(json.dumps(metrics, indent=1) + "\n")
    print(json.dumps(metrics, indent=1))
    return 0


# --- data -----------------------------------------------------------------------------------------


def _load(folder: Path) -> tuple[list[Passage], list[Ask]]:
    rng = random.Random(SEED)
    passages: list[Passage] = []
    asks: list[Ask] = []
    with lzma.open(folder / "squad" / "train-1.1.json.xz", "rt") as file:
        articles = json.load(file)["data"]
    # What the reader was trained on it knows too well to teach how far it can be trusted.
    for article in (a for a in articles if is_watched(a["title"].replace("_", " "))):
        _add_article(article, passages, asks, rng)
    tables = json.loads((folder / "tatqa" / "tatqa_dataset_dev.json").read_text())
    for record in rng.sample(tables, N_TABLES):
        _add_table(record, passages, asks, rng)
    return passages, asks


def _add_article(
    article: dict[str, Any], passages: list[Passage], asks: list[Ask], rng: random.Random
) -> None:
    title = article["title"].replace("_", " ")
    found: list[Ask] = []
    for paragraph in article["paragraphs"]:
        gold = len(passages)
        text = paragraph["context"].strip()
        passages.append(Passage(title=title, text=text, kind=ElementKind.PARAGRAPH))
        found.extend(
            Ask(
                question=qa["question"].strip(),
                answers=tuple({a["text"] for a in qa["answers"]}),
                gold=gold,
                removed=rng.random() < 0.5,
                group=title,
            )
            for qa in paragraph["qas"]
        )
    asks.extend(rng.sample(found, min(QUESTIONS_PER_ARTICLE, len(found))))


def _add_table(
    record: dict[str, Any], passages: list[Passage], asks: list[Ask], rng: random.Random
) -> None:
    rows = record["table"]["table"]
    names = next((r for r in rows if any(r[1:])), rows[0])
    body = [
        " | ".join(f"{n}: {c}" if n else c for n, c in zip(names, row, strict=False) if c)
        for row in rows
        if any(row) and row is not names
    ]
    group = f"table {record['table']['uid']}"
    gold = len(passages)
    text = "\n".join([" | ".join(n for n in names if n), *body])
    passages.append(Passage(title="Annual report", text=text, kind=ElementKind.TABLE))
    passages.extend(
        Passage(title="Annual report", text=p["text"], kind=ElementKind.PARAGRAPH)
        for p in record["paragraphs"]
    )
    asks.extend(
        Ask(
            question=q["question"], answers=tuple(str(a) for a in q["answer"]), gold=gold,
            removed=rng.random() < 0.5, group=group,
        )
        for q in record["questions"]
        if q["answer_type"] == "span" and q["answer_from"] == "table"
    )  # fmt: skip


# --- examples: the compared units of each question, labelled ------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Example:
    """The units compared for one question and which of them hold the answer."""

    group: str
    answerable: bool
    scored: tuple[Scored, ...]
    right: tuple[bool, ...]
    discounts: tuple[float, ...] = ()


async def _examples(
    passages: Sequence[Passage], asks: Sequence[Ask], settings: Settings
) -> list[Example]:
    embedder = build_embedder(settings)
    vectors = await _vectors(embedder, [p.text for p in passages])
    queries = await _vectors(embedder, [a.question for a in asks])
    lexical = _Lexical(passages)
    generator = ExtractiveGenerator(embedder, UNFITTED)
    reader = NeuralReader.load()
    examples: list[Example] = []
    for n, ask in enumerate(asks):
        found = _retrieve(ask, passages, lexical, vectors, queries[n])
        evidence = await ordered(ask.question, found, reader, ReadingOptions())
        shown = [int(e.chunk_ids[0]) for e in evidence]
        scored = await generator.score(read_question(ask.question), evidence)
        right = [
            shown[s.unit.evidence] == ask.gold
            and any(_holds(s.unit.text, answer) for answer in ask.answers)
            for s in scored
        ]
        answerable = ask.gold in shown
        examples.append(
            Example(
                group=ask.group, answerable=answerable, scored=tuple(scored), right=tuple(right)
            )
        )
        if n % 100 == 0:
            print(f"{n} of {len(asks)} questions", file=sys.stderr)
    return examples


class _Zero(dict[str, float]):
    def __missing__(self, key: str) -> float:
        return 0.0


UNFITTED: Final = Weights(bias=0.0, by_feature=_Zero(), threshold=0.5, digest=digest_text("none"))


async def _demo_examples(questions: Path, settings: Settings) -> list[Example]:
    """The odd-numbered gold questions over the demo's own index (`sworn sync` makes it)."""
    examples: list[Example] = []
    async with open_answers(settings, NoStore(), None) as house:
        generator = ExtractiveGenerator(house.embedder, UNFITTED)
        reader = NeuralReader.load()
        for line in questions.read_text().splitlines():
            row = json.loads(line)
            if int(row["id"][1:]) % 2 == 0:
                continue
            asker = Principal(id="train", groups=frozenset(row["groups"]))
            async with house.catalog.snapshot(asker, None) as snapshot:
                query = plan_query(row["question"])
                options = house.options.retrieval
                found = await retrieve(query, snapshot, house.embedder, None, options)
            ask = read_question(row["question"])
            evidence = await ordered(row["question"], found.evidence, reader, ReadingOptions())
            scored = await generator.score(ask, evidence)
            accept = [row["answer"], *row.get("accept", ())] if row["answer"] else []
            off = [discount(ask, s.unit, evidence[s.unit.evidence]) for s in scored]
            examples.append(
                Example(
                    group=row["id"], answerable=bool(accept), scored=tuple(scored),
                    right=tuple(any(_holds(s.unit.text, a) for a in accept) for s in scored),
                    discounts=tuple(off),
                )
            )  # fmt: skip
    return examples


async def _vectors(embedder: Any, texts: Sequence[str]) -> np.ndarray[Any, Any]:
    rows: list[np.ndarray[Any, Any]] = []
    for start in range(0, len(texts), 64):
        some = await embedder.embed([t[:1000] for t in texts[start : start + 64]])
        rows.extend(np.frombuffer(v, dtype="<f4") for v in some)
        print(f"embedded {len(rows)} of {len(texts)}", file=sys.stderr)
    return np.stack(rows)


class _Lexical:
    """TF-IDF over stems: near enough to BM25 to rank a training pool."""

    def __init__(self, passages: Sequence[Passage]) -> None:
        from sklearn.feature_extraction.text import TfidfVectorizer

        self._vectorizer = TfidfVectorizer(analyzer=content_stems, sublinear_tf=True)
        self._matrix = self._vectorizer.fit_transform(f"{p.title} {p.text}" for p in passages)

    def scores(self, question: str) -> np.ndarray[Any, Any]:
        """Cosine with every passage."""
        product = self._matrix @ self._vectorizer.transform([question]).T
        return np.asarray(product.todense()).ravel()


def _retrieve(
    ask: Ask,
    passages: Sequence[Passage],
    lexical: _Lexical,
    vectors: np.ndarray[Any, Any],
    query: np.ndarray[Any, Any],
) -> list[Evidence]:
    """The passages that belt two would show, the gold one left out where it was taken away."""
    words, dense = lexical.scores(ask.question), vectors @ query
    if ask.removed:
        words[ask.gold], dense[ask.gold] = 0.0, -1.0
    by_words = {ChunkId(int(i)): float(words[i]) for i in np.argsort(-words)[:100] if words[i] > 0}
    by_vector = {ChunkId(int(i)): float(dense[i]) for i in np.argsort(-dense)[:100]}
    hits = fuse(by_words, by_vector, dense_weight=0.4)[:SHOWN]
    evidence = [
        _evidence(int(h.chunk_id), passages[h.chunk_id], h.score, float(dense[h.chunk_id]))
        for h in hits
    ]
    return evidence


def _evidence(number: int, passage: Passage, score: float, dense: float) -> Evidence:
    span = Span(0, len(passage.text))
    source = Source(
        document_id=DocumentId("doc"), silo=SiloId("train"), key=passage.title, title=passage.title,
        uri="", version=digest_text(""), raw_digest=digest_text(""), modified_at=NEVER,
        observed_at=NEVER, confirmed_at=NEVER,
    )  # fmt: skip
    return Evidence(
        chunk_ids=(ChunkId(number),), text=passage.text, span=span, section=(), page=None, score=score,
        dense=dense, source=source, elements=(Element(kind=passage.kind, span=span),),
    )  # fmt: skip


def _holds(text: str, answer: str) -> bool:
    return " ".join(answer.casefold().split()) in " ".join(text.casefold().split())


# --- fit --------------------------------------------------------------------------------------------


def _fit(
    examples: Sequence[Example], demo: Sequence[Example]
) -> tuple[dict[str, Any], dict[str, Any]]:
    from sklearn.linear_model import LogisticRegression

    groups = sorted({e.group for e in examples})
    random.Random(SEED).shuffle(groups)
    held_out = set(groups[: len(groups) // 4])
    train = [e for e in examples if e.group not in held_out and e.scored]
    dev = [e for e in examples if e.group in held_out and e.scored]
    names = sorted(train[0].scored[0].features)
    x, y = _matrix(train, names)
    x_demo, y_demo = _matrix(demo, names)
    regression = LogisticRegression(C=0.1, max_iter=3000).fit(
        np.vstack([x, x_demo]),
        np.concatenate([y, y_demo]),
        sample_weight=np.concatenate([np.ones(len(y)), np.full(len(y_demo), DEMO_WEIGHT)]),
    )
    weights = dict(zip(names, (float(w) for w in regression.coef_[0]), strict=True))
    bias = float(regression.intercept_[0])
    silent = [_top(e, weights, bias)[0] for e in demo if not e.answerable and e.scored]
    threshold = round(float(np.quantile(silent, SILENT_SHARE)), 3)
    model = {
        "bias": round(bias, 5),
        "weights": {name: round(weight, 5) for name, weight in weights.items()},
        "threshold": threshold,
        "trained_on": "SQuAD 1.1 train (CC BY-SA 4.0), TAT-QA dev (CC BY 4.0), demo organisation,"
        " odd-numbered questions (CC0)",
        "seed": SEED,
    }
    sizes = {"n_train": len(train), "n_dev": len(dev), "n_demo": len(demo), "n_units": len(y)}
    return model, {**sizes, **_figures(dev, weights, bias, threshold)}


def _matrix(
    examples: Iterable[Example], names: Sequence[str]
) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    rows = [([s.features[n] for n in names], r)
            for e in examples for s, r in zip(e.scored, e.right, strict=True)]  # fmt: skip
    return np.array([row for row, _ in rows]), np.array([right for _, right in rows])


def _figures(
    dev: Sequence[Example], weights: dict[str, float], bias: float, threshold: float
) -> dict[str, float]:
    """How it does on the held-out articles and tables."""
    tops = [_top(e, weights, bias) for e in dev]
    answerable = [top for top in tops if top[2]]
    silent = [top for top in tops if not top[2]]
    given = [top for top in tops if top[0] >= threshold]
    figures = {
        "dev_top_unit_right": sum(r for _, r, _ in answerable) / len(answerable),
        "dev_answered_right": sum(r for p, r, _ in answerable if p >= threshold) / len(answerable),
        "dev_abstained_when_unanswerable": sum(p < threshold for p, _, _ in silent) / len(silent),
        "dev_precision": sum(r for _, r, _ in given) / max(1, len(given)),
    }
    return {name: round(value, 4) for name, value in figures.items()}


def _top(example: Example, weights: dict[str, float], bias: float) -> tuple[float, bool, bool]:
    off = example.discounts or (0.0,) * len(example.scored)
    logits = [
        bias + sum(weights[n] * v for n, v in s.features.items()) - d
        for s, d in zip(example.scored, off, strict=True)
    ]
    at = int(np.argmax(logits))
    return float(1 / (1 + np.exp(-logits[at]))), example.right[at], example.answerable


if __name__ == "__main__":
    sys.exit(main())
