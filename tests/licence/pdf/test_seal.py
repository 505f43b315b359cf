"""What is sealed reads back; what is altered, added or hidden is refused."""

from __future__ import annotations

import random
import re
import zlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from licence import authority, der
from licence.errors import FormatError, IssueRefusedError
from licence.keys import generate_private_key
from licence.pdf import cms, updates
from licence.pdf.image import read_png
from licence.pdf.read import Coverage, read_signatures
from licence.pdf.sign import SealPlace
from licence.suites import ED25519, SM2_SM3
from tests.licence import world as w
from tests.licence.pdf import papers as p
from tests.licence.pdf.papers import accept


@pytest.fixture(scope="module")
def pdf(world):
    return p.sealed(world.agriculture)


def test_sealed_document_reads_back(pdf, world):
    signature = accept(pdf, world)
    assert signature.coverage is Coverage.WHOLE_FILE
    assert signature.certification == 1
    assert (signature.field, signature.name, signature.reason) == ("LicenceSeal", "市农业农村局", "签发")
    assert signature.claimed_at == w.ISSUED
    assert signature.chain == world.agriculture.chain_der
    assert signature.suite == "ecdsa-p256-sha256"
    assert signature.stamps == ()


def test_sealing_is_a_function(pdf, world):
    assert p.sealed(world.agriculture) == pdf
    assert p.sealed(world.agriculture, signed_at=w.AT) != pdf
    assert pdf.startswith(p.page())


def test_no_signing_time_attribute_and_one_certifying_reference(pdf):
    assert der.write_oid("1.2.840.113549.1.9.5").hex().encode() not in pdf
    assert pdf.count(b"/TransformParams<</Type/TransformParams/P 1/V/1.2>>") == 1


def positions(pdf):
    start = pdf.index(b"/Contents<") + len(b"/Contents")
    end = pdf.index(b">", start) + 1
    rng = random.Random(1)
    near = {*range(start - 120, start + 8), *range(start, end, 7), *range(end - 8, end + 40)}
    return sorted({*near, *range(12), *range(len(pdf) - 60, len(pdf)), *rng.sample(range(len(pdf)), 100)})


def test_no_flipped_byte_near_signature_or_end_is_accepted(pdf, world):
    for position in positions(pdf):
        for bit in (0x01, 0x20):
            forged = bytearray(pdf)
            forged[position] ^= bit
            with pytest.raises(FormatError):
                accept(bytes(forged), world)


@pytest.mark.slow
def test_no_flipped_byte_at_all_is_accepted(pdf, world):
    for position in range(len(pdf)):
        forged = bytearray(pdf)
        forged[position] ^= 1 << position % 8
        with pytest.raises(FormatError):
            accept(bytes(forged), world)


def test_no_shortened_file_is_accepted(pdf, world):
    for end in [*range(0, len(pdf), 997), *range(len(pdf) - 60, len(pdf))]:
        with pytest.raises(FormatError):
            accept(pdf[:end], world)


@pytest.mark.parametrize("tail", [b"\n", b" ", b"%", b"%%EOF", b"\0", b"startxref\n0\n%%EOF\n"])
def test_bytes_after_the_end_are_refused(pdf, tail):
    with pytest.raises(FormatError):
        read_signatures(pdf + tail, p.SUITES)


def code_of(pdf):
    with pytest.raises(FormatError) as caught:
        read_signatures(pdf, p.SUITES)
    assert caught.value.text("zh")
    return caught.value.code


def page_number(pdf):
    return int(re.search(rb"/Kids\[(\d+) 0 R\]", pdf)[1])


def test_incremental_update_that_redraws_the_page_is_refused(pdf):
    number = page_number(pdf)
    stream = zlib.compress(b"BT ET")
    new = p.size_of(pdf)
    body = re.sub(rb"/Contents \d+ 0 R", b"/Contents %d 0 R" % new, p.current(pdf, number))
    drawn = b"<</Filter/FlateDecode/Length %d>>\nstream\n%s\nendstream" % (len(stream), stream)
    assert code_of(p.update(pdf, {number: body, new: drawn})) == "pdf_changed_after_signing"


def test_replacing_an_object_in_place_is_refused(pdf):
    contents = int(re.search(rb"/Contents (\d+) 0 R", p.current(pdf, page_number(pdf)))[1])
    assert code_of(p.update(pdf, {contents: b"<</Length 0>>\nstream\n\nendstream"})) == "pdf_changed_after_signing"


@pytest.mark.parametrize(
    "extra", [b"/OpenAction<</S/JavaScript/JS(x)>>", b"/Names<<>>", b"/OCProperties<<>>", b"/Version/2.0", b"/AA<<>>"]
)
def test_catalogue_may_not_gain_anything_but_validation_material(pdf, extra):
    assert code_of(p.update(pdf, {}, catalog_extra=extra)) == "pdf_changed_after_signing"


def test_validation_material_may_follow(pdf, world):
    new = p.size_of(pdf)
    later = p.update(
        pdf,
        {new: b"<</Certs[%d 0 R]>>" % (new + 1), new + 1: b"<</Length 3>>\nstream\nabc\nendstream"},
        catalog_extra=b"/DSS %d 0 R" % new,
    )
    signature = accept(later, world)
    assert signature.coverage is Coverage.BEFORE_ARCHIVING
    assert read_signatures(later, p.SUITES).certificates == (b"abc",)


def archived(pdf, **changes):
    new = p.size_of(pdf)
    return p.update(pdf, {new: b"<<>>"}, catalog_extra=b"/DSS %d 0 R" % new, **changes)


@pytest.mark.parametrize(
    "changes",
    [
        {"before_trailer": b"%hidden\n"},
        {"before_trailer": b"99 0 obj\n<<>>\nendobj\n"},
        {"trailer_extra": b"/XRefStm 5"},
        {"trailer_extra": b"/Encrypt 5 0 R"},
        {"trailer_extra": b"/Prev 5"},
    ],
)
def test_an_update_that_hides_something_is_refused(pdf, changes):
    assert code_of(archived(pdf, **changes))


def test_annotation_that_shows_something_is_refused(pdf):
    number, new = page_number(pdf), p.size_of(pdf)
    body = re.sub(rb"/Annots\[(.*?)\]", rb"/Annots[\1 %d 0 R]" % new, p.current(pdf, number))
    stamp = b"<</Type/Annot/Subtype/FreeText/Rect[0 0 300 300]/Contents(void)>>"
    assert code_of(p.update(pdf, {number: body, new: stamp})) == "pdf_changed_after_signing"


def test_added_field_that_is_no_time_stamp_is_refused(pdf):
    catalog, new = int(re.search(rb"/Root (\d+)", pdf)[1]), p.size_of(pdf)
    body = re.sub(rb"/Fields\[(.*?)\]", rb"/Fields[\1 %d 0 R]" % new, p.current(pdf, catalog))
    for field in (b"<</FT/Tx/T(a)/V(b)>>", b"<</FT/Sig/T(a)>>", b"<</FT/Sig/T(a)/V %d 0 R>>" % page_number(pdf)):
        assert code_of(p.update(pdf, {catalog: body, new: field})) in {
            "pdf_changed_after_signing",
            "pdf_invalid",
            "pdf_signature_form",
        }


def test_signature_removed_by_an_update_is_no_signature(pdf):
    catalog = int(re.search(rb"/Root (\d+)", pdf)[1])
    body = re.sub(rb"/Fields\[.*?\]", b"/Fields[]", p.current(pdf, catalog))
    assert code_of(p.update(pdf, {catalog: body})) == "pdf_not_signed"
    assert code_of(p.page()) == "pdf_not_signed"


def test_shadow_an_object_that_the_signed_file_lacks_is_refused(world):
    # Prepared before signing: the page points at an object that is not there yet.
    page = p.page()
    number = page_number(page)
    prepared = p.update(page, {number: p.current(page, number)[:-2] + b"/Shadow 900 0 R>>"}, size=1000)
    signed = p.sealed(world.agriculture, prepared)
    assert accept(signed, world)
    assert code_of(archived(p.update(signed, {900: b"(appears)"}))) == "pdf_changed_after_signing"


def test_shadow_replacing_a_font_or_form_is_refused(pdf):
    font = int(re.search(rb"(\d+) 0 obj\r?\n?\s*<</Type/Font/", pdf)[1])
    assert code_of(p.update(pdf, {font: p.current(pdf, font).replace(b"Identity-H", b"Identity-V")})) == (
        "pdf_changed_after_signing"
    )


def with_range(pdf, numbers):
    """Rewrite the byte range in place, as an attacker may who does not mind that the digest breaks."""
    match = re.search(rb"/ByteRange\[0 [\d ]+\]", pdf)
    return pdf.replace(match[0], (b"/ByteRange[%s" % numbers).ljust(len(match[0]) - 1) + b"]")


@pytest.mark.parametrize(
    "change",
    [
        lambda a, b, c: (0, a, b, c - 1),
        lambda a, b, c: (0, a, b, c + 1),
        lambda a, b, c: (0, a - 1, b, c),
        lambda a, b, c: (0, a, b + 1, c - 1),
        lambda a, b, c: (0, a, b - 1, c + 1),
        lambda a, b, c: (1, a - 1, b, c),
        lambda a, b, c: (0, a + 100, b - 100, c),
        lambda a, b, c: (0, a, b, 10**9),
        lambda a, b, c: (0, a, b, -5),
        lambda a, b, c: (0, a, b),
        lambda a, b, c: (0, a, b, c, 0, 0),
        lambda a, b, c: (0, 0, 0, 0),
    ],
)
def test_byte_range_tricks_are_refused(pdf, change):
    first = re.search(rb"/ByteRange\[0 (\d+) (\d+) (\d+)", pdf)
    numbers = change(*map(int, first.groups()))
    assert code_of(with_range(pdf, b" ".join(b"%d" % n for n in numbers))) == "pdf_byte_range"


def test_duplicate_contents_is_refused(pdf):
    forged = pdf.replace(b"/Type/Sig/Filter", b"/Contents<00>/Type/Sig/Filter")
    assert code_of(forged) in {"pdf_duplicate_key", "pdf_invalid", "pdf_no_end"}
    assert code_of(pdf.replace(b"/Name<FEFF", b"/Contents<")) == "pdf_duplicate_key"


@pytest.mark.parametrize("edit", ["padding", "space", "case", "after"])
def test_one_spelling_of_the_signature_value(pdf, edit):
    start = pdf.index(b"/Contents<") + len(b"/Contents<")
    end = pdf.index(b">", start)
    value = pdf[start:end]
    changed = {
        "padding": value[:-2] + b"01",
        "space": value[:-2] + b"  ",
        "case": re.sub(rb"a", b"A", value, count=1),
        "after": value[:-1] + b" ",
    }[edit]
    assert code_of(pdf[:start] + changed + pdf[end:]) in {"pdf_signature_form", "der_trailing_bytes"}


def test_a_second_signer_does_not_hide_the_first(pdf, world):
    with pytest.raises(IssueRefusedError) as caught:
        p.sealed(world.forestry, pdf)
    assert caught.value.code == "pdf_signed_already"


@pytest.mark.parametrize(
    ("file", "code"),
    [
        (b"%PDF-1.7 no", "pdf_not_sealable"),
        (p.page()[:-40], "pdf_not_sealable"),
        (p.page() + b"/ByteRange[0 1 2 3]", "pdf_signed_already"),
    ],
)
def test_why_a_file_cannot_be_sealed_is_told_apart(file, code, world):
    with pytest.raises(IssueRefusedError) as caught:
        p.sealed(world.forestry, file)
    assert caught.value.code == code


def test_a_page_with_notes_is_not_written_over(world):
    page = p.page()
    number = page_number(page)
    noted = p.update(page, {number: p.current(page, number)[:-2] + b"/Annots[]>>"})
    with pytest.raises(IssueRefusedError) as caught:
        p.sealed(world.forestry, noted)
    assert caught.value.code == "pdf_page_in_use"


def test_suite_that_policy_leaves_out_is_refused_by_name(pdf):
    with pytest.raises(FormatError) as caught:
        read_signatures(pdf, ["ed25519"])
    assert (caught.value.code, caught.value.sub_indication) == ("cms_suite_not_allowed", "CRYPTO_CONSTRAINTS_FAILURE")
    with pytest.raises(FormatError):
        read_signatures(pdf, [])


def test_other_certificate_with_the_same_key_is_refused(pdf, world):
    class Swapped:
        suite = world.agriculture.suite
        chain_der = world.agriculture.chain_der

        def sign(self, data):
            return world.forestry.sign(data)

    with pytest.raises(FormatError) as caught:
        read_signatures(p.sealed(Swapped()), p.SUITES)
    assert caught.value.sub_indication == "SIG_CRYPTO_FAILURE"


@pytest.mark.parametrize(
    "changes",
    [
        {"signed_at": w.ISSUED.replace(tzinfo=None)},
        {"seal_png": b"GIF89a"},
        {"seal_png": p.png(bits=16)},
        {"seal_png": p.png(interlaced=1)},
        {"seal_png": p.png(colour_type=3)},
        {"seal_png": p.png()[:-40]},
        {"place": SealPlace(width_mm=0)},
        {"place": SealPlace(left_mm=float("nan"))},
        {"name": "\ud800"},
    ],
)
def test_unusable_inputs_are_refused(world, changes):
    with pytest.raises(IssueRefusedError):
        p.sealed(world.agriculture, **changes)
    with pytest.raises(IssueRefusedError):
        p.sealed(world.agriculture, b"%PDF-1.7\nnonsense")


def test_syntax_in_a_reason_is_text(world):
    reason = ">>)/Contents<00>(%\\"
    assert read_signatures(p.sealed(world.agriculture, reason=reason), p.SUITES).signatures[0].reason == reason


@pytest.mark.parametrize(("colour_type", "channels"), [(0, 1), (2, 3), (4, 1), (6, 3)])
@pytest.mark.parametrize("filter_type", range(5))
def test_png_is_unpacked(colour_type, channels, filter_type):
    picture = read_png(p.png(side=7, colour_type=colour_type, filter_type=filter_type))
    assert (picture.width, picture.channels) == (7, channels)
    assert len(zlib.decompress(picture.colour)) == 49 * channels
    assert bool(picture.alpha) == (colour_type in {4, 6})
    if not filter_type and colour_type == 6:
        row = bytes(x * 3 % 256 for x in range(28))
        assert zlib.decompress(picture.alpha)[21:28] == row[3::4]
        assert zlib.decompress(picture.colour)[63:66] == row[:3]


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**200), st.binary(max_size=300))
def test_der_writes_what_it_reads(number, content):
    node = der.read(der.write(der.SEQUENCE, der.write_integer(number), der.write(4, content)), "x")
    first, second = node.children("x")
    assert der.read_integer(first, "x") == number
    assert second.content == content
    assert der.write(der.SEQUENCE, first.raw, second.raw) == node.raw


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\x30",
        b"\x30\x80\x00\x00",
        b"\x30\x81\x05aaaaa",
        b"\x30\x82\x00\x80" + bytes(128),
        b"\x30\x84\xff\xff\xff\xff",
        b"\x30\x85\x01\x00\x00\x00\x00",
        b"\x1f\x01\x00",
        b"\x02\x01\x00\x00",
    ],
)
def test_der_has_one_spelling(data):
    with pytest.raises(FormatError):
        der.read(data, "x")


@pytest.mark.parametrize("content", [b"", b"\x00\x01", b"\xff\x80"])
def test_der_integers_have_one_spelling(content):
    with pytest.raises(FormatError):
        der.read_integer(der.read(der.write(2, content), "x"), "x")


def test_cms_parses_what_it_writes_and_bounds_its_size(world):
    made = cms.sign(world.agriculture, content_digest=bytes(32))
    assert len(made) <= cms.max_size_bytes(world.agriculture)
    signed = cms.parse(made, "x")
    assert cms.check(signed, bytes(32), p.SUITES, "x").chain == world.agriculture.chain_der
    with pytest.raises(FormatError) as caught:
        cms.check(signed, bytes(31) + b"\1", p.SUITES, "x")
    assert caught.value.sub_indication == "HASH_FAILURE"
    with pytest.raises(FormatError):
        cms.parse(made + b"\0", "x")


def test_cms_without_or_with_strange_certificates(world):
    bare = cms.parse(cms.sign(world.agriculture, content_digest=bytes(32), with_certificates=False), "x")
    with pytest.raises(FormatError) as caught:
        cms.check(bare, bytes(32), p.SUITES, "x")
    assert caught.value.code == "cms_signer_not_found"

    class Baggage:
        suite = world.agriculture.suite
        chain_der = (*world.agriculture.chain_der, world.forestry.chain_der[0])
        sign = world.agriculture.sign

    with pytest.raises(FormatError) as caught:
        cms.check(cms.parse(cms.sign(Baggage(), content_digest=bytes(32)), "x"), bytes(32), p.SUITES, "x")
    assert caught.value.code == "cms_stray_certificate"


@pytest.mark.parametrize("suite", [SM2_SM3, ED25519])
def test_other_suites_seal_and_read_back(world, suite):
    key = authority.certify_leaf(
        world.root,
        generate_private_key(suite),
        role=authority.Role.LICENCES,
        name="other suite",
        uscc=w.AGRICULTURE,
        uri="https://other.city.example",
        starts=w.STARTS,
        ends=w.ENDS,
        serial=91,
    )
    pdf = p.sealed(key)
    (signature,) = read_signatures(pdf, [suite]).signatures
    assert (signature.suite, signature.chain) == (suite, key.chain_der)
    with pytest.raises(FormatError) as caught:
        read_signatures(pdf, p.SUITES)
    assert caught.value.code == "cms_suite_not_allowed"
    forged = bytearray(pdf)
    forged[5000] ^= 1
    with pytest.raises(FormatError) as caught:
        read_signatures(bytes(forged), [suite])
    assert caught.value.sub_indication in {"HASH_FAILURE", "FORMAT_FAILURE"}


def test_comparing_updates_is_bounded(pdf, monkeypatch):
    monkeypatch.setattr(updates, "MAX_COMPARED", 50)
    assert code_of(archived(pdf)) == "pdf_changed_after_signing"
