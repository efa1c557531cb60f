"""Readers of the public sets, on files of their form made here."""

import csv
import json
from pathlib import Path

import pytest

from eval.retrieval.public_sets import READERS, load
from eval.retrieval.sets import (
    Asked,
    Gold,
    NotThere,
    Places,
    RetrievalSet,
    drawn,
    plain_document,
)
from rag.domain.errors import ConfigError

OIL = "The oil crisis began in October 1973. It ended in March 1974."
ICE = "Ice melts at zero degrees. Salt lowers that point."


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("SWORN_DATASETS", str(tmp_path))
    (tmp_path / "retrieval").mkdir()
    return tmp_path / "retrieval"


def there(name: str, limit: int | None = None) -> RetrievalSet:
    found = load(name, limit)
    assert isinstance(found, RetrievalSet)
    return found


def gold_texts(found: RetrievalSet) -> list[list[str]]:
    texts = {d.name: d.parsed.text for d in found.documents}
    return [
        [g.span.of(texts[g.document]) if g.span else texts[g.document] for g in a.gold]
        for a in found.asked
    ]


def write_squad(root: Path) -> None:
    def question(n: int, text: str, answer: str, context: str) -> dict[str, object]:
        at = {"text": answer, "answer_start": context.find(answer)}
        return {
            "id": f"q{n}", "question": text, "answers": [at] if answer else [],
            "is_impossible": not answer,
        }  # fmt: skip

    paragraphs = [
        {"context": OIL, "qas": [question(1, "When did the oil crisis end?", "March 1974", OIL)]},
        {
            "context": ICE,
            "qas": [
                question(2, "What lowers the melting point?", "Salt", ICE),
                question(3, "What raises it?", "", ICE),
            ],
        },
    ]
    (root / "squad").mkdir()
    (root / "squad/dev-2.0-first17.json").write_text(
        json.dumps({"data": [{"title": "Oil_and_ice", "paragraphs": paragraphs}]})
    )


@pytest.mark.parametrize("name", READERS)
def test_a_set_that_is_not_in_the_folder_is_said_to_be_missing(name: str, root: Path) -> None:
    assert root.is_dir()
    found = load(name)
    assert isinstance(found, NotThere)
    assert found.path.startswith("retrieval/")


def test_without_a_folder_nothing_is_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SWORN_DATASETS", raising=False)
    assert isinstance(load("cisi"), NotThere)


def test_a_set_of_another_form_is_refused_by_name(root: Path) -> None:
    (root / "squad").mkdir()
    (root / "squad/dev-2.0-first17.json").write_text('{"data": [{"titel": "x"}]}')
    with pytest.raises(ConfigError, match="the set squad has another form"):
        load("squad")


def test_squad_paragraphs_are_documents_and_unanswerable_questions_are_left_out(root: Path) -> None:
    write_squad(root)
    found = there("squad")
    assert [d.parsed.title for d in found.documents] == ["Oil and ice", "Oil and ice"]
    assert sorted(t for (t,) in gold_texts(found)) == [ICE, OIL]


def test_squad_articles_are_whole_and_the_gold_is_the_answer(root: Path) -> None:
    write_squad(root)
    found = there("squad_articles")
    assert len(found.documents) == 1
    assert sorted(t for (t,) in gold_texts(found)) == ["March 1974", "Salt"]
    assert found.has_long_documents


def test_typos_change_the_questions_and_nothing_else(root: Path) -> None:
    write_squad(root)
    clean, wrong = there("squad"), there("squad_typos")
    assert clean.documents == wrong.documents
    assert [a.gold for a in clean.asked] == [a.gold for a in wrong.asked]
    assert all(a.question != b.question for a, b in zip(clean.asked, wrong.asked, strict=True))


def test_golden_chunks_of_code_are_named_by_file_and_place(root: Path) -> None:
    folder = root / "anthropic_code"
    folder.mkdir()
    chunks = [{"original_index": n, "content": f"fn f{n}() {{}}"} for n in range(3)]
    (folder / "codebase_chunks.json").write_text(
        json.dumps([{"original_uuid": "u", "chunks": chunks}])
    )
    row = {"query": "f2?", "golden_doc_uuids": ["u"], "golden_chunk_uuids": [["u", 2], ["u", 0]]}
    (folder / "evaluation_set.jsonl").write_text(json.dumps(row) + "\n")
    assert gold_texts(there("anthropic_code")) == [["fn f2() {}", "fn f0() {}"]]


def test_excerpts_are_found_in_the_canonical_text(root: Path) -> None:
    corpora = root / "chunking_eval/corpora"
    corpora.mkdir(parents=True)
    source = "One  fish.\r\n\r\n\r\nTwo\tfish. Red fish.\n\nOne  fish. Blue fish.\n"
    (corpora / "seuss.md").write_text(source, "utf-8", newline="")
    references = [
        {"content": "One  fish.", "start_index": source.rfind("One"), "end_index": 0},
        {"content": "Two\tfish.", "start_index": source.find("Two"), "end_index": 0},
    ]
    with (root / "chunking_eval/questions_df.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["question", "references", "corpus_id"])
        writer.writerow(["Which fish?", json.dumps(references), "seuss"])
    found = there("chunking_eval")
    assert gold_texts(found) == [["One  fish.", "Two\tfish."]]
    first = found.asked[0].gold[0].span
    assert first is not None
    assert first.start > 0
    assert found.asked[0].part == "seuss"


def test_facts_are_documents_under_their_source_title_and_date(root: Path) -> None:
    folder = root / "multihop_rag_500"
    folder.mkdir()
    fact = {"source": "The Verge", "title": "A deal", "published_at": "2023-09-26T17:01:22+00:00"}
    facts = [{**fact, "fact": "One."}, {**fact, "fact": "Two."}]
    queries = [
        {"id": "0", "question": "Both?", "question_type": "comparison_query"},
        {"id": "1", "question": "None?", "question_type": "null_query"},
    ]
    (folder / "queries.json").write_text(json.dumps({"queries": queries}))
    (folder / "ground_truth.json").write_text(json.dumps({"0": {"evidence_list": facts}}))
    found = there("multihop_rag_500")
    assert gold_texts(found) == [["One.", "Two."]]
    assert found.documents[0].parsed.title == "The Verge | A deal | 2023-09-26"


def test_cranfield_counts_its_queries_from_one(root: Path) -> None:
    folder = root / "cranfield"
    folder.mkdir()
    doc = "<doc><docno>{0}</docno><title>wing\n{0}</title><text>a wing {0} .</text></doc>"
    (folder / "cran.all.1400.xml").write_text("".join(doc.format(n) for n in (7, 8)))
    top = "<top><num> {}</num><title>which\nwing {} .</title></top>"
    queries = top.format(1, "a") + top.format(4, "b")
    (folder / "cran.qry.xml").write_text(f"<?xml version='1.0'?>\n<xml>{queries}</xml>")
    (folder / "cranqrel.trec.txt").write_text("1 0 7 0\n2 0 8 1\n2 0 7 1\n2 0 99 1\n")
    found = there("cranfield")
    assert [a.question for a in found.asked] == ["which wing b ."]
    assert gold_texts(found) == [["a wing 8 .", "a wing 7 ."]]


def test_records_of_cisi_are_read_by_their_fields(root: Path) -> None:
    folder = root / "cisi"
    folder.mkdir()
    (folder / "CISI.ALL").write_text(
        ".I 1\n.T\nEditions\n.A\nComaromi\n.W\nA history.\n.X\n1 5 1\n.I 2\n.T\nUse\n.W\nA survey.\n"
    )
    (folder / "CISI.QRY").write_text(".I 1\n.W\nWhat is\nknown?\n.I 2\n.W\nNothing?\n")
    (folder / "CISI.REL").write_text("     1      2\t0\t0.000000\n")
    found = there("cisi")
    assert [a.question for a in found.asked] == ["What is known?"]
    assert gold_texts(found) == [["Use\n\nA survey."]]


def test_a_place_that_is_not_there_is_none() -> None:
    places = Places("a b", "a b")
    assert places.find("c", 0) is None
    assert places.find(" ", 0) is None


def test_an_untitled_document_is_named_by_its_file() -> None:
    assert plain_document("x1.txt", "Some text.").parsed.title == "x1.txt"


def test_a_draw_is_fixed_and_keeps_the_order() -> None:
    asked = [
        Asked(id=str(n), question="", gold=(Gold(document="d"),), source="") for n in range(50)
    ]
    some = drawn(asked, 5)
    assert some == drawn(asked, 5)
    assert [int(a.id) for a in some] == sorted(int(a.id) for a in some)
    assert drawn(asked, None) == tuple(asked)
