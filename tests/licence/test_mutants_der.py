"""DER, octet by octet: one spelling of everything, read and written."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest

from licence import der
from licence.errors import FormatError
from tests.licence.seals import plain as p


def fault(action, *arguments):
    with pytest.raises(FormatError) as caught:
        action(*arguments)
    return caught.value.code, caught.value.finding_params["what"]


INVALID = ("der_invalid", "part")


def node(data):
    return der.read(data, "x")


class TestReading:
    def test_an_element_keeps_its_tag_its_content_and_itself(self):
        found = der.read(p.seq(p.num(5), p.octets(b"xy")), "part")
        assert (found.tag, found.content, found.raw) == (
            0x30,
            p.num(5) + p.octets(b"xy"),
            b"\x30\x07\x02\x01\x05\x04\x02xy",
        )
        one, other = found.children("part")
        assert (one.tag, one.content, one.raw) == (2, b"\5", p.num(5))
        assert (other.tag, other.content, other.raw) == (4, b"xy", p.octets(b"xy"))
        assert found.expect(der.SEQUENCE, "part") is found
        assert node(p.seq()).children("part") == ()

    def test_what_is_not_constructed_has_no_children(self):
        assert fault(node(p.tlv(4, p.num(1))).children, "part") == INVALID
        assert fault(node(p.tlv(0x90, p.num(1))).children, "part") == INVALID
        assert fault(node(p.tlv(0x1D, p.num(1))).children, "part") == INVALID
        assert node(p.tlv(0xA0, p.num(1))).children("part")
        assert fault(node(p.tlv(0x30, p.num(1) + b"\2")).children, "part") == INVALID

    def test_tags_have_one_octet(self):
        for tag in (0x00, 0x1E, 0x20, 0x9E, 0xBE, 0xFE):
            assert node(p.tlv(tag)).tag == tag

    def test_an_element_of_another_tag_is_refused(self):
        assert fault(node(p.num(1)).expect, der.OID, "part") == INVALID

    def test_there_are_4096_children_at_most(self):
        assert len(node(p.seq(p.tlv(5) * 4096)).children("part")) == 4096
        assert fault(node(p.seq(p.tlv(5) * 4097)).children, "part") == INVALID

    def test_nothing_may_follow_unless_the_caller_judges_it(self):
        assert fault(der.read, p.num(1) + b"\0", "part") == ("der_trailing_bytes", "part")
        found, end = der.read_first(p.num(1) + b"\0", "part")
        assert (found.raw, end) == (p.num(1), 3)
        assert fault(der.read_first, b"\2", "part") == INVALID

    @pytest.mark.parametrize(
        "data",
        [
            b"",
            b"\4",
            b"\4\1",
            b"\4\x80",
            b"\4\x80\0\0",
            b"\4\x80" + b"x" * 128,
            b"\x1f\0",
            b"\x1f\1\0",
            b"\x3f\0",
            b"\xbf\x1f\0",
            b"\4\x81\x7f" + b"x" * 127,
            b"\4\x81\0",
            b"\4\x82\0\x80" + b"x" * 128,
            b"\4\x81\x80" + b"x" * 127,
            b"\4\x81",
            b"\4\x82\1",
            b"\4\x84\xff\xff\xff\xff",
            b"\4\x85\1\0\0\0\0" + b"x" * 9,
            b"\4\x85\0\0\0\0\x80" + b"x" * 128,
            b"\4\xff" + b"\1" * 127,
        ],
    )
    def test_another_spelling_of_a_length_or_tag_is_none(self, data):
        assert fault(der.read, data, "part") == INVALID
        assert der.span(data, 0, len(data)) is None

    @pytest.mark.parametrize("size", [0, 1, 127, 128, 255, 256, 65535, 65536, 2**24])
    def test_each_length_has_one_spelling(self, size):
        data = p.octets(bytes(size))
        assert der.write(4, bytes(size)) == data
        assert der.read(data, "part").content == bytes(size)
        start = len(data) - size
        assert der.span(b"??" + data, 2, len(data) + 2) == (start + 2, len(data) + 2)
        assert der.span(data, 0, len(data) - 1) is None

    def test_a_span_ends_before_the_limit_though_the_bytes_go_on(self):
        data = b"\4\x81\x80" + b"x" * 200
        assert der.span(data, 0, 131) == (3, 131)
        for limit in (0, 1, 2, 130):
            assert der.span(data, 0, limit) is None
        assert der.span(b"\4\0", 0, 2) == (2, 2)


class TestIntegers:
    @pytest.mark.parametrize(
        ("value", "content"),
        [
            (0, "00"), (1, "01"), (127, "7f"), (128, "0080"), (255, "00ff"), (256, "0100"), (-1, "ff"), (-128, "80"),
            (-129, "ff7f"), (-256, "ff00"), (2**63, "008000000000000000"),
        ],
    )  # fmt: skip
    def test_one_is_read_and_written_in_the_fewest_octets(self, value, content):
        data = p.tlv(2, bytes.fromhex(content))
        assert der.read_integer(node(data), "part") == value
        assert der.write_integer(value) == data

    @pytest.mark.parametrize("content", ["", "0000", "007f", "ff80", "ffff"])
    def test_none_and_padded_ones_are_refused(self, content):
        assert fault(der.read_integer, node(p.tlv(2, bytes.fromhex(content))), "part") == INVALID

    def test_another_type_is_none(self):
        assert fault(der.read_integer, node(p.octets(b"\1")), "part") == INVALID


class TestTimes:
    AT = datetime(2025, 3, 1, 8, 9, 10, tzinfo=UTC)

    @pytest.mark.parametrize(
        ("text", "microsecond"),
        [
            ("20250301080910Z", 0),
            ("20250301080910.5Z", 500_000),
            ("20250301080910.000001Z", 1),
            ("20250301080910.123456Z", 123_456),
        ],
    )
    def test_one_is_read_and_written_to_the_microsecond(self, text, microsecond):
        at = self.AT.replace(microsecond=microsecond)
        data = p.tlv(0x18, text.encode())
        assert der.read_time(node(data), "part") == at
        assert der.read_time(node(data), "part").tzinfo is UTC
        assert der.write_time(at) == data
        assert der.write_time(at.astimezone(timezone(timedelta(hours=8)))) == data

    def test_what_is_finer_is_cut(self):
        for text in (b"20250301080910.1234567Z", b"20250301080910.123456999999Z"):
            assert der.read_time(node(p.tlv(0x18, text)), "part") == self.AT.replace(microsecond=123_456)

    def test_each_part_of_one_has_its_digits(self):
        assert der.write_time(datetime(7, 1, 2, 3, 4, 5, tzinfo=UTC)) == p.tlv(0x18, b"00070102030405Z")
        assert der.write_time(datetime(7, 1, 2, 3, 4, 5, 60, tzinfo=UTC)) == p.tlv(0x18, b"00070102030405.00006Z")

    @pytest.mark.parametrize(
        "text",
        [
            b"20250301080910",
            b"20250301080910.Z",
            b"20250301080910.50Z",
            b"20250301080910.0Z",
            b"20250301080910.1234567890123Z",
            b"20250301080910+0800",
            b"250301080910Z",
            b"202503010809Z",
            b"20250230080910Z",
            b"20250301080960Z",
            b"",
        ],
    )
    def test_what_is_no_zulu_time_is_refused(self, text):
        assert fault(der.read_time, node(p.tlv(0x18, text)), "part") == INVALID

    def test_another_type_is_none(self):
        assert fault(der.read_time, node(p.tlv(0x17, b"20250301080910Z")), "part") == INVALID


class TestWriting:
    def test_parts_stand_one_after_another(self):
        assert (
            der.write(0x30, p.num(1), p.num(2)) == der.write_sequence([p.num(1), p.num(2)]) == p.seq(p.num(1), p.num(2))
        )
        assert der.write(5) == b"\5\0"
        assert der.write_bits(b"x") == p.bits(b"x")

    def test_members_of_a_set_are_sorted(self):
        assert der.write_set(p.num(2), p.tlv(1, b"\0"), p.num(1)) == p.tlv(0x31, p.tlv(1, b"\0"), p.num(1), p.num(2))

    @pytest.mark.parametrize(
        ("dotted", "content"),
        [
            ("0.0", "00"), ("0.39", "27"), ("1.0", "28"), ("1.39", "4f"), ("2.0", "50"), ("2.47", "7f"),
            ("2.48", "8100"), ("2.999.3", "883703"), ("1.2.127", "2a7f"), ("1.2.128", "2a8100"),
            ("1.2.16383", "2aff7f"), ("1.2.16384", "2a818000"), ("1.2.156.10197.1.501", "2a811ccf55018375"),
            ("1.2.0.2097152", "2a0081808000"),
        ],
    )  # fmt: skip
    def test_arcs_are_written_in_groups_of_seven_bits(self, dotted, content):
        assert der.write_oid(dotted) == p.tlv(6, bytes.fromhex(content))
