"""Drafts become claims: every visible character in exactly one of them."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rag.answer.claims import kind_of, split_claims
from rag.domain.claim import ClaimKind, Draft, DraftPart, Pointer
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


def kinds(text: str) -> list[tuple[str, str]]:
    return [(c.kind.value, c.text) for c in split_claims(Draft(parts=(part(text),)))]


@pytest.mark.parametrize(
    ("sentence", "kind"),
    [
        ("Leave is 28 days.", "assertion"),
        ("No.", "assertion"),
        ("28 days", "assertion"),
        ("- **28 days** [1]", "assertion"),
        ("Fees: 40 euros:", "assertion"),
        ("Is leave 28 days?", "question"),
        ("“Is leave 28 days?”", "question"),
        ("…", "remark"),
        ("", "remark"),
        ("|---|:--|", "remark"),
        ("I hope this helps!", "remark"),
        ("Here is what I found:", "remark"),
        ("## Leave and absence", "heading"),
        ("The limits are:", "heading"),
        ("I cannot answer that.", "abstention"),
        ("The documents do not mention it.", "abstention"),
        ("Unfortunately, the provided context does not specify the amount.", "abstention"),
        ("There is no mention of parking.", "abstention"),
        ("Die Dokumente nennen dazu keinen Betrag.", "abstention"),
        ("The documents say that leave is 28 days.", "assertion"),
        ("The document does not expire.", "assertion"),
        ("I know that leave is 28 days.", "assertion"),
        ("Leave is probably 28 days.", "hedged"),
        # What only begins like a remark, a heading or an abstention says something all the same.
        ("Sure, the limit is 500 euros.", "assertion"),
        ("Here is the rule: all refunds are paid twice.", "assertion"),
        ("The sources do not mention a limit, so you may spend 900 euros.", "assertion"),
        ("Employees are entitled to unlimited paid leave:", "assertion"),
        ("# The director was dismissed", "assertion"),
        ("I think leave is 28 days.", "hedged"),
    ],
)
def test_sentences_are_treated_as_what_they_are(sentence: str, kind: str) -> None:
    assert kind_of(sentence) is ClaimKind(kind)


def test_lines_items_and_rows_are_claims() -> None:
    table = "| Country | Days |\n|---|---|\n| Germany | **30** |\n| France; Spain | 25 |"
    assert kinds(f"Leave differs.\n- Parental: 12 weeks\n{table}") == [
        ("assertion", "Leave differs."),
        ("assertion", "- Parental: 12 weeks"),
        ("heading", "| Country | Days |"),
        ("remark", "|---|---|"),
        ("assertion", "| Germany | **30** |"),
        ("assertion", "| France; Spain | 25 |"),
    ]


def test_a_sentence_splits_only_where_it_plainly_says_two_things() -> None:
    both = (
        "The annual leave is 30 days, and the carry-over limit is 5 days; nothing is paid out then."
    )
    assert [text for _, text in kinds(both)] == [
        "The annual leave is 30 days,",
        "and the carry-over limit is 5 days;",
        "nothing is paid out then.",
    ]
    for whole in (
        "Meals, hotels and trains are refunded, and taxis.",
        "The form asks for name, date, and the cost centre.",
        "Anna joined, and Bob left.",
    ):
        assert [text for _, text in kinds(whole)] == [whole]
