"""What holds for every page: who may see it, in which language, with which headers, and what strangers cannot send."""

from __future__ import annotations

import re
from dataclasses import replace
from importlib import resources

import pytest

from hub.api.limits import Buckets
from hub.people import Duty
from hub.portal import answering, errors
from hub.portal.app import OF_THE_API, doors
from hub.portal.rendering import environment, static_files, static_url
from hub.portal.rooms import home
from tests.hub.portal.browsing import HAN, PASSWORD, text_of

PAGES = [door for door in doors() if door.method == "GET" and "{" not in door.path]
STEPS = [door for door in doors() if door.method == "POST"]
TEMPLATES = sorted(path.name for path in (resources.files("hub.portal") / "templates").iterdir())


@pytest.mark.parametrize("door", PAGES, ids=lambda door: door.path)
@pytest.mark.parametrize("duty", [None, *Duty], ids=str)
def test_a_page_is_shown_to_those_it_is_for_and_to_nobody_else(door, duty, browser, signed_in):
    visitor = browser if duty is None else signed_in(duty)
    answer = visitor.see(door.path)
    if door.who is None or (duty is not None and duty in door.who):
        assert answer.status_code in {200, 303, 404, 409}, text_of(answer.text)[:300]
    elif duty is None:
        assert (answer.status_code, answer.headers["location"].split("?")[0]) == (303, "/sign-in")
    else:
        assert answer.status_code == 403
    assert "script-src 'self'" in answer.headers["content-security-policy"]
    assert "unsafe" not in answer.headers["content-security-policy"]


@pytest.mark.parametrize("door", PAGES, ids=lambda door: door.path)
def test_an_english_page_says_nothing_in_chinese_but_names(door, signed_in):
    duty = next(iter(sorted(door.who))) if door.who else Duty.STAFF
    answer = signed_in(duty, **{"accept-language": "en"}).see(door.path)
    if answer.status_code == 200 and answer.headers["content-type"].startswith("text/html"):
        assert '<html lang="en"' in answer.text
        # What is quoted in Chinese says that it is (WCAG 2.2, 3.1.2): laws, notices, names of holidays.
        own = re.sub(r'<(\w+)[^>]* lang="zh-CN"[^>]*>.*?</\1>', "", answer.text, flags=re.DOTALL)
        left = set(re.findall(r"[\u3400-\u9fff]+", text_of(own)))
        names = {
            "示例市",
            "中文",
            "人口基础信息",
            "公安局",
            "人力资源和社会保障局",
            "民政局",
            "户籍人口",
            "退休审批",
            "失业登记",
        }
        names |= {f"测试{one.words[1]}" for one in Duty}
        assert left <= names


FRAME = frozenset(
    {"city", "sections", "person", "waiting", "token", "here", "now", "elder", "problem", "problem_field", "said"}
    | {"t", "lang", "visit", "number", "percent"}
)


@pytest.mark.parametrize("door", [door for door in PAGES if door.json], ids=lambda door: door.path)
def test_a_page_uses_no_name_of_what_is_around_it(door, signed_in):
    duty = next(iter(sorted(door.who))) if door.who else Duty.STAFF
    answer = signed_in(duty).see(f"{'/home' if door.path == '/' else door.path}.json")
    if answer.status_code == 200:
        assert not answer.json().keys() & FRAME


@pytest.mark.parametrize("name", TEMPLATES)
def test_a_template_says_every_sentence_in_both_languages(name):
    text = (resources.files("hub.portal") / "templates" / name).read_text("utf-8")
    spoken = re.sub(r"\{#.*?#\}", "", text, flags=re.DOTALL)
    # What is within t(…) has its other language beside it.
    spoken = re.sub(r'\bt\(\s*"(?:[^"\\]|\\.)*",\s*"(?:[^"\\]|\\.)*"\s*\)', "", spoken)
    found = HAN.findall(spoken.replace('"中文"', ""))
    assert not found
    environment().get_template(name)


@pytest.mark.parametrize("name", TEMPLATES)
def test_a_template_holds_no_script_and_no_style_of_its_own(name):
    text = (resources.files("hub.portal") / "templates" / name).read_text("utf-8")
    assert not re.search(r"<style|\sstyle=|\son[a-z]+=|javascript:|\|\s*safe|https?://", text)


@pytest.mark.parametrize("door", STEPS, ids=lambda door: door.path)
def test_a_form_of_another_site_is_refused(door, signed_in):
    duty = next(iter(sorted(door.who))) if door.who else Duty.STAFF
    visitor = signed_in(duty)
    path = re.sub(r"\{[^}]*\}", "1", door.path)
    for headers in (
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site"},
        {"origin": "http://evil.example"},
        {"origin": "null"},
        {},
    ):
        answer = visitor.client.post(path, data={"token": visitor.token}, headers=headers)
        assert answer.status_code == 403


@pytest.mark.parametrize("door", STEPS, ids=lambda door: door.path)
def test_a_form_without_the_sessions_token_is_refused(door, signed_in):
    duty = next(iter(sorted(door.who))) if door.who else Duty.STAFF
    visitor = signed_in(duty)
    visitor.token = "another"
    assert visitor.send(re.sub(r"\{[^}]*\}", "1", door.path)).status_code == 403


def test_pages_and_the_api_share_no_address(app):
    mine = {door.path.split("/")[1] for door in doors()} | {"static"}
    assert not mine & OF_THE_API
    assert {route.path.split("/")[1] for route in app.routes} <= OF_THE_API


def test_an_address_that_there_is_not_is_a_page_that_says_so(browser):
    answer = browser.see("/no/such/page")
    assert answer.status_code == 404
    assert "没有此页面" in answer.text
    assert browser.see("/v1/no-such").headers["content-type"].startswith("application/problem+json")


@pytest.mark.parametrize("to", ["//evil.example", "https://evil.example", "/\\evil.example", "/a\tb", "\\\\x", "x"])
def test_nobody_is_led_elsewhere(to, browser):
    answer = browser.client.get("/language/en", params={"next": to})
    assert (answer.status_code, answer.headers["location"]) == (303, "/")


@pytest.mark.parametrize("path", ["/", "/sign-in", "/me", "/no/such/page", "/home.json"])
def test_no_other_site_shows_our_pages_in_a_frame(path, browser):
    answer = browser.see(path)
    assert "frame-ancestors 'none'" in answer.headers["content-security-policy"]
    assert answer.headers["x-frame-options"] == "DENY"


def test_files_are_kept_for_ever_under_an_address_of_their_bytes(browser):
    for name in static_files():
        answer = browser.see(static_url(name))
        assert answer.status_code == 200
        assert "immutable" in answer.headers["cache-control"]
    assert browser.see("/static/x/../../etc/passwd").status_code == 404


def test_every_error_of_a_page_has_a_status_of_what_to_do_next():
    own = [one for one in vars(errors).values() if isinstance(one, type) and one.__module__ == errors.__name__]
    assert own
    assert [one for one in own if answering.status_of(one.__new__(one)) == 500] == []
    assert answering.status_of(answering._SettleFirstError()) == 403


def test_language_and_elder_mode_are_remembered(browser):
    browser.client.get("/language/en")
    browser.client.get("/elder/on")
    page = browser.see("/").text
    assert '<html lang="en" class="govuk-template zt-elder"' in page
    browser.client.get("/language/zh")
    browser.client.get("/elder/off")
    assert '<html lang="zh-CN" class="govuk-template"' in browser.see("/").text


def test_signing_in_and_out(browser, members):
    person = members[Duty.STAFF]
    answer = browser.send("/sign-in", login=person.login, password="wrong password of mine")
    assert answer.status_code == 422
    assert "登录名或密码不正确" in answer.text
    answer = browser.send("/sign-in", login=person.login.upper(), password=PASSWORD, next="/me")
    assert (answer.status_code, answer.headers["location"]) == (303, "/me")
    cookie = answer.headers["set-cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=lax" in cookie
    page = browser.see("/me").text
    assert person.name in page
    browser.token = re.search(r'name="token" value="([^"]+)"', page)[1]
    kept = browser.client.cookies["zhengtong"]
    assert browser.send("/sign-out").status_code == 303
    browser.client.cookies.set("zhengtong", kept)
    assert browser.see("/me").status_code == 303


def test_an_address_that_tries_too_often_waits_and_who_is_signed_in_does_not(app, browser, signed_in):
    browser.see("/")
    before = app.state.portal.answering
    app.state.portal.answering = replace(before, tries=Buckets(2, 0.001))
    try:
        told = [browser.send("/sign-in", login="nobody", password="x" * 12).status_code for _ in range(3)]
        assert told == [422, 422, 429]
        assert "请等待" in browser.send("/sign-in", login="nobody", password="x" * 12).text
        assert signed_in(Duty.STAFF).see("/").status_code == 200
    finally:
        app.state.portal.answering = before


def test_a_form_that_is_too_long_is_not_read_to_its_end(signed_in):
    visitor = signed_in(Duty.STAFF)
    assert visitor.send("/me/password", old="x" * 300_000).status_code == 413


@pytest.mark.parametrize("body", [b"\xff\xfe", b"a=%ff%fe%", b"&".join(b"a%d=1" % n for n in range(600))])
def test_what_is_no_form_is_refused_in_words(body, signed_in):
    visitor = signed_in(Duty.STAFF)
    headers = {"sec-fetch-site": "same-origin", "content-type": "application/x-www-form-urlencoded"}
    assert visitor.client.post("/me/password", content=body, headers=headers).status_code in {403, 422}


def test_a_fault_of_the_program_shows_nothing_of_itself(app, signed_in, monkeypatch):
    visitor = signed_in(Duty.STAFF)

    def fail(*_, **__):
        raise RuntimeError("secret words")

    monkeypatch.setattr(home, "tray_of", fail)
    answer = visitor.see("/")
    assert answer.status_code == 500
    assert "secret words" not in answer.text
    assert "hub_error" in answer.text
