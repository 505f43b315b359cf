"""Licences: the catalogue of kinds with their stock, finding one, and what becomes of it.

Who may know what is said by the use cases of `hub.licensing`; a holder's code stands in forms alone, never in an
address. Applications and decisions are `hub.portal.rooms.licence_cases`'s.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote, urlencode

from catalog.steps import NotYoursError
from hub.api import offices
from hub.licensing.dossiers.relying import USES
from hub.licensing.errors import LicencePendingError, NoKindsError
from hub.licensing.lookups import PENDING
from hub.licensing.queries import licences_of
from hub.licensing.reconcile import FINDINGS
from hub.licensing.runs import MARK as RUN_MARK
from hub.licensing.stock import Stock, stock
from hub.people import Duty
from hub.portal import naming, remedies
from hub.portal.doors import Room
from hub.portal.errors import FormInvalidError
from hub.portal.visits import Go, Shown
from hub.portal.words import counted
from licence.errors import IdentifierError
from licence.identifiers import LicenceIdentifier
from licence.lifecycle import Action, State
from licence.lifecycle.states import TRANSITIONS
from licence.model import HOLDER_TYPES, FieldType

if TYPE_CHECKING:
    from collections.abc import Mapping

    from hub.licensing import Licensing
    from hub.portal.visits import Visit
    from licence.model import LicenceKind

ROOM = Room()
PEOPLE: Final = frozenset({Duty.LICENCES, Duty.OFFICE, Duty.WINDOW})
OFFICERS: Final = frozenset({Duty.LICENCES})
FINDERS: Final = frozenset({Duty.LICENCES, Duty.WINDOW})
PAGE: Final = 50
# Differences told at once; the command line tells all of them.
DIFFERENCES: Final = 50
# What cannot be taken back is confirmed by typing so many of the last digits of the number.
TYPED: Final = 6
DECIDED: Final = (Action.SUSPEND, Action.RESUME, Action.TRANSFER, Action.REVOKE, Action.CANCEL, Action.WITHDRAW)
TONES: Final[Mapping[str, str]] = {
    State.VALID.value: "good",
    State.SUSPENDED.value: "warn",
    PENDING: "calm",
    State.TRANSFERRED.value: "calm",
    State.LAPSED.value: "calm",
}
ACTIONS: Final[Mapping[Action, tuple[str, str]]] = {
    Action.SUSPEND: ("Suspend", "暂扣"),
    Action.RESUME: ("Resume", "恢复"),
    Action.TRANSFER: ("Transfer out", "转出"),
    Action.REVOKE: ("Revoke", "撤销"),
    Action.CANCEL: ("Cancel", "注销"),
    Action.WITHDRAW: ("Withdraw as a penalty", "吊销"),
}
# As the history of a licence has them; what made it is told there, too.
_HISTORY: Final[Mapping[str, tuple[str, str]]] = {
    "issue": ("issued", "签发"),
    "renew": ("renewed", "延续"),
    "change": ("changed", "变更"),
    **{action.value: (action.en, action.zh) for action in Action},
}
CATEGORIES: Final = {"证照": "licence", "批文": "approval", "证明": "certificate", "材料": "material"}
_HOLDERS_EN: Final = {
    "001": "unified social credit code",
    "099": "other document of an organisation",
    "111": "citizen identity number",
    "411": "diplomatic passport",
    "412": "service passport",
    "413": "passport for public affairs",
    "414": "passport",
    "511": "mainland travel permit for Taiwan residents",
    "516": "mainland travel permit for Hong Kong and Macao residents",
    "999": "other document of a person",
}


@ROOM.page("/licences", "licences.html", who=PEOPLE)
def catalogue(visit: Visit) -> dict[str, Any]:
    """The kinds of licence of the city, with what was issued of each."""
    try:
        office = offices.licensing(visit.request)
    except NoKindsError as error:
        return {
            "query": "",
            "total": 0,
            "page": 1,
            "size": PAGE,
            "address": "",
            "items": [],
            "missing": remedies.said(error, visit.lang),
            "stock": _stock(visit, Stock({})),
            "mine": False,
        }
    query, mine = visit.query("q").strip(), visit.query("mine") == "1"
    counts = stock(visit.service.control, visit.now)
    kinds = sorted(office.kinds.values(), key=lambda kind: kind.code)
    shown = [kind for kind in kinds if _fits(kind, query) and (not mine or kind.issuer == visit.person.department)]
    whole: dict[str, int] = {}
    for one in counts.values():
        for state, count in one.states.items():
            whole[state] = whole.get(state, 0) + count
    page = visit.number("page", 1, least=1, most=10_000)
    return {
        "query": query,
        "mine": mine,
        "total": len(shown),
        "page": page,
        "size": PAGE,
        "address": f"/licences?{urlencode({'q': query, 'mine': int(mine)})}&",
        "missing": "",
        "stock": _stock(visit, Stock(whole, sum(one.over for one in counts.values()))),
        "items": [_kind(visit, kind, counts.get(kind.code, Stock({}))) for kind in shown[(page - 1) * PAGE :][:PAGE]],
    }


@ROOM.page("/licences/kinds/{code}", "licences-kind.html", who=PEOPLE)
def kind_page(visit: Visit) -> dict[str, Any]:
    """A kind: whose it is, what stands on it, what was issued; to its issuer and the hub's office, which ones."""
    return _kind_page(visit)


def _kind_page(visit: Visit) -> dict[str, Any]:
    office = offices.licensing(visit.request)
    kind = office.kind(visit.path["code"][:100])
    found = stock(visit.service.control, visit.now).get(kind.code, Stock({}))
    state = visit.query("state")
    state = state if state in set(State) else ""
    own = sees(visit, kind)
    rows = office.find(kind=kind.code, state=state, after=visit.query("after"), limit=PAGE + 1) if own else []
    return {
        **_kind(visit, kind, found),
        "authority": kind.authority,
        "authority_level": kind.authority_level.value if visit.lang == "zh" else kind.authority_level.name.lower(),
        "holder": _holder_type(visit, kind.holder_type),
        "template": kind.template or "–",
        "approvals": kind.approvals,
        "renewal": kind.renewal.opens_days if kind.renewal is not None else None,
        "matters": [naming.matter(visit, code) for code in kind.matters],
        "face": [
            {
                "name": face.name,
                "title": (face.title_en or face.title) if visit.lang == "en" else face.title,
                "required": face.required,
                "type": _face_type(visit, face.type),
                "field": face.field,
            }
            for face in kind.face
        ],
        "own": own,
        "can_act": visit.has(Duty.LICENCES) and kind.issuer == visit.person.department,
        "state": state,
        "states": [(one.value, state_name(visit, one.value)) for one in State if found.states.get(one.value)],
        "licences": [_row(visit, row) for row in rows[:PAGE]],
        "next": rows[PAGE - 1]["identifier"] if len(rows) > PAGE else "",
        "compared": None,
    }


@ROOM.step("/licences/kinds/{code}/compare", again=kind_page, template="licences-kind.html", who=OFFICERS)
def compare(visit: Visit) -> Shown:
    """Compare what was made with who is eligible by the register; the reading is recorded."""
    office = offices.licensing(visit.request)
    kind = office.kind(visit.path["code"][:100])
    _need_issuer(visit, kind)
    done = office.reconcile(kind, by=str(visit.actor))
    plain = {
        "records": done.records,
        "licences": done.licences,
        "residual": done.residual,
        "entry": done.log_index,
        "snapshot": str(done.snapshot),
        "counts": [[visit.words(FINDINGS[finding]), count] for finding, count in done.counts.items() if count],
        "differences": [
            {
                "finding": visit.words(FINDINGS[one.finding]),
                "row": one.row,
                "licence": one.licence,
                "fields": list(one.fields),
            }
            for one in done.differences[:DIFFERENCES]
        ],
        "untold": max(0, done.residual - DIFFERENCES),
    }
    return Shown({**_kind_page(visit), "compared": plain})


@ROOM.page("/licences/find", "licences-find.html", who=PEOPLE)
def asked(visit: Visit) -> dict[str, Any]:
    """Ask for a licence by its identifier, or for those of a holder."""
    return _asked(visit)


def _asked(visit: Visit) -> dict[str, Any]:
    types = [("", visit.say("任一类型", "any type"))]
    types += [(code, _holder_type(visit, code)) for code in HOLDER_TYPES]
    return {
        "identifier": visit.form.text("number")[:200],
        "holder": visit.form.text("holder")[:64],
        "purpose": visit.form.text("purpose")[:100],
        "holder_type": visit.form.text("holder_type")[:3],
        "matters": matters(visit),
        "types": types,
        "may_search": visit.has(*FINDERS),
        "found": None,
        "entry": None,
    }


@ROOM.step("/licences/number", again=asked, template="licences-find.html", who=PEOPLE)
def by_number(visit: Visit) -> Go:
    """Go to the licence with an identifier."""
    number = visit.form.need("number", "证照标识", "Identifier", most=200)
    offices.licensing(visit.request).show(number)
    return Go(f"/licences/{quote(number, safe='.')}")


@ROOM.step("/licences/find", again=asked, template="licences-find.html", who=FINDERS)
def by_holder(visit: Visit) -> Shown:
    """The licences of a holder, of the kinds that the department may know of for a matter; the search is on record."""
    holder = visit.form.need("holder", "持证主体代码", "Holder's code", most=64)
    purpose = visit.form.need("purpose", "事项", "Matter", most=100)
    found = licences_of(
        offices.licensing(visit.request),
        holder,
        purpose,
        by=visit.actor,
        holder_type=visit.form.text("holder_type")[:3],
    )
    return Shown({**_asked(visit), "found": [_row(visit, row) for row in found.rows], "entry": found.log_index})


@ROOM.page("/licences/{identifier}", "licences-one.html", who=PEOPLE)
def one(visit: Visit) -> dict[str, Any]:
    """How a licence stands; to its issuer and the hub's office, why, and who relied on it."""
    return _one(visit)


def _one(visit: Visit) -> dict[str, Any]:
    office = offices.licensing(visit.request)
    row = office.show(visit.path["identifier"][:200])
    if row["state"] == PENDING:
        raise LicencePendingError(identifier=row["identifier"])
    kind = office.kinds.get(row["kind"])
    own = kind is not None and sees(visit, kind)
    dossiers = offices.dossiers(visit.request)
    relied: dict[str, Any] = {"copies": [], "copies_in_force": 0}
    if own:
        relied = dossiers.relied_on(row["identifier"]).plain()
    total, waiting = dossiers.decisions(licence=row["identifier"], open_=True, limit=PAGE) if own else (0, ())
    possible = _possible(visit, kind, row) if own and kind is not None else []
    return {
        **_row(visit, row),
        "over": row["valid_until"] is not None and row["valid_until"] <= visit.now,
        "kind_name": named(visit, kind) if kind is not None else row["kind"],
        "issuer_name": naming.department(visit, kind.issuer) if kind is not None else "",
        "resource": row["resource"],
        "log_index": row["log_index"],
        "predecessor": row["predecessor"],
        "dossier": row["dossier"] if own else "",
        "batch": is_batch(row["dossier"]),
        "own": own,
        "two": kind is not None and kind.approvals > 1,
        "history": [_change(visit, change) for change in row["history"]] if own else [],
        "relied": [
            {"department": naming.department(visit, item["department"]), "count": item["in_force"]}
            for item in relied["copies"]
        ],
        "relied_total": relied["copies_in_force"],
        "used": None,
        "may_ask": visit.has(Duty.LICENCES) and kind is not None and kind.issuer == visit.person.department,
        "unfinished": [case.id for case in waiting],
        "actions": possible if not total else [],
        "typed": _typed(row["identifier"]),
        "given": {name: visit.form.text(name)[:2000] for name in ("action", "reason", "ground")},
        "may_copy": visit.has(*FINDERS),
        "changes_to": kind is not None and own and row["state"] == State.VALID.value and bool(possible),
    }


@ROOM.step("/licences/{identifier}/used", again=one, template="licences-one.html", who=OFFICERS)
def used(visit: Visit) -> Shown:
    """Who did something with the licence lately, by the log, before it is decided on; the question is on record."""
    found = offices.dossiers(visit.request).used_lately(visit.path["identifier"][:200], actor=visit.actor)
    uses = [
        {
            "department": naming.department(visit, use.department),
            "what": visit.words(USES[use.what]),
            "count": use.count,
            "last": use.last.isoformat(),
            "matters": [naming.matter(visit, code) for code in use.matters],
        }
        for use in found
    ]
    return Shown({**_one(visit), "used": uses})


@ROOM.step("/licences/{identifier}/decide", again=one, template="licences-one.html", who=OFFICERS)
def decide(visit: Visit) -> Go:
    """Put a decision on a licence forward; where one person decides it takes effect at once."""
    identifier = visit.path["identifier"][:200]
    action = visit.form.need("action", "处理方式", "What to do", most=20)
    reason = visit.form.need("reason", "事由", "Reason")
    ground = visit.form.need("ground", "法律依据", "Legal ground")
    if action not in {Action.SUSPEND, Action.RESUME} and visit.form.text("typed") != _typed(identifier):
        raise FormInvalidError(
            where="End of the number",
            where_zh="编号末位",
            why=f"this cannot be undone; type the last {TYPED} characters of the licence's number to confirm",
            why_zh=f"此操作不可撤回，请输入证照编号最后 {TYPED} 位以确认",
        )
    case = offices.dossiers(visit.request).propose(identifier, action, actor=visit.actor, reason=reason, ground=ground)
    said = visit.say("已提出，待第二人确认。", "Put forward; a second officer confirms it.")
    if not case.open:
        said = visit.say("已生效，状态列表已发布。", "It took effect; the status list is published.")
        return Go(f"/licences/{identifier}", said)
    return Go(f"/licences/decisions/{case.id}", said)


# --- inside ---------------------------------------------------------------------------------------------------------


def sees(visit: Visit, kind: LicenceKind) -> bool:
    """Whether more than the state may be known: by the issuer's licence officers, and by the hub's office."""
    if visit.has(Duty.OFFICE):
        return True
    return visit.has(Duty.LICENCES) and kind.issuer == visit.person.department


def is_batch(decided_by: str) -> bool:
    """Whether what a licence was decided by is the run of a batch, and no case."""
    return decided_by.startswith(RUN_MARK)


def _need_issuer(visit: Visit, kind: LicenceKind) -> None:
    if visit.person.department != kind.issuer:
        raise NotYoursError(actor=str(visit.actor), needed=kind.issuer)


def _possible(visit: Visit, kind: LicenceKind, row: Mapping[str, Any]) -> list[tuple[str, str]]:
    if not visit.has(Duty.LICENCES) or kind.issuer != visit.person.department or row["state"] not in set(State):
        return []
    paths = TRANSITIONS.get(State(row["state"]), {})
    return [(action.value, visit.words(ACTIONS[action])) for action in DECIDED if action in paths]


def _typed(identifier: str) -> str:
    """What is typed to confirm: the end of the number, by which licences of one kind differ."""
    try:
        return LicenceIdentifier.parse(identifier).serial[-TYPED:]
    except IdentifierError:
        return identifier[-TYPED:]


def matters(visit: Visit) -> list[tuple[str, str]]:
    """The matters of the list, for a form to offer."""
    # Of hundreds, so that the list is asked for once: whether it is still in force is a question to the database.
    zh, listed = visit.lang == "zh", visit.list_.matters
    offered = [(one.code, f"{one.name if zh else one.name_en or one.name} ({one.code})") for one in listed]
    return [("", visit.say("请选择事项", "choose a matter")), *offered]


def _fits(kind: LicenceKind, query: str) -> bool:
    text = f"{kind.code} {kind.name} {kind.name_en} {kind.authority} {kind.issuer}".casefold()
    return all(word in text for word in query.casefold().split())


def named(visit: Visit, kind: LicenceKind) -> str:
    """What a kind is called."""
    return kind.name if visit.lang == "zh" else kind.name_en or kind.name


def _kind(visit: Visit, kind: LicenceKind, found: Stock) -> dict[str, Any]:
    return {
        "code": kind.code,
        "name": named(visit, kind),
        "other_name": kind.name_en if visit.lang == "zh" else kind.name,
        "category": kind.category.value if visit.lang == "zh" else CATEGORIES.get(kind.category.value, ""),
        "issuer": kind.issuer,
        "issuer_name": naming.department(visit, kind.issuer) if kind.sourced else "",
        "resource": kind.resource,
        "resource_name": naming.resource(visit, kind.resource) if kind.sourced else "",
        "validity": _validity(visit, kind),
        "seal": kind.seal,
        "sourced": kind.sourced,
        "stock": _stock(visit, found),
    }


def _stock(visit: Visit, found: Stock) -> dict[str, Any]:
    return {
        "issued": found.issued,
        "in_force": found.in_force,
        "over": found.over,
        "states": [
            {"state": state, "name": state_name(visit, state), "count": count, "tone": TONES.get(state, "bad")}
            for state, count in sorted(found.states.items())
        ],
    }


def _validity(visit: Visit, kind: LicenceKind) -> str:
    if kind.validity_days is not None:
        return visit.say(f"{kind.validity_days} 天", counted("%s [day|days]", kind.validity_days))
    if kind.validity_years is not None:
        return visit.say(f"{kind.validity_years} 年", counted("%s [year|years]", kind.validity_years))
    if kind.validity_until is not None:
        return visit.say(f"至 {kind.validity_until}", f"until {kind.validity_until}")
    if kind.validity_field:
        return visit.say("以记录所载日期为准", "until the day that the record names")
    return visit.say("长期", "no end")


def state_name(visit: Visit, state: str) -> str:
    """What a state of a licence is called."""
    if state == PENDING:
        return visit.say("签发中", "being issued")
    return getattr(State(state), visit.lang) if state in set(State) else state


def _face_type(visit: Visit, kind: FieldType) -> str:
    zh = {"text": "文本", "date": "日期", "integer": "整数", "decimal": "小数", "code": "代码"}
    return visit.say(zh[kind.value], kind.value)


def _holder_type(visit: Visit, code: str) -> str:
    return visit.say(HOLDER_TYPES.get(code, code), _HOLDERS_EN.get(code, code))


def _row(visit: Visit, row: Mapping[str, Any]) -> dict[str, Any]:
    kind = _kinds(visit).get(row["kind"])
    return {
        "identifier": row["identifier"],
        "kind": row["kind"],
        "kind_name": named(visit, kind) if kind is not None else row["kind"],
        "state": row["state"],
        "state_name": state_name(visit, row["state"]),
        "tone": TONES.get(row["state"], "bad"),
        "issued_at": row["issued_at"].isoformat(),
        "valid_until": row["valid_until"].isoformat() if row["valid_until"] else None,
    }


def _kinds(visit: Visit) -> Mapping[str, LicenceKind]:
    office: Licensing = offices.licensing(visit.request)
    return office.kinds


def _change(visit: Visit, change: Mapping[str, Any]) -> dict[str, Any]:
    words = _HISTORY.get(change["action"], (change["action"], change["action"]))
    return {
        "at": change["at"],
        "action": visit.words(words),
        "state": state_name(visit, change["state"]),
        "tone": TONES.get(change["state"], "bad"),
        "by": change["by"],
        "officer": change.get("officer", ""),
        "second": change.get("second", ""),
        "reason": change["reason"],
        "ground": change["ground"],
    }
