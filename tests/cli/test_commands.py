"""Help, usage and errors of every command. Nothing here indexes anything."""

import json
import re
import stat
from pathlib import Path

import pytest
from support.shell import Shell

from api.cli.main import build_parser, main

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
        (["check", "", "--fact", "Meals are 40 euros."], 1),
        (["check", "Is it so?", "--fact", "It is so."], 1),
    ],
)  # fmt: skip
def test_check_against_facts(
    capsys: pytest.CaptureFixture[str], folder: Path, words: list[str], status: int
) -> None:
    """Needs no settings and no index."""
    found, out, _ = run_here(capsys, *words)
    assert found == status, out
    found, out, _ = run_here(capsys, *words, "--json")
    rows = json.loads(out)
    assert found == status
    assert (bool(rows) and all(r["label"] == "supported" for r in rows)) == (status == 0)
    for row in rows:
        assert [c["step"] for c in row["checks"]] == list(range(8))


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
