"""The port `VectorIndex`: one suite for the fake and for Chroma."""

import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support.chroma import ChromaServer
from support.house import MEMORY

from rag.adapters.chroma import ChromaIndex, collection_name
from rag.domain.errors import StoreUnavailable
from rag.domain.ids import ChunkId, digest_text
from rag.testing.fakes import MemoryVectorIndex

DIMENSION = 16


@pytest.fixture(scope="module")
def server() -> Iterator[ChromaServer]:
    with tempfile.TemporaryDirectory(dir=MEMORY) as folder:
        chroma = ChromaServer(Path(folder) / "data")
        chroma.start()
        yield chroma
        chroma.kill()


@pytest.fixture(params=["fake", "chroma"])
async def index(request: pytest.FixtureRequest) -> AsyncIterator[Any]:
    if request.param == "fake":
        yield MemoryVectorIndex()
        return
    server = request.getfixturevalue("server")
    name = collection_name(digest_text(request.node.name)[-16:], digest_text("model"), "1")

    async def current() -> str:
        return name

    chroma = server.index(current)
    yield chroma
    await chroma.aclose()


def unit(seed: int) -> bytes:
    vector = np.random.default_rng(seed).normal(size=DIMENSION).astype("<f4")
    return (vector / np.linalg.norm(vector)).astype("<f4").tobytes()


def cosine(a: bytes, b: bytes) -> float:
    return float(np.frombuffer(a, "<f4") @ np.frombuffer(b, "<f4"))


async def test_nearest_is_best_first_by_cosine_similarity(index: Any) -> None:
    held = {ChunkId(i): unit(i) for i in range(1, 60)}
    await index.add(held)
    found = await index.nearest(unit(7), 10)
    exact = sorted(held, key=lambda i: -cosine(held[i], unit(7)))[:10]
    assert list(found) == exact
    assert found[ChunkId(7)] == pytest.approx(1.0, abs=1e-4)
    for i, score in found.items():
        assert score == pytest.approx(cosine(held[i], unit(7)), abs=1e-3)


async def test_ids_that_are_there_keep_their_vector(index: Any) -> None:
    await index.add({ChunkId(1): unit(1)})
    await index.add({ChunkId(1): unit(2), ChunkId(2): unit(3)})
    assert await index.ids() == {1, 2}
    kept = np.frombuffer((await index.vectors([ChunkId(1)]))[ChunkId(1)], "<f4")
    assert np.allclose(kept, np.frombuffer(unit(1), "<f4"), atol=1e-6)


async def test_deleted_ids_are_not_found_and_unknown_ones_are_no_error(index: Any) -> None:
    await index.add({ChunkId(i): unit(i) for i in (1, 2, 3)})
    await index.delete([ChunkId(2), ChunkId(99)])
    assert set(await index.nearest(unit(2), 10)) == {1, 3}
    assert await index.ids() == {1, 3}
    assert set(await index.vectors([ChunkId(1), ChunkId(2)])) == {1}


async def test_empty_calls_and_an_empty_index_are_no_error(index: Any) -> None:
    await index.add({})
    await index.delete([])
    assert await index.nearest(unit(1), 5) == {}
    assert await index.ids() == set()
    await index.ping()


async def test_deleting_and_listing_many_goes_in_batches(index: Any) -> None:
    for start in range(0, 1200, 400):
        await index.add({ChunkId(i): unit(i) for i in range(start, start + 400)})
    assert len(await index.ids()) == 1200
    await index.delete([ChunkId(i) for i in range(1100)])
    assert await index.ids() == set(range(1100, 1200))


# --- Chroma alone ---------------------------------------------------------------------------------


async def test_chroma_that_is_not_there_is_unavailable() -> None:
    async def name() -> str:
        return "sworn-nobody-model-1"

    index = ChromaIndex("127.0.0.1", 9, name, create=True)
    for work in (
        index.ping(),
        index.ids(),
        index.nearest(unit(1), 3),
        index.add({ChunkId(1): unit(1)}),
    ):
        with pytest.raises(StoreUnavailable) as caught:
            await work
        assert caught.value.retryable
    await index.aclose()


async def test_a_reader_makes_no_collection(server: ChromaServer) -> None:
    async def name() -> str:
        return "sworn-absent-model-1"

    index = ChromaIndex("127.0.0.1", server.port, name, create=False)
    with pytest.raises(StoreUnavailable):
        await index.nearest(unit(1), 3)
    assert "sworn-absent-model-1" not in [c.name for c in server.client().list_collections()]
    await index.aclose()


async def test_chroma_that_comes_back_is_used_again_with_what_it_had(
    request: pytest.FixtureRequest,
) -> None:
    async def name() -> str:
        return "sworn-again-model-1"

    with tempfile.TemporaryDirectory(dir=MEMORY) as folder:
        server = ChromaServer(Path(folder) / "data")
        request.addfinalizer(server.kill)
        server.start()
        index = server.index(name)
        await index.add({ChunkId(i): unit(i) for i in range(20)})
        server.kill()
        with pytest.raises(StoreUnavailable):
            await index.nearest(unit(1), 3)
        server.start()
        assert next(iter(await index.nearest(unit(1), 3))) == 1
        await index.add({ChunkId(100): unit(100)})
        assert len(await index.ids()) == 21
        await index.aclose()
        server.kill()


async def test_collections_of_other_catalogs_models_and_builds_have_other_names() -> None:
    names = {
        collection_name(catalog, digest_text(model), build)
        for catalog in ("a1", "b2") for model in ("m", "n") for build in ("1", "2")
    }  # fmt: skip
    assert len(names) == 8
