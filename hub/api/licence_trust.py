"""What outside verifiers of licences fetch: status lists in both forms, their history with proofs, log entries.

To anyone, unsigned: everything here is signed or proved by itself. Which token counts is the verifier's part
(`licence.status`, `licence.verify`); the log's own files are served beside these.
"""

from __future__ import annotations

import hashlib
import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any, Final

import sqlalchemy as sa
from fastapi import FastAPI, Query, Request, Response
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field

from hub.api import doors, public
from hub.api.shapes import documented
from hub.control import StatusListRow
from hub.errors import NotFoundError
from hub.licensing.statuses import COMPACT, ENTRY, HISTORY, WALLET, status_uri
from hub.wallets.store import bound_entry
from licence.status import parse_status_token, token_digest
from licence.status.cwt import parse as parse_cwt
from licence.status.cwt import with_chain
from licence.status.history import StatusVersion, to_json

if TYPE_CHECKING:
    from pathlib import Path

    from hub.service import Service

JWT: Final = "application/statuslist+jwt"
CWT: Final = "application/statuslist+cwt"
# A version never changes; the newest is asked for anew, so that no cache adds to the minute in which a change shows.
IMMUTABLE: Final = "public, max-age=31536000, immutable"
REVALIDATE: Final = "no-cache"
VERSIONS_PER_PAGE: Final = 100
MAX_NUMBER: Final = 2**53
_DIGEST: Final = re.compile(r"sha256:[0-9a-f]{64}")
_TOKEN: Final[dict[int | str, dict[str, Any]]] = {
    200: {"content": {JWT: {}, CWT: {}}},
    304: {"description": "Not modified / 未更改"},
}
_Time = Annotated[int | None, Query(ge=0, le=MAX_NUMBER, description="of that second (POSIX), instead of now")]


class ListsShape(BaseModel):
    """Every status list, by its URI (Token Status List, aggregation)."""

    status_lists: list[str]


class VersionShape(BaseModel):
    """A published version of a list; *token* is the digest that the log has of its JWT form."""

    version: int
    issued_at: str
    valid_until: str
    token: str
    href: str


class VersionsShape(BaseModel):
    """Published versions, the newest first; *next* is the `before` of the next page, null on the last."""

    uri: str
    newest: int
    versions: list[VersionShape]
    next: int | None


class HistoryShape(BaseModel):
    """What proves a past status offline: the version that decides, and the entry of the one that followed it."""

    format: str
    uri: str
    versions: list[dict[str, str]]


class EvidenceShape(BaseModel):
    """The log entry of a wallet's credential, and the proof of it (C2SP tlog-proof)."""

    licence: str
    entry: str
    proof: str = Field(description="from the newest checkpoint")


def add_to(app: FastAPI) -> None:
    """Hang the routes into *app*."""
    _add_lists(app)
    _add_history(app)
    _add_evidence(app)


def _add_lists(app: FastAPI) -> None:
    @app.get("/v1/status", response_model=ListsShape, responses=documented(503))
    def lists(request: Request) -> Response:
        """Every status list there is, for verifiers that fetch all of them ahead."""
        with doors.service(request).control.reading() as connection:
            names = connection.execute(sa.select(StatusListRow.name).order_by(sa.func.length(StatusListRow.name)))
            found = [status_uri(name) for name in sorted(names.scalars(), key=lambda name: (len(name), name))]
        return JSONResponse({"status_lists": found}, headers={"cache-control": REVALIDATE})

    @app.get("/v1/status/{name}", responses=documented(404, 422, 503) | _TOKEN, response_class=Response)
    def newest(
        request: Request, name: str, time: _Time = None, *, chain: bool = False, wallet: bool = False
    ) -> Response:
        """A status list token, JWT or CWT by `Accept`; `time`: as it was then.

        A CWT only names its signer's certificate: `chain=true` gives it with its chain. It is of P-256 whatever the
        hub's suite; `wallet=true`: a JWT, too.
        """
        service = doors.service(request)
        path = public.status_file(service.settings.status, name)
        if time is not None:
            number = _number_at(service, name, time)
            return _token(request, _kept(service, name, number), IMMUTABLE, chain=chain, wallet=wallet)
        return _token(request, path, REVALIDATE, chain=chain, wallet=wallet)


def _add_history(app: FastAPI) -> None:
    @app.get("/v1/status/{name}/versions", response_model=VersionsShape, responses=documented(404, 422, 503))
    def versions(
        request: Request,
        name: str,
        before: Annotated[int | None, Query(ge=1, le=MAX_NUMBER)] = None,
        size: Annotated[int, Query(ge=1, le=VERSIONS_PER_PAGE)] = VERSIONS_PER_PAGE,
    ) -> Response:
        """The published versions of a list, the newest first."""
        service = doors.service(request)
        count = _count(service, name)
        last = min(count + 1, before or count + 1) - 1
        numbers = range(last, max(0, last - size), -1)
        found = [_version(service, name, number) for number in numbers if _kept(service, name, number).is_file()]
        following = last - size + 1
        plain = {
            "uri": status_uri(name),
            "newest": count,
            "versions": found,
            "next": following if following > 1 else None,
        }
        return JSONResponse(plain, headers={"cache-control": REVALIDATE})

    @app.get(
        "/v1/status/{name}/versions/{number}", responses=documented(404, 422, 503) | _TOKEN, response_class=Response
    )
    def version(request: Request, name: str, number: int, *, chain: bool = False, wallet: bool = False) -> Response:
        """One published version, as it was published: it never changes."""
        service = doors.service(request)
        if not 1 <= number <= _count(service, name):
            raise NotFoundError
        return _token(request, _kept(service, name, number), IMMUTABLE, chain=chain, wallet=wallet)

    @app.get("/v1/status/{name}/history", response_model=HistoryShape, responses=documented(404, 422, 503))
    def history(request: Request, name: str, time: Annotated[int, Query(ge=0, le=MAX_NUMBER)]) -> Response:
        """What proves offline what the list said at `time` (POSIX seconds): see `licence.status.history`."""
        _, proof = past_of(doors.service(request), name, time)
        return Response(proof, media_type="application/json", headers={"cache-control": REVALIDATE})


def past_of(service: Service, name: str, time: int) -> tuple[str, str]:
    """The token of the list *name* that held at *time* (POSIX), and the history that proves it.

    Raises:
        NotFoundError: there is no such list, or none of its versions held then.
    """
    number = _number_at(service, name, time)
    found = [_proved(service, name, number, whole=True)]
    if number < _count(service, name):
        found.append(_proved(service, name, number + 1, whole=False))
    return _text(_kept(service, name, number)), to_json(status_uri(name), found)


def _add_evidence(app: FastAPI) -> None:
    @app.get("/v1/wallet-credentials/{digest}", response_model=EvidenceShape, responses=documented(404, 503))
    def evidence(request: Request, digest: str) -> Response:
        """The log entry of a licence as a wallet holds it, by the digest of its issuer-signed JWT, with its proof."""
        service = doors.service(request)
        known = bound_entry(service.control, digest) if _DIGEST.fullmatch(digest) else None
        if known is None:
            raise NotFoundError
        licence, index = known
        service.evidence.publish_through(index)
        log = service.evidence.log
        plain = {"licence": licence, "entry": log.entry(index).decode(), "proof": log.prove(index).to_text()}
        return JSONResponse(plain, headers={"cache-control": REVALIDATE})


def _count(service: Service, name: str) -> int:
    """How many versions of the list were published; a file beyond it is one that a crash left unlogged."""
    public.status_file(service.settings.status, name)
    with service.control.reading() as connection:
        found = connection.execute(sa.select(StatusListRow.version).where(StatusListRow.name == name)).scalar()
    if found is None:
        raise NotFoundError
    return int(found)


def _kept(service: Service, name: str, number: int) -> Path:
    return service.settings.public / HISTORY / name / f"{number}.jwt"


def _number_at(service: Service, name: str, time: int) -> int:
    """The version that was the newest at *time*, and still held then; their times rise with their numbers.

    Raises:
        NotFoundError: there was none.
    """
    low, high = 0, _count(service, name)
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if _times(service, name, middle)[0] <= time else (low, middle - 1)
    if low == 0 or time >= _times(service, name, low)[1]:
        raise NotFoundError
    return low


def _times(service: Service, name: str, number: int) -> tuple[int, int]:
    token = parse_status_token(_text(_kept(service, name, number)))
    return token.issued_at, token.expires_at


def _version(service: Service, name: str, number: int) -> dict[str, Any]:
    text = _text(_kept(service, name, number))
    token = parse_status_token(text)
    return {
        "version": number,
        "issued_at": _iso(token.issued_at),
        "valid_until": _iso(token.expires_at),
        "token": token_digest(text),
        "href": f"/v1/status/{name}/versions/{number}",
    }


def _proved(service: Service, name: str, number: int, *, whole: bool) -> StatusVersion:
    path = _kept(service, name, number)
    index = int(_text(path.with_suffix(ENTRY)))
    service.evidence.publish_through(index)
    log = service.evidence.log
    return StatusVersion(log.entry(index), log.prove(index).to_text(), _text(path) if whole else None)


def _text(path: Path) -> str:
    try:
        return path.read_text("ascii")
    except FileNotFoundError as error:
        raise NotFoundError from error


def _token(request: Request, path: Path, cache: str, *, chain: bool, wallet: bool) -> Response:
    """The token at *path*, or its compact form beside it, where that is what the client would rather have."""
    compact = path.with_suffix(COMPACT)
    media = CWT if _prefers_compact(request.headers.get("accept", "")) and compact.is_file() else JWT
    readable = path.with_suffix(WALLET) if wallet and path.with_suffix(WALLET).is_file() else path
    data = compact.read_bytes() if media == CWT else _text(readable).encode()
    if media == CWT and chain:
        data = _with_chain(data, path)
    tag = f'"{token_digest(data).removeprefix("sha256:")}"'
    headers = {"cache-control": cache, "etag": tag, "vary": "accept", "x-content-type-options": "nosniff"}
    if tag in [one.strip().removeprefix("W/") for one in request.headers.get("if-none-match", "").split(",")]:
        return Response(status_code=304, headers=headers)
    return Response(data, media_type=media, headers=headers)


def _with_chain(data: bytes, path: Path) -> bytes:
    """The CWT with the chain that the JWT of the same signer beside it has."""
    signed, _ = parse_cwt(data)
    for one in (path.with_suffix(WALLET), path):
        brought = parse_status_token(_text(one)).chain if one.is_file() else ()
        if brought and hashlib.sha256(brought[0]).digest() == signed.x5t:
            return with_chain(data, brought)
    return data


def _prefers_compact(accept: str) -> bool:
    """Whether *accept* (RFC 9110 §12.5.1) names the CWT form, and not the JWT form before it."""
    weights = {JWT: 0.0, CWT: 0.0}
    for one in accept[:1000].split(","):
        media, *parameters = (part.strip().lower() for part in one.split(";"))
        if media in weights:
            weights[media] = _weight(parameters)
    return weights[CWT] > weights[JWT]


def _weight(parameters: list[str]) -> float:
    for parameter in parameters:
        found = re.fullmatch(r"q=([01](?:\.[0-9]{0,3})?)", parameter)
        if found is not None:
            return float(found[1])
    return 1.0


def _iso(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat()
