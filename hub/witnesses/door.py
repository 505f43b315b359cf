"""A small witness for others' logs over HTTP (C2SP tlog-witness): `POST /add-checkpoint`, and its own key at `GET /`.

What is cosigned is `audit.witness`'s affair. TLS, and who may connect, is left to the proxy in front.
"""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Any, Final

import uvicorn

from audit.errors import AuditError, LogUnavailableError
from audit.notes import MAX_NOTE_BYTES
from audit.witness import Answer, Witness
from hub.api.serving import IDLE_S, Protocol

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, MutableMapping

BODY_WAIT_S: Final = 10.0
MAX_AT_ONCE: Final = 64
STOP_WAIT_S: Final = 10
_REFUSED: Final = frozenset({403, 404, 409, 422})

_logger = logging.getLogger(__name__)


class Door:
    """The ASGI application around one *witness*, whose public key, as text, is *key*."""

    def __init__(self, witness: Witness, key: str) -> None:
        self._witness = witness
        self._key = key

    async def __call__(
        self,
        scope: MutableMapping[str, Any],
        receive: Callable[[], Awaitable[MutableMapping[str, Any]]],
        send: Callable[[MutableMapping[str, Any]], Awaitable[None]],
    ) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            return
        allowed = {"/": "GET", "/add-checkpoint": "POST"}.get(scope["path"])
        if allowed is None:
            answer = Answer(404, "there is nothing here; POST to /add-checkpoint\n")
        elif scope["method"] != allowed:
            answer = Answer(405, f"use {allowed}\n")
        elif allowed == "GET":
            answer = Answer(200, f"{self._key}\n")
        else:
            answer = await self._add(receive)
        headers = [(b"content-type", answer.media_type.encode())]
        headers += {405: [(b"allow", str(allowed).encode())], 503: [(b"retry-after", b"10")]}.get(answer.status, [])
        content = answer.body.encode()
        headers.append((b"content-length", str(len(content)).encode()))
        await send({"type": "http.response.start", "status": answer.status, "headers": headers})
        await send({"type": "http.response.body", "body": content})

    async def _add(self, receive: Callable[[], Awaitable[MutableMapping[str, Any]]]) -> Answer:
        try:
            async with asyncio.timeout(BODY_WAIT_S):
                body = await _read(receive)
        except TimeoutError:
            return Answer(408, "the request did not come in time\n")
        if body is None:
            return Answer(413, f"a request has {MAX_NOTE_BYTES} bytes at most\n")
        try:
            answer = await asyncio.to_thread(self._witness.add_checkpoint, body)
        except LogUnavailableError as error:
            _logger.error("nothing is cosigned: %s", error)  # noqa: TRY400 - it says what to do
            return Answer(503, "nothing can be cosigned now; try again\n")
        except AuditError as error:
            # Not cosigned, rather than cosigned without knowing what was before.
            _logger.error("nothing is cosigned, a person must look: %s", error)  # noqa: TRY400 - it says what to do
            return Answer(500, "this witness is not in order\n")
        if answer.status in _REFUSED:
            _logger.warning("refused (%d): %s", answer.status, answer.body.strip())
        return answer


async def _read(receive: Callable[[], Awaitable[MutableMapping[str, Any]]]) -> bytes | None:
    """The body; None if it is too long, or the client left."""
    parts: list[bytes] = []
    more = True
    while more:
        message = await receive()
        if message["type"] != "http.request":
            return None
        parts.append(message.get("body", b""))
        if sum(map(len, parts)) > MAX_NOTE_BYTES:
            return None
        more = message.get("more_body", False)
    return b"".join(parts)


def run(door: Door, host: str, port: int) -> None:
    """Serve until told to stop."""
    uvicorn.run(
        door,
        host=host,
        port=port,
        http=Protocol,
        ws="none",
        lifespan="off",
        proxy_headers=False,
        server_header=False,
        access_log=False,
        log_level="warning",
        limit_concurrency=MAX_AT_ONCE,
        timeout_keep_alive=IDLE_S,
        timeout_graceful_shutdown=STOP_WAIT_S,
    )
