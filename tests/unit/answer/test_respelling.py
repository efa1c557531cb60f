"""Typing errors of a question: what is taken for one, and what is left alone."""

from collections.abc import Mapping, Sequence

import pytest

from rag.answer.gathering import respelt
from rag.answer.planning import plan_question

KNOWN = {"annual": "anual", "travel": "travle", "employee": "emploiee"}


class Holding:
    """A snapshot that guesses three words, and remembers what it was asked."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    async def respelt(self, terms: Sequence[str]) -> Mapping[str, str]:
        self.asked += terms
        return {wrong: right for right, wrong in KNOWN.items() if wrong in terms}


class English:
    """A lexicon of a few words."""

    def knows(self, word: str) -> bool:
        return word in {"leave", "policy", "vending", "machines"}


async def read_as(question: str) -> tuple[str, list[str]]:
    snapshot = Holding()
    plan = await respelt(plan_question(question), snapshot, English())  # type: ignore[arg-type]
    return plan.parts[0].text, snapshot.asked


async def test_an_error_is_mended_in_the_text_and_in_the_terms() -> None:
    assert (await read_as("How much anual leave?"))[0] == "How much annual leave?"
    plan = await respelt(plan_question("Anual leave?"), Holding(), English())  # type: ignore[arg-type]
    assert plan.parts[0].terms == ("annual", "leave")


@pytest.mark.parametrize(
    "question",
    ["Where are vending machines?", "Is the leave policy Travle here?", "Wie viel anual gibt es?"],
)
async def test_words_names_and_other_languages_are_left_alone(question: str) -> None:
    text, asked = await read_as(question)
    assert text == question
    assert not {"vending", "travle", "anual"} & set(asked)
