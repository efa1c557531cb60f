"""`sworn check`."""

import argparse
import asyncio
import json
import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from pydantic import ValidationError

from api.check_schemas import CheckRequest
from api.cli.common import (
    BOLD,
    DIM,
    GREEN,
    RED,
    UNDERLINED,
    YELLOW,
    add_command,
    add_json,
    coloured,
    print_json,
    settings_of,
)
from api.keys import operator_principal
from rag.adapters.judge.calibrated import CalibratedJudge
from rag.answer.check_rendering import checked_row
from rag.answer.checking import (
    GIVEN,
    Checked,
    CheckedText,
    CheckLimits,
    check_against_facts,
    check_against_silos,
)
from rag.domain.claim import Label, Quote
from rag.domain.document import Principal
from rag.domain.errors import BadRequest
from rag.ports import Judge
from rag.settings import (
    JudgeSettings,
    Paths,
    Settings,
    VerificationSettings,
    load_settings,
    settings_path,
)
from rag.wiring import NoStore, load_judge, open_answers

EXAMPLES = """
  sworn check "Annual leave is 30 days."
  sworn check "The limit is 50 euros." --fact "Meals are refunded up to 40 euros a day."
  sworn check - --facts passages.jsonl       the text comes from standard input
  sworn check --group staff --json "Receipts are due within 45 days."
"""
COLOURS: Final = {Label.SUPPORTED: GREEN, Label.REFUTED: RED}


def add_to(commands: Any) -> None:
    parser = add_command(
        commands, "check", run, "verify a text against the silos, or against given facts", EXAMPLES
    )
    parser.add_argument(
        "claim", help="the text to verify, every sentence is a claim; - reads standard input"
    )
    parser.add_argument("--fact", action="append", help="hold it against this (may be repeated)")
    parser.add_argument(
        "--facts",
        metavar="FILE",
        help='hold it against these: paragraphs, or JSONL with {"factText": ...}',
    )
    parser.add_argument("--question", default="", metavar="TEXT", help="what the text answers")
    parser.add_argument(
        "--threshold",
        type=float,
        metavar="X",
        help="support that a claim needs, over 0 to 1 (default: the judge's calibrated one)",
    )
    parser.add_argument("--group", action="append", help="read as a member of this group only")
    add_json(parser)


def run(arguments: argparse.Namespace) -> int:
    """Exit status 1 unless all it asserts is supported. Only reads; a server may be running."""
    request = _request(arguments)
    if request.facts is None:
        checked, judge = asyncio.run(_against_silos(request, arguments))
    elif arguments.group:
        raise BadRequest("--group says who reads the silos, and here are facts instead")
    else:
        checked, judge = asyncio.run(_against_facts(request, arguments))
    if arguments.json:
        attributes = [fact.attributes for fact in request.facts or ()]
        text = request.answer_candidate
        print_json(checked_row(text, checked, judge, scores=True, attributes=attributes))
    else:
        _print(checked)
    return 0 if checked.holds else 1


def _request(arguments: argparse.Namespace) -> CheckRequest:
    """What the API would be sent, under the same limits."""
    given = [{"factText": fact} for fact in arguments.fact or ()]
    if arguments.facts:
        given += _facts_in(_read(Path(arguments.facts)), arguments.facts)
    row: dict[str, Any] = {
        "answerCandidate": _standard_input() if arguments.claim == "-" else arguments.claim,
        "facts": given if arguments.fact or arguments.facts else None,
        "groundingSpec": {"citationThreshold": arguments.threshold},
        "question": arguments.question,
    }
    try:
        return CheckRequest.model_validate(row)
    except ValidationError as exc:
        first = exc.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise BadRequest(f"{where}: {first['msg']}") from exc


def _standard_input() -> str:
    try:
        return sys.stdin.buffer.read().decode()
    except UnicodeDecodeError as exc:
        raise BadRequest(f"standard input is not UTF-8: {exc}") from exc


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as exc:
        raise BadRequest(f"cannot read {path}: {exc}") from exc


def _facts_in(text: str, name: str) -> list[Any]:
    """One fact per line of JSONL, which begins with a brace; else one per paragraph."""
    if not text.lstrip().startswith("{"):
        return [{"factText": p.strip()} for p in re.split(r"\n\s*\n", text) if p.strip()]
    rows = []
    for number, line in enumerate(text.splitlines(), 1):
        try:
            rows += [json.loads(line)] if line.strip() else []
        except ValueError as exc:
            raise BadRequest(f"{name}, line {number} is not JSON: {exc}") from exc
    return rows


async def _against_facts(
    request: CheckRequest, arguments: argparse.Namespace
) -> tuple[CheckedText, Judge]:
    """Needs no settings; where there are some, with their judge and its own calibration."""
    path = settings_path(arguments.config)
    settings = load_settings(path) if path.exists() or arguments.config else None
    judge, how = _judge(settings)
    limits = CheckLimits(
        timeout_s=how.judge_timeout_s, threshold=request.grounding_spec.citation_threshold,
        vetoes=frozenset(how.vetoes),
    )  # fmt: skip
    facts = [fact.fact_text for fact in request.facts or ()]
    try:
        text = request.answer_candidate
        return await check_against_facts(text, facts, judge, limits, request.question), judge
    finally:
        await judge.aclose()


def _judge(settings: Settings | None) -> tuple[CalibratedJudge, VerificationSettings]:
    if settings is None:
        return load_judge(JudgeSettings()), VerificationSettings()
    judge = load_judge(settings.judge, Paths(settings.data_dir).calibration)
    return judge, settings.verification


async def _against_silos(
    request: CheckRequest, arguments: argparse.Namespace
) -> tuple[CheckedText, Judge]:
    settings = settings_of(arguments)
    principal = operator_principal(settings)
    if arguments.group:
        principal = Principal(id="operator", groups=frozenset(arguments.group))
    async with open_answers(settings, NoStore(), None) as house:
        checked = await check_against_silos(
            request.answer_candidate, principal, house.ports, house.options,
            threshold=request.grounding_spec.citation_threshold, question=request.question,
        )  # fmt: skip
        return checked, house.ports.judge


def _print(checked: CheckedText) -> None:
    for one in checked.claims:
        _print_claim(one, checked)
    if checked.degraded:
        print(f"degraded: {', '.join(checked.degraded)}")
    verdicts = checked.asserting
    n_supported = sum(v.supported for v in verdicts)
    colour = GREEN if checked.holds else RED
    share = coloured(f"{n_supported} of {len(verdicts)} claims supported", f"{BOLD};{colour}")
    print(f"{share}, support {checked.support:.2f}, threshold {checked.threshold:.2f}")


def _print_claim(one: Checked, checked: CheckedText) -> None:
    verdict = one.verdict
    if not verdict.claim.asserts:
        print(
            coloured(
                f"not checked, {verdict.claim.kind.value}  {_one_line(verdict.claim.text)}", DIM
            )
        )
        return
    label = coloured(verdict.label.value, COLOURS.get(verdict.label, YELLOW))
    print(f"{label} ({verdict.score:.2f})  {_flagged(one)}")
    if verdict.reason is not None:
        reason = verdict.reason
        print(f"    step {int(reason.step)} {reason.name}: {reason.detail}")
    _print_quotes("", verdict.quotes, checked)
    _print_quotes("closest, ", one.closest, checked)


def _print_quotes(what: str, quotes: Sequence[Quote], checked: CheckedText) -> None:
    for quote in quotes:
        source = checked.passages[quote.evidence].source
        place = source.key if source.silo == GIVEN else f"{source.silo}/{source.key}"
        print(coloured(f"    {what}{place}: “{_one_line(quote.text)}”", DIM))


def _flagged(one: Checked) -> str:
    """The claim with the words underlined that nothing in the evidence accounts for."""
    text = one.verdict.claim.text
    spans = () if one.verdict.supported else one.verdict.flagged
    for span in sorted(spans, key=lambda s: -s.start):
        text = text[: span.start] + coloured(span.of(text), UNDERLINED) + text[span.end :]
    return _one_line(text)


def _one_line(text: str) -> str:
    return " ".join(text.split())
