"""Recalls (数据召回): who got data that turned out wrong is found from the log, told, and says what it did.

What is found and told is `hub.recall`'s; whether a record is wrong is settled in `hub.portal.rooms.corrections`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from hub import corrections, recall
from hub.casewords import state_text
from hub.portal import naming, terms
from hub.portal.doors import Room
from hub.portal.rooms.corrections import CONSUMERS, MEMBERS, PROVIDERS, day_of_form, key_of
from hub.portal.visits import Go, Shown
from hub.search.resources import resource_of

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from hub.portal.visits import Visit

ROOM = Room()
SIZE: Final = 20
# Log entries of a recipient that are shown at once; its own log has them all.
ENTRIES: Final = 12


@ROOM.page("/recalls", "recalls.html", who=MEMBERS)
def listed(visit: Visit) -> dict[str, Any]:
    """The recalls that concern the visitor's department, the newest first."""
    page = visit.number("page", 1, least=1, most=10_000)
    total, found = recall.find(visit.office, visit.person.department, limit=SIZE, offset=(page - 1) * SIZE)
    return {"page": page, "size": SIZE, "total": total, "items": [_item(visit, one) for one in found]}


def _item(visit: Visit, plain: Mapping[str, Any]) -> dict[str, Any]:
    """A recall as its viewer sees it, but for the record's key, which a list does not show."""
    told = [one["department"] for one in plain["recipients"]]
    return {
        **{name: plain[name] for name in ("id", "revision", "resource", "since", "until", "correction")},
        "state_word": state_text(recall.KIND, plain["state"], visit.lang),
        "open": plain["state"] == recall.ISSUED,
        "resource_name": naming.resource(visit, plain["resource"]),
        "provider_name": naming.department(visit, plain["provider"]),
        "fields": [_title(visit, plain["resource"], name) for name in plain["fields"]],
        "told": len(told),
        "answered": len(plain["acknowledged"]),
        "mine": visit.person.department in told and visit.person.department not in plain["acknowledged"],
    }


def _title(visit: Visit, code: str, name: str) -> str:
    found = visit.list_.by_code.get(code)
    field = found.field(name) if found is not None else None
    return field.title if field is not None else name


@ROOM.page("/recalls/{id}", "recalls-one.html", who=MEMBERS)
def shown(visit: Visit) -> dict[str, Any]:
    """One recall: everything for its provider and the office, its own part for a recipient; never the record's key."""
    case = visit.office.cases.get(visit.path["id"][:40], recall.KIND)
    plain = recall.view(case, visit.list_.office, visit.person.department)
    item = _item(visit, plain)
    return {
        **item,
        "about_record": bool(case.value["key"]),
        "recipients": [_recipient(visit, one, plain["acknowledged"]) for one in plain["recipients"]],
        "may_acknowledge": item["mine"] and visit.has(*CONSUMERS),
    }


def _recipient(visit: Visit, one: Mapping[str, Any], acknowledged: Mapping[str, Mapping[str, str]]) -> dict[str, Any]:
    said = acknowledged.get(one["department"])
    return {
        "department": one["department"],
        "name": naming.department(visit, one["department"]),
        "calls": one["calls"],
        "first": one["first"],
        "last": one["last"],
        "entries": list(one["entries"][:ENTRIES]),
        "entries_more": max(0, one["calls"] - ENTRIES),
        "undecided": len(one["undecided"]),
        "subscriber": one["subscriber"],
        "done": said["done"] if said else "",
        "done_at": said["at"] if said else None,
        "done_by": said["actor"] if said else "",
    }


@ROOM.step("/recalls/{id}/acknowledge", again=shown, template="recalls-one.html", who=frozenset(CONSUMERS))
def acknowledge(visit: Visit) -> Go:
    """A recipient says what it did."""
    id_, form = visit.path["id"][:40], visit.form
    revision = terms.number(form, "revision", "修订", "Revision")
    recall.acknowledge(visit.office, id_, actor=visit.actor, done=form.text("done"), revision=revision)
    return Go(f"/recalls/{id_}", visit.say("已报告处置情况，提供方可见。", "Said; the provider sees it."))


# --- Issuing one ---------------------------------------------------------------------------------------------------


@ROOM.page("/recalls/new", "recalls-new.html", who=frozenset(PROVIDERS), json=False)
def prepared(visit: Visit) -> dict[str, Any]:
    """What is to be recalled: what a correction settled, or what the provider found by itself."""
    return _prepared(visit, None)


@ROOM.step("/recalls/recipients", again=prepared, template="recalls-new.html", who=frozenset(PROVIDERS))
def found(visit: Visit) -> Shown:
    """Who got it, from the log; nobody is told."""
    wrong, _ = _wrong(visit)
    recall.may_recall(visit.office, wrong.resource, visit.actor)
    return Shown(_prepared(visit, recall.recipients(visit.office, wrong, *_period(visit))))


@ROOM.step("/recalls/new", again=prepared, template="recalls-new.html", who=frozenset(PROVIDERS))
def issue(visit: Visit) -> Go:
    """Tell everyone who got it; the same recall again leads to the first."""
    wrong, correction = _wrong(visit)
    since, until = _period(visit)
    case = recall.issue(
        visit.office,
        wrong,
        actor=visit.actor,
        since=since,
        until=until,
        correction=correction,
        note=visit.form.text("note"),
    )
    told = len(case.value["recipients"])
    return Go(f"/recalls/{case.id}", visit.say(f"已召回，通知 {told} 个部门。", f"Recalled; departments told: {told}."))


def _wrong(visit: Visit) -> tuple[recall.Wrong, str]:
    """What is to be recalled, and the correction that says so ("": none)."""
    id_ = visit.form.text("correction")[:40]
    if id_:
        case = corrections.get(visit.office, id_, visit.person.department)
        return recall.of_correction(corrections.content(case)), id_
    found_ = resource_of(visit.office, visit.list_, visit.form.text("resource"))
    key, fields = key_of(visit.form, found_), tuple(visit.form.texts("field"))
    return corrections.wrong_of(visit.office, found_.code, key, fields), ""


def _period(visit: Visit) -> tuple[datetime | None, datetime]:
    since = day_of_form(visit.form, "since", "起始日期", "From")
    until = day_of_form(visit.form, "until", "截止日期", "Until")
    return recall.period(since, until, visit.office.now())


def _prepared(visit: Visit, recipients: tuple[recall.Recipient, ...] | None) -> dict[str, Any]:
    office, form = visit.office, visit.form
    id_ = (form.text("correction") or visit.query("correction"))[:40]
    if id_:
        content = corrections.content(corrections.get(office, id_, visit.person.department))
        code, fields = content.resource, content.disputed.fields
    else:
        code, fields = form.text("resource") or visit.query("resource"), ()
    resource = resource_of(office, visit.list_, code)
    recall.may_recall(office, resource.code, visit.actor)
    return {
        "correction": id_,
        "resource": resource.code,
        "resource_name": naming.resource(visit, resource.code),
        "wrong_fields": [_title(visit, resource.code, name) for name in fields],
        "key_fields": [{"name": one.name, "title": one.title} for one in resource.key],
        "fields": [{"code": one.name, "name": one.title} for one in resource.fields],
        "looked": recipients is not None,
        "recipients": [_recipient(visit, one.to_plain(), {}) for one in recipients or ()],
    }
