"""PAdES for long (EN 319 142-1 §6): a time stamp in the signature (B-T), validation material (B-LT), archive stamps.

Sealing (B-B) is `licence.pdf.sign`, judging `licence.verifying`. Updates are written by pyHanko, of the extra
`documents`, which is imported only when one is written; dates, identifiers and names in them come from the document,
so that the same document, material and tokens give the same bytes.

1. `stamp_signature` B-T: the token goes into room that `seal_pdf` left beside the signature;
2. `add_material` B-LT: certificates and revocation lists of every chain, in an update of their own;
3. `archive` B-LTA: a document time stamp over all that; from time to time again, after `add_material` for the last one.
"""

from __future__ import annotations

import hashlib
import io
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NoReturn

from licence import chain, der, timestamps
from licence.errors import IssueRefusedError
from licence.pdf import cms
from licence.pdf.read import Level, read_signatures
from licence.timestamping import stamp

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from pyhanko.pdf_utils.incremental_writer import IncrementalPdfFileWriter

    from licence.pdf.read import PdfFacts, PdfSignature
    from licence.timestamping import TimeStamper

# What a token with a chain of four P-256 certificates takes; an authority's chain is told beforehand by none.
TOKEN_ROOM_BYTES = 6 * 1024
FIELD_NAME = "ArchiveTimeStamp"
_UNSIGNED = 0xA1
_SIGNED_PARTS = 6
_UNKNOWN = frozenset({"revocation_unknown", "revocation_stale"})


@dataclass(frozen=True, slots=True)
class Material:
    """What a verifier needs in decades: *certificates* and *crls* (DER). *anchors* (DER) are those pinned today."""

    anchors: frozenset[bytes]
    certificates: tuple[bytes, ...]
    crls: tuple[bytes, ...]


def stamp_signature(pdf: bytes, stamper: TimeStamper, *, suites: tuple[str, ...], nonce: int | None = None) -> bytes:
    """*pdf*, sealed with room and nothing after the seal, with a time stamp of its signature: B-T.

    Raises:
        IssueRefusedError: not one signature that covers the whole file, stamped already, or no room for the token.
        FormatError: *pdf* does not hold, or the authority's answer does not.
    """
    found = read_signatures(pdf, suites)
    if len(found.signatures) != 1 or found.stamps or found.level is not Level.B_B or found.loose_from != len(pdf):
        raise IssueRefusedError("pdf_level_reached", level=found.level.value)
    (signature,) = found.signatures
    token = stamp(stamper, signature.signature, suites=suites, nonce=nonce)
    start, end = signature.gap
    node, _ = der.read_first(bytes.fromhex(pdf[start + 1 : end - 1].decode()), "PDF signature")
    value = _with_token(node.raw, token).hex().encode()
    room = end - start - 2
    if len(value) > room:
        raise IssueRefusedError("pdf_no_room", needed=(len(value) - room + 1) // 2)
    return b"%s<%s>%s" % (pdf[:start], value.ljust(room, b"0"), pdf[end:])


def add_material(pdf: bytes, material: Material, *, at: datetime, suites: tuple[str, ...]) -> bytes:
    """*pdf* with the certificates and lists that its signature and every time stamp in it need *at* that time: B-LT.

    Take lists made after the newest time stamp: earlier ones do not know whether it was still to be trusted.

    Raises:
        IssueRefusedError: no time stamp yet, or the newest one's certificate has ended; a certificate of which no
            fresh list of its issuer is at hand; or nothing that the document does not hold already.
        FormatError: *pdf* does not hold, or one of its chains does not lead to an anchor or is revoked.
    """
    found = read_signatures(pdf, suites)
    if found.level is Level.B_B:
        raise IssueRefusedError("pdf_level_missing", level=Level.B_T.value)
    _require_in_time(found, material, at=at, suites=suites)
    certificates: dict[bytes, None] = {}
    for one in _chains(found, suites):
        certificates |= dict.fromkeys(_proved(one, found, material, at=at, suites=suites))
    if set(certificates) <= set(found.certificates) and set(material.crls) <= set(found.crls):
        raise IssueRefusedError("pdf_level_reached", level=found.level.value)
    return _write_material(pdf, tuple(certificates), material.crls)


def archive(pdf: bytes, stamper: TimeStamper, *, suites: tuple[str, ...], nonce: int | None = None) -> bytes:
    """*pdf* with a document time stamp over everything in it, its validation material included: B-LTA.

    Raises:
        IssueRefusedError: it has no validation material, or nothing new since its last document time stamp.
        FormatError: *pdf* does not hold, or the authority's answer does not.
    """
    found = read_signatures(pdf, suites)
    if found.level not in {Level.B_LT, Level.B_LTA}:
        raise IssueRefusedError("pdf_level_missing", level=Level.B_LT.value)
    if found.loose_from == len(pdf):
        raise IssueRefusedError("pdf_level_reached", level=found.level.value)
    return _write_stamp(pdf, f"{FIELD_NAME}{len(found.stamps) + 1}", stamper, suites=suites, nonce=nonce)


def _with_token(signed: bytes, token: bytes) -> bytes:
    """The SignedData *signed* with *token* as its signer's one unsigned attribute."""
    what = "PDF signature"
    outer = der.read(signed, what).children(what)
    (inner,) = outer[1].children(what)
    *parts, infos = inner.children(what)
    (info,) = infos.children(what)
    members = info.children(what)
    if len(members) != _SIGNED_PARTS:
        raise IssueRefusedError("pdf_level_reached", level=Level.B_T.value)
    attribute = der.write(der.SEQUENCE, der.write_oid(cms.SIGNATURE_TIME_STAMP), der.write(der.SET, token))
    stamped = der.write(der.SEQUENCE, *(m.raw for m in members), der.write(_UNSIGNED, attribute))
    data = der.write(der.SEQUENCE, *(p.raw for p in parts), der.write(der.SET, stamped))
    return der.write(der.SEQUENCE, outer[0].raw, der.write(outer[1].tag, data))


def _chains(found: PdfFacts, suites: tuple[str, ...]) -> Iterator[tuple[bytes, ...]]:
    """The chain of each signature and of each time stamp, as the document brings it."""
    for signature in found.signatures:
        yield signature.chain
        yield from _token_chains(signature, suites)
    for one in found.stamps:
        yield one.stamp.chain


def _token_chains(signature: PdfSignature, suites: tuple[str, ...]) -> Iterator[tuple[bytes, ...]]:
    for token in signature.stamps:
        yield timestamps.verify(token, (signature.signature,), suites=suites).chain


def _require_in_time(found: PdfFacts, material: Material, *, at: datetime, suites: tuple[str, ...]) -> None:
    """The newest stamps are what another proves next: once their certificates have ended, it is too late for that."""
    newest = [found.stamps[-1].stamp.chain] if found.stamps else []
    for one in newest or [c for s in found.signatures for c in _token_chains(s, suites)]:
        path = chain.validate(one, material.anchors, frozenset(suites))
        if at > path.ends:
            raise IssueRefusedError("pdf_archive_late", limit=path.ends.isoformat(timespec="seconds"))


def _proved(
    certificates: tuple[bytes, ...], found: PdfFacts, material: Material, *, at: datetime, suites: tuple[str, ...]
) -> tuple[bytes, ...]:
    """The path of a chain, each certificate of it below the anchor with a list that says it is not revoked."""
    path = chain.validate(certificates, material.anchors, frozenset(suites))
    # What the document brought when it was archived before counts too, for what has since expired.
    lists = tuple(dict.fromkeys((*material.crls, *found.crls)))
    for note in chain.check_revocation(path, lists, at=at):
        if note.code in _UNKNOWN:
            raise IssueRefusedError("pdf_material_incomplete", subject=dict(note.params)["subject"])
    return path.certificates


def _writer(pdf: bytes) -> IncrementalPdfFileWriter:
    """An update of *pdf* in the making that leaves date, producer and metadata alone: no part of it is by chance."""
    try:
        from pyhanko.pdf_utils import generic  # noqa: PLC0415 - of the extra `documents`, and a second to load
        from pyhanko.pdf_utils.incremental_writer import IncrementalPdfFileWriter  # noqa: PLC0415
    except ImportError:
        raise IssueRefusedError("pdf_extra_missing") from None

    class Update(IncrementalPdfFileWriter):
        @classmethod
        def _handle_id(cls, prev: Any) -> Any:  # noqa: ANN401 - untyped there
            first = prev.trailer["/ID"][0]
            own = first.original_bytes if isinstance(first, generic.TextStringObject) else first
            changing = hashlib.sha256(pdf).digest()[:16]
            return generic.ArrayObject([generic.ByteStringObject(own), generic.ByteStringObject(changing)])

        def _update_meta(self) -> None:
            """What the document is has not changed."""

    return Update(io.BytesIO(pdf))


def _write_material(pdf: bytes, certificates: tuple[bytes, ...], crls: tuple[bytes, ...]) -> bytes:
    writer = _writer(pdf)
    from asn1crypto import crl, x509  # noqa: PLC0415 - of the extra `documents`
    from pyhanko.sign.validation.dss import DocumentSecurityStore  # noqa: PLC0415

    # No entry for each signature (VRI): EN 319 142-1 §5.4.2.3 advises against, and verifiers look at all there is.
    DocumentSecurityStore.supply_dss_in_writer(
        writer,
        None,
        certs=[x509.Certificate.load(c) for c in certificates],
        crls=[crl.CertificateList.load(c) for c in crls],
    )
    _declare(writer)
    out = io.BytesIO()
    writer.write(out)  # type: ignore[no-untyped-call]
    return out.getvalue()


def _write_stamp(pdf: bytes, name: str, stamper: TimeStamper, *, suites: tuple[str, ...], nonce: int | None) -> bytes:
    writer = _writer(pdf)
    from pyhanko.sign.fields import SigFieldSpec  # noqa: PLC0415 - of the extra `documents`
    from pyhanko.sign.signers.cms_embedder import PdfCMSEmbedder, SigIOSetup, SigObjSetup  # noqa: PLC0415
    from pyhanko.sign.signers.pdf_byterange import DocumentTimestamp  # noqa: PLC0415

    _declare(writer)
    steps = PdfCMSEmbedder(new_field_spec=SigFieldSpec(name)).write_cms(name, writer)
    next(steps)
    placeholder = DocumentTimestamp(bytes_reserved=2 * TOKEN_ROOM_BYTES)  # type: ignore[no-untyped-call]
    steps.send(SigObjSetup(sig_placeholder=placeholder))
    prepared, out = steps.send(SigIOSetup(md_algorithm="sha256"))
    written = out.getvalue()
    signed = written[: prepared.reserved_region_start] + written[prepared.reserved_region_end :]
    token = stamp(stamper, signed, suites=suites, nonce=nonce)
    if len(token) > TOKEN_ROOM_BYTES:
        _refuse_room(len(token) - TOKEN_ROOM_BYTES)
    steps.send(token)
    return bytes(out.getvalue())


def _declare(writer: IncrementalPdfFileWriter) -> None:
    """The extension by which a PDF 1.7 says that it holds such updates (EN 319 142-1 §5.6)."""
    from pyhanko.sign.signers import constants  # noqa: PLC0415 - of the extra `documents`

    writer.register_extension(constants.ESIC_EXTENSION_1)


def _refuse_room(needed_bytes: int) -> NoReturn:
    raise IssueRefusedError("pdf_no_room", needed=needed_bytes)
