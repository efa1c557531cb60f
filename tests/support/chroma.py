"""Chroma's own server for tests: started, killed and started again on the same folder and port."""

import asyncio
import os
import signal
import subprocess
import threading
from collections.abc import Awaitable, Callable
from pathlib import Path

import chromadb
from chromadb.config import Settings as ChromaSettings

from api.supervisor import chroma_command, free_port, wait_for_port
from rag.adapters.chroma import ChromaIndex, collection_name
from rag.adapters.store.catalog_writer import SqlCatalogWriter
from rag.domain.ids import Digest


class ChromaServer:
    """One `chroma run` on loopback."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.port = free_port()
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start and wait until it listens."""
        self.spawn()
        thread = threading.Thread(target=lambda: asyncio.run(wait_for_port(self.port)))
        thread.start()
        thread.join()

    def spawn(self) -> None:
        """Start without waiting."""
        self.folder.mkdir(parents=True, exist_ok=True)
        with (self.folder.parent / f"{self.folder.name}.log").open("ab") as output:
            self._process = subprocess.Popen(
                chroma_command(self.folder, self.port),
                stdin=subprocess.DEVNULL, stdout=output, stderr=output,
            )  # fmt: skip

    def kill(self) -> None:
        """SIGKILL, and wait until it is gone."""
        if self._process is not None:
            os.kill(self._process.pid, signal.SIGKILL)
            self._process.wait()
            self._process = None

    def client(self) -> chromadb.ClientAPI:
        """A client of its own, for what a test does behind our back."""
        settings = ChromaSettings(anonymized_telemetry=False)
        return chromadb.HttpClient(host="127.0.0.1", port=self.port, settings=settings)

    def index(self, name: Callable[[], Awaitable[str]]) -> ChromaIndex:
        """Our adapter on it."""
        return ChromaIndex("127.0.0.1", self.port, name, create=True)


def collection_of(catalog: SqlCatalogWriter, model: Digest) -> Callable[[], Awaitable[str]]:
    """The name of the collection of a catalog, asked each time as `rag.wiring` does."""

    async def name() -> str:
        catalog_id, build = await catalog.meta("catalog_id"), await catalog.meta("index_build")
        return collection_name(str(catalog_id), model, str(build))

    return name
