"""Drafts that fail, drafts that lie, and what a revision may mend."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace

import pytest
from support.making import claim, evidence, judgement, known

from rag.answer.drafting import GENERATOR, draft_parts, repointed, revise_parts
from rag.answer.gathering import Gathered, ReadingOptions, read
from rag.answer.judging import Bench, Judged, JudgedParts
from rag.answer.planning import plan_question
from rag.domain.budget import Allowance, Usage
from rag.domain.claim import (
    Claim,
    Draft,
    DraftPart,
    Evidence,
    Judgement,
    JudgePair,
    Pointer,
    Refused,
    Unchecked,
)
from rag.domain.errors import ModelUnavailable
from rag.domain.ids import digest_text
from rag.domain.reading import AnswerSpan, Passage, PassageReading
from rag.domain.words import Span
from rag.testing.fakes import ScriptedGenerator, saying

MEALS = "Meals are refunded up to 40 euros a day."
LIE = "Meals are refunded up to 97,310 euros a day."
ALLOWED = Allowance(seconds=5.0, tokens=1_000)
PLAN = plan_question("What is refunded for meals?")


def found(*passages: Evidence) -> Gathered:
    shown = passages or (evidence(),)
    return Gathered(evidence=shown, shown=(tuple(range(len(shown))),), n_hits=len(shown))


class Truthful:
    """A judge that believes what stands word for word in the evidence."""

    name, digest, threshold = "truthful", digest_text("truthful"), 0.5
    calibration: dict[str, str | float] = {}  # noqa: RUF012 - never written

    async def judge(self, pairs: Sequence[JudgePair]) -> Sequence[Judgement]:
        return [judgement(0.9 if p.claim in p.evidence else 0.1) for p in pairs]

    async def ping(self) -> None: ...


class Revising(ScriptedGenerator):
    """Revises as it is told, and remembers what it was asked to mend."""

    def __init__(self, *parts: DraftPart, fails: bool = False) -> None:
        super().__init__(lambda question, shown: Draft(parts=()))
        self._parts, self._fails = parts, fails
        self.asked: list[Refused] = []

    async def revise(
        self, question: str, evidence: Sequence[Evidence], refused: Sequence[Refused],
        allowance: Allowance,
    ) -> Draft:  # fmt: skip
        self.asked += refused
        if self._fails:
            raise ModelUnavailable("away")
        return Draft(parts=self._parts, usage=Usage(calls=1, tokens_in=10, tokens_out=5))


def citing(text: str) -> DraftPart:
    return DraftPart(text=text, pointers=(Pointer(evidence=0, span=None),))


def failing(question: str, shown: Sequence[Evidence]) -> Draft:
    raise ModelUnavailable("away")


async def drafted(generator: ScriptedGenerator, fallback: ScriptedGenerator | None) -> tuple:
    done = await draft_parts(PLAN, found(), generator, fallback, ALLOWED)
    return [p.text for d in done.drafts for p in d.parts], done.degraded


async def test_a_generator_that_fails_gives_way_to_the_fallback() -> None:
    assert await drafted(saying(MEALS), None) == ([MEALS], ())
    assert await drafted(ScriptedGenerator(failing), saying(MEALS)) == ([MEALS], (GENERATOR,))
    assert await drafted(ScriptedGenerator(failing), None) == ([], (GENERATOR,))
    both = await drafted(ScriptedGenerator(failing), ScriptedGenerator(failing))
    assert both == ([], (GENERATOR,))


async def test_what_a_failed_draft_has_cost_is_counted() -> None:
    spent = Usage(calls=2, tokens_in=30, tokens_out=4)

    def unreadable(question: str, shown: Sequence[Evidence]) -> Draft:
        raise ModelUnavailable("away", usage=spent)

    for fallback in (None, saying(MEALS)):
        done = await draft_parts(PLAN, found(), ScriptedGenerator(unreadable), fallback, ALLOWED)
        assert done.usage == spent


async def test_a_generator_that_is_late_gives_way_too() -> None:
    class Late(ScriptedGenerator):
        async def generate(
            self, question: str, evidence: Sequence[Evidence], allowance: Allowance
        ) -> Draft:
            await asyncio.Event().wait()
            raise AssertionError

    late = Late(failing)
    soon = replace(ALLOWED, seconds=0.05)
    done = await draft_parts(PLAN, found(), late, saying(MEALS), soon)
    assert done.degraded == (GENERATOR,)
    assert len(done) == 1


async def test_nothing_found_means_nothing_asked() -> None:
    none = Gathered(evidence=(), shown=((),), n_hits=0)
    done = await draft_parts(PLAN, none, ScriptedGenerator(failing), None, ALLOWED)
    assert (len(done), done.degraded) == (0, ())


def test_pointers_lead_into_the_evidence_of_all_parts() -> None:
    draft = Draft(parts=(DraftPart(text="x", pointers=tuple(
        Pointer(evidence=n, span=None) for n in (0, 1, 2, -1)
    )),))  # fmt: skip
    moved = repointed(draft, (4, 7)).parts[0].pointers
    assert [p.evidence for p in moved] == [4, 7, -1, -1]


async def revised(
    reviser: Revising, *claims: str, fallback: ScriptedGenerator | None = None
) -> tuple[list[str], Usage]:
    bench = Bench(Truthful(), (evidence(),), 1.0)
    given = tuple(claim(text) for text in claims)
    parts = JudgedParts(parts=(await bench.claims("What?", given),))
    done, usage = await revise_parts(
        PLAN, found(), parts, known(vetoes=()), bench, reviser, fallback, ALLOWED
    )
    return [c.text for part in done.parts for c in part.claims], usage


async def test_what_was_refused_goes_back_once_with_its_reason() -> None:
    reviser = Revising(citing(MEALS))
    texts, usage = await revised(reviser, "Hotels are refunded up to 150 euros a night.", LIE)
    assert [r.text for r in reviser.asked] == [LIE]
    assert "threshold" in reviser.asked[0].reason
    assert texts == ["Hotels are refunded up to 150 euros a night.", MEALS]
    assert usage.tokens == 15


async def test_what_still_does_not_stand_changes_nothing() -> None:
    assert (await revised(Revising(citing(LIE + " Really.")), LIE))[0] == [LIE]
    assert (await revised(Revising(citing("")), LIE))[0] == [LIE]
    assert (await revised(Revising(), LIE))[0] == [LIE]
    assert (await revised(Revising(fails=True), LIE))[0] == [LIE]


async def test_where_nothing_stands_the_fallback_is_asked() -> None:
    texts, _ = await revised(Revising(fails=True), LIE, fallback=saying(MEALS, LIE))
    assert texts == [LIE, MEALS]


async def test_nothing_goes_back_when_all_stands_or_could_not_be_judged() -> None:
    reviser = Revising(citing(MEALS))
    await revised(reviser, MEALS)
    assert reviser.asked == []
    one: tuple[Claim, ...] = (claim(LIE),)
    parts = JudgedParts(parts=(Judged(claims=one, judgements=(Unchecked(reason="x"),)),))
    bench = Bench(Truthful(), (evidence(),), 1.0)
    await revise_parts(PLAN, found(), parts, known(vetoes=()), bench, reviser, None, ALLOWED)
    assert reviser.asked == []


# --- reading ----------------------------------------------------------------------------------------


class Preferring:
    """A reader that finds the answer only where a word stands."""

    name, digest = "preferring", digest_text("preferring")

    def __init__(self, word: str, *, n_lost: int = 0, fails: bool = False) -> None:
        self._word, self._n_lost, self._fails = word, n_lost, fails

    async def read(self, question: str, passages: Sequence[Passage]) -> Sequence[PassageReading]:
        if self._fails:
            raise ModelUnavailable("away")
        return [
            PassageReading(
                p_answers=0.9 if self._word in p.text else 0.1,
                spans=(AnswerSpan(span=Span(0, 3), p=0.8),),
            )
            for p in passages
        ][self._n_lost :]


TWO = (evidence("Alpha is here.", chunk=1), evidence("Beta is there.", chunk=2))


async def test_the_reader_reorders_what_it_reads_and_leaves_the_rest() -> None:
    options = ReadingOptions(depth=2, weight=1.0)
    done = await read(
        PLAN, found(*TWO, evidence("Beta again.", chunk=3)), Preferring("Beta"), options
    )
    assert [e.text for e in done.of(0)] == ["Beta is there.", "Alpha is here.", "Beta again."]
    assert [e.reading is None for e in done.of(0)] == [False, False, True]
    assert done.degraded == ()


@pytest.mark.parametrize("reader", [Preferring("Beta", fails=True), Preferring("Beta", n_lost=1)])
async def test_a_reader_that_fails_changes_nothing_and_is_named(reader: Preferring) -> None:
    done = await read(PLAN, found(*TWO), reader, ReadingOptions())
    assert (done.evidence, done.degraded) == (TWO, ("reader",))
