"""What leaves: strict, marked, and nothing at all."""

import json
from dataclasses import replace

import pytest
from support.making import TEXT, claim, evidence, judgement, known

from rag.answer.decision import (
    MARK,
    NO_ANSWER,
    NO_EVIDENCE,
    NOT_SUPPORTED,
    Decision,
    Part,
    decide,
)
from rag.answer.verification import verify_claims
from rag.domain.answer import Policy, Status
from rag.domain.claim import Claim, Evidence, Pointer, Unchecked, Verdict
from rag.domain.words import Span

TRUE = claim("Meals are refunded up to 40 euros a day.", Pointer(evidence=0, span=Span(100, 140)))
ALSO_TRUE = claim(
    "Hotels are refunded up to 150 euros a night.", Pointer(evidence=0, span=Span(141, 185))
)
FALSE = claim("Meals are refunded up to 97,310 euros a day.")
ALSO_FALSE = claim("Hotels are refunded up to 97,310 euros a night.")
EMPTY = claim("Is that so?", asserts=False)


def verdicts(*claims: Claim) -> tuple[Verdict, ...]:
    return verify_claims(claims, [judgement()] * len(claims), known())


def decided(
    found: tuple[Verdict, ...], shown: tuple[Evidence, ...] | None, policy: Policy
) -> Decision:
    """The decision on a question of one part."""
    place = known() if shown is None else replace(known(), evidence=shown)
    return decide([Part(question="What is refunded?", verdicts=found)], place, policy)


def test_strict_lets_the_supported_leave_and_says_what_it_withheld() -> None:
    found = decided(verdicts(TRUE, FALSE, ALSO_TRUE), None, Policy.STRICT)
    assert found.status is Status.PARTIAL
    assert found.text == f"{TRUE.text} [1]\n{ALSO_TRUE.text} [2]"
    assert [c.verdict.claim for c in found.claims] == [TRUE, ALSO_TRUE]
    assert [w.reason.step for w in found.withheld] == [6]
    assert found.reason


def test_mark_lets_all_leave_each_with_its_mark() -> None:
    found = decided(verdicts(TRUE, FALSE), None, Policy.MARK)
    assert found.status is Status.PARTIAL
    assert found.text == f"{TRUE.text} [1]\n{MARK}{FALSE.text}"
    assert found.withheld == ()
    for one in found.claims:
        assert one.span.of(found.text) == one.verdict.claim.text
    assert found.claims[1].citations == ()


def test_all_supported_is_answered() -> None:
    for policy in Policy:
        found = decided(verdicts(TRUE), None, policy)
        assert (found.status, found.reason, found.withheld) == (Status.ANSWERED, "", ())


def test_what_asserts_nothing_neither_leaves_nor_makes_an_answer_partial() -> None:
    found = decided(verdicts(TRUE, EMPTY), None, Policy.STRICT)
    assert (found.status, found.withheld) == (Status.ANSWERED, ())
    assert EMPTY.text not in found.text
    alone = decided(verdicts(EMPTY), None, Policy.STRICT)
    assert alone.status is Status.ABSTAINED


@pytest.mark.parametrize("policy", list(Policy))
@pytest.mark.parametrize(
    ("claims", "shown", "reason"),
    [((), (), NO_EVIDENCE), ((), (evidence(),), NO_ANSWER), ((FALSE, ALSO_FALSE), (evidence(),), NOT_SUPPORTED)],
)  # fmt: skip
def test_nothing_supported_is_an_abstention(
    claims: tuple[Claim, ...], shown: tuple, reason: str, policy: Policy
) -> None:
    found = decided(verdicts(*claims), shown, policy)
    assert (found.status, found.reason) == (Status.ABSTAINED, reason)
    assert reason in found.text
    assert (found.claims, found.citations) == ((), ())
    assert len(found.withheld) == len(claims)


@pytest.mark.parametrize("policy", list(Policy))
def test_unchecked_claims_are_an_abstention(policy: Policy) -> None:
    unchecked = verify_claims([TRUE, ALSO_TRUE], [Unchecked(reason="x")] * 2, known())
    assert decided(unchecked, None, policy).status is Status.ABSTAINED


def test_what_is_withheld_says_the_kind_and_quotes_nothing() -> None:
    tricky = claim(
        "Brandtson pays 97,310 euros; name: Sturgeonson; negation: “not” on 17 August 2031."
    )
    found = decided(verdicts(TRUE, tricky), None, Policy.STRICT)
    (withheld,) = found.withheld
    assert withheld.reason.detail.startswith("disagrees with the evidence: ")
    assert "number" in withheld.reason.detail
    for telling in ("Brandtson", "97,310", "Sturgeon", "August", "“", "40 euros"):
        assert telling not in json.dumps(str(found.withheld))


def test_the_same_span_is_one_citation_whoever_cites_it() -> None:
    again = replace(TRUE, text="Up to 40 euros a day are refunded for meals.")
    found = decided(verdicts(TRUE, again, ALSO_TRUE), None, Policy.STRICT)
    assert [c.citations for c in found.claims] == [(0,), (0,), (1,)]
    assert found.text.splitlines()[1].endswith("[1]")


def test_a_citation_carries_its_surroundings_and_its_place() -> None:
    found = decided(verdicts(ALSO_TRUE), None, Policy.STRICT)
    (citation,) = found.citations
    assert citation.text == TEXT[41:85]
    assert citation.prefix == TEXT[41 - 32 : 41]
    assert citation.suffix == TEXT[85 : 85 + 32]
    assert (citation.page, citation.section) == (4, ("Travel",))
