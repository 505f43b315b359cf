"""Upkeep of tables: small and holed files made whole, snapshots past the audit period let go, lost files cleared.

What a table's snapshots tell is `warehouse.history`; looking for damage is `warehouse.fsck`. Every step may run beside
loads and beside itself: whoever is overtaken does nothing and says so.
"""

from __future__ import annotations

import math
import secrets
import shutil
import time
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import TYPE_CHECKING, Any, cast

from pyiceberg.conversions import from_bytes
from pyiceberg.exceptions import CommitFailedException, CommitStateUnknownException
from pyiceberg.table.update import AssertTableUUID, RemoveSnapshotsUpdate

from warehouse import sql
from warehouse import table as tables
from warehouse.errors import CommitConflictError, CommitUnknownError, WarehouseError
from warehouse.history import info_of, lineage, moment_of
from warehouse.reach import Manifests, counted, files_named, folders, loads_of
from warehouse.reading import read_files
from warehouse.table import ATTEMPT_S, FileOfRows, Move, TableChange

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Sequence
    from pathlib import Path

    from pyiceberg.table import Table
    from pyiceberg.types import PrimitiveType

    from warehouse.commit import Room

KEEP_DAYS = 1095  # Three years: as long as an answer of the past must be shown again.
ORPHAN_DAYS = 3
_LEAST_ORPHAN_DAYS = 2 * ATTEMPT_S // 86_400  # Twice what a commit may take: clocks differ, and nothing presses.
_SMALL_SHARE = 4  # A file of less than a quarter of the rows it might hold is a small one.
_FILES_TOGETHER = 8  # Rewritten at one time: what is sorted then fits the memory of a session, or spills little.


@dataclass(frozen=True, slots=True)
class Policy:
    """What upkeep may do.

    *keep_days*: snapshots that were in force within so many days stay. *keep*: ids that stay whatever their age, or a
    function from the resource's code to them. *orphan_days*: files that nobody names go when they are older; at least
    2. *small_files*: so many small files are worth rewriting; *holed_share*: so are files with more than this share of
    their rows deleted.
    """

    keep_days: int = KEEP_DAYS
    keep: Collection[int] | Callable[[str], Collection[int]] = ()
    orphan_days: int = ORPHAN_DAYS
    small_files: int = 8
    holed_share: float = 0.1
    compact: bool = True
    expire: bool = True
    clean: bool = True

    def __post_init__(self) -> None:
        if self.orphan_days < _LEAST_ORPHAN_DAYS or self.keep_days < 0:
            msg = f"orphan_days must be at least {_LEAST_ORPHAN_DAYS}, and keep_days not negative"
            raise ValueError(msg)

    def kept(self, code: str) -> frozenset[int]:
        """The ids of the snapshots of this resource that stay in any case."""
        return frozenset(self.keep(code) if callable(self.keep) else self.keep)


@dataclass(slots=True)
class MaintenanceReport:
    """What upkeep of a resource's tables did. *overtaken* names steps that a load forestalled; the next run does them.

    *rewritten* files (of *rewritten_bytes*) became *written* files (of *written_bytes*); the former go when the
    snapshots that have them do. *spared* orphans are too young to go.
    """

    code: str
    rewritten: int = 0
    rewritten_bytes: int = 0
    written: int = 0
    written_bytes: int = 0
    expired_snapshots: int = 0
    expired_files: int = 0
    expired_bytes: int = 0
    orphans: int = 0
    orphan_bytes: int = 0
    spared: int = 0
    snapshots: list[int] = field(default_factory=list)
    overtaken: list[str] = field(default_factory=list)

    def to_json(self) -> dict[str, Any]:
        """A JSON-able dict, the form passed between tasks."""
        return asdict(self)


def maintain(room: Room, of: Sequence[Table], code: str, policy: Policy, now: datetime) -> MaintenanceReport:
    """Compact, expire and clean the tables *of* a resource, in this order; *now* (aware) decides what is old.

    Raises:
        CommitUnknownError: the catalogue did not confirm a step; nothing was deleted. Run again.
        StorageFullError, StorageUnavailableError, CatalogueUnavailableError
    """
    report = MaintenanceReport(code)
    for table in of:
        with sql.full_storage(code, room.root):
            if policy.compact:
                compact(room, table.refresh(), policy, report)
            if policy.expire:
                expire(room, table.refresh(), policy, report, now)
            if policy.clean:
                clean(room, table, policy, report, now)
    tidy(room, now)
    return report


# --- compaction ------------------------------------------------------------------------------------------------------


def compact(room: Room, table: Table, policy: Policy, report: MaintenanceReport) -> None:
    """Write the rows of small and holed files into sorted files of full size, in one snapshot that holds no load."""
    current = table.metadata.current_snapshot_id
    chosen = _worth_it(tables.files_of(table, report.code, current), room.rows_per_file, policy)
    if not chosen:
        return
    # Nobody else's attempt has this name.
    folder = room.storage.desk(f"{room.storage.name(table.location())}/data/upkeep-{secrets.token_hex(8)}")
    folder.mkdir(parents=True)
    try:
        added = _rewrite(room, table, chosen, folder)
        sizes = sum(p.stat().st_size for p in added)
        change = TableChange(table, tuple(added), tuple(chosen), upkeep="compaction")
        (snapshot,) = tables.commit(room, [change], code=report.code, facts={})
    except CommitConflictError:
        report.overtaken.append("compact")
    except CommitUnknownError:
        raise
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    else:
        report.rewritten += len(chosen)
        report.rewritten_bytes += sum(f.data_file.file_size_in_bytes for f in chosen)
        report.written += len(added)
        report.written_bytes += sizes
        report.snapshots.append(snapshot)
        return
    shutil.rmtree(folder, ignore_errors=True)


def _worth_it(files: Sequence[FileOfRows], rows_per_file: int, policy: Policy) -> list[FileOfRows]:
    holed = [f for f in files if f.records - f.rows > policy.holed_share * f.records]
    small = [f for f in files if f not in holed and f.rows * _SMALL_SHARE < rows_per_file]
    # Fewer than that cost a reader little, and would be rewritten again and again.
    return holed + (small if len(small) + len(holed) >= policy.small_files else [])


def _rewrite(room: Room, table: Table, files: Sequence[FileOfRows], folder: Path) -> list[Path]:
    schema = table.schema()
    columns = sql.names([f.name for f in schema.fields])
    ids = ", ".join(f"{sql.name(f.name)}: {f.field_id}" for f in schema.fields)
    order = sql.names([schema.find_field(s.source_id).name for s in table.sort_order().fields])
    written: list[Path] = []
    for group in _groups(table, files, room.rows_per_file):
        with room.session(room.scratch) as con:
            con.execute(
                f"CREATE TEMP TABLE fresh AS SELECT {columns} FROM {read_files(schema, group)}"
                + (f" ORDER BY {order}" if order else "")
            )
            total = sql.scalar(con, "SELECT count(*) FROM fresh")
            if total != sum(f.rows for f in group):
                raise WarehouseError(detail=f"{total} rows were read where the lists tell {sum(f.rows for f in group)}")
            parts = math.ceil(total / room.rows_per_file)
            for part in range(parts):
                start, end = total * part // parts, total * (part + 1) // parts
                path = folder / f"part-{len(written):05d}.parquet"
                sql.write_parquet(
                    con,
                    f"SELECT {columns} FROM fresh WHERE rowid >= {start} AND rowid < {end} ORDER BY rowid",
                    path,
                    options=f"FIELD_IDS {{{ids}}}",
                )
                written.append(path)
    return written


def _groups(table: Table, files: Sequence[FileOfRows], rows_per_file: int) -> Iterator[list[FileOfRows]]:
    """*files* by the order of the table, in groups of about as many rows as some full files hold."""
    group: list[FileOfRows] = []
    for file in sorted(files, key=lambda f: _least(table, f)):
        group.append(file)
        if sum(f.rows for f in group) >= _FILES_TOGETHER * rows_per_file:
            yield group
            group = []
    if group:
        yield group


def _least(table: Table, file: FileOfRows) -> tuple[bool, Any, str]:
    order = table.sort_order().fields
    if not order:
        return False, 0, file.location
    first = table.schema().find_field(order[0].source_id)
    bound = (file.data_file.lower_bounds or {}).get(first.field_id)
    value = None if bound is None else from_bytes(cast("PrimitiveType", first.field_type), bound)
    return value is None, 0 if value is None else value, file.location


# --- expiry ----------------------------------------------------------------------------------------------------------


def expire(room: Room, table: Table, policy: Policy, report: MaintenanceReport, now: datetime) -> None:
    """Let snapshots go that were in force before the audit period only, and then the files that only they had."""
    metadata = table.metadata
    victims = _expired(table, policy.kept(report.code), now - timedelta(days=policy.keep_days))
    if not victims:
        return
    stay = [s for s in metadata.snapshots if s.snapshot_id not in victims]
    go = [s for s in metadata.snapshots if s.snapshot_id in victims]
    manifests = Manifests(table.io)
    sizes = files_named(manifests, go)
    held = files_named(manifests, stay)
    spared = {room.storage.known(location) for location in held}
    lost = {location: size for location, size in sizes.items() if room.storage.known(location) not in spared}
    rejected = {i.quarantine for i in map(info_of, go) if i} - {i.quarantine for i in map(info_of, stay) if i} - {""}
    lost |= {room.storage.location(name): 0 for name in rejected}
    move = Move(
        table,
        (RemoveSnapshotsUpdate.model_validate({"snapshot-ids": sorted(victims)}),),
        (AssertTableUUID(uuid=metadata.table_uuid),),
    )
    try:
        room.catalog.commit_together([move], until=time.time() + ATTEMPT_S)
    except CommitFailedException:
        report.overtaken.append("expire")
        return
    except CommitStateUnknownException as error:
        raise CommitUnknownError(resource=report.code, detail="expiry") from error
    # Only now: until the pointer has moved, every one of these files is still the table's. A crash in between leaves
    # files that nobody names, which `clean` finds.
    room.storage.delete(sorted(lost))
    for name in rejected:
        (room.root / name).unlink(missing_ok=True)
    report.expired_snapshots += len(victims)
    report.expired_files += len(lost)
    report.expired_bytes += sum(lost.values())


def _expired(table: Table, kept: frozenset[int], limit: datetime) -> set[int]:
    """The snapshots that were last in force before *limit* and that nothing else keeps."""
    line = list(lineage(table))
    # The newest load tells the cursor and the batch, whatever upkeep came after it.
    newest = next((s.snapshot_id for s in loads_of(table.metadata)), None)
    spared = kept | {ref.snapshot_id for ref in table.metadata.refs.values()} | {newest}
    spared |= {line[0].snapshot_id} if line else set()
    # A snapshot was in force until the next one was made.
    until = {older.snapshot_id: moment_of(newer) for newer, older in pairwise(line)}
    return {
        s.snapshot_id
        for s in table.metadata.snapshots
        if s.snapshot_id not in spared and until.get(s.snapshot_id, moment_of(s)) <= limit
    }


# --- orphans ---------------------------------------------------------------------------------------------------------


def clean(room: Room, table: Table, policy: Policy, report: MaintenanceReport, now: datetime) -> None:
    """Delete files in the table's folders that no metadata names, nor any that may still land, if they are old enough.

    Safe beside loads: a commit gives up when it has taken `ATTEMPT_S`, so what is older belongs to none under way.
    """
    limit = now - timedelta(days=policy.orphan_days)
    # Listed first: what a commit that lands meanwhile names is then in the metadata read after it.
    listed = [stored for name in folders(table) for stored in room.storage.list(name)]
    named = counted(room.storage, table.refresh(), listed)
    orphans = [one for one in listed if one.location not in named]
    old = [one for one in orphans if one.modified < limit]
    room.storage.delete([one.location for one in old])
    report.orphans += len(old)
    report.orphan_bytes += sum(one.size_bytes for one in old)
    report.spared += len(orphans) - len(old)


def tidy(room: Room, now: datetime) -> None:
    """Delete what killed processes left on this machine: scratch, and files that were never uploaded."""
    limit = now - timedelta(days=_LEAST_ORPHAN_DAYS)
    for folder in (room.root / "tmp", room.root / "outgoing"):
        for path in sorted(folder.rglob("*"), reverse=True) if folder.is_dir() else ():
            if datetime.fromtimestamp(path.lstat().st_ctime, UTC) < limit:
                if path.is_dir():
                    if not any(path.iterdir()):
                        path.rmdir()
                else:
                    path.unlink(missing_ok=True)
