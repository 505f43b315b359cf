"""Make a seal (制章) and apply it to a document (签章); both with the key of whoever does it.

Who may have a seal made and who may use it, and the record of both, is `licence.seals.register`; putting the result
into a file belongs to the packages that write files. An outside verifier does not need this module.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final

from licence.der import write_time
from licence.errors import FormatError, SealRefusedError
from licence.seals import algorithms
from licence.seals.encode import write_info, write_seal, write_signature, write_tbs
from licence.seals.structure import (
    MAX_CUSTODIANS,
    MAX_MILLIMETRES,
    MAX_PROPERTY_INFO_BYTES,
    MAX_TEXT_BYTES,
    V5,
    WRITTEN,
    Digest,
    SealInfo,
    SESeal,
    SESSignature,
    TBSSign,
    parse_seal,
    parse_signature,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import datetime

    from licence.keys import SigningKey
    from licence.seals.structure import Extension, Picture

VENDOR: Final = "ZT"
SM3_KIND: Final = "SM3"
MAX_KIND: Final = 255


@dataclass(frozen=True, slots=True)
class SealSigner:
    """A maker or a custodian: certificate (DER), suite and how to have bytes signed.

    *sign* takes the bytes and returns the signature as DER SEQUENCE {r, s}; it may be a key in memory, a hardware
    module or a remote approval, which is why it is a function. It never shows in ``repr``.
    """

    certificate: bytes = field(repr=False)
    suite: str
    sign: Callable[[bytes], bytes] = field(repr=False)


def signer_of(key: SigningKey) -> SealSigner:
    """A signer that holds its key itself."""
    return SealSigner(key.chain_der[0], key.suite, key.sign_der)


def make_seal(
    maker: SealSigner,
    *,
    seal_id: str,
    kind: int,
    name: str,
    picture: Picture,
    custodians: Sequence[bytes],
    created: datetime,
    valid_from: datetime,
    valid_until: datetime,
    version: int = V5,
    hashed: bool = False,
    vendor: str = VENDOR,
    extensions: Sequence[Extension] = (),
) -> SESeal:
    """A seal for *custodians* (certificates, DER); *hashed*: listed by their SM3 digest instead of in full.

    *seal_id* (esID) must be unique among the maker's seals. Times are cut to whole seconds. Signing is the only effect.

    Raises:
        SealRefusedError: an argument is not as the standard wants it, or the maker's key is not its certificate's.
    """
    _require_ascii("esID", seal_id, MAX_TEXT_BYTES)
    _require_ascii("Vid", vendor, MAX_TEXT_BYTES)
    _require_ascii("picture", picture.kind, MAX_TEXT_BYTES)
    if version not in WRITTEN:
        raise SealRefusedError("seal_version_not_written", version=version)
    if not name.strip() or not name.isprintable() or len(name.encode()) > MAX_TEXT_BYTES:
        raise SealRefusedError("seal_name_missing", limit=MAX_TEXT_BYTES)
    if not 1 <= kind <= MAX_KIND:
        raise SealRefusedError("seal_kind_bad")
    if not 1 <= len(custodians) <= MAX_CUSTODIANS:
        raise SealRefusedError("seal_no_custodian", limit=MAX_CUSTODIANS)
    sizes = (picture.width_mm, picture.height_mm)
    if not picture.data or not all(1 <= s <= MAX_MILLIMETRES for s in sizes):
        raise SealRefusedError("seal_picture_bad", limit=MAX_MILLIMETRES)
    created, valid_from, valid_until = map(_whole_second, (created, valid_from, valid_until))
    if valid_from >= valid_until or created > valid_until:
        dates = {"created": created, "starts": valid_from, "ends": valid_until}
        raise SealRefusedError("seal_dates_contradict", **dates)
    info = SealInfo(
        version=version,
        vendor=vendor,
        seal_id=seal_id,
        kind=kind,
        name=name,
        certificates=() if hashed else tuple(custodians),
        digests=tuple(Digest(SM3_KIND, algorithms.sm3(c)) for c in custodians) if hashed else (),
        created=created,
        valid_from=valid_from,
        valid_until=valid_until,
        picture=picture,
        extensions=tuple(extensions),
    )
    tbs = write_info(info)
    algorithm = algorithms.OID_OF_SUITE[maker.suite]
    seal = SESeal(version, info, maker.certificate, algorithm, maker.sign(tbs))
    try:
        # A seal is made once and used for years: a wrong key must show now.
        algorithms.verify(maker.certificate, algorithm, seal.signature, tbs, frozenset({maker.suite}))
        return parse_seal(write_seal(seal))
    except FormatError as fault:
        if fault.code in {"signature_wrong", "seal_algorithm_not_of_key"}:
            raise SealRefusedError("seal_key_not_of_certificate") from None
        raise SealRefusedError(fault.code, **fault.finding_params) from None


def apply_seal(
    seal: SESeal,
    signer: SealSigner,
    *,
    document_digest: bytes,
    at: datetime,
    property_info: str,
    extensions: Sequence[Extension] = (),
) -> SESSignature:
    """Apply *seal* to the document of *document_digest* (SM3) at time *at*; the version is the seal's.

    *seal* was read or made here: its bytes go in as they are. *property_info* is the path of the signed file in an OFD
    container. That the register allows this use is the caller's to have checked.

    Raises:
        SealRefusedError: the signer is not one of the seal's custodians, the seal is not valid at *at*, or an argument
            is not as the standard wants it.
    """
    info = seal.info
    at = _whole_second(at)
    _require_ascii("propertyInfo", property_info, MAX_PROPERTY_INFO_BYTES)
    if seal.structure not in WRITTEN:
        raise SealRefusedError("seal_version_not_written", version=seal.structure)
    if len(document_digest) != algorithms.SM3_BYTES:
        raise SealRefusedError("seal_digest_bad", expected=algorithms.SM3_BYTES, found=len(document_digest))
    listed = signer.certificate in info.certificates or algorithms.sm3(signer.certificate) in {
        d.value for d in info.digests
    }
    if not listed:
        raise SealRefusedError("seal_custodian_not_listed")
    if at < info.created:
        raise SealRefusedError("seal_applied_before_made", signed=at, created=info.created)
    if at < info.valid_from:
        raise SealRefusedError("seal_not_yet_valid", starts=info.valid_from, when=at)
    if at > info.valid_until:
        raise SealRefusedError("seal_expired", ends=info.valid_until, when=at)
    signed = TBSSign(
        seal.structure, seal, at, document_digest, property_info, tuple(extensions), time_info=write_time(at)
    )
    tbs = write_tbs(signed)
    algorithm = algorithms.OID_OF_SUITE[signer.suite]
    signature = SESSignature(signed, signer.certificate, algorithm, signer.sign(tbs), tbs=tbs)
    # What was just written is not read again: of 350 µs that took 220, and a test holds the two against each other.
    return replace(signature, raw=write_signature(signature))


def stamp_seal(seal: SESeal, token: bytes) -> SESeal:
    """The seal with a time stamp *token* over ``seal.signature``; which authority gave it is not looked at.

    Raises:
        SealRefusedError: a V4 seal has no place for it.
    """
    if seal.structure != V5:
        raise SealRefusedError("seal_time_stamp_needs_v5", version=seal.structure)
    return parse_seal(write_seal(replace(seal, time_stamp=token)))


def stamp_signature(signature: SESSignature, token: bytes) -> SESSignature:
    """The seal signature with a time stamp *token* over ``signature.signature`` (see `stamp_seal`)."""
    return parse_signature(write_signature(replace(signature, time_stamp=token)))


def _require_ascii(what: str, value: str, limit: int) -> None:
    if not 1 <= len(value) <= limit or not value.isascii() or not value.isprintable():
        raise SealRefusedError("seal_text_not_ascii", what=what, limit=limit)


def _whole_second(at: datetime) -> datetime:
    if at.tzinfo is None:
        raise SealRefusedError("time_not_aware")
    return at.replace(microsecond=0)
