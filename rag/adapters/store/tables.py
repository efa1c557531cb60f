"""The tables as SQLAlchemy sees them. A test holds them against the migrations.

Times are ISO 8601 strings in UTC, so that they sort and read the same everywhere.
"""

from typing import Final

from sqlalchemy import (
    Column,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    UniqueConstraint,
    text,
)

catalog_metadata: Final = MetaData()
journal_metadata: Final = MetaData()

meta: Final = Table(
    "meta",
    catalog_metadata,
    Column("key", String, primary_key=True),
    Column("value", String, nullable=False),
)

silo: Final = Table(
    "silo",
    catalog_metadata,
    Column("id", String, primary_key=True),
    Column("last_scan_at", String),
    Column("last_complete_at", String),
    Column("n_listed", Integer, nullable=False, server_default=text("0")),
    Column("detail", String, nullable=False, server_default=""),
)

# Access lists are interned: thousands of documents share a handful of lists, so a caller's
# permitted set is a handful of integers.
access: Final = Table(
    "access",
    catalog_metadata,
    Column("id", Integer, primary_key=True),
    Column("groups", String, nullable=False, unique=True),
)
access_group: Final = Table(
    "access_group",
    catalog_metadata,
    Column("access_id", Integer, ForeignKey("access.id"), primary_key=True),
    Column("member", String, primary_key=True),
    Index("access_group_member", "member"),
)

document: Final = Table(
    "document",
    catalog_metadata,
    Column("id", String, primary_key=True),
    Column("silo", String, nullable=False),
    Column("key", String, nullable=False),
    Column("uri", String, nullable=False),
    Column("title", String, nullable=False),
    Column("media_type", String, nullable=False),
    Column("access_id", Integer, ForeignKey("access.id"), nullable=False),
    Column("signature", String, nullable=False),
    Column("raw_digest", String),
    Column("parser", String, nullable=False, server_default=""),
    Column("version_id", Integer),
    Column("state", String, nullable=False),  # live | quarantined
    Column("error_code", String, nullable=False, server_default=""),
    Column("error_detail", String, nullable=False, server_default=""),
    Column("modified_at", String),
    Column("observed_at", String, nullable=False),
    UniqueConstraint("silo", "key", name="document_silo_key"),
    Index("document_access", "access_id"),
)

# Canonical text is content-addressed: copies and renames share a row.
canonical: Final = Table(
    "canonical",
    catalog_metadata,
    Column("digest", String, primary_key=True),
    Column("body", String, nullable=False),
)

version: Final = Table(
    "version",
    catalog_metadata,
    Column("id", Integer, primary_key=True),
    Column("document_id", String, nullable=False),
    Column("digest", String, ForeignKey("canonical.digest"), nullable=False),
    Column("raw_digest", String, nullable=False),
    Column("title", String, nullable=False),
    Column("parser", String, nullable=False),
    Column("elements", LargeBinary, nullable=False),
    Column("modified_at", String, nullable=False),
    Column("observed_at", String, nullable=False),
    Column("retired_at", String),
    Index("version_document", "document_id"),
    sqlite_autoincrement=True,
)

# Live chunks only: what is retired is gone from here in the same transaction. AUTOINCREMENT
# keeps an id from ever naming other text, which the vector index relies on.
chunk: Final = Table(
    "chunk",
    catalog_metadata,
    Column("id", Integer, primary_key=True),
    Column("document_id", String, ForeignKey("document.id"), nullable=False),
    Column("version_id", Integer, ForeignKey("version.id"), nullable=False),
    Column("parent_id", Integer),
    Column("start_char", Integer, nullable=False),
    Column("end_char", Integer, nullable=False),
    Column("text_digest", String, nullable=False),
    Column("header", String, nullable=False, server_default=""),
    Column("indexed", Integer, nullable=False, server_default=text("0")),
    Index("chunk_document", "document_id"),
    Index("chunk_parent", "parent_id"),
    Index("chunk_pending", "id", sqlite_where=text("parent_id IS NOT NULL AND indexed = 0")),
    sqlite_autoincrement=True,
)

# Children that are retired but may still stand in the vector index.
sweep: Final = Table("sweep", catalog_metadata, Column("chunk_id", Integer, primary_key=True))

model: Final = Table(
    "model",
    catalog_metadata,
    Column("id", Integer, primary_key=True),
    Column("digest", String, nullable=False, unique=True),
)
vector: Final = Table(
    "vector",
    catalog_metadata,
    Column("text_digest", String, primary_key=True),
    Column("model_id", Integer, ForeignKey("model.id"), primary_key=True),
    Column("body", LargeBinary, nullable=False),
)

tombstone: Final = Table(
    "tombstone",
    catalog_metadata,
    Column("id", Integer, primary_key=True),
    Column("document_id", String, nullable=False),
    Column("silo", String, nullable=False),
    Column("key", String, nullable=False),
    Column("version", String),
    Column("removed_at", String, nullable=False),
    Column("reason", String, nullable=False),
    Index("tombstone_document", "document_id"),
)

# The lexical index: an FTS5 table `posting(header, body)` without content, keyed by the id of
# the parent chunk. It lives in the catalog's file so that postings and text become visible in
# the same transaction. SQLAlchemy has no FTS5 tables; the migration writes it as SQL.

api_key: Final = Table(
    "api_key",
    journal_metadata,
    Column("id", String, primary_key=True),
    Column("hash", String, nullable=False, unique=True),
    Column("name", String, nullable=False),
    Column("principal", String, nullable=False),
    Column("groups", String, nullable=False),
    Column("scopes", String, nullable=False),
    Column("created_at", String, nullable=False),
    Column("expires_at", String),
    Column("revoked_at", String),
)

answer: Final = Table(
    "answer",
    journal_metadata,
    Column("id", String, primary_key=True),
    Column("principal", String, nullable=False),
    Column("groups", String, nullable=False),
    Column("created_at", String, nullable=False),
    Column("receipt_digest", String, nullable=False),
    Column("body", String, nullable=False),
)

receipt: Final = Table(
    "receipt",
    journal_metadata,
    Column("digest", String, primary_key=True),
    Column("answer_id", String, ForeignKey("answer.id"), nullable=False),
    Column("body", String, nullable=False),
)

# What callers ask of the indexer. The indexer reads it like a silo, with a cursor of its own.
request: Final = Table(
    "request",
    journal_metadata,
    Column("id", Integer, primary_key=True),
    Column("kind", String, nullable=False),
    Column("silo", String, nullable=False),
    Column("options", String, nullable=False, server_default="{}"),
    Column("principal", String, nullable=False),
    Column("created_at", String, nullable=False),
    sqlite_autoincrement=True,
)
