"""Turns a raw list into values of the model, collecting every fault on the way.

Values are read cell by cell here and references resolved; rules over several values are `catalog.validate`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from catalog import cells, validate
from catalog.domains import folded
from catalog.layout import (
    COVER,
    DEPARTMENTS,
    FIELDS,
    MATTERS,
    MISSING,
    RESOURCES,
    RESPONSIBILITIES,
    Column,
    Form,
    Table,
)
from catalog.model import (
    EVERYONE,
    Department,
    Field,
    InformationResource,
    Matter,
    Responsibility,
    ResponsibilityList,
    SourceRef,
)
from catalog.raw import Cell, Faults, Place, RawList, Row


@dataclass(slots=True)
class Record:
    """One row as far as it could be read: *values* lacks every attribute that is at fault."""

    row: Row
    values: dict[str, Any]
    fields: list[Record] = field(default_factory=list)
    fields_known: bool = True

    def get(self, name: str) -> Any:  # noqa: ANN401 - values of any attribute
        """The value of an attribute, or None where it is at fault."""
        return self.values.get(name)

    def at(self, name: str) -> Place:
        """Where the attribute stands."""
        return self.row.at(name)

    def item(self, name: str, index: int) -> Place:
        """Where an item of a list-valued attribute stands: its own line in YAML, the cell in a workbook."""
        cell = self.row.cells.get(name)
        return cell.content[index].place if cell and isinstance(cell.content, tuple) else self.at(name)


@dataclass(slots=True)
class Records:
    """The records of every table but the fields, which hang on their resources."""

    departments: list[Record]
    resources: list[Record]
    responsibilities: list[Record]
    matters: list[Record]


def build(raw: RawList, faults: Faults) -> ResponsibilityList | None:
    """The list, or None when any fault found here (or before, by the reader of the file) is an error."""
    cover = _record(raw.cover, COVER, faults)
    records = Records(
        [_record(row, DEPARTMENTS, faults) for row in raw.tables["departments"]],
        [_record(row, RESOURCES, faults) for row in raw.tables["resources"]],
        [_record(row, RESPONSIBILITIES, faults) for row in raw.tables["responsibilities"]],
        [_record(row, MATTERS, faults) for row in raw.tables["matters"]],
    )
    _attach_fields(raw, records, faults)
    _resolve_departments(records, faults)
    validate.check(records, faults)
    if faults.any_error:
        return None
    return ResponsibilityList(
        **cover.values,
        departments=tuple(Department(**record.values) for record in records.departments),
        resources=tuple(_resource(record) for record in records.resources),
        responsibilities=tuple(Responsibility(**record.values) for record in records.responsibilities),
        matters=tuple(Matter(**record.values) for record in records.matters),
    )


def _resource(record: Record) -> InformationResource:
    own = {name: value for name, value in record.values.items() if "." not in name}
    source = {name.partition(".")[2]: value for name, value in record.values.items() if "." in name}
    return InformationResource(
        **own,
        source=SourceRef(**source),
        fields=tuple(
            Field(**{name: value for name, value in item.values.items() if name != "resource"})
            for item in record.fields
        ),
    )


# Reading one row.


def _record(row: Row, table: Table, faults: Faults, *, leave_out: str = "") -> Record:
    values: dict[str, Any] = {}
    for column in table.columns:
        if column.name != leave_out:
            _read(row, column, values, faults)
    return Record(row, values)


def _read(row: Row, column: Column, values: dict[str, Any], faults: Faults) -> None:
    """Put the column's value into *values*, or a fault into *faults*."""
    cell = row.cells.get(column.name)
    if cell is None or (isinstance(cell.content, str) and not cell.content.strip()):
        if column.default is not MISSING:
            values[column.name] = column.default
        elif column.name not in row.absent:
            faults.add(row.at(column.name), "missing_value", column=row.called(column.name))
        return
    try:
        values[column.name] = _value(cell, column, row, faults)
    except cells.CellFault as fault:
        _add(faults, cell.place, column, row, fault)
    except _AlreadyNotedError:
        return


class _AlreadyNotedError(Exception):
    """Some item of the cell is at fault and was noted."""


def _value(cell: Cell, column: Column, row: Row, faults: Faults) -> object:
    if cell.suspect and column.read not in (cells.day, cells.share_of_rows) and isinstance(cell.content, str):
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
    if raw.fields_of is not None:
        for index, record in enumerate(records.resources):
            rows = raw.fields_of.get(index, [])
            record.fields = [_record(row, FIELDS, faults, leave_out="resource") for row in rows]
        return
    owners: dict[str, Record] = {}
    for record in records.resources:
        if record.get("code") is not None:
            owners.setdefault(record.get("code"), record)
    orphans = False
    for row in raw.tables["fields"]:
        item = _record(row, FIELDS, faults)
        code = item.get("resource")
        if code in owners:
            owners[code].fields.append(item)
            continue
        orphans = True
        if code is not None:
            faults.add(item.at("resource"), "unknown_resource", value=code)
    # A field whose resource could not be told may be anyone's: then nobody is told that fields are missing.
    if orphans or not raw.tables["fields"]:
        for record in records.resources:
            record.fields_known = bool(record.fields)


def _resolve_departments(records: Records, faults: Faults) -> None:
    """Replace names of departments by their codes wherever a department is meant; note what is unknown."""
    names = _department_names(records.departments)
    for table, name in (
        (records.departments, "parent"),
        (records.resources, "provider"),
        (records.responsibilities, "provider"),
        (records.matters, "department"),
    ):
        for record in table:
            if record.get(name):
                _settle(record, name, _resolve(names, record.get(name), record.at(name), faults))
    for record in records.responsibilities:
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
