"""Write the records as each department's system keeps them: a writer for every kind of source.

Every writer is deterministic: the same table, the same bytes. Headings and layouts that a department chose are here;
what the hub accepts is written in `demo/responsibilities.yaml`, and a test holds the two together.
"""

from __future__ import annotations

import csv
import gzip
import io
import json
import sqlite3
import struct
import zipfile
from contextlib import closing
from typing import TYPE_CHECKING, Final
from xml.sax.saxutils import escape

import pyarrow as pa
import pyarrow.csv as pacsv
import pyarrow.parquet as pq

from hub.demo.draw import Table

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from hub.demo.draw import Row

GB18030: Final = "gb18030"

# Column headings of departments that write Chinese ones.
HEADINGS: Final[Mapping[str, tuple[str, ...]]] = {
    "3030010001": (
        "公民身份号码", "姓名", "险种", "单位统一社会信用代码", "参保日期", "月缴费基数", "参保状态", "参保地",
    ),
    "3030010002": ("发放流水号", "公民身份号码", "姓名", "银行账号", "发放月份", "发放金额", "发放日期"),
    "3080010001": ("学校标识码", "学校名称", "办学类型", "县级区划代码", "乡级区划代码", "地址", "专任教师数"),
    "3080010002": ("学籍号", "公民身份号码", "姓名", "性别", "学校标识码", "年级", "班级", "入学日期"),
    "3100010001": (
        "证号", "货主名称", "货主统一社会信用代码", "树种", "材积（立方米）", "起运地", "到达地", "运输车号",
        "核发日期", "有效期止",
    ),
    "3100010002": (
        "证书编号", "托运单位", "托运单位统一社会信用代码", "植物名称", "数量", "计量单位", "产地", "运往地点",
        "签发日期", "有效期止",
    ),
}  # fmt: skip
# The upper of the two heading rows of the social-insurance workbooks: (group, columns it spans).
GROUPS: Final[Mapping[str, tuple[tuple[str, int], ...]]] = {
    "3030010001": (("个人信息", 2), ("参保信息", 6)),
    "3030010002": (("发放信息", 1), ("领取人", 3), ("发放信息", 3)),
}
# Columns that the department renamed since the list was drawn up; the list knows both headings.
RENAMED: Final[Mapping[str, tuple[tuple[str, str], ...]]] = {
    "3020010002": (("name", "乡镇街道名称"),),
    "3070010002": (("plate", "plate_no"),),
}
# Widths in bytes of GB18030; a rare character takes four of them.
LAYOUTS: Final[Mapping[str, tuple[tuple[str, int], ...]]] = {
    "3090010001": (
        ("licence_no", 22), ("name", 80), ("uscc", 18), ("category", 2), ("county_code", 6), ("address", 120),
        ("principal", 40), ("valid_until", 10),
    ),
    "3090020001": (
        ("certificate_no", 10), ("child_name", 40), ("child_sex", 1), ("born_on", 10), ("mother_name", 40),
        ("mother_citizen_id", 18), ("father_name", 40), ("father_citizen_id", 18), ("institution", 80),
    ),
}  # fmt: skip
# Fields of the DBF: name in at most ten bytes, type, width in bytes, decimals. C is text, N a number, D a day.
DBF: Final[Mapping[str, tuple[tuple[str, str, int, int], ...]]] = {
    "3100020001": (
        ("古树编号", "C", 11, 0), ("树种", "C", 20, 0), ("树龄", "N", 5, 0), ("树高", "N", 6, 1), ("胸围", "N", 6, 1),
        ("级别", "C", 1, 0), ("区划代码", "C", 6, 0), ("位置", "C", 100, 0), ("建档日期", "D", 8, 0),
    ),
}  # fmt: skip
# The front-end table's second table: a line for each batch, with the number of its rows and whether it was taken.
BATCHES: Final = "tenancy_batch"
BATCH_COLUMNS: Final = ("batch_no", "row_count", "flag", "taken_at")
READY: Final = "0"
# When the DBF says it was saved (years since 1900, month, day), and its language byte for GBK.
DBF_SAVED: Final = (126, 3, 1)
DBF_GBK: Final = 0x4D


def write_sqlite(path: Path, tables: Mapping[str, Table]) -> None:
    """A database with one table of text columns for each of *tables*; the order of changes has an index."""
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        # A crash leaves a broken file, and a broken city is never put in place.
        db.execute("PRAGMA journal_mode = OFF")
        db.execute("PRAGMA synchronous = OFF")
        db.execute("BEGIN")
        for name, table in tables.items():
            columns = ", ".join(f'"{column}" TEXT' for column in table.columns)
            db.execute(f'CREATE TABLE "{name}" ({columns})')
            marks = ", ".join("?" * len(table.columns))
            db.executemany(f'INSERT INTO "{name}" VALUES ({marks})', table.rows)
            if "updated_at" in table.columns:
                db.execute(f'CREATE INDEX "{name}_updated" ON "{name}" (updated_at)')
        db.execute("COMMIT")


def write_exchange(path: Path, name: str, table: Table) -> None:
    """A front-end database (前置库): the rows of *table*, and beside it what batches there are, all of them ready."""
    batch = table.index("batch_no")
    counts: dict[str, int] = {}
    for row in table.rows:
        counts[row[batch] or ""] = counts.get(row[batch] or "", 0) + 1
    batches: list[Row] = [[number, str(rows), READY, None] for number, rows in sorted(counts.items())]
    write_sqlite(path, {name: table, BATCHES: Table("", BATCH_COLUMNS, batches)})


def write_dbf(path: Path, table: Table) -> None:
    """A dBASE III table in GB18030, of fields as in `DBF`; text stands left in its field, numbers right."""
    fields = DBF[table.code]
    # A byte for the mark of deletion, then the fields.
    record_bytes = 1 + sum(width for _, _, width, _ in fields)
    head = struct.pack(
        "<B3BIHH17sB2s", 3, *DBF_SAVED, len(table.rows), 33 + 32 * len(fields), record_bytes, b"", DBF_GBK, b""
    )
    described = b"".join(
        struct.pack("<11sc4sBB14s", name.encode(GB18030), kind.encode(), b"", width, decimals, b"")
        for name, kind, width, decimals in fields
    )
    records = bytearray()
    for row in table.rows:
        records += b" "
        for value, (_, kind, width, _) in zip(row, fields, strict=True):
            data = (value or "").encode(GB18030)
            if len(data) > width:
                raise ValueError("a value does not fit the DBF layout")
            records += data.rjust(width) if kind == "N" else data.ljust(width)
    path.write_bytes(head + described + b"\r" + bytes(records) + b"\x1a")


def csv_text(headings: Sequence[str], rows: Sequence[Row], delimiter: str = ",") -> str:
    """Delimited text with a heading line; None is written as nothing."""
    out = io.StringIO()
    writer = csv.writer(out, delimiter=delimiter, lineterminator="\n")
    writer.writerow(headings)
    writer.writerows(rows)
    return out.getvalue()


def write_divisions(folder: Path, divisions: Path) -> dict[str, int]:
    """The drop folder of the statistics office: the whole national list as GB18030 CSV; rows by resource code.

    Three files make up one resource (province, prefecture, county); the marker ``cunji.ok`` follows the villages.
    """
    counties = 0
    levels = (("1-sheng", "provinces", ""), ("2-diji", "cities", "provinceCode"), ("3-xian", "areas", "cityCode"))
    for label, source, parent in levels:
        with (divisions / f"{source}.csv").open(encoding="utf-8", newline="") as file:
            rows: list[Row] = [[r["code"], r["name"], label[0], r.get(parent, "")] for r in csv.DictReader(file)]
        counties += len(rows)
        text = csv_text(("统计用区划代码", "单位名称", "区划级别", "上级区划代码"), rows)
        (folder / f"xzqh-{label}.csv").write_bytes(text.encode(GB18030))
    with (divisions / "streets.csv").open(encoding="utf-8", newline="") as file:
        streets: list[Row] = [
            [r["code"], r["name"], r["areaCode"], r["cityCode"], r["provinceCode"]] for r in csv.DictReader(file)
        ]
    text = csv_text(("统计用区划代码", "乡镇街道名称", "县级区划代码", "地级区划代码", "省级区划代码"), streets)
    (folder / "xiangji-2023.csv").write_bytes(text.encode(GB18030))
    order = ["code", "name", "streetCode", "areaCode", "cityCode", "provinceCode"]
    villages = pq.read_table(divisions / "villages.parquet", columns=order).select(order)
    buffer = pa.BufferOutputStream()
    # Neither codes nor names of villages hold commas or quotes: quoting_style none would raise if one did.
    pacsv.write_csv(villages, buffer, pacsv.WriteOptions(include_header=False, quoting_style="none"))
    heading = "统计用区划代码,单位名称,乡级区划代码,县级区划代码,地级区划代码,省级区划代码\n"
    with (folder / "cunji-2023.csv").open("wb") as out:
        out.write(heading.encode(GB18030))
        out.write(buffer.getvalue().to_pybytes().decode().encode(GB18030))
    (folder / "cunji.ok").write_bytes(b"")
    return {"3020010001": counties, "3020010002": len(streets), "3020010003": villages.num_rows}


def write_zip(path: Path, members: Mapping[str, str]) -> None:
    """A zip of UTF-8 text files with the byte-order mark that Excel writes; every time stamp is 1980-01-01."""
    pack(path, {name: f"\ufeff{text}" for name, text in members.items()})


def write_json(path: Path, table: Table, *, integers: Sequence[str] = (), lines: bool = False) -> None:
    """The records as JSON objects: one array, or one object a line (*lines*); *integers* are written as numbers."""
    numbers = {table.index(column) for column in integers}
    records = (
        {
            column: int(value) if at in numbers and value and value.isdecimal() else value
            for at, (column, value) in enumerate(zip(table.columns, row, strict=True))
        }
        for row in table.rows
    )
    texts = [json.dumps(record, ensure_ascii=False) for record in records]
    body = "".join(f"{text}\n" for text in texts) if lines else "[\n" + ",\n".join(texts) + "\n]\n"
    path.write_text(body, encoding="utf-8")


def write_json_gz(path: Path, table: Table, *, rows: str) -> None:
    """One packed JSON document: the records under *rows* of its ``data``, beside what else such an answer holds."""
    records = [dict(zip(table.columns, row, strict=True)) for row in table.rows]
    pack_json(path, {"code": 0, "data": {"total": len(records), rows: records}})


def pack_json(path: Path, document: object) -> None:
    """A JSON document, packed without the hour."""
    path.write_bytes(gzip.compress(json.dumps(document, ensure_ascii=False).encode(), compresslevel=6, mtime=0))


def write_xml_zip(path: Path, table: Table, *, root: str, record: str, by: str) -> None:
    """A zip of XML exports, one for each value of the column *by*."""
    column = table.index(by)
    parts: dict[str, Table] = {}
    for row in table.rows:
        parts.setdefault(row[column] or "", Table(table.code, table.columns, [])).rows.append(row)
    pack(path, {f"{name}.xml": xml_text(part, root=root, record=record) for name, part in sorted(parts.items())})


def pack(path: Path, members: Mapping[str, str]) -> None:
    """A zip of UTF-8 text files; every time stamp is 1980-01-01."""
    with zipfile.ZipFile(path, "w") as archive:
        for name, text in members.items():
            archive.writestr(zipfile.ZipInfo(name), text.encode(), zipfile.ZIP_DEFLATED, 1)


def write_xml(path: Path, table: Table, *, root: str, record: str) -> None:
    """An export as a file of its own; see `xml_text`."""
    path.write_text(xml_text(table, root=root, record=record), encoding="utf-8")


def xml_text(table: Table, *, root: str, record: str) -> str:
    """An export as one element for each record, one record a line, with one child for each value there is."""
    opened, closed = f"<{record}>", f"</{record}>\n"
    parts = [f'<?xml version="1.0" encoding="UTF-8"?>\n<{root}>\n']
    for row in table.rows:
        values = (
            f"<{column}>{escape(value)}</{column}>"
            for column, value in zip(table.columns, row, strict=True)
            if value is not None
        )
        parts.append(opened + "".join(values) + closed)
    parts.append(f"</{root}>\n")
    return "".join(parts)


def write_parquet(path: Path, table: Table) -> None:
    """The records as text columns, under the headings the department uses now."""
    now = dict(RENAMED.get(table.code, ()))
    columns = list(zip(*table.rows, strict=True))
    data = {
        now.get(name, name): pa.array(column, pa.string()) for name, column in zip(table.columns, columns, strict=True)
    }
    pq.write_table(pa.table(data), path, compression="zstd")


def write_fixed_width(path: Path, table: Table) -> None:
    """Lines of fixed byte widths in GB18030, padded with spaces; no value may be longer than its column."""
    widths = [width for _, width in LAYOUTS[table.code]]
    lines = bytearray()
    for row in table.rows:
        for value, width in zip(row, widths, strict=True):
            data = (value or "").encode(GB18030)
            if len(data) > width:
                raise ValueError("a value does not fit the fixed-width layout")
            lines += data.ljust(width)
        lines += b"\n"
    path.write_bytes(bytes(lines))


def write_xlsx(path: Path, table: Table, *, sheet: str, title: str = "", numeric: Sequence[str] = ()) -> None:
    """A workbook of one sheet. With *title*: a title row and two heading rows with merged groups; else one heading row.

    Cells are inline text, the amounts in *numeric* numbers. Written by hand rather than with a library, which stamps
    the hour into every workbook and needs a second for what takes a tenth here.
    """
    headings = HEADINGS[table.code]
    last = _letters(len(headings) - 1)
    rows: list[str] = []
    merges: list[str] = []
    if title:
        rows.append(_cells(1, {0: title}))
        merges.append(f"A1:{last}1")
        groups: dict[int, str] = {}
        at = 0
        for group, span in GROUPS[table.code]:
            groups[at] = group
            if span > 1:
                merges.append(f"{_letters(at)}2:{_letters(at + span - 1)}2")
            at += span
        rows.append(_cells(2, groups))
    rows.append(_cells(len(rows) + 1, dict(enumerate(headings))))
    amounts = {table.index(column) for column in numeric}
    letters = [_letters(at) for at in range(len(headings))]
    for number, row in enumerate(table.rows, start=len(rows) + 1):
        cells = [
            f'<c r="{letters[at]}{number}"><v>{value}</v></c>'
            if at in amounts and _is_number(value)
            else f'<c r="{letters[at]}{number}" t="inlineStr"><is><t>{escape(value)}</t></is></c>'
            for at, value in enumerate(row)
            if value
        ]
        rows.append(f'<row r="{number}">{"".join(cells)}</row>')
    merged = "".join(f'<mergeCell ref="{ref}"/>' for ref in merges)
    body = f"{_XML}<worksheet {_MAIN}><sheetData>{''.join(rows)}</sheetData>"
    body += f'<mergeCells count="{len(merges)}">{merged}</mergeCells></worksheet>' if merges else "</worksheet>"
    entry = f'<sheet name="{escape(sheet)}" sheetId="1" r:id="rId1"/>'
    workbook = f"{_XML}<workbook {_MAIN} {_REL}><sheets>{entry}</sheets></workbook>"
    with zipfile.ZipFile(path, "w") as archive:
        for name, text in (*_PARTS.items(), ("xl/workbook.xml", workbook), ("xl/worksheets/sheet1.xml", body)):
            archive.writestr(zipfile.ZipInfo(name), text.encode(), zipfile.ZIP_DEFLATED, 1)


def _cells(number: int, texts: Mapping[int, str]) -> str:
    cells = (f'<c r="{_letters(at)}{number}" t="inlineStr"><is><t>{escape(t)}</t></is></c>' for at, t in texts.items())
    return f'<row r="{number}">{"".join(cells)}</row>'


def _letters(at: int) -> str:
    # No sheet here has more than 26 columns.
    return chr(ord("A") + at)


def _is_number(value: str) -> bool:
    return value.replace(".", "", 1).isascii() and value.replace(".", "", 1).isdigit()


_XML: Final = '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n'
_OFFICE: Final = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
_PACKAGE: Final = "http://schemas.openxmlformats.org/package/2006"
_TYPE: Final = "application/vnd.openxmlformats-officedocument.spreadsheetml"
_MAIN: Final = 'xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"'
_REL: Final = f'xmlns:r="{_OFFICE}"'
# The fixed parts of a workbook of one sheet (ECMA-376 part 2 §9, part 1 §12).
_PARTS: Final = {
    "[Content_Types].xml": (
        f'{_XML}<Types xmlns="{_PACKAGE}/content-types">'
        '<Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
        '<Default Extension="xml" ContentType="application/xml"/>'
        f'<Override PartName="/xl/workbook.xml" ContentType="{_TYPE}.sheet.main+xml"/>'
        f'<Override PartName="/xl/worksheets/sheet1.xml" ContentType="{_TYPE}.worksheet+xml"/></Types>'
    ),
    "_rels/.rels": (
        f'{_XML}<Relationships xmlns="{_PACKAGE}/relationships">'
        f'<Relationship Id="rId1" Type="{_OFFICE}/officeDocument" Target="xl/workbook.xml"/></Relationships>'
    ),
    "xl/_rels/workbook.xml.rels": (
        f'{_XML}<Relationships xmlns="{_PACKAGE}/relationships">'
        f'<Relationship Id="rId1" Type="{_OFFICE}/worksheet" Target="worksheets/sheet1.xml"/></Relationships>'
    ),
}
