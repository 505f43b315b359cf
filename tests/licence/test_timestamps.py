from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
from datetime import timedelta

import pytest
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID
from hypothesis import given, settings
from hypothesis import strategies as st

from licence import chain, der, timestamps
from licence.errors import FormatError, IssueRefusedError
from licence.pdf import cms
from licence.suites import ECDSA_P256_SHA256
from tests.licence import world as w
from tests.licence.pdf import papers as p
from tests.services.postgres import REQUIRED

DATA = b"what existed"
NONCE = 2**63 + 5
TIME = w.AT + timedelta(microseconds=120_000)


@pytest.fixture(scope="module")
def authority(world):
    return p.stamping_key(world.root)


def answer(authority, data=DATA, nonce=NONCE, at=TIME):
    asked = timestamps.parse_request(timestamps.request(data, suite=ECDSA_P256_SHA256, nonce=nonce))
    return timestamps.respond(asked, authority, at=at, serial=12)


@pytest.fixture(scope="module")
def token(authority):
    return timestamps.token_of(answer(authority))


def code_of(call, *arguments, **named):
    with pytest.raises(FormatError) as caught:
        call(*arguments, **named)
    assert caught.value.text("zh")
    return caught.value.code


def test_a_stamp_states_time_serial_and_authority(token, authority):
    stamp = timestamps.verify(
        token,
        [DATA[:4], DATA[4:]],
        suites=p.SUITES,
        policies=frozenset({timestamps.DEMONSTRATION_TSA_POLICY}),
        nonce=NONCE,
    )
    assert (stamp.time, stamp.serial, stamp.suite) == (TIME, 12, ECDSA_P256_SHA256)
    assert stamp.chain == authority.chain_der
    assert timestamps.token_of(answer(authority)) == token


def test_what_differs_is_named(token):
    assert code_of(timestamps.verify, token, [b"other"], suites=p.SUITES) == "timestamp_imprint_differs"
    assert code_of(timestamps.verify, token, [DATA], suites=p.SUITES, nonce=1) == "timestamp_nonce_differs"
    assert code_of(timestamps.verify, token, [DATA], suites=["ed25519"]) == "cms_suite_not_allowed"
    refused = code_of(timestamps.verify, token, [DATA], suites=p.SUITES, policies=frozenset({"1.2.3"}))
    assert refused == "timestamp_policy_not_allowed"
    assert code_of(timestamps.verify, token + b"\0", [DATA], suites=p.SUITES) == "der_trailing_bytes"


def test_a_stamp_asked_for_without_nonce_does_not_answer_one(authority):
    token = timestamps.token_of(answer(authority, nonce=None))
    assert timestamps.verify(token, [DATA], suites=p.SUITES).time == TIME
    assert code_of(timestamps.verify, token, [DATA], suites=p.SUITES, nonce=1) == "timestamp_nonce_differs"


def accept(token, anchors):
    stamp = timestamps.verify(token, [DATA], suites=p.SUITES, nonce=NONCE)
    chain.validate(stamp.chain, anchors, frozenset(p.SUITES))


def test_no_flipped_byte_is_accepted(token, world):
    anchor = frozenset({world.root.certificate.public_bytes(Encoding.DER)})
    for position in range(len(token)):
        forged = bytearray(token)
        forged[position] ^= 1 << position % 8
        with pytest.raises(FormatError):
            accept(bytes(forged), anchor)


def test_no_cut_token_or_response_is_accepted(token, authority):
    response = answer(authority)
    for end in range(0, len(token), 13):
        code_of(timestamps.verify, token[:end], [DATA], suites=p.SUITES)
        code_of(timestamps.token_of, response[:end])


@pytest.mark.parametrize(
    "fault",
    [
        {"purposes": ()},
        {"critical": False},
        {"purposes": (ExtendedKeyUsageOID.CODE_SIGNING,)},
        {"purposes": (ExtendedKeyUsageOID.TIME_STAMPING, ExtendedKeyUsageOID.CODE_SIGNING)},
    ],
)
def test_a_certificate_that_is_not_for_stamping_alone_is_refused(world, fault):
    key = p.stamping_key(world.root, label="no tsa", **fault)
    with pytest.raises(IssueRefusedError):
        answer(key)
    info = der.read(cms.parse(timestamps.token_of(answer(p.stamping_key(world.root))), "x").content, "x").raw
    digest = hashlib.sha256(info).digest()
    forged = cms.sign(key, content_digest=digest, content_type=timestamps.TST_INFO, content=info)
    assert code_of(timestamps.verify, forged, [DATA], suites=p.SUITES) == "timestamp_certificate_purpose"


def signed_info(authority, *parts):
    info = der.write(der.SEQUENCE, *parts)
    return cms.sign(
        authority, content_digest=hashlib.sha256(info).digest(), content_type=timestamps.TST_INFO, content=info
    )


def info_parts(time=None, version=1):
    imprint = der.write(
        der.SEQUENCE,
        der.write(der.SEQUENCE, der.write_oid(cms.SHA256_OID)),
        der.write(der.OCTET_STRING, hashlib.sha256(DATA).digest()),
    )
    return [
        der.write_integer(version),
        der.write_oid("1.2.3"),
        imprint,
        der.write_integer(5),
        time or der.write_time(TIME),
    ]


def test_optional_parts_are_read(authority):
    name = cms.certificate_identity(authority.chain_der[0]).subject
    tsa = der.write(0xA0, der.write(0xA4, name))
    accuracy = der.write(der.SEQUENCE, der.write_integer(1))
    token = signed_info(authority, *info_parts(), accuracy, b"\x01\x01\xff", der.write_integer(9), tsa)
    assert timestamps.verify(token, [DATA], suites=p.SUITES, nonce=9).serial == 5
    other = der.write(0xA0, der.write(0xA4, der.write(der.SEQUENCE)))
    refused = code_of(timestamps.verify, signed_info(authority, *info_parts(), other), [DATA], suites=p.SUITES)
    assert refused == "timestamp_name_differs"


@pytest.mark.parametrize(
    "parts",
    [
        info_parts(version=2),
        info_parts()[:4],
        [*info_parts(), b"\x01\x01\x00"],
        [*info_parts(), der.write(0xA1, b"")],
        [*info_parts(), der.write_integer(1), der.write_integer(1)],
        [*info_parts(), der.write(der.INTEGER, bytes([1] * 40))],
        info_parts(time=der.write(0x18, b"20250301080000")),
        info_parts(time=der.write(0x18, b"20250301080000.100Z")),
        info_parts(time=der.write(0x18, b"20251301080000Z")),
        info_parts(time=der.write(0x17, b"250301080000Z")),
    ],
)
def test_strange_statements_are_refused(authority, parts):
    assert code_of(timestamps.verify, signed_info(authority, *parts), [DATA], suites=p.SUITES) == "der_invalid"


def test_refusal_of_an_authority_is_named():
    status = der.write(der.SEQUENCE, der.write(der.SEQUENCE, der.write_integer(2)))
    assert code_of(timestamps.token_of, status) == "timestamp_refused"


def test_requests_that_are_not_answered(authority):
    good = timestamps.request(DATA, suite=ECDSA_P256_SHA256, nonce=7)
    for bad in (
        b"",
        good + b"\0",
        good[:-3] + b"\x01\x01\x01",
        good.replace(hashlib.sha256(DATA).digest(), bytes(32))[:-1],
    ):
        with pytest.raises(FormatError):
            timestamps.parse_request(bad)
    asked = timestamps.parse_request(good)
    with pytest.raises(IssueRefusedError):
        timestamps.respond(asked, authority, at=TIME.replace(tzinfo=None), serial=1)
    with pytest.raises(IssueRefusedError):
        timestamps.respond(asked, authority, at=TIME, serial=0)
    with pytest.raises(IssueRefusedError):
        timestamps.request(DATA, suite=ECDSA_P256_SHA256, nonce=-1)
    with pytest.raises(IssueRefusedError):
        timestamps.request(DATA, suite="none", nonce=1)


@settings(max_examples=25, deadline=None)
@given(st.binary(max_size=50), st.one_of(st.none(), st.integers(0, 2**200)))
def test_a_request_reads_back(data, nonce):
    asked = timestamps.parse_request(timestamps.request(data, suite=ECDSA_P256_SHA256, nonce=nonce))
    assert (asked.imprint, asked.nonce) == (hashlib.sha256(data).digest(), nonce)


def test_openssl_accepts_ours_and_we_accept_its_request(tmp_path, authority, world):
    if shutil.which("openssl") is None:
        why = "the openssl command is not installed"
        (pytest.fail if os.environ.get(REQUIRED) == "1" else pytest.skip)(why)
    (tmp_path / "data").write_bytes(DATA)
    (tmp_path / "ca.pem").write_bytes(world.root.certificate.public_bytes(Encoding.PEM))
    run = {"cwd": tmp_path, "capture_output": True, "text": True}
    made = subprocess.run(
        ["openssl", "ts", "-query", "-data", "data", "-sha256", "-cert", "-out", "q.tsq"], check=True, **run
    )
    asked = timestamps.parse_request((tmp_path / "q.tsq").read_bytes())
    assert asked.nonce is not None
    (tmp_path / "r.tsr").write_bytes(timestamps.respond(asked, authority, at=TIME, serial=99))
    command = ["openssl", "ts", "-verify", "-in", "r.tsr", "-CAfile", "ca.pem", "-attime", str(int(TIME.timestamp()))]
    done = subprocess.run([*command, "-queryfile", "q.tsq"], check=False, **run)
    assert "Verification: OK" in done.stdout + done.stderr, made.stderr + done.stderr
    (tmp_path / "data").write_bytes(b"other")
    done = subprocess.run([*command, "-data", "data"], check=False, **run)
    assert "Verification: FAILED" in done.stdout + done.stderr
