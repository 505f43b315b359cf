"""Seals as the standards have them, with SM2 and SM3, and what OpenSSL says of their signatures."""

from __future__ import annotations

import os
import shutil
import subprocess

import pytest
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

from licence.report import Verdict
from licence.seals.structure import V4, V5, parse_signature
from licence.seals.verify import verify_seal, verify_signature
from licence.suites import SM2_SM3
from tests.licence.seals import city as c
from tests.licence.seals import plain

OID = "1.2.156.10197.1.501"


@pytest.fixture(scope="module")
def city():
    return c.make_city(SM2_SM3)


@pytest.fixture(scope="module")
def signature(city):
    return c.applied(city, c.new_seal(city))


def judge(city, data):
    return verify_signature(data, c.DIGEST, city.trust, c.AT)


@pytest.mark.parametrize("version", [V4, V5])
@pytest.mark.parametrize("hashed", [False, True])
def test_made_applied_and_verified(city, version, hashed):
    seal = c.new_seal(city, version=version, hashed=hashed)
    assert verify_seal(seal.raw, city.trust, c.AT).verdict is Verdict.PASSED
    report = judge(city, c.applied(city, seal).raw)
    assert report.verdict is Verdict.PASSED, report.text("en")
    assert dict(report.step("signature").params)["suite"] == SM2_SM3


@pytest.mark.parametrize("version", [1, 4, 5])
def test_the_second_encoder(city, version):
    info = plain.info(
        version, custodians=[plain.octets(city.custodian.chain_der[0])], created=c.MADE, starts=c.STARTS, ends=c.ENDS
    )
    maker = {"cert": city.maker.chain_der[0], "oid": OID, "sign": city.maker.sign_der}
    custodian = {"cert": city.custodian.chain_der[0], "oid": OID, "sign": city.custodian.sign_der, "digest": c.DIGEST}
    if version == 1:
        data = plain.signature_v1(plain.seal_v1(info, **maker), time_info=plain.utc(c.SIGNED), **custodian)
    else:
        data = plain.signature(version, plain.seal(info, **maker), at=c.SIGNED, **custodian)
    report = judge(city, data)
    assert report.verdict is Verdict.PASSED, report.text("en")


def test_no_byte_may_change(city, signature):
    for i in range(len(signature.raw)):
        altered = bytearray(signature.raw)
        altered[i] ^= 1 << i % 8
        assert judge(city, bytes(altered)).verdict is not Verdict.PASSED, i


def test_a_value_of_64_bytes(city, signature):
    value = b"".join(v.to_bytes(32, "big") for v in decode_dss_signature(signature.signature))
    tail = plain.octets(city.custodian.chain_der[0]) + plain.OIDS[OID] + plain.bits(value)
    assert judge(city, plain.seq(signature.tbs, tail)).verdict is Verdict.PASSED


def test_p256_is_not_what_this_city_trusts(city):
    other = c.make_city()
    data = c.applied(other, c.new_seal(other)).raw
    report = judge(city, data)
    assert (report.verdict, report.step("signature").code) == (Verdict.FAILED, "seal_algorithm_not_allowed")


@pytest.mark.service
def test_openssl_verifies_both_signatures(tmp_path, signature):
    openssl = shutil.which("openssl")
    if openssl is None:
        if os.environ.get("ZHENGTONG_REQUIRE_SERVICES") == "1":
            pytest.fail("the openssl command is required here")
        pytest.skip("the openssl command is not installed")
    signed = parse_signature(signature.raw)
    for name, part in (("signature", signed), ("seal", signed.signed.seal)):
        files = {n: tmp_path / f"{name}.{n}" for n in ("cer", "pub", "tbs", "sig")}
        files["cer"].write_bytes(part.certificate)
        files["tbs"].write_bytes(part.tbs)
        files["sig"].write_bytes(part.signature)
        key = subprocess.run(
            [openssl, "x509", "-inform", "DER", "-in", files["cer"], "-noout", "-pubkey"],
            capture_output=True,
            check=True,
        )
        files["pub"].write_bytes(key.stdout)
        command = [openssl, "dgst", "-sm3", "-verify", files["pub"], "-sigopt", "distid:1234567812345678"]
        command += ["-signature", files["sig"]]
        good = subprocess.run([*command, files["tbs"]], capture_output=True, text=True, check=False)
        assert (good.returncode, good.stdout.strip()) == (0, "Verified OK"), good.stderr
        files["tbs"].write_bytes(part.tbs[:-1] + bytes([part.tbs[-1] ^ 1]))
        bad = subprocess.run([*command, files["tbs"]], capture_output=True, text=True, check=False)
        assert bad.returncode != 0
