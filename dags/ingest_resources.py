"""One DAG per shared resource, drawn from the registry compiled from the responsibility list.

Says *when*, in what order and what to do about an error's class; what happens in a task is `hub.ingestion`.
"""

from __future__ import annotations

import os
from datetime import timedelta
from pathlib import Path
from typing import Any

from airflow.sdk import (
    DAG,
    Asset,
    CronPartitionTimetable,
    ExceptionRetryPolicy,
    RetryAction,
    RetryRule,
    get_parsing_context,
    task,
)
from croniter import croniter

from hub import registry

ZONE = "Asia/Shanghai"
RETRIES = 3

# A source that is down or still writing comes back; a broken contract, a denied door or a refused budget does not.
RETRY_POLICY = ExceptionRetryPolicy(
    rules=[
        RetryRule(exception="connectors.errors.SourceUnavailableError", action=RetryAction.RETRY),
        RetryRule(exception="connectors.errors.SourceIncompleteError", action=RetryAction.RETRY),
        RetryRule(exception="warehouse.errors.CommitConflictError", action=RetryAction.RETRY),
        RetryRule(exception="warehouse.errors.CommitUnknownError", action=RetryAction.RETRY),
        RetryRule(exception="warehouse.errors.StorageFullError", action=RetryAction.RETRY),
        RetryRule(exception="connectors.errors.ConnectorError", action=RetryAction.FAIL),
        RetryRule(exception="warehouse.errors.WarehouseError", action=RetryAction.FAIL),
    ],
)


def draw(row: dict[str, Any]) -> DAG:
    """The picture of one resource's way: extract → check → commit → index."""
    code = row["code"]
    with DAG(
        dag_id=f"ingest.{code}",
        dag_display_name=f"{row['title']} · {row['department_name']}",
        doc_md=row["doc"],
        schedule=CronPartitionTimetable(row["cron"], timezone=ZONE, key_format="%Y-%m-%d"),
        catchup=False,
        max_active_runs=1,
        tags=[row["department_name"], row["disposition"]],
        default_args={
            "retries": RETRIES,
            "retry_policy": RETRY_POLICY,
            "execution_timeout": timedelta(hours=6),
        },
    ) as dag:

        @task(pool=row["pool"], task_display_name="抽取 extract")
        def extract(code: str, load_run: str) -> dict[str, Any]:
            from hub import ingestion

            return ingestion.extract(code, load_run)

        @task(task_display_name="校验 check")
        def check(staged: dict[str, Any]) -> dict[str, Any]:
            from hub import ingestion

            return ingestion.check(staged)

        @task(task_display_name="入库 commit", outlets=[Asset(name=code, uri=row["outlet"])])
        def commit(checked: dict[str, Any]) -> dict[str, Any]:
            from hub import ingestion

            return ingestion.commit(checked)

        @task(task_display_name="索引 index")
        def index(committed: dict[str, Any]) -> dict[str, Any]:
            from hub import ingestion

            return ingestion.index(committed)

        staged = extract(code, "{{ run_id }}")
        # Each step's value is handed on through XCom, which the type of a decorated task does not show.
        index(commit(check(staged)))  # type: ignore[arg-type]
    return dag


def draw_all() -> dict[str, DAG]:
    """Every DAG this parse needs: all of them for the DAG processor, the one that is running inside a task.

    A resource whose row cannot be drawn must not hide the others: it fails visibly in `list_health`.
    """
    compiled = registry.read(Path(os.environ.get("ZHENGTONG_HOME", "var")) / "lists" / "registry.json")
    wanted = get_parsing_context().dag_id
    drawn: dict[str, DAG] = {}
    faults: dict[str, str] = {}
    for row in compiled["resources"]:
        if wanted is not None and wanted not in {f"ingest.{row['code']}", "list_health"}:
            continue
        if row["error"]:
            faults[row["code"]] = row["error"]
            continue
        try:
            # Airflow looks at a schedule only after this file has been read, and then blames the whole file.
            croniter(row["cron"])
            dag = draw(row)
        except Exception as error:  # noqa: BLE001 - one bad row must not hide 1,226 good ones
            faults[row["code"]] = repr(error)
        else:
            drawn[dag.dag_id] = dag
    drawn["list_health"] = draw_health(faults)
    return drawn


def draw_health(faults: dict[str, str]) -> DAG:
    """The DAG that fails when a resource of the list could not be drawn, naming which and why."""
    with DAG(
        dag_id="list_health",
        dag_display_name="责任清单体检 · list health",
        schedule="0 6 * * *",
        catchup=False,
    ) as dag:

        @task
        def every_resource_is_drawn(faults: dict[str, str]) -> None:
            if faults:
                msg = "; ".join(f"`{code}`: {why}" for code, why in sorted(faults.items()))
                raise ValueError(
                    f"{len(faults)} resource(s) of the list have no DAG: {msg}. Mend the list and publish."
                )

        every_resource_is_drawn(faults)
    return dag


globals().update(draw_all())
