"""Certificate revocation lists (证书撤销列表, RFC 5280 §5): read strictly, checked against their issuer, and asked.

What a revocation means for a signature is left to `licence.chain`; making lists to `licence.authority`. Refused, and
not guessed at: delta lists, indirect lists, lists of some reasons only, any critical extension not named below.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from enum import StrEnum
from functools import lru_cache
from typing import TYPE_CHECKING, Final, TypeVar

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import Encoding

from licence.certificates import check_signature, is_canonical, public_key_of
from licence.errors import FormatError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

# Some 40 bytes to an entry: a hundred thousand of them. A city's authority revokes a few hundred a year.
MAX_CRL_BYTES: Final = 4 * 1024 * 1024
# Read lists are kept with their entries, which is why these are few.
_KEPT: Final = 16
_UNDERSTOOD: Final = (x509.CRLNumber, x509.AuthorityKeyIdentifier, x509.IssuingDistributionPoint)
_UNDERSTOOD_OF_ENTRY: Final = (x509.CRLReason, x509.InvalidityDate)
_E = TypeVar("_E", bound=x509.ExtensionType)


class Reason(StrEnum):
    """Why a certificate was revoked (RFC 5280 §5.3.1)."""

    UNSPECIFIED = "unspecified"
    KEY_COMPROMISE = "keyCompromise"
    CA_COMPROMISE = "cACompromise"
    AFFILIATION_CHANGED = "affiliationChanged"
    SUPERSEDED = "superseded"
    CESSATION = "cessationOfOperation"
    HOLD = "certificateHold"
    PRIVILEGE_WITHDRAWN = "privilegeWithdrawn"
    AA_COMPROMISE = "aACompromise"


@dataclass(frozen=True, slots=True)
class Revocation:
    """One certificate revoked *at* a time (UTC). *invalid_since*: from when the key is no longer to be trusted."""

    serial: int
    at: datetime
    reason: Reason = Reason.UNSPECIFIED
    invalid_since: datetime | None = None

    @property
    def effective(self) -> datetime:
        """The earlier of the two times: signatures made after it do not count."""
        return min(self.at, self.invalid_since or self.at)


@dataclass(frozen=True, slots=True)
class RevocationList:
    """A complete list whose signature was found good. *number* is None when its issuer counts none.

    *uris* and *for_authorities* narrow what it covers: empty and None mean every certificate of the issuer.
    """

    this_update: datetime
    next_update: datetime
    number: int | None
    entries: Mapping[int, Revocation] = field(repr=False)
    uris: frozenset[str] = frozenset()
    for_authorities: bool | None = None

    def covers(self, certificate: x509.Certificate) -> bool:
        """Whether *certificate*, one of the same issuer, would be in this list when revoked (RFC 5280 §6.3.3 b 2)."""
        if self.uris and not self.uris & _distribution_uris(certificate):
            return False
        if self.for_authorities is None:
            return True
        constraints = _get(certificate.extensions, x509.BasicConstraints)
        return (constraints is not None and constraints.ca) == self.for_authorities


def load(der: bytes) -> x509.CertificateRevocationList:
    """Parse one list, its entries and all extensions, **unverified**.

    Raises:
        FormatError: too large, not strict DER, or of a kind that is refused.
    """
    if len(der) > MAX_CRL_BYTES:
        raise FormatError("too_large", what="CRL", limit=MAX_CRL_BYTES)
    try:
        found = x509.load_der_x509_crl(der)
        _ = found.issuer, found.last_update_utc, found.signature_algorithm_oid
        extensions = found.extensions
        same = found.public_bytes(Encoding.DER) == der and is_canonical(found)
    except (
        ValueError,
        TypeError,
        UnsupportedAlgorithm,
        x509.DuplicateExtension,
        x509.InvalidVersion,
        x509.UnsupportedGeneralNameType,
        Warning,
    ) as error:
        raise FormatError("crl_unreadable", detail=type(error).__name__) from None
    if not same or found.next_update_utc is None or found.next_update_utc < found.last_update_utc:
        raise FormatError("crl_unreadable", detail="DER" if not same else "nextUpdate")
    if any(e.critical and not isinstance(e.value, _UNDERSTOOD) for e in extensions) or _get(
        extensions, x509.DeltaCRLIndicator
    ):
        raise FormatError("crl_kind_refused")
    return found


def authority_of(der: bytes) -> str:
    """A name for the authority a list says it is of, in hex: its key identifier, or a hash of its name. **Unverified**.

    Raises:
        FormatError: see `load`.
    """
    found = load(der)
    named = _get(found.extensions, x509.AuthorityKeyIdentifier)
    if named is not None and named.key_identifier is not None:
        return named.key_identifier.hex()
    return hashlib.sha256(found.issuer.public_bytes()).hexdigest()


def read(der: bytes, issuer: x509.Certificate) -> RevocationList:
    """Parse a list and check that *issuer* issued it: name, key identifier, right to sign lists, signature by suite.

    Time is not looked at: compare with ``this_update`` and ``next_update``; nor whether *issuer* itself is trusted.

    Raises:
        FormatError: see `load`; ``crl_of_other_issuer`` when it is another authority's; or the signature is wrong.
    """
    return _read(der, issuer.public_bytes(Encoding.DER))


@lru_cache(maxsize=_KEPT)
def _read(der: bytes, issuer_der: bytes) -> RevocationList:
    issuer = x509.load_der_x509_certificate(issuer_der)
    found = load(der)
    usage = _get(issuer.extensions, x509.KeyUsage)
    named = _get(found.extensions, x509.AuthorityKeyIdentifier)
    own = _get(issuer.extensions, x509.SubjectKeyIdentifier)
    if found.issuer != issuer.subject or (
        named is not None and own is not None and named.key_identifier not in {None, own.digest}
    ):
        raise FormatError("crl_of_other_issuer")
    if usage is None or not usage.crl_sign:
        raise FormatError("crl_signer_may_not")
    # Only after the signature are entries looked at, of which there may be many.
    check_signature(found, public_key_of(issuer))
    number = _get(found.extensions, x509.CRLNumber)
    uris, for_authorities = _scope(_get(found.extensions, x509.IssuingDistributionPoint))
    return RevocationList(
        this_update=found.last_update_utc,
        # `load` has made sure of it.
        next_update=found.next_update_utc or found.last_update_utc,
        number=None if number is None else number.crl_number,
        entries=_entries(found),
        uris=uris,
        for_authorities=for_authorities,
    )


def _entries(found: x509.CertificateRevocationList) -> dict[int, Revocation]:
    entries: dict[int, Revocation] = {}
    try:
        for entry in found:
            extensions = entry.extensions
            if _get(extensions, x509.CertificateIssuer) or any(
                e.critical and not isinstance(e.value, _UNDERSTOOD_OF_ENTRY) for e in extensions
            ):
                raise FormatError("crl_kind_refused")
            reason = _get(extensions, x509.CRLReason)
            since = _get(extensions, x509.InvalidityDate)
            if entry.serial_number in entries:
                raise FormatError("crl_unreadable", detail="serial number twice")
            entries[entry.serial_number] = Revocation(
                serial=entry.serial_number,
                at=entry.revocation_date_utc,
                # removeFromCRL stands in delta lists only, and is no member of Reason.
                reason=Reason.UNSPECIFIED if reason is None else Reason(reason.reason.value),
                invalid_since=None if since is None else since.invalidity_date_utc,
            )
    except (
        ValueError,
        TypeError,
        UnsupportedAlgorithm,
        x509.DuplicateExtension,
        x509.UnsupportedGeneralNameType,
        Warning,
    ) as error:
        raise FormatError("crl_unreadable", detail=type(error).__name__) from None
    return entries


def _scope(point: x509.IssuingDistributionPoint | None) -> tuple[frozenset[str], bool | None]:
    if point is None:
        return frozenset(), None
    names = point.full_name or []
    uris = frozenset(n.value for n in names if isinstance(n, x509.UniformResourceIdentifier))
    if (
        point.indirect_crl
        or point.only_contains_attribute_certs
        or point.only_some_reasons is not None
        or point.relative_name is not None
        or (names and not uris)
    ):
        raise FormatError("crl_kind_refused")
    if point.only_contains_ca_certs:
        return uris, True
    return uris, False if point.only_contains_user_certs else None


def _distribution_uris(certificate: x509.Certificate) -> frozenset[str]:
    points = _get(certificate.extensions, x509.CRLDistributionPoints)
    names = [n for p in points or () if p.crl_issuer is None for n in p.full_name or ()]
    return frozenset(n.value for n in names if isinstance(n, x509.UniformResourceIdentifier))


def _get(extensions: x509.Extensions, kind: type[_E]) -> _E | None:
    try:
        return extensions.get_extension_for_class(kind).value
    except x509.ExtensionNotFound:
        return None
