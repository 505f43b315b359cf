"""Key binding: each claim it must hold, each thing it must answer, and how long it holds."""

from __future__ import annotations

import hashlib
from datetime import timedelta

import pytest

from licence import credential, jose
from licence.errors import FormatError
from licence.wallet import binding, jwt
from licence.wallet.binding import KeyBinding, sd_hash, verify_binding
from licence.wallet.holder import Wallet
from tests.licence import world as w

HOLDER = Wallet(w.private_key("holder"))
SECOND = timedelta(seconds=1)
NONCE, VERIFIER = "n-0123456789", "x509_hash:abc"
CLAIMS = {"iat": int(w.AT.timestamp()), "nonce": NONCE, "aud": VERIFIER, "sd_hash": "h"}


@pytest.fixture(scope="module")
def held(world):
    return w.seal(world.agriculture, holder=HOLDER.public_key)


def shown(held, at=w.AT, wallet=HOLDER, **claims):
    return wallet.present(held.credential, ["ZZMC"], **{"nonce": NONCE, "audience": VERIFIER, "at": at} | claims)


def check(text, **changes):
    verify_binding(credential.parse_presentation(text), **{"nonce": NONCE, "audience": VERIFIER, "at": w.AT} | changes)


def refused(text, **changes):
    with pytest.raises(FormatError) as caught:
        check(text, **changes)
    return caught.value.code, caught.value.sub_indication


def parsed(**claims):
    payload = {k: v for k, v in (CLAIMS | claims).items() if v is not None}
    return KeyBinding.parse(jwt.sign(HOLDER.private_key, "kb+jwt", payload, with_key=False))


class TestForm:
    def test_is_read_with_its_claims(self):
        found = parsed(other=1)
        assert (found.nonce, found.audience, found.sd_hash) == (NONCE, VERIFIER, "h")
        assert found.jwt.payload == CLAIMS | {"other": 1}
        assert found.jwt.key is None

    @pytest.mark.parametrize(
        ("name", "values"),
        [
            ("iat", [None, "1", True, -1]),
            ("nonce", [None, 1, "", "n" * 513]),
            ("aud", [None, ["x"], "", "a" * 2049]),
            ("sd_hash", [None, 1, "", "h" * 513]),
        ],
    )
    def test_holds_each_of_its_claims(self, name, values):
        for value in values:
            with pytest.raises(FormatError) as caught:
                parsed(**{name: value})
            assert caught.value.code == "bad_claim"
            assert caught.value.finding_params == {"what": "key binding", "claim": name}

    def test_an_address_may_be_long(self):
        assert len(parsed(aud="a" * 2048).audience) == 2048

    def test_is_a_key_binding_without_a_key_of_its_own(self):
        for typ, with_key, code in (("JWT", False, "wrong_typ"), ("kb+jwt", True, "unknown_member")):
            with pytest.raises(FormatError) as caught:
                KeyBinding.parse(jwt.sign(HOLDER.private_key, typ, CLAIMS, with_key=with_key))
            assert caught.value.code == code
            assert "key binding" in caught.value.finding_params["what"]

    def test_the_digest_is_that_of_the_text(self):
        assert sd_hash("a~b~") == jose.b64url(hashlib.sha256(b"a~b~").digest())


class TestAnswer:
    def test_to_this_request_holds(self, held):
        check(shown(held))

    def test_without_binding_or_key_there_is_none(self, held, sealed):
        bare = credential.parse(held.credential).present(["ZZMC"])
        assert refused(bare) == ("binding_missing", "SIG_CONSTRAINTS_FAILURE")
        unbound = HOLDER.present(sealed.credential, [], nonce=NONCE, audience=VERIFIER, at=w.AT)
        assert refused(unbound) == ("binding_no_key", "SIG_CONSTRAINTS_FAILURE")

    def test_by_another_key_is_none(self, held):
        assert refused(shown(held, wallet=Wallet(w.private_key("thief"))))[1] == "SIG_CRYPTO_FAILURE"

    def test_to_another_verifier_request_or_of_other_content_is_none(self, held):
        text = shown(held)
        assert refused(text, audience="other") == ("binding_other_verifier", "SIG_CONSTRAINTS_FAILURE")
        assert refused(text, nonce="other") == ("binding_other_request", "SIG_CONSTRAINTS_FAILURE")
        other = shown(held, sd_hash=sd_hash(held.credential))
        assert refused(other) == ("binding_other_content", "HASH_FAILURE")
        assert refused(shown(held, nonce="号"))[0] == "binding_other_request"

    def test_is_ten_minutes_old_at_most_and_two_ahead(self, held):
        assert (timedelta(minutes=10), timedelta(minutes=2)) == (binding.MAX_AGE, binding.SKEW)
        text = shown(held)
        for at in (w.AT + timedelta(minutes=10), w.AT - timedelta(minutes=2)):
            check(text, at=at)
        for at in (w.AT + timedelta(minutes=10) + SECOND, w.AT - timedelta(minutes=2) - SECOND):
            assert refused(text, at=at) == ("jwt_not_fresh", "SIG_CONSTRAINTS_FAILURE")
        check(text, at=w.AT + timedelta(hours=1), max_age=timedelta(hours=1))
        with pytest.raises(FormatError) as caught:
            check(text, at=w.AT + timedelta(hours=1))
        assert caught.value.finding_params == {"what": "key binding"}
