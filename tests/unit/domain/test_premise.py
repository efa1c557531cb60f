"""What questions take for granted, and sentences that deny it."""

from datetime import date

import pytest

from rag.domain.premise import as_of, denies, premise_of


@pytest.mark.parametrize(
    ("question", "premise"),
    [
        ("Why was the launch in May cancelled?", "the launch in May cancelled"),
        ("Since text messages are an approved second factor, how do I register?",
         "text messages are an approved second factor"),
        ("Who approved the rule that we may restart all brokers at once?",
         "we may restart all brokers at once"),
        ("Warum wurde die Kantine in Kessenbrück geschlossen?", "die Kantine in Kessenbrück geschlossen"),
        ("How long is the flight that the travel desk recommends?",
         "the flight that the travel desk recommends"),
    ],
)  # fmt: skip
def test_what_is_granted(question: str, premise: str) -> None:
    assert premise_of(question) == premise


@pytest.mark.parametrize(
    "question", ["Is the office open on Sundays?", "What is the limit?", "May I smoke?", "?", ""]
)
def test_questions_that_grant_nothing(question: str) -> None:
    assert premise_of(question) is None


def test_a_sentence_denies_as_much_as_it_speaks_of() -> None:
    premise = "text messages are an approved second factor"
    assert denies("Text messages are no longer allowed as a second factor.", premise) == 0.8
    assert denies("Text messages are sent as a second factor.", premise) == 0.0
    assert denies("No text is read twice.", premise) == 0.0
    assert (
        denies("Text messages are not a second factor.", "text messages are no second factor")
        == 0.0
    )


@pytest.mark.parametrize(
    ("question", "day"),
    [
        ("How many were there as of March 2024?", date(2024, 3, 31)),
        ("As of 2019, who led the lab?", date(2019, 12, 31)),
        ("What is the limit as of 3 May 2025?", date(2025, 5, 3)),
        ("Wie hoch war das Budget, Stand Februar 2024?", date(2024, 2, 29)),
        ("What happened in 2019?", None),
        ("Who books the trade fair stand 2024?", None),
        ("How many as of 01/05/2024?", date(2024, 5, 1)),
        ("What is the state as of now?", None),
        ("How many as of 31 February 2023?", date(2023, 2, 28)),
    ],
)
def test_the_day_that_is_asked_for(question: str, day: date | None) -> None:
    assert as_of(question) == day
