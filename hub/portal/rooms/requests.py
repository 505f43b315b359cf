"""Applications for shared data: the department's own, those to answer, one with all its steps.

What a step does is `hub.applications`; applying itself is `hub.portal.rooms.applying`.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from catalog import domains
from catalog.application import check_application, from_plain
from catalog.clock import day_of
from catalog.eligibility import lines_of, prohibitions_against
from catalog.steps import NotYoursError
from catalog.terms import FieldWish, minimum_of
from hub import applications, grants, offered
from hub.casewords import CASE_STATES, state_text
from hub.errors import NotFoundError
from hub.people import Duty
from hub.portal import naming, terms
from hub.portal.doors import Room
from hub.portal.errors import DutyMissingError
from hub.portal.sheets import sheet
from hub.portal.visits import Go

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from catalog.application import Application
    from catalog.model import InformationResource
    from hub.cases import Case
    from hub.portal.visits import Visit

ROOM = Room()
KIND: Final = "application"
SIZE: Final = 20
# A clock with so many working days left is told in amber.
SOON_DAYS: Final = 2
MEMBERS: Final = frozenset({Duty.STAFF, Duty.REVIEWER, Duty.OFFICE, Duty.LICENCES, Duty.AUDITOR})
ALL: Final = (Duty.OFFICE, Duty.AUDITOR)
SIDES: Final[Mapping[str, tuple[str, str]]] = {
    "ours": ("本部门提出的", "Ours"),
    "answer": ("待本部门办理", "To answer"),
    "all": ("全部相关", "All that concern us"),
}
STEP_WORDS: Final[Mapping[str, tuple[str, str]]] = {
    "submit": ("提出申请", "submitted"),
    "ask": ("要求补充", "asked for more"),
    "supply": ("补充", "completed"),
    "approve": ("同意", "agreed to"),
    "refuse": ("不予同意", "refused"),
    "withdraw": ("撤回", "withdrawn"),
    "dispute": ("提出争议", "disputed"),
    "appeal": ("提请上一级处理", "taken to the next tier"),
    "settle": ("处理争议", "settled"),
}


SHEET: Final = sheet(
    "items",
    ("id", "申请", "Request"),
    ("resource", "资源代码", "Code"),
    ("resource_name", "资源", "Resource"),
    ("applicant_name", "申请方", "Applicant"),
    ("provider_name", "提供方", "Provider"),
    ("purposes", "事项", "Matters"),
    ("fields", "信息项数", "Fields"),
    ("grade", "最高敏感级", "Highest grade"),
    ("state_word", "状态", "State"),
    ("answerer_name", "待办部门", "Waits for"),
    ("clock.due", "时限", "Due"),
    ("opened_at", "提出时间", "Opened"),
)


@ROOM.page("/requests", "requests.html", who=MEMBERS, csv=(SHEET,))
def requests(visit: Visit) -> dict[str, Any]:
    """Applications, the one whose clock ends first before the others."""
    office, department = visit.office, visit.person.department
    default = "answer" if visit.has(Duty.REVIEWER) else "all" if visit.has(*ALL) else "ours"
    side = next((one for one in SIDES if one == visit.query("side")), default)
    state = visit.query("state") if visit.query("state") in CASE_STATES[KIND] else None
    page = visit.number("page", 1, least=1, most=10_000)
    offset = (page - 1) * SIZE
    if side == "ours":
        cases = office.cases.find(KIND, opener=department, state=state, limit=SIZE, offset=offset)
        total = office.cases.count(KIND, opener=department, state=state)
    else:
        wanted = {
            "waiting_for": department if side == "answer" else None,
            "concerning": department if side == "all" and not visit.has(*ALL) else None,
            "state": state,
        }
        cases = applications.find(office, **wanted, limit=SIZE, offset=offset)
        total = applications.count(office, **wanted)
    return {
        "side": side,
        "sides": [{"key": one, "name": visit.say(*words)} for one, words in SIDES.items()],
        "state": state or "",
        "states": [["", visit.say("全部状态", "every state")]]
        + [[one, visit.words(words)] for one, words in CASE_STATES[KIND].items()],
        "page": page,
        "size": SIZE,
        "total": total,
        "items": [_item(visit, case) for case in cases],
        "address": f"/requests?side={side}&state={state or ''}&",
        "may_apply": visit.has(Duty.STAFF),
    }


def _item(visit: Visit, case: Case) -> dict[str, Any]:
    plain = applications.plain(visit.office, case, whole=False)
    asked, found = from_plain(case.value), visit.list_.by_code.get(case.resource)
    fields = [found.field(wish.name) for wish in asked.fields] if found is not None else []
    return {
        "id": case.id,
        "state": case.state,
        "state_word": state_text(KIND, case.state, visit.lang),
        "resource": case.resource,
        "resource_name": naming.resource(visit, case.resource),
        "applicant_name": naming.department(visit, asked.applicant),
        "provider_name": naming.department(visit, asked.provider),
        "answerer_name": naming.department(visit, case.answerer) if case.answerer else "",
        "purposes": [naming.matter(visit, code) for code in asked.purposes],
        "fields": len(asked.fields),
        "grade": max((field.grade for field in fields if field is not None), default=0),
        "opened_at": plain["opened_at"],
        "clock": clock(visit, plain["clock"]),
    }


def clock(visit: Visit, running: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """A running clock as a light with words."""
    if running is None:
        return None
    left, day, of = running["left"], running["day"], running["of"]
    if left < 0:
        tone, said = "bad", visit.say(f"已超期 {-left} 个工作日", f"{-left} working days late")
    else:
        tone = "warn" if left <= SOON_DAYS else "good"
        said = visit.say(f"第 {day} 天，剩 {left} 个工作日", f"day {day} of {of}, {left} working days left")
    return {"tone": tone, "word": said, "due": running["due"], "left": left}


@ROOM.page("/requests/{id}", "request.html", who=MEMBERS)
def request(visit: Visit) -> dict[str, Any]:
    """One application beside the policy, with its history and the steps that the visitor may take."""
    office, list_ = visit.office, visit.list_
    case = _seen(visit)
    plain, asked = applications.plain(office, case), from_plain(case.value)
    steps = [step for step in offered.of_application(office, case, visit.actor) if visit.has(*_STEPS[step][0])]
    changed = replace(asked, list_version=list_.version)
    problems = check_application(list_, changed, day_of(visit.now)) if case.open else ()
    return {
        **_item(visit, case),
        "revision": case.revision,
        "outcome": applications.outcome(case),
        "application": plain,
        "asked": terms.plain(visit, asked.asked, asked.resource),
        "fields_asked": _fields(visit, asked),
        "given": terms.plain(visit, asked.terms, asked.resource) if asked.terms is not None else None,
        "policy": _policy(visit, asked),
        "held": _held(visit, asked),
        "problems": [one.text(visit.lang) for one in problems],
        "steps": steps,
        "step": visit.path.get("step", ""),
        "history": [
            {
                **step,
                "word": visit.say(*STEP_WORDS[step["step"]]) if step["step"] in STEP_WORDS else step["step"],
                "state_word": state_text(KIND, step["state"], visit.lang),
            }
            for step in plain["history"]
        ],
    }


def _seen(visit: Visit) -> Case:
    """The application of the address, for those it concerns."""
    case = applications.get(visit.office, visit.path["id"])
    if not applications.concerns(case, visit.person.department) and not visit.has(*ALL):
        raise NotYoursError(actor=str(visit.actor), needed=f"{case.value['applicant']}, {case.value['provider']}")
    return case


def _fields(visit: Visit, asked: Application) -> list[dict[str, Any]]:
    found = visit.list_.by_code.get(asked.resource)
    least = minimum_of(visit.list_, asked.purposes, asked.resource).fields
    held = {name for one in _in_force(visit, asked) for name in one.grant.fields} if asked.open else set()
    rows = []
    for wish in asked.fields:
        field = found.field(wish.name) if found is not None else None
        rows.append(
            {
                "name": wish.name,
                "title": field.title if field is not None else wish.name,
                "grade": field.grade if field is not None else None,
                "share": naming.word(visit, domains.SHARE_TYPE, field.share_type) if field is not None else "",
                "condition": field.share_condition if field is not None else "",
                "mask": naming.mask(visit, field.mask) if field is not None else "",
                "minimum": wish.name in least,
                "held": wish.name in held,
                "reason": wish.reason,
                "statement": wish.statement,
            }
        )
    return rows


def _policy(visit: Visit, asked: Application) -> dict[str, Any]:
    """What the list in force says about it."""
    list_ = visit.list_
    found = list_.by_code.get(asked.resource)
    least = minimum_of(list_, asked.purposes, asked.resource)
    return {
        "share": naming.word(visit, domains.SHARE_TYPE, found.share_type) if found is not None else "",
        "condition": found.share_condition if found is not None else "",
        "lines": [
            {
                "purposes": [naming.matter(visit, code) for code in line.purposes],
                "ground": line.ground,
                "deadline": line.deadline.isoformat(),
            }
            for line in lines_of(list_, asked.applicant, asked.resource)
        ],
        "prohibited": [
            {"fields": [_title(found, name) for name in rule.fields], "ground": rule.ground}
            for rule in prohibitions_against(list_, asked.applicant, asked.purposes, asked.resource)
        ],
        "replaces": list(least.replaces),
    }


def _title(found: InformationResource | None, name: str) -> str:
    field = found.field(name) if found is not None else None
    return field.title if field is not None else name


def _in_force(visit: Visit, asked: Application) -> list[grants.GrantRecord]:
    found = grants.find(visit.office, consumer=asked.applicant, resource=asked.resource, ended=False)
    return [one for one in found if one.state(visit.now) == grants.IN_FORCE]


def _held(visit: Visit, asked: Application) -> list[dict[str, Any]]:
    return [
        {
            "id": one.grant.id,
            "fields": len(one.grant.fields),
            "purposes": [naming.matter(visit, code) for code in one.grant.purposes],
            "expires": one.grant.expires.isoformat(),
        }
        for one in _in_force(visit, asked)
    ]


# --- Steps ---------------------------------------------------------------------------------------------------------


@ROOM.step("/requests/{id}/{step}", again=request, template="request.html", who=MEMBERS)
def act(visit: Visit) -> Go:
    """Take a step of an application."""
    step = visit.path["step"]
    if step not in _STEPS:
        raise NotFoundError
    duties, take, said = _STEPS[step]
    need_duty(visit, *duties)
    _seen(visit)
    case = take(visit, visit.path["id"], terms.number(visit.form, "revision", "修订", "Revision"))
    grant = case.value["grant"] if step in {"approve", "settle"} else ""
    more = visit.say(f"授权 {grant} 已生效。", f" Grant {grant} is in force.") if grant else ""
    return Go(f"/requests/{case.id}", visit.say(*said) + more)


def need_duty(visit: Visit, *duties: Duty) -> None:
    """Let only who has one of *duties* go on.

    Raises:
        DutyMissingError: the visitor has none of them.
    """
    if not visit.has(*duties):
        words = [one.words for one in duties]
        raise DutyMissingError(duties=", ".join(en for en, _ in words), duties_zh="、".join(zh for _, zh in words))


def _ask(visit: Visit, id_: str, revision: int | None) -> Case:
    question = visit.form.text("question")
    return applications.ask(visit.office, id_, question, actor=visit.actor, revision=revision)


def _supply(visit: Visit, id_: str, revision: int | None) -> Case:
    form = visit.form
    amended = None
    if form.has("amend"):
        # Less of what was asked for; who needs more withdraws and applies anew.
        before = from_plain(applications.get(visit.office, id_).value)
        less = terms.less_of(form, before.asked)
        wishes = {wish.name: wish for wish in before.fields}
        names = before.asked.fields if less.fields is None else less.fields
        amended = replace(
            before,
            fields=tuple(wishes.get(name, FieldWish(name)) for name in names),
            purposes=before.purposes if less.purposes is None else less.purposes,
            actions=before.actions if less.actions is None else less.actions,
            rows=tuple(dict.fromkeys((*before.rows, *less.rows))),
            volume_per_day=before.volume_per_day if less.quota_per_day is None else less.quota_per_day,
            term_days=before.term_days if less.term_days is None else less.term_days,
        )
    answer = form.text("answer")
    return applications.supply(visit.office, id_, answer, actor=visit.actor, amended=amended, revision=revision)


def _approve(visit: Visit, id_: str, revision: int | None) -> Case:
    less = None
    if visit.form.has("amend"):
        less = terms.less_of(visit.form, from_plain(applications.get(visit.office, id_).value).asked)
    note = visit.form.text("note")
    return applications.approve(visit.office, id_, actor=visit.actor, less=less, note=note, revision=revision)


def _refuse(visit: Visit, id_: str, revision: int | None) -> Case:
    form = visit.form
    return applications.refuse(
        visit.office, id_, ground=form.text("ground"), actor=visit.actor, note=form.text("note"), revision=revision
    )


def _withdraw(visit: Visit, id_: str, revision: int | None) -> Case:
    note = visit.form.text("note")
    return applications.withdraw(visit.office, id_, actor=visit.actor, note=note, revision=revision)


def _dispute(visit: Visit, id_: str, revision: int | None) -> Case:
    reason = visit.form.text("reason")
    return applications.dispute(visit.office, id_, reason, actor=visit.actor, revision=revision)


def _settle(visit: Visit, id_: str, revision: int | None) -> Case:
    form = visit.form
    form.need("give", "处理结果", "Outcome", most=10)
    return applications.settle(
        visit.office,
        id_,
        actor=visit.actor,
        give=form.text("give") == "yes",
        ground=form.text("ground"),
        note=form.text("note"),
        document=form.text("document"),
        revision=revision,
    )


_Taken = tuple[tuple[Duty, ...], "Callable[[Visit, str, int | None], Case]", tuple[str, str]]
_STEPS: Final[Mapping[str, _Taken]] = {
    "ask": ((Duty.REVIEWER,), _ask, ("已要求申请方补充。", "The applicant was asked.")),
    "supply": ((Duty.STAFF,), _supply, ("已补充，待提供方办理。", "Completed; the provider goes on with it.")),
    "approve": ((Duty.REVIEWER,), _approve, ("已同意。", "Agreed.")),
    "refuse": ((Duty.REVIEWER,), _refuse, ("已答复不予同意，并告知申请方。", "Refused; the applicant was told.")),
    "withdraw": ((Duty.STAFF,), _withdraw, ("已撤回。", "Withdrawn.")),
    "dispute": ((Duty.STAFF,), _dispute, ("已提出争议。", "The refusal is disputed.")),
    "settle": ((Duty.REVIEWER, Duty.OFFICE), _settle, ("争议已处理，双方已获告知。", "Settled; both sides were told.")),
}
