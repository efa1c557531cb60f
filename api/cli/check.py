"""`sworn check`."""

import argparse
import asyncio
from typing import Any

from api.cli.common import (
    DIM,
    GREEN,
    RED,
    YELLOW,
    add_command,
    add_json,
    coloured,
    print_json,
    settings_of,
)
from api.keys import operator_principal
from rag.answer.checking import Checked, check_against_facts, check_against_silos
from rag.answer.sealing import check_row
from rag.domain.claim import Label
from rag.domain.document import Principal
from rag.settings import Settings, VerificationSettings
from rag.wiring import NoStore, load_judge, open_answers

EXAMPLES = """
  sworn check "Annual leave is 30 days."
  sworn check "The limit is 50 euros." --fact "Meals are refunded up to 40 euros a day."
  sworn check --group staff --json "Receipts are due within 45 days."
"""
COLOURS = {Label.SUPPORTED: GREEN, Label.REFUTED: RED}


def add_to(commands: Any) -> None:
    parser = add_command(
        commands, "check", run, "verify a text against the silos, or against given facts", EXAMPLES
    )
    parser.add_argument("claim", help="the text to verify; every sentence is a claim")
    parser.add_argument("--fact", action="append", help="hold it against this (may be repeated)")
    parser.add_argument("--group", action="append", help="read as a member of this group only")
    add_json(parser)


def run(arguments: argparse.Namespace) -> int:
    """Exit status 1 unless every claim is supported. Only reads; a server may be running."""
    if arguments.fact:
        timeout_s = VerificationSettings().judge_timeout_s
        work = check_against_facts(arguments.claim, arguments.fact, load_judge(), timeout_s)
        checked = asyncio.run(work)
    else:
        checked = asyncio.run(_against_silos(settings_of(arguments), arguments))
    if arguments.json:
        print_json([_row(c) for c in checked])
    else:
        for c in checked:
            _print(c)
    return 0 if checked and all(c.verdict.supported for c in checked) else 1


async def _against_silos(settings: Settings, arguments: argparse.Namespace) -> tuple[Checked, ...]:
    principal = operator_principal(settings)
    if arguments.group:
        principal = Principal(id="operator", groups=frozenset(arguments.group))
    async with open_answers(settings, NoStore(), None) as house:
        return await check_against_silos(arguments.claim, principal, house.ports, house.options)


def _print(checked: Checked) -> None:
    verdict = checked.verdict
    label = coloured(verdict.label.value, COLOURS.get(verdict.label, YELLOW))
    print(f"{label} ({verdict.score:.2f})  {_flagged(checked)}")
    reason = verdict.reason
    if reason is not None:
        print(f"    step {int(reason.step)} {reason.name}: {reason.detail}")
    if checked.evidence is not None:
        source = checked.evidence.source
        quote = verdict.quotes[0].text if verdict.quotes else checked.evidence.text[:200]
        print(coloured(f"    {source.silo}/{source.key}: “{' '.join(quote.split())}”", DIM))


def _flagged(checked: Checked) -> str:
    """The claim with the words marked that nothing in the evidence accounts for."""
    text = checked.verdict.claim.text
    if checked.verdict.supported:
        return text
    for span in sorted(checked.verdict.flagged, key=lambda s: -s.start):
        text = text[: span.start] + coloured(span.of(text), "4") + text[span.end :]
    return text


def _row(checked: Checked) -> dict[str, Any]:
    verdict, evidence = checked.verdict, checked.evidence
    return {
        "claim": verdict.claim.text,
        "start_char": verdict.claim.span.start,
        "end_char": verdict.claim.span.end,
        "label": verdict.label.value,
        "score": round(verdict.score, 6),
        "checks": [check_row(check) for check in verdict.checks],
        "flagged": [[s.start, s.end] for s in verdict.flagged],
        "evidence": None
        if evidence is None
        else {
            "document": f"{evidence.source.silo}/{evidence.source.key}",
            "document_id": evidence.source.document_id,
            "version": evidence.source.version,
            "quotes": [
                {"text": q.text, "start_char": q.span.start, "end_char": q.span.end}
                for q in verdict.quotes
            ],
        },
    }
