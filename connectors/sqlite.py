r"""The ``sqlite`` kind: a table or view of a departmental SQLite database, in one consistent snapshot.

Leaves checking the values to `warehouse`.

Settings: ``path``; ``busy_timeout_s`` (10), how long a read waits for a lock. The object is a table or view. Options:
those of `connectors.relational.ReadOptions`, and ``cursor_zone`` (Asia/Shanghai), in which times are written that
``until=clock`` compares with this machine's clock, for the database has none.

Values land as text without loss, in one file: integers as digits, reals as the shortest text that reads back the same,
text as it is, blobs as lower-case hexadecimal after ``\x``. The database is opened read-only; while a read lasts, a
writer in rollback-journal mode cannot commit (in WAL mode it can).
"""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing, contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

import pyarrow as pa

from connectors import options as opt
from connectors import relational as sql
from connectors.cursor import CursorTime, FullPull
from connectors.errors import (
    SourceDeniedError,
    SourceEncodingError,
    SourceIncompleteError,
    SourceObjectMissingError,
    SourceShapeError,
    SourceUnavailableError,
)
from connectors.files import unreadable
from connectors.landing import land
from connectors.protocol import Batch
from connectors.relational import SourceColumn

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from connectors.protocol import ReadRequest

ROWS_PER_BATCH = 20_000
# As long as an office program holds a lock while saving; a scheduler's retry does the rest.
BUSY_TIMEOUT_S = 10.0
HEADER_BYTES = 100


class SqliteConnector:
    """See the module; promises of `connectors.protocol.Connector`.

    An incremental range is taken by the database itself, in the order of the column's own values, so that numbers need
    no ``cursor_order``.
    """

    kind = "sqlite"

    def __init__(self, settings: Mapping[str, str]) -> None:
        self._path = Path(opt.required(settings, "path", self.kind))
        self._timeout_s = opt.seconds(settings, "busy_timeout_s", BUSY_TIMEOUT_S, self.kind)

    def probe(self, object: str, options: Mapping[str, str]) -> tuple[str, ...]:  # noqa: A002  # the protocol's word
        """The columns of the table or view."""
        del options
        with self._snapshot(object) as connection:
            return tuple(column.name for column in _columns(connection, self._where(object), object))

    def read(self, request: ReadRequest, into: Path) -> Batch:
        """Land the table; see `connectors.protocol.Connector.read`."""
        options = sql.ReadOptions.of(request.options, self.kind)
        where, table = self._where(request.object), _quoted(request.object)
        with self._snapshot(request.object) as connection:
            choice = sql.choose(request, _columns(connection, where, request.object), where)
            words = SqliteDialect(connection, request, where)
            choice = words.ordering(choice, table)
            span = sql.range_of(request, choice, options, words, words.ask)
            told = sql.measure(table, request, choice, span, options=options, dialect=words, ask=words.ask)
            selected = ["NULL" if c.source is None else _quoted(c.source.name) for c in choice.columns]
            query = f"SELECT {', '.join(selected)} FROM {table}{span.and_()}"
            order = [_quoted(span.cursor.name)] if span.cursor else []
            if order := [*order, *_order(connection, request.object)]:
                query += f" ORDER BY {', '.join(order)}"
            landed = land(request, _tables(connection, query, request), into, FullPull())
            sql.check_rows(told.rows, landed.rows, where)
        return Batch(
            into,
            landed.sha256,
            landed.rows,
            told.cursor,
            choice.renamed,
            choice.extra,
            choice.absent,
            choice.types,
            told.measures,
        )

    def _where(self, table: str) -> str:
        return f"{self._path.name}:{table}"

    @contextmanager
    def _snapshot(self, table: str) -> Iterator[sqlite3.Connection]:
        """A read transaction: everything inside sees the same state, whatever others commit meanwhile."""
        where = self._where(table)
        if not self._path.is_file():
            raise SourceUnavailableError(problem="database_missing", where=str(self._path))
        if not _is_whole(self._path):
            raise SourceIncompleteError(problem="database_damaged", where=where)
        uri = f"file:{quote(str(self._path.absolute()))}?mode=ro"
        try:
            with closing(sqlite3.connect(uri, uri=True, timeout=self._timeout_s, isolation_level=None)) as connection:
                connection.execute("BEGIN")
                connection.execute("SELECT count(*) FROM sqlite_master").fetchone()  # takes the snapshot
                yield connection
        except sqlite3.Error as failure:
            # SQLite's messages may quote values ("Could not decode … with text …"): none is passed on.
            raise self._named(failure, where) from None

    def _named(self, failure: sqlite3.Error, where: str) -> Exception:
        code = getattr(failure, "sqlite_errorcode", None)
        primary = None if code is None else code & 0xFF
        if primary in {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}:
            return SourceUnavailableError(problem="database_locked", where=where, waited_s=self._timeout_s)
        if primary in {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}:
            return SourceIncompleteError(problem="database_damaged", where=where)
        if primary in {sqlite3.SQLITE_PERM, sqlite3.SQLITE_AUTH}:
            return SourceDeniedError(problem="file_denied", where=where)
        if "decode" in str(failure):
            return SourceEncodingError(problem="not_text", where=where)
        detail = getattr(failure, "sqlite_errorname", type(failure).__name__)
        return SourceUnavailableError(problem="database_unreadable", where=where, detail=detail)


class SqliteDialect(sql.Plain):
    """The words of SQLite, whose columns hold what they please: the values of the cursor column say what it is like."""

    def __init__(self, connection: sqlite3.Connection, request: ReadRequest, where: str) -> None:
        self._connection = connection
        self._request = request
        self._where = where
        self._like = request.cursor or ""
        self._time: CursorTime | None = None

    def ask(self, query: str) -> tuple[str | None, ...] | None:
        """The first row of *query*, as text."""
        row = self._connection.execute(query).fetchone()
        return None if row is None else tuple(_texts(row))

    def ordering(self, choice: sql.Choice, table: str) -> sql.Choice:
        """*choice* with the kind of its cursor column, by the least and the greatest of its values.

        Raises:
            SourceShapeError: it mixes numbers and text. SQLite has every number before every text: a range would lose
                rows.
        """
        source = choice.source(self._request.cursor_column)
        if source is None:
            return choice
        name = _quoted(source.name)
        query = f"SELECT typeof(min({name})), typeof(max({name})), max({name}) FROM {table}"
        least, most, greatest = self._connection.execute(f"{query} WHERE {name} <> ''").fetchone()
        numbers = {"integer", "real"}
        if greatest is not None and (least in numbers) != (most in numbers):
            raise SourceShapeError(problem="cursor_mixed", where=self._where, column=self._request.cursor_column)
        if greatest is not None:
            self._like = _text(greatest)
        found = replace(source, kind="decimal" if most in numbers else self._kind())
        chosen = tuple(replace(c, source=found) if c.source is source else c for c in choice.columns)
        return replace(choice, columns=chosen)

    def _kind(self) -> sql.Kind:
        """What a text is like: ISO times and dates can be reckoned with."""
        time = CursorTime.of({**self._request.options, "cursor_time": "iso"}, self._where)
        if time is None or time.read(self._like) is None:
            return "text"
        self._time = time
        return "timestamp" if ":" in self._like else "date"

    def literal(self, value: str, column: SourceColumn) -> str:
        """A number as such, all else as text.

        Raises:
            SourceShapeError: the column holds numbers, and *value* is none.
        """
        if column.kind not in sql.NUMBERS:
            return self.string(value)
        try:
            return repr(int(value) if value.lstrip("-").isdigit() else float(value))
        except ValueError:
            name = self._request.cursor_column
            raise SourceShapeError(problem="numbers_expected", where=self._where, column=name) from None

    def text(self, expression: str, column: SourceColumn) -> str:
        """As it is; `ask` makes text of it."""
        del column
        return expression

    def less(self, value: str, column: SourceColumn, amount: int) -> str:
        """*value* less *amount*, a time written as it is."""
        written = value[1:-1].replace("''", "'")
        moment = self._time.read(written) if self._time and column.kind in sql.TIMES else None
        if self._time is None or moment is None:
            return f"{value} - {amount}" if column.kind in sql.NUMBERS else value
        return self.string(self._time.write(moment - timedelta(seconds=amount), written))

    def clock(self, column: SourceColumn, delay_s: int) -> str:
        """This machine's clock, written as the values of the column are."""
        del column
        seconds = self.ask("SELECT strftime('%s', 'now')")
        moment = datetime.fromtimestamp(int((seconds or ("0",))[0] or 0), UTC) - timedelta(seconds=delay_s)
        return self.string(self._time.write(moment, self._like) if self._time else "")

    def placeless(self, column: SourceColumn) -> tuple[str]:
        """An empty text, whatever the column was declared as."""
        return (f"{_quoted(column.name)} = ''",)


def _tables(connection: sqlite3.Connection, query: str, request: ReadRequest) -> Iterator[pa.Table]:
    names = [column.name for column in request.columns]
    rows = connection.execute(query)
    while batch := rows.fetchmany(ROWS_PER_BATCH):
        arrays = [pa.array(_texts(values), pa.string()) for values in zip(*batch, strict=True)]
        yield pa.table(arrays, names=names)


def _is_whole(path: Path) -> bool:
    """Whether the file is as long as its header says (SQLite file format, 1.3.7).

    SQLite itself takes an empty file for an empty database, and reads a last page that is cut as if zeros followed:
    half a copy would give half the rows without a word.
    """
    try:
        with path.open("rb") as file:
            head = file.read(HEADER_BYTES)
            size = file.seek(0, os.SEEK_END)
    except OSError as failure:
        raise unreadable(path, failure) from None
    if len(head) < HEADER_BYTES:
        return False
    page, pages = int.from_bytes(head[16:18], "big"), int.from_bytes(head[28:32], "big")
    page = 65_536 if page == 1 else page
    # The count is only kept up by writers since SQLite 3.7; both marks equal show that one of those was the last.
    counted = head[24:28] == head[92:96]
    return size % page == 0 and (not counted or size >= page * pages) if page else True


def _columns(connection: sqlite3.Connection, where: str, table: str) -> tuple[SourceColumn, ...]:
    # table_xinfo: hidden = 1 marks columns of virtual tables that SELECT * leaves out; generated ones (2, 3) count.
    rows = connection.execute(
        "SELECT name, type FROM pragma_table_xinfo(?) WHERE hidden <> 1 ORDER BY cid", [table]
    ).fetchall()
    if not rows:
        raise SourceObjectMissingError(problem="no_table", where=where, table=table)
    return tuple(SourceColumn(name, declared.lower(), "other") for name, declared in rows)


def _order(connection: sqlite3.Connection, table: str) -> list[str]:
    """An order that the table has anyway: its rowid, or the primary key of a table without one; none for a view."""
    row = connection.execute("SELECT type, wr FROM pragma_table_list(?) WHERE schema = 'main'", [table]).fetchone()
    if row is None or row[0] == "view":
        return []
    if row[1]:
        keys = connection.execute("SELECT name FROM pragma_table_info(?) WHERE pk > 0 ORDER BY pk", [table]).fetchall()
        return [_quoted(key[0]) for key in keys]
    names = {name.lower() for (name,) in connection.execute("SELECT name FROM pragma_table_xinfo(?)", [table])}
    return next(([name] for name in ("rowid", "_rowid_", "oid") if name not in names), [])


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _texts(values: Sequence[object]) -> list[str | None]:
    return [value if value is None or type(value) is str else _text(value) for value in values]


def _text(value: object) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, bytes):
        return "\\x" + value.hex()
    # int and float: Python's repr of a float is the shortest that reads back the same.
    return repr(value)
