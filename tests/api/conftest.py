"""Installations and servers for the tests of the HTTP door."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from support.organisation import Installation, installed
from support.serving import Serving, serving


@pytest.fixture
def installation(tmp_path: Path, model_cache: Path) -> Installation:
    """A copy of the indexed organisation."""
    return installed(tmp_path / "organisation", model_cache)


@pytest.fixture
async def server(installation: Installation) -> AsyncIterator[Serving]:
    """The API over it, in this process."""
    async with serving(installation) as running:
        yield running
