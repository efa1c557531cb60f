"""What the README shows is what happens."""

import json
import os
import re
import shlex
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from api.schemas import AnswerRequest

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
SWORN = [sys.executable, "-m", "api.cli.main"]


def example() -> tuple[list[str], str]:
    """The command that the README shows, and what it prints."""
    found = re.search(r"```console\n\$ (.+)\n((?:.*\n)+?)```", README)
    assert found is not None
    command, output = found.groups()
    return shlex.split(command), output


def curl() -> tuple[str, dict[str, str], dict[str, str]]:
    """Path, headers and body of the README's request."""
    found = re.search(r"```\n(curl (?:.*\n)+?)```", README)
    assert found is not None
    words = shlex.split(found[1].replace("\\\n", " "))
    headers = [words[i + 1] for i, word in enumerate(words) if word == "-H"]
    url = next(word for word in words if word.startswith("http://"))
    body = words[words.index("-d") + 1]
    return (
        url.removeprefix("http://127.0.0.1:8321"),
        dict(header.split(": ", 1) for header in headers),
        json.loads(body),
    )


def without_digests(text: str) -> str:
    return re.sub(r"sha256:[0-9a-f]+", "sha256:", text)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def lines_until(process: subprocess.Popen[str], last: str) -> Iterator[str]:
    assert process.stdout is not None
    for line in process.stdout:
        yield line
        if line.startswith(last):
            return
    raise AssertionError(f"the server ended before {last!r}")


def test_request_of_the_readme_is_valid() -> None:
    path, headers, body = curl()
    assert path == "/v1/answers"
    assert headers["Content-Type"] == "application/json"
    assert headers["Authorization"] == "Bearer $(cat data/state/keys/operator.key)"
    AnswerRequest.model_validate(body)


def test_readme_asks_one_question_everywhere() -> None:
    question = example()[0][-1]
    assert curl()[2]["question"] == question
    run = re.search(r'serve --ask "(.+)"', (ROOT / "Makefile").read_text())
    assert run is not None
    assert run[1] == question


@pytest.mark.parametrize("document, lines_max", [("README.md", 70), ("ARCHITECTURE.md", 300)])
def test_documents_keep_their_length(document: str, lines_max: int) -> None:
    assert len((ROOT / document).read_text(encoding="utf-8").splitlines()) <= lines_max


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_readme_shows_what_happens(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    command, shown = example()
    assert command[:2] == [".venv/bin/sworn", "ask"]
    port = free_port()
    monkeypatch.setenv("SWORN__DATA_DIR", str(tmp_path / "state"))
    monkeypatch.setenv("SWORN__SERVER__PORT", str(port))
    monkeypatch.chdir(ROOT)

    # make run: all of data/ is indexed, and the question is answered.
    with subprocess.Popen(
        [*SWORN, "serve", "--ask", command[-1]], stdout=subprocess.PIPE, text=True
    ) as server:
        try:
            printed = "".join(lines_until(server, "answered, receipt"))
            assert "documents are citable" in printed
            assert without_digests(shown) in without_digests(printed)

            path, headers, body = curl()
            key = (tmp_path / "state/keys/operator.key").read_text().strip()
            headers["Authorization"] = f"Bearer {key}"
            url = f"http://127.0.0.1:{port}{path}"
            response = httpx.post(url, headers=headers, json=body, timeout=60.0)
            assert response.status_code == 200
            answer = response.json()
            assert answer["text"] == shown.splitlines()[0]
            assert f"“{answer['citations'][0]['cited_text']}”" in shown
        finally:
            server.send_signal(signal.SIGTERM)
            server.wait(30)

    # The same without a server, with its receipt.
    receipt = tmp_path / "receipt.json"
    asked = run([*SWORN, *command[1:], "--receipt", str(receipt)])
    assert without_digests(asked) == without_digests(shown)
    assert "valid: signature and digest fit" in run([*SWORN, "verify", str(receipt)])
    marked = run([*SWORN, "show", "--receipt", str(receipt)])
    quoted = re.search("“(.+)”", shown)
    assert quoted is not None
    assert f">>>{quoted[1]}<<<" in marked


def run(command: list[str]) -> str:
    started_s = time.monotonic()
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=os.environ)
    assert done.returncode == 0, f"{done.stderr} after {time.monotonic() - started_s:.0f} s"
    return done.stdout


def test_settings_for_own_documents_are_written_and_read(tmp_path: Path) -> None:
    found = re.search(r"\.venv/bin/sworn (--config mine\.toml init --root ~/Documents)", README)
    assert found is not None
    words = found[1].replace("~/Documents", str(tmp_path)).split()
    subprocess.run([*SWORN, *words], check=True, capture_output=True, cwd=tmp_path, env=_env())
    done = subprocess.run(
        [*SWORN, "--config", "mine.toml", "config"],
        check=True, capture_output=True, text=True, cwd=tmp_path, env=_env(),
    )  # fmt: skip
    assert json.loads(done.stdout)["silos"][0]["root"] == str(tmp_path)


def _env() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(ROOT)}
