"""What a reader finds in a passage."""

from dataclasses import dataclass

from rag.domain.words import Span


@dataclass(frozen=True, slots=True, kw_only=True)
class Passage:
    """Text to be read; `header` names what it is about (title and section), and holds no answer."""

    header: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AnswerSpan:
    """Where an answer may stand in the passage's text; `p` is its probability if there is one."""

    span: Span
    p: float


@dataclass(frozen=True, slots=True, kw_only=True)
class PassageReading:
    """Whether a passage answers the question, and where: the likeliest spans, best first."""

    p_answers: float
    spans: tuple[AnswerSpan, ...]
