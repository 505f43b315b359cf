"""The administrators' pages of people, and what each person hands over."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest

from catalog.clock import SHANGHAI
from hub.people import Duty
from tests.hub.portal.browsing import OFFICE, PASSWORD, SAME, text_of

HOSTILE = "<script>alert(1)</script>"


@pytest.fixture
def admin(signed_in):
    return signed_in(Duty.ADMINISTRATOR)


def fields(**changes):
    return {"login": "new.one", "name": "新人", "department": "GA", "post": "window-9", "duty": "staff", **changes}


def day(service, days=0):
    return (service.evidence.clock() + timedelta(days=days)).astimezone(SHANGHAI).date().isoformat()


def test_everybody_is_listed_with_a_true_total(admin, people, members):
    plain = admin.json("/people.json")
    assert plain["total"] == people.count() == len(plain["people"])
    page = admin.read("/people")
    assert f"共 {plain['total']} 人" in page
    assert members[Duty.WINDOW].name in page
    only = admin.json("/people.json?department=MZ")
    assert (only["total"], only["people"]) == (0, [])
    assert "没有符合的人员" in admin.read("/people?department=MZ")


def test_a_name_is_looked_for_without_standing_in_an_address(admin, members):
    answer = admin.send("/people", words=members[Duty.WINDOW].name)
    assert answer.status_code == 200
    assert "共 1 人" in text_of(answer.text)
    assert members[Duty.WINDOW].login in answer.text
    assert members[Duty.STAFF].login not in answer.text
    assert not re.search(r'href="[^"]*(window\.one|%E6%B5%8B)', answer.text)


def test_somebody_is_registered_and_signs_in_with_the_password_that_was_told(admin, browser, people):
    answer = admin.send("/people/new", **fields())
    assert answer.status_code == 200
    made = people.get("new.one")
    assert (made.department, made.post, made.must_change) == ("GA", "window-9", True)
    password = re.search(r"[a-z2-9]{5}(?:-[a-z2-9]{5}){3}", answer.text)[0]
    assert password not in admin.see(f"/people/{made.id}").text
    entered = browser.send("/sign-in", login="new.one", password=password)
    assert entered.status_code == 303
    # The first thing is another password.
    assert browser.see("/me").headers["location"].startswith("/me/password")


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"login": "13800138000"}, "登录名"),
        ({"login": "staff.one"}, "已被使用"),
        ({"name": ""}, "姓名"),
        ({"post": "13800138000"}, ""),
        ({"department": "XX"}, "没有此部门"),
        ({"duty": ["administrator", "auditor"]}, "不得兼任"),
        ({"duty": "king"}, "没有此职责"),
        ({"duty": ""}, "至少一项"),
    ],
)
def test_what_cannot_be_is_said_and_what_was_entered_stays(admin, people, changes, said):
    before = people.count()
    answer = admin.send("/people/new", **fields(**{"login": "other.one", **changes}))
    assert 400 <= answer.status_code < 500
    assert said in answer.text
    assert "请更正以下内容" in answer.text
    if "name" not in changes:
        assert 'value="新人"' in answer.text
    assert people.count() == before


def test_a_cookie_that_somebody_planted_opens_nothing_after_signing_in(browser, members):
    planted = "planted-by-somebody-else"
    browser.client.cookies.set("zhengtong", planted)
    answer = browser.send("/sign-in", login=members[Duty.STAFF].login, password=PASSWORD)
    assert answer.status_code == 303
    made = re.match(r"zhengtong=([^;]+)", answer.headers["set-cookie"])[1]
    assert made != planted
    browser.client.cookies.clear()
    browser.client.cookies.set("zhengtong", planted)
    assert browser.see("/me").status_code == 303
    browser.client.cookies.clear()
    browser.client.cookies.set("zhengtong", made)
    assert browser.see("/me").status_code == 200


def test_duties_password_codes_disabling_and_enabling(admin, people, service):
    list_ = service.standing.now().list
    made = people.add(
        list_, login="one.more", name=HOSTILE, department="GA", post="post-7", duties=[Duty.STAFF], by=OFFICE,
        password=PASSWORD,
    )  # fmt: skip
    here = f"/people/{made.id}"
    assert HOSTILE not in admin.see(here).text
    assert HOSTILE not in admin.see("/people").text
    assert HOSTILE in admin.read(here)
    assert HOSTILE not in re.search(r"<title>(.*?)</title>", admin.see(here).text)[1]
    assert admin.send(f"{here}/duties", duty=["reviewer", "window"]).status_code == 303
    assert people.get(made.id).duties == {Duty.REVIEWER, Duty.WINDOW}
    refused = admin.send(f"{here}/duties", duty=["auditor", "window"])
    assert "不得兼任" in refused.text
    assert people.get(made.id).duties == {Duty.REVIEWER, Duty.WINDOW}
    answer = admin.send(f"{here}/password")
    assert answer.status_code == 200
    assert people.get(made.id).must_change
    people.new_code(made.id, by=OFFICE)
    assert admin.send(f"{here}/codes").status_code == 303
    assert "停用理由" in admin.read(here)
    assert "不能为空" in admin.send(f"{here}/disable", reason=" ").text
    assert not people.get(made.id).disabled
    assert admin.send(f"{here}/disable", reason="离职").status_code == 303
    assert people.get(made.id).disabled
    assert "已停用" in admin.read(here)
    assert admin.send(f"{here}/enable").status_code == 303
    assert not people.get(made.id).disabled


def test_nobody_but_an_administrator_registers_people(signed_in, browser, people, members):
    before = people.count()
    for duty in set(Duty) - {Duty.ADMINISTRATOR}:
        visitor = signed_in(duty)
        assert visitor.send("/people/new", **fields(login="x.y")).status_code == 403
        assert visitor.see(f"/people/{members[Duty.STAFF].id}").status_code == 403
        assert visitor.send(f"/people/{members[Duty.STAFF].id}/duties", duty="office").status_code == 403
    answer = browser.client.post("/people/new", data=fields(login="x.y"), headers=SAME)
    assert answer.headers["location"].startswith("/sign-in")
    assert people.count() == before
    assert people.get(members[Duty.STAFF].id).duties == {Duty.STAFF}


def test_somebody_unknown_is_a_page_that_says_so(admin):
    assert admin.see("/people/P-nobody").status_code == 404


def test_the_pages_speak_english(signed_in, members):
    page = signed_in(Duty.ADMINISTRATOR, **{"accept-language": "en"}).read(f"/people/{members[Duty.STAFF].id}")
    assert "Reason for disabling" in page
    assert "department staff" in page


# --- handing over ---------------------------------------------------------------------------------------------------


def test_duties_are_handed_over_and_withdrawn(signed_in, people, members, service):
    giver, taker = signed_in(Duty.REVIEWER), members[Duty.STAFF]
    page = giver.read("/me/delegations")
    assert taker.name in page
    sent = {"taker": taker.id, "duty": "reviewer", "reason": HOSTILE, "starts": day(service), "ends": day(service, 2)}
    assert giver.send("/me/delegations", **sent).headers["location"] == "/me/delegations"
    assert people.get(taker.id).lent == {Duty.REVIEWER}
    shown = giver.see("/me/delegations").text
    assert HOSTILE not in shown
    assert HOSTILE in text_of(shown)
    (mine,) = giver.json("/me/delegations.json")["delegations"]
    assert (mine["given"], mine["open"], mine["other"]) == (True, True, taker.name)
    taken = signed_in(Duty.STAFF)
    assert taken.json("/me/delegations.json")["delegations"][0]["given"] is False
    # Who was handed something cannot give it back in the giver's name, nor hand it on.
    assert taken.send(f"/me/delegations/{mine['id']}").status_code == 404
    assert people.get(taker.id).lent == {Duty.REVIEWER}
    on = taken.send("/me/delegations", **{**sent, "taker": members[Duty.WINDOW].id})
    assert "只能委托本人的职责" in on.text
    assert giver.send(f"/me/delegations/{mine['id']}").status_code == 303
    assert people.get(taker.id).lent == frozenset()
    assert "已撤回" in giver.read("/me/delegations")


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"starts": "yesterday"}, "应为日期"),
        ({"ends": ""}, "不能为空"),
        ({"ends": "2020-01-01"}, "截止时间"),
        ({"reason": ""}, "不能为空"),
        ({"duty": "office"}, "只能委托本人的职责"),
        ({"taker": "ADMIN"}, "三员分立"),
    ],
)
def test_what_cannot_be_handed_over_is_said(signed_in, members, service, changes, said):
    if changes.get("taker") == "ADMIN":
        changes = {"taker": members[Duty.ADMINISTRATOR].id}
    sent = {"taker": members[Duty.STAFF].id, "duty": "leader", "reason": "休假", "starts": day(service)}
    answer = signed_in(Duty.LEADER).send("/me/delegations", **{**sent, "ends": day(service, 1), **changes})
    assert said in answer.text
    assert signed_in(Duty.LEADER).json("/me/delegations.json")["delegations"] == []
    if "reason" not in changes:
        assert ">休假</textarea>" in answer.text


def test_an_administrator_withdraws_what_others_handed_over(admin, signed_in, people, members, service):
    giver, taker = members[Duty.ENGINEER], members[Duty.LEADER]
    now = service.evidence.clock()
    given = people.hand_over(giver, taker.id, [Duty.ENGINEER], starts=now, ends=now + timedelta(days=1), reason="出差")
    assert "出差" in admin.read(f"/people/{taker.id}")
    assert admin.send(f"/people/{taker.id}/delegations/{given.id}").status_code == 303
    assert people.get(taker.id).lent == frozenset()
