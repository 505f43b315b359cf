"""A licence as its issuer keeps it: its state, and who may move it from one to the next.

How it came about, and who decided, is `licence.lifecycle.dossier`; storing licences and publishing the status list
belong to `hub`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from licence.errors import GroundMissingError, NotIssuingDepartmentError, TransitionRefusedError
from licence.lifecycle.states import TRANSITIONS, Action, State
from licence.status import Status

if TYPE_CHECKING:
    from datetime import datetime


@dataclass(frozen=True, slots=True)
class Change:
    """One change of state, with who made it, when and why. *action* ``issue`` is the first."""

    action: str
    state: State
    by: str
    at: datetime
    reason: str
    ground: str


@dataclass(frozen=True, slots=True)
class Licence:
    """A licence as its issuer keeps it. *issuer* is the department's code; *history* is in order, never empty."""

    identifier: str
    kind: str
    issuer: str
    history: tuple[Change, ...]

    @property
    def state(self) -> State:
        """The present state."""
        return self.history[-1].state

    @property
    def status(self) -> Status:
        """What the status list says of it."""
        return status_of(self.state)

    def state_at(self, at: datetime) -> State | None:
        """The state at time *at*, or None before it was issued."""
        past = [c.state for c in self.history if c.at <= at]
        return past[-1] if past else None


def status_of(state: State) -> Status:
    """The Token Status List value of a state: only 有效 is VALID, only 暂扣 can come back."""
    return {State.VALID: Status.VALID, State.SUSPENDED: Status.SUSPENDED}.get(state, Status.INVALID)


def issue(*, identifier: str, kind: str, issuer: str, at: datetime, reason: str, ground: str) -> Licence:
    """A new licence in state 有效.

    Raises:
        GroundMissingError: reason or ground is blank.
    """
    _require_ground("签发", "issued", reason, ground)
    return Licence(identifier, kind, issuer, (Change("issue", State.VALID, issuer, at, reason, ground),))


def change(licence: Licence, action: Action, *, by: str, at: datetime, reason: str, ground: str) -> Licence:
    """The licence after *action*; the given one is not altered. History is kept in time order.

    Raises:
        NotIssuingDepartmentError: *by* is not the issuing department.
        GroundMissingError: reason or ground is blank.
        TransitionRefusedError: the state does not allow it, or *at* lies before the last change.
    """
    if by != licence.issuer:
        raise NotIssuingDepartmentError(by=by, issuer=licence.issuer)
    _require_ground(action.zh, action.en, reason, ground)
    allowed = TRANSITIONS.get(licence.state, {})
    target = allowed.get(action)
    if target is None or at < licence.history[-1].at:
        raise TransitionRefusedError(
            state_en=licence.state.en,
            state_zh=licence.state.zh,
            action_en=action.en + ("" if target is None else " before its last change"),
            action_zh=action.zh + ("" if target is None else "于上次变更之前"),
            allowed_en=", ".join(a.value for a in allowed) or "nothing (the state is final)",
            allowed_zh="、".join(a.zh for a in allowed) or "无（终态）",
        )
    return replace(licence, history=(*licence.history, Change(action.value, target, by, at, reason, ground)))


def suspend(licence: Licence, *, by: str, at: datetime, reason: str, ground: str) -> Licence:
    """暂扣: temporarily without effect (see `change`)."""
    return change(licence, Action.SUSPEND, by=by, at=at, reason=reason, ground=ground)


def resume(licence: Licence, *, by: str, at: datetime, reason: str, ground: str) -> Licence:
    """恢复: ends a suspension (see `change`)."""
    return change(licence, Action.RESUME, by=by, at=at, reason=reason, ground=ground)


def revoke(licence: Licence, *, by: str, at: datetime, reason: str, ground: str) -> Licence:
    """撤销: it should not have been issued (see `change`)."""
    return change(licence, Action.REVOKE, by=by, at=at, reason=reason, ground=ground)


def cancel(licence: Licence, *, by: str, at: datetime, reason: str, ground: str) -> Licence:
    """注销: ended on request or because the holder ceased (see `change`)."""
    return change(licence, Action.CANCEL, by=by, at=at, reason=reason, ground=ground)


def expire(licence: Licence, *, by: str, at: datetime, reason: str, ground: str) -> Licence:
    """失效: its term ran out or another replaced it (see `change`)."""
    return change(licence, Action.EXPIRE, by=by, at=at, reason=reason, ground=ground)


def withdraw(licence: Licence, *, by: str, at: datetime, reason: str, ground: str) -> Licence:
    """吊销: taken away as a penalty (see `change`)."""
    return change(licence, Action.WITHDRAW, by=by, at=at, reason=reason, ground=ground)


def transfer(licence: Licence, *, by: str, at: datetime, reason: str, ground: str) -> Licence:
    """转出: handed over to an issuer elsewhere, who issues its own (see `change`)."""
    return change(licence, Action.TRANSFER, by=by, at=at, reason=reason, ground=ground)


def _require_ground(action_zh: str, action_en: str, reason: str, ground: str) -> None:
    missing = [
        (en, zh)
        for value, en, zh in ((reason, "a reason", "事由"), (ground, "a legal ground", "依据"))
        if not value.strip()
    ]
    if missing:
        raise GroundMissingError(
            action_en=action_en,
            action_zh=action_zh,
            missing=" and ".join(en for en, _ in missing),
            missing_zh="和".join(zh for _, zh in missing),
        )
