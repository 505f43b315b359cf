"""Parses DAG files as Airflow's DAG processor does, in a process of its own, and prints what they drew as JSON."""

from __future__ import annotations

import importlib.util
import json
import sys
import warnings
from pathlib import Path

warnings.simplefilter("ignore")

from airflow.sdk import DAG  # noqa: E402
from airflow.serialization.serialized_objects import DagSerialization  # noqa: E402

HEAVY = {"duckdb", "pyiceberg", "pandas", "pyarrow", "hub.control", "hub.ingestion"}


def plain(dag):
    return {
        "title": dag.dag_display_name,
        "max_active_runs": dag.max_active_runs,
        "catchup": dag.catchup,
        "start_date": str(dag.start_date),
        "doc": dag.doc_md or "",
        "tags": sorted(dag.tags),
        "tasks": {
            task.task_id: {
                "title": task.task_display_name,
                "pool": task.pool,
                "retries": task.retries,
                "at_once": getattr(task, "max_active_tis_per_dag", None),
                "downstream": sorted(task.downstream_task_ids),
                "inlets": [str(inlet.uri) for inlet in task.inlets],
                "inlet_names": [inlet.name for inlet in task.inlets],
                "outlets": [str(outlet.uri) for outlet in task.outlets],
                "policy": type(task.retry_policy).__name__ if getattr(task, "retry_policy", None) else None,
            }
            for task in dag.tasks
        },
        "serialized": json.dumps(DagSerialization.to_dict(dag), sort_keys=True, default=str),
    }


opened, drawing = [], False


def watch(event, arguments):
    if drawing and event in {"sqlite3.connect", "socket.connect", "subprocess.Popen"}:
        opened.append(f"{event} {arguments[:1]}")


sys.addaudithook(watch)
# As Airflow does.
sys.path.append(str(Path(sys.argv[1]).parent))
files = {}
before = set(sys.modules)
for path in map(Path, sys.argv[1:]):
    spec = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(spec)
    drawing = True
    spec.loader.exec_module(module)
    drawing = False
    dags = [value for value in {id(v): v for v in vars(module).values()}.values() if isinstance(value, DAG)]
    files[path.name] = {dag.dag_id: plain(dag) for dag in dags}
    assert len(files[path.name]) == len(dags), path
print(json.dumps({"files": files, "heavy": sorted(HEAVY & (set(sys.modules) - before)), "opened": opened}))
