"""The record of every load's numbers: an Iceberg table of its own, ``system.loads``, for whoever asks over years.

What a load measures is for `hub` to collect. Times are local (Asia/Shanghai) in the table, as all times of tables are,
and aware in `Run`.
"""

from __future__ import annotations

import json
import secrets
from dataclasses import dataclass, field, fields
from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import pyarrow as pa
import pyarrow.parquet as pq
from pyiceberg.conversions import from_bytes
from pyiceberg.io.pyarrow import schema_to_pyarrow
from pyiceberg.schema import Schema
from pyiceberg.types import DecimalType, LongType, NestedField, StringType, TimestampType

from warehouse import sql
from warehouse import table as tables
from warehouse.errors import CommitConflictError
from warehouse.history import PREFIX, lineage, summary_of
from warehouse.reading import read_files
from warehouse.table import TableChange

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pyiceberg.table import Table
    from pyiceberg.types import IcebergType

    from warehouse.commit import Room
    from warehouse.table import DurableSqlCatalog

NAMESPACE, NAME = "system", "loads"
CODE = f"{NAMESPACE}.{NAME}"  # What errors and reports call the table.
LAST = "runs-last"  # In the summary: the highest id recorded.
LOCAL = ZoneInfo("Asia/Shanghai")
_ATTEMPTS = 5
_SECONDS = DecimalType(14, 3)
_STAGES = ("extract", "check", "commit", "index")


@dataclass(frozen=True, slots=True)
class Run:
    """The numbers of one load. *id* rises with each record, *reasons* are rejected rows by ``code:field``.

    *bytes* were staged; *lag_s* is the age of the newest record when it came in; *snapshot* is the one made, or None.
    """

    id: int
    resource: str
    department: str
    run: str
    batch: str = ""
    list_version: str = ""
    started: datetime | None = None
    finished: datetime | None = None
    outcome: str = ""
    error: str = ""
    read: int = 0
    accepted: int = 0
    inserted: int = 0
    updated: int = 0
    deleted: int = 0
    unchanged: int = 0
    rejected: int = 0
    reasons: Mapping[str, int] = field(default_factory=dict)
    bytes: int = 0
    seconds_extract: float = 0.0
    seconds_check: float = 0.0
    seconds_commit: float = 0.0
    seconds_index: float = 0.0
    lag_s: float | None = None
    snapshot: int | None = None
    superseded: int = 0
    mode: str = ""

    @classmethod
    def of(cls, row: Mapping[str, Any]) -> Run:
        """A row of the hub's record of loads: its own names for some numbers, and times of stages in one dict."""
        own = {f.name for f in fields(cls)}
        plain = {name: value for name, value in row.items() if name in own and value is not None}
        spent: Mapping[str, float] = row.get("seconds") or {}
        plain |= {f"seconds_{stage}": float(spent[stage]) for stage in _STAGES if stage in spent}
        plain.setdefault("batch", row.get("batch_id") or "")
        plain.setdefault("error", row.get("error_code") or "")
        return cls(**plain)


_TEXT = {"resource", "department", "run", "batch", "list_version", "outcome", "error", "reasons", "mode"}
_TIMES = {"started", "finished"}
_DURATIONS = {"seconds_extract", "seconds_check", "seconds_commit", "seconds_index", "lag_s"}


def _type(name: str) -> IcebergType:
    if name in _TEXT:
        return StringType()
    return TimestampType() if name in _TIMES else _SECONDS if name in _DURATIONS else LongType()


SCHEMA = Schema(*(NestedField(i, f.name, _type(f.name), required=False) for i, f in enumerate(fields(Run), start=1)))


def ensure(catalog: DurableSqlCatalog) -> Table:
    """The table: as it is, or created."""
    tables.ensure_namespace(catalog, NAMESPACE)
    return tables.ensure_table(
        catalog, (NAMESPACE, NAME), SCHEMA, sorted_by=["id"], properties={PREFIX + "runs": "true"}
    )


def last(table: Table) -> int:
    """The highest id recorded; 0 before the first."""
    for snapshot in lineage(table):
        told = summary_of(snapshot).get(PREFIX + LAST)
        if told is not None:
            return int(told)
    # Only a compaction is left of the history. The bounds of whole numbers are exact.
    files = tables.files_of(table, CODE, table.metadata.current_snapshot_id)
    return max((int(from_bytes(LongType(), f.data_file.upper_bounds[1])) for f in files), default=0)


def record(room: Room, rows: Sequence[Run]) -> int:
    """Append the rows whose ids are higher than any recorded before; return how many there were.

    Called again with the same rows it appends nothing, whatever became of the first call. A row is left out for good
    when a higher id came before it, so callers hand over the ended runs up to the first that still goes on.

    Raises:
        CommitUnknownError: call again.
        StorageFullError, StorageUnavailableError, CatalogueUnavailableError
    """
    for attempt in range(_ATTEMPTS):
        table = ensure(room.catalog)
        mark = last(table)
        news = sorted({r.id: r for r in rows if r.id > mark}.values(), key=lambda r: r.id)
        if not news:
            return 0
        path = room.storage.desk(f"{room.storage.name(table.location())}/data/runs-{secrets.token_hex(8)}/rows.parquet")
        path.parent.mkdir(parents=True)
        try:
            with sql.full_storage(CODE, room.root):
                pq.write_table(_arrow(news), path, compression="zstd")
                sql.sync_file(path)
            tables.commit(room, [TableChange(table, (path,))], code=CODE, facts={LAST: news[-1].id})
        except CommitConflictError:
            # Somebody else recorded runs, perhaps these.
            if attempt == _ATTEMPTS - 1:
                raise
        else:
            return len(news)
    return 0


def read(
    room: Room, *, after: int = 0, since: datetime | None = None, resource: str = "", limit: int = 1000
) -> list[Run]:
    """At most *limit* runs with ids beyond *after*, begun at or after *since* (aware), in the order of their ids."""
    table = ensure(room.catalog)
    files = tables.files_of(table, CODE, table.metadata.current_snapshot_id)
    conditions, parameters = ["id > ?"], list[object]([after])
    if since is not None:
        conditions.append("started >= ?")
        parameters.append(since.astimezone(LOCAL).replace(tzinfo=None))
    if resource:
        conditions.append("resource = ?")
        parameters.append(resource)
    names = [f.name for f in table.schema().fields]
    with sql.full_storage(CODE, room.root), room.session(room.scratch) as con:
        found = con.execute(
            f"SELECT * FROM {read_files(table.schema(), files)} WHERE {' AND '.join(conditions)} ORDER BY id LIMIT ?",
            [*parameters, limit],
        ).fetchall()
    return [_run(dict(zip(names, row, strict=True))) for row in found]


def _arrow(rows: Sequence[Run]) -> pa.Table:
    schema = schema_to_pyarrow(SCHEMA)
    columns = {f.name: [_stored(getattr(row, f.name)) for row in rows] for f in fields(Run)}
    return pa.table(columns, schema=schema)


def _stored(value: Any) -> Any:  # noqa: ANN401 - a value of any column
    if isinstance(value, datetime):
        return value.astimezone(LOCAL).replace(tzinfo=None)
    if isinstance(value, float):
        return round(Decimal(value), _SECONDS.scale)
    if isinstance(value, dict):
        return json.dumps(value, ensure_ascii=False, sort_keys=True)
    return value


def _run(row: Mapping[str, Any]) -> Run:
    plain = dict(row)
    for name in _TIMES:
        plain[name] = plain[name].replace(tzinfo=LOCAL) if plain[name] is not None else None
    for name in _DURATIONS:
        plain[name] = float(plain[name]) if plain[name] is not None else None
    return Run(**{**plain, "reasons": json.loads(plain["reasons"] or "{}")})
