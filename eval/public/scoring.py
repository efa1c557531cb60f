"""One reply beside the gold: pure functions, all of them on one question."""

import re
import string
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from eval.metrics import normal
from eval.public.sets import Asked

_ARTICLES: Final = re.compile(r"\b(a|an|the)\b")
_PUNCTUATION: Final = str.maketrans("", "", string.punctuation)
# In nearly every sentence there is one of them by chance.
_BARE: Final = frozenset({"yes", "no"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """What the belt gave: the claims that left, and the words of the first that answer alone.

    Without such words `short` is the first claim. `confidence` in [0, 1] is the generator's
    probability that its best unit answers; `shown` are the passages that it saw. Abstentions have no claims and no short answer.
    """

    claims: tuple[str, ...]
    short: str
    confidence: float
    shown: tuple[str, ...]
    elapsed_ms: float

    @property
    def abstained(self) -> bool:
        """Whether nothing was said."""
        return not self.claims

    @property
    def text(self) -> str:
        """All that was said."""
        return "\n".join(self.claims)


class Outcome(StrEnum):
    """What became of a question; for what went wrong, where."""

    EXACT = "right, and the short answer is the gold"
    LONGER = "right, but the short answer says more than the gold"
    WHOLE = "right, but no short answer was told"
    OTHER = "right, but the short answer is other words of it"
    SILENT = "abstained, and nothing could be answered"
    NOT_SHOWN = "wrong: no passage shown holds the gold"
    NOT_CHOSEN = "wrong: a passage shown holds the gold, the sentence chosen does not"
    UNANSWERABLE = "wrong: answered though nothing could be"
    SILENT_NOT_SHOWN = "abstained: no passage shown holds the gold"
    SILENT_SHOWN = "abstained: though a passage shown holds the gold"


WRONG: Final = frozenset({Outcome.NOT_SHOWN, Outcome.NOT_CHOSEN, Outcome.UNANSWERABLE})
"""Outcomes in which something was said that is not right."""

RIGHT: Final = frozenset({Outcome.EXACT, Outcome.LONGER, Outcome.WHOLE, Outcome.OTHER})
"""Outcomes in which what was said holds the gold."""


def outcome(reply: Reply, asked: Asked) -> Outcome:
    """What became of the question."""
    if not asked.is_answerable:
        return Outcome.SILENT if reply.abstained else Outcome.UNANSWERABLE
    shown = any(contains(text, gold) for text in reply.shown for gold in asked.gold)
    if reply.abstained:
        return Outcome.SILENT_SHOWN if shown else Outcome.SILENT_NOT_SHOWN
    if exact(reply, asked):
        return Outcome.EXACT
    if any(contains(reply.text, gold) for gold in asked.gold if squad_form(gold) not in _BARE):
        return _beside(reply, asked)
    return Outcome.NOT_CHOSEN if shown else Outcome.NOT_SHOWN


def _beside(reply: Reply, asked: Asked) -> Outcome:
    if reply.short == reply.claims[0]:
        return Outcome.WHOLE
    is_longer = any(contains(reply.short, gold) for gold in asked.gold)
    return Outcome.LONGER if is_longer else Outcome.OTHER


def is_wrong(reply: Reply, asked: Asked) -> bool:
    """Whether something was said that is not right; an abstention is never wrong."""
    return outcome(reply, asked) in WRONG


def exact(reply: Reply, asked: Asked) -> float:
    """1 when the short answer is one of the gold, or rightly nothing was said.

    Source: Rajpurkar et al., "Know What You Don't Know" (2018), and their evaluation script.
    """
    if reply.abstained or not asked.is_answerable:
        return float(reply.abstained and not asked.is_answerable)
    return float(squad_form(reply.short) in map(squad_form, asked.gold))


def f1(reply: Reply, asked: Asked) -> float:
    """Overlap of the short answer's words with the best of the gold; as `exact` for abstentions.

    Source: as `exact`.
    """
    if reply.abstained or not asked.is_answerable:
        return exact(reply, asked)
    return max(_f1(squad_form(reply.short).split(), squad_form(g).split()) for g in asked.gold)


def _f1(said: Sequence[str], wanted: Sequence[str]) -> float:
    if not said or not wanted:
        return float(said == wanted)
    n_common = (Counter(said) & Counter(wanted)).total()
    return 2 * n_common / (len(said) + len(wanted))


def squad_form(text: str) -> str:
    """Lower case without punctuation, articles and white space but single blanks.

    Source: as `exact`.
    """
    return " ".join(_ARTICLES.sub(" ", text.lower().translate(_PUNCTUATION)).split())


def contains(text: str, gold: str) -> bool:
    """Whether the gold's words stand in the text, whole and in a row, both in SQuAD's form."""
    return f" {squad_form(gold)} " in f" {squad_form(text)} "


def holds(text: str, value: str) -> bool:
    """Whether a value stands in the text by itself: `10` does not stand in `10,000` or `2.10`."""
    found = rf"(?<!\w)(?<!\d[.,:]){re.escape(normal(value))}(?!\w)(?![.,:]\d)"
    return re.search(found, normal(text)) is not None


def best_f1(replies: Sequence[Reply], asked: Sequence[Asked]) -> tuple[float, float]:
    """The best mean F1 that some threshold on the confidence gives, and that threshold.

    Below the threshold a reply counts as an abstention. It is chosen on the very questions that
    it is measured on: what the order of the answers would allow at most.

    Source: `best_f1` of SQuAD 2.0's evaluation script.
    """
    ranked = sorted(
        ((r.confidence, f1(r, a), a.is_answerable) for r, a in zip(replies, asked, strict=True)
         if not r.abstained),
        key=lambda one: -one[0],
    )  # fmt: skip
    total = float(sum(not a.is_answerable for a in asked))
    best, threshold = total, 1.0
    for n, (confidence, score, is_answerable) in enumerate(ranked, 1):
        # What has no answer counted as long as nothing was said.
        total += score if is_answerable else -1.0
        # Replies of equal confidence are given together.
        if total > best and (n == len(ranked) or ranked[n][0] < confidence):
            best, threshold = total, confidence
    return best / len(asked), threshold


def risks(
    replies: Sequence[Reply], asked: Sequence[Asked], coverages: Sequence[float]
) -> tuple[float | None, ...]:
    """For each share of the questions answered, surest first: the share of all asked that is wrong.

    None where the belt answers fewer.

    Source: the risk-coverage curve (El-Yaniv & Wiener, 2010), its risk taken of all asked.
    """
    said = sorted(
        ((r.confidence, is_wrong(r, a)) for r, a in zip(replies, asked, strict=True)
         if not r.abstained),
        key=lambda one: -one[0],
    )  # fmt: skip
    found: list[float | None] = []
    for coverage in coverages:
        n = round(coverage * len(asked))
        found.append(sum(w for _, w in said[:n]) / len(asked) if n <= len(said) else None)
    return tuple(found)
