"""Single sign-on, against a provider that shares no code with the portal: who is let in, and all that is not taken."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

from audit.entry import Entry
from hub.people import Duty, Sessions, sessions
from hub.people.errors import OwnDutiesError, PersonInvalidError
from hub.people.provider import LEEWAY_S, MAX_TOKEN_AGE_S, Provider
from hub.people.signon import ATTEMPT, SignOn
from hub.people.subjects import Subjects
from hub.providersettings import RETURN_PATH, ProviderSettings
from tests.hub.portal.browsing import OFFICE, PASSWORD, SAME, text_of
from tests.hub.world import NOW
from tests.services import oidc

BACK = "/sign-in/provider"


@pytest.fixture
def provider(url, service):
    with oidc.provider(f"{url}{RETURN_PATH}") as one:
        one.now = lambda: service.evidence.clock().timestamp()
        yield one


@pytest.fixture
def known_as(tmp_path, provider):
    secret = tmp_path / "secret"
    secret.write_text(f"{oidc.SECRET}\n")
    return ProviderSettings(
        issuer=provider.url,
        client_id=oidc.CLIENT,
        returns=provider.returns,
        secret_file=secret,
        name_zh="示例市统一认证",
        name_en="City sign-on",
        spares_codes=frozenset({"mfa", "urn:city:two"}),
    )


@pytest.fixture
def sign_on(app, url, browser, people, service, known_as):  # noqa: PLR0917 - fixtures by name
    """The portal with single sign-on set up, for one test."""
    browser.see("/")
    before = app.state.portal.answering
    made = SignOn(Sessions(people), Provider(known_as, service.evidence.clock))
    app.state.portal.answering = replace(before, sign_on=made)
    yield made
    app.state.portal.answering = before


@pytest.fixture
def person(people, service):
    """Somebody of staff with no password, registered for single sign-on; whoever is bound to it is let go of."""
    login = f"sso.{len(people.find(disabled=True))}"
    return people.add(
        service.standing.now().list, login=login, name="单点", department="RS", post="sso-1", duties=[Duty.STAFF],
        by=OFFICE,
    )  # fmt: skip


@pytest.fixture
def enter(browser, provider, sign_on):
    """Go the whole way as *login*: to the provider, and back with what it said."""

    def go(login="", subject=None, to="", **claims):
        provider.claims = {"sub": subject or f"subject of {login}", "preferred_username": login, **claims}
        return browser.see(there(browser, to))

    return go


def there(browser, to=""):
    """The address that the provider sends the browser back to, without the host."""
    sent = browser.client.get(BACK, params={"next": to} if to else {})
    assert sent.status_code == 303, text_of(sent.text)
    answer = httpx.get(sent.headers["location"], trust_env=False)
    parts = urlsplit(answer.headers["location"])
    return f"{parts.path}?{parts.query}"


def refused(answer, *words, status=403):
    """What was refused shows the page of signing in with a sentence, and opens nothing."""
    assert answer.status_code == status, text_of(answer.text)[:300]
    said = text_of(answer.text)
    for word in words:
        assert word in said
    assert 'action="/sign-in"' in answer.text
    assert "zhengtong=" not in str(answer.headers.get_list("set-cookie"))


def entries(service, kind):
    service.evidence.publish()
    log = service.evidence.log
    found = (Entry.decode(log.entry(index)) for index in range(log.published_size))
    return [one for one in found if one.kind == kind]


# --- who is let in --------------------------------------------------------------------------------------------------


def test_the_button_is_there_where_a_provider_is_and_nowhere_else(browser, app, url, known_as, sign_on):
    assert "使用示例市统一认证登录" in browser.read("/sign-in")
    assert "Sign in with City sign-on" in browser.read("/sign-in", **{"accept-language": "en"})
    assert f'href="{BACK}?next=/me"' in browser.see("/sign-in?next=/me").text
    app.state.portal.answering = replace(app.state.portal.answering, sign_on=None)
    assert BACK not in browser.see("/sign-in").text
    for path in (BACK, RETURN_PATH):
        assert browser.see(path).status_code == 404


def test_somebody_who_is_registered_comes_in_and_lands_where_they_wanted(enter, browser, person, service, provider):
    answer = enter(person.login.upper(), to="/me?tab=1")
    assert (answer.status_code, answer.headers["location"]) == (303, "/me?tab=1")
    assert person.name in browser.read("/me")
    (bound,) = [one for one in entries(service, "person.bound") if one.facts["person"] == person.id]
    assert (bound.actor, bound.facts["post"], bound.facts["issuer"]) == ("hub:portal", "RS:sso-1", provider.url)
    entered = [one for one in entries(service, "person.signed_in") if one.facts["person"] == person.id]
    assert [one.facts["by"] for one in entered] == ["provider"]
    assert not any(person.login in str(one.facts) or "subject of" in str(one.facts) for one in [bound, *entered])


def test_what_is_asked_for_is_by_the_book(browser, provider, sign_on):
    address = browser.see(BACK).headers["location"]
    asked = {name: values[0] for name, values in parse_qs(urlsplit(address).query).items()}
    assert asked["code_challenge_method"] == "S256"
    assert len(asked["code_challenge"]) == 43
    assert len(asked["state"]) == len(asked["nonce"]) == 43
    assert (asked["ui_locales"], asked["scope"]) == ("zh-CN", "openid profile")
    again = parse_qs(urlsplit(browser.see(BACK).headers["location"]).query)
    assert all(again[name] != [asked[name]] for name in ("state", "nonce", "code_challenge"))
    cookie = str(browser.see(BACK).headers["set-cookie"])
    assert "HttpOnly" in cookie
    assert f"Max-Age={int(ATTEMPT.total_seconds())}" in cookie


def test_once_bound_the_subject_counts_and_a_login_that_was_given_on_does_not(enter, browser, person, members, service):
    assert enter(person.login, subject="first").status_code == 303
    browser.client.cookies.clear()
    # Another login at the provider, the same subject: the same person.
    assert enter(members[Duty.LEADER].login, subject="first").status_code == 303
    assert person.name in browser.read("/me")
    browser.client.cookies.clear()
    # Another subject by the login of before: somebody else, who is let in as nobody.
    refused(enter(person.login, subject="second"), "未登记可用的对应用户")


@pytest.mark.parametrize("login", ["somebody.else", "", None, 7])
def test_nobody_is_registered_by_the_provider(enter, people, members, login):
    before = people.count(disabled=True)
    refused(enter(login), "未登记可用的对应用户")
    assert people.count(disabled=True) == before


def test_a_disabled_person_is_not_let_in_bound_or_not(enter, browser, people, person):
    people.disable(person.id, by=OFFICE, reason="离职")
    refused(enter(person.login), "未登记可用的对应用户")
    people.enable(person.id, by=OFFICE)
    assert enter(person.login).status_code == 303
    people.disable(person.id, by=OFFICE, reason="离职")
    assert browser.see("/me").headers["location"].startswith("/sign-in")
    refused(enter(person.login), "未登记可用的对应用户")


def test_by_hand_alone_where_the_deployment_says_so(enter, people, person, sign_on, known_as, provider, service):  # noqa: PLR0917 - fixtures by name
    sign_on.provider.settings = replace(known_as, first_use=False)
    refused(enter(person.login, subject="by-hand"), "未登记可用的对应用户")
    subjects = Subjects(people)
    subjects.bind(person.id, provider.url, "by-hand", by=OFFICE)
    assert enter("another login", subject="by-hand").status_code == 303
    other = people.add(
        service.standing.now().list, login=f"{person.login}.b", name="他人", department="RS", post="sso-2",
        duties=[Duty.STAFF], by=OFFICE,
    )  # fmt: skip
    with pytest.raises(PersonInvalidError):
        subjects.bind(other.id, provider.url, "by-hand", by=OFFICE)
    assert subjects.unbind(person.id, by=OFFICE)
    assert not subjects.unbind(person.id, by=OFFICE)
    assert entries(service, "person.unbound")[-1].facts["person"] == person.id


def test_ending_a_binding_ends_the_sessions(enter, browser, people, person):
    assert enter(person.login).status_code == 303
    assert browser.see("/me").status_code == 200
    Subjects(people).unbind(person.id, by=OFFICE)
    assert browser.see("/me").status_code == 303


# --- by hand, on the page of a person -------------------------------------------------------------------------------


def test_an_administrator_binds_and_unbinds_on_the_persons_page(  # noqa: PLR0917 - fixtures by name
    enter, browser, signed_in, people, person, service, sign_on, known_as, provider
):
    sign_on.provider.settings = replace(known_as, first_use=False)
    admin, here = signed_in(Duty.ADMINISTRATOR), f"/people/{person.id}"
    assert admin.json(f"{here}.json")["sign_on"] == {
        "issuer": provider.url, "first_use": False, "bound": None, "own": False,
    }  # fmt: skip
    page = admin.read(here)
    assert "统一身份认证未绑定" in page
    assert "解除绑定" not in page
    # Nothing happens by one click, and what was typed stays.
    unsure = admin.send(f"{here}/bind", subject='by "hand"')
    assert unsure.status_code == 422
    assert "请勾选以确认" in unsure.text
    assert 'value="by &#34;hand&#34;"' in unsure.text
    assert admin.send(f"{here}/bind", subject=" ", sure="1").status_code == 422
    assert admin.send(f"{here}/bind", subject="x" * 256, sure="1").status_code == 422
    assert Subjects(people).binding(person.id) is None

    assert admin.send(f"{here}/bind", subject='by "hand"', sure="1").headers["location"] == here
    shown = admin.see(here).text
    assert f"已绑定：{provider.url}" in text_of(shown)
    assert "hand" not in shown
    bound = entries(service, "person.bound")[-1]
    assert bound.actor == "RS:administrator-1"
    assert bound.facts == {"person": person.id, "post": "RS:sso-1", "issuer": provider.url}
    assert enter("another login", subject='by "hand"').status_code == 303
    assert person.name in browser.read("/me")

    assert admin.send(f"{here}/unbind").status_code == 422
    assert browser.see("/me").status_code == 200
    assert admin.send(f"{here}/unbind", sure="1").status_code == 303
    assert browser.see("/me").headers["location"].startswith("/sign-in")
    ended = entries(service, "person.unbound")[-1]
    assert (ended.actor, ended.facts["person"]) == ("RS:administrator-1", person.id)
    before = len(entries(service, "person.unbound"))
    assert admin.send(f"{here}/unbind", sure="1").status_code == 303
    assert "未绑定，无需解除" in admin.read(here)
    assert len(entries(service, "person.unbound")) == before


def test_a_subject_of_somebody_else_is_refused_on_the_page(signed_in, people, person, members, provider, sign_on):  # noqa: PLR0917 - fixtures by name
    Subjects(people).bind(members[Duty.WINDOW].id, provider.url, "taken", by=OFFICE)
    answer = signed_in(Duty.ADMINISTRATOR).send(f"/people/{person.id}/bind", subject="taken", sure="1")
    assert answer.status_code == 422
    assert "已绑定其他用户" in answer.text
    assert Subjects(people).binding(person.id) is None
    Subjects(people).unbind(members[Duty.WINDOW].id, by=OFFICE)


def test_nobody_binds_the_own_post(signed_in, people, members, provider, sign_on):
    me = members[Duty.ADMINISTRATOR]
    admin, here = signed_in(Duty.ADMINISTRATOR), f"/people/{me.id}"
    page = admin.see(here).text
    assert "由其他管理员办理" in page
    assert f"{here}/bind" not in page
    refused_ = admin.send(f"{here}/bind", subject="mine", sure="1")
    assert refused_.status_code == 422
    assert "应由其他管理员办理" in refused_.text
    subjects = Subjects(people)
    assert subjects.binding(me.id) is None
    subjects.bind(me.id, provider.url, "mine", by=OFFICE)
    with pytest.raises(OwnDutiesError):
        subjects.unbind(me.id, by=me.actor)
    assert subjects.binding(me.id).issuer == provider.url
    subjects.unbind(me.id, by=OFFICE)


@pytest.mark.parametrize("duty", sorted(set(Duty) - {Duty.ADMINISTRATOR}))
def test_nobody_but_an_administrator_binds(duty, signed_in, people, person, sign_on):
    visitor = signed_in(duty)
    for step in ("bind", "unbind"):
        assert visitor.send(f"/people/{person.id}/{step}", subject="s", sure="1").status_code == 403
    assert Subjects(people).binding(person.id) is None


def test_without_a_provider_a_binding_is_shown_and_ended_and_none_is_made(signed_in, people, person, provider, service):
    admin, here = signed_in(Duty.ADMINISTRATOR, **{"accept-language": "en"}), f"/people/{person.id}"
    assert f"{here}/bind" not in admin.see(here).text
    assert admin.send(f"{here}/bind", subject="s", sure="1").status_code == 404
    Subjects(people).bind(person.id, provider.url, "s", by=OFFICE)
    page = admin.read(here)
    assert f"bound to {provider.url}, since" in page
    assert "Unbind single sign-on" in page
    assert admin.send(f"{here}/unbind", sure="1").status_code == 303
    assert Subjects(people).binding(person.id) is None


def test_a_mail_address_counts_once_the_provider_has_proved_it(enter, person, sign_on, known_as):
    sign_on.provider.settings = replace(known_as, claim="email")
    refused(enter("", subject="mail", email=person.login), "未登记")
    refused(enter("", subject="mail", email=person.login, email_verified="true"), "未登记")
    assert enter("", subject="mail", email=person.login, email_verified=True).status_code == 303


# --- one-time codes and passwords -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("claims", "asked"),
    [({}, True), ({"amr": ["pwd"]}, True), ({"amr": "mfa"}, True), ({"amr": ["pwd", "mfa"]}, False),
     ({"acr": "urn:city:two"}, False), ({"acr": "0"}, True)],
)  # fmt: skip
def test_codes_are_asked_for_unless_the_provider_asked_for_a_second_factor(  # noqa: PLR0917 - fixtures by name
    enter, browser, people, person, monkeypatch, claims, asked
):
    monkeypatch.setattr(sessions, "CODED", frozenset({Duty.STAFF}))
    answer = enter(person.login, **claims)
    assert answer.headers["location"] == "/"
    # Nobody set up codes yet: they are set up first, without a password that there is not.
    assert browser.see("/me").status_code == (303 if asked else 200)
    if asked:
        assert browser.see("/me").headers["location"].startswith("/me/codes")
        assert 'name="password"' not in browser.see("/me/codes").text
    people.new_code(person.id, by=OFFICE)
    with people.control.writing() as connection:
        row = people._row(connection, person.id)
        people._set(connection, row, code_step=1)
    browser.client.cookies.clear()
    answer = enter(person.login, to="/me", **claims)
    assert answer.headers["location"] == ("/sign-in/code?next=/me" if asked else "/me")


def test_a_first_password_that_was_never_used_is_not_asked_to_be_changed(enter, browser, people, service, members):
    made = people.add(
        service.standing.now().list, login="sso.first", name="新人", department="RS", post="sso-3",
        duties=[Duty.STAFF], by=OFFICE, password=PASSWORD,
    )  # fmt: skip
    assert enter(made.login).status_code == 303
    assert browser.see("/me").status_code == 200
    browser.client.cookies.clear()
    assert browser.send("/sign-in", login=made.login, password=PASSWORD).status_code == 303
    assert browser.see("/me").headers["location"].startswith("/me/password")


# --- what is not taken ----------------------------------------------------------------------------------------------


def test_a_state_is_taken_once(enter, browser, person, provider):
    provider.claims = {"sub": "once", "preferred_username": person.login}
    back = there(browser)
    kept = browser.client.cookies["zhengtong-sign-on"]
    assert browser.see(back).status_code == 303
    browser.client.cookies.clear()
    browser.client.cookies.set("zhengtong-sign-on", kept)
    refused(browser.see(back), "已使用")


def test_a_state_of_another_browser_lets_nobody_in_and_is_spent(browser, url, provider, sign_on, person):
    provider.claims = {"sub": "mine", "preferred_username": person.login}
    back = there(browser)
    with httpx.Client(base_url=url, trust_env=False) as victim:
        # Somebody is led to the attacker's own way back: they would work as the attacker without knowing it.
        for cookie in ("", "x" * 43):
            victim.cookies.set("zhengtong-sign-on", cookie)
            refused(victim.get(back), "并非由本浏览器发起")
    refused(browser.see(back), "已使用")
    refused(browser.see(RETURN_PATH), "请重新登录")
    refused(browser.see(f"{RETURN_PATH}?code=x&state=y&state=z"), "请重新登录")


def test_a_state_grows_old(enter, browser, person, provider, world):
    provider.claims = {"sub": "late", "preferred_username": person.login}
    back = there(browser)
    world.clock.now = NOW + ATTEMPT + timedelta(seconds=1)
    try:
        refused(browser.see(back), "已超时")
    finally:
        world.clock.now = NOW


def test_somebody_who_declines_is_told_so(enter, provider, person):
    provider.refuses = True
    refused(enter(person.login), "您取消了登录")


@pytest.mark.parametrize("error", ["server_error", "temporarily_unavailable"])
def test_a_provider_that_cannot_now_says_so(enter, provider, person, error):
    provider.lies["answer"] = {"error": error}
    refused(enter(person.login), "暂无响应", status=503)


@pytest.mark.parametrize("issuer", ["https://evil.example", None])
def test_an_answer_of_another_issuer_is_not_taken_to_ours(enter, provider, person, issuer):
    """RFC 9207: the code of a provider that somebody else chose must not come to ours, nor ours to theirs."""
    provider.lies["answer"] = {"iss": issuer}
    refused(enter(person.login), "不可信")
    assert "/token" not in provider.asked


NOW_S = int(NOW.timestamp())


@pytest.mark.parametrize(
    ("claims", "said"),
    [
        ({"nonce": "another"}, "不对应本次登录"),
        ({"nonce": None}, "不对应本次登录"),
        ({"iss": "https://evil.example"}, "其他签发方"),
        ({"aud": "another"}, "并非签发给本平台"),
        ({"aud": ["portal", "another"]}, "并非签发给本平台"),
        ({"aud": ["portal", "another"], "azp": "another"}, "并非签发给本平台"),
        ({"azp": "another"}, "并非签发给本平台"),
        ({"exp": NOW_S - LEEWAY_S}, "令牌已过期"),
        ({"exp": None}, "令牌已过期"),
        ({"iat": NOW_S + LEEWAY_S + 1}, "签发时间不符"),
        ({"iat": NOW_S - MAX_TOKEN_AGE_S - LEEWAY_S - 1}, "签发时间不符"),
        ({"iat": "yesterday"}, "签发时间不符"),
        ({"nbf": NOW_S + LEEWAY_S + 1}, "尚未生效"),
        ({"sub": None}, "未指明用户"),
        ({"sub": 7}, "未指明用户"),
        ({"sub": ""}, "未指明用户"),
        ({"sub": "x" * 256}, "未指明用户"),
    ],
)
def test_a_token_that_is_not_for_this_is_not_taken(enter, provider, person, claims, said):
    provider.lies["claims"] = claims
    refused(enter(person.login), "不可信", said)


@pytest.mark.parametrize(
    "claims",
    [{"exp": NOW_S - LEEWAY_S + 1}, {"iat": NOW_S + LEEWAY_S}, {"aud": ["portal", "x"], "azp": "portal"}],
)
def test_clocks_may_be_a_minute_apart(enter, provider, person, claims):
    provider.lies["claims"] = claims
    assert enter(person.login).status_code == 303


@pytest.mark.parametrize(
    ("lie", "said"),
    [
        ({"header": {"alg": "none"}}, "签名不正确"),
        ({"header": {"alg": "HS256"}}, "签名不正确"),
        ({"key": rsa.generate_private_key(public_exponent=65537, key_size=2048)}, "签名不正确"),
        ({"header": {"kid": "no such key"}}, "签名密钥不属于"),
    ],
)
def test_a_token_that_the_provider_did_not_sign_is_not_taken(enter, provider, person, lie, said):
    provider.lies |= lie
    refused(enter(person.login), "不可信", said)


def test_a_new_key_is_fetched_once_it_is_needed_and_not_at_every_forgery(enter, browser, provider, person, sign_on):
    ticks = [0.0]
    sign_on.provider.ticks = lambda: ticks[0]
    assert enter(person.login).status_code == 303
    provider.rotate()
    ticks[0] += 60
    browser.client.cookies.clear()
    assert enter(person.login).status_code == 303
    assert provider.asked.count("/keys") == 2
    provider.lies["header"] = {"kid": "made up"}
    browser.client.cookies.clear()
    for _ in range(3):
        refused(enter(person.login), "签名密钥不属于")
    assert provider.asked.count("/keys") == 2


def test_a_provider_that_is_down_is_said_to_be_and_passwords_still_open(browser, provider, sign_on, members):
    provider.down = True
    refused(browser.see(BACK), "暂无响应", status=503)
    assert browser.send("/sign-in", login=members[Duty.STAFF].login, password=PASSWORD).status_code == 303


def test_a_provider_that_goes_down_on_the_way(browser, provider, sign_on, person):
    provider.claims = {"sub": "gone", "preferred_username": person.login}
    back = there(browser)
    provider.down = True
    refused(browser.see(back), "暂无响应", status=503)


@pytest.mark.parametrize(
    ("document", "status"),
    [
        ({"issuer": "https://evil.example"}, 403),
        ({"token_endpoint": "http://evil.example/token"}, 503),
        ({"authorization_endpoint": None}, 503),
    ],
)
def test_a_document_that_cannot_be_right_is_not_followed(browser, provider, sign_on, document, status):
    provider.lies["document"] = document
    refused(browser.see(BACK), status=status)


def test_a_code_that_was_used_elsewhere_and_a_wrong_secret(browser, enter, provider, sign_on, known_as, person):  # noqa: PLR0917 - fixtures by name
    provider.claims = {"sub": "code", "preferred_username": person.login}
    back = there(browser)
    provider.codes.clear()
    refused(browser.see(back), "授权码未被接受")
    known_as.secret_file.write_text("another")
    refused(enter(person.login), "暂无响应", status=503)


@pytest.mark.parametrize("to", ["//evil.example", "https://evil.example", "/\\evil.example", "javascript:alert(1)"])
def test_nobody_is_led_elsewhere(enter, person, to):
    assert enter(person.login, to=to).headers["location"] == "/"


def test_the_cookie_of_before_opens_nothing_afterwards(enter, browser, person, url):
    browser.client.cookies.set("zhengtong", "planted")
    assert enter(person.login).status_code == 303
    with httpx.Client(base_url=url, trust_env=False, cookies={"zhengtong": "planted"}) as other:
        assert other.get("/me").status_code == 303


def test_what_is_wrong_is_said_in_english_too(browser, provider, sign_on):
    provider.down = True
    said = text_of(browser.see(BACK, **{"accept-language": "en"}).text)
    assert "Single sign-on does not answer now" in said
    refused(browser.client.get(f"{RETURN_PATH}?state=x", headers={**SAME, "accept-language": "en"}), "Begin again")
