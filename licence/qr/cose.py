"""COSE_Sign1 (RFC 9052 §4.2) with one spelling: protected algorithm and key id, nothing unprotected, payload attached.

Which certificates are trusted, and what the payload says, is left to `licence.qr.code`.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from licence.errors import FormatError, IssueRefusedError
from licence.qr import cbor
from licence.suites import SUITES, suite_of_key

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from licence.keys import SigningKey

# CBOR tag 18, which says that COSE_Sign1 follows (RFC 9052 §2).
_TAG = b"\xd2"
_ALG, _KID = 1, 4
KID_BYTES = 8
# RFC 9053 §2: ES256 and EdDSA. A suite that is not here has no number in COSE.
ALGORITHMS: Mapping[str, int] = {"ecdsa-p256-sha256": -7, "ed25519": -8}
_PARTS = 4


@dataclass(frozen=True, slots=True)
class Sign1:
    """A parsed, **unverified** message; *signed* is the Sig_structure (RFC 9052 §4.4)."""

    algorithm: int
    kid: bytes
    payload: bytes
    signed: bytes
    signature: bytes


def key_id(certificate: bytes) -> bytes:
    """The key id of a signer: the first 8 bytes of SHA-256 over its DER certificate."""
    return hashlib.sha256(certificate).digest()[:KID_BYTES]


def sign(key: SigningKey, payload: bytes) -> bytes:
    """The tagged message.

    Raises:
        IssueRefusedError: COSE has no number for the key's suite.
    """
    algorithm = ALGORITHMS.get(key.suite)
    if algorithm is None:
        raise IssueRefusedError("cose_no_algorithm", suite=key.suite)
    protected = cbor.encode({_ALG: algorithm, _KID: key_id(key.chain_der[0])})
    return _TAG + cbor.encode([protected, {}, payload, key.sign(_structure(protected, payload))])


def parse(data: bytes, *, max_bytes: int) -> Sign1:
    """Parse without verifying.

    Raises:
        FormatError: not of the one spelling that `sign` gives.
    """
    if data[:1] != _TAG:
        raise FormatError("cose_invalid", problem="not a tagged COSE_Sign1")
    parts = cbor.decode(data[1:], max_bytes=max_bytes)
    if not isinstance(parts, tuple) or len(parts) != _PARTS:
        raise FormatError("cose_invalid", problem="not four parts")
    protected, unprotected, payload, signature = parts
    if unprotected != {}:
        raise FormatError("cose_invalid", problem="unprotected header")
    if not isinstance(protected, bytes) or not isinstance(payload, bytes) or not isinstance(signature, bytes):
        raise FormatError("cose_invalid", problem="parts")
    header = cbor.decode(protected, max_bytes=max_bytes)
    if not isinstance(header, dict) or set(header) != {_ALG, _KID}:
        raise FormatError("cose_invalid", problem="protected header")
    algorithm, kid = header[_ALG], header[_KID]
    if not isinstance(algorithm, int) or algorithm not in ALGORITHMS.values():
        raise FormatError("alg_not_allowed", what="QR code")
    if not isinstance(kid, bytes) or len(kid) != KID_BYTES:
        raise FormatError("cose_invalid", problem="key id")
    return Sign1(algorithm, kid, payload, _structure(protected, payload), signature)


def verify(message: Sign1, public_key: object, allowed: Iterable[str]) -> None:
    """Check the signature by the suite the *key* belongs to; it must be *allowed* and match the algorithm.

    Raises:
        FormatError: sub-indication ``SIG_CRYPTO_FAILURE``.
    """
    suite = suite_of_key(public_key)
    if suite is None or suite.name not in allowed or ALGORITHMS.get(suite.name) != message.algorithm:
        raise FormatError("alg_not_of_key", sub_indication="SIG_CRYPTO_FAILURE")
    SUITES[suite.name].verify(public_key, message.signature, message.signed)


def _structure(protected: bytes, payload: bytes) -> bytes:
    return cbor.encode(["Signature1", protected, b"", payload])
