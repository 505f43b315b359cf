"""The layers of a code where a check stands alone: the tag, the types of parts, key and algorithm, and exact limits."""

from __future__ import annotations

import pytest

from licence.errors import FormatError
from licence.qr import base45, cbor, cose
from tests.licence import world as w

KEY = w.make_world().agriculture
KID = cose.key_id(KEY.chain_der[0])
ALLOWED = ["ecdsa-p256-sha256", "ed25519"]


def code(function, *args, **more):
    with pytest.raises(FormatError) as caught:
        function(*args, **more)
    return caught.value.code


def test_a_message_under_another_tag_is_refused():
    good = cose.sign(KEY, b"p")
    assert cose.parse(good, max_bytes=200).payload == b"p"
    assert code(cose.parse, b"\xd1" + good[1:], max_bytes=200) == "cose_invalid"


@pytest.mark.parametrize("value", [0, [5, {}, b"p", b"s"], [cbor.encode([1, 4]), {}, b"p", b"s"]])
def test_parts_of_another_type_are_refused(value):
    assert code(cose.parse, b"\xd2" + cbor.encode(value), max_bytes=200) == "cose_invalid"


def message(algorithm, payload=b"p"):
    protected = cbor.encode({1: algorithm, 4: KID})
    signature = KEY.sign(cbor.encode(["Signature1", protected, b"", b"p"]))
    return cose.parse(b"\xd2" + cbor.encode([protected, {}, payload, signature]), max_bytes=200)


def test_the_signature_the_algorithm_and_the_key_must_agree():
    public = KEY.certificate.public_key()
    cose.verify(message(-7), public, ALLOWED)
    assert code(cose.verify, message(-8), public, ALLOWED) == "alg_not_of_key"
    assert code(cose.verify, message(-7), object(), ALLOWED) == "alg_not_of_key"
    assert code(cose.verify, message(-7, b"q"), public, ALLOWED) == "signature_wrong"


def test_a_text_beyond_its_limit_is_not_looked_at():
    assert code(base45.decode, "?" * 9, max_bytes=4) == "base45_invalid"
    assert code(base45.decode, "?" * 10, max_bytes=4) == "too_large"


@pytest.mark.parametrize("data", [b"\xff", b"\xff\xff", b"\xff\xff\xff"])
def test_the_largest_values_and_as_many_bytes_as_the_limit_are_read(data):
    assert base45.decode(base45.encode(data), max_bytes=len(data)) == data
