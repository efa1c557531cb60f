"""The vector index: a Chroma server on loopback that holds ids and vectors, nothing else.

Chroma lives in its own process: its embedded form holds Python's interpreter lock while it
writes, and a second process goes on seeing what another has deleted. Ids are never reused, so
nothing there is updated in place. `where` filters are never used: the catalog filters.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any, Final, TypeVar

import numpy as np

from rag.domain.errors import StoreUnavailable
from rag.domain.ids import ChunkId, Digest

BATCH_MAX: Final = 500
QUERY_TIMEOUT_S: Final = 2.0
WRITE_TIMEOUT_S: Final = 60.0
# Neighbours looked at per step, at building and asking; measured in eval/bench (recall).
_HNSW: Final = {"space": "cosine", "ef_construction": 200, "ef_search": 250, "max_neighbors": 32}

_PAGE: Final = 5000

T = TypeVar("T")


def collection_name(catalog_id: str, model: Digest, build: str) -> str:
    """One collection per catalog, embedding model and build: vectors of two never mix."""
    return f"sworn-{catalog_id}-{model.removeprefix('sha256:')[:8]}-{build}"


class ChromaIndex:
    """Implements the port `VectorIndex`.

    `name` is asked whenever the collection has to be found, since a rebuild changes it.
    """

    def __init__(
        self, host: str, port: int, name: Callable[[], Awaitable[str]], *, create: bool
    ) -> None:
        self._address = (host, port)
        self._name = name
        self._create = create
        self._threads = ThreadPoolExecutor(2, thread_name_prefix="chroma")
        self._client: Any = None
        self._collection: Any = None

    async def add(self, vectors: Mapping[ChunkId, bytes]) -> None:
        if not vectors:
            return
        ids = [str(i) for i in vectors]
        rows = np.stack([np.frombuffer(v, dtype="<f4") for v in vectors.values()])
        await self._call(lambda c: c.add(ids=ids, embeddings=rows), WRITE_TIMEOUT_S)

    async def delete(self, chunks: Sequence[ChunkId]) -> None:
        for start in range(0, len(chunks), BATCH_MAX):
            ids = [str(i) for i in chunks[start : start + BATCH_MAX]]
            await self._call(partial(_delete, ids), WRITE_TIMEOUT_S)

    async def nearest(self, vector: bytes, limit: int) -> Mapping[ChunkId, float]:
        query = [np.frombuffer(vector, dtype="<f4")]
        found = await self._call(
            lambda c: c.query(query_embeddings=query, n_results=limit, include=["distances"]),
            QUERY_TIMEOUT_S,
        )
        pairs = zip(found["ids"][0], found["distances"][0], strict=True)
        return {ChunkId(int(i)): 1.0 - float(distance) for i, distance in pairs}

    async def ping(self) -> None:
        await self._call(lambda c: c.count(), QUERY_TIMEOUT_S)

    async def ids(self) -> set[ChunkId]:
        """Every id that the collection holds."""
        held: set[ChunkId] = set()
        while True:
            offset = len(held)
            page = await self._call(
                partial(_page_of_ids, offset),
                WRITE_TIMEOUT_S,
            )
            held.update(ChunkId(int(i)) for i in page)
            if len(page) < _PAGE:
                return held

    async def vectors(self, chunks: Sequence[ChunkId]) -> dict[ChunkId, bytes]:
        """The vectors held for `chunks`; ids that are not there are missing in the result."""
        held: dict[ChunkId, bytes] = {}
        for start in range(0, len(chunks), BATCH_MAX):
            ids = [str(i) for i in chunks[start : start + BATCH_MAX]]
            found = await self._call(partial(_embeddings, ids), WRITE_TIMEOUT_S)
            for i, row in zip(found["ids"], found["embeddings"], strict=True):
                held[ChunkId(int(i))] = np.asarray(row, dtype="<f4").tobytes()
        return held

    async def drop_others(self) -> None:
        """Delete the same catalog's other collections."""
        name = await self._name()
        ours = name.rsplit("-", 2)[0] + "-"

        def drop(_: Any) -> None:
            for other in self._client.list_collections():
                if other.name.startswith(ours) and other.name != name:
                    self._client.delete_collection(other.name)

        await self._call(drop, WRITE_TIMEOUT_S)

    def forget_collection(self) -> None:
        """Look the collection up again at the next call."""
        self._collection = None

    async def aclose(self) -> None:
        """Let calls in flight finish."""
        await asyncio.get_running_loop().run_in_executor(None, self._threads.shutdown)

    async def _call(self, work: Callable[[Any], T], timeout_s: float) -> T:
        name = await self._name()
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(timeout_s):
                return await loop.run_in_executor(self._threads, self._with_collection, name, work)
        except TimeoutError as exc:
            raise StoreUnavailable(f"Chroma did not answer within {timeout_s:g} s") from exc
        except Exception as exc:
            self._collection = None
            raise StoreUnavailable(f"Chroma: {type(exc).__name__}: {exc}") from exc

    def _with_collection(self, name: str, work: Callable[[Any], T]) -> T:
        collection = self._collection
        if collection is None or collection.name != name:
            collection = self._collection = self._open(name)
        return work(collection)

    def _open(self, name: str) -> Any:
        if self._client is None:
            # Imported where it is used: it costs a second, and readiness need not wait for it.
            import chromadb
            from chromadb.config import Settings as ChromaSettings

            host, port = self._address
            settings = ChromaSettings(anonymized_telemetry=False)
            self._client = chromadb.HttpClient(host=host, port=port, settings=settings)
        if not self._create:
            return self._client.get_collection(name, embedding_function=None)
        return self._client.get_or_create_collection(
            name, embedding_function=None, configuration={"hnsw": _HNSW}
        )


def _delete(ids: list[str], collection: Any) -> None:
    collection.delete(ids=ids)


def _page_of_ids(offset: int, collection: Any) -> list[str]:
    return list(collection.get(include=[], limit=_PAGE, offset=offset)["ids"])


def _embeddings(ids: list[str], collection: Any) -> Any:
    return collection.get(ids=ids, include=["embeddings"])
