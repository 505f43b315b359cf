"""The doors of wallets over HTTP: OpenID4VCI issuing, OpenID4VP presentation, and what departments ask of both.

What wallets speak is theirs: bare JSON with `error` as the protocols have it, no signed answers, no problem details.
Departments' own doors, `/v1/wallet-offers` and `/v1/wallet-requests`, are like every other. What is done lies in
`hub.wallets`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from fastapi import Request, Response
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field

from hub.actors import Actor, Role
from hub.api import doors
from hub.api.bodyshapes import BodyShape
from hub.api.limits import Buckets
from hub.api.offices import wallets
from hub.api.replies import BODY_WAIT_S, receive
from hub.api.shapes import documented
from hub.errors import HubError, InvalidRequestError, RequestError
from hub.peers import source_of
from hub.requests import MAX_VALUE_CHARS
from hub.wallets.errors import WalletRequestUnknownError
from hub.wallets.requests import MAX_LICENCES, Wanted
from licence.errors import FormatError, WalletRefusedError
from licence.wallet.forms import MAX_FORM_BYTES
from licence.wallet.vci import MAX_REQUEST_BYTES
from licence.wallet.vp import MAX_CLAIMS, REQUEST_TYP

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from fastapi import FastAPI

    from hub.wallets.opening import Wallets

# Seconds' worth of requests that one address may ask for at once.
BURST_S: Final = 30
MAX_TOKEN_BYTES: Final = 8 * 1024
FORM: Final = "application/x-www-form-urlencoded"
_FRESH: Final = {"cache-control": "no-store"}
_TEXT: Final[dict[str, Any]] = {"type": "string"}
_OBJECT: Final[dict[str, Any]] = {"type": "object"}
_WANTED: Final[dict[str, Any]] = {
    "type": "array",
    "minItems": 1,
    "maxItems": MAX_LICENCES,
    "items": {
        "type": "object",
        "properties": {
            "kind": {**_TEXT, "description": "a kind's code"},
            "fields": {"type": "array", "items": _TEXT, "maxItems": MAX_CLAIMS, "description": "claims to be shown"},
        },
        "required": ["kind", "fields"],
        "additionalProperties": False,
    },
}
_OFFER_BODY: Final = BodyShape(
    ("licence",),
    ("holder",),
    special=(
        ("licence", {**_TEXT, "description": "the licence's identifier"}),
        ("holder", {**_TEXT, "description": "the holder's own number, by a channel that has identified the holder"}),
    ),
)
_ASK_BODY: Final = BodyShape(
    ("matter", "licences"), ("case",), special=(("licences", _WANTED), ("case", {**_TEXT, "description": "办件号"}))
)


class OfferShape(BaseModel):
    """An offer: the holder opens `link`, or scans `qr_svg`, with a wallet and enters `tx_code`, told by another way.

    `qr_svg` is empty where the hub was installed without `documents`.
    """

    link: str
    qr_svg: str
    tx_code: str
    kind: str
    expires_at: str


class AskedShape(BaseModel):
    """A request that waits: its number, and what the person opens or scans."""

    id: str
    link: str
    qr_svg: str
    expires_at: str


class ShownShape(BaseModel):
    """One licence that was presented: its verdict by steps, and the fields that were asked for."""

    query: str
    verdict: str
    sub_indication: str
    identifier: str
    holder_bound: bool
    fields: dict[str, str | bool]
    steps: list[dict[str, Any]]
    entry: int = Field(description="the log entry that says what was shown")


class CollectedShape(BaseModel):
    """What came of a request: `waiting`, `declined`, or `judged` with the verdict, which is given once."""

    state: str
    verdict: str | None = None
    answered_at: str | None = None
    licences: list[ShownShape]


class WalletErrorShape(BaseModel):
    """A refusal in the protocol's own words."""

    error: str
    error_description: str


def add_to(app: FastAPI) -> None:
    """Hang the routes into *app*."""
    per_s: int = app.state.wallet_calls_per_second
    rates = Buckets(BURST_S * per_s, per_s) if per_s else None
    _add_metadata(app, rates)
    _add_issuing(app, rates)
    _add_presenting(app, rates)
    _add_departments(app)


def _add_metadata(app: FastAPI, rates: Buckets | None) -> None:
    @app.get("/.well-known/openid-credential-issuer", response_model=dict[str, Any], responses=_refusals(429, 503))
    async def issuer(request: Request) -> Response:
        """Which licences wallets can be given here, and by which doors (OpenID4VCI 1.0 §12.2)."""
        return await _spoken(request, rates, lambda wallets: wallets.offers.metadata())

    @app.get("/.well-known/oauth-authorization-server", response_model=dict[str, Any], responses=_refusals(429, 503))
    async def server(request: Request) -> Response:
        """The authorisation server of the same (RFC 8414): pre-authorised codes alone."""
        return await _spoken(request, rates, lambda wallets: wallets.offers.issuer.authorization_server_metadata())


def _add_issuing(app: FastAPI, rates: Buckets | None) -> None:
    @app.post(
        "/wallet/token",
        response_model=dict[str, Any],
        responses=_refusals(400, 429, 503),
        openapi_extra=_takes(FORM, {"type": "object", "additionalProperties": _TEXT}),
    )
    async def token(request: Request) -> Response:
        """Redeem an offer's code, with its transaction code, for an access token (OpenID4VCI 1.0 §6)."""
        body = await _read(request, MAX_TOKEN_BYTES)
        return await _spoken(request, rates, lambda wallets: wallets.offers.token(_form(request, body)))

    @app.post("/wallet/nonce", response_model=dict[str, str], responses=_refusals(429, 503))
    async def nonce(request: Request) -> Response:
        """A fresh `c_nonce` for a key proof (OpenID4VCI 1.0 §7)."""
        return await _spoken(request, rates, lambda wallets: wallets.offers.nonce())

    @app.post(
        "/wallet/credential",
        response_model=dict[str, Any],
        responses=_refusals(400, 401, 429, 503),
        openapi_extra=_takes("application/json", _OBJECT),
    )
    async def credential(request: Request) -> Response:
        """The licence, bound to the key that the request proves (OpenID4VCI 1.0 §8)."""
        body = await _read(request, MAX_REQUEST_BYTES)
        authorization = request.headers.get("authorization", "")
        return await _spoken(
            request, rates, lambda wallets: wallets.offers.credential(authorization, _json(request, body))
        )


def _add_presenting(app: FastAPI, rates: Buckets | None) -> None:
    @app.get(
        "/wallet/requests/{id_}",
        responses=_refusals(404, 429, 503) | {200: {"content": {f"application/{REQUEST_TYP}": {}}}},
        response_class=Response,
    )
    async def asked(request: Request, id_: str) -> Response:
        """The signed request that a department made (OpenID4VP 1.0 §5, RFC 9101)."""
        return await _spoken(request, rates, lambda wallets: wallets.requests.request_object(id_))

    @app.post(
        "/wallet/responses/{id_}",
        response_model=dict[str, Any],
        responses=_refusals(400, 404, 429, 503),
        openapi_extra=_takes(FORM, {"type": "object", "additionalProperties": _TEXT}),
    )
    async def answered(request: Request, id_: str) -> Response:
        """The wallet's presentation, by `direct_post` (OpenID4VP 1.0 §8.2)."""
        body = await _read(request, MAX_FORM_BYTES)
        return await _spoken(request, rates, lambda wallets: wallets.requests.answer(id_, _form(request, body)))


def _add_departments(app: FastAPI) -> None:
    @app.post(
        "/v1/wallet-offers",
        response_model=OfferShape,
        responses=documented(400, 401, 403, 404, 413, 415, 422, 503),
        openapi_extra={**doors.KEYED, **_body(_OFFER_BODY)},
    )
    async def offer(request: Request) -> Response:
        """Offer a licence to its holder's wallet: by the issuing department, or by a channel that knows the holder."""
        return await doors.run(_offer, request, await doors.read_object(request))

    @app.post(
        "/v1/wallet-requests",
        response_model=AskedShape,
        responses=documented(400, 401, 403, 413, 415, 422, 503),
        openapi_extra={**doors.KEYED, **_body(_ASK_BODY)},
    )
    async def ask(request: Request) -> Response:
        """Ask a person's wallet for licences, for a matter of the department: the fields it needs and no more."""
        return await doors.run(_ask, request, await doors.read_object(request))

    @app.get(
        "/v1/wallet-requests/{id_}",
        response_model=CollectedShape,
        responses=documented(401, 403, 404, 413, 503),
        openapi_extra=doors.KEYED,
        dependencies=doors.READING,
    )
    def collect(request: Request, id_: str) -> Response:
        """What came of the department's request; the verdict and the fields are given once, and kept for minutes."""
        actor = doors.actor(request, Role.CALL)
        return doors.answer(request, wallets(request).requests.collect(id_, actor.department))


def _offer(request: Request, body: Mapping[str, Any]) -> Response:
    caller = doors.caller(request, Role.APPLY, Role.REVIEW, Role.PERSON)
    actor = Actor(caller.department, caller.name)
    _only(body, {"licence"}, {"holder"})
    identifier = _text(body, "licence", 200)
    offers = wallets(request).offers
    # An officer sees the papers at the counter; a channel for citizens says whom it has identified.
    if {Role.APPLY, Role.REVIEW} & set(caller.roles) and "holder" not in body:
        made = offers.offer(identifier, by=actor)
    else:
        doors.caller(request, Role.PERSON)
        made = offers.offer_to_holder(identifier, _text(body, "holder", MAX_VALUE_CHARS), by=actor)
    plain = {
        "link": made.link,
        "qr_svg": _picture(made.link),
        "tx_code": made.tx_code,
        "kind": made.kind,
        "expires_at": made.expires_at.isoformat(),
    }
    return doors.answer(request, plain, status=201)


def _ask(request: Request, body: Mapping[str, Any]) -> Response:
    actor = doors.actor(request, Role.CALL)
    _only(body, {"matter", "licences"}, {"case"})
    matter, case = _text(body, "matter", 100), _text(body, "case", 100) if "case" in body else ""
    list_ = doors.service(request).standing.now().list
    made = wallets(request).requests.ask(list_, _wanted(body["licences"]), matter=matter, by=actor, case=case)
    plain = {
        "id": made.id,
        "link": made.link,
        "qr_svg": _picture(made.link),
        "expires_at": made.expires_at.isoformat(),
    }
    return doors.answer(request, plain, status=201)


def _wanted(value: object) -> list[Wanted]:
    if not isinstance(value, list) or not 1 <= len(value) <= MAX_LICENCES:
        raise _invalid("licences", f"1 to {MAX_LICENCES} licences are wanted", f"应为 1 至 {MAX_LICENCES} 项证照")
    found = []
    for number, one in enumerate(value):
        where = f"licences[{number}]"
        if not isinstance(one, dict) or one.keys() != {"kind", "fields"}:
            raise _invalid(where, "`kind` and `fields` are wanted, and nothing else", "应仅含 kind 和 fields")
        fields = one["fields"]
        if not isinstance(fields, list) or len(fields) > MAX_CLAIMS or not all(_is_text(name, 64) for name in fields):
            raise _invalid(f"{where}.fields", "names of claims are wanted", "应为信息项名称")
        if len(set(fields)) != len(fields):
            raise _invalid(f"{where}.fields", "a name stands twice", "名称重复")
        found.append(Wanted(_text(one, "kind", 40), tuple(fields)))
    return found


async def _spoken(request: Request, rates: Buckets | None, say: Callable[[Wallets], object]) -> Response:
    """What *say* answers, or its refusal, as wallets understand it."""
    wait = rates.take(source_of(request.scope)) if rates is not None else 0
    if wait:
        late = {"retry-after": str(int(wait) + 1)}
        return _refused(429, "temporarily_unavailable", "Too many requests. Try again later.", late)
    try:
        said = await run_in_threadpool(lambda: say(wallets(request)))
    except WalletRefusedError as refusal:
        told = refusal.body()
        # RFC 6750 §3: whoever shows no good token is told how to show one.
        asks = {"www-authenticate": 'Bearer error="invalid_token"'} if refusal.status == 401 else {}  # noqa: PLR2004
        return _refused(refusal.status, told["error"], told["error_description"], asks)
    except (FormatError, HubError) as fault:
        return _refused(*_told(fault))
    if isinstance(said, str):
        return Response(said, media_type=f"application/{REQUEST_TYP}", headers=_FRESH)
    return JSONResponse(said or {}, headers=_FRESH)


def _told(fault: FormatError | HubError) -> tuple[int, str, str]:
    """Status, code and description of what went wrong outside of the protocols' own refusals."""
    if isinstance(fault, WalletRequestUnknownError):
        return 404, "invalid_request", "There is no such request, or it has ended."
    if isinstance(fault, FormatError | RequestError):
        return 400, "invalid_request", fault.text("en")
    return 503, "temporarily_unavailable", fault.text("en")


def _refused(status: int, error: str, description: str, headers: Mapping[str, str] | None = None) -> Response:
    # RFC 6749 §5.2: printable ASCII without quotation mark and backslash.
    plain = "".join(c for c in description if " " <= c <= "~" and c not in '"\\')
    return JSONResponse(
        {"error": error, "error_description": plain}, status_code=status, headers={**_FRESH, **(headers or {})}
    )


def _refusals(*statuses: int) -> dict[int | str, dict[str, Any]]:
    # An address that is none of these doors' is the framework's to refuse, in its own form.
    strange = documented(404)[404]["content"]
    return {
        status: {
            "model": WalletErrorShape,
            "description": "Refused / 拒绝",
            **({"content": strange} if status == 404 else {}),  # noqa: PLR2004
        }
        for status in statuses
    }


async def _read(request: Request, most_bytes: int) -> bytes | HubError:
    try:
        return await receive(request, most_bytes, BODY_WAIT_S)
    except HubError as error:
        return error


def _form(request: Request, body: bytes | HubError) -> bytes:
    if isinstance(body, HubError):
        raise body
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != FORM:
        raise WalletRefusedError("invalid_request", "vci_form_malformed")
    return body


def _json(request: Request, body: bytes | HubError) -> bytes:
    if isinstance(body, HubError):
        raise body
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
        raise WalletRefusedError("invalid_credential_request", "vci_request_malformed", part="content-type")
    return body


def _takes(media: str, schema: Mapping[str, Any]) -> dict[str, Any]:
    return {"requestBody": {"required": True, "content": {media: {"schema": dict(schema)}}}}


def _body(shape: BodyShape) -> dict[str, Any]:
    return _takes("application/json", shape.schema())


def _picture(link: str) -> str:
    try:
        from licence.qr.draw import qr_svg  # noqa: PLC0415 - of the extra `documents`, and slow to load
    except ImportError:
        return ""
    return qr_svg(link).decode()


def _only(body: Mapping[str, Any], required: set[str], optional: set[str]) -> None:
    if not required <= body.keys() <= required | optional:
        names = ", ".join(sorted(required | optional))
        raise _invalid(
            "body", f"of the members {names} the required ones and no others are wanted", f"成员应为 {names}"
        )


def _text(body: Mapping[str, Any], name: str, most: int) -> str:
    value = body.get(name)
    if not _is_text(value, most):
        raise _invalid(name, "a text is wanted, not empty and not too long", "应为非空且不过长的文本")
    return str(value).strip()


def _is_text(value: object, most: int) -> bool:
    return isinstance(value, str) and 0 < len(value.strip()) <= most and value.isprintable()


def _invalid(where: str, why: str, why_zh: str) -> InvalidRequestError:
    return InvalidRequestError(where=where, why=why, why_zh=why_zh)
