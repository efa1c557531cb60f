"""Starting with everything in place, and what a server at rest costs."""

import time
from pathlib import Path
from typing import Final

from eval.bench.common import Load, Options, Row, median, pss_bytes, say, spread, tree, tree_cpu_s
from eval.bench.filled import filled
from eval.bench.installation import Probe, at_rest, serving
from eval.bench.question import asked

AIM_START_S: Final = 4.0
AIM_PSS_MB: Final = 800
AIM_IDLE: Final = 0.01
IDLE_S: Final = 15.0
MB: Final = 2**20


def run(options: Options) -> list[Row]:
    """Several starts; memory and idle CPU are looked at in the last."""
    made = filled(options)
    probe = Probe(made)
    size = f"{probe.n_children()} chunks"
    probe.close()
    ready: list[float] = []
    cpu: list[float] = []
    rows: list[Row] = []
    n = options.choose(2, 5)
    with Load() as load:
        for i in range(n):
            with serving(made) as serve:
                ready.append(serve.ready_s)
                cpu.append(serve.ready_cpu_s)
                if i == n - 1:
                    at_rest(serve)
                    for question in asked()[:20]:
                        serve.http.post("/v1/answers", json={"question": question})
                    rows = [*_memory(serve.pid, size), _torch(serve.pid), _idle(serve.pid, size)]
    started = Row(
        bench="start", what=f"`sworn serve` to ready, {size}", figure=f"{spread(ready)} s",
        aim=f"< {AIM_START_S:g} s", met=median(ready) < AIM_START_S, others=load.note,
        samples=ready,
    )  # fmt: skip
    spent = Row(
        bench="start", what="CPU of all its processes until then",
        figure=f"{spread(cpu)} s", others=load.note, samples=cpu,
    )  # fmt: skip
    return [started, spent, *rows]


def _name(pid: int) -> str:
    words = Path(f"/proc/{pid}/cmdline").read_text().split("\0")
    for name in ("chroma", "connectors", "api.server", "serve", "parsers.child"):
        if any(word.endswith(name) for word in words):
            return {"connectors": "indexer", "api.server": "api", "parsers.child": "parser"}.get(
                name, name
            )
    return "other"


def _memory(pid: int, size: str) -> list[Row]:
    parts = [(_name(p), pss_bytes(p) / MB) for p in tree(pid)]
    total = sum(part for _, part in parts)
    detail = ", ".join(f"{name} {part:.0f}" for name, part in sorted(parts))
    return [
        Row(
            bench="start", what=f"memory of all processes (PSS), {size}", figure=f"{total:.0f} MB",
            aim=f"< {AIM_PSS_MB} MB", met=total < AIM_PSS_MB,
        ),
        Row(bench="start", what="of which", figure=detail),
    ]  # fmt: skip


def _torch(pid: int) -> Row:
    """Whether any of the processes has torch's library mapped."""
    with_torch = [_name(p) for p in tree(pid) if "libtorch" in _maps(p)]
    return Row(
        bench="start", what="processes with torch loaded", figure=", ".join(with_torch) or "none",
        aim="none", met=not with_torch,
    )  # fmt: skip


def _maps(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/maps").read_text()
    except OSError:
        return ""


def _idle(pid: int, size: str) -> Row:
    say("at rest")
    time.sleep(5.0)
    children = [(_name(p), p) for p in tree(pid) if p != pid]
    with Load() as load:
        before, total = [tree_cpu_s(p) for _, p in children], tree_cpu_s(pid)
        time.sleep(IDLE_S)
        used = (tree_cpu_s(pid) - total) / IDLE_S
    parts = [
        f"{name} {(tree_cpu_s(p) - spent) / IDLE_S:.1%}"
        for (name, p), spent in zip(children, before, strict=True)
    ]
    detail = ", ".join(parts)
    return Row(
        bench="start", what=f"CPU at rest, {size}", figure=f"{used:.1%} of a core ({detail})",
        aim=f"< {AIM_IDLE:.0%}", met=used < AIM_IDLE, others=load.note,
    )  # fmt: skip
