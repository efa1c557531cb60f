"""Names of things. Digests are `sha256:` and 64 hexadecimal digits."""

import base64
import hashlib
from typing import Final, NewType

SiloId = NewType("SiloId", str)
DocumentId = NewType("DocumentId", str)
Digest = NewType("Digest", str)
ChunkId = NewType("ChunkId", int)
AnswerId = NewType("AnswerId", str)

_ID_CHARS: Final = 26


def digest_bytes(data: bytes) -> Digest:
    """SHA-256 of `data`."""
    return Digest("sha256:" + hashlib.sha256(data).hexdigest())


def digest_text(text: str) -> Digest:
    """SHA-256 of `text` in UTF-8."""
    return digest_bytes(text.encode("utf-8", "surrogatepass"))


def document_id(silo: SiloId, key: str) -> DocumentId:
    """The stable id of the document that `silo` calls `key`: it survives every edit."""
    name = hashlib.sha256(f"{silo}\0{key}".encode("utf-8", "surrogateescape")).digest()
    return DocumentId("doc_" + base64.b32encode(name).decode("ascii").lower()[:_ID_CHARS])
