"""The part of the list that one department keeps: its resources with their fields, rules, lines and prohibitions.

A part is edited as rows of texts, as they stand in the workbook, so that what is not yet right can be kept and shown
again; put into the list in force it is read and checked like any file. Keeping edits and sending them is `hub.parts`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from operator import attrgetter
from typing import TYPE_CHECKING, Any, Final

from catalog.build import build
from catalog.layout import (
    CODE_LISTS,
    COVER,
    FIELDS,
    PROHIBITIONS,
    QUALITY,
    RESOURCES,
    RESPONSIBILITIES,
    TABLES,
    Column,
    Table,
    written,
)
from catalog.raw import Cell, CellRow, Faults, KnownRow, Place, RawList

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterator, Mapping
    from datetime import date

    from catalog.faults import Fault
    from catalog.model import ResponsibilityList

# What a department edits, in the order in which it is read.
EDITED: Final = (RESOURCES, FIELDS, RESPONSIBILITIES, PROHIBITIONS, QUALITY)
# Filled in by the department that edits, never by hand: nobody writes in another's name.
FIXED: Final = "provider"

RowTexts = dict[str, str]
Rows = dict[str, list[RowTexts]]


@dataclass(frozen=True, slots=True)
class PartFault:
    """A fault of a part put into the list: in row *row* (from 0) of *table*, −1 where it lies outside of the part."""

    table: str
    row: int
    fault: Fault

    def text(self, lang: str, called: Callable[[Table, Column], str] | None = None) -> str:
        """The fault in words; *called* says what a column is called.

        By default its heading for ``zh``, the name of its attribute otherwise.
        """
        table = next((one for one in (COVER, *TABLES) if one.key == self.table), None)
        params = dict(self.fault.params)
        column = table.column(params.get("column", "")) if table is not None else None
        if table is None or column is None:
            return self.fault.text(lang)
        if called is not None:
            params["column"] = called(table, column)
        elif lang == "zh":
            params["column"] = column.title
        return replace(self.fault, params=tuple(params.items())).text(lang)


def table_of(key: str) -> Table | None:
    """The table of this key, if a department edits it."""
    return next((table for table in EDITED if table.key == key), None)


def columns_of(table: Table) -> tuple[Column, ...]:
    """The columns that are filled in by hand."""
    return tuple(column for column in table.columns if column.name != FIXED)


def part_of(list_: ResponsibilityList, department: str) -> Rows:
    """The rows of *department*, as texts."""
    return {
        table.key: [
            {column.name: _text(column, values[column.name]) for column in table.columns}
            for values in _values(list_, table, department, own=True)
        ]
        for table in EDITED
    }


def put_in(
    list_: ResponsibilityList, department: str, rows: Rows, *, today: date | None = None
) -> tuple[ResponsibilityList | None, tuple[PartFault, ...]]:
    """The list with *rows* in the place of what *department* has in it (None with an error), and what the checks found.

    Everything of others stays as it is, and so does the order of what stays: rows that say the same give the same list.
    Faults name columns by their attributes; `PartFault.text` says what people call them.
    """
    tables: dict[str, list[Any]] = {}
    for order, table in enumerate(TABLES):
        # The part's rows keep their numbers from 1; a name of its own tells those of others.
        tables[table.key] = [
            KnownRow(Place(f"*{table.key}", (order, number), number), values)
            for number, values in enumerate(_values(list_, table, department, own=False), 1)
        ]
        for number, row in enumerate(rows.get(table.key, ()) if table in EDITED else (), 1):
            whole = row | {FIXED: department} if table.column(FIXED) is not None else row
            tables[table.key].append(_row(whole, table.key, order, number))
    cover = {column.name: _text(column, getattr(list_, column.name)) for column in COVER.columns}
    faults = Faults("list")
    built = build(RawList(_row(cover, "*cover", -1, 1), tables), faults, today)
    found = tuple(_fault(one) for one in faults.sorted())
    return (None if built is None else _in_order(list_, built)), found


def only_of(old: ResponsibilityList, new: ResponsibilityList, department: str) -> bool:
    """Whether *new* differs from *old* in nothing but what *department* keeps."""

    def rest(list_: ResponsibilityList) -> ResponsibilityList:
        own = {one.code for one in list_.resources if one.provider == department}
        return replace(
            list_,
            resources=tuple(one for one in list_.resources if one.code not in own),
            responsibilities=tuple(one for one in list_.responsibilities if one.provider != department),
            prohibitions=tuple(one for one in list_.prohibitions if one.resource not in own),
        )

    return rest(old) == rest(new)


def _values(list_: ResponsibilityList, table: Table, department: str, *, own: bool) -> Iterator[dict[str, Any]]:
    """The rows of a table as values by attribute: those that *department* keeps, or with *own* false all others."""
    names = [column.name for column in table.columns]
    if table is CODE_LISTS:
        for codes in list_.code_lists:
            for value, title in codes.items:
                yield {"code": codes.code, "name": codes.name, "value": value, "title": title}
    elif table.inner:
        read = attrgetter(*names[1:])
        for resource in list_.resources:
            if (resource.provider == department) == own:
                for record in getattr(resource, table.inner):
                    yield dict(zip(names, (resource.code, *read(record)), strict=True))
    else:
        read = attrgetter(*names)
        for record in getattr(list_, table.key):
            if (table in EDITED and _keeper(list_, table, record) == department) == own:
                yield dict(zip(names, read(record), strict=True))


def _keeper(list_: ResponsibilityList, table: Table, record: Any) -> str:  # noqa: ANN401 - a record of any table
    provider: str = record.provider if table.column(FIXED) is not None else list_.by_code[record.resource].provider
    return provider


def _text(column: Column, value: Any) -> str:  # noqa: ANN401 - a value of any attribute
    return str(written(column, value))


def _row(texts: Mapping[str, str], name: str, order: int, number: int) -> CellRow:
    place = Place(name, (order, number), number)
    return CellRow(place, {key: Cell(text, place) for key, text in texts.items() if text})


def _fault(found: Fault) -> PartFault:
    name, _, number = found.where.partition(":")
    if name.startswith("*") or not number.isdigit():
        return PartFault(name.removeprefix("*"), -1, found)
    return PartFault(name, int(number) - 1, found)


def _in_order(old: ResponsibilityList, new: ResponsibilityList) -> ResponsibilityList:
    """*new* with everything that *old* has at its old place, and what is new after it."""

    def sort(name: str, key: str) -> tuple[Any, ...]:
        def mark(one: Any) -> Hashable:  # noqa: ANN401 - a record of any table
            found: Hashable = getattr(one, key) if key else one
            return found

        at = {mark(one): position for position, one in reversed(list(enumerate(getattr(old, name))))}
        return tuple(sorted(getattr(new, name), key=lambda one: at.get(mark(one), len(at))))

    return replace(
        new,
        resources=sort("resources", "code"),
        responsibilities=sort("responsibilities", ""),
        prohibitions=sort("prohibitions", ""),
    )
