"""The command itself: the models once, then each set in turn."""

import argparse
import asyncio
import json
from pathlib import Path
from typing import Final

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from eval.public import rendering
from eval.public.asking import Belt, open_belt
from eval.public.measuring import SETS, Bench, measured
from eval.public.report import Report, SetReport
from eval.retrieval.indexing import Layout
from rag.domain.errors import ConfigError
from rag.settings import Settings, load_settings, model_cache, settings_path
from rag.telemetry import configure_logging

_LIMIT: Final = 600


def add_options(parser: argparse.ArgumentParser) -> None:
    """The options of the command."""
    parser.add_argument("--config", help="settings file (default: sworn.toml)")
    parser.add_argument("--sets", help=f"some of {','.join(SETS)} (default: all)")
    parser.add_argument(
        "--limit", type=int, default=_LIMIT, metavar="N",
        help=f"at most N questions of each set, the same each time; 0 is all (default: {_LIMIT})",
    )  # fmt: skip
    parser.add_argument(
        "--always", action="store_true",
        help="draft whatever the generator thinks of it: the whole curve of risk and coverage",
    )  # fmt: skip
    parser.add_argument(
        "--state", type=Path, help="keep vectors here (default: build/retrieval, as `retrieval`)"
    )
    parser.add_argument("-v", "--verbose", action="store_true", help="show what went wrong")
    parser.add_argument("--json", action="store_true", help="print JSON on standard output")


def run(arguments: argparse.Namespace) -> Report:
    """Ask every chosen set.

    Raises:
        ConfigError: no set of that name, a bad option, or a set of another form.
        ModelUnavailable: a model is not there.
        StoreUnavailable: vectors cannot be kept.
    """
    configure_logging("warning")
    chosen = _chosen(arguments)
    settings = load_settings(settings_path(arguments.config))
    return asyncio.run(_measured(chosen, settings, arguments))


def shown(report: Report, arguments: argparse.Namespace) -> str:
    """The report as the options want it on standard output."""
    if arguments.json:
        return json.dumps(report.json(), indent=1, ensure_ascii=False, allow_nan=False)
    return rendering.text(report, verbose=arguments.verbose)


def _chosen(arguments: argparse.Namespace) -> list[str]:
    named = [name for name in (arguments.sets or "").split(",") if name] or list(SETS)
    if unknown := set(named) - set(SETS):
        raise ConfigError(
            f"no set {', '.join(sorted(unknown))}", remedy=f"choose from {', '.join(SETS)}"
        )
    if arguments.limit < 0:
        raise ConfigError("--limit must be at least 0")
    return [name for name in SETS if name in named]


async def _measured(chosen: list[str], settings: Settings, arguments: argparse.Namespace) -> Report:
    state = (arguments.state or Path("build/retrieval")).resolve()
    cache = settings.embedder.model_copy(update={"cache_dir": model_cache(settings)})
    ours = settings.model_copy(update={"embedder": cache})
    layout = Layout(parent_chars=ours.ingest.parent_chars, child_chars=ours.ingest.child_chars)
    columns = (
        TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn()
    )  # fmt: skip
    async with open_belt(ours, state, always=arguments.always) as belt:
        with Progress(*columns, console=Console(stderr=True)) as progress:
            bench = Bench(belt=belt, layout=layout, limit=arguments.limit, progress=progress)
            reports = [await measured(name, bench) for name in chosen]
        return _report(tuple(reports), belt, arguments)


def _report(reports: tuple[SetReport, ...], belt: Belt, arguments: argparse.Namespace) -> Report:
    reader = belt.reader.name if belt.reader else "off"
    facts = {
        "limit": arguments.limit, "always": arguments.always, "embedder": belt.embedder.name,
        "generator": belt.generator.name, "reader": reader, "judge": belt.judge.name,
        "threshold": belt.judge.threshold,
    }  # fmt: skip
    head = [
        f"the whole belt, no language model: {belt.embedder.name}, reader {reader}, judge "
        f"{belt.judge.name} at {belt.judge.threshold:.3f}; figures in per cent",
        "confidence is the generator's probability that its best sentence answers; intervals are "
        "bootstrapped, whole sources drawn",
    ]
    if arguments.limit:
        head.append(f"a fixed draw: at most {arguments.limit} questions of each set")
    if arguments.always:
        head.append("the generator has no threshold: this is not the belt as it is shipped")
    return Report(head=tuple(head), sets=reports, facts=facts)
