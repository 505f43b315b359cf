"""Keeps licence status lists fresh: verifiers refuse to decide on a list whose validity has passed.

What is published, and when a list counts as stale, is `hub.licensing`.
"""

from __future__ import annotations

from datetime import timedelta

from airflow.sdk import DAG, task

with DAG(
    dag_id="publish_status",
    dag_display_name="证照状态列表发布 · licence status lists",
    doc_md=(
        "在有效期届满前重新发布证照状态列表；过期的列表，核验方不予采信。\n\n"
        "Publishes licence status lists anew before their validity ends; verifiers do not go by a stale one."
    ),
    schedule="*/10 * * * *",
    catchup=False,
    max_active_runs=1,
    tags=["platform"],
    default_args={"retries": 3, "retry_delay": timedelta(minutes=1)},
) as dag:

    @task(task_display_name="发布 publish")
    def publish() -> None:
        """Publish what is stale; a list that is fresh enough is left alone."""
        from hub import licensing

        licensing.refresh_status_lists()

    publish()
