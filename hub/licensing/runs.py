"""Batches of licences as officers run them (批量签发): tried, ordered, confirmed by a second officer where two decide.

The steps, by number, each of which anybody of the issuing unit sees:

    1. try: every row is looked at, nothing is issued        4. issue: a licence for each row that can have one
    2. order: an officer says why and on what ground         5. compare: records against licences, the residual told
    3. confirm: a second officer, where the kind asks for two

Steps 1, 4 and 5 are work of minutes, done by `hub.licensing.running` whoever closes their browser.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

import sqlalchemy as sa

from catalog.steps import NotYoursError, StepNotAllowedError
from hub.control import LicenceRow, LicenceRunLineRow, LicenceRunRow, hold_generation, row_dict
from hub.errors import NotFoundError
from hub.identifiers import new_identifier
from hub.licensing.dossiers.orders import need_words
from hub.licensing.errors import KindNotSourcedError, SecondOfficerError
from hub.licensing.lookups import PENDING
from licence.lifecycle.dossier import TWO_PERSONS, same_person

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from sqlalchemy.engine import Connection

    from hub.actors import Actor
    from hub.control import Control
    from hub.evidence import Evidence
    from licence.model import LicenceKind

PLANNING, PLANNED, PROPOSED = "planning", "planned", "proposed"
ISSUING, COMPARING, DONE = "issuing", "comparing", "done"
FAILED, DROPPED = "failed", "dropped"
# What a worker takes up, and what is over.
WORK: Final = (PLANNING, ISSUING, COMPARING)
ENDED: Final = (DONE, DROPPED)
# English, Chinese.
STATES: Final[Mapping[str, tuple[str, str]]] = {
    PLANNING: ("being tried", "正在试算"),
    PLANNED: ("dry run done, to be ordered", "已试算，待签发"),
    PROPOSED: ("waits for a second officer", "待第二人确认"),
    ISSUING: ("being issued", "正在签发"),
    COMPARING: ("being compared", "正在对账"),
    DONE: ("done", "已完成"),
    FAILED: ("stopped by a fault", "因故中断"),
    DROPPED: ("given up", "已放弃"),
}
PLAN, COMPARE = "plan", "compare"
MARK: Final = "P"
# After so long without a sign of life a person may have the work taken up anew: a group takes half a second.
QUIET: Final = timedelta(seconds=90)


@dataclass(frozen=True, slots=True)
class Run:
    """A batch as it stands; see `hub.control.licence_models.LicenceRunRow`."""

    id: str
    kind: str
    department: str
    state: str
    behind: str
    first: str
    second: str
    reason: str
    ground: str
    planned: Mapping[str, Any]
    compared: Mapping[str, Any]
    total: int
    done: int
    opened_at: datetime
    heard_at: datetime
    ended_at: datetime | None
    claimed_by: str
    lease_until: datetime | None
    tries: int
    error: Mapping[str, str]

    @property
    def open(self) -> bool:
        """Whether anything is still to be done."""
        return self.state not in ENDED

    def quiet(self, at: datetime) -> bool:
        """Whether it is worked on, and nothing was heard of it for too long: its process may have been killed."""
        return self.state in WORK and at - self.heard_at > QUIET

    def possible(self, at: datetime) -> list[str]:
        """The steps that can be taken at *at*, whoever takes them."""
        steps = {
            PLANNED: ["order", "again", "drop"],
            PROPOSED: ["confirm", "drop"],
            FAILED: ["resume", "drop"],
        }.get(self.state, [])
        if self.state in WORK:
            steps = ["resume", "drop"] if self.quiet(at) else ["drop"]
        return steps


@dataclass(frozen=True, slots=True)
class Line:
    """A row of the source, or a licence, that a run tells of; nothing of its holder but a *holder* code cut short."""

    outcome: str
    row: int
    key: str
    holder: str = ""
    licence: str = ""
    fields: tuple[str, ...] = ()


class Runs:
    """The runs of a deployment. Safe for many threads and processes: each step looks at the row it holds."""

    def __init__(self, control: Control, evidence: Evidence) -> None:
        self.control = control
        self.evidence = evidence

    # --- steps ------------------------------------------------------------------------------------------------------

    def open(self, kind: LicenceKind, *, actor: Actor) -> Run:
        """Begin a run of *kind*, which is tried first; where one is open, that one.

        Raises:
            KindNotSourcedError: no issuer and no resource are named for the kind.
            NotYoursError: the actor is not of the issuing department.
        """
        if not kind.sourced:
            raise KindNotSourcedError(kind=kind.name)
        if actor.department != kind.issuer:
            raise NotYoursError(actor=str(actor), needed=kind.issuer)
        now = self.evidence.clock()
        with self.control.writing() as connection:
            # Of two who begin at once, one waits here for the other, and finds the other's run.
            hold_generation(connection)
            known = connection.execute(
                sa.select(LicenceRunRow.id).where(LicenceRunRow.kind == kind.code, LicenceRunRow.state.not_in(ENDED))
            ).scalar()
            if known is not None:
                return read(connection, known)
            id_ = new_identifier(MARK)
            while connection.execute(sa.select(LicenceRunRow.id).where(LicenceRunRow.id == id_)).first() is not None:
                id_ = new_identifier(MARK)
            values = {"kind": kind.code, "department": kind.issuer, "state": PLANNING, "first": str(actor)}
            connection.execute(sa.insert(LicenceRunRow).values(id=id_, **values, opened_at=now, heard_at=now))
            return read(connection, id_)

    def again(self, id_: str, *, actor: Actor) -> Run:
        """Step 1 once more. Raises: as `order`."""
        return self._step(id_, "again", actor, state=PLANNING, first=str(actor))

    def order(self, id_: str, kind: LicenceKind, *, actor: Actor, reason: str, ground: str) -> Run:
        """Step 2.

        Raises:
            CaseInvalidError: reason or ground is missing, or names a person.
            NotYoursError: the run is another department's.
            StepNotAllowedError: it is not at this step.
        """
        need_words({"reason": reason, "ground": ground})
        state = PROPOSED if kind.approvals >= TWO_PERSONS else ISSUING
        return self._step(id_, "order", actor, state=state, first=str(actor), reason=reason, ground=ground)

    def confirm(self, id_: str, kind: LicenceKind, *, actor: Actor) -> Run:
        """Step 3. Raises: SecondOfficerError: the actor ordered it; and as `order`."""
        with self.control.writing() as connection:
            found = self._held(connection, id_, "confirm", actor)
            if same_person(found.first.partition(":")[2], actor.post):
                raise SecondOfficerError(kind=kind.name)
            return self._moved(connection, found, state=ISSUING, second=str(actor))

    def resume(self, id_: str, *, actor: Actor) -> Run:
        """Go on where a fault or a kill stopped it: each record still gets one licence. Raises: as `order`."""
        with self.control.writing() as connection:
            found = self._held(connection, id_, "resume", actor)
            return self._moved(connection, found, state=found.behind or found.state)

    def drop(self, id_: str, *, actor: Actor) -> Run:
        """Give it up; licences that were issued stay. Raises: as `order`."""
        return self._step(id_, "drop", actor, state=DROPPED, ended_at=self.evidence.clock())

    # --- finding ----------------------------------------------------------------------------------------------------

    def get(self, id_: str) -> Run:
        """The run called *id_*. Whose it is, is the door's affair. Raises: NotFoundError."""
        with self.control.reading() as connection:
            return read(connection, id_)

    def find(
        self, *, department: str | None, open_: bool = False, limit: int = 50, offset: int = 0
    ) -> tuple[int, tuple[Run, ...]]:
        """How many runs a department has (None: all), and those of one page, the newest first."""
        table = LicenceRunRow.__table__
        where = [table.c.department == department] if department is not None else []
        where += [table.c.state.not_in(ENDED)] if open_ else []
        query = sa.select(table).where(*where).order_by(table.c.opened_at.desc(), table.c.id)
        with self.control.reading() as connection:
            total = connection.execute(sa.select(sa.func.count()).select_from(table).where(*where)).scalar_one()
            rows = connection.execute(query.limit(limit).offset(offset))
            return int(total), tuple(Run(**row_dict(row)) for row in rows)

    def lines(
        self, id_: str, part: str, outcome: str, *, limit: int = 50, offset: int = 0
    ) -> tuple[int, tuple[Line, ...]]:
        """How many rows are kept of one *outcome* of a run's dry run or comparison, and those of one page."""
        table = LicenceRunLineRow.__table__
        where = (table.c.run == id_, table.c.part == part, table.c.outcome == outcome)
        query = sa.select(table).where(*where).order_by(table.c.number).limit(limit).offset(offset)
        with self.control.reading() as connection:
            total = connection.execute(sa.select(sa.func.count()).select_from(table).where(*where)).scalar_one()
            rows = [row_dict(row) for row in connection.execute(query)]
        return int(total), tuple(
            Line(one["outcome"], one["row"], one["key"], one["holder"], one["licence"], tuple(one["fields"]))
            for one in rows
        )

    def issued(
        self, id_: str, *, after: str = "", limit: int = 50
    ) -> tuple[int, tuple[tuple[str, str, datetime], ...]]:
        """How many licences a run issued, and identifier, state and time of those of one page, *after* one of them."""
        table = LicenceRow.__table__
        where = (table.c.dossier == id_, table.c.state != PENDING)
        query = sa.select(table.c.identifier, table.c.state, table.c.issued_at).where(*where)
        with self.control.reading() as connection:
            total = connection.execute(sa.select(sa.func.count()).select_from(table).where(*where)).scalar_one()
            rows = connection.execute(
                query.where(table.c.identifier > after).order_by(table.c.identifier).limit(limit)
            ).all()
        return int(total), tuple((row.identifier, row.state, row.issued_at) for row in rows)

    # --- inside -----------------------------------------------------------------------------------------------------

    def _step(self, id_: str, step: str, actor: Actor, **values: Any) -> Run:  # noqa: ANN401 - columns
        with self.control.writing() as connection:
            return self._moved(connection, self._held(connection, id_, step, actor), **values)

    def _held(self, connection: Connection, id_: str, step: str, actor: Actor) -> Run:
        found = read(connection, id_, hold=True)
        if found.department != actor.department:
            raise NotYoursError(actor=str(actor), needed=found.department)
        possible = found.possible(self.evidence.clock())
        if step not in possible:
            raise StepNotAllowedError(step=step, state=found.state, allowed=possible)
        return found

    def _moved(self, connection: Connection, found: Run, **values: Any) -> Run:  # noqa: ANN401 - columns
        """*found* after a person's step: whoever works on it loses it, and it is free to be taken up."""
        free: dict[str, Any] = {"claimed_by": "", "lease_until": None, "tries": 0, "behind": "", "error": {}}
        moved = {**free, "heard_at": self.evidence.clock(), **values}
        connection.execute(sa.update(LicenceRunRow).where(LicenceRunRow.id == found.id).values(**moved))
        return read(connection, found.id)


def read(connection: Connection, id_: str, *, hold: bool = False) -> Run:
    """The run called *id_*, held until the transaction ends where *hold*.

    Raises:
        NotFoundError: there is none.
    """
    query = sa.select(LicenceRunRow.__table__).where(LicenceRunRow.id == id_)
    row = connection.execute(query.with_for_update() if hold else query).first()
    if row is None:
        raise NotFoundError
    return Run(**row_dict(row))
