"""The light of each component: good where all is well, and another one when it is not."""

from __future__ import annotations

import json
import os
import sqlite3
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import pytest

from hub import alerts, health
from hub.machine import clock_error_s, process_start, siblings
from hub.office import Office


@pytest.fixture
def office(world):
    with Office.open(world.settings, clock=world.clock) as opened:
        opened.evidence.publish()
        yield opened


def light(office, code):
    return next(one for one in health.components(office) if one.code == code)


def test_each_component_has_a_name_and_says_something_in_both_languages(office):
    found = health.components(office)
    assert [one.code for one in found] == list(health.NAMES)
    for one in found:
        assert all(one.says), one
        assert bool(one.clears[0]) == bool(one.clears[1]) == (one.tone in {"warn", "bad"}), one


@pytest.mark.parametrize(
    ("kind", "code", "tone"),
    [
        ("witness_silent", "log", "good"),
        ("log_forked", "log", "bad"),
        ("warehouse_damaged", "warehouse", "bad"),
        ("key_due", "certificates", "warn"),
        ("load_failed", "loads", "warn"),
        ("hook_paused", "hooks", "warn"),
    ],
)
def test_an_open_alert_is_the_light_of_its_component(office, kind, code, tone):
    params = {"name": "x", "until": "2026-01-01", "error_en": "x", "error_zh": "x", "why": "x", "hook": "x"}
    params |= {"witness": "x", "minutes": "30", "findings": "1", "consumer": "x", "event": "x", "department": "x"}
    at = office.now() - timedelta(hours=2)
    alerts.raise_alert(office.control, kind, key="k", at=at, resource="R", department="GA", params=params)
    found = light(office, code)
    assert found.tone == tone
    if tone != "good":
        assert found.since == at
        assert found.clears[1]
        alerts.clear(office.control, "k", at=office.now())
        assert light(office, code).tone == "good"


def test_entries_that_wait_too_long_for_a_checkpoint_are_seen(office, world):
    assert light(office, "log").tone == "good"
    office.evidence.append("x.done", facts={}, actor="GA:x")
    world.clock.now += timedelta(hours=1)
    found = light(office, "log")
    assert (found.tone, found.since) == ("bad", world.clock.now - timedelta(hours=1))


def test_a_clock_that_was_set_back_is_seen(office, world, monkeypatch):
    monkeypatch.setattr(health, "clock_error_s", lambda: 0.001)
    assert light(office, "time").tone == "good"
    world.clock.now -= timedelta(days=1)
    assert light(office, "time").tone == "bad"
    world.clock.now += timedelta(days=1)
    monkeypatch.setattr(health, "clock_error_s", lambda: None)
    assert light(office, "time").tone == "warn"


def test_a_disk_that_fills_is_seen(office, monkeypatch):
    for free, tone in ((50, "good"), (10, "warn"), (3, "bad")):
        disk = SimpleNamespace(f_bavail=free, f_blocks=100, f_frsize=1024**3, f_flag=0)
        monkeypatch.setattr(os, "statvfs", lambda _, disk=disk: disk)
        assert light(office, "disks").tone == tone


@pytest.fixture
def airflow(office):
    """Airflow's table of jobs, and a function that writes one down as Airflow does: minutes ago."""
    office.settings.airflow.mkdir()
    path = office.settings.airflow / "airflow.db"
    columns = "id INTEGER PRIMARY KEY, job_type, state, start_date, end_date, latest_heartbeat"
    with sqlite3.connect(path) as database:
        database.execute(f"CREATE TABLE job ({columns})")

    def add(kind, state, began, beat, ended=None):
        times = [
            None if ago is None else (datetime.now(UTC) - timedelta(minutes=ago)).strftime("%Y-%m-%d %H:%M:%S.%f")
            for ago in (began, ended, beat)
        ]
        with sqlite3.connect(path) as database:
            database.execute(
                "INSERT INTO job (job_type, state, start_date, end_date, latest_heartbeat) VALUES (?, ?, ?, ?, ?)",
                (kind, state, *times),
            )

    return add


def test_a_hub_without_an_airflow_of_its_own_is_at_fault_for_nothing(office):
    assert light(office, "airflow").tone == "calm"


def test_the_scheduler_lives_while_its_heart_beats(office, airflow):
    found = light(office, "airflow")
    assert (found.tone, found.says[0]) == ("warn", "was set up and never started")
    for kind in ("DagProcessorJob", "SchedulerJob", "TriggererJob"):
        airflow(kind, "running", 60, 0)
    # A task is a job as well, of which every one ends.
    airflow("LocalTaskJob", "success", 50, 40, 40)
    assert light(office, "airflow").tone == "good"


def test_a_scheduler_that_was_stopped_is_told_from_one_that_died(office, airflow):
    # As `zhengtong demo` leaves them: the triggerer never says that it ended.
    airflow("DagProcessorJob", "success", 60, 10, 10)
    airflow("SchedulerJob", "success", 60, 10, 10)
    airflow("TriggererJob", "running", 59, 11)
    stopped = light(office, "airflow")
    assert (stopped.tone, "on purpose" in stopped.says[0], "正常停止" in stopped.says[1]) == ("warn", True, True)
    assert timedelta(minutes=9) < datetime.now(UTC) - stopped.since < timedelta(minutes=11)
    # It is started anew, and lives though the triggerer of before is silent.
    airflow("SchedulerJob", "running", 5, 0)
    airflow("DagProcessorJob", "running", 5, 0)
    assert light(office, "airflow").tone == "good"
    airflow("TriggererJob", "running", 5, 4)
    found = light(office, "airflow")
    assert (found.tone, found.says[0]) == ("bad", "died without having been stopped: TriggererJob")


@pytest.mark.parametrize(("state", "ended"), [("running", None), ("failed", 8), (None, None)])
def test_a_scheduler_that_died_is_a_failure(office, airflow, state, ended):
    airflow("SchedulerJob", "success", 900, 800, 800)
    airflow("SchedulerJob", state, 60, 9, ended)
    airflow("TriggererJob", "running", 60, 0)
    found = light(office, "airflow")
    assert (found.tone, found.says[0]) == ("bad", "died without having been stopped: SchedulerJob")
    assert "airflow/logs" in found.clears[0]
    assert "airflow/logs" in found.clears[1]
    assert timedelta(minutes=8) < datetime.now(UTC) - found.since < timedelta(minutes=10)


def test_what_cannot_be_looked_at_is_bad_and_stops_no_other(office, monkeypatch):
    def broken(*_):
        raise sqlite3.OperationalError("disk I/O error")

    monkeypatch.setattr(type(office.control), "generation", broken)
    found = health.components(office)
    assert next(one for one in found if one.code == "database").tone == "bad"
    assert next(one for one in found if one.code == "log").tone == "good"
    assert health.worst(found) == "bad"


def test_no_backup_is_bad(office):
    assert light(office, "backups").tone == "bad"


def test_the_machine_says_when_a_process_began_and_how_far_its_clock_may_be_off():
    began = process_start(os.getpid())
    assert timedelta() <= datetime.now(UTC) - began < timedelta(days=1)
    assert process_start(2**22 + 1) is None
    assert siblings() == [os.getpid()]
    error = clock_error_s()
    assert error is None or error >= 0


def test_the_command(world, monkeypatch, capsys):
    from hub.cli import main

    monkeypatch.setenv("ZHENGTONG_HOME", str(world.settings.home))
    assert main(["health", "--json", "--lang", "en"]) == 20
    assert {one["component"] for one in json.loads(capsys.readouterr().out)} == set(health.NAMES)
    assert main(["health"]) == 20
    assert "zhengtong backup make" in capsys.readouterr().out
