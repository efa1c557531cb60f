"""`sworn verify`."""

import argparse
import asyncio
from pathlib import Path
from typing import Any

from api.cli.common import GREEN, RED, YELLOW, add_command, add_json, coloured, print_json
from api.keys import operator_principal
from rag.adapters.signer import PUBLIC, load_public_key, verify_receipt
from rag.domain.errors import BadRequest, ConfigError, NotFound, ReceiptInvalid
from rag.domain.ids import digest_text
from rag.domain.words import Span
from rag.settings import Paths, Settings, load_settings, settings_path
from rag.wiring import open_library

EXAMPLES = """
  sworn verify receipt.json                              with the keys and catalog here
  sworn verify receipt.json --public-key signing.pub     anywhere, offline, nothing else needed
"""


def add_to(commands: Any) -> None:
    parser = add_command(commands, "verify", run, "check a receipt offline", EXAMPLES)
    parser.add_argument("receipt", help="file with the receipt")
    parser.add_argument("--public-key", metavar="PEM", help="default: the one in the data folder")
    parser.add_argument("--no-catalog", action="store_true", help="do not look up the quotations")
    add_json(parser)


def run(arguments: argparse.Namespace) -> int:
    """Exit status 1 when the receipt is not valid, or a quotation is not where it says."""
    settings = _settings(arguments)
    if arguments.public_key is None and settings is None:
        raise ConfigError("no settings file here", remedy="name the key with --public-key")
    path = (
        arguments.public_key or Paths(settings.data_dir).keys / PUBLIC
        if settings
        else arguments.public_key
    )
    body, problem = _verified(arguments.receipt, Path(path))
    quotes = []
    if not problem and settings is not None and not arguments.no_catalog:
        quotes = asyncio.run(_quotations(settings, body["citations"]))
    valid = not problem and all(q["state"] != "differs" for q in quotes)
    if arguments.json:
        print_json({"valid": valid, "problem": problem, "quotations": quotes})
    else:
        _print(body, problem, quotes)
    return 0 if valid else 1


def _settings(arguments: argparse.Namespace) -> Settings | None:
    path = settings_path(arguments.config)
    return load_settings(path) if path.exists() or arguments.config else None


def _verified(receipt: str, key: Path) -> tuple[dict[str, Any], str]:
    try:
        text = Path(receipt).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as exc:
        raise BadRequest(f"cannot read {receipt}: {exc}") from exc
    try:
        return verify_receipt(text, load_public_key(key)), ""
    except ReceiptInvalid as exc:
        return {}, exc.message


async def _quotations(settings: Settings, citations: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Slice every quotation out of the stored version again."""
    if not Paths(settings.data_dir).catalog.exists():
        return []
    principal = operator_principal(settings)
    found = []
    async with open_library(settings) as library:
        for number, citation in enumerate(citations, 1):
            state = "gone"
            try:
                version = await library.text(
                    principal, citation["document_id"], citation["version"]
                )
                quote = Span(citation["start_char"], citation["end_char"]).of(version.text)
                intact = digest_text(version.text) == citation["version"]
                state = "same" if intact and quote == citation["quote"] else "differs"
            except NotFound:
                pass
            found.append({"citation": number, "document": citation["key"], "state": state})
    return found


def _print(body: dict[str, Any], problem: str, quotes: list[dict[str, Any]]) -> None:
    if problem:
        print(f"{coloured('INVALID', RED)}: {problem}")
        return
    print(f"{coloured('valid', GREEN)}: signature and digest fit")
    print(
        f"{body['status']} at {body['asked_at']}, {len(body['claims'])} claims, {len(body['citations'])} citations"
    )
    colours = {"same": GREEN, "differs": RED, "gone": YELLOW}
    for quote in quotes:
        state = coloured(quote["state"], colours[quote["state"]])
        print(f"  [{quote['citation']}] {quote['document']}: {state}")
