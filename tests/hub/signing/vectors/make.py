"""Makes `requests.json` beside it: signed requests that are in order, and what must never be taken, each with why.

Run it from the repository: ``python -m tests.hub.signing.vectors.make``. Keys are of fixed numbers and signatures
deterministic, so that the file comes out the same every time. SM2 has no deterministic signatures and is not in it.
"""

from __future__ import annotations

import base64
import hashlib
import json
from pathlib import Path

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature

FILE = Path(__file__).with_name("requests.json")
AT = 1772352000
NONCE = "AAAAAAAAAAAAAAAAAAAAAAAA"
BODY = '{"keys":{"citizen_id":"11010519491231002X"}}'
COVERED = ("@method", "@authority", "@path", "content-digest", "content-type")
ED_ORDER = 2**252 + 27742317777372353535851937790883648493
P256_ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551

ED = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
EC = ec.derive_private_key(7, ec.SECP256R1())


def b64(data):
    return base64.b64encode(data).decode()


def b64url(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def thumbprint(members):
    return b64url(hashlib.sha256(json.dumps(members, separators=(",", ":"), sort_keys=True).encode()).digest())


ED_ID = thumbprint({"crv": "Ed25519", "kty": "OKP", "x": b64url(ED.public_key().public_bytes_raw())})
POINT = EC.public_key().public_numbers()
X, Y = (number.to_bytes(32, "big") for number in (POINT.x, POINT.y))
EC_ID = thumbprint({"crv": "P-256", "kty": "EC", "x": b64url(X), "y": b64url(Y)})
KEYS = {
    ED_ID: f"ed25519:{b64url(ED.public_key().public_bytes_raw())}",
    EC_ID: f"ecdsa-p256-sha256:{b64url(bytes([4]) + X + Y)}",
}


def sign_ed(data):
    return ED.sign(data)


def sign_ec(data):
    r, s = decode_dss_signature(EC.sign(data, ec.ECDSA(hashes.SHA256(), deterministic_signing=True)))
    return r.to_bytes(32, "big") + s.to_bytes(32, "big")


def digest(body=BODY):
    return f"sha-256=:{b64(hashlib.sha256(body.encode()).digest())}:"


def parameters(keyid=ED_ID, alg="ed25519", *, created=AT, nonce=NONCE, tag="zhengtong-call", more=""):
    said = [f"created={created}", f'nonce="{nonce}"', f'keyid="{keyid}"', f'alg="{alg}"', f'tag="{tag}"']
    return "".join(f";{one}" for one in said) + more


def request(*, covered=COVERED, said=None, sign=sign_ed, change=None, label="call", **changes):
    """A signed request, written out by hand: what makes it shares no code with what checks it."""
    plain = {
        "method": "POST",
        "authority": "hub.example",
        "target": "/v1/resources/306010/000001:query",
        "fields": [["content-type", "application/json"], ["content-digest", digest()]],
        "body": BODY,
    } | changes
    fields = dict(map(tuple, plain["fields"]))
    derived = {"@method": plain["method"], "@authority": plain["authority"], "@path": plain["target"].split("?")[0]}
    if "?" in plain["target"]:
        derived["@query"] = "?" + plain["target"].split("?")[1]
    names = " ".join(f'"{name}"' for name in covered)
    said = f"({names})" + (parameters() if said is None else said)
    lines = [f'"{name}": {(derived | fields)[name]}' for name in covered]
    base = "\n".join([*lines, f'"@signature-params": {said}']).encode()
    signature = sign(base)
    plain["fields"] += [
        ["signature-input", f"{label}={said}"],
        ["signature", f"{label}=:{b64(change(signature) if change else signature)}:"],
    ]
    return plain


def with_fields(plain, *more, without=()):
    return {**plain, "fields": [line for line in plain["fields"] if line[0] not in without] + [list(m) for m in more]}


def field(plain, name):
    return next(value for key, value in plain["fields"] if key == name)


def later_s(signature):
    s = int.from_bytes(signature[32:], "little") + ED_ORDER
    return signature[:32] + s.to_bytes(32, "little")


def halves(signature):
    return int.from_bytes(signature[:32], "big"), int.from_bytes(signature[32:], "big")


def pair(r, s):
    return r.to_bytes(32, "big") + s.to_bytes(32, "big")


def cases():
    good, p256 = request(), parameters(EC_ID, "ecdsa-p256-sha256")
    said, value = field(good, "signature-input"), field(good, "signature")
    yield "in order, Ed25519", "taken", good
    yield "in order, P-256", "taken", request(said=p256, sign=sign_ec)
    yield "in order, with a query", "taken", request(covered=(*COVERED, "@query"), target="/v1/x?a=1&b=%2f")
    yield (
        "in order, beside somebody else's signature",
        "taken",
        with_fields(
            good,
            ("signature-input", f'{said}, gw=("@method");created={AT};keyid="gw"'),
            ("signature", f"{value}, gw=:AAAA:"),
            without=("signature-input", "signature"),
        ),
    )
    yield (
        "in order, fields of two signatures on lines of their own",
        "taken",
        with_fields(good, ("signature-input", 'gw=("@method");keyid="gw"'), ("signature", "gw=:AAAA:")),
    )
    yield "signed for another tag", "signature_missing", request(said=parameters(tag="zhengtong-answer"))
    yield "the line twice", "signature_malformed", with_fields(good, ("signature-input", said))
    yield (
        "two for us",
        "signature_malformed",
        with_fields(
            good, ("signature-input", said.replace("call=", "b=")), ("signature", value.replace("call=", "b="))
        ),
    )
    yield (
        "its value under another label",
        "signature_missing",
        with_fields(good, ("signature", value.replace("call=", "other=")), without=("signature",)),
    )
    yield (
        "a folded line",
        "signature_malformed",
        with_fields(good, ("signature-input", said.replace(";tag", "\r\n ;tag")), without=("signature-input",)),
    )
    yield (
        "a component smuggled in by a line break",
        "signature_malformed",
        request(fields=[["content-type", 'application/json\n"@method": GET'], ["content-digest", digest()]]),
    )
    for name in COVERED:
        covered = tuple(one for one in COVERED if one != name)
        yield f"does not cover {name}", "signature_incomplete", request(covered=covered)
    yield "does not cover the query", "signature_incomplete", request(target="/v1/x?a=1")
    yield "a component twice", "signature_malformed", request(covered=(*COVERED, "@method"))
    yield "no nonce", "signature_incomplete", request(said=parameters().replace(f';nonce="{NONCE}"', ""))
    yield "a short nonce", "signature_incomplete", request(said=parameters(nonce="short"))
    yield "no time", "signature_incomplete", request(said=parameters().replace(f";created={AT}", ""))
    yield "a time in quotes", "signature_malformed", request(said=parameters(created=f'"{AT}"'))
    yield "no key", "signature_incomplete", request(said=parameters().replace(f';keyid="{ED_ID}"', ""))
    yield "a parameter that is not known", "signature_malformed", request(said=parameters(more=";x=1"))
    yield "a parameter twice", "signature_malformed", request(said=parameters(more=f";created={AT}"))
    yield "too old", "signature_time", request(said=parameters(created=AT - 300))
    yield "of the future", "signature_time", request(said=parameters(created=AT + 31))
    yield "ended by its own word", "signature_time", request(said=parameters(more=f";expires={AT}"))
    yield "a key that is not known", "signature_key_refused", request(said=parameters("A" * 43))
    yield "another's algorithm", "signature_key_refused", request(said=parameters(alg="ecdsa-p256-sha256"))
    yield "no algorithm at all", "signature_key_refused", request(said=parameters(alg="none"))
    yield (
        "an HMAC with the public key",
        "signature_key_refused",
        request(
            said=parameters(alg="hmac-sha256"),
            sign=lambda data: hashlib.sha256(KEYS[ED_ID].encode() + data).digest(),
        ),
    )
    yield "another's key id", "signature_wrong", request(said=parameters(EC_ID).replace(';alg="ed25519"', ""))
    yield "another method", "signature_wrong", {**good, "method": "PUT"}
    yield "another host", "signature_wrong", {**good, "authority": "hub.example.invalid"}
    yield "another resource", "signature_wrong", {**good, "target": "/v1/resources/306010/000002:query"}
    yield "another spelling of the path", "signature_wrong", {**good, "target": "/v1/resources/306010%2F000001:query"}
    yield "another body", "signature_wrong", {**good, "body": BODY.replace("X", "Y")}
    yield (
        "another body with its digest",
        "signature_wrong",
        with_fields({**good, "body": "{}"}, ("content-digest", digest("{}")), without=("content-digest",)),
    )
    yield (
        "a digest of a kind that proves nothing",
        "signature_incomplete",
        request(fields=[["content-type", "application/json"], ["content-digest", "md5=:AAAAAAAAAAAAAAAAAAAAAA==:"]]),
    )
    yield "Ed25519: s beyond the order", "signature_wrong", request(change=later_s)
    yield "Ed25519: zeros", "signature_wrong", request(change=lambda _: bytes(64))
    yield "Ed25519: the neutral point", "signature_wrong", request(change=lambda _: b"\x01" + bytes(63))
    yield "Ed25519: cut short", "signature_wrong", request(change=lambda one: one[:63])
    yield "Ed25519: a byte more", "signature_wrong", request(change=lambda one: one + b"\0")
    yield "Ed25519: nothing", "signature_wrong", request(change=lambda _: b"")
    faults = {
        "zeros": lambda one: bytes(64),
        "r of zero": lambda one: pair(0, halves(one)[1]),
        "s of zero": lambda one: pair(halves(one)[0], 0),
        "r of the order": lambda one: pair(P256_ORDER, halves(one)[1]),
        "s of the order": lambda one: pair(halves(one)[0], P256_ORDER),
        "r and s of one": lambda one: pair(1, 1),
        "swapped": lambda one: pair(*reversed(halves(one))),
        "as DER": lambda one: encode_dss_signature(*halves(one)),
        "cut short": lambda one: one[:63],
    }
    for name, change in faults.items():
        yield f"P-256: {name}", "signature_wrong", request(said=p256, sign=sign_ec, change=change)


def text():
    """What the file holds."""
    vectors = [{"name": name, "expected": expected, **plain} for name, expected, plain in cases()]
    return json.dumps({"now": AT, "keys": KEYS, "vectors": vectors}, ensure_ascii=False, indent=1) + "\n"


if __name__ == "__main__":
    FILE.write_text(text(), encoding="utf-8")
