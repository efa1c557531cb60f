"""True claims of the demo organisation, and texts to take times with."""

import asyncio
from pathlib import Path

import pytest

from eval.gold import GoldEvidence, GoldQuestion, read_questions
from eval.verify import demo, speed
from rag.adapters.judge.calibrated import CalibratedJudge
from rag.adapters.judge.logistic import LogisticJudge
from rag.adapters.parsers.canonical import Reading, compose, heading, paragraph
from rag.answer.claims import split_claims
from rag.domain.claim import Draft, DraftPart
from rag.domain.document import ParsedDocument
from rag.domain.errors import ConfigError
from rag.settings import load_settings

ROOT = Path(__file__).parents[3]
QUOTE = "Full-time employees have 28 days of annual leave."


def document(*paragraphs: str) -> ParsedDocument:
    blocks = (heading("Leave", 1), *(paragraph(p) for p in paragraphs))
    return compose(Reading(blocks=blocks), uri="leave.md", parser="")


def question(answer: str, *quotes: str, abstain: str | None = None) -> GoldQuestion:
    return GoldQuestion(
        id="q1", question="How long is leave?", accept=(answer,), kind="", abstain=abstain,
        evidence=tuple(GoldEvidence(document="handbook/leave.md", quote=q) for q in quotes),
        groups=frozenset({"staff"}), hidden="",
    )  # fmt: skip


PARSED = {"handbook/leave.md": document(QUOTE, "Unused days lapse on 31 March.")}


def test_answers_and_whole_sentences_are_claims_about_their_passage() -> None:
    rows, n_left_out = demo.gold_rows([question("28 days", QUOTE)], PARSED)
    assert [(r.pair.claim, r.answer) for r in rows] == [
        ("28 days", "answer"),
        (QUOTE, "sentence 0"),
    ]
    assert all(r.supported and QUOTE in r.pair.evidence for r in rows)
    assert rows[0].pair.context == "How long is leave?"
    assert n_left_out == 0


def test_answers_that_name_nothing_and_lost_quotations_are_left_out() -> None:
    questions = [
        question("Yes", "28 days"),
        question("30 days", "30 days"),
        question("28 days", "28 days", abstain="absent"),
    ]
    rows, n_left_out = demo.gold_rows(questions, PARSED)
    assert (rows, n_left_out) == ([], 2)


async def test_gold_in_no_silo_is_an_error() -> None:
    settings = load_settings(ROOT / "sworn.toml")
    with pytest.raises(ConfigError, match="in no silo"):
        await demo.documents([question("28 days", QUOTE)], settings)


@pytest.mark.slow
async def test_every_gold_answer_of_the_demo_is_in_a_passage() -> None:
    questions = read_questions(ROOT / "data" / "questions.jsonl")
    parsed = await demo.documents(questions, load_settings(ROOT / "sworn.toml"))
    rows, n_left_out = demo.gold_rows(questions, parsed)
    assert n_left_out == 0
    assert len({r.group for r in rows}) == sum(q.abstain is None for q in questions)


def test_times_are_taken_of_five_assertions_that_are_no_copies() -> None:
    words = "the canteen opens at noon and guests pay at the counter near door".split()
    text = " ".join(
        f"In week {n} {' '.join(words[n % 7 :] + words[: n % 7])} number {n}." for n in range(150)
    )
    parsed = {"handbook/leave.md": document(text)}
    made = list(speed._texts(parsed, 3))
    assert len({claims for _, claims, _ in made}) == len(made) == 3
    judge = LogisticJudge.load()
    for facts, claims, copy in made:
        assert len(facts) == 10
        found = split_claims(Draft(parts=(DraftPart(text=claims, pointers=()),)))
        assert sum(c.asserts for c in found) == 5
        assert judge.judged(copy).p_supported >= 0.97
    with asyncio.Runner() as runner:
        section = speed.speed_section(
            CalibratedJudge(judge, 0.5, {}), parsed, runner, {"memory": 2**20}, quick=True
        )
    assert [r.name for r in section.rows] == [
        "five claims against ten facts, p50", "five claims against ten facts, p95",
        "one verbatim claim against its fact, p50",
        "one verbatim claim against its fact, p95", "memory",
    ]  # fmt: skip
