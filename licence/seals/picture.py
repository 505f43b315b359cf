"""A seal's picture as PNG: one that somebody gives, read strictly and written anew, or a drawn one, made of its SVG.

Drawing is `licence.seals.image`'s. Making a PNG of an SVG needs the extra ``documents``, which is imported only then.
"""

from __future__ import annotations

import struct
import zlib
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final, NoReturn

from licence.errors import IssueRefusedError, SealRefusedError
from licence.pdf.image import read_png
from licence.seals.structure import Picture

if TYPE_CHECKING:
    from pathlib import Path

PNG: Final = "PNG"
MAX_PNG_BYTES: Final = 256 * 1024
# 60 mm, the largest seal that is drawn, at 250 dots an inch; undoing the filters of more takes longer than a second.
MAX_PIXELS_A_SIDE: Final = 600
DOTS_PER_INCH: Final = 250
MIN_MM: Final = 5
MAX_MM: Final = 100
_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_LENGTH_AND_KIND = struct.Struct(">I4s")
_HEADER = struct.Struct(">IIBBBBB")
_CHECK_BYTES = 4
# Samples a pixel → PNG's colour type: grey, grey with alpha, RGB, RGBA.
_COLOUR_TYPES = {1: 0, 2: 4, 3: 2, 4: 6}
_PAGE = (
    "#set page(width: {width}mm, height: {height}mm, margin: 0mm, fill: none)\n"
    '#image(bytes(sys.inputs.svg), format: "svg", width: {width}mm)'
)


def given_picture(png: bytes, *, width_mm: int, height_mm: int) -> Picture:
    """The picture of a PNG that somebody gives: its samples and nothing else that was in the file.

    Raises:
        SealRefusedError: ``seal_png_unusable``: no PNG of eight bits a sample without palette and interlacing, damaged,
            with anything after its end, of more than 256 KiB or 600 pixels a side; ``seal_picture_size``.
    """
    if not all(MIN_MM <= side <= MAX_MM for side in (width_mm, height_mm)):
        raise SealRefusedError("seal_picture_size", minimum=MIN_MM, limit=MAX_MM)
    return Picture(PNG, _written_anew(png), width_mm, height_mm)


def drawn_picture(drawing: Picture, font_file: Path | None = None) -> Picture:
    """The PNG of *drawing* (`licence.seals.image`), on no ground, in the font of documents.

    Raises:
        GlyphMissingError: the font lacks a character of it.
        FontUnusableError: there is no such font.
        SealRefusedError: it cannot be drawn.
    """
    import typst  # noqa: PLC0415 - of an extra that only making pictures needs

    from licence.fonts import packaged_font  # noqa: PLC0415 - likewise

    file = font_file or packaged_font()
    svg = drawing.data.decode()
    _font(file).require("".join(_texts(svg)))
    page = _PAGE.format(width=drawing.width_mm, height=drawing.height_mm)
    try:
        made = typst.compile(
            page.encode(),
            format="png",
            ppi=DOTS_PER_INCH,
            sys_inputs={"svg": svg},
            font_paths=typst.Fonts(
                include_system_fonts=False, include_embedded_fonts=False, font_paths=[str(file.parent)]
            ),
        )
    except typst.TypstError:
        _refuse()
    if not isinstance(made, bytes):
        _refuse()
    return Picture(PNG, _written_anew(made), drawing.width_mm, drawing.height_mm)


@lru_cache(maxsize=2)
def _font(file: Path) -> Any:  # noqa: ANN401 - of an extra
    from licence.fonts import read_font  # noqa: PLC0415 - of an extra that only making pictures needs

    return read_font(file)


def _texts(svg: str) -> list[str]:
    """What stands in the text elements of a drawing of ours."""
    from html import unescape  # noqa: PLC0415 - needed here alone
    from re import findall  # noqa: PLC0415 - likewise

    return [unescape(text) for text in findall(r"<text [^>]*>([^<]*)</text>", svg)]


def _written_anew(png: bytes) -> bytes:
    """The same samples in a file of ours: no colour profile, text, time or thumbnail comes along."""
    _check_chunks(png)
    try:
        picture = read_png(png)
    except IssueRefusedError:
        _refuse()
    rows = _rows(picture.colour, picture.alpha, picture.width, picture.height, picture.channels)
    samples = picture.channels + bool(picture.alpha)
    header = _HEADER.pack(picture.width, picture.height, 8, _COLOUR_TYPES[samples], 0, 0, 0)
    parts = ((b"IHDR", header), (b"IDAT", zlib.compress(rows, 9)), (b"IEND", b""))
    made = _SIGNATURE + b"".join(_chunk(kind, body) for kind, body in parts)
    if len(made) > MAX_PNG_BYTES:
        _refuse()
    return made


def _rows(colour: bytes, alpha: bytes, width: int, height: int, channels: int) -> bytes:
    pixels = zlib.decompress(colour)
    samples = channels
    if alpha:
        opacity, samples = zlib.decompress(alpha), channels + 1
        whole = bytearray(width * height * samples)
        for channel in range(channels):
            whole[channel::samples] = pixels[channel::channels]
        whole[channels::samples] = opacity
        pixels = bytes(whole)
    stride = width * samples
    return b"".join(b"\0" + pixels[at : at + stride] for at in range(0, height * stride, stride))


def _check_chunks(png: bytes) -> None:
    """PNG §5: one header first, the data, one end, nothing behind it; every check sum right. Nothing is unpacked."""
    if len(png) > MAX_PNG_BYTES or not png.startswith(_SIGNATURE):
        _refuse()
    kinds: list[bytes] = []
    at = len(_SIGNATURE)
    while at < len(png):
        if at + _LENGTH_AND_KIND.size + _CHECK_BYTES > len(png) or kinds[-1:] == [b"IEND"]:
            _refuse()
        size, kind = _LENGTH_AND_KIND.unpack_from(png, at)
        end = at + _LENGTH_AND_KIND.size + size
        if end + _CHECK_BYTES > len(png):
            _refuse()
        if int.from_bytes(png[end : end + _CHECK_BYTES], "big") != zlib.crc32(png[at + 4 : end]):
            _refuse()
        if kind == b"IHDR" and size == _HEADER.size:
            width, height, *_ = _HEADER.unpack_from(png, at + _LENGTH_AND_KIND.size)
            if not 0 < min(width, height) <= max(width, height) <= MAX_PIXELS_A_SIDE:
                _refuse()
        kinds.append(kind)
        at = end + _CHECK_BYTES
    if kinds[:1] != [b"IHDR"] or kinds[-1:] != [b"IEND"] or kinds.count(b"IHDR") != 1 or b"IDAT" not in kinds:
        _refuse()


def _chunk(kind: bytes, body: bytes) -> bytes:
    return _LENGTH_AND_KIND.pack(len(body), kind) + body + zlib.crc32(kind + body).to_bytes(_CHECK_BYTES, "big")


def _refuse() -> NoReturn:
    raise SealRefusedError("seal_png_unusable", limit=MAX_PIXELS_A_SIDE, size=MAX_PNG_BYTES // 1024)
