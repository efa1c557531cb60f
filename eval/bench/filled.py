"""A large installation, made fast: texts by the real belt, vectors of the filler by chance.

Embedding 50,000 chunks takes 40 minutes on two cores and would measure nothing that the bench
`indexing` does not. So the filler's texts are indexed by the real process from real files, the
process is stopped, and the vectors it has not made yet are written through the ledger: random
unit vectors. From there all is real again: Chroma gets them by belt one's own step. The demo
organisation and the documents that are edited have real vectors.
"""

import asyncio
import random
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import numpy as np

from eval.bench import corpus
from eval.bench.common import Options, say
from eval.bench.installation import (
    DEMO_SILOS,
    Installation,
    Probe,
    chroma,
    copy_demo,
    indexer,
    install,
    wait,
)
from rag.adapters.chroma import BATCH_MAX, ChromaIndex, collection_name
from rag.adapters.clock import SystemClock
from rag.adapters.store.catalog_writer import SqlCatalogWriter
from rag.domain.errors import ModelUnavailable
from rag.domain.ids import Digest
from rag.ingest.pipeline import FollowPorts, follow
from rag.settings import CHROMA_HOST
from rag.wiring import prepare_model

FILLER: Final = "archive"
DESK: Final = "desk"
N_DESK: Final = 40
DESK_CHARS: Final = 10_000
LONG: Final = "long.md"
LONG_CHARS: Final = 600_000
DIMENSIONS: Final = 384
CHARS: Final = 13_000
_DONE: Final = "filled"


def n_files(options: Options) -> int:
    """Files of the filler, 28 chunks each."""
    return options.choose(50, 1_800)


def filled(options: Options) -> Installation:
    """The installation, made when it is first asked for in a run."""
    name = f"filled-{n_files(options)}"
    folder = options.work / name
    if not (folder / _DONE).exists():
        shutil.rmtree(folder, ignore_errors=True)
        made = install(options, name, (*DEMO_SILOS, DESK, FILLER))
        _build(made, options)
        (folder / _DONE).touch()
    return Installation(folder)


def _build(made: Installation, options: Options) -> None:
    say(f"building {made.folder.name}: writing files")
    copy_demo(made)
    _write_desk(made.silo(DESK), options)
    _write_filler(made.silo(FILLER), n_files(options), options.seed)
    with chroma(made) as port:
        say("indexing the demo organisation, with real vectors")
        silos = [word for silo in DEMO_SILOS for word in ("--silo", silo)]
        with indexer(made, port, "sync", *silos) as child:
            child.wait(1800)
        _index_texts(made, port, options)
        say("vectors by chance, into the ledger and Chroma")
        asyncio.run(_fill_vectors(made, port, options.seed))


def _write_desk(folder: Path, options: Options) -> None:
    """Documents of 10 KB to edit, and one of 200 pages."""
    rng = random.Random(options.seed + 1)
    for i in range(N_DESK):
        (folder / f"{i:02d}.md").write_text(corpus.document(rng, DESK_CHARS))
    (folder / LONG).write_text(corpus.document(rng, LONG_CHARS))


def _write_filler(folder: Path, n: int, seed: int) -> None:
    rng = random.Random(seed + 2)
    for i in range(n):
        below = folder / f"{i // 500:03d}"
        below.mkdir(exist_ok=True)
        (below / f"{i:06d}.md").write_text(corpus.document(rng, CHARS))


def _index_texts(made: Installation, port: int, options: Options) -> None:
    """All is citable; then the process is stopped at once, as a crash would."""
    probe = Probe(made)
    n = n_files(options)
    say(f"indexing {n} files")
    silos = [word for silo in (DESK, FILLER) for word in ("--silo", silo)]
    with indexer(made, port, "sync", *silos) as child:
        taken_s = wait(
            lambda: probe.n_documents(FILLER) >= n or child.poll() is not None, 3600, "the texts"
        )
        child.kill()
    if probe.n_documents(FILLER) < n:
        raise RuntimeError("the indexer stopped early; see run/indexer.log")
    say(f"{n} texts citable after {taken_s:.0f} s: {n / taken_s:.0f} documents/s")
    probe.close()


class _NoEmbedder:
    """Stands where the embedder does; nothing must be left for it."""

    name = "none"
    digest = Digest("none")

    async def embed(self, texts: Sequence[str]) -> Sequence[bytes]:
        if texts:
            raise ModelUnavailable("a text without a vector was left")
        return []


async def _fill_vectors(made: Installation, port: int, seed: int) -> None:
    digest = prepare_model(made.settings).digest
    catalog = SqlCatalogWriter(made.paths.catalog, SystemClock(), digest)
    await catalog.store_vectors(await asyncio.to_thread(_random_vectors, made, seed))

    async def name() -> str:
        catalog_id, build = await catalog.meta("catalog_id"), await catalog.meta("index_build")
        return collection_name(str(catalog_id), digest, str(build))

    index = ChromaIndex(CHROMA_HOST, port, name, create=True)
    ports = FollowPorts(ledger=catalog, embedder=_NoEmbedder(), index=index)
    while await follow(ports, BATCH_MAX):
        pass
    await index.aclose()
    await catalog.aclose()


def _random_vectors(made: Installation, seed: int) -> dict[Digest, bytes]:
    probe = Probe(made)
    statement = """
        SELECT DISTINCT text_digest FROM chunk WHERE parent_id IS NOT NULL
        AND text_digest NOT IN (SELECT text_digest FROM vector)
    """
    digests = [Digest(row[0]) for row in probe.rows(statement)]
    probe.close()
    rng = np.random.default_rng(seed)
    rows = rng.standard_normal((len(digests), DIMENSIONS)).astype("<f4")
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    return {digest: row.tobytes() for digest, row in zip(digests, rows, strict=True)}
