"""PDF: paragraphs and headings rebuilt from lines, with page numbers.

Only the text a page holds: a scan has none, and reading images is not done here. Headings are the
document's own bookmarks, else short lines in larger letters than the body.
"""

import importlib
import os
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from collections.abc import Set as AbstractSet
from functools import cache
from itertools import pairwise
from statistics import median
from typing import Any, Final

import pypdfium2

from rag.adapters.parsers.canonical import Block, Limits, Reading, clean, heading
from rag.adapters.parsers.pdf_lines import Line, read_lines
from rag.adapters.parsers.text_reader import is_item, looks_tabular
from rag.domain.document import ElementKind
from rag.domain.errors import ParseFailed

OUTLINE_MAX: Final = 10_000
HEADING_MAX: Final = 150
HEADING_RATIO: Final = 1.12
PARAGRAPH_GAP: Final = 1.15

# Where a line ends in a hyphen, PDFium joins the halves with U+FFFE and drops the hyphen.
_BROKEN: Final = re.compile("(\\w+)(?:[\x02\ufffe]|[-\xad\u2010] )(?=(\\w+))")
_WHOLE: Final = re.compile("(?<![\\w\x02\ufffe-])\\w+(?![\\w\x02\ufffe-])")
_SENTENCE_ENDS: Final = (".", "!", "?", ":", ";")

Outline = dict[tuple[int, str], int]


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
        lines = read_lines(document, limits)
        outline = _outline(document)
        title = str(document.get_metadata_value("Title") or "").strip()
    finally:
        document.close()
    return Reading(
        blocks=tuple(_blocks(lines, outline)), title="" if _is_file_name(title) else title
    )


def _reason(exc: Exception) -> str:
    text = str(exc)
    return "encrypted with a password" if "password" in text.casefold() else f"damaged PDF: {text}"


def _is_file_name(title: str) -> bool:
    return bool(re.search(r"\.\w{2,5}$|^(?:untitled|microsoft word)", title, re.IGNORECASE))


def _outline(document: pypdfium2.PdfDocument) -> Outline:
    """Levels of the document's own bookmarks by page and folded title: its headings, for sure."""
    levels: Outline = {}
    try:
        for n_marks, mark in enumerate(document.get_toc()):
            target = mark.get_dest()
            index = None if target is None else target.get_index()
            if n_marks >= OUTLINE_MAX:
                break
            if index is not None:
                levels.setdefault((index + 1, _folded(mark.get_title())), mark.level + 1)
    except pypdfium2.PdfiumError:
        return levels
    return levels


def _folded(text: str) -> str:
    return "".join(clean(text).split()).casefold()


def _blocks(lines: Sequence[Line], outline: Outline) -> Iterator[Block]:
    vocabulary = {word.casefold() for line in lines for word in _WHOLE.findall(line.text)}
    levels = _levels(lines)
    leading = _leading(lines)
    for group, level in _groups(lines, outline, levels, leading):
        text = _joined([line.text for line in group], vocabulary)
        if level:
            yield heading(text, level, group[0].page)
        else:
            is_list = is_item(group[0].text)
            kind = ElementKind.LIST_ITEM if is_list else ElementKind.PARAGRAPH
            yield Block(kind=kind, text=text, page=group[0].page)


def _levels(lines: Sequence[Line]) -> dict[float, int]:
    """Heading levels by letter height: 1 for the largest; none for the body's and smaller ones."""
    weights: Counter[float] = Counter()
    for line in lines:
        weights[line.size] += len(line.text)
    if not weights:
        return {}
    body = weights.most_common(1)[0][0]
    larger = sorted((size for size in weights if size > body * HEADING_RATIO), reverse=True)
    # Without a body size, or with most of the text large, sizes say nothing.
    if not body or sum(weights[size] for size in larger) > 0.3 * weights.total():
        return {}
    return {size: level for level, size in enumerate(larger, start=1)}


def _leading(lines: Sequence[Line]) -> float:
    """The usual distance of two base lines in a paragraph; 0 where unknown."""
    gaps: Counter[float] = Counter()
    for last, line in pairwise(lines):
        gap = last.base - line.base
        if last.page == line.page and last.size == line.size and 0 < gap < 3 * line.size:
            gaps[round(gap * 2) / 2] += len(last.text)
    return gaps.most_common(1)[0][0] if gaps else 0.0


def _groups(
    lines: Sequence[Line], outline: Outline, levels: dict[float, int], leading: float
) -> Iterator[tuple[list[Line], int]]:
    """Lines of one paragraph, list item or heading together, headings with their level."""
    widths = _widths(lines)
    group: list[Line] = []
    group_level = 0
    for line in lines:
        level = _level(line, outline, levels)
        if group and (level != group_level or _parts(group[-1], line, leading, widths, level)):
            yield group, group_level
            group = []
        group.append(line)
        group_level = level
    if group:
        yield group, group_level


def _level(line: Line, outline: Outline, levels: dict[float, int]) -> int:
    text = line.text.strip()
    by_outline = outline.get((line.page, _folded(text)), 0)
    if by_outline:
        return by_outline
    level = levels.get(line.size, 0)
    is_long = len(text) > HEADING_MAX or text.endswith((".", ",", ";"))
    return 0 if is_long or outline or not any(c.isalpha() for c in text) else level


def _parts(last: Line, line: Line, leading: float, widths: dict[int, float], level: int) -> bool:
    """Whether a new block begins between two lines."""
    gap = last.base - line.base
    same_column = last.page == line.page and gap > 0 and bool(line.size)
    if level:
        return not same_column or gap > 2 * line.size
    if is_item(line.text) or last.size != line.size:
        return True
    if looks_tabular(last.text) != looks_tabular(line.text):
        return True
    if same_column and leading and gap > PARAGRAPH_GAP * leading:
        return True
    is_short = len(last.text) < 0.75 * widths[last.page]
    ends = last.text.rstrip().endswith(_SENTENCE_ENDS)
    if last.page != line.page:
        # A paragraph goes on over the page's end only where its last sentence does.
        return ends or is_short or not line.text.lstrip()[:1].islower()
    starts_anew = line.text.lstrip()[:1].isupper() or line.text.lstrip()[:1].isdigit()
    return is_short and (ends or starts_anew)


def _widths(lines: Sequence[Line]) -> dict[int, float]:
    """How many characters a full line of each page has."""
    lengths: dict[int, list[int]] = {}
    for line in lines:
        lengths.setdefault(line.page, []).append(len(line.text))
    return {page: median(sorted(of)[len(of) // 2 :]) for page, of in lengths.items()}


@cache
def _english() -> AbstractSet[str]:
    """Common English words, from the list that unstructured carries."""
    os.environ["DO_NOT_TRACK"] = os.environ["SCARF_NO_ANALYTICS"] = "true"
    english: Any = importlib.import_module("unstructured.nlp.english_words")
    return frozenset(english.ENGLISH_WORDS)


def _joined(lines: Sequence[str], vocabulary: AbstractSet[str]) -> str:
    if any(looks_tabular(line) for line in lines):
        return "\n".join(line.strip() for line in lines)
    text = " ".join(line.strip() for line in lines)

    def mend(match: re.Match[str]) -> str:
        # Only a word that is known is put together: `long-term` must not become `longterm`.
        whole = (match.group(1) + match.group(2)).casefold()
        known = whole in vocabulary or whole in _english()
        return match.group(1) if known else match.group(1) + "-"

    return _BROKEN.sub(mend, text)
