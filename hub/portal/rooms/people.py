"""The register of people for administrators, and what each person hands over to a colleague.

A name or login that is looked for is sent in a form, so that it stands in no address and no journal.
"""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlencode

from catalog.clock import SHANGHAI
from hub.errors import HubError, NotFoundError
from hub.people import Duty, passwords
from hub.people.errors import PersonInvalidError
from hub.people.register import is_own
from hub.people.subjects import Subjects
from hub.portal import naming
from hub.portal.doors import Room
from hub.portal.errors import FormInvalidError
from hub.portal.visits import Go, Shown

if TYPE_CHECKING:
    from collections.abc import Mapping

    from hub.people import Person
    from hub.people.register import Delegation
    from hub.portal.visits import Visit

ROOM = Room()
PAGE: Final = 50
# OpenID Connect Core §2: a subject has at most 255 characters.
MAX_SUBJECT: Final = 255
ADMINISTRATORS: Final = frozenset({Duty.ADMINISTRATOR})


# --- the register ---------------------------------------------------------------------------------------------------


@ROOM.page("/people", "people.html", who=ADMINISTRATORS)
def people(visit: Visit) -> dict[str, Any]:
    """Who is registered, by department and login."""
    page = visit.number("page", 1, least=1, most=10_000)
    department, disabled = visit.query("department"), visit.query("all") == "1"
    return _listed(visit, department, "", disabled=disabled, page=page)


@ROOM.step("/people", again=people, template="people.html", who=ADMINISTRATORS)
def people_sought(visit: Visit) -> Shown:
    """Those whose login, name or post hold some words; of many, the first page."""
    form = visit.form
    words = form.text("words")[:100]
    return Shown(_listed(visit, form.text("department")[:100], words, disabled=form.has("all"), page=1), "people.html")


@ROOM.page("/people/new", "people-new.html", who=ADMINISTRATORS, json=False)
def asked(visit: Visit) -> dict[str, Any]:
    """Ask who is to be registered."""
    return {"departments": _departments(visit), "duties": _duties(visit, frozenset(visit.form.texts("duty")))}


@ROOM.step("/people/new", again=asked, template="people-new.html", who=ADMINISTRATORS)
def add(visit: Visit) -> Shown:
    """Register a person; the drawn password is told on the page that answers, and nowhere else."""
    form, password = visit.form, passwords.draw()
    made = visit.people.add(
        visit.list_,
        login=form.need("login", "登录名", "Login", most=120),
        name=form.need("name", "姓名", "Name"),
        department=form.need("department", "部门", "Department"),
        post=form.need("post", "岗位", "Post"),
        duties=_chosen(visit),
        by=visit.actor,
        password=password,
    )
    return _told(made, password)


@ROOM.page("/people/{id}", "people-one.html", who=ADMINISTRATORS)
def person(visit: Visit) -> dict[str, Any]:
    """One person: duties, state, and what was handed over."""
    found = visit.people.get(visit.path["id"])
    chosen = frozenset(visit.form.texts("duty")) or found.duties - found.lent
    return {
        "person_shown": _plain(visit, found, dict(_departments(visit))),
        "duties": _duties(visit, chosen),
        "lent": [visit.words(one.words) for one in sorted(found.lent)],
        "sign_on": _sign_on(visit, found),
        "delegations": [_plain_delegation(visit, one, found.id) for one in visit.people.delegations(found.id)],
    }


@ROOM.step("/people/{id}/duties", again=person, template="people-one.html", who=ADMINISTRATORS)
def give(visit: Visit) -> Go:
    """Give exactly these duties."""
    visit.people.give(visit.path["id"], _chosen(visit), by=visit.actor)
    return _back(visit, "职责已更新。", "The duties were changed.")


@ROOM.step("/people/{id}/password", again=person, template="people-one.html", who=ADMINISTRATORS)
def new_password(visit: Visit) -> Shown:
    """Draw another password, told once."""
    password = passwords.draw()
    visit.people.set_password(visit.path["id"], password, by=visit.actor)
    return _told(visit.people.get(visit.path["id"]), password)


@ROOM.step("/people/{id}/codes", again=person, template="people-one.html", who=ADMINISTRATORS)
def end_codes(visit: Visit) -> Go:
    """Take no more codes of a telephone that is lost."""
    visit.people.end_codes(visit.path["id"], by=visit.actor)
    said = (
        "动态验证码已作废，由本人下次登录时重新设置。",
        "The codes ended; the person sets up new ones at the next signing in.",
    )
    return _back(visit, *said)


@ROOM.step("/people/{id}/bind", again=person, template="people-one.html", who=ADMINISTRATORS)
def bind(visit: Visit) -> Go:
    """Let a subject of the provider in as this person, instead of the one before."""
    if visit.sign_on is None:
        raise NotFoundError
    subject = visit.form.need("subject", "用户标识", "Subject", most=MAX_SUBJECT)
    _need_sure(visit)
    issuer = visit.sign_on.provider.settings.issuer
    Subjects(visit.people).bind(visit.path["id"], issuer, subject, by=visit.actor)
    return _back(visit, "已绑定统一身份认证。", "Bound: single sign-on lets this person in.")


@ROOM.step("/people/{id}/unbind", again=person, template="people-one.html", who=ADMINISTRATORS)
def unbind(visit: Visit) -> Go:
    """Let single sign-on in as this person no more."""
    _need_sure(visit)
    if Subjects(visit.people).unbind(visit.path["id"], by=visit.actor):
        return _back(visit, "已解除绑定，其全部会话已结束。", "Unbound; every session was ended.")
    return _back(visit, "未绑定，无需解除。", "Nothing was bound.")


@ROOM.step("/people/{id}/disable", again=person, template="people-one.html", who=ADMINISTRATORS)
def disable(visit: Visit) -> Go:
    """Let a person in no more."""
    reason = visit.form.need("reason", "理由", "Reason", most=500)
    visit.people.disable(visit.path["id"], by=visit.actor, reason=reason)
    return _back(visit, "已停用，其全部会话已结束。", "Disabled; every session was ended.")


@ROOM.step("/people/{id}/enable", again=person, template="people-one.html", who=ADMINISTRATORS)
def enable(visit: Visit) -> Go:
    """Let a person in again."""
    visit.people.enable(visit.path["id"], by=visit.actor)
    return _back(visit, "已恢复使用。", "The person may sign in again.")


@ROOM.step("/people/{id}/delegations/{delegation}", again=person, template="people-one.html", who=ADMINISTRATORS)
def withdraw_for(visit: Visit) -> Go:
    """Withdraw what a person handed over, or was handed."""
    visit.people.withdraw(visit.path["delegation"], by=visit.person)
    return _back(visit, "委托已撤回。", "The delegation was withdrawn.")


# --- one's own ------------------------------------------------------------------------------------------------------


@ROOM.page("/me/delegations", "people-delegations.html")
def delegations(visit: Visit) -> dict[str, Any]:
    """What I handed over or was handed, and the form to hand over."""
    me = visit.person
    own = me.duties - me.lent
    chosen = frozenset(visit.form.texts("duty"))
    colleagues = [one for one in visit.people.find(department=me.department) if one.id != me.id]
    return {
        "duties": [one for one in _duties(visit, chosen) if Duty(one["value"]) in own],
        "colleagues": [{"id": one.id, "text": f"{one.name} ({naming.post(visit, one.post)})"} for one in colleagues],
        "delegations": [_plain_delegation(visit, one, me.id) for one in visit.people.delegations(me.id)],
        "today": visit.now.astimezone(SHANGHAI).date().isoformat(),
    }


@ROOM.step("/me/delegations", again=delegations, template="people-delegations.html")
def hand_over(visit: Visit) -> Go:
    """Hand own duties to a colleague, from the first day to the end of the last."""
    form = visit.form
    taker = form.need("taker", "受托人", "To whom")
    starts = _day(visit, "starts", "开始日期", "First day")
    ends = _day(visit, "ends", "结束日期", "Last day") + timedelta(days=1)
    reason = form.need("reason", "事由", "Reason", most=500)
    visit.people.hand_over(visit.person, taker, _chosen(visit), starts=starts, ends=ends, reason=reason)
    return Go("/me/delegations", visit.say("委托已生效或将按期生效。", "The delegation holds from its first day on."))


@ROOM.step("/me/delegations/{delegation}", again=delegations, template="people-delegations.html")
def withdraw(visit: Visit) -> Go:
    """Withdraw what I handed over."""
    visit.people.withdraw(visit.path["delegation"], by=visit.person)
    return Go("/me/delegations", visit.say("委托已撤回。", "The delegation was withdrawn."))


# --- inside ---------------------------------------------------------------------------------------------------------


def _listed(visit: Visit, department: str, words: str, *, disabled: bool, page: int) -> dict[str, Any]:
    where = department or None
    total = visit.people.count(department=where, words=words, disabled=disabled)
    found = visit.people.find(department=where, words=words, disabled=disabled, skip=(page - 1) * PAGE, limit=PAGE)
    names = dict(_departments(visit))
    kept = [("department", department), ("all", "1" if disabled else "")]
    return {
        "people": [_plain(visit, one, names) for one in found],
        "total": total,
        "page": page,
        "size": PAGE,
        "words": words,
        "department": department,
        "all": disabled,
        "departments": [("", visit.say("全部部门", "all departments")), *names.items()],
        "address": f"/people?{urlencode([(k, v) for k, v in kept if v])}&",
    }


def _plain(visit: Visit, one: Person, names: Mapping[str, str]) -> dict[str, Any]:
    tone, state = _state(visit, one)
    return {
        "id": one.id,
        "login": one.login,
        "name": one.name,
        "department": one.department,
        "department_name": names.get(one.department, one.department),
        "post": one.post,
        "duties": [visit.words(duty.words) for duty in sorted(one.duties)],
        "coded": one.coded,
        "disabled": one.disabled,
        "tone": tone,
        "state": state,
    }


def _sign_on(visit: Visit, one: Person) -> dict[str, Any]:
    """What single sign-on has to do with a person; *own*: somebody else is to change it."""
    bound = Subjects(visit.people).binding(one.id)
    settings = None if visit.sign_on is None else visit.sign_on.provider.settings
    return {
        "issuer": "" if settings is None else settings.issuer,
        "first_use": settings is not None and settings.first_use,
        "bound": None if bound is None else {"issuer": bound.issuer, "since": bound.since.isoformat()},
        "own": is_own(visit.actor, one.department, one.post),
    }


def _need_sure(visit: Visit) -> None:
    """A box that is ticked: sessions of somebody else end. Raises: FormInvalidError."""
    if not visit.form.has("sure"):
        raise FormInvalidError(
            where="Confirmation", where_zh="确认", why="tick the box to confirm", why_zh="请勾选以确认", field="sure"
        )


def _state(visit: Visit, one: Person) -> tuple[str, str]:
    if one.disabled:
        return "calm", visit.say("已停用", "disabled")
    if one.must_change:
        return "warn", visit.say("待修改初始口令", "to change the first password")
    if visit.sessions.needs_code(one):
        return "warn", visit.say("待设置动态验证码", "to set up one-time codes")
    return "good", visit.say("在用", "in use")


def _plain_delegation(visit: Visit, one: Delegation, whose: str) -> dict[str, Any]:
    now, over = visit.now, one.withdrawn_at is not None
    if over:
        tone, state = "calm", visit.say("已撤回", "withdrawn")
    elif one.ends <= now:
        tone, state = "calm", visit.say("已到期", "over")
    elif one.starts > now:
        tone, state = "warn", visit.say("未开始", "not yet")
    else:
        tone, state = "good", visit.say("有效", "in force")
    given = one.giver == whose
    return {
        "id": one.id,
        "given": given,
        "other": _name(visit, one.taker if given else one.giver),
        "duties": [visit.words(duty.words) for duty in one.duties],
        "reason": one.reason,
        "starts": one.starts.isoformat(),
        # The end is the first instant after it; people count the last day.
        "last": (one.ends - timedelta(seconds=1)).isoformat(),
        "tone": tone,
        "state": state,
        "open": not over and one.ends > now,
    }


def _name(visit: Visit, id_: str) -> str:
    return visit.people.get(id_).name


def _departments(visit: Visit) -> list[tuple[str, str]]:
    try:
        found = visit.list_.departments
    except HubError:
        return []
    return [(one.code, visit.words((one.name_en or one.name, one.name))) for one in found]


def _duties(visit: Visit, chosen: frozenset[str]) -> list[dict[str, Any]]:
    return [{"value": one.value, "name": visit.words(one.words), "chosen": one.value in chosen} for one in Duty]


def _chosen(visit: Visit) -> list[Duty]:
    try:
        return [Duty(text) for text in visit.form.texts("duty")]
    except ValueError as error:
        raise PersonInvalidError(where="duties", why="there is no such duty", why_zh="没有此职责") from error


def _day(visit: Visit, name: str, zh: str, en: str) -> datetime:
    """The beginning of a day in Shanghai."""
    try:
        day = date.fromisoformat(visit.form.need(name, zh, en, most=10))
    except ValueError as error:
        raise FormInvalidError(
            where=en, where_zh=zh, why="is a day, as 2026-03-02", why_zh="应为日期，如 2026-03-02"
        ) from error
    return datetime(day.year, day.month, day.day, tzinfo=SHANGHAI)


def _told(made: Person, password: str) -> Shown:
    return Shown({"id": made.id, "login": made.login, "name": made.name, "password": password}, "people-made.html")


def _back(visit: Visit, zh: str, en: str) -> Go:
    return Go(f"/people/{visit.path['id']}", visit.say(zh, en))
