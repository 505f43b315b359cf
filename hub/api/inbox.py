"""The inbox over HTTP: what waits for a department's answer, oldest clock first, and what it was told.

Cases are acted on at their own addresses; this only finds them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from fastapi import Path, Query, Request, Response

from hub.actors import Role
from hub.api import doors, problems
from hub.api.shapes import InboxShape, documented
from hub.deadlines import case_plain, tray_of
from hub.errors import NotFoundError
from hub.notices import mark_read, tray
from hub.requests import MAX_INTEGER

if TYPE_CHECKING:
    from fastapi import FastAPI

MEMBERS = (Role.APPLY, Role.REVIEW, Role.OFFICE)


def add_to(app: FastAPI) -> None:
    """Hang the routes into *app*."""

    @app.get(
        "/v1/inbox", response_model=InboxShape, responses=documented(401, 403, 422, 503), openapi_extra=doors.KEYED
    )
    def inbox(request: Request, *, unread: Annotated[bool, Query()] = True) -> Response:
        """The open cases that wait for the caller's department, and its notices (`unread=false`: old ones, too)."""
        actor = doors.actor(request, *MEMBERS)
        office = doors.office(request)
        lang = problems.language(request.headers.get("accept-language"))
        told = tray(office.control, actor.department, unread_only=unread)
        plain = {
            "department": actor.department,
            "waiting": [case_plain(case, left) for case, left in tray_of(office, actor.department)],
            "notices": [
                {
                    "id": notice.id,
                    "at": notice.at.isoformat(),
                    "kind": notice.kind,
                    "case": notice.case_id,
                    "resource": notice.resource,
                    "text": notice.text(lang),
                    "read": notice.read_at is not None,
                }
                for notice in told
            ],
        }
        return doors.answer(request, plain)

    @app.post(
        "/v1/notices/{number}:read",
        responses=documented(401, 403, 404, 413, 422, 503),
        openapi_extra=doors.KEYED,
        dependencies=doors.READING,
    )
    def read(request: Request, number: Annotated[int, Path(ge=1, le=MAX_INTEGER)]) -> Response:
        """Take a notice out of the tray of the caller's department."""
        actor = doors.actor(request, *MEMBERS)
        office = doors.office(request)
        if not mark_read(office.control, number, actor=actor, at=office.now()):
            raise NotFoundError
        return doors.answer(request, {"id": number, "read": True})
