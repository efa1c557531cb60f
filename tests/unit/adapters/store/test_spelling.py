"""Words that are written nearly alike."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rag.adapters.store.spelling import can_be_misspelt, distance, nearest, stems_of, words_of

WORDS = st.text(alphabet="abc", max_size=6)


@pytest.mark.parametrize(
    ("a", "b", "edits"),
    [("leave", "leave", 0), ("anual", "annual", 1), ("recieve", "receive", 1), ("ab", "ba", 1),
     ("", "abc", 3), ("kitten", "sitting", 3)],
)  # fmt: skip
def test_edits_between_two_words(a: str, b: str, edits: int) -> None:
    assert distance(a, b) == distance(b, a) == edits


@given(WORDS, WORDS)
def test_a_distance_is_none_only_between_equals(a: str, b: str) -> None:
    assert (distance(a, b) == 0) == (a == b)
    assert abs(len(a) - len(b)) <= distance(a, b) <= max(len(a), len(b))


def test_terms_are_stemmed_as_the_index_stems_them() -> None:
    assert stems_of(["employees", "approved", "Überstunden", "annual"]) == [
        "employe", "approv", "uberstunden", "annual",
    ]  # fmt: skip
    assert stems_of([]) == []


def test_a_stem_is_asked_for_by_a_word_that_has_it() -> None:
    assert words_of(["employe", "polici", "annual", "zzqx"]) == [
        "employee",
        "policy",
        "annual",
        "zzqx",
    ]
    for stemmed, word in zip(["employe", "polici"], words_of(["employe", "polici"]), strict=True):
        assert stems_of([word]) == [stemmed]


def test_the_most_frequent_of_the_nearest_comes_first() -> None:
    known = [("annual", 3), ("annul", 9), ("animal", 99), ("manual", 50), ("annuals", 1)]
    assert nearest("anual", known) == ["manual", "annual"]
    assert nearest("anual", [("anual", 3), ("annul", 9)]) == []
    assert nearest("anual", []) == []


def test_only_long_words_may_be_two_edits_away() -> None:
    assert nearest("departmnet", [("department", 1)]) == ["department"]
    assert nearest("dprtment", [("department", 1)]) == ["department"]
    assert nearest("leve", [("lover", 1)]) == []


@pytest.mark.parametrize(
    ("term", "can"), [("leave", True), ("pump", False), ("abc-123", False), ("2026", False)]
)
def test_what_can_be_misspelt(term: str, can: bool) -> None:
    assert can_be_misspelt(term) is can
