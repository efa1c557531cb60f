"""Walking and opening below one folder without ever leaving it.

Everything is opened relative to a descriptor of the folder, part by part and never through a
link: what a share's users rename or link meanwhile cannot lead outside, and a share that is
unmounted or replaced while it is read cannot look empty.
"""

import errno
import os
import re
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Final

from connectors.kit.globs import KeyFilter
from rag.domain.errors import SiloUnavailable

_DEPTH_MAX: Final = 128
_PROBLEMS_MAX: Final = 5
_FOLDER: Final = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
# Without O_NONBLOCK, opening a FIFO would wait for its writer for ever.
_FILE: Final = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY
_ODD_BASE: Final = 0xEF00
_ESCAPE_BASE: Final = 0xDC00  # of PEP 383
_SPELT: Final = re.compile("[\uef80-\uefff]")
_ODD: Final = re.compile("[\udc80-\udcff\uef80-\uefff]")


class Root:
    """The folder that a silo starts at, remembered by device and inode since it was first seen.

    When another folder stands in its place, or none, nothing can be said about its documents.
    """

    def __init__(self, path: str) -> None:
        self.path = os.path.abspath(path)
        self._identity: tuple[int, int] | None = None

    @contextmanager
    def opened(self) -> Iterator[int]:
        """A descriptor of the folder, which it keeps naming wherever the path leads meanwhile.

        Raises:
            SiloUnavailable: it is not there, is no folder, may not be read, or was replaced.
        """
        descriptor = self._open()
        try:
            yield descriptor
        finally:
            os.close(descriptor)

    def check(self) -> None:
        """Raise SiloUnavailable unless the folder stands where and as it was first seen."""
        with self.opened():
            pass

    def key_of(self, path: str) -> str | None:
        """The key of a path that links have been resolved in; None outside the folder."""
        base = os.path.realpath(self.path)
        below = path.startswith(base.rstrip("/") + "/")
        return to_key(path[len(base.rstrip("/")) + 1 :]) if below else None

    def _open(self) -> int:
        try:
            descriptor = os.open(self.path, _FOLDER)
        except OSError as error:
            raise SiloUnavailable(f"the root cannot be opened: {reason(error)}") from error
        status = os.fstat(descriptor)
        identity = (status.st_dev, status.st_ino)
        if self._identity not in (None, identity):
            os.close(descriptor)
            raise SiloUnavailable(
                "another folder stands in the place of the root",
                remedy="mount the right one, or restart to accept it",
            )
        self._identity = identity
        return descriptor


def open_file(root: int, key: str) -> int:
    """A descriptor of the file `key`, reached without passing any link. OSError as from open."""
    *folders, name = parts_of(key)
    parent = open_folder(root, folders)
    try:
        return os.open(name, _FILE, dir_fd=parent)
    finally:
        os.close(parent)


def stat_file(root: int, key: str) -> os.stat_result:
    """The status of what stands at `key`, a link's own, reached without passing any other link."""
    *folders, name = parts_of(key)
    parent = open_folder(root, folders)
    try:
        return os.stat(name, dir_fd=parent, follow_symlinks=False)
    finally:
        os.close(parent)


def open_folder(root: int, parts: list[str]) -> int:
    """A descriptor of the folder at `parts`, reached without passing any link."""
    descriptor = os.dup(root)
    for part in parts:
        try:
            below = os.open(part, _FOLDER | os.O_NOFOLLOW, dir_fd=descriptor)
        finally:
            os.close(descriptor)
        descriptor = below
    return descriptor


def parts_of(key: str) -> list[str]:
    """The names on the way to a key; FileNotFoundError for what no key of a folder can be."""
    try:
        path = to_name(key)
    except UnicodeEncodeError:
        path = ""
    parts = path.split("/")
    if "\0" in path or to_key(path) != key or any(part in ("", ".", "..") for part in parts):
        raise FileNotFoundError(errno.ENOENT, "not a key of a folder")
    return parts


def to_key(name: str) -> str:
    """A name as part of a key: the same, with bytes that are not UTF-8 as U+EF80 to U+EFFF.

    Python's own stand-ins for such bytes are lone surrogates, which no database, wire or screen
    takes. The range is that of MirBSD's OPTU-8; a name that has characters of it is spelt by
    bytes too, so that no two names share a key.
    """
    if name.isascii():
        return name
    return _ODD.sub(lambda odd: "".join(chr(_ODD_BASE + b) for b in os.fsencode(odd[0])), name)


def to_name(key: str) -> str:
    """The name that `to_key` made this of, as `os` functions take it."""
    if key.isascii():
        return key
    spelt = _SPELT.sub(lambda byte: chr(ord(byte[0]) - _ODD_BASE + _ESCAPE_BASE), key)
    return os.fsdecode(os.fsencode(spelt))


@dataclass(slots=True, kw_only=True)
class Found:
    """What a walk gathers: regular files by key, links by key, and why it is not complete."""

    files: dict[str, str] = field(default_factory=dict)
    links: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    n_problems: int = 0

    def problem(self, key: str, reason: str) -> None:
        """Note that something at `key` could not be looked at; only the first few are told."""
        self.n_problems += 1
        if len(self.problems) < _PROBLEMS_MAX:
            self.problems.append(f"{key!r}: {reason}")

    def detail(self) -> str:
        """All that went wrong, in one line."""
        more = self.n_problems - len(self.problems)
        return "; ".join(self.problems) + (f"; and {more} more" if more else "")


Stamp = Callable[[str, os.stat_result], str]
"""Key and status to the signature of a file."""


def walk(
    folder: int, key: str, keys: KeyFilter, stamp: Stamp, found: Found, depth: int = 0
) -> None:
    """Gather what `keys` admits below the open folder `key`; links are noted, not followed.

    Linked folders are not entered: within the root their files have their own key already.
    """
    if depth > _DEPTH_MAX:
        found.problem(key, f"more than {_DEPTH_MAX} folders deep")
        return
    base = key + "/" if key else ""
    folders: list[str] = []
    try:
        with os.scandir(folder) as entries:
            _gather(entries, base, keys, stamp, found, folders)
    except OSError as error:
        found.problem(key, reason(error))
    for name in folders:
        _walk_into(folder, name, base + to_key(name), keys, stamp, found, depth + 1)


def _gather(
    entries: "Iterator[os.DirEntry[str]]", base: str, keys: KeyFilter, stamp: Stamp, found: Found,
    folders: list[str],
) -> None:  # fmt: skip
    # One loop without helpers, and the kind before the status: 50,000 times per listing. The kind
    # comes with the folder's own listing on most file systems, without a call.
    excludes_name, files, selects = keys.name_test, found.files, keys.selects
    for entry in entries:
        name = to_key(entry.name)
        if excludes_name(name):
            continue
        path = base + name
        try:
            if entry.is_file(follow_symlinks=False):
                if selects is None or selects(path):
                    files[path] = stamp(path, entry.stat(follow_symlinks=False))
            elif entry.is_dir(follow_symlinks=False):
                if not keys.prunes(path):
                    folders.append(entry.name)
            elif entry.is_symlink() and keys.admits(path):
                found.links.append(path)
        except FileNotFoundError:
            continue  # gone since the folder was read, and so not listed
        except OSError as error:
            found.problem(path, reason(error))


def _walk_into(
    parent: int, name: str, key: str, keys: KeyFilter, stamp: Stamp, found: Found, depth: int
) -> None:
    try:
        descriptor = os.open(name, _FOLDER | os.O_NOFOLLOW, dir_fd=parent)
    except (FileNotFoundError, NotADirectoryError):
        return  # gone since the folder was read: relative to an open parent this is certain
    except OSError as error:
        found.problem(key, reason(error))
        return
    try:
        walk(descriptor, key, keys, stamp, found, depth)
    finally:
        with suppress(OSError):
            os.close(descriptor)


def reason(error: OSError) -> str:
    """What the system says, without the path."""
    return error.strerror or type(error).__name__


def is_regular(status: os.stat_result) -> bool:
    """Whether this is a plain file: no folder, link, FIFO, socket or device."""
    return stat.S_ISREG(status.st_mode)
