"""A recursive inotify watch that loses nothing silently.

Every folder has one watch. A folder that appears is watched first and reported second, so that a
listing made because of the report sees all that the watch came too late for. Whenever events
were lost, or are about a place not known, everything is reported.
"""

import errno
import itertools
import os
import threading
from collections.abc import Callable
from typing import Final

import structlog
from watchdog.observers.inotify_c import (
    CallbackId,
    InotifyConstants,
    InotifyEvent,
    InotifyFD,
    Mask,
    WatchDescriptor,
)

from connectors.kit.folder import reason, to_key, to_name

log: Final = structlog.get_logger()

# Not opens and reads: our own would come back as events.
_MASK: Final = Mask(
    InotifyConstants.IN_CREATE
    | InotifyConstants.IN_DELETE
    | InotifyConstants.IN_MOVE
    | InotifyConstants.IN_MODIFY
    | InotifyConstants.IN_CLOSE_WRITE
    | InotifyConstants.IN_ATTRIB
    | InotifyConstants.IN_DELETE_SELF
    | InotifyConstants.IN_MOVE_SELF
    | InotifyConstants.IN_ONLYDIR
    | InotifyConstants.IN_DONT_FOLLOW
    | InotifyConstants.IN_EXCL_UNLINK
)
_NO_DESCRIPTOR: Final = -1
_JOIN_S: Final = 5.0


class TreeWatcher:
    """Watches all folders below `root` that `prunes` does not leave out; calls back by key."""

    def __init__(
        self, root: str, changed: Callable[[str, bool], None], prunes: Callable[[str], bool]
    ) -> None:
        """Watch; returns once every folder is. OSError when `root` itself cannot be watched."""
        self._root = os.fsencode(os.path.realpath(root))
        self._changed = changed
        self._prunes = prunes
        self._lock = threading.Lock()
        self._ids = itertools.count()
        self._by_descriptor: dict[WatchDescriptor, tuple[str, CallbackId]] = {}
        self._by_key: dict[str, WatchDescriptor] = {}
        self._lost = False
        self._blind_from_start = False
        self.n_unwatched = 0
        self._inotify = InotifyFD()
        self._inotify.start()
        try:
            self._arm("")
        except BaseException:
            self.stop()
            raise
        self._blind_from_start = self.n_unwatched > 0

    @property
    def healthy(self) -> bool:
        """Whether events still come: the thread lives and the root is where it was."""
        return not self._lost and self._inotify.is_alive()

    def stop(self) -> None:
        """Free all watches; nothing is called back after it returns."""
        self._changed = _ignore
        self._inotify.stop()
        self._inotify.join(_JOIN_S)

    # --- called by watchdog's thread, and never allowed to kill it -----------------------------

    def on_event(self, event: InotifyEvent) -> None:
        """One event of one watched folder."""
        try:
            self._handle(event)
        except Exception:
            log.exception("silo.watcher_failed")
            self._changed("", True)

    def on_watch_deleted(self, wd: WatchDescriptor) -> None:
        """The kernel has dropped a watch: its folder was deleted or unmounted."""
        with self._lock:
            self._forget_descriptor(wd)

    def on_queue_overflow(self) -> None:
        """Events were lost: watch anew, then report everything."""
        try:
            self._forget("")
            self._arm("")
        except OSError:
            self._lost = True
        self._changed("", True)

    # --- the tree ----------------------------------------------------------------------------

    def _handle(self, event: InotifyEvent) -> None:
        with self._lock:
            known = self._by_descriptor.get(event.wd)
        if known is None:
            return  # about a folder that was already reported as gone
        folder = known[0]
        if not event.name:
            self._handle_self(event, folder)
            return
        name = to_key(os.fsdecode(event.name))
        key = f"{folder}/{name}" if folder else name
        if not event.mask & InotifyConstants.IN_ISDIR:
            self._changed(key, False)
        elif not self._prunes(key):
            if event.is_moved_from or event.is_delete:
                self._forget(key)
            else:
                self._arm_new(key)
            self._changed(key, True)

    def _handle_self(self, event: InotifyEvent, folder: str) -> None:
        unmounted = bool(event.mask & InotifyConstants.IN_UNMOUNT)
        if folder and not unmounted:
            return  # its parent tells
        self._lost |= unmounted or event.is_delete_self or event.is_move_self
        self._changed("", True)

    def _arm_new(self, key: str) -> None:
        try:
            self._arm(key)
        except OSError as error:
            self._note(error)
        if self.n_unwatched and not self._blind_from_start:
            self._lost = True  # whoever watches again then learns that events are not enough

    def _arm(self, key: str) -> None:
        """Watch the folder and all below. Watch before listing, or a new folder slips through."""
        waiting = [key]
        while waiting:
            folder = waiting.pop()
            path = os.path.join(self._root, os.fsencode(to_name(folder))) if folder else self._root
            try:
                self._add(path, folder)
                with os.scandir(path) as entries:
                    names = [
                        to_key(os.fsdecode(e.name))
                        for e in entries
                        if e.is_dir(follow_symlinks=False)
                    ]
            except OSError as error:
                if folder == key:
                    raise
                self._note(error)
                continue
            below = (f"{folder}/{name}" if folder else name for name in names)
            waiting.extend(k for k in below if not self._prunes(k))

    def _note(self, error: OSError) -> None:
        # A folder that vanished or may not be read needs no watch: its parent's will tell.
        if not isinstance(error, FileNotFoundError | NotADirectoryError | PermissionError):
            self.n_unwatched += 1
            log.warning("silo.folder_unwatched", reason=reason(error))

    def _add(self, path: bytes, folder: str) -> None:
        number = CallbackId(next(self._ids))
        with self._lock:
            descriptor = self._inotify.add_callback(path, _MASK, self, number)
            if descriptor == _NO_DESCRIPTOR:  # watchdog's answer to a folder that may not be read
                self._inotify.remove_callbacks([(descriptor, number)])
                raise PermissionError(errno.EACCES, "may not be watched")
            previous = self._by_descriptor.get(descriptor)
            if previous is not None:
                # Watched already, perhaps under the name that it had before a move.
                self._inotify.remove_callbacks([(descriptor, number)])
                number = previous[1]
                self._by_key.pop(previous[0], None)
            self._by_descriptor[descriptor] = (folder, number)
            self._by_key[folder] = descriptor

    def _forget(self, key: str) -> None:
        """Drop the watches at and below `key`, whose events would carry a name of the past."""
        with self._lock:
            below = key + "/"
            keys = [k for k in self._by_key if not key or k == key or k.startswith(below)]
            dropped = [self._by_key[k] for k in keys]
            pairs = [(d, self._by_descriptor[d][1]) for d in dropped]
            for descriptor in dropped:
                self._forget_descriptor(descriptor)
            self._inotify.remove_callbacks(pairs)

    def _forget_descriptor(self, descriptor: WatchDescriptor) -> None:
        folder, _ = self._by_descriptor.pop(descriptor, (None, None))
        if folder is not None and self._by_key.get(folder) == descriptor:
            del self._by_key[folder]


def _ignore(*_: object) -> None:
    """Take a late event to nowhere."""
