"""Texts of others: which passages a claim is held against, and what then counts."""

import asyncio
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import pytest
from support.making import EVERY_KIND

from rag.answer import checking
from rag.answer.checking import Checked, CheckedText, CheckLimits, check_against_facts
from rag.domain.claim import ClaimKind, Judgement, JudgePair, Label, Step, Unchecked
from rag.domain.errors import ModelUnavailable
from rag.domain.ids import digest_text
from rag.domain.words import Span, content_stems
from rag.testing.fakes import BrokenJudge

MEALS = "Meals are refunded up to 40 euros a day."
HOTEL = "Hotels are refunded up to 150 euros a night."
BOTH = "Meals are refunded up to 40 euros a day and hotels up to 150 euros a night."
CATS = "Cats sleep all afternoon."
LIMITS = CheckLimits(timeout_s=5.0, vetoes=EVERY_KIND)


def by_words(pair: JudgePair) -> Judgement:
    """Sure of a claim whose every word stands in the evidence."""
    missing = set(content_stems(pair.claim)) - set(content_stems(pair.evidence))
    return Judgement(
        p_supported=0.1 if missing else 0.9, p_refuted=0.05, flagged=(), evidence_span=Span(0, 0)
    )


class WordJudge:
    """Judges by `give`, and remembers what it was asked."""

    name = "words"
    digest = digest_text("words")
    threshold = 0.5
    calibration: Mapping[str, str | float] = {"risk": 0.05, "set": "none"}

    def __init__(self, give: Callable[[JudgePair], Judgement | Unchecked] = by_words) -> None:
        self._give = give
        self.asked: list[JudgePair] = []

    async def judge(self, pairs: Sequence[JudgePair]) -> Sequence[Judgement | Unchecked]:
        self.asked += pairs
        return [self._give(pair) for pair in pairs]

    async def ping(self) -> None:
        """Always there."""


async def checked(
    text: str, *facts: str, judge: Any = None, limits: CheckLimits = LIMITS, question: str = ""
) -> CheckedText:
    return await check_against_facts(text, facts, judge or WordJudge(), limits, question)


async def one(text: str, *facts: str, judge: Any = None, limits: CheckLimits = LIMITS) -> Checked:
    (found,) = (await checked(text, *facts, judge=judge, limits=limits)).claims
    return found


def step_of(found: Checked) -> Step | None:
    return found.verdict.reason.step if found.verdict.reason else None


# --- what supports ----------------------------------------------------------------------------------


async def test_a_fact_supports_the_claim_that_it_says() -> None:
    found = await one(MEALS, CATS, MEALS)
    assert (found.verdict.label, found.supporting, found.closest) == (Label.SUPPORTED, (1,), ())
    assert [(q.evidence, q.text) for q in found.verdict.quotes] == [(1, MEALS)]


async def test_every_fact_that_supports_it_alone_is_cited_and_quoted() -> None:
    found = await one(MEALS, MEALS, CATS, f"Much is paid. {MEALS}")
    assert set(found.supporting) == {0, 2}
    assert [(q.evidence, q.text) for q in found.verdict.quotes] == [(0, MEALS), (2, MEALS)]


async def test_facts_that_support_only_together_are_cited_together() -> None:
    judge = WordJudge()
    found = await one(BOTH, f"Much is paid. {HOTEL}", CATS, MEALS, judge=judge)
    assert found.verdict.supported
    assert found.supporting == (0, 2), "the one that adds nothing is not cited"
    assert [(q.evidence, q.text) for q in found.verdict.quotes] == [(0, HOTEL), (2, MEALS)]
    assert judge.asked[-1].evidence == f"Much is paid. {HOTEL}\n\n{MEALS}"


async def test_they_are_read_together_also_where_the_judge_is_sure_of_one_that_lacks_a_figure() -> (
    None
):
    sure = WordJudge(lambda pair: replace(by_words(pair), p_supported=0.9))
    found = await one(BOTH, HOTEL, MEALS, judge=sure)
    assert found.verdict.supported
    assert found.supporting == (0, 1)


async def test_facts_that_do_not_support_together_either() -> None:
    found = await one(BOTH.replace("150", "160"), HOTEL, MEALS)
    assert not found.verdict.supported
    assert found.supporting == ()


async def test_only_the_nearest_passages_are_read() -> None:
    judge = WordJudge()
    others = [f"Meals are refunded up to {n + 50} euros a day." for n in range(30)]
    found = await one(MEALS, *others, MEALS, judge=judge)
    assert found.supporting == (30,)
    assert len(judge.asked) == checking.PASSAGES_MAX
    assert judge.asked[0].evidence == MEALS


async def test_what_shares_next_to_nothing_is_not_read() -> None:
    judge = WordJudge()
    await one(MEALS, "Desks have lamps all day.", MEALS, CATS, judge=judge)
    assert [p.evidence for p in judge.asked] == [MEALS]


async def test_the_number_of_a_fact_is_no_evidence() -> None:
    sure = WordJudge(lambda pair: replace(by_words(pair), p_supported=1.0))
    found = await one("Drivers get 2 days off.", CATS, "Drivers get days off.", judge=sure)
    assert step_of(found) is Step.AGREES


async def test_the_callers_threshold_goes_before_the_judges() -> None:
    for threshold, label in ((0.9, Label.SUPPORTED), (0.95, Label.NOT_ENOUGH_INFO)):
        limits = CheckLimits(timeout_s=5.0, threshold=threshold)
        whole = await checked(MEALS, MEALS, limits=limits)
        assert (whole.claims[0].verdict.label, whole.threshold) == (label, threshold)
    assert (await checked(MEALS, MEALS)).threshold == WordJudge.threshold


async def test_question_and_claim_before_explain() -> None:
    judge = WordJudge()
    await checked(f"{MEALS} {HOTEL}", MEALS, judge=judge, question="What is paid?")
    assert {p.claim: p.context for p in judge.asked} == {
        MEALS: "What is paid?", HOTEL: f"What is paid?\n{MEALS}"
    }  # fmt: skip


# --- what does not ----------------------------------------------------------------------------------


async def test_with_nothing_to_hold_it_against_nothing_is_supported() -> None:
    judge = WordJudge()
    found = await one(MEALS, judge=judge)
    assert (found.verdict.label, found.closest) == (Label.NOT_ENOUGH_INFO, ())
    assert found.verdict.reason is not None
    assert found.verdict.reason.detail == "there is nothing to hold it against"
    assert not judge.asked


async def test_what_asserts_nothing_is_not_checked() -> None:
    judge = WordJudge()
    text = (
        f"# Refunds\n\nHere is what I found:\n\n{MEALS} Is that enough? I do not know about cats."
    )
    whole = await checked(text, MEALS, judge=judge)
    kinds = [c.verdict.claim.kind for c in whole.claims]
    assert kinds == [
        ClaimKind.HEADING, ClaimKind.REMARK, ClaimKind.ASSERTION, ClaimKind.QUESTION,
        ClaimKind.ABSTENTION,
    ]  # fmt: skip
    assert {p.claim for p in judge.asked} == {MEALS}
    assert [c.verdict.supported for c in whole.claims] == [False, False, True, False, False]
    assert whole.holds


async def test_a_reservation_is_checked_like_any_assertion() -> None:
    found = await one("Perhaps cats are blue.", CATS)
    assert (found.verdict.claim.kind, found.verdict.supported) == (ClaimKind.HEDGED, False)


async def test_an_unsupported_claim_shows_what_came_closest() -> None:
    found = await one("Meals are refunded up to 50 euros a day.", CATS, f"It is so. {MEALS}")
    assert step_of(found) is Step.AGREES
    assert [(q.evidence, q.text, q.span) for q in found.closest] == [
        (1, MEALS, Span(10, 10 + len(MEALS)))
    ]


async def test_nothing_is_close_that_shares_no_word() -> None:
    found = await one("Fish swims.", CATS)
    assert (found.verdict.supported, found.closest) == (False, ())


def denying(pair: JudgePair) -> Judgement:
    """Sure that meals are denied by whatever it is shown, most by cats."""
    return Judgement(
        p_supported=0.3 if "Hotels" in pair.evidence else 0.1,
        p_refuted=0.9 if "Cats" in pair.evidence else 0.6 if "Meals" in pair.evidence else 0.0,
        flagged=(),
        evidence_span=Span(0, len(pair.evidence)),
    )


async def test_what_denies_it_goes_before_what_supports_it_a_little() -> None:
    found = await one("Meals are refunded.", HOTEL, MEALS, judge=WordJudge(denying))
    assert found.verdict.label is Label.REFUTED
    assert [q.text for q in found.closest] == [MEALS]


async def test_what_shares_no_word_with_a_claim_does_not_deny_it() -> None:
    found = await one("Meals are refunded.", CATS, judge=WordJudge(denying))
    assert (found.verdict.label, found.closest) == (Label.NOT_ENOUGH_INFO, ())


# --- what could not be checked ----------------------------------------------------------------------


def losing(pairs: Sequence[JudgePair]) -> list[Judgement]:
    return [by_words(p) for p in pairs[:-1]]


class BatchJudge(WordJudge):
    """Answers whole batches by a function of them."""

    def __init__(self, give: Callable[[Sequence[JudgePair]], Any]) -> None:
        super().__init__()
        self._batch = give

    async def judge(self, pairs: Sequence[JudgePair]) -> Sequence[Judgement | Unchecked]:
        self.asked += pairs
        return list(self._batch(pairs))


@pytest.mark.parametrize(
    "judge",
    [
        pytest.param(lambda: BrokenJudge(), id="fails"),
        pytest.param(lambda: BrokenJudge(hangs=True), id="hangs"),
        pytest.param(lambda: BatchJudge(losing), id="loses_count"),
        pytest.param(lambda: WordJudge(lambda p: Unchecked(reason="too long")), id="cannot"),
        *(
            pytest.param(lambda w=wrong: WordJudge(lambda p: replace(by_words(p), **w)), id=str(n))
            for n, wrong in enumerate((
                {"p_supported": math.nan}, {"p_supported": math.inf}, {"p_supported": 1.5},
                {"p_refuted": math.nan}, {"evidence_span": Span(0, 999)},
                {"flagged": (Span(5, 999),)},
            ))
        ),
    ],
)  # fmt: skip
async def test_unchecked_never_passes(judge: Callable[[], Any]) -> None:
    limits = CheckLimits(timeout_s=0.3)
    whole = await checked(f"{MEALS} {HOTEL}", MEALS, HOTEL, judge=judge(), limits=limits)
    assert [c.verdict.label for c in whole.claims] == [Label.UNCHECKED] * 2
    assert [c.supporting for c in whole.claims] == [(), ()]
    assert (whole.support, whole.holds) == (0.0, False)


async def test_what_was_judged_in_time_stays_judged(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checking, "BATCH", 2)

    class Tiring(WordJudge):
        async def judge(self, pairs: Sequence[JudgePair]) -> Sequence[Judgement | Unchecked]:
            if len(self.asked) >= 2:
                await asyncio.Event().wait()
            return await super().judge(pairs)

    judge = Tiring()
    limits = CheckLimits(timeout_s=0.5)
    facts = (MEALS, HOTEL, CATS)
    whole = await checked(f"{MEALS} {HOTEL} {CATS}", *facts, judge=judge, limits=limits)
    labels = [c.verdict.label for c in whole.claims]
    assert labels == [Label.SUPPORTED, Label.SUPPORTED, Label.UNCHECKED]
    # Each against its nearest first: the two that were read are two different claims.
    assert [p.claim for p in judge.asked] == [MEALS, HOTEL]


async def test_without_time_the_judge_is_not_asked() -> None:
    judge = WordJudge()
    found = await one(MEALS, MEALS, judge=judge, limits=CheckLimits(timeout_s=0.0))
    assert (found.verdict.label, judge.asked) == (Label.UNCHECKED, [])
    assert found.verdict.reason is not None
    assert found.verdict.reason.detail == "there was no time left for it"


async def test_a_passage_that_was_not_read_is_not_called_a_lack_of_evidence() -> None:
    def first_only(pair: JudgePair) -> Judgement | Unchecked:
        return by_words(pair) if pair.evidence == HOTEL else Unchecked(reason="too long")

    found = await one("Hotels are refunded quickly.", HOTEL, BOTH, judge=WordJudge(first_only))
    assert found.verdict.label is Label.UNCHECKED
    assert [q.text for q in found.closest] == [BOTH]


async def test_what_disagrees_needs_no_judge() -> None:
    found = await one(MEALS.replace("40", "70"), MEALS, judge=BrokenJudge())
    assert (found.verdict.label, step_of(found)) == (Label.NOT_ENOUGH_INFO, Step.AGREES)


async def test_a_bug_of_the_judge_is_not_swallowed() -> None:
    with pytest.raises(ZeroDivisionError):
        await checked(MEALS, MEALS, judge=BatchJudge(lambda pairs: [1 / 0]))


# --- the whole --------------------------------------------------------------------------------------


async def test_claims_keep_the_order_and_place_of_the_text() -> None:
    text = f"{HOTEL} {CATS}\n\n- {MEALS}\n- Fish is blue."
    whole = await checked(text, MEALS, HOTEL)
    assert [c.verdict.supported for c in whole.claims] == [True, False, True, False]
    places = [c.verdict.claim.span for c in whole.claims]
    assert places == sorted(places, key=lambda s: s.start)
    assert [s.of(text) for s in places] == [c.verdict.claim.text for c in whole.claims]
    assert [e.text for e in whole.passages] == [MEALS, HOTEL]


async def test_support_is_the_mean_over_what_asserts_and_nothing_for_the_unsupported() -> None:
    whole = await checked(f"Really? {MEALS} Cats are blue.", MEALS, CATS)
    assert (whole.support, whole.holds) == (pytest.approx(0.45), False)
    assert (await checked(MEALS, MEALS)).support == pytest.approx(0.9)


@pytest.mark.parametrize("text", ["", "   ", "Really?", "# Refunds"])
async def test_a_text_that_asserts_nothing_is_no_success(text: str) -> None:
    whole = await checked(text, MEALS)
    assert (whole.support, whole.holds) == (0.0, False)


async def test_a_judge_that_comes_back_is_asked_again() -> None:
    """Nothing is remembered from one check to the next."""
    calls = 0

    def failing_once(pairs: Sequence[JudgePair]) -> list[Judgement]:
        nonlocal calls
        calls += 1
        if calls == 1:
            raise ModelUnavailable("away")
        return [by_words(p) for p in pairs]

    judge = BatchJudge(failing_once)
    labels = [(await one(MEALS, MEALS, judge=judge)).verdict.label for _ in range(2)]
    assert labels == [Label.UNCHECKED, Label.SUPPORTED]
