"""Pictures that somebody gives: taken over sample by sample, and refused where they are more than a picture."""

from __future__ import annotations

import struct
import zlib

import pytest

from licence.errors import FormatError, SealRefusedError
from licence.pdf.image import read_png
from licence.seals import make
from licence.seals.picture import given_picture
from licence.seals.structure import V4, V5, parse_signature
from tests.licence.seals import city as c

HEAD = b"\x89PNG\r\n\x1a\n"


def chunk(kind, data, crc=None):
    check = zlib.crc32(kind + data) if crc is None else crc
    return struct.pack(">L", len(data)) + kind + data + struct.pack(">L", check)


def header(width=4, height=3, bits=8, colour=2, interlaced=0):
    return chunk(b"IHDR", struct.pack(">LLBBBBB", width, height, bits, colour, 0, 0, interlaced))


def rows(width=4, height=3, samples=3):
    return b"".join(b"\0" + bytes((x * 7 + y) % 256 for x in range(width * samples)) for y in range(height))


END = chunk(b"IEND", b"")
DATA = chunk(b"IDAT", zlib.compress(rows()))
GOOD = HEAD + header() + DATA + END
TEXT = chunk(b"tEXt", b"Author\0somebody")


def taken(png, **changes):
    return given_picture(png, **({"width_mm": 42, "height_mm": 42} | changes))


def test_the_samples_come_over_and_nothing_else():
    picture = taken(HEAD + header() + TEXT + DATA + TEXT + END)
    assert read_png(picture.data) == read_png(GOOD)
    assert b"somebody" not in picture.data
    assert taken(picture.data) == picture == taken(GOOD)


@pytest.mark.parametrize("colour", [0, 2, 4, 6])
def test_every_kind_of_samples(colour):
    samples = {0: 1, 2: 3, 4: 2, 6: 4}[colour]
    png = HEAD + header(colour=colour) + chunk(b"IDAT", zlib.compress(rows(samples=samples))) + END
    assert read_png(taken(png).data) == read_png(png)


@pytest.mark.parametrize(
    "png",
    [
        b"",
        b"GIF89a",
        HEAD,
        HEAD + END,
        HEAD + header() + DATA,
        GOOD + b"\0",
        GOOD + TEXT,
        GOOD + b"<?php ?>",
        HEAD + TEXT + header() + DATA + END,
        HEAD + header() + header() + DATA + END,
        HEAD + header() + chunk(b"IDAT", zlib.compress(rows()), crc=1) + END,
        HEAD + header() + chunk(b"IDAT", zlib.compress(rows() + b"\0")) + END,
        HEAD + header() + chunk(b"IDAT", zlib.compress(rows()[:-1])) + END,
        HEAD + header() + chunk(b"IDAT", b"no zlib") + END,
        HEAD + header() + chunk(b"IDAT", zlib.compress(bytes(30_000_000), 9)) + END,
        HEAD + header(601, 1) + chunk(b"IDAT", zlib.compress(rows(601, 1))) + END,
        HEAD + header(2**31 - 1, 2**31 - 1) + DATA + END,
        HEAD + header(0, 3) + DATA + END,
        HEAD + header(bits=16) + DATA + END,
        HEAD + header(colour=3) + DATA + END,
        HEAD + header(interlaced=1) + DATA + END,
        HEAD + header() + b"\xff\xff\xff\xffIDAT" + END,
        HEAD + header() + chunk(b"tEXt", bytes(300_000)) + DATA + END,
    ],
    ids=range(23),
)
def test_refused(png):
    with pytest.raises(SealRefusedError):
        taken(png)


def test_no_byte_may_change():
    for place in range(len(GOOD)):
        with pytest.raises(SealRefusedError):
            taken(GOOD[:place] + bytes([GOOD[place] ^ 1]) + GOOD[place + 1 :])


@pytest.mark.parametrize("size", [{"width_mm": 4}, {"height_mm": 101}])
def test_sizes_on_paper(size):
    with pytest.raises(SealRefusedError):
        taken(GOOD, **size)


@pytest.mark.parametrize("version", [V4, V5])
@pytest.mark.parametrize("info", ["/x", "a" * 300])
def test_what_is_applied_is_as_it_would_be_read(city, version, info):
    seal = c.new_seal(city, version=version, picture=taken(GOOD))
    applied = c.applied(city, seal, property_info=info)
    read = parse_signature(applied.raw)
    assert read == applied
    assert (read.raw, read.tbs) == (applied.raw, applied.tbs)
    assert read.signed.time_info == applied.signed.time_info
    assert read.signed.seal.raw == applied.signed.seal.raw
    assert make.parse_signature is parse_signature
    with pytest.raises(FormatError):
        parse_signature(applied.raw + b"\0")
