"""Read a city's sources with plain libraries and nothing of ours: what any other program would see."""

from __future__ import annotations

import csv
import gzip
import io
import json
import sqlite3
import struct
import zipfile
from contextlib import closing
from typing import TYPE_CHECKING

import defusedxml.ElementTree
import openpyxl
import pyarrow.parquet as pq

if TYPE_CHECKING:
    from pathlib import Path

Rows = tuple[list[str], list[list[str | None]]]
DATABASES = {
    "ga-population": "population.sqlite",
    "mz-affairs": "affairs.sqlite",
    "zj-housing": "housing.sqlite",
    "zj-exchange": "front-end.sqlite",
}


def read(folder: Path, system: str, object_: str, options: dict[str, str]) -> Rows:
    """Headings and rows of the object, over all files it names."""
    room = folder / system[:2]
    if system in DATABASES:
        return _sqlite(room / DATABASES[system], object_)
    if system == "sj-market":
        return _records(json.loads((room / f"{object_}.json").read_text(encoding="utf-8")))
    pattern, _, inside = object_.partition("#")
    headings: list[str] = []
    rows: list[list[str | None]] = []
    for path in sorted(room.glob(pattern)):
        headings, more = _file(path, system, inside, options)
        rows += more
    return headings, rows


def _file(path: Path, system: str, inside: str, options: dict[str, str]) -> Rows:
    if path.suffix == ".csv":
        return _csv(path.read_bytes().decode("gb18030"), ",")
    if path.suffix == ".zip" and inside == "*.xml":
        with zipfile.ZipFile(path) as archive:
            return _records([r for name in archive.namelist() for r in _elements(archive.read(name))])
    if path.suffix == ".zip":
        with zipfile.ZipFile(path) as archive:
            return _csv(archive.read(inside).decode("utf-8-sig"), ",")
    if path.suffix == ".xlsx":
        return _excel(path, inside, int(options.get("header_rows", "1")))
    if path.suffix == ".xml":
        return _records(_elements(path.read_bytes()))
    if path.suffix == ".gz":
        document = json.loads(gzip.decompress(path.read_bytes()))
        for name in options["rows"].split("."):
            document = document[name]
        return _records(document)
    if path.suffix == ".dbf":
        return _dbf(path.read_bytes())
    if path.suffix == ".ndjson":
        return _records([json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()])
    if path.suffix == ".parquet":
        table = pq.read_table(path)
        return table.column_names, [list(row.values()) for row in table.to_pylist()]
    if "layout" in options:
        return _fixed(path, options["layout"])
    return _csv(path.read_text(encoding="utf-8"), "|")


def _elements(xml: bytes) -> list[dict[str, object]]:
    return [{child.tag: child.text or "" for child in node} for node in defusedxml.ElementTree.fromstring(xml)]


def _dbf(data: bytes) -> Rows:
    count, head, width = struct.unpack_from("<IHH", data, 4)
    fields = [(data[at : at + 11].rstrip(b"\0").decode("gb18030"), data[at + 16]) for at in range(32, head - 1, 32)]
    rows: list[list[str | None]] = []
    for number in range(count):
        record = data[head + number * width : head + (number + 1) * width]
        if record[:1] == b" ":
            rest = io.BytesIO(record[1:])
            rows.append([rest.read(size).decode("gb18030").strip() for _, size in fields])
    return [name for name, _ in fields], rows


def _csv(text: str, delimiter: str) -> Rows:
    headings, *rows = csv.reader(io.StringIO(text), delimiter=delimiter)
    return headings, [list(row) for row in rows]


def _sqlite(path: Path, table: str) -> Rows:
    with closing(sqlite3.connect(path)) as db:
        found = db.execute(f'SELECT * FROM "{table}"')
        return [column[0] for column in found.description], [list(row) for row in found]


def _records(records: list[dict[str, object]]) -> Rows:
    headings = list(dict.fromkeys(name for record in records for name in record))
    texts = [[None if record.get(name) is None else str(record[name]) for name in headings] for record in records]
    return headings, texts


def _excel(path: Path, sheet: str, header_rows: int) -> Rows:
    book = openpyxl.load_workbook(path)
    lines = [list(row) for row in book[sheet].iter_rows(values_only=True)]
    top = 2 if header_rows == 2 else 0
    return [str(h) for h in lines[top]], [[None if v is None else str(v) for v in row] for row in lines[top + 1 :]]


def _fixed(path: Path, layout: str) -> Rows:
    slots = [(name, int(start), int(width)) for name, start, width in (part.split(":") for part in layout.split(","))]
    rows: list[list[str | None]] = [
        [line[start : start + width].decode("gb18030").strip() for _, start, width in slots]
        for line in path.read_bytes().splitlines()
    ]
    return [name for name, _, _ in slots], rows
