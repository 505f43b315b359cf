"""A department edits its part of the list: one row a page, checks with what to mend, sending it; the office merges.

What is kept, checked and sent is `hub.parts`'; review and publication are on `hub.portal.rooms.lists`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from catalog import cells, parts
from catalog.attributes import ATTRIBUTES
from catalog.layout import FIELDS, PROHIBITIONS, QUALITY, RESOURCES, RESPONSIBILITIES, Column, Form, Table
from hub import drafts
from hub import parts as keeping
from hub.casewords import state_text
from hub.errors import NotFoundError
from hub.people import Duty
from hub.portal import naming, terms
from hub.portal.doors import Room
from hub.portal.rooms.lists import changes_of
from hub.portal.visits import Go
from hub.portal.words import quoted

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from catalog.parts import PartFault, RowTexts
    from hub.parts import Part
    from hub.portal.visits import Visit

ROOM = Room()
EDITORS: Final = frozenset({Duty.STAFF, Duty.REVIEWER})
FAULTS: Final = 200
# (Chinese, English); the kind of `catalog.attributes` that has the words of the columns.
TABLES: Final[Mapping[str, tuple[tuple[str, str], str]]] = {
    RESOURCES.key: (("资源", "Resource"), "resource"),
    FIELDS.key: (("信息项", "Field"), "field"),
    RESPONSIBILITIES.key: (("共享责任", "Line: to whom, for what, by when"), "line"),
    PROHIBITIONS.key: (("不予共享", "Prohibition"), "prohibition"),
    QUALITY.key: (("质量规则", "Quality rule"), "quality"),
}
# What the differences of lists do not name, for they tell rows apart by it.
WORDS: Final[Mapping[str, tuple[str, str]]] = {
    "code": ("信息资源代码", "Code"),
    "resource": ("资源代码", "Code of the resource"),
    "name": ("字段名", "Name of the field"),
    "consumers": ("使用方代码（* 为所有部门）", "Departments it is shared with, by code (* for all)"),
    "purposes": ("用途事项代码（* 为所有事项）", "Matters it is for, by code (* for all)"),
    "fields": ("不予共享字段（不填：全部）", "Fields (none: all)"),
    "kind": ("规则类型", "Kind of rule"),
    "field": ("字段名", "Field"),
    "threshold": ("阈值", "Threshold"),
    "target": ("引用目标或规则", "Target, or the rule"),
}
_LONG: Final = frozenset({"abstract", "share_condition", "share_ground", "ground", "consumers", "purposes", "target"})


# --- Looking -------------------------------------------------------------------------------------------------------


@ROOM.page("/drafting", "drafting.html", who=EDITORS)
def overview(visit: Visit) -> dict[str, Any]:
    """The part of the visitor's department as it is being edited, and where what was sent stands."""
    part, now = _part(visit), keeping.standing(visit.list_, visit.person.department)
    case = keeping.sent(visit.office, part.department)
    rows = part.rows[RESOURCES.key]
    before = {row["code"] for row in now[RESOURCES.key]}
    return {
        "department_name": naming.department(visit, part.department),
        "edited": part.rows != now,
        "edited_by": part.edited_by,
        "revision": part.revision,
        "resources": [
            {
                "number": number,
                "code": row.get("code", ""),
                "name": row.get("name", ""),
                "state": _resource_state(visit, part, now, row, before),
                "fields": sum(one.get("resource") == row.get("code") for one in part.rows[FIELDS.key]),
                "lines": sum(one.get("resource") == row.get("code") for one in part.rows[RESPONSIBILITIES.key]),
            }
            for number, row in enumerate(rows)
        ],
        "withdrawn": [
            {"code": row["code"], "name": row["name"]}
            for row in now[RESOURCES.key]
            if row["code"] not in {one.get("code") for one in rows}
        ],
        "sent": None
        if case is None
        else {
            "id": case.id,
            "state": case.state,
            "state_word": state_text("list", case.state, visit.lang),
            "note": case.value["note"],
        },
    }


def _resource_state(
    visit: Visit, part: Part, now: Mapping[str, Sequence[RowTexts]], row: RowTexts, before: set[str]
) -> dict[str, str] | None:
    """What became of a resource in the edits; None where nothing did."""
    code = row.get("code", "")
    if code not in before:
        return {"tone": "good", "word": visit.say("新增", "new")}
    if any(_of(part.rows[table.key], code) != _of(now[table.key], code) for table in parts.EDITED):
        return {"tone": "warn", "word": visit.say("已修改", "edited")}
    return None


def _of(rows: Sequence[RowTexts], code: str) -> list[RowTexts]:
    return [row for row in rows if code in (row.get("resource"), row.get("code"))]


@ROOM.page("/drafting/resource/{number}", "drafting-resource.html", who=EDITORS)
def resource(visit: Visit) -> dict[str, Any]:
    """One resource with all that belongs to it, each a link to where it is edited."""
    part = _part(visit)
    number = _number(visit, part, RESOURCES)
    row = part.rows[RESOURCES.key][number]
    code = row.get("code", "")
    return {
        "position": number,
        "code": code,
        "name": row.get("name", ""),
        "revision": part.revision,
        "values": [
            {"name": _words(visit, RESOURCES, column), "value": row.get(column.name, "")}
            for column in parts.columns_of(RESOURCES)
            if row.get(column.name)
        ],
        "tables": [
            {
                "key": table.key,
                "name": visit.say(*TABLES[table.key][0]),
                "rows": [
                    {"number": at, "text": _line(table, one)}
                    for at, one in enumerate(part.rows[table.key])
                    if one.get("resource") == code
                ],
            }
            for table in parts.EDITED
            if table is not RESOURCES
        ],
    }


def _line(table: Table, row: RowTexts) -> str:
    """A row in a line: what tells it from others."""
    names = {
        FIELDS.key: ("title", "name", "type"),
        RESPONSIBILITIES.key: ("consumers", "purposes", "cadence", "deadline"),
        PROHIBITIONS.key: ("consumers", "fields", "ground"),
    }.get(table.key, ("kind", "field", "threshold"))
    return " · ".join(row[name] for name in names if row.get(name)) or "–"


# --- Editing -------------------------------------------------------------------------------------------------------


@ROOM.page("/drafting/{table}/{number}", "drafting-row.html", who=EDITORS, json=False)
def edited(visit: Visit) -> dict[str, Any]:
    """One row to be filled in; ``new`` after the last."""
    part, table = _part(visit), _table(visit)
    new = visit.path["number"] == "new"
    number = None if new else _number(visit, part, table)
    row = {} if number is None else part.rows[table.key][number]
    owner = row.get("resource") or visit.form.text("resource") or visit.query("resource")
    if new and table.column("resource") is not None:
        row = {"resource": owner}
    sent = visit.form.has("revision")
    return {
        "table": table.key,
        "table_name": visit.say(*TABLES[table.key][0]),
        "position": "new" if number is None else number,
        "revision": part.revision,
        "back": _back(part, table, row, number),
        "inputs": [
            _input(visit, table, column, visit.form.text(column.name) if sent else row.get(column.name, ""))
            for column in parts.columns_of(table)
            if column.name != "resource"
        ],
        "owner": owner if table.column("resource") is not None else "",
    }


def _input(visit: Visit, table: Table, column: Column, value: str) -> dict[str, Any]:
    """How a cell of *column* is filled in."""
    options: list[list[str]] = []
    kind = "area" if column.name in _LONG or column.form is Form.OPTIONS else "line"
    if column.domain is not None and column.form is Form.ONE:
        kind = "select"
        options = [[column.domain.word(one), naming.word(visit, column.domain, one)] for one in column.domain.words]
    elif column.read is cells.boolean:
        kind, options = "select", [["是", visit.say("是", "yes")], ["否", visit.say("否", "no")]]
    elif column.read is cells.day:
        kind = "day"
    if kind == "select" and (not column.required or not value):
        options = [["", "–"], *options]
    return {
        "name": column.name,
        "label": _words(visit, table, column),
        "kind": kind,
        "options": options,
        "value": value,
        "needed": column.required,
        "many": column.form is Form.MANY,
    }


def _words(visit: Visit, table: Table, column: Column) -> str:
    known = ATTRIBUTES.get(TABLES[table.key][1] if table.key in TABLES else "", {}).get(column.name)
    if known is not None:
        return known.words.zh if visit.lang == "zh" else known.words.en[:1].upper() + known.words.en[1:]
    zh, en = WORDS.get(column.name, (column.title, column.name.replace("_", " ")))
    return visit.say(zh, en)


def _called(visit: Visit, table: Table, column: Column) -> str:
    """What a fault calls a column: as the form of its row does, in English with the key that files have."""
    words = _words(visit, table, column)
    return words if visit.lang == "zh" else f"{words.partition(' (')[0]} ({column.name})"


@ROOM.step("/drafting/{table}/{number}", again=edited, template="drafting-row.html", who=EDITORS)
def write(visit: Visit) -> Go:
    """Keep a row as it was typed; the checks say what is wrong with it."""
    part, table, form = _read(visit), _table(visit), visit.form
    number = None if visit.path["number"] == "new" else _number(visit, part, table)
    texts = {column.name: form.text(column.name) for column in parts.columns_of(table)}
    try:
        keeping.write(visit.office, part, table.key, number, texts, actor=visit.actor)
    except keeping.RowEmptyError as error:
        needed = [_words(visit, table, column) for column in keeping.needed_of(table)]
        raise keeping.RowEmptyError(needed=", ".join(needed), needed_zh="、".join(needed)) from error
    row = (part.rows[table.key][number] if number is not None else {}) | texts
    after = _part(visit)
    if table is RESOURCES:
        to = f"/drafting/resource/{len(after.rows[table.key]) - 1 if number is None else number}"
    else:
        to = _back(after, table, row, number)
    return Go(to, visit.say("已保存，尚未报送。", "Kept; it is not sent yet."))


@ROOM.step("/drafting/{table}/{number}/remove", again=edited, template="drafting-row.html", who=EDITORS)
def remove(visit: Visit) -> Go:
    """Take a row out; a resource with all that belongs to it."""
    part, table = _read(visit), _table(visit)
    number = _number(visit, part, table)
    row = part.rows[table.key][number]
    keeping.remove(visit.office, part, table.key, number, actor=visit.actor)
    to = "/drafting" if table is RESOURCES else _back(_part(visit), table, row, None)
    return Go(to, visit.say("已去除，尚未报送。", "Taken out; it is not sent yet."))


# --- Checking and sending ------------------------------------------------------------------------------------------


@ROOM.page("/drafting/check", "drafting-check.html", who=EDITORS)
def checked(visit: Visit) -> dict[str, Any]:
    """What the checks say, each fault with the row to mend; without errors, what differs from the list in force."""
    part = _part(visit)
    seen = keeping.look(visit.office, visit.list_, part)
    # Notes on what others keep are not this department's affair; what it breaks there is.
    faults = [one for one in seen.faults if one.row >= 0 or one.fault.severity == "error"]
    return {
        "sound": seen.sound,
        "errors": sum(one.fault.severity == "error" for one in faults),
        "faults": [_fault(visit, one) for one in faults[:FAULTS]],
        "faults_more": max(0, len(faults) - FAULTS),
        "revision": part.revision,
        **changes_of(visit, seen.differs, "/drafting/check?"),
    }


def _fault(visit: Visit, one: PartFault) -> dict[str, Any]:
    wrong, inside = one.fault.severity == "error", one.row >= 0
    name = visit.say(*TABLES[one.table][0]) if one.table in TABLES else one.table
    where = visit.say(f"{name}第 {one.row + 1} 行", f"{name}, row {one.row + 1}") if inside else name
    return {
        "where": where if inside else visit.say(f"其他部门（{where}）", f"Other departments ({where})"),
        "to": f"/drafting/{one.table}/{one.row}" if inside else "",
        "tone": "bad" if wrong else "warn",
        "severity": visit.say("须改正", "to mend") if wrong else visit.say("提示", "note"),
        "text": quoted(one.text(visit.lang, lambda table, column: _called(visit, table, column))),
    }


@ROOM.step("/drafting/send", again=checked, template="drafting-check.html", who=EDITORS)
def send(visit: Visit) -> Go:
    """Hand the part in for review."""
    case = keeping.send(visit.office, visit.list_, _read(visit), actor=visit.actor)
    return Go(f"/lists/drafts/{case.id}", visit.say("已报送，待审核。", "It is handed in and waits for review."))


@ROOM.step("/drafting/discard", again=overview, template="drafting.html", who=EDITORS)
def discard(visit: Visit) -> Go:
    """Give the edits up."""
    _read(visit)
    keeping.discard(visit.office, visit.person.department)
    return Go("/drafting", visit.say("已放弃修改，恢复为现行清单。", "The edits are gone; this is the list in force."))


# --- Merging -------------------------------------------------------------------------------------------------------


@ROOM.page("/drafting/merge", "drafting-merge.html", who=frozenset({Duty.OFFICE}))
def mergeable(visit: Visit) -> dict[str, Any]:
    """The drafts that departments handed in."""
    list_ = visit.list_
    found = [case for case in drafts.find(visit.office, open_=True) if _drawer(case.value) != list_.office]
    return {
        "chosen": visit.form.texts("draft"),
        "drafts": [
            {
                "id": case.id,
                "name": naming.department(visit, _drawer(case.value)),
                "state_word": state_text("list", case.state, visit.lang),
                "changes": sum(case.value["counts"].values()),
            }
            for case in found
        ],
    }


@ROOM.step("/drafting/merge", again=mergeable, template="drafting-merge.html", who=frozenset({Duty.OFFICE}))
def merge(visit: Visit) -> Go:
    """Make one draft of several."""
    case = keeping.merge(visit.office, visit.list_, visit.form.texts("draft"), actor=visit.actor)
    said = visit.say("已合并为一份草案，由另一人审核。", "They are one draft now, for another person to approve.")
    return Go(f"/lists/drafts/{case.id}", said)


# --- inside --------------------------------------------------------------------------------------------------------


def _drawer(value: Mapping[str, Any]) -> str:
    return str(value["drawn_by"][-1]).partition(":")[0]


def _part(visit: Visit) -> Part:
    return keeping.get(visit.office, visit.list_, visit.person.department)


def _read(visit: Visit) -> Part:
    """The part, if it is still as the form's page showed it.

    Raises:
        PartConflictError: it is not.
    """
    part = _part(visit)
    if terms.number(visit.form, "revision", "修订", "Revision") != part.revision:
        raise keeping.PartConflictError
    return part


def _table(visit: Visit) -> Table:
    found = parts.table_of(visit.path["table"])
    if found is None:
        raise NotFoundError
    return found


def _number(visit: Visit, part: Part, table: Table) -> int:
    text = visit.path["number"]
    number = int(text) if text.isascii() and text.isdigit() and len(text) < 7 else -1  # noqa: PLR2004 - of 20,000
    if not 0 <= number < len(part.rows[table.key]):
        raise keeping.RowUnknownError
    return number


def _back(part: Part, table: Table, row: RowTexts, number: int | None) -> str:
    """The page of the resource that a row belongs to."""
    if table is RESOURCES:
        return "/drafting" if number is None else f"/drafting/resource/{number}"
    codes = [one.get("code") for one in part.rows[RESOURCES.key]]
    return f"/drafting/resource/{codes.index(row.get('resource'))}" if row.get("resource") in codes else "/drafting"
