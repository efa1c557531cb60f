"""What the benches share: rows of the table, load, statistics, files to measure on."""

import os
import statistics
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Final, Self

import numpy as np

ROOT: Final = Path(__file__).resolve().parents[2]
DEMO: Final = ROOT / "data" / "silos"
QUESTIONS: Final = ROOT / "data" / "questions.jsonl"
# The indexer lowers its priority by this much, so what it is compared with does too.
NICENESS: Final = 10
_TICKS: Final = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """How much to measure, and where to put what is built for it."""

    quick: bool
    work: Path
    seed: int = 1
    rounds: int = 0

    def choose(self, quick: int, full: int) -> int:
        """The size for this run."""
        return quick if self.quick else full


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One line of the table. `met` is None where there is no aim, only a figure.

    `others` says how many cores other programs used meanwhile: the figure's noise.
    """

    bench: str
    what: str
    figure: str
    peer: str = ""
    ratio: str = ""
    aim: str = ""
    met: bool | None = None
    others: str = ""
    samples: Sequence[float] = field(default=())


def say(text: str) -> None:
    """Progress, on standard error."""
    print(f"{time.strftime('%H:%M:%S')} {text}", file=sys.stderr, flush=True)


# --- statistics -----------------------------------------------------------------------------------


def percentile(samples: Sequence[float], share: float) -> float:
    """The value below which `share` of the samples lie, interpolated."""
    return float(np.percentile(samples, share * 100))


def p50_p95(samples: Sequence[float], unit: str = "ms", scale: float = 1000.0) -> str:
    """Median, 95th percentile and worst of samples in seconds."""
    values = [s * scale for s in samples]
    p50, p95 = percentile(values, 0.5), percentile(values, 0.95)
    return f"{p50:.3g} / {p95:.3g} {unit} (worst {max(values):.3g}, n {len(values)})"


def median(samples: Sequence[float]) -> float:
    """The middle one."""
    return statistics.median(samples)


def spread(samples: Sequence[float], digits: int = 3) -> str:
    """Median with lowest and highest."""
    middle = f"{median(samples):.{digits}g}"
    if len(samples) < 2:
        return middle
    return f"{middle} [{min(samples):.{digits}g}..{max(samples):.{digits}g}]"


# --- load -----------------------------------------------------------------------------------------


class Load:
    """Within the block: seconds, CPU seconds of our processes, and cores used by others."""

    def __init__(self) -> None:
        self.elapsed_s = self.cpu_s = self.others = 0.0
        self._started_s = 0.0
        self._busy = self._own = 0.0

    @property
    def note(self) -> str:
        """Cores used by others, for the table."""
        return f"{self.others:.1f}"

    def __enter__(self) -> Self:
        self._started_s = time.monotonic()
        self._busy, self._own = _machine_cpu_s(), tree_cpu_s(os.getpid())
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.elapsed_s = max(1e-9, time.monotonic() - self._started_s)
        self.cpu_s = tree_cpu_s(os.getpid()) - self._own
        busy = _machine_cpu_s() - self._busy
        self.others = max(0.0, (busy - self.cpu_s) / self.elapsed_s)


def _machine_cpu_s() -> float:
    fields = Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:]
    user, nice, system, _idle, _wait, irq, soft = (int(f) for f in fields[:7])
    return (user + nice + system + irq + soft) / _TICKS


def tree_cpu_s(root: int) -> float:
    """CPU seconds of a process, of its living descendants, and of those they waited for."""
    return sum(_cpu_s(pid) for pid in tree(root))


def _cpu_s(pid: int) -> float:
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0.0
    return sum(int(f) for f in fields[11:15]) / _TICKS


def tree(root: int) -> list[int]:
    """A process and all its living descendants."""
    parents: dict[int, list[int]] = {}
    for entry in os.listdir("/proc"):
        if not entry.isdigit():
            continue
        try:
            stat = Path(f"/proc/{entry}/stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue
        parents.setdefault(int(stat[1]), []).append(int(entry))
    found = [root]
    for pid in found:
        found.extend(parents.get(pid, ()))
    return found


def pss_bytes(pid: int) -> int:
    """Memory of a process, shared pages divided among who shares them."""
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except OSError:
        return 0
    return sum(int(line.split()[1]) * 1024 for line in lines if line.startswith("Pss:"))


def folder_bytes(path: Path) -> int:
    """Size of a file, or of all files in a folder."""
    if path.is_file():
        return path.stat().st_size
    return sum(p.stat().st_size for p in path.rglob("*") if p.is_file())
