"""The shapes of the office's answers as OpenAPI documents them, and the problems an address may answer with.

For documentation alone; calls of data have theirs in `hub.api.schemas`.
"""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel

from hub.api import problems

_PROBLEM = {"content": {problems.MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/ProblemShape"}}}}


def documented(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """The problems that an address answers with, for its ``responses``."""
    return {status: {"description": problems.TITLES[status][0], **_PROBLEM} for status in statuses}


class WaitingShape(BaseModel):
    """A case that waits for the department; *working_days_left* is 0 on the last day and negative after it."""

    id: str
    kind: str
    state: str
    opener: str
    answerer: str
    resource: str
    rule: str
    due: str | None
    working_days_left: int | None
    revision: int


class LoadShape(BaseModel):
    """The run record of one load.

    *mode*: usual, full, window, replay; *outcome*: running, loaded, unchanged, tried, failed. *seconds* by step;
    *bytes* landed; *lag_s*: the newest record's age when it was committed; *about*: rows expected while reading.
    """

    id: int
    resource: str
    department: str
    run: str
    mode: str
    list_version: str
    started: str
    finished: str | None
    outcome: str
    error_code: str | None
    read: int
    accepted: int
    rejected: int
    superseded: int
    inserted: int
    updated: int
    deleted: int
    unchanged: int
    reasons: dict[str, int]
    bytes: int
    seconds: dict[str, float]
    lag_s: float | None
    about: int | None
    cursor: str | None
    snapshot: str | None
    notes: dict[str, Any]
    log_index: int | None


class LoadsShape(BaseModel):
    """Run records, oldest first; *last* is what to ask after next."""

    loads: list[LoadShape]
    last: int


class FreshnessShape(BaseModel):
    """One resource's light, in a word and in the reader's language."""

    resource: str
    light: str
    text: str
    success: str | None
    due: str | None
    load: int | None


class FreshnessesShape(BaseModel):
    """Every resource that the caller may see, in the list's order."""

    resources: list[FreshnessShape]


class AlertShape(BaseModel):
    """Something that a person has to look at."""

    id: int
    kind: str
    severity: str
    resource: str
    department: str
    at: str
    times: int
    cleared_at: str | None
    text: str
    what_to_do: str


class AlertsShape(BaseModel):
    """The alerts that stand open."""

    alerts: list[AlertShape]


class ReconciliationShape(BaseModel):
    """A comparison of a table with its source."""

    id: int
    resource: str
    at: str
    snapshot: str | None
    source_rows: int
    table_rows: int
    missing: int
    extra: int
    changed: int
    rejected: int
    seconds: float
    log_index: int


class ReconciliationsShape(BaseModel):
    """Comparisons, newest first."""

    reconciliations: list[ReconciliationShape]


class DriftShape(BaseModel):
    """What was decided on a changed shape of a source."""

    resource: str
    digest: str
    status: str
    log_index: int


class WaitingDriftShape(BaseModel):
    """A changed shape of a source that waits for a decision; *changes* in words, one for each column."""

    resource: str
    digest: str
    first_seen: str
    changes: list[str]


class DriftsShape(BaseModel):
    """The changed shapes that wait."""

    drifts: list[WaitingDriftShape]


class NoticeShape(BaseModel):
    """Something the department was told."""

    id: int
    at: str
    kind: str
    case: str
    resource: str
    text: str
    read: bool


class InboxShape(BaseModel):
    """What waits, oldest clock first, and what was told, newest first."""

    department: str
    waiting: list[WaitingShape]
    notices: list[NoticeShape]
