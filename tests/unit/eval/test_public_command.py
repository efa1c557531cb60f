"""`python -m eval public` from end to end: the real belt on a handful of paragraphs made here."""

import argparse
import json
import lzma
from pathlib import Path

import pytest

from eval import metrics
from eval.public import command, measuring
from eval.public.changes import ValueChange
from eval.public.freshness import Told, freshness_report, old_stated, short_given, stale
from eval.public.report import Report, SetReport
from eval.public.scoring import Reply
from rag.domain.errors import ConfigError

PARAGRAPHS = {
    "The oil crisis began in October 1973, when an embargo was proclaimed.": (
        ("When did the oil crisis begin?", "October 1973"),
        ("Which volcano erupted in Iceland?", ""),
    ),
    "Full-time employees have 28 days of annual leave per calendar year.": (
        ("How many days of annual leave do full-time employees have?", "28"),
    ),
    "Petra Vogel has led the plant in Ulm since 2019.": (
        ("Who has led the plant in Ulm since 2019?", "Petra Vogel"),
    ),
}
BEFORE = "# Travel\n\nA hotel may cost at most $100 per night.\n\nA meal may cost at most $20.\n"
AFTER = BEFORE.replace("$100", "$150")
CHANGE = ValueChange(
    id="change-001", path="travel.md", commit="c2", question="How much may a hotel cost per night?",
    old="$100", new="$150",
)  # fmt: skip


@pytest.fixture(autouse=True)
def _small(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Sets of a few lines; intervals have tests of their own."""
    monkeypatch.setattr(metrics, "_RESAMPLES", 20)
    monkeypatch.setenv("SWORN_DATASETS", str(tmp_path))


def write_squad(root: Path) -> None:
    paragraphs = [
        {
            "context": text,
            "qas": [
                {
                    "id": question[:12], "question": question, "is_impossible": not answer,
                    "answers": [{"text": answer, "answer_start": 0}] if answer else [],
                }
                for question, answer in questions
            ],
        }
        for text, questions in PARAGRAPHS.items()
    ]  # fmt: skip
    (root / "retrieval/squad").mkdir(parents=True)
    body = {"data": [{"title": "Facts", "paragraphs": paragraphs}]}
    (root / "retrieval/squad/dev-2.0-first17.json").write_text(json.dumps(body))


def write_history(root: Path) -> None:
    pets = "# Pets\n\nDogs may come to the office on Fridays.\n"
    commits = [
        {"commit": "c1", "changes": [{"op": "put", "path": "travel.md", "text": BEFORE},
                                     {"op": "put", "path": "pets.md", "text": pets}]},
        {"commit": "c2", "changes": [{"op": "put", "path": "travel.md", "text": AFTER}]},
    ]  # fmt: skip
    (root / "retrieval/replay").mkdir(parents=True)
    path = root / "retrieval/replay/handbook_history.jsonl.xz"
    with lzma.open(path, "wt", encoding="utf-8") as file:
        file.write("\n".join(map(json.dumps, commits)))


def arguments(tmp_path: Path, *options: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    command.add_options(parser)
    return parser.parse_args(["--state", str(tmp_path / "state"), *options])


def figures(found: SetReport) -> dict[str, float]:
    return {f.name: f.estimate.value for f in found.figures}


def test_the_real_belt_answers_what_is_there_and_says_what_is_missing(tmp_path: Path) -> None:
    write_squad(tmp_path)
    given = arguments(tmp_path, "--sets", "squad,timeqa", "-v")
    report = command.run(given)
    squad, timeqa = report.sets
    values = figures(squad)
    assert "4 questions, 3 documents, 3 passages" in squad.note
    assert values["HasAns, shown holds the gold"] == 1.0
    assert values["HasAns, answer holds the gold"] == 1.0
    assert values["NoAns EM = F1"] == 1.0
    assert values["answered"] == 0.75
    assert values["wrong, of all asked"] == 0.0
    assert squad.risk[:3] == (0.0, 0.0, 0.0)
    assert squad.risk[-1] is None
    assert timeqa.note == "not there: retrieval/timeqa/human_annotated_test.json"
    text = command.shown(report, given)
    assert "NoAns EM = F1" in text
    assert "elsewhere: F1 50.1, abstaining always" in text
    assert "judge sworn-judge" in text


def test_a_changed_value_is_given_before_and_after_in_the_same_index(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_history(tmp_path)
    monkeypatch.setattr(measuring, "read_suite", lambda: (CHANGE,))
    given = arguments(tmp_path, "--sets", "handbook", "--json")
    (found,) = command.run(given).sets
    assert figures(found) == {
        "before: old value given": 1.0, "before: abstained": 0.0,
        "after: new value given": 1.0, "after: new value in the short answer": 1.0,
        "after: abstained": 0.0,
        "after: old value in a claim": 0.0, "after: claim of the old version": 0.0,
    }  # fmt: skip
    assert "1 values of 1 pages, among 1 other pages" in found.note
    report = Report(head=(), sets=(found,), facts={"limit": 0})
    assert json.loads(command.shown(report, given))["sets"][0]["key"] == "handbook"


def test_without_a_folder_nothing_is_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SWORN_DATASETS")
    report = command.run(arguments(tmp_path))
    assert [s.key for s in report.sets] == list(measuring.SETS)
    assert all(s.note.startswith("not there: retrieval/") for s in report.sets)


@pytest.mark.parametrize(
    ("options", "message"),
    [(("--sets", "squad,nothing"), "no set nothing"), (("--limit", "-1"), "--limit must be")],
)
def test_bad_options_are_refused(tmp_path: Path, options: tuple[str, ...], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        command.run(arguments(tmp_path, *options))


def test_a_set_of_another_form_is_refused(tmp_path: Path) -> None:
    (tmp_path / "retrieval/squad").mkdir(parents=True)
    (tmp_path / "retrieval/squad/dev-2.0-first17.json").write_text("[]")
    with pytest.raises(ConfigError, match="the set squad has another form"):
        command.run(arguments(tmp_path, "--sets", "squad"))


def reply(*claims: str) -> Reply:
    return Reply(
        claims=claims, short=claims[0] if claims else "", confidence=0.5, shown=(AFTER,),
        elapsed_ms=1.0,
    )  # fmt: skip


OLD, NEW = "A hotel may cost at most $100 per night.", "A hotel may cost at most $150 per night."


@pytest.mark.parametrize(
    ("after", "stated", "is_stale"),
    [
        ((NEW,), 0.0, 0.0),
        # It names both: which one holds is said.
        (("It was $100 and is $150 now.",), 0.0, 0.0),
        ((OLD,), 1.0, 1.0),
        ((NEW, OLD), 1.0, 1.0),
        # Of another thing, and current: no answer to the question, but not of the old version.
        (("A flight may cost $100.",), 1.0, 0.0),
        ((), 0.0, 0.0),
    ],
)
def test_old_value_counts_whoever_says_it_and_stale_only_from_the_old_version(
    after: tuple[str, ...], stated: float, is_stale: float
) -> None:
    told = Told(change=CHANGE, before=reply(OLD), after=reply(*after), page=AFTER)
    assert (old_stated(told), stale(told)) == (stated, is_stale)


@pytest.mark.parametrize(
    ("short", "expected"),
    [("$150", 1.0), ("$150 per night", 1.0), ("150", 1.0), ("$100", 0.0), ("hotel", 0.0), ("", 0.0),
     ("from $100 to $150", 0.0)],
)  # fmt: skip
def test_short_answer_may_leave_out_the_unit_but_not_name_the_old_value(
    short: str, expected: float
) -> None:
    after = Reply(claims=(NEW,), short=short, confidence=0.5, shown=(), elapsed_ms=1.0)
    told = Told(change=CHANGE, before=reply(OLD), after=after, page=AFTER)
    assert short_given(told) == expected


def test_report_on_changes_says_whether_the_value_was_there_to_be_seen() -> None:
    told = [
        Told(change=CHANGE, before=reply(OLD), after=r, page=AFTER) for r in (reply(NEW), reply())
    ]
    found = freshness_report(told, n_noise=3)
    assert found.outcomes == {
        "new value given": 1, "abstained: a passage shown holds the new value": 1,
    }  # fmt: skip
    assert [m.gold for m in found.misses] == [("$150 (was $100)",)]
