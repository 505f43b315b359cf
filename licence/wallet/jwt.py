"""JWTs that a holder's key signs: key binding (RFC 9901 §4.3) and key proofs (OpenID4VCI 1.0 Appendix F.1).

They carry no certificates, hence their own reader beside `licence.jose`. What their claims must say is left to
`licence.wallet.binding` and `licence.wallet.vci`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from licence import jose
from licence.errors import FormatError
from licence.suites import ECDSA_P256_SHA256, ED25519, SUITES, suite_of_key
from licence.wallet.jwk import from_jwk, to_jwk

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime, timedelta

    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    from licence.wallet.jwk import HolderKey

# What phones' key stores offer; by their fully specified names (RFC 9864).
HOLDER_ALGS = {SUITES[name].jose_alg: SUITES[name] for name in (ECDSA_P256_SHA256, ED25519)}
MAX_JWT_BYTES = 8 * 1024
_PARTS = 3


@dataclass(frozen=True, slots=True)
class HolderJwt:
    """A parsed, **unverified** JWT of a holder; *key* is the header's ``jwk``, None where none may stand."""

    token: str
    alg: str
    key: HolderKey | None
    payload: Mapping[str, Any]
    signing_input: bytes = field(repr=False)
    signature: bytes = field(repr=False)

    def verify(self, key: HolderKey) -> None:
        """Check the signature by *key*, whose suite must be that of ``alg``.

        Raises:
            FormatError: sub-indication ``SIG_CRYPTO_FAILURE``.
        """
        suite = HOLDER_ALGS[self.alg]
        if not suite.owns(key):
            raise FormatError("alg_not_of_key", sub_indication="SIG_CRYPTO_FAILURE")
        suite.verify(key, self.signature, self.signing_input)


def parse(token: str, *, typ: str, what: str, with_key: bool) -> HolderJwt:
    """Read a compact JWT whose header holds ``alg``, ``typ`` and, *with_key*, the ``jwk`` it is to be verified by.

    A ``kid`` beside a key that is known otherwise is not looked at; ``crit`` and every other member are refused.

    Raises:
        FormatError: not of this form.
    """
    if len(token) > MAX_JWT_BYTES:
        raise FormatError("too_large", what=what, limit=MAX_JWT_BYTES)
    parts = token.split(".")
    if len(parts) != _PARTS or not token.isascii():
        raise FormatError("not_compact", what=what)
    header = jose.strict_json(jose.b64url_decode(parts[0], f"{what} header"), f"{what} header")
    payload = jose.strict_json(jose.b64url_decode(parts[1], f"{what} payload"), f"{what} payload")
    if not isinstance(header, dict) or not isinstance(payload, dict):
        raise FormatError("json_invalid", what=what)
    if header.get("typ") != typ:
        raise FormatError("wrong_typ", what=what, expected=typ)
    alg = header.get("alg")
    if not isinstance(alg, str) or alg not in HOLDER_ALGS:
        raise FormatError("alg_not_allowed", what=what)
    if not set(header) <= {"alg", "typ", "jwk" if with_key else "kid"}:
        raise FormatError("unknown_member", what=f"{what} header")
    return HolderJwt(
        token=token,
        alg=alg,
        key=from_jwk(header.get("jwk"), f"{what} jwk") if with_key else None,
        payload=payload,
        signing_input=f"{parts[0]}.{parts[1]}".encode("ascii"),
        signature=jose.b64url_decode(parts[2], f"{what} signature"),
    )


def sign(
    key: ec.EllipticCurvePrivateKey | Ed25519PrivateKey, typ: str, payload: Mapping[str, Any], *, with_key: bool
) -> str:
    """A compact JWT by a holder's *key*; *with_key*: its public half stands in the header.

    Raises:
        FormatError: the key is neither P-256 nor Ed25519.
    """
    suite = suite_of_key(key)
    if suite is None or suite.jose_alg not in HOLDER_ALGS:
        raise FormatError("jwk_invalid", what="jwk")
    header: dict[str, Any] = {"typ": typ, "alg": suite.jose_alg}
    if with_key:
        header["jwk"] = to_jwk(key.public_key())
    signing_input = f"{jose.b64url(jose.compact_json(header))}.{jose.b64url(jose.compact_json(payload))}"
    return f"{signing_input}.{jose.b64url(suite.sign(key, signing_input.encode('ascii')))}"


def check_fresh(payload: Mapping[str, Any], at: datetime, *, max_age: timedelta, skew: timedelta, what: str) -> None:
    """Check that ``iat`` is no older than *max_age* and no more than *skew* ahead, and ``nbf``, ``exp`` where present.

    Raises:
        FormatError: it is not so.
    """
    now = at.timestamp()
    issued = jose.numeric_date(payload, "iat", what)
    if not now - max_age.total_seconds() <= issued <= now + skew.total_seconds():
        raise FormatError("jwt_not_fresh", sub_indication="SIG_CONSTRAINTS_FAILURE", what=what)
    if "nbf" in payload and jose.numeric_date(payload, "nbf", what) > now + skew.total_seconds():
        raise FormatError("jwt_not_fresh", sub_indication="SIG_CONSTRAINTS_FAILURE", what=what)
    if "exp" in payload and jose.numeric_date(payload, "exp", what) <= now:
        raise FormatError("jwt_not_fresh", sub_indication="SIG_CONSTRAINTS_FAILURE", what=what)
