"""Which texts the lexical index scores for a question."""

import pytest

from rag.adapters.store.matching import any_of, telling_of


def test_few_texts_are_searched_by_any_term():
    assert telling_of(["hotel", "night"], {"hotel": 10, "night": 20}, 30) == '"hotel" OR "night"'


def test_frequent_terms_only_add_to_the_score():
    match = telling_of(["leave", "heron"], {"leave": 90, "heron": 3}, 50)
    assert match == '("heron") AND ("heron" OR "leave")'


def test_where_all_are_frequent_a_text_must_hold_the_two_rarest():
    match = telling_of(["a1", "b1", "c1"], {"a1": 90, "b1": 70, "c1": 80}, 50)
    assert match == '("b1" AND "c1") AND ("b1" OR "c1" OR "a1")'


def test_a_single_frequent_term_is_searched_for():
    assert telling_of(["leave"], {"leave": 90}, 50) == '("leave") AND ("leave")'


def test_terms_that_no_text_holds_leave_nothing_out():
    assert telling_of(["none", "leave"], {"none": 0, "leave": 10}, 50) == '"none" OR "leave"'


@pytest.mark.parametrize("term", ['a"b', '"', "NEAR", "a OR b"])
def test_terms_are_quoted(term):
    assert any_of([term]) == '"' + term.replace('"', '""') + '"'
