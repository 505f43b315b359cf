"""Reads the workbook an office keeps into a raw list, remembering the cell of every value.

The layout: in each sheet a title row, one or two heading rows, the table, perhaps totals and notes below; cells may be
merged. What the texts mean is left to `catalog.build`.
"""

from __future__ import annotations

import io
import re
import zipfile
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import TYPE_CHECKING, Final
from zlib import error as ZlibError  # noqa: N812 - a class, named so in zlib

from python_calamine import CalamineError, CalamineWorkbook, PasswordError

from catalog.domains import folded
from catalog.errors import ListUnreadableError
from catalog.layout import COVER, IGNORED_HEADINGS, TABLES, Column, Table
from catalog.raw import Cell, Faults, Place, RawList, Row

if TYPE_CHECKING:
    from collections.abc import Iterator

Value = int | float | str | bool | date | datetime | time | timedelta

# The largest real list known has 1,227 classes, some 30,000 information items: a few MiB.
MAX_UNPACKED_MIB: Final = 256
MAX_ROWS: Final = 1_000_000
# The reader lays a sheet out as a full rectangle in memory, so one stray cell far off would cost gigabytes.
MAX_AREA: Final = 20_000_000
HEADING_ROWS_SEARCHED: Final = 15
_CHUNK_BYTES: Final = 1 << 20
# Excel keeps 15 significant digits of a number.
_EXACT_BELOW: Final = 10**15

_OLE_MAGIC: Final = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_REFERENCE = re.compile(rb"""\br=["']([A-Z]{0,3})([0-9]{1,9})["']""")
_ERROR_CELL = re.compile(rb"""<(?:\w+:)?c\b(?=[^>]*\bt=["']e["'])[^>]*\br=["']([A-Z]{1,3}[0-9]{1,9})["']""")
_TOTALS = re.compile(r"(合计|总计|小计|共计)([:：\d(（].*)?", re.DOTALL)
_NOTES = re.compile(r"(备注|注|说明|填表说明|填表人|填报人|制表人?|审核人)[:：].*", re.DOTALL)
_HEADING_NOISE = re.compile(r"\s|\*|[((](必填|选填)[))]|[::]$")


def read(data: bytes, name: str, faults: Faults) -> RawList:
    """The raw list in the workbook *data*; missing sheets and unknown columns are noted in *faults*.

    Raises:
        ListUnreadableError: encrypted, damaged, not a workbook, or beyond the bounds above.
    """
    _guard(data, name, faults)
    try:
        with CalamineWorkbook.from_filelike(io.BytesIO(data)) as book:
            return _Reader(book, name, faults).raw_list()
    except PasswordError as error:
        raise ListUnreadableError(path=name, why="encrypted") from error
    except CalamineError as error:
        raise ListUnreadableError(path=name, why="truncated", detail=str(error)) from error


# 1. Bounds, before anything is laid out in memory.


def _guard(data: bytes, name: str, faults: Faults) -> None:
    """Unpack every part once, a piece at a time, against the bounds and its check sum."""
    if data.startswith(_OLE_MAGIC):
        raise ListUnreadableError(path=name, why="encrypted")
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            if any(part.flag_bits & 1 for part in archive.infolist()):
                raise ListUnreadableError(path=name, why="encrypted")
            if sum(part.file_size for part in archive.infolist()) > MAX_UNPACKED_MIB << 20:
                raise ListUnreadableError(path=name, why="too_big", detail=str(MAX_UNPACKED_MIB))
            for part in archive.infolist():
                _guard_part(archive, part, name, faults)
    except (zipfile.BadZipFile, EOFError, ZlibError, NotImplementedError, OSError) as error:
        raise ListUnreadableError(path=name, why="truncated", detail=str(error)) from error


def _guard_part(archive: zipfile.ZipFile, part: zipfile.ZipInfo, name: str, faults: Faults) -> None:
    is_sheet = part.filename.startswith("xl/worksheets/") and part.filename.endswith(".xml")
    rows = columns = 0
    carried = b""
    with archive.open(part) as stream:
        # zipfile hands out no more than the declared size and checks the sum at its end: a lying size is damage.
        while chunk := stream.read(_CHUNK_BYTES):
            if not is_sheet:
                continue
            # A tag may lie across two pieces: the last unfinished one is carried over.
            text = carried + chunk
            cut = max(text.rfind(b"<"), 0)
            text, carried = text[:cut], text[cut:]
            for match in _REFERENCE.finditer(text):
                rows = max(rows, int(match[2]))
                columns = max(columns, _column_number(match[1]))
            for match in _ERROR_CELL.finditer(text):
                reference = match[1].decode()
                faults.add(Place(f"{part.filename}!{reference}", (len(TABLES) + 2,)), "formula_error")
    if rows > MAX_ROWS:
        raise ListUnreadableError(path=name, why="too_many_rows", detail=f"{MAX_ROWS:,}")
    if rows * columns > MAX_AREA:
        raise ListUnreadableError(path=name, why="too_wide", detail=f"{MAX_AREA:,}")


def _column_number(letters: bytes) -> int:
    number = 0
    for letter in letters:
        number = number * 26 + letter - 64
    return number


def _letters(index: int) -> str:
    letters = ""
    index += 1
    while index:
        index, rest = divmod(index - 1, 26)
        letters = chr(65 + rest) + letters
    return letters


# 2. Sheets.


def heading_key(text: str) -> str:
    """A heading without space, stars and remarks, half-width, without capitals."""
    return _HEADING_NOISE.sub("", folded(text)).casefold()


@dataclass(slots=True)
class _Sheet:
    """One sheet as a rectangle of values. *blank* rows were empty before merged cells were filled down."""

    name: str
    number: int
    rows: list[list[Value]]
    blank: list[bool]
    merges: list[tuple[tuple[int, int], tuple[int, int]]]

    def place(self, row: int, column: int) -> Place:
        return Place(f"{self.name}!{_letters(column)}{row + 1}", (self.number, row, column))

    def cell(self, row: int, column: int) -> Cell:
        value = self.rows[row][column]
        return Cell(_text(value), self.place(row, column), _suspect(value))

    def texts(self, row: int) -> list[str]:
        return [_text(value) for value in self.rows[row]]


def _text(value: Value) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and value.is_integer() and abs(value) < _EXACT_BELOW * 1000:
        return str(int(value))
    if isinstance(value, (date, datetime, time)):
        return value.isoformat()
    return str(value)


def _suspect(value: Value) -> str:
    """Whether Excel may have changed what was typed."""
    if isinstance(value, (date, datetime, time, timedelta)):
        return "cell_is_date"
    if isinstance(value, (int, float)) and abs(value) >= _EXACT_BELOW:
        return "long_number"
    return ""


class _Reader:
    """Finds the sheets of a list in a workbook and their tables in the sheets."""

    def __init__(self, book: CalamineWorkbook, name: str, faults: Faults) -> None:
        self._book = book
        self._name = name
        self._faults = faults
        self._known = {
            heading_key(title): table for table in (COVER, *TABLES) for title in (table.sheet, *table.sheets)
        }

    def raw_list(self) -> RawList:
        sheets: dict[str, _Sheet] = {}
        for title in self._book.sheet_names:
            table = self._known.get(heading_key(title))
            if table is None or table.key in sheets:
                allowed = ", ".join(f"`{known.sheet}`" for known in (COVER, *TABLES))
                place = Place(title, (len(TABLES) + 1,))
                self._faults.add(place, "unknown_sheet", value=title, allowed=allowed)
            else:
                sheets[table.key] = self._sheet(title, (COVER, *TABLES).index(table))
        cover = Row(Place(self._name, (0,)), absent=frozenset(c.name for c in COVER.columns))
        if COVER.key in sheets:
            cover = _cover(sheets[COVER.key])
        for table in (COVER, *TABLES):
            if table.key not in sheets and not table.optional:
                self._faults.add(Place(self._name, (0,)), "missing_sheet", value=table.sheet)
        tables = {t.key: list(self._table(sheets[t.key], t)) if t.key in sheets else [] for t in TABLES}
        return RawList(cover, tables)

    def _sheet(self, title: str, number: int) -> _Sheet:
        sheet = self._book.get_sheet_by_name(title)
        rows: list[list[Value]] = sheet.to_python(skip_empty_area=False)
        blank = [not any(_text(value).strip() for value in row) for row in rows]
        merges = sheet.merged_cell_ranges or []
        filled = 0
        for (top, left), (bottom, _) in merges:
            # The value of merged cells is kept in the first one; below it, it holds for each row.
            for row in range(top + 1, min(bottom + 1, len(rows))):
                filled += 1
                if left < len(rows[row]) and rows[row][left] == "":
                    rows[row][left] = rows[top][left]
            if filled > MAX_AREA:
                raise ListUnreadableError(path=self._name, why="too_wide", detail=f"{MAX_AREA:,}")
        return _Sheet(title, number, rows, blank, merges)

    def _table(self, sheet: _Sheet, table: Table) -> Iterator[Row]:
        columns = {heading_key(t): c for c in table.columns for t in (c.title, c.name, *c.titles)}
        heading_row = _heading_row(sheet, columns)
        if heading_row is None:
            allowed = ", ".join(f"`{c.title}`" for c in table.columns if c.required)
            rows = str(HEADING_ROWS_SEARCHED)
            self._faults.add(sheet.place(0, 0), "missing_headings", rows=rows, allowed=allowed)
            return
        found = self._columns(sheet, table, columns, heading_row)
        absent = frozenset(c.name for c in table.columns if c.required) - {c.name for c in found.values()}
        for column in table.columns:
            if column.name in absent:
                self._faults.add(sheet.place(heading_row, 0), "missing_column", column=column.title)
        headings = {c.name: folded(_text(sheet.rows[heading_row][index])) for index, c in found.items()}
        yield from self._rows(sheet, heading_row, found, headings, absent)

    def _columns(self, sheet: _Sheet, table: Table, columns: dict[str, Column], heading_row: int) -> dict[int, Column]:
        """The column of the table that each column of the sheet is; others are noted."""
        found: dict[int, Column] = {}
        groups = _groups(sheet, heading_row - 1)
        for index, heading in enumerate(sheet.texts(heading_row)):
            key = heading_key(heading)
            column = columns.get(key) or columns.get(heading_key(groups.get(index, "")) + key)
            if column is not None and column not in found.values():
                found[index] = column
            elif column is not None:
                first = next(sheet.place(heading_row, i).where for i, c in found.items() if c is column)
                self._faults.add(sheet.place(heading_row, index), "duplicate_column", value=heading, first=first)
            elif key and key not in IGNORED_HEADINGS:
                allowed = ", ".join(f"`{c.title}`" for c in table.columns)
                self._faults.add(sheet.place(heading_row, index), "unknown_column", value=heading, allowed=allowed)
        return found

    def _rows(
        self,
        sheet: _Sheet,
        heading_row: int,
        found: dict[int, Column],
        headings: dict[str, str],
        absent: frozenset[str],
    ) -> Iterator[Row]:
        titles = sheet.texts(heading_row)
        outside = {index for index, title in enumerate(titles) if not title.strip()}
        for number in range(heading_row + 1, len(sheet.rows)):
            if sheet.blank[number]:
                continue
            texts = sheet.texts(number)
            first = next(text for text in texts if text.strip())
            compact = "".join(first.split())
            repeated = all(text in ("", titles[index]) for index, text in enumerate(texts))
            if repeated or _TOTALS.fullmatch(compact) or _NOTES.fullmatch(compact):
                continue
            for index in [i for i in outside if texts[i].strip()]:
                self._faults.add(sheet.place(number, index), "outside_table", value=texts[index])
                outside.discard(index)  # Once for each column says it.
            yield Row(
                sheet.place(number, min(found)),
                {column.name: sheet.cell(number, index) for index, column in found.items()},
                headings=headings,
                absent=absent,
            )


def _heading_row(sheet: _Sheet, columns: dict[str, Column]) -> int | None:
    """The (lower) heading row: the first with the most known headings, or the last of equals that follow it."""
    counts = [
        sum(heading_key(text) in columns for text in sheet.texts(row))
        for row in range(min(HEADING_ROWS_SEARCHED, len(sheet.rows)))
    ]
    best = max(counts, default=0)
    if best < 2:  # noqa: PLR2004 - a title alone may happen to equal one heading
        return None
    row = counts.index(best)
    # Headings merged over two rows count in both; the table begins below the second.
    while row + 1 < len(counts) and counts[row + 1] == best:
        row += 1
    return row


def _groups(sheet: _Sheet, row: int) -> dict[int, str]:
    """The group heading over each column, from cells merged across in the row above the headings."""
    groups: dict[int, str] = {}
    for (top, left), (bottom, right) in sheet.merges:
        if top <= row <= bottom and right > left and row >= 0:
            groups.update(
                dict.fromkeys(range(left, min(right, len(sheet.rows[row]) - 1) + 1), _text(sheet.rows[top][left]))
            )
    return groups


def _cover(sheet: _Sheet) -> Row:
    """The cover: a name and its value in each row. Covers carry much else, which is read past."""
    columns = {heading_key(t): c for c in COVER.columns for t in (c.title, c.name, *c.titles)}
    row = Row(sheet.place(0, 0), headings={c.name: c.title for c in COVER.columns})
    places: dict[str, Place] = {}
    for number in range(len(sheet.rows)):
        used = [index for index, text in enumerate(sheet.texts(number)) if text.strip()]
        column = columns.get(heading_key(_text(sheet.rows[number][used[0]]))) if used else None
        if column is None or column.name in row.cells:
            continue
        if len(used) > 1:
            row.cells[column.name] = sheet.cell(number, used[1])
        else:
            places[column.name] = sheet.place(number, used[0] + 1)
    row.places = places
    return row
