"""The keys of client systems: three algorithms, and for each key exactly one of them.

What is signed is `hub.signing.requests`'; how keys are registered, `hub`'s. Algorithm names are those of RFC 9421
§6.2.2; ``sm2-sm3`` is not in that registry: SM2 with SM3 (GB/T 32918.2), user id as GM/T 0009 has it by default.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Protocol

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from audit import sm2
from audit.errors import KeyTextError, Sm2SignatureInvalidError
from hub.signing.errors import SignatureWrongError

if TYPE_CHECKING:
    from collections.abc import Callable

ED25519: Final = "ed25519"
P256: Final = "ecdsa-p256-sha256"
SM2: Final = "sm2-sm3"
ALGORITHMS: Final = (ED25519, P256, SM2)

_HALF_BYTES: Final = 32
_FIXED_BYTES: Final = 64
_SHA256: Final = ec.ECDSA(hashes.SHA256())
# The y coordinates of Ed25519's eight points of small order, and their spellings beyond the field's prime (RFC 8032
# §5.1.3). One signature of such a key fits any message, and the library takes it.
_PRIME: Final = 2**255 - 19
_ORDER_8: Final = 0x5FC536D880238B13933C6D305ACDFD5F098EFF289F4C345B027B2C28F95E826
_SMALL_ORDER: Final = frozenset({0, 1, _PRIME - 1, _PRIME, _PRIME + 1, _ORDER_8, _PRIME - _ORDER_8})
_SIGN_BIT: Final = 1 << 255


class PublicKey(Protocol):
    """A key of one algorithm. Safe for many threads."""

    @property
    def algorithm(self) -> str:
        """One of `ALGORITHMS`."""

    @property
    def raw(self) -> bytes:
        """The 32 bytes of an Ed25519 key, the uncompressed point of another."""

    def verify(self, signature: bytes, data: bytes) -> None:
        """Check *signature* (64 bytes). Raises: SignatureWrongError."""


@dataclass(frozen=True, slots=True)
class Ed25519Key:
    """An Ed25519 key (RFC 8032)."""

    key: Ed25519PublicKey
    algorithm: str = ED25519
    raw: bytes = field(init=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "raw", self.key.public_bytes_raw())

    def verify(self, signature: bytes, data: bytes) -> None:
        """See `PublicKey`."""
        if len(signature) != _FIXED_BYTES:
            raise SignatureWrongError
        _check_ed25519(self, signature, data)


@dataclass(frozen=True, slots=True)
class P256Key:
    """An ECDSA key on P-256; a signature is r and s of 32 bytes each (RFC 9421 §3.3.4)."""

    key: ec.EllipticCurvePublicKey
    algorithm: str = P256

    @property
    def raw(self) -> bytes:
        """See `PublicKey`."""
        return self.key.public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)

    def verify(self, signature: bytes, data: bytes) -> None:
        """See `PublicKey`."""
        if len(signature) != _FIXED_BYTES:
            raise SignatureWrongError
        r, s = (int.from_bytes(half, "big") for half in (signature[:_HALF_BYTES], signature[_HALF_BYTES:]))
        try:
            self.key.verify(encode_dss_signature(r, s), data, _SHA256)
        except InvalidSignature as error:
            raise SignatureWrongError from error


@dataclass(frozen=True, slots=True)
class Sm2Key:
    """An SM2 key; a signature is r and s of 32 bytes each."""

    key: sm2.Sm2PublicKey
    algorithm: str = SM2

    @property
    def raw(self) -> bytes:
        """See `PublicKey`."""
        return self.key.to_point()

    def verify(self, signature: bytes, data: bytes) -> None:
        """See `PublicKey`."""
        try:
            self.key.verify(sm2.from_fixed(signature), data)
        except Sm2SignatureInvalidError as error:
            raise SignatureWrongError from error


@dataclass(frozen=True, slots=True)
class PrivateKey:
    """What a client system signs with: *sign* makes 64 bytes of the data it is given."""

    public: PublicKey
    sign: Callable[[bytes], bytes]


def _by_openssl(key: Ed25519Key, signature: bytes, data: bytes) -> None:
    try:
        key.key.verify(signature, data)
    except InvalidSignature as error:
        raise SignatureWrongError from error


def _sodium() -> Callable[[Ed25519Key, bytes, bytes], None]:
    """The check by libsodium, which takes half of OpenSSL's time and is no less strict. Raises: ImportError."""
    from nacl.bindings import crypto_sign_open  # noqa: PLC0415 - whoever only calls need not have it
    from nacl.exceptions import BadSignatureError  # noqa: PLC0415 - as above

    def check(key: Ed25519Key, signature: bytes, data: bytes) -> None:
        try:
            crypto_sign_open(signature + data, key.raw)
        except BadSignatureError as error:
            raise SignatureWrongError from error

    return check


try:
    _check_ed25519 = _sodium()
except ImportError:
    _check_ed25519 = _by_openssl


def public_key(text: str) -> PublicKey:
    """The key written by `public_text`: ``ALGORITHM:`` and base64url of its raw bytes.

    Raises:
        KeyTextError: it is none.
        audit.errors.Sm2MissingError: an SM2 key, on a machine that cannot check one.
    """
    algorithm, _, encoded = text.strip().partition(":")
    try:
        raw = base64.b64decode(encoded + "=" * (-len(encoded) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError) as error:
        raise KeyTextError(problem="it is not base64url") from error
    if base64.urlsafe_b64encode(raw).rstrip(b"=").decode() != encoded:
        raise KeyTextError(problem="it is not base64url in its only form")
    try:
        match algorithm:
            case "ed25519":
                return ed25519_key(Ed25519PublicKey.from_public_bytes(raw))
            case "ecdsa-p256-sha256":
                key = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), raw)
                if len(raw) != 1 + _FIXED_BYTES:
                    raise KeyTextError(problem="the point is compressed")
                return P256Key(key)
            case "sm2-sm3":
                return Sm2Key(sm2.Sm2PublicKey.from_point(raw))
    except ValueError as error:
        raise KeyTextError(problem=f"the bytes are no key of `{algorithm}`") from error
    raise KeyTextError(problem=f"its algorithm is none of {', '.join(ALGORITHMS)}")


def ed25519_key(key: Ed25519PublicKey) -> Ed25519Key:
    """*key*, unless it is one for which anybody can sign. Raises: KeyTextError."""
    if int.from_bytes(key.public_bytes_raw(), "little") & ~_SIGN_BIT in _SMALL_ORDER:
        raise KeyTextError(problem="a point of small order is no key")
    return Ed25519Key(key)


def public_text(key: PublicKey) -> str:
    """The form that is registered and handed around."""
    return f"{key.algorithm}:{_b64url(key.raw)}"


def key_id(key: PublicKey) -> str:
    """The key's thumbprint (RFC 7638, SHA-256); of an SM2 key with ``crv`` ``SM2``, which has no registered name."""
    if key.algorithm == ED25519:
        members = {"crv": "Ed25519", "kty": "OKP", "x": _b64url(key.raw)}
    else:
        x, y = key.raw[1 : 1 + _HALF_BYTES], key.raw[1 + _HALF_BYTES :]
        curve = "P-256" if key.algorithm == P256 else "SM2"
        members = {"crv": curve, "kty": "EC", "x": _b64url(x), "y": _b64url(y)}
    canonical = json.dumps(members, separators=(",", ":"), sort_keys=True)
    return _b64url(hashlib.sha256(canonical.encode()).digest())


def ed25519_signer(key: Ed25519PrivateKey) -> PrivateKey:
    """Sign with Ed25519."""
    return PrivateKey(Ed25519Key(key.public_key()), key.sign)


def p256_signer(key: ec.EllipticCurvePrivateKey) -> PrivateKey:
    """Sign with ECDSA on P-256. Raises: KeyTextError: the key is on another curve."""
    if not isinstance(key.curve, ec.SECP256R1):
        raise KeyTextError(problem="the key is not on P-256")

    def sign(data: bytes) -> bytes:
        r, s = decode_dss_signature(key.sign(data, _SHA256))
        return r.to_bytes(_HALF_BYTES, "big") + s.to_bytes(_HALF_BYTES, "big")

    return PrivateKey(P256Key(key.public_key()), sign)


def sm2_signer(key: sm2.Sm2PrivateKey) -> PrivateKey:
    """Sign with SM2."""
    return PrivateKey(Sm2Key(key.public_key), lambda data: sm2.to_fixed(key.sign(data)))


def _b64url(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()
