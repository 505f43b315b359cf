"""Draws the documents of a licence when they are asked for: PDF, OFD, a picture for screens, the code; never stored.

A document is a function of the sealed credential, the template's version, and the one signature that is kept
(`hub.licensing.signing_once`): the same bytes each time, in every process. Who may have one, and that it is recorded
first, is `hub.licensing.downloads`'s.

The steps of drawing, by number:

    1. read the credential; every text must have its glyphs
    2. the code (QR): signed once by the department's licence key
    3. the page, with the code and, for a copy, the watermark and the four fields of GB/T 36903
    4. the seal: PDF by the department's document key and the seal's picture, OFD by the seal itself
    5. the first time, keep the signature; afterwards, put the kept one in, and check that it is of these bytes
"""

from __future__ import annotations

import hashlib
import threading
from dataclasses import dataclass, replace
from datetime import UTC
from functools import lru_cache
from typing import TYPE_CHECKING, Final, NoReturn, Protocol, cast

from hub.licensing import signing_once
from hub.licensing.document_errors import DocumentDriftedError, SealNotRepeatableError, said
from hub.licensing.papers import Copy, Form, Paper, Sheet
from hub.licensing.signing_once import Kept, Name, Recorder
from licence.errors import FormatError, IssueRefusedError, SignerError
from licence.fonts import packaged_font
from licence.lifecycle.copies import CREDENTIAL, to_keywords
from licence.ofd import layout as ofd_layout
from licence.ofd import seal as ofd_seal
from licence.ofd import write as ofd_write
from licence.pdf.read import read_signatures
from licence.pdf.render import SEAL_PLACES, Face, Renderer, newest
from licence.pdf.sign import SealPlace, seal_pdf
from licence.qr.code import make_code
from licence.qr.draw import qr_matrix, qr_png
from licence.seals import algorithms
from licence.seals.make import SealSigner, apply_seal
from licence.seals.structure import parse_seal, parse_signature
from licence.suites import SUITES

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import datetime
    from pathlib import Path

    from sqlalchemy.engine import Connection

    from hub.control import Control
    from licence.bundle import LicenceBundle
    from licence.keys import SigningKey
    from licence.model import SealedLicence
    from licence.seals.structure import SESeal

# What the seal is used for, as the register has it; no document of a holder is named there.
PURPOSE: Final = "电子证照 / electronic licence"
CAPTION: Final = "扫码核验 / Scan to verify"
PREVIEW: Final = "预览 PREVIEW"
NO_LICENCE: Final = "预览，不是证照，未签名 / Preview: no licence, not signed"
SCREEN: Final = "仅供屏幕显示，本图像不是证照 / For screens; this picture is not a licence"
# A code by itself is the same for every template.
CODE_TEMPLATE: Final = "code-1"
_SVG: Final = "SVG"


class Keys(Protocol):
    """The keys that sign codes (`hub.authority.KeyStore`)."""

    def department(self, code: str) -> SigningKey:
        """The key that signs a department's licences, and its codes."""


class Stamp(Protocol):
    """A seal that the hub may use for licences of one kind; each use is looked at and recorded by who gave it."""

    @property
    def seal(self) -> SESeal:
        """The seal, its picture a PNG."""

    def signatures(self, digests: Sequence[bytes], *, at: datetime, purpose: str, path: str) -> list[bytes]:
        """SES_Signatures over documents of these SM3 *digests*; *path* is what each names as its signed file."""

    def stamp_pdf(self, pdf: bytes, *, at: datetime, purpose: str, place: SealPlace | None = None) -> bytes:
        """*pdf* with the seal's picture and the signature of the department's document key."""


class Stamping(Protocol):
    """The departments' electronic seals (`hub.seals`)."""

    def seal_for(self, department: str, kind: str) -> Stamp:
        """The seal that licences of *kind* of *department* bear.

        Raises:
            HubError: there is none, or it may not be used; it says what to do.
        """


class Shelf(Protocol):
    """Where sealed licences are (`hub.licensing.Licensing`)."""

    def sealed(self, identifier: str) -> SealedLicence:
        """The sealed credential."""

    def bundle(self, identifier: str) -> LicenceBundle:
        """The bundle with the status as it stands."""


@dataclass(frozen=True, slots=True)
class Drawn:
    """A document: its bytes, the version of its template, and the signature that is not kept yet, if it is new.

    *parts* are the documents in it, where it holds others.
    """

    data: bytes
    template: str
    name: Name | None = None
    fresh: Kept | None = None
    parts: tuple[Drawn, ...] = ()


class Documents:
    """Draws documents. Safe for many threads and processes; the font is read when the first page is drawn."""

    def __init__(
        self,
        control: Control,
        keys: Keys,
        seals: Stamping,
        *,
        clock: Callable[[], datetime],
        font_file: Path | None = None,
    ) -> None:
        self._control = control
        self._keys = keys
        self._seals = seals
        self._clock = clock
        self._font_file = font_file
        self._renderers: dict[str, Renderer] = {}
        # The renderer is one thread's at a time.
        self._mutex = threading.RLock()

    def draw(self, paper: Paper, form: Form, copy: Copy | None = None) -> Drawn:
        """The document of *paper* in *form*, as *copy* or the licence's own; not a bundle.

        A signature made now is kept already for a licence's own document; for a copy it is `Drawn.fresh`, to be kept
        together with the copy (`keep`).

        Raises:
            DocumentRefusedError: a character has no glyph (the field is named), or the page does not hold the face.
            DocumentDriftedError: it is not drawn as when it was signed.
            HubError: the department has no seal, or it may not be used.
        """
        with said(), self._mutex:
            if form is Form.PDF:
                return self._settled(paper, copy, self._pdf)
            if form is Form.OFD:
                return self._settled(paper, copy, self._ofd)
            if form is Form.PNG:
                return self._png(paper, copy)
            text = self._code(paper)
            return Drawn(text.encode() if form is Form.QR else qr_png(text), CODE_TEMPLATE)

    def preview(self, sheet: Sheet) -> bytes:
        """A picture (PNG) of the page that would be issued, by the same template, marked as a preview all over.

        Nothing is signed and nothing kept: it bears no seal, and its code names no licence.

        Raises: DocumentRefusedError: as `draw`.
        """
        with said(), self._mutex:
            face = replace(
                _face_of(sheet, sheet.text("ZZBS"), qr_matrix(PREVIEW)),
                watermark=PREVIEW,
                screen=NO_LICENCE,
                caption=PREVIEW,
            )
            return self._renderer(newest(sheet.layout)).picture(face)

    def keep(self, connection: Connection, drawn: Drawn) -> None:
        """Keep a copy's signatures, in the transaction that records the copy."""
        for part in drawn.parts:
            self.keep(connection, part)
        if drawn.name is not None and drawn.fresh is not None:
            signing_once.write(connection, drawn.name, drawn.fresh)

    def gone(self, identifier: str, template: str) -> NoReturn:
        """Say that what was drawn with *template* is drawn otherwise by now."""
        raise DocumentDriftedError(template=template, identifier=identifier)

    def _settled(
        self, paper: Paper, copy: Copy | None, draw: Callable[[Paper, Copy | None, Kept | None], Drawn]
    ) -> Drawn:
        """Step 5: a licence's own document keeps its signature at once; of two that sign, one counts."""
        made = draw(paper, copy, None)
        if made.fresh is None or copy is not None:
            return made
        with self._control.writing() as connection:
            if signing_once.write(connection, cast("Name", made.name), made.fresh):
                return made
            kept = signing_once.read(connection, cast("Name", made.name))
        return draw(paper, copy, kept)

    def _kept(self, name: Name) -> Kept | None:
        with self._control.reading() as connection:
            return signing_once.read(connection, name)

    def _pdf(self, paper: Paper, copy: Copy | None, kept: Kept | None) -> Drawn:
        template = newest(paper.layout)
        renderer = self._renderer(template)
        name = self._name(paper, Form.PDF, f"{template}@{self._version(renderer.version, paper)}", copy)
        kept = kept or self._kept(name)
        pdf = renderer.render(self._face(paper, copy), dated=paper.issued_at)
        left, bottom, side = SEAL_PLACES[template]
        place = SealPlace(left, bottom, side, side)
        if kept is not None:
            return Drawn(_pdf_again(name, kept, pdf, place), name.template, name)
        stamp, signed_at = self._stamp(paper), self._now()
        data = stamp.stamp_pdf(pdf, at=signed_at, purpose=PURPOSE, place=place)
        (made,) = read_signatures(data, SUITES).signatures
        kept = Kept(signed_at, made.suite, made.chain, stamp.seal.raw, made.signature)
        if _pdf_again(name, kept, pdf, place) != data:
            # Such a document could never be drawn again.
            raise SealNotRepeatableError
        return Drawn(data, name.template, name, kept)

    def _ofd(self, paper: Paper, copy: Copy | None, kept: Kept | None) -> Drawn:
        layout = paper.layout
        drawn_by = f"ofd {ofd_layout.VERSION}"
        name = self._name(paper, Form.OFD, f"{layout}-{ofd_layout.VERSION}@{self._version(drawn_by, paper)}", copy)
        kept = kept or self._kept(name)
        font = self._renderer(newest(layout)).font
        identifier = paper.sealed.identifier
        page = ofd_layout.licence_page(
            font,
            title=paper.text("ZZMC"),
            fields=paper.rows,
            issuer=paper.text("ZZBFJG"),
            issued_on=paper.issued_on,
            identifier=f"{identifier}　加注件编号 {copy.number}" if copy else identifier,
            qr_png=qr_png(self._code(paper)),
            watermark=copy.annotation.watermark() if copy else "",
            layout=layout,
            lead=(f"{paper.text('CZZT')}：", paper.lead) if layout == "opinion" else (paper.lead,) * bool(paper.lead),
            caption=CAPTION,
        )
        custom = {**paper.facts, **(copy.marks if copy else {})}
        day = paper.text("ZZBFRQ")
        files = ofd_write.write(ofd_write.Licence(paper.text("ZZMC"), paper.text("ZZBFJG"), day, custom), [page], font)
        stamp = None if kept else self._stamp(paper)
        seal = stamp.seal if stamp else parse_seal(cast("Kept", kept).seal)
        signed_at = kept.signed_at if kept else self._now()
        fresh: list[Kept] = []

        def sign(digest: bytes) -> bytes:
            if stamp is None:
                return _ofd_again(name, cast("Kept", kept), seal, digest)
            (raw,) = stamp.signatures([digest], at=signed_at, purpose=PURPOSE, path=ofd_seal.SIGNATURE_PATH)
            made = parse_signature(raw)
            suite = algorithms.SUITE_OF_OID[made.algorithm]
            fresh.append(Kept(signed_at, suite, (made.certificate,), seal.raw, made.signature))
            if _ofd_again(name, fresh[0], seal, digest) != raw:
                raise SealNotRepeatableError
            return raw

        if page.seal is None:
            raise IssueRefusedError("seal_place_unusable")
        where = ofd_seal.Stamp(seal.raw, page.seal, signed_at.astimezone(UTC).strftime("%Y%m%d%H%M%SZ"))
        data = ofd_seal.seal(files, where, sign)
        return Drawn(data, name.template, name, fresh[0] if fresh else None)

    def _png(self, paper: Paper, copy: Copy | None) -> Drawn:
        template = newest(paper.layout)
        renderer = self._renderer(template)
        name = self._name(paper, Form.PDF, f"{template}@{self._version(renderer.version, paper)}", copy)
        # A picture shows the seal that the document bears, or would bear now.
        kept = self._kept(name)
        seal = parse_seal(kept.seal) if kept else self._stamp(paper).seal
        face = self._face(paper, copy, seal=seal.info.picture.data, screen=SCREEN)
        return Drawn(renderer.picture(face), name.template)

    def _code(self, paper: Paper) -> str:
        """Step 2. The text of the licence's code; its signature is kept like that of a document."""
        name = Name(paper.sealed.identifier, Form.QR.value, CODE_TEMPLATE)
        face = paper.short_face
        kept = self._kept(name)
        if kept is None:
            recorder = Recorder(self._keys.department(paper.kind.issuer))
            text = make_code(face, recorder.signing_key())
            with self._control.writing() as connection:
                if signing_once.write(connection, name, recorder.kept(self._now())):
                    return text
                kept = cast("Kept", signing_once.read(connection, name))
        try:
            return make_code(face, kept.key())
        except SignerError:
            _drifted(name)

    def _face(self, paper: Paper, copy: Copy | None, *, seal: bytes = b"", screen: str = "") -> Face:
        identifier = paper.sealed.identifier
        face = _face_of(paper, identifier, qr_matrix(self._code(paper)))
        return replace(
            face,
            identifier=f"{face.identifier}　加注件编号 {copy.number}" if copy else face.identifier,
            watermark=copy.annotation.watermark() if copy else "",
            marks=to_keywords({"ZZBS": identifier, CREDENTIAL: paper.sealed.digest} | (copy.marks if copy else {})),
            seal=seal,
            screen=screen,
        )

    def _name(self, paper: Paper, form: Form, template: str, copy: Copy | None) -> Name:
        return Name(paper.sealed.identifier, form.value, template, copy.number if copy else "")

    def _version(self, drawn_by: str, paper: Paper) -> str:
        """Twelve hexadecimal digits over all that decides the bytes beside the credential: program, font and words."""
        kind = paper.kind
        words = [kind.name_en, kind.issuer, *(f"{f.name}={f.title}{f.codes}" for f in kind.face), CAPTION, paper.lead]
        font = _font_digest(self._font_file or packaged_font())
        return hashlib.sha256("\0".join([drawn_by, font, *words]).encode()).hexdigest()[:12]

    def _renderer(self, template: str) -> Renderer:
        found = self._renderers.get(template)
        if found is None:
            found = self._renderers[template] = Renderer(self._font_file, template=template)
        return found

    def _stamp(self, paper: Paper) -> Stamp:
        return self._seals.seal_for(paper.kind.issuer, paper.kind.code)

    def _now(self) -> datetime:
        return self._clock().replace(microsecond=0)


def _face_of(sheet: Sheet, identifier: str, qr: tuple[str, ...]) -> Face:
    """The page of *sheet* before anything is put onto it that marks a copy, a picture or a preview."""
    return Face(
        title=sheet.text("ZZMC"),
        subtitle=sheet.kind.name_en,
        rows=sheet.rows,
        issuer=sheet.text("ZZBFJG"),
        closing=(("颁发日期", sheet.issued_on),),
        identifier=f"证照标识 {identifier}",
        qr=qr,
        number=sheet.text("ZZBH") if sheet.layout == "opinion" else "",
        addressee=f"{sheet.text('CZZT')}：" if sheet.layout == "opinion" else "",
        lead=sheet.lead,
        ending="特此证明。" if sheet.layout == "proof" else "",
        caption=CAPTION,
    )


def _pdf_again(name: Name, kept: Kept, pdf: bytes, place: SealPlace) -> bytes:
    """*pdf* as it was sealed: the picture and the name are the seal's."""
    info = parse_seal(kept.seal).info
    try:
        return seal_pdf(
            pdf,
            kept.key(),
            signed_at=kept.signed_at,
            seal_png=info.picture.data,
            place=place,
            name=info.name,
            reason=PURPOSE,
        )
    except SignerError:
        _drifted(name)


def _ofd_again(name: Name, kept: Kept, seal: SESeal, digest: bytes) -> bytes:
    signer = SealSigner(kept.chain[0], kept.suite, lambda _: kept.value)
    made = apply_seal(seal, signer, document_digest=digest, at=kept.signed_at, property_info=ofd_seal.SIGNATURE_PATH)
    try:
        algorithms.verify(made.certificate, made.algorithm, made.signature, made.tbs, frozenset({kept.suite}))
    except FormatError:
        _drifted(name)
    return made.raw


def _drifted(name: Name) -> NoReturn:
    raise DocumentDriftedError(template=name.template, identifier=name.licence) from None


@lru_cache(maxsize=8)
def _font_digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
