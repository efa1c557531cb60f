"""Marks say what was right, and shares come with their interval."""

import json
from pathlib import Path

import pytest

from eval.gold import GoldEvidence, GoldQuestion, read_questions
from eval.metrics import Given, mark, share, summary
from rag.domain.errors import ConfigError


def question(**changes: object) -> GoldQuestion:
    values = {
        "id": "q1", "question": "How long?", "accept": ("28 days",),
        "evidence": (GoldEvidence(document="s/a.md", quote="It is 28 days."),),
        "groups": frozenset({"staff"}), "kind": "number", "abstain": None, "hidden": "",
    }  # fmt: skip
    return GoldQuestion(**{**values, **changes})  # type: ignore[arg-type]


def given(text: str, *, abstained: bool = False, cited: tuple[str, ...] = ()) -> Given:
    pairs = tuple((document, "") for document in cited)
    return Given(abstained=abstained, text=text, cited=pairs, raw=text, elapsed_ms=1.0)


def test_answer_is_right_when_it_contains_an_accepted_string_whatever_its_spacing() -> None:
    assert mark(question(), given("You get 28\n days.")).right
    assert not mark(question(), given("You get 27 days.")).right


def test_abstention_is_never_a_right_answer() -> None:
    assert mark(question(), given("not 28 days", abstained=True)).right is False


def test_citation_counts_only_in_a_gold_document() -> None:
    found = mark(question(), given("28 days", cited=("s/a.md", "s/b.md")))
    assert (found.n_citations, found.n_citations_right) == (2, 1)


def test_hidden_string_anywhere_is_a_leak() -> None:
    asked = question(abstain="not_allowed", hidden="EUR 99", accept=(), evidence=())
    assert mark(asked, given("it is eur 99")).leaked
    assert not mark(asked, given("I cannot answer that.", abstained=True)).leaked


def test_share_of_nothing_is_zero_and_interval_holds_the_value() -> None:
    assert share([]).value == 0.0
    found = share([True] * 8 + [False] * 2)
    assert found.low <= found.value == 0.8 <= found.high


def test_summary_keeps_answers_and_abstentions_apart() -> None:
    marks = [
        mark(question(), given("28 days", cited=("s/a.md",))),
        mark(question(abstain="absent", accept=(), evidence=()), given("", abstained=True)),
    ]
    figures = summary(marks)
    assert figures["answered right"].n == 1
    assert figures["abstained when due"].value == 1.0


def test_damaged_question_names_its_line(tmp_path: Path) -> None:
    path = tmp_path / "q.jsonl"
    path.write_text(json.dumps({"id": "q1"}) + "\n")
    with pytest.raises(ConfigError, match="line 1"):
        read_questions(path)


def test_gold_of_the_demo_organisation_reads_and_is_large_enough() -> None:
    questions = read_questions(Path(__file__).parents[3] / "data" / "questions.jsonl")
    assert len(questions) >= 150
    assert sum(q.abstain is not None for q in questions) >= 40
