"""CMS SignedData with one signer (RFC 5652, CAdES baseline): written, read strictly, and checked.

What is signed is the caller's: a PDF's byte range (`licence.pdf.sign`, `licence.pdf.read`) or a time stamp
(`licence.timestamps`). Whether the signer is trusted is left to `licence.chain`.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, NoReturn, Protocol

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature

from licence import chain, der
from licence.errors import FormatError, IssueRefusedError
from licence.suites import SUITES

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

SIGNED_DATA = "1.2.840.113549.1.7.2"
DATA = "1.2.840.113549.1.7.1"
CONTENT_TYPE = "1.2.840.113549.1.9.3"
MESSAGE_DIGEST = "1.2.840.113549.1.9.4"
SIGNING_CERTIFICATE_V2 = "1.2.840.113549.1.9.16.2.47"
SIGNATURE_TIME_STAMP = "1.2.840.113549.1.9.16.2.14"
# A chain, its time stamp and embedded revocation values are some tens of KiB.
MAX_CMS_BYTES = 1024 * 1024
MAX_CERTIFICATES = 16
MAX_CHAIN = 8
_CONSTRUCTED_0, _CONSTRUCTED_1, _CONSTRUCTED_4 = 0xA0, 0xA1, 0xA4
_HALF_BYTES = 32
_BY_ISSUER, _BY_KEY = 1, 3
_BIT_STRING = 0x03
_NULL = b"\x05\x00"


@dataclass(frozen=True, slots=True)
class Form:
    """How a suite of `licence.suites` appears in CMS: digest and signature algorithm, and the signature's encoding.

    *halves* says that CMS carries DER of (r, s) where the suite has r ‖ s.
    """

    digest: hashes.HashAlgorithm
    digest_oid: str
    signature_oid: str
    halves: bool


SHA256_OID = "2.16.840.1.101.3.4.2.1"
FORMS: Mapping[str, Form] = {
    "ecdsa-p256-sha256": Form(hashes.SHA256(), SHA256_OID, "1.2.840.10045.4.3.2", halves=True),
    "sm2-sm3": Form(hashes.SM3(), "1.2.156.10197.1.401", "1.2.156.10197.1.501", halves=True),
    # RFC 8419 §3.
    "ed25519": Form(hashes.SHA512(), "2.16.840.1.101.3.4.2.3", "1.3.101.112", halves=False),
}
DIGESTS: Mapping[bytes, hashes.HashAlgorithm] = {
    der.write_oid(SHA256_OID): hashes.SHA256(),
    der.write_oid("2.16.840.1.101.3.4.2.2"): hashes.SHA384(),
    der.write_oid("2.16.840.1.101.3.4.2.3"): hashes.SHA512(),
    der.write_oid("1.2.156.10197.1.401"): hashes.SM3(),
}
_OIDS = {name: der.write_oid(name) for name in (SIGNED_DATA, DATA, CONTENT_TYPE, MESSAGE_DIGEST)}
_OID_CERTIFICATE_V2 = der.write_oid(SIGNING_CERTIFICATE_V2)


class Signer(Protocol):
    """Who signs: `licence.keys.SigningKey`, a token's session, or a sealing server.

    Promises: *chain_der* is leaf first; `sign` returns the JWS form of the suite's signature.
    """

    @property
    def suite(self) -> str:
        """A name of `licence.suites`."""

    @property
    def chain_der(self) -> tuple[bytes, ...]:
        """The certificates that go into the signature, DER, leaf first."""

    def sign(self, data: bytes) -> bytes:
        """Sign *data* itself, not its digest."""


@dataclass(frozen=True, slots=True)
class SignedData:
    """A parsed, **unverified** SignedData with one signer. OIDs are kept as their DER.

    *content* is None where the content is detached.
    """

    content_type: bytes
    content: bytes | None
    certificates: tuple[bytes, ...]
    info: SignerInfo


@dataclass(frozen=True, slots=True)
class Checked:
    """A SignedData whose digest, signature and signer's certificate agree. Whether to trust *chain* is open.

    *chain* is the signer's certificate and those that lead on from it by name, DER, leaf first.
    """

    chain: tuple[bytes, ...]
    suite: str
    signature: bytes
    unsigned: Mapping[bytes, tuple[der.Node, ...]]


def digest(algorithm: hashes.HashAlgorithm, *parts: bytes | memoryview) -> bytes:
    """The digest of *parts*, one after another."""
    state = hashes.Hash(algorithm)
    for part in parts:
        state.update(part)
    return state.finalize()


def sign(
    signer: Signer,
    *,
    content_digest: bytes,
    content_type: str = DATA,
    content: bytes | None = None,
    with_certificates: bool = True,
) -> bytes:
    """A SignedData over content with *content_digest*, by the suite's algorithm; detached without *content*.

    Signed attributes are content-type, message-digest and signing-certificate-v2; there is no signing-time, which
    PAdES (EN 319 142-1 §6.3) forbids.

    Raises:
        IssueRefusedError: the signer's suite has no form in CMS here.
    """
    form = _form(signer.suite)
    attributes = der.write_set(
        _attribute(_OIDS[CONTENT_TYPE], der.write_oid(content_type)),
        _attribute(_OIDS[MESSAGE_DIGEST], der.write(der.OCTET_STRING, content_digest)),
        _certificate_attribute(signer.chain_der[0], signer.suite),
    )
    signature = signer.sign(attributes)
    if form.halves:
        r, s = (int.from_bytes(half, "big") for half in (signature[:_HALF_BYTES], signature[_HALF_BYTES:]))
        signature = encode_dss_signature(r, s)
    identity = certificate_identity(signer.chain_der[0])
    algorithm = der.write(der.SEQUENCE, der.write_oid(form.digest_oid))
    info = der.write(
        der.SEQUENCE,
        der.write_integer(_BY_ISSUER),
        der.write(der.SEQUENCE, identity.issuer, identity.serial),
        algorithm,
        bytes((_CONSTRUCTED_0,)) + attributes[1:],
        der.write(der.SEQUENCE, der.write_oid(form.signature_oid)),
        der.write(der.OCTET_STRING, signature),
    )
    inner = () if content is None else (der.write(_CONSTRUCTED_0, der.write(der.OCTET_STRING, content)),)
    certificates = (der.write(_CONSTRUCTED_0, *sorted(signer.chain_der)),) if with_certificates else ()
    signed_data = der.write(
        der.SEQUENCE,
        # RFC 5652 §5.1: 3 where the content is not plain data.
        der.write_integer(1 if content_type == DATA else 3),
        der.write(der.SET, algorithm),
        der.write(der.SEQUENCE, der.write_oid(content_type), *inner),
        *certificates,
        der.write(der.SET, info),
    )
    return der.write(der.SEQUENCE, _OIDS[SIGNED_DATA], der.write(_CONSTRUCTED_0, signed_data))


def max_size_bytes(signer: Signer) -> int:
    """An upper bound of what `sign` makes with detached content."""
    # Everything but the certificates: attributes and algorithms, and the issuer's name, which the leaf holds too.
    return sum(map(len, signer.chain_der)) + 2 * len(certificate_identity(signer.chain_der[0]).issuer) + 640


def parse(data: bytes, what: str) -> SignedData:
    """Parse without verifying.

    Raises:
        FormatError: not DER, not a SignedData, several signers, attributes missing, doubled or out of order.
    """
    if len(data) > MAX_CMS_BYTES:
        raise FormatError("too_large", what=what, limit=MAX_CMS_BYTES)
    outer = der.read(data, what).expect(der.SEQUENCE, what).children(what)
    if len(outer) != 2 or outer[0].raw != _OIDS[SIGNED_DATA]:  # noqa: PLR2004 - type and content
        _refuse(what)
    (signed_data,) = _exactly(outer[1].expect(_CONSTRUCTED_0, what).children(what), (1,), what)
    parts = list(signed_data.expect(der.SEQUENCE, what).children(what))
    version, algorithms, encapsulated, *rest = _exactly(parts, (4, 5, 6), what)
    certificates, tail = _certificates(rest, what)
    if tail and tail[0].tag == _CONSTRUCTED_1:
        # Revocation values that nobody signed; the caller takes revocation from what it trusts.
        tail = tail[1:]
    (infos,) = _exactly(tail, (1,), what)
    content_type, content = _encapsulated(encapsulated, what)
    signers = infos.expect(der.SET, what).children(what)
    if len(signers) != 1:
        raise FormatError("cms_signers", what=what, count=len(signers))
    info = _signer_info(signers[0], what)
    # RFC 5652 §5.1. Other kinds of certificates, for which it has 4 and 5, are refused above.
    plain = content_type == _OIDS[DATA] and info.identifier.tag == der.SEQUENCE
    if der.read_integer(version, what) != (1 if plain else 3):
        _refuse(what)
    if {_algorithm(a, what) for a in algorithms.expect(der.SET, what).children(what)} != {info.digest_oid}:
        _refuse(what)
    return SignedData(
        content_type=content_type,
        content=content,
        certificates=certificates,
        info=info,
    )


def check(signed: SignedData, content_digest: bytes | None, suites: Iterable[str], what: str) -> Checked:
    """Find the signer's certificate, then check attributes, digest and signature.

    *content_digest* is by the algorithm `digest_of` names; None for content that is inside.

    Raises:
        FormatError: ``NO_SIGNING_CERTIFICATE_FOUND``, ``CRYPTO_CONSTRAINTS_FAILURE`` a suite that is not among
            *suites*, ``HASH_FAILURE``, ``SIG_CRYPTO_FAILURE``, or a form no signer should write.
    """
    info = signed.info
    leaf = _signing_certificate(signed, what)
    suite = _suite(info, leaf, suites, what)
    if _one(info.attributes, CONTENT_TYPE, what).raw != signed.content_type:
        raise FormatError("cms_attribute", what=what, attribute="content-type")
    if content_digest is None:
        content_digest = digest(FORMS[suite].digest, signed.content or b"")
    claimed = _one(info.attributes, MESSAGE_DIGEST, what).expect(der.OCTET_STRING, what).content
    if claimed != content_digest:
        raise FormatError("cms_digest_differs", sub_indication="HASH_FAILURE", what=what)
    signature = info.signature
    if FORMS[suite].halves:
        signature = _joined_halves(signature)
    SUITES[suite].verify(chain.public_key(leaf), signature, info.attributes_der)
    return Checked(
        chain=_ordered(leaf, signed.certificates, what), suite=suite, signature=info.signature, unsigned=info.unsigned
    )


def digest_of(signed: SignedData, suites: Iterable[str], what: str) -> hashes.HashAlgorithm:
    """The digest algorithm the content is to be hashed with.

    Raises:
        FormatError: ``CRYPTO_CONSTRAINTS_FAILURE``: none of *suites* uses what the signer names.
    """
    return FORMS[_suite_named(signed.info, suites, what)].digest


@dataclass(frozen=True, slots=True)
class Identity:
    """What of a certificate names it: issuer and serial number, and its subject, each as DER."""

    issuer: bytes
    serial: bytes
    subject: bytes


@lru_cache(maxsize=chain.CHAIN_CACHE)
def certificate_identity(certificate: bytes) -> Identity:
    """Issuer, serial number and subject of a certificate, without judging the rest of it.

    Raises:
        FormatError: it is no certificate.
    """
    what = "certificate"
    body = der.read(certificate, what).expect(der.SEQUENCE, what).children(what)
    # A signature is whole bytes: stating unused bits would be a second spelling that still verifies.
    if len(body) != 3 or body[2].tag != _BIT_STRING or not body[2].content.startswith(b"\0"):  # noqa: PLR2004 - RFC 5280 §4.1
        _refuse(what)
    fields = list(body[0].children(what))
    if fields and fields[0].tag == _CONSTRUCTED_0:
        fields.pop(0)
    if len(fields) < 6:  # noqa: PLR2004 - RFC 5280 §4.1: up to the public key
        _refuse(what)
    serial, _, issuer, _, subject = fields[:5]
    return Identity(
        issuer=issuer.expect(der.SEQUENCE, what).raw,
        serial=serial.expect(der.INTEGER, what).raw,
        subject=subject.expect(der.SEQUENCE, what).raw,
    )


def _attribute(oid: bytes, value: bytes) -> bytes:
    return der.write(der.SEQUENCE, oid, der.write(der.SET, value))


@lru_cache(maxsize=chain.CHAIN_CACHE)
def _certificate_attribute(leaf: bytes, suite: str) -> bytes:
    identity = certificate_identity(leaf)
    form = _form(suite)
    # RFC 5035 §3: SHA-256 is the default and DER leaves defaults out; other suites hash with their own digest.
    algorithm = () if form.digest_oid == SHA256_OID else (der.write(der.SEQUENCE, der.write_oid(form.digest_oid)),)
    certificate_id = der.write(
        der.SEQUENCE,
        *algorithm,
        der.write(der.OCTET_STRING, digest(form.digest, leaf)),
        der.write(der.SEQUENCE, der.write(der.SEQUENCE, der.write(_CONSTRUCTED_4, identity.issuer)), identity.serial),
    )
    return _attribute(_OID_CERTIFICATE_V2, der.write(der.SEQUENCE, der.write(der.SEQUENCE, certificate_id)))


def _form(suite: str) -> Form:
    form = FORMS.get(suite)
    if form is None:
        raise IssueRefusedError("cms_suite_without_form", suite=suite)
    return form


@dataclass(frozen=True, slots=True)
class SignerInfo:
    """The one SignerInfo; OIDs as their DER. *attributes_der* is what was signed: the attributes as a SET."""

    identifier: der.Node
    digest_oid: bytes
    attributes: Mapping[bytes, tuple[der.Node, ...]]
    attributes_der: bytes
    signature_oid: bytes
    signature: bytes
    unsigned: Mapping[bytes, tuple[der.Node, ...]]


def _signer_info(node: der.Node, what: str) -> SignerInfo:
    parts = list(node.expect(der.SEQUENCE, what).children(what))
    version, identifier, digest_algorithm, attributes, algorithm, signature, *rest = _exactly(parts, (6, 7), what)
    if der.read_integer(version, what) != (_BY_ISSUER if identifier.tag == der.SEQUENCE else _BY_KEY):
        _refuse(what)
    attributes.expect(_CONSTRUCTED_0, what)
    attributes_der = bytes((der.SET,)) + attributes.raw[1:]
    unsigned: Mapping[bytes, tuple[der.Node, ...]] = {}
    if rest:
        unsigned = _attributes(rest[0].expect(_CONSTRUCTED_1, what), what)
    return SignerInfo(
        identifier=identifier,
        digest_oid=_algorithm(digest_algorithm, what),
        attributes=_attributes(attributes, what, ordered=True),
        attributes_der=attributes_der,
        signature_oid=_algorithm(algorithm, what),
        signature=signature.expect(der.OCTET_STRING, what).content,
        unsigned=unsigned,
    )


def _attributes(node: der.Node, what: str, *, ordered: bool = False) -> dict[bytes, tuple[der.Node, ...]]:
    members = node.children(what)
    # RFC 5652 §5.4: the signed attributes are hashed in DER, whose sets are sorted.
    if ordered and [m.raw for m in members] != sorted(m.raw for m in members):
        raise FormatError("cms_attribute_order", what=what)
    found: dict[bytes, tuple[der.Node, ...]] = {}
    for member in members:
        oid, values = _exactly(member.expect(der.SEQUENCE, what).children(what), (2,), what)
        if oid.expect(der.OID, what).raw in found:
            raise FormatError("cms_attribute_twice", what=what)
        found[oid.raw] = values.expect(der.SET, what).children(what)
    return found


def _encapsulated(node: der.Node, what: str) -> tuple[bytes, bytes | None]:
    oid, *inner = _exactly(node.expect(der.SEQUENCE, what).children(what), (1, 2), what)
    oid.expect(der.OID, what)
    if not inner:
        return oid.raw, None
    (octets,) = _exactly(inner[0].expect(_CONSTRUCTED_0, what).children(what), (1,), what)
    return oid.raw, octets.expect(der.OCTET_STRING, what).content


def _certificates(rest: Sequence[der.Node], what: str) -> tuple[tuple[bytes, ...], Sequence[der.Node]]:
    if not rest or rest[0].tag != _CONSTRUCTED_0:
        return (), rest
    members = rest[0].children(what)
    if len(members) > MAX_CERTIFICATES:
        _refuse(what)
    # Attribute certificates and other choices are tagged otherwise; nothing here uses them.
    return tuple(m.expect(der.SEQUENCE, what).raw for m in members), rest[1:]


def _algorithm(node: der.Node, what: str) -> bytes:
    oid, *parameters = _exactly(node.expect(der.SEQUENCE, what).children(what), (1, 2), what)
    # RFC 5754 §2: absent or NULL mean the same. Parameters that say more belong to suites that are not on our list,
    # so the OID is made unknown rather than the form refused.
    return oid.expect(der.OID, what).raw if not parameters or parameters[0].raw == _NULL else oid.raw + b"?"


def _one(attributes: Mapping[bytes, tuple[der.Node, ...]], oid: str, what: str) -> der.Node:
    values = attributes.get(der.write_oid(oid), ())
    if len(values) != 1:
        raise FormatError("cms_attribute", what=what, attribute=oid)
    return values[0]


def _signing_certificate(signed: SignedData, what: str) -> bytes:
    """The certificate that signing-certificate-v2 (RFC 5035 §3) and the signer's identifier both name."""
    attribute = signed.info.attributes.get(_OID_CERTIFICATE_V2, ())
    if len(attribute) != 1:
        raise FormatError("cms_no_signing_certificate", sub_indication="NO_SIGNING_CERTIFICATE_FOUND", what=what)
    lists = attribute[0].expect(der.SEQUENCE, what).children(what)
    ids = (lists[0] if lists else _refuse(what)).expect(der.SEQUENCE, what).children(what)
    parts = list((ids[0] if ids else _refuse(what)).expect(der.SEQUENCE, what).children(what))
    algorithm = _algorithm(parts.pop(0), what) if parts and parts[0].tag == der.SEQUENCE else der.write_oid(SHA256_OID)
    value, *issuer_serial = _exactly(parts, (1, 2), what)
    hashed = value.expect(der.OCTET_STRING, what).content
    by = DIGESTS.get(algorithm)
    if by is None:
        raise FormatError("cms_suite_not_allowed", sub_indication="CRYPTO_CONSTRAINTS_FAILURE", what=what)
    leaf = next((c for c in signed.certificates if digest(by, c) == hashed), None)
    if leaf is None or not _names(signed.info.identifier, leaf, what):
        raise FormatError("cms_signer_not_found", sub_indication="NO_SIGNING_CERTIFICATE_FOUND", what=what)
    if issuer_serial:
        identity = certificate_identity(leaf)
        names, serial = _exactly(issuer_serial[0].expect(der.SEQUENCE, what).children(what), (2,), what)
        wanted = der.write(der.SEQUENCE, der.write(_CONSTRUCTED_4, identity.issuer))
        if names.raw != wanted or serial.raw != identity.serial:
            raise FormatError("cms_signer_not_found", sub_indication="NO_SIGNING_CERTIFICATE_FOUND", what=what)
    return leaf


def _names(identifier: der.Node, leaf: bytes, what: str) -> bool:
    if identifier.tag == der.SEQUENCE:
        issuer, serial = _exactly(identifier.children(what), (2,), what)
        identity = certificate_identity(leaf)
        return (issuer.raw, serial.raw) == (identity.issuer, identity.serial)
    # [0] IMPLICIT OCTET STRING: the subject key identifier.
    try:
        found = chain.load(leaf).extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value.digest
    except x509.ExtensionNotFound:
        return False
    return identifier.expect(0x80, what).content == found


def _suite_named(info: SignerInfo, suites: Iterable[str], what: str) -> str:
    for name in suites:
        form = FORMS.get(name)
        if name in SUITES and form is not None and info.signature_oid == der.write_oid(form.signature_oid):
            if info.digest_oid != der.write_oid(form.digest_oid):
                break
            return name
    raise FormatError("cms_suite_not_allowed", sub_indication="CRYPTO_CONSTRAINTS_FAILURE", what=what)


def _suite(info: SignerInfo, leaf: bytes, suites: Iterable[str], what: str) -> str:
    name = _suite_named(info, suites, what)
    if not SUITES[name].owns(chain.public_key(leaf)):
        raise FormatError("cms_suite_not_allowed", sub_indication="CRYPTO_CONSTRAINTS_FAILURE", what=what)
    return name


def _joined_halves(signature: bytes) -> bytes:
    """The two halves, r ‖ s, of a DER signature, or nothing that verifies."""
    try:
        r, s = decode_dss_signature(signature)
        if encode_dss_signature(r, s) != signature:
            return b""
        return r.to_bytes(_HALF_BYTES, "big") + s.to_bytes(_HALF_BYTES, "big")
    except (ValueError, OverflowError):
        return b""


def _ordered(leaf: bytes, certificates: Sequence[bytes], what: str) -> tuple[bytes, ...]:
    """*leaf* and, as far as *certificates* lead, each issuer by name; order only, no signature is checked."""
    ordered = [leaf]
    by_subject: dict[bytes, bytes] = {}
    for certificate in certificates:
        by_subject.setdefault(certificate_identity(certificate).subject, certificate)
    while len(ordered) < MAX_CHAIN:
        above = by_subject.get(certificate_identity(ordered[-1]).issuer)
        if above is None or above in ordered:
            break
        ordered.append(above)
    if not set(certificates) <= set(ordered):
        # A certificate that leads nowhere is baggage nobody looks at, so nobody would see it altered.
        raise FormatError("cms_stray_certificate", what=what)
    return tuple(ordered)


def _exactly(nodes: Sequence[der.Node], counts: tuple[int, ...], what: str) -> Sequence[der.Node]:
    if len(nodes) not in counts:
        _refuse(what)
    return nodes


def _refuse(what: str) -> NoReturn:
    raise FormatError("der_invalid", what=what)
