"""A process that has imported everything and forks on request: a child costs milliseconds.

Children end by SIGKILL mostly, so they report through files. Commands are lines of JSON.
"""

import ctypes
import importlib
import json
import os
import signal
import ssl
import subprocess
import sys
import traceback
from collections.abc import Mapping
from pathlib import Path
from typing import Any

TESTS = Path(__file__).resolve().parent.parent
# What the children use, imported once. None of it may start a thread before the fork.
IMPORTS = ("chromadb", "alembic.command", "connectors.__main__", "support.crashing")
_PR_SET_PDEATHSIG = 1
SAID_CHARS = 4_000


class Zygote:
    """The parent's end."""

    def __init__(self, log: Path) -> None:
        self._log = log
        environment = {
            **os.environ,
            "PYTHONPATH": f"{TESTS.parent}{os.pathsep}{TESTS}",
            # A pool of threads would not survive the fork.
            "OPENBLAS_NUM_THREADS": "1",
            "OMP_NUM_THREADS": "1",
        }
        with log.open("ab") as output:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "support.zygote"],
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=output,
                text=True, env=environment,
            )  # fmt: skip

    def start(self, function: str, **arguments: Any) -> int:
        """Fork, and call `module:function` with the arguments in the child; returns its pid."""
        return self._ask({"start": function, "arguments": arguments})

    def wait(self, pid: int) -> int:
        """The child's exit status, negative for the signal that ended it."""
        return self._ask({"wait": pid})

    def run(self, function: str, **arguments: Any) -> int:
        """Start and wait."""
        return self.wait(self.start(function, **arguments))

    @property
    def said(self) -> str:
        """The end of what its children have printed, for the message of a failed assertion."""
        return self._log.read_text(errors="replace")[-SAID_CHARS:]

    def close(self) -> None:
        """End; what it has forked ends with it."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        self._process.wait()
        self._process.stdout.close()

    def _ask(self, command: Mapping[str, Any]) -> int:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(command) + "\n")
        self._process.stdin.flush()
        return int(self._process.stdout.readline())


def main() -> None:
    """Import, then fork on request until standard input ends."""
    # Nothing here speaks TLS, and every client would read all certificates at its start.
    ssl.SSLContext.load_verify_locations = lambda *_, **__: None  # type: ignore[method-assign]
    for name in IMPORTS:
        importlib.import_module(name)
    for line in sys.stdin:
        command = json.loads(line)
        if "wait" in command:
            _, status = os.waitpid(command["wait"], 0)
            answer = os.waitstatus_to_exitcode(status)
        else:
            answer = os.fork()
            if answer == 0:
                _child(command["start"], command["arguments"])
        print(answer, flush=True)


def _child(function: str, arguments: Mapping[str, Any]) -> None:
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.dup2(2, 1)
    status = 1
    try:
        module, _, name = function.partition(":")
        status = getattr(importlib.import_module(module), name)(**arguments) or 0
    except SystemExit as exc:
        status = int(exc.code or 0)
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stderr.flush()
        os._exit(status)


if __name__ == "__main__":
    main()
