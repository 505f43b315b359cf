"""Tokens and their parts at each limit, and one spelling of everything.

Limits are written out here: a test that took them from the module would move with them.
"""

from __future__ import annotations

import base64
import json
from dataclasses import replace

import pytest

from licence import jose
from licence.errors import FormatError
from licence.suites import ECDSA_P256_SHA256, ED25519
from tests.licence.forging import b64


def refused(work, *arguments, **named):
    with pytest.raises(FormatError) as caught:
        work(*arguments, **named)
    return caught.value


def code(work, *arguments, **named):
    return refused(work, *arguments, **named).code


def signed(key, header=None, payload=b'{"a":1}'):
    """A token whose header says *header* beside what it must say, None leaving a member out."""
    head = {"alg": "ES256", "typ": "t"} | (header or {})
    text = json.dumps({k: v for k, v in head.items() if v is not None})
    signing = f"{b64(text.encode())}.{b64(payload)}"
    return f"{signing}.{b64(key.sign(signing.encode()))}"


def parsed(token, max_bytes=200_000):
    return jose.parse_compact(token, typ="t", max_bytes=max_bytes, what="x")


def chain_of(*certificates):
    return [base64.b64encode(c).decode() for c in certificates]


@pytest.mark.parametrize("data", [b"", b"\xfb", b"\xff\xfe", b"\xfb\xff\xbf", b"a" * 10])
def test_base64url_reads_back(data):
    text = jose.b64url(data)
    assert text == b64(data)
    assert jose.b64url_decode(text, "x") == data
    assert jose.b64url_each([data, data]) == [text, text]


def test_of_nothing_nothing_is_written():
    assert jose.b64url_each([]) == []
    assert jose.b64url_each([b""]) == [""]


@pytest.mark.parametrize("text", ["A", "AAAAA", "AB", "AAB", "A=", "+A==", "AA ", "AAAAA!", "ÄAAA", "AQ\n"])
def test_base64url_has_one_spelling(text):
    fault = refused(jose.b64url_decode, text, "part")
    assert (fault.code, fault.finding_params["what"]) == ("base64_not_canonical", "part")


@pytest.mark.parametrize("last", "AEIMQUYcgkosw048")
def test_four_bits_over_may_be_anything_and_the_two_below_must_be_zero(last):
    assert b64(jose.b64url_decode("AA" + last, "x")) == "AA" + last
    if last in "AQgw":
        assert b64(jose.b64url_decode("A" + last, "x")) == "A" + last
    else:
        assert code(jose.b64url_decode, "A" + last, "x") == "base64_not_canonical"


@pytest.mark.parametrize(
    "text",
    ["A", "AA=", "AA==", "AB", "AAB", "A+AA", "A/AA", "AA AA", " AAAA", "AA\n", "AA~AA", "~", "é", "AA.A", "AAAAA"],
)
def test_of_several_each_has_one_spelling(text):
    """Read together or one by one, the same is read and the same refused."""
    for texts in ([text], ["AAAA", text], [text, "AA"], ["", text, ""]):
        fault = refused(jose.b64url_decode_each, texts, "part")
        assert (fault.code, fault.finding_params) == ("base64_not_canonical", {"what": "part"})


def test_several_are_read_in_their_order():
    assert jose.b64url_decode_each([], "x") == []
    assert jose.b64url_decode_each([""], "x") == [b""]
    assert jose.b64url_decode_each(["AQ", "", "-_8", "AAEC"], "x") == [b"\1", b"", b"\xfb\xff", b"\0\1\2"]
    assert jose.b64url_decode_each(("AQ", "Ag"), "x") == [b"\1", b"\2"]


@pytest.mark.parametrize("text", [7, None, b"AAAA", "A", "AA", "AB==", "AAAA\n", "AA-_", "AAAA====", "ÄAAA", " AAAA"])
def test_base64_with_padding_has_one_spelling(text):
    fault = refused(jose.b64_decode, text, "part", 100)
    assert (fault.code, fault.finding_params["what"]) == ("base64_not_canonical", "part")


@pytest.mark.parametrize("limit", [3, 4, 5, 100])
def test_as_many_bytes_are_read_as_the_limit_and_no_more(limit):
    for size in range(limit + 1):
        assert jose.b64_decode(base64.b64encode(bytes(size)).decode(), "x", limit) == bytes(size)
    for size in range(limit + 1, limit + 7):
        assert code(jose.b64_decode, base64.b64encode(bytes(size)).decode(), "x", limit) == "base64_not_canonical"


def test_too_long_a_text_is_not_even_decoded(monkeypatch):
    monkeypatch.setattr(base64, "b64decode", lambda *_, **__: pytest.fail("decoded"))
    assert code(jose.b64_decode, "A" * 8, "x", 3) == "base64_not_canonical"
    assert code(jose.b64_decode, "A" * 404, "x", 300) == "base64_not_canonical"


def nested(depth, inner="1", opening="[", closing="]"):
    return opening * depth + inner + closing * depth


@pytest.mark.parametrize(
    ("opening", "closing"), [("[", "]"), ('{"a":', "}"), ('[1,{"a":', "}]")], ids=["lists", "members", "both"]
)
def test_json_nests_fifteen_deep_and_no_deeper(opening, closing):
    levels = opening.count("[") + opening.count("{")
    for depth in range(1, 20 // levels):
        for inner in ("1", '"\\u00e9"'):
            text = nested(depth, inner, opening, closing)
            if depth * levels < 16:
                assert jose.strict_json(text, "x") is not None
            else:
                assert code(jose.strict_json, text, "x") == "json_invalid"


def test_brackets_side_by_side_are_not_depth():
    assert jose.strict_json("[" + ",".join(["[]", "{}"] * 40) + "]", "x") == [[], {}] * 40
    assert jose.strict_json('[{"a":[' + "[]," * 40 + '"\\u00e9"]}]', "x")[0]["a"][-1] == "é"


@pytest.mark.parametrize(
    "text",
    [
        '"\\ud800"',
        '["\\ud800"]',
        '[["a","\\udfff"]]',
        '{"\\ud800":1}',
        '{"a":"\\ud800"}',
        '{"a":{"b":[1,"\\ud800"]}}',
        '"\ud800"',
        '{"\ud800":1}',
        b'"\xed\xa0\x80"',
        b'"\xff"',
        b"\xef\xbb\xbf1",
        "1 2",
        "",
        "[",
    ],
)
def test_what_is_no_text_of_unicode_is_no_json(text):
    fault = refused(jose.strict_json, text, "part")
    assert (fault.code, fault.finding_params["what"]) == ("json_invalid", "part")


@pytest.mark.parametrize("text", ['"é"', '"\\u00e9"', '"🐉"', '"\\ud83d\\udc09"', '{"é":"é"}', "[true,null]"])
def test_other_text_is(text):
    assert jose.strict_json(text, "x") == jose.strict_json(text.encode(), "x") == json.loads(text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('{"a":1,"a":1}', "json_duplicate_member"),
        ('[{"a":1,"b":2,"a":3}]', "json_duplicate_member"),
        ("1.0", "json_number"),
        ("1e3", "json_number"),
        ("NaN", "json_number"),
        ("-Infinity", "json_number"),
        ("-0", "json_number"),
        ("1" * 19, "json_number"),
        ("-" + "1" * 18, "json_number"),
    ],
)
def test_numbers_and_members_have_one_spelling(text, expected):
    fault = refused(jose.strict_json, text, "part")
    assert (fault.code, fault.finding_params["what"]) == (expected, "part")


def test_numbers_of_eighteen_digits_are_read():
    assert jose.strict_json("[0,-1," + "9" * 18 + ",-" + "9" * 17 + "]", "x") == [0, -1, 10**18 - 1, 1 - 10**17]


def test_json_is_written_in_the_order_given_without_spaces():
    assert jose.compact_json({"b": [1, 2], "a": "é\n"}) == '{"b":[1,2],"a":"é\\n"}'.encode()
    assert jose.json_text('é"\n') == '"é\\"\\n"'
    with pytest.raises(ValueError, match="JSON"):
        jose.compact_json(float("nan"))


def test_a_token_reads_back_with_its_chain(world):
    key = world.agriculture
    token = jose.sign(key, "t", {"b": 1, "a": "é"})
    found = parsed(token)
    assert (found.token, found.alg, found.chain) == (token, "ES256", key.chain_der)
    assert list(found.payload.items()) == [("b", 1), ("a", "é")]
    assert found.signing_input == token.rpartition(".")[0].encode()
    jose.verify(found, key.public_key, [ED25519, ECDSA_P256_SHA256])
    head = json.loads(jose.b64url_decode(token.partition(".")[0], "x"))
    assert list(head) == ["alg", "typ", "x5c"]


def test_a_token_may_be_as_long_as_the_limit(world):
    token = signed(world.agriculture)
    assert parsed(token, len(token)).payload == {"a": 1}
    fault = refused(parsed, token, len(token) - 1)
    assert (fault.code, fault.finding_params["what"]) == ("too_large", "x")
    assert fault.finding_params["limit"] == str(len(token) - 1)


def test_a_header_may_have_64_kib():
    fitting = "A" * 65536
    assert code(parsed, f"{fitting}.e30.AA") == "json_invalid"
    fault = refused(parsed, f"{fitting}A.e30.AA")
    assert (fault.code, fault.finding_params["what"], fault.finding_params["limit"]) == (
        "too_large",
        "x header",
        "65536",
    )


def test_a_token_has_three_parts_of_ascii(world):
    token = signed(world.agriculture)
    head, body, signature = token.split(".")
    for other in (
        f"{head}.{body}",
        f"{token}.",
        f"{token}.{signature}",
        "",
        f"{head}.{body}.é",
        f"é.{body}.{signature}",
    ):
        assert code(parsed, other) == "not_compact"
    for other, part in (
        (f"!.{body}.{signature}", "x header"),
        (f"{head}.!.{signature}", "x payload"),
        (f"{token}!", "x signature"),
    ):
        fault = refused(parsed, other)
        assert (fault.code, fault.finding_params["what"]) == ("base64_not_canonical", part)


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ({"typ": "other"}, "wrong_typ"),
        ({"typ": None}, "wrong_typ"),
        ({"alg": None}, "alg_not_allowed"),
        ({"alg": "none"}, "alg_not_allowed"),
        ({"alg": "HS256"}, "alg_not_allowed"),
        ({"alg": ["ES256"]}, "alg_not_allowed"),
        ({"alg": 7}, "alg_not_allowed"),
        ({"kid": "1"}, "unknown_member"),
        ({"crit": ["b64"]}, "unknown_member"),
        ({"jwk": {}}, "unknown_member"),
        ({"x5c": []}, "bad_claim"),
        ({"x5c": "AAAA"}, "bad_claim"),
        ({"x5c": {"0": "AAAA"}}, "bad_claim"),
        ({"x5c": ["AAAA"] * 5}, "bad_claim"),
        ({"x5c": [7]}, "base64_not_canonical"),
        ({"x5c": ["AA"]}, "base64_not_canonical"),
        ({"x5c": chain_of(bytes(8193))}, "base64_not_canonical"),
    ],
)
def test_no_header_steers_a_verifier(world, header, expected):
    fault = refused(parsed, signed(world.agriculture, header))
    assert fault.code == expected
    if expected == "bad_claim":
        assert fault.finding_params["claim"] == "x5c"


@pytest.mark.parametrize("chain", [None, [bytes(8192)], [b"a"], [b"a", b"b", b"c", b"d"]])
def test_up_to_four_certificates_of_8_kib_are_read(world, chain):
    header = {} if chain is None else {"x5c": chain_of(*chain)}
    assert parsed(signed(world.agriculture, header)).chain == tuple(chain or ())


@pytest.mark.parametrize("text", ["[]", "7", '"typ"', '["typ","alg"]', "null"])
def test_header_and_payload_are_objects(world, text):
    token = signed(world.agriculture)
    _, body, signature = token.split(".")
    assert code(parsed, f"{b64(text.encode())}.{body}.{signature}") == "json_invalid"
    assert code(parsed, signed(world.agriculture, payload=text.encode())) == "json_invalid"


def test_a_signature_holds_by_the_suite_of_the_key_and_no_other(world):
    key, other = world.agriculture.public_key, world.forestry.public_key
    found = parsed(signed(world.agriculture))
    jose.verify(found, key, [ECDSA_P256_SHA256])
    for args in (
        (found, key, []),
        (found, key, [ED25519]),
        (replace(found, alg="EdDSA"), key, [ECDSA_P256_SHA256, ED25519]),
        (found, "no key", [ECDSA_P256_SHA256]),
    ):
        fault = refused(jose.verify, *args)
        assert (fault.code, fault.sub_indication) == ("alg_not_of_key", "SIG_CRYPTO_FAILURE")
    for args in (
        (found, other, [ECDSA_P256_SHA256]),
        (replace(found, signing_input=b"x"), key, [ECDSA_P256_SHA256]),
        (replace(found, signature=bytes(64)), key, [ECDSA_P256_SHA256]),
    ):
        assert code(jose.verify, *args) == "signature_wrong"


@pytest.mark.parametrize("value", [None, "1", True, False, -1, 253_402_300_800, [1]])
def test_a_date_is_a_whole_number_of_seconds_that_has_a_calendar_day(value):
    fault = refused(jose.numeric_date, {"iat": value}, "iat", "x")
    assert (fault.code, fault.finding_params["claim"], fault.finding_params["what"]) == ("bad_claim", "iat", "x")
    assert code(jose.numeric_date, {}, "iat", "x") == "bad_claim"


@pytest.mark.parametrize("value", [0, 1, 253_402_300_799])
def test_the_first_and_the_last_second_of_the_calendar_are_dates(value):
    assert jose.numeric_date({"iat": value}, "iat", "x") == value


@pytest.mark.parametrize("value", [None, "", 7, ["a"], "a" * 513])
def test_a_claim_of_text_has_some_and_not_too_much(value):
    fault = refused(jose.text_claim, {"iss": value}, "iss", "x")
    assert (fault.code, fault.finding_params["claim"], fault.finding_params["what"]) == ("bad_claim", "iss", "x")
    assert code(jose.text_claim, {"iss": "abc"}, "iss", "x", 2) == "bad_claim"


@pytest.mark.parametrize("value", ["a", "a" * 512])
def test_a_text_within_its_limit_is_a_claim(value):
    assert jose.text_claim({"iss": value}, "iss", "x") == value
