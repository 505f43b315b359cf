"""Hostile files end in a coded error, soon; strangers' forms of file are read."""

from __future__ import annotations

import random
import re
import subprocess
import sys
import zlib

import pytest

from licence.errors import FormatError
from licence.pdf import objects, structure
from licence.pdf.read import read_signatures
from tests.licence.pdf import papers as p


def code_of(pdf):
    with pytest.raises(FormatError) as caught:
        read_signatures(pdf, p.SUITES)
    assert caught.value.text("en")
    return caught.value.code


def table_file(bodies, trailer=b"", root=1):
    """A file of the given objects 1, 2, … with a classic table."""
    data, offsets = bytearray(b"%PDF-1.7\n"), []
    for number, body in enumerate(bodies, start=1):
        offsets.append(len(data))
        data += b"%d 0 obj\n%s\nendobj\n" % (number, body)
    start = len(data)
    data += b"xref\n0 %d\n0000000000 65535 f \n" % (len(bodies) + 1)
    data += b"".join(b"%010d 00000 n \n" % o for o in offsets)
    data += b"trailer\n<</Size %d/Root %d 0 R%s>>\nstartxref\n%d\n%%%%EOF" % (len(bodies) + 1, root, trailer, start)
    return bytes(data)


def stream_file(bodies, compressed=(), *, root=1, columns=None, packed=None):
    """A file with a cross-reference stream; *compressed* objects stand in one object stream."""
    data, rows = bytearray(b"%PDF-1.7\n"), [b"\0\0\0\0\0"]
    for number, body in enumerate(bodies, start=1):
        rows.append(b"\1" + len(data).to_bytes(3, "big") + b"\0")
        data += b"%d 0 obj\n%s\nendobj\n" % (number, body)
    holder = len(bodies) + 1
    heads, inner = [], b""
    for i, body in enumerate(compressed):
        heads.append(b"%d %d" % (holder + 1 + i, len(inner)))
        inner += body + b" "
    head = b" ".join(heads) + b" "
    content = packed or zlib.compress(head + inner)
    rows.append(b"\1" + len(data).to_bytes(3, "big") + b"\0")
    data += (
        b"%d 0 obj\n<</Type/ObjStm/N %d/First %d/Filter/FlateDecode/Length %d>>\nstream\n%s\nendstream\nendobj\n"
        % (
            holder,
            len(compressed),
            len(head),
            len(content),
            content,
        )
    )
    rows += [b"\2" + holder.to_bytes(3, "big") + bytes([i]) for i in range(len(compressed))]
    own = holder + 1 + len(compressed)
    rows.append(b"\1" + len(data).to_bytes(3, "big") + b"\0")
    table = b"".join(rows)
    parms = b""
    if columns:
        above, shaped = bytes(5), b""
        for row in rows:
            shaped += b"\2" + bytes((x - y) % 256 for x, y in zip(row, above, strict=True))
            above = row
        table, parms = shaped, b"/DecodeParms<</Predictor 12/Columns 5>>"
    table = zlib.compress(table)
    start = len(data)
    data += b"%d 0 obj\n<</Type/XRef/Size %d/W[1 3 1]/Root %d 0 R/Filter/FlateDecode%s/Length %d>>\nstream\n" % (
        own,
        own + 1,
        root,
        parms,
        len(table),
    )
    return bytes(data) + table + b"\nendstream\nendobj\nstartxref\n%d\n%%%%EOF\n" % start


CATALOG = b"<</Type/Catalog/AcroForm 2 0 R>>"


@pytest.mark.parametrize("columns", [None, 5])
def test_cross_reference_streams_and_object_streams_are_read(columns):
    data = stream_file([b"<</Type/Catalog/AcroForm 3 0 R>>"], [b"<</Fields[4 0 R]>>", b"<</FT/Tx>>"], columns=columns)
    file = structure.read(data)
    assert file.dictionary(file.catalog()["AcroForm"])["Fields"] == [objects.Ref(4, 0)]
    assert code_of(data) == "pdf_not_signed"


def test_signature_in_an_object_stream_is_refused():
    signature = b"<</Type/Sig/ByteRange[0 1 2 3]/Contents<00>>>"
    data = stream_file(
        [b"<</Type/Catalog/AcroForm 3 0 R>>"], [b"<</Fields[4 0 R]>>", b"<</FT/Sig/V 5 0 R>>", signature]
    )
    assert code_of(data) == "pdf_signature_form"


def test_bomb_in_an_object_stream_is_bounded():
    bomb = zlib.compress(b"3 0 4 20 " + b" " * 200_000_000, 1)
    data = stream_file([b"<</Type/Catalog/AcroForm 3 0 R>>"], [b"<<>>", b"<<>>"], packed=bomb)
    assert code_of(data) == "too_large"


def test_bombs_are_counted_together(monkeypatch):
    monkeypatch.setattr(structure, "MAX_UNPACKED_BYTES", 60)
    data = stream_file([b"<</Type/Catalog/AcroForm 3 0 R>>"], [b"<</Fields[4 0 R]>>", b"<</FT/Tx>>"])
    assert code_of(data) == "too_large"


@pytest.mark.parametrize("opening", [b"[", b"<</A", b"<</A["])
def test_deep_nesting_is_refused(opening):
    assert code_of(table_file([opening * 100_000])) == "pdf_invalid"


def test_overlapping_objects_cost_no_more_than_the_file():
    # Each object is a string that holds all later objects.
    count = 30_000
    data = bytearray(b"%PDF-1.7\n1 0 obj\n<</Type/Catalog/AcroForm<</Fields[")
    data += b" ".join(b"%d 0 R" % n for n in range(2, 3000)) + b"]>>>>\nendobj\n"
    offsets = []
    for number in range(2, count):
        offsets.append(len(data))
        data += b"%d 0 obj (" % number
    data += b") endobj " * (count - 2)
    start = len(data)
    data += b"xref\n1 %d\n0000000009 00000 n \n" % (count - 1) + b"".join(b"%010d 00000 n \n" % o for o in offsets)
    data += b"trailer\n<</Size %d/Root 1 0 R>>\nstartxref\n%d\n%%%%EOF" % (count, start)
    assert code_of(bytes(data))


@pytest.mark.parametrize(
    "trailer", [b"/Prev 9", b"/Prev -1", b"/Prev 99999999", b"/Prev(x)", b"/XRefStm 3", b"/XRefStm 99999999"]
)
def test_bad_chain_of_sections(trailer):
    assert code_of(table_file([CATALOG, b"<<>>"], trailer)) == "pdf_invalid"


def test_chain_that_returns_to_itself():
    data = table_file([CATALOG, b"<<>>"], b"/Prev 0000000000")
    start = int(data.rsplit(b"startxref", 1)[1].split()[0])
    assert code_of(data.replace(b"/Prev 0000000000", b"/Prev %010d" % start)) == "pdf_invalid"


def test_encrypted_file_is_named():
    assert code_of(table_file([CATALOG, b"<<>>"], b"/Encrypt 2 0 R")) == "pdf_encrypted"


@pytest.mark.parametrize(
    "form",
    [
        b"<</Fields[3 0 R]>>",
        b"<</Fields 3 0 R>>",
        b"<</Fields[<</Kids[2 0 R]>>]>>",
        b"<</Fields[2 0 R 2 0 R]/Kids[2 0 R 2 0 R 2 0 R 2 0 R]>>",
        b"[]",
        b"2 0 R",
        b"<</Fields[<</FT/Sig/V<</Contents<00>>>>>]>>",
        b"<</Fields[<</FT/Sig/V 1 0 R>>]>>",
        b"<</Fields[<</FT/Sig/V 9 0 R>>]>>",
    ],
)
def test_strange_forms(form):
    assert code_of(table_file([CATALOG, form])) in {"pdf_invalid", "pdf_signature_form", "pdf_not_signed"}


def test_too_large_a_file(monkeypatch):
    monkeypatch.setattr(structure, "MAX_FILE_BYTES", 100)
    assert code_of(p.page()) == "too_large"


@pytest.mark.parametrize("data", [b"", b"%PDF-1.7\n", b"PK\x03\x04", b"%PDF-1.7\nstartxref\n0\n%%EOF", b"\0" * 5000])
def test_no_pdf(data):
    assert code_of(data)


def test_noise_never_raises_anything_else(world):
    base = p.sealed(world.agriculture)
    start = base.index(b"/ByteRange") - 600
    rng = random.Random(7)
    words = [b"<<", b">>", b"[", b"]", b"(", b"R", b" 0 R", b"9" * 12, b"endobj", b"stream\n", b"#", b"/", b"%", b"\\"]
    for _ in range(1500):
        forged = bytearray(base)
        for _ in range(rng.randrange(1, 4)):
            at = rng.randrange(start, len(forged)) if rng.random() < 0.8 else rng.randrange(len(forged))
            forged[at : at + rng.randrange(12)] = rng.choice(words)
        assert code_of(bytes(forged))


def test_noise_in_der_never_raises_anything_else(world):
    base = p.sealed(world.agriculture)
    match = re.search(rb"/Contents<([0-9a-f]+)>", base)
    rng = random.Random(8)
    value = bytes.fromhex(match[1].decode())
    for _ in range(800):
        forged = bytearray(value)
        for _ in range(rng.randrange(1, 4)):
            forged[rng.randrange(1400)] ^= rng.randrange(1, 256)
        # What changes an issuer's certificate is found where the chain is judged.
        with pytest.raises(FormatError):
            p.accept(base.replace(match[1], bytes(forged).hex().encode()), world)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        (b"(a\\(b\\)\\\\ (c) \\101\\\nd\\n\r\n)", b"a(b)\\ (c) Ad\n\n"),
        (b"<48 65 6>", b"He`"),
    ],
)
def test_strings(text, value):
    assert objects.parse(text, 0, 100)[0].value == value


def test_objects():
    text = b"<</A/B#20C/D[1 -2.5 .5 true null 3 0 R]%c\n/E<</F()>>>>"
    parsed, end = objects.parse(text, 0, 100)
    assert end == len(text)
    assert parsed["A"] == "B C"
    assert parsed["D"] == [1, -2.5, 0.5, True, None, objects.Ref(3, 0)]
    with pytest.raises(FormatError):
        objects.parse(b"<</A 1/#41 2>>", 0, 100)


def test_reading_needs_cryptography_and_nothing_else():
    code = (
        "import sys, licence.pdf.read, licence.timestamps; print([m for m in sys.modules if m.split('.')[0] in "
        "{'typst', 'fontTools', 'pyhanko', 'asn1crypto', 'yaml', 'catalog', 'hub', 'lxml'}])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
