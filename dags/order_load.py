"""The form by which a person orders a load beyond the usual: the whole resource again, a range of days, a trial.

It triggers the resource's own DAG, so that there remains one picture and one run at a time for each resource.
"""

from __future__ import annotations

from typing import Any

from airflow.providers.standard.operators.trigger_dagrun import TriggerDagRunOperator
from airflow.sdk import DAG, Param, task

PARAMS = {
    "resource": Param("", type="string", title="资源代码 · resource code"),
    "full": Param(default=False, type="boolean", title="全量重新归集 · full reload"),
    "since": Param("", type="string", title="起始日（含）· first day, YYYY-MM-DD"),
    "until": Param("", type="string", title="截止日（含）· last day, YYYY-MM-DD"),
    "replay": Param(default=False, type="boolean", title="重放被拒记录 · replay rejected rows"),
    "accept": Param("", type="string", title="接受被暂缓批次的标记 · marks of a held-back batch"),
    "dry_run": Param(default=False, type="boolean", title="试运行，不入库 · dry run"),
}

with DAG(
    dag_id="order_load",
    dag_display_name="按需归集 · order a load",
    doc_md="填写后触发，由该资源自己的 `ingest.代码` 执行。\n\nFill in and trigger; the resource's own DAG runs it.",
    schedule=None,
    catchup=False,
    params=PARAMS,
    tags=["platform"],
) as dag:

    @task(task_display_name="核对 judge")
    def judge() -> dict[str, Any]:
        """Refuse what cannot be done before anything is triggered."""
        from airflow.sdk import get_current_context

        from hub import ingestion, registry

        ordered = ingestion.ordered(get_current_context()["params"])
        return {**ordered, "dag": registry.dag_of(ordered["resource"])}

    ordered = judge()
    TriggerDagRunOperator(
        task_id="trigger",
        task_display_name="触发 trigger",
        trigger_dag_id="{{ ti.xcom_pull(task_ids='judge')['dag'] }}",
        conf=ordered["order"],  # type: ignore[index]  # what a task hands on, which its type does not show
        # A run of a paused DAG would wait unseen until somebody unpauses it.
        fail_when_dag_is_paused=True,
    )
