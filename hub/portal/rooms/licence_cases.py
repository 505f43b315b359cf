"""Applications for licences and decisions on them: taken in, reviewed, approved by a second person, issued.

Each step is `hub.licensing.dossiers`'. What the city knows of a holder is shown to the issuing department alone, only
in answer to a form, masked where the list masks, and each look is on record.
"""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any, Final

from catalog.steps import NotYoursError
from hub.api import offices
from hub.casewords import CASE_STATES
from hub.errors import NotFoundError
from hub.licensing.dossiers import CHANNELS, Order
from hub.licensing.dossiers.content import DECISION, DOSSIER
from hub.licensing.dossiers.views import decision_plain, dossier_plain
from hub.people import Duty
from hub.portal import naming
from hub.portal.doors import Room
from hub.portal.errors import FormInvalidError
from hub.portal.rooms.home import SOON_DAYS
from hub.portal.rooms.licences import ACTIONS, OFFICERS
from hub.portal.visits import Go, Shown
from licence.lifecycle import Action

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from hub.cases import Case
    from hub.licensing.dossiers.prefill import Prefilled
    from hub.portal.visits import Visit

ROOM = Room()
PEOPLE: Final = frozenset({Duty.LICENCES, Duty.OFFICE})
PAGE: Final = 30
MAX_MATERIALS_CHARS: Final = 4_000
PURPOSES: Final = {"new": ("new", "新办"), "renew": ("renewal", "延续"), "change": ("change", "变更")}
TONES: Final = {
    "issued": "good",
    "done": "good",
    "refused": "bad",
    "void": "bad",
    "withdrawn": "calm",
    "dropped": "calm",
}
# The steps of an application: (English, Chinese), and whether a reason and a ground must be written.
STEPS: Final[Mapping[str, tuple[tuple[str, str], bool, bool]]] = {
    "review": (("Find it in order", "审查通过"), False, False),
    "approve": (("Approve", "批准"), False, False),
    "hand-out": (("Issue the licence", "签发"), False, False),
    "return": (("Return for completion", "退回补正"), True, False),
    "refuse": (("Refuse", "不予许可"), True, True),
    "withdraw": (("The applicant takes it back", "申请人撤回"), True, False),
    "complete": (("Take in what was completed", "补正后受理"), True, False),
}
_DONE: Final[Mapping[str, tuple[str, str]]] = {
    "apply": ("taken in", "受理"),
    "complete": ("taken in again", "补正后受理"),
    "return": ("returned for completion", "退回补正"),
    "review": ("reviewed", "审查通过"),
    "approve": ("approved", "批准"),
    "refuse": ("refused", "不予许可"),
    "withdraw": ("taken back", "申请撤回"),
    "begin_issue": ("issuing begun", "开始签发"),
    "issue": ("issued", "签发"),
    "issue_failed": ("could not be issued", "签发未成功"),
    "propose": ("put forward", "提出"),
    "confirm": ("confirmed", "确认"),
    "drop": ("given up", "放弃"),
    "take_effect": ("took effect", "生效"),
    "void": ("could not be carried out", "未能执行"),
}
SAME: Final[Mapping[str, tuple[str, str, str]]] = {
    "match": ("good", "agrees", "一致"),
    "mismatch": ("bad", "differs", "不一致"),
    "unknown": ("warn", "cannot be compared", "无法比对"),
}
_STATED: Final = "stated-"


# --- applications ---------------------------------------------------------------------------------------------------


@ROOM.page("/licences/cases", "licences-cases.html", who=PEOPLE)
def cases(visit: Visit) -> dict[str, Any]:
    """The applications of the department, the clock that ends first before the others; of all, for the hub's office."""
    dossiers, page = offices.dossiers(visit.request), visit.number("page", 1, least=1, most=10_000)
    state, waiting = visit.query("state"), visit.query("waiting", "1") == "1"
    state = state if state in CASE_STATES[DOSSIER] else ""
    total, rows = dossiers.find(
        department=_whose(visit),
        state=state or None,
        open_=True if waiting and not state else None,
        limit=PAGE,
        offset=(page - 1) * PAGE,
    )
    open_decisions, _ = dossiers.decisions(department=_whose(visit), open_=True, limit=1)
    return {
        "total": total,
        "page": page,
        "size": PAGE,
        "state": state,
        "only_waiting": waiting,
        "states": [(code, visit.words(words)) for code, words in CASE_STATES[DOSSIER].items()],
        "items": [_head(visit, dossier_plain(visit.office, dossiers, case, whole=False), DOSSIER) for case in rows],
        "decisions": open_decisions,
        "address": f"/licences/cases?waiting={int(waiting)}&state={state}&",
    }


@ROOM.page("/licences/apply", "licences-apply.html", who=OFFICERS)
def applying(visit: Visit) -> dict[str, Any]:
    """Ask for what an application needs: first the kind, then whom it is for and what is stated."""
    return _applying(visit)


def _applying(visit: Visit) -> dict[str, Any]:
    office = offices.licensing(visit.request)
    mine = [kind for kind in office.kinds.values() if kind.sourced and kind.issuer == visit.person.department]
    named = visit.form.text("kind") or visit.query("kind", most=100)
    kind = next((one for one in mine if one.code == named), None)
    form = visit.form
    return {
        "kinds": [(one.code, one.name if visit.lang == "zh" else one.name_en or one.name) for one in mine],
        "kind": kind.code if kind is not None else "",
        "kind_name": "" if kind is None else kind.name if visit.lang == "zh" else kind.name_en or kind.name,
        "face": [
            {
                "name": _STATED + face.name,
                "title": (face.title_en or face.title) if visit.lang == "en" else face.title,
                "value": form.text(_STATED + face.name)[:1000],
            }
            for face in (kind.face if kind is not None else ())
        ],
        "channels": [(code, visit.words(words)) for code, words in CHANNELS.items()],
        "matters": [("", visit.say("无", "none"))]
        + [(code, naming.matter(visit, code)) for code in (kind.matters if kind is not None else ())],
        "renews": kind is not None and kind.renewal is not None,
        "given": {
            **{
                name: form.text(name)[:2000]
                for name in ("holder", "reason", "ground", "matter", "materials", "channel")
            },
            # From the page of a licence that is to be changed.
            "predecessor": form.text("predecessor")[:200] or visit.query("predecessor"),
            "purpose": form.text("purpose")[:10] or ("change" if visit.query("predecessor") else ""),
        },
        "known": None,
    }


@ROOM.step("/licences/apply", again=applying, template="licences-apply.html", who=OFFICERS)
def apply(visit: Visit) -> Go | Shown:
    """Show what the city knows already, or take the application in."""
    order = _order(visit)
    dossiers = offices.dossiers(visit.request)
    if visit.form.text("act") == "look":
        known = dossiers.preview(order, actor=visit.actor)
        return Shown({**_applying(visit), "known": _known(visit, known)})
    handed = dossiers.apply(order, actor=visit.actor)
    return Go(f"/licences/cases/{handed.case.id}", visit.say("已受理。", "Taken in."))


@ROOM.page("/licences/cases/{id}", "licences-case.html", who=PEOPLE)
def case_page(visit: Visit) -> dict[str, Any]:
    """An application with its clock, its steps and its history; nothing of the holder."""
    return _case_page(visit)


def _case_page(visit: Visit) -> dict[str, Any]:
    dossiers = offices.dossiers(visit.request)
    found = _case(visit, DOSSIER)
    plain = dossier_plain(visit.office, dossiers, found)
    own = _acts(visit, found)
    kind = dossiers.counter.kind_of(plain["kind"])
    titles = {} if kind is None else {face.name: face for face in kind.face}

    def title(name: str) -> str:
        face = titles.get(name)
        return name if face is None else (face.title_en or face.title) if visit.lang == "en" else face.title

    return {
        **_head(visit, plain, DOSSIER),
        "purpose": visit.words(PURPOSES[plain["purpose"]]),
        "matter": naming.matter(visit, plain["matter"]) if plain["matter"] else "",
        "reason": plain["reason"],
        "ground": plain["ground"],
        "materials": plain["materials"],
        "channel": visit.words(CHANNELS.get(plain["channel"], (plain["channel"], plain["channel"]))),
        "predecessor": plain["predecessor"],
        "planned": plain["planned_zh"] if visit.lang == "zh" else plain["planned_en"],
        "planned_ok": plain["planned"] == "ok",
        "planned_field": plain["planned_field"],
        "differs": [title(name) for name in plain["differs"]],
        "return_until": plain["return_until"],
        "issuing": plain["issuing"],
        "history": [_past(visit, step, DOSSIER) for step in plain["history"]],
        "steps": _steps(visit, plain["possible"]) if own else [],
        "may_look": own and plain["open"],
        "known": None,
        "drawn": "",
        "given": {name: visit.form.text(name)[:2000] for name in ("reason", "ground")},
    }


@ROOM.step("/licences/cases/{id}/look", again=case_page, template="licences-case.html", who=OFFICERS)
def look(visit: Visit) -> Shown:
    """What the register says now, beside what was stated: a look that is on record."""
    known = offices.dossiers(visit.request).look(visit.path["id"][:100], actor=visit.actor)
    return Shown({**_case_page(visit), "known": _known(visit, known)})


@ROOM.step("/licences/cases/{id}/preview", again=case_page, template="licences-case.html", who=OFFICERS)
def preview(visit: Visit) -> Shown:
    """The document as it would be issued now, as a picture in the page that nobody keeps: a look that is on record."""
    sheet = offices.dossiers(visit.request).draft(visit.path["id"][:100], actor=visit.actor)
    picture = offices.papers(visit.request).documents.preview(sheet)
    return Shown({**_case_page(visit), "drawn": base64.b64encode(picture).decode()})


@ROOM.step("/licences/cases/{id}/{step}", again=case_page, template="licences-case.html", who=OFFICERS)
def act(visit: Visit) -> Go:
    """Take a step of an application."""
    id_, name, dossiers = visit.path["id"][:100], visit.path["step"], offices.dossiers(visit.request)
    if name not in STEPS:
        raise NotFoundError
    _, needs_reason, needs_ground = STEPS[name]
    words = _words(visit, reason=needs_reason, ground=needs_ground)
    revision = _revision(visit)
    if name == "complete":
        materials = _materials(visit)
        dossiers.complete(id_, actor=visit.actor, reason=words["reason"], materials=materials, revision=revision)
    else:
        takes: Mapping[str, Callable[..., Case]] = {
            "review": dossiers.review,
            "approve": dossiers.approve,
            "hand-out": dossiers.hand_out,
            "return": dossiers.ask,
            "refuse": dossiers.refuse,
            "withdraw": dossiers.withdraw,
        }
        case = takes[name](id_, actor=visit.actor, **words, revision=revision)
        licence = dossier_plain(visit.office, dossiers, case, whole=False)["licence"]
        if licence:
            return Go(f"/licences/{licence}/receipt", visit.say("已签发。", "Issued."))
    return Go(f"/licences/cases/{id_}", visit.say("已办理。", "Done."))


# --- decisions ------------------------------------------------------------------------------------------------------


@ROOM.page("/licences/decisions", "licences-decisions.html", who=PEOPLE)
def decisions(visit: Visit) -> dict[str, Any]:
    """The decisions on licences of the department, the newest first; of all, for the hub's office."""
    dossiers, page = offices.dossiers(visit.request), visit.number("page", 1, least=1, most=10_000)
    waiting = visit.query("waiting", "1") == "1"
    total, rows = dossiers.decisions(
        department=_whose(visit), open_=True if waiting else None, limit=PAGE, offset=(page - 1) * PAGE
    )
    return {
        "total": total,
        "page": page,
        "size": PAGE,
        "only_waiting": waiting,
        "items": [_decision(visit, decision_plain(visit.office, dossiers, case, whole=False)) for case in rows],
        "address": f"/licences/decisions?waiting={int(waiting)}&",
    }


@ROOM.page("/licences/decisions/{id}", "licences-decision.html", who=PEOPLE)
def decision_page(visit: Visit) -> dict[str, Any]:
    """A decision with its words, its history, and who relied on the licence."""
    found = _case(visit, DECISION)
    plain = decision_plain(visit.office, offices.dossiers(visit.request), found)
    return {
        **_decision(visit, plain),
        "reason": plain["reason"],
        "ground": plain["ground"],
        "why": plain["why"],
        "relied": [
            {"department": naming.department(visit, item["department"]), "count": item["in_force"]}
            for item in plain["relied_on"]["copies"]
        ],
        "relied_total": plain["relied_on"]["copies_in_force"],
        "history": [_past(visit, step, DECISION) for step in plain["history"]],
        "possible": plain["possible"] if _acts(visit, found) else [],
        # Said before it is refused: who put it forward does not confirm it.
        "first_here": plain["first"] == visit.person.post,
        "given": {"reason": visit.form.text("reason")[:2000]},
    }


@ROOM.step("/licences/decisions/{id}/confirm", again=decision_page, template="licences-decision.html", who=OFFICERS)
def confirm(visit: Visit) -> Go:
    """Agree as a second officer, and carry it out."""
    id_ = visit.path["id"][:100]
    offices.dossiers(visit.request).confirm(id_, actor=visit.actor, revision=_revision(visit))
    return Go(
        f"/licences/decisions/{id_}",
        visit.say("已生效，状态列表已发布。", "It took effect; the status list is published."),
    )


@ROOM.step("/licences/decisions/{id}/drop", again=decision_page, template="licences-decision.html", who=OFFICERS)
def drop(visit: Visit) -> Go:
    """Give a decision up that was not confirmed."""
    id_, reason = visit.path["id"][:100], visit.form.need("reason", "理由", "Reason")
    offices.dossiers(visit.request).drop(id_, actor=visit.actor, reason=reason, revision=_revision(visit))
    return Go(f"/licences/decisions/{id_}", visit.say("已放弃。", "Given up."))


# --- inside ---------------------------------------------------------------------------------------------------------


def _whose(visit: Visit) -> str | None:
    return None if visit.has(Duty.OFFICE) else visit.person.department


def _case(visit: Visit, kind: str) -> Case:
    """The case of the address, if it concerns the visitor: of the own department, or any for the hub's office."""
    found = visit.office.cases.get(visit.path["id"][:100], kind)
    if found.opener != visit.person.department and not visit.has(Duty.OFFICE):
        raise NotYoursError(actor=str(visit.actor), needed=found.opener)
    return found


def _acts(visit: Visit, case: Case) -> bool:
    return visit.has(Duty.LICENCES) and case.opener == visit.person.department


def _steps(visit: Visit, possible: list[str]) -> list[dict[str, Any]]:
    return [
        {"name": name, "title": visit.words(words), "reason": reason, "ground": ground}
        for name, (words, reason, ground) in STEPS.items()
        if name in possible
    ]


def _words(visit: Visit, *, reason: bool, ground: bool) -> dict[str, str]:
    form = visit.form
    return {
        "reason": form.need("reason", "意见或理由", "Opinion or reason") if reason else form.text("reason")[:2000],
        "ground": form.need("ground", "法律依据", "Legal ground") if ground else form.text("ground")[:2000],
    }


def _revision(visit: Visit) -> int | None:
    """Which version of the case the form was of; a case that moved on since is not acted on unseen."""
    text = visit.form.text("revision")
    return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else None  # noqa: PLR2004 - of 32 bits


def _materials(visit: Visit) -> tuple[str, ...]:
    text = visit.form.text("materials")
    if len(text) > MAX_MATERIALS_CHARS:
        raise FormInvalidError(
            where="E-materials", where_zh="电子材料", why="fewer at once, please", why_zh="一次填写过多"
        )
    return tuple(dict.fromkeys(text.replace("，", " ").replace(",", " ").split()))


def _order(visit: Visit) -> Order:
    form = visit.form
    predecessor = form.text("predecessor")[:200]
    stated = {
        name.removeprefix(_STATED): form.text(name)
        for name in form.fields
        if name.startswith(_STATED) and form.text(name)
    }
    return Order(
        kind=form.need("kind", "证照类型", "Kind", most=100),
        holder=form.text("holder") if predecessor else form.need("holder", "持证主体代码", "Holder's code", most=64),
        reason=form.need("reason", "事由", "Reason"),
        ground=form.need("ground", "法律依据", "Legal ground"),
        stated=stated,
        matter=form.text("matter")[:100],
        materials=_materials(visit),
        channel=form.text("channel") or "window",
        predecessor=predecessor,
        change=form.text("purpose") == "change",
    )


def _known(visit: Visit, known: Prefilled) -> dict[str, Any]:
    plain = known.plain()
    kind = offices.dossiers(visit.request).counter.kind_of(known.kind)
    # A code is shown as the licence will say it.
    said = {face.name: dict(face.codes) for face in (kind.face if kind is not None else ())}
    lines = []
    for line in plain["face"]:
        tone, en, zh = SAME.get(line["same"], ("calm", "not stated", "未填写"))
        lines.append(
            {
                "field": line["field"],
                "title": (line["title_en"] or line["title"]) if visit.lang == "en" else line["title"],
                "known": said.get(line["field"], {}).get(line["known"], line["known"]),
                "tone": tone,
                "same": visit.say(zh, en),
                "differs": line["same"] == "mismatch",
            }
        )
    return {
        "outcome": plain["outcome_zh"] if visit.lang == "zh" else plain["outcome_en"],
        "possible": plain["outcome"] == "ok",
        "lines": lines,
        "changes": [
            {
                "title": (one.title_en or one.title) if visit.lang == "en" else one.title,
                "before": said.get(one.field, {}).get(one.before, one.before),
                "after": said.get(one.field, {}).get(one.after, one.after),
                "differs": one.differs,
            }
            for one in known.changes
        ],
    }


def _head(visit: Visit, plain: Mapping[str, Any], kind: str) -> dict[str, Any]:
    clock = plain["clock"]
    left = None if clock is None else clock["left"]
    if left is None:
        tone, told = "calm", visit.say("无时限", "no clock")
    elif left < 0:
        tone, told = "bad", visit.say(f"已超期 {-left} 个工作日", f"{-left} working days late")
    else:
        tone = "warn" if left <= SOON_DAYS else "good"
        told = visit.say(f"剩 {left} 个工作日", f"{left} working days left")
    return {
        "id": plain["id"],
        "state": plain["state"],
        "state_name": visit.words(CASE_STATES[kind][plain["state"]]),
        "state_tone": TONES.get(plain["state"], "warn"),
        "open": plain["open"],
        "revision": plain["revision"],
        "issuer": plain["issuer"],
        "issuer_name": naming.department(visit, plain["issuer"]),
        "kind": plain["kind"],
        "kind_name": (plain["kind_name"] if visit.lang == "zh" else plain["kind_name_en"] or plain["kind_name"])
        or plain["kind"],
        "persons": plain["persons"],
        "licence": plain["licence"],
        "opened_at": plain["opened_at"],
        "updated_at": plain["updated_at"],
        "clock": told,
        "clock_tone": tone,
        "due": None if clock is None else clock["due"],
    }


def _decision(visit: Visit, plain: Mapping[str, Any]) -> dict[str, Any]:
    return {
        **_head(visit, plain, DECISION),
        "action": plain["action"],
        "action_name": visit.words(ACTIONS[Action(plain["action"])]),
        "first": plain["first"],
        "second": plain["second"],
    }


def _past(visit: Visit, step: Mapping[str, Any], kind: str) -> dict[str, Any]:
    words = _DONE.get(step["step"], (step["step"], step["step"]))
    return {
        "at": step["at"],
        "actor": step["actor"],
        "step": visit.words(words),
        "state": visit.words(CASE_STATES[kind][step["state"]]) if step["state"] in CASE_STATES[kind] else step["state"],
        "note": step["note"],
        "log_index": step["log_index"],
    }
