"""Opens the control database and gives out read and write transactions.

Leaves the tables to `hub.control.models` and their creation to `hub.migrations`.
"""

from __future__ import annotations

import sqlite3
import time
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

from sqlalchemy import create_engine, event, literal, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import DataError, InterfaceError, OperationalError, ProgrammingError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from hub.control.models import ControlState
from hub.errors import ControlShapeError, ControlUnavailableError, TextRefusedError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from sqlalchemy.engine import Connection, Engine
    from sqlalchemy.engine.interfaces import DBAPIConnection, DBAPICursor
    from sqlalchemy.pool import ConnectionPoolEntry

    from hub.control.models import Base
    from hub.settings import Settings

BUSY_TIMEOUT_MS = 10_000  # longer than any write transaction of ours; writers queue instead of failing
POOL_SIZE = 40  # as many as the API's worker threads, so that a call never waits for a connection
WRITE = "zhengtong_write"
UNDEFINED = ("42703", "42P01")  # PostgreSQL's codes for a column and a table that is not there


def open_engine(url: str) -> Engine:
    """An engine for *url* whose SQLite connections are in WAL mode and really open transactions.

    Raises:
        ControlUnavailableError: the folder or server of *url* cannot be reached (on first use).
    """
    sqlite = url.startswith("sqlite")
    # A writer that waits for another gives up in the end on either database. Parameters are hidden because the text of
    # a database's error would otherwise carry them, and with them personal data.
    engine = create_engine(
        url,
        pool_size=POOL_SIZE,
        max_overflow=POOL_SIZE,
        pool_pre_ping=not sqlite,
        hide_parameters=True,
        connect_args={} if sqlite else {"options": f"-c lock_timeout={BUSY_TIMEOUT_MS}"},
    )
    if sqlite:
        event.listen(engine, "connect", _prepare_sqlite)
        event.listen(engine, "begin", _begin_sqlite)
    return engine


def _prepare_sqlite(connection: DBAPIConnection, record: ConnectionPoolEntry) -> None:
    del record
    # The driver must not open transactions behind our back: `begin` below says which kind.
    connection.isolation_level = None
    cursor = connection.cursor()
    cursor.execute(f"PRAGMA busy_timeout = {BUSY_TIMEOUT_MS}")
    _enter_wal(cursor)
    # A grant that was acknowledged must survive loss of power, not only of the process.
    cursor.execute("PRAGMA synchronous = FULL")
    cursor.execute("PRAGMA foreign_keys = ON")
    cursor.close()


def _enter_wal(cursor: DBAPICursor) -> None:
    # The file remembers its mode, so only a new one is changed. Two processes that change it at once do not wait for
    # each other as writers do: SQLite refuses one of them at once, since each would wait for the other's read lock.
    deadline = time.monotonic() + BUSY_TIMEOUT_MS / 1000
    while True:
        try:
            cursor.execute("PRAGMA journal_mode = WAL")
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode != sqlite3.SQLITE_BUSY or time.monotonic() > deadline:
                raise
            time.sleep(0.01)
        else:
            return


def _begin_sqlite(connection: Connection) -> None:
    # A writer takes its lock at once: one that reads first and upgrades later fails instead of waiting.
    write = connection.get_execution_options().get(WRITE, False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if write else "BEGIN")


class Control:
    """The control database. Safe for many threads and processes."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self._writer = engine.execution_options(**{WRITE: True})
        self._closed = False
        event.listen(engine, "checkin", self._returned)

    @classmethod
    def open(cls, settings: Settings) -> Control:
        """Open the database of *settings* and bring its tables to the newest version."""
        from hub.migrations import upgrade  # noqa: PLC0415 - Alembic costs every other start 0.1 s

        settings.home.mkdir(parents=True, exist_ok=True)
        engine = open_engine(settings.control_url)
        with _available():
            upgrade(engine)
        return cls(engine)

    @classmethod
    def attach(cls, settings: Settings) -> Control:
        """Open the database of *settings* as it is: for a task among many, after `open` has been called by another."""
        return cls(open_engine(settings.control_url))

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """A connection for reading one consistent state."""
        with _available(), self.engine.connect() as connection:
            yield connection

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """A write transaction: committed when the block ends, rolled back when it raises. Writers queue."""
        with _available(), self._writer.begin() as connection:
            yield connection

    def generation(self) -> int:
        """The number that rises with every change to lists, callers and grants."""
        with self.reading() as connection:
            return int(connection.execute(_GENERATION).scalar_one())

    def close(self) -> None:
        """Close the pooled connections; one that is lent out is closed when it comes back."""
        self._closed = True
        self.engine.dispose()

    def _returned(self, connection: DBAPIConnection | None, record: ConnectionPoolEntry) -> None:
        del connection
        if self._closed:
            record.invalidate()


class Generations:
    """Reads the generation again and again on one connection of its own, without the pool's and the mapper's work.

    For one thread. Where that connection fails, the next question goes by the pool, and then on a new one.
    """

    def __init__(self, control: Control) -> None:
        self._control = control
        self._connection: Any = None
        self._closed = False

    def __call__(self) -> int:
        """As `Control.generation`. Raises: as there."""
        if self._closed:
            return self._control.generation()
        try:
            if self._connection is None:
                pooled = self._control.engine.raw_connection()
                self._connection = pooled.driver_connection
                pooled.detach()
                if self._control.engine.dialect.name == "postgresql":
                    self._connection.autocommit = True
            row = self._connection.execute(_GENERATION_SQL).fetchone()
            return int(row[0])
        except Exception:  # noqa: BLE001 - of any driver; what is wrong is said by the other way
            self._let_go()
            return self._control.generation()

    def close(self) -> None:
        """Close the connection, for good: who asks later is answered by the pool."""
        self._closed = True
        self._let_go()

    def _let_go(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            with suppress(Exception):
                connection.close()


_GENERATION = select(ControlState.generation).where(ControlState.id == 1)
_GENERATION_SQL = f"SELECT generation FROM {ControlState.__tablename__} WHERE id = 1"


def raise_generation(connection: Connection) -> None:
    """Tell every reader, in every process, that what it remembers may have changed. Inside a write transaction."""
    connection.execute(update(ControlState).where(ControlState.id == 1).values(generation=ControlState.generation + 1))


@contextmanager
def _available() -> Iterator[None]:
    try:
        yield
    except (OperationalError, ProgrammingError, InterfaceError, PoolTimeoutError) as error:
        if _misses_a_name(error):
            # No waiting mends it, unlike what else is told here.
            raise ControlShapeError from error
        if isinstance(error, ProgrammingError):
            raise
        raise ControlUnavailableError from error
    except DataError as error:
        # A text that one of the databases cannot hold: longer than its column, or with a NUL in it.
        raise TextRefusedError from error


def hold_generation(connection: Connection) -> None:
    """Let nobody else change lists, callers or grants until this write transaction ends.

    For a step that first looks at what is in force and then acts on it. On SQLite the write transaction itself has
    made others wait; on PostgreSQL this row does, which every such change raises.
    """
    connection.execute(_GENERATION.with_for_update())


def insert_once(connection: Connection, model: type[Base], values: Mapping[str, Any]) -> bool:
    """Insert a row unless one with its unique key is there; whether it was new. Two who try at once: one inserts."""
    insert = postgresql.insert if connection.dialect.name == "postgresql" else sqlite.insert
    # What was inserted is asked back: the number of rows is not told by every driver.
    statement = insert(model).values(dict(values)).on_conflict_do_nothing().returning(literal(1))
    return connection.execute(statement).first() is not None


def _misses_a_name(error: Exception) -> bool:
    """Whether a database says that a table or column is not there."""
    cause = getattr(error, "orig", None)
    if getattr(cause, "sqlstate", None) in UNDEFINED:
        return True
    return isinstance(cause, sqlite3.OperationalError) and str(cause).startswith(("no such table", "no such column"))


def row_dict(row: Any) -> dict[str, Any]:  # noqa: ANN401 - a row of any table
    """A Core row as a dict by column name."""
    return dict(row._mapping)  # noqa: SLF001 - SQLAlchemy's documented, if underscored, accessor
