"""Sealing by hand writes the same bytes as the plain way: `json.dumps` and base64 one by one."""

from __future__ import annotations

import base64
import hashlib
import json

from hypothesis import given, settings
from hypothesis import strategies as st

from licence import credential, jose
from licence.identifiers import LicenceIdentifier, check_char
from licence.model import StatusRef
from licence.wallet.jwk import to_jwk
from tests.licence import world as w

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=60)
NAMES = st.from_regex(r"[A-Za-z][A-Za-z0-9_]{0,20}", fullmatch=True).filter(
    lambda name: name not in {"iss", "jti", "iat", "nbf", "vct", "status", "exp", "cnf"}
)
CLAIMS = st.dictionaries(NAMES, TEXT | st.booleans(), max_size=12)


def plain_b64(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def plain_json(value):
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode()


def plain_seal(key, claims, salts, *, jti, vct, times, status, holder):
    issued_at, not_before, expires_at = times
    disclosures = [plain_b64(plain_json([plain_b64(s), *claim])) for claim, s in zip(claims, salts, strict=True)]
    payload = {"iss": key.issuer_uri, "jti": jti, "iat": issued_at, "nbf": not_before}
    if expires_at is not None:
        payload["exp"] = expires_at
    payload |= {"vct": vct, "status": {"status_list": {"idx": status.idx, "uri": status.uri}}}
    if holder is not None:
        payload["cnf"] = {"jwk": to_jwk(holder)}
    digests = sorted(plain_b64(hashlib.sha256(one.encode()).digest()) for one in disclosures)
    payload |= {"_sd_alg": "sha-256", "_sd": digests}
    x5c = [base64.b64encode(c).decode() for c in key.chain_der]
    header = plain_json({"alg": "ES256", "typ": "dc+sd-jwt", "x5c": x5c})
    signing_input = f"{plain_b64(header)}.{plain_b64(plain_json(payload))}"
    return "~".join([f"{signing_input}.{plain_b64(key.sign(signing_input.encode()))}", *disclosures, ""])


@settings(max_examples=25)
@given(
    claims=CLAIMS,
    seed=st.binary(min_size=1, max_size=8),
    salt_bytes=st.integers(16, 33),
    said=st.fixed_dictionaries({"jti": TEXT, "vct": TEXT, "uri": TEXT, "ends": st.booleans(), "bound": st.booleans()}),
    numbers=st.tuples(*[st.integers(0, 2**40)] * 4),
)
def test_the_same_bytes(world, claims, seed, salt_bytes, said, numbers):  # noqa: PLR0917 - hypothesis names them
    salts = [hashlib.shake_128(seed + bytes([i])).digest(salt_bytes) for i in range(len(claims))]
    jti, vct, status = said["jti"], said["vct"], StatusRef(said["uri"], numbers[3])
    times = (numbers[0], numbers[1], numbers[2] if said["ends"] else None)
    holder = world.agriculture.public_key if said["bound"] else None
    plain = plain_seal(
        world.agriculture, claims.items(), salts, jti=jti, vct=vct, times=times, status=status, holder=holder
    )
    assert plain == credential.seal(
        world.agriculture,
        jti=jti,
        vct=vct,
        issued_at=times[0],
        not_before=times[1],
        expires_at=times[2],
        status=status,
        claims=list(claims.items()),
        salts=salts,
        holder=holder,
    )


@settings(max_examples=25)
@given(parts=st.lists(st.binary(max_size=40), max_size=8))
def test_base64_of_many_is_that_of_each(parts):
    assert jose.b64url_each(parts) == [plain_b64(p) for p in parts] == [jose.b64url(p) for p in parts]


@settings(max_examples=25)
@given(serial=st.from_regex(r"[0-9A-Z]{1,32}", fullmatch=True), version=st.integers(1, 999))
def test_the_check_character_is_that_of_the_whole(serial, version):
    one = LicenceIdentifier(w.KIND.code, "11430000006122244L", serial, version)
    assert one.check == check_char(f"{one.type_code}{one.issuer}{serial}{version:03d}")
    assert LicenceIdentifier.parse(str(one)) == one
