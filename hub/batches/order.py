"""From what a department orders to what is decided, frozen, and shown of the table: the part without state or clock.

Orders are kept by `hub.batches.desk`, their files made by `hub.batches.making`. How a rule or a mask is said of a
table is `warehouse.masking`'s.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

from catalog.access import Scope
from catalog.decide import (
    AccessRequest,
    decide,
    decision_from_plain,
    decision_to_plain,
    grant_to_plain,
    request_from_plain,
    request_to_plain,
)
from catalog.model import Mask
from catalog.rows import check_rules, rules_from_plain, rules_to_plain
from hub.answers import decision_grants, grant_of
from hub.errors import DeniedError, InvalidRequestError
from hub.requests import Call, Purpose

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from datetime import datetime

    from catalog.decide import Decision, Grant
    from catalog.model import InformationResource, ResponsibilityList
    from catalog.rows import RowRule
    from hub.standing import KnownCaller, View
    from warehouse.masking import Selection

BATCH: Final = "batch"
PLAN_FORMAT: Final = 1


@dataclass(frozen=True, slots=True)
class Wish:
    """What is ordered: *fields* (none: all that are granted) of the rows in which every one of *rules* holds."""

    purpose: Purpose
    fields: tuple[str, ...] = ()
    rules: tuple[RowRule, ...] = ()
    grant: str | None = None
    form: str = "parquet"

    @property
    def call(self) -> Call:
        """The same as a call, which has no place for rules and form: what evidence knows calls by."""
        return Call({}, self.purpose, self.grant, self.fields)

    def plain(self) -> dict[str, Any]:
        """The form that is digested and kept as evidence."""
        plain: dict[str, Any] = {"purpose": self.purpose.plain(), "format": self.form}
        if self.fields:
            plain["fields"] = list(self.fields)
        if self.rules:
            plain["rows"] = rules_to_plain(self.rules)
        if self.grant is not None:
            plain["grant"] = self.grant
        return plain


def wish_from_plain(plain: Mapping[str, Any]) -> Wish:
    """The wish of which *plain* is `Wish.plain`.

    Raises:
        KeyError, TypeError, ValueError: *plain* is no such dict.
    """
    return Wish(
        purpose=Purpose(**plain["purpose"]),
        fields=tuple(plain.get("fields", ())),
        rules=rules_from_plain(plain.get("rows", ())),
        grant=plain.get("grant"),
        form=plain["format"],
    )


@dataclass(frozen=True, slots=True)
class Decided:
    """An order that is allowed: what was asked of `catalog.decide`, its answer, and the *fields* that are shown."""

    request: AccessRequest
    decision: Decision
    fields: tuple[str, ...]


def decide_order(
    wish: Wish, consumer: str, resource: InformationResource, ask: Callable[[AccessRequest], Decision]
) -> Decided:
    """Decide *wish* of the department *consumer* by *ask*.

    Rules are about fields that the grants show as they are: whoever may choose rows by what is masked has read it.

    Raises:
        DeniedError: it is not allowed.
        InvalidRequestError: a rule does not fit the resource, or is about what is masked.
    """
    matter = wish.purpose.matter or None
    request = AccessRequest(consumer, resource.code, BATCH, wish.fields, (), matter, wish.grant)
    decision = _allowed(ask(request))
    shown = decision.fields
    problems = check_rules(wish.rules, resource)
    if problems:
        first = problems[0]
        raise InvalidRequestError(where=first.where, why=first.text("en").rstrip("."), why_zh=first.text("zh"))
    ruled = tuple(rule.field for rule in wish.rules)
    if set(ruled) - set(shown):
        request = replace(request, fields=tuple(dict.fromkeys((*shown, *ruled))))
        decision = _allowed(ask(request))
    open_ = {name for scope in scopes_of(decision) for name, mask in scope.masks if mask is Mask.NONE}
    for position, name in enumerate(ruled):
        if name not in open_:
            raise InvalidRequestError(
                where=f"rows[{position}]",
                why=f"`{name}` is shown masked, and rows are not chosen by what is masked",
                why_zh=f"信息项 `{name}` 以脱敏方式提供，不能据以选择行",
            )
    return Decided(request, decision, shown)


def _allowed(decision: Decision) -> Decision:
    if not decision.allowed:
        raise DeniedError(decision)
    return decision


def scopes_of(decision: Decision) -> tuple[Scope, ...]:
    """The scopes of *decision*; one over all rows where it is not scoped."""
    return decision.scopes or (Scope(grant_of(decision), (), decision.masks),)


def frozen(decided: Decided, wish: Wish, grants: Iterable[Grant], caller: KnownCaller, at: datetime) -> dict[str, Any]:
    """The order as it was decided: all that making it and deciding it again needs, beside list and table."""
    return {
        "format": PLAN_FORMAT,
        "action": BATCH,
        "code": decided.request.resource,
        "at": at.isoformat(),
        "caller": {"id": caller.id, "department": caller.department},
        "order": wish.plain(),
        "access": request_to_plain(decided.request),
        # As they were: a revocation later must not change what is decided again.
        "grants": [grant_to_plain(grant) for grant in grants],
        "decision": decision_to_plain(decided.decision),
        "fields": list(decided.fields),
    }


def selection_of(plan: Mapping[str, Any], resource: InformationResource) -> Selection:
    """What *plan* shows of the table of *resource*, which is of the list version that it was decided under."""
    from warehouse.masking import Selection  # noqa: PLC0415 - whoever only looks at orders needs no engine

    decision = decision_from_plain(plan["decision"])
    rules = rules_from_plain(plan["order"].get("rows", ()))
    return Selection(resource, tuple(plan["fields"]), scopes_of(decision), rules)


def speaks_against(plan: Mapping[str, Any], view: View, at: datetime) -> tuple[str, dict[str, str]] | None:
    """Why *plan* may not be carried on at *at*: a code of `FAILURES` and its words; None: it may.

    Decided again under the list in force, with the grants that it rests on as they are now. It goes on as long as that
    comes to the same fields, masks and rows: a list that was republished stops only the orders that it changes, and a
    further grant stops none.
    """
    was = decision_from_plain(plan["decision"])
    request = request_from_plain(plan["access"])
    rights = view.rights(request.consumer, request.resource)
    now = _again(request, view.list, rights.grants, decision_grants(was), at)
    if not now.allowed:
        words = {
            "why": ". ".join(r.text("en") for r in now.reasons),
            "why_zh": "。".join(r.text("zh") for r in now.reasons),
        }
        return "batch_denied", {**words, "reasons": ",".join(reason.code for reason in now.reasons)}
    if (now.fields, now.masks, now.scopes) != (was.fields, was.masks, was.scopes):
        return "batch_terms_changed", {}
    return None


def _again(
    request: AccessRequest, list_: ResponsibilityList, grants: Iterable[Grant], used: Iterable[str], at: datetime
) -> Decision:
    names = set(used)
    return decide(request, list_, [grant for grant in grants if grant.id in names], at)
