"""Speaks with a provider of single sign-on as its relying party (OpenID Connect Core 1.0, code flow with PKCE).

It asks, fetches and checks; whose subject a token names, and what follows for the portal, is `hub.people.signon`'s.
Everything that is used of a person stands in the ID token, whose signature is checked; nothing else is asked for.
"""

from __future__ import annotations

import base64
import hashlib
import json
from dataclasses import dataclass, field
from threading import Lock
from time import monotonic
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote, urlencode

import httpx
from joserfc import jwt
from joserfc.errors import ClaimError, InvalidKeyIdError, JoseError
from joserfc.jwk import KeySet

from hub.people.errors import SignOnDeclinedError, SignOnForgedError, SignOnUnreachableError
from hub.providersettings import is_trustworthy

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import datetime

    from hub.providersettings import ProviderSettings

# Of a public key alone: with `HS256` whoever has the client's secret could sign, and with `none` anybody (RFC 8725).
ALGORITHMS: Final = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512")
# How far the provider's clock and ours may be apart; a token is used within seconds of its making.
LEEWAY_S: Final = 60
MAX_TOKEN_AGE_S: Final = 600
TIMEOUT_S: Final = 5.0
MAX_ANSWER_BYTES: Final = 256 * 1024
# A document is read again after an hour, keys also when a token names one that is not known, but not at every such one.
KEPT_S: Final = 3600.0
KEYS_AGAIN_S: Final = 30.0
_MAX_SUBJECT_CHARS: Final = 255  # OpenID Connect Core §2
# What does not fit, by claim: (English, Chinese).
_CLAIMS: Final[Mapping[str, tuple[str, str]]] = {
    "iss": ("the token is of another issuer", "令牌由其他签发方签发"),
    "aud": ("the token is for another client", "令牌并非签发给本平台"),
    "azp": ("the token is for another client", "令牌并非签发给本平台"),
    "nonce": ("the token answers another sign-in", "令牌不对应本次登录"),
    "exp": ("the token has expired", "令牌已过期"),
    "iat": ("the token was made too early or too late", "令牌的签发时间不符"),
    "nbf": ("the token does not hold yet", "令牌尚未生效"),
    "sub": ("the token names nobody", "令牌未指明用户"),
}


@dataclass(frozen=True, slots=True)
class Asked:
    """What only the browser that was sent away knows: *nonce* and *verifier* (RFC 7636) follow from its cookie."""

    nonce: str
    verifier: str

    @classmethod
    def of(cls, cookie: str) -> Asked:
        """Of the cookie's value: a token or a code of another browser fits neither (OpenID Connect Core §15.5.2)."""
        return cls(*(_hash(f"{use}:{cookie}") for use in ("nonce", "verifier")))

    @property
    def challenge(self) -> str:
        """S256 of the verifier."""
        return _hash(self.verifier)


@dataclass(frozen=True, slots=True)
class Vouched:
    """What the provider says of who signed in: *login* "" where the token does not tell one."""

    issuer: str
    subject: str
    login: str
    means: frozenset[str]


@dataclass(slots=True)
class Provider:
    """One provider. *clock* is the hub's. Safe for many threads; each process keeps keys of its own."""

    settings: ProviderSettings
    clock: Callable[[], datetime]
    ticks: Callable[[], float] = monotonic
    transport: httpx.BaseTransport | None = None
    _document: tuple[float, Mapping[str, Any]] | None = field(default=None, init=False)
    _keys: tuple[float, KeySet] | None = field(default=None, init=False)
    _lock: Lock = field(default_factory=Lock, init=False)

    def address(self, asked: Asked, state: str, lang: str) -> str:
        """Where the browser is sent. Raises: SignOnUnreachableError."""
        settings = self.settings
        query = {
            "response_type": "code",
            "client_id": settings.client_id,
            "redirect_uri": settings.returns,
            "scope": settings.scopes,
            "state": state,
            "nonce": asked.nonce,
            "code_challenge": asked.challenge,
            "code_challenge_method": "S256",
            "ui_locales": "zh-CN" if lang == "zh" else "en",
        }
        start = str(self._discovered()["authorization_endpoint"])
        return f"{start}{'&' if '?' in start else '?'}{urlencode(query, quote_via=quote)}"

    def check_answer(self, answer: Mapping[str, str]) -> str:
        """The code that the browser brought back.

        Raises:
            SignOnForgedError: the answer is another issuer's (RFC 9207), or none.
            SignOnDeclinedError: the provider says that it let nobody in.
            SignOnUnreachableError: the provider says that it cannot now.
        """
        said = answer.get("iss")
        if said is None and self._discovered().get("authorization_response_iss_parameter_supported") is True:
            raise SignOnForgedError(why="it does not say who sent it", why_zh="未说明由谁发出")
        if said is not None and said != self.settings.issuer:
            raise SignOnForgedError(why="another provider sent it", why_zh="由其他认证系统发出")
        error = answer.get("error")
        if error in {"server_error", "temporarily_unavailable"}:
            raise SignOnUnreachableError
        if error:
            raise SignOnDeclinedError
        if not answer.get("code"):
            raise SignOnForgedError(why="it holds no code", why_zh="缺少授权码")
        return answer["code"]

    def redeem(self, code: str, asked: Asked) -> Vouched:
        """Who signed in, as the ID token for *code* says.

        Raises:
            SignOnForgedError: the code is not taken, or the token is not one that we may believe.
            SignOnUnreachableError: the provider does not answer.
            SignOnSettingsError: the client's secret cannot be read.
        """
        document, settings = self._discovered(), self.settings
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": settings.returns,
            "code_verifier": asked.verifier,
        }
        secret, basic = settings.secret(), None
        methods = document.get("token_endpoint_auth_methods_supported", ["client_secret_basic"])
        if secret and "client_secret_basic" in methods:
            # Both are form-encoded first (RFC 6749 §2.3.1).
            basic = httpx.BasicAuth(quote(settings.client_id, safe=""), quote(secret, safe=""))
        else:
            form |= {"client_id": settings.client_id, **({"client_secret": secret} if secret else {})}
        plain = self._fetched("POST", str(document["token_endpoint"]), form=form, basic=basic)
        token = plain.get("id_token")
        if not isinstance(token, str):
            raise SignOnForgedError(why="the code was not accepted", why_zh="授权码未被接受")
        return self._vouched(self._claims(token), asked)

    # --- inside -----------------------------------------------------------------------------------------------------

    def _claims(self, token: str) -> dict[str, Any]:
        """What *token* says, its signature being right."""
        try:
            try:
                return jwt.decode(token, self._known_keys(), algorithms=ALGORITHMS).claims
            except InvalidKeyIdError:
                # The provider has changed its keys since they were fetched.
                return jwt.decode(token, self._known_keys(again=True), algorithms=ALGORITHMS).claims
        except InvalidKeyIdError as error:
            raise SignOnForgedError(why="its key is not the provider's", why_zh="签名密钥不属于该认证系统") from error
        except (JoseError, ValueError, TypeError) as error:
            raise SignOnForgedError(why="its signature is not right", why_zh="签名不正确") from error

    def _vouched(self, claims: dict[str, Any], asked: Asked) -> Vouched:
        """What *claims* say, once they are of this provider, for this portal, of now, and of this sign-in."""
        settings, now = self.settings, int(self.clock().timestamp())
        rules = jwt.JWTClaimsRegistry(
            now=now,
            leeway=LEEWAY_S,
            iss={"essential": True, "value": settings.issuer},
            aud={"essential": True, "value": settings.client_id},
            nonce={"essential": True, "value": asked.nonce},
            sub={"essential": True},
            exp={"essential": True},
            iat={"essential": True},
        )
        try:
            rules.validate(claims)
        except ClaimError as error:
            raise _unfit(error.claim.split(",")[0]) from error
        if claims["iat"] < now - MAX_TOKEN_AGE_S - LEEWAY_S:
            raise _unfit("iat")
        # A token for several, or one that names a client, must name us (OpenID Connect Core §3.1.3.7).
        several = isinstance(claims["aud"], list) and len(claims["aud"]) > 1
        if (several or "azp" in claims) and claims.get("azp") != settings.client_id:
            raise _unfit("azp")
        if len(claims["sub"]) > _MAX_SUBJECT_CHARS:
            raise _unfit("sub")
        means = claims.get("amr", [])
        said = [claims.get("acr"), *(means if isinstance(means, list) else [])]
        return Vouched(
            settings.issuer,
            claims["sub"],
            self._login(claims),
            frozenset(one for one in said if isinstance(one, str)),
        )

    def _login(self, claims: Mapping[str, Any]) -> str:
        value = claims.get(self.settings.claim)
        # An address that nobody proved to be theirs is whatever somebody typed.
        if not isinstance(value, str) or (self.settings.claim == "email" and claims.get("email_verified") is not True):
            return ""
        return value.strip().lower()

    def _discovered(self) -> Mapping[str, Any]:
        """The provider's document (OpenID Connect Discovery §4), of the last hour."""
        with self._lock:
            if self._document is not None and self.ticks() - self._document[0] < KEPT_S:
                return self._document[1]
        issuer = self.settings.issuer
        found = self._fetched("GET", f"{issuer.rstrip('/')}/.well-known/openid-configuration")
        needed = ("authorization_endpoint", "token_endpoint", "jwks_uri")
        if not all(isinstance(found.get(name), str) and is_trustworthy(found[name]) for name in needed):
            raise SignOnUnreachableError
        if found.get("issuer") != issuer:
            raise SignOnForgedError(why="its document names another issuer", why_zh="其元数据声明了另一签发方")
        with self._lock:
            self._document = (self.ticks(), found)
        return found

    def _known_keys(self, *, again: bool = False) -> KeySet:
        """The provider's keys; *again*: fetched now, unless they were a moment ago."""
        kept_s = KEYS_AGAIN_S if again else KEPT_S
        with self._lock:
            if self._keys is not None and self.ticks() - self._keys[0] < kept_s:
                return self._keys[1]
        plain = self._fetched("GET", str(self._discovered()["jwks_uri"]))
        try:
            found = KeySet.import_key_set({"keys": [key for key in plain["keys"] if key.get("use", "sig") == "sig"]})
        except (JoseError, ValueError, TypeError, KeyError, AttributeError) as error:
            raise SignOnUnreachableError from error
        with self._lock:
            self._keys = (self.ticks(), found)
        return found

    def _fetched(
        self, method: str, address: str, *, form: Mapping[str, str] | None = None, basic: httpx.BasicAuth | None = None
    ) -> dict[str, Any]:
        """The JSON object at *address*; redirects are not followed, and no more is read than such a thing may have."""
        headers = {"accept": "application/json"}
        try:
            with (
                httpx.Client(timeout=TIMEOUT_S, transport=self.transport) as client,
                client.stream(method, address, data=form, auth=basic, headers=headers) as answer,
            ):
                body = b""
                for piece in answer.iter_bytes():
                    body += piece
                    if len(body) > MAX_ANSWER_BYTES:
                        raise SignOnUnreachableError
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise SignOnUnreachableError from error
        # A refused code is the provider's answer (RFC 6749 §5.2), which holds no token; anything else is a fault.
        if not answer.is_success and (form is None or answer.status_code != httpx.codes.BAD_REQUEST):
            raise SignOnUnreachableError
        try:
            plain = json.loads(body)
        except ValueError as error:
            raise SignOnUnreachableError from error
        if not isinstance(plain, dict):
            raise SignOnUnreachableError
        return plain


def _unfit(claim: str) -> SignOnForgedError:
    why, why_zh = _CLAIMS.get(claim, ("a claim does not fit", "令牌内容不符"))
    return SignOnForgedError(why=why, why_zh=why_zh)


def _hash(text: str) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b"=").decode()
