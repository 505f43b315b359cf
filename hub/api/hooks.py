"""Web hooks over HTTP: a department registers an address, looks at its calls, pauses, resumes and ends it.

What a hook is called for, and how, is `hub.webhooks.hooks`' and `hub.webhooks.queue`'s.
"""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Annotated, Any, Final

from fastapi import Query, Request, Response
from fastapi.concurrency import run_in_threadpool
from pydantic import BaseModel

from hub.actors import Actor, Role
from hub.api import doors
from hub.api.bodies import Body
from hub.api.bodyshapes import BodyShape
from hub.api.changes import CURSOR, FIELDS, PURPOSE
from hub.api.shapes import documented
from hub.changes.cursor import MAX_CURSOR_CHARS, NOW
from hub.errors import InvalidRequestError, NotFoundError
from hub.webhooks.address import MAX_URL_CHARS
from hub.webhooks.hooks import MAX_SHOWN, Hook, Hooks
from hub.webhooks.worker import HookWorker, open_hooks

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from fastapi import FastAPI

MEMBERS: Final = (Role.CALL, Role.APPLY)
ALL_SEEING: Final = frozenset({Role.OFFICE, Role.AUDIT})
STEPS: Final = ("pause", "resume", "retry", "end")
_ASKED: Final = ("resource", "url", "purpose", "fields", "grant", "cursor")


class HookShape(BaseModel):
    """A web hook. *state*: pending (not verified yet), active, paused, ended; *why*: what paused or ended it."""

    id: str
    state: str
    department: str
    resource: str
    grant: str
    url: str
    purpose: dict[str, str]
    fields: list[str]
    created: str
    created_by: str
    log_index: int
    changed_at: str
    changed_by: str
    why: str


class HooksShape(BaseModel):
    """Web hooks, the newest first."""

    hooks: list[HookShape]


class AttemptShape(BaseModel):
    """One try: what came of it, the status answered (0: none), and how long it took."""

    at: str
    outcome: str
    status: int
    took_ms: int


class DeliveryShape(BaseModel):
    """One call of a hook. *kind*: challenge or changes; *state*: due, delivered, given_up."""

    id: str
    kind: str
    state: str
    at: str
    tries: int
    outcome: str
    next_try: str | None
    ended_at: str | None
    attempts: list[AttemptShape]


class DeliveriesShape(BaseModel):
    """The calls of a hook, the newest first."""

    deliveries: list[DeliveryShape]


def add_to(app: FastAPI) -> None:
    """Hang the routes into *app*, and the worker that calls hooks into its life. After `hub.api.changes`."""
    _work_with(app)

    @app.get(
        "/v1/hooks", response_model=HooksShape, responses=documented(401, 403, 422, 503), openapi_extra=doors.KEYED
    )
    def listed(
        request: Request, *, ended: Annotated[bool, Query(description="those that have ended")] = False
    ) -> Response:
        """The web hooks of the caller's department; all of them for the office and auditors."""
        caller = doors.caller(request, *MEMBERS, *ALL_SEEING)
        department = None if ALL_SEEING & set(caller.roles) else caller.department
        found = _hooks(request).find(department, ended=ended)
        return doors.answer(request, {"hooks": [hook.plain() for hook in found]})

    @app.post(
        "/v1/hooks",
        status_code=201,
        response_model=HookShape,
        responses=documented(400, 401, 403, 404, 410, 413, 415, 422, 503),
        openapi_extra=doors.KEYED,
    )
    async def registered(request: Request) -> Response:
        """Register an address to be called when there is something to fetch. It is challenged before it is used."""
        return await doors.run(_register, request, await doors.read_object(request))

    @app.get(
        "/v1/hooks/{id_}", response_model=HookShape, responses=documented(401, 403, 404, 503), openapi_extra=doors.KEYED
    )
    def shown(request: Request, id_: str) -> Response:
        """One web hook."""
        return doors.answer(request, _seen(request, id_).plain())

    @app.get(
        "/v1/hooks/{id_}/deliveries",
        response_model=DeliveriesShape,
        responses=documented(401, 403, 404, 422, 503),
        openapi_extra=doors.KEYED,
    )
    def delivered(request: Request, id_: str, *, limit: Annotated[int, Query(ge=1, le=MAX_SHOWN)] = 100) -> Response:
        """The calls of a web hook and every try of them, the newest first."""
        hook = _seen(request, id_)
        rows = [one.plain() for one in _hooks(request).deliveries(hook.id, limit)]
        return doors.answer(request, {"deliveries": rows})

    @app.post(
        "/v1/hooks/{id_}:{step}",
        response_model=HookShape,
        responses=documented(400, 401, 403, 404, 409, 413, 415, 422, 503),
        openapi_extra=doors.KEYED,
    )
    async def act(request: Request, id_: str, step: str) -> Response:
        """`pause` calls, `resume` them, `retry` now what waits, or `end` the hook for good."""
        return await doors.run(_act, request, id_, step, await doors.read_object(request))


def _work_with(app: FastAPI) -> None:
    around = app.router.lifespan_context

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[Any]:
        async with around(app) as state:
            service = app.state.service
            hooks = open_hooks(service.settings, app.state.changes, service.evidence, service.control)
            worker = HookWorker.over(service.settings, hooks, service.signer)
            app.state.hooks = hooks
            worker.start()
            try:
                yield state
            finally:
                await run_in_threadpool(worker.stop)

    app.router.lifespan_context = lifespan


def _hooks(request: Request) -> Hooks:
    found: Hooks = request.app.state.hooks
    return found


def _seen(request: Request, id_: str) -> Hook:
    caller = doors.caller(request, *MEMBERS, *ALL_SEEING)
    department = None if ALL_SEEING & set(caller.roles) else caller.department
    return _hooks(request).get(id_, department)


def _register(request: Request, members: dict[str, Any]) -> Response:
    caller = doors.caller(request, *MEMBERS)
    body = Body(members).done(_ASKED)
    cursor = body.text("cursor", NOW)
    if not 1 <= len(cursor) <= MAX_CURSOR_CHARS:
        raise InvalidRequestError(where="cursor", why="it is none", why_zh="游标无效")
    hook = _hooks(request).register(
        Actor(caller.department, caller.name),
        resource=body.text("resource", None)[:MAX_URL_CHARS],
        url=body.text("url", None),
        call={name: members[name] for name in ("purpose", "fields", "grant") if name in members},
        cursor=cursor,
    )
    response = doors.answer(request, hook.plain(), status=201)
    response.headers["location"] = f"/v1/hooks/{hook.id}"
    return response


def _act(request: Request, id_: str, step: str, members: dict[str, Any]) -> Response:
    if step not in STEPS:
        raise NotFoundError
    caller = doors.caller(request, *MEMBERS)
    Body(members).done(())
    hooks, actor = _hooks(request), Actor(caller.department, caller.name)
    getattr(hooks, step)(id_, actor)
    return doors.answer(request, hooks.get(id_).plain())


_URL: Final[dict[str, Any]] = {
    "type": "string",
    "maxLength": MAX_URL_CHARS,
    "description": "https://HOST[:PORT]/PATH, without user, query or fragment",
}
BODIES: dict[str, BodyShape] = {
    "/v1/hooks": BodyShape(
        ("resource", "url", "purpose"),
        ("fields", "grant", "cursor"),
        special=(
            ("url", _URL),
            ("purpose", PURPOSE),
            ("fields", FIELDS),
            ("grant", {"type": "string", "description": "needed where several of the department's grants allow it"}),
            ("cursor", CURSOR),
        ),
    )
}
BODY_STEPS = {"/v1/hooks/{id_}:{step}": {step: BodyShape() for step in STEPS}}
