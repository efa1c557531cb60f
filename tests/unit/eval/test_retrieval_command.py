"""`python -m eval retrieval` from end to end, on a set made here, with vectors of hashed words."""

import argparse
import json
from collections.abc import Sequence
from pathlib import Path

import pytest

from eval import metrics
from eval.gold import GoldEvidence, GoldQuestion
from eval.retrieval import alternatives as sweep
from eval.retrieval import command, rendering
from eval.retrieval.demo import gold_asked
from eval.retrieval.measures import Passage
from eval.retrieval.public_sets import READERS
from eval.retrieval.published import ANCHORS
from eval.retrieval.report import Report, lines
from eval.retrieval.searching import Way
from eval.retrieval.sets import Asked, Gold, RetrievalSet
from rag.domain.errors import ConfigError
from rag.domain.ids import ChunkId, Digest
from rag.domain.reading import Passage as Readable
from rag.domain.reading import PassageReading
from rag.domain.words import Span
from rag.testing.fakes import HashEmbedder

PARAGRAPHS = {
    "The oil crisis began in October 1973.": ("When did the oil crisis begin?", "October 1973"),
    "Ice melts at zero degrees.": ("When does ice melt?", "zero degrees"),
    "A hotel may cost EUR 140 per night.": ("What may a hotel cost?", "EUR 140"),
}


class Embedder(HashEmbedder):
    """Closes like the real one."""

    async def aclose(self) -> None:
        """Nothing to wait for."""


class Reader:
    """Finds an answer everywhere, the same; so the search's order stays."""

    name = "indifferent"
    digest = Digest("sha256:indifferent")

    async def read(self, question: str, passages: Sequence[Readable]) -> list[PassageReading]:
        return [PassageReading(p_answers=0.5, spans=()) for _ in passages]

    async def aclose(self) -> None:
        """Nothing to wait for."""


@pytest.fixture(autouse=True)
def _small(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Hashed words in place of the model; intervals have tests of their own."""
    monkeypatch.setattr(metrics, "_RESAMPLES", 20)
    monkeypatch.setattr(command, "build_embedder", lambda _: Embedder())
    monkeypatch.setattr(command, "load_reader", lambda _: Reader())
    monkeypatch.setenv("SWORN_DATASETS", str(tmp_path))
    (tmp_path / "retrieval/squad").mkdir(parents=True)
    paragraphs = [
        {
            "context": text,
            "qas": [
                {
                    "id": text[:6], "question": question, "is_impossible": False,
                    "answers": [{"text": answer, "answer_start": text.find(answer)}],
                }
            ],
        }
        for text, (question, answer) in PARAGRAPHS.items()
    ]  # fmt: skip
    body = {"data": [{"title": "Facts", "paragraphs": paragraphs}]}
    (tmp_path / "retrieval/squad/dev-2.0-first17.json").write_text(json.dumps(body))


def arguments(tmp_path: Path, *options: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    command.add_options(parser)
    return parser.parse_args(["--state", str(tmp_path / "state"), *options])


def run(tmp_path: Path, *options: str) -> Report:
    return command.run(arguments(tmp_path, *options))


def test_whole_command_writes_a_report_and_says_what_is_missing(tmp_path: Path) -> None:
    found = run(tmp_path, "--sets", "squad,cisi", "--out", str(tmp_path / "out"))
    squad, cisi = found.sets[0], found.sets[1]
    assert squad.lines[0].cells["hit@1"].mean.value == 1.0
    assert "3 questions, 3 documents, 3 passages" in squad.note
    assert cisi.note == "not there: retrieval/cisi/CISI.ALL"
    assert not cisi.lines
    written = json.loads((tmp_path / "out/report.json").read_text())
    assert written["default"]["dense_weight"] == 0.4
    page = (tmp_path / "out/report.md").read_text()
    assert "| default | 1.000" in page
    assert "elsewhere: FTS5 + MiniLM [1]" in page
    assert "not there: retrieval/cisi/CISI.ALL" in page


def test_the_sweep_shows_alternatives_beside_the_default(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Each size is another index, and all are alike here.
    monkeypatch.setattr(sweep, "PARENT_CHARS", (800,))
    monkeypatch.setattr(sweep, "CHILD_CHARS", ())
    found = run(tmp_path, "--sets", "squad_articles", "--sweep")
    lines = found.sets[0].lines
    assert lines[0].name == "default"
    assert lines[0].cells["MRR@10"].change is None
    groups = {line.group for line in lines}
    assert {"weight of vectors", "parent, characters", "header", "query", "neighbours"} <= groups
    assert all(line.cells["MRR@10"].change is not None for line in lines[1:])
    text, page = rendering.text(found), rendering.markdown(found)
    assert "\nweight of vectors\n  0.0 " in text
    assert "| weight of vectors: 0.0 | 1.000 +0.000 [+0.000, +0.000] |" in page


def test_reranking_is_reported_in_the_measure_that_decides_and_names_its_reader(
    tmp_path: Path,
) -> None:
    found = run(tmp_path, "--sets", "squad_articles", "--sweep", "rerank")
    one = found.sets[0]
    assert one.measures[-1] == "nDCG@10"
    ways = [line.name for line in one.lines if line.group]
    assert len(ways) == len(sweep.READ) * len(sweep.READ_WEIGHTS)
    assert all(line.cells["nDCG@10"].change is not None for line in one.lines[1:])
    assert found.facts["reader"] == "sha256:indifferent"
    assert any("indifferent" in line for line in found.head)
    plain = run(tmp_path, "--sets", "squad_articles")
    assert "nDCG@10" not in plain.sets[0].measures
    assert "reader" not in plain.facts


def test_reranking_needs_a_reader(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(command, "load_reader", lambda _: None)
    with pytest.raises(ConfigError, match="turn the reader off"):
        run(tmp_path, "--sets", "squad", "--sweep", "rerank")


def test_options_change_the_default_and_json_goes_to_standard_output(tmp_path: Path) -> None:
    given = arguments(
        tmp_path, "--sets", "squad", "--limit", "2", "--dense-weight", "0", "--parent-chars", "900",
        "--child-chars", "300", "--no-header", "--json",
    )  # fmt: skip
    found = command.run(given)
    said = json.loads(command.shown(found, given))
    layout = said["default"]["layout"]
    assert said["default"]["dense_weight"] == 0.0
    assert (layout["parent_chars"], layout["child_chars"]) == (900, 300)
    assert layout["has_header"] is False
    assert said["sets"][0]["lines"][0]["n"] == 2
    given.json = False
    assert "a quick look: at most 2 questions" in command.shown(found, given)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--sets", "squad,nothing"), "no set nothing"),
        (("--sweep", "weight,colour"), "no group colour"),
        (("--limit", "0"), "--limit must be at least 1"),
        (("--parent-chars", "-5"), "--parent-chars must be"),
        (("--dense-weight", "1.5"), "--dense-weight must be"),
    ],
)
def test_bad_options_are_refused(tmp_path: Path, options: tuple[str, ...], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        run(tmp_path, *options)


def test_gold_questions_ask_for_their_quotations_as_their_asker() -> None:
    question = GoldQuestion(
        id="q1", question="How much?", accept=("EUR 140",), groups=frozenset({"staff"}),
        evidence=(GoldEvidence(document="handbook/a.md", quote="EUR 140"),), kind="number",
        abstain=None, hidden="",
    )  # fmt: skip
    found = gold_asked(question)
    assert found.groups == {"staff"}
    assert found.gold[0].quote == "EUR 140"
    assert found.part == "number"


def test_parts_of_a_set_count_the_same_in_their_mean() -> None:
    def asked(n: int, part: str) -> Asked:
        gold = (Gold(document="a"),)
        return Asked(id=str(n), question="?", gold=gold, source=str(n), part=part)

    measured = RetrievalSet(
        name="s", title="", documents=(), measures=("hit@1",),
        asked=(asked(0, "x"), asked(1, "x"), asked(2, "x"), asked(3, "y")),
    )  # fmt: skip
    right = Passage(chunk_id=ChunkId(1), document="a", span=Span(0, 1), text="")
    found = lines(measured, {Way(name="default"): [[right], [right], [right], []]})
    values = {line.name: (line.n, line.cells["hit@1"].mean.value) for line in found}
    assert values == {
        "default": (4, 0.75), "x": (3, 1.0), "y": (1, 0.0), "mean of the parts": (4, 0.5),
    }  # fmt: skip


def test_every_anchor_belongs_to_a_measure_that_is_reported() -> None:
    for anchor in ANCHORS:
        assert anchor.measure in READERS[anchor.set].measures
        assert 0 < anchor.value < 1
        assert anchor.source
