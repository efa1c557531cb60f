"""A folder of files: a file share, a synchronised drive, an export.

A document is a regular file; its key is the path below the root (see `to_key` for names that are
not UTF-8). A linked file counts when its
target lies inside the root, and may be read by those who may read the target; linked folders
are not entered, as their files have their own key already.
"""

import asyncio
import errno
import mimetypes
import os
import stat
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final, Literal
from urllib.parse import quote

from connectors.kit.connector import EVERYTHING, Hint, Listing, lies_under
from connectors.kit.folder import (
    Found,
    Root,
    is_regular,
    open_file,
    open_folder,
    parts_of,
    reason,
    stat_file,
    to_name,
    walk,
)
from connectors.kit.globs import AccessRules, KeyFilter
from connectors.kit.watching import Watching, start_watching
from rag.domain.document import DocumentRef, RawDocument
from rag.domain.errors import DocumentGone, RagError, SiloDenied, SiloUnavailable, TooLarge
from rag.domain.ids import SiloId, digest_bytes
from rag.settings import DEFAULT_EXCLUDE

_READ_TRIES: Final = 4
_RACY_NS: Final = 20_000_000
_COARSE_NS: Final = 2_000_000_000
_SECOND_NS: Final = 1_000_000_000
# ELOOP: a link where there was none a moment ago.
_GONE: Final = frozenset({errno.ENOENT, errno.ENOTDIR, errno.ELOOP, errno.ENAMETOOLONG})
_DENIED: Final = frozenset({errno.EACCES, errno.EPERM})
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)

# Built-in tables only: what the machine's own /etc/mime.types says must not change a document.
_TYPES: Final = mimetypes.MimeTypes()
_OFFICE: Final = "application/vnd.openxmlformats-officedocument."
for _suffix, _type in {
    ".md": "text/markdown",
    ".markdown": "text/markdown",
    ".rst": "text/x-rst",
    ".adoc": "text/asciidoc",
    ".docx": _OFFICE + "wordprocessingml.document",
    ".xlsx": _OFFICE + "spreadsheetml.sheet",
    ".pptx": _OFFICE + "presentationml.presentation",
    ".odt": "application/vnd.oasis.opendocument.text",
    ".ods": "application/vnd.oasis.opendocument.spreadsheet",
    ".odp": "application/vnd.oasis.opendocument.presentation",
    ".epub": "application/epub+zip",
    ".msg": "application/vnd.ms-outlook",
    ".rtf": "application/rtf",
    ".jsonl": "application/jsonl",
    ".yaml": "application/yaml",
    ".yml": "application/yaml",
    ".toml": "application/toml",
    ".log": "text/plain",
}.items():
    _TYPES.add_type(_type, _suffix)


@dataclass(frozen=True, slots=True, kw_only=True)
class FileSiloOptions:
    """One folder, what of it is offered and to whom, and how changes are noticed."""

    silo: SiloId
    root: Path
    include: tuple[str, ...] = ("**",)
    exclude: tuple[str, ...] = DEFAULT_EXCLUDE
    max_bytes: int = 50 * 2**20
    access: AccessRules = field(default_factory=AccessRules)
    watch: Literal["auto", "events", "polling"] = "auto"
    poll_interval_s: float = 5.0


class FileSilo:
    """The connector of a folder. Every look at the disk runs in a thread."""

    def __init__(self, options: FileSiloOptions) -> None:
        self._options = options
        self._root = Root(os.fspath(options.root))
        self._filter = KeyFilter(include=options.include, exclude=options.exclude)
        self._links: Mapping[str, str] = {}
        self._watching: Watching | None = None

    @property
    def silo(self) -> SiloId:
        return self._options.silo

    @property
    def healthy(self) -> bool:
        return self._watching is not None and self._watching.healthy

    @property
    def detail(self) -> str:
        """How changes are noticed, and why not by events where they are not."""
        return self._watching.detail if self._watching is not None else "not watched"

    async def listing(self, prefix: str = "") -> Listing:
        return await asyncio.to_thread(self._list, prefix)

    async def fetch(self, ref: DocumentRef) -> RawDocument:
        return await asyncio.to_thread(self._fetch, ref.key)

    async def watch(self, hint: Callable[[Hint], None]) -> None:
        await self.unwatch()
        self._watching = await asyncio.to_thread(self._arm, hint)

    async def unwatch(self) -> None:
        watching, self._watching = self._watching, None
        if watching is not None:
            await asyncio.to_thread(watching.stop)

    # --- listing ---------------------------------------------------------------------------

    def _list(self, prefix: str) -> Listing:
        found = Found()
        try:
            with self._root.opened() as root:
                self._gather(root, prefix, found)
                links = self._follow(root, found)
            self._root.check()  # the path may have led elsewhere while the walk went on
        except SiloUnavailable as error:
            return Listing(entries={}, complete=False, detail=str(error), prefix=prefix)
        kept = {k: t for k, t in self._links.items() if not lies_under(k, prefix)}
        self._links = {**kept, **links}
        complete = found.n_problems == 0
        return Listing(entries=found.files, complete=complete, detail=found.detail(), prefix=prefix)

    def _gather(self, root: int, prefix: str, found: Found) -> None:
        if not prefix:
            walk(root, "", self._filter, self._signature, found)
            return
        try:
            *folders, name = parts_of(prefix)
            parent = open_folder(root, folders)
        except OSError as error:
            if error.errno not in _GONE:
                found.problem(prefix, reason(error))
            return
        try:
            self._gather_one(parent, name, prefix, found)
        finally:
            os.close(parent)

    def _gather_one(self, parent: int, name: str, key: str, found: Found) -> None:
        try:
            status = os.stat(name, dir_fd=parent, follow_symlinks=False)
            if stat.S_ISDIR(status.st_mode):
                if not self._filter.prunes(key):
                    below = open_folder(parent, [name])
                    try:
                        walk(below, key, self._filter, self._signature, found)
                    finally:
                        os.close(below)
            elif self._filter.admits(key):
                if is_regular(status):
                    found.files[key] = self._signature(key, status)
                elif stat.S_ISLNK(status.st_mode):
                    found.links.append(key)
        except OSError as error:
            if error.errno not in _GONE:
                found.problem(key, reason(error))

    def _follow(self, root: int, found: Found) -> dict[str, str]:
        """Add the linked files to `found`; gives link to target, by key."""
        targets: dict[str, str] = {}
        for key in found.links:
            try:
                target, status = self._resolved(root, key)
            except DocumentGone:
                continue
            except OSError as error:
                found.problem(key, reason(error))
                continue
            found.files[key] = self._signature(target, status)
            targets[key] = target
        return targets

    def _resolved(self, root: int, key: str) -> tuple[str, os.stat_result]:
        """The key of the regular file that `key` is or leads to, and its status.

        A link opens no doors: its target must be offered too. Asked before anything is opened,
        as opening a device can have effects.

        Raises:
            DocumentGone: there is none. OSError: this cannot be told now.
        """
        try:
            status = stat_file(root, key)
            if stat.S_ISLNK(status.st_mode):
                key = self._target(key)
                status = stat_file(root, key)
        except OSError as error:
            if error.errno in _GONE:
                raise DocumentGone(f"{key!r} is gone") from error
            raise
        if not is_regular(status):
            raise DocumentGone(f"{key!r} is not a regular file")
        return key, status

    def _target(self, link: str) -> str:
        path = os.path.realpath(os.path.join(self._root.path, to_name(link)))
        target = self._root.key_of(path)
        if target is None or not self._filter.admits(target):
            raise DocumentGone(f"{link!r} leads to nothing that this silo offers")
        return target

    def _signature(self, key: str, status: os.stat_result) -> str:
        """Size, times, inode and access: `ctime` also sees an edit that puts `mtime` back."""
        signature = (
            f"{status.st_size}:{status.st_mtime_ns}:{status.st_ctime_ns}:{status.st_ino}"
            f":{self._options.access.tag(key)}"
        )
        limit = self._options.max_bytes
        # A raised limit makes the signature new, and so the document is tried again.
        return signature if status.st_size <= limit else f"{signature}:over {limit}"

    # --- fetching --------------------------------------------------------------------------

    def _fetch(self, key: str) -> RawDocument:
        if not self._filter.admits(key):
            raise DocumentGone(f"{key!r} is not offered by this silo")
        try:
            with self._root.opened() as root:
                target, data, status = self._read_key(root, key)
        except DocumentGone:
            self._root.check()  # a file is only gone when the share itself is still there
            raise
        return RawDocument(
            silo=self.silo,
            key=key,
            uri="file://" + quote(os.fsencode(os.path.join(self._root.path, to_name(key)))),
            data=data,
            digest=digest_bytes(data),
            media_type=media_type(key),
            modified_at=_modified_at(status),
            signature=settled(self._signature(target, status), status.st_ctime_ns),
            access=self._options.access.access(target),
        )

    def _read_key(self, root: int, key: str) -> tuple[str, bytes, os.stat_result]:
        try:
            target, _ = self._resolved(root, key)
            descriptor = open_file(root, target)
            try:
                return target, *self._read(descriptor, key)
            finally:
                os.close(descriptor)
        except OSError as error:
            raise _silo_error(error, key) from error

    def _read(self, descriptor: int, key: str) -> tuple[bytes, os.stat_result]:
        """All bytes, with the status that they had both before and after."""
        for _ in range(_READ_TRIES):
            before = os.fstat(descriptor)
            if not is_regular(before):
                raise DocumentGone(f"{key!r} is not a regular file")
            if before.st_size > self._options.max_bytes:
                raise TooLarge(
                    f"{before.st_size} bytes, over the limit of {self._options.max_bytes}"
                )
            data = _read_all(descriptor, before.st_size)
            after = os.fstat(descriptor)
            if len(data) == before.st_size and _stamp(before) == _stamp(after):
                return data, after
        raise SiloUnavailable(f"{key!r} kept changing while it was read")

    # --- watching --------------------------------------------------------------------------

    def _arm(self, hint: Callable[[Hint], None]) -> Watching:
        self._root.check()

        def changed(key: str, subtree: bool) -> None:
            if not key:
                hint(EVERYTHING)
                return
            if subtree or self._filter.admits(key):
                hint(Hint(key=key, subtree=subtree))
            for link, target in self._links.items():
                if target == key or (subtree and lies_under(target, key)):
                    hint(Hint(key=link))

        return start_watching(
            self._root.path,
            changed,
            prunes=self._filter.prunes,
            mode=self._options.watch,
            poll_interval_s=self._options.poll_interval_s,
        )


def _silo_error(error: OSError, key: str) -> RagError:
    if error.errno in _GONE:
        return DocumentGone(f"{key!r} is gone")
    if error.errno in _DENIED:
        return SiloDenied(f"{key!r} may not be read: {reason(error)}")
    return SiloUnavailable(f"{key!r} cannot be read: {reason(error)}")


def media_type(key: str) -> str:
    """The media type that the name's ending stands for; octet-stream when it says nothing."""
    guessed, packed = _TYPES.guess_type("x/" + key.rsplit("/", 1)[-1], strict=False)
    if packed is not None:
        return f"application/{packed}"
    return guessed or "application/octet-stream"


def _read_all(descriptor: int, size_bytes: int) -> bytes:
    """The file from its start, at most one byte more than `size_bytes`: proof that it grew."""
    pieces: list[bytes] = []
    at = 0
    while at <= size_bytes:
        piece = os.pread(descriptor, size_bytes + 1 - at, at)
        if not piece:
            break
        pieces.append(piece)
        at += len(piece)
    return b"".join(pieces)


def _stamp(status: os.stat_result) -> tuple[int, int, int, int]:
    return status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino


def settled(signature: str, changed_ns: int) -> str:
    """The signature, spoilt when the file changed within one tick of its file system's clock.

    A second edit in that tick would leave all four numbers as they are; a spoilt signature makes
    the next listing look again (git calls this racily clean). `changed_ns` is its ctime, and a
    whole second means a clock of whole seconds.
    """
    tick_ns = _RACY_NS if changed_ns % _SECOND_NS else _COARSE_NS
    return f"{signature}:racy" if 0 <= time.time_ns() - changed_ns < tick_ns else signature


def _modified_at(status: os.stat_result) -> datetime:
    try:
        return _EPOCH + timedelta(microseconds=status.st_mtime_ns // 1000)
    except OverflowError:
        return _EPOCH  # anyone may set any time on a file
