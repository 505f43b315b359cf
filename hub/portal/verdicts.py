"""What a page of verification says of a file: the verdict, the steps, what it says of itself, and a command to redo it.

Judging is `hub.licensing.judging`'s; asking for it, `hub.portal.rooms.verify`'s.
"""

from __future__ import annotations

import hashlib
import re
import shlex
from typing import TYPE_CHECKING, Any, Final

from hub.api import offices
from hub.errors import HubError
from hub.portal.words import local, quoted
from licence.report import Verdict, VerificationReport
from licence.verifying import recognise
from licence.verifying.report import DocumentReport, Form, told

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from hub.licensing.judging import Judgement
    from hub.portal.forms import Upload
    from hub.portal.visits import Visit

# As of when: now, when it was signed, or the end of a day.
NOW, SIGNING, DAY = "now", "signing", "day"
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


def plainly(text: str) -> str:
    """*text* for reading: instants by the city's clocks, as everything else of the page, and quotation marks."""
    return quoted(_INSTANT.sub(_instant, text))


def _instant(found: re.Match[str]) -> str:
    # A note may repeat what a hostile file says: month 99, or a year that has no day eight hours later.
    try:
        return f"{local(found[0]):%Y-%m-%d %H:%M:%S}"
    except (ValueError, OverflowError):
        return found[0]


def page_of(visit: Visit, sent: Upload, found: Judgement, when: str, picture: str = "") -> dict[str, Any]:
    """What the page says of *sent*, as of *when*; *picture* is the name of the one that it was read from."""
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
    sentence, why = plainly(sentence), plainly(why)
    form = recognise(sent.data)
    return {
        "verdict": visit.say(zh, en),
        "indication": found.verdict.value,
        "tone": tone,
        "why": why[:1].upper() + why[1:],
        "sentence": "" if deciding is None else sentence[:1].upper() + sentence[1:],
        "file_name": sent.name,
        "picture": picture,
        "text": sent.data.decode("utf-8", "replace") if picture else "",
        "size": len(sent.data),
        "sha256": hashlib.sha256(sent.data).hexdigest(),
        "form": visit.words(FORMS[form]),
        "at": found.report.at.isoformat(),
        "when": when,
        "trust_list": found.trust_list,
        "fault": "" if found.fault is None else plainly(found.fault.text(visit.lang)),
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
                        "text": plainly(step.text),
                        "notes": [plainly(note) for note in step.notes],
                    }
                    for step in part.steps
                ],
            }
            for part in told(found.report, visit.lang)
        ],
        "claims": [list(pair) for pair in _claims(visit, found)],
        "command": _command(sent, form, found, when),
    }


def paper_of(visit: Visit, page: Mapping[str, Any]) -> dict[str, Any]:
    """What is set on paper of *page*."""
    facts = [
        (visit.say("文件", "File"), page["file_name"] or page["picture"]),
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
