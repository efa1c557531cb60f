"""The generated references, and what is written by hand, agree with the code."""

import inspect
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest
from pydantic import BaseModel

from api import check_schemas, problems, reference, schemas
from api.app import create_app
from api.cli.main import build_parser
from rag.adapters.settings_reference import commented_toml, settings_markdown
from rag.domain import errors
from rag.domain.claim import Step
from rag.domain.errors import RagError
from rag.settings import AccessRule, Section, Settings, SiloSettings, load_settings

ROOT = Path(__file__).parents[2]


def read(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


@pytest.mark.parametrize(
    "name, text",
    [("docs/settings.md", settings_markdown()), ("docs/cli.md", reference.cli_markdown())],
)
def test_generated_reference_is_up_to_date(name: str, text: str) -> None:
    assert read(name) == text, "run `make docs`"


def test_table_of_problems_is_up_to_date() -> None:
    page = read("docs/api.md")
    assert reference.with_problems(page) == page, "run `make docs`"


def test_references_do_not_depend_on_the_terminal(tmp_path: Path) -> None:
    written = []
    for columns in ("30", "200"):
        folder = tmp_path / columns
        subprocess.run(
            [sys.executable, "-m", "api.reference", str(folder)],
            check=True, cwd=ROOT, env={"COLUMNS": columns, "PYTHONHASHSEED": columns},
        )  # fmt: skip
        written.append([(folder / name).read_bytes() for name in ("cli.md", "settings.md")])
    assert written[0] == written[1]


def test_page_without_a_marker_is_refused() -> None:
    with pytest.raises(ValueError, match="problem codes"):
        reference.with_problems("no markers here")


def error_codes() -> set[str]:
    found = {e for e in vars(errors).values() if inspect.isclass(e) and issubclass(e, RagError)}
    return {e.code for e in found}


def test_every_error_code_has_a_status_a_meaning_and_a_row() -> None:
    codes = error_codes()
    assert len(codes) > 20
    assert set(problems.STATUS) == codes
    assert set(reference.MEANINGS) == codes
    rows = re.findall(r"^\| `(\w+)` \| (\d{3}) \|", read("docs/api.md"), re.MULTILINE)
    assert {code: int(status) for code, status in rows} == dict(problems.STATUS)
    assert set(problems.STATUS.values()) <= set(problems.TITLES)


def routes() -> set[tuple[str, str]]:
    app = create_app(load_settings(ROOT / "sworn.toml"), None)
    described = app.openapi()["paths"].items()
    return {(method.upper(), path) for path, methods in described for method in methods}


def test_every_route_is_documented_and_every_documented_route_exists() -> None:
    rows = re.findall(r"^\| `([A-Z]+) (/\S+)` \|", read("docs/api.md"), re.MULTILINE)
    assert set(rows) == routes()


def wire_fields() -> Iterator[tuple[str, str]]:
    for name, kind in (vars(schemas) | vars(check_schemas)).items():
        if inspect.isclass(kind) and issubclass(kind, BaseModel):
            yield from ((name, field.alias or at) for at, field in kind.model_fields.items())


@pytest.mark.parametrize("kind, field", sorted(set(wire_fields())))
def test_every_field_of_the_api_is_documented(kind: str, field: str) -> None:
    assert f"`{field}`" in read("docs/api.md")


def every_setting() -> Iterator[str]:
    for section in (Settings, SiloSettings, AccessRule):
        yield from section.model_fields
    for field in Settings.model_fields.values():
        if inspect.isclass(field.annotation) and issubclass(field.annotation, Section):
            yield from field.annotation.model_fields


def test_every_setting_is_documented() -> None:
    rows = set(re.findall(r"^\| `(\w+)` \|", read("docs/settings.md"), re.MULTILINE))
    sections = set(re.findall(r"^## `\[(\w+)\]`", read("docs/settings.md"), re.MULTILINE))
    assert set(every_setting()) == rows | sections
    assert len(rows) > 30


def test_settings_named_in_the_documents_exist() -> None:
    sections = {
        name: field.annotation.model_fields
        for name, field in Settings.model_fields.items()
        if inspect.isclass(field.annotation) and issubclass(field.annotation, Section)
    }
    pattern = re.compile(rf"`({'|'.join(sections)})\.(\w+)(?: = [^`]*)?`")
    named = [m for page in pages() for m in pattern.findall(page.read_text(encoding="utf-8"))]
    files = {"py", "sqlite", "md", "json", "toml"}
    wrong = [m for m in named if m[1] not in sections[m[0]] and m[1] not in files]
    assert len(named) > 5
    assert not wrong


def test_file_that_init_writes_loads_with_and_without_its_comments(tmp_path: Path) -> None:
    text = commented_toml("docs", str(tmp_path))
    path = tmp_path / "sworn.toml"
    path.write_text(text, encoding="utf-8")
    settings = load_settings(path)
    assert [silo.id for silo in settings.silos] == ["docs"]

    # Every default that is commented out is valid where it stands, and is the default.
    defaults = re.sub(r"^# ((?!access)\w+ = .+|\[\w+\])$", r"\1", text, flags=re.MULTILINE)
    assert len(tomllib.loads(defaults)) > 5
    path.write_text(defaults.replace('data_dir = "state"', f'data_dir = "{tmp_path}/state"'))
    assert load_settings(path).retrieval == settings.retrieval


def test_every_command_has_a_section_with_its_options() -> None:
    page = read("docs/cli.md")
    commands = re.findall(r"^## `sworn (\w+)`", page, re.MULTILINE)
    assert commands == list(reference._commands(build_parser()))
    for command in reference._commands(build_parser()).values():
        for action in reference._actions(command):
            assert action.help or action.choices, f"{command.prog} {action.dest} says nothing"


def test_checklist_of_the_architecture_is_that_of_the_code() -> None:
    listed = re.findall(r"^(\d)\. `(\w+)`:", read("ARCHITECTURE.md"), re.MULTILINE)
    assert listed == [(str(int(step)), step.name.lower()) for step in Step]


def pages() -> list[Path]:
    skipped = {"build", "data", "models"}
    hidden = [p for p in ROOT.iterdir() if p.name.startswith(".")]
    found = [
        page
        for page in ROOT.rglob("*.md")
        if not skipped & set(page.relative_to(ROOT).parts[:-1])
        and not any(page.is_relative_to(folder) for folder in hidden)
    ]
    assert len(found) > 15
    return sorted(found)


@pytest.mark.parametrize("page", pages(), ids=lambda p: str(p.relative_to(ROOT)))
def test_relative_links_lead_somewhere(page: Path) -> None:
    text = re.sub(r"```.*?```", "", page.read_text(encoding="utf-8"), flags=re.DOTALL)
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        if re.match(r"[a-z]+:", target):
            continue
        path, _, anchor = target.partition("#")
        linked = (page.parent / path).resolve() if path else page
        assert linked.exists(), f"{target} leads nowhere"
        if anchor:
            assert anchor in anchors(linked), f"no heading for {target}"


def anchors(page: Path) -> set[str]:
    headings = re.findall(r"^#+ (.+)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", h.casefold()).replace(" ", "-") for h in headings}


def test_code_that_the_architecture_names_is_there() -> None:
    named = set(
        re.findall(r"`((?:rag|connectors|api|eval|tests)/[\w/.]*)`", read("ARCHITECTURE.md"))
    )
    assert len(named) > 15
    assert {n for n in named if not (ROOT / n).exists()} == set()


def test_tests_that_the_architecture_names_exist() -> None:
    table = read("ARCHITECTURE.md").partition("## Invariants")[2].partition("## The checklist")[0]
    sources = "".join(p.read_text(encoding="utf-8") for p in (ROOT / "tests").rglob("test_*.py"))
    sources += read("rag/testing/conformance.py")
    named = re.findall(r"`((?:test|check)_\w+)`", table)
    assert {n for n in named if f"def {n}(" not in sources} == set()
    rows = re.findall(r"^\| (I\d+) \|.*\|(.*)\|$", table, re.MULTILINE)
    assert [number for number, _ in rows] == [f"I{n}" for n in range(1, 13)]
    assert all("test" in proof for _, proof in rows)


def test_decisions_have_their_four_parts() -> None:
    records = sorted((ROOT / "docs/adr").glob("*.md"))
    numbers = [int(record.name[:4]) for record in records]
    assert len(set(numbers)) == len(numbers)
    for record in records:
        assert re.fullmatch(r"\d{4}(-[a-z0-9]+){2,}\.md", record.name)
        text = record.read_text(encoding="utf-8")
        assert text.startswith(f"# {record.name[:4]}: ")
        places = [
            text.find(f"\n## {h}\n") for h in ("Drivers", "Options", "Outcome", "Bad consequences")
        ]
        assert all(p > 0 for p in places), f"{record.name} lacks a part"
        assert places == sorted(places)
