"""Opening the database: the SQLite recipe, transactions, migrations, and clear errors for what can go wrong."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event, inspect, text
from sqlalchemy.exc import ArgumentError, DBAPIError, NoSuchModuleError, OperationalError
from sqlalchemy.orm import Session

from ldlva.errors import DatabaseError
from ldlva.survey.write_turns import StuckError, WriteTurns

MIGRATIONS = Path(__file__).parent / "migrations"
HEAD_REVISION = "0006"
"""Newest revision in `migrations/versions`; a test keeps it true. Comparing with it spares every start the import of
Alembic."""

BUSY_TIMEOUT_MS = 5000
PATIENCE = 4
"""So many of these timeouts a writer waits behind others of its process who show no sign of progress: storing or
deleting a study's pictures may take that long."""

_MIGRATION_LOCK = 5_318_008
_BROKEN_KEYS = "PRAGMA foreign_key_check"


class Database:
    """An open database. `read()` and `write()` are the only ways to a session.

    Args:
        url: any SQLAlchemy URL.
        synchronous: SQLite's setting, NORMAL or FULL.

    Raises:
        DatabaseError: the URL is malformed or its driver is not installed.
    """

    def __init__(self, url: str, synchronous: str = "NORMAL") -> None:
        self.url = url
        self._turns = WriteTurns(PATIENCE * BUSY_TIMEOUT_MS / 1000, in_vain=OperationalError)
        try:
            self.engine = _create_engine(url, synchronous, self._turns.moved)
        except (ArgumentError, NoSuchModuleError, ImportError, ValueError) as error:
            raise DatabaseError(
                f"LDLVA_DATABASE_URL cannot be used: {error}. Examples: sqlite:////srv/ldlva.db, "
                "postgresql://user:password@host/name (needs: pip install 'psycopg[binary]')."
            ) from None

    @contextlib.contextmanager
    def read(self) -> Iterator[Session]:
        """A session in a read transaction.

        Raises:
            DatabaseError: the database cannot be read.
        """
        with self._clear_errors(), self.engine.connect() as connection, Session(connection) as session:
            yield session

    @contextlib.contextmanager
    def write(self) -> Iterator[Session]:
        """A session in a write transaction, committed at the end, rolled back on any error.

        Raises:
            DatabaseError: the database is locked, read-only or full; nothing was stored.
        """
        with self._clear_errors(), self._turns.one(), self.engine.connect() as connection:
            connection = connection.execution_options(ldlva_write=True)
            with Session(connection, expire_on_commit=False) as session:
                yield session
                session.commit()

    def prepare(self) -> bool:
        """Create the tables or bring them to the newest revision; cheap when there is nothing to do.

        Returns:
            Whether this call made the database; of several at once, one is told so.

        Raises:
            DatabaseError: the database was made by a newer version of this product, or cannot be opened.
        """
        with self._clear_errors():
            return self.revision() != HEAD_REVISION and self._migrate()

    def revision(self) -> str | None:
        """Schema revision found in the database, None if it is empty."""
        with self._clear_errors(), self.engine.connect() as connection:
            return _revision(connection)

    def forget_erased(self) -> None:
        """After deleting what must be gone: empty SQLite's write-ahead log, which still holds the old pages.

        While somebody reads, that is put off until the next time; PostgreSQL does it by itself (vacuum).
        """
        with self._clear_errors():
            self._on_sqlite("PRAGMA wal_checkpoint(TRUNCATE)")

    def close(self) -> None:
        """Release all connections."""
        self.engine.dispose()

    def _migrate(self) -> bool:
        from alembic import command
        from alembic.config import Config
        from alembic.script import ScriptDirectory
        from alembic.util import CommandError

        config = Config()
        config.set_main_option("script_location", str(MIGRATIONS))
        with self._connection_for_migrating() as connection:
            if connection.dialect.name == "postgresql":
                # SQLite's write transaction already keeps a second process out; here an advisory lock does.
                connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _MIGRATION_LOCK})
            found = _revision(connection)
            known = {script.revision for script in ScriptDirectory.from_config(config).walk_revisions()}
            if found is not None and found not in known:
                raise DatabaseError(
                    f"The database has schema revision {found}, which this version does not know: a newer version of "
                    "the product made it. Update the product, or point LDLVA_DATABASE_URL at another database."
                )
            config.attributes["connection"] = connection
            try:
                command.upgrade(config, "head")
            except CommandError as error:
                raise DatabaseError(f"The database could not be brought up to date: {error}") from error
            if connection.dialect.name == "sqlite" and (broken := connection.exec_driver_sql(_BROKEN_KEYS).first()):
                raise DatabaseError(f"The database could not be brought up to date: {broken} points to nothing.")
            connection.commit()
        if found is not None:
            self._shrink()
        return found is None

    def _shrink(self) -> None:
        """After an upgrade that may have copied every picture: give SQLite's file its old size again.

        Without space for another copy, or while somebody else is at work, it stays larger; nothing is lost by that.
        """
        with contextlib.suppress(sqlite3.OperationalError):
            self._on_sqlite("VACUUM", "PRAGMA wal_checkpoint(TRUNCATE)")

    def _on_sqlite(self, *statements: str) -> None:
        """Statements that stand outside every transaction; nothing on other databases."""
        if self.engine.dialect.name == "sqlite":
            with contextlib.closing(self.engine.raw_connection()) as connection:
                for statement in statements:
                    connection.cursor().execute(statement)

    @contextlib.contextmanager
    def _connection_for_migrating(self) -> Iterator[Connection]:
        """A connection about to write; on SQLite without foreign keys, which would forbid rebuilding a table."""
        with self.engine.connect().execution_options(ldlva_write=True) as connection:
            if connection.dialect.name != "sqlite":
                yield connection
                return
            # Past SQLAlchemy: inside a transaction SQLite ignores this.
            driver: Any = connection.connection.driver_connection
            driver.execute("PRAGMA foreign_keys=OFF")
            try:
                yield connection
            finally:
                connection.rollback()
                driver.execute("PRAGMA foreign_keys=ON")

    @contextlib.contextmanager
    def _clear_errors(self) -> Iterator[None]:
        try:
            yield
        except DBAPIError as error:
            raise DatabaseError(_explain(error)) from error
        except StuckError:
            raise DatabaseError(f"The database {_MEANINGS['database is locked']}.") from None


def _revision(connection: Connection) -> str | None:
    if not inspect(connection).has_table("alembic_version"):
        return None
    return connection.execute(text("SELECT version_num FROM alembic_version")).scalar()


def _create_engine(url: str, synchronous: str, moved: Callable[[], None]) -> Engine:
    if url.startswith("postgresql"):
        return create_engine(url, pool_pre_ping=True, connect_args={"options": f"-c lock_timeout={BUSY_TIMEOUT_MS}"})
    if not url.startswith("sqlite"):
        return create_engine(url, pool_pre_ping=True)
    engine = create_engine(url)
    file = engine.url.database
    if file and file != ":memory:" and not file.startswith("file:"):
        # A folder that cannot be made is reported by SQLite itself as "unable to open database file".
        with contextlib.suppress(OSError):
            Path(file).parent.mkdir(parents=True, exist_ok=True)

    @event.listens_for(engine, "connect")
    def configure(connection: Any, _record: Any) -> None:
        # The driver's own transaction handling begins late and deferred; `begin` below takes over.
        connection.isolation_level = None
        cursor = connection.cursor()
        cursor.execute(f"PRAGMA busy_timeout={BUSY_TIMEOUT_MS}")
        # WAL is a property of the file: asking a read-only one for it would be an error although reading works.
        if cursor.execute("PRAGMA journal_mode").fetchone()[0] != "wal":
            with contextlib.suppress(Exception):
                cursor.execute("PRAGMA journal_mode=WAL")
        cursor.execute(f"PRAGMA synchronous={synchronous}")
        cursor.execute("PRAGMA foreign_keys=ON")
        # What a withdrawal deletes is overwritten, not merely marked as free space.
        cursor.execute("PRAGMA secure_delete=ON")
        cursor.close()

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        if connection.get_execution_options().get("ldlva_write", False):
            _begin_writing(connection, moved)
        else:
            connection.exec_driver_sql("BEGIN")

    return engine


def _begin_writing(connection: Connection, moved: Callable[[], None]) -> None:
    """Begin with SQLite's lock; a deferred BEGIN that later writes fails at once when another one writes.

    Several busy programs can keep one waiting past the timeout, since SQLite hands the lock to whoever asks at the
    right moment. As long as the others get on, nothing is stuck: ask again, and let those who wait behind know.
    """
    seen = _changes_by_others(connection)
    while True:
        try:
            connection.exec_driver_sql("BEGIN IMMEDIATE")
            break
        except OperationalError as error:
            before, seen = seen, _changes_by_others(connection)
            if seen == before or "database is locked" not in str(error.orig):
                raise
            moved()
    moved()


def _changes_by_others(connection: Connection) -> int:
    return int(connection.exec_driver_sql("PRAGMA data_version").scalar_one())


_NOTHING_STORED = "Nothing was stored"
_MEANINGS = {
    "database is locked": f"is busy: somebody has been writing for seconds. {_NOTHING_STORED}; try again",
    "readonly database": f"is read-only. {_NOTHING_STORED}; give the server write access to the file and its folder",
    "disk is full": f"cannot grow, the disk is full. {_NOTHING_STORED}; free some space and try again",
    "unable to open database file": "cannot be opened. Check that its folder exists and may be written",
    "file is not a database": "is not an SQLite file. Point LDLVA_DATABASE_URL at another file",
    "malformed": "is damaged. Restore it from a backup",
    "no such table": "has no tables yet. Run: python -m ldlva db prepare",
    "lock timeout": f"is busy: somebody has been writing for seconds. {_NOTHING_STORED}; try again",
    "read-only transaction": f"is read-only. {_NOTHING_STORED}; connect as a user who may write",
    "No space left": f"cannot grow, the disk is full. {_NOTHING_STORED}; free some space and try again",
    "does not exist": "or one of its tables does not exist. Create it, then run: python -m ldlva db prepare",
}
"""Part of the driver's message to the rest of the sentence "The database ...". Where it is stays out of the sentence:
volunteers see it too."""


def _explain(error: DBAPIError) -> str:
    """Say what a driver's error means for the person in front of it."""
    reason = str(error.orig)
    for sign, meaning in _MEANINGS.items():
        if sign in reason:
            return f"The database {meaning}."
    if isinstance(error, OperationalError):
        return f"The database cannot be used: {reason.strip().splitlines()[0]}."
    return f"The database refused the request: {reason.strip().splitlines()[0]}."
