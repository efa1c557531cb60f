"""What we replace inside unstructured is there, and nothing asks for a network."""

import socket
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from unstructured.nlp import tokenize
from unstructured.partition.html import parser

import rag
from rag.adapters.parsers import process, unstructured_offline
from rag.domain.document import Access, RawDocument
from rag.domain.ids import Digest, SiloId

MARKDOWN = b"# Title\n\nSome text:\n- item\n\n| A | B |\n|---|---|\n| 1 | 2 |\n\n## Next\n\nMore."


def test_the_private_names_we_replace_are_still_called() -> None:
    assert tokenize._get_nlp() is unstructured_offline._PIPELINE
    assert tokenize.sent_tokenize("One. Two.") == ["One. Two."]
    assert tokenize.word_tokenize("a b") == ["a", "b"]
    assert parser.derive_element_type_from_text is unstructured_offline._kind_of
    with pytest.raises(ImportError, match="not supported"):
        unstructured_offline._replace(tokenize, "_gone", None)


def test_nothing_opens_a_socket(read: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("a socket was asked for")

    monkeypatch.setattr(socket, "socket", refuse)
    monkeypatch.setattr(socket, "create_connection", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    assert read(MARKDOWN, "a.md").text
    assert read(b"<h1>Title</h1><p>Some text.</p>", "a.html").text


def test_the_parent_never_imports_a_parsing_library() -> None:
    probe = (
        "import sys, rag.adapters.parsers.process;"
        "print([m for m in ('unstructured', 'lxml', 'pypdfium2', 'docx', 'openpyxl', 'spacy')"
        " if m in sys.modules])"
    )
    root = Path(rag.__file__).resolve().parent.parent
    out = subprocess.run(
        [sys.executable, "-c", probe], capture_output=True, text=True, check=True, cwd=root
    )
    assert out.stdout.strip() == "[]"


async def test_the_same_bytes_give_the_same_text_in_fresh_processes(read: Any) -> None:
    here = read(MARKDOWN, "a.md")
    raw = RawDocument(
        silo=SiloId("files"),
        key="a.md",
        uri="a.md",
        data=MARKDOWN,
        digest=Digest("0" * 64),
        media_type="",
        modified_at=datetime(2024, 1, 1, tzinfo=UTC),
        signature="",
        access=Access(),
    )
    for _ in range(2):
        pool = process.ParserPool()
        there = await pool.parse(raw)
        await pool.aclose()
        assert there.text == here.text
        assert there.elements == here.elements
        assert read.kinds(there) == read.kinds(here)
        assert there.parser == pool.name
        assert pool.name.startswith("unstructured 0.27")
