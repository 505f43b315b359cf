"""Remote signatures (云签): one's own key, what one is asked to sign, approving it with PIN and one-time password.

Whether a request may be made, and what proves the wish, is `hub.seals.cloud`'s. The document itself is never kept: the
request holds its digest and title; who approves gives the file again, and gets it back signed.
"""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlencode

import segno

from hub.actors import Actor
from hub.api import offices
from hub.people import Duty
from hub.portal import naming, remedies
from hub.portal.doors import Room
from hub.portal.errors import FormInvalidError
from hub.portal.rooms.stamping import FORM_BYTES, MAX_FILE_BYTES, document_of, sealed
from hub.portal.visits import Download, Go, Shown
from hub.seals.errors import SealUnknownError
from hub.seals.signers import MIN_PIN
from hub.seals.words import ACTIVE, APPROVAL_STATES, FORM_NAMES

if TYPE_CHECKING:
    from collections.abc import Mapping

    from hub.portal.visits import Visit
    from hub.seals.asking import Keeper
    from hub.seals.signers import Enrolled

ROOM = Room()
# Who acts for a department may be asked to sign for it; those who watch or give rights may not (三员分立).
SIGNING: Final = frozenset(Duty) - {Duty.ADMINISTRATOR, Duty.AUDITOR}
REGISTRARS: Final = frozenset({Duty.LICENCES, Duty.OFFICE})
PAGE: Final = 50
TABS: Final = ("mine", "asked")
QR_SCALE: Final = 5
TONES: Final[Mapping[str, str]] = {
    "asked": "warn",
    "approved": "warn",
    "spent": "good",
    "declined": "calm",
    "locked": "bad",
    "ended": "calm",
}


@ROOM.page("/signing", "signing.html", who=SIGNING)
def desk(visit: Visit) -> dict[str, Any]:
    """One's own key, the requests to oneself or by oneself, and whom of the department one can ask."""
    seals, page = offices.seals(visit.request), visit.number("page", 1, least=1, most=10_000)
    me, tab = str(visit.actor), visit.query("tab")
    tab = tab if tab in TABS else TABS[0]
    keepers = seals.keepers(visit.person.department)
    wanted: dict[str, str] = {"person": me} if tab == "mine" else {"asked_by": me}
    return {
        "tab": tab,
        "key": _key(visit),
        "total": seals.approval_count(**wanted),
        "page": page,
        "size": PAGE,
        "items": [_request(visit, row) for row in seals.approvals(**wanted, limit=PAGE, offset=(page - 1) * PAGE)],
        "others": [_keeper(visit, one) for one in keepers if one.trouble is None and one.person != me],
        "own": [_keeper(visit, one) for one in keepers if one.trouble is None and one.person == me],
        "unable": [_keeper(visit, one) for one in keepers if one.trouble is not None],
        "registers": visit.has(*REGISTRARS),
        "address": f"/signing?{urlencode({'tab': tab})}&",
    }


# --- keys -----------------------------------------------------------------------------------------------------------


@ROOM.page("/signing/key", "signing-key.html", who=SIGNING, json=False)
def key_asked(visit: Visit) -> dict[str, Any]:
    """Set up one's own key."""
    return _key_page(visit)


@ROOM.step("/signing/key", again=key_asked, template="signing-key.html", who=SIGNING)
def key_made(visit: Visit) -> Shown:
    """Make the key under the PIN; what the authenticator needs is shown this once."""
    done = offices.seals(visit.request).add_signer(visit.actor, _pin(visit), by=visit.actor)
    return Shown(_key_page(visit) | _once(done), "signing-key.html")


@ROOM.page("/signing/people", "signing-people.html", who=REGISTRARS)
def signers(visit: Visit) -> dict[str, Any]:
    """The keys of the department's persons; of all, for the hub's office."""
    whose = None if visit.has(Duty.OFFICE) else visit.person.department
    rows = offices.seals(visit.request).signers(whose)
    return {
        "total": len(rows),
        "items": [
            {
                **{name: row[name] for name in ("person", "number", "serial", "created_at", "ended_at", "log_index")},
                "department_name": naming.department(visit, row["department"]),
                "tone": "calm" if row["state"] != ACTIVE else "bad" if row["locked"] else "good",
                "state_name": _key_state(visit, row),
                "renews": row["state"] == ACTIVE and row["person"] != str(visit.actor),
            }
            for row in rows
        ],
    }


@ROOM.page("/signing/people/{person:path}", "signing-renew.html", who=REGISTRARS, json=False)
def renewing(visit: Visit) -> dict[str, Any]:
    """Give somebody another key, for a lost PIN or telephone."""
    return _renew_page(visit)


@ROOM.step("/signing/people/{person:path}", again=renewing, template="signing-renew.html", who=REGISTRARS)
def renewed(visit: Visit) -> Shown:
    """The old certificate is revoked, its seals are disabled; the person is there and enters the new PIN."""
    person, ground = _of_department(visit), visit.form.need("ground", "依据", "Ground")
    done = offices.seals(visit.request).renew_signer(
        person, _pin(visit), by=visit.actor, ground=ground, office=visit.has(Duty.OFFICE)
    )
    return Shown(_renew_page(visit) | _once(done), "signing-renew.html")


# --- requests -------------------------------------------------------------------------------------------------------


@ROOM.page("/signing/ask/{code}", "signing-ask.html", who=SIGNING)
def asking(visit: Visit) -> dict[str, Any]:
    """Ask for the document that the keeper of a seal shall sign."""
    row = _seal(visit)
    return {
        "code": row["code"],
        "custodian": row["custodian"],
        "own": row["custodian"] == str(visit.actor),
        "limit_mb": MAX_FILE_BYTES // 1024**2,
        "given": {name: visit.form.text(name)[:500] for name in ("title", "purpose")},
    }


@ROOM.step(
    "/signing/ask/{code}",
    again=asking,
    template="signing-ask.html",
    who=SIGNING,
    max_bytes=MAX_FILE_BYTES + FORM_BYTES,
)
def ask(visit: Visit) -> Go:
    """Ask for the signature; the keeper has ten minutes."""
    made = offices.seals(visit.request).ask(
        _seal(visit)["code"],
        document_of(visit),
        title=visit.form.need("title", "文件标题", "Title of the document", most=100),
        purpose=visit.form.need("purpose", "用途", "Purpose", most=500),
        by=visit.actor,
        office=visit.has(Duty.OFFICE),
    )
    said = visit.say("已提出，请签署人在十分钟内办理。", "Asked for; the signer has ten minutes.")
    if made["person"] == str(visit.actor):
        said = visit.say("已提出，请在十分钟内签署。", "Asked for; sign within ten minutes.")
    return Go(f"/signing/requests/{made['id']}", said)


@ROOM.page("/signing/requests/{id}", "signing-request.html", who=SIGNING)
def request(visit: Visit) -> dict[str, Any]:
    """A request with everything that its approval would sign, for the two whom it concerns."""
    row = _own(visit)
    mine = row["person"] == str(visit.actor)
    return {
        **_request(visit, row),
        "digest": row["document_digest"],
        "can_answer": mine and row["state"] == "asked" and datetime.fromisoformat(row["ends_at"]) > visit.now,
        "failures": row["failures"],
        "log_index": row["log_index"],
        "limit_mb": MAX_FILE_BYTES // 1024**2,
    }


@ROOM.page("/signing/requests/{id}/picture", "signing-request.html", who=SIGNING, json=False)
def picture(visit: Visit) -> Download:
    """The picture of the seal that the request is about."""
    row = _own(visit)
    return Download(offices.seals(visit.request).picture(row["seal"]), "image/png", f"{row['seal']}.png", inline=True)


@ROOM.step(
    "/signing/requests/{id}/approve",
    again=request,
    template="signing-request.html",
    who=SIGNING,
    max_bytes=MAX_FILE_BYTES + FORM_BYTES,
)
def approve(visit: Visit) -> Download:
    """Sign the document that the request is about, proved by PIN and one-time password, and send it back."""
    row, form = _own(visit), visit.form
    done = offices.seals(visit.request).approve_and_sign(
        row["id"],
        document_of(visit),
        by=visit.actor,
        pin=form.need("pin", "PIN 码", "PIN", most=64),
        password=form.need("password", "一次性口令", "One-time password", most=16),
    )
    return sealed(done)


@ROOM.step("/signing/requests/{id}/decline", again=request, template="signing-request.html", who=SIGNING)
def decline(visit: Visit) -> Go:
    """Say no, for good."""
    row = _own(visit)
    offices.seals(visit.request).decline(row["id"], by=visit.actor)
    return Go(f"/signing/requests/{row['id']}", visit.say("已谢绝。", "Declined."))


# --- inside ---------------------------------------------------------------------------------------------------------


def _key_page(visit: Visit) -> dict[str, Any]:
    return {"key": _key(visit), "address": "", "picture": "", "min_pin": MIN_PIN, "post": str(visit.actor)}


def _renew_page(visit: Visit) -> dict[str, Any]:
    person = _of_department(visit)
    return {
        "signer": person,
        "address": "",
        "picture": "",
        "min_pin": MIN_PIN,
        "given": {"ground": visit.form.text("ground")[:2000]},
    }


def _seal(visit: Visit) -> dict[str, Any]:
    """The seal of the address; of another department's there is none: who signs there is not one's affair."""
    code = visit.path["code"][:80]
    row = offices.seals(visit.request).show(code)
    if row["department"] != visit.person.department and not visit.has(Duty.OFFICE):
        raise SealUnknownError(what=code)
    return row


def _own(visit: Visit) -> dict[str, Any]:
    """The request of the address, to whoever is asked or asked; to anybody else there is none."""
    row = offices.seals(visit.request).approval(visit.path["id"][:40])
    if str(visit.actor) not in {row["person"], row["asked_by"]}:
        raise SealUnknownError(what=row["id"])
    return row


def _of_department(visit: Visit) -> str:
    person = visit.path["person"][:200]
    if Actor.parse(person).department != visit.person.department and not visit.has(Duty.OFFICE):
        raise SealUnknownError(what=person[:80])
    return person


def _key(visit: Visit) -> dict[str, Any] | None:
    """One's own newest key; None: there was never one."""
    rows = offices.seals(visit.request).signers(visit.person.department)
    own = [row for row in rows if row["person"] == str(visit.actor)]
    if not own:
        return None
    return {
        "number": own[-1]["number"],
        "serial": own[-1]["serial"],
        "created_at": own[-1]["created_at"],
        "tone": "bad" if own[-1]["locked"] else "good",
        "state_name": _key_state(visit, own[-1]),
    }


def _key_state(visit: Visit, row: Mapping[str, Any]) -> str:
    if row["state"] != ACTIVE:
        return visit.say("已终止", "ended")
    return (
        visit.say("已锁定，需更换密钥", "locked: another key is needed")
        if row["locked"]
        else visit.say("有效", "active")
    )


def _request(visit: Visit, row: Mapping[str, Any]) -> dict[str, Any]:
    state = row["state"]
    if state == "asked" and datetime.fromisoformat(row["ends_at"]) <= visit.now:
        state = "ended"
    words = APPROVAL_STATES.get(state, ("未在期限内办理", "not answered in time"))
    return {
        "id": row["id"],
        "title": row["title"] or visit.say("（未填标题）", "(no title)"),
        "purpose": row["purpose"],
        "seal": row["seal"],
        "signer": row["person"],
        "asked_by": row["asked_by"],
        "asked_at": row["asked_at"],
        "ends_at": row["ends_at"],
        "form": visit.say(*FORM_NAMES.get(row["form"], (row["form"], row["form"]))),
        "state": state,
        "state_name": visit.say(*words),
        "tone": TONES[state],
    }


def _keeper(visit: Visit, one: Keeper) -> dict[str, str]:
    why = "" if one.trouble is None else remedies.said(one.trouble, visit.lang)
    return {"code": one.code, "custodian": one.person, "why": why}


def _pin(visit: Visit) -> str:
    """The PIN, entered twice; whether it is good enough is `hub.seals.signers`'."""
    first, second = (visit.form.fields.get(name, ("",))[-1][:100] for name in ("pin", "again"))
    if first != second:
        raise FormInvalidError(
            where="PIN", where_zh="PIN 码", why="the two entries differ", why_zh="两次输入不一致", field="again"
        )
    return first


def _once(done: Enrolled) -> dict[str, str]:
    picture = segno.make(done.otp_uri, error="m", micro=False).png_data_uri(scale=QR_SCALE, border=4)
    return {"address": done.otp_uri, "picture": picture}
