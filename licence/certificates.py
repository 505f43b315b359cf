"""Parts of X.509 that the `cryptography` package leaves out because it does not know SM2: keys, signatures, making.

Chains are left to `licence.chain`, revocation lists to `licence.crl`, profiles to `licence.authority`.
"""

from __future__ import annotations

import hashlib
from functools import lru_cache
from typing import TYPE_CHECKING, Final

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from licence.der import read, write_bits, write_oid, write_sequence
from licence.errors import FormatError
from licence.sm2 import Sm2PublicKey
from licence.sm2.curve import SPKI_PREFIX
from licence.suites import SM2_SM3, suite_of_key

if TYPE_CHECKING:
    from licence.suites import PublicKey, Suite

_NULL: Final = b"\x05\x00"
# Positions in TBSCertificate (version, serial number, signature, issuer, validity, subject, key …) and in TBSCertList
# (version, signature …), both of version 2 or later.
_ALGORITHM_OF_CERTIFICATE: Final = 2
_KEY_OF_CERTIFICATE: Final = 6
_ALGORITHM_OF_LIST: Final = 1

Signed = x509.Certificate | x509.CertificateRevocationList


def public_key_of(certificate: x509.Certificate) -> object:
    """The certificate's public key: one that `licence.suites` knows, SM2 included, or another of `cryptography`.

    Raises:
        FormatError: a key of an unknown kind, or a malformed one.
    """
    try:
        return certificate.public_key()
    except (ValueError, TypeError, UnsupportedAlgorithm):
        parts = split(certificate.tbs_certificate_bytes)
        if len(parts) <= _KEY_OF_CERTIFICATE or not parts[_KEY_OF_CERTIFICATE].startswith(SPKI_PREFIX):
            raise FormatError("certificate_unreadable", detail="public key") from None
        return Sm2PublicKey.from_spki(parts[_KEY_OF_CERTIFICATE])


def check_signature(signed: Signed, issuer_key: object) -> None:
    """Check the signature of a certificate or revocation list with the suite its issuer's key belongs to.

    The algorithm must be that suite's, spelt alike inside and outside of what is signed. It has no parameters, or with
    SM2 the NULL that some authorities write.

    Raises:
        FormatError: sub-indication ``SIG_CRYPTO_FAILURE``: it does not hold, or is of another algorithm.
    """
    suite = suite_of_key(issuer_key)
    tbs, position = _signed_part(signed)
    inner = split(tbs)[position]
    outer = split(signed.public_bytes(Encoding.DER))[1]
    if suite is None or inner != outer or inner not in _spellings(suite):
        raise FormatError("signature_wrong", sub_indication="SIG_CRYPTO_FAILURE")
    suite.verify_der(issuer_key, signed.signature, tbs)


def is_canonical(signed: Signed) -> bool:
    """Whether the signature is a bit string of whole octets, so that no bit beside what is signed can be changed.

    A reader of DER lets the last octet's low bits be declared unused when they happen to be zero.
    """
    parts = split(signed.public_bytes(Encoding.DER))
    return parts[2:] == [write_bits(signed.signature)]


def key_identifier(public_key: PublicKey) -> bytes:
    """The SHA-1 of the public key's bits (RFC 5280 §4.2.1.2, method 1): a name for the key, not a protection."""
    if isinstance(public_key, Sm2PublicKey):
        return hashlib.sha1(public_key.point, usedforsecurity=False).digest()
    return x509.SubjectKeyIdentifier.from_public_key(public_key).digest


def spki_of(public_key: PublicKey) -> bytes:
    """The SubjectPublicKeyInfo, DER."""
    if isinstance(public_key, Sm2PublicKey):
        return public_key.to_spki()
    return public_key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def certificate_to_sign(builder: x509.CertificateBuilder, public_key: PublicKey, suite: Suite) -> bytes:
    """The TBSCertificate of *builder* (which has no key yet) for *public_key*, to be signed by *suite*.

    `cryptography` lays it out for a stand-in key; then the two parts that depend on keys are put in.
    """
    stand_in = _stand_in()
    laid_out = builder.public_key(stand_in.public_key()).sign(stand_in, hashes.SHA256())
    parts = split(laid_out.tbs_certificate_bytes)
    parts[_ALGORITHM_OF_CERTIFICATE] = _spellings(suite)[0]
    parts[_KEY_OF_CERTIFICATE] = spki_of(public_key)
    return write_sequence(parts)


def list_to_sign(builder: x509.CertificateRevocationListBuilder, suite: Suite) -> bytes:
    """The TBSCertList of *builder*, to be signed by *suite* (see `certificate_to_sign`)."""
    parts = split(builder.sign(_stand_in(), hashes.SHA256()).tbs_certlist_bytes)
    parts[_ALGORITHM_OF_LIST] = _spellings(suite)[0]
    return write_sequence(parts)


def assemble(tbs: bytes, suite: Suite, signature_der: bytes) -> bytes:
    """The certificate or revocation list of what was signed and its signature."""
    bits = write_bits(signature_der)
    return write_sequence((tbs, _spellings(suite)[0], bits))


def split(der: bytes) -> list[bytes]:
    """The elements inside the outermost one of *der*, each whole.

    Raises:
        FormatError: lengths that do not add up, or more than the one outermost element.
    """
    return [part.raw for part in read(der, "certificate").children("certificate")]


def _signed_part(signed: Signed) -> tuple[bytes, int]:
    if isinstance(signed, x509.Certificate):
        return signed.tbs_certificate_bytes, _ALGORITHM_OF_CERTIFICATE
    return signed.tbs_certlist_bytes, _ALGORITHM_OF_LIST


def _spellings(suite: Suite) -> tuple[bytes, ...]:
    """The AlgorithmIdentifiers of *suite* that are accepted; the first is the one we write."""
    oid = write_oid(suite.certificate_oid.dotted_string)
    plain = write_sequence((oid,))
    return (plain, write_sequence((oid, _NULL))) if suite.name == SM2_SM3 else (plain,)


@lru_cache(maxsize=1)
def _stand_in() -> ec.EllipticCurvePrivateKey:
    return ec.derive_private_key(1, ec.SECP256R1())
