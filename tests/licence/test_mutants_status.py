"""Status lists at the limits of their form."""

from __future__ import annotations

import base64
import hashlib
import json
import zlib
from datetime import timedelta

import pytest

from licence.errors import FormatError, IssueRefusedError
from licence.status import StatusList, cwt, lists, parse_status_token, sign_status_list, token_digest
from licence.status.lists import MAX_LIST_BYTES, to_cwt
from tests.licence import world as w
from tests.licence.forging import b64


def refused(work, *arguments):
    with pytest.raises(FormatError) as caught:
        work(*arguments)
    return caught.value


def claim(packed=b"\0", **changes):
    return {"bits": 2, "lst": b64(zlib.compress(packed))} | changes


def test_a_list_is_as_long_as_the_limit_and_no_longer():
    assert len(StatusList(8, bytes(MAX_LIST_BYTES))) == MAX_LIST_BYTES
    assert len(StatusList.parse(claim(bytes(MAX_LIST_BYTES), bits=8))) == MAX_LIST_BYTES
    for fault in (
        refused(StatusList, 8, bytes(MAX_LIST_BYTES + 1)),
        refused(StatusList.parse, claim(bytes(MAX_LIST_BYTES + 1), bits=8)),
    ):
        assert (fault.code, fault.finding_params["claim"]) == ("bad_claim", "status_list")


@pytest.mark.parametrize("bits", [0, 3, 16, -1])
def test_states_take_one_two_four_or_eight_bits(bits):
    assert refused(StatusList, bits, b"\0").code == "bad_claim"
    assert refused(StatusList.parse, claim(bits=bits)).code == "bad_claim"
    assert [len(StatusList.parse(claim(bits=good))) for good in (1, 2, 4, 8)] == [8, 4, 2, 1]


@pytest.mark.parametrize("bits", [True, "2", 2.0, None, [2]])
def test_how_many_bits_is_a_whole_number(bits):
    assert refused(StatusList.parse, claim(bits=bits)).code == "bad_claim"


@pytest.mark.parametrize("value", [7, None, [], {"lst": 7}])
def test_a_list_is_text_or_bytes_in_a_claim(value):
    made = claim(**value) if isinstance(value, dict) and value else value
    assert refused(StatusList.parse, made).code == "bad_claim"
    assert StatusList.parse(claim(lst=zlib.compress(b"\x01"))).value(0) == 1


def test_an_address_of_aggregation_is_all_that_may_be_added():
    assert len(StatusList.parse(claim(aggregation_uri="https://a.example"))) == 4
    assert refused(StatusList.parse, claim(more=1)).code == "bad_claim"
    assert refused(StatusList.parse, {"bits": 2}).code == "bad_claim"


def test_what_stands_behind_or_is_missing_of_the_compressed_list_is_refused():
    whole = zlib.compress(b"\0")
    for raw in (whole + b"\0", whole[:-1], b"", b"junk"):
        assert refused(StatusList.parse, claim(lst=b64(raw))).code == "bad_claim"


def test_places_outside_of_a_list_have_no_state():
    two = StatusList.build(4, {3: 2})
    assert [two.value(n) for n in (-1, 0, 3, 4)] == [None, 0, 2, None]


@pytest.mark.parametrize("bits", [1, 2, 4, 8])
def test_a_state_is_read_without_those_beside_it(bits):
    highest = (1 << bits) - 1
    for alone in range(3):
        others = StatusList.build(3, {n: highest for n in range(3) if n != alone}, bits=bits)
        assert [others.value(n) for n in range(3)] == [0 if n == alone else highest for n in range(3)]


def resigned(world, **changes):
    head, body, _ = w.status_token(world.status_key).split(".")
    payload = json.loads(base64.urlsafe_b64decode(body + "==")) | changes
    payload = {k: v for k, v in payload.items() if v is not None}
    signing = f"{head}.{b64(json.dumps(payload).encode())}"
    return f"{signing}.{b64(world.status_key.sign(signing.encode()))}"


@pytest.mark.parametrize("changes", [{"aud": "x"}, {"status_list": None}, {"status_list": 7}, {"status_list": []}])
def test_a_token_has_a_list_and_no_member_that_we_do_not_know(world, changes):
    assert refused(parse_status_token, resigned(world, **changes)).code == "unknown_member"


@pytest.mark.parametrize("changes", [{"iss": 7}, {"ttl": "1"}, {"sub": None}, {"iat": None}, {"exp": None}])
def test_members_of_a_token_are_of_their_kind_and_there(world, changes):
    assert refused(parse_status_token, resigned(world, **changes))


def test_a_token_without_time_to_live_has_none_in_cbor_either(world):
    bare = resigned(world, ttl=None)
    assert parse_status_token(bare).ttl is None
    assert parse_status_token(to_cwt(bare, key=world.status_key)).ttl is None
    assert parse_status_token(to_cwt(resigned(world), key=world.status_key)).ttl == 3600


def test_the_digest_of_a_token_is_that_of_its_bytes():
    assert token_digest("abc") == token_digest(b"abc") == f"sha256:{hashlib.sha256(b'abc').hexdigest()}"


def test_states_are_packed_from_the_lowest_bits_on():
    for bits, packed in (
        (1, b"\x01\x01"),
        (2, b"\x01\x00\x01"),
        (4, b"\x01\x00\x00\x00\x01"),
        (8, b"\1" + b"\0" * 7 + b"\1"),
    ):
        made = StatusList.build(9, {0: 1, 8: 1}, bits=bits)
        assert (made.bits, made.packed) == (bits, packed)
        assert [made.value(n) for n in (0, 1, 7, 8)] == [1, 0, 0, 1]
    assert StatusList.build(4, {0: 3, 1: 2, 2: 1}).packed == bytes([0b00011011])
    assert StatusList.build(4, {}).bits == StatusList().bits == 2
    assert (len(StatusList()), len(StatusList.build(0, {})), len(StatusList.build(1, {}))) == (0, 0, 4)
    assert StatusList.build(2, {1: 255, 0: 254}, bits=8).value(1) == 255


@pytest.mark.parametrize(
    ("size", "states", "bits", "idx", "value"),
    [
        (4, {4: 1}, 2, "4", "1"),
        (4, {-1: 1}, 2, "-1", "1"),
        (4, {0: 4}, 2, "0", "4"),
        (4, {0: -1}, 2, "0", "-1"),
        (8, {0: 2}, 1, "0", "2"),
        (4, {}, 3, "-", "3"),
    ],
)
def test_states_that_do_not_fit_are_not_written(size, states, bits, idx, value):
    with pytest.raises(IssueRefusedError) as caught:
        StatusList.build(size, states, bits=bits)
    assert caught.value.code == "status_does_not_fit"
    assert caught.value.finding_params == {"idx": idx, "value": value}


def test_a_claim_is_compressed_as_far_as_it_goes():
    # Places scattered so that the second highest level takes more bytes.
    scattered = StatusList.build(2**14, {n**3 % 16_381: 1 for n in range(128)})
    for made in (StatusList.build(64, {5: 1}), scattered):
        assert made.to_claim() == {"bits": 2, "lst": b64(zlib.compress(made.packed, 9))}
        assert StatusList.parse(made.to_claim()) == made


def test_what_is_wrong_with_a_list_is_told():
    for fault in (refused(StatusList.parse, None), refused(StatusList.parse, claim(lst="=")), refused(StatusList, 3)):
        assert fault.finding_params["what"] == "status list token"


TERM = {"uri": w.STATUS_URI, "issued_at": w.ISSUED, "expires_at": w.ISSUED + timedelta(seconds=9), "ttl_s": 7}


def test_a_token_says_this(world):
    key, made = world.status_key, StatusList.build(64, {5: 1})
    token = sign_status_list(made, key=key, **TERM)
    head, body, _ = (part + "==" for part in token.split("."))
    assert json.loads(base64.urlsafe_b64decode(head))["typ"] == "statuslist+jwt"
    starts = int(w.ISSUED.timestamp())
    assert json.loads(base64.urlsafe_b64decode(body)) == {
        "iss": key.issuer_uri,
        "sub": w.STATUS_URI,
        "iat": starts,
        "exp": starts + 9,
        "ttl": 7,
        "status_list": made.to_claim(),
    }
    for form in (token, to_cwt(token, key=key)):
        found = parse_status_token(form)
        assert (found.uri, found.issued_at, found.expires_at, found.ttl) == (w.STATUS_URI, starts, starts + 9, 7)
        assert (found.states(), found.chain) == (made, key.chain_der)
        found.verify(key.public_key, ["ecdsa-p256-sha256"])
        for other, allowed in ((world.forestry.public_key, ["ecdsa-p256-sha256"]), (key.public_key, ["ed25519"])):
            with pytest.raises(FormatError):
                found.verify(other, allowed)
    assert cwt.parse(to_cwt(token, key=key))[1]["iss"] == key.issuer_uri


@pytest.mark.parametrize("changes", [{"ttl_s": 0}, {"ttl_s": -1}, {"expires_at": w.ISSUED}, {"expires_at": w.STARTS}])
def test_a_token_is_never_old_when_it_is_made(world, changes):
    with pytest.raises(IssueRefusedError) as caught:
        sign_status_list(StatusList.build(4, {}), key=world.status_key, **(TERM | changes))
    assert caught.value.code == "status_validity_empty"


def test_a_token_may_last_a_second(world):
    term = TERM | {"ttl_s": 1, "expires_at": w.ISSUED + timedelta(seconds=1)}
    assert parse_status_token(sign_status_list(StatusList.build(4, {}), key=world.status_key, **term)).ttl == 1


@pytest.mark.parametrize(
    ("changes", "params"),
    [
        ({"sub": None}, {"claim": "sub"}),
        ({"sub": ""}, {"claim": "sub"}),
        ({"iat": "1"}, {"claim": "iat"}),
        ({"exp": True}, {"claim": "exp"}),
        ({"ttl": -1}, {"claim": "ttl"}),
        ({"iss": 7}, {"claim": "iss"}),
        ({"aud": "x"}, {}),
        ({"status_list": 1}, {}),
    ],
)
def test_what_is_wrong_with_a_token_is_told(world, changes, params):
    fault = refused(parse_status_token, resigned(world, **changes))
    assert fault.finding_params == {"what": "status list token"} | params


def test_a_token_needs_no_issuer_and_has_a_type(world):
    assert parse_status_token(resigned(world, iss=None)).uri == w.STATUS_URI
    head = b64(json.dumps({"alg": "ES256", "typ": "JWT"}).encode())
    _, body, signature = w.status_token(world.status_key).split(".")
    assert refused(parse_status_token, f"{head}.{body}.{signature}").code == "wrong_typ"


def test_limits_are_those_of_a_list_of_64_million():
    assert (lists.MAX_LIST_BYTES, lists.MAX_TOKEN_BYTES, lists.SHARD_SLOTS) == (1 << 24, 3 << 23, 1 << 20)
    assert lists.DEFAULT_BITS == StatusList().bits == 2
    # Sixteen MiB of anything, compressed and in base64url, still fit.
    assert refused(parse_status_token, "a" * (lists.MAX_TOKEN_BYTES + 1)).finding_params == {
        "what": "status list token",
        "limit": str(3 << 23),
    }
    assert refused(parse_status_token, "a" * lists.MAX_TOKEN_BYTES).code != "too_large"
