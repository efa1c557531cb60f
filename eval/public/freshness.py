"""Values that change: each is asked for before and after its page is updated in the same index."""

import re
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from eval.public.asking import Belt
from eval.public.changes import Handbook, ValueChange
from eval.public.living import LivingIndex
from eval.public.report import Figure, Miss, SetReport
from eval.public.scoring import Reply, holds
from eval.public.sets import Asked
from eval.retrieval.measures import estimate

_TITLE: Final = "Sourcegraph's handbook, values before and after they changed"
_TARGETS: Final = re.compile(r"(?<=\])\([^)]*\)")
Score = Callable[["Told"], float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """What was said about a value before and after the change; `page` is the text after it."""

    change: ValueChange
    before: Reply
    after: Reply
    page: str


async def ask_changes(
    handbook: Handbook,
    belt: Belt,
    index: LivingIndex,
    watch: Callable[[str, int, int], None],
) -> list[Told]:
    """Put each page as it was, ask, put it as it became, ask again, and take it out.

    The pages come in the order of history, each alone among the noise: two names of one page
    would contradict each other.
    """
    for n, (path, text) in enumerate(handbook.noise.items(), 1):
        await index.put(path, text)
        watch("indexing", n, len(handbook.noise))
    n_all = sum(len(c.values) for c in handbook.changes)
    told: list[Told] = []
    for change in handbook.changes:
        await index.put(change.path, change.before)
        before = [await belt.reply(_asked(v), index.reader) for v in change.values]
        await index.put(change.path, change.after)
        after = [await belt.reply(_asked(v), index.reader) for v in change.values]
        await index.remove(change.path)
        told += (
            Told(change=v, before=b, after=a, page=change.after)
            for v, b, a in zip(change.values, before, after, strict=True)
        )
        watch("asking", len(told), n_all)
    return told


def _asked(change: ValueChange) -> Asked:
    return Asked(id=change.id, question=change.question, gold=(change.new,), source=change.path)


def old_given(told: Told) -> float:
    """1 where the old value was given while it held."""
    return float(holds(told.before.text, told.change.old))


def new_given(told: Told) -> float:
    """1 where the new value was given once it held."""
    return float(holds(told.after.text, told.change.new))


def short_given(told: Told) -> float:
    """1 where the short answer is the new value, a part of it or more, and not so of the old one."""
    short, change = told.after.short, told.change
    return float(_is_said(short, change.new) and not _is_said(short, change.old))


def _is_said(short: str, value: str) -> bool:
    return bool(short) and (holds(short, value) or holds(value, short))


def old_stated(told: Told) -> float:
    """1 where a claim after the change gives the old value and not the new one.

    Pages hold the same number in other places: such a claim may be current and about something
    else. As an answer to the question it is stale all the same.
    """
    return float(any(_states_old(claim, told.change) for claim in told.after.claims))


def stale(told: Told) -> float:
    """1 where a claim after the change is one from before it, of a line that changed.

    Verbatim: both replies quote the page, so a claim that holds the old value, was given before
    and stands on the page no more can only come from the old version.
    """
    page = _bare(told.page)
    return float(
        any(
            _states_old(claim, told.change)
            and claim in told.before.claims
            and _bare(claim) not in page
            for claim in told.after.claims
        )
    )  # fmt: skip


def _states_old(claim: str, change: ValueChange) -> bool:
    return holds(claim, change.old) and not holds(claim, change.new)


def _bare(text: str) -> str:
    """Letters and digits alone: the page is Markdown, a claim is what was read from it."""
    return "".join(c for c in _TARGETS.sub("", text) if c.isalnum())


def freshness_report(told: Sequence[Told], *, n_noise: int) -> SetReport:
    """The figures, and every value that was not given as it should be."""
    sources = [t.change.path for t in told]

    def figure(name: str, score: Score, aim: str = "") -> Figure:
        return Figure(
            name=name, estimate=estimate([score(t) for t in told], sources), n=len(told), aim=aim
        )

    outcomes = Counter(_outcome(t) for t in told)
    return SetReport(
        key="handbook", title=_TITLE,
        note=f"{len(told)} values of {len(set(sources))} pages, among {n_noise} other pages",
        figures=(
            figure("before: old value given", old_given),
            figure("before: abstained", lambda t: float(t.before.abstained)),
            figure("after: new value given", new_given, "95"),
            figure("after: new value in the short answer", short_given),
            figure("after: abstained", lambda t: float(t.after.abstained)),
            figure("after: old value in a claim", old_stated, "0"),
            figure("after: claim of the old version", stale, "0"),
        ),
        outcomes=dict(outcomes.most_common()),
        misses=tuple(_miss(t) for t in told if not new_given(t) or old_stated(t)),
    )  # fmt: skip


def _outcome(told: Told) -> str:
    """What the second reply is, and whether it could have been better."""
    if new_given(told):
        return "new value given"
    if any(holds(text, told.change.new) for text in told.after.shown):
        seen = "a passage shown holds the new value"
    else:
        seen = "no passage shown holds the new value"
    return f"{'abstained' if told.after.abstained else 'another answer'}: {seen}"


def _miss(told: Told) -> Miss:
    change = told.change
    return Miss(
        id=change.id, question=change.question, outcome=_outcome(told),
        gold=(f"{change.new} (was {change.old})",), short=told.after.short,
        claims=told.after.claims, confidence=told.after.confidence,
    )  # fmt: skip
