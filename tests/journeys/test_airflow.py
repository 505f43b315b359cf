"""A small city through a real Airflow: what a schedule, a backfill, a form, a pause, a failure and a drift come to."""

import csv
import json
import sqlite3
import threading
import time
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from catalog.model import (
    Cadence,
    Department,
    Disposition,
    Domain,
    Drift,
    DriftPolicy,
    Field,
    FieldKind,
    FieldType,
    Matter,
    Responsibility,
    ShareMethod,
    SourceRef,
)
from hub import alerts, drifts, loads, pauses, registry, scheduler
from hub.actors import Actor
from hub.control import Control
from hub.office import Office
from hub.publishing import publish
from hub.scheduler import EmbeddedAirflow
from hub.settings import Settings
from tests.hub import world as worlds
from warehouse.engine import Warehouse

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

DAGS = Path(__file__).parents[2] / "dags"
ZONE = ZoneInfo("Asia/Shanghai")
# Codes of GB/T 21063 hold a slash, which ids of DAGs may not.
BASE, DROP = "301/0001", "301/0002"
API, DENIED, DOWN, HELD, SLOW, SHAPE = (f"302/{n:04}" for n in range(1, 7))
FIRST, SECOND = "D1", "D2"
COLUMNS = ("no", "name", "note", "changed")
TOKEN = "a token of the city's"
WAIT_S = 240
OWN = ("order_load", "approve_drift", "watch_loads", "maintain_warehouse", "reconcile_resources", "list_health")


def resource(code, system, target, **more):
    string = FieldType(FieldKind.STRING)
    return worlds.resource(
        code,
        name=f"资源{code}",
        provider=FIRST if code.startswith("301") else SECOND,
        source=SourceRef(system, target, cursor_field="changed" if code == BASE else "", options=()),
        fields=(
            Field("no", "编号", string, key=True, nullable=False, lookup=True),
            Field("name", "姓名", string),
            Field("note", "备注", string),
            Field("changed", "更新", FieldType(FieldKind.DATETIME)),
        ),
        **more,
    )


RESOURCES = (
    resource(BASE, "base", "people", disposition=Disposition.MERGE),
    resource(DROP, "drop", "people.csv"),
    resource(API, "api", "people"),
    resource(DENIED, "denied", "people"),
    resource(DOWN, "down", "people"),
    resource(HELD, "base", "people"),
    resource(SLOW, "api", "slow"),
    resource(SHAPE, "drop", "shape.csv", drift=((Drift.MISSING, DriftPolicy.FREEZE),)),
)
LIST = worlds.make_list(
    departments=(
        Department(FIRST, "一局", "First", "11100000000013338W"),
        Department(SECOND, "二局", "Second", "11430000006122244L"),
    ),
    resources=RESOURCES,
    responsibilities=tuple(
        Responsibility(
            r.code,
            r.provider,
            ("*",),
            ("*",),
            "依据",
            ShareMethod.SERVICE,
            Cadence.DAILY,
            date(2027, 1, 1),
            Domain.GOVERNMENT,
        )
        for r in RESOURCES
    ),
    matters=(Matter("M1", "事项", "Matter", FIRST),),
    office=FIRST,
)


def people(day=1, count=5, note="x"):
    return [(f"N{day}{n}", f"名{n}", note, f"2026-01-{day:02}T08:00:{n:02}") for n in range(count)]


def write_csv(path, rows, columns=COLUMNS):
    # Its rename is what makes it whole: the schedule may read at any moment.
    with path.with_suffix(".part").open("w", encoding="utf-8", newline="") as file:
        at = [COLUMNS.index(column) for column in columns]
        csv.writer(file).writerows([columns, *([row[i] for i in at] for row in rows)])
    path.with_suffix(".part").rename(path)


def write_base(path, rows):
    with sqlite3.connect(path) as base:
        base.execute("CREATE TABLE IF NOT EXISTS people (no TEXT PRIMARY KEY, name TEXT, note TEXT, changed TEXT)")
        base.executemany("INSERT OR REPLACE INTO people VALUES (?, ?, ?, ?)", rows)


@contextmanager
def service():
    """A department's service: it wants a token, and answers ``/slow`` when it is let go."""
    go = threading.Event()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            if self.headers.get("Authorization") != f"Bearer {TOKEN}":
                self.send_response(401)
                self.end_headers()
                return
            if self.path.startswith("/slow"):
                go.wait(25)
            rows = [dict(zip(COLUMNS, row, strict=True)) for row in people()]
            body = json.dumps({"items": rows, "total": len(rows)}).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", go
    finally:
        go.set()
        server.shutdown()
        server.server_close()


@dataclass
class City:
    settings: Settings
    folder: Path
    go: threading.Event
    airflow: EmbeddedAirflow = field(init=False)

    def run_of(self, dag, run):
        return next((r for r in self.runs(dag) if r["dag_run_id"] == run), None)

    def runs(self, dag):
        return list(self.airflow._pages(f"/dags/{dag}/dagRuns", "dag_runs"))

    def tasks(self, dag, run):
        found = self.airflow._pages(f"/dags/{dag}/dagRuns/{run}/taskInstances", "task_instances")
        return {one["task_id"]: one for one in found}

    def states(self, dag, run):
        return {name: one["state"] for name, one in self.tasks(dag, run).items()}

    def wait(self, condition, what):
        deadline = time.monotonic() + WAIT_S
        while not (found := condition()):
            assert time.monotonic() < deadline, what if isinstance(what, str) else what()
            time.sleep(0.5)
        return found

    def ended(self, dag, run):
        """The state in which a run ends."""

        def state():
            found = self.run_of(dag, run)
            return found["state"] if found and found["state"] in scheduler.FINISHED else None

        return self.wait(state, lambda: f"{dag} {run} did not end: {self.states(dag, run)}")

    def order(self, dag, run, **more):
        """A run made while its DAG is paused, begun by unpausing it."""
        self.airflow.unpause(dag, paused=True)
        self.airflow.create_run(dag, run, **more)
        self.airflow.unpause(dag)
        return self.ended(dag, run)

    def report(self, code, run):
        with self.control() as control:
            return next(r for r in loads.of_run(control, run) if r.resource == code)

    def cursor(self, code):
        with Warehouse(self.settings.warehouse) as house:
            return house.cursor(code)

    def count(self, code):
        with Warehouse(self.settings.warehouse) as house:
            return house.count(code)

    @contextmanager
    def control(self):
        control = Control.attach(self.settings)
        try:
            yield control
        finally:
            control.close()


@pytest.fixture(scope="module")
def city(tmp_path_factory):
    folder = tmp_path_factory.mktemp("city")
    # No resource is due but the one of the minute.
    settings = replace(Settings.at(folder / "var"), window_start=(datetime.now(ZONE).hour + 8) % 24)
    settings.home.mkdir()
    with ExitStack() as stack:
        patch = stack.enter_context(pytest.MonkeyPatch.context())
        patch.setattr(scheduler, "RETRY_DELAY_S", 5)
        patch.setenv("AIRFLOW_CONN_CITY_API", json.dumps({"conn_type": "http", "extra": {"token": TOKEN}}))
        url, go = stack.enter_context(service())
        systems = {
            "base": {"kind": "sqlite", "settings": {"path": str(folder / "base.sqlite")}},
            "drop": {"kind": "csv", "settings": {"folder": str(folder), "encoding": "utf-8"}},
            "api": {
                "kind": "http-json",
                "settings": {"base_url": url, "token": "airflow:city_api#token"},
                "connections": 2,
            },
            "denied": {"kind": "http-json", "settings": {"base_url": url, "token": "airflow:nobody"}},
            "down": {"kind": "sqlite", "settings": {"path": str(folder / "down.sqlite")}},
        }
        settings.systems_file.write_text(json.dumps({"systems": systems}), encoding="utf-8")
        for day in (1, 2, 3):
            write_base(folder / "base.sqlite", people(day))
        write_csv(folder / "people.csv", people())
        write_csv(folder / "shape.csv", people())
        publish(settings, LIST)
        with Office.open(settings) as office:
            pauses.pause(office, HELD, Actor(FIRST, "office"), "系统检修")
        compiled = registry.read(settings.registry)
        for row in compiled["resources"]:
            # One runs each minute, and one has three seconds.
            row["cron"] = "* * * * *" if row["code"] == DROP else row["cron"]
            row["deadline_minutes"] = 0.05 if row["code"] == SLOW else row["deadline_minutes"]
        registry.write(compiled, settings.registry)
        city = City(settings, folder, go)
        city.airflow = stack.enter_context(EmbeddedAirflow(settings, DAGS))
        city.airflow.prepare([*(r["dag"] for r in compiled["resources"]), "department.D1", "department.D2", *OWN])
        for department in ("department.D1", "department.D2"):
            city.airflow.unpause(department)
        # The resource of the minute is not started by us.
        city.day = f"{datetime.now(ZONE):%Y-%m-%d}"
        city.airflow.start_runs(
            [registry.dag_of(r.code) for r in RESOURCES if r.code != DROP], "night", partition=city.day
        )
        yield city


def test_a_source_that_is_down_is_tried_again(city):
    dag = registry.dag_of(DOWN)

    def waiting():
        extract = city.tasks(dag, "night")["extract"]
        return extract["state"] == "up_for_retry" or extract["try_number"] > 1

    city.wait(waiting, "it was not tried again")
    write_base(city.folder / "down.sqlite", people())
    assert city.ended(dag, "night") == "success"
    assert city.tasks(dag, "night")["extract"]["try_number"] > 1
    assert city.report(DOWN, "night").error_code is None


def test_a_resource_is_loaded_on_its_schedule_and_its_department_summed_up(city):
    dag = registry.dag_of(DROP)
    assert city.ended(registry.dag_of(BASE), "night") == "success"

    def scheduled():
        return [run for run in city.runs(dag) if run["run_type"] == "scheduled" and run["state"] == "success"]

    (*_, first) = city.wait(scheduled, "no run of the schedule")
    city.airflow.unpause(dag, paused=True)
    assert first["partition_key"] == city.day
    assert city.count(DROP) == 5
    assert city.count(BASE) == 15

    def summed():
        return [run for run in city.runs("department.D1") if run["state"] == "success"]

    (*_, rollup) = city.wait(summed, "the department was not summed up")
    assert rollup["partition_key"] == city.day
    assert rollup["run_type"] == "asset_triggered"
    # The other department's resources are not all in.
    assert city.runs("department.D2") == []


def test_a_secret_comes_from_an_airflow_connection_and_a_missing_one_is_a_closed_door(city):
    assert city.ended(registry.dag_of(API), "night") == "success"
    assert city.count(API) == 5
    assert city.ended(registry.dag_of(DENIED), "night") == "failed"
    extract = city.tasks(registry.dag_of(DENIED), "night")["extract"]
    # It has three tries left, which would lock an account.
    assert (extract["state"], extract["try_number"], extract["max_tries"]) == ("failed", 1, 3)
    assert city.report(DENIED, "night").error_code == "SourceDeniedError"
    for file in (city.settings.airflow / "logs").rglob("*"):
        assert not file.is_file() or TOKEN.encode() not in file.read_bytes(), file


def test_what_is_held_back_is_skipped_and_not_failed(city):
    dag = registry.dag_of(HELD)
    assert city.ended(dag, "night") == "success"
    assert set(city.states(dag, "night").values()) == {"skipped"}


def test_a_run_that_takes_too_long_is_told(city):
    def told():
        with city.control() as control:
            return [alert for alert in alerts.open_alerts(control, resource=SLOW) if alert.kind == "slow"]

    assert city.wait(told, "nobody was told")
    city.go.set()
    assert city.ended(registry.dag_of(SLOW), "night") == "success"


def test_a_day_is_loaded_again_and_the_cursor_stays(city):
    dag = registry.dag_of(BASE)
    cursor = city.cursor(BASE)
    assert cursor == "2026-01-03T08:00:04"
    write_base(city.folder / "base.sqlite", people(1, note="late") + people(2, note="late"))
    city.airflow.unpause(dag, paused=True)
    city.airflow.backfill(dag, "2026-01-02", "2026-01-02")
    city.airflow.unpause(dag)

    def backfilled():
        return [run for run in city.runs(dag) if run["run_type"] == "backfill"]

    (run,) = city.wait(backfilled, "no run")
    assert run["partition_key"] == "2026-01-02"
    assert city.ended(dag, run["dag_run_id"]) == "success"
    report = city.report(BASE, run["dag_run_id"])
    assert (report.mode, report.read, report.updated) == ("window", 5, 5)
    assert city.cursor(BASE) == cursor


def test_the_form_orders_a_trial_and_a_whole_load(city):
    dag = registry.dag_of(BASE)

    def ordered(run, **params):
        assert city.order("order_load", run, conf={"resource": BASE, **params}) == "success"
        (newest,) = [r for r in city.runs(dag) if r["dag_run_id"] not in known]
        assert city.ended(dag, newest["dag_run_id"]) == "success"
        return newest["dag_run_id"]

    known = {r["dag_run_id"] for r in city.runs(dag)}
    trial = ordered("trial", full=True, dry_run=True)
    assert city.states(dag, trial) == {
        "extract": "success",
        "check": "success",
        "commit": "skipped",
        "index": "skipped",
    }
    assert city.report(BASE, trial).outcome == loads.TRIED

    known.add(trial)
    whole = ordered("whole", full=True)
    report = city.report(BASE, whole)
    # What was corrected late on the first day, no usual load would have seen.
    assert (report.mode, report.read, report.updated) == ("full", 15, 5)
    assert city.cursor(BASE) == "2026-01-03T08:00:04"

    assert city.order("order_load", "wrong", conf={"resource": "none"}) == "failed"
    assert city.states("order_load", "wrong")["judge"] == "failed"


def test_a_drift_waits_is_asked_answered_and_goes_through(city):
    dag = registry.dag_of(SHAPE)
    assert city.ended(dag, "night") == "success"
    write_csv(city.folder / "shape.csv", people(), columns=("no", "name", "changed"))
    assert city.order(dag, "drifted") == "failed"
    assert city.tasks(dag, "drifted")["extract"]["try_number"] == 1

    city.airflow.unpause("approve_drift", paused=True)
    city.airflow.create_run("approve_drift", "asked")
    city.airflow.unpause("approve_drift")

    def asked():
        # By its own run, or by that of the hour if the clock has just struck.
        return [
            one
            for one in city.airflow._pages("/dags/approve_drift/dagRuns/~/hitlDetails", "hitl_details")
            if one["task_instance"]["state"] in {"awaiting_input", "deferred"}
        ]

    (question,) = city.wait(asked, lambda: f"nothing was asked: {city.states('approve_drift', 'asked')}")
    assert question["subject"].startswith(SHAPE)
    assert "note" in question["body"]
    instance = question["task_instance"]
    run = instance["dag_run_id"]
    # Nobody answers within the second that the scheduler needs to see that the task has left its process.
    time.sleep(3)
    answered = city.airflow._api(
        "PATCH",
        f"/dags/approve_drift/dagRuns/{run}/taskInstances/{instance['task_id']}/{instance['map_index']}/hitlDetails",
        json={"chosen_options": ["批准 approve"], "params_input": {}},
    )
    assert answered.json()["chosen_options"] == ["批准 approve"]
    assert city.ended("approve_drift", run) == "success"
    with city.control() as control:
        assert drifts.waiting(control) == []

    assert city.order(dag, "approved") == "success"


@pytest.mark.parametrize("dag", ["watch_loads", "reconcile_resources", "maintain_warehouse", "list_health"])
def test_the_platform_s_own_dags_run(city, dag):
    assert city.order(dag, "once") == "success", city.states(dag, "once")


def test_what_is_well_again_is_told_no_longer(city):
    with city.control() as control:
        kinds = {(alert.resource, alert.kind) for alert in alerts.open_alerts(control)}
    assert (DENIED, "source_closed") in kinds
    assert not {resource for resource, _ in kinds} & {SLOW, SHAPE, DOWN}
