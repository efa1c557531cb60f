"""Question to verified answer over HTTP, beside stock LlamaIndex on the same texts and vectors.

Each question is asked of all, one after the other, so that what else runs hits all alike. Ours is
the real server with its reader and judge, and no language model. The peer has one, which answers
at once: a scripted one on loopback. It is asked inside its process, without HTTP, and verifies
nothing.
"""

import json
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final

from eval.bench.answering_peer import KINDS
from eval.bench.common import Load, Options, Row, p50_p95, percentile, say
from eval.bench.filled import filled
from eval.bench.installation import Installation, Serving, at_rest, serving
from eval.bench.question import WARM, Answered, ask, asked, steps_row
from rag.testing.scripted_llm import Reply, ScriptedLlm, saying

AIM_P50_S: Final = 0.300
AIM_P95_S: Final = 0.600
OURS: Final = "sworn"
WHO: Final = (OURS, *KINDS)
_PEERS: Final = {
    "memory": "LlamaIndex as it comes, its store in memory",
    "chroma": "LlamaIndex over Chroma in its process",
}
_SAID: Final = "The passages say so."


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """One question, asked of all: our answer, and the seconds of each of the peer's engines."""

    ours: Answered
    theirs_s: Mapping[str, float]


class Peer:
    """The child, asked by lines."""

    def __init__(self, child: "subprocess.Popen[str]") -> None:
        """Wait until its indexes are made."""
        self._child = child
        self.n: Final = int(self._answer()["n"])

    def ask(self, kind: str, question: str) -> float:
        """The seconds that one of its engines took.

        Raises:
            RuntimeError: it has ended, or has found nothing: neither must look like speed.
        """
        assert self._child.stdin is not None
        self._child.stdin.write(json.dumps({"kind": kind, "question": question}) + "\n")
        self._child.stdin.flush()
        found = self._answer()
        if not found["n_sources"]:
            raise RuntimeError("the peer found nothing")
        return float(found["seconds"])

    def _answer(self) -> dict[str, Any]:
        assert self._child.stdout is not None
        line = self._child.stdout.readline()
        if not line:
            raise RuntimeError("the peer has ended; see run/peer.log")
        found: dict[str, Any] = json.loads(line)
        return found


@contextmanager
def peer(made: Installation, model_url: str) -> Iterator[Peer]:
    """The peer over an installation's texts, which nobody changes meanwhile."""
    command = [sys.executable, "-m", "eval.bench.answering_peer", str(made.folder), model_url]
    with (made.folder / "run" / "peer.log").open("ab") as log:
        with subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, text=True
        ) as child:
            try:
                yield Peer(child)
            finally:
                child.kill()


def run(options: Options) -> list[Row]:
    """One server and one peer; no question is asked twice of either."""
    made = filled(options)
    with serving(made) as serve, ScriptedLlm(saying(Reply(raw=_SAID))) as llm:
        at_rest(serve)
        say("the peer's indexes")
        with peer(made, llm.base_url) as other:
            compared(serve, other, WARM)
            say("asking all")
            with Load() as load:
                turns = compared(serve, other, asked()[: options.choose(24, 120)])
            n = other.n
    return rows(turns, f"{n} chunks", load.note)


def compared(serve: Serving, other: Peer, questions: Sequence[str]) -> list[Turn]:
    """Ask all, who is first in turn: the first finds the caches of the processor cold."""
    turns: list[Turn] = []
    for n, question in enumerate(questions):
        order = in_turn(n)
        at = order.index(OURS)
        before = {kind: other.ask(kind, question) for kind in order[:at]}
        ours = ask(serve, question)
        after = {kind: other.ask(kind, question) for kind in order[at + 1 :]}
        turns.append(Turn(ours=ours, theirs_s=before | after))
    return turns


def in_turn(n: int) -> tuple[str, ...]:
    """Who is asked for the question of that number, in order."""
    first = n % len(WHO)
    return (*WHO[first:], *WHO[:first])


def rows(turns: Sequence[Turn], size: str, others: str) -> list[Row]:
    """The table; a ratio below 1 means that ours is faster."""
    ours = [turn.ours.taken_s for turn in turns]
    first = Row(
        bench="answering", what=f"question to verified answer over HTTP, {size}, p50 / p95",
        figure=p50_p95(ours), aim="p50 < 300 ms, p95 < 600 ms",
        met=percentile(ours, 0.5) < AIM_P50_S and percentile(ours, 0.95) < AIM_P95_S,
        others=others, samples=ours,
    )  # fmt: skip
    beside = [_beside(ours, kind, turns, others) for kind in KINDS]
    steps = steps_row("answering", [turn.ours for turn in turns], others)
    return [first, *beside, steps, *_by_status(turns, others)]


def _beside(ours: Sequence[float], kind: str, turns: Sequence[Turn], others: str) -> Row:
    theirs = [turn.theirs_s[kind] for turn in turns]
    ratios = [percentile(ours, share) / percentile(theirs, share) for share in (0.5, 0.95)]
    return Row(
        bench="answering", what=f"peer {_PEERS[kind]}: unverified, its model takes no time",
        figure=p50_p95(ours), peer=p50_p95(theirs),
        ratio=" / ".join(f"{ratio:.2f}" for ratio in ratios), others=others, samples=theirs,
    )  # fmt: skip


def _by_status(turns: Sequence[Turn], others: str) -> Iterator[Row]:
    """So that fast abstentions cannot pass for fast answers."""
    for status in sorted({turn.ours.status for turn in turns}):
        taken = [turn.ours.taken_s for turn in turns if turn.ours.status == status]
        yield Row(
            bench="answering", what=f"of these {status}", figure=p50_p95(taken), others=others,
            samples=taken,
        )  # fmt: skip
