"""What the scheduler calls when a run misses its deadline.

A module of its own that imports nothing: the scheduler looks the function up at every parse of every DAG.
"""

from __future__ import annotations

import asyncio


async def deadline_missed(code: str, **_: object) -> None:
    """Open an alert for resource *code*; called by Airflow's triggerer, with its own context beside."""
    from hub import watching  # noqa: PLC0415 - see above

    # The alert waits for a database; other deadlines of the triggerer must not wait with it.
    await asyncio.to_thread(watching.slow, code)
