"""From a leaf certificate to a pinned anchor (RFC 5280 §6, the part our profile uses), as a pure function.

Which anchors are pinned is `licence.trust`; at which time the chain must hold is decided in `licence.verify`.
Not supported and therefore refused: name constraints, policy mapping, any critical extension not named below.
Revocation of issuing certificates is by taking the anchor out of the trust store.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, TypeVar

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from licence.errors import FormatError
from licence.profile import DEMONSTRATION_POLICY
from licence.suites import SUITES, suite_of_key

if TYPE_CHECKING:
    from datetime import datetime

# A validation costs two or three signature checks; the same few chains come back all day.
CHAIN_CACHE = 256
_UNDERSTOOD = (
    x509.BasicConstraints,
    x509.KeyUsage,
    x509.ExtendedKeyUsage,
    x509.CertificatePolicies,
    x509.SubjectAlternativeName,
    x509.SubjectKeyIdentifier,
    x509.AuthorityKeyIdentifier,
)
_E = TypeVar("_E", bound=x509.ExtensionType)
_NO_CHAIN = "NO_CERTIFICATE_CHAIN_FOUND"
_BAD_CHAIN = "CHAIN_CONSTRAINTS_FAILURE"


@dataclass(frozen=True, slots=True)
class Path:
    """A chain that leads to a pinned anchor. *starts* and *ends* bound the time all of its certificates are valid.

    *purposes* are the leaf's extended key usages, *uris* its alternative names, *organisation_code* its USCC or "".
    """

    leaf: bytes
    starts: datetime
    ends: datetime
    purposes: frozenset[x509.ObjectIdentifier]
    uris: frozenset[str]
    organisation_code: str
    subject: str
    demonstration: bool


@lru_cache(maxsize=CHAIN_CACHE)
def load(der: bytes) -> x509.Certificate:
    """Parse one certificate, its public key and its extensions.

    Raises:
        FormatError: it does not parse.
    """
    try:
        certificate = x509.load_der_x509_certificate(der)
        certificate.public_key()
        _ = certificate.extensions, certificate.subject, certificate.issuer
    except (
        ValueError,
        TypeError,
        UnsupportedAlgorithm,
        x509.DuplicateExtension,
        x509.InvalidVersion,
        Warning,
    ) as error:
        # Warning: `cryptography` warns of odd names, which raises where the process turns warnings into errors.
        raise FormatError("certificate_unreadable", detail=type(error).__name__) from None
    except x509.UnsupportedGeneralNameType:
        raise FormatError("certificate_unreadable", detail="general name") from None
    if certificate.public_bytes(Encoding.DER) != der:
        raise FormatError("certificate_unreadable", detail="DER")
    return certificate


@lru_cache(maxsize=CHAIN_CACHE)
def validate(chain: tuple[bytes, ...], anchors: frozenset[bytes], suites: frozenset[str]) -> Path:
    """Lead *chain* (DER, leaf first, every certificate issued by the next) to one of *anchors* (DER).

    Time is not looked at: compare with ``starts`` and ``ends``.

    Raises:
        FormatError: a certificate does not parse, or (sub-indication) ``NO_CERTIFICATE_CHAIN_FOUND`` no pinned anchor
            issued the chain, ``CHAIN_CONSTRAINTS_FAILURE`` a certificate may not do what it does here.
    """
    certificates = [load(der) for der in chain]
    if len(certificates) > 1 and chain[-1] in anchors:
        certificates.pop()
    anchor = next((a for a in map(load, sorted(anchors)) if _issued(certificates[-1], a)), None)
    if anchor is None:
        raise FormatError("no_pinned_anchor", sub_indication=_NO_CHAIN, subject=_name(certificates[-1].issuer))
    certificates.append(anchor)
    for i, (below, above) in enumerate(itertools.pairwise(certificates)):
        if not _issued(below, above):
            raise FormatError("chain_broken", sub_indication=_NO_CHAIN, position=i)
        _check_authority(above, below_count=i)
        _check_signature_suite(below, above, suites)
    leaf = certificates[0]
    for certificate in certificates:
        _check_critical(certificate)
    _check_leaf(leaf)
    return Path(
        leaf=chain[0],
        starts=max(c.not_valid_before_utc for c in certificates),
        ends=min(c.not_valid_after_utc for c in certificates),
        purposes=_purposes(leaf),
        uris=_uris(leaf),
        organisation_code=_organisation_code(leaf),
        subject=_name(leaf.subject),
        demonstration=_is_demonstration(leaf),
    )


def _issued(below: x509.Certificate, above: x509.Certificate) -> bool:
    try:
        below.verify_directly_issued_by(above)
    except (ValueError, TypeError, InvalidSignature, UnsupportedAlgorithm):
        return False
    key_id = _get(below, x509.AuthorityKeyIdentifier)
    subject_id = _get(above, x509.SubjectKeyIdentifier)
    return key_id is None or subject_id is None or key_id.key_identifier in {None, subject_id.digest}


def _get(certificate: x509.Certificate, kind: type[_E]) -> _E | None:
    try:
        return certificate.extensions.get_extension_for_class(kind).value
    except x509.ExtensionNotFound:
        return None


def _check_authority(certificate: x509.Certificate, below_count: int) -> None:
    constraints = _get(certificate, x509.BasicConstraints)
    usage = _get(certificate, x509.KeyUsage)
    if constraints is None or not constraints.ca or usage is None or not usage.key_cert_sign:
        raise FormatError("not_an_authority", sub_indication=_BAD_CHAIN, subject=_name(certificate.subject))
    if constraints.path_length is not None and below_count > constraints.path_length:
        raise FormatError("path_too_long", sub_indication=_BAD_CHAIN, subject=_name(certificate.subject))


def _check_signature_suite(below: x509.Certificate, above: x509.Certificate, suites: frozenset[str]) -> None:
    suite = suite_of_key(above.public_key())
    if suite is None or suite.name not in suites or below.signature_algorithm_oid != SUITES[suite.name].certificate_oid:
        raise FormatError("suite_not_allowed", sub_indication=_BAD_CHAIN, subject=_name(below.subject))


def _check_critical(certificate: x509.Certificate) -> None:
    for extension in certificate.extensions:
        if (extension.critical and not isinstance(extension.value, _UNDERSTOOD)) or isinstance(
            extension.value, x509.NameConstraints
        ):
            raise FormatError("extension_not_understood", sub_indication=_BAD_CHAIN, subject=_name(certificate.subject))


def _check_leaf(leaf: x509.Certificate) -> None:
    constraints = _get(leaf, x509.BasicConstraints)
    usage = _get(leaf, x509.KeyUsage)
    if (constraints is not None and constraints.ca) or usage is None or not usage.digital_signature:
        raise FormatError("leaf_may_not_sign", sub_indication=_BAD_CHAIN, subject=_name(leaf.subject))


def _purposes(leaf: x509.Certificate) -> frozenset[x509.ObjectIdentifier]:
    usage = _get(leaf, x509.ExtendedKeyUsage)
    return frozenset(usage or ())


def _uris(leaf: x509.Certificate) -> frozenset[str]:
    names = _get(leaf, x509.SubjectAlternativeName)
    return frozenset(names.get_values_for_type(x509.UniformResourceIdentifier)) if names else frozenset()


def _organisation_code(leaf: x509.Certificate) -> str:
    values = leaf.subject.get_attributes_for_oid(NameOID.ORGANIZATION_IDENTIFIER)
    return str(values[0].value) if len(values) == 1 else ""


def _is_demonstration(leaf: x509.Certificate) -> bool:
    policies = _get(leaf, x509.CertificatePolicies)
    return policies is not None and any(p.policy_identifier == DEMONSTRATION_POLICY for p in policies)


def _name(name: x509.Name) -> str:
    values = name.get_attributes_for_oid(NameOID.COMMON_NAME)
    return str(values[0].value)[:120] if values else "?"
