"""The change feed: for each resource an Iceberg table of its changes, one row each, numbered without gaps.

Rows enter it in the commit that makes the changes (`warehouse.commit`); compaction and expiry leave the numbers alone.

The feed begins with one ``baseline`` row: from there a consumer takes all rows of the table once and then follows. Each
later row has a kind, the key, and a digest of the record before and after, so that whoever holds the records can follow
them and an auditor can recompute them:

    digest = hex SHA-256 of the UTF-8 text made of ``<field id>:<bytes>:<text>,`` for each field that has a value, in
    the order of the Iceberg field ids, where *bytes* is the length of *text* in UTF-8 and *text* is

    string    as it is                             date      ``2024-01-05``
    integer   ``-7``                               datetime  ``2024-01-05T08:00:00``, then, if they are not zero,
    decimal   with all digits of its scale                   ``.`` and the microseconds without zeros at the end
    boolean   ``true`` or ``false``

A field without a value has no part in it: a record's digest stays when its table gains or renames a column. Columns of
our own (``_valid_from`` …) have none either.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Any, cast

from pyiceberg.conversions import from_bytes
from pyiceberg.exceptions import NoSuchTableError
from pyiceberg.schema import Schema
from pyiceberg.types import BooleanType, LongType, NestedField, StringType, TimestampType

from warehouse import reading, sql
from warehouse import table as tables
from warehouse.compare import moment
from warehouse.history import PREFIX, summary_of
from warehouse.schema import duckdb_type, published, table_name
from warehouse.wire import wire_columns

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    import duckdb
    from pyiceberg.catalog.sql import SqlCatalog
    from pyiceberg.table import Table

    from warehouse.commit import Room
    from warehouse.table import DurableSqlCatalog, FileOfRows

NAMESPACE = "changes"  # Of its own: a resource may be called like another one's feed.
LAST = "feed-last"  # In the summaries of both tables: the number of the last change that the commit recorded.
_SEQ = 1  # The field id of `_seq`.
_OWN = (
    ("_seq", LongType(), "序号"),
    ("_kind", StringType(), "变更类型"),
    ("_before", StringType(), "变更前摘要"),
    ("_after", StringType(), "变更后摘要"),
    ("_rows", LongType(), "基线行数"),
    ("_batch", StringType(), "批次"),
    ("_at", TimestampType(), "归集时间"),
)


class Kind(StrEnum):
    """What became of a record. A ``correction`` adds a version to the past of an scd2 table and changes no record."""

    BASELINE = "baseline"
    INSERT = "insert"
    UPDATE = "update"
    DELETE = "delete"
    CORRECTION = "correction"


@dataclass(frozen=True, slots=True)
class Change:
    """One row of a feed. *key* maps key fields to wire values (empty for a baseline, which has *rows* instead).

    *before* and *after* are digests, None where there was or is no record. *at* is the load's time, local.
    """

    seq: int
    kind: Kind
    key: Mapping[str, Any]
    before: str | None
    after: str | None
    rows: int | None
    batch_id: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Span:
    """The changes of one load, numbered *first* to *last*; *before* and *after* are the snapshots that it lies between.

    *before* is None where that snapshot is not kept any more.
    """

    first: int
    last: int
    before: int | None
    after: int


@dataclass(frozen=True, slots=True)
class Extent:
    """How far a feed reaches: its table's identity, the *last* number (0: no load yet), and the loads still known.

    *snapshot* is the table's current one, that of the last load or one with the same rows.
    """

    table: str
    last: int
    snapshot: int | None
    spans: tuple[Span, ...]

    def span_of(self, seq: int) -> Span | None:
        """The load that made the change numbered *seq*; None where it, or what was before it, is not kept."""
        found = next((span for span in self.spans if span.first <= seq <= span.last), None)
        return found if found is not None and found.before is not None else None


@dataclass(frozen=True, slots=True)
class Told:
    """A change and the whole record before and after it, as wire values; None where none was or is in force."""

    change: Change
    before: Mapping[str, Any] | None
    after: Mapping[str, Any] | None


def identifier(code: str) -> tuple[str, str]:
    """The name of a resource's feed in the catalogue."""
    return NAMESPACE, f"{table_name(code)}_changes"


def ensure(catalog: DurableSqlCatalog, code: str, schema: Schema, key: Sequence[str]) -> Table:
    """The feed of a resource whose table has this *schema* and *key*: as it is, or created."""
    tables.ensure_namespace(catalog, NAMESPACE)
    keys = [(name, schema.find_field(name).field_type, schema.find_field(name).doc) for name in key]
    columns = [
        NestedField(field_id=i, name=name, field_type=type_, required=False, doc=doc)
        for i, (name, type_, doc) in enumerate([*_OWN, *keys], start=_SEQ)
    ]
    properties = {PREFIX + "resource": code, PREFIX + "feed": "true"}
    return tables.ensure_table(catalog, identifier(code), Schema(*columns), sorted_by=["_seq"], properties=properties)


def find(catalog: SqlCatalog, code: str) -> Table | None:
    """The feed of a resource, None before its first load."""
    try:
        return catalog.load_table(identifier(code))
    except NoSuchTableError:
        return None


def last(feed: Table) -> int:
    """The number of the last change in the feed; 0 before the baseline."""
    snapshot = feed.current_snapshot()
    if snapshot is None:
        return 0
    told = summary_of(snapshot).get(PREFIX + LAST)
    if told is not None:
        return int(told)
    # A compaction made this snapshot. The bounds of a column of whole numbers are exact.
    files = tables.files_of(feed, feed.name()[-1], snapshot.snapshot_id)
    return max((_bound(f.data_file.upper_bounds) for f in files), default=0)


def digest(schema: Schema, prefix: str = "") -> str:
    """The DuckDB expression for the digest of a record, over the columns of *schema* after *prefix* (``t.``)."""
    parts = []
    for field in published(schema):
        column = f"{prefix}{sql.name(field.name)}"
        text = column if isinstance(field.field_type, StringType) else f"CAST({column} AS VARCHAR)"
        if isinstance(field.field_type, TimestampType):
            text = f"replace({text}, ' ', 'T')"
        parts.append(f"coalesce('{field.field_id}:' || strlen({text}) || ':' || {text} || ',', '')")
    return f"sha256(concat({', '.join(parts)}))"


def digest_of(values: Mapping[int, Any]) -> str:
    """The digest of a record given as values by field id: the rule once more, for whoever audits a feed."""
    told = hashlib.sha256()
    for number in sorted(n for n, value in values.items() if value is not None):
        text = _text(values[number]).encode()
        told.update(f"{number}:{len(text)}:".encode() + text + b",")
    return told.hexdigest()


def _text(value: Any) -> str:  # noqa: ANN401 - a value of any type that a field may have
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, datetime):
        fraction = f".{value.microsecond:06d}".rstrip("0") if value.microsecond else ""
        return value.replace(microsecond=0).isoformat() + fraction
    return value.isoformat() if isinstance(value, date) else str(value)


def write_baseline(
    con: duckdb.DuckDBPyConnection, feed: Table, folder: Path, *, rows: int, batch_id: str, at: datetime
) -> tuple[Path, ...]:
    """Write the feed's first row: from here on it tells what becomes of *rows* records."""
    columns = feed.schema().fields
    nulls = ", ".join(f"NULL AS {sql.name(f.name)}" for f in columns[len(_OWN) :])
    change = (
        f"SELECT 1 AS _seq, '{Kind.BASELINE}' AS _kind, NULL AS _before, NULL AS _after, {rows} AS _rows, "
        f"{sql.text(batch_id)} AS _batch, {moment(at)} AS _at, {nulls}"
    )
    return _write(con, feed, change, folder, rows_per_file=1, total=1)


def write(
    con: duckdb.DuckDBPyConnection,
    feed: Table,
    changes: str,
    folder: Path,
    *,
    after: int,
    batch_id: str,
    at: datetime,
    rows_per_file: int,
) -> tuple[Path, ...]:
    """Write the *changes* of a load, numbered from *after* + 1 in the order of their keys.

    *changes* is a FROM item with the key columns first, under any names, then ``_kind``, ``_before`` and ``_after``.
    """
    keys = [f.name for f in feed.schema().fields[len(_OWN) :]]
    names = ", ".join([sql.names(keys), "_kind", "_before", "_after"])
    con.execute(
        f"CREATE OR REPLACE TEMP TABLE feed AS SELECT {sql.names(keys)}, _kind, _before, _after "
        f"FROM {changes} c({names}) ORDER BY {sql.names(keys)}, _kind"
    )
    query = (
        f"SELECT {after} + 1 + rowid AS _seq, _kind, _before, _after, NULL AS _rows, "
        f"{sql.text(batch_id)} AS _batch, {moment(at)} AS _at, {sql.names(keys)} FROM feed"
    )
    total = sql.scalar(con, "SELECT count(*) FROM feed")
    return _write(con, feed, query, folder, rows_per_file=rows_per_file, total=total, after=after)


def _write(
    con: duckdb.DuckDBPyConnection,
    feed: Table,
    query: str,
    folder: Path,
    *,
    rows_per_file: int,
    total: int,
    after: int = 0,
) -> tuple[Path, ...]:
    fields = feed.schema().fields
    typed = ", ".join(f"CAST({sql.name(f.name)} AS {duckdb_type(f.field_type)}) AS {sql.name(f.name)}" for f in fields)
    ids = ", ".join(f"{sql.name(f.name)}: {f.field_id}" for f in fields)
    paths = []
    for number, start in enumerate(range(after, after + total, rows_per_file)):
        path = folder / f"changes-{number:05d}.parquet"
        sql.write_parquet(
            con,
            f"SELECT {typed} FROM ({query}) WHERE _seq > {start} AND _seq <= {start + rows_per_file} ORDER BY _seq",
            path,
            options=f"FIELD_IDS {{{ids}}}",
        )
        paths.append(path)
    return tuple(paths)


def read(room: Room, code: str, after: int | None, limit: int) -> list[Change]:
    """At most *limit* changes numbered beyond *after* (None: from the baseline on), in order.

    Raises:
        TableMissingError: no table is kept for the resource.
    """
    feed = find(room.catalog, code)
    if feed is None:
        tables.load(room.catalog, code)
        return []
    start = after or 0
    files = tables.files_of(feed, code, feed.metadata.current_snapshot_id)
    # Numbers have no gaps, so the bounds of a file tell whether it has any of those that are wanted.
    files = [f for f in files if _holds(f, start, start + limit)]
    fields = feed.schema().fields
    keys = fields[len(_OWN) :]
    answers = [f.name for f in keys if isinstance(f.field_type, BooleanType)]
    with room.session(room.scratch) as con:
        rows = con.execute(
            f"SELECT _seq, _kind, _before, _after, _rows, _batch, _at, {wire_columns(keys)} "
            f"FROM {reading.read_files(feed.schema(), files)} WHERE _seq > ? ORDER BY _seq LIMIT ?",
            [start, limit],
        ).fetchall()
    found = []
    for seq, kind, before, later, count, batch_id, at, *values in rows:
        named = dict(zip((f.name for f in keys), values, strict=True))
        key = {} if kind == Kind.BASELINE else {k: bool(v) if k in answers else v for k, v in named.items()}
        found.append(Change(seq, Kind(kind), key, before, later, count, batch_id, at))
    return found


def extent(room: Room, code: str) -> Extent:
    """How far the feed of a resource reaches. Upkeep of either table leaves it as it is, but for what expires.

    Raises:
        TableMissingError: no table is kept for the resource.
    """
    table = tables.load(room.catalog, code)
    spans = []
    last_of_all = 0
    for info in tables.infos(table):
        end = int(info.facts.get(LAST, "0"))
        last_of_all = max(last_of_all, end)
        count = info.inserted + info.updated + info.deleted
        # The baseline is no change, though the load that made it counts its rows.
        if end > 1 and count:
            # A parent that was compacted since holds the same rows; one that expired is named no more.
            known = info.parent_id is not None and table.metadata.snapshot_by_id(info.parent_id) is not None
            spans.append(Span(end - count + 1, end, info.parent_id if known else None, info.snapshot_id))
    identity = str(table.metadata.table_uuid)
    return Extent(identity, last_of_all, table.metadata.current_snapshot_id, tuple(reversed(spans)))


def told(room: Room, code: str, span: Span, after: int, limit: int) -> list[Told]:
    """At most *limit* changes of the load *span* numbered beyond *after*, in order, each with its record.

    The records are read from the snapshots before and after the load, whatever came later. A load's changes are
    numbered in the order of their keys, so that those of one page lie together in the table's files, too.

    Raises:
        TableMissingError: no table is kept for the resource.
        SnapshotMissingError: one of the two snapshots was let go.
    """
    table = tables.load(room.catalog, code)
    changes = read(room, code, max(after, span.first - 1), min(limit, span.last - max(after, span.first - 1)))
    if not changes or span.before is None:
        return []
    columns = table.schema().fields
    feed = cast("Table", find(room.catalog, code))
    files = tables.files_of(feed, code, feed.metadata.current_snapshot_id)
    files = [f for f in files if _holds(f, changes[0].seq - 1, changes[-1].seq)]
    keys = [f.name for f in feed.schema().fields[len(_OWN) :]]
    found: list[dict[int, dict[str, Any]]] = []
    with room.session(room.scratch) as con:
        con.execute(
            f"CREATE TEMP TABLE page AS SELECT _seq AS _of_change, {sql.names(keys)} "
            f"FROM {reading.read_files(feed.schema(), files)} WHERE _seq BETWEEN ? AND ?",
            [changes[0].seq, changes[-1].seq],
        )
        for snapshot in (span.before, span.after):
            known = tables.files_of(table, code, snapshot)
            held = reading.read_files(table.schema(), known, live=True)
            near = f"SELECT * FROM {held} JOIN page USING ({sql.names(keys)})"
            rows = con.execute(f"SELECT _of_change, {wire_columns(columns)} FROM ({near})").fetchall()
            names = [f.name for f in columns]
            found.append({int(seq): dict(zip(names, values, strict=True)) for seq, *values in rows})
    before, later = found
    return [Told(change, before.get(change.seq), later.get(change.seq)) for change in changes]


def _holds(file: FileOfRows, start: int, end: int) -> bool:
    return _bound(file.data_file.upper_bounds) > start and _bound(file.data_file.lower_bounds) <= end


def _bound(bounds: Mapping[int, bytes] | None) -> int:
    return int(from_bytes(LongType(), (bounds or {})[_SEQ]))
