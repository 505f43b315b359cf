"""Keeps the warehouse in shape each Sunday: files compacted, old snapshots expired, orphans removed, then checked.

What is kept for how long is `warehouse.maintain` under the policy of `hub.upkeep`.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from airflow.sdk import DAG, task

with DAG(
    dag_id="maintain_warehouse",
    dag_display_name="数据仓库维护 · warehouse maintenance",
    doc_md=(
        "每周日合并小文件、清理过期快照与无主文件，随后全库校验；发现损坏即告警。\n\n"
        "Compacts files, expires snapshots past the audit period and clears orphans each Sunday, then looks for damage."
    ),
    # Eight in the evening UTC on Saturday is four on Sunday morning in Shanghai, after the night's loads.
    schedule="0 20 * * 6",
    catchup=False,
    max_active_runs=1,
    tags=["platform"],
    default_args={"retries": 1, "retry_delay": timedelta(minutes=10)},
) as dag:

    @task(task_display_name="资源分组 group")
    def group() -> list[str]:
        """The departments; each is one piece of work, so that one bad table holds no other up."""
        from hub import upkeep

        return upkeep.departments()

    @task(task_display_name="维护 maintain", max_active_tis_per_dagrun=1)
    def maintain(department: str) -> dict[str, Any]:
        """Compact, expire, clean."""
        from hub import upkeep

        return upkeep.maintain_department(department)

    @task(task_display_name="校验 fsck", trigger_rule="all_done")
    def fsck() -> dict[str, Any]:
        """Look for damage; what is found becomes an alert."""
        from hub import upkeep

        return upkeep.fsck_once()

    @task(task_display_name="结果 outcome")
    def outcome() -> None:
        """Succeeds when all else has: a run is judged by its last tasks, and the one before this runs in any case."""

    maintained = maintain.expand(department=group())
    [maintained, maintained >> fsck()] >> outcome()
