"""Scores that were made before: a run that was stopped goes on where it was."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import IO, Final

from rich.console import Console
from rich.progress import track

from eval.verify.scorers import Parts, Score, Scorer
from rag.domain.claim import JudgePair
from rag.domain.errors import ConfigError
from rag.domain.labelled import pair_key
from rag.domain.words import Span

_CHUNK: Final = 64


class ScoreBook:
    """Scores by scorer and pair, in memory and, with a folder, in its `scores.jsonl`.

    The file holds digests and numbers, no text. One process may write it.
    """

    def __init__(self, folder: Path | None) -> None:
        """Read what is there.

        Raises:
            ConfigError: a line of the file is not a score.
        """
        self._known: dict[tuple[str, str], Parts] = {}
        self._path = folder / "scores.jsonl" if folder is not None else None
        if self._path is not None:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            self._read(self._path)

    def scored(self, scorer: Scorer, pairs: Sequence[JudgePair], title: str) -> list[Parts]:
        """The parts of each pair, in order; what is not in the book is scored and written down."""
        keys = [(scorer.digest, pair_key(p)) for p in pairs]
        new = {k: p for k, p in zip(keys, pairs, strict=True) if k not in self._known}
        work = list(new.items())
        starts = range(0, len(work), _CHUNK)
        bar = track(starts, f"{title}, {scorer.name}", console=Console(stderr=True))
        for start in bar if work else ():
            some = work[start : start + _CHUNK]
            found = scorer.score([pair for _, pair in some])
            self._add([(key, parts) for (key, _), parts in zip(some, found, strict=True)])
        return [self._known[k] for k in keys]

    def _add(self, rows: Sequence[tuple[tuple[str, str], Parts]]) -> None:
        self._known |= dict(rows)
        if self._path is None:
            return
        with self._path.open("a", encoding="utf-8") as file:
            file.writelines(_line(key, parts) for key, parts in rows)

    def _read(self, path: Path) -> None:
        if not path.exists():
            return
        with path.open("r+b") as file:
            _cut_torn_line(file)
        for number, line in enumerate(path.read_text("utf-8").splitlines(), 1):
            try:
                row = json.loads(line)
                parts = {name: _score(*said) for name, said in row["parts"].items()}
                self._known[row["scorer"], row["pair"]] = parts
            except (ValueError, KeyError, TypeError) as exc:
                raise ConfigError(
                    f"{path}, line {number} is no score", remedy="remove the line, or the file"
                ) from exc


def _cut_torn_line(file: IO[bytes]) -> None:
    """A run that was killed may have left the beginning of a line at the end."""
    file.truncate(file.read().rfind(b"\n") + 1)


def _line(key: tuple[str, str], parts: Parts) -> str:
    said = {
        name: [s.p_supported, [[f.start, f.end] for f in s.flagged], s.unchecked]
        for name, s in parts.items()
    }
    return json.dumps({"scorer": key[0], "pair": key[1], "parts": said}) + "\n"


def _score(p_supported: float, flagged: list[list[int]], unchecked: bool) -> Score:
    return Score(float(p_supported), tuple(Span(a, b) for a, b in flagged), unchecked)
