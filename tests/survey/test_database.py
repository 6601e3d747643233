"""What can go wrong with a database, and migrations."""

from __future__ import annotations

import sqlite3
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, text

from ldlva.errors import DatabaseError
from ldlva.survey import database as database_module
from ldlva.survey.database import HEAD_REVISION, MIGRATIONS, Database
from ldlva.survey.records import NewStudy
from ldlva.survey.repository import Repository
from ldlva.survey.schema import Base
from tests.conftest import pictures


def test_the_migrated_database_is_the_one_the_models_describe(database: Database) -> None:
    with database.engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True, "compare_server_default": True})
        assert compare_metadata(context, Base.metadata) == []


def test_the_head_revision_is_the_newest_migration(database: Database) -> None:
    assert ScriptDirectory(str(MIGRATIONS)).get_current_head() == HEAD_REVISION == database.revision()


def test_preparing_twice_keeps_what_is_there(database: Database) -> None:
    repository = Repository(database)
    repository.create_study(NewStudy("kept", "Kept"), pictures(1))
    database.prepare()
    assert repository.study("kept").images == 1


def test_a_newer_schema_is_refused_and_left_alone(database: Database) -> None:
    with database.write() as session:
        session.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(DatabaseError, match=r"9999.*newer version"):
        database.prepare()
    assert database.revision() == "9999"


def test_sqlite_runs_in_wal_mode_with_foreign_keys(tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path / 'new' / 'folder' / 'x.db'}", synchronous="FULL")
    database.prepare()
    with database.engine.connect() as connection:
        values = [
            connection.exec_driver_sql(f"PRAGMA {name}").scalar()
            for name in ("journal_mode", "foreign_keys", "synchronous", "busy_timeout")
        ]
    assert values == ["wal", 1, 2, database_module.BUSY_TIMEOUT_MS]


def test_a_locked_database_says_so_and_stores_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(database_module, "BUSY_TIMEOUT_MS", 50)
    path = tmp_path / "x.db"
    database = Database(f"sqlite:///{path}")
    database.prepare()
    repository = Repository(database)
    blocker = sqlite3.connect(path, isolation_level=None)
    blocker.execute("BEGIN IMMEDIATE")
    with pytest.raises(DatabaseError, match=r"busy.*Nothing was stored"):
        repository.create_study(NewStudy("a", "A"), pictures(1))
    blocker.execute("ROLLBACK")
    assert repository.studies() == []


def test_a_writer_waits_on_while_other_programs_get_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(database_module, "BUSY_TIMEOUT_MS", 20)
    path = tmp_path / "x.db"
    database = Database(f"sqlite:///{path}")
    database.prepare()
    other = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    other.execute("BEGIN IMMEDIATE")
    looked: list[int] = []
    changes_by_others = database_module._changes_by_others

    def get_on(connection: Connection) -> int:
        """Between two attempts of ours the other one commits and begins anew; after three times it is done."""
        if looked and other.in_transaction:
            other.execute(f"PRAGMA user_version = {len(looked)}")
            other.execute("COMMIT")
        if 1 <= len(looked) < 3:
            other.execute("BEGIN IMMEDIATE")
        looked.append(changes_by_others(connection))
        return looked[-1]

    monkeypatch.setattr(database_module, "_changes_by_others", get_on)
    Repository(database).create_study(NewStudy("a", "A"), pictures(1))
    assert len(set(looked[:4])) == 4  # the first look, and one after each of three attempts in vain
    assert [study.name for study in Repository(database).studies()] == ["a"]


def test_waiting_in_line_ends(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(database_module, "BUSY_TIMEOUT_MS", 50)
    database = Database(f"sqlite:///{tmp_path / 'x.db'}")
    database.prepare()
    with database.write(), ThreadPoolExecutor(1) as pool:
        attempt = pool.submit(Repository(database).create_study, NewStudy("a", "A"), pictures(1))
        with pytest.raises(DatabaseError, match=r"busy.*Nothing was stored"):
            attempt.result(timeout=10)


def test_a_read_only_database_can_be_read_and_says_why_it_cannot_be_written(tmp_path: Path) -> None:
    path = tmp_path / "x.db"
    database = Database(f"sqlite:///{path}")
    database.prepare()
    Repository(database).create_study(NewStudy("a", "A"), pictures(1))
    database.close()
    read_only = Database(f"sqlite:///file:{path}?mode=ro&uri=true")
    read_only.prepare()
    assert Repository(read_only).study("a").images == 1
    with pytest.raises(DatabaseError, match=r"read-only\. Nothing was stored"):
        Repository(read_only).enrol("a")


def test_a_full_disk_is_named_and_loses_nothing(tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path / 'x.db'}")
    database.prepare()
    repository = Repository(database)
    repository.create_study(NewStudy("a", "A"), pictures(1))
    with database.engine.connect() as connection:
        pages = connection.exec_driver_sql("PRAGMA page_count").scalar()

        # SQLite reports its own page limit exactly as it does a full disk.
        connection.exec_driver_sql(f"PRAGMA max_page_count={pages}")
    with pytest.raises(DatabaseError, match="disk is full"):
        repository.create_study(NewStudy("b", "B"), pictures(400))
    assert [study.name for study in repository.studies()] == ["a"]


def test_what_is_no_database_is_named(tmp_path: Path) -> None:
    path = tmp_path / "notes.txt"
    path.write_text("dear diary " * 500)
    with pytest.raises(DatabaseError, match="not an SQLite file"):
        Database(f"sqlite:///{path}").prepare()


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(DatabaseError, match="cannot be opened"):
        Database(f"sqlite:///{tmp_path / 'file' / 'x.db'}").prepare()


@pytest.mark.parametrize("url", ["nonsense", "oracle://x", "nosuch://x", "postgresql://u@h:port/x"])
def test_an_unusable_url_is_explained(url: str) -> None:
    with pytest.raises(DatabaseError, match="LDLVA_DATABASE_URL cannot be used"):
        Database(url)


def test_an_unreachable_server_is_named_without_its_password() -> None:
    database = Database("postgresql+psycopg://user:secret@127.0.0.1:1/x?connect_timeout=2")
    with pytest.raises(DatabaseError) as caught:
        database.prepare()
    assert "cannot be used" in str(caught.value)
    assert "secret" not in str(caught.value)
