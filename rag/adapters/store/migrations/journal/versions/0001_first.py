"""The first schema of the journal."""

from typing import Final

from alembic import op

revision = "0001"
down_revision = None

STATEMENTS: Final = (
    """
    CREATE TABLE answer (
        id VARCHAR NOT NULL,
        principal VARCHAR NOT NULL,
        groups VARCHAR NOT NULL,
        created_at VARCHAR NOT NULL,
        receipt_digest VARCHAR NOT NULL,
        body VARCHAR NOT NULL,
        PRIMARY KEY (id)
    )
    """,
    """
    CREATE TABLE api_key (
        id VARCHAR NOT NULL,
        hash VARCHAR NOT NULL,
        name VARCHAR NOT NULL,
        principal VARCHAR NOT NULL,
        groups VARCHAR NOT NULL,
        scopes VARCHAR NOT NULL,
        created_at VARCHAR NOT NULL,
        expires_at VARCHAR,
        revoked_at VARCHAR,
        PRIMARY KEY (id),
        UNIQUE (hash)
    )
    """,
    """
    CREATE TABLE request (
        id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
        kind VARCHAR NOT NULL,
        silo VARCHAR NOT NULL,
        options VARCHAR DEFAULT '{}' NOT NULL,
        principal VARCHAR NOT NULL,
        created_at VARCHAR NOT NULL
    )
    """,
    """
    CREATE TABLE receipt (
        digest VARCHAR NOT NULL,
        answer_id VARCHAR NOT NULL,
        body VARCHAR NOT NULL,
        PRIMARY KEY (digest),
        FOREIGN KEY(answer_id) REFERENCES answer (id)
    )
    """,
)


def upgrade() -> None:
    """Create everything."""
    for statement in STATEMENTS:
        op.execute(statement)
