"""Noticing changes below a folder: by inotify where it works, by a timer where it does not.

Both only call `changed(key, subtree)`; the empty key with `subtree` means anything anywhere.
watchdog supplies the binding to inotify. Its own recursive emitter is not used: it holds back
what was moved out of the folder for half a second, says nothing when events were lost, and
ignores folders that it could not watch.
"""

import errno
import os
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Literal, Protocol

import structlog

from connectors.kit.folder import reason
from rag.domain.errors import SiloUnavailable

log: Final = structlog.get_logger()

Changed = Callable[[str, bool], None]
Mode = Literal["auto", "events", "polling"]

# Where another machine may change a file without this kernel knowing.
REMOTE_TYPES: Final = frozenset(
    """9p acfs afs beegfs ceph cifs coda davfs fakeowner fuse.cephfs fuse.davfs fuse.gcsfuse
    fuse.glusterfs fuse.google-drive-ocamlfuse fuse.grpcfuse fuse.juicefs fuse.rclone fuse.s3fs
    fuse.sshfs fuse.vmhgfs-fuse fuse.weed glusterfs gfs2 gpfs lustre ncpfs nfs nfs4 ocfs2
    orangefs prl_fs smb2 smb3 smbfs vboxsf virtiofs vmhgfs""".split()
)
_LIMITS: Final = frozenset({errno.ENOSPC, errno.EMFILE, errno.ENFILE, errno.ENOMEM})
_JOIN_S: Final = 5.0


class Watcher(Protocol):
    """A running watcher."""

    @property
    def healthy(self) -> bool: ...

    def stop(self) -> None: ...


class Poller:
    """Says every `interval_s` that anything may have changed."""

    def __init__(self, changed: Changed, interval_s: float) -> None:
        self._changed = changed
        self._interval_s = interval_s
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name="silo-poller", daemon=True)
        self._thread.start()

    @property
    def healthy(self) -> bool:
        return self._thread.is_alive()

    def stop(self) -> None:
        self._stopped.set()
        self._thread.join(_JOIN_S)

    def _run(self) -> None:
        while not self._stopped.wait(self._interval_s):
            try:
                self._changed("", True)
            except Exception:
                log.exception("silo.poller_failed")


@dataclass(frozen=True, slots=True, kw_only=True)
class Watching:
    """All watchers of one folder: events, a timer, or both where events reach only a part."""

    watchers: tuple[Watcher, ...]
    detail: str

    @property
    def healthy(self) -> bool:
        """Whether every watcher is alive."""
        return all(watcher.healthy for watcher in self.watchers)

    def stop(self) -> None:
        """Stop them all."""
        for watcher in self.watchers:
            watcher.stop()


def start_watching(
    root: str,
    changed: Changed,
    *,
    prunes: Callable[[str], bool],
    mode: Mode,
    poll_interval_s: float,
) -> Watching:
    """Watch the folder `root`; returns once every later change will be noticed.

    Raises:
        SiloUnavailable: the folder cannot be watched for a reason that polling would not cure.
    """
    why_not = _why_not_events(root, mode)
    if why_not:
        return _polling(changed, poll_interval_s, why_not)
    # Imported late: the binding exists on Linux only.
    from connectors.kit.inotify import TreeWatcher

    try:
        tree = TreeWatcher(root, changed, prunes)
    except OSError as error:
        if error.errno in _LIMITS:
            return _polling(changed, poll_interval_s, f"no events: {reason(error)}")
        raise SiloUnavailable(f"the root cannot be watched: {reason(error)}") from error
    if tree.n_unwatched:
        # Part of the tree stays blind: events still make the rest fast.
        return Watching(
            watchers=(tree, Poller(changed, poll_interval_s)),
            detail=f"events and polling: {tree.n_unwatched} folders over the system's watch limit",
        )
    return Watching(watchers=(tree,), detail="events")


def _polling(changed: Changed, interval_s: float, why: str) -> Watching:
    return Watching(
        watchers=(Poller(changed, interval_s),), detail=f"polling every {interval_s:g} s: {why}"
    )


def _why_not_events(root: str, mode: Mode) -> str:
    if mode == "polling":
        return "as configured"
    if not sys.platform.startswith("linux"):
        return "no events on this system"
    remote = remote_type(root) if mode == "auto" else ""
    return f"no events from {remote}" if remote else ""


def remote_type(path: str, mounts_file: str = "/proc/self/mountinfo") -> str:
    """The type of the network file system at or below `path`, empty when all is local.

    An unreadable table counts as local: reconciliation still finds what events do not tell.
    """
    try:
        with open(mounts_file, encoding="utf-8", errors="surrogateescape") as lines:
            mounts = [_mount(line) for line in lines]
    except OSError:
        return ""
    real = os.path.realpath(path)
    # The longest mount point above holds the folder; of two at one point the later covers.
    above = sorted((len(point), i) for i, (point, _) in enumerate(mounts) if _below(real, point))
    own = [mounts[i][1] for _, i in above[-1:]]
    inner = [kind for point, kind in mounts if point != real and _below(point, real)]
    return next((kind for kind in (*own, *inner) if kind in REMOTE_TYPES), "")


def _mount(line: str) -> tuple[str, str]:
    """Mount point and type of a line of mountinfo (proc(5)): octal escapes, type after ` - `."""
    head, _, tail = line.partition(" - ")
    point = head.split(" ")[4]
    for code, char in (("\\040", " "), ("\\011", "\t"), ("\\012", "\n"), ("\\134", "\\")):
        point = point.replace(code, char)
    return point, tail.split(" ")[0]


def _below(path: str, folder: str) -> bool:
    return path == folder or path.startswith(folder.rstrip("/") + "/")
