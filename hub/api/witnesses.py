"""The log's witnesses over HTTP: who cosigns it, how far each has come, and the newest checkpoint with enough of them.

Asking them is `hub.witnesses.asking`'s; the thread that does lives as long as the application.
"""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from fastapi import Request, Response  # noqa: TC002 - the framework reads annotations
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field

from hub.api import doors
from hub.api.shapes import documented
from hub.witnesses import asking

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from fastapi import FastAPI


class WitnessShape(BaseModel):
    """One witness, by what is kept of it."""

    name: str
    key: str = Field(description="C2SP verifier key of its cosignatures")
    size: int | None = Field(description="how many entries its newest cosigned checkpoint covers")
    at: str | None = Field(description="when it cosigned that, as it says")


class WitnessesShape(BaseModel):
    """The witnesses that the deployment asks."""

    witnesses: list[WitnessShape]
    checkpoint: str | None = Field(description="the newest checkpoint that a quorum cosigned, a C2SP signed note")


def add_to(app: FastAPI) -> None:
    """Hang the route into *app*, and the thread that asks into its life."""
    _work_with(app)

    @app.get("/v1/witnesses", response_model=WitnessesShape, responses=documented(503))
    def shown(request: Request) -> Response:
        """Who cosigns the log, and the newest checkpoint that enough of them did; the published one may be newer."""
        settings = doors.service(request).settings
        found = [
            {"name": one.name, "key": one.key, "size": one.size, "at": one.at.isoformat() if one.at else None}
            for one in asking.standings(settings)
        ]
        plain = {"witnesses": found, "checkpoint": asking.witnessed(settings)}
        return JSONResponse(plain, headers={"cache-control": "no-cache"})


def _work_with(app: FastAPI) -> None:
    around = app.router.lifespan_context

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[Any]:
        async with around(app) as state:
            service = app.state.service
            asker = asking.Asker.over(service.settings, service.evidence, service.control)
            if asker is not None:
                asker.start()
            try:
                yield state
            finally:
                if asker is not None:
                    await run_in_threadpool(asker.stop)

    app.router.lifespan_context = lifespan
