r"""The ``parquet`` kind: Parquet files in a folder, every value cast to text by DuckDB.

Leaves finding files to `connectors.files`.

Settings or options: those of `connectors.files`. Decimals keep their
scale, dates and timestamps are ISO 8601 with a space (time zones in UTC), doubles take the shortest text that reads
back the same, lists and structs are JSON, binary is hexadecimal after ``\x``.
"""

from __future__ import annotations

import glob
from typing import TYPE_CHECKING

import duckdb
import pyarrow as pa

from connectors.errors import LandingFailedError, SourceIncompleteError, SourceShapeError
from connectors.files import FileConnector, Reading, opened

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from connectors.archive import Content

MAGIC = b"PAR1"
# A row group of the source, in a few columns, many times over; beyond it DuckDB spills to its temporary folder.
MEMORY_LIMIT = "512MB"
ROWS_PER_BATCH = 122_880


class ParquetConnector(FileConnector):
    """See the module; promises of `connectors.protocol.Connector`."""

    kind = "parquet"
    MEMBERS = "*.parquet"

    def headings(self, content: Content, inside: str, options: Mapping[str, str]) -> tuple[str, ...]:
        """The file's top-level columns."""
        del inside, options
        with content.local() as path, _connection("") as connection:
            _check_whole(path, content.name)
            return tuple(_types(connection, path, content.name))

    def tables(self, content: Content, inside: str, reading: Reading, options: Mapping[str, str]) -> Iterator[pa.Table]:
        """The rows of the file."""
        del inside, options
        names = [column.name for column in reading.request.columns]
        schema = pa.schema([pa.field(name, pa.string()) for name in names])
        # DuckDB makes the folder only if it must spill, and removes it again.
        with content.local() as path, _connection(str(reading.beside / ".parquet.spill")) as connection:
            _check_whole(path, content.name)
            try:
                types = _types(connection, path, content.name)
                headings = list(types)
                matching = reading.match(headings, content.name)
                reading.declare(matching, list(types.values()))
                selected = ", ".join(
                    "NULL::VARCHAR" if i is None else _as_text(headings[i], types[headings[i]])
                    for i in matching.indexes
                )
                query = f"SELECT {selected or '1'} FROM read_parquet(?)"
                cursor = connection.execute(query, [glob.escape(str(path))])
                for batch in cursor.to_arrow_reader(ROWS_PER_BATCH):
                    yield pa.Table.from_arrays(
                        [column.cast(pa.string()) for column in batch.columns][: len(names)], schema=schema
                    )
            except duckdb.OutOfMemoryException:
                raise LandingFailedError(problem="cannot_write", where=content.name, detail=MEMORY_LIMIT) from None
            except duckdb.Error:
                # DuckDB's message may quote values. The two magic marks stood, so something between them is broken.
                raise SourceIncompleteError(problem="truncated", where=content.name) from None


def _connection(spill: str) -> duckdb.DuckDBPyConnection:
    connection = duckdb.connect(config={"memory_limit": MEMORY_LIMIT, "temp_directory": spill})
    # Order is part of the promise that the same content lands as the same bytes.
    connection.execute("SET preserve_insertion_order = true")
    connection.execute("SET autoinstall_known_extensions = false")
    connection.execute("SET autoload_known_extensions = false")
    return connection


def _types(connection: duckdb.DuckDBPyConnection, path: Path, name: str) -> dict[str, str]:
    try:
        rows = connection.execute("DESCRIBE SELECT * FROM read_parquet(?)", [glob.escape(str(path))]).fetchall()
    except duckdb.Error:
        raise SourceIncompleteError(problem="truncated", where=name) from None
    return {str(row[0]): str(row[1]) for row in rows}


def _as_text(heading: str, kind: str) -> str:
    column = '"' + heading.replace('"', '""') + '"'
    if kind == "BLOB":
        return f"'\\x' || lower(hex({column}))"
    if kind.endswith("]") or kind.startswith(("STRUCT", "MAP", "UNION")):
        return f"to_json({column})::VARCHAR"
    return f"CAST({column} AS VARCHAR)"


def _check_whole(path: Path, name: str) -> None:
    """Parquet begins and ends with its magic mark (its directory stands before the last one)."""
    with opened(path) as file:
        head = file.read(len(MAGIC))
        file.seek(0, 2)
        size = file.tell()
        file.seek(max(0, size - len(MAGIC)))
        tail = file.read(len(MAGIC))
    if head != MAGIC[: len(head)]:
        raise SourceShapeError(problem="not_this_format", where=name, kind="Parquet")
    if tail != MAGIC or size < 3 * len(MAGIC):
        raise SourceIncompleteError(problem="truncated", where=name)
