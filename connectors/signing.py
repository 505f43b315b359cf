r"""How a request to a service says who we are: a token, a password, OAuth 2.0 client credentials, or a signature.

Leaves sending to ``http-json``. Nothing here holds a secret longer than a request needs it, but for the access token of
OAuth, which is kept in memory until shortly before it expires.

Settings: ``auth`` (``none``, ``token``, ``basic``, ``oauth2``, ``signed``; where it is not set, ``token`` if there is
a token). Secrets are references.

``token``: ``token``; sent as ``Authorization: Bearer``, or bare in the header that ``token_header`` names.

``basic`` (RFC 7617): ``user``, ``password``.

``oauth2`` (RFC 6749 §4.4): ``token_url``, ``client_id``, ``client_secret``, ``scope``; ``client_auth`` = ``basic``
(default; §2.3.1) or ``body``.

``signed``: ``secret_key`` and how it is written (``key_encoding``: ``text``, ``hex``, ``base64``), ``key_id``. The
signature is an HMAC (``sign_algorithm``: ``hmac-sha256``, or ``hmac-sm3`` where OpenSSL has it) over ``sign_template``,
in which stand ``{method}``, ``{path}`` and ``{query}`` (as sent; pairs sorted and percent-encoded by RFC 3986),
``{host}``, ``{timestamp}``, ``{nonce}``, ``{body_digest}`` (hex, by the hash of the HMAC), ``{key_id}``,
``{service_id}``, and ``\n`` for a line end. ``sign_encoding`` (``hex``, ``base64``), ``timestamp_format``
(``seconds``, ``milliseconds``, ``iso``) and the names of the headers (``sign_header``, ``timestamp_header``,
``nonce_header``, ``key_id_header``, ``service_id_header``, ``digest_header``; "none" sends no such header) may be set.
``sign_profile`` sets their defaults: ``generic``, or ``national``, which follows public implementations of the
national platform's calls (not verified against its own text): it signs neither body nor path.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import re
import secrets as dice
import threading
import time
from datetime import UTC, datetime
from types import MappingProxyType
from typing import TYPE_CHECKING, Protocol
from urllib.parse import parse_qsl, quote, quote_plus

from connectors import json_text
from connectors import options as opt
from connectors.errors import ConnectorSettingsError, SourceShapeError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    import httpx

    Exchange = Callable[[str, Mapping[str, str], Mapping[str, str]], bytes]
    """Posts a form to a URL with headers; the body of the answer, or a ConnectorError that says it was refused."""

AUTHS = ("none", "token", "basic", "oauth2", "signed")
# Renewed this long before its end, for requests under way; a tenth of its life where that is less.
RENEWED_BEFORE_S = 30.0
_PLACE = re.compile(r"\{([a-z_]*)\}")
VOCABULARY = frozenset({"method", "path", "query", "host", "timestamp", "nonce", "body_digest", "key_id", "service_id"})
PROFILES: MappingProxyType[str, Mapping[str, str]] = MappingProxyType(
    {
        "generic": {
            "sign_template": r"{method}\n{path}\n{query}\n{timestamp}\n{nonce}\n{body_digest}",
            "sign_encoding": "hex",
            "timestamp_format": "seconds",
            "sign_header": "X-Signature",
            "timestamp_header": "X-Timestamp",
            "nonce_header": "X-Nonce",
            "key_id_header": "X-Key-Id",
            "service_id_header": "none",
            "digest_header": "none",
        },
        "national": {
            "sign_template": "{service_id}{key_id}{timestamp}",
            "sign_encoding": "base64",
            "timestamp_format": "milliseconds",
            "sign_header": "gjgxjhpt_sign",
            "timestamp_header": "gjgxjhpt_rtime",
            "nonce_header": "none",
            "key_id_header": "gjgxjhpt_rid",
            "service_id_header": "gjgxjhpt_sid",
            "digest_header": "none",
        },
    }
)


class Credentials(Protocol):
    """What makes a request ours. May be used by several threads."""

    def apply(self, request: httpx.Request, exchange: Exchange) -> None:
        """Add what *request* needs. Raises: ConnectorError, also those of *exchange*."""

    def renew(self, request: httpx.Request) -> bool:
        """After *request* was refused (401): whether there is reason to hope that another try is not."""


class Nobody:
    """No credentials."""

    def apply(self, request: httpx.Request, exchange: Exchange) -> None:
        """Nothing."""

    def renew(self, request: httpx.Request) -> bool:
        """No."""
        del request
        return False


class Token(Nobody):
    """A token that does not change, looked up for each request."""

    def __init__(self, settings: Mapping[str, str], secrets: Callable[[str], str], where: str) -> None:
        self._reference = opt.required(settings, "token", where)
        self._header = settings.get("token_header", "")
        self._secrets = secrets

    def apply(self, request: httpx.Request, exchange: Exchange) -> None:
        """Add the header."""
        del exchange
        token = in_a_header(self._secrets(self._reference), "token")
        request.headers[self._header or "Authorization"] = token if self._header else f"Bearer {token}"


class Basic(Nobody):
    """A user and a password (RFC 7617), in UTF-8."""

    def __init__(self, settings: Mapping[str, str], secrets: Callable[[str], str], where: str) -> None:
        self._user = opt.required(settings, "user", where)
        if ":" in self._user:
            raise ConnectorSettingsError(problem="setting_invalid", where=where, name="user", expected="no `:`")
        self._reference = opt.required(settings, "password", where)
        self._secrets = secrets

    def apply(self, request: httpx.Request, exchange: Exchange) -> None:
        """Add the header."""
        del exchange
        request.headers["Authorization"] = _basic(self._user, self._secrets(self._reference))


class OAuth2:
    """Client credentials (RFC 6749 §4.4): one access token for all requests, renewed shortly before it expires.

    *clock* is monotonic: what a wall clock does in between is of no matter.
    """

    def __init__(
        self,
        settings: Mapping[str, str],
        secrets: Callable[[str], str],
        where: str,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._url = opt.required(settings, "token_url", where)
        self._id = opt.required(settings, "client_id", where)
        self._reference = opt.required(settings, "client_secret", where)
        self._scope = settings.get("scope", "")
        self._in_body = opt.choice(settings, "client_auth", ("basic", "body"), where) == "body"
        self._secrets = secrets
        self._clock = clock
        self._lock = threading.Lock()
        self._token = ""
        self._until: float | None = None

    def apply(self, request: httpx.Request, exchange: Exchange) -> None:
        """Add the access token, asking for one where there is none that still holds."""
        # Held while asking: of many threads one asks, the others take what it was given.
        with self._lock:
            if not self._token or (self._until is not None and self._clock() >= self._until):
                self._token = ""
                self._token, self._until = self._asked(exchange)
            request.headers["Authorization"] = f"Bearer {self._token}"

    def renew(self, request: httpx.Request) -> bool:
        """Forget the token that was refused, unless another thread has a newer one already."""
        with self._lock:
            if request.headers.get("Authorization") == f"Bearer {self._token}":
                self._token = ""
        return True

    def _asked(self, exchange: Exchange) -> tuple[str, float | None]:
        form = {"grant_type": "client_credentials"}
        if self._scope:
            form["scope"] = self._scope
        headers = {}
        secret = self._secrets(self._reference)
        if self._in_body:
            form |= {"client_id": self._id, "client_secret": secret}
        else:
            headers["Authorization"] = _basic(quote_plus(self._id), quote_plus(secret))
        begun = self._clock()
        try:
            answer = json_text.parse(exchange(self._url, form, headers))
        except (ValueError, RecursionError):
            # The cause would quote the answer, which holds the token.
            raise SourceShapeError(problem="token_answer", where=self._url) from None
        token = answer.get("access_token") if isinstance(answer, dict) else None
        if not isinstance(answer, dict) or type(token) is not str or not _fits_a_header(token):
            raise SourceShapeError(problem="token_answer", where=self._url)
        kind = answer.get("token_type", "Bearer")
        if not isinstance(kind, str) or kind.lower() != "bearer":
            raise SourceShapeError(problem="token_answer", where=self._url)
        lasts = str(answer.get("expires_in", ""))
        if not (lasts.isascii() and lasts.isdigit()):
            # Not said (§5.1 only recommends it): it holds until it is refused.
            return token, None
        lasts_s = float(lasts)
        return token, begun + lasts_s - min(RENEWED_BEFORE_S, lasts_s / 10)


class Signed(Nobody):
    """An HMAC over the parts of the request that the template names; see the module."""

    def __init__(
        self,
        settings: Mapping[str, str],
        secrets: Callable[[str], str],
        where: str,
        *,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        nonce: Callable[[], str] = lambda: dice.token_hex(16),
    ) -> None:
        profile = PROFILES[opt.choice(settings, "sign_profile", tuple(PROFILES), where)]
        said = {**profile, **{name: value for name, value in settings.items() if value}}
        self._where = where
        self._reference = opt.required(settings, "secret_key", where)
        self._secrets = secrets
        self._now = now
        self._nonce = nonce
        self._ids = {"key_id": settings.get("key_id", ""), "service_id": settings.get("service_id", "")}
        self._hash = opt.choice(settings, "sign_algorithm", ("hmac-sha256", "hmac-sm3"), where).removeprefix("hmac-")
        if self._hash == "sm3" and not has_sm3():
            raise ConnectorSettingsError(problem="no_sm3", where=where, name="sign_algorithm")
        self._key_encoding = opt.choice(settings, "key_encoding", ("text", "hex", "base64"), where)
        self._encoding = opt.choice(said, "sign_encoding", ("hex", "base64"), where)
        self._timestamp = opt.choice(said, "timestamp_format", ("seconds", "milliseconds", "iso"), where)
        self._template = said["sign_template"].replace(r"\n", "\n")
        places = set(_PLACE.findall(self._template))
        rest = _PLACE.sub("", self._template)
        if not places <= VOCABULARY or "timestamp" not in places or "{" in rest or "}" in rest:
            known = " ".join(f"{{{word}}}" for word in sorted(VOCABULARY))
            raise ConnectorSettingsError(problem="setting_invalid", where=where, name="sign_template", expected=known)
        for name in ("key_id", "service_id"):
            if (name in places or said[f"{name}_header"] != "none") and not self._ids[name]:
                raise ConnectorSettingsError(problem="setting_missing", where=where, name=name)
            in_a_header(self._ids[name] or "-", name)
        names = ("sign", "timestamp", "nonce", "key_id", "service_id", "digest")
        self._headers = {name: said[f"{name}_header"] for name in names if said[f"{name}_header"] != "none"}
        for header in ("sign", "timestamp"):
            if header not in self._headers:
                raise ConnectorSettingsError(problem="setting_missing", where=where, name=f"{header}_header")
        if "nonce" in places and "nonce" not in self._headers:
            raise ConnectorSettingsError(problem="setting_missing", where=where, name="nonce_header")

    def apply(self, request: httpx.Request, exchange: Exchange) -> None:
        """Add the signature and what the other side needs to check it."""
        del exchange
        moment = self._now()
        path, _, query = request.url.raw_path.decode("ascii").partition("?")
        parts = {
            **self._ids,
            "method": request.method,
            "path": path,
            "query": sorted_query(query),
            "host": request.url.netloc.decode("ascii"),
            "timestamp": _written(moment, self._timestamp),
            "nonce": self._nonce(),
            "body_digest": hashlib.new(self._hash, request.content).hexdigest(),
        }
        text = _PLACE.sub(lambda found: parts[found[1]], self._template)
        digest = hmac.digest(self._key(), text.encode(), self._hash)
        signature = digest.hex() if self._encoding == "hex" else base64.b64encode(digest).decode()
        sent = {**parts, "sign": signature, "digest": parts["body_digest"]}
        for name, header in self._headers.items():
            request.headers[header] = sent[name]

    def _key(self) -> bytes:
        secret = self._secrets(self._reference)
        try:
            if self._key_encoding == "hex":
                return bytes.fromhex(secret)
            if self._key_encoding == "base64":
                return base64.b64decode(secret, validate=True)
        except (ValueError, binascii.Error):
            # The cause would show the key.
            raise ConnectorSettingsError(
                problem="secret_unusable", where=self._where, name="secret_key", expected=self._key_encoding
            ) from None
        return secret.encode()


def credentials(
    settings: Mapping[str, str],
    secrets: Callable[[str], str],
    where: str,
    *,
    clock: Callable[[], float] = time.monotonic,
    now: Callable[[], datetime] = lambda: datetime.now(UTC),
) -> Credentials:
    """What the settings say of who we are.

    Raises:
        ConnectorSettingsError: a setting is missing or is not one of its words.
    """
    default = "token" if settings.get("token") else "none"
    auth = opt.choice({"auth": settings.get("auth", "") or default}, "auth", AUTHS, where)
    if auth == "none":
        return Nobody()
    if auth == "oauth2":
        return OAuth2(settings, secrets, where, clock=clock)
    if auth == "signed":
        return Signed(settings, secrets, where, now=now)
    return (Token if auth == "token" else Basic)(settings, secrets, where)


def has_sm3() -> bool:
    """Whether this OpenSSL offers SM3 (GB/T 32905)."""
    try:
        hashlib.new("sm3")
    except ValueError:
        return False
    return True


def sorted_query(query: str) -> str:
    """The pairs of a query, sorted by name and value, percent-encoded by RFC 3986 §2.3."""
    pairs = [
        (quote(name, safe="-._~"), quote(value, safe="-._~"))
        for name, value in parse_qsl(query, keep_blank_values=True)
    ]
    return "&".join(f"{name}={value}" for name, value in sorted(pairs))


def in_a_header(secret: str, name: str) -> str:
    """*secret*, which a header field can hold (RFC 9110 §5.5).

    Raises:
        ConnectorSettingsError: it cannot; the message names the setting alone.
    """
    if not _fits_a_header(secret):
        raise ConnectorSettingsError(
            problem="secret_unusable", where="http-json", name=name, expected="visible ASCII without line ends"
        )
    return secret


def _fits_a_header(text: str) -> bool:
    return bool(text) and text.isascii() and text.isprintable() and text == text.strip()


def _basic(user: str, password: str) -> str:
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


def _written(moment: datetime, form: str) -> str:
    if form == "iso":
        return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    whole = int(moment.timestamp())
    return str(whole) if form == "seconds" else str(whole * 1000 + moment.microsecond // 1000)
