"""Vectors that were made before: no text is ever embedded twice, in no run."""

import sqlite3
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from rag.domain.errors import StoreUnavailable
from rag.domain.ids import Digest, digest_text
from rag.ports import Embedder

BATCH: Final = 32
_CREATE: Final = (
    "CREATE TABLE IF NOT EXISTS vector (model TEXT, text_digest TEXT, body BLOB NOT NULL, "
    "PRIMARY KEY (model, text_digest)) WITHOUT ROWID"
)
_SELECT: Final = "SELECT body FROM vector WHERE model = ? AND text_digest = ?"
_INSERT: Final = "INSERT OR IGNORE INTO vector VALUES (?, ?, ?)"


class KeptVectors:
    """The port `Embedder` over another one, with a file that keeps its vectors by text digest.

    The file holds digests and vectors, no text.
    """

    def __init__(self, inner: Embedder, path: Path) -> None:
        """Open the file, or begin it.

        Raises:
            StoreUnavailable: it cannot be opened, or is no such file.
        """
        self._inner = inner
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._file = sqlite3.connect(path, isolation_level=None, timeout=60)
            self._file.execute("PRAGMA journal_mode=WAL")
            self._file.execute("PRAGMA synchronous=NORMAL")
            self._file.execute(_CREATE)
        except (OSError, sqlite3.Error) as exc:
            raise StoreUnavailable(f"cannot keep vectors in {path}: {exc}") from exc

    @property
    def name(self) -> str:
        return self._inner.name

    @property
    def digest(self) -> Digest:
        return self._inner.digest

    async def embed(self, texts: Sequence[str]) -> Sequence[bytes]:
        digests = [digest_text(text) for text in texts]
        missing = [t for t, d in zip(texts, digests, strict=True) if self._known(d) is None]
        new = list(dict.fromkeys(missing))
        for start in range(0, len(new), BATCH):
            some = new[start : start + BATCH]
            vectors = await self._inner.embed(some)
            self.keep(dict(zip(map(digest_text, some), vectors, strict=True)))
        return [body for d in digests if (body := self._known(d)) is not None]

    def keep(self, vectors: Mapping[Digest, bytes]) -> None:
        """Keep vectors by text digest; in one transaction, so that a stopped run loses a batch."""
        rows = [(self.digest, digest, vector) for digest, vector in vectors.items()]
        self._file.execute("BEGIN")
        self._file.executemany(_INSERT, rows)
        self._file.execute("COMMIT")

    def _known(self, text_digest: Digest) -> bytes | None:
        row = self._file.execute(_SELECT, (self.digest, text_digest)).fetchone()
        return None if row is None else bytes(row[0])

    def close(self) -> None:
        """Let go of the file."""
        self._file.close()
