"""Signing keys: a private key with its certificate chain, in one encrypted PEM file or kept by a token or a server.

Making certificates is left to `licence.authority`, the mathematics to `licence.suites`; a PKCS#11 token or a sealing
server (签章服务器) joins as a `Signer` by an entry point of the group ``zhengtong.signers``.
"""

from __future__ import annotations

import base64
import binascii
import os
import stat
import tempfile
from dataclasses import dataclass, field
from functools import lru_cache
from importlib.metadata import entry_points
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, TypeAlias, cast

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization

from licence import der
from licence.certificates import public_key_of
from licence.errors import FormatError, KeyFileError, PassphraseWrongError, SignerError
from licence.sm2 import Sm2PrivateKey
from licence.suites import ECDSA_P256_SHA256, SUITES, suite_of_key

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from licence.suites import PrivateKey, PublicKey, Suite

MIN_PASSPHRASE_BYTES = 8
# A key file holds one key and a handful of certificates.
MAX_KEY_FILE_BYTES = 256 * 1024
_OTHERS = stat.S_IRWXG | stat.S_IRWXO
_BEGIN_OF_KEY = b"-----BEGIN ENCRYPTED PRIVATE KEY-----"
_END_OF_KEY = b"-----END ENCRYPTED PRIVATE KEY-----"
SIGNERS_GROUP = "zhengtong.signers"


class Signer(Protocol):
    """A private key that somebody else keeps: a PKCS#11 token, a sealing server.

    Promises: *public_key* never changes and asks nobody; *sign_der* either returns a signature of that key by the suite
    the key belongs to, or raises `SignerError` and has signed nothing that counts (whatever it signed is thrown away,
    so asking again is safe); both may be called by several threads at once; neither the key nor what opens it shows in
    ``repr`` or in messages. The caller checks each signature before it uses it.
    """

    def public_key(self) -> PublicKey:
        """The public half."""

    def sign_der(self, data: bytes) -> bytes:
        """The DER form of a signature over *data* (not over its digest).

        Raises:
            SignerError: ``code`` says whether to try again or to call a person.
        """


# A private key in this process, or who keeps it.
KeptKey: TypeAlias = "PrivateKey | Signer"


@dataclass(frozen=True, slots=True)
class SigningKey:
    """A private key and its chain: leaf first, the self-signed root last when it belongs to the file.

    Safe to share between threads. The private key never shows in ``repr``.
    """

    suite: str
    private_key: KeptKey = field(repr=False)
    chain: tuple[x509.Certificate, ...]
    # What goes into x5c: the chain as DER, leaf first, without a self-signed root.
    chain_der: tuple[bytes, ...] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        public_key = self.private_key.public_key()
        if not self.chain or public_key_of(self.chain[0]) != public_key:
            raise KeyFileError("key_not_of_certificate")
        if self.suite not in SUITES or not SUITES[self.suite].owns(public_key):
            raise KeyFileError("key_of_no_suite")
        kept = [c for i, c in enumerate(self.chain) if i == 0 or c.issuer != c.subject]
        object.__setattr__(self, "chain_der", tuple(c.public_bytes(serialization.Encoding.DER) for c in kept))

    def sign(self, data: bytes) -> bytes:
        """The JWS form of a signature over *data*; deterministic where the suite says so and the key is in a file.

        Raises:
            SignerError: who keeps the key did not sign.
        """
        return SUITES[self.suite].jws_form(self.sign_der(data))

    def sign_der(self, data: bytes) -> bytes:
        """The DER form, as certificates, CMS and seals need it (see `sign`)."""
        return sign_der(SUITES[self.suite], self.private_key, data)

    @property
    def public_key(self) -> PublicKey:
        """The public half."""
        return self.private_key.public_key()

    @property
    def certificate(self) -> x509.Certificate:
        """The leaf certificate."""
        return self.chain[0]

    @property
    def issuer_uri(self) -> str:
        """The URI in the leaf's subject alternative name: the ``iss`` of what this key signs."""
        return _issuer_uri(self.chain_der[0])

    @property
    def organisation_code(self) -> str:
        """The USCC (统一社会信用代码) in the leaf's subject."""
        return _organisation_code(self.chain_der[0])


# Read of the same few certificates for each licence; asked by their bytes, whose hash is computed once.
@lru_cache(maxsize=256)
def _issuer_uri(leaf: bytes) -> str:
    certificate = x509.load_der_x509_certificate(leaf)
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    return names.get_values_for_type(x509.UniformResourceIdentifier)[0]


@lru_cache(maxsize=256)
def _organisation_code(leaf: bytes) -> str:
    certificate = x509.load_der_x509_certificate(leaf)
    values = certificate.subject.get_attributes_for_oid(x509.NameOID.ORGANIZATION_IDENTIFIER)
    return str(values[0].value)


def sign_der(suite: Suite, key: KeptKey, data: bytes) -> bytes:
    """The DER form of a signature over *data* by *key*, wherever it is kept.

    Raises:
        SignerError: who keeps the key did not sign, or what it returned does not verify.
    """
    if suite.owns(key):
        return suite.sign_der(cast("PrivateKey", key), data)
    signer = cast("Signer", key)
    signature = signer.sign_der(data)
    try:
        suite.verify_der(signer.public_key(), signature, data)
    except FormatError:
        # Nothing wrong may get into a licence or a log; and a faulty signature can give a key away.
        raise SignerError("signer_wrong") from None
    return signature


def open_signer(uri: str, secret: str, factories: Mapping[str, Callable[[str, str], Signer]] | None = None) -> Signer:
    """Who keeps the key named by *uri*, opened with *secret* (a PIN, a token).

    The scheme of *uri* chooses the factory: of *factories*, otherwise of the installed packages that name one under
    ``zhengtong.signers``. It is called with *uri* and *secret*.

    Raises:
        KeyFileError: nobody knows the scheme.
        SignerError: the factory could not open it.
    """
    scheme = uri.partition(":")[0]
    factory = (factories or {}).get(scheme)
    if factory is None:
        points = entry_points(group=SIGNERS_GROUP, name=scheme)
        if not points:
            raise KeyFileError("signer_unknown", scheme=scheme)
        factory = cast("Callable[[str, str], Signer]", next(iter(points)).load())
    return factory(uri, secret)


def generate_private_key(suite: str = ECDSA_P256_SHA256) -> PrivateKey:
    """A new private key from the operating system's randomness."""
    return SUITES[suite].generate()


def write_key(path: Path, key: SigningKey, passphrase: bytes) -> None:
    """Write key and chain as one PEM file: encrypted PKCS#8, then the certificates; mode 0600.

    A crash leaves the old file or the new one, never a part; at worst a ``.key-*`` temporary file of mode 0600.

    Raises:
        KeyFileError: the passphrase is shorter than 8 bytes, or the key is kept elsewhere and cannot be written.
    """
    if len(passphrase) < MIN_PASSPHRASE_BYTES:
        raise KeyFileError("passphrase_short", minimum=MIN_PASSPHRASE_BYTES)
    if not SUITES[key.suite].owns(key.private_key):
        raise KeyFileError("key_kept_elsewhere")
    data = _private_pem(cast("PrivateKey", key.private_key), passphrase) + pem_bundle(key.chain)
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
        private_key = _load_private_pem(data[: data.index(_END_OF_KEY) + len(_END_OF_KEY)], passphrase)
    except PassphraseWrongError:
        raise PassphraseWrongError(path=path) from None
    except KeyFileError:
        raise KeyFileError("key_file_unreadable", path=path, detail="damaged PKCS#8") from None
    except ValueError:
        raise KeyFileError("key_file_unreadable", path=path, detail="damaged PEM") from None
    except (TypeError, UnsupportedAlgorithm):
        raise KeyFileError("key_file_unreadable", path=path, detail="unsupported encryption") from None
    suite = suite_of_key(private_key)
    if suite is None:
        raise KeyFileError("key_file_unreadable", path=path, detail="a key of no known suite")
    try:
        return SigningKey(suite.name, cast("PrivateKey", private_key), tuple(chain))
    except FormatError:
        raise KeyFileError("key_file_unreadable", path=path, detail="a certificate of no known suite") from None


def _private_pem(key: PrivateKey, passphrase: bytes) -> bytes:
    if isinstance(key, Sm2PrivateKey):
        return key.to_pem(passphrase)
    encryption = serialization.BestAvailableEncryption(passphrase)
    return key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, encryption)


def _load_private_pem(pem: bytes, passphrase: bytes) -> object:
    try:
        # A PEM body that decodes but whose key does not open: the passphrase, or damage inside the ciphertext; the two
        # cannot be told apart.
        return serialization.load_pem_private_key(pem, passphrase)
    except UnsupportedAlgorithm:
        # The passphrase opened it, and it lies on a curve that `cryptography` does not know.
        return Sm2PrivateKey.from_pem(pem, passphrase)
    except ValueError as error:
        said = str(error).lower()
        # One wrong passphrase in some 250 opens the ciphertext to what ends as padding does, and is no DER.
        if "password" in said or "decrypt" in said or ("asn.1" in said and _is_sealed(pem)):
            raise PassphraseWrongError(path="PEM") from None
        raise


def _is_sealed(pem: bytes) -> bool:
    """Whether *pem* is an EncryptedPrivateKeyInfo (RFC 5958 §3): an algorithm and a ciphertext."""
    body = pem.partition(_BEGIN_OF_KEY)[2].partition(_END_OF_KEY)[0]
    try:
        parts = der.read(base64.b64decode(b"".join(body.split()), validate=True), "key").children("key")
    except (binascii.Error, FormatError):
        return False
    return [part.tag for part in parts] == [der.SEQUENCE, der.OCTET_STRING]


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
