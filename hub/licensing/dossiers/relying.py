"""Who relied on a licence lately: the seam at which a decision is shown what it will touch.

The copies made for a purpose that are in force are counted from their rows. Who took one, read it by a one-time code or
found it in the last `LATELY` is told by the log, under the keyed hash of its holder, and the question is recorded.
Ordinary calls name records and verifying keeps nothing, so that neither is tied to a licence.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

import sqlalchemy as sa

from audit.entry import Entry
from audit.searching import Query
from hub.actors import department_of
from hub.control.copy_models import LicenceCopyRow
from hub.licensing.codes import REDEEMED
from hub.licensing.downloads import DOWNLOADED
from hub.licensing.queries import FOUND

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from hub.auditsearch import Desk
    from hub.control import Control

LATELY: Final = timedelta(days=30)
# Kinds of entries that are about one licence: English, Chinese.
USES: Final[Mapping[str, tuple[str, str]]] = {
    DOWNLOADED: ("took a copy", "领取加注件"),
    REDEEMED: ("read it by a one-time code", "凭动态码调取"),
    FOUND: ("found it by its holder", "按持证主体查到"),
}


@dataclass(frozen=True, slots=True)
class Relied:
    """*copies* in force, by the department they were made for, in the order of its code."""

    copies: tuple[tuple[str, int], ...]

    def plain(self) -> dict[str, Any]:
        """As both doors show it."""
        return {
            "copies": [{"department": department, "in_force": count} for department, count in self.copies],
            "copies_in_force": sum(count for _, count in self.copies),
        }


@dataclass(frozen=True, slots=True)
class Use:
    """What a *department* did with a licence lately: *what* is one of `USES`; how often, when *last*, for what."""

    department: str
    what: str
    count: int
    last: datetime
    matters: tuple[str, ...]


def used_lately(desk: Desk, identifier: str, owner_hash: str, at: datetime) -> tuple[Use, ...]:
    """The uses of the licence *identifier* within `LATELY` before *at*, the newest first. Recorded first.

    Raises:
        EvidenceUnavailableError, LogDamagedError, IndexDamagedError: the log cannot be asked.
    """
    query = Query(subjects=(owner_hash,) if owner_hash else (), kinds=tuple(USES), since=at - LATELY)
    desk.record("licence", query, licence=identifier)
    desk.cover()
    found: dict[tuple[str, str], list[Entry]] = {}
    for hit in desk.find(query):
        entry = Entry.decode(hit.data)
        # Other licences of the holder have entries under the same hash.
        if identifier in {entry.facts.get("licence"), *entry.facts.get("licences", ())}:
            found.setdefault((department_of(entry.actor), entry.kind), []).append(entry)
    uses = [
        Use(
            department,
            what,
            len(entries),
            entries[-1].at,
            tuple(sorted({one.purpose for one in entries if one.purpose})),
        )
        for (department, what), entries in found.items()
    ]
    return tuple(sorted(uses, key=lambda use: use.last, reverse=True))


def relied_on(control: Control, identifier: str, at: datetime) -> Relied:
    """Who holds a copy of the licence *identifier* that is in force at *at*."""
    query = sa.select(LicenceCopyRow.department).where(
        LicenceCopyRow.licence == identifier,
        LicenceCopyRow.valid_until > at,
        LicenceCopyRow.withdrawn_at.is_(None),
    )
    with control.reading() as connection:
        found = Counter(connection.execute(query).scalars())
    return Relied(tuple(sorted(found.items())))
