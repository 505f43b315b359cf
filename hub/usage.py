"""Counts how often each grant was used, from the log itself: what the log does not hold did not happen.

Whether a grant's quota stops a call is `hub.invocation`'s affair; that an unused grant should be handed back,
`hub.deadlines`'.
"""

from __future__ import annotations

import json
import re
import threading
from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from catalog.clock import SHANGHAI
from hub.control import Control, GrantUsage, UsageState

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sqlalchemy.engine import Connection

    from audit.log import Log

ANSWERED = "invocation.answered"
# A call counts as one use for each set of keys; an order of many rows, and a page of changes, as one.
COUNTED = (ANSWERED, "batch.ordered", "changes.answered")
# Most entries of other kinds are told apart without being parsed: canonical JSON writes a kind in one way only.
_MARK = re.compile("|".join(re.escape(f'"kind":"{kind}"') for kind in COUNTED).encode())
ENTRIES_PER_TRANSACTION = 100_000


def day_of(at: datetime) -> str:
    """The day on which a call counts: the Shanghai date of its instant."""
    return at.astimezone(SHANGHAI).date().isoformat()


def next_day(at: datetime) -> datetime:
    """The instant at which the quotas of the day of *at* begin anew."""
    midnight = at.astimezone(SHANGHAI).replace(hour=0, minute=0, second=0, microsecond=0)
    return midnight + timedelta(days=1)


@dataclass(slots=True)
class _Tally:
    """Calls by (grant, day), and when each was last."""

    calls: Counter[tuple[str, str]] = field(default_factory=Counter)
    last: dict[tuple[str, str], datetime] = field(default_factory=dict)

    def add(self, leaves: Iterable[bytes]) -> None:
        for leaf in leaves:
            if _MARK.search(leaf) is None:
                continue
            entry: dict[str, Any] = json.loads(leaf)
            if entry["kind"] not in COUNTED:
                continue
            uses = int(entry["facts"].get("count", 1)) if entry["kind"] == ANSWERED else 1
            at = datetime.fromisoformat(entry["at"])
            for grant in str(entry["facts"].get("grant", "")).split(","):
                if grant:
                    key = (grant, day_of(at))
                    self.calls[key] += uses
                    self.last[key] = max(at, self.last.get(key, at))


def count(control: Control, log: Log) -> int:
    """Bring `GrantUsage` up to date with the log; the number of entries read. Safe to run anywhere, at any time.

    Counts and position move in one transaction: a crash repeats the reading, not the counting.
    """
    read = 0
    while True:
        with control.writing() as connection:
            position = _position(connection)
            end = min(log.size, position + ENTRIES_PER_TRANSACTION)
            if end <= position:
                return read
            tally = _Tally()
            tally.add(log.entries(position, end))
            for key, calls in tally.calls.items():
                _add(connection, *key, calls, tally.last[key])
            connection.execute(sa.update(UsageState).where(UsageState.id == 1).values(position=end))
        read += end - position


def by_day(control: Control, grant: str, *, since: str) -> dict[str, int]:
    """Calls under *grant* by day, from the day *since* on, as last counted; days without calls are left out."""
    query = sa.select(GrantUsage.day, GrantUsage.calls).where(GrantUsage.grant == grant, GrantUsage.day >= since)
    with control.reading() as connection:
        return {row.day: int(row.calls) for row in connection.execute(query.order_by(GrantUsage.day))}


class Usage:
    """How often grants were used today, for quotas. Safe for many threads; each process has its own.

    It is exact for every call whose entry is durable. Calls that are being answered at this moment are not in the log
    yet, so that a quota can be exceeded by at most as many as are answered at once.
    """

    def __init__(self, control: Control, log: Log) -> None:
        self._control = control
        self._log = log
        self._following = threading.Lock()
        self._day = ""
        self._position = 0
        self._calls: Counter[str] = Counter()

    def today(self, grant: str, at: datetime) -> int:
        """How many calls under *grant* were answered on the day of *at*."""
        with self._following:
            self._follow(day_of(at))
            return self._calls[grant]

    def _follow(self, day: str) -> None:
        if day != self._day:
            with self._control.reading() as connection:
                rows = connection.execute(sa.select(GrantUsage.grant, GrantUsage.calls).where(GrantUsage.day == day))
                self._calls = Counter({row.grant: int(row.calls) for row in rows})
                self._position = _position(connection)
            self._day = day
        size = self._log.size
        if size > self._position:
            tally = _Tally()
            tally.add(self._log.entries(self._position, size))
            for (grant, counted), calls in tally.calls.items():
                if counted == day:
                    self._calls[grant] += calls
            self._position = size


def _position(connection: Connection) -> int:
    return int(connection.execute(sa.select(UsageState.position).where(UsageState.id == 1)).scalar_one())


def _add(connection: Connection, grant: str, day: str, calls: int, last: datetime) -> None:
    known = connection.execute(
        sa.select(GrantUsage.last_at).where(GrantUsage.grant == grant, GrantUsage.day == day)
    ).scalar()
    if known is None:
        connection.execute(sa.insert(GrantUsage).values(grant=grant, day=day, calls=calls, last_at=last))
        return
    connection.execute(
        sa.update(GrantUsage)
        .where(GrantUsage.grant == grant, GrantUsage.day == day)
        .values(calls=GrantUsage.calls + calls, last_at=max(last, known))
    )
