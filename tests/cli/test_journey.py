"""From an empty folder to a verified receipt, every command as a real process."""

import json
import re
from pathlib import Path

import pytest
from support.organisation import LEAVE, MEALS
from support.shell import Shell, shell_in, write_documents

pytestmark = pytest.mark.slow

QUESTION = "How many days of annual leave do full-time employees get?"


def test_from_nothing_to_a_receipt(shell: Shell) -> None:
    write_documents(shell.folder)
    assert "next: sworn serve" in shell.ok("init")
    preview = json.loads(shell.ok("sync", "--dry-run", "--json"))
    assert preview["documents"]["added"] == 2
    assert shell.ok("sync") == "documents: Diff: +2 ~0 -0 =0\n"
    assert shell.ok("sync") == "documents: Diff: +0 ~0 -0 =2\n"
    status = json.loads(shell.ok("status", "--json"))
    assert (status["server"], status["n_vectors_pending"]) == (None, 0)
    assert [(s["id"], s["n_documents"]) for s in status["silos"]] == [("documents", 2)]
    assert "documents  2 documents" in shell.ok("status")

    said = shell.ok("ask", QUESTION, "--receipt", "receipt.json")
    assert LEAVE in said
    assert "[1] documents: Annual leave" in said
    asked = json.loads(shell.ok("ask", QUESTION, "--json"))
    assert asked["status"] == "answered"
    assert "valid: signature and digest fit" in shell.ok("verify", "receipt.json")
    assert "[1] leave.md: same" in shell.ok("verify", "receipt.json")
    shown = json.loads(shell.ok("show", "--receipt", "receipt.json", "--json"))
    assert shown["span"]["text"] in LEAVE

    text = (shell.folder / "receipt.json").read_text()
    (shell.folder / "forged.json").write_text(text.replace("28 days", "38 days", 1))
    done = shell("verify", "forged.json")
    assert done.returncode == 1
    assert done.stdout.startswith("INVALID: ")
    done = shell("verify", "forged.json", "--json")
    assert (done.returncode, json.loads(done.stdout)["valid"]) == (1, False)

    # After an edit the old version is still there for who holds the receipt; after the removal not.
    path = shell.folder / "documents" / "leave.md"
    path.write_text(path.read_text().replace("28", "30"))
    assert shell.ok("sync") == "documents: Diff: +0 ~1 -0 =1\n"
    assert "[1] leave.md: same" in shell.ok("verify", "receipt.json")
    path.unlink()
    assert shell.ok("sync") == "documents: Diff: +0 ~0 -1 =1\n"
    assert "[1] leave.md: gone" in shell.ok("verify", "receipt.json")
    done = shell("ask", QUESTION)
    assert done.returncode == 1
    assert "I cannot answer that" in done.stdout
    rebuilt = json.loads(shell.ok("rebuild", "--json"))
    assert rebuilt == {"n_postings": 1, "n_vectors": 1}
    assert MEALS in shell.ok("ask", "What is refunded for meals a day?")


def test_show_and_check_against_the_silos(indexed: Shell) -> None:
    shown = indexed.ok("show", "documents/leave.md")
    assert LEAVE in shown
    document = re.search(r"doc_[a-z2-7]{26}", shown)
    assert document is not None
    start = json.loads(indexed.ok("show", document.group(), "--json"))["text"].index("28")
    marked = indexed.ok("show", "documents/leave.md", "--span", f"{start}:{start + 7}")
    assert re.search(r"[^ ]28 days[^ ]", marked), "the span is marked"
    row = json.loads(
        indexed.ok("show", "documents/leave.md", "--span", f"{start}:{start + 7}", "--json")
    )
    assert row["span"]["text"] == "28 days"
    for words, cause in (
        (("documents/absent.md",), "no document"),
        (("documents/leave.md", "--version", "sha256:0"), "no document"),
        (("documents/leave.md", "--span", "0:9999"), "span ends after"),
        ((), "name a document"),
    ):
        done = indexed("show", *words)
        assert (done.returncode, done.stdout) == (2, "")
        assert cause in done.stderr

    assert indexed("check", LEAVE).returncode == 0
    wrong = indexed("check", LEAVE.replace("28", "97"), "--json")
    assert wrong.returncode == 1
    (claim,) = json.loads(wrong.stdout)["claims"]
    assert claim["label"] != "supported"
    assert claim["reason"]["step"] == 7
    assert (LEAVE, document.group()) in [(q["text"], q["source"]) for q in claim["closest"]]
    said = indexed.ok("check", LEAVE, "--question", "How much leave is there?")
    assert f"documents/leave.md: “{LEAVE}”" in said


def test_an_abstention_and_an_unknown_silo(indexed: Shell) -> None:
    done = indexed("ask", "Who won the chess tournament in Reykjavik?", "--json")
    assert done.returncode == 1
    assert json.loads(done.stdout)["status"] == "abstained"
    done = indexed("ask", "x", "--silo", "nowhere")
    assert (done.returncode, done.stdout) == (2, "")
    assert "there is no silo 'nowhere'" in done.stderr


def fingerprint(folder: Path) -> dict[str, bytes]:
    """The stores as they lie on disk, without Chroma's own bookkeeping and the logs."""
    return {p.name: p.read_bytes() for p in (folder / "state").glob("*.sqlite*")}


def test_a_dry_run_changes_nothing(shell: Shell) -> None:
    write_documents(shell.folder)
    shell.ok("init")
    shell.ok("sync")
    before = fingerprint(shell.folder)
    (shell.folder / "documents" / "new.md").write_text("# New\n\nNew.\n")
    (shell.folder / "documents" / "travel.md").unlink()
    leave = shell.folder / "documents" / "leave.md"
    leave.write_text(leave.read_text() + "\nMore.\n")
    told = json.loads(shell.ok("sync", "--dry-run", "--json"))["documents"]
    assert told == {"added": 1, "modified": 1, "removed": 1, "unchanged": 0}
    after = fingerprint(shell.folder)
    assert {k: v for k, v in after.items() if not k.endswith("-shm")} == {
        k: v for k, v in before.items() if not k.endswith("-shm")
    }
    assert MEALS in shell.ok("show", "documents/travel.md")
    assert shell.ok("sync") == "documents: Diff: +1 ~1 -1 =0\n"


def test_the_delete_brake_holds_until_it_is_released(shell: Shell) -> None:
    write_documents(shell.folder)
    for n in range(30):
        (shell.folder / "documents" / f"n{n}.txt").write_text(f"Number {n}.")
    shell.ok("init")
    shell.ok("sync")
    for n in range(30):
        (shell.folder / "documents" / f"n{n}.txt").unlink()
    held = shell("sync")
    assert held.returncode == 1
    assert "delete brake: 30 of 32 documents vanished at once; none is removed" in held.stdout
    status = json.loads(shell("status", "--json").stdout)
    assert status["silos"][0]["n_documents"] == 32
    released = shell.ok("sync", "--allow-removals")
    assert released == "documents: Diff: +0 ~0 -30 =2\n"


def test_a_damaged_document_is_shown_and_the_rest_goes_on(shell: Shell) -> None:
    write_documents(shell.folder)
    (shell.folder / "documents" / "damaged.pdf").write_bytes(b"%PDF-1.4 nothing")
    shell.ok("init")
    done = shell("sync")
    assert (done.returncode, done.stdout) == (1, "documents: Diff: +2 ~0 -0 =0 !1\n")
    done = shell("status")
    assert done.returncode == 1
    assert "quarantined: documents/damaged.pdf" in done.stdout


def test_a_silo_that_is_not_there_is_named_and_removes_nothing(shell: Shell) -> None:
    write_documents(shell.folder)
    shell.ok("init")
    shell.ok("sync")
    (shell.folder / "documents").rename(shell.folder / "aside")
    done = shell("sync")
    assert done.returncode in {1, 3}
    assert "documents" in done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    (shell.folder / "aside").rename(shell.folder / "documents")
    assert json.loads(shell.ok("status", "--json"))["silos"][0]["n_documents"] == 2


def test_a_receipt_of_another_installation_is_not_ours(
    indexed: Shell, tmp_path: Path, model_cache: Path
) -> None:
    other = shell_in(tmp_path, model_cache)
    indexed.ok("ask", QUESTION, "--receipt", str(tmp_path / "receipt.json"))
    other.ok("init")
    other.ok("keys", "list")
    write_documents(tmp_path)
    other.ok("sync")
    other("ask", "x")
    done = other("verify", "receipt.json")
    assert done.returncode == 1
    assert "signed by another key" in done.stdout
    public = indexed.folder / "state" / "keys" / "signing.pub"
    done = other("verify", "receipt.json", "--public-key", str(public), "--no-catalog")
    assert done.returncode == 0
