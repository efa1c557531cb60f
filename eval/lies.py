"""What becomes of a language model's lies: asks the gold questions with one that lies on purpose.

The model is scripted and speaks the real protocol over loopback: it quotes what the evidence says,
and in a set share of its sentences changes a number, a name or a negation.
"""

from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass, replace

from eval.answers import last
from eval.gold import GoldQuestion
from eval.metrics import Share, share
from rag.adapters.generators.llm import LlmGenerator
from rag.adapters.generators.llm_options import LlmOptions
from rag.answer.pipeline import AnswerOptions, AnswerPorts, Sealed
from rag.domain.answer import Question
from rag.domain.document import Principal
from rag.domain.ids import AnswerId
from rag.testing.scripted_llm import Asked, Reply, ScriptedLlm, lying


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """One sentence that the model wrote: whether it lied, and whether the sentence left."""

    question: str
    text: str
    is_lie: bool
    left: bool


class _Recorded:
    """A script that remembers what it said to the question at hand."""

    def __init__(self, share_of_lies: float, seed: int) -> None:
        self._script = lying(share_of_lies, seed)
        self.said: list[tuple[str, bool]] = []

    def __call__(self, asked: Asked) -> Reply:
        reply = self._script(asked)
        texts = [" ".join(p.text.split()) for p in asked.passages]
        for claim in reply.claims:
            true = any(" ".join(claim.text.split()) in text for text in texts)
            self.said.append((claim.text, not true))
        return reply


async def told(
    questions: Sequence[GoldQuestion],
    ports: AnswerPorts,
    options: AnswerOptions,
    *,
    share_of_lies: float = 0.3,
    seed: int = 0,
) -> AsyncGenerator[list[Told], None]:
    """What the model wrote for each question, in order. It may revise what was refused, once."""
    script = _Recorded(share_of_lies, seed)
    with ScriptedLlm(script) as llm:
        generator = LlmGenerator(LlmOptions(model="lying", base_url=llm.base_url))
        await generator.start()
        try:
            lied = replace(ports, generator=generator, reviser=generator, fallback=None)
            for question in questions:
                script.said.clear()
                asker = Principal(id=f"eval-{question.id}", groups=question.groups)
                asked = Question(text=question.question, principal=asker)
                sealed = await last(asked, AnswerId(f"ans_{question.id}"), lied, options)
                yield _told(question, script.said, sealed)
        finally:
            await generator.aclose()


def _told(question: GoldQuestion, said: Sequence[tuple[str, bool]], sealed: Sealed) -> list[Told]:
    leaving = {claim.verdict.claim.text.strip() for claim in sealed.answer.claims}
    return [
        Told(question=question.id, text=text, is_lie=is_lie, left=text.strip() in leaving)
        for text, is_lie in dict(said).items()
    ]


def summary(every: Sequence[Told]) -> dict[str, Share]:
    """Lies withheld and truths kept, as shares of what was written."""
    return {
        "lies withheld": share([not t.left for t in every if t.is_lie]),
        "truths kept": share([t.left for t in every if not t.is_lie]),
    }
