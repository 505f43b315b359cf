"""Decides whether a department may call a resource, which fields it sees and how masked: a pure function.

Deny by default; a prohibition always wins; a denial always has a reason. It trusts that *consumer* is who calls:
that, quotas, and recording the decision belong to `hub`.

The rights of several grants in force for the same purpose and action add up, and where two give the same field, the
less masked one counts. Hence a further grant never takes a right away and the order of grants does not matter.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

from catalog import masks
from catalog.model import (
    EVERYONE,
    Field,
    InformationResource,
    Mask,
    Matter,
    Responsibility,
    ResponsibilityList,
    ShareType,
)
from catalog.reasons import ORDER, REASONS, Reason, reason

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

__all__ = [
    "REASONS",
    "AccessRequest",
    "Decision",
    "Grant",
    "Reason",
    "decide",
    "decision_from_plain",
    "decision_to_plain",
    "grant_from_plain",
    "grant_to_plain",
    "request_from_plain",
    "request_to_plain",
]

ACTIONS: Final = ("query", "verify")


@dataclass(frozen=True, slots=True)
class Grant:
    """A right given to one department on one resource, from *starts* up to but not at *expires* (aware times).

    *masks* hold for single fields, beyond those of the list. *purposes* are matter codes or ``*``. *list_version* is
    the version of the list under which it was given, *ground* what it rests on. From *revoked_at* on it is void.

    Raises:
        ValueError: a time without a zone.
    """

    id: str
    consumer: str
    resource: str
    fields: tuple[str, ...]
    masks: tuple[tuple[str, Mask], ...]
    purposes: tuple[str, ...]
    actions: tuple[str, ...]
    starts: datetime
    expires: datetime
    list_version: str
    ground: str
    revoked_at: datetime | None = None

    def __post_init__(self) -> None:
        _need_zone(self.starts, self.expires, self.revoked_at)


@dataclass(frozen=True, slots=True)
class AccessRequest:
    """What a department asks: *fields* (empty: all it is granted) looked up by the fields in *lookup*.

    *purpose* is a matter code. With *grant* only the grant of that id counts.
    """

    consumer: str
    resource: str
    action: str
    fields: tuple[str, ...]
    lookup: tuple[str, ...]
    purpose: str | None
    grant: str | None = None


@dataclass(frozen=True, slots=True)
class Decision:
    """The answer: when allowed, the fields in order with a mask for each; always its reasons.

    *determined_by* names what decided, sorted: ``grant:ID``, ``line:RESOURCE/PROVIDER``, ``resource:CODE``.
    """

    allowed: bool
    fields: tuple[str, ...]
    masks: tuple[tuple[str, Mask], ...]
    reasons: tuple[Reason, ...]
    determined_by: tuple[str, ...]


def decide(request: AccessRequest, list_: ResponsibilityList, grants: Iterable[Grant], on: datetime) -> Decision:
    """Decide *request* at time *on* (aware) under *list_* and *grants*. Total over all texts.

    1. The resource: known, and shared at all.
    2. The list: the caller stands on a line, the purpose is a matter and on such a line, look-up and fields exist.
       A provider stands on its own lines, for matters that are its own. It needs a grant like everyone.
    3. The grants: of this caller on this resource, in force, for this action and purpose.
    4. The fields: each granted by one of them and shared; the least masked grant counts.

    Steps 2 and 3 are gone through whole, so that a caller learns everything to mend at once.

    Raises:
        ValueError: *on* has no zone.
    """
    _need_zone(on)
    resource = list_.by_code.get(request.resource)
    if resource is None:
        return _denied([reason("resource_unknown", resource=request.resource)], set())
    if resource.share_type is ShareType.NOT_SHARED:
        ground = reason("resource_not_shared", resource=resource.code, ground=resource.share_ground)
        return _denied([ground], {f"resource:{resource.code}"})
    by_name = {field.name: field for field in resource.fields}
    reasons, lines = _against_list(request, list_, resource, by_name)
    valid, failures, failed = _in_force(request, list_, grants, on)
    reasons += failures
    if not valid:
        return _denied(reasons, failed)
    given = _given(valid, by_name)
    asked = tuple(dict.fromkeys(request.fields)) or tuple(name for name in by_name if name in given)
    reasons += [
        reason("field_not_granted", field=name)
        for name in asked
        if name in by_name and by_name[name].share_type is not ShareType.NOT_SHARED and name not in given
    ]
    if not asked:
        reasons.append(reason("no_field_left"))
    if reasons:
        return _denied(reasons, {f"grant:{grant.id}" for grant in valid})
    used = sorted({grant.id for grant in valid if any(name in grant.fields for name in asked)})
    named = ", ".join(f"`{id_}`" for id_ in used)
    told = [reason("allowed", purpose=request.purpose or "", grants=named)]
    if not request.fields:
        granted = {name for grant in valid for name in grant.fields}
        told += [reason("field_withheld", field=name) for name in granted if name not in given]
    return Decision(
        allowed=True,
        fields=asked,
        masks=tuple((name, given[name]) for name in asked),
        reasons=_ordered(told),
        determined_by=tuple(sorted(lines | {f"grant:{id_}" for id_ in used})),
    )


def _against_list(
    request: AccessRequest, list_: ResponsibilityList, resource: InformationResource, by_name: Mapping[str, Field]
) -> tuple[list[Reason], set[str]]:
    """Step 2: what the list says against the request, and the lines that speak for it."""
    reasons = []
    consumer, purpose = request.consumer, request.purpose
    matter = list_.matters_by_code.get(purpose or "")
    own = [
        line
        for line in list_.responsibilities_for(resource.code)
        if consumer in list_.departments_by_code
        and (EVERYONE in line.consumers or consumer in line.consumers or consumer == line.provider)
    ]
    for_purpose = [line for line in own if _line_covers(line, consumer, purpose, matter)]
    if not own:
        reasons.append(reason("consumer_not_on_list", consumer=consumer, resource=resource.code))
    if not purpose:
        reasons.append(reason("purpose_missing"))
    elif purpose not in list_.matters_by_code:
        reasons.append(reason("purpose_unknown", purpose=purpose))
    elif own and not for_purpose:
        reasons.append(reason("purpose_not_on_list", consumer=consumer, resource=resource.code, purpose=purpose))
    allowed = ", ".join(f"`{field.name}`" for field in resource.lookup_fields) or "-"
    if not request.lookup:
        # Without a key the whole resource would be read, which is no call but a copy.
        reasons.append(reason("lookup_missing", allowed=allowed))
    reasons += [
        reason("lookup_not_allowed", field=name, allowed=allowed)
        for name in request.lookup
        if name not in by_name or not by_name[name].lookup
    ]
    for name in request.fields:
        if name not in by_name:
            reasons.append(reason("field_unknown", field=name, resource=resource.code))
        elif by_name[name].share_type is ShareType.NOT_SHARED:
            reasons.append(reason("field_not_shared", field=name))
    return reasons, {f"line:{line.resource}/{line.provider}" for line in for_purpose}


def _line_covers(line: Responsibility, consumer: str, purpose: str | None, matter: Matter | None) -> bool:
    """Whether a line on which *consumer* stands speaks for *purpose*."""
    named = EVERYONE in line.consumers or consumer in line.consumers
    if named and (EVERYONE in line.purposes or purpose in line.purposes):
        return True
    # Who owes a resource may use it for the matters it handles itself, such as issuing a licence from it.
    return consumer == line.provider and matter is not None and matter.department == consumer


def _in_force(
    request: AccessRequest, list_: ResponsibilityList, grants: Iterable[Grant], on: datetime
) -> tuple[list[Grant], list[Reason], set[str]]:
    """Step 3: the grants that cover the request; if none does, why each does not, and which were looked at."""
    own = [
        grant
        for grant in grants
        if grant.consumer == request.consumer
        and grant.resource == request.resource
        and request.grant in (None, grant.id)
    ]
    if not own:
        which = f" called `{request.grant}`" if request.grant is not None else ""
        which_zh = f" `{request.grant}`" if request.grant is not None else ""
        missing = reason(
            "no_grant", consumer=request.consumer, resource=request.resource, which=which, which_zh=which_zh
        )
        return [], [missing], set()
    valid = []
    reasons = []
    for grant in own:
        against = _against_grant(request, list_, grant, on)
        reasons += against
        if not against and _speaks_for(grant, request.purpose):
            valid.append(grant)
    return valid, [] if valid else reasons, {f"grant:{grant.id}" for grant in own}


def _against_grant(request: AccessRequest, list_: ResponsibilityList, grant: Grant, on: datetime) -> list[Reason]:
    """What speaks against one grant. A missing or unknown purpose was told before and is not told again."""
    if grant.revoked_at is not None and grant.revoked_at <= on:
        return [reason("grant_revoked", grant=grant.id, at=grant.revoked_at.isoformat())]
    if grant.expires <= on:
        return [reason("grant_expired", grant=grant.id, at=grant.expires.isoformat())]
    if on < grant.starts:
        return [reason("grant_not_started", grant=grant.id, at=grant.starts.isoformat())]
    reasons = []
    if request.action not in ACTIONS or request.action not in grant.actions:
        reasons.append(reason("action_not_granted", grant=grant.id, action=request.action))
    if request.purpose in list_.matters_by_code and not _speaks_for(grant, request.purpose):
        reasons.append(reason("purpose_not_granted", grant=grant.id, purpose=request.purpose or ""))
    return reasons


def _speaks_for(grant: Grant, purpose: str | None) -> bool:
    return bool(purpose) and (EVERYONE in grant.purposes or purpose in grant.purposes)


def _given(grants: list[Grant], by_name: Mapping[str, Field]) -> dict[str, Mask]:
    """Step 4: each shared field some grant gives, with the mask of the grant that masks it least.

    Within one grant the list's mask and the grant's both hold.
    """
    given: dict[str, Mask] = {}
    for grant in grants:
        own: dict[str, Mask] = {}
        for name, mask in grant.masks:
            own[name] = masks.stricter(own.get(name, Mask.NONE), mask)
        for name in grant.fields:
            field = by_name.get(name)
            if field is not None and field.share_type is not ShareType.NOT_SHARED:
                mask = masks.stricter(field.mask, own.get(name, Mask.NONE))
                given[name] = min(given.get(name, mask), mask, key=masks.RANK.__getitem__)
    return given


def _denied(reasons: list[Reason], determined_by: set[str]) -> Decision:
    return Decision(
        allowed=False, fields=(), masks=(), reasons=_ordered(reasons), determined_by=tuple(sorted(determined_by))
    )


def _ordered(reasons: list[Reason]) -> tuple[Reason, ...]:
    """Each reason once, in an order that does not depend on that of the grants."""
    return tuple(sorted(set(reasons), key=lambda r: (ORDER[r.code], r.params)))


def _need_zone(*times: datetime | None) -> None:
    for time in times:
        if time is not None and time.utcoffset() is None:
            raise ValueError("a time without a zone; give an aware one")


# The forms in which they are stored and logged: dicts, lists, text, booleans. Times keep their zone's offset.


def grant_to_plain(grant: Grant) -> dict[str, Any]:
    """A JSON-able dict; `grant_from_plain` is its inverse."""
    return {
        "id": grant.id,
        "consumer": grant.consumer,
        "resource": grant.resource,
        "fields": list(grant.fields),
        "masks": [[name, mask.value] for name, mask in grant.masks],
        "purposes": list(grant.purposes),
        "actions": list(grant.actions),
        "starts": grant.starts.isoformat(),
        "expires": grant.expires.isoformat(),
        "list_version": grant.list_version,
        "ground": grant.ground,
        "revoked_at": grant.revoked_at.isoformat() if grant.revoked_at else None,
    }


def grant_from_plain(plain: Mapping[str, Any]) -> Grant:
    """The grant of which *plain* is `grant_to_plain`.

    Raises:
        KeyError, ValueError: *plain* is no such dict.
    """
    revoked_at = plain["revoked_at"]
    return Grant(
        id=plain["id"],
        consumer=plain["consumer"],
        resource=plain["resource"],
        fields=tuple(plain["fields"]),
        masks=tuple((name, Mask(mask)) for name, mask in plain["masks"]),
        purposes=tuple(plain["purposes"]),
        actions=tuple(plain["actions"]),
        starts=_time(plain["starts"]),
        expires=_time(plain["expires"]),
        list_version=plain["list_version"],
        ground=plain["ground"],
        revoked_at=_time(revoked_at) if revoked_at is not None else None,
    )


def request_to_plain(request: AccessRequest) -> dict[str, Any]:
    """A JSON-able dict; `request_from_plain` is its inverse."""
    return {
        "consumer": request.consumer,
        "resource": request.resource,
        "action": request.action,
        "fields": list(request.fields),
        "lookup": list(request.lookup),
        "purpose": request.purpose,
        "grant": request.grant,
    }


def request_from_plain(plain: Mapping[str, Any]) -> AccessRequest:
    """The request of which *plain* is `request_to_plain`.

    Raises:
        KeyError: *plain* is no such dict.
    """
    return AccessRequest(
        consumer=plain["consumer"],
        resource=plain["resource"],
        action=plain["action"],
        fields=tuple(plain["fields"]),
        lookup=tuple(plain["lookup"]),
        purpose=plain["purpose"],
        grant=plain["grant"],
    )


def decision_to_plain(decision: Decision) -> dict[str, Any]:
    """A JSON-able dict; `decision_from_plain` is its inverse."""
    return {
        "allowed": decision.allowed,
        "fields": list(decision.fields),
        "masks": [[name, mask.value] for name, mask in decision.masks],
        "reasons": [{"code": r.code, "params": [list(pair) for pair in r.params]} for r in decision.reasons],
        "determined_by": list(decision.determined_by),
    }


def decision_from_plain(plain: Mapping[str, Any]) -> Decision:
    """The decision of which *plain* is `decision_to_plain`.

    Raises:
        KeyError, ValueError: *plain* is no such dict.
    """
    return Decision(
        allowed=plain["allowed"],
        fields=tuple(plain["fields"]),
        masks=tuple((name, Mask(mask)) for name, mask in plain["masks"]),
        reasons=tuple(
            Reason(entry["code"], tuple((name, value) for name, value in entry["params"])) for entry in plain["reasons"]
        ),
        determined_by=tuple(plain["determined_by"]),
    )


def _time(text: str) -> datetime:
    return datetime.fromisoformat(text)
