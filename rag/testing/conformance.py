"""What every connector must do: a suite that its author runs against a harness of their own.

A harness edits the silo behind the connector's back; the checks follow the connector as the
indexer does and compare what it told with what is there. Each check wants a fresh, empty silo:

    @pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
    async def test_conformance(check, harness): await check(harness)

A check raises AssertionError with what was expected. Nothing here knows any connector.
"""

import asyncio
import random
from collections.abc import Awaitable, Callable, Mapping, Sequence
from types import TracebackType
from typing import Final, Protocol, Self

from rag.domain.document import DocumentRef, RawDocument
from rag.domain.errors import DocumentGone, SiloUnavailable
from rag.domain.ids import SiloId, digest_bytes

DEADLINE_S: Final = 15.0
_BURST: Final = 2_000


class ListingLike(Protocol):
    """Key to signature at or below a prefix; `complete` when what is not listed is not there."""

    @property
    def entries(self) -> Mapping[str, str]: ...
    @property
    def complete(self) -> bool: ...
    @property
    def detail(self) -> str: ...


class HintLike(Protocol):
    """Something at `key`, or below it too, may have changed."""

    @property
    def key(self) -> str: ...
    @property
    def subtree(self) -> bool: ...


class ConnectorLike(Protocol):
    """The contract that a connector keeps."""

    @property
    def silo(self) -> SiloId: ...
    @property
    def healthy(self) -> bool: ...
    async def listing(self, prefix: str = "") -> ListingLike: ...
    async def fetch(self, ref: DocumentRef) -> RawDocument: ...
    async def watch(self, hint: Callable[[HintLike], None]) -> None: ...
    async def unwatch(self) -> None: ...


class Harness(Protocol):
    """Edits an empty silo in the way its users do. Every method returns when it is done."""

    @property
    def connector(self) -> ConnectorLike: ...

    @property
    def hostile_keys(self) -> Sequence[str]:
        """Keys as odd as the silo allows, none a folder of another."""
        ...

    async def write(self, key: str, data: bytes) -> None:
        """Create or overwrite a document, with the folders above it."""
        ...

    async def rename(self, key: str, to: str) -> None: ...
    async def remove(self, key: str) -> None: ...

    async def make_partial(self, key: str) -> None:
        """Make the silo unable to list the part that `key` lies in, until `make_whole`."""
        ...

    async def make_whole(self) -> None: ...

    async def vanish(self) -> None:
        """Take the whole silo away, as a share that loses its mount, until `return_back`."""
        ...

    async def return_back(self) -> None: ...


Check = Callable[[Harness], Awaitable[None]]


class Mirror:
    """A small indexer: follows hints and listings, and holds what it was told, by key."""

    def __init__(self, connector: ConnectorLike) -> None:
        self.connector = connector
        self.data: dict[str, bytes] = {}
        self.signatures: dict[str, str] = {}
        self._hints: asyncio.Queue[HintLike] = asyncio.Queue()

    async def __aenter__(self) -> Self:
        loop = asyncio.get_running_loop()

        def keep(hint: HintLike) -> None:
            loop.call_soon_threadsafe(self._hints.put_nowait, hint)

        # Watch before listing, as the indexer does.
        await self.connector.watch(keep)
        _require(self.connector.healthy, "a connector is healthy once it watches")
        await self.reconcile()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        await self.connector.unwatch()

    async def reconcile(self, prefix: str = "") -> ListingLike:
        """List, fetch what is new, drop what is gone; gives the listing."""
        listing = await self.connector.listing(prefix)
        for key, signature in listing.entries.items():
            if self.signatures.get(key) != signature:
                await self._fetch(key, signature)
        if listing.complete:
            for key in [k for k in self.data if _under(k, prefix) and k not in listing.entries]:
                self._drop(key)
        return listing

    async def until(self, expected: Mapping[str, bytes], *, why: str) -> None:
        """Follow hints until the mirror is what is expected; AssertionError at the deadline."""
        try:
            async with asyncio.timeout(DEADLINE_S):
                while self.data != expected:
                    hints = [await self._hints.get()]
                    while not self._hints.empty():
                        hints.append(self._hints.get_nowait())
                    for prefix in {hint.key for hint in hints}:
                        await self.reconcile(prefix)
        except TimeoutError:
            raise AssertionError(f"{why}: {_difference(self.data, expected)}") from None

    async def _fetch(self, key: str, signature: str) -> None:
        ref = DocumentRef(silo=self.connector.silo, key=key, signature=signature)
        try:
            raw = await self.connector.fetch(ref)
        except DocumentGone:
            self._drop(key)
            return
        except SiloUnavailable:
            return
        _require(raw.key == key and raw.silo == self.connector.silo, f"{key!r} names itself")
        _require(
            raw.digest == digest_bytes(raw.data), f"the digest of {key!r} is that of its bytes"
        )
        _require(raw.modified_at.utcoffset() is not None, f"the time of {key!r} is aware")
        self.data[key], self.signatures[key] = raw.data, raw.signature

    def _drop(self, key: str) -> None:
        self.data.pop(key, None)
        self.signatures.pop(key, None)


async def check_created(harness: Harness) -> None:
    """A new document is hinted at, listed and fetched."""
    async with Mirror(harness.connector) as mirror:
        await harness.write("new.txt", b"one")
        await mirror.until({"new.txt": b"one"}, why="a new document arrives")


async def check_edited(harness: Harness) -> None:
    """An edit arrives, also one that keeps the size."""
    await harness.write("folder/a.txt", b"one")
    async with Mirror(harness.connector) as mirror:
        await mirror.until({"folder/a.txt": b"one"}, why="the first listing has what is there")
        for text in (b"two", b"six", b"longer than before", b""):
            await harness.write("folder/a.txt", text)
            await mirror.until({"folder/a.txt": text}, why="an edit arrives")


async def check_renamed(harness: Harness) -> None:
    """A renamed document leaves its old key and arrives under its new one."""
    await harness.write("old.txt", b"one")
    async with Mirror(harness.connector) as mirror:
        await harness.rename("old.txt", "new.txt")
        await mirror.until({"new.txt": b"one"}, why="a renamed document moves")
        await harness.rename("new.txt", "deep/er/new.txt")
        await mirror.until({"deep/er/new.txt": b"one"}, why="a moved document moves")


async def check_removed(harness: Harness) -> None:
    """A removed document is gone, and fetching it says so."""
    await harness.write("a.txt", b"one")
    await harness.write("b.txt", b"two")
    async with Mirror(harness.connector) as mirror:
        await harness.remove("a.txt")
        await mirror.until({"b.txt": b"two"}, why="a removed document goes")
    await _require_raises(harness.connector, "a.txt", DocumentGone)


async def check_unchanged_is_left_alone(harness: Harness) -> None:
    """What does not change keeps its signature, in listings, below prefixes and when fetched."""
    await harness.write("a/one.txt", b"one")
    await harness.write("ab.txt", b"two")
    async with Mirror(harness.connector) as mirror:
        async with asyncio.timeout(DEADLINE_S):
            # The signature of what was edited this moment may be unsettled.
            while dict((await mirror.reconcile()).entries) != mirror.signatures:
                await asyncio.sleep(0)
    whole = dict((await harness.connector.listing()).entries)
    _require(whole.keys() == {"a/one.txt", "ab.txt"}, "the listing is what is there")
    for prefix in ("a", "a/one.txt", "ab.txt", "absent", "a/absent"):
        part = await harness.connector.listing(prefix)
        expected = {k: s for k, s in whole.items() if _under(k, prefix)}
        _require(part.complete, f"a listing below {prefix!r} is complete")
        _require(dict(part.entries) == expected, f"a listing below {prefix!r} is its part")


async def check_burst(harness: Harness) -> None:
    """2,000 documents at once all arrive."""
    expected = {f"burst/{i % 20}/{i}.txt": b"%d" % i for i in range(_BURST)}
    async with Mirror(harness.connector) as mirror:
        for key, data in expected.items():
            await harness.write(key, data)
        await mirror.reconcile()
        await mirror.until(expected, why="a burst arrives whole")


async def check_partial_listing_removes_nothing(harness: Harness) -> None:
    """A listing that could not see everything says so (invariant I7)."""
    expected = {"open/a.txt": b"one", "shut/b.txt": b"two"}
    for key, data in expected.items():
        await harness.write(key, data)
    async with Mirror(harness.connector) as mirror:
        await harness.make_partial("shut/b.txt")
        try:
            listing = await mirror.reconcile()
            _require(not listing.complete, "a partial listing does not call itself complete")
            _require(bool(listing.detail), "a partial listing says why")
            _require(mirror.data == expected, "a partial listing removes nothing")
        finally:
            await harness.make_whole()
        listing = await mirror.reconcile()
        _require(listing.complete and mirror.data == expected, "the silo is whole again")


async def check_vanished_silo_removes_nothing(harness: Harness) -> None:
    """A silo that is out of reach is not an empty silo, in listings or fetches."""
    await harness.write("a/b.txt", b"one")
    async with Mirror(harness.connector) as mirror:
        await harness.vanish()
        try:
            for prefix in ("", "a", "a/b.txt"):
                listing = await mirror.reconcile(prefix)
                _require(not listing.complete, "a silo out of reach lists nothing completely")
            await _require_raises(harness.connector, "a/b.txt", SiloUnavailable)
        finally:
            await harness.return_back()
        _require(mirror.data == {"a/b.txt": b"one"}, "a silo out of reach removes nothing")
        listing = await mirror.reconcile()
        _require(listing.complete, "a silo that is back is listed completely")
        await harness.write("a/c.txt", b"two")
        await harness.connector.unwatch()
    async with Mirror(harness.connector) as mirror:
        await mirror.until({"a/b.txt": b"one", "a/c.txt": b"two"}, why="the silo is followed again")


async def check_hostile_names(harness: Harness) -> None:
    """Odd names arrive, are fetched by the same key, and go."""
    expected = {key: b"%d" % i for i, key in enumerate(harness.hostile_keys)}
    async with Mirror(harness.connector) as mirror:
        for key, data in expected.items():
            await harness.write(key, data)
        await mirror.until(expected, why="odd names arrive")
        for key in expected:
            await harness.remove(key)
        await mirror.until({}, why="odd names go")


async def check_keys_do_not_escape(harness: Harness) -> None:
    """A key that no listing gave is never fetched from elsewhere."""
    await harness.write("a/b.txt", b"one")
    for key in ("../../etc/passwd", "a/../a/b.txt", "/etc/passwd", "", ".", "a//b.txt", "a\0b"):
        await _require_raises(harness.connector, key, DocumentGone)


async def check_random_edits(harness: Harness, *, seed: int = 7, n_edits: int = 300) -> None:
    """Whatever happens in whatever order, hints alone and listings lead to the same end (I6)."""
    chance = random.Random(seed)  # noqa: S311 - a test's dice
    keys = [f"{folder}/{name}.txt" for folder in ("a", "a/b", "c") for name in "xyz"]
    model: dict[str, bytes] = {}
    async with Mirror(harness.connector) as mirror:
        for i in range(n_edits):
            await _edit(harness, model, chance, keys, b"%d" % i)
            if chance.random() < 0.1:
                await mirror.reconcile(chance.choice(("", "a", "a/b", "c", "a/x.txt")))
        await mirror.until(model, why="hints alone lead to the end")
        await mirror.reconcile()
        _require(mirror.data == model, "a listing changes nothing after that")


async def _edit(
    harness: Harness,
    model: dict[str, bytes],
    chance: random.Random,
    keys: Sequence[str],
    data: bytes,
) -> None:
    key, other = chance.sample(list(keys), 2)
    if key in model and chance.random() < 0.3:
        await harness.remove(key)
        del model[key]
    elif key in model and chance.random() < 0.4:
        await harness.rename(key, other)
        model[other] = model.pop(key)
    else:
        await harness.write(key, data)
        model[key] = data


CHECKS: Final[tuple[Check, ...]] = (
    check_created,
    check_edited,
    check_renamed,
    check_removed,
    check_unchanged_is_left_alone,
    check_burst,
    check_partial_listing_removes_nothing,
    check_vanished_silo_removes_nothing,
    check_hostile_names,
    check_keys_do_not_escape,
    check_random_edits,
)
"""All of them."""


async def _require_raises(connector: ConnectorLike, key: str, kind: type[Exception]) -> None:
    try:
        await connector.fetch(DocumentRef(silo=connector.silo, key=key, signature=""))
    except kind:
        return
    except Exception as error:
        raise AssertionError(f"{key!r}: {kind.__name__} expected, not {error!r}") from error
    raise AssertionError(f"{key!r}: {kind.__name__} expected, and it was fetched")


def _require(holds: object, message: str) -> None:
    if not holds:
        raise AssertionError(f"expected: {message}")


def _under(key: str, prefix: str) -> bool:
    return not prefix or key == prefix or key.startswith(prefix + "/")


def _difference(found: Mapping[str, bytes], expected: Mapping[str, bytes]) -> str:
    missing = sorted(expected.keys() - found.keys())[:5]
    extra = sorted(found.keys() - expected.keys())[:5]
    stale = sorted(k for k in found.keys() & expected.keys() if found[k] != expected[k])[:5]
    return f"missing {missing}, too many {extra}, old content {stale}"
