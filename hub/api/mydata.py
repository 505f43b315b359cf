"""The person's view over HTTP, for systems that show it to the person themselves (我的数据被谁用过).

That it is the person who asks is for that system to have made sure of; its key bears the role for it. What is found is
`hub.mydata`'s. The person's number comes in the body and stands in no address.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fastapi import Request, Response  # noqa: TC002 - FastAPI reads annotations
from pydantic import BaseModel

from hub import mydata
from hub.actors import Role
from hub.api import doors, problems
from hub.api.bodyshapes import BodyShape
from hub.api.shapes import documented
from hub.auditsearch import Desk
from hub.errors import InvalidRequestError
from hub.requests import MAX_VALUE_CHARS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fastapi import FastAPI

MAX_KEYS = 3
_KEYS = {"type": "object", "additionalProperties": {"type": "string"}, "minProperties": 1, "maxProperties": MAX_KEYS}
_BODY_SHAPE = BodyShape(("keys",), special=(("keys", _KEYS),))
_BODY = {"requestBody": {"required": True, "content": {"application/json": {"schema": _BODY_SHAPE.schema()}}}}


class FieldShownShape(BaseModel):
    """A field that was shown; *masked*: not as it stands."""

    name: str
    masked: bool


class UseShape(BaseModel):
    """One use: when, what was done, by whom and which of its systems, what for; `text` says it in a sentence."""

    logtime: str
    action: str
    receiver: str
    receiver_system: str
    purpose: str
    resource: str
    fields: list[FieldShownShape]
    entry: int
    text: str


class MyDataShape(BaseModel):
    """The uses of a person's data, the newest first, and what is counted but not shown; `limits`: what is not found."""

    total: int
    hidden: int
    refused: int
    undecided: int
    uses: list[UseShape]
    limits: list[str]


def add_to(app: FastAPI) -> None:
    """Hang the route into *app*."""

    @app.post(
        "/v1/mydata",
        response_model=MyDataShape,
        responses=documented(400, 401, 403, 413, 415, 422, 503),
        openapi_extra={**doors.KEYED, **_BODY},
    )
    async def shown(request: Request) -> Response:
        """Who used the data of the person with these `keys` (`{"citizen_id": …}`), when and for what. Recorded."""
        return await doors.run(_shown, request, await doors.read_object(request))


def _shown(request: Request, body: Mapping[str, Any]) -> Response:
    actor = doors.actor(request, Role.PERSON)
    office = doors.office(request)
    desk = Desk.here(office.settings, office.evidence, actor)
    desk.cover()
    found = mydata.show(office, desk, _keys(body))
    return doors.answer(request, found.to_plain(problems.language(request.headers.get("accept-language"))))


def _keys(body: Mapping[str, Any]) -> dict[str, str]:
    keys = body.get("keys")
    if body.keys() != {"keys"} or not isinstance(keys, dict) or not 1 <= len(keys) <= MAX_KEYS:
        raise InvalidRequestError(
            where="keys",
            why=f"an object of 1 to {MAX_KEYS} look-up fields is wanted, and nothing else",
            why_zh=f"应为含 1 至 {MAX_KEYS} 个查询项的对象，且不含其他成员",
        )
    for value in keys.values():
        if not isinstance(value, str) or not 1 <= len(value.strip()) <= MAX_VALUE_CHARS:
            raise InvalidRequestError(where="keys", why="a value is no text, or empty", why_zh="查询项的值应为非空文本")
    return {str(name): value for name, value in keys.items()}
