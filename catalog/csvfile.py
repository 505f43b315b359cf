"""Reads a list that is kept as CSV files, one for each table, in a folder or a zip, remembering lines.

Encodings, delimiters and what a spreadsheet would run are dealt with here; where in a file the table is, is
`catalog.grid`, and what its texts mean `catalog.build`.

A spreadsheet takes a field that begins with one of ``= + - @`` (half or full width) for a formula and runs it. Such a
field is written with an apostrophe before it, and a field that begins with apostrophes and one of those characters
loses one apostrophe when read: nothing is run, and nothing is lost.
"""

from __future__ import annotations

import csv
import io
import re
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Final

from catalog.errors import ListUnreadableError
from catalog.grid import HEADING_ROWS_SEARCHED, MAX_AREA, MAX_ROWS, Grid, Titles, Value, headings_in, tables_of
from catalog.raw import Faults, RawList
from catalog.zipped import named, opened

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path

    from catalog.layout import Table

# The reference city's list is some 20 MiB of text.
MAX_TEXT_MIB: Final = 64
SUFFIXES: Final = (".csv", ".tsv")
_DELIMITERS: Final = ",\t;"
_RUN = re.compile(r"'*[=+\-@＝＋－＠]")
_KEPT = re.compile(r"'+[=+\-@＝＋－＠]")


def guarded(text: str) -> str:
    """*text* so that a spreadsheet that opens the file does not run it."""
    return "'" + text if _RUN.match(text) else text


def _unguarded(text: str) -> str:
    """The inverse of `guarded`."""
    return text[1:] if _KEPT.match(text) else text


def read_zip(data: bytes, name: str, faults: Faults) -> RawList:
    """The raw list in a zip of CSV files; folders in it make no difference.

    Raises:
        ListUnreadableError: encrypted, damaged, no zip, or beyond the bounds.
    """
    files: dict[str, bytes] = {}
    with opened(data, name, MAX_TEXT_MIB) as archive:
        for part in archive.infolist():
            path = PurePosixPath(named(part).replace("\\", "/"))
            # What operating systems add for themselves is read past.
            if not part.is_dir() and path.parts and path.parts[0] != "__MACOSX" and not path.name.startswith("."):
                files.setdefault(str(path), archive.read(part))
    return _raw_list({PurePosixPath(path).name: content for path, content in sorted(files.items())}, name, faults)


def read_folder(folder: Path, faults: Faults) -> RawList:
    """The raw list in a folder of CSV files.

    Raises:
        ListUnreadableError: a file cannot be opened, or they are beyond the bounds.
    """
    files: dict[str, bytes] = {}
    room = MAX_TEXT_MIB << 20
    try:
        for path in sorted(folder.iterdir()):
            if not path.is_file() or path.name.startswith((".", "~")):
                continue
            # Other files are named as no part of the list, not read.
            files[path.name] = b""
            if path.suffix.lower() in SUFFIXES:
                with path.open("rb") as stream:
                    files[path.name] = stream.read(room + 1)
            room -= len(files[path.name])
            if room < 0:
                raise ListUnreadableError(path=folder.name, why="too_big", detail=str(MAX_TEXT_MIB))
    except OSError as error:
        raise ListUnreadableError(path=folder.name, why="not_permitted", detail=error.strerror or "") from error
    return _raw_list(files, folder.name, faults)


def _raw_list(files: Mapping[str, bytes], name: str, faults: Faults) -> RawList:
    if not any(PurePosixPath(file).suffix.lower() in SUFFIXES for file in files):
        raise ListUnreadableError(path=name, why="no_tables")
    titles = Titles(faults)
    grids: dict[str, Grid] = {}
    for file, data in files.items():
        path = PurePosixPath(file)
        table = titles.table(path.stem if path.suffix.lower() in SUFFIXES else file, file)
        if table is not None:
            grids[table.key] = _grid(_decoded(data, file), file, table)
    return RawList(*tables_of(grids, name, faults))


def _decoded(data: bytes, file: str) -> str:
    """UTF-8, with or without a mark, or GB18030: hardly any Chinese text in the one is well-formed in the other."""
    for encoding in ("utf-8-sig", "gb18030"):
        try:
            return data.decode(encoding)
        except UnicodeDecodeError:
            continue
    raise ListUnreadableError(path=file, why="encoding", detail="?")


def _grid(text: str, file: str, table: Table) -> Grid:
    if sum(text.count(delimiter) for delimiter in _DELIMITERS) > MAX_AREA:
        raise ListUnreadableError(path=file, why="too_wide", detail=f"{MAX_AREA:,}")
    delimiter = max(_DELIMITERS, key=lambda found: headings_in(_first_rows(text, found, file), table))
    rows: list[list[Value]] = []
    lines: list[int] = []
    for line, row in _records(text, delimiter, file):
        rows.append([_unguarded(value) for value in row])
        lines.append(line)
        if len(rows) > MAX_ROWS:
            raise ListUnreadableError(path=file, why="too_many_rows", detail=f"{MAX_ROWS:,}")
    return Grid(file, table, rows or [[]], lines=lines or [1])


def _first_rows(text: str, delimiter: str, file: str) -> list[list[str]]:
    """The rows among which the headings are; fewer where the text cannot be read with this delimiter."""
    rows = []
    try:
        for _, row in zip(range(HEADING_ROWS_SEARCHED), _records(text, delimiter, file), strict=False):
            rows.append(row[1])
    except ListUnreadableError:
        pass  # Read with the right delimiter, it is told.
    return rows


def _records(text: str, delimiter: str, file: str) -> Iterator[tuple[int, list[str]]]:
    """Each record with the line at which it begins; a quoted value may hold line ends."""
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    line = 1
    try:
        for row in reader:
            yield line, row
            line = reader.line_num + 1
    except csv.Error as error:
        raise ListUnreadableError(path=file, why="csv", detail=str(line)) from error


def written(rows: Iterable[Iterable[str | int | float]]) -> bytes:
    """Rows as a file that spreadsheets open as it is meant: UTF-8 with a mark, commas, nothing to run."""
    buffer = io.StringIO(newline="")
    writer = csv.writer(buffer, lineterminator="\r\n")
    for row in rows:
        writer.writerow([guarded(value) if isinstance(value, str) else repr(value) for value in row])
    return b"\xef\xbb\xbf" + buffer.getvalue().encode()
