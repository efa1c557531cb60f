"""Ways of searching over a catalog made by belt one's steps, with vectors of hashed words."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from eval.retrieval.alternatives import GROUPS, alternatives
from eval.retrieval.indexing import Layout, indexed, laid_out
from eval.retrieval.searching import Searcher, Way, replanned
from eval.retrieval.sets import Asked, Document, Gold, RetrievalSet, plain_document
from eval.retrieval.vectors import KeptVectors
from rag.answer.gathering import ReadingOptions, ordered
from rag.answer.planning import TERMS_MAX, plan_query
from rag.answer.retrieval import RetrievalOptions, retrieve
from rag.domain.document import Principal
from rag.domain.errors import StoreUnavailable
from rag.domain.ids import Digest
from rag.domain.reading import Passage, PassageReading
from rag.ingest.chunking import ChunkSizes, chunk
from rag.testing.fakes import HashEmbedder

TOPICS = ("oil prices", "melting ice", "hotel limits", "train tickets", "annual leave")
SMALL = Layout(parent_chars=120, child_chars=60)
BASE = Way(name="default", layout=SMALL)


class Likes:
    """The port `Reader`: what names its topic answers."""

    name = "likes"
    digest = Digest("likes")

    def __init__(self, topic: str) -> None:
        self._topic = topic
        self.read_texts: list[str] = []

    async def read(self, question: str, passages: Sequence[Passage]) -> Sequence[PassageReading]:
        self.read_texts += [p.text for p in passages]
        return [
            PassageReading(p_answers=0.9 if self._topic in p.text else 0.1, spans=())
            for p in passages
        ]


def documents() -> list[Document]:
    made = []
    for n, topic in enumerate(TOPICS):
        text = " ".join(f"Sentence {i} says something of {topic} number {i}." for i in range(8))
        made.append(plain_document(f"d{n}.txt", text, f"About {topic.split()[0]} {n}"))
    return made


def asked(question: str, groups: frozenset[str] = frozenset()) -> Asked:
    return Asked(
        id="q", question=question, gold=(Gold(document="set/d0.txt"),), source="q", groups=groups
    )


def searched(
    way: Way, question: Asked, some: Sequence[Document] | None = None
) -> list[tuple[str, int, int]]:
    async def search() -> list[tuple[str, int, int]]:
        embedder = HashEmbedder()
        async with indexed(some or documents(), way.layout, embedder) as index:
            searcher = Searcher(index, embedder, RetrievalOptions())
            found = await searcher.ranked(question, way)
        return [(p.document, p.span.start, p.span.end) for p in found]

    return asyncio.run(search())


@pytest.mark.parametrize("question", ["What do hotel limits say?", "number 3 of melting ice"])
def test_the_default_way_finds_what_belt_two_finds(question: str) -> None:
    async def both() -> None:
        embedder, options = HashEmbedder(), RetrievalOptions()
        async with indexed(documents(), SMALL, embedder) as index:
            way = replace(BASE, per_document=options.per_document_max)
            ours = await Searcher(index, embedder, options).ranked(asked(question), way)
            async with index.reader.snapshot(Principal(id="x"), None) as snapshot:
                theirs = await retrieve(plan_query(question), snapshot, embedder, None, options)
        assert [p.chunk_id for p in ours] == [e.chunk_ids[0] for e in theirs.evidence]
        assert [p.text for p in ours] == [e.text for e in theirs.evidence]

    asyncio.run(both())


def test_a_word_of_the_title_alone_is_found_by_the_header_only() -> None:
    words_only = replace(BASE, dense_weight=0.0)
    some = [plain_document("a.txt", "Nothing of note.", "Zeppelin"), *documents()]
    assert searched(words_only, asked("zeppelin sentence"), some)[0][0] == "set/a.txt"
    bare = replace(words_only, layout=replace(SMALL, has_header=False))
    assert all(d != "set/a.txt" for d, _, _ in searched(bare, asked("zeppelin sentence"), some)[:1])


def test_what_the_asker_may_not_read_is_not_found() -> None:
    closed = [replace(d, groups=frozenset({"board"})) for d in documents()[:1]] + documents()[1:]
    question = "oil prices number 3"
    assert all(d != "set/d0.txt" for d, _, _ in searched(BASE, asked(question), closed))
    board = asked(question, frozenset({"board"}))
    assert searched(BASE, board, closed)[0][0] == "set/d0.txt"


def test_the_reader_puts_first_what_answers_among_the_first_few_and_reads_nothing_twice() -> None:
    async def both() -> None:
        embedder, reader = HashEmbedder(), Likes("train tickets")
        question = asked("hotel limits sentence number 3")
        async with indexed(documents(), SMALL, embedder) as index:
            searcher = Searcher(index, embedder, RetrievalOptions(), reader)
            found = await searcher.ranked(question, BASE)
            at = next(i for i, p in enumerate(found) if "train tickets" in p.text)
            assert at > 0
            far = replace(BASE, read=at + 1, read_weight=1.0)
            read = await searcher.ranked(question, far)
            assert read[0] == found[at]
            assert {p.chunk_id for p in read} == {p.chunk_id for p in found}
            assert read[at + 1 :] == found[at + 1 :]
            near = await searcher.ranked(question, replace(far, read=at))
            assert near == found
            assert await searcher.ranked(question, replace(far, read_weight=0.0)) == found
            assert len(reader.read_texts) == at + 1

    asyncio.run(both())


def test_what_is_read_has_the_order_that_belt_two_gives() -> None:
    async def both() -> None:
        embedder, options, reader = HashEmbedder(), RetrievalOptions(), Likes("melting ice")
        question = "number 3 of melting oil"
        async with indexed(documents(), SMALL, embedder) as index:
            way = replace(BASE, read=4, read_weight=0.5)
            ours = await Searcher(index, embedder, options, reader).ranked(asked(question), way)
            async with index.reader.snapshot(Principal(id="x"), None) as snapshot:
                found = await retrieve(plan_query(question), snapshot, embedder, None, options)
            given = ReadingOptions(depth=4, weight=0.5)
            theirs = await ordered(question, found.evidence, reader, given)
        assert [p.chunk_id for p in ours[:4]] == [e.chunk_ids[0] for e in theirs[:4]]

    asyncio.run(both())


def test_a_way_that_reads_needs_a_reader() -> None:
    with pytest.raises(ValueError, match="needs a reader"):
        searched(replace(BASE, read=3, read_weight=0.5), asked("hotel limits"))


def test_joined_neighbours_follow_their_passage_and_come_once() -> None:
    question = asked("oil prices number 3")
    first = searched(BASE, question)[0]
    found = searched(replace(BASE, joins=True), question)
    assert found[0] == first
    near = [p for p in found[1:3] if p[0] == first[0]]
    assert any(p[2] <= first[1] or p[1] >= first[2] for p in near)
    assert len(found) == len(set(found))


def test_a_typo_is_repaired_where_it_would_hide_the_passage() -> None:
    words_only = replace(BASE, dense_weight=0.0)
    question = asked("hotle sentence")
    assert searched(words_only, question)[0][0] != "set/d2.txt"
    assert searched(replace(words_only, repairs=True), question)[0][0] == "set/d2.txt"


@pytest.mark.parametrize(
    "way",
    [
        replace(BASE, feedback=0.3),
        replace(BASE, neighbour=0.2),
        replace(BASE, expands=True),
        replace(BASE, repairs_text=True),
        replace(BASE, layout=replace(SMALL, has_titles=True)),
        replace(BASE, layout=replace(SMALL, overlaps=True)),
    ],
)
def test_every_way_still_finds_the_topic(way: Way) -> None:
    assert searched(way, asked("hotel limits"))[0][0] == "set/d2.txt"


def test_a_long_question_may_keep_more_of_its_terms() -> None:
    long = plan_query(" ".join(f"word{n}" for n in range(40)))
    assert len(long.terms) == TERMS_MAX
    assert len(replanned(long, 96).terms) == 40
    assert replanned(long, 12).terms == long.terms[:12]
    assert replanned(plan_query("two words"), 96) == plan_query("two words")


def test_overlapping_children_bridge_their_neighbours_inside_the_parent() -> None:
    document = documents()[0]
    parents = chunk(document.parsed, document.key, ChunkSizes(parent=400, child=100))
    text = document.parsed.text
    found = laid_out(parents, text, replace(SMALL, overlaps=True))
    assert laid_out(parents, text, SMALL) == parents
    for before, after in zip(parents, found, strict=True):
        more = after.children[len(before.children) :]
        assert more
        for child in more:
            assert sum(child.span.overlaps(c.span) for c in before.children) == 2


def test_no_text_is_embedded_twice_in_any_run(tmp_path: Path) -> None:
    inner = HashEmbedder()

    async def embed() -> list[bytes]:
        kept = KeptVectors(inner, tmp_path / "new" / "vectors.sqlite")
        found = list(await kept.embed(["a", "b", "a"])) + list(await kept.embed(["b", "c"]))
        kept.close()
        return found

    first = asyncio.run(embed())
    assert inner.n_embedded == 3
    assert asyncio.run(embed()) == first
    assert inner.n_embedded == 3
    assert first[0] == first[2] != first[1] == first[3]


def test_vectors_that_cannot_be_kept_are_an_error_of_ours(tmp_path: Path) -> None:
    (tmp_path / "vectors.sqlite").write_text("this is no database, though it is long enough " * 99)
    with pytest.raises(StoreUnavailable, match="cannot keep vectors"):
        KeptVectors(HashEmbedder(), tmp_path / "vectors.sqlite")


def test_the_sweep_changes_one_thing_at_a_time_and_repeats_nothing() -> None:
    base = Way(name="default")
    short = RetrievalSet(name="s", title="", documents=(), asked=(), measures=())
    long = replace(short, has_long_documents=True, has_titles=True)
    for measured in (short, long):
        ways = alternatives(base, measured, GROUPS)
        bare = [replace(w, name="", group="") for w in (base, *ways)]
        assert len(set(bare)) == len(bare)
    assert {w.group for w in alternatives(base, long, ("query",))} == {"query"}
    # A size or a header is another index; short documents need one more, not six.
    assert len({w.layout for w in alternatives(base, short, GROUPS)}) == 2
    assert {w.layout.parent_chars for w in alternatives(base, long, GROUPS)} == {
        800,
        1200,
        1600,
        2400,
    }
