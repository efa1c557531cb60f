"""Checks on a document's bytes before any parser sees them.

Zip containers are measured by unpacking with a budget, because the sizes in their headers may lie.
"""

import re
import zipfile
import zlib
from io import BytesIO
from typing import IO, Final

from rag.domain.errors import ParseFailed, TooLarge

ZIP_ENTRIES_MAX: Final = 10_000
ZIP_BYTES_MAX: Final = 200_000_000
ZIP_RATIO_MAX: Final = 100
# A small part may be blank and so compress better than any honest large one.
ZIP_RATIO_SLACK_BYTES: Final = 5_000_000
_READ_BYTES: Final = 1 << 20
_HEAD_BYTES: Final = 1 << 16

_DECLARATION: Final = re.compile(rb"<!\s*(?:DOCTYPE|ENTITY)", re.IGNORECASE)
# The same in UTF-16, either order: `<`, `!` and `DOCTYPE` with NULs between.
_DECLARATION_WIDE: Final = re.compile(
    rb"<\x00?!\x00?(?:D\x00O\x00C\x00T\x00Y\x00P\x00E|E\x00N\x00T\x00I\x00T\x00Y)", re.IGNORECASE
)
_XML_PARTS: Final = (".xml", ".rels", ".opf", ".ncx", ".xhtml", ".html", ".htm", ".vml", ".svg")
# EPUB 2 pages carry the XHTML document type by standard; their reader resolves no entities.
_DOCTYPE_ALLOWED: Final = (".xhtml", ".html", ".htm", ".ncx", ".opf")
_NESTED: Final = (
    b"PK\x03\x04",
    b"\x1f\x8b\x08",
    b"BZh",
    b"\xfd7zXZ\x00",
    b"7z\xbc\xaf\x27\x1c",
    b"Rar!",
)


def check_size(data: bytes, max_bytes: int) -> None:
    """Raises TooLarge over `max_bytes`."""
    if len(data) > max_bytes:
        raise TooLarge(f"{len(data)} bytes, over the limit of {max_bytes}")


def check_xml(data: bytes) -> None:
    """Refuse document type and entity declarations: no parser of ours then resolves any.

    Raises:
        ParseFailed: one was found, in UTF-8, UTF-16 or any encoding that extends ASCII.
    """
    # The plain look-ups come first: they pass over ordinary parts at memory speed.
    narrow = b"<!" in data and _DECLARATION.search(data)
    if narrow or (b"!\x00" in data and _DECLARATION_WIDE.search(data)):
        raise ParseFailed("XML with a DOCTYPE or ENTITY declaration is refused")


def check_zip(data: bytes, *, epub: bool = False) -> None:
    """Refuse zip bombs, archives in archives of office files, and declarations in XML parts.

    Raises:
        TooLarge: more entries or bytes than allowed, or compressed too well to be honest.
        ParseFailed: damaged, encrypted, overlapping, or with a declaration in a part.
    """
    try:
        with zipfile.ZipFile(BytesIO(data)) as archive:
            entries = archive.infolist()
            _check_entries(entries)
            total = 0
            for entry in entries:
                total = _check_entry(archive, entry, total, epub)
    except (zipfile.BadZipFile, zlib.error, EOFError, OSError, ValueError) as exc:
        raise ParseFailed(f"damaged zip container: {exc}") from exc
    except (NotImplementedError, RuntimeError) as exc:
        raise ParseFailed(f"zip container cannot be read: {exc}") from exc


def _check_entries(entries: list[zipfile.ZipInfo]) -> None:
    if len(entries) > ZIP_ENTRIES_MAX:
        raise TooLarge(f"{len(entries)} entries in the zip container, over {ZIP_ENTRIES_MAX}")
    offsets = [entry.header_offset for entry in entries]
    if len(set(offsets)) < len(offsets):
        raise ParseFailed("overlapping entries in the zip container")
    if any(entry.flag_bits & 0x1 for entry in entries):
        raise ParseFailed("encrypted with a password")


def _check_entry(archive: zipfile.ZipFile, entry: zipfile.ZipInfo, total: int, epub: bool) -> int:
    name = entry.filename.casefold()
    is_xml = name.endswith(_XML_PARTS) and not (epub and name.endswith(_DOCTYPE_ALLOWED))
    size = 0
    tail = b""
    with archive.open(entry) as part:
        while piece := part.read(_READ_BYTES):
            if size == 0:
                _check_nested(name, piece)
            size += len(piece)
            _check_budget(entry, size, total + size)
            if is_xml:
                check_xml(tail + piece)
                tail = piece[-64:]
    return total + size


def _check_budget(entry: zipfile.ZipInfo, size: int, total: int) -> None:
    if total > ZIP_BYTES_MAX:
        raise TooLarge(f"zip bomb: over {ZIP_BYTES_MAX} bytes unpacked")
    if size > ZIP_RATIO_SLACK_BYTES and size > ZIP_RATIO_MAX * max(entry.compress_size, 1):
        raise TooLarge(f"zip bomb: compressed over {ZIP_RATIO_MAX} to 1")


def _check_nested(name: str, head: bytes) -> None:
    # Office files hold other office files as embedded objects, which nobody opens here: only
    # archives that pose as parts are refused.
    embedded = "/embeddings/" in name or name.endswith(
        (".bin", ".xlsx", ".docx", ".pptx", ".odttf")
    )
    if head.startswith(_NESTED) and not embedded:
        raise ParseFailed(f"archive inside the zip container: {name[:100]!r}")


def open_part(archive: zipfile.ZipFile, name: str) -> IO[bytes]:
    """A part by name; missing ones are the document's fault."""
    try:
        return archive.open(name)
    except KeyError as exc:
        raise ParseFailed(f"damaged container: no part {name[:100]!r}") from exc
