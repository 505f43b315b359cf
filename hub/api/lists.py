"""The list over HTTP: its versions, their differences, drafts on their way into force, and exports for other systems.

What a step does is `hub.drafts`'; publishing, `hub.publishing`'s. A list names the systems it is read from, which is
nobody's business but the offices': whole versions want a key, the exports leave the systems out.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any, Final

from fastapi import Request, Response
from fastapi.concurrency import run_in_threadpool
from pydantic import BaseModel

from catalog.diff import compare
from catalog.errors import ListInvalidError, ListUnreadableError
from catalog.exports import dcat
from catalog.model import to_plain
from catalog.steps import CaseInvalidError, problem, register_problems
from hub import drafts, exports
from hub.actors import Actor, Role
from hub.api import doors
from hub.api.limits import Room
from hub.api.replies import misfits, receive, reply
from hub.api.shapes import documented
from hub.errors import (
    DigestMismatchError,
    GrantUnknownError,
    InvalidRequestError,
    ListMissingError,
    MediaTypeError,
    NotFoundError,
    RequestTooLargeError,
)
from hub.published import current_list, versions
from hub.publishing import publish_draft
from hub.signatures import content_digest

if TYPE_CHECKING:
    from collections.abc import Callable

    from fastapi import FastAPI

    from catalog.model import ResponsibilityList
    from hub.cases import Case
    from hub.office import Office

MEMBERS: Final = (Role.REVIEW, Role.OFFICE, Role.AUDIT)
MAX_UPLOAD_MIB: Final = 64
UPLOAD_WAIT_S: Final = 600.0
# Whose upload is signed is known once it is there: so much of it may strangers fill the memory with, and so long.
SIGNED_AT_ONCE: Final = 2
SIGNED_WAIT_S: Final = 120.0
MAX_PROBLEMS: Final = 1_000
SUFFIXES: Final = {
    "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet": ".xlsx",
    "application/yaml": ".yaml",
    "application/x-yaml": ".yaml",
    "text/yaml": ".yaml",
    "application/zip": ".zip",
}

# The texts of a fault come from the loader, which has them in both languages.
register_problems({"list_fault": ("{en}", "{zh}")})


class ListTooLargeError(RequestTooLargeError):
    """The file is larger than the door reads."""

    en = "The list is larger than {limit_mib} MiB. Remove pictures and sheets that are no part of it."
    zh = "清单文件超过 {limit_mib} MiB。请删除与清单无关的图片和工作表。"


class ListMediaTypeError(MediaTypeError):
    """The body is not declared as a list."""

    en = "A list is sent as one of {allowed} in Content-Type, uncompressed."
    zh = "清单须以下列 Content-Type 之一发送，且不压缩：{allowed}。"


class VersionShape(BaseModel):
    """A version that is or was in force."""

    version: str
    status: str
    published_at: str
    published_by: str
    entry: int


class VersionsShape(BaseModel):
    """Versions, the one that came into force last first; drafts for keys of the office, of review and of audit."""

    versions: list[VersionShape]
    drafts: list[dict[str, Any]]


class DiffShape(BaseModel):
    """What differs: each change with its weight and its sentence in both languages."""

    old: str
    new: str
    counts: dict[str, int]
    digest: str
    changes: list[dict[str, Any]]


class DraftShape(BaseModel):
    """A draft under review."""

    case: str
    revision: int
    state: str
    version: str
    predecessor: str
    counts: dict[str, int]


class PublishedShape(BaseModel):
    """A list that is in force."""

    version: str
    entry: int
    already: bool


def add_to(app: FastAPI) -> None:
    """Hang the routes into *app*."""
    _add_versions(app)
    _add_submission(app)
    _add_steps(app)
    _add_exports(app)


def _add_versions(app: FastAPI) -> None:
    @app.get("/v1/lists", response_model=VersionsShape, responses=documented(401, 403, 503))
    def found(request: Request) -> Response:
        """The versions of the list; for the office, reviewers and auditors the open drafts, too."""
        office = doors.office(request)
        waiting: tuple[Case, ...] = ()
        if doors.shows_any(request):
            doors.actor(request, *MEMBERS)
            waiting = drafts.find(office, open_=True)
        known = [
            {
                "version": v.version,
                "status": v.status,
                "published_at": v.published_at.isoformat(),
                "published_by": v.published_by,
                "entry": v.log_index,
            }
            for v in versions(office.control)
        ]
        return doors.answer(request, {"versions": known, "drafts": [_plain(case) for case in waiting]})

    @app.get("/v1/lists/{version}", responses=documented(401, 403, 404, 503), openapi_extra=doors.KEYED)
    def one(request: Request, version: str) -> Response:
        """One version whole: `current`, `previous`, 8 or more digits of its digest, or the number of a draft."""
        doors.actor(request, *MEMBERS)
        list_ = _resolved(doors.office(request), version)
        return doors.answer(request, {"version": list_.version, "list": to_plain(list_)})

    @app.get(
        "/v1/lists/{old}/diff/{new}",
        response_model=DiffShape,
        responses=documented(401, 403, 404, 503),
        openapi_extra=doors.KEYED,
    )
    def diff(request: Request, old: str, new: str) -> Response:
        """What *new* changes in *old*, in an auditor's words."""
        doors.actor(request, *MEMBERS)
        office = doors.office(request)
        compared = compare(_resolved(office, old), _resolved(office, new))
        plain = {
            "old": compared.old_version,
            "new": compared.new_version,
            "counts": compared.counts(),
            "digest": compared.digest(),
            "changes": [change.to_plain() for change in compared.changes],
        }
        return doors.answer(request, plain)


def _add_submission(app: FastAPI) -> None:
    signed = app.state.signed_lists = Room(SIGNED_AT_ONCE)
    body = {"requestBody": {"required": True, "content": {name: {"schema": {"type": "string"}} for name in SUFFIXES}}}

    @app.post(
        "/v1/lists",
        response_model=DraftShape,
        status_code=201,
        responses=documented(400, 401, 403, 413, 415, 422, 503),
        openapi_extra={**doors.KEYED, **body},
    )
    async def submit(request: Request) -> Response:
        """Hand in a draft: the file itself as the body, at most 64 MiB. Its faults, if it has any, come all at once."""
        if not doors.is_signed(request):
            # The key first: nobody else's 64 MiB are read.
            await run_in_threadpool(doors.actor, request, Role.OFFICE)
            data, suffix = await _upload(request)
            return await doors.run(_submitted, request, data, suffix)
        # A signature says nothing before all that it covers is there, whoever sent it: a few at once, and soon.
        signed.enter()
        try:
            data, suffix = await _upload(request, SIGNED_WAIT_S)
            return await doors.run(_submitted, request, data, suffix)
        finally:
            signed.leave()


def _submitted(request: Request, data: bytes, suffix: str) -> Response:
    actor, office = doors.actor(request, Role.OFFICE), doors.office(request)
    name = f"list{suffix}"
    try:
        list_, findings = drafts.read(office, (data, suffix, name))
    except ListInvalidError as error:
        raise CaseInvalidError(
            [
                problem(fault.where, "list_fault", en=fault.text("en"), zh=fault.text("zh"))
                for fault in [fault for fault in error.faults if fault.severity == "error"][:MAX_PROBLEMS]
            ]
        ) from error
    except ListUnreadableError as error:
        raise CaseInvalidError([problem(name, "list_fault", en=error.text("en"), zh=error.text("zh"))]) from error
    case = drafts.submit(office, list_, actor=actor, file=name, findings=findings)
    return doors.answer(request, _plain(case), status=201, revision=case.revision)


async def _upload(request: Request, wait_s: float = UPLOAD_WAIT_S) -> tuple[bytes, str]:
    """The body and the suffix of its type; never more than the limit is kept."""
    media = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media not in SUFFIXES or "content-encoding" in request.headers:
        raise ListMediaTypeError(allowed=", ".join(SUFFIXES))
    try:
        data = await receive(request, MAX_UPLOAD_MIB << 20, wait_s)
    except RequestTooLargeError as error:
        raise ListTooLargeError(limit_mib=MAX_UPLOAD_MIB) from error
    if misfits(request, data):
        raise DigestMismatchError
    return data, SUFFIXES[media]


def _add_steps(app: FastAPI) -> None:
    steps: tuple[tuple[str, Callable[..., Any], tuple[Role, ...], str], ...] = (
        ("approve", drafts.approve, (Role.OFFICE,), "Find a draft right, as a second person."),
        ("return", drafts.send_back, (Role.OFFICE,), "Send a draft back for mending; `note` says what to mend."),
        ("object", drafts.object_to, (Role.REVIEW, Role.OFFICE), "Object, as a department that the draft touches."),
        ("withdraw", drafts.withdraw, (Role.OFFICE,), "Take a draft back."),
        ("resubmit", drafts.resubmit, (Role.OFFICE,), "Have the same list reviewed against the one in force now."),
        ("publish", publish_draft, (Role.OFFICE,), "Put an approved draft in force."),
    )
    for name, step, roles, text in steps:
        _add_step(app, name, step, roles, text)


def _add_step(app: FastAPI, name: str, step: Callable[..., Any], roles: tuple[Role, ...], text: str) -> None:
    takes_note = name not in ("resubmit", "publish")

    @app.post(
        f"/v1/lists/{{case}}:{name}",
        response_model=PublishedShape if name == "publish" else DraftShape,
        responses=documented(400, 401, 403, 404, 409, 415, 422, 503),
        openapi_extra={**doors.KEYED, "requestBody": {"content": {"application/json": {"schema": {"type": "object"}}}}},
        description=text,
        name=f"list_{name}",
    )
    async def taken(request: Request, case: str) -> Response:
        given = await doors.read_object(request)
        return await doors.run(act, request, case, given)

    def act(request: Request, case: str, given: dict[str, Any]) -> Response:
        actor = doors.actor(request, *roles)
        note = given.pop("note", "") if takes_note else ""
        if given or not isinstance(note, str):
            where = next(iter(given), "note")
            raise InvalidRequestError(
                where=str(where)[:40], why="only the text `note` is taken here", why_zh="此处只接受文本 `note`"
            )
        more = {"note": note} if takes_note else {}
        done = step(doors.office(request), case, actor=actor, revision=doors.if_match(request), **more)
        if name == "publish":
            plain = {"version": done.version, "entry": done.log_index, "already": done.already}
            return doors.answer(request, plain)
        return doors.answer(request, _plain(done), revision=done.revision)


class _CoreTables:
    """The workbook of the list in force, made once for each version: anyone may ask for it."""

    def __init__(self) -> None:
        self._making = threading.Lock()
        self._made: tuple[str, bytes] = ("", b"")

    def of(self, office: Office, list_: ResponsibilityList) -> bytes:
        with self._making:
            if self._made[0] != list_.version:
                self._made = (list_.version, exports.export(office, list_, "core", server_url=""))
            return self._made[1]


def _add_exports(app: FastAPI) -> None:
    tables = _CoreTables()

    @app.get(
        "/v1/exports/dcat.jsonld",
        responses=documented(503) | {200: {"content": {dcat.MEDIA_TYPE: {"schema": {"type": "object"}}}}},
        response_class=Response,
    )
    def catalogue(request: Request) -> Response:
        """The list in force as a DCAT 3 catalogue."""
        office, opened = doors.office(request), doors.service(request)
        plain = exports.dcat_of(office, current_list(office.settings, office.control), str(request.base_url))
        now = opened.evidence.clock()
        return reply(request, opened.signer, now, status=200, plain=plain, media_type=dcat.MEDIA_TYPE)

    @app.get(
        "/v1/exports/core-metadata.xlsx",
        responses=documented(503) | {200: {"content": {exports.FORMATS["core"].media_type: {}}}},
        response_class=Response,
    )
    def core(request: Request) -> Response:
        """The list in force as the core-metadata table (核心元数据), an Excel workbook."""
        office = doors.office(request)
        list_ = current_list(office.settings, office.control)
        data = tables.of(office, list_)
        headers = {
            "content-digest": content_digest(data),
            "content-disposition": f'attachment; filename="core-metadata-{list_.version[7:19]}.xlsx"',
            "x-content-type-options": "nosniff",
        }
        return Response(data, media_type=exports.FORMATS["core"].media_type, headers=headers)

    @app.get(
        "/v1/grants/{grant}/openapi.json", responses=documented(401, 403, 404, 422, 503), openapi_extra=doors.KEYED
    )
    def openapi(request: Request, grant: str) -> Response:
        """What a grant allows, as OpenAPI 3.1, for the department that holds it and the one that reviews it."""
        caller = doors.caller(request, Role.CALL, Role.APPLY, Role.REVIEW)
        actor, base = Actor(caller.department, caller.name), str(request.base_url)
        try:
            plain = exports.openapi_of(doors.office(request), grant, server_url=base, actor=actor, roles=caller.roles)
        except GrantUnknownError as error:
            raise NotFoundError from error
        return doors.answer(request, plain)


def _resolved(office: Office, reference: str) -> ResponsibilityList:
    try:
        return drafts.resolve(office, reference)
    except ListMissingError as error:
        raise NotFoundError from error


def _plain(case: Case) -> dict[str, Any]:
    return {
        "case": case.id,
        "revision": case.revision,
        "answerer": case.answerer,
        "due": case.due_at.isoformat() if case.due_at else None,
        **case.value,
    }
