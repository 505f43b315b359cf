"""What a table's snapshots tell: which loads made them, in which order, and which one a moment of the past saw.

Making snapshots is `warehouse.table`; letting old ones go is `warehouse.maintain`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from warehouse.errors import SnapshotMissingError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from pyiceberg.table import Table
    from pyiceberg.table.metadata import TableMetadata
    from pyiceberg.table.snapshots import Snapshot

PREFIX = "zhengtong."  # Of the properties and summary entries that are ours.
UPKEEP = PREFIX + "upkeep"  # In the summary of a snapshot that holds no load but the same rows in better files.


@dataclass(frozen=True, slots=True)
class SnapshotInfo:
    """A snapshot of a resource's table, as its summary tells it. *at* is when it was made (UTC).

    *quarantine* is the name in the storage of the file of rejected rows, or "". *cursor* is the one in force after it.
    *total* is the number of rows after it. *facts* are all entries of the summary that are ours, without `PREFIX`.
    """

    snapshot_id: int
    parent_id: int | None
    sequence: int
    at: datetime
    batch_id: str
    cursor: str | None
    read: int
    accepted: int
    rejected: int
    inserted: int
    updated: int
    deleted: int
    unchanged: int
    total: int
    quarantine: str
    quarantine_digest: str
    quarantine_content: str
    facts: Mapping[str, str] = field(default_factory=dict, repr=False, compare=False)


def lineage(table: Table) -> Iterator[Snapshot]:
    """The snapshots that led to the current one and are still kept, newest first."""
    return lineage_of(table.metadata)


def lineage_of(metadata: TableMetadata) -> Iterator[Snapshot]:
    """As `lineage`, from metadata alone."""
    snapshot = metadata.current_snapshot()
    older = sorted(metadata.snapshots, key=_sequence, reverse=True)
    while snapshot is not None:
        yield snapshot
        now = snapshot
        parent = metadata.snapshot_by_id(now.parent_snapshot_id) if now.parent_snapshot_id else None
        # A snapshot whose parent was expired names none. Our tables have one line, so the next older is of it too.
        snapshot = parent or next((s for s in older if _sequence(s) < _sequence(now)), None)


def _sequence(snapshot: Snapshot) -> int:
    return snapshot.sequence_number or 0


def infos(table: Table) -> Iterator[SnapshotInfo]:
    """Our loads, newest first. Snapshots that hold no load (a compaction, ours or Spark's) are passed over."""
    for snapshot in lineage(table):
        info = info_of(snapshot)
        if info is not None:
            yield info


def summary_of(snapshot: Snapshot) -> Mapping[str, str]:
    """The entries of a snapshot's summary."""
    return snapshot.summary.additional_properties if snapshot.summary else {}


def moment_of(snapshot: Snapshot) -> datetime:
    """When a snapshot was made (UTC)."""
    return datetime.fromtimestamp(snapshot.timestamp_ms / 1000, UTC)


def info_of(snapshot: Snapshot) -> SnapshotInfo | None:
    """The load that made *snapshot*, None if it was no load."""
    summary = summary_of(snapshot)
    if PREFIX + "batch" not in summary:
        return None

    def number(key: str) -> int:
        return int(summary.get(PREFIX + key, "0"))

    return SnapshotInfo(
        snapshot_id=snapshot.snapshot_id,
        parent_id=snapshot.parent_snapshot_id,
        sequence=_sequence(snapshot),
        at=moment_of(snapshot),
        batch_id=summary[PREFIX + "batch"],
        cursor=summary.get(PREFIX + "cursor"),
        read=number("read"),
        accepted=number("accepted"),
        rejected=number("rejected"),
        inserted=number("inserted"),
        updated=number("updated"),
        deleted=number("deleted"),
        unchanged=number("unchanged"),
        # Iceberg counts the rows of the data files, and beside them the positions deleted, be their files still there
        # or not.
        total=int(summary.get(PREFIX + "total", summary.get("total-records", "0"))),
        quarantine=summary.get(PREFIX + "quarantine", ""),
        quarantine_digest=summary.get(PREFIX + "quarantine-digest", ""),
        quarantine_content=summary.get(PREFIX + "quarantine-content", ""),
        facts={k.removeprefix(PREFIX): v for k, v in summary.items() if k.startswith(PREFIX)},
    )


def snapshot_at(table: Table, code: str, moment: datetime) -> int:
    """The id of the snapshot that readers saw at *moment* (aware).

    Raises:
        SnapshotMissingError: the table had none yet, or the one of that time was expired.
    """
    newer: Snapshot | None = None
    for snapshot in lineage(table):
        if moment_of(snapshot) <= moment:
            # Between this one and the next that is kept others may have been, which are expired.
            if newer is None or newer.parent_snapshot_id == snapshot.snapshot_id or moment_of(snapshot) == moment:
                return snapshot.snapshot_id
            break
        newer = snapshot
    raise SnapshotMissingError(resource=code, snapshot=moment.isoformat())
