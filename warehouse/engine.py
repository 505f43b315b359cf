"""The warehouse as the rest of the product uses it: ensure, check, commit, index; look up, scan, account, keep up.

Reading sources is `connectors`; when each step runs is for DAGs to say. Every step may be run again after any failure.
"""

from __future__ import annotations

import os
import shutil
import threading
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Self

import pyarrow.parquet as pq

from warehouse import checks, feed, history, quality, reading, replay, rules, runs, sql
from warehouse import commit as commits
from warehouse import fsck as fscks
from warehouse import lookup as lookups
from warehouse import maintain as upkeep
from warehouse import reconcile as reconciling
from warehouse import scan as scans
from warehouse import table as tables
from warehouse.commit import Room
from warehouse.errors import SnapshotMissingError, TableMissingError
from warehouse.lookup import Layout, Lookup
from warehouse.masking import ROWS_PER_PART, Masked
from warehouse.reasons import Reason, Rejected
from warehouse.reconcile import TableMeasures
from warehouse.runs import Run
from warehouse.schema import new_schema, table_name
from warehouse.storage import Folder

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence
    from pathlib import Path

    import duckdb
    from pyiceberg.schema import Schema
    from pyiceberg.table import Table

    from catalog.model import InformationResource
    from warehouse.feed import Change, Extent, Span, Told
    from warehouse.fsck import Finding
    from warehouse.history import SnapshotInfo
    from warehouse.maintain import MaintenanceReport, Policy
    from warehouse.masking import Selection
    from warehouse.reconcile import Reconciliation
    from warehouse.staging import Checked, Committed, StagedBatch
    from warehouse.storage import Storage
    from warehouse.table import DurableSqlCatalog

MEMORY_MB = 384  # Tasks run several at a time on small machines; beyond this DuckDB spills to disk.
ROWS_PER_FILE = 250_000  # About 2–30 MB of Parquet: small enough to rewrite for one changed row, large enough to scan.
_MAX_THREADS = 4


class Warehouse:
    """Tables and quarantine in a *storage* (by default below *root*); look-up indexes and scratch below *root*.

    Any number of processes and threads may use one root. Writers of different resources do not meet; of two writers
    of one resource the first to commit wins, and the other gets `CommitConflictError` and runs again.
    """

    def __init__(
        self,
        root: Path,
        *,
        catalog_uri: str | None = None,
        storage: Storage | None = None,
        memory_mb: int = MEMORY_MB,
        threads: int | None = None,
        rows_per_file: int = ROWS_PER_FILE,
    ) -> None:
        self.root = root.absolute()
        self.storage: Storage = (storage or Folder(self.root)).on(self.root / "outgoing")
        self._uri = catalog_uri
        self._memory_mb = memory_mb
        self._threads = threads or min(os.cpu_count() or 1, _MAX_THREADS)
        self._rows_per_file = rows_per_file
        self._lock = threading.Lock()
        self._opened: DurableSqlCatalog | None = None
        self._lookups: dict[str, Lookup] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Give connections back; the next call opens them again."""
        with self._lock:
            for found in self._lookups.values():
                found.close()
            if self._opened is not None:
                self._opened.engine.dispose()
            self._opened = None

    # --- the steps of a load ---

    def ensure(self, resource: InformationResource) -> None:
        """Create the resource's table, or grow it by the columns that its list added, renamed or widened.

        Raises:
            SchemaIncompatibleError: a field changed its type, or the key changed under rows.
            CommitConflictError: another process grew the table at this moment; call again.
            CatalogueUnavailableError, StorageUnavailableError, StorageFullError: run again.
        """
        with sql.full_storage(resource.code, self.root):
            tables.ensure(self._catalog, resource)

    def check(
        self,
        resource: InformationResource,
        staged: StagedBatch,
        into: Path,
        *,
        now: datetime,
        accepted: Collection[str] = (),
    ) -> Checked:
        """Judge a batch by the contract, row by row and as a whole; write the outcome into the folder *into*.

        See `checks.check` and `quality.judge`; *accepted* are digests of findings that a person lets pass.

        Raises:
            StagedFileDamagedError, ContractInvalidError, SchemaIncompatibleError, ErrorBudgetExceededError,
                QualityGateError, StorageFullError, StorageUnavailableError, CatalogueUnavailableError: nothing is
                committed in any case.
        """
        table = self._find(resource.code)
        schema = table.schema() if table else new_schema(resource)
        beyond = rules.row_rules(resource, self._rows_of)
        # What was landed lies here; only what looks into a table has to look into the storage.
        far = bool(beyond or resource.quality)
        with sql.full_storage(resource.code, into), self._session(into, far=far) as con:
            checked = checks.check(
                con, resource, schema, staged, into, now=now, rules=beyond, rows_per_file=self._rows_per_file
            )
            # A replay is no pull, and what its rows are like was judged when they were first read.
            if resource.quality and staged.replay_of is None:
                told = list(history.infos(table)) if table else []
                own = self._rows_of(resource.code)
                found = quality.judge(con, resource, checked, told, now, other=self._rows_of, own=own)
                quality.enforce(resource, found, accepted)
            return checked

    def stage_rejected(self, resource: InformationResource, into: Path, *, now: datetime) -> StagedBatch | None:
        """The rows rejected now as a staged batch at *into*, to be checked and committed again; see `replay.stage`.

        Raises:
            TableMissingError
            StagedFileDamagedError: a quarantine file was lost or altered.
            StorageFullError, StorageUnavailableError, CatalogueUnavailableError: run again.
        """
        return replay.stage(self, resource, into, now)

    def reconcile(
        self, resource: InformationResource, staged: StagedBatch, into: Path, *, without: Collection[str] = ()
    ) -> Reconciliation:
        """Compare a whole read of the source with the table; see `reconcile.full`.

        Raises:
            TableMissingError, StagedFileDamagedError, ContractInvalidError
            StorageFullError, StorageUnavailableError, CatalogueUnavailableError: run again.
        """
        return reconciling.full(self, resource, staged, into, without=without)

    def measures(
        self, resource: InformationResource, snapshot_id: int | None = None, *, columns: bool = True
    ) -> TableMeasures:
        """What the table says of the rows that hold in a snapshot (None: the current one), for `compare_measures`.

        Without *columns* it is their number alone, which takes no reading where no row is kept beyond its end.

        Raises:
            TableMissingError, SnapshotMissingError
        """
        if not columns:
            return TableMeasures(self.count(resource.code, snapshot_id))
        table = tables.load(self._catalog, resource.code)
        chosen = snapshot_id if snapshot_id is not None else table.metadata.current_snapshot_id
        files = tables.files_of(table, resource.code, chosen)
        with self._reading(resource.code) as con:
            return reconciling.measure(con, resource, reading.read_files(table.schema(), files, live=True))

    def commit(self, resource: InformationResource, staged: StagedBatch, checked: Checked) -> Committed:
        """Bring a checked batch into its table in one snapshot, with cursor, counts and quarantine.

        Safe to call again with the same batch. A batch that changes no row, moves no cursor and quarantines nothing
        new makes no snapshot; the first load of a table always does, be it empty.

        Raises:
            TableMissingError: call `ensure` first.
            StagedFileDamagedError: a file is not the one that was checked; extract and check again.
            CommitConflictError: another load came first, or this one was read before the cursor in force; run again
                from extract.
            CommitUnknownError: it may have landed; run again, delete nothing.
            StorageFullError: free space, run again.
            StorageUnavailableError, CatalogueUnavailableError: run again; nothing landed.
        """
        return commits.commit(self._room, resource, staged, checked)

    def build_index(self, resource: InformationResource, snapshot_id: int) -> Path:
        """Build the look-up file of a snapshot and let readers have it at once; see `lookup.build`.

        Raises:
            TableMissingError, SnapshotMissingError, StorageFullError
        """
        table = tables.load(self._catalog, resource.code)
        files = tables.files_of(table, resource.code, snapshot_id)
        snapshot = table.snapshot_by_id(snapshot_id)
        layout = Layout(
            code=resource.code,
            snapshot_id=snapshot_id,
            sequence=(snapshot.sequence_number or 0) if snapshot else 0,
            schema=table.schema(),
            key=tuple(f.name for f in resource.key),
            lookup=tuple(f.name for f in resource.lookup_fields),
        )
        with sql.full_storage(resource.code, self.root), self._session(self.root / "tmp") as con:
            return lookups.build(con, layout, files, self._index_folder(resource.code))

    # --- reading ---

    def lookup(self, code: str) -> Lookup:
        """The look-up index of a resource, shared by all callers; it follows later builds by itself."""
        with self._lock:
            if code not in self._lookups:
                self._lookups[code] = Lookup(code, self._index_folder(code))
            return self._lookups[code]

    def scan(
        self,
        code: str,
        snapshot_id: int | None = None,
        where: Mapping[str, str] | None = None,
        fields: Sequence[str] = (),
        *,
        limit: int | None = None,
        history: bool = False,
    ) -> list[dict[str, Any]]:
        """Rows of a snapshot (None: the current one) as wire values, ordered by key; no *fields* means all.

        Rows that hold no longer (earlier versions, softly deleted ones) are there with *history* only.

        Raises:
            TableMissingError, SnapshotMissingError, FieldMissingError
        """
        table = tables.load(self._catalog, code)
        chosen = snapshot_id if snapshot_id is not None else table.metadata.current_snapshot_id
        files = tables.files_of(table, code, chosen)
        key = table.properties[tables.PREFIX + "key"].split(",")
        with self._reading(code) as con:
            return scans.scan(
                con,
                table.schema(),
                code,
                files,
                key=key,
                where=where or {},
                fields=fields,
                limit=limit,
                history=history,
            )

    def scan_parts(
        self, code: str, snapshot_id: int, fields: Sequence[str], *, rows_per_part: int
    ) -> Iterator[list[dict[str, Any]]]:
        """The rows of a snapshot as `scan` gives them, *rows_per_part* at a time, in bounded memory.

        Raises:
            TableMissingError, SnapshotMissingError, FieldMissingError: on the first step.
        """
        table = tables.load(self._catalog, code)
        files = tables.files_of(table, code, snapshot_id)
        key = table.properties[tables.PREFIX + "key"].split(",")
        with self._reading(code) as con:
            yield from scans.scan_parts(
                con,
                table.schema(),
                code,
                files,
                key=key,
                where={},
                fields=fields,
                limit=None,
                history=False,
                rows_per_part=rows_per_part,
            )

    @contextmanager
    def masked(
        self, selection: Selection, snapshot_id: int, *, key: bytes, rows_per_part: int = ROWS_PER_PART
    ) -> Iterator[Masked]:
        """The rows of a snapshot as *selection* shows them, to count and to write out; *key* is that of hash masks.

        Raises:
            TableMissingError, SnapshotMissingError, FieldMissingError
            StorageFullError, StorageUnavailableError: also from within the block; do it again.
        """
        code = selection.resource.code
        table = tables.load(self._catalog, code)
        files = tables.files_of(table, code, snapshot_id)
        with self._reading(code) as con:
            yield Masked(con, table.schema(), files, selection, key=key, rows_per_part=rows_per_part)

    def cursor(self, code: str) -> str | None:
        """The cursor in force, None before the first incremental load. Raises: TableMissingError."""
        head = next(tables.infos(tables.load(self._catalog, code)), None)
        return head.cursor if head else None

    def current_snapshot(self, code: str) -> int | None:
        """The id of the current snapshot, None before the first load. Raises: TableMissingError."""
        return tables.load(self._catalog, code).metadata.current_snapshot_id

    def count(self, code: str, snapshot_id: int | None = None) -> int:
        """The number of rows that hold in a snapshot (None: the current one).

        Raises:
            TableMissingError, SnapshotMissingError
        """
        table = tables.load(self._catalog, code)
        chosen = snapshot_id if snapshot_id is not None else table.metadata.current_snapshot_id
        files = tables.files_of(table, code, chosen)
        if reading.dead(table.schema()) == "false":
            return sum(f.rows for f in files)
        with self._reading(code) as con:
            return sql.scalar(con, f"SELECT count(*) FROM {reading.read_files(table.schema(), files, live=True)}")

    def snapshots(self, code: str) -> list[SnapshotInfo]:
        """Every load that made a snapshot, newest first. Raises: TableMissingError."""
        return list(tables.infos(tables.load(self._catalog, code)))

    def snapshot_at(self, code: str, moment: datetime) -> int:
        """The snapshot that readers saw at *moment* (aware), for `scan` and `count`.

        Raises:
            TableMissingError
            SnapshotMissingError: the table had none yet, or the one of that time was expired.
        """
        return history.snapshot_at(tables.load(self._catalog, code), code, moment)

    def field_ids(self, resource: InformationResource) -> dict[str, int]:
        """The Iceberg field ids of the table's columns, by name; those it will have, before it is created."""
        return {f.name: f.field_id for f in self._schema(resource).fields}

    def changes(self, code: str, after: int | None = None, limit: int = 1000) -> list[Change]:
        """At most *limit* changes numbered beyond *after* (None: from the baseline on); see `warehouse.feed`.

        Raises:
            TableMissingError
        """
        return feed.read(self._room, code, after, limit)

    def changes_extent(self, code: str) -> Extent:
        """How far the change feed of a resource reaches, and by which loads. Raises: TableMissingError."""
        return feed.extent(self._room, code)

    def changes_told(self, code: str, span: Span, after: int, limit: int = 1000) -> list[Told]:
        """At most *limit* changes of one load numbered beyond *after*, each with its record before and after it.

        Raises:
            TableMissingError, SnapshotMissingError
        """
        with sql.full_storage(code, self.root):
            return feed.told(self._room, code, span, after, limit)

    def quarantine_file(self, code: str, snapshot_id: int) -> Path:
        """The file of rows that the load of *snapshot_id* rejected, found to be as it was written.

        From an object store it is fetched to the place below *root* where a folder has it; upkeep deletes it there
        together with the original.

        Raises:
            SnapshotMissingError: no load of ours made such a snapshot.
            StagedFileDamagedError: the file was lost or altered.
        """
        info = next((i for i in self.snapshots(code) if i.snapshot_id == snapshot_id), None)
        if info is None:
            raise SnapshotMissingError(resource=code, snapshot=snapshot_id)
        path = self.root / info.quarantine
        if not path.exists():
            self._fetch(info.quarantine, path)
        checks.verify_file(code, path, info.quarantine_digest)
        return path

    def rejected(self, resource: InformationResource, *, limit: int = 1000) -> list[Rejected]:
        """At most *limit* rows that are rejected now, those of the newest load first; see `warehouse.replay`.

        Raises:
            TableMissingError
            StagedFileDamagedError: a quarantine file was lost or altered.
        """
        with sql.full_storage(resource.code, self.root):
            return replay.rejected(self, resource, limit=limit)

    @staticmethod
    def rejected_in(path: Path, *, limit: int = 1000) -> list[Rejected]:
        """At most *limit* rows of a file of rejected rows, such as a check leaves that was stopped by its budget."""
        return _read_rejected(path, limit)

    # --- keeping in order ---

    def maintain(self, code: str, policy: Policy, now: datetime) -> MaintenanceReport:
        """Compact, expire and clean the tables of a resource, or of the run records (code `runs.CODE`).

        Safe at any time, beside loads and readers; see `warehouse.maintain`.

        Raises:
            TableMissingError
            CommitUnknownError: the catalogue did not confirm a step; run again.
            StorageFullError, StorageUnavailableError, CatalogueUnavailableError: run again.
        """
        return upkeep.maintain(self._room, self._tables_of(code), code, policy, now)

    def fsck(self, codes: Sequence[str] = (), *, deep: bool = False, now: datetime | None = None) -> list[Finding]:
        """Look for damage in the tables of *codes* (none: in all), reading every row where *deep*; nothing is changed.

        *now* decides which files lie about for long.

        Raises:
            CatalogueUnavailableError, StorageUnavailableError: nobody could look.
        """
        return fscks.fsck(self._room, codes, deep=deep, now=now or datetime.now(UTC))

    # --- run records ---

    def record_runs(self, rows: Sequence[Run | Mapping[str, Any]]) -> int:
        """Append the records whose ids are higher than any before; return how many. See `runs.record`.

        Raises:
            CommitConflictError, CommitUnknownError: call again; nothing comes in twice.
            StorageFullError, StorageUnavailableError, CatalogueUnavailableError: call again.
        """
        return runs.record(self._room, [row if isinstance(row, Run) else Run.of(row) for row in rows])

    def runs_recorded(self) -> int:
        """The highest id recorded; 0 before the first."""
        return runs.last(runs.ensure(self._catalog))

    def runs(
        self, *, after: int = 0, since: datetime | None = None, resource: str = "", limit: int = 1000
    ) -> list[Run]:
        """At most *limit* records with ids beyond *after*, of loads begun at or after *since* (aware), in order."""
        return runs.read(self._room, after=after, since=since, resource=resource, limit=limit)

    # --- inside ---

    @property
    def _room(self) -> Room:
        return Room(
            root=self.root,
            catalog=self._catalog,
            session=self._session,
            rows_per_file=self._rows_per_file,
            storage=self.storage,
        )

    @property
    def _catalog(self) -> DurableSqlCatalog:
        # Opened on first use and not in the constructor, for tasks are forked and connections must not be.
        with self._lock:
            if self._opened is None:
                self._opened = tables.open_catalog(self.root, self._uri, self.storage)
            return self._opened

    def _find(self, code: str) -> Table | None:
        try:
            return tables.load(self._catalog, code)
        except TableMissingError:
            return None

    def _schema(self, resource: InformationResource) -> Schema:
        """The schema of the resource's table, or the one it will have."""
        table = self._find(resource.code)
        return table.schema() if table else new_schema(resource)

    def _tables_of(self, code: str) -> list[Table]:
        """The resource's table and its feed; the table of run records for its own code."""
        if code == runs.CODE:
            return [runs.ensure(self._catalog)]
        own = tables.load(self._catalog, code)
        changes = feed.find(self._catalog, code)
        return [own, changes] if changes is not None else [own]

    def _rows_of(self, code: str) -> str | None:
        """A FROM item over the rows of a resource that hold now, None if it was never loaded."""
        table = self._find(code)
        # A table stands there from the moment in which its first load begins: nothing is missing in it yet.
        if table is None or table.metadata.current_snapshot_id is None:
            return None
        files = tables.files_of(table, code, table.metadata.current_snapshot_id)
        return reading.read_files(table.schema(), files, live=True)

    def _fetch(self, name: str, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        part = path.with_name(path.name + ".tmp")
        try:
            with self.storage.open_read(self.storage.location(name)) as stream, part.open("wb") as into:
                shutil.copyfileobj(stream, into)
        except FileNotFoundError:
            return  # Whoever verifies it says so.
        part.replace(path)

    @contextmanager
    def _reading(self, code: str) -> Iterator[duckdb.DuckDBPyConnection]:
        """A session whose failures to read are told as what they are."""
        with sql.full_storage(code, self.root), self._session(self.root / "tmp") as con:
            yield con

    def _index_folder(self, code: str) -> Path:
        return self.root / "index" / table_name(code)

    @contextmanager
    def _session(self, scratch: Path, *, far: bool = True) -> Iterator[duckdb.DuckDBPyConnection]:
        with sql.session(scratch, memory_mb=self._memory_mb, threads=self._threads) as con:
            if far:
                self.storage.prepare(con)
            yield con


def _read_rejected(path: Path, limit: int) -> list[Rejected]:
    found: list[Rejected] = []
    with pq.ParquetFile(path) as parquet:
        for batch in parquet.iter_batches(batch_size=min(limit, 10_000)):
            for row in batch.to_pylist():
                if len(found) == limit:
                    return found
                line, reasons, batch_id = row.pop("_line"), row.pop("_reasons"), row.pop("_batch")
                found.append(Rejected(line, tuple(Reason.parse(r) for r in reasons), batch_id, row))
    return found
