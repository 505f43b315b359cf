"""Web hooks (推送地址): a department that follows a resource has itself called when there is something to fetch.

Registering, pausing, ending, and what they look like. Looking for changes and calling is `hub.webhooks.queue`'s, which
address may be called `hub.webhooks.address`', what a follower then fetches `hub.changes.feed`'s.

A hook is called with no content: what changed is fetched by `:changes`, with a key, a purpose and evidence. States:

    pending --challenge answered--> active <--resume-- paused (by the department, or nobody answered for days)
       |                               |                  |
       +---not answered in an hour-----+------end---------+--> ended (for good; register anew)
"""

from __future__ import annotations

import base64
import secrets
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import sqlalchemy as sa

from hub.answers import grant_of
from hub.changes.cursor import NOW
from hub.control import HookDelivery, HookRow, row_dict
from hub.errors import DeniedError
from hub.identifiers import new_identifier
from hub.requests import Call, parse_call
from hub.webhooks.address import Fence, parse
from hub.webhooks.errors import HookLimitError, HookStateError, HookUnknownError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from datetime import datetime

    from sqlalchemy.engine import Connection

    from hub.actors import Actor
    from hub.changes.feed import ChangeFeed
    from hub.control import Control
    from hub.evidence import Evidence

MARK: Final = "W"
DELIVERY_MARK: Final = "D"
PENDING, ACTIVE, PAUSED, ENDED = "pending", "active", "paused", "ended"
STATES: Final = (PENDING, ACTIVE, PAUSED, ENDED)
CHALLENGE, CHANGES = "challenge", "changes"
DUE, DELIVERED, GIVEN_UP = "due", "delivered", "given_up"
MAX_HOOKS: Final = 50  # of one department, not ended: each is looked after every few seconds
MAX_SHOWN: Final = 500
_CHALLENGE_BYTES: Final = 32
_DELIVERY_BYTES: Final = 15


@dataclass(frozen=True, slots=True)
class Hook:
    """A web hook as it stands. *call*: purpose and fields under which it follows; *why*: what paused or ended it."""

    id: str
    state: str
    department: str
    resource: str
    grant: str
    url: str
    call: Mapping[str, Any]
    cursor: str
    challenge: str
    created: datetime
    created_by: str
    log_index: int
    changed_at: datetime
    changed_by: str
    why: str
    looking_until: datetime | None

    def plain(self) -> dict[str, Any]:
        """What its department sees."""
        return {
            "id": self.id,
            "state": self.state,
            "department": self.department,
            "resource": self.resource,
            "grant": self.grant,
            "url": self.url,
            "purpose": dict(self.call.get("purpose", {})),
            "fields": list(self.call.get("fields", ())),
            "created": self.created.isoformat(),
            "created_by": self.created_by,
            "log_index": self.log_index,
            "changed_at": self.changed_at.isoformat(),
            "changed_by": self.changed_by,
            "why": self.why,
        }

    def follows(self) -> Call:
        """The call under which it follows."""
        return call_of(self.call)


@dataclass(frozen=True, slots=True)
class Delivery:
    """One call of a hook; see `hub.control.HookDelivery`."""

    id: str
    hook: str
    kind: str
    state: str
    at: datetime
    cursor: str
    tries: int
    next_try: datetime
    claim: str
    claimed_until: datetime | None
    outcome: str
    ended_at: datetime | None
    attempts: Sequence[Mapping[str, Any]]

    def plain(self) -> dict[str, Any]:
        """What the hook's department sees."""
        return {
            "id": self.id,
            "kind": self.kind,
            "state": self.state,
            "at": self.at.isoformat(),
            "tries": self.tries,
            "outcome": self.outcome,
            "next_try": self.next_try.isoformat() if self.state == DUE else None,
            "ended_at": self.ended_at.isoformat() if self.ended_at else None,
            "attempts": list(self.attempts),
        }


def call_of(plain: Mapping[str, Any]) -> Call:
    """The call that *plain* says: purpose, grant and fields in the form that they have in a query.

    Raises:
        InvalidRequestError: one of them has not.
    """
    rest = {name: plain[name] for name in ("fields", "grant", "purpose") if plain.get(name)}
    return parse_call("query", {**rest, "keys": {"_": "_"}})


@dataclass(frozen=True, slots=True)
class Hooks:
    """The web hooks of one deployment. Safe for many threads and processes."""

    control: Control
    evidence: Evidence
    feed: ChangeFeed
    fence: Fence
    random: Callable[[int], bytes] = secrets.token_bytes

    def register(self, actor: Actor, *, resource: str, url: str, call: Mapping[str, Any], cursor: str = NOW) -> Hook:
        """A new hook for the actor's department, which is challenged at once; *cursor*: from where it is called.

        Raises:
            HookAddressError, InvalidRequestError, CursorInvalidError, ResourceUnknownError: mend the request.
            DeniedError: the department may not follow the resource for this purpose.
            HookLimitError: it has enough.
            IndexUnavailableError: the resource was not loaded yet.
        """
        self.fence.resolve(parse(url))
        asked = call_of(call)
        glance = self.feed.look(actor.department, resource, asked, cursor)
        if not glance.decision.allowed:
            raise DeniedError(glance.decision)
        grant = grant_of(glance.decision)
        id_ = new_identifier(MARK, self.random)
        kept = {name: value for name, value in asked.plain().items() if name != "keys"}
        facts = {"hook": id_, "department": actor.department, "grant": grant}
        with self.control.writing() as connection:
            if _count(connection, actor.department) >= MAX_HOOKS:
                raise HookLimitError(limit=MAX_HOOKS)
            # The address may tell how a department's network is laid out, so that it stands in the body alone.
            recorded = self.evidence.append(
                "hook.registered", actor=str(actor), resource=resource, facts=facts, body={"url": url, "call": kept}
            )
            at = recorded.entry.at
            row = {
                "id": id_,
                "state": PENDING,
                "department": actor.department,
                "resource": resource,
                "grant": grant,
                "url": url,
                "call": kept,
                # From now on; or from the cursor given, so that what lies after it is told of first.
                "cursor": glance.cursor if cursor == NOW else cursor,
                "challenge": self.random(_CHALLENGE_BYTES).hex(),
                "created": at,
                "created_by": str(actor),
                "log_index": recorded.index,
                "changed_at": at,
                "changed_by": str(actor),
                "why": "",
            }
            connection.execute(sa.insert(HookRow).values(**row))
            self.enqueue(connection, id_, CHALLENGE, cursor="", at=at)
        return self.get(id_, actor.department)

    def get(self, id_: str, department: str | None = None) -> Hook:
        """The hook called *id_*; of *department*, if one is given.

        Raises:
            HookUnknownError: there is none, or it is another department's.
        """
        with self.control.reading() as connection:
            return _read(connection, id_, department)

    def find(self, department: str | None = None, *, ended: bool = False) -> list[Hook]:
        """The hooks of *department* (None: of all), the newest first; *ended*: those that have ended instead."""
        query = sa.select(HookRow.__table__).where((HookRow.state == ENDED) == ended)
        if department is not None:
            query = query.where(HookRow.department == department)
        with self.control.reading() as connection:
            rows = connection.execute(query.order_by(HookRow.created.desc(), HookRow.id).limit(MAX_SHOWN))
            return [Hook(**row_dict(row)) for row in rows]

    def deliveries(self, id_: str, limit: int = 100) -> list[Delivery]:
        """The newest calls of a hook, the newest first."""
        query = sa.select(HookDelivery.__table__).where(HookDelivery.hook == id_)
        with self.control.reading() as connection:
            rows = connection.execute(query.order_by(HookDelivery.at.desc(), HookDelivery.id).limit(limit))
            return [Delivery(**row_dict(row)) for row in rows]

    # --- steps of people ---

    # Those of *office*, the department that keeps the list, may take them for any department.

    def pause(self, id_: str, actor: Actor, *, office: str = "") -> Hook:
        """Call it no more until `resume`. Raises: HookUnknownError, HookStateError."""
        return self._step(id_, actor, office, PAUSED, (ACTIVE,))

    def resume(self, id_: str, actor: Actor, *, office: str = "") -> Hook:
        """Call it again, from where it was last called with success. Raises: HookUnknownError, HookStateError."""
        hook = self._step(id_, actor, office, ACTIVE, (PAUSED,))
        self.retry(id_, actor, office=office)
        return hook

    def end(self, id_: str, actor: Actor, *, office: str = "") -> Hook:
        """End it for good. Raises: HookUnknownError, HookStateError."""
        return self._step(id_, actor, office, ENDED, (PENDING, ACTIVE, PAUSED))

    def retry(self, id_: str, actor: Actor, *, office: str = "") -> int:
        """Try now what waits for its next try; how many that are.

        Raises:
            HookUnknownError
            HookStateError: it is paused or has ended, and nothing is sent.
        """
        now = self.evidence.clock()
        with self.control.writing() as connection:
            hook = _read(connection, id_, None if actor.department == office else actor.department)
            if hook.state not in (PENDING, ACTIVE):
                raise HookStateError(hook=id_, state=hook.state)
            waiting = (HookDelivery.hook == id_, HookDelivery.state == DUE)
            found = connection.execute(sa.select(HookDelivery.id).where(*waiting)).all()
            connection.execute(sa.update(HookDelivery).where(*waiting).values(next_try=now))
        return len(found)

    def _step(self, id_: str, actor: Actor, office: str, state: str, of: tuple[str, ...]) -> Hook:
        with self.control.writing() as connection:
            hook = _read(connection, id_, None if actor.department == office else actor.department)
            if hook.state not in of:
                raise HookStateError(hook=id_, state=hook.state)
            self.move(connection, hook, state, by=str(actor), why="")
        return self.get(id_)

    # --- inside one transaction ---

    def move(self, connection: Connection, hook: Hook, state: str, *, by: str, why: str) -> bool:
        """Bring *hook* into *state*, unless somebody brought it into another meanwhile; whether it was done.

        A crash between the entry and the commit leaves an entry about a step that did not take effect: take it again.
        """
        now = self.evidence.clock()
        changed = connection.execute(
            sa.update(HookRow)
            .where(HookRow.id == hook.id, HookRow.state == hook.state)
            .values(state=state, changed_at=now, changed_by=by, why=why)
            .returning(HookRow.id)
        ).first()
        if changed is None:
            return False
        if state == ENDED:
            waiting = (HookDelivery.hook == hook.id, HookDelivery.state == DUE)
            connection.execute(
                sa.update(HookDelivery).where(*waiting).values(state=GIVEN_UP, outcome=ENDED, ended_at=now)
            )
        verified = hook.state == PENDING
        self.evidence.append(
            ("hook.verified" if verified else "hook.resumed")
            if state == ACTIVE
            else ("hook.paused" if state == PAUSED else "hook.ended"),
            actor=by,
            resource=hook.resource,
            facts={"hook": hook.id, "department": hook.department, "grant": hook.grant, "why": why},
        )
        return True

    def enqueue(self, connection: Connection, hook: str, kind: str, *, cursor: str, at: datetime) -> str:
        """A call of *hook* that is due now; its identifier."""
        # Longer than those that people type: a hook is called thousands of times.
        id_ = DELIVERY_MARK + base64.b32encode(self.random(_DELIVERY_BYTES)).decode()
        connection.execute(
            sa.insert(HookDelivery).values(
                id=id_, hook=hook, kind=kind, state=DUE, at=at, cursor=cursor, next_try=at, attempts=[]
            )
        )
        return id_


def _count(connection: Connection, department: str) -> int:
    mine = (HookRow.department == department, HookRow.state != ENDED)
    return int(connection.execute(sa.select(sa.func.count()).select_from(HookRow).where(*mine)).scalar_one())


def _read(connection: Connection, id_: str, department: str | None) -> Hook:
    row = connection.execute(sa.select(HookRow.__table__).where(HookRow.id == id_)).one_or_none()
    if row is None or department not in (None, row.department):
        raise HookUnknownError(hook=id_[:40])
    return Hook(**row_dict(row))
