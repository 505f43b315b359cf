"""Keeps grants (授权): suspending, ending, lessening and showing what `hub.applications` has given.

Whether an application deserves a grant is decided by people and by the list before; what one allows, by
`catalog.decide`; caller keys are kept by `hub.callers`. Every change bites on the next call, in every process.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

import sqlalchemy as sa

from catalog.clock import day_of
from catalog.decide import Grant, grant_from_plain, grant_to_plain
from catalog.eligibility import need_text
from catalog.model import EVERYONE
from catalog.rows import rules_to_plain
from catalog.steps import CaseInvalidError, NotYoursError, StepNotAllowedError, problem
from catalog.terms import Less, Terms, excess, lessened
from hub.callers import IssuedKey, issue_key, revoke_key, rotate_key
from hub.control import Control, GrantRow, GrantUsage, raise_generation, row_dict
from hub.errors import GrantInvalidError, GrantUnknownError
from hub.published import list_version

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from datetime import datetime

    from sqlalchemy.engine import Connection

    from catalog.model import ResponsibilityList
    from hub.actors import Actor
    from hub.cases import Transaction
    from hub.office import Office

__all__ = [
    "GrantRecord",
    "IssuedKey",
    "Use",
    "count",
    "find",
    "get",
    "hand_back",
    "issue_key",
    "overseers_of",
    "plain",
    "provider_of",
    "resume",
    "revoke",
    "revoke_key",
    "rotate_key",
    "shrink",
    "suspend",
    "use_of",
]

MAX_FOUND = 500
DAY: Final = timedelta(days=1)

IN_FORCE, SUSPENDED, EXPIRED = "in_force", "suspended", "expired"
REVOKED, HANDED_BACK, REPLACED = "revoked", "handed_back", "replaced"
_STEPS: Final[dict[str, tuple[str, ...]]] = {
    IN_FORCE: ("renew", "shrink", "suspend", "hand-back", "revoke"),
    SUSPENDED: ("renew", "shrink", "resume", "hand-back", "revoke"),
    EXPIRED: ("renew",),
}
_ENDINGS: Final = {REVOKED: "revoke", HANDED_BACK: "hand-back"}
_SAID: Final = {
    "suspended": ("suspended", "已暂停"),
    "resumed": ("resumed", "已恢复"),
    REVOKED: ("revoked", "已撤销"),
    HANDED_BACK: ("handed back", "已交回"),
    "shrunk": ("lessened; grant {successor} takes its place", "已缩减，由授权 {successor} 替代"),
    REPLACED: ("replaced by grant {successor}", "已由授权 {successor} 替代"),
}


@dataclass(frozen=True, slots=True)
class GrantRecord:
    """A grant as it stands, with who gave it when (*log_index*: its entry) and how it ended, if it has."""

    grant: Grant
    given_by: str
    given_at: datetime
    log_index: int
    ended: str
    ended_why: str
    ended_by: str
    ended_log_index: int | None
    suspended_by: str = ""

    def state(self, at: datetime) -> str:
        """``in_force``, ``suspended``, ``expired``, ``revoked``, ``handed_back`` or ``replaced``."""
        if self.grant.revoked_at is not None:
            return self.ended or REVOKED
        if self.grant.expires <= at:
            return EXPIRED
        return SUSPENDED if self.grant.suspended_at is not None else IN_FORCE

    def possible(self, at: datetime) -> tuple[str, ...]:
        """The steps that may be taken at *at*, by whoever they belong to."""
        return _STEPS.get(self.state(at), ())


@dataclass(frozen=True, slots=True)
class Use:
    """How a grant was used, as far as the log was counted; *days_unused* since the last call or, without, the start."""

    calls: int
    today: int
    last_used: datetime | None
    days_unused: int


# --- Looking -----------------------------------------------------------------------------------------------------


def get(control: Control, id_: str) -> GrantRecord:
    """The grant called *id_*.

    Raises:
        GrantUnknownError: there is none.
    """
    with control.reading() as connection:
        return _read(connection, id_)


def find(
    office: Office,
    *,
    consumer: str | None = None,
    resource: str | None = None,
    concerning: str | None = None,
    provider: str | None = None,
    ended: bool | None = None,
    limit: int = MAX_FOUND,
    offset: int = 0,
) -> tuple[GrantRecord, ...]:
    """Grants, the newest first. *concerning* a department: those it holds and those on what it provides.

    *provider*: only those on what this department provides.

    *ended*: only those that were ended (True) or were not (False); an expired grant was not ended by anyone.
    """
    query = sa.select(GrantRow.__table__).where(
        *_conditions(
            office, consumer=consumer, resource=resource, concerning=concerning, provider=provider, ended=ended
        )
    )
    query = query.order_by(GrantRow.given_at.desc(), GrantRow.id).limit(min(limit, MAX_FOUND)).offset(offset)
    with office.control.reading() as connection:
        return tuple(_record(row_dict(row)) for row in connection.execute(query))


def count(
    office: Office,
    *,
    consumer: str | None = None,
    resource: str | None = None,
    concerning: str | None = None,
    provider: str | None = None,
    ended: bool | None = None,
) -> int:
    """How many fit; see `find`."""
    conditions = _conditions(
        office, consumer=consumer, resource=resource, concerning=concerning, provider=provider, ended=ended
    )
    with office.control.reading() as connection:
        return int(connection.execute(sa.select(sa.func.count()).select_from(GrantRow).where(*conditions)).scalar_one())


def _conditions(
    office: Office,
    *,
    consumer: str | None,
    resource: str | None,
    concerning: str | None,
    provider: str | None,
    ended: bool | None,
) -> list[sa.ColumnElement[bool]]:
    found: list[sa.ColumnElement[bool]] = []
    if consumer is not None:
        found.append(GrantRow.consumer == consumer)
    if resource is not None:
        found.append(GrantRow.resource == resource)
    if concerning is not None:
        found.append(sa.or_(GrantRow.consumer == concerning, GrantRow.resource.in_(_provided(office, concerning))))
    if provider is not None:
        found.append(GrantRow.resource.in_(_provided(office, provider)))
    if ended is not None:
        found.append(GrantRow.revoked_at.is_not(None) if ended else GrantRow.revoked_at.is_(None))
    return found


def _provided(office: Office, department: str) -> list[str]:
    return [resource.code for resource in office.list_.resources if resource.provider == department]


def use_of(control: Control, grant: str, *, on: datetime) -> Use:
    """How *grant* was used up to *on*, as last counted by `hub.usage.count`.

    Raises:
        GrantUnknownError: no such grant.
    """
    known = get(control, grant)
    query = sa.select(GrantUsage.day, GrantUsage.calls, GrantUsage.last_at).where(GrantUsage.grant == grant)
    with control.reading() as connection:
        days = list(connection.execute(query))
    last = max((row.last_at for row in days), default=None)
    idle = day_of(on) - day_of(last or known.grant.starts)
    return Use(
        calls=sum(int(row.calls) for row in days),
        today=sum(int(row.calls) for row in days if row.day == day_of(on).isoformat()),
        last_used=last,
        days_unused=max(0, idle.days),
    )


def plain(record: GrantRecord, at: datetime, use: Use | None = None) -> dict[str, Any]:
    """The grant as both doors show it at *at*."""
    grant = record.grant
    shown: dict[str, Any] = {
        # What is left out of a grant's stored form while it says nothing is shown all the same.
        "rows": [],
        "quota_per_day": 0,
        "suspended_at": None,
        "suspended_by": record.suspended_by,
        "application": "",
        "predecessor": "",
        **grant_to_plain(grant),
        "masks": {name: mask.value for name, mask in grant.masks},
        "state": record.state(at),
        "possible": list(record.possible(at)),
        "given_by": record.given_by,
        "given_at": record.given_at.isoformat(),
        "log_index": record.log_index,
        "ended_by": record.ended_by,
        "ended_why": record.ended_why,
        "ended_log_index": record.ended_log_index,
    }
    if use is not None:
        shown["use"] = {
            "calls": use.calls,
            "today": use.today,
            "last_used": use.last_used.isoformat() if use.last_used else None,
            "days_unused": use.days_unused,
        }
    return shown


def provider_of(office: Office, grant: Grant) -> str:
    """Who provides what *grant* is for: by the list in force or, if it has no such resource, the grant's."""
    resource = office.list_.by_code.get(grant.resource)
    if resource is None:
        resource = list_version(office.settings, grant.list_version).by_code[grant.resource]
    return resource.provider


# --- Giving: called by `hub.applications` and by `shrink`, and by nothing else ---------------------------------------


def _insert(transaction: Transaction, grant: Grant, *, by: str, suspended_by: str = "") -> int:
    """Give *grant* in *transaction*, which also holds the step that decided so; the index of its entry.

    The entry goes first: a crash before the commit leaves an entry about a grant that never opened anything.
    """
    if not (grant.fields and grant.purposes and grant.actions) or grant.expires <= grant.starts:
        raise GrantInvalidError(grant=grant.id, why="it would allow nothing", why_zh="没有可授权的内容")
    # The terms of a grant are public: who may see which fields of what, for which purpose, on what ground.
    recorded = transaction.record(
        "grant.given", actor=by, resource=grant.resource, facts={"grant": grant_to_plain(grant)}
    )
    transaction.connection.execute(
        sa.insert(GrantRow).values(
            id=grant.id,
            consumer=grant.consumer,
            resource=grant.resource,
            fields=list(grant.fields),
            masks=[[name, mask.value] for name, mask in grant.masks],
            purposes=list(grant.purposes),
            actions=list(grant.actions),
            starts=grant.starts,
            expires=grant.expires,
            list_version=grant.list_version,
            ground=grant.ground,
            revoked_at=None,
            given_by=by,
            given_at=transaction.at,
            log_index=recorded.index,
            rows=rules_to_plain(grant.rows),
            quota_per_day=grant.quota_per_day,
            suspended_at=grant.suspended_at,
            suspended_by=suspended_by,
            application=grant.application,
            predecessor=grant.predecessor,
        )
    )
    raise_generation(transaction.connection)
    return recorded.index


def _replace(transaction: Transaction, old: Grant, successor: Grant, *, by: str, why: str) -> None:
    """End *old* in favour of *successor*, in the same transaction: at no moment do both hold, or neither."""
    recorded = transaction.record(
        "grant.replaced",
        actor=by,
        resource=old.resource,
        facts={"grant": old.id, "consumer": old.consumer, "successor": successor.id},
        body={"grant": old.id, "reason": why},
    )
    transaction.connection.execute(
        sa.update(GrantRow)
        .where(GrantRow.id == old.id)
        .values(
            revoked_at=transaction.at,
            revoked_by=by,
            revoked_log_index=recorded.index,
            ended=REPLACED,
            ended_why=why,
        )
    )
    raise_generation(transaction.connection)


# --- Changing ------------------------------------------------------------------------------------------------------


def suspend(office: Office, grant: str, *, actor: Actor, reason: str) -> GrantRecord:
    """Let *grant* rest until it is resumed; for its provider or the office of the list.

    Raises:
        GrantUnknownError, NotYoursError, StepNotAllowedError, CaseInvalidError: nothing was done.
    """
    return _rest(office, grant, "suspend", actor=actor, reason=reason)


def resume(office: Office, grant: str, *, actor: Actor, reason: str) -> GrantRecord:
    """Let a suspended *grant* hold again; for its provider or the office, if the office suspended it for the office.

    Raises:
        GrantUnknownError, NotYoursError, StepNotAllowedError, CaseInvalidError: nothing was done.
    """
    return _rest(office, grant, "resume", actor=actor, reason=reason)


def _rest(office: Office, id_: str, step: str, *, actor: Actor, reason: str) -> GrantRecord:
    need_text("reason", reason)
    with office.cases.begin() as transaction:
        known = _read(transaction.connection, id_, hold=True)
        _need(actor, overseers_of(office, known.grant))
        _require(known, step, transaction.at)
        if step == "resume" and known.suspended_by and known.suspended_by == office.list_.office:
            # What the office has stopped, the office lets go on.
            _need(actor, (known.suspended_by,))
        since = transaction.at if step == "suspend" else None
        stopped_by = actor.department if step == "suspend" else ""
        change = "suspended" if step == "suspend" else "resumed"
        _change_entry(transaction, known.grant, f"grant.{change}", actor, reason)
        resting = {"suspended_at": since, "suspended_by": stopped_by}
        transaction.connection.execute(sa.update(GrantRow).where(GrantRow.id == id_).values(resting))
        raise_generation(transaction.connection)
        _tell(office, transaction, known.grant, change, by=actor, note=reason)
    return replace(known, grant=replace(known.grant, suspended_at=since), suspended_by=stopped_by)


def revoke(office: Office, grant: str, *, actor: Actor, reason: str) -> GrantRecord:
    """End *grant* now; for its provider or the office of the list. Safe to repeat.

    The row goes first, so that the grant is dead even when the log cannot be written; a repeat adds a missing entry.

    Raises:
        GrantUnknownError, NotYoursError, StepNotAllowedError, CaseInvalidError: nothing was done.
        EvidenceUnavailableError: the grant is dead, its entry is not written: repeat.
    """
    return _end(office, grant, REVOKED, actor=actor, reason=reason)


def hand_back(office: Office, grant: str, *, actor: Actor, reason: str) -> GrantRecord:
    """End *grant* now, because its holder no longer needs it; otherwise as `revoke`."""
    return _end(office, grant, HANDED_BACK, actor=actor, reason=reason)


def _end(office: Office, id_: str, how: str, *, actor: Actor, reason: str) -> GrantRecord:
    need_text("reason", reason)
    with office.cases.begin() as transaction:
        known = _read(transaction.connection, id_, hold=True)
        holder = (known.grant.consumer,)
        _need(actor, holder if how == HANDED_BACK else overseers_of(office, known.grant))
        if known.state(transaction.at) != how:
            _require(known, _ENDINGS[how], transaction.at)
            transaction.connection.execute(
                sa.update(GrantRow)
                .where(GrantRow.id == id_)
                .values(revoked_at=transaction.at, revoked_by=str(actor), ended=how, ended_why=reason)
            )
            raise_generation(transaction.connection)
            _tell(office, transaction, known.grant, how, by=actor, note=reason)
    ended = get(office.control, id_)
    if ended.ended_log_index is None:
        with office.cases.begin() as transaction:
            index = _change_entry(transaction, ended.grant, f"grant.{how}", actor, ended.ended_why)
            transaction.connection.execute(
                sa.update(GrantRow).where(GrantRow.id == id_).values(revoked_log_index=index)
            )
        ended = replace(ended, ended_log_index=index)
    return ended


def shrink(office: Office, grant: str, less: Less, *, actor: Actor, reason: str) -> GrantRecord:
    """Lessen *grant*: a successor with *less* of its terms takes its place; for its holder, provider or the office.

    No application is needed, for nothing comes to it; the successor rests where *grant* does. ``less.term_days``
    counts from today and only shortens.

    Raises:
        GrantUnknownError, NotYoursError, StepNotAllowedError: nothing was done.
        CaseInvalidError: *less* is not less; every respect is named.
    """
    need_text("reason", reason)
    list_ = office.list_
    with office.cases.begin() as transaction:
        known = _read(transaction.connection, grant, hold=True)
        old = known.grant
        _need(actor, (old.consumer, *overseers_of(office, old)))
        _require(known, "shrink", transaction.at)
        successor = _lessened(old, less, list_, transaction)
        index = _insert(transaction, successor, by=str(actor), suspended_by=known.suspended_by)
        _replace(transaction, old, successor, by=str(actor), why=reason)
        _tell(office, transaction, old, "shrunk", by=actor, note=reason, successor=successor.id)
    return GrantRecord(successor, str(actor), transaction.at, index, "", "", "", None, known.suspended_by)


def _lessened(old: Grant, less: Less, list_: ResponsibilityList, transaction: Transaction) -> Grant:
    had = Terms(
        fields=old.fields,
        actions=old.actions,
        # Whoever may use it for every matter may say for which only.
        purposes=less.purposes if less.purposes and EVERYONE in old.purposes else old.purposes,
        term_days=-((transaction.at - old.expires) // DAY),
        masks=old.masks,
        rows=old.rows,
        quota_per_day=old.quota_per_day,
    )
    problems = excess(less, had, list_.by_code.get(old.resource))
    if problems:
        raise CaseInvalidError(problems)
    has = lessened(had, less)
    expires = old.expires
    if less.term_days is not None:
        expires = min(expires, transaction.at + less.term_days * DAY)
    successor = replace(
        old,
        fields=has.fields,
        masks=has.masks,
        actions=has.actions,
        purposes=has.purposes,
        rows=has.rows,
        quota_per_day=has.quota_per_day,
        expires=expires,
    )
    if successor == old:
        raise CaseInvalidError([problem("grant", "terms_same")])
    # The list it rests on stays the one it was given under: nothing was asked of the newer one.
    return replace(
        successor, id=transaction.new_identifier("G"), starts=max(old.starts, transaction.at), predecessor=old.id
    )


# The steps that need nothing but a reason, by the name that both doors give them.
STEPS: Final[Mapping[str, Callable[..., GrantRecord]]] = {
    "suspend": suspend,
    "resume": resume,
    "hand_back": hand_back,
    "revoke": revoke,
}


def overseers_of(office: Office, grant: Grant) -> tuple[str, ...]:
    """The departments that may stop or lessen *grant* beside its holder: its provider, and the office of the list."""
    return tuple(dict.fromkeys(d for d in (provider_of(office, grant), office.list_.office) if d))


def _need(actor: Actor, departments: Iterable[str]) -> None:
    allowed = tuple(departments)
    if actor.department not in allowed:
        raise NotYoursError(actor=str(actor), needed=", ".join(allowed))


def _require(known: GrantRecord, step: str, at: datetime) -> None:
    possible = known.possible(at)
    if step not in possible:
        raise StepNotAllowedError(step=step, state=known.state(at), allowed=possible)


def _change_entry(transaction: Transaction, grant: Grant, kind: str, actor: Actor, reason: str) -> int:
    """The public entry of a change; the reason, which people write freely, stays in the protected body."""
    return transaction.record(
        kind,
        actor=actor,
        resource=grant.resource,
        facts={"grant": grant.id, "consumer": grant.consumer},
        body={"grant": grant.id, "reason": reason},
    ).index


def _tell(
    office: Office, transaction: Transaction, grant: Grant, change: str, *, by: Actor, note: str, successor: str = ""
) -> None:
    """Tell holder and provider, but for the one who did it."""
    english, chinese = (text.format(successor=successor) for text in _SAID[change])
    for department in sorted({grant.consumer, provider_of(office, grant)} - {by.department}):
        transaction.tell(
            department,
            "grant_changed",
            key=f"{grant.id}/{change}/{transaction.at.isoformat()}/{department}",
            resource=grant.resource,
            params={
                "grant": grant.id,
                "resource": grant.resource,
                "change": english,
                "change_zh": chinese,
                "note": note,
            },
        )


def _read(connection: Connection, id_: str, *, hold: bool = False) -> GrantRecord:
    query = sa.select(GrantRow.__table__).where(GrantRow.id == id_)
    row = connection.execute(query.with_for_update() if hold else query).one_or_none()
    if row is None:
        raise GrantUnknownError(grant=id_[:40])
    return _record(row_dict(row))


def _record(row: Mapping[str, Any]) -> GrantRecord:
    plain = {name: value.isoformat() if hasattr(value, "isoformat") else value for name, value in row.items()}
    return GrantRecord(
        grant=grant_from_plain(plain),
        given_by=row["given_by"],
        given_at=row["given_at"],
        log_index=int(row["log_index"]),
        ended=row["ended"],
        ended_why=row["ended_why"],
        ended_by=row["revoked_by"] or "",
        ended_log_index=None if row["revoked_log_index"] is None else int(row["revoked_log_index"]),
        suspended_by=row["suspended_by"],
    )
