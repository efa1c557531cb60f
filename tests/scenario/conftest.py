"""Chroma for the scenarios: one server for all that only write to collections of their own."""

from collections.abc import Iterator

import pytest
from support.chroma import ChromaServer


@pytest.fixture(scope="session")
def chroma(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ChromaServer]:
    """Chroma's own server on loopback."""
    server = ChromaServer(tmp_path_factory.mktemp("chroma") / "data")
    server.start()
    yield server
    server.kill()
