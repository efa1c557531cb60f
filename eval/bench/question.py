"""Asking the real server, at rest and while it indexes."""

import random
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from eval.bench import corpus
from eval.bench.common import QUESTIONS, Load, Options, Row, p50_p95, percentile, say
from eval.bench.filled import FILLER, filled
from eval.bench.installation import Installation, Probe, Serving, at_rest, serving
from eval.gold import read_questions

AIM_S: Final = 0.150
AIM_BUSY: Final = 2.0
WARM: Final = ("Who are you?", "How much is it?", "When does it begin?")


@dataclass(frozen=True, slots=True, kw_only=True)
class Answered:
    """One answer over HTTP: what it took in seconds, and each of its steps, in order."""

    taken_s: float
    steps: tuple[tuple[str, float], ...]
    status: str


def asked() -> list[str]:
    """The demo's gold questions, in an order that has nothing to do with their subjects."""
    questions = [q.question for q in read_questions(QUESTIONS)]
    random.Random(7).shuffle(questions)
    return questions


def run(options: Options) -> list[Row]:
    """Two servers: half of the questions at rest, the other half busy; then the other way round.

    No question is asked twice of a server, as it remembers vectors of sentences it has compared.
    """
    made = filled(options)
    probe = Probe(made)
    size = f"{probe.n_children()} chunks"
    probe.close()
    questions = asked()[: options.choose(24, 240)]
    idle: list[Answered] = []
    busy: list[Answered] = []
    loads: list[str] = []
    for first in (0, 1):
        halves = questions[first::2], questions[1 - first :: 2]
        with serving(made) as serve:
            at_rest(serve)
            _ask(serve, WARM)
            say("asking at rest")
            with Load() as load:
                idle += _ask(serve, halves[0])
            _make_busy(made, first, options)
            say("asking while it indexes")
            busy += _ask(serve, halves[1])
            still = serve.http.get("/v1/silos").json()["n_vectors_pending"]
            if not still:
                raise RuntimeError("the indexer was done before the questions were")
            loads.append(load.note)
        _clear(made, first)
    return _rows(idle, busy, size, " and ".join(loads))


def _ask(serve: Serving, questions: Sequence[str]) -> list[Answered]:
    return [ask(serve, question) for question in questions]


def ask(serve: Serving, question: str) -> Answered:
    """Ask the server, and wait until the whole answer is there."""
    started_s = time.perf_counter()
    answer = serve.http.post("/v1/answers", json={"question": question})
    taken_s = time.perf_counter() - started_s
    found = answer.raise_for_status().json()
    steps = tuple((step["step"], step["elapsed_ms"] / 1000) for step in found["activity"])
    return Answered(taken_s=taken_s, steps=steps, status=found["status"])


def _make_busy(made: Installation, number: int, options: Options) -> None:
    """New files for the indexer: enough that it is still embedding when the questions are over."""
    rng = random.Random(options.seed + 10 + number + time.time_ns())
    folder = made.folder / "staged"
    folder.mkdir()
    for i in range(options.choose(60, 300)):
        (folder / f"{i:04d}.md").write_text(corpus.document(rng, 7_000))
    folder.rename(made.silo(FILLER) / f"busy-{number}")
    time.sleep(2.0)


def _clear(made: Installation, number: int) -> None:
    """Take the new files away again; the next start reconciles."""
    folder = made.silo(FILLER) / f"busy-{number}"
    for path in folder.iterdir():
        path.unlink()
    folder.rmdir()


def _rows(resting: list[Answered], indexing: list[Answered], size: str, others: str) -> list[Row]:
    idle, busy = ([a.taken_s for a in some] for some in (resting, indexing))
    p95, busy_p95 = percentile(idle, 0.95), percentile(busy, 0.95)
    return [
        Row(
            bench="question", what=f"answer over HTTP at rest, {size}, p50 / p95",
            figure=p50_p95(idle), aim="p95 < 150 ms", met=p95 < AIM_S, others=others, samples=idle,
        ),
        steps_row("question", resting, others),
        Row(
            bench="question", what="the same while indexing, ratio of p95", figure=p50_p95(busy),
            ratio=f"{busy_p95 / p95:.2f}", aim=f"<= {AIM_BUSY:g}",
            met=busy_p95 <= AIM_BUSY * p95, samples=busy,
        ),
    ]  # fmt: skip


def steps_row(bench: str, answers: Sequence[Answered], others: str) -> Row:
    """What the steps of these answers took."""
    taken: dict[str, list[float]] = {}
    for name, seconds in (step for answer in answers for step in answer.steps):
        taken.setdefault(name, []).append(seconds)
    parts = ", ".join(
        f"{name} {percentile(v, 0.5) * 1000:.0f}/{percentile(v, 0.95) * 1000:.0f}"
        for name, v in taken.items()
    )
    return Row(bench=bench, what="of which, p50/p95 in ms", figure=parts, others=others)
