"""The FastAPI application: addresses, and which use case each of them calls.

Responses are shaped and signed in `hub.api.replies`; the files served to anyone are chosen in `hub.api.public`.
"""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Annotated, Any

from fastapi import FastAPI, Query, Request, Response
from fastapi.concurrency import run_in_threadpool
from fastapi.exceptions import RequestValidationError
from fastapi.responses import FileResponse, JSONResponse, PlainTextResponse
from starlette.exceptions import HTTPException

from audit.errors import EntryMissingError
from catalog.steps import CaseError
from hub.api import (
    applications,
    batches,
    changes,
    corrections,
    demands,
    doors,
    grants,
    health,
    hooks,
    inbox,
    licence_cases,
    licence_decisions,
    licence_trust,
    licences,
    lists,
    loads,
    materials,
    mydata,
    problems,
    public,
    revocation_lists,
    sandbox,
    schemas,
    seal_signers,
    seals,
    search,
    wallets,
    witnesses,
)
from hub.api.bodyshapes import describe
from hub.api.fast import Fast
from hub.api.gate import HubApp
from hub.api.journal import Journal
from hub.api.licence_refusals import REFUSALS, finding
from hub.api.limits import Buckets, Room
from hub.api.metrics import Metrics
from hub.api.replies import read_body, refuse, reply
from hub.api.tracing import Tracing
from hub.authentication import AuthenticationSettingsError, forwarders_of, proxies_of
from hub.errors import HubError, InvalidRequestError, NotFoundError, ResourceUnknownError
from hub.invocation import RefusedError
from hub.service import Service
from licence.errors import LicenceError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from pydantic import BaseModel

    from hub.settings import Settings

# A full tile never changes (C2SP tlog-tiles); a partial one, and the checkpoint, are asked for anew.
IMMUTABLE = "public, max-age=31536000, immutable"
REVALIDATE = "no-cache"
SCHEMES = ("", "http", "https")

# The office's doors, each in a module of its own.
FEATURES = (
    lists,
    search,
    applications,
    grants,
    corrections,
    demands,
    inbox,
    loads,
    batches,
    changes,
    hooks,
    mydata,
    sandbox,
    witnesses,
    licence_cases,
    licence_decisions,
    materials,
    licence_trust,
    wallets,
    # Before `seals`, whose `/v1/seals/{code}` would take "signers" for a code.
    seal_signers,
    seals,
    revocation_lists,
    licences,
)

_SCHEMAS = "#/components/schemas/"
_PROBLEM = {"content": {problems.MEDIA_TYPE: {"schema": {"$ref": f"{_SCHEMAS}ProblemShape"}}}}


def _documented(*statuses: int) -> dict[int | str, dict[str, Any]]:
    return {status: {"description": problems.TITLES[status][0], **_PROBLEM} for status in statuses}


def _body_of(shape: type[BaseModel], example: dict[str, Any]) -> dict[str, Any]:
    content = {"application/json": {"schema": {"$ref": f"{_SCHEMAS}{shape.__name__}"}, "example": example}}
    return {"requestBody": {"required": True, "content": content}, "security": [{"callerKey": []}]}


_QUERY_EXAMPLE = {
    "keys": {"citizen_id": "11010519491231002X"},
    "fields": ["name"],
    "purpose": {"matter": "SX001", "case": "BJ-2026-0001", "operator": "窗口 3", "replaces": "户口簿"},
}
_EXPLAIN_EXAMPLE = {"action": "query", "keys": ["citizen_id"], "fields": ["name"], "purpose": {"matter": "SX001"}}
_VERIFY_EXAMPLE = {
    "keys": {"citizen_id": "11010519491231002X"},
    "claims": {"name": "张三"},
    "purpose": {"matter": "SX001", "case": "BJ-2026-0001"},
}


def create_app(settings: Settings, *, open_service: Callable[[Settings], Service] = Service.open) -> HubApp:
    """The API of the deployment of *settings*; files and keys are opened when it starts to serve, not here."""

    @asynccontextmanager
    async def lifespan(app: HubApp) -> AsyncIterator[None]:
        if settings.api_scheme not in SCHEMES:
            raise AuthenticationSettingsError(name="ZHENGTONG_API_SCHEME", expected="http / https")
        app.forwarders = forwarders_of(settings)
        metrics = Metrics()
        journal = Journal.open(settings, lost=metrics.lost, tracer=Tracing.open(settings))
        service = await run_in_threadpool(open_service, settings)
        app.state.service = service
        app.state.fast = Fast(
            service,
            metrics,
            Room(settings.calls_at_once),
            _rates(settings.calls_per_second),
            proxies_of(settings),
        )
        app.state.fast.start()
        app.state.stopping = health.Stopping(settings.stop_seconds)
        app.state.stopping.listen(asyncio.get_running_loop())
        if journal is not None:
            journal.start()
            app.journal = journal
        try:
            yield
        finally:
            app.state.stopping.leave()
            app.journal = None
            app.state.fast.stop()
            await run_in_threadpool(service.close)
            if journal is not None:
                await run_in_threadpool(journal.stop)

    app = HubApp(
        title="Zhengtong data-invocation API / 政通数据调用服务",
        version="1",
        description="Look-ups and verifications over shared resources. Every call leaves evidence in a public log.",
        lifespan=lifespan,
        docs_url=None,  # the stock page loads scripts from another host
        redoc_url=None,
    )
    app.api_scheme = settings.api_scheme
    app.state.wallet_calls_per_second = settings.wallet_calls_per_second
    _add_errors(app)
    health.add_to(app)
    _add_catalogue(app)
    _add_invocation(app)
    _add_log(app)
    for feature in FEATURES:
        feature.add_to(app)
    _complete_openapi(app)
    return app


def _service(request: Request) -> Service:
    service: Service = request.app.state.service
    return service


def _add_errors(app: FastAPI) -> None:
    async def on_hub_error(request: Request, error: Exception) -> Response:
        service = _service(request)
        known = error if isinstance(error, HubError | CaseError | LicenceError | RefusedError) else HubError()
        request.state.problem = problems.code_of(known.cause if isinstance(known, RefusedError) else known)
        return refuse(request, service.signer, service.evidence.clock(), known)

    async def on_validation(request: Request, error: Exception) -> Response:
        del error
        return await on_hub_error(
            request,
            InvalidRequestError(where="query", why="a parameter is not of the documented form", why_zh="参数格式有误"),
        )

    async def on_http(request: Request, error: Exception) -> Response:
        status = error.status_code if isinstance(error, HTTPException) else 500
        lang = problems.language(request.headers.get("accept-language"))
        headers = dict(getattr(error, "headers", None) or {})
        plain = problems.plain_problem(status if status in problems.TITLES else 500, lang)
        request.state.problem = plain["code"]
        return JSONResponse(
            plain,
            status_code=status,
            headers=headers,
            media_type=problems.MEDIA_TYPE,
        )

    app.add_exception_handler(HubError, on_hub_error)
    app.add_exception_handler(CaseError, on_hub_error)
    app.add_exception_handler(RefusedError, on_hub_error)
    for refusal, _ in REFUSALS:
        app.add_exception_handler(refusal, on_hub_error)
    app.add_exception_handler(RequestValidationError, on_validation)
    app.add_exception_handler(HTTPException, on_http)
    app.add_exception_handler(Exception, on_http)


def _add_catalogue(app: FastAPI) -> None:
    @app.get("/v1/catalog", response_model=schemas.CatalogueShape, responses=_documented(422, 503))
    def catalogue(
        request: Request,
        page: Annotated[int, Query(ge=1, le=1_000_000)] = 1,
        size: Annotated[int, Query(ge=1, le=public.MAX_PAGE_SIZE)] = public.DEFAULT_PAGE_SIZE,
    ) -> Response:
        """The catalogue of resources (数据目录), by code, a page at a time; `total` counts all."""
        service = _service(request)
        plain = public.catalogue(service.standing.now().list, page, size)
        return reply(request, service.signer, service.evidence.clock(), status=200, plain=plain)

    @app.get("/v1/resources/{code:path}", response_model=schemas.DetailShape, responses=_documented(404, 503))
    def resource(request: Request, code: str) -> Response:
        """The metadata of one resource: its fields, what it is looked up by, its lines of the list."""
        service = _service(request)
        list_ = service.standing.now().list
        found = list_.by_code.get(code)
        if found is None:
            raise ResourceUnknownError(resource=code[:100])
        plain = public.detail(found, list_)
        return reply(request, service.signer, service.evidence.clock(), status=200, plain=plain)

    @app.get("/v1/problems/{code}", responses=_documented(404))
    def problem(code: str) -> Response:
        """What a problem's code means, in both languages."""
        known = problems.known_problems().get(code) or finding(code)
        if known is None:
            raise NotFoundError
        return JSONResponse(known)


def _add_invocation(app: FastAPI) -> None:
    statuses = _documented(400, 401, 403, 404, 413, 415, 422, 429, 503)

    # Documented here, answered by `hub.api.fast` before the framework looks for them.
    @app.post(
        "/v1/resources/{code:path}:query",
        response_model=schemas.QueryAnswerShape,
        responses=statuses,
        openapi_extra=_body_of(schemas.QueryShape, _QUERY_EXAMPLE),
    )
    async def query(code: str) -> Response:
        """Look records up by the resource's look-up fields, or up to 500 at once. Evidence is kept first."""
        raise AssertionError(code)

    @app.post(
        "/v1/resources/{code:path}:verify",
        response_model=schemas.VerifyAnswerShape,
        responses=statuses,
        openapi_extra=_body_of(schemas.VerifyShape, _VERIFY_EXAMPLE),
    )
    async def verify(code: str) -> Response:
        """Confirm claims about a record: match, mismatch or unknown for each field, and no values."""
        raise AssertionError(code)

    @app.post(
        "/v1/sandbox/resources/{code:path}:query",
        response_model=schemas.QueryAnswerShape,
        responses=statuses,
        openapi_extra=_body_of(schemas.QueryShape, _QUERY_EXAMPLE),
    )
    async def try_query(code: str) -> Response:
        """As the real one, over made-up rows: no grant is needed, and nothing is recorded."""
        raise AssertionError(code)

    @app.post(
        "/v1/sandbox/resources/{code:path}:verify",
        response_model=schemas.VerifyAnswerShape,
        responses=statuses,
        openapi_extra=_body_of(schemas.VerifyShape, _VERIFY_EXAMPLE),
    )
    async def try_verify(code: str) -> Response:
        """As the real one, over made-up rows."""
        raise AssertionError(code)

    @app.post(
        "/v1/resources/{code:path}:explain",
        response_model=schemas.ExplainedShape,
        responses=_documented(400, 401, 404, 413, 415, 422, 503),
        openapi_extra=_body_of(schemas.ExplainShape, _EXPLAIN_EXAMPLE),
    )
    async def explain(request: Request, code: str) -> Response:
        """Whether such a call would be allowed now, with what, and why not. Nothing is looked up or recorded."""
        service, body = _service(request), await read_body(request)
        explained = await run_in_threadpool(service.invocation.explain, doors.proof(request), code, body)
        lang = problems.language(request.headers.get("accept-language"))
        plain = public.explained(explained, lang)
        return reply(request, service.signer, service.evidence.clock(), status=200, plain=plain)


def _rates(per_second: int) -> Buckets | None:
    return Buckets(2 * per_second, per_second) if per_second else None


def _add_log(app: FastAPI) -> None:
    @app.get("/v1/log/proof/{index}", response_class=PlainTextResponse, responses=_documented(404, 422, 503))
    def proof(request: Request, index: int) -> Response:
        """An inclusion proof of entry *index* (C2SP tlog-proof), from the newest checkpoint, made anew if need be."""
        evidence = _service(request).evidence
        try:
            if index >= 0:
                evidence.publish_through(index)
            text = evidence.log.prove(index).to_text()
        except EntryMissingError as error:
            raise NotFoundError from error
        return PlainTextResponse(text, headers={"cache-control": REVALIDATE})

    @app.get(
        "/v1/log/{path:path}",
        responses=_documented(404) | {200: {"content": {"text/plain": {}, "application/octet-stream": {}}}},
        response_class=Response,
    )
    def log_file(request: Request, path: str) -> Response:
        """The log's checkpoint and tiles (C2SP tlog-tiles)."""
        file = public.log_file(_service(request).settings.log, path)
        text = path in public.CHECKPOINTS
        return FileResponse(
            file,
            media_type="text/plain; charset=utf-8" if text else "application/octet-stream",
            headers={"cache-control": REVALIDATE if text or ".p/" in path else IMMUTABLE},
        )

    @app.get("/v1/keys", response_model=schemas.KeysShape)
    def keys(request: Request) -> Response:
        """The public keys of answers and log. Pin them over a channel you trust; this one proves nothing by itself."""
        service = _service(request)
        verifier = service.signer.verifier
        second = service.evidence.second
        return JSONResponse(
            {
                "log": service.evidence.verifier.to_text(),
                "log_second": second.to_text() if second else None,
                "answers": [verifier.to_text()],
                "keys": [verifier.jwk()],
            }
        )


def _complete_openapi(app: HubApp) -> None:
    """Add what the framework cannot know: the caller key, and the shapes of bodies that we parse ourselves."""
    original = app.openapi

    def openapi() -> dict[str, Any]:
        if app.openapi_schema is not None:
            return app.openapi_schema
        document = original()
        components = document.setdefault("components", {})
        components.setdefault("securitySchemes", {})["callerKey"] = {
            "type": "http",
            "scheme": "bearer",
            "description": "A caller key issued by the hub",
        }
        known = components.setdefault("schemas", {})
        for shape in (schemas.QueryShape, schemas.VerifyShape, schemas.ExplainShape, schemas.ProblemShape):
            plain = shape.model_json_schema(ref_template=f"{_SCHEMAS}{{model}}")
            known.update(plain.pop("$defs", {}))
            known[shape.__name__] = plain
        own = (
            applications,
            grants,
            corrections,
            demands,
            loads,
            hooks,
            materials,
            licence_cases,
            licence_decisions,
            seal_signers,
            seals,
            licences,
        )
        for feature in own:
            describe(document, feature.BODIES, feature.BODY_STEPS)
        for operation in (one for path in document["paths"].values() for one in path.values()):
            # The framework's own, which no text in a path comes to; what refuses a parameter says so itself.
            if "HTTPValidationError" in str(operation["responses"].get("422")):
                del operation["responses"]["422"]
        app.lifecycle.mark(document)
        return document

    app.openapi = openapi  # type: ignore[method-assign]
