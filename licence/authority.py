"""The demonstration certificate authority (演示证书机构): root, issuing CAs and leaves, every subject labelled as such.

It exists so that a city can be tried without a licensed CA; a production deployment brings certificates from one and
does not import this module. Trusting the root is the verifier's decision (`licence.trust`).
"""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.x509.oid import NameOID

from licence.errors import CertificationRefusedError
from licence.keys import SigningKey
from licence.profile import DEMONSTRATION_POLICY, LICENCE_SIGNING, STATUS_SIGNING
from licence.suites import suite_of_key

if TYPE_CHECKING:
    from datetime import datetime

    from cryptography.hazmat.primitives.asymmetric import ec

LABEL = "DEMONSTRATION 演示"
# RFC 5280 ub-common-name / ub-organization-name.
MAX_NAME_LENGTH = 64


class Role(StrEnum):
    """What a leaf certificate may sign."""

    LICENCES = "licences"
    STATUS = "status"


_PURPOSES = {Role.LICENCES: LICENCE_SIGNING, Role.STATUS: STATUS_SIGNING}


def create_root(
    private_key: ec.EllipticCurvePrivateKey, *, name: str, starts: datetime, ends: datetime, serial: int
) -> SigningKey:
    """A self-signed root; it may certify issuing CAs and leaves (path length 1).

    Raises:
        CertificationRefusedError: the validity is empty or the labelled name too long.
    """
    subject = _subject(name)
    certificate = _sign(
        _builder(subject, subject, private_key.public_key(), starts=starts, ends=ends, serial=serial)
        .add_extension(x509.BasicConstraints(ca=True, path_length=1), critical=True)
        .add_extension(_usage(ca=True), critical=True),
        private_key,
        private_key.public_key(),
    )
    return _signing_key(private_key, (certificate,))


def certify_authority(
    parent: SigningKey,
    private_key: ec.EllipticCurvePrivateKey,
    *,
    name: str,
    starts: datetime,
    ends: datetime,
    serial: int,
) -> SigningKey:
    """An issuing CA under *parent*; it may certify leaves only (path length 0).

    Raises:
        CertificationRefusedError: validity not within the parent's, or the parent may not certify a CA.
    """
    limit = parent.certificate.extensions.get_extension_for_class(x509.BasicConstraints).value.path_length
    if limit == 0:
        raise CertificationRefusedError("ca_path_exhausted")
    _require_within(parent, starts, ends)
    certificate = _sign(
        _builder(
            _subject(name),
            parent.certificate.subject,
            private_key.public_key(),
            starts=starts,
            ends=ends,
            serial=serial,
        )
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_usage(ca=True), critical=True)
        .add_extension(_policies(), critical=False),
        parent.private_key,
        private_key.public_key(),
    )
    return _signing_key(private_key, (certificate, *parent.chain))


def certify_leaf(
    parent: SigningKey,
    private_key: ec.EllipticCurvePrivateKey,
    *,
    role: Role,
    name: str,
    uscc: str,
    uri: str,
    starts: datetime,
    ends: datetime,
    serial: int,
) -> SigningKey:
    """A leaf for a department (role LICENCES) or for the status list issuer (role STATUS).

    *uscc* identifies the organisation and must equal ISSUER of the licences it signs; *uri* becomes their ``iss``.

    Raises:
        CertificationRefusedError: validity not within the parent's.
    """
    _require_within(parent, starts, ends)
    certificate = _sign(
        _builder(
            _subject(name, uscc),
            parent.certificate.subject,
            private_key.public_key(),
            starts=starts,
            ends=ends,
            serial=serial,
        )
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(ca=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage([_PURPOSES[role]]), critical=True)
        .add_extension(x509.SubjectAlternativeName([x509.UniformResourceIdentifier(uri)]), critical=False)
        .add_extension(_policies(), critical=False),
        parent.private_key,
        private_key.public_key(),
    )
    return _signing_key(private_key, (certificate, *parent.chain))


def _signing_key(private_key: ec.EllipticCurvePrivateKey, chain: tuple[x509.Certificate, ...]) -> SigningKey:
    suite = suite_of_key(private_key)
    if suite is None:
        raise CertificationRefusedError("key_of_no_suite")
    return SigningKey(suite.name, private_key, chain)


def _require_within(parent: SigningKey, starts: datetime, ends: datetime) -> None:
    certificate = parent.certificate
    if starts < certificate.not_valid_before_utc or ends > certificate.not_valid_after_utc:
        raise CertificationRefusedError("validity_exceeds_issuer")


def _subject(name: str, uscc: str = "") -> x509.Name:
    labelled = f"{name} ({LABEL})"
    if len(labelled) > MAX_NAME_LENGTH:
        raise CertificationRefusedError("certificate_name_long", limit=MAX_NAME_LENGTH - len(LABEL) - 3)
    attributes = [
        x509.NameAttribute(NameOID.COUNTRY_NAME, "CN"),
        x509.NameAttribute(NameOID.ORGANIZATION_NAME, LABEL),
        x509.NameAttribute(NameOID.COMMON_NAME, labelled),
    ]
    if uscc:
        attributes.insert(2, x509.NameAttribute(NameOID.ORGANIZATION_IDENTIFIER, uscc))
    return x509.Name(attributes)


def _builder(
    subject: x509.Name,
    issuer: x509.Name,
    public_key: ec.EllipticCurvePublicKey,
    *,
    starts: datetime,
    ends: datetime,
    serial: int,
) -> x509.CertificateBuilder:
    if ends <= starts:
        raise CertificationRefusedError("validity_empty")
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(public_key)
        .not_valid_before(starts)
        .not_valid_after(ends)
        .serial_number(serial)
    )


def _sign(
    builder: x509.CertificateBuilder, issuer_key: ec.EllipticCurvePrivateKey, public_key: ec.EllipticCurvePublicKey
) -> x509.Certificate:
    return (
        builder.add_extension(x509.SubjectKeyIdentifier.from_public_key(public_key), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_key.public_key()), critical=False)
        .sign(issuer_key, hashes.SHA256(), ecdsa_deterministic=True)
    )


def _usage(*, ca: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not ca,
        content_commitment=not ca,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=ca,
        crl_sign=ca,
        encipher_only=False,
        decipher_only=False,
    )


def _policies() -> x509.CertificatePolicies:
    return x509.CertificatePolicies([x509.PolicyInformation(DEMONSTRATION_POLICY, None)])
