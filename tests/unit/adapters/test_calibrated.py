"""Which threshold is in force."""

import json
from pathlib import Path

import pytest

from rag.adapters.judge.calibrated import calibrate, read_calibration, write_calibration
from rag.adapters.judge.logistic import LogisticJudge
from rag.domain.calibration import Calibration, Point
from rag.domain.errors import ConfigError
from rag.domain.ids import Digest

OWN = Calibration(
    method="conformal risk control", set="installation: mine.jsonl", risk=0.02, n_sources=80,
    n_claims=300, points={Point.RISK: 0.61, Point.BLOCK: 0.2},
)  # fmt: skip
OTHER = Digest("sha256:" + "0" * 64)


@pytest.fixture
def scorer() -> LogisticJudge:
    return LogisticJudge.load()


def test_the_shipped_calibration_is_in_force_without_another(scorer: LogisticJudge) -> None:
    judge = calibrate(scorer, Point.RISK, None)
    assert scorer.shipped is not None
    assert judge.threshold == scorer.shipped.points[Point.RISK]
    assert judge.calibration["point"] == "risk"
    assert (judge.name, judge.digest) == (scorer.name, scorer.digest)


def test_the_installations_own_goes_first(scorer: LogisticJudge, tmp_path: Path) -> None:
    path = tmp_path / "calibration.json"
    write_calibration(path, scorer.digest, OWN)
    assert read_calibration(path, scorer.digest) == OWN
    judge = calibrate(scorer, Point.BLOCK, path)
    assert judge.threshold == 0.2
    assert judge.calibration == {
        "method": OWN.method, "set": OWN.set, "risk": 0.02, "point": "block", "n_sources": 80,
        "n_claims": 300,
    }  # fmt: skip


def test_one_made_for_another_judge_does_not_count(
    scorer: LogisticJudge, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "calibration.json"
    write_calibration(path, OTHER, OWN)
    assert calibrate(scorer, Point.RISK, path).threshold != OWN.points[Point.RISK]
    assert "another judge" in caplog.text


def test_a_point_that_is_not_there_is_an_error(scorer: LogisticJudge, tmp_path: Path) -> None:
    path = tmp_path / "calibration.json"
    write_calibration(path, scorer.digest, OWN)
    with pytest.raises(ConfigError, match="no threshold for `warn`"):
        calibrate(scorer, Point.WARN, path)


@pytest.mark.parametrize("text", ["", "[]", "{}", json.dumps({"judge": "x", "points": {"odd": 1}})])
def test_what_is_no_calibration_is_an_error(
    scorer: LogisticJudge, tmp_path: Path, text: str
) -> None:
    path = tmp_path / "calibration.json"
    path.write_text(text)
    with pytest.raises(ConfigError, match="no calibration"):
        calibrate(scorer, Point.RISK, path)
