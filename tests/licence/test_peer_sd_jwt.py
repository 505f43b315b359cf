"""The `sd-jwt` library of the OpenWallet Foundation as an independent peer: same form, same claims, same refusals."""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from licence import credential, jose
from licence.errors import FormatError
from licence.wallet.binding import verify_binding
from licence.wallet.holder import Wallet
from tests.licence import world as w
from tests.licence.forging import forge_duplicate_digest, forge_same_claim_twice, resign

sd_jwt = pytest.importorskip("sd_jwt.verifier", reason="the sd-jwt library is not installed")
jwk = pytest.importorskip("jwcrypto.jwk", reason="jwcrypto, on which sd-jwt stands, is not installed")


def peer(text, key):
    pem = key.certificate.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    verifier = sd_jwt.SDJWTVerifier(text, lambda _issuer, _header: jwk.JWK.from_pem(pem))
    return verifier.get_verified_payload()


def ours(text, key):
    parsed = credential.parse(text)
    jose.verify(parsed.jws, key.certificate.public_key(), ["ecdsa-p256-sha256"])
    plain = {k: v for k, v in parsed.jws.payload.items() if k not in {"_sd", "_sd_alg"}}
    return plain | dict(parsed.claims)


def test_peer_reads_the_same_claims(world, sealed):
    assert peer(sealed.credential, world.agriculture) == ours(sealed.credential, world.agriculture)


@pytest.mark.parametrize("shown", [[], ["ZZMC"], ["ZZMC", "KZ_ZJCX", "CZZT"]])
def test_peer_reads_the_same_part(world, sealed, shown):
    part = credential.parse(sealed.credential).present(shown)
    assert peer(part, world.agriculture) == ours(part, world.agriculture)
    assert set(shown) <= set(ours(part, world.agriculture))


REFUSED = {
    "signature": lambda k, c: c.replace(c.split(".")[2].partition("~")[0], "A" * 86),
    "payload": lambda k, c: c.replace("." + c.split(".")[1] + ".", "." + altered_payload(c) + "."),
    "duplicate digest": forge_duplicate_digest,
    "same claim twice": forge_same_claim_twice,
    "alg none": lambda k, c: resign(
        k, c, token=base64.urlsafe_b64encode(b'{"alg":"none"}').decode().rstrip("=") + "." + c.split(".")[1] + "."
    ),
    "duplicate disclosure": lambda k, c: c + c.split("~")[1] + "~",
}


def altered_payload(cred):
    body = json.loads(base64.urlsafe_b64decode(cred.split(".")[1] + "==="))
    return base64.urlsafe_b64encode(json.dumps(body | {"iat": 1}).encode()).decode().rstrip("=")


@pytest.mark.parametrize("name", REFUSED)
def test_both_refuse(world, sealed, name):
    text = REFUSED[name](world.agriculture, sealed.credential)
    with pytest.raises(FormatError):
        ours(text, world.agriculture)
    with pytest.raises(Exception):  # noqa: B017 - the peer raises ValueError, JWException and others
        peer(text, world.agriculture)


def test_we_read_what_the_peer_issues(world):
    issuer = pytest.importorskip("sd_jwt.issuer")
    common = pytest.importorskip("sd_jwt.common")
    key = jwk.JWK.from_pem(
        world.agriculture.private_key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    )
    payload = {
        "iss": "https://agriculture.city.example",
        "jti": "x",
        "iat": 1,
        "nbf": 1,
        "vct": "v",
        "status": {"status_list": {"idx": 0, "uri": "u"}},
        common.SDObj("KZ_ZJCX"): "R",
        common.SDObj("CZZT"): "王小明",
    }
    made = issuer.SDJWTIssuer(payload, key, extra_header_parameters={"typ": "dc+sd-jwt"})
    parsed = credential.parse(made.sd_jwt_issuance)
    assert dict(parsed.claims) == {"KZ_ZJCX": "R", "CZZT": "王小明"}
    assert ours(made.sd_jwt_issuance, world.agriculture) == peer(made.sd_jwt_issuance, world.agriculture)


HOLDER = Wallet(w.private_key("holder"))
NONCE, VERIFIER = "n-0123456789", "https://verifier.example"


def peer_bound(text, key, nonce=NONCE, audience=VERIFIER):
    pem = key.certificate.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    verifier = sd_jwt.SDJWTVerifier(text, lambda _issuer, _header: jwk.JWK.from_pem(pem), audience, nonce)
    return verifier.get_verified_payload()


def test_peer_verifies_our_key_binding(world):
    bound = w.seal(world.agriculture, holder=HOLDER.public_key)
    text = HOLDER.present(bound.credential, ["ZZMC"], nonce=NONCE, audience=VERIFIER, at=w.AT)
    shown = peer_bound(text, world.agriculture)
    assert shown["ZZMC"] == w.KIND.name
    assert "CZZT" not in shown
    assert shown["cnf"]["jwk"]["crv"] == "P-256"
    head, _, token = text.rpartition("~")
    flipped = f"{head}~{token[:-8]}{'A' if token[-8] != 'A' else 'B'}{token[-7:]}"
    for bad in ((flipped, NONCE, VERIFIER), (text, "other", VERIFIER), (text, NONCE, "other")):
        with pytest.raises(Exception):  # noqa: B017 - the peer raises ValueError, JWException and others
            peer_bound(bad[0], world.agriculture, *bad[1:])


def test_we_verify_the_peers_key_binding(world):
    holder = pytest.importorskip("sd_jwt.holder")
    pem = HOLDER.private_key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    bound = w.seal(world.agriculture, holder=HOLDER.public_key)
    wallet = holder.SDJWTHolder(bound.credential)
    wallet.create_presentation({"ZZMC": True}, NONCE, VERIFIER, jwk.JWK.from_pem(pem))
    presentation = credential.parse_presentation(wallet.sd_jwt_presentation)
    jose.verify(presentation.credential.jws, world.agriculture.public_key, ["ecdsa-p256-sha256"])
    # The peer takes the time from its own clock.
    at = datetime.fromtimestamp(presentation.binding.jwt.payload["iat"], UTC)
    verify_binding(presentation, nonce=NONCE, audience=VERIFIER, at=at)
    assert presentation.credential.claims == {"ZZMC": w.KIND.name}
    with pytest.raises(FormatError):
        verify_binding(presentation, nonce=NONCE, audience="other", at=at)


def test_we_read_what_the_peer_issues_bound(world):
    issuer = pytest.importorskip("sd_jwt.issuer")
    common = pytest.importorskip("sd_jwt.common")
    private = world.agriculture.private_key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    public = HOLDER.public_key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    payload = {
        "iss": "https://agriculture.city.example",
        "jti": "x",
        "iat": 1,
        "nbf": 1,
        "vct": "v",
        "status": {"status_list": {"idx": 0, "uri": "u"}},
        common.SDObj("KZ_ZJCX"): "R",
    }
    made = issuer.SDJWTIssuer(
        payload, jwk.JWK.from_pem(private), jwk.JWK.from_pem(public), extra_header_parameters={"typ": "dc+sd-jwt"}
    )
    parsed = credential.parse(made.sd_jwt_issuance)
    assert parsed.holder == HOLDER.public_key
