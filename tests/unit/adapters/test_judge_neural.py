"""The neural judge, with the weights that are shipped."""

import asyncio
import json
import re
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from importlib.resources import as_file, files
from pathlib import Path

import pytest

from rag.adapters.judge.features import read
from rag.adapters.judge.logistic import LogisticJudge
from rag.adapters.judge.marks import CLAIM_TOKENS_MAX
from rag.adapters.judge.neural import FUSION, PACKAGE, PINNED, NeuralJudge
from rag.adapters.shipped import GRAPH, SUMS
from rag.domain.calibration import Point
from rag.domain.claim import Judgement, JudgePair, Unchecked
from rag.domain.errors import ModelError, ModelUnavailable

PASSAGE = (
    "Supplier invoices are paid within 45 days of receipt. Ines Calder approves any invoice above "
    "EUR 10,000. Travel costs must not be booked on project accounts. Receipts are kept for ten "
    "years in the archive."
)
FILLER = (
    "The canteen serves lunch from noon to 2 pm. Guests pay at the counter. On Fridays there is "
    "fish, and the terrace is open when the weather allows."
)
TRUE = (
    "Invoices of suppliers are paid within 45 days after they are received.",
    "Any invoice above EUR 10,000 is approved by Ines Calder.",
    "Receipts stay in the archive for ten years.",
)
FALSE = (
    "Supplier invoices are paid within 54 days of receipt.",
    "Ines Calder approves any invoice above EUR 100,000.",
    "Travel costs must be booked on project accounts.",
    "Receipts are kept for ten months in the archive.",
    "Supplier invoices are paid by cheque in the order of arrival.",
)


@pytest.fixture(scope="module")
def judge() -> Iterator[NeuralJudge]:
    made = NeuralJudge.load()
    yield made
    asyncio.run(made.aclose())


def pair(claim: str, evidence: str = PASSAGE, context: str = "") -> JudgePair:
    return JudgePair(claim=claim, context=context, evidence=evidence)


def judged(judge: NeuralJudge, *pairs: JudgePair) -> list[Judgement]:
    found = asyncio.run(judge.judge(pairs))
    assert all(isinstance(f, Judgement) for f in found)
    return [f for f in found if isinstance(f, Judgement)]


def threshold(judge: NeuralJudge) -> float:
    assert judge.shipped is not None
    return judge.shipped.points[Point.RISK]


def test_paraphrases_score_above_changed_facts(judge: NeuralJudge) -> None:
    true = [j.p_supported for j in judged(judge, *map(pair, TRUE))]
    false = [j.p_supported for j in judged(judge, *map(pair, FALSE))]
    assert min(true) > max(false)


def test_changed_facts_stay_under_the_threshold(judge: NeuralJudge) -> None:
    for claim, found in zip(FALSE, judged(judge, *map(pair, FALSE)), strict=True):
        assert found.p_supported < threshold(judge), claim
        assert found.flagged, claim


def test_a_copy_needs_no_model_wherever_it_stands(judge: NeuralJudge) -> None:
    sentence = PASSAGE.split(". ")[1] + "."
    evidence = "\n\n".join([FILLER] * 10 + [PASSAGE] + [FILLER] * 10)
    (found,) = judged(judge, pair(f"- **{sentence}** [1]", evidence))
    assert found.p_supported >= threshold(judge)
    assert found.evidence_span.of(evidence) == sentence
    assert found.flagged == ()


@pytest.mark.parametrize(
    ("claim", "evidence"),
    [
        (
            "Employees may carry over ten days.",
            "It is not true that employees may carry over ten days.",
        ),
        ("The limit is 500 euros.", "The claim that the limit is 500 euros is false."),
        ("Employees may work from home.", "If the manager agrees, employees may work from home."),
        ("may carry over ten days", "It is not true that employees\nmay carry over ten days."),
    ],
)
def test_a_part_of_a_sentence_is_no_copy(claim: str, evidence: str) -> None:
    reading = read(claim, "", evidence, LogisticJudge.load().idf)
    assert not reading.is_verbatim


@pytest.mark.parametrize(
    ("claim", "evidence"),
    [
        ("Employees may work from home.", "Intro. Employees may work from home. More."),
        (
            "- **Parental leave**: 12 weeks [1]",
            "Leave:\n- Annual: 30\n- Parental leave: 12 weeks\n- Other",
        ),
        ("| Bonn | 12 days |", "| City | Days |\n| Bonn | 12 days |\n| Kiel | 3 days |"),
        ("A wrapped sentence stands here.", "First. A wrapped\nsentence stands here. Last."),
        ("One is here. Two is there.", "Zero now. One is here. Two is there. Three."),
    ],
)
def test_whole_sentences_items_and_rows_are_copies(claim: str, evidence: str) -> None:
    assert read(claim, "", evidence, LogisticJudge.load().idf).is_verbatim


@pytest.mark.parametrize("claim", ["Yes.", "No.", "They can.", "5", "x", "You can do that."])
def test_a_claim_without_content_is_supported_by_nothing(judge: NeuralJudge, claim: str) -> None:
    (found,) = judged(judge, pair(claim, FILLER))
    assert found.p_supported == 0.0


def test_support_is_the_largest_over_the_windows(judge: NeuralJudge) -> None:
    """What one window supports is not taken back by another that only sounds like it."""
    like = "Supplier invoices are paid and approved by the office. " * 9
    (alone,) = judged(judge, pair(TRUE[0]))
    (beside,) = judged(judge, pair(TRUE[0], f"{PASSAGE} {FILLER * 3} {like}"))
    assert beside.p_supported > alone.p_supported - 0.2


def test_company_changes_nothing(judge: NeuralJudge) -> None:
    pairs = [pair(c, e) for c in (*TRUE, *FALSE, FILLER[:40]) for e in (PASSAGE, FILLER)]
    together = judged(judge, *pairs)
    for one, alone in zip(together, (judged(judge, p)[0] for p in pairs), strict=True):
        assert one == alone
    assert judged(judge) == []


def test_a_claim_too_long_to_read_is_unchecked(judge: NeuralJudge) -> None:
    endless = pair("invoice unlike supplier " * CLAIM_TOKENS_MAX)
    first, second = asyncio.run(judge.judge([endless, pair(TRUE[0])]))
    assert isinstance(first, Unchecked)
    assert isinstance(second, Judgement)


@pytest.mark.parametrize(("claim", "evidence"), [("", PASSAGE), (TRUE[0], ""), ("  ", " \n")])
def test_nothing_supports_nothing(judge: NeuralJudge, claim: str, evidence: str) -> None:
    (found,) = judged(judge, pair(claim, evidence))
    assert found.p_supported == 0.0


def test_what_is_given_up_stops(judge: NeuralJudge) -> None:
    stop = threading.Event()
    stop.set()
    with pytest.raises(ModelError):
        judge.judged([pair(TRUE[0])], stop)


def test_it_needs_no_torch() -> None:
    code = (
        "import sys; from rag.adapters.judge.neural import NeuralJudge; NeuralJudge.load();"
        "assert not {'torch', 'transformers'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def copied(folder: Path) -> Path:
    with as_file(files(PACKAGE)) as shipped:
        for name in (*PINNED, SUMS):
            shutil.copyfile(shipped / name, folder / name)
    return folder


def test_a_changed_file_is_refused(tmp_path: Path) -> None:
    path = copied(tmp_path) / FUSION
    fusion = json.loads(path.read_text())
    path.write_text(json.dumps(fusion | {"bias": 9.0}))
    with pytest.raises(ModelUnavailable, match="pinned"):
        NeuralJudge.load(tmp_path)


@pytest.mark.parametrize("name", [GRAPH, SUMS])
def test_a_missing_file_is_named(tmp_path: Path, name: str) -> None:
    (copied(tmp_path) / name).unlink()
    with pytest.raises(ModelUnavailable, match=r"cannot be read"):
        NeuralJudge.load(tmp_path)


def test_the_card_states_the_digest(judge: NeuralJudge) -> None:
    card = files(PACKAGE).joinpath("MODEL_CARD.md").read_text("utf-8")
    assert judge.digest in card
    assert re.search(r"Threshold\D+" + re.escape(f"{threshold(judge):.4f}"), card)
