"""The whole of `sworn serve`: real processes, real files, and things that go wrong with both."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest

ROOT = Path(__file__).parent.parent.parent
LEAVE = "Full-time employees get 28 days of annual leave per year."
QUESTION = "How many days of annual leave do full-time employees get?"
CANARY = "xylocarpcanary"

pytestmark = [pytest.mark.slow, pytest.mark.timeout(240)]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def until(true: Callable[[], Any], deadline_s: float = 60.0) -> Any:
    """What `true` gives once it is something; asked again and again."""
    deadline = time.monotonic() + deadline_s
    while not (found := true()):
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.02)
    return found


@dataclass
class Served:
    """A running `sworn serve` and its folder."""

    folder: Path
    env: dict[str, str]
    port: int
    process: "subprocess.Popen[bytes]"

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def output(self) -> str:
        return (self.folder / "out").read_text()

    def client(self) -> httpx.Client:
        key = (self.folder / "state" / "keys" / "operator.key").read_text().strip()
        headers = {"Authorization": f"Bearer {key}"}
        return httpx.Client(base_url=self.url, headers=headers, timeout=30)

    def write(self, name: str, text: str) -> None:
        (self.folder / "documents" / name).write_text(text)

    def ask(self, question: str = QUESTION) -> tuple[int, dict[str, Any]]:
        with self.client() as http:
            response = http.post("/v1/answers", json={"question": question})
        return response.status_code, response.json()

    def says(self, text: str, question: str = QUESTION) -> bool:
        status, body = self.ask(question)
        return status in {200, 206} and text in body["text"]

    def child(self, word: str) -> psutil.Process:
        """The direct child whose command holds `word`."""

        def find() -> psutil.Process | None:
            for child in psutil.Process(self.process.pid).children():
                try:
                    if any(word in part for part in child.cmdline()[:3]):
                        return child
                except psutil.Error:
                    continue
            return None

        return until(find)  # type: ignore[no-any-return]

    def ready(self) -> bool:
        try:
            return httpx.get(f"{self.url}/readyz", timeout=5).status_code == 200
        except httpx.TransportError:
            return False

    def everyone(self) -> list[psutil.Process]:
        """All processes below it, however deep."""
        return psutil.Process(self.process.pid).children(recursive=True)


def sworn(served_in: Path, env: dict[str, str], *words: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-m", "api.cli.main", *words], cwd=served_in, env=env,
        stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip


def prepare(folder: Path, models: Path, port: int) -> dict[str, str]:
    (folder / "documents").mkdir()
    (folder / "documents" / "leave.md").write_text(f"# Annual leave\n\n{LEAVE}\n")
    (folder / "documents" / "canary.md").write_text(f"# Canary\n\nThe {CANARY} sleeps.\n")
    (folder / "sworn.toml").write_text(
        f"""
data_dir = "state"
[server]
port = {port}
[retrieval]
exact_scan_below = 0
[[silos]]
id = "documents"
root = "documents"
open_to_all = true
"""
    )
    return {
        "PATH": os.environ["PATH"], "HOME": str(folder), "PYTHONPATH": str(ROOT),
        "SWORN__EMBEDDER__CACHE_DIR": str(models),
    }  # fmt: skip


def start(folder: Path, env: dict[str, str], port: int) -> Served:
    with open(folder / "out", "ab") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "api.cli.main", "serve"],
            cwd=folder, env=env, stdin=subprocess.DEVNULL, stdout=output, stderr=output,
        )  # fmt: skip
    return Served(folder, env, port, process)


def end(served: Served) -> None:
    """Whatever a test has left running."""
    left = served.everyone() if served.process.poll() is None else []
    if served.process.poll() is None:
        served.process.terminate()
        try:
            served.process.wait(10)
        except subprocess.TimeoutExpired:
            served.process.kill()
            served.process.wait(10)
    for child in left:
        try:
            child.kill()
        except psutil.NoSuchProcess:
            continue


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory, model_cache: Path) -> Iterator[Served]:
    """One server for the tests that leave it as they found it."""
    folder, port = tmp_path_factory.mktemp("served"), free_port()
    served = start(folder, prepare(folder, model_cache, port), port)
    try:
        until(lambda: "documents are citable" in served.output or served.process.poll() is not None)
        assert served.process.poll() is None, served.output
        yield served
    finally:
        end(served)


@pytest.fixture
def served(shared: Served) -> Served:
    """Ready again, whatever the test before has done to it."""
    until(shared.ready)
    return shared


def test_it_says_when_it_is_ready_and_answers(served: Served) -> None:
    assert f"Sworn answers at {served.url}" in served.output
    assert "operator's key: state/keys/operator.key" in served.output
    assert "2 documents are citable" in served.output
    status, body = served.ask()
    assert (status, body["status"]) == (200, "answered")
    assert LEAVE in body["text"]
    with served.client() as http:
        ready = http.get("/readyz").json()
        assert (ready["ready"], ready["degraded"]) == (True, [])
        assert ready["ports"]["vector_index"]["ok"] is True


def test_an_edit_is_citable_and_a_removal_is_gone_within_seconds(served: Served) -> None:
    served.write("pets.md", "# Pets\n\nDogs may come on 2 days a week.\n")
    question = "On how many days a week may dogs come?"
    until(lambda: served.says("2 days", question), 15)
    edited_s = time.monotonic()
    served.write("pets.md", "# Pets\n\nDogs may come on 4 days a week.\n")
    until(lambda: served.says("4 days", question), 15)
    seconds = time.monotonic() - edited_s
    assert not served.says("2 days", question)
    (served.folder / "documents" / "pets.md").unlink()
    until(lambda: not served.says("days a week", question), 15)
    assert seconds < 10
    with served.client() as http:
        keys = [d["key"] for d in http.get("/v1/documents").json()["documents"]]
    assert "pets.md" not in keys


def test_commands_work_through_the_running_server(served: Served) -> None:
    done = sworn(served.folder, served.env, "ask", QUESTION, "--receipt", "receipt.json")
    assert done.returncode == 0, done.stderr
    assert LEAVE in done.stdout
    assert sworn(served.folder, served.env, "verify", "receipt.json").returncode == 0
    done = sworn(served.folder, served.env, "status", "--json")
    assert json.loads(done.stdout)["server"] == served.url
    done = sworn(served.folder, served.env, "sync")
    assert done.stdout == "documents: Diff: +0 ~0 -0 =2\n"
    done = sworn(served.folder, served.env, "keys", "create", "--name", "bot", "--json")
    (made,) = json.loads(done.stdout)
    done = sworn(served.folder, served.env, "ask", QUESTION, "--key", made["secret"])
    assert done.returncode == 0, done.stderr
    assert sworn(served.folder, served.env, "keys", "revoke", made["id"]).returncode == 0
    done = sworn(served.folder, served.env, "ask", QUESTION, "--key", made["secret"])
    assert done.returncode in {2, 3}
    assert "opens nothing" in done.stderr


def test_a_second_one_on_the_same_folder_is_refused(served: Served) -> None:
    done = sworn(served.folder, served.env, "serve")
    assert done.returncode == 3
    assert f"is in use by sworn serve (pid {served.process.pid})" in done.stderr
    assert "stop it first" in done.stderr
    assert "Traceback" not in done.stderr
    assert served.says(LEAVE)


def test_a_taken_port_is_named(served: Served, tmp_path: Path, model_cache: Path) -> None:
    env = prepare(tmp_path, model_cache, served.port)
    done = sworn(tmp_path, env, "serve")
    assert done.returncode == 3
    assert f"cannot listen on 127.0.0.1:{served.port}" in done.stderr
    assert "server.port" in done.stderr
    assert served.says(LEAVE)


def test_without_chroma_it_answers_degraded_and_recovers(served: Served) -> None:
    until(lambda: served.ask()[0] == 200)
    seen = set()
    for _ in range(5):
        chroma = served.child("chroma")
        chroma.kill()
        psutil.wait_procs([chroma], 5)
        status, body = served.ask()
        assert status in {200, 206}
        assert LEAVE in body["text"]
        seen.add((status, *body["degraded"]))
        if (206, "vector_index") in seen:
            break
    assert (206, "vector_index") in seen
    until(lambda: served.ask()[0] == 200)
    served.write("after.md", "# After\n\nThe gate opens at 6:30.\n")
    until(lambda: served.says("6:30", "When does the gate open?"))
    (served.folder / "documents" / "after.md").unlink()


@pytest.mark.parametrize("name", ["connectors", "api.server"])
def test_a_child_that_dies_is_started_again(served: Served, name: str) -> None:
    first = served.child(name)
    first.kill()
    psutil.wait_procs([first], 5)
    until(lambda: served.child(name).pid != first.pid)
    until(served.ready)
    text = f"The bell of {name.replace('.', '')} rings at 9:15."
    served.write("bell.md", f"# Bell\n\n{text}\n")
    until(lambda: served.says("9:15", f"When does the bell of {name.replace('.', '')} ring?"))
    (served.folder / "documents" / "bell.md").unlink()
    until(lambda: not served.says("9:15", "When does the bell ring?"))
    assert served.process.poll() is None


def test_logs_hold_no_text_no_question_and_no_key(served: Served) -> None:
    until(lambda: served.ask(f"Where does the {CANARY} sleep?")[0] in {200, 206})
    with served.client() as http:
        http.post("/v1/answers", json={"question": CANARY * 1000})
        http.get("/v1/documents", headers={"Authorization": f"Bearer sworn_{CANARY}"})
    key = (served.folder / "state" / "keys" / "operator.key").read_text().strip()
    logs = list((served.folder / "state" / "run").glob("*.log"))
    assert {p.name for p in logs} >= {"api.log", "chroma.log", "indexer.log"}
    assert "document.committed" in (served.folder / "state" / "run" / "indexer.log").read_text()
    for path in [*logs, served.folder / "out"]:
        text = path.read_text(errors="replace")
        for hidden in (CANARY, key, LEAVE, "annual leave"):
            assert hidden not in text, path.name


def test_nothing_listens_but_on_loopback(served: Served) -> None:
    everyone = [psutil.Process(served.process.pid), *served.everyone()]
    found = [c for p in everyone for c in p.net_connections("inet")]
    listening = {c.laddr.ip for c in found if c.status == psutil.CONN_LISTEN}
    assert listening == {"127.0.0.1"}
    assert {c.raddr.ip for c in found if c.raddr} <= {"127.0.0.1"}


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_stops_everything_in_time(
    tmp_path: Path, model_cache: Path, number: signal.Signals
) -> None:
    port = free_port()
    served = start(tmp_path, prepare(tmp_path, model_cache, port), port)
    try:
        until(lambda: "documents are citable" in served.output)
        everyone = served.everyone()
        assert len(everyone) >= 3
        # One connection is idle, and one sends a request that it never finishes.
        with served.client() as http, socket.create_connection(("127.0.0.1", port)) as half:
            half.sendall(b"POST /v1/answers HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{")
            assert http.get("/healthz").status_code == 200
            asked_s = time.monotonic()
            served.process.send_signal(number)
            assert served.process.wait(20) == 0
            # Open requests have 4 s, and who is still there after 4.5 s is killed.
            assert time.monotonic() - asked_s < 10
        _, alive = psutil.wait_procs(everyone, timeout=5)
        assert alive == []
        assert "Traceback" not in served.output
        assert not (tmp_path / "state" / "run" / "serve.json").exists()
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(("127.0.0.1", port))
    finally:
        end(served)


def test_killed_it_takes_its_children_along_and_can_start_again(
    tmp_path: Path, model_cache: Path
) -> None:
    port = free_port()
    env = prepare(tmp_path, model_cache, port)
    served = start(tmp_path, env, port)
    try:
        until(lambda: "documents are citable" in served.output)
        everyone = served.everyone()
        served.process.kill()
        served.process.wait(10)
        _, alive = psutil.wait_procs(everyone, timeout=15)
        assert alive == []
        (tmp_path / "out").unlink()
        served = start(tmp_path, env, port)
        until(lambda: "documents are citable" in served.output)
        assert served.says(LEAVE)
    finally:
        end(served)


def test_settings_that_a_child_refuses_stop_it(tmp_path: Path, model_cache: Path) -> None:
    env = prepare(tmp_path, model_cache, free_port())
    path = tmp_path / "sworn.toml"
    path.write_text(
        path.read_text().replace('root = "documents"', 'root = "documents"\nkind = "x"')
    )
    done = sworn(tmp_path, env, "serve")
    assert done.returncode == 2
    assert "unknown kind 'x'" in done.stderr
    assert "Traceback" not in done.stderr
