"""Invariant I5: killed at any point and started again, the index converges; readers never notice."""

import asyncio
import contextlib
import os
import random
import shutil
import signal
import sqlite3
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from support.audit import check_spans, check_vectors, dump_catalog
from support.chroma import ChromaServer, collection_of
from support.crashing import read_document, revision_text
from support.house import CountingEmbedder
from support.zygote import Zygote

from api.supervisor import wait_for_port
from rag.adapters.chroma import collection_name
from rag.adapters.clock import SystemClock
from rag.adapters.store.catalog_reader import SqlCatalogReader
from rag.adapters.store.catalog_writer import SqlCatalogWriter
from rag.domain.ids import ChunkId

pytestmark = pytest.mark.slow

MODEL = CountingEmbedder().digest
# Documents that are there before and after the edits: a reader must find them at any moment.
ALWAYS = ("steady", "edited", "grown", "touched", "doubled")


@pytest.fixture(scope="module")
def zygote(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Zygote]:
    """Forks indexers."""
    forking = Zygote(tmp_path_factory.mktemp("zygote") / "log")
    yield forking
    forking.close()


# --- at every effect ------------------------------------------------------------------------------


def write_first(root: Path) -> None:
    """The silo as it is indexed first."""
    root.mkdir()
    for key in ("steady", "edited", "grown", "touched", "gone", "moved"):
        n = 2 if key == "grown" else 5
        (root / f"{key}.txt").write_text(revision_text(key, 1, n))
    (root / "doubled.txt").write_text("doubled\n\n" + "The same again.\n\n" * 30)
    (root / "sick.json").write_text('{"sick": "still well"}')
    (root / "healed.json").write_text("{" * 5)


def edit(root: Path) -> None:
    """Everything that can happen to a document."""
    text = (root / "edited.txt").read_text()
    (root / "edited.txt").write_text(text.replace("Paragraph 2", "Changed paragraph 2"))
    (root / "grown.txt").write_text(revision_text("grown", 2, 7))
    os.utime(root / "touched.txt", (1, 1))
    (root / "gone.txt").unlink()
    (root / "moved.txt").rename(root / "renamed.txt")
    shutil.copy(root / "steady.txt", root / "copy.txt")
    (root / "doubled.txt").write_text("doubled\n\n" + "The same again.\n\n" * 37)
    (root / "sick.json").write_text("{" * 5)
    (root / "healed.json").write_text('{"healed": "well again"}')
    (root / "new.txt").write_text(revision_text("new", 1, 3))


class Rounds:
    """One silo in its last state, kills on the way there from one recorded state."""

    def __init__(self, folder: Path, zygote: Zygote, chroma: ChromaServer) -> None:
        self.folder = folder
        self.root = folder / "silo"
        self.start = folder / "start"
        self.zygote = zygote
        self.chroma = chroma
        self.client = chroma.client()
        self.collection = ""
        self.index = chroma.index(self.name)
        self.expected: dict[str, Any] = {}
        self.versions: dict[str, list[list[str]]] = {key: [] for key in ALWAYS}
        self.gone: list[str] = []
        self.n_killed = 0

    async def name(self) -> str:
        """The collection that is looked at."""
        return self.collection

    async def prepare(self) -> None:
        """Record the first state, edit, and build the last state from nothing."""
        write_first(self.root)
        assert self.sync(self.start) == 0, self.zygote.said
        await self._remember(self.start)
        reader = SqlCatalogReader(self.start / "catalog.sqlite", MODEL)
        self.gone = [e.text for e in await read_document(reader, "gone")]
        await reader.aclose()
        edit(self.root)
        assert self.sync(self.folder / "scratch") == 0, self.zygote.said
        await self._remember(self.folder / "scratch")
        self.expected = dump_catalog(self.folder / "scratch" / "catalog.sqlite")
        assert self.expected["pending"] == self.expected["to_sweep"] == 0
        states = {k: d["state"] for k, d in self.expected["documents"].items()}
        assert [k for k, state in states.items() if state != "live"] == ["share/sick.json"]

    def sync(self, data: Path, die_at: int | None = None) -> int:
        """One process; returns its exit status."""
        data.mkdir(exist_ok=True)
        return self.zygote.wait(self.begin(data, die_at))

    def begin(self, data: Path, die_at: int | None = None) -> int:
        """The process' id."""
        log = str(self.folder / "boundaries")
        return self.zygote.start(
            "support.crashing:sync", data=str(data), root=str(self.root), port=self.chroma.port,
            log=log, die_at=die_at,
        )  # fmt: skip

    @property
    def boundaries(self) -> list[str]:
        """What the last process came past."""
        return (self.folder / "boundaries").read_text().splitlines()

    async def fork(self, data: Path) -> None:
        """A copy of the recorded state, vectors included, under a catalog id of its own."""
        shutil.copytree(self.start, data)
        with contextlib.closing(sqlite3.connect(data / "catalog.sqlite")) as connection:
            connection.execute(
                "UPDATE meta SET value = lower(hex(randomblob(8))) WHERE key = 'catalog_id'"
            )
            kept = connection.execute(
                "SELECT c.id, v.body FROM chunk c JOIN vector v USING (text_digest) "
                "WHERE c.parent_id IS NOT NULL"
            ).fetchall()
            connection.commit()
            (catalog_id,) = connection.execute(
                "SELECT value FROM meta WHERE key = 'catalog_id'"
            ).fetchone()

        self.collection = collection_name(catalog_id, MODEL, "1")
        await self.index.add({ChunkId(i): body for i, body in kept})

    async def round(self, data: Path, die_at: int) -> bool:
        """Die, read, start again while reading, compare. False when there was nothing to die at."""
        reads = (data / "catalog.sqlite").exists()
        status = self.sync(data, die_at)
        assert status in (0, -signal.SIGKILL), f"boundary {die_at}: {self.zygote.said}"
        reader = SqlCatalogReader(data / "catalog.sqlite", MODEL) if reads else None
        if reader is not None:
            await self.look(reader, f"dead at {die_at}")
        pid = self.begin(data)
        waiting = asyncio.create_task(asyncio.to_thread(self.zygote.wait, pid))
        while reader is not None and not waiting.done():
            await self.look_at(reader, random.choice(ALWAYS), f"recovering from {die_at}")
            await asyncio.sleep(0.05)
        assert await waiting == 0, f"boundary {die_at}: it does not start again: {self.zygote.said}"
        if reader is not None:
            await self.look(reader, f"recovered from {die_at}")
            await reader.aclose()
        await self.compare(data, f"boundary {die_at} after {self.boundaries[-1]}")
        shutil.rmtree(data)
        self.n_killed += status != 0
        return status != 0

    async def compare(self, data: Path, where: str) -> None:
        """The same as built from nothing."""
        assert dump_catalog(data / "catalog.sqlite") == self.expected, where
        check_spans(data / "catalog.sqlite")
        with contextlib.closing(sqlite3.connect(data / "catalog.sqlite")) as connection:
            known = dict(connection.execute("SELECT key, value FROM meta").fetchall())
        self.collection = collection_name(known["catalog_id"], MODEL, known["index_build"])
        await check_vectors(data / "catalog.sqlite", self.index)
        self.client.delete_collection(self.collection)

    async def look(self, reader: SqlCatalogReader, when: str) -> None:
        """Each document that is always there is found whole, in one of its two versions."""
        for key in ALWAYS:
            await self.look_at(reader, key, when)
        texts = [e.text for e in await read_document(reader, "gone")]
        assert texts in ([], self.gone), f"{when}: half of it is gone"

    async def look_at(self, reader: SqlCatalogReader, key: str, when: str) -> None:
        """The same for one of them."""
        found = await read_document(reader, key)
        texts = [e.text for e in found if e.source.key == f"{key}.txt"]
        assert texts in self.versions[key], f"{when}: {key} reads {texts}"

    async def _remember(self, data: Path) -> None:
        reader = SqlCatalogReader(data / "catalog.sqlite", MODEL)
        for key, versions in self.versions.items():
            found = await read_document(reader, key)
            versions.append([e.text for e in found if e.source.key == f"{key}.txt"])
            assert versions[-1], key
        await reader.aclose()


READS = ("listing", "fetch", "parse", "recorded", "pending", "embed", "sweepable")


def boundaries_to_die_at(boundaries: list[str]) -> list[int]:
    """Every one around a write; of each kind around reads, which leave no trace, the first two."""
    chosen: list[int] = []
    n_seen: Counter[str] = Counter()
    for i, name in enumerate(boundaries):
        n_seen[name] += 1
        if name.split()[1] not in READS or n_seen[name] <= 2:
            chosen.append(i)
    return chosen


async def test_i5_killed_before_and_after_every_effect_it_converges_and_readers_see_no_mixture(
    memory: Path, zygote: Zygote, chroma: ChromaServer
) -> None:
    rounds = Rounds(memory, zygote, chroma)
    await rounds.prepare()
    whole = memory / "whole"
    await rounds.fork(whole)
    assert rounds.sync(whole) == 0, zygote.said
    boundaries = rounds.boundaries
    seen = set(boundaries)
    await rounds.compare(whole, "not killed at all")
    for effect in (
        "listing", "fetch", "parse", "recorded", "commit", "touch", "remove", "quarantine",
        "complete_scan", "pending", "embed", "store_vectors", "add", "mark_indexed", "sweepable",
        "delete", "mark_swept",
    ):  # fmt: skip
        assert {f"before {effect}", f"after {effect}"} <= seen, effect
    chosen = boundaries_to_die_at(boundaries)
    for die_at in chosen:
        data = memory / f"edit-{die_at}"
        await rounds.fork(data)
        await rounds.round(data, die_at)
    assert rounds.n_killed >= 0.9 * len(chosen), rounds.n_killed


async def test_i5_killed_while_the_first_index_is_made_it_converges(
    memory: Path, zygote: Zygote, chroma: ChromaServer
) -> None:
    rounds = Rounds(memory, zygote, chroma)
    await rounds.prepare()
    for die_at in range(0, 100, 6):
        await rounds.round(memory / f"first-{die_at}", die_at)
    assert rounds.n_killed >= 12, rounds.n_killed


async def test_i5_killed_again_and_again_while_it_recovers_it_converges(
    memory: Path, zygote: Zygote, chroma: ChromaServer
) -> None:
    chance = random.Random(5)
    rounds = Rounds(memory, zygote, chroma)
    await rounds.prepare()
    n_killed = 0
    for i in range(6):
        data = memory / f"again-{i}"
        await rounds.fork(data)
        for _ in range(14):
            n_killed += rounds.sync(data, chance.randrange(45)) != 0
        await rounds.round(data, chance.randrange(20))
    assert n_killed >= 60, n_killed


def test_i5_killed_in_the_middle_of_a_migration_it_is_made_at_the_next_start(
    memory: Path, zygote: Zygote
) -> None:
    path = memory / "catalog.sqlite"
    for statement in (0, 1, 7, 19):
        status = zygote.run(
            "support.crashing:die_while_migrating", path=str(path), statement=statement
        )
        assert status == -signal.SIGKILL, zygote.said
    assert zygote.run("support.crashing:die_while_migrating", path=str(path), statement=10**6) == 0
    assert dump_catalog(path)["documents"] == {}


# --- at random, the real program, under load ------------------------------------------------------


class Writer:
    """Edits a folder like its users, and knows what is in it."""

    def __init__(self, root: Path, seed: int) -> None:
        self.root = root
        self.chance = random.Random(seed)
        self.revision = 1
        self.steady = [f"always{i}" for i in range(4)]
        root.mkdir()
        for key in self.steady:
            self.save(key, revision_text(key, 1))

    def save(self, key: str, text: str) -> None:
        """As editors do: beside, then over."""
        work = self.root / f".{key}.tmp"
        work.write_text(text)
        work.rename(self.root / f"{key}.txt")

    def act(self) -> None:
        """One change."""
        self.revision += 1
        kind = self.chance.choice(("steady", "steady", "write", "write", "remove", "rename", "bad"))
        others = sorted(p.name for p in self.root.glob("other*"))
        if kind == "steady":
            key = self.chance.choice(self.steady)
            self.save(key, revision_text(key, self.revision))
        elif kind == "write" or not others:
            key = f"other{self.chance.randrange(12)}"
            (self.root / f"{key}.txt").write_text(revision_text(key, self.revision, 3))
        elif kind == "remove":
            (self.root / self.chance.choice(others)).unlink()
        elif kind == "rename":
            target = self.root / f"other{self.chance.randrange(12)}.txt"
            (self.root / self.chance.choice(others)).replace(target)
        else:
            good = self.chance.random() < 0.5
            (self.root / "other-bad.json").write_text('{"a": 1}' if good else "{" * 9)


@pytest.fixture
def mortal_chroma(memory: Path) -> Iterator[ChromaServer]:
    """A server that may be killed."""
    server = ChromaServer(memory / "state" / "chroma")
    server.start()
    yield server
    server.kill()


async def test_i5_killed_at_random_under_load_it_converges_and_readers_see_no_mixture(
    memory: Path, zygote: Zygote, mortal_chroma: ChromaServer
) -> None:
    chance, chroma = random.Random(time.time_ns()), mortal_chroma
    writer = Writer(memory / "silo", chance.randrange(2**32))
    config = memory / "sworn.toml"
    config.write_text(
        'data_dir = "state"\n[ingest]\nparsers = 1\nparent_chars = 400\nchild_chars = 200\n'
        '[[silos]]\nid = "share"\nroot = "silo"\nopen_to_all = true\n'
    )
    program = {"config": str(config), "port": chroma.port}
    status = zygote.run("support.crashing:indexer", command="sync", **program)
    assert status in (0, 1), zygote.said
    catalog, log = memory / "state" / "catalog.sqlite", memory / "reads"
    reading = zygote.start(
        "support.crashing:read_steadily", path=str(catalog), keys=writer.steady, log=str(log)
    )
    n_killed = n_chroma = 0
    until_s = time.monotonic() + 60
    while time.monotonic() < until_s:
        pid = zygote.start("support.crashing:indexer", command="watch", **program)
        life_s = chance.choice((0.1, 0.4, 0.7, 1.0)) + chance.random() * 0.4
        kills_chroma = chance.random() < 0.1
        dies_at_s = time.monotonic() + life_s
        while time.monotonic() < dies_at_s:
            writer.act()
            await asyncio.sleep(chance.random() * 0.05)
        if kills_chroma:
            chroma.kill()
            chroma.spawn()
            n_chroma += 1
        os.kill(pid, signal.SIGKILL)
        status = zygote.wait(pid)
        assert status == -signal.SIGKILL, f"it died before it was killed: {zygote.said}"
        n_killed += 1
    await _ends_well(zygote, program, chroma, writer, memory)
    os.kill(reading, signal.SIGKILL)
    status = zygote.wait(reading)
    assert status == -signal.SIGKILL, f"it did not read to the end: {zygote.said}"
    reads = log.read_text().splitlines()
    assert not [line for line in reads if "WRONG" in line]
    assert int(reads[-1]) > 100
    assert n_killed >= 40, n_killed
    assert n_chroma >= 1, n_chroma


async def _ends_well(
    zygote: Zygote,
    program: dict[str, Any],
    chroma: ChromaServer,
    writer: Writer,
    memory: Path,
) -> None:
    """The program, once left alone, comes to what is built from nothing, by itself."""
    catalog = memory / "state" / "catalog.sqlite"
    pid = zygote.start("support.crashing:indexer", command="watch", **program)
    scratch = memory / "anew.toml"
    scratch.write_text(Path(program["config"]).read_text().replace('"state"', '"anew"'))
    anew = {**program, "config": str(scratch)}
    # One that watches tries again by itself; a single run ends when nobody listens yet.
    await wait_for_port(chroma.port)
    status = zygote.run("support.crashing:indexer", command="sync", **anew)
    assert status in (0, 1), zygote.said
    expected = dump_catalog(memory / "anew" / "catalog.sqlite")
    deadline_s = time.monotonic() + 30
    while (found := dump_catalog(catalog)) != expected and time.monotonic() < deadline_s:
        await asyncio.sleep(0.2)
    assert found == expected, zygote.said
    os.kill(pid, signal.SIGTERM)
    assert zygote.wait(pid) == 0, zygote.said
    check_spans(catalog)
    writing = SqlCatalogWriter(catalog, SystemClock(), MODEL)
    index = chroma.index(collection_of(writing, MODEL))
    await check_vectors(catalog, index)
    await index.aclose()
    await writing.aclose()
