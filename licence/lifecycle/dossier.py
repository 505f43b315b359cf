"""The dossier (案卷) of one licence: its steps as data, folded to where it stands, so that history replays.

    apply → review → (approve) → issue → suspend ↔ resume
          → renew | change | transfer | revoke | cancel | lapse | withdraw

A step that is not possible is refused with what is possible instead. The rules, by number:

    1. only the issuing unit takes a step
    2. each step states its reason and its legal ground, in the order of time
    3. where the kind asks for two persons: who reviews never took in an application of this dossier, and who approves
       never reviewed it; a later decision on the licence names a second officer, who is not the first
    4. a renewal or a change makes a new version: the next version of the same identifier, which names its predecessor

Whether officers are who they say, and keeping the dossier, is left to `hub`.
"""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import TYPE_CHECKING, Final

from licence.errors import EventRefusedError, IdentifierError
from licence.identifiers import LicenceIdentifier
from licence.lifecycle.licences import status_of
from licence.lifecycle.states import State

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from datetime import datetime

    from licence.model import LicenceKind
    from licence.status import Status

# A licence of thirty years that is checked each month has some 400; the bound keeps a damaged history from running on.
MAX_EVENTS: Final = 1000
MAX_TEXT: Final = 500
TWO_PERSONS: Final = 2


class Phase(StrEnum):
    """Where a dossier stands before there is a licence; afterwards, a `State`."""

    NEW = "new"
    APPLIED = "applied"
    RETURNED = "returned"
    REVIEWED = "reviewed"
    APPROVED = "approved"
    REFUSED = "refused"
    WITHDRAWN = "application withdrawn"

    @property
    def zh(self) -> str:
        """The official term."""
        return _PHASE_ZH[self]

    @property
    def en(self) -> str:
        """The English term."""
        return self.value


_PHASE_ZH: Final[Mapping[Phase, str]] = {
    Phase.NEW: "未受理",
    Phase.APPLIED: "已受理",
    Phase.RETURNED: "待补正",
    Phase.REVIEWED: "已审查",
    Phase.APPROVED: "已批准",
    Phase.REFUSED: "不予许可",
    Phase.WITHDRAWN: "申请已撤回",
}


class Step(StrEnum):
    """What an issuing unit does in a dossier."""

    APPLY = "apply"
    RETURN = "return"
    REVIEW = "review"
    APPROVE = "approve"
    REFUSE = "refuse"
    ABANDON = "abandon"
    ISSUE = "issue"
    SUSPEND = "suspend"
    RESUME = "resume"
    RENEW = "renew"
    CHANGE = "change"
    TRANSFER = "transfer"
    REVOKE = "revoke"
    CANCEL = "cancel"
    LAPSE = "lapse"
    WITHDRAW = "withdraw"

    @property
    def zh(self) -> str:
        """The official term."""
        return _STEPS[self][0]

    @property
    def operation_code(self) -> str:
        """操作代码 in two digits: *of our own numbering and unverified*, no published list of operations was found."""
        return _STEPS[self][1]


_STEPS: Final[Mapping[Step, tuple[str, str]]] = {
    Step.APPLY: ("受理", "01"),
    Step.RETURN: ("退回补正", "02"),
    Step.REVIEW: ("审查", "03"),
    Step.APPROVE: ("批准", "04"),
    Step.REFUSE: ("不予许可", "05"),
    Step.ABANDON: ("撤回申请", "06"),
    Step.ISSUE: ("签发", "11"),
    Step.RENEW: ("延续", "12"),
    Step.CHANGE: ("变更", "13"),
    Step.SUSPEND: ("暂扣", "21"),
    Step.RESUME: ("恢复", "22"),
    Step.TRANSFER: ("转出", "31"),
    Step.REVOKE: ("撤销", "32"),
    Step.CANCEL: ("注销", "33"),
    Step.LAPSE: ("置为失效", "34"),
    Step.WITHDRAW: ("吊销", "35"),
}
_ENDS: Final[Mapping[Step, State]] = {
    Step.REVOKE: State.REVOKED,
    Step.CANCEL: State.CANCELLED,
    Step.LAPSE: State.LAPSED,
    Step.WITHDRAW: State.WITHDRAWN,
}
_DECIDED: Final[Mapping[Step, Phase | State]] = {Step.REFUSE: Phase.REFUSED, Step.ABANDON: Phase.WITHDRAWN}
_PATHS: Final[Mapping[Phase | State, Mapping[Step, Phase | State]]] = {
    Phase.NEW: {Step.APPLY: Phase.APPLIED},
    Phase.APPLIED: {Step.RETURN: Phase.RETURNED, Step.REVIEW: Phase.REVIEWED, **_DECIDED},
    Phase.RETURNED: {Step.APPLY: Phase.APPLIED, **_DECIDED},
    Phase.REVIEWED: {Step.RETURN: Phase.RETURNED, Step.ISSUE: State.VALID, **_DECIDED},
    Phase.APPROVED: {Step.ISSUE: State.VALID, Step.ABANDON: Phase.WITHDRAWN},
    State.VALID: {
        Step.SUSPEND: State.SUSPENDED,
        Step.RENEW: State.LAPSED,
        Step.CHANGE: State.LAPSED,
        Step.TRANSFER: State.TRANSFERRED,
        **_ENDS,
    },
    State.SUSPENDED: {Step.RESUME: State.VALID, **_ENDS},
}
_BY_TWO: Final = {**_PATHS[Phase.REVIEWED], Step.APPROVE: Phase.APPROVED}
del _BY_TWO[Step.ISSUE]
# The term of a licence runs out by itself; nobody decides it.
_NOBODY_DECIDES: Final = frozenset({Step.LAPSE})
_NEW_VERSION: Final = frozenset({Step.RENEW, Step.CHANGE})


@dataclass(frozen=True, slots=True)
class Event:
    """One step, as it is kept. *unit* is the department's code, *officer* a role or staff number, never a name.

    *second* is who decided beside the officer. *licence* is the identifier issued (`ISSUE`) or that of the new version
    (`RENEW`, `CHANGE`), else empty.
    """

    step: Step
    unit: str
    officer: str
    at: datetime
    reason: str
    ground: str
    second: str = ""
    licence: str = ""


@dataclass(frozen=True, slots=True)
class Dossier:
    """Where one licence stands, and how it came there; only `advance` and `replay` make the next.

    *predecessor* is the version this one renews or changes, *successor* the one that replaced it; *took_in* and
    *reviewed* are the officers who did so at any time.
    """

    kind: str
    issuer: str
    persons: int
    predecessor: str = ""
    phase: Phase | State = Phase.NEW
    licence: str = ""
    successor: str = ""
    events: tuple[Event, ...] = ()
    took_in: frozenset[str] = frozenset()
    reviewed: frozenset[str] = frozenset()

    @property
    def status(self) -> Status | None:
        """What the status list says, None while there is no licence."""
        return status_of(self.phase) if isinstance(self.phase, State) else None

    def possible(self) -> tuple[Step, ...]:
        """The steps that the phase allows now; who may take them is another question."""
        return tuple(_paths(self))


def open_dossier(kind: LicenceKind, *, predecessor: str = "") -> Dossier:
    """An empty dossier of *kind*, by its approval rule; *predecessor* where it renews or changes a licence."""
    return Dossier(kind=kind.code, issuer=kind.issuer, persons=kind.approvals, predecessor=predecessor)


def advance(dossier: Dossier, event: Event) -> Dossier:
    """The dossier after *event*; the given one is not altered.

    Raises:
        EventRefusedError: the step is not possible, or not so, or not by this unit or person.
    """
    if len(dossier.events) >= MAX_EVENTS:
        raise EventRefusedError("history_too_long", limit=MAX_EVENTS)
    return replace(_step(dossier, event), events=(*dossier.events, event))


def replay(empty: Dossier, events: Iterable[Event]) -> Dossier:
    """*empty* after all *events*: the same as `advance` one by one, in linear time.

    Raises:
        EventRefusedError: at the first event that is not possible.
    """
    found = empty
    kept = list(empty.events)
    for event in events:
        if len(kept) >= MAX_EVENTS:
            raise EventRefusedError("history_too_long", limit=MAX_EVENTS)
        # Of the history `_step` looks at the last event only; copying all of it each time would be quadratic.
        found = replace(_step(found, event), events=(event,))
        kept.append(event)
    return replace(found, events=tuple(kept))


def next_version(identifier: str) -> LicenceIdentifier:
    """The identifier of the version after *identifier*: same type, issuer and serial, version one higher.

    Raises:
        IdentifierError: it is no identifier, or its version is the last there can be.
    """
    found = LicenceIdentifier.parse(identifier)
    return replace(found, version=found.version + 1)


def _paths(dossier: Dossier) -> Mapping[Step, Phase | State]:
    if dossier.phase is Phase.REVIEWED and dossier.persons >= TWO_PERSONS:
        return _BY_TWO
    return _PATHS.get(dossier.phase, {})


def _step(dossier: Dossier, event: Event) -> Dossier:
    paths = _paths(dossier)
    step = event.step
    if step not in paths:
        raise EventRefusedError(
            "event_not_possible",
            phase=dossier.phase.en,
            phase_zh=dossier.phase.zh,
            step=step.value,
            step_zh=step.zh,
            possible=", ".join(paths) or "nothing (the end is final)",
            possible_zh="、".join(s.zh for s in paths) or "无（终态）",
        )
    if event.unit != dossier.issuer:  # rule 1
        raise EventRefusedError(
            "event_other_unit", by=event.unit, step=step.value, step_zh=step.zh, issuer=dossier.issuer
        )
    _need_texts(dossier, event)  # rule 2
    _need_two(dossier, event)  # rule 3
    after = replace(dossier, phase=paths[step])
    if step is Step.APPLY:
        after = replace(after, took_in=dossier.took_in | {_person(event.officer)})
    if step is Step.REVIEW:
        after = replace(after, reviewed=dossier.reviewed | {_person(event.officer)})
    if step is Step.ISSUE:
        return replace(after, licence=_issued(dossier, event))
    if step in _NEW_VERSION:  # rule 4
        return replace(after, successor=_succeeds(event, dossier.licence))
    if event.licence:
        raise _wrong(event, "the step issues nothing", "该环节不签发证照")
    return after


def _need_texts(dossier: Dossier, event: Event) -> None:
    missing = [
        (en, zh)
        for text, en, zh in (
            (event.officer, "an officer", "经办人"),
            (event.reason, "a reason", "事由"),
            (event.ground, "a legal ground", "依据"),
        )
        if not text.strip() or len(text) > MAX_TEXT
    ]
    if missing:
        raise EventRefusedError(
            "event_without",
            step=event.step.value,
            step_zh=event.step.zh,
            missing=" and ".join(en for en, _ in missing) + f" (at most {MAX_TEXT} characters)",
            missing_zh="和".join(zh for _, zh in missing) + f"（不超过 {MAX_TEXT} 字）",
        )
    if event.at.utcoffset() is None:
        raise EventRefusedError("event_time_not_aware")
    if dossier.events and event.at < dossier.events[-1].at:
        raise EventRefusedError(
            "event_before_last",
            step=event.step.value,
            step_zh=event.step.zh,
            at=event.at.isoformat(),
            last=dossier.events[-1].at.isoformat(),
        )


def _need_two(dossier: Dossier, event: Event) -> None:
    if dossier.persons < TWO_PERSONS:
        return
    if event.step is Step.REVIEW and _person(event.officer) in dossier.took_in:
        raise _same(event, Step.APPLY)
    if event.step is Step.APPROVE and _person(event.officer) in dossier.reviewed:
        raise _same(event, Step.REVIEW)
    if isinstance(dossier.phase, State) and event.step not in _NOBODY_DECIDES:
        if not event.second.strip() or len(event.second) > MAX_TEXT:
            raise EventRefusedError(
                "event_without",
                step=event.step.value,
                step_zh=event.step.zh,
                missing="a second officer who decides with the first",
                missing_zh="第二名审批人员",
            )
        if _person(event.second) == _person(event.officer):
            raise _same(event, event.step)


def same_person(officer: str, other: str) -> bool:
    """Whether two numbers of officers are one person's: another width or case does not make another person."""
    return _person(officer) == _person(other)


def _person(officer: str) -> str:
    """One form of an officer's number: another width or case does not make another person."""
    return unicodedata.normalize("NFKC", officer).strip().casefold()


def _same(event: Event, before: Step) -> EventRefusedError:
    return EventRefusedError(
        "event_same_person",
        officer=event.officer,
        before=before.value,
        before_zh=before.zh,
        step=event.step.value,
        step_zh=event.step.zh,
    )


def _issued(dossier: Dossier, event: Event) -> str:
    if dossier.predecessor:
        return _succeeds(event, dossier.predecessor)
    found = _parsed(event)
    if found.type_code != dossier.kind:
        raise _wrong(event, "it is of another kind", "类型代码不符")
    return event.licence


def _succeeds(event: Event, predecessor: str) -> str:
    found = _parsed(event)
    try:
        expected = next_version(predecessor)
    except IdentifierError as error:
        raise _wrong(event, error.text("en"), error.text("zh")) from None
    if found != expected:
        raise _wrong(event, f"the next version is {expected}", f"后续版本应为 {expected}")
    return event.licence


def _parsed(event: Event) -> LicenceIdentifier:
    try:
        return LicenceIdentifier.parse(event.licence)
    except IdentifierError as error:
        raise _wrong(event, error.text("en"), error.text("zh")) from None


def _wrong(event: Event, why: str, why_zh: str) -> EventRefusedError:
    shown = event.licence[:200]
    return EventRefusedError(
        "event_wrong_licence", licence=shown, step=event.step.value, step_zh=event.step.zh, why=why, why_zh=why_zh
    )
