"""Minimal pairs: supported claims, and the same with one thing changed.

The edits are those of training (rag/models/judge/train/edits.py), made of claims that no judge of
ours was trained on: they show what a judge does with each kind, not that it knows other kinds.
"""

import random
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from eval.metrics import interval, ratio
from eval.verify.measures import share_figure
from eval.verify.scorers import Parts
from eval.verify.sections import Figure, Row, Section, merged
from eval.verify.thresholds import Thresholds
from rag.domain.claim import JudgePair
from rag.models.judge.train.edits import BREAKING, KEEPING, broken, kept
from rag.models.judge_logistic import data

_SEED: Final = 11


@dataclass(frozen=True, slots=True, kw_only=True)
class Twin:
    """A supported claim and its edited twin, which is `supported` too after a harmless edit."""

    kind: str
    of: str
    group: str
    untouched: JudgePair
    edited: JudgePair
    supported: bool


Outcome = Callable[[bool, bool], bool]
"""From whether the untouched and whether the edited claim passes."""


def twins(rows: Sequence[data.Row], per_kind: int | None = None) -> list[Twin]:
    """Minimal pairs of supported claims, in a fixed random order, at most so many of a kind."""
    rng = random.Random(_SEED)  # noqa: S311 - a fixed draw, no secret
    counts = Counter[str]()
    made: list[Twin] = []
    sound = [r for r in rows if r.supported and not r.is_masked]
    for row in rng.sample(sound, len(sound)):
        claim, evidence = row.pair.claim, row.pair.evidence
        for edit in (*broken(claim, evidence, rng), *kept(claim, evidence, rng)):
            if per_kind is not None and counts[edit.kind] >= per_kind:
                continue
            counts[edit.kind] += 1
            made.append(
                Twin(
                    kind=edit.kind, of=row.answer, group=row.group, untouched=row.pair,
                    edited=replace(row.pair, claim=edit.claim), supported=edit.supported,
                )
            )  # fmt: skip
    return made


def pairs_of(some: Sequence[Twin]) -> list[JudgePair]:
    """What has to be scored: the untouched claims, then the edited ones."""
    return [t.untouched for t in some] + [t.edited for t in some]


def probe_section(
    key: str,
    title: str,
    some: Sequence[Twin],
    scores: Sequence[Parts],
    thresholds: Mapping[str, Thresholds],
) -> Section:
    """For each kind how many pairs have both twins right; scores in the order of `pairs_of`."""
    rows: list[Row] = []
    broken_ones = [i for i, t in enumerate(some) if not t.supported]
    everything: tuple[tuple[str, Outcome], ...] = (
        ("all kinds: both twins right", lambda before, after: before and not after),
        ("all kinds: untouched claim passes", lambda before, after: before),
        ("all kinds: edited claim is withheld", lambda before, after: not after),
    )
    parts = list(thresholds)
    passed = {p: _passed(some, scores, p, thresholds[p].support) for p in parts}
    for name, outcome in everything:
        rows += _shares(name, some, broken_ones, passed, outcome)
    for kind in BREAKING:
        at = [i for i in broken_ones if some[i].kind == kind]
        rows += _shares(f"{kind}: both twins right", some, at, passed, everything[0][1])
    for kind in KEEPING:
        at = [i for i, t in enumerate(some) if t.kind == kind]
        found = {p: {f"harmless, {kind}: still passes": _still(some, at, passed[p])} for p in parts}
        rows += merged(found, len(at)) if at else ()
    return Section(
        key=key, title=title, rows=tuple(rows),
        note="still passes: of those whose untouched claim passes; edits of the kinds trained on",
    )  # fmt: skip


def gold_section(
    rows: Sequence[data.Row],
    row_scores: Sequence[Parts],
    some: Sequence[Twin],
    twin_scores: Sequence[Parts],
    thresholds: Mapping[str, Thresholds],
    note: str = "",
) -> Section:
    """True claims of the demo organisation that pass, and false ones made of them that do."""
    found: list[Row] = []
    for of in ("answer", "sentence"):
        at = [i for i, r in enumerate(rows) if r.answer.startswith(of)]
        groups = [rows[i].group for i in at]
        shares = {
            p: {
                f"true {of}s kept": share_figure(
                    groups, [row_scores[i][p].p_supported >= t.support for i in at]
                )
            }
            for p, t in thresholds.items()
        }
        found += merged(shares, len(at)) if at else ()
    passed = {p: _passed(some, twin_scores, p, t.support) for p, t in thresholds.items()}
    for of in ("answer", "sentence"):
        at = [i for i, t in enumerate(some) if not t.supported and t.of.startswith(of)]
        found += _shares(f"false accepts, edited {of}s", some, at, passed, lambda _, after: after)
    return Section(key="gold", title="Demo organisation's gold", rows=tuple(found), note=note)


def _passed(
    some: Sequence[Twin], scores: Sequence[Parts], part: str, threshold: float
) -> list[tuple[bool, bool]]:
    found = [s[part].p_supported >= threshold for s in scores]
    return list(zip(found[: len(some)], found[len(some) :], strict=True))


def _shares(
    name: str,
    some: Sequence[Twin],
    at: Sequence[int],
    passed: Mapping[str, Sequence[tuple[bool, bool]]],
    outcome: Outcome,
) -> tuple[Row, ...]:
    """One row, or none where there is no such pair."""
    if not at:
        return ()
    groups = [some[i].group for i in at]
    return merged(
        {p: {name: share_figure(groups, [outcome(*f[i]) for i in at])} for p, f in passed.items()},
        len(at),
    )


def _still(some: Sequence[Twin], at: Sequence[int], passed: Sequence[tuple[bool, bool]]) -> Figure:
    groups = [some[i].group for i in at]
    before = np.array([passed[i][0] for i in at])
    both = np.array([all(passed[i]) for i in at])
    if not before.any():
        return Figure(value=None)
    return Figure(
        value=ratio(both, before), interval=interval(groups, lambda w: ratio(both, before, w))
    )
