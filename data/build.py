#!/usr/bin/env python3
"""Build the binary documents of the demo organisation from their text sources.

Every file below ``sources/`` is named like the document it makes, plus ``.md``:
``sources/drive/hr/Salary Bands 2026.xlsx.md`` makes
``silos/drive/hr/Salary Bands 2026.xlsx``.  The sources use a small part of
Markdown: headings (``#``), bullets (``-``), numbered steps (``1.``), tables
(``|``) and paragraphs of one line each.  Some types give a line a meaning of
their own:

* ``xlsx``: ``## Sheet: Name`` begins a sheet, which holds one table;
* ``pptx``: ``# Title`` begins a slide, ``Notes: ...`` is its speaker note;
* ``epub``: ``# Title`` begins a chapter;
* ``pdf``:  ``<!-- page -->`` begins a page.

``<!-- build: truncate N -->`` cuts the finished file after N bytes, which makes
a damaged document on purpose.  Time stamps are fixed, so that building twice
gives the same bytes.
"""

from __future__ import annotations

import argparse
import io
import re
import sys
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from html import escape
from pathlib import Path

HERE = Path(__file__).resolve().parent
STAMP = datetime(2026, 11, 20, 9, 0, 0, tzinfo=UTC)
ZIP_STAMP = (2026, 11, 20, 9, 0, 0)
PUBLISHER = "Marrowfen Instruments Ltd"


# ---------------------------------------------------------------- the source


@dataclass
class Block:
    """One piece of a source.

    ``kind`` is heading, bullets, steps, table, notes, page or text.
    """

    kind: str
    text: str = ""
    level: int = 0
    rows: list[list[str]] = field(default_factory=list)
    items: list[str] = field(default_factory=list)


def split_row(line: str) -> list[str]:
    """Return the cells of one line of a Markdown table."""
    return [cell.strip() for cell in line.strip().strip("|").split("|")]


def is_rule(cells: list[str]) -> bool:
    """Tell whether a table row is the dashed line below the header."""
    return all(re.fullmatch(r":?-{3,}:?", cell) for cell in cells)


def parse(source: str) -> list[Block]:
    """Turn the text of a source into blocks."""
    blocks: list[Block] = []

    def last(kind: str) -> Block:
        if not blocks or blocks[-1].kind != kind:
            blocks.append(Block(kind))
        return blocks[-1]

    for line in map(str.strip, source.splitlines()):
        if not line:
            blocks.append(Block("gap"))
        elif line.startswith("<!-- page"):
            blocks.append(Block("page"))
        elif line.startswith("<!--"):
            continue
        elif match := re.match(r"(#+)\s+(.*)", line):
            blocks.append(Block("heading", match[2], len(match[1])))
        elif line.startswith("|"):
            cells = split_row(line)
            if not is_rule(cells):
                last("table").rows.append(cells)
        elif match := re.match(r"-\s+(.*)", line):
            last("bullets").items.append(match[1])
        elif match := re.match(r"\d+\.\s+(.*)", line):
            last("steps").items.append(match[1])
        elif line.startswith("Notes: "):
            blocks.append(Block("notes", line.removeprefix("Notes: ")))
        else:
            blocks.append(Block("text", line))
    return [block for block in blocks if block.kind != "gap"]


def title_of(blocks: list[Block]) -> str:
    """Return the first heading, which serves as the title of a document."""
    return next((block.text for block in blocks if block.kind == "heading"), "Untitled")


def chapters(blocks: list[Block]) -> Iterator[tuple[str, list[Block]]]:
    """Yield (title, blocks) for each heading of level 1."""
    title = ""
    body: list[Block] = []
    for block in blocks:
        if block.kind == "heading" and block.level == 1:
            if title:
                yield title, body
            title, body = block.text, []
        else:
            body.append(block)
    if title:
        yield title, body


def cell_value(text: str) -> str | int | float:
    """Return a number where a cell looks like one, else its text."""
    if re.fullmatch(r"-?\d+", text):
        return int(text)
    if re.fullmatch(r"-?\d+\.\d+", text):
        return float(text)
    return text


# ------------------------------------------------------------ zip containers


def zip_bytes(members: list[tuple[str, bytes]], stored: tuple[str, ...] = ()) -> bytes:
    """Write a zip archive with fixed time stamps; names in ``stored`` stay unpacked."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, data in members:
            info = zipfile.ZipInfo(name, ZIP_STAMP)
            info.external_attr = 0o644 << 16
            info.compress_type = zipfile.ZIP_STORED if name in stored else zipfile.ZIP_DEFLATED
            archive.writestr(info, data)
    return buffer.getvalue()


def normalise_zip(data: bytes) -> bytes:
    """Rewrite an Office file so that nothing in it depends on the clock."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        members = [(name, archive.read(name)) for name in archive.namelist()]
    stamp = STAMP.strftime("%Y-%m-%dT%H:%M:%SZ").encode()
    pattern = rb"(<dcterms:(created|modified)[^>]*>)[^<]*(</dcterms:)"
    fixed = [
        (
            name,
            re.sub(pattern, rb"\g<1>" + stamp + rb"\g<3>", body)
            if name == "docProps/core.xml"
            else body,
        )
        for name, body in members
    ]
    return zip_bytes(fixed)


# --------------------------------------------------------- one maker per type


def make_docx(blocks: list[Block]) -> bytes:
    """Make a Word document."""
    import docx

    document = docx.Document()
    document.core_properties.title = title_of(blocks)
    document.core_properties.author = PUBLISHER
    for block in blocks:
        if block.kind == "heading":
            document.add_heading(block.text, min(block.level, 4))
        elif block.kind == "table":
            table = document.add_table(rows=len(block.rows), cols=len(block.rows[0]))
            table.style = "Table Grid"
            for row, cells in enumerate(block.rows):
                for column, text in enumerate(cells):
                    table.cell(row, column).text = text
        elif block.kind in ("bullets", "steps"):
            style = "List Bullet" if block.kind == "bullets" else "List Number"
            for item in block.items:
                document.add_paragraph(item, style=style)
        elif block.kind == "text":
            document.add_paragraph(block.text)
    buffer = io.BytesIO()
    document.save(buffer)
    return normalise_zip(buffer.getvalue())


def make_pptx(blocks: list[Block]) -> bytes:
    """Make a presentation with one slide for each heading of level 1."""
    import pptx
    from pptx.util import Inches

    deck = pptx.Presentation()
    deck.core_properties.title = title_of(blocks)
    deck.core_properties.author = PUBLISHER
    for title, body in chapters(blocks):
        slide = deck.slides.add_slide(deck.slide_layouts[1])
        slide.shapes.title.text = title
        lines = [
            item
            for block in body
            for item in (block.items or [block.text])
            if block.kind in ("bullets", "steps", "text")
        ]
        slide.placeholders[1].text_frame.text = "\n".join(lines)
        for block in body:
            if block.kind == "table":
                shape = slide.shapes.add_table(
                    len(block.rows),
                    len(block.rows[0]),
                    Inches(0.6),
                    Inches(4.4),
                    Inches(8.6),
                    Inches(2.2),
                )
                for row, cells in enumerate(block.rows):
                    for column, text in enumerate(cells):
                        shape.table.cell(row, column).text = text
            elif block.kind == "notes":
                slide.notes_slide.notes_text_frame.text = block.text
    buffer = io.BytesIO()
    deck.save(buffer)
    return normalise_zip(buffer.getvalue())


def make_xlsx(blocks: list[Block]) -> bytes:
    """Make a workbook with one sheet for each ``## Sheet:`` heading."""
    import openpyxl
    from openpyxl.styles import Font

    book = openpyxl.Workbook()
    book.remove(book.active)
    book.properties.creator = PUBLISHER
    for block in blocks:
        if block.kind == "heading":
            book.create_sheet(block.text.removeprefix("Sheet: "))
        elif block.kind == "table":
            sheet = book.worksheets[-1]
            for cells in block.rows:
                sheet.append([cell_value(text) for text in cells])
            for cell in sheet[1]:
                cell.font = Font(bold=True)
            for column in sheet.columns:
                width = max(len(str(cell.value)) for cell in column)
                sheet.column_dimensions[column[0].column_letter].width = width + 2
    buffer = io.BytesIO()
    book.save(buffer)
    return normalise_zip(buffer.getvalue())


def make_pdf(blocks: list[Block]) -> bytes:
    """Make a PDF with page numbers; only characters of Latin-1 are possible."""
    from fpdf import FPDF

    title = title_of(blocks)

    class Page(FPDF):  # type: ignore[misc] # fpdf2 has no types
        """A page with the title of the document and its number in the footer."""

        def footer(self) -> None:
            self.set_y(-14)
            self.set_font("helvetica", "I", 8)
            self.cell(0, 8, f"{title} - page {self.page_no()}", align="C")

    pdf = Page()
    pdf.set_creation_date(STAMP)
    pdf.set_title(title)
    pdf.set_author(PUBLISHER)
    pdf.add_page()

    def write(text: str, size: float, style: str = "") -> None:
        pdf.set_font("helvetica", style, size)
        pdf.multi_cell(0, size * 0.5, text, new_x="LMARGIN", new_y="NEXT")
        pdf.ln(2)

    for block in blocks:
        if block.kind == "page":
            pdf.add_page()
        elif block.kind == "heading":
            write(block.text, 18 - 2 * block.level, "B")
        elif block.kind == "bullets":
            for item in block.items:
                write(f"- {item}", 11)
        elif block.kind == "steps":
            for number, item in enumerate(block.items, 1):
                write(f"{number}. {item}", 11)
        elif block.kind == "table":
            pdf.set_font("helvetica", "", 10)
            with pdf.table() as table:
                for cells in block.rows:
                    row = table.row()
                    for text in cells:
                        row.cell(text)
            pdf.ln(3)
        elif block.kind == "text":
            write(block.text, 11)
    return bytes(pdf.output())


ODT_SPACES = (
    'xmlns:office="urn:oasis:names:tc:opendocument:xmlns:office:1.0" '
    'xmlns:text="urn:oasis:names:tc:opendocument:xmlns:text:1.0" '
    'xmlns:table="urn:oasis:names:tc:opendocument:xmlns:table:1.0" '
    'xmlns:meta="urn:oasis:names:tc:opendocument:xmlns:meta:1.0" '
    'xmlns:dc="http://purl.org/dc/elements/1.1/" '
    'xmlns:manifest="urn:oasis:names:tc:opendocument:xmlns:manifest:1.0"'
)
XML_HEAD = '<?xml version="1.0" encoding="UTF-8"?>\n'


def odt_block(block: Block, number: int) -> str:
    """Return the OpenDocument markup of one block."""
    if block.kind == "heading":
        return f'<text:h text:outline-level="{block.level}">{escape(block.text)}</text:h>'
    if block.kind in ("bullets", "steps"):
        items = "".join(
            f"<text:list-item><text:p>{escape(item)}</text:p></text:list-item>"
            for item in block.items
        )
        return f"<text:list>{items}</text:list>"
    if block.kind == "table":
        rows = "".join(
            "<table:table-row>"
            + "".join(
                f"<table:table-cell><text:p>{escape(cell)}</text:p></table:table-cell>"
                for cell in cells
            )
            + "</table:table-row>"
            for cells in block.rows
        )
        columns = f'<table:table-column table:number-columns-repeated="{len(block.rows[0])}"/>'
        return f'<table:table table:name="Table{number}">{columns}{rows}</table:table>'
    return f"<text:p>{escape(block.text)}</text:p>" if block.text else ""


def make_odt(blocks: list[Block]) -> bytes:
    """Make an OpenDocument text by hand."""
    mime = "application/vnd.oasis.opendocument.text"
    body = "\n".join(odt_block(block, number) for number, block in enumerate(blocks, 1))
    content = (
        f'{XML_HEAD}<office:document-content {ODT_SPACES} office:version="1.2">'
        f"<office:body><office:text>{body}</office:text></office:body></office:document-content>"
    )
    meta = (
        f'{XML_HEAD}<office:document-meta {ODT_SPACES} office:version="1.2"><office:meta>'
        f"<dc:title>{escape(title_of(blocks))}</dc:title><dc:creator>{PUBLISHER}</dc:creator>"
        f"<dc:date>{STAMP:%Y-%m-%dT%H:%M:%S}</dc:date></office:meta></office:document-meta>"
    )
    entries = [("/", mime), ("content.xml", "text/xml"), ("meta.xml", "text/xml")]
    listed = "".join(
        f'<manifest:file-entry manifest:full-path="{path}" manifest:media-type="{kind}"/>'
        for path, kind in entries
    )
    manifest = f'{XML_HEAD}<manifest:manifest {ODT_SPACES} manifest:version="1.2">{listed}</manifest:manifest>'
    members = [
        ("mimetype", mime.encode()),
        ("content.xml", content.encode()),
        ("meta.xml", meta.encode()),
        ("META-INF/manifest.xml", manifest.encode()),
    ]
    return zip_bytes(members, stored=("mimetype",))


def html_block(block: Block) -> str:
    """Return the XHTML markup of one block."""
    if block.kind == "heading":
        return f"<h{block.level}>{escape(block.text)}</h{block.level}>"
    if block.kind in ("bullets", "steps"):
        tag = "ul" if block.kind == "bullets" else "ol"
        return (
            f"<{tag}>" + "".join(f"<li>{escape(item)}</li>" for item in block.items) + f"</{tag}>"
        )
    if block.kind == "table":
        rows = []
        for number, cells in enumerate(block.rows):
            tag = "th" if number == 0 else "td"
            rows.append(
                "<tr>" + "".join(f"<{tag}>{escape(cell)}</{tag}>" for cell in cells) + "</tr>"
            )
        return "<table>" + "".join(rows) + "</table>"
    return f"<p>{escape(block.text)}</p>" if block.text else ""


def make_epub(blocks: list[Block], name: str) -> bytes:
    """Make an EPUB 3 book by hand, with one chapter for each heading of level 1."""
    parts = list(chapters(blocks))
    space = 'xmlns="http://www.w3.org/1999/xhtml"'
    pages: list[tuple[str, str]] = []
    for number, (title, body) in enumerate(parts, 1):
        inner = "\n".join(html_block(block) for block in body)
        page = (
            f"{XML_HEAD}<html {space}><head><title>{escape(title)}</title></head>"
            f"<body><h1>{escape(title)}</h1>\n{inner}</body></html>"
        )
        pages.append((f"chapter{number}.xhtml", page))
    links = "".join(
        f'<li><a href="{path}">{escape(title)}</a></li>'
        for (path, _), (title, _) in zip(pages, parts, strict=True)
    )
    nav = (
        f'{XML_HEAD}<html {space} xmlns:epub="http://www.idpf.org/2007/ops"><head><title>Contents</title></head>'
        f'<body><nav epub:type="toc"><ol>{links}</ol></nav></body></html>'
    )
    items = "".join(
        f'<item id="{path[:-6]}" href="{path}" media-type="application/xhtml+xml"/>'
        for path, _ in pages
    )
    spine = "".join(f'<itemref idref="{path[:-6]}"/>' for path, _ in pages)
    package = (
        f'{XML_HEAD}<package xmlns="http://www.idpf.org/2007/opf" version="3.0" unique-identifier="id">'
        f'<metadata xmlns:dc="http://purl.org/dc/elements/1.1/"><dc:identifier id="id">{escape(name)}</dc:identifier>'
        f"<dc:title>{escape(name)}</dc:title><dc:language>en</dc:language><dc:creator>{PUBLISHER}</dc:creator>"
        f'<meta property="dcterms:modified">{STAMP:%Y-%m-%dT%H:%M:%SZ}</meta></metadata><manifest>'
        f'<item id="nav" href="nav.xhtml" media-type="application/xhtml+xml" properties="nav"/>{items}</manifest>'
        f"<spine>{spine}</spine></package>"
    )
    container = (
        f'{XML_HEAD}<container version="1.0" xmlns="urn:oasis:names:tc:opendocument:xmlns:container"><rootfiles>'
        '<rootfile full-path="OEBPS/content.opf" media-type="application/oebps-package+xml"/></rootfiles></container>'
    )
    members = [("mimetype", "application/epub+zip"), ("META-INF/container.xml", container)]
    members += [("OEBPS/content.opf", package), ("OEBPS/nav.xhtml", nav)]
    members += [(f"OEBPS/{path}", page) for path, page in pages]
    return zip_bytes([(path, text.encode()) for path, text in members], stored=("mimetype",))


# ------------------------------------------------------------------ the build


def make(name: str, source: str) -> bytes:
    """Make the document called ``name`` from the text of its source."""
    makers: dict[str, Callable[[list[Block]], bytes]] = {
        ".docx": make_docx,
        ".pptx": make_pptx,
        ".xlsx": make_xlsx,
        ".pdf": make_pdf,
        ".odt": make_odt,
        ".epub": lambda blocks: make_epub(blocks, Path(name).stem),
    }
    data = makers[Path(name).suffix](parse(source))
    if match := re.search(r"<!-- build: truncate (\d+) -->", source):
        data = data[: int(match[1])]
    return data


def build(sources: Path, silos: Path, only: str = "") -> Iterator[tuple[Path, int]]:
    """Write all documents whose path contains ``only``; yield each path and its size."""
    for path in sorted(sources.rglob("*.md")):
        relative = path.relative_to(sources).with_suffix("")
        if only not in str(relative):
            continue
        target = silos / relative
        data = make(target.name, path.read_text(encoding="utf-8"))
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(data)
        yield target, len(data)


def main(arguments: list[str] | None = None) -> int:
    """Run the command line and return its exit status."""
    parser = argparse.ArgumentParser(
        description="Build the binary documents of the demo organisation."
    )
    parser.add_argument(
        "--sources", type=Path, default=HERE / "sources", help="folder of the text sources"
    )
    parser.add_argument(
        "--silos", type=Path, default=HERE / "silos", help="folder that receives the documents"
    )
    parser.add_argument(
        "--only", default="", help="build only documents whose path contains this text"
    )
    parser.add_argument("--quiet", action="store_true", help="do not list the documents")
    options = parser.parse_args(arguments)
    count = 0
    for path, size in build(options.sources, options.silos, options.only):
        count += 1
        if not options.quiet:
            print(f"{size:8d}  {path.relative_to(options.silos)}")
    print(f"{count} documents built")
    return 0


if __name__ == "__main__":
    sys.exit(main())
