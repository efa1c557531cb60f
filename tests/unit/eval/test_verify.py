"""`python -m eval verify` from end to end, and its figures on claims scored by hand."""

import json
import math
import random
from collections.abc import Sequence
from pathlib import Path

import pytest

from eval import __main__ as program
from eval import metrics, plots
from eval.labelled_sets import LabelledSet
from eval.verify import measures, probes, published
from eval.verify.scorers import JUDGE, Parts, Score
from eval.verify.sections import Figure, Section, Unit
from eval.verify.thresholds import Thresholds
from rag.answer.calibrating import Scored
from rag.domain.claim import JudgePair
from rag.domain.errors import ConfigError
from rag.domain.words import Span
from rag.models.judge_logistic.data import Row

LEAVE = "Full-time employees have 28 days of annual leave. Unused days lapse on 31 March."
HOTEL = "A hotel may cost EUR 140 per night in an ordinary city and EUR 185 in Kessenbrueck."
CLAIMS = (
    ("Full-time employees have 28 days of annual leave.", LEAVE, "supported"),
    ("Full-time employees have 29 days of annual leave.", LEAVE, "unsupported"),
    ("Employees may bring their dogs to work.", LEAVE, "unsupported"),
    ("A hotel may cost EUR 140 per night in an ordinary city.", HOTEL, "supported"),
    ("Hotels are paid for by the sales department.", HOTEL, "unsupported"),
)
GIVEN = {JUDGE: Thresholds(support=0.6, f1=0.5)}


@pytest.fixture(autouse=True)
def _few_resamples(monkeypatch: pytest.MonkeyPatch) -> None:
    """Intervals have tests of their own; here they only cost time."""
    monkeypatch.setattr(metrics, "_RESAMPLES", 20)


@pytest.fixture
def labelled(tmp_path: Path) -> Path:
    path = tmp_path / "mine.jsonl"
    rows = [
        {"claim": c, "context": "", "evidence": e, "label": label, "source": e[:8]}
        for c, e, label in CLAIMS
    ]
    path.write_text("".join(json.dumps(r) + "\n" for r in rows))
    return path


def run(monkeypatch: pytest.MonkeyPatch, *options: object) -> int:
    monkeypatch.setattr("sys.argv", ["eval", "verify", *map(str, options)])
    return program.main()


def test_whole_command_on_a_file_of_ones_own(
    labelled: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.delenv("SWORN_DATASETS", raising=False)
    out, figures = tmp_path / "out", tmp_path / "figures.json"
    options = ("--judge", "features", "--labelled", labelled, "--out", out, "--json", figures)
    assert run(monkeypatch, *options) == 0
    printed = capsys.readouterr().out
    assert "mine.jsonl" in printed
    assert "5 claims, 3 unsupported, 2 sources" in printed
    found = json.loads(figures.read_text())["sections"]["mine"]["figures"]
    assert found["AUROC"]["judge"]["value"] == 1.0
    assert found["balanced accuracy, default threshold"]["n"] == 5
    page = (out / "report.html").read_text()
    assert page.count("data:image/png;base64,") == 4
    assert "prefers-color-scheme" in page
    assert "http" not in page
    assert "| AUROC |" in (out / "report.md").read_text()
    for name in ("calibration.png", "risk_coverage.png"):
        assert (out / name).read_bytes().startswith(b"\x89PNG")
    assert len((out / "scores.jsonl").read_text().splitlines()) == len(CLAIMS)
    # A second run finds every score and comes to the same.
    before = figures.read_text()
    assert run(monkeypatch, *options) == 0
    assert len((out / "scores.jsonl").read_text().splitlines()) == len(CLAIMS)
    assert figures.read_text() == before


def test_sets_need_their_folder_and_have_names(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("SWORN_DATASETS", raising=False)
    assert run(monkeypatch, "--judge", "features", "--sets", "sick") == 2
    assert "set SWORN_DATASETS" in capsys.readouterr().err
    assert run(monkeypatch, "--judge", "features", "--sets", "sock") == 2
    assert "no set sock" in capsys.readouterr().err


def test_set_that_is_not_there_is_listed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("SWORN_DATASETS", str(tmp_path))
    assert run(monkeypatch, "--judge", "features", "--sets", "sick,probes") == 0
    printed = capsys.readouterr().out
    assert "not there: verification/test/sick/SICK_test_annotated.txt" in printed
    assert "not there: verification/train/ragtruth" in printed


def test_without_matplotlib_the_error_comes_first(
    labelled: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(plots, "find_spec", lambda name: None)
    assert run(monkeypatch, "--labelled", labelled, "--out", tmp_path / "out") == 2
    assert "matplotlib, which is not installed (`pip install" in capsys.readouterr().err
    with pytest.raises(ConfigError):
        plots.require()


def test_answers_keep_their_own_options(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.argv", ["eval", "answers", "--kind", "table", "-v", "--json"])
    found = program._arguments()
    assert (found.what, found.kind, found.verbose, found.json) == ("answers", "table", True, True)


def rows_and_scores(
    some: Sequence[tuple[float, bool, str, str, tuple[Span, ...]]],
) -> tuple[LabelledSet, list[Parts]]:
    """Claims of ten characters: score, label, source, answer, annotated words."""
    rows = tuple(
        Row(
            pair=JudgePair(claim="abcdefghij", context="", evidence="e"), supported=fine,
            group=group, answer=answer, flagged=flagged,
        )
        for _, fine, group, answer, flagged in some
    )  # fmt: skip
    scores: list[Parts] = [{JUDGE: Score(p, (Span(0, 4),))} for p, *_ in some]
    return LabelledSet(name="x", title="X", rows=rows, is_answers=True), scores


FOUR = rows_and_scores(
    [
        (0.9, True, "s1", "a1", ()),
        (0.2, False, "s1", "a1", (Span(2, 8),)),  # a1 is faulty and flagged
        (0.7, True, "s1", "a2", ()),  # a2 is sound and not flagged
        (0.4, True, "s2", "a1", ()),  # sound, flagged: an answer of another source
        (0.6, False, "s2", "a2", (Span(0, 10),)),  # faulty, not flagged
    ]
)


def values(section: Section) -> dict[str, float | None]:
    return {r.name: r.cells[JUDGE].value for r in section.rows}


def test_figures_of_a_set_by_hand() -> None:
    found = values(measures.section(*FOUR, GIVEN))
    # Answers: one of two flagged is faulty, one of two faulty is flagged.
    assert found["answers: precision"] == found["answers: recall"] == 0.5
    assert found["answers: F1"] == 0.5
    # Faults 0.8 (bad), 0.3, 0.6, 0.4 (bad): of four pairs three are in order.
    assert found["answers: AUROC"] == 0.75
    # Claims under 0.5 are the second and the fourth; their first four characters are doubted.
    # Overlap 2, doubted 8, annotated 16.
    assert found["spans: F1, flagged words"] == pytest.approx(2 * 2 / (8 + 16))
    # Whole claims: overlap 6, said 20.
    assert found["spans: F1, whole claims"] == pytest.approx(2 * 6 / (20 + 16))
    # At 0.6: 0.9, 0.7 and 0.6 pass, two of three supported ones and one of two unsupported.
    assert found["balanced accuracy, default threshold"] == pytest.approx((2 / 3 + 1 / 2) / 2)
    assert found["unsupported among returned"] == pytest.approx(1 / 3)
    assert found["returned"] == pytest.approx(3 / 5)
    # Of six pairs of a supported and an unsupported claim, 0.4 < 0.6 alone is out of order.
    assert found["AUROC"] == pytest.approx(5 / 6)
    assert found["could not be judged"] == 0.0


def test_answers_of_two_sources_are_not_taken_for_one() -> None:
    section = measures.section(*FOUR, GIVEN)
    assert section.rows[0].n == 4
    assert section.note.startswith("5 claims, 2 unsupported, 2 sources")


def test_risk_on_the_held_out_half_is_that_of_the_threshold_of_the_other() -> None:
    first = [Scored(score=0.8, supported=True, group=f"a{i}", answer="") for i in range(30)]
    first += [Scored(score=0.3, supported=False, group=f"a{i}", answer="") for i in range(30)]
    held = [
        Scored(score=0.9, supported=True, group="b1", answer=""),
        Scored(score=0.8, supported=False, group="b1", answer=""),
        Scored(score=0.3, supported=False, group="b2", answer=""),
        Scored(score=0.9, supported=True, group="b3", answer=""),
    ]
    found = {
        n.rpartition(": ")[2]: f.value
        for n, f in measures.held_out_figures(first, held, "t").items()
    }
    assert found["threshold"] == 0.8
    assert found["unsupported among returned"] == pytest.approx(1 / 3)
    # By source: a half, nothing, nothing.
    assert found["the same, mean by source"] == pytest.approx(1 / 6)
    assert found["returned"] == 0.75


def test_where_no_threshold_keeps_the_risk_none_is_given() -> None:
    few = [Scored(score=0.8, supported=True, group="a", answer="")]
    found = measures.held_out_figures(few, few, "t")
    assert [str(f) for f in found.values()] == ["none"]


def test_halves_never_cut_through_a_source() -> None:
    rng = random.Random(3)
    claims = [
        Scored(score=rng.random(), supported=True, group=f"g{i % 7}", answer="") for i in range(50)
    ]
    one, other = measures.in_halves(claims)
    assert not {c.group for c in one} & {c.group for c in other}
    assert len(one) + len(other) == 50


def test_twins_are_right_only_together() -> None:
    untouched = JudgePair(claim="It has 28 days.", context="", evidence=LEAVE)
    some = [
        probes.Twin(
            kind=kind, of="answer", group=f"g{n}", untouched=untouched,
            edited=JudgePair(claim=f"edited {n}", context="", evidence=LEAVE), supported=fine,
        )
        for n, (kind, fine) in enumerate(
            [("number", False), ("number", False), ("number", False), ("decorated", True),
             ("decorated", True)]
        )
    ]  # fmt: skip
    scores: list[Parts] = [{JUDGE: Score(p)} for p in (0.9, 0.9, 0.1, 0.9, 0.1)]
    scores += [{JUDGE: Score(p)} for p in (0.1, 0.9, 0.1, 0.9, 0.9)]
    found = values(probes.probe_section("p", "P", some, scores, GIVEN))
    assert found["number: both twins right"] == pytest.approx(1 / 3)
    assert found["all kinds: untouched claim passes"] == pytest.approx(2 / 3)
    assert found["all kinds: edited claim is withheld"] == pytest.approx(2 / 3)
    # One of the two untouched ones passes, and its edited twin too.
    assert found["harmless, decorated: still passes"] == 1.0


def test_twins_are_made_of_supported_claims_and_bounded_by_kind() -> None:
    rows = [
        Row(
            pair=JudgePair(claim=c, context="", evidence=e), supported=label == "supported",
            group=e, answer=f"{n}",
        )
        for n, (c, e, label) in enumerate(CLAIMS)
    ]  # fmt: skip
    made = probes.twins(rows)
    assert {"number"} <= {t.kind for t in made}
    assert {t.of for t in made} <= {"0", "3"}
    assert all(t.untouched.evidence == t.edited.evidence for t in made)
    few = probes.twins(rows, 1)
    assert len(few) == len({t.kind for t in few})
    assert probes.twins(rows) == made


def test_gold_says_what_true_and_what_false_claims_pass() -> None:
    pair = JudgePair(claim="28 days", context="How long?", evidence=LEAVE)
    rows = [
        Row(pair=pair, supported=True, group="q1", answer="answer"),
        Row(pair=pair, supported=True, group="q2", answer="sentence 0"),
    ]
    some = [
        probes.Twin(kind="number", of=of, group=group, untouched=pair, edited=pair, supported=False)
        for of, group in (("answer", "q1"), ("sentence 0", "q2"))
    ]
    row_scores: list[Parts] = [{JUDGE: Score(0.9)}, {JUDGE: Score(0.1)}]
    twin_scores: list[Parts] = [{JUDGE: Score(p)} for p in (0.9, 0.9, 0.7, 0.2)]
    found = values(probes.gold_section(rows, row_scores, some, twin_scores, GIVEN))
    assert found == {
        "true answers kept": 1.0, "true sentences kept": 0.0,
        "false accepts, edited answers": 1.0, "false accepts, edited sentences": 0.0,
    }  # fmt: skip


def test_figures_are_shown_in_their_unit() -> None:
    assert str(Figure(value=0.4567, interval=(0.4, 0.5))) == "45.7 [40.0, 50.0]"
    assert str(Figure(value=0.4567, unit=Unit.PLAIN)) == "0.457"
    assert str(Figure(value=12.34, unit=Unit.MILLISECONDS)) == "12.3 ms"
    assert str(Figure(value=None)) == "none"


def test_published_f1_is_that_of_its_precision_and_recall() -> None:
    for p in published.RAGTRUTH_QA:
        f1 = 2 * p.precision * p.recall / (p.precision + p.recall)
        # As printed, the first one's three figures do not belong together.
        as_printed = 48.6 if p.system.startswith("GPT-4") else p.f1
        assert math.isclose(f1, as_printed, abs_tol=0.1), p.system
    assert [p.f1 for p in published.RAGTRUTH_QA] == [45.6, 51.3, 65.5, 68.2, 70.2, 74.8]


def test_published_figures_stand_beside_ours_on_the_test_split(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("SWORN_DATASETS", str(tmp_path))
    path = tmp_path / "verification" / "test" / "ragtruth" / "raglens_qa_test" / "QA-test.jsonl"
    path.parent.mkdir(parents=True)
    prompt = (
        "Briefly answer the following question:\n{0}\nBear in mind that your response should be "
        "strictly based on the following three passages:\npassage 1:{1}\n\nIn case the passages "
        "do not contain the necessary information"
    )
    answers = (
        ("how long is leave", LEAVE, CLAIMS[0][0], []),
        ("may dogs come", HOTEL, CLAIMS[2][0], [{"start": 0, "end": 39, "label_type": "Baseless"}]),
    )
    rows = [
        {"input": prompt.format(q, p), "output": a, "hall_info": labels}
        for q, p, a, labels in answers
    ]
    path.write_text("".join(json.dumps(r) + "\n" for r in rows))
    assert run(monkeypatch, "--judge", "features", "--sets", "ragtruth") == 0
    printed = capsys.readouterr().out
    lines = [line.strip() for line in printed.splitlines()]
    at = next(i for i, line in enumerate(lines) if line.startswith("answers: F1"))
    assert lines[at].split()[2:4] == ["2", "100.0"]
    assert lines[at + 1].startswith("GPT-4-turbo, prompted")
    assert [line.split()[-1] for line in lines[at + 1 : at + 7]] == [
        "45.6", "51.3", "65.5", "68.2", "70.2", "74.8",
    ]  # fmt: skip
    assert "arXiv 2502.17125" in printed
