"""Writes a list for people: as YAML to keep under version control, as the workbook an office works in, as CSV files.

All read back, by `catalog.load`, as the same list; the same list always gives the same bytes. Where the files go is
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
    CODE_LISTS,
    COVER,
    FIELDS,
    QUALITY,
    RESOURCES,
    SELDOM,
    TABLES,
    YAML_TABLES,
    Column,
    Form,
    Table,
    written,
)
from catalog.model import CodeList, Field, InformationResource

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

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
    lines = [f"{name}: {value}" for name, value in _attributes(COVER, list_)]
    for table in YAML_TABLES:
        records = getattr(list_, table.key)
        if table in SELDOM and not records:
            continue
        lines += ["", f"{table.key}:" if records else f"{table.key}: []"]
        for record in records:
            block = _block(table, record)
            lines += [("  - " if index == 0 else "    ") + line for index, line in enumerate(block)]
    return "\n".join(lines) + "\n"


def _block(table: Table, record: object) -> Iterator[str]:
    """The lines of one record, with what lies within it."""
    if isinstance(record, CodeList):
        yield f"code: {_quoted(record.code)}"
        yield f"name: {_quoted(record.name)}"
        yield "items:"
        for value, title in record.items:
            yield f"  - {{value: {_quoted(value)}, title: {_quoted(title)}}}"
        return
    for name, value in _attributes(table, record):
        yield f"{name}: {value}"
    if isinstance(record, InformationResource):
        yield from _source_and_fields(record)


def _attributes(table: Table, record: object) -> Iterator[tuple[str, str]]:
    """Name and written value of each attribute that is not its default; nested ones excepted."""
    for column in table.columns:
        if "." in column.name or (table.inner and column.name in table.owner):
            continue
        value = _value(record, column.name)
        if column.required or value != column.default:
            yield column.name, _scalar(column, value)


def _value(record: object, path: str) -> Any:  # noqa: ANN401 - a value of any attribute
    """What is written of a record. The values of a field that a code list gives are not said twice."""
    if path == "codes" and isinstance(record, Field) and record.code_list:
        return ()
    return reduce(getattr, path.split("."), record)


def _source_and_fields(resource: InformationResource) -> Iterator[str]:
    source = []
    for column in RESOURCES.columns:
        nested, _, name = column.name.partition(".")
        if name:
            value = getattr(getattr(resource, nested), name)
            if column.required or value != column.default:
                source.append(f"{name}: {_scalar(column, value)}")
    yield "source: {" + ", ".join(source) + "}"
    if resource.quality:
        yield "quality:"
        for rule in resource.quality:
            yield "  - {" + ", ".join(f"{name}: {value}" for name, value in _attributes(QUALITY, rule)) + "}"
    yield "fields:" if resource.fields else "fields: []"
    for field in resource.fields:
        yield "  - {" + ", ".join(f"{name}: {value}" for name, value in _attributes(FIELDS, field)) + "}"


def _scalar(column: Column, value: Any) -> str:  # noqa: ANN401 - a value of any attribute
    """One value in flow style, fit for any place."""
    if column.form is Form.OPTIONS:
        return "{" + ", ".join(f"{_quoted(name)}: {_quoted(content)}" for name, content in value) + "}"
    if isinstance(value, tuple):
        return "[" + ", ".join(_quoted(column.write(item)) for item in value) + "]"
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
    for table in _tables(list_):
        sheet = book.create_sheet(table.sheet)
        headings = [column.title for column in table.columns]
        widths = [40 if column.name in _WIDE else max(12, 2 * len(column.title) + 2) for column in table.columns]
        _fill(sheet, f"{list_.title}：{table.sheet}", headings, list(_rows(list_, table)), widths)
    buffer = io.BytesIO()
    book.save(buffer)
    return steady(buffer.getvalue())


def _tables(list_: ResponsibilityList) -> list[Table]:
    """The tables to write, in order."""
    return [table for table in TABLES if table not in SELDOM or next(_rows(list_, table), None) is not None]


def _rows(list_: ResponsibilityList, table: Table) -> Iterator[list[str | int | float]]:
    if table is CODE_LISTS:
        for code_list in list_.code_lists:
            for value, title in code_list.items:
                yield [code_list.code, code_list.name, value, title]
    elif table.inner:
        for resource in list_.resources:
            for record in getattr(resource, table.inner):
                yield [resource.code, *(written(column, _value(record, column.name)) for column in table.columns[1:])]
    else:
        for record in getattr(list_, table.key):
            yield [written(column, _value(record, column.name)) for column in table.columns]


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
                put_text(cell, value, f"{sheet.title}!{get_column_letter(index)}{number}")
            else:
                cell.value = value
    sheet["A1"].font = Font(bold=True, size=14)
    sheet["A1"].alignment = Alignment(horizontal="center")
    for index, width in enumerate(widths, start=1):
        sheet.cell(2, index).font = Font(bold=True)
        sheet.column_dimensions[get_column_letter(index)].width = width
    sheet.freeze_panes = "A3"


def put_text(cell: Any, text: str, where: str) -> None:  # noqa: ANN401 - openpyxl's cells have no common public type
    """Write *text* into *cell* so that Excel shows and gives back just that; *where* names the cell in an error.

    Raises:
        ListTooLongForExcelError: it does not fit a cell.
    """
    # Excel reads _x0041_ in a text as the character A; the underscore itself is written _x005F_.
    text = _HEX_ESCAPE.sub("_x005F_x", text)
    if len(text) > MAX_CELL_CHARS:
        raise ListTooLongForExcelError(where=where, length=len(text), limit=MAX_CELL_CHARS)
    cell.value = text
    # openpyxl takes a text that begins with = for a formula and #N/A for an error; here it is only ever text.
    cell.data_type = "s"
    # As text also to Excel: codes keep their leading zeros when a clerk types over the cell.
    cell.number_format = "@"


def steady(data: bytes) -> bytes:
    """The same workbook without the time at which it was written, in its parts and around them."""
    with zipfile.ZipFile(io.BytesIO(data)) as source:
        parts = {name: source.read(name) for name in source.namelist()}
    parts["docProps/core.xml"] = _MODIFIED.sub(rb"\g<1>1980-01-01T00:00:00Z", parts["docProps/core.xml"])
    return _zipped(parts)


def _zipped(parts: Mapping[str, bytes]) -> bytes:
    """An archive that tells nothing of when and where it was made."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as target:
        for name, content in parts.items():
            info = zipfile.ZipInfo(name, _FIXED_TIME)
            info.compress_type = zipfile.ZIP_DEFLATED
            info.external_attr = 0o644 << 16
            target.writestr(info, content)
    return buffer.getvalue()


# CSV.


def to_csv_zip(list_: ResponsibilityList) -> bytes:
    """The list as a zip of CSV files, one for each table, that spreadsheets open without running anything in them.

    Raises:
        ListTooLongForExcelError: a text does not fit the cell in which a spreadsheet would show it.
    """
    from catalog import csvfile  # noqa: PLC0415 - only this function needs it

    tables: dict[str, list[list[str | int | float]]] = {
        COVER.sheet: [["项目", "内容"], *([c.title, written(c, getattr(list_, c.name))] for c in COVER.columns)]
    }
    for table in _tables(list_):
        tables[table.sheet] = [[column.title for column in table.columns], *_rows(list_, table)]
    for name, rows in tables.items():
        for number, row in enumerate(rows, start=1):
            for value in row:
                if isinstance(value, str) and len(value) >= MAX_CELL_CHARS:
                    raise ListTooLongForExcelError(
                        where=f"{name}.csv:{number}", length=len(value), limit=MAX_CELL_CHARS
                    )
    return _zipped({f"{name}.csv": csvfile.written(rows) for name, rows in tables.items()})
