"""Expires batch orders that have had their time: their files hold many rows, and lie no longer than was said.

What is swept is `hub.batches`' affair; whoever makes batches sweeps, too, so that this matters where nobody does for
a while.
"""

from __future__ import annotations

from datetime import timedelta

from airflow.sdk import DAG, task

with DAG(
    dag_id="sweep_batches",
    dag_display_name="批量文件清理 · batch expiry",
    doc_md=(
        "每小时清理到期的批量文件；到期后即不再提供下载。\n\n"
        "Removes the files of batch orders whose time is over each hour; they are handed out no more from then on."
    ),
    schedule="15 * * * *",
    catchup=False,
    max_active_runs=1,
    tags=["platform"],
    default_args={"retries": 2, "retry_delay": timedelta(minutes=5)},
) as dag:

    @task(task_display_name="清理 sweep")
    def sweep() -> dict[str, int]:
        """Expire what is due; what was swept before is left alone."""
        from hub import upkeep

        return upkeep.sweep_batches_once()

    sweep()
