"""The bench `answering`: who is asked when, what the table says, and that the peer is a real one."""

import asyncio
from collections.abc import Iterator

import pytest

from eval.bench import answering, answering_peer
from eval.bench.answering import WHO, Peer, Turn, in_turn, rows
from eval.bench.question import Answered
from rag.testing.fakes import HashEmbedder
from rag.testing.scripted_llm import Reply, ScriptedLlm, saying

TEXTS = ("Oil prices rose in 1973.", "Ice melts at zero degrees.", "A hotel costs EUR 140.")


def turns(*ours_s: float, memory: float, chroma: float) -> list[Turn]:
    return [
        Turn(
            ours=Answered(
                taken_s=seconds, steps=(("judge", 0.01),), status=("answered", "abstained")[n % 2]
            ),
            theirs_s={"memory": memory, "chroma": chroma},
        )
        for n, seconds in enumerate(ours_s)
    ]


def test_everyone_is_asked_each_question_and_is_first_as_often() -> None:
    turns = [in_turn(n) for n in range(6)]
    assert all(sorted(turn) == sorted(WHO) for turn in turns)
    assert sorted(turn[0] for turn in turns) == sorted(WHO * 2)


def test_the_ratio_is_ours_over_the_peers_and_the_aim_is_for_both_percentiles() -> None:
    table = rows(turns(*[0.2] * 10, memory=0.4, chroma=0.1), "9 chunks", "0.0")
    assert [r.ratio for r in table[:3]] == ["", "0.50 / 0.50", "2.00 / 2.00"]
    assert table[0].met is True
    slow = turns(*[0.31] * 10, memory=1.0, chroma=1.0)
    assert rows(slow, "9 chunks", "0.0")[0].met is False
    uneven = turns(*[0.2] * 9, 5.0, memory=1.0, chroma=1.0)
    assert rows(uneven, "9 chunks", "0.0")[0].met is False


def test_abstentions_stand_apart_so_that_they_cannot_pass_for_fast_answers() -> None:
    table = rows(turns(*[0.2] * 10, memory=0.4, chroma=0.1), "9 chunks", "0.0")
    assert {r.what for r in table} >= {"of these answered", "of these abstained"}
    assert all(len(r.samples) == 5 for r in table if r.what.startswith("of these"))


class Child:
    """A peer that says what it is told to."""

    def __init__(self, *lines: str) -> None:
        self.stdin = self
        self.stdout = self
        self.given: list[str] = []
        self._lines: Iterator[str] = iter(lines)

    def readline(self) -> str:
        return next(self._lines, "")

    def write(self, text: str) -> None:
        self.given.append(text)

    def flush(self) -> None:
        """Nothing is held back."""


def test_a_peer_that_finds_nothing_or_ends_is_no_figure() -> None:
    child = Child('{"n": 3}', '{"seconds": 0.5, "n_sources": 2}', '{"seconds": 0, "n_sources": 0}')
    peer = Peer(child)
    assert peer.n == 3
    assert peer.ask("memory", "Why?") == 0.5
    assert child.given == ['{"kind": "memory", "question": "Why?"}\n']
    with pytest.raises(RuntimeError, match="found nothing"):
        peer.ask("memory", "Why?")
    with pytest.raises(RuntimeError, match="has ended"):
        peer.ask("memory", "Why?")


@pytest.mark.filterwarnings("ignore")  # those of the library are not ours to mend
def test_the_peer_finds_with_our_vectors_and_lets_its_model_write() -> None:
    pytest.importorskip("llama_index.core")
    embedder = HashEmbedder()
    vectors = asyncio.run(embedder.embed(TEXTS))
    script = saying(Reply(raw=answering._SAID))
    with asyncio.Runner() as runner, ScriptedLlm(script) as llm:
        model = answering_peer.adapted(embedder, runner)
        nodes = answering_peer.nodes_of(zip(TEXTS, vectors, strict=True))
        engine = answering_peer.engine(nodes, model, llm.base_url)
        found = engine.query("What does a hotel cost?")
        asked = llm.requests[-1].prompt
    assert str(found) == answering._SAID
    assert "A hotel costs EUR 140." in asked
    # Three texts and one question: none was embedded again.
    assert embedder.n_embedded == len(TEXTS) + 1
