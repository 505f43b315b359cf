"""The responsibility board: who owes what by the list, how it stands, why, and what clears it. Open to everybody.

The lights and the rates are `hub.owed`'s. Why somebody paused a resource is told to those who are signed in.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote, urlencode

from catalog import domains
from hub.errors import NotFoundError
from hub.owed import GRAVITY, WORDS, Standing, lines_of, owed, rates, tallies, without_line
from hub.portal import naming
from hub.portal.doors import EVERYONE, Room
from hub.portal.rooms.catalogue import word
from hub.portal.sheets import sheet

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from hub.owed import Owed, Rate, Tally
    from hub.portal.visits import Visit

ROOM = Room()
DEPARTMENTS: Final = 20
PAGE: Final = 25
TONES: Final[Mapping[Standing, str]] = {
    Standing.KEPT: "good",
    Standing.FAILING: "warn",
    Standing.WAITING: "warn",
    Standing.LATE: "bad",
    Standing.OVERDUE: "bad",
    Standing.AHEAD: "calm",
    Standing.PAUSED: "calm",
}


# Narrowed, the board shows resources with their why; whole, departments.
SHEETS: Final = (
    sheet(
        "items",
        ("code", "代码", "Code"),
        ("name", "资源", "Resource"),
        ("provider_name", "责任部门", "Department"),
        ("domains", "领域", "Domain"),
        ("cadence", "更新周期", "Cadence"),
        ("word", "状态", "Light"),
        ("why", "原因", "Why"),
        ("clears", "如何解除", "What clears it"),
        ("success", "最近成功", "Last success"),
        ("deadline", "最迟共享", "Shared by"),
    ),
    sheet(
        "rows",
        ("code", "部门代码", "Code"),
        ("name", "部门", "Department"),
        ("kept", "正常", "Kept"),
        ("total", "应承担", "Owed"),
    ),
)


@ROOM.page("/board", "board.html", who=EVERYONE, csv=SHEETS)
def board(visit: Visit) -> dict[str, Any]:
    """Departments × resources; with a filter, the resources it leaves, each with its why."""
    list_, found = visit.list_, owed(visit.office)
    department = visit.query("dept")
    department = department if department in list_.departments_by_code else ""
    light = _light(visit)
    page = visit.number("page", 1, least=1, most=10_000)
    tallied = tallies(list_, found)
    chosen = _chosen(found, department, light)
    narrowed = bool(department or light)
    here = [] if narrowed else tallied[(page - 1) * DEPARTMENTS : page * DEPARTMENTS]
    size, total = (PAGE, len(chosen)) if narrowed else (DEPARTMENTS, len(tallied))
    kept = [("dept", department), ("light", light.value if light is not None else "")]
    return {
        "title": visit.say(list_.title, f"List of {list_.year}, batch {list_.batch}"),
        "resources": len(found),
        "lights": _lights(visit, found, department),
        "rates": [_rate(visit, one) for one in rates(list_, found)],
        "lines": len(lines_of(list_)),
        "without_line": len(without_line(list_)),
        "dept": department,
        "light": light.value if light is not None else "",
        "departments": [{"code": one.department, "name": _department(visit, one.department)} for one in tallied],
        "narrowed": narrowed,
        "rows": [_row(visit, one, found) for one in here],
        "items": [_item(visit, one) for one in chosen[(page - 1) * PAGE : page * PAGE]] if narrowed else [],
        "page": page,
        "size": size,
        "total": total,
        "address": f"/board?{urlencode([(name, value) for name, value in kept if value])}&",
    }


@ROOM.page("/board/{department}", "board-department.html", who=EVERYONE)
def department_board(visit: Visit) -> dict[str, Any]:
    """What one department owes, and how it stands."""
    list_, code = visit.list_, visit.path["department"]
    department = list_.departments_by_code.get(code)
    if department is None:
        raise NotFoundError
    mine = [one for one in owed(visit.office) if one.provider == code]
    light = _light(visit)
    chosen = _chosen(mine, code, light)
    page = visit.number("page", 1, least=1, most=10_000)
    return {
        "code": code,
        "name": _department(visit, code),
        "post": department.contact_role,
        "posts": [{"duty": word(domains.DUTY, duty, visit.lang), "post": post} for duty, post in department.contacts],
        "owes": len(mine),
        "lights": _lights(visit, mine, code),
        "light": light.value if light is not None else "",
        "items": [_item(visit, one) for one in chosen[(page - 1) * PAGE : page * PAGE]],
        "page": page,
        "size": PAGE,
        "total": len(chosen),
        "address": f"/board/{quote(code)}?{urlencode({'light': light.value}) if light is not None else ''}&",
    }


def _light(visit: Visit) -> Standing | None:
    return next((one for one in Standing if one.value == visit.query("light")), None)


def _chosen(found: Sequence[Owed], department: str, light: Standing | None) -> list[Owed]:
    """What the filters leave, the gravest first."""
    fits = [one for one in found if department in {"", one.provider} and light in {None, one.standing}]
    return sorted(fits, key=lambda one: (GRAVITY.index(one.standing), -one.days))


def _lights(visit: Visit, found: Sequence[Owed], department: str) -> list[dict[str, Any]]:
    mine = [one.standing for one in found if department in {"", one.provider}]
    return [
        {"key": one.value, "tone": TONES[one], "name": visit.words(WORDS[one]), "count": mine.count(one)}
        for one in GRAVITY
    ]


def _rate(visit: Visit, one: Rate) -> dict[str, Any]:
    return {
        "domain": one.domain.value,
        "name": visit.say("政务数据", "Government data")
        if one.domain.name == "GOVERNMENT"
        else visit.say("经济社会数据", "Economic and social data"),
        "lines": one.lines,
        "collected": one.collected,
        "kept": one.kept,
    }


def _row(visit: Visit, one: Tally, found: Sequence[Owed]) -> dict[str, Any]:
    mine = _chosen(found, one.department, None)
    by_code = visit.list_.by_code
    return {
        "code": one.department,
        "name": _department(visit, one.department),
        "total": one.total,
        "kept": one.kept,
        "cells": [
            {
                "code": cell.resource,
                "name": _name(visit, by_code[cell.resource]),
                "tone": TONES[cell.standing],
                "word": cell.word(visit.lang),
                "light": cell.standing.value,
            }
            for cell in mine
        ],
    }


def _item(visit: Visit, one: Owed) -> dict[str, Any]:
    resource = visit.list_.by_code[one.resource]
    found = visit.list_.responsibilities_for(one.resource)
    return {
        "code": one.resource,
        "name": _name(visit, resource),
        "provider": one.provider,
        "provider_name": _department(visit, one.provider),
        "light": one.standing.value,
        "tone": TONES[one.standing],
        "word": one.word(visit.lang),
        "why": one.why(visit.lang, public=visit.known is None, named=partial(naming.actor_in_text, visit)),
        "clears": one.clears(visit.lang),
        "success": one.success.isoformat() if one.success else None,
        "due": one.due.isoformat() if one.due else None,
        "deadline": one.deadline.isoformat() if one.deadline else None,
        "cadence": word(domains.CADENCE, resource.cadence, visit.lang),
        "domains": sorted({word(domains.DATA_DOMAIN, line.domain, visit.lang) for line in found}),
    }


def _department(visit: Visit, code: str) -> str:
    department = visit.list_.departments_by_code.get(code)
    return code if department is None else _name(visit, department)


def _name(visit: Visit, what: Any) -> str:  # noqa: ANN401 - of the list, with names in both languages
    return str(what.name if visit.lang == "zh" or not what.name_en else what.name_en)
