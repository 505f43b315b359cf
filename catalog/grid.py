"""Finds the tables of a list in rectangles of values, as sheets and CSV files hold them.

The layout: a title row, one or two heading rows, the table, perhaps totals and notes below. Getting the rectangle out
of a file is left to `catalog.sheets` and `catalog.csvfile`, what its texts mean to `catalog.build`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from typing import TYPE_CHECKING, Final

from catalog.domains import folded
from catalog.layout import COVER, IGNORED_HEADINGS, TABLES, Column, Table
from catalog.raw import Cell, CellRow, Faults, Place, Row

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

Value = int | float | str | bool | date | datetime | time | timedelta

# The largest real list known has 1,227 resources of 20 to 60 fields, some 74,000 rows; a sheet formatted down to
# Excel's last row has a million. A rectangle of so many cells takes some 300 MiB.
MAX_ROWS: Final = 200_000
MAX_AREA: Final = 6_000_000
HEADING_ROWS_SEARCHED: Final = 15
# Excel keeps 15 significant digits of a number.
_EXACT_BELOW: Final = 10**15

_TOTALS = re.compile(r"(合计|总计|小计|共计)([:：\d(（].*)?", re.DOTALL)
_NOTES = re.compile(r"(备注|注|说明|填表说明|填表人|填报人|制表人?|审核人)[:：].*", re.DOTALL)
_HEADING_NOISE = re.compile(r"\s|\*|[((](必填|选填)[))]|[::]$")

_ORDER: Final = {table.key: number for number, table in enumerate((COVER, *TABLES))}


def heading_key(text: str) -> str:
    """A heading without space, stars and remarks, half-width, without capitals."""
    return _HEADING_NOISE.sub("", folded(text)).casefold()


_BY_TITLE: Final = {
    heading_key(title): table for table in (COVER, *TABLES) for title in (table.sheet, table.key, *table.sheets)
}


def table_called(title: str) -> Table | None:
    """The table that a sheet or file of this title holds."""
    return _BY_TITLE.get(heading_key(title))


@dataclass(slots=True)
class Grid:
    """One table as rows of values, which may be of different length.

    *lines* are the lines at which rows begin, where rows are not lines of their own (CSV); a workbook's cells have
    columns instead. *blank* rows were empty before merged cells were filled down. *failed* holds the cells whose
    formula failed, which are noted already, *formulas* those with any formula.
    """

    name: str
    table: Table
    rows: Sequence[list[Value]]
    lines: Sequence[int] = ()
    blank: Sequence[bool] = ()
    merges: Sequence[tuple[tuple[int, int], tuple[int, int]]] = ()
    failed: frozenset[tuple[int, int]] = frozenset()
    formulas: Sequence[tuple[int, int]] = ()

    def place(self, row: int, column: int) -> Place:
        """Where a cell stands."""
        number = _ORDER[self.table.key]
        if self.lines:
            line = self.lines[row] if row < len(self.lines) else 1
            return Place(self.name, (number, line, column), line)
        return Place(self.name, (number, row, column), row + 1, column)

    def text(self, row: int, column: int) -> str:
        """The text of a cell, empty beyond the end of a row."""
        values = self.rows[row]
        return text_of(values[column]) if column < len(values) else ""

    def texts(self, row: int) -> list[str]:
        """The texts of a row."""
        return [text_of(value) for value in self.rows[row]]

    def cell(self, row: int, column: int) -> Cell:
        """A cell with its place."""
        values = self.rows[row]
        value = values[column] if column < len(values) else ""
        suspect = "noted" if (row, column) in self.failed else _suspect(value)
        return Cell(text_of(value), self.place(row, column), suspect)


def text_of(value: Value) -> str:
    """A value as the text that stands for it."""
    if isinstance(value, str):
        return value
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


@dataclass(frozen=True, slots=True)
class _Shape:
    """What all rows of one table share: where each attribute stands and what it is called.

    *parts* are attributes whose values stand in several columns, one in each.
    """

    grid: Grid
    index: Mapping[str, int]
    parts: Mapping[str, tuple[int, ...]]
    headings: Mapping[str, str]
    absent: frozenset[str]
    first: int


@dataclass(slots=True)
class GridRow:
    """A row of a grid. Nothing is made for a cell until somebody asks for it."""

    _shape: _Shape
    _number: int
    _values: list[Value] = field(init=False)

    def __post_init__(self) -> None:
        self._values = self._shape.grid.rows[self._number]

    @property
    def place(self) -> Place:
        """As `Row.place`."""
        return self._shape.grid.place(self._number, self._shape.first)

    @property
    def absent(self) -> frozenset[str]:
        """As `Row.absent`."""
        return self._shape.absent

    def raw(self, attribute: str) -> str | None:
        """As `Row.raw`."""
        try:
            value = self._values[self._shape.index[attribute]]
        except LookupError:
            return None if attribute in self._shape.parts else ""
        # Numbers and dates are looked at; their texts are rarely the same anyway.
        return value if type(value) is str else None

    def cell(self, attribute: str) -> Cell | None:
        """As `Row.cell`."""
        grid = self._shape.grid
        if attribute in self._shape.parts:
            items = [grid.cell(self._number, index) for index in self._shape.parts[attribute]]
            found = tuple(item for item in items if isinstance(item.content, str) and item.content.strip())
            return Cell(found, items[0].place)
        index = self._shape.index.get(attribute)
        return None if index is None else grid.cell(self._number, index)

    def called(self, attribute: str) -> str:
        """As `Row.called`."""
        return self._shape.headings.get(attribute, attribute)

    def at(self, attribute: str) -> Place:
        """As `Row.at`."""
        cell = self.cell(attribute)
        return cell.place if cell else self.place


# Finding the table.


@dataclass(frozen=True, slots=True)
class _Headings:
    """The headings a table may have: its columns, and for those written in parts which part."""

    columns: Mapping[str, Column]
    parts: Mapping[str, tuple[Column, int]]

    @classmethod
    def of(cls, table: Table) -> _Headings:
        parts = {heading_key(t): (c, n) for c in table.columns for n, t in enumerate(c.parts)}
        columns = {heading_key(t): c for c in table.columns for t in (c.title, c.name, *c.titles)}
        return cls(columns, parts)

    def count(self, texts: Iterable[str]) -> int:
        """How many of *texts* are headings of the table."""
        return sum((key := heading_key(text)) in self.columns or key in self.parts for text in texts)


def headings_in(rows: Iterable[list[str]], table: Table) -> int:
    """The most headings of *table* that stand in one of *rows*."""
    headings = _Headings.of(table)
    return max((headings.count(row) for row in rows), default=0)


def rows_of(grid: Grid, faults: Faults) -> list[Row]:
    """The rows of the table in *grid*; what is wrong with its headings is noted."""
    table = grid.table
    headings = _Headings.of(table)
    heading_row = _heading_row(grid, headings)
    if heading_row is None:
        allowed = ", ".join(f"`{c.title}`" for c in table.columns if c.required)
        rows = str(HEADING_ROWS_SEARCHED)
        faults.add(grid.place(0, 0), "missing_headings", rows=rows, allowed=allowed)
        return []
    index, parts = _columns(grid, headings, heading_row, faults)
    known = {*index, *parts}
    absent = frozenset(c.name for c in table.columns if c.required and c.name not in known)
    for column in table.columns:
        if column.name in absent:
            faults.add(grid.place(heading_row, 0), "missing_column", column=column.title)
    called = {name: folded(grid.text(heading_row, at)) for name, at in index.items()}
    first = min([*index.values(), *(at[0] for at in parts.values())], default=0)
    shape = _Shape(grid, index, parts, called, absent, first)
    numbers = _data_rows(grid, heading_row, faults)
    _note_formulas(grid, shape, set(numbers), faults)
    return [GridRow(shape, number) for number in numbers]


def _heading_row(grid: Grid, headings: _Headings) -> int | None:
    """The (lower) heading row: the first with the most known headings, or the last of equals that follow it."""
    counts = [headings.count(grid.texts(row)) for row in range(min(HEADING_ROWS_SEARCHED, len(grid.rows)))]
    best = max(counts, default=0)
    if best < 2:  # noqa: PLR2004 - a title alone may happen to equal one heading
        return None
    row = counts.index(best)
    # Headings merged over two rows count in both; the table begins below the second.
    while row + 1 < len(counts) and counts[row + 1] == best:
        row += 1
    return row


def _columns(
    grid: Grid, headings: _Headings, heading_row: int, faults: Faults
) -> tuple[dict[str, int], dict[str, tuple[int, ...]]]:
    """Where each attribute of the table stands; headings that are none of it are noted."""
    index: dict[str, int] = {}
    parts: dict[str, dict[int, int]] = {}
    groups = _groups(grid, heading_row - 1)
    for at, heading in enumerate(grid.texts(heading_row)):
        key = heading_key(heading)
        column = headings.columns.get(key) or headings.columns.get(heading_key(groups.get(at, "")) + key)
        if column is not None and column.name not in index:
            index[column.name] = at
        elif column is not None:
            first = grid.place(heading_row, index[column.name]).where
            faults.add(grid.place(heading_row, at), "duplicate_column", value=heading, first=first)
        elif key in headings.parts:
            whole, number = headings.parts[key]
            parts.setdefault(whole.name, {})[number] = at
        elif key and key not in IGNORED_HEADINGS:
            allowed = ", ".join(f"`{c.title}`" for c in grid.table.columns)
            faults.add(grid.place(heading_row, at), "unknown_column", value=heading, allowed=allowed)
    ordered = {name: tuple(at for _, at in sorted(found.items())) for name, found in parts.items() if name not in index}
    return index, ordered


def _groups(grid: Grid, row: int) -> dict[int, str]:
    """The group heading over each column, from cells merged across in the row above the headings."""
    groups: dict[int, str] = {}
    for (top, left), (bottom, right) in grid.merges:
        if top <= row <= bottom and right > left and row >= 0:
            covered = range(left, min(right, len(grid.rows[row]) - 1) + 1)
            groups.update(dict.fromkeys(covered, grid.text(top, left)))
    return groups


def _data_rows(grid: Grid, heading_row: int, faults: Faults) -> list[int]:
    """The numbers of the rows that hold records: no blank ones, totals, notes or headings once more."""
    titles = grid.texts(heading_row)
    outside = [index for index, title in enumerate(titles) if not title.strip()]
    told: set[int] = set()
    found = []
    for number in range(heading_row + 1, len(grid.rows)):
        if grid.blank and grid.blank[number]:
            continue
        values = grid.rows[number]
        first, at = next(((text, at) for at, value in enumerate(values) if (text := text_of(value)).strip()), ("", 0))
        if not first or _read_past(first):
            continue
        if at < len(titles) and first == titles[at] and _repeats(titles, grid.texts(number)):
            continue
        for index in (*outside, *range(len(titles), len(values))):
            if index not in told and grid.text(number, index).strip():
                faults.add(grid.place(number, index), "outside_table", value=grid.text(number, index))
                told.add(index)  # Once for each column says it.
        found.append(number)
    return found


def _read_past(first: str) -> bool:
    """Whether a row that begins so is one of totals or notes."""
    compact = "".join(first.split())
    return bool(_TOTALS.fullmatch(compact) or _NOTES.fullmatch(compact))


def _repeats(titles: list[str], texts: list[str]) -> bool:
    return all(text in ("", titles[index] if index < len(titles) else "") for index, text in enumerate(texts))


def _note_formulas(grid: Grid, shape: _Shape, numbers: set[int], faults: Faults) -> None:
    """Say once for a sheet that values of the list come from formulas; totals below the table may be some."""
    read = {*shape.index.values(), *(at for found in shape.parts.values() for at in found)}
    found = [(row, column) for row, column in grid.formulas if row in numbers and column in read]
    if found:
        faults.add(grid.place(*found[0]), "formula", count=str(len(found)))


def cover_of(grid: Grid) -> Row:
    """The cover: a name and its value in each row. Covers carry much else, which is read past."""
    columns = _Headings.of(COVER).columns
    row = CellRow(grid.place(0, 0), headings={c.name: c.title for c in COVER.columns})
    places: dict[str, Place] = {}
    for number in range(len(grid.rows)):
        texts = grid.texts(number)
        used = [index for index, text in enumerate(texts) if text.strip()]
        column = columns.get(heading_key(texts[used[0]])) if used else None
        if column is None or column.name in row.cells:
            continue
        if len(used) > 1:
            row.cells[column.name] = grid.cell(number, used[1])
        else:
            places[column.name] = grid.place(number, used[0] + 1)
    row.places = places
    return row


def tables_of(grids: Mapping[str, Grid], name: str, faults: Faults) -> tuple[Row, dict[str, list[Row]]]:
    """Cover and tables out of the grids, by key; what must not be missing is noted at the file *name*."""
    cover: Row = CellRow(Place(name, (0,)), absent=frozenset(c.name for c in COVER.columns))
    if COVER.key in grids:
        cover = cover_of(grids[COVER.key])
    for table in (COVER, *TABLES):
        if table.key not in grids and not table.optional:
            faults.add(Place(name, (0,)), "missing_sheet", value=table.sheet)
    return cover, {t.key: rows_of(grids[t.key], faults) if t.key in grids else [] for t in TABLES}


class Titles:
    """Tells which sheet or file is which table, and notes those that are none, or one that was there before."""

    def __init__(self, faults: Faults) -> None:
        self._faults = faults
        self._seen: dict[str, str] = {}

    def table(self, title: str, shown: str) -> Table | None:
        """The table to be read from the sheet or file *shown*, whose title is *title*."""
        table = table_called(title)
        place = Place(shown, (len(TABLES) + 1,))
        if table is None:
            allowed = ", ".join(f"`{known.sheet}`" for known in (COVER, *TABLES))
            self._faults.add(place, "unknown_sheet", value=shown, allowed=allowed)
        elif table.key in self._seen:
            self._faults.add(place, "duplicate_sheet", value=shown, first=self._seen[table.key], other=table.sheet)
            return None
        else:
            self._seen[table.key] = shown
        return table
