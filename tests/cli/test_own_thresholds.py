"""`sworn review` and `sworn calibrate`: from labelled claims to thresholds of one's own."""

import json
from pathlib import Path

import pytest
from support.organisation import LEAVE, MEALS
from support.shell import Shell

pytestmark = pytest.mark.slow

N_SOURCES = 60


def labelled(n: int) -> str:
    rows = []
    for i in range(n):
        evidence = f"Room {i} has {i + 2} desks and is cleaned every Monday. Smoking is forbidden."
        rows.append(
            (f"Room {i} has {i + 2} desks and is cleaned every Monday.", evidence, "supported")
        )
        rows.append((f"Zebras of herd {i} graze in Kenya all summer.", evidence, "unsupported"))
    return "".join(
        json.dumps({"claim": c, "evidence": e, "label": label, "source": f"q{n // 2}"}) + "\n"
        for n, (c, e, label) in enumerate(rows)
    )


def test_claims_are_shown_once_and_answers_kept(indexed: Shell, tmp_path: Path) -> None:
    questions, out = tmp_path / "questions.txt", tmp_path / "labelled.jsonl"
    questions.write_text("How many days of annual leave do full-time employees get?\n")
    texts = tmp_path / "texts.jsonl"
    texts.write_text(json.dumps({"text": f"{MEALS} The office has a swimming pool."}) + "\n")

    done = indexed("review", str(out), "--questions", str(questions), said="x\ny\n")
    assert done.returncode == 0, done.stderr
    assert LEAVE.split(".")[0] in done.stdout
    assert "y, n, s or q, please" in done.stderr
    (row,) = map(json.loads, out.read_text().splitlines())
    assert row["label"] == "supported"
    assert row["claim"] in row["evidence"]

    done = indexed("review", str(out), "--questions", str(questions), said="y\n")
    assert (done.returncode, len(out.read_text().splitlines())) == (1, 1)

    done = indexed("review", str(out), "--texts", str(texts), said="y\nn\n")
    assert done.returncode == 0, done.stderr
    labels = [json.loads(line)["label"] for line in out.read_text().splitlines()]
    assert labels == ["supported", "supported", "unsupported"]

    done = indexed("calibrate", str(out))
    assert done.returncode == 2
    assert "no threshold keeps a risk of 5%" in done.stderr
    assert "label claims of more than 20" in done.stderr


def test_own_thresholds_are_named_in_every_answer(indexed: Shell, tmp_path: Path) -> None:
    path = tmp_path / "mine.jsonl"
    path.write_text(labelled(N_SOURCES))
    state = indexed.folder / "state" / "calibration.json"
    indexed.ok("calibrate", str(path), "--dry-run")
    assert not state.exists()
    found = json.loads(indexed.ok("calibrate", str(path), "--json"))
    assert (found["n_sources"], found["n_claims"], found["unread"]) == (N_SOURCES, 2 * N_SOURCES, 0)
    risk = next(f for f in found["figures"] if f["point"] == "risk")
    # The bound is on the mean over sources; the share over all claims may lie a little above.
    assert risk["unsupported"] <= 0.1
    assert risk["returned"] >= 0.4
    try:
        done = indexed("ask", "How many days of annual leave do full-time employees get?", "--json")
        policy = json.loads(done.stdout)["policy"]
        assert policy["calibration"]["set"] == "installation: mine.jsonl"
        assert policy["threshold"] == pytest.approx(risk["threshold"], abs=1e-5)
    finally:
        state.unlink()


def test_a_file_that_is_not_there_is_named(indexed: Shell) -> None:
    done = indexed("calibrate", "nowhere.jsonl")
    assert done.returncode == 2
    assert "cannot read nowhere.jsonl" in done.stderr
