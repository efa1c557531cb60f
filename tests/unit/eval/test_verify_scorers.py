"""Judges as they are measured, with a graph made by hand in place of the trained one."""

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import onnx
import pytest
from onnx import TensorProto, helper

from eval.verify.book import ScoreBook
from eval.verify.scorers import (
    FP32,
    FP32_MODEL,
    JUDGE,
    MODEL,
    RULES,
    STEP_6,
    Score,
    Scorer,
    TwoHalves,
    open_fp32,
    open_judge,
)
from eval.verify.thresholds import thresholds_of
from rag.adapters.embedding.onnx_embedder import DEFAULT_MODEL, locate_model
from rag.adapters.judge.logistic import LogisticJudge
from rag.adapters.judge.marks import Mark
from rag.adapters.judge.neural import COLUMNS, FUSION, PINNED, NeuralJudge, sigmoid
from rag.adapters.shipped import GRAPH, TOKENIZER, pin
from rag.domain.calibration import Point
from rag.domain.claim import JudgePair
from rag.domain.errors import ConfigError
from rag.domain.words import Span
from rag.settings import JudgeSettings

EVIDENCE = "Annual leave is 30 days for everyone in the office. The canteen opens at noon."
COPY = JudgePair(claim="The canteen opens at noon.", context="", evidence=EVIDENCE)
FREE = JudgePair(claim="Penguins run the canteen.", context="", evidence=EVIDENCE)
WRONG = JudgePair(claim="Leave in the office is 31 days a year.", context="", evidence=EVIDENCE)
LONG = JudgePair(claim="Zebra " * 200, context="", evidence=EVIDENCE)
EMPTY = JudgePair(claim=" ", context="", evidence=EVIDENCE)


def graph(bias: float) -> bytes:
    """Support is `bias` less one for each claim word that stands alone; no word is flagged."""
    nodes = [
        helper.make_node("Equal", ["marks", "alone"], ["is_alone"]),
        helper.make_node("Cast", ["is_alone"], ["ones"], to=TensorProto.FLOAT),
        helper.make_node("ReduceSum", ["ones", "axis"], ["n"], keepdims=1),
        helper.make_node("Sub", ["bias", "n"], ["support"]),
        helper.make_node("Mul", ["n", "zero"], ["other"]),
        helper.make_node("Concat", ["support", "other", "other"], ["labels"], axis=1),
        helper.make_node("Cast", ["ids"], ["floats"], to=TensorProto.FLOAT),
        helper.make_node("Mul", ["floats", "zero"], ["none"]),
        helper.make_node("Sub", ["none", "one"], ["flags"]),
    ]
    inputs = [
        helper.make_tensor_value_info(n, TensorProto.INT64, ["b", "t"]) for n in ("ids", "marks")
    ]
    outputs = [
        helper.make_tensor_value_info("labels", TensorProto.FLOAT, ["b", 3]),
        helper.make_tensor_value_info("flags", TensorProto.FLOAT, ["b", "t"]),
    ]
    constants = [
        helper.make_tensor("alone", TensorProto.INT64, [1], [int(Mark.CLAIM_ALONE)]),
        helper.make_tensor("axis", TensorProto.INT64, [1], [1]),
        *(
            helper.make_tensor(name, TensorProto.FLOAT, [1], [value])
            for name, value in (("bias", bias), ("zero", 0.0), ("one", 1.0))
        ),
    ]
    made = helper.make_graph(nodes, "judge", inputs, outputs, constants)
    model = helper.make_model(made, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    onnx.checker.check_model(model)
    return model.SerializeToString()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A judge that reads the encoder alone: its fusion gives every other column no weight."""
    place = tmp_path_factory.mktemp("judge")
    (place / GRAPH).write_bytes(graph(2.0))
    tokenizer = locate_model(DEFAULT_MODEL).folder / "tokenizer.json"
    (place / TOKENIZER).write_bytes(tokenizer.read_bytes())
    fusion: dict[str, Any] = {
        "name": "by-hand", "columns": COLUMNS, "floor": LogisticJudge.load().digest,
        "weights": [1.0 if c == "support" else 0.0 for c in COLUMNS], "bias": 1.0, "copy": 0.99,
        "threshold_f1": 0.4,
        "calibration": {
            "method": "none", "set": "none", "risk": 0.05, "n_sources": 1, "n_claims": 1,
            "points": {"risk": 0.8},
        },
    }  # fmt: skip
    (place / FUSION).write_text(json.dumps(fusion))
    pin(place, PINNED)
    return place


@pytest.fixture
def runner() -> Iterator[asyncio.Runner]:
    with asyncio.Runner() as made:
        yield made


def settings(model: object) -> JudgeSettings:
    return JudgeSettings(model=str(model), threads=1)


def test_parts_of_sworns_judge_are_what_its_halves_say(
    folder: Path, runner: asyncio.Runner
) -> None:
    opened = open_judge(settings(folder), runner)
    assert opened.scorer.parts == (JUDGE, STEP_6, RULES, MODEL)
    pairs = [FREE, COPY, WRONG]
    free, copy, wrong = opened.scorer.score(pairs)
    plain = NeuralJudge.load(folder, threads=1).judged(pairs)
    assert [p[JUDGE].p_supported for p in (free, copy, wrong)] == [
        j.p_supported  # type: ignore[union-attr]
        for j in plain
    ]
    rules = LogisticJudge.load()
    assert [p[RULES].p_supported for p in (free, copy, wrong)] == [
        rules.judged(p).p_supported for p in pairs
    ]
    # `Penguins` and `run` stand alone: 2 - 2 against two logits of 0, and 1 more from the fusion.
    logit = free[MODEL].p_supported
    assert free[JUDGE].p_supported == pytest.approx(1 / (1 + (1 / logit - 1) / 2.718281828))
    # The rule about copies is the judge's, not the encoder's.
    assert copy[JUDGE].p_supported == 0.99
    assert copy[MODEL].p_supported < 0.99
    # 31 days are not 30: step 6 does not let that pass, whatever the judge says.
    assert wrong[STEP_6].p_supported == 0.0 < wrong[JUDGE].p_supported


def test_what_cannot_be_judged_never_passes_and_is_counted(
    folder: Path, runner: asyncio.Runner
) -> None:
    long, empty = open_judge(settings(folder), runner).scorer.score([LONG, EMPTY])
    assert long[JUDGE] == Score(0.0, unchecked=True)
    assert long[MODEL] == Score(0.0, unchecked=True)
    assert empty[JUDGE].p_supported == empty[MODEL].p_supported == 0.0


def test_ablations_read_nothing_twice(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    judge = TwoHalves.load(folder, threads=1)
    assert isinstance(judge, TwoHalves)
    inner = judge._memory._encoder
    n_read: list[int] = []
    heads = inner.heads
    monkeypatch.setattr(
        inner, "heads", lambda some, stop=None: n_read.append(len(some)) or heads(some, stop)
    )
    judge.parts([FREE, WRONG, FREE])
    assert sum(n_read) == 2
    # And nothing is remembered when time is taken.
    judge.judged([FREE])
    judge.judged([FREE])
    assert sum(n_read) == 4


def test_fp32_is_another_graph_with_the_same_fusion(
    folder: Path, tmp_path: Path, runner: asyncio.Runner
) -> None:
    other = tmp_path / "fp32.onnx"
    other.write_bytes(graph(3.0))
    scorer = open_fp32(other, settings(folder))
    assert scorer.parts == (FP32, FP32_MODEL)
    (parts,) = scorer.score([FREE])
    (shipped,) = open_judge(settings(folder), runner).scorer.score([FREE])
    odds = parts[FP32].p_supported / (1 - parts[FP32].p_supported)
    assert odds == pytest.approx(
        2.718281828 * shipped[JUDGE].p_supported / (1 - shipped[JUDGE].p_supported), rel=1e-5
    )
    assert scorer.digest != open_judge(settings(folder), runner).scorer.digest


def test_fp32_is_refused_where_it_means_nothing(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="only Sworn's own judge"):
        open_fp32(tmp_path / "fp32.onnx", settings("features"))
    with pytest.raises(ConfigError, match="no graph"):
        open_fp32(tmp_path / "fp32.onnx", settings(folder))


def test_judge_that_is_nowhere_is_an_error(tmp_path: Path, runner: asyncio.Runner) -> None:
    with pytest.raises(ConfigError, match="name `sworn`, `features` or a folder"):
        open_judge(settings(tmp_path / "nowhere"), runner)


def test_thresholds_come_from_the_models_that_state_them(
    folder: Path, runner: asyncio.Runner
) -> None:
    opened = open_judge(settings(folder), runner)
    found = thresholds_of(opened, opened.scorer.parts, Point.RISK, None)
    assert (found[JUDGE].support, found[JUDGE].f1) == (0.8, 0.4)
    assert found[JUDGE] == found[STEP_6]
    rules = LogisticJudge.load().shipped
    assert rules is not None
    assert found[RULES].support == rules.points[Point.RISK]
    assert found[MODEL].chosen == ("nowhere: 0.5", "nowhere: 0.5")
    given = thresholds_of(opened, opened.scorer.parts, Point.RISK, None, 0.3)
    assert (given[JUDGE].f1, given[RULES].f1) == (0.3, found[RULES].f1)


class Counting:
    """A scorer that counts what it is asked."""

    def __init__(self, digest: str = "d") -> None:
        self.asked: list[JudgePair] = []
        self.scorer = Scorer(name="counting", digest=digest, parts=(JUDGE,), score=self.score)

    def score(self, pairs: Any) -> list[dict[str, Score]]:
        self.asked += pairs
        return [{JUDGE: Score(0.25, (Span(1, 3),))} for _ in pairs]


def test_book_scores_each_pair_once_and_goes_on_after_a_kill(tmp_path: Path) -> None:
    first = Counting()
    found = ScoreBook(tmp_path).scored(first.scorer, [FREE, COPY, FREE], "t")
    assert first.asked == [FREE, COPY]
    path = tmp_path / "scores.jsonl"
    # Killed while writing: the last line is torn.
    path.write_bytes(path.read_bytes()[:-9])
    second = Counting()
    book = ScoreBook(tmp_path)
    assert book.scored(second.scorer, [FREE, COPY, FREE], "t") == found
    assert second.asked == [COPY]
    third = Counting()
    assert ScoreBook(tmp_path).scored(third.scorer, [FREE, COPY], "t") == found[:2]
    assert third.asked == []
    assert EVIDENCE not in path.read_text()


def test_book_keeps_scorers_apart_and_refuses_damage(tmp_path: Path) -> None:
    ScoreBook(tmp_path).scored(Counting("one").scorer, [FREE], "t")
    other = Counting("two")
    ScoreBook(tmp_path).scored(other.scorer, [FREE], "t")
    assert other.asked == [FREE]
    path = tmp_path / "scores.jsonl"
    path.write_text('{"scorer": 1}\n' + path.read_text())
    with pytest.raises(ConfigError, match="line 1 is no score"):
        ScoreBook(tmp_path)


def test_sigmoid_of_the_support_logit_is_the_models_own_say(
    folder: Path, runner: asyncio.Runner
) -> None:
    # No word stands alone: the logits are 2, 0, 0, whose log-odds of support are 2 - ln 2.
    pair = JudgePair(claim="The office canteen opens for everyone.", context="", evidence=EVIDENCE)
    (parts,) = open_judge(settings(folder), runner).scorer.score([pair])
    assert parts[MODEL].p_supported == pytest.approx(sigmoid(2 - 0.6931471806))
