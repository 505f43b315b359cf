"""Asks a person about every source that has changed its shape, and tells the hub what was decided.

What a change of shape is, and what approving one does, is `hub.drifts`; the same can be done from the command line.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from airflow.providers.standard.operators.hitl import HITLOperator
from airflow.sdk import DAG, task, task_group

APPROVE, REFUSE, LATER = "批准 approve", "不批准 refuse", "稍后再定 later"
# Whoever does not answer within the hour has said "later", and is asked again in the next.
PATIENCE = timedelta(minutes=50)

with DAG(
    dag_id="approve_drift",
    dag_display_name="来源结构变化审批 · drift approval",
    doc_md=(
        "来源的列发生变化且责任清单要求审批时，在“待处理操作”中逐项询问；批准后下一次归集即按新结构进行。\n\n"
        "Asks, under Required Actions, about every source whose columns changed and whose list wants that approved. "
        "The next load goes by the answer."
    ),
    schedule="0 * * * *",
    catchup=False,
    max_active_runs=1,
    tags=["platform"],
    default_args={"retries": 2, "retry_delay": timedelta(minutes=1)},
) as dag:

    @task(task_display_name="待审批 waiting")
    def waiting() -> list[dict[str, str]]:
        """What waits: a subject and a body for each, in Chinese and English."""
        from hub import drifts

        return drifts.questions()

    @task(task_display_name="生效 apply")
    def apply(subject: str, answer: dict[str, Any]) -> bool:
        """Settle one question as it was answered; whether it was settled, and still stood."""
        from hub import drifts

        chosen = answer["chosen_options"]
        return LATER not in chosen and drifts.answer(subject, approve=APPROVE in chosen)

    # A group, so that an answer is applied as soon as it is given, whatever becomes of the other questions.
    @task_group(group_id="one", group_display_name="逐项 each")
    def one(subject: str, body: str) -> None:
        """One question and its answer."""
        ask = HITLOperator(
            task_id="ask",
            task_display_name="审批 ask",
            subject=subject,
            body=body,
            options=[APPROVE, REFUSE, LATER],
            defaults=LATER,
            response_timeout=PATIENCE,
        )
        apply(subject, ask.output)  # type: ignore[arg-type]  # handed on through XCom

    one.expand_kwargs(waiting())
