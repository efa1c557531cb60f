"""The checklist: each step failing alone, and the first failure naming the verdict."""

from dataclasses import replace

import pytest
from support.making import MEALS, TEXT, claim, evidence, judgement, known

from rag.answer.verification import Known, cited_text, verify_claims
from rag.domain.claim import (
    Claim,
    Judgement,
    Label,
    Outcome,
    Pointer,
    Step,
    Unchecked,
    Verdict,
)
from rag.domain.words import Span


def verdict(
    one: Claim | None = None,
    judged: Judgement | Unchecked | None = None,
    all_known: Known | None = None,
) -> Verdict:
    (found,) = verify_claims([one or claim()], [judged or judgement()], all_known or known())
    return found


def assert_fails_at(found: Verdict, step: Step, label: Label = Label.NOT_ENOUGH_INFO) -> None:
    """It fails at `step`, passes all before, and checks nothing after."""
    assert [c.step for c in found.checks] == list(Step)[:-1]
    for check in found.checks:
        if check.step < step:
            assert check.outcome is Outcome.PASSED, check
        elif check.step == step:
            assert check.outcome is not Outcome.PASSED
            assert check.detail
        else:
            assert check.outcome is Outcome.NOT_CHECKED
    assert found.reason is not None
    assert found.reason.step is step
    assert found.label is label
    assert not found.supported
    assert found.quotes == ()


def test_what_passes_every_step_is_supported_and_quoted() -> None:
    found = verdict()
    assert {c.outcome for c in found.checks} == {Outcome.PASSED}
    assert (found.label, found.reason, found.score) == (Label.SUPPORTED, None, 0.9)
    (quote,) = found.quotes
    assert quote.text == TEXT[MEALS.start : MEALS.end]
    assert quote.span == MEALS.shifted(100)
    assert found.checks[0].detail == "generation 7"


@pytest.mark.parametrize("number", [-1, 1, 99])
def test_step_1_evidence_that_was_not_shown(number: int) -> None:
    found = verdict(claim("Meals are refunded.", Pointer(evidence=number, span=None)))
    assert_fails_at(found, Step.SHOWN)


def test_step_1_one_citation_of_several_was_not_shown() -> None:
    pointers = (Pointer(evidence=0, span=None), Pointer(evidence=1, span=None))
    assert_fails_at(verdict(claim("Meals are refunded.", *pointers)), Step.SHOWN)


def test_step_2_a_chunk_that_is_not_current() -> None:
    assert_fails_at(verdict(all_known=known(current=False)), Step.CURRENT)


def test_step_2_one_chunk_of_several_is_not_current() -> None:
    all_known = known(evidence(), evidence("Other text.", chunk=2))
    half = replace(all_known.standing, current=frozenset({1}))
    pointers = (Pointer(evidence=0, span=None), Pointer(evidence=1, span=None))
    found = verdict(claim("Meals.", *pointers), all_known=replace(all_known, standing=half))
    assert_fails_at(found, Step.CURRENT)


def test_step_3_a_document_that_the_asker_may_not_read() -> None:
    assert_fails_at(verdict(all_known=known(permitted=False)), Step.PERMITTED)


@pytest.mark.parametrize(
    "span",
    [Span(99, 120), Span(150, 100 + len(TEXT) + 1), Span(0, 40), Span(100, 100), Span(900, 910)],
)
def test_step_4_a_span_outside_the_evidence(span: Span) -> None:
    found = verdict(claim("Meals are refunded.", Pointer(evidence=0, span=span)))
    assert_fails_at(found, Step.VERBATIM)


def test_step_4_other_words_than_those_at_the_span() -> None:
    span = MEALS.shifted(100)
    text = TEXT[MEALS.start : MEALS.end]
    for quote, supported in ((text, True), (text.replace("40", "50"), False), ("", False)):
        one = claim(text, Pointer(evidence=0, span=span, quote=quote))
        found = verdict(one)
        assert found.supported is supported
        if not supported:
            assert_fails_at(found, Step.VERBATIM)


def test_step_5_no_citation() -> None:
    found = verdict(replace(claim(), pointers=()))
    assert_fails_at(found, Step.CITED)


def test_step_5_what_asserts_nothing_is_not_supported() -> None:
    assert_fails_at(verdict(claim("Is it so?", asserts=False)), Step.CITED)


@pytest.mark.parametrize(
    "text",
    [
        "Meals are refunded up to 50 euros a day.",
        "Meals are refunded up to 40 dollars a day.",
        "Meals are not refunded up to 40 euros a day.",
        "Meals are refunded by Napoleon Brandtson up to 40 euros a day.",
        "Meals are refunded up to 40 euros a day since 3 May 2024.",
    ],
)
def test_step_6_facts_that_disagree_even_when_the_judge_is_sure(text: str) -> None:
    found = verdict(claim(text), judgement(p_supported=1.0, p_refuted=0.0))
    assert_fails_at(found, Step.AGREES)


def test_step_6_notes_what_may_not_refuse_alone() -> None:
    text = "Meals are refunded up to 50 euros a day."
    sure = judgement(p_supported=1.0, p_refuted=0.0)
    found = verdict(claim(text), sure, known(vetoes={"date", "name"}))
    assert found.supported
    (note,) = [c.detail for c in found.checks if c.step is Step.AGREES]
    assert note.startswith("noted: number: “50 euros”")
    assert_fails_at(verdict(claim(text), sure, known(vetoes={"number"})), Step.AGREES)


def test_step_6_a_name_in_title_or_section_agrees() -> None:
    shown = evidence("The limit is 40 euros a day.")
    found = verdict(claim("For Travel the limit is 40 euros a day."), all_known=known(shown))
    assert found.supported


def test_step_7_support_below_the_threshold() -> None:
    assert_fails_at(verdict(judged=judgement(p_supported=0.499)), Step.ENTAILED)
    assert verdict(judged=judgement(p_supported=0.5)).supported


def test_step_7_no_judgement_is_unchecked_and_never_a_pass() -> None:
    found = verdict(judged=Unchecked(reason="the judge was too slow"))
    assert_fails_at(found, Step.ENTAILED, Label.UNCHECKED)
    assert found.score == 0.0
    assert found.checks[-1].outcome is Outcome.NOT_CHECKED


def test_step_7_not_a_number_is_not_a_pass() -> None:
    assert not verdict(judged=judgement(p_supported=float("nan"))).supported


def test_an_unchecked_claim_that_fails_earlier_is_not_called_unchecked() -> None:
    found = verdict(replace(claim(), pointers=()), Unchecked(reason="x"))
    assert found.label is Label.NOT_ENOUGH_INFO


@pytest.mark.parametrize(
    ("p_supported", "p_refuted", "label"),
    [(0.1, 0.8, Label.REFUTED), (0.1, 0.4, Label.NOT_ENOUGH_INFO), (0.1, 0.5, Label.NOT_ENOUGH_INFO)],
)  # fmt: skip
def test_the_judge_names_a_refutation(p_supported: float, p_refuted: float, label: Label) -> None:
    assert verdict(judged=judgement(p_supported, p_refuted)).label is label


def test_verdicts_come_in_the_order_of_claims() -> None:
    claims = [claim("Meals are refunded."), replace(claim("Hotels are refunded."), pointers=())]
    found = verify_claims(claims, [judgement(), judgement()], known())
    assert [v.claim for v in found] == claims
    assert [v.supported for v in found] == [True, False]
    assert verify_claims([], [], known()) == ()


def test_a_judgement_too_few_is_a_bug_of_the_caller() -> None:
    with pytest.raises(ValueError, match="argument"):
        verify_claims([claim(), claim()], [judgement()], known())


def test_a_given_quotation_is_quoted_and_not_the_judges_choice() -> None:
    span = Span(141, 100 + len(TEXT))
    one = claim("Hotels are refunded up to 150 euros a night.", Pointer(evidence=0, span=span))
    (quote,) = verdict(one, judgement(span=MEALS)).quotes
    assert (quote.span, quote.text) == (span, TEXT[41:])


def test_without_a_judged_span_the_first_sentence_is_quoted() -> None:
    (quote,) = verdict(judged=judgement(span=Span(0, 0))).quotes
    assert quote.text == TEXT[:40]


def test_of_several_passages_each_gives_its_own_quotation() -> None:
    other = evidence("Hotels are paid. And more.", chunk=2, document="doc_b", start=5)
    pointers = (Pointer(evidence=0, span=None), Pointer(evidence=1, span=None))
    quotes = verdict(
        claim("Meals are refunded.", *pointers), all_known=known(evidence(), other)
    ).quotes
    assert [q.text for q in quotes] == [TEXT[:40], "Hotels are paid."]
    assert quotes[1].span == Span(5, 21)


def test_the_judge_reads_each_cited_passage_once_and_only_those_shown() -> None:
    shown = (evidence("One."), evidence("Two.", chunk=2))
    pointers = [Pointer(evidence=i, span=None) for i in (1, 0, 1, -1, 2)]
    assert cited_text(replace(claim(), pointers=tuple(pointers)), shown) == "Two.\n\nOne."
