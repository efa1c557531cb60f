"""Editing and deleting while 50,000 chunks are indexed, through the real watcher."""

import os
import random
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

from eval.bench import corpus
from eval.bench.common import Load, Options, Row, p50_p95, percentile, say
from eval.bench.filled import DESK, LONG, N_DESK, filled
from eval.bench.installation import Installation, Probe, Serving, at_rest, serving, wait

AIM_S: Final = 1.0
AIM_EMBEDDED: Final = 3
TIMEOUT_S: Final = 30.0
_DIGEST: Final = """
    SELECT version.digest FROM document JOIN version ON version.id = document.version_id
    WHERE document.silo = ? AND document.key = ?
"""


def run(options: Options) -> list[Row]:
    """Save to citable, delete to never cited, and what an edit of a long document costs."""
    made = filled(options)
    probe = Probe(made)
    rng = random.Random(options.seed + time.time_ns())
    n_edits = options.choose(6, 30)
    with serving(made) as serve:
        at_rest(serve)
        size = f"{probe.n_children()} chunks"
        say(f"{n_edits} edits beside {size}")
        rows = [_edits(made, probe, rng, n_edits, size)]
        at_rest(serve)
        rows += _long_edits(made, probe, rng, options.choose(3, 10), serve)
        rows.append(_asked_edits(made, serve, rng, options.choose(3, 10)))
        rows += _deletes(made, probe, serve, rng, options.choose(3, 20))
        at_rest(serve)
    probe.close()
    return rows


def save(path: Path, text: str) -> None:
    """As editors do: a new file, renamed over the old."""
    work = path.with_name(f".{path.name}.swp")
    work.write_text(text)
    os.replace(work, path)


def edited(text: str, rng: random.Random) -> str:
    """The text with one paragraph, somewhere in it, written anew."""
    parts = text.split("\n\n")
    places = [i for i, part in enumerate(parts) if not part.startswith("#")]
    parts[rng.choice(places)] = corpus.paragraph(rng, 300)
    return "\n\n".join(parts)


def _edits(made: Installation, probe: Probe, rng: random.Random, n: int, size: str) -> Row:
    taken: list[float] = []
    with Load() as load:
        for i in range(n):
            key = f"{i % N_DESK:02d}.md"
            taken.append(_edit(made, probe, key, rng))
            time.sleep(rng.uniform(0.2, 0.8))
    p95 = percentile(taken, 0.95)
    return Row(
        bench="edit", what=f"save of a 10 KB document to citable, {size}, p50 / p95",
        figure=p50_p95(taken), aim="p95 < 1 s", met=p95 < AIM_S, others=load.note, samples=taken,
    )  # fmt: skip


def _edit(made: Installation, probe: Probe, key: str, rng: random.Random) -> float:
    """Seconds from the save until the catalog's current version is another."""
    path = made.silo(DESK) / key
    before = probe.one(_DIGEST, DESK, key)
    text = edited(path.read_text(), rng)
    started_s = time.monotonic()
    save(path, text)
    wait(lambda: probe.one(_DIGEST, DESK, key) != before, TIMEOUT_S, key, pause_s=0.002)
    return time.monotonic() - started_s


def _long_edits(
    made: Installation, probe: Probe, rng: random.Random, n: int, serve: Serving
) -> list[Row]:
    """One paragraph in 200 pages: what is embedded anew is what the ledger has gained."""
    embedded: list[float] = []
    taken: list[float] = []
    with Load() as load:
        for _ in range(n):
            before = probe.one("SELECT count(*) FROM vector")
            taken.append(_edit(made, probe, LONG, rng))
            wait(lambda: not probe.n_pending(), TIMEOUT_S, "vectors")
            embedded.append(probe.one("SELECT count(*) FROM vector") - before)
            time.sleep(0.2)
    return [
        Row(
            bench="edit", what="chunks embedded for one paragraph of 200 pages, most",
            figure=f"{max(embedded):g} (mean {sum(embedded) / n:.1f}, n {n})",
            aim=f"<= {AIM_EMBEDDED}", met=max(embedded) <= AIM_EMBEDDED, others=load.note,
            samples=embedded,
        ),
        Row(
            bench="edit", what="save of that document (600 KB) to citable, p50 / p95",
            figure=p50_p95(taken), others=load.note, samples=taken,
        ),
    ]  # fmt: skip


def _asked_edits(made: Installation, serve: Serving, rng: random.Random, n: int) -> Row:
    """The same, seen by an asker: save until an answer cites the new sentence."""
    taken: list[float] = []
    with Load() as load:
        for i in range(n):
            key = f"{i % N_DESK:02d}.md"
            question, sentence = _fact(rng)
            path = made.silo(DESK) / key
            started_s = time.monotonic()
            save(path, f"{path.read_text()}\n\n{sentence}\n")
            wait(_cited(serve, question, sentence), TIMEOUT_S, "a citation")
            taken.append(time.monotonic() - started_s)
    return Row(
        bench="edit", what="save until an HTTP answer cites the new sentence, p50 / p95",
        figure=p50_p95(taken), others=load.note, samples=taken,
    )  # fmt: skip


def _fact(rng: random.Random) -> tuple[str, str]:
    """A question and the one sentence that answers it."""
    name = "".join(rng.choices("bcdfghklmnprstvw", k=1) + rng.choices("aeiou", k=1)) + "".join(
        rng.choices("bdgklmnrst", k=2) + rng.choices("aeio", k=1) + rng.choices("lnrst", k=2)
    )
    name = name.capitalize()
    amount = rng.randrange(1000, 99999)
    return (
        f"What is the budget of the {name} project?",
        f"The budget of the {name} project is EUR {amount}.",
    )


def _cites(serve: Serving, question: str, sentence: str) -> bool:
    answer = serve.http.post("/v1/answers", json={"question": question}).json()
    return any(sentence in c["cited_text"] for c in answer.get("citations", ()))


def _cited(serve: Serving, question: str, sentence: str) -> Callable[[], bool]:
    return lambda: _cites(serve, question, sentence)


def _deletes(
    made: Installation, probe: Probe, serve: Serving, rng: random.Random, n: int
) -> list[Row]:
    """A document that was just cited is deleted; then it is asked for again, at once."""
    gone: list[float] = []
    still_cited = 0
    with Load() as load:
        for i in range(n):
            key = f"brief-{rng.randrange(10**9)}-{i}.md"
            path = made.silo(DESK) / key
            question, sentence = _fact(rng)
            save(path, f"# Brief {i}\n\n{sentence}\n")
            wait(_cited(serve, question, sentence), TIMEOUT_S, "a citation")
            started_s = time.monotonic()
            path.unlink()
            wait(_removed(probe, key), TIMEOUT_S, "the removal", pause_s=0.002)
            gone.append(time.monotonic() - started_s)
            still_cited += _cites(serve, question, sentence)
    return [
        Row(
            bench="edit", what="delete to never cited again, p50 / p95", figure=p50_p95(gone),
            aim="p95 < 1 s", met=percentile(gone, 0.95) < AIM_S, others=load.note, samples=gone,
        ),
        Row(
            bench="edit", what="answers that cite what was removed", figure=f"{still_cited} of {n}",
            aim="0", met=still_cited == 0, others=load.note,
        ),
    ]  # fmt: skip


def _removed(probe: Probe, key: str) -> Callable[[], bool]:
    return lambda: probe.one(_DIGEST, DESK, key) is None
