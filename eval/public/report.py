"""What a run found: a table of figures for each set, what became of its questions, and its risk."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Final

from eval.public.published import Anchor, anchors
from eval.public.scoring import (
    RIGHT,
    Outcome,
    Reply,
    best_f1,
    contains,
    exact,
    f1,
    is_wrong,
    outcome,
    risks,
)
from eval.public.sets import Asked
from eval.retrieval.measures import Estimate, difference, estimate

COVERAGES: Final = tuple(n / 10 for n in range(1, 10))
Score = Callable[[Reply, Asked], float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """One measure over `n` questions; `aim` is what it should reach, in words."""

    name: str
    estimate: Estimate
    n: int
    aim: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Miss:
    """A question that went wrong, for whoever looks into it."""

    id: str
    question: str
    outcome: str
    gold: tuple[str, ...]
    short: str
    claims: tuple[str, ...]
    confidence: float


@dataclass(frozen=True, slots=True, kw_only=True)
class SetReport:
    """`risk` has, for each of `COVERAGES`, the share of all asked that is wrong, None if unreached."""

    key: str
    title: str
    note: str = ""
    figures: tuple[Figure, ...] = ()
    outcomes: Mapping[str, int] = field(default_factory=dict)
    risk: tuple[float | None, ...] = ()
    misses: tuple[Miss, ...] = ()
    anchors: tuple[Anchor, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """`head` says what was measured, line by line; `facts` the same for programs."""

    head: tuple[str, ...]
    sets: tuple[SetReport, ...]
    facts: Mapping[str, Any]

    def json(self) -> dict[str, Any]:
        """Every figure, unrounded."""
        return {**self.facts, "coverages": COVERAGES, "sets": [asdict(s) for s in self.sets]}


@dataclass(frozen=True, slots=True, kw_only=True)
class Replies:
    """Questions with their replies, in order."""

    asked: tuple[Asked, ...]
    replies: tuple[Reply, ...]

    def where(self, wanted: Callable[[Asked, Reply], bool]) -> "Replies":
        """Only those that are wanted."""
        kept = [(a, r) for a, r in zip(self.asked, self.replies, strict=True) if wanted(a, r)]
        return Replies(asked=tuple(a for a, _ in kept), replies=tuple(r for _, r in kept))

    def of(self, part: str) -> "Replies":
        """Those of a part of the set."""
        return self.where(lambda a, _: a.part == part)

    def values(self, score: Score) -> list[float]:
        """The score of each."""
        return [float(score(r, a)) for r, a in zip(self.replies, self.asked, strict=True)]

    def figure(self, name: str, score: Score, aim: str = "") -> tuple[Figure, ...]:
        """The mean of a score; nothing where nothing was asked."""
        if not self.asked:
            return ()
        found = estimate(self.values(score), [a.source for a in self.asked])
        return (Figure(name=name, estimate=found, n=len(self.asked), aim=aim),)


def answered(reply: Reply, asked: Asked) -> float:
    """1 where anything was said."""
    return float(not reply.abstained)


def right(reply: Reply, asked: Asked) -> float:
    """1 where what was said holds the gold."""
    return float(outcome(reply, asked) in RIGHT)


def shown(reply: Reply, asked: Asked) -> float:
    """1 where a passage that the generator saw holds the gold."""
    return float(any(contains(text, gold) for text in reply.shown for gold in asked.gold))


def squad_figures(found: Replies) -> tuple[Figure, ...]:
    """Exact match and F1 by SQuAD's rule, and what a better threshold would allow."""
    best, threshold = best_f1(found.replies, found.asked)
    has, none = found.of("HasAns"), found.of("NoAns")
    return (
        *found.figure("EM", exact),
        *found.figure("F1", f1, "70"),
        Figure(
            name=f"F1 at the best threshold ({threshold:.2f})",
            estimate=Estimate(value=best, interval=None), n=len(found.asked),
        ),
        *has.figure("HasAns EM", exact),
        *has.figure("HasAns F1", f1),
        *has.figure("HasAns, answer holds the gold", right),
        *has.figure("HasAns, shown holds the gold", shown),
        *has.where(lambda a, r: right(r, a) > 0).figure("F1 where the answer holds the gold", f1),
        *none.figure("NoAns EM = F1", exact),
        *found.figure("answered", answered, ">= 50 %"),
        *found.figure("wrong, of all asked", is_wrong, "<= 5 %"),
    )  # fmt: skip


def abstention_figures(found: Replies) -> tuple[Figure, ...]:
    """How much is answered, and how much of all that was asked is answered wrongly."""
    can = found.where(lambda a, _: a.is_answerable)
    cannot = found.where(lambda a, _: not a.is_answerable)
    given = found.where(lambda _, r: not r.abstained)
    return (
        *found.figure("answered", answered, ">= 50 %"),
        *found.figure("wrong, of all asked", is_wrong, "<= 5 %"),
        *given.figure("right, of the answered", right),
        *cannot.figure("abstained where nothing is right", exact),
        *can.figure("right, of the answerable", right),
        *can.figure("shown holds the gold, of the answerable", shown),
    )


def short_figures(found: Replies) -> tuple[Figure, ...]:
    """The short answer of the answerable questions by SQuAD's rule."""
    can = found.where(lambda a, _: a.is_answerable)
    return (*can.figure("EM, of the answerable", exact), *can.figure("F1, of the answerable", f1))


def part_figures(found: Replies) -> tuple[Figure, ...]:
    """Coverage and wrong answers of each part of the set."""
    parts = sorted({a.part for a in found.asked} - {""})
    return tuple(
        figure
        for part in parts
        for name, score in (("answered", answered), ("wrong", is_wrong))
        for figure in found.of(part).figure(f"  {part}: {name}", score)
    )


def compared(name: str, ours: Replies, theirs: Replies, score: Score, aim: str) -> Figure:
    """How far `ours` is above `theirs`, question by question; both asked the same."""
    change = difference(ours.values(score), theirs.values(score), [a.source for a in ours.asked])
    return Figure(name=name, estimate=change, n=len(ours.asked), aim=aim)


def set_report(
    key: str, title: str, note: str, figures: Sequence[Figure], found: Replies
) -> SetReport:
    """The figures with what became of each question."""
    outcomes = [outcome(r, a) for r, a in zip(found.replies, found.asked, strict=True)]
    counts = Counter(outcomes)
    misses = tuple(
        Miss(
            id=a.id, question=a.question, outcome=o.value, gold=a.gold, short=r.short,
            claims=r.claims, confidence=r.confidence,
        )
        for a, r, o in zip(found.asked, found.replies, outcomes, strict=True)
        if o not in {Outcome.EXACT, Outcome.SILENT}
    )  # fmt: skip
    return SetReport(
        key=key, title=title, note=note, figures=tuple(figures),
        outcomes={o.value: counts[o] for o in Outcome if counts[o]},
        risk=risks(found.replies, found.asked, COVERAGES), misses=misses, anchors=anchors(key),
    )  # fmt: skip
