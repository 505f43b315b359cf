"""Issuing to wallets by OpenID for Verifiable Credential Issuance 1.0, pre-authorised code flow, as pure messages.

`offer` → `redeem` (token request) → `nonce` → `order` (credential request) → the caller issues what the `Order` says,
bound to its keys, → `credential_response`. What is refused raises `WalletRefusedError` with the protocol's own code;
the HTTP doors send it. Not offered: authorisation code flow, authorization_details, deferred issuance, batches,
encryption, key attestations, DPoP, signed metadata.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlsplit

from licence import jose
from licence.errors import FormatError, WalletCallError, WalletRefusedError
from licence.profile import CREDENTIAL_TYP, VCT_PREFIX
from licence.wallet import jwt
from licence.wallet.forms import read_form
from licence.wallet.store import Access, Code

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from licence.model import LicenceKind
    from licence.wallet.jwk import HolderKey
    from licence.wallet.store import WalletStore

GRANT_TYPE = "urn:ietf:params:oauth:grant-type:pre-authorized_code"
PROOF_TYP = "openid4vci-proof+jwt"
RANDOM_BYTES = 32
CODE_LIFETIME = timedelta(minutes=10)
TOKEN_LIFETIME = timedelta(minutes=10)
NONCE_LIFETIME = timedelta(minutes=5)
PROOF_MAX_AGE = timedelta(minutes=5)
PROOF_SKEW = timedelta(minutes=2)
# A transaction code of six digits is guessed in three tries three times in a million.
MAX_TRIES = 3
MAX_REQUEST_BYTES = 64 * 1024
MAX_DESCRIPTION = 300
_DIGITS = re.compile(r"[0-9]{4,12}")
_TOKEN = re.compile(r"[A-Za-z0-9_-]{43}")
_PROOF = "key proof"


@dataclass(frozen=True, slots=True)
class Issuer:
    """Who issues to wallets: *url* is the Credential Issuer Identifier; *name* is shown by wallets (Chinese, English).

    *path* stands between *url* and the names of the doors; "" or with a slash before it and none behind.

    Raises:
        WalletCallError: not an https URL without query, fragment and final slash.
    """

    url: str
    name: str
    name_en: str = ""
    path: str = ""

    def __post_init__(self) -> None:
        parts = urlsplit(self.url)
        if parts.scheme != "https" or not parts.netloc or parts.query or parts.fragment or self.url.endswith("/"):
            raise WalletCallError("vci_call_malformed", part="url")

    def metadata(self, kinds: Sequence[LicenceKind], signing_algs: Sequence[str] = ("ES256",)) -> dict[str, Any]:
        """Credential Issuer Metadata (§12.2.4), for ``/.well-known/openid-credential-issuer``.

        A kind's code is its credential configuration id.
        """
        return {
            "credential_issuer": self.url,
            "credential_endpoint": f"{self.url}{self.path}/credential",
            "nonce_endpoint": f"{self.url}{self.path}/nonce",
            "display": _display(self.name, self.name_en),
            "credential_configurations_supported": {kind.code: _configuration(kind, signing_algs) for kind in kinds},
        }

    def authorization_server_metadata(self) -> dict[str, Any]:
        """Authorisation server metadata (RFC 8414, §12.3), for ``/.well-known/oauth-authorization-server``."""
        return {
            "issuer": self.url,
            "token_endpoint": f"{self.url}{self.path}/token",
            # RFC 8414 §2 demands it, and §3.2 allows no empty list. There is no authorisation endpoint to respond.
            "response_types_supported": ["none"],
            "grant_types_supported": [GRANT_TYPE],
            "token_endpoint_auth_methods_supported": ["none"],
            "pre-authorized_grant_anonymous_access_supported": True,
        }


@dataclass(frozen=True, slots=True)
class Offer:
    """A credential offer (§4.1.1). It holds the code: show it to the holder and keep it nowhere."""

    document: Mapping[str, Any]
    expires_at: datetime

    def to_json(self) -> str:
        """The offer as a wallet fetches it by ``credential_offer_uri``."""
        return jose.compact_json(self.document).decode()

    def uri(self) -> str:
        """The offer by value, as a link or the text of a QR code."""
        return "openid-credential-offer://?credential_offer=" + quote(self.to_json(), safe="")


@dataclass(frozen=True, slots=True)
class Order:
    """What is to be issued: for the caller's *subject* a licence of *kind*, bound to *holder*.

    Of several requests under one offer, one alone becomes the order for a kind. The caller keeps the licence before it
    answers; a crash in between needs a new offer.
    """

    subject: str
    kind: str
    holder: HolderKey


def offer(
    store: WalletStore,
    issuer: Issuer,
    *,
    subject: str,
    kinds: Sequence[str],
    now: datetime,
    random: bytes,
    tx_code: str = "",
    tx_description: str = "",
) -> Offer:
    """Offer *kinds* (their codes) for *subject*; the code in it runs out in ten minutes and is used once.

    *random*: 32 bytes never used before. *tx_code*: 4 to 12 digits to be sent by another way, "" for none, which
    whoever sees the QR code can redeem. *tx_description* tells the holder where to look for it.

    Raises:
        WalletCallError: an argument is not so.
    """
    if len(random) != RANDOM_BYTES:
        raise WalletCallError("vci_call_malformed", part="random")
    if not kinds or len(set(kinds)) != len(kinds):
        raise WalletCallError("vci_call_malformed", part="kinds")
    if (tx_code and not _DIGITS.fullmatch(tx_code)) or len(tx_description) > MAX_DESCRIPTION:
        raise WalletCallError("vci_call_malformed", part="tx_code")
    text = jose.b64url(random)
    expires_at = now + CODE_LIFETIME
    code = Code(subject, tuple(kinds), expires_at, _tx_digest(text, tx_code) if tx_code else None)
    if not store.put_code(_digest("code", text), code):
        raise WalletCallError("vci_call_malformed", part="random")
    grant: dict[str, Any] = {"pre-authorized_code": text}
    if tx_code:
        grant["tx_code"] = {"input_mode": "numeric", "length": len(tx_code)}
        if tx_description:
            grant["tx_code"]["description"] = tx_description
    document = {
        "credential_issuer": issuer.url,
        "credential_configuration_ids": list(kinds),
        "grants": {GRANT_TYPE: grant},
    }
    return Offer(document, expires_at)


def redeem(store: WalletStore, body: bytes, *, now: datetime, random: bytes) -> dict[str, Any]:
    """The token response (§6.2) to the form *body* of a token request; *random*: 32 bytes never used before.

    Raises:
        WalletRefusedError: ``invalid_request``, ``unsupported_grant_type``, ``invalid_authorization_details`` or
            ``invalid_grant`` (which does not say whether the code or the transaction code was wrong).
        WalletCallError: *random* has another length or was used before.
    """
    if len(random) != RANDOM_BYTES:
        raise WalletCallError("vci_call_malformed", part="random")
    try:
        form = read_form(body, "token request")
    except FormatError as fault:
        raise WalletRefusedError("invalid_request", fault.code, **fault.finding_params) from None
    if _field(form, "grant_type") != GRANT_TYPE:
        raise WalletRefusedError("unsupported_grant_type", "vci_grant_type")
    if "authorization_details" in form:
        raise WalletRefusedError("invalid_authorization_details", "vci_authorization_details")
    code = _code(store, _field(form, "pre-authorized_code"), form.get("tx_code"), now)
    token = jose.b64url(random)
    if not store.put_access(_digest("token", token), Access(code.subject, code.kinds, now + TOKEN_LIFETIME)):
        raise WalletCallError("vci_call_malformed", part="random")
    return {"access_token": token, "token_type": "Bearer", "expires_in": int(TOKEN_LIFETIME.total_seconds())}


def nonce(store: WalletStore, *, now: datetime, random: bytes) -> dict[str, str]:
    """The nonce response (§7.2), to be sent with ``Cache-Control: no-store``; *random* as for `redeem`.

    Raises:
        WalletCallError: *random* has another length or was used before.
    """
    text = jose.b64url(random)
    if len(random) != RANDOM_BYTES or not store.put_nonce(_digest("nonce", text), now + NONCE_LIFETIME):
        raise WalletCallError("vci_call_malformed", part="random")
    return {"c_nonce": text}


def order(store: WalletStore, issuer: Issuer, *, authorization: str, body: bytes, now: datetime) -> Order:
    """What a credential request (§8.2) asks to be issued; *authorization* is the header of that name.

    Steps: 1. access token, 2. form, 3. configuration, 4. key proof, 5. nonce, 6. once only. A request that fails in
    step 6 has used up its nonce and nothing else.

    Raises:
        WalletRefusedError: ``invalid_token`` (status 401), ``invalid_credential_request``, ``invalid_proof``,
            ``unknown_credential_configuration``, ``unknown_credential_identifier``, ``invalid_encryption_parameters``,
            ``invalid_nonce`` or ``credential_request_denied`` (§8.3.1).
    """
    # Step 1: access token.
    token, access = _access(store, authorization, now)
    # Step 2: form. Step 3: configuration.
    request = _request(body)
    kind = request["credential_configuration_id"]
    if kind not in access.kinds:
        raise WalletRefusedError("unknown_credential_configuration", "vci_configuration_unknown")
    # Step 4: key proof.
    proof, holder = _proof(request.get("proofs"), issuer, now)
    # Step 5: nonce.
    if not store.spend_nonce(_digest("nonce", proof), now):
        raise WalletRefusedError("invalid_nonce", "vci_nonce_refused")
    # Step 6: once only. Another key under the same offer would be a second original on another telephone.
    if not store.deliver(token, kind):
        raise WalletRefusedError("credential_request_denied", "vci_already_issued")
    return Order(access.subject, kind, holder)


def credential_response(credential: str) -> dict[str, Any]:
    """The credential response (§8.3) with the compact SD-JWT VC that was issued."""
    return {"credentials": [{"credential": credential}]}


def _display(name: str, name_en: str) -> list[dict[str, str]]:
    english = [{"name": name_en, "locale": "en"}] if name_en else []
    return [{"name": name, "locale": "zh-CN"}, *english]


def _configuration(kind: LicenceKind, signing_algs: Sequence[str]) -> dict[str, Any]:
    return {
        "format": CREDENTIAL_TYP,
        "vct": VCT_PREFIX + kind.code,
        "credential_signing_alg_values_supported": list(signing_algs),
        "cryptographic_binding_methods_supported": ["jwk"],
        "proof_types_supported": {"jwt": {"proof_signing_alg_values_supported": list(jwt.HOLDER_ALGS)}},
        "credential_metadata": {
            "display": _display(kind.name, kind.name_en),
            "claims": [
                {"path": [f.name], "mandatory": f.required, "display": _display(f.title, f.title_en)} for f in kind.face
            ],
        },
    }


def _field(form: Mapping[str, str], name: str) -> str:
    if not form.get(name):
        raise WalletRefusedError("invalid_request", "vci_field_missing", name=name)
    return form[name]


def _code(store: WalletStore, text: str, tx_code: str | None, now: datetime) -> Code:
    digest = _digest("code", text)
    code = store.try_code(digest)
    if code is None or code.spent or now >= code.expires_at or code.tries >= MAX_TRIES:
        raise WalletRefusedError("invalid_grant", "vci_code_refused")
    if code.tx_code is None and tx_code is not None:
        raise WalletRefusedError("invalid_request", "vci_tx_code_unexpected")
    if code.tx_code is not None:
        if tx_code is None:
            raise WalletRefusedError("invalid_request", "vci_tx_code_missing")
        if not hmac.compare_digest(code.tx_code, _tx_digest(text, tx_code)):
            raise WalletRefusedError("invalid_grant", "vci_code_refused")
    if not store.spend_code(digest):
        raise WalletRefusedError("invalid_grant", "vci_code_refused")
    return code


def _access(store: WalletStore, authorization: str, now: datetime) -> tuple[bytes, Access]:
    scheme, _, token = authorization.partition(" ")
    digest = _digest("token", token)
    access = store.access(digest) if scheme.lower() == "bearer" and _TOKEN.fullmatch(token) else None
    if access is None or now >= access.expires_at:
        raise WalletRefusedError("invalid_token", "vci_token_refused")
    return digest, access


def _request(body: bytes) -> dict[str, Any]:
    error = "invalid_credential_request"
    if len(body) > MAX_REQUEST_BYTES:
        raise WalletRefusedError(error, "too_large", what="credential request", limit=MAX_REQUEST_BYTES)
    try:
        request = jose.strict_json(body, "credential request")
    except FormatError as fault:
        raise WalletRefusedError(error, fault.code, **fault.finding_params) from None
    if not isinstance(request, dict):
        raise WalletRefusedError(error, "vci_request_malformed", part="body")
    if "credential_response_encryption" in request:
        raise WalletRefusedError("invalid_encryption_parameters", "vci_no_encryption")
    if "credential_identifier" in request:
        if "credential_configuration_id" in request:
            raise WalletRefusedError(error, "vci_request_malformed", part="credential_identifier")
        raise WalletRefusedError("unknown_credential_identifier", "vci_identifier_unknown")
    if not isinstance(request.get("credential_configuration_id"), str):
        raise WalletRefusedError(error, "vci_request_malformed", part="credential_configuration_id")
    return request


def _proof(proofs: object, issuer: Issuer, now: datetime) -> tuple[str, HolderKey]:
    """The nonce and the key of the one proof (Appendix F.4)."""
    listed = proofs.get("jwt") if isinstance(proofs, dict) and set(proofs) == {"jwt"} else None
    if not isinstance(listed, list) or len(listed) != 1 or not isinstance(listed[0], str):
        raise _bad_proof("proofs")
    try:
        found = jwt.parse(listed[0], typ=PROOF_TYP, what=_PROOF, with_key=True)
        if found.key is None:
            raise _bad_proof("jwk")
        found.verify(found.key)
        jwt.check_fresh(found.payload, now, max_age=PROOF_MAX_AGE, skew=PROOF_SKEW, what=_PROOF)
    except FormatError as fault:
        raise WalletRefusedError("invalid_proof", fault.code, **fault.finding_params) from None
    if found.payload.get("aud") != issuer.url:
        raise _bad_proof("aud")
    # Appendix F.1: omitted where the token was obtained anonymously, as all of ours are.
    if "iss" in found.payload:
        raise _bad_proof("iss")
    text = found.payload.get("nonce")
    if not isinstance(text, str):
        raise _bad_proof("nonce")
    return text, found.key


def _bad_proof(part: str) -> WalletRefusedError:
    return WalletRefusedError("invalid_proof", "vci_proof_invalid", part=part)


def _digest(use: str, text: str) -> bytes:
    # 256 random bits need no salt and no stretching.
    return hashlib.sha256(f"{use}:{text}".encode("utf-8", "surrogatepass")).digest()


def _tx_digest(code: str, tx_code: str) -> bytes:
    # The code, which is kept nowhere, keeps who reads the store from trying all transaction codes.
    return hmac.digest(code.encode("utf-8", "surrogatepass"), tx_code.encode("utf-8", "surrogatepass"), "sha256")
