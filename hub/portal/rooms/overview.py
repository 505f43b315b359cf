"""The leaders' page: six numbers that open their rows, the week in sentences, who fell behind and who caught up.

What is counted, and how, is `hub.figures`'.
"""

from __future__ import annotations

from datetime import date, datetime
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote

from catalog import domains
from catalog.model import Domain
from hub.casewords import CASE_KINDS
from hub.errors import NotFoundError
from hub.figures import overview, rows_of
from hub.figurewords import ANSWERS, CALLS, FIGURES, LICENCES, PAPERS, PARTS, REST
from hub.owed import WORDS, Standing
from hub.people import Duty
from hub.portal.doors import Room
from hub.portal.rooms.boards import TONES
from hub.portal.rooms.catalogue import word
from hub.portal.visits import Shown
from hub.portal.words import percent
from licence.lifecycle.states import State

if TYPE_CHECKING:
    from collections.abc import Mapping

    from hub.figures import Figure, Move
    from hub.portal.visits import Visit

ROOM = Room()
WHO: Final = frozenset({Duty.LEADER, Duty.OFFICE})
PAGE: Final = 50
WALL: Final = "overview-wall.html"
# Where what a week changed can be looked at; what is not among these has no page of its own for leaders.
PLACES: Final[Mapping[str, str]] = {
    "first": "/overview/collected",
    "turned": "/overview/kept",
    "fell": "/overview/kept",
    "loads": "/board",
    "opened": "/overview/answers",
    "closed": "/overview/answers",
    "overdue": "/overview/answers",
    "issued": "/overview/licences",
    "calls": "/overview/calls",
}


@ROOM.page("/overview", "overview.html", who=WHO)
def leaders(visit: Visit) -> dict[str, Any] | Shown:
    """Six numbers, the week, and departments; with ``wall=1`` larger, without anything to click for."""
    found = overview(visit.office)
    plain = {
        "at": found.at.isoformat(),
        "figures": [_figure(visit, one) for one in found.figures],
        "changes": [{"text": one.text(visit.lang), "to": PLACES.get(one.key, "")} for one in found.changes],
        "worst": [_move(visit, one) for one in found.worst],
        "improved": [_move(visit, one) for one in found.improved],
        "calls": [[day, calls] for day, calls in found.calls],
        "lights": [
            {
                "key": standing.value,
                "tone": TONES[standing],
                "name": visit.words(WORDS[standing]),
                "then": then,
                "now": now,
            }
            for standing, (then, now) in found.lights.items()
        ],
    }
    return Shown(plain, template=WALL) if visit.query("wall") == "1" else plain


@ROOM.page("/overview/{figure}", "overview-rows.html", who=WHO)
def rows(visit: Visit) -> dict[str, Any]:
    """What one number was counted from."""
    key = visit.path["figure"]
    if key not in FIGURES:
        raise NotFoundError
    found = rows_of(visit.office, key)
    page = visit.number("page", 1, least=1, most=100_000)
    words = FIGURES[key]
    here = found.rows[(page - 1) * PAGE : page * PAGE]
    return {
        "key": key,
        "name": visit.say(words.name_zh, words.name),
        "defines": visit.say(words.defines_zh, words.defines),
        "headings": [visit.words(one) for one in found.headings],
        "rows": [
            [_cell(visit, key, heading[0], value) for heading, value in zip(found.headings, row, strict=True)]
            for row in here
        ],
        "page": page,
        "size": PAGE,
        "total": len(found.rows),
        "address": f"/overview/{key}?",
    }


def _figure(visit: Visit, one: Figure) -> dict[str, Any]:
    words = FIGURES[one.key]
    per_day = one.key == CALLS
    parts = [{"key": key, "name": visit.words(PARTS[one.key][key]), "value": value} for key, value in one.parts.items()]
    if one.rest:
        parts.append({"key": "rest", "name": visit.words(REST), "value": one.rest})
    average = f"{one.numerator / one.denominator:,.1f}" if one.denominator else "–"
    return {
        "key": one.key,
        "name": visit.say(words.name_zh, words.name),
        "value": one.numerator if per_day else percent(one.numerator, one.denominator),
        "counted": per_day,
        "beside": visit.say(f"日均 {average} 次", f"{average} a day") if per_day else "",
        "defines": visit.say(words.defines_zh, words.defines),
        "numerator": one.numerator,
        "numerator_name": visit.say(words.numerator_zh, words.numerator),
        "denominator": one.denominator,
        "denominator_name": visit.say(words.denominator_zh, words.denominator),
        "parts": parts,
        "whole": one.whole,
        "at": one.at.isoformat(),
        "to": f"/overview/{one.key}",
    }


def _move(visit: Visit, one: Move) -> dict[str, Any]:
    return {
        "code": one.department,
        "name": _department(visit, one.department),
        "to": f"/board/{quote(one.department)}",
        "kept": one.kept,
        "total": one.total,
        "now": f"{100 * one.now:.1f} %",
        "then": f"{100 * one.then:.1f} %",
        "points": f"{100 * (one.now - one.then):+.1f}",
    }


def _cell(visit: Visit, key: str, heading: str, value: Any) -> dict[str, Any]:  # noqa: ANN401 - of any column
    """A cell: its text, and where it leads. *heading* is the column's, in English."""
    cell: dict[str, Any]
    match value:
        case None | "":
            cell = {"text": "–"}
        case datetime():
            cell = {"text": "", "at": value.isoformat()}
        case date():
            cell = {"text": value.isoformat()}
        case Domain():
            cell = {"text": word(domains.DATA_DOMAIN, value, visit.lang)}
        case Standing():
            cell = {"text": visit.words(WORDS[value]), "tone": TONES[value]}
        case int():
            cell = {"text": "", "number": value}
        case _:
            cell = _named(visit, key, heading, str(value))
    return cell


def _named(visit: Visit, key: str, heading: str, code: str) -> dict[str, Any]:
    """What a code is called."""
    list_, to = visit.list_, ""
    if heading == "Resource" and code in list_.by_code:
        text, to = _name(visit, list_.by_code[code]), f"/r/{quote(code)}"
    elif heading in {"Department", "Consumer", "Asked by", "Answered by"}:
        text = _department(visit, code)
    elif heading == "Matter" and code in list_.matters_by_code:
        text = _name(visit, list_.matters_by_code[code])
    elif (key, heading) == (ANSWERS, "Kind"):
        text = visit.words(CASE_KINDS[code])
    elif heading in {"Stands", "Clock"}:
        text = visit.words(_state(key, code))
    else:
        text = code
    return {"text": text, "to": to} if to else {"text": text}


def _state(key: str, value: str) -> tuple[str, str]:
    if key == LICENCES:
        state = State(value)
        return state.en, state.zh
    return PARTS[PAPERS if key == PAPERS else ANSWERS][value]


def _department(visit: Visit, code: str) -> str:
    department = visit.list_.departments_by_code.get(code)
    return code if department is None else _name(visit, department)


def _name(visit: Visit, what: Any) -> str:  # noqa: ANN401 - of the list, with names in both languages
    return str(what.name if visit.lang == "zh" or not what.name_en else what.name_en)
