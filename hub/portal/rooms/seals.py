"""Electronic seals: the register, what each was used for, and the steps of the register.

Whether a step is allowed, and by whom, is `hub.seals`'s; using a seal is `hub.portal.rooms.stamping`'s, asking somebody
for a signature `hub.portal.rooms.signing`'s. A department sees its own seals, the hub's office all.
"""

from __future__ import annotations

import base64
import binascii
from datetime import UTC, date, datetime, time, timedelta
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlencode

from catalog.clock import SHANGHAI
from hub.api import offices
from hub.errors import NotFoundError, RoleMissingError
from hub.licensing.errors import NoKindsError
from hub.people import Duty
from hub.portal import naming
from hub.portal.doors import Room
from hub.portal.errors import FormInvalidError
from hub.portal.terms import number
from hub.portal.visits import Download, Go, Shown
from hub.seals.errors import told
from hub.seals.registering import SealOrder
from hub.seals.usage import UseFilter
from hub.seals.words import FORM_NAMES, SORT_NAMES, USE_STATES, Sort
from licence.seals.register import STATE_NAMES, Action, State
from licence.seals.structure import V4, V5

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
STRUCTURES: Final[Mapping[int, str]] = {V5: "GM/T 0031-2025", V4: "GB/T 38540-2020"}
MAX_YEAR: Final = 9999
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
        "items": [plain_seal(visit, row) for row in rows],
        "may_ask": visit.has(Duty.LICENCES),
        "address": f"/seals?state={state}&",
    }


@ROOM.page("/seals/new", "seals-new.html", who=frozenset({Duty.LICENCES}))
def asking(visit: Visit) -> dict[str, Any]:
    """Ask for what a new seal needs."""
    return _asking(visit)


@ROOM.step(
    "/seals/new",
    again=asking,
    template="seals-new.html",
    who=frozenset({Duty.LICENCES}),
    max_bytes=2 * MAX_PICTURE_BYTES,
)
def ask(visit: Visit) -> Go | Shown:
    """Show what the seal will look like, or ask for it; another person approves it."""
    form = visit.form
    png = _png(visit)
    if form.has("look"):
        with told():
            picture = _order(visit, png, visit.now, visit.now, "").picture()
        shown = f"data:image/png;base64,{base64.b64encode(picture.data).decode()}"
        # What was uploaded comes back with the form: a browser does not keep the choice of a file.
        kept = base64.b64encode(picture.data).decode() if png else ""
        return Shown({**_asking(visit), "looked_at": shown, "kept": kept}, "seals-new.html")
    order = _order(
        visit,
        png,
        _day(visit, "valid_from", "启用日期", "Valid from", time.min),
        _day(visit, "valid_until", "截止日期", "Valid until", time(23, 59, 59)),
        form.need("custodian", "保管岗位", "Custodian", most=200),
    )
    made = offices.seals(visit.request).request(order, by=visit.actor, ground=form.need("ground", "依据", "Ground"))
    said = visit.say("已提出申请，待另一人核准。", "Asked for; another person approves it.")
    return Go(f"/seals/{made['code']}", said)


@ROOM.page("/seals/{code}", "seals-one.html", who=PEOPLE)
def one(visit: Visit) -> dict[str, Any]:
    """A seal with its history and its uses."""
    seals, page = offices.seals(visit.request), visit.number("page", 1, least=1, most=10_000)
    row = own_seal(visit)
    auto, wanted, chosen = row["automatic"], _wanted(visit), _chosen(visit)
    signed_by_person = seals.keeps_own_key(row["custodian"])
    mine = row["custodian"] == str(visit.actor) and not signed_by_person
    return {
        **plain_seal(visit, row),
        "structure": STRUCTURES.get(row["structure"], ""),
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
        "signed_by_person": signed_by_person,
        "can_use": mine and row["state"] == State.IN_USE,
        "can_be_asked": signed_by_person and row["state"] == State.IN_USE,
        "authorises": _authorises(visit, row) if mine else None,
        "chosen": chosen,
        "forms": [(name, visit.say(*words)) for name, words in FORM_NAMES.items()],
        "use_states": [(name, visit.say(*words)) for name, words in USE_STATES.items()],
        "total": seals.use_count(row["code"], wanted=wanted),
        "page": page,
        "size": PAGE,
        "uses": [
            {
                "at": use["at"],
                "by": use["by"],
                "purpose": use["purpose"],
                "form": visit.say(*FORM_NAMES.get(use["form"], (use["form"], use["form"]))),
                "automatic": use["automatic"],
                "count": use["count"],
                "state": visit.say(*USE_STATES[use["state"]]),
                "log_index": use["log_index"],
            }
            for use in seals.uses(row["code"], wanted=wanted, limit=PAGE, offset=(page - 1) * PAGE)
        ],
        "steps": [
            {"name": name, "title": visit.words(words), "second": name in SECOND}
            for name, words in STEPS.items()
            if name in {step.replace("-", "_") for step in row["possible"]}
        ],
        "given": {"ground": visit.form.text("ground")[:2000], "custodian": visit.form.text("custodian")[:200]},
        "transfers": row["state"] in {State.IN_USE, State.DISABLED},
        "address": f"/seals/{row['code']}?{urlencode(chosen)}&",
    }


@ROOM.page("/seals/{code}/picture", "seals-one.html", who=PEOPLE, json=False)
def picture(visit: Visit) -> Download:
    """The picture of a seal."""
    row = own_seal(visit)
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
    if step == "authorise":
        return _authorised(visit, code, ground)
    if step not in STEPS:
        raise NotFoundError
    seals.decide(code, Action(step), by=visit.actor, ground=ground, office=office)
    return Go(f"/seals/{code}", visit.say("已办理，印章状态已发布。", "Done; the register is published."))


# --- inside ---------------------------------------------------------------------------------------------------------


def _asking(visit: Visit) -> dict[str, Any]:
    names = ("sort", "name", "line", "custodian", "valid_from", "valid_until", "ground", "width", "height", "structure")
    given = {name: visit.form.text(name)[:500] for name in names}
    return {
        "sorts": [(one.value, visit.say(*SORT_NAMES[one])) for one in Sort],
        "structures": [(str(number), name) for number, name in STRUCTURES.items()],
        "given": given | {"width": given["width"] or "42", "height": given["height"] or "42"},
        "looked_at": "",
        "kept": "",
        "here_department": visit.person.department,
    }


def _png(visit: Visit) -> bytes:
    """The picture that was chosen now, or the one that was looked at before."""
    pictures, kept = visit.form.files.get("picture", ()), visit.form.text("kept")
    if pictures:
        if len(pictures[-1].data) > MAX_PICTURE_BYTES:
            raise FormInvalidError(where="Picture", where_zh="图像", why="at most 1 MB", why_zh="不超过 1 MB")
        return pictures[-1].data
    try:
        return base64.b64decode(kept, validate=True)
    except (binascii.Error, ValueError) as error:
        raise FormInvalidError(
            where="Picture", where_zh="图像", why="choose it again", why_zh="请重新选择文件"
        ) from error


def _order(visit: Visit, png: bytes, starts: datetime, ends: datetime, custodian: str) -> SealOrder:
    form = visit.form
    sort = form.need("sort", "印章类型", "Sort of seal", most=20)
    if sort not in set(Sort):
        raise FormInvalidError(where="Sort of seal", where_zh="印章类型", why="choose one", why_zh="请选择")
    return SealOrder(
        Sort(sort),
        form.need("name", "印章名称", "Name", most=200),
        visit.person.department,
        custodian,
        starts,
        ends,
        line=form.text("line")[:100],
        png=png,
        width_mm=_whole(visit, "width", "宽（毫米）", "Width in mm", 42),
        height_mm=_whole(visit, "height", "高（毫米）", "Height in mm", 42),
        structure=_whole(visit, "structure", "结构", "Structure", V5),
    )


def _whole(visit: Visit, name: str, zh: str, en: str, default: int) -> int:
    found = number(visit.form, name, zh, en)
    return default if found is None else found


def _authorises(visit: Visit, row: Mapping[str, Any]) -> dict[str, Any] | None:
    """What its keeper may let the hub use a licence-issuing seal for; None: nothing of the kind."""
    if row["sort"] != Sort.LICENCE or row["state"] != State.IN_USE:
        return None
    try:
        kinds = offices.licensing(visit.request).kinds.values()
    except NoKindsError:
        return None
    ticked = visit.form.texts("kind") or (row["automatic"] or {"kinds": ()})["kinds"]
    ends = visit.form.text("ends")[:10] or (row["automatic"] or {"until": ""})["until"][:10]
    own = [one for one in kinds if one.issuer == row["department"]]
    return {
        "kinds": [{"code": one.code, "name": _kind_name(visit, one.code), "ticked": one.code in ticked} for one in own],
        "ends": ends,
    }


def _authorised(visit: Visit, code: str, ground: str) -> Go:
    kinds = visit.form.texts("kind")
    until = _day(visit, "ends", "授权至", "Until", time(23, 59, 59)) if kinds else visit.now
    offices.seals(visit.request).authorise(code, kinds, until, by=visit.actor, ground=ground)
    said = visit.say("授权已更新。", "What the hub may use it for was changed.")
    return Go(f"/seals/{code}", said)


def _chosen(visit: Visit) -> dict[str, str]:
    return {name: visit.query(name) for name in ("by", "form", "use", "since", "until")}


def _wanted(visit: Visit) -> UseFilter:
    """The uses that the address asks for; a day that is none asks nothing."""
    chosen, until = _chosen(visit), _midnight(visit.query("until"))
    return UseFilter(
        by=chosen["by"],
        form=chosen["form"] if chosen["form"] in FORM_NAMES else "",
        state=chosen["use"] if chosen["use"] in USE_STATES else "",
        since=_midnight(chosen["since"]),
        until=None if until is None else until + timedelta(days=1),
    )


def _midnight(text: str) -> datetime | None:
    try:
        found = datetime.combine(date.fromisoformat(text), time.min, SHANGHAI).astimezone(UTC)
    except (ValueError, OverflowError):
        return None
    # The day after the last one of the calendar is none.
    return found if found.year < MAX_YEAR else None


def own_seal(visit: Visit) -> dict[str, Any]:
    """The seal of the address. Raises: RoleMissingError: it is another department's."""
    seal = offices.seals(visit.request).show(visit.path["code"][:80])
    if seal["department"] != visit.person.department and not visit.has(Duty.OFFICE):
        raise RoleMissingError(role=Duty.OFFICE.words[0])
    return seal


def plain_seal(visit: Visit, row: Mapping[str, Any]) -> dict[str, Any]:
    """What every page says of a seal."""
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
