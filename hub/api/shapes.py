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
