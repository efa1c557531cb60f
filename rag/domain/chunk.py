"""Chunks: spans of the canonical text, in two sizes.

Parents are shown to the generator and judged; their children are embedded and retrieved.
"""

from dataclasses import dataclass

from rag.domain.ids import ChunkId, Digest
from rag.domain.words import Span


@dataclass(frozen=True, slots=True, kw_only=True)
class Child:
    """A span small enough for the embedder, inside its parent."""

    span: Span
    text_digest: Digest


@dataclass(frozen=True, slots=True, kw_only=True)
class Parent:
    """A span that reads on its own, with its children in order.

    `header` is what the lexical index adds to the text: title, key and section path.
    """

    span: Span
    text_digest: Digest
    header: str
    children: tuple[Child, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordedChunk:
    """A live chunk as the catalog has it. `parent` is None for a parent itself."""

    id: ChunkId
    parent: ChunkId | None
    span: Span
    text_digest: Digest
    header: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedChild:
    """A child of the new version; `keep` names the recorded row that already has its text."""

    child: Child
    keep: ChunkId | None


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedParent:
    """A parent of the new version; `keep` names the row with equal text and header."""

    parent: Parent
    keep: ChunkId | None
    children: tuple[PlannedChild, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class IndexPlan:
    """The difference between what is recorded and what should be.

    Kept rows move to their place in the new version and keep id, posting and vector. Ids are
    never used again for other text, so neither index ever updates anything in place.
    """

    parents: tuple[PlannedParent, ...]
    retire: tuple[ChunkId, ...]
