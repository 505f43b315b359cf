"""Signing in and out: login and password, then a one-time code where the person has them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hub.portal.answering import SESSION, local_path
from hub.portal.doors import EVERYONE, Room
from hub.portal.errors import SignInFirstError
from hub.portal.visits import Go

if TYPE_CHECKING:
    from hub.people import Session
    from hub.portal.visits import Visit

ROOM = Room()


@ROOM.page("/sign-in", "sign-in.html", who=EVERYONE, json=False, settled=False)
def asked(visit: Visit) -> dict[str, Any] | Go:
    """Ask for login and password."""
    to = _next(visit)
    if visit.known is not None:
        return Go(to)
    return {"to": to, "login": visit.form.text("login")[:120]}


@ROOM.step("/sign-in", again=asked, template="sign-in.html", who=EVERYONE, settled=False)
def sign_in(visit: Visit) -> Go:
    """Take login and password."""
    login = visit.form.need("login", "登录名", "Login", most=120)
    password = visit.form.fields.get("password", ("",))[-1][:1_000]
    return _entered(visit, visit.sessions.begin(login, password))


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
    return _entered(visit, visit.sessions.prove(visit.session, code))


@ROOM.step("/sign-out", again=asked, template="sign-in.html", who=EVERYONE, settled=False)
def sign_out(visit: Visit) -> Go:
    """End the session."""
    for name in (SESSION, f"__Host-{SESSION}"):
        cookie = visit.request.cookies.get(name)
        if cookie:
            visit.sessions.end(cookie)
    said = visit.say("您已退出登录。", "You are signed out.")
    return Go("/sign-in", said, {SESSION: None})


def _entered(visit: Visit, session: Session) -> Go:
    cookies = {SESSION: session.cookie}
    to = _next(visit)
    if session.proved:
        return Go(to, cookies=cookies)
    return Go(f"/sign-in/code?next={to}" if to != "/" else "/sign-in/code", cookies=cookies)


def _next(visit: Visit) -> str:
    return local_path(visit.form.text("next") or visit.query("next", most=2_000))
