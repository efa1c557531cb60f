"""Folders to run the command line in."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog
from support.shell import Shell, shell_in, write_documents


@pytest.fixture(autouse=True)
def _logging_as_it_was() -> Iterator[None]:
    """A command that runs in this process points the logs at a stream that ends with its test."""
    yield
    structlog.reset_defaults()


@pytest.fixture
def shell(tmp_path: Path, model_cache: Path) -> Shell:
    """An empty folder."""
    return shell_in(tmp_path, model_cache)


@pytest.fixture(scope="module")
def indexed(tmp_path_factory: pytest.TempPathFactory, model_cache: Path) -> Shell:
    """A folder that was initialised and indexed once for the module; tests may not change it."""
    folder = tmp_path_factory.mktemp("indexed")
    made = shell_in(folder, model_cache)
    write_documents(folder)
    made.ok("init")
    made.ok("sync")
    return made
