"""The generated references: `python -m api.reference docs` writes them into the folder docs/.

docs/settings.md and docs/cli.md are written whole; in docs/api.md only the table of problem codes
is. The same code gives the same bytes, whatever terminal it runs in.
"""

import argparse
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

from api.cli.main import build_parser
from api.problems import STATUS
from rag.adapters.settings_reference import settings_markdown
from rag.domain.errors import RagError

USAGE: Final = "usage: python -m api.reference FOLDER"
PROBLEMS_BEGIN: Final = "<!-- problem codes: written by `make docs` -->"
PROBLEMS_END: Final = "<!-- end of problem codes -->"
WIDTH: Final = 88

# What a code means to whoever receives it.
MEANINGS: Final[Mapping[str, str]] = {
    "internal": "A fault of Sworn; the log of the API says more.",
    "config": "A setting is missing or wrong.",
    "silo": "A silo failed.",
    "silo_unavailable": "A silo cannot be reached now.",
    "silo_denied": "A silo refuses Sworn this document.",
    "document_gone": "The document vanished from its silo.",
    "cursor_expired": "The silo no longer knows where Sworn had read to; it is listed anew.",
    "document": "A document cannot be read.",
    "parse_failed": "A document is damaged, encrypted or of an unknown type.",
    "too_large": "The body, or a document, is over its limit.",
    "store": "A store failed: disk full, or permissions of the data folder.",
    "store_unavailable": "A store cannot be reached now, or Sworn is still starting.",
    "model": "A model failed.",
    "model_unavailable": "A model is missing, damaged or not loaded.",
    "model_output_invalid": "A model gave something that cannot be used.",
    "request": "The request cannot be understood.",
    "question_too_long": "The question is longer than `server.question_max_chars`.",
    "bad_request": "A field is missing, unknown or out of range; `errors` names each.",
    "unauthenticated": "No key was given, or it is unknown, revoked or expired.",
    "not_allowed": "The key lacks the scope that this needs.",
    "not_found": "It does not exist, or the caller may not see it; which, is not said.",
    "overloaded": "`server.concurrency_max` questions are being answered already.",
    "integrity": "Stored content is not what it was.",
    "digest_mismatch": "Content does not have the digest that names it.",
    "receipt_invalid": "The receipt does not verify.",
}


def main(arguments: list[str]) -> int:
    """Write the references into the folder."""
    if len(arguments) != 1:
        print(USAGE, file=sys.stderr)
        return 2
    folder = Path(arguments[0])
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "settings.md").write_text(settings_markdown(), encoding="utf-8")
    (folder / "cli.md").write_text(cli_markdown(), encoding="utf-8")
    page = folder / "api.md"
    if page.exists():
        text = with_problems(page.read_text(encoding="utf-8"))
        page.write_text(text, encoding="utf-8")
    return 0


def with_problems(page: str) -> str:
    """`page` with the table of problem codes between its two markers.

    Raises:
        ValueError: a marker is missing.
    """
    before, begin, rest = page.partition(PROBLEMS_BEGIN)
    _, end, after = rest.partition(PROBLEMS_END)
    if not begin or not end:
        raise ValueError(f"the page lacks {PROBLEMS_END if begin else PROBLEMS_BEGIN!r}")
    return f"{before}{begin}\n{problem_table()}{end}{after}"


def problem_table() -> str:
    """Every code with its HTTP status and meaning, in the order of the error tree."""
    rows = ["| code | status | try again | meaning |", "|---|---|---|---|"]
    for error in _errors(RagError):
        again = "yes" if error.retryable else "no"
        rows.append(f"| `{error.code}` | {STATUS[error.code]} | {again} | {MEANINGS[error.code]} |")
    return "\n".join(rows) + "\n"


def _errors(root: type[RagError]) -> Iterator[type[RagError]]:
    """The tree of `rag.domain.errors`; what a tool adds for itself never reaches a response."""
    yield root
    for below in root.__subclasses__():
        if below.__module__ == RagError.__module__:
            yield from _errors(below)


def cli_markdown() -> str:
    """The command line: usage, arguments and examples of every command."""
    parser = build_parser()
    lines = ["# Command line", "", "Generated from the code by `make docs`; do not edit.", ""]
    lines += _command(parser)
    for command in _commands(parser).values():
        lines += [f"## `{command.prog}`", "", *_command(command)]
    return "\n".join(lines).rstrip("\n") + "\n"


def _command(parser: argparse.ArgumentParser) -> list[str]:
    lines = [parser.description or "", "", "```", _usage(parser), "```", ""]
    commands = _commands(parser)
    rows = [_row(action) for action in _actions(parser)]
    if rows:
        lines += ["| argument | meaning |", "|---|---|", *rows, ""]
    if commands:
        lines += ["| command | meaning |", "|---|---|"]
        lines += [f"| `{name}` | {c.description} |" for name, c in commands.items()] + [""]
    if parser.epilog:
        lines += ["```", parser.epilog.strip("\n"), "```", ""]
    return lines


def _usage(parser: argparse.ArgumentParser) -> str:
    # Fixed here: argparse would otherwise wrap at the width of the terminal.
    formatter = argparse.HelpFormatter(parser.prog, width=WIDTH)
    formatter.add_usage(parser.usage, parser._actions, parser._mutually_exclusive_groups)  # noqa: SLF001 - argparse offers no other way to them
    return formatter.format_help().strip("\n")


def _actions(parser: argparse.ArgumentParser) -> list[argparse.Action]:
    hidden = (argparse._HelpAction, argparse._SubParsersAction)  # noqa: SLF001 - as above
    return [a for a in parser._actions if not isinstance(a, hidden)]  # noqa: SLF001 - as above


def _commands(parser: argparse.ArgumentParser) -> dict[str, argparse.ArgumentParser]:
    for action in parser._actions:  # noqa: SLF001 - as above
        if isinstance(action, argparse._SubParsersAction):  # noqa: SLF001 - as above
            return dict(action.choices)
    return {}


def _row(action: argparse.Action) -> str:
    # Types and defaults are in the help texts where they matter.
    value = "" if action.nargs == 0 else f" {action.metavar or action.dest.upper()}"
    names = [f"`{o}{value}`" for o in action.option_strings] or [f"`{action.dest}`"]
    choices = " or ".join(f"`{choice}`" for choice in action.choices or ())
    meaning = "; ".join(part for part in (action.help or "", choices) if part)
    return f"| {', '.join(names)} | {meaning.replace('|', chr(92) + '|')} |"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
