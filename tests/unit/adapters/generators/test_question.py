"""What a question asks for is read off its form."""

import pytest

from rag.adapters.generators.question import Form, form_match, read_question


@pytest.mark.parametrize(
    ("question", "form"),
    [
        ("How many seats does the room have?", Form.COUNT),
        ("How many days of leave do I get?", Form.DURATION),
        ("How long is the probation period?", Form.DURATION),
        ("How often are keys rotated?", Form.FREQUENCY),
        ("How much does a badge cost?", Form.MONEY),
        ("What is the price of a probe?", Form.MONEY),
        ("What is the maximum temperature?", Form.NUMBER),
        ("When does the lease end?", Form.TIME),
        ("Who approves travel?", Form.PERSON),
        ("Where is the assembly point?", Form.PLACE),
        ("Why was the release delayed?", Form.REASON),
        ("How do I reset my password?", Form.STEPS),
        ("Can I work from abroad?", Form.YES_NO),
        ("Wer ist die Werksleiterin?", Form.PERSON),
        ("Wann beginnt die Schicht?", Form.TIME),
    ],
)
def test_form_is_read_off_the_words_that_ask(question: str, form: Form) -> None:
    assert read_question(question).form is form


def test_demands_are_the_names_and_figures_that_an_answer_must_be_about() -> None:
    ask = read_question("What did Orlop Cloud charge for OC-79502 in March 2026?")
    assert set(ask.demands) >= {"Orlop Cloud", "OC-79502", "March 2026"}


@pytest.mark.parametrize(
    ("question", "text", "match"),
    [
        ("How many seats are there?", "Room: Kittiwake | Seats: 18", 1.0),
        ("How many seats are there?", "The room is on floor 3.", 0.5),
        ("How many seats are there?", "The room has a view.", 0.0),
        ("How much is it?", "It costs EUR 25.", 1.0),
        ("How long does it take?", "It takes three weeks.", 1.0),
        ("When is it due?", "It is due on 5 March 2026.", 1.0),
        ("When is it due?", "It is due soon.", 0.0),
        ("Who decides?", "The budget is decided by Ines Calder.", 1.0),
        ("Why?", "It was moved because of the storm.", 1.0),
        ("Why?", "It was moved.", 0.0),
        ("Is it allowed?", "It is allowed.", None),
    ],
)
def test_text_matches_the_form_when_it_holds_the_kind_of_thing(
    question: str, text: str, match: float | None
) -> None:
    assert form_match(read_question(question), text) == match
