"""A licence on its way into a wallet over HTTP, and everything that must not get it there."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta
from urllib.parse import parse_qs, urlsplit

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from fastapi.testclient import TestClient

from hub.api import create_app
from licence import credential
from licence.lifecycle import Action
from licence.wallet import jwt, vci
from licence.wallet.holder import Wallet
from tests.hub.world import IDS

BASE = "https://city.example"
FORM = {"content-type": "application/x-www-form-urlencoded"}


@pytest.fixture(scope="module")
def licence(city):
    return city.issue(0)


@pytest.fixture(scope="module")
def others(city):
    return city.issue(1)


@pytest.fixture
def wallet():
    return Wallet(ec.generate_private_key(ec.SECP256R1()))


@pytest.fixture(autouse=True)
def unhurried(city):
    """The bucket of this address, full: each test is a person of its own."""
    for route in city.app.routes:
        cells = getattr(getattr(route, "endpoint", None), "__closure__", None) or ()
        for cell in cells:
            if type(cell.cell_contents).__name__ == "Buckets":
                cell.cell_contents._levels.clear()


def offer(city, licence, by="officer", **more):
    return city.call("POST", "/v1/wallet-offers", by, json={"licence": licence, **more})


def code_of(offered):
    document = json.loads(parse_qs(urlsplit(offered["link"]).query)["credential_offer"][0])
    assert document["credential_issuer"] == BASE
    return document["grants"][vci.GRANT_TYPE]["pre-authorized_code"]


def redeem(city, offered, **changes):
    form = {"grant_type": vci.GRANT_TYPE, "pre-authorized_code": code_of(offered), "tx_code": offered["tx_code"]}
    return city.http.post("/wallet/token", data=form | changes)


def nonce(city):
    return city.http.post("/wallet/nonce").json()["c_nonce"]


def ask(city, token, proof, kind):
    body = {"credential_configuration_id": kind, "proofs": {"jwt": [proof]}}
    return city.http.post("/wallet/credential", json=body, headers={"authorization": f"Bearer {token}"})


def prove(city, wallet, **claims):
    return wallet.proof(issuer=BASE, nonce=nonce(city), at=city.clock(), **claims)


def deliver(city, licence, wallet):
    offered = offer(city, licence).json()
    token = redeem(city, offered).json()["access_token"]
    return ask(city, token, prove(city, wallet), offered["kind"])


def refused(answer, error, status=400):
    assert (answer.status_code, answer.json()["error"]) == (status, error), answer.text
    assert answer.json().keys() == {"error", "error_description"}
    assert "signature" not in answer.headers
    assert answer.headers["cache-control"] == "no-store"


def test_the_way_into_a_wallet(city, licence, wallet):
    metadata = city.http.get("/.well-known/openid-credential-issuer").json()
    server = city.http.get("/.well-known/oauth-authorization-server").json()
    assert metadata["credential_issuer"] == server["issuer"] == BASE
    assert server["token_endpoint"] == f"{BASE}/wallet/token"
    assert metadata["credential_endpoint"] == f"{BASE}/wallet/credential"
    assert metadata["nonce_endpoint"] == f"{BASE}/wallet/nonce"
    offered = offer(city, licence)
    assert offered.status_code == 201
    assert offered.json()["link"].startswith("openid-credential-offer://?")
    assert offered.json()["qr_svg"].startswith("<svg")
    assert offered.json()["kind"] in metadata["credential_configurations_supported"]
    got = deliver(city, licence, wallet)
    assert got.status_code == 200
    found = credential.parse(got.json()["credentials"][0]["credential"])
    kept = credential.parse(city.office.sealed(licence).credential)
    assert (found.jti, found.status, found.claims, found.expires_at) == (
        kept.jti,
        kept.status,
        kept.claims,
        kept.expires_at,
    )
    assert found.holder == wallet.public_key
    assert kept.holder is None
    assert found.digest != kept.digest


def test_the_issuer_says_all_that_it_must(city):
    """OpenID4VCI 1.0 §12.2.4 with Appendix A.3.2 (SD-JWT VC), and §12.1.2 on where they are."""
    metadata = city.http.get("/.well-known/openid-credential-issuer")
    assert metadata.headers["content-type"].startswith("application/json")
    found = metadata.json()
    assert found["credential_issuer"] == BASE
    # Proofs of keys are asked for, hence nonces.
    for name in ("credential_endpoint", "nonce_endpoint"):
        assert found[name].startswith(f"{BASE}/")
    assert found["credential_configurations_supported"]
    for one in found["credential_configurations_supported"].values():
        assert (one["format"], one["cryptographic_binding_methods_supported"]) == ("dc+sd-jwt", ["jwk"])
        assert one["vct"]
        assert one["credential_signing_alg_values_supported"] == ["ES256"]
        assert "ES256" in one["proof_types_supported"]["jwt"]["proof_signing_alg_values_supported"]
        for display in one["credential_metadata"]["display"]:
            assert display["name"]
        for claim in one["credential_metadata"]["claims"]:
            assert claim["path"]
    # Members with nothing in them are left out (§12.2.4).
    assert [] not in found.values()


def test_the_authorisation_server_says_all_that_it_must(city):
    """RFC 8414 §2 for a server without authorisation endpoint, §3.2, and OpenID4VCI 1.0 §12.3."""
    found = city.http.get("/.well-known/oauth-authorization-server").json()
    assert found["issuer"] == BASE
    assert found["token_endpoint"] == f"{BASE}/wallet/token"
    assert found["response_types_supported"] == ["none"]
    # Left out, both would stand for what this server does not do.
    assert found["grant_types_supported"] == [vci.GRANT_TYPE]
    assert found["token_endpoint_auth_methods_supported"] == ["none"]
    assert found["pre-authorized_grant_anonymous_access_supported"] is True
    assert "authorization_endpoint" not in found
    assert not [name for name, value in found.items() if value in ([], "", None)]


@pytest.mark.parametrize(("per_second", "most"), [(0, None), (1, 30)])
def test_how_many_may_ask_from_one_address(city, per_second, most):
    app = create_app(replace(city.settings, wallet_calls_per_second=per_second), open_service=lambda _: None)
    app.state.service = city.app.state.service
    http = TestClient(app)
    statuses = [http.get("/.well-known/oauth-authorization-server").status_code for _ in range(40)]
    if most is None:
        assert set(statuses) == {200}
    else:
        assert statuses[:most] == [200] * most
        assert statuses[-1] == 429


def test_delivery_is_logged_and_provable(city, licence, wallet):
    found = credential.parse(deliver(city, licence, wallet).json()["credentials"][0]["credential"])
    entry = city.logged("licence.bound")[-1]
    assert entry.facts["credential"] == found.digest
    told = city.http.get(f"/v1/wallet-credentials/{found.digest}").json()
    assert told["licence"] == licence
    assert json.loads(told["entry"])["facts"]["credential"] == found.digest
    assert city.http.get("/v1/wallet-credentials/sha256:" + "0" * 64).status_code == 404
    assert city.http.get("/v1/wallet-credentials/x").status_code == 404


def test_a_channel_offers_to_the_holder_alone(city, licence):
    assert offer(city, licence, "channel", holder=IDS[0]).status_code == 201
    missing = offer(city, licence, "channel", holder=IDS[1])
    assert (missing.status_code, missing.json()["code"]) == (404, "wallet_licence_unknown")
    unknown = offer(city, licence + "9", "channel", holder=IDS[0])
    assert missing.json()["code"] == unknown.json()["code"]
    assert IDS[0] not in str([e.plain() for e in city.logged("licence.offered")])


@pytest.mark.parametrize(("by", "status"), [("stranger", 403), ("clerk", 403), ("channel", 422)])
def test_who_may_not_offer(city, licence, by, status):
    assert offer(city, licence, by).status_code == status


def test_a_wrong_transaction_code_five_times(city, licence):
    offered = offer(city, licence).json()
    wrong = f"{(int(offered['tx_code']) + 1) % 10**6:06d}"
    for _ in range(5):
        refused(redeem(city, offered, tx_code=wrong), "invalid_grant")
    refused(redeem(city, offered), "invalid_grant")


def test_a_code_is_redeemed_once_and_in_time(city, licence):
    offered = offer(city, licence).json()
    assert redeem(city, offered).status_code == 200
    refused(redeem(city, offered), "invalid_grant")
    late = offer(city, licence).json()
    city.clock.now += vci.CODE_LIFETIME
    refused(redeem(city, late), "invalid_grant")


def test_a_proof_is_taken_once(city, licence, wallet):
    proof = prove(city, wallet)
    for place, error in ((0, None), (1, "invalid_nonce")):
        offered = offer(city, licence).json()
        token = redeem(city, offered).json()["access_token"]
        got = ask(city, token, proof, offered["kind"])
        if error is None:
            assert got.status_code == 200, place
        else:
            refused(got, error)


def test_one_offer_is_one_delivery(city, licence, wallet):
    offered = offer(city, licence).json()
    token = redeem(city, offered).json()["access_token"]
    assert ask(city, token, prove(city, wallet), offered["kind"]).status_code == 200
    refused(ask(city, token, prove(city, wallet), offered["kind"]), "credential_request_denied")


@pytest.mark.parametrize(
    ("claims", "error"),
    [
        ({"aud": "https://other.example"}, "invalid_proof"),
        ({"iat": 1}, "invalid_proof"),
        ({"nonce": "unknown"}, "invalid_nonce"),
    ],
)
def test_proofs_that_prove_something_else(city, licence, wallet, claims, error):
    offered = offer(city, licence).json()
    token = redeem(city, offered).json()["access_token"]
    payload = {"aud": BASE, "iat": int(city.clock().timestamp()), "nonce": nonce(city)} | claims
    proof = jwt.sign(wallet.private_key, vci.PROOF_TYP, payload, with_key=True)
    refused(ask(city, token, proof, offered["kind"]), error)


def test_a_proof_by_another_key(city, licence, wallet):
    offered = offer(city, licence).json()
    token = redeem(city, offered).json()["access_token"]
    head, payload, _ = prove(city, wallet).split(".")
    other = prove(city, Wallet(ec.generate_private_key(ec.SECP256R1()))).split(".")
    refused(ask(city, token, f"{head}.{payload}.{other[2]}", offered["kind"]), "invalid_proof")


def test_tokens_and_nonces_run_out(city, licence, wallet):
    offered = offer(city, licence).json()
    token = redeem(city, offered).json()["access_token"]
    stale = nonce(city)
    city.clock.now += vci.NONCE_LIFETIME
    proof = wallet.proof(issuer=BASE, nonce=stale, at=city.clock())
    refused(ask(city, token, proof, offered["kind"]), "invalid_nonce")
    city.clock.now += vci.TOKEN_LIFETIME
    late = ask(city, token, prove(city, wallet), offered["kind"])
    refused(late, "invalid_token", 401)
    assert late.headers["www-authenticate"].startswith("Bearer")


def test_a_licence_that_no_longer_holds_goes_nowhere(city, others, wallet):
    offered = offer(city, others).json()
    token = redeem(city, offered).json()["access_token"]
    before = len(city.logged("licence.bound"))
    city.office.change(others, Action.SUSPEND, by="RS", reason="x", ground="y", officer="z")
    refused(ask(city, token, prove(city, wallet), offered["kind"]), "credential_request_denied")
    assert offer(city, others).json()["code"] == "wallet_licence_not_in_force"
    assert len(city.logged("licence.bound")) == before


@pytest.mark.parametrize(
    ("path", "content", "media", "error"),
    [
        ("token", b"grant_type=%ff", FORM["content-type"], "invalid_request"),
        ("token", b"a=1", "application/json", "invalid_request"),
        ("token", b"a=" + b"x" * 20_000, FORM["content-type"], "invalid_request"),
        ("credential", b"[" * 50_000, "application/json", "invalid_token"),
        ("credential", b"{}", "text/plain", "invalid_credential_request"),
    ],
)
def test_hostile_bodies(city, path, content, media, error):
    answer = city.http.post(f"/wallet/{path}", content=content, headers={"content-type": media})
    refused(answer, error, 401 if error == "invalid_token" else 400)


@pytest.mark.parametrize("data", [b"", b"[]", b"\xff", b"{", b'{"a":1,"a":1}', b"[" * 50_000, b'"\\ud800"', b"1e999"])
def test_hostile_json_under_a_good_token(city, licence, data):
    token = redeem(city, offer(city, licence).json()).json()["access_token"]
    headers = {"authorization": f"Bearer {token}", "content-type": "application/json"}
    refused(city.http.post("/wallet/credential", content=data, headers=headers), "invalid_credential_request")


def test_one_address_is_told_to_slow_down(city):
    statuses = [city.http.post("/wallet/nonce").status_code for _ in range(70)]
    assert statuses[0] == 200
    assert 429 in statuses


def test_no_personal_data_in_what_is_logged(city, licence, wallet):
    deliver(city, licence, wallet)
    told = str([e.plain() for kind in ("licence.bound", "licence.offered") for e in city.logged(kind)])
    assert not any(value in told for value in (*IDS, "张三"))
    assert timedelta(0) <= city.clock() - city.logged("licence.bound")[-1].at
