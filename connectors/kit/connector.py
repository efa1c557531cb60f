"""The contract between a connector and the runner: list, fetch, and hint at changes.

Listings decide, hints only say where to look sooner. A connector that never hints is slow; one
that hints wrongly is only busy. One that calls an incomplete listing complete loses documents,
so every doubt makes `complete` false (invariant I7).
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

from rag.domain.document import DocumentRef, RawDocument
from rag.domain.ids import SiloId


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One document of a listing, for connectors that learn of them one by one."""

    key: str
    signature: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing:
    """What the silo offers at or below `prefix`: key to signature. The mapping is not copied.

    `complete` says that what is not listed is not there; `detail` says why it is false.
    """

    entries: Mapping[str, str]
    complete: bool
    detail: str = ""
    prefix: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Hint:
    """Something at `key` may have changed, and with `subtree` also anything below it."""

    key: str
    subtree: bool = False


EVERYTHING = Hint(key="", subtree=True)
"""Anything in the silo may have changed."""


class Connector(Protocol):
    """Reads one silo. Also a `rag.ports.Fetcher`."""

    @property
    def silo(self) -> SiloId: ...

    @property
    def healthy(self) -> bool:
        """Whether the watcher is alive: when false after `watch`, watch again, then list."""
        ...

    async def listing(self, prefix: str = "") -> Listing:
        """The document named `prefix` and all below `prefix/`; everything for the empty one.

        Never raises for a silo that is out of reach: the listing is incomplete and says why.
        """
        ...

    async def fetch(self, ref: DocumentRef) -> RawDocument:
        """The document's bytes as they are now.

        Raises:
            DocumentGone: it vanished. SiloDenied: it may not be read. TooLarge: over the limit.
            SiloUnavailable: the silo cannot be reached; nothing is known about the document.
        """
        ...

    async def watch(self, hint: Callable[[Hint], None]) -> None:
        """Arm the watcher; returns once every later change will be hinted at.

        Watch before listing: a change between the two would otherwise be lost. `hint` is called
        from any thread and must return at once. Watching again replaces the watcher.

        Raises:
            SiloUnavailable: there is nothing to watch now.
        """
        ...

    async def unwatch(self) -> None:
        """Stop hinting and free the watcher; no error when nothing is watched."""
        ...


def lies_under(key: str, prefix: str) -> bool:
    """Whether `key` is `prefix` itself or below it; everything lies under the empty prefix."""
    return not prefix or key == prefix or key.startswith(prefix + "/")


def listed(entries: list[Entry], *, complete: bool, detail: str = "", prefix: str = "") -> Listing:
    """A listing of `entries`; of two with one key the later stands."""
    signatures = {entry.key: entry.signature for entry in entries}
    return Listing(entries=signatures, complete=complete, detail=detail, prefix=prefix)
