"""The four steps under everything that goes wrong: what is told, what is kept, and that nothing is lost or doubled."""

import csv
import errno
import random
import signal
import sqlite3
import subprocess
import sys
import time
from datetime import date
from pathlib import Path

import pytest

from audit.entry import Entry
from audit.log import Log
from catalog.model import Cadence as Every
from catalog.model import (
    Department,
    Disposition,
    Domain,
    Field,
    FieldKind,
    FieldType,
    InformationResource,
    Matter,
    ResourceFormat,
    Responsibility,
    ResponsibilityList,
    ShareMethod,
    ShareType,
    SourceRef,
)
from connectors.errors import ConnectorError, SourceIncompleteError, SourceShapeError, SourceUnavailableError
from hub import loads
from hub.control import Control
from hub.errors import ResourceUnknownError, SystemsFileError, SystemUnknownError
from hub.ingestion import Ingestion, run_here
from hub.publishing import publish
from hub.settings import Settings
from warehouse.engine import Warehouse
from warehouse.errors import CommitUnknownError, ErrorBudgetExceededError, StorageFullError

DROP, BASE = "R-DROP", "R-BASE"
REPOSITORY = Path(__file__).parents[3]


def field(name, kind=FieldKind.STRING, **more):
    return Field(name, name.upper(), FieldType(kind), **more)


def resource(code, source, disposition):
    return InformationResource(
        code=code,
        name=f"资源{code}",
        name_en=code,
        provider="D1",
        abstract="测试资源",
        format=ResourceFormat.DATABASE,
        share_type=ShareType.CONDITIONAL,
        share_condition="按需",
        share_ground="",
        share_method=ShareMethod.SERVICE,
        cadence=Every.DAILY,
        open=False,
        published_on=date(2026, 1, 1),
        disposition=disposition,
        source=source,
        fields=(
            field("no", key=True, nullable=False, lookup=True),
            field("name", nullable=False),
            field("amount", FieldKind.INTEGER),
            field("updated_at", FieldKind.DATETIME),
        ),
    )


LIST = ResponsibilityList(
    city="测试",
    title="测试清单",
    year=2026,
    batch=1,
    departments=(Department("D1", "一局", "First", "11100000000013338W"),),
    resources=(
        resource(DROP, SourceRef("drop", "people*.csv"), Disposition.REPLACE),
        resource(BASE, SourceRef("base", "people", cursor_field="updated_at"), Disposition.MERGE),
    ),
    responsibilities=tuple(
        Responsibility(
            c, "D1", ("*",), ("*",), "依据", ShareMethod.SERVICE, Every.DAILY, date(2027, 1, 1), Domain.GOVERNMENT
        )
        for c in (DROP, BASE)
    ),
    matters=(Matter("M1", "事项", "Matter", "D1"),),
    office="D1",
)


def people(count, start=0):
    return [
        (f"N{i:05}", f"名{i}", str(i), f"2026-01-01T00:{i // 60 % 60:02}:{i % 60:02}")
        for i in range(start, start + count)
    ]


def write_csv(path, rows, headings=("no", "name", "amount", "updated_at"), encoding="gb18030"):
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", encoding=encoding, newline="") as file:
        writer = csv.writer(file)
        writer.writerow(headings)
        writer.writerows(rows)


def write_base(path, rows):
    with sqlite3.connect(path) as base:
        base.execute("CREATE TABLE IF NOT EXISTS people (no TEXT PRIMARY KEY, name TEXT, amount TEXT, updated_at TEXT)")
        base.executemany("INSERT OR REPLACE INTO people VALUES (?, ?, ?, ?)", rows)


@pytest.fixture
def settings(tmp_path):
    settings = Settings.at(tmp_path / "var")
    settings.home.mkdir()
    systems = f"""
systems:
  drop: {{kind: csv, settings: {{folder: {tmp_path}/drop, encoding: gb18030}}}}
  base: {{kind: sqlite, settings: {{path: {tmp_path}/base.sqlite}}}}
"""
    settings.systems_file.write_text(systems, encoding="utf-8")
    write_csv(tmp_path / "drop" / "people.csv", people(100))
    write_base(tmp_path / "base.sqlite", people(100))
    publish(settings, LIST)
    return settings


def report(settings, code, run):
    return next(r for r in loads.of_run(Control.attach(settings), run) if r.resource == code)


def table(settings, code):
    return Warehouse(settings.warehouse).scan(code)


def committed(settings):
    with Log.open(settings.log) as log:
        entries = [Entry.decode(leaf) for leaf in log.entries(0, log.size)]
    return [entry for entry in entries if entry.kind == "load.committed"]


def fails(settings, code, error, run="run"):
    """The load fails with *error*; its record says so in both languages, and nothing personal is in it."""
    with pytest.raises(error):
        run_here(settings, code, run)
    told = report(settings, code, run)
    assert (told.outcome, told.error_code) == ("failed", error.__name__)
    for lang in ("zh", "en"):
        assert told.error(lang)
        assert "名1" not in told.error(lang)
    assert told.finished is not None
    return told


def test_a_load_is_recorded_step_by_step_and_logged_once(settings):
    run_here(settings, DROP, "one")
    told = report(settings, DROP, "one")
    assert (told.read, told.accepted, told.rejected, told.inserted, told.outcome) == (100, 100, 0, 100, "loaded")
    assert set(told.seconds) == {"extract", "check", "commit", "index"}
    entry = committed(settings)[0]
    assert (entry.resource, entry.facts["inserted"], entry.facts["list_version"]) == (DROP, 100, LIST.version)
    assert told.log_index is not None

    run_here(settings, DROP, "two")
    assert report(settings, DROP, "two").outcome == "unchanged"
    assert len(committed(settings)) == 1
    assert not list(settings.staging.rglob("*.parquet"))


def test_the_index_answers_from_the_snapshot_that_was_committed(settings):
    run_here(settings, BASE, "one")
    warehouse = Warehouse(settings.warehouse)
    assert warehouse.lookup(BASE).snapshot_id == warehouse.current_snapshot(BASE)
    assert warehouse.lookup(BASE).find("no", "N00007", 2)[0]["amount"] == 7


def test_an_unknown_resource_and_an_unknown_system_are_named(settings):
    with pytest.raises(ResourceUnknownError, match="R-NONE"):
        run_here(settings, "R-NONE", "run")
    settings.systems_file.write_text("systems: {}\n", encoding="utf-8")
    fails(settings, DROP, SystemUnknownError)
    settings.systems_file.write_text("systems: [\n", encoding="utf-8")
    fails(settings, DROP, SystemsFileError, run="second")


def test_a_database_that_is_gone_is_worth_trying_again(settings, tmp_path):
    run_here(settings, BASE, "one")
    before = table(settings, BASE)
    (tmp_path / "base.sqlite").rename(tmp_path / "moved.sqlite")
    fails(settings, BASE, SourceUnavailableError)
    assert SourceUnavailableError.retryable
    assert table(settings, BASE) == before


def test_a_file_that_is_half_written_is_not_read(settings, tmp_path):
    run_here(settings, DROP, "one")
    whole = (tmp_path / "drop" / "people.csv").read_bytes()
    (tmp_path / "drop" / "people.csv").write_bytes(whole[: len(whole) * 2 // 3])
    with pytest.raises(ConnectorError) as refused:
        run_here(settings, DROP, "two")
    assert isinstance(refused.value, SourceIncompleteError)
    assert len(table(settings, DROP)) == 100


def test_the_wrong_encoding_names_the_file_and_loses_nothing(settings, tmp_path):
    run_here(settings, DROP, "one")
    write_csv(tmp_path / "drop" / "people.csv", people(100), encoding="utf-16")
    with pytest.raises(ConnectorError, match=r"people\.csv"):
        run_here(settings, DROP, "two")
    assert len(table(settings, DROP)) == 100


def test_a_column_under_an_unknown_heading_stops_the_load_and_is_guessed(settings, tmp_path):
    write_csv(tmp_path / "drop" / "people.csv", people(5), headings=("no", "nane", "amount", "updated_at"))
    told = fails(settings, DROP, SourceShapeError)
    assert "name" in told.error("en")
    assert "nane" in told.error("en")


def test_too_many_faults_commit_nothing_and_can_be_read(settings, tmp_path):
    run_here(settings, DROP, "one")
    rows = people(100)
    broken = [(no, "" if i % 2 else name, amount, at) for i, (no, name, amount, at) in enumerate(rows)]
    write_csv(tmp_path / "drop" / "people.csv", broken)
    fails(settings, DROP, ErrorBudgetExceededError, run="two")
    assert {row["name"] for row in table(settings, DROP)} == {name for _, name, _, _ in rows}


def test_a_full_disk_while_committing_leaves_all_as_it_was(settings, monkeypatch, tmp_path):
    run_here(settings, DROP, "one")
    before = table(settings, DROP)
    write_csv(tmp_path / "drop" / "people.csv", people(120))
    ingestion = Ingestion.open(DROP, "two", settings)
    checked = ingestion.check(ingestion.extract())
    with monkeypatch.context() as patch:
        import warehouse.table

        def full(*_arguments, **_named):
            raise OSError(errno.ENOSPC, "No space left on device")

        patch.setattr(warehouse.table, "data_file_of", full)
        with pytest.raises(StorageFullError):
            ingestion.commit(checked)
    assert table(settings, DROP) == before
    assert report(settings, DROP, "two").error_code == "StorageFullError"
    # With room again, the same step goes on from what was checked.
    ingestion.index(ingestion.commit(checked))
    assert len(table(settings, DROP)) == 120
    assert report(settings, DROP, "two").outcome == "loaded"


def test_a_commit_that_landed_but_was_reported_failed_is_recognised_and_logged_once(settings, monkeypatch):
    ingestion = Ingestion.open(DROP, "one", settings)
    checked = ingestion.check(ingestion.extract())
    with monkeypatch.context() as patch:
        from warehouse.table import DurableSqlCatalog

        landed = DurableSqlCatalog.commit_together

        def lost(self, *arguments, **named):
            landed(self, *arguments, **named)
            raise ConnectionError("the answer was lost")

        patch.setattr(DurableSqlCatalog, "commit_together", lost)
        with pytest.raises(CommitUnknownError):
            ingestion.commit(checked)
    assert committed(settings) == []
    ingestion.index(ingestion.commit(checked))
    assert len(table(settings, DROP)) == 100
    assert [entry.facts["inserted"] for entry in committed(settings)] == [100]
    assert report(settings, DROP, "one").inserted == 100


def test_a_source_that_returns_to_what_it_held_is_logged_each_time(settings, tmp_path):
    for run, rows in enumerate((people(30), people(29), people(30), people(30), people(29))):
        write_csv(tmp_path / "drop" / "people.csv", rows)
        run_here(settings, DROP, f"run-{run}")
    entries = committed(settings)
    assert [(one.facts["inserted"], one.facts["deleted"]) for one in entries] == [(30, 0), (0, 1), (1, 0), (0, 1)]
    assert entries[0].facts["batch"] == entries[2].facts["batch"]
    assert [entry.facts["snapshot"] for entry in entries] == [
        str(info.snapshot_id) for info in reversed(Warehouse(settings.warehouse).snapshots(DROP))
    ]
    told = [report(settings, DROP, f"run-{run}") for run in range(5)]
    assert told[3].outcome == "unchanged"
    assert len({one.log_index for one in told if one.log_index is not None}) == 4


def test_a_run_that_ended_between_its_entry_and_its_record_is_not_logged_twice(settings, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(Ingestion, "_note", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            run_here(settings, DROP, "one")
    (entry,) = committed(settings)
    run_here(settings, DROP, "two")
    assert committed(settings) == [entry]
    assert report(settings, DROP, "two").log_index is not None


CHILD = """
import sys
from pathlib import Path
from hub.ingestion import run_here
from hub.settings import Settings
print("ready", flush=True)
run_here(Settings.at(Path(sys.argv[1])), sys.argv[2], sys.argv[3])
"""


@pytest.mark.parametrize("code", [DROP, BASE])
def test_killed_at_any_moment_and_run_again_it_is_as_if_undisturbed(settings, tmp_path, code):
    draw = random.Random(code)
    run_here(settings, code, "first")
    for attempt in range(3):
        # Later than anything before: a row that arrives behind the cursor is the business of a lag window.
        at = f"2026-02-0{attempt + 1}T00:00:00"
        rows = [(no, name, amount, at) for no, name, amount, _ in people(40, start=1000 * (attempt + 1))]
        changed = [(no, name, "999", at) for no, name, _, _ in people(10, start=10 * attempt)]
        write_csv(tmp_path / "drop" / f"people-{attempt}.csv", rows)
        write_base(tmp_path / "base.sqlite", [*rows, *changed])
        command = [sys.executable, "-c", CHILD, str(settings.home), code, f"killed-{attempt}"]
        with subprocess.Popen(command, stdout=subprocess.PIPE, cwd=REPOSITORY) as child:
            child.stdout.readline()
            deadline = time.monotonic() + draw.uniform(0.0, 1.2)
            while child.poll() is None and time.monotonic() < deadline:
                pass
            child.send_signal(signal.SIGKILL)
        run_here(settings, code, f"again-{attempt}")

    undisturbed = Settings.at(tmp_path / "undisturbed")
    undisturbed.home.mkdir()
    undisturbed.systems_file.write_text(settings.systems_file.read_text(encoding="utf-8"), encoding="utf-8")
    publish(undisturbed, LIST)
    run_here(undisturbed, code, "all")
    assert table(settings, code) == table(undisturbed, code)
    kept, other = Warehouse(settings.warehouse), Warehouse(undisturbed.warehouse)
    assert kept.cursor(code) == other.cursor(code)
    assert kept.lookup(code).snapshot_id == kept.current_snapshot(code)
    # Every snapshot that made a difference has its entry, and no batch has two.
    batches = [entry.facts["batch"] for entry in committed(settings)]
    assert len(batches) == len(set(batches))
    assert {info.batch_id for info in kept.snapshots(code)} == set(batches)


def test_two_runs_of_one_resource_at_once_end_with_every_row_once(settings):
    command = [sys.executable, "-c", CHILD, str(settings.home), DROP]
    children = [
        subprocess.Popen([*command, f"run-{n}"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=REPOSITORY)
        for n in range(2)
    ]
    codes = []
    for child in children:
        _, told = child.communicate(timeout=60)
        assert not child.returncode or b"CommitConflictError" in told, told.decode()
        codes.append(child.returncode)
    assert 0 in codes
    assert len(table(settings, DROP)) == 100
