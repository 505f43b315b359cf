"""The register of seals (印章登记): who keeps which seal, whether it may be used, and each use; a pure state machine.

Storing it, and asking people, belong to `hub`; the seal as data is `licence.seals.make`, a single approval of a remote
signature `licence.seals.cloud`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import TYPE_CHECKING

from licence.errors import SealRefusedError, SealStateError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

DIGEST_BYTES = 32
MAX_NAME = 200


class State(StrEnum):
    """States of a seal in the register."""

    REQUESTED = "requested"
    REJECTED = "rejected"
    IN_USE = "in_use"
    DISABLED = "disabled"
    DESTRUCTION_REQUESTED = "destruction_requested"
    DESTROYED = "destroyed"

    @property
    def zh(self) -> str:
        """The official term."""
        return STATE_NAMES[self][0]

    @property
    def en(self) -> str:
        """The English term."""
        return STATE_NAMES[self][1]


STATE_NAMES: Mapping[State, tuple[str, str]] = {
    State.REQUESTED: ("待核准", "awaiting approval"),
    State.REJECTED: ("不予制章", "rejected"),
    State.IN_USE: ("在用", "in use"),
    State.DISABLED: ("停用", "disabled"),
    State.DESTRUCTION_REQUESTED: ("待销毁", "awaiting destruction"),
    State.DESTROYED: ("已销毁", "destroyed"),
}


class Action(StrEnum):
    """What may be done to a seal in the register."""

    APPROVE = "approve"
    REJECT = "reject"
    DISABLE = "disable"
    ENABLE = "enable"
    REQUEST_DESTRUCTION = "request_destruction"
    KEEP = "keep"
    DESTROY = "destroy"

    @property
    def zh(self) -> str:
        """The official term."""
        return _ACTION_NAMES[self][0]

    @property
    def en(self) -> str:
        """The English participle."""
        return _ACTION_NAMES[self][1]


_ACTION_NAMES: Mapping[Action, tuple[str, str]] = {
    Action.APPROVE: ("核准制章", "approved"),
    Action.REJECT: ("驳回制章", "rejected"),
    Action.DISABLE: ("停用", "disabled"),
    Action.ENABLE: ("启用", "enabled"),
    Action.REQUEST_DESTRUCTION: ("申请销毁", "put up for destruction"),
    Action.KEEP: ("撤回销毁申请", "kept after all"),
    Action.DESTROY: ("核准销毁", "destroyed"),
}
# From a state that is not a key here, nothing leads out. A seal up for destruction is not used meanwhile, and one that
# is kept after all comes back disabled: enabling it is a decision of its own.
TRANSITIONS: Mapping[State, Mapping[Action, State]] = {
    State.REQUESTED: {Action.APPROVE: State.IN_USE, Action.REJECT: State.REJECTED},
    State.IN_USE: {
        Action.DISABLE: State.DISABLED,
        Action.REQUEST_DESTRUCTION: State.DESTRUCTION_REQUESTED,
    },
    State.DISABLED: {Action.ENABLE: State.IN_USE, Action.REQUEST_DESTRUCTION: State.DESTRUCTION_REQUESTED},
    State.DESTRUCTION_REQUESTED: {Action.DESTROY: State.DESTROYED, Action.KEEP: State.DISABLED},
}
# These decide on what somebody asked for, and somebody else must do so.
SECOND_PERSON = frozenset({Action.APPROVE, Action.DESTROY})


@dataclass(frozen=True, slots=True)
class Change:
    """One change of state: who made it, when, on what ground. *action* ``request`` is the first."""

    action: str
    state: State
    by: str
    at: datetime
    ground: str


@dataclass(frozen=True, slots=True)
class Seal:
    """A seal as its register keeps it; *history* is in order, never empty.

    *code* is the esID, *kind* the seal's type, *image_digest* the SM3 of its picture, *department* whose seal it is and
    *custodian* the one person who may use it.
    """

    code: str
    name: str
    kind: int
    image_digest: bytes
    department: str
    custodian: str
    valid_from: datetime
    valid_until: datetime
    history: tuple[Change, ...]

    @property
    def state(self) -> State:
        """The present state."""
        return self.history[-1].state

    def state_at(self, at: datetime) -> State | None:
        """The state at time *at*, or None before it was requested."""
        past = [c.state for c in self.history if c.at <= at]
        return past[-1] if past else None


@dataclass(frozen=True, slots=True)
class Use:
    """One use of a seal (用印记录): which, by whom, when, on the document of which digest, and what for."""

    seal: str
    by: str
    at: datetime
    document_digest: bytes
    purpose: str


def request(
    *,
    code: str,
    name: str,
    kind: int,
    image_digest: bytes,
    department: str,
    custodian: str,
    valid_from: datetime,
    valid_until: datetime,
    by: str,
    at: datetime,
    ground: str,
) -> Seal:
    """Ask for a seal to be made (申请制章). It can be used once another person has approved it.

    Raises:
        SealRefusedError: something is missing or contradicts itself.
    """
    _require(code=code, name=name, department=department, custodian=custodian, by=by, ground=ground)
    if len(image_digest) != DIGEST_BYTES:
        raise SealRefusedError("seal_digest_bad", expected=DIGEST_BYTES, found=len(image_digest))
    if valid_from >= valid_until:
        raise SealRefusedError("seal_dates_contradict", created=at, starts=valid_from, ends=valid_until)
    first = Change("request", State.REQUESTED, by, at, ground)
    return Seal(code, name, kind, image_digest, department, custodian, valid_from, valid_until, (first,))


def change(seal: Seal, action: Action, *, by: str, at: datetime, ground: str) -> Seal:
    """The seal after *action*; the given one is not altered. History is kept in time order.

    Approving the making and the destruction is for another person than the one who asked (双人原则).

    Raises:
        SealStateError: the state does not allow it.
        SealRefusedError: who or the ground is blank, *at* lies before the last change, or the second person is the
            first.
    """
    _require(by=by, ground=ground)
    target = TRANSITIONS.get(seal.state, {}).get(action)
    if target is None:
        raise _refused(seal.state, action.en, action.zh)
    last = seal.history[-1]
    if at < last.at:
        raise SealRefusedError("seal_change_before_last", last=last.at.isoformat())
    if action in SECOND_PERSON and by == last.by:
        raise SealRefusedError("seal_second_person")
    return replace(seal, history=(*seal.history, Change(action.value, target, by, at, ground)))


def approve(seal: Seal, *, by: str, at: datetime, ground: str) -> Seal:
    """核准制章: by another person than the one who asked (see `change`)."""
    return change(seal, Action.APPROVE, by=by, at=at, ground=ground)


def disable(seal: Seal, *, by: str, at: datetime, ground: str) -> Seal:
    """停用: not to be used until enabled again (see `change`)."""
    return change(seal, Action.DISABLE, by=by, at=at, ground=ground)


def enable(seal: Seal, *, by: str, at: datetime, ground: str) -> Seal:
    """启用: ends a disabling (see `change`)."""
    return change(seal, Action.ENABLE, by=by, at=at, ground=ground)


def destroy(seal: Seal, *, by: str, at: datetime, ground: str) -> Seal:
    """核准销毁: final, by another person than the one who asked (see `change`)."""
    return change(seal, Action.DESTROY, by=by, at=at, ground=ground)


def use(seal: Seal, *, by: str, at: datetime, document_digest: bytes, purpose: str) -> Use:
    """The record of a use; write it down before the seal is applied: a use without a record must not exist.

    Raises:
        SealStateError: the seal is not in use, or was not at *at*.
        SealRefusedError: *by* is not the custodian, the seal is not valid at *at*, or digest or purpose is missing.
    """
    _require(by=by, purpose=purpose)
    if len(document_digest) != DIGEST_BYTES:
        raise SealRefusedError("seal_digest_bad", expected=DIGEST_BYTES, found=len(document_digest))
    if by != seal.custodian:
        raise SealRefusedError("seal_not_its_custodian")
    # Neither now nor at the time the use is said to happen: a use dated back would pass over a disabling.
    for state in (seal.state, seal.state_at(at) or State.REQUESTED):
        if state is not State.IN_USE:
            raise _refused(state, "used", "用印")
    if at < seal.valid_from:
        raise SealRefusedError("seal_not_yet_valid", starts=seal.valid_from.isoformat(), when=at.isoformat())
    if at > seal.valid_until:
        raise SealRefusedError("seal_expired", ends=seal.valid_until.isoformat(), when=at.isoformat())
    return Use(seal.code, by, at, document_digest, purpose)


def _refused(state: State, action_en: str, action_zh: str) -> SealStateError:
    allowed = TRANSITIONS.get(state, {})
    return SealStateError(
        state_en=state.en,
        state_zh=state.zh,
        action_en=action_en,
        action_zh=action_zh,
        allowed_en=", ".join(a.value for a in allowed) or "nothing (the state is final)",
        allowed_zh="、".join(a.zh for a in allowed) or "无（终态）",
    )


def _require(**values: str) -> None:
    for name, value in values.items():
        if not value.strip() or len(value) > MAX_NAME:
            raise SealRefusedError("seal_entry_blank", name=name, limit=MAX_NAME)
