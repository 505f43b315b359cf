"""Holds a resource's loads back and lets them go on, whoever runs them: the scheduler, a person, a backfill.

Each of the two is an entry of the log; a load that meets a pause reads nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import sqlalchemy as sa

from hub.control import PauseRow, insert_once, row_dict
from hub.errors import LoadPausedError, ResourceUnknownError

if TYPE_CHECKING:
    from datetime import datetime

    from hub.actors import Actor
    from hub.control import Control
    from hub.office import Office


@dataclass(frozen=True, slots=True)
class Pause:
    """A pause in force: since when (UTC), by which post, and why."""

    resource: str
    since: datetime
    by: str
    why: str
    log_index: int


def pause(office: Office, code: str, actor: Actor, why: str) -> Pause:
    """Hold loads of resource *code* back from now on; one that is running ends by itself. Pausing twice pauses once.

    Raises:
        ResourceUnknownError: the list in force does not hold it.
    """
    if code not in office.list_.by_code:
        raise ResourceUnknownError(resource=code)
    known = {found.resource: found for found in paused(office.control)}
    if code in known:
        return known[code]
    # The entry first: a crash after it leaves an entry of a pause that did not come about, never a silent pause.
    entry = office.evidence.append("load.paused", actor=str(actor), resource=code, facts={"why": why})
    row = {"resource": code, "since": office.now(), "by": str(actor), "why": why, "log_index": entry.index}
    with office.control.writing() as connection:
        insert_once(connection, PauseRow, row)
    return next(found for found in paused(office.control) if found.resource == code)


def resume(office: Office, code: str, actor: Actor) -> bool:
    """Let loads of *code* go on; whether they were held back."""
    if code not in {found.resource for found in paused(office.control)}:
        return False
    office.evidence.append("load.resumed", actor=str(actor), resource=code, facts={})
    with office.control.writing() as connection:
        connection.execute(sa.delete(PauseRow).where(PauseRow.resource == code))
    return True


def paused(control: Control) -> list[Pause]:
    """The pauses in force, by resource."""
    with control.reading() as connection:
        rows = connection.execute(sa.select(PauseRow.__table__).order_by(PauseRow.resource))
        return [Pause(**row_dict(row)) for row in rows]


def check(control: Control, code: str) -> None:
    """Raise LoadPausedError where loads of *code* are held back."""
    found = next((one for one in paused(control) if one.resource == code), None)
    if found is not None:
        since = found.since.strftime("%Y-%m-%d %H:%M")
        raise LoadPausedError(resource=code, since=f"{since} UTC", by=found.by, reason=found.why or "—")
