"""`python -m eval answers` measures answers, `retrieval` and `verify` what they are made of.

`answers` asks the gold questions of the demo organisation. It indexes the silos into a folder of
its own first, so that a running server is left alone. `public` asks the whole belt questions of
public sets, `retrieval` measures the search on public sets and on the demo's questions, `verify`
a judge on labelled sets.
"""

import argparse
import asyncio
import json
import sys
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

from rich.console import Console
from rich.progress import track

from eval import lies
from eval.answers import ask_all
from eval.gold import GoldQuestion, read_questions
from eval.installation import indexed
from eval.metrics import Mark, Share, mark, share, summary
from eval.public import command as public
from eval.retrieval import command as retrieval
from eval.verify import command as verify
from eval.verify import rendering
from rag.domain.errors import RagError
from rag.settings import Settings, load_settings, model_cache, settings_path
from rag.telemetry import configure_logging
from rag.wiring import AnswerHouse, MemoryStore, open_answers

AIMS: Final = {
    "answered right": 0.85,
    "citations right": 0.95,
    "abstained when due": 0.90,
    "leaked": 0.0,
}


def main() -> int:
    """Exit status 1 when anything leaked, 2 for configuration."""
    arguments = _arguments()
    try:
        return _COMMANDS[arguments.what](arguments)
    except RagError as exc:
        print(f"eval: {exc}", file=sys.stderr)
        return 2


def _answers(arguments: argparse.Namespace) -> int:
    questions = read_questions(arguments.questions)
    settings = load_settings(settings_path(arguments.config))
    marks = asyncio.run(_run(settings, questions, arguments))
    figures = summary(marks)
    if arguments.json:
        print(json.dumps(_report(marks, figures), indent=1, ensure_ascii=False))
    else:
        _print(marks, figures, verbose=arguments.verbose)
    return 1 if figures["leaked"].n_right else 0


def _lies(arguments: argparse.Namespace) -> int:
    """Exit status 1 when a lie left."""
    configure_logging("warning")
    questions = read_questions(arguments.questions)
    settings = load_settings(settings_path(arguments.config))
    told = asyncio.run(_lied(settings, questions, arguments))
    figures = lies.summary(told)
    out = [t for t in told if t.is_lie and t.left]
    if arguments.json:
        rows = {name: {**asdict(s), "value": s.value} for name, s in figures.items()}
        print(json.dumps({"figures": rows, "left": [asdict(t) for t in out]}, indent=1))
    else:
        for name, s in figures.items():
            print(f"{name:24}{s.value:7.3f}  [{s.low:.3f}, {s.high:.3f}]  {s.n:4}")
        for one in out if arguments.verbose else ():
            print(f"{one.question}: {one.text}")
    return 1 if out else 0


def _verify(arguments: argparse.Namespace) -> int:
    print(rendering.text(verify.run(arguments)))
    return 0


def _retrieval(arguments: argparse.Namespace) -> int:
    print(retrieval.shown(retrieval.run(arguments), arguments))
    return 0


def _public(arguments: argparse.Namespace) -> int:
    print(public.shown(public.run(arguments), arguments))
    return 0


_COMMANDS: Final = {
    "answers": _answers, "lies": _lies, "public": _public, "retrieval": _retrieval,
    "verify": _verify,
}  # fmt: skip


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m eval",
        description=__doc__,
        epilog="examples:\n  python -m eval answers --kind table -v\n"
        "  python -m eval public --sets squad,handbook --limit 100 -v\n"
        "  python -m eval retrieval --sets squad,gold --sweep weight\n"
        "  python -m eval verify --judge features --sets gold,speed",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = parser.add_subparsers(dest="what", required=True, metavar="COMMAND")
    answers = commands.add_parser("answers", help="the gold questions of the demo organisation")
    lies_ = commands.add_parser("lies", help="the same, with a language model that lies on purpose")
    for command in (answers, lies_):
        command.add_argument("--config", help="settings file (default: sworn.toml)")
        command.add_argument("--questions", type=Path, default=Path("data/questions.jsonl"))
        command.add_argument("--state", type=Path, help="keep the index here (default: build/eval)")
        command.add_argument("--kind", help="only questions of this kind")
        command.add_argument("-v", "--verbose", action="store_true", help="show what went wrong")
        command.add_argument("--json", action="store_true", help="print JSON on standard output")
    lies_.add_argument("--share", type=float, default=0.3, help="of the sentences that are lies")
    lies_.add_argument("--seed", type=int, default=0, help="which sentences, and how")
    public.add_options(
        commands.add_parser("public", help="the whole belt, on questions of public sets")
    )
    retrieval.add_options(
        commands.add_parser("retrieval", help="retrieval, on public sets and the demo's questions")
    )
    verify.add_options(commands.add_parser("verify", help="a judge, on labelled sets"))
    return parser.parse_args()


async def _run(
    settings: Settings, questions: Sequence[GoldQuestion], arguments: argparse.Namespace
) -> list[Mark]:
    chosen = [q for q in questions if arguments.kind in (None, q.kind)]
    marks: list[Mark] = []
    async with _opened(settings, arguments) as house:
        answers = ask_all(chosen, house.ports, house.options)
        for _ in _bar(chosen):
            question, given = await anext(answers)
            marks.append(mark(question, given))
    return marks


async def _lied(
    settings: Settings, questions: Sequence[GoldQuestion], arguments: argparse.Namespace
) -> list[lies.Told]:
    chosen = [q for q in questions if arguments.kind in (None, q.kind)]
    found: list[lies.Told] = []
    async with _opened(settings, arguments) as house:
        written = lies.told(
            chosen, house.ports, house.options, share_of_lies=arguments.share, seed=arguments.seed
        )
        for _ in _bar(chosen):
            found += await anext(written)
        await written.aclose()
    return found


def _bar(chosen: Sequence[GoldQuestion]) -> Iterable[int]:
    return track(range(len(chosen)), "asking", console=Console(stderr=True))


@asynccontextmanager
async def _opened(settings: Settings, arguments: argparse.Namespace) -> AsyncIterator[AnswerHouse]:
    """An installation of the evaluation's own, indexed."""
    state = arguments.state or Path("build/eval").resolve()
    # The exported model is shared with the installation: making it takes a minute.
    embedder = settings.embedder.model_copy(update={"cache_dir": model_cache(settings)})
    settings = settings.model_copy(update={"data_dir": state, "embedder": embedder})
    await indexed(settings)
    async with open_answers(settings, MemoryStore(), None) as house:
        yield house


def _report(marks: Sequence[Mark], figures: dict[str, Share]) -> dict[str, Any]:
    return {
        "figures": {name: {**asdict(s), "value": s.value} for name, s in figures.items()},
        "latency_ms": _latency(marks),
        "questions": [
            {
                "id": m.question.id,
                "kind": m.question.kind,
                "right": m.right,
                "abstained_rightly": m.abstained_rightly,
                "text": m.given.text,
                "cited": [document for document, _ in m.given.cited],
            }
            for m in marks
        ],
    }


def _latency(marks: Sequence[Mark]) -> dict[str, float]:
    times = sorted(m.given.elapsed_ms for m in marks) or [0.0]
    return {"p50": round(times[len(times) // 2], 1), "p95": round(times[int(len(times) * 0.95)], 1)}


def _print(marks: Sequence[Mark], figures: dict[str, Share], *, verbose: bool) -> None:
    if verbose:
        for m in marks:
            if m.right is False or m.abstained_rightly is False or m.leaked:
                _print_wrong(m)
    print(f"{'figure':24}{'value':>7}  95 % interval   of    aim")
    for name, s in figures.items():
        aim = f"{AIMS[name]:.2f}" if name in AIMS else ""
        print(f"{name:24}{s.value:7.3f}  [{s.low:.3f}, {s.high:.3f}]  {s.n:4}   {aim}")
    for kind in sorted({m.question.kind for m in marks}):
        some = share(
            [bool(m.right) for m in marks if m.question.kind == kind and m.right is not None]
        )
        if some.n:
            print(f"  {kind:20} {some.n_right:4} of {some.n}")
    times = _latency(marks)
    print(f"p50 {times['p50']} ms, p95 {times['p95']} ms a question (in this process, exact scan)")


def _print_wrong(m: Mark) -> None:
    want = " | ".join(m.question.accept[:2]) or f"abstention ({m.question.abstain})"
    print(f"{m.question.id} {m.question.kind}: {m.question.question}")
    print(f"    wanted: {want}   {', '.join(e.document for e in m.question.evidence)}")
    print(f"    given:  {' / '.join(m.given.text.splitlines())[:300]}")
    print(f"    cited:  {', '.join(document for document, _ in m.given.cited)}\n")


if __name__ == "__main__":
    sys.exit(main())
