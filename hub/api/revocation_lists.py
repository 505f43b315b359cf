"""The revocation lists of the hub's authorities, for anyone; making them is `hub.authority.revocations`'s."""

from __future__ import annotations

import hashlib
import re
from typing import TYPE_CHECKING, Final

from fastapi import Request, Response
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field

from hub.api import doors
from hub.api.shapes import documented
from hub.authority.revocations import FOLDER, SUFFIX
from hub.errors import NotFoundError

if TYPE_CHECKING:
    from fastapi import FastAPI

MEDIA: Final = "application/pkix-crl"
# A newer list may be there at any time: whoever keeps one asks again, and is told in a few bytes that it is the same.
REVALIDATE: Final = "no-cache"
_NAME: Final = re.compile(r"[0-9a-f]{16}", re.ASCII)


class RevocationListsShape(BaseModel):
    """Where the revocation lists are."""

    revocation_lists: list[str] = Field(description="paths under this address, one for each authority")


def add_to(app: FastAPI) -> None:
    """Hang the routes into *app*."""

    @app.get("/v1/crl", response_model=RevocationListsShape, responses=documented(503))
    def lists(request: Request) -> Response:
        """Every revocation list there is, for verifiers that fetch all of them ahead."""
        folder = doors.service(request).settings.public / FOLDER
        names = sorted(path.stem for path in folder.glob(f"*{SUFFIX}") if _NAME.fullmatch(path.stem))
        plain = {"revocation_lists": [f"/v1/crl/{name}" for name in names]}
        return JSONResponse(plain, headers={"cache-control": REVALIDATE})

    @app.get(
        "/v1/crl/{name}",
        responses=documented(404, 503) | {200: {"content": {MEDIA: {}}}},
        response_class=Response,
    )
    def newest(request: Request, name: str) -> Response:
        """The newest revocation list of one authority (X.509, DER); `name` may end in `.crl`."""
        stem = name.removesuffix(SUFFIX)
        if not _NAME.fullmatch(stem):
            raise NotFoundError
        try:
            data = (doors.service(request).settings.public / FOLDER / f"{stem}{SUFFIX}").read_bytes()
        except FileNotFoundError as error:
            raise NotFoundError from error
        tag = f'"{hashlib.sha256(data).hexdigest()}"'
        headers = {"cache-control": REVALIDATE, "etag": tag, "x-content-type-options": "nosniff"}
        if tag in [one.strip().removeprefix("W/") for one in request.headers.get("if-none-match", "").split(",")]:
            return Response(status_code=304, headers=headers)
        return Response(data, media_type=MEDIA, headers=headers)
