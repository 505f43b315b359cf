"""Serves the API in one process or several: uvicorn with uvloop and httptools, and patience that has an end.

What a request may be once it has a head is `hub.api.gate`'s; here it is how long and how large the head may be, which
certificate its connection was made with, and what happens when the process is told to stop: no new requests, those that
have begun are answered, their evidence is kept, the log is published. A worker whose parent was killed tells itself to
stop.
"""

from __future__ import annotations

import gc
import multiprocessing
import os
import signal
import threading
from functools import partial
from typing import TYPE_CHECKING, Any, Final, cast

import uvicorn
from uvicorn.config import LOGGING_CONFIG
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from hub.api import journal, problems, publishing
from hub.api.app import create_app
from hub.api.fast import door_of
from hub.peers import SHOWN, shown_by
from hub.portal import app as portal
from hub.service import Service
from hub.settings import Settings

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable

    from hub.api.fast import Scope
    from hub.api.gate import HubApp
    from hub.api.tls import Tls

REQUEST_WAIT_S: Final = 20.0
MAX_HEAD_BYTES: Final = 64 * 1024
IDLE_S: Final = 15
STOP_WAIT_S: Final = 30
_HEAD_END: Final = b"\r\n\r\n"
_TOO_SLOW: Final = b"HTTP/1.1 408 Request Timeout\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
_TOO_LONG: Final = b"HTTP/1.1 431 Request Header Fields Too Large\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
_UNREADABLE: Final = (
    b"HTTP/1.1 400 Bad Request\r\ncontent-type: application/problem+json\r\ncontent-length: %d\r\n"
    b"connection: close\r\n\r\n%b"
)


class Protocol(HttpToolsProtocol):
    """uvicorn's, which waits for ever for a request that never ends, and takes a head of any size, with two bounds."""

    def __init__(self, *arguments: Any, **named: Any) -> None:  # noqa: ANN401 - handed on
        super().__init__(*arguments, **named)
        self._due: asyncio.TimerHandle | None = None
        self._in_head = True
        self._head_bytes = 0
        self._last = b""
        self._begun = False
        self._stopping = False
        self._certificate: str | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn's own
        """Give the first request its time."""
        super().connection_made(transport)
        self._certificate = shown_by(transport)
        self._expect()

    def connection_lost(self, exc: Exception | None) -> None:
        """Expect nothing any more."""
        self._is_there()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Take in what came, unless the head has become too long."""
        if self._in_head:
            # What follows the head in the same piece is its body, and may be longer.
            piece = self._last + data
            end = piece.find(_HEAD_END)
            self._head_bytes += len(data) if end < 0 else end + len(_HEAD_END) - len(self._last)
            self._last = piece[1 - len(_HEAD_END) :]
            if self._head_bytes > MAX_HEAD_BYTES:
                self._give_up(_TOO_LONG)
                return
        super().data_received(data)

    def on_message_begin(self) -> None:
        """Give a further request its time."""
        super().on_message_begin()
        self._begun = True
        if self._certificate is not None:
            cast("Scope", self.scope)[SHOWN] = self._certificate
        if self._due is None:
            self._expect()

    def on_headers_complete(self) -> None:
        """What comes now is its body, which is bounded by whoever reads it."""
        self._in_head = self._begun = False
        super().on_headers_complete()
        if self._stopping:
            self.cycle.keep_alive = False
        # Only a call's body is waited for here; who reads another has patience of its own, and for a list much of it.
        if door_of(cast("Scope", self.scope)) is None:
            self._is_there()

    def on_message_complete(self) -> None:
        """The request is there."""
        self._is_there()
        super().on_message_complete()

    def shutdown(self) -> None:
        """Close, once what has begun is answered: a request of which only a part is there has its time, as always."""
        if self._begun:
            self._stopping = True
        else:
            super().shutdown()

    def send_400_response(self, msg: str) -> None:
        """Say that this is no request, in the form of every problem; *msg* is uvicorn's for itself."""
        del msg
        said = problems.encode(problems.plain_problem(400, problems.language(None)))
        self.transport.write(_UNREADABLE % (len(said), said))
        self.transport.close()

    def _expect(self) -> None:
        self._in_head, self._head_bytes, self._last = True, 0, b""
        self._due = self.loop.call_later(REQUEST_WAIT_S, self._give_up, _TOO_SLOW)

    def _is_there(self) -> None:
        if self._due is not None:
            self._due.cancel()
            self._due = None

    def _give_up(self, answer: bytes) -> None:
        """Say why in a line, unless an answer is under way, and close."""
        if self.cycle is None or self.cycle.response_complete or not self.cycle.response_started:
            self.transport.write(answer)
        self.transport.close()


def application() -> HubApp:
    """The API of the deployment that the environment describes: what each worker process builds for itself."""
    settings = Settings.from_environment()
    journal.speak(settings)
    _end_with_parent()
    app = create_app(settings, open_service=partial(Service.open, patience=publishing.PATIENCE))
    portal.add_to(app, secure=settings.api_scheme == "https", rates=settings.calls_per_second > 0)
    # What was imported and built by now stays: no collection has to look through it again.
    gc.collect()
    gc.freeze()
    return app


def _end_with_parent() -> None:
    """Tell this worker to stop when its parent is gone: nobody else would, and its port could not be used again."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        threading.Thread(target=_outlive, args=(parent.join,), name="parent", daemon=True).start()


def _outlive(ended: Callable[[], None]) -> None:
    ended()
    os.kill(os.getpid(), signal.SIGTERM)


def run(host: str, port: int, *, workers: int = 1, tls: Tls | None = None) -> None:
    """Serve until told to stop. With several *workers* each is a process of its own on the same port.

    *tls*: speak TLS, and know clients by their certificates; None: plain HTTP.

    Raises:
        LogSettingsError
    """
    settings = Settings.from_environment()
    journal.check(settings)
    journal.speak(settings)
    publishing.start()
    uvicorn.run(
        "hub.api.serving:application",
        factory=True,
        host=host,
        port=port,
        workers=workers,
        loop="uvloop",
        # By name: a worker answers its parent only when all it was handed is imported, and after five seconds without
        # an answer it is killed as hung. On a busy machine no worker would live to have imported all of this.
        http="hub.api.serving:Protocol",
        ws="none",
        log_level="warning",
        log_config=None if settings.log_format == journal.JSON else LOGGING_CONFIG,
        access_log=False,
        server_header=False,
        # Who calls is the peer. What a proxy says of others is believed by `hub.peers` alone, and of named proxies.
        proxy_headers=False,
        timeout_keep_alive=IDLE_S,
        timeout_graceful_shutdown=STOP_WAIT_S,
        **({} if tls is None else tls.options()),
    )
