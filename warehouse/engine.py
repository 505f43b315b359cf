"""The warehouse as the rest of the product uses it: ensure, check, commit, index; look up, scan, account.

Reading sources is `connectors`; when each step runs is for DAGs to say. Every step may be run again after any failure.
"""

from __future__ import annotations

import os
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Self

import pyarrow.parquet as pq

from warehouse import checks, sql
from warehouse import commit as commits
from warehouse import lookup as lookups
from warehouse import scan as scans
from warehouse import table as tables
from warehouse.commit import Room
from warehouse.errors import SnapshotMissingError
from warehouse.lookup import Layout, Lookup
from warehouse.reasons import Reason, Rejected
from warehouse.schema import table_name

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from datetime import datetime
    from pathlib import Path

    import duckdb
    from pyiceberg.catalog.sql import SqlCatalog

    from catalog.model import InformationResource
    from warehouse.staging import Checked, Committed, StagedBatch
    from warehouse.table import SnapshotInfo

MEMORY_MB = 1024  # Tasks run several at a time on small machines; beyond this DuckDB spills to disk.
ROWS_PER_FILE = 250_000  # About 2–30 MB of Parquet: small enough to rewrite for one changed row, large enough to scan.
_MAX_THREADS = 4


class Warehouse:
    """Tables, quarantine and look-up indexes below *root*.

    Any number of processes and threads may use one root. Writers of different resources do not meet; of two writers
    of one resource the first to commit wins, and the other gets `CommitConflictError` and runs again.
    """

    def __init__(
        self,
        root: Path,
        *,
        catalog_uri: str | None = None,
        memory_mb: int = MEMORY_MB,
        threads: int | None = None,
        rows_per_file: int = ROWS_PER_FILE,
    ) -> None:
        self.root = root.absolute()
        self._uri = catalog_uri
        self._memory_mb = memory_mb
        self._threads = threads or min(os.cpu_count() or 1, _MAX_THREADS)
        self._rows_per_file = rows_per_file
        self._lock = threading.Lock()
        self._opened: SqlCatalog | None = None
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
        """Create the resource's table, or add the columns that its list added.

        Raises:
            SchemaIncompatibleError: a field changed its type, or the key changed under rows.
            CommitConflictError: another process grew the table at this moment; call again.
        """
        with sql.full_storage(resource.code, self.root):
            tables.ensure(self._catalog, self.root, resource)

    def check(self, resource: InformationResource, staged: StagedBatch, into: Path, *, now: datetime) -> Checked:
        """Judge a batch by the contract, writing good and rejected rows into the folder *into*; see `checks.check`.

        Raises:
            StagedFileDamagedError, ContractInvalidError, ErrorBudgetExceededError, StorageFullError: nothing is
                committed in any case.
        """
        with sql.full_storage(resource.code, into), self._session(into) as con:
            return checks.check(con, resource, staged, into, now=now)

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
            return lookups.build(con, layout, [f.path for f in files], self._index_folder(resource.code))

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
    ) -> list[dict[str, Any]]:
        """Rows of a snapshot (None: the current one) as wire values, ordered by key; no *fields* means all.

        Raises:
            TableMissingError, SnapshotMissingError, FieldMissingError
        """
        table = tables.load(self._catalog, code)
        chosen = snapshot_id if snapshot_id is not None else table.metadata.current_snapshot_id
        files = [f.path for f in tables.files_of(table, code, chosen)]
        key = table.properties[tables.PREFIX + "key"].split(",")
        with self._session(self.root / "tmp") as con:
            return scans.scan(con, table.schema(), code, files, key=key, where=where or {}, fields=fields, limit=limit)

    def cursor(self, code: str) -> str | None:
        """The cursor in force, None before the first incremental load. Raises: TableMissingError."""
        head = next(tables.infos(tables.load(self._catalog, code)), None)
        return head.cursor if head else None

    def current_snapshot(self, code: str) -> int | None:
        """The id of the current snapshot, None before the first load. Raises: TableMissingError."""
        return tables.load(self._catalog, code).metadata.current_snapshot_id

    def count(self, code: str, snapshot_id: int | None = None) -> int:
        """The number of rows in a snapshot (None: the current one). Raises: TableMissingError, SnapshotMissingError."""
        table = tables.load(self._catalog, code)
        chosen = snapshot_id if snapshot_id is not None else table.metadata.current_snapshot_id
        return sum(f.rows for f in tables.files_of(table, code, chosen))

    def snapshots(self, code: str) -> list[SnapshotInfo]:
        """Every load that made a snapshot, newest first. Raises: TableMissingError."""
        return list(tables.infos(tables.load(self._catalog, code)))

    def quarantine_file(self, code: str, snapshot_id: int) -> Path:
        """The file of rows that the load of *snapshot_id* rejected, found to be as it was written.

        Raises:
            SnapshotMissingError: no load of ours made such a snapshot.
            StagedFileDamagedError: the file was lost or altered.
        """
        info = next((i for i in self.snapshots(code) if i.snapshot_id == snapshot_id), None)
        if info is None:
            raise SnapshotMissingError(resource=code, snapshot=snapshot_id)
        path = self.root / info.quarantine
        checks.verify_file(code, path, info.quarantine_digest)
        return path

    def quarantine(self, code: str, *, limit: int = 1000) -> list[Rejected]:
        """At most *limit* rows that are rejected now: of the last load where it was a full pull, otherwise of all.

        Raises:
            TableMissingError
            StagedFileDamagedError: a quarantine file was lost or altered.
        """
        history = self.snapshots(code)
        replaced = tables.load(self._catalog, code).properties.get(tables.PREFIX + "disposition") == "replace"
        found: list[Rejected] = []
        for info in history[:1] if replaced else history:
            if info.rejected and len(found) < limit:
                found += _read_rejected(self.quarantine_file(code, info.snapshot_id), limit - len(found))
        return found

    # --- inside ---

    @property
    def _room(self) -> Room:
        return Room(self.root, self._catalog, self._session, self._rows_per_file)

    @property
    def _catalog(self) -> SqlCatalog:
        # Opened on first use and not in the constructor, for tasks are forked and connections must not be.
        with self._lock:
            if self._opened is None:
                self._opened = tables.open_catalog(self.root, self._uri)
            return self._opened

    def _index_folder(self, code: str) -> Path:
        return self.root / "index" / table_name(code)

    @contextmanager
    def _session(self, scratch: Path) -> Iterator[duckdb.DuckDBPyConnection]:
        with sql.session(scratch, memory_mb=self._memory_mb, threads=self._threads) as con:
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
