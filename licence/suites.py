"""The closed list of signature suites; which one applies is chosen by policy and key, never by the message.

It leaves keeping keys to `licence.keys` and deciding which suites a verifier allows to `licence.trust`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.x509.oid import SignatureAlgorithmOID

from licence.errors import FormatError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from cryptography.x509 import ObjectIdentifier

ECDSA_P256_SHA256 = "ecdsa-p256-sha256"
_P256_BYTES = 32


class Suite(Protocol):
    """One way to sign. Promises: `verify` returns None or raises; `sign` is deterministic; both are thread-safe."""

    name: str
    jose_alg: str
    certificate_oid: ObjectIdentifier

    def generate(self) -> ec.EllipticCurvePrivateKey:
        """A new private key from the operating system's randomness."""

    def owns(self, key: object) -> bool:
        """Whether *key*, public or private, is of this suite."""

    def sign(self, key: ec.EllipticCurvePrivateKey, data: bytes) -> bytes:
        """The JWS form of the signature over *data*."""

    def verify(self, key: object, signature: bytes, data: bytes) -> None:
        """Check the JWS form of a signature.

        Raises:
            FormatError: with sub-indication ``SIG_CRYPTO_FAILURE``.
        """


class EcdsaP256Sha256:
    """ECDSA over P-256 with SHA-256, RFC 7518 §3.4 (ES256); nonces after RFC 6979, so signing is a function."""

    name = ECDSA_P256_SHA256
    jose_alg = "ES256"
    certificate_oid = SignatureAlgorithmOID.ECDSA_WITH_SHA256

    def generate(self) -> ec.EllipticCurvePrivateKey:
        """A new P-256 key."""
        return ec.generate_private_key(ec.SECP256R1())

    def owns(self, key: object) -> bool:
        """Whether *key* lies on P-256."""
        keys = (ec.EllipticCurvePrivateKey, ec.EllipticCurvePublicKey)
        return isinstance(key, keys) and isinstance(key.curve, ec.SECP256R1)

    def sign(self, key: ec.EllipticCurvePrivateKey, data: bytes) -> bytes:
        """64 bytes: r ‖ s, big-endian."""
        r, s = decode_dss_signature(key.sign(data, ec.ECDSA(SHA256(), deterministic_signing=True)))
        return r.to_bytes(_P256_BYTES, "big") + s.to_bytes(_P256_BYTES, "big")

    def verify(self, key: object, signature: bytes, data: bytes) -> None:
        """Check r ‖ s over *data* (see `Suite.verify`)."""
        if not isinstance(key, ec.EllipticCurvePublicKey) or not self.owns(key) or len(signature) != 2 * _P256_BYTES:
            raise FormatError("signature_wrong", sub_indication="SIG_CRYPTO_FAILURE")
        r = int.from_bytes(signature[:_P256_BYTES], "big")
        s = int.from_bytes(signature[_P256_BYTES:], "big")
        try:
            key.verify(encode_dss_signature(r, s), data, ec.ECDSA(SHA256()))
        except InvalidSignature:
            raise FormatError("signature_wrong", sub_indication="SIG_CRYPTO_FAILURE") from None


SUITES: Mapping[str, Suite] = {ECDSA_P256_SHA256: EcdsaP256Sha256()}


def suite_of_key(key: object) -> Suite | None:
    """The suite a public or private key belongs to, or None."""
    return next((s for s in SUITES.values() if s.owns(key)), None)
