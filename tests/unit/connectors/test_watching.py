"""Where events come, and where a timer must do."""

from pathlib import Path

import pytest

from connectors.kit.watching import remote_type, start_watching

MOUNTS = r"""22 1 254:0 / / rw,relatime shared:1 - ext4 /dev/vda rw
30 22 0:40 / /srv/share rw,relatime shared:2 - cifs //server/share rw
31 22 0:41 / /srv/share/local rw - tmpfs tmpfs rw
32 22 0:42 / /mnt/with\040space rw - nfs4 server:/export rw
33 22 0:43 / /home/me/cloud rw - fuse.sshfs me@server: rw
34 22 0:44 / /srv/covered rw - nfs server:/old rw
35 34 0:45 / /srv/covered rw - ext4 /dev/vdb rw
"""


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/srv/share", "cifs"),
        ("/srv/share/deep/er", "cifs"),
        ("/srv/share/local", ""),
        ("/srv/shared", ""),
        ("/mnt/with space/a", "nfs4"),
        ("/home/me", "fuse.sshfs"),
        ("/srv/covered/a", ""),
        ("/opt", ""),
    ],
)
def test_remote_file_system_is_known_by_its_mount(tmp_path: Path, path: str, expected: str) -> None:
    table = tmp_path / "mountinfo"
    table.write_text(MOUNTS)
    assert remote_type(path, str(table)) == expected


def test_unknown_mounts_count_as_local(tmp_path: Path) -> None:
    assert remote_type("/srv", str(tmp_path / "absent")) == ""


@pytest.mark.parametrize(
    ("mode", "detail"), [("auto", "polling every 60 s: no events from nfs4"), ("events", "events")]
)
def test_auto_polls_a_remote_share(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mode: str, detail: str
) -> None:
    monkeypatch.setattr("connectors.kit.watching.remote_type", lambda _: "nfs4")
    watching = start_watching(
        str(tmp_path),
        lambda key, subtree: None,
        prunes=lambda key: False,
        mode=mode,  # type: ignore[arg-type] # a plain string of the parameters
        poll_interval_s=60,
    )
    assert watching.healthy
    watching.stop()
    assert not watching.healthy
    assert watching.detail == detail
