"""The responsibility list (责任清单) on its way into force: versions, their differences, drafts, review, publication.

What a step does is `hub.drafts`'; a department's own edits are made in `hub.portal.rooms.drafting`.
"""

from __future__ import annotations

from functools import lru_cache
from pathlib import PurePath
from typing import TYPE_CHECKING, Any, Final

from catalog.changes import WEIGHTS, Weight
from catalog.diff import compare
from catalog.errors import ListInvalidError, ListUnreadableError
from catalog.impact import impact, summary
from catalog.load import MAX_FILE_MIB, SUFFIXES
from catalog.model import EVERYONE as ANY
from catalog.review import KIND
from hub import drafts, exports
from hub.casewords import CASE_STATES, state_text
from hub.dependents import gather
from hub.errors import HubError, ListMissingError, NotFoundError
from hub.people import Duty
from hub.portal import naming, terms
from hub.portal.doors import Room
from hub.portal.errors import FormInvalidError
from hub.portal.rooms.requests import clock, need_duty
from hub.portal.visits import Download, Go, Shown
from hub.portal.words import quoted
from hub.published import list_version, versions
from hub.publishing import publish_draft
from hub.requested import progress

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from catalog.diff import ListDiff
    from catalog.faults import Fault
    from catalog.model import ResponsibilityList
    from catalog.review import Draft
    from hub.cases import Case
    from hub.portal.visits import Visit
    from hub.settings import Settings

ROOM = Room()
# As the API's doors have it; whole lists name the systems that they are read from.
MEMBERS: Final = frozenset({Duty.REVIEWER, Duty.OFFICE, Duty.AUDITOR})
READERS: Final = MEMBERS | {Duty.STAFF}
CHANGES: Final = 50
VERSIONS: Final = 20
FAULTS: Final = 200
STEP_WORDS: Final[Mapping[str, tuple[str, str]]] = {
    "submit": ("报送", "handed in"),
    "resubmit": ("重新报送", "handed in again"),
    "approve": ("审核通过", "found right"),
    "return": ("退回", "returned"),
    "object": ("提出异议", "objected to"),
    "withdraw": ("撤回", "withdrawn"),
    "published": ("发布", "published"),
}
TONES: Final[Mapping[Weight, str]] = {
    Weight.BREAKING: "bad",
    Weight.NARROWING: "warn",
    Weight.WIDENING: "good",
    Weight.NEUTRAL: "calm",
}


# --- Versions ------------------------------------------------------------------------------------------------------


@ROOM.page("/lists", "lists.html", who=READERS)
def listed(visit: Visit) -> dict[str, Any]:
    """The drafts on their way, for those who review, and the versions that are or were in force."""
    known, page = versions(visit.office.control), visit.number("page", 1, least=1, most=10_000)
    first = (page - 1) * VERSIONS
    here = known[first : first + VERSIONS]
    before = [one.version for one in known[first + 1 : first + VERSIONS + 1]]
    return {
        "drafts": [_draft(visit, case) for case in drafts.find(visit.office, open_=True)] if _reviews(visit) else [],
        "reviews": _reviews(visit),
        "may_submit": visit.has(Duty.OFFICE),
        "may_draft": visit.has(Duty.STAFF, Duty.REVIEWER),
        "page": page,
        "size": VERSIONS,
        "total": len(known),
        "versions": [
            {
                "version": one.version,
                "current": one.status == drafts.CURRENT,
                "published_at": one.published_at.isoformat(),
                "published_by": one.published_by,
                "entry": one.log_index,
                "before": before[number] if number < len(before) else "",
            }
            for number, one in enumerate(here)
        ],
    }


def _reviews(visit: Visit) -> bool:
    return visit.has(*MEMBERS)


@ROOM.page("/lists/diff", "lists-diff.html", who=MEMBERS)
def differences(visit: Visit) -> dict[str, Any]:
    """What one version changes in another, the heaviest first."""
    office = visit.office
    old = _resolved(visit, visit.query("old") or drafts.PREVIOUS)
    new = _resolved(visit, visit.query("new") or drafts.CURRENT)
    compared = difference(office.settings, old.version, new.version)
    return {
        "old": old.version,
        "new": new.version,
        **changes_of(visit, compared, f"/lists/diff?old={old.version}&new={new.version}&"),
    }


def _resolved(visit: Visit, reference: str) -> ResponsibilityList:
    try:
        return drafts.resolve(visit.office, reference)
    except ListMissingError as error:
        raise NotFoundError from error


@lru_cache(maxsize=8)
def difference(settings: Settings, old: str, new: str) -> ListDiff:
    """The difference of two stored lists (*old* "": none): both never change, and a city's take seconds to compare."""
    return compare(list_version(settings, old) if old else None, list_version(settings, new))


def changes_of(visit: Visit, compared: ListDiff, address: str) -> dict[str, Any]:
    """A page of the changes, the heaviest first, for the macro ``changes``."""
    weight = next((one for one in Weight if one.value == visit.query("weight")), None)
    order = list(Weight)
    found = [one for one in compared.changes if weight is None or one.weight is weight]
    found.sort(key=lambda one: order.index(one.weight))
    page = visit.number("page", 1, least=1, most=10_000)
    return {
        "counts": [
            {
                "key": one.value,
                "name": visit.words(WEIGHTS[one]),
                "count": compared.counts()[one.value],
                "tone": TONES[one],
                "chosen": one is weight,
            }
            for one in Weight
        ],
        "weight": weight.value if weight is not None else "",
        "changes": [
            {
                "tone": TONES[one.weight],
                "weight": visit.words(WEIGHTS[one.weight]),
                "text": quoted(one.text(visit.lang)),
                "departments": [naming.department(visit, code) for code in one.departments],
            }
            for one in found[(page - 1) * CHANGES : page * CHANGES]
        ],
        "total": len(found),
        "page": page,
        "size": CHANGES,
        "address": address,
    }


@ROOM.page("/lists/versions/{reference}/workbook", "lists.html", who=MEMBERS, json=False)
def workbook(visit: Visit) -> Download:
    """A version or a draft as the workbook that an office edits."""
    found = _resolved(visit, visit.path["reference"][:100])
    form = exports.FORMATS["xlsx"]
    data = exports.export(visit.office, found, "xlsx", server_url="")
    return Download(data, form.media_type, f"list-{found.version[7:19]}{form.suffix}")


# --- Handing one in ------------------------------------------------------------------------------------------------


@ROOM.page("/lists/new", "lists-new.html", who=frozenset({Duty.OFFICE}), json=False)
def asked(visit: Visit) -> dict[str, Any]:
    """Ask for the file."""
    return _asked(visit, ())


def _asked(visit: Visit, faults: Sequence[Fault], *, sound: bool = False) -> dict[str, Any]:
    return {
        "faults": [_fault(visit, one) for one in faults[:FAULTS]],
        "faults_more": max(0, len(faults) - FAULTS),
        "errors": sum(one.severity == "error" for one in faults),
        "sound": sound,
        "suffixes": list(SUFFIXES),
        "most_mib": MAX_FILE_MIB,
        "draft": visit.form.text("draft")[:40] or visit.query("draft")[:40],
    }


def _fault(visit: Visit, one: Fault) -> dict[str, Any]:
    wrong = one.severity == "error"
    return {
        "where": one.where,
        "to": "",
        "tone": "bad" if wrong else "warn",
        "severity": visit.say("须改正", "to mend") if wrong else visit.say("提示", "note"),
        "text": quoted(one.text(visit.lang)),
    }


@ROOM.step(
    "/lists/new",
    again=asked,
    template="lists-new.html",
    who=frozenset({Duty.OFFICE}),
    max_bytes=(MAX_FILE_MIB + 1) << 20,
)
def submit(visit: Visit) -> Go | Shown:
    """Check the file, every fault in one pass; hand it in, unless checking was all that was asked."""
    files = visit.form.files.get("file", ())
    name = PurePath(files[-1].name).name if files else ""
    suffix = PurePath(name).suffix.lower()
    if not files or suffix not in SUFFIXES:
        known = ", ".join(SUFFIXES)
        raise FormInvalidError(
            where="File", where_zh="文件", why=f"choose one of {known}", why_zh=f"请选择 {known} 文件"
        )
    try:
        list_, findings = drafts.read(visit.office, (files[-1].data, suffix, name))
    except ListInvalidError as error:
        return Shown(_asked(visit, error.faults), status=422)
    except ListUnreadableError as error:
        text = error.text(visit.lang).rstrip("。.")
        raise FormInvalidError(where="File", where_zh="文件", why=text, why_zh=text) from error
    if visit.form.text("only") == "check":
        return Shown(_asked(visit, (), sound=True))
    office, id_ = visit.office, visit.form.text("draft")[:40]
    if id_:
        case = drafts.resubmit(office, id_, list_, actor=visit.actor, file=name[:200], findings=findings)
    else:
        case = drafts.submit(office, list_, actor=visit.actor, file=name[:200], findings=findings)
    return Go(f"/lists/drafts/{case.id}", visit.say("草案已报送，待审核。", "It is handed in and waits for review."))


# --- A draft -------------------------------------------------------------------------------------------------------


def _draft(visit: Visit, case: Case) -> dict[str, Any]:
    draft, running = drafts.draft_of(case), progress(visit.office, case)
    by = draft.drawn_by[-1]
    return {
        "id": case.id,
        "revision": case.revision,
        "title": draft.title,
        "state": case.state,
        "state_word": state_text("list", case.state, visit.lang),
        "drawn_by": by,
        "from_name": naming.department(visit, by.partition(":")[0]),
        "weights": [
            {"name": visit.words(WEIGHTS[Weight(name)]), "count": count} for name, count in draft.counts if count
        ],
        "answerer_name": naming.department(visit, case.answerer) if case.answerer else "",
        "updated_at": case.updated_at.isoformat(),
        "clock": None
        if running is None
        else clock(visit, {"left": running.left, "day": running.day, "of": running.of, "due": running.due.isoformat()}),
    }


@ROOM.page("/lists/drafts/{id}", "lists-draft.html", who=READERS)
def shown(visit: Visit) -> dict[str, Any]:
    """One draft: what it changes, whom that hits, what the checks say, and the steps that the visitor may take."""
    case = visit.office.cases.get(visit.path["id"][:40], KIND)
    draft = drafts.draft_of(case)
    if not _reviews(visit) and visit.person.department not in _drawers(draft):
        need_duty(visit, *MEMBERS)
    compared = difference(visit.office.settings, draft.predecessor, draft.version)
    return {
        **_draft(visit, case),
        "version": draft.version,
        "predecessor": draft.predecessor,
        "file": draft.file,
        **changes_of(visit, compared, f"/lists/drafts/{case.id}?"),
        "loses": _loses(visit, draft, compared) if case.open else "",
        "warnings": [
            {"where": one.where, "text": quoted(one.zh if visit.lang == "zh" else one.en)} for one in draft.warnings
        ],
        "warning_count": draft.warning_count,
        "note": draft.note,
        "objections": [
            {
                "name": naming.department(visit, one.department),
                "note": one.note,
                "old": one.version != draft.version,
            }
            for one in draft.objections
        ],
        "outdated": case.open and draft.predecessor != visit.list_.version,
        "steps": [step for step in draft.possible if _may(visit, draft, step)],
        "step": visit.path.get("step", ""),
        "may_download": _reviews(visit),
        "history": [
            {
                "at": step.at.isoformat(),
                "actor": step.actor,
                "word": visit.say(*STEP_WORDS.get(step.step, (step.step, step.step))),
                "state_word": visit.words(CASE_STATES["list"][step.state]),
                "note": step.note,
                "log_index": step.log_index,
            }
            for step in visit.office.cases.history(case.id)
        ],
    }


def _drawers(draft: Draft) -> set[str]:
    return {by.partition(":")[0] for by in draft.drawn_by}


def _loses(visit: Visit, draft: Draft, compared: ListDiff) -> str:
    """In a sentence, what who holds or asked for something would lose."""
    try:
        new = list_version(visit.office.settings, draft.version)
        return summary(impact(compared, new, gather(visit.office, visit.list_), old=visit.list_), visit.lang)
    except HubError:
        # What depends on the list must be mended first, which its own pages say; the draft can be read nevertheless.
        return ""


def _may(visit: Visit, draft: Draft, step: str) -> bool:
    """Whether the visitor would be let take *step*; the step itself asks again."""
    department, by = visit.person.department, str(visit.actor)
    match step:
        case "approve":
            return visit.has(Duty.OFFICE) and department == draft.office and by not in draft.drawn_by
        case "object":
            touched = ANY in draft.touched or department in draft.touched
            return visit.has(Duty.REVIEWER, Duty.OFFICE) and touched
        case "withdraw":
            own = visit.has(Duty.STAFF, Duty.REVIEWER) and department in _drawers(draft)
            return own or (visit.has(Duty.OFFICE) and department == draft.office)
    return visit.has(Duty.OFFICE) and department == draft.office


@ROOM.step("/lists/drafts/{id}/{step}", again=shown, template="lists-draft.html", who=READERS)
def act(visit: Visit) -> Go:
    """Take a step of a draft."""
    step, id_ = visit.path["step"], visit.path["id"][:40]
    if step not in _STEPS:
        raise NotFoundError
    duties, said = _STEPS[step]
    need_duty(visit, *duties)
    office, actor, note = visit.office, visit.actor, visit.form.text("note")
    revision = terms.number(visit.form, "revision", "修订", "Revision")
    match step:
        case "publish":
            publish_draft(office, id_, actor=actor, revision=revision)
        case "resubmit":
            drafts.resubmit(office, id_, actor=actor, revision=revision)
        case _:
            _NOTED[step](office, id_, actor=actor, note=note, revision=revision)
    return Go(f"/lists/drafts/{id_}", visit.say(*said))


_NOTED: Final[Mapping[str, Callable[..., Case]]] = {
    "approve": drafts.approve,
    "return": drafts.send_back,
    "object": drafts.object_to,
    "withdraw": drafts.withdraw,
}
_STEPS: Final[Mapping[str, tuple[tuple[Duty, ...], tuple[str, str]]]] = {
    "approve": ((Duty.OFFICE,), ("已审核通过，可发布。", "Found right; it can be published.")),
    "return": ((Duty.OFFICE,), ("已退回，报送方已获通知。", "Returned; who handed it in was told.")),
    "object": ((Duty.REVIEWER, Duty.OFFICE), ("异议已记录。", "The objection is on record.")),
    "withdraw": ((Duty.STAFF, Duty.REVIEWER, Duty.OFFICE), ("已撤回。", "Withdrawn.")),
    "resubmit": ((Duty.OFFICE,), ("已重新报送，对照现行清单审核。", "Handed in again, against the list in force.")),
    "publish": ((Duty.OFFICE,), ("清单已发布生效，相关部门已获通知。", "It is in force; those concerned were told.")),
}
