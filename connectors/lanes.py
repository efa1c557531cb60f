"""The indexer's work: changes by document, merged, in two lanes.

What just changed overtakes the backlog of a scan, and a document is in one pair of hands at a
time. Bounded by the number of documents, since a later change of one replaces an earlier.
"""

import asyncio
import time
from collections import OrderedDict
from dataclasses import dataclass, field

from rag.domain.change import Removed, Upserted
from rag.domain.ids import DocumentId, SiloId, document_id
from rag.ingest.pipeline import Result


@dataclass(slots=True, kw_only=True)
class Batch:
    """What became of the changes of one reconciliation, counted as they are done."""

    n_open: int = 0
    added: int = 0
    modified: int = 0
    removed: int = 0
    unchanged: int = 0
    quarantined: int = 0
    done: asyncio.Event = field(default_factory=asyncio.Event)

    def close(self, result: Result | None, *, known: bool) -> None:
        """Count one change; None when it was given up to a newer one."""
        self.n_open -= 1
        match result:
            case Result.COMMITTED if known:
                self.modified += 1
            case Result.COMMITTED:
                self.added += 1
            case Result.REMOVED:
                self.removed += 1
            case Result.QUARANTINED:
                self.quarantined += 1
            case _:
                self.unchanged += 1
        if self.n_open == 0:
            self.done.set()

    @property
    def counts(self) -> dict[str, int]:
        """How many were added, modified, removed, unchanged and quarantined."""
        return {
            "added": self.added,
            "modified": self.modified,
            "removed": self.removed,
            "unchanged": self.unchanged,
            "quarantined": self.quarantined,
        }

    @property
    def diff(self) -> str:
        """`+added ~modified -removed =unchanged`, and what was quarantined, if anything."""
        text = f"+{self.added} ~{self.modified} -{self.removed} ={self.unchanged}"
        return f"{text} !{self.quarantined}" if self.quarantined else text


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """One change with the reconciliation it belongs to. `noticed_s` is monotonic."""

    change: Upserted | Removed
    batch: Batch
    live: bool
    noticed_s: float
    known: bool = False

    @property
    def silo(self) -> SiloId:
        return self.change.ref.silo if isinstance(self.change, Upserted) else self.change.silo

    @property
    def key(self) -> str:
        return self.change.ref.key if isinstance(self.change, Upserted) else self.change.key

    @property
    def signature(self) -> str:
        return self.change.ref.signature if isinstance(self.change, Upserted) else ""

    @property
    def id(self) -> DocumentId:
        return document_id(self.silo, self.key)


class Lanes:
    """Belongs to one event loop."""

    def __init__(self) -> None:
        self._live: OrderedDict[DocumentId, Item] = OrderedDict()
        self._backlog: OrderedDict[DocumentId, Item] = OrderedDict()
        self._at_work: dict[DocumentId, Item] = {}
        self._changed = asyncio.Condition()

    @property
    def n_waiting(self) -> int:
        """Documents that wait or are at work."""
        return len(self._live) + len(self._backlog) + len(self._at_work)

    @property
    def lag_s(self) -> float:
        """How long the oldest change that is not yet committed has been known."""
        items = [*self._at_work.values()]
        items.extend(next(iter(lane.values())) for lane in (self._live, self._backlog) if lane)
        return max((time.monotonic() - item.noticed_s for item in items), default=0.0)

    def holds(self, document: DocumentId) -> bool:
        """Whether the document waits or is at work."""
        return any(document in lane for lane in (self._live, self._backlog, self._at_work))

    def keys(self, silo: SiloId) -> set[str]:
        """Keys of the silo's documents that wait or are at work."""
        lanes = (self._live, self._backlog, self._at_work)
        return {item.key for lane in lanes for item in lane.values() if item.silo == silo}

    async def put(self, item: Item) -> None:
        """Queue a change; an older one of the same document that still waits is superseded."""
        async with self._changed:
            for lane in (self._live, self._backlog):
                older = lane.pop(item.id, None)
                if older is not None:
                    older.batch.close(None, known=older.known)
            item.batch.n_open += 1
            (self._live if item.live else self._backlog)[item.id] = item
            self._changed.notify()

    async def get(self) -> Item:
        """The next change whose document is free, live ones first."""
        async with self._changed:
            while (item := self._pick()) is None:
                await self._changed.wait()
            self._at_work[item.id] = item
            return item

    async def finish(self, item: Item, result: Result | None) -> None:
        """The change is done; its document is free again."""
        async with self._changed:
            del self._at_work[item.id]
            item.batch.close(result, known=item.known)
            self._changed.notify_all()

    def _pick(self) -> Item | None:
        for lane in (self._live, self._backlog):
            for document in lane:
                if document not in self._at_work:
                    return lane.pop(document)
        return None
