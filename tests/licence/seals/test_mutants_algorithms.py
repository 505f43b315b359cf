"""By which suite a seal's signature is checked: policy and key say so, and the message has to agree."""

from __future__ import annotations

import pytest
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature

from licence.errors import FormatError
from licence.seals import algorithms, der
from licence.seals.algorithms import ECDSA_WITH_SHA256_OID, SM2_WITH_SM3_OID, sm3, verify
from licence.suites import ECDSA_P256_SHA256, SM2_SM3
from tests.licence.seals import city as c
from tests.licence.seals import plain as p

BOTH = frozenset({ECDSA_P256_SHA256, SM2_SM3})


@pytest.fixture(scope="module")
def leaf(city):
    return city.maker.chain_der[0]


def fault(*arguments):
    with pytest.raises(FormatError) as caught:
        verify(*arguments)
    return caught.value.code, caught.value.sub_indication


def test_the_names_of_the_algorithms_are_those_of_the_standards():
    assert {SM2_WITH_SM3_OID: SM2_SM3, ECDSA_WITH_SHA256_OID: ECDSA_P256_SHA256} == {
        "1.2.156.10197.1.501": "sm2-sm3",
        "1.2.840.10045.4.3.2": "ecdsa-p256-sha256",
    }
    assert all(algorithms.OID_OF_SUITE[suite] == oid for oid, suite in algorithms.SUITE_OF_OID.items())
    assert sm3(b"abc").hex() == "66c7f0f462eeedd9d1f2d46bdc10e4e24167c4875cf2f7a2297da02b8f4ba8e0"
    assert len(sm3(b"")) == algorithms.SM3_BYTES == 32


def test_a_good_signature_tells_its_suite(city, leaf):
    assert verify(leaf, c.OID, city.maker.sign_der(b"data"), b"data", c.SUITES) == ECDSA_P256_SHA256
    assert fault(leaf, c.OID, city.maker.sign_der(b"data"), b"other", c.SUITES) == (
        "signature_wrong", "SIG_CRYPTO_FAILURE",
    )  # fmt: skip


def test_an_algorithm_is_known_and_allowed(city, leaf):
    signed = city.maker.sign_der(b"data")
    refused = ("seal_algorithm_not_allowed", "SIG_CONSTRAINTS_FAILURE")
    assert fault(leaf, "1.2.3.4", signed, b"data", BOTH) == refused
    assert fault(leaf, c.OID, signed, b"data", frozenset({SM2_SM3})) == refused
    assert fault(leaf, c.OID, signed, b"data", frozenset()) == refused


def test_an_algorithm_is_the_one_of_the_key(city, leaf):
    signed = city.maker.sign_der(b"data")
    assert fault(leaf, SM2_WITH_SM3_OID, signed, b"data", BOTH) == (
        "seal_algorithm_not_of_key", "SIG_CONSTRAINTS_FAILURE",
    )  # fmt: skip


def test_a_key_of_no_suite_signs_nothing(city, leaf, monkeypatch):
    monkeypatch.setattr(algorithms, "suite_of_key", lambda _: None)
    assert fault(leaf, c.OID, b"", b"data", BOTH)[0] == "seal_algorithm_not_of_key"


def test_the_certificate_has_a_signature_of_whole_octets(city, leaf):
    parts = p.tlv(2, b"\1"), p.OIDS["1.2.3.4"]

    def named(certificate):
        with pytest.raises(FormatError) as caught:
            verify(certificate, c.OID, b"", b"data", BOTH)
        return caught.value.code, caught.value.finding_params.get("what")

    refused = ("seal_not_der", "Certificate")
    for certificate in (
        b"",
        p.seq(),
        p.octets(b"x"),
        p.seq(*parts, p.tlv(3, b"\1x")),
        p.seq(*parts, p.tlv(3)),
        p.seq(*parts, p.octets(b"\0x")),
        p.seq(*parts, p.bits(b"x"), p.bits(b"x")),
        leaf + b"\0",
    ):
        assert named(certificate) == refused
    # Of that form, it is read as a certificate.
    assert named(p.seq(*parts, p.bits(b"x")))[0] == "certificate_unreadable"
    signature = der.children(der.whole(leaf, "x"), der.SEQUENCE, "x", 3)[2]
    assert named(leaf[: signature.body] + b"\1" + leaf[signature.body + 1 :]) == refused


def halves(signature):
    return b"".join(v.to_bytes(32, "big") for v in decode_dss_signature(signature))


def test_two_halves_in_64_octets_are_taken_for_a_sequence(city, leaf):
    signed = halves(city.maker.sign_der(b"data"))
    assert verify(leaf, c.OID, signed, b"data", c.SUITES)
    for other in (signed[:-1], signed + b"\0", signed[32:] + signed[:32], b""):
        assert fault(leaf, c.OID, other, b"data", c.SUITES)[0] == "signature_wrong"


def test_a_sequence_of_64_octets_says_so_itself():
    made = encode_dss_signature(256**28, 256**28)
    assert (len(made), algorithms._der_of(made)) == (64, made)


@pytest.mark.parametrize("first", [b"\x30\x3d", b"\x30\x3f", b"\x31\x3e", b"\x00\x00"])
def test_what_does_not_say_so_is_read_as_two_numbers(first):
    value = first + bytes(range(62))
    numbers = int.from_bytes(value[:32], "big"), int.from_bytes(value[32:], "big")
    assert algorithms._der_of(value) == encode_dss_signature(*numbers)
    for other in (value[:-1], value + b"\0", b""):
        assert algorithms._der_of(other) == other
