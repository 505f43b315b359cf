"""Compares tables with their sources row by row, some each night, so that each has its turn within a month.

Which are due, and what a difference means, is `hub.upkeep`.
"""

from __future__ import annotations

import os
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from airflow.providers.standard.operators.python import PythonOperator
from airflow.sdk import DAG
from zhengtong_shared import RETRY_POLICY, SECRETS

from hub import registry


def tonight() -> dict[str, list[str]]:
    """The resources whose turn it is, by the pool of their system."""
    from hub import upkeep

    return upkeep.due_for_reconciling()


def reconcile(chosen: dict[str, list[str]], pool: str, since: str) -> list[dict[str, Any]]:
    """Read the sources of one system whole, one after the other, and compare."""
    from hub import upkeep

    return upkeep.reconcile_in_turn(chosen.get(pool, []), datetime.fromisoformat(since), SECRETS)


with DAG(
    dag_id="reconcile_resources",
    dag_display_name="源库对账 · reconciliation",
    doc_md=(
        "每晚选取一部分资源，与来源逐行比对；每个资源一个月内轮到一次。读取来源时占用其资源池的名额。不改动任何数据。\n\n"
        "Compares some tables with their sources row by row each night, each within a month; a source is read in its "
        "own pool. Changes nothing."
    ),
    # Half past nine in the evening UTC is half past five in the morning in Shanghai, after the night's loads.
    schedule="30 21 * * *",
    catchup=False,
    max_active_runs=1,
    tags=["platform"],
    default_args={"retries": 1, "retry_delay": timedelta(minutes=10), "retry_policy": RETRY_POLICY},
) as dag:
    choose = PythonOperator(task_id="choose", task_display_name="选取 choose", python_callable=tonight)
    for pool in registry.pools_of(Path(os.environ.get("ZHENGTONG_HOME", "var")) / "lists" / "registry.json"):
        PythonOperator(
            task_id=f"reconcile.{pool}",
            task_display_name=f"对账 {pool}",
            python_callable=reconcile,
            op_kwargs={"chosen": choose.output, "pool": pool, "since": "{{ dag_run.start_date.isoformat() }}"},
            pool=pool,
        )
