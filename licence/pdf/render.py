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
from typing import TYPE_CHECKING, Any, Final

import typst

from licence.errors import FontUnusableError, IssueRefusedError
from licence.fonts import DEFAULT_FACE, packaged_font, read_font

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import datetime
    from importlib.resources.abc import Traversable
    from pathlib import Path

    from licence.fonts import Font

STANDARD: Final = "a-2b"
DEFAULT_TEMPLATE: Final = "certificate-1"
SCREEN_DPI: Final = 110
#: Where the seal comes to lie over the issuer's name: from the left and from the lower edge, and its side, in mm.
SEAL_PLACES: Final = {
    "certificate-1": (124.0, 40.0, 42.0),
    "card-1": (142.0, 17.0, 34.0),
    "opinion-1": (124.0, 34.0, 42.0),
    "proof-1": (124.0, 38.0, 42.0),
}
MAX_DPI: Final = 300
MAX_FIELDS = 64
MAX_TEXT_LENGTH = 2000
# Version 40, the largest QR code.
MAX_QR_MODULES = 177
QUIET_ZONE_MODULES = 4
# PNG: 0 is black.
_INVERTED = str.maketrans("01", "10")
# The texts of a face that a template shows as they are.
_PLAIN = (
    "title",
    "subtitle",
    "issuer",
    "closing",
    "identifier",
    "watermark",
    "marks",
    "number",
    "addressee",
    "lead",
    "ending",
    "caption",
    "screen",
)
# Control and format characters (line breaks, text direction) and lone surrogates: they change how a line reads.
_REFUSED_CATEGORIES = {"Cc", "Cf", "Cs", "Zl", "Zp"}


@dataclass(frozen=True, slots=True)
class Face:
    """What one page shows. *rows* are (label, value); *closing* stands beside the code: issuer, dates.

    *qr* is the matrix of a QR code, a text of ``0`` and ``1`` to a row, or empty; *watermark* marks an annotated copy
    (加注件) with its purpose and end, or is empty. *marks* go into the document's keywords, where programs read them.
    *number*, *addressee*, *lead* and *ending* are shown by the layouts of letters. *caption* stands below the code.
    *seal* is the seal's picture (PNG) and *screen* a line at the top: for pictures alone, a document is
    sealed by `licence.pdf.sign`.
    """

    title: str
    rows: tuple[tuple[str, str], ...]
    issuer: str
    closing: tuple[tuple[str, str], ...]
    identifier: str
    subtitle: str = ""
    qr: tuple[str, ...] = ()
    watermark: str = ""
    marks: tuple[str, ...] = ()
    number: str = ""
    addressee: str = ""
    lead: str = ""
    ending: str = ""
    caption: str = ""
    seal: bytes = b""
    screen: str = ""


class Renderer:
    """Renders faces with one font. Loading the font takes tenths of a second: keep it; one per thread.

    *template* is a layout with its number, ``certificate-1``: what was numbered is never changed, a change gets the
    next number. *font_file* is the font of `licence.fonts.read_font`; the folder it stands in is searched, system fonts
    never.

    Raises:
        FontUnusableError: no such font or face, or the extra is not installed whole.
        IssueRefusedError: there is no such template.
    """

    def __init__(
        self, font_file: Path | None = None, face: str = DEFAULT_FACE, *, template: str = DEFAULT_TEMPLATE
    ) -> None:
        font_file = font_file or packaged_font()
        if template not in templates():
            raise IssueRefusedError("template_unknown", template=template, templates=", ".join(templates()))
        self._font = read_font(font_file, face)
        fonts = typst.Fonts(
            include_system_fonts=False, include_embedded_fonts=False, font_paths=[str(font_file.parent)]
        )
        if face not in fonts.families():
            raise FontUnusableError("font_face_missing", face=face, faces=", ".join(sorted(set(fonts.families()))))
        with resources.as_file(_folder()) as folder:
            # Only this folder may be read by the template, which reads what its version shares and nothing else.
            self._compiler = typst.Compiler(str(folder / f"{template}.typ"), root=str(folder), font_paths=fonts)
            shared = f"common-{template.rpartition('-')[2]}.typ"
            parts = [(folder / name).read_bytes() for name in (f"{template}.typ", shared)]
        self._template_digest = hashlib.sha256(b"\0".join(parts)).hexdigest()
        self._template = template
        self._family = face

    @property
    def version(self) -> str:
        """What, with the font, decides the bytes: the template's digest and typst's version."""
        return f"{self._template} sha256:{self._template_digest[:16]}, typst {version('typst')}"

    @property
    def font(self) -> Font:
        """The font, which may be used by several threads at once."""
        return self._font

    def render(self, face: Face, *, dated: datetime) -> bytes:
        """The document, one page unless the rows need more; *dated* is the date it bears, the time of issue.

        Raises:
            GlyphMissingError: the font lacks a character.
            IssueRefusedError: a character that steers text, a text too long, a bad QR matrix.
        """
        if dated.tzinfo is None:
            raise IssueRefusedError("time_not_aware")
        made = self._compiled(
            face, format="pdf", pdf_standards=[STANDARD], pdf_tags=False, timestamp=int(dated.timestamp())
        )
        if not isinstance(made, bytes):
            raise IssueRefusedError("pdf_not_rendered")
        return made

    def picture(self, face: Face, *, dots_per_inch: int = SCREEN_DPI) -> bytes:
        """The first page as a PNG for screens, the same bytes each time. Raises: as `render`."""
        if not 0 < dots_per_inch <= MAX_DPI:
            raise IssueRefusedError("picture_resolution", limit=MAX_DPI)
        made = self._compiled(face, format="png", ppi=float(dots_per_inch))
        first = made[0] if isinstance(made, list) else made
        if not isinstance(first, bytes):
            raise IssueRefusedError("pdf_not_rendered")
        return first

    def _compiled(self, face: Face, **how: Any) -> object:  # noqa: ANN401 - typst's options
        self._check(face)
        data = {name: getattr(face, name) for name in _PLAIN}
        data |= {
            "fields": face.rows,
            "qr": qr_svg(face.qr),
            "seal": _framed(face.seal, 1) if face.seal else "",
            "family": self._family,
        }
        try:
            return self._compiler.compile(sys_inputs={"face": json.dumps(data, ensure_ascii=False)}, **how)
        except typst.TypstError as error:
            raise IssueRefusedError("pdf_not_rendered") from error

    def _check(self, face: Face) -> None:
        texts = [*_texts(face)]
        if len(face.rows) + len(face.closing) > MAX_FIELDS or any(len(t) > MAX_TEXT_LENGTH for t in texts):
            raise IssueRefusedError("face_too_long", fields=MAX_FIELDS, length=MAX_TEXT_LENGTH)
        everything = "".join(texts)
        if not everything.isprintable() and any(unicodedata.category(c) in _REFUSED_CATEGORIES for c in everything):
            raise IssueRefusedError("face_control_character")
        # typst would refuse as well, PDF/A knows no missing glyphs; but it does not say where in the text.
        for label, value in face.rows:
            self._font.require(label)
            self._font.require(value, field=label)
        self._font.require(everything)


def templates() -> tuple[str, ...]:
    """The layouts with their numbers, as `Renderer` takes them, in order of name."""
    names = (entry.name for entry in _folder().iterdir())
    return tuple(sorted(n.removesuffix(".typ") for n in names if n.endswith(".typ") and not n.startswith("common-")))


def newest(layout: str) -> str:
    """The template of *layout* with the highest number.

    Raises:
        IssueRefusedError: there is none.
    """
    numbers = [int(n) for name, _, n in (t.rpartition("-") for t in templates()) if name == layout and n.isdecimal()]
    if not numbers:
        raise IssueRefusedError("template_unknown", template=layout, templates=", ".join(templates()))
    return f"{layout}-{max(numbers)}"


def _folder() -> Traversable:
    return resources.files("licence.pdf") / "templates"


def qr_svg(matrix: Sequence[str]) -> str:
    """The code with its quiet zone as an SVG around a PNG of one bit a module; empty for an empty *matrix*.

    Drawn module by module it would take longer than all the rest of the page.

    Raises:
        IssueRefusedError: not a square of ``0`` and ``1``.
    """
    if not matrix:
        return ""
    png = qr_png(matrix)
    edge = len(matrix) + 2 * QUIET_ZONE_MODULES
    return _framed(png, edge)


def _framed(png: bytes, edge: int) -> str:
    """An SVG of *edge* units a side around *png*: text, as `sys.inputs` wants it."""
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {edge} {edge}"><image width="{edge}" height="{edge}" '
        f'image-rendering="optimizeSpeed" href="data:image/png;base64,{base64.b64encode(png).decode()}"/></svg>'
    )


def qr_png(matrix: Sequence[str]) -> bytes:
    """The code with its quiet zone as a PNG of one bit and one pixel a module.

    Raises:
        IssueRefusedError: not a square of ``0`` and ``1``.
    """
    size = len(matrix)
    if not 0 < size <= MAX_QR_MODULES or any(len(row) != size or set(row) - {"0", "1"} for row in matrix):
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
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
        for kind, body in ((b"IHDR", header), (b"IDAT", zlib.compress(rows)), (b"IEND", b""))
    )


def _texts(face: Face) -> Iterable[str]:
    for field in fields(face):
        value = getattr(face, field.name)
        if isinstance(value, str):
            yield value
        elif field.name == "marks":
            yield from value
        elif field.name not in {"qr", "seal"}:
            for pair in value:
                yield from pair
