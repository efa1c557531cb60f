"""Stand-ins for tests: models whose words are scripted, stores that remember, a clock that waits.

They are public so that authors of generators, judges and connectors can test with them. None is
reachable from settings, so none can stand in for a real part by accident.
"""

import asyncio
import hashlib
import warnings
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta

import numpy as np

from rag.domain.budget import Allowance
from rag.domain.claim import Draft, DraftPart, Evidence, Judgement, JudgePair, Pointer
from rag.domain.document import Principal
from rag.domain.errors import ModelUnavailable
from rag.domain.ids import AnswerId, ChunkId, Digest, digest_text
from rag.domain.words import Span


class FakeClock:
    """Stands still until told otherwise."""

    def __init__(self, now: datetime | None = None) -> None:
        self._now = now or datetime(2026, 1, 1, tzinfo=UTC)

    def now(self) -> datetime:
        return self._now

    def pass_time(self, by: timedelta) -> None:
        """Let time pass."""
        self._now += by


class ScriptedGenerator:
    """Says what it is told, however untrue."""

    name = "scripted"
    digest = digest_text("scripted")

    def __init__(self, write: Callable[[str, Sequence[Evidence]], Draft]) -> None:
        self._write = write

    async def generate(
        self, question: str, evidence: Sequence[Evidence], allowance: Allowance
    ) -> Draft:
        return self._write(question, evidence)


def saying(*sentences: str, cite: int | None = 0) -> ScriptedGenerator:
    """A generator that says these sentences, each citing the evidence of index `cite`."""
    pointers = () if cite is None else (Pointer(evidence=cite, span=None),)
    draft = Draft(parts=tuple(DraftPart(text=s, pointers=pointers) for s in sentences))
    return ScriptedGenerator(lambda question, evidence: draft)


class UnsafeAcceptAll:
    """A judge that accepts everything. Its name is in every receipt, and it warns."""

    name = "UNSAFE accept all"
    digest = digest_text("unsafe accept all")
    threshold = 0.5
    calibration: Mapping[str, str | float] = {"risk": 1.0, "set": "none", "size": 0}

    def __init__(self) -> None:
        warnings.warn("this judge checks nothing", UserWarning, stacklevel=2)

    async def judge(self, pairs: Sequence[JudgePair]) -> Sequence[Judgement]:
        return [
            Judgement(
                p_supported=1.0,
                p_refuted=0.0,
                flagged=(),
                evidence_span=Span(0, len(p.evidence)),
            )
            for p in pairs
        ]

    async def ping(self) -> None:
        """Always there."""


class BrokenJudge:
    """A judge that fails, or never ends."""

    name = "broken"
    digest = digest_text("broken")
    threshold = 0.5
    calibration: Mapping[str, str | float] = {"risk": 0.05, "set": "none", "size": 0}

    def __init__(self, *, hangs: bool = False) -> None:
        self._hangs = hangs

    async def judge(self, pairs: Sequence[JudgePair]) -> Sequence[Judgement]:
        if self._hangs:
            await asyncio.Event().wait()
        raise ModelUnavailable("the judge is not loaded")

    async def ping(self) -> None:
        raise ModelUnavailable("the judge is not loaded")


class HashEmbedder:
    """Vectors of hashed words: equal texts are equal, texts that share words are near."""

    name = "hashed words"
    digest = digest_text("hashed words 1")

    def __init__(self, dimension: int = 64) -> None:
        self._dimension = dimension
        self.n_embedded = 0

    async def embed(self, texts: Sequence[str]) -> Sequence[bytes]:
        self.n_embedded += len(texts)
        return [self._one(text) for text in texts]

    def _one(self, text: str) -> bytes:
        vector = np.full(self._dimension, 1e-3, dtype="<f4")
        for word in text.casefold().split():
            vector[int(hashlib.sha256(word.encode()).hexdigest(), 16) % self._dimension] += 1
        unit = (vector / np.linalg.norm(vector)).astype("<f4")
        return bytes(unit.tobytes())


class MemoryVectorIndex:
    """The port `VectorIndex` in memory, exact."""

    def __init__(self) -> None:
        self.held: dict[ChunkId, bytes] = {}

    async def add(self, vectors: Mapping[ChunkId, bytes]) -> None:
        for chunk, vector in vectors.items():
            self.held.setdefault(chunk, vector)

    async def delete(self, chunks: Sequence[ChunkId]) -> None:
        for chunk in chunks:
            self.held.pop(chunk, None)

    async def ids(self) -> set[ChunkId]:
        """Every id that is held."""
        return set(self.held)

    async def vectors(self, chunks: Sequence[ChunkId]) -> dict[ChunkId, bytes]:
        """The vectors of those of `chunks` that are held."""
        return {chunk: self.held[chunk] for chunk in chunks if chunk in self.held}

    def forget_collection(self) -> None:
        """A new build begins: this one holds nothing more."""
        self.held.clear()

    async def drop_others(self) -> None:
        """There is never another build."""

    async def nearest(self, vector: bytes, limit: int) -> Mapping[ChunkId, float]:
        query = np.frombuffer(vector, dtype="<f4")
        scores = {i: float(np.frombuffer(v, dtype="<f4") @ query) for i, v in self.held.items()}
        best = sorted(scores.items(), key=lambda pair: -pair[1])[:limit]
        return dict(best)

    async def ping(self) -> None:
        """Always there."""


class MemoryAnswerStore:
    """The port `AnswerStore` in memory."""

    def __init__(self) -> None:
        self.answers: dict[AnswerId, tuple[str, str]] = {}

    async def store(
        self, answer_id: AnswerId, principal: Principal, body: str, receipt: str, digest: Digest
    ) -> None:
        self.answers[answer_id] = (body, receipt)
