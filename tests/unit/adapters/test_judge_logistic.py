"""The first judge, with the weights that are shipped."""

import asyncio
import json
import shutil
from collections.abc import Sequence
from importlib.resources import as_file, files
from pathlib import Path

import pytest

from rag.adapters.judge.features import COLUMNS, FEATURES, hinged, read
from rag.adapters.judge.logistic import LogisticJudge
from rag.domain.calibration import Point
from rag.domain.claim import Judgement, JudgePair
from rag.domain.errors import ModelUnavailable

PASSAGE = (
    "Supplier invoices are paid within 45 days of receipt. Ines Calder approves any invoice above "
    "EUR 10,000. Travel costs must not be booked on project accounts. Receipts are kept for ten "
    "years in the archive."
)
OTHER = (
    "The canteen serves lunch from noon to 2 pm. Guests pay at the counter. On Fridays there is "
    "fish, and the terrace is open when the weather allows."
)
SENTENCES = (
    "Supplier invoices are paid within 45 days of receipt.",
    "Ines Calder approves any invoice above EUR 10,000.",
    "Travel costs must not be booked on project accounts.",
    "Receipts are kept for ten years in the archive.",
)


@pytest.fixture(scope="module")
def judge() -> LogisticJudge:
    return LogisticJudge.load()


def threshold(judge: LogisticJudge) -> float:
    assert judge.shipped is not None
    return judge.shipped.points[Point.RISK]


def judged(judge: LogisticJudge, *pairs: tuple[str, str]) -> Sequence[Judgement]:
    made = [JudgePair(claim=claim, context="", evidence=evidence) for claim, evidence in pairs]
    return asyncio.run(judge.judge(made))


@pytest.mark.parametrize("sentence", SENTENCES)
def test_verbatim_copy_is_supported(judge: LogisticJudge, sentence: str) -> None:
    (found,) = judged(judge, (sentence, PASSAGE))
    assert found.p_supported >= threshold(judge)
    assert found.flagged == ()
    assert found.evidence_span.of(PASSAGE) == sentence


@pytest.mark.parametrize("sentence", SENTENCES)
def test_verbatim_copy_in_long_evidence_is_supported(judge: LogisticJudge, sentence: str) -> None:
    evidence = "\n\n".join([OTHER] * 10 + [PASSAGE] + [OTHER] * 10)
    (found,) = judged(judge, (f"- **{sentence}** [1]", evidence))
    assert found.p_supported >= threshold(judge)


@pytest.mark.parametrize(
    ("claim", "words"),
    [
        ("Supplier invoices are paid within 30 days of receipt.", "30 days"),
        ("Ben Okafor approves any invoice above EUR 10,000.", "Ben Okafor"),
        ("Ines Calder approves any invoice above USD 10,000.", "USD 10,000"),
        ("Travel costs must be booked on project accounts.", "booked"),
    ],
)
def test_changed_fact_is_under_the_threshold_and_flagged(
    judge: LogisticJudge, claim: str, words: str
) -> None:
    (found,) = judged(judge, (claim, PASSAGE))
    assert found.p_supported < threshold(judge)
    assert words in [span.of(claim) for span in found.flagged]


def test_changed_number_is_less_supported_than_the_right_one(judge: LogisticJudge) -> None:
    right, wrong = judged(
        judge,
        ("Invoices of suppliers are to be paid within 45 days.", PASSAGE),
        ("Invoices of suppliers are to be paid within 30 days.", PASSAGE),
    )
    assert wrong.p_supported < right.p_supported
    assert wrong.p_refuted > right.p_refuted


@pytest.mark.parametrize("sentence", SENTENCES)
def test_wrong_passage_is_under_the_threshold(judge: LogisticJudge, sentence: str) -> None:
    (found,) = judged(judge, (sentence, OTHER))
    assert found.p_supported < threshold(judge)


@pytest.mark.parametrize(
    ("claim", "evidence"), [("", PASSAGE), ("Invoices are paid.", ""), ("", "")]
)
def test_nothing_supports_nothing(judge: LogisticJudge, claim: str, evidence: str) -> None:
    (found,) = judged(judge, (claim, evidence))
    assert found.p_supported == 0.0
    assert found.p_refuted == 0.0


def test_empty_input_gives_empty_output(judge: LogisticJudge) -> None:
    assert judged(judge) == ()


def test_one_judgement_per_pair_in_order(judge: LogisticJudge) -> None:
    pairs = [(s, PASSAGE) for s in SENTENCES] + [(s, OTHER) for s in SENTENCES]
    together = judged(judge, *pairs)
    assert list(together) == [judged(judge, pair)[0] for pair in pairs]


def test_probabilities_and_spans_stay_in_bounds(judge: LogisticJudge) -> None:
    texts = [*SENTENCES, OTHER, "?", "1.", "|---|", "ﬁ ½ €", "x" * 5_000, "no " * 400, "1 " * 400]
    for claim in texts:
        (found,) = judged(judge, (claim, PASSAGE))
        assert 0.0 <= found.p_supported <= 1.0
        assert 0.0 <= found.p_refuted <= 1.0 - found.p_supported + 1e-12
        assert all(span.end <= len(claim) for span in found.flagged)
        assert found.evidence_span.end <= len(PASSAGE)


def test_names_its_digest_threshold_and_calibration(judge: LogisticJudge) -> None:
    assert judge.name
    assert judge.digest.startswith("sha256:")
    assert judge.shipped is not None
    assert 0.5 < judge.shipped.points[Point.RISK] < 1.0
    assert judge.shipped.risk == 0.05
    asyncio.run(judge.ping())


def test_tampered_model_raises(tmp_path: Path) -> None:
    copy = _copy(tmp_path)
    model = json.loads((copy / "model.json").read_text("utf-8"))
    model["threshold_support"] = 0.0
    (copy / "model.json").write_text(json.dumps(model), "utf-8")
    with pytest.raises(ModelUnavailable, match="pinned"):
        LogisticJudge.load(copy)


@pytest.mark.parametrize("name", ["model.json", "model.sha256"])
def test_missing_file_raises(tmp_path: Path, name: str) -> None:
    copy = _copy(tmp_path)
    (copy / name).unlink()
    with pytest.raises(ModelUnavailable):
        LogisticJudge.load(copy)


def test_card_states_the_digest_of_the_model(judge: LogisticJudge) -> None:
    card = files("rag.models.judge_logistic").joinpath("MODEL_CARD.md").read_text("utf-8")
    assert judge.digest in card


def test_features_and_columns_have_one_value_each() -> None:
    reading = read(SENTENCES[0], "Who pays?", PASSAGE, lambda _: 1.0)
    assert len(reading.values) == len(FEATURES)
    assert len(hinged(reading.values)) == len(COLUMNS) == len(set(COLUMNS))


def _copy(folder: Path) -> Path:
    with as_file(files("rag.models.judge_logistic")) as source:
        for name in ("model.json", "model.sha256"):
            shutil.copy(source / name, folder / name)
    return folder
