"""PDF through pypdfium2: paragraphs rebuilt from lines, with page numbers.

Only the text a page holds: a scan has none, and reading images is not done here.
"""

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from statistics import median
from typing import Final

import pypdfium2

from rag.adapters.parsers.canonical import Block, Limits, Reading, clean, paragraph
from rag.adapters.parsers.text_reader import is_item, looks_tabular
from rag.domain.document import ElementKind
from rag.domain.errors import ParseFailed, TooLarge

FURNITURE_LINES: Final = 2
FURNITURE_PAGES_MIN: Final = 3
FURNITURE_SHARE: Final = 0.5

_DIGITS: Final = re.compile(r"\d+")
_PAGE_NUMBER: Final = re.compile(r"(?:page\s*)?[-\u2013\s]*\d{1,5}[-\u2013\s]*(?:(?:of|/)\s*\d{1,5})?", re.IGNORECASE)
# pypdfium2 writes a hyphen at the end of a line that breaks a word as U+FFFE.
_BROKEN: Final = re.compile(r"(\w+)(?:\ufffe|[-\u00ad\u2010])$")
_WORD: Final = re.compile(r"\w+")
_SENTENCE_ENDS: Final = (".", "!", "?", ":", ";")


def read_pdf(data: bytes, limits: Limits) -> Reading:
    """A PDF's text, page by page.

    Raises:
        TooLarge: over the limit of pages or characters. ParseFailed: encrypted or damaged.
    """
    try:
        document = pypdfium2.PdfDocument(data)
    except pypdfium2.PdfiumError as exc:
        raise ParseFailed(_reason(exc)) from exc
    try:
        if len(document) > limits.pages_max:
            raise TooLarge(f"{len(document)} pages, over the limit of {limits.pages_max}")
        pages = _pages(document, limits)
        title = str(document.get_metadata_value("Title") or "").strip()
    finally:
        document.close()
    return Reading(blocks=tuple(_blocks(pages)), title="" if _is_file_name(title) else title)


def _reason(exc: Exception) -> str:
    text = str(exc)
    return "encrypted with a password" if "password" in text.casefold() else f"damaged PDF: {text}"


def _is_file_name(title: str) -> bool:
    return bool(re.search(r"\.\w{2,5}$|^(?:untitled|microsoft word)", title, re.IGNORECASE))


def _pages(document: pypdfium2.PdfDocument, limits: Limits) -> list[list[str]]:
    pages: list[list[str]] = []
    n_chars = 0
    for number in range(len(document)):
        text = _page_text(document, number)
        n_chars += len(text)
        if n_chars > limits.text_chars_max:
            raise TooLarge(f"over {limits.text_chars_max} characters of text")
        pages.append([line.rstrip() for line in text.split("\n")])
    return _without_furniture(pages)


def _page_text(document: pypdfium2.PdfDocument, number: int) -> str:
    try:
        page = document[number]
    except pypdfium2.PdfiumError:
        # One broken page must not hide the others; its text is missing, never invented.
        return ""
    try:
        text_page = page.get_textpage()
        try:
            # Bounded by the page's box: what lies outside it, nobody sees.
            return str(text_page.get_text_bounded()).replace("\r\n", "\n").replace("\r", "\n")
        finally:
            text_page.close()
    except pypdfium2.PdfiumError:
        return ""
    finally:
        page.close()


def _without_furniture(pages: list[list[str]]) -> list[list[str]]:
    """Pages without the lines that stand at the top or bottom of most, and bare page numbers."""
    counts: Counter[str] = Counter()
    for lines in pages:
        counts.update({_shape(lines[i]) for i in _edges(lines)})
    least = max(FURNITURE_PAGES_MIN, len(pages) * FURNITURE_SHARE)
    repeated = {shape for shape, count in counts.items() if count >= least}
    return [_stripped(lines, repeated, len(pages) > 1) for lines in pages]


def _stripped(lines: list[str], repeated: set[str], numbered: bool) -> list[str]:
    edges = _edges(lines)
    dropped = {i for i in edges if _shape(lines[i]) in repeated}
    if numbered and edges:
        dropped |= {i for i in (edges[0], edges[-1]) if _PAGE_NUMBER.fullmatch(lines[i].strip())}
    return [line for i, line in enumerate(lines) if i not in dropped]


def _edges(lines: list[str]) -> list[int]:
    filled = [i for i, line in enumerate(lines) if line.strip()]
    if len(filled) <= 2 * FURNITURE_LINES:
        return sorted({*filled[:1], *filled[-1:]}) if len(filled) > 2 else []
    return [*filled[:FURNITURE_LINES], *filled[-FURNITURE_LINES:]]


def _shape(line: str) -> str:
    return _DIGITS.sub("#", " ".join(line.split()).casefold())


def _blocks(pages: Sequence[list[str]]) -> Iterator[Block]:
    vocabulary = {word.casefold() for lines in pages for line in lines for word in _WORD.findall(line)}
    for number, lines in enumerate(pages, start=1):
        for is_list, group in _groups(lines):
            text = _joined(group, vocabulary)
            if is_list:
                yield Block(kind=ElementKind.LIST_ITEM, text=text, page=number)
            else:
                yield paragraph(text, number)


def _groups(lines: list[str]) -> Iterator[tuple[bool, list[str]]]:
    """Lines of one paragraph or list item together.

    A paragraph ends at an empty line, before an item, at a line that looks like columns, and
    after a short line that ends a sentence.
    """
    width = _text_width(lines)
    group: list[str] = []
    is_list = False
    for line in lines:
        if group and _parts(group[-1], line, width):
            yield is_list, group
            group = []
        if line.strip():
            is_list = is_item(line) if not group else is_list
            group.append(line)
    if group:
        yield is_list, group


def _parts(last: str, line: str, width: float) -> bool:
    if not line.strip() or is_item(line):
        return True
    is_short = len(last) < 0.75 * width
    starts_anew = line.lstrip()[:1].isupper() or line.lstrip()[:1].isdigit()
    if is_short and (last.rstrip().endswith(_SENTENCE_ENDS) or starts_anew):
        return True
    return looks_tabular(last) != looks_tabular(line)


def _text_width(lines: list[str]) -> float:
    lengths = sorted(len(line) for line in lines if line.strip())
    return median(lengths[len(lengths) // 2 :]) if lengths else 0.0


def _joined(lines: list[str], vocabulary: set[str]) -> str:
    if any(looks_tabular(line) for line in lines):
        return "\n".join(line.strip() for line in lines)
    text = lines[0].strip()
    for line in lines[1:]:
        text = _continued(text, line.strip(), vocabulary)
    return clean(text.replace("\ufffe", "-"))


def _continued(text: str, line: str, vocabulary: set[str]) -> str:
    broken = _BROKEN.search(text)
    following = _WORD.match(line)
    if broken is None or following is None:
        return f"{text} {line}"
    whole = broken.group(1) + following.group()
    if whole.casefold() in vocabulary:
        return text[: broken.end(1)] + line
    return text[: broken.end(1)] + "-" + line
