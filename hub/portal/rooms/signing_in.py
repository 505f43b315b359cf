"""Signing in and out: login and password, or a provider of single sign-on; then a one-time code where it is due."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from hub.errors import HubError, NotFoundError
from hub.portal import remedies
from hub.portal.answering import SESSION, SIGN_ON, local_path, status_of
from hub.portal.doors import EVERYONE, Room
from hub.portal.errors import SignInFirstError
from hub.portal.visits import Go, Shown
from hub.providersettings import RETURN_PATH

if TYPE_CHECKING:
    from collections.abc import Mapping

    from hub.people import Session
    from hub.people.signon import SignOn
    from hub.portal.visits import Visit

ROOM = Room()


@ROOM.page("/sign-in", "sign-in.html", who=EVERYONE, json=False, settled=False)
def asked(visit: Visit) -> dict[str, Any] | Go:
    """Ask for login and password."""
    to = _next(visit)
    if visit.known is not None:
        return Go(to)
    return _plain(visit, to)


@ROOM.step("/sign-in", again=asked, template="sign-in.html", who=EVERYONE, settled=False)
def sign_in(visit: Visit) -> Go:
    """Take login and password."""
    login = visit.form.need("login", "登录名", "Login", most=120)
    password = visit.form.fields.get("password", ("",))[-1][:1_000]
    return _entered(visit.sessions.begin(login, password), _next(visit))


@ROOM.page("/sign-in/code", "sign-in-code.html", who=EVERYONE, json=False, settled=False)
def code_asked(visit: Visit) -> dict[str, Any] | Go:
    """Ask for the one-time code."""
    if visit.session is None:
        return Go("/sign-in")
    if visit.session.proved:
        return Go(_next(visit))
    return {"to": _next(visit)}


@ROOM.step("/sign-in/code", again=code_asked, template="sign-in-code.html", who=EVERYONE, settled=False)
def code_shown(visit: Visit) -> Go:
    """Take the one-time code."""
    if visit.session is None or visit.session.proved:
        raise SignInFirstError
    code = visit.form.need("code", "动态验证码", "Code", most=20)
    return _entered(visit.sessions.prove(visit.session, code), _next(visit))


@ROOM.page("/sign-in/provider", "sign-in.html", who=EVERYONE, json=False, settled=False, tried=True)
def sent_away(visit: Visit) -> Shown | Go:
    """Send the browser to the provider of single sign-on."""
    to = _next(visit)
    if visit.known is not None:
        return Go(to)
    try:
        begun = _sign_on(visit).begin(to, visit.lang)
    except HubError as error:
        return _asked_again(visit, error)
    return Go(begun.address, cookies={SIGN_ON: begun.cookie})


@ROOM.page(RETURN_PATH, "sign-in.html", who=EVERYONE, json=False, settled=False, tried=True)
def come_back(visit: Visit) -> Shown | Go:
    """Take what the provider sent the browser back with."""
    # A parameter that stands there twice is none (RFC 6749 §3.1).
    items = visit.request.query_params.multi_items()
    answer = {name: value[:4_000] for name, value in items if sum(name == one for one, _ in items) == 1}
    try:
        session, to = _sign_on(visit).finish(answer, visit.on_the_way)
    except HubError as error:
        return _asked_again(visit, error)
    return _entered(session, to, {SIGN_ON: None})


@ROOM.step("/sign-out", again=asked, template="sign-in.html", who=EVERYONE, settled=False)
def sign_out(visit: Visit) -> Go:
    """End the session."""
    for name in (SESSION, f"__Host-{SESSION}"):
        cookie = visit.request.cookies.get(name)
        if cookie:
            visit.sessions.end(cookie)
    said = visit.say("您已退出登录。", "You are signed out.")
    return Go("/sign-in", said, {SESSION: None})


def _entered(session: Session, to: str, others: Mapping[str, None] | None = None) -> Go:
    cookies = {SESSION: session.cookie, **(others or {})}
    if session.proved:
        return Go(to, cookies=cookies)
    return Go(f"/sign-in/code?next={quote(to, safe='/')}" if to != "/" else "/sign-in/code", cookies=cookies)


def _sign_on(visit: Visit) -> SignOn:
    if visit.sign_on is None:
        raise NotFoundError
    return visit.sign_on


def _asked_again(visit: Visit, error: HubError) -> Shown:
    """The page of signing in with what was wrong; what the browser was sent away with is forgotten."""
    if visit.sign_on is None:
        raise error
    visit.problem = remedies.said(error, visit.lang)
    return Shown(_plain(visit, "/"), "sign-in.html", status_of(error), {SIGN_ON: None})


def _plain(visit: Visit, to: str) -> dict[str, Any]:
    names = visit.sign_on.provider.settings if visit.sign_on is not None else None
    provider = visit.say(names.name_zh, names.name_en) if names is not None else ""
    return {"to": to, "login": visit.form.text("login")[:120], "provider": provider}


def _next(visit: Visit) -> str:
    return local_path(visit.form.text("next") or visit.query("next", most=2_000))
