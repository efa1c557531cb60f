"""The command itself: open the judge, score every set once, and put the figures together."""

import argparse
import asyncio
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

from eval import plots
from eval.gold import read_questions
from eval.labelled_sets import READERS, LabelledSet, NotThere, load, load_file
from eval.metrics import bins, risk_coverage
from eval.verify import demo, probes, published, rendering
from eval.verify.book import ScoreBook
from eval.verify.measures import F1, SPAN_F1, section
from eval.verify.scorers import COLUMNS, JUDGE, Opened, Parts, Scorer, open_fp32, open_judge
from eval.verify.sections import Report, Row, Section, rows_json
from eval.verify.speed import resident_bytes, speed_section
from eval.verify.thresholds import DEVELOPMENT, Thresholds, described, thresholds_of
from rag.adapters.judge.calibrated import CalibratedJudge
from rag.answer.calibrating import RISK
from rag.domain.calibration import Point
from rag.domain.claim import JudgePair
from rag.domain.document import ParsedDocument
from rag.domain.errors import ConfigError
from rag.models.judge_logistic import data
from rag.settings import Settings, load_settings, settings_path

TEST: Final = "ragtruth"
PROBES: Final = "probes"
GOLD: Final = "gold"
SPEED: Final = "speed"
SETS: Final = (*READERS, PROBES, GOLD, SPEED)
"""What can be chosen: labelled sets, then what is made and measured here."""

_PER_KIND: Final = 150


def add_options(parser: argparse.ArgumentParser) -> None:
    """The options of the command."""
    parser.add_argument("--judge", help="sworn, features, or a folder (default: as in settings)")
    parser.add_argument("--config", help="settings file (default: sworn.toml)")
    parser.add_argument("--sets", help=f"some of {','.join(SETS)} (default: all)")
    parser.add_argument(
        "--labelled", type=Path, metavar="FILE",
        help="a set of one's own, JSONL; without --sets only this is measured",
    )  # fmt: skip
    parser.add_argument("--questions", type=Path, default=Path("data/questions.jsonl"))
    parser.add_argument("--limit", type=int, metavar="N", help="about N claims of each set")
    parser.add_argument(
        "--threshold-f1", type=float, metavar="T",
        help="an answer with a claim below this is faulty (default: as the model states)",
    )  # fmt: skip
    parser.add_argument("--fp32", type=Path, metavar="FILE", help="the judge's graph before int8")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write every figure")
    parser.add_argument(
        "--out", type=Path, metavar="DIR", help="write plots and reports, and keep scores there"
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Bench:
    """What is measured with: the judge, all scorers and the book of their scores."""

    opened: Opened
    scorers: tuple[Scorer, ...]
    book: ScoreBook
    runner: asyncio.Runner
    memory_bytes: Mapping[str, int]

    def scored(self, pairs: Sequence[JudgePair], title: str) -> list[Parts]:
        """For each pair the parts of every scorer."""
        found = [self.book.scored(s, pairs, title) for s in self.scorers]
        return [
            {name: score for parts in each for name, score in parts.items()}
            for each in zip(*found, strict=True)
        ]

    @property
    def parts(self) -> tuple[str, ...]:
        return tuple(part for s in self.scorers for part in s.parts)


def run(arguments: argparse.Namespace) -> Report:
    """Measure, and write what the options name.

    Raises:
        ConfigError: no judge, set or folder of that name, or no data sets.
        ModelUnavailable: the judge is not there, or not what it should be.
    """
    if arguments.out:
        plots.require()
    chosen = _chosen(arguments)
    settings = load_settings(settings_path(arguments.config))
    with asyncio.Runner() as runner:
        bench = _open(arguments, settings, runner)
        try:
            report = _measured(bench, settings, chosen, arguments)
        finally:
            runner.run(bench.opened.judge.aclose())
    if arguments.json:
        written = {
            **report.facts,
            "sections": rows_json(report.sections),
            "curves": {name: asdict(c) for name, c in report.curves.items()},
        }
        arguments.json.write_text(json.dumps(written, indent=1, allow_nan=False) + "\n", "utf-8")
    if arguments.out:
        write(report, arguments.out)
    return report


def write(report: Report, out: Path) -> None:
    """Both plots, and the report as Markdown and as a page, into a folder."""
    curves = list(report.curves.values())
    drawn: dict[str, tuple[bytes, bytes]] = {}
    if curves:
        light, dark = (plots.calibration_png(curves, k) for k in (plots.LIGHT, plots.DARK))
        drawn["calibration"] = light, dark
        light, dark = (plots.risk_coverage_png(curves, RISK, k) for k in (plots.LIGHT, plots.DARK))
        drawn["risk_coverage"] = light, dark
    for name, (light, _) in drawn.items():
        (out / f"{name}.png").write_bytes(light)
    images = [f"{name}.png" for name in drawn]
    (out / "report.md").write_text(rendering.markdown(report, images), "utf-8")
    (out / "report.html").write_text(rendering.page(report, drawn), "utf-8")


def _chosen(arguments: argparse.Namespace) -> list[str]:
    default = "" if arguments.labelled else ",".join(SETS)
    named = [n for n in (arguments.sets or default).split(",") if n]
    if unknown := set(named) - set(SETS):
        raise ConfigError(
            f"no set {', '.join(sorted(unknown))}", remedy=f"choose from {', '.join(SETS)}"
        )
    chosen = [n for n in SETS if n in named]
    if any(n in READERS or n == PROBES for n in chosen):
        # Whatever is missing is said before the judge is loaded.
        data.folder()
    return chosen


def _open(arguments: argparse.Namespace, settings: Settings, runner: asyncio.Runner) -> Bench:
    judge = settings.judge
    if arguments.judge:
        judge = judge.model_copy(update={"model": arguments.judge})
    before = resident_bytes()
    opened = open_judge(judge, runner)
    loaded = resident_bytes()
    pair = JudgePair(claim="It is so.", context="", evidence="It was not so for a long time.")
    runner.run(opened.judge.judge([pair]))
    memory_bytes = {
        "memory added by loading": loaded - before,
        "memory added after the first claim": resident_bytes() - before,
    }
    more = (open_fp32(arguments.fp32, judge),) if arguments.fp32 else ()
    return Bench(
        opened=opened, scorers=(opened.scorer, *more), book=ScoreBook(arguments.out),
        runner=runner, memory_bytes=memory_bytes,
    )  # fmt: skip


def _measured(
    bench: Bench, settings: Settings, chosen: Sequence[str], arguments: argparse.Namespace
) -> Report:
    # All are read first: a set of another form is known before an hour of scoring.
    every = [load(name, arguments.limit) for name in chosen if name in READERS]
    if arguments.labelled:
        every.append(load_file(arguments.labelled, arguments.limit))
    there = [s for s in every if isinstance(s, LabelledSet)]
    scores = {s.name: bench.scored([r.pair for r in s.rows], s.title) for s in there}
    developed = next(((s, scores[s.name]) for s in there if s.name == DEVELOPMENT), None)
    point = Point(settings.judge.operating_point)
    thresholds = thresholds_of(bench.opened, bench.parts, point, developed, arguments.threshold_f1)
    sections = [section(s, scores[s.name], thresholds) for s in there]
    sections = [_with_published(s) if s.key == TEST else s for s in sections]
    sections += _made_here(bench, settings, chosen, thresholds, arguments)
    sections += [
        Section(key=s.name, title=s.name, rows=(), note=f"not there: {s.path}")
        for s in every
        if isinstance(s, NotThere)
    ]
    tested = any(s.key == TEST and s.rows for s in sections)
    facts = {
        "judge": bench.opened.judge.name,
        "digest": bench.opened.judge.digest,
        "limit": arguments.limit,
        "thresholds": {part: asdict(t) for part, t in thresholds.items()},
    }
    return Report(
        head=tuple(_head(bench, thresholds, arguments)), columns=COLUMNS,
        sections=tuple(sections), foot=published.sources() if tested else (), facts=facts,
        curves={s.name: _curve(s, scores[s.name], thresholds[JUDGE].support) for s in there},
    )  # fmt: skip


def _made_here(
    bench: Bench,
    settings: Settings,
    chosen: Sequence[str],
    thresholds: Mapping[str, Thresholds],
    arguments: argparse.Namespace,
) -> Iterator[Section]:
    """Minimal pairs of the held-out sources and of the demo organisation, and speed."""
    if PROBES in chosen:
        yield _probes(bench, thresholds, arguments.limit)
    if not {GOLD, SPEED} & set(chosen):
        return
    questions = read_questions(arguments.questions)
    parsed = bench.runner.run(demo.documents(questions, settings))
    if GOLD in chosen:
        rows, n_left_out = demo.gold_rows(questions, parsed)
        yield from _gold(bench, rows[: arguments.limit], thresholds, n_left_out)
    if SPEED in chosen:
        yield _speed(bench, parsed, thresholds[JUDGE].support, is_quick=bool(arguments.limit))


def _probes(bench: Bench, thresholds: Mapping[str, Thresholds], limit: int | None) -> Section:
    held = load(DEVELOPMENT)
    title = "Minimal pairs of held-out development sources"
    if isinstance(held, NotThere):
        return Section(key=PROBES, title=title, rows=(), note=f"not there: {held.path}")
    made = probes.twins(held.rows, min(_PER_KIND, limit or _PER_KIND))
    scores = bench.scored(probes.pairs_of(made), "minimal pairs")
    return probes.probe_section(PROBES, title, made, scores, thresholds)


def _gold(
    bench: Bench, rows: Sequence[data.Row], thresholds: Mapping[str, Thresholds], n_left_out: int
) -> tuple[Section, Section]:
    made = probes.twins(rows)
    row_scores = bench.scored([r.pair for r in rows], "gold answers")
    scores = bench.scored(probes.pairs_of(made), "edited gold answers")
    note = f"{n_left_out} questions left out: the answer names nothing, or spans passages"
    return (
        probes.gold_section(rows, row_scores, made, scores, thresholds, note),
        probes.probe_section(
            "gold_probes", "Minimal pairs of the demo organisation's gold", made, scores,
            thresholds,
        ),
    )  # fmt: skip


def _speed(
    bench: Bench, parsed: Mapping[str, ParsedDocument], threshold: float, *, is_quick: bool
) -> Section:
    judge = CalibratedJudge(bench.opened.judge, threshold, {})
    return speed_section(judge, parsed, bench.runner, bench.memory_bytes, quick=is_quick)


def _with_published(found: Section) -> Section:
    """The section with the figures of others under ours."""
    rows: list[Row] = []
    for row in found.rows:
        rows.append(row)
        rows += published.example_rows() if row.name == F1 else ()
        rows += published.span_rows() if row.name == SPAN_F1 else ()
    return Section(key=found.key, title=found.title, rows=tuple(rows), note=found.note)


def _curve(labelled: LabelledSet, scores: Sequence[Parts], threshold: float) -> plots.Curve:
    found = [s[JUDGE].p_supported for s in scores]
    fine = [r.supported for r in labelled.rows]
    passing = [ok for p, ok in zip(found, fine, strict=True) if p >= threshold]
    at = (len(passing) / len(fine), 1 - sum(passing) / len(passing)) if passing else None
    return plots.Curve(
        title=labelled.title, bins=bins(found, fine), points=risk_coverage(found, fine), at=at
    )


def _head(
    bench: Bench, thresholds: Mapping[str, Thresholds], arguments: argparse.Namespace
) -> Iterator[str]:
    judge = bench.opened.judge
    yield f"judge {judge.name}, {judge.digest[:19]}"
    yield from described(thresholds)
    yield "shares in per cent, in brackets 95 % bootstrap intervals, whole sources drawn"
    if arguments.limit:
        yield f"a quick look: about {arguments.limit} claims of each set"
    if arguments.fp32:
        yield "fp32: the same fusion, fitted to the int8 graph"
