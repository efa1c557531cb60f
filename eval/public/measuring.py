"""Each set from its files to its figures: read, index, ask, report."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from rich.progress import Progress

from eval.public import reading, tables
from eval.public.asking import Belt
from eval.public.changes import HISTORY, read_handbook, read_suite
from eval.public.freshness import ask_changes, freshness_report
from eval.public.living import living_index
from eval.public.report import (
    Figure,
    Replies,
    SetReport,
    abstention_figures,
    answered,
    compared,
    part_figures,
    right,
    set_report,
    short_figures,
    shown,
    squad_figures,
)
from eval.public.scoring import Reply, exact
from eval.public.sets import Asked, QuestionSet, drawn
from eval.retrieval.indexing import Layout, indexed
from eval.retrieval.public_sets import folder
from rag.domain.errors import ConfigError

_BETTER: Final = "+15"


@dataclass(frozen=True, slots=True, kw_only=True)
class Bench:
    """What every set is measured with; at most `limit` questions of each, 0 for all."""

    belt: Belt
    layout: Layout
    limit: int
    progress: Progress


Measure = Callable[[Path, Bench], Awaitable[SetReport]]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Set:
    """`paths` lie in the folder `retrieval`; all of them are needed."""

    paths: tuple[str, ...]
    measure: Measure


async def measured(name: str, bench: Bench) -> SetReport:
    """The report of a set by its name in `SETS`; of one that is not there, only that.

    Raises:
        ConfigError: the set has another form.
    """
    root, found = folder(), SETS[name]
    missing = [p for p in found.paths if root is None or not (root / p).exists()]
    if root is None or missing:
        return SetReport(key=name, title=name, note=f"not there: retrieval/{missing[0]}")
    try:
        return await found.measure(root, bench)
    except (OSError, ValueError, KeyError, TypeError) as exc:
        raise ConfigError(
            f"the set {name} has another form: {exc!r}", remedy="check its version"
        ) from exc


async def _squad(root: Path, bench: Bench) -> SetReport:
    given = reading.read_squad(root)
    found, note = await _asked(given, drawn(given.asked, bench.limit), bench)
    return set_report("squad", given.title, note, squad_figures(found), found)


async def _abstaining(given: QuestionSet, bench: Bench) -> SetReport:
    found, note = await _asked(given, drawn(given.asked, bench.limit), bench)
    figures = (*abstention_figures(found), *short_figures(found), *part_figures(found))
    return set_report(given.name, given.title, note, figures, found)


async def _timeqa(root: Path, bench: Bench) -> SetReport:
    return await _abstaining(reading.read_timeqa(root), bench)


async def _multihop(root: Path, bench: Bench) -> SetReport:
    return await _abstaining(reading.read_multihop(root), bench)


async def _tables(root: Path, bench: Bench) -> SetReport:
    """The tables in both forms, over all of them and each question of its own table."""
    given, plain = tables.read_tables(root), tables.read_plain(root)
    asked = drawn(given.asked, bench.limit)
    both = (*asked, *tables.own_table(asked))
    rows, note = await _asked(given, both, bench)
    texts, _ = await _asked(plain, both, bench)
    figures = (
        *_compared("all tables", _with_silo(rows, is_own=False), _with_silo(texts, is_own=False)),
        *_compared("its own table", _with_silo(rows, is_own=True), _with_silo(texts, is_own=True)),
    )
    return set_report("tables", given.title, note, figures, _with_silo(rows, is_own=False))


def _with_silo(found: Replies, *, is_own: bool) -> Replies:
    return found.where(lambda asked, _: (asked.silo is not None) is is_own)


def _compared(where: str, rows: Replies, texts: Replies) -> tuple[Figure, ...]:
    return (
        *rows.figure(f"{where}: EM, rows that name columns", exact),
        *texts.figure(f"{where}: EM, plain text", exact),
        compared(f"{where}: EM, difference", rows, texts, exact, _BETTER),
        *rows.figure(f"{where}: answered", answered),
        *rows.figure(f"{where}: the answer holds the gold", right),
        *rows.figure(f"{where}: shown holds the gold", shown),
    )


async def _handbook(root: Path, bench: Bench) -> SetReport:
    handbook = read_handbook(root, drawn(read_suite(), bench.limit))
    task = bench.progress.add_task("handbook", total=None)

    def watch(step: str, done: int, total: int) -> None:
        bench.progress.update(task, description=f"handbook: {step}", completed=done, total=total)

    async with living_index(bench.belt.embedder) as index:
        told = await ask_changes(handbook, bench.belt, index, watch)
    bench.progress.remove_task(task)
    return freshness_report(told, n_noise=len(handbook.noise))


async def _asked(given: QuestionSet, asked: Sequence[Asked], bench: Bench) -> tuple[Replies, str]:
    """The replies, and what was asked in a few words."""
    if not asked:
        raise ValueError("no questions")
    task = bench.progress.add_task(given.name, total=None)

    def watch(step: str, done: int, total: int) -> None:
        bench.progress.update(
            task, description=f"{given.name}: {step}", completed=done, total=total
        )

    replies: list[Reply] = []
    async with indexed(given.documents, bench.layout, bench.belt.embedder, watch) as index:
        for n, one in enumerate(asked, 1):
            replies.append(await bench.belt.reply(one, index.reader))
            watch("asking", n, len(asked))
        n_passages = len(index.passages)
    bench.progress.remove_task(task)
    times = sorted(r.elapsed_ms for r in replies)
    note = (
        f"{len(asked)} questions, {len(given.documents)} documents, {n_passages} passages; "
        f"{times[len(times) // 2]:.0f} ms a question at the median"
    )
    return Replies(asked=tuple(asked), replies=tuple(replies)), note


SETS: Final[Mapping[str, _Set]] = {
    "squad": _Set(paths=(reading.SQUAD,), measure=_squad),
    "timeqa": _Set(paths=(reading.TIMEQA,), measure=_timeqa),
    "multihop": _Set(paths=(reading.MULTIHOP, reading.MULTIHOP_GOLD), measure=_multihop),
    "tables": _Set(paths=(tables.QUESTIONS, tables.TABLES), measure=_tables),
    "handbook": _Set(paths=(HISTORY,), measure=_handbook),
}
"""Every set by its name."""
