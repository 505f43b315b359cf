"""The structures against a second encoder, real seals' liberties, round trips and hostile bytes."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from licence.der import write_integer, write_oid
from licence.errors import FormatError
from licence.report import Verdict
from licence.seals import der
from licence.seals.encode import write_info, write_seal, write_signature, write_tbs
from licence.seals.structure import (
    MAX_CUSTODIANS,
    MAX_SEAL_BYTES,
    V1,
    V4,
    V5,
    Digest,
    Extension,
    Picture,
    SealInfo,
    SESeal,
    SESSignature,
    TBSSign,
    parse_seal,
    parse_signature,
)
from licence.seals.verify import verify_seal, verify_signature
from tests.licence.seals import city as c
from tests.licence.seals import plain


def info_of(city, version, **changes):
    fields = {
        "custodians": [plain.octets(city.custodian.chain_der[0])],
        "created": c.MADE,
        "starts": c.STARTS,
        "ends": c.ENDS,
    } | changes
    return plain.info(version, **fields)


def seal_of(city, version, info=None, **changes):
    fields = {"cert": city.maker.chain_der[0], "oid": c.OID, "sign": city.maker.sign_der} | changes
    encode = plain.seal_v1 if version < 4 else plain.seal
    return encode(info or info_of(city, version), **fields)


def signature_of(city, version, seal=None, **changes):
    fields = {"cert": city.custodian.chain_der[0], "oid": c.OID, "sign": city.custodian.sign_der, "digest": c.DIGEST}
    seal = seal or seal_of(city, version)
    if version < 4:
        fields["time_info"] = plain.utc(c.SIGNED)
        return plain.signature_v1(seal, **(fields | changes))
    return plain.signature(version, seal, at=c.SIGNED, **(fields | changes))


def judge(city, data, digest=c.DIGEST):
    return verify_signature(data, digest, city.trust, c.AT)


class TestSecondEncoder:
    @pytest.mark.parametrize("version", [1, 2, 3, 4, 5])
    def test_every_version_is_verified(self, city, version):
        report = verify_seal(seal_of(city, version), city.trust, c.AT)
        assert report.verdict is Verdict.PASSED, report.text("en")
        report = judge(city, signature_of(city, version))
        assert report.verdict is Verdict.PASSED, report.text("en")
        assert report.facts["standard"].startswith(
            ("GM/T 0031-2014", "GB/T 38540-2020", "GM/T 0031-2025")[max(0, version - 3)]
        )

    @pytest.mark.parametrize("version", [1, 4, 5])
    def test_no_byte_of_any_version_may_change(self, city, version):
        data = signature_of(city, version)
        for i in range(len(data)):
            altered = bytearray(data)
            altered[i] ^= 1 << i % 8
            assert judge(city, bytes(altered)).verdict is not Verdict.PASSED, i

    @pytest.mark.parametrize("version", [V4, V5])
    def test_ours_is_what_the_second_encoder_writes(self, city, version):
        seal = c.new_seal(city, version=version, vendor="OTHER", picture=Picture("ofd", b"picture", 40, 41))
        assert seal.raw == seal_of(city, version)
        assert c.applied(city, seal).raw == signature_of(city, version)

    def test_what_v1_means(self, city):
        seal = parse_seal(seal_of(city, 1))
        assert (seal.structure, seal.info.certificates) == (V1, (city.custodian.chain_der[0],))
        signature = parse_signature(signature_of(city, 1))
        assert (signature.signed.time, signature.signed.document_digest) == (c.SIGNED, c.DIGEST)


class TestLiberties:
    """What real seals do without a change of meaning."""

    EXTENSION = plain.OIDS["1.2.3.4"], plain.tlv(1, b"\0"), plain.octets(b"x")

    def accepted(self, city, data):
        report = judge(city, data)
        assert report.verdict is Verdict.PASSED, report.text("en")
        return parse_signature(data)

    def test_false_written_out(self, city):
        for tag in (lambda e: e, lambda e: plain.tlv(0xA0, e)):
            extensions = tag(plain.seq(plain.seq(*self.EXTENSION)))
            info = info_of(city, 4, extensions=extensions)
            found = self.accepted(city, signature_of(city, 4, seal_of(city, 4, info), extensions=extensions))
            expected = (Extension("1.2.3.4", critical=False, value=b"x"),)
            assert found.signed.extensions == found.signed.seal.info.extensions == expected

    @pytest.mark.parametrize("parameters", [b"", plain.tlv(5)])
    def test_algorithm_with_parameters_or_none(self, city, parameters):
        algorithm = plain.seq(plain.OIDS[c.OID], parameters)
        self.accepted(city, signature_of(city, 4, seal_of(city, 4, algorithm=algorithm)))

    def test_other_parameters_are_none_of_them(self, city):
        algorithm = plain.seq(plain.OIDS[c.OID], plain.num(1))
        assert judge(city, signature_of(city, 4, seal_of(city, 4, algorithm=algorithm))).deciding.code == "seal_not_der"

    @pytest.mark.parametrize("version", [1, 4])
    def test_either_kind_of_time(self, city, version):
        for time in (plain.utc, plain.general):
            info = info_of(city, version, time=time)
            self.accepted(city, signature_of(city, version, seal_of(city, version, info)))

    def test_a_time_with_an_offset(self, city):
        def local(at):
            return plain.tlv(0x18, at.astimezone(timezone(timedelta(hours=8))).strftime("%Y%m%d%H%M%S+0800").encode())

        found = self.accepted(city, signature_of(city, 5, time=local))
        assert found.signed.time == c.SIGNED

    @pytest.mark.parametrize(
        "time_info",
        [plain.general(c.SIGNED), b"2025-03-01 16:00:00", b"250301080000Z", b"20250301080000Z", b"250301160000+0800"],
    )
    def test_times_of_v1(self, city, time_info):
        assert self.accepted(city, signature_of(city, 1, time_info=time_info)).signed.time == c.SIGNED

    def test_a_v1_time_stamp_leaves_the_question_open(self, city):
        report = judge(city, signature_of(city, 1, time_info=plain.seq(b"")))
        assert (report.verdict, report.deciding.code) == (Verdict.INDETERMINATE, "seal_time_unknown")

    def test_a_bare_certificate_in_the_list(self, city):
        info = info_of(city, 1, custodians=[city.custodian.chain_der[0]])
        self.accepted(city, signature_of(city, 1, seal_of(city, 1, info)))

    def test_digests_in_the_list(self, city):
        digest = plain.seq(
            plain.tlv(0x13, b"1.2.156.10197.1.401"), plain.octets(plain.sm3(city.custodian.chain_der[0]))
        )
        info = info_of(city, 4, custodians=[digest], list_type=2)
        self.accepted(city, signature_of(city, 4, seal_of(city, 4, info)))

    def test_plain_signature_values(self, city):
        from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

        def plain_value(data):
            return b"".join(v.to_bytes(32, "big") for v in decode_dss_signature(city.custodian.sign_der(data)))

        data = signature_of(city, 4, sign=plain_value)
        self.accepted(city, data)
        for i in range(len(data) - 66, len(data)):
            altered = bytearray(data)
            altered[i] ^= 4
            assert judge(city, bytes(altered)).verdict is not Verdict.PASSED

    def test_a_vendors_bytes_are_signed_as_they_are(self, city):
        """A foreign seal, with a liberty in what its maker signed, is applied by us and holds."""
        extensions = plain.seq(plain.seq(*self.EXTENSION))
        seal = parse_seal(seal_of(city, 5, info_of(city, 5, extensions=extensions, time=plain.utc)))
        assert write_info(seal.info) != seal.tbs
        signature = c.applied(city, seal)
        assert seal.raw in signature.raw
        assert judge(city, signature.raw).verdict is Verdict.PASSED

    @pytest.mark.parametrize("form", [0xA0, 0x80, 0x03])
    def test_time_stamps_tagged_in_three_ways(self, city, form):
        inner = plain.bits(b"token")
        stamp = {0xA0: plain.tlv(0xA0, inner), 0x80: plain.tlv(0x80, b"\0token"), 0x03: inner}[form]
        assert parse_signature(signature_of(city, 4, stamp=stamp)).time_stamp == b"token"


class TestStrictness:
    def code(self, call, data):
        with pytest.raises(FormatError) as caught:
            call(data)
        return caught.value.code

    @pytest.mark.parametrize("version", [0, 1, 2, 3, 6])
    def test_unknown_versions(self, city, version):
        # The layout of V4 with another number.
        info = info_of(city, 4).replace(
            plain.seq(plain.ia5("ES"), plain.num(4), plain.ia5("OTHER")),
            plain.seq(plain.ia5("ES"), plain.num(version), plain.ia5("OTHER")),
        )
        assert self.code(parse_seal, seal_of(city, 4, info)) == "seal_version_unknown"

    def test_seal_and_signature_of_different_versions(self, city):
        assert self.code(parse_signature, signature_of(city, 5, seal_of(city, 4))) == "seal_version_differs"
        assert self.code(parse_signature, signature_of(city, 5, seal_of(city, 1))) == "seal_version_differs"
        assert self.code(parse_signature, signature_of(city, 1, seal_of(city, 4))) == "seal_version_differs"

    def test_the_header_says_es(self, city):
        assert self.code(parse_seal, seal_of(city, 4, info_of(city, 4, head="EX"))) == "seal_not_der"

    def test_a_list_of_nobody_or_of_too_many(self, city):
        one = plain.octets(b"c")
        for custodians, kind in (([], 1), ([one] * (MAX_CUSTODIANS + 1), 1), ([one], 3), ([one], 2)):
            info = info_of(city, 4, custodians=custodians, list_type=kind)
            assert self.code(parse_seal, seal_of(city, 4, info)) == "seal_not_der"

    def test_a_name_that_is_no_utf8(self, city):
        good = info_of(city, 4)
        name = c.NAME.encode()
        assert self.code(parse_seal, seal_of(city, 4, good.replace(name, b"\xff" * len(name)))) == "seal_not_der"

    @pytest.mark.parametrize(
        "stamp",
        [b"20250229080000Z", b"20250301080000", b"2025030108Z", b"20250301250000Z", b"00010101000000+0800", b"x", b""],
    )
    def test_times_that_are_none(self, city, stamp):
        data = signature_of(city, 4, time=lambda _: plain.tlv(0x18, stamp))
        assert self.code(parse_signature, data) == "seal_not_der"
        if stamp[:12].isdigit():
            assert self.code(parse_signature, signature_of(city, 1, time_info=stamp)) == "seal_not_der"

    def test_bits_that_are_no_octets(self, city):
        good = signature_of(city, 4)
        value = plain.bits(c.DIGEST)
        assert self.code(parse_signature, good.replace(value, plain.tlv(3, b"\1", c.DIGEST))) == "seal_not_der"

    @pytest.mark.parametrize(
        "data",
        [
            b"",
            b"\x30",
            b"\x30\x80\x00\x00",
            b"\x30\x80" + b"\x30\x80" * 100_000,
            b"\x30\x84\xff\xff\xff\xff",
            b"\x30\x88\xff\xff\xff\xff\xff\xff\xff\xff",
            b"\x30\x81\x05hello",
            b"\x30\x82\x00\x85" + b"\x05\x00" * 70,
            b"\x30\x03\x1f\x81\x00",
            b"\x30\x00",
            b"\x30\x00\x00",
            b"\x31\x00",
        ],
    )
    def test_hostile_bytes(self, city, data):
        for call in (parse_seal, parse_signature):
            assert self.code(call, data) == "seal_not_der"
        assert verify_seal(data, city.trust, c.AT).verdict is Verdict.FAILED
        assert judge(city, data).verdict is Verdict.FAILED

    @pytest.mark.parametrize("edge", [b"00010101000000Z", b"99991231235959Z"])
    def test_the_ends_of_the_calendar(self, city, edge):
        time = {"time": lambda _: plain.tlv(0x18, edge)}
        for data in (signature_of(city, 5, seal_of(city, 5, info_of(city, 5, **time))), signature_of(city, 5, **time)):
            for when in (c.AT, datetime(9999, 12, 31, 23, 59, tzinfo=UTC), datetime(1, 1, 1, tzinfo=UTC)):
                assert verify_signature(data, c.DIGEST, city.trust, when).verdict is Verdict.FAILED

    def test_deep_nesting(self, city):
        data = b""
        for _ in range(2000):
            data = plain.seq(data)
        for call in (parse_seal, parse_signature):
            assert self.code(call, data) == "seal_not_der"
        assert self.code(parse_signature, signature_of(city, 4, data)) == "seal_not_der"

    def test_too_large(self):
        for call in (parse_seal, parse_signature):
            assert self.code(call, bytes(MAX_SEAL_BYTES * 2)) == "too_large"

    def test_garbage_where_the_certificate_is(self, city):
        for certificate in (b"", b"\x30\x00", b"\x30\x03\x02\x01\x01", city.maker.chain_der[0][:-1]):
            report = verify_seal(seal_of(city, 4, cert=certificate), city.trust, c.AT)
            assert report.verdict is Verdict.FAILED

    def test_a_seals_text_writes_no_lines_of_the_report(self, city):
        info = info_of(city, 5, seal_id="X\n 11. Document digest", name="\u202eX\n有效")
        report = judge(city, signature_of(city, 5, seal_of(city, 5, info)))
        assert report.verdict is Verdict.PASSED
        assert "X\n" not in report.text("en")
        assert report.facts["name"] == "\ufffdX\ufffd有效"

    @given(data=st.binary(max_size=200))
    @settings(max_examples=25)
    def test_anything(self, data):
        for call in (parse_seal, parse_signature):
            with pytest.raises(FormatError):
                call(data)


ASCII = st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=20)
BYTES = st.binary(min_size=1, max_size=200)
TIMES = st.datetimes(datetime(1, 1, 2), datetime(9999, 12, 30), timezones=st.just(UTC))  # noqa: DTZ001 - bounds are naive by Hypothesis' contract
OIDS = st.tuples(st.sampled_from("012"), st.integers(0, 39), st.lists(st.integers(0, 2**40), max_size=8)).map(
    lambda t: ".".join(map(str, (t[0], t[1], *t[2])))
)
EXTENSIONS = st.lists(st.builds(Extension, OIDS, st.booleans(), BYTES), max_size=3).map(tuple)
PICTURES = st.builds(Picture, ASCII, BYTES, st.integers(0, 10_000), st.integers(0, 300))


@st.composite
def infos(draw):
    hashed = draw(st.booleans())
    digests = st.lists(st.builds(Digest, ASCII, BYTES), min_size=1, max_size=3).map(tuple)
    return SealInfo(
        version=draw(st.sampled_from([V4, V5])),
        vendor=draw(ASCII),
        seal_id=draw(ASCII),
        kind=draw(st.integers(0, 2**40)),
        name=draw(st.text(min_size=1, max_size=40)),
        certificates=() if hashed else draw(st.lists(BYTES, min_size=1, max_size=3).map(tuple)),
        digests=draw(digests) if hashed else (),
        created=draw(TIMES),
        valid_from=draw(TIMES),
        valid_until=draw(TIMES),
        picture=draw(PICTURES),
        extensions=draw(EXTENSIONS),
    )


@st.composite
def seals(draw):
    info = draw(infos())
    return SESeal(info.version, info, draw(BYTES), draw(OIDS), draw(BYTES), draw(st.none() | BYTES))


@given(seal=seals())
@settings(max_examples=25)
def test_seals_come_back(seal):
    data = write_seal(seal)
    found = parse_seal(data)
    assert found == seal
    assert (found.raw, found.tbs, write_seal(found)) == (data, write_info(seal.info), data)


@st.composite
def signatures(draw):
    seal = draw(seals())
    signed = TBSSign(seal.structure, seal, draw(TIMES), draw(BYTES), draw(ASCII), draw(EXTENSIONS))
    return SESSignature(signed, draw(BYTES), draw(OIDS), draw(BYTES), draw(st.none() | BYTES))


@given(signature=signatures())
@settings(max_examples=25)
def test_signatures_come_back(signature):
    data = write_signature(signature)
    found = parse_signature(data)
    assert found == signature
    assert (found.raw, found.tbs, write_signature(found)) == (data, write_tbs(signature.signed), data)


def test_v1_is_not_written(city):
    seal = parse_seal(seal_of(city, 1))
    signature = parse_signature(signature_of(city, 1))
    for call, value in ((write_seal, seal), (write_signature, signature), (write_tbs, signature.signed)):
        with pytest.raises(FormatError) as caught:
            call(value)
        assert caught.value.code == "seal_version_not_written"
    with pytest.raises(FormatError):
        write_tbs(replace(parse_signature(signature_of(city, 4)).signed, time=None))


def test_object_identifiers():
    for dotted, content in (("1.2.156.10197.1.501", "2a811ccf55018375"), ("2.999.3", "883703"), ("0.39", "27")):
        written = write_oid(dotted)
        assert written == plain.tlv(6, bytes.fromhex(content))
        assert der.oid(der.whole(written, "x"), "x") == dotted
    for content in (b"", b"\x80\x01", b"\x81", b"\x2a\x80\x01", b"\x2a" * 65):
        with pytest.raises(FormatError):
            der.oid(der.whole(plain.tlv(6, content), "x"), "x")


def test_integers():
    for value in (0, 1, 127, 128, 255, 256, 2**63 - 1):
        assert der.integer(der.whole(write_integer(value), "x"), "x") == value
    for content in (b"", b"\x80", b"\0\x01", b"\1" * 9):
        with pytest.raises(FormatError):
            der.integer(der.whole(plain.tlv(2, content), "x"), "x")
