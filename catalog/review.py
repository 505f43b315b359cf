"""A draft of the list under review, from submission to publication: values and steps.

What it changes is found by `catalog.diff`; storing lists, keeping cases and publishing are left to `hub`. A post that
acts is a text ``DEPARTMENT:POST``.

    submitted ──approve──▶ approved ──publish──▶ published
    submitted, approved ──return──▶ returned
    submitted, approved, returned ──resubmit──▶ submitted (mended, or drawn up against the list in force now)
    submitted, approved, returned ──withdraw──▶ withdrawn
    submitted, approved ──object──▶ the same, with a note of a department that it touches
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Final

from catalog.eligibility import check_text
from catalog.model import EVERYONE
from catalog.parts import only_of
from catalog.steps import (
    CaseInvalidError,
    NotYoursError,
    SameHandsError,
    StepNotAllowedError,
    problem,
    register_problems,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from catalog.diff import ListDiff
    from catalog.model import ResponsibilityList

KIND: Final = "list"
REVIEW_CLOCK: Final = "list.review"
MAX_NOTE_CHARS: Final = 2_000
MAX_OBJECTIONS: Final = 200
# The findings kept with the draft; the list itself is kept whole and can be checked again.
MAX_WARNINGS: Final = 100

register_problems(
    {
        "draft_in_force": (
            "this list is in force already ({version}); there is nothing to review",
            "该清单即现行版本（{version}），无需审核",
        ),
        "draft_waiting": (
            "draft `{case}` holds the same list and is being reviewed; go on with that one",
            "草案 `{case}` 内容相同，正在审核，请继续办理该草案",
        ),
        "note_missing": ("give a reason, for the other side to act on", "请填写理由，便于对方处理"),
        "note_too_long": (
            "{length} characters, {limit} are the most; shorten it",
            "共 {length} 字，最多 {limit} 字，请缩短",
        ),
        "objection_unanswered": (
            "{departments} objected; approve with a note that answers, or return the draft",
            "{departments} 提出了异议，请附说明后同意，或退回修改",
        ),
        "objections_too_many": (
            "{limit} objections were made already; talk to the office",
            "异议已达 {limit} 条，请与数据主管部门沟通",
        ),
    }
)


class State(StrEnum):
    """Where a draft stands. A published one is, as a version, current or superseded: that is no step of the draft."""

    SUBMITTED = "submitted"
    RETURNED = "returned"
    APPROVED = "approved"
    PUBLISHED = "published"
    WITHDRAWN = "withdrawn"


OPEN: Final = (State.SUBMITTED, State.RETURNED, State.APPROVED)
_STEPS: Final[dict[str, tuple[State, ...]]] = {
    "approve": (State.SUBMITTED,),
    "return": (State.SUBMITTED, State.APPROVED),
    "object": (State.SUBMITTED, State.APPROVED),
    "resubmit": OPEN,
    "withdraw": OPEN,
    "publish": (State.APPROVED,),
}


@dataclass(frozen=True, slots=True)
class Objection:
    """What a department that the draft touches has against it; *version* is the draft as it was then."""

    department: str
    by: str
    note: str
    version: str


@dataclass(frozen=True, slots=True)
class Finding:
    """A warning of the loader, in both languages."""

    where: str
    code: str
    en: str
    zh: str


@dataclass(frozen=True, slots=True)
class Draft:
    """A draft: the list of this *version*, reviewed against *predecessor* ("": there was none), kept by *office*.

    *counts* are the changes by weight, *diff_digest* names the comparison, *touched* the departments it concerns
    (``*``: all). *drawn_by* are the posts that handed in what it holds: none of them may approve it. *warnings* are
    the first of *warning_count* findings.
    """

    version: str
    predecessor: str
    title: str
    file: str
    office: str
    counts: tuple[tuple[str, int], ...]
    diff_digest: str
    touched: tuple[str, ...]
    drawn_by: tuple[str, ...]
    warnings: tuple[Finding, ...] = ()
    warning_count: int = 0
    state: State = State.SUBMITTED
    approved_by: str = ""
    published_by: str = ""
    note: str = ""
    objections: tuple[Objection, ...] = ()

    @property
    def open(self) -> bool:
        """Whether somebody still has to act."""
        return self.state in OPEN

    @property
    def answerer(self) -> str:
        """The department whose turn it is; "" when the draft has ended."""
        if self.state is State.RETURNED:
            return department_of(self.drawn_by[-1])
        return self.office if self.open else ""

    @property
    def clock(self) -> str:
        """The rule of the clock that runs; "" when none does."""
        return REVIEW_CLOCK if self.state is State.SUBMITTED else ""

    @property
    def possible(self) -> tuple[str, ...]:
        """The steps that may be taken now, by whoever they belong to."""
        return tuple(step for step, states in _STEPS.items() if self.state in states)

    @property
    def objecting(self) -> tuple[str, ...]:
        """The departments that object to the draft as it is now."""
        return tuple(dict.fromkeys(o.department for o in self.objections if o.version == self.version))


def department_of(actor: str) -> str:
    """The department of a post."""
    return actor.partition(":")[0]


def keeper(current: ResponsibilityList | None, new: ResponsibilityList, by: str) -> str:
    """The department that reviews *new*: the office of the list in force, for a draft cannot appoint its own judge.

    Where no list has said so yet, the office that *new* names, else the department of *by*.
    """
    return (current.office if current else "") or new.office or department_of(by)


def submit(
    new: ResponsibilityList,
    current: ResponsibilityList | None,
    diff: ListDiff,
    *,
    by: str,
    file: str = "",
    findings: tuple[Finding, ...] = (),
) -> Draft:
    """Hand in *new*, which changes *current* by *diff*.

    Raises:
        CaseInvalidError: it is the list in force.
        NotYoursError: *by* is no post of the office, and *new* changes more than what its own department keeps.
    """
    if current is not None and current.version == new.version:
        raise CaseInvalidError([problem("list", "draft_in_force", version=new.version)])
    office = keeper(current, new, by)
    if current is None or not only_of(current, new, department_of(by)):
        _need(by, office)
    return Draft(
        version=new.version,
        predecessor=diff.old_version,
        title=new.title,
        file=file,
        office=office,
        counts=tuple(diff.counts().items()),
        diff_digest=diff.digest(),
        touched=diff.departments(),
        drawn_by=(by,),
        warnings=findings[:MAX_WARNINGS],
        warning_count=len(findings),
    )


def resubmit(draft: Draft, mended: Draft) -> Draft:
    """Put *mended*, as `submit` gave it, in the place of what *draft* held; the review begins anew.

    Whoever handed in an earlier form of it stays barred from approving.

    Raises:
        StepNotAllowedError: the draft has ended.
    """
    _require(draft, "resubmit")
    drawn_by = tuple(dict.fromkeys((*(who for who in draft.drawn_by if who != mended.drawn_by[-1]), *mended.drawn_by)))
    return replace(mended, drawn_by=drawn_by, objections=draft.objections)


def approve(draft: Draft, *, by: str, note: str = "") -> Draft:
    """Find the draft right.

    Raises:
        StepNotAllowedError: it does not wait for review.
        NotYoursError: *by* is no post of the office.
        SameHandsError: *by* handed it in.
        CaseInvalidError: a department objects and *note* is empty.
    """
    _require(draft, "approve")
    _need(by, draft.office)
    if by in draft.drawn_by:
        raise SameHandsError(actor=by)
    if draft.objecting and not note.strip():
        departments = ", ".join(draft.objecting)
        raise CaseInvalidError([problem("note", "objection_unanswered", departments=departments)])
    _check_note(note, needed=False)
    return replace(draft, state=State.APPROVED, approved_by=by, note=note)


def send_back(draft: Draft, *, by: str, note: str) -> Draft:
    """Return the draft for mending; *note* says what to mend.

    Raises:
        StepNotAllowedError, NotYoursError: see `approve`.
        CaseInvalidError: no note.
    """
    _require(draft, "return")
    _need(by, draft.office)
    _check_note(note)
    return replace(draft, state=State.RETURNED, approved_by="", note=note)


def object_to(draft: Draft, *, by: str, note: str) -> Draft:
    """Object, as a department that the draft touches; a draft that was approved is to be looked at again.

    Raises:
        StepNotAllowedError: it is not under review.
        NotYoursError: the draft does not touch the department of *by*.
        CaseInvalidError: no note, or too many objections.
    """
    _require(draft, "object")
    if EVERYONE not in draft.touched:
        _need(by, *draft.touched)
    _check_note(note)
    if len(draft.objections) >= MAX_OBJECTIONS:
        raise CaseInvalidError([problem("note", "objections_too_many", limit=str(MAX_OBJECTIONS))])
    made = Objection(department_of(by), by, note, draft.version)
    return replace(draft, state=State.SUBMITTED, approved_by="", objections=(*draft.objections, made))


def withdraw(draft: Draft, *, by: str, note: str = "") -> Draft:
    """Take the draft back.

    Raises:
        StepNotAllowedError: it has ended.
        NotYoursError: *by* is neither of the office nor of a department that handed it in.
    """
    _require(draft, "withdraw")
    _need(by, draft.office, *(department_of(who) for who in draft.drawn_by))
    _check_note(note, needed=False)
    return replace(draft, state=State.WITHDRAWN, note=note)


def publish(draft: Draft, *, by: str) -> Draft:
    """Put the approved draft in force. That *predecessor* is still in force is for the caller to see to.

    Raises:
        StepNotAllowedError: it is not approved.
        NotYoursError: *by* is no post of the office.
    """
    _require(draft, "publish")
    _need(by, draft.office)
    return replace(draft, state=State.PUBLISHED, published_by=by)


def _require(draft: Draft, step: str) -> None:
    if draft.state not in _STEPS[step]:
        raise StepNotAllowedError(step=step, state=draft.state, allowed=draft.possible)


def _need(by: str, *departments: str) -> None:
    if department_of(by) not in departments:
        raise NotYoursError(actor=by, needed=", ".join(dict.fromkeys(departments)))


def _check_note(note: str, *, needed: bool = True) -> None:
    if needed and not note.strip():
        raise CaseInvalidError([problem("note", "note_missing")])
    if len(note) > MAX_NOTE_CHARS:
        raise CaseInvalidError([problem("note", "note_too_long", length=str(len(note)), limit=str(MAX_NOTE_CHARS))])
    # It goes into notices.
    found = check_text("note", note, MAX_NOTE_CHARS)
    if found:
        raise CaseInvalidError(found)


# The form in which a draft is stored and logged.


def to_plain(draft: Draft) -> dict[str, Any]:
    """A JSON-able dict; `from_plain` is its inverse."""
    return {
        "version": draft.version,
        "predecessor": draft.predecessor,
        "title": draft.title,
        "file": draft.file,
        "office": draft.office,
        "counts": dict(draft.counts),
        "diff_digest": draft.diff_digest,
        "touched": list(draft.touched),
        "drawn_by": list(draft.drawn_by),
        "warnings": [{"where": f.where, "code": f.code, "en": f.en, "zh": f.zh} for f in draft.warnings],
        "warning_count": draft.warning_count,
        "state": draft.state.value,
        "approved_by": draft.approved_by,
        "published_by": draft.published_by,
        "note": draft.note,
        "objections": [
            {"department": o.department, "by": o.by, "note": o.note, "version": o.version} for o in draft.objections
        ],
    }


def from_plain(plain: Mapping[str, Any]) -> Draft:
    """The draft of which *plain* is `to_plain`.

    Raises:
        KeyError, ValueError, TypeError: *plain* is no such dict.
    """
    return Draft(
        version=plain["version"],
        predecessor=plain["predecessor"],
        title=plain["title"],
        file=plain["file"],
        office=plain["office"],
        counts=tuple(plain["counts"].items()),
        diff_digest=plain["diff_digest"],
        touched=tuple(plain["touched"]),
        drawn_by=tuple(plain["drawn_by"]),
        warnings=tuple(Finding(**found) for found in plain["warnings"]),
        warning_count=plain["warning_count"],
        state=State(plain["state"]),
        approved_by=plain["approved_by"],
        published_by=plain["published_by"],
        note=plain["note"],
        objections=tuple(Objection(**made) for made in plain["objections"]),
    )
