from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import threading
from datetime import date
from pathlib import Path

import psycopg
import pyarrow.parquet as pq
import pytest

from catalog import masks
from catalog.model import Mask
from connectors import duck, postgresql_source
from connectors.errors import (
    ConnectorError,
    ConnectorSettingsError,
    SourceDeniedError,
    SourceIncompleteError,
    SourceObjectMissingError,
    SourceShapeError,
    SourceUnavailableError,
)
from connectors.parts import read_manifest
from connectors.postgresql_readers import Reader
from connectors.protocol import Column
from tests.connectors.postgres import (
    NUMBERS,
    Department,
    few_rows_a_part,
    no_secrets,
    part_count,
    request,
    rows,
    same,
)
from tests.services.postgres import postgres, postgres_url, running

__all__ = ["postgres", "postgres_url"]

ROOT = Path(__file__).resolve().parents[2]
PASSWORD = "geheim-口令-42"
# Rows without a place in the order of times: NULL and the infinite ones.
ALWAYS = {12, 13, 14}
BY_KEY = {"chunk": "key"}
WAYS = [
    pytest.param({}, "numbers", id="pages"),
    pytest.param({"chunk": "key"}, "numbers", id="key"),
    pytest.param({}, "seen", id="view"),
    pytest.param({"measure": "none"}, "numbers", id="uncounted"),
    pytest.param({"measure": "none"}, "seen", id="uncounted-view"),
]


@pytest.fixture
def department(postgres_url):
    return Department(postgres_url)


@pytest.fixture
def numbers(department):
    expected = department.numbers(1000)
    department.do("CREATE VIEW seen AS SELECT * FROM numbers")
    return expected


@pytest.fixture
def _small(monkeypatch):
    few_rows_a_part(monkeypatch, 200)


def fails(department, into, error, problem, asked=None, **settings):
    connector = department.connector(settings.pop("secrets", no_secrets), **settings)
    with pytest.raises(error) as caught:
        connector.read(asked or request(), into)
    assert caught.value.problem == problem
    for lang in ("en", "zh"):
        text = caught.value.text(lang)
        assert "{" not in text
        assert PASSWORD not in text
        assert "text 1" not in text
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__ or caught.value.__context__ is None
    return caught.value


class TestParts:
    @pytest.mark.parametrize(("options", "object_"), WAYS)
    @pytest.mark.usefixtures("_small")
    def test_every_row_once_whatever_the_way(self, department, numbers, into, options, object_):
        batch = department.connector().read(request(object_, options=options), into)
        assert same(batch, numbers)
        assert part_count(batch) >= 5
        assert batch.measures is None if "measure" in options else batch.measures.rows == 1000
        assert (batch.cursor, batch.renamed, batch.extra, batch.absent) == (None, (), (), ())
        assert batch.types == {"n": "integer", "t": "text"}
        for path in into.glob("*.parquet"):
            file = pq.ParquetFile(path)
            column = file.read().column("n").to_pylist()
            assert column == sorted(column)
            assert [field.metadata[b"PARQUET:field_id"] for field in file.schema_arrow] == [b"1", b"2"]
            assert [str(field.type) for field in file.schema_arrow] == ["int64", "string"]
            assert file.metadata.row_group(0).column(1).compression == "ZSTD"

    def test_a_small_table_is_one_part_by_one_connection(self, department, numbers, into, monkeypatch):
        joined = []
        real = Reader.join
        monkeypatch.setattr(Reader, "join", lambda self, *args: joined.append(self) or real(self, *args))
        batch = department.connector().read(request(), into)
        assert part_count(batch) == len(joined) == 1

    @pytest.mark.usefixtures("_small")
    @pytest.mark.parametrize("order", ["n", "-n", "md5(n::text)"])
    def test_only_what_lies_in_no_order_is_sorted(self, department, into, monkeypatch, order):
        department.do(
            "CREATE TABLE numbers (n int PRIMARY KEY, t text)",
            f"INSERT INTO numbers SELECT n, 'a text' FROM generate_series(1, 1000) n ORDER BY {order}",
        )
        asked = []
        real = duck.write_part
        monkeypatch.setattr(duck, "write_part", lambda *args, order: asked.append(order) or real(*args, order=order))
        # Of a table never analysed nothing is known.
        for known in (False, True):
            batch = department.connector().read(request(key=("n",)), into)
            assert same(batch, [(n, "a text") for n in range(1, 1001)])
            assert set(asked) == {() if known and order == "n" else ("n",)}
            for path in into.glob("*.parquet"):
                column = pq.read_table(path).column("n").to_pylist()
                assert column == sorted(column)
            department.do("ANALYZE numbers")
            asked.clear()

    @pytest.mark.usefixtures("_small")
    def test_pages_much_fuller_than_the_rest_are_cut_again(self, department, into):
        department.do(
            "CREATE TABLE numbers (n int PRIMARY KEY, t text)",
            "ALTER TABLE numbers ALTER t SET STORAGE PLAIN",
            "INSERT INTO numbers SELECT n, repeat('x', 3000) FROM generate_series(1, 200) n",
            "INSERT INTO numbers SELECT n, 'x' FROM generate_series(201, 1400) n",
        )
        expected = [(n, "x" * (3000 if n <= 200 else 1)) for n in range(1, 1401)]
        batch = department.connector().read(request(), into)
        assert same(batch, expected)
        assert all(part.rows <= 200 for part in read_manifest(into).parts)

    @pytest.mark.usefixtures("_small")
    def test_partitioned_and_materialised_and_composite(self, department, into):
        department.do(
            "CREATE TABLE numbers (a text, b char(18), n int, PRIMARY KEY (a, b)) PARTITION BY LIST (a)",
            "CREATE TABLE one PARTITION OF numbers FOR VALUES IN ('甲', 'x''y')",
            "CREATE TABLE two PARTITION OF numbers DEFAULT",
            "INSERT INTO numbers SELECT (ARRAY['甲', 'x''y', 'a\\b', ''])[n % 4 + 1], n, n "
            "FROM generate_series(1, 900) n",
            "CREATE MATERIALIZED VIEW made AS SELECT * FROM numbers",
        )
        columns = ("a", "b", Column("n", type="BIGINT"))
        expected = [(["甲", "x'y", "a\\b", ""][n % 4], str(n), n) for n in range(1, 901)]
        for object_, options in (("numbers", {}), ("numbers", {"chunk": "key"}), ("public.made", {})):
            batch = department.connector().read(request(object_, columns, options=options, key=("a", "b")), into)
            assert same(batch, expected)
            assert part_count(batch) >= 5

    @pytest.mark.usefixtures("_small")
    def test_a_key_of_the_list_cuts_a_view_and_must_be_one(self, department, numbers, into):
        by_key = {"chunk": "key"}
        batch = department.connector().read(request("seen", options=by_key), into)
        assert same(batch, numbers)
        assert "after" in read_manifest(into).state
        department.do("CREATE VIEW bad AS SELECT 1 AS n, t FROM numbers")
        asked = request("bad", options=by_key)
        fails(department, into.with_name("b"), SourceShapeError, "key_not_unique", asked)
        department.do("CREATE VIEW holes AS SELECT nullif(n, 500) AS n, t FROM numbers")
        asked = request("holes", options=by_key)
        fails(department, into.with_name("c"), SourceIncompleteError, "rows_missing", asked)
        assert [path.name for path in into.parent.iterdir()] == [into.name]

    def test_by_key_without_a_key_is_refused(self, department, numbers, into):
        asked = request("seen", options={"chunk": "key"}, key=())
        fails(department, into, ConnectorSettingsError, "setting_invalid", asked)

    @pytest.mark.parametrize(("options", "object_"), WAYS)
    def test_an_empty_table_is_one_part_that_tells_the_columns(self, department, numbers, into, options, object_):
        department.do("TRUNCATE numbers")
        batch = department.connector().read(request(object_, options=options), into)
        assert rows(batch) == []
        assert pq.read_schema(into / "part-00000.parquet").names == ["n", "t"]

    def test_rows_that_do_not_add_up_are_refused(self, department, numbers, into, monkeypatch):
        real = Reader.write
        monkeypatch.setattr(Reader, "write", lambda self, rest, path: real(self, f"{rest} LIMIT 999", path))
        error = fails(department, into, SourceIncompleteError, "rows_missing")
        assert error.retryable
        assert list(into.parent.iterdir()) == []

    @pytest.mark.usefixtures("_small")
    def test_progress_is_told(self, department, numbers, into):
        told = []
        department.connector().read(request(progress=told.append), into)
        assert [p.rows for p in told] == sorted(p.rows for p in told)
        assert (told[-1].rows, told[-1].about) == (1000, 1000)

    def test_the_same_content_lands_as_the_same_bytes(self, department, into):
        department.numbers(30_000)
        first = department.connector().read(request(), into)
        second = department.connector().read(request(), into.with_name("again"))
        assert first.sha256 == second.sha256

    @pytest.mark.parametrize("options", [{}, {"chunk": "key"}, {"measure": "none"}])
    def test_wide_rows_land_in_parts_of_fewer(self, department, into, options):
        department.do(
            "CREATE TABLE numbers (n int PRIMARY KEY, t text)",
            "INSERT INTO numbers SELECT n, repeat(md5(n::text), 1000) FROM generate_series(1, 2500) n",
        )
        batch = department.connector().read(request(options=options), into)
        assert batch.rows == 2500
        assert max(part.rows for part in read_manifest(into).parts) <= duck.rows_that_fit([4, 32_000]) == 750
        assert part_count(batch) >= 4

    @pytest.mark.parametrize("options", [{}, {"chunk": "key"}, {"measure": "none"}])
    def test_rows_that_turn_out_wide_are_read_anew_in_smaller_parts(self, department, into, monkeypatch, options):
        monkeypatch.setattr(duck, "MEMORY_MB", 60)
        department.do(
            "CREATE TABLE numbers (n int PRIMARY KEY, t text)",
            "INSERT INTO numbers SELECT n, 'text ' || n FROM generate_series(1, 2000) n",
            "INSERT INTO numbers SELECT n, repeat(md5(n::text), 1000) FROM generate_series(2001, 4000) n",
        )
        told = []
        batch = department.connector().read(request(options=options, progress=told.append), into)
        assert batch.rows == 4000
        assert len({n for n, _ in rows(batch)}) == 4000
        assert part_count(batch) >= 8

    def test_measures_of_columns(self, department, into):
        department.do(
            "CREATE TABLE t (n int PRIMARY KEY, d numeric(6,2), s text, w date, x jsonb, f float8)",
            "INSERT INTO t VALUES (1, 1.50, 'b', '2024-01-01', '1', 0.1), (2, -3, 'A', NULL, '2', 0.2), "
            "(3, NULL, '甲', '2023-01-01', NULL, 'NaN')",
        )
        asked = request("t", ("n", "d", "s", "w", "x", "f"), options={"measure": "columns"})
        measures = department.connector().read(asked, into).measures
        assert measures.rows == 3
        assert measures.columns["n"] == {"count": "3", "min": "1", "max": "3", "sum": "6", "distinct": "3"}
        assert measures.columns["d"] == {"count": "2", "min": "-3.00", "max": "1.50", "sum": "-1.50"}
        assert measures.columns["s"] == {"count": "3", "min": "A", "max": "甲"}
        assert measures.columns["w"] == {"count": "2", "min": "2023-01-01", "max": "2024-01-01"}
        assert measures.columns["x"] == {"count": "2"}
        assert measures.columns["f"] == {"count": "3"}

    def test_marked_columns_land_masked_and_as_text(self, department, into):
        department.do("CREATE TABLE p (id bigint, name text)", "INSERT INTO p VALUES (110101199001011234, '欧阳修')")
        columns = (
            Column("id", type="BIGINT", mask="keep_last_4", field_id=1),
            Column("name", type="VARCHAR", mask="surname", field_id=2),
        )
        batch = department.connector().read(request("p", columns, key=()), into)
        shown = [
            masks.apply(Mask(c.mask), v, key=b"")
            for c, v in zip(columns, ("110101199001011234", "欧阳修"), strict=True)
        ]
        assert rows(batch) == [tuple(shown)]
        assert "欧阳修".encode() not in (into / "part-00000.parquet").read_bytes()


@pytest.mark.usefixtures("_small")
class TestSnapshot:
    @pytest.mark.parametrize(("options", "object_"), WAYS)
    def test_a_writer_in_the_middle_is_not_seen(self, department, numbers, into, options, object_):
        wrote = []

        def write(_):
            if not wrote:
                department.do(
                    "DELETE FROM numbers WHERE n % 3 = 0",
                    "UPDATE numbers SET t = 'changed'",
                    "INSERT INTO numbers SELECT n, 'new' FROM generate_series(1001, 1500) n",
                )
                wrote.append(1)

        batch = department.connector().read(request(object_, options=options, progress=write), into)
        assert wrote
        assert same(batch, numbers)

    @pytest.mark.parametrize("options", [{}, {"chunk": "key"}])
    def test_parallel_chunks_see_one_state(self, department, into, options):
        """Transfers between accounts keep the sum; any mixture of states does not."""
        department.do(
            "CREATE TABLE accounts (n int PRIMARY KEY, t int) WITH (fillfactor = 40)",
            "INSERT INTO accounts SELECT n, 100 FROM generate_series(1, 1000) n",
        )
        stop = threading.Event()

        def transfer(seed):
            dice = random.Random(seed)
            with department.open() as connection:
                while not stop.is_set():
                    one, other = dice.sample(range(1, 1001), 2)
                    connection.execute(
                        "UPDATE accounts SET t = t + CASE n WHEN %s THEN 7 ELSE -7 END WHERE n IN (%s, %s)",
                        [one, one, other],
                    )

        writers = [threading.Thread(target=transfer, args=[seed]) for seed in range(2)]
        for writer in writers:
            writer.start()
        try:
            columns = (Column("n", type="BIGINT"), Column("t", type="BIGINT"))
            for again in range(3):
                asked = request("accounts", columns, options=options)
                found = rows(department.connector().read(asked, into.with_name(f"b{again}")))
                assert len({n for n, _ in found}) == len(found) == 1000
                assert sum(t for _, t in found) == 100_000
        finally:
            stop.set()
            for writer in writers:
                writer.join()

    def test_cursor_and_count_are_of_the_same_snapshot(self, department, numbers, into):
        def write(_):
            department.do("INSERT INTO numbers VALUES ((SELECT max(n) + 1 FROM numbers), 'late')")

        asked = request(cursor_column="n", options={"chunk": "key"}, progress=write)
        batch = department.connector().read(asked, into)
        assert (batch.rows, batch.measures.rows, batch.cursor) == (1000, 1000, "1000")


READER = """
import sys, time
from pathlib import Path
from tests.connectors.postgres import few_rows_a_part, request, no_secrets
from connectors.registry import connect
import pytest
few_rows_a_part(pytest.MonkeyPatch(), 100)
host, database, into = sys.argv[1:]
connector = connect("postgresql", {"host": host, "database": database, "user": "zhengtong"}, no_secrets)
print("ready", flush=True)
connector.read(request(options={"chunk": "key"}, progress=lambda _: time.sleep(0.03)), Path(into))
"""


@pytest.mark.usefixtures("_small")
class TestGoingOn:
    def interrupt(self, department, after_parts=2, action=None):
        told = []

        def progress(_):
            told.append(1)
            if len(told) == after_parts:
                (action or department.cut_off)()

        return progress

    def test_a_session_that_is_ended_is_to_be_tried_again_and_goes_on(self, department, numbers, into):
        asked = request(options=BY_KEY, progress=self.interrupt(department))
        assert fails(department, into, SourceUnavailableError, "connection_lost", asked).retryable
        manifest = read_manifest(into)
        assert not manifest.done
        assert len(manifest.parts) >= 2
        files = {part.file: (into / part.file).stat().st_mtime_ns for part in manifest.parts}
        # Between the two tries the department goes on working.
        department.do(
            "UPDATE numbers SET t = 'changed' WHERE n > 900",
            "INSERT INTO numbers VALUES (1001, 'new')",
        )
        batch = department.connector().read(request(options=BY_KEY), into)
        changed = [(n, "changed" if n > 900 else t) for n, t in numbers]
        assert same(batch, [*changed, (1001, "new")])
        assert batch.measures.rows == 1001
        assert {name: (into / name).stat().st_mtime_ns for name in files} == files

    def test_the_cursor_is_that_of_the_first_snapshot(self, department, numbers, into):
        asked = request(cursor_column="n", options=BY_KEY, progress=self.interrupt(department))
        fails(department, into, SourceUnavailableError, "connection_lost", asked)
        department.do("INSERT INTO numbers VALUES (-1, 'early'), (1001, 'new')")
        batch = department.connector().read(request(cursor_column="n", options=BY_KEY), into)
        assert batch.cursor == "1000"
        assert same(batch, [*numbers, (1001, "new")])

    def test_readers_outlive_the_session_that_asked(self, department, numbers, into):
        def cut(_):
            department.do(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query = 'SELECT pg_export_snapshot()'",
                "DELETE FROM numbers",
            )

        assert same(department.connector().read(request(progress=cut), into), numbers)

    def test_by_pages_it_starts_anew_and_leaves_nothing(self, department, numbers, into):
        asked = request(progress=self.interrupt(department))
        fails(department, into, SourceUnavailableError, "connection_lost", asked)
        assert list(into.parent.iterdir()) == []
        assert same(department.connector().read(request(), into), numbers)

    def test_a_killed_read_by_pages_is_not_gone_on_with_by_key(self, department, numbers, into, monkeypatch):
        asked = request(progress=self.interrupt(department))
        monkeypatch.setattr("connectors.parts.Parts.__exit__", lambda self, *_: os.close(self._lock))
        fails(department, into, SourceUnavailableError, "connection_lost", asked)
        monkeypatch.undo()
        few_rows_a_part(monkeypatch, 200)
        manifest = into / "manifest.json"
        assert '"done": false' in manifest.read_text()
        assert same(department.connector().read(request(), into), numbers)

    def test_a_column_that_must_be_text_meanwhile_starts_anew(self, department, into):
        department.do(
            "CREATE TABLE numbers (n int PRIMARY KEY, t numeric(8,2))",
            "INSERT INTO numbers SELECT n, n FROM generate_series(1, 1000) n",
        )
        columns = (NUMBERS[0], Column("t", type="DECIMAL(8,2)", field_id=2))
        asked = request(columns=columns, options=BY_KEY, progress=self.interrupt(department))
        fails(department, into, SourceUnavailableError, "connection_lost", asked)
        department.do("UPDATE numbers SET t = 'NaN' WHERE n = 1000")
        batch = department.connector().read(request(columns=columns, options=BY_KEY), into)
        assert same(batch, [(n, f"{n}.00" if n < 1000 else "NaN") for n in range(1, 1001)])

    def test_killed_after_the_last_part_only_that_is_said(self, department, numbers, into, monkeypatch):
        def killed(*_):
            raise KeyboardInterrupt

        with monkeypatch.context() as patch:
            patch.setattr("connectors.parts.Parts.finish", killed)
            with pytest.raises(KeyboardInterrupt):
                department.connector().read(request(options=BY_KEY), into)
        department.do("INSERT INTO numbers VALUES (-1, 'early')")
        assert same(department.connector().read(request(options=BY_KEY), into), numbers)

    @pytest.mark.slow
    def test_kill_minus_nine_at_random_moments(self, department, numbers, into):
        dice = random.Random(3)
        code, kills = None, 0
        arguments = [sys.executable, "-c", READER, department.settings["host"], department.settings["database"], into]
        while code is None:
            child = subprocess.Popen(arguments, cwd=ROOT, stdout=subprocess.PIPE, text=True)
            assert child.stdout.readline() == "ready\n"
            try:
                code = child.wait(dice.uniform(0.1, 0.5) if kills < 5 else None)
            except subprocess.TimeoutExpired:
                child.send_signal(signal.SIGKILL)
                child.wait()
                kills += 1
            child.stdout.close()
        assert (code, kills > 1) == (0, True)
        manifest = read_manifest(into)
        assert manifest.done
        found = [row for part in manifest.parts for row in pq.read_table(into / part.file).to_pylist()]
        assert sorted((row["n"], row["t"]) for row in found) == numbers
        assert len(list(into.parent.glob("*"))) == 1


class TestRange:
    @pytest.fixture(autouse=True)
    def _table(self, department):
        department.do(
            "CREATE TABLE t (n int PRIMARY KEY, at timestamp, day date, moment timestamptz, x text)",
            "INSERT INTO t SELECT n, timestamp '2024-01-01' + n * interval '1 hour', date '2024-01-01' + n, "
            "(timestamp '2024-01-01' + n * interval '1 hour') AT TIME ZONE 'UTC', lpad(n::text, 3, '0') "
            "FROM generate_series(1, 10) n",
            "INSERT INTO t (n, at) VALUES (11, '2024-01-01 10:00'), (12, NULL), (13, 'infinity'), (14, '-infinity')",
        )

    def read(self, department, into, column="at", **more):
        batch = department.connector().read(self.asked(column, **more), into)
        return {int(row[0]) for row in rows(batch)}, batch.cursor

    def asked(self, column, **more):
        return request("t", ("n", column) if column != "n" else ("n",), cursor_column=column, **more)

    def test_closed_reads_ties_again(self, department, into):
        assert self.read(department, into, cursor="2024-01-01 09:00:00") == (
            {9, 10, 11} | ALWAYS,
            "2024-01-01 10:00:00",
        )

    def test_open_leaves_the_bound_out(self, department, into):
        found = self.read(department, into, cursor="2024-01-01 10:00:00", options={"range": "open"})
        assert found == (ALWAYS, "2024-01-01 10:00:00")

    def test_full_with_a_cursor_column(self, department, into):
        assert self.read(department, into) == (set(range(1, 15)), "2024-01-01 10:00:00")

    def test_rows_without_a_place_are_always_read_and_move_no_cursor(self, department, into):
        assert self.read(department, into, cursor="2025-01-01") == (ALWAYS, "2025-01-01")

    @pytest.mark.parametrize(
        ("column", "cursor", "lag", "first"),
        [
            ("at", "2024-01-01 10:00:00", "90m", 9),
            ("at", "2024-01-01 10:00:00", "7200s", 8),
            ("moment", "2024-01-01 10:00:00+00", "1h", 9),
            ("day", "2024-01-11", "1d", 9),
            ("day", "2024-01-11", "1h", 9),
            ("n", "12", "3", 9),
        ],
    )
    def test_lag_lowers_the_bound_and_not_the_cursor(self, department, into, column, cursor, lag, first):  # noqa: PLR0917
        greatest = "14" if column == "n" else cursor
        found = self.read(department, into, column, cursor=cursor, options={"lag": lag})
        assert found == (set(range(first, 15)), greatest)

    @pytest.mark.parametrize(("column", "lag"), [("n", "3h"), ("at", "3"), ("x", "1"), ("x", "1d")])
    def test_a_lag_that_does_not_fit_is_our_fault(self, department, into, column, lag):
        asked = self.asked(column, cursor="1", options={"lag": lag})
        fails(department, into, ConnectorSettingsError, "setting_invalid", asked)

    @pytest.mark.parametrize(
        ("column", "cursor", "options"),
        [("at", "gestern", {}), ("n", "x", {}), ("n", "1.5x", {"lag": "1"}), ("day", "2024-13-01", {})],
    )
    def test_a_cursor_of_another_type_is_told(self, department, into, column, cursor, options):
        asked = self.asked(column, cursor=cursor, options=options)
        fails(department, into, SourceShapeError, "cursor_unfit", asked)

    def test_integer_dates_text_and_zones_order_as_the_source_has_them(self, department, into):
        assert self.read(department, into, "n", cursor="9")[1] == "14"
        assert self.read(department, into, "day", cursor="2024-01-10") == ({9, 10} | {11, 12, 13, 14}, "2024-01-11")
        assert self.read(department, into, "x", cursor="009") == ({9, 10} | {11, 12, 13, 14}, "010")
        found = self.read(department, into, "moment", cursor="2024-01-01 17:00:00+08")
        assert found == ({9, 10, 11, 12, 13, 14}, "2024-01-01 10:00:00+00")

    def test_an_empty_text_has_no_place(self, department, into):
        department.do("UPDATE t SET x = '' WHERE n = 1")
        assert self.read(department, into, "x", cursor="010")[0] == {1, 10, 11, 12, 13, 14}

    @pytest.mark.parametrize(
        ("window", "expected"),
        [
            (("2024-01-01 03:00:00", "2024-01-01 05:00:00"), {3, 4, 5}),
            (("", "2024-01-01 02:00:00"), {1, 2}),
            (("2024-01-01 10:00:00", ""), {10, 11}),
            (("", ""), {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11}),
        ],
    )
    def test_a_window_is_closed_and_has_no_cursor(self, department, into, window, expected):
        assert self.read(department, into, cursor="2024-06-01", window=window) == (expected, None)

    @pytest.mark.parametrize("column", ["at", "moment", "day"])
    def test_until_the_clock_of_the_source(self, department, into, column):
        department.do(
            f"UPDATE t SET {column} = now() + interval '1 day' WHERE n = 1",
            f"UPDATE t SET {column} = now() - interval '30 minutes' WHERE n = 2",
        )
        found, cursor = self.read(department, into, column, cursor="2024-02-01", options={"until": "clock"})
        assert 1 not in found
        assert 2 in found
        assert cursor < str(date(2999, 1, 1))
        delayed = {"until": "clock", "delay": "2d"}
        assert 2 not in self.read(department, into, column, cursor="2024-02-01", options=delayed)[0]
        assert 1 in self.read(department, into, column, cursor="2024-02-01")[0]

    @pytest.mark.parametrize("measure", ["count", "none"])
    def test_a_clock_that_went_backwards_moves_no_cursor_backwards(self, department, into, measure):
        ahead = "2999-01-01 00:00:00"
        options = {"until": "clock", "lag": "1d", "measure": measure}
        assert self.read(department, into, cursor=ahead, options=options) == (ALWAYS, ahead)
        # With a lag that reaches behind the clock rows are read again; the cursor stays where it was.
        long = {"until": "clock", "lag": "400000d", "measure": measure}
        found, cursor = self.read(department, into, cursor=ahead, options=long)
        assert (found, cursor) == (set(range(1, 15)), ahead)

    def test_the_local_clock_is_told_in_the_zone_of_the_source(self, department, into):
        name = department.settings["database"]
        department.do(f"ALTER DATABASE {name} SET timezone = 'Asia/Shanghai'", "UPDATE t SET at = localtimestamp")
        department.do("UPDATE t SET at = localtimestamp WHERE n = 1")
        found, _ = self.read(department, into, cursor="2024-02-01", options={"until": "clock"})
        assert 1 in found

    def test_the_cursor_uses_the_index(self, department, into, monkeypatch):
        department.do(
            "INSERT INTO t (n, at) SELECT n, timestamp '2020-01-01' + n * interval '1 second' "
            "FROM generate_series(100, 20000) n",
            "CREATE INDEX ON t (at)",
            "ANALYZE t",
        )
        queries = []
        real = Reader.write
        monkeypatch.setattr(Reader, "write", lambda self, rest, path: queries.append(rest) or real(self, rest, path))
        self.read(department, into, cursor="2024-01-01 09:00:00")
        plan = "\n".join(line for (line,) in department.do(f"EXPLAIN SELECT * {queries[0]}"))
        assert "Index" in plan
        assert "Seq Scan" not in plan

    @pytest.mark.parametrize(
        "options",
        [{"range": "half"}, {"lag": "soon"}, {"until": "dawn"}, {"delay": "5m"}, {"measure": "all"}, {"chunk": "ctid"}],
    )
    def test_options_are_checked(self, department, into, options):
        asked = request("t", ("n", "at"), cursor_column="at", options=options)
        fails(department, into, ConnectorSettingsError, "setting_invalid", asked)

    def test_a_clock_bounds_only_times(self, department, into):
        asked = request("t", ("n",), cursor_column="n", options={"until": "clock"})
        fails(department, into, ConnectorSettingsError, "setting_invalid", asked)


class TestRefusals:
    def test_a_wrong_password_is_not_tried_again_nor_shown(self, department, postgres, into, numbers):
        hba = postgres.folder / "data" / "pg_hba.conf"
        before = hba.read_text()
        name = department.settings["database"]
        department.do(f"CREATE ROLE known LOGIN PASSWORD '{PASSWORD}'", "GRANT SELECT ON numbers TO known")
        try:
            hba.write_text(f"local {name} known scram-sha-256\n{before}")
            department.do("SELECT pg_reload_conf()")
            right = department.connector({"env:P": PASSWORD}.__getitem__, user="known", password="env:P")
            assert same(right.read(request(), into), numbers)
            wrong = {"user": "known", "password": "env:P", "secrets": lambda _: PASSWORD + "x"}
            error = fails(department, into.with_name("b"), SourceDeniedError, "login_refused", **wrong)
            assert not error.retryable
            fails(department, into.with_name("b"), SourceDeniedError, "login_refused", user="known")
        finally:
            hba.write_text(before)
            department.do("SELECT pg_reload_conf()")
            department.do("DROP OWNED BY known", "DROP ROLE known")

    @pytest.mark.parametrize(
        ("changes", "error", "problem"),
        [
            ({"database": "nope"}, SourceObjectMissingError, "no_database"),
            ({"user": "nobody"}, SourceDeniedError, "login_refused"),
            ({"host": "127.0.0.1", "port": "1"}, SourceUnavailableError, "cannot_connect"),
            ({"host": "no-such.invalid"}, SourceUnavailableError, "cannot_connect"),
        ],
    )
    def test_no_connection(self, department, into, changes, error, problem):
        fails(department, into, error, problem, **changes)

    @pytest.mark.parametrize(
        ("message", "problem"),
        [
            ("FATAL:  sorry, too many clients already", "too_many_sessions"),
            ("致命错误:  对不起, 已经有太多的客户", "too_many_sessions"),
            ("FATAL:  the database system is starting up", "server_starting"),
            ("server does not support SSL, but SSL was required", "no_trusted_tls"),
            ("SSL error: certificate verify failed", "no_trusted_tls"),
            ('致命错误:  用户 "x" Password 认证失败', "login_refused"),
            ('FATAL:  no pg_hba.conf entry for host "1.2.3.4", user "x", no SSL encryption', "login_refused"),
            ("connection timeout expired", "cannot_connect"),
        ],
    )
    def test_what_a_refusal_means(self, department, message, problem):
        server = postgresql_source.Server(department.settings, no_secrets)
        assert server.refused(message, "d:t").problem == problem

    @pytest.mark.parametrize(
        ("message", "problem"),
        [
            ("ERROR:  canceling statement due to statement timeout", "statement_timeout"),
            ("错误:  由于语句执行超时，正在取消查询命令", "statement_timeout"),
            ("ERROR:  canceling statement due to lock timeout", "database_locked"),
            ("ERROR:  permission denied for table t", "file_denied"),
            ('ERROR:  invalid byte sequence for encoding "UTF8": 0xff', "not_text"),
            ("ERROR:  invalid snapshot identifier", "connection_lost"),
            ("server closed the connection unexpectedly", "connection_lost"),
            ("ERROR:  division by zero", "database_unreadable"),
        ],
    )
    def test_what_a_failed_read_means(self, department, message, problem):
        server = postgresql_source.Server(department.settings, no_secrets)
        assert postgresql_source.failed(server, message, "d:t").problem == problem

    def test_a_table_that_is_gone_or_of_another_schema(self, department, numbers, into):
        department.do("CREATE SCHEMA other", "CREATE TABLE other.moved (n int, t text)", "DROP TABLE numbers CASCADE")
        fails(department, into, SourceObjectMissingError, "no_table")
        fails(department, into, SourceObjectMissingError, "no_table", request("moved"))
        assert department.connector().read(request("other.moved"), into).rows == 0
        assert department.connector(schema="other").read(request("moved"), into).rows == 0

    @pytest.mark.parametrize("name", ['"; DROP TABLE numbers; --', "numbers WHERE false", "n.u.m", "'", "\\"])
    def test_an_object_is_a_name_and_no_sql(self, department, numbers, into, name):
        fails(department, into, SourceObjectMissingError, "no_table", request(name))
        assert department.do("SELECT count(*) FROM numbers") == [(1000,)]

    def test_a_renamed_column_is_told_with_its_nearest(self, department, numbers, into):
        department.do("ALTER TABLE numbers RENAME t TO t2")
        assert "nearest: `t2`" in str(fails(department, into, SourceShapeError, "columns_missing"))
        renamed = request(columns=(NUMBERS[0], Column("t", aliases=("t2",), type="VARCHAR")))
        assert department.connector().read(renamed, into).renamed == (("t", "t2"),)

    @pytest.mark.usefixtures("_small")
    def test_a_table_cannot_be_dropped_under_a_read(self, department, numbers, into):
        refused = []

        def drop(_):
            with department.open() as connection:
                connection.execute("SET lock_timeout = '50ms'")
                with pytest.raises(psycopg.errors.LockNotAvailable):
                    connection.execute("DROP TABLE numbers CASCADE")
            refused.append(1)

        assert same(department.connector().read(request(progress=drop), into), numbers)
        assert refused

    def test_no_right_to_read(self, department, numbers, into):
        department.do("CREATE ROLE stranger LOGIN")
        try:
            for options in ({}, {"measure": "none"}):
                asked = request(options=options)
                fails(department, into, SourceDeniedError, "file_denied", asked, user="stranger")
        finally:
            department.do("DROP ROLE stranger")

    @pytest.mark.parametrize("options", [{}, {"measure": "none"}])
    def test_a_query_that_does_not_end(self, department, numbers, into, options):
        department.do(
            "CREATE FUNCTION slowly(t text) RETURNS text LANGUAGE sql AS $$ SELECT t || pg_sleep(0.01)::text $$",
            "CREATE VIEW slow AS SELECT n, slowly(t) AS t FROM numbers WHERE slowly(t) <> ''",
        )
        asked = request("slow", options=options)
        error = fails(department, into, SourceUnavailableError, "statement_timeout", asked, statement_timeout_s="0.3")
        assert error.retryable
        assert "0.3" in str(error)

    def test_a_table_that_stays_locked(self, department, numbers, into, monkeypatch):
        monkeypatch.setattr(postgresql_source, "LOCK_TIMEOUT_MS", 100)
        with department.open() as connection, connection.transaction():
            connection.execute("LOCK TABLE numbers")
            assert fails(department, into, SourceUnavailableError, "database_locked").retryable

    @pytest.mark.parametrize("options", [{}, {"measure": "none"}])
    def test_reading_never_writes(self, department, numbers, into, options):
        department.do(
            "CREATE FUNCTION count_up(n int) RETURNS text LANGUAGE sql AS "
            "$$ INSERT INTO numbers VALUES (n + 10000, 'written') RETURNING t $$",
            "CREATE VIEW counting AS SELECT n, count_up(n) AS t FROM numbers WHERE count_up(n) <> ''",
        )
        fails(department, into, SourceShapeError, "reading_writes", request("counting", options=options))
        assert department.do("SELECT count(*) FROM numbers") == [(1000,)]

    def test_a_session_that_could_write_is_refused(self, department, numbers, into, monkeypatch):
        monkeypatch.setattr(postgresql_source, "BEGIN", "BEGIN ISOLATION LEVEL REPEATABLE READ READ WRITE")
        fails(department, into, ConnectorSettingsError, "not_read_only")

    def test_a_server_that_is_stopped_in_the_middle(self, into, monkeypatch):
        few_rows_a_part(monkeypatch, 200)
        with running() as folder:
            department = Department(f"postgresql://zhengtong@/postgres?host={folder}")
            expected = department.numbers(1000)
            process = int((folder / "data" / "postmaster.pid").read_text().split()[0])
            stopped = []

            def stop(_):
                if not stopped:
                    os.kill(process, signal.SIGQUIT)
                    stopped.append(1)

            by_key = {"chunk": "key"}
            asked = request(options=by_key, progress=stop)
            assert fails(department, into, SourceUnavailableError, "connection_lost", asked).retryable
            fails(department, into, SourceUnavailableError, "cannot_connect", request(options=by_key))
            assert not read_manifest(into).done
        assert len(expected) == 1000

    def test_settings(self, department):
        for changes in ({"host": ""}, {"user": ""}, {"database": ""}):
            with pytest.raises(ConnectorSettingsError, match="missing"):
                department.connector(**changes)
        for changes in ({"port": "x"}, {"sslmode": "maybe"}, {"connect_timeout_s": "0"}, {"password": "plain"}):
            with pytest.raises(ConnectorSettingsError):
                department.connector(**changes)

    def test_nothing_is_opened_before_the_first_read(self, department):
        assert department.connector(host="no-such.invalid", secrets=no_secrets).kind == "postgresql"


def test_the_source_sees_who_reads(department, numbers, into):
    names = []

    def look(_):
        names.append(
            department.do("SELECT DISTINCT application_name FROM pg_stat_activity WHERE datname = current_database()")
        )

    department.connector().read(request(progress=look), into)
    assert ("zhengtong",) in names[0]
    left = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'zhengtong'"
    assert department.do(left) == [(0,)]


def test_probe_tells_the_columns(department, numbers):
    assert department.connector().probe("numbers", {}) == ("n", "t")
    with pytest.raises(ConnectorError):
        department.connector().probe("nothing", {})
