"""The first schema of the catalog."""

from typing import Final

from alembic import op

revision = "0001"
down_revision = None

STATEMENTS: Final = (
    """
    CREATE TABLE access (
        id INTEGER NOT NULL,
        groups VARCHAR NOT NULL,
        PRIMARY KEY (id),
        UNIQUE (groups)
    )
    """,
    """
    CREATE TABLE canonical (
        digest VARCHAR NOT NULL,
        body VARCHAR NOT NULL,
        PRIMARY KEY (digest)
    )
    """,
    """
    CREATE TABLE meta (
        "key" VARCHAR NOT NULL,
        value VARCHAR NOT NULL,
        PRIMARY KEY ("key")
    )
    """,
    """
    CREATE TABLE model (
        id INTEGER NOT NULL,
        digest VARCHAR NOT NULL,
        PRIMARY KEY (id),
        UNIQUE (digest)
    )
    """,
    """
    CREATE TABLE silo (
        id VARCHAR NOT NULL,
        last_scan_at VARCHAR,
        last_complete_at VARCHAR,
        n_listed INTEGER DEFAULT 0 NOT NULL,
        detail VARCHAR DEFAULT '' NOT NULL,
        PRIMARY KEY (id)
    )
    """,
    """
    CREATE TABLE sweep (
        chunk_id INTEGER NOT NULL,
        PRIMARY KEY (chunk_id)
    )
    """,
    """
    CREATE TABLE tombstone (
        id INTEGER NOT NULL,
        document_id VARCHAR NOT NULL,
        silo VARCHAR NOT NULL,
        "key" VARCHAR NOT NULL,
        version VARCHAR,
        removed_at VARCHAR NOT NULL,
        reason VARCHAR NOT NULL,
        PRIMARY KEY (id)
    )
    """,
    """
    CREATE INDEX tombstone_document ON tombstone (document_id)
    """,
    """
    CREATE TABLE access_group (
        access_id INTEGER NOT NULL,
        member VARCHAR NOT NULL,
        PRIMARY KEY (access_id, member),
        FOREIGN KEY(access_id) REFERENCES access (id)
    )
    """,
    """
    CREATE INDEX access_group_member ON access_group (member)
    """,
    """
    CREATE TABLE document (
        id VARCHAR NOT NULL,
        silo VARCHAR NOT NULL,
        "key" VARCHAR NOT NULL,
        uri VARCHAR NOT NULL,
        title VARCHAR NOT NULL,
        media_type VARCHAR NOT NULL,
        access_id INTEGER NOT NULL,
        signature VARCHAR NOT NULL,
        raw_digest VARCHAR,
        parser VARCHAR DEFAULT '' NOT NULL,
        version_id INTEGER,
        state VARCHAR NOT NULL,
        error_code VARCHAR DEFAULT '' NOT NULL,
        error_detail VARCHAR DEFAULT '' NOT NULL,
        modified_at VARCHAR,
        observed_at VARCHAR NOT NULL,
        PRIMARY KEY (id),
        CONSTRAINT document_silo_key UNIQUE (silo, "key"),
        FOREIGN KEY(access_id) REFERENCES access (id)
    )
    """,
    """
    CREATE INDEX document_access ON document (access_id)
    """,
    """
    CREATE TABLE vector (
        text_digest VARCHAR NOT NULL,
        model_id INTEGER NOT NULL,
        body BLOB NOT NULL,
        PRIMARY KEY (text_digest, model_id),
        FOREIGN KEY(model_id) REFERENCES model (id)
    )
    """,
    """
    CREATE TABLE version (
        id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
        document_id VARCHAR NOT NULL,
        digest VARCHAR NOT NULL,
        raw_digest VARCHAR NOT NULL,
        title VARCHAR NOT NULL,
        parser VARCHAR NOT NULL,
        elements BLOB NOT NULL,
        modified_at VARCHAR NOT NULL,
        observed_at VARCHAR NOT NULL,
        retired_at VARCHAR,
        FOREIGN KEY(digest) REFERENCES canonical (digest)
    )
    """,
    """
    CREATE INDEX version_document ON version (document_id)
    """,
    """
    CREATE TABLE chunk (
        id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
        document_id VARCHAR NOT NULL,
        version_id INTEGER NOT NULL,
        parent_id INTEGER,
        start_char INTEGER NOT NULL,
        end_char INTEGER NOT NULL,
        text_digest VARCHAR NOT NULL,
        header VARCHAR DEFAULT '' NOT NULL,
        "indexed" INTEGER DEFAULT 0 NOT NULL,
        FOREIGN KEY(document_id) REFERENCES document (id),
        FOREIGN KEY(version_id) REFERENCES version (id)
    )
    """,
    """
    CREATE INDEX chunk_document ON chunk (document_id)
    """,
    """
    CREATE INDEX chunk_parent ON chunk (parent_id)
    """,
    """
    CREATE INDEX chunk_pending ON chunk (id) WHERE parent_id IS NOT NULL AND indexed = 0
    """,
    """
    CREATE VIRTUAL TABLE posting USING fts5 (
        header, body, content='', tokenize='porter unicode61 remove_diacritics 2'
    )
    """,
    """
    CREATE VIRTUAL TABLE posting_term USING fts5vocab (posting, row)
    """,
    """
    INSERT INTO meta (key, value) VALUES ('generation', '0'), ('catalog_id', lower(hex(randomblob(8)))), ('index_build', '1')
    """,
)


def upgrade() -> None:
    """Create everything."""
    for statement in STATEMENTS:
        op.execute(statement)
