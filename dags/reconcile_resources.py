"""Compares tables with their sources row by row, some each night, so that each has its turn within a month.

Which are due, and what a difference means, is `hub.upkeep`.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from airflow.sdk import DAG, task
from zhengtong_shared import RETRY_POLICY, SECRETS

with DAG(
    dag_id="reconcile_resources",
    dag_display_name="源库对账 · reconciliation",
    doc_md=(
        "每晚选取一部分资源，与来源逐行比对；每个资源一个月内轮到一次。不改动任何数据。\n\n"
        "Compares some tables with their sources row by row each night, each within a month. Changes nothing."
    ),
    # Half past nine in the evening UTC is half past five in the morning in Shanghai, after the night's loads.
    schedule="30 21 * * *",
    catchup=False,
    max_active_runs=1,
    tags=["platform"],
    default_args={"retries": 1, "retry_delay": timedelta(minutes=10), "retry_policy": RETRY_POLICY},
) as dag:

    @task(task_display_name="选取 choose")
    def choose() -> list[str]:
        """The resources whose turn it is."""
        from hub import upkeep

        return upkeep.due_for_reconciling()

    @task(task_display_name="对账 reconcile", max_active_tis_per_dagrun=2)
    def reconcile(code: str) -> dict[str, Any]:
        """Read the source whole and compare."""
        from hub import upkeep

        return upkeep.reconcile_once(code, SECRETS)

    reconcile.expand(code=choose())
