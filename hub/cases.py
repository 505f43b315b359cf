"""Keeps the cases that people settle in steps: their state, clock, history and notices, each step with its log entry.

What a step does to a case is decided before, by the pure machines of `catalog`; reminding and escalating when a clock
runs out is `hub.deadlines`. One transaction holds a step of a case and whatever follows from it, such as a grant.
"""

from __future__ import annotations

import secrets
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from typing import TYPE_CHECKING, Any, TypedDict, Unpack

import sqlalchemy as sa

from catalog.clock import SHANGHAI, Due
from hub.control import CaseEvent, CaseRow, Control, GrantRow, Notice, insert_once, row_dict
from hub.errors import CaseConflictError, CaseUnknownError
from hub.identifiers import new_identifier

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from datetime import date

    from sqlalchemy.engine import Connection

    from catalog.clock import Clocks
    from hub.actors import Actor
    from hub.evidence import Evidence, Recorded

MAX_NOTE_CHARS = 2_000
MAX_FOUND = 500
_COLUMNS = tuple(column.name for column in CaseRow.__table__.columns)


@dataclass(frozen=True, slots=True)
class Turn:
    """Where a step leaves a case: its *state*, whose turn it is (*answerer*, a department) and the *rule* of the clock.

    The clock starts anew when state or rule change; without a rule none runs. With *due_on* the clock ends on that
    day, which somebody promised, instead of after the days of a rule of the profile; *rule* then only names it. With
    *keeps* a clock of the same rule goes on though the state changes: the law counts through it.
    """

    state: str
    open: bool
    answerer: str = ""
    rule: str = ""
    due_on: date | None = None
    keeps: bool = False


@dataclass(frozen=True, slots=True)
class Case:
    """A case as it stands; *value* is its content as its machine stores it. *told*: 1 reminded, 2 escalated."""

    id: str
    kind: str
    state: str
    open: bool
    opener: str
    answerer: str
    resource: str
    rule: str
    started_at: datetime | None
    remind_at: datetime | None
    due_at: datetime | None
    told: int
    revision: int
    opened_at: datetime
    updated_at: datetime
    value: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class CaseStep:
    """One step that was taken; *state* is the one after it, *log_index* its entry."""

    revision: int
    at: datetime
    actor: str
    step: str
    state: str
    note: str
    log_index: int


class Wanted(TypedDict, total=False):
    """What a case must be to be found; a criterion that is None finds all."""

    state: str | None
    opener: str | None
    answerer: str | None
    resource: str | None
    resources: Sequence[str]  # one of these
    open_: bool | None
    value: Mapping[str, str | None]  # texts of its content


class Cases:
    """The cases of one deployment. Safe for many threads and processes; writers queue.

    Promise: of two who act on the same revision, one wins and the other is told so; a step is in the history exactly
    when it took effect. A crash between the log entry and the commit leaves an entry about a step that did not: the
    log then says more than happened, never less, and the step can be taken again.
    """

    def __init__(
        self,
        control: Control,
        evidence: Evidence,
        clocks: Callable[[], Clocks],
        *,
        random: Callable[[int], bytes] = secrets.token_bytes,
    ) -> None:
        self.control = control
        self.evidence = evidence
        self.clocks = clocks
        self._random = random

    @contextmanager
    def begin(self) -> Iterator[Transaction]:
        """One write transaction: everything in it takes effect together, or nothing does."""
        with self.control.writing() as connection:
            yield Transaction(connection, self.evidence, self.clocks(), self._random)

    def get(self, id_: str, kind: str) -> Case:
        """The case called *id_*.

        Raises:
            CaseUnknownError: there is none of this kind.
        """
        with self.control.reading() as connection:
            return _read(connection, id_, kind)

    def history(self, id_: str) -> tuple[CaseStep, ...]:
        """The steps of a case, first to last."""
        query = sa.select(*(getattr(CaseEvent, name) for name in CaseStep.__slots__)).where(CaseEvent.case_id == id_)
        with self.control.reading() as connection:
            rows = connection.execute(query.order_by(CaseEvent.revision))
            return tuple(CaseStep(**row_dict(row)) for row in rows)

    def find(
        self,
        kind: str | None,
        *,
        newest: bool = False,
        limit: int = MAX_FOUND,
        offset: int = 0,
        **wanted: Unpack[Wanted],
    ) -> tuple[Case, ...]:
        """The cases that fit, the one whose clock ends first before the others, those without a clock last.

        Those whose clocks end together come as they were opened, or, with *newest*, the other way round.
        """
        query = sa.select(CaseRow.__table__).where(*_conditions(kind, wanted))
        opened = CaseRow.opened_at.desc() if newest else CaseRow.opened_at
        # NULL sorts first on one database and last on the other, so whether there is a clock is asked for by itself.
        query = query.order_by(CaseRow.due_at.is_(None), CaseRow.due_at, opened, CaseRow.id)
        with self.control.reading() as connection:
            rows = connection.execute(query.limit(min(limit, MAX_FOUND)).offset(offset))
            return tuple(_case(row) for row in rows)

    def count(self, kind: str | None, **wanted: Unpack[Wanted]) -> int:
        """How many fit; see `find`."""
        query = sa.select(sa.func.count()).select_from(CaseRow).where(*_conditions(kind, wanted))
        with self.control.reading() as connection:
            return int(connection.execute(query).scalar_one())


class Transaction:
    """One write transaction over cases, notices and what follows from them. Not to be kept after its block."""

    def __init__(
        self, connection: Connection, evidence: Evidence, clocks: Clocks, random: Callable[[int], bytes]
    ) -> None:
        self.connection = connection
        self.evidence = evidence
        self.clocks = clocks
        # Every step of one transaction happens at one instant.
        self.at = evidence.clock()
        self._random = random

    def new_identifier(self, mark: str) -> str:
        """A fresh identifier that begins with *mark*; no case or grant has it."""
        while True:
            drawn = new_identifier(mark, self._random)
            taken = sa.union_all(
                sa.select(CaseRow.id).where(CaseRow.id == drawn), sa.select(GrantRow.id).where(GrantRow.id == drawn)
            )
            if self.connection.execute(taken).first() is None:
                return drawn

    def get(self, id_: str, kind: str, revision: int | None = None) -> Case:
        """The case called *id_*, held until the transaction ends.

        Raises:
            CaseUnknownError: there is none of this kind.
            CaseConflictError: it is no longer at *revision*.
        """
        case = _read(self.connection, id_, kind, hold=True)
        if revision is not None and case.revision != revision:
            raise CaseConflictError(case=id_, revision=case.revision)
        return case

    def open(
        self,
        kind: str,
        mark: str,
        *,
        value: Callable[[str], Mapping[str, Any]],
        turn: Turn,
        opener: str,
        resource: str,
        actor: Actor,
        step: str,
        note: str = "",
        facts: Mapping[str, Any] | None = None,
        subject: str = "",
    ) -> Case:
        """Begin a case; *value* gives its content once the identifier is known. *subject*: whom it is about, hashed."""
        id_ = self.new_identifier(mark)
        content = dict(value(id_))
        case = Case(
            id=id_,
            kind=kind,
            state=turn.state,
            open=turn.open,
            opener=opener,
            answerer=turn.answerer,
            resource=resource,
            **self._clock(turn),
            told=0,
            revision=1,
            opened_at=self.at,
            updated_at=self.at,
            value=content,
        )
        recorded = self._entry(case, step, actor, facts, subject)
        self.connection.execute(sa.insert(CaseRow).values({name: getattr(case, name) for name in _COLUMNS}))
        self._event(case, step, actor, note, recorded)
        return case

    def act(
        self,
        case: Case,
        *,
        value: Mapping[str, Any],
        turn: Turn,
        actor: Actor,
        step: str,
        note: str = "",
        facts: Mapping[str, Any] | None = None,
        subject: str = "",
    ) -> Case:
        """Take a step of *case*, as `get` gave it.

        Raises:
            CaseConflictError: somebody was first.
        """
        same_state = turn.keeps or turn.state == case.state
        same_clock = same_state and turn.rule == case.rule and turn.due_on is None
        clock = (
            {name: getattr(case, name) for name in ("rule", "started_at", "remind_at", "due_at")}
            if same_clock
            else self._clock(turn)
        )
        after = Case(
            id=case.id,
            kind=case.kind,
            state=turn.state,
            open=turn.open,
            opener=case.opener,
            answerer=turn.answerer,
            resource=case.resource,
            **clock,
            told=case.told if same_clock else 0,
            revision=case.revision + 1,
            opened_at=case.opened_at,
            updated_at=self.at,
            value=dict(value),
        )
        # The row is taken first: who loses must not leave an entry about a step that never was.
        changed = self.connection.execute(
            sa.update(CaseRow)
            .where(CaseRow.id == case.id, CaseRow.revision == case.revision)
            .values({name: getattr(after, name) for name in _COLUMNS})
        )
        if changed.rowcount != 1:
            raise CaseConflictError(case=case.id, revision=_read(self.connection, case.id, case.kind).revision)
        self._event(after, step, actor, note, self._entry(after, step, actor, facts, subject))
        return after

    def tell(
        self,
        department: str,
        kind: str,
        *,
        key: str,
        case: str = "",
        resource: str = "",
        params: Mapping[str, str] | None = None,
    ) -> bool:
        """Tell *department* something once: a second notice with the same *key* is not written; whether it was new.

        *kind* is one of `hub.notices.NOTICES`, *params* its words: no personal data.
        """
        notice = {
            "key": key,
            "at": self.at,
            "department": department,
            "kind": kind,
            "case_id": case,
            "resource": resource,
            "params": dict(params or {}),
        }
        return insert_once(self.connection, Notice, notice)

    def record(
        self,
        kind: str,
        *,
        actor: Actor | str,
        resource: str = "",
        facts: Mapping[str, Any],
        body: Mapping[str, Any] | None = None,
    ) -> Recorded:
        """A log entry that is no step of a case, at the transaction's instant."""
        return self.evidence.append(kind, actor=str(actor), resource=resource, facts=facts, body=body, at=self.at)

    def _clock(self, turn: Turn) -> dict[str, Any]:
        if not turn.rule:
            return {"rule": "", "started_at": None, "remind_at": None, "due_at": None}
        due = self.clocks.due(turn.rule, self.at) if turn.due_on is None else promised(turn, self.at)
        return {"rule": turn.rule, "started_at": self.at, "remind_at": due.remind, "due_at": due.due}

    def _entry(self, case: Case, step: str, actor: Actor, facts: Mapping[str, Any] | None, subject: str) -> Recorded:
        """The public entry of a step; the content, which may quote people, stays in the protected body."""
        own = {"case": case.id, "state": case.state, "revision": case.revision}
        return self.evidence.append(
            f"{case.kind}.{step}",
            actor=str(actor),
            subject=subject,
            resource=case.resource,
            facts={**_clock_facts(case, self.clocks), **(facts or {}), **own},
            body={"case": case.id, "revision": case.revision, "value": dict(case.value)},
            at=self.at,
        )

    def _event(self, case: Case, step: str, actor: Actor, note: str, recorded: Recorded) -> None:
        self.connection.execute(
            sa.insert(CaseEvent).values(
                case_id=case.id,
                revision=case.revision,
                at=self.at,
                actor=str(actor),
                step=step,
                state=case.state,
                note=note.replace("\x00", "")[:MAX_NOTE_CHARS],
                log_index=recorded.index,
            )
        )


def promised(turn: Turn, at: datetime) -> Due:
    """The clock that ends with the day somebody promised; the reminder comes on its morning."""
    assert turn.due_on is not None  # noqa: S101 - asked for where there is one
    morning = datetime.combine(turn.due_on, time(), SHANGHAI)
    return Due(turn.rule, at, max(morning, at), morning + timedelta(days=1) - timedelta(seconds=1), verified=True)


def _clock_facts(case: Case, clocks: Clocks) -> dict[str, Any]:
    """By which edition of the rules the answer is due, so that an auditor can count the days again."""
    if case.due_at is None:
        return {}
    profile = clocks.profile
    return {"clock": f"{profile.name}/{profile.version}/{case.rule}", "due": case.due_at.astimezone(UTC).isoformat()}


def _conditions(kind: str | None, wanted: Wanted) -> Iterator[sa.ColumnElement[bool]]:
    columns: dict[str, object] = {"kind": kind, "open": wanted.get("open_")}
    columns |= {name: wanted.get(name) for name in ("state", "opener", "answerer", "resource")}
    texts = wanted.get("value", {})
    if "resources" in wanted:
        yield CaseRow.resource.in_(wanted["resources"])
    yield from (getattr(CaseRow, name) == value for name, value in columns.items() if value is not None)
    yield from (CaseRow.value[name].as_string() == text for name, text in texts.items() if text is not None)


def _read(connection: Connection, id_: str, kind: str, *, hold: bool = False) -> Case:
    query = sa.select(CaseRow.__table__).where(CaseRow.id == id_, CaseRow.kind == kind)
    # On PostgreSQL a second writer waits here for the first; on SQLite the transaction itself already made it wait.
    row = connection.execute(query.with_for_update() if hold else query).one_or_none()
    if row is None:
        raise CaseUnknownError(case=id_[:40])
    return _case(row)


def _case(row: Any) -> Case:  # noqa: ANN401 - a row of the table
    return Case(**row_dict(row))
