"""Structure-aware chunks in two sizes that never cut a sentence or a table row.

Where a chunk ends depends only on text nearby (content-defined, as in rsync-like chunking:
Muthitacharoen et al., LBFS, 2001), so that an edit changes the chunks around it and the rest of
a long document keeps its chunks, ids, postings and vectors.
"""

import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Final

from rag.domain.chunk import Child, Parent
from rag.domain.document import Element, ElementKind, ParsedDocument
from rag.domain.ids import digest_text
from rag.domain.words import Span, sentence_spans

# One piece in four may end a parent that is past its smallest size.
_CUT_MODULUS: Final = 4
_MIN_SHARE: Final = 0.4


@dataclass(frozen=True, slots=True, kw_only=True)
class ChunkSizes:
    """Largest sizes in code points. A single sentence or row may be longer than either."""

    parent: int = 1600
    child: int = 800


def chunk(parsed: ParsedDocument, key: str, sizes: ChunkSizes) -> tuple[Parent, ...]:
    """Parents in text order, children inside; every element lies in exactly one parent.

    A parent holds elements of one section only. Its `header` is title, key and section path.
    """
    parents: list[Parent] = []
    for path, group in groupby(_with_headings(parsed), key=lambda item: item[0]):
        header = _header(parsed.title, key, path)
        pieces = _pieces(parsed.text, [element for _, element in group], sizes.child)
        parents.extend(_parents(parsed.text, pieces, header, sizes))
    return tuple(parents)


def _with_headings(parsed: ParsedDocument) -> Iterator[tuple[tuple[str, ...], Element]]:
    """Each element with the path of the section it opens or stands in."""
    for element in parsed.elements:
        if element.kind is ElementKind.HEADING:
            yield (*element.section, element.span.of(parsed.text)), element
        else:
            yield element.section, element


def _header(title: str, key: str, path: Sequence[str]) -> str:
    stem = key.rsplit(".", 1)[0].replace("/", " ").replace("_", " ").replace("-", " ")
    return "\n".join((title, stem, " > ".join(path))).strip()


def _pieces(text: str, elements: Sequence[Element], limit: int) -> list[Span]:
    """Elements whole where they fit, else their sentences or rows, packed up to `limit`."""
    pieces: list[Span] = []
    for element in elements:
        if len(element.span) <= limit:
            pieces.append(element.span)
        else:
            pieces.extend(_packed(_atoms(text, element), limit))
    return pieces


def _atoms(text: str, element: Element) -> Sequence[Span]:
    """What may not be cut: rows and code lines, or sentences."""
    if element.kind in (ElementKind.TABLE, ElementKind.CODE):
        return _lines(text, element.span)
    return sentence_spans(text, element.span.start, element.span.end)


def _lines(text: str, span: Span) -> list[Span]:
    lines: list[Span] = []
    start = span.start
    for line in span.of(text).splitlines(keepends=True):
        stripped = line.rstrip("\n")
        if stripped.strip():
            lines.append(Span(start, start + len(stripped)))
        start += len(line)
    return lines


def _packed(atoms: Sequence[Span], limit: int) -> Iterator[Span]:
    """Neighbours joined up to `limit`; an atom over the limit stays whole."""
    start: int | None = None
    end = 0
    for atom in atoms:
        if start is not None and atom.end - start > limit:
            yield Span(start, end)
            start = None
        if start is None:
            start = atom.start
        end = atom.end
    if start is not None:
        yield Span(start, end)


def _parents(text: str, pieces: Sequence[Span], header: str, sizes: ChunkSizes) -> Iterator[Parent]:
    held: list[Span] = []
    for piece in pieces:
        if held and _ends_before(text, held, piece, sizes.parent):
            yield _parent(text, held, header, sizes.child)
            held = []
        held.append(piece)
    if held:
        yield _parent(text, held, header, sizes.child)


def _ends_before(text: str, held: Sequence[Span], piece: Span, limit: int) -> bool:
    start = held[0].start
    if piece.end - start > limit:
        return True
    if held[-1].end - start < limit * _MIN_SHARE:
        return False
    # The hash of the piece that would come next: an edit elsewhere cannot move this cut.
    return zlib.crc32(piece.of(text).encode()) % _CUT_MODULUS == 0


def _parent(text: str, pieces: Sequence[Span], header: str, child_limit: int) -> Parent:
    span = Span(pieces[0].start, pieces[-1].end)
    children = tuple(
        Child(span=s, text_digest=digest_text(s.of(text))) for s in _packed(pieces, child_limit)
    )
    return Parent(
        span=span, text_digest=digest_text(span.of(text)), header=header, children=children
    )
