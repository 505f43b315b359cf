"""The values that a decision is made from and made of: request, grant, decision; and their stored forms.

How one comes from the others is `catalog.decide`.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

from catalog.model import Mask
from catalog.reasons import Reason
from catalog.rows import RowRule, rules_from_plain, rules_to_plain

if TYPE_CHECKING:
    from collections.abc import Mapping

# query: records; verify: yes or no to claims; batch: what a file of keys finds; subscribe: the granted rows as they
# change.
ACTIONS: Final = ("query", "verify", "batch", "subscribe")


@dataclass(frozen=True, slots=True)
class Grant:
    """A right given to one department on one resource, from *starts* up to but not at *expires* (aware times).

    *masks* hold for single fields, beyond those of the list. *purposes* are matter codes or ``*``. *list_version* is
    the version of the list under which it was given, *ground* what it rests on. From *revoked_at* on it is void, from
    *suspended_at* on it rests until it is resumed (then None again).

    *rows*: every rule must hold in a row that it opens; none: all rows. *quota_per_day* is for `hub` to count (0: no
    limit). *application* is the case it came from, *predecessor* the grant it took the place of ("" none).

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
    rows: tuple[RowRule, ...] = ()
    quota_per_day: int = 0
    suspended_at: datetime | None = None
    application: str = ""
    predecessor: str = ""

    def __post_init__(self) -> None:
        need_zone(self.starts, self.expires, self.revoked_at, self.suspended_at)


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
class Scope:
    """What one *grant* gives: the fields of *masks*, in the rows in which every rule of *rows* holds."""

    grant: str
    rows: tuple[RowRule, ...]
    masks: tuple[tuple[str, Mask], ...]


@dataclass(frozen=True, slots=True)
class Decision:
    """The answer: when allowed, the fields in order with a mask for each; always its reasons.

    *determined_by* names what decided, sorted: ``grant:ID``, ``line:RESOURCE/PROVIDER``, ``resource:CODE``,
    ``prohibition:RESOURCE/N`` (the Nth of that resource in the list).

    Where a grant that is used opens some rows only, *scopes* says which grant gives what in which rows; *fields* and
    *masks* are then the most that any row may show. See `catalog.decide.decision_for_row`.
    """

    allowed: bool
    fields: tuple[str, ...]
    masks: tuple[tuple[str, Mask], ...]
    reasons: tuple[Reason, ...]
    determined_by: tuple[str, ...]
    scopes: tuple[Scope, ...] = ()


def need_zone(*times: datetime | None) -> None:
    """Refuse what could be another moment elsewhere.

    Raises:
        ValueError: a time without a zone.
    """
    for time in times:
        if time is not None and time.utcoffset() is None:
            raise ValueError("a time without a zone; give an aware one")


# The forms in which they are stored and logged: dicts, lists, text, numbers, booleans. Times keep their zone's
# offset. What was added later is left out while it says nothing, so that old and new forms of one value are equal.


def grant_to_plain(grant: Grant) -> dict[str, Any]:
    """A JSON-able dict; `grant_from_plain` is its inverse."""
    plain: dict[str, Any] = {
        "id": grant.id,
        "consumer": grant.consumer,
        "resource": grant.resource,
        "fields": list(grant.fields),
        "masks": _masks_to_plain(grant.masks),
        "purposes": list(grant.purposes),
        "actions": list(grant.actions),
        "starts": grant.starts.isoformat(),
        "expires": grant.expires.isoformat(),
        "list_version": grant.list_version,
        "ground": grant.ground,
        "revoked_at": grant.revoked_at.isoformat() if grant.revoked_at else None,
    }
    added: dict[str, Any] = {
        "rows": rules_to_plain(grant.rows),
        "quota_per_day": grant.quota_per_day,
        "suspended_at": grant.suspended_at.isoformat() if grant.suspended_at else None,
        "application": grant.application,
        "predecessor": grant.predecessor,
    }
    return plain | {name: value for name, value in added.items() if value}


def grant_from_plain(plain: Mapping[str, Any]) -> Grant:
    """The grant of which *plain* is `grant_to_plain`.

    Raises:
        KeyError, ValueError: *plain* is no such dict.
    """
    return Grant(
        id=plain["id"],
        consumer=plain["consumer"],
        resource=plain["resource"],
        fields=tuple(plain["fields"]),
        masks=_masks_from_plain(plain["masks"]),
        purposes=tuple(plain["purposes"]),
        actions=tuple(plain["actions"]),
        starts=datetime.fromisoformat(plain["starts"]),
        expires=datetime.fromisoformat(plain["expires"]),
        list_version=plain["list_version"],
        ground=plain["ground"],
        revoked_at=_time(plain["revoked_at"]),
        rows=rules_from_plain(plain.get("rows", ())),
        quota_per_day=plain.get("quota_per_day", 0),
        suspended_at=_time(plain.get("suspended_at")),
        application=plain.get("application", ""),
        predecessor=plain.get("predecessor", ""),
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
    plain: dict[str, Any] = {
        "allowed": decision.allowed,
        "fields": list(decision.fields),
        "masks": _masks_to_plain(decision.masks),
        "reasons": [{"code": r.code, "params": [list(pair) for pair in r.params]} for r in decision.reasons],
        "determined_by": list(decision.determined_by),
    }
    if decision.scopes:
        plain["scopes"] = [
            {"grant": scope.grant, "rows": rules_to_plain(scope.rows), "masks": _masks_to_plain(scope.masks)}
            for scope in decision.scopes
        ]
    return plain


def decision_from_plain(plain: Mapping[str, Any]) -> Decision:
    """The decision of which *plain* is `decision_to_plain`.

    Raises:
        KeyError, ValueError: *plain* is no such dict.
    """
    return Decision(
        allowed=plain["allowed"],
        fields=tuple(plain["fields"]),
        masks=_masks_from_plain(plain["masks"]),
        reasons=tuple(
            Reason(entry["code"], tuple((name, value) for name, value in entry["params"])) for entry in plain["reasons"]
        ),
        determined_by=tuple(plain["determined_by"]),
        scopes=tuple(
            Scope(scope["grant"], rules_from_plain(scope["rows"]), _masks_from_plain(scope["masks"]))
            for scope in plain.get("scopes", ())
        ),
    )


def _masks_to_plain(masks: tuple[tuple[str, Mask], ...]) -> list[list[str]]:
    return [[name, mask.value] for name, mask in masks]


def _masks_from_plain(plain: Any) -> tuple[tuple[str, Mask], ...]:  # noqa: ANN401 - a JSON value not yet looked into
    return tuple((name, Mask(mask)) for name, mask in plain)


def _time(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text)
