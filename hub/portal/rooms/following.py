"""What I follow (关注): resources, departments and demands, and what changed in them.

What is news, and whose, is `hub.following`'s.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from hub import following
from hub.following import Followed, Kind, What
from hub.portal import naming
from hub.portal.answering import local_path
from hub.portal.doors import Room
from hub.portal.visits import Go

if TYPE_CHECKING:
    from collections.abc import Mapping

    from catalog.model import InformationResource
    from hub.following import News
    from hub.portal.visits import Visit

ROOM = Room()
SHOWN: Final = 50
TONES: Final[Mapping[What, str]] = {
    What.ADDED: "good",
    What.CHANGED: "calm",
    What.REMOVED: "bad",
    What.PAUSED: "warn",
    What.SHAPE: "warn",
    What.LATE: "bad",
    What.DISPUTED: "warn",
    What.DEMAND: "calm",
}
KINDS: Final[Mapping[Kind, tuple[str, str]]] = {
    Kind.RESOURCE: ("资源", "Resource"),
    Kind.DEPARTMENT: ("部门", "Department"),
    Kind.DEMAND: ("需求", "Demand"),
}


@ROOM.page("/following", "following.html")
def listed(visit: Visit) -> dict[str, Any]:
    """What the visitor follows, and what changed in it."""
    mine = following.followed(visit.office.control, visit.person.id)
    taken = {one.code for one in mine if one.kind is Kind.DEPARTMENT}
    others = [one.code for one in visit.list_.departments if one.code not in taken]
    return {
        "followed": [_followed(visit, one) for one in mine],
        "happened": news_of(visit, SHOWN),
        "departments": [[code, naming.department(visit, code)] for code in others],
        "days": following.NEWS_DAYS,
    }


@ROOM.step("/following", again=listed, template="following.html")
def change(visit: Visit) -> Go:
    """Follow something, or leave it; back to the page where that was asked for."""
    form, person = visit.form, visit.person
    kind, code = form.text("kind"), form.text("code")[:100]
    back = local_path(form.text("back"), "/following")
    if form.text("leave"):
        following.leave(visit.office.control, person.id, kind, code)
        return Go(back, visit.say("已取消关注。", "You follow it no longer."))
    following.follow(visit.office, person.id, kind, code, at=visit.now)
    return Go(back, visit.say("已关注，变化将显示在首页。", "You follow it; what changes shows on your start page."))


def news_of(visit: Visit, limit: int) -> list[dict[str, Any]]:
    """The news for whoever is signed in, the newest first."""
    person = visit.person
    mine = following.followed(visit.office.control, person.id)
    if not mine:
        return []
    found = following.news(visit.office, visit.list_, mine, department=person.department, limit=limit)
    return [_news(visit, one) for one in found]


def is_followed(visit: Visit, kind: str, code: str) -> bool:
    """Whether whoever is signed in follows this."""
    return following.follows(visit.office.control, visit.person.id, Kind(kind), code)


def state_of(visit: Visit, found: InformationResource) -> dict[str, bool] | None:
    """Whether a resource and its provider are followed; None for who is not signed in."""
    if visit.known is None:
        return None
    mine = {(one.kind, one.code) for one in following.followed(visit.office.control, visit.known.id)}
    return {
        "resource": (Kind.RESOURCE, found.code) in mine,
        "provider": (Kind.DEPARTMENT, found.provider) in mine,
    }


def _news(visit: Visit, one: News) -> dict[str, Any]:
    about_demand = one.what is What.DEMAND
    if one.case:
        to = f"/demands/{one.case}" if about_demand else f"/corrections/{one.case}"
    else:
        tab = {What.ADDED: "versions", What.CHANGED: "versions"}.get(one.what, "quality")
        to = "" if one.what is What.REMOVED else f"/r/{one.code}?tab={tab}"
    return {
        "at": one.at.isoformat(),
        "tone": TONES[one.what],
        "word": visit.words(one.words),
        "name": one.code if about_demand else naming.resource(visit, one.code),
        "to": to,
    }


def _followed(visit: Visit, one: Followed) -> dict[str, Any]:
    match one.kind:
        case Kind.RESOURCE:
            name, to = naming.resource(visit, one.code), f"/r/{one.code}"
        case Kind.DEPARTMENT:
            name, to = naming.department(visit, one.code), f"/board/{one.code}"
        case Kind.DEMAND:
            name, to = one.code, f"/demands/{one.code}"
    return {
        "kind": one.kind.value,
        "kind_word": visit.say(*KINDS[one.kind]),
        "code": one.code,
        "name": name,
        "to": to,
        "since": one.since.isoformat(),
    }
