"""What each seal was used for (用印记录): found by whom, form, state and time.

Recording a use is `hub.seals.using`'s.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import sqlalchemy as sa

from hub.control import SealUseRow, row_dict
from hub.seals import store
from hub.seals.registering import Registering

if TYPE_CHECKING:
    from datetime import datetime

MAX_USES: Final = 500


@dataclass(frozen=True, slots=True)
class UseFilter:
    """Which uses are wanted; what is empty or None asks nothing. From *since*, before *until*, both aware."""

    by: str = ""
    form: str = ""
    state: str = ""
    since: datetime | None = None
    until: datetime | None = None

    def conditions(self, code: str) -> list[sa.ColumnElement[bool]]:
        """The same as conditions on rows of the uses of seal *code*."""
        table = SealUseRow.__table__
        found = [table.c.seal == code]
        found += [table.c[name] == value for name in ("by", "form", "state") if (value := getattr(self, name))]
        found += [] if self.since is None else [table.c.at >= self.since]
        found += [] if self.until is None else [table.c.at < self.until]
        return found


ALL: Final = UseFilter()


class Usage(Registering):
    """The room where uses of seals are looked up."""

    def uses(self, code: str, *, wanted: UseFilter = ALL, limit: int = 50, offset: int = 0) -> list[dict[str, Any]]:
        """The uses of a seal, the newest first. Raises: SealUnknownError."""
        table = SealUseRow.__table__
        query = sa.select(table).where(*wanted.conditions(code)).order_by(table.c.at.desc(), table.c.id)
        with self.control.reading() as connection:
            store.seal_row(connection, code)
            rows = [row_dict(row) for row in connection.execute(query.limit(min(limit, MAX_USES)).offset(offset))]
        return [{**row, "at": row["at"].isoformat()} for row in rows]

    def use_count(self, code: str, *, wanted: UseFilter = ALL) -> int:
        """How many uses of a seal `uses` would give in all; one may be of many documents."""
        query = sa.select(sa.func.count()).select_from(SealUseRow.__table__).where(*wanted.conditions(code))
        with self.control.reading() as connection:
            return int(connection.execute(query).scalar_one())

    def used(self, code: str) -> int:
        """How many documents a seal was used on. Raises: SealUnknownError."""
        query = sa.select(sa.func.coalesce(sa.func.sum(SealUseRow.count), 0)).where(SealUseRow.seal == code)
        with self.control.reading() as connection:
            store.seal_row(connection, code)
            return int(connection.execute(query).scalar_one())
