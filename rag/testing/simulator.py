"""A silo in memory whose edits, events, listings and failures a test decides.

It keeps the connector's contract (the conformance suite runs on it), so that what the indexer
does with a silo can be tested without one.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime

from rag.domain.document import EVERYONE, Access, DocumentRef, RawDocument
from rag.domain.errors import DocumentGone, RagError, SiloUnavailable
from rag.domain.ids import SiloId, digest_bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class SimulatedHint:
    """Something at `key`, or below it too, may have changed."""

    key: str
    subtree: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class SimulatedListing:
    """Key to signature at or below `prefix`."""

    entries: Mapping[str, str]
    complete: bool
    detail: str = ""
    prefix: str = ""


Delivery = Callable[[SimulatedHint], Iterable[SimulatedHint]]
"""What becomes of one event: nothing, itself, several, or others that were held back."""


@dataclass(slots=True)
class _Held:
    data: bytes
    access: Access
    revision: int


@dataclass(slots=True)
class SiloSimulator:
    """Implements the connector's contract, by shape.

    `unlisted` are prefixes that a listing cannot see; `failures` are raised by fetching a key;
    while `reachable` is false nothing can be listed or fetched.
    """

    silo: SiloId
    access: Access = field(default_factory=lambda: Access(groups=frozenset({EVERYONE})))
    delivery: Delivery = field(default=lambda hint: (hint,))
    reachable: bool = True
    healthy: bool = False
    unlisted: set[str] = field(default_factory=set)
    failures: dict[str, RagError] = field(default_factory=dict)
    n_fetched: int = 0
    _documents: dict[str, _Held] = field(default_factory=dict)
    _revision: int = 0
    _hint: Callable[[SimulatedHint], None] | None = None

    # --- what the silo's users do -----------------------------------------------------------------

    @property
    def documents(self) -> dict[str, bytes]:
        """What is there now."""
        return {key: held.data for key, held in self._documents.items()}

    def access_of(self, key: str) -> Access:
        """Who may read a document now."""
        return self._documents[key].access

    def write(self, key: str, data: bytes, access: Access | None = None) -> None:
        """Create or overwrite a document."""
        self._documents[key] = _Held(data, access or self.access, self._next())
        self._tell(key)

    def grant(self, key: str, access: Access) -> None:
        """Change who may read a document, and nothing else of it."""
        held = self._documents[key]
        self._documents[key] = _Held(held.data, access, self._next())
        self._tell(key)

    def rename(self, key: str, to: str) -> None:
        """Move a document, over another one if need be."""
        held = self._documents.pop(key)
        self._documents[to] = _Held(held.data, held.access, self._next())
        self._tell(key)
        self._tell(to)

    def remove(self, key: str) -> None:
        """Delete a document."""
        del self._documents[key]
        self._tell(key)

    def tell(self, hint: SimulatedHint) -> None:
        """Hint as it is, past `delivery`."""
        if self._hint is not None:
            self._hint(hint)

    def _next(self) -> int:
        self._revision += 1
        return self._revision

    def _tell(self, key: str) -> None:
        for hint in self.delivery(SimulatedHint(key=key)):
            self.tell(hint)

    # --- the connector's contract -----------------------------------------------------------------

    async def listing(self, prefix: str = "") -> SimulatedListing:
        if not self.reachable:
            return SimulatedListing(
                entries={}, complete=False, detail="out of reach", prefix=prefix
            )
        unseen = [p for p in self.unlisted if lies_under(p, prefix) or lies_under(prefix, p)]
        entries = {
            key: str(held.revision)
            for key, held in self._documents.items()
            if lies_under(key, prefix) and not any(lies_under(key, p) for p in unseen)
        }
        detail = f"cannot list {', '.join(sorted(unseen))}" if unseen else ""
        return SimulatedListing(entries=entries, complete=not unseen, detail=detail, prefix=prefix)

    async def fetch(self, ref: DocumentRef) -> RawDocument:
        self.n_fetched += 1
        if not self.reachable:
            raise SiloUnavailable("out of reach")
        if ref.key in self.failures:
            raise self.failures[ref.key]
        held = self._documents.get(ref.key)
        if held is None:
            raise DocumentGone(f"{ref.key!r} is gone")
        return RawDocument(
            silo=self.silo,
            key=ref.key,
            uri=f"simulated:{ref.key}",
            data=held.data,
            digest=digest_bytes(held.data),
            media_type="text/plain",
            modified_at=datetime(2026, 1, 1, tzinfo=UTC),
            signature=str(held.revision),
            access=held.access,
        )

    async def watch(self, hint: Callable[[SimulatedHint], None]) -> None:
        if not self.reachable:
            raise SiloUnavailable("out of reach")
        self._hint, self.healthy = hint, True

    async def unwatch(self) -> None:
        self._hint, self.healthy = None, False


def lies_under(key: str, prefix: str) -> bool:
    """Whether `key` is `prefix` itself or below it; everything lies under the empty prefix."""
    return not prefix or key == prefix or key.startswith(prefix + "/")
