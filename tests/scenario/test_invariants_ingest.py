"""Belt one's invariants over a real catalog, by the numbers of ARCHITECTURE.md."""

import asyncio
import random
import sqlite3
import tempfile
import unicodedata
from collections.abc import AsyncIterator, Callable, Iterable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support.audit import check_spans, check_vectors, dump_catalog
from support.chroma import ChromaServer, collection_of
from support.house import (
    EVERYBODY,
    MEMORY,
    SILO,
    HereParser,
    House,
    open_house,
    settings_of,
)

from connectors.kit.connector import EVERYTHING, Hint
from connectors.runner import (
    _act_on_hints,
    _follow_ports,
    _reconcile,
    _settle_settings,
    _workers,
    preview,
    rebuild,
    watch,
)
from rag.adapters.indexes import check_indexes
from rag.adapters.parsers.process import ParserPool
from rag.domain.change import Removed, ScanCompleted, Upserted
from rag.domain.document import Access, DocumentRef, ParsedDocument, Principal, RawDocument
from rag.domain.errors import ParseFailed, SiloDenied, SiloUnavailable
from rag.domain.ids import ChunkId, document_id
from rag.ingest.pipeline import Result, follow, ingest
from rag.testing.simulator import SiloSimulator, SimulatedHint
from rag.wiring import build_embedder

STAFF = Access(groups=frozenset({"staff"}))
ANA = Principal(id="ana", groups=frozenset({"staff"}))


def text_of(word: str, n: int = 6) -> str:
    """Enough paragraphs for several parents; every one has the word."""
    return "\n\n".join(
        f"Paragraph {i} of {word} says that {word} number {i * 7} is kept. "
        f"Its second sentence names {word} again, and the year {2000 + i}."
        for i in range(n)
    )


@pytest.fixture
async def house(tmp_path: Path, chroma: ChromaServer) -> AsyncIterator[House]:
    """An indexer with real catalog, parsing and Chroma over a simulated silo."""
    async with open_house(tmp_path, SiloSimulator(silo=SILO), chroma=chroma) as opened:
        yield opened


# --- I2: every span slices back -------------------------------------------------------------------

ODD = st.sampled_from(
    ["Cafe\u0301 ", "𝒜𝓈𝓉𝓇𝒶𝓁 ", "🦉🏽 ", "e\u0323\u0301 ", "한글 ", "\u1112\u1161\u11ab", "Ω\u2126 ", "ﬁ", "x\u0300" * 3]
)  # fmt: skip
WORDS = st.lists(
    st.one_of(ODD, st.sampled_from(["budget ", "leave ", "is 30 days. ", "Who asks? ", "a, b "])),
    min_size=1, max_size=60,
).map("".join)  # fmt: skip
PARAGRAPHS = st.lists(WORDS, min_size=0, max_size=10)
EDITS = st.lists(
    st.tuples(st.sampled_from(["put", "insert", "delete", "repeat", "swap"]), st.integers(0, 30), WORDS),
    min_size=1, max_size=4,
)  # fmt: skip


def edited(paragraphs: list[str], edit: tuple[str, int, str]) -> list[str]:
    """One more version of a document."""
    kind, at, words = edit
    out = list(paragraphs)
    at %= len(out) + 1
    if kind == "insert" or not out:
        out.insert(at, words)
        return out
    at %= len(out)
    if kind == "put":
        out[at] = words
    elif kind == "delete":
        del out[at]
    elif kind == "repeat":
        out.insert(at, out[at])
    else:
        out[at], out[0] = out[0], out[at]
    return out


@settings(max_examples=20, deadline=None, suppress_health_check=list(HealthCheck))
@given(PARAGRAPHS, EDITS, st.sampled_from(["\n", "\r\n", "\r"]), st.sampled_from(["a.txt", "a.md"]))
def test_i2_every_span_slices_back_over_random_documents_and_edits(
    paragraphs: list[str], edits: list[tuple[str, int, str]], newline: str, key: str
) -> None:
    with tempfile.TemporaryDirectory(dir=MEMORY) as folder:
        asyncio.run(_edit_and_check(Path(folder), paragraphs, edits, newline, key))


async def _edit_and_check(
    folder: Path,
    paragraphs: list[str],
    edits: list[tuple[str, int, str]],
    newline: str,
    key: str,
) -> None:
    silo = SiloSimulator(silo=SILO)
    async with open_house(folder / "kept", silo) as house:
        for edit in [None, *edits]:
            paragraphs = edited(paragraphs, edit) if edit else paragraphs
            silo.write(key, (newline * 2).join(paragraphs).encode())
            # Not by `sync`, whose look at both indexes would mend what the belt got wrong.
            await house.sync_texts()
            await house.follow()
            n_chunks = check_spans(house.path)
            assert (await house.keys())[key] == "live"
            assert bool(n_chunks) == any(p.strip() for p in paragraphs)
        kept = dump_catalog(house.path)
        await _check_evidence(house)
    async with open_house(folder / "anew", silo) as house:
        await house.sync_texts()
        await house.follow()
        anew = dump_catalog(house.path)
    assert kept == anew, "edited step by step is the same as built from nothing"


async def _check_evidence(house: House) -> None:
    """What a snapshot cites is a slice of the stored text of the version that it names."""
    bodies = dict(
        await house.reader.query(
            lambda c: c.exec_driver_sql("SELECT digest, body FROM canonical").all()
        )
    )
    ids = await house.reader.query(
        lambda c: c.exec_driver_sql("SELECT id FROM chunk WHERE parent_id IS NULL").all()
    )
    async with house.reader.snapshot(EVERYBODY, None) as snapshot:
        cited = await snapshot.evidence({ChunkId(i): (0.0, 0.0) for (i,) in ids})
    assert len(cited) == len(ids)
    for evidence in cited:
        body = bodies[evidence.source.version]
        assert body == unicodedata.normalize("NFC", body)
        assert "\r" not in body
        assert evidence.text == body[evidence.span.start : evidence.span.end]
        assert evidence.elements, "some element stands in every parent"


@pytest.mark.parametrize("model", ["real"])
async def test_i2_every_citation_span_slices_back_with_real_parsers_and_the_real_embedder(
    tmp_path: Path, chroma: ChromaServer, model_cache: Path, model: str
) -> None:
    silo = SiloSimulator(silo=SILO)
    settings_ = settings_of(tmp_path, parent_chars=400, child_chars=200)
    embedder = build_embedder(
        settings_.model_copy(
            update={"embedder": settings_.embedder.model_copy(update={"cache_dir": model_cache})}
        )
    )
    silo.write("leave.md", b"# Leave\n\n" + text_of("vacation").encode())
    silo.write("price.csv", b"item,price\r\nlamp,12\r\ndesk,250\r\n")
    silo.write("owl.html", "<h1>Owls</h1><p>Der Uhu \U0001f989 jagt nachts.</p>".encode())
    async with open_house(tmp_path, silo, chroma=chroma, embedder=embedder) as house:
        pool = ParserPool(n_children=1)
        house.indexer.house = replace(house.indexer.house, parser=pool)
        try:
            await house.sync()
        finally:
            await pool.aclose()
        check_spans(house.path)
        await _check_evidence(house)
        await check_vectors(house.path, house.index)
        (query,) = await embedder.embed(["How much does a desk cost?"])
        near = await house.index.nearest(query, 1)
        async with house.reader.snapshot(EVERYBODY, None) as snapshot:
            parents = await snapshot.parents_of(list(near))
            (best,) = await snapshot.evidence(dict.fromkeys(parents.values(), (0.0, 0.0)))
            assert (await snapshot.scan(query, 1)).keys() == near.keys(), "both say the same"
        assert best.source.key == "price.csv"
    await embedder.aclose()


# --- I3: what is gone is not cited ----------------------------------------------------------------


async def test_i3_removed_document_is_not_cited_though_its_vectors_are_still_in_chroma(
    house: House,
) -> None:
    house.silo.write("gone.txt", text_of("zebra").encode())
    house.silo.write("stays.txt", text_of("heron").encode())
    await house.sync()
    (query,) = await house.embedder.embed(["zebra"])
    assert {e.source.key for e in await house.found("zebra", vector=query)} == {
        "gone.txt",
        "stays.txt",
    }
    held = await house.index.ids()
    house.silo.remove("gone.txt")
    await house.sync_texts()
    assert await house.index.ids() == held, "nothing was swept yet"
    assert {e.source.key for e in await house.found("zebra", vector=query)} == {"stays.txt"}
    assert not [
        e for e in await house.found("zebra", "gone", "paragraph") if e.source.key == "gone.txt"
    ]
    await house.follow()
    await check_vectors(house.path, house.index)


async def test_i3_changed_document_is_never_cited_with_its_old_text(house: House) -> None:
    house.silo.write("a.txt", text_of("zebra").encode())
    await house.sync()
    (query,) = await house.embedder.embed(["zebra"])
    house.silo.write("a.txt", text_of("okapi").encode())
    await house.sync_texts()
    assert not await house.found("zebra", vector=query)
    assert all("okapi" in e.text for e in await house.found("okapi"))
    await house.follow()
    assert all("okapi" in e.text for e in await house.found("okapi", vector=query))


@pytest.mark.parametrize(
    "error", [ParseFailed("damaged"), SiloDenied("not for us")], ids=["damaged", "denied"]
)
async def test_i3_quarantined_document_is_not_cited(house: House, error: Exception) -> None:
    house.silo.write("a.txt", text_of("zebra").encode())
    await house.sync()
    (query,) = await house.embedder.embed(["zebra"])
    house.silo.write("a.txt", b"now damaged")
    house.silo.failures["a.txt"] = error  # type: ignore[assignment]
    await house.sync_texts()
    assert not await house.found("zebra", "a", "damaged", vector=query)
    assert await house.keys() == {"a.txt": "quarantined"}
    assert await _chunk_ids(house) == set(), "nor is it there for anyone else"
    assert await house.catalog.sweepable(100)


async def test_i3_access_that_was_taken_away_holds_at_once_without_parsing_or_embedding(
    house: House,
) -> None:
    house.silo.write("a.txt", text_of("zebra").encode())
    await house.sync()
    (query,) = await house.embedder.embed(["zebra"])
    before = house.embedder.n_embedded
    house.silo.grant("a.txt", STAFF)
    await house.sync_texts()
    assert not await house.found("zebra", vector=query)
    assert await house.found("zebra", who=ANA)
    assert house.embedder.n_embedded == before
    house.silo.grant("a.txt", Access(groups=frozenset()))
    await house.sync_texts()
    assert not await house.found("zebra", who=ANA, vector=query), "empty is nobody"


async def test_i3_a_snapshot_that_is_open_goes_on_seeing_its_own_moment(house: House) -> None:
    house.silo.write("a.txt", text_of("zebra").encode())
    await house.sync()
    async with house.reader.snapshot(EVERYBODY, None) as snapshot:
        parents = await snapshot.lexical(["zebra"], 100)
        house.silo.write("a.txt", b"All new.")
        await house.sync()
        old = await snapshot.evidence(dict.fromkeys(parents, (0.0, 0.0)))
        assert old
        assert all("zebra" in e.text for e in old)
        chunks = {e.chunk_ids[0]: e.source.version for e in old}
    # The last look before an answer leaves is at the catalog as it is now.
    _, standing = await house.reader.standing(EVERYBODY, chunks)
    assert not standing.current


async def test_i3_new_access_rules_close_a_silo_until_it_was_looked_at_again(house: House) -> None:
    house.silo.write("a.txt", text_of("zebra").encode())
    await house.sync()
    silo = house.indexer.silos[SILO]
    silo.settings = silo.settings.model_copy(update={"open_to_all": False})
    house.silo.reachable = False
    await _settle_settings(house.indexer)
    assert not await house.found("zebra")
    house.silo.reachable = True
    before = house.embedder.n_embedded
    await house.sync()
    assert await house.found("zebra")
    assert house.embedder.n_embedded == before


async def test_i3_silo_that_left_the_settings_is_forgotten(house: House) -> None:
    house.silo.write("a.txt", text_of("zebra").encode())
    await house.sync()
    house.indexer.silos = {}
    await _settle_settings(house.indexer)
    assert not await house.found("zebra")
    assert await house.keys() == {}


async def test_i4_every_way_into_a_snapshot_leaves_out_what_the_asker_may_not_read(
    house: House,
) -> None:
    house.silo.write("open.txt", text_of("zebra", 3).encode())
    for i in range(20):
        house.silo.write(f"zebra-{i}.txt", text_of("zebra", 3).encode(), STAFF)
    await house.sync()
    (query,) = await house.embedder.embed(["zebra"])
    rows = await house.reader.query(
        lambda c: c.exec_driver_sql(
            "SELECT c.id, c.parent_id, d.key FROM chunk c JOIN document d ON d.id = c.document_id"
        ).all()
    )
    parents = {i for i, parent, _ in rows if parent is None}
    children = {i for i, parent, _ in rows if parent is not None}
    ours = {i for i, _, key in rows if key == "open.txt"}
    async with house.reader.snapshot(EVERYBODY, None) as snapshot:
        assert set(await snapshot.scan(query, 1000)) == children & ours
        assert set(await snapshot.parents_of(sorted(children))) == children & ours
        assert set(await snapshot.lexical(["zebra"], 1000)) == parents & ours
        # Those that rank before are not permitted: they must not use up the limit.
        assert set(await snapshot.lexical(["zebra"], 10)) == parents & ours
        cited = await snapshot.evidence(dict.fromkeys(parents, (0.0, 0.0)))
        assert {e.chunk_ids[0] for e in cited} == parents & ours
        assert await snapshot.has_fewer_children(len(children & ours) + 1)
    async with house.reader.snapshot(ANA, None) as snapshot:
        assert set(await snapshot.scan(query, 1000)) == children
        assert not await snapshot.has_fewer_children(len(children))


# --- I6: events are hints -------------------------------------------------------------------------


def scrambled(chance: random.Random) -> Callable[[SimulatedHint], Iterable[SimulatedHint]]:
    """Loses, doubles, delays, invents and swaps events."""
    held: list[SimulatedHint] = []

    def deliver(hint: SimulatedHint) -> Iterable[SimulatedHint]:
        dice = chance.random()
        if dice < 0.3:
            return ()
        if dice < 0.5:
            held.append(hint)
            return ()
        out = [hint] * chance.choice((1, 1, 3)) + [held.pop() for _ in range(len(held) // 2)]
        out.append(SimulatedHint(key=chance.choice(("nowhere", "f", "f/a.txt")), subtree=True))
        chance.shuffle(out)
        return out

    return deliver


@settings(max_examples=8, deadline=None)
@given(st.integers(0, 2**32))
def test_i6_lost_doubled_and_reordered_events_change_nothing_after_one_reconcile(seed: int) -> None:
    with tempfile.TemporaryDirectory(dir=MEMORY) as folder:
        asyncio.run(_scramble(Path(folder), seed))


async def _scramble(folder: Path, seed: int) -> None:
    chance = random.Random(seed)
    silo = SiloSimulator(silo=SILO, delivery=scrambled(chance))
    async with open_house(folder, silo) as house:
        at_work = house.indexer.silos[SILO]
        await silo.watch(at_work.hints.add)
        acting = asyncio.create_task(_act_on_hints(house.indexer, at_work))
        async with _workers(house.indexer):
            for i in range(40):
                _random_edit(silo, chance, i)
                await asyncio.sleep(chance.choice((0, 0, 0.002)))
        acting.cancel()
        await asyncio.gather(acting, return_exceptions=True)
        await house.sync(release_brake=True)
        await _holds_the_model(house)


def _random_edit(silo: SiloSimulator, chance: random.Random, i: int) -> None:
    keys = ["a.txt", "b.txt", "f/a.txt", "f/b.txt", "f/g/c.txt", "fa.txt"]
    key, other = chance.sample(keys, 2)
    kind = chance.choice(("write", "write", "remove", "rename", "grant", "same"))
    if key not in silo.documents or kind == "write":
        silo.write(key, f"Version {i} of {key}, {chance.choice('xyz')}.".encode())
    elif kind == "remove":
        silo.remove(key)
    elif kind == "rename":
        silo.rename(key, other)
    elif kind == "grant":
        silo.grant(key, chance.choice((STAFF, silo.access)))
    else:
        silo.write(key, silo.documents[key])


async def _holds_the_model(house: House) -> None:
    rows = await house.reader.query(
        lambda c: c.exec_driver_sql(
            "SELECT d.key, t.body, a.groups FROM document d JOIN version v ON v.id = d.version_id "
            "JOIN canonical t ON t.digest = v.digest JOIN access a ON a.id = d.access_id"
        ).all()
    )
    found = {key: (body, groups) for key, body, groups in rows}
    model = {}
    for key, data in house.silo.documents.items():
        groups = '", "'.join(sorted(house.silo.access_of(key).groups))
        model[key] = (data.decode(), f'["{groups}"]')
    assert found == model
    check_spans(house.path)


@settings(max_examples=6, deadline=None)
@given(st.integers(0, 2**32))
def test_i6_true_events_alone_lead_to_the_same_end(seed: int) -> None:
    with tempfile.TemporaryDirectory(dir=MEMORY) as folder:
        asyncio.run(_follow_events(Path(folder), seed))


async def _follow_events(folder: Path, seed: int) -> None:
    chance = random.Random(seed)
    silo = SiloSimulator(silo=SILO)
    async with open_house(folder, silo) as house:
        at_work = house.indexer.silos[SILO]
        await silo.watch(at_work.hints.add)
        acting = asyncio.create_task(_act_on_hints(house.indexer, at_work))
        async with _workers(house.indexer):
            for i in range(30):
                _random_edit(silo, chance, i)
                await asyncio.sleep(chance.choice((0, 0.03, 0.08)))
            await _quiet(house)
            await _holds_the_model(house)
        acting.cancel()
        await asyncio.gather(acting, return_exceptions=True)


async def _quiet(house: House) -> None:
    """Until nothing waits, for longer than hints take to settle."""
    n_quiet = 0
    async with asyncio.timeout(20):
        while n_quiet < 5:
            await asyncio.sleep(0.03)
            busy = house.indexer.lanes.n_waiting or len(house.indexer.silos[SILO].hints)
            n_quiet = 0 if busy else n_quiet + 1


class SlowParser(HereParser):
    """Holds a document until it is let go."""

    def __init__(self) -> None:
        super().__init__()
        self.begun, self.go = asyncio.Event(), asyncio.Event()

    async def parse(self, raw: RawDocument) -> ParsedDocument:
        self.begun.set()
        await self.go.wait()
        return await super().parse(raw)


async def test_i6_document_that_is_deleted_while_it_is_parsed_does_not_stay(tmp_path: Path) -> None:
    async with open_house(tmp_path, SiloSimulator(silo=SILO)) as house:
        parser = SlowParser()
        house.indexer.house = replace(house.indexer.house, parser=parser)
        at_work = house.indexer.silos[SILO]
        house.silo.write("a.txt", b"Soon gone.")
        async with _workers(house.indexer):
            await _reconcile(house.indexer, at_work, Hint(key="a.txt"))
            await parser.begun.wait()
            house.silo.remove("a.txt")
            await _reconcile(house.indexer, at_work, Hint(key="a.txt"))
            parser.go.set()
            await _quiet(house)
        assert await house.keys() == {}


class SlowListing(SiloSimulator):
    """A silo whose listing is old by the time it arrives."""

    def __init__(self) -> None:
        super().__init__(silo=SILO)
        self.listed, self.go = asyncio.Event(), asyncio.Event()

    async def listing(self, prefix: str = ""):
        found = await super().listing(prefix)
        if not prefix:
            self.listed.set()
            await self.go.wait()
        return found


async def test_i6_document_that_is_made_during_a_long_listing_is_not_removed_by_it(
    tmp_path: Path,
) -> None:
    silo = SlowListing()
    async with open_house(tmp_path, silo) as house:
        at_work = house.indexer.silos[SILO]
        async with _workers(house.indexer):
            scanning = asyncio.create_task(_reconcile(house.indexer, at_work, EVERYTHING))
            await silo.listed.wait()
            silo.write("a.txt", b"Just made.")
            await _reconcile(house.indexer, at_work, Hint(key="a.txt"))
            await _quiet(house)
            silo.go.set()
            await scanning
            await _quiet(house)
        assert await house.keys() == {"a.txt": "live"}


# --- I7: a partial listing removes nothing --------------------------------------------------------


async def test_i7_partial_listing_removes_nothing_and_confirms_nothing(house: House) -> None:
    house.silo.write("open/a.txt", text_of("zebra").encode())
    house.silo.write("shut/b.txt", text_of("heron").encode())
    await house.sync()
    confirmed = await _scans(house)
    house.silo.unlisted.add("shut")
    house.silo.write("open/a.txt", text_of("okapi").encode())
    await house.sync()
    assert await house.found("heron")
    assert await house.found("okapi"), "what could be seen was read"
    detail, last_complete = await _scans(house)
    assert "shut" in detail
    assert last_complete == confirmed[1]
    house.silo.unlisted.clear()
    house.silo.remove("shut/b.txt")
    await house.sync()
    assert not await house.found("heron")


async def test_i7_silo_out_of_reach_removes_nothing(house: House) -> None:
    house.silo.write("a.txt", text_of("zebra").encode())
    await house.sync()
    house.silo.reachable = False
    batch = await house.sync()
    assert batch.counts["removed"] == 0
    assert await house.found("zebra")
    assert house.indexer.silos[SILO].status.error == "out of reach"


async def test_i7_mass_deletion_is_held_until_the_operator_releases_it(house: House) -> None:
    for i in range(30):
        house.silo.write(f"{i}.txt", f"Document {i}.".encode())
    await house.sync()
    for i in range(30):
        house.silo.remove(f"{i}.txt")
    batch = await house.sync()
    assert batch.counts["removed"] == 0
    assert "delete brake" in house.indexer.silos[SILO].status.detail
    assert (await house.sync(release_brake=True)).counts["removed"] == 30
    assert await house.keys() == {}


async def test_i7_document_that_cannot_be_fetched_now_keeps_its_old_version(house: House) -> None:
    house.silo.write("a.txt", text_of("zebra").encode())
    await house.sync()
    house.silo.write("a.txt", text_of("okapi").encode())
    house.silo.failures["a.txt"] = SiloUnavailable("a moment, please")
    await house.sync()
    assert await house.found("zebra")
    house.silo.failures.clear()
    await house.sync()
    assert await house.found("okapi")


async def _scans(house: House) -> tuple[str, str]:
    (row,) = await house.reader.query(
        lambda c: c.exec_driver_sql("SELECT detail, last_complete_at FROM silo").all()
    )
    return row[0], row[1]


# --- I11: unchanged text is never embedded twice --------------------------------------------------


async def test_i11_unchanged_text_is_never_embedded_twice(house: House) -> None:
    embedder, silo = house.embedder, house.silo
    silo.write("a.txt", text_of("zebra").encode())
    await house.sync()
    first = list(embedder.texts)
    assert len(first) == len(set(first)) > 3

    silo.rename("a.txt", "b.txt")
    await house.sync()
    silo.write("copy.txt", silo.documents["b.txt"])
    await house.sync()
    silo.grant("b.txt", STAFF)
    await house.sync()
    silo.remove("copy.txt")
    await house.sync()
    assert embedder.texts == first, "renames, copies and access cost nothing"

    silo.write("b.txt", text_of("okapi").encode())
    await house.sync()
    second = list(embedder.texts)
    silo.write("b.txt", text_of("zebra").encode())
    await house.sync()
    await rebuild(house.indexer)
    await house.catalog.forget_indexed()
    await house.follow()
    assert embedder.texts == second, "back again and rebuilt, from kept vectors"
    assert len(second) == len(set(second))
    await check_vectors(house.path, house.index)


async def test_i11_equal_texts_that_come_together_are_embedded_once(house: House) -> None:
    for i in range(5):
        house.silo.write(f"{i}.txt", text_of("zebra", 2).encode())
    await house.sync()
    assert len(house.embedder.texts) == len(set(house.embedder.texts))
    await check_vectors(house.path, house.index)


def manual(n_chars: int, chance: random.Random) -> list[str]:
    """Paragraphs of a long manual; about every eighth opens a section."""
    words = [
        w for w in text_of("pump valve seal rotor gauge flange bearing", 3).split() if w.isalpha()
    ]
    words += [
        f"{a}{b}" for a in ("over", "under", "re", "out") for b in ("flow", "load", "set", "run")
    ]
    out: list[str] = []
    while sum(map(len, out)) < n_chars:
        sentences = [
            " ".join(chance.choice(words) for _ in range(chance.randint(6, 20))).capitalize() + "."
            for _ in range(chance.randint(2, 7))
        ]
        if len(out) % 9 == 0:
            out.append(f"## Section {len(out) // 9}")
        out.append(" ".join(sentences))
    return out


@pytest.mark.slow
async def test_i11_one_edited_paragraph_of_200_pages_embeds_at_most_three_chunks(
    memory: Path,
) -> None:
    chance = random.Random(11)
    paragraphs = manual(500_000, chance)
    silo = SiloSimulator(silo=SILO)
    silo.write("manual.md", "\n\n".join(paragraphs).encode())
    async with open_house(memory, silo) as house:
        house.indexer.options = replace(
            house.indexer.options,
            sizes=replace(house.indexer.options.sizes, parent=1600, child=800),
        )
        await house.sync()
        before = await _chunk_ids(house)
        n_before = house.embedder.n_embedded
        at = next(
            i for i in range(len(paragraphs) // 2, len(paragraphs)) if paragraphs[i][0] != "#"
        )
        paragraphs[at] += " The pump was replaced in 2031."
        silo.write("manual.md", "\n\n".join(paragraphs).encode())
        await house.sync()
        kept = before & await _chunk_ids(house)
        assert 1 <= house.embedder.n_embedded - n_before <= 3
        assert len(kept) > 0.95 * len(before)
        assert len(before) > 1000
        check_spans(house.path)
        assert await house.found("2031")


async def _chunk_ids(house: House) -> set[int]:
    rows = await house.reader.query(lambda c: c.exec_driver_sql("SELECT id FROM chunk").all())
    return {i for (i,) in rows}


# --- I12: one bad document ------------------------------------------------------------------------


async def test_i12_one_bad_document_is_quarantined_with_its_reason_and_the_rest_go_on(
    house: House,
) -> None:
    house.silo.write("bad.pdf", b"%PDF-1.7\nnothing")
    house.silo.write("bad.json", b"{" * 10)
    for i in range(5):
        house.silo.write(f"{i}.txt", f"Document {i} about zebras.".encode())
    batch = await house.sync()
    assert (batch.counts["added"], batch.counts["quarantined"]) == (5, 2)
    rows = await house.reader.query(
        lambda c: c.exec_driver_sql(
            "SELECT key, error_code, error_detail FROM document WHERE state = 'quarantined'"
        ).all()
    )
    reasons = {key: (code, detail) for key, code, detail in rows}
    assert reasons["bad.pdf"][0] == "parse_failed"
    assert "damaged PDF" in reasons["bad.pdf"][1]
    assert "damaged JSON" in reasons["bad.json"][1]
    house.silo.write("bad.json", b'{"mended": "zebra"}')
    await house.sync()
    assert (await house.keys())["bad.json"] == "live"
    assert [e for e in await house.found("mended") if e.source.key == "bad.json"]


async def test_i12_unchanged_bad_document_is_read_again_only_when_someone_asks(
    house: House,
) -> None:
    house.silo.write("bad.json", b"{" * 10)
    await house.sync_texts()
    before = house.silo.n_fetched
    await house.sync_texts()
    assert house.silo.n_fetched == before
    await house.sync()
    assert house.silo.n_fetched == before + 1


async def test_i12_bug_of_ours_on_one_document_does_not_take_the_others_down(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = HereParser.parse

    async def buggy(self: HereParser, raw: RawDocument) -> ParsedDocument:
        if raw.key == "3.txt":
            raise RuntimeError("a bug of ours")
        return await real(self, raw)

    monkeypatch.setattr(HereParser, "parse", buggy)
    for i in range(6):
        house.silo.write(f"{i}.txt", f"Document {i} about zebras.".encode())
    batch = await house.sync()
    assert (batch.counts["added"], batch.counts["quarantined"]) == (5, 1)
    assert (await house.keys())["3.txt"] == "quarantined"


# --- the derived indexes --------------------------------------------------------------------------


async def _filled(house: House) -> None:
    for word in ("zebra", "heron", "okapi"):
        house.silo.write(f"{word}.txt", text_of(word).encode())
    await house.sync()
    await check_vectors(house.path, house.index)


async def test_check_finds_nothing_wrong_with_what_is_right(house: House) -> None:
    await _filled(house)
    assert await check_indexes(house.catalog, house.index)


async def test_emptied_chroma_is_filled_again_without_embedding(
    house: House, chroma: ChromaServer
) -> None:
    await _filled(house)
    before = house.embedder.n_embedded
    name = await collection_of(house.catalog, house.embedder.digest)()
    chroma.client().delete_collection(name)
    house.index.forget_collection()
    assert not await check_indexes(house.catalog, house.index)
    await house.follow()
    await check_vectors(house.path, house.index)
    assert house.embedder.n_embedded == before


async def test_emptied_chroma_is_filled_again_by_a_single_sync(
    house: House, chroma: ChromaServer
) -> None:
    await _filled(house)
    name = await collection_of(house.catalog, house.embedder.digest)()
    chroma.client().delete_collection(name)
    house.index.forget_collection()
    await house.sync()
    await check_vectors(house.path, house.index)


async def test_lost_and_unknown_ids_are_found_and_repaired(house: House) -> None:
    await _filled(house)
    before = house.embedder.n_embedded
    ids = sorted(await house.index.ids())
    await house.index.delete(ids[:3])
    stray = np.ones(64, dtype="<f4").tobytes()
    await house.index.add({ChunkId(10**9): stray, ChunkId(10**9 + 1): stray})
    assert not await check_indexes(house.catalog, house.index)
    await house.follow()
    await check_vectors(house.path, house.index)
    assert house.embedder.n_embedded == before


async def test_wrong_vectors_are_found_and_the_index_is_abandoned(house: House) -> None:
    await _filled(house)
    before = house.embedder.n_embedded
    victim = min(await house.index.ids())
    await house.index.delete([victim])
    await house.index.add({victim: np.ones(64, dtype="<f4").tobytes()})
    with pytest.raises(AssertionError):
        await check_vectors(house.path, house.index)
    build = await house.catalog.meta("index_build")
    assert not await check_indexes(house.catalog, house.index)
    assert await house.catalog.meta("index_build") != build
    await house.follow()
    await check_vectors(house.path, house.index)
    assert house.embedder.n_embedded == before


async def test_rebuild_gives_both_indexes_anew_and_leaves_no_old_collection(
    house: House, chroma: ChromaServer
) -> None:
    await _filled(house)
    whole = dump_catalog(house.path)
    before = house.embedder.n_embedded
    report = await rebuild(house.indexer)
    assert report["n_vectors"] == len(await house.index.ids())
    assert report["n_postings"] == sum(len(d["chunks"]) for d in whole["documents"].values())
    assert dump_catalog(house.path) == whole
    await check_vectors(house.path, house.index)
    assert house.embedder.n_embedded == before
    catalog_id = str(await house.catalog.meta("catalog_id"))
    ours = [c for c in chroma.client().list_collections() if catalog_id in c.name]
    assert len(ours) == 1


async def test_rebuild_leaves_the_collections_of_other_catalogs_alone(
    house: House, chroma: ChromaServer, tmp_path: Path
) -> None:
    await _filled(house)
    silo = SiloSimulator(silo=SILO)
    silo.write("other.txt", text_of("walrus").encode())
    async with open_house(tmp_path / "other", silo, chroma=chroma) as other:
        await other.sync()
        await rebuild(house.indexer)
        await check_vectors(other.path, other.index)


async def test_rebuild_beside_the_vectors_at_work_loses_none(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A step of the vectors that began before a rebuild ends after it."""
    await _filled(house)
    house.silo.write("late.txt", text_of("walrus").encode())
    await house.sync_texts()
    await house.catalog.mark_not_indexed(sorted(await house.catalog.child_ids()))
    added, go = asyncio.Event(), asyncio.Event()
    add, forget = house.index.add, house.catalog.forget_indexed

    async def slow_add(vectors: dict[ChunkId, bytes]) -> None:
        await add(vectors)
        if not added.is_set():
            added.set()
            await go.wait()

    async def slow_forget() -> None:
        await forget()
        go.set()
        await asyncio.sleep(0.2)

    monkeypatch.setattr(house.index, "add", slow_add)
    monkeypatch.setattr(house.catalog, "forget_indexed", slow_forget)
    asyncio.get_running_loop().call_later(1.0, go.set)
    watching = asyncio.create_task(watch(house.indexer))
    try:
        async with asyncio.timeout(20):
            await added.wait()
            await rebuild(house.indexer)
            while await house.catalog.n_pending() or house.indexer.lanes.n_waiting:
                await asyncio.sleep(0.05)
    finally:
        watching.cancel()
        await asyncio.gather(watching, return_exceptions=True)
    await check_vectors(house.path, house.index)


@pytest.mark.parametrize("damage", ["lost", "extra", "torn"])
async def test_damaged_postings_are_found_and_built_anew(house: House, damage: str) -> None:
    await _filled(house)
    whole = dump_catalog(house.path)
    with sqlite3.connect(house.path, isolation_level=None) as connection:
        if damage == "lost":
            connection.execute(
                "DELETE FROM posting_docsize WHERE id IN (SELECT min(id) FROM chunk)"
            )
        elif damage == "extra":
            connection.execute(
                "INSERT INTO posting (rowid, header, body) VALUES (999, 'x', 'zebra')"
            )
        else:
            connection.execute(
                "UPDATE posting_data SET block = zeroblob(length(block)) WHERE id > 10"
            )
    connection.close()
    assert not await check_indexes(house.catalog, house.index)
    assert dump_catalog(house.path) == whole
    assert await house.found("zebra")


# --- the runner -----------------------------------------------------------------------------------


async def test_counts_of_a_sync_add_up(house: House) -> None:
    for i in range(8):
        house.silo.write(f"{i}.txt", f"Document {i}.".encode())
    assert (await house.sync()).diff == "+8 ~0 -0 =0"
    assert (await house.sync()).diff == "+0 ~0 -0 =8"
    house.silo.remove("0.txt")
    house.silo.remove("1.txt")
    house.silo.write("2.txt", b"Changed.")
    house.silo.write("new.txt", b"New.")
    house.silo.grant("3.txt", STAFF)
    assert await preview(house.indexer, SILO) == {
        "added": 1, "modified": 2, "removed": 2, "unchanged": 4
    }  # fmt: skip
    assert (await house.sync()).diff == "+1 ~1 -2 =5"


async def test_a_journal_that_is_still_being_made_does_not_stop_the_indexer(
    house: House, tmp_path: Path
) -> None:
    sqlite3.connect(tmp_path / "journal.sqlite").close()
    (tmp_path / "journal.sqlite").touch()
    house.silo.write("a.txt", b"One document about zebras.")
    watching = asyncio.create_task(watch(house.indexer))
    try:
        async with asyncio.timeout(10):
            while not await house.found("zebras"):
                assert not watching.done(), watching.exception()
                await asyncio.sleep(0.05)
        await asyncio.sleep(0.5)
        assert not watching.done(), watching.exception()
    finally:
        watching.cancel()
        await asyncio.gather(watching, return_exceptions=True)


async def test_lexical_gives_the_best_first_and_the_best_at_all(house: House) -> None:
    """With more matches than asked for, those kept are the best by the score that is given."""
    for i in range(40):
        house.silo.write(
            f"plain{i}.txt", f"Note {i}: {'zebra ' * (1 + i % 3)}and more words.".encode()
        )
    house.silo.write("zebra.txt", ("It is only named above. " * 12).encode())
    await house.sync()
    async with house.reader.snapshot(EVERYBODY, None) as snapshot:
        everything = await snapshot.lexical(["zebra"], 1000)
        some = await snapshot.lexical(["zebra"], 5)
    assert list(everything.values()) == sorted(everything.values(), reverse=True)
    assert list(some.values()) == sorted(everything.values(), reverse=True)[:5]
    scores = await house.reader.query(
        lambda c: c.exec_driver_sql(
            "SELECT rowid, -bm25(posting, 3.0, 1.0) FROM posting WHERE posting MATCH 'zebra'"
        ).all()
    )
    assert everything == pytest.approx(dict(scores))


async def test_one_change_at_a_time_through_the_belt_says_what_became_of_it(house: House) -> None:
    options = house.indexer.options

    async def carry(change) -> Result:
        return await ingest(change, house.ports, options)

    up = Upserted(ref=DocumentRef(silo=SILO, key="a.txt", signature="1"))
    down = Removed(silo=SILO, key="a.txt", reason="gone")
    assert await carry(up) is Result.UNCHANGED, "it vanished before it was ever read"
    house.silo.write("a.txt", b"Zebras.")
    assert await carry(up) is Result.COMMITTED
    assert await carry(up) is Result.UNCHANGED
    house.silo.write("a.txt", b"Zebras again.")
    assert await carry(up) is Result.COMMITTED
    house.silo.failures["a.txt"] = ParseFailed("damaged")
    assert await carry(up) is Result.QUARANTINED
    house.silo.failures.clear()
    house.silo.remove("a.txt")
    assert await carry(up) is Result.REMOVED, "it is gone when it is fetched"
    assert await carry(down) is Result.UNCHANGED
    scan = ScanCompleted(silo=SILO, complete=True, n_documents=0)
    assert await carry(scan) is Result.RECORDED
    (stone,) = await house.reader.query(
        lambda c: c.exec_driver_sql("SELECT document_id, reason FROM tombstone").all()
    )
    assert tuple(stone) == (document_id(SILO, "a.txt"), "gone")
    assert await house.reader.meta("generation") == "5"


async def test_follow_does_what_is_new_first(house: House) -> None:
    house.silo.write("old.txt", text_of("zebra").encode())
    await house.sync_texts()
    await house.catalog.mark_not_indexed(sorted(await house.catalog.child_ids()))
    house.silo.write("new.txt", b"A walrus.")
    house.indexer.house = replace(house.indexer.house)
    async with _workers(house.indexer):
        batch = await _reconcile(house.indexer, house.indexer.silos[SILO], EVERYTHING)
        await batch.done.wait()
    await follow(_follow_ports(house.indexer), 1)
    assert house.embedder.texts[-1] == "A walrus."
