"""How a checked batch becomes one snapshot: recognise, plan, write files, move the pointer; safe to do again.

Which rows change is `warehouse.merge`; the table's own metadata is `warehouse.table`.
"""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pyarrow.parquet as pq

from catalog.model import Disposition
from warehouse import checks, merge, sql
from warehouse import table as tables
from warehouse.errors import (
    CommitConflictError,
    SchemaIncompatibleError,
    SourceEmptiedError,
    StagedFileDamagedError,
    StorageFullError,
)
from warehouse.normal import typed
from warehouse.schema import added_fields, contract_digest, table_name
from warehouse.staging import Checked, Committed, StagedBatch

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from contextlib import AbstractContextManager
    from pathlib import Path

    import duckdb
    from pyiceberg.catalog.sql import SqlCatalog
    from pyiceberg.table import Table

    from catalog.model import InformationResource
    from warehouse.table import SnapshotInfo

_MAX_REASONS = 20


@dataclass(frozen=True, slots=True)
class Room:
    """What a commit works with: the warehouse's root, its catalogue, sessions that spill below a folder, file size."""

    root: Path
    catalog: SqlCatalog
    session: Callable[[Path], AbstractContextManager[duckdb.DuckDBPyConnection]]
    rows_per_file: int

    @property
    def scratch(self) -> Path:
        """Where sessions spill."""
        return self.root / "tmp"


@dataclass(frozen=True, slots=True)
class _Attempt:
    """The files of one attempt to commit: a folder that no other attempt has, and a quarantine file named after it."""

    folder: Path
    quarantine: Path

    def discard(self) -> None:
        """Delete them; only for an attempt of which it is sure that it did not land."""
        shutil.rmtree(self.folder, ignore_errors=True)
        self.quarantine.unlink(missing_ok=True)


def commit(room: Room, resource: InformationResource, staged: StagedBatch, checked: Checked) -> Committed:
    """Bring a checked batch into its table in one snapshot; see `warehouse.engine.Warehouse.commit`."""
    # 1. The files are those that were extracted and checked, under the contract that is in force.
    checks.verify_file(resource.code, staged.path, staged.sha256)
    for file, digest in checked.digests:
        checks.verify_file(resource.code, checked.good.with_name(file), digest)
    batch_id = staged.batch_id(resource.code, contract_digest(resource))
    if batch_id != checked.batch_id:
        raise StagedFileDamagedError(
            resource=resource.code, path=checked.good, detail="checked for another batch or another list"
        )
    table = tables.load(room.catalog, resource.code)
    missing = added_fields(resource, table.schema())
    if missing:
        raise SchemaIncompatibleError(
            resource=resource.code, field=missing[0].name, was="absent", now=str(missing[0].type)
        )
    # 2. A batch that is already in is done.
    history = list(tables.infos(table))
    done = _recognise(room, resource, staged, batch_id, history)
    if done is not None:
        return done
    held = sum(f.rows for f in tables.files_of(table, resource.code, table.metadata.current_snapshot_id))
    if resource.disposition is Disposition.REPLACE and not staged.rows and held:
        raise SourceEmptiedError(resource=resource.code, rows=held)
    # 3. Compare with the table, write the files of a new snapshot.
    attempt = _attempt(room, table, resource.code, batch_id)
    try:
        with sql.full_storage(resource.code, room.root), room.session(room.scratch) as con:
            plan, paths, content = _prepare(room, con, resource, table, staged=staged, checked=checked, attempt=attempt)
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
        "quarantine": str(attempt.quarantine.relative_to(room.root)),
        "quarantine-digest": digest,
        "quarantine-content": content,
    }
    facts |= {"cursor": cursor} if cursor is not None else {}
    facts |= {"checked-at": checked.checked_at.isoformat()} if checked.checked_at else {}
    try:
        snapshot_id = tables.commit(table, room.root, resource.code, added=paths, removed=plan.touched, facts=facts)
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


def _attempt(room: Room, table: Table, code: str, batch_id: str) -> _Attempt:
    data = tables.local_path(table.location()) / "data"
    held = room.root / "quarantine" / table_name(code)
    with sql.full_storage(code, room.root):
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
    room: Room,
    con: duckdb.DuckDBPyConnection,
    resource: InformationResource,
    table: Table,
    *,
    staged: StagedBatch,
    checked: Checked,
    attempt: _Attempt,
) -> tuple[merge.Plan, list[Path], str]:
    files = tables.files_of(table, resource.code, table.metadata.current_snapshot_id)
    schema, size = table.schema(), room.rows_per_file
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
    room: Room, resource: InformationResource, staged: StagedBatch, batch_id: str, history: Sequence[SnapshotInfo]
) -> Committed | None:
    """The outcome of this batch if the table holds it already.

    Only the last load proves that. An earlier one does not: a source may return to what it held before, and then
    the same content must be applied again. It does where later loads have passed it for good.
    """
    same = next((info for info in history if info.batch_id == batch_id), None)
    head = history[0] if history else None
    if head is None:
        return None
    passed = resource.disposition is not Disposition.REPLACE and _behind(room, resource, staged.cursor, head.cursor)
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


def _behind(room: Room, resource: InformationResource, cursor: str | None, head: str | None) -> bool:
    """Whether *cursor* comes before *head* in the order of the cursor field's type (as text, if it has none)."""
    if cursor is None or head is None or cursor == head:
        return False
    field = resource.field(resource.source.cursor_field)
    if field is None:
        return cursor < head
    with room.session(room.scratch) as con:
        one, other = typed(field.type, "a"), typed(field.type, "b")
        row = con.execute(f"SELECT {one} < {other} FROM (SELECT ?::VARCHAR a, ?::VARCHAR b)", [cursor, head]).fetchone()
    return cursor < head if row is None or row[0] is None else bool(row[0])


def _news(resource: InformationResource, history: Sequence[SnapshotInfo], content: str) -> bool:
    """Whether the quarantine holds something that the table's history does not tell yet."""
    if resource.disposition is Disposition.REPLACE:
        return content != history[0].quarantine_content
    return not content.startswith("0:") and all(content != info.quarantine_content for info in history)
