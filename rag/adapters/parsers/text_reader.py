"""Plain text: paragraphs, and only those headings that cannot be anything else."""

import re
from collections.abc import Iterator
from typing import Final

from rag.adapters.parsers.canonical import (
    Block,
    Limits,
    Reading,
    clean,
    heading,
    paragraph,
    split_paragraphs,
)
from rag.adapters.parsers.decoding import decode
from rag.domain.document import ElementKind

HEADING_MAX: Final = 100

_NUMBERED: Final = re.compile(
    r"(\d{1,3}(?:\.\d{1,3}){0,4})\.?[ \t]+([A-Z\u00c0-\u00de][^\n]{0,90})"
)
_UNDERLINE: Final = re.compile(r"([=~*#^-])\1{2,}")
_ITEM: Final = re.compile(
    r"[ \t]*(?:[-*+\u2022\u25aa\u25cf\u2013\u2023]|\(?(?:\d{1,3}|[a-z])[.)])[ \t]+\S"
)
_WRAP_MIN: Final = 50
# Editors wrap at one width, but people then change a word.
_RAGGED: Final = 4


def read_text(data: bytes, _limits: Limits) -> Reading:
    """Plain text in any encoding."""
    return Reading(blocks=tuple(text_blocks(decode(data))))


def text_blocks(text: str, page: int | None = None) -> Iterator[Block]:
    """The blocks of plain text; wrapped lines are joined again."""
    for part in split_paragraphs(clean(text)):
        yield from _blocks(part.strip("\n").split("\n"), page)


def is_item(line: str) -> bool:
    """Whether a line opens a list item."""
    return _ITEM.match(line) is not None


def join_wrapped(lines: list[str]) -> list[str]:
    """Lines with those joined that a program wrapped at a width, not a person on purpose.

    A line goes on in the next when the next line's first word would not have fitted, or when it
    is fairly long and the next begins in lower case.
    """
    width = max(map(len, lines))
    if width < _WRAP_MIN:
        return lines
    joined = [lines[0].strip()]
    last = lines[0]
    for line in lines[1:]:
        first_word = line.split(maxsplit=1)[0] if line.strip() else ""
        is_full = len(last.rstrip()) + 1 + len(first_word) > width - _RAGGED
        goes_on = first_word[:1].islower() and len(last.rstrip()) > 0.6 * width
        if first_word and (is_full or goes_on) and not looks_tabular(line):
            joined[-1] += " " + line.strip()
        else:
            joined.append(line.strip())
        last = line
    return joined


def looks_tabular(line: str) -> bool:
    """Whether a line holds columns: gaps of three blanks or tabs between words."""
    return bool(re.search(r"\S(?: {3,}|\t+)\S", line)) or line.count("|") >= 2


def _blocks(lines: list[str], page: int | None) -> Iterator[Block]:
    title, level = _heading_in(lines)
    if title:
        yield heading(title, level, page)
        lines = lines[2 if level <= 2 and len(lines) > 1 and _is_underline(lines) else 1 :]
    if not lines:
        return
    if sum(looks_tabular(line) for line in lines) > len(lines) / 2:
        yield paragraph("\n".join(lines), page)
        return
    for is_list, group in _groups(lines):
        text = "\n".join(join_wrapped(group))
        kind = ElementKind.LIST_ITEM if is_list else ElementKind.PARAGRAPH
        yield Block(kind=kind, text=" ".join(text.split()) if is_list else text, page=page)


def _heading_in(lines: list[str]) -> tuple[str, int]:
    """The heading a paragraph opens with, and its level; empty when there is none."""
    first = lines[0].strip()
    if (
        not first
        or len(first) > HEADING_MAX
        or first.endswith((".", ",", ";"))
        or looks_tabular(first)
    ):
        return "", 0
    if _is_underline(lines):
        return first, 1 if lines[1].strip()[0] in "=#*" else 2
    numbered = _NUMBERED.fullmatch(first)
    # A numbered line that stands with others of its kind is a list.
    if (
        numbered
        and len(lines) == 1
        and ("." in numbered.group(1) or _is_caption(numbered.group(2)))
    ):
        return first, numbered.group(1).count(".") + 1
    # Several loud lines together are shouting, or a form.
    is_alone = len(lines) == 1 or not _is_loud(lines[1].strip())
    return (first, 1) if _is_loud(first) and is_alone else ("", 0)


def _is_loud(line: str) -> bool:
    n_letters = sum(c.isalpha() for c in line)
    return n_letters > 3 and line == line.upper() and not is_item(line)


def _is_underline(lines: list[str]) -> bool:
    if len(lines) < 2:
        return False
    line = lines[1].strip()
    return bool(_UNDERLINE.fullmatch(line)) and len(line) >= 0.6 * len(lines[0].strip())


def _is_caption(text: str) -> bool:
    return len(text.split()) <= 8 and not text.endswith((".", ":", "?", "!"))


def _groups(lines: list[str]) -> Iterator[tuple[bool, list[str]]]:
    """Runs of lines that belong together: one group for each list item."""
    group: list[str] = []
    is_list = False
    for line in lines:
        opens = is_item(line)
        # Unindented text after an item's only line ends the list.
        ends = (
            is_list
            and not opens
            and not line[:1].isspace()
            and group[-1].rstrip().endswith((".", ":"))
        )
        if group and (opens or ends):
            yield is_list, group
            group = []
        if not group:
            is_list = opens
        group.append(line)
    if group:
        yield is_list, group
