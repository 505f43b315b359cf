"""Parses the DAG file as Airflow's DAG processor does, in a process of its own, and prints what it drew as JSON."""

from __future__ import annotations

import importlib.util
import json
import sys
import warnings

warnings.simplefilter("ignore")

spec = importlib.util.spec_from_file_location("ingest_resources", sys.argv[1])
module = importlib.util.module_from_spec(spec)
spec.loader.exec_module(module)

from airflow.sdk import DAG  # noqa: E402
from airflow.serialization.serialized_objects import DagSerialization  # noqa: E402


def plain(dag):
    return {
        "title": dag.dag_display_name,
        "max_active_runs": dag.max_active_runs,
        "catchup": dag.catchup,
        "start_date": str(dag.start_date),
        "paused": dag.is_paused_upon_creation,
        "doc": dag.doc_md or "",
        "tasks": {
            task.task_id: {
                "pool": task.pool,
                "retries": task.retries,
                "downstream": sorted(task.downstream_task_ids),
                "outlets": [str(outlet.uri) for outlet in task.outlets],
                "policy": task.retry_policy.serialize() if task.retry_policy else None,
            }
            for task in dag.tasks
        },
        "serialized": json.dumps(DagSerialization.to_dict(dag), sort_keys=True, default=str),
    }


dags = {name: plain(value) for name, value in vars(module).items() if isinstance(value, DAG)}
heavy = sorted({"duckdb", "pyiceberg", "pandas", "pyarrow", "hub.ingestion"} & set(sys.modules))
print(json.dumps({"dags": dags, "heavy": heavy}))
