"""Questions about something that is only described."""

import pytest

from rag.domain.bridge import bridge_of


@pytest.mark.parametrize(
    ("question", "first", "second"),
    [
        ("Who leads the team that owns weir?", "Which team owns weir?", "Who leads X?"),
        ("What is the number of the person who runs payroll?", "Who runs payroll?",
         "What is the number of X?"),
        ("When does the contract with the company which cleans our windows end, and why?",
         "Which company cleans our windows end?", "When does the contract with X, and why?"),
        ("Who is the neighbour of the building where the archive is?",
         "Where is it that the archive is?", "Who is the neighbour of X?"),
    ],
)  # fmt: skip
def test_two_questions_in_one(question: str, first: str, second: str) -> None:
    bridge = bridge_of(question)
    assert bridge is not None
    assert (bridge.first, bridge.second("X")) == (first, second)


@pytest.mark.parametrize(
    "question",
    ["Who leads the team?", "Is the service that I use free?", "Is that so?", "the team that?", ""],
)
def test_nothing_is_described(question: str) -> None:
    assert bridge_of(question) is None
