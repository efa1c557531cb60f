"""Hostile documents through real children: each fails with its reason, the next one parses."""

import asyncio
import io
import os
import signal
import tempfile
import zipfile
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path

import docx
import pytest

import rag
from rag.adapters.parsers.canonical import Limits
from rag.adapters.parsers.process import ParserPool
from rag.domain.document import Access, RawDocument
from rag.domain.errors import ParseFailed, TooLarge
from rag.domain.ids import Digest, SiloId

WRITTEN = Path(tempfile.gettempdir(), "sworn-hostile")
ROOT = Path(rag.__file__).resolve().parent.parent
MISBEHAVING = {"PYTHONPATH": f"{ROOT / 'tests/fixtures/hostile_reader'}{os.pathsep}{ROOT}"}


def raw(data: bytes, name: str, media_type: str = "") -> RawDocument:
    return RawDocument(
        silo=SiloId("files"),
        key=name,
        uri=f"file:///{name}",
        data=data,
        digest=Digest("0" * 64),
        media_type=media_type,
        modified_at=datetime(2024, 1, 1, tzinfo=UTC),
        signature="",
        access=Access(),
    )


def zipped(parts: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in parts.items():
            archive.writestr(name, data)
    return buffer.getvalue()


def word_file(text: str = "An honest paragraph.") -> bytes:
    document = docx.Document()
    document.add_paragraph(text)
    buffer = io.BytesIO()
    document.save(buffer)
    return buffer.getvalue()


def with_part(container: bytes, name: str, data: bytes) -> bytes:
    with zipfile.ZipFile(io.BytesIO(container)) as archive:
        parts = {entry: archive.read(entry) for entry in archive.namelist()}
    return zipped(parts | {name: data})


def pdf_of(n_pages: int) -> bytes:
    """A minimal PDF whose pages share one content."""
    content = b"BT /F1 12 Tf 72 720 Td (Shared words) Tj ET"
    objects = [
        b"<</Type/Catalog/Pages 2 0 R>>",
        b"<</Type/Pages/Count %d/Kids[%s]>>"
        % (n_pages, b" ".join(b"%d 0 R" % (5 + i) for i in range(n_pages))),
        b"<</Length %d>>stream\n%s\nendstream" % (len(content), content),
        b"<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>",
    ]
    page = (
        b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 612 792]/Contents 3 0 R"
        b"/Resources<</Font<</F1 4 0 R>>>>>>"
    )
    objects += [page] * n_pages
    out, offsets = bytearray(b"%PDF-1.4\n"), []
    for number, body in enumerate(objects, start=1):
        offsets.append(len(out))
        out += b"%d 0 obj%s endobj\n" % (number, body)
    start = len(out)
    out += b"xref\n0 %d\n0000000000 65535 f \n" % (len(objects) + 1)
    out += b"".join(b"%010d 00000 n \n" % offset for offset in offsets)
    out += b"trailer<</Size %d/Root 1 0 R>>\nstartxref\n%d\n%%%%EOF" % (len(objects) + 1, start)
    return bytes(out)


@pytest.fixture
async def pool() -> AsyncIterator[ParserPool]:
    pool = ParserPool()
    yield pool
    await pool.aclose()


@pytest.fixture
async def misbehaving() -> AsyncIterator[ParserPool]:
    pool = ParserPool(environment=MISBEHAVING, memory_bytes=1 << 30)
    yield pool
    await pool.aclose()


async def still_parses(pool: ParserPool) -> bool:
    parsed = await pool.parse(raw(b"All is well.", "next.txt"))
    return parsed.text == "All is well."


XXE = b'<?xml version="1.0"?><!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]><a>&x;</a>'
LAUGHS = b'<!DOCTYPE l [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">]><l>&b;</l>'
NUL = b"\x00"


async def test_each_hostile_document_fails_with_its_reason_and_the_next_one_parses(
    pool: ParserPool,
) -> None:
    honest = word_file()
    bomb = with_part(honest, "word/media/image.xml", NUL * 60_000_000)
    nested = with_part(honest, "word/inner.zip", zipped({"a": b"x" * 1000}))
    wide = XXE.decode().encode("utf-16")
    many = zipped({"word/document.xml": b"", **{f"p{i}": b"" for i in range(10_001)}})
    cases = (
        (bomb, "bomb.docx", TooLarge, "zip bomb: compressed over 100 to 1"),
        (many, "many.docx", TooLarge, "entries in the zip container"),
        (nested, "nested.docx", ParseFailed, "archive inside the zip container"),
        (with_part(honest, "word/document.xml", XXE), "xxe.docx", ParseFailed, "DOCTYPE"),
        (with_part(honest, "word/a.xml", wide), "wide.docx", ParseFailed, "DOCTYPE"),
        (XXE, "xxe.xml", ParseFailed, "DOCTYPE"),
        (LAUGHS, "laughs.xml", ParseFailed, "DOCTYPE"),
        (honest[: len(honest) // 2], "half.docx", ParseFailed, ""),
        (honest[:-30], "short.docx", ParseFailed, ""),
        (b"", "empty.pdf", None, ""),
        (b"%PDF-1.7\nnothing", "broken.pdf", ParseFailed, "damaged PDF"),
        (pdf_of(10_000), "long.pdf", TooLarge, "10000 pages, over the limit of 2000"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + NUL * 600, "secret.docx", ParseFailed, "password"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + NUL * 600, "mail.msg", ParseFailed, ""),
        (b"MZ" + bytes(range(256)) * 10, "program.exe", ParseFailed, "unsupported type .exe"),
        (b"<div>" * 100_000 + b"deep", "deep.html", ParseFailed, "no text"),
        (b"[" * 100_000, "deep.json", ParseFailed, "damaged JSON"),
        (b"{" * 10, "bad.json", ParseFailed, "damaged JSON"),
        ("x\ud800y".encode("utf-8", "surrogatepass"), "surrogate.txt", None, ""),
        (b"a" + "\u0301".encode() * 20_000, "marks.txt", None, ""),
    )  # fmt: skip
    for data, name, error, reason in cases:
        if error is None:
            (await pool.parse(raw(data, name))).text.encode("utf-8")
        else:
            with pytest.raises(error) as caught:
                await pool.parse(raw(data, name))
            assert reason in caught.value.message, name
            assert "Traceback" not in caught.value.message
        assert await still_parses(pool), name
    assert len(pool.pids) == 1, "none of them cost the child its life"


async def test_a_long_pdf_within_the_limit_is_read_page_by_page(pool: ParserPool) -> None:
    parsed = await pool.parse(raw(pdf_of(50), "fifty.pdf"))
    assert [element.page for element in parsed.elements] == list(range(1, 51))


async def test_a_parser_that_loops_is_stopped_at_the_time_limit() -> None:
    pool = ParserPool(environment=MISBEHAVING, timeout_s=1.0)
    with pytest.raises(ParseFailed, match="over the time limit of 1 s"):
        await pool.parse(raw(b"LOOP", "a.txt"))
    assert pool.pids == ()
    assert await still_parses(pool)
    await pool.aclose()


async def test_a_parser_that_hogs_memory_or_dies_costs_one_document(
    misbehaving: ParserPool,
) -> None:
    for command, reason in (
        (b"HOG", "over the memory limit of 1024 MiB"),
        (b"SEGFAULT", "parser crashed: signal 11"),
        (b"EXIT", "parser ended with status 7"),
    ):
        with pytest.raises(ParseFailed, match=reason):
            await misbehaving.parse(raw(command, "a.txt"))
        assert misbehaving.pids == ()
        assert await still_parses(misbehaving)


async def test_a_parser_reaches_no_network_starts_nothing_and_writes_nothing(
    misbehaving: ParserPool,
) -> None:
    for command in (b"CONNECT", b"SPAWN", b"WRITE"):
        with pytest.raises(ParseFailed, match="not allowed while parsing"):
            await misbehaving.parse(raw(command, "a.txt"))
    assert not WRITTEN.exists()
    assert await still_parses(misbehaving)


async def test_what_libraries_print_does_not_reach_the_answers(misbehaving: ParserPool) -> None:
    assert (await misbehaving.parse(raw(b"PRINT", "a.txt"))).text == "PRINT"
    assert await still_parses(misbehaving)


async def test_the_child_sees_none_of_our_environment(
    misbehaving: ParserPool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RAG__SECRET", "s3cret")
    seen = (await misbehaving.parse(raw(b"ENVIRONMENT", "a.txt"))).text.split("\n")
    assert "PATH" in seen
    assert not [name for name in seen if name.startswith("RAG") or "SECRET" in name]


async def test_a_child_killed_in_the_middle_fails_its_document_only() -> None:
    pool = ParserPool(environment=MISBEHAVING)
    assert await still_parses(pool)
    (pid,) = pool.pids
    parsing = asyncio.create_task(pool.parse(raw(b"LOOP", "a.txt")))
    await asyncio.sleep(0)
    os.kill(pid, signal.SIGKILL)
    with pytest.raises(ParseFailed, match="parser crashed: signal 9"):
        await parsing
    assert await still_parses(pool)
    assert pool.pids != (pid,)
    await pool.aclose()


async def test_a_child_that_died_between_two_documents_is_replaced(pool: ParserPool) -> None:
    assert await still_parses(pool)
    (pid,) = pool.pids
    os.kill(pid, signal.SIGKILL)
    async with asyncio.timeout(10):
        while pool.pids:
            await asyncio.sleep(0.01)
    assert await still_parses(pool)


async def test_a_cancelled_parse_leaves_no_child_behind() -> None:
    pool = ParserPool(environment=MISBEHAVING)
    assert await still_parses(pool)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.2):
            await pool.parse(raw(b"LOOP", "a.txt"))
    assert pool.pids == ()
    assert await still_parses(pool)
    await pool.aclose()


async def test_children_are_recycled_and_stop_when_idle() -> None:
    pool = ParserPool(recycle_after=2, idle_s=0.05)
    assert await still_parses(pool)
    (pid,) = pool.pids
    assert await still_parses(pool)
    assert pool.pids == (), "two documents are its share"
    assert await still_parses(pool)
    assert pool.pids not in ((), (pid,))
    async with asyncio.timeout(10):
        while pool.pids:
            await asyncio.sleep(0.02)
    await pool.aclose()


async def test_size_limits_are_told_apart_from_damage() -> None:
    pool = ParserPool(limits=Limits(bytes_max=1_000, text_chars_max=100))
    with pytest.raises(TooLarge, match="1001 bytes, over the limit of 1000"):
        await pool.parse(raw(b"x" * 1_001, "a.txt"))
    with pytest.raises(TooLarge, match="over 100 characters of text"):
        await pool.parse(raw(b"word " * 100, "a.txt"))
    assert await still_parses(pool)
    await pool.aclose()
