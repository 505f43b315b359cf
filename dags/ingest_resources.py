"""One DAG for each resource of the responsibility list, one for each department, all drawn from the compiled registry.

What happens in a task is `hub.ingestion` and `hub.watching`; when, and with what patience, is said here.
"""

from __future__ import annotations

import os
import re
from datetime import timedelta
from pathlib import Path
from typing import Any

from airflow.providers.standard.operators.python import PythonOperator
from airflow.sdk import (
    DAG,
    Asset,
    AssetAll,
    CronPartitionTimetable,
    PartitionedAssetTimetable,
    get_parsing_context,
)
from airflow.sdk.definitions.callback import AsyncCallback
from airflow.sdk.definitions.deadline import DeadlineAlert, DeadlineReference
from zhengtong_shared import RETRY_POLICY, SECRETS

from hub import registry

ZONE = "Asia/Shanghai"
RETRIES = 3
BACKFILL = "backfill"
HEALTH = "list_health"
# What a compiled list holds; any other schedule is asked of croniter, which takes a third of a millisecond for each.
USUAL_CRON = re.compile(r"[1-5]?\d (?:1?\d|2[0-3]|\*) (?:1|\*) (?:1|1,4,7,10|\*) (?:1|\*)")


def order(cadence: str) -> dict[str, Any]:
    """What this run is asked to do: by whoever triggered it (`order_load` has a form), or the period it backfills.

    The form is a DAG of its own, for parameters here would be copied and validated 1,227 times at every parse.
    """
    from airflow.sdk import get_current_context

    from hub.orders import LoadOrder

    run = get_current_context()["dag_run"]
    asked = dict(run.conf or {})
    if run.run_type == BACKFILL and run.partition_key:
        first, last = registry.period_of(cadence, run.partition_key)
        asked = {"since": first, "until": last} | asked
    return LoadOrder.from_params(asked).to_json()


def extract_step(code: str, load_run: str, cadence: str) -> dict[str, Any]:
    """1. Read; a resource whose loads are held back is passed over."""
    from airflow.sdk.exceptions import AirflowSkipException

    from hub import ingestion
    from hub.errors import LoadPausedError

    try:
        return ingestion.extract(code, load_run, order(cadence), SECRETS)
    except LoadPausedError as paused:
        raise AirflowSkipException(str(paused)) from paused


def check_step(staged: dict[str, Any]) -> dict[str, Any]:
    """2. Divide good rows from rejected ones."""
    from hub import ingestion

    return ingestion.check(staged)


def commit_step(checked: dict[str, Any]) -> dict[str, Any]:
    """3. One snapshot. A trial ends here, for a task that has not skipped tells the world of a new table."""
    from airflow.sdk.exceptions import AirflowSkipException

    from hub import ingestion

    committed = ingestion.commit(checked, SECRETS)
    if committed["committed"] is None:
        ingestion.index(committed)
        raise AirflowSkipException("试运行，不入库。A dry run: nothing was committed.")
    return committed


def index_step(committed: dict[str, Any]) -> dict[str, Any]:
    """4. The look-up file."""
    from hub import ingestion

    return ingestion.index(committed)


def draw(row: dict[str, Any], table: Asset) -> DAG:
    """The picture of one resource's way: extract → check → commit → index.

    Plain operators rather than decorated functions: a decorator inspects its function anew for each of some thousand
    tasks, which would be half of the time that a parse takes. What a DAG leaves unsaid it reads from Airflow's
    settings, each time anew; hence the limits that its own shape sets anyway.
    """
    code = row["code"]
    with DAG(
        dag_id=row["dag"],
        dag_display_name=f"{row['title']} · {row['department_name']}",
        doc_md=row["doc"],
        schedule=CronPartitionTimetable(row["cron"], timezone=ZONE, key_format=registry.key_format_of(row["cadence"])),
        catchup=False,
        max_active_runs=1,
        max_active_tasks=1,
        max_consecutive_failed_dag_runs=0,
        tags=[row["department_name"], row["disposition"]],
        deadline=DeadlineAlert(
            reference=DeadlineReference.DAGRUN_QUEUED_AT,
            interval=timedelta(minutes=row["deadline_minutes"]),
            callback=AsyncCallback("hub.overdue.deadline_missed", {"code": code}),
        ),
        default_args={
            "retries": RETRIES,
            "retry_policy": RETRY_POLICY,
            "execution_timeout": timedelta(hours=6),
            # A backfill brings its own limit of runs: of one resource, one of each step at a time all the same.
            "max_active_tis_per_dag": 1,
        },
    ) as dag:
        extract = PythonOperator(
            task_id="extract",
            task_display_name="抽取 extract",
            python_callable=extract_step,
            op_kwargs={"code": code, "load_run": "{{ run_id }}", "cadence": row["cadence"]},
            pool=row["pool"],
            # Named by its own URI: of two names for one URI, Airflow takes one for inactive and fails whoever uses it.
            inlets=[Asset(row["inlet"])],
        )
        check = PythonOperator(
            task_id="check",
            task_display_name="校验 check",
            python_callable=check_step,
            op_kwargs={"staged": extract.output},
        )
        commit = PythonOperator(
            task_id="commit",
            task_display_name="入库 commit",
            python_callable=commit_step,
            op_kwargs={"checked": check.output},
            outlets=[table],
        )
        PythonOperator(
            task_id="index",
            task_display_name="索引 index",
            python_callable=index_step,
            op_kwargs={"committed": commit.output},
        )
    return dag


def sum_up(department: str) -> dict[str, Any]:
    """A department's day in numbers."""
    from hub import watching

    return watching.sum_up(department)


def draw_department(rows: list[dict[str, Any]], tables: dict[str, Asset]) -> DAG:
    """The picture of a department: when all its daily resources of a day are in, its day is summed up.

    Partitioned assets wake partitioned DAGs only; every DAG here that waits for another is partitioned by day.
    """
    name = rows[0]["department_name"]
    with DAG(
        dag_id=rows[0]["rollup"],
        dag_display_name=f"部门日汇总 · {name}",
        doc_md=(
            f"**{name}** · {len(rows)} 个每日更新的资源当日全部入库后，汇总当日归集情况。"
            "手工触发的归集须填写分区（当天日期）才计入。\n\n"
            f"Sums the department's day up once all {len(rows)} of its daily resources are in. "
            "A load that was triggered by hand counts if it was given a partition, which is the day."
        ),
        schedule=PartitionedAssetTimetable(assets=AssetAll(*(tables[row["code"]] for row in rows))),
        catchup=False,
        max_active_runs=1,
        tags=[name, "rollup"],
        default_args={"retries": RETRIES, "retry_policy": RETRY_POLICY},
    ) as dag:
        PythonOperator(
            task_id="sum_up",
            task_display_name="汇总 sum up",
            python_callable=sum_up,
            op_kwargs={"department": rows[0]["department"]},
        )
    return dag


def draw_all() -> dict[str, DAG]:
    """Every DAG this parse needs: all of them for the DAG processor, the one that is running inside a task.

    A resource whose row cannot be drawn must not hide the others: it fails visibly in `list_health`.
    """
    wanted = get_parsing_context().dag_id
    rows = registry.rows_of(Path(os.environ.get("ZHENGTONG_HOME", "var")) / "lists" / "registry.json", wanted)
    drawn: dict[str, DAG] = {}
    faults: dict[str, str] = {}
    tables: dict[str, Asset] = {}
    departments: dict[str, list[dict[str, Any]]] = {}
    for row in rows:
        if row["error"]:
            faults[row["code"]] = row["error"]
            continue
        try:
            # Airflow looks at a schedule only after this file has been read, and then blames the whole file.
            if not USUAL_CRON.fullmatch(row["cron"]):
                from croniter import croniter

                croniter(row["cron"])
            table = Asset(name=row["code"], uri=row["outlet"])
            if wanted in {None, HEALTH, row["dag"]}:
                drawn[row["dag"]] = draw(row, table)
        except Exception as error:  # noqa: BLE001 - one bad row must not hide 1,226 good ones
            faults[row["code"]] = repr(error)
            continue
        tables[row["code"]] = table
        if row["daily"]:
            departments.setdefault(row["rollup"], []).append(row)
    for rollup, daily in departments.items():
        if wanted in {None, rollup}:
            drawn[rollup] = draw_department(daily, tables)
    if wanted in {None, HEALTH}:
        drawn[HEALTH] = draw_health(faults)
    return drawn


def every_resource_is_drawn(faults: dict[str, str]) -> None:
    """Fail where one is not."""
    if faults:
        msg = "; ".join(f"`{code}`: {why}" for code, why in sorted(faults.items()))
        raise ValueError(f"{len(faults)} resource(s) of the list have no DAG: {msg}. Mend the list and publish.")


def draw_health(faults: dict[str, str]) -> DAG:
    """The DAG that fails when a resource of the list could not be drawn, naming which and why."""
    with DAG(
        dag_id=HEALTH,
        dag_display_name="责任清单体检 · list health",
        doc_md=(
            "责任清单中有资源无法生成归集任务时失败，并列出资源与原因。\n\n"
            "Fails while a resource of the responsibility list has no DAG, and says which and why."
        ),
        schedule="0 6 * * *",
        catchup=False,
        max_active_runs=1,
        tags=["platform"],
    ) as dag:
        PythonOperator(
            task_id="every_resource_is_drawn",
            task_display_name="逐项检查 check",
            python_callable=every_resource_is_drawn,
            op_kwargs={"faults": faults},
        )
    return dag


globals().update(draw_all())
