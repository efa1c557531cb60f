"""`sworn init` and `sworn config`."""

import argparse
from pathlib import Path
from typing import Any

from api.cli.common import add_command, print_json, settings_of
from rag.adapters.settings_reference import commented_toml
from rag.domain.errors import ConfigError
from rag.settings import settings_path

INIT_EXAMPLES = """
  sworn init                          a silo for the folder documents/ here
  sworn init --root ~/Documents --id docs
"""
CONFIG_EXAMPLES = """
  sworn config                        effective settings, secrets as asterisks
  SWORN__SERVER__PORT=9000 sworn config
"""


def add_to(commands: Any) -> None:
    parser = add_command(commands, "init", run_init, "write a commented sworn.toml", INIT_EXAMPLES)
    parser.add_argument("--root", default="documents", help="folder of the first silo")
    parser.add_argument("--id", default="documents", help="name of the first silo")
    parser.add_argument("--force", action="store_true", help="overwrite an existing file")
    add_command(
        commands, "config", run_config, "print the effective settings, secrets redacted",
        CONFIG_EXAMPLES,
    )  # fmt: skip


def run_init(arguments: argparse.Namespace) -> int:
    path = settings_path(arguments.config)
    if path.exists() and not arguments.force:
        raise ConfigError(f"{path} exists", remedy="--force overwrites it")
    root = Path(arguments.root).expanduser()
    path.write_text(commented_toml(arguments.id, str(root)), encoding="utf-8")
    note = "" if root.is_dir() else f"; make the folder {root} or change `root` in it"
    print(f"wrote {path}{note}\nnext: sworn serve")
    return 0


def run_config(arguments: argparse.Namespace) -> int:
    settings = settings_of(arguments)
    print_json({**settings.redacted(), "digest": settings.digest})
    return 0
