"""The difference between recorded and desired chunks, against a dictionary."""

from collections import Counter

from hypothesis import given, settings
from hypothesis import strategies as st

from rag.domain.chunk import Child, Parent, RecordedChunk
from rag.domain.ids import ChunkId, digest_text
from rag.domain.words import Span
from rag.ingest.plan import plan_index

TEXTS = st.lists(
    st.tuples(st.sampled_from("ABCD"), st.lists(st.sampled_from("abc"), max_size=3)), max_size=8
)


def desired(texts: list[tuple[str, list[str]]], header: str = "h") -> list[Parent]:
    """Parents and children of these texts; places do not matter to the plan."""
    return [
        Parent(
            span=Span(i * 10, i * 10 + 9), text_digest=digest_text(text), header=header,
            children=tuple(
                Child(span=Span(i * 10 + j, i * 10 + j + 1), text_digest=digest_text(c))
                for j, c in enumerate(children)
            ),
        )
        for i, (text, children) in enumerate(texts)
    ]  # fmt: skip


def rows_of(parents: list[Parent]) -> list[RecordedChunk]:
    rows: list[RecordedChunk] = []
    children: list[RecordedChunk] = []
    number = 0
    for parent in parents:
        number += 1
        mine = ChunkId(number)
        rows.append(RecordedChunk(id=mine, parent=None, span=parent.span, text_digest=parent.text_digest, header=parent.header))  # fmt: skip
        for child in parent.children:
            number += 1
            children.append(RecordedChunk(id=ChunkId(number), parent=mine, span=child.span, text_digest=child.text_digest, header=""))  # fmt: skip
    return rows + children


@settings(deadline=None)
@given(TEXTS, TEXTS)
def test_every_recorded_row_is_kept_once_or_retired(
    old: list[tuple[str, list[str]]], new: list[tuple[str, list[str]]]
) -> None:
    before, after = rows_of(desired(old)), desired(new)
    plan = plan_index(before, after)
    kept = [p.keep for p in plan.parents if p.keep] + [
        c.keep for p in plan.parents for c in p.children if c.keep
    ]
    assert sorted([*kept, *plan.retire]) == sorted(row.id for row in before)
    by_id = {row.id: row for row in before}
    for planned in plan.parents:
        if planned.keep:
            assert by_id[planned.keep].parent is None
            assert by_id[planned.keep].text_digest == planned.parent.text_digest
        for child in planned.children:
            if child.keep:
                assert by_id[child.keep].parent is not None
                assert by_id[child.keep].text_digest == child.child.text_digest


@settings(deadline=None)
@given(TEXTS, TEXTS)
def test_as_many_rows_are_kept_as_there_are_equal_texts(
    old: list[tuple[str, list[str]]], new: list[tuple[str, list[str]]]
) -> None:
    plan = plan_index(rows_of(desired(old)), desired(new))
    parents = Counter(t for t, _ in old) & Counter(t for t, _ in new)
    children = Counter(c for _, cs in old for c in cs) & Counter(c for _, cs in new for c in cs)
    assert sum(p.keep is not None for p in plan.parents) == parents.total()
    kept = sum(c.keep is not None for p in plan.parents for c in p.children)
    assert kept == children.total()


@settings(deadline=None)
@given(TEXTS)
def test_nothing_changed_means_nothing_to_do(texts: list[tuple[str, list[str]]]) -> None:
    before, after = rows_of(desired(texts)), desired(texts)
    plan = plan_index(before, after)
    assert plan.retire == ()
    assert tuple(p.parent for p in plan.parents) == tuple(after)
    # Repeated texts are matched in document order, so nothing even moves.
    by_id = {row.id: row for row in before}
    assert all(by_id[p.keep].span == p.parent.span for p in plan.parents if p.keep)


def test_a_new_header_makes_a_new_parent_and_keeps_the_children() -> None:
    before = rows_of(desired([("A", ["a", "b"])]))
    plan = plan_index(before, desired([("A", ["a", "b"])], header="renamed"))
    assert plan.parents[0].keep is None
    assert [c.keep for c in plan.parents[0].children] == [2, 3]
    assert plan.retire == (1,)


def test_a_child_may_move_to_another_parent() -> None:
    before = rows_of(desired([("A", ["a"]), ("B", ["b"])]))
    plan = plan_index(before, desired([("C", ["b", "a"])]))
    assert [c.keep for c in plan.parents[0].children] == [4, 2]
    assert plan.retire == (1, 3)


def test_of_a_new_document_nothing_is_kept() -> None:
    plan = plan_index((), desired([("A", ["a"])]))
    assert (plan.parents[0].keep, plan.parents[0].children[0].keep, plan.retire) == (None, None, ())
