"""The run records of ingestion, read: what each resource's latest load did, and what one run did over all.

Writing them is `hub.ingestion`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy import func, select

from hub.control import Load, row_dict

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping
    from datetime import datetime

    from hub.control import Control


RUNNING, LOADED, UNCHANGED, TRIED, FAILED = "running", "loaded", "unchanged", "tried", "failed"


@dataclass(frozen=True, slots=True)
class LoadReport:
    """One load of one resource: rows read, accepted and rejected (by reason), what changed, seconds per step.

    *id* rises with every load. *about* is how many rows a read that is under way expects. *bytes* is what was landed,
    *lag_s* how old the newest record was when it was committed.
    """

    id: int
    resource: str
    run: str
    started: datetime
    finished: datetime | None
    outcome: str
    read: int
    accepted: int
    rejected: int
    inserted: int
    updated: int
    deleted: int
    unchanged: int
    reasons: Mapping[str, int]
    seconds: Mapping[str, float]
    snapshot: int | None
    error_code: str | None
    notes: Mapping[str, Any]
    log_index: int | None
    mode: str
    department: str
    list_version: str
    superseded: int
    bytes: int
    lag_s: float | None
    about: int | None
    cursor: str | None

    @property
    def changed(self) -> int:
        """Rows inserted, updated or deleted."""
        return self.inserted + self.updated + self.deleted

    @property
    def total_seconds(self) -> float:
        """Seconds spent in the steps themselves, without waiting between them."""
        return sum(self.seconds.values())

    def error(self, lang: str) -> str:
        """Why the load failed, in *lang*; empty when it did not."""
        return str(self.notes.get("error", {}).get(lang, ""))


def of_run(control: Control, run: str) -> list[LoadReport]:
    """The loads of one run of the scheduler, in the order in which they began."""
    return _reports(control, select(Load.__table__).where(Load.run == run).order_by(Load.id))


def latest(control: Control, *, well: bool = False, among: Collection[str] | None = None) -> list[LoadReport]:
    """The newest load of every resource, by resource code; where *well*, the newest that went well as usual or full.

    *among*: of these resources only (None: of all).
    """
    newest = select(func.max(Load.id)).group_by(Load.resource)
    newest = newest if among is None else newest.where(Load.resource.in_(among))
    if well:
        newest = newest.where(Load.outcome.in_((LOADED, UNCHANGED)), Load.mode.in_(("usual", "full")))
    return _reports(control, select(Load.__table__).where(Load.id.in_(newest)).order_by(Load.resource))


def since(
    control: Control,
    *,
    after: int = 0,
    resource: str = "",
    outcome: str = "",
    among: Collection[str] | None = None,
    limit: int = 1000,
) -> list[LoadReport]:
    """At most *limit* loads with an id above *after*, oldest first; of one *resource*, of one *outcome*.

    *among*: of these resources only (None: of all).
    """
    query = select(Load.__table__).where(Load.id > after).order_by(Load.id).limit(limit)
    query = query.where(Load.resource == resource) if resource else query
    query = query.where(Load.outcome == outcome) if outcome else query
    query = query if among is None else query.where(Load.resource.in_(among))
    return _reports(control, query)


def newest_of(control: Control, resource: str, limit: int = 28) -> list[LoadReport]:
    """The newest loads of *resource*, newest first."""
    return _reports(
        control, select(Load.__table__).where(Load.resource == resource).order_by(Load.id.desc()).limit(limit)
    )


def running(control: Control) -> list[LoadReport]:
    """The loads that have begun and not ended. One whose process was killed stays among them until it is run again."""
    return _reports(control, select(Load.__table__).where(Load.outcome == RUNNING).order_by(Load.id))


def successes(control: Control, *, among: Collection[str] | None = None) -> dict[str, datetime]:
    """Resource code → when its last load succeeded (UTC). One of a range or of rejected rows does not count.

    *among*: of these resources only (None: of all).
    """
    query = (
        select(Load.resource, func.max(Load.finished).label("finished"))
        .where(Load.outcome.in_((LOADED, UNCHANGED)), Load.mode.in_(("usual", "full")), Load.finished.is_not(None))
        .group_by(Load.resource)
    )
    query = query if among is None else query.where(Load.resource.in_(among))
    with control.reading() as connection:
        return {row.resource: row.finished for row in connection.execute(query)}


def _reports(control: Control, query: Any) -> list[LoadReport]:  # noqa: ANN401 - a Core select
    with control.reading() as connection:
        rows = [row_dict(row) for row in connection.execute(query)]
    return [LoadReport(**{name: row[name] for name in LoadReport.__slots__}) for row in rows]
