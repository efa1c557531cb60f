"""The command itself: index each set, ask its questions in each way, and put the figures together."""

import argparse
import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import asdict, dataclass, replace
from itertools import groupby
from pathlib import Path
from typing import Final

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from eval.gold import read_questions
from eval.retrieval import demo, rendering
from eval.retrieval.alternatives import GROUPS, alternatives
from eval.retrieval.indexing import Layout, indexed
from eval.retrieval.measures import Passage
from eval.retrieval.public_sets import READERS, load
from eval.retrieval.published import anchors
from eval.retrieval.report import Report, SetReport, lines
from eval.retrieval.searching import Searcher, Way
from eval.retrieval.sets import NotThere, RetrievalSet
from eval.retrieval.vectors import KeptVectors
from rag.adapters.reader.neural import NeuralReader
from rag.answer.retrieval import RetrievalOptions
from rag.domain.errors import ConfigError
from rag.ports import Reader
from rag.settings import Settings, load_settings, model_cache, settings_path
from rag.wiring import answer_options, build_embedder, load_reader

SETS: Final = (*READERS, demo.NAME)
_DEFAULT: Final = "default"
_READS: Final = "rerank"
# What the house asks of a reranker, on whatever set.
_RANKING: Final = "nDCG@10"


def add_options(parser: argparse.ArgumentParser) -> None:
    """The options of the command."""
    parser.add_argument("--config", help="settings file (default: sworn.toml)")
    parser.add_argument("--sets", help=f"some of {','.join(SETS)} (default: all)")
    parser.add_argument("--questions", type=Path, default=Path("data/questions.jsonl"))
    parser.add_argument("--limit", type=int, metavar="N", help="at most N questions of each set")
    parser.add_argument("--dense-weight", type=float, metavar="W", help="of vectors against BM25")
    parser.add_argument("--parent-chars", type=int, metavar="N", help="largest passage")
    parser.add_argument("--child-chars", type=int, metavar="N", help="largest embedded piece")
    parser.add_argument(
        "--no-header", action="store_true", help="leave title, key and sections out of BM25"
    )
    parser.add_argument(
        "--sweep", nargs="?", const=",".join(GROUPS), metavar="GROUPS",
        help=f"also alternatives, some of {','.join(GROUPS)} (without a value: all)",
    )  # fmt: skip
    parser.add_argument(
        "--state",
        type=Path,
        help="keep vectors and the demo's index here (default: build/retrieval)",
    )
    parser.add_argument("--json", action="store_true", help="print JSON on standard output")
    parser.add_argument("--out", type=Path, metavar="DIR", help="write report.md and report.json")


def run(arguments: argparse.Namespace) -> Report:
    """Measure, and write what the options name.

    Raises:
        ConfigError: no set of that name, a bad option, or a set of another form.
        ModelUnavailable: the embedder, or the reader that a group needs, is not there.
        StoreUnavailable: vectors cannot be kept, or the silos not be indexed.
    """
    chosen = _chosen(arguments)
    settings = load_settings(settings_path(arguments.config))
    report = asyncio.run(_measured(chosen, settings, arguments))
    if arguments.out:
        arguments.out.mkdir(parents=True, exist_ok=True)
        (arguments.out / "report.md").write_text(rendering.markdown(report), "utf-8")
        (arguments.out / "report.json").write_text(as_json(report) + "\n", "utf-8")
    return report


def shown(report: Report, arguments: argparse.Namespace) -> str:
    """The report as the options want it on standard output."""
    return as_json(report) if arguments.json else rendering.text(report)


def as_json(report: Report) -> str:
    """Every figure, unrounded."""
    return json.dumps(report.json(), indent=1, ensure_ascii=False, allow_nan=False)


def _chosen(arguments: argparse.Namespace) -> list[str]:
    named = _named(arguments.sets) or SETS
    for what, given, known in (("set", named, SETS), ("group", _named(arguments.sweep), GROUPS)):
        if unknown := set(given) - set(known):
            raise ConfigError(
                f"no {what} {', '.join(sorted(unknown))}", remedy=f"choose from {', '.join(known)}"
            )
    for option in ("limit", "parent_chars", "child_chars"):
        value = getattr(arguments, option)
        if value is not None and value < 1:
            raise ConfigError(f"--{option.replace('_', '-')} must be at least 1")
    if arguments.dense_weight is not None and not 0 <= arguments.dense_weight <= 1:
        raise ConfigError("--dense-weight must be from 0 to 1")
    return [n for n in SETS if n in named]


def _named(option: str | None) -> tuple[str, ...]:
    return tuple(name for name in (option or "").split(",") if name)


def base_way(arguments: argparse.Namespace, settings: Settings) -> Way:
    """What the settings say, changed by the options."""
    sizes, retrieval = settings.ingest, settings.retrieval
    weight = arguments.dense_weight
    return Way(
        name=_DEFAULT,
        layout=Layout(
            parent_chars=arguments.parent_chars or sizes.parent_chars,
            child_chars=arguments.child_chars or sizes.child_chars,
            has_header=not arguments.no_header,
        ),
        dense_weight=retrieval.dense_weight if weight is None else weight,
        candidates=retrieval.candidates,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Bench:
    """What every set is measured with; a reader where one of the groups reads."""

    base: Way
    options: RetrievalOptions
    embedder: KeptVectors
    progress: Progress
    groups: tuple[str, ...]
    reader: Reader | None = None


async def _measured(
    chosen: Sequence[str], settings: Settings, arguments: argparse.Namespace
) -> Report:
    state = (arguments.state or Path("build/retrieval")).resolve()
    cache = settings.embedder.model_copy(update={"cache_dir": model_cache(settings)})
    ours = settings.model_copy(update={"data_dir": state / "demo", "embedder": cache})
    base = base_way(arguments, settings)
    async with _open(ours, state, base, _named(arguments.sweep)) as bench:
        reports: list[SetReport] = []
        for name in chosen:
            if name == demo.NAME:
                questions = read_questions(arguments.questions)
                found: RetrievalSet | NotThere = await demo.demo_set(
                    ours, questions, bench.embedder, arguments.limit
                )
            else:
                found = load(name, arguments.limit)
            reports.append(await set_report(found, bench))
        model, reader = bench.embedder.name, bench.reader
    facts = {"model": model, "limit": arguments.limit, "default": asdict(base)}
    head = _head(base, model, arguments)
    if reader is not None:
        facts["reader"] = reader.digest
        head.append(f"reader: {reader.name}, {reader.digest[:19]}")
    return Report(head=tuple(head), sets=tuple(reports), facts=facts)


@asynccontextmanager
async def _open(
    settings: Settings, state: Path, base: Way, groups: tuple[str, ...]
) -> AsyncIterator[Bench]:
    columns = (
        TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn()
    )  # fmt: skip
    async with AsyncExitStack() as stack:
        reader = _reader(settings) if _READS in groups else None
        if reader is not None:
            stack.push_async_callback(reader.aclose)
        inner = build_embedder(settings)
        stack.push_async_callback(inner.aclose)
        kept = KeptVectors(inner, state / "vectors.sqlite")
        stack.callback(kept.close)
        progress = stack.enter_context(Progress(*columns, console=Console(stderr=True)))
        yield Bench(
            base=base, options=answer_options(settings).retrieval, embedder=kept,
            progress=progress, groups=groups, reader=reader,
        )  # fmt: skip


def _reader(settings: Settings) -> NeuralReader:
    reader = load_reader(settings.reader)
    if reader is None:
        raise ConfigError("the settings turn the reader off", remedy='reader.model = "sworn"')
    return reader


async def set_report(found: RetrievalSet | NotThere, bench: Bench) -> SetReport:
    """The figures of a set in the default way and, with `--sweep`, in all others."""
    if isinstance(found, NotThere):
        return SetReport(key=found.name, title=found.name, note=f"not there: {found.path}")
    base = bench.base
    if found.is_selected:
        base = replace(base, per_document=bench.options.per_document_max)
    if bench.reader is not None:
        measures = tuple(dict.fromkeys((*found.measures, _RANKING)))
        found = replace(found, measures=measures)
    ways = [base, *alternatives(base, found, bench.groups)]
    results: dict[Way, list[tuple[Passage, ...]]] = {}
    sizes = ""
    # An index for each layout, not for each way: the default's comes first.
    ordered = sorted(ways, key=lambda w: [x.layout for x in ways].index(w.layout))
    for layout, some in groupby(ordered, key=lambda w: w.layout):
        asked_of, n_passages = await _asked(found, layout, list(some), bench)
        results |= asked_of
        sizes = sizes or f"{n_passages} passages"
    described = f"{len(found.asked)} questions, {len(found.documents)} documents, {sizes}"
    return SetReport(
        key=found.name, title=found.title, measures=found.measures,
        lines=lines(found, {way: results[way] for way in ways}),
        anchors=anchors(found.name, found.measures),
        note="; ".join(filter(None, (described, found.note))),
    )  # fmt: skip


async def _asked(
    found: RetrievalSet, layout: Layout, ways: Sequence[Way], bench: Bench
) -> tuple[dict[Way, list[tuple[Passage, ...]]], int]:
    """For each way what it found for each question; and how many passages there are."""
    task = bench.progress.add_task(found.name, total=None)

    def watch(step: str, done: int, total: int) -> None:
        bench.progress.update(
            task, description=f"{found.name}: {step}", completed=done, total=total
        )

    results: dict[Way, list[tuple[Passage, ...]]] = {way: [] for way in ways}
    async with indexed(found.documents, layout, bench.embedder, watch) as index:
        searcher = Searcher(index, bench.embedder, bench.options, bench.reader)
        for n, question in enumerate(found.asked, 1):
            for way in ways:
                results[way].append(await searcher.ranked(question, way))
            watch("asking", n, len(found.asked))
        bench.progress.remove_task(task)
        return results, len(index.passages)


def _head(base: Way, model: str, arguments: argparse.Namespace) -> list[str]:
    layout = base.layout
    header = "in the lexical field" if layout.has_header else "in no field"
    said = [
        f"default: passages of {layout.parent_chars} characters, embedded pieces of "
        f"{layout.child_chars}, header {header}, weight of vectors {base.dense_weight}, {model}",
        "in brackets 95 % bootstrap intervals, whole sources drawn; after an alternative its "
        "change from the default, with a star where the interval of the change leaves out zero",
    ]
    if arguments.limit:
        said.append(f"a quick look: at most {arguments.limit} questions of each set")
    return said
