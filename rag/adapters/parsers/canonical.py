"""Canonical text: what every span of Sworn counts in.

The text is Unicode NFC with `\\n` only. Blocks are separated by one empty line, list items and
rows by a line break. Controls and invisible characters that could hide or reorder text are gone.
A change here changes canonical texts: raise `CANONICAL_VERSION` with it.
"""

import re
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Final
from urllib.parse import unquote, urlsplit

from rag.domain.document import Element, ElementKind, ParsedDocument
from rag.domain.words import Span

CANONICAL_VERSION: Final = 1
TITLE_MAX: Final = 300
LEVEL_DEEPEST: Final = 9

_LINE_BREAKS: Final = re.compile(r"\r\n|[\r\v\f\x1c-\x1e\x85\u2028\u2029]")
# Everything that is not shown but is read by a machine: bidi controls (a known way to make text
# look other than it is), zero-width characters, tag characters and variation-selector supplements
# (both carry hidden messages), soft hyphens, interlinear marks, fillers, byte order marks.
_INVISIBLE: Final = re.compile(
    "[\x00-\x08\x0e-\x1b\x1f\x7f-\x84\x86-\x9f\xad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f"
    "\u200b\u200e\u200f\u202a-\u202e\u2060-\u206f\u3164\ufeff\uffa0\ufff0-\ufffb"
    "\U000e0000-\U000e0fff]"
)
# Joiners are letters of a kind in Arabic and Indic scripts and in emoji, and nothing elsewhere.
_JOINERS: Final = re.compile(
    "(?<![\u0590-\u1fff\u2190-\u2bff\ufe0f\U0001f000-\U0001faff])[\u200c\u200d]"
)
_SURROGATES: Final = re.compile("[\ud800-\udfff]")
_SPACES: Final = re.compile("[\xa0\u1680\u2000-\u200a\u202f\u205f\u3000]")
_TRAILING: Final = re.compile(r"[ \t]+(?=\n|$)")
_BLANK_LINES: Final = re.compile(r"\n{3,}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """A part of a document as a reader found it, before its place in the text is known.

    `level` is for headings: 1 is outermost. `tight` puts it on the line after the block before it.
    """

    kind: ElementKind
    text: str
    level: int = 1
    page: int | None = None
    tight: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """What a reader made of a document's bytes. `title` is empty where the format names none."""

    blocks: tuple[Block, ...]
    title: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What one document may cost. `text_chars_max` counts canonical text."""

    bytes_max: int = 100_000_000
    pages_max: int = 2_000
    text_chars_max: int = 20_000_000


def heading(text: str, level: int, page: int | None = None) -> Block:
    """A heading; 1 is outermost."""
    level = min(max(level, 1), LEVEL_DEEPEST)
    return Block(kind=ElementKind.HEADING, text=" ".join(text.split()), level=level, page=page)


def paragraph(text: str, page: int | None = None) -> Block:
    """A paragraph; line breaks in it are kept."""
    return Block(kind=ElementKind.PARAGRAPH, text=text, page=page)


def clean(text: str) -> str:
    """`text` as it may stand in canonical text: NFC, `\\n`, nothing invisible, ends trimmed.

    Lone surrogates become U+FFFD: they cannot be encoded, hence not stored or digested.
    """
    text = _LINE_BREAKS.sub("\n", text)
    if not text.isascii():
        text = _SURROGATES.sub("\ufffd", text)
        text = _SPACES.sub(" ", _JOINERS.sub("", _INVISIBLE.sub("", text)))
        text = unicodedata.normalize("NFC", text)
    else:
        text = _INVISIBLE.sub("", text)
    text = _BLANK_LINES.sub("\n\n", _TRAILING.sub("", text))
    return text.strip("\n")


def compose(reading: Reading, *, uri: str, parser: str) -> ParsedDocument:
    """Lay the blocks out as one text and give each its exact span.

    A block whose text is blank once cleaned leaves no trace.
    """
    pieces: list[str] = []
    elements: list[Element] = []
    path: list[tuple[int, str]] = []
    size = 0
    previous: Block | None = None
    for block in reading.blocks:
        text = _trimmed(block)
        if not text:
            continue
        gap = _gap(previous, block)
        pieces.append(gap + text)
        start = size + len(gap)
        size = start + len(text)
        if block.kind is ElementKind.HEADING:
            path = [entry for entry in path if entry[0] < block.level]
        section = tuple(name for _, name in path)
        if block.kind is ElementKind.HEADING:
            path.append((block.level, text))
        elements.append(
            Element(kind=block.kind, span=Span(start, size), section=section, page=block.page)
        )
        previous = block
    title = clean(" ".join(reading.title.split())) or _first_heading(reading.blocks)
    return ParsedDocument(
        text="".join(pieces),
        elements=tuple(elements),
        title=(title or name_in(uri))[:TITLE_MAX],
        parser=parser,
    )


def name_in(uri: str) -> str:
    """The last part of a uri or path, as people would read it."""
    path = unquote(urlsplit(uri).path) if "://" in uri else uri
    return clean(" ".join(PurePosixPath(path.replace("\\", "/")).name.split())) or "untitled"


def split_paragraphs(text: str) -> Iterable[str]:
    """The parts of `text` between empty lines, blank ones left out."""
    return (part for part in re.split(r"\n[ \t]*\n", text) if part.strip())


def _trimmed(block: Block) -> str:
    text = clean(block.text)
    # The indentation of code's first line is part of the code.
    return text if block.kind is ElementKind.CODE and text.strip() else text.strip()


def _gap(previous: Block | None, block: Block) -> str:
    if previous is None:
        return ""
    both_items = previous.kind is block.kind is ElementKind.LIST_ITEM
    return "\n" if block.tight or both_items else "\n\n"


def _first_heading(blocks: Sequence[Block]) -> str:
    """The first of the outermost headings, unless it comes late in the document."""
    headings = [block for block in blocks if block.kind is ElementKind.HEADING]
    if not headings:
        return ""
    level = min(block.level for block in headings)
    return clean(next(block.text for block in headings if block.level == level))
