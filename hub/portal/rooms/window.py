"""The window clerk's page: scan what somebody holds up, see whether it is valid and what the matter needs, next.

Matter and reason are chosen once for a session of work and stand in a cookie, which ends with the browser; another
keeps which matters were chosen lately. What may be seen is `hub.licensing.codes`'s and `hub.licensing.window`'s to say,
which put every look on record, and which papers that saves `hub.licensing.checklist`'s. Several scans for one citizen
add up in the page alone, by the numbers of their entries: nothing that was scanned or shown stands in an address, or
anywhere after the page is left.
"""

from __future__ import annotations

import base64
import json
import unicodedata
from typing import TYPE_CHECKING, Any, Final

from hub.api import offices
from hub.errors import DeniedError, NotFoundError
from hub.licensing.checklist import MAX_LOOKS, Counter, Means, checklist, looks_of
from hub.licensing.document_errors import DocumentRefusedError
from hub.licensing.errors import NoKindsError
from hub.licensing.window import check_code, proof_of
from hub.people import Duty
from hub.portal import naming, remedies
from hub.portal.answering import RECENT
from hub.portal.doors import Room
from hub.portal.errors import FormInvalidError
from hub.portal.verdicts import VERDICTS
from hub.portal.visits import Download, Go, Shown
from licence.lifecycle import State
from licence.qr import once
from licence.qr.code import PREFIX as FIXED
from licence.report import Verdict

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from hub.licensing.checklist import Line, Look
    from hub.licensing.codes import Shown as Redeemed
    from hub.portal.visits import Visit
    from licence.model import LicenceKind

ROOM = Room()
WHO: Final = frozenset({Duty.WINDOW})
COOKIE: Final = "window"
MAX_REASON: Final = 100
MAX_CHARS: Final = 1_000  # twice the longest code that a scanner can type
MAX_RECENT: Final = 9
# A page that shows a citizen, and nobody touches, is wiped: the next one in the queue may see it.
WIPE_S: Final = 90
_MAX_COOKIE: Final = 4_000
# What becomes of a paper: tone, English, Chinese.
MEANS: Final[Mapping[Means, tuple[str, str, str]]] = {
    Means.OBTAINED: ("good", "obtained by scanning", "已扫码取得"),
    Means.SCAN: ("calm", "to be scanned", "待扫码"),
    Means.CALL: ("calm", "data can be called", "可共享调取"),
    Means.PAPER: ("warn", "take the paper", "收取纸质"),
}
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
def begin(visit: Visit) -> Go | Shown:
    """Choose matter and reason for what follows; a matter of lately is a button, and asks for the reason if need be."""
    again = visit.form.text("recent")
    matter = again or visit.form.need("matter", "事项", "Matter", most=100)
    if matter not in visit.list_.matters_by_code:
        raise FormInvalidError(where="Matter", where_zh="事项", why="choose one of the list", why_zh="请从列表中选择")
    if again and not visit.form.text("reason"):
        return Shown(_window(visit))
    reason = visit.form.need("reason", "事由", "Reason", most=MAX_REASON)
    recent = [matter, *(code for code in _recent(visit) if code != matter)][:MAX_RECENT]
    cookies = {COOKIE: _cookie(visit, matter=matter, reason=reason), RECENT: _cookie(visit, matters=recent)}
    return Go("/window", cookies=cookies)


@ROOM.step("/window/end", again=window, template="window.html", who=WHO)
def end(visit: Visit) -> Go:
    """Choose another matter; the reason stays until another is given."""
    return Go("/window", cookies={COOKIE: _cookie(visit, matter="", reason=_work(visit)[1])})


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
    entries = [*_entries(visit), *([] if result["entry"] is None else [result["entry"]])]
    return Shown({**_window(visit, entries), "result": result, "wipes": WIPE_S})


@ROOM.step("/window/proof", again=window, template="window.html", who=WHO)
def proof(visit: Visit) -> Download:
    """The signed receipt of a look of one's own."""
    entries = _entries(visit, "entry")
    if not entries:
        raise NotFoundError
    receipt = proof_of(visit.service, entries[0], visit.actor)
    return Download(receipt.encode(), "application/json", f"receipt-{receipt.index}.json")


# --- inside ---------------------------------------------------------------------------------------------------------


def _window(visit: Visit, entries: Sequence[int] = ()) -> dict[str, Any]:
    matter, reason = _work(visit)
    own = visit.person.department
    # Those of the own department first; a city has hundreds.
    matters = sorted(visit.list_.matters, key=lambda one: (one.department != own, one.code))
    # A scan that was refused shows the page again, and what was scanned before stands.
    sitting = _sitting(visit, matter, entries or _entries(visit)) if matter else {"looks": [], "papers": []}
    return {
        "matter": matter,
        "matter_name": naming.matter(visit, matter) if matter else "",
        "reason": reason,
        "chosen": (visit.form.text("recent") or visit.form.text("matter"))[:100],
        "typed": visit.form.text("reason")[:MAX_REASON] or reason,
        "recent": [{"code": code, "name": naming.matter(visit, code)} for code in _recent(visit)],
        "matters": [
            ("", visit.say("请选择事项", "choose a matter")),
            *((one.code, f"{naming.matter(visit, one.code)} ({one.code})") for one in matters),
        ],
        **sitting,
        "wipes": WIPE_S if sitting["looks"] else 0,
        "result": None,
    }


def _sitting(visit: Visit, matter: str, entries: Sequence[int]) -> dict[str, Any]:
    """What was scanned for the citizen who stands here, and what becomes of the matter's papers."""
    kinds: tuple[LicenceKind, ...] = ()
    looks: tuple[Look, ...] = ()
    try:
        office = offices.licensing(visit.request)
    except NoKindsError:
        pass  # A city that issues no licences has calls all the same.
    else:
        kinds = tuple(office.kinds.values())
        looks = looks_of(office, entries, matter=matter, by=visit.actor)
    counter = Counter(visit.service.standing.now(), kinds, visit.person.department, matter, visit.now)
    lines = checklist(counter, looks)
    return {
        "looks": [{"entry": one.entry, "kind": _named(visit, one.kind)} for one in looks],
        "several_holders": len({one.owner for one in looks}) > 1,
        "papers": [_paper(visit, line) for line in lines],
        "counts": {means.value: sum(line.means is means for line in lines) for means in Means},
    }


def _paper(visit: Visit, line: Line) -> dict[str, Any]:
    tone, *words = MEANS[line.means]
    shown = line.withheld if line.means is Means.PAPER else line.resources if line.means is Means.CALL else ()
    return {
        "name": line.paper,
        "means": line.means.value,
        "tone": tone,
        "word": visit.words((words[0], words[1])),
        "kind": _named(visit, line.kind) if line.kind is not None else "",
        "callable": not line.withheld,
        "resources": [{"code": code, "name": naming.resource(visit, code)} for code in shown],
    }


def _entries(visit: Visit, name: str = "look") -> list[int]:
    """The numbers of entries that a form of the page sends."""
    given = [text for text in visit.form.texts(name)[-MAX_LOOKS:] if text.isascii() and text.isdigit()]
    return [int(text) for text in given if len(text) < 16]  # noqa: PLR2004 - no log is as long


def _work(visit: Visit) -> tuple[str, str]:
    """The matter and the reason that this person chose; of a matter that is gone, the reason alone."""
    kept = _kept(visit, COOKIE)
    matter, reason = str(kept.get("matter", "")), str(kept.get("reason", ""))
    return matter if matter in visit.list_.matters_by_code else "", reason[:MAX_REASON]


def _recent(visit: Visit) -> list[str]:
    """The matters that this person chose lately, the last one first."""
    kept = _kept(visit, RECENT).get("matters")
    codes = [str(code) for code in kept] if isinstance(kept, list) else []
    return [code for code in dict.fromkeys(codes) if code in visit.list_.matters_by_code][:MAX_RECENT]


def _cookie(visit: Visit, **plain: Any) -> str:  # noqa: ANN401 - JSON
    return base64.urlsafe_b64encode(json.dumps({"person": visit.person.id, **plain}).encode()).decode()


def _kept(visit: Visit, name: str) -> dict[str, Any]:
    """What this person's cookie says; that of whoever sat here before says nothing."""
    cookie = visit.request.cookies.get(name, "")
    if not 0 < len(cookie) <= _MAX_COOKIE:
        return {}
    try:
        plain = json.loads(base64.urlsafe_b64decode(cookie.encode("ascii")))
    except (ValueError, RecursionError):
        return {}
    return plain if isinstance(plain, dict) and plain.get("person") == visit.person.id else {}


def _redeemed(visit: Visit, text: str, matter: str, reason: str) -> dict[str, Any]:
    try:
        shown = offices.papers(visit.request).codes.redeem(text, matter=matter, by=visit.actor, reason=reason)
    except DocumentRefusedError as error:
        if error.finding not in NEXT:
            raise
        return _nothing(visit, remedies.said(error, visit.lang), error.finding)
    except DeniedError as error:
        return _nothing(visit, remedies.said(error, visit.lang), "denied")
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
        return _nothing(visit, remedies.said(error, visit.lang), "denied")
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
