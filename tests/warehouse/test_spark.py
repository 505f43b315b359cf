"""Spark and DuckDB's own Iceberg reader see in our tables what we see in them."""

from __future__ import annotations

import importlib.util
import socket
import socketserver
import threading
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta

import duckdb
import pytest

from catalog.model import Disposition, FieldKind
from tests.services.spark import spark
from tests.warehouse.conftest import Loader, field, make_resource
from warehouse.errors import StorageUnavailableError
from warehouse.maintain import Policy

__all__ = ["spark"]


@contextmanager
def doorway(path):
    """A loopback port that leads to a Unix socket; Java knows no other way to a database."""

    def pump(source, target):
        with suppress(OSError):
            while data := source.recv(65_536):
                target.sendall(data)
        for end in (source, target):
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    class Through(socketserver.BaseRequestHandler):
        def handle(self):
            with socket.socket(socket.AF_UNIX) as server:
                server.connect(path)
                back = threading.Thread(target=pump, args=(server, self.request))
                back.start()
                pump(self.request, server)
                back.join()

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Through) as door:
        thread = threading.Thread(target=door.serve_forever)
        thread.start()
        try:
            yield door.server_address[1]
        finally:
            door.shutdown()
            thread.join()


def evolved(loader):
    """A table with deletes by position, a renamed, a widened and an added column; its resource and two snapshots."""
    base = (field("code", key=True, lookup=True), field("phone", length=20))
    before = make_resource(
        Disposition.MERGE, (*base, field("amount", FieldKind.DECIMAL, 6, 2), field("day", FieldKind.DATE))
    )
    rows = [(f"{i:04d}", f"电话{i}", f"{i}.25", "2024-01-05") for i in range(250)]
    loader.load(before, rows)
    old = loader.house.current_snapshot(before.code)
    after = make_resource(
        Disposition.MERGE,
        (
            base[0],
            field("mobile", length=20, aliases=("phone",)),
            field("amount", FieldKind.DECIMAL, 12, 2),
            field("day", FieldKind.DATE),
            field("seen", FieldKind.DATETIME),
            field("active", FieldKind.BOOLEAN),
        ),
    )
    loader.load(
        after,
        [
            ("0007", "新", "1234567890.50", None, "2024-02-01 08:00:00", "是"),
            ("x", None, None, "2024-03-01", None, "否"),
        ],
    )
    files = loader.files(after)
    loader.delete(after, [(files[0], 0), (files[0], 9), (files[-1], 0)])
    return after, old


def ours(loader, resource, snapshot=None):
    return {r["code"]: r for r in loader.house.scan(resource.code, snapshot)}


def same(mine, row, columns):
    return all(mine[name] == row.get(name) for name in columns)


@pytest.mark.slow
@pytest.mark.service("spark")
@pytest.mark.parametrize("kind", ["sqlite", pytest.param("postgresql", marks=pytest.mark.service("postgresql"))])
def test_spark_reads_what_we_read(tmp_path, spark, request, kind):
    url = request.getfixturevalue("postgres_url") if kind == "postgresql" else None
    loader = Loader(tmp_path, rows_per_file=100, catalog_uri=url)
    resource, old = evolved(loader)
    expected, past = ours(loader, resource), ours(loader, resource, old)
    loader.house.close()
    catalog = {"warehouse": f"file://{tmp_path}/warehouse/data"}
    table = f"zhengtong.city.{resource.code}"
    seen = "date_format(seen, \"yyyy-MM-dd'T'HH:mm:ss\") seen"
    columns = f"code, mobile, CAST(amount AS STRING) amount, CAST(day AS STRING) day, active, {seen}"
    queries = (
        f"SELECT {columns} FROM {table}",
        f"SELECT code, phone mobile FROM {table} VERSION AS OF {old}",
        f"SELECT count(*) n FROM {table} WHERE code >= '0003'",
        f"SELECT sum(record_count) n FROM {table}.delete_files",
    )
    if kind == "sqlite":
        jdbc = f"jdbc:sqlite:{tmp_path}/warehouse/catalog.sqlite"
        now, then, count, deletes = spark.ask({**catalog, "uri": jdbc}, *queries)
    else:
        folder, name = request.getfixturevalue("postgres").folder, url.split("/")[3].split("?")[0]
        with doorway(f"{folder}/.s.PGSQL.5432") as port:
            jdbc = f"jdbc:postgresql://127.0.0.1:{port}/{name}"
            now, then, count, deletes = spark.ask({**catalog, "uri": jdbc, "jdbc.user": "zhengtong"}, *queries)
    assert {r["code"]: r for r in now}.keys() == expected.keys()
    assert all(same(expected[r["code"]], r, ("mobile", "amount", "day", "active", "seen")) for r in now)
    assert {(r["code"], r.get("mobile")) for r in then} == {(c, r["mobile"]) for c, r in past.items()}
    assert count == [{"n": sum(c >= "0003" for c in expected)}]
    assert deletes[0]["n"] >= 3


@pytest.mark.slow
@pytest.mark.service("spark")
def test_spark_reads_a_compacted_table_and_we_read_what_spark_compacts(tmp_path, spark):
    loader = Loader(tmp_path, rows_per_file=100)
    resource, _ = evolved(loader)
    expected = loader.rows(resource)
    later = datetime.now(UTC) + timedelta(days=9)
    loader.house.maintain(resource.code, Policy(small_files=1, keep_days=0), later)
    catalog = {
        "uri": f"jdbc:sqlite:{tmp_path}/warehouse/catalog.sqlite",
        "warehouse": f"file://{tmp_path}/warehouse/data",
    }
    loader.house.close()
    count, _, after = spark.ask(
        catalog,
        f"SELECT count(*) n, max(code) m FROM zhengtong.city.{resource.code}",
        "CALL zhengtong.system.rewrite_data_files("
        f"table => 'city.{resource.code}', options => map('rewrite-all', 'true'))",
        f"SELECT count(*) n FROM zhengtong.city.{resource.code}.snapshots",
    )
    assert count == [{"n": len(expected), "m": expected[-1][0]}]
    assert after[0]["n"] == 3
    assert loader.rows(resource) == expected
    # Spark spells locations in its own way; they are the table's files all the same.
    loader.house.maintain(resource.code, Policy(compact=False), later)
    assert loader.rows(resource) == expected
    # Its snapshot holds no load, and the next load goes on from the last one that does.
    assert len(loader.house.snapshots(resource.code)) == 1
    assert loader.load(resource, [("0010", None, "1.00", None, None, None)]).updated == 1
    assert loader.house.fsck(deep=True) == []
    loader.house.close()


def extensions():
    from warehouse.bucket import extension

    try:
        return [extension(name) for name in ("avro", "iceberg")]
    except StorageUnavailableError:
        return None


@pytest.mark.skipif(
    importlib.util.find_spec("duckdb_extension_iceberg") is None or extensions() is None,
    reason="duckdb-extension-iceberg and duckdb-extension-avro are not installed",
)
def test_duckdbs_iceberg_reader_reads_what_we_read(small_files):
    resource, old = evolved(small_files)
    expected, past = ours(small_files, resource), ours(small_files, resource, old)
    location = small_files.table(resource).metadata_location
    with duckdb.connect(config={"autoinstall_known_extensions": False}) as con:
        for path in extensions():
            con.execute(f"LOAD '{path}'")
        rows = con.execute(f"SELECT code, mobile, amount::VARCHAR FROM iceberg_scan('{location}')").fetchall()
        then = con.execute(f"SELECT code FROM iceberg_scan('{location}', snapshot_from_id => {old})").fetchall()
    assert {(c, m, a) for c, m, a in rows} == {(c, r["mobile"], r["amount"]) for c, r in expected.items()}
    assert {c for (c,) in then} == past.keys()
