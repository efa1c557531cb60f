"""Chroma for the scenarios: one server for all that only write to collections of their own."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.chroma import ChromaServer
from support.house import MEMORY


@pytest.fixture(scope="session")
def chroma(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ChromaServer]:
    """Chroma's own server on loopback."""
    server = ChromaServer(tmp_path_factory.mktemp("chroma") / "data")
    server.start()
    yield server
    server.kill()


@pytest.fixture
def memory() -> Iterator[Path]:
    """A folder in memory where the system has one: a write that is made durable costs nothing."""
    with tempfile.TemporaryDirectory(dir=MEMORY) as folder:
        yield Path(folder)
