"""Formats that unstructured reads: Markdown, HTML, Word, PowerPoint; EPUB, ODT, RST through HTML.

EPUB and ODT would go through pandoc, which reserves a terabyte of addresses and so cannot run
under the child's memory limit; they are unpacked here and read as HTML instead.
"""

import re
import zipfile
from collections.abc import Iterator
from html import escape
from io import BytesIO
from posixpath import dirname, join, normpath
from typing import Any, Final
from urllib.parse import unquote

from lxml import etree
from markdown_it import MarkdownIt

from rag.adapters.parsers import guards, unstructured_offline
from rag.adapters.parsers.canonical import Block, Limits, Reading, paragraph
from rag.adapters.parsers.decoding import decode
from rag.adapters.parsers.html_text import block_of, read_html_text
from rag.domain.errors import ParseFailed

_FRONT_MATTER: Final = re.compile(r"\A---[ \t]*\n(.*?)\n(?:---|\.\.\.)[ \t]*(?:\n|\Z)", re.DOTALL)
_FRONT_TITLE: Final = re.compile(r"^title[ \t]*:[ \t]*(.+)$", re.MULTILINE | re.IGNORECASE)

# Not Python-Markdown, which unstructured would use: it sees no list that follows its paragraph
# without an empty line, and no item indented by two spaces, both common in what people write.
_MARKDOWN: Final = MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"])


def read_markdown(data: bytes, _limits: Limits) -> Reading:
    """CommonMark with tables; front matter stays, as a paragraph."""
    text = decode(data).replace("\r\n", "\n").replace("\r", "\n")
    front = _FRONT_MATTER.match(text)
    if front is None:
        return read_html_text(_MARKDOWN.render(text))
    title = _FRONT_TITLE.search(front.group(1))
    reading = read_html_text(_MARKDOWN.render(text[front.end() :]))
    return Reading(
        blocks=(paragraph(front.group(1)), *reading.blocks),
        title=title.group(1).strip().strip("\"'") if title else "",
    )


def read_html(data: bytes, _limits: Limits) -> Reading:
    """A web page."""
    return read_html_text(decode(data, declared=True))


def read_rst(data: bytes, _limits: Limits) -> Reading:
    """reStructuredText; what it asks to include or run is not."""
    import docutils.core

    html = docutils.core.publish_string(
        decode(data),
        writer="html5",
        settings_overrides={
            "file_insertion_enabled": False,
            "raw_enabled": False,
            "_disable_config": True,
            "report_level": 5,
            "halt_level": 5,
            "embed_stylesheet": False,
            "output_encoding": "unicode",
            "syntax_highlight": "none",
            "line_length_limit": 1_000_000,
            "initial_header_level": 1,
        },
    )
    return read_html_text(str(html))


def read_docx(data: bytes, _limits: Limits) -> Reading:
    """Word: headings by style, numbered paragraphs with their numbers, tables as rows."""
    guards.check_zip(data)
    elements = unstructured_offline.docx_elements(data)
    blocks = tuple(b for e in elements if (b := block_of(e, e.metadata.page_number)))
    return Reading(blocks=blocks, title=_office_title(data))


def read_pptx(data: bytes, _limits: Limits) -> Reading:
    """PowerPoint: a slide is a page, its title a heading; speaker notes follow their slide."""
    guards.check_zip(data)
    elements, notes = unstructured_offline.pptx_elements(data)
    blocks: list[Block] = []
    page = 1
    for element in elements:
        number = element.metadata.page_number or page
        blocks.extend(_notes_between(notes, page, number))
        page = number
        block = _slide_block(element, page)
        if block:
            blocks.append(block)
    blocks.extend(_notes_between(notes, page, max(notes, default=0) + 1))
    return Reading(blocks=tuple(blocks), title=_office_title(data))


def read_epub(data: bytes, _limits: Limits) -> Reading:
    """EPUB: its pages in reading order."""
    guards.check_zip(data, epub=True)
    with zipfile.ZipFile(BytesIO(data)) as archive:
        package_path = _package_path(archive)
        package = _xml(guards.open_part(archive, package_path).read())
        title = package.findtext(".//{*}metadata/{*}title", "")
        blocks: list[Block] = []
        for name in _spine(package, dirname(package_path)):
            page = guards.open_part(archive, name).read()
            blocks.extend(read_html_text(decode(page, declared=True)).blocks)
    return Reading(blocks=tuple(blocks), title=title or "")


def read_odt(data: bytes, _limits: Limits) -> Reading:
    """OpenDocument text."""
    guards.check_zip(data)
    with zipfile.ZipFile(BytesIO(data)) as archive:
        content = _xml(guards.open_part(archive, "content.xml").read())
        meta = _xml(archive.read("meta.xml")) if "meta.xml" in archive.namelist() else None
    body = content.find(".//{*}body/{*}text")
    if body is None:
        raise ParseFailed("no text body in the OpenDocument file")
    title = "" if meta is None else meta.findtext(".//{*}title", "")
    reading = read_html_text(f"<html><body>{''.join(_odt_html(body))}</body></html>")
    return Reading(blocks=reading.blocks, title=title or "")


def _slide_block(element: Any, page: int) -> Block | None:
    # Only the title shape's first paragraph has depth 0: other short texts on a slide are called
    # titles too, by guess.
    if element.category == "Title" and element.metadata.category_depth:
        return paragraph(element.text or "", page)
    return block_of(element, page)


def _notes_between(notes: dict[int, str], first: int, end: int) -> Iterator[Block]:
    for page in range(first, end):
        if page in notes:
            yield paragraph(f"Notes: {notes.pop(page)}", page)


def _office_title(data: bytes) -> str:
    """The title in the file's properties, unless it is what the program put there."""
    with zipfile.ZipFile(BytesIO(data)) as archive:
        if "docProps/core.xml" not in archive.namelist():
            return ""
        title = _xml(archive.read("docProps/core.xml")).findtext("{*}title", "").strip()
    generated = title.casefold() in {"word document", "powerpoint presentation", "untitled"}
    return "" if generated else title


def _xml(data: bytes) -> Any:
    parser = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False)
    try:
        return etree.fromstring(data, parser)
    except (etree.XMLSyntaxError, ValueError) as exc:
        raise ParseFailed(f"damaged XML part: {exc}") from exc


def _package_path(archive: zipfile.ZipFile) -> str:
    container = _xml(guards.open_part(archive, "META-INF/container.xml").read())
    root = container.find(".//{*}rootfile")
    path = "" if root is None else root.get("full-path", "")
    if not path:
        raise ParseFailed("damaged EPUB: no package named")
    return str(path)


def _spine(package: Any, folder: str) -> Iterator[str]:
    items = {item.get("id"): item for item in package.iterfind(".//{*}manifest/{*}item")}
    for reference in package.iterfind(".//{*}spine/{*}itemref"):
        item = items.get(reference.get("idref"))
        if item is not None and "nav" not in item.get("properties", "").split():
            path = unquote(item.get("href", "").partition("#")[0])
            yield normpath(join(folder, path))


_ODT_TAGS: Final = {
    "p": "p", "list": "ul", "list-item": "li", "list-header": "li", "table": "table",
    "table-row": "tr", "table-header-rows": "thead",
}  # fmt: skip
_ODT_DROPPED: Final = frozenset({
    "tracked-changes", "annotation", "annotation-end", "sequence-decls", "forms", "note-citation",
})  # fmt: skip


def _odt_html(node: Any) -> Iterator[str]:
    for child in node:
        name = etree.QName(child).localname if isinstance(child.tag, str) else ""
        if name and name not in _ODT_DROPPED:
            yield from _odt_element(child, name)
        yield escape(child.tail or "")


def _odt_element(node: Any, name: str) -> Iterator[str]:
    text = escape(node.text or "")
    if name == "h":
        level = min(max(_odt_number(node, "outline-level"), 1), 6)
        yield f"<h{level}>{text}{''.join(_odt_html(node))}</h{level}>"
    elif name == "table-cell":
        columns = min(_odt_number(node, "number-columns-spanned"), 1_000)
        rows = min(_odt_number(node, "number-rows-spanned"), 1_000)
        yield f'<td colspan="{columns}" rowspan="{rows}">{text}{"".join(_odt_html(node))}</td>'
    elif name in {"s", "tab", "line-break"}:
        yield " "
    elif name in _ODT_TAGS:
        tag = _ODT_TAGS[name]
        yield f"<{tag}>{text}{''.join(_odt_html(node))}</{tag}>"
    else:
        yield text
        yield from _odt_html(node)


def _odt_number(node: Any, name: str) -> int:
    for key, value in node.attrib.items():
        if key.endswith("}" + name) and value.isdigit():
            return int(value[:6])
    return 1
