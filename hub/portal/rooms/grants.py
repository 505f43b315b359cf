"""Grants: those that the department holds and those it gave, how they were used, and lessening or ending one.

What a step does is `hub.grants`; renewing one is an application (`hub.applications`).
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

from catalog.steps import NotYoursError
from catalog.terms import Terms
from hub import applications, grants, offered
from hub.casewords import GRANT_STATES
from hub.errors import NotFoundError
from hub.people import Duty
from hub.portal import naming, terms
from hub.portal.doors import SYSTEMS, TRIES, Room
from hub.portal.rooms.requests import ALL, MEMBERS, need_duty
from hub.portal.sheets import sheet
from hub.portal.visits import Go
from hub.usage import by_day, count, day_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from hub.grants import GrantRecord
    from hub.portal.visits import Visit

ROOM = Room()
SIZE: Final = 20
DAYS: Final = 28
DAY: Final = timedelta(days=1)
# From so many days before its end on, renewing is put forward.
SOON: Final = timedelta(days=30)
# A grant that nobody used for so long is better handed back (`hub.deadlines` proposes it, too).
UNUSED_DAYS: Final = 90
SIDES: Final[Mapping[str, tuple[str, str]]] = {
    "held": ("本部门持有的", "Held by us"),
    "given": ("本部门提供的", "Given by us"),
    "all": ("全部", "All"),
}
TONES: Final[Mapping[str, str]] = {grants.IN_FORCE: "good", grants.SUSPENDED: "warn"}


SHEET: Final = sheet(
    "items",
    ("id", "授权", "Grant"),
    ("resource", "资源代码", "Code"),
    ("resource_name", "资源", "Resource"),
    ("consumer_name", "使用方", "Holder"),
    ("light.word", "状态", "State"),
    ("purposes", "事项", "Matters"),
    ("fields", "信息项数", "Fields"),
    ("starts", "开始", "Begins"),
    ("expires", "到期", "Ends"),
    ("quota_per_day", "每日额度", "Calls a day"),
    ("calls", "累计调用", "Calls in all"),
    ("last_used", "最近使用", "Last used"),
)


@ROOM.page("/grants", "grants.html", who=MEMBERS, csv=(SHEET,))
def listed(visit: Visit) -> dict[str, Any]:
    """Grants, the newest first, with what is left of today's quota."""
    office, department = visit.office, visit.person.department
    sides = [one for one in SIDES if one != "all" or visit.has(*ALL)]
    side = next((one for one in sides if one == visit.query("side")), sides[0])
    ended = visit.query("ended") == "1"
    page = visit.number("page", 1, least=1, most=10_000)
    consumer, provider = department if side == "held" else None, department if side == "given" else None
    found = grants.find(office, consumer=consumer, provider=provider, ended=ended, limit=SIZE, offset=(page - 1) * SIZE)
    count(office.control, office.evidence.log)
    return {
        "side": side,
        "sides": [{"key": one, "name": visit.say(*SIDES[one])} for one in sides],
        "ended": ended,
        "page": page,
        "size": SIZE,
        "total": grants.count(office, consumer=consumer, provider=provider, ended=ended),
        "items": [_item(visit, record) for record in found],
        "address": f"/grants?side={side}&ended={int(ended)}&",
    }


def _item(visit: Visit, record: GrantRecord) -> dict[str, Any]:
    grant, now, state = record.grant, visit.now, record.state(visit.now)
    use = grants.use_of(visit.office.control, grant.id, on=now)
    in_force = state == grants.IN_FORCE
    return {
        "id": grant.id,
        "resource": grant.resource,
        "resource_name": naming.resource(visit, grant.resource),
        "consumer_name": naming.department(visit, grant.consumer),
        "state": state,
        "light": {"tone": TONES.get(state, "calm"), "word": visit.words(GRANT_STATES[state])},
        "purposes": [naming.matter(visit, code) for code in grant.purposes],
        "fields": len(grant.fields),
        "starts": grant.starts.isoformat(),
        "expires": grant.expires.isoformat(),
        "ends_soon": in_force and grant.expires - now <= SOON,
        "quota_per_day": grant.quota_per_day,
        "left_today": max(0, grant.quota_per_day - use.today) if grant.quota_per_day else None,
        "today": use.today,
        "calls": use.calls,
        "last_used": use.last_used.isoformat() if use.last_used else None,
        "days_unused": use.days_unused,
        "unused": in_force and use.days_unused >= UNUSED_DAYS,
        "days": _days(visit, grant.id),
        "may_try": in_force and grant.consumer == visit.person.department and visit.has(*TRIES),
    }


@ROOM.page("/grants/{id}", "grant.html", who=MEMBERS)
def grant_page(visit: Visit) -> dict[str, Any]:
    """One grant: its terms, how it was used, and the steps that the visitor may take."""
    office = visit.office
    record = _seen(visit)
    grant = record.grant
    count(office.control, office.evidence.log)
    return {
        **_item(visit, record),
        "grant": grants.plain(record, visit.now, grants.use_of(office.control, grant.id, on=visit.now)),
        "given_by": record.given_by,
        "ended_by": record.ended_by or "",
        "terms": terms.plain(visit, _terms(visit, record), grant.resource),
        "provider_name": naming.department(visit, grants.provider_of(office, grant)),
        "days_left": max(0, -((visit.now - grant.expires) // DAY)),
        "may_see_systems": visit.has(*SYSTEMS),
        "steps": [step for step in offered.of_grant(office, record, visit.actor) if visit.has(*_STEPS[step][0])],
        "step": visit.path.get("step", ""),
    }


def _seen(visit: Visit) -> GrantRecord:
    """The grant of the address, for those it concerns."""
    record = grants.get(visit.office.control, visit.path["id"])
    concerned = (record.grant.consumer, grants.provider_of(visit.office, record.grant))
    if visit.person.department not in concerned and not visit.has(*ALL):
        raise NotYoursError(actor=str(visit.actor), needed=", ".join(dict.fromkeys(concerned)))
    return record


def _terms(visit: Visit, record: GrantRecord) -> Terms:
    """What it allows from today on."""
    grant = record.grant
    return Terms(
        fields=grant.fields,
        actions=grant.actions,
        purposes=grant.purposes,
        term_days=max(0, -((visit.now - grant.expires) // DAY)),
        masks=grant.masks,
        rows=grant.rows,
        quota_per_day=grant.quota_per_day,
    )


def _days(visit: Visit, grant: str) -> list[dict[str, Any]]:
    """Calls on each of the last days, those without any among them."""
    days = [day_of(visit.now - DAY * back) for back in range(DAYS - 1, -1, -1)]
    calls = by_day(visit.office.control, grant, since=days[0])
    return [{"day": day, "calls": calls.get(day, 0)} for day in days]


# --- Steps ---------------------------------------------------------------------------------------------------------


@ROOM.step("/grants/{id}/{step}", again=grant_page, template="grant.html", who=MEMBERS)
def act(visit: Visit) -> Go:
    """Take a step of a grant; it bites on the next call."""
    step = visit.path["step"]
    if step not in _STEPS:
        raise NotFoundError
    duties, take = _STEPS[step]
    need_duty(visit, *duties)
    return take(visit, _seen(visit))


def _renew(visit: Visit, record: GrantRecord) -> Go:
    days = terms.number(visit.form, "days", "期限（天）", "Term in days")
    reason = visit.form.text("reason")
    case = applications.renew(visit.office, record.grant.id, actor=visit.actor, term_days=days, reason=reason)
    if case.open:
        return Go(f"/requests/{case.id}", visit.say("续期申请已提交。", "The renewal was applied for."))
    return Go(f"/grants/{case.value['grant']}", visit.say("已续期。", "Renewed."))


def _shrink(visit: Visit, record: GrantRecord) -> Go:
    less = terms.less_of(visit.form, _terms(visit, record))
    reason = visit.form.text("reason")
    successor = grants.shrink(visit.office, record.grant.id, less, actor=visit.actor, reason=reason)
    said = visit.say("已缩减，由此授权替代原授权。", "Lessened: this grant takes the place of the one before.")
    return Go(f"/grants/{successor.grant.id}", said)


def _end(name: str, zh: str, en: str) -> Callable[[Visit, GrantRecord], Go]:
    def take(visit: Visit, record: GrantRecord) -> Go:
        id_ = record.grant.id
        grants.STEPS[name](visit.office, id_, actor=visit.actor, reason=visit.form.text("reason"))
        return Go(f"/grants/{id_}", visit.say(zh, en))

    return take


_OVERSEE: Final = (Duty.REVIEWER, Duty.OFFICE)
_STEPS: Final[Mapping[str, tuple[tuple[Duty, ...], Callable[[Visit, GrantRecord], Go]]]] = {
    "renew": ((Duty.STAFF,), _renew),
    "shrink": ((Duty.STAFF, *_OVERSEE), _shrink),
    "suspend": (_OVERSEE, _end("suspend", "已暂停，自下一次调用起生效。", "Suspended, from the next call on.")),
    "resume": (_OVERSEE, _end("resume", "已恢复。", "Resumed.")),
    "hand-back": (
        (Duty.STAFF,),
        _end("hand_back", "已交回，自下一次调用起生效。", "Handed back, from the next call on."),
    ),
    "revoke": (_OVERSEE, _end("revoke", "已撤销，自下一次调用起生效。", "Revoked, from the next call on.")),
}
