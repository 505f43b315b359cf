"""Corrections (校核纠错) and recalls (数据召回) over HTTP.

What a step does is `hub.corrections`' and `hub.recall`'s affair. Bodies may hold personal data: no problem quotes them.
"""

from __future__ import annotations

from datetime import date  # noqa: TC003 - the framework reads the parameters' types when it starts
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

from fastapi import Query, Request, Response
from pydantic import BaseModel, Field

from catalog.correction import Fault, Ground
from hub import corrections, recall
from hub.actors import Role
from hub.api import doors
from hub.api.bodies import MAX_CHARS, day, texts
from hub.api.bodyshapes import GROUNDS, NAMES, UPHELD, BodyShape
from hub.api.shapes import documented
from hub.corrections import Claim
from hub.errors import InvalidRequestError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fastapi import FastAPI

    from hub.cases import Case

CONSUMERS = (Role.CALL, Role.APPLY)
PROVIDERS = (Role.REVIEW, Role.OFFICE)
MAX_KEYS = 8
MAX_FIELDS = 500
# step: (its roles, members that must be there, members that may).
_STEPS: dict[str, tuple[tuple[Role, ...], tuple[str, ...], tuple[str, ...]]] = {
    "ask": (PROVIDERS, ("question",), ()),
    "supply": (CONSUMERS, ("reply",), ()),
    "accept": (PROVIDERS, ("mend_by",), ("answer",)),
    "reject": (PROVIDERS, ("ground", "answer"), ()),
    "mended": (PROVIDERS, ("where",), ()),
    "withdraw": (CONSUMERS, (), ()),
    "appeal": (CONSUMERS, ("why",), ()),
    "settle": ((Role.OFFICE,), ("outcome", "verdict"), ("mend_by",)),
    "recall": (PROVIDERS, (), ("since", "until", "note")),
}


class DisputedShape(BaseModel):
    """What is disputed; `key` names the record, in stored form, and is empty for the resource as such."""

    fault: Fault
    key: list[tuple[str, str]]
    fields: list[str]


class CorrectionShape(BaseModel):
    """A correction as one of its parties sees it; `allowed` are the steps it may take now."""

    id: str
    revision: int
    state: str
    consumer: str
    provider: str
    office: str
    resource: str
    list_version: str
    disputed: DisputedShape
    wrong: str
    right: str
    evidence: str
    entry: int = Field(description="log entry of the disputed answer; -1: none given")
    snapshot: str
    asked: str
    supplied: str
    answer: str
    ground: str
    mend_by: str
    mended: str
    checked: str = Field(description="what the table says to the mending: changed, unknown, or empty before it")
    appealed: str
    verdict: str
    opened_at: str
    due_at: str | None
    allowed: list[str]


class LineShape(BaseModel):
    """A correction in a list: nothing about a person."""

    id: str
    revision: int
    state: str
    resource: str
    fault: Fault
    fields: list[str]
    consumer: str
    answerer: str
    due_at: str | None


class CorrectionsShape(BaseModel):
    """The corrections that a department is a party to, the one whose clock ends first before the others."""

    total: int
    corrections: list[LineShape]


class RecipientShape(BaseModel):
    """A department that got what is wrong; of its log entries at most a hundred are listed."""

    department: str
    calls: int
    first: str | None
    last: str | None
    entries: list[int]
    undecided: list[int] = Field(description="entries of which it cannot be told any more")
    subscriber: bool


class RecipientsShape(BaseModel):
    """Who got what a correction says is wrong."""

    recipients: list[RecipientShape]


class RecallShape(BaseModel):
    """A recall; its provider and the office see every recipient and the record, a recipient its own part."""

    id: str
    revision: int
    state: str
    resource: str
    provider: str
    fields: list[str]
    since: str
    until: str
    correction: str
    recipients: list[RecipientShape]
    acknowledged: dict[str, dict[str, str]]
    key: list[tuple[str, str]] | None = None


class RecallsShape(BaseModel):
    """The recalls that concern a department, the newest first."""

    total: int
    recalls: list[RecallShape]


def add_to(app: FastAPI) -> None:
    """Hang the routes into *app*."""
    _add_reading(app)
    _add_steps(app)
    _add_recalls(app)


def _add_reading(app: FastAPI) -> None:
    @app.get(
        "/v1/corrections",
        response_model=CorrectionsShape,
        responses=documented(401, 403, 422, 503),
        openapi_extra=doors.KEYED,
    )
    def found(
        request: Request,
        *,
        state: Annotated[str | None, Query(max_length=30)] = None,
        resource: Annotated[str | None, Query(max_length=100)] = None,
        page: Annotated[int, Query(ge=1, le=10_000)] = 1,
        size: Annotated[int, Query(ge=1, le=500)] = 50,
    ) -> Response:
        """The corrections that the caller's department opened or has to answer; the office sees all."""
        actor = doors.actor(request, *CONSUMERS, *PROVIDERS)
        total, cases = corrections.find(
            doors.office(request),
            actor.department,
            state=state,
            resource=resource,
            limit=size,
            offset=(page - 1) * size,
        )
        return doors.answer(request, {"total": total, "corrections": [corrections.line(case) for case in cases]})

    @app.get(
        "/v1/corrections/{id_}",
        response_model=CorrectionShape,
        responses=documented(401, 403, 404, 503),
        openapi_extra=doors.KEYED,
    )
    def shown(request: Request, id_: str) -> Response:
        """A correction, for its consumer, its provider and the office."""
        actor = doors.actor(request, *CONSUMERS, *PROVIDERS)
        return _told(request, corrections.get(doors.office(request), id_, actor.department), actor.department)

    @app.get(
        "/v1/corrections/{id_}/recipients",
        response_model=RecipientsShape,
        responses=documented(401, 403, 404, 422, 503),
        openapi_extra=doors.KEYED,
    )
    def recipients(request: Request, id_: str, *, since: date | None = None, until: date | None = None) -> Response:
        """Who got what is wrong, from the log; the days are those of Shanghai. Reads the whole log."""
        actor, office = doors.actor(request, *PROVIDERS), doors.office(request)
        case = corrections.get(office, id_, actor.department)
        recall.may_recall(office, case.resource, actor)
        wrong = recall.of_correction(corrections.content(case))
        found = recall.recipients(office, wrong, *recall.period(since, until, office.now()))
        return doors.answer(request, {"recipients": [one.to_plain() for one in found]})


def _add_steps(app: FastAPI) -> None:
    @app.post(
        "/v1/corrections",
        response_model=CorrectionShape,
        status_code=201,
        responses=documented(400, 401, 403, 404, 413, 415, 422, 503),
        openapi_extra=doors.KEYED,
    )
    async def submit(request: Request) -> Response:
        """Dispute a record, fields of it, or a resource as such.

        `resource`, `fault` and `wrong` (what is wrong, in words); `key` (the record's whole primary key) or `entry`
        (the receipt's number, of an answer about one record); `fields`; `right`; `evidence`, without which a wrong
        value is not taken up.
        """
        return await doors.run(_submit, request, await doors.read_object(request))

    @app.post(
        "/v1/corrections/{id_}:{step}",
        response_model=CorrectionShape,
        responses=documented(400, 401, 403, 404, 409, 413, 415, 422, 503),
        openapi_extra=doors.KEYED,
    )
    async def act(request: Request, id_: str, step: str) -> Response:
        """Take a step; give the ETag you have seen with If-Match to be refused if the correction has changed.

        `ask` with `question`; `supply` with `reply`; `accept` with `mend_by`, `answer`; `reject` with `ground`,
        `answer`; `mended` with `where` (snapshot or load); `withdraw`; `appeal` with `why`; `settle` with `outcome`
        (`upheld`, `dismissed`), `verdict`, `mend_by`; `recall` with `since`, `until`, which answers with the recall.
        """
        return await doors.run(_act, request, id_, step, await doors.read_object(request))


def _add_recalls(app: FastAPI) -> None:
    @app.get(
        "/v1/recalls", response_model=RecallsShape, responses=documented(401, 403, 422, 503), openapi_extra=doors.KEYED
    )
    def found(
        request: Request,
        *,
        page: Annotated[int, Query(ge=1, le=10_000)] = 1,
        size: Annotated[int, Query(ge=1, le=500)] = 50,
    ) -> Response:
        """The recalls that the caller's department issued or was sent."""
        actor = doors.actor(request, *CONSUMERS, *PROVIDERS)
        total, rows = recall.find(doors.office(request), actor.department, limit=size, offset=(page - 1) * size)
        return doors.answer(request, {"total": total, "recalls": list(rows)})

    @app.post(
        "/v1/recalls",
        response_model=RecallShape,
        status_code=201,
        responses=documented(400, 401, 403, 404, 413, 415, 422, 503),
        openapi_extra=doors.KEYED,
    )
    async def issue(request: Request) -> Response:
        """Recall a record (`key`), `fields` or all of a `resource` without a correction, from `since` to `until`."""
        return await doors.run(_issue, request, await doors.read_object(request))

    @app.get(
        "/v1/recalls/{id_}",
        response_model=RecallShape,
        responses=documented(401, 403, 404, 503),
        openapi_extra=doors.KEYED,
    )
    def shown(request: Request, id_: str) -> Response:
        """A recall, for its provider, the office and its recipients."""
        actor = doors.actor(request, *CONSUMERS, *PROVIDERS)
        return _recalled(request, doors.office(request).cases.get(id_, recall.KIND), actor.department)

    @app.post(
        "/v1/recalls/{id_}:acknowledge",
        response_model=RecallShape,
        responses=documented(400, 401, 403, 404, 409, 413, 415, 422, 503),
        openapi_extra=doors.KEYED,
    )
    async def acknowledge(request: Request, id_: str) -> Response:
        """Say what was done (`done`) about wrong data that was received."""
        return await doors.run(_acknowledge, request, id_, await doors.read_object(request))


def _submit(request: Request, body: Mapping[str, Any]) -> Response:
    actor = doors.actor(request, *CONSUMERS)
    rest = {name: value for name, value in body.items() if name not in ("key", "fields", "entry")}
    given = texts(rest, ("resource", "fault", "wrong"), ("right", "evidence"))
    entry = body.get("entry", corrections.NO_ENTRY)
    if not isinstance(entry, int) or isinstance(entry, bool):
        raise InvalidRequestError(where="entry", why="a number is wanted", why_zh="应为数字")
    fault = _word(given.pop("fault"), Fault, "fault")
    claim = Claim(**given, fault=fault, key=_key(body), fields=_fields(body), entry=entry)
    case = corrections.submit(doors.office(request), claim, actor=actor)
    return _told(request, case, actor.department, status=201)


def _act(request: Request, id_: str, step: str, body: Mapping[str, Any]) -> Response:
    if step not in _STEPS:
        allowed = ", ".join(f"`{known}`" for known in _STEPS)
        raise InvalidRequestError(where="step", why=f"one of {allowed} is wanted", why_zh=f"应为：{allowed}")
    roles, required, optional = _STEPS[step]
    actor, office, revision = doors.actor(request, *roles), doors.office(request), doors.if_match(request)
    given = texts(body, required, optional)
    if step == "recall":
        period = recall.period(day(given, "since"), day(given, "until"), office.now())
        case = recall.issue_for(office, id_, actor=actor, since=period[0], until=period[1], note=given.get("note", ""))
        return _recalled(request, case, actor.department)
    words: dict[str, Any] = dict(given)
    if "mend_by" in words:
        words["mend_by"] = day(given, "mend_by", needed="mend_by" in required)
    if "ground" in words:
        words["ground"] = _word(given["ground"], Ground, "ground")
    if "outcome" in words:
        words["upheld"] = _upheld(words.pop("outcome"))
    case = getattr(corrections, step)(office, id_, actor=actor, revision=revision, **words)
    return _told(request, case, actor.department)


def _issue(request: Request, body: Mapping[str, Any]) -> Response:
    actor, office = doors.actor(request, *PROVIDERS), doors.office(request)
    rest = {name: value for name, value in body.items() if name not in ("key", "fields")}
    given = texts(rest, ("resource",), ("since", "until", "note"))
    wrong = corrections.wrong_of(office, given["resource"], _key(body), _fields(body))
    since, until = recall.period(day(given, "since"), day(given, "until"), office.now())
    case = recall.issue(office, wrong, actor=actor, since=since, until=until, note=given.get("note", ""))
    return _recalled(request, case, actor.department, status=201)


def _acknowledge(request: Request, id_: str, body: Mapping[str, Any]) -> Response:
    actor = doors.actor(request, *CONSUMERS, *PROVIDERS)
    done = texts(body, ("done",), ())["done"]
    case = recall.acknowledge(doors.office(request), id_, actor=actor, done=done, revision=doors.if_match(request))
    return _recalled(request, case, actor.department)


def _told(request: Request, case: Case, department: str, *, status: int = 200) -> Response:
    plain = corrections.view(case, department)
    return doors.answer(request, plain, status=status, revision=case.revision)


def _recalled(request: Request, case: Case, department: str, *, status: int = 200) -> Response:
    plain = recall.view(case, doors.office(request).list_.office, department)
    return doors.answer(request, plain, status=status, revision=case.revision)


def _key(body: Mapping[str, Any]) -> tuple[tuple[str, str], ...]:
    value = body.get("key", {})
    if not isinstance(value, dict) or len(value) > MAX_KEYS:
        raise InvalidRequestError(where="key", why="an object is wanted here", why_zh="此处应为对象")
    for text in value.values():
        if isinstance(text, bool) or not isinstance(text, str | int) or len(str(text)) > MAX_CHARS:
            raise InvalidRequestError(where="key", why="texts or integers are wanted", why_zh="值应为文本或整数")
    return tuple((name, str(text)) for name, text in value.items())


def _fields(body: Mapping[str, Any]) -> tuple[str, ...]:
    value = body.get("fields", [])
    if not isinstance(value, list) or len(value) > MAX_FIELDS or not all(isinstance(name, str) for name in value):
        raise InvalidRequestError(
            where="fields",
            why=f"a list of at most {MAX_FIELDS} names is wanted",
            why_zh=f"应为不超过 {MAX_FIELDS} 个名称的列表",
        )
    return tuple(value)


Word = TypeVar("Word", Fault, Ground)


def _word(text: str, kind: type[Word], where: str) -> Word:
    try:
        return kind(text)
    except ValueError as error:
        known = ", ".join(kind)
        raise InvalidRequestError(where=where, why=f"one of {known} is wanted", why_zh=f"应为 {known} 之一") from error


def _upheld(text: str) -> bool:
    if text not in ("upheld", "dismissed"):
        raise InvalidRequestError(
            where="outcome", why="`upheld` or `dismissed` is wanted", why_zh="应为 `upheld` 或 `dismissed`"
        )
    return text == "upheld"


BODIES = {
    "/v1/corrections": BodyShape(
        ("resource", "fault", "wrong"), ("key", "entry", "fields", "right", "evidence"), NAMES
    ),
    "/v1/recalls": BodyShape(("resource",), ("key", "fields", "since", "until", "note"), NAMES),
    "/v1/recalls/{id_}:acknowledge": BodyShape(("done",)),
}
BODY_STEPS = {
    "/v1/corrections/{id_}:{step}": {
        step: BodyShape(required, optional, special=(("ground", GROUNDS), ("outcome", UPHELD)))
        for step, (_, required, optional) in _STEPS.items()
    }
}
