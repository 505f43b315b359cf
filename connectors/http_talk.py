"""Send a request to a service and bring back its body: paced, signed, bounded in size and time, tried again in measure.

Leaves what to ask and what the body means to ``http-json``, and who we are to `connectors.signing`.
"""

from __future__ import annotations

import json
import ssl
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING

import httpx

from connectors.errors import (
    ConnectorError,
    SourceDeniedError,
    SourceHostileError,
    SourceObjectMissingError,
    SourceShapeError,
    SourceUnavailableError,
)
from connectors.retry import Waiting, retry_after_s

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import datetime

    from connectors.pace import Bucket
    from connectors.signing import Credentials

    # Looks at status and headers, raising for what is no answer; None asks for one more try at once.
    Judge = Callable[[httpx.Response], "int | None"]

TOKEN_BYTES = 64 * 1024
# Text of records packs to a tenth or so; what packs a hundred times better and still fills a page was made to.
BOMB_RATIO = 100
RETRIED = frozenset({429, 500, 502, 503, 504})
UNAUTHORISED = 401
# httpx unpacks codings one inside the other without a bound; one alone unpacks a network read at a time.
CODINGS = frozenset({"", "identity", "gzip", "x-gzip", "deflate"})
# Refusals of a token request (RFC 6749 §5.2); what else an answer says is not repeated.
TOKEN_REFUSALS = frozenset(
    {
        "invalid_request",
        "invalid_client",
        "invalid_grant",
        "unauthorized_client",
        "unsupported_grant_type",
        "invalid_scope",
    }
)


@dataclass(frozen=True, slots=True)
class Reply:
    """The body, unpacked, and the ``Link`` header."""

    body: bytes
    link: str


@dataclass(slots=True)
class Talk:
    """One read's conversation with a service. Not to be shared between threads.

    *answer_s* bounds one answer from the request to its last byte, *wait_s* all waiting of the read. *began* is the
    service's own clock at its first answer, None where it does not tell.
    """

    client: httpx.Client
    credentials: Credentials
    waiting: Waiting
    rate: Bucket | None
    clock: Callable[[], float]
    answer_s: float
    wait_s: float
    began: datetime | None = None
    waited_s: float = field(default=0.0)

    def ask(self, make: Callable[[], httpx.Request], where: str, number: int, limit_bytes: int) -> Reply:
        """The answer to what *make* makes, anew for each try, since a signature holds for one.

        Raises:
            SourceUnavailableError: no answer after all tries, or it asks us to wait too long, or it is no JSON.
            SourceDeniedError, SourceObjectMissingError, SourceShapeError: it refuses.
            SourceHostileError: it unpacks as only a bomb does.
        """
        renewed = False

        def signed() -> httpx.Request:
            request = make()
            self.credentials.apply(request, self._exchange)
            return request

        def judge(response: httpx.Response) -> int | None:
            nonlocal renewed
            if response.status_code == UNAUTHORISED and not renewed and self.credentials.renew(response.request):
                # An access token may be withdrawn before its time; the second refusal is meant for us.
                renewed = True
                return None
            _check_status(response.status_code, where)
            content_type = response.headers.get("Content-Type", "").partition(";")[0].strip().lower()
            if not content_type.endswith("json"):
                raise SourceUnavailableError(problem="not_json", where=where, content_type=content_type or "—")
            if self.began is None:
                self.began = _date(response)
            return limit_bytes

        return self._tried(signed, judge, where, number)

    def _exchange(self, url: str, form: Mapping[str, str], headers: Mapping[str, str]) -> bytes:
        """An answer of the token endpoint. Its tries, pace and waiting count as those of any other request."""

        def make() -> httpx.Request:
            return self.client.build_request("POST", url, data=dict(form), headers=dict(headers))

        def judge(response: httpx.Response) -> int:
            if not httpx.codes.is_success(response.status_code):
                raise SourceDeniedError(
                    problem="token_refused",
                    where=url,
                    status=response.status_code,
                    reason=_refusal(self._body(response, url, 1, TOKEN_BYTES)),
                )
            return TOKEN_BYTES

        return self._tried(make, judge, url, 1).body

    def _tried(self, make: Callable[[], httpx.Request], judge: Judge, where: str, number: int) -> Reply:
        attempt = 1
        while True:
            request = make()
            if self.rate is not None:
                self.rate.take()
            wanted_s = None
            try:
                response = self.client.send(request, stream=True)
                try:
                    if response.status_code not in RETRIED:
                        limit_bytes = judge(response)
                        if limit_bytes is None:
                            continue
                        body = self._body(response, where, number, limit_bytes)
                        return Reply(body, response.headers.get("Link", ""))
                finally:
                    response.close()
                wanted_s = retry_after_s(response.headers.get("Retry-After"), response.headers.get("Date"))
                failure: ConnectorError = SourceUnavailableError(
                    problem="server_error", where=where, status=response.status_code, attempts=attempt
                )
            except (httpx.TransportError, httpx.DecodingError) as error:
                if _untrusted(error):
                    raise SourceDeniedError(problem="certificate", where=where) from None
                detail = type(error).__name__
                failure = SourceUnavailableError(problem="no_answer", where=where, attempts=attempt, detail=detail)
            # Never sooner than asked; otherwise growing steps.
            pause_s = max(wanted_s or 0.0, self.waiting.backoff_s(attempt))
            if wanted_s is not None and (wanted_s > self.waiting.most_s or self.waited_s + pause_s > self.wait_s):
                raise SourceUnavailableError(problem="throttled", where=where, retry_after_s=wanted_s)
            if attempt >= self.waiting.attempts or self.waited_s + pause_s > self.wait_s:
                raise failure
            self.waiting.sleep(pause_s)
            self.waited_s += pause_s
            attempt += 1

    def _body(self, response: httpx.Response, where: str, number: int, limit_bytes: int) -> bytes:
        coding = response.headers.get("Content-Encoding", "").strip().lower()
        if coding not in CODINGS:
            raise SourceHostileError(problem="content_coding", where=where)
        begun = self.clock()
        body = bytearray()
        for chunk in response.iter_bytes():
            body += chunk
            if len(body) > limit_bytes:
                if coding not in {"", "identity"} and len(body) > BOMB_RATIO * response.num_bytes_downloaded:
                    raise SourceHostileError(problem="archive_bomb", where=where, limit=f"{limit_bytes} B")
                raise SourceShapeError(problem="page_too_large", where=where, page=number, limit_bytes=limit_bytes)
            # A timeout holds for each step; a server that drips a byte at a time passes it for ever.
            if self.clock() - begun > self.answer_s:
                raise SourceUnavailableError(problem="too_slow", where=where, limit_s=self.answer_s)
        return bytes(body)


def _check_status(status: int, where: str) -> None:
    if status in {401, 403}:
        raise SourceDeniedError(problem="unauthorised", where=where, status=status)
    if status in {404, 410}:
        raise SourceObjectMissingError(problem="not_found", where=where, status=status)
    if httpx.codes.is_redirect(status):
        raise SourceDeniedError(problem="redirected", where=where, status=status)
    if not httpx.codes.is_success(status):
        raise SourceShapeError(problem="request_refused", where=where, status=status)


def _refusal(body: bytes) -> str:
    try:
        answer = json.loads(body)
    except (ValueError, RecursionError):
        return "—"
    reason = answer.get("error") if isinstance(answer, dict) else None
    return reason if isinstance(reason, str) and reason in TOKEN_REFUSALS else "—"


def _date(response: httpx.Response) -> datetime | None:
    try:
        date = parsedate_to_datetime(response.headers.get("Date", ""))
    except (TypeError, ValueError):
        return None
    return date if date.tzinfo else None


def _untrusted(error: BaseException | None) -> bool:
    """Whether a certificate that does not hold is what *error* comes from: no try mends that."""
    while error is not None:
        if isinstance(error, ssl.SSLCertVerificationError):
            return True
        error = error.__cause__ or error.__context__
    return False
