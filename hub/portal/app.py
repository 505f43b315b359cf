"""The portal as an application: its doors become addresses, its files are served, and nothing else is there.

It shares its state, the opened parts of the process, with the API's application beside it.
"""

from __future__ import annotations

from contextlib import asynccontextmanager
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, Final

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response
from starlette.routing import Route

from hub.api.limits import Buckets
from hub.licensing.running import Runner
from hub.people import People, Sessions
from hub.people.provider import Provider
from hub.people.signon import SignOn
from hub.portal.answering import HEADERS, SUFFIX, Answering
from hub.portal.rendering import STATIC, static_files
from hub.portal.rooms import ROOMS
from hub.settings import BATCHES_INSIDE

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    from starlette.requests import Request
    from starlette.types import ASGIApp, Receive, Scope, Send

    from hub.api.gate import HubApp
    from hub.portal.doors import Door

# An address asks for a page and its files at once; a department sits behind one address.
PAGES_AT_ONCE: Final = 300
PAGES_PER_SECOND: Final = 50
# Of forms by those who are not signed in: passwords that are tried, files that are verified.
TRIES_AT_ONCE: Final = 60
TRIES_PER_SECOND: Final = 1
IMMUTABLE: Final = "public, max-age=31536000, immutable"
# The addresses of the API; all others are pages.
OF_THE_API: Final = frozenset({"v1", ".well-known", "healthz", "readyz", "metrics", "openapi.json", "wallet"})


def doors() -> list[Door]:
    """Every door of the portal."""
    return [door for room in ROOMS for door in room.doors]


def add_to(app: HubApp, *, secure: bool, rates: bool = True) -> None:
    """Put the portal beside the API *app*; *secure*: it is called by https alone."""
    portal = Starlette(routes=_routes(), exception_handlers={404: _unknown, 405: _unknown})
    portal.state = app.state
    app.state.portal = SimpleNamespace(
        answering=None,
        secure=secure,
        rates=Buckets(PAGES_AT_ONCE, PAGES_PER_SECOND) if rates else None,
        tries=Buckets(TRIES_AT_ONCE, TRIES_PER_SECOND) if rates else None,
    )
    app.pages = _Pages(portal)
    _work_beside(app)


def _work_beside(app: HubApp) -> None:
    """Let what people order and do not wait for be worked on while the process serves, unless a setting says no."""
    around = app.router.lifespan_context

    @asynccontextmanager
    async def lifespan(app: HubApp) -> AsyncIterator[Any]:
        async with around(app) as state:
            service = app.state.service
            inside = service.settings.batch_worker == BATCHES_INSIDE
            runner = app.state.licence_runner = Runner.beside(service) if inside else None
            if runner is not None:
                runner.start()
            try:
                yield state
            finally:
                if runner is not None:
                    await run_in_threadpool(runner.stop)

    app.router.lifespan_context = lifespan


class _Pages:
    """The portal, for requests of addresses that are none of the API's."""

    def __init__(self, portal: ASGIApp) -> None:
        self._portal = portal

    def owns(self, path: str) -> bool:
        """Whether *path* is one of a page, or of none at all."""
        return path.split("/", 2)[1] not in OF_THE_API

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._portal(scope, receive, send)


def _answering(request: Request) -> Answering:
    """Made when a page is first asked for: the parts are opened when the process begins to serve."""
    state, service = request.app.state.portal, request.app.state.service
    made: Answering | None = state.answering
    if made is None or made.people.control is not service.control:
        people = People(service.settings, service.control, service.evidence)
        sessions, said = Sessions(people), service.settings.provider
        sign_on = SignOn(sessions, Provider(said, service.evidence.clock)) if said is not None else None
        made = state.answering = Answering(people, sessions, sign_on, state.rates, state.tries, state.secure)
    return made


def _routes() -> list[Route]:
    routes = [Route(f"{STATIC}{{mark}}/{{name}}", _static, methods=["GET"])]
    by_path: dict[str, dict[str, Door]] = {}
    for door in doors():
        by_path.setdefault(door.path, {})[door.method] = door
    # What is spelt out goes before what a code may stand for, and data before the page whose code could end like it.
    for path in sorted(by_path, key=lambda one: ("{" in one, one.count("{"), one)):
        found = by_path[path]
        if "GET" in found and found["GET"].json:
            data = f"/home{SUFFIX}" if path == "/" else f"{path}{SUFFIX}"
            routes.append(Route(data, _endpoint({"GET": found["GET"]}, as_json=True), methods=["GET"]))
        if "GET" in found and found["GET"].csv:
            routes.append(Route(f"{path}.csv", _endpoint({"GET": found["GET"]}, as_csv=True), methods=["GET"]))
        routes.append(Route(path, _endpoint(found), methods=list(found)))
    return routes


def _endpoint(
    found: dict[str, Door], *, as_json: bool = False, as_csv: bool = False
) -> Callable[[Request], Awaitable[Response]]:
    async def answer(request: Request) -> Response:
        door = found["GET" if request.method == "HEAD" else request.method]
        # By what the journal calls the address.
        request.scope["route"] = SimpleNamespace(path_format=door.path)
        return await _answering(request)(door, request, as_json=as_json, as_csv=as_csv)

    return answer


async def _static(request: Request) -> Response:
    found = static_files().get(request.path_params["name"])
    if found is None:
        return Response(status_code=404, headers=HEADERS)
    data, media = found
    return Response(data, media_type=media, headers={**HEADERS, "cache-control": IMMUTABLE})


async def _unknown(request: Request, error: Exception) -> Response:
    del error
    return _answering(request).unknown(request)
