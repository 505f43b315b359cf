"""E-materials (电子材料库): a department's papers, taken in once and reused in later cases.

What may be done with a paper is `hub.materials`'s. Whose it is stands in no address and on no page; a file is handed
out to whoever recorded a use of it, and each such use is in the log first.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, time
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlencode

from catalog.clock import SHANGHAI
from hub.materials import Materials, Paper, Use
from hub.materials.content import MAX_CONTENT_BYTES, SUFFIXES
from hub.materials.desk import FETCH_WITHIN
from hub.materials.errors import MaterialUnknownError
from hub.materials.words import STANDINGS, Standing, standing_of
from hub.people import Duty
from hub.portal import naming
from hub.portal.doors import Room
from hub.portal.errors import FormInvalidError
from hub.portal.verdicts import plainly
from hub.portal.visits import Download, Go, Shown
from licence.material_bundle import SUFFIX, judge_material
from licence.materials import ANY, Origin
from licence.report import Outcome, Verdict
from licence.trust import TrustStore

if TYPE_CHECKING:
    from collections.abc import Mapping

    from hub.portal.visits import Visit
    from licence.material_bundle import MaterialJudgement

ROOM = Room()
CLERKS: Final = frozenset({Duty.STAFF, Duty.REVIEWER, Duty.LICENCES, Duty.WINDOW})
PAGE: Final = 50
MAX_FILE_BYTES: Final = 24 * 1024 * 1024
FORM_BYTES: Final = 64 * 1024
TONES: Final[Mapping[Standing, str]] = {
    Standing.STANDS: "good",
    Standing.ENDED: "warn",
    Standing.VOID: "bad",
    Standing.GONE: "calm",
}
# (English, Chinese).
ORIGINS: Final[Mapping[str, tuple[str, str]]] = {
    Origin.HANDED_IN: ("handed in by the applicant", "申请人提交"),
    Origin.MADE: ("made by the department", "部门生成"),
}
# Tone, English, Chinese.
VERDICTS: Final[Mapping[Verdict, tuple[str, str, str]]] = {
    Verdict.PASSED: ("good", "genuine, and it may be used", "真实，可以使用"),
    Verdict.INDETERMINATE: ("warn", "cannot be decided", "无法判定"),
    Verdict.FAILED: ("bad", "do not use it", "不能使用"),
}
OUTCOMES: Final[Mapping[Outcome, tuple[str, str, str]]] = {
    Outcome.PASSED: ("good", "passed", "通过"),
    Outcome.FAILED: ("bad", "failed", "不通过"),
    Outcome.INDETERMINATE: ("warn", "cannot be decided", "无法判定"),
    Outcome.SKIPPED: ("calm", "not checked", "未检查"),
}
_FLAGS: Final = ("original_seen", "consent_free", "every_unit")
_TEXTS: Final = ("name", "matter", "holder", "case", "origin", "valid_until", "for_matters")


@ROOM.page("/materials", "materials.html", who=CLERKS)
def listed(visit: Visit) -> dict[str, Any]:
    """The papers that the department took in, and a form to look for those of a holder."""
    page, standing = visit.number("page", 1, least=1, most=10_000), visit.query("state")
    standing = standing if standing in set(Standing) else ""
    rows, total = _desk(visit).own_papers(
        visit.person.department,
        standing=Standing(standing) if standing else None,
        limit=PAGE,
        offset=(page - 1) * PAGE,
    )
    carried = _carried(visit)
    return {
        "items": [_paper(visit, row) for row in rows],
        "total": total,
        "page": page,
        "size": PAGE,
        "state": standing,
        "states": [(one.value, visit.words(words)) for one, words in STANDINGS.items()],
        "carried": carried,
        "matters": _matters(visit),
        "address": f"/materials?{urlencode({'state': standing, **carried})}&",
    }


@ROOM.page("/materials/find", "materials-find.html", who=CLERKS, json=False)
def finding(visit: Visit) -> dict[str, Any]:
    """Ask whose papers are looked for, and for which matter."""
    return _finding(visit)


@ROOM.step("/materials/find", again=finding, template="materials-find.html", who=CLERKS)
def find(visit: Visit) -> Shown:
    """The papers of a holder that the department took in or may reuse; that it looked is on record."""
    matter = visit.form.need("matter", "事项", "Matter", most=200)
    holder = visit.form.need("holder", "持有人代码", "Holder's identifier", most=64)
    rows = _desk(visit).find(actor=visit.actor, holder=holder, matter=matter)
    plain = _finding(visit) | {"found": [_paper(visit, row) for row in rows]}
    return Shown(plain, "materials-find.html")


@ROOM.page("/materials/new", "materials-new.html", who=CLERKS)
def taking(visit: Visit) -> dict[str, Any]:
    """Ask for a paper: the file, whose it is, where it comes from, and who may reuse it."""
    form, carried = visit.form, _carried(visit)
    given: dict[str, Any] = {name: form.text(name)[:2000] for name in _TEXTS} | {
        name: form.has(name) for name in _FLAGS
    }
    for name, value in carried.items():
        given[name] = given[name] or value
    chosen = form.texts("unit")
    return {
        "given": given,
        "origins": [(one.value, visit.words(ORIGINS[one])) for one in Origin],
        "matters": _matters(visit),
        "units": [
            {"code": one.code, "name": naming.department(visit, one.code), "ticked": one.code in chosen}
            for one in visit.list_.departments
            if one.code != visit.person.department
        ],
        "limit_mb": min(MAX_FILE_BYTES, MAX_CONTENT_BYTES) // 1024**2,
    }


@ROOM.step(
    "/materials/new",
    again=taking,
    template="materials-new.html",
    who=CLERKS,
    max_bytes=MAX_FILE_BYTES + FORM_BYTES,
)
def take(visit: Visit) -> Go:
    """Take a paper in: what it really is, is found by its content."""
    form, origin = visit.form, visit.form.text("origin") or Origin.HANDED_IN.value
    if origin not in set(Origin):
        raise FormInvalidError(where="Origin", where_zh="来源", why="choose one", why_zh="请选择")
    lines = tuple(dict.fromkeys(line.strip() for line in form.text("for_matters").splitlines() if line.strip()))
    paper = Paper(
        name=form.need("name", "材料名称", "Name", most=200),
        matter=form.need("matter", "事项", "Matter", most=200),
        case=form.text("case")[:201],
        origin=Origin(origin),
        original_seen=form.has("original_seen"),
        units=(ANY,) if form.has("every_unit") else tuple(dict.fromkeys(form.texts("unit"))),
        matters=lines,
        needs_consent=not form.has("consent_free"),
        valid_until=_end(visit),
    )
    holder = form.need("holder", "持有人代码", "Holder's identifier", most=64)
    taken = _desk(visit).add(_file(visit), paper, holder=holder, actor=visit.actor)
    return Go(f"/materials/{taken['identifier']}", visit.say("已入库并记入日志。", "Taken in, and in the log."))


@ROOM.page("/materials/{id}", "materials-one.html", who=CLERKS)
def one(visit: Visit) -> dict[str, Any]:
    """A paper: provenance, validity, who may reuse it, and what it was reused for."""
    return _one(visit)


@ROOM.step("/materials/{id}/reuse", again=one, template="materials-one.html", who=CLERKS)
def reuse(visit: Visit) -> Go:
    """Record a use in a case; the file can then be fetched."""
    form, id_ = visit.form, _id(visit)
    use = Use(
        form.need("matter", "事项", "Matter", most=200),
        form.need("case", "办件编号", "Case", most=200),
        form.need("purpose", "用途", "Purpose", most=500),
        consent=form.has("consent"),
    )
    done = _desk(visit).reuse(id_, use, actor=visit.actor)
    said = visit.say(
        f"已记录第 {done['use']} 号复用，可在下方取出文件。", f"Use {done['use']} is recorded; fetch the file below."
    )
    return Go(f"/materials/{id_}", said)


@ROOM.page("/materials/{id}/uses/{use}", "materials-one.html", who=CLERKS, json=False)
def fetch(visit: Visit) -> Download:
    """The file, for the department that recorded this use, while that is fresh."""
    id_, use = _id(visit), visit.path["use"]
    if not (use.isascii() and use.isdigit() and len(use) < 10):  # noqa: PLR2004 - of 32 bits
        raise MaterialUnknownError(material=id_)
    content, media_type = _desk(visit).fetch(id_, int(use), department=visit.person.department)
    return Download(content, media_type, f"{id_}{SUFFIXES[media_type]}")


@ROOM.page("/materials/{id}/record", "materials-one.html", who=CLERKS, json=False)
def record(visit: Visit) -> Download:
    """The record by which anybody verifies the file."""
    bundle = _desk(visit).bundle(_id(visit), department=visit.person.department)
    return Download(bundle.to_json().encode(), "application/json", f"{_id(visit)}{SUFFIX}")


@ROOM.step(
    "/materials/{id}/verify",
    again=one,
    template="materials-one.html",
    who=CLERKS,
    max_bytes=MAX_FILE_BYTES + FORM_BYTES,
)
def verify(visit: Visit) -> Shown:
    """Judge a file that was sent by the paper's record, or, where none was, the file in the store."""
    desk, id_, here = _desk(visit), _id(visit), visit.person.department
    files = visit.form.files.get("file", ())
    if files:
        content, bundle = files[-1].data, desk.bundle(id_, department=here)
    else:
        content, bundle = desk.own(id_, department=here)
    report = judge_material(content, bundle, TrustStore.load(visit.service.settings.trust), visit.now)
    return Shown(_one(visit) | {"judged": _judged(visit, report, sent=bool(files))}, "materials-one.html")


@ROOM.step("/materials/{id}/void", again=one, template="materials-one.html", who=CLERKS)
def void(visit: Visit) -> Go:
    """Declare it void, for good."""
    id_ = _id(visit)
    _desk(visit).void(id_, reason=visit.form.need("reason", "作废事由", "Reason", most=500), actor=visit.actor)
    return Go(f"/materials/{id_}", visit.say("材料已作废。", "The paper is void."))


# --- inside ---------------------------------------------------------------------------------------------------------


def _finding(visit: Visit) -> dict[str, Any]:
    carried = _carried(visit)
    return {
        "given": {"matter": visit.form.text("matter")[:200] or carried.get("matter", "")},
        "carried": carried,
        "matters": _matters(visit),
        "found": None,
    }


def _one(visit: Visit) -> dict[str, Any]:
    row, here = _shown(visit), visit.person.department
    standing, own = standing_of(row, visit.now), row["unit"] == here
    carried = _carried(visit)
    fetched_from = visit.now - FETCH_WITHIN
    return {
        **_paper(visit, row),
        "own": own,
        "digest": row["digest"],
        "media_type": row["media_type"],
        "bytes": row["size_bytes"],
        "origin": visit.words(ORIGINS[row["origin"]]),
        "case": row["case"],
        "taken_by": row["taken_by"],
        "original_seen": row["original_seen"],
        "reusers": [naming.department(visit, code) for code in row["units"]],
        "for_matters": [naming.matter(visit, code) for code in row["matters"]],
        "needs_consent": row["needs_consent"],
        "voided_at": row["voided_at"],
        "void_reason": row["void_reason"],
        "erased_at": row["erased_at"],
        "entry": row["entry"],
        "can_reuse": standing is Standing.STANDS,
        "can_void": own and not row["voided_at"],
        "can_verify": not row["erased_at"],
        "fetch_hours": int(FETCH_WITHIN.total_seconds()) // 3600,
        "uses": [
            {
                "use": use["use"],
                "at": use["at"],
                "by": use["by"],
                "matter": naming.matter(visit, use["matter"]),
                "case": use["case"],
                "purpose": use["purpose"],
                "consent": use["consent"],
                "entry": use["entry"],
                "open": use["unit"] == here
                and not row["erased_at"]
                and datetime.fromisoformat(use["at"]) >= fetched_from,
            }
            for use in reversed(row["uses"])
        ],
        "given": {
            **{name: visit.form.text(name)[:500] or carried.get(name, "") for name in ("matter", "case")},
            **{name: visit.form.text(name)[:500] for name in ("purpose", "reason")},
        },
        "matters": _matters(visit),
        "judged": None,
    }


def _desk(visit: Visit) -> Materials:
    return Materials(visit.office)


def _id(visit: Visit) -> str:
    return visit.path["id"][:64]


def _shown(visit: Visit) -> dict[str, Any]:
    return _desk(visit).show(_id(visit), department=visit.person.department)


def _carried(visit: Visit) -> dict[str, str]:
    """The case and matter that somebody comes with, from the page of a case."""
    return {name: value for name in ("case", "matter") if (value := visit.query(name))}


def _matters(visit: Visit) -> list[dict[str, str]]:
    """The matters of the department, to choose from; others may be written."""
    own = [one for one in visit.list_.matters if one.department == visit.person.department]
    return [{"code": one.code, "name": naming.matter(visit, one.code)} for one in own]


def _paper(visit: Visit, row: Mapping[str, Any]) -> dict[str, Any]:
    standing = standing_of(row, visit.now)
    return {
        "identifier": row["identifier"],
        "name": row["name"],
        "department_name": naming.department(visit, row["unit"]),
        "matter_name": naming.matter(visit, row["matter"]),
        "taken_at": row["taken_at"],
        "valid_from": row["valid_from"],
        "valid_until": row["valid_until"],
        "state": standing.value,
        "state_name": visit.words(STANDINGS[standing]),
        "tone": TONES[standing],
    }


def _judged(visit: Visit, report: MaterialJudgement, *, sent: bool) -> dict[str, Any]:
    tone, *words = VERDICTS[report.verdict]
    titles = {name: (zh, en) for name, zh, en in report.names}
    steps = []
    for step in report.steps:
        step_tone, *outcome = OUTCOMES[step.outcome]
        steps.append(
            {
                "title": visit.say(*titles[step.name]),
                "text": plainly(step.text(visit.lang)),
                "tone": step_tone,
                "outcome": visit.words((outcome[0], outcome[1])),
            }
        )
    return {"tone": tone, "verdict": visit.words((words[0], words[1])), "sent": sent, "steps": steps}


def _file(visit: Visit) -> bytes:
    files = visit.form.files.get("file", ())
    if not files:
        raise FormInvalidError(where="File", where_zh="文件", why="choose one", why_zh="请选择文件")
    return files[-1].data


def _end(visit: Visit) -> datetime | None:
    """The end of the last day on which it may be used; None: it has no end."""
    text = visit.form.text("valid_until")
    if not text:
        return None
    try:
        return datetime.combine(date.fromisoformat(text), time(23, 59, 59), SHANGHAI).astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise FormInvalidError(
            where="Valid until",
            where_zh="有效期至",
            why="give a day as 2026-07-01",
            why_zh="请按 2026-07-01 的格式填写",
        ) from error
