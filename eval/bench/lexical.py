"""FTS5, as the catalog uses it, against tantivy: speed, upkeep, size, and what they find."""

import asyncio
import random
import shutil
import sqlite3
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from eval.bench import corpus
from eval.bench.common import Load, Options, Row, folder_bytes, p50_p95, percentile, say
from eval.bench.corpus import Asked, Passage
from rag.adapters.clock import SystemClock
from rag.adapters.store.catalog_reader import SqlCatalogReader
from rag.adapters.store.catalog_writer import SqlCatalogWriter
from rag.adapters.store.matching import any_of, telling_of
from rag.answer.planning import plan_query
from rag.domain.chunk import IndexPlan, Parent, PlannedParent
from rag.domain.document import Access, Element, ElementKind, ParsedDocument, Principal, RawDocument
from rag.domain.ids import Digest, SiloId, digest_text
from rag.domain.words import Span

LIMIT: Final = 200
K: Final = 10
AIM_P95_S: Final = 0.050
_PER_DOCUMENT: Final = 20
_ANYONE: Final = Principal(id="bench")
_MODEL: Final = Digest("bench")
_CREATE: Final = """
    CREATE VIRTUAL TABLE posting USING fts5 (
        header, body, content='', tokenize='porter unicode61 remove_diacritics 2')
"""
_SELECT: Final = """
    SELECT rowid FROM posting WHERE posting MATCH ?
    AND rank MATCH 'bm25(3.0, 1.0)' ORDER BY rank LIMIT ?
"""
_COUNT: Final = "SELECT count(*) FROM posting WHERE posting MATCH ?"
# FTS5's score weighs the header three times; for tantivy, whose scores of the two fields are
# added, half gave the best recall of 0.3, 0.5, 1, 2 and 3.
_TANTIVY_BOOST: Final = 0.5

Search = Callable[[Sequence[str]], list[int]]


def run(options: Options) -> list[Row]:
    """The same passages in both; the same questions of both, one after the other."""
    n = options.choose(10_000, 100_000)
    passages, asked = material(options, n)
    say(f"{n} passages into the catalog, FTS5 alone and tantivy")
    with Load() as load:
        house = House(options.work / "lexical", passages)
        rows = _rows(house, asked, options, n)
        house.close()
    return [replace(row, others=load.note) for row in rows]


def material(options: Options, n: int) -> tuple[list[Passage], list[Asked]]:
    """Real passages first, then recombined ones; and a sample of the questions."""
    found = corpus.collection()
    rng = random.Random(options.seed)
    passages = list(found.passages[:n])
    while len(passages) < n:
        # Half of the words drawn anew: as frequent as in real text, but answering nothing.
        text = corpus.paragraph(rng, rng.randint(400, 1000), exchange=0.5)
        passages.append(Passage(title=rng.choice(found.passages).title, text=text))
    answerable = [a for a in found.questions if max(a.gold) < n]
    asked = rng.sample(answerable, min(len(answerable), options.choose(100, 500)))
    return passages, asked


# --- the two indexes, and the catalog -------------------------------------------------------------


class House:
    """The passages in the real catalog, in an FTS5 file of its own, and in tantivy."""

    def __init__(self, folder: Path, passages: Sequence[Passage]) -> None:
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        self.folder = folder
        self.place: dict[int, int] = {}
        self.commit_s = asyncio.run(self._fill_catalog(passages))
        self.fts = _open_fts(folder / "fts.sqlite", passages)
        self.tantivy, self.writer = _open_tantivy(folder / "tantivy", passages)
        self.reader = SqlCatalogReader(folder / "catalog.sqlite", _MODEL)
        self.loop = asyncio.new_event_loop()
        self.elapsed_s = 0.0
        self.counts: dict[str, int] = {}

    async def _fill_catalog(self, passages: Sequence[Passage]) -> float:
        catalog = SqlCatalogWriter(self.folder / "catalog.sqlite", SystemClock(), _MODEL)
        started_s = time.perf_counter()
        for start in range(0, len(passages), _PER_DOCUMENT):
            some = passages[start : start + _PER_DOCUMENT]
            await catalog.commit(*planned(f"doc-{start}.md", some))
        taken_s = time.perf_counter() - started_s
        await catalog.aclose()
        # Ids are given in the order of the passages.
        with closing(sqlite3.connect(self.folder / "catalog.sqlite")) as connection:
            ids = connection.execute("SELECT id FROM chunk ORDER BY id").fetchall()
        self.place = {row[0]: i for i, row in enumerate(ids)}
        return taken_s

    def catalog_search(self, terms: Sequence[str]) -> list[int]:
        """As belt two searches: permissions included."""

        async def search() -> list[int]:
            async with self.reader.snapshot(_ANYONE, None) as snapshot:
                started_s = time.perf_counter()
                found = await snapshot.lexical(terms, LIMIT)
                self.elapsed_s = time.perf_counter() - started_s
            return [self.place[i] for i in found]

        return self.loop.run_until_complete(search())

    def fts_search(self, terms: Sequence[str]) -> list[int]:
        """The bare statement, for texts with any of the terms."""
        return self._fts(any_of(terms))

    def telling_search(self, terms: Sequence[str]) -> list[int]:
        """The bare statement, for texts with one of the rarer terms."""
        for term in terms:
            if term not in self.counts:
                found = self.fts.execute(_COUNT, (any_of([term]),)).fetchone()
                self.counts[term] = int(found[0])
        return self._fts(telling_of(terms, self.counts))

    def _fts(self, match: str) -> list[int]:
        return [row[0] for row in self.fts.execute(_SELECT, (match, LIMIT))]

    def tantivy_search(self, terms: Sequence[str]) -> list[int]:
        """Any of the terms."""
        words = " ".join('"' + term.replace('"', " ") + '"' for term in terms)
        query, _ = self.tantivy.parse_query_lenient(
            words, ["header", "body"], field_boosts={"header": _TANTIVY_BOOST}
        )
        searcher = self.tantivy.searcher()
        hits = searcher.search(query, LIMIT, count=False).hits
        found: list[int] = searcher.fast_field_values("id", [place for _, place in hits])
        return found

    def close(self) -> None:
        """Let go of all files."""
        self.fts.close()
        self.loop.run_until_complete(self.reader.aclose())
        self.loop.close()


def planned(key: str, passages: Sequence[Passage]) -> tuple[RawDocument, ParsedDocument, IndexPlan]:
    """A document of these passages, each a parent of its own, without children to embed."""
    text = "\n\n".join(p.text for p in passages)
    spans: list[Span] = []
    start = 0
    for passage in passages:
        spans.append(Span(start, start + len(passage.text)))
        start += len(passage.text) + 2
    elements = tuple(Element(kind=ElementKind.PARAGRAPH, span=s) for s in spans)
    now = datetime.now(UTC)
    raw = RawDocument(
        silo=SiloId("bench"), key=key, uri=key, data=b"", digest=digest_text(key),
        media_type="text/markdown", modified_at=now, signature="", access=Access(groups=frozenset("*")),
    )  # fmt: skip
    parents = tuple(
        PlannedParent(
            parent=Parent(
                span=s, text_digest=digest_text(p.text), header=f"{p.title}\n{p.title}", children=()
            ),
            keep=None,
            children=(),
        )
        for p, s in zip(passages, spans, strict=True)
    )
    parsed = ParsedDocument(text=text, elements=elements, title=key, parser="bench")
    return raw, parsed, IndexPlan(parents=parents, retire=())


def _open_fts(path: Path, passages: Sequence[Passage]) -> sqlite3.Connection:
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=FULL")
    connection.execute(_CREATE)
    for start in range(0, len(passages), 1000):
        connection.execute("BEGIN")
        connection.executemany(_INSERT, _fts_rows(passages[start : start + 1000], start))
        connection.execute("COMMIT")
    return connection


_INSERT: Final = "INSERT INTO posting (rowid, header, body) VALUES (?, ?, ?)"


def _fts_rows(passages: Sequence[Passage], start: int) -> Iterator[tuple[int, str, str]]:
    return ((start + i, f"{p.title}\n{p.title}", p.text) for i, p in enumerate(passages))


def _open_tantivy(folder: Path, passages: Sequence[Passage]) -> tuple[Any, Any]:
    import tantivy

    folder.mkdir()
    schema = tantivy.SchemaBuilder()
    schema.add_unsigned_field("id", stored=False, indexed=True, fast=True)
    for name in ("header", "body"):
        schema.add_text_field(name, stored=False, tokenizer_name="en_stem", index_option="position")
    index = tantivy.Index(schema.build(), path=str(folder))
    writer = index.writer(heap_size=128_000_000, num_threads=1)
    _add_tantivy(writer, passages, 0)
    writer.commit()
    writer.wait_merging_threads()
    index.reload()
    return index, index.writer(heap_size=64_000_000, num_threads=1)


def _add_tantivy(writer: Any, passages: Sequence[Passage], start: int) -> None:
    import tantivy

    for i, header, body in _fts_rows(passages, start):
        document = tantivy.Document(header=header, body=body)
        document.add_unsigned("id", i)
        writer.add_document(document)


# --- measuring ------------------------------------------------------------------------------------


def _rows(house: House, asked: Sequence[Asked], options: Options, n: int) -> list[Row]:
    terms = [plan_query(a.question).terms for a in asked]
    gold = [a.gold for a in asked]
    frequent = _frequent(house, options)
    real, hard = _timed(house, terms, gold), _timed(house, frequent, None)
    name = corpus.collection().name
    return [
        _speed(f"{len(asked)} {name} questions over {n} passages, p50 / p95", real, aim=True),
        _speed("five of the 50 most frequent words, p50 / p95", hard, aim=False),
        *_recall(real),
        *_pruned(real, hard),
        _upkeep(house, n),
        _size(house),
    ]


class Timed:
    """What one set of queries came to with each way of searching."""

    def __init__(self) -> None:
        self.taken: dict[str, list[float]] = {}
        self.found: dict[str, list[bool]] = {}


def _timed(
    house: House, queries: Sequence[Sequence[str]], gold: Sequence[frozenset[int]] | None
) -> Timed:
    ways: dict[str, Search] = {
        "fts": house.fts_search, "telling": house.telling_search, "tantivy": house.tantivy_search,
        "catalog": house.catalog_search,
    }  # fmt: skip
    timed = Timed()
    for number, terms in enumerate(queries):
        for name, search in ways.items():
            started_s = time.perf_counter()
            found = search(terms)
            elapsed_s = time.perf_counter() - started_s
            timed.taken.setdefault(name, []).append(
                house.elapsed_s if name == "catalog" else elapsed_s
            )
            if gold is not None:
                hit = not gold[number].isdisjoint(found[:K])
                timed.found.setdefault(name, []).append(hit)
    return timed


def _frequent(house: House, options: Options) -> list[list[str]]:
    """Five each of the most frequent words that are not stop words: the worst that can be asked."""
    with closing(sqlite3.connect(house.folder / "catalog.sqlite")) as connection:
        statement = "SELECT term FROM posting_term ORDER BY doc DESC LIMIT 200"
        found = [row[0] for row in connection.execute(statement)]
    rng = random.Random(options.seed)
    telling = [t for t in found if plan_query(t).terms == (t,) and len(t) > 3 and t.isalpha()]
    words = [t for t in telling if plan_query(f"zzz {t}").terms == ("zzz", t)][:50]
    return [rng.sample(words, 5) for _ in range(options.choose(10, 40))]


def _speed(what: str, timed: Timed, *, aim: bool) -> Row:
    ours, theirs = timed.taken["catalog"], timed.taken["tantivy"]
    p95 = percentile(ours, 0.95)
    return Row(
        bench="lexical", what=f"{what}; peer tantivy", figure=p50_p95(ours), peer=p50_p95(theirs),
        ratio=f"{p95 / percentile(theirs, 0.95):.1f}",
        aim=f"p95 < {AIM_P95_S * 1000:.0f} ms" if aim else "",
        met=p95 < AIM_P95_S if aim else None, samples=ours + theirs,
    )  # fmt: skip


def _pruned(real: Timed, hard: Timed) -> list[Row]:
    """What it brings to score only texts with one of the rarer terms: bare statements."""
    return [
        Row(
            bench="lexical", what=f"FTS5 alone, {name}; peer: scoring texts with any term",
            figure=p50_p95(timed.taken["telling"]), peer=p50_p95(timed.taken["fts"]),
            ratio=f"{percentile(timed.taken['telling'], 0.95) / percentile(timed.taken['fts'], 0.95):.2f}",
            samples=timed.taken["telling"] + timed.taken["fts"],
        )
        for name, timed in (("questions", real), ("frequent words", hard))
    ]  # fmt: skip


def _recall(timed: Timed) -> list[Row]:
    def share(name: str) -> str:
        found = timed.found[name]
        return f"{sum(found) / len(found):.3f} (n {len(found)})"

    return [
        Row(
            bench="lexical", what=f"the right passage among the first {K}, peer {name}",
            figure=share("catalog"), peer=share(way),
        )
        for name, way in (("tantivy", "tantivy"), ("FTS5 scoring texts with any term", "fts"))
    ]  # fmt: skip


def _upkeep(house: House, n: int) -> Row:
    """One more document of ten passages, durable and visible."""
    rng = random.Random(5)
    ours: list[float] = []
    theirs: list[float] = []
    for i in range(20):
        some = [Passage(title="new", text=corpus.paragraph(rng, 700)) for _ in range(10)]
        start = n + i * 10
        started_s = time.perf_counter()
        house.fts.execute("BEGIN")
        house.fts.executemany(_INSERT, _fts_rows(some, start))
        house.fts.execute("COMMIT")
        ours.append(time.perf_counter() - started_s)
        started_s = time.perf_counter()
        _add_tantivy(house.writer, some, start)
        house.writer.commit()
        house.tantivy.reload()
        theirs.append(time.perf_counter() - started_s)
    return Row(
        bench="lexical", what="one more document of ten passages, p50 / p95; peer tantivy",
        figure=p50_p95(ours), peer=p50_p95(theirs),
        ratio=f"{percentile(ours, 0.5) / percentile(theirs, 0.5):.2f}",
    )  # fmt: skip


def _size(house: House) -> Row:
    ours = folder_bytes(house.folder / "fts.sqlite") / 2**20
    theirs = folder_bytes(house.folder / "tantivy") / 2**20
    return Row(
        bench="lexical", what="size of the postings; peer tantivy", figure=f"{ours:.0f} MB",
        peer=f"{theirs:.0f} MB", ratio=f"{ours / theirs:.2f}",
    )  # fmt: skip
