"""Settles corrections (校核纠错): each step of one with its log entry, its mark on live answers and its notices.

Which step is possible when is `catalog.correction`'s; how answers show a mark, `hub.disputes`'s; calling wrong data
back, `hub.recall`'s. What people write about a record stays in the case: facts, notices and messages hold none of it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date
from typing import TYPE_CHECKING, Any, Final

import sqlalchemy as sa

from audit.entry import Entry
from audit.errors import AuditError
from catalog import correction as machine
from catalog.clock import day_of
from catalog.correction import Correction, Disputed, Fault, Ground, State
from catalog.steps import CaseInvalidError, NotYoursError, problem, register_problems
from hub.actors import department_of
from hub.answered import ANSWERED, AnswerGoneError, PastAnswers
from hub.cases import Case, Turn
from hub.casewords import CASE_STATES
from hub.control import CaseRow, DisputeMark, Load, insert_once, raise_generation, row_dict
from hub.disputes import MISSING
from hub.errors import ResourceUnknownError
from hub.matching.comparing import lookup_value
from hub.recall import Wrong
from hub.standing import read_grants
from hub.storing import open_warehouse
from warehouse.errors import TableMissingError, WarehouseError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from catalog.model import InformationResource
    from hub.actors import Actor
    from hub.cases import Transaction
    from hub.office import Office
    from warehouse.engine import Warehouse

KIND: Final = "correction"
MARK: Final = "K"
NO_ENTRY: Final = -1
CHANGED, UNKNOWN = "changed", "unknown"

register_problems(
    {
        "correction_entry": (
            "is no answer that your department got from this resource; check the number on the receipt",
            "不是贵单位从该资源取得的应答，请核对回执上的条目序号",
        ),
        "correction_entry_records": (
            "does not tell the one record that is meant; name it by its key",
            "无法据此确定唯一的记录，请给出记录主键",
        ),
        "correction_mended_where": (
            "is neither a snapshot nor a load of `{resource}`; see `zhengtong ingest status`",
            "不是 `{resource}` 的快照或归集批次，请查看 `zhengtong ingest status`",
        ),
        "correction_mended_early": (
            "is not later than the data that is disputed; load the mended data first",
            "不晚于被提出校核的数据，请先归集更正后的数据",
        ),
        "correction_mended_same": (
            "holds the disputed data as it was; put it right at its source and load it, or reject the correction",
            "其中被校核的数据没有变化，请在源头更正并重新归集；如数据无误，请选择不予更正",
        ),
    }
)

PROMISED: Final = "correction.promised"
# Whose turn it is in an open state, and the clock that runs.
_TURNS: Final[dict[State, tuple[str, str]]] = {
    State.SUBMITTED: ("provider", "correction.reply"),
    State.ASKED: ("consumer", "application.supplement"),
    State.ACCEPTED: ("provider", "correction.reply"),
    State.DISPUTED: ("office", "dispute.office"),
}


class NotAUserError(NotYoursError):
    """Only who may call a resource, or did, disputes its data."""

    code = "not_a_user"
    en = "`{actor}` holds no grant for `{needed}` and names no answer it got from it. Give the log entry of an answer."
    zh = "`{actor}` 没有 `{needed}` 的授权，也未给出所取得的应答。请填写应答的日志条目序号。"


Key = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Claim:
    """A new correction as it is handed in: *key* in any writing, *entry* the log entry of the answer (-1: none)."""

    resource: str
    fault: Fault
    wrong: str
    right: str = ""
    evidence: str = ""
    key: Key = ()
    fields: tuple[str, ...] = ()
    entry: int = NO_ENTRY


def turn(correction: Correction) -> Turn:
    """Whose turn it is, and by which clock."""
    if not correction.open:
        return Turn(correction.state, open=False)
    who, rule = _TURNS[correction.state]
    if correction.state is State.ACCEPTED and correction.mend_by:
        # The provider named the day itself; that day is what it is reminded of.
        due_on = date.fromisoformat(correction.mend_by)
        return Turn(correction.state, open=True, answerer=correction.provider, rule=PROMISED, due_on=due_on)
    return Turn(correction.state, open=True, answerer=getattr(correction, who), rule=rule)


def get(office: Office, id_: str, department: str) -> Case:
    """The correction called *id_*, for one of its parties.

    Raises:
        CaseUnknownError: there is none.
        NotYoursError: *department* is no party to it.
    """
    case = office.cases.get(id_, KIND)
    parties = [case.value[name] for name in ("consumer", "provider", "office")]
    if department not in parties:
        raise NotYoursError(actor=department, needed="")
    return case


def look(office: Office, id_: str, *, actor: Actor) -> Case:
    """The correction called *id_*, for somebody who reads what is written in it about a record: recorded first.

    Raises:
        CaseUnknownError, NotYoursError: see `get`.
    """
    case = get(office, id_, actor.department)
    facts = {"case": case.id, "revision": case.revision}
    office.evidence.append("correction.read", actor=str(actor), resource=case.resource, facts=facts)
    return case


def find(
    office: Office,
    department: str,
    *,
    state: str | None = None,
    resource: str | None = None,
    opener: str | None = None,
    answerer: str | None = None,
    limit: int = 50,
    offset: int = 0,
) -> tuple[int, tuple[Case, ...]]:
    """How many corrections *department* is a party to, and those of one page: the clock that ends first before others.

    The office sees all. *opener*: only those of this department; *answerer*: only those that wait for this one.
    """
    list_ = office.list_
    where = [CaseRow.kind == KIND]
    where += [CaseRow.state == state] if state is not None else []
    where += [CaseRow.resource == resource] if resource is not None else []
    where += [CaseRow.opener == opener] if opener is not None else []
    where += [CaseRow.answerer == answerer, CaseRow.open.is_(True)] if answerer is not None else []
    if department != list_.office:
        own = [r.code for r in list_.resources if r.provider == department]
        where.append(sa.or_(CaseRow.opener == department, CaseRow.resource.in_(own)))
    query = sa.select(CaseRow.__table__).where(*where).order_by(CaseRow.due_at.is_(None), CaseRow.due_at, CaseRow.id)
    with office.control.reading() as connection:
        total = connection.execute(sa.select(sa.func.count()).select_from(CaseRow).where(*where)).scalar_one()
        rows = connection.execute(query.limit(limit).offset(offset))
        return int(total), tuple(Case(**row_dict(row)) for row in rows)


def view(case: Case, department: str) -> dict[str, Any]:
    """A correction as *department*, one of its parties, sees it."""
    correction = Correction.from_plain(case.value)
    return {
        **correction.to_plain(),
        "revision": case.revision,
        "opened_at": case.opened_at.isoformat(),
        "due_at": case.due_at.isoformat() if case.due_at else None,
        "allowed": list(machine.allowed(correction, department)),
    }


def content(case: Case) -> Correction:
    """What a case of this kind holds."""
    return Correction.from_plain(case.value)


def wrong_of(office: Office, code: str, key: Key, fields: tuple[str, ...]) -> Wrong:
    """What a provider found wrong by itself, without a correction: checked like one.

    Raises:
        ResourceUnknownError: the list holds no such resource.
        CaseInvalidError: the key or the fields are none of it.
    """
    resource = office.list_.by_code.get(code)
    if resource is None:
        raise ResourceUnknownError(resource=code[:100])
    about = machine.check_disputed(Disputed(Fault.OTHER, _written(resource, key), fields), resource)
    return Wrong(code, about.key, about.fields)


def line(case: Case) -> dict[str, Any]:
    """A correction in a list: nothing about a person."""
    about = case.value["disputed"]
    return {
        "id": case.id,
        "revision": case.revision,
        "state": case.state,
        "resource": case.resource,
        "fault": about["fault"],
        "fields": about["fields"],
        "consumer": case.opener,
        "answerer": case.answerer,
        "due_at": case.due_at.isoformat() if case.due_at else None,
    }


def submit(office: Office, claim: Claim, *, actor: Actor) -> Case:
    """Open a correction: from now on answers say that the data is disputed.

    Raises:
        ResourceUnknownError: the list holds no such resource.
        NotAUserError: the actor's department may not call it, and gives no answer it got.
        CaseInvalidError: with everything that must be mended.
    """
    list_ = office.list_
    resource = list_.by_code.get(claim.resource)
    if resource is None:
        raise ResourceUnknownError(resource=claim.resource[:100])
    entry = None if claim.entry == NO_ENTRY else _own_entry(office, claim, actor)
    if entry is None and not _may_call(office, resource.code, actor):
        raise NotAUserError(actor=str(actor), needed=resource.code)
    with open_warehouse(office.settings) as warehouse:
        key = claim.key or _key_of(office, warehouse, claim, entry)
        snapshot = str(entry.facts["snapshot"]) if entry is not None else _snapshot(warehouse, resource.code)
    draft = Correction(
        id="",
        state=State.SUBMITTED,
        consumer=actor.department,
        provider=resource.provider,
        office=list_.office,
        resource=resource.code,
        list_version=list_.version,
        disputed=Disputed(claim.fault, _written(resource, key), claim.fields),
        wrong=claim.wrong.strip(),
        right=claim.right.strip(),
        evidence=claim.evidence.strip(),
        entry=claim.entry,
        snapshot=snapshot,
    )
    checked = machine.submit(draft, resource)
    with office.cases.begin() as work:
        case = work.open(
            KIND,
            MARK,
            value=lambda id_: replace(checked, id=id_).to_plain(),
            turn=turn(checked),
            opener=checked.consumer,
            resource=resource.code,
            actor=actor,
            step="submit",
            facts={
                "fault": str(claim.fault),
                "fields": list(checked.disputed.fields),
                "about": "record" if checked.disputed.key else "resource",
            },
        )
        _mark(work, office, case, checked)
        words = {"consumer": checked.consumer, "resource": resource.code, "case": case.id, "due": _due(case)}
        _tell(work, case, checked.provider, "correction_opened", words)
    return case


def ask(office: Office, id_: str, *, actor: Actor, question: str, revision: int | None = None) -> Case:
    """The provider asks the consumer. Raises: as `hub.cases` and `catalog.correction`, like every step below."""

    def change(correction: Correction, _: Transaction) -> Correction:
        return machine.ask(correction, by=actor.department, question=question)

    return _step(office, id_, "ask", actor, change, revision=revision)


def supply(office: Office, id_: str, *, actor: Actor, reply: str, revision: int | None = None) -> Case:
    """The consumer replies."""

    def change(correction: Correction, _: Transaction) -> Correction:
        return machine.supply(correction, by=actor.department, reply=reply)

    return _step(office, id_, "supply", actor, change, revision=revision)


def accept(
    office: Office, id_: str, *, actor: Actor, mend_by: date, answer: str = "", revision: int | None = None
) -> Case:
    """The provider will put it right by *mend_by*."""

    def change(correction: Correction, work: Transaction) -> Correction:
        today = day_of(work.at)
        return machine.accept(correction, by=actor.department, mend_by=mend_by, today=today, answer=answer)

    return _step(office, id_, "accept", actor, change, revision=revision, facts={"mend_by": mend_by.isoformat()})


def reject(office: Office, id_: str, *, actor: Actor, ground: Ground, answer: str, revision: int | None = None) -> Case:
    """The provider stands by its data."""

    def change(correction: Correction, _: Transaction) -> Correction:
        return machine.reject(correction, by=actor.department, ground=ground, answer=answer)

    return _step(office, id_, "reject", actor, change, revision=revision, facts={"ground": str(ground)})


def mended(office: Office, id_: str, *, actor: Actor, where: str, revision: int | None = None) -> Case:
    """The provider has put it right in *where*, a snapshot or the run of a load; compared with what was disputed.

    Raises:
        CaseInvalidError: there is no such snapshot or load, it is no later, or the record is there as it was.
    """
    case = office.cases.get(id_, KIND)
    correction = Correction.from_plain(case.value)
    snapshot, checked = "", ""
    # Compared before the transaction, which holds up other writers, and only for who may take the step: what a table
    # holds is nobody else's affair. That nothing happened meanwhile, the revision says.
    if actor.department == correction.provider and correction.state is State.ACCEPTED:
        snapshot, checked = _compare(office, correction, where)

    def change(correction: Correction, _: Transaction) -> Correction:
        return machine.mended(correction, by=actor.department, where=snapshot, checked=checked)

    return _step(
        office,
        id_,
        "mended",
        actor,
        change,
        revision=case.revision if revision is None else revision,
        facts={"snapshot": snapshot, "checked": checked},
    )


def withdraw(office: Office, id_: str, *, actor: Actor, revision: int | None = None) -> Case:
    """The consumer takes it back."""

    def change(correction: Correction, _: Transaction) -> Correction:
        return machine.withdraw(correction, by=actor.department)

    return _step(office, id_, "withdraw", actor, change, revision=revision)


def appeal(office: Office, id_: str, *, actor: Actor, why: str, revision: int | None = None) -> Case:
    """The consumer disputes the answer to the office that the list in force names; the data is marked again."""
    settler = office.list_.office

    def change(correction: Correction, _: Transaction) -> Correction:
        return machine.appeal(replace(correction, office=settler), by=actor.department, why=why)

    return _step(office, id_, "appeal", actor, change, revision=revision)


def settle(
    office: Office,
    id_: str,
    *,
    actor: Actor,
    upheld: bool,
    verdict: str,
    mend_by: date | None = None,
    revision: int | None = None,
) -> Case:
    """The office decides whether the provider has to put it right."""
    with open_warehouse(office.settings) as warehouse:
        snapshot = _snapshot(warehouse, office.cases.get(id_, KIND).resource)

    def change(correction: Correction, work: Transaction) -> Correction:
        settled = machine.settle(
            correction, by=actor.department, upheld=upheld, verdict=verdict, today=day_of(work.at), mend_by=mend_by
        )
        # What was loaded up to now did not put it right, so that mending is measured from here.
        return replace(settled, snapshot=snapshot) if upheld else settled

    return _step(office, id_, "settle", actor, change, revision=revision, facts={"upheld": upheld})


# --- inside ---


def _step(
    office: Office,
    id_: str,
    step: str,
    actor: Actor,
    change: Callable[[Correction, Transaction], Correction],
    *,
    revision: int | None,
    facts: Mapping[str, Any] | None = None,
) -> Case:
    with office.cases.begin() as work:
        case = work.get(id_, KIND, revision)
        after = change(Correction.from_plain(case.value), work)
        done = work.act(case, value=after.to_plain(), turn=turn(after), actor=actor, step=step, facts=facts)
        _mark(work, office, done, after)
        # Everyone but who acted; the office only once it has to do with it.
        told = {after.consumer, after.provider, *([after.office] if after.appealed else [])} - {actor.department}
        en, zh = CASE_STATES[KIND][after.state]
        when = after.mend_by if after.state is State.ACCEPTED else _due(done)
        words = {"resource": done.resource, "case": id_, "outcome": en, "outcome_zh": zh, "note": when}
        for department in sorted(told):
            _tell(work, done, department, "correction_settled", words)
    return done


def _mark(work: Transaction, office: Office, case: Case, correction: Correction) -> None:
    """Let answers say that the data is disputed exactly as long as the correction is open."""
    if correction.open:
        about = correction.disputed
        # A missing, doubled or foreign record is disputed as a whole, whichever field it was noticed by.
        whole = about.fault in (Fault.MISSING_RECORD, Fault.DUPLICATE_RECORD, Fault.NOT_THIS_PERSON)
        record = office.evidence.subject(dict(about.key)) if about.key else ""
        row = {
            "case_id": case.id,
            "resource": case.resource,
            "record": MISSING + record if about.fault is Fault.MISSING_RECORD else record,
            "fields": [] if whole else list(about.fields),
            "since": work.at,
        }
        changed = insert_once(work.connection, DisputeMark, row)
    else:
        changed = bool(work.connection.execute(sa.delete(DisputeMark).where(DisputeMark.case_id == case.id)).rowcount)
    if changed:
        raise_generation(work.connection)


def _tell(work: Transaction, case: Case, department: str, kind: str, words: Mapping[str, str]) -> None:
    key = f"{case.id}:{case.revision}:{department}"
    work.tell(department, kind, key=key, case=case.id, resource=case.resource, params=words)


def _due(case: Case) -> str:
    return day_of(case.due_at).isoformat() if case.due_at else ""


def _own_entry(office: Office, claim: Claim, actor: Actor) -> Entry:
    """The entry of the disputed answer. Which of its conditions fails is not said: the log is not to be felt out."""
    try:
        entry = Entry.decode(office.evidence.log.entry(claim.entry))
    except AuditError as error:
        raise CaseInvalidError([problem("entry", "correction_entry")]) from error
    # Whoever of the department called: a system of it, or a person at the try-out.
    if (entry.kind, entry.resource, department_of(entry.actor)) != (ANSWERED, claim.resource, actor.department):
        raise CaseInvalidError([problem("entry", "correction_entry")])
    return entry


def _may_call(office: Office, code: str, actor: Actor) -> bool:
    at = office.now()
    with office.control.reading() as connection:
        grants = read_grants(connection, consumer=actor.department, resource=code)
    return any(g.starts <= at < g.expires and (g.revoked_at is None or at < g.revoked_at) for g in grants)


def _key_of(office: Office, warehouse: Warehouse, claim: Claim, entry: Entry | None) -> Key:
    """The key of the one record that the answer of *entry* was about, for who was not shown it."""
    if entry is None or claim.fault in (Fault.LATE, Fault.STRUCTURE):
        return ()
    past = PastAnswers(office.settings, office.evidence, warehouse)
    try:
        found = past.keys(past.read(claim.entry, entry))
    except AnswerGoneError:
        found = []
    if len(found) != 1:
        raise CaseInvalidError([problem("entry", "correction_entry_records")])
    return tuple(found[0].items())


def _written(resource: InformationResource, key: Key) -> Key:
    """A key with its values written as they are looked up; what is no field stays, to be told."""
    by_name = {field.name: field for field in resource.fields}
    return tuple((name, lookup_value(by_name[name], text) if name in by_name else text) for name, text in key)


def _snapshot(warehouse: Warehouse, code: str) -> str:
    try:
        current = warehouse.current_snapshot(code)
    except TableMissingError:
        return ""
    return "" if current is None else str(current)


def _compare(office: Office, correction: Correction, where: str) -> tuple[str, str]:
    """The snapshot that *where* names, and whether what was disputed is another there than it was.

    Of a resource as such only this is checked: that something was loaded since.
    """
    code = correction.resource
    with open_warehouse(office.settings) as warehouse:
        try:
            history = {info.snapshot_id: info for info in warehouse.snapshots(code)}
        except TableMissingError:
            history = {}
        snapshot = _named(office, code, where)
        if snapshot not in history:
            raise CaseInvalidError([problem("where", "correction_mended_where", resource=code)])
        base = history.get(int(correction.snapshot)) if correction.snapshot else None
        if base is not None and history[snapshot].sequence <= base.sequence:
            raise CaseInvalidError([problem("where", "correction_mended_early")])
        if not correction.disputed.key:
            return str(snapshot), CHANGED if base is not None or not correction.snapshot else UNKNOWN
        key = dict(correction.disputed.key)
        resource = office.list_.by_code.get(code)
        try:
            after = warehouse.scan(code, snapshot, key, limit=1)
            before = warehouse.scan(code, base.snapshot_id, key, limit=1) if base is not None else []
        except WarehouseError:
            return str(snapshot), UNKNOWN
    if correction.disputed.fault is Fault.MISSING_RECORD:
        same = not after
    elif base is None:
        return str(snapshot), UNKNOWN
    else:
        same = _same(before, after, correction, resource)
    if same:
        raise CaseInvalidError([problem("where", "correction_mended_same")])
    return str(snapshot), CHANGED


def _named(office: Office, code: str, where: str) -> int | None:
    """The snapshot of which *where* is the number, or that the run of this name made."""
    if where.isascii() and where.isdigit():
        return int(where)
    query = sa.select(Load.snapshot).where(Load.resource == code, Load.run == where)
    with office.control.reading() as connection:
        found = connection.execute(query).scalar_one_or_none()
    return None if found is None else int(found)


def _same(
    before: list[dict[str, Any]],
    after: list[dict[str, Any]],
    correction: Correction,
    resource: InformationResource | None,
) -> bool:
    if not before or not after:
        return bool(before) == bool(after)
    names = correction.disputed.fields or (
        tuple(field.name for field in resource.fields) if resource is not None else tuple(after[0])
    )
    return all(before[0].get(name) == after[0].get(name) for name in names)
