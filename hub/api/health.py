"""Whether the process answers, whether it can answer calls, and what it has counted: what monitors and proxies ask."""

from __future__ import annotations

import os
import signal
import threading
from typing import TYPE_CHECKING, Any, Final

from fastapi import Request, Response
from fastapi.responses import JSONResponse, PlainTextResponse

from audit.errors import AuditError
from hub.api import schemas
from hub.api.doors import service
from hub.api.metrics import CONTENT_TYPE
from hub.api.shapes import documented
from hub.errors import EvidenceUnavailableError, NotFoundError, StorageFullHubError, TryAgainError
from hub.mergedelay import merge_delay

if TYPE_CHECKING:
    import asyncio
    from pathlib import Path
    from types import FrameType

    from fastapi import FastAPI

    from hub.settings import Settings

# What a proxy says of whom it asks for: then the peer is the proxy, and not who asks.
FORWARDED: Final = ("forwarded", "x-forwarded-for", "via")
# Some ten thousand calls' evidence: full is said while there is still time to send calls elsewhere.
LEAST_FREE_BYTES: Final = 16 * 1024 * 1024


class StoppingError(TryAgainError):
    """The process was told to stop; others answer."""

    code = "stopping"
    en = "This process is being stopped. Send calls elsewhere."
    zh = "本进程正在停止，请将调用发往其他节点。"


class Stopping:
    """Hears that the process is to stop (SIGTERM), says so for *wait_s* seconds, and then lets it.

    Meanwhile calls are answered: whoever sends them needs the time to learn that they are to go elsewhere.
    """

    def __init__(self, wait_s: float) -> None:
        self.heard = False
        self._wait_s = wait_s
        self._server: Any = None
        self._loop: asyncio.AbstractEventLoop | None = None

    def listen(self, loop: asyncio.AbstractEventLoop) -> None:
        """Hear it before the server of *loop* does; no other thread than the process's first is told of signals."""
        if threading.current_thread() is threading.main_thread():
            self._loop = loop
            self._server = signal.signal(signal.SIGTERM, self._hear)

    def leave(self) -> None:
        """Hear nothing any more."""
        if self._loop is not None:
            signal.signal(signal.SIGTERM, self._server)
            self._loop = None

    def _hear(self, number: int, frame: FrameType | None) -> None:
        first, self.heard = not self.heard, True
        if not callable(self._server):
            # Nobody else listens: end as whoever sent it expects.
            signal.signal(signal.SIGTERM, signal.SIG_DFL)
            signal.raise_signal(signal.SIGTERM)
        elif first and self._wait_s and self._loop is not None:
            self._loop.call_soon_threadsafe(self._loop.call_later, self._wait_s, self._server, number, None)
        else:
            self._server(number, frame)


def check_writable(settings: Settings) -> None:
    """Find out, without writing, whether evidence can be kept.

    Raises:
        StorageFullHubError: one of the disks is as good as full.
        EvidenceUnavailableError: one of the folders is gone, or cannot be written.
    """
    for folder in (settings.log, settings.bodies):
        if _free_bytes(folder) < LEAST_FREE_BYTES:
            raise StorageFullHubError


def _free_bytes(folder: Path) -> int:
    try:
        disk = os.statvfs(folder)
    except OSError as error:
        raise EvidenceUnavailableError from error
    if disk.f_flag & os.ST_RDONLY or not os.access(folder, os.W_OK):
        raise EvidenceUnavailableError
    return disk.f_bavail * disk.f_frsize


def add_to(app: FastAPI) -> None:
    """Add the addresses to *app*."""

    @app.get("/healthz", response_model=schemas.AliveShape)
    async def alive() -> Response:
        """Whether the process answers at all; restart it when it does not."""
        return JSONResponse({"status": "ok"})

    @app.get("/metrics", response_class=PlainTextResponse, responses=documented(404))
    def metrics(request: Request) -> Response:
        """Counts and times for Prometheus, told to this machine alone unless the deployment says otherwise."""
        opened, fast = service(request), request.app.state.fast
        peer = request.client.host if request.client else ""
        forwarded = any(name in request.headers for name in FORWARDED)
        if forwarded or not opened.settings.may_read_metrics(peer):
            raise NotFoundError
        delay = merge_delay(opened.evidence.log, opened.evidence.clock())
        text = fast.metrics.text(
            under_way=fast.room.taken, log_size=delay.size, published=delay.published, merge_delay_s=delay.waits_s
        )
        return Response(text, media_type=CONTENT_TYPE)

    @app.get("/readyz", response_model=schemas.HealthShape, responses=documented(503))
    def ready(request: Request) -> Response:
        """Whether calls can be answered: a list is published, control database and log answer, nobody stops us."""
        if request.app.state.stopping.heard:
            raise StoppingError
        opened = service(request)
        version = opened.standing.now().list.version
        check_writable(opened.settings)
        try:
            delay = merge_delay(opened.evidence.log, opened.evidence.clock())
        except (AuditError, OSError) as error:
            raise EvidenceUnavailableError from error
        # A publisher that stands still stops no call: entries are durable without it. It is an alert.
        return JSONResponse(
            {
                "status": "ok",
                "list_version": version,
                "log_size": delay.size,
                "log_published": delay.published,
                "merge_delay_s": round(delay.waits_s, 3),
            }
        )
