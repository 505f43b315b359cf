"""From a call to what is answered, given the list, the grants and a way to find rows: the part that can be replayed.

Holds no state and reads no clock: `hub.invocation` runs it over the look-up index, `hub.auditing` over the snapshot
that the index was built from, and both must come to the same digest.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from audit.canonical import encode
from catalog import masks
from catalog.decide import AccessRequest, Decision, row_view
from catalog.model import InformationResource, Mask
from catalog.rows import rules_to_plain
from hub.disputes import answer_marks
from hub.errors import TooManyRecordsError
from hub.matching.comparing import FIRST, MATCHING, agrees, comparison, fits, lookup_value, together

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from catalog.decide import RowView
    from hub.disputes import Mark
    from hub.matching.comparing import Wire
    from hub.requests import Call

MAX_RECORDS = 100  # a call is about a person, a company, a house; who needs more needs another door
MAX_INTEGER = 2**53  # RFC 7493 §2.2

QUERY, VERIFY = "query", "verify"
_BARE = Mask.NONE


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


def lookup_values(resource: InformationResource, keys: Mapping[str, str]) -> dict[str, str]:
    """The values of *keys* to look up, in the form in which they are stored. For an allowed call: all are known."""
    found: dict[str, str] = {}
    for name, text in keys.items():
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


@dataclass(slots=True)  # one for each call: see ADR 0024
class Record:
    """A record that fits a call and that the caller may see: *masks* says which fields of *row*, and how."""

    row: Mapping[str, Wire]
    masks: Mapping[str, Mask]


def select(
    rows: Iterable[Mapping[str, Wire]],
    resource: InformationResource,
    decision: Decision,
    values: Mapping[str, str],
    view: RowView | None = None,
) -> list[Record] | None:
    """Those of *rows* that fit every one of *values* and lie in a scope of *decision*; None: more than `MAX_RECORDS`.

    Their order depends on the content of the `needed_fields` alone, which *rows* must hold. *view* is the `row_view` of
    *decision*, for whoever selects more than once.
    """
    view = view or row_view(decision, resource)
    found = []
    for row in rows:
        visible = view(row) if all(fits(row.get(name), text) for name, text in values.items()) else None
        # A row outside every scope is as if it were not there: neither shown nor counted.
        if visible is not None:
            found.append(Record(row, visible))
    if len(found) > MAX_RECORDS:
        return None
    if len(found) < 2:  # noqa: PLR2004 - nothing to put in order
        return found
    fields = needed_fields(resource, decision, values)
    return sorted(found, key=lambda record: encode([safe(record.row.get(name)) for name in fields]))


@dataclass(slots=True)  # one for each call: see ADR 0024
class Sought:
    """One set of look-up *values*, in stored form, and the *records* that fit it; None: too many for an answer."""

    values: Mapping[str, str]
    records: Sequence[Record] | None


@dataclass(slots=True)  # one for each call: see ADR 0024
class Terms:
    """What an answer rests on besides the call and its records: the same for every call between two changes.

    *marks* are the disputes that are open on the resource; *subject* is needed where there are any. *masked* is what
    `masked_words` makes of the decision, for whoever has it already.
    """

    resource: InformationResource
    decision: Decision
    list_version: str
    mask_key: bytes
    marks: Sequence[Mark] = ()
    subject: Callable[[Mapping[str, str]], str] | None = None
    matching: int = MATCHING
    masked: Mapping[str, str] | None = None


def answer(action: str, call: Call, terms: Terms, found: Sequence[Sought], *, snapshot: int) -> dict[str, Any]:
    """The answer to an allowed *call* over what was *found* for each of its sets of keys, without its receipt.

    Raises:
        TooManyRecordsError: the one set of a plain call fits too many.
    """
    decision = terms.decision
    plain: dict[str, Any] = {
        "resource": terms.resource.code,
        "list_version": terms.list_version,
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
    if call.sets:
        plain["answers"] = [_one_of_many(terms, one) for one in found]
        records = [record for one in found for record in one.records or ()]
    else:
        (one,) = found
        if one.records is None:
            raise TooManyRecordsError(limit=MAX_RECORDS)
        records = list(one.records)
        told = _disputed(terms, one.values, records, positions=action == QUERY)
        if told:
            plain["disputed"] = told
        if action == VERIFY:
            return {**plain, "results": verdicts(terms, call, records)}
        plain["records"] = [_shown(terms, record) for record in records]
    if decision.scopes:
        plain["masked"] = _masked(decision, records)
    else:
        plain["masked"] = masked_words(decision) if terms.masked is None else terms.masked
    return plain


def _one_of_many(terms: Terms, one: Sought) -> dict[str, Any]:
    if one.records is None:
        return {"problem": TooManyRecordsError.code}
    plain: dict[str, Any] = {"records": [_shown(terms, record) for record in one.records]}
    told = _disputed(terms, one.values, one.records, positions=True)
    return {**plain, "disputed": told} if told else plain


def _shown(terms: Terms, record: Record) -> dict[str, Any]:
    given, row, key = record.masks, record.row, terms.mask_key
    shown: dict[str, Any] = {}
    for name in terms.decision.fields:
        if name in given:
            value: object = row.get(name)
            mask = given[name]
            if mask is not _BARE:
                value = masks.apply(mask, value, key=key)
            # Nearly all are text.
            shown[name] = value if type(value) is str else safe(value)
    return shown


def _disputed(
    terms: Terms, values: Mapping[str, str], records: Sequence[Record], *, positions: bool
) -> list[dict[str, Any]]:
    if not terms.marks or terms.subject is None:
        return []
    return answer_marks(
        terms.resource,
        [record.row for record in records],
        [record.masks for record in records],
        terms.marks,
        terms.subject,
        values=values,
        positions=positions,
    )


def masked_words(decision: Decision) -> dict[str, str]:
    """The fields that *decision* masks, and how."""
    return {name: mask.value for name, mask in decision.masks if mask is not Mask.NONE}


def _masked(decision: Decision, records: Sequence[Record]) -> dict[str, str]:
    """As `masked_words`; where rows differ in a field's mask, the one among *records* that hides most."""
    if not records:
        return masked_words(decision)
    found: dict[str, Mask] = {}
    for record in records:
        for name, mask in record.masks.items():
            found[name] = max(found.get(name, mask), mask, key=masks.RANK.__getitem__)
    return {name: found[name].value for name in decision.fields if found.get(name, Mask.NONE) is not Mask.NONE}


def verdicts(terms: Terms, call: Call, records: Sequence[Record]) -> dict[str, str]:
    """For each claimed field: ``match`` if a record says so, ``mismatch`` if one says otherwise, else ``unknown``.

    A record that does not show the field to this caller says nothing of it. By the rules of the first version of
    matching the words are ``yes``, ``no`` and ``unknown``, and only an absent value is unknown.
    """
    found: dict[str, str] = {}
    for name in terms.decision.fields:
        field = terms.resource.field(name)
        if field is None or call.claims is None or name not in call.claims:
            continue
        claim = call.claims[name]
        stored = [r.row[name] for r in records if name in r.masks and r.row.get(name) is not None]
        if terms.matching != FIRST:
            found[name] = str(together([comparison(field, value, claim) for value in stored]))
        elif not stored:
            found[name] = "unknown"
        else:
            found[name] = "yes" if any(agrees(field, value, claim) for value in stored) else "no"
    return found


def grant_of(decision: Decision) -> str:
    """The identifier of the grant that decided; several, whose rights add up, with commas between; "" of none."""
    return ",".join(decision_grants(decision))


def decision_grants(decision: Decision) -> tuple[str, ...]:
    """The identifiers of the grants that decided."""
    return _grants(decision.determined_by)


@lru_cache(maxsize=10_000)
def _grants(labels: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(label.removeprefix("grant:") for label in labels if label.startswith("grant:"))


def safe(value: object) -> Any:  # noqa: ANN401 - a JSON scalar
    """A wire value that every JSON reader reads alike: integers beyond 2^53 become text."""
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) > MAX_INTEGER:
        return str(value)
    return value
