"""How long judging takes, and how much memory a judge holds."""

import asyncio
import os
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final

import numpy as np

from eval.verify.scorers import JUDGE
from eval.verify.sections import Figure, Row, Section, Unit
from rag.adapters.judge.calibrated import CalibratedJudge
from rag.answer.checking import CheckLimits, check_against_facts
from rag.domain.claim import JudgePair
from rag.domain.document import ParsedDocument
from rag.domain.words import Span, sentence_spans, word_spans

_FACT_WORDS: Final = 120
_FACTS: Final = 10
_CLAIMS: Final = 5
_ROUNDS: Final = 20
_QUICK_ROUNDS: Final = 3
_CLAIM_WORDS: Final = (8, 30)
_TIMEOUT_S: Final = 60.0


def resident_bytes() -> int:
    """Memory that this process holds in RAM. Linux only, like Sworn."""
    pages = int(Path("/proc/self/statm").read_text("ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


def speed_section(
    judge: CalibratedJudge,
    parsed: Mapping[str, ParsedDocument],
    runner: asyncio.Runner,
    loaded_bytes: Mapping[str, int],
    *,
    quick: bool = False,
) -> Section:
    """Times of checking texts that were not seen before, one at a time; one round warms up."""
    texts = list(_texts(parsed, (_QUICK_ROUNDS if quick else _ROUNDS) + 1))
    checking: list[float] = []
    copying: list[float] = []
    for facts, text, copy in texts:
        started_s = time.perf_counter()
        runner.run(check_against_facts(text, facts, judge, CheckLimits(timeout_s=_TIMEOUT_S)))
        between_s = time.perf_counter()
        runner.run(judge.judge([copy]))
        checking.append((between_s - started_s) * 1000)
        copying.append((time.perf_counter() - between_s) * 1000)
    rows = [
        *_times("five claims against ten facts", checking[1:]),
        *_times("one verbatim claim against its fact", copying[1:]),
        *(
            Row(name=name, cells={JUDGE: Figure(value=n / 2**20, unit=Unit.MEBIBYTES)})
            for name, n in loaded_bytes.items()
        ),
    ]
    return Section(
        key="speed", title="Speed and memory", rows=tuple(rows),
        note=f"facts of about {_FACT_WORDS} words, none read before; {os.cpu_count()} cores, "
        f"load {os.getloadavg()[0]:.1f} on the machine meanwhile",
    )  # fmt: skip


def _times(name: str, times_ms: Sequence[float]) -> list[Row]:
    return [
        Row(
            name=f"{name}, {quantile}", n=len(times_ms),
            cells={
                JUDGE: Figure(value=float(np.quantile(times_ms, q)), unit=Unit.MILLISECONDS)
            },
        )
        for quantile, q in (("p50", 0.5), ("p95", 0.95))
    ]  # fmt: skip


def _texts(
    parsed: Mapping[str, ParsedDocument], n: int
) -> Iterator[tuple[list[str], str, JudgePair]]:
    """Facts, a text of claims about them that are no copies, and one claim that is a copy.

    Each round cuts the documents elsewhere, so that nothing that was read before is read again.
    """
    whole = " ".join(parsed[name].text for name in sorted(parsed))
    places = word_spans(whole)
    room = max(1, len(places) - _FACT_WORDS)
    for k in range(n):
        starts = [(k * 37 + i * room // _FACTS) % room for i in range(_FACTS)]
        facts = [_cut(whole, places[s : s + _FACT_WORDS]) for s in starts]
        sentences = [s for fact in facts for s in _sentences(fact)]
        step = max(1, len(sentences) // _CLAIMS)
        claims = [_reworded(s) for s in sentences[::step][:_CLAIMS]]
        if len(claims) == _CLAIMS:
            source = next(fact for fact in facts if sentences[0] in fact)
            copy = JudgePair(claim=sentences[0], context="", evidence=source)
            yield facts, " ".join(claims), copy


def _cut(text: str, places: Sequence[Span]) -> str:
    return text[places[0].start : places[-1].end]


def _sentences(fact: str) -> list[str]:
    """Whole sentences of a usual length; the first and the last may be cut off."""
    found = [s.of(fact).strip() for s in sentence_spans(fact)[1:-1]]
    low, high = _CLAIM_WORDS
    return [s for s in found if low <= len(s.split()) <= high and "|" not in s]


def _reworded(sentence: str) -> str:
    """The second half first: no copy of anything, but of its length and about its subject."""
    words = sentence.rstrip(".!?").split()
    half = len(words) // 2
    return f"It says {' '.join(words[half:])} and {' '.join(words[:half])}."
