"""Ask the gold questions of an installation, in this process, each as its own asker."""

import time
from collections.abc import AsyncIterator, Sequence

from eval.gold import GoldQuestion
from eval.metrics import Given
from rag.answer.pipeline import AnswerOptions, AnswerPorts, Sealed, answer
from rag.domain.answer import Question, Status
from rag.domain.document import Principal
from rag.domain.ids import AnswerId


async def ask_all(
    questions: Sequence[GoldQuestion], ports: AnswerPorts, options: AnswerOptions
) -> AsyncIterator[tuple[GoldQuestion, Given]]:
    """Each question with what was answered, in order."""
    for question in questions:
        principal = Principal(id=f"eval-{question.id}", groups=question.groups)
        asked = Question(text=question.question, principal=principal)
        started_s = time.perf_counter()
        sealed = await last(asked, AnswerId(f"ans_{question.id}"), ports, options)
        elapsed_ms = (time.perf_counter() - started_s) * 1000
        yield question, given_of(sealed, elapsed_ms)


async def last(
    question: Question, answer_id: AnswerId, ports: AnswerPorts, options: AnswerOptions
) -> Sealed:
    """The sealed answer, without what comes before it."""
    async for event in answer(question, answer_id, ports, options):
        if isinstance(event, Sealed):
            return event
    raise AssertionError("the belt ended without an answer")


def given_of(sealed: Sealed, elapsed_ms: float) -> Given:
    """What a sealed answer gave."""
    result = sealed.answer
    return Given(
        abstained=result.status is Status.ABSTAINED,
        text=result.text,
        cited=tuple((f"{c.source.silo}/{c.source.key}", c.text) for c in result.citations),
        raw=sealed.body + sealed.receipt,
        elapsed_ms=elapsed_ms,
    )
