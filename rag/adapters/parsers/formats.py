"""Which reader a document goes to: by its name, its media type, then its first bytes."""

import zipfile
from io import BytesIO
from pathlib import PurePosixPath
from typing import Final
from urllib.parse import unquote, urlsplit

from rag.adapters.parsers.decoding import looks_binary
from rag.domain.errors import ParseFailed

_CODE: Final = tuple(
    """
py pyi pyx js mjs cjs jsx ts tsx mts cts java kt kts scala groovy gradle go rs c cc cpp cxx h hh hpp
hxx m mm cs fs fsx vb rb php phtml pl pm r jl lua swift dart ex exs erl hrl clj cljs hs ml mli elm
nim zig v sv vhd sh bash zsh fish ps1 psm1 bat cmd sql psql ddl yaml yml toml ini cfg conf cnf
properties env editorconfig css scss sass less tf tfvars hcl proto thrift graphql gql cmake mk
dockerfile makefile vue svelte tex bib diff patch nix bzl bazel rego cue jsonnet sol asm s j2
service timer desktop plist gitignore dockerignore gitattributes
""".split()
)
_CODE_NAMES: Final = frozenset({
    "dockerfile", "makefile", "gnumakefile", "jenkinsfile", "vagrantfile", "procfile", "gemfile",
    "rakefile", "cmakelists.txt", "codeowners", "brewfile", "justfile", "build", "workspace",
})  # fmt: skip
_TEXT_NAMES: Final = frozenset({
    "readme", "license", "licence", "copying", "notice", "authors", "changelog", "changes", "news",
    "todo", "contributing",
})  # fmt: skip

BY_EXTENSION: Final = {
    "md": "md", "markdown": "md", "mdown": "md", "mkd": "md", "mdx": "md",
    "html": "html", "htm": "html", "xhtml": "html", "shtml": "html",
    "txt": "txt", "text": "txt", "log": "txt", "asc": "txt", "adoc": "txt", "org": "txt",
    "srt": "txt", "vtt": "txt",
    "docx": "docx", "docm": "docx", "dotx": "docx", "pptx": "pptx", "pptm": "pptx",
    "xlsx": "xlsx", "xlsm": "xlsx", "xls": "xls", "csv": "csv", "tsv": "tsv", "tab": "tsv",
    "eml": "eml", "msg": "msg", "xml": "xml", "rss": "xml", "atom": "xml", "xsd": "xml",
    "wsdl": "xml", "epub": "epub", "odt": "odt", "ott": "odt", "rst": "rst", "rest": "rst",
    "json": "json", "geojson": "json", "jsonld": "json", "webmanifest": "json",
    "ndjson": "ndjson", "jsonl": "ndjson", "pdf": "pdf",
    **dict.fromkeys(_CODE, "code"),
}  # fmt: skip

BY_MEDIA_TYPE: Final = {
    "text/markdown": "md", "text/x-markdown": "md", "text/html": "html",
    "application/xhtml+xml": "html", "text/csv": "csv", "application/csv": "csv",
    "text/tab-separated-values": "tsv", "message/rfc822": "eml",
    "application/vnd.ms-outlook": "msg", "text/xml": "xml", "application/xml": "xml",
    "application/rss+xml": "xml", "application/atom+xml": "xml", "application/epub+zip": "epub",
    "application/vnd.oasis.opendocument.text": "odt", "text/x-rst": "rst",
    "text/prs.fallenstein.rst": "rst", "application/json": "json",
    "application/x-ndjson": "ndjson", "application/jsonl": "ndjson", "application/pdf": "pdf",
    "application/vnd.openxmlformats-officedocument.wordprocessingml.document": "docx",
    "application/vnd.openxmlformats-officedocument.presentationml.presentation": "pptx",
    "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet": "xlsx",
    "application/vnd.ms-excel": "xls", "text/css": "code", "text/javascript": "code",
    "application/javascript": "code", "application/yaml": "code", "application/x-yaml": "code",
    "text/yaml": "code", "application/toml": "code", "application/sql": "code",
    "application/x-sh": "code", "text/x-python": "code",
}  # fmt: skip

ZIPPED: Final = frozenset({"docx", "pptx", "xlsx", "epub", "odt"})
_OLE: Final = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
# A name can lie; a wrong one is corrected only where the first bytes leave no doubt.
_BINARY_FORMATS: Final = ZIPPED | {"pdf", "xls", "msg"}


def format_of(data: bytes, *, uri: str, media_type: str) -> str:
    """The name of the format, a key of the readers.

    Raises:
        ParseFailed: no reader for it.
    """
    claimed = _by_name(uri) or _by_media_type(media_type)
    certain = _by_magic(data)
    if certain:
        # Old office formats share one signature: only their name tells them apart.
        if certain == "ole":
            return _legacy(claimed, uri)
        return claimed if claimed in _BINARY_FORMATS and certain == "zip" else _known(certain, uri)
    if claimed in _BINARY_FORMATS and data.strip():
        raise ParseFailed(f"not a valid {claimed} file: its first bytes say otherwise")
    if claimed == "":
        claimed = _by_look(data, media_type)
    if claimed == "" or looks_binary(data):
        raise ParseFailed(f"unsupported type {_shown(uri, media_type)}")
    return claimed


def _by_name(uri: str) -> str:
    path = unquote(urlsplit(uri).path) if "://" in uri else uri
    name = PurePosixPath(path.replace("\\", "/")).name.casefold()
    if name in _CODE_NAMES:
        return "code"
    stem, dot, extension = name.rpartition(".")
    if not dot:
        return "txt" if name in _TEXT_NAMES else ""
    if not stem and extension in BY_EXTENSION:
        return "code"
    return BY_EXTENSION.get(extension, "")


def _by_media_type(media_type: str) -> str:
    bare = media_type.partition(";")[0].strip().casefold()
    return BY_MEDIA_TYPE.get(bare, "txt" if bare == "text/plain" else "")


def _by_magic(data: bytes) -> str:
    if b"%PDF-" in data[:1024] and data.lstrip()[:5] == b"%PDF-":
        return "pdf"
    if data.startswith(b"PK\x03\x04"):
        return _zipped(data)
    return "ole" if data.startswith(_OLE) else ""


def _zipped(data: bytes) -> str:
    try:
        with zipfile.ZipFile(BytesIO(data)) as archive:
            names = set(archive.namelist())
    except (zipfile.BadZipFile, ValueError, OSError, NotImplementedError):
        return "zip"
    for member, name in (
        ("word/document.xml", "docx"),
        ("ppt/presentation.xml", "pptx"),
        ("xl/workbook.xml", "xlsx"),
        ("META-INF/container.xml", "epub"),
        ("content.xml", "odt"),
    ):
        if member in names:
            return name
    return "zip"


def _known(certain: str, uri: str) -> str:
    if certain == "zip":
        raise ParseFailed(f"unsupported type {_shown(uri, 'application/zip')}")
    return certain


def _legacy(claimed: str, uri: str) -> str:
    if claimed in {"xls", "msg"}:
        return claimed
    if claimed in ZIPPED:
        raise ParseFailed("encrypted with a password, or an old Office format under a new name")
    raise ParseFailed(f"unsupported type {_shown(uri, 'application/x-ole-storage')}")


def _by_look(data: bytes, media_type: str) -> str:
    """A guess for text without a known name; empty for what is no text."""
    head = data[:2048].lstrip(b"\xef\xbb\xbf \t\r\n")
    lowered = head[:512].lower()
    if lowered.startswith((b"<!doctype html", b"<html")):
        return "html"
    if lowered.startswith(b"<?xml"):
        return "html" if b"<html" in lowered else "xml"
    if head.startswith(b"#!"):
        return "code"
    if head.startswith((b"{", b"[")) and media_type.partition(";")[0].strip() in {"", "text/plain"}:
        return "json" if head.startswith((b'{"', b"[{", b'["')) else "txt"
    is_text = media_type.startswith("text/") or not looks_binary(data)
    return "txt" if is_text and _mostly_printable(data[:4096]) else ""


def _mostly_printable(sample: bytes) -> bool:
    controls = sum(byte < 9 or 13 < byte < 32 for byte in sample)
    return controls <= len(sample) * 0.02 or sample.startswith((b"\xff\xfe", b"\xfe\xff"))


def _shown(uri: str, media_type: str) -> str:
    name = PurePosixPath(uri.replace("\\", "/")).name
    extension = name.rpartition(".")[2][:20] if "." in name else ""
    bare = media_type.partition(";")[0].strip()[:80]
    return (
        " ".join(part for part in (f".{extension}" if extension else "", bare) if part)
        or "(unknown)"
    )
