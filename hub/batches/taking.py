"""Takes batch orders: decides them within the day's quotas, counts their rows, freezes and records them.

The steps, by number:

    1. decide, within quotas          4. make the evidence durable
    2. count the rows of the snapshot 5. keep the order, for a worker to make
    3. refuse what is too large       (refused at any step: evidence, then say so)
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import sqlalchemy as sa

from audit.canonical import encode_json
from audit.entry import sealed
from catalog.decide import decide, decision_to_plain, grant_to_plain, request_to_plain
from hub import receipts
from hub.answers import decision_grants
from hub.batches.errors import BatchSourceError, BatchTooLargeError, TooManyBatchesError
from hub.batches.order import BATCH, PLAN_FORMAT, decide_order, frozen
from hub.batches.rows import ORDERED, RUNNING, new_id, read
from hub.control import BatchRow, GrantRow
from hub.errors import DeniedError, QuotaExhaustedError, RequestError, ResourceUnknownError
from hub.evidence import part_salt
from hub.invocation import RefusedError
from hub.recording import MAX_CODE_CHARS, Attempt, facts_of
from hub.usage import next_day
from warehouse.errors import WarehouseError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from sqlalchemy.engine import Connection

    from catalog.decide import AccessRequest, Decision, Grant
    from catalog.model import InformationResource
    from hub.batches.desk import Batches
    from hub.batches.order import Wish
    from hub.batches.rows import Batch
    from hub.errors import HubError
    from hub.receipts import Receipt
    from hub.standing import KnownCaller

MAX_UNDER_WAY: Final = 20  # orders of one department, so that none takes the disk of all others


def take(room: Batches, caller: KnownCaller, code: str, wish: Wish | RequestError) -> tuple[Batch, Receipt]:
    """Take an order of *caller*'s department; *wish* is an error where the door could not accept one.

    Raises:
        RefusedError: it was not taken; its cause says why, and evidence of it is kept.
        EvidenceUnavailableError, ControlUnavailableError: nothing was taken because nothing could be recorded.
    """
    view = room.standing.now()
    attempt = Attempt(BATCH, code, room.evidence.clock(), view, caller=caller)
    try:
        return _order(room, attempt, caller, wish)
    except (RequestError, DeniedError, QuotaExhaustedError, BatchSourceError, TooManyBatchesError) as error:
        raise RefusedError(error, _refused(room, attempt, wish, error)) from error


def _order(room: Batches, attempt: Attempt, caller: KnownCaller, wish: Wish | RequestError) -> tuple[Batch, Receipt]:
    if isinstance(wish, RequestError):
        raise wish
    attempt.call = wish.call
    resource = attempt.resource
    if resource is None:
        raise ResourceUnknownError(resource=attempt.code[:MAX_CODE_CHARS])
    attempt.grants = attempt.view.rights(caller.department, attempt.code).grants
    while True:
        decided = decide_order(wish, caller.department, resource, _asking(attempt))  # step 1
        plan = frozen(decided, wish, attempt.grants, caller, attempt.at)
        # Rows are counted before the write transaction, in which nobody else can write.
        attempt.snapshot, rows = _count(room, plan, resource)  # step 2
        if rows > room.settings.batch_rows:  # step 3
            raise BatchTooLargeError(rows=rows, limit=room.settings.batch_rows)
        with room.control.writing() as connection:
            _bound(connection, caller.department)
            within = _within_quota(room, connection, attempt, decided.decision)
            if within == attempt.grants:
                # Steps 4 and 5. A crash between them: the log has an order that nobody was told of.
                plan |= {"snapshot": str(attempt.snapshot), "rows": rows}
                return _take(room, connection, attempt, wish, plan)
        # Some are used up: decided again with the others, which are fewer each time.
        attempt.grants = within


def _asking(attempt: Attempt) -> Callable[[AccessRequest], Decision]:
    def ask(request: AccessRequest) -> Decision:
        decision = decide(request, attempt.view.list, attempt.grants, attempt.at)
        attempt.request, attempt.decision = request, decision
        return decision

    return ask


def _count(room: Batches, plan: Mapping[str, Any], resource: InformationResource) -> tuple[int, int]:
    """The snapshot that is ordered, the current one, and how many rows *plan* shows of it."""
    try:
        snapshot = room.house.current_snapshot(resource.code)
        if snapshot is None:
            raise BatchSourceError(resource=resource.code)
        with room.masked(plan, resource, snapshot) as rows:
            return snapshot, rows.count()
    except (WarehouseError, OSError) as error:
        raise BatchSourceError(resource=resource.code) from error


def _bound(connection: Connection, department: str) -> None:
    query = sa.select(sa.func.count()).where(BatchRow.department == department, BatchRow.state.in_((ORDERED, RUNNING)))
    if int(connection.execute(query).scalar_one()) >= MAX_UNDER_WAY:
        raise TooManyBatchesError(limit=MAX_UNDER_WAY)


def _within_quota(room: Batches, connection: Connection, attempt: Attempt, decision: Decision) -> tuple[Grant, ...]:
    """The grants whose calls of today are not used up; an order is one call, whatever it fits.

    The log counts, in which an order stands before its transaction ends. Each order of a grant waits until the one
    before it has ended, and so counts it: of those that are being taken at once none overtakes the quota.

    Raises:
        QuotaExhaustedError: without the others nothing is left.
    """
    used = set(decision_grants(decision))
    limited = [grant for grant in attempt.grants if grant.quota_per_day and grant.id in used]
    if not limited:
        return attempt.grants
    # On SQLite the write transaction itself makes others wait. In order, so that no two wait for each other.
    ids = [grant.id for grant in limited]
    connection.execute(sa.select(GrantRow.id).where(GrantRow.id.in_(ids)).order_by(GrantRow.id).with_for_update())
    spent = [grant for grant in limited if room.usage.today(grant.id, attempt.at) >= grant.quota_per_day]
    others = tuple(grant for grant in attempt.grants if grant not in spent)
    if spent and attempt.request is not None:
        rest = decide(attempt.request, attempt.view.list, others, attempt.at)
        if not rest.allowed:
            first = spent[0]
            raise QuotaExhaustedError(
                grant=first.id, limit=first.quota_per_day, resets=next_day(attempt.at).isoformat()
            )
    return others


def _take(
    room: Batches, connection: Connection, attempt: Attempt, wish: Wish, plan: Mapping[str, Any]
) -> tuple[Batch, Receipt]:
    id_ = new_id(connection)
    evidence = room.evidence
    salt = evidence.draw_salt()
    facts = facts_of(attempt, None) | {
        "outcome": ORDERED,
        "batch": id_,
        # A field by which rows are chosen only is not shown.
        "fields": list(plan["fields"]),
        "format": wish.form,
        "rows": plan["rows"],
        "request_digest": sealed(encode_json(wish.plain()), part_salt(salt, "request")),
    }
    recorded = evidence.append(
        "batch.ordered",
        at=attempt.at,
        actor=attempt.actor,
        resource=attempt.code,
        purpose=attempt.purpose,
        facts=facts,
        body={**plan, "id": id_},
        salt=salt,
    )
    digests = {
        "order": facts["request_digest"],
        "purpose": sealed(encode_json(wish.purpose.plain()), part_salt(salt, "purpose")),
    }
    row = {
        "id": id_,
        "state": ORDERED,
        "department": attempt.actor,
        "resource": attempt.code,
        "grant": facts["grant"],
        "snapshot": attempt.snapshot,
        "list_version": attempt.view.list.version,
        "form": wish.form,
        "plan": {**plan, "digests": digests},
        "ordered_at": attempt.at,
        "log_index": recorded.index,
        "rows_total": plan["rows"],
    }
    connection.execute(sa.insert(BatchRow).values(**row))
    request_salt = recorded.salt_for("request").hex()
    leaf = recorded.entry.encode()
    receipt = receipts.issue(room.signer, evidence.origin, recorded.index, leaf, request_salt=request_salt)
    return read(connection, id_), receipt


def _refused(room: Batches, attempt: Attempt, wish: Wish | RequestError, error: HubError) -> Receipt:
    salt = room.evidence.draw_salt()
    facts = facts_of(attempt, error)
    body: dict[str, Any] = {
        "format": PLAN_FORMAT,
        "action": BATCH,
        "code": attempt.code[:MAX_CODE_CHARS],
        "at": attempt.at.isoformat(),
        "outcome": facts["outcome"],
    }
    if not isinstance(wish, RequestError):
        facts["request_digest"] = sealed(encode_json(wish.plain()), part_salt(salt, "request"))
        body["order"] = wish.plain()
    if attempt.request is not None and attempt.decision is not None and attempt.caller is not None:
        body |= {
            "caller": {"id": attempt.caller.id, "department": attempt.caller.department},
            "access": request_to_plain(attempt.request),
            # As they were: a revocation later must not change what is decided again.
            "grants": [grant_to_plain(grant) for grant in attempt.grants],
            "decision": decision_to_plain(attempt.decision),
        }
    recorded = room.evidence.append(
        "batch.denied",
        at=attempt.at,
        actor=attempt.actor,
        resource=attempt.code if attempt.resource else "",
        purpose=attempt.purpose,
        facts=facts,
        body=body,
        salt=salt,
    )
    request_salt = recorded.salt_for("request").hex() if "order" in body else ""
    leaf = recorded.entry.encode()
    return receipts.issue(room.signer, room.evidence.origin, recorded.index, leaf, request_salt=request_salt)
