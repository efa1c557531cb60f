"""The lines of a PDF's pages with their places, through pypdfium2.

Headers and footers are dropped here, because only here it is known where a line stands.
"""

import ctypes
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

import pypdfium2

from rag.adapters.parsers.canonical import Limits
from rag.domain.errors import TooLarge

BAND_SHARE: Final = 0.1
FURNITURE_LINES: Final = 3
FURNITURE_PAGES_MIN: Final = 3
FURNITURE_SHARE: Final = 0.5
NUMBERED_MAX: Final = 80

_LINE: Final = re.compile(r"[^\r\n]+")
_DIGITS: Final = re.compile(r"\d+")
_PAGE_NUMBER: Final = re.compile(
    r"(?:page\s*)?[-\u2013\s]*\d{1,5}[-\u2013\s]*(?:(?:of|/)\s*\d{1,5})?", re.IGNORECASE
)

_PAGE_COUNTED: Final = re.compile(r"\bpage\s+(\d{1,5})(?:\s*(?:of|/)\s*\d{1,5})?$", re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """A line of a page. `base` is its base line's height above the page's foot, and `size` the
    height of its letters, both in points and 0 where unknown; `page` counts from 1.
    """

    text: str
    page: int
    base: float = 0.0
    size: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class _Page:
    """A page's lines, and the indices of those that may be its header or footer."""

    lines: tuple[Line, ...]
    edges: tuple[int, ...]


def read_lines(document: pypdfium2.PdfDocument, limits: Limits) -> tuple[Line, ...]:
    """All lines in reading order, without running headers, footers and page numbers.

    Raises:
        TooLarge: over the limit of pages or characters.
    """
    if len(document) > limits.pages_max:
        raise TooLarge(f"{len(document)} pages, over the limit of {limits.pages_max}")
    pages: list[_Page] = []
    n_chars = 0
    for index in range(len(document)):
        page = _page(document, index)
        n_chars += sum(len(line.text) for line in page.lines)
        if n_chars > limits.text_chars_max:
            raise TooLarge(f"over {limits.text_chars_max} characters of text")
        pages.append(page)
    return tuple(_without_furniture(pages))


def _page(document: pypdfium2.PdfDocument, index: int) -> _Page:
    try:
        page = document[index]
        try:
            text_page = page.get_textpage()
            box = page.get_bbox()
            lines = tuple(_lines(text_page, index + 1, box))
            text_page.close()
        finally:
            page.close()
    except pypdfium2.PdfiumError:
        # One broken page must not hide the others; its text is missing, never invented.
        return _Page(lines=(), edges=())
    return _Page(lines=lines, edges=_edges(lines, box[3] - box[1]))


def _lines(text_page: Any, page: int, box: tuple[float, ...]) -> Iterator[Line]:
    text = text_page.get_text_range()
    if len(text) != text_page.count_chars():
        # Characters outside the basic plane shift the indices: the text is right, places are not.
        for match in _LINE.finditer(text_page.get_text_bounded()):
            yield Line(text=match.group().rstrip(), page=page)
        return
    left, bottom, right, top = box
    for match in _LINE.finditer(text):
        x, base, size = _place(text_page, match.start())
        # What lies outside the page's box, nobody sees.
        if match.group().strip() and left <= x <= right and bottom <= base <= top:
            yield Line(text=match.group().rstrip(), page=page, base=base - bottom, size=size)


def _place(text_page: Any, index: int) -> tuple[float, float, float]:
    """Left edge, base line and letter height of a character, with all transformations applied."""
    x, y = ctypes.c_double(), ctypes.c_double()
    box = pypdfium2.raw.FS_RECTF()
    pypdfium2.raw.FPDFText_GetCharOrigin(text_page, index, x, y)
    pypdfium2.raw.FPDFText_GetLooseCharBox(text_page, index, box)
    return x.value, y.value, round(abs(box.top - box.bottom) * 2) / 2


def _edges(lines: Sequence[Line], height: float) -> tuple[int, ...]:
    """Indices of the first and last few lines that lie in the page's top and bottom bands."""
    if len(lines) <= 2:
        return ()
    band = height * BAND_SHARE
    by_height = sorted(
        (i for i, line in enumerate(lines) if line.size), key=lambda i: lines[i].base
    )
    foot = [i for i in by_height[:FURNITURE_LINES] if lines[i].base < band]
    head = [i for i in by_height[-FURNITURE_LINES:] if lines[i].base > height - band]
    return tuple(sorted({*head, *foot}))


def _without_furniture(pages: Sequence[_Page]) -> Iterator[Line]:
    counts: Counter[str] = Counter()
    for index, page in enumerate(pages):
        counts.update({s for i in page.edges for s in _shapes(page.lines[i].text, index)})
    least = max(FURNITURE_PAGES_MIN, len(pages) * FURNITURE_SHARE)
    repeated = {shape for shape, count in counts.items() if count >= least}
    for index, page in enumerate(pages):
        for i, line in enumerate(page.lines):
            if i not in page.edges or not _is_furniture(line, index, repeated):
                yield line


def _is_furniture(line: Line, index: int, repeated: set[str]) -> bool:
    text = line.text.strip()
    counted = _PAGE_COUNTED.search(text)
    if counted and int(counted.group(1)) == index + 1:
        return True
    return bool(_PAGE_NUMBER.fullmatch(text)) or not repeated.isdisjoint(_shapes(text, index))


def _shapes(line: str, index: int) -> Iterator[str]:
    """The line itself, and with its first or last number taken relative to the page's.

    Only numbers that count with the pages make two lines the same: chapters keep their titles.
    """
    text = " ".join(line.split()).casefold()
    yield text
    # A sentence that counts with the pages is a coincidence, not a footer.
    digits = list(_DIGITS.finditer(text)) if len(text) <= NUMBERED_MAX else []
    for match in digits[:1] + digits[-1:]:
        offset = int(match.group()[:9]) - index
        yield f"{text[: match.start()]}#{offset}{text[match.end() :]}"
