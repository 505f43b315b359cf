"""Turns a raw list into values of the model, collecting every fault on the way.

Values are read cell by cell here and references resolved; rules over several values are `catalog.validate`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from catalog import cells, validate
from catalog.domains import folded
from catalog.layout import (
    CODE_LISTS,
    COVER,
    DEPARTMENTS,
    FIELDS,
    MATTERS,
    MISSING,
    NEEDS,
    PROHIBITIONS,
    QUALITY,
    RESOURCES,
    RESPONSIBILITIES,
    Column,
    Form,
    Table,
)
from catalog.model import (
    EVERYONE,
    CodeList,
    Department,
    Field,
    InformationResource,
    Matter,
    Need,
    Prohibition,
    QualityRule,
    Responsibility,
    ResponsibilityList,
    SourceRef,
)
from catalog.raw import Cell, Faults, KnownRow, Place, RawList, Row

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import date


@dataclass(slots=True)
class Record:
    """One row as far as it could be read: *values* lacks every attribute that is at fault.

    Of a resource, *fields* and *quality* are the rows that belong to it; of a code list, *items*.
    """

    row: Row
    values: dict[str, Any]
    fields: Sequence[Record] = ()
    quality: Sequence[Record] = ()
    items: Sequence[Record] = ()
    fields_known: bool = True

    def get(self, name: str) -> Any:  # noqa: ANN401 - values of any attribute
        """The value of an attribute, or None where it is at fault."""
        return self.values.get(name)

    def at(self, name: str) -> Place:
        """Where the attribute stands."""
        return self.row.at(name)

    def item(self, name: str, index: int) -> Place:
        """Where an item of a list-valued attribute stands: its own line in YAML, the cell in a workbook."""
        cell = self.row.cell(name)
        return cell.content[index].place if cell and isinstance(cell.content, tuple) else self.at(name)


@dataclass(slots=True)
class Records:
    """The records of every table; what belongs to a resource or a code list hangs on it."""

    cover: Record
    departments: list[Record]
    resources: list[Record]
    responsibilities: list[Record]
    matters: list[Record]
    code_lists: list[Record]
    needs: list[Record]
    prohibitions: list[Record]


def build(raw: RawList, faults: Faults, today: date | None = None) -> ResponsibilityList | None:
    """The list, or None when any fault found here (or before, by the reader of the file) is an error.

    With *today*, deadlines that are past are noted.
    """
    records = Records(
        cover=_Reader(COVER, faults).record(raw.cover),
        departments=_records(DEPARTMENTS, raw, faults),
        resources=_records(RESOURCES, raw, faults),
        responsibilities=_records(RESPONSIBILITIES, raw, faults),
        matters=_records(MATTERS, raw, faults),
        code_lists=_code_lists(raw, faults),
        needs=_records(NEEDS, raw, faults),
        prohibitions=_records(PROHIBITIONS, raw, faults),
    )
    _attach_fields(raw, records, faults)
    _attach_quality(raw, records, faults)
    _settle_codes(records, faults)
    _resolve_departments(records, faults)
    validate.check(records, faults, today)
    if faults.any_error:
        return None
    return ResponsibilityList(
        **records.cover.values,
        departments=tuple(Department(**record.values) for record in records.departments),
        resources=tuple(_resource(record) for record in records.resources),
        responsibilities=tuple(Responsibility(**record.values) for record in records.responsibilities),
        matters=tuple(Matter(**record.values) for record in records.matters),
        needs=tuple(Need(**record.values) for record in records.needs),
        prohibitions=tuple(Prohibition(**record.values) for record in records.prohibitions),
        code_lists=tuple(_code_list(record) for record in records.code_lists),
    )


def _resource(record: Record) -> InformationResource:
    own = {name: value for name, value in record.values.items() if "." not in name}
    source = {name.partition(".")[2]: value for name, value in record.values.items() if "." in name}
    return InformationResource(
        **own,
        source=SourceRef(**source),
        fields=tuple(Field(**item.values) for item in record.fields),
        quality=tuple(QualityRule(**item.values) for item in record.quality),
    )


def _code_list(record: Record) -> CodeList:
    pairs = tuple((item.values["value"], item.values["title"]) for item in record.items)
    return CodeList(record.values["code"], record.values["name"], pairs)


# Reading one row.


class _Reader:
    """Reads the rows of one table. The same text in the same column is judged once: lists repeat themselves."""

    def __init__(self, table: Table, faults: Faults, *, only: Iterable[str] = (), without: Iterable[str] = ()) -> None:
        self._faults = faults
        names = set(only) or {column.name for column in table.columns} - set(without)
        self._plan: list[tuple[str, Column, dict[str | None, Any]]] = [
            (column.name, column, {} if column.required else {"": column.default})
            for column in table.columns
            if column.name in names
        ]

    def records(self, rows: Iterable[Row]) -> list[Record]:
        """Each row as a record."""
        return [self.record(row) for row in rows]

    def record(self, row: Row) -> Record:
        """The values of a row; those at fault are noted."""
        if isinstance(row, KnownRow):
            return Record(row, dict(row.values))
        values: dict[str, Any] = {}
        raw = row.raw
        for name, column, known in self._plan:
            text = raw(name)
            if text in known:
                values[name] = known[text]
            else:
                self._read(row, column, values)
                if text is not None and name in values:
                    known[text] = values[name]
        return Record(row, values)

    def _read(self, row: Row, column: Column, values: dict[str, Any]) -> None:
        """Put the column's value into *values*, or a fault into the faults."""
        cell = row.cell(column.name)
        if cell is None or (isinstance(cell.content, str) and not cell.content.strip()):
            if column.default is not MISSING:
                values[column.name] = column.default
            elif column.name not in row.absent and not (cell and cell.suspect):
                self._faults.add(row.at(column.name), "missing_value", column=row.called(column.name))
            return
        try:
            values[column.name] = _value(cell, column, row, self._faults)
        except cells.CellFault as fault:
            _add(self._faults, cell.place, column, row, fault)
        except _AlreadyNotedError:
            return


def _records(table: Table, raw: RawList, faults: Faults) -> list[Record]:
    return _Reader(table, faults).records(raw.tables[table.key])


# Each field repeats the values of its code list when a list is stored. The longest national code list has some 3,200.
MAX_CODES: Final = 1_000_000
# A spreadsheet writes these well as numbers and dates of its own.
_NUMBERS_AND_DATES: Final = (cells.day, cells.share_of_rows, cells.threshold)


class _AlreadyNotedError(Exception):
    """Some item of the cell is at fault and was noted."""


def _value(cell: Cell, column: Column, row: Row, faults: Faults) -> object:
    if cell.suspect and column.read not in _NUMBERS_AND_DATES and isinstance(cell.content, str):
        raise cells.CellFault(cell.suspect, value=cell.content)
    if column.form is Form.OPTIONS:
        return _options(cell)
    if column.form is Form.MANY:
        return _items(cell, column, row, faults)
    if not isinstance(cell.content, str):
        raise cells.CellFault("wrong_shape", expected="one value", expected_zh="单个值")
    return column.read(cell.content)


def _options(cell: Cell) -> tuple[tuple[str, str], ...]:
    if isinstance(cell.content, str):
        return cells.read_options(cell.content)
    if isinstance(cell.content, tuple):
        raise cells.CellFault("wrong_shape", expected="a mapping of names to texts", expected_zh="名称到文本的映射")
    pairs: list[tuple[str, object]] = [(name, item.content) for name, item in cell.content.items()]
    return cells.sorted_options(pairs, ", ".join(cell.content))


def _items(cell: Cell, column: Column, row: Row, faults: Faults) -> tuple[object, ...]:
    """The values of a list-valued cell; every bad item is noted, not only the first."""
    if isinstance(cell.content, str):
        items = [Cell(item, cell.place) for item in column.split(cell.content)]
    elif isinstance(cell.content, tuple):
        items = list(cell.content)
    else:
        raise cells.CellFault("wrong_shape", expected="a sequence", expected_zh="序列")
    values = []
    for item in items:
        try:
            values.append(_item(item, column))
        except cells.CellFault as fault:
            _add(faults, item.place, column, row, fault)
    if len(values) < len(items):
        raise _AlreadyNotedError
    if not values and column.required:
        raise cells.CellFault("missing_value")
    return tuple(values)


def _item(item: Cell, column: Column) -> object:
    if not isinstance(item.content, str):
        raise cells.CellFault("wrong_shape", expected="a sequence of texts", expected_zh="文本序列")
    if not item.content.strip():
        raise cells.CellFault("missing_value")
    return column.read(item.content)


def _add(faults: Faults, place: Place, column: Column, row: Row, fault: cells.CellFault) -> None:
    faults.add(place, fault.code, **{"column": row.called(column.name), **fault.params})


# Joining the tables.


def _attach_fields(raw: RawList, records: Records, faults: Faults) -> None:
    """Give each resource its fields, in the order of the file."""
    if raw.nested is not None:
        reader = _Reader(FIELDS, faults, without=FIELDS.owner)
        for index, record in enumerate(records.resources):
            record.fields = reader.records(raw.nested[FIELDS.key].get(index, []))
        return
    found, orphans = _by_resource(FIELDS, raw, records, faults)
    for code, record in _owners(records.resources).items():
        record.fields = found.get(code, ())
    # A field whose resource could not be told may be anyone's: then nobody is told that fields are missing.
    if orphans or not raw.tables[FIELDS.key]:
        for record in records.resources:
            record.fields_known = bool(record.fields)


def _attach_quality(raw: RawList, records: Records, faults: Faults) -> None:
    """Give each resource its quality rules, in the order of the file."""
    if raw.nested is not None:
        reader = _Reader(QUALITY, faults, without=QUALITY.owner)
        for index, record in enumerate(records.resources):
            record.quality = reader.records(raw.nested[QUALITY.key].get(index, []))
        return
    found, _ = _by_resource(QUALITY, raw, records, faults)
    for code, record in _owners(records.resources).items():
        record.quality = found.get(code, ())


def _by_resource(table: Table, raw: RawList, records: Records, faults: Faults) -> tuple[dict[str, list[Record]], bool]:
    """The rows of *table* by the code of their resource; and whether some belong to none of the list."""
    found: dict[str, list[Record]] = {code: [] for code in _owners(records.resources)}
    reader = _Reader(table, faults)
    orphans = False
    for row in raw.tables[table.key]:
        item = reader.record(row)
        code = item.values.pop("resource", None)
        if code in found:
            found[code].append(item)
            continue
        orphans = True
        if code is not None:
            faults.add(item.at("resource"), "unknown_resource", value=code)
    return found, orphans


def _owners(records: list[Record]) -> dict[str, Record]:
    """Records by code; of several with one code, the first."""
    return {record.get("code"): record for record in reversed(records) if record.get("code") is not None}


def _code_lists(raw: RawList, faults: Faults) -> list[Record]:
    """The code lists with their items: nested in YAML; in a sheet the rows of one code are one list."""
    if raw.nested is not None:
        items = _Reader(CODE_LISTS, faults, without=CODE_LISTS.owner)
        found = _Reader(CODE_LISTS, faults, only=CODE_LISTS.owner).records(raw.tables[CODE_LISTS.key])
        for index, record in enumerate(found):
            record.items = items.records(raw.nested[CODE_LISTS.key].get(index, []))
        return found
    groups: dict[str | None, list[Record]] = {}
    for item in _Reader(CODE_LISTS, faults).records(raw.tables[CODE_LISTS.key]):
        groups.setdefault(item.get("code"), []).append(item)
    groups.pop(None, None)
    return [_group(group, faults) for group in groups.values()]


def _group(rows: list[Record], faults: Faults) -> Record:
    """One code list from its rows, each of which gives its code and name."""
    head = Record(rows[0].row, {name: rows[0].values[name] for name in CODE_LISTS.owner if name in rows[0].values})
    for item in rows:
        name = item.get("name")
        if None not in (name, head.get("name")) and name != head.get("name"):
            place = head.at("name").where
            faults.add(item.at("name"), "code_list_renamed", value=name, other=head.get("name"), first=place)
        for attribute in CODE_LISTS.owner:
            item.values.pop(attribute, None)
    head.items = rows
    return head


def _settle_codes(records: Records, faults: Faults) -> None:
    """Give each field that refers to a code list its values."""
    values = {
        record.get("code"): tuple(item.get("value") for item in record.items) for record in reversed(records.code_lists)
    }
    total = 0
    for record in records.resources:
        for item in record.fields:
            name = item.get("code_list")
            if not name:
                continue
            found = values.get(name)
            total += len(found or ())
            if total > MAX_CODES:
                faults.add(item.at("code_list"), "too_many_codes", value=name, allowed=f"{MAX_CODES:,}")
                return
            if found is None:
                allowed = ", ".join(f"`{code}`" for code in list(values)[:20] if code) or "-"
                faults.add(item.at("code_list"), "unknown_code_list", value=name, allowed=allowed)
            elif None not in found:
                if item.get("codes") and item.get("codes") != found:
                    faults.add(item.at("codes"), "codes_and_code_list", value=name)
                item.values["codes"] = found


def _resolve_departments(records: Records, faults: Faults) -> None:
    """Replace names of departments by their codes wherever a department is meant; note what is unknown."""
    names = _department_names(records.departments)
    for table, name in (
        ([records.cover], "office"),
        (records.departments, "parent"),
        (records.resources, "provider"),
        (records.responsibilities, "provider"),
        (records.matters, "department"),
    ):
        for record in table:
            if record.get(name):
                _settle(record, name, _resolve(names, record.get(name), record.at(name), faults))
    for record in (*records.responsibilities, *records.prohibitions):
        if record.get("consumers") is not None:
            found = [
                _resolve(names, written, record.item("consumers", index), faults)
                for index, written in enumerate(record.get("consumers"))
            ]
            _settle(record, "consumers", None if None in found else tuple(found))


def _settle(record: Record, name: str, value: object) -> None:
    if value is None:
        del record.values[name]
    else:
        record.values[name] = value


def _department_names(departments: list[Record]) -> dict[str, set[str]]:
    """The codes that each way to write a department may mean; its code means only itself."""
    names: dict[str, set[str]] = {}
    for record in departments:
        for name in (record.get("name"), *(record.get("aliases") or ())):
            if name is not None and record.get("code") is not None:
                names.setdefault(folded(name), set()).add(record.get("code"))
    for record in departments:
        if record.get("code") is not None:
            names[record.get("code")] = {record.get("code")}
    return names


def _resolve(names: dict[str, set[str]], written: str, place: Place, faults: Faults) -> str | None:
    """The code of the department meant, or None with a fault noted. ``*`` stands for itself."""
    if written == EVERYONE:
        return written
    found = names.get(folded(written), set())
    if len(found) == 1:
        return next(iter(found))
    faults.add(place, "ambiguous_department" if found else "unknown_department", value=written)
    return None
