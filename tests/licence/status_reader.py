"""A reader of Token Status Lists that shares no code with ours: written from the draft, standard library and
`cryptography` alone. It says the value of an entry once the signature fits the leaf certificate: that beside the token,
or the one whose digest a CWT names, among those handed over."""

from __future__ import annotations

import base64
import hashlib
import json
import zlib

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, utils


def b64(text):
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def entry(bits, compressed, idx):
    packed = zlib.decompress(compressed)
    return packed[idx * bits // 8] >> (idx * bits % 8) & ((1 << bits) - 1)


def check(leaf, data, signature):
    key = x509.load_der_x509_certificate(leaf).public_key()
    r, s = int.from_bytes(signature[:32], "big"), int.from_bytes(signature[32:], "big")
    key.verify(utils.encode_dss_signature(r, s), data, ec.ECDSA(hashes.SHA256()))


def read_jwt(text, idx, *, signed=True):
    head, body, signature = text.split(".")
    header, claims = json.loads(b64(head)), json.loads(b64(body))
    assert header["typ"] == "statuslist+jwt"
    if signed:
        check(base64.b64decode(header["x5c"][0]), f"{head}.{body}".encode(), b64(signature))
    found = claims["status_list"]
    return entry(found["bits"], b64(found["lst"]), idx), claims


def read_cwt(data, idx, *, signed=True, certificates=()):
    tag, rest = item(data)
    assert rest == b""
    assert tag[0] == 18
    protected, unprotected, payload, signature = tag[1]
    header, claims = item(protected)[0], item(payload)[0]
    assert header[16] == "application/statuslist+cwt"
    if signed:
        chain = unprotected.get(33, list(certificates))
        beside = [chain] if isinstance(chain, bytes) else chain
        (leaf,) = [one for one in beside if header[34] == [-16, hashlib.sha256(one).digest()]]
        structure = (
            b"\x84\x6aSignature1" + head(2, len(protected)) + protected + b"\x40" + head(2, len(payload)) + payload
        )
        check(leaf, structure, signature)
    found = claims[65533]
    return entry(found["bits"], found["lst"], idx), claims


def head(major, length):
    size = next(size for size in (0, 1, 2, 4) if length < (24 if size == 0 else 1 << 8 * size))
    short = length if size == 0 else {1: 24, 2: 25, 4: 26}[size]
    return bytes([major << 5 | short]) + (length.to_bytes(size, "big") if size else b"")


def item(data):
    major, short, data = data[0] >> 5, data[0] & 31, data[1:]
    size = {24: 1, 25: 2, 26: 4, 27: 8}.get(short, 0)
    value, data = (int.from_bytes(data[:size], "big"), data[size:]) if size else (short, data)
    if major == 0:
        return value, data
    if major == 1:
        return -1 - value, data
    if major == 2:
        return data[:value], data[value:]
    if major == 3:
        return data[:value].decode(), data[value:]
    if major == 6:
        inner, data = item(data)
        return (value, inner), data
    found = []
    for _ in range(value * (2 if major == 5 else 1)):
        one, data = item(data)
        found.append(one)
    return (dict(zip(found[::2], found[1::2], strict=True)) if major == 5 else found), data
