"""SM2 keys as values: sign with SM3, verify, and read and write them in their standard forms.

Certificates and which suite is allowed are left to `licence.suites`; what computes, to `licence.sm2.native` where the
machine's libcrypto knows SM2 and to `licence.sm2.pure`, which only verifies, where it does not.
"""

from __future__ import annotations

import base64
import binascii
import threading
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Final, NoReturn, Self

from cryptography.x509 import ObjectIdentifier

from licence.errors import FormatError, KeyFileError, PassphraseWrongError, Sm2UnavailableError
from licence.sm2 import native, pure, selftest
from licence.sm2.curve import FIELD_BYTES, SPKI_PREFIX, N, is_point, read_signature

# GM/T 0006: SM2 signature with SM3 digest.
SM2_WITH_SM3_OID: Final = ObjectIdentifier("1.2.156.10197.1.501")
MAX_PEM_BYTES: Final = 16 * 1024
# Handles of public keys kept; the same few signers come back all day.
_HANDLES: Final = 256
_BEGIN: Final = b"-----BEGIN ENCRYPTED PRIVATE KEY-----"
_END: Final = b"-----END ENCRYPTED PRIVATE KEY-----"
_LINE: Final = 64
# PrivateKeyInfo around an ECPrivateKey without public key, up to the scalar.
_PKCS8_PREFIX: Final = bytes.fromhex("3041020100301306072a8648ce3d020106082a811ccf5501822d042730250201010420")
_tested: list[str] = []
_lock = threading.Lock()


@dataclass(frozen=True, slots=True)
class Sm2PublicKey:
    """A point of the curve in its uncompressed form, 65 bytes; equal keys are equal values.

    Raises:
        FormatError: it is no such point.
    """

    point: bytes

    def __post_init__(self) -> None:
        if not is_point(self.point):
            raise FormatError("sm2_key_invalid")

    @classmethod
    def from_point(cls, point: bytes) -> Self:
        """The key of an uncompressed point (``04 ‖ x ‖ y``).

        Raises:
            FormatError: it is no point of the curve.
        """
        return cls(point)

    @classmethod
    def from_spki(cls, der: bytes) -> Self:
        """The key of a SubjectPublicKeyInfo: id-ecPublicKey, the named curve of SM2, an uncompressed point.

        Raises:
            FormatError: anything else.
        """
        if not der.startswith(SPKI_PREFIX):
            raise FormatError("sm2_key_invalid")
        return cls(der[len(SPKI_PREFIX) :])

    def to_spki(self) -> bytes:
        """The SubjectPublicKeyInfo, DER."""
        return SPKI_PREFIX + self.point

    def verify(self, signature: bytes, data: bytes) -> None:
        """Check a DER signature over *data*, user id ``1234567812345678``.

        Raises:
            FormatError: sub-indication ``SIG_CRYPTO_FAILURE``.
            Sm2UnavailableError: this machine computes SM2 wrongly.
        """
        r, s = read_signature(signature)
        engine = _verifying_engine()
        good = (
            pure.verifies(self.point, r, s, data)
            if engine is None
            else engine.verifies(_handle(self.point), signature, data)
        )
        if not good:
            raise FormatError("signature_wrong", sub_indication="SIG_CRYPTO_FAILURE")


@dataclass(frozen=True, slots=True, eq=False)
class Sm2PrivateKey:
    """A private key inside libcrypto; it shows in no ``repr`` and can be neither copied nor pickled.

    Safe to share between threads. Not deterministic: two signatures over the same bytes differ.
    """

    _handle: native.Key = field(repr=False)
    _public: Sm2PublicKey

    @classmethod
    def generate(cls) -> Self:
        """A new key from libcrypto's randomness.

        Raises:
            Sm2UnavailableError: this machine cannot sign SM2.
        """
        return cls._of(_signing_engine().generate())

    @classmethod
    def derive(cls, scalar: int) -> Self:
        """The key of a given *scalar*, from 1 to n - 2.

        Raises:
            KeyFileError: *scalar* is out of range.
            Sm2UnavailableError: this machine cannot sign SM2.
        """
        # n - 1 would make 1 + d, which signing divides by, zero.
        if not 0 < scalar < N - 1:
            raise KeyFileError("sm2_private_key_invalid")
        return cls._of(_signing_engine().private(_PKCS8_PREFIX + scalar.to_bytes(FIELD_BYTES, "big")))

    @classmethod
    def from_pem(cls, pem: bytes, passphrase: bytes) -> Self:
        """Read encrypted PKCS#8 PEM, as `to_pem` or OpenSSL writes it; text around the block is passed over.

        Raises:
            KeyFileError: there is no such block, or it is damaged.
            PassphraseWrongError: the passphrase is wrong, or the ciphertext damaged: the two cannot be told apart.
            Sm2UnavailableError: this machine cannot sign SM2.
        """
        engine = _signing_engine()
        body = pem[:MAX_PEM_BYTES].partition(_BEGIN)[2].partition(_END)[0]
        try:
            der = base64.b64decode(b"".join(body.split()), validate=True)
        except binascii.Error:
            raise KeyFileError("sm2_private_key_invalid") from None
        try:
            handle = engine.decrypted(der, passphrase)
        except native.NativeError:
            raise KeyFileError("sm2_private_key_invalid") from None
        if handle is None:
            raise PassphraseWrongError(path="PEM")
        return cls._of(handle)

    @classmethod
    def _of(cls, handle: native.Key) -> Self:
        return cls(handle, Sm2PublicKey.from_spki(_signing_engine().spki(handle)))

    def public_key(self) -> Sm2PublicKey:
        """The public half."""
        return self._public

    def sign(self, data: bytes) -> bytes:
        """The DER signature over *data* by SM2 with SM3 and user id ``1234567812345678``, with a fresh nonce."""
        return _signing_engine().sign(self._handle, data)

    def to_pem(self, passphrase: bytes) -> bytes:
        """Encrypted PKCS#8 PEM: PBES2 with scrypt and AES-256-CBC. The caller decides what a passphrase must be."""
        text = base64.b64encode(_signing_engine().encrypted(self._handle, passphrase))
        lines = [text[i : i + _LINE] for i in range(0, len(text), _LINE)]
        return b"\n".join([_BEGIN, *lines, _END, b""])

    def __reduce__(self) -> NoReturn:
        message = "an SM2 private key cannot be copied or pickled"
        raise TypeError(message)


def self_test() -> None:
    """Compute known answers, sign, verify and refuse; done once in a process, before the first use anyway.

    Raises:
        Sm2UnavailableError: an answer is wrong. Nothing of SM2 works then.
    """
    if not _tested:
        with _lock:
            if not _tested:
                try:
                    _tested.append(selftest.fault(native.load()))
                except native.NativeError:
                    _tested.append("libcrypto")
    if _tested[0]:
        raise Sm2UnavailableError("sm2_self_test_failed", detail=_tested[0])


def _verifying_engine() -> native.Native | None:
    self_test()
    return native.load()


def _signing_engine() -> native.Native:
    self_test()
    engine = native.load()
    if engine is None:
        raise Sm2UnavailableError("sm2_unavailable")
    return engine


@lru_cache(maxsize=_HANDLES)
def _handle(point: bytes) -> native.Key:
    return _signing_engine().public(SPKI_PREFIX + point)
