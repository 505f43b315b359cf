"""How a checked batch becomes one snapshot: recognise, plan, write files, move the pointers; safe to do again.

Which rows change is `warehouse.merge`; the feed of changes, which moves in the same transaction, is `warehouse.feed`;
the tables' own metadata is `warehouse.table`.
"""

from __future__ import annotations

import contextlib
import json
import secrets
import shutil
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from catalog.model import Disposition
from warehouse import checks, feed, merge, reading, replay, sql
from warehouse import table as tables
from warehouse.compare import is_complete, present
from warehouse.errors import (
    CommitConflictError,
    CommitUnknownError,
    SchemaIncompatibleError,
    SourceEmptiedError,
    StagedFileDamagedError,
    WarehouseError,
)
from warehouse.evolve import evolution
from warehouse.normal import typed
from warehouse.schema import contract_digest, own_columns, table_name
from warehouse.staging import Checked, Committed, StagedBatch
from warehouse.table import TableChange

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from contextlib import AbstractContextManager
    from pathlib import Path

    import duckdb
    from pyiceberg.table import Table

    from catalog.model import InformationResource
    from warehouse.history import SnapshotInfo
    from warehouse.storage import Storage
    from warehouse.table import DurableSqlCatalog

_MAX_REASONS = 20


@dataclass(frozen=True, slots=True)
class Room:
    """What a commit works with: the warehouse's root, its catalogue, sessions that spill below a folder, file size."""

    root: Path
    catalog: DurableSqlCatalog
    session: Callable[[Path], AbstractContextManager[duckdb.DuckDBPyConnection]]
    rows_per_file: int
    storage: Storage

    @property
    def scratch(self) -> Path:
        """Where sessions spill."""
        return self.root / "tmp"


@dataclass(frozen=True, slots=True)
class _Attempt:
    """The files of one attempt to commit: folders that no other attempt has, and a quarantine file named after them."""

    storage: Storage
    folder: Path
    changes: Path
    quarantine: str

    def discard(self) -> None:
        """Delete them; only for an attempt of which it is sure that it did not land."""
        self.tidy()
        # What cannot be deleted now is an orphan, and found later.
        with contextlib.suppress(Exception):
            self.storage.delete([self.storage.location(self.quarantine)])

    def tidy(self) -> None:
        """Delete what lies at desks; where those are the storage itself, that is all there is of the attempt."""
        shutil.rmtree(self.folder, ignore_errors=True)
        shutil.rmtree(self.changes, ignore_errors=True)
        self.storage.desk(self.quarantine).unlink(missing_ok=True)

    @property
    def in_place(self) -> bool:
        """Whether what lies at its desk is in the storage already."""
        return self.storage.source(self.storage.location(self.quarantine)) == str(self.storage.desk(self.quarantine))


@dataclass(frozen=True, slots=True)
class _Prepared:
    """What an attempt has written so far."""

    plan: merge.Plan
    written: merge.Written
    changes: tuple[Path, ...]
    last_change: int
    content: str
    digest: str


def commit(room: Room, resource: InformationResource, staged: StagedBatch, checked: Checked) -> Committed:
    """Bring a checked batch into its table in one snapshot; see `warehouse.engine.Warehouse.commit`."""
    # 1. The files are those that were extracted and checked, under the contract that is in force.
    checks.verify_checked(resource.code, staged, checked)
    batch_id = staged.batch_id(resource.code, contract_digest(resource))
    if batch_id != checked.batch_id:
        raise StagedFileDamagedError(
            resource=resource.code, path=checked.rejected, detail="checked for another batch or another list"
        )
    table = tables.load(room.catalog, resource.code)
    missing = evolution(resource, table.schema())
    if missing:
        names = [f.name for f in missing.added] + [name for _, name in missing.renamed] + list(dict(missing.widened))
        raise SchemaIncompatibleError(resource=resource.code, field=names[0], was="absent", now="in the list")
    # 2. A batch that is already in is done.
    history = list(tables.infos(table))
    done = _recognise(room, resource, staged, batch_id, history)
    if done is not None:
        return done
    if staged.replay_of is not None and not (history and history[0].snapshot_id == staged.replay_of):
        raise CommitConflictError(resource=resource.code, detail="it came after these rows were staged again")
    files = tables.files_of(table, resource.code, table.metadata.current_snapshot_id)
    if (is_complete(resource) or present(resource, staged)) and staged.empties:
        held = _count_live(room, resource, table, files)
        if held:
            raise SourceEmptiedError(resource=resource.code, rows=held)
    # 3. Compare with the table, write the files of a new snapshot and of the feed.
    head = history[0] if history else None
    changes = feed.ensure(room.catalog, resource.code, table.schema(), [f.name for f in resource.key])
    load = _Load(room, resource, table, changes, staged, checked, head)
    attempt = _attempt(room, resource.code, batch_id)
    try:
        with sql.full_storage(resource.code, room.root):
            made = load.prepare(files, attempt)
            # 4. Nothing new: leave everything as it is.
            settled = staged.replay_of is not None and checked.rejected_rows < staged.rows
            same = head and not made.plan.changed and load.cursor == head.cursor and not settled
            if same and not _news(resource, history, made):
                attempt.discard()
                return load.committed(table.metadata.current_snapshot_id, made.plan)
            room.storage.publish(room.storage.desk(attempt.quarantine), room.storage.location(attempt.quarantine))
    except BaseException:
        attempt.discard()
        raise
    # 5. One snapshot of the table and one of its feed, in one transaction.
    facts = {feed.LAST: made.last_change}
    try:
        snapshot_id = tables.commit(room, load.moves(made, attempt), code=resource.code, facts=facts)[0]
    except CommitUnknownError:
        raise
    except WarehouseError:
        # Each of them says that nothing landed. Of anything else, an interrupt say, that is not known.
        attempt.discard()
        raise
    if not attempt.in_place:
        attempt.tidy()
    return load.committed(snapshot_id, made.plan, quarantined=made.plan.conflicts)


def _count_live(room: Room, resource: InformationResource, table: Table, files: Sequence[tables.FileOfRows]) -> int:
    """The rows in force."""
    if not own_columns(resource):
        return sum(f.rows for f in files)
    with room.session(room.scratch) as con:
        return sql.scalar(con, f"SELECT count(*) FROM {reading.read_files(table.schema(), files, live=True)}")


def _attempt(room: Room, code: str, batch_id: str) -> _Attempt:
    storage = room.storage
    own = f"data/{tables.NAMESPACE}/{table_name(code)}/data"
    feeds = "/".join(("data", *feed.identifier(code), "data"))
    held = f"quarantine/{table_name(code)}"
    # Two processes that commit the same batch, on one machine or two, must not write to one place.
    name = f"{batch_id[:24]}-{secrets.token_hex(6)}"
    with sql.full_storage(code, room.root):
        for parent in (f"{own}/{name}", f"{feeds}/{name}", held):
            storage.desk(parent).mkdir(parents=True, exist_ok=True)
    return _Attempt(storage, storage.desk(f"{own}/{name}"), storage.desk(f"{feeds}/{name}"), f"{held}/{name}.parquet")


@dataclass(frozen=True, slots=True)
class _Load:
    """One load of one resource, and what it works with. *head* is the last load before it."""

    room: Room
    resource: InformationResource
    table: Table
    changes: Table
    staged: StagedBatch
    checked: Checked
    head: SnapshotInfo | None

    @property
    def cursor(self) -> str | None:
        """The cursor after it."""
        if self.staged.cursor is not None:
            return self.staged.cursor
        return self.head.cursor if self.head else None

    @property
    def window(self) -> bool:
        """Whether it was read by a range, or whole, and leaves the cursor where it is."""
        return bool(self.resource.source.cursor_field) and self.staged.cursor is None and self.cursor is not None

    @property
    def at(self) -> datetime:
        """Its time, local. It is that of the check, which is handed on: run again, the load writes the same rows."""
        return (self.checked.checked_at or datetime.now(UTC)).astimezone(merge.LOCAL).replace(tzinfo=None)

    def prepare(self, files: Sequence[tables.FileOfRows], attempt: _Attempt) -> _Prepared:
        """Write all files of the attempt."""
        room = self.room
        with room.session(room.scratch) as con:
            merging = merge.Merge(
                con,
                self.resource,
                self.table.schema(),
                self.staged,
                self.checked,
                rows_per_file=room.rows_per_file,
                at=self.at,
                window=self.window,
            )
            plan = merging.plan(files)
            written = merging.write(plan, attempt.folder) if plan.changed else merge.Written()
            told, last = self._tell(merging, plan, attempt.changes)
            quarantine = room.storage.desk(attempt.quarantine)
            content = merging.write_quarantine(plan, quarantine)
        return _Prepared(plan, written, told, last, content, sql.file_digest(quarantine))

    def _tell(self, merging: merge.Merge, plan: merge.Plan, folder: Path) -> tuple[tuple[Path, ...], int]:
        """Write the rows of the feed; return their files and the number of the last."""
        last, batch_id, con = feed.last(self.changes), self.checked.batch_id, merging.con
        if not last:
            # Whoever follows the feed takes the whole table once; from there each change has a row.
            before = reading.read_files(merging.schema, plan.files, live=True)
            rows = sql.scalar(con, f"SELECT count(*) FROM {before}") + plan.inserted - plan.deleted
            return feed.write_baseline(con, self.changes, folder, rows=rows, batch_id=batch_id, at=self.at), 1
        if not plan.changed:
            return (), last
        told = feed.write(
            con,
            self.changes,
            merging.feed_rows(plan),
            folder,
            after=last,
            batch_id=batch_id,
            at=self.at,
            rows_per_file=self.room.rows_per_file,
        )
        return told, last + plan.changed

    def moves(self, made: _Prepared, attempt: _Attempt) -> list[TableChange]:
        """What the commit does to the table and to its feed."""
        plan, checked = made.plan, self.checked
        facts: dict[str, str | int] = {
            "batch": checked.batch_id,
            "staged": self.staged.sha256,
            "contract": contract_digest(self.resource),
            "read": checked.read,
            "accepted": checked.accepted,
            "superseded": checked.superseded + plan.superseded,
            "rejected": checked.rejected_rows + plan.conflicts,
            "inserted": plan.inserted,
            "updated": plan.updated + plan.corrected,
            "deleted": plan.deleted,
            "unchanged": plan.unchanged,
            "corrected": plan.corrected,
            "conflicts": plan.conflicts,
            "bytes": sum(path.stat().st_size for path in self.staged.files()),
            "reasons": json.dumps(checked.reasons[:_MAX_REASONS], ensure_ascii=False),
            "normalised": json.dumps(checked.normalised, ensure_ascii=False),
            "quarantine": attempt.quarantine,
            "quarantine-digest": made.digest,
            "quarantine-content": made.content,
        }
        facts |= {"cursor": self.cursor} if self.cursor is not None else {}
        facts |= {"window": "true"} if self.window else {}
        facts |= replay.facts_of(self.staged)
        facts |= {"checked-at": checked.checked_at.isoformat()} if checked.checked_at else {}
        own = TableChange(self.table, made.written.data, plan.rewritten, made.written.deletes, facts)
        return [own, TableChange(self.changes, made.changes)] if made.changes else [own]

    def committed(self, snapshot_id: int | None, plan: merge.Plan, quarantined: int = 0) -> Committed:
        """What is told of it."""
        return Committed(
            snapshot_id,
            inserted=plan.inserted,
            updated=plan.updated + plan.corrected,
            deleted=plan.deleted,
            unchanged=plan.unchanged,
            cursor=self.cursor,
            already=False,
            quarantined=quarantined,
        )


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
    # A whole read that no other load came after is what the source has now, wherever its cursor stands.
    newest = staged.whole and staged.over == head.snapshot_id
    passed = not (is_complete(resource) or newest) and _behind(room, resource, staged.cursor, head.cursor)
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


def _news(resource: InformationResource, history: Sequence[SnapshotInfo], made: _Prepared) -> bool:
    """Whether the quarantine holds something that the table's history does not tell yet."""
    content = made.content
    if is_complete(resource):
        return content != history[0].quarantine_content
    return not content.startswith("0:") and all(content != info.quarantine_content for info in history)
