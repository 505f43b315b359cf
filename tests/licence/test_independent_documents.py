"""Sealed PDF files and QR codes, judged by `licence` and by a verifier that shares no code with it."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import timedelta

import pytest
from cryptography.hazmat.primitives.serialization import Encoding

from licence import authority, chain
from licence.crl import Revocation
from licence.errors import FormatError
from licence.pdf.read import read_signatures
from licence.qr import base45, cbor, code, cose
from licence.qr.code import make_code, trusted_signers, verify_code
from licence.trust import TrustStore
from tests.licence import independent_documents as other
from tests.licence import world as w

SUITES = ["ecdsa-p256-sha256"]
DAY = timedelta(days=1)
LATER = w.AT + 30 * DAY


def der(key):
    return key.certificate.public_bytes(Encoding.DER)


# --- PDF ------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def papers():
    pytest.importorskip("typst", reason="needs the extra `documents`")
    from tests.licence.pdf import papers

    return papers


@pytest.fixture(scope="module")
def pdf(world, papers):
    return papers.sealed(world.agriculture)


def judge_pdf(data, anchors, at=w.AT, crls=()):
    """What both say: 0 is accepted."""
    mine = other.verify_pdf(data, list(anchors), at, crls)
    try:
        for signature in read_signatures(data, SUITES).signatures:
            path = chain.validate(signature.chain, frozenset(anchors), frozenset(SUITES))
            if not path.starts <= at <= path.ends:
                return 11, mine
            chain.check_revocation(path, crls, at=at)
    except FormatError:
        return 10, mine
    return 0, mine


def gap(data):
    """Where the hexadecimal digits of the signature begin and end."""
    found = re.search(rb"/Contents<([0-9a-fA-F]+)>", data)
    return found.start(1), found.end(1)


def flip(data, at, bit=1):
    return data[:at] + bytes([data[at] ^ bit]) + data[at + 1 :]


def in_cms(data, part, bit=1):
    """The CMS with one bit of *part* in it turned."""
    begin, end = gap(data)
    upper = data[begin:end] == data[begin:end].upper()
    cms = bytes.fromhex(data[begin:end].decode())
    written = flip(cms, cms.index(part) + len(part) // 2, bit).hex()
    return data[:begin] + (written.upper() if upper else written).encode() + data[end:]


def ranges(data, change):
    found = re.search(rb"/ByteRange\s*\[([^\]]*)\]", data)
    numbers = change(*map(int, found[1].split()))
    text = b" ".join(b"%d" % n for n in numbers).ljust(found.end(1) - found.start(1))
    return data[: found.start(1)] + text + data[found.end(1) :]


def hexed(data, change):
    begin, end = gap(data)
    return data[:begin] + change(data[begin:end]) + data[end:]


def revocation(key, serial, at):
    return authority.revocation_list(
        key, [Revocation(serial, at)], number=1, this_update=LATER - DAY, next_update=LATER + DAY
    )


BAD_PDFS = {
    "header": lambda p, d: flip(d, 6),
    "first object": lambda p, d: flip(d, d.index(b" obj") - 1),
    "page": lambda p, d: flip(d, d.index(b"stream\n") + 40),
    "name": lambda p, d: flip(d, d.rindex(b"/Reason") + 12),
    "range begins later": lambda p, d: ranges(d, lambda a, b, c, e: (1, b - 1, c, e)),
    "wider gap": lambda p, d: ranges(d, lambda a, b, c, e: (a, b - 1, c, e)),
    "shorter end": lambda p, d: ranges(d, lambda a, b, c, e: (a, b, c, e - 1)),
    "longer end": lambda p, d: ranges(d, lambda a, b, c, e: (a, b, c, e + 1)),
    "no gap": lambda p, d: ranges(d, lambda a, b, c, e: (a, c, c, e)),
    "digits in two cases": lambda p, d: hexed(d, lambda h: h[:20].swapcase() + h[20:]),
    "padding": lambda p, d: hexed(d, lambda h: h[:-1] + b"1"),
    "no digits": lambda p, d: hexed(d, lambda h: b"0" * len(h)),
    "spaces in the digits": lambda p, d: hexed(d, lambda h: h[:-2] + b"  "),
    "message digest": lambda p, d: in_cms(d, other.MESSAGE_DIGEST + b"\x31\x22\x04\x20"),
    "content type": lambda p, d: in_cms(d, other.CONTENT_TYPE),
    "signing certificate": lambda p, d: in_cms(d, other.SIGNING_CERTIFICATE),
    "algorithm": lambda p, d: in_cms(d, other.SHA256_NAME),
    "leaf": lambda p, d: in_cms(d, p.SIGNER),
    "signature": lambda p, d: hexed(d, flipped_last),
    "bytes behind": lambda p, d: d + b"\n%",
    "cut": lambda p, d: d[:-8],
    "empty": lambda p, d: b"",
    "update": lambda p, d: p.update(d, {1: b"<</Type/Shadow>>"}),
    "signature twice": lambda p, d: d + d,
    "unsigned": lambda p, d: p.page(),
}


def flipped_last(digits):
    """The last byte that is no padding is the last of the signature's s."""
    end = len(digits.rstrip(b"0"))
    end += end % 2
    changed = bytes([bytes.fromhex(digits[end - 2 : end].decode())[0] ^ 2]).hex().encode()
    changed = changed.upper() if digits == digits.upper() else changed
    return digits[: end - 2] + changed + digits[end:]


def test_both_accept_a_pdf(world, pdf, papers):
    assert judge_pdf(pdf, [der(world.root)]) == (0, 0)
    assert judge_pdf(papers.sealed(world.forestry), [der(world.root)]) == (0, 0)


@pytest.mark.parametrize("name", BAD_PDFS)
def test_both_refuse_a_pdf(world, papers, pdf, name, monkeypatch):
    monkeypatch.setattr(papers, "SIGNER", world.agriculture.chain_der[0], raising=False)
    data = BAD_PDFS[name](papers, pdf)
    assert data != pdf
    ours, mine = judge_pdf(data, [der(world.root)])
    assert ours != 0
    assert mine != 0


def test_both_refuse_flipped_bytes_all_along_a_pdf(world, pdf):
    for at in range(0, len(pdf), 97):
        ours, mine = judge_pdf(flip(pdf, at, 1 << at % 8), [der(world.root)])
        assert ours != 0, at
        assert mine != 0, at


def test_both_refuse_a_pdf_whose_signer_is_not_good(world, papers, pdf):
    root, leaf = world.root, world.agriculture
    issuing = chain.load(leaf.chain_der[1])
    serial = leaf.certificate.serial_number
    cases = {
        "stranger's anchor": judge_pdf(pdf, [der(world.forestry)]),
        "expired": judge_pdf(pdf, [der(root)], w.ENDS + DAY),
        "not yet valid": judge_pdf(pdf, [der(root)], w.STARTS - DAY),
        "authority revoked": judge_pdf(pdf, [der(root)], LATER, [revocation(root, issuing.serial_number, w.ISSUED)]),
        "short-lived": judge_pdf(papers.sealed(w.make_leaf(root, "brief", w.AGRICULTURE, ends=w.ISSUED)), [der(root)]),
    }
    assert {name: said for name, said in cases.items() if 0 in said} == {}
    direct = w.make_leaf(root, "direct", w.AGRICULTURE)
    data = papers.sealed(direct)
    lists = [revocation(root, direct.certificate.serial_number, w.ISSUED)]
    assert judge_pdf(data, [der(root)], LATER) == (0, 0)
    assert 0 not in judge_pdf(data, [der(root)], LATER, lists)
    # A list of someone else, or about another serial number, says nothing.
    assert judge_pdf(data, [der(root)], LATER, [revocation(root, serial + 1, w.ISSUED)]) == (0, 0)


# --- QR code --------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def face():
    from tests.licence.qr.test_code import FACE

    return FACE


@pytest.fixture(scope="module")
def text(world, face):
    return make_code(face, world.agriculture)


def judge_code(world, text, at=w.AT, anchors=None, chains=None):
    chains = chains or [world.agriculture.chain_der, world.forestry.chain_der]
    anchors = anchors or [world.root]
    mine = other.verify_code(text, chains, [der(a) for a in anchors], at)
    trust = TrustStore(anchors=tuple(a.certificate for a in anchors), log_verifiers=world.trust.log_verifiers)
    try:
        verify_code(text, trusted_signers(chains, trust), suites=SUITES, at=at)
    except FormatError:
        return 10, mine
    return 0, mine


def repacked(text, change):
    """The code with its bytes changed."""
    data = bytearray(base45.decode(text[4:], max_bytes=300))
    return "ZT1:" + base45.encode(bytes(change(data)))


def resigned(world, face, key=None, **parts):
    """A code with claims replaced, signed again."""
    key = key or world.agriculture
    claims = code._plain(face)
    claims.update(parts.pop("claims", {}))
    claims = {k: v for k, v in claims.items() if v is not None}
    return "ZT1:" + base45.encode(cose.sign(key, cbor.encode(claims)))


def with_face(face, at, value):
    listed = list(code._plain(face)[-70001])
    listed[at] = value
    return {"claims": {-70001: listed}}


BAD_CODES = {
    "prefix": lambda x, f, t: "ZT2:" + t[4:],
    "no prefix": lambda x, f, t: t[4:],
    "small letters": lambda x, f, t: t.lower(),
    "a space behind": lambda x, f, t: t + " ",
    "cut": lambda x, f, t: t[:-3],
    "empty": lambda x, f, t: "",
    "tag": lambda x, f, t: repacked(t, lambda d: bytes([0xD1]) + d[1:]),
    "no tag": lambda x, f, t: repacked(t, lambda d: d[1:]),
    "trailing byte": lambda x, f, t: repacked(t, lambda d: d + b"\0"),
    "longer head": lambda x, f, t: repacked(t, lambda d: d[:1] + b"\x98\x04" + d[2:]),
    "indefinite array": lambda x, f, t: repacked(t, lambda d: d[:1] + b"\x9f" + d[2:] + b"\xff"),
    "unprotected header": lambda x, f, t: repacked(t, lambda d: d.replace(b"\xa0", b"\xa1\x01\x26", 1)),
    "algorithm": lambda x, f, t: repacked(t, lambda d: d.replace(b"\xa2\x01\x26", b"\xa2\x01\x27", 1)),
    "key id": lambda x, f, t: repacked(t, lambda d: flip(bytes(d), 8)),
    "payload": lambda x, f, t: repacked(t, lambda d: flip(bytes(d), len(d) // 2)),
    "signature": lambda x, f, t: repacked(t, lambda d: flip(bytes(d), len(d) - 5)),
    "other signer": lambda x, f, t: resigned(x, f, x.forestry),
    "a signer nobody pinned": lambda x, f, t: resigned(x, f, w.make_leaf(x.root, "unknown", w.AGRICULTURE)),
    "text as a date": lambda x, f, t: resigned(x, f, claims={6: "2025"}),
    "negative date": lambda x, f, t: resigned(x, f, claims={6: -1}),
    "no date": lambda x, f, t: resigned(x, f, claims={6: None}),
    "unknown claim": lambda x, f, t: resigned(x, f, claims={1: "x"}),
    "no face": lambda x, f, t: resigned(x, f, claims={-70001: None}),
    "version of the face": lambda x, f, t: resigned(x, f, **with_face(f, 0, 2)),
    "identifier": lambda x, f, t: resigned(x, f, **with_face(f, 1, b"\1")),
    "identifier as text": lambda x, f, t: resigned(x, f, **with_face(f, 1, "x")),
    "index": lambda x, f, t: resigned(x, f, **with_face(f, 6, 2**32)),
    "issued before the certificate": lambda x, f, t: resigned(x, f, claims={6: int(w.STARTS.timestamp()) - 1}),
    "expired": lambda x, f, t: resigned(x, replace(f, valid_until=w.ISSUED + timedelta(hours=1))),
    "not yet valid": lambda x, f, t: resigned(x, replace(f, valid_from=w.AT + DAY)),
    "status signer": lambda x, f, t: resigned(x, f, x.status_key),
}


def test_both_accept_a_code(world, face, text):
    assert judge_code(world, text) == (0, 0)
    assert judge_code(world, resigned(world, face)) == (0, 0)
    assert judge_code(world, resigned(world, replace(face, valid_until=None))) == (0, 0)


@pytest.mark.parametrize("name", BAD_CODES)
def test_both_refuse_a_code(world, face, text, name):
    ours, mine = judge_code(world, BAD_CODES[name](world, face, text))
    assert ours != 0
    assert mine != 0


def test_both_refuse_a_code_by_trust_and_time(world, text):
    cases = {
        "expired": judge_code(world, text, w.UNTIL),
        "early": judge_code(world, text, w.ISSUED - DAY),
        "stranger's anchor": judge_code(world, text, anchors=[world.forestry]),
        "other chains": judge_code(world, text, chains=[world.forestry.chain_der]),
        "not for licences": judge_code(world, text, chains=[world.status_key.chain_der]),
    }
    assert {name: said for name, said in cases.items() if 0 in said} == {}


def test_both_refuse_a_purpose_that_is_not_licences(world, face):
    key = w.make_leaf(world.root, "clerk", w.AGRICULTURE, role=authority.Role.STATUS)
    assert 0 not in judge_code(world, resigned(world, face, key), chains=[key.chain_der])


def test_both_refuse_every_other_character(world, text):
    for at in range(len(text)):
        changed = text[:at] + ("A" if text[at] != "A" else "B") + text[at + 1 :]
        ours, mine = judge_code(world, changed)
        assert ours != 0, at
        assert mine != 0, at
