"""Reminds departments of what waits for them, each morning: clocks, overdue cases, grants that end or idle.

Who is told what is `hub.deadlines`; a day without a run only means that people are told on the next.
"""

from __future__ import annotations

from datetime import timedelta

from airflow.sdk import DAG, task

with DAG(
    dag_id="daily_reminders",
    dag_display_name="办理时限提醒 · reminders",
    doc_md=(
        "每日提醒各部门的待办事项：办理时限、逾期事项、即将到期或长期未用的授权。\n\n"
        "Reminds departments each morning of what waits for them: clocks, overdue cases, grants that end or idle."
    ),
    # Half past midnight UTC is half past eight in the morning in Shanghai: before offices open.
    schedule="30 0 * * *",
    catchup=False,
    max_active_runs=1,
    tags=["platform"],
    default_args={"retries": 3, "retry_delay": timedelta(minutes=5)},
) as dag:

    @task(task_display_name="提醒 remind")
    def remind() -> dict[str, int]:
        """Tell what is to be told; what was told before is not told again."""
        from hub import deadlines

        return deadlines.sweep_once()

    remind()
