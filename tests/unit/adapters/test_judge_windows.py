"""Windows of the evidence, and what is marked on the tokens."""

import itertools
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rag.adapters.judge.marks import (
    CLAIM_TOKENS_MAX,
    TOKENS_MAX,
    ClaimTooLong,
    Mark,
    encode,
)
from rag.adapters.windows import WINDOW_WORDS, windows
from rag.domain.facts import agreement
from rag.domain.words import word_spans

FILLER = "The canteen serves lunch from noon to two. Guests pay at the counter. "
LEAVE = "Annual leave is 30 days for everyone in the office."
CARRY = "Unused leave may be carried over until the end of March."
LONG = f"{FILLER * 6}{LEAVE} {FILLER * 6}{CARRY} {FILLER * 6}"


def even(_: str) -> float:
    return 1.0


def tokenise(text: str) -> tuple[Sequence[int], Sequence[tuple[int, int]]]:
    """Words as tokens: enough to see which mark goes where."""
    spans = word_spans(text)
    return [1_000 + len(s) for s in spans], [(s.start, s.end) for s in spans]


def marks(claim: str, context: str, window: str) -> list[tuple[str, Mark]]:
    """The claim's tokens with their marks."""
    one = encode(claim, context, window, agreement(claim, window), tokenise)
    return [
        (span.of(claim), Mark(int(mark)))
        for span, mark in zip(one.claim_spans, one.marks[1:], strict=False)
    ]


def test_evidence_that_fits_is_one_window() -> None:
    (one,) = windows("Leave is 30 days.", f"{LEAVE} {CARRY}", even, 3)
    assert one.text == f"{LEAVE} {CARRY}"


def test_a_window_gathers_what_the_claim_needs_in_source_order() -> None:
    claim = "Unused leave may be carried over, and annual leave is 30 days."
    first, *_ = windows(claim, LONG, even, 3)
    assert first.text.index(LEAVE) < first.text.index(CARRY)
    assert len(word_spans(first.text)) <= WINDOW_WORDS
    assert all(span.of(LONG).strip() in first.text for span in first.spans)


def test_windows_do_not_overlap_and_none_is_read_without_cause() -> None:
    twice = f"{LEAVE} {FILLER * 8} In the plant annual leave is 33 days for everyone. {FILLER * 8}"
    found = windows("Annual leave is 33 days for everyone in the plant.", twice, even, 3)
    assert 1 < len(found) <= 3
    spans = sorted((s.start, s.end) for w in found for s in w.spans)
    assert all(a[1] <= b[0] for a, b in itertools.pairwise(spans))
    assert len(windows("Zebras graze in Kenya.", twice, even, 3)) == 1


def test_a_passage_without_full_stops_is_cut_at_words() -> None:
    endless = "some words follow " * 80 + "annual leave is thirty days " + "and more follow " * 80
    first, *_ = windows("annual leave is thirty days", endless, even, 2)
    assert "annual leave is thirty days" in first.text
    assert len(word_spans(first.text)) <= WINDOW_WORDS


@given(st.text(alphabet="ab. \n1A|*é🦉", max_size=300), st.integers(1, 3))
def test_window_spans_are_of_the_evidence(evidence: str, limit: int) -> None:
    found = windows("ab a1 A é", evidence, even, limit)
    assert len(found) <= limit
    for window in found:
        assert all(span.of(evidence) for span in window.spans)


def test_marks_tell_shared_asked_alone_and_disagreeing_words() -> None:
    found = dict(marks("The leave is 31 days says Petra.", "How long is the leave? Petra", LEAVE))
    assert found["The"] is Mark.CLAIM
    assert found["leave"] is Mark.CLAIM_SHARED
    assert found["31"] is Mark.CLAIM_DISAGREES
    assert dict(marks("Leave for pilots", "pilots", LEAVE))["pilots"] is Mark.CLAIM_ASKED
    assert dict(marks("Leave for pilots", "", LEAVE))["pilots"] is Mark.CLAIM_ALONE


def test_a_fact_that_agrees_is_shared_however_it_is_written() -> None:
    found = dict(marks("Leave is thirty days", "", LEAVE))
    assert found["thirty"] is Mark.CLAIM_SHARED


STAFF = (
    "Petra Vogel leads the plant in Ulm and signs the contracts. The canteen is open to guests at"
    " noon every day of the week. Amir Haddad keeps the books of the office in Graz."
)


def test_words_that_stand_elsewhere_than_the_claim_puts_them_are_apart() -> None:
    right = dict(marks("Petra Vogel leads the plant in Ulm.", "", STAFF))
    wrong = dict(marks("Amir Haddad leads the plant in Ulm.", "", STAFF))
    assert {right[w] for w in ("Petra", "Vogel", "leads", "plant", "Ulm")} == {Mark.CLAIM_SHARED}
    assert wrong["Haddad"] is Mark.CLAIM_APART
    assert wrong["plant"] is Mark.CLAIM_SHARED


def test_a_shared_word_alone_is_not_apart_from_anything() -> None:
    assert dict(marks("Ulm sparkles.", "", STAFF))["Ulm"] is Mark.CLAIM_SHARED


def test_claim_and_limits_of_length() -> None:
    context, window = "why " * 300, "because " * 400
    one = encode("Leave is 30 days.", context, window, agreement("a", "b"), tokenise)
    assert len(one.ids) <= TOKENS_MAX
    assert len(one.ids) == len(one.marks)
    with pytest.raises(ClaimTooLong):
        encode("word " * (CLAIM_TOKENS_MAX + 1), "", window, agreement("a", "b"), tokenise)
