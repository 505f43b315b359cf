from __future__ import annotations

import os
import resource
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import duckdb
import pyarrow.parquet as pq
import pytest

from connectors import duck
from connectors.errors import ConnectorSettingsError, LandingFailedError
from connectors.parts import Parts
from connectors.protocol import Column, ReadRequest

ROOT = Path(__file__).resolve().parents[2]
REQUEST = ReadRequest("R1", "t", (Column("n"),), None)
HOLDER = """
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from connectors import duck
with duck.session(Path(sys.argv[1])):
    print("ready", flush=True)
    sys.stdin.read()
"""


def test_a_session_is_bounded_and_fetches_nothing(into):
    with duck.session(into) as con:
        found = dict(con.execute("SELECT name, value FROM duckdb_settings()").fetchall())
        assert found["memory_limit"] == "286.1 MiB"
        assert int(found["threads"]) == duck.threads() <= 4
        assert found["autoinstall_known_extensions"] == found["autoload_known_extensions"] == "false"
        assert Path(found["temp_directory"]).parent == into.parent
        with pytest.raises(duckdb.Error):
            con.execute("SELECT * FROM read_json('http://127.0.0.1:1/x')")
    assert list(into.parent.iterdir()) == []


@pytest.mark.parametrize("width", [320, 32_000])
def test_two_parts_that_fit_can_be_written_at_once(into, width):
    rows = duck.rows_that_fit([8, width])
    query = f"SELECT n, repeat(md5(n::text), {width // 32}) AS t FROM range({rows}) r(n)"
    with duck.session(into) as con, ThreadPoolExecutor(2) as pool, Parts(REQUEST, into) as parts:
        paths = [parts.temporary(), parts.temporary()]
        done = pool.map(lambda path: duck.write_part(con.cursor(), query, path, {}, order=("t",)), paths)
        for path, count in zip(paths, done, strict=True):
            parts.take(path, count)
        assert parts.finish().rows == 2 * rows
    assert [path.name for path in into.parent.iterdir()] == [into.name]


@pytest.mark.parametrize(
    ("widths", "rows"), [([], 250_000), ([8] * 12, 250_000), ([480] * 10, 10_000), ([240_000], 100), ([1e9, 1], 1)]
)
def test_how_many_rows_fit(widths, rows):
    assert duck.rows_that_fit(widths) == rows


def test_what_killed_sessions_left_behind_goes_and_a_living_one_stays(into):
    child = subprocess.Popen(
        [sys.executable, "-c", HOLDER, into], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    try:
        assert child.stdout.readline() == "ready\n"
        (held,) = into.parent.iterdir()
        with duck.session(into):
            assert held.exists()
        child.kill()
        child.wait()
        assert held.exists()
        with duck.session(into.with_name("other")):
            assert held.exists()
        with duck.session(into):
            assert not held.exists()
    finally:
        child.kill()
        child.communicate()
    assert list(into.parent.iterdir()) == []


def test_an_extension_that_is_not_installed_is_named(into):
    with (
        pytest.raises(ConnectorSettingsError, match="duckdb-extension-no-such") as caught,
        duck.session(into, "no_such"),
    ):
        pass
    assert caught.value.problem == "extension_missing"


def test_a_part_is_sorted_and_bears_its_field_ids(tmp_path):
    query = """SELECT 5 - n AS "n ""x", 'x' AS t FROM range(5) r(n)"""
    with duckdb.connect() as con:
        assert duck.write_part(con, query, tmp_path / "p'1", {'n "x': 7}, order=('n "x',)) == 5
    file = pq.ParquetFile(tmp_path / "p'1")
    assert file.read().column(0).to_pylist() == [1, 2, 3, 4, 5]
    assert file.schema_arrow.field(0).metadata == {b"PARQUET:field_id": b"7"}
    assert file.metadata.row_group(0).column(0).compression == "ZSTD"


@pytest.mark.parametrize("count", [0, 1, 99, 100, 101, 250])
def test_slices_hold_every_row_in_order(count):
    with duckdb.connect() as con:
        found = [table.column(0).to_pylist() for table in duck.slices(con, f"SELECT n FROM range({count}) r(n)", 100)]
    assert [n for part in found for n in part] == list(range(count))
    assert [len(part) for part in found] == [min(100, count - start) for start in range(0, count, 100)]


class TestDisk:
    def write(self, into):
        with duck.session(into) as con, Parts(REQUEST, into) as parts:
            query = "SELECT n, md5(n::text) AS t FROM range(200000) r(n)"
            try:
                parts.add(lambda path: duck.write_part(con, query, path, {}))
            except duckdb.Error as failure:
                return duck.landing_failure(failure, into)
        return None

    def test_a_full_disk_is_our_side(self, into):
        soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
        # As a full disk, to whoever writes: a file that may not grow.
        resource.setrlimit(resource.RLIMIT_FSIZE, (500_000, hard))
        try:
            failure = self.write(into)
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        assert isinstance(failure, LandingFailedError)
        assert failure.problem == "disk_full"
        assert list(into.parent.iterdir()) == []

    def test_a_folder_that_cannot_be_made(self, tmp_path):
        (tmp_path / "file").write_text("")
        with pytest.raises(LandingFailedError), duck.session(tmp_path / "file" / "batch"):
            pass

    @pytest.mark.parametrize(
        ("failure", "problem"),
        [
            (duckdb.IOException("Could not write file: No space left on device"), "disk_full"),
            (duckdb.OutOfMemoryException("max_temp_directory_size of 1 GB reached"), "disk_full"),
            (duckdb.OutOfMemoryException("could not allocate 3 GB"), "rows_too_wide"),
            (duckdb.IOException('Cannot open file "/x/王秘密": Permission denied'), "cannot_write"),
        ],
    )
    def test_what_our_side_says(self, into, failure, problem):
        error = duck.landing_failure(failure, into)
        assert error.problem == problem
        assert "王秘密" not in str(error)

    def test_what_the_source_says_is_not_ours(self, into):
        assert duck.landing_failure(duckdb.IOException("ERROR: permission denied for table t"), into) is None
        assert duck.landing_failure(duckdb.Error("connection lost"), into) is None


def test_threads_are_few():
    assert 1 <= duck.threads() <= min(4, os.cpu_count())
