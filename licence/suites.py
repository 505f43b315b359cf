"""The closed list of signature suites; which one applies is chosen by policy and key, never by the message.

It leaves keeping keys to `licence.keys` and deciding which suites a verifier allows to `licence.trust`.

Each suite has two forms of a signature: the JWS form (RFC 7515; for the curves P-256 and SM2 the 64 bytes r ‖ s) and
the DER form of certificates, revocation lists, CMS and seals (for these curves SEQUENCE {r, s}).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Protocol, TypeAlias

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA65PrivateKey, MLDSA65PublicKey
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.x509 import ObjectIdentifier
from cryptography.x509.oid import SignatureAlgorithmOID

from licence.errors import FormatError
from licence.sm2 import SM2_WITH_SM3_OID, Sm2PrivateKey, Sm2PublicKey

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import NoReturn

ECDSA_P256_SHA256 = "ecdsa-p256-sha256"
SM2_SM3 = "sm2-sm3"
ED25519 = "ed25519"
ML_DSA_65 = "ml-dsa-65"

PrivateKey: TypeAlias = ec.EllipticCurvePrivateKey | Sm2PrivateKey | Ed25519PrivateKey | MLDSA65PrivateKey
PublicKey: TypeAlias = ec.EllipticCurvePublicKey | Sm2PublicKey | Ed25519PublicKey | MLDSA65PublicKey
_COORDINATE_BYTES = 32


class Suite(Protocol):
    """One way to sign.

    Promises: the `verify` functions return None or raise; everything is thread-safe; where *deterministic* is true, the
    same key signs the same bytes the same way each time.
    """

    name: str
    jose_alg: str
    certificate_oid: ObjectIdentifier
    deterministic: bool

    def generate(self) -> PrivateKey:
        """A new private key from the operating system's randomness."""

    def owns(self, key: object) -> bool:
        """Whether *key*, public or private, is of this suite."""

    def sign(self, key: PrivateKey, data: bytes) -> bytes:
        """The JWS form of the signature over *data*.

        Raises:
            TypeError: *key* is not of this suite.
        """

    def sign_der(self, key: PrivateKey, data: bytes) -> bytes:
        """The DER form of the signature over *data* (see `sign`)."""

    def verify(self, key: object, signature: bytes, data: bytes) -> None:
        """Check the JWS form of a signature.

        Raises:
            FormatError: with sub-indication ``SIG_CRYPTO_FAILURE``.
        """

    def verify_der(self, key: object, signature: bytes, data: bytes) -> None:
        """Check the DER form of a signature, strictly: there is one spelling of it (see `verify`)."""

    def jws_form(self, signature_der: bytes) -> bytes:
        """The JWS form of a signature given in its DER form (see `verify`)."""


_ES256 = ec.ECDSA(SHA256(), deterministic_signing=True)


class _OnCurve(ABC):
    """What P-256 and SM2 share: r and s below 2²⁵⁶, 64 bytes in the JWS form."""

    def sign(self, key: PrivateKey, data: bytes) -> bytes:
        """64 bytes: r ‖ s, big-endian."""
        return self.jws_form(self.sign_der(key, data))

    @abstractmethod
    def sign_der(self, key: PrivateKey, data: bytes) -> bytes:
        """SEQUENCE {r, s} (see `Suite.sign_der`)."""

    def verify(self, key: object, signature: bytes, data: bytes) -> None:
        """Check r ‖ s over *data* (see `Suite.verify`)."""
        if len(signature) != 2 * _COORDINATE_BYTES:
            _refuse()
        r = int.from_bytes(signature[:_COORDINATE_BYTES], "big")
        s = int.from_bytes(signature[_COORDINATE_BYTES:], "big")
        self.verify_der(key, encode_dss_signature(r, s), data)

    @abstractmethod
    def verify_der(self, key: object, signature: bytes, data: bytes) -> None:
        """Check SEQUENCE {r, s} over *data* (see `Suite.verify_der`)."""

    def jws_form(self, signature_der: bytes) -> bytes:
        """64 bytes: r ‖ s, big-endian."""
        try:
            r, s = decode_dss_signature(signature_der)
            return r.to_bytes(_COORDINATE_BYTES, "big") + s.to_bytes(_COORDINATE_BYTES, "big")
        except (ValueError, OverflowError):
            _refuse()


class EcdsaP256Sha256(_OnCurve):
    """ECDSA over P-256 with SHA-256, RFC 7518 §3.4 (ES256); nonces after RFC 6979, so signing is a function."""

    name = ECDSA_P256_SHA256
    jose_alg = "ES256"
    certificate_oid = SignatureAlgorithmOID.ECDSA_WITH_SHA256
    deterministic = True

    def generate(self) -> ec.EllipticCurvePrivateKey:
        """A new P-256 key."""
        return ec.generate_private_key(ec.SECP256R1())

    def owns(self, key: object) -> bool:
        """Whether *key* lies on P-256."""
        keys = (ec.EllipticCurvePrivateKey, ec.EllipticCurvePublicKey)
        return isinstance(key, keys) and isinstance(key.curve, ec.SECP256R1)

    def sign_der(self, key: PrivateKey, data: bytes) -> bytes:
        """SEQUENCE {r, s} (see `Suite.sign_der`)."""
        if not isinstance(key, ec.EllipticCurvePrivateKey) or not self.owns(key):
            _refuse_key(key)
        return key.sign(data, _ES256)

    def verify_der(self, key: object, signature: bytes, data: bytes) -> None:
        """Check SEQUENCE {r, s} over *data* (see `Suite.verify_der`)."""
        if not isinstance(key, ec.EllipticCurvePublicKey) or not self.owns(key):
            _refuse()
        try:
            # OpenSSL refuses every spelling but the one it would write itself.
            key.verify(signature, data, ec.ECDSA(SHA256()))
        except InvalidSignature:
            _refuse()


class Sm2Sm3(_OnCurve):
    """SM2 with SM3 and the usual user id (GB/T 32918.2, GM/T 0009); its nonces are random."""

    name = SM2_SM3
    # IANA's JOSE registry has no SM2, and the names in use differ. RFC 7515 §4.1.1 asks for a collision-resistant name
    # where none is registered: the algorithm's own object identifier is one.
    jose_alg = "urn:oid:1.2.156.10197.1.501"
    certificate_oid = SM2_WITH_SM3_OID
    deterministic = False

    def generate(self) -> Sm2PrivateKey:
        """A new SM2 key.

        Raises:
            Sm2UnavailableError: this machine cannot sign SM2.
        """
        return Sm2PrivateKey.generate()

    def owns(self, key: object) -> bool:
        """Whether *key* is an SM2 key."""
        return isinstance(key, Sm2PrivateKey | Sm2PublicKey)

    def sign_der(self, key: PrivateKey, data: bytes) -> bytes:
        """SEQUENCE {r, s} (see `Suite.sign_der`)."""
        if not isinstance(key, Sm2PrivateKey):
            _refuse_key(key)
        return key.sign(data)

    def verify_der(self, key: object, signature: bytes, data: bytes) -> None:
        """Check SEQUENCE {r, s} over *data* (see `Suite.verify_der`)."""
        if not isinstance(key, Sm2PublicKey):
            _refuse()
        key.verify(signature, data)


class _AsItIs(ABC):
    """What Ed25519 and ML-DSA share: both forms are the signature's bytes as its standard gives them."""

    def sign(self, key: PrivateKey, data: bytes) -> bytes:
        """The signature over *data* (see `Suite.sign`)."""
        return self.sign_der(key, data)

    @abstractmethod
    def sign_der(self, key: PrivateKey, data: bytes) -> bytes:
        """The signature over *data* (see `Suite.sign_der`)."""

    def verify(self, key: object, signature: bytes, data: bytes) -> None:
        """Check a signature over *data* (see `Suite.verify`)."""
        self.verify_der(key, signature, data)

    @abstractmethod
    def verify_der(self, key: object, signature: bytes, data: bytes) -> None:
        """Check a signature over *data* (see `Suite.verify_der`)."""

    def jws_form(self, signature_der: bytes) -> bytes:
        """The same bytes."""
        return signature_der


class Ed25519(_AsItIs):
    """Ed25519 (RFC 8032); in JWS by its fully specified name (RFC 9864 §2.2), in certificates by RFC 8410."""

    name = ED25519
    jose_alg = "Ed25519"
    certificate_oid = SignatureAlgorithmOID.ED25519
    deterministic = True

    def generate(self) -> Ed25519PrivateKey:
        """A new Ed25519 key."""
        return Ed25519PrivateKey.generate()

    def owns(self, key: object) -> bool:
        """Whether *key* is an Ed25519 key."""
        return isinstance(key, Ed25519PrivateKey | Ed25519PublicKey)

    def sign_der(self, key: PrivateKey, data: bytes) -> bytes:
        """64 bytes (see `Suite.sign_der`)."""
        if not isinstance(key, Ed25519PrivateKey):
            _refuse_key(key)
        return key.sign(data)

    def verify_der(self, key: object, signature: bytes, data: bytes) -> None:
        """Check 64 bytes over *data* (see `Suite.verify_der`)."""
        if not isinstance(key, Ed25519PublicKey):
            _refuse()
        try:
            key.verify(signature, data)
        except InvalidSignature:
            _refuse()


class MlDsa65(_AsItIs):
    """ML-DSA-65 (FIPS 204), a second signature against quantum computers; its signing is hedged with randomness."""

    name = ML_DSA_65
    jose_alg = "ML-DSA-65"
    certificate_oid = ObjectIdentifier("2.16.840.1.101.3.4.3.18")
    deterministic = False

    def generate(self) -> MLDSA65PrivateKey:
        """A new ML-DSA-65 key."""
        return MLDSA65PrivateKey.generate()

    def owns(self, key: object) -> bool:
        """Whether *key* is an ML-DSA-65 key."""
        return isinstance(key, MLDSA65PrivateKey | MLDSA65PublicKey)

    def sign_der(self, key: PrivateKey, data: bytes) -> bytes:
        """3,309 bytes (see `Suite.sign_der`)."""
        if not isinstance(key, MLDSA65PrivateKey):
            _refuse_key(key)
        return key.sign(data)

    def verify_der(self, key: object, signature: bytes, data: bytes) -> None:
        """Check 3,309 bytes over *data* (see `Suite.verify_der`)."""
        if not isinstance(key, MLDSA65PublicKey):
            _refuse()
        try:
            key.verify(signature, data)
        except (InvalidSignature, UnsupportedAlgorithm):
            _refuse()


# The suites a licence, a status list, a certificate or a seal may be signed with.
SUITES: Mapping[str, Suite] = {s.name: s for s in (EcdsaP256Sha256(), Sm2Sm3(), Ed25519())}
# These only ever stand beside a signature of one of `SUITES`; nothing holds by them alone.
SECOND_SUITES: Mapping[str, Suite] = {s.name: s for s in (MlDsa65(),)}


def suite_of_key(key: object) -> Suite | None:
    """The suite (never a second one) a public or private key belongs to, or None."""
    return next((s for s in SUITES.values() if s.owns(key)), None)


def _refuse_key(key: object) -> NoReturn:
    message = f"a private key of the suite is needed, not a {type(key).__name__}"
    raise TypeError(message)


def _refuse() -> NoReturn:
    raise FormatError("signature_wrong", sub_indication="SIG_CRYPTO_FAILURE")
