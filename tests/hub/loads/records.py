"""Run records, written as loads would write them."""

from __future__ import annotations

from datetime import timedelta
from itertools import count

import sqlalchemy as sa

from hub.control import Load
from tests.hub.world import CODE, NOW

_NUMBERS = count()


def record(office, *, hours=0, at=None, outcome="loaded", resource=CODE, **more):
    """A load of so many hours after the world's now; its id."""
    at = at or NOW + timedelta(hours=hours)
    row = dict.fromkeys(("read", "accepted", "inserted", "updated", "deleted", "unchanged", "rejected"), 0)
    row |= {"resource": resource, "run": f"r{next(_NUMBERS)}", "batch_id": "", "outcome": outcome, "started": at}
    row |= {"finished": None if outcome == "running" else at, "notes": {}, "seconds": {"extract": 1.5}, "reasons": {}}
    with office.control.writing() as connection:
        return connection.execute(sa.insert(Load).values(**(row | more))).inserted_primary_key[0]
