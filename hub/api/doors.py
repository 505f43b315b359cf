"""What every door of the office shares over HTTP: who acts, what was sent, and the signed answer with its revision.

Who calls is asked after the body was read, because a signature covers it: `read_object`, `hub.api.replies.read_body` or
the dependency `reading` first, then `caller` or `actor`. A door that reads no body refuses one that was signed.

What a step does is the use case's affair; problems are said by `hub.api.problems`.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

from fastapi import Depends, Request
from fastapi.concurrency import run_in_threadpool

from hub.actors import Actor
from hub.api.fast import Proof
from hub.api.replies import BODY_WAIT_S, read_body, receive, received, reply
from hub.authentication import Presented
from hub.errors import InvalidRequestError, KeyRefusedError, RequestError, RoleMissingError
from hub.requests import MAX_BODY_BYTES, read_json
from hub.signing import hmac_profile

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from fastapi import Response

    from hub.actors import Role
    from hub.office import Office
    from hub.peers import Proxies
    from hub.service import Service
    from hub.standing import KnownCaller

# For the OpenAPI document: this address wants a caller key.
KEYED: dict[str, Any] = {"security": [{"callerKey": []}]}
_SIGNED: Final = "signature-input"
# The fields by which a request says who sends it.
_SAYS_WHO: Final = frozenset({_SIGNED, "signature", "authorization", *hmac_profile.FIELDS})
_REVISION = re.compile(r'"([1-9][0-9]{0,17})"')


def service(request: Request) -> Service:
    """The opened parts behind this application."""
    found: Service = request.app.state.service
    return found


def office(request: Request) -> Office:
    """The use cases' wiring behind this application."""
    return service(request).office


async def reading(request: Request) -> None:
    """The dependency of a door that takes no body but lets one be signed: it is read, and means nothing."""
    await receive(request, MAX_BODY_BYTES, BODY_WAIT_S)


READING: Final = [Depends(reading)]


def proof(request: Request) -> Proof:
    """Whatever *request* shows to say who sends it, over the body that was read of it. One for each request.

    Raises:
        RequestTooLargeError: it is signed, and longer than was read.
        CertificateError: a proxy says of the client's certificate what cannot be read.
    """
    made: Proof | None = getattr(request.state, "proof", None)
    if made is None:
        body = received(request)
        if isinstance(body, RequestError) and is_signed(request):
            raise body
        content = b"" if isinstance(body, RequestError) else body
        # One for each request: whoever asks twice within it has not replayed it.
        made = request.state.proof = Proof(service(request).authenticator, request.scope, content, _proxies(request))
    return made


def shows_any(request: Request) -> bool:
    """Whether *request* says at all who sends it, right or wrong."""
    presented = Presented.from_scope(request.scope, _proxies(request))
    return presented.certificate is not None or any(name in _SAYS_WHO for name, _ in presented.headers)


def is_signed(request: Request) -> bool:
    """Whether *request* says that it is signed: who sends it is known once its body is there."""
    return _SIGNED in request.headers


def _proxies(request: Request) -> Proxies | None:
    found: Proxies | None = request.app.state.fast.proxies
    return found


def known(request: Request) -> KnownCaller:
    """Who calls, by signature, certificate, a gateway's fields or a bearer key.

    Raises:
        KeyRefusedError: nobody who is known, or a credential that opens the sandbox alone; its kinds say more.
        TryAgainError: it cannot be told now.
    """
    opened = service(request)
    # The state is read before the clock: what was revoked before this call is then never taken for still in force.
    view = opened.standing.now()
    found = proof(request)(view, opened.evidence.clock())
    request.state.caller = found  # for the journal
    if found.sandbox:
        raise KeyRefusedError
    return found


def caller(request: Request, *roles: Role) -> KnownCaller:
    """Who calls, let in by one of *roles*.

    Raises:
        KeyRefusedError, TryAgainError: as `known`.
        RoleMissingError: the caller has none of *roles*.
    """
    found = known(request)
    if not set(roles) & set(found.roles):
        raise RoleMissingError(role=" / ".join(roles))
    return found


def actor(request: Request, *roles: Role) -> Actor:
    """Whom the caller stands for: its department, and as the post its system's name. Raises: as `caller`."""
    found = caller(request, *roles)
    return Actor(found.department, found.name)


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
    plain = read_json(body)
    if not isinstance(plain, dict):
        raise InvalidRequestError(where="body", why="an object is wanted here", why_zh="此处应为对象")
    return plain


def answer(request: Request, plain: Mapping[str, Any], *, status: int = 200, revision: int | None = None) -> Response:
    """A signed JSON answer; *revision* becomes its ETag, to be given back with If-Match."""
    opened = service(request)
    headers = {} if revision is None else {"etag": f'"{revision}"'}
    return reply(request, opened.signer, opened.evidence.clock(), status=status, plain=plain, headers=headers)


async def run(function: Callable[..., Response], *arguments: Any) -> Response:  # noqa: ANN401 - passed on
    """Run a use case in a worker thread: it waits for disk and database."""
    return await run_in_threadpool(function, *arguments)
