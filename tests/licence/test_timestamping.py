"""The demonstration authority answers as RFC 3161 wants: openssl and pyHanko take its tokens, and refusals are told."""

from __future__ import annotations

import asyncio
import hashlib
import itertools
import os
import shutil
import subprocess

import pytest

from licence import der, timestamps
from licence.errors import FormatError, IssueRefusedError
from licence.keys import pem_bundle
from licence.timestamping import TimeStampingAuthority, stamp
from tests.licence import world as w
from tests.licence.pdf import archives as a
from tests.services.postgres import REQUIRED

DATA = b"what existed"


def test_serials_and_time_are_those_given():
    authority = a.stamper(first=7)
    tokens = [stamp(authority, DATA, suites=a.SUITES) for _ in range(2)]
    found = [timestamps.verify(t, [DATA], suites=a.SUITES) for t in tokens]
    assert [(f.serial, f.time) for f in found] == [(7, a.STAMPED), (8, a.STAMPED)]
    assert stamp(a.stamper(first=7), DATA, suites=a.SUITES) == tokens[0]


@pytest.mark.parametrize("request_", [b"", b"\x30\x00", b"\x30\x03\x02\x01\x01", b"\xff" * 5000])
def test_what_is_no_request_is_rejected_and_costs_no_serial(request_):
    authority = a.stamper(first=7)
    with pytest.raises(FormatError) as caught:
        timestamps.token_of(authority(request_))
    assert caught.value.code == "timestamp_refused"
    assert next(authority.serials) == 7


def test_another_policy_is_rejected():
    asked = timestamps.request(DATA, suite=a.SUITES[0], nonce=None)
    version, imprint, wanted = der.read(asked, "x").children("x")
    other = der.write(der.SEQUENCE, version.raw, imprint.raw, der.write_oid("1.2.3"), wanted.raw)
    with pytest.raises(FormatError) as caught:
        timestamps.token_of(a.stamper()(other))
    assert caught.value.code == "timestamp_refused"


def test_an_authority_without_serials_or_with_another_key_stamps_nothing():
    asked = timestamps.request(DATA, suite=a.SUITES[0], nonce=None)
    for unfit in (
        TimeStampingAuthority(a.stamping_key(), lambda: a.STAMPED, iter(())),
        TimeStampingAuthority(a.stamping_key(), lambda: a.STAMPED.replace(tzinfo=None), itertools.count(1)),
        TimeStampingAuthority(a.signing_key(), lambda: a.STAMPED, itertools.count(1)),
    ):
        with pytest.raises(IssueRefusedError):
            unfit(asked)


def test_the_nonce_asked_with_must_come_back():
    authority = a.stamper()
    old = authority(timestamps.request(DATA, suite=a.SUITES[0], nonce=1))
    assert stamp(authority, DATA, suites=a.SUITES, nonce=2)
    with pytest.raises(FormatError) as caught:
        stamp(lambda _: old, DATA, suites=a.SUITES, nonce=2)
    assert caught.value.code == "timestamp_nonce_differs"
    with pytest.raises(IssueRefusedError):
        stamp(authority, DATA, suites=())


def test_openssl_verifies_the_answer(tmp_path):
    if shutil.which("openssl") is None:
        (pytest.fail if os.environ.get(REQUIRED) == "1" else pytest.skip)("openssl is not installed")
    (tmp_path / "data").write_bytes(DATA)
    (tmp_path / "root.pem").write_bytes(pem_bundle(a.world().trust.anchors))
    query = ["openssl", "ts", "-query", "-data", tmp_path / "data", "-sha256", "-cert", "-out", tmp_path / "q"]
    subprocess.run(query, check=True, capture_output=True)
    (tmp_path / "answer").write_bytes(a.stamper()((tmp_path / "q").read_bytes()))
    verify = ["openssl", "ts", "-verify", "-in", tmp_path / "answer", "-CAfile", tmp_path / "root.pem"]
    verify += ["-attime", str(int(w.AT.timestamp()))]
    for asked in (["-queryfile", tmp_path / "q"], ["-data", tmp_path / "data"]):
        done = subprocess.run([*verify, *asked], check=False, capture_output=True)
        assert b"Verification: OK" in done.stdout + done.stderr, done.stderr
    (tmp_path / "data").write_bytes(b"other")
    assert subprocess.run([*verify, "-data", tmp_path / "data"], check=False, capture_output=True).returncode


def test_pyhanko_verifies_the_token():
    pytest.importorskip("pyhanko", reason="needs the extra `documents`")
    from asn1crypto import cms as peer
    from asn1crypto import x509
    from pyhanko.sign.validation.generic_cms import validate_tst_signed_data
    from pyhanko_certvalidator import ValidationContext

    token = stamp(a.stamper(), DATA, suites=a.SUITES)
    context = ValidationContext(
        trust_roots=[x509.Certificate.load(next(iter(a.anchors())))],
        moment=w.AT,
        allow_fetching=False,
        revocation_mode="soft-fail",
    )
    signed = peer.ContentInfo.load(token)["content"]
    found = asyncio.run(validate_tst_signed_data(signed, context, lambda _: hashlib.sha256(DATA).digest()))
    assert (found["intact"], found["valid"], found["timestamp"]) == (True, True, a.STAMPED)
    assert found["validation_path"] is not None
