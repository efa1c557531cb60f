"""Planning, fusing and selecting: from a question to what is shown."""

from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.making import evidence

from rag.answer.planning import TERMS_MAX, plan_query
from rag.answer.selection import best_children, fuse, select
from rag.domain.ids import ChunkId

SCORES = st.dictionaries(st.integers(1, 30).map(ChunkId), st.floats(-1, 50), max_size=12)


def test_a_query_keeps_content_words_once_in_order() -> None:
    query = plan_query("  How many days of\nannual leave, and how many DAYS more? ")
    assert query.terms == ("many", "days", "annual", "leave")
    assert query.text == "How many days of annual leave, and how many DAYS more?"


def test_a_question_of_stop_words_is_searched_by_all_its_words() -> None:
    assert plan_query("What is it about?").terms == ("what", "is", "it", "about")
    assert plan_query("?!").terms == ()


def test_a_long_question_has_a_limit_of_terms() -> None:
    query = plan_query(" ".join(f"word{n}" for n in range(100)))
    assert query.terms == tuple(f"word{n}" for n in range(TERMS_MAX))


def ids(*scores: tuple[int, float]) -> dict[ChunkId, float]:
    return {ChunkId(i): score for i, score in scores}


def test_a_parent_is_as_near_as_its_best_child() -> None:
    similar = ids((11, 0.2), (12, 0.9), (21, 0.5), (99, 1.0))
    parents = {ChunkId(11): ChunkId(1), ChunkId(12): ChunkId(1), ChunkId(21): ChunkId(2)}
    # What has no parent there is not permitted, or not live.
    assert best_children(similar, parents) == ids((1, 0.9), (2, 0.5))


def test_fusion_weighs_both_searches() -> None:
    hits = fuse(ids((1, 10.0), (2, 0.0)), ids((2, 0.9), (3, 0.1)), dense_weight=0.4)
    assert [(h.chunk_id, round(h.score, 6)) for h in hits] == [(1, 0.6), (2, 0.4), (3, 0.0)]
    assert [h.dense for h in hits] == [0.0, 0.9, 0.1]


def test_a_silent_search_leaves_the_other_to_decide() -> None:
    for lexical, dense in (({}, ids((1, 0.2), (2, 0.7))), (ids((1, 2.0), (2, 7.0)), {})):
        hits = fuse(lexical, dense, dense_weight=0.4)
        assert [(h.chunk_id, h.score) for h in hits] == [(2, 1.0), (1, 0.0)]
    assert fuse({}, {}, dense_weight=0.4) == ()


@given(SCORES, SCORES, st.floats(0, 1))
def test_fusion_gives_each_once_best_first_within_zero_and_one(
    lexical: Mapping[ChunkId, float], dense: Mapping[ChunkId, float], weight: float
) -> None:
    hits = fuse(lexical, dense, dense_weight=weight)
    assert {h.chunk_id for h in hits} == lexical.keys() | dense.keys()
    assert len(hits) == len({h.chunk_id for h in hits})
    assert all(-1e-9 <= h.score <= 1 + 1e-9 for h in hits)
    assert list(hits) == sorted(hits, key=lambda h: (-h.score, h.chunk_id))


def test_selection_takes_the_best_few_of_each_document_and_no_copies() -> None:
    found = [
        evidence("Alpha beta.", chunk=1, document="doc_a"),
        evidence("ALPHA: beta", chunk=2, document="doc_b"),
        evidence("Gamma delta.", chunk=3, document="doc_a"),
        evidence("Epsilon zeta.", chunk=4, document="doc_a"),
        evidence("Eta theta.", chunk=5, document="doc_c"),
    ]
    chosen = select(found, limit=8, per_document=2)
    assert [e.chunk_ids[0] for e in chosen] == [1, 3, 5]
    assert [e.chunk_ids[0] for e in select(found, limit=1, per_document=2)] == [1]
    assert select([], limit=3, per_document=1) == ()


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Leave is 28 days.", "Leave is not 28 days."),
        ("Do this.", "Do not do this."),
        ("Ana pays Ben.", "Ben pays Ana."),
    ],
)
def test_the_same_words_saying_something_else_are_no_copy(one: str, other: str) -> None:
    chosen = select(
        [evidence(one), evidence(other, chunk=2, document="doc_b")], limit=4, per_document=2
    )
    assert len(chosen) == 2
