"""Readers of labelled sets: how labels become two, and what is said of sets that are not there."""

import csv
import json
import os
from collections.abc import Sequence
from pathlib import Path

import pytest

from eval.labelled_sets import READERS, LabelledSet, NotThere, limited, load, load_file
from rag.domain.claim import JudgePair
from rag.domain.errors import ConfigError
from rag.models.judge_logistic.data import Row


@pytest.fixture
def test_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("SWORN_DATASETS", str(tmp_path))
    (tmp_path / "verification").mkdir()
    return tmp_path / "verification" / "test"


def written(path: Path, rows: Sequence[object]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(r) + "\n" for r in rows), "utf-8")


def rows_of(name: str) -> list[tuple[str, str, bool]]:
    found = load(name)
    assert isinstance(found, LabelledSet)
    return [(r.pair.claim, r.pair.context, r.supported) for r in found.rows]


def test_qags_takes_what_most_annotators_said(test_folder: Path) -> None:
    def said(sentence: str, *answers: str) -> object:
        responses = [{"worker_id": i, "response": a} for i, a in enumerate(answers)]
        return {"sentence": sentence, "responses": responses}

    summary = [said("It rained.", "yes", "no", "yes"), said("It froze.", "no", "yes", "no")]
    written(
        test_folder / "qags" / "mturk_xsum.jsonl",
        [{"article": "Rain fell.", "summary_sentences": summary}],
    )
    assert rows_of("qags_xsum") == [("It rained.", "", True), ("It froze.", "", False)]


def test_halueval_has_the_right_answer_once(test_folder: Path) -> None:
    row = {"knowledge": "K", "question": "Q?", "right_answer": "Rome"}
    for turn, wrong in (("one", "Oslo"), ("multi", "Bonn")):
        written(
            test_folder / "halueval" / f"qa_{turn}-turn_data.json",
            [row | {"hallucinated_answer": wrong}],
        )
    assert rows_of("halueval_qa") == [
        ("Oslo", "Q?", False), ("Rome", "Q?", True), ("Bonn", "Q?", False),
    ]  # fmt: skip


def test_halueval_with_one_of_its_files_is_not_there(test_folder: Path) -> None:
    written(test_folder / "halueval" / "qa_one-turn_data.json", [])
    assert load("halueval_qa") == NotThere(
        name="halueval_qa", path="verification/test/halueval/qa_multi-turn_data.json"
    )


def condaqa(label: str, edit: int, sample: int) -> dict[str, object]:
    return {
        "label": label, "PassageEditID": edit, "PassageID": 7, "SampleID": sample,
        "sentence2": "Is it open?", "sentence1": f"Passage {edit}.",
        "original sentence": "It is not open.",
    }  # fmt: skip


def test_condaqa_supports_yes_only_and_leaves_out_other_answers(test_folder: Path) -> None:
    labels = ("YES", "NO", "DON'T KNOW", "more")
    written(
        test_folder / "condaqa" / "condaqa_dev.json",
        [condaqa(label, 0, n) for n, label in enumerate(labels)],
    )
    claim = ("Is it open? Yes.", "Is it open?")
    assert rows_of("condaqa") == [(*claim, True), (*claim, False), (*claim, False)]


def test_condaqa_edits_hold_the_sentence_against_paraphrase_and_reversal(
    test_folder: Path,
) -> None:
    written(
        test_folder / "condaqa" / "condaqa_dev.json",
        [condaqa("YES", edit, n) for n, edit in enumerate((0, 1, 1, 2, 3))],
    )
    found = load("condaqa_edits")
    assert isinstance(found, LabelledSet)
    assert [(r.pair.evidence, r.supported) for r in found.rows] == [
        ("Passage 1.", True),
        ("Passage 3.", False),
    ]


def test_only_entailment_supports(test_folder: Path) -> None:
    path = test_folder / "nan-nli" / "nan.csv"
    path.parent.mkdir(parents=True)
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["premise", "hypothesis", "label"])
        for label in ("entailment", "neutral", "contradiction"):
            writer.writerow(["Not all came.", f"{label}.", label])
    found = load("nan_nli")
    assert isinstance(found, LabelledSet)
    assert [(r.supported, r.refuted) for r in found.rows] == [
        (True, False), (False, False), (False, True),
    ]  # fmt: skip


def test_sick_is_read_from_its_table(test_folder: Path) -> None:
    path = test_folder / "sick" / "SICK_test_annotated.txt"
    path.parent.mkdir(parents=True)
    path.write_text(
        "pair_ID\tsentence_A\tsentence_B\trelatedness_score\tentailment_judgment\n"
        '6\tA "dog" runs\tAn animal runs\t4\tENTAILMENT\n'
        "7\tA dog runs\tA dog sits\t3\tNEUTRAL\n"
    )
    assert rows_of("sick") == [("An animal runs", "", True), ("A dog sits", "", False)]


def test_set_of_another_form_is_an_error_that_names_it(test_folder: Path) -> None:
    written(test_folder / "condaqa" / "condaqa_dev.json", [{"question": "?"}])
    with pytest.raises(ConfigError, match="condaqa has another form"):
        load("condaqa")
    written(test_folder / "qags" / "mturk_xsum.jsonl", [])
    with pytest.raises(ConfigError, match="no claims"):
        load("qags_xsum")


@pytest.mark.parametrize("name", READERS)
def test_set_that_is_not_there_is_named_with_its_place(name: str, test_folder: Path) -> None:
    found = load(name)
    assert isinstance(found, NotThere)
    assert found.path.startswith("verification/")


def test_without_a_folder_of_sets_the_error_says_what_to_do(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("SWORN_DATASETS", raising=False)
    with pytest.raises(ConfigError, match="set SWORN_DATASETS"):
        load("sick")


def test_own_file_is_read_and_an_empty_one_refused(tmp_path: Path) -> None:
    path = tmp_path / "mine.jsonl"
    written(
        path,
        [
            {"claim": "A.", "context": "Q?", "evidence": "A.", "label": "supported"},
            {"claim": "B.", "context": "Q?", "evidence": "A.", "label": "unsupported"},
        ],
    )
    found = load_file(path)
    assert found.name == "mine"
    assert [(r.supported, r.group) for r in found.rows] == [(True, "Q?"), (False, "Q?")]
    path.write_text("\n")
    with pytest.raises(ConfigError, match="no labelled claims"):
        load_file(path)


def test_limit_takes_whole_sources_always_the_same() -> None:
    rows = [
        Row(
            pair=JudgePair(claim=str(i), context="", evidence=""), supported=True,
            group=f"s{i // 3}", answer="",
        )
        for i in range(30)
    ]  # fmt: skip
    some = limited(rows, 5)
    assert len(some) == 6
    assert len({r.group for r in some}) == 2
    assert some == limited(rows, 5)
    assert limited(rows, None) == tuple(rows)


# Claims and unsupported ones, as counted when the sets were collected. RAGTruth's test split is
# left out: it is read for measuring only.
COUNTS = {
    "qags_cnndm": (714, 183), "qags_xsum": (239, 123), "halueval_qa": (1_500, 1_000),
    "condaqa": (1_096, 560), "nan_nli": (258, 161), "sick": (4_927, 3_513),
}  # fmt: skip


@pytest.mark.skipif(not os.environ.get("SWORN_DATASETS"), reason="SWORN_DATASETS is not set")
@pytest.mark.parametrize("name", COUNTS)
def test_counts_of_the_real_sets(name: str) -> None:
    found = load(name)
    if isinstance(found, NotThere):
        pytest.skip(f"not there: {found.path}")
    assert (len(found.rows), sum(not r.supported for r in found.rows)) == COUNTS[name]
