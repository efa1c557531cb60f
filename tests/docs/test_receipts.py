"""docs/receipts.md: every field, and the program that checks a receipt without Sworn."""

import json
import re
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from rag.adapters.signer import PUBLIC, load_or_create_signer, load_public_key, verify_receipt
from rag.answer.rendering import answer_row
from rag.answer.sealing import RECEIPT_TYPE, canonical_json, receipt_body, seal
from rag.domain.answer import (
    Answer,
    AnsweredClaim,
    Citation,
    Models,
    Policy,
    Question,
    Status,
    Withheld,
)
from rag.domain.claim import Check, Claim, Label, Outcome, Source, Step, Verdict
from rag.domain.document import Principal
from rag.domain.ids import AnswerId, DocumentId, SiloId, digest_text
from rag.domain.words import Span

PAGE = (Path(__file__).parents[2] / "docs/receipts.md").read_text(encoding="utf-8")
NOW = datetime(2026, 11, 1, 9, 30, tzinfo=UTC)
TEXT = "Der Löwe 🦁 schläft: 28 days."


def sealed(folder: Path) -> tuple[dict[str, Any], str, str]:
    """The body of a receipt, the receipt and the answer that it belongs to."""
    span = Span(0, len(TEXT))
    checks = tuple(Check(step=s, outcome=Outcome.PASSED) for s in list(Step)[:8])
    claim = Claim(text=TEXT, span=span, pointers=())
    verdict = Verdict(claim=claim, label=Label.SUPPORTED, score=0.91, checks=checks, quotes=())
    source = Source(
        document_id=DocumentId("doc_a"), silo=SiloId("handbook"), key="a.md", title="A",
        uri="file:///a.md", version=digest_text(TEXT), raw_digest=digest_text("raw"),
        modified_at=NOW, observed_at=NOW, confirmed_at=NOW,
    )  # fmt: skip
    citation = Citation(
        text=TEXT, span=span, prefix="", suffix="", page=None, section=(), source=source
    )
    failed = Check(step=Step.AGREES, outcome=Outcome.FAILED, detail="number")
    question = Question(text="How many?", principal=Principal(id="ana"))
    answer = Answer(
        id=AnswerId("ans_1"), status=Status.PARTIAL, text=f"{TEXT} [1]", reason="",
        claims=(AnsweredClaim(span=span, verdict=verdict, citations=(0,)),),
        withheld=(Withheld(label=Label.REFUTED, reason=failed),),
        citations=(citation,), parts=(), conflicts=(), nearest=(), activity=(), degraded=(),
        models=Models(by_role={"judge": ("judge", digest_text("j"))}), policy=Policy.STRICT,
        threshold=0.78612, calibration={"risk": 0.05, "set": "x"},
        question_digest=digest_text(question.text), generation=7, checked_generation=8,
        asked_at=NOW,
    )  # fmt: skip
    body = receipt_body(question, answer, digest_text("settings"))
    receipt, digest = seal(body, load_or_create_signer(folder))
    return body, receipt, canonical_json(answer_row(answer, digest))


def test_every_field_of_a_receipt_is_explained(tmp_path: Path) -> None:
    body, _, _ = sealed(tmp_path)
    assert f"`{RECEIPT_TYPE}`" in PAGE
    for name in body.keys() - {"catalog"}:
        assert f"| `{name}` |" in PAGE
    for name in body["catalog"]:
        assert f"| `catalog.{name}` |" in PAGE
    for row in (
        body["claims"][0],
        body["withheld"][0],
        body["citations"][0],
        *body["claims"][0]["checks"],
    ):
        for name in row:
            assert f"`{name}`" in PAGE


def test_nothing_is_explained_that_a_receipt_does_not_have(tmp_path: Path) -> None:
    body, _, _ = sealed(tmp_path)
    known = set(body) | set(body["citations"][0]) | {f"catalog.{k}" for k in body["catalog"]}
    for row in re.findall(r"^\| (`.+?`) \|", PAGE, re.MULTILINE):
        for name in re.findall(r"`([^`]+)`", row):
            assert name in known or name == "claims[].checks"


def check(folder: Path, receipt: str, answer: str) -> subprocess.CompletedProcess[str]:
    """Run the page's program in an empty folder that knows nothing of Sworn."""
    program = re.search(r"```python\n(.+?)```", PAGE, re.DOTALL)
    assert program is not None
    (folder / "check.py").write_text(program[1], encoding="utf-8")
    (folder / "receipt.json").write_text(receipt, encoding="utf-8")
    (folder / "answer.json").write_text(answer, encoding="utf-8")
    assert "rag" not in program[1]
    assert "sworn" not in program[1]
    return subprocess.run(
        [sys.executable, "-I", "check.py", "receipt.json", PUBLIC, "answer.json"],
        capture_output=True, text=True, check=False, cwd=folder,
    )  # fmt: skip


def test_program_of_the_page_checks_a_receipt(tmp_path: Path) -> None:
    body, receipt, answer = sealed(tmp_path)
    done = check(tmp_path, receipt, answer)
    assert done.returncode == 0, done.stderr
    assert done.stdout == f"valid: {json.loads(receipt)['digest']}\n"
    assert verify_receipt(receipt, load_public_key(tmp_path / PUBLIC)) == body


@pytest.mark.parametrize(
    "old, new, complaint",
    [
        ('"status":"partial"', '"status":"answered"', "digest"),
        ('"score":0.91', '"score":0.92', "digest"),
        ('"score":0.91', '"score":0.910', "not in canonical form"),
        ('"claims":', '"claims": ', "not in canonical form"),
        ('"digest":"sha256:', '"digest":"sha256:0', "digest"),
    ],
)
def test_program_of_the_page_finds_a_change(
    tmp_path: Path, old: str, new: str, complaint: str
) -> None:
    _, receipt, answer = sealed(tmp_path)
    assert old in receipt
    done = check(tmp_path, receipt.replace(old, new, 1), answer)
    assert done.returncode == 1
    assert f"AssertionError: {complaint}" in done.stderr


def test_program_of_the_page_finds_another_key_and_another_answer(tmp_path: Path) -> None:
    _, receipt, answer = sealed(tmp_path)
    other = answer.replace("28 days", "29 days")
    assert "this receipt is of another answer" in check(tmp_path, receipt, other).stderr
    elsewhere = tmp_path / "elsewhere"
    sealed(elsewhere)
    (tmp_path / PUBLIC).write_bytes((elsewhere / PUBLIC).read_bytes())
    assert "InvalidSignature" in check(tmp_path, receipt, answer).stderr
