"""Where the hub signs with SM2, what wallets and their verifiers read is of P-256 all the same."""

from __future__ import annotations

from dataclasses import replace

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from hub.authority import KeyStore, keeping
from hub.authority.errors import SigningKeyMissingError
from hub.authority.names import department_key, wallets_key
from licence import chain, credential, jose
from licence.errors import FormatError
from licence.lifecycle import Action
from licence.status import parse_status_token, token_digest
from licence.status.authentic import authentic_token
from licence.suites import ECDSA_P256_SHA256, SM2_SM3, suite_of_key
from licence.trust import TrustStore
from licence.wallet.holder import Wallet
from tests.hub.wallets.conftest import open_city
from tests.hub.wallets.test_issuing import deliver

pytestmark = pytest.mark.skipif(not keeping.sm2_signs(), reason="libcrypto signs no SM2 here")
JWT, CWT = "application/statuslist+jwt", "application/statuslist+cwt"
P256 = frozenset({ECDSA_P256_SHA256})


@pytest.fixture(scope="module")
def sm2_city(tmp_path_factory):
    with open_city(tmp_path_factory.mktemp("sm2") / "var", licence_suite=SM2_SM3) as city:
        yield city


@pytest.fixture(scope="module")
def licence(sm2_city):
    return sm2_city.issue(0)


@pytest.fixture(scope="module")
def trust(sm2_city, licence):
    """What a verifier pins who reads no SM2."""
    assert licence
    found = TrustStore.load(sm2_city.settings.trust)
    return replace(found, suites=P256)


def status(city, accept=JWT, **params):
    return city.http.get("/v1/status/1", headers={"accept": accept}, params=params)


def suite(found):
    return suite_of_key(chain.public_key(found.jws.chain[0])).name


def test_the_wallets_version_is_of_p256(sm2_city, licence, trust):
    got = deliver(sm2_city, licence, Wallet(ec.generate_private_key(ec.SECP256R1())))
    kept = credential.parse(sm2_city.office.sealed(licence).credential)
    found = credential.parse(got.json()["credentials"][0]["credential"])
    assert (suite(kept), suite(found)) == (SM2_SM3, ECDSA_P256_SHA256)
    assert (found.jti, found.status, found.claims) == (kept.jti, kept.status, kept.claims)
    jose.verify(found.jws, chain.public_key(found.jws.chain[0]), P256)
    assert chain.validate(found.jws.chain, trust.anchors_der, P256).organisation_code
    metadata = sm2_city.http.get("/.well-known/openid-credential-issuer").json()
    configurations = metadata["credential_configurations_supported"]
    assert {tuple(c["credential_signing_alg_values_supported"]) for c in configurations.values()} == {("ES256",)}


def test_its_key_is_made_once(sm2_city):
    keys = sm2_city.office.keys
    assert keys.wallets("RS").suite == ECDSA_P256_SHA256
    again = KeyStore(keys.settings, keys.control, keys.clock)
    assert again.wallets("RS").certificate == keys.wallets("RS").certificate
    assert keys.department("RS").suite == SM2_SM3


def test_status_lists_for_wallets(sm2_city, licence, trust):
    idx = sm2_city.office.show(licence)["status_index"]
    with pytest.raises(FormatError):
        authentic_token(status(sm2_city).text, trust)
    for value, action in ((0, None), (1, Action.REVOKE)):
        if action:
            sm2_city.office.change(licence, action, by="RS", reason="x", ground="y", officer="z")
        forms = [status(sm2_city, wallet=True).text, status(sm2_city, CWT).content]
        facts = sm2_city.logged("status.published")[-1].facts
        assert [facts["wallet"], facts["cwt"]] == [token_digest(one) for one in forms]
        assert facts["token"] == token_digest(status(sm2_city).text)
        for one in forms:
            assert authentic_token(one, trust).states().value(idx) == value
        whole = status(sm2_city, CWT, chain=True).content
        assert authentic_token(whole, replace(trust, certificates=())).states().value(idx) == value


def test_the_hubs_own_form_stays_as_the_policy_says(sm2_city, licence):
    assert licence
    whole = TrustStore.load(sm2_city.settings.trust)
    found = authentic_token(status(sm2_city).text, replace(whole, suites=frozenset({SM2_SM3})))
    assert parse_status_token(status(sm2_city, wallet=True).text).states() == found.states()


def test_no_key_of_ours_beside_one_that_others_keep(sm2_city, monkeypatch):
    keys = sm2_city.office.keys
    monkeypatch.setattr(type(keys), "named", lambda _: {department_key("GA"): None})
    with pytest.raises(SigningKeyMissingError) as caught:
        keys.wallets("GA")
    assert wallets_key("GA") in caught.value.text("en")
