"""Reads what a follower is told after a position: changes of the table first, then the cases on it.

Who may follow, cursors and evidence are `hub.changes.feed`'s.
"""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from hub.changes import cases
from hub.changes.errors import CursorLapsedError
from hub.errors import IndexUnavailableError
from warehouse.errors import SnapshotMissingError, WarehouseError

if TYPE_CHECKING:
    from datetime import datetime

    from hub.changes.cursor import Position
    from hub.changes.events import Event, Viewer
    from hub.control import Control
    from warehouse.engine import Warehouse
    from warehouse.feed import Extent

# Most changes may lie outside a follower's rows. A page ends after so many, of so many loads, with or without events,
# and says that there is more: it never takes much longer than its events are worth.
CHANGES_PER_PAGE: Final = 10_000
LOADS_PER_PAGE: Final = 16
_LEAST_TOGETHER, _MOST_TOGETHER = 100, 1_000


@dataclass(frozen=True, slots=True)
class Read:
    """What one page holds: the *events* up to *position*; *more*: not all; *snapshot*: the state that they lead to."""

    events: tuple[Event, ...]
    position: Position
    more: bool
    snapshot: int


class Reader:
    """Reads pages of events. Safe for many threads: what it reads never changes once it is there."""

    def __init__(self, control: Control, warehouse: Warehouse) -> None:
        self._control = control
        self._warehouse = warehouse

    def end(self, code: str, position: Position, now: datetime) -> Position:
        """*position* moved to the end of the feed."""
        extent = self._extent(code)
        with self._control.reading() as connection:
            case = cases.newest(connection, code, now=now)
        return replace(position, table=extent.table, seq=extent.last, case=case)

    def read(self, viewer: Viewer, department: str, position: Position, limit: int, now: datetime) -> Read:
        """At most *limit* events after *position*."""
        code = viewer.resource.code
        extent = self._extent(code)
        if position.table != extent.table or not 1 <= position.seq <= extent.last:
            raise CursorLapsedError(resource=code)
        try:
            events, seq, snapshot = self._changes(viewer, extent, position.seq, limit)
            if seq < extent.last:
                return Read(tuple(events), replace(position, seq=seq), more=True, snapshot=snapshot)
            room = limit - len(events)
            with self._control.reading() as connection:
                steps = cases.steps(connection, code, after=position.case, now=now, limit=room + 1)
            case = position.case
            for step in steps[:room]:
                told = cases.event(step, viewer, self._warehouse, department=department, snapshot=snapshot)
                events += [] if told is None else [told]
                case = step.index
        except (WarehouseError, OSError, sqlite3.Error) as error:
            raise IndexUnavailableError(resource=code) from error
        return Read(tuple(events), replace(position, seq=seq, case=case), more=len(steps) > room, snapshot=snapshot)

    def between(
        self, viewer: Viewer, department: str, start: Position, through: Position, *, snapshot: int, now: datetime
    ) -> tuple[Event, ...]:
        """The events of a page that lay between two places, told *now* of the state *snapshot*, read anew.

        Raises:
            CursorLapsedError: the table was made anew, or its changes since are not kept any more.
            IndexUnavailableError: the feed cannot be read.
            WarehouseError, OSError, sqlite3.Error: nor can the table.
        """
        code = viewer.resource.code
        extent = self._extent(code)
        if not start.table == through.table == extent.table or through.seq > extent.last:
            raise CursorLapsedError(resource=code)
        events: list[Event] = []
        seq = start.seq
        while seq < through.seq:
            span = extent.span_of(seq + 1)
            if span is None:
                raise CursorLapsedError(resource=code)
            told = self._warehouse.changes_told(code, span, seq, min(through.seq - seq, _MOST_TOGETHER))
            if not told:
                raise IndexUnavailableError(resource=code)
            for one in told:
                if one.change.seq <= through.seq:
                    event = viewer.event(extent.table, one)
                    events += [] if event is None else [event]
            seq = told[-1].change.seq
        if through.case > start.case:
            with self._control.reading() as connection:
                steps = cases.steps(connection, code, after=start.case, now=now, limit=through.case - start.case)
            for step in steps:
                if step.index <= through.case:
                    told_of = cases.event(step, viewer, self._warehouse, department=department, snapshot=snapshot)
                    events += [] if told_of is None else [told_of]
        return tuple(events)

    def _changes(self, viewer: Viewer, extent: Extent, seq: int, limit: int) -> tuple[list[Event], int, int]:
        """Events from changes after *seq*, the number that they reach to, and the snapshot that they lead to."""
        code = viewer.resource.code
        events: list[Event] = []
        seen = loads = 0
        snapshot = extent.snapshot or 0
        while seq < extent.last and len(events) < limit and seen < CHANGES_PER_PAGE and loads < LOADS_PER_PAGE:
            span = extent.span_of(seq + 1)
            if span is None:
                raise CursorLapsedError(resource=code)
            together = min(max(2 * (limit - len(events)), _LEAST_TOGETHER), _MOST_TOGETHER)
            try:
                told = self._warehouse.changes_told(code, span, seq, together)
            except SnapshotMissingError as error:
                raise CursorLapsedError(resource=code) from error
            if not told:
                # The table says that there are changes, and its feed holds none: nothing is skipped over that.
                raise IndexUnavailableError(resource=code)
            for one in told:
                if len(events) == limit:
                    break
                event = viewer.event(extent.table, one)
                events += [] if event is None else [event]
                seq, seen = one.change.seq, seen + 1
            loads += seq == span.last
            snapshot = span.after
        return events, seq, snapshot if seq < extent.last else extent.snapshot or 0

    def _extent(self, code: str) -> Extent:
        try:
            extent = self._warehouse.changes_extent(code)
        except (WarehouseError, OSError, sqlite3.Error) as error:
            raise IndexUnavailableError(resource=code) from error
        if not extent.last or extent.snapshot is None:
            raise IndexUnavailableError(resource=code)
        return extent
