"""What a follower of a resource is told of its cases: corrections that were accepted, and recalls of wrong data.

The cases are `hub.corrections`' and `hub.recall`'s. A follower is told of a record only if the record is, or was in the
period of a recall, among those it sees.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

import sqlalchemy as sa

from catalog.correction import State
from hub.changes.events import CORRECTION, RECALL, Event
from hub.control import CaseEvent, CaseRow
from warehouse.errors import FieldMissingError, SnapshotMissingError

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

    from sqlalchemy.engine import Connection

    from hub.changes.events import Viewer
    from hub.matching.comparing import Wire
    from warehouse.engine import Warehouse

# Entries get their numbers before the steps that they are about are committed, so that a step may come to light after
# one with a higher number. No step of a case takes so long: writers give up after ten seconds.
SETTLED_AFTER: Final = timedelta(seconds=30)
_STEPS: Final = ("accept", "settle", "issued")


@dataclass(frozen=True, slots=True)
class CaseStep:
    """One step of a case that followers are told: *index* is its log entry, *value* the case as it is now."""

    id: str
    kind: str
    revision: int
    at: datetime
    index: int
    value: Mapping[str, Any]


def steps(connection: Connection, resource: str, *, after: int, now: datetime, limit: int) -> list[CaseStep]:
    """At most *limit* such steps with entries beyond *after*, in the order of the log, as far as they are settled."""
    query = (
        sa.select(
            CaseEvent.case_id,
            CaseRow.kind,
            CaseEvent.revision,
            CaseEvent.at,
            CaseEvent.log_index,
            CaseRow.value,
            CaseEvent.state,
        )
        .join(CaseRow, CaseRow.id == CaseEvent.case_id)
        .where(CaseRow.resource == resource, CaseRow.kind.in_((CORRECTION, RECALL)))
        .where(CaseEvent.step.in_(_STEPS), CaseEvent.log_index > after)
        .where(sa.or_(CaseRow.kind == RECALL, CaseEvent.state == State.ACCEPTED.value))
        .order_by(CaseEvent.log_index)
        .limit(limit)
    )
    found = []
    for row in connection.execute(query):
        if row.at > now - SETTLED_AFTER:
            break
        found.append(CaseStep(row.case_id, row.kind, row.revision, row.at, row.log_index, row.value))
    return found


def newest(connection: Connection, resource: str, *, now: datetime) -> int:
    """The log entry of the last step of the resource's cases that is settled; -1 where there is none."""
    settled = now - SETTLED_AFTER
    mine = (CaseRow.resource == resource, CaseRow.kind.in_((CORRECTION, RECALL)))
    joined = sa.select(sa.func.max(CaseEvent.log_index)).join(CaseRow, CaseRow.id == CaseEvent.case_id).where(*mine)
    first_open = connection.execute(
        sa.select(sa.func.min(CaseEvent.log_index))
        .join(CaseRow, CaseRow.id == CaseEvent.case_id)
        .where(*mine, CaseEvent.at > settled)
    ).scalar()
    joined = joined.where(CaseEvent.at <= settled)
    if first_open is not None:
        joined = joined.where(CaseEvent.log_index < first_open)
    found = connection.execute(joined).scalar()
    return -1 if found is None else int(found)


def event(step: CaseStep, viewer: Viewer, warehouse: Warehouse, *, department: str, snapshot: int) -> Event | None:
    """What *department* is told of *step*; None: nothing. *snapshot* is the state that it has followed to.

    Raises:
        TableMissingError, SnapshotMissingError
    """
    if step.kind == CORRECTION:
        about = step.value["disputed"]
        key = dict(about["key"])
        moments: Iterator[int] = iter((snapshot,))
        until = str(step.value.get("mend_by", ""))
    else:
        if department not in {one["department"] for one in step.value["recipients"]}:
            return None
        about, key = step.value, dict(step.value["key"])
        moments = _moments(warehouse, viewer.resource.code, snapshot, step.value)
        until = ""
    fields = tuple(about["fields"])
    seen: Collection[str] = viewer.fields
    named: Mapping[str, Any] = {}
    if key:
        row = next((row for row in _rows(warehouse, viewer, key, moments) if viewer.visible(row) is not None), None)
        visible = viewer.visible(row)
        if row is None or visible is None:
            return None
        named, seen = viewer.named(row, visible), visible
    if fields and not (fields := tuple(name for name in fields if name in seen)):
        return None
    return Event(
        id=viewer.event_id(step.kind, step.id, step.revision),
        kind=step.kind,
        at=step.at,
        case=step.id,
        fields=fields,
        until=until,
        **named,
    )


def _moments(warehouse: Warehouse, code: str, snapshot: int, value: Mapping[str, Any]) -> Iterator[int]:
    """The states in which a follower may have been told of a record: now, and at both ends of the recall's period."""
    yield snapshot
    for name in ("until", "since"):
        try:
            yield warehouse.snapshot_at(code, datetime.fromisoformat(value[name]))
        except SnapshotMissingError:
            continue  # The table had none yet, or it was let go: nothing to find there.


def _rows(
    warehouse: Warehouse, viewer: Viewer, key: Mapping[str, str], moments: Iterator[int]
) -> Iterator[Mapping[str, Wire]]:
    for snapshot in moments:
        try:
            yield from warehouse.scan(viewer.resource.code, snapshot, key, limit=1)
        except FieldMissingError:
            return  # A key of an older list, by which nothing is found any more.
