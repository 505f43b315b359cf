"""The warehouse as the rest of the product uses it: ensure, check, commit, index; look up, scan, account.

Reading sources is `connectors`; when each step runs is for DAGs to say. Every step may be run again after any failure.
"""

from __future__ import annotations

import json
import os
import shutil
import threading
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

import pyarrow.parquet as pq

from catalog.model import Disposition
from warehouse import checks, merge, sql
from warehouse import lookup as lookups
from warehouse import scan as scans
from warehouse import table as tables
from warehouse.errors import (
    CommitConflictError,
    SchemaIncompatibleError,
    SnapshotMissingError,
    SourceEmptiedError,
    StagedFileDamagedError,
    StorageFullError,
)
from warehouse.lookup import Layout, Lookup
from warehouse.normal import typed
from warehouse.reasons import Reason, Rejected
from warehouse.schema import added_fields, contract_digest, table_name
from warehouse.staging import Checked, Committed, StagedBatch

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from datetime import datetime
    from pathlib import Path

    import duckdb
    from pyiceberg.catalog.sql import SqlCatalog
    from pyiceberg.table import Table

    from catalog.model import InformationResource
    from warehouse.table import SnapshotInfo

MEMORY_MB = 1024  # Tasks run several at a time on small machines; beyond this DuckDB spills to disk.
ROWS_PER_FILE = 250_000  # About 2–30 MB of Parquet: small enough to rewrite for one changed row, large enough to scan.
_MAX_REASONS = 20
_MAX_THREADS = 4


@dataclass(frozen=True, slots=True)
class _Attempt:
    """The files of one attempt to commit: a folder that no other attempt has, and a quarantine file named after it."""

    folder: Path
    quarantine: Path

    def discard(self) -> None:
        """Delete them; only for an attempt of which it is sure that it did not land."""
        shutil.rmtree(self.folder, ignore_errors=True)
        self.quarantine.unlink(missing_ok=True)


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
        # 1. The files are those that were extracted and checked, under the contract that is in force.
        checks.verify_file(resource.code, staged.path, staged.sha256)
        for file, digest in checked.digests:
            checks.verify_file(resource.code, checked.good.with_name(file), digest)
        batch_id = staged.batch_id(resource.code, contract_digest(resource))
        if batch_id != checked.batch_id:
            raise StagedFileDamagedError(
                resource=resource.code, path=checked.good, detail="checked for another batch or another list"
            )
        table = tables.load(self._catalog, resource.code)
        missing = added_fields(resource, table.schema())
        if missing:
            raise SchemaIncompatibleError(
                resource=resource.code, field=missing[0].name, was="absent", now=str(missing[0].type)
            )
        # 2. A batch that is already in is done.
        history = list(tables.infos(table))
        done = self._recognise(resource, staged, batch_id, history)
        if done is not None:
            return done
        held = sum(f.rows for f in tables.files_of(table, resource.code, table.metadata.current_snapshot_id))
        if resource.disposition is Disposition.REPLACE and not staged.rows and held:
            raise SourceEmptiedError(resource=resource.code, rows=held)
        # 3. Compare with the table, write the files of a new snapshot.
        attempt = self._attempt(table, resource.code, batch_id)
        try:
            with sql.full_storage(resource.code, self.root), self._session(self.root / "tmp") as con:
                plan, paths, content = self._prepare(
                    con, resource, table, staged=staged, checked=checked, attempt=attempt
                )
                digest = sql.file_digest(attempt.quarantine)
        except BaseException:
            attempt.discard()
            raise
        # 4. Nothing new: leave everything as it is.
        head = history[0] if history else None
        cursor = staged.cursor if staged.cursor is not None else head.cursor if head else None
        rejected = checked.rejected_rows + plan.conflicts
        outcome = {"inserted": plan.inserted, "updated": plan.updated, "deleted": plan.deleted}
        if head and not plan.changed and cursor == head.cursor and not _news(resource, history, content):
            attempt.discard()
            snapshot_id = table.metadata.current_snapshot_id
            return Committed(snapshot_id, **outcome, unchanged=plan.unchanged, cursor=cursor, already=False)
        # 5. One snapshot.
        facts: dict[str, str | int] = {
            "batch": batch_id,
            "staged": staged.sha256,
            "contract": contract_digest(resource),
            "read": checked.read,
            "accepted": checked.accepted,
            "superseded": checked.superseded,
            "rejected": rejected,
            **outcome,
            "unchanged": plan.unchanged,
            "conflicts": plan.conflicts,
            "reasons": json.dumps(checked.reasons[:_MAX_REASONS], ensure_ascii=False),
            "normalised": json.dumps(checked.normalised, ensure_ascii=False),
            "quarantine": str(attempt.quarantine.relative_to(self.root)),
            "quarantine-digest": digest,
            "quarantine-content": content,
        }
        facts |= {"cursor": cursor} if cursor is not None else {}
        facts |= {"checked-at": checked.checked_at.isoformat()} if checked.checked_at else {}
        try:
            snapshot_id = tables.commit(table, self.root, resource.code, added=paths, removed=plan.touched, facts=facts)
        except (CommitConflictError, StorageFullError):
            attempt.discard()
            raise
        return Committed(
            snapshot_id,
            **outcome,
            unchanged=plan.unchanged,
            cursor=cursor,
            already=False,
            quarantined=plan.conflicts,
        )

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

    def _attempt(self, table: Table, code: str, batch_id: str) -> _Attempt:
        data = tables.local_path(table.location()) / "data"
        held = self.root / "quarantine" / table_name(code)
        with sql.full_storage(code, self.root):
            data.mkdir(parents=True, exist_ok=True)
            held.mkdir(parents=True, exist_ok=True)
            number = 0
            while True:
                # mkdir is exclusive: two processes that commit the same batch get different folders.
                folder = data / f"{batch_id[:24]}-{number}"
                try:
                    folder.mkdir()
                except FileExistsError:
                    number += 1
                else:
                    return _Attempt(folder, held / f"{folder.name}.parquet")

    def _prepare(
        self,
        con: duckdb.DuckDBPyConnection,
        resource: InformationResource,
        table: Table,
        *,
        staged: StagedBatch,
        checked: Checked,
        attempt: _Attempt,
    ) -> tuple[merge.Plan, list[Path], str]:
        files = tables.files_of(table, resource.code, table.metadata.current_snapshot_id)
        schema, size = table.schema(), self._rows_per_file
        plan = merge.plan(con, resource, schema, files, checked, rows_per_file=size)
        paths: list[Path] = []
        if plan.changed:
            paths = merge.write(con, resource, schema, plan, attempt.folder, rows_per_file=size)
        columns = pq.read_schema(staged.path).names if plan.conflicts else ()
        content = merge.write_quarantine(
            con, resource, staged=staged, columns=columns, checked=checked, plan_=plan, path=attempt.quarantine
        )
        return plan, paths, content

    def _recognise(
        self, resource: InformationResource, staged: StagedBatch, batch_id: str, history: Sequence[SnapshotInfo]
    ) -> Committed | None:
        """The outcome of this batch if the table holds it already.

        Only the last load proves that. An earlier one does not: a source may return to what it held before, and then
        the same content must be applied again. It does where later loads have passed it for good.
        """
        same = next((info for info in history if info.batch_id == batch_id), None)
        head = history[0] if history else None
        if head is None:
            return None
        passed = resource.disposition is not Disposition.REPLACE and self._behind(resource, staged.cursor, head.cursor)
        if same is None and passed:
            raise CommitConflictError(resource=resource.code, detail="this one was read before the cursor in force")
        if same is None or not (same is head or passed or resource.disposition is Disposition.APPEND):
            return None
        return Committed(
            snapshot_id=same.snapshot_id,
            inserted=same.inserted,
            updated=same.updated,
            deleted=same.deleted,
            unchanged=same.unchanged,
            cursor=head.cursor,
            already=True,
        )

    def _behind(self, resource: InformationResource, cursor: str | None, head: str | None) -> bool:
        """Whether *cursor* comes before *head* in the order of the cursor field's type (as text, if it has none)."""
        if cursor is None or head is None or cursor == head:
            return False
        field = resource.field(resource.source.cursor_field)
        if field is None:
            return cursor < head
        with self._session(self.root / "tmp") as con:
            one, other = typed(field.type, "a"), typed(field.type, "b")
            row = con.execute(
                f"SELECT {one} < {other} FROM (SELECT ?::VARCHAR a, ?::VARCHAR b)", [cursor, head]
            ).fetchone()
        return cursor < head if row is None or row[0] is None else bool(row[0])


def _news(resource: InformationResource, history: Sequence[SnapshotInfo], content: str) -> bool:
    """Whether the quarantine holds something that the table's history does not tell yet."""
    if resource.disposition is Disposition.REPLACE:
        return content != history[0].quarantine_content
    return not content.startswith("0:") and all(content != info.quarantine_content for info in history)


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
