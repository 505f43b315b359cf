"""Status lists at the limits of their form."""

from __future__ import annotations

import base64
import hashlib
import json
import zlib

import pytest

from licence.errors import FormatError
from licence.status import StatusList, parse_status_token, token_digest
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
