"""What the catalog's transactions do, as plain functions on an open connection.

None begins or ends a transaction: the writer does, around each of them.
"""

from collections.abc import Mapping, Sequence
from typing import Final

from sqlalchemy import Connection, Insert, delete, func, insert, select, update
from sqlalchemy.dialects.sqlite import insert as upsert
from sqlalchemy.exc import DBAPIError

from rag.adapters.store import rows
from rag.adapters.store import tables as t
from rag.domain.change import Removed, ScanCompleted
from rag.domain.chunk import IndexPlan, PlannedChild, PlannedParent, RecordedChunk
from rag.domain.document import DocumentRef, ParsedDocument, RawDocument
from rag.domain.ids import ChunkId, Digest, DocumentId, digest_text
from rag.domain.words import Span
from rag.ports import PendingVector, Recorded

# SQLite's limit on bound variables, with room to spare.
_VARIABLES_MAX: Final = 500


def intern_model(connection: Connection, digest: Digest) -> int:
    """The row of an embedding model, made if need be."""
    connection.execute(upsert(t.model).values(digest=digest).on_conflict_do_nothing())
    found = connection.scalar(select(t.model.c.id).where(t.model.c.digest == digest))
    assert found is not None
    return int(found)


def _inserted(connection: Connection, statement: Insert) -> int:
    """Insert one row; its id."""
    key = connection.execute(statement).inserted_primary_key
    assert key is not None
    return int(key[0])


def intern_access(connection: Connection, groups_row: str) -> int:
    """The row of an access list, made if need be."""
    known = connection.scalar(select(t.access.c.id).where(t.access.c.groups == groups_row))
    if known is not None:
        return int(known)
    new = _inserted(connection, insert(t.access).values(groups=groups_row))
    members = [
        {"access_id": new, "member": member}
        for member in sorted(rows.access_from_row(groups_row).groups)
    ]
    if members:
        connection.execute(insert(t.access_group), members)
    return new


def recorded_of(connection: Connection, document: DocumentId) -> Recorded | None:
    """What is recorded of a document that is live or quarantined."""
    statement = (
        select(t.document, t.access.c.groups)
        .join(t.access, t.access.c.id == t.document.c.access_id)
        .where(t.document.c.id == document)
    )
    row = connection.execute(statement).first()
    if row is None:
        return None
    return Recorded(
        raw_digest=row.raw_digest,
        signature=row.signature,
        access=rows.access_from_row(row.groups),
        uri=row.uri,
        parser=row.parser,
        quarantined=row.state != "live",
        chunks=_recorded_chunks(connection, document),
    )


def _recorded_chunks(connection: Connection, document: DocumentId) -> tuple[RecordedChunk, ...]:
    c = t.chunk.c
    statement = (
        select(c.id, c.parent_id, c.start_char, c.end_char, c.text_digest, c.header)
        .where(c.document_id == document)
        .order_by(c.parent_id.is_not(None), c.start_char, c.id)
    )
    return tuple(
        RecordedChunk(
            id=ChunkId(row.id),
            parent=None if row.parent_id is None else ChunkId(row.parent_id),
            span=Span(row.start_char, row.end_char),
            text_digest=row.text_digest,
            header=row.header,
        )
        for row in connection.execute(statement)
    )


def commit_version(
    connection: Connection, raw: RawDocument, parsed: ParsedDocument, plan: IndexPlan, now: str
) -> None:
    """Make a version current: its chunks and postings live, what is left over retired."""
    _retire(connection, raw.id, plan.retire)
    version_id = _insert_version(connection, raw, parsed, now)
    access_id = intern_access(connection, rows.access_to_row(raw.access))
    values = {
        "silo": raw.silo, "key": raw.key, "uri": raw.uri, "title": parsed.title,
        "media_type": raw.media_type, "access_id": access_id, "signature": raw.signature,
        "raw_digest": raw.digest, "version_id": version_id, "state": "live",
        "parser": parsed.parser,
        "error_code": "", "error_detail": "", "observed_at": now,
        "modified_at": rows.time_to_row(raw.modified_at),
    }  # fmt: skip
    _upsert_document(connection, raw.id, values)
    for parent in plan.parents:
        parent_id = _place_parent(connection, raw.id, version_id, parent, parsed.text)
        for child in parent.children:
            _place_child(connection, raw.id, version_id, parent_id, child)
    advance(connection)


def _insert_version(
    connection: Connection, raw: RawDocument, parsed: ParsedDocument, now: str
) -> int:
    digest = digest_text(parsed.text)
    text_row = upsert(t.canonical).values(digest=digest, body=parsed.text)
    connection.execute(text_row.on_conflict_do_nothing())
    connection.execute(
        update(t.version)
        .where(t.version.c.document_id == raw.id, t.version.c.retired_at.is_(None))
        .values(retired_at=now)
    )
    statement = insert(t.version).values(
        document_id=raw.id,
        digest=digest,
        raw_digest=raw.digest,
        title=parsed.title,
        parser=parsed.parser,
        elements=rows.elements_to_row(parsed.elements),
        modified_at=rows.time_to_row(raw.modified_at),
        observed_at=now,
    )
    return _inserted(connection, statement)


def _upsert_document(
    connection: Connection, document: DocumentId, values: Mapping[str, object]
) -> None:
    statement = upsert(t.document).values(id=document, **values)
    connection.execute(statement.on_conflict_do_update(index_elements=["id"], set_=dict(values)))


def _place_parent(
    connection: Connection, document: DocumentId, version_id: int, planned: PlannedParent, text: str
) -> int:
    parent = planned.parent
    place = {
        "version_id": version_id, "start_char": parent.span.start, "end_char": parent.span.end
    }  # fmt: skip
    if planned.keep is not None:
        connection.execute(update(t.chunk).where(t.chunk.c.id == planned.keep).values(**place))
        return int(planned.keep)
    statement = insert(t.chunk).values(
        document_id=document, text_digest=parent.text_digest, header=parent.header, **place
    )
    new = _inserted(connection, statement)
    connection.exec_driver_sql(
        "INSERT INTO posting (rowid, header, body) VALUES (?, ?, ?)",
        (new, parent.header, parent.span.of(text)),
    )
    return new


def _place_child(
    connection: Connection,
    document: DocumentId,
    version_id: int,
    parent_id: int,
    planned: PlannedChild,
) -> None:
    child = planned.child
    place = {
        "version_id": version_id, "parent_id": parent_id,
        "start_char": child.span.start, "end_char": child.span.end,
    }  # fmt: skip
    if planned.keep is not None:
        connection.execute(update(t.chunk).where(t.chunk.c.id == planned.keep).values(**place))
        return
    connection.execute(
        insert(t.chunk).values(document_id=document, text_digest=child.text_digest, **place)
    )


def _retire(connection: Connection, document: DocumentId, chunks: Sequence[ChunkId]) -> None:
    """Take chunks out of the live set: postings now, vectors by the sweep."""
    if not chunks:
        return
    c = t.chunk.c
    body = func.substr(t.canonical.c.body, c.start_char + 1, c.end_char - c.start_char)
    for some in batches(chunks):
        # A contentless FTS5 table must be told the old text to forget it.
        parents = connection.execute(
            select(c.id, c.header, body)
            .join(t.version, t.version.c.id == c.version_id)
            .join(t.canonical, t.canonical.c.digest == t.version.c.digest)
            .where(c.id.in_(some), c.document_id == document, c.parent_id.is_(None))
        ).all()
        for row_id, header, text in parents:
            connection.exec_driver_sql(
                "INSERT INTO posting (posting, rowid, header, body) VALUES ('delete', ?, ?, ?)",
                (row_id, header, text),
            )
        children = select(c.id).where(c.id.in_(some), c.parent_id.is_not(None))
        connection.execute(
            upsert(t.sweep).from_select(["chunk_id"], children).on_conflict_do_nothing()
        )
        connection.execute(delete(t.chunk).where(c.id.in_(some)))


def _retire_all(connection: Connection, document: DocumentId) -> None:
    ids = connection.scalars(select(t.chunk.c.id).where(t.chunk.c.document_id == document)).all()
    _retire(connection, document, [ChunkId(i) for i in ids])


def touch_document(connection: Connection, raw: RawDocument, now: str) -> None:
    """Record new signature, place and access of a document whose content is unchanged."""
    access_id = intern_access(connection, rows.access_to_row(raw.access))
    connection.execute(
        update(t.document)
        .where(t.document.c.id == raw.id)
        .values(
            signature=raw.signature,
            uri=raw.uri,
            access_id=access_id,
            modified_at=rows.time_to_row(raw.modified_at),
            observed_at=now,
        )
    )
    advance(connection)


def remove_document(connection: Connection, change: Removed, now: str) -> bool:
    """Tombstone a document and retire all of it; False when it was not there."""
    statement = (
        select(t.version.c.digest, t.document.c.id)
        .select_from(t.document)
        .outerjoin(t.version, t.version.c.id == t.document.c.version_id)
        .where(t.document.c.id == change.id)
    )
    row = connection.execute(statement).first()
    if row is None:
        return False
    _retire_all(connection, change.id)
    connection.execute(
        update(t.version)
        .where(t.version.c.document_id == change.id, t.version.c.retired_at.is_(None))
        .values(retired_at=now)
    )
    connection.execute(delete(t.document).where(t.document.c.id == change.id))
    connection.execute(
        insert(t.tombstone).values(
            document_id=change.id,
            silo=change.silo,
            key=change.key,
            version=row.digest,
            removed_at=now,
            reason=change.reason,
        )
    )
    advance(connection)
    return True


def quarantine_document(
    connection: Connection, ref: DocumentRef, parser: str, code: str, detail: str, now: str
) -> None:
    """Retire all of a document and record why it cannot be read."""
    _retire_all(connection, ref.id)
    known = connection.execute(
        select(t.document.c.uri, t.document.c.title, t.document.c.media_type).where(
            t.document.c.id == ref.id
        )
    ).first()
    values = {
        "silo": ref.silo, "key": ref.key, "signature": ref.signature,
        "uri": known.uri if known else "", "title": known.title if known else ref.key,
        "media_type": known.media_type if known else "",
        # Nobody may read what could not be read: its title and reason are for operators.
        "access_id": intern_access(connection, "[]"),
        "raw_digest": None, "version_id": None, "state": "quarantined", "parser": parser,
        # What a damaged document says of itself need not be encodable.
        "error_code": code,
        "error_detail": detail[:2000].encode("utf-8", "backslashreplace").decode(), "observed_at": now, "modified_at": None,
    }  # fmt: skip
    connection.execute(
        update(t.version)
        .where(t.version.c.document_id == ref.id, t.version.c.retired_at.is_(None))
        .values(retired_at=now)
    )
    _upsert_document(connection, ref.id, values)
    advance(connection)


def record_scan(connection: Connection, change: ScanCompleted, now: str) -> None:
    """Record the end of a listing."""
    values: dict[str, object] = {
        "last_scan_at": now, "n_listed": change.n_documents, "detail": change.detail
    }  # fmt: skip
    if change.complete:
        values["last_complete_at"] = now
    statement = upsert(t.silo).values(id=change.silo, **values)
    connection.execute(statement.on_conflict_do_update(index_elements=["id"], set_=values))


def advance(connection: Connection) -> None:
    """Count one more committed change."""
    connection.exec_driver_sql("UPDATE meta SET value = value + 1 WHERE key = 'generation'")


def pending_vectors(connection: Connection, limit: int, model_id: int) -> list[PendingVector]:
    """Live children that the vector index does not have, newest change first."""
    c = t.chunk.c
    body = func.substr(t.canonical.c.body, c.start_char + 1, c.end_char - c.start_char)
    statement = (
        select(c.id, c.text_digest, body.label("body"), t.vector.c.body.label("vector"))
        .join(t.version, t.version.c.id == c.version_id)
        .join(t.canonical, t.canonical.c.digest == t.version.c.digest)
        .outerjoin(
            t.vector,
            (t.vector.c.text_digest == c.text_digest) & (t.vector.c.model_id == model_id),
        )
        .where(c.parent_id.is_not(None), c.indexed == 0)
        # Ids only grow, so the newest change has the highest.
        .order_by(c.id.desc())
        .limit(limit)
    )
    return [
        PendingVector(
            chunk_id=ChunkId(row.id), text=row.body, text_digest=row.text_digest, vector=row.vector
        )
        for row in connection.execute(statement)
    ]


def set_indexed(connection: Connection, chunks: Sequence[ChunkId], value: int) -> None:
    """Say of live children whether the vector index has them."""
    for some in batches(chunks):
        connection.execute(update(t.chunk).where(t.chunk.c.id.in_(some)).values(indexed=value))


def n_pending(connection: Connection) -> int:
    """How many live children the vector index does not have."""
    # The condition on the id leads SQLite to the small index of what is pending, which it passes
    # over otherwise: 20 ms in place of none over 50,000 chunks, twice a second.
    c = t.chunk.c
    statement = select(func.count()).where(c.parent_id.is_not(None), c.indexed == 0, c.id > 0)
    return int(connection.scalar(statement) or 0)


def rebuild_postings(connection: Connection) -> int:
    """Build the lexical index anew; the number of its postings."""
    connection.exec_driver_sql("INSERT INTO posting (posting) VALUES ('delete-all')")
    result = connection.exec_driver_sql(
        """
        INSERT INTO posting (rowid, header, body)
        SELECT chunk.id, chunk.header,
               substr(canonical.body, chunk.start_char + 1, chunk.end_char - chunk.start_char)
        FROM chunk JOIN version ON version.id = chunk.version_id
                   JOIN canonical ON canonical.digest = version.digest
        WHERE chunk.parent_id IS NULL
        """
    )
    return int(result.rowcount)


def postings_intact(connection: Connection) -> bool:
    """Whether the lexical index holds exactly the live parents."""
    try:
        connection.exec_driver_sql("INSERT INTO posting (posting) VALUES ('integrity-check')")
    except DBAPIError:
        return False
    # The shadow table of sizes has one row per posting.
    held = set(connection.exec_driver_sql("SELECT id FROM posting_docsize").scalars())
    live = set(connection.scalars(select(t.chunk.c.id).where(t.chunk.c.parent_id.is_(None))))
    return held == live


def batches(chunks: Sequence[ChunkId]) -> list[Sequence[ChunkId]]:
    """Few enough ids at a time for one statement."""
    return [chunks[i : i + _VARIABLES_MAX] for i in range(0, len(chunks), _VARIABLES_MAX)]
