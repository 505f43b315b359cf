"""Signed files written by hand: each limit, each form of a signature, and where a signature and what follows it end.

Limits are written out here: a test that took them from the module would move with them.
"""

from __future__ import annotations

import hashlib
import itertools
from datetime import UTC, datetime
from types import SimpleNamespace

import pytest

from licence import der
from licence.errors import FormatError
from licence.pdf import cms, read
from licence.pdf.objects import Ref, Text
from licence.pdf.read import Coverage, Level, PdfFacts, read_signatures
from licence.timestamping import stamp
from tests.licence import world as w
from tests.licence.pdf import archives as a
from tests.licence.pdf import papers as p

HEAD = b"%PDF-1.7\n"
RANGE = b"/ByteRange[" + b" " * 40 + b"]"
ROOM = 4000
VALUE = b"/Contents<" + b"00" * ROOM + b">"
SIGNATURE = b"<</Type/Sig/SubFilter/ETSI.CAdES.detached" + RANGE + VALUE + b">>"
STAMP = b"<</Type/DocTimeStamp/SubFilter/ETSI.RFC3161" + RANGE + VALUE + b">>"
STREAM = b"<</Length 3>>\nstream\nabc\nendstream"


def revision(objects, before=HEAD, *, trailer=b"", junk=b"", end=b"%%EOF\n"):
    """*before* and one more revision: {number: body}, a table of them, and *junk* before the end mark."""
    data, offsets = bytearray(before), {}
    for number, body in objects.items():
        offsets[number] = len(data)
        data += b"%d 0 obj\n%s\nendobj\n" % (number, body)
    start = len(data)
    data += b"xref\n" + b"".join(b"%d 1\n%010d 00000 n \n" % pair for pair in sorted(offsets.items()))
    if before != HEAD:
        trailer += b"/Prev %d" % int(before.rsplit(b"startxref", 1)[1].split()[0])
    data += b"trailer\n<</Size 9000/Root 1 0 R%s>>\n%sstartxref\n%d\n%s" % (trailer, junk, start, end)
    return bytes(data)


def filled(data, make, *, cut=0):
    """*data* with its last empty range and value filled by *make* over all but the value, and but the last *cut*."""
    start = data.rindex(VALUE[:12]) + len(b"/Contents")
    end = data.index(b">", start) + 1
    place = data.rindex(RANGE)
    numbers = (b"/ByteRange[0 %d %d %d" % (start, end, len(data) - end - cut)).ljust(len(RANGE) - 1) + b"]"
    data = data[:place] + numbers + data[place + len(RANGE) :]
    value = make(data[:start] + data[end : len(data) - cut])
    return data[: start + 1] + value.hex().encode().ljust(end - start - 2, b"0") + data[end - 1 :]


def signs(**changes):
    def make(covered):
        return cms.sign(w.make_world().agriculture, content_digest=hashlib.sha256(covered).digest(), **changes)

    return make


def stamps(covered):
    return stamp(a.stamper(), covered, suites=a.SUITES)


def basic(*, catalog=b"", entries=b"", **objects):
    """The objects of a file with one signature, *entries* added to its dictionary."""
    return {
        1: b"<</Type/Catalog/AcroForm 2 0 R%s>>" % catalog,
        2: b"<</Fields[3 0 R]>>",
        3: b"<</FT/Sig/T(a)/V 4 0 R>>",
        4: SIGNATURE[:-2] + entries + b">>",
    } | {int(name[1:]): body for name, body in objects.items()}


def signed(objects=None, *, make=None, cut=0, **more):
    return filled(revision(objects or basic(), **more), make or signs(), cut=cut)


def facts(data):
    return read_signatures(data, p.SUITES)


def only(data):
    (one,) = facts(data).signatures
    return one


def refused(data):
    with pytest.raises(FormatError) as caught:
        facts(data)
    return caught.value


def detail(data):
    fault = refused(data)
    assert fault.code == "pdf_signature_form"
    return fault.finding_params["detail"]


def test_a_file_written_by_hand_is_read():
    found = only(signed())
    assert (found.field, found.coverage, found.certification) == ("a", Coverage.WHOLE_FILE, None)
    assert (found.claimed_at, found.name, found.reason, found.stamps, found.unsigned) == (None, "", "", (), ())
    assert found.chain == w.make_world().agriculture.chain_der


# Levels.

MADE = {"signatures": (), "stamps": (), "certificates": (), "crls": (), "ocsps": ()}


@pytest.mark.parametrize(
    ("changes", "level"),
    [
        ({}, Level.B_B),
        ({"certificates": (b"c",), "crls": (b"l",)}, Level.B_B),
        ({"token": True}, Level.B_T),
        ({"stamp": True}, Level.B_T),
        ({"token": True, "certificates": (b"c",)}, Level.B_T),
        ({"token": True, "crls": (b"l",)}, Level.B_T),
        ({"token": True, "ocsps": (b"o",)}, Level.B_T),
        ({"token": True, "crls": (b"l",), "ocsps": (b"o",)}, Level.B_T),
        ({"token": True, "certificates": (b"c",), "crls": (b"l",)}, Level.B_LT),
        ({"token": True, "certificates": (b"c",), "ocsps": (b"o",)}, Level.B_LT),
        ({"stamp": True, "certificates": (b"c",), "crls": (b"l",)}, Level.B_LT),
        ({"stamp": True, "archives": True, "certificates": (b"c",), "crls": (b"l",)}, Level.B_LTA),
        ({"stamp": True, "archives": True, "certificates": (b"c",)}, Level.B_T),
    ],
)
def test_a_level_is_reached_with_all_its_parts(changes, level):
    told = dict(changes)
    signature = SimpleNamespace(stamps=(b"token",) if told.pop("token", False) else ())
    archiving = SimpleNamespace(archives=told.pop("archives", False))
    stamped = (archiving,) if told.pop("stamp", False) else ()
    made = MADE | told | {"signatures": (signature,), "stamps": stamped}
    assert PdfFacts(**made, loose_from=0, keywords="").level is level


def stamped(before, first=6):
    """*before* with a document time stamp as one more revision."""
    members = b" ".join(b"%d 0 R" % n for n in (3, *range(6, first + 1, 2)))
    objects = {
        2: b"<</Fields[%s]>>" % members,
        first: b"<</FT/Sig/T(s%d)/V %d 0 R>>" % (first, first + 1),
        first + 1: STAMP,
    }
    return filled(revision(objects, before), stamps)


def with_material(before, number=50):
    objects = {
        1: b"<</Type/Catalog/AcroForm 2 0 R/DSS %d 0 R>>" % number,
        number: b"<</Certs[%d 0 R]/CRLs[%d 0 R]>>" % (number + 1, number + 1),
        number + 1: STREAM,
    }
    return revision(objects, before)


def test_a_time_stamp_archives_the_material_that_was_there_before_it():
    bare = stamped(signed())
    found = facts(bare)
    assert [(s.field, s.coverage, s.archives) for s in found.stamps] == [("s6", Coverage.WHOLE_FILE, False)]
    assert found.signatures[0].coverage is Coverage.BEFORE_ARCHIVING
    assert found.loose_from == len(bare)
    later = with_material(bare)
    found = facts(later)
    assert ([s.archives for s in found.stamps], found.level, found.loose_from) == ([False], Level.B_LT, len(bare))
    again = stamped(later, first=8)
    found = facts(again)
    assert [(s.field, s.archives) for s in found.stamps] == [("s6", False), ("s8", True)]
    assert (found.level, found.loose_from) == (Level.B_LTA, len(again))


# Fields.


def form(*fields, **objects):
    """A file whose form has these *fields*, written out."""
    made = {1: b"<</Type/Catalog/AcroForm 2 0 R>>", 2: b"<</Fields[%s]>>" % b" ".join(fields)}
    return revision(made | {int(name[1:]): body for name, body in objects.items()})


def test_four_thousand_fields_are_looked_at_and_no_more():
    assert refused(form(*[b"<<>>"] * 4000)).code == "pdf_not_signed"
    assert detail(form(*[b"<<>>"] * 4001)) == "Fields"
    kids = b"<</Kids[%s]>>" % b" ".join([b"<<>>"] * 3999)
    assert refused(form(kids)).code == "pdf_not_signed"
    assert detail(form(kids, b"<<>>")) == "Fields"


def nested(depth, innermost=b"<<>>"):
    return form(
        b"3 0 R",
        **{f"o{3 + n}": b"<</Kids[%d 0 R]>>" % (4 + n) for n in range(depth - 1)},
        **{f"o{2 + depth}": innermost},
    )


def test_fields_nest_sixteen_deep_and_no_deeper():
    assert refused(nested(16)).code == "pdf_not_signed"
    assert detail(nested(17)) == "Fields"
    assert detail(form(b"3 0 R", o3=b"<</Kids[3 0 R]>>")) == "Fields"


def test_a_fields_name_is_that_of_all_above_it_and_its_kind_is_inherited():
    tree = {
        "o3": b"<</FT/Sig/T(top)/Kids[7 0 R]>>",
        "o7": b"<</Kids[8 0 R]>>",
        "o8": b"<</T(leaf)/V 4 0 R>>",
    }
    assert only(signed(basic(**tree))).field == "top.leaf"
    # What a field says itself counts more than what is above it.
    tree["o8"] = b"<</FT/Tx/T(leaf)/V 4 0 R>>"
    assert refused(signed(basic(**tree))).code == "pdf_not_signed"
    assert only(signed(basic(o3=b"<</FT/Sig/V 4 0 R>>"))).field == ""


def test_other_fields_and_empty_ones_are_no_signatures():
    for fields in ((b"<</FT/Tx/V(x)>>",), (b"<</FT/Sig>>",), (b"<</V(x)>>",), (b"<</FT/Tx/V(x)>>", b"<</FT/Sig>>")):
        assert refused(form(*fields)).code == "pdf_not_signed"
        assert only(signed(basic(o2=b"<</Fields[%s 3 0 R]>>" % b" ".join(fields)))).field == "a"
    assert refused(revision({1: b"<</Type/Catalog>>"})).code == "pdf_not_signed"


def test_a_signature_is_one_object_of_one_field():
    for value in (b"(x)", b"<<>>", b"7", SIGNATURE):
        assert detail(form(b"<</FT/Sig/V %s>>" % value)) == "V"
    twice = basic(o2=b"<</Fields[3 0 R 7 0 R]>>", o7=b"<</FT/Sig/T(b)/V 4 0 R>>")
    assert detail(signed(twice)) == "V"


def many(count):
    """A file of *count* fields, each with a dictionary that names its own place and holds a value that is none."""
    numbers = range(3, 3 + count)
    fields = [b"<</FT/Sig/V %d 0 R>>" % n for n in numbers]
    data = form(*fields, **{f"o{n}": b"<<" + RANGE + b"/Contents<3000>>>" for n in numbers})
    for _ in numbers:
        place = data.index(RANGE)
        start = data.index(b"<3000>", place)
        numbers_of_range = b"/ByteRange[0 %d %d %d" % (start, start + 6, len(data) - start - 6)
        data = data[:place] + numbers_of_range.ljust(len(RANGE) - 1) + b"]" + data[place + len(RANGE) :]
    return data


def test_thirty_two_signatures_are_looked_at_and_no_more():
    assert refused(many(32)).code != "pdf_too_many_signatures"
    fault = refused(many(33))
    assert (fault.code, fault.finding_params["limit"]) == ("pdf_too_many_signatures", "32")


# The dictionary of a signature.


@pytest.mark.parametrize("contents", [b"", b"/Contents 5", b"/Contents[<3000>]", b"/Contents/x", b"/Contents 9 0 R"])
def test_a_signatures_value_is_a_string_in_its_dictionary(contents):
    body = b"<</ByteRange[0 1 2 3]" + contents + b">>"
    assert detail(revision(basic(o4=body))) == "Contents"


@pytest.mark.parametrize(
    "byte_range",
    [b"", b"/ByteRange 5", b"/ByteRange[0 1 2]", b"/ByteRange[0 1 2 3 4]", b"/ByteRange[0 1 2 3.5]", b"/ByteRange[]"],
)
def test_a_byte_range_is_four_whole_numbers(byte_range):
    assert refused(revision(basic(o4=b"<<" + byte_range + b"/Contents<3000>>>"))).code == "pdf_byte_range"


def ranged(change):
    """A signed file whose byte range is changed after all, in place."""
    data = signed()
    place = data.index(b"/ByteRange[") + len(b"/ByteRange[")
    size = data.index(b"]", place) - place
    numbers = change(*map(int, data[place : place + size].split()))
    return data[:place] + b" ".join(b"%d" % n for n in numbers).ljust(size) + data[place + size :]


def test_a_byte_range_leaves_out_the_value_and_nothing_else():
    assert only(ranged(lambda *numbers: numbers))
    for change in (
        lambda z, s, e, r: (1, s, e, r),
        lambda z, s, e, r: (0, s + 1, e, r),
        lambda z, s, e, r: (0, s, e - 1, r),
        lambda z, s, e, r: (0, s, e, 0),
        lambda z, s, e, r: (0, s, e, -1),
        lambda z, s, e, r: (0, s, e, r + 1),
        lambda z, s, e, r: (0, s, e, r - 1),
        # Ends before any table, at the first byte after the value.
        lambda z, s, e, r: (0, s, e, 1),
    ):
        assert refused(ranged(change)).code == "pdf_byte_range"


@pytest.mark.parametrize("place", range(4))
@pytest.mark.parametrize("after", [b".0", b".5"])
def test_a_place_in_the_file_is_a_whole_number(place, after):
    data = signed()
    start = data.index(b"/ByteRange[") + len(b"/ByteRange[")
    end = data.index(b"]", start)
    numbers = data[start:end].split()
    numbers[place] += after
    written = data[:start] + b" ".join(numbers).ljust(end - start) + data[end:]
    assert refused(written).code == "pdf_byte_range"


def test_a_byte_range_ends_within_the_file_and_after_the_value():
    # The first signature reaches the end; a second one, in the same revision, states more than there is.
    both = basic(o2=b"<</Fields[3 0 R 7 0 R]>>", o7=b"<</FT/Sig/T(b)/V 8 0 R>>", o8=SIGNATURE)
    data = filled(filled(revision(both), signs(), cut=-1), signs())
    assert refused(data).code == "pdf_byte_range"
    # A time stamp that ends, so it says, where the revision before it did.
    before = signed()
    later = revision({2: b"<</Fields[3 0 R 6 0 R]>>", 6: b"<</FT/Sig/T(s)/V 7 0 R>>", 7: STAMP}, before)
    assert refused(filled(later, stamps, cut=len(later) - len(before))).code == "pdf_byte_range"


def with_value(value):
    """A file that is well formed but for the value of its signature."""
    data = revision(basic(o4=SIGNATURE.replace(VALUE, b"/Contents" + value)))
    place, start = data.index(RANGE), data.index(value)
    end = start + len(value)
    numbers = (b"/ByteRange[0 %d %d %d" % (start, end, len(data) - end)).ljust(len(RANGE) - 1) + b"]"
    return data[:place] + numbers + data[place + len(RANGE) :]


@pytest.mark.parametrize("value", [b"<3 000>", b"<300>", b"<aA00>", b"<30000>", b"(0\\0)", b"<>"])
def test_a_value_has_one_spelling_in_hexadecimal(value):
    assert detail(with_value(value)) == "Contents"


@pytest.mark.parametrize("value", [b"<3000>", b"<300000>", b"<3003020100>", b"<3003020100" + b"00" * 7 + b">"])
def test_a_value_may_be_followed_by_zeros_alone(value):
    assert refused(with_value(value)).code == "der_invalid"
    fault = refused(with_value(value[:-1] + b"0001>"))
    assert (fault.code, fault.finding_params["what"]) == ("der_trailing_bytes", "PDF signature")


def test_a_value_has_a_mebibyte_at_most():
    size = 1024 * 1024
    assert refused(with_value(b"<3000" + b"00" * (size - 2) + b">")).code == "der_invalid"
    fault = refused(with_value(b"<3000" + b"00" * (size - 1) + b">"))
    assert (fault.code, fault.finding_params["limit"]) == ("too_large", str(size))
    assert fault.finding_params["what"] == "PDF signature"


def typed(old, new):
    return basic(o4=SIGNATURE.replace(old, new))


def test_a_signature_is_of_a_kind_that_is_read():
    for good in (typed(b"/Type/Sig", b""), typed(b"ETSI.CAdES.detached", b"adbe.pkcs7.detached")):
        assert only(signed(good))
    for bad in (
        typed(b"/Type/Sig", b"/Type/DocTimeStamp"),
        typed(b"/Type/Sig", b"/Type/Other"),
        typed(b"/SubFilter/ETSI.CAdES.detached", b""),
        typed(b"ETSI.CAdES.detached", b"adbe.pkcs7.sha1"),
        typed(b"ETSI.CAdES.detached", b"adbe.x509.rsa_sha1"),
    ):
        assert detail(signed(bad)) == "SubFilter"


def test_a_signature_is_detached_and_over_plain_data():
    assert detail(signed(make=signs(content=b"x"))) == "Contents"
    assert detail(signed(make=signs(content_type="1.2.840.113549.1.9.16.1.4"))) == "Contents"


def test_what_the_signer_claims_is_told():
    claims = b"/M(D:20250301160000+08'00')/Name(n)/Reason(r)"
    found = only(signed(basic(entries=claims)))
    assert (found.claimed_at, found.name, found.reason) == (w.ISSUED, "n", "r")


# Certification.


def certified(reference, *, perms=b"/Perms<</DocMDP 4 0 R>>", **objects):
    return signed(basic(catalog=perms, entries=b"/Reference[%s]" % reference, **objects))


def mdp(level):
    return b"<</TransformMethod/DocMDP/TransformParams<<%s>>>>" % level


@pytest.mark.parametrize(("level", "told"), [(b"/P 1", 1), (b"/P 2", 2), (b"/P 3", 3), (b"", 2)])
def test_a_certifying_signature_says_what_may_be_changed(level, told):
    assert only(certified(mdp(level))).certification == told
    other = b"<</TransformMethod/FieldMDP/TransformParams<</P 3>>>>"
    assert only(certified(other + mdp(level))).certification == told
    assert only(certified(other)).certification is None
    assert only(certified(b"6 0 R", o6=mdp(level))).certification == told


@pytest.mark.parametrize("level", [b"/P 0", b"/P 4", b"/P(1)", b"/P true", b"/P 1.5"])
def test_other_levels_of_certification_are_none(level):
    assert detail(certified(mdp(level))) == "DocMDP"
    assert detail(certified(b"<</TransformMethod/DocMDP>>")) == "DocMDP"
    assert detail(certified(b"<</TransformMethod/DocMDP/TransformParams(x)>>")) == "DocMDP"


@pytest.mark.parametrize(
    "perms", [b"", b"/Perms(x)", b"/Perms<<>>", b"/Perms<</DocMDP 3 0 R>>", b"/Perms<</UR3 4 0 R>>"]
)
def test_only_the_signature_that_the_catalogue_names_certifies(perms):
    assert only(certified(mdp(b"/P 1"), perms=perms)).certification is None


# Validation material, and keywords.


def test_material_is_told_by_its_kind():
    streams = {f"o{n}": STREAM.replace(b"abc", b"ab%d" % (n - 60)) for n in (61, 62, 63)}
    store = b"/DSS<</Certs[61 0 R]/CRLs[62 0 R]/OCSPs[63 0 R]>>"
    found = facts(signed(basic(catalog=store, **streams)))
    assert (found.certificates, found.crls, found.ocsps) == ((b"ab1",), (b"ab2",), (b"ab3",))
    found = facts(signed())
    assert (found.certificates, found.crls, found.ocsps) == ((), (), ())


@pytest.mark.parametrize("kind", [b"Certs", b"CRLs", b"OCSPs"])
def test_material_is_256_streams_of_a_kind_at_most(kind):
    def stored(members):
        return signed(basic(catalog=b"/DSS<</%s[%s]>>" % (kind, members), o6=STREAM))

    found = facts(stored(b"6 0 R " * 256))
    assert found.certificates + found.crls + found.ocsps == (b"abc",) * 256
    for bad in (b"6 0 R " * 257, b"(abc)", b"6 0 R 9 0 R", b"<<>>"):
        assert detail(stored(bad)) == "DSS"


@pytest.mark.parametrize(
    ("information", "told"),
    [
        (b"<</Keywords(k)>>", "k"),
        (b"<</Keywords 7 0 R>>", "from there"),
        (b"<<>>", ""),
        (b"(k)", ""),
        (b"<</Keywords/k>>", ""),
        (b"<</Keywords(" + b"k" * 8001 + b")>>", "k" * 8000),
        (b"<</Keywords(" + b"k" * 8000 + b")>>", "k" * 8000),
    ],
)
def test_keywords_are_those_of_the_information(information, told):
    objects = basic(o6=information, o7=b"(from there)")
    assert facts(signed(objects, trailer=b"/Info 6 0 R")).keywords == told
    assert facts(signed(objects)).keywords == ""


# Texts and dates.


@pytest.mark.parametrize(
    ("value", "told"),
    [
        (b"abc", "abc"),
        (b"caf\xe9", "caf\u00e9"),
        (b"\xfe\xff\x7a\xe0\x00a", "\u7ae0a"),
        (b"\xfe\xff\x7a", "\ufffd"),
        (b"\xef\xbb\xbf\xe7\xab\xa0a", "\u7ae0a"),
        (b"\xef\xbb\xbf\xe7\xab", "\ufffd"),
        (b"a\nb\x00c\x7fd", "abcd"),
        (b"\xfe\xff\x20\x2e\x00a", "a"),
        (b"", ""),
        (b"x" * 500, "x" * 500),
        (b"x" * 501, "x" * 500),
    ],
)
def test_a_text_is_told_as_far_as_it_can_be_shown(value, told):
    assert read._text(Text(value, 0, 0)) == told


@pytest.mark.parametrize("value", [None, 5, "name", [Text(b"a", 0, 0)], {}, Ref(1, 0)])
def test_what_is_no_text_is_told_as_none(value):
    assert read._text(value) == ""


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("D:20250301120304Z", (2025, 3, 1, 12, 3, 4)),
        ("D:20250301120304Z00'00'", (2025, 3, 1, 12, 3, 4)),
        ("D:20250301120304+08'30'", (2025, 3, 1, 3, 33, 4)),
        ("D:20250301120304-08'30'", (2025, 3, 1, 20, 33, 4)),
        ("D:20250301120304+00'00'", (2025, 3, 1, 12, 3, 4)),
        ("D:20250301120304+0100", (2025, 3, 1, 11, 3, 4)),
    ],
)
def test_a_date_is_told_in_universal_time(text, parts):
    assert read._date(text) == datetime(*parts, tzinfo=UTC)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "20250301120304Z",
        "D:20250301120304",
        "D:202503011203Z",
        "D:20250231120304Z",
        "D:20250301250304Z",
        "D:20250301120304+24'00'",
        "D:00010101000000+08'00'",
        "D:99991231235959-08'00'",
        "D:20250301120304Z ",
    ],
)
def test_less_than_a_second_with_its_zone_is_no_date(text):
    assert read._date(text) is None


# Where a signature ends, and what follows it.


@pytest.mark.parametrize("end", [b"%%EOF", b"%%EOF\r", b"%%EOF\n", b"%%EOF\r\n"])
def test_a_signature_covers_its_revision_to_the_end_mark_or_the_end_of_its_line(end):
    spare = len(end) - len(b"%%EOF")
    for cut in range(spare + 2):
        data = with_material(signed(end=end, cut=cut))
        if cut <= spare:
            assert only(data).coverage is Coverage.BEFORE_ARCHIVING
        else:
            assert refused(data).code == "pdf_byte_range"
    assert only(signed(end=end)).coverage is Coverage.WHOLE_FILE
    for cut in range(1, spare + 1):
        assert refused(signed(end=end, cut=cut)).code == "pdf_byte_range"


def test_a_revision_may_begin_with_its_table():
    data = revision({}, signed())
    assert only(data).coverage is Coverage.BEFORE_ARCHIVING
    assert facts(data).loose_from < len(data)


def test_a_file_may_hold_more_before_its_end_mark_and_no_signature_ends_in_it():
    for junk in (b"% a remark\n", b"7\n"):
        assert only(signed(junk=junk)).coverage is Coverage.WHOLE_FILE
        assert refused(signed(junk=junk, cut=1)).code == "pdf_byte_range"


def test_a_signature_does_not_reach_into_the_next_revision():
    before = revision(basic())
    whole = with_material(before)
    # The range ends after the first object that the update brings.
    inside = len(whole) - whole.index(b"endobj\n", len(before)) - len(b"endobj\n")
    assert refused(filled(whole, signs(), cut=inside)).code == "pdf_byte_range"


def test_a_signed_file_does_not_lead_into_what_follows_it():
    before = revision(basic(), trailer=b"/Prev 0000000000")
    hidden = b"xref\n9 1\n0000000000 65535 f \ntrailer\n<</Size 9000/Root 1 0 R>>\n"
    # At its end, or further on.
    for space in (b"", b"\n"):
        led = before.replace(b"/Prev 0000000000", b"/Prev %010d" % (len(before) + len(space)))
        data = filled(led, signs()) + space + hidden
        assert refused(revision({9: b"<<>>"}, data)).code == "pdf_byte_range"


def test_the_file_ends_with_its_newest_revision():
    data = with_material(signed())
    start = int(data.rsplit(b"startxref", 1)[1].split()[0])
    assert only(data)
    assert refused(data + b"%%hidden\nstartxref\n%d\n%%%%EOF\n" % start).code == "pdf_byte_range"


def test_each_signature_ends_where_a_revision_ends():
    whole = stamped(signed())
    assert facts(whole)
    before = revision({2: b"<</Fields[3 0 R 6 0 R]>>", 6: b"<</FT/Sig/T(s)/V 7 0 R>>", 7: STAMP}, signed())
    for cut in (1, 20):
        assert refused(filled(before, stamps, cut=cut)).code == "pdf_byte_range"


def test_a_document_time_stamp_is_of_what_it_covers():
    data = stamped(signed())
    (found,) = facts(data).stamps
    assert found.stamp.time == a.STAMPED
    flipped = data.replace(b"/T(s6)", b"/T(s7)")
    assert refused(flipped).code == "timestamp_imprint_differs"
    assert refused(data.replace(b"/T(a)", b"/T(b)")).sub_indication == "HASH_FAILURE"
    with pytest.raises(FormatError):
        read_signatures(data, ["ed25519"])


def test_the_order_of_fields_is_not_that_of_signing():
    data = revision({2: b"<</Fields[3 0 R 6 0 R]>>", 6: b"<</FT/Sig/T(s)/V 7 0 R>>", 7: STAMP}, signed())
    found = facts(filled(data, stamps))
    assert found.signatures[0].gap[0] < found.loose_from == len(data)
    assert len(list(itertools.chain(found.signatures, found.stamps))) == 2
    assert der.read(found.signatures[0].signature, "x").tag == der.SEQUENCE
