"""Verifying for anyone: a file, the text of a code or a number in, a verdict out; nothing of what was sent is kept.

Judging is `hub.licensing.judging`'s. The report goes to the visitor whole, with a mark by which this portal knows its
own report again when it is sent back to be printed: so nothing need be kept for that either.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import re
import shlex
import threading
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from typing import TYPE_CHECKING, Any, Final

from catalog.clock import SHANGHAI
from hub.api import offices, problems
from hub.api.licence_trust import past_of
from hub.api.limits import Buckets
from hub.errors import HubError, LicenceUnknownError, NotFoundError
from hub.keyring import Keyring
from hub.licensing.judging import Stands, is_number, judged, list_named, standing_of_number
from hub.portal.doors import EVERYONE, Room
from hub.portal.errors import FormInvalidError, TooManyVisitsError
from hub.portal.forms import Upload
from hub.portal.printing import can_print, report_pdf
from hub.portal.visits import Download, Shown
from hub.portal.words import local
from licence.errors import FormatError
from licence.report import Verdict, VerificationReport
from licence.trust import TrustStore
from licence.verifying import recognise, signing_time
from licence.verifying.report import DocumentReport, Form, told

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from hub.licensing.judging import Judgement
    from hub.portal.visits import Visit

ROOM = Room()
# A document of some hundred pages with its seals; the library bounds what it unpacks of it.
MAX_FILE_BYTES: Final = 24 * 1024 * 1024
MAX_REPORT_BYTES: Final = 4 * 1024 * 1024
NOW, SIGNING, DAY = "now", "signing", "day"
# Of one address: files cost some tenths of a second each; numbers run on, so that nobody may go through them all.
FILES_AT_ONCE, FILES_PER_S = 30, 0.5
NUMBERS_AT_ONCE, NUMBERS_PER_S = 20, 0.2
KEY: Final = "portal-reports"
_SAVED: Final = "verification"
_OPENING = threading.Lock()
# Tone, English, Chinese.
VERDICTS: Final[Mapping[Verdict, tuple[str, str, str]]] = {
    Verdict.PASSED: ("good", "Valid", "有效"),
    Verdict.INDETERMINATE: ("warn", "Cannot be decided", "无法判定"),
    Verdict.FAILED: ("bad", "Not valid", "无效"),
}
OUTCOME_TONES: Final = {"passed": "good", "failed": "bad", "indeterminate": "warn", "skipped": "calm"}
FORMS: Final[Mapping[Form, tuple[str, str]]] = {
    Form.LICENCE: ("licence bundle or SD-JWT", "证照数据包或 SD-JWT"),
    Form.PDF: ("PDF document", "PDF 文档"),
    Form.OFD: ("OFD document", "OFD 文档"),
    Form.SEAL: ("electronic seal", "电子印章"),
    Form.SEAL_SIGNATURE: ("seal signature", "电子签章"),
    Form.QR: ("text of a QR code", "二维码文本"),
}
# What GB/T 36903 calls the metadata, and what the other formats say of themselves.
CLAIMS: Final[Mapping[str, tuple[str, str]]] = {
    "ZZMC": ("Licence", "证照名称"),
    "ZZBH": ("Number", "证照编号"),
    "ZZBS": ("Identifier", "证照标识"),
    "ZZBFJG": ("Issued by", "颁发机构"),
    "ZZBFJGDM": ("Issuer's code", "颁发机构代码"),
    "CZZT": ("Holder", "持证主体"),
    "CZZTDM": ("Holder's code", "持证主体代码"),
    "CZZTDMLX": ("Type of that code", "持证主体代码类型"),
    "ZZBFRQ": ("Issued on", "颁发日期"),
    "ZZYXQQSRQ": ("Valid from", "有效期起始日期"),
    "ZZYXQJZRQ": ("Valid until", "有效期截止日期"),
    "title": ("Title", "标题"),
    "identifier": ("Identifier", "证照标识"),
    "kind_name": ("Licence", "证照名称"),
    "holder_name": ("Holder", "持证主体"),
    "holder_code": ("Holder's code", "持证主体代码"),
    "issuer_name": ("Issued by", "颁发机构"),
    "issued_at": ("Issued at", "颁发时间"),
    "valid_from": ("Valid from", "有效期起始"),
    "valid_until": ("Valid until", "有效期截止"),
    "signer": ("Signed by", "签署者"),
    "signed_at": ("Signed at, by its own word", "自称的签署时间"),
    "proven_at": ("Proved to exist at", "经时间戳证明的时间"),
    "reason": ("Signed for", "签署事由"),
    "level": ("Level of the signature", "签名级别"),
    "name": ("Seal", "印章名称"),
    "licence": ("Copy of licence", "所加注的证照"),
    "number": ("Number of the copy", "加注件编号"),
    "purpose": ("Copy for", "使用事由"),
    "made_by": ("Copy made by", "加注单位"),
    "made_at": ("Copy made at", "加注时间"),
}
_MAX_CLAIMS: Final = 200
_INSTANT: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:.]{8,15}(?:Z|\+00:00)")


@dataclass(frozen=True, slots=True)
class _Rates:
    """What one address may ask; a lock, because pages are answered by several threads."""

    files: Buckets
    numbers: Buckets
    alone: threading.Lock

    def take(self, buckets: Buckets, name: str) -> None:
        with self.alone:
            wait = buckets.take(name)
        if wait:
            raise TooManyVisitsError(seconds=int(wait) + 1)


@ROOM.page("/verify", "verify.html", who=EVERYONE)
def asked(visit: Visit) -> dict[str, Any]:
    """Ask for a file, a text or a number, and as of when."""
    when = visit.form.text("when") or NOW
    return {
        "text": visit.form.text("text")[:20_000],
        "when": when if when in {NOW, SIGNING, DAY} else NOW,
        "day": visit.form.text("day")[:10],
        "limit_mb": MAX_FILE_BYTES // 1024**2,
    }


@ROOM.step("/verify", again=asked, template="verify.html", who=EVERYONE, max_bytes=MAX_FILE_BYTES)
def verify(visit: Visit) -> Shown:
    """Judge what was sent."""
    files = visit.form.files.get("file", ())
    text = visit.form.text("text")
    if not files and not text:
        raise FormInvalidError(
            where="File, code or number",
            where_zh="文件、二维码文本或证照编号",
            why="choose a file, or paste a text",
            why_zh="请选择文件或粘贴内容",
        )
    rates = _rates(visit)
    who = visit.request.client.host if visit.request.client else ""
    if not files and is_number(text):
        rates.take(rates.numbers, who)
        return Shown(_number(visit, text), "verify-number.html")
    rates.take(rates.files, who)
    sent = files[-1] if files else Upload("", text.encode("utf-8", "surrogatepass"))
    return Shown(_result(visit, sent), "verify-result.html")


@ROOM.step("/verify/report", again=asked, template="verify.html", who=EVERYONE, max_bytes=MAX_REPORT_BYTES)
def report(visit: Visit) -> Download:
    """Give a report of ours as a file: as JSON, or set on paper."""
    kept, mark = visit.form.text("report"), visit.form.text("mark")
    if not hmac.compare_digest(_mark(visit, kept.encode()).encode(), mark.encode("utf-8", "surrogatepass")):
        raise FormInvalidError(
            where="report", where_zh="报告", why="it is none of this portal", why_zh="不是本平台出具的报告"
        )
    parts = json.loads(base64.b64decode(kept))
    if visit.form.text("as") == "pdf" and can_print():
        return Download(report_pdf(parts["page"]), "application/pdf", f"{_SAVED}.pdf")
    return Download(parts["report"].encode(), "application/json", f"{_SAVED}.json")


# --- a file ---------------------------------------------------------------------------------------------------------


def _result(visit: Visit, sent: Upload) -> dict[str, Any]:
    at, when = _moment(visit, sent.data)
    past, histories = _past(visit, sent.data, at) if when != NOW else ((), ())
    found = judged(visit.service, sent.data, at, past_tokens=past, histories=histories)
    page = _page(visit, sent, found, when)
    kept = base64.b64encode(
        json.dumps({"page": _paper(visit, page), "report": found.report.to_json()}, ensure_ascii=False).encode()
    ).decode()
    return {**page, "kept": kept, "mark": _mark(visit, kept.encode()), "can_print": can_print()}


def _page(visit: Visit, sent: Upload, found: Judgement, when: str) -> dict[str, Any]:
    tone, en, zh = VERDICTS[found.verdict]
    deciding = found.report.deciding
    first = found.report.text(visit.lang).partition("\n")[0]
    # The sentence begins with the verdict, which stands above it already.
    sentence = (first.partition(": ") if visit.lang == "en" else first.partition("："))[2] or first
    if found.withdrawn_at is not None:
        day = f"{local(found.withdrawn_at):%Y-%m-%d}"
        why = visit.say(
            f"该加注件已于 {day} 收回，不得再使用。", f"This copy was withdrawn on {day}; do not accept it."
        )
    else:
        why = sentence if deciding is None else deciding.text(visit.lang)
    form = recognise(sent.data)
    return {
        "verdict": visit.say(zh, en),
        "indication": found.verdict.value,
        "tone": tone,
        "why": why[:1].upper() + why[1:],
        "sentence": "" if deciding is None else sentence,
        "file_name": sent.name,
        "size": len(sent.data),
        "sha256": hashlib.sha256(sent.data).hexdigest(),
        "form": visit.words(FORMS[form]),
        "at": found.report.at.isoformat(),
        "when": when,
        "trust_list": found.trust_list,
        "fault": "" if found.fault is None else found.fault.text(visit.lang),
        "parts": [
            {
                "title": part.title,
                "steps": [
                    {
                        "number": step.number,
                        "name": step.name,
                        "outcome": step.outcome.value,
                        "outcome_name": step.outcome_name,
                        "tone": OUTCOME_TONES[step.outcome.value],
                        "text": step.text,
                        "notes": list(step.notes),
                    }
                    for step in part.steps
                ],
            }
            for part in told(found.report, visit.lang)
        ],
        "claims": [list(pair) for pair in _claims(visit, found)],
        "command": _command(sent, form, found, when),
    }


def _paper(visit: Visit, page: Mapping[str, Any]) -> dict[str, Any]:
    """What is set on paper of *page*."""
    facts = [
        (visit.say("文件", "File"), page["file_name"]),
        (visit.say("识别为", "Recognised as"), page["form"]),
        ("SHA-256", page["sha256"]),
        (visit.say("判断时点", "As of"), f"{local(page['at']):%Y-%m-%d %H:%M:%S} (UTC+8)"),
    ]
    return {
        "title": visit.say("证照核验报告", "Report of verification"),
        "lang": visit.lang,
        "foot": visit.say("平台未保存所核验的文件。", "The file was not kept."),
        "claims-title": visit.say("文件所载内容", "What the file says"),
        "facts": [one for one in facts if one[1]],
        **{name: page[name] for name in ("tone", "verdict", "why", "parts", "claims")},
    }


def _moment(visit: Visit, data: bytes) -> tuple[datetime, str]:
    """As of when, and which of the three ways it was chosen."""
    when, now = visit.form.text("when") or NOW, visit.now
    if when == SIGNING:
        try:
            return signing_time(data, TrustStore.load(visit.service.settings.trust)), SIGNING
        except FormatError as fault:
            if fault.code == "judge_no_signing_time":
                raise
            # It cannot be read; the report says why.
            return now, SIGNING
    if when == DAY:
        return min(_end_of_day(visit.form.text("day")), now), DAY
    return now, NOW


def _end_of_day(text: str) -> datetime:
    """The last second of the day in China: what was decided on it counts."""
    try:
        return datetime.combine(date.fromisoformat(text), time(23, 59, 59), SHANGHAI).astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise FormInvalidError(
            where="Day", where_zh="日期", why="give it as 2026-07-01", why_zh="请按 2026-07-01 的格式填写"
        ) from error


def _past(visit: Visit, data: bytes, at: datetime) -> tuple[tuple[str, ...], tuple[str, ...]]:
    name = list_named(data)
    if not name:
        return (), ()
    try:
        token, history = past_of(visit.service, name, int(at.timestamp()))
    except NotFoundError:
        # Nothing was published then: the report says that the status is missing.
        return (), ()
    return (token,), (history,)


def _command(sent: Upload, form: Form, found: Judgement, when: str) -> str:
    """What does the same on the visitor's own machine; the name of the file is quoted for a shell."""
    plain = sent.name.rpartition("/")[2].rpartition("\\")[2]
    name = plain if plain and plain.isprintable() and not plain.startswith("-") else "code.txt"
    words = ["zhengtong", "verify", shlex.quote(name), "--trust", "trust"]
    if when == SIGNING:
        words += ["--at", "signing"]
    elif when == DAY:
        words += ["--at", local(found.report.at).isoformat(timespec="seconds")]
    if form in {Form.LICENCE, Form.QR}:
        words += ["--status", "status"] if when == NOW else ["--history", "past"]
    return " ".join(words)


def _claims(visit: Visit, found: Judgement) -> list[tuple[str, str]]:
    """What the file says, (label, value); the reports hold it only where the signer is known and nothing is altered."""
    titles = _titles(visit)
    if isinstance(found.report, VerificationReport):
        said: Any = found.report.licence.get("claims", {})
    elif isinstance(found.report, DocumentReport):
        said = found.report.facts
    else:
        said = {}
    named = ((_label(visit, name, titles), value) for name, value in _flat(said))
    return list(dict.fromkeys((label, value) for label, value in named if label))[:_MAX_CLAIMS]


def _flat(said: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for name, value in said.items():
        match value:
            case dict():
                yield from _flat(value)
            case list():
                for one in value:
                    if isinstance(one, dict):
                        yield from _flat(one)
            case bool():
                yield name, "✓" if value else "✗"
            case None | "":
                continue
            case str() if _INSTANT.fullmatch(value):
                yield name, f"{local(value):%Y-%m-%d %H:%M:%S} (UTC+8)"
            case _:
                yield name, str(value)


def _label(visit: Visit, name: str, titles: Mapping[str, tuple[str, str]]) -> str:
    known = CLAIMS.get(name) or titles.get(name)
    if known is not None:
        return visit.words(known) or name
    return name if name.startswith("KZ_") else ""


def _titles(visit: Visit) -> dict[str, tuple[str, str]]:
    """What the fields of faces are called; a city that issues no licences has no words for them."""
    try:
        kinds = offices.licensing(visit.request).kinds
    except HubError:
        return {}
    return {face.name: (face.title_en or face.title, face.title) for kind in kinds.values() for face in kind.face}


# --- a number -------------------------------------------------------------------------------------------------------


def _number(visit: Visit, text: str) -> dict[str, Any]:
    verdict, why, state = Verdict.INDETERMINATE, "", "unknown"
    try:
        stands = standing_of_number(visit.service.control, text, visit.now)
    except LicenceUnknownError as error:
        why = problems.unnamed(error.text(visit.lang))
    else:
        verdict = Verdict.PASSED if stands is Stands.VALID else Verdict.FAILED
        state = stands.value
        en, zh = stands.words
        why = visit.say(f"该证照目前的状态为：{zh}。", f"The licence is {en} now.")
    tone, en, zh = VERDICTS[verdict]
    return {"verdict": visit.say(zh, en), "tone": tone, "why": why, "state": state, "at": visit.now.isoformat()}


# --- what is kept of the portal itself ------------------------------------------------------------------------------


def _mark(visit: Visit, data: bytes) -> str:
    return hmac.new(_key(visit), data, hashlib.sha256).hexdigest()


def _key(visit: Visit) -> bytes:
    state = visit.request.app.state
    with _OPENING:
        known: bytes | None = getattr(state, "report_key", None)
        if known is None:
            known = state.report_key = Keyring(visit.service.settings.keys).secret(KEY)
    return known


def _rates(visit: Visit) -> _Rates:
    state = visit.request.app.state
    with _OPENING:
        known: _Rates | None = getattr(state, "verify_rates", None)
        if known is None:
            known = state.verify_rates = _Rates(
                Buckets(FILES_AT_ONCE, FILES_PER_S), Buckets(NUMBERS_AT_ONCE, NUMBERS_PER_S), threading.Lock()
            )
    return known
