"""Reviews drafts of the responsibility list and puts them in force: each step with its log entry and its notices.

Which step is possible when is `catalog.review`'s; reading files is `catalog.load`'s. A list comes into force by
`publish` alone; `hub.publishing` takes all steps at once for a small office and compiles the registry afterwards.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

import sqlalchemy as sa

from catalog import review
from catalog.changes import Weight
from catalog.clock import day_of
from catalog.diff import compare
from catalog.errors import ListInvalidError
from catalog.impact import impact, summary
from catalog.load import LoadReport, load_report, load_report_bytes
from catalog.model import EVERYONE
from catalog.review import KIND, Draft, Finding, State
from catalog.steps import CaseInvalidError, problem
from hub.cases import Turn
from hub.control import CaseEvent
from hub.dependents import readers
from hub.errors import CaseConflictError, ListMissingError, ListSupersededError, VersionUnknownError
from hub.published import (
    Published,
    current_held,
    current_version,
    facts_of,
    list_version,
    put_in_force,
    store,
    versions,
)

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from catalog.changes import Change
    from catalog.diff import ListDiff
    from catalog.model import ResponsibilityList
    from hub.actors import Actor
    from hub.cases import Case, Transaction
    from hub.office import Office

MARK: Final = "L"
CASE: Final = re.compile(r"L[A-Z2-7]{8}")
DIGEST_PREFIX: Final = re.compile(r"(?:sha256:)?([0-9a-f]{8,64})")
CURRENT, PREVIOUS = "current", "previous"
PUBLISHED_STEP: Final = "published"
_TOLD_CHANGES: Final = 3
_TOLD_CHARS: Final = 500


def turn(draft: Draft) -> Turn:
    """Where a step left *draft*."""
    return Turn(draft.state, draft.open, draft.answerer, draft.clock)


def draft_of(case: Case) -> Draft:
    """The draft that a case holds."""
    return review.from_plain(case.value)


# --- Files -----------------------------------------------------------------------------------------------------------


def read(office: Office, source: Path | tuple[bytes, str, str]) -> tuple[ResponsibilityList, tuple[Finding, ...]]:
    """The list in a file, or in bytes with their suffix and a name, and its warnings.

    Raises:
        ListInvalidError, ListUnreadableError: see `catalog.load`.
    """
    today = day_of(office.now())
    if isinstance(source, tuple):
        data, suffix, name = source
        report: LoadReport = load_report_bytes(data, suffix, name, today=today)
    else:
        report, name = load_report(source, today=today), source.name
    if report.list_ is None:
        raise ListInvalidError(report.faults, name)
    return report.list_, tuple(Finding(f.where, f.code, f.text("en"), f.text("zh")) for f in report.faults)


def diff_with_current(office: Office, new: ResponsibilityList) -> tuple[ResponsibilityList | None, ListDiff]:
    """The list in force (None before the first) and what *new* changes in it."""
    version = current_version(office.control)
    current = list_version(office.settings, version) if version else None
    return current, compare(current, new)


# --- Steps -----------------------------------------------------------------------------------------------------------
#
# Each raises what its machine raises (`catalog.steps`), CaseUnknownError, and CaseConflictError when *revision* is not
# the current one. Taken again after a crash or an unanswered write, a step takes effect once: the second time the
# state, or the revision, says that it has.


def submit(
    office: Office, list_: ResponsibilityList, *, actor: Actor, file: str = "", findings: tuple[Finding, ...] = ()
) -> Case:
    """Hand a draft in for review.

    Raises:
        CaseInvalidError: it is the list in force, or another open draft holds the same.
    """
    current, diff = diff_with_current(office, list_)
    draft = review.submit(list_, current, diff, by=str(actor), file=file, findings=findings)
    # The content goes first, under its digest: a crash here leaves a file that no case names.
    store(office.settings, list_)
    with office.cases.begin() as transaction:
        # Taken first, so that two who hand in the same list come one by one.
        current_held(transaction.connection)
        waiting = waiting_for(office, list_.version)
        if waiting is not None:
            raise CaseInvalidError([problem("list", "draft_waiting", case=waiting.id)])
        case = transaction.open(
            KIND,
            MARK,
            value=lambda _: review.to_plain(draft),
            turn=turn(draft),
            opener=actor.department,
            resource="",
            actor=actor,
            step="submit",
            facts=_facts(draft),
        )
        _tell_reviewers(transaction, case, draft, list_)
    return case


def resubmit(
    office: Office,
    id_: str,
    list_: ResponsibilityList | None = None,
    *,
    actor: Actor,
    file: str = "",
    findings: tuple[Finding, ...] = (),
    revision: int | None = None,
) -> Case:
    """Hand a mended list in (default: the same one again), to be reviewed against the list in force now."""
    before = draft_of(office.cases.get(id_, KIND))
    if list_ is None:
        list_, file, findings = list_version(office.settings, before.version), before.file, before.warnings
    current, diff = diff_with_current(office, list_)
    mended = review.submit(list_, current, diff, by=str(actor), file=file, findings=findings)
    store(office.settings, list_)
    with office.cases.begin() as transaction:
        case = transaction.get(id_, KIND, revision)
        draft = review.resubmit(draft_of(case), mended)
        case = _act(transaction, case, draft, actor, "resubmit")
        _tell_reviewers(transaction, case, draft, list_)
    return case


def approve(office: Office, id_: str, *, actor: Actor, note: str = "", revision: int | None = None) -> Case:
    """Find a draft right, as another person than the one who handed it in.

    Raises:
        ListSupersededError: it was drawn up against a list that is no longer in force; resubmit it.
    """
    with office.cases.begin() as transaction:
        case = transaction.get(id_, KIND, revision)
        draft = review.approve(draft_of(case), by=str(actor), note=note)
        _need_predecessor(transaction, draft)
        return _act(transaction, case, draft, actor, "approve", note=note)


def send_back(office: Office, id_: str, *, actor: Actor, note: str, revision: int | None = None) -> Case:
    """Return a draft for mending."""
    with office.cases.begin() as transaction:
        case = transaction.get(id_, KIND, revision)
        draft = review.send_back(draft_of(case), by=str(actor), note=note)
        after = _act(transaction, case, draft, actor, "return", note=note)
        transaction.tell(
            draft.answerer,
            "list_returned",
            key=f"list_returned:{id_}:{after.revision}",
            case=id_,
            params={"case": id_, "note": note},
        )
        return after


def object_to(office: Office, id_: str, *, actor: Actor, note: str, revision: int | None = None) -> Case:
    """Object, as a department that a draft touches."""
    with office.cases.begin() as transaction:
        case = transaction.get(id_, KIND, revision)
        draft = review.object_to(draft_of(case), by=str(actor), note=note)
        return _act(transaction, case, draft, actor, "object", note=note)


def withdraw(office: Office, id_: str, *, actor: Actor, note: str = "", revision: int | None = None) -> Case:
    """Take a draft back."""
    with office.cases.begin() as transaction:
        case = transaction.get(id_, KIND, revision)
        draft = review.withdraw(draft_of(case), by=str(actor), note=note)
        return _act(transaction, case, draft, actor, "withdraw", note=note)


def publish(office: Office, id_: str, *, actor: Actor, revision: int | None = None) -> Published:
    """Put an approved draft in force, and tell the departments it concerns.

    All of it takes effect together, so that of two drafts approved against the same list one is published and the
    other refused. A crash before the commit leaves the old list in force and at most an entry about a publication
    that did not take effect; publishing again completes it. A draft that is in force already publishes nothing.

    Raises:
        ListSupersededError: it was reviewed against a list that is no longer in force; resubmit it.
        ListMissingError, ListDamagedError: what was reviewed is not in the store any more.
    """
    draft = draft_of(office.cases.get(id_, KIND))
    new = list_version(office.settings, draft.version)
    old = list_version(office.settings, draft.predecessor) if draft.predecessor else None
    diff = compare(old, new)
    with office.cases.begin() as transaction:
        case = transaction.get(id_, KIND, revision)
        compared, draft = draft, draft_of(case)
        if (draft.version, draft.predecessor) != (compared.version, compared.predecessor):
            # Somebody mended it while it was being compared.
            raise CaseConflictError(case=id_, revision=case.revision)
        if draft.state is State.PUBLISHED and current_held(transaction.connection) == draft.version:
            return Published(draft.version, _log_index(transaction, case), already=True)
        draft = review.publish(draft, by=str(actor))
        _need_predecessor(transaction, draft)
        after = _act(transaction, case, draft, actor, PUBLISHED_STEP, facts=facts_of(new, draft.predecessor))
        index = _log_index(transaction, after)
        put_in_force(transaction.connection, new, at=transaction.at, by=str(actor), log_index=index)
        _tell_concerned(transaction, id_, old, new, diff)
    return Published(draft.version, index, already=False)


def _act(
    transaction: Transaction,
    case: Case,
    draft: Draft,
    actor: Actor,
    step: str,
    *,
    note: str = "",
    facts: Mapping[str, Any] | None = None,
) -> Case:
    return transaction.act(
        case,
        value=review.to_plain(draft),
        turn=turn(draft),
        actor=actor,
        step=step,
        note=note,
        facts={**_facts(draft), **(facts or {})},
    )


def _facts(draft: Draft) -> dict[str, Any]:
    """What every entry about a draft says: which list, against which, and what it changes, by number and digest."""
    return {
        "list_version": draft.version,
        "predecessor": draft.predecessor,
        "changes": dict(draft.counts),
        "diff": draft.diff_digest,
    }


def _need_predecessor(transaction: Transaction, draft: Draft) -> None:
    if (current_held(transaction.connection) or "") != draft.predecessor:
        raise ListSupersededError(version=draft.predecessor or "-")


def _log_index(transaction: Transaction, case: Case) -> int:
    query = sa.select(CaseEvent.log_index).where(CaseEvent.case_id == case.id, CaseEvent.revision == case.revision)
    return int(transaction.connection.execute(query).scalar_one())


# --- Notices ---------------------------------------------------------------------------------------------------------


def _tell_reviewers(transaction: Transaction, case: Case, draft: Draft, list_: ResponsibilityList) -> None:
    """Tell the office, which reviews, and those it touches, who may object."""
    due = "" if case.due_at is None else day_of(case.due_at).isoformat()
    for department in dict.fromkeys((draft.office, *_spelled_out(draft.touched, list_))):
        key = f"list_submitted:{case.id}:{case.revision}:{department}"
        transaction.tell(department, "list_submitted", key=key, case=case.id, params={"case": case.id, "due": due})


def _tell_concerned(
    transaction: Transaction, id_: str, old: ResponsibilityList | None, new: ResponsibilityList, diff: ListDiff
) -> None:
    """Tell each department what changes for it: the heaviest changes, and what its own grants and matters lose."""
    breaks = []
    if old is not None:
        breaks = list(impact(diff, new, readers(transaction.connection, old, transaction.at), old=old))
    for department in _spelled_out(diff.departments(), new):
        own = [c for c in diff.changes if department in c.departments or EVERYONE in c.departments]
        lost = [item for item in breaks if item.dependent.consumer == department]
        notes = {lang: _note(own, summary(lost, lang), lang) for lang in ("en", "zh")}
        params = {"version": new.version, "note": notes["en"], "note_zh": notes["zh"]}
        key = f"list_published:{id_}:{department}"
        transaction.tell(department, "list_published", key=key, case=id_, params=params)


def _note(changes: list[Change], lost: str, lang: str) -> str:
    weights = list(Weight)
    heaviest = sorted(changes, key=lambda change: weights.index(change.weight))[:_TOLD_CHANGES]
    stop, gap = ("；", "") if lang == "zh" else (";", " ")
    parts = [change.text(lang) for change in heaviest]
    if len(changes) > len(heaviest):
        more = len(changes) - len(heaviest)
        parts.append(f"另有 {more} 处变化" if lang == "zh" else f"{more} more changes")
    if lost:
        parts.append(lost)
    text = (stop + gap).join(parts)
    return text if len(text) <= _TOLD_CHARS else text[: _TOLD_CHARS - 1] + "…"


def _spelled_out(departments: tuple[str, ...], list_: ResponsibilityList) -> tuple[str, ...]:
    """The codes of *departments*, with ``*`` as every one of the list."""
    if EVERYONE in departments:
        return tuple(department.code for department in list_.departments)
    return departments


# --- Finding versions and drafts -------------------------------------------------------------------------------------


def waiting_for(office: Office, version: str) -> Case | None:
    """The open draft that holds the list of this version, or None."""
    return next((case for case in office.cases.find(KIND, open_=True) if case.value["version"] == version), None)


def find(office: Office, *, state: str | None = None, open_: bool | None = None) -> tuple[Case, ...]:
    """Drafts, the one whose clock ends first before the others."""
    return office.cases.find(KIND, state=state, open_=open_)


def resolve(office: Office, reference: str) -> ResponsibilityList:
    """The list that *reference* means.

    It is ``current``, ``previous``, the first 8 or more hex digits of a version (with or without ``sha256:``), or the
    number of a draft.

    Raises:
        VersionUnknownError: there is none, or several versions begin so.
        CaseUnknownError: no draft has this number.
        ListMissingError, ListDamagedError: nothing is published yet, or it is not in the store any more.
    """
    known = [found.version for found in versions(office.control)]
    if reference in (CURRENT, PREVIOUS):
        position = (CURRENT, PREVIOUS).index(reference)
        if not known:
            raise ListMissingError(version="")
        if len(known) <= position:
            raise VersionUnknownError(version=reference)
        return list_version(office.settings, known[position])
    if CASE.fullmatch(reference):
        return list_version(office.settings, draft_of(office.cases.get(reference, KIND)).version)
    prefix = DIGEST_PREFIX.fullmatch(reference.lower())
    drafts = [case.value["version"] for case in office.cases.find(KIND)]
    fitting = {v for v in (*known, *drafts) if prefix and v.removeprefix("sha256:").startswith(prefix[1])}
    if len(fitting) != 1:
        raise VersionUnknownError(version=reference[:80])
    return list_version(office.settings, fitting.pop())
