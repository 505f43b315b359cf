"""From a call to what is answered, given the list, the grants and a way to find rows: the part that can be replayed.

Holds no state and reads no clock: `hub.invocation` runs it over the look-up index, `hub.auditing` over the snapshot
that the index was built from, and both must come to the same digest.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from audit.canonical import encode
from catalog import masks
from catalog.decide import AccessRequest, Decision, row_view
from catalog.model import InformationResource, Mask
from catalog.rows import rules_to_plain
from hub.disputes import answer_marks
from hub.errors import TooManyRecordsError
from hub.matching import agrees, fits, lookup_value

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from hub.disputes import Mark
    from hub.matching import Wire
    from hub.requests import Call

MAX_RECORDS = 100  # a call is about a person, a company, a house; who needs more needs another door
MAX_INTEGER = 2**53  # RFC 7493 §2.2

QUERY, VERIFY = "query", "verify"


def access_request(action: str, consumer: str, code: str, call: Call) -> AccessRequest:
    """What is to be decided about *call*."""
    return AccessRequest(
        consumer=consumer,
        resource=code,
        action=action,
        fields=tuple(call.claims) if call.claims is not None else call.fields,
        lookup=tuple(call.keys),
        purpose=call.purpose.matter or None,
        grant=call.grant,
    )


def lookup_values(resource: InformationResource, call: Call) -> dict[str, str]:
    """The values to look up, in the form in which they are stored. For an allowed call: its fields are known."""
    found: dict[str, str] = {}
    for name, text in call.keys.items():
        field = resource.field(name)
        if field is not None:
            found[name] = lookup_value(field, text)
    return found


def needed_fields(resource: InformationResource, decision: Decision, values: Mapping[str, str]) -> tuple[str, ...]:
    """The fields on which an answer depends: the key, which orders it, those looked up by, shown, or ruled by."""
    ruled = {rule.field for scope in decision.scopes for rule in scope.rows}
    return tuple(
        dict.fromkeys(
            [
                *(f.name for f in resource.key),
                *sorted(values),
                *decision.fields,
                *sorted(name for name in ruled if resource.field(name) is not None),
            ]
        )
    )


@dataclass(frozen=True, slots=True)
class Record:
    """A record that fits a call and that the caller may see: *masks* says which fields of *row*, and how."""

    row: Mapping[str, Wire]
    masks: Mapping[str, Mask]


def select(
    rows: Iterable[Mapping[str, Wire]], resource: InformationResource, decision: Decision, values: Mapping[str, str]
) -> list[Record]:
    """Those of *rows* that fit every one of *values* and lie in a scope of *decision*.

    Their order depends on the content of the `needed_fields` alone, which *rows* must hold.

    Raises:
        TooManyRecordsError: more than `MAX_RECORDS` are left.
    """
    view = row_view(decision, resource)
    found = []
    for row in rows:
        visible = view(row) if all(fits(row.get(name), text) for name, text in values.items()) else None
        # A row outside every scope is as if it were not there: neither shown nor counted.
        if visible is not None:
            found.append(Record(row, visible))
    if len(found) > MAX_RECORDS:
        raise TooManyRecordsError(limit=MAX_RECORDS)
    fields = needed_fields(resource, decision, values)
    return sorted(found, key=lambda record: encode([safe(record.row.get(name)) for name in fields]))


def answer(
    action: str,
    resource: InformationResource,
    call: Call,
    decision: Decision,
    records: Sequence[Record],
    *,
    list_version: str,
    snapshot: int,
    mask_key: bytes,
    marks: Sequence[Mark] = (),
    subject: Callable[[Mapping[str, str]], str] | None = None,
) -> dict[str, Any]:
    """The answer to an allowed *call* over the selected *records*, without its receipt.

    *marks* are the disputes that are open on the resource; *subject* is needed where there are any.
    """
    plain: dict[str, Any] = {
        "resource": resource.code,
        "list_version": list_version,
        # Snapshot ids are 63-bit integers, which JSON readers round.
        "snapshot": str(snapshot),
        "grant": grant_of(decision),
    }
    if decision.scopes:
        # Who sees some rows only must know it, or would take what is missing for what does not exist.
        plain["scopes"] = [
            {"grant": scope.grant, "rows": rules_to_plain(scope.rows), "fields": [name for name, _ in scope.masks]}
            for scope in decision.scopes
        ]
    if marks and subject is not None:
        told = answer_marks(
            resource,
            [record.row for record in records],
            [record.masks for record in records],
            marks,
            subject,
            values=lookup_values(resource, call),
            positions=action == QUERY,
        )
        if told:
            plain["disputed"] = told
    if action == VERIFY:
        return {**plain, "results": verdicts(resource, call, decision, records)}
    plain["records"] = [
        {
            name: safe(masks.apply(record.masks[name], record.row.get(name), key=mask_key))
            for name in decision.fields
            if name in record.masks
        }
        for record in records
    ]
    plain["masked"] = {name: str(mask) for name, mask in _masked(decision, records) if mask is not Mask.NONE}
    return plain


def _masked(decision: Decision, records: Sequence[Record]) -> Iterable[tuple[str, Mask]]:
    """The mask of each field; where rows differ in it, the one among *records* that hides most."""
    if not decision.scopes or not records:
        return decision.masks
    found: dict[str, Mask] = {}
    for record in records:
        for name, mask in record.masks.items():
            found[name] = max(found.get(name, mask), mask, key=masks.RANK.__getitem__)
    return ((name, found[name]) for name in decision.fields if name in found)


def verdicts(
    resource: InformationResource, call: Call, decision: Decision, records: Sequence[Record]
) -> dict[str, str]:
    """For each claimed field: ``yes`` if a record says so, ``unknown`` if none says anything, else ``no``.

    A record that does not show the field to this caller says nothing of it.
    """
    found: dict[str, str] = {}
    for name in decision.fields:
        field = resource.field(name)
        if field is None or call.claims is None or name not in call.claims:
            continue
        stored = [r.row[name] for r in records if name in r.masks and r.row.get(name) is not None]
        if not stored:
            found[name] = "unknown"
        else:
            found[name] = "yes" if any(agrees(field, value, call.claims[name]) for value in stored) else "no"
    return found


def grant_of(decision: Decision) -> str:
    """The identifier of the grant that decided; several, whose rights add up, with commas between; "" of none."""
    return ",".join(d.removeprefix("grant:") for d in decision.determined_by if d.startswith("grant:"))


def safe(value: object) -> Any:  # noqa: ANN401 - a JSON scalar
    """A wire value that every JSON reader reads alike: integers beyond 2^53 become text."""
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) > MAX_INTEGER:
        return str(value)
    return value
