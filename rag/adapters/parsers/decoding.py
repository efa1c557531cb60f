"""Bytes to text, in whatever encoding they are."""

import codecs
import re
from typing import Final

from charset_normalizer import from_bytes

SAMPLE_BYTES: Final = 64_000
NUL_SHARE_BINARY: Final = 0.02

_BOMS: Final = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_DECLARED: Final = re.compile(rb"""(?:charset|encoding)\s*=\s*["']?\s*([A-Za-z0-9_.:-]{2,40})""")
# C1 controls in what should be text betray a wrong guess of Latin-1.
_C1: Final = re.compile("[\x80-\x9f]")


def decode(data: bytes, *, declared: bool = False) -> str:
    """The text in `data`; never fails, at worst with U+FFFD for what cannot be read.

    In order: byte order mark, UTF-8, UTF-16 without a mark, the encoding the document declares in
    its first bytes (when `declared`), a guess from a sample, Windows-1252.
    """
    for mark, encoding in _BOMS:
        if data.startswith(mark):
            return data.decode(encoding, errors="replace")
    utf16 = _utf16_without_mark(data)
    if utf16:
        return data.decode(utf16, errors="replace")
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        pass
    encoding = (declared and _declared(data[:2048])) or _guessed(data[:SAMPLE_BYTES])
    return data.decode(encoding, errors="replace")


def looks_binary(data: bytes) -> bool:
    """Whether `data` is surely no text: many NULs that are not UTF-16's."""
    sample = data[:SAMPLE_BYTES]
    if not sample or _utf16_without_mark(sample) or sample.startswith((b"\xff\xfe", b"\xfe\xff")):
        return False
    return sample.count(0) > len(sample) * NUL_SHARE_BINARY


def _utf16_without_mark(data: bytes) -> str:
    sample = data[:2048]
    if len(sample) < 8:
        return ""
    even, odd = sample[0::2].count(0), sample[1::2].count(0)
    half = len(sample) / 2
    if odd > half * 0.4 and even < half * 0.05:
        return "utf-16-le"
    return "utf-16-be" if even > half * 0.4 and odd < half * 0.05 else ""


def _declared(head: bytes) -> str:
    match = _DECLARED.search(head)
    if match is None:
        return ""
    try:
        return codecs.lookup(match.group(1).decode("ascii")).name
    except LookupError:
        return ""


def _guessed(sample: bytes) -> str:
    """Windows-1252 where most of the text is ASCII, else what the statistics say."""
    best = from_bytes(sample, cp_isolation=list(_CANDIDATES)).best()
    if best is None:
        return "cp1252"
    if best.encoding in _WESTERN:
        return "cp1252"
    return best.encoding


_WESTERN: Final = frozenset({"cp1252", "latin_1", "iso8859_15", "ascii", "cp850", "mac_roman"})
_CANDIDATES: Final = (
    "utf_8", "cp1252", "latin_1", "cp1250", "cp1251", "koi8_r", "cp1253", "cp1254", "cp1255",
    "cp1256", "cp932", "shift_jis", "euc_jp", "iso2022_jp", "gb18030", "big5", "euc_kr", "cp874",
)  # fmt: skip
