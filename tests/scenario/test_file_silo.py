"""A folder of files, the real watcher, and everything that happens on shares."""

import asyncio
import errno
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Literal

import pytest
from watchdog.observers.inotify_c import InotifyConstants, InotifyEvent, InotifyFD, WatchDescriptor

from connectors.kit.connector import EVERYTHING, Hint
from connectors.kit.folder import to_key, to_name
from connectors.kit.globs import AccessRules
from connectors.kit.inotify import TreeWatcher
from connectors.kit.pending import PendingHints
from connectors.sources.files import FileSilo, FileSiloOptions, media_type, settled
from rag.domain.document import DocumentRef, RawDocument
from rag.domain.errors import DocumentGone, SiloDenied, SiloUnavailable, TooLarge
from rag.domain.ids import SiloId
from rag.testing.conformance import CHECKS, DEADLINE_S, Check, Mirror

SILO = SiloId("share")


def file_silo(
    root: Path,
    *,
    watch: Literal["auto", "events", "polling"] = "events",
    poll_interval_s: float = 0.05,
    max_bytes: int = 1_000_000,
    access: AccessRules | None = None,
) -> FileSilo:
    return FileSilo(
        FileSiloOptions(
            silo=SILO,
            root=root,
            watch=watch,
            poll_interval_s=poll_interval_s,
            max_bytes=max_bytes,
            access=access or AccessRules(open_to_all=True),
        )
    )


class FileHarness:
    """Edits a folder; what it makes partial is a file system loop that nobody can list."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.connector = file_silo(root)
        self._aside = root.with_name("aside")
        self._shut: Path | None = None

    @property
    def hostile_keys(self) -> Sequence[str]:
        return (
            "line\nbreak.txt",
            "tab\tand space .txt",
            "n" * 251 + ".txt",
            "caf\u00e9.txt",
            "cafe\u0301.txt",
            to_key(os.fsdecode(b"not utf-8 \xff\xfe.txt")),
            to_key("private use \uefff.txt"),
            to_key(os.fsdecode(b"folder \xe4/\xfc.txt")),
            "Case.txt",
            "case.txt",
            "-rf",
            "CON",
            "quote'\"`$(x).txt",
            "back\\slash.txt",
            "\u202egnp.txt",
            "a b/c%20d/#?&.txt",
            "*/[a]/?.txt",
            "/".join(["deep"] * 60) + "/x.txt",
        )

    async def write(self, key: str, data: bytes) -> None:
        path = self.root / to_name(key)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)

    async def rename(self, key: str, to: str) -> None:
        (self.root / to).parent.mkdir(parents=True, exist_ok=True)
        os.replace(self.root / key, self.root / to)

    async def remove(self, key: str) -> None:
        (self.root / to_name(key)).unlink()

    async def make_partial(self, key: str) -> None:
        self._shut = (self.root / to_name(key)).parent
        BROKEN.add(self._shut.name)

    async def make_whole(self) -> None:
        BROKEN.clear()

    async def vanish(self) -> None:
        self.root.rename(self._aside)

    async def return_back(self) -> None:
        self._aside.rename(self.root)


BROKEN: set[str] = set()


@pytest.fixture(autouse=True)
def _broken_folders(monkeypatch: pytest.MonkeyPatch) -> None:
    """Folders named in BROKEN cannot be opened, as on a failing disk (root reads all else)."""
    real_open = os.open
    BROKEN.clear()

    def failing(path: str, flags: int, *args: int, **options: int) -> int:
        if path in BROKEN:
            raise OSError(5, "Input/output error")
        return real_open(path, flags, *args, **options)

    monkeypatch.setattr("connectors.kit.folder.os.open", failing)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    folder = tmp_path / "share"
    folder.mkdir()
    return folder


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
async def test_conformance(check: Check, root: Path) -> None:
    await check(FileHarness(root))


# --- what happens on shares ---------------------------------------------------------------------


async def test_atomic_save_arrives_and_leaves_no_temporary(root: Path) -> None:
    (root / "a.txt").write_text("old")
    async with Mirror(file_silo(root)) as mirror:
        for text in (b"new", b"newer"):
            (root / ".a.txt.tmp").write_bytes(text)
            os.replace(root / ".a.txt.tmp", root / "a.txt")
            await mirror.until({"a.txt": text}, why="an atomic save arrives")


async def test_file_moved_between_folders_and_out_and_in(root: Path, tmp_path: Path) -> None:
    (root / "one").mkdir()
    (root / "two").mkdir()
    (root / "one" / "a.txt").write_text("x")
    async with Mirror(file_silo(root)) as mirror:
        os.replace(root / "one" / "a.txt", root / "two" / "a.txt")
        await mirror.until({"two/a.txt": b"x"}, why="it moved")
        os.replace(root / "two" / "a.txt", tmp_path / "a.txt")
        await mirror.until({}, why="it moved out")
        os.replace(tmp_path / "a.txt", root / "one" / "b.txt")
        await mirror.until({"one/b.txt": b"x"}, why="it moved in")


async def test_folder_moved_in_is_read_and_watched(root: Path, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    (outside / "deep" / "er").mkdir(parents=True)
    (outside / "deep" / "er" / "a.txt").write_text("x")
    async with Mirror(file_silo(root)) as mirror:
        outside.rename(root / "inside")
        await mirror.until({"inside/deep/er/a.txt": b"x"}, why="the folder came with its file")
        (root / "inside" / "deep" / "er" / "b.txt").write_text("y")
        await mirror.until(
            {"inside/deep/er/a.txt": b"x", "inside/deep/er/b.txt": b"y"}, why="it is watched"
        )


async def test_renamed_folder_is_watched_under_its_new_name(root: Path) -> None:
    (root / "old" / "deep").mkdir(parents=True)
    (root / "old" / "deep" / "a.txt").write_text("x")
    async with Mirror(file_silo(root)) as mirror:
        (root / "old").rename(root / "new")
        await mirror.until({"new/deep/a.txt": b"x"}, why="the folder moved")
        (root / "new" / "deep" / "a.txt").write_text("y")
        await mirror.until({"new/deep/a.txt": b"y"}, why="it is watched under its new name")
        shutil.rmtree(root / "new")
        await mirror.until({}, why="the folder went")


async def test_nested_folders_made_at_once_are_all_watched(root: Path) -> None:
    async with Mirror(file_silo(root)) as mirror:
        expected = {}
        for i in range(100):
            folder = root / f"{i}" / "a" / "b" / "c"
            folder.mkdir(parents=True)
            (folder / "x.txt").write_bytes(b"%d" % i)
            expected[f"{i}/a/b/c/x.txt"] = b"%d" % i
        await mirror.until(expected, why="no folder slips through")


async def test_burst_of_3000_files_is_followed_by_merged_hints(root: Path) -> None:
    silo, pending = file_silo(root), PendingHints()
    await silo.watch(pending.add)
    for i in range(3_000):
        (root / f"{i}.txt").write_bytes(b"x")
    keys: set[str] = set()
    async with asyncio.timeout(DEADLINE_S):
        while len(keys) < 3_000:
            hints = await pending.settled()
            assert len(hints) <= 3_000
            keys |= {hint.key for hint in hints}
    await silo.unwatch()
    assert keys == {f"{i}.txt" for i in range(3_000)}


async def test_edit_that_keeps_size_and_mtime_is_seen(root: Path) -> None:
    path = root / "a.txt"
    path.write_text("one")
    before = path.stat()
    silo = file_silo(root)
    first = (await silo.listing()).entries
    path.write_text("two")
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert path.stat().st_mtime_ns == before.st_mtime_ns
    assert (await silo.listing()).entries != first


@pytest.mark.parametrize(
    ("age_ns", "changed_ns", "racy"),
    [
        (1_000_000, 123, True),
        (30_000_000, 123, False),
        (-5_000_000_000, 123, False),
        (1_000_000_000, 0, True),
        (3_000_000_000, 0, False),
    ],
)
def test_signature_within_one_tick_of_the_disk_is_spoilt(
    monkeypatch: pytest.MonkeyPatch, age_ns: int, changed_ns: int, racy: bool
) -> None:
    changed_ns += 1_700_000_000_000_000_000
    monkeypatch.setattr("connectors.sources.files.time.time_ns", lambda: changed_ns + age_ns)
    assert settled("1:2:3:4", changed_ns) == ("1:2:3:4:racy" if racy else "1:2:3:4")


# --- links ----------------------------------------------------------------------------------------


async def test_links_stay_inside_and_loops_end(root: Path, tmp_path: Path) -> None:
    (tmp_path / "secret.txt").write_text("outside")
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "b.txt").write_text("outside")
    (root / "folder").mkdir()
    (root / "folder" / "a.txt").write_text("x")
    (root / ".hidden.txt").write_text("hidden")
    (root / "alias.txt").symlink_to("folder/a.txt")
    (root / "folder" / "up").symlink_to(root)
    (root / "self").symlink_to("self")
    (root / "out.txt").symlink_to(tmp_path / "secret.txt")
    (root / "outfolder").symlink_to(tmp_path / "outside")
    (root / "dangling").symlink_to("nowhere")
    (root / "unhidden.txt").symlink_to(".hidden.txt")
    silo = file_silo(root)
    listing = await silo.listing()
    assert listing.complete
    assert set(listing.entries) == {"folder/a.txt", "alias.txt"}
    assert (await fetch(silo, "alias.txt")).data == b"x"
    for key in (
        "out.txt",
        "self",
        "dangling",
        "unhidden.txt",
        "outfolder/b.txt",
        "folder/up/alias.txt",
    ):
        with pytest.raises(DocumentGone):
            await fetch(silo, key)


async def test_link_gives_no_more_access_than_its_target(root: Path) -> None:
    rules = AccessRules(rules=(("public/**", ("*",)), ("hr/**", ("hr",))))
    (root / "public").mkdir()
    (root / "hr").mkdir()
    (root / "hr" / "pay.txt").write_text("x")
    (root / "public" / "pay.txt").symlink_to("../hr/pay.txt")
    raw = await fetch(file_silo(root, access=rules), "public/pay.txt")
    assert raw.access.groups == {"hr"}


async def test_link_that_cannot_be_followed_now_is_not_gone(root: Path) -> None:
    (root / "folder").mkdir()
    (root / "folder" / "a.txt").write_text("x")
    (root / "alias.txt").symlink_to("folder/a.txt")
    silo = file_silo(root)
    BROKEN.add("folder")
    listing = await silo.listing("alias.txt")
    assert not listing.complete
    assert "alias.txt" in listing.detail
    with pytest.raises(SiloUnavailable):
        await fetch(silo, "alias.txt")


async def test_edit_of_a_target_hints_at_its_links(root: Path) -> None:
    (root / "a.txt").write_text("one")
    (root / "alias.txt").symlink_to("a.txt")
    async with Mirror(file_silo(root)) as mirror:
        (root / "a.txt").write_text("two!")
        await mirror.until({"a.txt": b"two!", "alias.txt": b"two!"}, why="both are new")


# --- what cannot be read --------------------------------------------------------------------------


async def test_special_files_are_no_documents(root: Path) -> None:
    os.mkfifo(root / "fifo")
    (root / "a.txt").write_text("x")
    with socket.socket(socket.AF_UNIX) as door:
        here = Path.cwd()
        os.chdir(root)  # the name of a socket has 108 bytes at most
        try:
            door.bind("socket")
        finally:
            os.chdir(here)
        silo = file_silo(root)
        listing = await silo.listing()
        assert listing.complete
        assert set(listing.entries) == {"a.txt"}
        for key in ("fifo", "socket"):
            assert not (await silo.listing(key)).entries
            with pytest.raises(DocumentGone):
                await fetch(silo, key)


async def test_too_large_is_refused_until_the_limit_is_raised(root: Path) -> None:
    (root / "a.txt").write_bytes(b"x" * 100)
    small, large = file_silo(root, max_bytes=99), file_silo(root, max_bytes=100)
    with pytest.raises(TooLarge):
        await fetch(small, "a.txt")
    assert (await fetch(large, "a.txt")).data == b"x" * 100
    assert (await small.listing()).entries != (await large.listing()).entries


async def test_changed_access_rules_make_a_new_signature(root: Path) -> None:
    (root / "a.txt").write_text("x")
    before = file_silo(root, access=AccessRules(rules=(("**", ("staff",)),)))
    after = file_silo(root, access=AccessRules(rules=(("**", ("hr",)),)))
    assert (await before.listing()).entries != (await after.listing()).entries


AS_NOBODY = """
import asyncio, concurrent.futures.thread, os, sys
from pathlib import Path
import connectors.kit.inotify
from connectors.sources.files import FileSilo, FileSiloOptions
from rag.domain.document import DocumentRef
from rag.domain.errors import SiloDenied

if os.getuid() == 0:  # root may read everything, so somebody else must try
    os.setgroups([])
    os.setgid(65534)
    os.setuid(65534)

async def main():
    silo = FileSilo(FileSiloOptions(silo="share", root=Path(sys.argv[1]), watch="events"))
    await silo.watch(print)
    listing = await silo.listing()
    assert not listing.complete and "'shut'" in listing.detail, listing
    assert set(listing.entries) == {"open.txt", "denied.txt"}, listing
    part = await silo.listing("shut/b.txt")
    assert not part.complete, part
    for key in ("denied.txt", "shut/b.txt"):
        try:
            await silo.fetch(DocumentRef(silo="share", key=key, signature=""))
        except SiloDenied:
            continue
        raise AssertionError(key)
    assert silo.healthy
    await silo.unwatch()

asyncio.run(main())
"""


async def test_unreadable_file_and_folder() -> None:
    # Not below tmp_path, whose folders are closed to other users.
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        root.chmod(0o755)
        (root / "shut").mkdir()
        (root / "shut2").mkdir()
        (root / "shut" / "b.txt").write_text("x")
        (root / "open.txt").write_text("x")
        (root / "denied.txt").write_text("x")
        for name in ("denied.txt", "shut", "shut2"):
            (root / name).chmod(0)
        done = await asyncio.to_thread(
            subprocess.run,
            [sys.executable, "-c", AS_NOBODY, folder],
            capture_output=True, text=True, timeout=30, check=False,
        )  # fmt: skip
    assert done.returncode == 0, done.stderr


async def test_file_that_keeps_changing_is_unavailable(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = root / "a.txt"
    path.write_text("x")
    silo = file_silo(root)
    real_pread = os.pread

    def growing(descriptor: int, size: int, at: int) -> bytes:
        with path.open("a") as file:
            file.write("x")
        return real_pread(descriptor, size, at)

    monkeypatch.setattr("connectors.sources.files.os.pread", growing)
    with pytest.raises(SiloUnavailable):
        await fetch(silo, "a.txt")


@pytest.mark.parametrize(
    ("number", "kind"),
    [
        (5, SiloUnavailable),
        (116, SiloUnavailable),
        (24, SiloUnavailable),
        (1, SiloDenied),
        (13, SiloDenied),
    ],
)
async def test_errors_of_the_disk_become_ours(
    root: Path, monkeypatch: pytest.MonkeyPatch, number: int, kind: type[Exception]
) -> None:
    (root / "a.txt").write_text("x")
    silo = file_silo(root)

    def failing(*_: object) -> bytes:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr("connectors.sources.files.os.pread", failing)
    with pytest.raises(kind):
        await fetch(silo, "a.txt")


# --- the root -------------------------------------------------------------------------------------


async def test_replaced_root_is_not_an_empty_silo(root: Path, tmp_path: Path) -> None:
    (root / "a.txt").write_text("x")
    silo = file_silo(root)
    await silo.listing()
    root.rename(tmp_path / "aside")
    root.mkdir()
    listing = await silo.listing()
    assert not listing.complete
    assert "another folder" in listing.detail
    with pytest.raises(SiloUnavailable):
        await fetch(silo, "a.txt")
    root.rmdir()
    (tmp_path / "aside").rename(root)
    assert (await silo.listing()).complete


async def test_missing_root_is_unavailable(tmp_path: Path) -> None:
    silo = file_silo(tmp_path / "nowhere")
    assert not (await silo.listing()).complete
    with pytest.raises(SiloUnavailable):
        await silo.watch(lambda _: None)
    assert not silo.healthy


async def test_root_that_goes_makes_the_watcher_unhealthy(root: Path, tmp_path: Path) -> None:
    silo, pending = file_silo(root), PendingHints()
    await silo.watch(pending.add)
    root.rename(tmp_path / "aside")
    await until(lambda: not silo.healthy)
    async with asyncio.timeout(DEADLINE_S):
        assert EVERYTHING in await pending.settled()
    (tmp_path / "aside").rename(root)
    await silo.watch(pending.add)
    assert silo.healthy
    await silo.unwatch()
    assert not silo.healthy


# --- the watcher ----------------------------------------------------------------------------------


async def test_killed_observer_is_unhealthy(root: Path) -> None:
    silo = file_silo(root)
    await silo.watch(lambda _: None)
    assert silo.healthy
    watching = silo._watching
    assert watching is not None
    (tree,) = watching.watchers
    assert isinstance(tree, TreeWatcher)
    tree._inotify.stop()
    await until(lambda: not silo.healthy)
    await silo.unwatch()


async def test_raising_hint_does_not_kill_the_observer(root: Path) -> None:
    silo = file_silo(root)
    seen: list[Hint] = []

    def raising(hint: Hint) -> None:
        seen.append(hint)
        if len(seen) == 1:
            raise RuntimeError("a bug in the receiver")

    await silo.watch(raising)
    (root / "a.txt").write_text("x")
    await until(lambda: EVERYTHING in seen)
    (root / "b.txt").write_text("x")
    await until(lambda: Hint(key="b.txt") in seen)
    assert silo.healthy
    await silo.unwatch()


async def test_lost_events_mean_everything_and_the_watch_goes_on(root: Path) -> None:
    silo, seen = file_silo(root), list[Hint]()
    (root / "folder").mkdir()
    await silo.watch(seen.append)
    watching = silo._watching
    assert watching is not None
    (tree,) = watching.watchers
    assert isinstance(tree, TreeWatcher)
    overflow = InotifyEvent(WatchDescriptor(-1), InotifyConstants.IN_Q_OVERFLOW, 0, b"")
    await asyncio.to_thread(tree._inotify.handle_event, overflow)
    assert EVERYTHING in seen
    (root / "folder" / "a.txt").write_text("x")
    await until(lambda: Hint(key="folder/a.txt") in seen)
    assert silo.healthy
    await silo.unwatch()


async def test_reading_a_share_makes_no_hints(root: Path) -> None:
    (root / "folder").mkdir()
    (root / "folder" / "a.txt").write_text("x")
    silo, seen = file_silo(root), list[Hint]()
    await silo.watch(seen.append)
    for _ in range(5):
        await silo.listing()
        await fetch(silo, "folder/a.txt")
    (root / "end.txt").write_text("x")
    await until(lambda: Hint(key="end.txt") in seen)
    assert {hint.key for hint in seen} == {"end.txt"}
    await silo.unwatch()


async def test_polling_notices_without_events(root: Path) -> None:
    silo = file_silo(root, watch="polling")
    async with Mirror(silo) as mirror:
        assert "polling" in silo.detail
        (root / "a.txt").write_text("x")
        await mirror.until({"a.txt": b"x"}, why="polling notices")


class WatchLimit:
    """A system whose watches are used up for folders of this name."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, name: bytes) -> None:
        self.name = name
        real_add = InotifyFD.add_callback

        def add(fd: InotifyFD, path: bytes, *rest: Any) -> WatchDescriptor:
            if path.endswith(self.name):
                raise OSError(errno.ENOSPC, "inotify watch limit reached")
            return real_add(fd, path, *rest)

        monkeypatch.setattr(InotifyFD, "add_callback", add)


async def test_no_watches_left_falls_back_to_polling(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (root / "folder").mkdir()
    limit = WatchLimit(monkeypatch, b"")
    for name, detail in ((b"share", "polling"), (b"folder", "events and polling")):
        limit.name = name
        silo = file_silo(root)
        async with Mirror(silo) as mirror:
            assert silo.detail.startswith(detail)
            (root / "folder" / "a.txt").write_bytes(name)
            await mirror.until({"folder/a.txt": name}, why="the timer notices")
            assert silo.healthy


async def test_no_watches_left_later_is_unhealthy(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    WatchLimit(monkeypatch, b"late")
    silo = file_silo(root)
    await silo.watch(lambda _: None)
    assert silo.detail == "events"
    (root / "late").mkdir()
    await until(lambda: not silo.healthy)
    await silo.watch(lambda _: None)
    assert silo.detail.startswith("events and polling")
    assert silo.healthy
    await silo.unwatch()


async def test_folder_closed_and_opened_again_is_watched(root: Path) -> None:
    (root / "folder").mkdir()
    silo, seen = file_silo(root), list[Hint]()
    await silo.watch(seen.append)
    (root / "folder").chmod(0)
    (root / "folder").chmod(0o755)
    await until(lambda: Hint(key="folder", subtree=True) in seen)
    (root / "folder" / "a.txt").write_text("x")
    await until(lambda: Hint(key="folder/a.txt") in seen)
    assert EVERYTHING not in seen
    await silo.unwatch()


async def test_watching_leaves_nothing_open(root: Path) -> None:
    (root / "folder").mkdir()
    silo = file_silo(root)

    async def use() -> None:
        await silo.watch(lambda _: None)
        await silo.listing()
        await silo.unwatch()

    await use()
    n_open, n_threads = len(os.listdir("/proc/self/fd")), threading.active_count()
    for _ in range(5):
        await use()
    assert len(os.listdir("/proc/self/fd")) <= n_open
    assert threading.active_count() <= n_threads + 5  # the pool of the event loop may grow


# --- details --------------------------------------------------------------------------------------


async def test_fetched_document_describes_itself(root: Path) -> None:
    (root / "a b.md").write_text("x")
    os.utime(root / "a b.md", ns=(0, -1_000_000_000))
    raw = await fetch(file_silo(root), "a b.md")
    assert raw.uri == f"file://{root}/a%20b.md"
    assert raw.media_type == "text/markdown"
    assert raw.modified_at.isoformat() == "1969-12-31T23:59:59+00:00"
    assert raw.access.groups == {"*"}


@pytest.mark.parametrize(
    ("key", "expected"),
    [
        ("a.DOCX", "application/vnd.openxmlformats-officedocument.wordprocessingml.document"),
        ("x/a.pdf", "application/pdf"),
        ("a.tar.gz", "application/gzip"),
        ("README", "application/octet-stream"),
        ("a.html", "text/html"),
        ("http:/a.txt", "text/plain"),
    ],
)
def test_media_type_is_by_name(key: str, expected: str) -> None:
    assert media_type(key) == expected


async def fetch(silo: FileSilo, key: str) -> RawDocument:
    return await silo.fetch(DocumentRef(silo=SILO, key=key, signature=""))


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(DEADLINE_S):
        while not condition():
            await asyncio.sleep(0.005)
