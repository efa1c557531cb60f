"""The shipped reader: what it finds in passages, and that it is what it should be."""

import shutil
import subprocess
import sys
import threading
from importlib.resources import as_file, files
from pathlib import Path

import pytest

from rag.adapters.reader.neural import PACKAGE, PINNED, SPANS_MAX, NeuralReader
from rag.adapters.shipped import GRAPH, SUMS
from rag.domain.errors import ModelError, ModelUnavailable
from rag.domain.reading import Passage

LEAVE = (
    "Full-time employees have 28 days of annual leave per calendar year, in addition to public"
    " holidays. Requests go to the team lead, who answers within three working days."
)
TRAVEL = "Meals are refunded up to 40 euros a day. Hotels are refunded up to 150 euros a night."
HEAD = "Petra Vogel has led the plant in Ulm since 2019. She reports to the managing director."


@pytest.fixture(scope="module")
def reader() -> NeuralReader:
    return NeuralReader.load(threads=1)


def passages(*texts: str) -> list[Passage]:
    return [Passage(header="Handbook", text=text) for text in texts]


@pytest.mark.parametrize(
    ("question", "best", "answer"),
    [
        ("How many days of annual leave do employees have?", 0, "28"),
        ("How much is refunded for meals?", 1, "40 euros"),
        ("Who has led the plant in Ulm since 2019?", 2, "Petra Vogel"),
        ("Since when has Petra Vogel led the plant?", 2, "2019"),
    ],
)
async def test_it_finds_the_passage_and_the_place(
    reader: NeuralReader, question: str, best: int, answer: str
) -> None:
    texts = [LEAVE, TRAVEL, HEAD]
    found = await reader.read(question, passages(*texts))
    assert max(range(3), key=lambda n: found[n].p_answers) == best
    assert answer in found[best].spans[0].span.of(texts[best])


async def test_spans_lie_in_the_passage_and_probabilities_are_such(reader: NeuralReader) -> None:
    long = " ".join([TRAVEL] * 40 + [LEAVE] + [TRAVEL] * 40)
    (found,) = await reader.read("How many days of annual leave are there?", passages(long))
    assert 0.0 <= found.p_answers <= 1.0
    assert 0 < len(found.spans) <= SPANS_MAX
    assert sum(s.p for s in found.spans) <= 1.0 + 1e-6
    assert [s.p for s in found.spans] == sorted((s.p for s in found.spans), reverse=True)
    for one in found.spans:
        assert one.span.of(long).strip()


async def test_a_reading_does_not_depend_on_the_company(reader: NeuralReader) -> None:
    question = "How much is refunded for meals?"
    (alone,) = await reader.read(question, passages(TRAVEL))
    assert (await reader.read(question, passages(LEAVE, TRAVEL, HEAD)))[1] == alone


@pytest.mark.parametrize("text", ["", " \n", "...", "|---|"])
async def test_nothing_to_read_answers_nothing(reader: NeuralReader, text: str) -> None:
    (found,) = await reader.read("Who?", passages(text))
    assert found.p_answers < 0.5


def test_work_is_given_up_when_it_is_told_to(reader: NeuralReader) -> None:
    stop = threading.Event()
    stop.set()
    with pytest.raises(ModelError):
        reader.readings("Who?", passages(LEAVE), stop)


@pytest.mark.parametrize("name", [GRAPH, SUMS])
def test_a_file_that_is_missing_or_changed_is_said_at_start(tmp_path: Path, name: str) -> None:
    with as_file(files(PACKAGE)) as shipped:
        for kept in (*PINNED, SUMS):
            shutil.copyfile(shipped / kept, tmp_path / kept)
    NeuralReader.load(tmp_path)
    (tmp_path / name).write_bytes(b"other")
    with pytest.raises(ModelUnavailable):
        NeuralReader.load(tmp_path)
    (tmp_path / name).unlink()
    with pytest.raises(ModelUnavailable):
        NeuralReader.load(tmp_path)


def test_it_needs_no_torch() -> None:
    code = (
        "import sys; from rag.adapters.reader.neural import NeuralReader; NeuralReader.load();"
        " assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_the_card_names_the_files_that_are_shipped(reader: NeuralReader) -> None:
    card = files(PACKAGE).joinpath("MODEL_CARD.md").read_text("utf-8")
    assert reader.digest in card
