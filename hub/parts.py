"""A department edits its part of the list, has it checked, sends it for review; the office merges what was sent.

What a part is, and putting it into a list, is `catalog.parts`'; review and publication are `hub.drafts`'. Edits are
nobody's affair before they are sent: they stand in the control database, and the log says nothing of them.
"""

from __future__ import annotations

import hashlib
import json
from copy import deepcopy
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final

import sqlalchemy as sa

from catalog import parts
from catalog.clock import day_of
from catalog.diff import compare
from catalog.layout import RESOURCES
from catalog.review import KIND, Finding
from catalog.steps import CaseInvalidError, problem, register_problems
from hub import drafts
from hub.control import PartRow, insert_once
from hub.errors import CaseConflictError, ListSupersededError, NotFoundError, RequestError
from hub.published import list_version

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date

    from catalog.diff import ListDiff
    from catalog.layout import Column, Table
    from catalog.model import ResponsibilityList
    from catalog.parts import PartFault, Rows, RowTexts
    from hub.actors import Actor
    from hub.cases import Case
    from hub.office import Office

# A department of the reference city keeps some 2,000 rows.
MAX_ROWS: Final = 20_000
MAX_CELL_CHARS: Final = 4_000
LEAST_MERGED: Final = 2
OWNER: Final = "resource"  # the column by which a row says what it belongs to
# A few people edit at a time; what is kept of a check is its words.
SEEN_KEPT: Final = 16
FIRST: Final = 1  # the revision of a part that nobody has edited yet
# The texts come from the loader, which has them in both languages.
register_problems(
    {
        "list_fault": ("{en}", "{zh}"),
        "draft_twice": (
            "two drafts are of `{department}`; choose one",
            "有两份草案均由 `{department}` 报送，请选择其一",
        ),
        "draft_few": (
            "choose at least two drafts that wait for review; one alone is approved as it is",
            "请至少选择两份待审核的草案；只有一份的，直接审核即可",
        ),
    }
)


class PartConflictError(CaseConflictError):
    """Somebody else of the department edited the part meanwhile."""

    code = "part_conflict"
    en = "Somebody else of your department edited the part meanwhile. Look at it again and repeat what you did."
    zh = "本部门其他人员已同时修改。请重新查看后再修改。"


class PartOutdatedError(ListSupersededError):
    """The list in force changed what the department keeps, since the edits began."""

    code = "part_outdated"
    en = "The list in force has changed the part of `{department}` meanwhile. Discard these edits and make them anew."
    zh = "现行清单中 `{department}` 的部分已有变动。请放弃现有修改后重新编辑。"


class RowUnknownError(NotFoundError):
    """There is no such row."""

    code = "row_unknown"
    en = "There is no such row. Look at the part again."
    zh = "没有此行。请重新查看。"


class RowEmptyError(RequestError):
    """A row of which nothing was filled in; *needed* are the columns that one must have."""

    code = "row_empty"
    en = "Nothing was filled in, so nothing was kept. Needed are: {needed}."
    zh = "未填写任何内容，未予保存。须填写：{needed_zh}。"


class PartTooLargeError(RequestError):
    """More than any department keeps."""

    code = "part_too_large"
    en = "A part holds at most {rows} rows, and a cell at most {chars} characters."
    zh = "一个部门最多 {rows} 行，每格最多 {chars} 字。"


@dataclass(frozen=True, slots=True)
class Part:
    """A part as it is being edited: *revision* `FIRST` and no *edited_by* where nobody has begun."""

    department: str
    base: str
    rows: Rows
    revision: int = FIRST
    edited_by: str = ""


@dataclass(frozen=True, slots=True)
class Checked:
    """What the checks say of a part in the list in force: the *list_* it makes (None with an error), the *faults*."""

    list_: ResponsibilityList | None
    faults: tuple[PartFault, ...]


@dataclass(frozen=True, slots=True)
class Seen:
    """As `Checked`, for those who look: whether it is *sound*, and how it *differs* from the list in force."""

    sound: bool
    faults: tuple[PartFault, ...]
    differs: ListDiff


@dataclass(frozen=True, slots=True)
class _Standing:
    """Of what a part is taken: the *version* of the list says all of it."""

    version: str
    department: str
    list_: ResponsibilityList = field(compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class _Question:
    """What the answer of a check depends on: the *version* of the list, the *digest* of the part's rows, the day."""

    version: str
    department: str
    digest: str
    today: date
    list_: ResponsibilityList = field(compare=False, repr=False)
    rows: Rows = field(compare=False, repr=False)


def get(office: Office, list_: ResponsibilityList, department: str) -> Part:
    """The part of *department*: its edits, or what *list_*, the list in force, has."""
    query = sa.select(PartRow.__table__).where(PartRow.department == department)
    with office.control.reading() as connection:
        row = connection.execute(query).one_or_none()
    if row is None:
        return Part(department, list_.version, standing(list_, department))
    rows = {table.key: list(row.rows.get(table.key, ())) for table in parts.EDITED}
    # What was published as it was sent is where further edits begin.
    base = list_.version if rows == standing(list_, department) else row.base
    return Part(department, base, rows, int(row.revision), row.edited_by)


def standing(list_: ResponsibilityList, department: str) -> Rows:
    """The part of *department* in *list_*, as `catalog.parts.part_of`; kept, so not to be changed."""
    return _standing(_Standing(list_.version, department, list_))


@lru_cache(maxsize=SEEN_KEPT)
def _standing(asked: _Standing) -> Rows:
    return parts.part_of(asked.list_, asked.department)


def write(office: Office, part: Part, table: str, number: int | None, texts: RowTexts, *, actor: Actor) -> None:
    """Put *texts* in the place of row *number* of *table*, or, with None, after the last.

    A resource's code is what its rows name it by: with it those follow.

    Raises:
        PartConflictError: the part was edited since *part* was read.
        RowUnknownError: there is no such row or table.
        RowEmptyError: it would be a row in which nothing stands but what it belongs to.
        PartTooLargeError: see `MAX_ROWS`, `MAX_CELL_CHARS`.
    """
    rows = deepcopy(part.rows)
    found = parts.table_of(table)
    if found is None or (number is not None and not 0 <= number < len(rows[table])):
        raise RowUnknownError
    names = {column.name for column in parts.columns_of(found)}
    clean = {name: text for name, text in texts.items() if name in names}
    whole = clean if number is None else rows[table][number] | clean
    if not any(text.strip() for name, text in whole.items() if name not in (OWNER, parts.FIXED)):
        needed = needed_of(found)
        raise RowEmptyError(
            needed=", ".join(one.name for one in needed), needed_zh="、".join(one.title for one in needed)
        )
    if number is None:
        rows[table].append(clean)
    else:
        before, rows[table][number] = rows[table][number], whole
        if table == RESOURCES.key and before["code"] != rows[table][number]["code"]:
            _rename(rows, before["code"], rows[table][number]["code"])
    _keep(office, part, rows, actor)


def needed_of(table: Table) -> tuple[Column, ...]:
    """The columns of *table* that must be filled in by hand, beside what a row belongs to."""
    return tuple(one for one in parts.columns_of(table) if one.required and one.name != OWNER)


def remove(office: Office, part: Part, table: str, number: int, *, actor: Actor) -> None:
    """Take row *number* of *table* out; with a resource everything that belongs to it. Raises: as `write`."""
    rows = deepcopy(part.rows)
    if parts.table_of(table) is None or not 0 <= number < len(rows[table]):
        raise RowUnknownError
    gone = rows[table].pop(number)
    if table == RESOURCES.key and all(one["code"] != gone["code"] for one in rows[table]):
        for other in parts.EDITED:
            if other.key != table:
                rows[other.key] = [row for row in rows[other.key] if row.get("resource") != gone["code"]]
    _keep(office, part, rows, actor)


def discard(office: Office, department: str) -> None:
    """Give all edits of a department up."""
    with office.control.writing() as connection:
        connection.execute(sa.delete(PartRow).where(PartRow.department == department))


def check(office: Office, list_: ResponsibilityList, part: Part) -> Checked:
    """What the list in force becomes with the part in it, and every fault at once."""
    built, faults = parts.put_in(list_, part.department, part.rows, today=day_of(office.now()))
    return Checked(built, faults)


def look(office: Office, list_: ResponsibilityList, part: Part) -> Seen:
    """What `check` says, kept for who looks again: checking takes a second for a list of a thousand resources."""
    digest = hashlib.sha256(json.dumps(part.rows, sort_keys=True).encode()).hexdigest()
    return _seen(_Question(list_.version, part.department, digest, day_of(office.now()), list_, part.rows))


@lru_cache(maxsize=SEEN_KEPT)
def _seen(asked: _Question) -> Seen:
    built, faults = parts.put_in(asked.list_, asked.department, asked.rows, today=asked.today)
    return Seen(built is not None, faults, compare(asked.list_, built if built is not None else asked.list_))


def sent(office: Office, department: str) -> Case | None:
    """The open draft that the department handed in, if there is one."""
    for case in drafts.find(office, open_=True):
        if case.value["drawn_by"][-1].partition(":")[0] == department:
            return case
    return None


def send(office: Office, list_: ResponsibilityList, part: Part, *, actor: Actor) -> Case:
    """Hand the part in for review, or what was mended of it; the edits stay until they are discarded.

    Raises:
        CaseInvalidError: the checks found errors, or nothing differs from the list in force.
        PartOutdatedError: the list in force has changed the part since the edits began.
        NotYoursError: a row is of another department's resource.
    """
    _need_current(office, list_, part.department, part.base)
    done = check(office, list_, part)
    if done.list_ is None:
        wrong = [one for one in done.faults if one.fault.severity == "error"]
        raise CaseInvalidError([_problem(one) for one in wrong])
    findings = tuple(
        Finding(f"{one.table}:{one.row + 1}", one.fault.code, one.text("en"), one.text("zh"))
        for one in done.faults
        if one.row >= 0
    )
    before = sent(office, part.department)
    if before is None:
        return drafts.submit(office, done.list_, actor=actor, findings=findings)
    return drafts.resubmit(office, before.id, done.list_, actor=actor, findings=findings, revision=before.revision)


def merge(office: Office, list_: ResponsibilityList, ids: Sequence[str], *, actor: Actor) -> Case:
    """Make one draft of several that departments handed in, against the list in force; theirs end as taken up.

    By number: (1) each department's part is taken out of its draft, (2) put into the list, (3) the whole is handed in
    by *actor*, of the office, (4) the drafts that it is made of are withdrawn. A crash before the last begins leaves
    them open, and merging the same again goes on; one in between leaves the rest to be withdrawn by hand.

    Raises:
        CaseInvalidError: less than two open ones are named, two are of one department, or together they break a rule.
        PartOutdatedError: the list in force has changed a part since its draft was drawn up.
        NotYoursError: *actor* is no post of the office.
    """
    merged, taken = list_, {}
    for id_ in dict.fromkeys(ids):
        case = office.cases.get(id_, KIND)
        if not case.open:
            continue
        draft = drafts.draft_of(case)
        department = draft.drawn_by[-1].partition(":")[0]
        if department in taken:
            raise CaseInvalidError([problem("draft", "draft_twice", department=department)])
        _need_current(office, list_, department, draft.predecessor)
        rows = parts.part_of(list_version(office.settings, draft.version), department)
        built, faults = parts.put_in(merged, department, rows)
        if built is None:
            raise CaseInvalidError([_problem(one) for one in faults if one.fault.severity == "error"])
        merged, taken[department] = built, case
    if len(taken) < LEAST_MERGED:
        raise CaseInvalidError([problem("draft", "draft_few")])
    case = drafts.waiting_for(office, merged.version) or drafts.submit(office, merged, actor=actor)
    for old in taken.values():
        drafts.withdraw(office, old.id, actor=actor, note=case.id)
    return case


def _problem(one: PartFault) -> Any:  # noqa: ANN401 - a problem of `catalog.steps`
    where = f"{one.table}:{one.row + 1}" if one.row >= 0 else one.table
    return problem(where, "list_fault", en=one.text("en"), zh=one.text("zh"))


def _need_current(office: Office, list_: ResponsibilityList, department: str, base: str) -> None:
    """Refuse edits of what is another meanwhile: nobody undoes unseen what was published."""
    if base == list_.version:
        return
    before = list_version(office.settings, base)
    if parts.part_of(before, department) != parts.part_of(list_, department):
        raise PartOutdatedError(department=department)


def _rename(rows: Rows, old: str, new: str) -> None:
    for table in parts.EDITED:
        for row in rows[table.key]:
            if row.get("resource") == old:
                row["resource"] = new


def _keep(office: Office, part: Part, rows: Rows, actor: Actor) -> None:
    every = [text for table in rows.values() for row in table for text in row.values()]
    if sum(map(len, rows.values())) > MAX_ROWS or any(len(text) > MAX_CELL_CHARS for text in every):
        raise PartTooLargeError(rows=MAX_ROWS, chars=MAX_CELL_CHARS)
    values = {
        "base": part.base,
        "rows": rows,
        "revision": part.revision + 1,
        "edited_by": str(actor),
        "edited_at": office.now(),
    }
    with office.control.writing() as connection:
        if part.edited_by:
            mine = (PartRow.department == part.department, PartRow.revision == part.revision)
            kept = bool(connection.execute(sa.update(PartRow).where(*mine).values(**values)).rowcount)
        else:
            # Of two who begin at once one is first.
            kept = insert_once(connection, PartRow, {"department": part.department, **values})
    if not kept:
        raise PartConflictError
