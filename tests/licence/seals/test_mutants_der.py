"""DER of seals, octet by octet: what is taken at its limits, and what of it is named where it is refused."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from licence.errors import FormatError
from licence.seals import der
from tests.licence.seals import plain as p


def refused(action, *arguments):
    with pytest.raises(FormatError) as caught:
        action(*arguments)
    assert (caught.value.code, caught.value.finding_params) == ("seal_not_der", {"what": "part"})
    return True


def element(tag, content):
    return der.whole(p.tlv(tag, content), "part")


def taken(call, tag, content):
    return call(element(tag, content), "part")


def not_taken(call, tag, content):
    return refused(call, element(tag, content), "part")


def test_an_element_knows_where_it_is():
    data = b"\0" + p.seq(p.num(5), p.octets(b"xy")) + b"\0"
    outer = der.Element(data, 0x30, 1, 3, 10)
    assert (outer.raw, outer.content) == (data[1:10], data[3:10])
    one, other = der.children(outer, der.SEQUENCE, "part", 2)
    assert (one.tag, one.raw, one.content, one.start) == (2, p.num(5), b"\5", 3)
    assert (other.tag, other.raw, other.content, other.end) == (4, p.octets(b"xy"), b"xy", 10)


def test_children_are_of_the_tag_asked_for_and_no_more_than_asked_for():
    outer = element(0x30, p.num(1) * 3)
    assert len(der.children(outer, der.SEQUENCE, "part", 3)) == 3
    assert der.children(element(0x30, b""), der.SEQUENCE, "part", 0) == ()
    assert refused(der.children, outer, der.SEQUENCE, "part", 2)
    assert refused(der.children, outer, der.CONTEXT_0, "part", 3)
    assert refused(der.children, element(0x30, p.num(1) + b"\2\2\1"), der.SEQUENCE, "part", 3)
    # An element ends where its parent does, though the file goes on.
    assert refused(der.children, der.Element(b"\x30\x03\x02\x02\x01\x01", 0x30, 0, 2, 5), der.SEQUENCE, "part", 1)


def test_a_whole_element_has_nothing_behind_it_and_nothing_missing():
    for data in (b"", b"\x30", b"\x30\x01", b"\x30\x00\x00", b"\x30\x80\x00\x00", b"\x30\x81\x01\x00"):
        assert refused(der.whole, data, "part")


def test_integers_are_of_eight_octets_and_not_negative():
    for content, value in (
        (b"\0", 0), (b"\x7f", 127), (b"\0\x80", 128), (b"\1\0", 256), (b"\1\x7f", 383),
        (b"\x7f" + b"\xff" * 7, 2**63 - 1), (b"\0\x80" + b"\0" * 6, 2**55),
    ):  # fmt: skip
        assert taken(der.integer, 2, content) == value
    for content in (b"", b"\x80", b"\xff", b"\0\0", b"\0\x7f", b"\0\x80" + b"\0" * 7, b"\1" * 9):
        assert not_taken(der.integer, 2, content)
    assert not_taken(der.integer, 4, b"\1")


def test_a_boolean_is_one_of_two_octets():
    assert [taken(der.boolean, 1, content) for content in (b"\0", b"\xff")] == [False, True]
    for content in (b"", b"\1", b"\xff\xff"):
        assert not_taken(der.boolean, 1, content)
    assert not_taken(der.boolean, 2, b"\0")


def test_octets_and_bits_are_of_their_tags_and_bits_are_whole_octets():
    assert (taken(der.octets, 4, b""), taken(der.octets, 4, b"\1x")) == (b"", b"\1x")
    assert (taken(der.bits, 3, b"\0"), taken(der.bits, 3, b"\0\1x")) == (b"", b"\1x")
    assert not_taken(der.octets, 3, b"\0x")
    for tag, content in ((3, b""), (3, b"\1x"), (3, b"\7x"), (4, b"\0x")):
        assert not_taken(der.bits, tag, content)


def test_a_text_is_of_its_tags_size_and_characters():
    all_of_them = frozenset({der.UTF8_STRING, der.PRINTABLE_STRING, der.IA5_STRING})
    for tag in all_of_them:
        assert der.text(element(tag, b"abc"), all_of_them, "part", 3) == "abc"
        assert der.text(element(tag, b""), frozenset({tag}), "part", 0) == ""
        assert refused(der.text, element(tag, b"abc"), all_of_them, "part", 2)
        assert refused(der.text, element(tag, b"abc"), all_of_them - {tag}, "part", 3)
        assert refused(der.text, element(tag, b"\xff"), all_of_them, "part", 3)
    assert der.text(element(der.UTF8_STRING, "章".encode()), all_of_them, "part", 3) == "章"
    for tag in (der.PRINTABLE_STRING, der.IA5_STRING):
        assert refused(der.text, element(tag, "章".encode()), all_of_them, "part", 3)


def test_the_first_octet_of_an_identifier_holds_two_arcs():
    for content, dotted in (
        ("00", "0.0"), ("27", "0.39"), ("28", "1.0"), ("4f", "1.39"), ("50", "2.0"), ("78", "2.40"), ("7f", "2.47"),
        ("8100", "2.48"), ("2a03", "1.2.3"), ("2a8100", "1.2.128"), ("2aff7f", "1.2.16383"), ("2a818000", "1.2.16384"),
        ("2a00", "1.2.0"), ("2a7f01", "1.2.127.1"),
    ):  # fmt: skip
        assert taken(der.oid, 6, bytes.fromhex(content)) == dotted


def test_an_identifier_has_64_octets_and_one_spelling():
    assert taken(der.oid, 6, b"\x2a" * 64).count(".") == 64
    for content in (b"", b"\x2a" * 65, b"\x2a\x81", b"\x2a\x81\x80", b"\x80\x01", b"\x2a\x80\x01", b"\x80"):
        assert not_taken(der.oid, 6, content)
    assert not_taken(der.oid, 4, b"\x2a")


AT = datetime(2025, 3, 1, 8, 9, 10, tzinfo=UTC)


@pytest.mark.parametrize(
    ("tag", "content", "expected"),
    [
        (der.UTC_TIME, b"250301080910Z", AT),
        (der.UTC_TIME, b"250301160910+0800", AT),
        (der.UTC_TIME, b"250301034010-0429", AT),
        (der.UTC_TIME, b"490301080910Z", AT.replace(year=2049)),
        (der.UTC_TIME, b"500301080910Z", AT.replace(year=1950)),
        (der.UTC_TIME, b"000301080910Z", AT.replace(year=2000)),
        (der.UTC_TIME, b"990301080910Z", AT.replace(year=1999)),
        (der.GENERALIZED_TIME, b"20250301080910Z", AT),
        (der.GENERALIZED_TIME, b"00500301080910Z", AT.replace(year=50)),
        (der.GENERALIZED_TIME, b"20250301160910+0800", AT),
        (der.GENERALIZED_TIME, b"20250301083910+0030", AT),
        (der.GENERALIZED_TIME, b"20250301073910-0030", AT),
        (der.GENERALIZED_TIME, b"20250301080910.5Z", AT.replace(microsecond=500_000)),
        (der.GENERALIZED_TIME, b"20250301080910.000001Z", AT.replace(microsecond=1)),
        (der.GENERALIZED_TIME, b"20250301160910.12+0800", AT.replace(microsecond=120_000)),
    ],
)
def test_a_time_is_read_in_utc(tag, content, expected):
    found = taken(der.time, tag, content)
    assert (found, found.utcoffset()) == (expected, timedelta())
    assert der.time_text(content, tag, "part") == expected


@pytest.mark.parametrize(
    ("tag", "content"),
    [
        (der.UTC_TIME, b"20250301080910Z"),
        (der.UTC_TIME, b"250301080910.5Z"),
        (der.UTC_TIME, b"2503010809Z"),
        (der.UTC_TIME, b"250301080910"),
        (der.UTC_TIME, b"251301080910Z"),
        (der.GENERALIZED_TIME, b"250301080910Z"),
        (der.GENERALIZED_TIME, b"20250301080910"),
        (der.GENERALIZED_TIME, b"20250301080910.Z"),
        (der.GENERALIZED_TIME, b"20250301080910.1234567Z"),
        (der.GENERALIZED_TIME, b"20250301080910+800"),
        (der.GENERALIZED_TIME, b"20250301080910+2400"),
        (der.GENERALIZED_TIME, b"00010101000000+0001"),
        (der.GENERALIZED_TIME, b"99991231235959-0001"),
        (der.GENERALIZED_TIME, b"20250230080910Z"),
        (der.GENERALIZED_TIME, b""),
        (der.OCTET_STRING, b"20250301080910Z"),
    ],
)
def test_what_is_no_time_is_named(tag, content):
    assert not_taken(der.time, tag, content)
