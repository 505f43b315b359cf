"""From a change of a table to what a follower is told of it, given its decision: pure, the same whenever it is asked.

Whose changes are read, and how far, is `hub.changes.feed`'s; which fields and rows a follower sees, `catalog.decide`'s.

A follower sees the table through its grant, so that what it is told is a change of that view and not of the table:

    before in its rows   after in its rows   what it is told
    no                   no                  nothing, not even that something was there
    no                   yes                 insert
    yes                  no                  delete, be the record gone or only outside its rows
    yes                  yes                 update, if anything that it sees became different; history, if a version
                                             was added to the record's past
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from catalog import masks
from catalog.clock import SHANGHAI
from catalog.decide import row_view
from hub.answers import safe
from warehouse.feed import Kind

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from catalog.decide import Decision
    from catalog.model import InformationResource, Mask
    from hub.changes.cursor import Sealer
    from hub.matching.comparing import Wire
    from warehouse.feed import Told

INSERT, UPDATE, DELETE, HISTORY = "insert", "update", "delete", "history"
CORRECTION, RECALL = "correction", "recall"
KINDS = (INSERT, UPDATE, DELETE, HISTORY, CORRECTION, RECALL)


@dataclass(frozen=True, slots=True)
class Event:
    """One thing that a follower is told. *id* is the same in every delivery of it.

    *record* names the record to this department, *key* are those of its key fields that it sees, masked like the rest.
    *content* is the masked record after an insert or update. *case*, *fields* and *until* are of corrections and
    recalls: the case, the fields concerned (none: all), and the day by which it is to be put right.
    """

    id: str
    kind: str
    at: datetime
    record: str = ""
    key: Mapping[str, Any] | None = None
    content: Mapping[str, Any] | None = None
    case: str = ""
    fields: tuple[str, ...] = ()
    until: str = ""

    def plain(self) -> dict[str, Any]:
        """The members that say something, as JSON values."""
        plain: dict[str, Any] = {"id": self.id, "kind": self.kind, "at": self.at.isoformat()}
        for name in ("record", "case", "until"):
            if getattr(self, name):
                plain[name] = getattr(self, name)
        for name in ("key", "content"):
            if getattr(self, name) is not None:
                plain[name] = dict(getattr(self, name))
        if self.kind in (CORRECTION, RECALL):
            plain["fields"] = list(self.fields)
        return plain


class Viewer:
    """One decision's view of one resource's records. *department* and *sealer* make the names of records and events."""

    def __init__(
        self, resource: InformationResource, decision: Decision, *, department: str, sealer: Sealer, mask_key: bytes
    ) -> None:
        self.resource = resource
        self._department = department
        self._sealer = sealer
        self._mask_key = mask_key
        self.fields = decision.fields
        self._view = row_view(decision, resource)

    def visible(self, row: Mapping[str, Wire] | None) -> Mapping[str, Mask] | None:
        """The masks of the fields that *row* may show; None where there is no row, or none for this follower."""
        return None if row is None else self._view(row)

    def shown(self, row: Mapping[str, Wire], visible: Mapping[str, Mask]) -> dict[str, Any]:
        """*row* as a query would show it."""
        return {
            name: safe(masks.apply(visible[name], row.get(name), key=self._mask_key))
            for name in self.fields
            if name in visible
        }

    def named(self, row: Mapping[str, Wire], visible: Mapping[str, Mask]) -> dict[str, Any]:
        """The ``record`` and ``key`` of an event about *row*."""
        key = {field.name: row.get(field.name) for field in self.resource.key}
        shown = self.shown(row, visible)
        return {
            "record": self._sealer.record_id(self._department, self.resource.code, key),
            "key": {name: shown[name] for name in key if name in shown},
        }

    def event_id(self, *place: str | int) -> str:
        """The identifier of what happened at *place*."""
        return self._sealer.event_id(self._department, self.resource.code, *place)

    def event(self, table: str, told: Told) -> Event | None:
        """What the follower is told of one change in the feed of *table*; None: nothing."""
        was, is_ = self.visible(told.before), self.visible(told.after)
        row = told.after if is_ is not None else told.before
        visible = is_ if is_ is not None else was
        if row is None or visible is None:
            return None
        content = None if is_ is None or told.after is None else self.shown(told.after, is_)
        if told.change.kind is Kind.CORRECTION:
            kind, content = HISTORY, None
        elif was is None or told.before is None:
            kind = INSERT
        elif content is None:
            kind = DELETE
        elif content == self.shown(told.before, was):
            # What it does not see has changed, and that is not its affair.
            return None
        else:
            kind = UPDATE
        return Event(
            id=self.event_id(table, told.change.seq),
            kind=kind,
            at=told.change.at.replace(tzinfo=SHANGHAI),
            content=content,
            **self.named(row, visible),
        )
