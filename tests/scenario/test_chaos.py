"""Every part of belt two failing, slow or lying, alone and in pairs.

Whatever happens, the answer is right, marked as degraded, or an abstention, and it comes in time.
"""

import asyncio
import itertools
import math
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from support.organisation import BONUS, LEAVE, MERGER, installed
from support.serving import Serving, quoting, serving

from rag.answer.gathering import ReadingOptions
from rag.answer.retrieval import RetrievalOptions
from rag.domain.budget import Allowance
from rag.domain.claim import Draft, DraftPart, Judgement, Pointer
from rag.domain.errors import ModelUnavailable, StoreUnavailable
from rag.domain.ids import ChunkId, digest_text
from rag.domain.reading import AnswerSpan, PassageReading
from rag.domain.words import Span

QUESTION = "How many days of annual leave do full-time employees get?"
LIMIT_S = 0.4
DEADLINE_S = 6.0
LIE = "Full-time employees get 97,310 days of annual leave per year."

Way = Callable[[], Awaitable[Any]]


class Part:
    """A port whose one method does what it is told; what it is told may be a lie."""

    name, digest, threshold = "chaos", digest_text("chaos"), 0.5
    calibration: Mapping[str, str | float] = {}

    def __init__(self, way: Way) -> None:
        self._way = way

    async def embed(self, texts: Sequence[str]) -> Any:
        return await self._way()

    async def nearest(self, vector: bytes, limit: int) -> Any:
        return await self._way()

    async def read(self, question: str, passages: Sequence[Any]) -> Any:
        return await self._way()

    async def generate(self, question: str, evidence: Sequence[Any], allowance: Allowance) -> Any:
        return await self._way()

    async def judge(self, pairs: Sequence[Any]) -> Any:
        return await self._way()

    async def ping(self) -> None: ...


def failing(error: Exception) -> Way:
    async def way() -> Any:
        raise error

    return way


async def hanging() -> Any:
    await asyncio.Event().wait()


def lying(said: Any) -> Way:
    async def way() -> Any:
        return said

    return way


def judging(p: float) -> list[Judgement]:
    return [Judgement(p_supported=p, p_refuted=0.0, flagged=(), evidence_span=Span(0, 10**9))]


DRAFT = Draft(parts=(DraftPart(text=LIE, pointers=(Pointer(evidence=0, span=None),)),))
NOT_THERE = Draft(parts=(DraftPart(text=LEAVE, pointers=(Pointer(evidence=99, span=None),)),))
READING = PassageReading(p_answers=math.nan, spans=(AnswerSpan(span=Span(9**9, 9**9), p=7.0),))

WAYS: dict[str, dict[str, Way]] = {
    "embedder": {
        "fails": failing(ModelUnavailable("away")), "hangs": hanging, "lies": lying([]),
    },
    "index": {
        "fails": failing(StoreUnavailable("away")), "hangs": hanging,
        "lies": lying({ChunkId(10**9): 1.0, ChunkId(-4): math.inf}),
    },
    "reader": {
        "fails": failing(ModelUnavailable("away")), "hangs": hanging, "lies": lying([READING] * 3),
    },
    "generator": {
        "fails": failing(ModelUnavailable("away")), "hangs": hanging, "lies": lying(DRAFT),
        "points": lying(NOT_THERE),
    },
    "judge": {
        "fails": failing(ModelUnavailable("away")), "hangs": hanging, "lies": lying(judging(7.0)),
        "loses": lying([]),
    },
}  # fmt: skip
SINGLE = [((part, way),) for part, ways in WAYS.items() for way in ways]
PAIRS = [
    (a[0], b[0]) for a, b in itertools.combinations(SINGLE, 2) if a[0][0] != b[0][0]
]  # fmt: skip


@pytest.fixture
async def server(tmp_path: Path, model_cache: Path) -> AsyncIterator[Serving]:
    async with serving(installed(tmp_path / "organisation", model_cache)) as running:
        running.options(
            retrieval=replace(RetrievalOptions(), timeout_s=LIMIT_S, exact_scan_below=0),
            reading=replace(ReadingOptions(), timeout_s=LIMIT_S),
            judge_timeout_s=LIMIT_S,
            allowance=Allowance(seconds=LIMIT_S),
        )
        yield running


async def asked(server: Serving, faults: Sequence[tuple[str, str]]) -> None:
    server.use(
        generator=quoting(LEAVE), fallback=quoting(LEAVE), index=None, reader=None,
        **ports_of(server),
    )  # fmt: skip
    server.use(**{part: Part(WAYS[part][way]) for part, way in faults})
    ana = await server.ana()
    started_s = time.monotonic()
    response = await ana.post("/v1/answers", json={"question": QUESTION})
    assert time.monotonic() - started_s < DEADLINE_S
    assert response.is_success, response.text
    body = response.json()
    broken = dict(faults)
    for secret in (LIE, "97,310", BONUS, MERGER):
        assert secret not in response.text
    if "judge" in broken:
        assert body["status"] == "abstained"
    if body["status"] != "abstained":
        assert LEAVE in body["text"]
    for part in ("embedder", "reader", "generator"):
        if broken.get(part) in ("fails", "hangs"):
            assert part in body["degraded"]
    assert (response.status_code == 206) == bool(body["degraded"])


def ports_of(server: Serving) -> dict[str, Any]:
    """The real embedder and judge again, after a test has put others in their place."""
    house = server.room.opened()
    kept: dict[str, Any] = server.__dict__.setdefault("_real", {})
    kept.setdefault("embedder", house.ports.embedder)
    kept.setdefault("judge", house.ports.judge)
    return kept


async def test_alone(server: Serving) -> None:
    for faults in SINGLE:
        await asked(server, faults)


@pytest.mark.slow
async def test_in_pairs(server: Serving) -> None:
    for faults in PAIRS:
        await asked(server, faults)
