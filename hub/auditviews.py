"""Brings the anomaly views and a log together: which entries are looked at, and what was so before the period.

What is out of the ordinary is `hub.anomalies`'s to say. Who sat at a caller's desk stands in the protected bodies only:
at the deployment it is read there, and turned into a keyed hash before anything is compared or shown.
"""

from __future__ import annotations

import hashlib
import hmac
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final

import sqlalchemy as sa

from audit.errors import AuditError
from audit.searching import Query
from hub import anomalies
from hub.anomalies import ADMITTED, ANSWERED, GIVEN, REVOKED, Known
from hub.control import GrantRow, GrantUsage
from hub.usage import count

if TYPE_CHECKING:
    from collections.abc import Callable

    from audit.entry import Entry
    from catalog.clock import Calendar
    from hub.anomalies import Finding, Limits
    from hub.auditsearch import Desk
    from hub.office import Office

_OPERATOR_CHARS: Final = 12  # enough to tell the operators of a city apart


def look(
    desk: Desk,
    calendar: Calendar,
    limits: Limits,
    *,
    since: datetime,
    until: datetime,
    office: Office | None = None,
    operators: bool = True,
) -> list[Finding]:
    """What is out of the ordinary from *since* to *until* (aware). Recorded first.

    With *office* the last uses of grants are asked for, and with *operators* bodies are read for who sat at the desk,
    which takes as long as all the rest. Without it, as many days before the period are read as a grant sleeps.

    Raises:
        EvidenceUnavailableError, LogDamagedError, IndexDamagedError
    """
    period = Query(kinds=anomalies.KINDS, since=since, until=until)
    desk.record("anomalies", period)
    callers = anomalies.credentials(hit.entry for hit in desk.find(Query(kinds=(ADMITTED, REVOKED), until=since)))
    known = Known(
        callers,
        _last_uses(office, since) if office is not None else _uses_before(desk, since, limits.sleeping_days),
    )
    operator: Callable[[Entry], str] = _nobody
    if office is not None and operators:
        operator = _Operators(office)
    entries = ((hit.index, hit.entry) for hit in desk.find(period))
    return anomalies.find(entries, limits, calendar, known=known, operator=operator)


def _nobody(entry: Entry) -> str:
    del entry
    return ""


def _last_uses(office: Office, since: datetime) -> dict[str, datetime]:
    """When each grant was last used before *since*, or else given."""
    count(office.control, office.evidence.log)
    uses = (
        sa.select(GrantUsage.grant, sa.func.max(GrantUsage.last_at).label("last_at"))
        .where(GrantUsage.last_at < since)
        .group_by(GrantUsage.grant)
    )
    with office.control.reading() as connection:
        given = connection.execute(sa.select(GrantRow.id, GrantRow.given_at).where(GrantRow.given_at < since))
        found = {row.id: row.given_at for row in given}
        return found | {row.grant: row.last_at for row in connection.execute(uses)}


def _uses_before(desk: Desk, since: datetime, days: int) -> dict[str, datetime]:
    """The same from the log: uses of the last *days*, and of grants without any, when they were given."""
    found: dict[str, datetime] = {}
    for hit in desk.find(Query(kinds=(GIVEN,), until=since)):
        given = hit.entry.facts.get("grant")
        if isinstance(given, dict):
            found[str(given.get("id", ""))] = hit.entry.at
    for hit in desk.find(Query(kinds=(ANSWERED,), since=since - timedelta(days=days), until=since)):
        for grant in filter(None, str(hit.entry.facts.get("grant", "")).split(",")):
            found[grant] = hit.entry.at
    return found


class _Operators:
    """Tells operators (经办人) apart without naming them."""

    def __init__(self, office: Office) -> None:
        self._office = office

    def __call__(self, entry: Entry) -> str:
        """The keyed hash of who the entry's body says sat there; "" where it says nothing, or is gone."""
        if not entry.body_digest:
            return ""
        try:
            kept = self._office.evidence.bodies.get(entry.body_digest)
            name = "" if kept is None else str(kept[1]["call"]["purpose"].get("operator", ""))
        except (AuditError, OSError, KeyError, TypeError, AttributeError):
            return ""
        if not name:
            return ""
        # The key is the deployment's own, by way of a subject that nobody looks up.
        keyed = self._office.evidence.subject({"operator": f"{entry.actor}/{name}"})
        return hmac.digest(keyed.encode(), b"operator", hashlib.sha256).hex()[:_OPERATOR_CHARS]
