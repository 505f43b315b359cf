"""Brings the anomaly views and a log together: which entries are looked at, and what was so before the period.

What is out of the ordinary is `hub.anomalies`'s to say. Who sat at a caller's desk, and the grants as the hub held them
at a call, stand in the protected bodies only: at the deployment they are read there, the first turned into a keyed hash
before anything is compared or shown.
"""

from __future__ import annotations

import hashlib
import hmac
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final

import sqlalchemy as sa

from audit.errors import AuditError
from audit.searching import Query
from catalog.decide import grant_from_plain
from hub import anomalies, logged
from hub.anomalies import Known
from hub.control import GrantRow, GrantUsage
from hub.logged import GIVEN, Logged, grants_of
from hub.recording import with_terms
from hub.usage import COUNTED, count

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from audit.entry import Entry
    from catalog.clock import Calendar
    from catalog.decide import Grant
    from hub.anomalies import Finding, Limits
    from hub.auditsearch import Desk
    from hub.office import Office

_MAX_TERMS: Final = 10_000
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

    With *office* the last uses of grants are asked for, and with *operators* bodies are read for who sat at the desk
    and for the grants as they were, which takes as long as all the rest. Without it, as many days before the period
    are read as a grant sleeps.

    Raises:
        EvidenceUnavailableError, LogDamagedError, IndexDamagedError
    """
    period = Query(kinds=anomalies.KINDS, since=since, until=until)
    desk.record("anomalies", period)
    # What was registered, given and published is a small part of a log, which the index finds without the rest.
    before = Logged.of(hit.entry for hit in desk.find(Query(kinds=logged.KINDS, until=since)))
    uses = _last_uses(office, since) if office is not None else _uses_before(desk, since, limits.sleeping_days)
    known = Known(before, uses)
    entries = ((hit.index, hit.entry) for hit in desk.find(period))
    if office is None or not operators:
        return anomalies.find(entries, limits, calendar, known=known)
    bodies = _Bodies(office)
    return anomalies.find(entries, limits, calendar, known=known, operator=bodies.operator, frozen=bodies.grants)


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
    for hit in desk.find(Query(kinds=COUNTED, since=since - timedelta(days=days), until=since)):
        for grant in grants_of(hit.entry):
            found[grant] = hit.entry.at
    return found


class _Bodies:
    """Reads what the public facts do not say; of a body that is gone, or cannot be read, nothing."""

    def __init__(self, office: Office) -> None:
        self._office = office
        self._last: tuple[str, Mapping[str, Any]] = ("", {})
        # By the digest of the terms: most calls of a day rest on the same few.
        self._terms: dict[str, list[Grant]] = {}

    def operator(self, entry: Entry) -> str:
        """The keyed hash of the operator (经办人) whom the entry's body names: told apart and not named; "" of none."""
        try:
            name = str(self._body(entry)["call"]["purpose"].get("operator", ""))
        except (KeyError, TypeError, AttributeError):
            return ""
        if not name:
            return ""
        # The key is the deployment's own, by way of a subject that nobody looks up.
        keyed = self._office.evidence.subject({"operator": f"{entry.actor}/{name}"})
        return hmac.digest(keyed.encode(), b"operator", hashlib.sha256).hex()[:_OPERATOR_CHARS]

    def grants(self, entry: Entry) -> list[Grant]:
        """The grants that were frozen with the entry, those of the same department that it did not use, too."""
        body = self._body(entry)
        name = str(body.get("terms", ""))
        if name in self._terms:
            return self._terms[name]
        try:
            whole = with_terms(self._office.evidence.bodies, body) or {}
            found = [grant_from_plain(plain) for plain in whole.get("grants", ())]
        except (AuditError, OSError, KeyError, TypeError, ValueError):
            return []
        if name:
            if len(self._terms) >= _MAX_TERMS:
                self._terms.clear()
            self._terms[name] = found
        return found

    def _body(self, entry: Entry) -> Mapping[str, Any]:
        digest = entry.body_digest
        if digest != self._last[0]:
            self._last = (digest, self._read(digest) if digest else {})
        return self._last[1]

    def _read(self, digest: str) -> Mapping[str, Any]:
        try:
            kept = self._office.evidence.bodies.get(digest)
        except (AuditError, OSError):
            return {}
        return {} if kept is None else kept[1]
