from __future__ import annotations

from datetime import timedelta

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given, settings
from hypothesis import strategies as st

from licence import credential, jose
from licence.errors import FormatError
from licence.verify import Verdict, verify
from licence.wallet import jwk, jwt
from licence.wallet.binding import verify_binding
from licence.wallet.holder import Wallet
from tests.licence import world as w
from tests.licence.forging import resign

NONCE, VERIFIER = "n-0123456789", "x509_hash:abc"


def show(wallet, sealed, names=("ZZMC",), **changes):
    arguments = {"nonce": NONCE, "audience": VERIFIER, "at": w.AT} | changes
    return wallet.present(sealed.credential, names, **arguments)


def check(text, **changes):
    presentation = credential.parse_presentation(text)
    jose.verify(presentation.credential.jws, w.make_world().agriculture.public_key, ["ecdsa-p256-sha256"])
    verify_binding(presentation, **{"nonce": NONCE, "audience": VERIFIER, "at": w.AT} | changes)
    return presentation


def refused(text, **changes):
    with pytest.raises(FormatError) as caught:
        check(text, **changes)
    assert caught.value.text("zh")
    return caught.value.code


def test_bound_and_shown(wallet, bound):
    found = check(show(wallet, bound))
    assert found.credential.claims == {"ZZMC": w.KIND.name}
    assert jwk.thumbprint(found.credential.holder) == jwk.thumbprint(wallet.public_key)


def test_bound_licence_verifies(world, wallet, bound):
    token = w.status_token(world.status_key)
    assert verify(w.bundle_of(world, bound, token), world.trust, w.AT).verdict is Verdict.PASSED


def test_unbound_licence_has_no_cnf(sealed):
    parsed = credential.parse(sealed.credential)
    assert parsed.holder is None
    assert "cnf" not in parsed.jws.payload
    assert credential.parse_presentation(sealed.credential).binding is None


def test_plain_parsing_stays_strict(wallet, bound):
    with pytest.raises(FormatError) as caught:
        credential.parse(show(wallet, bound))
    assert caught.value.code == "not_sd_jwt"


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"nonce": "other"}, "binding_other_request"),
        ({"audience": "other"}, "binding_other_verifier"),
        ({"at": w.AT + timedelta(minutes=11)}, "jwt_not_fresh"),
        ({"at": w.AT - timedelta(minutes=3)}, "jwt_not_fresh"),
    ],
)
def test_asked_otherwise(wallet, bound, changes, code):
    assert refused(show(wallet, bound), **changes) == code


@pytest.mark.parametrize(
    ("claims", "code"),
    [
        ({"aud": [VERIFIER]}, "bad_claim"),
        ({"nonce": 1}, "bad_claim"),
        ({"iat": None}, "bad_claim"),
        ({"iat": True}, "bad_claim"),
        ({"sd_hash": "A" * 43}, "binding_other_content"),
        ({"exp": int(w.AT.timestamp())}, "jwt_not_fresh"),
        ({"nbf": int(w.AT.timestamp()) + 999}, "jwt_not_fresh"),
    ],
)
def test_said_otherwise(wallet, bound, claims, code):
    assert refused(show(wallet, bound, **claims)) == code


def test_more_or_less_disclosed_than_agreed(wallet, bound):
    text = show(wallet, bound, ["ZZMC", "CZZT"])
    parts = text.split("~")
    assert refused("~".join([parts[0], parts[1], parts[3]])) == "binding_other_content"
    assert refused("~".join([parts[0], parts[2], parts[1], parts[3]])) == "binding_other_content"


def test_somebody_elses_key(bound):
    thief = Wallet(w.private_key("thief"))
    with pytest.raises(FormatError) as caught:
        check(show(thief, bound))
    assert caught.value.sub_indication == "SIG_CRYPTO_FAILURE"


def test_without_binding_or_key(wallet, bound, sealed):
    assert refused(bound.credential) == "binding_missing"
    assert refused(show(wallet, sealed)) == "binding_no_key"


@pytest.mark.parametrize(
    "header",
    [
        {"typ": "JWT"},
        {"alg": "none"},
        {"alg": "HS256"},
        {"crit": ["x"]},
        {"jwk": {}},
        {"x5c": []},
        {"typ": None},
    ],
)
def test_headers(wallet, bound, header):
    text = show(wallet, bound)
    head, _, token = text.rpartition("~")
    _, payload, signature = token.split(".")
    members = {"alg": "ES256", "typ": "kb+jwt"} | header
    forged = jose.b64url(jose.compact_json({k: v for k, v in members.items() if v is not None}))
    with pytest.raises(FormatError):
        credential.parse_presentation(f"{head}~{forged}.{payload}.{signature}")


def test_no_byte_of_the_binding_can_change(wallet, bound):
    text = show(wallet, bound, [])
    start = text.rindex("~") + 1
    for i in range(start, len(text)):
        for other in ("A", "."):
            if text[i] != other:
                refused(text[:i] + other + text[i + 1 :])


def good_jwk():
    return jwk.to_jwk(w.private_key("holder").public_key())


@pytest.mark.parametrize(
    "cnf",
    [
        None,
        {},
        {"kid": "x"},
        {"jwk": good_jwk(), "kid": "x"},
        {"jwk": good_jwk() | {"d": "AA"}},
        {"jwk": good_jwk() | {"crv": "P-384"}},
        {"jwk": good_jwk() | {"kty": "RSA"}},
        {"jwk": good_jwk() | {"kty": ["EC"]}},
        {"jwk": good_jwk() | {"x": "A" * 43}},
        {"jwk": good_jwk() | {"x": good_jwk()["x"] + "="}},
        {"jwk": good_jwk() | {"x": 5}},
        {"jwk": {"kty": "OKP", "crv": "Ed25519", "x": "AA"}},
        {"jwk": {"kty": "OKP", "crv": "X25519", "x": "A" * 43}},
        {"jwk": "x"},
    ],
)
def test_malformed_cnf(world, bound, cnf):
    text = resign(world.agriculture, bound.credential, payload={"cnf": cnf or []})
    with pytest.raises(FormatError):
        credential.parse(text)


def test_keys_of_other_curves_are_refused(world):
    with pytest.raises(FormatError):
        w.seal(world.agriculture, holder=ec.derive_private_key(5, ec.SECP384R1()).public_key())
    with pytest.raises(FormatError):
        jwt.sign(ec.derive_private_key(5, ec.SECP384R1()), "x", {}, with_key=False)


@settings(max_examples=25, deadline=None)
@given(st.integers(1, 2**255))
def test_jwk_reads_back(scalar):
    key = ec.derive_private_key(scalar, ec.SECP256R1()).public_key()
    written = jwk.to_jwk(key)
    assert jwk.to_jwk(jwk.from_jwk(written, "jwk")) == written


def test_thumbprint_of_rfc_8037():
    # RFC 8037 Appendix A.3.
    d = jose.b64url_decode("nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A", "d")
    key = Ed25519PrivateKey.from_private_bytes(d).public_key()
    assert jwk.thumbprint(key) == "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k"


@settings(max_examples=25, deadline=None)
@given(st.text(max_size=80))
def test_parsing_raises_format_errors_only(text):
    for candidate in (text, "~" + text, "a.b.c~" + text):
        with pytest.raises(FormatError):
            credential.parse_presentation(candidate)
    with pytest.raises(FormatError):
        jwt.parse(text, typ="kb+jwt", what="x", with_key=True)
