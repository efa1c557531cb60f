"""The command line: one small function per command, found in the modules beside this one.

Exit status: 0 fine, 1 found something (an abstention, an unsupported claim, a quarantined
document, an invalid receipt), 2 usage or configuration, 3 try again.
"""

import argparse
import os
import sys
from collections.abc import Callable, Sequence
from importlib import import_module
from importlib.metadata import version
from typing import Final

from rag.domain.errors import ConfigError, RagError
from rag.telemetry import configure_logging

Command = Callable[[argparse.Namespace], int]

# Each module adds one command or two. Only the one that is asked for is imported.
MODULES: Final = {
    "init": ("init", "config"),
    "serve": ("serve",),
    "sync": ("sync", "rebuild"),
    "status": ("status",),
    "ask": ("ask",),
    "check": ("check",),
    "show": ("show",),
    "verify": ("verify",),
    "review": ("review",),
    "calibrate": ("calibrate",),
    "keys": ("keys",),
}

EPILOG: Final = """examples:
  sworn init --root ~/Documents      write a commented sworn.toml for a folder
  sworn serve                        index, watch and answer over HTTP
  sworn ask "How many days of annual leave do I get?"
  sworn status                       silos, counts, lag, quarantined documents
  sworn verify receipt.json          check a receipt offline

exit status: 0 fine, 1 found something, 2 usage or configuration, 3 try again
"""


def main() -> int:
    """Run one command."""
    parser = build_parser(sys.argv[1:])
    arguments = parser.parse_args()
    configure_logging(arguments.log_level)
    command: Command | None = getattr(arguments, "run", None)
    if command is None:
        parser.print_help()
        return 2
    try:
        return command(arguments)
    except RagError as exc:
        print(f"sworn: {exc}", file=sys.stderr)
        return _status(exc)
    except BrokenPipeError:
        # Whoever reads us has seen enough.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except KeyboardInterrupt:
        return 130


def build_parser(words: Sequence[str] = ()) -> argparse.ArgumentParser:
    """The command line: only the command that `words` name, or all of them.

    docs/cli.md is generated from the whole.
    """
    parser = argparse.ArgumentParser(
        prog="sworn",
        description="Answers from your own silos, every claim verified, with receipts.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"sworn {version('sworn')}")
    parser.add_argument(
        "--config", metavar="FILE", help="settings file (default: $SWORN_CONFIG or sworn.toml)"
    )
    parser.add_argument(
        "--log-level", default="warning", choices=("debug", "info", "warning", "error")
    )
    commands = parser.add_subparsers(title="commands", metavar="COMMAND")
    named = [module for module, names in MODULES.items() if set(names) & set(words)]
    for module in named if len(named) == 1 else MODULES:
        import_module(f"api.cli.{module}").add_to(commands)
    return parser


def _status(error: RagError) -> int:
    if isinstance(error, ConfigError):
        return 2
    return 3 if error.retryable else 2 if error.code != "receipt_invalid" else 1


if __name__ == "__main__":
    sys.exit(main())
