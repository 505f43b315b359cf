"""The signatures of a PDF, ours or a stranger's: what each covers, who made it, and that digest and signature hold.

A signature is accepted only where it covers the whole file but its own value, or where nothing but document time
stamps and validation material follow it; anything else is refused, whatever a reader would show. Whether the signer's
chain is trusted is left to `licence.chain`, by the caller. Needs the standard library and `cryptography` only.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone
from enum import StrEnum
from typing import TYPE_CHECKING, NoReturn

from licence import der, timestamps
from licence.errors import FormatError
from licence.pdf import cms, structure
from licence.pdf.objects import Object, Ref, Stream, Text
from licence.pdf.updates import check_update

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from licence.pdf.structure import PdfFile
    from licence.timestamps import TimeStamp

WHAT = "PDF signature"
MAX_SIGNATURES = 32
MAX_FIELDS = 4000
MAX_FIELD_DEPTH = 16
MAX_MATERIAL = 256
# Characters of a text for showing; and of keywords, in which the marks of a copy may take two thousand.
MAX_SHOWN = 500
MAX_KEYWORDS = 8000
_HEX = re.compile(rb"<(?:[0-9a-f]+|[0-9A-F]+)>")
_DATE = re.compile(r"D:(\d{4})(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)(?:Z(?:00'?00'?)?|([+-])(\d\d)'?(\d\d)'?)")
_SUB_FILTERS = {"ETSI.CAdES.detached", "adbe.pkcs7.detached"}
_STAMP_SUB_FILTER = "ETSI.RFC3161"


class Level(StrEnum):
    """The level of PAdES (EN 319 142-1 §6) whose parts a file holds; what they are worth is judged elsewhere."""

    B_B = "B-B"
    B_T = "B-T"
    B_LT = "B-LT"
    B_LTA = "B-LTA"


class Coverage(StrEnum):
    """What of the file a signature covers, its own value aside."""

    WHOLE_FILE = "whole-file"
    # What follows are document time stamps and validation material.
    BEFORE_ARCHIVING = "before-archiving"


@dataclass(frozen=True, slots=True)
class PdfSignature:
    """A signature that holds. *chain* is DER, leaf first, and still to be judged; so are *stamps* (tokens, RFC 3161).

    *certification* is the P of DocMDP (1 to 3), None for an approval signature. *claimed_at*, *name* and *reason* are
    the signer's claims. *signature* is the value that *stamps* are of, *gap* where it stands in the file. *unsigned*
    are the attributes that nobody signed and nothing here looks at, as the DER of their names.
    """

    field: str
    chain: tuple[bytes, ...]
    suite: str
    coverage: Coverage
    certification: int | None
    claimed_at: datetime | None
    name: str
    reason: str
    signature: bytes
    stamps: tuple[bytes, ...]
    gap: tuple[int, int]
    unsigned: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class PdfStamp:
    """A document time stamp that holds; its chain is still to be judged.

    *archives*: there was validation material before it, which it covers.
    """

    field: str
    coverage: Coverage
    stamp: TimeStamp
    archives: bool


@dataclass(frozen=True, slots=True)
class PdfFacts:
    """Everything signed in one file, in the order of signing, and the validation material (DSS).

    Nobody vouches for the material; *keywords* are signed. From *loose_from* on no signature and no time stamp covers
    the file: there is material or nothing.
    """

    signatures: tuple[PdfSignature, ...]
    stamps: tuple[PdfStamp, ...]
    certificates: tuple[bytes, ...]
    crls: tuple[bytes, ...]
    ocsps: tuple[bytes, ...]
    loose_from: int
    keywords: str

    @property
    def level(self) -> Level:
        """The highest level whose parts are there."""
        if not self.stamps and not any(s.stamps for s in self.signatures):
            return Level.B_B
        if not self.certificates or not (self.crls or self.ocsps):
            return Level.B_T
        return Level.B_LTA if any(s.archives for s in self.stamps) else Level.B_LT


def read_signatures(data: bytes, suites: Iterable[str]) -> PdfFacts:
    """Find every signature, check each by a suite among *suites*, and judge what follows it.

    1. structure, 2. signature dictionaries, 3. byte ranges, 4. updates, 5. CMS, digest and signature.

    Raises:
        FormatError: no signature, or one of them, or the file, does not hold; sub-indications ``FORMAT_FAILURE``,
            ``HASH_FAILURE``, ``SIG_CRYPTO_FAILURE``, ``CRYPTO_CONSTRAINTS_FAILURE``, ``NO_SIGNING_CERTIFICATE_FOUND``.
    """
    allowed = tuple(suites)
    file = structure.read(data)
    found = sorted(_signature_fields(file), key=lambda f: f.end)
    if not found:
        raise FormatError("pdf_not_signed")
    _check_updates(file, found)
    signatures, stamps = [], []
    for entry in found:
        coverage = Coverage.WHOLE_FILE if entry.end == len(data) else Coverage.BEFORE_ARCHIVING
        if entry.value.get("SubFilter") == _STAMP_SUB_FILTER:
            stamp = timestamps.verify(entry.contents, _parts(data, entry), suites=allowed)
            stamps.append(PdfStamp(entry.name, coverage, stamp, _archives(file, entry)))
        else:
            signatures.append(_signature(file, entry, coverage, allowed))
    return PdfFacts(tuple(signatures), tuple(stamps), *_material(file), found[-1].end, _keywords(file))


def _archives(file: PdfFile, field: _Field) -> bool:
    """Whether the revision that ends with *field* holds validation material."""
    since = next(i for i, s in enumerate(file.sections) if s.offset < field.end)
    return file.catalog(since).get("DSS") is not None


@dataclass(frozen=True, slots=True)
class _Field:
    """A signature field with its dictionary; the gap of its byte range is *gap_start* to *gap_end*, its end *end*."""

    name: str
    ref: Ref
    value: Mapping[str, Object]
    gap_start: int
    gap_end: int
    end: int
    contents: bytes


def _signature_fields(file: PdfFile) -> list[_Field]:
    form = file.get(file.catalog().get("AcroForm"))
    if form is None:
        return []
    fields: list[_Field] = []
    todo: list[tuple[Object, str, Object, int]] = [
        (f, "", None, MAX_FIELD_DEPTH) for f in file.array(file.dictionary(form).get("Fields"))
    ]
    seen: set[Ref] = set()
    looked_at = 0
    while todo:
        ref, parent, kind, depth = todo.pop()
        looked_at += 1
        if not depth or looked_at > MAX_FIELDS:
            _refuse("Fields")
        node = file.dictionary(ref)
        name = ".".join(filter(None, (parent, _text(node.get("T")))))
        kind = node.get("FT", kind)
        todo += [(kid, name, kind, depth - 1) for kid in file.array(node.get("Kids"))]
        value = node.get("V")
        if kind != "Sig" or value is None:
            continue
        if not isinstance(value, Ref) or value in seen:
            _refuse("V")
        seen.add(value)
        if len(seen) > MAX_SIGNATURES:
            raise FormatError("pdf_too_many_signatures", limit=MAX_SIGNATURES)
        fields.append(_field(file, name, value))
    return fields


def _field(file: PdfFile, name: str, ref: Ref) -> _Field:
    entry = file.entry(ref.number)
    value = file.dictionary(ref)
    contents, byte_range = value.get("Contents"), value.get("ByteRange")
    # A dictionary inside a compressed stream has no place in the file that a byte range could leave out.
    if entry is None or entry.container or not isinstance(contents, Text):
        _refuse("Contents")
    if not isinstance(byte_range, list) or len(byte_range) != 4 or not all(type(n) is int for n in byte_range):  # noqa: PLR2004 - two runs
        raise FormatError("pdf_byte_range")
    first, gap_start, gap_end, rest = byte_range
    if first != 0 or (gap_start, gap_end) != (contents.start, contents.end) or not 0 < rest <= len(file.data) - gap_end:
        raise FormatError("pdf_byte_range")
    written = file.data[gap_start:gap_end]
    if _HEX.fullmatch(written) is None or len(written) % 2:
        _refuse("Contents")
    if len(contents.value) > cms.MAX_CMS_BYTES:
        raise FormatError("too_large", what=WHAT, limit=cms.MAX_CMS_BYTES)
    node, end = der.read_first(contents.value, WHAT)
    if contents.value[end:].strip(b"\0"):
        raise FormatError("der_trailing_bytes", what=WHAT)
    return _Field(name, ref, value, gap_start, gap_end, gap_end + rest, node.raw)


def _check_updates(file: PdfFile, fields: list[_Field]) -> None:
    """Every signature ends where a revision ends, and what follows the first of them may follow it."""
    end = fields[0].end
    if end == len(file.data):
        return
    count = next((i for i, s in enumerate(file.sections) if s.offset < end), len(file.sections))
    if not count or any(s.offset >= end for s in file.sections[count:]) or count == len(file.sections):
        raise FormatError("pdf_byte_range")
    closing = structure.closing_of(file, file.sections[count])
    # A signature may end before its revision's last line does.
    if end > closing or file.data[end:closing].strip(b"\r\n"):
        raise FormatError("pdf_byte_range")
    ends = {end}
    at = end
    for index in reversed(range(count)):
        at = check_update(file, index, at)
        ends.add(at)
    if at != len(file.data) or not {f.end for f in fields} <= ends:
        raise FormatError("pdf_byte_range")


def _parts(data: bytes, field: _Field) -> tuple[memoryview, memoryview]:
    view = memoryview(data)
    return view[: field.gap_start], view[field.gap_end : field.end]


def _signature(file: PdfFile, field: _Field, coverage: Coverage, suites: tuple[str, ...]) -> PdfSignature:
    value = field.value
    if value.get("Type", "Sig") != "Sig" or value.get("SubFilter") not in _SUB_FILTERS:
        _refuse("SubFilter")
    signed = cms.parse(field.contents, WHAT)
    if signed.content is not None or signed.content_type != der.write_oid(cms.DATA):
        _refuse("Contents")
    content_digest = cms.digest(cms.digest_of(signed, suites, WHAT), *_parts(file.data, field))
    checked = cms.check(signed, content_digest, suites, WHAT)
    tokens = checked.unsigned.get(der.write_oid(cms.SIGNATURE_TIME_STAMP), ())
    return PdfSignature(
        field=field.name,
        chain=checked.chain,
        suite=checked.suite,
        coverage=coverage,
        certification=_certification(file, field),
        claimed_at=_date(_text(value.get("M"))),
        name=_text(value.get("Name")),
        reason=_text(value.get("Reason")),
        signature=checked.signature,
        stamps=tuple(t.raw for t in tokens),
        gap=(field.gap_start, field.gap_end),
        unsigned=tuple(sorted(checked.unsigned.keys() - {der.write_oid(cms.SIGNATURE_TIME_STAMP)})),
    )


def _certification(file: PdfFile, field: _Field) -> int | None:
    permissions = file.get(file.catalog().get("Perms"))
    if not isinstance(permissions, dict) or permissions.get("DocMDP") != field.ref:
        return None
    for reference in file.array(field.value.get("Reference")):
        entries = file.dictionary(reference)
        if entries.get("TransformMethod") == "DocMDP":
            parameters = file.get(entries.get("TransformParams"))
            level = parameters.get("P", 2) if isinstance(parameters, dict) else None
            if type(level) is int and 1 <= level <= 3:  # noqa: PLR2004 - ISO 32000-1 table 254
                return level
            _refuse("DocMDP")
    return None


def _material(file: PdfFile) -> tuple[tuple[bytes, ...], tuple[bytes, ...], tuple[bytes, ...]]:
    store = file.get(file.catalog().get("DSS"))
    if store is None:
        return (), (), ()
    entries = file.dictionary(store)
    kinds = []
    for key in ("Certs", "CRLs", "OCSPs"):
        members = file.array(entries.get(key))
        if len(members) > MAX_MATERIAL:
            _refuse("DSS")
        streams = [file.get(m) for m in members]
        kinds.append(tuple(file.unpack(s) if isinstance(s, Stream) else _refuse("DSS") for s in streams))
    certificates, crls, ocsps = kinds
    return certificates, crls, ocsps


def _keywords(file: PdfFile) -> str:
    """Keywords of the document information, which no update may change; "" for none."""
    info = file.get(file.sections[0].trailer.get("Info"))
    return _text(file.get(info.get("Keywords")), MAX_KEYWORDS) if isinstance(info, dict) else ""


def _text(value: Object, limit: int = MAX_SHOWN) -> str:
    """A text string (§7.9.2.2), printable and of *limit* characters at most; nothing for what is none."""
    if not isinstance(value, Text):
        return ""
    if value.value.startswith(b"\xfe\xff"):
        text = value.value[2:].decode("utf-16-be", "replace")
    elif value.value.startswith(b"\xef\xbb\xbf"):
        text = value.value[3:].decode("utf-8", "replace")
    else:
        text = value.value.decode("latin-1")
    return "".join(c for c in text if c.isprintable())[:limit]


def _date(text: str) -> datetime | None:
    """A date (§7.9.4) down to the second with its zone; None for less."""
    match = _DATE.fullmatch(text)
    if match is None:
        return None
    year, month, day, hour, minute, second = (int(match[i]) for i in range(1, 7))
    try:
        offset = timedelta(hours=int(match[8] or 0), minutes=int(match[9] or 0))
        zone = timezone(-offset if match[7] == "-" else offset)
        return datetime(year, month, day, hour, minute, second, tzinfo=zone).astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def _refuse(detail: str) -> NoReturn:
    raise FormatError("pdf_signature_form", detail=detail)
