"""Base45, CBOR and COSE: the published vectors, one spelling each, and nothing else accepted."""

from __future__ import annotations

import hashlib

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256
from hypothesis import given, settings
from hypothesis import strategies as st

from licence.errors import FormatError, IssueRefusedError
from licence.qr import base45, cbor, cose
from licence.suites import SUITES

# RFC 9285 §4.3 and §4.4.
BASE45 = [(b"AB", "BB8"), (b"Hello!!", "%69 VD92EX0"), (b"base-45", "UJCLQE7W581"), (b"ietf!", "QED8WEX0"), (b"", "")]
# RFC 8949, appendix A: those of the part that we use.
CBOR = [
    (0, "00"),
    (23, "17"),
    (24, "1818"),
    (1000, "1903e8"),
    (1000000, "1a000f4240"),
    (18446744073709551615, "1bffffffffffffffff"),
    (-18446744073709551616, "3bffffffffffffffff"),
    (-1, "20"),
    (-1000, "3903e7"),
    (b"", "40"),
    (b"\1\2\3\4", "4401020304"),
    ("", "60"),
    ("IETF", "6449455446"),
    ("水", "63e6b0b4"),
    ("𐅑", "64f0908591"),
    ((), "80"),
    ((1, (2, 3), (4, 5)), "8301820203820405"),
    (tuple(range(1, 26)), "98190102030405060708090a0b0c0d0e0f101112131415161718181819"),
    ({}, "a0"),
    ({1: 2, 3: 4}, "a201020304"),
    ({"a": 1, "b": (2, 3)}, "a26161016162820203"),
]
VALUES = st.recursive(
    st.integers(-(2**64), 2**64 - 1) | st.binary(max_size=40) | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=4).map(tuple)
        | st.dictionaries(st.integers(-300, 300) | st.text(max_size=4), inner, max_size=4)
    ),
    max_leaves=12,
)


@pytest.mark.parametrize(("data", "text"), BASE45)
def test_base45_vectors(data, text):
    assert base45.encode(data) == text
    assert base45.decode(text, max_bytes=100) == data


@settings(max_examples=25)
@given(st.binary(max_size=80))
def test_base45_reads_back(data):
    assert base45.decode(base45.encode(data), max_bytes=80) == data


@settings(max_examples=25)
@given(st.text(base45.ALPHABET, max_size=9))
def test_base45_has_one_spelling(text):
    try:
        data = base45.decode(text, max_bytes=9)
    except FormatError:
        return
    assert base45.encode(data) == text


@pytest.mark.parametrize("text", ["GGW", ":::", "V5", "::", "A", "ABCD", "bb8", "BB8\n", "BBÄ", "000!"])
def test_base45_refuses(text):
    with pytest.raises(FormatError):
        base45.decode(text, max_bytes=9)


def test_base45_is_bounded():
    with pytest.raises(FormatError, match="9"):
        base45.decode("0" * 3_000_000, max_bytes=9)
    with pytest.raises(FormatError):
        base45.decode(base45.encode(bytes(10)), max_bytes=9)


@pytest.mark.parametrize(("value", "text"), CBOR)
def test_cbor_vectors(value, text):
    assert cbor.encode(value).hex() == text
    assert cbor.decode(bytes.fromhex(text), max_bytes=100) == value


@settings(max_examples=25, deadline=None)
@given(VALUES)
def test_cbor_reads_back(value):
    data = cbor.encode(value)
    assert cbor.decode(data, max_bytes=len(data)) == value
    assert cbor.encode(cbor.decode(data, max_bytes=len(data))) == data


@settings(max_examples=25)
@given(st.binary(max_size=24))
def test_cbor_has_one_spelling(data):
    try:
        value = cbor.decode(data, max_bytes=24)
    except FormatError:
        return
    assert cbor.encode(value) == data


@pytest.mark.parametrize(
    "text",
    [
        "",
        "1800",  # 0 in two bytes
        "190017",
        "1a0000ffff",
        "1b00000000ffffffff",
        "1c",
        "1f",
        "18",
        "43aabb",
        "5f4101ff",  # indefinite length
        "7f6161ff",
        "9f01ff",
        "bf0102ff",
        "62c328",  # no UTF-8
        "63eda080",  # a lone surrogate
        "8201",
        "a101",
        "a202010102",  # keys out of order
        "a201020103",  # the same key twice
        "a1800 1".replace(" ", ""),
        "a1a001",
        "a1818101",
        "c000",  # a tag
        "f4",
        "f6",
        "f90000",
        "0000",
        "9bffffffffffffffff",
        "bbffffffffffffffff",
        "5bffffffffffffffff",
        "81" * 60 + "00",
    ],
)
def test_cbor_refuses(text):
    with pytest.raises(FormatError):
        cbor.decode(bytes.fromhex(text), max_bytes=100)


def test_cbor_is_bounded():
    with pytest.raises(FormatError):
        cbor.decode(bytes(11), max_bytes=10)
    with pytest.raises(FormatError):
        cbor.decode(b"\x81" * 500_000, max_bytes=500_000)


@pytest.mark.parametrize("value", [True, None, 1.5, 2**64, -(2**64) - 1, {1: True}, {(1,): 1}, [[[[[[[[[]]]]]]]]]])
def test_cbor_of_other_values_is_an_error_of_the_program(value):
    with pytest.raises(ValueError, match=r"CBOR|64 bits"):
        cbor.encode(value)


def test_a_message_is_what_rfc_9052_says(world):
    """Taken apart and verified here by hand, with nothing of ours but the certificate."""
    key = world.agriculture
    data = cose.sign(key, b"payload")
    kid = hashlib.sha256(key.chain_der[0]).digest()[:8]
    protected = bytes.fromhex("a201260448") + kid
    head = b"\xd2\x84" + bytes([0x40 | len(protected)]) + protected + b"\xa0\x47payload\x58\x40"
    assert data[:-64] == head
    structure = b"\x84\x6aSignature1" + bytes([0x40 | len(protected)]) + protected + b"\x40\x47payload"
    r, s = int.from_bytes(data[-64:-32], "big"), int.from_bytes(data[-32:], "big")
    key.certificate.public_key().verify(encode_dss_signature(r, s), structure, ec.ECDSA(SHA256()))
    found = cose.parse(data, max_bytes=200)
    cose.verify(found, key.certificate.public_key(), ["ecdsa-p256-sha256"])
    assert (found.payload, found.kid, found.algorithm) == (b"payload", kid, -7)


def test_eddsa_goes_by_the_suite_of_the_key(world):
    suite = SUITES["ed25519"]
    private = suite.generate()
    protected = cbor.encode({1: -8, 4: bytes(8)})
    signature = suite.sign(private, cbor.encode(["Signature1", protected, b"", b"p"]))
    found = cose.parse(b"\xd2" + cbor.encode([protected, {}, b"p", signature]), max_bytes=200)
    cose.verify(found, private.public_key(), ["ed25519"])
    private.public_key().verify(signature, found.signed)
    for key, allowed in [
        (private.public_key(), ["ecdsa-p256-sha256"]),
        (world.agriculture.certificate.public_key(), ["ecdsa-p256-sha256", "ed25519"]),
        (private.public_key(), []),
    ]:
        with pytest.raises(FormatError) as caught:
            cose.verify(found, key, allowed)
        assert caught.value.sub_indication == "SIG_CRYPTO_FAILURE"


def test_a_suite_without_a_number_signs_nothing(world, monkeypatch):
    monkeypatch.setattr(cose, "ALGORITHMS", {})
    with pytest.raises(IssueRefusedError) as caught:
        cose.sign(world.agriculture, b"p")
    assert caught.value.code == "cose_no_algorithm"


KID = bytes(8)
GOOD = cbor.encode({1: -7, 4: KID})


@pytest.mark.parametrize(
    "parts",
    [
        [GOOD, {}, b"p"],
        [GOOD, {}, b"p", b"s", 1],
        [GOOD, {4: KID}, b"p", b"s"],
        [GOOD, (), b"p", b"s"],
        ["", {}, b"p", b"s"],
        [GOOD, {}, "p", b"s"],
        [GOOD, {}, b"p", 1],
        [b"", {}, b"p", b"s"],
        [cbor.encode({1: -7}), {}, b"p", b"s"],
        [cbor.encode({1: -7, 2: (4,), 4: KID}), {}, b"p", b"s"],
        [cbor.encode({1: -37, 4: KID}), {}, b"p", b"s"],
        [cbor.encode({1: "ES256", 4: KID}), {}, b"p", b"s"],
        [cbor.encode({1: -7, 4: KID[:7]}), {}, b"p", b"s"],
        [cbor.encode({1: -7, 4: 4}), {}, b"p", b"s"],
        {},
    ],
)
def test_other_messages_are_refused(parts):
    with pytest.raises(FormatError):
        cose.parse(b"\xd2" + cbor.encode(parts), max_bytes=200)
    with pytest.raises(FormatError):
        cose.parse(cbor.encode(parts), max_bytes=200)
