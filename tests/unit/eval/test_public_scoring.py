"""Replies of the belt against gold answers, by SQuAD's rule and by what became of them."""

import pytest

from eval.public import report
from eval.public.report import Replies, abstention_figures, compared, part_figures, squad_figures
from eval.public.scoring import (
    Outcome,
    Reply,
    best_f1,
    contains,
    exact,
    f1,
    holds,
    is_wrong,
    outcome,
    risks,
    squad_form,
)
from eval.public.sets import Asked, drawn

SENTENCE = "The crisis began in October 1973 when an embargo was proclaimed."


def asked(*gold: str, part: str = "", name: str = "q1") -> Asked:
    return Asked(id=name, question="When?", gold=gold, source=name, part=part)


def reply(short: str = "", *claims: str, confidence: float = 0.5, shown: str = SENTENCE) -> Reply:
    return Reply(
        claims=claims, short=short, confidence=confidence, shown=(shown,), elapsed_ms=1.0
    )  # fmt: skip


SILENCE = reply()


def test_squads_form_is_lower_case_without_punctuation_articles_and_spare_blanks() -> None:
    assert squad_form("  The  U.S. had\nan $5,813 bill, a Lot! ") == "us had 5813 bill lot"
    # Articles are words: what begins like one stays.
    assert squad_form("then another theatre") == "then another theatre"


def test_exact_and_f1_take_the_best_of_the_gold() -> None:
    one = asked("1973", "October of 1973", "the October 1973")
    assert exact(reply("October 1973.", SENTENCE), one) == 1.0
    given = reply("in October 1973", SENTENCE)
    assert exact(given, one) == 0.0
    assert f1(given, one) == pytest.approx(4 / 5)
    assert f1(reply("Monday", SENTENCE), one) == 0.0
    assert f1(reply("1973 1973", SENTENCE), asked("1973")) == pytest.approx(2 / 3)
    # Nothing is left of either by the rule.
    assert f1(reply("The!", SENTENCE), asked("a")) == 1.0
    assert f1(reply("The!", SENTENCE), asked("1973")) == 0.0


def test_unanswerable_scores_one_exactly_for_an_abstention() -> None:
    for score in (exact, f1):
        assert score(SILENCE, asked()) == 1.0
        assert score(reply("1973", SENTENCE), asked()) == 0.0
        assert score(SILENCE, asked("1973")) == 0.0


@pytest.mark.parametrize(
    ("given", "gold", "expected"),
    [
        (reply("October 1973", SENTENCE), ("October 1973",), Outcome.EXACT),
        (reply("in October 1973", SENTENCE), ("October 1973",), Outcome.LONGER),
        (reply(SENTENCE, SENTENCE), ("October 1973",), Outcome.WHOLE),
        (reply("an embargo", SENTENCE), ("October 1973",), Outcome.OTHER),
        (reply("", "It ended.", SENTENCE), ("October 1973",), Outcome.OTHER),
        (reply("Ice", "Ice melts."), ("October 1973",), Outcome.NOT_CHOSEN),
        (reply("Ice", "Ice melts.", shown="Ice."), ("October 1973",), Outcome.NOT_SHOWN),
        (SILENCE, ("October 1973",), Outcome.SILENT_SHOWN),
        (reply(shown="Ice."), ("October 1973",), Outcome.SILENT_NOT_SHOWN),
        (SILENCE, (), Outcome.SILENT),
        (reply("Ice", "Ice melts."), (), Outcome.UNANSWERABLE),
    ],
)
def test_outcome_says_what_went_wrong_and_where(
    given: Reply, gold: tuple[str, ...], expected: Outcome
) -> None:
    assert outcome(given, asked(*gold)) is expected
    assert is_wrong(given, asked(*gold)) == expected.value.startswith("wrong")


def test_a_no_in_a_sentence_does_not_answer_with_no() -> None:
    given = reply("signs", "There are no signs of it.", shown="There are no signs of it.")
    assert outcome(given, asked("No")) is Outcome.NOT_CHOSEN
    assert outcome(reply("No.", "No."), asked("no")) is Outcome.EXACT


def test_gold_stands_in_a_text_as_whole_words_in_a_row() -> None:
    assert contains("It cost $5,813, they say.", "5,813")
    assert not contains("It cost $15,813.", "5,813")
    assert not contains("October, in 1973", "October 1973")


@pytest.mark.parametrize("text", ["10 days", "(10)", "within 10.", "10, or so", "~10", "10-day"])
def test_value_is_held_where_it_stands_by_itself(text: str) -> None:
    assert holds(text, "10")


@pytest.mark.parametrize("text", ["10,000", "2.10", "110", "10.5", "10:30", "a10", "ten"])
def test_value_is_not_held_inside_another_one(text: str) -> None:
    assert not holds(text, "10")


def test_best_threshold_silences_what_is_wrong_below_it() -> None:
    questions = [asked("1973"), asked(), asked("1973"), asked()]
    given = [
        reply("1973", SENTENCE, confidence=0.9), reply("1973", SENTENCE, confidence=0.5),
        reply("Ice", "Ice.", confidence=0.4), SILENCE,
    ]  # fmt: skip
    assert best_f1(given, questions) == (0.75, 0.9)


def test_without_any_use_of_answers_the_best_is_to_stay_silent() -> None:
    assert best_f1([reply("1973", SENTENCE)], [asked()]) == (1.0, 1.0)


def test_risk_counts_wrong_answers_of_all_asked_the_surest_first() -> None:
    questions = [asked("1973")] * 4
    given = [
        reply("1973", SENTENCE, confidence=0.9), reply("Ice", "Ice.", confidence=0.2),
        reply("1973", SENTENCE, confidence=0.5), SILENCE,
    ]  # fmt: skip
    assert risks(given, questions, (0.25, 0.5, 0.75, 1.0)) == (0.0, 0.0, 0.25, None)


def test_draw_is_fixed_and_keeps_the_order() -> None:
    every = list(range(100))
    some = drawn(every, 10)
    assert some == drawn(every, 10) == tuple(sorted(some))
    assert len(some) == 10
    assert drawn(every, 0) == drawn(every, 100) == tuple(every)


def found() -> Replies:
    return Replies(
        asked=(
            asked("1973", part="HasAns", name="a"), asked("1974", part="HasAns", name="b"),
            asked(part="NoAns", name="c"), asked(part="NoAns", name="d"),
        ),
        replies=(
            reply("1973", SENTENCE), SILENCE, SILENCE, reply("1973", SENTENCE, confidence=0.1),
        ),
    )  # fmt: skip


def test_figures_of_squad_stand_apart_for_both_kinds_of_question() -> None:
    values = {f.name: (f.estimate.value, f.n) for f in squad_figures(found())}
    assert values["EM"] == values["F1"] == (0.5, 4)
    assert values["F1 at the best threshold (0.50)"] == (0.75, 4)
    assert values["HasAns F1"] == values["NoAns EM = F1"] == (0.5, 2)
    assert values["HasAns, shown holds the gold"] == (0.5, 2)
    assert values["wrong, of all asked"] == (0.25, 4)


def test_figures_of_abstention_say_how_much_was_answered() -> None:
    values = {f.name: (f.estimate.value, f.n) for f in abstention_figures(found())}
    assert values["answered"] == (0.5, 4)
    assert values["right, of the answered"] == (0.5, 2)
    assert values["abstained where nothing is right"] == (0.5, 2)
    parts = {f.name.strip(): f.estimate.value for f in part_figures(found())}
    assert parts["NoAns: wrong"] == 0.5
    # Nothing of the kind was asked: no figure, rather than one of nothing.
    assert abstention_figures(found().of("none")) == ()


def test_two_ways_are_compared_question_by_question() -> None:
    ours = found().of("HasAns")
    theirs = Replies(asked=ours.asked, replies=(SILENCE, SILENCE))
    figure = compared("difference", ours, theirs, exact, "+15")
    assert (figure.estimate.value, figure.n) == (0.5, 2)


def test_report_keeps_what_went_wrong_and_the_published_figures() -> None:
    made = report.set_report("squad", "SQuAD", "", squad_figures(found()), found())
    assert made.outcomes == {
        Outcome.EXACT: 1, Outcome.SILENT: 1, Outcome.UNANSWERABLE: 1, Outcome.SILENT_NOT_SHOWN: 1,
    }  # fmt: skip
    assert [m.id for m in made.misses] == ["b", "d"]
    assert [a.value for a in made.anchors][:2] == ["50.1", "70 to 82"]
