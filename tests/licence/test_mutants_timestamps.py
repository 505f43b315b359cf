"""Requests, answers and tokens of a time-stamping authority at each limit, and in every form that is not taken.

Bytes and limits are written out here: a test that took them from the module would move with them.
"""

from __future__ import annotations

import hashlib
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from cryptography.x509.oid import ExtendedKeyUsageOID

from licence import authority as authorities
from licence import der, timestamps
from licence.errors import FormatError, IssueRefusedError
from licence.pdf import cms
from licence.suites import ECDSA_P256_SHA256, ML_DSA_65
from tests.licence import world as w
from tests.licence.pdf import papers as p

DATA = b"what existed"
DIGEST = hashlib.sha256(DATA).digest()
POLICY = "2.25.63029289837159938694609224814783922967"
SHA256 = bytes.fromhex("0609608648016503040201")
SHA1 = bytes.fromhex("06052b0e03021a")
NULL, TRUE, FALSE = b"\x05\x00", b"\x01\x01\xff", b"\x01\x01\x00"
ONE, FIVE = b"\x02\x01\x01", b"\x02\x01\x05"
AT = der.write(0x18, b"20250301100000Z")
LONGEST = b"\x02\x20\x7f" + b"\xff" * 31


@pytest.fixture(scope="module")
def authority(world):
    return p.stamping_key(world.root)


def refused(work, *arguments, **named):
    with pytest.raises(FormatError) as caught:
        work(*arguments, **named)
    return caught.value


def told(fault):
    return fault.code, fault.finding_params["what"]


def refused_to_issue(work, *arguments, **named):
    with pytest.raises(IssueRefusedError) as caught:
        work(*arguments, **named)
    return caught.value.code


def sequence(*parts):
    return der.write(0x30, *parts)


def imprint(*parameters, oid=SHA256, digest=DIGEST):
    return sequence(sequence(oid, *parameters), der.write(0x04, digest))


GOOD = imprint()
STRANGE_IMPRINTS = [
    sequence(),
    sequence(sequence(SHA256)),
    sequence(sequence(SHA256), der.write(0x04, DIGEST), NULL),
    sequence(sequence(), der.write(0x04, DIGEST)),
    sequence(SHA256, der.write(0x04, DIGEST)),
    sequence(sequence(NULL), der.write(0x04, DIGEST)),
    sequence(sequence(SHA256), der.write(0x03, DIGEST)),
    imprint(ONE),
    imprint(NULL, NULL),
    imprint(NULL, ONE),
    der.write(0x31, sequence(SHA256), der.write(0x04, DIGEST)),
]


# Requests.


def test_a_request_has_the_form_of_the_standard():
    assert timestamps.request(DATA, suite=ECDSA_P256_SHA256, nonce=None) == sequence(ONE, GOOD, TRUE)
    assert timestamps.request(DATA, suite=ECDSA_P256_SHA256, nonce=7) == sequence(ONE, GOOD, b"\x02\x01\x07", TRUE)


@pytest.mark.parametrize(
    ("nonce", "good"), [(0, True), (2**255 - 1, True), (-1, False), (2**255, False), (2**256, False)]
)
def test_a_nonce_is_not_negative_and_has_32_bytes_at_most(nonce, good):
    if good:
        written = timestamps.request(DATA, suite=ECDSA_P256_SHA256, nonce=nonce)
        assert timestamps.parse_request(written).nonce == nonce
    else:
        refusal = refused_to_issue(timestamps.request, DATA, suite=ECDSA_P256_SHA256, nonce=nonce)
        assert refusal == "timestamp_request_invalid"


@pytest.mark.parametrize("suite", [ML_DSA_65, "none"])
def test_a_suite_that_has_no_form_in_cms_asks_for_nothing(suite):
    assert refused_to_issue(timestamps.request, DATA, suite=suite, nonce=None) == "cms_suite_without_form"


@pytest.mark.parametrize(
    ("parts", "policy", "nonce", "certificates"),
    [
        ((), b"", None, False),
        ((FALSE,), b"", None, False),
        ((TRUE,), b"", None, True),
        ((der.write_oid("1.2.3"),), der.write_oid("1.2.3"), None, False),
        ((LONGEST,), b"", 2**255 - 1, False),
        ((der.write_oid("1.2.3"), ONE, TRUE), der.write_oid("1.2.3"), 1, True),
        ((der.write_oid("1.2.3"), FALSE), der.write_oid("1.2.3"), None, False),
        ((ONE, TRUE), b"", 1, True),
    ],
)
@pytest.mark.parametrize("null", [(), (NULL,)])
def test_each_part_that_a_request_may_leave_out_may_be_there(null, parts, policy, nonce, certificates):
    asked = timestamps.parse_request(sequence(ONE, imprint(*null), *parts))
    assert asked == timestamps.Request(SHA256, DIGEST, nonce, policy, certificates)


@pytest.mark.parametrize(
    "parts",
    [
        (),
        (ONE,),
        (b"\x02\x01\x00", GOOD),
        (b"\x02\x01\x02", GOOD),
        (ONE, GOOD, NULL),
        (ONE, GOOD, b"\x01\x01\x01"),
        (ONE, GOOD, ONE, der.write_oid("1.2.3")),
        (ONE, GOOD, TRUE, ONE),
        (ONE, GOOD, TRUE, TRUE),
        (ONE, GOOD, ONE, ONE),
        (ONE, GOOD, der.write_oid("1.2.3"), der.write_oid("1.2.3")),
        (ONE, GOOD, TRUE, der.write(0xA0, NULL)),
        (ONE, GOOD, der.write(0xA0, NULL)),
        (ONE, imprint(oid=SHA1, digest=DIGEST[:20])),
        (ONE, imprint(oid=SHA1)),
        (ONE, imprint(digest=DIGEST[:20])),
        (ONE, imprint(digest=DIGEST + b"\0")),
    ],
)
def test_other_requests_are_not_answered(parts):
    assert refused(timestamps.parse_request, sequence(*parts)).code == "timestamp_request_invalid"


@pytest.mark.parametrize("strange", STRANGE_IMPRINTS)
def test_an_imprint_is_one_algorithm_and_one_digest(authority, strange):
    assert told(refused(timestamps.parse_request, sequence(ONE, strange))) == ("der_invalid", "time stamp")
    assert told(refused(check, token_with(authority, statement=strange))) == ("der_invalid", "time stamp")


@pytest.mark.parametrize("nonce", [b"\x02\x21\x01" + bytes(32), b"\x02\x02\x00\x01", b"\x02\x00"])
def test_too_long_or_padded_a_nonce_is_none(authority, nonce):
    assert told(refused(timestamps.parse_request, sequence(ONE, GOOD, nonce))) == ("der_invalid", "time stamp")
    assert told(refused(check, token_with(authority, nonce))) == ("der_invalid", "time stamp")


@pytest.mark.parametrize(
    "data", [der.write(0x31, ONE, GOOD), ONE, b"", sequence(ONE, GOOD) + b"\0", sequence(GOOD, GOOD)]
)
def test_a_request_is_one_sequence_that_begins_with_a_number(data):
    assert told(refused(timestamps.parse_request, data))[1] == "time stamp"


@pytest.mark.parametrize(
    ("work", "limit"),
    [
        (timestamps.parse_request, 4096),
        (timestamps.token_of, 65536),
        (lambda data: timestamps.verify(data, [DATA], suites=p.SUITES), 65536),
    ],
)
def test_no_more_is_read_than_the_limit(work, limit):
    assert refused(work, bytes(limit)).code != "too_large"
    fault = refused(work, bytes(limit + 1))
    assert (told(fault), fault.finding_params["limit"]) == (("too_large", "time stamp"), str(limit))


# Answers.


def asked(**changes):
    return replace(timestamps.Request(SHA256, DIGEST, None, b"", with_certificates=True), **changes)


def answered(authority, request, at=w.AT, serial=1):
    return timestamps.respond(request, authority, at=at, serial=serial)


@pytest.mark.parametrize("serial", [0, -1])
def test_a_serial_number_is_positive(authority, serial):
    assert refused_to_issue(answered, authority, asked(), serial=serial) == "timestamp_request_invalid"
    assert check(timestamps.token_of(answered(authority, asked()))).serial == 1


def test_only_the_authoritys_own_policy_is_stated(authority):
    for policy in (b"", der.write_oid(POLICY)):
        token = timestamps.token_of(answered(authority, asked(policy=policy)))
        assert check(token, policies=frozenset({POLICY})).policy == der.write_oid(POLICY)
    assert refused_to_issue(answered, authority, asked(policy=der.write_oid("1.2.3"))) == "timestamp_request_invalid"
    fault = refused(check, token, policies=frozenset({"1.2.3"}))
    assert (fault.code, fault.finding_params["policy"]) == (
        "timestamp_policy_not_allowed",
        der.write_oid(POLICY).hex(),
    )


def test_a_time_without_zone_is_not_stated(authority):
    assert refused_to_issue(answered, authority, asked(), at=datetime(2025, 3, 1)) == "time_not_aware"  # noqa: DTZ001 - what is tested


def test_a_key_for_other_things_stamps_nothing(world):
    assert refused_to_issue(answered, world.agriculture, asked()) == "timestamp_certificate_purpose"


def test_a_key_whose_suite_has_no_form_in_cms_stamps_nothing(authority):
    class Signer:
        suite, chain_der = ML_DSA_65, authority.chain_der

        def sign(self, data):
            raise AssertionError("asked to sign")

    assert refused_to_issue(answered, Signer(), asked()) == "cms_suite_without_form"


def test_certificates_are_enclosed_for_whoever_asked(authority):
    bare = timestamps.token_of(answered(authority, asked(with_certificates=False)))
    assert authority.chain_der[0] not in bare
    fault = refused(check, bare)
    assert fault.sub_indication == "NO_SIGNING_CERTIFICATE_FOUND"
    assert authority.chain_der[0] in timestamps.token_of(answered(authority, asked()))


@pytest.mark.parametrize("nonce", [None, 0, 5])
def test_the_answer_repeats_the_nonce(authority, nonce):
    token = timestamps.token_of(answered(authority, asked(nonce=nonce)))
    assert check(token, nonce=nonce)
    assert refused(check, token, nonce=6).code == "timestamp_nonce_differs"
    if nonce is not None:
        assert check(token)


def test_an_answer_is_granted_or_granted_with_changes(authority):
    response = answered(authority, asked())
    assert der.read(response, "x").children("x")[0].raw == bytes.fromhex("3003020100")
    token = timestamps.token_of(response)
    for status in (b"\x02\x01\x00", b"\x02\x01\x01"):
        assert timestamps.token_of(sequence(sequence(status), token)) == token
    # A text why it was changed, beside the status.
    assert timestamps.token_of(sequence(sequence(ONE, sequence()), token)) == token
    for number in (2, 5, 100, -1):
        fault = refused(timestamps.token_of, sequence(sequence(der.write_integer(number)), token))
        assert (fault.code, fault.finding_params["status"]) == ("timestamp_refused", str(number))


def test_of_a_long_status_the_beginning_is_shown():
    fault = refused(timestamps.token_of, sequence(sequence(der.write_integer(10**30))))
    assert fault.finding_params["status"] == "10000000"


@pytest.mark.parametrize(
    "response",
    [
        sequence(),
        sequence(sequence()),
        sequence(ONE),
        sequence(sequence(b"\x02\x01\x00")),
        sequence(sequence(b"\x02\x01\x00"), NULL, NULL),
        sequence(sequence(NULL), NULL),
        der.write(0x31, sequence(b"\x02\x01\x00"), NULL),
        b"",
    ],
)
def test_an_answer_is_a_status_and_a_token(response):
    assert told(refused(timestamps.token_of, response)) == ("der_invalid", "time stamp")


# Tokens.


def signed(authority, info, **changes):
    arguments = {
        "content_digest": hashlib.sha256(info).digest(),
        "content_type": "1.2.840.113549.1.9.16.1.4",
        "content": info,
    }
    return cms.sign(authority, **(arguments | changes))


def token_with(authority, *more, statement=GOOD, start=None):
    """A token that states *statement*, its optional parts *more*."""
    if start is None:
        start = [ONE, der.write_oid("1.2.3"), statement, FIVE, AT]
    return signed(authority, sequence(*start, *more))


def check(token, **named):
    return timestamps.verify(token, [DATA], **({"suites": p.SUITES} | named))


def test_a_token_states_a_time_a_serial_number_and_a_policy(authority):
    stamp = check(token_with(authority))
    assert (stamp.time, stamp.serial, stamp.policy) == (datetime(2025, 3, 1, 10, tzinfo=UTC), 5, der.write_oid("1.2.3"))
    assert (stamp.chain, stamp.suite) == (authority.chain_der, ECDSA_P256_SHA256)
    assert check(token_with(authority, statement=imprint(NULL))) == stamp


def name_of(authority, *changes):
    subject = cms.certificate_identity(authority.chain_der[0]).subject
    return changes[0](subject) if changes else der.write(0xA0, der.write(0xA4, subject))


ACCURACY = sequence(ONE)


@pytest.mark.parametrize("accuracy", [(), (ACCURACY,)])
@pytest.mark.parametrize("ordering", [(), (TRUE,)])
@pytest.mark.parametrize("nonce", [(), (LONGEST,)])
@pytest.mark.parametrize("named", [False, True])
def test_each_part_that_a_token_may_leave_out_may_be_there(authority, accuracy, ordering, nonce, named):
    name = (name_of(authority),) if named else ()
    token = token_with(authority, *accuracy, *ordering, *nonce, *name)
    assert check(token, nonce=2**255 - 1 if nonce else None).serial == 5


@pytest.mark.parametrize(
    "parts",
    [
        (ACCURACY, ACCURACY),
        (TRUE, ACCURACY),
        (TRUE, TRUE),
        (FALSE,),
        (b"\x01\x01\x01",),
        (ONE, TRUE),
        (ONE, ONE),
        (NULL,),
        (ONE, NULL),
        (der.write(0xA1, NULL),),
        (ONE, der.write(0xA1, NULL)),
        (der.write(0xA1, NULL), ONE),
    ],
)
def test_parts_of_a_token_come_once_in_their_order_and_none_is_unknown(authority, parts):
    assert told(refused(check, token_with(authority, *parts))) == ("der_invalid", "time stamp")


@pytest.mark.parametrize("after", [der.write(0xA1, NULL), ONE, NULL])
def test_nothing_follows_the_authoritys_name_not_even_an_extension(authority, after):
    assert told(refused(check, token_with(authority, name_of(authority), after))) == ("der_invalid", "time stamp")


@pytest.mark.parametrize(
    "name",
    [
        lambda subject: der.write(0xA0, der.write(0x86, b"https://tsa.example")),
        lambda subject: der.write(0xA0, der.write(0xA5, subject)),
        lambda subject: der.write(0xA0, der.write(0xA3, subject)),
        lambda subject: der.write(0xA0),
        lambda subject: der.write(0xA0, der.write(0xA4, subject), der.write(0xA4, subject)),
        lambda subject: der.write(0xA0, der.write(0xA4)),
        lambda subject: der.write(0xA0, der.write(0xA4, subject, subject)),
        lambda subject: der.write(0xA0, subject),
        lambda subject: der.write(0xA1, der.write(0xA4, subject)),
        lambda subject: der.write(0x31, der.write(0xA4, subject)),
    ],
)
def test_an_authoritys_name_is_one_directory_name(authority, name):
    token = token_with(authority, name_of(authority, name))
    assert told(refused(check, token)) == ("der_invalid", "time stamp")


def test_an_authoritys_name_is_that_of_its_certificate(world, authority):
    issuer = cms.certificate_identity(authority.chain_der[0]).issuer
    token = token_with(authority, der.write(0xA0, der.write(0xA4, issuer)))
    assert refused(check, token).code == "timestamp_name_differs"
    assert check(token_with(authority, name_of(authority)))


@pytest.mark.parametrize("keep", [0, 1, 2, 3, 4])
def test_what_a_token_must_state_is_there(authority, keep):
    start = [ONE, der.write_oid("1.2.3"), GOOD, FIVE, AT]
    assert told(refused(check, token_with(authority, start=start[:keep]))) == ("der_invalid", "time stamp")


@pytest.mark.parametrize("place", range(5))
def test_each_part_of_a_token_is_of_its_kind(authority, place):
    start = [ONE, der.write_oid("1.2.3"), GOOD, FIVE, AT]
    start[place] = b"\x02\x01\x02" if place == 0 else NULL
    assert told(refused(check, token_with(authority, start=start))) == ("der_invalid", "time stamp")


def test_a_token_holds_what_it_states_and_is_of_that_kind(authority):
    info = sequence(ONE, der.write_oid("1.2.3"), GOOD, FIVE, AT)
    assert check(signed(authority, info))
    detached = signed(authority, b"", content=None)
    assert told(refused(check, detached)) == ("der_invalid", "time stamp")
    other = signed(authority, info, content_type="1.2.840.113549.1.7.1")
    assert told(refused(check, other)) == ("der_invalid", "time stamp")


def test_an_imprint_by_a_digest_that_is_not_listed_proves_nothing(authority):
    token = token_with(
        authority, statement=imprint(oid=SHA1, digest=hashlib.sha1(DATA, usedforsecurity=False).digest())
    )
    fault = refused(check, token)
    assert (told(fault), fault.sub_indication) == (
        ("cms_suite_not_allowed", "time stamp"),
        "CRYPTO_CONSTRAINTS_FAILURE",
    )


def test_another_listed_digest_than_the_signatures_is_taken(authority):
    sha512 = imprint(oid=der.write_oid("2.16.840.1.101.3.4.2.3"), digest=hashlib.sha512(DATA).digest())
    assert check(token_with(authority, statement=sha512))


def test_what_does_not_hold_is_told_with_its_indication(world, authority):
    fault = refused(check, token_with(authority, statement=imprint(digest=bytes(32))))
    assert (fault.code, fault.sub_indication) == ("timestamp_imprint_differs", "HASH_FAILURE")
    for purposes, critical in (
        ((), True),
        ((ExtendedKeyUsageOID.TIME_STAMPING,), False),
        ((ExtendedKeyUsageOID.CODE_SIGNING,), True),
        ((ExtendedKeyUsageOID.TIME_STAMPING, ExtendedKeyUsageOID.CODE_SIGNING), True),
    ):
        other = p.stamping_key(world.root, purposes=purposes, critical=critical)
        fault = refused(check, token_with(other))
        assert (fault.code, fault.sub_indication) == ("timestamp_certificate_purpose", "CHAIN_CONSTRAINTS_FAILURE")


def test_the_purpose_is_that_of_the_leaf(world):
    leaf = w.make_leaf(world.root, "tsa", w.STATUS_OFFICE, role=authorities.Role.TIME_STAMPS)
    assert check(token_with(leaf))


def test_the_demonstrations_policy_is_the_one_that_is_published():
    assert timestamps.DEMONSTRATION_TSA_POLICY == POLICY
