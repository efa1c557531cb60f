"""`/v1/documents`: browsing what may be cited."""

from dataclasses import asdict
from typing import Annotated, Final

from fastapi import APIRouter, Query

from api.room import Asker, InRoom
from api.schemas import DocumentOut, DocumentPage, DocumentText, ElementOut, Problem, VersionOut
from rag.adapters.store.library import PAGE_MAX

router: Final = APIRouter(tags=["documents"])


@router.get("/v1/documents", responses={401: {"model": Problem}})
async def list_documents(
    key: Asker,
    room: InRoom,
    silo: Annotated[str | None, Query(description="Only of this silo.")] = None,
    after: Annotated[str, Query(description="`next` of the page before.")] = "",
    limit: Annotated[int, Query(ge=1, le=PAGE_MAX)] = 50,
) -> DocumentPage:
    """The live documents that the caller may read, a page at a time."""
    library = room.opened().library
    found = await library.documents(key.principal, silo=silo, after=after, limit=limit)
    documents = [DocumentOut(**asdict(row)) for row in found]
    return DocumentPage(
        documents=documents, next=documents[-1].id if len(documents) == limit else None
    )


@router.get("/v1/documents/{document_id}", responses={404: {"model": Problem}})
async def get_document(
    document_id: str,
    key: Asker,
    room: InRoom,
    version: Annotated[str | None, Query(description="Digest; default: the current one.")] = None,
) -> DocumentText:
    """A document with its versions, and the canonical text that citations' spans count in."""
    library = room.opened().library
    document, versions = await library.versions(key.principal, document_id)
    found = await library.text(key.principal, document_id, version)
    return DocumentText(
        document=DocumentOut(**asdict(document)),
        versions=[VersionOut(**asdict(row)) for row in versions],
        version=found.version.digest,
        text=found.text,
        elements=[
            ElementOut(
                kind=e.kind.value,
                start_char=e.span.start,
                end_char=e.span.end,
                section=list(e.section),
                page=e.page,
            )
            for e in found.elements
        ],
    )
