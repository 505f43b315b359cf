"""The face of a licence as PDF/A-2b: plain values in, bytes out, the same bytes each time.

What the values are is left to the caller, sealing to `licence.pdf.sign`. Needs the ``documents`` extra.
The bytes depend on the values, the template, typst and the font: `Renderer.version` names the first two of those.
"""

from __future__ import annotations

import base64
import hashlib
import json
import struct
import unicodedata
import zlib
from dataclasses import dataclass, fields
from importlib import resources
from importlib.metadata import version
from typing import TYPE_CHECKING, Final

import typst

from licence.errors import FontUnusableError, IssueRefusedError
from licence.fonts import DEFAULT_FACE, packaged_font, read_font

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import datetime
    from pathlib import Path

STANDARD: Final = "a-2b"
MAX_FIELDS = 64
MAX_TEXT_LENGTH = 2000
# Version 40, the largest QR code.
MAX_QR_MODULES = 177
QUIET_ZONE_MODULES = 4
# PNG: 0 is black.
_INVERTED = str.maketrans("01", "10")
# Control and format characters (line breaks, text direction) and lone surrogates: they change how a line reads.
_REFUSED_CATEGORIES = {"Cc", "Cf", "Cs", "Zl", "Zp"}


@dataclass(frozen=True, slots=True)
class Face:
    """What one page shows. *rows* are (label, value); *closing* stands beside the code: issuer, dates.

    *qr* is the matrix of a QR code, a text of ``0`` and ``1`` to a row, or empty; *watermark* marks an annotated copy
    (加注件) with its purpose and end, or is empty.
    """

    title: str
    rows: tuple[tuple[str, str], ...]
    issuer: str
    closing: tuple[tuple[str, str], ...]
    identifier: str
    subtitle: str = ""
    qr: tuple[str, ...] = ()
    watermark: str = ""


class Renderer:
    """Renders faces with one font. Loading the font takes tenths of a second: keep it; one per thread.

    *font_file* is the font of `licence.fonts.read_font`; the folder it stands in is searched, system fonts never.

    Raises:
        FontUnusableError: no such font or face, or the extra is not installed whole.
    """

    def __init__(self, font_file: Path | None = None, face: str = DEFAULT_FACE) -> None:
        font_file = font_file or packaged_font()
        self._font = read_font(font_file, face)
        fonts = typst.Fonts(
            include_system_fonts=False, include_embedded_fonts=False, font_paths=[str(font_file.parent)]
        )
        if face not in fonts.families():
            raise FontUnusableError("font_face_missing", face=face, faces=", ".join(sorted(set(fonts.families()))))
        template = resources.files("licence.pdf") / "templates" / "licence.typ"
        with resources.as_file(template) as path:
            # Only this folder may be read by the template, and it reads nothing.
            self._compiler = typst.Compiler(str(path), root=str(path.parent), font_paths=fonts)
            self._template_digest = hashlib.sha256(path.read_bytes()).hexdigest()
        self._family = face

    @property
    def version(self) -> str:
        """What, with the font, decides the bytes: the template's digest and typst's version."""
        return f"licence.typ sha256:{self._template_digest[:16]}, typst {version('typst')}"

    def render(self, face: Face, *, dated: datetime) -> bytes:
        """The document, one page unless the rows need more; *dated* is the date it bears, the time of issue.

        Raises:
            GlyphMissingError: the font lacks a character.
            IssueRefusedError: a character that steers text, a text too long, a bad QR matrix.
        """
        if dated.tzinfo is None:
            raise IssueRefusedError("time_not_aware")
        self._check(face)
        data = {
            "title": face.title,
            "subtitle": face.subtitle,
            "fields": face.rows,
            "issuer": face.issuer,
            "closing": face.closing,
            "identifier": face.identifier,
            "qr": qr_svg(face.qr),
            "watermark": face.watermark,
            "family": self._family,
        }
        try:
            pdf = self._compiler.compile(
                format="pdf",
                pdf_standards=[STANDARD],
                pdf_tags=False,
                timestamp=int(dated.timestamp()),
                sys_inputs={"face": json.dumps(data, ensure_ascii=False)},
            )
        except typst.TypstError as error:
            raise IssueRefusedError("pdf_not_rendered") from error
        if not isinstance(pdf, bytes):
            raise IssueRefusedError("pdf_not_rendered")
        return pdf

    def _check(self, face: Face) -> None:
        texts = [*_texts(face)]
        if len(face.rows) + len(face.closing) > MAX_FIELDS or any(len(t) > MAX_TEXT_LENGTH for t in texts):
            raise IssueRefusedError("face_too_long", fields=MAX_FIELDS, length=MAX_TEXT_LENGTH)
        everything = "".join(texts)
        if not everything.isprintable() and any(unicodedata.category(c) in _REFUSED_CATEGORIES for c in everything):
            raise IssueRefusedError("face_control_character")
        # typst would refuse as well, PDF/A knows no missing glyphs; but it does not say where in the text.
        self._font.require(everything)


def qr_svg(matrix: Sequence[str]) -> str:
    """The code with its quiet zone as an SVG around a PNG of one bit a module; empty for an empty *matrix*.

    Drawn module by module it would take longer than all the rest of the page.

    Raises:
        IssueRefusedError: not a square of ``0`` and ``1``.
    """
    size = len(matrix)
    if not size:
        return ""
    if size > MAX_QR_MODULES or any(len(row) != size or set(row) - {"0", "1"} for row in matrix):
        raise IssueRefusedError("qr_matrix_unusable")
    edge = size + 2 * QUIET_ZONE_MODULES
    beside = "0" * QUIET_ZONE_MODULES
    blank = ["0" * edge] * QUIET_ZONE_MODULES
    row_bytes = (edge + 7) // 8
    rows = b"".join(
        b"\0" + (int(row.ljust(row_bytes * 8, "0").translate(_INVERTED), 2)).to_bytes(row_bytes, "big")
        for row in (*blank, *(beside + row + beside for row in matrix), *blank)
    )
    header = struct.pack(">IIBBBBB", edge, edge, 1, 0, 0, 0, 0)
    png = b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
        for kind, body in ((b"IHDR", header), (b"IDAT", zlib.compress(rows)), (b"IEND", b""))
    )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {edge} {edge}"><image width="{edge}" height="{edge}" '
        f'image-rendering="optimizeSpeed" href="data:image/png;base64,{base64.b64encode(png).decode()}"/></svg>'
    )


def _texts(face: Face) -> Iterable[str]:
    for field in fields(face):
        value = getattr(face, field.name)
        if isinstance(value, str):
            yield value
        elif field.name != "qr":
            for pair in value:
                yield from pair
