"""Indexing: the belt against the embedder alone, and against a stock LlamaIndex pipeline."""

import json
import shutil
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from eval.bench import corpus
from eval.bench.common import NICENESS, Load, Options, Row, median, say, spread
from eval.bench.installation import (
    Probe,
    chroma,
    indexer,
    install,
    process,
    wait,
)
from rag.adapters.embedding.onnx_embedder import DEFAULT_MODEL, locate_model

SILO: Final = "papers"
CHARS: Final = 7_000
AIM_SHARE: Final = 0.90
AIM_PEER: Final = 1.3
AIM_CITABLE: Final = 20.0
TIMEOUT_S: Final = 3600.0


@dataclass(slots=True)
class Samples:
    """One list per figure, one entry per round."""

    values: dict[str, list[float]] = field(default_factory=dict)

    def add(self, name: str, value: float) -> None:
        """Note a figure of this round."""
        self.values.setdefault(name, []).append(value)

    def ratio(self, above: str, below: str) -> list[float]:
        """Round by round, so that a slow minute slows both sides."""
        pairs = zip(self.values[above], self.values[below], strict=True)
        return [a / b for a, b in pairs]


def run(options: Options) -> list[Row]:
    """Interleaved rounds: the belt, the embedder alone on the same chunks, the peer."""
    n_files = options.choose(40, 200)
    model = locate_model(DEFAULT_MODEL).folder
    papers = options.work / "papers"
    shutil.rmtree(papers, ignore_errors=True)
    corpus.write_files(papers, n_files, CHARS, options.seed)
    samples = Samples()
    for number in range(options.rounds or options.choose(1, 3)):
        say(f"round {number + 1}: the belt")
        texts = _belt(options, papers, n_files, samples)
        say("the embedder alone")
        _bare(options, texts, n_files, samples)
        say("LlamaIndex")
        _peer(options, papers, n_files, model, samples)
    return _rows(samples, n_files)


def _belt(options: Options, papers: Path, n_files: int, samples: Samples) -> list[str]:
    """The real indexer, warm; the documents are moved into its silo all at once."""
    shutil.rmtree(options.work / "indexing", ignore_errors=True)
    made = install(options, "indexing", [SILO])
    staged = made.folder / "staged"
    shutil.copytree(papers, staged)
    probe = Probe(made)
    with chroma(made) as port, indexer(made, port, "watch"):
        wait(lambda: (made.paths.run / "indexer.json").exists(), 60, "the indexer")
        time.sleep(3.0)
        with Load() as load:
            staged.rename(made.silo(SILO) / "new")
            citable_s = wait(
                lambda: probe.n_documents(SILO) >= n_files, TIMEOUT_S, "texts", pause_s=0.02
            )
            rest_s = wait(lambda: not probe.n_pending(), TIMEOUT_S, "vectors", pause_s=0.05)
    texts = _children(probe)
    probe.close()
    total_s = citable_s + rest_s
    samples.add("belt_others", load.others)
    samples.add("citable_s", citable_s)
    samples.add("belt_docs", n_files / total_s)
    samples.add("belt_chunks", len(texts) / total_s)
    samples.add("belt_chars", sum(map(len, texts)) / total_s)
    samples.add("belt_cpu", load.cpu_s / n_files)
    return texts


def _children(probe: Probe) -> list[str]:
    """The distinct texts that were embedded."""
    statement = """
        SELECT DISTINCT canonical.body, chunk.start_char, chunk.end_char
        FROM chunk JOIN version ON version.id = chunk.version_id
                   JOIN canonical ON canonical.digest = version.digest
        WHERE chunk.parent_id IS NOT NULL ORDER BY chunk.id
    """
    return list(dict.fromkeys(body[start:end] for body, start, end in probe.rows(statement)))


def _bare(options: Options, texts: list[str], n_files: int, samples: Samples) -> None:
    place = options.work / "bare.json"
    config = options.work / "indexing" / "sworn.toml"
    place.write_text(json.dumps({"config": str(config), "texts": texts}))
    with Load() as load:
        found = _child(options, "eval.bench.bare", place)
    samples.add("bare_others", load.others)
    samples.add("bare_cpu", found["whole_cpu"] / n_files)
    for name in ("whole", "eights"):
        samples.add(f"bare_{name}", len(texts) / found[name])


def _peer(options: Options, papers: Path, n_files: int, model: Path, samples: Samples) -> None:
    store = options.work / "peer-chroma"
    shutil.rmtree(store, ignore_errors=True)
    place = options.work / "peer.json"
    given = {"folder": papers, "model": model, "store": store}
    place.write_text(json.dumps({k: str(v) for k, v in given.items()}))
    with Load() as load:
        found = _child(options, "eval.bench.peer", place)
    samples.add("peer_others", load.others)
    samples.add("peer_s", found["seconds"])
    samples.add("peer_docs", n_files / found["seconds"])
    samples.add("peer_chunks", found["chunks"] / found["seconds"])
    samples.add("peer_chars", found["chars_read"] / found["seconds"])
    samples.add("peer_share_read", found["chars_read"] / found["chars"])
    samples.add("peer_cpu", found["cpu_s"] / n_files)


def _child(options: Options, module: str, given: Path) -> dict[str, Any]:
    """Run a module on `given` at the indexer's priority; it writes its answer beside it."""
    answer = given.with_suffix(".out")
    answer.unlink(missing_ok=True)
    command = [sys.executable, "-m", module, str(given), str(answer)]
    with process(command, options.work / f"{module}.log", niceness=NICENESS) as child:
        child.wait(TIMEOUT_S)
    if not answer.exists():
        raise RuntimeError(f"{module} failed; see its log")
    found: dict[str, Any] = json.loads(answer.read_text())
    return found


def _rows(s: Samples, n_files: int) -> list[Row]:
    others = " and ".join(spread(s.values[f"{who}_others"], 2) for who in ("belt", "bare", "peer"))

    def row(what: str, ours: str, unit: str, peer: str, aim: float | None = None) -> Row:
        ratios = s.ratio(ours, peer)
        return Row(
            bench="indexing", what=what, figure=f"{spread(s.values[ours])} {unit}",
            peer=f"{spread(s.values[peer])} {unit}", ratio=spread(ratios),
            aim=f">= {aim:g}" if aim else "", met=median(ratios) >= aim if aim else None,
            others=others, samples=s.values[ours] + s.values[peer],
        )  # fmt: skip

    read = f"{median(s.values['peer_share_read']):.0%}"
    citable = [p / c for p, c in zip(s.values["peer_s"], s.values["citable_s"], strict=True)]
    return [
        row("belt, peer the embedder alone, all chunks at once", "belt_chunks", "chunks/s",
            "bare_whole", AIM_SHARE),
        row("belt, peer the embedder alone, 8 at a time", "belt_chunks", "chunks/s", "bare_eights"),
        row("belt, peer LlamaIndex: documents", "belt_docs", "documents/s", "peer_docs", AIM_PEER),
        row("belt, peer LlamaIndex: characters the model read", "belt_chars", "characters/s",
            "peer_chars", AIM_PEER),
        row("belt, peer LlamaIndex: chunks (theirs are larger)", "belt_chunks", "chunks/s",
            "peer_chunks"),
        row("CPU, peer the embedder alone (less is better)", "belt_cpu", "s/document", "bare_cpu"),
        row("CPU, peer LlamaIndex (less is better)", "belt_cpu", "s/document", "peer_cpu"),
        Row(
            bench="indexing", what="share of the text that the peer's model read, ours 100%",
            figure=read, others=others,
        ),
        Row(
            bench="indexing", what=f"all {n_files} citable, peer: all searchable",
            figure=f"{spread(s.values['citable_s'])} s", peer=f"{spread(s.values['peer_s'])} s",
            ratio=spread(citable), aim=f">= {AIM_CITABLE:g}",
            met=median(citable) >= AIM_CITABLE, others=others,
            samples=s.values["citable_s"] + s.values["peer_s"],
        ),
    ]  # fmt: skip
