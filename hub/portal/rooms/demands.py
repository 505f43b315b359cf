"""The demand list (需求清单): data that the list lacks, asked for in words, claimed and answered.

What a step does, and who may take it, is `hub.demands`.
"""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, Any, Final

from catalog.demand import Answer, Demand, DemandState, met_by
from hub import demands, offered
from hub.casewords import CASE_STATES
from hub.errors import NotFoundError
from hub.people import Duty
from hub.portal import naming
from hub.portal.doors import Room
from hub.portal.errors import DutyMissingError, FormInvalidError
from hub.portal.rooms import following
from hub.portal.sheets import sheet
from hub.portal.visits import Go

if TYPE_CHECKING:
    from collections.abc import Mapping

    from hub.cases import Case
    from hub.portal.visits import Visit

ROOM = Room()
SIZE: Final = 20
MEMBERS: Final = frozenset({Duty.STAFF, Duty.REVIEWER, Duty.OFFICE, Duty.AUDITOR})
# Whose step it is, as the API's doors have it; what the case allows is asked besides.
DUTIES: Final[Mapping[str, Duty]] = {
    "withdraw": Duty.STAFF,
    "claim": Duty.REVIEWER,
    "answer": Duty.REVIEWER,
    "assign": Duty.OFFICE,
}
STEP_WORDS: Final[Mapping[str, tuple[str, str]]] = {
    "submit": ("登记", "put on the list"),
    "claim": ("认领", "claimed"),
    "assign": ("分派", "assigned"),
    "answer": ("答复", "answered"),
    "withdraw": ("撤回", "withdrawn"),
}


SHEET: Final = sheet(
    "items",
    ("id", "需求", "Demand"),
    ("words", "需要的数据", "Data"),
    ("purpose", "用途", "Purpose"),
    ("consumer_name", "提出部门", "Asked by"),
    ("state_word", "状态", "State"),
    ("answerer_name", "待办部门", "Waits for"),
    ("due", "时限", "Due"),
    ("opened_at", "提出时间", "Opened"),
)


@ROOM.page("/demands", "demands.html", who=MEMBERS, csv=(SHEET,))
def listed(visit: Visit) -> dict[str, Any]:
    """The whole list: whoever has the data can claim."""
    state = visit.query("state") if visit.query("state") in tuple(DemandState) else None
    page = visit.number("page", 1, least=1, most=10_000)
    cases = visit.office.cases.find(demands.KIND, state=state, limit=SIZE, offset=(page - 1) * SIZE)
    return {
        "state": state or "",
        "states": [("", visit.say("全部", "all"))]
        + [(one, visit.words(words)) for one, words in CASE_STATES[demands.KIND].items()],
        "items": [_row(visit, case) for case in cases],
        "total": visit.office.cases.count(demands.KIND, state=state),
        "page": page,
        "size": SIZE,
        "address": f"/demands?state={state or ''}&",
        "may_ask": visit.has(Duty.STAFF),
    }


@ROOM.page("/demands/new", "demands-new.html", who=frozenset({Duty.STAFF}), json=False)
def asked(visit: Visit) -> dict[str, Any]:
    """Ask for what the list lacks; what was searched in vain is filled in."""
    form, list_ = visit.form, visit.list_
    own = [one for one in list_.matters if one.department == visit.person.department]
    return {
        "words": form.text("words") or visit.query("q"),
        "purpose": form.text("purpose"),
        "matter": form.text("matter"),
        "suspected": form.text("suspected"),
        "matters": [("", visit.say("不限事项", "no matter in particular"))]
        + [(one.code, f"{naming.matter(visit, one.code)} ({one.code})") for one in own],
        "departments": [("", visit.say("不清楚", "not known"))]
        + [(one.code, naming.department(visit, one.code)) for one in list_.departments],
    }


@ROOM.step("/demands/new", again=asked, template="demands-new.html", who=frozenset({Duty.STAFF}))
def submit(visit: Visit) -> Go:
    """Put it on the list."""
    form = visit.form
    case = demands.submit(
        visit.office,
        visit.actor,
        words=form.need("words", "需要的数据", "Data"),
        purpose=form.need("purpose", "用途", "Purpose"),
        matter=form.text("matter"),
        suspected=form.text("suspected"),
    )
    return Go(f"/demands/{case.id}", visit.say("已列入需求清单。", "It is on the demand list."))


@ROOM.page("/demands/{id}", "demands-one.html", who=MEMBERS)
def shown(visit: Visit) -> dict[str, Any]:
    """One demand, what became of it, and what may meet it."""
    office = visit.office
    case = office.cases.get(visit.path["id"][:40], demands.KIND)
    suggested = met_by(Demand.from_plain(case.value), visit.list_) if case.open else ()
    return {
        **demands.case_plain(case, suggested),
        **_row(visit, case),
        "matter_name": naming.matter(visit, case.value["matter"]) if case.value["matter"] else "",
        "suspected_name": naming.department(visit, case.value["suspected"]) if case.value["suspected"] else "",
        "resource_name": naming.resource(visit, case.value["resource"]) if case.value["resource"] else "",
        "followed": following.is_followed(visit, "demand", case.id),
        "possible": [one for one in offered.of_demand(office, case, visit.actor) if visit.has(DUTIES[one])],
        "departments": [(one.code, naming.department(visit, one.code)) for one in visit.list_.departments],
        "history": [
            {
                "at": step.at.isoformat(),
                "actor": step.actor,
                "step": visit.say(*STEP_WORDS.get(step.step, (step.step, step.step))),
                "note": step.note,
                "log_index": step.log_index,
            }
            for step in office.cases.history(case.id)
        ],
    }


@ROOM.step("/demands/{id}/{step}", again=shown, template="demands-one.html", who=MEMBERS)
def act(visit: Visit) -> Go:
    """Claim, assign, answer or withdraw."""
    step, id_, form = visit.path["step"], visit.path["id"][:40], visit.form
    if step not in DUTIES:
        raise NotFoundError
    if not visit.has(DUTIES[step]):
        en, zh = DUTIES[step].words
        raise DutyMissingError(duties=en, duties_zh=zh)
    revision = int(form.text("revision")) if form.text("revision").isdecimal() else None
    office, actor = visit.office, visit.actor
    match step:
        case "claim":
            demands.claim(office, actor, id_, revision=revision)
        case "assign":
            demands.assign(office, actor, id_, form.need("department", "部门", "Department"), revision=revision)
        case "withdraw":
            demands.withdraw(office, actor, id_, why=form.text("why"), revision=revision)
        case _:
            demands.answer(office, actor, id_, _answer(visit), revision=revision)
    return Go(f"/demands/{id_}", visit.say("已办理。", "Done."))


def _answer(visit: Visit) -> Answer:
    form = visit.form
    day = form.text("planned_on")
    try:
        planned_on = date.fromisoformat(day) if day else None
    except ValueError as error:
        raise FormInvalidError(
            where="Day", where_zh="计划日期", why="give it as 2026-07-01", why_zh="请按 2026-07-01 的格式填写"
        ) from error
    return Answer(
        form.need("outcome", "答复", "Answer"),
        form.text("resource"),
        form.text("ground"),
        planned_on,
        form.text("note"),
    )


def _row(visit: Visit, case: Case) -> dict[str, Any]:
    return {
        "id": case.id,
        "revision": case.revision,
        "words": case.value["words"],
        "purpose": case.value["purpose"],
        "state": case.state,
        "state_word": visit.words(CASE_STATES[demands.KIND][case.state]),
        "open": case.open,
        "consumer_name": naming.department(visit, case.opener),
        "answerer_name": naming.department(visit, case.answerer) if case.open and case.answerer else "",
        "due": case.due_at.isoformat() if case.due_at else None,
        "opened_at": case.opened_at.isoformat(),
    }
