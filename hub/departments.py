"""Counts what each department has in the hub: people, client systems, grants, resources. Nobody is named."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

import sqlalchemy as sa

from hub.control import ClientRow, GrantRow, PersonRow

if TYPE_CHECKING:
    from datetime import datetime

    from catalog.model import ResponsibilityList
    from hub.control import Control


@dataclass(frozen=True, slots=True)
class Tally:
    """What one department has: people who may sign in, systems that may call, grants it holds and gave, resources."""

    people: int
    clients: int
    holds: int
    gave: int
    resources: int


def tallies(control: Control, list_: ResponsibilityList, at: datetime) -> dict[str, Tally]:
    """The tally of each department of *list_* at *at*, by code."""
    active = sa.and_(GrantRow.revoked_at.is_(None), GrantRow.expires > at)
    with control.reading() as connection:

        def by(column: sa.ColumnElement[str], *where: sa.ColumnElement[bool]) -> dict[str, int]:
            query = sa.select(column, sa.func.count()).where(*where).group_by(column)
            return {str(code): int(count) for code, count in connection.execute(query)}

        people = by(PersonRow.__table__.c.department, PersonRow.disabled_at.is_(None))
        clients = by(ClientRow.__table__.c.department, ClientRow.ended_at.is_(None))
        holds = by(GrantRow.__table__.c.consumer, active)
        of_resource = by(GrantRow.__table__.c.resource, active)
    gave: Counter[str] = Counter()
    for code, count in of_resource.items():
        resource = list_.by_code.get(code)
        if resource is not None:
            gave[resource.provider] += count
    resources = Counter(one.provider for one in list_.resources)
    return {
        one.code: Tally(
            people.get(one.code, 0),
            clients.get(one.code, 0),
            holds.get(one.code, 0),
            gave[one.code],
            resources[one.code],
        )
        for one in list_.departments
    }
