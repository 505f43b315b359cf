"""The receipt of a licence that was issued, and its copies for a purpose (加注件): listed, made, withdrawn.

Who may have one, and what is on record before the first byte, is said by `hub.licensing.downloads`. The code on a
receipt holds the licence's identifier and nothing else: whoever photographs it learns nothing of the holder.
"""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any, Final

from catalog.steps import NotYoursError
from hub.api import offices
from hub.licensing.copies import MAX_WHY, state_of
from hub.licensing.dossiers.orders import need_words
from hub.licensing.downloads import Order
from hub.licensing.errors import LicencePendingError
from hub.licensing.lookups import PENDING
from hub.licensing.papers import Form
from hub.people import Duty
from hub.portal import naming
from hub.portal.doors import Room
from hub.portal.errors import FormInvalidError
from hub.portal.rooms import licences
from hub.portal.visits import Download, Go
from licence.lifecycle import State
from licence.lifecycle.copies import MAX_DAYS
from licence.qr.draw import qr_png

if TYPE_CHECKING:
    from collections.abc import Mapping

    from hub.portal.visits import Visit
    from licence.model import LicenceKind

ROOM = Room()
PAGE: Final = 50
QR_SCALE: Final = 4
FORMS: Final[Mapping[Form, tuple[str, str]]] = {
    Form.PDF: ("PDF", "PDF"),
    Form.OFD: ("OFD", "OFD"),
    Form.PNG: ("picture", "图片"),
    Form.BUNDLE: ("bundle", "数据包"),
    Form.WHOLE: ("bundle with PDF and OFD", "数据包（含 PDF 和 OFD）"),
    Form.QR: ("text of the QR code", "二维码文本"),
    Form.QR_PNG: ("QR code", "二维码图片"),
}
# What is asked for at the counter; the others are on the page of copies.
USUAL: Final = (Form.OFD, Form.PDF, Form.PNG, Form.BUNDLE)
STANDS: Final[Mapping[str, tuple[str, tuple[str, str]]]] = {
    "valid": ("good", ("in force", "有效")),
    "expired": ("calm", ("its term is over", "已过期")),
    "withdrawn": ("bad", ("withdrawn", "已撤回")),
}


@ROOM.page("/licences/{identifier}/receipt", "licence-receipt.html", who=frozenset({Duty.LICENCES, Duty.OFFICE}))
def receipt(visit: Visit) -> dict[str, Any]:
    """What was issued, by whom, on what ground, and where the log has it: for its issuer and the hub's office."""
    row, kind = _licence(visit)
    if kind is None or not licences.sees(visit, kind):
        raise NotYoursError(actor=str(visit.actor), needed=kind.issuer if kind is not None else "-")
    first = row["history"][0]
    picture = qr_png(row["identifier"], scale=QR_SCALE)
    return {
        **_head(visit, row, kind),
        "issued_at": row["issued_at"].isoformat(),
        "valid_until": row["valid_until"].isoformat() if row["valid_until"] else None,
        "log_index": row["log_index"],
        "digest": row["credential_digest"],
        "officer": first.get("officer", ""),
        "second": first.get("second", ""),
        "reason": first["reason"],
        "ground": first["ground"],
        "dossier": row["dossier"],
        "batch": licences.is_batch(row["dossier"]),
        "predecessor": row["predecessor"],
        "code": base64.b64encode(picture).decode(),
        **_form(visit, kind),
        "usual": [(form.value, visit.words(FORMS[form])) for form in USUAL],
    }


@ROOM.page("/licences/{identifier}/copies", "licence-copies.html", who=licences.PEOPLE)
def copies(visit: Visit) -> dict[str, Any]:
    """The copies of a licence: all of them to its issuer and the hub's office, their own to other departments."""
    return _copies(visit)


def _copies(visit: Visit) -> dict[str, Any]:
    row, kind = _licence(visit)
    own = kind is not None and licences.sees(visit, kind)
    found, page = offices.papers(visit.request).downloads.copies, visit.number("page", 1, least=1, most=10_000)
    whose = {"licence": row["identifier"], "department": "" if own else visit.person.department}
    issues = kind is not None and kind.issuer == visit.person.department
    return {
        **_head(visit, row, kind),
        "own": own,
        "total": found.count(**whose),
        "page": page,
        "size": PAGE,
        "address": f"/licences/{row['identifier']}/copies?",
        "items": [
            _copy(visit, one, mine=issues or one["department"] == visit.person.department)
            for one in found.find(**whose, limit=PAGE, offset=(page - 1) * PAGE)
        ],
        **_form(visit, kind),
    }


@ROOM.step("/licences/{identifier}/copy", again=copies, template="licence-copies.html", who=licences.FINDERS)
def make(visit: Visit) -> Download:
    """Hand out a copy for a use, a matter and a term; on record before the first byte."""
    form = visit.form
    wanted = form.need("format", "格式", "Form", most=20)
    if wanted not in set(Form):
        raise FormInvalidError(where="Form", where_zh="格式", why="choose one", why_zh="请选择")
    reason = form.need("use", "使用事由", "What it is for", most=500)
    purpose = form.need("purpose", "事项", "Matter", most=100)
    days = form.need("days", "期限（天）", "Term in days", most=3)
    order = Order(purpose, reason, int(days) if days.isascii() and days.isdigit() else 0)
    out = offices.papers(visit.request).downloads.download(
        visit.path["identifier"][:200], Form(wanted), order, by=visit.actor
    )
    return Download(out.data, out.form.media_type, out.file_name)


@ROOM.step(
    "/licences/{identifier}/copies/{number}/withdraw",
    again=copies,
    template="licence-copies.html",
    who=licences.FINDERS,
)
def withdraw(visit: Visit) -> Go:
    """Withdraw a copy: whoever verifies it here is told so from now on."""
    reason = visit.form.need("why", "撤回理由", "Why it is withdrawn", most=MAX_WHY)
    need_words({"reason": reason})
    offices.papers(visit.request).downloads.withdraw(visit.path["number"][:20], by=visit.actor, reason=reason)
    said = visit.say("已撤回，此后核验会提示。", "Withdrawn; whoever verifies it is told so.")
    return Go(f"/licences/{visit.path['identifier'][:200]}/copies", said)


# --- inside ---------------------------------------------------------------------------------------------------------


def _licence(visit: Visit) -> tuple[dict[str, Any], LicenceKind | None]:
    office = offices.licensing(visit.request)
    row = office.show(visit.path["identifier"][:200])
    if row["state"] == PENDING:
        raise LicencePendingError(identifier=row["identifier"])
    return row, office.kinds.get(row["kind"])


def _head(visit: Visit, row: Mapping[str, Any], kind: LicenceKind | None) -> dict[str, Any]:
    return {
        "identifier": row["identifier"],
        "kind": row["kind"],
        "kind_name": licences.named(visit, kind) if kind is not None else row["kind"],
        "issuer": kind.issuer if kind is not None else "",
        "issuer_name": naming.department(visit, kind.issuer) if kind is not None else "",
        "state": row["state"],
        "state_name": licences.state_name(visit, row["state"]),
        "tone": licences.TONES.get(row["state"], "bad"),
    }


def _form(visit: Visit, kind: LicenceKind | None) -> dict[str, Any]:
    """What the form of a copy offers: first the matters that the kind is for, which are what it is needed for."""
    about = kind.matters if kind is not None else ()
    known = licences.matters(visit)
    offered = [one for one in known if one[0] in about] + [one for one in known if one[0] not in about]
    given = {name: visit.form.text(name)[:2000] for name in ("format", "use", "purpose", "days", "why")}
    if about and not given["purpose"]:
        given["purpose"] = about[0]
    return {
        "may_copy": visit.has(*licences.FINDERS),
        "forms": [(form.value, visit.words(FORMS[form])) for form in Form],
        "matters": offered,
        "longest": MAX_DAYS,
        "given": given,
        "in_force": State.VALID.value,
    }


def _copy(visit: Visit, one: Mapping[str, Any], *, mine: bool) -> dict[str, Any]:
    state = state_of(dict(one), visit.now)
    tone, words = STANDS[state]
    return {
        "number": one["id"],
        "form": visit.words(FORMS[Form(one["form"])]),
        "department": naming.department(visit, one["department"]),
        "matter": naming.matter(visit, one["matter"]),
        "reason": one["reason"],
        "made_at": one["made_at"].isoformat(),
        "valid_until": one["valid_until"].isoformat(),
        "tone": tone,
        "state": visit.words(words),
        "why": one["withdrawn_why"],
        "may_withdraw": mine and state != "withdrawn" and visit.has(*licences.FINDERS),
        "log_index": one["log_index"],
    }
