"""How a checked batch enters a table: how many rows are new, changed, gone, and which files are written for them.

Where changes lie thick, or in few files, those files are written anew. Where they are scattered the old rows are
deleted by position (Iceberg spec, "Position Delete Files") and the new ones come in files of their own. Finding the
changes is `warehouse.compare`, making the snapshot `warehouse.table`, folding deletes into files `warehouse.maintain`.

`Merge.plan` leaves the tables of `warehouse.compare` in its session; all that is written after it is made from them.
"""

from __future__ import annotations

import errno
import math
import os
import shutil
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import pyarrow as pa
import pyarrow.parquet as pq
from pyiceberg.io.pyarrow import schema_to_pyarrow

from catalog.model import Deletion, Disposition
from warehouse import checks, feed, reading, sql
from warehouse.compare import Comparison, clock_of, is_complete, moment, present
from warehouse.contract import Contract
from warehouse.reading import FILE, POSITION
from warehouse.schema import DELETED_AT, VALID_FROM, VALID_TO, duckdb_type, own_columns
from warehouse.snapshot import POSITION_DELETES

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import datetime
    from pathlib import Path

    import duckdb
    from pyiceberg.schema import Schema

    from catalog.model import InformationResource
    from warehouse.staging import Checked, StagedBatch
    from warehouse.table import FileOfRows

LOCAL = ZoneInfo("Asia/Shanghai")  # As in `warehouse.normal`: all times in tables are local.
# Loads add files; beyond so many small ones, the next load that writes takes them along.
MAX_SMALL_FILES = 8
_SMALL_SHARE = 4
# A file is written anew when this share of its records would be deleted by position: reading it costs more than that.
REWRITE_SHARE = 0.25
# Whatever the share, so many full files are written anew in a second or two, and leave the table without deletes.
REWRITE_FILES = 2
# Why a row is refused that the contract passed: what the table keeps under its key does not let it in.
REFUSED = {Disposition.APPEND: "appended_key_changed", Disposition.SCD2: "version_conflict"}
_PLACES_AT_ONCE = 100_000  # Positions in memory at one time, each with the whole location of its file.
_ID = b"PARQUET:field_id"
# Not possible between devices, on some file systems, or beyond a file's links.
_NO_LINK = frozenset({errno.EXDEV, errno.EPERM, errno.ENOTSUP, errno.EMLINK, errno.EOPNOTSUPP, errno.EACCES})


@dataclass(frozen=True, slots=True)
class Plan:
    """What a batch does to a table: counts of rows, and the files concerned.

    *superseded* rows gave way to newer ones that the table holds; *conflicts* are refused. *corrected* counts versions
    added to the past. *files* are the table's, as places count them; of those, *rewritten* are replaced, and from
    *holed* rows are deleted by position. *adopts*: the good files become data files as they are.
    """

    inserted: int
    updated: int = 0
    deleted: int = 0
    unchanged: int = 0
    conflicts: int = 0
    superseded: int = 0
    corrected: int = 0
    files: tuple[FileOfRows, ...] = ()
    rewritten: tuple[FileOfRows, ...] = ()
    holed: tuple[FileOfRows, ...] = ()
    adopts: bool = False

    @property
    def changed(self) -> int:
        """Rows inserted, updated and deleted, and versions added to the past."""
        return self.inserted + self.updated + self.deleted + self.corrected


@dataclass(frozen=True, slots=True)
class Written:
    """Local files: *data*, sorted by key and synced, and position *deletes*."""

    data: tuple[Path, ...] = ()
    deletes: tuple[Path, ...] = ()


@dataclass(frozen=True, slots=True)
class Merge:
    """One batch on its way into one table, in one session. *at* is the load's local time.

    *window*: the load moves no cursor, for it was read by a range and not since the last.
    """

    con: duckdb.DuckDBPyConnection
    resource: InformationResource
    schema: Schema
    staged: StagedBatch
    checked: Checked
    rows_per_file: int
    at: datetime
    window: bool

    @property
    def _keys(self) -> list[str]:
        return [f.name for f in self.resource.key]

    @property
    def _keeps_versions(self) -> bool:
        return self.resource.disposition is Disposition.SCD2

    def plan(self, files: Sequence[FileOfRows]) -> Plan:
        """Compare the batch with the table, whose data files are *files*.

        replace, and scd2 without a cursor: keys that the pull does not have are deleted, unless a rejected row of it
        has them: a record whose new version cannot be read is not a record that is gone.
        merge: rows marked deleted go, and keys that are gone where the batch tells all that there are; nothing else
        does. In a window a row older than the one kept, by the cursor field, is superseded.
        append: a key that is there stays as it is; with other content the row is refused.
        scd2: a row that changes or goes is closed at the cursor's time, where the cursor is a time, otherwise at the
        load's. A row older than the version in force becomes a version of the past.
        """
        con = self.con
        con.execute(f"CREATE OR REPLACE TEMP VIEW good AS SELECT * FROM {checks.good_rows(self.checked)}")
        total = sql.scalar(con, "SELECT count(*) FROM good")
        if not files:
            return Plan(total, adopts=self._fits())
        known = tuple(reading.ordered(files))
        comparison = Comparison(con, self.resource, self.schema, known, window=self.window, at=self.at)
        if is_complete(self.resource) and self.staged.replay_of is None:
            comparison.compare_all(self.checked)
        else:
            comparison.compare_keys(self.checked, present(self.resource, self.staged))
        if DELETED_AT in dict(own_columns(self.resource)):
            comparison.revive()
        superseded = comparison.place_late()
        comparison.collect_removed()
        found = con.execute("SELECT _kind, count(*) FROM change GROUP BY _kind").fetchall()
        count = Counter({str(kind): int(rows) for kind, rows in found})
        conflicts, corrected = count["conflict"], count["correction"]
        rewritten, holed = self._share_out(known)
        if count.total() - conflicts:
            small = [f for f in known if f.rows * _SMALL_SHARE < self.rows_per_file and f not in rewritten]
            rewritten += [f for f in small if f not in holed] if len(small) >= MAX_SMALL_FILES else []
        return Plan(
            inserted=count["insert"],
            updated=count["update"],
            deleted=count["delete"],
            unchanged=total - count["insert"] - count["update"] - conflicts - superseded - corrected,
            conflicts=conflicts,
            superseded=superseded,
            corrected=corrected,
            files=known,
            rewritten=tuple(rewritten),
            holed=tuple(holed),
            adopts=count["insert"] == total == count.total() and not rewritten and not holed and self._fits(),
        )

    def _share_out(self, files: Sequence[FileOfRows]) -> tuple[list[FileOfRows], list[FileOfRows]]:
        """Which of the files that lose rows are written anew, and which have them deleted by position."""
        hits = self.con.execute(f"SELECT {FILE}, count(*) FROM removed GROUP BY {FILE} ORDER BY {FILE}").fetchall()
        hit = [(files[int(number)], int(rows)) for number, rows in hits]
        if sum(f.rows for f, _ in hit) <= REWRITE_FILES * self.rows_per_file:
            return [f for f, _ in hit], []
        thick = [f for f, rows in hit if f.records - f.rows + rows >= REWRITE_SHARE * f.records]
        return thick, [f for f, _ in hit if f not in thick]

    def _fits(self) -> bool:
        """Whether the good files can be data files as they are: columns of the table by id and type, not too long."""
        if self._keeps_versions:
            return False
        types = {int(f.metadata[_ID]): f.type for f in schema_to_pyarrow(self.schema)}
        for path in self.checked.good:
            with pq.ParquetFile(path) as parquet:
                if parquet.metadata.num_rows > self.rows_per_file:
                    return False
                for column in parquet.schema_arrow:
                    number = int((column.metadata or {}).get(_ID, -1))
                    if number not in types or not _same_type(column.type, types[number]):
                        return False
        return True

    # --- files ---

    def write(self, plan: Plan, folder: Path) -> Written:
        """Write the files of a plan into *folder*, each synced: of at most so many rows, sorted by key.

        They hold the rows of the rewritten files that stay, the changed rows, and the new ones.
        """
        if plan.adopts:
            return Written(adopt(self.checked, folder))
        con = self.con
        columns = sql.names([f.name for f in self.schema.fields])
        order = sql.names([*self._keys, *(f.name for f in self.schema.fields if f.name == VALID_FROM)])
        parts = " UNION ALL ".join(f"SELECT {columns} FROM ({part})" for part in self._fresh(plan))
        con.execute(f"CREATE OR REPLACE TEMP TABLE fresh AS SELECT {columns} FROM ({parts}) ORDER BY {order}")
        total = sql.scalar(con, "SELECT count(*) FROM fresh")
        count = math.ceil(total / self.rows_per_file)
        ids = ", ".join(f"{sql.name(f.name)}: {f.field_id}" for f in self.schema.fields)
        paths = []
        for part in range(count):
            start, end = total * part // count, total * (part + 1) // count
            path = folder / f"part-{part:05d}.parquet"
            sql.write_parquet(
                con,
                f"SELECT {columns} FROM fresh WHERE rowid >= {start} AND rowid < {end} ORDER BY rowid",
                path,
                options=f"FIELD_IDS {{{ids}}}",
            )
            paths.append(path)
        return Written(tuple(paths), self._write_deletes(plan, folder))

    def _fresh(self, plan: Plan) -> Iterator[str]:
        """The queries whose rows are to be written."""
        key = sql.names(self._keys)
        if not plan.files:
            clock, now = clock_of(self.resource), moment(self.at)
            start = f"coalesce(g.{sql.name(clock)}, {now})" if clock else now
            yield f"SELECT {self._incoming(start, 'NULL')} FROM good g"
            return
        yield (
            f"SELECT {self._incoming('c._since', 'c._until')} FROM good g JOIN change c USING ({key}) "
            f"WHERE c._kind IN ('insert', 'update', 'correction')"
        )
        if plan.rewritten:
            # Places count the files of the table, and here those that are rewritten.
            known = reading.ordered(plan.rewritten)
            numbers = ", ".join(f"({here}, {plan.files.index(f)})" for here, f in enumerate(known))
            yield (
                f"SELECT r.* FROM {reading.read_places(self.schema, known)} r ANTI JOIN ("
                f"SELECT n.here, m.{POSITION} FROM removed m JOIN (VALUES {numbers}) n(here, there) "
                f"ON m.{FILE} = n.there) gone ON r.{FILE} = gone.here AND r.{POSITION} = gone.{POSITION}"
            )
        if self._keeps_versions:
            yield (
                f"SELECT o.* REPLACE (c._since AS {VALID_TO}) FROM old o "
                f"JOIN (SELECT * FROM change WHERE _kind IN ('update', 'delete')) c USING ({FILE}, {POSITION})"
            )
            if plan.corrected:
                yield f"SELECT p.* REPLACE (cut._since AS {VALID_TO}) FROM past p JOIN cut USING ({FILE}, {POSITION})"
        elif self.resource.deletion is Deletion.SOFT:
            yield (
                f"SELECT o.* REPLACE (c._since AS {DELETED_AT}) FROM old o "
                f"JOIN (SELECT * FROM change WHERE _kind = 'delete') c USING ({FILE}, {POSITION})"
            )

    def _incoming(self, start: str, end: str) -> str:
        """The table's columns over ``good g``; a version holds from *start* until *end*."""
        own = {VALID_FROM: start, VALID_TO: end} if self._keeps_versions else {}
        chosen = []
        for f in self.schema.fields:
            # A column that the list dropped keeps its values in rows that stay; rows that come no longer have one.
            value = f"g.{sql.name(f.name)}" if self.resource.field(f.name) else own.get(f.name, "NULL")
            chosen.append(f"CAST({value} AS {duckdb_type(f.field_type)}) AS {sql.name(f.name)}")
        return ", ".join(chosen)

    def _write_deletes(self, plan: Plan, folder: Path) -> tuple[Path, ...]:
        if not plan.holed:
            return ()
        path = folder / "deletes-00000.parquet"
        part = path.with_name(path.name + ".tmp")
        known = ", ".join(f"({plan.files.index(f)}, {sql.text(f.location)})" for f in plan.holed)
        places = self.con.execute(
            f"SELECT n.file_path, CAST(r.{POSITION} AS BIGINT) AS pos FROM removed r "
            f"JOIN (VALUES {known}) n(number, file_path) ON r.{FILE} = n.number ORDER BY file_path, pos"
        ).to_arrow_reader(_PLACES_AT_ONCE)
        # Not by DuckDB: its writer knows no required columns, and of its later encodings not every reader knows all.
        schema = schema_to_pyarrow(POSITION_DELETES)
        with pq.ParquetWriter(part, schema, compression="zstd") as writer:
            for batch in places:
                writer.write_batch(batch.cast(schema))
        sql.sync_file(part)
        part.replace(path)
        sql.sync_folder(folder)
        return (path,)

    # --- what is told of it ---

    def feed_rows(self, plan: Plan) -> str:
        """A FROM item over the changes of a plan: key columns, kind, digests before and after (`warehouse.feed`)."""
        keys = sql.names(self._keys)
        digest = feed.digest(self.schema)
        come = f"SELECT {self._incoming('NULL', 'NULL')} FROM good g"
        if plan.adopts or not plan.files:
            return f"(SELECT {keys}, 'insert', CAST(NULL AS VARCHAR), {digest} FROM ({come}))"
        # Only of rows that change: of a full pull they are few.
        come += (
            f" SEMI JOIN (SELECT {keys} FROM change WHERE _kind IN ('insert', 'update', 'correction')) USING ({keys})"
        )
        after = f"(SELECT {keys}, {digest} AS _digest FROM ({come}))"
        before = f"(SELECT {FILE}, {POSITION}, {digest} AS _digest FROM old)"
        same_key = " AND ".join(f"a.{sql.name(k)} = c.{sql.name(k)}" for k in self._keys)
        return (
            f"(SELECT {sql.names(self._keys, 'c.')}, c._kind, "
            f"CASE WHEN c._kind IN ('update', 'delete') THEN b._digest END, "
            f"CASE WHEN c._kind <> 'delete' THEN a._digest END "
            f"FROM (SELECT * FROM change WHERE _kind <> 'conflict') c "
            f"LEFT JOIN {before} b ON c.{FILE} = b.{FILE} AND c.{POSITION} = b.{POSITION} "
            f"LEFT JOIN {after} a ON {same_key})"
        )

    def write_quarantine(self, plan: Plan, path: Path) -> str:
        """Write all rejected rows of the batch to *path*; return a digest of what they hold, blind to order and line.

        To the rows rejected by the contract come those that `plan` refused, as their source wrote them.
        """
        rejected = f"read_parquet({sql.text(str(self.checked.rejected))})"
        if plan.conflicts:
            late = path.with_name(path.name + ".late")
            self._write_refused(late)
            rejected = f"(SELECT * FROM {rejected} UNION ALL BY NAME SELECT * FROM read_parquet({sql.text(str(late))}))"
            sql.write_parquet(self.con, f"SELECT * FROM {rejected} ORDER BY _line", path)
            late.unlink()
        else:
            sql.write_parquet(self.con, f"SELECT * FROM {rejected}", path)
        row = self.con.execute(
            "SELECT count(*), sum(hash(r)) FROM (SELECT * EXCLUDE (_line, _batch) FROM read_parquet(?)) r", [str(path)]
        ).fetchone()
        count, content = row or (0, 0)
        return f"{count}:{content or 0}"

    def _write_refused(self, into: Path) -> None:
        files = self.staged.files()
        described = self.con.execute("DESCRIBE FROM read_parquet(?)", [str(files[0])]).fetchall()
        columns = {str(row[0]): str(row[1]) for row in described}
        contract = Contract.over(self.resource, columns)
        checks.land(self.con, files, tuple(columns))
        pairs = zip(checks.key_columns(contract), contract.keys, strict=True)
        match = " AND ".join(f"j.{v} = c.{sql.name(k)}" for v, k in pairs)
        good_row = f"SELECT *, {contract.holds()} AS _ok FROM ({checks.judged_query(contract)})"
        reason = REFUSED[self.resource.disposition] + ":" + ",".join(contract.keys)
        checks.reject_rows(
            self.con,
            contract,
            f"SELECT _row, [{sql.text(reason)}] AS _reasons FROM ({good_row}) j SEMI JOIN "
            f"(SELECT * FROM change WHERE _kind = 'conflict') c ON {match} WHERE j._ok AND NOT EXISTS "
            f"(FROM read_parquet({sql.text(str(self.checked.rejected))}) r WHERE r._line = j._line)",
            batch_id=self.checked.batch_id,
            into=into,
        )


def adopt(checked: Checked, folder: Path) -> tuple[Path, ...]:
    """Let the good files, which nobody writes again, stand in *folder* too: linked where possible, otherwise copied."""
    paths = []
    for number, source in enumerate(checked.good):
        if not pq.read_metadata(source).num_rows:
            continue
        path = folder / f"part-{number:05d}.parquet"
        try:
            os.link(source, path)
        except OSError as error:
            if error.errno not in _NO_LINK:
                raise
            shutil.copyfile(source, path)
        sql.sync_file(path)
        paths.append(path)
    sql.sync_folder(folder)
    return tuple(paths)


def _same_type(one: pa.DataType, other: pa.DataType) -> bool:
    text = pa.types.is_string(one) or pa.types.is_large_string(one)
    return bool(text and pa.types.is_large_string(other)) or bool(one == other)
