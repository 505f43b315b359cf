"""Read any snapshot that is still kept, whole or by conditions, without an index: how past answers are replayed.

Answers at speed over the current snapshot are `warehouse.lookup`; both give the same wire values for the same row.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pyiceberg.types import TimestampType

from warehouse import sql
from warehouse.errors import FieldMissingError
from warehouse.reading import read_files
from warehouse.schema import duckdb_type
from warehouse.wire import wanted, wire_columns

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    import duckdb
    from pyiceberg.schema import Schema
    from pyiceberg.types import NestedField

    from warehouse.table import FileOfRows


def fields_of(schema: Schema, code: str, fields: Sequence[str]) -> tuple[NestedField, ...]:
    """The columns called *fields*, in that order; all, in the table's order, where none is named.

    Raises:
        FieldMissingError: the table has no such column.
    """
    by_name = {f.name: f for f in schema.fields}
    for field in fields:
        if field not in by_name:
            raise FieldMissingError(resource=code, field=field, known=", ".join(by_name))
    return tuple(by_name[f] for f in fields) if fields else schema.fields


def scan(
    con: duckdb.DuckDBPyConnection,
    schema: Schema,
    code: str,
    files: Sequence[FileOfRows],
    *,
    key: Sequence[str],
    where: Mapping[str, str],
    fields: Sequence[str],
    limit: int | None,
    history: bool = False,
) -> list[dict[str, Any]]:
    """The rows of *files* whose fields equal all of *where*, ordered by key, as wire values.

    Rows that hold no longer are left out without *history*.

    Raises:
        FieldMissingError: a field named does not exist.
    """
    parts = scan_parts(
        con, schema, code, files, key=key, where=where, fields=fields, limit=limit, history=history, rows_per_part=0
    )
    return [row for part in parts for row in part]


def scan_parts(
    con: duckdb.DuckDBPyConnection,
    schema: Schema,
    code: str,
    files: Sequence[FileOfRows],
    *,
    key: Sequence[str],
    where: Mapping[str, str],
    fields: Sequence[str],
    limit: int | None,
    history: bool,
    rows_per_part: int,
) -> Iterator[list[dict[str, Any]]]:
    """As `scan`, *rows_per_part* at a time (0: all at once), so that a table need not fit into memory."""
    chosen = fields_of(schema, code, fields)
    conditions, parameters = ["true"], list[object]()
    for column, value in zip(fields_of(schema, code, list(where)), where.values(), strict=False):
        wish = wanted(column.field_type, value)
        if wish is None:
            return
        type_ = duckdb_type(column.field_type)
        quoted = sql.name(column.name)
        # Wire values hold whole seconds.
        left = f"date_trunc('second', {quoted})" if isinstance(column.field_type, TimestampType) else quoted
        conditions.append(f"{left} = CAST(? AS {type_})")
        parameters.append(wish)
    bound = "" if limit is None else f" LIMIT {int(limit)}"
    found = con.execute(
        f"SELECT {wire_columns(chosen)} FROM (SELECT * FROM {read_files(schema, files, live=not history)} "
        f"WHERE {' AND '.join(conditions)} ORDER BY {sql.names(key)}{bound})",
        parameters,
    )
    names = [f.name for f in chosen]
    while rows := found.fetchmany(rows_per_part) if rows_per_part else found.fetchall():
        yield [dict(zip(names, row, strict=True)) for row in rows]
