"""Key pairs of client systems as files: made, kept and read by the system that signs, and the proof that it holds one.

The hub needs the public halves alone, as text or as PEM; what it does with them is `hub.clients`' affair.
"""

from __future__ import annotations

import base64
import binascii
import os
from typing import TYPE_CHECKING, Final

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_der_private_key,
    load_der_public_key,
)

from audit import sm2
from audit.errors import KeyTextError
from hub.signing.algorithms import (
    ED25519,
    P256,
    SM2,
    P256Key,
    PrivateKey,
    PublicKey,
    Sm2Key,
    ed25519_key,
    ed25519_signer,
    p256_signer,
    public_key,
    public_text,
    sm2_signer,
)

if TYPE_CHECKING:
    from pathlib import Path

MAX_FILE_BYTES: Final = 16_384
_PRIVATE: Final = "PRIVATE KEY"
_PUBLIC: Final = "PUBLIC KEY"
_SM2_CURVE: Final = bytes.fromhex("06082a811ccf5501822d")  # OBJECT IDENTIFIER 1.2.156.10197.1.301
_POSSESSION: Final = "zhengtong client key 1"


def generate(algorithm: str) -> tuple[PrivateKey, str]:
    """A new key of *algorithm*, and the PEM text (PKCS#8, not encrypted) that `read_private` reads: a secret.

    Raises:
        KeyTextError: there is no such algorithm.
        audit.errors.Sm2MissingError: this machine cannot make SM2 keys.
    """
    if algorithm == ED25519:
        one = Ed25519PrivateKey.generate()
        return ed25519_signer(one), _pem(_PRIVATE, _pkcs8(one))
    if algorithm == P256:
        other = ec.generate_private_key(ec.SECP256R1())
        return p256_signer(other), _pem(_PRIVATE, _pkcs8(other))
    if algorithm == SM2:
        third = sm2.Sm2PrivateKey.generate()
        return sm2_signer(third), _pem(_PRIVATE, third.to_pkcs8())
    raise KeyTextError(problem=f"its algorithm is none of {ED25519}, {P256}, {SM2}")


def write_private(path: Path, pem: str) -> None:
    """Keep *pem* at *path* with mode 0600, durably. Raises: FileExistsError: a key is never written over."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(pem)
        file.flush()
        os.fsync(file.fileno())


def read_private(pem: str) -> PrivateKey:
    """The key of a PEM file (PKCS#8, not encrypted), of whatever tool.

    Raises:
        KeyTextError: it is none of the three algorithms.
        audit.errors.Sm2MissingError: an SM2 key, on a machine without SM2.
    """
    der = _der(pem, _PRIVATE)
    if _SM2_CURVE in der:
        return sm2_signer(sm2.Sm2PrivateKey.from_pkcs8(der))
    try:
        key = load_der_private_key(der, None)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise KeyTextError(problem="it is no private key that can be read without a passphrase") from error
    if isinstance(key, Ed25519PrivateKey):
        return ed25519_signer(key)
    if isinstance(key, ec.EllipticCurvePrivateKey):
        return p256_signer(key)
    raise KeyTextError(problem="the key is neither Ed25519 nor on P-256 or the SM2 curve")


def read_public(text: str) -> PublicKey:
    """The key of *text*: ``ALGORITHM:…`` as `public_text` writes it, or a PEM ``PUBLIC KEY`` of whatever tool.

    Raises:
        KeyTextError: it is none of the three algorithms, or a private key.
        audit.errors.Sm2MissingError: an SM2 key, on a machine without SM2.
    """
    if not text.lstrip().startswith("-----"):
        return public_key(text)
    der = _der(text, _PUBLIC)
    if _SM2_CURVE in der:
        return Sm2Key(sm2.Sm2PublicKey.from_spki(der))
    try:
        key = load_der_public_key(der)
    except (ValueError, UnsupportedAlgorithm) as error:
        raise KeyTextError(problem="it is no public key") from error
    if isinstance(key, Ed25519PublicKey):
        return ed25519_key(key)
    if isinstance(key, ec.EllipticCurvePublicKey) and isinstance(key.curve, ec.SECP256R1):
        return P256Key(key)
    raise KeyTextError(problem="the key is neither Ed25519 nor on P-256 or the SM2 curve")


def possession_text(client: str, key: PublicKey) -> bytes:
    """What is signed with a key to show that whoever hands it in for *client* holds its private half.

    It names the client, so that nobody can register somebody else's key for a system of their own with it. It is no
    signature base of a request: those begin with a quotation mark.
    """
    return f"{_POSSESSION}\n{client}\n{public_text(key)}\n".encode()


def prove_possession(client: str, key: PrivateKey) -> str:
    """The signature of `possession_text`, base64url."""
    return base64.urlsafe_b64encode(key.sign(possession_text(client, key.public))).rstrip(b"=").decode()


def check_possession(client: str, key: PublicKey, proof: str) -> None:
    """Check what `prove_possession` wrote. Raises: KeyTextError, SignatureWrongError: it is none."""
    try:
        signature = base64.b64decode(proof.strip() + "=" * (-len(proof.strip()) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError) as error:
        raise KeyTextError(problem="the proof of possession is not base64url") from error
    key.verify(signature, possession_text(client, key))


def _pkcs8(key: Ed25519PrivateKey | ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())


def _pem(label: str, der: bytes) -> str:
    text = base64.b64encode(der).decode()
    lines = [text[at : at + 64] for at in range(0, len(text), 64)]
    return "\n".join([f"-----BEGIN {label}-----", *lines, f"-----END {label}-----", ""])


def _der(pem: str, label: str) -> bytes:
    """The one block of *pem*, which must be labelled *label* (RFC 7468)."""
    lines = [line.strip() for line in pem.strip().splitlines()]
    if len(pem) > MAX_FILE_BYTES or len(lines) < 3 or lines[0] != f"-----BEGIN {label}-----":  # noqa: PLR2004 - a block
        raise KeyTextError(problem=f"it is no PEM text of one {label}")
    if lines[-1] != f"-----END {label}-----":
        raise KeyTextError(problem=f"it is no PEM text of one {label}")
    try:
        return base64.b64decode("".join(lines[1:-1]), validate=True)
    except (binascii.Error, ValueError) as error:
        raise KeyTextError(problem="the PEM text is damaged") from error
