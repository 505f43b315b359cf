"""Lets the bodies behind the log's entries go when their time is over: they hold what people asked about people.

For how long they are kept, and which are held, is `hub.keeping`'s; a day without a run means that they lie a day more.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from airflow.sdk import DAG, task

with DAG(
    dag_id="expire_bodies",
    dag_display_name="存证正文到期清理 · body retention",
    doc_md=(
        "每日删除保存期满的存证正文（保全中的除外），并将删除情况记入日志；条目及其证明不受影响。\n\n"
        "Lets bodies of entries go each day whose time is over, but for those that are held, and records it in the "
        "log; entries and proofs stay as they are."
    ),
    # Eight in the evening UTC is four in the morning in Shanghai.
    schedule="45 20 * * *",
    catchup=False,
    max_active_runs=1,
    tags=["platform"],
    default_args={"retries": 2, "retry_delay": timedelta(minutes=10)},
) as dag:

    @task(task_display_name="清理 expire")
    def expire() -> dict[str, Any]:
        """Let go what is due; what went before is gone."""
        from hub import upkeep

        return upkeep.expire_bodies_once()

    expire()
