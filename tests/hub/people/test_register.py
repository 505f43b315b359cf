"""Who is registered, with which duties, and what is handed over; each change in the log without a name."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest

from hub.actors import Actor
from hub.errors import ActorInvalidError
from hub.people import Duty
from hub.people.duties import APART, need_apart
from hub.people.errors import LastAdministratorError, OwnDutiesError, PersonInvalidError, PersonUnknownError
from tests.hub.people.conftest import LIST
from tests.hub.people.helping import BY, PASSWORD
from tests.hub.world import NOW

DAY = timedelta(days=1)


def field_of(error):
    return error.value.params["where"]


def test_a_person_is_added_once_and_found_by_login_number_name_and_post(people, add):
    made = add(" Zhang.San ", Duty.STAFF, Duty.REVIEWER, post="Window-1", name=" Zhang 三 ")
    assert (made.login, made.name, made.duties) == ("zhang.san", "Zhang 三", {Duty.STAFF, Duty.REVIEWER})
    assert str(made.actor) == "RS:Window-1"
    assert people.get("ZHANG.SAN") == people.get(made.id) == made
    other = add("li.si", department="GA", name="李四")
    for words in ("zhang", "ZHANG", "三", "window"):
        assert people.find(words=words) == (made,)
    assert people.find(words="%") == people.find(words="_") == ()
    assert people.find() == (other, made)
    assert people.find(department="RS") == (made,)
    assert people.count() == 2
    assert people.find(skip=1, limit=1) == (made,)
    with pytest.raises(PersonInvalidError) as error:
        add("zhang.san")
    assert field_of(error) == "login"
    with pytest.raises(PersonUnknownError):
        people.get("nobody")


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"login": "a"}, "login"),
        ({"login": "has blank"}, "login"),
        ({"login": "zhang_13800138000"}, "login"),
        ({"login": "张三"}, "login"),
        ({"login": "x" * 65}, "login"),
        ({"department": "XX"}, "department"),
        ({"name": "  "}, "name"),
        ({"name": "x" * 61}, "name"),
        ({"name": "a\nb"}, "name"),
        ({"duties": []}, "duties"),
    ],
)
def test_what_cannot_be_said_of_a_person_is_refused_by_its_field(people, entries, changes, field):
    fields = {"login": "zhang.san", "name": "张三", "department": "RS", "post": "window-1", "duties": [Duty.STAFF]}
    with pytest.raises(PersonInvalidError) as error:
        people.add(LIST, by=BY, **{**fields, **changes})
    assert field_of(error) == field
    assert people.count() == 0
    assert entries() == []


def test_a_post_is_no_number_of_a_person(people):
    with pytest.raises(ActorInvalidError):
        people.add(
            LIST, login="zhang.san", name="张三", department="RS", post="13800138000", duties=[Duty.STAFF], by=BY
        )


@pytest.mark.parametrize("one", APART)
@pytest.mark.parametrize("other", Duty)
def test_administrator_and_auditor_have_no_other_duty(one, other):
    if other is one:
        need_apart([one, other])
    else:
        with pytest.raises(PersonInvalidError):
            need_apart([one, other])


def test_duties_are_given_and_kept_apart(people, add, entries):
    made = add()
    assert people.give(made.id, [Duty.OFFICE, Duty.LEADER], by=BY).duties == {Duty.OFFICE, Duty.LEADER}
    for bad in ([], [Duty.AUDITOR, Duty.STAFF], [Duty.ADMINISTRATOR, Duty.AUDITOR]):
        with pytest.raises(PersonInvalidError):
            people.give(made.id, bad, by=BY)
    assert people.get(made.id).duties == {Duty.OFFICE, Duty.LEADER}
    last = entries()[-1]
    assert (last.kind, last.actor) == ("person.duties", str(BY))
    assert (last.facts["before"], last.facts["duties"]) == (["staff"], ["leader", "office"])


def test_disabling_ends_sessions_and_enabling_brings_none_back(people, sessions, add):
    made = add()
    cookie = sessions.begin("zhang.san", PASSWORD).cookie
    with pytest.raises(PersonInvalidError):
        people.disable(made.id, by=BY, reason=" ")
    assert sessions.find(cookie) is not None
    people.disable(made.id, by=BY, reason="离职")
    assert sessions.find(cookie) is None
    assert people.get(made.id).disabled
    assert people.find() == ()
    assert people.find(disabled=True) == (people.get(made.id),)
    people.enable(made.id, by=BY)
    assert sessions.find(cookie) is None
    assert sessions.begin("zhang.san", PASSWORD).proved


def test_a_new_password_ends_sessions(people, sessions, add):
    made = add()
    cookie = sessions.begin("zhang.san", PASSWORD).cookie
    people.set_password(made.id, "another horse, another staple", by=BY)
    assert sessions.find(cookie) is None
    assert sessions.begin("zhang.san", "another horse, another staple").person.must_change


def test_entries_of_people_hold_no_login_and_no_name(people, sessions, add, entries):
    giver, taker = add("zhang.san", Duty.STAFF, name="张三丰"), add("li.si", Duty.REVIEWER, name="李四光")
    people.new_code(taker.id, by=BY)
    given = people.hand_over(giver, "li.si", [Duty.STAFF], starts=NOW, ends=NOW + DAY, reason="张三丰休假")
    people.withdraw(given.id, by=giver)
    sessions.begin("zhang.san", PASSWORD)
    people.give(giver.id, [Duty.WINDOW], by=BY)
    people.disable(giver.id, by=BY, reason="张三丰离职")
    people.enable(giver.id, by=BY)
    found = entries()
    assert {one.kind for one in found} == {
        f"person.{step}"
        for step in ("added", "duties", "disabled", "enabled", "password", "code", "handed_over", "withdrawn")
    } | {"person.signed_in"}
    for one in found:
        text = json.dumps(one.plain(), ensure_ascii=False)
        assert not any(word in text for word in ("zhang.san", "li.si", "张三丰", "李四光", PASSWORD, "离职", "休假"))
        assert one.facts["person"] in {giver.id, taker.id}


# --- delegation -----------------------------------------------------------------------------------------------------


def test_a_delegation_holds_from_its_day_to_its_day(people, add, clock):
    giver, taker = add("zhang.san", Duty.REVIEWER), add("li.si", Duty.STAFF)
    people.hand_over(giver, "li.si", [Duty.REVIEWER], starts=NOW + DAY, ends=NOW + 3 * DAY, reason="休假")
    assert people.get(taker.id).duties == {Duty.STAFF}
    clock.now = NOW + DAY
    lent = people.get(taker.id)
    assert (lent.duties, lent.lent) == ({Duty.STAFF, Duty.REVIEWER}, {Duty.REVIEWER})
    assert people.get(giver.id).duties == {Duty.REVIEWER}
    clock.now = NOW + 3 * DAY
    assert people.get(taker.id).lent == frozenset()
    assert [one.giver for one in people.delegations(taker.id)] == [giver.id]


def test_a_session_follows_a_delegation(people, sessions, add, clock):
    giver, _ = add("zhang.san", Duty.REVIEWER), add("li.si", Duty.STAFF)
    cookie = sessions.begin("li.si", PASSWORD).cookie
    given = people.hand_over(giver, "li.si", [Duty.REVIEWER], starts=NOW, ends=NOW + DAY, reason="休假")
    assert sessions.find(cookie).person.has(Duty.REVIEWER)
    people.withdraw(given.id, by=giver)
    assert not sessions.find(cookie).person.has(Duty.REVIEWER)


def test_who_may_withdraw(people, add, entries):
    giver, taker = add("zhang.san", Duty.REVIEWER), add("li.si", Duty.STAFF)
    administrator = add("wang.wu", Duty.ADMINISTRATOR)
    given = people.hand_over(giver, "li.si", [Duty.REVIEWER], starts=NOW, ends=NOW + DAY, reason="休假")
    for one, by in ((given.id, taker), ("W0", giver)):
        with pytest.raises(PersonUnknownError):
            people.withdraw(one, by=by)
    people.withdraw(given.id, by=administrator)
    before = len(entries())
    people.withdraw(given.id, by=giver)
    assert len(entries()) == before
    assert people.delegations(giver.id)[0].withdrawn_at == NOW


def test_what_cannot_be_handed_over(people, add):
    giver, taker = add("zhang.san", Duty.REVIEWER, Duty.STAFF), add("li.si", Duty.WINDOW)
    add("wang.wu", department="GA")
    gone = add("zhao.liu")
    people.disable(gone.id, by=BY, reason="离职")
    add("auditor.1", Duty.AUDITOR)
    good = {"taker": "li.si", "duties": [Duty.REVIEWER], "starts": NOW, "ends": NOW + DAY, "reason": "休假"}
    for changes, field in (
        ({"taker": "wang.wu"}, "taker"),
        ({"taker": "zhang.san"}, "taker"),
        ({"taker": "zhao.liu"}, "taker"),
        ({"taker": "auditor.1"}, "duties"),
        ({"duties": [Duty.LEADER]}, "duties"),
        ({"duties": []}, "duties"),
        ({"ends": NOW}, "ends"),
        ({"ends": NOW + 181 * DAY}, "ends"),
        ({"starts": NOW - 2 * DAY, "ends": NOW - DAY}, "ends"),
        ({"reason": " "}, "reason"),
    ):
        with pytest.raises(PersonInvalidError) as error:
            people.hand_over(giver, **{**good, **changes})
        assert field_of(error) == field, changes
    people.hand_over(giver, **good)
    # What was taken is not the taker's own to hand on.
    with pytest.raises(PersonInvalidError):
        people.hand_over(people.get(taker.id), **{**good, "taker": "zhang.san"})


def test_a_duty_is_lent_only_while_its_giver_has_it(people, add):
    giver, taker = add("zhang.san", Duty.REVIEWER, Duty.STAFF), add("li.si", Duty.WINDOW)
    people.hand_over(giver, "li.si", [Duty.REVIEWER, Duty.STAFF], starts=NOW, ends=NOW + DAY, reason="休假")
    people.give(giver.id, [Duty.STAFF], by=BY)
    assert people.get(taker.id).lent == {Duty.STAFF}
    people.disable(giver.id, by=BY, reason="离职")
    assert people.get(taker.id).lent == frozenset()


def test_a_delegation_never_joins_what_is_kept_apart(people, add):
    giver, taker = add("zhang.san", Duty.REVIEWER), add("li.si", Duty.STAFF)
    people.hand_over(giver, "li.si", [Duty.REVIEWER], starts=NOW, ends=NOW + DAY, reason="休假")
    assert people.give(taker.id, [Duty.AUDITOR], by=BY).duties == {Duty.AUDITOR}


def test_wishes_are_remembered_one_beside_the_other(people, add):
    made = add()
    people.wish(made.id, lang="en")
    people.wish(made.id, elder=True)
    assert people.wishes(made.id) == {"lang": "en", "elder": True}


def test_somebody_without_a_password_signs_in_elsewhere_alone(people, sessions, add):
    from hub.people.errors import SignInRefusedError

    made = add(password="")
    for password in ("", "nobody's password"):
        with pytest.raises(SignInRefusedError):
            sessions.begin("zhang.san", password)
    assert sessions.enter(made.id).proved
    assert str(made.actor) == str(Actor("RS", "post-of-zha"))


def test_nobody_gives_duties_to_the_own_post(people, add, entries):
    made = add("admin", Duty.ADMINISTRATOR)
    other = add("other.one", Duty.ADMINISTRATOR)
    with pytest.raises(OwnDutiesError):
        people.give(made.id, [Duty.OFFICE], by=made.actor)
    assert people.get(made.id).duties == {Duty.ADMINISTRATOR}
    assert people.give(made.id, [Duty.OFFICE], by=other.actor).duties == {Duty.OFFICE}
    assert [one.kind for one in entries()].count("person.duties") == 1


def test_the_last_administrator_stays_one(people, add):
    first, second = add("admin", Duty.ADMINISTRATOR), add("other.one", Duty.ADMINISTRATOR)
    people.disable(second.id, by=BY, reason="离职")
    for refused in (
        lambda: people.disable(first.id, by=BY, reason="离职"),
        lambda: people.disable(first.id, by=first.actor, reason="离职"),
        lambda: people.give(first.id, [Duty.OFFICE], by=BY),
    ):
        with pytest.raises(LastAdministratorError):
            refused()
    assert people.get(first.id).duties == {Duty.ADMINISTRATOR}
    assert not people.get(first.id).disabled
    people.enable(second.id, by=BY)
    people.disable(first.id, by=BY, reason="离职")
    # Who is disabled already is none that could be the last.
    people.give(first.id, [Duty.OFFICE], by=BY)
    with pytest.raises(LastAdministratorError):
        people.disable(second.id, by=BY, reason="离职")
