"""Connectors by the kind that a setting names."""

from pathlib import Path

import pytest

from connectors.registry import build_connector
from connectors.sources.files import FileSilo
from rag.domain.document import DocumentRef
from rag.domain.errors import ConfigError
from rag.domain.ids import SiloId
from rag.settings import AccessRule, SiloSettings


async def test_files_are_built_from_settings(tmp_path: Path) -> None:
    (tmp_path / "a.md").write_text("x")
    (tmp_path / "b.txt").write_text("x")
    settings = SiloSettings(
        id="share", kind="files", root=tmp_path, include=("**/*.md",),
        access=(AccessRule(glob="**", groups=("staff",)),),
    )  # fmt: skip
    connector = build_connector(settings)
    assert isinstance(connector, FileSilo)
    assert connector.silo == "share"
    assert set((await connector.listing()).entries) == {"a.md"}
    raw = await connector.fetch(DocumentRef(silo=SiloId("share"), key="a.md", signature=""))
    assert raw.access.groups == {"staff"}


def test_unknown_kind_says_which_are_known(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"'fax'.*files"):
        build_connector(SiloSettings(id="share", kind="fax", root=tmp_path))
