"""A status list as CWT: each part of it at the limits of its form, and why it is refused."""

from __future__ import annotations

import hashlib
from dataclasses import replace

import pytest

from licence.errors import FormatError, IssueRefusedError
from licence.qr import cbor
from licence.status import cwt, to_cwt
from tests.licence import world as w

ALG, KID, TYP, CHAIN, X5T = 1, 4, 16, 33, 34
SHA256 = -16
HEAD = {ALG: -7, TYP: "application/statuslist+cwt"}
CLAIMS = cbor.encode({2: w.STATUS_URI})
PRINT = hashlib.sha256(b"leaf").digest()


@pytest.fixture(scope="module")
def compact(world):
    return to_cwt(w.status_token(world.status_key), key=world.status_key)


def made(protected=HEAD, unprotected=None, payload=CLAIMS, signature=b"s" * 64):
    head = protected if isinstance(protected, bytes) else cbor.encode(protected)
    return b"\xd2" + cbor.encode([head, {} if unprotected is None else unprotected, payload, signature])


def problem(data):
    """What of it is said to be wrong, or the code where that says all."""
    with pytest.raises(FormatError) as caught:
        cwt.parse(data)
    return caught.value.finding_params.get("problem", caught.value.code)


def test_what_is_signed_is_this_and_nothing_else(world, compact):
    key = world.status_key
    protected, unprotected, payload, signature = cbor.decode(compact[1:], max_bytes=2**20)
    assert compact[:1] == b"\xd2"
    x5t = (SHA256, hashlib.sha256(key.chain_der[0]).digest())
    assert cbor.decode(protected, max_bytes=2**20) == {ALG: -7, TYP: "application/statuslist+cwt", X5T: x5t}
    assert unprotected == {CHAIN: key.chain_der[0] if len(key.chain_der) == 1 else tuple(key.chain_der)}
    claims = cbor.decode(payload, max_bytes=2**20)
    assert set(claims) == {1, 2, 4, 6, 65533, 65534}
    assert (claims[1], claims[2], claims[65534]) == (key.issuer_uri, w.STATUS_URI, 3600)
    assert claims[6] == int(w.ISSUED.timestamp()) < claims[4]
    found, named = cwt.parse(compact)
    assert found.message.signed == cbor.encode(["Signature1", protected, b"", payload])
    assert (found.message.signature, found.message.payload, found.message.algorithm) == (signature, payload, -7)
    assert found.message.kid == b""
    assert set(named) == {"iss", "sub", "exp", "iat", "ttl", "status_list"}


def test_a_chain_of_one_is_bytes_and_of_more_an_array():
    leaf, above = b"leaf", b"above"
    for chain, beside in (((), {}), ((leaf,), {CHAIN: leaf}), ((leaf, above), {CHAIN: [leaf, above]})):
        assert cwt.with_chain(made(), chain) == made(unprotected=beside)
        assert cwt.parse(made(unprotected=beside))[0].chain == chain
    assert cwt.with_chain(made(unprotected={CHAIN: leaf}), ()) == made()


def test_a_chain_has_four_certificates_of_eight_kibibytes_at_most():
    largest = b"c" * 8 * 1024
    assert cwt.parse(made(unprotected={CHAIN: b"c"}))[0].chain == (b"c",)
    assert cwt.parse(made(unprotected={CHAIN: [largest] * 4}))[0].chain == (largest,) * 4
    assert cwt.parse(made(unprotected={CHAIN: largest}))[0].chain == (largest,)
    for chain in (largest + b"c", b"", [largest] * 5, [largest], [], [largest, b""], [b"c", "c"], "c", 5, {1: 2}):
        assert problem(made(unprotected={CHAIN: chain})) == "x5chain"


def test_beside_the_signature_stands_a_chain_or_a_key_id():
    assert cwt.parse(made(unprotected={KID: b"k"}))[0].chain == ()
    assert cwt.parse(made(HEAD | {KID: b"k", X5T: [SHA256, PRINT]}, {KID: b""}))[0].x5t == PRINT
    for beside in ({CHAIN: b"c", KID: b"k"}, {99: b"x"}, {X5T: [SHA256, PRINT]}):
        assert problem(made(unprotected=beside)) == "unprotected header"
    for wrong in (made(HEAD | {KID: "k"}), made(unprotected={KID: 5})):
        assert problem(wrong) == "key id"


@pytest.mark.parametrize(
    "header",
    [
        {},
        {ALG: -7},
        {TYP: HEAD[TYP]},
        HEAD | {TYP: "application/statuslist+jwt"},
        HEAD | {TYP: 19},
        HEAD | {2: [TYP]},
        HEAD | {CHAIN: b"c"},
        [ALG, TYP],
        5,
    ],
)
def test_a_protected_header_has_these_members_and_no_other(header):
    assert problem(made(header)) == "protected header"


def test_it_is_of_an_algorithm_that_we_know():
    for algorithm in (-16, 0, 7, "ES256", b"", [-7]):
        with pytest.raises(FormatError) as caught:
            cwt.parse(made(HEAD | {ALG: algorithm}))
        assert (caught.value.code, caught.value.finding_params["what"]) == ("alg_not_allowed", "status list token")
    assert cwt.parse(made(HEAD | {ALG: -8}))[0].message.algorithm == -8


def test_a_signers_digest_is_one_of_sha_256():
    assert cwt.parse(made(HEAD | {X5T: [SHA256, PRINT]}))[0].x5t == PRINT
    assert cwt.parse(made())[0].x5t == b""
    for x5t in (PRINT, [SHA256], [SHA256, PRINT, 1], [-15, PRINT], [SHA256, PRINT[1:]], [SHA256, "x" * 32], [], 5):
        assert problem(made(HEAD | {X5T: x5t})) == "x5t"


def test_claims_are_a_map_of_members_that_we_know():
    for payload in (b"\x80", cbor.encode("x"), cbor.encode(5)):
        assert problem(made(payload=payload)) == "claims"
    for claims in ({3: 1}, {"sub": "x"}, {1: "a", 5: 1}):
        assert problem(made(payload=cbor.encode(claims))) == "unknown_member"
    assert cwt.parse(made(payload=cbor.encode({})))[1] == {}


def test_it_has_four_parts_of_their_kinds_behind_its_tag():
    assert problem(made()[1:]) == problem(b"") == problem(b"\xd1" + made()[1:]) == "not a tagged COSE_Sign1"
    head = cbor.encode(HEAD)
    for parts in ([head, {}, CLAIMS], [head, {}, CLAIMS, b"s", b"s"], {1: head}, 5, b"abcd"):
        assert problem(b"\xd2" + cbor.encode(parts)) == "not four parts"
    for parts in ([head, [], CLAIMS, b"s"], ["x", {}, CLAIMS, b"s"], [HEAD, {}, CLAIMS, b"s"]):
        assert problem(b"\xd2" + cbor.encode(parts)) == "headers"
    for parts in ([head, {}, {2: "x"}, b"s"], [head, {}, CLAIMS, "s"], [head, {}, "x", 5]):
        assert problem(b"\xd2" + cbor.encode(parts)) == "parts"


def test_members_stand_in_any_order_but_once():
    """The order is the signer's own: the draft's example has another than RFC 8949 would give it."""
    head, claims = cbor.encode(HEAD), bytes.fromhex("a2026173") + bytes.fromhex("016169")
    unordered = b"\xa2" + head[1 + 2 :] + head[1 : 1 + 2]
    assert cbor.decode(unordered, max_bytes=99, ordered=False) == HEAD
    assert cwt.parse(made(unordered, payload=claims))[1] == {"sub": "s", "iss": "i"}
    for beside, wrong in (
        (b"\xa2\x04\x41k\x04\x41k", "map keys"),
        (b"\xa2\x18\x21\x41c\x04\x41k", "unprotected header"),
    ):
        parts = cbor.encode(head) + beside + cbor.encode(CLAIMS) + cbor.encode(b"s")
        assert problem(b"\xd2\x84" + parts) == wrong


def test_its_size_is_bounded_as_a_whole():
    def sized(size):
        around = len(made(payload=bytes(size // 2))) - size // 2
        data = b"\xd2" + cbor.encode([cbor.encode(HEAD), {}, bytes(size - around + 1), b"s" * 64])
        # The tag does not count.
        assert len(data) == size + 1
        return data

    limit = 17 * 1024 * 1024
    assert problem(sized(limit)) == "trailing bytes"
    assert problem(sized(limit + 1)) == "too_large"


def test_the_leaf_beside_it_is_the_one_that_was_signed(world, compact):
    key, suites = world.status_key, world.trust.suites
    found, _ = cwt.parse(compact)
    found.verify(key.public_key, suites)
    other = (world.agriculture.chain_der[0], *found.chain[1:])
    for wrong in (replace(found, chain=()), replace(found, x5t=b""), replace(found, chain=other)):
        with pytest.raises(FormatError) as caught:
            wrong.verify(key.public_key, suites)
        assert (caught.value.sub_indication, caught.value.finding_params["problem"]) == (
            "SIG_CONSTRAINTS_FAILURE", "x5t",
        )  # fmt: skip
    # Where neither stands there is nothing to compare; the signature still is by the key that is asked about.
    with pytest.raises(FormatError) as caught:
        replace(found, chain=(), x5t=b"").verify(world.agriculture.public_key, suites)
    assert caught.value.sub_indication == "SIG_CRYPTO_FAILURE"


def test_a_suite_without_a_number_in_cose_is_named():
    class Key:
        suite = "sm2-sm3"

    with pytest.raises(IssueRefusedError) as caught:
        cwt.sign(Key(), {})
    assert (caught.value.code, caught.value.finding_params) == ("cose_no_algorithm", {"suite": "sm2-sm3"})
