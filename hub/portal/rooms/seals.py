"""Electronic seals: the register, what each was used for, and the steps of the register.

Whether a step is allowed, and by whom, is `hub.seals`'s. A department sees its own seals, the hub's office all.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, time
from typing import TYPE_CHECKING, Any, Final

from catalog.clock import SHANGHAI
from hub.api import offices
from hub.errors import NotFoundError, RoleMissingError
from hub.people import Duty
from hub.portal import naming
from hub.portal.doors import Room
from hub.portal.errors import FormInvalidError
from hub.portal.visits import Download, Go
from hub.seals.registering import SealOrder
from hub.seals.words import SORT_NAMES, USE_STATES, Sort
from licence.seals.register import STATE_NAMES, Action, State

if TYPE_CHECKING:
    from collections.abc import Mapping

    from hub.portal.visits import Visit

ROOM = Room()
PEOPLE: Final = frozenset({Duty.LICENCES, Duty.OFFICE})
PAGE: Final = 50
MAX_PICTURE_BYTES: Final = 1024 * 1024
TONES: Final[Mapping[str, str]] = {
    State.IN_USE: "good",
    State.REQUESTED: "warn",
    State.DISABLED: "warn",
    State.DESTRUCTION_REQUESTED: "warn",
    State.REJECTED: "bad",
    State.DESTROYED: "calm",
}
# What a button says: (English, Chinese).
STEPS: Final[Mapping[str, tuple[str, str]]] = {
    "approve": ("Approve and make it", "核准制章"),
    "reject": ("Reject", "驳回"),
    "disable": ("Disable", "停用"),
    "enable": ("Enable", "启用"),
    "request_destruction": ("Ask for its destruction", "申请销毁"),
    "keep": ("Keep it after all", "撤回销毁申请"),
    "destroy": ("Destroy it", "核准销毁"),
}
_HISTORY: Final[Mapping[str, tuple[str, str]]] = {
    "request": ("asked for", "申请制章"),
    **{action.value: (action.en, action.zh) for action in Action},
}
# These are for another person than the one who asked.
SECOND: Final = frozenset({"approve", "destroy"})


@ROOM.page("/seals", "seals.html", who=PEOPLE)
def register(visit: Visit) -> dict[str, Any]:
    """The seals of the department; of all, for the hub's office."""
    seals, page = offices.seals(visit.request), visit.number("page", 1, least=1, most=10_000)
    state = visit.query("state")
    state = state if state in set(State) else ""
    whose = None if visit.has(Duty.OFFICE) else visit.person.department
    rows = seals.find(department=whose, state=state or None, limit=PAGE, offset=(page - 1) * PAGE)
    return {
        "total": seals.count(department=whose, state=state or None),
        "page": page,
        "size": PAGE,
        "state": state,
        "states": [(one.value, visit.say(*STATE_NAMES[one])) for one in State],
        "items": [_seal(visit, row) for row in rows],
        "may_ask": visit.has(Duty.LICENCES),
        "address": f"/seals?state={state}&",
    }


@ROOM.page("/seals/new", "seals-new.html", who=frozenset({Duty.LICENCES}))
def asking(visit: Visit) -> dict[str, Any]:
    """Ask for what a new seal needs."""
    names = ("sort", "name", "line", "custodian", "valid_from", "valid_until", "ground")
    return {
        "sorts": [(one.value, visit.say(*SORT_NAMES[one])) for one in Sort],
        "given": {name: visit.form.text(name)[:500] for name in names},
        "here_department": visit.person.department,
    }


@ROOM.step(
    "/seals/new",
    again=asking,
    template="seals-new.html",
    who=frozenset({Duty.LICENCES}),
    max_bytes=2 * MAX_PICTURE_BYTES,
)
def ask(visit: Visit) -> Go:
    """Ask for a seal; another person approves it."""
    form = visit.form
    sort = form.need("sort", "印章类型", "Sort of seal", most=20)
    if sort not in set(Sort):
        raise FormInvalidError(where="Sort of seal", where_zh="印章类型", why="choose one", why_zh="请选择")
    pictures = form.files.get("picture", ())
    if pictures and len(pictures[-1].data) > MAX_PICTURE_BYTES:
        raise FormInvalidError(where="Picture", where_zh="图像", why="at most 1 MB", why_zh="不超过 1 MB")
    order = SealOrder(
        Sort(sort),
        form.need("name", "印章名称", "Name", most=200),
        visit.person.department,
        form.need("custodian", "保管岗位", "Custodian", most=200),
        _day(visit, "valid_from", "启用日期", "Valid from", time.min),
        _day(visit, "valid_until", "截止日期", "Valid until", time(23, 59, 59)),
        line=form.text("line")[:100],
        png=pictures[-1].data if pictures else b"",
    )
    made = offices.seals(visit.request).request(order, by=visit.actor, ground=form.need("ground", "依据", "Ground"))
    said = visit.say("已提出申请，待另一人核准。", "Asked for; another person approves it.")
    return Go(f"/seals/{made['code']}", said)


@ROOM.page("/seals/{code}", "seals-one.html", who=PEOPLE)
def one(visit: Visit) -> dict[str, Any]:
    """A seal with its history and its uses."""
    seals, page = offices.seals(visit.request), visit.number("page", 1, least=1, most=10_000)
    row = _own(visit)
    auto = row["automatic"]
    return {
        **_seal(visit, row),
        "structure": "GM/T 0031-2025" if row["structure"] == 5 else "GB/T 38540-2020",  # noqa: PLR2004 - its version
        "digest": row["digest"],
        "log_index": row["log_index"],
        "automatic": None
        if auto is None
        else {"kinds": [_kind_name(visit, code) for code in auto["kinds"]], "until": auto["until"], "by": auto["by"]},
        "history": [
            {
                "at": change["at"],
                "action": visit.words(_HISTORY.get(change["action"], (change["action"], change["action"]))),
                "state": _state(visit, change["state"]),
                "by": change["by"],
                "ground": change["ground"],
            }
            for change in row["history"]
        ],
        "used": seals.used(row["code"]),
        "total": seals.use_count(row["code"]),
        "page": page,
        "size": PAGE,
        "uses": [
            {
                "at": use["at"],
                "by": use["by"],
                "purpose": use["purpose"],
                "form": use["form"],
                "automatic": use["automatic"],
                "count": use["count"],
                "state": visit.say(*USE_STATES[use["state"]]),
                "log_index": use["log_index"],
            }
            for use in seals.uses(row["code"], limit=PAGE, offset=(page - 1) * PAGE)
        ],
        "steps": [
            {"name": name, "title": visit.words(words), "second": name in SECOND}
            for name, words in STEPS.items()
            if name in {step.replace("-", "_") for step in row["possible"]}
        ],
        "given": {"ground": visit.form.text("ground")[:2000], "custodian": visit.form.text("custodian")[:200]},
        "transfers": row["state"] in {State.IN_USE, State.DISABLED},
        "address": f"/seals/{row['code']}?",
    }


@ROOM.page("/seals/{code}/picture", "seals-one.html", who=PEOPLE, json=False)
def picture(visit: Visit) -> Download:
    """The picture of a seal."""
    row = _own(visit)
    return Download(offices.seals(visit.request).picture(row["code"]), "image/png", f"{row['code']}.png", inline=True)


@ROOM.step("/seals/{code}/{step}", again=one, template="seals-one.html", who=PEOPLE)
def act(visit: Visit) -> Go:
    """Take a step of the register, or ask for the next version with another custodian."""
    seals, code, step = offices.seals(visit.request), visit.path["code"][:80], visit.path["step"]
    ground, office = visit.form.need("ground", "依据", "Ground"), visit.has(Duty.OFFICE)
    if step == "transfer":
        custodian = visit.form.need("custodian", "新保管岗位", "New custodian", most=200)
        made = seals.transfer(code, custodian, by=visit.actor, ground=ground, office=office)
        said = visit.say("已申请移交，新版印章待另一人核准。", "Asked for; another person approves the next version.")
        return Go(f"/seals/{made['code']}", said)
    if step not in STEPS:
        raise NotFoundError
    seals.decide(code, Action(step), by=visit.actor, ground=ground, office=office)
    return Go(f"/seals/{code}", visit.say("已办理，印章状态已发布。", "Done; the register is published."))


# --- inside ---------------------------------------------------------------------------------------------------------


def _own(visit: Visit) -> dict[str, Any]:
    seal = offices.seals(visit.request).show(visit.path["code"][:80])
    if seal["department"] != visit.person.department and not visit.has(Duty.OFFICE):
        raise RoleMissingError(role=Duty.OFFICE.words[0])
    return seal


def _seal(visit: Visit, row: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "code": row["code"],
        "name": row["name"] or visit.say("（个人印章，名称不列出）", "(personal seal; its name is left out)"),
        "sort": visit.say(*SORT_NAMES[Sort(row["sort"])]),
        "department_name": naming.department(visit, row["department"]),
        "custodian": row["custodian"],
        "state": row["state"],
        "state_name": _state(visit, row["state"]),
        "tone": TONES.get(row["state"], "calm"),
        "valid_from": row["valid_from"],
        "valid_until": row["valid_until"],
        "outdated": row["outdated"],
    }


def _state(visit: Visit, state: str) -> str:
    return visit.say(*STATE_NAMES[State(state)]) if state in set(State) else state


def _kind_name(visit: Visit, code: str) -> str:
    kind = offices.licensing(visit.request).kinds.get(code)
    return code if kind is None else kind.name if visit.lang == "zh" else kind.name_en or kind.name


def _day(visit: Visit, name: str, zh: str, en: str, at: time) -> datetime:
    text = visit.form.need(name, zh, en, most=10)
    try:
        return datetime.combine(date.fromisoformat(text), at, SHANGHAI).astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise FormInvalidError(
            where=en, where_zh=zh, why="give a day as 2026-07-01", why_zh="请按 2026-07-01 的格式填写"
        ) from error
