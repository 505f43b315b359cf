r"""The ``sqlite`` kind: a table or view of a departmental SQLite database, in one consistent snapshot.

Leaves checking the values to `warehouse`.

Settings: ``path``; ``busy_timeout_s`` (10), how long a read waits for a lock. The object is a table or view. Values
land as text without loss: integers as digits, reals as the shortest text that reads back the same, text as it is,
blobs as lower-case hexadecimal after ``\x``. The database is opened read-only; while a read lasts, a writer in
rollback-journal mode cannot commit (in WAL mode it can).
"""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

import pyarrow as pa

from connectors import options as opt
from connectors.cursor import FullPull, tracker
from connectors.errors import (
    SourceDeniedError,
    SourceEncodingError,
    SourceIncompleteError,
    SourceObjectMissingError,
    SourceShapeError,
    SourceUnavailableError,
)
from connectors.files import Reading, unreadable
from connectors.landing import land
from connectors.protocol import Batch

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from connectors.protocol import ReadRequest

ROWS_PER_BATCH = 20_000
# As long as an office program holds a lock while saving; a scheduler's retry does the rest.
BUSY_TIMEOUT_S = 10.0
HEADER_BYTES = 100


class SqliteConnector:
    """See the module; promises of `connectors.protocol.Connector`.

    An incremental range is taken by the database itself, in the order of the column's own type, so that numbers need
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
            return _columns(connection, self._where(object), object)

    def read(self, request: ReadRequest, into: Path) -> Batch:
        """Land the table; see `connectors.protocol.Connector.read`."""
        tracker(request)  # checks that the request's cursor column is one of its columns
        reading = Reading(request, into.parent)
        where = self._where(request.object)
        with self._snapshot(request.object) as connection:
            headings = _columns(connection, where, request.object)
            matching = reading.match(headings, where)
            position = {column.name: index for column, index in zip(request.columns, matching.indexes, strict=True)}
            cursor_index = position.get(request.cursor_column)
            heading = None if cursor_index is None else headings[cursor_index]
            selected = ["NULL" if index is None else _quoted(headings[index]) for index in matching.indexes]
            rows = _Rows(connection, request, where, selected, heading)
            landed = land(request, rows.tables(), into, FullPull())
        cursor = rows.greatest if request.cursor_column else None
        return Batch(into, landed.sha256, landed.rows, cursor, tuple(reading.renamed), tuple(reading.extra))

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


class _Rows:
    """The query and where it got to."""

    def __init__(
        self,
        connection: sqlite3.Connection,
        request: ReadRequest,
        where: str,
        selected: Sequence[str],
        cursor_heading: str | None,
    ) -> None:
        self._connection = connection
        self._request = request
        self._where = where
        self._selected = selected
        self._cursor_heading = cursor_heading
        self.greatest = request.cursor

    def tables(self) -> Iterator[pa.Table]:
        """The rows in a fixed order: of the cursor column if there is one, then of the table itself."""
        names = [column.name for column in self._request.columns]
        table = _quoted(self._request.object)
        query = f"SELECT {', '.join(self._selected)} FROM {table}"
        order = _order(self._connection, self._request.object)
        parameters: list[object] = []
        if self._cursor_heading is not None:
            column = _quoted(self._cursor_heading)
            order = [column, *order]
            numeric = self._take_greatest(column, table)
            if self._request.cursor is not None:
                # Rows without a value have no place in any range; they are read every time rather than never.
                query += f" WHERE {column} >= ? OR {column} IS NULL OR {column} = ''"
                parameters.append(self._bound(self._request.cursor, numeric=numeric))
        if order:
            query += f" ORDER BY {', '.join(order)}"
        rows = self._connection.execute(query, parameters)
        while batch := rows.fetchmany(ROWS_PER_BATCH):
            arrays = [pa.array(_texts(values), pa.string()) for values in zip(*batch, strict=True)]
            yield pa.table(arrays, names=names)

    def _take_greatest(self, column: str, table: str) -> bool:
        """Set `greatest` from the whole table; answer whether the column holds numbers.

        In the same snapshot as the rows, so no row can be at or below it and yet unseen.
        """
        present = f"FROM {table} WHERE {column} IS NOT NULL AND {column} <> ''"
        least_kind, greatest_kind, greatest = self._connection.execute(
            f"SELECT typeof(min({column})), typeof(max({column})), max({column}) {present}"
        ).fetchone()
        numeric = {"integer", "real"}
        if greatest is None:
            return False
        if (least_kind in numeric) != (greatest_kind in numeric):
            # SQLite orders every number before every text: a range over both would lose rows.
            name = self._request.cursor_column
            raise SourceShapeError(problem="cursor_mixed", where=self._where, column=name)
        is_number = greatest_kind in numeric
        old = self._request.cursor
        if old is None or greatest > self._bound(old, numeric=is_number):
            self.greatest = _text(greatest)
        return is_number

    def _bound(self, cursor: str, *, numeric: bool) -> int | float | str:
        if not numeric:
            return cursor
        try:
            return int(cursor) if cursor.lstrip("-").isdigit() else float(cursor)
        except ValueError:
            name = self._request.cursor_column
            raise SourceShapeError(problem="numbers_expected", where=self._where, column=name) from None


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


def _columns(connection: sqlite3.Connection, where: str, table: str) -> tuple[str, ...]:
    # table_xinfo: hidden = 1 marks columns of virtual tables that SELECT * leaves out; generated ones (2, 3) count.
    rows = connection.execute(
        "SELECT name FROM pragma_table_xinfo(?) WHERE hidden <> 1 ORDER BY cid", [table]
    ).fetchall()
    if not rows:
        raise SourceObjectMissingError(problem="no_table", where=where, table=table)
    return tuple(row[0] for row in rows)


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
