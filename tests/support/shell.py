"""The command line as its users run it: real processes in a folder of their own."""

import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from support.organisation import LEAVE, MEALS

ROOT = Path(__file__).parent.parent.parent
Done = subprocess.CompletedProcess


@dataclass
class Shell:
    """A folder to run `sworn` in."""

    folder: Path
    env: dict[str, str] = field(default_factory=dict)

    def __call__(
        self, *words: str, env: dict[str, str] | None = None, said: str = ""
    ) -> "Done[str]":
        """Run `sworn WORDS`; `said` is what the person at the keyboard types."""
        return subprocess.run(
            [sys.executable, "-m", "api.cli.main", *words],
            cwd=self.folder, env={**self.env, **(env or {})}, input=said,
            capture_output=True, text=True, check=False, timeout=120,
        )  # fmt: skip

    def ok(self, *words: str) -> str:
        """Standard output of a command that must do its work."""
        done = self(*words)
        assert done.returncode == 0, (words, done.returncode, done.stdout, done.stderr)
        return done.stdout


def shell_in(folder: Path, models: Path) -> Shell:
    env = {
        "PATH": os.environ["PATH"], "HOME": str(folder), "PYTHONPATH": str(ROOT),
        "SWORN__EMBEDDER__CACHE_DIR": str(models), "LANG": "C.UTF-8",
    }  # fmt: skip
    return Shell(folder, env)


def write_documents(folder: Path, names: Sequence[str] = ("leave.md", "travel.md")) -> None:
    texts = {
        "leave.md": f"# Annual leave\n\n{LEAVE}\n",
        "travel.md": f"# Travel\n\n{MEALS}\n",
    }
    (folder / "documents").mkdir(exist_ok=True)
    for name in names:
        (folder / "documents" / name).write_text(texts[name])
