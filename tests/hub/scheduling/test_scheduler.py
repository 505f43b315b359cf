"""What the scheduler draws from, and the embedded Airflow when it does not come up."""

import json
import os
import stat
import subprocess
import sys
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from pathlib import Path

import pytest
from croniter import croniter
from sqlalchemy import create_engine, make_url
from sqlalchemy.ext.asyncio import create_async_engine

from catalog.load import load
from hub import registry, scheduler
from hub.errors import SchedulerFailedError, SchedulerUnreachableError
from hub.scheduler import LOOPBACK, EmbeddedAirflow
from hub.settings import Settings

REPOSITORY = Path(__file__).parents[3]
LIST = load(REPOSITORY / "demo" / "responsibilities.yaml")


@pytest.fixture
def settings(tmp_path):
    return Settings.at(tmp_path / "var")


def test_a_list_compiles_to_the_same_bytes_every_time(tmp_path):
    for name in ("one", "two"):
        compiled = registry.compile_list(LIST, outlet_root="file:///w", connections={})
        registry.write(compiled, tmp_path / f"{name}.json")
    assert (tmp_path / "one.json").read_bytes() == (tmp_path / "two.json").read_bytes()
    assert registry.read(tmp_path / "one.json")["list_version"] == LIST.version
    assert registry.read(tmp_path / "absent.json")["resources"] == []


def test_a_resource_that_does_not_compile_becomes_a_row_with_its_error():
    broken = replace(LIST.resources[0], cadence="9")
    list_ = replace(LIST, resources=(broken, *LIST.resources[1:]))
    rows = registry.compile_list(list_, outlet_root="file:///w", connections={})["resources"]
    assert "9" in rows[0]["error"]
    assert not any(row["error"] for row in rows[1:])
    assert len(rows) == len(LIST.resources)


def test_a_system_gets_as_many_slots_as_it_allows_connections():
    pools = registry.compile_list(LIST, outlet_root="file:///w", connections={"ga-population": 5})["pools"]
    assert pools["source.ga-population"] == 5
    assert pools["source.tj-divisions"] == 1


def test_a_task_finds_its_row_without_reading_the_others(tmp_path):
    path = tmp_path / "registry.json"
    compiled = registry.compile_list(LIST, outlet_root="file:///w", connections={})
    registry.write(compiled, path)
    rows = compiled["resources"]
    assert registry.rows_of(path, None) == registry.rows_of(path, "list_health") == rows
    assert registry.rows_of(path, rows[3]["dag"]) == [rows[3]]
    department = rows[3]["rollup"]
    assert registry.rows_of(path, department) == [row for row in rows if row["rollup"] == department]
    assert registry.rows_of(path, "ingest.none") == []
    assert registry.rows_of(tmp_path / "absent.json", rows[3]["dag"]) == []
    header, *lines = path.read_text(encoding="utf-8").split("\n")
    path.write_text("\n".join([header, *("{" if rows[3]["dag"] not in line else line for line in lines)]), "utf-8")
    assert registry.rows_of(path, rows[3]["dag"]) == [rows[3]]


def test_a_title_that_breaks_lines_elsewhere_keeps_its_row(tmp_path):
    broken = replace(LIST.resources[0], name="甲\u2028乙\x85丙")
    compiled = registry.compile_list(replace(LIST, resources=(broken,)), outlet_root="file:///w", connections={})
    registry.write(compiled, tmp_path / "registry.json")
    (row,) = registry.rows_of(tmp_path / "registry.json", compiled["resources"][0]["dag"])
    assert row["title"] == "甲\u2028乙\x85丙"


@pytest.mark.parametrize(
    ("cadence", "partition", "period"),
    [
        ("1", "2026-01-05T03", ("2026-01-05 03:00:00", "2026-01-05T03:59:59.999999")),
        ("2", "2026-01-05", ("2026-01-05", "2026-01-05")),
        ("3", "2026-01-05", ("2026-01-05", "2026-01-11")),
        ("4", "2028-02-01", ("2028-02-01", "2028-02-29")),
        ("4", "2026-12-01", ("2026-12-01", "2026-12-31")),
        ("5", "2026-10-01", ("2026-10-01", "2026-12-31")),
        ("6", "2026-01-01", ("2026-01-01", "2026-12-31")),
    ],
)
def test_a_partition_stands_for_the_period_until_the_next(cadence, partition, period):
    assert registry.period_of(cadence, partition) == period
    assert datetime.strptime(partition, registry.key_format_of(cadence)).replace(tzinfo=UTC)


def test_partitions_leave_no_gap():
    for cadence in "23456":
        resource = replace(LIST.resources[0], cadence=cadence)
        ticks = croniter(registry.cron_of(resource), datetime(2025, 12, 31, 23, tzinfo=UTC))
        days = [f"{ticks.get_next(datetime):%Y-%m-%d}" for _ in range(30)]
        for day, following in pairwise(days):
            _, last = registry.period_of(cadence, day)
            assert date.fromisoformat(last) + timedelta(days=1) == date.fromisoformat(following)


def test_the_night_begins_when_the_city_says(tmp_path):
    for start in (1, 22):
        ticks = [
            r["cron"].split()
            for r in registry.compile_list(LIST, outlet_root="x", connections={}, window_start=start)["resources"]
        ]
        hours = {(int(hour) - start) % 24 for _, hour, *_ in ticks}
        assert hours <= set(range(4))
        assert all(int(hour) < 24 for _, hour, *_ in ticks)


def test_what_the_scheduler_imports_before_it_forks_starts_no_engine(tmp_path):
    # A thread that DuckDB has started does not live in the tasks.
    (tmp_path / "settings.py").write_text(scheduler.LOCAL_SETTINGS, encoding="utf-8")
    code = "import runpy, sys; runpy.run_path(sys.argv[2]); print('duckdb' in sys.modules, 'hub.drifts' in sys.modules)"
    command = [sys.executable, "-W", "ignore", "-c", code, "scheduler", str(tmp_path / "settings.py")]
    env = {**os.environ, "AIRFLOW_HOME": str(tmp_path)}
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=env)
    assert done.stdout.splitlines()[-1] == "False True"


def test_watching_asks_for_what_changed(settings, monkeypatch):
    airflow = EmbeddedAirflow(settings, REPOSITORY / "dags")
    told = iter(
        [
            ([("a", "running"), ("b", "queued")], [("a", "extract", "running")]),
            ([("a", "success")], [("a", "extract", "success"), ("a", "check", "success")]),
            ([("b", "failed")], [("b", "extract", "failed")]),
        ]
    )
    asked, now = [], []

    def pages(path, _name, **narrowed):
        if path.endswith("/dagRuns"):
            asked.append("updated_at_gte" in narrowed)
            now[:] = next(told)
            return [{"dag_run_id": "r", "dag_id": dag, "state": state} for dag, state in now[0]]
        return [{"dag_run_id": "r", "dag_id": d, "task_id": t, "state": state} for d, t, state in now[1]]

    monkeypatch.setattr(airflow, "_pages", pages)
    monkeypatch.setattr(scheduler, "WATCH_S", 0)
    *_, last = airflow.watch(["a", "b"], "r", timeout_s=60)
    assert asked == [False, True, True]
    assert [(state.state, state.tasks) for state in last] == [
        ("success", {"extract": "success", "check": "success"}),
        ("failed", {"extract": "failed"}),
    ]


def test_a_backfill_ends_with_its_last_day(settings, monkeypatch):
    airflow = EmbeddedAirflow(settings, REPOSITORY / "dags")
    sent = []
    monkeypatch.setattr(airflow, "_api", lambda *call, **more: sent.append((call, more)))
    airflow.backfill("ingest.a", "2026-01-02", "2026-01-03")
    ((call, more),) = sent
    assert call == ("POST", "/backfills")
    assert (more["json"]["from_date"], more["json"]["to_date"]) == ("2026-01-02T00:00:00Z", "2026-01-03T23:59:59Z")
    assert more["json"]["max_active_runs"] == 1


def test_everything_listens_on_loopback_and_secrets_are_for_the_owner(settings, monkeypatch):
    monkeypatch.setattr(EmbeddedAirflow, "_launch", lambda *_: None)
    airflow = EmbeddedAirflow(settings, REPOSITORY / "dags")
    airflow.begin()
    assert airflow.environ["AIRFLOW__API__HOST"] == LOOPBACK
    assert airflow.environ["AIRFLOW__API__BASE_URL"] == airflow.url == f"http://{LOOPBACK}:{airflow.port}"
    assert airflow.environ["AIRFLOW__CORE__EXECUTION_API_SERVER_URL"].startswith(airflow.url)
    assert airflow.environ["AIRFLOW__CORE__LOAD_EXAMPLES"] == "False"
    for arguments in (arguments for name, arguments in scheduler.COMPONENTS if name == "scheduler"):
        assert "--skip-serve-logs" in arguments
    for secret in (airflow.password_file, settings.airflow / "jwt.secret"):
        assert stat.S_IMODE(secret.stat().st_mode) == 0o600
    password = json.loads(airflow.password_file.read_text())["admin"]
    again = EmbeddedAirflow(settings, REPOSITORY / "dags")
    again.begin()
    assert json.loads(again.password_file.read_text())["admin"] == password


def test_a_task_waits_for_the_metadata_and_another_database_is_whoever_runs_it_s_choice(settings, monkeypatch):
    monkeypatch.setattr(EmbeddedAirflow, "_launch", lambda *_: None)
    monkeypatch.delenv("AIRFLOW__DATABASE__SQL_ALCHEMY_CONN", raising=False)
    airflow = EmbeddedAirflow(settings, REPOSITORY / "dags")
    airflow.begin()
    url = make_url(airflow.environ["AIRFLOW__DATABASE__SQL_ALCHEMY_CONN"])
    assert url.database == str(settings.airflow / "airflow.db")
    # What a connection then does is SQLite's word for it, in milliseconds; its own default is five seconds.
    for connection in (url, url.set(drivername="sqlite+aiosqlite")):
        engine = create_engine(connection) if connection is url else create_async_engine(connection).sync_engine
        arguments = engine.dialect.create_connect_args(connection)
        assert float(arguments[1]["timeout"]) == scheduler.WRITER_WAIT_S >= 60
        engine.dispose()
    with create_engine(url).connect() as connection:
        assert connection.exec_driver_sql("PRAGMA busy_timeout").scalar_one() == scheduler.WRITER_WAIT_S * 1000
    monkeypatch.setenv("AIRFLOW__DATABASE__SQL_ALCHEMY_CONN", "postgresql+psycopg2://airflow@/airflow")
    again = EmbeddedAirflow(settings, REPOSITORY / "dags")
    again.begin()
    assert again.environ["AIRFLOW__DATABASE__SQL_ALCHEMY_CONN"].startswith("postgresql")


def test_a_component_that_ends_is_named_with_its_log_and_nothing_is_left_running(settings, monkeypatch):
    monkeypatch.setattr(scheduler, "COMPONENTS", (("scheduler", ("no-such-command",)),))
    (settings.airflow).mkdir(parents=True)
    (settings.airflow / "migrated").touch()
    airflow = EmbeddedAirflow(settings, REPOSITORY / "dags")
    with pytest.raises(SchedulerFailedError, match=r"scheduler.*scheduler\.log") as failed:
        airflow.start()
    assert "scheduler.log" in failed.value.text("zh")
    airflow.stop()
    assert airflow._processes == {}


def test_before_it_is_started_it_says_so(settings):
    with pytest.raises(SchedulerUnreachableError, match="not started"):
        EmbeddedAirflow(settings, REPOSITORY / "dags").known_dags()
