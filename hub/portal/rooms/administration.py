"""Administration: departments, health and backups, for administrators; auditors read.

What is told comes from `hub.departments`, `hub.health` and `hub.backups`; backups are made on the hub's machine, since
whoever may read one has all of the hub's data.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from hub.backups.recent import standing
from hub.departments import tallies
from hub.health import NAMES, components, worst
from hub.people import Duty
from hub.portal.doors import Room
from hub.portal.sheets import sheet

if TYPE_CHECKING:
    from hub.portal.visits import Visit

ROOM = Room()
READERS: Final = frozenset({Duty.ADMINISTRATOR, Duty.AUDITOR})
PAGE: Final = 100
LIGHTS: Final = {
    "good": ("works", "正常"),
    "warn": ("attention", "注意"),
    "bad": ("failing", "异常"),
    "calm": ("not in use", "未启用"),
}
# What a backup holds, in the order of `hub.backups.making`: (English, Chinese).
PARTS: Final = {
    "control": ("control database", "控制库"),
    "log": ("log", "透明日志"),
    "bodies": ("bodies of entries", "日志正文"),
    "lists": ("list versions", "清单各版本"),
    "licences": ("store of licences", "证照库"),
    "public": ("what is public", "公开文件"),
    "files": ("files of the deployment", "部署文件"),
    "keys": ("keys, sealed", "密钥（加密）"),
}
SHEETS: Final = (
    sheet(
        "items",
        ("code", "代码", "Code"),
        ("name", "部门", "Department"),
        ("uscc", "统一社会信用代码", "USCC"),
        ("kind", "类别", "Kind"),
        ("people", "人员", "People"),
        ("clients", "客户端系统", "Client systems"),
        ("holds", "持有授权", "Grants held"),
        ("gave", "对外授权", "Grants given"),
        ("resources", "资源", "Resources"),
    ),
)


@ROOM.page("/administration", "admin-health.html", who=READERS)
def health(visit: Visit) -> dict[str, Any]:
    """How each component stands; as data for monitors."""
    found = components(visit.office)
    return {
        "light": worst(found),
        "light_word": visit.words(LIGHTS[worst(found)]),
        "components": [
            {
                "code": one.code,
                "name": visit.words(NAMES[one.code]),
                "tone": one.tone,
                "word": visit.words(LIGHTS[one.tone]),
                "says": visit.words(one.says),
                "clears": visit.words(one.clears),
                "since": one.since.isoformat() if one.since is not None else "",
            }
            for one in found
        ],
    }


@ROOM.page("/administration/departments", "admin-departments.html", who=READERS, csv=SHEETS)
def departments(visit: Visit) -> dict[str, Any]:
    """What the published list says of each department, and what it has here."""
    page, list_ = visit.number("page", 1, least=1, most=1_000), visit.list_
    counts = tallies(visit.office.control, list_, visit.now)
    shown = list_.departments[(page - 1) * PAGE : page * PAGE]
    names = list_.departments_by_code
    return {
        "version": list_.version,
        "total": len(list_.departments),
        "page": page,
        "size": PAGE,
        "address": "/administration/departments?",
        "items": [
            {
                "code": one.code,
                "name": visit.words((one.name_en or one.name, one.name)),
                "uscc": one.uscc,
                "kind": one.kind.value if one.kind is not None else "",
                "above": visit.words((names[one.parent].name_en, names[one.parent].name))
                if one.parent in names
                else "",
                "post": one.contact_role,
                "people": counts[one.code].people,
                "clients": counts[one.code].clients,
                "holds": counts[one.code].holds,
                "gave": counts[one.code].gave,
                "resources": counts[one.code].resources,
            }
            for one in shown
        ],
    }


@ROOM.page("/administration/backups", "admin-backups.html", who=READERS)
def backups(visit: Visit) -> dict[str, Any]:
    """Which backups there are, how old the newest is, and what it holds and leaves out."""
    settings = visit.office.settings
    found = standing(settings.backups, settings.home, visit.now)
    newest = found.newest
    hours = None if found.age is None else int(found.age.total_seconds() // 3600)
    return {
        "light": found.light,
        "light_word": visit.words(LIGHTS[found.light]),
        "hours": hours,
        "unfinished": found.unfinished,
        "same_disk": found.same_disk,
        "total": len(found.known),
        "items": [
            {
                "name": one.name,
                "made_at": one.summary.made_at.isoformat(),
                "files": one.summary.count,
                "bytes": one.summary.size_bytes,
                "log_size": one.summary.log_size,
                "keys": one.summary.keys == "sealed",
                "digest": one.summary.digest,
                "readable": True,
            }
            if one.summary is not None
            else {"name": one.name, "readable": False}
            for one in found.known
        ],
        "parts": []
        if newest is None
        else [
            {"name": visit.words(PARTS[one.name]), "files": one.files, "bytes": one.size_bytes} for one in newest.parts
        ],
    }
