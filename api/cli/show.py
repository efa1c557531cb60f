"""`sworn show`."""

import argparse
import asyncio
import json
from dataclasses import asdict
from typing import Any

from api.cli.common import DIM, MARKED, add_command, add_json, coloured, print_json, settings_of
from api.keys import operator_principal
from rag.adapters.store.library import Library, VersionText
from rag.domain.document import Principal
from rag.domain.errors import BadRequest
from rag.domain.words import Span
from rag.settings import Settings
from rag.wiring import open_library

EXAMPLES = """
  sworn show handbook/leave-policy.md
  sworn show doc_2b6o4... --span 120:180            a span highlighted
  sworn show --receipt receipt.json --citation 1    the passage that an answer cites
"""


def add_to(commands: Any) -> None:
    parser = add_command(
        commands, "show", run, "print the canonical text of a document or version", EXAMPLES
    )
    parser.add_argument("document", nargs="?", help="silo/key or document id")
    parser.add_argument("--version", metavar="DIGEST", help="a version (default: the current one)")
    parser.add_argument("--span", metavar="START:END", help="highlight these code points")
    parser.add_argument("--receipt", metavar="FILE", help="show what a receipt cites")
    parser.add_argument("--citation", type=int, default=1, help="which of its citations")
    add_json(parser)


def run(arguments: argparse.Namespace) -> int:
    settings = settings_of(arguments)
    if arguments.receipt:
        _read_receipt(arguments)
    if not arguments.document:
        raise BadRequest("name a document, or a receipt with --receipt")
    span = _span(arguments.span)
    found = asyncio.run(_find(settings, arguments.document, arguments.version))
    if span is not None and span.end > len(found.text):
        raise BadRequest(f"the text has {len(found.text)} code points; the span ends after them")
    if arguments.json:
        print_json(_row(found, span))
    else:
        document = found.document
        print(coloured(f"{document.silo}/{document.key}  {document.title}", DIM))
        print(coloured(f"{document.id}  {found.version.digest}", DIM))
        print(_highlighted(found.text, span))
    return 0


def _read_receipt(arguments: argparse.Namespace) -> None:
    try:
        with open(arguments.receipt, encoding="utf-8") as file:
            citation = json.load(file)["body"]["citations"][arguments.citation - 1]
        arguments.document, arguments.version = citation["document_id"], citation["version"]
        arguments.span = f"{citation['start_char']}:{citation['end_char']}"
    except OSError as exc:
        raise BadRequest(f"cannot read {arguments.receipt}: {exc.strerror}") from exc
    except (ValueError, KeyError, IndexError, TypeError) as exc:
        raise BadRequest(f"{arguments.receipt} has no citation {arguments.citation}") from exc


def _span(text: str | None) -> Span | None:
    if text is None:
        return None
    try:
        start, end = (int(part) for part in text.split(":"))
        return Span(start, end)
    except ValueError as exc:
        raise BadRequest(f"--span wants START:END, not {text!r}") from exc


async def _find(settings: Settings, name: str, version: str | None) -> VersionText:
    principal = operator_principal(settings)
    async with open_library(settings) as library:
        document_id = name if name.startswith("doc_") else await _id(library, principal, name)
        return await library.text(principal, document_id, version)


async def _id(library: Library, principal: Principal, name: str) -> str:
    silo, _, key = name.partition("/")
    return (await library.find(principal, silo, key)).id


def _highlighted(text: str, span: Span | None) -> str:
    if span is None:
        return text
    marked = coloured(span.of(text), MARKED)
    marked = marked if marked != span.of(text) else f">>>{marked}<<<"
    return text[: span.start] + marked + text[span.end :]


def _row(found: VersionText, span: Span | None) -> dict[str, Any]:
    return {
        "document": asdict(found.document),
        "version": asdict(found.version),
        "text": found.text,
        "elements": [
            {"kind": e.kind.value, "start_char": e.span.start, "end_char": e.span.end,
             "section": list(e.section), "page": e.page}
            for e in found.elements
        ],
        "span": None if span is None else {"start_char": span.start, "end_char": span.end,
                                           "text": span.of(found.text)},
    }  # fmt: skip
