from __future__ import annotations

import json
import re
import string
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from licence import credential
from licence.errors import WalletCallError, WalletRefusedError
from licence.wallet import binding, jwk, jwt, vci
from licence.wallet.findings import WALLET_FINDINGS
from licence.wallet.holder import Wallet
from licence.wallet.store import InMemoryWalletStore
from tests.licence import world as w

ISSUER = vci.Issuer("https://licences.city.example", "某市电子证照系统", "City licences")
KIND = w.KIND.code
NOW = w.AT
HOLDER = Wallet(w.private_key("holder"))


def random(label):
    return b"".join(w.salts(label, 2))


def make_offer(store, **changes):
    arguments = {"subject": "dossier 7", "kinds": [KIND], "now": NOW, "random": random("code")} | changes
    return vci.offer(store, ISSUER, **arguments)


def code_of(made):
    return made.document["grants"][vci.GRANT_TYPE]["pre-authorized_code"]


def body(code, **fields):
    form = {"grant_type": vci.GRANT_TYPE, "pre-authorized_code": code} | fields
    return urlencode({k: v for k, v in form.items() if v is not None}).encode()


def redeem(store, code, *, now=NOW, label="token", **fields):
    return vci.redeem(store, body(code, **fields), now=now, random=random(label))


def request(proof, **members):
    document = {"credential_configuration_id": KIND, "proofs": {"jwt": [proof]}} | members
    return json.dumps({k: v for k, v in document.items() if v is not None}).encode()


@pytest.fixture
def store():
    return InMemoryWalletStore()


@pytest.fixture
def token(store):
    return redeem(store, code_of(make_offer(store)))["access_token"]


@pytest.fixture
def nonce(store):
    return vci.nonce(store, now=NOW, random=random("nonce"))["c_nonce"]


def order(store, token, data, *, now=NOW):
    return vci.order(store, ISSUER, authorization=f"Bearer {token}", body=data, now=now)


def refused(call, *arguments, **named):
    with pytest.raises(WalletRefusedError) as caught:
        call(*arguments, **named)
    text = caught.value.body()["error_description"]
    assert re.fullmatch(r"[\x20-\x21\x23-\x5b\x5d-\x7e]+", text)
    assert caught.value.text("zh")
    return caught.value.body()["error"]


def test_the_whole_flow(world, store, wallet):
    made = make_offer(store, tx_code="493536", tx_description="短信中的六位数字")
    link = json.loads(parse_qs(urlsplit(made.uri()).query)["credential_offer"][0])
    assert link == made.document
    grant = link["grants"]["urn:ietf:params:oauth:grant-type:pre-authorized_code"]
    assert grant["tx_code"]["length"] == 6
    answer = redeem(store, grant["pre-authorized_code"], tx_code="493536")
    assert answer["token_type"] == "Bearer"
    nonce = vci.nonce(store, now=NOW, random=random("nonce"))["c_nonce"]
    proof = wallet.proof(issuer=link["credential_issuer"], nonce=nonce, at=NOW)
    found = order(store, answer["access_token"], request(proof))
    assert (found.subject, found.kind) == ("dossier 7", KIND)
    sealed = w.seal(world.agriculture, holder=found.holder)
    text = vci.credential_response(sealed.credential)["credentials"][0]["credential"]
    shown = wallet.present(text, ["ZZMC"], nonce="n", audience="v", at=NOW)
    binding.verify_binding(credential.parse_presentation(shown), nonce="n", audience="v", at=NOW)


def test_codes_are_used_once_and_kept_as_digests(store):
    code = code_of(make_offer(store))
    redeem(store, code)
    assert refused(redeem, store, code, label="again") == "invalid_grant"
    assert code not in repr(vars(store))


def test_codes_run_out(store):
    code = code_of(make_offer(store))
    assert refused(redeem, store, code, now=NOW + vci.CODE_LIFETIME) == "invalid_grant"


def test_one_of_many_redeems(store):
    code = code_of(make_offer(store))

    def attempt(n):
        try:
            return bool(redeem(store, code, label=f"t{n}"))
        except WalletRefusedError:
            return False

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(attempt, range(3))) == 1


def test_transaction_code(store):
    code = code_of(make_offer(store, tx_code="493536"))
    assert refused(redeem, store, code) == "invalid_request"
    assert refused(redeem, store, code, tx_code="493537") == "invalid_grant"
    redeem(store, code, tx_code="493536")


def test_transaction_code_is_not_guessed(store):
    code = code_of(make_offer(store, tx_code="493536"))
    for guess in ("0000", "493535", "493537"):
        assert refused(redeem, store, code, tx_code=guess) == "invalid_grant"
    assert refused(redeem, store, code, tx_code="493536") == "invalid_grant"


def test_transaction_code_not_asked_for(store):
    assert refused(redeem, store, code_of(make_offer(store)), tx_code="1234") == "invalid_request"


@pytest.mark.parametrize(
    ("data", "error"),
    [
        (b"", "invalid_request"),
        (b"grant_type=x&grant_type=x", "invalid_request"),
        (b"grant_type=%ff", "invalid_request"),
        (b"\xff", "invalid_request"),
        (b"&".join([b"a%d=1" % i for i in range(40)]), "invalid_request"),
        (b"a=" + b"x" * 2_000_000, "invalid_request"),
        (urlencode({"grant_type": "authorization_code", "code": "x"}).encode(), "unsupported_grant_type"),
        (urlencode({"grant_type": vci.GRANT_TYPE}).encode(), "invalid_request"),
        (body("x"), "invalid_grant"),
        (body("x", authorization_details="[]"), "invalid_authorization_details"),
    ],
)
def test_token_requests(store, data, error):
    assert refused(vci.redeem, store, data, now=NOW, random=random("t")) == error


def test_unknown_fields_are_not_looked_at(store):
    assert redeem(store, code_of(make_offer(store)), client_id="wallet", x="y")


@pytest.mark.parametrize("value", ["", "Bearer", "Bearer x", "Basic x", "Bearer " + "A" * 43, "Bearer \ud800"])
def test_access_tokens(store, value):
    with pytest.raises(WalletRefusedError) as caught:
        vci.order(store, ISSUER, authorization=value, body=b"{}", now=NOW)
    assert (caught.value.error, caught.value.status) == ("invalid_token", 401)


def test_access_tokens_run_out(store, token, nonce):
    proof = HOLDER.proof(issuer=ISSUER.url, nonce=nonce, at=NOW)
    assert refused(order, store, token, request(proof), now=NOW + vci.TOKEN_LIFETIME) == "invalid_token"


@pytest.mark.parametrize(
    ("data", "error"),
    [
        (b"", "invalid_credential_request"),
        (b"[]", "invalid_credential_request"),
        (b"\xff", "invalid_credential_request"),
        (b"[" * 50_000, "invalid_credential_request"),
        (b" " * 70_000, "invalid_credential_request"),
        (b'{"credential_configuration_id":1}', "invalid_credential_request"),
        (b'{"credential_configuration_id":"a","credential_configuration_id":"a"}', "invalid_credential_request"),
        (request("x", credential_identifier="x"), "invalid_credential_request"),
        (b'{"credential_identifier":"x"}', "unknown_credential_identifier"),
        (request("x", credential_configuration_id="other"), "unknown_credential_configuration"),
        (request("x", credential_response_encryption={}), "invalid_encryption_parameters"),
        (request("x", proofs=None), "invalid_proof"),
        (request("x", proofs={}), "invalid_proof"),
        (request("x", proofs={"jwt": []}), "invalid_proof"),
        (request("x", proofs={"jwt": ["x", "y"]}), "invalid_proof"),
        (request("x", proofs={"jwt": [1]}), "invalid_proof"),
        (request("x", proofs={"jwt": ["x"], "attestation": ["y"]}), "invalid_proof"),
        (request("x"), "invalid_proof"),
    ],
)
def test_credential_requests(store, token, data, error):
    assert refused(order, store, token, data) == error


@pytest.mark.parametrize(
    ("claims", "error"),
    [
        ({"aud": "https://other.example"}, "invalid_proof"),
        ({"aud": [ISSUER.url]}, "invalid_proof"),
        ({"iss": "wallet"}, "invalid_proof"),
        ({"nonce": None}, "invalid_proof"),
        ({"nonce": "unknown"}, "invalid_nonce"),
        ({"iat": int(NOW.timestamp()) - 301}, "invalid_proof"),
        ({"iat": int(NOW.timestamp()) + 121}, "invalid_proof"),
        ({"iat": None}, "invalid_proof"),
    ],
)
def test_key_proofs(store, token, nonce, claims, error):
    arguments = {"issuer": ISSUER.url, "nonce": nonce, "at": NOW}
    proof = HOLDER.proof(**arguments, **{k: v for k, v in claims.items() if k not in arguments})
    if "nonce" in claims:
        payload = {"aud": ISSUER.url, "iat": int(NOW.timestamp()), "nonce": claims["nonce"]}
        proof = jwt.sign(HOLDER.private_key, vci.PROOF_TYP, payload, with_key=True)
    assert refused(order, store, token, request(proof)) == error


def test_a_key_binding_is_no_key_proof(store, token, nonce):
    payload = {"aud": ISSUER.url, "iat": int(NOW.timestamp()), "nonce": nonce}
    proof = jwt.sign(HOLDER.private_key, binding.TYP, payload, with_key=True)
    assert refused(order, store, token, request(proof)) == "invalid_proof"


def test_no_byte_of_a_proof_can_change(store, token, nonce):
    proof = HOLDER.proof(issuer=ISSUER.url, nonce=nonce, at=NOW)
    for i, character in enumerate(proof):
        data = request(proof[:i] + ("A" if character != "A" else "B") + proof[i + 1 :])
        assert refused(order, store, token, data) == "invalid_proof"
    assert order(store, token, request(proof)).holder == HOLDER.public_key


def test_nonces_are_used_once_and_run_out(store, token, nonce):
    proof = HOLDER.proof(issuer=ISSUER.url, nonce=nonce, at=NOW)
    order(store, token, request(proof))
    assert refused(order, store, token, request(proof)) == "invalid_nonce"
    late = vci.nonce(store, now=NOW - vci.NONCE_LIFETIME, random=random("late"))["c_nonce"]
    assert refused(order, store, token, request(HOLDER.proof(issuer=ISSUER.url, nonce=late, at=NOW))) == "invalid_nonce"


def test_one_offer_is_one_licence_on_one_telephone(store, token, nonce):
    order(store, token, request(HOLDER.proof(issuer=ISSUER.url, nonce=nonce, at=NOW)))
    second = vci.nonce(store, now=NOW, random=random("second"))["c_nonce"]
    other = Wallet(w.private_key("other"))
    proof = other.proof(issuer=ISSUER.url, nonce=second, at=NOW)
    assert refused(order, store, token, request(proof)) == "credential_request_denied"


def test_forgetting(store, token, nonce):
    assert token
    assert nonce
    assert store.forget(NOW) == 0
    assert store.forget(NOW + timedelta(hours=1)) == 3


def test_metadata():
    data = ISSUER.metadata([w.KIND])
    assert data["credential_issuer"] == ISSUER.url
    found = data["credential_configurations_supported"][KIND]
    assert (found["format"], found["vct"]) == ("dc+sd-jwt", "zhengtong-licence-kind/" + KIND)
    assert found["proof_types_supported"] == {"jwt": {"proof_signing_alg_values_supported": ["ES256", "Ed25519"]}}
    assert found["credential_metadata"]["display"][1] == {"name": w.KIND.name_en, "locale": "en"}
    assert [c["path"] for c in found["credential_metadata"]["claims"]] == [[f.name] for f in w.KIND.face]
    assert ISSUER.authorization_server_metadata()["grant_types_supported"] == [vci.GRANT_TYPE]
    assert json.loads(json.dumps(data)) == data


@pytest.mark.parametrize("url", ["http://a.example", "https://", "https://a.example/", "https://a.example?x", "x"])
def test_issuer_urls(url):
    with pytest.raises(WalletCallError):
        vci.Issuer(url, "x")


@pytest.mark.parametrize(
    "changes",
    [
        {"random": b"short"},
        {"kinds": []},
        {"kinds": [KIND, KIND]},
        {"tx_code": "12"},
        {"tx_code": "abcdef"},
        {"tx_code": "1234", "tx_description": "x" * 301},
    ],
)
def test_offers_that_are_not_made(store, changes):
    with pytest.raises(WalletCallError):
        make_offer(store, **changes)


def test_randomness_is_not_used_twice(store):
    make_offer(store)
    with pytest.raises(WalletCallError):
        make_offer(store)
    vci.nonce(store, now=NOW, random=random("n"))
    with pytest.raises(WalletCallError):
        vci.nonce(store, now=NOW, random=random("n"))


@settings(max_examples=25, deadline=None)
@given(st.binary(max_size=200))
def test_hostile_bodies_are_refused(data):
    store = InMemoryWalletStore()
    token = redeem(store, code_of(make_offer(store)))["access_token"]
    refused(order, store, token, data)
    refused(vci.redeem, store, data, now=NOW, random=random("x"))


def test_texts_may_travel_to_wallets():
    for en, _ in WALLET_FINDINGS.values():
        assert set(en) <= set(string.printable) - set('"\\\n\r\t'), en


def test_the_holder_key_is_the_proved_one(store, token, nonce):
    found = order(store, token, request(HOLDER.proof(issuer=ISSUER.url, nonce=nonce, at=NOW)))
    assert jwk.thumbprint(found.holder) == jwk.thumbprint(HOLDER.public_key)
