"""Verifying for anyone: files, the text or picture of a code, or a number in, a verdict out; nothing sent is kept.

Judging is `hub.licensing.judging`'s. The report goes to the visitor whole, with a mark by which this portal knows its
own report again when it is sent back to be printed: so nothing need be kept for that either.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import threading
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from typing import TYPE_CHECKING, Any, Final

from catalog.clock import SHANGHAI
from hub.api import problems
from hub.api.licence_trust import past_of
from hub.api.limits import Buckets
from hub.errors import LicenceUnknownError, NotFoundError
from hub.keyring import Keyring
from hub.licensing.judging import Stands, is_number, judged, list_named, standing_of_number
from hub.portal.doors import EVERYONE, Room
from hub.portal.errors import FormInvalidError, PictureRefusedError, TooManyVisitsError
from hub.portal.forms import Upload
from hub.portal.pictures import can_read, is_picture, texts_in
from hub.portal.printing import can_print, report_pdf
from hub.portal.verdicts import DAY, NOW, SIGNING, VERDICTS, page_of, paper_of
from hub.portal.visits import Download, Shown
from hub.portal.words import quoted
from licence.errors import FormatError
from licence.report import Verdict
from licence.trust import TrustStore
from licence.verifying import signing_time

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from hub.errors import HubError
    from hub.licensing.judging import Judgement
    from hub.portal.visits import Visit

ROOM = Room()
# A document of some hundred pages with its seals; the library bounds what it unpacks of it.
MAX_FILE_BYTES: Final = 24 * 1024 * 1024
MAX_REPORT_BYTES: Final = 4 * 1024 * 1024
# Files that are judged at once; each counts against what one address may ask.
MAX_BATCH: Final = 10
# Of one address: files cost some tenths of a second each; numbers run on, so that nobody may go through them all.
FILES_AT_ONCE, FILES_PER_S = 30, 0.5
NUMBERS_AT_ONCE, NUMBERS_PER_S = 20, 0.2
KEY: Final = "portal-reports"
_SAVED: Final = "verification"
_OPENING = threading.Lock()


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
        "most": MAX_BATCH,
        "pictures": can_read(),
    }


@ROOM.step("/verify", again=asked, template="verify.html", who=EVERYONE, max_bytes=MAX_FILE_BYTES)
def verify(visit: Visit) -> Shown:
    """Judge what was sent."""
    files = _sent(visit)
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
    sent = files or [Upload("", text.encode("utf-8", "surrogatepass"))]
    for _ in sent:
        rates.take(rates.files, who)
    if len(sent) > 1:
        return Shown(_batch(visit, sent), "verify-batch.html")
    if not is_picture(sent[0].data):
        return Shown(_result(visit, sent[0]), "verify-result.html")
    texts = texts_in(sent[0].data)
    if len(texts) > 1:
        return Shown(_batch(visit, sent), "verify-batch.html")
    if is_number(texts[0]):
        rates.take(rates.numbers, who)
        return Shown(_number(visit, texts[0]), "verify-number.html")
    return Shown(_result(visit, _read(texts[0]), picture=sent[0].name), "verify-result.html")


@ROOM.step("/verify/report", again=asked, template="verify.html", who=EVERYONE, max_bytes=MAX_REPORT_BYTES)
def report(visit: Visit) -> Download:
    """Give a report of ours as a file: as JSON, or set on paper."""
    kept, mark = visit.form.text("report"), visit.form.text("mark")
    if not hmac.compare_digest(_mark(visit, kept.encode()).encode(), mark.encode("utf-8", "surrogatepass")):
        raise FormInvalidError(
            where="report", where_zh="报告", why="it is none of this portal", why_zh="不是本平台出具的报告"
        )
    parts = json.loads(base64.b64decode(kept))
    if visit.form.text("as") == "pdf" and parts["page"] is not None and can_print():
        return Download(report_pdf(parts["page"]), "application/pdf", f"{_SAVED}.pdf")
    return Download(parts["report"].encode(), "application/json", f"{_SAVED}.json")


# --- several files --------------------------------------------------------------------------------------------------


def _batch(visit: Visit, sent: Sequence[Upload]) -> dict[str, Any]:
    """Each file by itself; of a picture each code that is in it. What cannot be judged hinders no other."""
    pages: list[dict[str, Any]] = []
    reports: list[dict[str, Any]] = []
    for one in sent:
        try:
            found = [_read(text) for text in texts_in(one.data)] if is_picture(one.data) else [one]
        except PictureRefusedError as error:
            pages.append(_undecided(visit, one, error))
            reports.append({"file": one.name, "verdict": None, "why": error.text(visit.lang)})
            continue
        for each in found:
            picture = one.name if each is not one else ""
            page, report = _judged(visit, each, picture)
            pages.append(page)
            reports.append(report)
    counts = [
        {"tone": tone, "name": visit.say(zh, en), "count": sum(one["tone"] == tone for one in pages)}
        for tone, en, zh in VERDICTS.values()
    ]
    whole = json.dumps({"at": visit.now.isoformat(), "files": reports}, ensure_ascii=False, indent=2)
    return {"files": pages, "counts": counts, **_kept(visit, None, whole)}


def _judged(visit: Visit, sent: Upload, picture: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """The page's part about a file of several, and its part of the report."""
    named = {"file": picture or sent.name, "sha256": hashlib.sha256(sent.data).hexdigest()}
    try:
        at, when = _moment(visit, sent.data)
    except FormatError as error:
        return _undecided(visit, sent, error), {**named, "verdict": None, "why": error.text(visit.lang)}
    found = _judge(visit, sent, at, when)
    page = page_of(visit, sent, found, when, picture)
    return page, {**named, "verdict": found.verdict.value, "report": json.loads(found.report.to_json())}


def _undecided(visit: Visit, sent: Upload, error: HubError | FormatError) -> dict[str, Any]:
    tone, en, zh = VERDICTS[Verdict.INDETERMINATE]
    return {"file_name": sent.name, "picture": "", "tone": tone, "verdict": visit.say(zh, en), "parts": []} | {
        "why": quoted(error.text(visit.lang))
    }


def _read(text: str) -> Upload:
    return Upload("", text.encode("utf-8", "surrogatepass"))


def _sent(visit: Visit) -> list[Upload]:
    """The files of the form. Raises: FormInvalidError: more than are judged at once."""
    files = list(visit.form.files.get("file", ()))
    if len(files) > MAX_BATCH:
        raise FormInvalidError(
            where="Files", where_zh="文件", why=f"at most {MAX_BATCH} at once", why_zh=f"一次最多 {MAX_BATCH} 个"
        )
    return files


# --- a file ---------------------------------------------------------------------------------------------------------


def _result(visit: Visit, sent: Upload, *, picture: str = "") -> dict[str, Any]:
    at, when = _moment(visit, sent.data)
    found = _judge(visit, sent, at, when)
    page = page_of(visit, sent, found, when, picture)
    return {**page, "one": page, **_kept(visit, paper_of(visit, page), found.report.to_json())}


def _judge(visit: Visit, sent: Upload, at: datetime, when: str) -> Judgement:
    past, histories = _past(visit, sent.data, at) if when != NOW else ((), ())
    return judged(visit.service, sent.data, at, past_tokens=past, histories=histories)


def _kept(visit: Visit, page: Mapping[str, Any] | None, report: str) -> dict[str, Any]:
    """What the visitor sends back to get the report as a file; *page* None: it is not for paper."""
    kept = base64.b64encode(json.dumps({"page": page, "report": report}, ensure_ascii=False).encode()).decode()
    return {"kept": kept, "mark": _mark(visit, kept.encode()), "can_print": page is not None and can_print()}


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


# --- a number -------------------------------------------------------------------------------------------------------


def _number(visit: Visit, text: str) -> dict[str, Any]:
    verdict, why, state = Verdict.INDETERMINATE, "", "unknown"
    try:
        stands = standing_of_number(visit.service.control, text, visit.now)
    except LicenceUnknownError as error:
        why = quoted(problems.unnamed(error.text(visit.lang)))
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
