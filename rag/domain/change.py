"""What a connector reports. Changes are hints until reconciliation confirms them."""

from dataclasses import dataclass

from rag.domain.document import DocumentRef
from rag.domain.ids import DocumentId, SiloId, document_id


@dataclass(frozen=True, slots=True, kw_only=True)
class Upserted:
    """A document may be new, or its content or access may have changed."""

    ref: DocumentRef


@dataclass(frozen=True, slots=True, kw_only=True)
class Removed:
    """The silo no longer has the document, or no longer lets us read it."""

    silo: SiloId
    key: str
    reason: str

    @property
    def id(self) -> DocumentId:
        return document_id(self.silo, self.key)


@dataclass(frozen=True, slots=True, kw_only=True)
class ScanCompleted:
    """A listing has ended. Only a complete one may remove anything (invariant I7)."""

    silo: SiloId
    complete: bool
    n_documents: int
    detail: str = ""


Change = Upserted | Removed | ScanCompleted
