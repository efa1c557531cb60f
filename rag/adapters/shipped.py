"""A model that Sworn ships: pinned files, an ONNX graph and its tokeniser. No torch."""

import hashlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final, TypeVar

import numpy as np
from numpy.typing import NDArray

from rag.domain.errors import ModelError, ModelUnavailable
from rag.domain.ids import Digest
from rag.domain.words import Span

GRAPH: Final = "model.onnx"
TOKENIZER: Final = "tokenizer.json"
SUMS: Final = "model.sha256"

Tokenise = Callable[[str], tuple[Sequence[int], Sequence[tuple[int, int]]]]
"""Token ids of a text without special tokens, and where each stands in it."""

CLS: Final = 101
SEP: Final = 102

M = TypeVar("M", bound=int)


def remedy_of(what: str) -> str:
    """What to do where a file of the model `what` is not right."""
    return f"restore the files of rag/models/{what}, or train the {what} again"


def checked(place: Path, what: str, names: Sequence[str]) -> Digest:
    """The model's name: the digest of its file of digests, each of which holds for its file.

    Raises:
        ModelUnavailable: a file is missing, or is not the pinned one.
    """
    try:
        listed = place.joinpath(SUMS).read_bytes()
        lines = [line.split() for line in listed.decode().splitlines()]
        pinned = {name: digest for digest, name in lines}
        for name in names:
            found = hashlib.sha256(place.joinpath(name).read_bytes()).hexdigest()
            if pinned.get(name) != found:
                raise ModelUnavailable(
                    f"the {what}'s {name} is not the pinned one", remedy=remedy_of(what)
                )
    except (OSError, ValueError) as exc:
        raise ModelUnavailable(
            f"the {what}'s model cannot be read", remedy=remedy_of(what)
        ) from exc
    return Digest(f"sha256:{hashlib.sha256(listed).hexdigest()}")


def pin(place: Path, names: Sequence[str]) -> None:
    """Write the file of digests that `checked` reads."""
    sums = [f"{hashlib.sha256((place / n).read_bytes()).hexdigest()}  {n}\n" for n in names]
    (place / SUMS).write_text("".join(sums), "utf-8")


class Graph:
    """A graph over ids and marks. Not for two threads at once."""

    def __init__(self, session: Any, tokenise: Tokenise, what: str) -> None:
        """Use `open`; this takes what was already read."""
        self._session, self._what, self.tokenise = session, what, tokenise

    @classmethod
    def open(cls, graph: Path, tokenizer: Path, what: str, *, threads: int) -> "Graph":
        """The graph and the tokeniser of two files.

        Raises:
            ModelUnavailable: the runtimes cannot read them.
        """
        import onnxruntime
        from tokenizers import Tokenizer

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        # Threads that wait in a loop would take the processor from the rest of the house.
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        try:
            session = onnxruntime.InferenceSession(
                str(graph), options, providers=["CPUExecutionProvider"]
            )
            reader = Tokenizer.from_file(str(tokenizer))
        except Exception as exc:  # the runtimes' own errors share no base class
            raise ModelUnavailable(
                f"the {what} cannot be loaded: {exc}", remedy=remedy_of(what)
            ) from exc
        reader.no_padding()
        reader.no_truncation()
        return cls(session, tokeniser(reader), what)

    def run(self, ids: NDArray[np.int64], marks: NDArray[np.int64]) -> list[NDArray[np.float32]]:
        """The outputs for one input, without the dimension of the batch.

        One at a time: int8 activations are scaled by the batch, so in company an input would be
        read a little differently. On two cores a batch is no faster.

        Raises:
            ModelError: the runtime failed.
        """
        try:
            found = self._session.run(None, {"ids": ids[None], "marks": marks[None]})
        except Exception as exc:  # the runtime's own errors share no base class
            name = type(exc).__name__
            raise ModelError(f"the {self._what}'s runtime failed: {name}") from exc
        return [output[0] for output in found]


def tokeniser(tokenizer: Any) -> Tokenise:
    """`Tokenise` of a `tokenizers.Tokenizer`, whose own padding and truncation stay unused."""

    def tokenise(text: str) -> tuple[Sequence[int], Sequence[tuple[int, int]]]:
        encoding = tokenizer.encode(text, add_special_tokens=False)
        return encoding.ids, encoding.offsets

    return tokenise


def spread(
    offsets: Sequence[tuple[int, int]], words: Sequence[tuple[Span, M]], other: M
) -> list[M]:
    """The mark of the word that each token begins in; both in order of their places."""
    marks: list[M] = []
    at = 0
    for start, _ in offsets:
        while at < len(words) and words[at][0].end <= start:
            at += 1
        inside = at < len(words) and words[at][0].start <= start
        marks.append(words[at][1] if inside else other)
    return marks
