"""The client systems of departments: what they prove themselves by, how they were used, and the way to a first call.

A department sees its own. Giving and taking is the hub office's, as on the command line; the steps are `hub.clients`'.
A key that is made here is told on the page that answers, and nowhere else.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlencode

from audit.errors import KeyTextError
from catalog.steps import NotYoursError
from hub import client_records as records
from hub import clients, grants
from hub.callerusage import DAYS
from hub.clients import MAX_OVERLAP, OVERLAP, Rotation, Term
from hub.credentials import BEARER, CERTIFICATE, ENVIRONMENTS, HMAC, KEY
from hub.people import Duty
from hub.portal import naming, samples, sendings, terms
from hub.portal.doors import SYSTEMS, Room
from hub.portal.errors import FormInvalidError
from hub.portal.rooms.requests import ALL
from hub.portal.sheets import sheet
from hub.portal.visits import Go, Shown
from hub.signing.keyfiles import read_public
from hub.usage import count

if TYPE_CHECKING:
    from collections.abc import Mapping

    from hub.client_records import ClientRecord, CredentialRecord
    from hub.portal.visits import Visit

ROOM = Room()
OFFICE: Final = frozenset({Duty.OFFICE})
SIZE: Final = 20
GRANTS: Final = 50
MAX_DAYS: Final = 3_650
# A credential that ends so soon is to be rotated.
SOON: Final = timedelta(days=30)
STATES: Final[Mapping[str, tuple[str, str, str]]] = {
    records.IN_FORCE: ("good", "有效", "in force"),
    records.WAITING: ("calm", "未生效", "not yet"),
    records.EXPIRED: ("calm", "已过期", "expired"),
    records.REVOKED: ("bad", "已吊销", "revoked"),
}
KINDS: Final[Mapping[str, tuple[str, str]]] = {
    KEY: ("公钥（签名）", "public key (signatures)"),
    CERTIFICATE: ("客户端证书", "client certificate"),
    BEARER: ("调用密钥", "caller key"),
    HMAC: ("网关共享密钥", "gateway's shared key"),
}
PLACES: Final[Mapping[str, tuple[str, str]]] = {"production": ("生产", "production"), "sandbox": ("沙箱", "sandbox")}


SHEET: Final = sheet(
    "items",
    ("id", "系统编号", "System"),
    ("name", "名称", "Name"),
    ("department_name", "部门", "Department"),
    ("environment", "环境", "Environment"),
    ("light.word", "状态", "State"),
    ("in_force", "有效凭据", "Credentials in force"),
    ("last_used", "最近使用", "Last used"),
    ("today", "今日调用", "Calls today"),
    ("calls", "近 28 天调用", "Calls in 28 days"),
)

# --- pages ----------------------------------------------------------------------------------------------------------


@ROOM.page("/systems", "systems.html", who=SYSTEMS, csv=(SHEET,))
def listed(visit: Visit) -> dict[str, Any]:
    """The systems of the visitor's department; those who oversee see everybody's."""
    everybody = visit.has(*ALL)
    department = (visit.query("department") or None) if everybody else visit.person.department
    found = records.find(visit.office.control, department=department)
    ended = visit.query("ended") == "1"
    wanted = [one for one in found if (one.ended_at is not None) == ended]
    page = visit.number("page", 1, least=1, most=10_000)
    left = visit.service.callers.read_on(visit.now)
    return {
        "items": [_item(visit, one) for one in wanted[(page - 1) * SIZE : page * SIZE]],
        "total": len(wanted),
        "page": page,
        "size": SIZE,
        "ended": ended,
        "everybody": everybody,
        "department": department or "",
        "departments": _departments(visit) if everybody else [],
        "may_register": visit.has(Duty.OFFICE),
        "uncounted": left,
        "address": f"/systems?{urlencode({'department': department or '', 'ended': int(ended)})}&",
    }


@ROOM.page("/systems/new", "systems-new.html", who=OFFICE, json=False)
def asked(visit: Visit) -> dict[str, Any]:
    """Ask which system is to be registered."""
    return {
        "departments": _departments(visit),
        "environments": [[one, visit.say(*PLACES[one])] for one in ENVIRONMENTS],
    }


@ROOM.page("/systems/{id}", "system.html", who=SYSTEMS)
def system(visit: Visit) -> dict[str, Any]:
    """One system: its credentials, its calls by day, what is left of its department's quotas."""
    record = _seen(visit)
    office, now = visit.office, visit.now
    credentials = records.credentials(office.control, record.id)
    left = visit.service.callers.read_on(now)
    count(office.control, office.evidence.log)
    held = grants.find(office, consumer=record.department, ended=False, limit=GRANTS)
    return {
        **_item(visit, record),
        "contact": record.contact,
        "caller": record.caller,
        "roles": list(record.roles),
        "signed_only": record.signed_only,
        "created": record.created.isoformat(),
        "ended_at": record.ended_at.isoformat() if record.ended_at else None,
        "credentials": [_credential(visit, one) for one in credentials],
        "days": visit.service.callers.by_day(record.caller, now),
        "uncounted": left,
        "quotas": [_quota(visit, one) for one in held if one.state(now) == grants.IN_FORCE],
        "may_change": visit.has(Duty.OFFICE) and record.ended_at is None,
        "kinds": [[kind, visit.say(*words)] for kind, words in KINDS.items()],
        "replaceable": [[one.id, _called(visit, one)] for one in credentials if one.state(now) == records.IN_FORCE],
        "overlap": OVERLAP.days,
        "most_overlap": MAX_OVERLAP.days,
        "key_lines": samples.keys(record.id),
        "answer_key": visit.service.signer.verifier.to_text(),
        "step": visit.path.get("step", ""),
    }


def _seen(visit: Visit) -> ClientRecord:
    """The system of the address, for its department and those who oversee.

    Raises:
        ClientUnknownError: there is none.
        NotYoursError: it is another department's.
    """
    record = records.get(visit.office.control, visit.path["id"])
    if record.department != visit.person.department and not visit.has(*ALL):
        raise NotYoursError(actor=str(visit.actor), needed=record.department)
    return record


def _item(visit: Visit, record: ClientRecord) -> dict[str, Any]:
    now = visit.now
    credentials = records.credentials(visit.office.control, record.id)
    holding = [one for one in credentials if one.state(now) == records.IN_FORCE]
    days = visit.service.callers.by_day(record.caller, now)
    if record.ended_at is not None:
        light = ("calm", visit.say("已停用", "ended"))
    elif not holding:
        light = ("warn", visit.say("尚无有效密钥", "no key in force"))
    else:
        light = ("good", visit.say("可调用", "can call"))
    return {
        "id": record.id,
        "name": record.name,
        "department_name": naming.department(visit, record.department),
        "environment": visit.say(*PLACES[record.environment]),
        "light": {"tone": light[0], "word": light[1]},
        "in_force": len(holding),
        "last_used": max((one.last_used for one in credentials), default=""),
        "today": days[-1][1],
        "calls": sum(calls for _, calls in days),
        "span": DAYS,
        "ends_soon": any(one.expires is not None and one.expires - now <= SOON for one in holding),
    }


def _credential(visit: Visit, one: CredentialRecord) -> dict[str, Any]:
    """A credential as people tell it apart; of a secret there is its beginning or its keyed hash."""
    state = one.state(visit.now)
    tone, zh, en = STATES[state]
    starts = one.not_before or one.created
    return {
        "id": one.id,
        "kind": visit.say(*KINDS[one.kind]),
        "algorithm": one.algorithm,
        "thumbprint": one.thumbprint[:16],
        "state": state,
        "light": {"tone": tone, "word": visit.say(zh, en)},
        "starts": starts.isoformat(),
        "expires": one.expires.isoformat() if one.expires else None,
        "last_used": one.last_used,
        "replaces": one.replaces,
        "open": state in {records.IN_FORCE, records.WAITING},
    }


def _called(visit: Visit, one: CredentialRecord) -> str:
    return f"{one.id} · {visit.say(*KINDS[one.kind])} · {one.thumbprint[:16]}"


def _quota(visit: Visit, record: grants.GrantRecord) -> dict[str, Any]:
    grant = record.grant
    used = grants.use_of(visit.office.control, grant.id, on=visit.now).today
    return {
        "grant": grant.id,
        "resource": grant.resource,
        "resource_name": naming.resource(visit, grant.resource),
        "limit": grant.quota_per_day,
        "used": used,
        "left": max(0, grant.quota_per_day - used) if grant.quota_per_day else None,
    }


def _departments(visit: Visit) -> list[list[str]]:
    return [[one.code, naming.department(visit, one.code)] for one in visit.list_.departments]


# --- steps ----------------------------------------------------------------------------------------------------------


@ROOM.step("/systems/new", again=asked, template="systems-new.html", who=OFFICE)
def register(visit: Visit) -> Go:
    """Register a system; it opens nothing before it has a key."""
    form = visit.form
    made = clients.register(
        visit.office,
        department=form.need("department", "部门", "Department"),
        name=form.need("name", "系统名称", "Name of the system", most=80),
        contact=form.need("contact", "联系岗位", "Post to ask", most=80),
        environment=form.text("environment"),
        by=visit.actor,
    )
    return Go(f"/systems/{made.id}", visit.say("已登记。下一步：登记密钥。", "Registered. Next: its key."))


@ROOM.step("/systems/{id}/key", again=system, template="system.html", who=OFFICE)
def add(visit: Visit) -> Go | Shown:
    """Add a credential, in the place of another or beside it; a key that is made now is shown this once."""
    record = _seen(visit)
    with sendings.once(visit):
        return _added(visit, record)


def _added(visit: Visit, record: ClientRecord) -> Go | Shown:
    form = visit.form
    kind = form.text("kind")
    term, rotation = _given(visit, record)
    if kind == BEARER:
        issued = clients.add_bearer(visit.office, record.id, by=visit.actor, term=term, rotation=rotation)
        return _told(record, issued.caller, issued.key, "")
    if kind == HMAC:
        old = _credential_of(visit, record, rotation.credential) if rotation else None
        shared = clients.add_shared_key(
            visit.office,
            record.id,
            by=visit.actor,
            rid=old.handle if old is not None and old.kind == HMAC else "",
            term=term,
            rotation=rotation,
        )
        return _told(record, shared.credential, shared.key.decode(), shared.rid)
    text = form.need("handed_in", "公钥文件或证书", "Public key or certificate", most=20_000)
    if kind == CERTIFICATE:
        clients.add_certificate(visit.office, record.id, text, by=visit.actor, rotation=rotation)
    else:
        clients.add_key(visit.office, record.id, *_public(text), by=visit.actor, term=term, rotation=rotation)
    return Go(
        f"/systems/{record.id}",
        visit.say("凭据已登记，自下一次调用起有效。", "Added; it counts from the next call on."),
    )


@ROOM.step("/systems/{id}/keys/{credential}/revoke", again=system, template="system.html", who=OFFICE)
def revoke(visit: Visit) -> Go:
    """Refuse a credential from the next call on."""
    record = _seen(visit)
    found = _credential_of(visit, record, visit.path["credential"])
    clients.revoke_credential(visit.office, found.id, by=visit.actor)
    return Go(f"/systems/{record.id}", visit.say("已吊销，自下一次调用起生效。", "Revoked, from the next call on."))


@ROOM.step("/systems/{id}/signed", again=system, template="system.html", who=OFFICE)
def sign(visit: Visit) -> Go:
    """Say whether only signatures count."""
    record = _seen(visit)
    signed = visit.form.text("signed_only") == "yes"
    clients.set_signed_only(visit.office, record.id, by=visit.actor, signed_only=signed)
    return Go(f"/systems/{record.id}", visit.say("已更改，自下一次调用起生效。", "Changed, from the next call on."))


@ROOM.step("/systems/{id}/end", again=system, template="system.html", who=OFFICE)
def end(visit: Visit) -> Go:
    """Refuse all that the system shows from the next call on."""
    record = _seen(visit)
    clients.end(visit.office, record.id, by=visit.actor)
    return Go(f"/systems/{record.id}", visit.say("系统已停用。", "The system was ended."))


def _given(visit: Visit, record: ClientRecord) -> tuple[Term, Rotation | None]:
    """How long a credential is to hold, and which one it takes the place of.

    Raises:
        FormInvalidError: a number is none.
        CredentialUnknownError: the system has no such credential.
    """
    form = visit.form
    days = terms.number(form, "days", "有效天数", "Days")
    overlap = terms.number(form, "overlap", "并用天数", "Overlap in days")
    if days is not None and not 0 < days <= MAX_DAYS:
        raise FormInvalidError(
            where="Days", where_zh="有效天数", why=f"1 to {MAX_DAYS}", why_zh=f"应为 1 至 {MAX_DAYS} 天", field="days"
        )
    term = Term(expires=visit.now + timedelta(days=days)) if days is not None else Term()
    old = form.text("replaces")
    if not old:
        return term, None
    # However long it was meant to be: one day too long is refused as well.
    lasts = OVERLAP if overlap is None else timedelta(days=min(overlap, MAX_OVERLAP.days + 1))
    return term, Rotation(_credential_of(visit, record, old).id, lasts)


def _credential_of(visit: Visit, record: ClientRecord, identifier: str) -> CredentialRecord:
    """A credential of this very system. Raises: CredentialUnknownError."""
    found = records.credential(visit.office.control, identifier)
    if found.client != record.id:
        raise records.CredentialUnknownError(credential=identifier)
    return found


def _public(text: str) -> tuple[Any, str]:
    """The public key that was handed in, and the proof of possession in the line below.

    Raises:
        FormInvalidError: it is none.
    """
    key, _, proof = text.partition("\n")
    try:
        return read_public(key.strip()), proof.strip()
    except KeyTextError as error:
        raise FormInvalidError(
            where="Public key",
            where_zh="公钥",
            why="paste the two lines of the .pub file: the key, and the proof of possession",
            why_zh="请粘贴 .pub 文件的两行：公钥和持有证明",
        ) from error


def _told(record: ClientRecord, credential: str, key: str, rid: str) -> Shown:
    plain = {"id": record.id, "name": record.name, "credential": credential, "secret": key, "rid": rid}
    return Shown(plain, "system-key.html")
