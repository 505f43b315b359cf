"""Reads the workbook an office keeps into a raw list, remembering the cell of every value.

Merged cells, formulas, links and the bounds of a workbook are judged here; where in a sheet the table is, is
`catalog.grid`, and what its texts mean `catalog.build`.
"""

from __future__ import annotations

import html
import io
import posixpath
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from python_calamine import CalamineError, CalamineWorkbook, PasswordError

from catalog.errors import ListUnreadableError
from catalog.grid import MAX_AREA, MAX_ROWS, Grid, Titles, Value, tables_of, text_of
from catalog.raw import Faults, Place, RawList
from catalog.zipped import CHUNK_BYTES, opened

if TYPE_CHECKING:
    import zipfile

    from catalog.layout import Table

MAX_UNPACKED_MIB: Final = 256
MAX_DESCRIPTION_MIB: Final = 4
# A text that many cells share is stored once and given to each: few bytes can stand for many.
MAX_SHARED_MIB: Final = 64
MAX_TEXT_MIB: Final = 256
# More formulas and links than these need no counting.
MAX_FORMULAS: Final = 10_000
MAX_LINKS: Final = 20

_OLE_MAGIC: Final = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_SHEET_PART = re.compile(r"xl/worksheets/[^/]+\.xml", re.IGNORECASE)
# Nearly every cell is within the first 26 columns and 99,999 rows; those beyond are looked for.
_FAR_COLUMN = re.compile(rb"""r=["']([A-Z]{2,3})[0-9]""")
_FAR_ROW = re.compile(rb"""r=["'][A-Z]{0,3}([0-9]{6,9})["']""")
_NEAR_COLUMNS: Final = 26
_NEAR_ROWS: Final = 99_999
_SHARED_TEXT = re.compile(rb"<(?:\w{1,20}:)?si[\s/>]")
_SHARED_CELL = re.compile(rb"""t=["']s["'][^<>]{0,60}><(?:\w{1,20}:)?v>([0-9]{1,7})<""")
# Bounded, so that no text makes them take more than a moment.
_ERROR_CELL = re.compile(
    rb"""<(?:\w{1,20}:)?c\b(?=[^<>]{0,300}\bt=["']e["'])[^<>]{0,300}\br=["']([A-Z]{1,3})([0-9]{1,9})["']"""
)
_FORMULA_CELL = re.compile(
    rb"""<(?:\w{1,20}:)?c\b[^<>]{0,300}\br=["']([A-Z]{1,3})([0-9]{1,9})["'][^<>]{0,300}><(?:\w{1,20}:)?f[\s/>]"""
)
_TAG = re.compile(r"<(?:\w{1,20}:)?(sheet|Relationship)\s([^<>]{0,4000})>")
_ATTRIBUTE = re.compile(r"""([\w:]+)\s*=\s*(?:"([^"]*)"|'([^']*)')""")


def read(data: bytes, name: str, faults: Faults) -> RawList:
    """The raw list in the workbook *data*; missing sheets and unknown columns are noted in *faults*.

    Raises:
        ListUnreadableError: encrypted, damaged, not a workbook, or beyond the bounds above.
    """
    found = _inspected(data, name)
    if found.links:
        shown = ", ".join(f"`{link}`" for link in found.links[:MAX_LINKS])
        faults.add(Place(name, (0,)), "external_link", value=shown, count=str(len(found.links)))
    try:
        with CalamineWorkbook.from_filelike(io.BytesIO(data)) as book:
            titles = Titles(faults)
            grids = {
                table.key: _grid(book, title, table, name, found)
                for title in book.sheet_names
                if (table := titles.table(title, title)) is not None
            }
    except PasswordError as error:
        raise ListUnreadableError(path=name, why="encrypted") from error
    except CalamineError as error:
        raise ListUnreadableError(path=name, why="truncated", detail=str(error)) from error
    for grid in grids.values():
        for row, column in sorted(grid.failed):
            faults.add(grid.place(row, column), "formula_error")
    return RawList(*tables_of(grids, name, faults))


# 1. Before anything is laid out in memory: bounds, and what the reader of values does not tell.


@dataclass(slots=True)
class _Found:
    """What was found in the parts: the cells with formulas and failed ones, by part; links to elsewhere.

    *shared* are the lengths of the texts that cells share, *text_bytes* what the cells make of them.
    """

    titles: dict[str, str] = field(default_factory=dict)
    failed: dict[str, list[tuple[int, int]]] = field(default_factory=dict)
    formulas: dict[str, list[tuple[int, int]]] = field(default_factory=dict)
    links: list[str] = field(default_factory=list)
    shared: list[int] = field(default_factory=list)
    text_bytes: int = 0

    def cells(self, found: dict[str, list[tuple[int, int]]], title: str) -> list[tuple[int, int]]:
        """The cells of the sheet called *title*."""
        return [cell for part, cells in found.items() if self.titles.get(part) == title for cell in cells]


def _inspected(data: bytes, name: str) -> _Found:
    """Unpack every part once, a piece at a time, against the bounds and its check sum."""
    if data.startswith(_OLE_MAGIC):
        raise ListUnreadableError(path=name, why="encrypted")
    found = _Found()
    with opened(data, name, MAX_UNPACKED_MIB) as archive:
        for part in archive.infolist():
            if part.filename.lower() == "xl/sharedstrings.xml":
                if part.file_size > MAX_SHARED_MIB << 20:
                    raise ListUnreadableError(path=name, why="too_big", detail=str(MAX_SHARED_MIB))
                found.shared = [len(text) for text in _SHARED_TEXT.split(archive.read(part))[1:]]
        for part in archive.infolist():
            if _SHEET_PART.fullmatch(part.filename):
                _inspect_sheet(archive, part, name, found)
            elif part.filename.endswith(".rels"):
                found.links += _links(_small(archive, part, name))
            else:
                with archive.open(part) as stream:
                    while stream.read(CHUNK_BYTES):
                        pass
        if found.failed or found.formulas:
            found.titles = _titles(archive, name)
    return found


def _inspect_sheet(archive: zipfile.ZipFile, part: zipfile.ZipInfo, name: str, found: _Found) -> None:
    rows, columns = _NEAR_ROWS, _NEAR_COLUMNS
    carried = b""
    with archive.open(part) as stream:
        while chunk := stream.read(CHUNK_BYTES):
            # A cell may lie across two pieces: the last unfinished one is carried over.
            text = carried + chunk
            cut = max(text.rfind(b"<c "), 0) or max(text.rfind(b"<"), 0)
            if len(text) - cut > CHUNK_BYTES * 2:  # No cell is as long; what is must not be copied again and again.
                cut = len(text)
            text, carried = text[:cut], text[cut:]
            rows, columns = _bounded(text, rows, columns, name)
            _note_cells(text, part.filename, found)
            _weigh(text, name, found)
    _bounded(carried, rows, columns, name)
    _note_cells(carried, part.filename, found)


def _weigh(text: bytes, name: str, found: _Found) -> None:
    """Add up what the cells of *text* make of shared texts. A cell that names none of them is damage, told later."""
    lengths = found.shared
    found.text_bytes += sum(lengths[at] for at in map(int, _SHARED_CELL.findall(text)) if at < len(lengths))
    if found.text_bytes > MAX_TEXT_MIB << 20:
        raise ListUnreadableError(path=name, why="too_big", detail=str(MAX_TEXT_MIB))


def _bounded(text: bytes, rows: int, columns: int, name: str) -> tuple[int, int]:
    """The rectangle with the cells of *text*. It is laid out in full: one stray cell far off would cost gigabytes."""
    rows = max(rows, *map(int, set(_FAR_ROW.findall(text))), 0)
    columns = max(columns, *map(_number, set(_FAR_COLUMN.findall(text))), 0)
    if rows > MAX_ROWS:
        raise ListUnreadableError(path=name, why="too_many_rows", detail=f"{MAX_ROWS:,}")
    if rows * columns > MAX_AREA:
        raise ListUnreadableError(path=name, why="too_wide", detail=f"{MAX_AREA:,}")
    return rows, columns


def _note_cells(text: bytes, part: str, found: _Found) -> None:
    if b't="e"' in text or b"t='e'" in text:
        found.failed.setdefault(part, []).extend(map(_cell, _ERROR_CELL.findall(text)))
    known = found.formulas.get(part, [])
    if (b"<f" in text or b":f" in text) and len(known) < MAX_FORMULAS:
        cells = [_cell(match) for match in _FORMULA_CELL.findall(text)]
        if cells:
            found.formulas[part] = [*known, *cells][:MAX_FORMULAS]


def _cell(reference: tuple[bytes, bytes]) -> tuple[int, int]:
    return int(reference[1]) - 1, _number(reference[0]) - 1


def _number(letters: bytes) -> int:
    number = 0
    for letter in letters:
        number = number * 26 + letter - 64
    return number


def _tags(text: str, kind: str) -> list[dict[str, str]]:
    return [
        {name: html.unescape(one or other) for name, one, other in _ATTRIBUTE.findall(attributes)}
        for tag, attributes in _TAG.findall(text)
        if tag == kind
    ]


def _links(text: str) -> list[str]:
    """Where relationships of a part point outside the workbook. They are named, never followed."""
    return [tag.get("Target", "") for tag in _tags(text, "Relationship") if tag.get("TargetMode") == "External"]


def _small(archive: zipfile.ZipFile, part: zipfile.ZipInfo, name: str) -> str:
    """A part that describes others, and is never large."""
    if part.file_size > MAX_DESCRIPTION_MIB << 20:
        raise ListUnreadableError(path=name, why="too_big", detail=str(MAX_DESCRIPTION_MIB))
    return archive.read(part).decode("utf-8", "replace")


def _titles(archive: zipfile.ZipFile, name: str) -> dict[str, str]:
    """The title of the sheet in each part (ECMA-376-1 §18.2.19, the relationships of the workbook)."""
    try:
        book, links = (
            _small(archive, archive.getinfo(part), name) for part in ("xl/workbook.xml", "xl/_rels/workbook.xml.rels")
        )
    except KeyError:
        return {}
    parts = {tag.get("Id"): tag.get("Target", "") for tag in _tags(links, "Relationship")}
    return {
        posixpath.normpath(posixpath.join("/xl", parts.get(tag.get("r:id"), ""))).lstrip("/"): tag.get("name", "")
        for tag in _tags(book, "sheet")
    }


# 2. Sheets.


def _grid(book: CalamineWorkbook, title: str, table: Table, name: str, found: _Found) -> Grid:
    sheet = book.get_sheet_by_name(title)
    rows: list[list[Value]] = sheet.to_python(skip_empty_area=False)
    blank = [not any(text_of(value).strip() for value in row) for row in rows]
    merges = sheet.merged_cell_ranges or []
    filled = 0
    for (top, left), (bottom, _) in merges:
        # The value of merged cells is kept in the first one; below it, it holds for each row.
        for row in range(top + 1, min(bottom + 1, len(rows))):
            filled += 1
            if left < len(rows[row]) and rows[row][left] == "":
                rows[row][left] = rows[top][left]
        if filled > MAX_AREA:
            raise ListUnreadableError(path=name, why="too_wide", detail=f"{MAX_AREA:,}")
    failed = found.cells(found.failed, title)
    formulas = sorted(found.cells(found.formulas, title))
    return Grid(title, table, rows, blank=blank, merges=merges, failed=frozenset(failed), formulas=formulas)
