"""From a leaf certificate to a pinned anchor (RFC 5280 §6, the part our profile uses), as a pure function.

Which anchors are pinned is `licence.trust`; at which time the chain must hold is decided in `licence.verify`.
Not supported and therefore refused: name constraints, policy mapping, any critical extension not named below.
Revocation is asked of the lists the caller brings (`check_revocation`); an anchor is revoked by no longer pinning it.
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

from licence import crl
from licence.certificates import check_signature, is_canonical, public_key_of
from licence.errors import FormatError
from licence.profile import DEMONSTRATION_POLICY
from licence.report import Note
from licence.sm2 import Sm2PublicKey
from licence.suites import SUITES, suite_of_key

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import datetime

    from licence.crl import Revocation, RevocationList

# A validation costs two or three signature checks; the same few chains come back all day.
CHAIN_CACHE = 256
# Leaf, two or three issuing authorities, and some slack.
MAX_CHAIN = 6
# Paths tried for one leaf: there may be several certificates of one authority.
MAX_PATHS = 32
_UNDERSTOOD = (
    x509.BasicConstraints,
    x509.KeyUsage,
    x509.ExtendedKeyUsage,
    x509.CertificatePolicies,
    x509.SubjectAlternativeName,
    x509.SubjectKeyIdentifier,
    x509.AuthorityKeyIdentifier,
    x509.CRLDistributionPoints,
)
# More lists than any chain has authorities, old and new.
# A trust folder holds up to 64; as many more may be handed in or come along.
MAX_LISTS = 128
_E = TypeVar("_E", bound=x509.ExtensionType)
_NO_CHAIN = "NO_CERTIFICATE_CHAIN_FOUND"
_BAD_CHAIN = "CHAIN_CONSTRAINTS_FAILURE"


@dataclass(frozen=True, slots=True)
class Path:
    """A chain that leads to a pinned anchor. *starts* and *ends* bound the time all of its certificates are valid.

    *certificates* are its certificates as DER, from the leaf to the anchor. *purposes* are the leaf's extended key
    usages, *uris* its alternative names, *organisation_code* its USCC or "".
    """

    leaf: bytes
    certificates: tuple[bytes, ...]
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
        public_key_of(certificate)
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
    if certificate.public_bytes(Encoding.DER) != der or not is_canonical(certificate):
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
        certificates=tuple(c.public_bytes(Encoding.DER) for c in certificates),
        starts=max(c.not_valid_before_utc for c in certificates),
        ends=min(c.not_valid_after_utc for c in certificates),
        purposes=_purposes(leaf),
        uris=_uris(leaf),
        organisation_code=_organisation_code(leaf),
        subject=_name(leaf.subject),
        demonstration=_is_demonstration(leaf),
    )


def lead(
    certificates: tuple[bytes, ...], helpers: Iterable[bytes], anchors: frozenset[bytes], suites: frozenset[str]
) -> Path:
    """The path from the first of *certificates* to one of *anchors*, over the others and over *helpers*, all DER.

    Raises:
        FormatError: as `validate`.
    """
    leaf = certificates[0]
    try:
        return validate(certificates, anchors, suites)
    except FormatError as fault:
        if fault.sub_indication != _NO_CHAIN:
            raise
        first = fault
    known = readable(dict.fromkeys((*certificates[1:], *helpers)))
    waiting: list[tuple[bytes, ...]] = [(leaf,)]
    for _ in range(MAX_PATHS):
        if not waiting:
            break
        candidate = waiting.pop()
        try:
            return validate(candidate, anchors, suites)
        except FormatError as fault:
            if fault.sub_indication != _NO_CHAIN:
                raise
        if len(candidate) < MAX_CHAIN:
            issuer = load(candidate[-1]).issuer
            waiting += [(*candidate, c) for c in known if c not in candidate and load(c).subject == issuer]
    raise first


def readable(certificates: Iterable[bytes]) -> list[bytes]:
    """Those of *certificates* that parse."""
    found = []
    for der in certificates:
        try:
            load(der)
        except FormatError:
            continue
        found.append(der)
    return found


def public_key(der: bytes) -> object:
    """The public key of a certificate, SM2 included.

    Raises:
        FormatError: it does not parse.
    """
    return public_key_of(load(der))


def check_revocation(
    path: Path,
    lists: Iterable[bytes],
    *,
    at: datetime,
    proven_at: datetime | None = None,
    made_after: datetime | None = None,
) -> tuple[Note, ...]:
    """Ask *lists* (CRLs, DER) about every certificate of *path* below its anchor.

    *at*: the time asked about; a revocation after it decides nothing. *proven_at*: a time at which the signature is
    proven to have existed, by a time stamp or a log. *made_after*: a time before which it was certainly not made, by a
    time stamp within it or by what it says itself. Of several lists the newest counts, but what an older one revoked
    for good stays revoked: authorities drop certificates from their lists once they have expired.

    Returns what a reader should know and policy may decide on, for each certificate ``revocation_checked``,
    ``revocation_stale`` (the newest list had ended *at* that time) or ``revocation_unknown`` (no list at hand), and
    where it applies ``revoked_later`` (after the signature is proven, or after *at*) and ``crl_ignored``.

    Raises:
        FormatError: ``certificate_revoked``, with sub-indication ``REVOKED`` when the leaf was revoked before
            *made_after*, ``REVOKED_NO_POE`` when nothing proves that the signature is older than the leaf's revocation,
            ``REVOKED_CA_NO_POE`` when it is an authority that is revoked (EN 319 102-1 §5.2.6, §5.5.4);
            or ``too_many_lists``.
    """
    given = list(lists)
    if len(given) > MAX_LISTS:
        raise FormatError("too_many_lists", limit=MAX_LISTS)
    notes: list[Note] = []
    certificates = [load(der) for der in path.certificates]
    for position, (below, above) in enumerate(itertools.pairwise(certificates)):
        found = _lists_about(below, above, given, notes)
        subject = _name(below.subject)
        revocation = _revocation(below.serial_number, found)
        if revocation is not None:
            params = {"subject": subject, "revoked": _time(revocation.effective), "reason": revocation.reason.value}
            indication = _indication(revocation, position, at=at, proven_at=proven_at, made_after=made_after)
            if indication:
                raise FormatError("certificate_revoked", sub_indication=indication, **params)
            notes.append(Note("revoked_later", tuple(params.items())))
        if not found:
            notes.append(Note("revocation_unknown", (("subject", subject),)))
            continue
        newest = found[-1]
        code = "revocation_stale" if newest.next_update < at else "revocation_checked"
        times = (("as_of", _time(newest.this_update)), ("until", _time(newest.next_update)))
        notes.append(Note(code, (("subject", subject), *times)))
    return tuple(notes)


def _indication(
    revocation: Revocation, position: int, *, at: datetime, proven_at: datetime | None, made_after: datetime | None
) -> str:
    """The sub-indication a revocation leads to; empty when it decides nothing."""
    since = revocation.effective
    if since > at or (proven_at is not None and proven_at < since):
        return ""
    if position:
        return "REVOKED_CA_NO_POE"
    return "REVOKED" if made_after is not None and made_after >= since else "REVOKED_NO_POE"


def _lists_about(
    below: x509.Certificate, above: x509.Certificate, given: Sequence[bytes], notes: list[Note]
) -> list[RevocationList]:
    """The lists of *above* that would hold *below*, oldest first; why one of *above* does not count goes to *notes*."""
    found = []
    for der in given:
        try:
            read = crl.read(der, above)
        except FormatError as fault:
            ignored = Note("crl_ignored", (("why", fault.code), *fault.finding_params.items()))
            if fault.code != "crl_of_other_issuer" and ignored not in notes:
                notes.append(ignored)
            continue
        if read.covers(below):
            found.append(read)
    return sorted(found, key=lambda r: (r.this_update, -1 if r.number is None else r.number))


def _revocation(serial: int, found: Sequence[RevocationList]) -> Revocation | None:
    revocations = [
        r
        for age, one in enumerate(reversed(found))
        if (r := one.entries.get(serial)) is not None and (age == 0 or r.reason is not crl.Reason.HOLD)
    ]
    return min(revocations, key=lambda r: r.effective, default=None)


def _time(at: datetime) -> str:
    return at.strftime("%Y-%m-%dT%H:%M:%SZ")


def _issued(below: x509.Certificate, above: x509.Certificate) -> bool:
    try:
        key = public_key_of(above)
        if isinstance(key, Sm2PublicKey):
            if below.issuer != above.subject:
                return False
            check_signature(below, key)
        else:
            below.verify_directly_issued_by(above)
    except (ValueError, TypeError, InvalidSignature, UnsupportedAlgorithm, FormatError):
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
    suite = suite_of_key(public_key_of(above))
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
