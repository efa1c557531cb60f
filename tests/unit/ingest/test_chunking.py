"""Chunks cover everything once, inside their limits, and never cut a sentence or a row."""

import random
import statistics
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rag.domain.chunk import Parent, RecordedChunk
from rag.domain.document import Element, ElementKind, ParsedDocument
from rag.domain.ids import ChunkId, digest_text
from rag.domain.words import Span, sentence_spans
from rag.ingest.chunking import ChunkSizes, chunk
from rag.ingest.plan import plan_index

SIZES = ChunkSizes(parent=300, child=120)
PARAGRAPH, HEADING, TABLE, CODE = (
    ElementKind.PARAGRAPH, ElementKind.HEADING, ElementKind.TABLE, ElementKind.CODE
)  # fmt: skip


def document(blocks: list[tuple[ElementKind, str]], title: str = "Title") -> ParsedDocument:
    """Blocks one empty line apart; a heading opens a section."""
    elements, at, section = [], 0, ()
    for kind, text in blocks:
        section = () if kind is HEADING else section
        elements.append(Element(kind=kind, span=Span(at, at + len(text)), section=section))
        section = (text,) if kind is HEADING else section
        at += len(text) + 2
    text = "\n\n".join(text for _, text in blocks)
    return ParsedDocument(text=text, elements=tuple(elements), title=title, parser="test")


SENTENCE = st.builds(
    lambda words, end: " ".join(words).capitalize() + end,
    st.lists(st.sampled_from(["leave", "🦉", "budget", "é", "𝒜bc", "12", "of"]), min_size=1, max_size=12),
    st.sampled_from([".", "!", "?"]),
)  # fmt: skip
PROSE = st.lists(SENTENCE, min_size=1, max_size=12).map(" ".join)
LINES = st.lists(
    st.text("ab1|: ", min_size=1, max_size=90).filter(str.strip), min_size=1, max_size=9
)
BLOCKS = st.lists(
    st.one_of(
        st.tuples(st.just(PARAGRAPH), PROSE),
        st.tuples(st.just(ElementKind.LIST_ITEM), SENTENCE),
        st.tuples(st.just(HEADING), st.sampled_from(["One", "Two", "Three"])),
        st.tuples(st.sampled_from([TABLE, CODE]), LINES.map("\n".join)),
    ),
    max_size=15,
)  # fmt: skip


@settings(max_examples=150, deadline=None)
@given(BLOCKS)
def test_every_letter_of_every_element_lies_in_one_parent_and_one_child(
    blocks: list[tuple[ElementKind, str]],
) -> None:
    parsed = document(blocks)
    parents = chunk(parsed, "a.md", SIZES)
    for spans in ([p.span for p in parents], [c.span for p in parents for c in p.children]):
        assert all(a.end <= b.start for a, b in pairwise(spans)), "in order"
        covered = [0] * len(parsed.text)
        for span in spans:
            for i in range(span.start, span.end):
                covered[i] += 1
        for element in parsed.elements:
            for i in range(element.span.start, element.span.end):
                assert covered[i] == 1 or parsed.text[i].isspace()
    for parent in parents:
        assert parent.children
        assert parent.text_digest == digest_text(parent.span.of(parsed.text))
        for child in parent.children:
            assert parent.span.start <= child.span.start < child.span.end <= parent.span.end
            assert child.text_digest == digest_text(child.span.of(parsed.text))


@settings(max_examples=150, deadline=None)
@given(BLOCKS)
def test_chunks_keep_their_limits_and_never_cut_an_atom(
    blocks: list[tuple[ElementKind, str]],
) -> None:
    parsed = document(blocks)
    parents = chunk(parsed, "a.md", SIZES)
    atoms = [a for e in parsed.elements for a in atoms_of(parsed.text, e)]
    for parent in parents:
        for limit, spans in (
            (SIZES.parent, [parent.span]),
            (SIZES.child, [c.span for c in parent.children]),
        ):
            for span in spans:
                inside = [a for a in atoms if a.overlaps(span)]
                assert all(span.start <= a.start and a.end <= span.end for a in inside), "whole"
                # A single atom may be longer; small elements are one atom to a parent.
                assert len(span) <= limit or len(inside) == 1


def atoms_of(text: str, element: Element) -> list[Span]:
    """What may not be cut: rows and lines, else sentences."""
    if element.kind not in (TABLE, CODE):
        return list(sentence_spans(text, element.span.start, element.span.end))
    out, at = [], element.span.start
    for line in element.span.of(text).split("\n"):
        if line.strip():
            out.append(Span(at, at + len(line)))
        at += len(line) + 1
    return out


@settings(max_examples=60, deadline=None)
@given(BLOCKS)
def test_a_parent_never_spans_two_sections(blocks: list[tuple[ElementKind, str]]) -> None:
    parsed = document(blocks)
    paths = {
        e.span: (*e.section, e.span.of(parsed.text)) if e.kind is HEADING else e.section
        for e in parsed.elements
    }
    for parent in chunk(parsed, "a.md", SIZES):
        inside = {path for span, path in paths.items() if span.overlaps(parent.span)}
        assert len(inside) == 1
        (path,) = inside
        assert parent.header.endswith(" > ".join(path))


def test_header_is_title_key_and_section_without_the_ending() -> None:
    parsed = document([(HEADING, "Leave"), (PARAGRAPH, "Thirty days.")], title="Handbook")
    (parent,) = chunk(parsed, "people_ops/annual-leave.v2.md", SIZES)
    assert parent.header == "Handbook\npeople ops annual leave.v2\nLeave"


def test_an_empty_document_has_no_chunks() -> None:
    assert chunk(document([]), "a.md", SIZES) == ()


def test_small_neighbours_share_a_parent_and_a_child() -> None:
    parsed = document([(PARAGRAPH, "One."), (PARAGRAPH, "Two."), (PARAGRAPH, "Three.")])
    (parent,) = chunk(parsed, "a.md", SIZES)
    assert parent.span == Span(0, len(parsed.text))
    assert [c.span for c in parent.children] == [parent.span]


@pytest.mark.parametrize("kind", [TABLE, CODE])
def test_a_long_table_is_cut_between_rows_only(kind: ElementKind) -> None:
    rows = [f"item {i}: lamp | price: {i}. Only. Here" for i in range(40)]
    parsed = document([(kind, "\n".join(rows))])
    texts = [c.span.of(parsed.text) for p in chunk(parsed, "a.csv", SIZES) for c in p.children]
    assert "\n".join(texts) == parsed.text
    assert all(len(text) <= SIZES.child for text in texts)


def test_one_sentence_over_the_limit_stays_whole() -> None:
    parsed = document([(PARAGRAPH, "word " * 400 + "end.")])
    (parent,) = chunk(parsed, "a.md", SIZES)
    assert [c.span for c in parent.children] == [parent.span] == [Span(0, len(parsed.text))]


# --- edits ----------------------------------------------------------------------------------------


def recorded(parents: tuple[Parent, ...]) -> list[RecordedChunk]:
    """Rows as the catalog would have them."""
    rows, children = [], []
    for parent in parents:
        mine = ChunkId(len(rows) + len(children) + 1)
        rows.append(RecordedChunk(id=mine, parent=None, span=parent.span, text_digest=parent.text_digest, header=parent.header))  # fmt: skip
        for child in parent.children:
            new = ChunkId(len(rows) + len(children) + 1)
            children.append(RecordedChunk(id=new, parent=mine, span=child.span, text_digest=child.text_digest, header=""))  # fmt: skip
    return rows + children


@pytest.mark.parametrize("n_per_section", [9, 10**6], ids=["sections", "flat"])
def test_an_edit_changes_the_chunks_around_it_and_no_others(n_per_section: int) -> None:
    chance = random.Random(9)
    words = "pump valve seal rotor gauge flange bearing oil shaft motor check replace every".split()

    def paragraph() -> str:
        return " ".join(
            " ".join(chance.choice(words) for _ in range(chance.randint(6, 20))).capitalize() + "."
            for _ in range(chance.randint(2, 7))
        )

    def parsed(paragraphs: list[str]) -> ParsedDocument:
        blocks = []
        for i, text in enumerate(paragraphs):
            if i % n_per_section == 0:
                blocks.append((HEADING, f"Section {i // n_per_section}"))
            blocks.append((PARAGRAPH, text))
        return document(blocks)

    sizes = ChunkSizes()
    paragraphs = [paragraph() for _ in range(1000)]
    before = recorded(chunk(parsed(paragraphs), "m.md", sizes))
    n_new = []
    for at in range(5, 1000, 20):
        after = list(paragraphs)
        after[at] = paragraph()
        plan = plan_index(before, chunk(parsed(after), "m.md", sizes))
        rows = [p.keep for p in plan.parents] + [c.keep for p in plan.parents for c in p.children]
        n_new.append(sum(c.keep is None for p in plan.parents for c in p.children))
        assert sum(keep is not None for keep in rows) > 0.95 * len(before)
    assert statistics.median(n_new) <= 2
    assert sum(n <= 3 for n in n_new) >= 0.8 * len(n_new)
    assert max(n_new) <= 20
