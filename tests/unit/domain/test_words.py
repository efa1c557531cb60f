"""Sentences and words as spans."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rag.domain.words import (
    Span,
    content_stems,
    content_words,
    sentence_spans,
    stem,
    word_spans,
    words,
)

# Text as it comes: sentences, abbreviations, lists, empty lines, other scripts.
PIECES = st.sampled_from(
    ["Dr. Who", "e.g. this", "e.g.", "It works.", "Does it?", "Yes!", "...", "…", "1.", "2. Step", "A. Smith",
     "3.5", "v2.1.0", "\n\n", "\n \t\n", "\n", " ", "  ", "\t", "”", "(end.)", "“Quoted.”", "z.B.", "lower",
     "Café", "🦉", "日本語。", "ß", "\u00a0", "a", "No.", "5", "U.S.", "don’t", "ABC-123", ".", "!", "?"]
)  # fmt: skip
TEXTS = st.one_of(st.lists(PIECES, max_size=30).map("".join), st.text(max_size=200))


def sentences(text: str) -> list[str]:
    return [span.of(text) for span in sentence_spans(text)]


@given(TEXTS)
@settings(max_examples=300, deadline=None)
def test_sentences_are_in_order_and_hold_every_visible_character_once(text: str) -> None:
    spans = sentence_spans(text)
    end = 0
    for span in spans:
        assert span.start >= end
        assert len(span) > 0
        assert span.of(text) == span.of(text).strip()
        assert text[end : span.start].strip() == ""
        end = span.end
    assert text[end:].strip() == ""


@given(TEXTS, st.data())
@settings(max_examples=200, deadline=None)
def test_sentences_of_a_part_lie_in_the_part(text: str, data: st.DataObject) -> None:
    start = data.draw(st.integers(0, len(text)))
    end = data.draw(st.integers(start, len(text)))
    spans = sentence_spans(text, start, end)
    assert all(start <= s.start < s.end <= end for s in spans)
    covered = "".join(text[s.start : s.end] for s in spans)
    assert "".join(covered.split()) == "".join(text[start:end].split())


@given(TEXTS)
@settings(max_examples=200, deadline=None)
def test_words_are_in_order_and_hold_every_letter_and_digit_once(text: str) -> None:
    end = 0
    for span in word_spans(text):
        assert span.start >= end
        assert len(span) > 0
        assert not any(c.isalnum() for c in text[end : span.start])
        end = span.end
    assert not any(c.isalnum() for c in text[end:])
    assert len(words(text)) == len(word_spans(text))
    assert set(content_words(text)) <= set(words(text))


@given(st.text(alphabet="abcdefghijklmnopqrstuvwxyz'-0123456789", max_size=20))
@settings(max_examples=300, deadline=None)
def test_a_stem_is_never_longer_and_never_too_short(word: str) -> None:
    found = stem(word)
    assert len(found) <= len(word)
    assert len(found) >= min(3, len(word.removesuffix("'s")))
    if any(c.isdigit() for c in word):
        assert found == word


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("One. Two! Three?", ["One.", "Two!", "Three?"]),
        ("Ask Dr. Meyer. He knows.", ["Ask Dr. Meyer.", "He knows."]),
        ("By J. Smith. Done.", ["By J. Smith.", "Done."]),
        ("Use e.g. Python. It works.", ["Use e.g. Python.", "It works."]),
        ("1. Open it. 2. Close it.", ["1. Open it.", "2. Close it."]),
        ("It costs 3.5 euros. Really.", ["It costs 3.5 euros.", "Really."]),
        ("He said “Stop.” Then he left.", ["He said “Stop.”", "Then he left."]),
        ("Wait... what? Now.", ["Wait... what?", "Now."]),
        ("A heading\n\nA paragraph", ["A heading", "A paragraph"]),
        ("One line\nand the next", ["One line\nand the next"]),
        ("", []),
        (" \n\n ", []),
    ],
)
def test_sentences_end_where_people_end_them(text: str, expected: list[str]) -> None:
    assert sentences(text) == expected


@pytest.mark.parametrize(
    ("one", "other"),
    [("policies", "policy"), ("booked", "book"), ("Refunds", "refund"), ("approval", "approval"),
     ("employees", "employee"), ("planning", "plan")],
)  # fmt: skip
def test_forms_of_a_word_meet(one: str, other: str) -> None:
    assert stem(one.casefold()) == stem(other)


def test_compounds_are_found_whole_and_by_their_parts() -> None:
    assert content_stems("full-time") == (stem("full-time"), stem("full"), stem("time"))
    assert words("ABC-123, v2.1 and don’t.") == ("abc-123", "v2.1", "and", "don't")


def test_a_span_is_half_open_and_never_backwards() -> None:
    span = Span(2, 5)
    assert (len(span), span.of("abcdef"), span.shifted(1)) == (3, "cde", Span(3, 6))
    assert span.overlaps(Span(4, 9))
    assert not span.overlaps(Span(5, 9))
    assert not span.overlaps(Span(0, 2))
    assert not Span(3, 3).overlaps(Span(0, 2))
    for start, end in ((3, 2), (-1, 2)):
        with pytest.raises(ValueError, match="not a span"):
            Span(start, end)
    with pytest.raises(ValueError, match="not a span"):
        span.shifted(-3)
