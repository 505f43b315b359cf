"""The window clerk's page: scan what somebody holds up, see whether it is valid and what the matter needs, next.

Matter and reason are chosen once for a session of work and stand in a cookie, which ends with the browser. What may be
seen is `hub.licensing.codes`'s and `hub.licensing.window`'s to say, which put every look on record; nothing that was
scanned or shown stands in an address, or anywhere after the page is left.
"""

from __future__ import annotations

import base64
import json
import unicodedata
from typing import TYPE_CHECKING, Any, Final

from hub.api import offices
from hub.errors import DeniedError, NotFoundError
from hub.licensing.document_errors import DocumentRefusedError
from hub.licensing.window import check_code, proof_of
from hub.people import Duty
from hub.portal import naming
from hub.portal.doors import Room
from hub.portal.errors import FormInvalidError
from hub.portal.verdicts import VERDICTS
from hub.portal.visits import Download, Go, Shown
from licence.lifecycle import State
from licence.qr import once
from licence.qr.code import PREFIX as FIXED
from licence.report import Verdict

if TYPE_CHECKING:
    from hub.licensing.codes import Shown as Redeemed
    from hub.portal.visits import Visit
    from licence.model import LicenceKind

ROOM = Room()
WHO: Final = frozenset({Duty.WINDOW})
COOKIE: Final = "window"
MAX_REASON: Final = 100
MAX_CHARS: Final = 1_000  # twice the longest code that a scanner can type
_MAX_COOKIE: Final = 4_000
# What the clerk does next where a code opened nothing, by the finding: (English, Chinese).
NEXT: Final[dict[str, tuple[str, str]]] = {
    "once_spent": (
        "This code was used before; each opens once. Ask the person to refresh the code on the phone, and scan again.",
        "该动态码已使用过，每个码只能使用一次。请群众在手机上刷新动态码后重新扫码。",
    ),
    "once_expired": (
        "This code is older than 60 seconds. Ask the person to refresh the code on the phone, and scan at once.",
        "该动态码已超过 60 秒。请群众在手机上刷新动态码，并立即扫码。",
    ),
    "once_unknown": (
        "This hub made no such code. See that the city's own app shows it, not a picture; refresh it, and scan again.",
        "该动态码不是本平台生成的。请确认是本市应用中出示的动态码而非截图，刷新后重新扫码。",
    ),
    "once_malformed": (
        "The code was not read whole. Clean the screen, make it bright, set the keyboard to English, and scan again.",
        "动态码未完整读取。请擦净屏幕、调亮并拿稳，将输入法切换为英文后重新扫码。",
    ),
    "denied": (
        "Check the matter, or take the paper and have the data applied for. A one-time code is used up: ask for one.",
        "请核对所选事项，或改收纸质材料并由本部门申请数据授权。动态码已失效，重试须刷新。",
    ),
    "invalid": (
        "Do not accept it. Ask the person whether there is a newer licence, or point to the department that issued it.",
        "请勿采信。请询问群众是否有新的证照，或告知其联系发证部门。",
    ),
    "undecided": (
        "Do not rely on it yet. Scan again; if it stays so, have the file verified, or ask the issuing department.",
        "暂不能采信。请重新扫码；仍然如此的，请核验证照文件或向发证部门核实。",
    ),
    "fixed": (
        "This code is printed on the licence and can be copied: compare the person with the name.",
        "此为证照上的固定二维码，可被复制，请核对持证人本人。",
    ),
}


@ROOM.page("/window", "window.html", who=WHO)
def window(visit: Visit) -> dict[str, Any]:
    """Choose matter and reason; once they are, scan."""
    return _window(visit)


@ROOM.step("/window/work", again=window, template="window.html", who=WHO)
def begin(visit: Visit) -> Go:
    """Choose matter and reason for what follows."""
    matter = visit.form.need("matter", "事项", "Matter", most=100)
    if matter not in visit.list_.matters_by_code:
        raise FormInvalidError(where="Matter", where_zh="事项", why="choose one of the list", why_zh="请从列表中选择")
    reason = visit.form.need("reason", "事由", "Reason", most=MAX_REASON)
    plain = {"person": visit.person.id, "matter": matter, "reason": reason}
    return Go("/window", cookies={COOKIE: base64.urlsafe_b64encode(json.dumps(plain).encode()).decode()})


@ROOM.step("/window/end", again=window, template="window.html", who=WHO)
def end(visit: Visit) -> Go:
    """Choose anew."""
    del visit
    return Go("/window", cookies={COOKIE: None})


@ROOM.step("/window/scan", again=window, template="window.html", who=WHO)
def scan(visit: Visit) -> Shown:
    """What was scanned: valid or not, and of its face what the matter needs."""
    matter, reason = _work(visit)
    if not matter:
        raise FormInvalidError(where="Matter", where_zh="事项", why="choose it first", why_zh="请先选择")
    # Scanners are keyboards: with a Chinese input method on they type signs of full width.
    text = unicodedata.normalize("NFKC", visit.form.need("code", "二维码", "Code", most=MAX_CHARS)).strip()
    if text.startswith(once.PREFIX):
        result = _redeemed(visit, text, matter, reason)
    elif text.startswith(FIXED):
        result = _checked(visit, text, matter, reason)
    else:
        raise FormInvalidError(
            where="Code",
            where_zh="二维码",
            why="it is no one-time code and no code of a licence. Switch the keyboard to English, and scan again",
            why_zh="不是动态码，也不是证照二维码。请将输入法切换为英文后重新扫码",
        )
    return Shown({**_window(visit), "result": result})


@ROOM.step("/window/proof", again=window, template="window.html", who=WHO)
def proof(visit: Visit) -> Download:
    """The signed receipt of a look of one's own."""
    number = visit.form.text("entry")
    if not (number.isascii() and number.isdigit() and len(number) < 16):  # noqa: PLR2004 - no log is as long
        raise NotFoundError
    receipt = proof_of(visit.service, int(number), visit.actor)
    return Download(receipt.encode(), "application/json", f"receipt-{receipt.index}.json")


# --- inside ---------------------------------------------------------------------------------------------------------


def _window(visit: Visit) -> dict[str, Any]:
    matter, reason = _work(visit)
    own = visit.person.department
    # Those of the own department first; a city has hundreds.
    matters = sorted(visit.list_.matters, key=lambda one: (one.department != own, one.code))
    return {
        "matter": matter,
        "matter_name": naming.matter(visit, matter) if matter else "",
        "reason": reason,
        "chosen": visit.form.text("matter")[:100],
        "typed": visit.form.text("reason")[:MAX_REASON],
        "matters": [
            ("", visit.say("请选择事项", "choose a matter")),
            *((one.code, f"{naming.matter(visit, one.code)} ({one.code})") for one in matters),
        ],
        "result": None,
    }


def _work(visit: Visit) -> tuple[str, str]:
    """The matter and the reason that this person chose; of another one's, or of a matter that is gone, nothing."""
    cookie = visit.request.cookies.get(COOKIE, "")
    if not 0 < len(cookie) <= _MAX_COOKIE:
        return "", ""
    try:
        plain = json.loads(base64.urlsafe_b64decode(cookie.encode("ascii")))
        person, matter, reason = plain["person"], str(plain["matter"]), str(plain["reason"])
    except (ValueError, KeyError, TypeError):
        return "", ""
    if person != visit.person.id or matter not in visit.list_.matters_by_code:
        return "", ""
    return matter, reason[:MAX_REASON]


def _redeemed(visit: Visit, text: str, matter: str, reason: str) -> dict[str, Any]:
    try:
        shown = offices.papers(visit.request).codes.redeem(text, matter=matter, by=visit.actor, reason=reason)
    except DocumentRefusedError as error:
        if error.finding not in NEXT:
            raise
        return _nothing(visit, error.text(visit.lang), error.finding)
    except DeniedError as error:
        return _nothing(visit, error.text(visit.lang), "denied")
    kind = offices.licensing(visit.request).kind(shown.kind)
    good = shown.state is State.VALID and (shown.valid_until is None or visit.now < shown.valid_until)
    verdict = Verdict.PASSED if good else Verdict.FAILED
    state = visit.say(shown.state.zh, shown.state.en)
    if shown.state is State.VALID and not good:
        state = visit.say("已过有效期", "past its end")
    return {
        **_verdict(visit, verdict),
        "why": "",
        "next": "" if good else visit.words(NEXT["invalid"]),
        "note": "",
        "facts": [
            [visit.say("证照", "Licence"), _named(visit, kind)],
            [visit.say("状态", "State"), state],
            [visit.say("颁发机构", "Issued by"), naming.department(visit, kind.issuer)],
            *_face(visit, kind, shown),
        ],
        "entry": shown.log_index,
    }


def _checked(visit: Visit, text: str, matter: str, reason: str) -> dict[str, Any]:
    office = offices.licensing(visit.request)
    try:
        found = check_code(visit.service, office, text, matter=matter, by=visit.actor, reason=reason)
    except DeniedError as error:
        return _nothing(visit, error.text(visit.lang), "denied")
    verdict, deciding = found.judgement.verdict, found.judgement.report.deciding
    facts = []
    if found.kind:
        kind = office.kind(found.kind)
        facts = [
            [visit.say("证照", "Licence"), _named(visit, kind)],
            [visit.say("颁发机构", "Issued by"), naming.department(visit, kind.issuer)],
            [visit.say("持证主体", "Holder"), found.name],
            [visit.say("持证主体代码", "Holder's code"), found.code],
        ]
    step = {Verdict.FAILED: "invalid", Verdict.INDETERMINATE: "undecided"}.get(verdict, "")
    return {
        **_verdict(visit, verdict),
        "why": deciding.text(visit.lang) if deciding is not None and step else "",
        "next": visit.words(NEXT[step]) if step else "",
        "note": "" if step else visit.words(NEXT["fixed"]),
        "facts": [one for one in facts if one[1]],
        "entry": found.log_index,
    }


def _nothing(visit: Visit, why: str, finding: str) -> dict[str, Any]:
    """A code that opened nothing: why, and what to do."""
    result: dict[str, Any] = {"why": why, "next": visit.words(NEXT[finding]), "note": "", "facts": [], "entry": None}
    return {"tone": "warn", "word": visit.say("未能核验", "Not verified"), **result}


def _verdict(visit: Visit, verdict: Verdict) -> dict[str, str]:
    tone, en, zh = VERDICTS[verdict]
    return {"tone": tone, "word": visit.say(zh, en)}


def _named(visit: Visit, kind: LicenceKind) -> str:
    return visit.words((kind.name_en or kind.name, kind.name))


def _face(visit: Visit, kind: LicenceKind, shown: Redeemed) -> list[list[str]]:
    titles = {one.name: visit.words((one.title_en or one.title, one.title)) for one in kind.face}
    return [[titles.get(name, title), value] for name, title, value in shown.face]
