"""Follows a resource (数据变更订阅): pages of what changed for one grant, from a cursor, with evidence of each page.

The steps, by number, for `ChangeFeed.page`:

    1. who calls                          5. read the changes since the cursor, and the cases once those are told
    2. parse the body, open the cursor    6. make the evidence durable
    3. decide, for one grant              7. hand the page out
    4. (denied: evidence, then say so)

What a follower sees of a change is `hub.changes.events`', of a case `hub.changes.cases`'; calling a follower when there
is something to fetch, `hub.webhooks.hooks`'.

Promises. At least once: a page that was asked for twice holds the same events, by their ids. In order: of one record
the events come as the changes did. Exact: who applies them to the rows that a query showed at the first cursor has the
rows that a query shows at the last. A page reads the states before and after each load, so it may be asked for late.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Final

from audit.canonical import encode
from audit.entry import seal_body
from catalog.decide import AccessRequest, Decision, Grant, decision_to_plain, grant_to_plain, request_to_plain
from catalog.model import Cadence, Mask
from catalog.rows import rules_to_plain
from hub import receipts
from hub.answers import grant_of
from hub.changes.cursor import MAX_CURSOR_CHARS, NOW, Position, Sealer
from hub.changes.errors import CursorElsewhereError
from hub.changes.events import Viewer
from hub.changes.reader import Read, Reader
from hub.errors import (
    DeniedError,
    HubError,
    IndexUnavailableError,
    InvalidRequestError,
    KeyRefusedError,
    RequestError,
    ResourceUnknownError,
)
from hub.evidence import Evidence, Recorded, part_salt
from hub.invocation import RefusedError
from hub.recording import MAX_CODE_CHARS, Attempt, facts_of, outcome_of
from hub.requests import Call, parse_call, read_json

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from datetime import datetime

    from catalog.model import InformationResource
    from hub.control import Control
    from hub.receipts import Receipt
    from hub.signatures import AnswerSigner
    from hub.standing import KnownCaller, Standing
    from warehouse.engine import Warehouse

SUBSCRIBE: Final = "subscribe"
ANSWERED, DENIED = "changes.answered", "changes.denied"
SECRET: Final = "changes"  # in the keyring  # noqa: S105 - a name, not a secret
BODY_FORMAT: Final = 1
DEFAULT_LIMIT: Final = 100
MAX_LIMIT: Final = 1_000
# When to ask again where nothing happened: what is loaded hourly has nothing new every second.
IDLE_S: Final = 300
IDLE_REAL_TIME_S: Final = 30
_MEMBERS: Final = ("cursor", "fields", "grant", "limit", "purpose")


@dataclass(frozen=True, slots=True)
class Wish:
    """What a follower asks: *call* holds purpose, grant and fields (its keys mean nothing), *cursor* where to go on."""

    call: Call
    cursor: str = NOW
    limit: int = DEFAULT_LIMIT

    def plain(self) -> dict[str, Any]:
        """The form that is digested and kept as evidence."""
        plain = {name: value for name, value in self.call.plain().items() if name != "keys"}
        return {**plain, "cursor": self.cursor, "limit": self.limit}


def parse_wish(plain: object) -> Wish:
    """The wish that the JSON value *plain* holds; purpose, grant and fields have the form that they have in a query.

    Raises:
        InvalidRequestError: a member is unknown or of the wrong shape.
    """
    if not isinstance(plain, dict):
        raise InvalidRequestError(where="body", why="an object is wanted here", why_zh="此处应为对象")
    if plain.keys() - set(_MEMBERS):
        known = ", ".join(_MEMBERS)
        raise InvalidRequestError(
            where="body", why=f"a member is not known; known are {known}", why_zh=f"含有未知成员；可用成员为 {known}"
        )
    cursor, limit = plain.get("cursor", NOW), plain.get("limit", DEFAULT_LIMIT)
    if not isinstance(cursor, str) or not 1 <= len(cursor) <= MAX_CURSOR_CHARS:
        raise InvalidRequestError(
            where="cursor", why="a cursor as it was given, or `now`, is wanted", why_zh="应为原样回传的游标或 `now`"
        )
    if not isinstance(limit, int) or isinstance(limit, bool) or not 1 <= limit <= MAX_LIMIT:
        raise InvalidRequestError(
            where="limit", why=f"a number from 1 to {MAX_LIMIT} is wanted", why_zh=f"应为 1 至 {MAX_LIMIT} 的整数"
        )
    rest = {name: plain[name] for name in ("fields", "grant", "purpose") if name in plain}
    # Whoever follows looks nothing up; the rules for the other members are those of a query.
    return Wish(parse_call("query", {**rest, "keys": {"_": "_"}}), cursor, limit)


@dataclass(frozen=True, slots=True)
class Page:
    """A page: *content* as digested, its *receipt*, and when to ask again (None: at once)."""

    content: Mapping[str, Any]
    receipt: Receipt
    retry_after_s: int | None

    def plain(self) -> dict[str, Any]:
        """The body of the answer."""
        return {**self.content, "receipt": self.receipt.plain()}


@dataclass(frozen=True, slots=True)
class Glance:
    """What a look without evidence tells the hub itself: the *decision*, whether there is *something*, and a *cursor*.

    With something, the cursor is that of the feed's end; without, as far as was looked.
    """

    decision: Decision
    something: bool
    cursor: str


@dataclass(slots=True)
class _Attempt(Attempt):
    """What is known of a page so far beside what is known of any call."""

    wish: Wish | None = None
    start: Position | None = None
    read: Read | None = None
    content: dict[str, Any] = field(default_factory=dict)


class ChangeFeed:
    """Gives out pages. Safe for many threads and processes: a page depends on tables, cases and cursor alone."""

    def __init__(
        self,
        standing: Standing,
        evidence: Evidence,
        control: Control,
        warehouse: Warehouse,
        *,
        signer: AnswerSigner,
        sealer: Sealer,
        mask_key: bytes,
    ) -> None:
        self._standing = standing
        self._evidence = evidence
        self._reader = Reader(control, warehouse)
        self._signer = signer
        self._sealer = sealer
        self._mask_key = mask_key

    def page(self, caller: KnownCaller | KeyRefusedError, code: str, body: bytes | RequestError) -> Page:
        """One page for *caller*; it, or *body*, is an error where the door recognised nobody, or accepted no body.

        Raises:
            RefusedError: nothing was told; its cause says why, and evidence of it is kept.
            EvidenceUnavailableError: nothing was told because nothing could be recorded.
            ListMissingError, ControlUnavailableError: the deployment cannot answer anyone.
        """
        # The state is read before the clock: a grant revoked before this call is then never taken for still in force.
        view = self._standing.now()
        known = None if isinstance(caller, KeyRefusedError) else caller
        attempt = _Attempt(SUBSCRIBE, code, self._evidence.clock(), view, known)
        try:
            return self._page(attempt, caller, body)
        except (KeyRefusedError, DeniedError, RequestError, IndexUnavailableError) as error:
            recorded = self._record(attempt, error)
            raise RefusedError(error, self._receipt(recorded)) from error

    def look(self, department: str, code: str, call: Call, cursor: str) -> Glance:
        """Whether *department* would be told something after *cursor*. Nothing of it leaves the hub, nor is recorded.

        Raises:
            ResourceUnknownError: the list holds no such resource any more.
            CursorLapsedError: it would be told that it has to begin anew.
            CursorInvalidError, IndexUnavailableError
        """
        view, now = self._standing.now(), self._evidence.clock()
        attempt = _Attempt(SUBSCRIBE, code, now, view, wish=Wish(call, cursor, limit=1))
        resource = attempt.resource
        if resource is None:
            raise ResourceUnknownError(resource=code)
        decision = self._decide(attempt, department)
        if not decision.allowed:
            return Glance(decision, something=False, cursor=cursor)
        position = self._start(attempt, department)
        viewer = self._viewer(resource, decision, department)
        read = self._reader.read(viewer, department, position, 1, now)
        ahead = self._reader.end(resource.code, position, now) if read.events else read.position
        return Glance(decision, bool(read.events), self._seal(ahead, department, code))

    # --- the steps ---

    def _page(self, attempt: _Attempt, caller: KnownCaller | KeyRefusedError, body: bytes | RequestError) -> Page:
        if isinstance(caller, KeyRefusedError):  # step 1
            raise caller
        if isinstance(body, RequestError):
            raise body
        wish = attempt.wish = parse_wish(read_json(body))  # step 2
        attempt.call = wish.call
        decision = self._decide(attempt, caller.department)  # step 3
        resource = attempt.resource
        if resource is None:
            raise ResourceUnknownError(resource=attempt.code)
        if not decision.allowed:
            raise DeniedError(decision)  # step 4
        position = attempt.start = self._start(attempt, caller.department)
        viewer = self._viewer(resource, decision, caller.department)
        read = attempt.read = self._reader.read(viewer, caller.department, position, wish.limit, attempt.at)  # step 5
        attempt.snapshot = read.snapshot
        attempt.content = content_of(
            attempt.code,
            attempt.view.list.version,
            decision,
            position,
            read,
            cursor=lambda end: self._seal(end, caller.department, attempt.code),
        )
        recorded = self._record(attempt, None)  # step 6
        idle_s = IDLE_REAL_TIME_S if resource.cadence is Cadence.REALTIME else IDLE_S
        return Page(attempt.content, self._receipt(recorded), None if read.more else idle_s)  # step 7

    def _decide(self, attempt: _Attempt, department: str) -> Decision:
        """The decision for one grant: the one named, or the one that the cursor came under, or its successor."""
        wish = attempt.wish
        assert wish is not None  # noqa: S101 - parsed before
        rights = attempt.view.rights(department, attempt.code)
        attempt.grants = rights.grants
        grant = wish.call.grant
        if grant is None and wish.cursor != NOW:
            opened = self._sealer.open(wish.cursor, department=department, resource=attempt.code)
            grant = _successors(opened.grant, rights.grants, attempt.at)[-1]
        request = attempt.request = AccessRequest(
            consumer=department,
            resource=attempt.code,
            action=SUBSCRIBE,
            fields=wish.call.fields,
            lookup=(),
            purpose=wish.call.purpose.matter or None,
            grant=grant,
        )
        decision = attempt.decision = rights.decide(request, attempt.at)
        if decision.allowed and "," in grant_of(decision):
            several = grant_of(decision).replace(",", ", ")
            raise InvalidRequestError(
                where="grant",
                why=f"one grant at a time is followed; name one of {several}",
                why_zh=f"一次只能按一项授权订阅，请指明其中之一：{several}",
            )
        return decision

    def _start(self, attempt: _Attempt, department: str) -> Position:
        """Where the page begins: the opened cursor, found to be of this grant, or the end of the feed."""
        wish, decision = attempt.wish, attempt.decision
        assert wish is not None  # noqa: S101 - parsed before
        assert decision is not None  # noqa: S101 - decided before
        grant, view = grant_of(decision), view_digest(decision)
        if wish.cursor == NOW:
            return self._reader.end(attempt.code, Position("", 0, 0, grant, view), attempt.at)
        position = self._sealer.open(wish.cursor, department=department, resource=attempt.code)
        if position.grant != grant:
            # A grant that took the place of another goes on where that one ended, if it shows the same.
            if grant not in _successors(position.grant, attempt.grants, attempt.at) or position.view != view:
                raise CursorElsewhereError(grant=position.grant)
            position = replace(position, grant=grant)
        return position

    def _viewer(self, resource: InformationResource, decision: Decision, department: str) -> Viewer:
        return Viewer(resource, decision, department=department, sealer=self._sealer, mask_key=self._mask_key)

    def _seal(self, position: Position, department: str, code: str) -> str:
        return self._sealer.seal(position, department=department, resource=code)

    # --- evidence ---

    def _record(self, attempt: _Attempt, error: HubError | None) -> Recorded:
        """Make the evidence of *attempt* durable. Public facts hold only words that the list itself knows."""
        salt = self._evidence.draw_salt()
        facts = facts_of(attempt, error)
        if attempt.wish is not None:
            facts["request_digest"] = seal_body(attempt.wish.plain(), part_salt(salt, "request"))
            facts["cursor_digest"] = seal_body({"cursor": attempt.wish.cursor}, part_salt(salt, "cursor"))
        if error is None and attempt.read is not None:
            facts["counts"] = dict(sorted(Counter(event.kind for event in attempt.read.events).items()))
            facts["more"] = attempt.read.more
            facts["next_digest"] = seal_body({"cursor": attempt.content["cursor"]}, part_salt(salt, "cursor"))
            facts["answer_digest"] = seal_body(attempt.content, part_salt(salt, "answer"))
        return self._evidence.append(
            DENIED if error is not None else ANSWERED,
            at=attempt.at,
            actor=attempt.actor,
            resource=attempt.code if attempt.resource else "",
            purpose=attempt.purpose,
            facts=facts,
            body=_body(attempt, error),
            salt=salt,
        )

    def _receipt(self, recorded: Recorded) -> Receipt:
        facts = recorded.entry.facts
        return receipts.issue(
            self._signer,
            self._evidence.origin,
            recorded.index,
            recorded.entry.encode(),
            request_salt=recorded.salt_for("request").hex() if "request_digest" in facts else "",
            answer_salt=recorded.salt_for("answer").hex() if "answer_digest" in facts else "",
        )


def content_of(
    code: str,
    list_version: str,
    decision: Decision,
    start: Position,
    read: Read,
    *,
    cursor: Callable[[Position], str],
) -> dict[str, Any]:
    """What a page says: the events of *read*, which began at *start*, as *decision* shows them; *cursor* seals."""
    view = view_digest(decision)
    content: dict[str, Any] = {
        "resource": code,
        "list_version": list_version,
        "snapshot": str(read.snapshot),
        "grant": grant_of(decision),
        "masked": {name: str(mask) for name, mask in decision.masks if mask is not Mask.NONE},
    }
    if decision.scopes:
        content["rows"] = rules_to_plain(decision.scopes[0].rows)
    if start.view != view:
        # Rows told before were shown otherwise: who needs them as they are shown now begins anew.
        content["view_changed"] = True
    return {
        **content,
        "events": [event.plain() for event in read.events],
        "cursor": cursor(replace(read.position, view=view)),
        "more": read.more,
    }


def view_digest(decision: Decision) -> str:
    """What a follower sees, in few letters: other fields, masks or rows make another."""
    plain = {
        "masks": sorted([name, mask.value] for name, mask in decision.masks),
        "scopes": [
            [rules_to_plain(scope.rows), sorted([name, mask.value] for name, mask in scope.masks)]
            for scope in decision.scopes
        ],
    }
    return hashlib.sha256(encode(plain)).hexdigest()[:16]


def _successors(grant: str, grants: Sequence[Grant], at: datetime) -> list[str]:
    """*grant*, and those that took its place one after the other and have begun."""
    found = [grant]
    heirs = {g.predecessor: g.id for g in grants if g.predecessor and g.starts <= at}
    while found[-1] in heirs and heirs[found[-1]] not in found:
        found.append(heirs[found[-1]])
    return found


def _body(attempt: _Attempt, error: HubError | None) -> dict[str, Any]:
    """All that deciding and reading again needs, beside the list version that the facts name."""
    body: dict[str, Any] = {
        "format": BODY_FORMAT,
        "action": SUBSCRIBE,
        "code": attempt.code[:MAX_CODE_CHARS],
        "at": attempt.at.isoformat(),
        "outcome": outcome_of(error),
    }
    if attempt.caller is not None:
        body["caller"] = {"id": attempt.caller.id, "department": attempt.caller.department}
    if attempt.wish is not None:
        body["call"] = attempt.wish.plain()
    if attempt.request is not None:
        body["access"] = request_to_plain(attempt.request)
    if attempt.decision is not None:
        # The grants are frozen as they were: a revocation later must not change what is decided again.
        body["grants"] = [grant_to_plain(grant) for grant in attempt.grants]
        body["decision"] = decision_to_plain(attempt.decision)
    if attempt.start is not None and attempt.read is not None:
        # Which changes were told: the records of a page are those of the feed between the two.
        ends = {"from": attempt.start, "through": attempt.read.position}
        body |= {name: {"table": p.table, "seq": p.seq, "case": p.case} for name, p in ends.items()}
    return body
