"""Where a person lands: what waits, what happened, what is often used; and the department's notices."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

import sqlalchemy as sa

from hub.casewords import CASE_KINDS, CASE_STATES
from hub.control import GrantRow, LicenceRow
from hub.deadlines import tray_of
from hub.errors import HubError
from hub.notices import mark_read, tray
from hub.people import Duty
from hub.portal.doors import EVERYONE, Room
from hub.portal.rooms import following
from hub.portal.visits import Go
from hub.seals.asking import waiting_for

if TYPE_CHECKING:
    from hub.cases import Case
    from hub.notices import Told
    from hub.portal.visits import Visit

ROOM = Room()
SHOWN: Final = 8
BETWEEN_HAN: Final = re.compile(r"(?<=[\u4e00-\u9fff]) (?=[\u4e00-\u9fff])")
# A clock with so many working days left is told in amber.
SOON_DAYS: Final = 2
# Where a case of each kind is looked at; the others are on the command line.
PAGES: Final = {
    "application": "/requests/{id}",
    "demand": "/demands/{id}",
    "dossier": "/licences/cases/{id}",
    "decision": "/licences/decisions/{id}",
    "correction": "/corrections/{id}",
    "recall": "/recalls/{id}",
    "list": "/lists/drafts/{id}",
}


@ROOM.page("/", "home.html", who=EVERYONE)
def home(visit: Visit) -> dict[str, Any]:
    """The start page."""
    person = visit.known
    waiting = [] if person is None else tray_of(visit.office, person.department)[:SHOWN]
    notices = () if person is None else tray(visit.office.control, person.department, limit=SHOWN)
    return {
        "waiting_cases": [_case(visit, case, left) for case, left in waiting],
        "followed_news": [] if person is None else following.news_of(visit, SHOWN),
        "notices": [{"at": one.at.isoformat(), "text": _said(visit, one), "to": _page_of(one)} for one in notices],
        "shortcuts": _shortcuts(visit),
        "signing": 0 if person is None else waiting_for(visit.office.control, str(person.actor), visit.now),
        "figures": _figures(visit),
    }


@ROOM.page("/inbox", "inbox.html")
def inbox(visit: Visit) -> dict[str, Any]:
    """What the department was told."""
    old = visit.query("old") == "1"
    told = tray(visit.office.control, visit.person.department, unread_only=not old)
    return {
        "old": old,
        "notices": [
            {
                "id": one.id,
                "at": one.at.isoformat(),
                "text": _said(visit, one),
                "case": one.case_id,
                "to": _page_of(one),
                "resource": one.resource,
                "read": one.read_at is not None,
            }
            for one in told
        ],
    }


@ROOM.step("/inbox/{number}/read", again=inbox, template="inbox.html")
def read(visit: Visit) -> Go:
    """Take a notice out of the tray."""
    number = visit.path["number"]
    if number.isascii() and number.isdigit() and len(number) < 18:  # noqa: PLR2004 - of 64 bits
        mark_read(visit.office.control, int(number), actor=visit.actor, at=visit.now)
    return Go("/inbox")


def _said(visit: Visit, told: Told) -> str:
    """A notice with names where codes stand: a person knows the department, not its letters."""
    resources, departments = visit.list_.by_code, visit.list_.departments_by_code
    named = {}
    for key, value in told.params.items():
        found = resources.get(value) or departments.get(value) if isinstance(value, str) else None
        named[key] = value if found is None else found.name if visit.lang == "zh" else found.name_en or found.name
    text = replace(told, params=named).text(visit.lang).replace("`", "")
    # A code is set apart by blanks; the name in its place needs none among Chinese words.
    return BETWEEN_HAN.sub("", text)


def _page_of(told: Told) -> str:
    """Where what a notice is about is looked at; "" where it names no case, or its kind tells of none."""
    page = PAGES.get(told.kind.partition("_")[0], "") if told.case_id else ""
    return page.format(id=told.case_id)


def _case(visit: Visit, case: Case, left: int | None) -> dict[str, Any]:
    kind, state = CASE_KINDS[case.kind], CASE_STATES[case.kind][case.state]
    resource = visit.list_.by_code.get(case.resource)
    opener = visit.list_.departments_by_code.get(case.opener)
    if left is None:
        tone, clock = "calm", visit.say("无时限", "no clock")
    elif left < 0:
        tone, clock = "bad", visit.say(f"已超期 {-left} 个工作日", f"{-left} working days late")
    else:
        tone = "warn" if left <= SOON_DAYS else "good"
        clock = visit.say(f"剩 {left} 个工作日", f"{left} working days left")
    return {
        "id": case.id,
        "what": f"{visit.words(kind)}{visit.say('：', ': ')}{visit.words(state)}",
        "to": PAGES.get(case.kind, "").format(id=case.id),
        "tone": tone,
        "clock": clock,
        "resource_name": resource.name if resource is not None else case.resource,
        "opener_name": opener.name if opener is not None else case.opener,
    }


def _shortcuts(visit: Visit) -> list[dict[str, str]]:
    known = (
        (
            None,
            "/catalogue",
            ("查找共享数据", "Find shared data"),
            ("按词语、部门或主题查找", "By words, department or theme"),
        ),
        (
            None,
            "/verify",
            ("核验电子证照", "Verify a licence"),
            ("拖入文件即可，不保存", "Drop a file; it is not kept"),
        ),
        (
            None,
            "/board",
            ("责任清单看板", "Responsibility board"),
            ("哪个部门应做什么、做得怎样", "Who owes what, and how it stands"),
        ),
        (
            Duty.STAFF,
            "/requests",
            ("我的申请", "My requests"),
            ("进度和剩余时限", "Where they stand, and their clocks"),
        ),
        (
            Duty.REVIEWER,
            "/requests?side=answer",
            ("待我审批", "To review"),
            ("先到期的在前", "What ends first comes first"),
        ),
        (
            Duty.ENGINEER,
            "/ingestion",
            ("归集健康", "Ingestion health"),
            ("失败、迟到和结构变化", "Failed, late, changed"),
        ),
        (
            Duty.LICENCES,
            "/licences",
            ("签发与管理证照", "Issue and manage licences"),
            ("单份、批量、注销", "One, many, revoke"),
        ),
        (
            Duty.AUDITOR,
            "/audit",
            ("审计查询", "Audit explorer"),
            ("每条记录都可自行验证", "Every entry can be checked by yourself"),
        ),
        (Duty.ADMINISTRATOR, "/people", ("人员管理", "People"), ("账号、职责和停用", "Accounts, duties, disabling")),
    )
    return [
        {"to": to, "name": visit.say(*name), "about": visit.say(*about)}
        for duty, to, name, about in known
        if duty is None or visit.has(duty)
    ]


def _figures(visit: Visit) -> list[dict[str, Any]]:
    """What there is, in numbers that their pages explain."""
    try:
        list_ = visit.list_
    except HubError:
        return []
    now = visit.now
    held = sa.select(sa.func.count()).where(
        GrantRow.starts <= now, GrantRow.expires > now, GrantRow.revoked_at.is_(None), GrantRow.suspended_at.is_(None)
    )
    with visit.office.control.reading() as connection:
        grants = int(connection.execute(held).scalar_one())
        licences = int(connection.execute(sa.select(sa.func.count()).select_from(LicenceRow)).scalar_one())
    return [
        {"name": visit.say("部门", "departments"), "value": len(list_.departments)},
        {"name": visit.say("共享资源", "resources"), "value": len(list_.resources)},
        {"name": visit.say("有效授权", "grants in force"), "value": grants},
        {"name": visit.say("电子证照", "licences"), "value": licences},
        {"name": visit.say("存证记录", "log entries"), "value": visit.service.evidence.log.size},
    ]
