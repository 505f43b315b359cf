"""The ``excel`` kind: workbooks as offices keep them, with title rows, two-row headings and totals.

Leaves parsing of the file to calamine and finding files to `connectors.files`.

Settings or options: ``folder`` (or ``file``, one workbook); ``header_rows`` (1, or 2 for a group heading over
headings: a heading is then ``组/列``, and the lower part alone is accepted where it is unique); ``title_rows`` (a
number of rows above the heading; by default the rows at the top that hold no more than one cell); ``totals`` (the
text that marks a totals row in the first cell, such as ``合计``: that row is skipped); those of
`connectors.files.files_of`. The object is ``file.xlsx#sheet``, a glob and a sheet (the first if left out).

Text is exact. Numbers have been binary doubles in the workbook all along: whole ones land without ``.0``, others as
the shortest text that reads back the same; digits past the 15th were lost when somebody typed them. Dates are ISO
8601 (``2024-05-01``, ``2024-05-01T08:30:00``), truth values ``true``/``false``. An empty cell is NULL (a workbook has
no empty text), an error cell (#N/A) too. A row without any value holds no record.
"""

from __future__ import annotations

import datetime as dt
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import pyarrow as pa
from python_calamine import (
    CalamineError,
    CalamineSheet,
    CalamineWorkbook,
    PasswordError,
    WorksheetNotFound,
    ZipError,
)

from connectors import archive
from connectors import options as opt
from connectors.errors import (
    ConnectorError,
    SourceDeniedError,
    SourceHostileError,
    SourceIncompleteError,
    SourceObjectMissingError,
    SourceShapeError,
)
from connectors.files import FileConnector, Reading, opened
from connectors.headings import normal

if TYPE_CHECKING:
    import zipfile
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from connectors.archive import Content
    from connectors.retry import Waiting

ROWS_PER_BATCH = 20_000
MOST_TITLE_ROWS = 20
ZIP_MAGIC = b"PK"
OLE_MAGIC = b"\xd0\xcf\x11\xe0"
# A workbook of Excel 97 to 2003 holds 65,536 rows of 256 columns a sheet, unpacked; calamine takes all of it into
# memory.
MOST_OLE_BYTES = 512 * 1024 * 1024
# Up to here Python, like a reader of the sheet, would write a whole number without an exponent.
MOST_WHOLE = 1e22

Cell = int | float | str | bool | dt.time | dt.date | dt.datetime | dt.timedelta


class Header(NamedTuple):
    """Headings as matched, their lower parts (empty for a one-row heading), and the number of rows above the data."""

    headings: tuple[str, ...]
    lower: tuple[str, ...]
    rows: int


class ExcelConnector(FileConnector):
    """See the module; promises of `connectors.protocol.Connector`."""

    kind = "excel"
    MEMBERS = "*.xls[xmb]"

    def __init__(
        self,
        settings: Mapping[str, str],
        secrets: Callable[[str], str] | None = None,
        waiting: Waiting | None = None,
    ) -> None:
        file = settings.get("file", "")
        settings = {"folder": str(Path(file).parent), **settings} if file else settings
        super().__init__(settings, secrets, waiting)
        self._file = Path(file).name

    def split(self, name: str) -> tuple[str, str]:
        """The glob of workbooks and the sheet; with the setting ``file`` the object may be the sheet alone."""
        workbook, mark, sheet = name.partition("#")
        if self._file and not mark:
            return self._file, workbook
        return workbook or self._file, sheet

    def headings(self, content: Content, inside: str, options: Mapping[str, str]) -> tuple[str, ...]:
        """The sheet's headings."""
        with content.local() as path:
            sheet = _sheet(path, content.name, inside)
            return _header(sheet, _rows(sheet, content.name), options, f"{content.name}#{sheet.name}").headings

    def tables(self, content: Content, inside: str, reading: Reading, options: Mapping[str, str]) -> Iterator[pa.Table]:
        """The rows of the sheet."""
        with content.local() as path:
            sheet = _sheet(path, content.name, inside)
            cells = _rows(sheet, content.name)
        where = f"{content.name}#{sheet.name}"
        header = _header(sheet, cells, options, where)
        matching = reading.match(header.headings, where, header.lower)
        names = [column.name for column in reading.request.columns]
        rows = _data(cells, header, _squeezed(options.get("totals", "")))
        while batch := list(islice(rows, ROWS_PER_BATCH)):
            arrays = [
                pa.array([None if index is None else _text(row[index]) for row in batch], pa.string())
                for index in matching.indexes
            ]
            yield pa.table(arrays, names=names)


def _sheet(path: Path, where: str, name: str) -> CalamineSheet:
    _check_archive(path, where)
    with _read(where):
        try:
            workbook = CalamineWorkbook.from_path(str(path))
            if not name:
                return workbook.get_sheet_by_index(0)
            wanted = [found for found in workbook.sheet_names if normal(found) == normal(name)]
            if not wanted:
                found = "、".join(f"`{sheet}`" for sheet in workbook.sheet_names)
                raise SourceObjectMissingError(problem="no_sheet", where=where, sheet=name, found=found)
            return workbook.get_sheet_by_name(wanted[0])
        except PasswordError:
            raise SourceDeniedError(problem="encrypted", where=where) from None
        except WorksheetNotFound:
            raise SourceObjectMissingError(problem="no_sheet", where=where, sheet=name, found="—") from None


@contextmanager
def _read(where: str) -> Iterator[None]:
    """Say what calamine raises in our own words."""
    try:
        yield
    except (CalamineError, ZipError, OSError):
        # The container has been found whole before, so what is inside is cut or is no workbook.
        raise SourceIncompleteError(problem="truncated", where=where) from None
    except BaseException as failure:
        # Old workbooks that are cut send it past the end of what it holds; such a panic is no Exception.
        if type(failure).__name__ != "PanicException":
            raise
        raise SourceIncompleteError(problem="truncated", where=where) from None


def _check_archive(path: Path, where: str) -> None:
    """Refuse what is no workbook, half of one, or a zip bomb, before calamine unpacks it into memory."""
    with opened(path) as file:
        magic = file.read(len(OLE_MAGIC))
    if magic[: len(ZIP_MAGIC)] == ZIP_MAGIC:
        with archive.opened(path) as container:
            _check_members(container, where)
    elif magic == OLE_MAGIC:
        if path.stat().st_size > MOST_OLE_BYTES:
            raise SourceHostileError(problem="archive_bomb", where=where, limit=f"{MOST_OLE_BYTES} B")
    else:
        error: ConnectorError = SourceShapeError(problem="not_this_format", where=where, kind="Excel")
        raise error if magic else SourceIncompleteError(problem="truncated", where=where)


def _check_members(container: zipfile.ZipFile, where: str) -> None:
    for member in container.infolist():
        if member.filename == "EncryptedPackage":
            raise SourceDeniedError(problem="encrypted", where=where)


def _header(sheet: CalamineSheet, cells: list[list[Cell]], options: Mapping[str, str], where: str) -> Header:
    header_rows = opt.integer(options, "header_rows", 1, where, least=1)
    title_rows = options.get("title_rows", "")
    if title_rows:
        skip = opt.integer(options, "title_rows", 0, where)
    else:
        skip = next((i for i, row in enumerate(cells[:MOST_TITLE_ROWS]) if sum(cell != "" for cell in row) > 1), 0)
    rows = cells[skip : skip + header_rows]
    if len(rows) < header_rows:
        raise SourceShapeError(problem="empty_file", where=where)
    lower = [_heading(cell) for cell in rows[-1]]
    if header_rows == 1:
        return Header(tuple(lower), (), skip + 1)
    upper = _spread(sheet, [_heading(cell) for cell in rows[0]], skip, lower)
    return Header(tuple(_joined(u, low) for u, low in zip(upper, lower, strict=True)), tuple(lower), skip + header_rows)


def _heading(cell: object) -> str:
    return " ".join((_text(cell) or "").split("\n")).strip()


def _joined(upper: str, lower: str) -> str:
    return f"{upper}/{lower}" if upper and lower and upper != lower else upper or lower


def _spread(sheet: CalamineSheet, upper: list[str], row: int, lower: Sequence[str]) -> list[str]:
    """Give a group heading to all the columns its merged cell spans (to the next one where merges are not known)."""
    merged = sheet.merged_cell_ranges
    spread = list(upper)
    if merged is None:
        for index in range(1, len(spread)):
            spread[index] = spread[index] or (spread[index - 1] if lower[index] else "")
        return spread
    for (first_row, first), (_, last) in merged:
        if first_row == row:
            spread[first : last + 1] = [upper[first]] * (last + 1 - first)
    return spread


def _rows(sheet: CalamineSheet, where: str) -> list[list[Cell]]:
    """All rows from the sheet's first, padded on the left so that indexes are the sheet's own columns.

    calamine holds the whole sheet in memory anyway (`connectors.archive` bounds it), so nothing is gained by streaming.
    """
    with _read(where):
        return [] if sheet.start is None else sheet.to_python(skip_empty_area=False)


def _data(cells: list[list[Cell]], header: Header, totals: str) -> Iterator[list[Cell]]:
    for row in islice(cells, header.rows, None):
        if all(cell == "" for cell in row):
            continue
        if totals and isinstance(row[0], str) and _squeezed(row[0]) == totals:
            continue
        yield row


def _squeezed(text: str) -> str:
    """Offices space out short words (合　计); compare without any white space."""
    return "".join(normal(text).split())


def _text(cell: object) -> str | None:
    if isinstance(cell, str):
        return cell or None
    if isinstance(cell, bool):
        return "true" if cell else "false"
    if isinstance(cell, float):
        return str(int(cell)) if cell.is_integer() and abs(cell) < MOST_WHOLE else repr(cell)
    if isinstance(cell, dt.timedelta):
        # A duration (over 24 hours, or a cell formatted as elapsed time), as ISO 8601 has it.
        return f"PT{repr(cell.total_seconds()).removesuffix('.0')}S"
    if isinstance(cell, dt.date | dt.time):
        return cell.isoformat()
    return str(cell)
