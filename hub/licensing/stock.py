"""How many licences there are, by kind and state: counted, nothing of anybody read."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import sqlalchemy as sa

from hub.control import LicenceRow
from hub.licensing.lookups import PENDING
from licence.lifecycle import State

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from hub.control import Control


@dataclass(frozen=True, slots=True)
class Stock:
    """The licences of one kind: *states* counts them by state, the pending ones too; *over*: in force past their end.

    What is over holds no longer, though nobody has marked it as lapsed yet.
    """

    states: Mapping[str, int]
    over: int = 0

    @property
    def issued(self) -> int:
        """How many were ever handed out."""
        return sum(count for state, count in self.states.items() if state != PENDING)

    @property
    def in_force(self) -> int:
        """How many hold now."""
        return self.states.get(State.VALID.value, 0) - self.over


def stock(control: Control, at: datetime) -> dict[str, Stock]:
    """By kind; a kind of which there is none has no entry."""
    found = LicenceRow.__table__.c
    count = sa.func.count()
    over = sa.func.sum(sa.case((sa.and_(found.state == State.VALID.value, found.valid_until <= at), 1), else_=0))
    query = sa.select(found.kind, found.state, count, over).group_by(found.kind, found.state)
    states: dict[str, dict[str, int]] = {}
    ended: dict[str, int] = {}
    with control.reading() as connection:
        for kind, state, number, past in connection.execute(query):
            states.setdefault(kind, {})[state] = int(number)
            ended[kind] = ended.get(kind, 0) + int(past or 0)
    return {kind: Stock(counts, ended[kind]) for kind, counts in states.items()}
