"""What the commands share: adding themselves, reading settings, printing."""

import argparse
import json
import sys
from collections.abc import Callable
from typing import Any

from rag.settings import Settings, load_settings, settings_path

Commands = Any  # argparse keeps the type of its sub-parsers to itself.


def add_command(
    commands: Commands,
    name: str,
    run: Callable[[argparse.Namespace], int],
    help_: str,
    examples: str,
) -> argparse.ArgumentParser:
    """A sub-command with examples in its help."""
    parser: argparse.ArgumentParser = commands.add_parser(
        name,
        help=help_,
        description=help_[0].upper() + help_[1:] + ".",
        epilog="examples:\n" + examples.strip("\n"),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.set_defaults(run=run)
    return parser


def add_json(parser: argparse.ArgumentParser) -> None:
    """The option `--json`."""
    parser.add_argument("--json", action="store_true", help="print JSON on standard output")


def settings_of(arguments: argparse.Namespace) -> Settings:
    """The settings that the command is to use."""
    return load_settings(settings_path(arguments.config))


def print_json(value: object) -> None:
    """JSON for machines, readable for people."""
    print(json.dumps(value, indent=2, ensure_ascii=False))


def coloured(text: str, code: str) -> str:
    """`text` in a terminal's colour; plain where standard output is no terminal."""
    return f"\x1b[{code}m{text}\x1b[0m" if sys.stdout.isatty() else text


BOLD, DIM, GREEN, RED, YELLOW = "1", "2", "32", "31", "33"
UNDERLINED, MARKED = "4", "30;43"
