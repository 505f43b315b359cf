"""The demonstration certificate authority (演示证书机构): roots, issuing CAs, leaves and revocation lists, so labelled.

It exists so that a city can be tried without a licensed CA; a production deployment brings certificates from one and
does not import this module. Trusting the root is the verifier's decision (`licence.trust`). The authority signs by the
suite of its own key, P-256 or SM2 or Ed25519; whom it certifies may have a key of another.
"""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Final

from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from licence import certificates
from licence.crl import Reason
from licence.errors import CertificationRefusedError
from licence.keys import SigningKey, sign_der
from licence.profile import DEMONSTRATION_POLICY, LICENCE_SIGNING, SEAL_MAKING, STATUS_SIGNING
from licence.suites import SUITES, suite_of_key

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from datetime import datetime

    from cryptography.x509 import ObjectIdentifier

    from licence.crl import Revocation
    from licence.keys import KeptKey
    from licence.suites import PublicKey

LABEL = "DEMONSTRATION 演示"
# RFC 5280 ub-common-name / ub-organization-name.
MAX_NAME_LENGTH = 64


class Role(StrEnum):
    """What a leaf certificate may sign."""

    LICENCES = "licences"
    STATUS = "status"
    SEAL_MAKING = "seal-making"
    SEALS = "seals"
    DOCUMENTS = "documents"
    TIME_STAMPS = "time-stamps"


# Who keeps a seal, and who signs a document, needs no purpose of its own (ISO 32000-2, GM/T 0031): key usage says it.
_PURPOSES: Final[Mapping[Role, ObjectIdentifier | None]] = {
    Role.LICENCES: LICENCE_SIGNING,
    Role.STATUS: STATUS_SIGNING,
    Role.SEAL_MAKING: SEAL_MAKING,
    Role.SEALS: None,
    Role.DOCUMENTS: None,
    Role.TIME_STAMPS: ExtendedKeyUsageOID.TIME_STAMPING,
}


def create_root(private_key: KeptKey, *, name: str, starts: datetime, ends: datetime, serial: int) -> SigningKey:
    """A self-signed root; it may certify issuing CAs and leaves (path length 1).

    Raises:
        CertificationRefusedError: the validity is empty or the labelled name too long.
    """
    subject = _subject(name)
    return _certified(
        None,
        private_key,
        _builder(subject, subject, starts=starts, ends=ends, serial=serial)
        .add_extension(x509.BasicConstraints(ca=True, path_length=1), critical=True)
        .add_extension(_usage(ca=True), critical=True),
    )


def certify_authority(
    parent: SigningKey,
    private_key: KeptKey,
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
    return _certified(
        parent,
        private_key,
        _builder(_subject(name), parent.certificate.subject, starts=starts, ends=ends, serial=serial)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_usage(ca=True), critical=True)
        .add_extension(_policies(), critical=False),
    )


def certify_leaf(
    parent: SigningKey,
    private_key: KeptKey,
    *,
    role: Role,
    name: str,
    uscc: str,
    uri: str,
    starts: datetime,
    ends: datetime,
    serial: int,
) -> SigningKey:
    """A leaf for what *role* says.

    *uscc* identifies the organisation and must equal ISSUER of the licences it signs; *uri* becomes their ``iss``.

    Raises:
        CertificationRefusedError: validity not within the parent's.
    """
    _require_within(parent, starts, ends)
    builder = (
        _builder(_subject(name, uscc), parent.certificate.subject, starts=starts, ends=ends, serial=serial)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(ca=False), critical=True)
    )
    purpose = _PURPOSES[role]
    if purpose is not None:
        builder = builder.add_extension(x509.ExtendedKeyUsage([purpose]), critical=True)
    builder = builder.add_extension(
        x509.SubjectAlternativeName([x509.UniformResourceIdentifier(uri)]), critical=False
    ).add_extension(_policies(), critical=False)
    return _certified(parent, private_key, builder)


def revocation_list(
    authority: SigningKey,
    revocations: Iterable[Revocation],
    *,
    number: int,
    this_update: datetime,
    next_update: datetime,
) -> bytes:
    """The complete revocation list (RFC 5280 §5) of what *authority* certified, DER.

    *number* grows with each list of the same authority. A list is complete: who leaves a revocation out takes it back.

    Raises:
        CertificationRefusedError: no time between the updates, a serial twice, a revocation later than the list, or a
            certificate that may not sign such lists.
    """
    certificate = authority.certificate
    if not certificate.extensions.get_extension_for_class(x509.KeyUsage).value.crl_sign:
        raise CertificationRefusedError("crl_not_signable")
    if next_update <= this_update:
        raise CertificationRefusedError("validity_empty")
    builder = (
        x509.CertificateRevocationListBuilder()
        .issuer_name(certificate.subject)
        .last_update(this_update)
        .next_update(next_update)
        .add_extension(_authority_key_identifier(authority.public_key), critical=False)
        .add_extension(x509.CRLNumber(number), critical=False)
    )
    serials = set()
    for revocation in revocations:
        if revocation.serial in serials or revocation.at > this_update:
            raise CertificationRefusedError("crl_entry_wrong", serial=revocation.serial)
        serials.add(revocation.serial)
        entry = x509.RevokedCertificateBuilder().serial_number(revocation.serial).revocation_date(revocation.at)
        # RFC 5280 §5.3.1: no reason is told by leaving the extension out.
        if revocation.reason is not Reason.UNSPECIFIED:
            entry = entry.add_extension(x509.CRLReason(x509.ReasonFlags(revocation.reason.value)), critical=False)
        if revocation.invalid_since is not None:
            entry = entry.add_extension(x509.InvalidityDate(revocation.invalid_since), critical=False)
        builder = builder.add_revoked_certificate(entry.build())
    suite = SUITES[authority.suite]
    tbs = certificates.list_to_sign(builder, suite)
    return certificates.assemble(tbs, suite, authority.sign_der(tbs))


def _certified(parent: SigningKey | None, private_key: KeptKey, builder: x509.CertificateBuilder) -> SigningKey:
    """*private_key* with the certificate that *builder* describes, signed by *parent*, or by itself when None."""
    public_key = private_key.public_key()
    suite = suite_of_key(public_key)
    if suite is None:
        raise CertificationRefusedError("key_of_no_suite")
    issuer_key = public_key if parent is None else parent.public_key
    issuer_suite = suite if parent is None else SUITES[parent.suite]
    identifier = x509.SubjectKeyIdentifier(certificates.key_identifier(public_key))
    builder = builder.add_extension(identifier, critical=False)
    builder = builder.add_extension(_authority_key_identifier(issuer_key), critical=False)
    tbs = certificates.certificate_to_sign(builder, public_key, issuer_suite)
    signature = sign_der(issuer_suite, private_key if parent is None else parent.private_key, tbs)
    certificate = x509.load_der_x509_certificate(certificates.assemble(tbs, issuer_suite, signature))
    return SigningKey(suite.name, private_key, (certificate, *(parent.chain if parent else ())))


def _authority_key_identifier(public_key: PublicKey) -> x509.AuthorityKeyIdentifier:
    return x509.AuthorityKeyIdentifier(certificates.key_identifier(public_key), None, None)


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
        .not_valid_before(starts)
        .not_valid_after(ends)
        .serial_number(serial)
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
