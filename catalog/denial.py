"""What speaks against a request: the list, its prohibitions, and each grant that does not cover it.

Which of these is asked when, and what they decide together, is `catalog.policy`; the steps are `catalog.decide`'s.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from catalog.access import ACTIONS, AccessRequest, Decision, Grant
from catalog.model import EVERYONE
from catalog.reasons import ORDER, Reason, reason

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from catalog.model import Matter, Prohibition, Responsibility, ResponsibilityList

# A prohibition with the label under which a decision names it.
Labelled = tuple[str, "Prohibition"]


def against_list(request: AccessRequest, list_: ResponsibilityList) -> tuple[tuple[Reason, ...], frozenset[str]]:
    """Step 2, as far as it is about who asks and for what: what the list says against it, and the lines it goes by."""
    reasons = []
    consumer, purpose, code = request.consumer, request.purpose, request.resource
    matter = list_.matters_by_code.get(purpose or "")
    own = [
        line
        for line in list_.responsibilities_for(request.resource)
        if consumer in list_.departments_by_code
        and (EVERYONE in line.consumers or consumer in line.consumers or consumer == line.provider)
    ]
    for_purpose = [line for line in own if _line_covers(line, consumer, purpose, matter)]
    if not own:
        reasons.append(reason("consumer_not_on_list", consumer=consumer, resource=code))
    if not purpose:
        reasons.append(reason("purpose_missing"))
    elif matter is None:
        reasons.append(reason("purpose_unknown", purpose=purpose))
    elif own and not for_purpose:
        reasons.append(reason("purpose_not_on_list", consumer=consumer, resource=code, purpose=purpose))
    # Where no line speaks for the purpose, those on which the caller stands are what denies it.
    return tuple(reasons), frozenset(f"line:{line.resource}/{line.provider}" for line in for_purpose or own)


def _line_covers(line: Responsibility, consumer: str, purpose: str | None, matter: Matter | None) -> bool:
    """Whether a line on which *consumer* stands speaks for *purpose*."""
    named = EVERYONE in line.consumers or consumer in line.consumers
    if named and (EVERYONE in line.purposes or purpose in line.purposes):
        return True
    # Who owes a resource may use it for the matters it handles itself, such as issuing a licence from it.
    return consumer == line.provider and matter is not None and matter.department == consumer


def against_grant(request: AccessRequest, list_: ResponsibilityList, grant: Grant, on: datetime) -> list[Reason]:
    """What speaks against one grant. A missing or unknown purpose was told before and is not told again."""
    if grant.revoked_at is not None and grant.revoked_at <= on:
        return [reason("grant_revoked", grant=grant.id, at=grant.revoked_at.isoformat())]
    if grant.expires <= on:
        return [reason("grant_expired", grant=grant.id, at=grant.expires.isoformat())]
    if grant.suspended_at is not None and grant.suspended_at <= on:
        return [reason("grant_suspended", grant=grant.id, at=grant.suspended_at.isoformat())]
    if on < grant.starts:
        return [reason("grant_not_started", grant=grant.id, at=grant.starts.isoformat())]
    reasons = []
    if request.action not in ACTIONS or request.action not in grant.actions:
        reasons.append(reason("action_not_granted", grant=grant.id, action=request.action))
    if request.purpose in list_.matters_by_code and not speaks_for(grant, request.purpose):
        reasons.append(reason("purpose_not_granted", grant=grant.id, purpose=request.purpose or ""))
    return reasons


def speaks_for(grant: Grant, purpose: str | None) -> bool:
    """Whether *grant* was given for *purpose*, known to the list or not."""
    return bool(purpose) and (EVERYONE in grant.purposes or purpose in grant.purposes)


def binding(prohibitions: Iterable[Labelled], request: AccessRequest) -> tuple[Labelled, ...]:
    """Those of *prohibitions* that bind this consumer for this purpose."""
    return tuple(
        (label, p)
        for label, p in prohibitions
        if (EVERYONE in p.consumers or request.consumer in p.consumers)
        and (EVERYONE in p.purposes or request.purpose in p.purposes)
    )


def prohibited(request: AccessRequest, prohibition: Prohibition, names: tuple[str, ...]) -> Reason:
    """The reason that names a prohibition; *names* are the fields it takes, none: the whole resource."""
    listed, listed_zh = ", ".join(f"`{name}`" for name in names), "、".join(f"`{name}`" for name in names)
    return reason(
        "prohibited",
        resource=prohibition.resource,
        consumer=request.consumer,
        fields=", ".join(names),
        ground=prohibition.ground,
        which=f" ({listed})" if names else "",
        which_zh=f"的字段 {listed_zh} " if names else "",
    )


def denied(reasons: Iterable[Reason], determined_by: set[str]) -> Decision:
    """The denial for *reasons*, at least one."""
    return Decision(
        allowed=False, fields=(), masks=(), reasons=ordered(reasons), determined_by=tuple(sorted(determined_by))
    )


def ordered(reasons: Iterable[Reason]) -> tuple[Reason, ...]:
    """Each reason once, in an order that does not depend on that of the grants."""
    return tuple(sorted(set(reasons), key=lambda r: (ORDER[r.code], r.params)))
