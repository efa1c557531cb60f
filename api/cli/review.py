"""`sworn review`."""

import argparse
import asyncio
import json
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, Final

from api.cli.common import BOLD, DIM, MARKED, add_command, coloured, settings_of
from api.keys import operator_principal
from rag.adapters.judge.calibrated import CalibratedJudge
from rag.answer.reviewing import Reviewable, drafted, written
from rag.domain.claim import Judgement
from rag.domain.errors import ConfigError
from rag.domain.labelled import LabelledClaim, labelled_lines, labelled_row, pair_key
from rag.settings import Settings
from rag.wiring import NoStore, load_scorer, open_answers

EXAMPLES = """
  sworn review labelled.jsonl --questions questions.txt
  sworn review labelled.jsonl --texts answers.jsonl     lines of {"text": ...}, from any system
  sworn calibrate labelled.jsonl                        then: thresholds of your own
"""
_SHOWN_CHARS: Final = 900
_KEYS: Final = {"y": True, "n": False}


def add_to(commands: Any) -> None:
    parser = add_command(
        commands, "review", run,
        "show claims with their evidence, ask whether it supports them, and write down the answers",
        EXAMPLES,
    )  # fmt: skip
    parser.add_argument(
        "file", type=Path, help="JSONL to append to; what it holds is not asked again"
    )
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument("--questions", type=Path, help="a question a line; Sworn drafts the claims")
    source.add_argument(
        "--texts", type=Path, help='JSONL of {"text": ...}: claims of another system'
    )
    parser.add_argument("--limit", type=int, help="stop after so many claims")


def run(arguments: argparse.Namespace) -> int:
    """Exit status 1 when nothing was labelled. Only reads the silos; a server may be running."""
    known = read_labelled(arguments.file) if arguments.file.exists() else []
    n = asyncio.run(_review(settings_of(arguments), arguments, {c.key for c in known}))
    print(f"{n} labelled, {len(known) + n} in {arguments.file}")
    return 0 if n else 1


def read_labelled(path: Path) -> list[LabelledClaim]:
    """The labelled claims of a file.

    Raises:
        ConfigError: it cannot be read, or a line of it is no labelled claim.
    """
    try:
        lines = path.read_text("utf-8").split("\n")
    except (OSError, UnicodeDecodeError) as exc:
        raise ConfigError(
            f"cannot read {path}: {exc}", remedy="`sworn review` writes such a file"
        ) from exc
    return labelled_lines(lines, path)


async def _review(settings: Settings, arguments: argparse.Namespace, known: set[str]) -> int:
    n = 0
    async for shown in _reviewables(settings, arguments):
        if pair_key(shown.pair) in known:
            continue
        known.add(pair_key(shown.pair))
        _print(shown)
        answer = await asyncio.to_thread(_asked)
        if answer == "q":
            break
        if answer in _KEYS:
            row = LabelledClaim(pair=shown.pair, source=shown.source, supported=_KEYS[answer])
            # Line by line: what was answered is kept whatever happens next.
            _append(arguments.file, json.dumps(labelled_row(row), ensure_ascii=False))
            n += 1
            _print_judgement(shown)
            if n == arguments.limit:
                break
    return n


def _append(path: Path, line: str) -> None:
    """Add a line; one before it that was never ended is ended first."""
    before = path.read_bytes() if path.exists() else b""
    torn = bool(before) and not before.endswith(b"\n")
    with path.open("ab") as file:
        file.write((b"\n" if torn else b"") + line.encode() + b"\n")


async def _reviewables(
    settings: Settings, arguments: argparse.Namespace
) -> AsyncIterator[Reviewable]:
    questions = _lines(arguments.questions) if arguments.questions else []
    texts = (
        [_text(line, arguments.texts) for line in _lines(arguments.texts)]
        if arguments.texts
        else []
    )
    principal = operator_principal(settings)
    # People label before there is a threshold, so none is asked for.
    judge = CalibratedJudge(load_scorer(settings.judge), 1.0, {})
    async with open_answers(settings, NoStore(), None, judge=judge) as house:
        for question in questions:
            for one in await drafted(question, principal, house.ports, house.options):
                yield one
        for text in texts:
            for one in await written(text, principal, house.ports, house.options):
                yield one


def _lines(path: Path) -> list[str]:
    try:
        return [line for line in path.read_text("utf-8").split("\n") if line.strip()]
    except (OSError, UnicodeDecodeError) as exc:
        raise ConfigError(f"cannot read {path}: {exc}", remedy="name a UTF-8 text file") from exc


def _text(line: str, path: Path) -> str:
    try:
        return str(json.loads(line)["text"])
    except (ValueError, KeyError, TypeError) as exc:
        raise ConfigError(f"{path}: a line has no text", remedy='write {"text": "..."}') from exc


def _print(shown: Reviewable) -> None:
    # The judge's view comes after the answer, so as not to lead.
    print(f"\n{coloured('claim', DIM)}     {coloured(shown.pair.claim, BOLD)}")
    if shown.pair.context:
        print(f"{coloured('context', DIM)}   {' / '.join(shown.pair.context.splitlines())}")
    print(f"{coloured('evidence', DIM)}  {_marked(shown)}")


def _marked(shown: Reviewable) -> str:
    """The evidence with the best place marked; a long one around that place."""
    text, span = shown.pair.evidence, shown.span
    if span is None:
        return text[:_SHOWN_CHARS]
    start = max(0, min(span.start - _SHOWN_CHARS // 3, len(text) - _SHOWN_CHARS))
    end = max(span.end, start + _SHOWN_CHARS)
    middle = coloured(span.of(text), MARKED)
    return f"{text[start : span.start]}{middle}{text[span.end : end]}"


def _print_judgement(shown: Reviewable) -> None:
    if isinstance(shown.judgement, Judgement):
        print(coloured(f"          the judge: {shown.judgement.p_supported:.2f}", DIM))


def _asked() -> str:
    """`y`, `n`, `s` or `q`; the end of input is `q`."""
    while True:
        try:
            said = input("Does the evidence support it? [y]es [n]o [s]kip [q]uit: ").strip().lower()
        except EOFError:
            return "q"
        if said[:1] in ("y", "n", "s", "q"):
            return said[0]
        print("y, n, s or q, please", file=sys.stderr)
