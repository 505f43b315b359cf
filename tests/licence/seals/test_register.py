from __future__ import annotations

from datetime import timedelta

import pytest

from licence.errors import SealRefusedError, SealStateError
from licence.seals import register
from licence.seals.register import SECOND_PERSON, TRANSITIONS, Action, Change, Seal, State
from tests.licence.seals import city as c

GROUND = "《行政机关印章管理办法》第三条"
IMAGE = bytes(32)


def asked(**changes):
    fields = {
        "code": "SEAL-1",
        "name": c.NAME,
        "kind": 1,
        "image_digest": IMAGE,
        "department": "agriculture",
        "custodian": "zhang",
        "valid_from": c.STARTS,
        "valid_until": c.ENDS,
        "by": "li",
        "at": c.MADE,
        "ground": GROUND,
    }
    return register.request(**(fields | changes))


def act(seal, action, by="wang", hours=1, **changes):
    fields = {"by": by, "at": seal.history[-1].at + timedelta(hours=hours), "ground": GROUND} | changes
    return register.change(seal, action, **fields)


def in_use():
    return act(asked(), Action.APPROVE)


def used(seal, **changes):
    fields = {"by": "zhang", "at": c.SIGNED, "document_digest": c.DIGEST, "purpose": "颁发许可证"} | changes
    return register.use(seal, **fields)


def code(call, *args, **kwargs):
    with pytest.raises(SealRefusedError) as caught:
        call(*args, **kwargs)
    assert caught.value.text("zh") != caught.value.text("en")
    return caught.value.code


def refused(call, *args, **kwargs):
    with pytest.raises(SealStateError) as caught:
        call(*args, **kwargs)
    return caught.value.text("zh")


def test_from_request_to_destruction():
    seal = in_use()
    assert (seal.state, seal.state.zh) == (State.IN_USE, "在用")
    assert used(seal) == register.Use("SEAL-1", "zhang", c.SIGNED, c.DIGEST, "颁发许可证")
    seal = act(act(seal, Action.DISABLE), Action.ENABLE)
    seal = act(act(seal, Action.REQUEST_DESTRUCTION, by="li"), Action.DESTROY)
    assert (seal.state, len(seal.history)) == (State.DESTROYED, 6)
    assert seal.state_at(c.MADE) is State.REQUESTED
    assert seal.state_at(c.MADE - timedelta(seconds=1)) is None


def test_every_pair_of_state_and_action_is_decided():
    for state in State:
        first = Change("request", state, "li", c.MADE, GROUND)
        seal = Seal("S", "n", 1, IMAGE, "d", "zhang", c.STARTS, c.ENDS, (first,))
        for action in Action:
            if action in TRANSITIONS.get(state, {}):
                assert act(seal, action).state is TRANSITIONS[state][action]
            else:
                assert state.zh in refused(act, seal, action)


@pytest.mark.parametrize("action", sorted(SECOND_PERSON))
def test_two_persons_for_making_and_destroying(action):
    seal = asked() if action is Action.APPROVE else act(in_use(), Action.REQUEST_DESTRUCTION, by="li")
    assert code(act, seal, action, by="li") == "seal_second_person"
    assert act(seal, action, by="wang").history[-1].by == "wang"


def test_a_ground_is_mandatory():
    assert code(act, asked(), Action.APPROVE, ground=" ") == "seal_entry_blank"
    assert code(act, asked(), Action.APPROVE, by="") == "seal_entry_blank"
    assert code(asked, ground="") == "seal_entry_blank"
    assert code(asked, image_digest=b"") == "seal_digest_bad"
    assert code(asked, valid_until=c.STARTS) == "seal_dates_contradict"


def test_history_stays_in_order():
    assert code(act, in_use(), Action.DISABLE, hours=-1) == "seal_change_before_last"


def test_the_given_seal_is_not_altered():
    seal = in_use()
    act(seal, Action.DISABLE)
    assert seal.state is State.IN_USE


def test_only_the_custodian_uses_it():
    assert code(used, in_use(), by="li") == "seal_not_its_custodian"


@pytest.mark.parametrize("state", [s for s in State if s is not State.IN_USE])
def test_only_in_use_is_it_used(state):
    first = Change("request", state, "li", c.MADE, GROUND)
    seal = Seal("S", "n", 1, IMAGE, "d", "zhang", c.STARTS, c.ENDS, (first,))
    assert state.zh in refused(used, seal)


def test_a_use_cannot_be_dated_back_over_a_disabling():
    seal = act(in_use(), Action.DISABLE, at=c.SIGNED)
    assert "不能用印" in refused(used, seal, at=c.SIGNED - timedelta(hours=1))
    again = act(seal, Action.ENABLE, hours=10)
    assert "不能用印" in refused(used, again, at=c.SIGNED + timedelta(hours=1))
    assert "不能用印" in refused(used, again, at=c.MADE)
    assert used(again, at=c.SIGNED + timedelta(hours=11))


def test_a_use_says_what_and_what_for():
    assert code(used, in_use(), purpose="") == "seal_entry_blank"
    assert code(used, in_use(), document_digest=b"x") == "seal_digest_bad"
    assert code(used, in_use(), at=c.ENDS + timedelta(days=1)) == "seal_expired"
    early = act(asked(valid_from=c.SIGNED + timedelta(days=1)), Action.APPROVE)
    assert code(used, early) == "seal_not_yet_valid"
