"""Forgeries that only the issuer itself could sign, and the judging of a vector by both verifiers."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from dataclasses import replace
from datetime import UTC, datetime

from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from licence import credential
from licence.bundle import LicenceBundle
from licence.keys import pem_bundle
from licence.report import STEPS
from licence.verify import verify
from tests.licence import independent, independent_documents
from tests.licence import world as w


def b64(value):
    return base64.urlsafe_b64encode(value).rstrip(b"=").decode()


def resign(key, cred, *, header=None, payload=None, disclosures=None, token=None):
    """A credential with parts replaced, signed again by *key* unless *token* is given."""
    parsed = credential.parse(cred)
    body = dict(parsed.jws.payload) | (payload or {})
    body = {k: v for k, v in body.items() if v is not None}
    encoded = [d.encoded for d in parsed.disclosures] if disclosures is None else disclosures
    if token is None:
        head = {"alg": "ES256", "typ": "dc+sd-jwt", "x5c": [base64.b64encode(c).decode() for c in key.chain_der]}
        head = {k: v for k, v in (head | (header or {})).items() if v is not None}
        signing = f"{b64(json.dumps(head).encode())}.{b64(json.dumps(body).encode())}"
        token = f"{signing}.{b64(key.sign(signing.encode()))}"
    return "~".join([token, *encoded, ""])


def both(subject, trust, at, tokens=()):
    """Our report, after the independent verifier was found to give the same exit code."""
    report = verify(subject, trust, at, tokens)
    text = subject.to_json() if isinstance(subject, LicenceBundle) else subject
    log_keys = [independent.read_log_key(v.to_text()) for v in trust.log_verifiers]
    anchors = [a.public_bytes(Encoding.DER) for a in trust.anchors]

    def stamped_at(token, signed, crls, moment):
        try:
            return independent_documents.stamped_at(token, signed, anchors, crls, datetime.fromtimestamp(moment, UTC))
        except independent_documents.UndecidedError:
            return None
        except independent_documents.InvalidError:
            raise independent.InvalidError("time stamp") from None

    pem = pem_bundle(trust.anchors)
    other = independent.verify(text, pem, log_keys, int(at.timestamp()), tokens, stamped_at=stamped_at)
    assert report.exit_code == other, report.text("en")
    assert report.text("zh")
    assert json.loads(report.to_json())["exit_code"] == report.exit_code
    assert [s.number for s in report.steps] == list(range(1, len(STEPS) + 1))
    return report


def rebuilt(world, sealed, cred, token):
    """A bundle around a forged credential whose entry and proof match it: only the forgery itself is wrong."""
    jwt = cred.partition("~")[0]
    forged = replace(sealed, credential=cred, digest=credential.digest_of(jwt))
    entry = w.issued_entry(forged)
    good = w.bundle_of(world, sealed, token, entry=entry)
    header = json.loads(base64.urlsafe_b64decode(jwt.split(".")[0] + "==="))
    chain = tuple(base64.b64decode(c) for c in header.get("x5c", [])) or good.chain
    return replace(good, credential=cred, chain=chain)


def forge_duplicate_disclosure(key, cred):
    parsed = credential.parse(cred)
    return resign(key, cred, disclosures=[parsed.disclosures[0].encoded] * 2)


def forge_unreferenced(key, cred):
    return resign(key, cred, disclosures=[credential.Disclosure.make("KZ_X", "1", b"1" * 16).encoded])


def forge_duplicate_digest(key, cred):
    digests = credential.parse(cred).jws.payload["_sd"]
    return resign(key, cred, payload={"_sd": [*digests, digests[0]]})


def forge_same_claim_twice(key, cred):
    two = [credential.Disclosure.make("KZ_X", v, v.encode() * 16) for v in "ab"]
    return resign(key, cred, payload={"_sd": [d.digest for d in two]}, disclosures=[d.encoded for d in two])


def forge_claim_named_like_signed_member(key, cred):
    encoded = b64(json.dumps(["s" * 22, "exp", "9"]).encode())
    digest = b64(hashlib.sha256(encoded.encode()).digest())
    return resign(key, cred, payload={"_sd": [digest]}, disclosures=[encoded])


def forge_alg_none(key, cred):
    head = b64(json.dumps({"alg": "none", "typ": "dc+sd-jwt"}).encode())
    return resign(key, cred, token=f"{head}.{cred.split('.')[1]}.")


def forge_hs256_with_public_key(key, cred):
    public = key.certificate.public_key()
    x5c = [base64.b64encode(c).decode() for c in key.chain_der]
    head = b64(json.dumps({"alg": "HS256", "typ": "dc+sd-jwt", "x5c": x5c}).encode())
    signing = f"{head}.{cred.split('.')[1]}"
    pem = public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    return resign(key, cred, token=f"{signing}.{b64(hmac.digest(pem, signing.encode(), 'sha256'))}")


FORGERIES = {
    "duplicate disclosure": (forge_duplicate_disclosure, "FORMAT_FAILURE"),
    "unreferenced disclosure": (forge_unreferenced, "HASH_FAILURE"),
    "duplicate digest": (forge_duplicate_digest, "FORMAT_FAILURE"),
    "same claim twice": (forge_same_claim_twice, "FORMAT_FAILURE"),
    "claim named like a signed member": (forge_claim_named_like_signed_member, "FORMAT_FAILURE"),
    "alg none": (forge_alg_none, "FORMAT_FAILURE"),
    "alg HS256 with the public key": (forge_hs256_with_public_key, "FORMAT_FAILURE"),
    "wrong typ": (lambda k, c: resign(k, c, header={"typ": "JWT"}), "FORMAT_FAILURE"),
    "alg of another key": (lambda k, c: resign(k, c, header={"alg": "ES384"}), "FORMAT_FAILURE"),
    "crit header": (lambda k, c: resign(k, c, header={"crit": ["x"], "x": 1}), "FORMAT_FAILURE"),
    "jwk header": (lambda k, c: resign(k, c, header={"jwk": {}}), "FORMAT_FAILURE"),
    "other hash": (lambda k, c: resign(k, c, payload={"_sd_alg": "md5"}), "FORMAT_FAILURE"),
    "extra claim": (lambda k, c: resign(k, c, payload={"admin": True}), "FORMAT_FAILURE"),
    "text date": (lambda k, c: resign(k, c, payload={"exp": "2030"}), "FORMAT_FAILURE"),
    "float date": (lambda k, c: resign(k, c, payload={"exp": 2e9}), "FORMAT_FAILURE"),
    "truth date": (lambda k, c: resign(k, c, payload={"iat": True}), "FORMAT_FAILURE"),
    "endless date": (lambda k, c: resign(k, c, payload={"exp": 10**17}), "FORMAT_FAILURE"),
    "negative index": (
        lambda k, c: resign(k, c, payload={"status": {"status_list": {"idx": -1, "uri": "x"}}}),
        "FORMAT_FAILURE",
    ),
    "no status": (lambda k, c: resign(k, c, payload={"status": {}}), "FORMAT_FAILURE"),
    "key binding appended": (lambda k, c: c + "a.b.c", "FORMAT_FAILURE"),
    "padding": (lambda k, c: c[:-1] + "=~", "FORMAT_FAILURE"),
    "no tilde": (lambda k, c: c.partition("~")[0], "FORMAT_FAILURE"),
    "other kind": (lambda k, c: resign(k, c, payload={"vct": "zhengtong-licence-kind/X"}), "SIG_CONSTRAINTS_FAILURE"),
    "other iss": (lambda k, c: resign(k, c, payload={"iss": "https://evil.example"}), "SIG_CONSTRAINTS_FAILURE"),
    "broken identifier": (lambda k, c: resign(k, c, payload={"jti": "1.2.156.3005.2.X"}), "FORMAT_FAILURE"),
}
