r"""Reach any database that has a SQLAlchemy dialect: settings, a read-only transaction, its words, its values as text.

Leaves what is read to `connectors.sqlalchemy_db` and `connectors.exchange`.

Settings: ``url`` (``dialect+driver://user@host:port/database?…``, without the password), ``password`` = a secret's
reference; ``schema`` (the account's own by default); ``isolation``, the level under which is read (by default the one
under which a transaction sees one moment, where the database has such a level that costs nobody else anything);
``session``, statements to be run first, parted by ``;``.

The driver is a package of its own, installed beside this one. No statement of a read writes; PostgreSQL, MySQL,
MariaDB, Oracle, DM and SQLite (and what speaks like them) are told to refuse one as well. Others are held to it by the
account's rights alone: grant SELECT and no more.
"""

from __future__ import annotations

import re
from contextlib import contextmanager
from datetime import date, datetime, time, timedelta
from decimal import Decimal, InvalidOperation
from functools import partial
from typing import TYPE_CHECKING, Any
from uuid import UUID

import pyarrow as pa
import sqlalchemy as sa
from sqlalchemy import event, exc, types
from sqlalchemy.pool import NullPool

from connectors import options as opt
from connectors import streamed
from connectors.errors import (
    ConnectorError,
    ConnectorSettingsError,
    SourceDeniedError,
    SourceEncodingError,
    SourceIncompleteError,
    SourceObjectMissingError,
    SourceShapeError,
    SourceUnavailableError,
)
from connectors.relational import NUMBERS, TIMES, Plain, SourceColumn

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator, Mapping, Sequence

    from sqlalchemy.engine.interfaces import ReflectedColumn

    from connectors.relational import Kind

ROWS_PER_BATCH = 10_000
# By the dialect's name. Elsewhere seeing one moment takes locks on a department's production tables.
ISOLATION = dict.fromkeys(("postgresql", "kingbase", "opengauss", "mysql", "mariadb"), "REPEATABLE READ")
READ_ONLY = {
    "mysql": "SET SESSION TRANSACTION READ ONLY",
    "mariadb": "SET SESSION TRANSACTION READ ONLY",
    "sqlite": "PRAGMA query_only = ON",
}
# These say it of each transaction, in its first statement, and then it sees one moment too.
BEGIN = {"oracle": "SET TRANSACTION READ ONLY", "dm": "SET TRANSACTION READ ONLY"}
CLOCKS = {
    "sqlite": "datetime('now', 'localtime')",
    "mssql": "SYSDATETIME()",
    "mysql": "NOW(6)",
    "mariadb": "NOW(6)",
    "oracle": "LOCALTIMESTAMP",
}
BY_BYTES = {
    "postgresql": '{} COLLATE "C"',
    "mysql": "CONVERT({} USING utf8mb4) COLLATE utf8mb4_bin",
    "mariadb": "CONVERT({} USING utf8mb4) COLLATE utf8mb4_bin",
}
PACKAGES = {
    "oracle": "oracledb",
    "mssql": "pymssql",
    "dm": "dmSQLAlchemy dmPython",
    "kingbase": "kingbase8-sqlalchemy ksycopg2",
}
# SQLSTATE class 28 and 42501; MySQL; Oracle; SQL Server.
DENIED = re.compile(r"28\d..|42501|1044|1045|1142|1143|1227|1698|ORA-0(1017|1031|1045)|ORA-28\d{3}|18456|229|230")
TIMED_OUT = {"57014", "1969", "3024", "ORA-01013"}
DEADLOCKS = {"40001", "40P01", "55P03", "1205", "1213", "ORA-00060"}
WRITES = {"25006", "1792", "ORA-01456", "SQLITE_READONLY"}
# What drivers make of these is not what the source holds: the server has to write them.
ONLY_AS_TEXT = (types.JSON, types.ARRAY, types.Interval, types.NullType)
# Of PostgreSQL's many more, drivers make objects of their own: all but those that every database has.
NUMBERS_AND_TEXTS = (types.String, types.Numeric, types.Integer, types.Boolean, types.LargeBinary, types.Uuid)
KNOWN = (*NUMBERS_AND_TEXTS, types.Date, types.DateTime, types.Time)
DIGITS = ((types.SmallInteger, 5), (types.BigInteger, 19), (types.Integer, 10))
UNSIGNED_BIGINT_DIGITS = 20
HOUR_S, MINUTE_S = 3600, 60


class Database:
    """What the settings say; opens a connection for each read and keeps none."""

    def __init__(self, settings: Mapping[str, str], secrets: Callable[[str], str], kind: str) -> None:
        self._kind = kind
        try:
            self._url = sa.make_url(opt.required(settings, "url", kind))
        except exc.ArgumentError:
            expected = "dialect+driver://user@host:port/database"
            raise ConnectorSettingsError(problem="setting_invalid", where=kind, name="url", expected=expected) from None
        if self._url.password is not None:
            raise ConnectorSettingsError(problem="secret_inside", where=kind, name="url")
        self._secrets = secrets
        self._password = settings.get("password", "")
        self._schema = settings.get("schema", "") or None
        self._isolation = settings.get("isolation", "")
        self._session = [part.strip() for part in settings.get("session", "").split(";") if part.strip()]

    def where(self, table: str) -> str:
        """How messages name *table*."""
        return f"{self._url.database or self._url.get_backend_name()}:{table}"

    @contextmanager
    def table(self, object_: str, *, read_only: bool = True) -> Iterator[Table]:
        """*object_* (``table`` or ``schema.table``) in one transaction, rolled back unless the block commits it.

        Raises:
            ConnectorError: whatever the driver raises inside the block too, by what the caller does next.
        """
        where = self.where(object_)
        with self._connected(where, read_only=read_only) as connection:
            yield self.found(connection, object_, where)

    @contextmanager
    def _connected(self, where: str, *, read_only: bool) -> Iterator[sa.Connection]:
        engine = self._engine(where, read_only=read_only)
        dialect = engine.dialect.name
        level = self._isolation or ISOLATION.get(dialect, "")
        options: dict[str, Any] = {"isolation_level": level} if level else {}
        if read_only and dialect in {"postgresql", "kingbase", "opengauss"}:
            options["postgresql_readonly"] = True
        try:
            with self._named(where, opening=True):
                opened = engine.connect()
            # Leaving rolls back, which a lost connection refuses as well: that too has a name.
            with self._named(where), opened as connection:
                connection.execution_options(**options)
                if read_only and dialect in BEGIN:
                    connection.execute(sa.text(BEGIN[dialect]))
                yield connection
        finally:
            engine.dispose()

    def _engine(self, where: str, *, read_only: bool) -> sa.Engine:
        url = self._url
        if self._password:
            url = url.set(password=self._secrets(self._password))
        try:
            engine = sa.create_engine(url, poolclass=NullPool, hide_parameters=True)
        except (ImportError, exc.NoSuchModuleError) as failure:
            name = getattr(failure, "name", None) or url.drivername
            package = PACKAGES.get(url.get_backend_name(), name)
            raise ConnectorSettingsError(problem="extension_missing", where=self._kind, package=package) from None
        except (exc.ArgumentError, TypeError):
            expected = "dialect+driver://user@host:port/database"
            raise ConnectorSettingsError(
                problem="setting_invalid", where=where, name="url", expected=expected
            ) from None
        event.listen(engine, "connect", partial(self._prepare, engine.dialect.name, read_only))
        if engine.dialect.name == "sqlite":
            event.listen(engine, "begin", lambda connection: connection.exec_driver_sql("BEGIN"))
        return engine

    def _prepare(self, dialect: str, read_only: bool, connection: Any, _: object) -> None:  # noqa: ANN401, FBT001  # each driver's own
        if dialect == "sqlite":
            # Else the driver itself decides when a transaction begins, and none does for reading.
            connection.isolation_level = None
        cursor = connection.cursor()
        for statement in [*self._session, READ_ONLY.get(dialect, "") if read_only else ""]:
            if statement:
                cursor.execute(statement)
        cursor.close()

    def found(self, connection: sa.Connection, object_: str, where: str) -> Table:
        """*object_* as *connection* sees it. Raises: SourceObjectMissingError."""
        inspector = sa.inspect(connection)
        for schema, name in ((self._schema, object_), object_.rpartition(".")[::2]):
            # A dotted name may be the table's whole name; else its schema stands before the dot.
            if schema != "" and inspector.has_table(name, schema=schema):
                columns = inspector.get_columns(name, schema=schema)
                key = inspector.get_pk_constraint(name, schema=schema).get("constrained_columns", [])
                return Table(connection, where, (schema, name), columns, key)
        raise SourceObjectMissingError(problem="no_table", where=where, table=object_)

    @contextmanager
    def _named(self, where: str, *, opening: bool = False) -> Iterator[None]:
        """Turn what drivers raise into our errors. Their messages quote statements and values: none is passed on."""
        try:
            yield
        except exc.NoSuchTableError:
            raise SourceIncompleteError(problem="table_changed", where=where) from None
        except exc.ArgumentError:
            # An isolation level that the database does not have.
            raise ConnectorSettingsError(
                problem="setting_invalid", where=where, name="isolation", expected="…"
            ) from None
        except exc.DBAPIError as failure:
            raise _error(failure, where, opening=opening) from None
        except exc.SQLAlchemyError as failure:
            detail = type(failure).__name__
            raise SourceUnavailableError(problem="database_unreadable", where=where, detail=detail) from None
        except UnicodeError:
            raise SourceEncodingError(problem="not_text", where=where) from None
        except (OSError, EOFError):
            problem = "cannot_connect" if opening else "connection_lost"
            raise SourceUnavailableError(problem=problem, where=where) from None


def _error(failure: exc.DBAPIError, where: str, *, opening: bool) -> ConnectorError:  # noqa: PLR0911  # a way for each
    code = _code(failure.orig)
    if DENIED.fullmatch(code) or (opening and re.search("FATAL:|password", str(failure.orig))):
        return SourceDeniedError(problem="login_refused" if opening else "file_denied", where=where)
    if opening:
        return SourceUnavailableError(problem="cannot_connect", where=where)
    if code in TIMED_OUT:
        return SourceUnavailableError(problem="database_unreadable", where=where, detail=code)
    if code in DEADLOCKS:
        return SourceUnavailableError(problem="database_locked", where=where, waited_s=0)
    if code in WRITES:
        return SourceShapeError(problem="reading_writes", where=where)
    if failure.connection_invalidated or isinstance(failure, exc.InterfaceError):
        return SourceUnavailableError(problem="connection_lost", where=where)
    if isinstance(failure, exc.DataError):
        return SourceShapeError(problem="value_unreadable", where=where, detail=code)
    if isinstance(failure, exc.ProgrammingError) or code in {"1054", "1412", "SQLITE_ERROR", "SQLITE_SCHEMA"}:
        return SourceIncompleteError(problem="table_changed", where=where)
    return SourceUnavailableError(problem="database_unreadable", where=where, detail=code)


def _code(cause: object) -> str:
    """The code of a driver's error: SQLSTATE, the vendor's number or name; else its class."""
    first = next(iter(getattr(cause, "args", ())), None)
    if isinstance(first, int):
        return str(first)
    named = (getattr(cause, name, None) for name in ("sqlstate", "pgcode", "sqlite_errorname"))
    return str(next((said for said in named if said), None) or getattr(first, "full_code", type(cause).__name__))


class Words(Plain):
    """The words of a SQLAlchemy dialect. Text it makes has no doubled percent signs, whatever its driver wants."""

    def __init__(self, dialect: sa.Dialect, columns: Mapping[str, types.TypeEngine[Any]], ask: Any, where: str) -> None:  # noqa: ANN401
        self._dialect = dialect
        self._types = columns
        self._ask = ask
        self._where = where
        self._meant: dict[str, Any] = {}
        empty = ask("SELECT CASE WHEN '' IS NULL THEN 1 ELSE 0 END")
        self._empty_is_null = empty == ("1",)

    def name(self, identifier: str) -> str:
        """*identifier* quoted, where it has to be: some databases know their own names without quotes only."""
        return self._plain(self._dialect.identifier_preparer.quote(identifier))

    def literal(self, value: str, column: SourceColumn) -> str:
        """*value* as the dialect writes it.

        Raises:
            SourceShapeError: *value* is no value of the column's type.
        """
        try:
            meant = _value(value, column)
        except (ValueError, InvalidOperation):
            raise SourceShapeError(problem="cursor_unfit", where=self._where, detail=column.declared) from None
        if self._dialect.name == "sqlite" and column.kind in TIMES:
            return self._noted(self.string(value), meant)  # there a time is a text, compared as such
        return self._written(meant, column)

    def _written(self, meant: Any, column: SourceColumn) -> str:  # noqa: ANN401  # of the type that the kind has
        if column.kind in NUMBERS:
            return format(meant, "f") if isinstance(meant, Decimal) else str(meant)
        if self._dialect.name == "sqlite" and column.kind in TIMES:
            return self._noted(self.string(meant.isoformat(*([" "] if isinstance(meant, datetime) else []))), meant)
        kind: types.TypeEngine[Any] = types.String()
        if column.kind == "date":
            kind = types.Date()
        elif column.kind in {"timestamp", "moment"}:
            kind = types.DateTime(timezone=column.kind == "moment")
        literal = sa.literal(meant, kind).compile(dialect=self._dialect, compile_kwargs={"literal_binds": True})
        return self._noted(self._plain(str(literal)), meant)

    def _noted(self, written: str, meant: Any) -> str:  # noqa: ANN401  # as `_written`
        self._meant[written] = meant
        return written

    def text(self, expression: str, column: SourceColumn) -> str:
        """As it is, for its value is made text here; but cast where the driver would make something else of it."""
        found = self._types.get(column.name)
        foreign = self._dialect.name == "postgresql" and found is not None and not isinstance(found, KNOWN)
        if not foreign and not isinstance(found, ONLY_AS_TEXT):
            return expression
        return self._plain(str(sa.cast(sa.literal_column(expression), sa.Text()).compile(dialect=self._dialect)))

    def less(self, value: str, column: SourceColumn, amount: int) -> str:
        """The difference, computed here: intervals are written differently everywhere."""
        if column.kind not in TIMES:
            return f"{value} - {amount}"
        meant = self._meant[value]
        # A date has no seconds: whole days, rounded up.
        step = timedelta(days=-(-amount // 86_400)) if column.kind == "date" else timedelta(seconds=amount)
        return self._written(meant - step, column)

    def clock(self, column: SourceColumn, delay_s: int) -> str:
        """The server's clock as it is now."""
        (said,) = self._ask(f"SELECT {self.now(column)}")
        moment = datetime.fromisoformat(said) - timedelta(seconds=delay_s)
        return self._written(moment.date() if column.kind == "date" else moment, column)

    def now(self, column: SourceColumn) -> str:
        """The expression of the server's clock, for a value of *column*."""
        return CLOCKS.get(self._dialect.name, "CURRENT_TIMESTAMP" if column.kind == "moment" else "LOCALTIMESTAMP")

    def placeless(self, column: SourceColumn) -> Sequence[str]:
        """An empty text, where the database does not take it for NULL."""
        return () if self._empty_is_null else super().placeless(column)

    def ordered(self, column: SourceColumn) -> str:
        """A text by its bytes, where we know how to say so; elsewhere as the database orders it."""
        form = BY_BYTES.get(self._dialect.name, "{}") if column.kind == "text" else "{}"
        return form.format(self.name(column.name))

    def after(self, columns: Sequence[SourceColumn], values: Sequence[str], *, equal: bool) -> str:
        """A comparison of rows, spelt out."""
        given = [self.literal(value, column) for value, column in zip(values, columns, strict=True)]
        return streamed.behind([self.name(column.name) for column in columns], given, equal=equal)

    def _plain(self, text: str) -> str:
        return text.replace("%%", "%") if self._dialect.identifier_preparer._double_percents else text  # noqa: SLF001


class Table:
    """See `connectors.streamed.Table`."""

    limit = ""

    def __init__(
        self,
        connection: sa.Connection,
        where: str,
        name: tuple[str | None, str],
        columns: Sequence[ReflectedColumn],
        key: Sequence[str],
    ) -> None:
        self.connection = connection
        self.where = where
        dialect = connection.dialect
        self.columns: Sequence[SourceColumn] = [_column(column) for column in columns]
        self.dialect = Words(dialect, {column["name"]: column["type"] for column in columns}, self.ask, where)
        self.sql = ".".join(self.dialect.name(part) for part in name if part)
        by_name = {column.name: column for column in self.columns}
        self.key: Sequence[SourceColumn] = tuple(by_name[part] for part in key)
        # SQLite's types are recommendations; zero dates (MySQL) and NaN (PostgreSQL) are of no such type.
        loose = {"sqlite": {"integer", "decimal", "boolean", "date", "timestamp"}, "mysql": {"date", "timestamp"}}
        kinds = loose.get(
            dialect.name.replace("mariadb", "mysql"), {"decimal"} if dialect.name == "postgresql" else set()
        )
        self.uncertain = frozenset(column.name for column in self.columns if column.kind in kinds)

    def ask(self, query: str) -> tuple[str | None, ...] | None:
        """The first row of *query*, as text."""
        if " FROM " not in query:
            compiler = self.connection.dialect.statement_compiler(self.connection.dialect, None)
            query += compiler.default_from()
        row = self.connection.execute(statement(query)).fetchone()
        return None if row is None else tuple(text_of(value) for value in row)

    def rows(self, query: str, columns: Sequence[SourceColumn | None]) -> Generator[list[pa.Array], None, None]:
        """The rows of *query* as they come."""
        del columns
        options = {"stream_results": True, "max_row_buffer": ROWS_PER_BATCH}
        result = self.connection.execute(statement(query), execution_options=options)
        try:
            for rows in result.partitions(ROWS_PER_BATCH):
                yield [pa.array(_texts(values), pa.string()) for values in zip(*rows, strict=True)]
        except BaseException:
            if self.connection.dialect.driver == "pymysql":
                # Else it would first take in all the rows that are still on their way, or try to when it is collected.
                reading = getattr(result.cursor, "_result", None)
                if reading is not None:
                    reading.unbuffered_active = False
                self.connection.invalidate()
            raise
        finally:
            result.close()


def statement(query: str) -> sa.TextClause:
    """*query* as it is."""
    # A colon names a parameter in SQLAlchemy's text, unless a backslash stands before it.
    return sa.text(query.replace(":", "\\:"))


def _column(found: ReflectedColumn) -> SourceColumn:
    declared = str(found["type"]) if not isinstance(found["type"], types.NullType) else "?"
    kind, digits, scale = _kind(found["type"])
    return SourceColumn(found["name"], declared.lower(), kind, digits, scale, found.get("nullable", True))


def _kind(found: types.TypeEngine[Any]) -> tuple[Kind, int, int]:
    if isinstance(found, types.Integer):
        digits = next(digits for kind, digits in DIGITS if isinstance(found, kind))
        unsigned = getattr(found, "unsigned", False)
        wide = unsigned and digits > DIGITS[-1][1]
        return ("decimal", UNSIGNED_BIGINT_DIGITS, 0) if wide else ("integer", digits, 0)
    if isinstance(found, types.Numeric) and not isinstance(found, types.Float):
        return "decimal", found.precision or 0, found.scale or 0
    if isinstance(found, types.DateTime):
        return "moment" if found.timezone else "timestamp", 0, 0
    plain: tuple[tuple[type[types.TypeEngine[Any]], Kind], ...] = (
        (types.Boolean, "boolean"),
        (types.Date, "date"),
        (types.Enum, "other"),
        (types.String, "text"),
    )
    return next((kind for made, kind in plain if isinstance(found, made)), "other"), 0, 0


def _value(text: str, column: SourceColumn) -> Any:  # noqa: ANN401  # of the type that the kind has
    if column.kind == "integer":
        return int(text)
    if column.kind == "decimal":
        value = Decimal(text)
        if not value.is_finite():
            raise ValueError(text)
        return value
    if column.kind == "date":
        return datetime.fromisoformat(text).date()
    if column.kind in {"timestamp", "moment"}:
        return datetime.fromisoformat(text)
    return text


def _texts(values: Sequence[object]) -> list[str | None]:
    return [value if value is None or type(value) is str else text_of(value) for value in values]


def text_of(value: object) -> str | None:  # noqa: PLR0911  # a way out for each type
    """What a driver answered, as text without loss.

    Raises:
        SourceShapeError: a type that we do not know how to write.
    """
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, Decimal):
        return format(value, "f")
    if isinstance(value, int | float):
        # Python writes the shortest text that reads back as the same float.
        return repr(value)
    if isinstance(value, datetime):
        return value.isoformat(" ")
    if isinstance(value, date | time):
        return value.isoformat()
    if isinstance(value, timedelta):
        return _clock_text(value)
    if isinstance(value, bytes | bytearray | memoryview):
        return "\\x" + bytes(value).hex()
    if isinstance(value, UUID):
        return str(value)
    raise SourceShapeError(problem="value_unreadable", where="connectors", detail=type(value).__name__)


def _clock_text(value: timedelta) -> str:
    """A span of time as databases write TIME: hours may be beyond a day, and negative."""
    sign, value = ("-", -value) if value < timedelta(0) else ("", value)
    minutes, seconds = divmod(value.days * 24 * HOUR_S + value.seconds, MINUTE_S)
    part = f".{value.microseconds:06}" if value.microseconds else ""
    return f"{sign}{minutes // 60:02}:{minutes % 60:02}:{seconds:02}{part}"
