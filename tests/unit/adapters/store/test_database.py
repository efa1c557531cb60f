"""One writer, any number of readers, errors of ours, and migrations that say what the tables say."""

import contextlib
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Engine, MetaData
from sqlalchemy.exc import DBAPIError

from rag.adapters.store import catalog_writer, journal, tables
from rag.adapters.store.database import open_reader, open_writer, translated
from rag.domain.errors import StoreError, StoreUnavailable

SCHEMAS = [("catalog", tables.catalog_metadata), ("journal", tables.journal_metadata)]
HEADS = {"catalog": catalog_writer.HEAD, "journal": journal.HEAD}


@pytest.fixture
def catalog(tmp_path: Path) -> Iterator[Engine]:
    engine = open_writer(tmp_path / "catalog.sqlite", "catalog", HEADS["catalog"])
    yield engine
    engine.dispose()


@pytest.mark.parametrize(("schema", "metadata"), SCHEMAS, ids=["catalog", "journal"])
def test_migrations_and_tables_say_the_same(
    tmp_path: Path, schema: str, metadata: MetaData
) -> None:
    engine = open_writer(tmp_path / "file.sqlite", schema, HEADS[schema])

    def include(obj: Any, name: str | None, kind: str, *_: Any) -> bool:
        # Full-text tables and their shadows are beyond SQLAlchemy.
        return not (kind == "table" and str(name).startswith(("posting", "alembic")))

    def differs(_c: Any, _i: Any, _m: Any, found: str | None, _d: Any, wanted: str | None) -> bool:
        # SQLAlchemy writes the empty text as nothing at all.
        return (found or "").strip("()'") != (wanted or "").strip("()'")

    with engine.connect() as connection:
        context = MigrationContext.configure(
            connection,
            opts={
                "include_object": include,
                "compare_type": True,
                "compare_server_default": differs,
            },
        )
        assert compare_metadata(context, metadata) == []
        found = connection.exec_driver_sql(
            "SELECT name, sql LIKE '%AUTOINCREMENT%' FROM sqlite_master WHERE type = 'table'"
        ).all()
    engine.dispose()
    counting = {name for name, counts in found if counts}
    wanted = {t.name for t in metadata.tables.values() if t.kwargs.get("sqlite_autoincrement")}
    assert counting == wanted, "ids that must never be used again are not"


def test_a_chunk_id_is_never_used_again(catalog: Engine) -> None:
    with catalog.begin() as connection:
        connection.exec_driver_sql("PRAGMA defer_foreign_keys = ON")
        connection.exec_driver_sql("INSERT INTO access (groups) VALUES ('[]')")
        connection.exec_driver_sql(
            "INSERT INTO document (id, silo, key, uri, title, media_type, access_id, signature, "
            "state, observed_at) VALUES ('d', 's', 'k', '', '', '', 1, '', 'live', '')"
        )
        connection.exec_driver_sql("INSERT INTO canonical VALUES ('x', 'text')")
        connection.exec_driver_sql(
            "INSERT INTO version (document_id, digest, raw_digest, title, parser, elements, "
            "modified_at, observed_at) VALUES ('d', 'x', '', '', '', x'', '', '')"
        )
        insert = (
            "INSERT INTO chunk (document_id, version_id, start_char, end_char, text_digest) "
            "VALUES ('d', 1, 0, 1, 'x') RETURNING id"
        )
        first = connection.exec_driver_sql(insert).scalar()
        connection.exec_driver_sql("DELETE FROM chunk")
        assert connection.exec_driver_sql(insert).scalar() > first  # type: ignore[operator]


def test_the_writer_is_durable_and_in_wal(catalog: Engine) -> None:
    with catalog.connect() as connection:
        pragmas = {
            name: connection.exec_driver_sql(f"PRAGMA {name}").scalar()
            for name in ("journal_mode", "synchronous", "foreign_keys")
        }
    assert pragmas == {"journal_mode": "wal", "synchronous": 2, "foreign_keys": 1}


def test_a_reader_cannot_write(catalog: Engine, tmp_path: Path) -> None:
    reader = open_reader(tmp_path / "catalog.sqlite")
    for sql in (
        "INSERT INTO meta VALUES ('a', 'b')", "CREATE TABLE t (x)", "DELETE FROM meta",
        "PRAGMA user_version = 7",
    ):  # fmt: skip
        with pytest.raises(StoreError), translated(tmp_path), reader.connect() as connection:
            connection.exec_driver_sql(sql)
    with reader.connect() as connection:
        # Even without its own promise the file is open for reading only.
        connection.exec_driver_sql("PRAGMA query_only = OFF")
        with pytest.raises(DBAPIError, match="readonly"):
            connection.exec_driver_sql("INSERT INTO meta VALUES ('a', 'b')")
    reader.dispose()


def test_a_reader_sees_one_moment_while_the_writer_goes_on(catalog: Engine, tmp_path: Path) -> None:
    reader = open_reader(tmp_path / "catalog.sqlite")
    count = "SELECT count(*) FROM meta"
    with reader.connect() as connection:
        before = connection.exec_driver_sql(count).scalar()
        with catalog.begin() as writing:
            writing.exec_driver_sql("INSERT INTO meta VALUES ('a', 'b')")
        assert connection.exec_driver_sql(count).scalar() == before
    with reader.connect() as connection:
        assert connection.exec_driver_sql(count).scalar() == before + 1  # type: ignore[operator]
    reader.dispose()


def test_what_fails_in_a_transaction_leaves_nothing(catalog: Engine) -> None:
    with pytest.raises(RuntimeError), catalog.begin() as connection:
        connection.exec_driver_sql("INSERT INTO meta VALUES ('a', 'b')")
        connection.exec_driver_sql("CREATE TABLE half (x)")
        raise RuntimeError("in the middle")
    with catalog.connect() as connection:
        names = connection.exec_driver_sql("SELECT name FROM sqlite_master").scalars().all()
        keys = connection.exec_driver_sql("SELECT key FROM meta").scalars().all()
    assert "half" not in names
    assert "a" not in keys


def test_errors_of_the_driver_become_ours(tmp_path: Path) -> None:
    path = tmp_path / "x.sqlite"
    with pytest.raises(StoreUnavailable, match="unable to open"), translated(path):
        open_reader(tmp_path / "nowhere.sqlite").connect()
    path.write_bytes(b"this is no database, whatever its name says" * 100)
    with pytest.raises(StoreError, match="not a database") as caught:
        open_writer(path, "catalog", HEADS["catalog"])
    assert not caught.value.retryable
    assert caught.value.remedy


def test_a_second_writer_is_told_to_come_again(
    catalog: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("rag.adapters.store.database.BUSY_TIMEOUT_S", 0.05)
    second = open_writer(tmp_path / "catalog.sqlite", "catalog", HEADS["catalog"])
    with catalog.begin():
        with pytest.raises(StoreUnavailable) as caught, translated(tmp_path), second.begin():
            pass
        assert caught.value.retryable
    second.dispose()


@pytest.mark.parametrize("n_done", [0, 1, 5, 20])
def test_a_migration_that_fails_halfway_leaves_nothing_and_can_be_made_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, n_done: int
) -> None:
    from alembic import op

    done, real = [], op.execute

    def execute(sql: str) -> None:
        if len(done) == n_done:
            raise sqlite3.OperationalError("disk full")
        done.append(sql)
        real(sql)

    path = tmp_path / "catalog.sqlite"
    with monkeypatch.context() as patched:
        patched.setattr(op, "execute", execute)
        with pytest.raises(StoreError, match="disk full"):
            open_writer(path, "catalog", HEADS["catalog"])
    with contextlib.closing(sqlite3.connect(path)) as connection:
        assert connection.execute("SELECT name FROM sqlite_master").fetchall() == []
    engine = open_writer(path, "catalog", HEADS["catalog"])
    with engine.connect() as connection2:
        assert connection2.exec_driver_sql("SELECT count(*) FROM meta").scalar() == 3
    engine.dispose()


def test_opening_again_migrates_nothing(catalog: Engine, tmp_path: Path) -> None:
    with catalog.connect() as connection:
        known = connection.exec_driver_sql("SELECT value FROM meta ORDER BY key").scalars().all()
    catalog.dispose()
    again = open_writer(tmp_path / "catalog.sqlite", "catalog", HEADS["catalog"])
    with again.connect() as connection:
        found = connection.exec_driver_sql("SELECT value FROM meta ORDER BY key").scalars().all()
    again.dispose()
    assert found == known
