"""Signing keys: a private key with its certificate chain, kept in one encrypted PEM file.

Making certificates is left to `licence.authority`, the mathematics to `licence.suites`.
"""

from __future__ import annotations

import os
import stat
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from licence.errors import KeyFileError, PassphraseWrongError
from licence.suites import ECDSA_P256_SHA256, SUITES, suite_of_key

if TYPE_CHECKING:
    from collections.abc import Sequence

MIN_PASSPHRASE_BYTES = 8
# A key file holds one key and a handful of certificates.
MAX_KEY_FILE_BYTES = 256 * 1024
_OTHERS = stat.S_IRWXG | stat.S_IRWXO
_END_OF_KEY = b"-----END ENCRYPTED PRIVATE KEY-----"


@dataclass(frozen=True, slots=True)
class SigningKey:
    """A private key and its chain: leaf first, the self-signed root last when it belongs to the file.

    Safe to share between threads. The private key never shows in ``repr``.
    """

    suite: str
    private_key: ec.EllipticCurvePrivateKey = field(repr=False)
    chain: tuple[x509.Certificate, ...]
    # What goes into x5c: the chain as DER, leaf first, without a self-signed root.
    chain_der: tuple[bytes, ...] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if not self.chain or self.chain[0].public_key() != self.private_key.public_key():
            raise KeyFileError("key_not_of_certificate")
        kept = [c for i, c in enumerate(self.chain) if i == 0 or c.issuer != c.subject]
        object.__setattr__(self, "chain_der", tuple(c.public_bytes(serialization.Encoding.DER) for c in kept))

    def sign(self, data: bytes) -> bytes:
        """The JWS form of a signature over *data*; deterministic."""
        return SUITES[self.suite].sign(self.private_key, data)

    @property
    def certificate(self) -> x509.Certificate:
        """The leaf certificate."""
        return self.chain[0]

    @property
    def issuer_uri(self) -> str:
        """The URI in the leaf's subject alternative name: the ``iss`` of what this key signs."""
        names = self.certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        return names.get_values_for_type(x509.UniformResourceIdentifier)[0]

    @property
    def organisation_code(self) -> str:
        """The USCC (统一社会信用代码) in the leaf's subject."""
        values = self.certificate.subject.get_attributes_for_oid(x509.NameOID.ORGANIZATION_IDENTIFIER)
        return str(values[0].value)


def generate_private_key(suite: str = ECDSA_P256_SHA256) -> ec.EllipticCurvePrivateKey:
    """A new private key from the operating system's randomness."""
    return SUITES[suite].generate()


def write_key(path: Path, key: SigningKey, passphrase: bytes) -> None:
    """Write key and chain as one PEM file: encrypted PKCS#8, then the certificates; mode 0600.

    A crash leaves the old file or the new one, never a part; at worst a ``.key-*`` temporary file of mode 0600.

    Raises:
        KeyFileError: the passphrase is shorter than 8 bytes.
    """
    if len(passphrase) < MIN_PASSPHRASE_BYTES:
        raise KeyFileError("passphrase_short", minimum=MIN_PASSPHRASE_BYTES)
    data = key.private_key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.BestAvailableEncryption(passphrase),
    ) + b"".join(c.public_bytes(serialization.Encoding.PEM) for c in key.chain)
    atomic_write(path, data, mode=0o600)


def read_key(path: Path, passphrase: bytes) -> SigningKey:
    """Read what `write_key` wrote.

    Raises:
        PassphraseWrongError: ask again.
        KeyFileError: missing, readable by others, or damaged.
    """
    try:
        with path.open("rb") as file:
            mode = os.fstat(file.fileno()).st_mode
            data = file.read(MAX_KEY_FILE_BYTES + 1)
    except OSError as error:
        raise KeyFileError("key_file_unreadable", path=path, detail=error.strerror or "unreadable") from None
    if mode & _OTHERS:
        raise KeyFileError("key_file_exposed", path=path, mode=oct(stat.S_IMODE(mode)))
    if len(data) > MAX_KEY_FILE_BYTES or _END_OF_KEY not in data:
        raise KeyFileError("key_file_unreadable", path=path, detail="no encrypted PKCS#8 key in it")
    try:
        chain = x509.load_pem_x509_certificates(data[data.index(_END_OF_KEY) + len(_END_OF_KEY) :])
        # A PEM body that decodes but whose key does not open: the passphrase, or damage inside the ciphertext;
        # the two cannot be told apart.
        private_key = serialization.load_pem_private_key(data, passphrase)
    except ValueError as error:
        if "password" in str(error).lower() or "decrypt" in str(error).lower():
            raise PassphraseWrongError(path=path) from None
        raise KeyFileError("key_file_unreadable", path=path, detail="damaged PEM") from None
    except (TypeError, UnsupportedAlgorithm):
        raise KeyFileError("key_file_unreadable", path=path, detail="unsupported encryption") from None
    suite = suite_of_key(private_key)
    if suite is None or not isinstance(private_key, ec.EllipticCurvePrivateKey):
        raise KeyFileError("key_file_unreadable", path=path, detail="a key of no known suite")
    return SigningKey(suite.name, private_key, tuple(chain))


def atomic_write(path: Path, data: bytes, *, mode: int) -> None:
    """Replace *path* by *data*, durable on return; readers see the old or the new content, never a part."""
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=".key-")
    try:
        with os.fdopen(handle, "wb") as file:
            os.fchmod(file.fileno(), mode)
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        # A crash before this line leaves the old file; after it, the new one.
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def pem_bundle(certificates: Sequence[x509.Certificate]) -> bytes:
    """Certificates as one PEM text."""
    return b"".join(c.public_bytes(serialization.Encoding.PEM) for c in certificates)
