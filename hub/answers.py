"""From a call to what is answered, given the list, the grants and a way to find rows: the part that can be replayed.

Holds no state and reads no clock: `hub.invocation` runs it over the look-up index, `hub.auditing` over the snapshot
that the index was built from, and both must come to the same digest.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from audit.canonical import encode
from catalog import masks
from catalog.decide import AccessRequest, Decision
from catalog.model import InformationResource, Mask
from hub.errors import TooManyRecordsError
from hub.matching import agrees, fits, lookup_value

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

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
    """The fields on which an answer depends: the key, which orders it, those looked up by, and those shown."""
    return tuple(dict.fromkeys([*(f.name for f in resource.key), *sorted(values), *decision.fields]))


def select(
    rows: Sequence[Mapping[str, Wire]], values: Mapping[str, str], fields: Sequence[str]
) -> list[Mapping[str, Wire]]:
    """The rows that fit every one of *values*, in an order that depends on the content of *fields* alone.

    Raises:
        TooManyRecordsError: more than `MAX_RECORDS` fit.
    """
    fitting = [row for row in rows if all(fits(row.get(name), text) for name, text in values.items())]
    if len(fitting) > MAX_RECORDS:
        raise TooManyRecordsError(limit=MAX_RECORDS)
    return sorted(fitting, key=lambda row: encode([safe(row.get(name)) for name in fields]))


def answer(
    action: str,
    resource: InformationResource,
    call: Call,
    decision: Decision,
    rows: Sequence[Mapping[str, Wire]],
    *,
    list_version: str,
    snapshot: int,
    mask_key: bytes,
) -> dict[str, Any]:
    """The answer to an allowed *call* over the selected *rows*, without its receipt."""
    plain: dict[str, Any] = {
        "resource": resource.code,
        "list_version": list_version,
        # Snapshot ids are 63-bit integers, which JSON readers round.
        "snapshot": str(snapshot),
        "grant": grant_of(decision),
    }
    if action == VERIFY:
        return {**plain, "results": verdicts(resource, call, decision, rows)}
    rules = dict(decision.masks)
    plain["records"] = [
        {name: safe(masks.apply(rules.get(name, Mask.REDACT), row.get(name), key=mask_key)) for name in decision.fields}
        for row in rows
    ]
    plain["masked"] = {name: str(mask) for name, mask in decision.masks if mask is not Mask.NONE}
    return plain


def verdicts(
    resource: InformationResource, call: Call, decision: Decision, rows: Sequence[Mapping[str, Wire]]
) -> dict[str, str]:
    """For each claimed field: ``yes`` if a record says so, ``unknown`` if none says anything, else ``no``."""
    found: dict[str, str] = {}
    for name in decision.fields:
        field = resource.field(name)
        if field is None or call.claims is None or name not in call.claims:
            continue
        stored = [row[name] for row in rows if row.get(name) is not None]
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
