"""A PostgreSQL server as a source: the connection, its errors by name, its catalogue, its words (`Dialect`).

Leaves what is read, and where it lands, to `connectors.postgresql`.
"""

from __future__ import annotations

import re
from contextlib import closing, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import psycopg
from psycopg.conninfo import make_conninfo

from connectors import options as opt
from connectors import relational as sql
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

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from connectors.relational import Kind, SourceColumn

PORT = 5432
MOST_DIGITS = 38  # of a DECIMAL, in DuckDB and Iceberg alike
CTID_RANGES_SINCE = 140_000
# The correlation of a column with where its rows lie. A table that is only ever added to has 1.
IN_ORDER = 0.999999
BEGIN = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"
_KINDS: dict[str, Kind] = {
    "int2": "integer",
    "int4": "integer",
    "int8": "integer",
    "numeric": "decimal",
    "bool": "boolean",
    "date": "date",
    "timestamp": "timestamp",
    "timestamptz": "moment",
    "text": "text",
    "varchar": "text",
    "bpchar": "text",
    "uuid": "uuid",
}
_INTEGER_DIGITS = {"int2": 5, "int4": 10, "int8": 19}
# What every connection of a read is told. In force for one transaction, so that a pooler between us keeps none of it.
# Without the first, a backslash in a literal of ours would not stand for itself. The others fix how the server spells
# what it turns into text.
_SPEECH = (
    "SET LOCAL standard_conforming_strings = on; SET LOCAL datestyle = 'ISO, YMD'; SET LOCAL timezone = 'UTC'; "
    "SET LOCAL intervalstyle = 'postgres'; SET LOCAL bytea_output = 'hex'; SET LOCAL extra_float_digits = 1; "
    "SET LOCAL lc_monetary = 'C'; SET LOCAL synchronize_seqscans = off; "
    "SET LOCAL idle_in_transaction_session_timeout = 0; SET LOCAL lock_timeout = {lock_ms}; "
    "SET LOCAL statement_timeout = {statement_ms}"
)
# As long as a migration of the department's holds its lock; a scheduler's retry does the rest.
LOCK_TIMEOUT_MS = 15_000
_LOST = frozenset({"57P01", "57P02", "57P03", "57P05", "72000", "40001", "25P03", "25P04"})
# DuckDB's reader hands on the server's sentence without its code; in the two languages that our servers speak.
_SENTENCES: tuple[tuple[str, str], ...] = (
    (r"statement timeout|语句执行超时|语句超时", "57014"),
    (r"lock timeout|锁超时|锁定超时", "55P03"),
    (r"read-only transaction|只读事务|只读模式", "25006"),
    (r"permission denied|权限不够|权限不足", "42501"),
    (r"invalid byte sequence|no equivalent in encoding|无效的.*字节|没有相对应|invalid unicode|utf-?8", "22021"),
    (r"does not exist|不存在", "42P01"),
    (r"terminating connection|server closed|connection|could not receive|snapshot|SSL|中断联接|中止连接", "08006"),
)


@dataclass(frozen=True, slots=True)
class Table:
    """What the catalogue says of an object: *kind* is ``pg_class.relkind``, *key* unique and never NULL.

    *pages* is its size now; *estimate* its rows, as the last ANALYZE had them (0: never).
    """

    schema: str
    name: str
    kind: str
    pages: int
    estimate: int
    columns: tuple[SourceColumn, ...]
    key: tuple[SourceColumn, ...]
    version: int

    @property
    def quoted(self) -> str:
        """The object's whole name in SQL."""
        return f"{quoted(self.schema)}.{quoted(self.name)}"

    @property
    def has_ranges(self) -> bool:
        """Whether the server reads a range of its pages without reading the rest."""
        return self.kind in {"r", "m"} and self.version >= CTID_RANGES_SINCE


class Postgres(sql.Plain):
    """PostgreSQL's words; *zone* is the time zone in which the server tells local times."""

    def __init__(self, zone: str) -> None:
        self._zone = zone

    def literal(self, value: str, column: SourceColumn) -> str:
        """Times bear their type, for arithmetic; the rest takes the type of what it is compared with."""
        types = {"date": "date", "timestamp": "timestamp", "moment": "timestamptz"}
        said = self.string(value)
        return f"{types[column.kind]} {said}" if column.kind in types else said

    def text(self, expression: str, column: SourceColumn) -> str:
        """As the server spells it."""
        del column
        return f"({expression})::text"

    def less(self, value: str, column: SourceColumn, amount: int) -> str:
        """By an interval, or by whole days."""
        if column.kind == "date":
            return f"{value} - {-(-amount // 86_400)}"
        return f"{value} - interval '{amount} seconds'" if column.kind in sql.TIMES else f"{value}::numeric - {amount}"

    def clock(self, column: SourceColumn, delay_s: int) -> str:
        """The moment at which the transaction began, so that no row written after it is passed over."""
        moment = f"(transaction_timestamp() - interval '{delay_s} seconds')"
        if column.kind == "moment":
            return moment
        local = f"({moment} AT TIME ZONE {self.string(self._zone)})"
        return f"{local}::date" if column.kind == "date" else local

    def placeless(self, column: SourceColumn) -> Sequence[str]:
        """Infinite times and NaN have no successor: a cursor that took one would stand still for good."""
        name = self.name(column.name)
        if column.kind in sql.TIMES:
            return (f"{name} IN ('infinity', '-infinity')",)
        return (f"{name} = 'NaN'",) if column.kind == "decimal" else super().placeless(column)

    def ordered(self, column: SourceColumn) -> str:
        """Text by its bytes, whatever the collation of the column."""
        name = self.name(column.name)
        return f'{name} COLLATE "C"' if column.kind == "text" else name


class Server:
    """How to reach one database, from the settings of a system. Holds no password, only who to ask for it."""

    def __init__(self, settings: Mapping[str, str], secrets: Callable[[str], str]) -> None:
        kind = "postgresql"
        self._host = opt.required(settings, "host", kind)
        self._port = opt.integer(settings, "port", PORT, kind, least=1)
        self._database = opt.required(settings, "database", kind)
        self._user = opt.required(settings, "user", kind)
        self._password = settings.get("password", "")
        self._secrets = secrets
        modes = ("prefer", "disable", "allow", "require", "verify-ca", "verify-full")
        self._sslmode = opt.choice(settings, "sslmode", modes, kind)
        self._ca_file = settings.get("ca_file", "")
        self.schema = settings.get("schema", "") or "public"
        self._connect_s = opt.seconds(settings, "connect_timeout_s", sql.CONNECT_TIMEOUT_S, kind)
        self.statement_s = opt.seconds(settings, "statement_timeout_s", sql.STATEMENT_TIMEOUT_S, kind)

    def where(self, table: str) -> str:
        """How messages name *table*."""
        return f"{self._database}:{table}"

    def conninfo(self) -> str:
        """The connection string for libpq. It holds the password: never to be shown.

        A broken network is noticed within about a minute, for a scheduler's slot is held meanwhile.
        """
        return make_conninfo(
            "",
            host=self._host,
            port=self._port,
            dbname=self._database,
            user=self._user,
            password=self._secrets(self._password) if self._password else None,
            sslmode=self._sslmode,
            sslrootcert=self._ca_file or None,
            connect_timeout=max(2, round(self._connect_s)),  # libpq's least
            application_name=sql.APPLICATION_NAME,
            client_encoding="UTF8",
            keepalives_idle=30,
            keepalives_interval=10,
            keepalives_count=3,
        )

    def speech(self) -> str:
        """The statements that begin every transaction of ours, after its snapshot is set."""
        return _SPEECH.format(lock_ms=LOCK_TIMEOUT_MS, statement_ms=max(1, round(self.statement_s * 1000)))

    @contextmanager
    def snapshot(self, object_: str) -> Iterator[Snapshot]:
        """A read-only transaction that sees one state of the database for as long as it lasts.

        Raises:
            ConnectorError: see `connectors.protocol.Connector.read`.
        """
        where = self.where(object_)
        conninfo = self.conninfo()
        try:
            connection = psycopg.connect(conninfo, autocommit=True)
        except psycopg.Error as failure:
            # libpq's messages name users and addresses: none is passed on.
            raise self.refused(str(failure), where) from None
        # Closing alone: to commit a transaction that wrote nothing could only fail.
        with closing(connection):
            try:
                connection.execute(BEGIN)
                shown = connection.execute(
                    "SELECT current_setting('TimeZone'), current_setting('transaction_read_only')"
                )
                zone, read_only = shown.fetchone() or ("UTC", "")
                check_read_only(str(read_only), where)
                connection.execute(self.speech().encode())
                yield Snapshot(self, connection, where, Postgres(str(zone)))
            except psycopg.Error as failure:
                raise self.named(failure.sqlstate or _state_of(str(failure)), where) from None

    def refused(self, message: str, where: str) -> ConnectorError:
        """Why there is no connection. Refusals come without their code, in the server's own language."""
        if re.search("too many|remaining connection slots|太多|连接数|保留.*连接", message):
            return SourceUnavailableError(problem="too_many_sessions", where=where)
        if re.search(
            "starting up|shutting down|in recovery|not accepting|not yet accepting|正在启动|正在关闭", message
        ):
            return SourceUnavailableError(problem="server_starting", where=where)
        if re.search('database ".*" does not exist|数据库.*不存在', message):
            return SourceObjectMissingError(problem="no_database", where=where)
        if re.search("SSL|certificate|TLS", message) and "pg_hba" not in message:
            return SourceDeniedError(problem="no_trusted_tls", where=where, sslmode=self._sslmode)
        # Whatever else the server itself said no to: trying again might lock the account.
        if re.search("FATAL:|致命错误|no password supplied|authentication", message):
            return SourceDeniedError(problem="login_refused", where=where)
        return SourceUnavailableError(problem="cannot_connect", where=where)

    def named(self, state: str, where: str) -> ConnectorError:  # noqa: PLR0911  # one way out for each class
        """The error that SQLSTATE *state* (PostgreSQL, appendix A) is to our caller."""
        if state == "57014":
            return SourceUnavailableError(problem="statement_timeout", where=where, waited_s=self.statement_s)
        if state == "55P03":
            return SourceUnavailableError(problem="database_locked", where=where, waited_s=LOCK_TIMEOUT_MS / 1000)
        if state == "42501":
            return SourceDeniedError(problem="file_denied", where=where)
        if state == "25006":
            return SourceShapeError(problem="reading_writes", where=where)
        if state in {"42P01", "42703", "XX000"}:
            return SourceIncompleteError(problem="table_changed", where=where)
        if state in {"22021", "22P05"}:
            return SourceEncodingError(problem="not_text", where=where)
        if state.startswith("08") or state in _LOST:
            return SourceUnavailableError(problem="connection_lost", where=where)
        return SourceUnavailableError(problem="database_unreadable", where=where, detail=state)


@dataclass(frozen=True, slots=True)
class Snapshot:
    """An open snapshot: *connection* for questions about the catalogue, `ask` for one row of text."""

    server: Server
    connection: psycopg.Connection
    where: str
    dialect: Postgres

    def ask(self, query: str) -> tuple[str | None, ...] | None:
        """The first row of *query*, as text."""
        row = self.connection.execute(query.encode()).fetchone()
        return None if row is None else tuple(None if value is None else str(value) for value in row)

    def table(self, object_: str) -> Table:
        """What the catalogue says of *object_*: ``schema.table``, or a table of the schema in the settings."""
        schema, _, name = object_.rpartition(".")
        row = self.connection.execute(
            "SELECT c.oid, c.relkind, pg_relation_size(c.oid) / current_setting('block_size')::int, "
            "c.reltuples / greatest(c.relpages, 1) FROM pg_class c "
            "JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = %s AND c.relname = %s "
            "AND c.relkind IN ('r', 'p', 'v', 'm', 'f')",
            [schema or self.server.schema, name],
        ).fetchone()
        if row is None:
            raise SourceObjectMissingError(problem="no_table", where=self.where, table=object_)
        oid, kind, pages, density = row
        columns = self.connection.execute(
            "SELECT a.attnum, a.attname, format_type(a.atttypid, a.atttypmod), t.typname, a.atttypmod, a.attnotnull "
            "FROM pg_attribute a JOIN pg_type t ON t.oid = a.atttypid "
            "WHERE a.attrelid = %s AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum",
            [oid],
        ).fetchall()
        found = {int(number): _column(*told) for number, *told in columns}
        keys = self.connection.execute(
            "SELECT indkey::text, indnkeyatts FROM pg_index WHERE indrelid = %s AND indisunique AND indisvalid "
            "AND indimmediate AND indpred IS NULL AND indexprs IS NULL ORDER BY indisprimary DESC, indnkeyatts",
            [oid],
        ).fetchall()
        candidates = (tuple(found[int(n)] for n in numbers.split()[:length]) for numbers, length in keys)
        usable = (key for key in candidates if all(not c.nullable and c.kind in sql.ORDERABLE for c in key))
        version = self.connection.info.server_version
        return Table(
            schema or self.server.schema,
            name,
            kind,
            int(pages),
            int(pages * max(0, density)),
            tuple(found.values()),
            next(usable, ()),
            version,
        )

    def lies_in_order(self, table: Table, key: Sequence[SourceColumn]) -> bool:
        """Whether the rows lie by *key*, as far as the last ANALYZE could tell: good to save a sort, no promise."""
        if len(key) != 1 or key[0].kind not in sql.NUMBERS | sql.TIMES:
            return False  # text lies by its collation, not by its bytes
        found = self.connection.execute(
            "SELECT correlation FROM pg_stats WHERE NOT inherited AND schemaname = %s AND tablename = %s "
            "AND attname = %s",
            [table.schema, table.name, key[0].name],
        ).fetchone()
        return found is not None and found[0] is not None and found[0] >= IN_ORDER

    @contextmanager
    def fitting(self) -> Iterator[None]:
        """Tell that a stored cursor does not fit its column, whose type has changed perhaps.

        Raises:
            SourceShapeError: it does not.
        """
        try:
            yield
        except psycopg.Error as failure:
            state = failure.sqlstate or ""
            if state in {"22P02", "22007", "22008", "22003", "42804", "42883"}:
                raise SourceShapeError(problem="cursor_unfit", where=self.where, detail=state) from None
            raise

    def export(self) -> str:
        """The snapshot's name, by which other connections join it (PostgreSQL, 9.28.5)."""
        return (self.ask("SELECT pg_export_snapshot()") or ("",))[0] or ""


def quoted(identifier: str) -> str:
    """*identifier* quoted for PostgreSQL."""
    return sql.Plain().name(identifier)


def failed(server: Server, message: str, where: str) -> ConnectorError:
    """What the server's *message*, as DuckDB's reader hands it on, is to our caller; the message stays here."""
    return server.named(_state_of(message), where)


def check_read_only(said: str, where: str) -> None:
    """Refuse to read through a session that could write. Raises: ConnectorSettingsError."""
    if said != "on":
        raise ConnectorSettingsError(problem="not_read_only", where=where)


def special(column: SourceColumn) -> str:
    """A condition for values of *column* that its DuckDB type cannot hold, "" where there are none.

    DuckDB reads NaN as 0.00 in silence. Infinite times, times before year 1 and after 9999 it can hold, but no one
    after it reads them alike. A numeric with a precision holds no infinity.
    """
    name = quoted(column.name)
    ends = {"date": "'0001-01-01' AND '9999-12-31'", "timestamp": "'0001-01-01' AND '9999-12-31 23:59:59.999999'"}
    if column.kind == "decimal":
        return f"{name} = 'NaN'"
    return f"{name} NOT BETWEEN {ends[column.kind]}" if column.kind in ends else ""


def fetched(column: SourceColumn, landed: str) -> str:
    """What the server is asked for: the column itself where DuckDB reads its type, else its text."""
    name = quoted(column.name)
    padded = column.declared.startswith(("character(", "bpchar"))
    plain = column.kind == "text" and not padded
    return name if plain or landed != "VARCHAR" else f"{name}::text"


def _column(name: str, declared: str, kind: str, modifier: int, not_null: bool) -> SourceColumn:  # noqa: FBT001
    digits, scale = _INTEGER_DIGITS.get(kind, 0), 0
    if kind == "numeric" and modifier >= 0:
        # numeric.c: precision in the upper half of the modifier, the scale in the lower eleven bits, signed.
        digits, scale = (modifier - 4) >> 16 & 0xFFFF, ((modifier - 4 & 0x7FF) ^ 0x400) - 0x400
        if digits > MOST_DIGITS or not 0 <= scale <= digits:
            digits, scale = 0, 0
    return sql.SourceColumn(name, declared, _KINDS.get(kind, "other"), digits, scale, not not_null)


def _state_of(message: str) -> str:
    return next((state for sentence, state in _SENTENCES if re.search(sentence, message, re.IGNORECASE)), "58000")
