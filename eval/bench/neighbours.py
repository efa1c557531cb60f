"""How many of the true neighbours Chroma's approximate index finds."""

import asyncio
import random
import shutil
import time
from collections.abc import Sequence
from typing import Final

import numpy as np

from eval.bench import corpus
from eval.bench.common import Load, Options, Row, folder_bytes, p50_p95, say
from eval.bench.installation import Installation, chroma, install
from rag.adapters.chroma import BATCH_MAX, ChromaIndex, collection_name
from rag.domain.ids import ChunkId, Digest
from rag.settings import CHROMA_HOST
from rag.wiring import build_embedder

AIM_RECALL: Final = 0.99
CANDIDATES: Final = 200
K: Final = 10
N_QUERIES: Final = 200

Array = np.ndarray


def run(options: Options) -> list[Row]:
    """Real vectors of real and recombined sentences; real questions; exact scan as the truth."""
    made = install(options, "neighbours", ())
    n = options.choose(2_000, 20_000)
    return asyncio.run(_measure(made, options, n))


async def _measure(made: Installation, options: Options, n: int) -> list[Row]:
    vectors, queries = await _vectors(made, options, n)
    shutil.rmtree(made.paths.chroma, ignore_errors=True)
    with chroma(made) as port:
        index = ChromaIndex(CHROMA_HOST, port, _name, create=True)
        say(f"adding {n} vectors to Chroma")
        started_s = time.perf_counter()
        for start in range(0, n, BATCH_MAX):
            rows = vectors[start : start + BATCH_MAX]
            await index.add({ChunkId(start + i): r.tobytes() for i, r in enumerate(rows)})
        rate = n / (time.perf_counter() - started_s)
        with Load() as load:
            found = [await _timed(index, query) for query in queries]
            exact = [_exact(vectors, query) for query in queries]
        await index.aclose()
    size = folder_bytes(made.paths.chroma) / 2**20
    return _rows(n, found, exact, rate, size, load.note)


async def _name() -> str:
    return collection_name("bench", Digest("sha256:00000000"), "1")


async def _timed(index: ChromaIndex, query: Array) -> tuple[list[int], float]:
    started_s = time.perf_counter()
    found = await index.nearest(query.tobytes(), CANDIDATES)
    return [int(i) for i in found], time.perf_counter() - started_s


def _exact(vectors: Array, query: Array) -> tuple[list[int], float]:
    started_s = time.perf_counter()
    scores = vectors @ query
    best = np.argpartition(-scores, CANDIDATES)[:CANDIDATES]
    order = [int(i) for i in best[np.argsort(-scores[best])]]
    return order, time.perf_counter() - started_s


async def _vectors(made: Installation, options: Options, n: int) -> tuple[Array, Array]:
    """Embedded once per folder of work: they are the dear part."""
    place = options.work / f"vectors-{n}.npz"
    if place.exists():
        held = np.load(place)
        return held["vectors"], held["queries"]
    texts = _texts(options, n)
    questions = [a.question for a in corpus.collection().questions][:: _step()][:N_QUERIES]
    embedder = build_embedder(made.settings)
    say(f"embedding {n} sentences")
    bodies: list[bytes] = []
    for start in range(0, n, 1000):
        bodies += await embedder.embed(texts[start : start + 1000])
        if not start % 10_000:
            say(f"{start} embedded")
    queries = await embedder.embed(questions)
    await embedder.aclose()
    arrays = _array(bodies), _array(queries)
    np.savez(place, vectors=arrays[0], queries=arrays[1])
    return arrays


def _step() -> int:
    return max(1, len(corpus.collection().questions) // N_QUERIES)


def _texts(options: Options, n: int) -> list[str]:
    """Sentences as they stand, and recombined ones where there are too few."""
    rng = random.Random(options.seed)
    texts = list(corpus.sentences())
    rng.shuffle(texts)
    return texts[:n] + [corpus.sentence(rng, 0.4) for _ in range(n - len(texts))]


def _array(bodies: Sequence[bytes]) -> Array:
    return np.stack([np.frombuffer(b, dtype="<f4") for b in bodies])


def _rows(
    n: int,
    found: list[tuple[list[int], float]],
    exact: list[tuple[list[int], float]],
    rate: float,
    size: float,
    others: str,
) -> list[Row]:
    def recall(depth: int, within: int) -> float:
        pairs = zip(found, exact, strict=True)
        shares = [len(set(f[:within]) & set(e[:depth])) / depth for (f, _), (e, _) in pairs]
        return sum(shares) / len(shares)

    at_10, whole = recall(K, CANDIDATES), recall(CANDIDATES, CANDIDATES)
    return [
        Row(
            bench="neighbours", what=f"recall of the true 10 within 200 candidates, {n} vectors",
            figure=f"{at_10:.4f}", aim=f">= {AIM_RECALL}", met=at_10 >= AIM_RECALL, others=others,
        ),
        Row(bench="neighbours", what="recall of the true 200", figure=f"{whole:.4f}", others=others),
        Row(
            bench="neighbours", what="200 nearest from Chroma, peer: exact scan in numpy",
            figure=p50_p95([s for _, s in found]), peer=p50_p95([s for _, s in exact]),
            others=others, samples=[s for _, s in found],
        ),
        Row(bench="neighbours", what="adding to Chroma", figure=f"{rate:.0f} vectors/s, {size:.0f} MB"),
    ]  # fmt: skip
