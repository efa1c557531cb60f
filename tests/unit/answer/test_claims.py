"""Drafts become claims: every visible character in exactly one of them."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rag.answer.claims import asserts_something, split_claims
from rag.domain.claim import Draft, DraftPart, Pointer
from rag.domain.words import Span


def part(text: str, *pointers: Pointer) -> DraftPart:
    return DraftPart(text=text, pointers=pointers)


HERE = Pointer(evidence=0, span=None)
TEXTS = st.text(alphabet=st.sampled_from("ab. !?\n’A1🦉"), max_size=60)


@given(st.lists(TEXTS, max_size=5), st.booleans())
@settings(deadline=None)
def test_no_text_is_passed_over(texts: list[str], quotes: bool) -> None:
    pointers = (Pointer(evidence=0, span=Span(0, 3)),) if quotes else (HERE,)
    draft = Draft(parts=tuple(part(text, *pointers) for text in texts))
    joined = "\n".join(texts)
    claims = split_claims(draft)
    end = 0
    for claim in claims:
        assert claim.span.of(joined) == claim.text
        assert claim.span.start >= end
        assert joined[end : claim.span.start].strip() == ""
        end = claim.span.end
    assert joined[end:].strip() == ""


def test_sentences_split_and_share_the_citations_of_their_part() -> None:
    claims = split_claims(Draft(parts=(part("One is. Two is.", HERE), part("Three is."))))
    assert [(c.text, c.pointers) for c in claims] == [
        ("One is.", (HERE,)),
        ("Two is.", (HERE,)),
        ("Three is.", ()),
    ]


def test_a_quotation_stays_whole() -> None:
    quote = Pointer(evidence=0, span=Span(5, 20))
    (claim,) = split_claims(Draft(parts=(part("One is. Two is.", quote),)))
    assert claim.text == "One is. Two is."


def test_an_empty_draft_has_no_claims() -> None:
    assert split_claims(Draft(parts=())) == ()
    assert split_claims(Draft(parts=(part(""), part("  \n ")))) == ()


@pytest.mark.parametrize(
    ("sentence", "asserts"),
    [
        ("Leave is 28 days.", True),
        ("No.", True),
        ("28 days", True),
        ("Is leave 28 days?", False),
        ("…", False),
        ("", False),
        ("I cannot answer that.", False),
        ("The documents do not mention it.", False),
        ("The documents say that leave is 28 days.", True),
        ("The document does not expire.", True),
        ("I know that leave is 28 days.", True),
    ],
)
def test_what_can_be_true_or_false_asserts(sentence: str, asserts: bool) -> None:
    assert asserts_something(sentence) is asserts
