"""What is around every page: the city's name, where one can go, who is signed in, what waits.

Which entries there are follows from the person's duties; whether a page may be seen is asked again at its door.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from hub.errors import HubError
from hub.notices import unread_count
from hub.people import Duty
from hub.portal import words
from hub.portal.doors import SYSTEMS

if TYPE_CHECKING:
    from hub.portal.visits import Visit

_STAFF: Final = frozenset({Duty.STAFF, Duty.REVIEWER, Duty.OFFICE, Duty.LICENCES})
# Address, (English, Chinese), who sees it; None: everybody.
SECTIONS: Final[tuple[tuple[str, tuple[str, str], frozenset[Duty] | None], ...]] = (
    ("/overview", ("Overview", "领导驾驶舱"), frozenset({Duty.LEADER, Duty.OFFICE})),
    ("/catalogue", ("Catalogue", "共享目录"), None),
    ("/requests", ("Requests", "申请与审批"), _STAFF),
    ("/grants", ("Grants", "授权与额度"), _STAFF),
    ("/systems", ("Systems and keys", "系统与密钥"), SYSTEMS),
    ("/demands", ("Demands", "数据需求"), frozenset({Duty.STAFF, Duty.REVIEWER, Duty.OFFICE, Duty.AUDITOR})),
    ("/corrections", ("Corrections", "数据校核"), frozenset({Duty.STAFF, Duty.REVIEWER, Duty.OFFICE, Duty.WINDOW})),
    ("/lists", ("List", "责任清单"), frozenset({Duty.STAFF, Duty.REVIEWER, Duty.OFFICE, Duty.AUDITOR})),
    ("/ingestion", ("Ingestion", "数据归集"), frozenset({Duty.ENGINEER, Duty.OFFICE})),
    ("/licences", ("Licences", "电子证照"), frozenset({Duty.LICENCES, Duty.OFFICE, Duty.WINDOW})),
    ("/materials", ("E-materials", "电子材料"), frozenset({Duty.STAFF, Duty.REVIEWER, Duty.LICENCES, Duty.WINDOW})),
    ("/signing", ("Signing", "云签"), frozenset(Duty) - {Duty.ADMINISTRATOR, Duty.AUDITOR}),
    ("/window", ("Scan instead of paper", "扫码亮证"), frozenset({Duty.WINDOW})),
    ("/verify", ("Verify", "证照核验"), None),
    ("/board", ("Responsibility board", "责任看板"), None),
    ("/audit", ("Audit", "审计"), frozenset({Duty.AUDITOR, Duty.OFFICE})),
    ("/people", ("People", "人员管理"), frozenset({Duty.ADMINISTRATOR})),
    ("/administration", ("Administration", "系统管理"), frozenset({Duty.ADMINISTRATOR, Duty.AUDITOR})),
    ("/help", ("Help", "帮助"), None),
)


# Pages that belong to a section without standing below it.
ALSO: Final = {
    "/catalogue": ("/r",),
    "/requests": ("/apply",),
    "/grants": ("/try",),
    "/corrections": ("/recalls",),
    "/lists": ("/drafting",),
    "/licences": ("/seals",),
}


def frame_of(visit: Visit) -> dict[str, Any]:
    """The frame around a page of *visit*."""
    person, here = visit.known, visit.request.url.path
    sections = [
        {"to": to, "name": visit.words(name), "here": _is_in(here, to)}
        for to, name, who in SECTIONS
        if who is None or (person is not None and person.duties & who)
    ]
    return {
        "city": _city(visit),
        "sections": sections,
        "person": person,
        "waiting": unread_count(visit.office.control, person.department) if person is not None else 0,
        "token": visit.session.token if visit.session is not None else "",
        "here": _again(visit),
        "now": visit.now,
        "elder": visit.elder,
        "problem": words.quoted(visit.problem),
        "problem_field": visit.problem_field,
        "said": visit.said,
    }


def _is_in(here: str, section: str) -> bool:
    return any(here == one or here.startswith(f"{one}/") for one in (section, *ALSO.get(section, ())))


def _again(visit: Visit) -> str:
    """The address by which the page can be asked for again; what a form led to cannot."""
    url = visit.request.url
    if visit.request.method != "GET":
        return "/"
    return url.path + (f"?{url.query}" if url.query else "")


def _city(visit: Visit) -> str:
    try:
        return visit.list_.city
    except HubError:
        # Nothing is published yet: the first person to sign in is on the way to do that.
        return ""
