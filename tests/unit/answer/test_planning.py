"""One question or several: what is split, and what is left whole."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rag.answer.planning import PARTS_MAX, TERMS_MAX, plan_question


def parts(question: str) -> list[str]:
    return [part.text for part in plan_question(question).parts]


@pytest.mark.parametrize(
    "question",
    [
        "How many days of annual leave do I get?",
        "When and where does the board meet?",
        "Can I bring a dog or a cat to the office?",
        "Can I fly economy, business or first?",
        "Is it allowed, yes or no?",
        "Who maintains the terms and conditions?",
        "annual leave",
        "What does the research and development team do?",
    ],
)
def test_a_question_that_asks_one_thing_stays_whole(question: str) -> None:
    assert parts(question) == [question]


def test_coordinated_questions_are_split_and_the_second_gets_the_topic() -> None:
    assert parts("Who signs the travel policy, and when does it end?") == [
        "Who signs the travel policy?",
        "when does it end (travel policy)?",
    ]
    assert parts("How long do we keep logs and who owns the backups?") == [
        "How long do we keep logs?",
        "who owns the backups?",
    ]


def test_what_is_said_first_goes_with_every_question() -> None:
    assert parts("I travel to Zurich. What is the hotel cap? And who approves it?") == [
        "I travel to Zurich. What is the hotel cap?",
        "I travel to Zurich. who approves it (hotel cap)?",
    ]


@pytest.mark.parametrize(
    ("question", "first", "second"),
    [
        ("Which is longer, the probation period or the notice period?",
         "Which is longer, the probation period?", "Which is longer, the notice period?"),
        ("What is the difference between the remote policy and the office rules in core hours?",
         "the remote policy in core hours?", "the office rules in core hours?"),
        ("How did the price of Dipper probes change from 2025 to 2026?",
         "How did the price of Dipper probes change from 2025?",
         "How did the price of Dipper probes change to 2026?"),
        ("PostgreSQL vs SQLite: which do we use?",
         "PostgreSQL: which do we use?", "SQLite: which do we use?"),
    ],
)  # fmt: skip
def test_a_comparison_asks_the_same_of_both(question: str, first: str, second: str) -> None:
    assert parts(question) == [first, second]


def test_a_question_with_too_many_parts_is_asked_as_a_whole() -> None:
    many = " ".join(f"Who owns building {n}?" for n in range(PARTS_MAX + 1))
    assert parts(many) == [many]
    assert len(plan_question("Who owns the house? Who owns the boat?", parts_max=1)) == 1


@given(st.text(max_size=200))
def test_any_text_has_a_plan(text: str) -> None:
    plan = plan_question(text)
    assert 1 <= len(plan) <= PARTS_MAX
    assert all(len(part.terms) <= TERMS_MAX for part in plan.parts)
