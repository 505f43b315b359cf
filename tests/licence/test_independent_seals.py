"""Seals, seal signatures and sealed OFD files, judged by `licence` and by a verifier that shares no code with it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, timedelta

import pytest
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.serialization import Encoding

from licence import authority
from licence.crl import Revocation
from licence.errors import FormatError
from licence.ofd.container import pack, unpack
from licence.ofd.read import read_ofd
from licence.profile import SEAL_MAKING
from licence.report import Verdict
from licence.seals import make
from licence.seals.structure import V4, V5, Extension
from licence.seals.verify import verify_seal, verify_signature
from licence.suites import ECDSA_P256_SHA256, SM2_SM3
from tests.licence import independent_seals as other
from tests.licence.seals import city as c
from tests.licence.seals import plain

OIDS = {ECDSA_P256_SHA256: other.P256_SIGNATURE, SM2_SM3: other.SM2_SIGNATURE}
CODES = {Verdict.PASSED: 0, Verdict.FAILED: 10, Verdict.INDETERMINATE: 11}
DAY = timedelta(days=1)
LATER = c.AT + 30 * DAY
SIGNATURE, VALUE = "Doc_0/Signs/Sign_0/Signature.xml", "Doc_0/Signs/Sign_0/SignedValue.dat"


@pytest.fixture(scope="module", params=[ECDSA_P256_SHA256, SM2_SM3])
def city(request):
    return c.make_city(request.param)


def theirs(trust):
    return other.Trust(
        anchors=tuple(trust.anchors),
        intermediates=trust.intermediates,
        algorithms=frozenset(OIDS[s] for s in trust.suites),
        crls=trust.crls,
        crl_required=trust.revocation_required,
    )


@dataclass(frozen=True)
class Case:
    data: bytes
    trust: object
    at: object = c.AT
    digest: bytes = c.DIGEST

    def seal(self):
        return (
            CODES[verify_seal(self.data, self.trust, self.at).verdict],
            other.verify_seal(self.data, theirs(self.trust), self.at),
        )

    def signature(self):
        return (
            CODES[verify_signature(self.data, self.digest, self.trust, self.at).verdict],
            other.verify_signature(self.data, self.digest, theirs(self.trust), self.at),
        )


def flip(data, part, bit=1):
    at = data.index(part) + len(part) // 2
    return data[:at] + bytes([data[at] ^ bit]) + data[at + 1 :]


def revoked(city, key, since, **changes):
    made = authority.revocation_list(
        city.issuing,
        [Revocation(key.certificate.serial_number, since)],
        number=1,
        this_update=LATER - DAY,
        next_update=LATER + 7 * DAY,
    )
    return replace(city.trust, crls=(made,), **changes)


def clean(city, **dates):
    dates = {"this_update": LATER - DAY, "next_update": LATER + 7 * DAY} | dates
    return replace(
        city.trust, crls=(authority.revocation_list(city.issuing, [], number=1, **dates),), revocation_required=True
    )


def plain_seal(city, version=V5, maker=None, **changes):
    maker = maker or city.maker
    fields = {
        "custodians": [plain.octets(city.custodian.chain_der[0])],
        "created": c.MADE,
        "starts": c.STARTS,
        "ends": c.ENDS,
    }
    info = plain.info(version, **(fields | changes))
    return plain.seal(info, cert=maker.chain_der[0], oid=OIDS[maker.suite], sign=maker.sign_der)


def plain_signature(city, seal=None, version=V5, by=None, **changes):
    by = by or city.custodian
    fields = {"at": c.SIGNED, "digest": c.DIGEST, "cert": by.chain_der[0], "oid": OIDS[by.suite], "sign": by.sign_der}
    return plain.signature(version, seal or plain_seal(city, version), **(fields | changes))


SEALS = {
    "V5": lambda y, s: Case(s.raw, y.trust),
    "V4": lambda y, s: Case(c.new_seal(y, version=V4).raw, y.trust),
    "hashed V4": lambda y, s: Case(c.new_seal(y, version=V4, hashed=True).raw, y.trust),
    "hashed V5": lambda y, s: Case(c.new_seal(y, hashed=True).raw, y.trust),
    "second encoder": lambda y, s: Case(plain_seal(y), y.trust),
    "uncritical extension": lambda y, s: Case(
        c.new_seal(y, extensions=[Extension("1.2.3", critical=False, value=b"x")]).raw, y.trust
    ),
    "maker revoked later": lambda y, s: Case(s.raw, revoked(y, y.maker, c.MADE + DAY), LATER),
}
BAD_SEALS = {
    "picture": lambda y, s: Case(flip(s.raw, c.PICTURE.data), y.trust),
    "name": lambda y, s: Case(flip(s.raw, c.NAME.encode()), y.trust),
    "seal id": lambda y, s: Case(flip(s.raw, b"SEAL-1"), y.trust),
    "custodian": lambda y, s: Case(flip(s.raw, y.custodian.chain_der[0]), y.trust),
    "maker's certificate": lambda y, s: Case(flip(s.raw, y.maker.chain_der[0]), y.trust),
    "maker's signature": lambda y, s: Case(flip(s.raw, s.signature), y.trust),
    "trailing byte": lambda y, s: Case(s.raw + b"\0", y.trust),
    "cut": lambda y, s: Case(s.raw[:-1], y.trust),
    "empty": lambda y, s: Case(b"", y.trust),
    "indefinite length": lambda y, s: Case(b"\x30\x80" + s.raw[4:] + b"\0\0", y.trust),
    "V6": lambda y, s: Case(plain_seal(y, 6), y.trust),
    "expired": lambda y, s: Case(s.raw, y.trust, c.ENDS + DAY),
    "not yet valid": lambda y, s: Case(
        c.new_seal(y, valid_from=c.AT + DAY, valid_until=c.ENDS).raw,
        y.trust,
    ),
    "made in the future": lambda y, s: Case(s.raw, y.trust, c.MADE - DAY),
    "ends before it starts": lambda y, s: Case(plain_seal(y, starts=c.ENDS, ends=c.STARTS), y.trust),
    "not a maker": lambda y, s: Case(plain_seal(y, maker=y.other), y.trust),
    "maker expired": lambda y, s: Case(
        plain_seal(y, maker=c.certify(y.issuing, "late", SEAL_MAKING, ends=c.MADE - DAY)), y.trust
    ),
    "maker revoked before": lambda y, s: Case(s.raw, revoked(y, y.maker, c.MADE - DAY), LATER),
    "no list where one is required": lambda y, s: Case(s.raw, replace(y.trust, revocation_required=True)),
    "stranger's anchor": lambda y, s: Case(
        s.raw, replace(y.trust, anchors=frozenset({y.maker.certificate.public_bytes(Encoding.DER)}))
    ),
    "no way to the anchor": lambda y, s: Case(s.raw, replace(y.trust, intermediates=())),
    "critical extension": lambda y, s: Case(
        c.new_seal(y, extensions=[Extension("1.2.3", critical=True, value=b"x")]).raw, y.trust
    ),
    "time stamp nobody judges": lambda y, s: Case(make.stamp_seal(s, b"token").raw, y.trust),
    "other suite": lambda y, s: Case(s.raw, replace(y.trust, suites=frozenset(OIDS) - y.trust.suites)),
}


@pytest.fixture(scope="module")
def seal(city):
    return c.new_seal(city)


@pytest.fixture(scope="module")
def signature(city, seal):
    return c.applied(city, seal)


@pytest.mark.parametrize("name", SEALS)
def test_both_accept_a_seal(city, seal, name):
    assert SEALS[name](city, seal).seal() == (0, 0)


@pytest.mark.parametrize("name", BAD_SEALS)
def test_both_refuse_a_seal(city, seal, name):
    ours, mine = BAD_SEALS[name](city, seal).seal()
    assert ours != 0
    assert mine != 0


def short(y, s):
    """r ‖ s instead of DER."""
    value = b"".join(v.to_bytes(32, "big") for v in decode_dss_signature(s.signature))
    tail = plain.octets(y.custodian.chain_der[0]) + plain.OIDS[OIDS[y.custodian.suite]] + plain.bits(value)
    return plain.seq(s.tbs, tail)


SIGNATURES = {
    "V5": lambda y, s: Case(s.raw, y.trust),
    "V4": lambda y, s: Case(c.applied(y, c.new_seal(y, version=V4)).raw, y.trust),
    "hashed": lambda y, s: Case(c.applied(y, c.new_seal(y, hashed=True)).raw, y.trust),
    "second encoder": lambda y, s: Case(plain_signature(y), y.trust),
    "UTCTime": lambda y, s: Case(plain_signature(y, time=plain.utc), y.trust),
    "64 bytes": lambda y, s: Case(short(y, s), y.trust),
    "judged after the seal's end": lambda y, s: Case(s.raw, y.trust, c.ENDS + DAY),
    "custodian revoked in the future": lambda y, s: Case(s.raw, revoked(y, y.custodian, LATER - DAY), c.AT),
    "nobody revoked, lists required": lambda y, s: Case(
        s.raw,
        replace(
            clean(y),
            crls=(
                *clean(y).crls,
                authority.revocation_list(y.root, [], number=1, this_update=LATER - DAY, next_update=LATER + DAY),
            ),
        ),
        LATER,
    ),
}
BAD_SIGNATURES = {
    "document digest": lambda y, s: Case(flip(s.raw, c.DIGEST), y.trust),
    "other document": lambda y, s: Case(s.raw, y.trust, digest=bytes(32)),
    "time": lambda y, s: Case(flip(s.raw, b"20250301080000Z"), y.trust),
    "property info": lambda y, s: Case(flip(s.raw, c.WHERE.encode()), y.trust),
    "picture": lambda y, s: Case(flip(s.raw, c.PICTURE.data), y.trust),
    "custodian's certificate": lambda y, s: Case(
        s.raw[: len(s.tbs)] + flip(s.raw[len(s.tbs) :], y.custodian.chain_der[0]), y.trust
    ),
    "signature": lambda y, s: Case(flip(s.raw, s.signature), y.trust),
    "maker's signature": lambda y, s: Case(flip(s.raw, s.signed.seal.signature), y.trust),
    "version": lambda y, s: Case(plain_signature(y, plain_seal(y, V4)), y.trust),
    "trailing byte": lambda y, s: Case(s.raw + b"\0", y.trust),
    "cut": lambda y, s: Case(s.raw[:-1], y.trust),
    "a seal alone": lambda y, s: Case(s.signed.seal.raw, y.trust),
    "not a custodian": lambda y, s: Case(plain_signature(y, by=y.other), y.trust),
    "seal of others": lambda y, s: Case(s.raw.replace(s.signed.seal.raw, c.new_seal(y, seal_id="SEAL-2").raw), y.trust),
    "after the seal's end": lambda y, s: Case(plain_signature(y, at=c.ENDS + DAY), y.trust, c.ENDS + 2 * DAY),
    "before the seal's start": lambda y, s: Case(
        plain_signature(y, plain_seal(y, starts=c.SIGNED + DAY)), y.trust, LATER
    ),
    "before the seal was made": lambda y, s: Case(
        plain_signature(y, plain_seal(y, created=c.SIGNED + DAY)), y.trust, LATER
    ),
    "signed in the future": lambda y, s: Case(s.raw, y.trust, c.SIGNED - DAY),
    "custodian revoked": lambda y, s: Case(s.raw, revoked(y, y.custodian, c.SIGNED - DAY), LATER),
    "custodian revoked since, unproven": lambda y, s: Case(s.raw, revoked(y, y.custodian, c.SIGNED + DAY), LATER),
    "list too old": lambda y, s: Case(s.raw, clean(y, next_update=LATER - DAY / 2), LATER),
    "time stamp nobody judges": lambda y, s: Case(make.stamp_signature(s, b"token").raw, y.trust),
    "other algorithm": lambda y, s: Case(
        s.raw.replace(*(plain.OIDS[o] for o in (OIDS[y.maker.suite], *(set(OIDS.values()) - {OIDS[y.maker.suite]})))),
        y.trust,
    ),
}


@pytest.mark.parametrize("name", SIGNATURES)
def test_both_accept_a_signature(city, signature, name):
    assert SIGNATURES[name](city, signature).signature() == (0, 0)


@pytest.mark.parametrize("name", BAD_SIGNATURES)
def test_both_refuse_a_signature(city, signature, name):
    ours, mine = BAD_SIGNATURES[name](city, signature).signature()
    assert ours != 0
    assert mine != 0


def test_both_refuse_flipped_bytes_all_along():
    city = c.make_city()
    data = c.applied(city, c.new_seal(city)).raw
    for at in range(0, len(data), 13):
        changed = data[:at] + bytes([data[at] ^ 1 << at % 8]) + data[at + 1 :]
        ours, mine = Case(changed, city.trust).signature()
        assert ours != 0, at
        assert mine != 0, at


def test_sm2_of_the_standards_example():
    """GB/T 32918.5 annex A.2."""
    point = bytes.fromhex(
        "0409f9df311e5421a150dd7d161e4bc5c672179fad1833fc076bb08ff356f35020"
        "ccea490ce26775a52dc6ea718cc1aa600aed05fbf35e084a6632f6072da9ad13"
    )
    r = bytes.fromhex("f5a03b0648d2c4630eeac513e1bb81a15944da3827d5b74143ac7eaceee720b3")
    s = bytes.fromhex("b1b6aa29df212fd8763182bc0d421ca1bb9038fd1f7f42d4840b69c485bbc1aa")
    signature = other.sequence(other.der_integer(r) + other.der_integer(s))
    assert other.sm2_holds(point, signature, b"message digest")
    assert not other.sm2_holds(point, signature, b"message digesT")
    assert not other.sm2_holds(point[:-1] + b"\x14", signature, b"message digest")
    swapped = other.sequence(other.der_integer(s) + other.der_integer(r))
    assert not other.sm2_holds(point, swapped, b"message digest")
    nothing = other.sequence(other.der_integer(bytes(32)) + other.der_integer(s))
    assert not other.sm2_holds(point, nothing, b"message digest")


# --- OFD ------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def ofd(city):
    pytest.importorskip("fontTools", reason="needs the extra `documents`")
    pytest.importorskip("noto_cjk_sans_otc", reason="needs the font package of the extra `documents`")
    return sealed(city, "证A")


def sealed(city, text, **changes):
    from licence.fonts import read_font
    from licence.ofd.layout import Box, Line, Page, Text
    from licence.ofd.seal import SIGNATURE_PATH, Stamp, seal
    from licence.ofd.write import Licence, write

    made = c.new_seal(city)
    font = read_font()
    licence = Licence("营业执照", "某市市场监督管理局", "2026-03-01", {"ZZBS": "1"})
    files = write(licence, [Page((Text(20, 30, 5, text), Line(20, 40, 90, 40)))], font)

    def sign(digest):
        return c.applied(city, made, **({"document_digest": digest, "property_info": SIGNATURE_PATH} | changes)).raw

    return seal(files, Stamp(made.raw, Box(130, 215, 42, 42), c.SIGNED.astimezone(UTC).strftime("%Y%m%d%H%M%SZ")), sign)


def judge_ofd(data, trust, at=c.AT):
    """What both say: 0 is accepted."""
    mine = other.verify_ofd(data, theirs(trust), at)
    try:
        found = read_ofd(data)
    except FormatError:
        return 10, mine
    return max(CODES[verify_signature(s.value, s.digest, trust, at).verdict] for s in found.signatures), mine


def changed(data, **files):
    held = dict(unpack(data).files)
    for name, content in files.items():
        held[name] = content(held[name]) if callable(content) else content
    return pack(held)


def without(data, name):
    return pack({n: d for n, d in unpack(data).files.items() if n != name})


def middle(data):
    return flip(data, data)


def swapped(data, one, two):
    files = dict(unpack(data).files)
    files[one], files[two] = files[two], files[one]
    return pack(files)


def loose(data):
    import io
    import zipfile

    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as container:
        for name, content in unpack(data).files.items():
            container.writestr(zipfile.ZipInfo(name), content)
    return made.getvalue()


def last_reference(xml):
    begin, end = xml.rindex(b"<ofd:Reference "), xml.rindex(b"</ofd:Reference>") + len(b"</ofd:Reference>")
    return xml[:begin] + xml[end:]


PAGE = "Doc_0/Pages/Page_0/Content.xml"
LISTED = "Doc_0/Signs/Signatures.xml"
BAD_OFDS = {
    "page": lambda y, d: (changed(d, **{PAGE: middle}), y.trust),
    "OFD.xml": lambda y, d: (changed(d, **{"OFD.xml": lambda x: x.replace(b"2026-03-01", b"2027-03-01")}), y.trust),
    "document": lambda y, d: (changed(d, **{"Doc_0/Document.xml": middle}), y.trust),
    "list of signatures": lambda y, d: (changed(d, **{LISTED: lambda x: x.replace(b'"Seal"', b'"Sign"')}), y.trust),
    "signature": lambda y, d: (changed(d, **{SIGNATURE: lambda x: x.replace(b"20250301", b"20250302")}), y.trust),
    "value": lambda y, d: (changed(d, **{VALUE: middle}), y.trust),
    "seal": lambda y, d: (changed(d, **{"Doc_0/Signs/Sign_0/Seal.esl": middle}), y.trust),
    "added file": lambda y, d: (changed(d, **{"Doc_0/Pages/Page_1/Content.xml": b"<x/>"}), y.trust),
    "absolute path": lambda y, d: (changed(d, **{"/etc/x": b"x"}), y.trust),
    "upward path": lambda y, d: (changed(d, **{"../x": b"x"}), y.trust),
    "file left out": lambda y, d: (without(d, PAGE), y.trust),
    "value left out": lambda y, d: (without(d, VALUE), y.trust),
    "swapped files": lambda y, d: (swapped(d, PAGE, "Doc_0/Document.xml"), y.trust),
    "fewer references": lambda y, d: (changed(d, **{SIGNATURE: last_reference}), y.trust),
    "document type": lambda y, d: (
        changed(d, **{"OFD.xml": lambda x: x.replace(b"?>", b"?><!DOCTYPE x [<!ENTITY a SYSTEM 'file:///x'>]>", 1)}),
        y.trust,
    ),
    "MD5": lambda y, d: (changed(d, **{SIGNATURE: lambda x: x.replace(b"1.2.156.10197.1.401", b"MD5")}), y.trust),
    "compressed": lambda y, d: (loose(d), y.trust),
    "bytes before": lambda y, d: (b"x" + d, y.trust),
    "bytes behind": lambda y, d: (d + b"x", y.trust),
    "comment": lambda y, d: (d[:-2] + b"\1\0x", y.trust),
    "cut": lambda y, d: (d[: len(d) // 2], y.trust),
    "empty": lambda y, d: (b"", y.trust),
    "value of another document": lambda y, d: (changed(d, **{VALUE: unpack(sealed(y, "证B")).files[VALUE]}), y.trust),
    "other digest": lambda y, d: (sealed(y, "证A", document_digest=bytes(32)), y.trust),
    "custodian revoked": lambda y, d: (d, revoked(y, y.custodian, c.SIGNED - DAY), LATER),
    "stranger's anchor": lambda y, d: (
        d,
        replace(y.trust, anchors=frozenset({y.maker.certificate.public_bytes(Encoding.DER)})),
    ),
    "before sealing": lambda y, d: (d, y.trust, c.SIGNED - DAY),
}


def test_both_accept_an_ofd(city, ofd):
    assert judge_ofd(ofd, city.trust) == (0, 0)
    assert judge_ofd(ofd, city.trust, c.ENDS + DAY) == (0, 0)


@pytest.mark.parametrize("name", BAD_OFDS)
def test_both_refuse_an_ofd(city, ofd, name):
    arguments = BAD_OFDS[name](city, ofd)
    assert arguments[0] != ofd or len(arguments) > 2 or arguments[1] != city.trust
    ours, mine = judge_ofd(*arguments)
    assert ours != 0
    assert mine != 0
