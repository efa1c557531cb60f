"""HTML to blocks: prepared with lxml, read by unstructured, tables laid out as rows."""

import re
from collections.abc import Iterable, Iterator
from typing import Any, Final

from lxml import etree
from lxml import html as lxml_html

from rag.adapters.parsers import tables, unstructured_offline
from rag.adapters.parsers.canonical import Block, Reading, heading, paragraph
from rag.domain.document import ElementKind

_HIDDEN_STYLE: Final = re.compile(
    r"display\s*:\s*none|visibility\s*:\s*hidden|(?:font-size|opacity)\s*:\s*0(?![.\d]*[1-9])",
    re.IGNORECASE,
)
# unstructured drops these with all they hold, as likely decoration. In an organisation's pages
# they hold text: expandable sections, captions, pages wrapped in one form.
_OPENED: Final = {
    "details": "div", "summary": "p", "figure": "div", "figcaption": "p", "form": "div",
    "fieldset": "div", "legend": "p", "label": "span", "dialog": "div",
}  # fmt: skip
_DROPPED: Final = (
    "script",
    "style",
    "noscript",
    "template",
    "nav",
    "iframe",
    "object",
    "svg",
    "head",
)
_SPAN_MAX: Final = 1_000
_MARK: Final = "\ue000table:{}\ue001"
_MARKED: Final = re.compile("\ue000table:(\\d+)\ue001")


def read_html_text(text: str, page: int | None = None) -> Reading:
    """The blocks of an HTML page as a browser would show it, hidden text left out."""
    root = _root(text)
    if root is None:
        return Reading(blocks=())
    title = " ".join(root.findtext(".//head/title", "").split())
    rendered = _prepare(root)
    elements = unstructured_offline.html_elements(lxml_html.tostring(root, encoding="unicode"))
    return Reading(blocks=tuple(_blocks(elements, rendered, page)), title=title)


def block_of(element: Any, page: int | None = None) -> Block | None:
    """Unstructured's element as a block, None for what is no content.

    Headings only where the format says so: readers of formats without them must not call this.
    """
    text = element.text or ""
    depth = element.metadata.category_depth
    match element.category:
        case "Title":
            return heading(text, (depth or 0) + 1, page)
        case "ListItem":
            return Block(kind=ElementKind.LIST_ITEM, text=text, page=page)
        case "Table":
            table = table_text(element.metadata.text_as_html) or text
            return Block(kind=ElementKind.TABLE, text=table, page=page)
        case "CodeSnippet":
            return Block(kind=ElementKind.CODE, text=text, page=page)
        case "Header" | "Footer" | "PageBreak" | "PageNumber":
            return None
        case _:
            return paragraph(text, page)


def table_text(table_html: str | None) -> str:
    """An HTML table's rows as lines; empty when there is none."""
    root = _root(table_html or "")
    table = None if root is None else root.find(".//table")
    return "" if table is None else _rendered_table(table)


def _root(text: str) -> Any:
    if not text.strip():
        return None
    try:
        return lxml_html.document_fromstring(text.encode("utf-8", "replace"), parser=_parser())
    except (etree.ParserError, ValueError):
        return None


def _parser() -> Any:
    return lxml_html.HTMLParser(encoding="utf-8", remove_comments=True, remove_pis=True)


def _blocks(elements: Iterable[Any], rendered: list[str], page: int | None) -> Iterator[Block]:
    for element in elements:
        mark = _MARKED.fullmatch((element.text or "").strip())
        if mark:
            yield Block(kind=ElementKind.TABLE, text=rendered[int(mark.group(1))], page=page)
        elif block := block_of(element, page):
            yield block


def _prepare(root: Any) -> list[str]:
    """Drop what is not shown, open what unstructured would drop, take the data tables out."""
    etree.strip_elements(root, *_DROPPED, with_tail=False)
    for node in list(root.iter()):
        if node.getparent() is not None and _is_hidden(node):
            node.drop_tree()
    for node in root.iter(*_OPENED):
        node.tag = _OPENED[node.tag]
    for node in root.iter("li", "dd"):
        _unwrap(node)
    for node in root.iter("ol"):
        _number(node)
    for node in list(root.iter("dt")):
        _define(node)
    return _take_tables(root)


def _is_hidden(node: Any) -> bool:
    attributes = node.attrib
    return (
        "hidden" in attributes
        or attributes.get("type", "").lower() == "hidden"
        or bool(_HIDDEN_STYLE.search(attributes.get("style", "")))
    )


def _unwrap(item: Any) -> None:
    # unstructured takes the paragraphs of an item that has several for text outside the list.
    for inner in item.findall("p"):
        inner.tail = "\n" + (inner.tail or "")
        inner.drop_tag()


def _define(term: Any) -> None:
    """Put a term and its definition together, so that neither is cited without the other."""
    definition = term.getnext()
    if definition is None or definition.tag != "dd":
        return
    name = " ".join("".join(term.itertext()).split())
    mark = "" if name.endswith((":", "?", "!", ".")) else ":"
    definition.text = f"{name}{mark} {(definition.text or '').lstrip()}"
    term.getparent().remove(term)


def _number(ordered: Any) -> None:
    start = ordered.get("start", "1")
    number = int(start) if start.isascii() and start.isdigit() and len(start) < 9 else 1
    for item in ordered.iterchildren("li"):
        item.text = f"{number}. {(item.text or '').lstrip()}"
        number += 1


def _take_tables(root: Any) -> list[str]:
    rendered: list[str] = []
    for table in list(root.iter("table")):
        if not _attached(table, root):
            continue
        if _is_layout(table):
            _flatten(table)
        else:
            text = _rendered_table(table)
            mark = lxml_html.Element("p")
            mark.text = _MARK.format(len(rendered)) if text else ""
            mark.tail = table.tail
            table.getparent().replace(table, mark)
            rendered.append(text)
    return rendered


def _attached(node: Any, root: Any) -> bool:
    return node is not root and any(ancestor is root for ancestor in node.iterancestors())


def _is_layout(table: Any) -> bool:
    """Tables that hold headings or other tables arrange a page rather than data."""
    return next(table.iterdescendants("table", "h1", "h2", "h3", "h4"), None) is not None


def _flatten(table: Any) -> None:
    for part in list(table.iter("table", "caption", "thead", "tbody", "tfoot", "tr", "td", "th")):
        if part is not table and next(part.iterancestors("table")) is table and part.tag != "table":
            part.tag = "div"
    table.tag = "div"


def _rendered_table(table: Any) -> str:
    rows, header = _grid(table)
    caption = " ".join(" ".join(c.itertext()) for c in table.iterchildren("caption")).strip()
    text = tables.render(rows, header=header or tables.has_header(rows))
    return "\n".join(part for part in (" ".join(caption.split()), text) if part)


def _grid(table: Any) -> tuple[list[list[str]], bool]:
    """Rows with spans filled in, and whether the first row is marked as a header."""
    rows: list[list[str]] = []
    pending: dict[int, tuple[int, str]] = {}
    header = False
    for tr in table.iter("tr"):
        cells = list(tr.iterchildren("td", "th"))
        if not rows and cells:
            header = all(cell.tag == "th" for cell in cells) or tr.getparent().tag == "thead"
        rows.append(_row(cells, pending))
    return rows, header and len(rows) > 1


def _row(cells: list[Any], pending: dict[int, tuple[int, str]]) -> list[str]:
    row: list[str] = []

    def carry() -> None:
        while len(row) in pending:
            left, text = pending.pop(len(row))
            if left > 1:
                pending[len(row)] = (left - 1, text)
            row.append(text)

    for cell in cells:
        carry()
        text = _cell_text(cell)
        for extra in range(_count(cell, "colspan")):
            down = _count(cell, "rowspan")
            if down > 1:
                pending[len(row)] = (down - 1, text if extra == 0 else "")
            row.append(text if extra == 0 else "")
    carry()
    return row


def _count(cell: Any, name: str) -> int:
    value = cell.get(name, "1").strip()
    return (
        min(max(int(value), 1), _SPAN_MAX)
        if value.isascii() and value.isdigit() and len(value) < 9
        else 1
    )


def _cell_text(cell: Any) -> str:
    return "".join(_in_order(cell))


_BREAKING: Final = frozenset({
    "p", "div", "li", "br", "tr", "td", "th", "ul", "ol", "h1", "h2", "h3", "h4", "h5", "h6", "pre",
    "blockquote",
})  # fmt: skip


def _in_order(node: Any) -> Iterator[str]:
    if node.tag == "img":
        yield node.get("alt", "")
    yield node.text or ""
    for child in node:
        breaking = child.tag in _BREAKING
        if breaking:
            yield " "
        yield from _in_order(child)
        if breaking:
            yield " "
        yield child.tail or ""
