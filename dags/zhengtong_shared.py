"""What the DAG files share: which errors are worth another try, and secrets kept as Airflow's connections.

Draws nothing itself. Airflow has the DAG folder on its path, from which the other files import this one.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from airflow.sdk import ExceptionRetryPolicy, RetryAction, RetryRule
from airflow.sdk.definitions.retry_policy import RetryDecision

if TYPE_CHECKING:
    from airflow.sdk import Context


class Patience(ExceptionRetryPolicy):
    """By the class of the error; and where a source has said when it may be asked again, not before."""

    def evaluate(
        self, exception: BaseException, try_number: int, max_tries: int, context: Context | None = None
    ) -> RetryDecision:
        """What becomes of a task that *exception* has ended."""
        decision = super().evaluate(exception, try_number, max_tries, context)
        wait_s = getattr(exception, "params", {}).get("retry_after_s")
        if decision.action is RetryAction.RETRY and wait_s:
            return RetryDecision.retry(timedelta(seconds=float(wait_s)), decision.reason)
        return decision


# A source that is down or still writing comes back; a broken contract, a denied door or a refused budget does not.
# What is neither was not foreseen, and is tried again.
RETRY_POLICY = Patience(
    rules=[
        RetryRule(
            exception=[
                "connectors.errors.SourceUnavailableError",
                "connectors.errors.SourceIncompleteError",
                "warehouse.errors.CommitConflictError",
                "warehouse.errors.CommitUnknownError",
                "warehouse.errors.StorageFullError",
                "warehouse.errors.StorageUnavailableError",
                "warehouse.errors.CatalogueUnavailableError",
                "hub.errors.TryAgainError",
            ],
            action=RetryAction.RETRY,
        ),
        RetryRule(
            exception=["connectors.errors.ConnectorError", "warehouse.errors.WarehouseError", "hub.errors.HubError"],
            action=RetryAction.FAIL,
        ),
    ],
)


def connection_secret(reference: str) -> str | None:
    """The secret behind ``airflow:CONNECTION#field``, None where there is none.

    The field is the password where none is named; what is no part of every connection is looked for in its extras.
    """
    from airflow.sdk import Connection
    from airflow.sdk.exceptions import AirflowNotFoundException

    name, _, field = reference.partition("#")
    try:
        connection = Connection.get(name)
    except AirflowNotFoundException:
        return None
    if field in {"", "password", "login", "host", "schema", "port"}:
        found = getattr(connection, field or "password")
    else:
        found = connection.extra_dejson.get(field)
    return None if found is None else str(found)


SECRETS = {"airflow": connection_secret}
