"""Browsing the catalog: silos, documents, versions and their text, as one principal may.

Nothing here names, counts or hints at what the principal may not read.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import Connection, Row, Select, func, select

from rag.adapters.store import rows
from rag.adapters.store import tables as t
from rag.adapters.store.catalog_reader import SqlCatalogReader, View, open_view
from rag.domain.document import Element, Principal
from rag.domain.errors import NotFound

PAGE_MAX: Final = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class DocumentRow:
    """A live document; times are ISO 8601 UTC."""

    id: str
    silo: str
    key: str
    title: str
    uri: str
    media_type: str
    version: str
    raw_digest: str
    modified_at: str
    observed_at: str


@dataclass(frozen=True, slots=True, kw_only=True)
class VersionRow:
    """One version of a document; the current one has no `retired_at`."""

    digest: str
    raw_digest: str
    title: str
    parser: str
    modified_at: str
    observed_at: str
    retired_at: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class VersionText:
    """The canonical text of a version, with its elements."""

    document: DocumentRow
    version: VersionRow
    text: str
    elements: tuple[Element, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class SiloCounts:
    """What the catalog holds of a silo, as far as the principal may read it."""

    id: str
    n_documents: int
    n_chunks: int
    last_scan_at: str | None
    last_complete_at: str | None
    detail: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Quarantined:
    """A document that could not be read, and why; for operators."""

    silo: str
    key: str
    code: str
    detail: str
    observed_at: str


class Library:
    """Reads through the catalog's reader; every method is one snapshot."""

    def __init__(self, catalog: SqlCatalogReader) -> None:
        self._catalog = catalog

    async def documents(
        self, principal: Principal, *, silo: str | None, after: str, limit: int
    ) -> Sequence[DocumentRow]:
        """A page of live documents by id, those with an id above `after`."""

        def work(connection: Connection) -> list[DocumentRow]:
            view = open_view(connection, principal, None)
            statement = _documents(view).where(t.document.c.id > after)
            if silo is not None:
                statement = statement.where(t.document.c.silo == silo)
            statement = statement.order_by(t.document.c.id).limit(min(limit, PAGE_MAX))
            return [_document(row) for row in connection.execute(statement)]

        return await self._catalog.query(work)

    async def find(self, principal: Principal, silo: str, key: str) -> DocumentRow:
        """The live document of that name.

        Raises:
            NotFound: there is none, or the principal may not read it.
        """

        def work(connection: Connection) -> DocumentRow:
            view = open_view(connection, principal, None)
            statement = _documents(view).where(t.document.c.silo == silo, t.document.c.key == key)
            return _document(_one(connection, statement, f"{silo}/{key}"))

        return await self._catalog.query(work)

    async def versions(
        self, principal: Principal, document_id: str
    ) -> tuple[DocumentRow, Sequence[VersionRow]]:
        """A live document and its versions, newest first.

        Raises:
            NotFound: there is none, or the principal may not read it.
        """

        def work(connection: Connection) -> tuple[DocumentRow, list[VersionRow]]:
            document = _document_of(connection, principal, document_id)
            statement = _versions(document_id).order_by(t.version.c.id.desc()).limit(PAGE_MAX)
            return document, [_version(row) for row in connection.execute(statement)]

        return await self._catalog.query(work)

    async def text(
        self, principal: Principal, document_id: str, version: str | None
    ) -> VersionText:
        """The text of a version, the current one unless named.

        Whoever may read the document now may read its versions; who may not, none of them.

        Raises:
            NotFound: there is none, or the principal may not read it.
        """

        def work(connection: Connection) -> VersionText:
            document = _document_of(connection, principal, document_id)
            wanted = version or document.version
            statement = (
                _versions(document_id)
                .add_columns(t.canonical.c.body, t.version.c.elements)
                .join(t.canonical, t.canonical.c.digest == t.version.c.digest)
                .where(t.version.c.digest == wanted)
                .order_by(t.version.c.id.desc())
            )
            row = _one(connection, statement, f"{document_id} in version {wanted}")
            return VersionText(
                document=document,
                version=_version(row),
                text=row.body,
                elements=rows.elements_from_row(row.elements),
            )

        return await self._catalog.query(work)

    async def permitted(self, principal: Principal, documents: Sequence[str]) -> frozenset[str]:
        """Those of `documents` that are live and that the principal may read."""

        def work(connection: Connection) -> frozenset[str]:
            view = open_view(connection, principal, None)
            statement = view.restrict(
                select(t.document.c.id).where(t.document.c.id.in_(list(documents)))
            )
            return frozenset(connection.scalars(statement))

        return await self._catalog.query(work)

    async def silos(self, principal: Principal) -> Sequence[SiloCounts]:
        """Silos with at least one document that the principal may read."""

        def work(connection: Connection) -> list[SiloCounts]:
            view = open_view(connection, principal, None)
            counts = view.restrict(
                select(
                    t.document.c.silo,
                    func.count(t.document.c.id.distinct()),
                    func.count(t.chunk.c.id),
                )
                .outerjoin(
                    t.chunk,
                    (t.chunk.c.document_id == t.document.c.id) & t.chunk.c.parent_id.is_not(None),
                )
                .where(t.document.c.state == "live")
                .group_by(t.document.c.silo)
                .order_by(t.document.c.silo)
            )
            scans = {row.id: row for row in connection.execute(select(t.silo))}
            return [
                _silo(silo, n_documents, n_chunks, scans)
                for silo, n_documents, n_chunks in connection.execute(counts)
            ]

        return await self._catalog.query(work)

    async def quarantined(self) -> Sequence[Quarantined]:
        """Every document that could not be read. For operators only."""
        c = t.document.c
        statement = (
            select(c.silo, c.key, c.error_code, c.error_detail, c.observed_at)
            .where(c.state == "quarantined")
            .order_by(c.silo, c.key)
        )
        found = await self._catalog.query(lambda connection: connection.execute(statement).all())
        return [
            Quarantined(silo=silo, key=key, code=code, detail=detail, observed_at=at)
            for silo, key, code, detail, at in found
        ]

    async def n_pending(self) -> int:
        """Live chunks whose vectors are still to come. For operators only."""
        # As in the writer: the condition on the id leads SQLite to the index of what is pending.
        statement = select(func.count()).where(
            t.chunk.c.parent_id.is_not(None), t.chunk.c.indexed == 0, t.chunk.c.id > 0
        )
        return await self._catalog.query(lambda c: int(c.scalar(statement) or 0))


def _documents(view: View) -> Select[Any]:
    return view.restrict(
        select(t.document, t.version.c.digest.label("version"))
        .join(t.version, t.version.c.id == t.document.c.version_id)
        .where(t.document.c.state == "live")
    )


def _document_of(connection: Connection, principal: Principal, document_id: str) -> DocumentRow:
    view = open_view(connection, principal, None)
    statement = _documents(view).where(t.document.c.id == document_id)
    return _document(_one(connection, statement, document_id))


def _versions(document_id: str) -> Select[Any]:
    v = t.version.c
    return select(
        v.digest, v.raw_digest, v.title, v.parser, v.modified_at, v.observed_at, v.retired_at
    ).where(v.document_id == document_id)


def _one(connection: Connection, statement: Select[Any], name: str) -> Row[Any]:
    row = connection.execute(statement).first()
    if row is None:
        # The same for what is not there and for what may not be seen.
        raise NotFound(f"no document {name}")
    return row


def _document(row: Row[Any]) -> DocumentRow:
    return DocumentRow(
        id=row.id, silo=row.silo, key=row.key, title=row.title, uri=row.uri,
        media_type=row.media_type, version=row.version, raw_digest=row.raw_digest,
        modified_at=row.modified_at, observed_at=row.observed_at,
    )  # fmt: skip


def _version(row: Row[Any]) -> VersionRow:
    return VersionRow(
        digest=row.digest, raw_digest=row.raw_digest, title=row.title, parser=row.parser,
        modified_at=row.modified_at, observed_at=row.observed_at, retired_at=row.retired_at,
    )  # fmt: skip


def _silo(silo: str, n_documents: int, n_chunks: int, scans: Mapping[str, Row[Any]]) -> SiloCounts:
    scan = scans.get(silo)
    return SiloCounts(
        id=silo,
        n_documents=n_documents,
        n_chunks=n_chunks,
        last_scan_at=scan.last_scan_at if scan else None,
        last_complete_at=scan.last_complete_at if scan else None,
        detail=scan.detail if scan else "",
    )
