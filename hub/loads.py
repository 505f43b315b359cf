"""The run records of ingestion, read: what each resource's latest load did, and what one run did over all.

Writing them is `hub.ingestion`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy import func, select

from hub.control import Load, row_dict

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from hub.control import Control


@dataclass(frozen=True, slots=True)
class LoadReport:
    """One load of one resource: rows read, accepted and rejected (by reason), what changed, seconds per step."""

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


def latest(control: Control) -> list[LoadReport]:
    """The newest load of every resource, by resource code."""
    newest = select(func.max(Load.id)).group_by(Load.resource)
    return _reports(control, select(Load.__table__).where(Load.id.in_(newest)).order_by(Load.resource))


def _reports(control: Control, query: Any) -> list[LoadReport]:  # noqa: ANN401 - a Core select
    with control.reading() as connection:
        rows = [row_dict(row) for row in connection.execute(query)]
    return [LoadReport(**{name: row[name] for name in LoadReport.__slots__}) for row in rows]
