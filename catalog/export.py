"""Writes a list for people: as YAML to keep under version control, as the workbook an office works in.

Both read back, by `catalog.load`, as the same list; the same list always gives the same bytes. Where the files go is
the caller's concern.
"""

from __future__ import annotations

import io
import re
import unicodedata
import zipfile
from datetime import date
from enum import StrEnum
from functools import reduce
from typing import TYPE_CHECKING, Any, Final

from catalog.errors import ListTooLongForExcelError
from catalog.layout import (
    COVER,
    DEPARTMENTS,
    FIELDS,
    MATTERS,
    RESOURCES,
    RESPONSIBILITIES,
    TABLES,
    Column,
    Form,
    Table,
    written,
)
from catalog.model import InformationResource

if TYPE_CHECKING:
    from collections.abc import Iterator

    from openpyxl.worksheet.worksheet import Worksheet

    from catalog.model import ResponsibilityList

# YAML. Written by hand rather than dumped: the form is small and fixed, and PyYAML takes twenty times as long.

# Begins with a letter, holds nothing that any YAML would take for more than text. What is not sure is quoted.
_PLAIN = re.compile(r"[^\W\d_][\w（）《》〔〕、，。；：/.()*-]*(?: [\w（）《》〔〕、，。；：/.()*-]+)*")
_RESERVED: Final = frozenset({"null", "true", "false", "yes", "no", "on", "off", "y", "n"})
_ESCAPES: Final = {"\n": "\\n", "\t": "\\t", '"': '\\"', "\\": "\\\\"}
# Written as words: the numbers of these domains say nothing to a reader.
_WORDED: Final = frozenset({"share_type", "cadence", "format", "share_method", "method"})


def to_yaml(list_: ResponsibilityList) -> str:
    """The list as YAML text: defaults left out, each information item on one line."""
    lines = [f"{column.name}: {_scalar(column, getattr(list_, column.name))}" for column in COVER.columns]
    for table, records in (
        (DEPARTMENTS, list_.departments),
        (MATTERS, list_.matters),
        (RESOURCES, list_.resources),
        (RESPONSIBILITIES, list_.responsibilities),
    ):
        lines += ["", f"{table.key}:" if records else f"{table.key}: []"]
        for record in records:
            block = [f"{name}: {value}" for name, value in _attributes(table, record)]
            if isinstance(record, InformationResource):
                block += _source_and_fields(record)
            lines += [("  - " if index == 0 else "    ") + line for index, line in enumerate(block)]
    return "\n".join(lines) + "\n"


def _attributes(table: Table, record: object) -> Iterator[tuple[str, str]]:
    """Name and written value of each attribute that is not its default; nested ones excepted."""
    for column in table.columns:
        if "." in column.name or (table is FIELDS and column.name == "resource"):
            continue
        value = getattr(record, column.name)
        if column.required or value != column.default:
            yield column.name, _scalar(column, value)


def _source_and_fields(resource: InformationResource) -> Iterator[str]:
    source = []
    for column in RESOURCES.columns:
        nested, _, name = column.name.partition(".")
        if name:
            value = getattr(getattr(resource, nested), name)
            if column.required or value != column.default:
                source.append(f"{name}: {_scalar(column, value)}")
    yield "source: {" + ", ".join(source) + "}"
    yield "fields:" if resource.fields else "fields: []"
    for field in resource.fields:
        yield "  - {" + ", ".join(f"{name}: {value}" for name, value in _attributes(FIELDS, field)) + "}"


def _scalar(column: Column, value: Any) -> str:  # noqa: ANN401 - a value of any attribute
    """One value in flow style, fit for any place."""
    if column.form is Form.OPTIONS:
        return "{" + ", ".join(f"{_quoted(name)}: {_quoted(content)}" for name, content in value) + "}"
    if isinstance(value, tuple):
        return "[" + ", ".join(_quoted(item) for item in value) + "]"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, StrEnum):
        return _quoted(column.domain.word(value) if column.name in _WORDED and column.domain else value.value)
    if isinstance(value, (int, float, date)):
        return str(value)
    return _quoted(str(value))


def _quoted(text: str) -> str:
    """*text* as it is where every YAML reads it as that text, else in double quotes with escapes."""
    if _PLAIN.fullmatch(text) and text.casefold() not in _RESERVED and all(map(_printable, text)):
        return text
    return '"' + "".join(_ESCAPES.get(char) or (char if _printable(char) else _escaped(char)) for char in text) + '"'


def _printable(char: str) -> bool:
    # Unassigned (Cn) stays as it is: rare characters of names are newer than Python's tables. YAML's own list of
    # printable characters leaves out the controls, surrogates, line separators and noncharacters.
    return unicodedata.category(char) not in ("Cc", "Cf", "Cs", "Zl", "Zp") and ord(char) & 0xFFFE != 0xFFFE  # noqa: PLR2004


def _escaped(char: str) -> str:
    point = ord(char)
    return f"\\u{point:04X}" if point <= 0xFFFF else f"\\U{point:08X}"  # noqa: PLR2004 - the basic plane


# Excel.

# Beyond this many characters openpyxl would cut a text without a word.
MAX_CELL_CHARS: Final = 32_767
_FIXED_TIME: Final = (1980, 1, 1, 0, 0, 0)
_MODIFIED = re.compile(rb"(<dcterms:(?:modified|created)[^>]*>)[^<]*")
_HEX_ESCAPE = re.compile(r"_x(?=[0-9A-Fa-f]{4}_)")
_WIDE: Final = frozenset({"abstract", "ground", "title", "name", "share_condition", "share_ground", "consumers"})


def to_xlsx(list_: ResponsibilityList) -> bytes:
    """The list as a workbook in the office's layout: a sheet for each table, a title row, a heading row, the rows.

    Raises:
        ListTooLongForExcelError: a text does not fit a cell.
    """
    # openpyxl takes a third of a second to import, which only this function should cost.
    from openpyxl import Workbook  # noqa: PLC0415

    book = Workbook()
    cover = book.active
    assert cover is not None  # noqa: S101 - a new workbook has one sheet
    cover.title = COVER.sheet
    rows = [[column.title, written(column, getattr(list_, column.name))] for column in COVER.columns]
    _fill(cover, list_.title, ["项目", "内容"], rows, [14, 60])
    for table in TABLES:
        sheet = book.create_sheet(table.sheet)
        headings = [column.title for column in table.columns]
        widths = [40 if column.name in _WIDE else max(12, 2 * len(column.title) + 2) for column in table.columns]
        _fill(sheet, f"{list_.title}：{table.sheet}", headings, list(_rows(list_, table)), widths)
    buffer = io.BytesIO()
    book.save(buffer)
    return _steady(buffer.getvalue())


def _rows(list_: ResponsibilityList, table: Table) -> Iterator[list[str | int | float]]:
    if table is FIELDS:
        for resource in list_.resources:
            for field in resource.fields:
                rest = [written(column, getattr(field, column.name)) for column in table.columns[1:]]
                yield [resource.code, *rest]
        return
    for record in getattr(list_, table.key):
        yield [written(column, _nested(record, column.name)) for column in table.columns]


def _nested(record: object, path: str) -> object:
    return reduce(getattr, path.split("."), record)


def _fill(
    sheet: Worksheet, title: str, headings: list[str], rows: list[list[str | int | float]], widths: list[int]
) -> None:
    from openpyxl.styles import Alignment, Font  # noqa: PLC0415 - as in to_xlsx
    from openpyxl.utils import get_column_letter  # noqa: PLC0415 - as in to_xlsx

    sheet.merge_cells(start_row=1, start_column=1, end_row=1, end_column=len(headings))
    table: list[list[str | int | float]] = [[title], [*headings], *rows]
    for number, row in enumerate(table, start=1):
        for index, value in enumerate(row, start=1):
            if value == "":
                continue
            cell = sheet.cell(number, index)
            if isinstance(value, str):
                _put_text(cell, value, f"{sheet.title}!{get_column_letter(index)}{number}")
            else:
                cell.value = value
    sheet["A1"].font = Font(bold=True, size=14)
    sheet["A1"].alignment = Alignment(horizontal="center")
    for index, width in enumerate(widths, start=1):
        sheet.cell(2, index).font = Font(bold=True)
        sheet.column_dimensions[get_column_letter(index)].width = width
    sheet.freeze_panes = "A3"


def _put_text(cell: Any, text: str, where: str) -> None:  # noqa: ANN401 - openpyxl's cells have no common public type
    # Excel reads _x0041_ in a text as the character A; the underscore itself is written _x005F_.
    text = _HEX_ESCAPE.sub("_x005F_x", text)
    if len(text) > MAX_CELL_CHARS:
        raise ListTooLongForExcelError(where=where, length=len(text), limit=MAX_CELL_CHARS)
    cell.value = text
    # openpyxl takes a text that begins with = for a formula and #N/A for an error; here it is only ever text.
    cell.data_type = "s"
    # As text also to Excel: codes keep their leading zeros when a clerk types over the cell.
    cell.number_format = "@"


def _steady(data: bytes) -> bytes:
    """The same workbook without the time at which it was written, in its parts and around them."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as source, zipfile.ZipFile(buffer, "w") as target:
        for part in source.infolist():
            content = source.read(part)
            if part.filename == "docProps/core.xml":
                content = _MODIFIED.sub(rb"\g<1>1980-01-01T00:00:00Z", content)
            info = zipfile.ZipInfo(part.filename, _FIXED_TIME)
            info.compress_type = zipfile.ZIP_DEFLATED
            info.external_attr = 0o644 << 16
            target.writestr(info, content)
    return buffer.getvalue()
