"""`sworn ask`."""

import argparse
import asyncio
import json
import os
from typing import Any

from api.cli.common import add_command, add_json, print_json, settings_of
from api.cli.local import client, operator_key, own_house, sent, server_url
from api.cli.printing import print_answer
from rag.domain.errors import StoreUnavailable
from rag.settings import Settings

EXAMPLES = """
  sworn ask "How many days of annual leave do I get?"
  sworn ask --silo handbook --json "What is the notice period?"
  SWORN_API_KEY=sworn_... sworn ask "..."      ask as the owner of that key
"""


def add_to(commands: Any) -> None:
    parser = add_command(
        commands, "ask", run, "ask a question and print the verified answer", EXAMPLES
    )
    parser.add_argument("question", help="the question, in plain words")
    parser.add_argument("--silo", action="append", help="only this silo (may be repeated)")
    parser.add_argument("--policy", choices=("strict", "mark"), help="withhold or mark")
    parser.add_argument("--key", help="API key (default: $SWORN_API_KEY, else the operator's)")
    parser.add_argument("--receipt", metavar="FILE", help="also save the receipt to FILE")
    add_json(parser)


def run(arguments: argparse.Namespace) -> int:
    """Exit status 1 for an abstention."""
    settings = settings_of(arguments)
    url = server_url(settings)
    if url is None and (arguments.key or os.environ.get("SWORN_API_KEY")):
        raise StoreUnavailable(
            "no server runs here, and only a server takes API keys",
            remedy="`sworn serve` starts one; without a key you ask as the operator",
        )
    if url is None:
        body, receipt = asyncio.run(_ask_here(settings, arguments))
    else:
        body, receipt = _ask_server(url, settings, arguments)
    if arguments.receipt:
        with open(arguments.receipt, "w", encoding="utf-8") as file:
            file.write(receipt)
    if arguments.json:
        print_json(body)
    else:
        print_answer(body)
    return 1 if body["status"] == "abstained" else 0


def _ask_server(url: str, settings: Settings, arguments: argparse.Namespace) -> tuple[Any, str]:
    key = arguments.key or os.environ.get("SWORN_API_KEY") or operator_key(settings)
    request = {"question": arguments.question, "silos": arguments.silo, "policy": arguments.policy}
    with client(url, key) as http:
        body = sent(http.post("/v1/answers", json=request))
        receipt = http.get(body["receipt"]["url"]).text if arguments.receipt else ""
    return body, receipt


async def _ask_here(settings: Settings, arguments: argparse.Namespace) -> tuple[Any, str]:
    from api.keys import operator_principal
    from api.routes.answers import new_answer_id
    from rag.answer.pipeline import Sealed, answer
    from rag.domain.answer import Policy, Question
    from rag.domain.ids import SiloId

    question = Question(
        text=arguments.question,
        principal=operator_principal(settings),
        silos=tuple(SiloId(settings.silo(s).id) for s in arguments.silo)
        if arguments.silo
        else None,
        policy=Policy(arguments.policy or settings.verification.policy),
    )
    async with own_house(settings) as house:
        async for event in answer(question, new_answer_id(), house.ports, house.options):
            if isinstance(event, Sealed):
                return json.loads(event.body), event.receipt
    raise AssertionError("the belt ended without an answer")
