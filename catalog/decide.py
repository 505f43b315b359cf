"""Decides whether a department may call a resource, which fields it sees, in which rows and how masked: pure, total.

Deny by default; a prohibition always wins; a denial always has a reason. It trusts that *consumer* is who calls:
that, quotas, and recording the decision belong to `hub`.

The rights of several grants in force for the same purpose and action add up, and where two give the same field, the
less masked one counts. Hence a further grant never takes a right away and the order of grants does not matter.

A decision goes through these steps, by number:

    1. the resource: known, shared at all, and not prohibited as a whole to this consumer for this purpose
    2. the list: the caller stands on a line, the purpose is a matter and on such a line, look-up and fields exist
       and may be shared. A provider stands on its own lines, for matters that are its own; it needs a grant like all
    3. the grants: of this caller on this resource, in force, for this action and purpose
    4. the fields: each granted by one of them, shared and not prohibited; the least masked grant counts

Steps 2 and 3 are gone through whole, so that a caller learns everything to mend at once. Steps 1 and 3 and most of 2
do not depend on which fields are asked: `Policy` takes them once for each consumer, resource, purpose and action.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from catalog.access import (
    ACTIONS,
    AccessRequest,
    Decision,
    Grant,
    Scope,
    decision_from_plain,
    decision_to_plain,
    grant_from_plain,
    grant_to_plain,
    request_from_plain,
    request_to_plain,
)
from catalog.policy import Policy, Rights, least_masked
from catalog.reasons import REASONS, REMEDIES, Reason, remedy
from catalog.rows import row_test

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from datetime import datetime

    from catalog.model import InformationResource, Mask, ResponsibilityList
    from catalog.rows import Wire

    # What is shown of a row, and how; None: nothing of it.
    RowView = Callable[[Mapping[str, Wire]], Mapping[str, Mask] | None]

__all__ = [
    "ACTIONS",
    "REASONS",
    "REMEDIES",
    "AccessRequest",
    "Decision",
    "Grant",
    "Policy",
    "Reason",
    "Rights",
    "Scope",
    "decide",
    "decision_for_row",
    "decision_from_plain",
    "decision_to_plain",
    "grant_from_plain",
    "grant_to_plain",
    "remedy",
    "request_from_plain",
    "request_to_plain",
    "row_view",
]


def decide(request: AccessRequest, list_: ResponsibilityList, grants: Iterable[Grant], on: datetime) -> Decision:
    """Decide *request* at time *on* (aware) under *list_* and *grants*. Total over all texts.

    For many decisions under the same list and grants see `Policy`, which this is.

    Raises:
        ValueError: *on* has no zone.
    """
    return Policy(list_, grants).decide(request, on)


def decision_for_row(
    decision: Decision, resource: InformationResource, row: Mapping[str, Wire]
) -> Mapping[str, Mask] | None:
    """The fields that *row* (wire values by name) may show, in order, with their masks; None: none, not even itself."""
    return row_view(decision, resource)(row)


def row_view(decision: Decision, resource: InformationResource) -> RowView:
    """`decision_for_row`, prepared for many rows of one decision."""
    whole = dict(decision.masks) if decision.allowed else None
    if not decision.scopes or whole is None:
        return lambda row: whole  # noqa: ARG005 - it holds for every row
    tests = [(row_test(scope.rows, resource), scope) for scope in decision.scopes]

    def view(row: Mapping[str, Wire]) -> Mapping[str, Mask] | None:
        given = least_masked(scope.masks for test, scope in tests if test(row))
        return {name: given[name] for name in decision.fields if name in given} or None

    return view
