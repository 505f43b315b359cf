"""Who relied on a licence lately: the seam at which a decision is shown what it will touch.

Calls and verifications are not tied to a licence, so that today it counts the copies made for a purpose that are in
force. Whatever else comes to be known about reliance is added here, and every door shows it.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from hub.control.copy_models import LicenceCopyRow

if TYPE_CHECKING:
    from datetime import datetime

    from hub.control import Control


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
