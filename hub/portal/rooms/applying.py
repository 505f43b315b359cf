"""Applying for a resource, one thing per page: what for, which fields, how much and how long, a last look.

What was entered travels in the form from page to page; nothing is kept before it is submitted. What an application
may ask for is said by `catalog.eligibility`, what becomes of it by `hub.applications`.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from catalog import domains
from catalog.application import DEFAULT_TERM_DAYS, check_application, draft, unconditional
from catalog.clock import day_of
from catalog.eligibility import SECRET_GRADE, covering, lines_of, prohibitions_against
from catalog.model import ShareType
from catalog.steps import CaseInvalidError
from catalog.terms import FieldWish, minimum_of
from hub import applications
from hub.people import Duty
from hub.portal import naming, terms
from hub.portal.doors import Room
from hub.portal.errors import FormInvalidError
from hub.portal.visits import Go, Shown
from hub.search.resources import resource_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from catalog.application import Application
    from catalog.model import InformationResource
    from catalog.steps import Problem
    from hub.portal.forms import Form
    from hub.portal.visits import Visit

ROOM = Room()
WHO: Final = frozenset({Duty.STAFF})
STEPS: Final = ("purpose", "fields", "terms", "check")
TITLES: Final[Mapping[str, tuple[str, str]]] = {
    "purpose": ("办什么事要用", "What it is needed for"),
    "fields": ("需要哪些信息项", "Which fields are needed"),
    "terms": ("怎么用、用多久", "How it is used, and for how long"),
    "check": ("核对并提交", "Check and submit"),
}
# What is entered on which page; names that end in _ begin the names of several fields.
_ENTERED: Final[Mapping[str, tuple[str, ...]]] = {
    "purpose": ("purpose", "others"),
    "fields": ("field", "common_reason", "reason_", "statement_"),
    "terms": ("termed", "action", "rows", "volume", "days", "ground", "why"),
    "check": (),
}


@ROOM.page("/apply/{code:path}", "apply.html", who=WHO)
def applying(visit: Visit) -> dict[str, Any]:
    """The page that was sent, or the first one."""
    at = visit.form.text("at")
    return _page(visit, at if at in STEPS else STEPS[0])


@ROOM.step("/apply/{code:path}", again=applying, template="apply.html", who=WHO)
def go_on(visit: Visit) -> Go | Shown:
    """Go to another page of the application, or submit it.

    Raises:
        CaseInvalidError: something on this page or one before it must be mended first.
    """
    form = visit.form
    at, to = form.text("at"), form.text("to")
    if at not in STEPS or to not in {*STEPS, "submit"}:
        raise FormInvalidError(
            where="form", where_zh="表单", why="what was sent is no form of this page", why_zh="提交的内容不是本页表单"
        )
    found = resource_of(visit.office, visit.list_, visit.path["code"])
    application = _drafted(visit, found)
    if to == "submit":
        case = applications.apply(visit.office, application, actor=visit.actor)
        if case.open:
            return Go(f"/requests/{case.id}", visit.say("申请已提交。", "Submitted."))
        grant = case.value["grant"]
        said = visit.say(f"无条件共享，授权 {grant} 已生效。", f"Shared without condition: grant {grant} is in force.")
        return Go(f"/grants/{grant}", said)
    if STEPS.index(to) > STEPS.index(at):
        problems = [one for one in _problems(visit, application) if _place(one) < STEPS.index(to)]
        if problems:
            raise CaseInvalidError(problems)
    return Shown(_page(visit, to))


def _problems(visit: Visit, application: Application) -> Sequence[Problem]:
    return check_application(visit.list_, application, day_of(visit.now))


def _place(problem: Problem) -> int:
    """The page on which it is mended."""
    where = problem.where.partition(".")[0]
    if where in {"purposes", "applicant", "resource", "list_version"}:
        return 0
    return 1 if where == "fields" else 2


def _drafted(visit: Visit, found: InformationResource) -> Application:
    """What the form asks for, with the minimum of its matters.

    Raises:
        FormInvalidError: a number or a row rule is none.
    """
    form = visit.form
    termed = form.has("termed")
    volume = terms.number(form, "volume", "每日调用次数", "Calls a day") if termed else None
    days = terms.number(form, "days", "期限（天）", "Term in days") if termed else None
    application = draft(
        visit.list_,
        applicant=visit.person.department,
        resource=found.code,
        purposes=_purposes(form),
        fields=_wishes(visit, found),
        actions=form.texts("action"),
        ground=form.text("ground"),
        rows=terms.rules(form, "rows") if termed else (),
        volume_per_day=volume or 0,
        term_days=DEFAULT_TERM_DAYS if days is None else days,
        reason=form.text("why"),
    )
    # Drawn up against the list that the first page was made of; when another one came, it says so.
    return replace(application, list_version=form.text("list_version") or visit.list_.version)


def _purposes(form: Form) -> tuple[str, ...]:
    """The matters that are ticked, and those written beside them."""
    others = form.text("others").replace("，", " ").replace(",", " ").replace("、", " ").split()
    return tuple(dict.fromkeys((*form.texts("purpose"), *others)))


def _wishes(visit: Visit, found: InformationResource) -> tuple[FieldWish, ...]:
    """The fields that are ticked beyond the minimum, and what is said of those of the minimum."""
    form = visit.form
    least = minimum_of(visit.list_, _purposes(form), found.code).fields
    stated = [name for name in least if form.text(f"statement_{name}")]
    common = form.text("common_reason")
    return tuple(
        FieldWish(
            name,
            "" if name in least else form.text(f"reason_{name}") or common,
            form.text(f"statement_{name}"),
        )
        for name in dict.fromkeys((*form.texts("field"), *stated))
    )


# --- The pages -----------------------------------------------------------------------------------------------------


def _page(visit: Visit, at: str) -> dict[str, Any]:
    found = resource_of(visit.office, visit.list_, visit.path["code"])
    application = _drafted_for_showing(visit, found)
    closed = [one.text(visit.lang) for one in _problems(visit, application) if one.where in {"resource", "applicant"}]
    page = {
        "code": found.code,
        "resource_name": naming.resource(visit, found.code),
        "provider_name": naming.department(visit, found.provider),
        "at": at,
        "title": visit.say(*TITLES[at]),
        "place": STEPS.index(at) + 1,
        "of": len(STEPS),
        "before": STEPS[STEPS.index(at) - 1] if at != STEPS[0] else "",
        "after": "submit" if at == STEPS[-1] else STEPS[STEPS.index(at) + 1],
        "closed": closed,
        "list_version": visit.form.text("list_version") or visit.list_.version,
        "carried": _carried(visit.form, at),
    }
    shown = {"purpose": _purpose, "fields": _fields, "terms": _terms, "check": _check}[at]
    return page | shown(visit, found, application)


def _drafted_for_showing(visit: Visit, found: InformationResource) -> Application:
    """As `_drafted`; what cannot be read is left out, for the page that shows it is the one on which it is mended."""
    try:
        return _drafted(visit, found)
    except FormInvalidError:
        return draft(
            visit.list_,
            applicant=visit.person.department,
            resource=found.code,
            purposes=_purposes(visit.form),
            fields=_wishes(visit, found),
        )


def _carried(form: Form, at: str) -> list[list[str]]:
    """What the other pages hold, to travel with this one."""
    known = [name for step, names in _ENTERED.items() if step != at for name in names]
    return [
        [name, value]
        for name, values in form.fields.items()
        for value in values
        if value.strip() and any(name == one or (one.endswith("_") and name.startswith(one)) for one in known)
    ]


def _purpose(visit: Visit, found: InformationResource, application: Application) -> dict[str, Any]:
    list_, department = visit.list_, visit.person.department
    own = lines_of(list_, department, found.code)
    named = {code for line in own for code in line.purposes}
    offered = []
    for matter in list_.matters:
        lines = covering(list_, own, department, matter.code)
        if not lines or (matter.department != department and matter.code not in named):
            continue
        least = minimum_of(list_, (matter.code,), found.code)
        offered.append(
            {
                "code": matter.code,
                "name": naming.matter(visit, matter.code),
                "chosen": matter.code in application.purposes,
                "grounds": list(dict.fromkeys(line.ground for line in lines)),
                "fields": [_title(found, name) for name in least.fields],
                "replaces": list(least.replaces),
            }
        )
    shown = {one["code"] for one in offered}
    return {"matters": offered, "others": " ".join(code for code in application.purposes if code not in shown)}


def _fields(visit: Visit, found: InformationResource, application: Application) -> dict[str, Any]:
    list_, form = visit.list_, visit.form
    least = minimum_of(list_, application.purposes, found.code)
    rules = prohibitions_against(list_, application.applicant, application.purposes, found.code)
    kept_back = {name: rule.ground for rule in rules for name in rule.fields}
    rows = []
    for field in found.fields:
        ground = kept_back.get(field.name, "")
        if field.share_type is ShareType.NOT_SHARED:
            ground = field.share_condition or found.share_ground or "-"
        rows.append(
            {
                "name": field.name,
                "title": field.title,
                "type": naming.word(visit, domains.KIND, field.type.kind),
                "grade": field.grade,
                "mask": naming.mask(visit, field.mask),
                "minimum": field.name in least.fields,
                "ticked": field.name in form.texts("field"),
                "withheld": ground,
                "reason": form.text(f"reason_{field.name}"),
                "secret": field.grade >= SECRET_GRADE,
                "statement": form.text(f"statement_{field.name}"),
            }
        )
    return {
        "minimum": [one for one in rows if one["minimum"]],
        "extras": [one for one in rows if not one["minimum"]],
        "common_reason": form.text("common_reason"),
        "matters": [naming.matter(visit, code) for code in application.purposes],
    }


def _terms(visit: Visit, found: InformationResource, application: Application) -> dict[str, Any]:
    del found
    form = visit.form
    sent = form.has("termed")
    return {
        "actions": terms.actions(visit),
        "chosen_actions": form.texts("action") if sent else list(application.actions),
        "volume": form.text("volume"),
        "days": form.text("days") if sent else str(DEFAULT_TERM_DAYS),
        "rows": form.text("rows"),
        "ground": form.text("ground") if sent else application.ground,
        "why": form.text("why"),
    }


def _check(visit: Visit, found: InformationResource, application: Application) -> dict[str, Any]:
    at_once = unconditional(visit.list_, application)
    rule = "application.reply." + ("unconditional" if at_once else "conditional")
    least = minimum_of(visit.list_, application.purposes, found.code)
    return {
        "asked": terms.plain(visit, application.asked, found.code),
        "wishes": [
            {
                "title": _title(found, wish.name),
                "minimum": wish.name in least.fields,
                "reason": wish.reason,
                "statement": wish.statement,
            }
            for wish in application.fields
        ],
        "replaces": list(least.replaces),
        "ground": application.ground,
        "why": application.reason,
        "at_once": at_once,
        "answer_by": visit.office.clocks.due(rule, visit.now).due.isoformat(),
        "problems": [one.text(visit.lang) for one in _problems(visit, application)],
    }


def _title(found: InformationResource, name: str) -> str:
    field = found.field(name)
    return field.title if field is not None else name
