"""The indexer: watches the silos and carries every change through belt one.

    connector ─hint→ PendingHints ─listing, diff→ Lanes ─ingest→ catalog     (workers)
                                                  catalog ─follow→ vectors   (one task, at leisure)

The only process that writes the catalog. A failing silo is retried and shown, never guessed at.
"""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Coroutine, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import Final

import structlog

from connectors.kit.connector import EVERYTHING, Connector, Hint, lies_under
from connectors.kit.pending import PendingHints
from connectors.kit.scan import RELEASED, Brake, changes
from connectors.lanes import Batch, Item, Lanes
from connectors.registry import build_connector
from rag.adapters.chroma import BATCH_MAX
from rag.adapters.indexes import check_indexes, start_new_build
from rag.adapters.status import IndexerStatus, SiloStatus, write_status
from rag.adapters.store.requests import Request, RequestReader
from rag.domain.change import Removed, ScanCompleted, Upserted
from rag.domain.document import DocumentRef
from rag.domain.errors import RagError, SiloUnavailable
from rag.domain.ids import SiloId, digest_text, document_id
from rag.ingest.chunking import ChunkSizes
from rag.ingest.pipeline import (
    FollowPorts,
    IngestOptions,
    IngestPorts,
    Result,
    follow,
    ingest,
)
from rag.settings import Paths, Settings, SiloSettings
from rag.wiring import IngestHouse

log: Final = structlog.get_logger()

HINTS_MAX: Final = 500
RETRY_S: Final = 1.0
RETRY_MAX_S: Final = 60.0
REQUEST_POLL_S: Final = 0.4
STATUS_EVERY_S: Final = 1.0
FOLLOW_IDLE_S: Final = 0.5
_EVENTS: Final = {result: f"document.{result}" for result in Result}
# The backlog of texts goes first, but vectors are never starved longer than this.
FOLLOW_WAIT_MAX_S: Final = 2.0


@dataclass(slots=True)
class Silo:
    """One silo at work: its connector, hints that wait, and what its last listing said."""

    settings: SiloSettings
    connector: Connector
    hints: PendingHints
    status: SiloStatus
    release_brake: bool = False

    @property
    def id(self) -> SiloId:
        return SiloId(self.settings.id)


@dataclass(slots=True)
class Indexer:
    """What the tasks of the indexer share."""

    settings: Settings
    house: IngestHouse
    silos: Mapping[SiloId, Silo]
    lanes: Lanes
    options: IngestOptions
    background: set[asyncio.Task[None]]
    # A step of the vectors that straddles a rebuild would acknowledge what the new index lacks.
    vectors: asyncio.Lock = field(default_factory=asyncio.Lock)

    def soon(self, work: Coroutine[None, None, None]) -> None:
        """Run beside the task that calls; kept referenced until it is done."""
        task = asyncio.get_running_loop().create_task(work)
        self.background.add(task)
        task.add_done_callback(self.background.discard)

    def ports(self, silo: SiloId) -> IngestPorts:
        """Belt one's ports for the changes of one silo."""
        return IngestPorts(
            fetcher=self.silos[silo].connector,
            parser=self.house.parser,
            catalog=self.house.catalog,
        )


def build_indexer(settings: Settings, house: IngestHouse) -> Indexer:
    """Connectors and queues for every silo in the settings."""
    silos = {
        SiloId(s.id): Silo(s, build_connector(s), PendingHints(), SiloStatus())
        for s in settings.silos
    }
    sizes = ChunkSizes(parent=settings.ingest.parent_chars, child=settings.ingest.child_chars)
    return Indexer(settings, house, silos, Lanes(), IngestOptions(sizes=sizes), set())


async def watch(indexer: Indexer) -> None:
    """Run until cancelled."""
    await _settle_settings(indexer)
    async with _workers(indexer), asyncio.TaskGroup() as group:
        for silo in indexer.silos.values():
            group.create_task(_tend_silo(indexer, silo))
        group.create_task(_follow_forever(indexer))
        group.create_task(_serve_requests(indexer))
        group.create_task(_report_status(indexer))


async def sync_once(
    indexer: Indexer, silos: list[SiloId], *, release_brake: bool
) -> dict[SiloId, Batch]:
    """Reconcile each silo once, wait until all of it is citable, then until vectors caught up."""
    await _settle_settings(indexer)
    done: dict[SiloId, Batch] = {}
    async with _workers(indexer):
        for silo_id in silos:
            silo = indexer.silos[silo_id]
            silo.release_brake = release_brake
            done[silo_id] = await _reconcile(indexer, silo, EVERYTHING, retry_quarantined=True)
            await _finish_scan(indexer, silo, done[silo_id])
    await check_indexes(indexer.house.catalog, indexer.house.index)
    while await follow(_follow_ports(indexer), indexer.settings.embedder.batch):
        pass
    return done


async def preview(indexer: Indexer, silo_id: SiloId) -> dict[str, int]:
    """What a reconciliation would look at, by signature alone; changes nothing."""
    silo = indexer.silos[silo_id]
    listing = await silo.connector.listing()
    recorded = await _recorded(indexer, silo, "")
    found = changes(silo_id, recorded, listing, _brake(silo))
    upserts = [c.ref.key for c in found if isinstance(c, Upserted)]
    n_known = sum(key in recorded for key in upserts)
    n_removed = sum(isinstance(c, Removed) for c in found)
    return {
        "added": len(upserts) - n_known,
        "modified": n_known,
        "removed": n_removed,
        "unchanged": len(listing.entries) - len(upserts),
    }


async def rebuild(indexer: Indexer) -> dict[str, int]:
    """Both indexes anew, from the catalog; texts embedded before are not embedded again."""
    catalog, index = indexer.house.catalog, indexer.house.index
    async with indexer.vectors:
        n_postings = await catalog.rebuild_postings()
        await start_new_build(catalog, index)
        while await follow(_follow_ports(indexer), BATCH_MAX):
            pass
    return {"n_postings": n_postings, "n_vectors": len(await catalog.indexed_ids())}


# --- start: settings that changed while we were away ----------------------------------------------


async def _settle_settings(indexer: Indexer) -> None:
    catalog = indexer.house.catalog
    for silo_id in await catalog.silos():
        if silo_id not in indexer.silos:
            await _forget_silo(indexer, silo_id)
    for silo in indexer.silos.values():
        rules = digest_text(
            json.dumps([silo.settings.open_to_all, [r.model_dump() for r in silo.settings.access]])
        )
        known = await catalog.meta(f"access:{silo.id}")
        if known is not None and known != rules:
            # Fail closed: under new rules nobody reads anything until it was looked at again.
            await catalog.deny_all(silo.id)
            log.info("silo.access_changed", silo=silo.id)
        if known != rules:
            await catalog.set_meta(f"access:{silo.id}", rules)


async def _forget_silo(indexer: Indexer, silo_id: SiloId) -> None:
    catalog = indexer.house.catalog
    for key in await catalog.signatures(silo_id, "", indexer.house.parser.name):
        await catalog.remove(Removed(silo=silo_id, key=key, reason="silo removed from settings"))
    log.info("silo.forgotten", silo=silo_id)


# --- watching and reconciling ---------------------------------------------------------------------


async def _tend_silo(indexer: Indexer, silo: Silo) -> None:
    """Watch, reconcile, then act on hints; again from the start when the watcher dies."""
    pause_s = RETRY_S
    while True:
        try:
            # Watch before listing: a change made between the two would otherwise be lost.
            await silo.connector.watch(silo.hints.add)
            silo.hints.add(EVERYTHING)
            pause_s = RETRY_S
            await _act_on_hints(indexer, silo)
        except RagError as exc:
            silo.status.error = str(exc)
            log.warning("silo.unavailable", silo=silo.id, code=exc.code, detail=str(exc))
        await asyncio.sleep(pause_s)
        pause_s = min(pause_s * 2, RETRY_MAX_S)


async def _act_on_hints(indexer: Indexer, silo: Silo) -> None:
    interval_s = silo.settings.reconcile_interval_s
    reconcile_at = time.monotonic() + interval_s
    while silo.connector.healthy:
        try:
            async with asyncio.timeout(min(1.0, interval_s)):
                hints = await silo.hints.settled()
        except TimeoutError:
            hints = ()
        if time.monotonic() >= reconcile_at:
            hints, reconcile_at = (EVERYTHING,), time.monotonic() + interval_s
        if len(hints) > HINTS_MAX:
            # One listing is cheaper than so many small ones.
            hints = (EVERYTHING,)
        for hint in hints:
            batch = await _reconcile(indexer, silo, hint)
            if hint == EVERYTHING:
                # Not awaited here: what changes meanwhile must not wait for the backlog.
                indexer.soon(_finish_scan(indexer, silo, batch))
    raise SiloUnavailable(f"the watcher of {silo.id} died", remedy="it is started again")


async def _reconcile(
    indexer: Indexer, silo: Silo, hint: Hint, *, retry_quarantined: bool = False
) -> Batch:
    """List at or below the hint, and queue what differs from the record."""
    noticed_s = time.monotonic()
    # Both before the listing: what is committed while we list must not look vanished, and what
    # vanishes while it is parsed must be removed again once it is committed.
    in_hand = _in_hand(indexer, silo, hint)
    recorded = await _recorded(indexer, silo, hint.key, retry_quarantined=retry_quarantined)
    expected = recorded | in_hand
    n_expected = await indexer.house.catalog.n_documents(silo.id) + len(expected) - len(recorded)
    listing = await silo.connector.listing(hint.key)
    n_upserted = 0
    batch = Batch()
    batch.n_open += 1  # Held open until everything is queued.
    for change in changes(silo.id, expected, listing, _brake(silo), n_recorded=n_expected):
        if isinstance(change, ScanCompleted):
            silo.status.detail = change.detail
            silo.status.last_scan = change
            continue
        item = Item(change=change, batch=batch, noticed_s=noticed_s, live=hint != EVERYTHING)
        await indexer.lanes.put(replace(item, known=item.key in recorded))
        n_upserted += isinstance(change, Upserted)
    if hint == EVERYTHING:
        batch.unchanged += len(listing.entries) - n_upserted
        silo.release_brake = False
    batch.n_open -= 1
    if batch.n_open == 0:
        batch.done.set()
    silo.status.error = "" if listing.complete else listing.detail
    return batch


async def _finish_scan(indexer: Indexer, silo: Silo, batch: Batch) -> None:
    """When all of a full listing is done, record that it is: it confirms what is live."""
    scan = silo.status.last_scan
    await batch.done.wait()
    if scan is None:
        return
    await ingest(scan, indexer.ports(silo.id), indexer.options)
    silo.status.last_diff = batch.diff
    log.info("silo.reconciled", silo=silo.id, complete=scan.complete, diff=batch.diff)


async def _recorded(
    indexer: Indexer, silo: Silo, prefix: str, *, retry_quarantined: bool = False
) -> dict[str, str]:
    return await indexer.house.catalog.signatures(
        silo.id, prefix, indexer.house.parser.name, retry_quarantined=retry_quarantined
    )


def _in_hand(indexer: Indexer, silo: Silo, hint: Hint) -> dict[str, str]:
    """What waits or is at work at or below the hint, with a signature that no listing gives."""
    if hint.subtree:
        return {k: "" for k in indexer.lanes.keys(silo.id) if lies_under(k, hint.key)}
    # A walk over the whole backlog at every hint would cost more than the change itself.
    return {hint.key: ""} if indexer.lanes.holds(document_id(silo.id, hint.key)) else {}


def _brake(silo: Silo) -> Brake:
    return RELEASED if silo.release_brake else Brake(share=silo.settings.delete_brake_share)


# --- workers --------------------------------------------------------------------------------------


@asynccontextmanager
async def _workers(indexer: Indexer) -> AsyncIterator[None]:
    # One more than there are parsers: unchanged files and removals need none.
    n = indexer.settings.ingest.parsers + 1
    tasks = [asyncio.create_task(_work(indexer)) for _ in range(n)]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _work(indexer: Indexer) -> None:
    while True:
        item = await indexer.lanes.get()
        result = None
        try:
            result = await _carry(indexer, item)
        except RagError as exc:
            # Nothing could be decided yet.
            log.warning("document.deferred", document=item.id, code=exc.code)
            hints = indexer.silos[item.silo].hints
            asyncio.get_running_loop().call_later(RETRY_S, hints.add, Hint(key=item.key))
        finally:
            await indexer.lanes.finish(item, result)


async def _carry(indexer: Indexer, item: Item) -> Result:
    """One change through the belt."""
    started_s = time.monotonic()
    try:
        result = await ingest(item.change, indexer.ports(item.silo), indexer.options)
    except RagError:
        raise
    except Exception as exc:
        # A bug of ours on this document: it must not take the others down with it.
        log.exception("document.failed", document=item.id)
        ref = DocumentRef(silo=item.silo, key=item.key, signature=item.signature)
        await indexer.house.catalog.quarantine(
            ref, indexer.house.parser.name, "internal", f"{type(exc).__name__}: {exc}"
        )
        result = Result.QUARANTINED
    log.info(
        _EVENTS[result], silo=item.silo, document=item.id,
        elapsed_ms=round((time.monotonic() - started_s) * 1000),
        lag_ms=round((time.monotonic() - item.noticed_s) * 1000),
    )  # fmt: skip
    return result


# --- vectors --------------------------------------------------------------------------------------


def _follow_ports(indexer: Indexer) -> FollowPorts:
    house = indexer.house
    return FollowPorts(ledger=house.catalog, embedder=house.embedder, index=house.index)


async def _follow_forever(indexer: Indexer) -> None:
    ports = _follow_ports(indexer)
    checked = False
    last_step_s = time.monotonic()
    while True:
        waited_s = time.monotonic() - last_step_s
        if indexer.lanes.n_waiting and waited_s < FOLLOW_WAIT_MAX_S:
            await asyncio.sleep(0.02)
            continue
        try:
            async with indexer.vectors:
                if not checked:
                    await check_indexes(indexer.house.catalog, indexer.house.index)
                    checked = True
                n_done = await follow(ports, indexer.settings.embedder.batch)
            last_step_s = time.monotonic()
            if not n_done:
                await asyncio.sleep(FOLLOW_IDLE_S)
        except RagError as exc:
            log.warning("vectors.deferred", code=exc.code, detail=str(exc))
            # The index may have come back empty or damaged.
            checked = False
            await asyncio.sleep(RETRY_S)


# --- requests and status --------------------------------------------------------------------------


async def _serve_requests(indexer: Indexer) -> None:
    """What callers ask of the indexer arrives as rows of the journal, read with a cursor."""
    catalog = indexer.house.catalog
    reader = RequestReader(Paths(indexer.settings.data_dir).journal)
    cursor = int(await catalog.meta("journal_cursor") or 0)
    kept = cursor
    unfinished: set[int] = set()
    while True:
        try:
            requests = await reader.after(cursor)
        except RagError as exc:
            # The API may be making the journal at this moment.
            log.warning("requests.deferred", code=exc.code, detail=str(exc))
            requests = ()
        for request in requests:
            cursor = request.id
            unfinished.add(request.id)
            indexer.soon(_serve_request(indexer, request, unfinished))
        # Not past what is unfinished: after a crash it is asked again, which does no harm.
        done = min(unfinished) - 1 if unfinished else cursor
        if done != kept:
            await catalog.set_meta("journal_cursor", str(done))
            kept = done
        await asyncio.sleep(REQUEST_POLL_S)


async def _serve_request(indexer: Indexer, request: Request, unfinished: set[int]) -> None:
    while True:
        try:
            outcome = await _outcome(indexer, request)
            await indexer.house.catalog.set_meta(f"request:{request.id}", json.dumps(outcome))
        except RagError as exc:
            log.warning("request.deferred", request=request.id, code=exc.code)
            await asyncio.sleep(RETRY_S)
            continue
        except Exception as exc:
            # A bug of ours: the caller must learn of it, and the cursor must not wait for ever.
            log.exception("request.failed", request=request.id)
            failed = json.dumps({"error": f"{type(exc).__name__}: {exc}", "detail": ""})
            await indexer.house.catalog.set_meta(f"request:{request.id}", failed)
        unfinished.discard(request.id)
        return


async def _outcome(indexer: Indexer, request: Request) -> dict[str, object]:
    """Do what is asked, and say what came of it."""
    if request.kind == "rebuild":
        return dict(await rebuild(indexer))
    silo = indexer.silos.get(SiloId(request.silo))
    if silo is None:
        return {**Batch().counts, "error": f"no silo {request.silo}", "detail": ""}
    silo.release_brake = bool(request.options.get("allow_removals"))
    batch = await _reconcile(indexer, silo, EVERYTHING, retry_quarantined=True)
    await _finish_scan(indexer, silo, batch)
    return {**batch.counts, **silo.status.troubles}


async def _report_status(indexer: Indexer) -> None:
    path = Paths(indexer.settings.data_dir).run / "indexer.json"
    while True:
        status = IndexerStatus(
            n_waiting=indexer.lanes.n_waiting,
            lag_s=round(indexer.lanes.lag_s, 3),
            n_vectors_pending=await indexer.house.catalog.n_pending(),
            silos={silo.id: silo.status for silo in indexer.silos.values()},
        )
        await asyncio.to_thread(write_status, path, status)
        await asyncio.sleep(STATUS_EVERY_S)
