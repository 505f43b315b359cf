from __future__ import annotations

from datetime import timedelta

import pytest

from licence import lifecycle
from licence.errors import GroundMissingError, NotIssuingDepartmentError, TransitionRefusedError
from licence.lifecycle import TRANSITIONS, Action, State
from licence.status import Status
from tests.licence.world import ISSUED

WHY = {"reason": "检查不合格", "ground": "《条例》第二十条"}
ENDS = {
    Action.REVOKE: State.REVOKED,
    Action.CANCEL: State.CANCELLED,
    Action.EXPIRE: State.LAPSED,
    Action.WITHDRAW: State.WITHDRAWN,
}


def new():
    return lifecycle.issue(identifier="x", kind="k", issuer="agriculture", at=ISSUED, **WHY)


def act(licence, action, hours=1, by="agriculture", **changes):
    return lifecycle.change(licence, action, by=by, at=ISSUED + timedelta(hours=hours), **(WHY | changes))


def test_a_new_licence_is_in_force():
    assert (new().state, new().status) == (State.VALID, Status.VALID)
    assert new().state.zh == "有效"


def test_suspended_and_resumed():
    suspended = lifecycle.suspend(new(), by="agriculture", at=ISSUED, **WHY)
    assert (suspended.state, suspended.status) == (State.SUSPENDED, Status.SUSPENDED)
    resumed = lifecycle.resume(suspended, by="agriculture", at=ISSUED + timedelta(hours=2), **WHY)
    assert (resumed.state, len(resumed.history)) == (State.VALID, 3)
    assert resumed.state_at(ISSUED + timedelta(hours=1)) is State.SUSPENDED
    assert resumed.state_at(ISSUED - timedelta(hours=1)) is None


@pytest.mark.parametrize("action", ENDS)
@pytest.mark.parametrize("suspended", [False, True])
def test_ends_are_final(action, suspended):
    licence = act(new(), Action.SUSPEND) if suspended else new()
    ended = getattr(lifecycle, action.value)(licence, by="agriculture", at=ISSUED + timedelta(hours=2), **WHY)
    assert (ended.state, ended.status) == (ENDS[action], Status.INVALID)
    for further in Action:
        with pytest.raises(TransitionRefusedError) as caught:
            act(ended, further, hours=3)
        assert ended.state.zh in caught.value.text("zh")


def test_handed_over_only_while_in_force():
    done = lifecycle.transfer(new(), by="agriculture", at=ISSUED, **WHY)
    assert (done.state, done.status) == (State.TRANSFERRED, Status.INVALID)
    with pytest.raises(TransitionRefusedError):
        act(act(new(), Action.SUSPEND), Action.TRANSFER, hours=2)


def test_every_pair_of_state_and_action_is_decided():
    for state in State:
        licence = lifecycle.Licence("x", "k", "agriculture", (lifecycle.Change("issue", state, "a", ISSUED, "r", "g"),))
        for action in Action:
            if action in TRANSITIONS.get(state, {}):
                assert act(licence, action).state is TRANSITIONS[state][action]
            else:
                with pytest.raises(TransitionRefusedError):
                    act(licence, action)


def test_only_the_issuing_department():
    with pytest.raises(NotIssuingDepartmentError):
        act(new(), Action.REVOKE, by="forestry")


@pytest.mark.parametrize("missing", ["reason", "ground"])
def test_reason_and_ground_are_mandatory(missing):
    with pytest.raises(GroundMissingError):
        act(new(), Action.REVOKE, **{missing: " "})
    with pytest.raises(GroundMissingError):
        lifecycle.issue(identifier="x", kind="k", issuer="a", at=ISSUED, **(WHY | {missing: ""}))


def test_history_stays_in_order():
    with pytest.raises(TransitionRefusedError, match="before"):
        act(new(), Action.REVOKE, hours=-1)


def test_the_given_licence_is_not_altered():
    licence = new()
    act(licence, Action.REVOKE)
    assert licence.state is State.VALID
