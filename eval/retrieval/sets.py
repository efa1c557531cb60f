"""What retrieval is measured on: documents as they would be indexed, and questions with gold.

A gold place is a document, or a span of its canonical text. Measures see passages and gold places
only, so that every set is measured by the same code.
"""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from rag.adapters.parsers.canonical import Limits, Reading, clean, compose
from rag.adapters.parsers.code_reader import read_code
from rag.adapters.parsers.text_reader import read_text
from rag.domain.document import EVERYONE, ParsedDocument
from rag.domain.words import Span

SILO: Final = "set"
PARSER: Final = "eval retrieval 1"
_SEED: Final = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """A parsed document, and who may read it."""

    key: str
    parsed: ParsedDocument
    silo: str = SILO
    groups: frozenset[str] = frozenset({EVERYONE})

    @property
    def name(self) -> str:
        """`silo/key`, as the gold names it."""
        return f"{self.silo}/{self.key}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Gold:
    """One thing that should be found: a document, or, with a span, that place of its text.

    `quote` is what a passage has to contain, where only the words are known.
    """

    document: str
    span: Span | None = None
    quote: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A question and its gold, all of which counts the same.

    `source` is what questions share that are not independent: intervals draw whole sources.
    `part` is the part of the set that it belongs to, where a mean over parts is reported.
    """

    id: str
    question: str
    gold: tuple[Gold, ...]
    source: str
    part: str = ""
    groups: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class RetrievalSet:
    """`measures` name what is reported (eval/retrieval/measures.py), the first decides.

    `has_long_documents` where sizes of chunks can matter: each document is many of them.
    `has_titles` where titles say something. `is_selected` where what belt two would show is
    measured, and not the ranking that it is chosen from.
    """

    name: str
    title: str
    documents: tuple[Document, ...]
    asked: tuple[Asked, ...]
    measures: tuple[str, ...]
    has_long_documents: bool = False
    has_titles: bool = False
    is_selected: bool = False
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class NotThere:
    """A set whose file is not in the folder."""

    name: str
    path: str


def plain_document(key: str, text: str, title: str = "", *, is_code: bool = False) -> Document:
    """A document of plain text or code, read as the product's own parsers read it."""
    read = read_code if is_code else read_text
    reading = read(text.encode("utf-8", "surrogatepass"), Limits())
    # A parser names an untitled document by its file, and so does this.
    titled = Reading(blocks=reading.blocks, title=title or key)
    return Document(key=key, parsed=compose(titled, uri=key, parser=PARSER))


def drawn(asked: Sequence[Asked], limit: int | None) -> tuple[Asked, ...]:
    """At most `limit` of the questions, the same ones each time, in their order."""
    if limit is None or len(asked) <= limit:
        return tuple(asked)
    kept = set(random.Random(_SEED).sample(range(len(asked)), limit))  # noqa: S311 - no secret
    return tuple(a for n, a in enumerate(asked) if n in kept)


class Places:
    """Finds the places of a source text in its canonical text, which differ in white space."""

    def __init__(self, source: str, canonical: str) -> None:
        self._bare, self._at = _without_space(canonical)
        self._source = source

    def find(self, quoted: str, start: int) -> Span | None:
        """Where `quoted` stands, which stands at `start` of the source; None if nowhere.

        Of several occurrences the one nearest to `start` is meant.
        """
        wanted = _without_space(clean(quoted))[0]
        if not wanted:
            return None
        expected = len("".join(self._source[:start].split()))
        found = _occurrences(self._bare, wanted)
        if not found:
            return None
        first = min(found, key=lambda p: abs(p - expected))
        return Span(self._at[first], self._at[first + len(wanted) - 1] + 1)


def _without_space(text: str) -> tuple[str, list[int]]:
    at = [i for i, c in enumerate(text) if not c.isspace()]
    return "".join(text[i] for i in at), at


def _occurrences(text: str, wanted: str) -> Sequence[int]:
    found: list[int] = []
    place = text.find(wanted)
    while place >= 0:
        found.append(place)
        place = text.find(wanted, place + 1)
    return found
