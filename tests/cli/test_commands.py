"""Help, usage and errors of every command. Nothing here indexes anything."""

import io
import json
import re
import stat
from pathlib import Path

import pytest
from support.shell import Shell

from api.check_schemas import CheckedOut
from api.cli.main import build_parser, main
from rag.adapters.judge.calibrated import write_calibration
from rag.domain.calibration import Calibration, Point
from rag.settings import Paths

COMMANDS = (
    "init",
    "config",
    "serve",
    "sync",
    "rebuild",
    "status",
    "ask",
    "check",
    "show",
    "verify",
    "review",
    "calibrate",
    "keys",
)


def run_here(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, str, str]:
    """The command in this process: quicker, where nothing but words come out."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("sys.argv", ["sworn", *words])
        try:
            status = main()
        except SystemExit as exc:
            status = int(exc.code or 0)
    out, err = capsys.readouterr()
    return status, out, err


def test_these_are_all_commands() -> None:
    actions = [a for a in build_parser()._actions if a.choices and a.dest != "log_level"]
    assert set(actions[0].choices or ()) == set(COMMANDS)


@pytest.mark.parametrize("command", COMMANDS)
def test_help_has_examples(capsys: pytest.CaptureFixture[str], command: str) -> None:
    status, out, _ = run_here(capsys, command, "--help")
    assert status == 0
    examples = out.split("examples:\n", 1)[1]
    lines = [line.split("  ")[1] for line in examples.splitlines() if line.startswith("  sworn")]
    assert any(f"sworn {command}" in line for line in lines)


@pytest.mark.parametrize("command", COMMANDS)
def test_examples_are_accepted(capsys: pytest.CaptureFixture[str], command: str) -> None:
    """Every option that an example uses is there."""
    import shlex

    _, out, _ = run_here(capsys, command, "--help")
    for line in out.split("examples:\n", 1)[1].splitlines():
        found = re.match(r"\s*(?:\w+=\S+ )?sworn (\S.*)", line)
        if found is None:
            continue
        words = shlex.split(re.split(r" {3,}", found.group(1))[0], comments=False)
        arguments = build_parser().parse_args(words)
        assert callable(arguments.run)


def test_no_command_is_a_question_for_help(capsys: pytest.CaptureFixture[str]) -> None:
    status, out, _ = run_here(capsys)
    assert status == 2
    assert "exit status: 0 fine, 1 found something, 2 usage" in out


def test_as_a_program(shell: Shell) -> None:
    done = shell("--version")
    assert (done.returncode, done.stderr) == (0, "")
    assert re.fullmatch(r"sworn \d+\.\d+\.\d+\n", done.stdout)
    done = shell("nonsense")
    assert (done.returncode, done.stdout) == (2, "")
    assert "usage: sworn" in done.stderr


@pytest.mark.parametrize("words", ["ask", "ask x --policy lenient", "keys steal", "--log-level x"])
def test_wrong_usage(capsys: pytest.CaptureFixture[str], words: str) -> None:
    status, out, err = run_here(capsys, *words.split())
    assert (status, out) == (2, "")
    assert "usage: sworn" in err


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    "command",
    ["config", "serve", "sync", "rebuild", "status", "keys list", "ask x", "check x", "show x"],
)
def test_without_settings_the_remedy_is_named(
    capsys: pytest.CaptureFixture[str], folder: Path, command: str
) -> None:
    status, out, err = run_here(capsys, *command.split())
    assert (status, out) == (2, "")
    assert "no settings file at sworn.toml" in err
    assert "`sworn init` writes one" in err


def test_init_writes_settings_that_load(capsys: pytest.CaptureFixture[str], folder: Path) -> None:
    status, out, _ = run_here(capsys, "init", "--root", "papers", "--id", "papers")
    assert status == 0
    assert "make the folder papers" in out
    status, out, _ = run_here(capsys, "config")
    assert status == 0
    shown = json.loads(out)
    assert shown["silos"][0]["id"] == "papers"
    assert shown["silos"][0]["root"] == str(folder / "papers")
    assert shown["digest"].startswith("sha256:")
    before = (folder / "sworn.toml").read_text()
    status, _, err = run_here(capsys, "init")
    assert status == 2
    assert "exists" in err
    assert "--force overwrites it" in err
    assert (folder / "sworn.toml").read_text() == before
    assert run_here(capsys, "init", "--force")[0] == 0
    assert (folder / "sworn.toml").read_text() != before


def test_every_line_that_init_comments_out_is_a_valid_setting(
    capsys: pytest.CaptureFixture[str], folder: Path
) -> None:
    run_here(capsys, "init")
    default = json.loads(run_here(capsys, "config")[1])
    lines = (folder / "sworn.toml").read_text().splitlines()
    # Bracket lines and `name = value`; prose and the example of access rules stay comments.
    opened = [
        re.sub(r"^# ", "", line)
        if re.match(r"# (\[\w+\]$|[a-z_]+ = (?!\[$))", line) else line
        for line in lines
    ]  # fmt: skip
    (folder / "sworn.toml").write_text("\n".join(opened))
    status, out, err = run_here(capsys, "config")
    assert status == 0, err
    assert {**json.loads(out), "digest": ""} == {**default, "digest": ""}


@pytest.mark.parametrize(
    ("text", "cause"),
    [
        ("nonsense = 1", "nonsense"),
        ("[server]\nport = 70000", "server.port"),
        ("[server]\nprot = 1", "server.prot"),
        ('[[silos]]\nid = "a b"\nroot = "x"', "silos.0.id"),
        ('[[silos]]\nid = "a"\nroot = "x"\n[[silos]]\nid = "a"\nroot = "y"', "two silos"),
        ("[server", "cannot read sworn.toml"),
        ('[verification]\npolicy = "lenient"', "verification.policy"),
    ],
)
def test_wrong_settings_name_the_key(
    capsys: pytest.CaptureFixture[str], folder: Path, text: str, cause: str
) -> None:
    (folder / "sworn.toml").write_text(text)
    status, out, err = run_here(capsys, "config")
    assert (status, out) == (2, "")
    assert err.startswith("sworn: ")
    assert cause in err
    assert "Traceback" not in err


def test_the_environment_wins_over_the_file(
    capsys: pytest.CaptureFixture[str], folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_here(capsys, "init")
    before = json.loads(run_here(capsys, "config")[1])
    monkeypatch.setenv("SWORN__SERVER__PORT", "9123")
    after = json.loads(run_here(capsys, "config")[1])
    assert (before["server"]["port"], after["server"]["port"]) == (8321, 9123)
    assert before["digest"] != after["digest"]
    monkeypatch.setenv("SWORN__SERVER__PORT", "many")
    status, _, err = run_here(capsys, "config")
    assert status == 2
    assert "server.port" in err


@pytest.mark.parametrize(
    "command", ["status", "ask x", "check x", "show documents/x", "status --json"]
)
def test_before_the_first_sync_it_says_so(
    capsys: pytest.CaptureFixture[str], folder: Path, command: str
) -> None:
    run_here(capsys, "init")
    status, out, err = run_here(capsys, *command.split())
    assert (status, out) == (3, "")
    assert err.startswith("sworn: ")
    assert "sworn" in err.removeprefix("sworn: "), "the remedy is a command"


@pytest.mark.parametrize(
    ("words", "status"),
    [
        (["check", "Meals are 40 euros a day.", "--fact", "Meals are 40 euros a day."], 0),
        (["check", "Meals are 50 euros a day.", "--fact", "Meals are 40 euros a day."], 1),
        (["check", "Meals are 40 euros. Fish is blue.", "--fact", "Meals are 40 euros."], 1),
        (["check", "Meals are 40 euros.", "--fact", "Fish is red.", "--fact", "Meals are 40 euros."], 0),
        (["check", " ", "--fact", "Meals are 40 euros."], 1),
        (["check", "Is it so?", "--fact", "It is so."], 1),
        (["check", "Is it so? Meals are 40 euros.", "--fact", "Meals are 40 euros."], 0),
        (["check", "Meals are 40 euros.", "--fact", "Meals are 40 euros.", "--threshold", "1"], 1),
    ],
)  # fmt: skip
def test_check_against_facts(
    capsys: pytest.CaptureFixture[str], folder: Path, words: list[str], status: int
) -> None:
    """Needs no settings and no index."""
    found, out, _ = run_here(capsys, *words)
    assert found == status, out
    found, out, _ = run_here(capsys, *words, "--json")
    body = json.loads(out)
    assert found == status
    CheckedOut.model_validate(body)
    labels = [c["label"] for c in body["claims"] if c["groundingCheckRequired"]]
    assert (bool(labels) and set(labels) == {"supported"}) == (status == 0)
    assert (body["supportScore"] >= body["policy"]["calibratedThreshold"]) == (status == 0)


FEE = "Meals are 40 euros a day."


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("facts.txt", f"Cats sleep\nall day.\n\n  \n{FEE}\n\n"),
        ("facts.jsonl", f'{{"factText": "Cats."}}\n\n{{"factText": "{FEE}", "attributes": {{"by": "me"}}}}\n'),
    ],
)  # fmt: skip
def test_check_reads_facts_from_a_file_and_the_text_from_standard_input(
    capsys: pytest.CaptureFixture[str], folder: Path, monkeypatch: pytest.MonkeyPatch,
    name: str, text: str,
) -> None:  # fmt: skip
    (folder / name).write_text(text)

    def piped(data: bytes, *words: str) -> tuple[int, str, str]:
        monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(data)))
        return run_here(capsys, "check", "-", *words)

    words = ("--facts", name, "--question", "What is refunded?", "--json")
    status, out, err = piped(f"{FEE}\n".encode(), *words)
    assert (status, err) == (0, "")
    (chunk,) = json.loads(out)["citedChunks"]
    assert (chunk["chunkText"], chunk["source"]) == (FEE, "1")
    assert chunk["sourceMetadata"] == ({"by": "me"} if name.endswith("jsonl") else {})
    # Facts of both kinds count on.
    status, out, _ = piped(b"Fish swim fast.", *words, "--fact", "Fish swim fast.")
    assert (status, json.loads(out)["citedChunks"][0]["source"]) == (0, "0")
    status, out, err = piped(b"\xff", *words)
    assert (status, out) == (2, "")
    assert "standard input is not UTF-8" in err


def test_check_without_a_single_fact_in_the_file_does_not_turn_to_the_silos(
    capsys: pytest.CaptureFixture[str], folder: Path
) -> None:
    (folder / "facts.txt").write_text("\n\n")
    status, out, _ = run_here(capsys, "check", FEE, "--facts", "facts.txt")
    assert status == 1
    assert "there is nothing to hold it against" in out


@pytest.mark.parametrize(
    ("words", "cause"),
    [
        (["", "--fact", "x"], "answerCandidate"),
        (["word " * 4097, "--fact", "x"], "the text has 4097 words, over 4096"),
        (["x", "--fact", "y" * 10_001], "facts.0.factText"),
        (["x", "--fact", "y", "--threshold", "0"], "groundingSpec.citationThreshold"),
        (["x", "--fact", "y", "--threshold", "nan"], "groundingSpec.citationThreshold"),
        (["x", "--fact", "y", "--group", "staff"], "--group says who reads the silos"),
        (["x", "--facts", "absent.txt"], "cannot read absent.txt"),
        (["x", "--facts", "broken.jsonl"], "broken.jsonl, line 2 is not JSON"),
        (["x", "--facts", "other.jsonl"], "facts.0.factText: Field required"),
    ],
)
def test_check_says_what_is_wrong_with_a_request(
    capsys: pytest.CaptureFixture[str], folder: Path, words: list[str], cause: str
) -> None:
    (folder / "broken.jsonl").write_text('{"factText": "a"}\n{"factText"\n')
    (folder / "other.jsonl").write_text('{"text": "a"}\n')
    status, out, err = run_here(capsys, "check", *words)
    assert (status, out) == (2, "")
    assert cause in err
    assert "Traceback" not in err


def test_check_uses_the_judge_and_the_calibration_of_the_settings(
    capsys: pytest.CaptureFixture[str], folder: Path
) -> None:
    words = ("check", FEE, "--fact", FEE, "--json")
    shipped = json.loads(run_here(capsys, *words)[1])
    run_here(capsys, "init")
    assert json.loads(run_here(capsys, *words)[1])["policy"] == shipped["policy"]
    own = Calibration(
        method="m", set="ours", risk=0.01, n_sources=1, n_claims=1, points={Point.RISK: 0.4321}
    )
    (folder / "state").mkdir(exist_ok=True)
    write_calibration(
        Paths(folder / "state").calibration, shipped["models"]["judge"]["digest"], own
    )
    policy = json.loads(run_here(capsys, *words)[1])["policy"]
    assert (policy["threshold"], policy["calibration"]["set"]) == (0.4321, "ours")
    with (folder / "sworn.toml").open("a") as file:
        file.write('\n[judge]\noperating_point = "warn"\n')
    status, _, err = run_here(capsys, *words)
    assert status == 2
    assert "no threshold for `warn`" in err
    assert run_here(capsys, "--config", "absent.toml", *words)[0] == 2


def test_check_shows_every_claim_with_its_reason_and_quote(
    capsys: pytest.CaptureFixture[str], folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = f"# Refunds\n\n{FEE} Meals are 70 euros a day. Zebras gallop."
    words = ("check", text, "--fact", "Cats sleep.", "--fact", FEE)
    status, out, _ = run_here(capsys, *words)
    assert status == 1
    assert "\x1b" not in out, "no colours where there is no terminal"
    lines = out.splitlines()
    assert lines[0] == "not checked, heading  # Refunds"
    assert re.fullmatch(rf"supported \([01]\.\d\d\)  {re.escape(FEE)}", lines[1])
    assert lines[2] == f"    fact 2: “{FEE}”"
    assert lines[3].endswith(")  Meals are 70 euros a day.")
    assert lines[4].startswith("    step 7 entailed: ")
    assert lines[5] == f"    closest, fact 2: “{FEE}”"
    assert lines[7].startswith("    step 7 entailed: ")
    assert re.fullmatch(r"1 of 3 claims supported, support 0\.\d\d, threshold \d\.\d\d", lines[-1])
    monkeypatch.setattr("api.cli.check.coloured", lambda text, code: f"<{code}>{text}</>")
    _, out, _ = run_here(capsys, *words)
    assert "<32>supported</>" in out
    assert "<31>refuted</>" in out or "<33>not_enough_info</>" in out
    assert re.search(r"are <4>70( euros)?</>", out), "what nothing accounts for is underlined"
    assert "<1;31>1 of 3 claims supported</>" in out
    _, out, _ = run_here(capsys, "check", FEE, "--fact", FEE)
    assert "<1;32>1 of 1 claims supported</>" in out


def test_keys_without_a_server(capsys: pytest.CaptureFixture[str], folder: Path) -> None:
    run_here(capsys, "init")
    status, out, _ = run_here(
        capsys, "keys", "create", "--name", "bot", "--group", "hr", "--days", "2", "--json"
    )
    (made,) = json.loads(out)
    assert status == 0
    assert (made["principal"], made["groups"], made["scopes"]) == ("bot", ["hr"], ["ask"])
    status, out, _ = run_here(capsys, "keys", "list")
    assert status == 0
    assert made["id"] in out
    assert made["secret"] not in out
    assert "operator" in out
    key = folder / "state" / "keys" / "operator.key"
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    assert run_here(capsys, "keys", "revoke", made["id"])[0] == 0
    _, out, _ = run_here(capsys, "keys", "list", "--json")
    assert {k["id"]: bool(k["revoked_at"]) for k in json.loads(out)}[made["id"]] is True
    status, out, err = run_here(capsys, "keys", "revoke", made["id"])
    assert (status, out) == (2, "")
    assert "`sworn keys list` shows them" in err
    status, out, err = run_here(capsys, "keys", "revoke")
    assert (status, out) == (2, "")
    assert "needs the id of a key" in err


def test_verify_wants_a_key_and_a_receipt(capsys: pytest.CaptureFixture[str], folder: Path) -> None:
    (folder / "receipt.json").write_text("{}")
    (folder / "not.pub").write_text("not a key")
    status, _, err = run_here(capsys, "verify", "receipt.json")
    assert status == 2
    assert "--public-key" in err
    status, _, err = run_here(capsys, "verify", "receipt.json", "--public-key", "not.pub")
    assert status == 2
    assert "cannot read the public key" in err
    assert run_here(capsys, "verify", "absent.json", "--public-key", "not.pub")[0] == 2


@pytest.mark.parametrize("span", ["5", "a:b", "9:3", "-1:4", ":"])
def test_a_span_that_is_none_is_refused(
    capsys: pytest.CaptureFixture[str], folder: Path, span: str
) -> None:
    run_here(capsys, "init")
    status, out, err = run_here(capsys, "show", "documents/x", f"--span={span}")
    assert (status, out) == (2, "")
    assert "--span wants START:END" in err
