"""The suite of value changes of a real handbook, and its pages before and after each."""

import json
import lzma
import random
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Final

from rag.domain.errors import ConfigError

SUITE: Final = Path(__file__).parents[1] / "suites" / "value_changes.jsonl"
HISTORY: Final = "replay/handbook_history.jsonl.xz"
NOISE_PAGES: Final = 60
_SEED: Final = 1
_KEYS: Final = frozenset({"id", "path", "commit", "question", "old", "new"})
_LINE_CHARS_MIN: Final = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class ValueChange:
    """A value of a page that a commit changed, and a question that names the thing, not the value."""

    id: str
    path: str
    commit: str
    question: str
    old: str
    new: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PageChange:
    """A page's text before and after a commit, and the values that it changed."""

    path: str
    before: str
    after: str
    values: tuple[ValueChange, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Handbook:
    """The changes in the order of history, and `noise`: other pages, by path."""

    changes: tuple[PageChange, ...]
    noise: Mapping[str, str]


def read_suite(path: Path = SUITE) -> tuple[ValueChange, ...]:
    """The changes of a JSONL file, in order.

    Raises:
        ConfigError: not there, or a line is not a change; the message names the line.
    """
    try:
        lines = path.read_text("utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as exc:
        raise ConfigError(f"cannot read {path}: {exc}") from exc
    found: dict[str, ValueChange] = {}
    for number, line in enumerate(lines, 1):
        try:
            change = _change(json.loads(line))
        except (ValueError, TypeError) as exc:
            raise ConfigError(f"{path}, line {number}: {exc}") from exc
        if change.id in found:
            raise ConfigError(f"{path}, line {number}: {change.id} is there already")
        found[change.id] = change
    return tuple(found.values())


def _change(row: object) -> ValueChange:
    if not isinstance(row, dict) or row.keys() != _KEYS:
        raise TypeError(f"a line must be an object with {', '.join(sorted(_KEYS))}")
    if not all(isinstance(v, str) and v.strip() for v in row.values()):
        raise TypeError("every value must be a text that is not empty")
    if row["old"] == row["new"]:
        raise ValueError("old and new must differ")
    return ValueChange(**row)


def read_handbook(root: Path, suite: Sequence[ValueChange]) -> Handbook:
    """The pages of the suite from the handbook's history, and a fixed draw of others.

    Other pages are as they stood before the first change. Left out are those that say, whatever
    the numbers, a line that a change touched: the page's own earlier names are among them, and
    what they say about the value would be neither wrong nor right.

    Raises:
        ConfigError: a commit of the suite is not in the history, or does not change its page.
    """
    wanted = {
        commit: list(some)
        for commit, some in groupby(sorted(suite, key=lambda v: v.commit), key=lambda v: v.commit)
    }
    changes: list[PageChange] = []
    first: dict[str, str] = {}
    for commit, before, after in _commits(root / HISTORY, frozenset(wanted)):
        first = first or dict(before)
        for path, values in groupby(sorted(wanted[commit], key=lambda v: v.path), lambda v: v.path):
            if not before.get(path) or not after.get(path) or before[path] == after[path]:
                raise ConfigError(f"commit {commit} does not change {path}")
            changes.append(
                PageChange(
                    path=path, before=before[path], after=after[path],
                    values=tuple(sorted(values, key=lambda v: v.id)),
                )
            )  # fmt: skip
    if lost := set(wanted) - {v.commit for c in changes for v in c.values}:
        raise ConfigError(f"the history lacks {', '.join(sorted(lost))}")
    return Handbook(changes=tuple(changes), noise=_noise(first, changes))


def _commits(
    path: Path, wanted: frozenset[str]
) -> Iterator[tuple[str, dict[str, str], dict[str, str]]]:
    """Each wanted commit with all pages before and after it; stops after the last."""
    pages: dict[str, str] = {}
    n_left = len(wanted)
    with lzma.open(path, "rt", encoding="utf-8") as file:
        for line in file:
            entry = json.loads(line)
            before = dict(pages) if entry["commit"] in wanted else {}
            for change in entry["changes"]:
                if change["op"] == "put":
                    pages[change["path"]] = change["text"]
                else:
                    pages.pop(change["path"], None)
            if entry["commit"] in wanted:
                n_left -= 1
                yield entry["commit"], before, pages
            if not n_left:
                return


def _noise(pages: Mapping[str, str], changes: Sequence[PageChange]) -> dict[str, str]:
    of_suite = {change.path for change in changes}
    touched: set[str] = set()
    for change in changes:
        touched |= _forms(change.before) ^ _forms(change.after)
        # A changed number leaves the form of its line as it was.
        touched |= {line for value in change.values for line in _lines_with(change, value)}
    others = [
        path
        for path, text in sorted(pages.items())
        if path not in of_suite and not _forms(text) & touched
    ]
    rng = random.Random(_SEED)  # noqa: S311 - a fixed draw, no secret
    return {path: pages[path] for path in rng.sample(others, min(NOISE_PAGES, len(others)))}


def _lines_with(change: PageChange, value: ValueChange) -> set[str]:
    held = "\n".join(line for line in change.before.splitlines() if value.old in line)
    return _forms(held)


def _forms(text: str) -> set[str]:
    """The lines of a page without their numbers; short ones say nothing."""
    lines = (re.sub(r"\d+", "#", line).strip() for line in text.splitlines())
    return {line for line in lines if len(line) >= _LINE_CHARS_MIN}
