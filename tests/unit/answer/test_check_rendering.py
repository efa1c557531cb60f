"""A checked text on the wire: Google's names, bytes and code points, and what is cited."""

import json
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from support.making import NOW, evidence

from api.check_schemas import CheckedOut
from rag.answer.check_rendering import checked_row
from rag.answer.checking import Checked, CheckedText, _claims, _given
from rag.domain.claim import Check, Claim, ClaimKind, Label, Outcome, Quote, Step, Verdict
from rag.domain.words import Span
from rag.testing.fakes import BrokenJudge

TEXT = "Grüße! 🦉 schläft. Käse kostet 4 €. Wirklich?"


def verdict(claim: Claim, label: Label = Label.SUPPORTED, **values: Any) -> Verdict:
    steps = list(Step)[:-1]
    failed = Step.ENTAILED if label is not Label.SUPPORTED else None
    checks = tuple(
        Check(step=s, outcome=Outcome.FAILED, detail="too little") if s is failed
        else Check(step=s, outcome=Outcome.PASSED) for s in steps
    )  # fmt: skip
    defaults: dict[str, Any] = {"score": 0.8, "quotes": ()}
    return Verdict(claim=claim, label=label, checks=checks, **(defaults | values))


def claim_at(text: str, words: str, kind: ClaimKind = ClaimKind.ASSERTION) -> Claim:
    start = text.index(words)
    return Claim(text=words, span=Span(start, start + len(words)), pointers=(), kind=kind)


def row_of(text: str, *claims: Checked, passages: Any = (), **options: Any) -> dict[str, Any]:
    whole = CheckedText(claims=claims, passages=tuple(passages), threshold=0.5)
    row = checked_row(text, whole, BrokenJudge(), **({"scores": True} | options))
    # Plain JSON, in UTF-8, as the API describes it and nothing else.
    json.dumps(row, ensure_ascii=False, allow_nan=False).encode()
    CheckedOut.model_validate(row)
    return row


def test_positions_count_bytes_and_offsets_code_points() -> None:
    words = "Käse kostet 4 €."
    held = Checked(verdict=verdict(claim_at(TEXT, words)))
    (row,) = row_of(TEXT, held)["claims"]
    assert (row["startChar"], row["endChar"]) == (18, 34)
    # Before it stand two umlauts and a sharp s of two bytes each, and an owl of four.
    assert (row["startPos"], row["endPos"]) == (18 + 3 + 3, 34 + 3 + 3 + 1 + 2)
    assert TEXT[row["startChar"] : row["endChar"]] == row["claimText"] == words
    assert TEXT.encode()[row["startPos"] : row["endPos"]].decode() == words


@given(st.text(alphabet="aé€🦉ß.?! \n-|", max_size=60))
@example("🦉🦉. é é é é.\n- 🦉\n\n|a|b|\n|-|-|\n|é|🦉|")
def test_both_name_the_claim_whatever_the_text(text: str) -> None:
    held = [Checked(verdict=verdict(claim, Label.UNCHECKED)) for claim in _claims(text)]
    for row in row_of(text, *held)["claims"]:
        assert text.encode()[row["startPos"] : row["endPos"]].decode() == row["claimText"]
        assert text[row["startChar"] : row["endChar"]] == row["claimText"]


def test_flagged_words_are_placed_in_the_whole_text() -> None:
    one = claim_at(TEXT, "🦉 schläft.")
    spans = (Span(2, 9), Span(0, 1))
    (row,) = row_of(TEXT, Checked(verdict=verdict(one, Label.REFUTED, flagged=spans)))["claims"]
    assert [f["text"] for f in row["flagged"]] == ["🦉", "schläft"]
    for flagged in row["flagged"]:
        assert TEXT[flagged["startChar"] : flagged["endChar"]] == flagged["text"]
    (row,) = row_of(TEXT, Checked(verdict=verdict(one, flagged=spans)))["claims"]
    assert row["flagged"] == [], "a supported claim accuses no word"


def test_only_cited_facts_are_listed_each_once_by_its_index() -> None:
    facts = [_given(n, f"Fact {n}.") for n in range(4)]
    claims = [claim_at("A is. B is. C is.", words) for words in ("A is.", "B is.", "C is.")]
    row = row_of(
        "A is. B is. C is.",
        Checked(verdict=verdict(claims[0]), supporting=(3, 1)),
        Checked(verdict=verdict(claims[1], Label.NOT_ENOUGH_INFO)),
        Checked(verdict=verdict(claims[2]), supporting=(1,)),
        passages=facts,
        attributes=[{"author": str(n)} for n in range(4)],
    )
    assert row["citedChunks"] == [
        {
            "chunkText": "Fact 3.",
            "source": "3",
            "sourceMetadata": {"author": "3"},
            "document": None,
        },
        {
            "chunkText": "Fact 1.",
            "source": "1",
            "sourceMetadata": {"author": "1"},
            "document": None,
        },
    ]
    assert [c["citationIndices"] for c in row["claims"]] == [[0, 1], [], [1]]


def test_a_passage_names_its_document_and_version() -> None:
    passage = evidence("Meals are paid. Hotels are paid.", start=100)
    quote = Quote(evidence=0, span=Span(116, 132), text="Hotels are paid.")
    held = Checked(
        verdict=verdict(claim_at("Hotels.", "Hotels."), quotes=(quote,)), supporting=(0,)
    )
    row = row_of("Hotels.", held, passages=[passage])
    (chunk,) = row["citedChunks"]
    version = passage.source.version
    assert (chunk["source"], chunk["sourceMetadata"]) == ("doc_a", {})
    assert chunk["document"]["url"] == f"/s/doc_a/{version}#char=100,132"
    assert (chunk["document"]["startChar"], chunk["document"]["endChar"]) == (100, 132)
    assert chunk["document"]["confirmedAt"].startswith(NOW.isoformat()[:19])
    (claim,) = row["claims"]
    assert claim["quotes"] == [{
        "source": "doc_a", "version": version, "text": "Hotels are paid.", "startChar": 116,
        "endChar": 132, "url": f"/s/doc_a/{version}#char=116,132",
    }]  # fmt: skip


def test_a_quote_of_a_given_fact_counts_in_that_fact() -> None:
    fact = "Für 🦉: Käse kostet 4 €."
    quote = Quote(evidence=0, span=Span(7, 23), text=Span(7, 23).of(fact))
    one = claim_at(TEXT, "Käse kostet 4 €.")
    (row,) = row_of(
        TEXT, Checked(verdict=verdict(one, quotes=(quote,))), passages=[_given(0, fact)]
    )["claims"]
    assert row["quotes"] == [{
        "source": "0", "version": None, "url": None, "text": "Käse kostet 4 €.",
        "startChar": 7, "endChar": 23,
    }]  # fmt: skip


@pytest.mark.parametrize("scores", [True, False])
def test_scores_are_left_out_unless_asked_for(scores: bool) -> None:
    asked = claim_at(TEXT, "Wirklich?", ClaimKind.QUESTION)
    held = (
        Checked(verdict=verdict(claim_at(TEXT, "🦉 schläft."))),
        Checked(verdict=verdict(asked, Label.NOT_ENOUGH_INFO, score=0.0)),
    )
    rows = row_of(TEXT, *held, scores=scores)["claims"]
    assert [r.get("score") for r in rows] == [0.8 if scores else None, None]
    assert "score" not in rows[1]


def test_what_asserts_nothing_was_not_checked() -> None:
    asked = claim_at(TEXT, "Wirklich?", ClaimKind.QUESTION)
    row = row_of(TEXT, Checked(verdict=verdict(asked, Label.NOT_ENOUGH_INFO)))
    (claim,) = row["claims"]
    assert (claim["groundingCheckRequired"], claim["kind"]) == (False, "question")
    assert (claim["label"], claim["citationIndices"]) == ("unchecked", [])
    assert row["supportScore"] == 0.0


def test_the_reason_is_the_first_step_that_did_not_pass() -> None:
    one = claim_at(TEXT, "🦉 schläft.")
    (row,) = row_of(TEXT, Checked(verdict=verdict(one, Label.REFUTED)))["claims"]
    assert row["reason"] == {"step": 7, "name": "entailed", "detail": "too little"}
    assert [c["step"] for c in row["checks"]] == list(range(8))
    (row,) = row_of(TEXT, Checked(verdict=verdict(one)))["claims"]
    assert row["reason"] is None


def test_policy_and_judge_are_named() -> None:
    row = row_of(TEXT)
    assert row["policy"] == {
        "threshold": 0.5, "calibratedThreshold": 0.5, "calibration": BrokenJudge.calibration
    }  # fmt: skip
    assert row["models"] == {"judge": {"name": "broken", "digest": BrokenJudge.digest}}
