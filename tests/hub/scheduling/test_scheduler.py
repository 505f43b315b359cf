"""What the scheduler draws from, and the embedded Airflow when it does not come up."""

import json
import stat
from dataclasses import replace
from pathlib import Path

import pytest

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
