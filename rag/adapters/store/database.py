"""Opening a SQLite file for its one writer, or for any number of readers.

System SQLite before 3.51.3 can corrupt a WAL when two connections write or checkpoint at once,
so each file has one writing process, and only its connection ever checkpoints: readers open the
file read-only, and a read-only connection cannot checkpoint, not even when it closes last.
"""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import NullPool, QueuePool

from rag.domain.errors import StoreError, StoreUnavailable

BUSY_TIMEOUT_S: Final = 5.0
MIGRATIONS: Final = Path(__file__).parent / "migrations"


def open_writer(path: Path, schema: str, head: str) -> Engine:
    """The writing engine of `path`, migrated to `head` of the migrations named `schema`.

    Every transaction begins IMMEDIATE and is durable when it returns (WAL, synchronous FULL).
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    engine = create_engine(
        f"sqlite+pysqlite:///{path}",
        poolclass=QueuePool,
        pool_size=1,
        max_overflow=0,
        connect_args={"timeout": BUSY_TIMEOUT_S, "check_same_thread": False},
    )
    event.listen(engine, "connect", _prepare_writer)
    event.listen(engine, "begin", _begin_immediate)
    with translated(path):
        _migrate(engine, schema, head)
    return engine


def open_reader(path: Path) -> Engine:
    """A read-only engine; each connection's transaction is one snapshot."""
    uri = f"file:{quote(str(path))}?mode=ro"

    def connect() -> sqlite3.Connection:
        return sqlite3.connect(uri, uri=True, timeout=BUSY_TIMEOUT_S, check_same_thread=False)

    engine = create_engine(
        "sqlite+pysqlite://", creator=connect, poolclass=QueuePool, pool_size=8, max_overflow=24
    )
    event.listen(engine, "connect", _prepare_reader)
    event.listen(engine, "begin", _begin_deferred)
    return engine


@contextmanager
def translated(path: Path) -> Iterator[None]:
    """Turn the driver's errors into ours."""
    try:
        yield
    except (DBAPIError, sqlite3.Error) as exc:
        reason = str(getattr(exc, "orig", None) or exc)
        if "unable to open" in reason:
            remedy = "`sworn serve` or `sworn sync` makes it"
            raise StoreUnavailable(f"{path.name}: {reason}", remedy=remedy) from exc
        if "locked" in reason or "busy" in reason:
            raise StoreUnavailable(f"{path.name}: {reason}") from exc
        raise StoreError(
            f"{path.name}: {reason}", remedy="check disk space and permissions of the data folder"
        ) from exc


def _prepare_writer(connection: Any, _record: object) -> None:
    # The driver must not open transactions of its own: ours begin IMMEDIATE.
    connection.isolation_level = None
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=FULL")
    connection.execute("PRAGMA foreign_keys=ON")
    connection.execute("PRAGMA cache_size=-32768")


def _prepare_reader(connection: Any, _record: object) -> None:
    connection.isolation_level = None
    connection.execute("PRAGMA query_only=ON")
    connection.execute("PRAGMA cache_size=-8192")


def _begin_immediate(connection: Connection) -> None:
    connection.exec_driver_sql("BEGIN IMMEDIATE")


def _begin_deferred(connection: Connection) -> None:
    connection.exec_driver_sql("BEGIN")


def _migrate(engine: Engine, schema: str, head: str) -> None:
    with engine.connect() as connection:
        if _current(connection) == head:
            return
    # Imported only when there is work: Alembic costs a third of a second at every start.
    from alembic import command
    from alembic.config import Config

    # SQLite's file is private to its one writer, so a pool-less engine may migrate beside it.
    engine.dispose()
    migrator = create_engine(str(engine.url), poolclass=NullPool)
    # One transaction, schema included: the driver's own would commit each CREATE by itself, and
    # what dies halfway could never be migrated again.
    event.listen(migrator, "connect", _prepare_writer)
    event.listen(migrator, "begin", _begin_immediate)
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS / schema))
    with migrator.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, head)


def _current(connection: Connection) -> str | None:
    known = connection.exec_driver_sql(
        "SELECT 1 FROM sqlite_master WHERE name = 'alembic_version'"
    ).first()
    if known is None:
        return None
    row = connection.exec_driver_sql("SELECT version_num FROM alembic_version").first()
    return None if row is None else str(row[0])
