"""What a client sends and what it believes, without any I/O: the same for one that waits and one that does not."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote, urlsplit

from hub import receipts
from hub.client.answers import Called
from hub.client.errors import (
    CallDeniedError,
    CallFailedError,
    CallInvalidError,
    CallKeyRefusedError,
    CallUnavailableError,
)
from hub.errors import AnswerRefusedError
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
from hub.signing import requests

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hub.signing.algorithms import PrivateKey

TOLERANCE: Final = timedelta(minutes=5)  # between the hub's clock and ours
RECEIPT: Final = "zhengtong-receipt"
OK, UNAUTHORIZED, FORBIDDEN, TOO_MANY, UNAVAILABLE, CLIENT_ERRORS = 200, 401, 403, 429, 503, range(400, 500)
DONE: Final = frozenset({OK, 201, 202})
MAX_WAIT_S: Final = 30
_RECEIPT = re.compile(r'entry=(0|[1-9][0-9]*), log="([^"]*)"')
_ALWAYS = (
    Component("@status"),
    Component("content-digest"),
    Component("content-type"),
    Component("@method", req=True),
    Component("@path", req=True),
)


def utc_now() -> datetime:
    """The client's clock."""
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class Asked:
    """A request: *path* with its query, the JSON value of its *body* if it has one, and its *fields*.

    *action* is that of a call, whose answer comes with a receipt; "" of anything else.
    """

    method: str
    path: str
    body: Mapping[str, Any] | None = None
    action: str = ""
    fields: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Got:
    """An answer as it came; header names in lower case."""

    status: int
    fields: Mapping[str, str]
    body: bytes


@dataclass(frozen=True, slots=True)
class Sent:
    """The bytes of a request, signed or keyed: what goes over the wire."""

    method: str
    url: str
    path: str
    fields: dict[str, str]
    content: bytes


class Wire:
    """How one client talks to one hub. *key* is a caller key or the system's own key; *pinned* the hub's answer key.

    *sandbox*: calls go to made-up rows.
    """

    def __init__(
        self, base_url: str, key: str | PrivateKey, pinned: str, *, lang: str = "zh", sandbox: bool = False
    ) -> None:
        self.base_url = base_url.rstrip("/")
        self.verifiers = [AnswerVerifier.from_text(line) for line in pinned.split()] or [AnswerVerifier.from_text("")]
        self._key = key
        self._lang = lang
        self._sandbox = sandbox

    # --- what is asked -----------------------------------------------------------------------------------------------

    def query(
        self,
        code: str,
        keys: Mapping[str, str] | Sequence[Mapping[str, str]],
        *,
        fields: Sequence[str] | None = None,
        name: str | None = None,
        **rest: Any,  # noqa: ANN401 - see `_call`
    ) -> Asked:
        """A look-up of one record or of several; *name* makes a repetition the same call."""
        found: Any = dict(keys) if isinstance(keys, Mapping) else [dict(one) for one in keys]
        body: dict[str, Any] = {"keys": found}
        if fields:
            body["fields"] = list(fields)
        return self._call("query", code, body, name, rest)

    def verify(
        self,
        code: str,
        keys: Mapping[str, str],
        claims: Mapping[str, str | int | bool],
        *,
        name: str | None = None,
        **rest: Any,  # noqa: ANN401 - see `_call`
    ) -> Asked:
        """Claims to be confirmed."""
        return self._call("verify", code, {"keys": dict(keys), "claims": dict(claims)}, name, rest)

    def explain(self, code: str, action: str, fields: Sequence[str], keys: Sequence[str], **rest: Any) -> Asked:  # noqa: ANN401
        """The question whether a call would be allowed."""
        body: dict[str, Any] = {"action": action, "keys": list(keys)}
        if fields:
            body["claims" if action == "verify" else "fields"] = list(fields)
        asked = self._call("explain", code, body, None, rest)
        return Asked(asked.method, f"/v1/resources/{quote(code, safe='')}:explain", asked.body)

    def changes(self, code: str, cursor: str, limit: int, **rest: Any) -> Asked:  # noqa: ANN401 - see `_call`
        """A page of what changed since *cursor*; ``fields`` may be among *rest*. Of made-up rows nothing changes."""
        fields = rest.pop("fields", None)
        body: dict[str, Any] = {"cursor": cursor, "limit": limit}
        if fields:
            body["fields"] = list(fields)
        asked = self._call("changes", code, body, None, rest)
        return Asked(asked.method, f"/v1/resources/{quote(code, safe='')}:changes", asked.body)

    def _call(self, action: str, code: str, body: dict[str, Any], name: str | None, rest: dict[str, Any]) -> Asked:
        """*rest*: ``matter`` and, of the purpose, ``case``, ``operator``, ``replaces``; and the ``grant`` to use."""
        grant = rest.pop("grant", None)
        body["purpose"] = {name_: value for name_, value in rest.items() if value is not None}
        if grant:
            body["grant"] = grant
        door = "sandbox/resources" if self._sandbox else "resources"
        fields = {"idempotency-key": f'"{name}"'} if name else {}
        return Asked("POST", f"/v1/{door}/{quote(code, safe='')}:{action}", body, action, fields)

    # --- what goes over the wire -------------------------------------------------------------------------------------

    def sent(self, asked: Asked) -> Sent:
        """The bytes of *asked*, signed now: make them anew for every try."""
        fields = {"accept-language": self._lang, **asked.fields}
        content = b""
        if asked.body is not None:
            content = json.dumps(asked.body, ensure_ascii=False).encode()
            fields.update({"content-type": "application/json", "content-digest": content_digest(content)})
        url = self.base_url + asked.path
        if isinstance(self._key, str):
            fields["authorization"] = f"Bearer {self._key}"
        else:
            parts = urlsplit(url)
            target = f"{parts.path}?{parts.query}" if parts.query else parts.path
            message = requests.Message(asked.method, parts.scheme, parts.netloc, target, tuple(fields.items()), content)
            signed = requests.sign(message, self._key, created=utc_now())
            fields.update({name.lower(): value for name, value in signed.items()})
        return Sent(asked.method, url, asked.path, fields, content)

    # --- what is believed --------------------------------------------------------------------------------------------

    def believed(self, asked: Asked, sent: Sent, got: Got) -> Called:
        """The answer, if it holds.

        Raises:
            CallFailedError: the hub said, verifiably, that it does not answer; see its kinds.
            AnswerRefusedError: do not use what came.
        """
        called = asked.action != "" and got.status == OK
        signed_at = None if called else self._signed_at(sent, got)
        try:
            plain = json.loads(got.body)
        except ValueError as error:
            raise AnswerRefusedError(why="it is no JSON") from error
        if not isinstance(plain, dict):
            raise AnswerRefusedError(why="it is no JSON object")
        if got.status not in DONE:
            raise _failure(got, plain)
        if signed_at is None:
            signed_at = self._received_at(asked, got, plain)
        return Called(plain, signed_at)

    def promised(self, plain: Mapping[str, Any], request: Mapping[str, Any]) -> None:
        """Check that the receipt in *plain* is about *request*, as digested, and about the rest of *plain*.

        Raises:
            AnswerRefusedError: it is not.
        """
        content = {name: value for name, value in plain.items() if name != "receipt"}
        try:
            receipts.check(receipts.read(plain.get("receipt")), self.verifiers, request=request, answer=content)
        except receipts.ReceiptInvalidError as error:
            raise AnswerRefusedError(why=str(error.params["why"])) from error

    def _received_at(self, asked: Asked, got: Got, plain: Mapping[str, Any]) -> datetime:
        """When the hub answered the call, by its receipt, which must be about our question and this answer."""
        try:
            receipt = receipts.read(plain.get("receipt"))
            content = {name: value for name, value in plain.items() if name != "receipt"}
            request = parse_call(asked.action, asked.body).plain()
            receipts.check(receipt, self.verifiers, request=request, answer=content)
        except receipts.ReceiptInvalidError as error:
            raise AnswerRefusedError(why=str(error.params["why"])) from error
        said = _RECEIPT.fullmatch(got.fields.get(RECEIPT, ""))
        if said is None or (int(said[1]), said[2]) != (receipt.index, receipt.origin):
            raise AnswerRefusedError(why="the receipt's header is missing, or says otherwise than the body")
        at = receipt.entry.at
        if not asked.fields.get("idempotency-key") and abs(utc_now() - at) > TOLERANCE:
            raise AnswerRefusedError(why="it was made too long ago, or the clocks differ")
        return at

    def _signed_at(self, sent: Sent, got: Got) -> datetime:
        """Check the signature over the answer *and* the question it answers."""
        asked = Request(sent.method, sent.path.split("?")[0], sent.fields)
        required = list(_ALWAYS)
        if "content-digest" in sent.fields:
            required.append(Component("content-digest", req=True))
        if RECEIPT in got.fields:
            required.append(Component(RECEIPT))
        try:
            signed_at = verify(
                Response(got.status, got.fields, asked),
                verifiers=self.verifiers,
                required=required,
                now=utc_now(),
                tolerance=TOLERANCE,
            )
            check_digest(got.fields["content-digest"], got.body)
        except SignatureInvalidError as error:
            raise AnswerRefusedError(why=str(error.params["why"])) from error
        return signed_at


def wait_s(error: Exception, tried: int) -> float | None:
    """How long to wait before another try after *error*, the *tried*-th of them; None: it would be of no use."""
    if isinstance(error, CallUnavailableError):
        return float(error.retry_after_s) if error.retry_after_s <= MAX_WAIT_S else None
    return 0.2 * float(2**tried)


def _failure(got: Got, problem: Mapping[str, Any]) -> CallFailedError:
    status = got.status
    if status == UNAUTHORIZED:
        return CallKeyRefusedError(status, problem)
    if status == FORBIDDEN:
        return CallDeniedError(status, problem)
    if status in (TOO_MANY, UNAVAILABLE) and problem.get("code") != "quota_exhausted":
        unavailable = CallUnavailableError(status, problem)
        after = got.fields.get("retry-after", "")
        unavailable.retry_after_s = int(after) if after.isdigit() else 0
        return unavailable
    return CallInvalidError(status, problem) if status in CLIENT_ERRORS else CallFailedError(status, problem)
