"""What a client sends and what it believes, without any I/O: the same for one that waits and one that does not."""

from __future__ import annotations

import json
import re
import secrets
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
    ClientSettingError,
    HubUnreachableError,
)
from hub.errors import AnswerRefusedError, InvalidRequestError
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
# What stands between says so in the hub's stead, and signs nothing.
IN_BETWEEN: Final = frozenset({TOO_MANY, 502, UNAVAILABLE, 504})
ELSEWHERE: Final = range(300, 400)
_ADDRESS = re.compile(r"https?://[^\s/?#@]+(?:/[^\s?#]*)?")
_NAME = re.compile(r"[\x21\x23-\x5b\x5d-\x7e]{1,255}")
_BEARER = re.compile(r"[\x21-\x7e]+")
_SECONDS = re.compile("[0-9]{1,6}")
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

    *action* is that of a call, whose answer comes with a receipt; "" of anything else. *repeatable*: to send it twice
    is as good as once. *dated*: its answer must be of now, as nobody can have asked under its name before.
    """

    method: str
    path: str
    body: Mapping[str, Any] | None = None
    action: str = ""
    fields: Mapping[str, str] = field(default_factory=dict)
    repeatable: bool = False
    dated: bool = True


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

    *sandbox*: calls go to made-up rows. *once*: a call that has no name is given one, so that it counts once however
    often it is sent.

    Raises:
        ClientSettingError: the address, a caller key or the answer key is none.
    """

    def __init__(
        self,
        base_url: str,
        key: str | PrivateKey,
        pinned: str,
        *,
        lang: str = "zh",
        sandbox: bool = False,
        once: bool = False,
    ) -> None:
        if _ADDRESS.fullmatch(base_url) is None:
            raise ClientSettingError(
                what="url",
                why="an address such as `https://hub.example.gov.cn` is wanted, without a user or a query",
                why_zh="应为 `https://hub.example.gov.cn` 形式的地址，不带用户名和查询参数",
            )
        if isinstance(key, str) and _BEARER.fullmatch(key) is None:
            raise ClientSettingError(
                what="key",
                why="a caller key is one word of visible ASCII characters; this is empty or something else",
                why_zh="调用密钥应为一串可见 ASCII 字符；此处为空或为其他内容",
            )
        self.base_url = base_url.rstrip("/")
        try:
            self.verifiers = [AnswerVerifier.from_text(line) for line in pinned.split() or [""]]
        except SignatureInvalidError as error:
            raise ClientSettingError(
                what="verifier_key",
                why="the hub's answer key is of the form `ed25519:…`",
                why_zh="平台应答公钥应为 `ed25519:…` 形式",
            ) from error
        self._key = key
        self._lang = lang
        self._sandbox = sandbox
        self._once = once

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
        return self._asked("explain", code, body, rest)

    def changes(self, code: str, cursor: str, limit: int, **rest: Any) -> Asked:  # noqa: ANN401 - see `_call`
        """A page of what changed since *cursor*; ``fields`` may be among *rest*. Of made-up rows nothing changes."""
        fields = rest.pop("fields", None)
        body: dict[str, Any] = {"cursor": cursor, "limit": limit}
        if fields:
            body["fields"] = list(fields)
        return self._asked("changes", code, body, rest)

    def batch(self, code: str, **rest: Any) -> Asked:  # noqa: ANN401 - see `_call`
        """An order of many rows; ``fields``, ``rows`` and ``format`` may be among *rest*. Not to be sent twice."""
        given: dict[str, Any] = {name: rest.pop(name, None) for name in ("fields", "rows", "format")}
        body = {name: value if isinstance(value, str) else list(value) for name, value in given.items() if value}
        return Asked("POST", _address(code, "batch"), self._purposed(body, rest))

    def _call(self, action: str, code: str, body: dict[str, Any], name: str | None, rest: dict[str, Any]) -> Asked:
        """*rest*: ``matter`` and, of the purpose, ``case``, ``operator``, ``replaces``; and the ``grant`` to use."""
        if name is not None and _NAME.fullmatch(name) is None:
            raise InvalidRequestError(
                where="name",
                why="1 to 255 visible ASCII characters without quotes and backslashes are wanted",
                why_zh="应为 1 至 255 个可见 ASCII 字符，不含引号和反斜杠",
            )
        # In the sandbox nothing counts, and no names are heeded.
        made = secrets.token_urlsafe(16) if name is None and self._once and not self._sandbox else None
        chosen = name or made
        return Asked(
            "POST",
            _address(code, action, sandbox=self._sandbox),
            self._purposed(body, rest),
            action,
            {"idempotency-key": f'"{chosen}"'} if chosen else {},
            repeatable=chosen is not None or self._sandbox,
            dated=name is None,
        )

    def _asked(self, action: str, code: str, body: dict[str, Any], rest: dict[str, Any]) -> Asked:
        """A question that changes nothing, so that it may be asked again."""
        return Asked("POST", _address(code, action), self._purposed(body, rest), repeatable=True)

    def _purposed(self, body: dict[str, Any], rest: dict[str, Any]) -> dict[str, Any]:
        grant = rest.pop("grant", None)
        body["purpose"] = {name: value for name, value in rest.items() if value is not None}
        return body | ({"grant": grant} if grant else {})

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
            HubUnreachableError: what came is not the hub's, and says that the hub could not be asked.
        """
        self._from_the_hub(got)
        called = asked.action != "" and got.status == OK
        signed_at = None if called else self._signed_at(sent, got)
        try:
            plain = json.loads(got.body)
        except ValueError as error:
            raise AnswerRefusedError(why="it is no JSON", why_zh="不是 JSON") from error
        if not isinstance(plain, dict):
            raise AnswerRefusedError(why="it is no JSON object", why_zh="不是 JSON 对象")
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
            raise _refused(error) from error

    def _from_the_hub(self, got: Got) -> None:
        """Tell what a gateway says by itself from what the hub says, which is signed or has a receipt."""
        if "signature" in got.fields or RECEIPT in got.fields:
            return
        if got.status in IN_BETWEEN:
            lost = HubUnreachableError(
                url=self.base_url,
                why=f"a gateway before it answers {got.status}",
                why_zh=f"其前端网关返回 {got.status}",
            )
            lost.lost = True
            raise lost
        if got.status in ELSEWHERE:
            raise ClientSettingError(
                what=self.base_url,
                why=f"it leads elsewhere (HTTP {got.status}); give the address that it leads to, with https if it does",
                why_zh=f"该地址已重定向（HTTP {got.status}）；请改用重定向后的地址（注意是否为 https）",
            )

    def _received_at(self, asked: Asked, got: Got, plain: Mapping[str, Any]) -> datetime:
        """When the hub answered the call, by its receipt, which must be about our question and this answer."""
        try:
            receipt = receipts.read(plain.get("receipt"))
            content = {name: value for name, value in plain.items() if name != "receipt"}
            request = parse_call(asked.action, asked.body).plain()
            receipts.check(receipt, self.verifiers, request=request, answer=content)
        except receipts.ReceiptInvalidError as error:
            raise _refused(error) from error
        said = _RECEIPT.fullmatch(got.fields.get(RECEIPT, ""))
        if said is None or (int(said[1]), said[2]) != (receipt.index, receipt.origin):
            raise AnswerRefusedError(
                why="the receipt's header is missing, or says otherwise than the body",
                why_zh="回执标头缺失，或与正文不符",
            )
        at, now = receipt.entry.at, utc_now()
        if asked.dated and abs(now - at) > TOLERANCE:
            raise AnswerRefusedError(
                why=f"it was made too long ago, or the clocks differ: it says {_said(at)}, here it is {_said(now)}",
                why_zh=f"应答生成时间过早，或双方时钟不一致：应答为 {_said(at)}，本机为 {_said(now)}",
            )
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
            why = str(error.params["why"])
            raise AnswerRefusedError(why=why, why_zh=next((zh for en, zh in _SIGNED if en in why), why)) from error
        return signed_at


# What `hub.signatures` says of an answer, in Chinese.
_SIGNED = (
    ("missing or not in the agreed form", "缺少签名或签名格式有误；请确认该地址确为平台"),
    ("does not cover", "签名未覆盖应答或请求的全部要素"),
    ("not pinned", "签名密钥不在信任之列"),
    ("does not fit the message", "签名与应答或请求不符"),
    ("too long ago", "签名时间过早，或双方时钟不一致"),
    ("Content-Digest", "内容与 Content-Digest 标头不符"),
    ("the message has no", "缺少签名所覆盖的标头"),
)


def _refused(error: receipts.ReceiptInvalidError) -> AnswerRefusedError:
    return AnswerRefusedError(why=str(error.params["why"]), why_zh=str(error.params["why_zh"]))


def _said(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="seconds")


def _address(code: str, action: str, *, sandbox: bool = False) -> str:
    return f"/v1/{'sandbox/' if sandbox else ''}resources/{quote(code, safe='')}:{action}"


def _failure(got: Got, problem: Mapping[str, Any]) -> CallFailedError:
    status = got.status
    if status == UNAUTHORIZED:
        return CallKeyRefusedError(status, problem)
    if status == FORBIDDEN:
        return CallDeniedError(status, problem)
    if status in (TOO_MANY, UNAVAILABLE) and problem.get("code") != "quota_exhausted":
        unavailable = CallUnavailableError(status, problem)
        after = got.fields.get("retry-after", "")
        unavailable.retry_after_s = int(after) if _SECONDS.fullmatch(after) else 0
        return unavailable
    return CallInvalidError(status, problem) if status in CLIENT_ERRORS else CallFailedError(status, problem)
