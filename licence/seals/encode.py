"""Seals and seal signatures written as DER, V4 and V5; reading them is `licence.seals.structure`.

What somebody signed and what was read goes in byte for byte: only what is new is encoded. Values come from our own code
(`licence.seals.make`), which has looked at them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from licence.der import write, write_bits, write_integer, write_oid, write_sequence, write_time
from licence.errors import FormatError
from licence.seals import der
from licence.seals.structure import CERTIFICATES, DIGESTS, WRITTEN

if TYPE_CHECKING:
    from collections.abc import Sequence

    from licence.seals.structure import Extension, SealInfo, SESeal, SESSignature, TBSSign


def write_seal(seal: SESeal) -> bytes:
    """The DER of a V4 or V5 seal; seal information that was read is put in byte for byte, it is what the maker signed.

    Raises:
        FormatError: ``seal_version_not_written``.
    """
    _require_written(seal.structure)
    parts = [
        seal.tbs or write_info(seal.info),
        write(der.OCTET_STRING, seal.certificate),
        write_oid(seal.algorithm),
        write_bits(seal.signature),
    ]
    return write_sequence([*parts, *_write_time_stamp(seal.time_stamp)])


def write_info(info: SealInfo) -> bytes:
    """The DER of SES_SealInfo: the bytes the maker signs in V4 and V5.

    Raises:
        FormatError: ``seal_version_not_written``.
    """
    _require_written(info.version)
    header = (
        write(der.IA5_STRING, info.header.encode("ascii")),
        write_integer(info.version),
        write(der.IA5_STRING, info.vendor.encode("ascii")),
    )
    if info.digests:
        custodians = [
            write_sequence((write(der.PRINTABLE_STRING, d.kind.encode("ascii")), write(der.OCTET_STRING, d.value)))
            for d in info.digests
        ]
    else:
        custodians = [write(der.OCTET_STRING, c) for c in info.certificates]
    prop = (
        write_integer(info.kind),
        write(der.UTF8_STRING, info.name.encode()),
        write_integer(DIGESTS if info.digests else CERTIFICATES),
        write_sequence(custodians),
        write_time(info.created),
        write_time(info.valid_from),
        write_time(info.valid_until),
    )
    picture = (
        write(der.IA5_STRING, info.picture.kind.encode("ascii")),
        write(der.OCTET_STRING, info.picture.data),
        write_integer(info.picture.width_mm),
        write_integer(info.picture.height_mm),
    )
    parts = [
        write_sequence(header),
        write(der.IA5_STRING, info.seal_id.encode("ascii")),
        write_sequence(prop),
        write_sequence(picture),
    ]
    if info.extensions:
        parts.append(_write_extensions(info.extensions))
    return write_sequence(parts)


def write_tbs(signed: TBSSign) -> bytes:
    """The DER of TBS_Sign: the bytes the custodian signs. A seal that was read is put in byte for byte.

    Raises:
        FormatError: ``seal_version_not_written``; ``time_not_aware``: there is no time.
    """
    _require_written(signed.version)
    if signed.time is None:
        raise FormatError("time_not_aware")
    parts = [
        write_integer(signed.version),
        signed.seal.raw or write_seal(signed.seal),
        write_time(signed.time),
        write_bits(signed.document_digest),
        write(der.IA5_STRING, signed.property_info.encode("ascii")),
    ]
    if signed.extensions:
        parts.append(write(der.CONTEXT_0, _write_extensions(signed.extensions)))
    return write_sequence(parts)


def write_signature(signature: SESSignature) -> bytes:
    """The DER of a V4 or V5 SES_Signature; TBS_Sign that was read is put in byte for byte.

    Raises:
        FormatError: ``seal_version_not_written``.
    """
    _require_written(signature.signed.version)
    parts = [
        signature.tbs or write_tbs(signature.signed),
        write(der.OCTET_STRING, signature.certificate),
        write_oid(signature.algorithm),
        write_bits(signature.signature),
    ]
    return write_sequence([*parts, *_write_time_stamp(signature.time_stamp)])


def _require_written(version: int) -> None:
    if version not in WRITTEN:
        raise FormatError("seal_version_not_written", version=version)


def _write_extensions(extensions: Sequence[Extension]) -> bytes:
    return write_sequence(
        write_sequence(
            (
                write_oid(e.oid),
                *([write(der.BOOLEAN, b"\xff")] if e.critical else []),
                write(der.OCTET_STRING, e.value),
            )
        )
        for e in extensions
    )


def _write_time_stamp(token: bytes | None) -> list[bytes]:
    return [] if token is None else [write(der.CONTEXT_0, write_bits(token))]
