"""How one answer compares with the gold, and what many come to."""

import random
import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass

from eval.gold import GoldQuestion


@dataclass(frozen=True, slots=True, kw_only=True)
class Given:
    """What a system answered: its text, and each citation as (`silo/key`, quoted text)."""

    abstained: bool
    text: str
    cited: tuple[tuple[str, str], ...]
    raw: str
    elapsed_ms: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """One question marked. `right` is None where an abstention was expected, and so on."""

    question: GoldQuestion
    given: Given
    right: bool | None
    n_citations: int
    n_citations_right: int
    abstained_rightly: bool | None
    leaked: bool


def mark(question: GoldQuestion, given: Given) -> Mark:
    """Compare one answer with the gold.

    Right: the text contains one of the accepted strings. A citation is right when it lies in a
    document that the gold names as evidence. Leaked: the hidden string is anywhere in the body.
    """
    expects_answer = question.abstain is None
    documents = {e.document for e in question.evidence}
    text = normal(given.text)
    right = not given.abstained and any(normal(a) in text for a in question.accept)
    n_right = sum(document in documents for document, _ in given.cited)
    return Mark(
        question=question,
        given=given,
        right=right if expects_answer else None,
        n_citations=len(given.cited) if expects_answer else 0,
        n_citations_right=n_right if expects_answer else 0,
        abstained_rightly=None if expects_answer else given.abstained,
        leaked=bool(question.hidden) and normal(question.hidden) in normal(given.raw),
    )


def normal(text: str) -> str:
    """Text as it is compared: compatibility form, case-folded, white space as one blank."""
    folded = unicodedata.normalize("NFKC", text).casefold()
    return re.sub(r"\s+", " ", folded.replace("\\n", " ")).strip()


@dataclass(frozen=True, slots=True, kw_only=True)
class Share:
    """`n_right` of `n`, with a 95 % bootstrap interval over the questions."""

    n_right: int
    n: int
    low: float
    high: float

    @property
    def value(self) -> float:
        """The share; 0 of 0 is 0."""
        return self.n_right / self.n if self.n else 0.0


def share(outcomes: Sequence[bool], seed: int = 1) -> Share:
    """The share of true outcomes. Percentile bootstrap, 1,000 resamples (Efron, 1979)."""
    if not outcomes:
        return Share(n_right=0, n=0, low=0.0, high=0.0)
    rng = random.Random(seed)  # noqa: S311 - statistics, not secrets
    n = len(outcomes)
    means = sorted(sum(rng.choices(outcomes, k=n)) / n for _ in range(1000))
    return Share(n_right=sum(outcomes), n=n, low=means[25], high=means[974])


def summary(marks: Sequence[Mark]) -> dict[str, Share]:
    """The figures of a run."""
    asked = [m for m in marks if m.right is not None]
    silent = [m for m in marks if m.abstained_rightly is not None]
    citations = [n < m.n_citations_right for m in asked for n in range(m.n_citations)]
    given = [m for m in marks if not m.given.abstained]
    return {
        "answered right": share([bool(m.right) for m in asked]),
        "right when answered": share([bool(m.right) for m in given]),
        "citations right": share(citations),
        "abstained when due": share([bool(m.abstained_rightly) for m in silent]),
        "abstained needlessly": share([m.given.abstained for m in asked]),
        "leaked": share([m.leaked for m in marks]),
    }
