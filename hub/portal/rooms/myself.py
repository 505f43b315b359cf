"""A person's own page: password, one-time codes, what was handed over."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import segno

from hub.people.errors import PersonInvalidError
from hub.portal import naming
from hub.portal.answering import SESSION, local_path
from hub.portal.doors import SIGNED_IN, Room
from hub.portal.visits import Go, Shown

if TYPE_CHECKING:
    from hub.portal.visits import Visit

ROOM = Room()
_QR_SCALE: Final = 5


@ROOM.page("/me", "me.html")
def me(visit: Visit) -> dict[str, Any]:
    """Who I am here."""
    person = visit.person
    return {
        "login": person.login,
        "name": person.name,
        "department": person.department,
        "department_name": naming.department(visit, visit.person.department),
        "post": person.post,
        "duties": [visit.words(one.words) for one in sorted(person.duties)],
        "coded": person.coded,
        "delegations": [
            {
                "id": one.id,
                "mine": one.giver == person.id,
                "duties": [visit.words(duty.words) for duty in one.duties],
                "starts": one.starts.isoformat(),
                "ends": one.ends.isoformat(),
                "reason": one.reason,
                "withdrawn": one.withdrawn_at is not None,
            }
            for one in visit.people.delegations(person.id)
        ],
    }


@ROOM.page("/me/password", "me-password.html", who=SIGNED_IN, json=False, settled=False)
def password_asked(visit: Visit) -> dict[str, Any]:
    """Ask for the old and a new password."""
    return {"must": visit.person.must_change, "to": local_path(visit.query("next", most=2_000))}


@ROOM.step("/me/password", again=password_asked, template="me-password.html", settled=False)
def password_changed(visit: Visit) -> Go:
    """Change the password; every session ends but a new one of this browser."""
    person, form = visit.person, visit.form
    old, new, twice = (form.fields.get(name, ("",))[-1][:1_000] for name in ("old", "new", "twice"))
    if new != twice:
        raise PersonInvalidError(where="password", why="the two entries differ", why_zh="两次输入不一致", field="twice")
    if new == old:
        raise PersonInvalidError(where="password", why="it must be another one", why_zh="新密码不得与原密码相同")
    # Whoever finds a browser open must not be able to keep the account.
    visit.sessions.check_password(person, old)
    visit.people.set_password(person.id, new, by=person.actor, change=False)
    session = visit.sessions.renew(visit.entered)
    said = visit.say("密码已修改，其他设备上的登录已退出。", "Password changed; you were signed out everywhere else.")
    return Go(local_path(form.text("next")), said, {SESSION: session.cookie})


@ROOM.page("/me/codes", "me-codes.html", json=False, settled=False)
def codes(visit: Visit) -> dict[str, Any]:
    """One-time codes: whether there are any, and how to set them up."""
    return {
        "coded": visit.person.coded,
        "to": local_path(visit.query("next", most=2_000)),
        "address": "",
        "picture": "",
    }


@ROOM.step("/me/codes", again=codes, template="me-codes.html", settled=False)
def codes_set_up(visit: Visit) -> Any:  # noqa: ANN401 - the page or the next one
    """Draw a secret and show it once; then take the first code of it."""
    person, form = visit.person, visit.form
    if form.has("code"):
        visit.sessions.confirm_code(person, form.need("code", "动态验证码", "Code", most=20))
        said = visit.say("动态验证码已启用。", "One-time codes are set up.")
        return Go(local_path(form.text("next")), said)
    if person.with_password:
        visit.sessions.check_password(person, form.fields.get("password", ("",))[-1][:1_000])
    address = visit.people.new_code(person.id, by=person.actor)

    plain = {"coded": False, "to": local_path(form.text("next")), "address": address, "picture": _picture(address)}
    return Shown(plain, "me-codes.html")


def _picture(address: str) -> str:
    """The QR code of *address* as an image that needs no request."""
    return segno.make(address, error="m", micro=False).png_data_uri(scale=_QR_SCALE, border=4)
