"""What a whole city costs Airflow: parsing 1,227 DAGs, drawing one inside a task, and loading all of them once.

    python bench/dags.py [--quick] [--resources N] [--rows N] [--runs N]

1. Parse: the DAG file in a fresh process as the DAG processor does it, all DAGs and then the one of a task, less the
   seconds of importing Airflow alone. Its peer is one DAG file a resource, each drawing its one DAG by the same code
   and none other, all parsed in one process; Airflow itself would start a process for each. Both are compiled before.
   On a machine that is busy, go by the processor's seconds.
2. Load: each resource (10,000 rows of 8 columns from one SQLite database, or PostgreSQL where it is installed) through
   a real Airflow with LocalExecutor: minutes, tasks a second, and where the seconds of a task went. Then a few more,
   one after the other with nothing beside, for what one load takes by itself.

`--quick` draws all DAGs and loads a few resources, under a minute. The last line is JSON.
"""

from __future__ import annotations

import argparse
import compileall
import json
import os
import shutil
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from contextlib import ExitStack, closing
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import Any

import psycopg

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from catalog.model import (
    Cadence,
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
from hub import loads, registry
from hub.control import Control
from hub.publishing import publish
from hub.scheduler import EmbeddedAirflow
from hub.settings import Settings
from tests.services import postgres

ROOT = Path(__file__).resolve().parent.parent
DAG_FILE = ROOT / "dags" / "ingest_resources.py"
RESOURCES, DEPARTMENTS, ROWS = 1_227, 53, 10_000
QUICK_RESOURCES, QUICK_ROWS = 6, 10_000
ALONE, QUICK_ALONE = 5, 2
CONNECTIONS = 4
TIMEOUT_S = 5_400
OFFICE = "D01:hub-office"
COLUMNS = (
    ("id", FieldKind.INTEGER, 0),
    ("citizen", FieldKind.STRING, 18),
    ("name", FieldKind.STRING, 40),
    ("born", FieldKind.DATE, 0),
    ("division", FieldKind.STRING, 6),
    ("address", FieldKind.STRING, 100),
    ("amount", FieldKind.INTEGER, 0),
    ("changed", FieldKind.DATETIME, 0),
)
# The child that parses: seconds by the clock and by the processor, of Airflow's import and then of the files.
PARSER = """\
import json, sys, time, warnings
warnings.simplefilter("ignore")
import importlib.util
begun = time.perf_counter()
from airflow.sdk import DAG
import airflow.sdk.definitions.deadline, airflow.sdk.definitions.callback, airflow.providers.standard.operators.python
imported, imported_cpu = time.perf_counter(), time.process_time()
drawn = 0
for path in sys.argv[1:]:
    spec = importlib.util.spec_from_file_location("parsed", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    drawn += sum(isinstance(value, DAG) for value in vars(module).values())
found = {"parse_s": time.perf_counter() - imported, "parse_cpu_s": time.process_time() - imported_cpu}
print(json.dumps({**found, "import_s": imported - begun, "dags": drawn}))
"""
# What the peer's file has in place of the drawing of all: its own row.
ONE = "globals().update(draw_all())\n"


@dataclass(frozen=True, slots=True)
class Loaded:
    """What loading did: wall seconds, tasks, and the median seconds of each step as its record tells them.

    *around_s* is what else a task took: ``waiting`` in the queue of the executor until its process began, and ``task``
    for that process itself beyond the step (Airflow's start, the DAG file, imports, telling the result).
    """

    wall_s: float
    tasks: int
    rows: int
    steps_s: dict[str, float]
    around_s: dict[str, float]
    failed: int
    alone_s: dict[str, float]
    alone_around_s: dict[str, float]


def resource(number: int) -> InformationResource:
    fields = tuple(
        Field(name, name, FieldType(kind, length), key=name == "id", nullable=name != "id", lookup=name == "id")
        for name, kind, length in COLUMNS
    )
    return InformationResource(
        code=f"R{number:05d}",
        name=f"资源{number:05d}",
        name_en=f"Resource {number:05d}",
        provider=f"D{number % DEPARTMENTS + 1:02d}",
        abstract="基准测试资源",
        format=ResourceFormat.DATABASE,
        share_type=ShareType.CONDITIONAL,
        share_condition="办理事项",
        share_ground="",
        share_method=ShareMethod.SERVICE,
        cadence=Cadence.DAILY,
        open=False,
        published_on=date(2026, 1, 1),
        disposition=Disposition.REPLACE,
        source=SourceRef(f"system-{number % DEPARTMENTS + 1:02d}", "people"),
        fields=fields,
    )


def city(resources: int) -> ResponsibilityList:
    held = tuple(resource(number) for number in range(resources))
    return ResponsibilityList(
        city="基准市",
        title="基准市数据共享责任清单",
        year=2026,
        batch=1,
        departments=tuple(
            Department(f"D{n:02d}", f"第{n}局", f"Bureau {n}", "11100000000013338W") for n in range(1, DEPARTMENTS + 1)
        ),
        resources=held,
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
            for r in held
        ),
        matters=(Matter("M1", "事项", "Matter", "D01"),),
        office="D01",
    )


def rows_of(count: int) -> list[tuple[Any, ...]]:
    return [
        (
            i,
            f"{110000 + i % 9999}19{10 + i % 90}0101{i % 10000:04d}",
            f"姓名{i}",
            f"19{10 + i % 90}-01-{i % 28 + 1:02d}",
            f"{110000 + i % 9999:06d}",
            f"北京市东城区第{i % 5000}号院{i % 40}单元",
            i * 7 % 100_000,
            f"2026-01-{i % 28 + 1:02d} 08:00:{i % 60:02d}",
        )
        for i in range(1, count + 1)
    ]


def make_source(folder: Path, count: int, stack: ExitStack) -> tuple[str, dict[str, str]]:
    """The kind and settings of a source with one table; PostgreSQL where there is one, SQLite elsewhere."""
    rows = rows_of(count)
    names = [name for name, _, _ in COLUMNS]
    marks = {
        FieldKind.INTEGER: "bigint",
        FieldKind.STRING: "text",
        FieldKind.DATE: "date",
        FieldKind.DATETIME: "timestamp",
    }
    columns = ", ".join(f"{n} {marks[k]}{' PRIMARY KEY' if n == 'id' else ''}" for n, k, _ in COLUMNS)
    if postgres.missing() is None:
        socket = stack.enter_context(postgres.running())
        with psycopg.connect(host=str(socket), user=postgres.USER, dbname="postgres", autocommit=True) as connection:
            connection.execute(f"CREATE TABLE people ({columns})")
            with connection.cursor().copy(f"COPY people ({', '.join(names)}) FROM STDIN") as copy:
                for row in rows:
                    copy.write_row(row)
            connection.execute("ANALYZE people")
        return "postgresql", {"host": str(socket), "user": postgres.USER, "database": "postgres"}
    path = folder / "source.sqlite"
    with closing(sqlite3.connect(path)) as base, base:
        base.execute(f"CREATE TABLE people ({columns})")
        base.executemany(f"INSERT INTO people VALUES ({', '.join('?' * len(names))})", rows)
    return "sqlite", {"path": str(path)}


def parse(home: Path, files: list[Path], **environ: str) -> dict[str, float]:
    env = {
        **os.environ,
        "ZHENGTONG_HOME": str(home),
        "AIRFLOW_HOME": str(home / "airflow-parse"),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__LOGGING__LOGGING_LEVEL": "ERROR",
        "PYTHONPATH": os.pathsep.join((str(ROOT), str(DAG_FILE.parent))),
        **environ,
    }
    env.pop("PYTHONDONTWRITEBYTECODE", None)
    command = [sys.executable, "-c", PARSER, *map(str, files)]
    done = subprocess.run(command, env=env, capture_output=True, text=True, check=True)
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return found


def parsing(folder: Path, list_: ResponsibilityList, runs: int) -> dict[str, float]:
    """Median seconds: all DAGs of one file, one DAG inside a task, and the peer's file for each resource."""
    home = folder / "parse"
    compiled = registry.compile_list(list_, outlet_root="file:///w", connections={})
    registry.write(compiled, home / "lists" / "registry.json")
    # The peer: a DAG file for each resource, as most teams generate them.
    apart = folder / "apart"
    apart.mkdir()
    text = DAG_FILE.read_text(encoding="utf-8")
    assert text.count(ONE) == 1
    for row in compiled["resources"]:
        own = f"ROW = {row!r}\ndag = draw(ROW, Asset(name=ROW['code'], uri=ROW['outlet']))\n"
        (apart / f"{row['code']}.py").write_text(text.replace(ONE, own), encoding="utf-8")
    compileall.compile_dir(apart, quiet=1)
    parse(home, [DAG_FILE])  # compiles what is to be compiled
    whole = [parse(home, [DAG_FILE]) for _ in range(runs)]
    code = compiled["resources"][0]["code"]
    inside = {"_AIRFLOW_PARSING_CONTEXT_DAG_ID": registry.dag_of(code), "_AIRFLOW_PARSING_CONTEXT_TASK_ID": "extract"}
    one = [parse(home, [DAG_FILE], **inside) for _ in range(runs)]
    peer = parse(home, sorted(apart.glob("*.py")))
    assert whole[0]["dags"] >= len(compiled["resources"]) == peer["dags"]
    return {
        "parse_s": statistics.median(found["parse_s"] for found in whole),
        "parse_cpu_s": statistics.median(found["parse_cpu_s"] for found in whole),
        "task_s": statistics.median(found["parse_s"] for found in one),
        "task_cpu_s": statistics.median(found["parse_cpu_s"] for found in one),
        "apart_s": peer["parse_s"],
        "apart_cpu_s": peer["parse_cpu_s"],
        "import_s": statistics.median(found["import_s"] for found in whole),
    }


def loading(folder: Path, resources: int, rows: int, one_by_one: int) -> Loaded:
    """Load every resource of a city of *resources* once through a real Airflow, and then some one by one."""
    settings = Settings.at(folder / "var")
    settings.home.mkdir()
    list_ = city(resources + one_by_one)
    with ExitStack() as stack:
        kind, told = make_source(folder, rows, stack)
        system = {"kind": kind, "connections": CONNECTIONS, "settings": told}
        systems = {f"system-{number:02d}": system for number in range(1, DEPARTMENTS + 1)}
        settings.systems_file.write_text(json.dumps({"systems": systems}), encoding="utf-8")
        publish(settings, list_, by=OFFICE)
        dag_ids = [registry.dag_of(r.code) for r in list_.resources]
        together, alone = dag_ids[:resources], dag_ids[resources:]
        airflow = stack.enter_context(EmbeddedAirflow(settings, DAG_FILE.parent))
        airflow.prepare(dag_ids)
        airflow.start_runs(together, "bench")
        begun = time.perf_counter()
        for states in airflow.watch(together, "bench", timeout_s=TIMEOUT_S):
            counted = Counter(state.state for state in states)
            print(f"\r{time.perf_counter() - begun:6.0f} s {dict(counted)}", end="", flush=True, file=sys.stderr)
        wall_s = time.perf_counter() - begun
        print(file=sys.stderr)
        for dag_id in alone:
            airflow.start_runs([dag_id], "alone")
            for _ in airflow.watch([dag_id], "alone", timeout_s=TIMEOUT_S):
                pass
        instances = {run: list(airflow.task_instances(run)) for run in ("bench", "alone")}
    control = Control.open(settings)
    reports = {run: loads.of_run(control, run) for run in instances}
    control.close()
    told_s = {run: steps_of(reports[run]) for run in reports}
    around_s = {run: around(instances[run], reports[run]) for run in reports}
    every = [report for found in reports.values() for report in found]
    failed = sum(report.outcome != loads.LOADED for report in every) + len(dag_ids) - len(every)
    return Loaded(
        wall_s,
        len(registry.STEPS) * len(reports["bench"]),
        sum(report.read for report in reports["bench"]),
        told_s["bench"],
        around_s["bench"],
        failed,
        told_s["alone"],
        around_s["alone"],
    )


def steps_of(reports: list[loads.LoadReport]) -> dict[str, float]:
    """Median seconds of each step, by the records of the runs."""
    return {step: statistics.median(report.seconds.get(step, 0.0) for report in reports) for step in registry.STEPS}


def around(instances: list[dict[str, Any]], reports: list[loads.LoadReport]) -> dict[str, float]:
    """Median seconds that Airflow's *instances* of tasks took beside our own steps."""
    steps = {registry.dag_of(report.resource): report.seconds for report in reports}

    def since(instance: dict[str, Any], first: str, last: str) -> float:
        begun, ended = (datetime.fromisoformat(instance[name]) for name in (first, last))
        return (ended - begun).total_seconds()

    ended = [one for one in instances if one["start_date"] and one["end_date"] and one["queued_when"]]
    return {
        "waiting": statistics.median(since(one, "queued_when", "start_date") for one in ended),
        "task": statistics.median(
            since(one, "start_date", "end_date") - steps.get(one["dag_id"], {}).get(one["task_id"], 0.0)
            for one in ended
        ),
    }


def main() -> int:
    parser = argparse.ArgumentParser(description="What a city's DAGs cost Airflow.")
    parser.add_argument("--quick", action="store_true", help="load a few resources only, under a minute")
    parser.add_argument("--resources", type=int, default=RESOURCES)
    parser.add_argument("--rows", type=int, default=ROWS)
    parser.add_argument("--runs", type=int, default=5)
    options = parser.parse_args()
    resources = QUICK_RESOURCES if options.quick else options.resources
    with tempfile.TemporaryDirectory(prefix="zhengtong-bench-") as name:
        folder = Path(name)
        parsed = parsing(folder, city(options.resources), 1 if options.quick else options.runs)
        rows, alone = (QUICK_ROWS, QUICK_ALONE) if options.quick else (options.rows, ALONE)
        found = loading(folder, resources, rows, alone)
        shutil.rmtree(folder / "var", ignore_errors=True)
    for what, name in (
        (f"parse {options.resources:,} DAGs", "parse"),
        ("a file for each", "apart"),
        ("inside a task", "task"),
    ):
        print(f"{what:<26}{parsed[name + '_s']:7.3f} s, of the processor {parsed[name + '_cpu_s']:.3f} s")
    print(f"importing Airflow         {parsed['import_s']:7.3f} s, which a task inherits from the scheduler")
    rate = found.tasks / found.wall_s
    print(
        f"load {resources:,} resources".ljust(26)
        + f"{found.wall_s / 60:7.1f} min, {rate:.1f} tasks/s, {found.failed} failed"
    )
    for what, steps, rest in (
        ("one of them, medians", found.steps_s, found.around_s),
        ("one alone, medians", found.alone_s, found.alone_around_s),
    ):
        told = "  ".join(f"{name} {s:.2f} s" for name, s in steps.items())
        beside = "  ".join(f"{name} {s:.2f} s" for name, s in rest.items())
        print(f"{what:<26}{told}, together {sum(steps.values()):.2f} s; around each task: {beside}")
    result = {
        "dag_parse": {
            "ours": round(parsed["parse_s"], 3),
            "peers": {"a_file_each": round(parsed["apart_s"], 3)},
            "ratio": round(parsed["parse_s"] / parsed["apart_s"], 3),
            "unit": "s",
            "cpu_s": round(parsed["parse_cpu_s"], 3),
            "peers_cpu_s": {"a_file_each": round(parsed["apart_cpu_s"], 3)},
        },
        "dag_in_task": {
            "ours": round(parsed["task_s"], 3),
            "peers": {},
            "ratio": None,
            "unit": "s",
            "cpu_s": round(parsed["task_cpu_s"], 3),
        },
        "small_resource": {
            "ours": round(sum(found.alone_s.values()), 3),
            "peers": {},
            "ratio": None,
            "unit": "s",
            "steps_s": {step: round(s, 3) for step, s in found.alone_s.items()},
            "around_s": {what: round(s, 3) for what, s in found.alone_around_s.items()},
        },
        "city_load": {
            "ours": round(found.wall_s / 60, 2),
            "peers": {},
            "ratio": None,
            "unit": "min",
            "resources": resources,
            "rows": found.rows,
            "tasks_per_s": round(rate, 2),
            "failed": found.failed,
            "steps_s": {step: round(s, 3) for step, s in found.steps_s.items()},
            "around_s": {what: round(s, 3) for what, s in found.around_s.items()},
        },
    }
    print(json.dumps(result))
    return 1 if found.failed else 0


if __name__ == "__main__":
    sys.exit(main())
