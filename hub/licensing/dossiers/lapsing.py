"""Marks licences whose validity ended as 失效, in groups; nobody decides it, so that there is no case of it.

Verifiers go by the end of validity on the licence itself: a day without a run lets nobody off.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import sqlalchemy as sa

from hub.control import LicenceRow, row_dict
from hub.licensing import Licensing
from hub.licensing.lookups import change_plain, licence_of, update_licence, update_status_list
from hub.settings import Settings
from licence import lifecycle
from licence.errors import TransitionRefusedError
from licence.lifecycle import Action, State

if TYPE_CHECKING:
    from datetime import datetime

    from sqlalchemy.engine import Connection

    from hub.evidence import Draft

ACTOR: Final = "hub:licensing"
OFFICER: Final = "lapse"
REASON: Final = "有效期届满"
GROUND: Final = "证照目录所定有效期"
# Some tenths of a second while other writers wait.
LICENCES_PER_GROUP: Final = 500


def lapse_due_once() -> dict[str, int]:
    """Mark what is due in the deployment of the environment, as the scheduler does.

    Raises:
        SetupError, TryAgainError: the deployment cannot be opened.
    """
    office = Licensing.open(Settings.from_environment())
    try:
        return {"lapsed": lapse_due(office)}
    finally:
        office.evidence.log.close()
        office.control.close()


def lapse_due(office: Licensing, *, at: datetime | None = None) -> int:
    """Mark every licence that holds or is suspended and whose validity ended by *at* (default: now); how many.

    Each group is one transaction and one append to the log; the status lists are published once, at the end. A crash
    leaves the rest to the next run, and so does a licence that somebody else changes at the same time.
    """
    at = at or office.clock()
    lapsed, last = 0, ""
    while group := _group(office, at, last):
        last = group[-1][0]
        lapsed += sum(changed for _, changed in group)
    # Also what an earlier run left: a list that does not tell the truth is stale.
    office.refresh()
    return lapsed


def _group(office: Licensing, at: datetime, last: str) -> list[tuple[str, bool]]:
    """The identifiers of one group after *last*, each with whether it lapsed."""
    query = (
        sa.select(LicenceRow.__table__)
        .where(
            LicenceRow.state.in_([State.VALID.value, State.SUSPENDED.value]),
            LicenceRow.valid_until <= at,
            LicenceRow.identifier > last,
            LicenceRow.kind.in_(sorted(office.kinds)),
        )
        .order_by(LicenceRow.identifier)
        .limit(LICENCES_PER_GROUP)
        .with_for_update(skip_locked=True)
    )
    with office.control.writing() as connection:
        rows = [row_dict(row) for row in connection.execute(query)]
        changed = [(row, *found) for row in rows if (found := _lapsed(office, row, at)) is not None]
        # The entries go first: a crash before the commit leaves entries of a change that the next run makes.
        if changed:
            office.evidence.keep([draft for _, draft, _ in changed])
        for row, _, values in changed:
            update_licence(connection, row["identifier"], **values)
        _stale(connection, {row["status_list"] for row, _, _ in changed})
    done = {row["identifier"] for row, _, _ in changed}
    return [(row["identifier"], row["identifier"] in done) for row in rows]


def _lapsed(office: Licensing, row: dict[str, Any], at: datetime) -> tuple[Draft, dict[str, Any]] | None:
    issuer = office.kinds[row["kind"]].issuer
    try:
        licence = lifecycle.change(
            licence_of(row, office.kinds), Action.EXPIRE, by=issuer, at=at, reason=REASON, ground=GROUND
        )
    except TransitionRefusedError:
        # Its last change lies after *at*, by a clock that went ahead: the next run has it. One must not stop all.
        return None
    draft = office.evidence.draft(
        "licence.status",
        actor=ACTOR,
        subject=row["holder_hash"],
        resource=row["resource"],
        facts={"licence": row["identifier"], "action": Action.EXPIRE.value, "state": licence.state.value},
    )
    history = [*row["history"], change_plain(licence.history[-1], officer=OFFICER)]
    return draft, {"state": licence.state.value, "history": history}


def _stale(connection: Connection, names: set[str]) -> None:
    """The published lists no longer tell the truth; should we end here, `refresh` sees it."""
    for name in sorted(names):
        update_status_list(connection, name, token_digest=None)
