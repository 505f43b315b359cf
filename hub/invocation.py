"""The data-invocation service (数据调用服务): answers one call, or denies it, and keeps evidence of either.

The steps, by number, for `Invocation.call`:

    1. authenticate the caller key        5. look the records up
    2. parse the body                     6. mask, or compare the claims; say what is disputed
    3. decide, within the day's quotas    7. make the evidence durable
    4. (denied: evidence, then say so)    8. hand the answer out

HTTP and signatures are the doors' affair; what is decided is `catalog.decide`'s; how it can be replayed,
`hub.auditing`'s.
"""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from audit.entry import seal_body
from catalog.decide import Decision, Grant, decide, decision_to_plain, grant_to_plain, request_to_plain
from hub.answers import (
    MAX_RECORDS,
    QUERY,
    VERIFY,
    access_request,
    answer,
    grant_of,
    lookup_values,
    select,
)
from hub.disputes import marks_to_plain
from hub.errors import (
    DeniedError,
    HubError,
    IndexUnavailableError,
    KeyRefusedError,
    QuotaExhaustedError,
    RequestError,
    ResourceUnknownError,
    TooManyRecordsError,
    TryAgainError,
)
from hub.evidence import UNKNOWN_ACTOR, Evidence, Recorded, part_salt
from hub.requests import Call, parse_call, read_json
from hub.usage import next_day
from warehouse.errors import WarehouseError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from catalog.decide import AccessRequest
    from catalog.model import InformationResource, ResponsibilityList
    from hub.disputes import Mark
    from hub.matching import Wire
    from hub.standing import KnownCaller, Standing, View
    from hub.usage import Usage
    from warehouse.engine import Warehouse

# Of format 1 a denial does not name the lines that it went by; otherwise it is read like format 2.
NO_LINES_IN_DENIALS = 1
BODY_FORMAT = 2
# A look-up field that fits more rows than this is not followed: another one or narrower rules must leave fewer.
MAX_FOLLOWED = 1_000


@dataclass(frozen=True, slots=True)
class Receipt:
    """What the caller keeps: where its evidence stands, and what opens the digests of its own request and answer."""

    entry: int
    log: str
    at: datetime
    request_digest: str = ""
    answer_digest: str = ""
    request_salt: str = ""
    answer_salt: str = ""

    def plain(self) -> dict[str, Any]:
        """The receipt as it stands in an answer."""
        plain: dict[str, Any] = {"entry": self.entry, "log": self.log, "at": self.at.isoformat()}
        for name in ("request_digest", "answer_digest", "request_salt", "answer_salt"):
            if getattr(self, name):
                plain[name] = getattr(self, name)
        return plain


@dataclass(frozen=True, slots=True)
class Answer:
    """An answered call: *content* as digested, and its *receipt*."""

    content: Mapping[str, Any]
    receipt: Receipt

    def plain(self) -> dict[str, Any]:
        """The body of the answer."""
        return {**self.content, "receipt": self.receipt.plain()}


class RefusedError(Exception):
    """A call that was not answered, with the receipt of the evidence that says so."""

    def __init__(self, cause: HubError, receipt: Receipt) -> None:
        self.cause = cause
        self.receipt = receipt
        super().__init__(str(cause))


@dataclass(slots=True)
class _Attempt:
    """What is known of a call so far; a step adds what it found, and the evidence says it all."""

    action: str
    code: str
    at: datetime
    view: View
    caller: KnownCaller | None = None
    call: Call | None = None
    decision: Decision | None = None
    grants: tuple[Grant, ...] = ()
    marks: tuple[Mark, ...] = ()
    snapshot: int | None = None
    values: Mapping[str, str] | None = None

    @property
    def resource(self) -> InformationResource | None:
        return self.view.list.by_code.get(self.code)


class Invocation:
    """Answers calls. Safe for many threads: concurrent calls share fsyncs, caches and index files.

    Promise: whatever leaves `call`, an answer or a refusal, its entry is durable in the log. When the evidence
    cannot be kept, an `EvidenceUnavailableError` leaves it and no data.
    """

    def __init__(
        self, standing: Standing, evidence: Evidence, warehouse: Warehouse, usage: Usage, *, mask_key: bytes
    ) -> None:
        self._standing = standing
        self._evidence = evidence
        self._warehouse = warehouse
        self._usage = usage
        self._mask_key = mask_key

    def query(self, key: str | None, code: str, body: bytes) -> Answer:
        """The records that the keys in *body* find, masked. See `call`."""
        return self.call(QUERY, key, code, body)

    def verify(self, key: str | None, code: str, body: bytes) -> Answer:
        """Whether the claims in *body* hold: yes, no or unknown for each. See `call`."""
        return self.call(VERIFY, key, code, body)

    def call(self, action: str, key: str | None, code: str, body: bytes | RequestError) -> Answer:
        """Answer one call of the caller with *key*; *body* is an error where the door could not accept one.

        Raises:
            RefusedError: the call was not answered; its cause says why, and evidence of it is kept.
            EvidenceUnavailableError: nothing was answered because nothing could be recorded.
            ListMissingError, ControlUnavailableError: the deployment cannot answer anyone.
        """
        # The state is read before the clock: a grant revoked before this call is then never taken for still in force.
        view = self._standing.now()
        attempt = _Attempt(action, code, self._evidence.clock(), view)
        try:
            return self._answer(attempt, key, body)
        except (KeyRefusedError, DeniedError, RequestError, QuotaExhaustedError, IndexUnavailableError) as error:
            recorded = self._record(attempt, error=error)
            raise RefusedError(error, self._receipt(recorded, None, None)) from error

    def _answer(self, attempt: _Attempt, key: str | None, body: bytes | RequestError) -> Answer:
        view = attempt.view
        attempt.caller = view.caller(key)  # step 1
        if attempt.caller is None:
            raise KeyRefusedError
        if isinstance(body, RequestError):
            raise body
        call = attempt.call = parse_call(attempt.action, read_json(body))  # step 2
        request = access_request(attempt.action, attempt.caller.department, attempt.code, call)
        rights = view.rights(attempt.caller.department, attempt.code)
        attempt.grants = rights.grants
        decision = attempt.decision = rights.decide(request, attempt.at)  # step 3
        resource = attempt.resource
        if resource is None:
            raise ResourceUnknownError(resource=attempt.code)
        if not decision.allowed:
            raise DeniedError(decision)  # step 4
        decision = attempt.decision = self._within_quota(attempt, request, decision)
        values = attempt.values = lookup_values(resource, call)
        attempt.snapshot, rows = self._find(attempt.code, values, scoped=bool(decision.scopes))  # step 5
        attempt.marks = view.marks(attempt.code)
        content = answer(  # step 6
            attempt.action,
            resource,
            call,
            decision,
            select(rows, resource, decision, values),
            list_version=view.list.version,
            snapshot=attempt.snapshot,
            mask_key=self._mask_key,
            marks=attempt.marks,
            subject=self._evidence.subject,
        )
        if "disputed" not in content:
            attempt.marks = ()  # Evidence keeps the marks that were told, for the replay; others are nobody's concern.
        # A crash after step 7 leaves evidence of an answer that nobody got, which errs on the right side.
        recorded = self._record(attempt, content=content)  # step 7
        return Answer(content, self._receipt(recorded, call, content))  # step 8

    def _within_quota(self, attempt: _Attempt, request: AccessRequest, decision: Decision) -> Decision:
        """*decision*, or the one that the grants come to whose calls of today are not used up.

        Raises:
            QuotaExhaustedError: without the others nothing is left.
        """
        used = {label.removeprefix("grant:") for label in decision.determined_by}
        spent = [
            grant
            for grant in attempt.grants
            if grant.quota_per_day
            and grant.id in used
            and self._usage.today(grant.id, attempt.at) >= grant.quota_per_day
        ]
        if not spent:
            return decision
        others = tuple(grant for grant in attempt.grants if grant not in spent)
        rest = decide(request, attempt.view.list, others, attempt.at)
        if not rest.allowed:
            raise QuotaExhaustedError(
                grant=spent[0].id, limit=spent[0].quota_per_day, resets=next_day(attempt.at).isoformat()
            )
        attempt.grants = others
        return rest

    def _find(self, code: str, values: Mapping[str, str], *, scoped: bool) -> tuple[int, list[dict[str, Wire]]]:
        """The snapshot that answered, and rows of it among which are all that fit *values*.

        The first look-up field that is selective enough is followed; the others are compared afterwards, and so are
        the rules of scopes, which may leave few of many rows.
        """
        limit = MAX_RECORDS if len(values) == 1 and not scoped else MAX_FOLLOWED
        try:
            lookup = self._warehouse.lookup(code)
            for name, value in values.items():
                found = lookup.look(name, value, limit + 1)
                if len(found.rows) <= limit:
                    return found.snapshot_id, found.rows
        except (WarehouseError, OSError, sqlite3.Error) as error:
            raise IndexUnavailableError(resource=code) from error
        raise TooManyRecordsError(limit=MAX_RECORDS)

    def _record(
        self, attempt: _Attempt, *, content: Mapping[str, Any] | None = None, error: HubError | None = None
    ) -> Recorded:
        """Make the evidence of *attempt* durable. Public facts hold only words that the list itself knows."""
        salt = self._evidence.draw_salt()
        list_ = attempt.view.list
        facts = _facts(attempt, list_, error)
        if attempt.call is not None:
            facts["request_digest"] = seal_body(attempt.call.plain(), part_salt(salt, "request"))
        if content is not None:
            facts["answer_digest"] = seal_body(content, part_salt(salt, "answer"))
        matter = attempt.call.purpose.matter if attempt.call else ""
        keys = attempt.values or (attempt.call.keys if attempt.call else None)
        return self._evidence.append(
            "invocation.denied" if content is None else "invocation.answered",
            at=attempt.at,
            actor=attempt.caller.department if attempt.caller else UNKNOWN_ACTOR,
            subject=self._evidence.subject(keys) if keys else "",
            resource=attempt.code if attempt.resource else "",
            purpose=matter if matter in list_.matters_by_code else "",
            facts=facts,
            body=_body(attempt, error),
            salt=salt,
        )

    def _receipt(self, recorded: Recorded, call: Call | None, content: Mapping[str, Any] | None) -> Receipt:
        facts = recorded.entry.facts
        return Receipt(
            entry=recorded.index,
            log=self._evidence.origin,
            at=recorded.entry.at,
            request_digest=facts.get("request_digest", "") if call else "",
            answer_digest=facts.get("answer_digest", "") if content else "",
            request_salt=recorded.salt_for("request").hex() if call else "",
            answer_salt=recorded.salt_for("answer").hex() if content else "",
        )


def outcome_of(error: HubError | None) -> str:
    """How a call ended, in one word of the public facts."""
    if error is None:
        return "answered"
    if isinstance(error, DeniedError | KeyRefusedError | ResourceUnknownError):
        return "denied"
    return "unavailable" if isinstance(error, TryAgainError) else "refused"


def reason_codes(error: HubError | None, decision: Decision | None) -> list[str]:
    """Why a call ended as it did: the decision's reasons, or the code of what stopped it."""
    if isinstance(error, DeniedError) or (error is None and decision is not None):
        return [reason.code for reason in decision.reasons] if decision else []
    return [] if error is None else [error.code]


def _facts(attempt: _Attempt, list_: ResponsibilityList, error: HubError | None) -> dict[str, Any]:
    decision = attempt.decision
    allowed = decision is not None and decision.allowed
    facts: dict[str, Any] = {
        "action": attempt.action,
        "outcome": outcome_of(error),
        "decision": "allowed" if allowed else "denied",
        "reasons": reason_codes(error, decision),
        "list_version": list_.version,
    }
    if attempt.caller is not None:
        facts["caller"] = attempt.caller.id
    if decision is not None and decision.allowed:
        # Of a denied call the fields asked for stay in the body: a caller may have put anything in their place.
        facts["grant"] = grant_of(decision)
        facts["fields"] = list(decision.fields)
        facts["masks"] = {name: str(mask) for name, mask in decision.masks if mask != "none"}
    if attempt.snapshot is not None:
        facts["snapshot"] = str(attempt.snapshot)
    return facts


def _body(attempt: _Attempt, error: HubError | None) -> dict[str, Any]:
    """All that deciding and answering again needs, beside the list version and the snapshot that the facts name."""
    body: dict[str, Any] = {
        "format": BODY_FORMAT,
        "action": attempt.action,
        "code": attempt.code[:200],
        "at": attempt.at.isoformat(),
        "outcome": outcome_of(error),
    }
    if attempt.caller is not None:
        body["caller"] = {"id": attempt.caller.id, "department": attempt.caller.department}
    if attempt.call is not None:
        body["call"] = attempt.call.plain()
        if attempt.caller is not None:
            department = attempt.caller.department
            body["access"] = request_to_plain(access_request(attempt.action, department, attempt.code, attempt.call))
    if attempt.decision is not None:
        # The grants are frozen as they were: a revocation later must not change what is decided again.
        body["grants"] = [grant_to_plain(grant) for grant in attempt.grants]
        body["decision"] = decision_to_plain(attempt.decision)
    if attempt.marks:
        body["marks"] = marks_to_plain(attempt.marks)
    return body
