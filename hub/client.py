"""A small client of the data-invocation API that believes no answer whose signature does not hold.

Data frames and retries are left to whoever builds on it; the key to believe in is pinned by the caller.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, ClassVar, Self
from urllib.parse import quote

import httpx

from audit.entry import seal_body
from audit.errors import AuditError
from hub.errors import AnswerRefusedError, HubError
from hub.requests import parse_call
from hub.signatures import (
    AnswerVerifier,
    Component,
    Request,
    Response,
    SignatureInvalidError,
    check_digest,
    content_digest,
    verify,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from types import TracebackType

TIMEOUT_S = 30.0
TOLERANCE = timedelta(minutes=5)  # between the hub's clock and ours
RECEIPT = "zhengtong-receipt"
_RECEIPT = re.compile(r'entry=(0|[1-9][0-9]*), log="([^"]*)"')
_ALWAYS = (
    Component("@status"),
    Component("content-digest"),
    Component("content-type"),
    Component("@method", req=True),
    Component("@path", req=True),
)


class CallFailedError(HubError):
    """The hub answered, verifiably, that it does not answer; *problem* is what it said (RFC 9457)."""

    code: ClassVar[str] = "call_failed"
    en: ClassVar[str] = "{detail}"
    zh: ClassVar[str] = "{detail}"

    def __init__(self, status: int, problem: Mapping[str, Any]) -> None:
        self.status = status
        self.problem = problem
        self.problem_code = str(problem.get("code", ""))
        super().__init__(detail=str(problem.get("detail", "")))


class CallDeniedError(CallFailedError):
    """The decision was no: apply for a grant, or mend the purpose. *reasons* are its codes."""

    @property
    def reasons(self) -> tuple[str, ...]:
        """The codes of the decision's reasons."""
        return tuple(str(reason.get("code", "")) for reason in self.problem.get("reasons", ()))


class CallKeyRefusedError(CallFailedError):
    """The caller key is not valid: ask for a new one."""


class CallInvalidError(CallFailedError):
    """The request must be mended."""


class CallUnavailableError(CallFailedError):
    """Nothing was answered: try again after *retry_after_s* seconds."""

    retry_after_s: int = 0


class HubUnreachableError(HubError):
    """No answer at all came from the hub: see whether it runs, then try again."""

    code: ClassVar[str] = "hub_unreachable"
    en: ClassVar[str] = "`{url}` does not answer ({why}). See whether the hub is running, then try again."
    zh: ClassVar[str] = "`{url}` 没有应答（{why}）。请确认平台正在运行后重试。"


@dataclass(frozen=True, slots=True)
class Called:
    """A verified answer: its *plain* body, the *receipt* in it, and when the hub signed it."""

    plain: Mapping[str, Any]
    signed_at: datetime

    @property
    def records(self) -> Sequence[Mapping[str, Any]]:
        """The records of a query."""
        found: Sequence[Mapping[str, Any]] = self.plain["records"]
        return found

    @property
    def results(self) -> Mapping[str, str]:
        """The verdicts of a verification."""
        found: Mapping[str, str] = self.plain["results"]
        return found

    @property
    def receipt(self) -> Mapping[str, Any]:
        """Where the evidence stands; keep it."""
        found: Mapping[str, Any] = self.plain["receipt"]
        return found


class Client:
    """Calls one hub with one caller key; *verifier_key* is the hub's ``ed25519:…`` answer key. Use as a context.

    A client may be shared by threads. *http* lets a test or a proxy setup bring its own connection.
    """

    def __init__(
        self, base_url: str, key: str, verifier_key: str, *, lang: str = "zh", http: httpx.Client | None = None
    ) -> None:
        self._verifier = AnswerVerifier.from_text(verifier_key)
        self._key = key
        self._lang = lang
        self._base_url = base_url.rstrip("/")
        # No proxy from the environment: the key goes to the address that was given and nowhere else.
        self._http = http or httpx.Client(timeout=TIMEOUT_S, trust_env=False)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Close the connection."""
        self._http.close()

    def query(
        self,
        code: str,
        keys: Mapping[str, str],
        *,
        matter: str,
        fields: Sequence[str] | None = None,
        grant: str | None = None,
        **purpose: str,
    ) -> Called:
        """Look up the records of resource *code* that fit *keys*; *purpose* may add case, operator, replaces.

        Raises:
            CallFailedError: see its kinds. AnswerRefusedError: do not believe what came. HubUnreachableError.
        """
        body: dict[str, Any] = {"keys": dict(keys), "purpose": {"matter": matter, **purpose}}
        if fields:
            body["fields"] = list(fields)
        if grant:
            body["grant"] = grant
        return self._call("query", code, body)

    def verify(
        self,
        code: str,
        keys: Mapping[str, str],
        claims: Mapping[str, str | int | bool],
        *,
        matter: str,
        grant: str | None = None,
        **purpose: str,
    ) -> Called:
        """Ask whether *claims* hold for the record that fits *keys*. Raises as `query`."""
        body: dict[str, Any] = {
            "keys": dict(keys),
            "claims": dict(claims),
            "purpose": {"matter": matter, **purpose},
        }
        if grant:
            body["grant"] = grant
        return self._call("verify", code, body)

    def catalog(self) -> Iterator[Mapping[str, Any]]:
        """Every resource of the catalogue, page by page. Raises as `query`."""
        page = seen = 0
        total = 1
        while seen < total:
            page += 1
            plain = self._exchange("GET", f"/v1/catalog?page={page}&size=200", None).plain
            items, total = plain["items"], int(plain["total"])
            if not items and seen < total:
                raise AnswerRefusedError(why="the catalogue ends before its own total")
            seen += len(items)
            yield from items

    def resource(self, code: str) -> Mapping[str, Any]:
        """The metadata of one resource. Raises as `query`."""
        return self._exchange("GET", f"/v1/resources/{quote(code, safe='')}", None).plain

    def _call(self, action: str, code: str, body: Mapping[str, Any]) -> Called:
        called = self._exchange("POST", f"/v1/resources/{quote(code, safe='')}:{action}", body)
        receipt = called.plain.get("receipt", {})
        content = {name: value for name, value in called.plain.items() if name != "receipt"}
        asked = parse_call(action, body).plain()
        # The digests in the log are over what we asked and what we got: else the receipt would prove another call.
        for part, value in (("request", asked), ("answer", content)):
            try:
                sealed = seal_body(value, bytes.fromhex(str(receipt.get(f"{part}_salt", ""))))
            except (AuditError, ValueError) as error:
                raise AnswerRefusedError(why=f"the receipt does not open the {part}'s digest") from error
            if sealed != receipt.get(f"{part}_digest"):
                raise AnswerRefusedError(why=f"the receipt is about another {part}")
        return called

    def _exchange(self, method: str, path: str, body: Mapping[str, Any] | None) -> Called:
        headers = {"authorization": f"Bearer {self._key}", "accept-language": self._lang}
        content = b""
        if body is not None:
            content = json.dumps(body, ensure_ascii=False).encode()
            headers.update({"content-type": "application/json", "content-digest": content_digest(content)})
        try:
            got = self._http.request(method, self._base_url + path, content=content or None, headers=headers)
        except httpx.TransportError as error:
            raise HubUnreachableError(url=self._base_url, why=type(error).__name__) from error
        signed_at = self._check(got)
        try:
            plain = json.loads(got.content)
        except ValueError as error:
            raise AnswerRefusedError(why="it is no JSON") from error
        if got.status_code != httpx.codes.OK:
            raise _failure(got, plain)
        self._check_receipt(got, plain, needed=body is not None)
        return Called(plain, signed_at)

    def _check(self, got: httpx.Response) -> datetime:
        """Check the signature over the answer *and* the question it answers."""
        request = got.request
        raw_path = request.url.raw_path.split(b"?")[0].decode("ascii")
        asked = Request(request.method, raw_path, {n.lower(): v for n, v in request.headers.items()})
        answered = Response(got.status_code, {n.lower(): v for n, v in got.headers.items()}, asked)
        required = list(_ALWAYS)
        if "content-digest" in request.headers:
            required.append(Component("content-digest", req=True))
        if RECEIPT in got.headers:
            required.append(Component(RECEIPT))
        try:
            signed_at = verify(
                answered,
                verifiers=[self._verifier],
                required=required,
                now=datetime.now(UTC),
                tolerance=TOLERANCE,
            )
            check_digest(got.headers["content-digest"], got.content)
        except SignatureInvalidError as error:
            raise AnswerRefusedError(why=str(error.params["why"])) from error
        return signed_at

    @staticmethod
    def _check_receipt(got: httpx.Response, plain: Mapping[str, Any], *, needed: bool) -> None:
        field = _RECEIPT.fullmatch(got.headers.get(RECEIPT, ""))
        receipt = plain.get("receipt", {})
        if not needed:
            return
        if field is None or (int(field[1]), field[2]) != (receipt.get("entry"), receipt.get("log")):
            raise AnswerRefusedError(why="the receipt is missing, or its header and body differ")


def _failure(got: httpx.Response, plain: Any) -> CallFailedError:  # noqa: ANN401 - any JSON value
    problem = plain if isinstance(plain, dict) else {}
    status = got.status_code
    match status:
        case 401:
            return CallKeyRefusedError(status, problem)
        case 403:
            return CallDeniedError(status, problem)
        case 503 | 507:
            unavailable = CallUnavailableError(status, problem)
            after = got.headers.get("retry-after", "")
            unavailable.retry_after_s = int(after) if after.isdigit() else 0
            return unavailable
        case _ if 400 <= status < 500:  # noqa: PLR2004 - RFC 9110 §15.5
            return CallInvalidError(status, problem)
        case _:
            return CallFailedError(status, problem)
