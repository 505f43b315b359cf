"""Holders' public keys as JSON Web Keys (RFC 7517): P-256 (RFC 7518 §6.2) and Ed25519 (RFC 8037), public only.

What a key may do, and whose it is, is left to who reads it out of a signed place.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from licence import jose
from licence.errors import FormatError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import TypeAlias

    HolderKey: TypeAlias = ec.EllipticCurvePublicKey | Ed25519PublicKey

COORDINATE_BYTES = 32
_MEMBERS = {"EC": frozenset({"kty", "crv", "x", "y"}), "OKP": frozenset({"kty", "crv", "x"})}
_CURVES = {"EC": "P-256", "OKP": "Ed25519"}
# What wallets say about a key beside it. It is read as text and judged by nobody.
_DESCRIPTIVE = frozenset({"kid", "use", "alg"})
_MAX_MEMBER = 512


def to_jwk(key: HolderKey) -> dict[str, str]:
    """The key's members as RFC 7638 §3.2 requires them, in lexicographic order.

    Raises:
        FormatError: neither P-256 nor Ed25519.
    """
    if isinstance(key, Ed25519PublicKey):
        return {"crv": "Ed25519", "kty": "OKP", "x": jose.b64url(key.public_bytes_raw())}
    if not isinstance(key, ec.EllipticCurvePublicKey) or not isinstance(key.curve, ec.SECP256R1):
        raise FormatError("jwk_invalid", what="jwk")
    numbers = key.public_numbers()
    x, y = (jose.b64url(n.to_bytes(COORDINATE_BYTES, "big")) for n in (numbers.x, numbers.y))
    return {"crv": "P-256", "kty": "EC", "x": x, "y": y}


def from_jwk(value: object, what: str) -> HolderKey:
    """The key that *value* describes; ``kid``, ``use`` and ``alg`` may stand beside it and are not looked at.

    Raises:
        FormatError: any other member (``d``, a private key, foremost), curve or spelling; a point not on its curve.
    """
    kty = value.get("kty") if isinstance(value, dict) else None
    if not isinstance(value, dict) or not isinstance(kty, str) or kty not in _MEMBERS:
        raise FormatError("jwk_invalid", what=what)
    if not _MEMBERS[kty] <= set(value) <= _MEMBERS[kty] | _DESCRIPTIVE or value["crv"] != _CURVES[kty]:
        raise FormatError("jwk_invalid", what=what)
    if not all(isinstance(member, str) and len(member) <= _MAX_MEMBER for member in value.values()):
        raise FormatError("jwk_invalid", what=what)
    try:
        x = _coordinate(value["x"], what)
        if kty == "OKP":
            return Ed25519PublicKey.from_public_bytes(x)
        y = _coordinate(value["y"], what)
        point = ec.EllipticCurvePublicNumbers(int.from_bytes(x, "big"), int.from_bytes(y, "big"), ec.SECP256R1())
        return point.public_key()
    except (ValueError, UnsupportedAlgorithm):
        raise FormatError("jwk_invalid", what=what) from None


def thumbprint(key: HolderKey) -> str:
    """The JWK SHA-256 thumbprint (RFC 7638), base64url: how records name a holder's key."""
    members: Mapping[str, Any] = to_jwk(key)
    return jose.b64url(hashlib.sha256(jose.compact_json(members)).digest())


def _coordinate(text: str, what: str) -> bytes:
    data = jose.b64url_decode(text, what)
    if len(data) != COORDINATE_BYTES:
        raise FormatError("jwk_invalid", what=what)
    return data
