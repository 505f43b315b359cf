"""What may be looked up in the sandbox, told to anyone: the first thing that a newcomer's program needs.

Calls into the sandbox are answered by `hub.api.fast`; its rows are `hub.sandbox.samples`'.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from fastapi import Request, Response  # noqa: TC002 - FastAPI reads annotations
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field

from hub.api.problems import unnamed
from hub.api.shapes import documented
from hub.errors import ResourceUnknownError

if TYPE_CHECKING:
    from fastapi import FastAPI

    from hub.service import Service


class SampleKeysShape(BaseModel):
    """For each field to look up by, values that find a made-up row, as they stand in the `keys` of a call."""

    resource: str
    list_version: str = Field(description="until there is another, the rows stay as they are")
    keys: dict[str, list[str]]


def add_to(app: FastAPI) -> None:
    """Hang the route into *app*."""

    @app.get("/v1/sandbox/resources/{code:path}", response_model=SampleKeysShape, responses=documented(404, 503))
    def sample_keys(request: Request, code: str) -> Response:
        """Some values that can be looked up in the sandbox. They are nobody's."""
        service: Service = request.app.state.service
        list_ = service.standing.now().list
        resource = list_.by_code.get(code)
        if resource is None:
            raise ResourceUnknownError(resource=unnamed(code[:100]))
        keys = service.trial.rows(list_).sample_keys(resource)
        return JSONResponse({"resource": code, "list_version": list_.version, "keys": keys})
