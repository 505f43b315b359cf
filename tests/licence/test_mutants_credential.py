"""Forms of credentials and disclosures that only their issuer could have signed, each refused for what it is."""

from __future__ import annotations

import hashlib
import json

import pytest

from licence import credential
from licence.credential import Disclosure, parse, parse_presentation
from licence.errors import FormatError, IssueRefusedError
from tests.licence import world as w
from tests.licence.forging import b64, resign

SALT = "s" * 22
# Written out, under names of their own: what was taken from the module would move with it.
LONGEST_CREDENTIAL = 262_144
LONGEST_DISCLOSURE = 8192
MOST_DISCLOSURES = 128


def refused(work, *arguments):
    with pytest.raises(FormatError) as caught:
        work(*arguments)
    return caught.value


def encoded(value):
    return b64(json.dumps(value).encode())


@pytest.mark.parametrize(
    "value",
    [
        {"0": SALT, "1": "KZ_X", "2": "v"},
        "abc",
        7,
        None,
        [],
        [SALT, "KZ_X"],
        [SALT, "KZ_X", "v", "w"],
        [7, "KZ_X", "v"],
        [["s"] * 22, "KZ_X", "v"],
        [SALT[:-1], "KZ_X", "v"],
        [SALT, "KZ_X", 7],
        [SALT, "KZ_X", None],
        [SALT, "KZ_X", {}],
        [SALT, 7, "v"],
        [SALT, None, "v"],
        [SALT, ["KZ_X"], "v"],
        [SALT, "", "v"],
        [SALT, "KZ X", "v"],
        [SALT, "_sd", "v"],
        [SALT, "exp", "v"],
        [SALT, "cnf", "v"],
    ],
)
def test_a_disclosure_is_a_salt_a_name_and_a_text_or_truth_value(value):
    assert refused(Disclosure.parse, encoded(value)).code == "bad_disclosure"


@pytest.mark.parametrize("encoded_form", ["", "AA", "W10"])
def test_an_empty_disclosure_is_none(sealed, encoded_form):
    assert refused(Disclosure.parse, encoded_form).code in {"json_invalid", "bad_disclosure"}
    assert refused(parse, f"{sealed.credential}{encoded_form}~").code in {"json_invalid", "bad_disclosure"}


def test_disclosures_of_texts_and_truth_values_are_read():
    for value in ("v", "", True, False):
        read = Disclosure.parse(encoded([SALT, "KZ_X", value]))
        assert (read.name, read.value) == ("KZ_X", value)


def test_a_disclosure_may_be_as_long_as_the_limit():
    fitting = "A" * LONGEST_DISCLOSURE
    assert refused(Disclosure.parse, fitting).code != "too_large"
    fault = refused(Disclosure.parse, fitting + "A")
    assert (fault.code, fault.finding_params["what"]) == ("too_large", "disclosure")
    assert fault.finding_params["limit"] == str(LONGEST_DISCLOSURE)


@pytest.mark.parametrize("read", [parse, parse_presentation])
def test_a_credential_may_be_as_long_as_the_limit(read):
    assert refused(read, "A" * (LONGEST_CREDENTIAL - 1) + "~").code != "too_large"
    fault = refused(read, "A" * LONGEST_CREDENTIAL + "~")
    assert (fault.code, fault.finding_params["limit"]) == ("too_large", str(LONGEST_CREDENTIAL))
    assert fault.finding_params["what"] == "credential"


def test_a_presentation_is_measured_with_its_key_binding(sealed):
    whole = sealed.credential + "A" * (LONGEST_CREDENTIAL - len(sealed.credential))
    told = refused(parse_presentation, whole + "A").finding_params
    assert told["limit"] == str(LONGEST_CREDENTIAL)
    assert told["what"] == refused(parse, "A" * (LONGEST_CREDENTIAL + 1)).finding_params["what"]
    assert refused(parse_presentation, whole).finding_params["what"] != told["what"]


def many(world, sealed, count):
    made = [Disclosure.make(f"KZ_{n}", "v", n.to_bytes(16, "big")) for n in range(count)]
    return resign(
        world.agriculture,
        sealed.credential,
        payload={"_sd": [d.digest for d in made]},
        disclosures=[d.encoded for d in made],
    )


def test_as_many_disclosures_are_read_as_the_limit_and_no_more(world, sealed):
    assert len(parse(many(world, sealed, MOST_DISCLOSURES)).disclosures) == MOST_DISCLOSURES
    assert refused(parse, many(world, sealed, MOST_DISCLOSURES + 1)).code == "not_sd_jwt"


def signed(world, sealed, **payload):
    return resign(world.agriculture, sealed.credential, payload=payload, disclosures=[])


def digest(number):
    return b64(hashlib.sha256(bytes([number])).digest())


@pytest.mark.parametrize(
    "digests",
    [
        "A" * 43,
        {digest(0): 1},
        7,
        [digest(0), 7],
        [digest(0), ["A"] * 43],
        [digest(0) + "A"],
        [digest(0)[:-1]],
        [""],
        [b64(hashlib.sha256(n.to_bytes(2, "big")).digest()) for n in range(MOST_DISCLOSURES + 1)],
    ],
)
def test_digests_are_a_list_of_sha256_no_longer_than_the_limit(world, sealed, digests):
    fault = refused(parse, signed(world, sealed, _sd=digests))
    assert (fault.code, fault.finding_params["claim"]) == ("bad_claim", "_sd")


def test_a_digest_of_something_withheld_is_counted(world, sealed):
    assert parse(signed(world, sealed, _sd=[digest(0), digest(1)])).withheld == 2
    assert refused(parse, signed(world, sealed, _sd=[digest(0), digest(0)])).code == "duplicate_digest"
    assert refused(parse, signed(world, sealed, _sd_alg="sha-512")).finding_params["claim"] == "_sd_alg"


@pytest.mark.parametrize("member", ["iss", "jti", "iat", "nbf", "vct", "status", "_sd_alg", "_sd"])
def test_each_member_of_the_payload_is_needed(world, sealed, member):
    cred = resign(world.agriculture, sealed.credential, payload={member: None}, disclosures=[])
    assert refused(parse, cred).code == "unknown_member"


@pytest.mark.parametrize("cnf", [7, "jwk", ["jwk"], {}, {"jwk": {}, "kid": "x"}, {"kid": "x"}])
def test_a_holders_key_is_a_jwk_and_nothing_else(world, sealed, cnf):
    fault = refused(parse, signed(world, sealed, cnf=cnf))
    assert (fault.code, fault.finding_params["claim"]) == ("bad_claim", "cnf")


@pytest.mark.parametrize(
    ("status", "claim"),
    [
        (7, "status"),
        (["status_list"], "status"),
        ({"status_list": {"idx": 1, "uri": "u"}, "more": 1}, "status"),
        ({"status_list": 7}, "status"),
        ({"status_list": ["idx", "uri"]}, "status"),
        ({"status_list": {"idx": 1}}, "status"),
        ({"status_list": {"idx": 1, "uri": "u", "more": 1}}, "status"),
        ({"status_list": {"idx": "1", "uri": "u"}}, "status.idx"),
        ({"status_list": {"idx": True, "uri": "u"}}, "status.idx"),
        ({"status_list": {"idx": -1, "uri": "u"}}, "status.idx"),
        ({"status_list": {"idx": 2**32, "uri": "u"}}, "status.idx"),
    ],
)
def test_a_status_is_the_place_in_one_list(world, sealed, status, claim):
    fault = refused(parse, signed(world, sealed, status=status))
    assert (fault.code, fault.finding_params["claim"]) == ("bad_claim", claim)


@pytest.mark.parametrize("idx", [0, 2**32 - 1])
def test_the_first_and_the_last_place_in_a_list_are_places(world, sealed, idx):
    assert parse(signed(world, sealed, status={"status_list": {"idx": idx, "uri": "u"}})).status.idx == idx


def test_the_same_disclosure_twice_is_not_the_same_claim_twice(world, sealed):
    one = Disclosure.make("KZ_X", "v", b"1" * 16)
    twice = resign(
        world.agriculture, sealed.credential, payload={"_sd": [one.digest]}, disclosures=[one.encoded, one.encoded]
    )
    assert refused(parse, twice).code == "duplicate_disclosure"
    two = [Disclosure.make("KZ_X", "v", salt * 16) for salt in (b"1", b"2")]
    both = resign(
        world.agriculture,
        sealed.credential,
        payload={"_sd": [d.digest for d in two]},
        disclosures=[d.encoded for d in two],
    )
    assert refused(parse, both).code == "duplicate_claim"


def sealed_with(world, *names):
    return credential.seal(
        world.agriculture,
        jti="x",
        vct="x",
        issued_at=1,
        not_before=1,
        expires_at=None,
        status=w.StatusRef(w.STATUS_URI, 1),
        claims=[(name, "v") for name in names],
        salts=w.salts("many", len(names)),
    )


def test_no_more_claims_are_sealed_than_are_read_and_bad_names_are_told(world):
    names = [f"KZ_{n}" for n in range(MOST_DISCLOSURES + 1)]
    assert sealed_with(world, *names[:-1]).count("~") == MOST_DISCLOSURES + 1
    with pytest.raises(IssueRefusedError):
        sealed_with(world, *names)
    with pytest.raises(IssueRefusedError) as caught:
        sealed_with(world, "KZ_A", "exp", "a b")
    assert "`exp`, `a b`" in str(caught.value)
    assert "KZ_A" not in str(caught.value)
