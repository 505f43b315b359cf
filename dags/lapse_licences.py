"""Marks licences whose validity ended as lapsed, each night: registers and status lists then say what the day is.

Which licences are due is `hub.licensing.dossiers.lapsing`'s; a day without a run lets nobody off, for verifiers read
the end of validity on the licence itself.
"""

from __future__ import annotations

from datetime import timedelta

from airflow.sdk import DAG, task

with DAG(
    dag_id="lapse_licences",
    dag_display_name="证照到期失效 · licences that lapse",
    doc_md=(
        "每日将有效期届满的证照置为失效，分组办理，状态列表只发布一次。\n\n"
        "Marks licences whose validity ended as lapsed each night, in groups, with one publication of status lists."
    ),
    # Five past four in the afternoon UTC is five past midnight in Shanghai: validity ends with its last second there.
    schedule="5 16 * * *",
    catchup=False,
    max_active_runs=1,
    tags=["platform"],
    default_args={"retries": 3, "retry_delay": timedelta(minutes=10)},
) as dag:

    @task(task_display_name="置为失效 lapse")
    def lapse() -> dict[str, int]:
        """Mark what is due; what was marked before is not marked again."""
        from hub.licensing.dossiers import lapsing

        return lapsing.lapse_due_once()

    lapse()
