"""What the belts need from the world: small protocols, each owned by the belt that uses it.

`async def` touches the world. Adapters raise only errors of `rag.domain.errors`.
"""

from collections.abc import Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from rag.domain.budget import Allowance
from rag.domain.change import Removed, ScanCompleted
from rag.domain.chunk import IndexPlan, RecordedChunk
from rag.domain.claim import Draft, Evidence, Judgement, JudgePair, Refused, Unchecked
from rag.domain.document import Access, DocumentRef, ParsedDocument, Principal, RawDocument
from rag.domain.ids import AnswerId, ChunkId, Digest, DocumentId, SiloId
from rag.domain.reading import Passage, PassageReading


class Clock(Protocol):
    """The one source of time, read once per question or change."""

    def now(self) -> datetime:
        """Aware UTC."""
        ...


# --- belt one: from a change to the index -----------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Recorded:
    """What the catalog holds of a document; `chunks` are live rows, parents before children."""

    raw_digest: Digest | None
    signature: str
    access: Access
    uri: str
    parser: str
    quarantined: bool
    chunks: tuple[RecordedChunk, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class PendingVector:
    """A live child that the vector index does not have yet. `vector` is known for known text."""

    chunk_id: ChunkId
    text: str
    text_digest: Digest
    vector: bytes | None


class Fetcher(Protocol):
    """The connector's half that the belt needs."""

    async def fetch(self, ref: DocumentRef) -> RawDocument:
        """The document's bytes as they are now.

        Raises:
            DocumentGone: it vanished. SiloDenied: it may not be read. TooLarge: over the limit.
            SiloUnavailable: the silo cannot be reached; nothing is known about the document.
        """
        ...


class Parser(Protocol):
    """Turns bytes into canonical text and elements, in another process, within limits."""

    @property
    def name(self) -> str:
        """Code and version; a change makes every document be parsed anew."""
        ...

    async def parse(self, raw: RawDocument) -> ParsedDocument:
        """Canonical text and elements.

        Raises:
            ParseFailed, TooLarge: this document cannot be read (quarantine).
        """
        ...


class CatalogWriter(Protocol):
    """The single writer of the catalog. Every method is one transaction."""

    async def recorded(self, document: DocumentId) -> Recorded | None:
        """What is recorded of a document that is live or quarantined."""
        ...

    async def commit(self, raw: RawDocument, parsed: ParsedDocument, plan: IndexPlan) -> None:
        """Make the version current and its chunks live, with their postings: citable from here."""
        ...

    async def touch(self, raw: RawDocument) -> None:
        """Record new signature, time, uri and access of a document whose content is unchanged."""
        ...

    async def remove(self, change: Removed) -> bool:
        """Tombstone first: from here never cited. False when it was not there."""
        ...

    async def quarantine(self, ref: DocumentRef, parser: str, code: str, detail: str) -> None:
        """Retire what was live of it and record why it cannot be read."""
        ...

    async def complete_scan(self, change: ScanCompleted) -> None:
        """Record the end of a listing; a complete one confirms every live document."""
        ...


class VectorLedger(Protocol):
    """The catalog's record of what the vector index should hold."""

    async def pending(self, limit: int) -> Sequence[PendingVector]:
        """Live children not yet in the vector index, newest change first."""
        ...

    async def store_vectors(self, vectors: Mapping[Digest, bytes]) -> None:
        """Keep vectors (float32, little-endian) by text digest for the current model."""
        ...

    async def mark_indexed(self, chunks: Sequence[ChunkId]) -> None:
        """The vector index has acknowledged these."""
        ...

    async def sweepable(self, limit: int) -> Sequence[ChunkId]:
        """Retired children that the vector index may still hold."""
        ...

    async def mark_swept(self, chunks: Sequence[ChunkId]) -> None:
        """The vector index has acknowledged the deletion of these."""
        ...


class Embedder(Protocol):
    """Text to unit vectors."""

    @property
    def name(self) -> str: ...

    @property
    def digest(self) -> Digest:
        """Digest of the weights and of how they are run: vectors of two digests never mix."""
        ...

    async def embed(self, texts: Sequence[str]) -> Sequence[bytes]:
        """One float32 little-endian unit vector per text, same order."""
        ...


class Lexicon(Protocol):
    """Knows the words of a language, whether or not any document holds them."""

    def knows(self, word: str) -> bool:
        """Whether it is a word as it stands: then it is no typing error."""
        ...


class VectorIndex(Protocol):
    """Ids and vectors, nothing else. It suggests; the catalog decides."""

    async def add(self, vectors: Mapping[ChunkId, bytes]) -> None:
        """Add; ids that are already there keep their vector. At most 500 at once."""
        ...

    async def delete(self, chunks: Sequence[ChunkId]) -> None:
        """Forget; unknown ids are no error."""
        ...

    async def nearest(self, vector: bytes, limit: int) -> Mapping[ChunkId, float]:
        """Up to `limit` children by cosine similarity, best first.

        Raises:
            StoreUnavailable: the caller falls back to an exact scan and says so.
        """
        ...

    async def ping(self) -> None:
        """Raises StoreUnavailable when it does not answer."""
        ...


# --- belt two: from a question to an answer ----------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """Where cited chunks stand now: whether each is current, and permitted to the asker."""

    current: frozenset[ChunkId]
    permitted: frozenset[ChunkId]


class Snapshot(Protocol):
    """One moment of the catalog, seen with one principal's eyes: nothing else is ever returned."""

    @property
    def generation(self) -> int:
        """Number of the last change committed before this moment."""
        ...

    async def lexical(self, terms: Sequence[str], limit: int) -> Mapping[ChunkId, float]:
        """Parents by BM25 over text and header, best first; scores are positive."""
        ...

    async def respelt(self, terms: Sequence[str]) -> Mapping[str, str]:
        """For terms that no permitted text holds, the nearest word that one does; few or none."""
        ...

    async def parents_of(self, children: Sequence[ChunkId]) -> Mapping[ChunkId, ChunkId]:
        """Child to parent, for the live and permitted among `children`."""
        ...

    async def has_fewer_children(self, than: int) -> bool:
        """Whether the principal may read fewer live children than that."""
        ...

    async def scan(self, vector: bytes, limit: int) -> Mapping[ChunkId, float]:
        """Exact search over all live, permitted children; cosine similarity, best first."""
        ...

    async def evidence(self, parents: Mapping[ChunkId, tuple[float, float]]) -> Sequence[Evidence]:
        """Text and source of parents, given as id to (score, dense); same order."""
        ...


class CatalogReader(Protocol):
    """Reads only, in its own process if need be."""

    def snapshot(
        self, principal: Principal, silos: Sequence[SiloId] | None
    ) -> AbstractAsyncContextManager[Snapshot]:
        """Open a moment; `silos` None means all that the principal may read."""
        ...

    async def standing(
        self, principal: Principal, chunks: Mapping[ChunkId, Digest]
    ) -> tuple[int, Standing]:
        """Generation now, and which chunks still stand in the version of that digest."""
        ...

    async def ping(self) -> None: ...


class Generator(Protocol):
    """Writes a draft from evidence. Nothing it says leaves without a verdict."""

    @property
    def name(self) -> str: ...

    @property
    def digest(self) -> Digest: ...

    async def generate(
        self, question: str, evidence: Sequence[Evidence], allowance: Allowance
    ) -> Draft:
        """A draft that cites evidence by index; no parts when it finds no answer.

        Raises:
            ModelError: no draft within the allowance; the belt falls back and says so.
        """
        ...


class Reviser(Generator, Protocol):
    """A generator that can be told, once, what was not supported."""

    async def revise(
        self,
        question: str,
        evidence: Sequence[Evidence],
        refused: Sequence[Refused],
        allowance: Allowance,
    ) -> Draft:
        """One part for each refused claim, same order; an empty text withdraws the claim.

        Raises:
            ModelError: nothing came of it; the claims stay refused.
        """
        ...


class Reader(Protocol):
    """Reads a question and passages together."""

    @property
    def name(self) -> str: ...

    @property
    def digest(self) -> Digest: ...

    async def read(self, question: str, passages: Sequence[Passage]) -> Sequence[PassageReading]:
        """One reading per passage, same order.

        Raises:
            ModelError: the belt goes on in the order of the search, and says so.
        """
        ...


class Judge(Protocol):
    """Decides whether evidence supports a claim."""

    @property
    def name(self) -> str: ...

    @property
    def digest(self) -> Digest: ...

    @property
    def threshold(self) -> float:
        """Probability of support at or above which the stated risk holds."""
        ...

    @property
    def calibration(self) -> Mapping[str, str | float]:
        """Risk, calibration set and its size, as receipts name them."""
        ...

    async def judge(self, pairs: Sequence[JudgePair]) -> Sequence[Judgement | Unchecked]:
        """One judgement per pair, same order; `Unchecked` for a pair that it cannot read.

        Raises:
            ModelError: no verdict could be reached; the belt makes it `unchecked`.
        """
        ...

    async def ping(self) -> None:
        """Raises ModelUnavailable when it cannot judge."""
        ...


class Signer(Protocol):
    """Signs receipts."""

    @property
    def key_id(self) -> str: ...

    def sign(self, message: bytes) -> bytes:
        """Ed25519 signature, 64 bytes (RFC 8032)."""
        ...


class AnswerStore(Protocol):
    """The journal's half that the belt needs."""

    async def store(
        self, answer_id: AnswerId, principal: Principal, body: str, receipt: str, digest: Digest
    ) -> None:
        """Keep answer and receipt, both canonical JSON, in one transaction."""
        ...
