"""The signing key, and checking receipts against its public half."""

import base64
import binascii
import json
import os
from pathlib import Path
from typing import Any

import rfc8785
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
    load_pem_public_key,
)

from rag.domain.errors import ConfigError, ReceiptInvalid
from rag.domain.ids import digest_bytes

PRIVATE: str = "signing.pem"
PUBLIC: str = "signing.pub"


class Ed25519Signer:
    """Implements the port `Signer` with a key of its own."""

    def __init__(self, key: Ed25519PrivateKey) -> None:
        self._key = key
        self.key_id = key_id(key.public_key())

    def sign(self, message: bytes) -> bytes:
        return self._key.sign(message)


def load_or_create_signer(folder: Path) -> Ed25519Signer:
    """The installation's key, made at first start: private half 0600, public half beside it.

    Raises:
        ConfigError: the file is there but holds no Ed25519 key.
    """
    path = folder / PRIVATE
    if not path.exists():
        _create(folder)
    try:
        key = load_pem_private_key(path.read_bytes(), password=None)
    except (OSError, ValueError) as exc:
        raise ConfigError(f"cannot read the signing key {path}: {exc}") from exc
    if not isinstance(key, Ed25519PrivateKey):
        raise ConfigError(f"{path} is not an Ed25519 key")
    return Ed25519Signer(key)


def _create(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    os.chmod(folder, 0o700)
    key = Ed25519PrivateKey.generate()
    public = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    (folder / PUBLIC).write_bytes(public)
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    work = folder / f".{PRIVATE}.{os.getpid()}"
    with open(os.open(work, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(private)
        file.flush()
        os.fsync(file.fileno())
    os.replace(work, folder / PRIVATE)


def key_id(key: Ed25519PublicKey) -> str:
    """`ed25519:` and the first 16 hexadecimal digits of the SHA-256 of the raw public key."""
    raw = key.public_bytes(Encoding.Raw, PublicFormat.Raw)
    return "ed25519:" + digest_bytes(raw).removeprefix("sha256:")[:16]


def load_public_key(path: Path) -> Ed25519PublicKey:
    """A public key in PEM.

    Raises:
        ConfigError: not there or not an Ed25519 key.
    """
    try:
        key = load_pem_public_key(path.read_bytes())
    except (OSError, ValueError) as exc:
        raise ConfigError(f"cannot read the public key {path}: {exc}") from exc
    if not isinstance(key, Ed25519PublicKey):
        raise ConfigError(f"{path} is not an Ed25519 public key")
    return key


def verify_receipt(receipt: str, key: Ed25519PublicKey) -> dict[str, Any]:
    """Check a receipt offline and return its body.

    The receipt must be in canonical form, so that no byte of it can change unnoticed; its digest
    must name its body; the signature must be `key`'s over the body.

    Raises:
        ReceiptInvalid: any of these fails; the message says which.
    """
    try:
        values = json.loads(receipt)
        body, digest, signature = values["body"], values["digest"], values["signature"]
        message = rfc8785.dumps(body)
        canonical = rfc8785.dumps(values).decode()
        value = base64.b64decode(signature["value"], validate=True)
        written = base64.b64encode(value).decode()
    except (
        ValueError, KeyError, TypeError, RecursionError, binascii.Error,
        rfc8785.CanonicalizationError,
    ) as exc:  # fmt: skip
        raise ReceiptInvalid(f"not a receipt: {exc}") from exc
    if receipt.rstrip("\n") != canonical:
        raise ReceiptInvalid("the receipt is not in canonical form (RFC 8785)")
    if set(values) != {"body", "digest", "signature"} or digest != digest_bytes(message):
        raise ReceiptInvalid("the digest is not that of the body")
    # Base64 can write the same bytes in several ways; only one is ours.
    expected = {"algorithm": "Ed25519", "key_id": key_id(key), "value": written}
    if signature.get("key_id") != expected["key_id"]:
        raise ReceiptInvalid(f"signed by another key: {signature.get('key_id')}")
    if signature != expected:
        raise ReceiptInvalid("the signature is not written as it should be")
    try:
        key.verify(value, message)
    except InvalidSignature as exc:
        raise ReceiptInvalid("the signature does not fit the body") from exc
    return dict(body)
