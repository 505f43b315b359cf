r"""The ``mysql`` kind: a table or view of a MySQL or MariaDB database, in one consistent snapshot, in parts.

Leaves reaching the server to `connectors.mysql_server` (settings), taking its rows to `connectors.mysql_rows`, pages
and parts to `connectors.streamed`, and checking the values to `warehouse`.

The object is ``table`` or ``database.table``. Options: those of `connectors.relational.ReadOptions`. A large table is
read page by page along its primary key.

Whole numbers and decimals land in the type asked for where it holds every value of the source's (an unsigned BIGINT
needs DECIMAL(20,0)). Everything else lands as the text that the server makes of it: dates too, for a column of them may
hold ``0000-00-00`` or ``2024-02-30``, and times of ``-838:59:59``. BIT lands as a number, binary columns as ``\x`` and
lower-case hexadecimal, FLOAT as the shortest text that reads back the same (the server itself would round to 6 digits).
"""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc

from connectors import mysql_rows, streamed
from connectors.errors import SourceObjectMissingError, SourceShapeError
from connectors.mysql_server import Server
from connectors.relational import NUMBERS, TIMES, Plain, SourceColumn

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Mapping, Sequence
    from pathlib import Path
    from typing import Any

    from connectors.protocol import Batch, ReadRequest
    from connectors.relational import Kind

INTEGER_DIGITS = {"tinyint": 3, "smallint": 5, "mediumint": 8, "int": 10, "bigint": 19, "year": 4}
UNSIGNED_BIGINT_DIGITS = 20
TEXTS = {"char", "varchar", "tinytext", "text", "mediumtext", "longtext"}
BINARIES = {"binary", "varbinary", "tinyblob", "blob", "mediumblob", "longblob", "geometry", "vector"}
SPATIAL = {"point", "linestring", "polygon", "geometrycollection", "multipoint", "multilinestring", "multipolygon"}
TIME_KINDS: dict[str, Kind] = {"date": "date", "datetime": "timestamp", "timestamp": "moment"}
DAY_S = 86_400
_TIME = re.compile(r"\d{4}-\d\d-\d\d([ T]\d\d:\d\d(:\d\d(\.\d{1,6})?)?)?")
_NUMBER = re.compile(r"-?[0-9]+(\.[0-9]+)?")


class MysqlConnector:
    """See the module; promises of `connectors.protocol.Connector`, landing in parts (`connectors.parts`)."""

    kind = "mysql"

    def __init__(self, settings: Mapping[str, str], secrets: Callable[[str], str]) -> None:
        self._server = Server(settings, secrets, self.kind)

    def probe(self, object: str, options: Mapping[str, str]) -> tuple[str, ...]:  # noqa: A002  # the protocol's word
        """The columns of the table or view."""
        del options
        with self._server.snapshot(object) as connection:
            return tuple(column.name for column in _Table(connection, self._server, object).columns)

    def read(self, request: ReadRequest, into: Path) -> Batch:
        """Land the table; see `connectors.protocol.Connector.read`."""
        with self._server.snapshot(request.object) as connection:
            return streamed.read(request, into, _Table(connection, self._server, request.object))


class MysqlDialect(Plain):
    """The words of MySQL and MariaDB, in a session whose ``sql_mode`` is empty."""

    def __init__(self, where: str) -> None:
        self._where = where

    def name(self, identifier: str) -> str:
        """*identifier* in backticks, which no ``sql_mode`` gives another meaning."""
        return "`" + identifier.replace("`", "``") + "`"

    def string(self, value: str) -> str:
        """*value* as a string; a backslash escapes here."""
        return super().string(value.replace("\\", "\\\\"))

    def literal(self, value: str, column: SourceColumn) -> str:
        """As `Plain`; but the server would compare anything with anything, and find nothing new, without a word.

        Raises:
            SourceShapeError: *value* is no value of the column's type.
        """
        form = _TIME if column.kind in TIMES else _NUMBER if column.kind in NUMBERS else None
        if form and not form.fullmatch(value):
            raise SourceShapeError(problem="cursor_unfit", where=self._where, detail=column.declared)
        return super().literal(value, column)

    def text(self, expression: str, column: SourceColumn) -> str:
        """As it is, for the protocol carries text; but BIT comes as bytes, and FLOAT rounded, unless computed with."""
        declared = column.declared.partition("(")[0].partition(" ")[0]
        return f"{expression} + {'0e0' if declared == 'float' else '0'}" if declared in {"bit", "float"} else expression

    def less(self, value: str, column: SourceColumn, amount: int) -> str:
        """*value* less *amount*."""
        if column.kind == "date":
            return f"CAST({value} AS DATE) - INTERVAL {math.ceil(amount / DAY_S)} DAY"
        return (
            f"CAST({value} AS DATETIME(6)) - INTERVAL {amount} SECOND"
            if column.kind in TIMES
            else f"{value} - {amount}"
        )

    def clock(self, column: SourceColumn, delay_s: int) -> str:
        """The server's clock, in the session's time zone, as its columns without one are written."""
        now = f"NOW(6) - INTERVAL {delay_s} SECOND"
        return f"CAST({now} AS DATE)" if column.kind == "date" else now

    def placeless(self, column: SourceColumn) -> Sequence[str]:
        """A zero date says that there is no value, as an empty text does."""
        if column.kind in TIMES:
            return (f"{self.name(column.name)} < '0001-01-01'",)
        return super().placeless(column)

    def ordered(self, column: SourceColumn) -> str:
        """A text by its bytes in UTF-8, whatever its character set and collation are."""
        name = self.name(column.name)
        return f"CAST(CONVERT({name} USING utf8mb4) AS BINARY)" if column.kind == "text" else name

    def after(self, columns: Sequence[SourceColumn], values: Sequence[str], *, equal: bool) -> str:
        """A comparison of rows, spelt out: the server does not look for one of several columns in an index."""
        given = [self.literal(value, column) for value, column in zip(values, columns, strict=True)]
        return streamed.behind([self.name(column.name) for column in columns], given, equal=equal)


class _Table:
    """See `connectors.streamed.Table`."""

    limit = " LIMIT {rows}"
    columns: Sequence[SourceColumn]
    key: Sequence[SourceColumn]

    def __init__(self, connection: Any, server: Server, object_: str) -> None:  # noqa: ANN401  # see `Server.snapshot`
        self._connection = connection
        self.where = server.where(object_)
        self.dialect = MysqlDialect(self.where)
        schema, name = server.database, object_
        found = self._columns(schema, name)
        if not found and "." in object_:
            schema, _, name = object_.partition(".")
            found = self._columns(schema, name)
        if not found:
            # Columns of a view that cannot be read at all are not shown; asking for it tells why.
            self._select(f"SELECT 1 FROM {self.dialect.name(server.database)}.{self.dialect.name(object_)} LIMIT 0")
            raise SourceObjectMissingError(problem="no_table", where=self.where, table=object_)
        self.sql = f"{self.dialect.name(schema)}.{self.dialect.name(name)}"
        self.columns = [column for column, _ in found]
        self.uncertain = frozenset(column.name for column, is_uncertain in found if is_uncertain)
        by_name = {column.name: column for column in self.columns}
        self.key = tuple(by_name[key] for (key,) in self._select(KEY, schema, name))

    def _columns(self, schema: str, name: str) -> list[tuple[SourceColumn, bool]]:
        return [_column(row) for row in self._select(COLUMNS, schema, name)]

    def _select(self, query: str, *values: str) -> Sequence[tuple[Any, ...]]:
        with self._connection.cursor() as cursor:
            cursor.execute(query, values)
            return cursor.fetchall()  # type: ignore[no-any-return]  # untyped: see `Server.snapshot`

    def ask(self, query: str) -> tuple[str | None, ...] | None:
        """The first row of *query*, as text."""
        for arrays in mysql_rows.stream(self._connection, query):
            return tuple(array.cast(pa.string())[0].as_py() for array in arrays)
        return None

    def rows(self, query: str, columns: Sequence[SourceColumn | None]) -> Generator[list[pa.Array], None, None]:
        """The rows of *query* as they come."""
        shapes = [_shape(column) for column in columns]
        for arrays in mysql_rows.stream(self._connection, query):
            yield [shape(array) if shape else array for shape, array in zip(shapes, arrays, strict=True)]


COLUMNS = (
    "SELECT column_name, data_type, column_type, numeric_precision, numeric_scale, is_nullable "
    "FROM information_schema.columns WHERE table_schema = %s AND table_name = %s ORDER BY ordinal_position"
)
KEY = (
    "SELECT column_name FROM information_schema.statistics WHERE table_schema = %s AND table_name = %s "
    "AND index_name = 'PRIMARY' ORDER BY seq_in_index"
)


def _column(row: tuple[str, str, str, str | None, str | None, str]) -> tuple[SourceColumn, bool]:
    """A column of ``information_schema``, and whether its values may be more than its kind says."""
    name, base, declared, precision, scale, nullable = row
    kind: Kind = "other"
    digits, places = 0, 0
    declared = declared.lower()
    if base in INTEGER_DIGITS:
        wide = base == "bigint" and "unsigned" in declared
        # Beyond 64 bits with a sign, it is a decimal to whoever asks whether it fits.
        kind, digits = ("decimal", UNSIGNED_BIGINT_DIGITS) if wide else ("integer", INTEGER_DIGITS[base])
    elif base == "decimal":
        kind, digits, places = "decimal", int(precision or 0), int(scale or 0)
    elif base in TIME_KINDS:
        kind = TIME_KINDS[base]
    elif base in TEXTS:
        kind = "text"
    # Leading zeros are what a ZEROFILL column or a year 0000 shows.
    uncertain = kind in TIMES or "zerofill" in declared or base == "year"
    return SourceColumn(name, declared, kind, digits, places, nullable == "YES"), uncertain


def _shape(column: SourceColumn | None) -> Callable[[pa.Array], pa.Array] | None:
    """What makes text of the bytes of *column*; None where they are text already."""
    base = "" if column is None else column.declared.partition("(")[0].partition(" ")[0]
    if base in BINARIES | SPATIAL:
        return lambda array: pa.array(
            [None if value is None else "\\x" + value.hex() for value in array.to_pylist()], pa.string()
        )
    if base == "float":
        # Computed as DOUBLE by the server, exactly; the text of a FLOAT is the shortest that gives the same FLOAT.
        return lambda array: pc.cast(pc.cast(array.cast(pa.string()), pa.float64()).cast(pa.float32()), pa.string())
    return None
