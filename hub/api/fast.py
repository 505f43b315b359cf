"""Answers calls before the framework sees them: bytes in, bytes out, on the event loop, with as little as they need.

What a call comes to is `hub.invocation`'s and when its evidence is durable `hub.committing`'s. This module reads the
request, keeps the process from being overrun, lets the caller's first call warm up in a worker thread, and writes the
answer. Everything that is not a call goes to the framework (`hub.api.app`).
"""

from __future__ import annotations

import asyncio
import logging
import re
import traceback
from contextlib import suppress
from dataclasses import dataclass, field
from operator import sub
from time import perf_counter_ns
from typing import TYPE_CHECKING, Any, Final

from fastapi import Request as HttpRequest
from fastapi import Response as HttpResponse
from fastapi.concurrency import run_in_threadpool

from hub.answers import QUERY, VERIFY
from hub.api import problems
from hub.api.journal import SEEN
from hub.api.limits import STRANGER_BURST, STRANGER_PER_S, Buckets, Room, check_rate
from hub.api.metrics import STAGES
from hub.api.replies import COVERED, COVERED_RECEIPT, COVERED_REQUEST_BODY, JSON, RECEIPT, receipt_field, refuse
from hub.authentication import OTHER_PROOFS, Presented
from hub.committing import Committer
from hub.control import Generations
from hub.errors import (
    BodyTooSlowError,
    DigestMismatchError,
    HubError,
    KeyRefusedError,
    MediaTypeError,
    RequestError,
    RequestTooLargeError,
    TooFastError,
    TryAgainError,
)
from hub.invocation import RefusedError, WaitsError
from hub.peers import SHOWN, source_of
from hub.recording import outcome_of
from hub.requests import MAX_BODY_BYTES
from hub.signatures import Request, Response, SignatureInvalidError, check_digest, content_digest

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, MutableMapping
    from datetime import datetime

    from hub.api.metrics import Metrics
    from hub.authentication import Authenticator
    from hub.invocation import Allowance, Answer, Prepared
    from hub.peers import Proxies
    from hub.receipts import Receipt
    from hub.service import Service
    from hub.standing import KnownCaller, View

    Scope = MutableMapping[str, Any]
    Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
    Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

PREFIX: Final = "/v1/resources/"
SANDBOX: Final = "/v1/sandbox/resources/"
_KEY_ID: Final = re.compile(rb'keyid="([^"]{1,100})"')
_SHOWN_BYTES: Final = 200
_TICK_S: Final = 1.0
BODY_WAIT_S: Final = 10.0
# A longer body is a call about many: it is answered beside the loop, which goes on answering others.
LONG_BODY_BYTES: Final = 4096
# Prepared anew when grants change meanwhile; who changes them without pause must not keep a call from its end.
ATTEMPTS: Final = 5
_OTHER_PROOFS: Final = frozenset(name.encode() for name in OTHER_PROOFS)
_JSON_TYPES: Final = frozenset({b"application/json", b"application/json;charset=utf-8"})
_TIMING: Final = ", ".join(f"{name};dur=%.3f" for name in STAGES).encode()
_logger = logging.getLogger(__name__)


@dataclass(slots=True)
class Fast:
    """The calls of one process. `start` it on the loop that serves."""

    service: Service
    metrics: Metrics
    room: Room
    rates: Buckets | None
    proxies: Proxies | None = None
    strangers: Buckets = field(default_factory=lambda: Buckets(STRANGER_BURST, STRANGER_PER_S))
    committer: Committer | None = None
    _generations: Generations | None = None
    _ticking: asyncio.TimerHandle | None = None
    _warm: set[tuple[object, ...]] = field(default_factory=set)
    _warm_at: int = -1

    def start(self) -> None:
        """Begin to answer calls; to be called on the event loop."""
        service, self._generations = self.service, Generations(self.service.control)
        self.committer = Committer(
            asyncio.get_running_loop(), service.invocation.keep, self._generations, service.invocation.settle
        )

        self._tick()

    def _tick(self) -> None:
        """Hand the numbers on, so that whoever reads the metrics in another process has them too."""
        self.metrics.flush()
        self._ticking = asyncio.get_running_loop().call_later(_TICK_S, self._tick)

    def stop(self) -> None:
        """Answer no more: what was under way has been answered by now."""
        self.committer = None
        if self._ticking is not None:
            self._ticking.cancel()
        self.metrics.flush()
        if self._generations is not None:
            self._generations.close()

    async def answer(self, door: Door, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer the call at *door* that *scope* begins."""
        began = perf_counter_ns()
        fields = _fields(scope["headers"])
        outcome = "fault"
        problem = "internal"
        receipt: Receipt | None = None
        stages: tuple[int, ...] = ()
        seen = scope.get(SEEN)
        try:
            self.room.enter()
        except TryAgainError as error:
            self.metrics.turned_away(error.code)
            if seen is not None:
                seen.call(outcome_of(error), error.code, None)
            await self._refuse(scope, receive, send, error)
            return
        try:
            answer = await self._call(door, fields, scope, receive)
            outcome, problem, receipt = "answered", "", answer.receipt
            stages = _stages(answer.prepared, perf_counter_ns())
            await self._send(scope, fields, answer, stages, send)
        except (HubError, RefusedError) as error:
            cause = error.cause if isinstance(error, RefusedError) else error
            outcome, problem = outcome_of(cause), cause.code
            receipt = error.receipt if isinstance(error, RefusedError) else None
            await self._refuse(scope, receive, send, error)
        except Exception as error:  # noqa: BLE001 - whatever it is, the caller is told that nothing was answered
            # Where, and of what kind; its text could quote the call.
            where = "".join(traceback.format_tb(error.__traceback__))
            _logger.error("a call ended in a fault of the program: %s\n%s", type(error).__name__, where)  # noqa: TRY400
            lang = problems.language(fields.get(b"accept-language", b"").decode("latin-1"))
            said = problems.encode(problems.plain_problem(500, lang))
            await HttpResponse(said, 500, media_type=problems.MEDIA_TYPE)(scope, receive, send)
        finally:
            self.room.leave()
            self.metrics.answered(door.name, outcome, (perf_counter_ns() - began) / 1e9)
            self.metrics.spent(stages)
            if seen is not None:
                seen.call(outcome, problem, receipt, stages)

    async def _call(self, door: Door, fields: dict[bytes, bytes], scope: Scope, receive: Receive) -> Answer:
        """One call, from its body to its receipt. Raises: as `Invocation.call`, TooFastError, BodyTooSlowError."""
        body = await _read(fields, receive)
        service, committer = self.service, self.committer
        if committer is None:
            raise TryAgainError
        whose = _whose(fields, scope)
        check_rate(self.rates, whose)
        peer = source_of(scope)
        wait = self.strangers.wait_s(peer)
        opens = Proof(
            service.authenticator, scope, b"" if isinstance(body, RequestError) else body, self.proxies, _bearer(fields)
        )
        if door.sandbox:
            return await run_in_threadpool(service.trial.call, door.action, opens, door.code, body)
        name = fields.get(b"idempotency-key")
        if name is not None:
            return await self._named(door, opens, body, name.decode("latin-1"), peer)
        invocation = service.invocation
        view = service.standing.latest()
        for _ in range(ATTEMPTS):
            prepared = await self._prepared(whose, door, opens, body, view)
            if isinstance(prepared.error, KeyRefusedError):
                if wait:
                    self.metrics.turned_away("too_fast")
                    raise TooFastError(wait)
                self.strangers.take(peer)
            promised = await committer.submit(prepared)
            if promised is not None:
                return invocation.finish(prepared, promised)
            view = await run_in_threadpool(service.standing.now)
        raise TryAgainError

    async def _named(self, door: Door, opens: Proof, body: bytes | RequestError, name: str, peer: str) -> Answer:
        """A call that its caller gave a *name*; strangers are bounded as with any other."""
        service, wait = self.service, self.strangers.wait_s(peer)
        try:
            if wait:
                view = await run_in_threadpool(service.standing.now)
                await run_in_threadpool(opens, view, service.evidence.clock())
            return await run_in_threadpool(service.named.call, door.action, opens, door.code, body, name)
        except KeyRefusedError as error:
            self.metrics.turned_away("too_fast")
            raise TooFastError(wait) from error
        except RefusedError as error:
            if isinstance(error.cause, KeyRefusedError):
                self.strangers.take(peer)
            raise

    async def _prepared(
        self, whose: bytes, door: Door, opens: Proof, body: bytes | RequestError, view: View
    ) -> Prepared:
        """The call, prepared: on the loop where nothing of it can take long, else beside it."""
        prepare = self.service.invocation.prepare
        if view.generation != self._warm_at:
            self._warm_at = view.generation
            self._warm.clear()
        warm = (whose, door.code)
        if warm in self._warm and (isinstance(body, RequestError) or len(body) <= LONG_BODY_BYTES):
            with suppress(WaitsError):
                return prepare(door.action, opens, door.code, body, view, at_once=True)
        prepared = await run_in_threadpool(prepare, door.action, opens, door.code, body, view)
        if prepared.error is None and view.generation == self._warm_at:
            self._warm.add(warm)
        return prepared

    async def _send(
        self, scope: Scope, fields: dict[bytes, bytes], answer: Answer, stages: tuple[int, ...], send: Send
    ) -> None:
        body = answer.body()
        digest = content_digest(body)
        receipt = receipt_field(answer.receipt)
        headers = [
            (b"content-type", b"application/json"),
            (b"content-length", str(len(body)).encode()),
            (b"content-digest", digest.encode()),
            (b"zhengtong-receipt", receipt.encode("utf-8")),
            (b"cache-control", b"no-store"),
            (b"x-content-type-options", b"nosniff"),
        ]
        if answer.prepared is not None:
            headers += [(b"etag", answer.prepared.etag.encode()), (b"server-timing", _timing(stages))]
            if answer.prepared.allowances:
                headers += _quota(answer.prepared.allowances, answer.prepared.at)
        if b"accept-signature" in fields:
            headers += self._signature(scope, fields, digest, receipt)
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    def _signature(
        self, scope: Scope, fields: dict[bytes, bytes], digest: str, receipt: str
    ) -> list[tuple[bytes, bytes]]:
        """The signature over the whole answer (RFC 9421 §5), beside the receipt's, for whoever asks for it."""
        signed = {"content-digest": digest, "content-type": JSON, RECEIPT: receipt}
        asked = {}
        components = [*COVERED, COVERED_RECEIPT]
        if b"content-digest" in fields:
            asked["content-digest"] = fields[b"content-digest"].decode("latin-1")
            components.append(COVERED_REQUEST_BODY)
        raw = scope.get("raw_path") or scope["path"].encode()
        request = Request(scope["method"], raw.split(b"?")[0].decode("ascii", "replace"), asked)
        made = self.service.signer.sign(Response(200, signed, request), components, self.service.evidence.clock())
        return [(name.encode(), value.encode()) for name, value in made.items()]

    async def _refuse(self, scope: Scope, receive: Receive, send: Send, error: HubError | RefusedError) -> None:
        request = HttpRequest(scope, receive)
        response = refuse(request, self.service.signer, self.service.evidence.clock(), error)
        await response(scope, receive, send)


@dataclass(slots=True)  # one for each call: see ADR 0024
class Door:
    """Where a call knocks: what it wants of which resource, for real or in the *sandbox*."""

    action: str
    code: str
    sandbox: bool

    @property
    def name(self) -> str:
        """What its calls are counted as."""
        return f"sandbox {self.action}" if self.sandbox else self.action


class Proof:
    """Finds out whom a request is from, and when it is asked again whether that still holds."""

    __slots__ = ("_again", "_authenticator", "_body", "_proxies", "_scope", "_shown")

    def __init__(
        self, authenticator: Authenticator, scope: Scope, body: bytes, proxies: Proxies | None, shown: str | None = None
    ) -> None:
        self._authenticator = authenticator
        self._scope = scope
        self._proxies = proxies
        self._body = body
        # A bearer key's field, where it is all that the request shows.
        self._shown = shown if proxies is None and scope.get(SHOWN) is None else None
        self._again = False

    def __call__(self, view: View, at: datetime) -> KnownCaller:
        """The caller, as *view* has it. Raises: as `Authenticator.caller`."""
        if self._shown is not None:
            known = self._authenticator.bearer(view, self._shown, at)
            if known is not None:
                return known
        presented = Presented.from_scope(self._scope, self._proxies)
        found = self._authenticator.caller(view, presented, self._body, at, again=self._again)
        # Only now: what was refused before its nonce was looked at has not been taken by us, and may have been before.
        self._again = True
        return found


def door_of(scope: Scope) -> Door | None:
    """The door of the call that *scope* begins; None: it is no call."""
    if scope["type"] != "http" or scope["method"] != "POST":
        return None
    path: str = scope["path"]
    start = len(PREFIX) if path.startswith(PREFIX) else len(SANDBOX) if path.startswith(SANDBOX) else 0
    if not start:
        return None
    code, _, action = path[start:].rpartition(":")
    return Door(action, code, sandbox=start == len(SANDBOX)) if action in (QUERY, VERIFY) else None


def _whose(fields: dict[bytes, bytes], scope: Scope) -> bytes:
    """What a caller shows, as far as it is the same with every call; nothing is known of it yet."""
    signed = fields.get(b"signature-input")
    found = _KEY_ID.search(signed) if signed else None
    return found[1] if found else fields.get(b"authorization", b"")[:_SHOWN_BYTES] or scope.get(SHOWN, "").encode()


def _bearer(fields: dict[bytes, bytes]) -> str | None:
    """The Authorization field of a request that proves in no other way who sends it; None of any other."""
    shown = fields.get(b"authorization")
    # A comma may have come of two fields.
    if shown is None or b"," in shown or not _OTHER_PROOFS.isdisjoint(fields):
        return None
    return shown.decode("latin-1").strip(" \t")


def _fields(headers: list[tuple[bytes, bytes]]) -> dict[bytes, bytes]:
    """Header fields by name, in lower case; one that came twice is combined (RFC 9110 §5.3)."""
    fields = dict(headers)
    if len(fields) != len(headers):
        fields = {}
        for name, value in headers:
            fields[name] = fields[name] + b", " + value if name in fields else value
    return fields


async def _read(fields: dict[bytes, bytes], receive: Receive) -> bytes | RequestError:
    """The body, or the error for which it is not accepted; never more than the limit is kept.

    Raises:
        BodyTooSlowError: it did not arrive.
    """
    media = fields.get(b"content-type", b"").lower().replace(b" ", b"")
    if media not in _JSON_TYPES or b"content-encoding" in fields:
        return MediaTypeError()
    # Mostly the body came with the head; a timer would cost more than reading it.
    message = await receive()
    body: bytes | RequestError = message.get("body", b"")
    if message.get("more_body"):
        try:
            async with asyncio.timeout(BODY_WAIT_S):
                body = await _rest(message["body"], receive)
        except TimeoutError as error:
            raise BodyTooSlowError from error
    elif message["type"] == "http.disconnect":
        raise BodyTooSlowError
    elif len(message.get("body", b"")) > MAX_BODY_BYTES:
        body = RequestTooLargeError(limit_bytes=MAX_BODY_BYTES)
    digest = fields.get(b"content-digest")
    if digest is not None and not isinstance(body, RequestError):
        try:
            check_digest(digest.decode("latin-1"), body)
        except SignatureInvalidError:
            return DigestMismatchError()
    return body


async def _rest(body: bytes, receive: Receive) -> bytes | RequestError:
    more = True
    while more and len(body) <= MAX_BODY_BYTES:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise BodyTooSlowError
        body += message.get("body", b"")
        more = bool(message.get("more_body"))
    return RequestTooLargeError(limit_bytes=MAX_BODY_BYTES) if len(body) > MAX_BODY_BYTES else body


def _stages(prepared: Prepared | None, ended: int) -> tuple[int, ...]:
    """The nanoseconds of each of `STAGES`: from one moment to the next, the last that of the receipt."""
    if prepared is None:
        return ()
    moments = (*prepared.moments, prepared.durable, ended)
    return tuple(map(sub, moments[1:], moments))


def _timing(stages: tuple[int, ...]) -> bytes:
    """Server-Timing, in milliseconds."""
    return _TIMING % tuple([spent / 1e6 for spent in stages])


def _quota(allowances: tuple[Allowance, ...], at: Any) -> list[tuple[bytes, bytes]]:  # noqa: ANN401 - a datetime
    """What is left of the day's calls, and how fast they are being used (1: exactly as fast as the day passes)."""
    tightest = min(allowances, key=lambda one: one.limit - one.used)
    left_s = max(1, int((tightest.resets - at).total_seconds()))
    gone = max(1e-9, 1 - left_s / 86_400)
    burn = tightest.used / tightest.limit / gone
    return [
        (b"ratelimit-policy", f'"grant";q={tightest.limit};w=86400'.encode()),
        (b"ratelimit", f'"grant";r={max(0, tightest.limit - tightest.used)};t={left_s}'.encode()),
        (b"zhengtong-burn-rate", f"{burn:.2f}".encode()),
    ]
