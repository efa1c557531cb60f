"""Readers of the sets that the belt is asked, on files of their form made here."""

import json
import lzma
from pathlib import Path

import pytest

from eval.public.changes import ValueChange, read_handbook, read_suite
from eval.public.reading import read_multihop, read_squad, read_timeqa
from eval.public.tables import own_table, read_plain, read_tables
from rag.domain.document import ElementKind
from rag.domain.errors import ConfigError

OIL = "The oil crisis began in October 1973."


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("SWORN_DATASETS", str(tmp_path))
    return tmp_path / "retrieval"


def write(root: Path, path: str, text: str) -> None:
    (root / path).parent.mkdir(parents=True, exist_ok=True)
    (root / path).write_text(text)


def write_lines(root: Path, path: str, *rows: object) -> None:
    write(root, path, "\n".join(json.dumps(row) for row in rows) + "\n")


def test_squad_asks_every_question_over_every_paragraph(root: Path) -> None:
    def question(n: int, *answers: str) -> dict[str, object]:
        return {
            "id": f"q{n}", "question": " When? ", "is_impossible": not answers,
            "answers": [{"text": a, "answer_start": OIL.find(a)} for a in answers],
        }  # fmt: skip

    qas = [question(1, "October 1973", "1973", "1973"), question(2)]
    paragraphs = [{"context": OIL, "qas": qas}, {"context": "Ice melts.", "qas": []}]
    body = {"data": [{"title": "Oil_crisis", "paragraphs": paragraphs}]}
    write(root, "squad/dev-2.0-first17.json", json.dumps(body))
    found = read_squad(root)
    assert [d.parsed.text for d in found.documents] == [OIL, "Ice melts."]
    assert {d.parsed.title for d in found.documents} == {"Oil crisis"}
    assert [(a.question, a.gold, a.part) for a in found.asked] == [
        ("When?", ("October 1973", "1973"), "HasAns"), ("When?", (), "NoAns"),
    ]  # fmt: skip
    assert {a.source for a in found.asked} == {"Oil_crisis 0"}


def test_timeqa_has_pages_whole_and_an_empty_answer_means_none(root: Path) -> None:
    def answer(text: str) -> dict[str, object]:
        return {"para": 1, "from": 0, "end": len(text), "answer": text}

    page = {
        "index": "/wiki/Ada#P1", "type": "P1", "link": "/wiki/Ada", "paras": ["Ada", "She wrote."],
        "questions": [["Who wrote?", [answer("Ada"), answer("Ada")]], ["Where?", [answer("")]]],
    }  # fmt: skip
    write(root, "timeqa/human_annotated_test.json", json.dumps([page]))
    found = read_timeqa(root)
    (document,) = found.documents
    assert document.parsed.title == "Ada"
    assert document.parsed.text == "Ada\n\nShe wrote."
    assert [(a.gold, a.part) for a in found.asked] == [
        (("Ada",), "answerable"), ((), "unanswerable"),
    ]  # fmt: skip


def test_multihop_asks_null_questions_too_and_has_the_facts_of_the_others(root: Path) -> None:
    fact = {"source": "S", "title": "T", "published_at": "2023-09-26T17:01:22", "fact": "A is B."}
    truth = {
        "0": {"answer": "Google", "evidence_list": [fact]},
        "1": {"answer": "Insufficient information.", "evidence_list": []},
    }
    queries = [
        {"id": "0", "question": "Which?", "question_type": "inference_query"},
        {"id": "1", "question": "Who?", "question_type": "null_query"},
    ]
    write(root, "multihop_rag_500/ground_truth.json", json.dumps(truth))
    write(root, "multihop_rag_500/queries.json", json.dumps({"queries": queries}))
    found = read_multihop(root)
    assert [d.parsed.title for d in found.documents] == ["S | T | 2023-09-26"]
    assert [(a.gold, a.part, a.source) for a in found.asked] == [
        (("Google",), "inference_query", "T"), ((), "null_query", "1"),
    ]  # fmt: skip


def write_tables(root: Path) -> None:
    write_lines(
        root, "aitqa/aitqa_tables.jsonl",
        {
            "id": "tab-0", "column_header": [["Year ended:", "2018"], ["Year ended:", "2017"]],
            "row_header": [["Traffic", "Passengers  (thousands)"], ["Fuel"]],
            "data": [["158", "148"], ["$2.25", ""]],
        },
        {"id": "tab-1", "column_header": [["Year"], ["Fuel"]], "row_header": [],
         "data": [["2018", "4,137"]]},
    )  # fmt: skip
    write_lines(
        root, "aitqa/aitqa_questions.jsonl",
        {"id": "q-0", "table_id": "tab-0", "question": "How many  did Delta carry in 2018?", "answers": ["158"],
         "type": "KPI-driven"},
    )  # fmt: skip


def test_tables_are_written_as_the_parsers_write_them(root: Path) -> None:
    write_tables(root)
    found = read_tables(root)
    first, second = found.documents
    assert first.parsed.text == (
        "Year ended - 2018 | Year ended - 2017\n"
        "Traffic - Passengers (thousands) | Year ended - 2018: 158 | Year ended - 2017: 148\n"
        "Fuel | Year ended - 2018: $2.25"
    )
    assert second.parsed.text == "Year | Fuel\nYear: 2018 | Fuel: 4,137"
    assert [e.kind for e in first.parsed.elements] == [ElementKind.TABLE]
    (asked,) = found.asked
    assert (asked.question, asked.gold, asked.silo) == (
        "How many did Delta carry in 2018?",
        ("158",),
        None,
    )
    # As its report would be: the tables themselves do not say whose they are.
    assert [d.parsed.title for d in found.documents] == [
        "Delta Airlines annual report", "annual report",
    ]  # fmt: skip
    # Its own table is a silo of its own, so that one index serves both.
    assert own_table(found.asked)[0].silo == first.silo == "tab-0"


def test_plain_tables_lose_the_names_of_their_columns(root: Path) -> None:
    write_tables(root)
    found = read_plain(root)
    assert found.documents[0].parsed.text == (
        "Year ended - 2018 Year ended - 2017\nTraffic - Passengers (thousands) 158 148\nFuel $2.25"
    )
    assert [e.kind for e in found.documents[0].parsed.elements] == [ElementKind.PARAGRAPH]
    assert found.asked == read_tables(root).asked


def change(**changes: str) -> ValueChange:
    values = {
        "id": "change-001", "path": "travel.md", "commit": "c2", "question": "How much for hotels?",
        "old": "$100", "new": "$150",
    }  # fmt: skip
    return ValueChange(**{**values, **changes})


def put(path: str, text: str) -> dict[str, str]:
    return {"op": "put", "path": path, "text": text}


def write_history(root: Path, *commits: tuple[str, list[dict[str, str]]]) -> None:
    (root / "replay").mkdir(parents=True)
    lines = (json.dumps({"commit": name, "changes": changes}) for name, changes in commits)
    with lzma.open(root / "replay/handbook_history.jsonl.xz", "wt", encoding="utf-8") as file:
        file.write("\n".join(lines))


BEFORE = "# Travel\n\nA hotel may cost $100 per night.\n"
AFTER = BEFORE.replace("$100", "$150")


def test_handbook_has_each_page_before_and_after_among_pages_that_say_nothing_of_it(
    root: Path,
) -> None:
    write_history(
        root,
        ("c1", [put("travel.md", BEFORE), put("old/travel.md", BEFORE.replace("$100", "$90")),
                put("gone.md", "# Gone\n"), put("pets.md", "# Pets\n\nDogs may come on Fridays.\n")]),
        ("c2", [put("travel.md", AFTER), {"op": "remove", "path": "gone.md"}]),
        ("c3", [put("travel.md", "later")]),
    )  # fmt: skip
    found = read_handbook(root, [change()])
    (page,) = found.changes
    assert (page.path, page.before, page.after) == ("travel.md", BEFORE, AFTER)
    assert page.values == (change(),)
    # The same line with another number would contradict the page.
    assert set(found.noise) == {"gone.md", "pets.md"}


@pytest.mark.parametrize(
    ("wrong", "message"),
    [({"commit": "c9"}, "lacks c9"), ({"path": "pets.md"}, "c2 does not change pets.md")],
)
def test_suite_that_does_not_fit_the_history_is_refused(
    root: Path, wrong: dict[str, str], message: str
) -> None:
    pages = [put("travel.md", BEFORE), put("pets.md", "# Pets\n")]
    write_history(root, ("c1", pages), ("c2", [put("travel.md", AFTER)]))
    with pytest.raises(ConfigError, match=message):
        read_handbook(root, [change(**wrong)])


def test_the_shipped_suite_names_things_and_not_values() -> None:
    suite = read_suite()
    assert len(suite) >= 100
    assert [v.id for v in suite] == [f"change-{n:03}" for n in range(1, len(suite) + 1)]
    assert len({(v.path, v.commit, v.question) for v in suite}) == len(suite)
    for value in suite:
        assert value.question.endswith("?")
        assert value.old not in value.question
        assert value.new not in value.question
        assert value.path.startswith("content/")
        assert len(value.commit) == 40


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ('{"id": "x"}', "line 1: a line must be an object with commit"),
        ("[]", "line 1: a line must be"),
        ("{", "line 1"),
        (json.dumps(dict.fromkeys(("id", "path", "commit", "question", "old", "new"), "a")),
         "old and new must differ"),
        (json.dumps(dict.fromkeys(("id", "path", "commit", "question", "old", "new"), " ")),
         "must be a text"),
    ],
)  # fmt: skip
def test_bad_line_of_a_suite_is_named(tmp_path: Path, line: str, message: str) -> None:
    path = tmp_path / "suite.jsonl"
    path.write_text(line + "\n")
    with pytest.raises(ConfigError, match=message):
        read_suite(path)


def test_suite_that_is_missing_or_says_a_thing_twice_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot read"):
        read_suite(tmp_path / "none.jsonl")
    row = json.dumps(
        {"id": "x", "path": "a", "commit": "c", "question": "?", "old": "1", "new": "2"}
    )
    (tmp_path / "twice.jsonl").write_text(f"{row}\n{row}\n")
    with pytest.raises(ConfigError, match="line 2: x is there already"):
        read_suite(tmp_path / "twice.jsonl")
