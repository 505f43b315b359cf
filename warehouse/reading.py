"""The rows of a table's data files as a FROM item: columns by Iceberg field id, position deletes applied.

Which files a snapshot has is `warehouse.table`; how rows come into them is `warehouse.merge`.
"""

from __future__ import annotations

from operator import itemgetter
from typing import TYPE_CHECKING, Any, cast

from pyiceberg.conversions import from_bytes

from warehouse import sql
from warehouse.schema import DELETED_AT, VALID_TO, duckdb_type

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pyiceberg.schema import Schema
    from pyiceberg.types import PrimitiveType

    from warehouse.table import FileOfRows

# Where a row is: the number of its file in `ordered` files, and its place in that file, both from 0.
FILE, POSITION = "_file", "_position"
_BITS = 40  # A file has fewer rows than 2^40, a snapshot fewer files than 2^23.


def read_files(schema: Schema, files: Sequence[FileOfRows], *, filename: bool = False, live: bool = False) -> str:
    """A FROM item over the rows of *files*: a file older than a column has it NULL, rows deleted by position are gone.

    *filename* adds ``filename`` (as `FileOfRows.source`) and ``file_row_number`` (from 0, deleted rows counted too).
    *live* leaves out rows that hold no longer: closed versions of an scd2 table, and softly deleted rows.
    """
    return _read(schema, files, ("filename", "file_row_number") if filename else (), live=live)


def read_places(schema: Schema, files: Sequence[FileOfRows], *, live: bool = False, deleted: bool = False) -> str:
    """As `read_files` over `ordered` *files*, with `FILE` and `POSITION` of each row: integers, cheap to join by.

    With *deleted* the rows deleted by position are there too. Whoever wants few rows of many is quicker to choose them
    first and then to leave out those of `read_deleted`.
    """
    return _read(schema, files, (FILE, POSITION), live=live, deleted=deleted)


def read_deleted(files: Sequence[FileOfRows]) -> str | None:
    """A FROM item over `FILE` and `POSITION` of all rows of `ordered` *files* that are deleted; None if none is."""
    holed = [(number, f) for number, f in enumerate(ordered(files)) if f.deletes]
    if not holed:
        return None
    # A delete file names a data file by its location, in the very words of the table's metadata.
    known = ", ".join(f"({number}, {sql.text(f.location)})" for number, f in holed)
    deletes = ", ".join(sql.text(d) for d in sorted({d for _, f in holed for d in f.deletes}))
    return (
        f"(SELECT number AS {FILE}, pos AS {POSITION} FROM read_parquet([{deletes}]) "
        f"JOIN (VALUES {known}) known(number, file_path) USING (file_path))"
    )


def ordered(files: Sequence[FileOfRows]) -> list[FileOfRows]:
    """*files* as `read_places` numbers them: those without deletes come first."""
    return sorted(files, key=lambda f: bool(f.deletes))


def stretches(schema: Schema, files: Sequence[FileOfRows], field: str, rows: int) -> list[list[FileOfRows]]:
    """*files* in groups that follow each other by *field*: all its values in one are less than those in the next.

    A group has *rows* at least (the last one apart), and more where files overlap. The bounds in the table's metadata
    tell; where a file has none, all are one group.
    """
    column = schema.find_field(field)
    spans = []
    for file in files:
        low = (file.data_file.lower_bounds or {}).get(column.field_id)
        high = (file.data_file.upper_bounds or {}).get(column.field_id)
        if low is None or high is None:
            return [list(files)]
        type_ = cast("PrimitiveType", column.field_type)
        spans.append((from_bytes(type_, low), from_bytes(type_, high), file))
    groups: list[list[FileOfRows]] = [[]]
    reached: Any = None
    for least, most, file in sorted(spans, key=itemgetter(0)):
        if groups[-1] and least > reached and sum(f.rows for f in groups[-1]) >= rows:
            groups.append([])
        groups[-1].append(file)
        reached = most if reached is None else max(reached, most)
    return groups


def dead(schema: Schema) -> str:
    """The condition over a table's columns by which a row holds no longer; ``false`` where every row does."""
    own = {f.name for f in schema.fields} & {VALID_TO, DELETED_AT}
    return " OR ".join(f"{sql.name(c)} IS NOT NULL" for c in sorted(own)) or "false"


def _read(
    schema: Schema, files: Sequence[FileOfRows], places: Sequence[str], *, live: bool, deleted: bool = False
) -> str:
    if not files:
        return f"({_nothing(schema, places)})"
    known = ordered(files)
    holed = 0 if deleted else sum(bool(f.deletes) for f in files)
    whole = len(files) - holed
    parts = [_select(schema, known[:whole], places)] if whole else []
    if holed:
        # One number for a place: the join then compares one column.
        gone = f"(SELECT {_place(FILE, POSITION)} AS place FROM {read_deleted(known[whole:])})"
        rows = _select(schema, known[whole:], places, start=whole)
        parts.append(f"{rows} ANTI JOIN {gone} g ON {_place('r.file_index', 'r.file_row_number')} = g.place")
    condition = f" WHERE NOT ({dead(schema)})" if live and dead(schema) != "false" else ""
    return f"(SELECT * FROM ({' UNION ALL '.join(parts)}){condition})"


def _place(file: str, position: str) -> str:
    return f"((CAST({file} AS BIGINT) << {_BITS}) + CAST({position} AS BIGINT))"


def _select(schema: Schema, files: Sequence[FileOfRows], places: Sequence[str], start: int = 0) -> str:
    # Named by id at first: a field of the list may be called like one of the reader's own columns.
    columns = ", ".join(
        f"{f.field_id}: {{name: 'f{f.field_id}', type: {sql.text(duckdb_type(f.field_type))}, default_value: NULL}}"
        for f in schema.fields
    )
    sources = ", ".join(sql.text(f.source) for f in files)
    own = {FILE: f"r.file_index + {start} AS {FILE}", POSITION: f"r.file_row_number AS {POSITION}"}
    named = (f"r.f{f.field_id} AS {sql.name(f.name)}" for f in schema.fields)
    chosen = ", ".join([*named, *(own.get(p, f"r.{p}") for p in places)])
    return f"SELECT {chosen} FROM read_parquet([{sources}], schema = MAP {{{columns}}}) r"


def _nothing(schema: Schema, places: Sequence[str]) -> str:
    nulls = [f"CAST(NULL AS {duckdb_type(f.field_type)}) AS {sql.name(f.name)}" for f in schema.fields]
    nulls += [f"CAST(NULL AS {'VARCHAR' if place == 'filename' else 'BIGINT'}) AS {place}" for place in places]
    return f"SELECT {', '.join(nulls)} WHERE false"
