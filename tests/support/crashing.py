"""The indexer in a process that dies: at a chosen effect, or whenever someone kills it."""

import asyncio
import os
import random
import signal
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import connectors.__main__
from connectors.registry import build_connector
from connectors.runner import build_indexer, sync_once
from rag import wiring
from rag.adapters.chroma import ChromaIndex
from rag.adapters.clock import SystemClock
from rag.adapters.store.catalog_reader import SqlCatalogReader
from rag.adapters.store.catalog_writer import SqlCatalogWriter
from rag.domain.claim import Evidence
from rag.domain.document import Principal
from rag.domain.ids import SiloId
from rag.settings import Settings
from support.chroma import collection_of
from support.house import SIZES, CountingEmbedder, HereParser

SILO = "share"
EFFECTS: Mapping[str, tuple[str, ...]] = {
    "fetcher": ("listing", "fetch"),
    "parser": ("parse",),
    "catalog": (
        "recorded", "commit", "touch", "remove", "quarantine", "complete_scan", "pending",
        "store_vectors", "mark_indexed", "sweepable", "mark_swept", "deny_all", "set_meta",
        "mark_not_indexed", "forget_indexed", "rebuild_postings",
    ),
    "embedder": ("embed",),
    "index": ("add", "delete", "drop_others"),
}  # fmt: skip


class Boundaries:
    """Counts the moments before and after effects, writes their names, and dies at one of them."""

    def __init__(self, log: Path, die_at: int | None) -> None:
        self._file = log.open("w")
        self._die_at = die_at
        self._n = 0

    def cross(self, name: str) -> None:
        """One moment has come."""
        if self._n == self._die_at:
            os.kill(os.getpid(), signal.SIGKILL)
        self._n += 1
        self._file.write(name + "\n")
        self._file.flush()


class Crashing:
    """Any port, with a boundary before and after its effects."""

    def __init__(self, port: Any, names: tuple[str, ...], boundaries: Boundaries) -> None:
        self._port = port
        self._names = names
        self._boundaries = boundaries

    def __getattr__(self, name: str) -> Any:
        value = getattr(self._port, name)
        if name not in self._names:
            return value

        async def crossed(*args: Any, **kwargs: Any) -> Any:
            self._boundaries.cross(f"before {name}")
            try:
                return await value(*args, **kwargs)
            finally:
                self._boundaries.cross(f"after {name}")

        return crossed


def settings_for(data: Path, root: Path) -> Settings:
    """One silo of files, small chunks, everyone may read."""
    silo = {"id": SILO, "root": str(root), "open_to_all": True, "reconcile_interval_s": 3600}
    ingest = {"parent_chars": SIZES.parent, "child_chars": SIZES.child, "parsers": 1}
    return Settings(data_dir=data, silos=(silo,), ingest=ingest)  # type: ignore[arg-type]


def sync(data: str, root: str, port: int, log: str, die_at: int | None) -> int:
    """Reconcile once, until all is citable and the vectors caught up; perhaps die on the way."""
    asyncio.run(_sync(Path(data), Path(root), port, Boundaries(Path(log), die_at)))
    return 0


async def _sync(data: Path, root: Path, port: int, boundaries: Boundaries) -> None:
    settings = settings_for(data, root)
    embedder = CountingEmbedder()
    catalog = SqlCatalogWriter(wiring.Paths(data).catalog, SystemClock(), embedder.digest)
    index = ChromaIndex("127.0.0.1", port, collection_of(catalog, embedder.digest), create=True)
    parts = {
        "catalog": catalog, "parser": HereParser(), "embedder": embedder, "index": index
    }  # fmt: skip
    house: Any = wiring.IngestHouse(
        **{name: Crashing(part, EFFECTS[name], boundaries) for name, part in parts.items()}
    )
    indexer = build_indexer(settings, house)
    silo = indexer.silos[SiloId(SILO)]
    silo.connector = Crashing(build_connector(settings.silos[0]), EFFECTS["fetcher"], boundaries)
    await sync_once(indexer, [SiloId(SILO)], release_brake=True)
    await index.aclose()
    await catalog.aclose()


def die_while_migrating(path: str, statement: int) -> int:
    """Make a catalog, and die after so many statements of its first migration."""
    from alembic import op

    done = 0
    real = op.execute

    def execute(sql: Any) -> None:
        nonlocal done
        if done == statement:
            os.kill(os.getpid(), signal.SIGKILL)
        done += 1
        real(sql)

    op.execute = execute  # type: ignore[assignment]
    SqlCatalogWriter(Path(path), SystemClock(), CountingEmbedder().digest)
    return 0


def indexer(command: str, config: str, port: int) -> int:
    """`python -m connectors`, as it is but for the embedder, which is not what is tested."""
    wiring.build_embedder = lambda settings: CountingEmbedder()  # type: ignore[assignment, return-value]
    sys.argv = ["connectors", command, "--config", config, "--chroma-port", str(port)]
    if command == "sync":
        sys.argv.append("--allow-removals")
    return connectors.__main__.main()


# --- readers --------------------------------------------------------------------------------------


async def read_document(reader: SqlCatalogReader, word: str) -> list[Evidence]:
    """All current parents of the documents whose key or text has the word, in one snapshot."""
    async with reader.snapshot(Principal(id="anyone"), None) as snapshot:
        parents = await snapshot.lexical([word], 200)
        found = list(await snapshot.evidence(dict.fromkeys(parents, (0.0, 0.0))))
    return sorted(found, key=lambda e: e.span.start)


def read_steadily(path: str, keys: list[str], log: str) -> int:
    """Look at documents that are always there, until killed; what is wrong goes into `log`."""
    return asyncio.run(_read_steadily(Path(path), keys, Path(log)))


async def _read_steadily(path: Path, keys: list[str], log: Path) -> int:
    reader = SqlCatalogReader(path, CountingEmbedder().digest)
    latest: dict[str, int] = {}
    n_read = 0
    with log.open("w") as file:
        while True:
            key = random.choice(keys)
            found = [e for e in await read_document(reader, key) if e.source.key == f"{key}.txt"]
            wrong = whole_revision(key, found, latest)
            n_read += 1
            if wrong or n_read % 20 == 0:
                file.write(f"{'WRONG ' + wrong if wrong else n_read}\n")
                file.flush()
            await asyncio.sleep(0.01)


def revision_text(key: str, revision: int, n: int = 6) -> str:
    """One version of a document: every paragraph, and so every chunk, names it."""
    paragraphs = [
        f"Paragraph {i} of {key} in revision r{revision}. It is one of {n} that belong together, "
        f"as every reader may see, and {'very ' * (revision * 7 % 12)}long."
        for i in range(n)
    ]
    return "\n\n".join(paragraphs) + "\n"


def whole_revision(key: str, found: list[Evidence], latest: dict[str, int]) -> str:
    """What is wrong with what was found of a document, if anything; it never goes back in time."""
    if not found:
        return f"{key} is missing"
    if len({e.source.version for e in found}) != 1:
        return f"{key} is found in two versions"
    words = " ".join(e.text for e in found).split()
    revisions = {w for w in words if w.startswith("r") and w[1:].strip(".").isdigit()}
    if len(revisions) != 1:
        return f"{key} is a mixture of {sorted(revisions)}"
    revision = int(revisions.pop()[1:].strip("."))
    if " ".join(words) != " ".join(revision_text(key, revision).split()):
        return f"{key} has gaps"
    if revision < latest.get(key, revision):
        return f"{key} went back from {latest[key]} to {revision}"
    latest[key] = revision
    return ""
