"""Documents on their way from a silo into the catalog."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final

from rag.domain.ids import Digest, DocumentId, SiloId, document_id
from rag.domain.words import Span

EVERYONE: Final = "*"


@dataclass(frozen=True, slots=True, kw_only=True)
class Principal:
    """Who asks: a user or service, with the groups they belong to."""

    id: str
    groups: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class Access:
    """Who may read a document: members of any of `groups`; `*` is everyone, empty is nobody."""

    groups: frozenset[str] = frozenset()

    def permits(self, principal: Principal) -> bool:
        """Whether `principal` may read. Empty is never open."""
        return EVERYONE in self.groups or not self.groups.isdisjoint(principal.groups)


@dataclass(frozen=True, slots=True, kw_only=True)
class DocumentRef:
    """A document as its silo names it.

    `signature` is the connector's cheap token: equal signatures mean "not worth fetching",
    never "equal content".
    """

    silo: SiloId
    key: str
    signature: str

    @property
    def id(self) -> DocumentId:
        return document_id(self.silo, self.key)


@dataclass(frozen=True, slots=True, kw_only=True)
class RawDocument:
    """The bytes of one document as fetched, with what the silo says about them.

    `signature` belongs to exactly these bytes. Times are aware UTC.
    """

    silo: SiloId
    key: str
    uri: str
    data: bytes
    digest: Digest
    media_type: str
    modified_at: datetime
    signature: str
    access: Access

    @property
    def id(self) -> DocumentId:
        return document_id(self.silo, self.key)


class ElementKind(StrEnum):
    HEADING = "heading"
    PARAGRAPH = "paragraph"
    LIST_ITEM = "list_item"
    TABLE = "table"
    CODE = "code"


@dataclass(frozen=True, slots=True, kw_only=True)
class Element:
    """One parsed part. `span` lies in the canonical text; elements never overlap.

    `section` holds the headings above it, outermost first, without its own text. `page` counts
    from 1 and is None where the format has no pages.
    """

    kind: ElementKind
    span: Span
    section: tuple[str, ...] = ()
    page: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ParsedDocument:
    """Canonical text (NFC, `\\n`) and its elements in order.

    A table's text is one row a line. Where the table has a header row, every further row reads
    `header: cell | header: cell`, so that a row stands for itself when it is cited alone.
    `parser` names code and version: another parser may give another canonical text.
    """

    text: str
    elements: tuple[Element, ...]
    title: str
    parser: str

    def __post_init__(self) -> None:
        end = 0
        for element in self.elements:
            if element.span.start < end or element.span.end > len(self.text):
                raise ValueError(f"element out of order or outside the text: {element}")
            end = element.span.end
