"""Says which records, or fields of them, are disputed at this moment, and what an answer tells its reader about that.

Which corrections are open is `hub.corrections`'; it writes and removes the marks in the transaction of each step and
raises the generation, so that what a process remembers of them ends with the next call.

How an answer says it, for whoever answers calls (`hub.invocation`, `hub.answers`) and repeats them (`hub.auditing`):

    1. A view of the standing remembers ``marks(connection, code)`` by resource, beside its grants. Nearly always it
       is empty, and an answer costs one look into a dict.
    2. After masking, over the records that were selected, in the order in which they are shown, and with the names
       that each of them shows::

           told = answer_marks(
               resource, [r.row for r in records], [r.masks for r in records], marks, evidence.subject,
               values=values, positions=...,
           )

       *positions* is true for a query and false for a verification, which must not say how many records there are.
    3. Where *told* is not empty the content gets the member ``"disputed": told``, before it is digested. An answer
       about undisputed data keeps its form, and old evidence its digest.
    4. The body of the evidence gets ``"marks": marks_to_plain(marks)``, where *told* is not empty.
    5. A replay does 2 and 3 with ``marks_from_plain(body.get("marks", ()))`` and ``subject_by(key)``, where key is
       the deployment's ``subject`` secret, and comes to the same bytes.
"""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

import sqlalchemy as sa

from audit.canonical import encode
from catalog.correction import stored_form, value_text
from hub.control import DisputeMark

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping, Sequence

    from sqlalchemy.engine import Connection

    from catalog.model import InformationResource
    from hub.matching.comparing import Wire


# Before the hash of a record that is said to be missing: if it turns up, it is not what is disputed; and a record that
# is there, but not for this reader, must not be told of as missing.
MISSING: Final = "missing:"


@dataclass(frozen=True, slots=True)
class Mark:
    """One open dispute: *fields* (none: all) of the record with the keyed hash *record* ("": of every record)."""

    case: str
    record: str
    fields: tuple[str, ...]
    since: datetime


def marks(connection: Connection, resource: str) -> tuple[Mark, ...]:
    """The marks on *resource*, the oldest first."""
    query = sa.select(DisputeMark.case_id, DisputeMark.record, DisputeMark.fields, DisputeMark.since)
    found = connection.execute(
        query.where(DisputeMark.resource == resource).order_by(DisputeMark.since, DisputeMark.case_id)
    )
    return tuple(Mark(row.case_id, row.record, tuple(row.fields), row.since) for row in found)


def record_of(resource: InformationResource, row: Mapping[str, Wire]) -> dict[str, str]:
    """The key of *row* as its keyed hash is taken over: field → text in stored form."""
    return {field.name: value_text(row.get(field.name)) for field in resource.key}


def disputed(
    resource: InformationResource,
    row: Mapping[str, Wire],
    found: Sequence[Mark],
    subject: Callable[[Mapping[str, str]], str],
) -> dict[str, Any] | None:
    """What is disputed of *row*, whole wire values with at least its key; None: nothing.

    Either ``{"fields": [...]}`` or ``{"record": true}``, with ``since`` and ``case`` of the oldest mark that says so.
    """
    if not found:
        return None
    # Only a mark on a single record makes it needful to compute a hash.
    record = subject(record_of(resource, row)) if any(mark.record for mark in found) else ""
    return _said([mark for mark in found if mark.record in ("", record)])


def answer_marks(
    resource: InformationResource,
    rows: Sequence[Mapping[str, Wire]],
    shown: Sequence[Collection[str]],
    found: Sequence[Mark],
    subject: Callable[[Mapping[str, str]], str],
    *,
    values: Mapping[str, str],
    positions: bool,
) -> list[dict[str, Any]]:
    """What an answer with *rows* tells about disputes: names and positions, never values.

    *shown* are the fields that each row shows: what a reader cannot see is not told to be disputed. *values* are
    those looked up by, in stored form. The items are those of `disputed`, each with ``position``, that of its row in
    the answer from 0. Without *positions* they are merged into at most one without it. Where nothing was found and
    the record looked up by its key is said to be missing, the one item is ``{"missing": true, …}``.
    """
    if not found:
        return []
    if not rows:
        return _missing(resource, found, subject, values)
    items: list[dict[str, Any]] = []
    for position, (row, names) in enumerate(zip(rows, shown, strict=True)):
        said = disputed(resource, row, found, subject)
        if said is not None and "fields" in said:
            visible = [name for name in said["fields"] if name in names]
            said = {**said, "fields": visible} if visible else None
        if said is not None:
            items.append({"position": position, **said})
    return items if positions else _merged(items)


def marks_to_plain(found: Iterable[Mark]) -> list[dict[str, Any]]:
    """Marks as the body of the evidence keeps them; `marks_from_plain` is the inverse."""
    return [
        {"case": mark.case, "record": mark.record, "fields": list(mark.fields), "since": mark.since.isoformat()}
        for mark in found
    ]


def marks_from_plain(plain: Iterable[Mapping[str, Any]]) -> tuple[Mark, ...]:
    """The marks of which *plain* is `marks_to_plain`.

    Raises:
        KeyError, ValueError: it is none.
    """
    return tuple(
        Mark(item["case"], item["record"], tuple(item["fields"]), datetime.fromisoformat(item["since"]))
        for item in plain
    )


def subject_by(key: bytes) -> Callable[[Mapping[str, str]], str]:
    """`hub.evidence.Evidence.subject` of the deployment whose subject key this is, for who has no log open."""
    return lambda values: hmac.digest(key, encode(dict(values)), hashlib.sha256).hex()


def _said(fitting: Sequence[Mark]) -> dict[str, Any] | None:
    if not fitting:
        return None
    whole = next((mark for mark in fitting if not mark.fields), None)
    if whole is not None:
        return {"record": True, "since": whole.since.isoformat(), "case": whole.case}
    names = sorted({name for mark in fitting for name in mark.fields})
    return {"fields": names, "since": fitting[0].since.isoformat(), "case": fitting[0].case}


def _missing(
    resource: InformationResource,
    found: Sequence[Mark],
    subject: Callable[[Mapping[str, str]], str],
    values: Mapping[str, str],
) -> list[dict[str, Any]]:
    if values.keys() != {field.name for field in resource.key}:
        return []
    forms = {field.name: stored_form(field, values[field.name]) or "" for field in resource.key}
    record = MISSING + subject(forms)
    mark = next((mark for mark in found if mark.record == record), None)
    return [] if mark is None else [{"missing": True, "since": mark.since.isoformat(), "case": mark.case}]


def _merged(items: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    if not items:
        return []
    first = next((item for item in items if "record" in item), None)
    if first is not None:
        return [{"record": True, "since": first["since"], "case": first["case"]}]
    oldest = min(items, key=lambda item: (item["since"], item["case"]))
    names = sorted({name for item in items for name in item["fields"]})
    return [{"fields": names, "since": oldest["since"], "case": oldest["case"]}]
