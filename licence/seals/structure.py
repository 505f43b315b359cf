"""The data structures of electronic seals and seal signatures, V1, V4 and V5, and how they are read.

V1 is GM/T 0031-2014, V4 GB/T 38540-2020, V5 GM/T 0031-2025; the layouts were inferred from public implementations
that cite these standards, their texts were not at hand. Whether a seal is good is `licence.seals.verify`, writing is
`licence.seals.encode`.

Reading is tolerant where real seals differ without a change of meaning: FALSE written out, a NULL behind the algorithm
or none, UTCTime or GeneralizedTime, optional parts tagged explicitly, implicitly or not at all. What was signed is kept
byte for byte (`SESeal.tbs`, `SESSignature.tbs`) and never written anew before it is verified.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta, timezone
from typing import TYPE_CHECKING

from licence.der import write_sequence
from licence.errors import FormatError
from licence.seals import der

if TYPE_CHECKING:
    from collections.abc import Sequence

    from licence.seals.der import Element

V1 = 1
V4 = 4
V5 = 5
WRITTEN = frozenset({V4, V5})
# The header of a V1 seal carries 1, 2 or 3, by vendor; seen in public samples, the standard's own value is unverified.
V1_HEADER_VERSIONS = frozenset({1, 2, 3})
SEAL_ID = "ES"
CERTIFICATES = 1
DIGESTS = 2

# A seal holds one picture, usually below 100 KB, and a certificate or digest for each custodian.
MAX_SEAL_BYTES = 4 * 1024 * 1024
MAX_SIGNATURE_BYTES = MAX_SEAL_BYTES + 1024 * 1024
MAX_CUSTODIANS = 4096
MAX_EXTENSIONS = 256
MAX_TEXT_BYTES = 1024
MAX_PROPERTY_INFO_BYTES = 16 * 1024
MAX_MILLIMETRES = 10_000

_IA5 = frozenset({der.IA5_STRING})
# Vendors exchange these three; all of them hold the same ASCII.
_ASCII = frozenset({der.IA5_STRING, der.PRINTABLE_STRING, der.UTF8_STRING})
_UTF8 = frozenset({der.UTF8_STRING})
_CHINA_STANDARD_TIME = timezone(timedelta(hours=8))
_DIGITS = re.compile(rb"\d{12}")
_LOCAL_TIME = re.compile(rb"(\d{4})-(\d\d)-(\d\d) (\d\d):(\d\d):(\d\d)")


@dataclass(frozen=True, slots=True)
class Extension:
    """ExtData: vendor data. Unknown ones that are *critical* make the seal one that cannot be judged."""

    oid: str
    critical: bool
    value: bytes


@dataclass(frozen=True, slots=True)
class Picture:
    """SES_ESPictureInfo: the image with its size on paper in millimetres; *kind* is PNG, OFD, SVG …."""

    kind: str
    data: bytes = field(repr=False)
    width_mm: int
    height_mm: int


@dataclass(frozen=True, slots=True)
class Digest:
    """CertDigestObj: a custodian's certificate by its digest; *kind* is free text in the standard, "SM3" when ours."""

    kind: str
    value: bytes


@dataclass(frozen=True, slots=True)
class SealInfo:
    """SES_SealInfo: what the maker signs.

    *certificates* (DER) or *digests* name the custodians (签章者) who may use the seal; exactly one of them is filled.
    """

    version: int
    vendor: str
    seal_id: str
    kind: int
    name: str
    certificates: tuple[bytes, ...] = field(repr=False)
    digests: tuple[Digest, ...]
    created: datetime
    valid_from: datetime
    valid_until: datetime
    picture: Picture
    extensions: tuple[Extension, ...] = ()
    header: str = SEAL_ID


@dataclass(frozen=True, slots=True)
class SESeal:
    """SESeal: an electronic seal.

    *structure* is V1, V4 or V5; *certificate* the maker's (制章者), DER; *algorithm* a dotted OID. *tbs* is what the
    maker's signature covers and *raw* the whole seal, exact bytes; both are empty until it was read by `parse_seal`.
    """

    structure: int
    info: SealInfo
    certificate: bytes = field(repr=False)
    algorithm: str
    signature: bytes = field(repr=False)
    time_stamp: bytes | None = field(default=None, repr=False)
    tbs: bytes = field(default=b"", compare=False, repr=False)
    raw: bytes = field(default=b"", compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class TBSSign:
    """TBS_Sign: what the custodian signs. *time* is None where a V1 file carries a time stamp token instead."""

    version: int
    seal: SESeal
    time: datetime | None
    document_digest: bytes
    property_info: str
    extensions: tuple[Extension, ...] = ()
    time_info: bytes = field(default=b"", compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class SESSignature:
    """SES_Signature: a seal applied to a document. *certificate* is the custodian's (签章者); see `SESeal`."""

    signed: TBSSign
    certificate: bytes = field(repr=False)
    algorithm: str
    signature: bytes = field(repr=False)
    time_stamp: bytes | None = field(default=None, repr=False)
    tbs: bytes = field(default=b"", compare=False, repr=False)
    raw: bytes = field(default=b"", compare=False, repr=False)


def parse_seal(data: bytes) -> SESeal:
    """Read an SESeal of any version.

    Raises:
        FormatError: ``too_large``, ``seal_not_der`` (naming the part) or ``seal_version_unknown``.
    """
    _bound(data, MAX_SEAL_BYTES, "SESeal")
    return _seal(der.whole(data, "SESeal"))


def parse_signature(data: bytes) -> SESSignature:
    """Read an SES_Signature of any version (the content of an OFD ``SignedValue.dat``).

    Raises:
        FormatError: as `parse_seal`, and ``seal_version_differs``: seal and signature are of different versions.
    """
    _bound(data, MAX_SIGNATURE_BYTES, "SES_Signature")
    root = der.whole(data, "SES_Signature")
    parts = der.children(root, der.SEQUENCE, "SES_Signature", 5)
    if len(parts) == 2:  # noqa: PLR2004 - V1: {toSign, signature}
        signed, certificate, algorithm = _tbs_v1(parts[0])
        value, stamp = parts[1], None
    elif len(parts) >= 4:  # noqa: PLR2004 - V4, V5: {toSign, cert, signatureAlgID, signature, timeStamp OPTIONAL}
        signed = _tbs(parts[0])
        certificate, algorithm = der.octets(parts[1], "cert"), _algorithm(parts[2])
        value, stamp = parts[3], _time_stamp(parts[4:])
    else:
        der.fail("SES_Signature")
    signature = der.bits(value, "signature")
    return SESSignature(signed, certificate, algorithm, signature, stamp, parts[0].raw, data)


def _bound(data: bytes, limit: int, what: str) -> None:
    if len(data) > limit:
        raise FormatError("too_large", what=what, limit=limit)


def _seal(element: Element) -> SESeal:
    parts = der.children(element, der.SEQUENCE, "SESeal", 5)
    if len(parts) == 2:  # noqa: PLR2004 - V1: {eSealInfo, signInfo}
        return _seal_v1(element, parts)
    if len(parts) < 4:  # noqa: PLR2004 - V4, V5: {eSealInfo, cert, signAlgID, signedValue, timeStamp OPTIONAL}
        der.fail("SESeal")
    info = _info(parts[0], WRITTEN)
    return SESeal(
        structure=info.version,
        info=info,
        certificate=der.octets(parts[1], "cert"),
        algorithm=_algorithm(parts[2]),
        signature=der.bits(parts[3], "signedValue"),
        time_stamp=_time_stamp(parts[4:]),
        tbs=parts[0].raw,
        raw=element.raw,
    )


def _seal_v1(element: Element, parts: Sequence[Element]) -> SESeal:
    info = _info(parts[0], V1_HEADER_VERSIONS)
    sign_info = der.children(parts[1], der.SEQUENCE, "SES_SignInfo", 3)
    if len(sign_info) != 3:  # noqa: PLR2004 - {cert, signatureAlgorithm, signData}
        der.fail("SES_SignInfo")
    # Unverified against the standard's text: public implementations of V1 sign the SEQUENCE of seal information,
    # certificate and algorithm. Its header is the only octets here that are not taken from the file.
    tbs = write_sequence((parts[0].raw, sign_info[0].raw, sign_info[1].raw))
    return SESeal(
        structure=V1,
        info=info,
        certificate=der.octets(sign_info[0], "cert"),
        algorithm=_algorithm(sign_info[1]),
        signature=der.bits(sign_info[2], "signData"),
        tbs=tbs,
        raw=element.raw,
    )


def _info(element: Element, versions: frozenset[int]) -> SealInfo:
    parts = der.children(element, der.SEQUENCE, "SES_SealInfo", 5)
    if len(parts) < 4:  # noqa: PLR2004 - {header, esID, property, picture, extDatas OPTIONAL}
        der.fail("SES_SealInfo")
    header = der.children(parts[0], der.SEQUENCE, "SES_Header", 3)
    if len(header) != 3:  # noqa: PLR2004 - {ID, version, Vid}
        der.fail("SES_Header")
    version = der.integer(header[1], "version")
    if version not in versions:
        raise FormatError("seal_version_unknown", version=version)
    identifier = der.text(header[0], _IA5, "ID", MAX_TEXT_BYTES)
    if identifier != SEAL_ID:
        der.fail("ID")
    v1 = versions is V1_HEADER_VERSIONS
    prop = der.children(parts[2], der.SEQUENCE, "SES_ESPropertyInfo", 7)
    # V1 has no certListType: its list holds certificates only.
    if len(prop) != (6 if v1 else 7):
        der.fail("SES_ESPropertyInfo")
    kind_of_list = CERTIFICATES if v1 else der.integer(prop[2], "certListType")
    certificates, digests = _custodians(prop[2 if v1 else 3], kind_of_list)
    created, valid_from, valid_until = (
        der.time(e, n) for e, n in zip(prop[-3:], ("createDate", "validStart", "validEnd"), strict=True)
    )
    return SealInfo(
        version=version,
        vendor=der.text(header[2], _ASCII, "Vid", MAX_TEXT_BYTES),
        seal_id=der.text(parts[1], _ASCII, "esID", MAX_TEXT_BYTES),
        kind=der.integer(prop[0], "type"),
        name=der.text(prop[1], _UTF8, "name", MAX_TEXT_BYTES),
        certificates=certificates,
        digests=digests,
        created=created,
        valid_from=valid_from,
        valid_until=valid_until,
        picture=_picture(parts[3]),
        extensions=_extensions(parts[4:]),
        header=identifier,
    )


def _custodians(element: Element, kind_of_list: int) -> tuple[tuple[bytes, ...], tuple[Digest, ...]]:
    items = der.children(element, der.SEQUENCE, "certList", MAX_CUSTODIANS)
    if not items or kind_of_list not in {CERTIFICATES, DIGESTS}:
        der.fail("certList")
    if kind_of_list == CERTIFICATES:
        # A certificate stands in an OCTET STRING; some V1 seals hold it bare.
        return tuple(e.raw if e.tag == der.SEQUENCE else der.octets(e, "certList") for e in items), ()
    return (), tuple(map(_digest, items))


def _digest(element: Element) -> Digest:
    parts = der.children(element, der.SEQUENCE, "CertDigestObj", 2)
    if len(parts) != 2:  # noqa: PLR2004 - {type, value}
        der.fail("CertDigestObj")
    return Digest(der.text(parts[0], _ASCII, "CertDigestObj", MAX_TEXT_BYTES), der.octets(parts[1], "CertDigestObj"))


def _picture(element: Element) -> Picture:
    parts = der.children(element, der.SEQUENCE, "SES_ESPictureInfo", 4)
    if len(parts) != 4:  # noqa: PLR2004 - {type, data, width, height}
        der.fail("SES_ESPictureInfo")
    width, height = der.integer(parts[2], "width"), der.integer(parts[3], "height")
    if width > MAX_MILLIMETRES or height > MAX_MILLIMETRES:
        der.fail("SES_ESPictureInfo")
    kind = der.text(parts[0], _ASCII, "SES_ESPictureInfo", MAX_TEXT_BYTES)
    return Picture(kind, der.octets(parts[1], "SES_ESPictureInfo"), width, height)


def _extensions(optional: Sequence[Element]) -> tuple[Extension, ...]:
    """ExtensionDatas, bare or in [0]; at most one element is left when this is called."""
    if not optional:
        return ()
    element = optional[0]
    if element.tag == der.CONTEXT_0:
        inner = der.children(element, der.CONTEXT_0, "extDatas", 1)
        if not inner:
            der.fail("extDatas")
        element = inner[0]
    return tuple(map(_extension, der.children(element, der.SEQUENCE, "extDatas", MAX_EXTENSIONS)))


def _extension(element: Element) -> Extension:
    parts = der.children(element, der.SEQUENCE, "ExtData", 3)
    if len(parts) < 2:  # noqa: PLR2004 - {extnID, critical DEFAULT FALSE, extnValue}
        der.fail("ExtData")
    critical = len(parts) == 3 and der.boolean(parts[1], "critical")  # noqa: PLR2004 - critical is written
    return Extension(der.oid(parts[0], "extnID"), critical, der.octets(parts[-1], "extnValue"))


def _algorithm(element: Element) -> str:
    """An OID; or an AlgorithmIdentifier with NULL parameters or none, as some vendors write it."""
    if element.tag != der.SEQUENCE:
        return der.oid(element, "signatureAlgorithm")
    parts = der.children(element, der.SEQUENCE, "signatureAlgorithm", 2)
    if not parts or any(p.tag != der.NULL or p.content for p in parts[1:]):
        der.fail("signatureAlgorithm")
    return der.oid(parts[0], "signatureAlgorithm")


def _time_stamp(optional: Sequence[Element]) -> bytes | None:
    """The time stamp: [0] EXPLICIT BIT STRING, [0] IMPLICIT, or a bare BIT STRING."""
    if not optional:
        return None
    element = optional[0]
    if element.tag == der.CONTEXT_0:
        inner = der.children(element, der.CONTEXT_0, "timeStamp", 1)
        if not inner:
            der.fail("timeStamp")
        element = inner[0]
    elif element.tag == der.CONTEXT_0_PRIMITIVE:
        content = element.content
        if not content or content[0] != 0:
            der.fail("timeStamp")
        return content[1:]
    return der.bits(element, "timeStamp")


def _tbs(element: Element) -> TBSSign:
    parts = der.children(element, der.SEQUENCE, "TBS_Sign", 6)
    if len(parts) < 5:  # noqa: PLR2004 - {version, eseal, timeInfo, dataHash, propertyInfo, extDatas OPTIONAL}
        der.fail("TBS_Sign")
    version = der.integer(parts[0], "version")
    seal = _seal(parts[1])
    if seal.structure != version:
        raise FormatError("seal_version_differs", seal=seal.structure, signature=version)
    return TBSSign(
        version=version,
        seal=seal,
        time=der.time(parts[2], "timeInfo"),
        document_digest=der.bits(parts[3], "dataHash"),
        property_info=der.text(parts[4], _ASCII, "propertyInfo", MAX_PROPERTY_INFO_BYTES),
        extensions=_extensions(parts[5:]),
        time_info=parts[2].raw,
    )


def _tbs_v1(element: Element) -> tuple[TBSSign, bytes, str]:
    parts = der.children(element, der.SEQUENCE, "TBS_Sign", 7)
    if len(parts) != 7:  # noqa: PLR2004 - {version, eseal, timeInfo, dataHash, propertyInfo, cert, signatureAlgorithm}
        der.fail("TBS_Sign")
    seal = _seal(parts[1])
    # The two version numbers of a V1 file differ between vendors: only the structure is compared.
    if seal.structure != V1:
        raise FormatError("seal_version_differs", seal=seal.structure, signature=V1)
    time_info = der.bits(parts[2], "timeInfo")
    signed = TBSSign(
        version=V1,
        seal=seal,
        time=_time_v1(time_info),
        document_digest=der.bits(parts[3], "dataHash"),
        property_info=der.text(parts[4], _ASCII, "propertyInfo", MAX_PROPERTY_INFO_BYTES),
        time_info=time_info,
    )
    der.integer(parts[0], "version")
    return signed, der.octets(parts[5], "cert"), _algorithm(parts[6])


def _time_v1(content: bytes) -> datetime | None:
    """The time in a V1 timeInfo, or None: it may hold a time stamp token just as well.

    Unverified against the standard's text; seen in public implementations: the DER of a time, its characters alone, and
    a local time ``YYYY-MM-DD HH:MM:SS``, taken as China Standard Time.
    """
    if match := _LOCAL_TIME.fullmatch(content):
        year, month, day, hour, minute, second = map(int, match.groups())
        try:
            return datetime(year, month, day, hour, minute, second, tzinfo=_CHINA_STANDARD_TIME).astimezone(UTC)
        except (ValueError, OverflowError):
            der.fail("timeInfo")
    # A time stamp token is a SEQUENCE, whose tag is the character 0: one digit alone says nothing.
    if _DIGITS.match(content):
        # Thirteen characters with Z are a UTCTime, fifteen a GeneralizedTime.
        short = len(content.split(b"+")[0].split(b"-")[0].rstrip(b"Z")) == 12  # noqa: PLR2004
        return der.time_text(content, der.UTC_TIME if short else der.GENERALIZED_TIME, "timeInfo")
    if content and content[0] in der.TIMES:
        return der.time(der.whole(content, "timeInfo"), "timeInfo")
    return None
