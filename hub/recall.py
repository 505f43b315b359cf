"""Calls wrong data back (数据召回): finds from the log who got it, tells them, and keeps what they did about it.

That a record is wrong is settled in a correction (`hub.corrections`) or known to its provider; what a past answer
held is `hub.answered`'s.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from datetime import UTC, datetime, time, timedelta
from typing import TYPE_CHECKING, Any, Final

import sqlalchemy as sa

from audit.canonical import encode
from audit.searching import Query
from catalog.clock import SHANGHAI, day_of
from catalog.correction import MAX_TEXT_CHARS, Correction, Fault, State
from catalog.steps import CaseInvalidError, NotYoursError, StepNotAllowedError, problem
from hub.actors import department_of
from hub.answered import ANSWERED, AnswerGoneError, PastAnswers
from hub.auditsearch import every
from hub.cases import Case, Turn
from hub.control import CaseRow, Notice, hold_generation, row_dict
from hub.errors import ResourceUnknownError
from hub.standing import read_grants
from hub.storing import open_warehouse

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from datetime import date

    from sqlalchemy.engine import Connection

    from audit.entry import Entry
    from hub.actors import Actor
    from hub.cases import Transaction
    from hub.office import Office

KIND: Final = "recall"
MARK: Final = "H"
SUBSCRIBE: Final = "subscribe"
ISSUED, ACKNOWLEDGED = "issued", "acknowledged"
MAX_ENTRIES_KEPT: Final = 100  # of each recipient; its own log has them all


@dataclass(frozen=True, slots=True)
class Wrong:
    """What is wrong: *fields* (none: all) of the record with this *key*, stored form (none: of every record).

    *absent*: the record was missing, so that those were misled who were told that it is not there.
    """

    resource: str
    key: tuple[tuple[str, str], ...] = ()
    fields: tuple[str, ...] = ()
    absent: bool = False


@dataclass(frozen=True, slots=True)
class Recipient:
    """A department that got what is wrong: *calls* of it, by their log *entries*, the *first* and the *last*.

    Of *undecided* entries it cannot be told any more: what is needed for it was erased. *subscriber*: it held a grant
    to subscribe, by which data reaches it without calls.
    """

    department: str
    calls: int
    first: datetime | None
    last: datetime | None
    entries: tuple[int, ...]
    undecided: tuple[int, ...] = ()
    subscriber: bool = False

    def to_plain(self) -> dict[str, Any]:
        """JSON values; of the entries the first `MAX_ENTRIES_KEPT`."""
        return {
            "department": self.department,
            "calls": self.calls,
            "first": self.first.isoformat() if self.first else None,
            "last": self.last.isoformat() if self.last else None,
            "entries": list(self.entries[:MAX_ENTRIES_KEPT]),
            "undecided": list(self.undecided[:MAX_ENTRIES_KEPT]),
            "subscriber": self.subscriber,
        }


@dataclass(slots=True)
class _Count:
    calls: list[tuple[int, datetime]] = field(default_factory=list)
    undecided: list[tuple[int, datetime]] = field(default_factory=list)


def recipients(
    office: Office, wrong: Wrong, since: datetime | None = None, until: datetime | None = None
) -> tuple[Recipient, ...]:
    """The departments that got what is *wrong* from *since* to *until* (aware; None: the log's beginning, now).

    Exact, because whose record an answer held is decided anew from its evidence, by whichever key it was looked up;
    what cannot be decided any more is said so. The answers of the resource in that time are found as `every` finds
    entries; looking them up by the record's own subject would miss those who sought it by another key. Of each snapshot
    that answered one record is read. A call that is being answered at this very moment may be missing, so *until*
    should not lie in the future.
    """
    end = until or office.now()
    counts: dict[str, _Count] = {}
    with open_warehouse(office.settings) as warehouse:
        past = PastAnswers(office.settings, office.evidence, warehouse)
        for index, entry in _answered(office, wrong.resource, since, end):
            try:
                got = _got(past, index, entry, wrong)
            except AnswerGoneError:
                counts.setdefault(department_of(entry.actor), _Count()).undecided.append((index, entry.at))
            else:
                if got:
                    counts.setdefault(department_of(entry.actor), _Count()).calls.append((index, entry.at))
    with office.control.reading() as connection:
        subscribers = _subscribers(connection, wrong.resource, since, end)
    return tuple(
        _recipient(department, counts.get(department, _Count()), subscriber=department in subscribers)
        for department in sorted(counts.keys() | subscribers)
    )


def issue(
    office: Office,
    wrong: Wrong,
    *,
    actor: Actor,
    since: datetime | None = None,
    until: datetime | None = None,
    correction: str = "",
    note: str = "",
) -> Case:
    """Recall what is *wrong* from everyone who got it; the same recall again is found, not issued anew.

    With *correction* the recall is that correction's: it must be accepted or mended, and there is one of each. Without,
    it is the same if it is about the same, in a period of the same days. *note* is kept with the case and told nobody.

    Raises:
        ResourceUnknownError: the list holds no such resource.
        NotYoursError: the actor is neither of the provider's department nor of the office.
        StepNotAllowedError: the correction is not settled that way.
        CaseUnknownError: there is no such correction.
    """
    may_recall(office, wrong.resource, actor)
    end = until or office.now()
    digest = _digest(office, wrong, since, end, correction)
    known = _find(office, wrong.resource, digest)
    if known is not None:
        return known
    # The log is read before the transaction, which holds up every other writer.
    found = recipients(office, wrong, since, end)
    with office.cases.begin() as work:
        # The correction first, as every step of one does: two who lock in other orders would wait for each other.
        if correction:
            _check_settled(work.get(correction, "correction"))
        # Two who recall at once queue at this row, on either database; the second then finds the first one's case.
        hold_generation(work.connection)
        earlier = _issued(work.connection, wrong.resource, digest)
        if earlier is not None:
            return work.get(earlier, KIND)
        return _open(
            work, office, wrong, found, digest, since=since, end=end, correction=correction, actor=actor, note=note
        )


def issue_for(
    office: Office,
    correction: str,
    *,
    actor: Actor,
    since: datetime | None = None,
    until: datetime | None = None,
    note: str = "",
) -> Case:
    """Recall what the correction called *correction* says is wrong. See `issue`."""
    wrong = of_correction(Correction.from_plain(office.cases.get(correction, "correction").value))
    return issue(office, wrong, actor=actor, since=since, until=until, correction=correction, note=note)


def of_correction(correction: Correction) -> Wrong:
    """What a correction says is wrong."""
    about = correction.disputed
    return Wrong(correction.resource, about.key, about.fields, absent=about.fault is Fault.MISSING_RECORD)


def acknowledge(office: Office, id_: str, *, actor: Actor, done: str, revision: int | None = None) -> Case:
    """A recipient says what it did about the recall *id_*; its notice counts as read. Closed when all have.

    Raises:
        CaseUnknownError, CaseConflictError: see `hub.cases`.
        NotYoursError: the recall was not sent to the actor's department.
        StepNotAllowedError: it has said so before.
        CaseInvalidError: *done* is missing or too long.
    """
    with office.cases.begin() as work:
        case = work.get(id_, KIND, revision)
        value = dict(case.value)
        if actor.department not in _told(value):
            raise NotYoursError(actor=str(actor), needed="")
        if actor.department in value["acknowledged"]:
            raise StepNotAllowedError(step="acknowledge", state=case.state, allowed=())
        if not done.strip():
            raise CaseInvalidError([problem("done", "correction_text_missing")])
        if len(done) > MAX_TEXT_CHARS:
            raise CaseInvalidError([problem("done", "correction_text_long", limit=str(MAX_TEXT_CHARS))])
        said = {"actor": str(actor), "at": work.at.isoformat(), "done": done}
        value["acknowledged"] = {**value["acknowledged"], actor.department: said}
        waiting = set(_told(value)) - value["acknowledged"].keys()
        turn = Turn(ISSUED if waiting else ACKNOWLEDGED, open=bool(waiting))
        after = work.act(case, value=value, turn=turn, actor=actor, step="acknowledged")
        work.connection.execute(
            sa.update(Notice)
            .where(Notice.case_id == id_, Notice.department == actor.department, Notice.read_at.is_(None))
            .values(read_at=work.at, read_by=str(actor))
        )
    return after


def view(case: Case, office_department: str, department: str) -> dict[str, Any]:
    """What *department* sees of a recall: its provider and the office everything, a recipient its own part.

    Raises:
        NotYoursError: it is none of them.
    """
    value = case.value
    plain = {
        "id": case.id,
        "revision": case.revision,
        "state": case.state,
        "resource": case.resource,
        "provider": case.opener,
        **{name: value[name] for name in ("fields", "since", "until", "correction")},
    }
    if department in (case.opener, office_department):
        return {**plain, **{name: value[name] for name in ("key", "recipients", "acknowledged")}}
    own = [one for one in value["recipients"] if one["department"] == department]
    if not own:
        raise NotYoursError(actor=department, needed="")
    # The recipient finds the person by its own entries; whose data others got is not its affair.
    said = {name: said for name, said in value["acknowledged"].items() if name == department}
    return {**plain, "recipients": own, "acknowledged": said}


def find(
    office: Office, department: str, *, limit: int = 50, offset: int = 0
) -> tuple[int, tuple[dict[str, Any], ...]]:
    """How many recalls concern *department*, and those of one page as it sees them, the newest first."""
    keeper = office.list_.office
    query = sa.select(CaseRow.__table__).where(CaseRow.kind == KIND).order_by(CaseRow.opened_at.desc(), CaseRow.id)
    with office.control.reading() as connection:
        # Recalls are few, and who got one stands inside the case.
        cases = [Case(**row_dict(row)) for row in connection.execute(query)]
    own = [case for case in cases if department in (case.opener, keeper, *_told(case.value))]
    return len(own), tuple(view(case, keeper, department) for case in own[offset : offset + limit])


def may_recall(office: Office, code: str, actor: Actor) -> None:
    """Refuse who neither provides the resource nor keeps the list.

    Raises:
        ResourceUnknownError, NotYoursError
    """
    list_ = office.list_
    resource = list_.by_code.get(code)
    if resource is None:
        raise ResourceUnknownError(resource=code[:100])
    if actor.department not in (resource.provider, list_.office):
        raise NotYoursError(actor=str(actor), needed=resource.provider)


def period(since: date | None, until: date | None, now: datetime) -> tuple[datetime | None, datetime]:
    """From the beginning of the day *since* to the end of *until*, in Shanghai, never past *now*."""
    first = datetime.combine(since, time(), SHANGHAI) if since is not None else None
    last = datetime.combine(until, time.max, SHANGHAI) if until is not None else now
    return first, min(last, now)


def _answered(office: Office, code: str, since: datetime | None, end: datetime) -> Iterator[tuple[int, Entry]]:
    """The entries of answered calls of a resource from *since* to *end*, both included, in the order of the log."""
    if since is not None and since > end:
        return
    query = Query(kinds=(ANSWERED,), resources=(code,), since=since, until=end + timedelta.resolution)
    for hit in every(office.settings, office.evidence, query):
        yield hit.index, hit.entry


def _got(past: PastAnswers, index: int, entry: Entry, wrong: Wrong) -> bool:
    """Whether the answer of *entry* told what is wrong."""
    if not wrong.key:
        told = entry.facts.get("fields", ())
        return not wrong.fields or any(name in told for name in wrong.fields)
    shown = past.told_of(past.read(index, entry), dict(wrong.key))
    if shown is None:
        return False
    if wrong.absent or not shown:
        return wrong.absent and not shown
    return not wrong.fields or any(name in shown for name in wrong.fields)


def _recipient(department: str, count: _Count, *, subscriber: bool) -> Recipient:
    times = [at for _, at in count.calls]
    return Recipient(
        department=department,
        calls=len(count.calls),
        first=min(times, default=None),
        last=max(times, default=None),
        entries=tuple(index for index, _ in count.calls),
        undecided=tuple(index for index, _ in count.undecided),
        subscriber=subscriber,
    )


def _subscribers(connection: Connection, code: str, since: datetime | None, until: datetime) -> set[str]:
    """Who held a grant to subscribe at some time of the period."""
    return {
        grant.consumer
        for grant in read_grants(connection, resource=code)
        if SUBSCRIBE in grant.actions
        and grant.starts <= until
        and (since is None or min(grant.expires, grant.revoked_at or grant.expires) >= since)
    }


def _digest(office: Office, wrong: Wrong, since: datetime | None, until: datetime, correction: str) -> str:
    """What makes two recalls the same. Keyed where it is about a person, for it is kept in clear."""
    if correction:
        return f"correction:{correction}"
    parts = {
        "resource": wrong.resource,
        "record": office.evidence.subject(dict(wrong.key)) if wrong.key else "",
        "fields": sorted(wrong.fields),
        "absent": wrong.absent,
        "since": "" if since is None else day_of(since).isoformat(),
        "until": day_of(until).isoformat(),
    }
    return hashlib.sha256(encode(parts)).hexdigest()


def _find(office: Office, code: str, digest: str) -> Case | None:
    with office.control.reading() as connection:
        known = _issued(connection, code, digest)
    return None if known is None else office.cases.get(known, KIND)


def _issued(connection: Connection, code: str, digest: str) -> str | None:
    query = sa.select(CaseRow.id, CaseRow.value).where(CaseRow.kind == KIND, CaseRow.resource == code)
    return next((str(row.id) for row in connection.execute(query) if row.value["digest"] == digest), None)


def _check_settled(case: Case) -> None:
    # Who recalls on a mere claim alarms everyone; the provider accepts first.
    if case.state not in (State.ACCEPTED, State.MENDED):
        raise StepNotAllowedError(step="recall", state=case.state, allowed=())


def _open(
    work: Transaction,
    office: Office,
    wrong: Wrong,
    found: tuple[Recipient, ...],
    digest: str,
    *,
    since: datetime | None,
    end: datetime,
    correction: str,
    actor: Actor,
    note: str,
) -> Case:
    begins = since or min((one.first for one in found if one.first), default=end)
    days = {"since": day_of(begins).isoformat(), "until": day_of(end).isoformat()}

    def value(id_: str) -> Mapping[str, Any]:
        return {
            "id": id_,
            "resource": wrong.resource,
            "key": [list(pair) for pair in wrong.key],
            "fields": list(wrong.fields),
            "absent": wrong.absent,
            "since": begins.astimezone(UTC).isoformat(),
            "until": end.astimezone(UTC).isoformat(),
            "correction": correction,
            "digest": digest,
            "recipients": [one.to_plain() for one in found],
            "acknowledged": {},
        }

    provider = office.list_.by_code[wrong.resource].provider
    calls = sum(one.calls for one in found)
    case = work.open(
        KIND,
        MARK,
        value=value,
        turn=Turn(ISSUED if found else ACKNOWLEDGED, open=bool(found)),
        opener=provider,
        resource=wrong.resource,
        actor=actor,
        step=ISSUED,
        note=note,
        facts={**days, "departments": len(found), "calls": calls, **({"correction": correction} if correction else {})},
    )
    for one in found:
        known = (*one.entries, *one.undecided)
        params = {
            "resource": wrong.resource,
            **days,
            "calls": str(len(known)),
            "entry": str(known[0]) if known else "-",
            # One word for both languages, and nothing that anybody wrote.
            "note": case.id,
        }
        work.tell(
            one.department,
            "recall",
            key=f"{case.id}:{one.department}",
            case=case.id,
            resource=wrong.resource,
            params=params,
        )
    return case


def _told(value: Mapping[str, Any]) -> list[str]:
    return [one["department"] for one in value["recipients"]]
