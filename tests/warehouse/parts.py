"""Folders of typed parts, landed the way connectors land them."""

from __future__ import annotations

import duckdb
import pyarrow as pa

from catalog.model import FieldKind
from connectors.parts import Parts, write_table
from connectors.protocol import Column, ReadRequest
from tests.warehouse.conftest import land
from warehouse.schema import field_type
from warehouse.staging import StagedBatch

ARROW = {
    FieldKind.STRING: pa.string(),
    FieldKind.INTEGER: pa.int64(),
    FieldKind.DATE: pa.date32(),
    FieldKind.DATETIME: pa.timestamp("us"),
    FieldKind.BOOLEAN: pa.bool_(),
}


def arrow_type(field):
    if field.type.kind is FieldKind.DECIMAL:
        return pa.decimal128(field.type.length, field.type.scale)
    return ARROW[field.type.kind]


def arrow_table(resource, rows, types=None):
    types = types or {}
    columns = {
        f.name: pa.array([row[i] for row in rows], types.get(f.name, arrow_type(f)))
        for i, f in enumerate(resource.fields)
    }
    return pa.table(columns)


def land_tables(into, resource, tables, cursor=None, ids=True):
    """Land each Arrow table as a part."""
    columns = [
        Column(f.name, type=field_type(f), field_id=i if ids else 0) for i, f in enumerate(resource.fields, start=1)
    ]
    request = ReadRequest(resource.code, "o", tuple(columns), None)
    with Parts(request, into) as parts:
        for table in tables:
            parts.add(lambda path, table=table: write_table(table, columns, path))
        landed = parts.finish()
    return StagedBatch(into, landed.sha256, landed.rows, cursor)


def land_parts(into, resource, parts, cursor=None, ids=True):
    """Land each list of rows (typed values in the order of the fields) as a part."""
    return land_tables(into, resource, [arrow_table(resource, rows) for rows in parts], cursor, ids)


def land_as_text(path, resource, rows, cursor=None):
    """Land the same rows in one file of text, as DuckDB writes each value."""
    typed = arrow_table(resource, rows)
    names = ", ".join(f'CAST("{f.name}" AS VARCHAR)' for f in resource.fields)
    with duckdb.connect() as con:
        texts = con.execute(f"SELECT {names} FROM typed").fetchall()
    assert typed.num_rows == len(texts)
    return land(path, [f.name for f in resource.fields], texts, cursor)
