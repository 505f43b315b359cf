"""A large read that is killed goes on where its parts end, by the command that began it."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from catalog.model import Disposition
from connectors.parts import read_manifest
from hub.control import Control
from hub.ingestion import LANDED, resumable
from hub.orders import LoadOrder
from tests.hub.ingestion.city import FIELDS, FULL, City, postgres_settings, resource

pytestmark = [pytest.mark.slow, pytest.mark.service("postgresql")]

CODE = "R-LARGE"
REPOSITORY = Path(__file__).parents[3]
ROWS, A_PART = 3_000, 250
# The command, with parts so small that a table of a test has many, and a pause after each of the first.
PROGRAM = """
import sys, time
from connectors import duck, parts, postgresql
rows, pause_s = int(sys.argv[1]), float(sys.argv[2])
for module in (parts, duck, postgresql):
    module.ROWS_PER_PART = rows
take = parts.Parts.take
def slowly(self, path, rows):
    take(self, path, rows)
    print("part", flush=True)
    time.sleep(pause_s)
parts.Parts.take = slowly
from hub.cli import main
sys.argv[1:] = sys.argv[3:]
sys.exit(main())
"""


@pytest.fixture
def city(tmp_path, department):
    query = "SELECT 'N' || lpad(n::text, 6, '0'), 'x' || n % 90, n, '2026-01-01'::timestamp + n * interval '1 s'"
    department.do(f"INSERT INTO people {query} FROM generate_series(1, {ROWS}) n", "ANALYZE people")
    settings = postgres_settings(department.url)
    of = resource(CODE, Disposition.REPLACE, "base", "people", FIELDS, options=(("chunk", "key"),))
    with City(tmp_path / "var", {"base": {"kind": "postgresql", "settings": settings}}, of) as city:
        yield city


def command(city, pause_s, *arguments):
    env = {**os.environ, "ZHENGTONG_HOME": str(city.settings.home), "LANG": "C.UTF-8", "LC_ALL": ""}
    given = [sys.executable, "-c", PROGRAM, str(A_PART), str(pause_s), "ingest", "run", CODE, *arguments]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    # A shell in the background hands on that Ctrl-C is ignored; whoever types it is at a terminal.
    return subprocess.Popen(given, env=env, cwd=REPOSITORY, preexec_fn=_at_a_terminal, **pipes)  # noqa: PLW1509


def _at_a_terminal():
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def killed_after(city, parts, sign=signal.SIGKILL):
    with command(city, 60) as child:
        # The pause after each part is a minute: it has written one, and not the next.
        for _ in range(parts):
            assert child.stdout.readline() == "part\n"
        child.send_signal(sign)
        child.communicate()


def state(city):
    control = Control.attach(city.settings)
    try:
        run = resumable(city.settings, control, CODE, LoadOrder())
    finally:
        control.close()
    return run, read_manifest(city.begin(run=run or "none").folder / LANDED)


@pytest.mark.parametrize("sign", [signal.SIGKILL, signal.SIGINT])
def test_the_same_command_reads_what_is_left_and_no_part_twice(city, department, sign):
    killed_after(city, 1, sign)
    run, manifest = state(city)
    (first,) = manifest.parts
    assert (run is not None, manifest.done, manifest.rows) == (True, False, A_PART)
    written = (city.begin(run=run).folder / LANDED / first.file).stat()
    # What changed among the rows that are read already is for the next load to see.
    department.do("UPDATE people SET name = 'late' WHERE no = 'N000001'")
    with command(city, 0) as child:
        out, err = child.communicate()
    assert child.returncode == 0, err
    assert "going on with the read that was stopped" in err
    # Each part of the rest was written now, and the first was not.
    assert out.count("part\n") == ROWS // A_PART - 1
    assert written.st_mtime < time.time()
    told = city.report(run)
    assert (told.read, told.inserted, told.outcome) == (ROWS, ROWS, "loaded")
    rows = city.rows("", "no", "name")
    assert len({no for no, _ in rows}) == len(rows) == ROWS
    assert rows[0] == ("N000001", "x1")
    assert city.load().updated == 1
    assert not list(city.settings.staging.rglob("*.parquet"))


def test_from_the_start_where_that_is_asked_for(city):
    killed_after(city, 1)
    run, _ = state(city)
    with command(city, 0, "--fresh") as child:
        out, err = child.communicate()
    assert (child.returncode, out.count("part\n")) == (0, ROWS // A_PART), err
    assert "going on" not in err
    assert city.report(run).outcome == "running"


def test_another_order_is_another_read(city):
    killed_after(city, 1)
    control = Control.attach(city.settings)
    try:
        assert resumable(city.settings, control, CODE, FULL) is None
    finally:
        control.close()
