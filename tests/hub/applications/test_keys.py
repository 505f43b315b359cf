"""Caller keys: the doors they open, a second one before the first is ended, and none for what cannot be a post."""

from __future__ import annotations

import pytest

from audit.entry import Entry
from hub.actors import Role
from hub.callers import find_keys, issue_key, revoke_key, rotate_key
from hub.errors import ActorInvalidError, CallerUnknownError, GrantInvalidError
from hub.standing import Standing


def issue(city, **changes):
    values = {"department": "RS", "name": "window", "by": "SJ:office"} | changes
    return issue_key(city.control, city.evidence, city.list_, **values)


def test_a_key_opens_its_doors_and_the_log_says_which(city):
    standing = Standing(city.settings, city.control)
    plain, more = issue(city), issue(city, roles=(Role.REVIEW, Role.APPLY))
    assert standing.now().caller(plain.key).roles == ("call",)
    assert standing.now().caller(more.key).roles == ("apply", "review")
    facts = Entry.decode(city.evidence.log.entry(more.log_index)).facts
    assert facts == {"caller": more.caller, "department": "RS", "name": "window", "roles": ["apply", "review"]}


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"department": "XX"}, GrantInvalidError),
        ({"roles": ("king",)}, GrantInvalidError),
        ({"roles": ()}, GrantInvalidError),
        ({"name": "13812345678"}, ActorInvalidError),
        ({"name": "a:b"}, ActorInvalidError),
    ],
)
def test_a_key_that_would_say_something_wrong_is_not_issued(city, changes, error):
    size = city.evidence.log.size
    with pytest.raises(error):
        issue(city, **changes)
    assert city.evidence.log.size == size
    assert find_keys(city.control) == ()


def test_both_keys_open_until_the_old_one_is_revoked(city):
    standing = Standing(city.settings, city.control)
    old = issue(city, roles=(Role.CALL, Role.APPLY))
    new = rotate_key(city.control, city.evidence, city.list_, old.caller, by="SJ:office")
    assert Entry.decode(city.evidence.log.entry(new.log_index)).facts["replaces"] == old.caller
    assert [standing.now().caller(one.key).roles for one in (old, new)] == [("apply", "call")] * 2
    index = revoke_key(city.control, city.evidence, old.caller, by="SJ:office")
    assert revoke_key(city.control, city.evidence, old.caller, by="SJ:office") == index
    assert standing.now().caller(old.key) is None
    assert standing.now().caller(new.key).department == "RS"
    known = {one.id: one.revoked_at for one in find_keys(city.control, department="RS")}
    assert (known[old.caller] is None, known[new.caller] is None) == (False, True)
    with pytest.raises(GrantInvalidError, match="revoked"):
        rotate_key(city.control, city.evidence, city.list_, old.caller, by="SJ:office")
    with pytest.raises(CallerUnknownError):
        rotate_key(city.control, city.evidence, city.list_, "C404", by="SJ:office")
