"""What every request passes before it is answered: the way to the calls or to the framework, and what is said of it.

    1. how clients call the API is put right, where a proxy terminates TLS, and from where, where it says so
    2. an address that cannot be one is none
    3. a call goes to `hub.api.fast`, anything else to the framework
    4. the answer is told what its address is about to become (`hub.api.lifecycle`), and by what name to speak of it
    5. a fault of the program is told to the client and the operator, without what the program said of it
    6. the journal is told how it ended (`hub.api.journal`)

Calls take the shortest way where nothing is to be told of them.
"""

from __future__ import annotations

import logging
import traceback
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Protocol

from fastapi import FastAPI
from starlette.responses import Response

from hub.api import problems
from hub.api.fast import PREFIX, SANDBOX, door_of
from hub.api.journal import REQUEST_ID, SEEN, Seen
from hub.api.lifecycle import LIFECYCLE
from hub.errors import HubError
from hub.peers import SOURCE

if TYPE_CHECKING:
    from collections.abc import MutableMapping

    from starlette.types import Receive, Scope, Send

    from hub.api.fast import Door
    from hub.api.journal import Journal
    from hub.peers import Forwarders
    from hub.standing import KnownCaller

_logger = logging.getLogger(__name__)


class HubApp(FastAPI):
    """The framework's application, which calls pass by on their way to `hub.api.fast`.

    *api_scheme* is how clients call it, where a proxy terminates TLS and a plain request arrives; "": as it arrives.
    *forwarders* are believed about whom they ask for; None: nobody is. *journal* is who is told of requests; None:
    nobody. *pages* are for people, at all addresses that they own.
    """

    api_scheme = ""
    forwarders: Forwarders | None = None
    journal: Journal | None = None
    pages: Pages | None = None
    lifecycle = LIFECYCLE

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        if scope["type"] != "http":
            await super().__call__(scope, receive, send)
            return
        if self.api_scheme:  # step 1
            # A client may have signed the whole address (`@target-uri`), of which a proxy leaves everything but this.
            scope["scheme"] = self.api_scheme
        if self.forwarders is not None and scope.get("client"):
            scope[SOURCE] = self.forwarders.source(scope["client"][0], scope["headers"])
        door = door_of(scope)
        if door is not None and self.journal is None and not self.lifecycle.addresses:
            await self.state.fast.answer(door, scope, receive, send)
            return
        seen = None
        if self.journal is not None:
            seen = scope[SEEN] = Seen(scope["method"], scope["headers"], "" if door is None else door.name)
        sending = _Sending(self, scope, door, seen, send)
        try:
            if door is not None:  # step 3
                await self.state.fast.answer(door, scope, receive, sending)
            elif scope["path"].isprintable():
                await self._framework(scope, receive, sending)
            else:  # step 2
                # No address of ours holds what cannot be printed, and not everybody who reads a path can read that.
                await _plain(404, scope, receive, sending)
        finally:
            if self.journal is not None and seen is not None:  # step 6
                if door is None:
                    self._put_down(scope, seen)
                self.journal.ended(seen, sending.status)

    async def _framework(self, scope: Scope, receive: Receive, sending: _Sending) -> None:
        try:
            if self.pages is not None and self.pages.owns(scope["path"]):
                await self.pages(scope, receive, sending)
            else:
                await super().__call__(scope, receive, sending)
        except Exception as error:  # noqa: BLE001 - step 5: whatever it is, the client is told that nothing was done
            # Where, and of what kind; its text could quote the request.
            where = "".join(traceback.format_tb(error.__traceback__))
            _logger.error("a request ended in a fault of the program: %s\n%s", type(error).__name__, where)  # noqa: TRY400
            if not sending.status:
                await _plain(500, scope, receive, sending)

    def _put_down(self, scope: Scope, seen: Seen) -> None:
        """What is known of a request that was no call, in words that are not its own."""
        state = scope.get("state", {})
        pattern = _pattern(scope)
        # An address that there is not may be anything.
        seen.door = f"{seen.method} {pattern}" if pattern else "none"
        seen.problem = state.get("problem", "")
        caller: KnownCaller | None = state.get("caller")
        if caller is not None:
            seen.department, seen.client = caller.department, caller.id
        code = scope.get("path_params", {}).get("code", "")
        if code:
            with suppress(HubError):
                seen.resource = code if code in self.state.service.standing.latest().list.by_code else ""


class Pages(Protocol):
    """An application of pages beside the API."""

    def owns(self, path: str) -> bool:
        """Whether *path* is an address of theirs."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""


class _Sending:
    """Passes on what is sent, with what is told of every answer; knows what status was sent, 0 before."""

    __slots__ = ("_app", "_door", "_scope", "_seen", "_send", "status")

    def __init__(self, app: HubApp, scope: Scope, door: Door | None, seen: Seen | None, send: Send) -> None:
        self._app = app
        self._scope = scope
        self._door = door
        self._seen = seen
        self._send = send
        self.status = 0

    async def __call__(self, message: MutableMapping[str, Any]) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            more = self._more()
            if more:
                message["headers"] = [*message.get("headers", ()), *more]
        await self._send(message)

    def _more(self) -> list[tuple[bytes, bytes]]:  # step 4
        lifecycle, more = self._app.lifecycle, []
        if lifecycle.addresses or lifecycle.parameters:
            scope = self._scope
            pattern = _pattern(scope) if self._door is None else _pattern_of(self._door)
            more = lifecycle.fields(scope["method"], pattern, scope.get("query_string", b""))
        if self._seen is not None:
            more.append((REQUEST_ID, self._seen.id.encode()))
        return more


def _pattern(scope: Scope) -> str:
    """The pattern of the address that was found, as the OpenAPI document has it; "" for none."""
    return str(getattr(scope.get("route"), "path_format", ""))


def _pattern_of(door: Door) -> str:
    return f"{SANDBOX if door.sandbox else PREFIX}{{code}}:{door.action}"


async def _plain(status: int, scope: Scope, receive: Receive, send: _Sending) -> None:
    accept = next((value for name, value in scope["headers"] if name == b"accept-language"), b"")
    said = problems.encode(problems.plain_problem(status, problems.language(accept.decode("latin-1"))))
    await Response(said, status, media_type=problems.MEDIA_TYPE)(scope, receive, send)
