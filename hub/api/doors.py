"""What every door of the office shares over HTTP: who acts, what was sent, and the signed answer with its revision.

What a step does is the use case's affair; problems are said by `hub.api.problems`.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from fastapi.concurrency import run_in_threadpool

from hub.actors import Actor
from hub.api.replies import bearer, read_body, reply
from hub.errors import InvalidRequestError, KeyRefusedError, RequestError, RoleMissingError
from hub.requests import read_json

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from fastapi import Request, Response

    from hub.actors import Role
    from hub.office import Office
    from hub.service import Service

# For the OpenAPI document: this address wants a caller key.
KEYED: dict[str, Any] = {"security": [{"callerKey": []}]}
_REVISION = re.compile(r'"([1-9][0-9]{0,17})"')


def service(request: Request) -> Service:
    """The opened parts behind this application."""
    found: Service = request.app.state.service
    return found


def office(request: Request) -> Office:
    """The use cases' wiring behind this application."""
    return service(request).office


def actor(request: Request, *roles: Role) -> Actor:
    """Who the caller key stands for: its department, and as the post its system's name.

    Raises:
        KeyRefusedError: no valid key.
        RoleMissingError: the key opens none of *roles*.
    """
    caller = service(request).standing.now().caller(bearer(request))
    if caller is None:
        raise KeyRefusedError
    if not set(roles) & set(caller.roles):
        raise RoleMissingError(role=" / ".join(roles))
    return Actor(caller.department, caller.name)


def if_match(request: Request) -> int | None:
    """The revision that the caller has seen (``If-Match: "3"``, RFC 9110 §13.1.1), or None.

    Raises:
        InvalidRequestError: the field has another form.
    """
    text = request.headers.get("if-match")
    if text is None:
        return None
    found = _REVISION.fullmatch(text.strip())
    if found is None:
        raise InvalidRequestError(
            where="If-Match", why='a revision in quotes is wanted, as in "3"', why_zh='应为带引号的修订号，例如 "3"'
        )
    return int(found[1])


async def read_object(request: Request) -> dict[str, Any]:
    """The JSON object in the body, read as strictly as a call's.

    Raises:
        RequestError: its bytes, size or type are not acceptable.
    """
    body = await read_body(request)
    if isinstance(body, RequestError):
        raise body
    return dict(read_json(body))


def answer(request: Request, plain: Mapping[str, Any], *, status: int = 200, revision: int | None = None) -> Response:
    """A signed JSON answer; *revision* becomes its ETag, to be given back with If-Match."""
    opened = service(request)
    headers = {} if revision is None else {"etag": f'"{revision}"'}
    return reply(request, opened.signer, opened.evidence.clock(), status=status, plain=plain, headers=headers)


async def run(function: Callable[..., Response], *arguments: Any) -> Response:  # noqa: ANN401 - passed on
    """Run a use case in a worker thread: it waits for disk and database."""
    return await run_in_threadpool(function, *arguments)
