"""What a file is, is found by its content; what is hostile is refused with the reason in both languages."""

from __future__ import annotations

import io
import struct
import zipfile
import zlib
from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hub.materials import content
from hub.materials.content import JPEG, MAX_CONTENT_BYTES, OFD, PDF, PNG, media_type_of
from hub.materials.errors import ContentRefusedError
from tests.hub.materials.conftest import png

HEAD = b"\xff\xd8\xff\xe0\x00\x10JFIF\x00\x01\x01\x00\x00\x01\x00\x01\x00\x00"
FRAME = b"\xff\xc0\x00\x0b\x08\x00\x01\x00\x01\x01\x01\x11\x00"
SCAN = b"\xff\xda\x00\x08\x01\x01\x00\x00\x3f\x00\x12\xff\x00\x34"
JPEG_FILE = HEAD + FRAME + SCAN + b"\xff\xd9"


def pdf(*objects, trailer=b""):
    data, offsets = b"%PDF-1.7\n", []
    for number, one in enumerate(
        (b"<</Type/Catalog/Pages 2 0 R%s>>" % trailer, b"<</Type/Pages/Kids[]/Count 0>>", *objects)
    ):
        offsets.append(len(data))
        data += b"%d 0 obj\n%s\nendobj\n" % (number + 1, one)
    start = len(data)
    lines = b"".join(b"%010d 00000 n \n" % offset for offset in offsets)
    data += b"xref\n0 %d\n0000000000 65535 f \n%s" % (len(offsets) + 1, lines)
    return data + b"trailer\n<</Size %d/Root 1 0 R>>\nstartxref\n%d\n%%%%EOF\n" % (len(offsets) + 1, start)


def ofd(**files):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, data in ({"OFD.xml": b"<ofd:OFD xmlns:ofd='http://www.ofdspec.org/2016'/>"} | files).items():
            archive.writestr(name, data)
    return buffer.getvalue()


def chunked(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


@pytest.mark.parametrize(
    ("data", "kind"), [(png(), PNG), (JPEG_FILE, JPEG), (pdf(), PDF), (ofd(), OFD)], ids=["png", "jpeg", "pdf", "ofd"]
)
def test_a_file_is_what_its_content_says(data, kind):
    assert media_type_of(data) == kind


def hostile():
    wide = png().replace(struct.pack(">II", 1, 1), struct.pack(">II", 60000, 60000), 1)
    # Its checksum is right again: the size alone is wrong.
    head = wide[12:29]
    wide = wide[:29] + struct.pack(">I", zlib.crc32(head)) + wide[33:]
    bomb = b"<!DOCTYPE x [<!ENTITY a 'aaaa'>]><x>&a;</x>"
    return {
        "nothing": b"",
        "text": b"MZ\x90\x00 a program",
        "html": b"<html><script>alert(1)</script></html>",
        "too large": b"%PDF-1.7\n" + bytes(MAX_CONTENT_BYTES),
        "png and zip": png() + ofd(),
        "png cut off": png()[:-5],
        "png bit wrong": png().replace(b"IDAT", b"IDAU"),
        "png as wide as a wall": wide,
        "png animated": png(extra=chunked(b"acTL", bytes(8))),
        "png without a picture": png()[: png().index(b"IDAT") - 4] + chunked(b"IEND", b""),
        "jpeg and more": JPEG_FILE + b"<?php",
        "jpeg without an end": JPEG_FILE[:-2],
        "jpeg without a frame": HEAD + SCAN + b"\xff\xd9",
        "jpeg, segment too long": HEAD[:4] + b"\xff\xff" + HEAD[6:] + b"\xff\xd9",
        "pdf with a script": pdf(b"<</S/JavaScript/JS(app.alert)>>"),
        "pdf that starts a program": pdf(b"<</S/Launch/F(x.exe)>>"),
        "pdf with a file in it": pdf(trailer=b"/Names<</EmbeddedFiles 3 0 R>>"),
        "pdf with a script, name escaped": pdf(b"<</S/Java#53cript/J#53(x)>>"),
        "pdf nested deeply": pdf(b"[" * 40 + b"]" * 40),
        "pdf and more": pdf() + b"<html>",
        "pdf without an end": pdf()[:-20],
        "pdf without objects": b"%PDF-1.7\nstartxref\n0\n%%EOF\n",
        "zip": ofd().replace(b"OFD.xml", b"OFF.xml"),
        "ofd, path out of it": ofd(**{"../x.xml": b"<x/>"}),
        "ofd with entities": ofd(**{"Doc_0/Document.xml": bomb}),
        "ofd cut off": ofd()[:-8],
    }


@pytest.mark.parametrize("name", hostile())
def test_a_hostile_file_is_refused_with_the_reason(name):
    with pytest.raises(ContentRefusedError) as caught:
        media_type_of(hostile()[name])
    for lang in ("zh", "en"):
        assert "{" not in caught.value.text(lang)
        assert "script>" not in caught.value.text(lang)
    assert caught.value.params["why"] != caught.value.params["why_zh"]


def test_no_object_of_a_large_file_is_looked_at_for_ever(monkeypatch):
    monkeypatch.setattr(content, "_MAX_OBJECTS", 3)
    with pytest.raises(ContentRefusedError, match="objects"):
        media_type_of(pdf(b"1", b"2", b"3"))


@pytest.mark.parametrize("data", [png(), JPEG_FILE, pdf(b"<</A 1>>"), ofd()], ids=["png", "jpeg", "pdf", "ofd"])
@given(random=st.randoms(use_true_random=False))
@settings(max_examples=25, deadline=None)
def test_damage_is_a_reason_and_no_crash(data, random):
    spoilt = bytearray(data)
    for _ in range(random.randint(1, 4)):
        spoilt[random.randrange(len(spoilt))] = random.randrange(256)
    with suppress(ContentRefusedError):
        assert media_type_of(bytes(spoilt[: random.randint(1, len(spoilt))])) in content.SUFFIXES
