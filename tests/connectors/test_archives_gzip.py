"""Packed files of every kind: read as if they were not packed, and refused when they are built to harm."""

from __future__ import annotations

import gzip
import io
import random
import zipfile

import openpyxl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from connectors import archive
from connectors.errors import (
    SourceEncodingError,
    SourceHostileError,
    SourceIncompleteError,
    SourceObjectMissingError,
    SourceShapeError,
)
from connectors.protocol import Column, ReadRequest
from connectors.registry import connect
from tests.connectors.kinds import dbf, no_secrets
from tests.contracts.connector_suite import landed

CSV = b"id,name\n1,a\n2,b\n"


def workbook():
    book = openpyxl.Workbook()
    for row in (["id", "name"], ["1", "a"], ["2", "b"]):
        book.active.append(row)
    out = io.BytesIO()
    book.save(out)
    book.close()
    return out.getvalue()


def parquet():
    out = io.BytesIO()
    pq.write_table(pa.table({"id": ["1", "2"], "name": ["a", "b"]}), out)
    return out.getvalue()


# By kind: a file's name, its content, and the options it needs.
SAMPLES = {
    "csv": ("a.csv", CSV, {}),
    "tsv": ("a.tsv", CSV.replace(b",", b"\t"), {}),
    "ndjson": ("a.ndjson", b'{"id":1,"name":"a"}\n{"id":2,"name":"b"}\n', {}),
    "json": ("a.json", b'[{"id":1,"name":"a"},{"id":2,"name":"b"}]', {}),
    "xml": (
        "a.xml",
        b"<r><p><id>1</id><name>a</name></p><p><id>2</id><name>b</name></p></r>",
        {"record": "p"},
    ),
    "fixed-width": ("a.txt", b"1a\n2b\n", {"layout": "id:0:1,name:1:1"}),
    "dbf": ("A.DBF", dbf(((b"id", "N", 1), (b"name", "C", 1)), (b" 1a", b" 2b")), {}),
    "excel": ("a.xlsx", workbook(), {}),
    "parquet": ("a.parquet", parquet(), {}),
}


def read(kind, folder, into, name, **options):
    request = ReadRequest("R", name, (Column("id"), Column("name")), None, "", options)
    return connect(kind, {"folder": str(folder)}, no_secrets).read(request, into)


def fails(error, *arguments, **options):
    with pytest.raises(error) as caught:
        read(*arguments, **options)
    into = arguments[2]
    assert not into.parent.exists() or list(into.parent.iterdir()) == []
    return caught.value


@pytest.mark.parametrize("kind", SAMPLES)
def test_every_kind_is_read_packed(folder, into, kind):
    name, data, options = SAMPLES[kind]
    expected = [(1, "1", "a"), (2, "2", "b")]
    (folder / f"{name}.gz").write_bytes(gzip.compress(data))
    assert landed(read(kind, folder, into, f"{name}.gz", **options)) == expected
    with zipfile.ZipFile(folder / "drop.ZIP", "w", zipfile.ZIP_DEFLATED) as packed:
        packed.writestr(f"部门/{name}", data)
        packed.writestr(f"部门/{name}.gz", gzip.compress(data))
        packed.writestr("readme.pdf", b"not a table")
    if kind != "fixed-width":
        # A kind whose files have a usual name finds them; a text file may be anything.
        assert landed(read(kind, folder, into, "*.ZIP", **options)) == expected
    assert landed(read(kind, folder, into, f"*.ZIP#{name}", **options)) == expected
    assert landed(read(kind, folder, into, f"*.ZIP#部门/{name}.gz", **options)) == expected
    assert connect(kind, {"folder": str(folder)}, no_secrets).probe(f"drop.ZIP#{name}", options) == ("id", "name")
    assert [path.name for path in into.parent.iterdir()] == [into.name]


@pytest.mark.parametrize("kind", SAMPLES)
def test_every_cut_and_every_flipped_bit_is_noticed_whatever_was_read_already(folder, into, kind):
    name, data, options = SAMPLES[kind]
    whole = gzip.compress(data)
    path = folder / f"{name}.gz"
    for cut in (0, 5, len(whole) // 2, len(whole) - 9, len(whole) - 4, len(whole) - 1):
        path.write_bytes(whole[:cut])
        error = fails(SourceIncompleteError, kind, folder, into, path.name, **options)
        assert error.problem == "truncated"
        assert error.retryable
    # The last eight bytes are the checksum and the length.
    for at in (len(whole) - 8, len(whole) - 1):
        path.write_bytes(whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :])
        assert fails(SourceIncompleteError, kind, folder, into, path.name, **options).problem == "gzip_damaged"


def test_a_workbook_in_an_archive_has_sheets(folder, into):
    with zipfile.ZipFile(folder / "drop.zip", "w") as packed:
        packed.writestr("台账.xlsx", workbook())
    assert read("excel", folder, into, "drop.zip#台账*.xlsx#Sheet").rows == 2
    error = fails(SourceObjectMissingError, "excel", folder, into.with_name("x") / "y", "drop.zip#*.xlsx#无")
    assert (error.problem, error.where) == ("no_sheet", "drop.zip#台账.xlsx")


def test_a_hash_in_the_name_of_a_file_that_is_no_archive(folder, into):
    (folder / "a#1.csv").write_bytes(CSV)
    assert read("csv", folder, into, "a#1.csv").rows == 2


def test_gzip_of_several_members_and_padding(folder, into):
    packed = gzip.compress(b"id,name\n1,a\n") + gzip.compress(b"2,b\n") + bytes(512)
    (folder / "a.csv.gz").write_bytes(packed)
    assert read("csv", folder, into, "a.csv.gz").rows == 2
    into.unlink()
    (folder / "a.csv.gz").write_bytes(packed + b"id,name")
    assert fails(SourceIncompleteError, "csv", folder, into, "a.csv.gz").problem == "gzip_damaged"
    (folder / "a.csv.gz").write_bytes(CSV)
    assert fails(SourceShapeError, "csv", folder, into, "a.csv.gz").problem == "not_this_format"


def test_lines_are_counted_in_what_is_packed(folder, into):
    (folder / "a.csv.gz").write_bytes(gzip.compress(CSV * 1 + b"3,c,x\n"))
    assert fails(SourceShapeError, "csv", folder, into, "a.csv.gz").where == "a.csv.gz:4"
    (folder / "a.csv.gz").write_bytes(gzip.compress(CSV + b"3,\xff\n"))
    assert fails(SourceEncodingError, "csv", folder, into, "a.csv.gz").where == "a.csv.gz:4"


@pytest.mark.parametrize("kind", ["csv", "ndjson", "json", "xml", "fixed-width", "excel", "parquet"])
def test_a_bomb_is_refused_while_it_unpacks(folder, into, monkeypatch, kind):
    monkeypatch.setattr(archive, "RATIO_FROM_BYTES", 1024 * 1024)
    name, _, options = SAMPLES[kind]
    start = {"json": b" ", "xml": b"<r>" + b" " * 10, "csv": b"id,name\n", "ndjson": b"\n"}.get(kind, b"")
    filler = b"\n" if kind == "fixed-width" else b" \n"
    (folder / f"{name}.gz").write_bytes(gzip.compress(start + filler * 8_000_000))
    error = fails(SourceHostileError, kind, folder, into, f"{name}.gz", **options)
    assert (error.problem, error.retryable) == ("archive_bomb", False)


def test_a_bomb_inside_an_archive_is_judged_by_the_archive(folder, into, monkeypatch):
    monkeypatch.setattr(archive, "RATIO_FROM_BYTES", 1024 * 1024)
    inner = gzip.compress(b"id,name\n" + b"1,a\n" * 2_000_000)
    with zipfile.ZipFile(folder / "drop.zip", "w", zipfile.ZIP_DEFLATED) as packed:
        packed.writestr("a.csv.gz", gzip.compress(inner) and inner)
    assert fails(SourceHostileError, "csv", folder, into, "drop.zip#a.csv.gz").problem == "archive_bomb"


def test_what_unpacks_past_the_limit_is_refused_however_little_it_shrinks(folder, into, monkeypatch):
    monkeypatch.setattr(archive, "MOST_BYTES", 100_000)
    rng = random.Random(7)
    data = b"id,name\n" + b"".join(b"%d,%d\n" % (n, rng.getrandbits(64)) for n in range(10_000))
    (folder / "a.csv.gz").write_bytes(gzip.compress(data))
    assert fails(SourceHostileError, "csv", folder, into, "a.csv.gz").params["limit"] == "100000 B"
