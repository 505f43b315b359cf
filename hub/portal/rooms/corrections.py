"""Corrections (数据异议): wrong data is reported, answered and put right; what was written is shown on request.

What a step does, and whose it is, is `hub.corrections`'; calling wrong data back, `hub.portal.rooms.recalls`'.
"""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, Any, Final

from catalog import masks
from catalog.correction import FAULTS, GROUNDS, MAX_TEXT_CHARS, Fault, Ground, allowed
from catalog.model import Check, Mask
from hub import corrections
from hub.casewords import CASE_STATES, state_text
from hub.errors import NotFoundError
from hub.people import Duty
from hub.portal import naming, terms
from hub.portal.doors import Room
from hub.portal.errors import FormInvalidError
from hub.portal.rooms.requests import clock, need_duty
from hub.portal.sheets import sheet
from hub.portal.visits import Go, Shown
from hub.requested import progress
from hub.search.resources import resource_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from catalog.model import Field, InformationResource
    from hub.cases import Case
    from hub.portal.forms import Form
    from hub.portal.visits import Visit

ROOM = Room()
KIND: Final = corrections.KIND
SIZE: Final = 20
CONSUMERS: Final = (Duty.STAFF, Duty.WINDOW)
PROVIDERS: Final = (Duty.REVIEWER, Duty.OFFICE)
MEMBERS: Final = frozenset({*CONSUMERS, *PROVIDERS})
SIDES: Final[Mapping[str, tuple[str, str]]] = {
    "answer": ("待本部门办理", "To answer"),
    "ours": ("本部门提出的", "Ours"),
    "all": ("全部相关", "All that concern us"),
}
STEP_WORDS: Final[Mapping[str, tuple[str, str]]] = {
    "submit": ("提出校核", "reported"),
    "ask": ("要求补充", "asked for more"),
    "supply": ("补充说明", "completed"),
    "accept": ("确认有误", "owned the fault"),
    "reject": ("不予更正", "rejected"),
    "mended": ("已更正", "put right"),
    "withdraw": ("撤回", "withdrawn"),
    "appeal": ("提请主管部门处理", "taken to the hub's office"),
    "settle": ("作出处理", "settled"),
}
CHECKED: Final[Mapping[str, tuple[str, str]]] = {
    corrections.CHANGED: ("经与库表比对，数据已变化", "compared with the table: the data is another now"),
    corrections.UNKNOWN: ("无法与库表比对", "could not be compared with the table"),
}
# A hash mask on a page is for the eye alone: nothing can be joined by it.
_MASK_KEY: Final = b"shown on a page, for no one to join"
_PERSONAL_GRADE: Final = 3


SHEET: Final = sheet(
    "items",
    ("id", "校核", "Correction"),
    ("resource", "资源代码", "Code"),
    ("resource_name", "资源", "Resource"),
    ("fault_word", "问题", "Fault"),
    ("field_titles", "信息项", "Fields"),
    ("consumer_name", "提出部门", "Reported by"),
    ("state_word", "状态", "State"),
    ("answerer_name", "待办部门", "Waits for"),
    ("clock.due", "时限", "Due"),
    ("opened_at", "提出时间", "Opened"),
)


@ROOM.page("/corrections", "corrections.html", who=MEMBERS, csv=(SHEET,))
def listed(visit: Visit) -> dict[str, Any]:
    """The corrections of the visitor's department, the one whose clock ends first before the others."""
    office, department = visit.office, visit.person.department
    side = next((one for one in SIDES if one == visit.query("side")), "answer" if visit.has(*PROVIDERS) else "ours")
    state = visit.query("state") if visit.query("state") in CASE_STATES[KIND] else None
    resource = visit.query("resource") or None
    page = visit.number("page", 1, least=1, most=10_000)
    total, cases = corrections.find(
        office,
        department,
        state=state,
        resource=resource,
        opener=department if side == "ours" else None,
        answerer=department if side == "answer" else None,
        limit=SIZE,
        offset=(page - 1) * SIZE,
    )
    return {
        "side": side,
        "sides": [{"key": one, "name": visit.say(*words)} for one, words in SIDES.items()],
        "state": state or "",
        "states": [["", visit.say("全部状态", "every state")]]
        + [[one, visit.words(words)] for one, words in CASE_STATES[KIND].items()],
        "resource": resource or "",
        "resource_name": naming.resource(visit, resource) if resource else "",
        "page": page,
        "size": SIZE,
        "total": total,
        "items": [_item(visit, case) for case in cases],
    }


def _item(visit: Visit, case: Case) -> dict[str, Any]:
    """A correction in a list: nothing about a person."""
    plain, found = corrections.line(case), visit.list_.by_code.get(case.resource)
    running = progress(visit.office, case)
    return {
        **plain,
        "state_word": state_text(KIND, case.state, visit.lang),
        "resource_name": naming.resource(visit, case.resource),
        "fault_word": visit.words(FAULTS[Fault(plain["fault"])]),
        "field_titles": [_title(found, name) for name in plain["fields"]],
        "consumer_name": naming.department(visit, case.opener),
        "answerer_name": naming.department(visit, case.answerer) if case.answerer else "",
        "opened_at": case.opened_at.isoformat(),
        "clock": None
        if running is None
        else clock(visit, {"left": running.left, "day": running.day, "of": running.of, "due": running.due.isoformat()}),
    }


# --- Reporting -----------------------------------------------------------------------------------------------------


@ROOM.page("/corrections/new", "corrections-new.html", who=frozenset(CONSUMERS), json=False)
def reported(visit: Visit) -> dict[str, Any]:
    """Report what is wrong with a resource, a record of it or fields; *entry*: of which answer."""
    found = resource_of(visit.office, visit.list_, visit.form.text("resource") or visit.query("resource"))
    entry = visit.form.text("entry") or visit.query("entry", most=terms.MAX_DIGITS)
    return {
        "resource": found.code,
        "resource_name": naming.resource(visit, found.code),
        "provider_name": naming.department(visit, found.provider),
        "entry": entry if entry.isascii() and entry.isdigit() else "",
        "faults": [[one.value, visit.words(words)] for one, words in FAULTS.items()],
        "key_fields": [{"name": one.name, "title": one.title} for one in found.key],
        "fields": [{"code": one.name, "name": one.title} for one in found.fields],
        "most": MAX_TEXT_CHARS,
    }


@ROOM.step(
    "/corrections/new", again=reported, template="corrections-new.html", who=frozenset(CONSUMERS), max_bytes=64 * 1024
)
def report(visit: Visit) -> Go:
    """Open it: from now on answers say that the data is disputed."""
    form = visit.form
    found = resource_of(visit.office, visit.list_, form.text("resource"))
    entry = terms.number(form, "entry", "日志条目", "Log entry")
    claim = corrections.Claim(
        resource=found.code,
        fault=_fault(form),
        wrong=form.text("wrong"),
        right=form.text("right"),
        evidence=form.text("evidence"),
        key=key_of(form, found),
        fields=tuple(form.texts("field")),
        entry=corrections.NO_ENTRY if entry is None else entry,
    )
    case = corrections.submit(visit.office, claim, actor=visit.actor)
    said = visit.say("已提出校核，提供方已获通知。", "It is reported; the provider was told.")
    return Go(f"/corrections/{case.id}", said)


def key_of(form: Form, resource: InformationResource) -> tuple[tuple[str, str], ...]:
    """The record's key as it was typed: nothing of it, where nothing was."""
    given = [(field.name, form.text(f"key_{field.name}")) for field in resource.key]
    return tuple(given) if any(value for _, value in given) else ()


def _fault(form: Form) -> Fault:
    try:
        return Fault(form.text("fault"))
    except ValueError as error:
        raise FormInvalidError(
            where="What is wrong", where_zh="问题类型", why="choose one of the list", why_zh="请从列表中选择"
        ) from error


# --- One of them ---------------------------------------------------------------------------------------------------


@ROOM.page("/corrections/{id}", "corrections-one.html", who=MEMBERS)
def shown(visit: Visit) -> dict[str, Any]:
    """One correction, its clock, its history and the steps that the visitor may take; its words stay covered."""
    return _plain(visit, corrections.get(visit.office, visit.path["id"][:40], visit.person.department), whole=False)


def _plain(visit: Visit, case: Case, *, whole: bool) -> dict[str, Any]:
    content, found = corrections.content(case), visit.list_.by_code.get(case.resource)
    may = [step for step in allowed(content, visit.person.department) if visit.has(*_STEPS[step][0])]
    words = {name: getattr(content, name) for name in _WORDS} if whole else {}
    recalled = content.state.value in {"accepted", "mended"} and visit.has(*PROVIDERS)
    return {
        **_item(visit, case),
        "revision": case.revision,
        "provider_name": naming.department(visit, content.provider),
        "record": [
            {"title": _title(found, name), "value": value if whole else masked(found, name, value)}
            for name, value in content.disputed.key
        ],
        "entry": content.entry,
        "ground_word": visit.words(GROUNDS[Ground(content.ground)]) if content.ground else "",
        "mend_by": content.mend_by,
        "mended": content.mended,
        "checked_word": visit.say(*CHECKED[content.checked]) if content.checked else "",
        "whole": whole,
        "words": words,
        "steps": may,
        "step": visit.path.get("step", ""),
        "grounds": [[one.value, visit.words(words)] for one, words in GROUNDS.items()],
        "may_recall": recalled and visit.person.department in {content.provider, visit.list_.office},
        "history": [
            {
                "at": step.at.isoformat(),
                "actor": step.actor,
                "word": visit.say(*STEP_WORDS.get(step.step, (step.step, step.step))),
                "state_word": state_text(KIND, step.state, visit.lang),
                "log_index": step.log_index,
            }
            for step in visit.office.cases.history(case.id)
        ],
    }


_WORDS: Final = ("wrong", "right", "evidence", "asked", "supplied", "answer", "appealed", "verdict")


def _title(found: InformationResource | None, name: str) -> str:
    field = found.field(name) if found is not None else None
    return field.title if field is not None else name


def masked(found: InformationResource | None, name: str, value: str) -> str:
    """A value of the record's key as the list masks it, or as a person's must be; of what no list knows, nothing."""
    field = found.field(name) if found is not None else None
    shown_ = masks.apply(_mask(field), value, key=_MASK_KEY)
    return "" if shown_ is None else str(shown_)


def _mask(field: Field | None) -> Mask:
    if field is None:
        return Mask.REDACT
    # Lists seldom mask a key, for who is answered knows it already; who reads a correction does not.
    if field.mask is Mask.NONE and field.check is Check.CITIZEN_ID:
        return Mask.CITIZEN_ID
    return Mask.REDACT if field.mask is Mask.NONE and field.grade >= _PERSONAL_GRADE else field.mask


@ROOM.step("/corrections/{id}/{step}", again=shown, template="corrections-one.html", who=MEMBERS)
def act(visit: Visit) -> Go | Shown:
    """Take a step of a correction, or uncover what is written in it, which is recorded."""
    step, id_ = visit.path["step"], visit.path["id"][:40]
    if step == "read":
        return Shown(_plain(visit, corrections.look(visit.office, id_, actor=visit.actor), whole=True))
    if step not in _STEPS:
        raise NotFoundError
    duties, take, said = _STEPS[step]
    need_duty(visit, *duties)
    take(visit, id_, terms.number(visit.form, "revision", "修订", "Revision"))
    return Go(f"/corrections/{id_}", visit.say(*said))


def day_of_form(form: Form, name: str, zh: str, en: str) -> date | None:
    """A day of a form; None where the field is empty.

    Raises:
        FormInvalidError: it is none.
    """
    text = form.text(name)
    try:
        return date.fromisoformat(text) if text else None
    except ValueError as error:
        why, why_zh = "give it as 2026-07-01", "请按 2026-07-01 的格式填写"
        raise FormInvalidError(where=en, where_zh=zh, why=why, why_zh=why_zh, field=name) from error


def _ask(visit: Visit, id_: str, revision: int | None) -> Case:
    question = visit.form.text("question")
    return corrections.ask(visit.office, id_, actor=visit.actor, question=question, revision=revision)


def _supply(visit: Visit, id_: str, revision: int | None) -> Case:
    reply = visit.form.text("reply")
    return corrections.supply(visit.office, id_, actor=visit.actor, reply=reply, revision=revision)


def _accept(visit: Visit, id_: str, revision: int | None) -> Case:
    visit.form.need("mend_by", "更正完成日期", "Day", most=10)
    mend_by = day_of_form(visit.form, "mend_by", "更正完成日期", "Day")
    return corrections.accept(
        visit.office,
        id_,
        actor=visit.actor,
        mend_by=mend_by or date.min,
        answer=visit.form.text("answer"),
        revision=revision,
    )


def _reject(visit: Visit, id_: str, revision: int | None) -> Case:
    try:
        ground = Ground(visit.form.text("ground"))
    except ValueError as error:
        raise FormInvalidError(
            where="Ground", where_zh="理由", why="choose one of the list", why_zh="请从列表中选择"
        ) from error
    answer = visit.form.text("answer")
    return corrections.reject(visit.office, id_, actor=visit.actor, ground=ground, answer=answer, revision=revision)


def _mended(visit: Visit, id_: str, revision: int | None) -> Case:
    where = visit.form.need("where", "快照或归集批次", "Snapshot or load", most=100)
    return corrections.mended(visit.office, id_, actor=visit.actor, where=where, revision=revision)


def _withdraw(visit: Visit, id_: str, revision: int | None) -> Case:
    return corrections.withdraw(visit.office, id_, actor=visit.actor, revision=revision)


def _appeal(visit: Visit, id_: str, revision: int | None) -> Case:
    why = visit.form.text("why")
    return corrections.appeal(visit.office, id_, actor=visit.actor, why=why, revision=revision)


def _settle(visit: Visit, id_: str, revision: int | None) -> Case:
    form = visit.form
    form.need("outcome", "处理结果", "Outcome", most=10)
    return corrections.settle(
        visit.office,
        id_,
        actor=visit.actor,
        upheld=form.text("outcome") == "upheld",
        verdict=form.text("verdict"),
        mend_by=day_of_form(form, "mend_by", "更正完成日期", "Day"),
        revision=revision,
    )


_Taken = tuple[tuple[Duty, ...], "Callable[[Visit, str, int | None], Case]", tuple[str, str]]
_STEPS: Final[Mapping[str, _Taken]] = {
    "ask": (PROVIDERS, _ask, ("已要求提出方补充。", "Who reported it was asked.")),
    "supply": (CONSUMERS, _supply, ("已补充，待提供方核实。", "Completed; the provider goes on with it.")),
    "accept": (PROVIDERS, _accept, ("已确认有误，提出方已获通知。", "Owned; who reported it was told.")),
    "reject": (PROVIDERS, _reject, ("已答复不予更正，提出方已获通知。", "Rejected; who reported it was told.")),
    "mended": (PROVIDERS, _mended, ("已办结：数据已更正。", "Settled: the data is put right.")),
    "withdraw": (CONSUMERS, _withdraw, ("已撤回，标记已去除。", "Withdrawn; the mark is gone.")),
    "appeal": (CONSUMERS, _appeal, ("已提请数据主管部门处理。", "It is before the hub's office.")),
    "settle": ((Duty.OFFICE,), _settle, ("已作出处理，双方已获通知。", "Settled; both sides were told.")),
}
