"""One resource: what it is, how fresh, what I would see of it, who has it, and the one thing to do next.

What of it is whose secret is said by `hub.search.resources`; rows shown here are made up (`hub.sandbox.samples`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlencode

from catalog import domains
from catalog.access import AccessRequest
from catalog.model import EVERYONE as ANY
from catalog.model import Mask
from catalog.neighbours import neighbours
from catalog.policy import Policy, least_masked
from hub import grants
from hub.casewords import GRANT_STATES
from hub.freshness import LIGHTS
from hub.loads import FAILED, RUNNING, newest_of
from hub.people import Duty
from hub.portal import naming
from hub.portal.doors import EVERYONE, TRIES, Room
from hub.portal.lineagedrawing import drawing
from hub.portal.rooms import following
from hub.portal.rooms.catalogue import TONES
from hub.portal.rooms.corrections import CONSUMERS, PROVIDERS
from hub.requested import my_state
from hub.sandbox.samples import SampleNotMadeError
from hub.search.resources import changes, difference, page_of, resource_of
from hub.usage import count
from hub.watching import lights_of
from warehouse.reasons import REASONS, Reason
from warehouse.schema import table_name

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from catalog.access import Grant
    from catalog.model import InformationResource
    from catalog.neighbours import Link, Neighbours
    from hub.loads import LoadReport
    from hub.portal.visits import Visit

ROOM = Room()
LOADS: Final = 28
SAMPLES: Final = 10
# Grants listed at once; all of them are a click away.
GRANTS: Final = 50
# Versions whose differences are worked out at once.
VERSIONS: Final = 10
# Values of a code list that are shown at once.
CODES: Final = 60
OUTCOMES: Final[Mapping[str, tuple[str, str, str]]] = {
    "loaded": ("good", "已入库", "loaded"),
    "unchanged": ("good", "无变化", "unchanged"),
    "tried": ("calm", "试运行", "tried"),
    "failed": ("bad", "失败", "failed"),
    "running": ("warn", "进行中", "running"),
}
TABS: Final[Mapping[str, tuple[str, str]]] = {
    "about": ("概览", "About"),
    "fields": ("信息项", "Fields"),
    "samples": ("样例", "Sample rows"),
    "quality": ("更新与质量", "Loads and quality"),
    "lineage": ("来龙去脉", "Lineage"),
    "grants": ("授权", "Grants"),
    "versions": ("版本", "Versions"),
}


@ROOM.page("/r/{code:path}", "resource.html", who=EVERYONE)
def resource_page(visit: Visit) -> dict[str, Any]:
    """A resource, one tab of it at a time."""
    list_, office = visit.list_, visit.office
    found = resource_of(office, list_, visit.path["code"])
    department = _department(visit)
    plain = page_of(office, list_, found, visit.now, department=department)
    light = lights_of(office, [found], at=visit.now)[found.code]
    names = (found.name, found.name_en) if visit.lang == "zh" else (found.name_en, found.name)
    state, act, stands = _standing(visit, found, plain.get("access", {}).get("state", ""))
    tabs = [tab for tab in TABS if tab != "samples" or state in {"own", "granted"}]
    tab = next((one for one in tabs if one == visit.query("tab")), "about")
    page = {
        "code": found.code,
        "resource": plain,
        "title": names[0] or names[1],
        "subtitle": names[1] if names[0] else "",
        "provider_name": naming.department(visit, found.provider),
        "share_label": naming.word(visit, domains.SHARE_TYPE, found.share_type),
        "cadence_label": naming.word(visit, domains.CADENCE, found.cadence),
        "light": {
            "tone": TONES[light.light],
            "word": visit.words(LIGHTS[light.light]),
            "success": light.success.isoformat() if light.success else None,
            "due": light.due.isoformat() if light.due else None,
        },
        "state": state,
        "act": act,
        "stands": stands,
        "may_try": visit.has(*TRIES) and bool(found.lookup_fields),
        # None: nobody is signed in who could follow.
        "followed": following.state_of(visit, found),
        "may_report": visit.has(*CONSUMERS) and state == "granted",
        "may_recall": visit.has(*PROVIDERS) and inside(visit, found.provider),
        "tab": tab,
        "tabs": [{"key": one, "name": visit.say(*TABS[one])} for one in tabs],
    }
    return page | _TABS[tab](visit, found, plain)


def inside(visit: Visit, provider: str) -> bool:
    """Whether what only *provider* and the office know may be shown."""
    return visit.known is not None and (visit.known.department == provider or visit.has(Duty.OFFICE))


def _department(visit: Visit) -> str:
    """The visitor's department, if the list knows it."""
    known = visit.known
    return known.department if known is not None and known.department in visit.list_.departments_by_code else ""


def _standing(visit: Visit, found: InformationResource, access: str) -> tuple[str, dict[str, str] | None, str]:
    """Where the visitor's department stands: a word for it, the one thing to do, and what it means."""
    department, code = _department(visit), found.code
    if not department:
        act = {"to": f"/sign-in?next=/r/{code}", "text": visit.say("登录后申请", "Sign in to apply")}
        return "", None if visit.known else act, ""
    if access == "own":
        return "own", None, visit.say("本部门提供此资源", "Your department provides it")
    count(visit.office.control, visit.office.evidence.log)
    mine = my_state(visit.office, department, code, list_=visit.list_)
    to, text, said = "", "", ""
    match mine.state:
        case "granted":
            to, text = f"/grants/{mine.grant}", visit.say("查看授权", "See the grant")
            said = visit.say("已授权", "Granted")
            if mine.calls_left is not None:
                said += visit.say(f"，今日剩 {mine.calls_left} 次", f"; calls left today: {mine.calls_left}")
        case "waiting":
            to, text = f"/requests/{mine.case}", visit.say("查看申请", "See the request")
            said = visit.say("申请办理中", "An application is under way")
            if mine.progress is not None:
                day, of = mine.progress.day, mine.progress.of
                said += visit.say(f"，第 {day} 天，共 {of} 个工作日", f", day {day} of {of}")
        case "apply" if visit.has(Duty.STAFF):
            to, text = f"/apply/{code}", visit.say("申请", "Apply")
        case "apply":
            said = visit.say("可由本部门经办人员申请", "Your department's staff can apply for it")
        case "not_shared":
            said = visit.say(f"不予共享：{mine.ground}", f"Not shared: {mine.ground}")
        case _:
            if visit.has(Duty.STAFF):
                to = f"/demands/new?{urlencode({'q': found.name})}"
                text = visit.say("登记数据需求", "Register a demand")
            said = visit.say("责任清单未列明向本部门共享", "No line of the list shares it with your department")
    return mine.state, {"to": to, "text": text} if to else None, said


# --- Tabs ----------------------------------------------------------------------------------------------------------


def _about(visit: Visit, found: InformationResource, plain: Mapping[str, Any]) -> dict[str, Any]:
    theme = naming.word(visit, domains.THEME, found.theme) if found.theme else ""
    return {
        "format_label": naming.word(visit, domains.FORMAT, found.format),
        "method_label": naming.word(visit, domains.METHOD, found.share_method),
        "theme_label": theme,
        "lines": [
            {
                "consumers": [naming.department(visit, code) for code in line.consumers],
                "purposes": [naming.matter(visit, code) for code in line.purposes],
                "ground": line.ground,
                "deadline": line.deadline.isoformat(),
            }
            for line in visit.list_.responsibilities_for(found.code)
        ],
        "prohibited": [
            {
                "consumers": [naming.department(visit, code) for code in one.consumers],
                "fields": [_title(found, name) for name in one.fields],
                "ground": one.ground,
            }
            for one in visit.list_.prohibitions_by_resource.get(found.code, ())
        ],
        "needs": [
            {
                "matter": need["matter"],
                "name": naming.matter(visit, need["matter"]),
                "fields": [_title(found, name) for name in need["fields"]],
                "replaces": need.get("replaces", ""),
            }
            for need in plain["needs"]
        ],
        "related": [{"code": code, "name": naming.resource(visit, code)} for code in plain["related_names"]],
    }


def _fields(visit: Visit, found: InformationResource, plain: Mapping[str, Any]) -> dict[str, Any]:
    mine = masks_of_mine(visit, found) if plain.get("access", {}).get("state") == "granted" else {}
    lists = {one.code: one for one in visit.list_.code_lists}
    rows = []
    for field in found.fields:
        codes = lists.get(field.code_list)
        items = codes.items if codes is not None else tuple((value, "") for value in field.codes)
        mask = mine.get(field.name, None if mine else field.mask)
        rows.append(
            {
                "name": field.name,
                "title": field.title,
                "type": naming.word(visit, domains.KIND, field.type.kind),
                "length": str(field.type),
                "key": field.key,
                "lookup": field.lookup,
                "grade": field.grade,
                "share": naming.word(visit, domains.SHARE_TYPE, field.share_type),
                "codes_name": codes.name if codes is not None else "",
                "codes": [list(item) for item in items[:CODES]],
                "codes_more": max(0, len(items) - CODES),
                # None: my grant does not open it.
                "mask": None if mask is None else naming.mask(visit, mask),
            }
        )
    return {"fields": rows, "granted": bool(mine)}


def masks_of_mine(visit: Visit, found: InformationResource) -> dict[str, Mask]:
    """The fields that the visitor's department would be given now, with their masks, over all its matters."""
    department, at = _department(visit), visit.now
    held = [one.grant for one in grants.find(visit.office, consumer=department, resource=found.code, ended=False)]
    policy = Policy(visit.list_, held)
    lookup = tuple(field.name for field in found.lookup_fields[:1])
    asked = [
        AccessRequest(department, found.code, action, (), lookup, purpose, grant.id)
        for grant in held
        for action in grant.actions[:1]
        for purpose in matters_of(visit, grant)
    ]
    return least_masked(decision.masks for decision in (policy.decide(one, at) for one in asked) if decision.allowed)


def matters_of(visit: Visit, grant: Grant) -> tuple[str, ...]:
    """The matters that a grant is for, by code; of a grant for every matter those of its department."""
    if ANY not in grant.purposes:
        return grant.purposes
    return tuple(one.code for one in visit.list_.matters if one.department == grant.consumer)


def _samples(visit: Visit, found: InformationResource, plain: Mapping[str, Any]) -> dict[str, Any]:
    own = plain["access"]["state"] == "own"
    shown = {field.name: field.mask for field in found.fields} if own else masks_of_mine(visit, found)
    try:
        rows = visit.service.trial.sample(visit.list_, found, shown, SAMPLES)
    except SampleNotMadeError:
        rows = []
    return {
        "columns": [{"name": name, "title": _title(found, name)} for name in shown],
        "samples": [["" if value is None else str(value) for value in row.values()] for row in rows],
    }


def _quality(visit: Visit, found: InformationResource, plain: Mapping[str, Any]) -> dict[str, Any]:
    del plain
    reports = newest_of(visit.office.control, found.code, LOADS)
    reasons: dict[str, int] = {}
    for report in reports:
        for reason, rows in report.reasons.items():
            reasons[reason] = reasons.get(reason, 0) + rows
    ordered = sorted(reasons.items(), key=lambda item: -item[1])
    return {
        "loads": [_load(visit, report) for report in reports],
        "went_well": sum(report.outcome not in {FAILED, RUNNING} for report in reports),
        "reasons": [{"text": _reason(visit, found, reason), "rows": rows} for reason, rows in ordered],
        "rules": [
            {
                "kind": naming.word(visit, domains.QUALITY_KIND, rule.kind),
                "field": _title(found, rule.field),
                "threshold": f"{rule.threshold:g}",
                "text": naming.promise(visit, rule, _title(found, rule.field)),
            }
            for rule in found.quality
        ],
    }


def _load(visit: Visit, report: LoadReport) -> dict[str, Any]:
    tone, zh, en = OUTCOMES[report.outcome]
    return {
        "at": report.started.isoformat(),
        "tone": tone,
        "word": visit.say(zh, en),
        "read": report.read,
        "accepted": report.accepted,
        "rejected": report.rejected,
        "changed": report.changed,
    }


def _reason(visit: Visit, found: InformationResource, text: str) -> str:
    reason = Reason.parse(text)
    return reason.text(visit.lang, _title(found, reason.field)) if reason.code in REASONS else reason.code


def _lineage(visit: Visit, found: InformationResource, plain: Mapping[str, Any]) -> dict[str, Any]:
    """One step around it; each neighbour unfolds to its own."""
    known, around = inside(visit, found.provider), neighbours(visit.list_)
    here = around[found.code]
    source = {"system": found.source.system, "object": found.source.object} if known else None
    consumers = [
        {"code": code, "name": naming.department(visit, code), "grants": held}
        for code, held in plain["grants"]["by_department"].items()
    ]
    refers_to, referred_by, related = (
        [_neighbour(visit, around, one, found) for one in links]
        for links in (here.refers_to, here.referred_by, here.related)
    )
    origin = f"{source['system']} → {source['object']}" if source else naming.department(visit, found.provider)
    return {
        "source": source,
        "table": table_name(found.code),
        "consumers": consumers,
        "refers_to": refers_to,
        "referred_by": referred_by,
        "related": related,
        "drawing": drawing(
            naming.resource(visit, found.code), [{"name": origin}, *refers_to], [*referred_by, *consumers]
        ),
    }


def _neighbour(
    visit: Visit, around: Mapping[str, Neighbours], link: Link, found: InformationResource
) -> dict[str, Any]:
    other = visit.list_.by_code[link.code]
    further = [code for code in around[link.code].codes if code != found.code]
    return {
        "code": link.code,
        "name": naming.resource(visit, link.code),
        "to": f"/r/{link.code}?tab=lineage",
        "provider": naming.department(visit, other.provider),
        "by": [f"{_title(found, mine)} = {_title(other, theirs)}" for mine, theirs in link.fields],
        "further": [{"code": code, "name": naming.resource(visit, code)} for code in further],
    }


def _grants(visit: Visit, found: InformationResource, plain: Mapping[str, Any]) -> dict[str, Any]:
    department = _department(visit)
    whose = None if inside(visit, found.provider) or visit.has(Duty.AUDITOR) else department
    listed = () if whose == "" else grants.find(visit.office, consumer=whose, resource=found.code, limit=GRANTS)
    return {
        "holders": [
            {"code": code, "name": naming.department(visit, code), "grants": held}
            for code, held in plain["grants"]["by_department"].items()
        ],
        "listed": [
            {
                "id": one.grant.id,
                "consumer": naming.department(visit, one.grant.consumer),
                "state": visit.words(GRANT_STATES[one.state(visit.now)]),
                "purposes": [naming.matter(visit, code) for code in one.grant.purposes],
                "expires": one.grant.expires.isoformat(),
            }
            for one in listed
        ],
    }


def _versions(visit: Visit, found: InformationResource, plain: Mapping[str, Any]) -> dict[str, Any]:
    del plain
    known = inside(visit, found.provider)
    words = {"added": ("列入", "added"), "changed": ("变更", "changed"), "removed": ("移除", "removed")}
    before, shown = "", []
    told = changes(visit.office, found.code)
    for position, one in enumerate(told):
        differences: tuple[str, ...] = ()
        if one["change"] == "changed" and position >= len(told) - VERSIONS:
            found_now = difference(visit.office, visit.list_, found.code, before, one["version"])
            # Where it is read is the provider's affair.
            differences = tuple(
                change.text(visit.lang) for change in found_now if known or not change.attribute.startswith("source")
            )
        shown.append({**one, "word": visit.say(*words[one["change"]]), "differences": list(differences)})
        before = one["version"]
    return {"changes": shown[::-1]}


def _title(found: InformationResource, names: str) -> str:
    """What fields (one, or the key's joined by commas) are called."""
    known = (found.field(name) for name in names.split(","))
    return "、".join(field.title for field in known if field is not None) or names


_TABS: Final[Mapping[str, Callable[[Visit, InformationResource, Mapping[str, Any]], dict[str, Any]]]] = {
    "about": _about,
    "fields": _fields,
    "samples": _samples,
    "quality": _quality,
    "lineage": _lineage,
    "grants": _grants,
    "versions": _versions,
}
