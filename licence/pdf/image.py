"""A seal's picture as a PDF image: PNG in, samples and transparency out, unpacked once per seal.

Where the picture stands on the page is left to `licence.pdf.sign`; the seal's own structure to the seal formats.
"""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass
from functools import lru_cache
from typing import NoReturn

from licence.errors import IssueRefusedError

MAX_PNG_BYTES = 1024 * 1024
# 40 mm at 600 dpi is 945 pixels.
MAX_PIXELS_A_SIDE = 1200
# Seals of one city's departments in use at a time.
SEALS_CACHED = 256
_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_HEADER = struct.Struct(">IIBBBBB")
_CHUNK = struct.Struct(">I4s")
# Colour type → samples per pixel: grey, RGB, grey with alpha, RGBA. No palettes: a seal is drawn, not photographed.
_SAMPLES = {0: 1, 2: 3, 4: 2, 6: 4}
_SUB, _UP, _AVERAGE, _PAETH = 1, 2, 3, 4


@dataclass(frozen=True, slots=True)
class Picture:
    """Samples of eight bits, deflated: *colour* as grey or RGB (*channels* 1 or 3), *alpha* empty when opaque."""

    width: int
    height: int
    channels: int
    colour: bytes
    alpha: bytes


@lru_cache(maxsize=SEALS_CACHED)
def read_png(png: bytes) -> Picture:
    """The picture of a PNG file of eight bits a sample, without palette and interlacing.

    Raises:
        IssueRefusedError: another kind of file, damaged, or larger than a seal needs.
    """
    if len(png) > MAX_PNG_BYTES or not png.startswith(_SIGNATURE):
        _refuse()
    header, packed = b"", b""
    at = len(_SIGNATURE)
    while at + _CHUNK.size <= len(png):
        size, kind = _CHUNK.unpack_from(png, at)
        body = png[at + _CHUNK.size : at + _CHUNK.size + size]
        at += _CHUNK.size + size + 4
        if kind == b"IHDR":
            header = body
        elif kind == b"IDAT":
            packed += body
    if len(header) != _HEADER.size:
        _refuse()
    width, height, bits, colour_type, _, _, interlaced = _HEADER.unpack(header)
    samples = _SAMPLES.get(colour_type, 0)
    if bits != 8 or not samples or interlaced or not 0 < max(width, height) <= MAX_PIXELS_A_SIDE:  # noqa: PLR2004 - bits
        _refuse()
    stride = width * samples
    inflater = zlib.decompressobj()
    try:
        rows = inflater.decompress(packed, height * (stride + 1) + 1)
    except zlib.error:
        _refuse()
    if len(rows) != height * (stride + 1) or not stride or not height:
        _refuse()
    pixels = _unfiltered(rows, stride, samples)
    colours = samples - (samples in {2, 4})
    alpha = b"" if colours == samples else zlib.compress(pixels[samples - 1 :: samples], 9)
    if alpha:
        colour = bytearray(width * height * colours)
        for channel in range(colours):
            colour[channel::colours] = pixels[channel::samples]
        pixels = bytes(colour)
    return Picture(width, height, colours, zlib.compress(pixels, 9), alpha)


def _unfiltered(rows: bytes, stride: int, samples: int) -> bytes:
    done = bytearray()
    above = bytearray(stride)
    for at in range(0, len(rows), stride + 1):
        row = bytearray(rows[at + 1 : at + 1 + stride])
        kind = rows[at]
        if kind > _PAETH:
            _refuse()
        # Most of a seal is empty ground: where nothing was written there is nothing to foresee.
        if kind == _UP and not any(row):
            row = above
        elif kind and (any(row) or any(above)):
            _unfilter(row, above, kind, samples)
        done += row
        above = row
    return bytes(done)


def _unfilter(row: bytearray, above: bytearray, kind: int, samples: int) -> None:
    """Undo filter *kind* of *row* in its place (PNG §9.2)."""
    for i, written in enumerate(row):
        left, corner = (row[i - samples], above[i - samples]) if i >= samples else (0, 0)
        up = above[i]
        if kind == _SUB:
            foreseen = left
        elif kind == _UP:
            foreseen = up
        elif kind == _AVERAGE:
            foreseen = (left + up) // 2
        else:
            to_left, to_up, to_corner = abs(up - corner), abs(left - corner), abs(left + up - 2 * corner)
            nearer = up if to_up <= to_corner else corner
            foreseen = left if to_left <= min(to_up, to_corner) else nearer
        row[i] = (written + foreseen) & 0xFF


def _refuse() -> NoReturn:
    raise IssueRefusedError("seal_picture_unusable", limit=MAX_PIXELS_A_SIDE)
