"""PAdES baseline B-B (EN 319 142-1) over a PDF of ours: one update with a certifying signature and the visible seal.

Rendering is left to `licence.pdf.render`; time stamps and long-term material are not added here. The same
document, key and time give the same bytes. Nobody may change the document afterwards (DocMDP P=1).
"""

from __future__ import annotations

import hashlib
import math
import re
import zlib
from dataclasses import dataclass
from datetime import UTC
from typing import TYPE_CHECKING, NoReturn

from licence.errors import FormatError, IssueRefusedError
from licence.pdf import cms, structure
from licence.pdf.image import Picture, read_png
from licence.pdf.objects import Ref

if TYPE_CHECKING:
    from datetime import datetime

    from licence.pdf.cms import Signer
    from licence.pdf.structure import PdfFile

FIELD_NAME = "LicenceSeal"
POINTS_PER_MM = 72 / 25.4
# The placeholder of a number in /ByteRange: files of ours are far below ten digits.
_RANGE_DIGITS = 10
_ENDING = re.compile(rb"[\r\n ]*>>[\r\n ]*\Z")


@dataclass(frozen=True, slots=True)
class SealPlace:
    """Where the seal stands on the first page, in millimetres from its lower left corner."""

    left_mm: float = 130.0
    bottom_mm: float = 45.0
    width_mm: float = 40.0
    height_mm: float = 40.0


def seal_pdf(
    pdf: bytes,
    signer: Signer,
    *,
    signed_at: datetime,
    seal_png: bytes,
    place: SealPlace = SealPlace(),
    name: str = "",
    reason: str = "",
    room_bytes: int = 0,
) -> bytes:
    """Certify *pdf*, an unsigned document with cross-reference tables such as `licence.pdf.render` makes.

    *name* is who signs and *reason* why, as readers show them. The signature covers the whole file but its own value.
    *room_bytes* are left free beside it, for the time stamp that `licence.pdf.long_term` may add.

    Raises:
        IssueRefusedError: *pdf* is signed already or not of this form; the picture, place or time is unusable.
    """
    if signed_at.tzinfo is None:
        raise IssueRefusedError("time_not_aware")
    file, numbers = _open(pdf)
    picture = read_png(seal_png)
    update = _Update(pdf, file, numbers.size)
    signature = update.reserve()
    field = update.reserve()
    appearance = _appearance(update, picture, _rectangle(place))
    update.add(
        field,
        b"<</Type/Annot/Subtype/Widget/FT/Sig/T(%s)/F 132/Rect[%s]/P %d 0 R/V %d 0 R/AP<</N %d 0 R>>>>"
        % (FIELD_NAME.encode(), _numbers(_rectangle(place)), numbers.page.number, signature, appearance),
    )
    update.amend(numbers.page, b"/Annots[%d 0 R]" % field)
    update.amend(
        numbers.catalog,
        b"/AcroForm<</Fields[%d 0 R]/SigFlags 3>>/Perms<</DocMDP %d 0 R>>" % (field, signature),
    )
    gap_bytes = 2 * (cms.max_size_bytes(signer) + max(room_bytes, 0)) + 2
    moment = signed_at.astimezone(UTC).strftime("D:%Y%m%d%H%M%SZ").encode()
    before, after = update.finish(
        signature,
        b"<</Type/Sig/Filter/Adobe.PPKLite/SubFilter/ETSI.CAdES.detached/M(%s)%s%s"
        b"/Reference[<</Type/SigRef/TransformMethod/DocMDP/TransformParams<</Type/TransformParams/P 1/V/1.2>>>>]"
        % (moment, _entry(b"Name", name), _entry(b"Reason", reason)),
        gap_bytes,
    )
    form = cms.FORMS.get(signer.suite)
    if form is None:
        raise IssueRefusedError("cms_suite_without_form", suite=signer.suite)
    value = cms.sign(signer, content_digest=cms.digest(form.digest, before, after)).hex().encode()
    if len(value) > gap_bytes - 2:
        raise IssueRefusedError("pdf_signature_long")
    return b"%s<%s>%s" % (before, value.ljust(gap_bytes - 2, b"0"), after)


@dataclass(frozen=True, slots=True)
class _Numbers:
    size: int
    catalog: Ref
    page: Ref


def _open(pdf: bytes) -> tuple[PdfFile, _Numbers]:
    try:
        file = structure.read(pdf)
        trailer = file.sections[0].trailer
        root, size = trailer.get("Root"), trailer.get("Size")
        catalog = file.catalog()
        pages = file.dictionary(catalog.get("Pages"))
        first = file.array(pages.get("Kids"))[:1]
        page = file.dictionary(first[0]) if first else {}
    except FormatError:
        _refuse(pdf)
    if file.sections[0].own or not isinstance(root, Ref) or not isinstance(size, int) or not isinstance(first[0], Ref):
        _refuse(pdf)
    if page.get("Type") != "Page" or "Annots" in page or catalog.keys() & {"AcroForm", "Perms", "DSS"}:
        _refuse(pdf, "pdf_page_in_use")
    return file, _Numbers(size, root, first[0])


class _Update:
    """One incremental update (§7.5.6) in the making."""

    def __init__(self, pdf: bytes, file: PdfFile, size: int) -> None:
        self._pdf = pdf
        self._file = file
        self._next = size
        self._body = bytearray(pdf if pdf.endswith(b"\n") else pdf + b"\n")
        self._offsets: dict[int, int] = {}

    def reserve(self) -> int:
        """The number of an object to be added."""
        self._next += 1
        return self._next - 1

    def add(self, number: int, body: bytes) -> None:
        """Append object *number*."""
        self._offsets[number] = len(self._body)
        self._body += b"%d 0 obj\n%s\nendobj\n" % (number, body)

    def stream(self, entries: bytes, data: bytes) -> int:
        """Append a stream object; its number."""
        number = self.reserve()
        self.add(number, b"<<%s/Length %d>>\nstream\n%s\nendstream" % (entries, len(data), data))
        return number

    def amend(self, ref: Ref, entries: bytes) -> None:
        """Append dictionary *ref* once more with *entries* after its own."""
        entry = self._file.entry(ref.number)
        if entry is None or entry.container or ref.generation:
            _refuse(self._pdf)
        _, end = self._file.at(entry.offset, ref.number, ref.generation)
        head = re.compile(rb"\d+[\s]+\d+[\s]+obj").match(self._pdf, entry.offset)
        if head is None:
            _refuse(self._pdf)
        own, count = _ENDING.subn(b"", self._pdf[head.end() : end - len(b"endobj")])
        if count != 1:
            _refuse(self._pdf)
        self.add(ref.number, own.strip() + entries + b">>")

    def finish(self, number: int, entries: bytes, gap_bytes: int) -> tuple[bytes, bytes]:
        """Append signature dictionary *number* and the cross-reference table; what stands before and after the gap."""
        self._offsets[number] = len(self._body)
        self._body += b"%d 0 obj\n%s/ByteRange[0 " % (number, entries)
        width = 3 * (_RANGE_DIGITS + 1)
        start = len(self._body) + width + len(b"]/Contents")
        tail = b">>\nendobj\n"
        table_at = start + gap_bytes + len(tail)
        tail += self._table(table_at)
        after = start + gap_bytes
        numbers = b"%d %d %d" % (start, after, len(tail))
        self._body += numbers.ljust(width) + b"]/Contents"
        return bytes(self._body), tail

    def _table(self, offset: int) -> bytes:
        lines = [b"xref\n"]
        numbers = sorted(self._offsets)
        runs: list[list[int]] = []
        for number in numbers:
            if runs and runs[-1][-1] == number - 1:
                runs[-1].append(number)
            else:
                runs.append([number])
        for run in runs:
            lines.append(b"%d %d\n" % (run[0], len(run)))
            lines += [b"%010d 00000 n \n" % self._offsets[n] for n in run]
        section = self._file.sections[0]
        root, info = section.trailer.get("Root"), section.trailer.get("Info")
        ids = b""
        permanent = section.trailer.get("ID")
        if isinstance(permanent, list) and permanent:
            first = self._pdf[permanent[0].start : permanent[0].end]
            ids = b"/ID[%s<%s>]" % (first, hashlib.sha256(self._body).hexdigest()[:32].encode())
        lines.append(
            b"trailer\n<</Size %d/Root %s%s%s/Prev %d>>\nstartxref\n%d\n%%%%EOF\n"
            % (
                self._next,
                _reference(root),
                b"/Info " + _reference(info) if isinstance(info, Ref) else b"",
                ids,
                section.offset,
                offset,
            )
        )
        return b"".join(lines)


def _appearance(update: _Update, picture: Picture, box: tuple[float, ...]) -> int:
    space = b"DeviceGray" if picture.channels == 1 else b"DeviceRGB"
    common = b"/Type/XObject/Subtype/Image/Width %d/Height %d/BitsPerComponent 8/Filter/FlateDecode" % (
        picture.width,
        picture.height,
    )
    mask = b""
    if picture.alpha:
        mask = b"/SMask %d 0 R" % update.stream(common + b"/ColorSpace/DeviceGray", picture.alpha)
    image = update.stream(common + b"/ColorSpace/%s%s" % (space, mask), picture.colour)
    width, height = box[2] - box[0], box[3] - box[1]
    # Multiplied like ink: the name and the date below stay legible (ISO 32000-2 §11.3.5.2).
    drawing = zlib.compress(b"q /Ink gs %s 0 0 %s 0 0 cm /Seal Do Q" % (_number(width), _number(height)), 9)
    return update.stream(
        b"/Type/XObject/Subtype/Form/BBox[%s]/Filter/FlateDecode/Resources<</XObject<</Seal %d 0 R>>"
        b"/ExtGState<</Ink<</Type/ExtGState/BM/Multiply>>>>>>" % (_numbers((0.0, 0.0, width, height)), image),
        drawing,
    )


def _rectangle(place: SealPlace) -> tuple[float, float, float, float]:
    measures = (place.left_mm, place.bottom_mm, place.width_mm, place.height_mm)
    # 14 400 points, the largest page there is (ISO 32000-1 annex C), in millimetres.
    if not all(math.isfinite(m) and 0 <= m <= 5080 for m in measures) or not place.width_mm * place.height_mm:  # noqa: PLR2004
        raise IssueRefusedError("seal_place_unusable")
    left, bottom, width, height = (m * POINTS_PER_MM for m in measures)
    return left, bottom, left + width, bottom + height


def _number(value: float) -> bytes:
    return f"{value:.3f}".rstrip("0").rstrip(".").encode()


def _numbers(values: tuple[float, ...]) -> bytes:
    return b" ".join(map(_number, values))


def _reference(ref: object) -> bytes:
    if not isinstance(ref, Ref):
        raise IssueRefusedError("pdf_not_sealable")
    return b"%d %d R" % (ref.number, ref.generation)


def _entry(key: bytes, text: str) -> bytes:
    """A text string entry (§7.9.2.2), in hexadecimal so that no character of it is syntax; nothing for no text."""
    if not text:
        return b""
    try:
        return b"/%s<FEFF%s>" % (key, text.encode("utf-16-be").hex().upper().encode())
    except UnicodeEncodeError:
        raise IssueRefusedError("pdf_text_unusable", where=key.decode()) from None


def _refuse(pdf: bytes, code: str = "pdf_not_sealable") -> NoReturn:
    # A signature says which bytes it covers, once the file is written: so these stand in the clear (§12.8.1).
    raise IssueRefusedError("pdf_signed_already" if b"/ByteRange" in pdf else code)
