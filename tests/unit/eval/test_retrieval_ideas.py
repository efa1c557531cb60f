"""Changes of a query that need no model."""

import pytest

from eval.retrieval.ideas import (
    Vocabulary,
    added,
    distance,
    expanded,
    feedback_terms,
    misspelt,
    repaired,
    short_forms,
    with_neighbours,
)
from rag.answer.planning import plan_query
from rag.domain.ids import ChunkId

TEXTS = (
    "The reimbursement of travel is due in March.",
    "A hotel is reimbursed; travel by train is cheaper.",
    "Trains leave in March.",
)


@pytest.mark.parametrize(
    ("a", "b", "n"),
    [("", "abc", 3), ("abcd", "abcd", 0), ("abcd", "abdc", 1), ("travel", "trvael", 1),
     ("kitten", "sitting", 3), ("hotel", "hotels", 1)],
)  # fmt: skip
def test_edits_between_two_words(a: str, b: str, n: int) -> None:
    assert distance(a, b) == distance(b, a) == n


@pytest.mark.parametrize(
    ("wrong", "right"),
    [("travle", "travel"), ("hotl", "hotel"), ("reimbursemnet", "reimbursement"),
     ("reimbusrmeent", "reimbursement"), ("xyzzyx", None), ("tran", "train"), ("leve", "leave")],
)  # fmt: skip
def test_a_word_that_no_text_holds_has_a_nearest_one(wrong: str, right: str | None) -> None:
    assert Vocabulary(TEXTS).nearest(wrong) == right


def test_words_of_two_edits_need_the_same_first_letter() -> None:
    assert Vocabulary(["reimbursement"]).nearest("xeimbursemnt") is None


def test_the_commoner_of_two_words_is_meant() -> None:
    assert Vocabulary(["house", "mouse", "mouse of two"]).nearest("louse") == "mouse"


def test_only_words_that_no_text_holds_in_any_form_are_repaired() -> None:
    vocabulary = Vocabulary(TEXTS)
    query = plan_query("Is travelling by trian paid in March 2021?")
    found = repaired(query, vocabulary, also_text=False)
    assert "train" in found.terms
    assert "trian" not in found.terms
    assert "travelling" in found.terms
    assert "2021" in found.terms
    assert found.text == query.text


def test_the_text_may_be_repaired_too() -> None:
    query = plan_query("When is a Hotle paid?")
    assert repaired(query, Vocabulary(TEXTS), also_text=True).text == "When is a hotel paid?"


def test_a_misspelt_question_differs_by_one_edit_and_never_by_chance() -> None:
    question = "How much may a hotel cost in an ordinary city?"
    made = {misspelt(question, str(seed)) for seed in range(40)}
    assert len(made) > 10
    assert misspelt(question, "7") == misspelt(question, "7")
    assert all(distance(question, m) <= 1 for m in made)


def test_a_question_without_longer_words_stays() -> None:
    assert misspelt("Who is it?", "1") == "Who is it?"


def test_short_forms_are_found_with_their_definition() -> None:
    found = short_forms(
        [
            "We keep a Service Level Objective (SLO) and a few other ones (see page 3).",
            "Organization of Arab Petroleum Exporting Countries (OAPEC) met in 1973 (March).",
            "That was the end of it (ABC).",
        ]
    )
    assert found == {
        "SLO": "Service Level Objective",
        "OAPEC": "Organization of Arab Petroleum Exporting Countries",
    }


def test_a_query_is_expanded_both_ways() -> None:
    forms = {"SLO": "Service Level Objective"}
    assert expanded(plan_query("What is our SLO?"), forms).terms == (
        "slo", "service", "level", "objective",
    )  # fmt: skip
    assert "slo" in expanded(plan_query("Which service level objective holds?"), forms).terms
    plain = plan_query("What is a slo berry?")
    assert expanded(plain, forms) == plain


def test_feedback_takes_the_rarest_words_that_two_texts_hold() -> None:
    vocabulary = Vocabulary([*TEXTS, "march", "march on"])
    found = feedback_terms([TEXTS[0]], ["travelling"], vocabulary)
    # `reimbursement` and `due` stand in one text only, `travel` is asked for already.
    assert found == ("march",)


def test_scores_are_added_with_their_weight() -> None:
    a, b, c = ChunkId(1), ChunkId(2), ChunkId(3)
    assert added({a: 2.0, b: 1.0}, {b: 4.0, c: 2.0}, 0.5) == {a: 2.0, b: 3.0, c: 1.0}


def test_a_neighbour_lends_a_share_of_its_score() -> None:
    a, b, c = ChunkId(1), ChunkId(2), ChunkId(3)
    beside = {a: (b,), b: (a, c), c: (b,)}
    found = with_neighbours({a: 1.0, b: 0.5}, lambda i: beside[i], 0.2)
    assert found == {a: 1.1, b: pytest.approx(0.7)}
