"""Looks over all loads every ten minutes: what failed, is late or waits is told; what is well again is cleared.

What is worth an alert, and whom it goes to, is `hub.watching` and `hub.alerts`.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from airflow.sdk import DAG, task
from zhengtong_shared import SECRETS

with DAG(
    dag_id="watch_loads",
    dag_display_name="归集时效监测 · freshness watch",
    doc_md=(
        "每十分钟巡检全部归集：失败、逾期或待处理的发出告警，恢复正常的予以解除。\n\n"
        "Looks over all loads: what failed, is late or waits becomes an alert; what is well again clears it."
    ),
    schedule="*/10 * * * *",
    catchup=False,
    max_active_runs=1,
    tags=["platform"],
    default_args={"retries": 2, "retry_delay": timedelta(minutes=1)},
) as dag:

    @task(task_display_name="巡检 sweep")
    def sweep() -> dict[str, Any]:
        """Raise, clear and send alerts."""
        from hub import watching

        return watching.sweep_once(SECRETS)

    sweep()
