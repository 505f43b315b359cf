"""The data-invocation service (数据调用服务): answers one call, or denies it, and keeps evidence of either.

The steps of a call, by number:

    1. authenticate the caller            5. look the records up
    2. parse the body                     6. mask, or compare the claims; say what is disputed
    3. decide, within the day's quotas    7. make the evidence durable
    4. (denied: evidence, then say so)    8. hand the answer out, with its signed receipt

Steps 1 to 6 are `Invocation.prepare`, which writes nothing; 7 is shared by all who wait (`hub.committing`) or done at
once (`Invocation.call`); 8 is `Invocation.finish`.

HTTP and signatures are the doors' affair; what is decided is `catalog.decide`'s; what evidence says,
`hub.recording`'s; how it can be replayed, `hub.auditing`'s.
"""

from __future__ import annotations

import hashlib
import sqlite3
import threading
from collections import Counter
from dataclasses import dataclass
from time import perf_counter_ns
from typing import TYPE_CHECKING, Any

from audit.entry import sealed
from catalog.decide import decide, row_view
from catalog.rows import rules_to_plain
from hub import quickjson, receipts
from hub.actors import Role
from hub.answers import (
    MAX_RECORDS,
    QUERY,
    VERIFY,
    Sought,
    Terms,
    access_request,
    answer,
    decision_grants,
    grant_of,
    lookup_values,
    select,
)
from hub.enumeration import Budget, GuessesExhaustedError, subjects_of
from hub.errors import (
    DeniedError,
    IndexUnavailableError,
    KeyRefusedError,
    QuotaExhaustedError,
    RequestError,
    ResourceUnknownError,
    RoleMissingError,
    TooManyRecordsError,
)
from hub.evidence import part_salt
from hub.matching.text import Verdict
from hub.once import NAMED, digests, name_of
from hub.receipts import Receipt
from hub.recording import MAX_CODE_CHARS, TERMS_SALT, Attempt, TermsShelf, body_of, facts_of
from hub.requests import parse_call, parse_question, read_json
from hub.usage import next_day
from warehouse.errors import WarehouseError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from datetime import datetime

    from catalog.decide import AccessRequest, Decision, Grant, Rights
    from catalog.model import InformationResource
    from hub.errors import HubError
    from hub.evidence import Draft, Evidence
    from hub.matching.comparing import Wire
    from hub.receipts import Promised
    from hub.recording import KeptTerms
    from hub.requests import Call
    from hub.signatures import AnswerSigner
    from hub.standing import KnownCaller, Standing, View
    from hub.usage import Usage
    from warehouse.engine import Warehouse
    from warehouse.lookup import Lookup

    # A bearer key, or who finds out under which state and at what time the request comes from whom.
    Opens = str | None | Callable[[View, datetime], KnownCaller | None]

# A look-up field that fits more rows than this is not followed: another one or narrower rules must leave fewer.
MAX_FOLLOWED = 1_000
# What becomes of a call that is recorded as not answered.
REFUSALS = (
    KeyRefusedError,
    RoleMissingError,
    DeniedError,
    RequestError,
    QuotaExhaustedError,
    GuessesExhaustedError,
    IndexUnavailableError,
)
# How often sets of keys are looked up anew when the index is swapped between two of them.
_ATTEMPTS = 8


@dataclass(slots=True)  # one for each call: see ADR 0024
class Answer:
    """An answered call: its *content* as digested, the same *encoded*, and its *receipt*."""

    content: Mapping[str, Any]
    encoded: bytes
    receipt: Receipt
    prepared: Prepared | None = None

    def plain(self) -> dict[str, Any]:
        """The body of the answer."""
        return {**self.content, "receipt": self.receipt.plain()}

    def body(self) -> bytes:
        """The body of the answer as it is sent."""
        return b'%b,"receipt":%b}' % (self.encoded[:-1], self.receipt.encode())


class WaitsError(Exception):
    """The call cannot be prepared at once: prepare it where waiting holds nobody up."""


class RefusedError(Exception):
    """A call that was not answered, with the receipt of the evidence that says so."""

    def __init__(self, cause: HubError, receipt: Receipt) -> None:
        self.cause = cause
        self.receipt = receipt
        super().__init__(str(cause))


@dataclass(slots=True)  # one for each call: see ADR 0024
class Allowance:
    """A grant's calls of a day: its *limit*, how many are *used* with the *cost* of this one; at *resets* none are."""

    grant: str
    limit: int
    used: int
    resets: datetime
    cost: int


@dataclass(slots=True)
class Prepared:
    """A call that is answered but for its evidence: hand nothing out before its *draft* is kept.

    *generation* is that of the control data it rests on. *moments* are in nanoseconds: when it began, and when the
    caller was known, the call decided, its records found, the answer made, its evidence written out; fewer of a
    refused one. *durable* is when its evidence was. *name* are the
    digests of the name that its caller gave it, and of what it was given for.
    """

    generation: int
    draft: Draft
    content: Mapping[str, Any] | None
    encoded: bytes
    error: HubError | None
    salts: tuple[bytes, ...]
    terms: KeptTerms | None
    allowances: tuple[Allowance, ...]
    at: datetime
    etag: str
    moments: tuple[int, ...]
    durable: int = 0
    name: tuple[str, str] = ("", "")


class Invocation:
    """Answers calls. Safe for many threads: concurrent calls share fsyncs, caches and index files.

    Promise: whatever leaves `call`, an answer or a refusal, its entry is durable in the log. When the evidence
    cannot be kept, an `EvidenceUnavailableError` leaves it and no data.
    """

    sandbox = False

    def __init__(
        self,
        standing: Standing,
        evidence: Evidence,
        warehouse: Warehouse,
        usage: Usage,
        *,
        mask_key: bytes,
        signer: AnswerSigner,
        budget: Budget | None = None,
    ) -> None:
        self._standing = standing
        self._evidence = evidence
        self._warehouse = warehouse
        self._usage = usage
        self._mask_key = mask_key
        self._signer = signer
        self._budget = budget or Budget(0)
        self._shelf = TermsShelf()
        self._under_way: Counter[str] = Counter()
        self._counting = threading.Lock()

    def query(self, key: str | None, code: str, body: bytes) -> Answer:
        """The records that the keys in *body* find, masked. See `call`."""
        return self.call(QUERY, key, code, body)

    def verify(self, key: str | None, code: str, body: bytes) -> Answer:
        """Whether the claims in *body* hold: yes, no or unknown for each. See `call`."""
        return self.call(VERIFY, key, code, body)

    def call(self, action: str, opens: Opens, code: str, body: bytes | RequestError) -> Answer:
        """Answer one call; *opens* says who calls, *body* is an error where the door could not accept one.

        Raises:
            RefusedError: the call was not answered; its cause says why, and evidence of it is kept.
            EvidenceUnavailableError: nothing was answered because nothing could be recorded.
            ListMissingError, ControlUnavailableError: the deployment cannot answer anyone.
        """
        # The state is read before the clock: a grant revoked before this call is then never taken for still in force.
        prepared = self.prepare(action, opens, code, body, self._standing.now())
        try:
            (promised,) = self.keep([prepared])
        finally:
            self.settle(prepared)
        # A crash here leaves evidence of an answer that nobody got, which errs on the right side.
        return self.finish(prepared, promised)

    def prepare(
        self,
        action: str,
        opens: Opens,
        code: str,
        body: bytes | RequestError,
        view: View,
        *,
        at_once: bool = False,
        named: str | None = None,
    ) -> Prepared:
        """Steps 1 to 6 under the state *view*. Keeps no evidence; `settle` what it returns, whatever becomes of it.

        *named* is the name that the caller gave the call (`hub.once`), None for none.

        Raises:
            WaitsError: it is to be done *at_once*, and would have to wait for a write.
            ControlUnavailableError, MissesFullError, and what is a fault of ours: nothing is to be recorded.
        """
        attempt = Attempt(action, code, self._evidence.clock(), view, at_once=at_once, named=named)
        attempt.moments.append(perf_counter_ns())
        content: Mapping[str, Any] | None = None
        error: HubError | None = None
        try:
            content = self._answer(attempt, opens, body)
        except REFUSALS as refused:
            error = refused
        finally:
            if content is None:
                self._end(attempt.allowances)
        encoded = b"" if content is None else quickjson.encode(content)
        terms = attempt.terms = attempt.terms or self._shelf.terms(attempt)
        draft = self._draft(attempt, error, terms, encoded)
        attempt.moments.append(perf_counter_ns())
        return Prepared(
            generation=view.generation,
            draft=draft,
            content=content,
            encoded=encoded,
            error=error,
            salts=tuple(attempt.salts),
            terms=terms,
            allowances=() if content is None else attempt.allowances,
            at=attempt.at,
            etag="" if content is None else _etag(content, attempt),
            moments=tuple(attempt.moments),
            name=attempt.name,
        )

    def keep(self, group: Sequence[Prepared]) -> list[Promised]:
        """Step 7: make the evidence of *group* durable, and promise each its place in the log. Raises: as `call`."""
        drafts = [prepared.draft for prepared in group]
        places = self._evidence.keep(drafts)
        durable = perf_counter_ns()
        for prepared in group:
            prepared.durable = durable
        return receipts.promise(self._signer, self.origin, places[0], [draft.leaf for draft in drafts])

    def settle(self, prepared: Prepared) -> None:
        """Count *prepared* no longer among the calls under way: it is in the log now, or never will be."""
        self._end(prepared.allowances)

    def finish(self, prepared: Prepared, promised: Promised) -> Answer:
        """Step 8, once the draft of *prepared* is durable and its place *promised*.

        Raises:
            RefusedError: the call was not answered.
        """
        if prepared.terms is not None:
            prepared.terms.kept_on = prepared.at.date()
        receipt = Receipt(
            self.origin,
            promised.index,
            prepared.draft.leaf,
            self._signer.verifier.key_id,
            promised.signature,
            prepared.salts[0].hex(),
            prepared.salts[1].hex(),
            promised.group,
        )
        if prepared.error is not None:
            raise RefusedError(prepared.error, receipt) from prepared.error
        return Answer(prepared.content or {}, prepared.encoded, receipt, prepared)

    def explain(self, opens: Opens, code: str, body: bytes | RequestError) -> dict[str, Any]:
        """Whether a call would be allowed now, with what, and why not: nothing is looked up, counted or recorded.

        Raises:
            KeyRefusedError, RequestError, ResourceUnknownError: it cannot be said.
        """
        view = self._standing.now()
        at = self._evidence.clock()
        caller = self._known(opens, view, at)
        if isinstance(body, RequestError):
            raise body
        action, call = parse_question(read_json(body))
        resource = view.list.by_code.get(code)
        if resource is None:
            raise ResourceUnknownError(resource=code[:MAX_CODE_CHARS])
        rights = view.rights(caller.department, code)
        request = access_request(action, caller.department, code, call)
        decision = rights.decide(request, at)
        used = set(decision_grants(decision))
        return {
            "resource": code,
            "list_version": view.list.version,
            "action": action,
            "allowed": decision.allowed,
            "reasons": list(decision.reasons),
            "grants": sorted(used),
            "fields": [{"name": name, "mask": str(mask)} for name, mask in decision.masks] if decision.allowed else [],
            "scopes": [
                {"grant": scope.grant, "rows": rules_to_plain(scope.rows), "fields": [name for name, _ in scope.masks]}
                for scope in decision.scopes
            ],
            "quotas": [
                self._allowance(grant, at, 0) for grant in rights.grants if grant.quota_per_day and grant.id in used
            ],
        }

    def _answer(self, attempt: Attempt, opens: Opens, body: bytes | RequestError) -> Mapping[str, Any]:
        view, moments = attempt.view, attempt.moments
        caller = attempt.caller = self._known(opens, view, attempt.at)  # step 1
        moments.append(perf_counter_ns())
        if Role.CALL not in caller.roles:
            raise RoleMissingError(role=Role.CALL.value)
        if isinstance(body, RequestError):
            raise body
        attempt.body = body
        call = attempt.call = parse_call(attempt.action, read_json(body))  # step 2
        if attempt.named is not None:
            request_text = quickjson.encode([attempt.action, attempt.code, call.plain()]).decode()
            attempt.name = digests(self._evidence.subject, caller.id, name_of(attempt.named), request_text)
        request = attempt.request = access_request(attempt.action, caller.department, attempt.code, call)
        rights = self._rights(attempt, caller.department)
        attempt.grants = rights.grants
        decision = attempt.decision = rights.decide(request, attempt.at)  # step 3
        resource = attempt.resource
        if resource is None:
            raise ResourceUnknownError(resource=attempt.code[:MAX_CODE_CHARS])
        if not decision.allowed:
            raise DeniedError(decision)  # step 4
        decision = self._within_quota(attempt, request, decision)
        kept = attempt.terms = self._shelf.terms(attempt)
        moments.append(perf_counter_ns())
        found = self._find(attempt, resource, decision)  # step 5
        moments.append(perf_counter_ns())
        terms = Terms(
            resource=resource,
            decision=decision,
            list_version=view.list.version,
            mask_key=self._mask_key,
            marks=view.marks(attempt.code),
            subject=self._evidence.subject,
            masked=None if kept is None else kept.masked,
        )
        if attempt.action == VERIFY:
            content = self._compared(attempt, call, terms, found)  # step 6
        else:
            content = answer(attempt.action, call, terms, found, snapshot=attempt.snapshot or 0)  # step 6
        if terms.marks and _told(content):
            # Evidence keeps the marks that were told, for the replay; others are nobody's concern.
            attempt.marks = tuple(terms.marks)
        moments.append(perf_counter_ns())
        return content

    def _compared(self, attempt: Attempt, call: Call, terms: Terms, found: list[Sought]) -> Mapping[str, Any]:
        """The answer to a verification, unless too many claims about one of its records were wrong lately.

        Raises:
            GuessesExhaustedError, MissesFullError: nothing was compared, or nothing may be told of it.
            WaitsError: it would wait for the database, and must not here.
        """
        rows = [record.row for one in found for record in one.records or ()]
        subjects = subjects_of(terms.resource, rows, self._evidence.subject)
        grant = grant_of(terms.decision) or (attempt.caller.department if attempt.caller else "")
        with self._budget.turn(grant, subjects, attempt.at) as missed:
            content = answer(VERIFY, call, terms, found, snapshot=attempt.snapshot or 0)
            mismatches = list(content["results"].values()).count(Verdict.MISMATCH)
            if mismatches and subjects:
                if attempt.at_once:
                    raise WaitsError
                for subject in subjects:
                    missed(subject, mismatches)
        return content

    def _within_quota(self, attempt: Attempt, request: AccessRequest, decision: Decision) -> Decision:
        """*decision*, or the one that the grants come to whose calls of today are not used up.

        Raises:
            QuotaExhaustedError: without the others nothing is left.
        """
        if not any(grant.quota_per_day for grant in attempt.grants):
            return decision
        cost = len(attempt.call.sought) if attempt.call else 1
        grants = attempt.grants
        with self._counting:
            while True:
                used = set(decision_grants(decision))
                allowances = [self._allowance(g, attempt.at, cost) for g in grants if g.quota_per_day and g.id in used]
                spent = [allowance for allowance in allowances if allowance.used > allowance.limit]
                if not spent:
                    break
                over = {allowance.grant for allowance in spent}
                grants = tuple(grant for grant in grants if grant.id not in over)
                decision = decide(request, attempt.view.list, grants, attempt.at)
                if not decision.allowed:
                    first = spent[0]
                    raise QuotaExhaustedError(grant=first.grant, limit=first.limit, resets=first.resets.isoformat())
            for allowance in allowances:
                self._under_way[allowance.grant] += allowance.cost
        attempt.allowances = tuple(allowances)
        attempt.grants = grants
        attempt.decision = decision
        return decision

    def _allowance(self, grant: Grant, at: datetime, cost: int) -> Allowance:
        used = self._usage.today(grant.id, at) + self._under_way[grant.id] + cost
        return Allowance(grant.id, grant.quota_per_day, used, next_day(at), cost)

    def _end(self, allowances: Sequence[Allowance]) -> None:
        if allowances:
            with self._counting:
                for allowance in allowances:
                    self._under_way[allowance.grant] -= allowance.cost

    def _find(self, attempt: Attempt, resource: InformationResource, decision: Decision) -> list[Sought]:
        """For each set of keys the records that fit it, all of one snapshot.

        Raises:
            IndexUnavailableError: there is no index, or not one that can be read.
            TooManyRecordsError: there is one set, and too many rows fit each of its values to be looked through.
        """
        call = attempt.call
        sets = [lookup_values(resource, keys) for keys in (call.sought if call else ())]
        attempt.sought = tuple(sets)
        try:
            lookup, scoped = self._lookup(attempt), bool(decision.scopes)
            view = row_view(decision, resource)
            if len(sets) > 1 and len(sets[0]) == 1:
                attempt.snapshot, each = _follow_many(lookup, sets, scoped=scoped)
                return [
                    Sought(values, None if rows is None else select(rows, resource, decision, values, view))
                    for values, rows in zip(sets, each, strict=True)
                ]
            for _ in range(_ATTEMPTS):
                found: list[Sought] = []
                snapshots: set[int] = set()
                for values in sets:
                    snapshot, rows = _follow(lookup, values, scoped=scoped)
                    snapshots.add(snapshot)
                    records = None if rows is None else select(rows, resource, decision, values, view)
                    found.append(Sought(values, records))
                if len(snapshots) == 1:
                    attempt.snapshot = snapshots.pop()
                    return found
        except (WarehouseError, OSError, sqlite3.Error) as error:
            raise IndexUnavailableError(resource=attempt.code) from error
        raise IndexUnavailableError(resource=attempt.code)

    @property
    def origin(self) -> str:
        """The log that receipts promise."""
        return self._evidence.origin

    def _known(self, opens: Opens, view: View, at: datetime) -> KnownCaller:
        if callable(opens):
            caller = opens(view, at)
        else:
            credential = view.bearer(opens)
            caller = credential.caller if credential is not None and credential.in_force(at.timestamp()) else None
        # A credential for the sandbox opens nothing else; one for the real thing opens the sandbox, too.
        if caller is None or (caller.sandbox and not self.sandbox):
            raise KeyRefusedError
        return caller

    def _rights(self, attempt: Attempt, department: str) -> Rights:
        return attempt.view.rights(department, attempt.code)

    def _lookup(self, attempt: Attempt) -> Lookup:
        return self._warehouse.lookup(attempt.code)

    def _draft(self, attempt: Attempt, error: HubError | None, terms: KeptTerms | None, encoded: bytes) -> Draft:
        """The evidence of *attempt*, ready to be kept."""
        evidence = self._evidence
        salt = evidence.draw_salt()
        facts = facts_of(attempt, error)
        call = attempt.call
        subject, keys = "", attempt.sought or (call.sought if call else ())
        if call is not None:
            attempt.salts[0] = part_salt(salt, "request")
            attempt.asked = quickjson.encode(call.plain())
            facts["request_digest"] = sealed(attempt.asked, attempt.salts[0])
            if call.sets:
                facts["count"] = len(call.sets)
                facts["subjects"] = [evidence.subject(values) for values in keys]
            else:
                subject = evidence.subject(keys[0])
        if attempt.name[0]:
            facts[NAMED] = attempt.name[0]
        if encoded:
            attempt.salts[1] = part_salt(salt, "answer")
            facts["answer_digest"] = sealed(encoded, attempt.salts[1])
        more: tuple[tuple[str, bytes, bytes], ...] = ()
        if terms is not None and terms.kept_on != attempt.at.date():
            more = ((terms.digest, TERMS_SALT, terms.content),)
        return evidence.draft(
            "invocation.answered" if encoded else "invocation.denied",
            at=attempt.at,
            actor=attempt.actor,
            subject=subject,
            resource=attempt.code if attempt.resource else "",
            purpose=attempt.purpose,
            facts=facts,
            body=body_of(attempt, error, terms.digest if terms else ""),
            salt=salt,
            more=more,
            encoder=quickjson.encode,
        )


def _follow(lookup: Lookup, values: Mapping[str, str], *, scoped: bool) -> tuple[int, list[dict[str, Wire]] | None]:
    """A snapshot, and rows of it among which are all that fit *values*; None: more than an answer holds.

    The first look-up field that is selective enough is followed; the others are compared afterwards, and so are the
    rules of scopes, which may leave few of many rows.

    Raises:
        TooManyRecordsError: each value fits more rows than are looked through.
    """
    limit = MAX_RECORDS if len(values) == 1 and not scoped else MAX_FOLLOWED
    snapshot = 0
    for name, value in values.items():
        found = lookup.look(name, value, limit + 1)
        snapshot = found.snapshot_id
        if len(found.rows) <= limit:
            return snapshot, found.rows
    if limit == MAX_FOLLOWED:
        # How many of them fit is not known, so that a replay could come to another answer than "too many".
        raise TooManyRecordsError(limit=MAX_RECORDS)
    return snapshot, None


def _follow_many(
    lookup: Lookup, sets: Sequence[Mapping[str, str]], *, scoped: bool
) -> tuple[int, list[list[dict[str, Wire]] | None]]:
    """As `_follow`, for many values of one field, all of one snapshot."""
    limit = MAX_FOLLOWED if scoped else MAX_RECORDS
    (name,) = sets[0]
    found = lookup.look_many(name, [values[name] for values in sets], limit + 1)
    if scoped and any(len(rows) > limit for rows in found.rows):
        raise TooManyRecordsError(limit=MAX_RECORDS)
    return found.snapshot_id, [rows if len(rows) <= limit else None for rows in found.rows]


def _told(content: Mapping[str, Any]) -> bool:
    return "disputed" in content or any("disputed" in one for one in content.get("answers", ()))


def _etag(content: Mapping[str, Any], attempt: Attempt) -> str:
    """The state that an answer shows, whatever was asked of it: equal as long as snapshot, grant and fields are."""
    fields = ",".join(attempt.decision.fields) if attempt.decision else ""
    state = f"{content['resource']}\n{content['snapshot']}\n{content['grant']}\n{fields}"
    return f'"{hashlib.sha256(state.encode()).hexdigest()[:32]}"'
