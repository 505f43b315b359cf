"""Writers of small sources, one for each kind: the other side of the connectors."""

from __future__ import annotations

import contextlib
import csv
import gzip
import io
import json
import re
import secrets
import shutil
import sqlite3
import struct
import zipfile
from typing import TYPE_CHECKING
from xml.sax.saxutils import escape

import httpx
import openpyxl
import pyarrow as pa
import pyarrow.parquet as pq

from connectors.http_json import HttpJsonConnector
from connectors.registry import connect
from connectors.retry import Waiting
from tests.contracts.connector_suite import Made, Row, SourceKind

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

# XML 1.0 section 2.2: what no XML file can hold; CR is turned into LF by every reader (2.11).
NOT_IN_XML = re.compile("[\x00-\x08\x0b-\x1f\ufffe\uffff]")


def no_secrets(reference: str) -> str:
    raise AssertionError(reference)


def halve(path: Path, keep: float = 0.55) -> None:
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * keep)])


def csv_text(headings: Sequence[str], rows: Sequence[Row]) -> str:
    out = io.StringIO(newline="")
    writer = csv.writer(out, lineterminator="\r\n")
    writer.writerow(headings)
    writer.writerows(rows)
    return out.getvalue()


class FileKind(SourceKind):
    kind = ""
    file = "rows.dat"

    def made(self, folder: Path, **options: str) -> Made:
        return Made(connect(self.kind, {"folder": str(folder)}, no_secrets), self.file, options)

    def cut(self, made: Made, folder: Path) -> Made:
        halve(folder / self.file)
        return made


class CsvKind(FileKind):
    kind = "csv"
    file = "rows.csv"
    encoding = "gb18030"

    def write(self, folder: Path, headings: Sequence[str], rows: Sequence[Row]) -> Made:
        (folder / self.file).write_bytes(csv_text(headings, rows).encode(self.encoding))
        return self.made(folder, encoding=self.encoding)

    def cut(self, made: Made, folder: Path) -> Made:
        path = folder / self.file
        # In the middle of the last line, two columns in.
        path.write_bytes(path.read_bytes().rpartition(b",")[0])
        return made


class Utf16CsvKind(CsvKind):
    encoding = "utf-16"

    def cut(self, made: Made, folder: Path) -> Made:
        path = folder / self.file
        path.write_bytes(path.read_text(encoding="utf-16").rpartition(",")[0].encode("utf-16"))
        return made


class ZipCsvKind(FileKind):
    kind = "zip-csv"
    file = "rows.zip"

    def write(self, folder: Path, headings: Sequence[str], rows: Sequence[Row]) -> Made:
        with zipfile.ZipFile(folder / self.file, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("导出/数据.csv", csv_text(headings, rows).encode("gb18030"))
        made = self.made(folder, encoding="gb18030")
        made.object = "rows*.zip#数据*.csv"
        return made


class GzipCsvKind(CsvKind):
    file = "rows.csv.gz"

    def write(self, folder: Path, headings: Sequence[str], rows: Sequence[Row]) -> Made:
        data = csv_text(headings, rows).encode(self.encoding)
        (folder / self.file).write_bytes(gzip.compress(data, mtime=0))
        return self.made(folder, encoding=self.encoding)

    def cut(self, made: Made, folder: Path) -> Made:
        halve(folder / self.file)
        return made


class SftpCsvKind(CsvKind):
    """The same files on an SFTP server; whoever uses it sets the server."""

    server = None

    def made(self, folder: Path, **options: str) -> Made:
        there = self.server.new()
        for path in folder.iterdir():
            shutil.copy(path, there)
        self.there = there
        return Made(connect("csv", self.server.settings(there), no_secrets), self.file, options)

    def cut(self, made: Made, folder: Path) -> Made:
        return super().cut(made, self.there)

    def remove(self, made: Made, folder: Path) -> Made:
        settings = self.server.settings(self.there, port="1")
        made.connector = connect("csv", settings, no_secrets, waiting=Waiting(sleep=lambda _: None))
        return made


class BucketCsvKind(CsvKind):
    """The same files in a bucket; whoever uses it sets the server."""

    server = None
    bucket = None

    def settings(self, **others: str) -> dict[str, str]:
        given = {
            "place": "s3",
            "endpoint": self.server.endpoint,
            "bucket": self.bucket,
            "prefix": self.prefix,
            "access_key": "env:ACCESS",
            "secret_key": "env:SECRET",
            "secure": "no",
        }
        return {**given, **others}

    def connector(self, **others: str):
        keys = {"env:ACCESS": self.server.access_key, "env:SECRET": self.server.secret_key}
        return connect("csv", self.settings(**others), keys.__getitem__, waiting=Waiting(sleep=lambda _: None))

    def made(self, folder: Path, **options: str) -> Made:
        self.bucket = self.bucket or self.server.bucket()
        self.prefix = f"drop/{secrets.token_hex(6)}"
        for path in folder.iterdir():
            self.server.put(self.bucket, f"{self.prefix}/{path.name}", path.read_bytes())
        return Made(self.connector(), self.file, options)

    def cut(self, made: Made, folder: Path) -> Made:
        super().cut(made, folder)
        self.server.put(self.bucket, f"{self.prefix}/{self.file}", (folder / self.file).read_bytes())
        return made

    def remove(self, made: Made, folder: Path) -> Made:
        made.connector = self.connector(endpoint="127.0.0.1:1")
        return made


class SqliteKind(SourceKind):
    nulls = True

    def write(self, folder: Path, headings: Sequence[str], rows: Sequence[Row]) -> Made:
        path = folder / "source.sqlite"
        path.unlink(missing_ok=True)
        names = ", ".join('"' + heading.replace('"', '""') + '" TEXT' for heading in headings)
        with contextlib.closing(sqlite3.connect(path)) as connection, connection:
            connection.execute(f"CREATE TABLE rows ({names})")
            connection.executemany(f"INSERT INTO rows VALUES ({', '.join('?' * len(headings))})", rows)
        settings = {"path": str(path), "busy_timeout_s": "0.05"}
        return Made(connect("sqlite", settings, no_secrets), "rows")

    def cut(self, made: Made, folder: Path) -> Made:
        halve(folder / "source.sqlite")
        return made


class NdjsonKind(FileKind):
    kind = "ndjson"
    file = "rows.ndjson"
    nulls = True

    def write(self, folder: Path, headings: Sequence[str], rows: Sequence[Row]) -> Made:
        lines = [json.dumps(dict(zip(headings, row, strict=True)), ensure_ascii=False) for row in rows]
        (folder / self.file).write_text("".join(line + "\n" for line in lines), encoding="utf-8")
        return self.made(folder)


class JsonKind(FileKind):
    kind = "json"
    file = "rows.json"
    nulls = True

    def write(self, folder: Path, headings: Sequence[str], rows: Sequence[Row]) -> Made:
        records = [dict(zip(headings, row, strict=True)) for row in rows]
        document = {"head": {"n": [1, {"rows": 2}]}, "data": {"rows": records, "total": len(rows)}, "tail": "]"}
        (folder / self.file).write_text(json.dumps(document, ensure_ascii=False), encoding="utf-8")
        return self.made(folder, rows="data.rows")


def dbf(fields: Sequence[tuple[bytes, str, int]], records: Sequence[bytes], *, version=0x03, language=0x4D) -> bytes:
    """A table of these fields (name, type, width; decimals and flags may follow) and records (with their marks)."""
    described = b""
    for name, kind, width, *more in fields:
        decimals, flags = (*more, 0, 0)[:2]
        described += struct.pack("<11sc4xBBB13x", name, kind.encode(), width, decimals, flags)
    header = 32 + len(described) + 1
    width = 1 + sum(field[2] + (256 * field[3] if field[1] == "C" and len(field) > 3 else 0) for field in fields)
    head = struct.pack("<B3BIHH16xBB2x", version, 26, 1, 1, len(records), header, width, 0, language)
    return head + described + b"\r" + b"".join(records) + b"\x1a"


class DbfKind(FileKind):
    kind = "dbf"
    file = "rows.dbf"
    width = 60

    def holds(self, text: str) -> bool:
        return len(text.encode("gb18030")) <= self.width and not text.endswith((" ", "\0"))

    def write(self, folder: Path, headings: Sequence[str], rows: Sequence[Row]) -> Made:
        fields = [(heading.encode("gb18030"), "C", self.width) for heading in headings]
        records = [b" " + b"".join((v or "").encode("gb18030").ljust(self.width) for v in row) for row in rows]
        (folder / self.file).write_bytes(dbf(fields, records))
        return self.made(folder)


class ParquetKind(FileKind):
    kind = "parquet"
    file = "rows.parquet"
    nulls = True

    def write(self, folder: Path, headings: Sequence[str], rows: Sequence[Row]) -> Made:
        arrays = [pa.array([row[i] for row in rows], pa.string()) for i in range(len(headings))]
        pq.write_table(pa.table(arrays, names=list(headings)), folder / self.file)
        return self.made(folder)


class XmlKind(FileKind):
    kind = "xml"
    spaced_headings = False  # XML 1.0 section 2.3: a name holds neither spaces nor compatibility characters
    file = "rows.xml"
    nulls = True

    def holds(self, text: str) -> bool:
        return not NOT_IN_XML.search(text)

    def write(self, folder: Path, headings: Sequence[str], rows: Sequence[Row]) -> Made:
        names = headings
        xsi = "http://www.w3.org/2001/XMLSchema-instance"
        parts = [f'<?xml version="1.0" encoding="GB18030"?>\n<export xmlns:xsi="{xsi}"><meta a="1">x</meta><list>\n']
        for row in rows:
            fields = [
                f'<{n} xsi:nil="true"/>' if v is None else f"<{n}>{escape(v)}</{n}>"
                for n, v in zip(names, row, strict=True)
            ]
            parts.append(f"<record>{''.join(fields)}</record>\n")
        parts.append("</list></export>\n")
        (folder / self.file).write_bytes("".join(parts).encode("gb18030"))
        return self.made(folder, record="record")


class ZipXmlKind(XmlKind):
    file = "rows.zip"

    def write(self, folder: Path, headings: Sequence[str], rows: Sequence[Row]) -> Made:
        self.file = "rows.xml"
        made = super().write(folder, headings, rows)
        self.file = "rows.zip"
        plain = folder / "rows.xml"
        with zipfile.ZipFile(folder / self.file, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.write(plain, "导出/数据.xml")
        plain.unlink()
        made.object = "rows*.zip#数据*.xml"
        return made


class FixedWidthKind(FileKind):
    kind = "fixed-width"
    file = "rows.txt"
    width = 60

    def holds(self, text: str) -> bool:
        # Trailing spaces are the format's padding; a line end ends the record.
        encoded = text.encode("gb18030")
        return len(encoded) <= self.width and not text.endswith(" ") and not set(text) & set("\r\n")

    def write(self, folder: Path, headings: Sequence[str], rows: Sequence[Row]) -> Made:
        lines = [b"".join((v or "").encode("gb18030").ljust(self.width) for v in row) + b"\r\n" for row in rows]
        (folder / self.file).write_bytes(b"".join(lines))
        layout = ",".join(f"{h}:{i * self.width}:{self.width}" for i, h in enumerate(headings))
        return self.made(folder, layout=layout)


class ExcelKind(FileKind):
    kind = "excel"
    file = "rows.xlsx"
    nulls = True

    def holds(self, text: str) -> bool:
        # A workbook has no empty text, and spells _x000D_ for what XML cannot hold. The library that writes ours here
        # does not mark a text of nothing but white space as one to be kept.
        return text.strip(" \t\r\n") != "" and not NOT_IN_XML.search(text) and not re.search("_x[0-9A-Fa-f]{4}_", text)

    def write(self, folder: Path, headings: Sequence[str], rows: Sequence[Row]) -> Made:
        book = openpyxl.Workbook()
        sheet = book.active
        sheet.title = "数据"
        for number, row in enumerate([tuple(headings), *rows], 1):
            for column, value in enumerate(row, 1):
                if value is not None:
                    cell = sheet.cell(number, column)
                    cell.value = value
                    cell.data_type = "s"
        book.save(folder / self.file)
        book.close()
        made = self.made(folder)
        made.object = "rows.xlsx#数据"
        return made


class Service:
    """A paged JSON service in memory; *script* gives answers to come before the ordinary ones."""

    def __init__(self, records: list[dict[str, object]], page_cap: int = 2) -> None:
        self.records = records
        self.page_cap = page_cap
        self.script: list[httpx.Response | Exception] = []
        self.seen: list[httpx.Request] = []
        self.token = "demo-token"

    def __call__(self, sent: httpx.Request) -> httpx.Response:
        self.seen.append(sent)
        if self.script:
            answer = self.script.pop(0)
            if isinstance(answer, Exception):
                raise answer
            return answer
        if sent.headers.get("Authorization") != f"Bearer {self.token}":
            return httpx.Response(401, json={"error": "who?"})
        if sent.url.path != "/api/rows":
            return httpx.Response(404, json={})
        page = int(sent.url.params["page"])
        size = min(int(sent.url.params["page_size"]), self.page_cap)
        rows = self.records[(page - 1) * size : page * size]
        return httpx.Response(200, json={"items": rows, "total": len(self.records)})


class HttpJsonKind(SourceKind):
    nulls = True

    def __init__(self) -> None:
        self.service = Service([])
        self.slept: list[float] = []

    def connector(self, **settings: str) -> HttpJsonConnector:
        self.slept = []
        return HttpJsonConnector(
            {"base_url": "https://dept.example/api", "token": "env:TOKEN", **settings},
            {"env:TOKEN": "demo-token"}.__getitem__,
            waiting=Waiting(sleep=self.slept.append),
            transport=httpx.MockTransport(self.service),
        )

    def write(self, folder: Path, headings: Sequence[str], rows: Sequence[Row]) -> Made:
        self.service = Service([dict(zip(headings, row, strict=True)) for row in rows])
        return Made(self.connector(), "rows")

    def cut(self, made: Made, folder: Path) -> Made:
        whole = json.dumps({"items": self.service.records, "total": 5}).encode()
        headers = {"Content-Type": "application/json"}
        self.service.script = [httpx.Response(200, content=whole[: len(whole) // 2], headers=headers)]
        return made

    def remove(self, made: Made, folder: Path) -> Made:
        self.service.script = [httpx.ConnectError("refused") for _ in range(9)]
        return made
