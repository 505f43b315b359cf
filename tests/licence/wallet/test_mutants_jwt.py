"""JWTs of holders' keys: every part of their form, the key that must sign, and each border of their times."""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime, timedelta

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from licence import jose
from licence.errors import FormatError
from licence.sm2 import Sm2PrivateKey
from licence.wallet import jwk, jwt
from tests.licence import world as w

P256 = w.private_key("holder")
EDWARDS = Ed25519PrivateKey.from_private_bytes(b"h" * 32)
PAYLOAD = {"iat": 100, "nonce": "n"}
AT = datetime(2025, 3, 1, tzinfo=UTC)
NOW = int(AT.timestamp())


def part(value):
    text = value if isinstance(value, bytes) else json.dumps(value).encode()
    return base64.urlsafe_b64encode(text).rstrip(b"=").decode()


def token(header, payload=None, signature=b"s"):
    return f"{part(header)}.{part(PAYLOAD if payload is None else payload)}.{part(signature)}"


HEADER = {"alg": "ES256", "typ": "t+jwt"}


def parse(text, *, with_key=False):
    return jwt.parse(text, typ="t+jwt", what="thing", with_key=with_key)


def refused(text, *, with_key=False):
    with pytest.raises(FormatError) as caught:
        parse(text, with_key=with_key)
    return caught.value.code, caught.value.finding_params


class TestForm:
    def test_a_good_one_is_read_whole(self):
        text = token(HEADER)
        found = parse(text)
        head, body, _ = text.split(".")
        assert (found.token, found.alg, found.key, found.payload) == (text, "ES256", None, PAYLOAD)
        assert (found.signing_input, found.signature) == (f"{head}.{body}".encode(), b"s")

    def test_is_no_longer_than_allowed(self):
        assert jwt.MAX_JWT_BYTES == 8192
        code, params = refused("a" * 8193)
        assert (code, params) == ("too_large", {"what": "thing", "limit": "8192"})
        assert refused("a" * 8192)[0] == "not_compact"

    @pytest.mark.parametrize("text", ["", "a.b", "a.b.c.d", token(HEADER) + ".", f"{token(HEADER)}é", "é.é.é"])
    def test_has_three_parts_of_ascii(self, text):
        assert refused(text) == ("not_compact", {"what": "thing"})

    def test_parts_are_base64url_and_json_objects(self):
        head, body, signature = token(HEADER).split(".")
        assert refused(f"{head}=.{body}.{signature}")[1]["what"] == "thing header"
        assert refused(f"{head}.{body}=.{signature}")[1]["what"] == "thing payload"
        assert refused(f"{head}.{body}.{signature}=")[1]["what"] == "thing signature"
        assert refused(f"{part(b'{')}.{body}.{signature}") == ("json_invalid", {"what": "thing header"})
        assert refused(f"{head}.{part(b'{')}.{signature}") == ("json_invalid", {"what": "thing payload"})
        for texts in ((part([]), body), (head, part([])), (head, part("x"))):
            assert refused(".".join((*texts, signature))) == ("json_invalid", {"what": "thing"})

    @pytest.mark.parametrize("typ", [None, "", "JWT", "T+JWT", 1])
    def test_says_what_it_is(self, typ):
        assert refused(token({"alg": "ES256", "typ": typ})) == ("wrong_typ", {"what": "thing", "expected": "t+jwt"})
        assert refused(token({"alg": "ES256"}))[0] == "wrong_typ"

    @pytest.mark.parametrize("alg", [None, "none", "HS256", "ES384", "ES512", "RS256", "EdDSA", "", 1, ["ES256"], {}])
    def test_is_signed_by_what_telephones_have(self, alg):
        assert refused(token({"alg": alg, "typ": "t+jwt"})) == ("alg_not_allowed", {"what": "thing"})

    def test_of_these_algorithms(self):
        assert set(jwt.HOLDER_ALGS) == {"ES256", "Ed25519"}
        assert parse(token(HEADER | {"alg": "Ed25519"})).alg == "Ed25519"

    def test_holds_its_key_only_where_one_is_to_stand(self):
        key = jwk.to_jwk(P256.public_key())
        with_key = token(HEADER | {"jwk": key})
        assert jwk.to_jwk(parse(with_key, with_key=True).key) == key
        assert refused(with_key) == ("unknown_member", {"what": "thing header"})
        assert refused(token(HEADER), with_key=True) == ("jwk_invalid", {"what": "thing jwk"})
        assert refused(token(HEADER | {"jwk": {}}), with_key=True)[0] == "jwk_invalid"

    def test_a_kid_may_stand_beside_a_key_that_is_known_otherwise(self):
        assert parse(token(HEADER | {"kid": "x"})).key is None
        key = jwk.to_jwk(P256.public_key())
        assert refused(token(HEADER | {"kid": "x", "jwk": key}), with_key=True)[0] == "unknown_member"

    @pytest.mark.parametrize("member", ["crit", "x5c", "jku", "b64", "zip"])
    def test_nothing_else_stands_in_its_header(self, member):
        assert refused(token(HEADER | {member: []})) == ("unknown_member", {"what": "thing header"})


class TestSignature:
    @pytest.mark.parametrize(("key", "other"), [(P256, EDWARDS), (EDWARDS, P256)])
    def test_is_of_the_key_and_of_its_kind(self, key, other):
        text = jwt.sign(key, "t+jwt", PAYLOAD, with_key=False)
        found = parse(text)
        found.verify(key.public_key())
        with pytest.raises(FormatError) as caught:
            found.verify(other.public_key())
        assert (caught.value.code, caught.value.sub_indication) == ("alg_not_of_key", "SIG_CRYPTO_FAILURE")
        head, body, signature = text.split(".")
        changed = parse(f"{head}.{part(PAYLOAD | {'nonce': 'm'})}.{signature}")
        for forged in (changed, parse(f"{head}.{body}.{part(b'x' * 64)}")):
            with pytest.raises(FormatError) as caught:
                forged.verify(key.public_key())
            assert caught.value.sub_indication == "SIG_CRYPTO_FAILURE"

    def test_what_is_signed_says_what_it_is(self):
        for key, alg in ((P256, "ES256"), (EDWARDS, "Ed25519")):
            for with_key in (False, True):
                text = jwt.sign(key, "t+jwt", PAYLOAD, with_key=with_key)
                head = json.loads(jose.b64url_decode(text.split(".")[0], "x"))
                shown = {"jwk": jwk.to_jwk(key.public_key())} if with_key else {}
                assert head == {"typ": "t+jwt", "alg": alg} | shown
                assert parse(text, with_key=with_key).payload == PAYLOAD

    def test_other_keys_sign_nothing(self):
        # SM2 has a suite of ours, but no telephone offers it.
        strange = (ec.derive_private_key(5, ec.SECP384R1()), rsa.generate_private_key(65537, 2048))
        for key in (*strange, Sm2PrivateKey.derive(5)):
            with pytest.raises(FormatError) as caught:
                jwt.sign(key, "t+jwt", PAYLOAD, with_key=False)
            assert (caught.value.code, caught.value.finding_params) == ("jwk_invalid", {"what": "jwk"})


class TestFresh:
    def check(self, **payload):
        jwt.check_fresh(payload, AT, max_age=timedelta(seconds=60), skew=timedelta(seconds=10), what="thing")

    def stale(self, **payload):
        with pytest.raises(FormatError) as caught:
            self.check(**payload)
        fault = caught.value
        assert (fault.code, fault.sub_indication) == ("jwt_not_fresh", "SIG_CONSTRAINTS_FAILURE")
        assert fault.finding_params == {"what": "thing"}

    def test_was_made_within_its_age_and_our_clocks_difference(self):
        for seconds in (-60, 0, 10):
            self.check(iat=NOW + seconds)
        for seconds in (-61, 11):
            self.stale(iat=NOW + seconds)

    def test_has_begun_and_not_ended_where_it_says_so(self):
        self.check(iat=NOW, nbf=NOW + 10, exp=NOW + 1)
        self.stale(iat=NOW, nbf=NOW + 11)
        self.stale(iat=NOW, exp=NOW)
        self.stale(iat=NOW, nbf=NOW, exp=NOW - 1)

    @pytest.mark.parametrize("name", ["iat", "nbf", "exp"])
    @pytest.mark.parametrize("value", ["1", None, True, 1.5, -1])
    def test_its_times_are_numbers(self, name, value):
        with pytest.raises(FormatError) as caught:
            self.check(**({"iat": NOW} | {name: value}))
        assert (caught.value.code, caught.value.finding_params) == ("bad_claim", {"what": "thing", "claim": name})

    def test_says_when_it_was_made(self):
        with pytest.raises(FormatError) as caught:
            self.check()
        assert caught.value.finding_params == {"what": "thing", "claim": "iat"}
