"""Receipts are canonical: equal values give equal bytes, and a signature covers all of them."""

import json
from dataclasses import replace

import pytest
import rfc8785
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given, settings
from hypothesis import strategies as st
from support.making import NOW, claim, judgement, known

from rag.adapters.signer import Ed25519Signer, verify_receipt
from rag.answer.decision import Part, decide
from rag.answer.rendering import answer_row
from rag.answer.sealing import NOT_CHECKED, canonical_json, receipt_body, seal
from rag.answer.verification import verify_claims
from rag.domain.answer import Answer, Models, Policy, Question
from rag.domain.document import Principal
from rag.domain.ids import AnswerId, digest_bytes, digest_text

KEY = Ed25519PrivateKey.generate()
QUESTION = Question(text="What is refunded?", principal=Principal(id="ana"))
LIE = "Meals are refunded up to 97,310 euros a day."

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53) + 1, 2**53 - 1) | st.text(max_size=8)
    | st.floats(-1e9, 1e9),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=6,
)  # fmt: skip


def an_answer(policy: Policy = Policy.STRICT) -> Answer:
    verdicts = verify_claims([claim(), claim(LIE)], [judgement(), judgement()], known())
    decision = decide([Part(question=QUESTION.text, verdicts=verdicts)], known(), policy)
    return Answer(
        id=AnswerId("ans_1"), status=decision.status, text=decision.text, reason=decision.reason,
        claims=decision.claims, withheld=decision.withheld, citations=decision.citations,
        parts=decision.parts, conflicts=decision.conflicts, nearest=decision.nearest,
        activity=(), degraded=("vector_index",),
        models=Models(by_role={"judge": ("j", digest_text("j")), "embedder": ("e", digest_text("e"))}),
        policy=policy, threshold=0.5, calibration={"risk": 0.05}, asked_at=NOW,
        question_digest=digest_text(QUESTION.text), generation=7, checked_generation=9,
    )  # fmt: skip


@given(st.dictionaries(st.text(max_size=4), VALUES, max_size=4))
@settings(deadline=None, max_examples=50)
def test_the_order_of_keys_changes_no_byte(value: dict) -> None:
    backwards = dict(reversed(value.items()))
    text = canonical_json(value)
    assert canonical_json(backwards) == text
    assert canonical_json(json.loads(text)) == text


@given(st.dictionaries(st.text(max_size=4), VALUES, max_size=4))
@settings(deadline=None, max_examples=50)
def test_whatever_is_sealed_verifies(value: dict) -> None:
    receipt, digest = seal(value, Ed25519Signer(KEY))
    assert verify_receipt(receipt, KEY.public_key()) == json.loads(canonical_json(value))
    assert digest == json.loads(receipt)["digest"] == digest_bytes(rfc8785.dumps(value))


def test_a_receipt_swears_to_everything_that_left() -> None:
    result = an_answer()
    body = receipt_body(QUESTION, result, "sha256:settings")
    assert body["text_digest"] == digest_text(result.text)
    assert body["question_digest"] == digest_text("What is refunded?")
    assert body["catalog"] == {"generation": 7, "checked_generation": 9}
    assert body["degraded"] == ["vector_index"]
    assert body["not_checked"] == list(NOT_CHECKED)
    assert list(body["models"]) == ["embedder", "judge"]
    assert [c["text"] for c in body["claims"]] == [claim().text]
    assert [c["step"] for c in body["claims"][0]["checks"]] == list(range(8))
    (citation,) = body["citations"]
    assert citation["quote_digest"] == digest_text(citation["quote"])
    assert citation["observed_at"] == "2026-01-01T00:00:00.000000Z"


def test_a_receipt_holds_no_question_no_asker_and_no_lie() -> None:
    text = canonical_json(receipt_body(QUESTION, an_answer(), "sha256:settings"))
    for private in ("What is refunded", '"ana"', "97,310"):
        assert private not in text
    marked = canonical_json(receipt_body(QUESTION, an_answer(Policy.MARK), "sha256:settings"))
    assert LIE in marked


def test_answer_and_receipt_say_the_same() -> None:
    result = an_answer()
    body, row = receipt_body(QUESTION, result, "s"), answer_row(result, digest_text("r"))
    assert row["receipt"]["url"] == f"/v1/receipts/{digest_text('r')}"
    for ours, theirs in zip(row["citations"], body["citations"], strict=True):
        assert ours["cited_text"] == theirs["quote"]
        assert ours["start_char_index"] == theirs["start_char"]
        assert ours["version"] == theirs["version"]
    for ours, theirs in zip(row["claims"], body["claims"], strict=True):
        assert {k: ours[k] for k in theirs} == theirs


@pytest.mark.parametrize(
    "change", [{"threshold": 0.6}, {"generation": 8}, {"degraded": ()}, {"text": "x"}]
)
def test_another_answer_has_another_digest(change: dict) -> None:
    signer = Ed25519Signer(KEY)
    _, one = seal(receipt_body(QUESTION, an_answer(), "s"), signer)
    _, other = seal(receipt_body(QUESTION, replace(an_answer(), **change), "s"), signer)
    assert one != other
